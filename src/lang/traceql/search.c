/* Searches: candidates, newest first, until enough of them match. */
#include <stdlib.h>

#include "lang/traceql/candidates.h"
#include "lang/traceql/engine.h"
#include "text/regex.h"

#define BATCH_MAX 64 /* traces loaded at once */

struct traceql_searching {
    struct traceql_query *q;
    const struct traceql_search *what;
    struct traceql_candidates c;
    struct arena *arena; /* of the answer */
    VEC(struct traceql_found) found;
    size_t total;
    struct traceql_stats stats;
    struct diag *diag;
};

static struct traceql_value copy_value(struct arena *arena, struct traceql_value v)
{
    if (v.kind == TRACEQL_STRING) {
        v.text = arena_slice(arena, v.text);
        if (!v.text.ptr)
            v = (struct traceql_value){0};
    } else if (v.kind == TRACEQL_LIST) {
        struct traceql_value *items = arena_dup(arena, v.list.items, v.list.count * sizeof(*items));
        for (size_t i = 0; items && i < v.list.count; i++)
            items[i] = copy_value(arena, items[i]);
        v.list.items = items;
        v.list.count = items ? v.list.count : 0;
    }
    return v;
}

/* The attribute's own name: scopes are left out, as Tempo does. */
static struct slice attribute_name(const struct traceql_field *f)
{
    ptrdiff_t colon = f->intrinsic ? slice_find_char(f->name, ':') : -1;
    return f->parent ? f->text : colon >= 0 ? slice_from(f->name, (size_t)colon + 1) : f->name;
}

static void put_span(struct traceql_searching *s, size_t row, struct traceql_span *out)
{
    const struct traceql_rows *r = &s->c.rows;
    const struct data_value *name = traceql__column(r, TRACEQL_READ_NAME),
                            *duration = traceql__column(r, TRACEQL_READ_DURATION);
    struct traceql_attribute *attributes =
        ARENA_ARRAY(s->arena, struct traceql_attribute, s->q->fields.len);
    out->id = arena_slice(s->arena, r->chunk->columns[1].values[row].text);
    out->name =
        arena_slice(s->arena, name[row].kind == DATA_VALUE_STRING ? name[row].text : SLICE(""));
    out->start_ns = r->chunk->ts[row];
    out->duration_ns = duration[row].kind == DATA_VALUE_INT ? duration[row].i : 0;
    out->attributes = attributes;
    for (size_t i = 0; attributes && i < s->q->fields.len; i++) {
        const struct traceql_field *f = &s->q->fields.items[i];
        struct traceql_value v = traceql__field(r, i, row);
        /* Those are the span's own already, or the trace's. */
        if (v.kind == TRACEQL_NIL ||
            (!f->parent &&
             (f->intrinsic == TRACEQL_I_NAME || f->intrinsic == TRACEQL_I_DURATION ||
              f->intrinsic == TRACEQL_I_TRACE_ID || f->intrinsic == TRACEQL_I_SPAN_ID)))
            continue;
        attributes[out->attribute_count++] =
            (struct traceql_attribute){attribute_name(f), copy_value(s->arena, v)};
    }
}

static void put_set(struct traceql_searching *s, const struct traceql_spanset *set,
                    struct traceql_found_set *out)
{
    struct traceql_attribute *marks =
        ARENA_ARRAY(s->arena, struct traceql_attribute, set->mark_count);
    out->matched = set->count;
    out->span_count = MIN(set->count, s->what->spans);
    out->spans = ARENA_ARRAY(s->arena, struct traceql_span, out->span_count);
    if (!out->spans || !marks) {
        out->span_count = 0;
        return;
    }
    for (size_t i = 0; i < out->span_count; i++)
        put_span(s, s->c.trace.first + set->rows[i], &out->spans[i]);
    for (size_t i = 0; i < set->mark_count; i++)
        marks[i] = (struct traceql_attribute){arena_slice(s->arena, set->marks[i].name),
                                              copy_value(s->arena, set->marks[i].value)};
    out->attributes = marks;
    out->attribute_count = set->mark_count;
}

static int by_service(const void *a, const void *b)
{
    return slice_cmp(((const struct traceql_service *)a)->name,
                     ((const struct traceql_service *)b)->name);
}

static void put_services(struct traceql_searching *s, struct traceql_found *out)
{
    const struct traceql_rows *r = &s->c.rows;
    const struct data_value *status = traceql__column(r, TRACEQL_READ_STATUS);
    VEC(struct traceql_service) all = {0};
    for (size_t i = 0; i < s->c.trace.count; i++) {
        size_t row = s->c.trace.first + i, k = 0;
        struct slice name = traceql__service(r->chunk, row);
        while (k < all.len && !slice_eq(all.items[k].name, name))
            k++;
        if (k == all.len)
            vec_push(&all, ((struct traceql_service){.name = name}));
        all.items[k].spans++;
        all.items[k].errors += status[row].kind == DATA_VALUE_INT && status[row].i == 2;
    }
    if (all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_service);
    for (size_t i = 0; i < all.len; i++)
        all.items[i].name = arena_slice(s->arena, all.items[i].name);
    out->services = arena_dup(s->arena, all.items, all.len * sizeof(*all.items));
    out->service_count = out->services ? all.len : 0;
    vec_free(&all);
}

