/* A scan's pieces are read in any order and by several threads. Each thread has series of its own,
 * which are put together at the end. What can be counted is added up where a window begins and
 * taken off where the last one ends; what needs the values in their order is kept and sorted. */
#include "lang/logql/range_priv.h"

#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "query/window.h"
#include "text/duration.h"
#include "text/go_string.h"
#include "text/regex.h"

/* --- where a line counts --- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool logql__range_steps(const struct run *r, int64_t ts_ns, size_t *from, size_t *to)
{
    /* T >= ts and T < ts + range */
    int64_t a = floor_div(ts_ns - r->first_ns + r->step_ns - 1, r->step_ns);
    int64_t b = floor_div(ts_ns + r->range_ns - 1 - r->first_ns, r->step_ns) + 1;
    a = MAX(a, 0);
    b = MIN(b, (int64_t)r->steps);
    *from = (size_t)a;
    *to = (size_t)MAX(b, 0);
    return a < b;
}

/* --- series --- */

static bool is_grouped(const struct logql_grouping *g, struct slice name)
{
    for (size_t i = 0; i < g->count; i++) {
        if (slice_eq(g->names[i], name))
            return !g->without;
    }
    return g->without;
}

static int fail(struct run *r, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct run *r, int err, const char *fmt, ...)
{
    char msg[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&r->lock);
    if (!r->failed.code)
        diag_set(&r->failed, err, "%s", msg);
    pthread_mutex_unlock(&r->lock);
    r->stop = true;
    return err;
}

/* A limit on reading: an answer in part ends here, any other fails. */
static int reach(struct run *r, int err, const char *msg)
{
    if (!logql__partial_takes(r->range->env->partial, err))
        return fail(r, err, "%s", msg);
    pthread_mutex_lock(&r->lock);
    diag_set(&r->cut, err, "%s", msg);
    pthread_mutex_unlock(&r->lock);
    r->stop = true;
    return err;
}

static int no_memory(struct run *r)
{
    return reach(r, ERR_NOMEM, "the query needs more memory than limits.query.memory allows");
}

/* The series of the label set in w->key; `labels` are its labels, of which some may not belong. */
struct series *logql__range_series(struct worker *w, const struct logql_label *labels, size_t count)
{
    struct run *r = w->run;
    bool added;
    struct map_entry *e = map_put(w->ids, buf_slice(&w->key), &added);
    if (!added)
        return &w->all.items[e->value.u64];
    struct series s = {0};
    struct data_label *items = ARENA_ARRAY(w->arena, struct data_label, count);
    size_t limit = r->x->env->series_max, n = 0;
    e->value.u64 = w->all.len;
    if (limit && ++r->series_count >
                     limit * 2 * MAX(r->x->env->pool ? r->x->env->pool->width : 1, (size_t)1)) {
        fail(r, ERR_LIMIT,
             "maximum number of series (%zu) reached for a single query; consider reducing query "
             "cardinality by adding more specific stream selectors, reducing the time range, or "
             "aggregating results with functions like sum, count or topk (limits.query.series)",
             limit);
        return NULL;
    }
    for (size_t i = 0; items && i < count; i++) {
        if (!is_grouped(&r->range->grouping, labels[i].name))
            continue;
        items[n] = (struct data_label){arena_slice(w->arena, labels[i].name),
                                       arena_slice(w->arena, labels[i].value)};
        if (!items[n].name.ptr || !items[n].value.ptr)
            items = NULL;
        n++;
    }
    s.labels = (struct data_labels){items, n};
    if (r->counts)
        s.count = ARENA_ARRAY(w->arena, double, r->steps + 1);
    if (r->bytes)
        s.sum = ARENA_ARRAY(w->arena, double, r->steps + 1);
    if (!items || (r->counts && !s.count) || (r->bytes && !s.sum)) {
        no_memory(r);
        return NULL;
    }
    vec_push(&w->all, s);
    return &w->all.items[w->all.len - 1];
}

/* Labels are sorted by name. */
void logql__range_key(struct worker *w, const struct logql_label *labels, size_t count)
{
    buf_clear(&w->key);
    for (size_t i = 0; i < count; i++) {
        if (!is_grouped(&w->run->range->grouping, labels[i].name))
            continue;
        uint32_t lengths[2] = {(uint32_t)labels[i].name.len, (uint32_t)labels[i].value.len};
        buf_append(&w->key, lengths, sizeof(lengths));
        buf_append_slice(&w->key, labels[i].name);
        buf_append_slice(&w->key, labels[i].value);
    }
}

