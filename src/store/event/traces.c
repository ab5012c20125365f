/* Whole traces by id, their spans depth first, whatever parts they lie in. */
#include <stdlib.h>

#include "store/event/scan_priv.h"

#define AT_ONCE 256 /* pieces: most are skipped by their filters */

static const uint32_t ids[] = {DATA_EVENT_TRACE_ID, DATA_EVENT_SPAN_ID, DATA_EVENT_PARENT_ID};

/* The request's fields behind the three ids, and the kind behind them. */
static struct store_event_field *wanted(const struct store_event_scan *req, size_t *out_count)
{
    *out_count = req->field_count + ARRAY_LEN(ids) + 1;
    struct store_event_field *f = mem_calloc(*out_count, sizeof(*f));
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        f[i] = STORE_EVENT_INTRINSIC(ids[i]);
    if (req->field_count)
        memcpy(f + ARRAY_LEN(ids), req->fields, req->field_count * sizeof(*f));
    f[*out_count - 1] = STORE_EVENT_INTRINSIC(DATA_EVENT_KIND);
    return f;
}

static const struct data_value *column_of(const struct store_event_chunk *c, uint32_t intrinsic)
{
    for (size_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].scope == DATA_SCOPE_INTRINSIC && c->columns[i].intrinsic == intrinsic)
            return c->columns[i].values;
    }
    return NULL;
}

static void read_key(const struct store_event_chunk *c, const struct data_value *const *columns,
                     uint32_t row, struct store__span_key *out)
{
    char *to[] = {out->trace, out->span, out->parent};
    for (int i = 0; i < 3; i++) {
        if (!columns[i] || columns[i][row].kind != DATA_VALUE_BYTES ||
            columns[i][row].text.len != (i ? 8 : 16))
            continue;
        memcpy(to[i], columns[i][row].text.ptr, i ? 8 : 16);
        out->has_parent |= i == 2;
    }
    if (columns[3] && columns[3][row].kind == DATA_VALUE_INT)
        out->kind = (uint8_t)columns[3][row].i;
    out->ts = c->ts[row];
    out->at = row;
}