static int take(struct traceql_searching *s, const struct traceql_spansets *sets)
{
    const struct traceql_trace *t = &s->c.trace;
    struct traceql_found f = {.start_ns = t->start_ns, .duration_ns = t->end_ns - t->start_ns};
    memcpy(f.id, s->c.rows.chunk->columns[0].values[t->first].text.ptr, sizeof(f.id));
    if (t->root_name.ptr)
        f.root_name = arena_slice(s->arena, t->root_name);
    if (t->root_service.ptr)
        f.root_service = arena_slice(s->arena, t->root_service);
    f.sets = ARENA_ARRAY(s->arena, struct traceql_found_set, sets->count);
    if (!f.sets)
        return ERR_NOMEM;
    f.set_count = sets->count;
    for (size_t i = 0; i < sets->count; i++)
        put_set(s, &sets->items[i], &f.sets[i]);
    put_services(s, &f);
    if (!f.services || !traceql__charge(&s->c, sizeof(f)))
        return ERR_NOMEM;
    vec_push(&s->found, f);
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct traceql_found *x = a, *y = b;
    if (x->start_ns != y->start_ns)
        return x->start_ns > y->start_ns ? -1 : 1;
    return memcmp(x->id, y->id, sizeof(x->id));
}

/* At most so many traces; *out_done when there are no more, or enough were found. */
static int run(struct traceql_searching *s, size_t traces, bool *out_done)
{
    bool more;
    int err;
    *out_done = s->total >= s->what->limit;
    for (; traces && !*out_done; traces--) {
        struct traceql_spansets sets;
        if ((err = traceql__candidates_next(&s->c, &more)))
            return err;
        *out_done = !more;
        if (!more)
            return 0;
        int64_t duration = s->c.trace.end_ns - s->c.trace.start_ns;
        if ((s->what->min_ns && duration < s->what->min_ns) ||
            (s->what->max_ns && duration > s->what->max_ns))
            continue;
        err = traceql__run(&s->c.rows, s->q->pipeline, &sets);
        if (!err && sets.count) {
            err = take(s, &sets);
            s->total++;
        }
        if (err)
            return diag_set(s->diag, err,
                            "the query needs more memory than it may use (limits.query.memory)");
        *out_done = s->total >= s->what->limit;
    }
    return 0;
}

int traceql_search_open(struct traceql_query *q, const struct traceql_search *search,
                        const struct traceql_env *env, struct arena *arena,
                        struct traceql_searching **out, struct diag *diag)
{
    struct traceql_reads reads;
    *out = NULL;
    if (q->metric)
        return diag_set(diag, ERR_INVALID,
                        "a metrics query yields no traces: /api/metrics/query_range answers it");
    struct traceql_searching *s = *out = mem_calloc(1, sizeof(*s));
    s->q = q;
    s->what = search;
    s->arena = arena;
    s->diag = diag;
    traceql__reads_make(q, &reads);
    return traceql__candidates_open(&s->c, q, q->pipeline, &reads, env, search->start_ns,
                                    search->end_ns, MIN(search->limit + 1, (size_t)BATCH_MAX),
                                    &s->stats, diag);
}

int traceql_search_step(struct traceql_searching *s, size_t traces, struct traceql_result *out,
                        bool *out_done, struct diag *diag)
{
    uint64_t overruns = text_regex_overruns(); /* of this thread */
    *out = (struct traceql_result){0};
    s->diag = s->c.diag = diag;
    vec_clear(&s->found);
    int err = run(s, traces, out_done);
    if (!err)
        err = text_regex_check(overruns, "a regular expression of the query", diag);
    out->traces = arena_dup(s->arena, s->found.items, s->found.len * sizeof(*s->found.items));
    out->count = out->traces ? s->found.len : 0;
    if (!err && !out->traces)
        err = diag_set(diag, ERR_NOMEM,
                       "the query needs more memory than it may use (limits.query.memory)");
    traceql__candidates_stats(&s->c, &out->stats);
    if (*out_done)
        out->stats.pieces_done = out->stats.pieces;
    return err;
}

void traceql_search_close(struct traceql_searching *s)
{
    if (!s)
        return;
    traceql__candidates_close(&s->c);
    vec_free(&s->found);
    mem_free(s);
}

int traceql_search_run(struct traceql_query *q, const struct traceql_search *search,
                       const struct traceql_env *env, struct arena *arena,
                       struct traceql_result *out, struct diag *diag)
{
    struct traceql_searching *s;
    bool done;
    *out = (struct traceql_result){0};
    int err = traceql_search_open(q, search, env, arena, &s, diag);
    if (!err)
        err = traceql_search_step(s, SIZE_MAX, out, &done, diag);
    if (!err && out->count)
        qsort(out->traces, out->count, sizeof(*out->traces), by_start);
    traceql_search_close(s);
    return err;
}

void traceql_clauses(const struct traceql_query *q, const struct store_event_clause **out,
                     size_t *out_count)
{
    struct store_event_clause *clauses = NULL;
    *out_count = 0;
    if (q->pipeline)
        traceql__pushdown(q, q->pipeline, &clauses, out_count);
    *out = clauses;
}

bool traceql_tag_field(struct slice tag, struct arena *arena, struct store_event_field *out,
                       enum traceql_kind *out_kind)
{
    struct buf text = {0};
    struct traceql_query *q = NULL;
    struct traceql_reads reads;
    buf_printf(&text, "{ } | select(%.*s)", SLICE_FMT(tag));
    bool ok =
        !traceql_parse(buf_slice(&text), arena, &q, NULL) && q->fields.len == 1 && q->pipeline;
    buf_deinit(&text);
    if (ok) {
        traceql__reads_make(q, &reads);
        size_t source = q->fields.items[0].source;
        enum traceql_intrinsic i = q->fields.items[0].intrinsic;
        if (traceql__child_field(&q->fields.items[0], out))
            ok = true;
        else if ((ok = source != SIZE_MAX && (!i || i < TRACEQL_I_ROOT_NAME)))
            *out = reads.fields[source];
        *out_kind = i ? traceql__intrinsic_get(i)->kind : TRACEQL_NIL;
    }
    traceql_query_free(q);
    return ok;
}