static int add_sample(struct worker *w, struct series *s, int64_t ts_ns, double value)
{
    if (s->samples.len == s->samples.cap) {
        int64_t more = (int64_t)(MAX(s->samples.cap, (size_t)16) * sizeof(struct sample));
        struct budget *memory = w->run->x->env->memory;
        if (memory && !budget_take(memory, more))
            return no_memory(w->run);
        w->charged += memory ? more : 0;
        vec_reserve(&s->samples, MAX(s->samples.cap, (size_t)16));
    }
    if (s->sorted == s->samples.len &&
        (!s->sorted || s->samples.items[s->sorted - 1].ts_ns <= ts_ns))
        s->sorted++;
    vec_push(&s->samples, ((struct sample){ts_ns, value}));
    return 0;
}

static int add(struct worker *w, struct series *s, int64_t ts_ns, double value)
{
    const struct run *r = w->run;
    size_t from, to;
    if (!s)
        return ERR_NOMEM;
    if (!logql__range_steps(r, ts_ns, &from, &to))
        return 0;
    if (r->keeps)
        return add_sample(w, s, ts_ns, value);
    s->count[from] += 1;
    s->count[to] -= 1;
    if (r->bytes) {
        s->sum[from] += value;
        s->sum[to] -= value;
    }
    return 0;
}

/* --- lines --- */

static int pipeline_error(struct run *r, struct logql_line *l)
{
    struct buf text = {0};
    logql_line_finish(l);
    for (size_t i = 0; i < l->labels.len; i++) {
        const struct logql_label *label = &l->labels.items[i];
        buf_printf(&text, "%s%.*s=", i ? ", " : "{", SLICE_FMT(label->name));
        text_go_quote(slice_first(label->value, 200), &text);
        if (text.len > 400)
            break;
    }
    buf_append_char(&text, '}');
    int err =
        fail(r, ERR_INVALID,
             "pipeline error: '%.*s' for series: '%s'.\n"
             "Use a label filter to intentionally skip this error. (e.g | __error__!=\"%.*s\").\n"
             "To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n"
             "The label filter can also be specified after unwrap. (e.g | unwrap latency | "
             "__error__=\"\" )\n",
             SLICE_FMT(l->error), buf_cstr(&text), SLICE_FMT(l->error));
    buf_deinit(&text);
    return err;
}

static int take_line(struct worker *w, size_t i)
{
    const struct logql_pipeline *p = w->run->range->pipeline;
    struct logql_line *l = &w->rows.line;
    double value = 0;
    if (!logql_rows_run(&w->rows, i))
        return 0;
    if (p->unwrap) {
        if (!logql_pipeline_unwrap(p, l, &value))
            return 0;
    } else if (w->run->bytes) {
        value = (double)l->text.len;
    }
    if (l->error.len && !slice_eq_cstr(logql_line_get(l, SLICE(LOGQL_PRESERVE_ERROR)), "true"))
        return pipeline_error(w->run, l);
    logql_line_finish(l);
    logql__range_key(w, l->labels.items, l->labels.len);
    struct series *s = logql__range_series(w, l->labels.items, l->labels.len);
    if (s)
        w->last_series = (size_t)(s - w->all.items);
    return add(w, s, l->ts_ns, value);
}

static size_t put_value(struct data_value v, char *out, size_t n)
{
    bool text = data_value_has_text(v.kind);
    size_t len = v.kind == DATA_VALUE_NULL ? 0 : text ? v.text.len : sizeof(v.i);
    if (n + 2 + len > SLOT_BYTES)
        return SIZE_MAX;
    out[n++] = (char)v.kind;
    out[n++] = (char)len;
    memcpy(out + n, text ? v.text.ptr : (const char *)&v.i, len);
    return n + len;
}

/* The values of a row's fields and of what is told of its line, in order, with their kinds;
 * SIZE_MAX: they are too long. */