static int by_trace(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static int by_span(const void *a, const void *b)
{
    const struct store__span_key *x = a, *y = b;
    int c = memcmp(x->span, y->span, 8);
    if (!c)
        c = (x->kind > y->kind) - (x->kind < y->kind);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

/* Of a span that came more than once the later arrival counts. One id with two kinds is two spans:
 * Zipkin's two sides of a call share theirs. */
static size_t leave_out_repeated(struct store__span_key *keys, size_t count)
{
    size_t kept = 0;
    qsort(keys, count, sizeof(*keys), by_span);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || keys[i].kind != keys[i + 1].kind ||
                    memcmp(keys[i].span, keys[i + 1].span, 8) != 0;
        if (last)
            keys[kept++] = keys[i];
    }
    return kept;
}

/* Row order, and of each row its descendants and depth. */
static int arrange(struct store_event_chunk *out, const struct slice *trace_ids, size_t id_count)
{
    size_t n = out->count;
    struct store__span_key *keys = mem_calloc(n, sizeof(*keys));
    uint32_t *at = mem_alloc((n + 1) * sizeof(*at)), done = 0;
    uint32_t *descendants = arena_calloc(out->arena, n, sizeof(*descendants));
    uint32_t *depth = arena_calloc(out->arena, n, sizeof(*depth));
    const struct data_value *columns[4];
    for (int i = 0; i < 3; i++)
        columns[i] = column_of(out, ids[i]);
    columns[3] = column_of(out, DATA_EVENT_KIND);
    for (uint32_t i = 0; i < n; i++)
        read_key(out, columns, i, &keys[i]);
    if (n)
        qsort(keys, n, sizeof(*keys), by_trace);
    int err = descendants && depth ? 0 : ERR_NOMEM;
    for (size_t i = 0; i < id_count && !err; i++) {
        size_t begin = 0, hi = n, end;
        while (begin < hi) {
            size_t mid = (begin + hi) / 2;
            if (memcmp(keys[mid].trace, trace_ids[i].ptr, 16) < 0)
                begin = mid + 1;
            else
                hi = mid;
        }
        for (end = begin; end < n && memcmp(keys[end].trace, trace_ids[i].ptr, 16) == 0; end++) {
        }
        if (begin == end || done + (end - begin) > n)
            continue; /* none, or asked for twice */
        size_t count = leave_out_repeated(keys + begin, end - begin);
        store__spans_sort(keys + begin, count, descendants + done, depth + done);
        for (size_t k = begin; k < begin + count; k++)
            at[done++] = keys[k].at;
    }
    if (!err)
        err = scan__permute(out, 0, at, done);
    out->descendants = descendants;
    out->depth = depth;
    mem_free(keys);
    mem_free(at);
    return err;
}

int scan__traces(struct store_event_source *src, const struct slice *trace_ids, size_t id_count,
                 const struct store_event_scan *req, struct store_event_chunk *out,
                 struct diag *diag)
{
    struct store_event_cursor *c = NULL;
    const struct budget *budget = req->select.limits.memory;
    struct store_event_scan scan = *req;
    struct store_event_predicate is_one = {.op = STORE_EVENT_IN,
                                           .field = STORE_EVENT_INTRINSIC(DATA_EVENT_TRACE_ID),
                                           .set = trace_ids,
                                           .set_count = id_count};
    struct store_event_clause clause = {&is_one, 1};
    for (size_t i = 0; i < id_count; i++) {
        if (trace_ids[i].len != 16)
            return diag_set(diag, ERR_INVALID, "a trace id has 16 bytes, not %zu",
                            trace_ids[i].len);
    }
    struct store_event_field *fields = wanted(req, &scan.field_count);
    scan.fields = fields;
    scan.clauses = &clause;
    scan.clause_count = 1;
    scan.after_position = 0;
    int err = scan__open_cursor(src, &scan, &c, diag);
    VEC(struct scan__open *) open = {0};
    VEC(struct scan__pick) picks = {0};
    if (!err)
        scan__fetch_headers(c);
    for (size_t i = 0, n; !err && i < scan__morsel_count(c); i += n) {
        struct scan__open *opened[AT_ONCE];
        n = MIN(scan__morsel_count(c) - i, (size_t)AT_ONCE);
        err = scan__open_pieces(c, NULL, i, n, opened, diag);
        for (size_t p = 0; p < n; p++) {
            if (!opened[p])
                continue;
            vec_push(&open, opened[p]);
            for (uint32_t k = 0; k < opened[p]->count; k++)
                vec_push(&picks, ((struct scan__pick){opened[p], k}));
        }
    }
    if (!err)
        err = scan__fill(c, picks.items, picks.len, out, diag);
    if (!err && arrange(out, trace_ids, id_count))
        err = diag_set(diag, ERR_NOMEM, "the traces need more memory than the query may use (%s)",
                       budget && budget->setting ? budget->setting : "its limit");
    if (!err && !scan.all_fields)
        out->column_count--; /* the kind that nobody asked for */
    /* The streams' labels go with the cursor: the chunk keeps its own. */
    if (!err) {
        struct store_event_stream *streams =
            arena_dup(out->arena, out->streams, out->stream_count * sizeof(*streams));
        bool ok = streams != NULL;
        for (size_t i = 0; ok && i < out->stream_count; i++) {
            struct data_labels from = streams[i].labels;
            streams[i].labels = data_labels_copy(out->arena, from);
            ok = streams[i].labels.items || !from.count;
        }
        out->streams = streams;
        if (!ok)
            err =
                diag_set(diag, ERR_NOMEM, "the traces need more memory than the query may use (%s)",
                         budget && budget->setting ? budget->setting : "its limit");
    }
    for (size_t i = 0; i < open.len; i++)
        scan__close(c, open.items[i]);
    if (c)
        scan__close_cursor(c);
    vec_free(&open);
    vec_free(&picks);
    mem_free(fields);
    return err;
}