static size_t plain_values(const struct worker *w, size_t row, size_t unwrapped, char *out)
{
    const struct logql_derive *d = w->run->range->pipeline->derive;
    size_t n = 0;
    for (size_t i = 0; i < w->rows.columns.len && n != SIZE_MAX; i++)
        n = put_value(w->chunk.columns[w->rows.columns.items[i].column].values[row], out, n);
    for (size_t i = 0; d && i < d->scan.count && n != SIZE_MAX; i++) {
        if (i != unwrapped)
            n = put_value(w->chunk.derived[i][row], out, n);
    }
    return n;
}

/* The row's stream or one of its fields has the label that is unwrapped. */
static bool hides_unwrapped(struct worker *w, size_t row)
{
    struct slice name = w->run->range->pipeline->unwrap_name;
    const struct logql_rows_stream *s = logql_rows_stream(&w->rows, w->chunk.stream[row]);
    bool hidden = false;
    for (size_t i = 0; i < s->count; i++)
        hidden |= slice_eq(s->labels[i].name, name);
    for (size_t i = 0; i < w->rows.columns.len; i++)
        hidden |= slice_eq(w->rows.columns.items[i].name, name) &&
                  w->chunk.columns[w->rows.columns.items[i].column].values[row].kind;
    return hidden;
}

/* Whether only the stream, the fields, and what is told of lines matter. */
static bool is_plain(const struct worker *w)
{
    const struct logql_pipeline *p = w->run->range->pipeline;
    return p->plain || (w->chunk.told && p->derive->only && !p->unwrap_step_count);
}

/* Rows that nothing is done with: the way through their labels is gone once for all that are alike,
 * and then only the time is looked at, and how long the line is. */
static int take_plain(struct worker *w)
{
    const struct store_event_chunk *c = &w->chunk;
    const struct data_value *lines = w->run->bytes ? c->columns[w->rows.line_column].values : NULL;
    const struct logql_pipeline *p = w->run->range->pipeline;
    size_t unwrapped = SIZE_MAX;
    char values[SLOT_BYTES];
    int err = 0;
    for (size_t i = 0; p->unwrap && i < p->derive->scan.count; i++) {
        if (slice_eq(p->derive->names[i], p->unwrap_name))
            unwrapped = i;
    }
    if (!w->slots)
        w->slots = mem_calloc(SLOTS, sizeof(*w->slots));
    for (size_t i = 0; i < c->count && !err; i++) {
        if ((c->told && !c->told[i]) || (p->unwrap && unwrapped == SIZE_MAX)) {
            err = take_line(w, i);
            continue;
        }
        size_t len = plain_values(w, i, unwrapped, values);
        uint64_t hash = c->stream[i] * UINT64_C(0x9e3779b97f4a7c15);
        if (len != SIZE_MAX && len)
            hash ^= hash64(values, len, 0);
        struct plain_slot *slot = &w->slots[(hash >> 40) % SLOTS];
        if (len == SIZE_MAX) {
            err = take_line(w, i);
            continue;
        }
        if (!slot->series || slot->stream != c->stream[i] || slot->len != len ||
            memcmp(slot->values, values, len) != 0) {
            w->last_series = SIZE_MAX;
            err = take_line(w, i);
            if (!err && w->last_series != SIZE_MAX) {
                *slot = (struct plain_slot){.series = (uint32_t)w->last_series + 1,
                                            .stream = c->stream[i],
                                            .len = (uint32_t)len,
                                            .hidden = p->unwrap && hides_unwrapped(w, i)};
                memcpy(slot->values, values, len);
            }
            continue;
        }
        if (p->unwrap) {
            struct data_value v = c->derived[unwrapped][i];
            double number;
            if (slot->hidden || (v.kind && !logql_pipeline_convert(p, v.text, &number)))
                err = take_line(w, i);
            else if (v.kind)
                err = add(w, &w->all.items[slot->series - 1], c->ts[i], number);
            continue;
        }
        double value = lines && lines[i].kind == DATA_VALUE_STRING ? (double)lines[i].text.len : 0;
        err = add(w, &w->all.items[slot->series - 1], c->ts[i], value);
    }
    return err;
}

struct worker *logql__range_take(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    struct worker *w = r->idle;
    if (w)
        r->idle = w->next;
    pthread_mutex_unlock(&r->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->run = r;
        w->ids = map_new();
        w->arena = arena_new(0, r->x->env->memory);
        logql_rows_init(&w->rows, r->range->pipeline, r->range->env->now_ns);
    }
    return w;
}

void logql__range_give(struct run *r, struct worker *w)
{
    pthread_mutex_lock(&r->lock);
    w->next = r->idle;
    r->idle = w;
    pthread_mutex_unlock(&r->lock);
}

static void read_morsel(void *ctx, size_t i)
{
    struct run *r = ctx;
    const struct logql_range *range = r->range;
    struct diag d;
    diag_init(&d);
    if (r->stop)
        return;
    i = r->order ? r->order[i] : i;
    struct worker *w = logql__range_take(r);
    uint64_t overruns = text_regex_overruns();
    int err = range->env->source->ops->morsel_read(r->cursor, i, &w->chunk, &d);
    if (err) {
        reach(r, err, d.msg);
    } else if (w->chunk.count) {
        logql_rows_chunk(&w->rows, &w->chunk);
        bool plain = is_plain(w);
        if (plain)
            err = take_plain(w);
        for (size_t k = 0; !plain && k < w->chunk.count && !err; k++)
            err = take_line(w, k);
        if (!err && text_regex_check(overruns, "a regular expression of the query", &d))
            err = fail(r, d.code, "%s", d.msg);
    }
    if (r->done)
        r->done[i] = !err;
    logql__range_give(r, w);
}

/* --- putting together --- */

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct sample *)a)->ts_ns, y = ((const struct sample *)b)->ts_ns;
    if (x != y)
        return x < y ? -1 : 1;
    /* Pieces come in any order: equal times get an order of their own. */
    double u = ((const struct sample *)a)->value, v = ((const struct sample *)b)->value;
    return (u > v) - (u < v);
}

static void merge_into(struct worker *to, struct worker *from)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(from->ids, &pos));) {
        struct series *s = &from->all.items[e->value.u64];
        bool added;
        struct map_entry *there = map_put(to->ids, e->key, &added);
        if (added) {
            there->value.u64 = to->all.len;
            vec_push(&to->all, *s);
            s->samples.items = NULL;
            s->samples.len = s->samples.cap = 0;
            continue;
        }
        struct series *t = &to->all.items[there->value.u64];
        for (size_t i = 0; s->count && i <= to->run->steps; i++)
            t->count[i] += s->count[i];
        for (size_t i = 0; s->sum && i <= to->run->steps; i++)
            t->sum[i] += s->sum[i];
        vec_reserve(&t->samples, s->samples.len);
        if (s->samples.len)
            memcpy(t->samples.items + t->samples.len, s->samples.items,
                   s->samples.len * sizeof(*s->samples.items));
        t->samples.len += s->samples.len;
        vec_free(&s->samples);
    }
}

static query_window_fn kernel_of(enum logql_range_op op)
{
    switch (op) {
    case LOGQL_AVG: return query__avg_over;
    case LOGQL_MIN: return query__min_over;
    case LOGQL_MAX: return query__max_over;
    case LOGQL_STDVAR: return query__stdvar_over;
    case LOGQL_STDDEV: return query__stddev_over;
    case LOGQL_QUANTILE: return query__quantile_over;
    case LOGQL_FIRST: return query__first_over;
    case LOGQL_LAST: return query__last_over;
    case LOGQL_RATE_COUNTER: return query__rate;
    default: return query__sum_over;
    }
}

static int windows(struct run *r, struct series *s, struct query_row *row)
{
    const struct logql_expr *e = r->range->expr;
    query_window_fn kernel = kernel_of(e->range_op);
    size_t n = s->samples.len, lo = 0, hi = 0;
    int64_t *ts = mem_alloc(n * sizeof(*ts));
    double *v = mem_alloc(n * sizeof(*v)), seconds = (double)r->range_ns / 1e9;
    if (s->sorted < n || r->idle->next)
        qsort(s->samples.items, n, sizeof(*s->samples.items), by_time);
    for (size_t i = 0; i < n; i++) {
        ts[i] = s->samples.items[i].ts_ns;
        v[i] = s->samples.items[i].value;
    }
    for (size_t k = 0; k < r->steps; k++) {
        int64_t end = r->first_ns + (int64_t)k * r->step_ns, start = end - r->range_ns;
        while (hi < n && ts[hi] <= end)
            hi++;
        while (lo < hi && ts[lo] <= start)
            lo++;
        if (lo == hi)
            continue;
        const struct query_window w = {.ts = ts + lo,
                                       .v = v + lo,
                                       .count = hi - lo,
                                       .start_ns = start,
                                       .end_ns = end,
                                       .step_ns = query__step_ns(r->x, k),
                                       .param = {e->param}};
        double value = 0;
        /* A counter of which one value is known does not rise. */
        if (!kernel(&w, &value) && e->range_op != LOGQL_RATE_COUNTER)
            continue;
        query__put_float(row, k, e->range_op == LOGQL_RATE ? value / seconds : value);
    }
    mem_free(ts);
    mem_free(v);
    return query__check(r->x);
}

static int put_series(struct run *r, struct series *s, struct query_grid *out)
{
    const struct logql_expr *e = r->range->expr;
    struct query_row *row = query__add_row(r->x, out, data_labels_copy(r->x->arena, s->labels));
    double count = 0, sum = 0, seconds = (double)r->range_ns / 1e9;
    if (!row)
        return ERR_NOMEM;
    if (r->keeps)
        return windows(r, s, row);
    for (size_t i = 0; i < r->steps; i++) {
        count += s->count[i];
        if (r->bytes)
            sum += s->sum[i];
        if (count < 0.5)
            continue;
        double v = r->bytes ? sum : count;
        bool rate = e->range_op == LOGQL_RATE || e->range_op == LOGQL_BYTES_RATE;
        query__put_float(row, i, rate ? v / seconds : v);
    }
    return 0;
}

/* absent_over_time: 1 where no series has a line; the labels are those the selector names. */
static int put_absent(struct run *r, struct worker *w, struct query_grid *out)
{
    const struct logql_expr *log = r->range->expr->args[0];
    struct query_exec *x = r->x;
    struct data_labels_builder b = {0};
    struct data_labels labels;
    for (size_t i = 0; i < log->matcher_count; i++) {
        const struct store_matcher *m = &log->matchers[i];
        size_t same = 0;
        for (size_t k = 0; k < log->matcher_count; k++)
            same += slice_eq(log->matchers[k].name, m->name);
        if (m->op == STORE_MATCH_EQ && same == 1)
            data_labels_builder_set(&b, logql_sanitize(x->arena, m->name), m->value);
    }
    int err = data_labels_builder_finish(&b, &labels, x->diag);
    struct query_row *row = err ? NULL : query__add_row(x, out, data_labels_copy(x->arena, labels));
    data_labels_builder_deinit(&b);
    if (!row)
        return err ? err : ERR_NOMEM;
    for (size_t i = 0; i < r->steps; i++)
        query__put_float(row, i, 1);
    /* Of steps that were not read whole nobody knows. */
    for (size_t i = 0; i < r->steps && r->cut.code; i++) {
        if (query__step_ns(x, i) < r->exact_from_ns)
            row->has[i] = 0;
    }
    for (size_t k = 0; w && k < w->all.len; k++) {
        double count = 0;
        for (size_t i = 0; i < r->steps; i++) {
            count += w->all.items[k].count[i];
            if (count > 0.5)
                row->has[i] = 0;
        }
    }
    return 0;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct series *)a)->labels, ((const struct series *)b)->labels);
}

static int put_all(struct run *r, struct query_grid *out)
{
    struct worker *w = r->idle;
    size_t limit = r->x->env->series_max;
    int err = 0;
    for (struct worker *o = w ? w->next : NULL; o; o = o->next)
        merge_into(w, o);
    if (r->range->expr->range_op == LOGQL_ABSENT)
        return put_absent(r, w, out);
    if (w && limit && w->all.len > limit)
        return diag_set(
            r->x->diag, ERR_LIMIT,
            "maximum number of series (%zu) reached for a single query; consider reducing query "
            "cardinality by adding more specific stream selectors, reducing the time range, or "
            "aggregating results with functions like sum, count or topk (limits.query.series)",
            limit);
    if (w && w->all.len)
        qsort(w->all.items, w->all.len, sizeof(*w->all.items), by_labels);
    for (size_t i = 0; w && i < w->all.len && !err; i++)
        err = put_series(r, &w->all.items[i], out);
    return err;
}

static void free_workers(struct run *r)
{
    for (struct worker *w = r->idle, *next; w; w = next) {
        next = w->next;
        for (size_t i = 0; i < w->all.len; i++)
            vec_free(&w->all.items[i].samples);
        if (w->charged)
            budget_give(r->x->env->memory, w->charged);
        vec_free(&w->all);
        mem_free(w->slots);
        map_free(w->ids);
        buf_deinit(&w->key);
        store_event_chunk_free(&w->chunk);
        logql_rows_deinit(&w->rows);
        arena_free(w->arena);
        mem_free(w);
    }
}

static int newest_first(const void *a, const void *b, void *ctx)
{
    struct run *r = ctx;
    const struct store_event_ops *ops = r->range->env->source->ops;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    int64_t from, x_to, y_to;
    ops->morsel_times(r->cursor, x, &from, &x_to);
    ops->morsel_times(r->cursor, y, &from, &y_to);
    return x_to != y_to ? (x_to > y_to ? -1 : 1) : (x > y) - (x < y);
}

/* Of an answer in part: what is read first is what the newest steps need. */
static void order_morsels(struct run *r, size_t count)
{
    if (!r->range->env->partial || !count)
        return;
    r->order = mem_alloc(count * sizeof(*r->order));
    r->done = mem_calloc(count, sizeof(*r->done));
    for (size_t i = 0; i < count; i++)
        r->order[i] = i;
    qsort_r(r->order, count, sizeof(*r->order), newest_first, r);
}

/* Lines up to edge_ns were not all read. */
static void note_cut(struct run *r, int64_t edge_ns)
{
    struct logql_partial *p = r->range->env->partial;
    const struct logql_expr *e = r->range->expr;
    int64_t exact;
    logql__partial_cut(p, &r->cut);
    if (__builtin_add_overflow(edge_ns, e->range_ns, &exact) ||
        __builtin_add_overflow(exact, e->offset_ns, &exact))
        exact = INT64_MAX;
    p->read_from_ns = MAX(p->read_from_ns, edge_ns);
    p->exact_from_ns = MAX(p->exact_from_ns, exact);
    r->exact_from_ns = MAX(r->exact_from_ns, exact);
}

static void note_unread(struct run *r, size_t count)
{
    const struct store_event_ops *ops = r->range->env->source->ops;
    int64_t edge = INT64_MIN, from, to;
    for (size_t i = 0; i < count; i++) {
        ops->morsel_times(r->cursor, i, &from, &to);
        edge = r->done[i] ? edge : MAX(edge, to);
    }
    note_cut(r, edge);
}

/* Reads a stretch; also 0 when a limit ended it (r->cut). */
static int read_rows(struct run *r, struct store_event_scan *req)
{
    const struct logql_env *env = r->range->env;
    struct store_event_stats stats;
    struct diag diag;
    diag_init(&diag);
    int err = env->source->ops->scan(env->source, req, &r->cursor, &diag);
    if (logql__partial_takes(env->partial, err)) {
        r->cut = diag;
        note_cut(r, req->select.t_max_ns);
        return 0;
    }
    if (err)
        return diag_set(r->x->diag, err, "%s", diag.msg);
    for (struct worker *w = r->idle; w; w = w->next) {
        logql_rows_forget_streams(&w->rows);
        mem_free(w->slots);
        w->slots = NULL;
    }
    size_t count = env->source->ops->morsel_count(r->cursor);
    order_morsels(r, count);
    size_t width = r->x->env->pool ? MAX(r->x->env->pool->width, (size_t)1) : 1;
    if (width > 1 && count > 1)
        r->x->env->pool->parallel(r->x->env->pool, TASK_INTERACTIVE, count, width, read_morsel, r);
    for (size_t i = 0; !(width > 1 && count > 1) && i < count; i++)
        read_morsel(r, i);
    if (r->cut.code)
        note_unread(r, count);
    mem_free(r->order);
    mem_free(r->done);
    r->order = NULL;
    r->done = NULL;
    env->source->ops->cursor_stats(r->cursor, &stats);
    store_event_stats_add(&r->range->stats->scan, &stats);
    env->source->ops->close(r->cursor);
    if (r->failed.code)
        return diag_set(r->x->diag, r->failed.code, "%s", r->failed.msg);
    return r->cut.code ? 0 : query__check(r->x);
}

static int scan(struct run *r, int64_t last_ns)
{
    const struct logql_range *range = r->range;
    const struct logql_env *env = range->env;
    const struct logql_expr *log = range->expr->args[0];
    struct store_event_scan req = {.select = {.tenant = env->tenant,
                                              .t_min_ns = r->first_ns - r->range_ns + 1,
                                              .t_max_ns = last_ns,
                                              .matchers = log->matchers,
                                              .matcher_count = log->matcher_count,
                                              .limits = env->limits},
                                   .order = STORE_EVENT_OLDEST_FIRST};
    logql__cut_list cuts = {0};
    logql_rows_scan(range->pipeline, &req);
    int64_t reserved = logql__partial_reserve(env->partial, env->limits.memory);
    struct diag diag;
    diag_init(&diag);
    int err = logql__range_count(r, &req.select, &cuts, &diag);
    if (logql__partial_takes(env->partial, err)) {
        r->cut = diag;
        err = 0;
    }
    if (!err && r->failed.code)
        err = diag_set(&diag, r->failed.code, "%s", r->failed.msg);
    if (err)
        diag_set(r->x->diag, err, "%s", diag.msg);
    else if (r->cut.code) /* not even all that is kept by the minute */
        note_cut(r, last_ns);
    for (size_t i = cuts.len; i-- > 0 && !err && !r->cut.code;) {
        req.select.t_min_ns = cuts.items[i].begin_ns;
        req.select.t_max_ns = cuts.items[i].end_ns;
        err = read_rows(r, &req);
        if (!err && r->cut.code && i)
            note_cut(r, cuts.items[i - 1].end_ns);
    }
    logql__partial_release(env->limits.memory, reserved);
    vec_free(&cuts);
    return err;
}

int logql__range_eval(const struct query_rows *rows, struct query_exec *x, struct query_grid *out)
{
    const struct logql_range *range = (const struct logql_range *)rows;
    const struct logql_expr *e = range->expr;
    struct run r = {.range = range, .x = x, .steps = x->step_count};
    int64_t last, step = x->steps.instant || x->step_count < 2 ? 1 : x->steps.step_ns;
    r.step_ns = step;
    r.range_ns = e->range_ns;
    r.bytes = e->range_op == LOGQL_BYTES || e->range_op == LOGQL_BYTES_RATE;
    r.counts = r.bytes || (!e->unwrap && !r.bytes) || e->range_op == LOGQL_ABSENT;
    r.keeps = !r.counts;
    if (__builtin_sub_overflow(query__step_ns(x, 0), e->offset_ns, &r.first_ns) ||
        __builtin_mul_overflow((int64_t)(r.steps - 1), step, &last) ||
        __builtin_add_overflow(r.first_ns, last, &last) ||
        r.first_ns < INT64_MIN / 2 + e->range_ns || last > INT64_MAX / 2 - e->range_ns)
        return 0; /* no line is that far away */
    pthread_mutex_init(&r.lock, NULL);
    diag_init(&r.failed);
    diag_init(&r.cut);
    r.exact_from_ns = INT64_MIN;
    int err = scan(&r, last);
    if (!err)
        err = put_all(&r, out);
    free_workers(&r);
    pthread_mutex_destroy(&r.lock);
    return err;
}

void logql__range_explain(const struct query_rows *rows, struct buf *out)
{
    const struct logql_range *range = (const struct logql_range *)rows;
    const struct logql_pipeline *p = range->pipeline;
    buf_printf(out, "LogRange %s range=", logql__range_names[range->expr->range_op]);
    text_duration_print(range->expr->range_ns, out);
    buf_printf(out, " predicates=%zu stages=%zu fields=", p->clause_count, p->step_count);
    if (p->all_fields)
        buf_append_cstr(out, "all");
    else
        buf_printf(out, "%zu", p->field_count);
    if (!range->grouping.without) {
        buf_append_cstr(out, " by (");
        for (size_t i = 0; i < range->grouping.count; i++)
            buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_FMT(range->grouping.names[i]));
        buf_append_char(out, ')');
    }
    buf_append_char(out, ' ');
    logql_print(range->expr->args[0], out);
}
