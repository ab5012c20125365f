/* Spans are read in any order and by several threads. Each thread has series of its own, which are
 * put together at the end. Where a query looks beyond single spans, whole traces are run one by
 * one. */
#include "lang/traceql/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lang/traceql/engine.h"
#include "text/regex.h"

/* How far from the range a span may be that puts a trace into question. */
#define CONTEXT_NS       ((int64_t)600 * NS_PER_SEC)
#define TRACES_AT_ONCE   64
#define EXEMPLARS_WORKER 1000
#define ID_BYTES         80 /* of a series' entry in the map, but for its key */

static bool is_counted(enum traceql_metric_op op)
{
    return op == TRACEQL_RATE || op == TRACEQL_COUNT_OVER_TIME || op == TRACEQL_COMPARE ||
           op == TRACEQL_HISTOGRAM_OVER_TIME || op == TRACEQL_QUANTILE_OVER_TIME;
}

static bool has_buckets(enum traceql_metric_op op)
{
    return op == TRACEQL_HISTOGRAM_OVER_TIME || op == TRACEQL_QUANTILE_OVER_TIME;
}

bool traceql__step_of(const struct traceql_run *r, int64_t ts_ns, size_t *out)
{
    int64_t back = r->first_ns - r->step_ns;
    if (ts_ns <= back || ts_ns > r->first_ns + (int64_t)(r->steps - 1) * r->step_ns)
        return false;
    *out = (size_t)((ts_ns - back - 1) / r->step_ns);
    return *out < r->steps;
}

/* --- series --- */

struct slice traceql__label_text(struct traceql_value v, struct arena *arena)
{
    static const char kinds[] = "nsifbdtkl"; /* by enum traceql_kind */
    struct buf text = {0};
    buf_append_char(&text, kinds[v.kind]);
    if (v.kind == TRACEQL_DURATION || v.kind == TRACEQL_STATUS || v.kind == TRACEQL_SPAN_KIND)
        v.kind = TRACEQL_INT;
    if (v.kind != TRACEQL_NIL)
        traceql_value_text(v, &text);
    struct slice out = arena_slice(arena, buf_slice(&text));
    buf_deinit(&text);
    return out.ptr ? out : SLICE("");
}

void traceql__key_put(struct traceql_value v, struct buf *out)
{
    struct buf text = {0};
    traceql_value_text(v, &text);
    buf_append_char(out, (char)('a' + v.kind));
    buf_append(out, &text.len, sizeof(text.len));
    buf_append_slice(out, buf_slice(&text));
    buf_deinit(&text);
}

static void fail(struct traceql_run *r, int err, const char *msg)
{
    pthread_mutex_lock(&r->lock);
    diag_set(&r->failed, err, "%s", msg);
    pthread_mutex_unlock(&r->lock);
    r->stop = true;
}

int traceql__no_room(struct traceql_worker *w)
{
    size_t limit = w->run->x->env->series_max;
    char msg[160];
    if (limit && w->run->series_count > limit) {
        snprintf(msg, sizeof(msg),
                 "the query has more than %zu series; group by fewer values (limits.query.series)",
                 limit);
        fail(w->run, ERR_LIMIT, msg);
    } else {
        fail(w->run, ERR_NOMEM,
             "the query needs more memory than it may use (limits.query.memory)");
    }
    return ERR_NOMEM;
}

static bool charge(struct traceql_worker *w, int64_t bytes)
{
    struct budget *memory = w->run->x->env->memory;
    if (memory && !budget_take(memory, bytes))
        return false;
    w->charged += bytes;
    return true;
}

struct traceql_series *traceql__series(struct traceql_worker *w, bool *out_added)
{
    struct traceql_run *r = w->run;
    enum traceql_metric_op op = r->m->metric->function;
    struct map_entry *e = map_put(w->ids, buf_slice(&w->key), out_added);
    if (!*out_added)
        return &w->all.items[e->value.u64];
    struct traceql_series s = {0};
    size_t limit = r->x->env->series_max;
    if (limit && ++r->series_count > limit)
        return NULL;
    if (!charge(w, (int64_t)(sizeof(s) + ID_BYTES + w->key.len)))
        return NULL;
    if (is_counted(op) || op == TRACEQL_AVG_OVER_TIME)
        s.count = ARENA_ARRAY(w->arena, double, r->steps);
    if (!is_counted(op))
        s.value = ARENA_ARRAY(w->arena, double, r->steps);
    if (!s.count && !s.value)
        return NULL;
    for (size_t i = 0; s.value && i < r->steps; i++)
        s.value[i] = NAN;
    e->value.u64 = w->all.len;
    vec_push(&w->all, s);
    return &w->all.items[w->all.len - 1];
}

/* The group's labels; those that are missing have none, unless all are. */
static struct data_labels labels_of(struct traceql_worker *w, const struct traceql_value *values,
                                    const double *bucket)
{
    const struct traceql_metric *m = w->run->m->metric;
    struct data_labels_builder b = {0};
    struct data_labels out = {0};
    size_t there = 0;
    for (size_t i = 0; i < m->by_count; i++)
        there += values[i].kind != TRACEQL_NIL;
    for (size_t i = 0; i < m->by_count; i++) {
        struct slice name = w->run->m->query->fields.items[m->by[i]->field].text;
        if (values[i].kind != TRACEQL_NIL || (!there && !i))
            data_labels_builder_set(&b, name, traceql__label_text(values[i], w->arena));
    }
    if (bucket)
        data_labels_builder_set(
            &b, SLICE("__bucket"),
            traceql__label_text((struct traceql_value){.kind = TRACEQL_FLOAT, .d = *bucket},
                                w->arena));
    else if (!m->by_count && !has_buckets(m->function))
        data_labels_builder_set(
            &b, SLICE(DATA_METRIC_NAME),
            traceql__label_text(traceql__text(slice_cstr(traceql__metric_names[m->function])),
                                w->arena));
    (void)data_labels_builder_finish(&b, &out, NULL);
    out = data_labels_copy(w->arena, out);
    data_labels_builder_deinit(&b);
    return out;
}

static double bucket_of(struct traceql_value v)
{
    double d = 0;
    int exp;
    (void)traceql__number(v, &d);
    if (!(d > 0))
        return 0;
    double fraction = frexp(d, &exp);
    d = ldexp(1, fraction == 0.5 ? exp - 1 : exp);
    return v.kind == TRACEQL_DURATION ? d / 1e9 : d;
}

static void take_exemplar(struct traceql_worker *w, const struct traceql_rows *rows, size_t row,
                          struct traceql_series *s, size_t step, double value)
{
    const struct traceql_exemplars *wanted = w->run->m->exemplars;
    if (!wanted || !wanted->max || s->exemplar_step == step + 1 ||
        w->exemplars.len >= EXEMPLARS_WORKER)
        return;
    struct data_value id = traceql__column(rows, TRACEQL_READ_TRACE_ID)[row];
    if (id.kind != DATA_VALUE_BYTES || id.text.len != 16)
        return;
    struct traceql_exemplar e = {.ts_ns = rows->chunk->ts[row], .value = value};
    memcpy(e.trace_id, id.text.ptr, sizeof(e.trace_id));
    if (!charge(w, sizeof(e) + sizeof(size_t)))
        return; /* the numbers are what was asked for */
    s->exemplar_step = step + 1;
    vec_push(&w->exemplars, e);
    vec_push(&w->exemplar_series, (size_t)(s - w->all.items));
}

/* --- one span --- */

static void add_value(struct traceql_series *s, enum traceql_metric_op op, size_t step, double v)
{
    bool first = s->value && isnan(s->value[step]);
    if (s->count)
        s->count[step]++;
    switch (op) {
    case TRACEQL_MIN_OVER_TIME: s->value[step] = first ? v : fmin(s->value[step], v); break;
    case TRACEQL_MAX_OVER_TIME: s->value[step] = first ? v : fmax(s->value[step], v); break;
    case TRACEQL_SUM_OVER_TIME:
    case TRACEQL_AVG_OVER_TIME: s->value[step] = first ? v : s->value[step] + v; break;
    default: break;
    }
}

static int add_span(struct traceql_worker *w, const struct traceql_rows *rows, size_t row)
{
    const struct traceql_metric *m = w->run->m->metric;
    struct traceql_value measured = {0};
    double value = 0, bucket = 0;
    bool added;
    size_t step;
    if (!traceql__step_of(w->run, rows->chunk->ts[row], &step))
        return 0;
    if (m->function == TRACEQL_COMPARE)
        return traceql__compare_add(w, rows, row, step);
    if (m->expr) {
        measured = traceql__eval(rows, m->expr, row);
        if (!traceql__number(measured, &value))
            return 0;
        if (measured.kind == TRACEQL_DURATION)
            value /= 1e9;
    }
    buf_clear(&w->key);
    for (size_t i = 0; i < m->by_count; i++) {
        w->values[i] = traceql__eval(rows, m->by[i], row);
        traceql__key_put(w->values[i], &w->key);
    }
    if (has_buckets(m->function)) {
        bucket = bucket_of(measured);
        buf_append(&w->key, &bucket, sizeof(bucket));
    }
    struct traceql_series *s = traceql__series(w, &added);
    if (!s)
        return traceql__no_room(w);
    if (added) {
        s->labels = labels_of(w, w->values, has_buckets(m->function) ? &bucket : NULL);
        if (has_buckets(m->function)) {
            s->bucket = bucket;
            s->group = labels_of(w, w->values, NULL);
        }
    }
    add_value(s, m->function, step, value);
    take_exemplar(w, rows, row, s, step, m->expr ? value : NAN);
    return 0;
}

/* --- threads --- */

static struct traceql_worker *take_worker(struct traceql_run *r)
{
    pthread_mutex_lock(&r->lock);
    struct traceql_worker *w = r->idle;
    if (w)
        r->idle = w->next;
    pthread_mutex_unlock(&r->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->run = r;
        w->ids = map_new();
        w->arena = arena_new(0, r->x->env->memory);
        w->scratch = arena_new(0, r->x->env->memory);
        w->values = mem_calloc(r->m->metric->by_count + 1, sizeof(*w->values));
    }
    return w;
}

static void give_worker(struct traceql_run *r, struct traceql_worker *w)
{
    pthread_mutex_lock(&r->lock);
    w->next = r->idle;
    r->idle = w;
    pthread_mutex_unlock(&r->lock);
}

static bool passes(const struct traceql_rows *rows, const struct traceql_pipeline *p, size_t row)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct traceql_stage *s = &p->stages[i];
        if (s->kind == TRACEQL_STAGE_SET && s->set->expr &&
            !traceql__is_true(traceql__eval(rows, s->set->expr, row)))
            return false;
    }
    return true;
}

static void read_morsel(void *ctx, size_t i)
{
    struct traceql_run *r = ctx;
    struct diag d;
    diag_init(&d);
    if (r->stop)
        return;
    struct traceql_worker *w = take_worker(r);
    uint64_t overruns = text_regex_overruns();
    int err = r->m->env->source->ops->morsel_read(r->cursor, i, &w->chunk, &d);
    if (err)
        fail(r, err, d.msg);
    const struct traceql_rows rows = {
        .query = r->m->query, .reads = &r->reads, .chunk = &w->chunk, .arena = w->scratch};
    for (size_t k = 0; !err && k < w->chunk.count; k++) {
        if (passes(&rows, r->m->metric->pipeline, k))
            err = add_span(w, &rows, k);
    }
    if (!err && (err = text_regex_check(overruns, "a regular expression of the query", &d)))
        fail(r, err, d.msg);
    arena_reset(w->scratch);
    give_worker(r, w);
}

static int read_rows(struct traceql_run *r, int64_t from_ns, int64_t to_ns)
{
    const struct traceql_env *env = r->m->env;
    struct task_pool *pool = r->x->env->pool;
    struct store_event_clause *clauses;
    struct store_event_stats stats;
    struct store_event_scan req = {.select = {.tenant = env->tenant,
                                              .t_min_ns = from_ns,
                                              .t_max_ns = to_ns,
                                              .limits = env->limits},
                                   .order = STORE_EVENT_OLDEST_FIRST,
                                   .fields = r->reads.fields,
                                   .field_count = r->reads.count,
                                   .children = r->reads.child_count > 0,
                                   .child_fields = r->reads.child_fields,
                                   .child_field_count = r->reads.child_count};
    traceql__pushdown(r->m->query, r->m->metric->pipeline, &clauses, &req.clause_count);
    req.clauses = clauses;
    int err = env->source->ops->scan(env->source, &req, &r->cursor, r->x->diag);
    if (err)
        return err;
    size_t count = env->source->ops->morsel_count(r->cursor);
    size_t width = pool ? MAX(pool->width, (size_t)1) : 1;
    if (width > 1 && count > 1)
        pool->parallel(pool, TASK_INTERACTIVE, count, width, read_morsel, r);
    for (size_t i = 0; !(width > 1 && count > 1) && i < count; i++)
        read_morsel(r, i);
    env->source->ops->cursor_stats(r->cursor, &stats);
    r->m->stats->spans += stats.rows_scanned;
    r->m->stats->bytes += stats.raw_bytes_scanned;
    env->source->ops->close(r->cursor);
    return 0;
}

static int read_traces(struct traceql_run *r, int64_t from_ns, int64_t to_ns)
{
    const struct traceql_metrics *m = r->m;
    struct traceql_worker *w = take_worker(r);
    struct traceql_candidates c;
    bool more;
    int err = traceql__candidates_open(&c, m->query, m->metric->pipeline, &r->reads, m->env,
                                       from_ns - CONTEXT_NS, to_ns + CONTEXT_NS, TRACES_AT_ONCE,
                                       m->stats, r->x->diag);
    while (!err && !(err = traceql__candidates_next(&c, &more)) && more) {
        struct traceql_spansets sets;
        err = traceql__run(&c.rows, m->metric->pipeline, &sets);
        for (size_t i = 0; !err && i < sets.count; i++) {
            for (size_t k = 0; !err && k < sets.items[i].count; k++)
                err = add_span(w, &c.rows, c.trace.first + sets.items[i].rows[k]);
        }
        if (err && !r->failed.code)
            (void)traceql__no_room(w);
    }
    traceql__candidates_close(&c);
    give_worker(r, w);
    return r->failed.code ? 0 : err; /* the words are in `failed` */
}

/* --- putting together --- */

static void merge_series(struct traceql_run *r, struct traceql_series *to,
                         const struct traceql_series *from)
{
    enum traceql_metric_op op = r->m->metric->function;
    for (size_t i = 0; to->count && i < r->steps; i++)
        to->count[i] += from->count[i];
    for (size_t i = 0; to->value && i < r->steps; i++) {
        double a = to->value[i], b = from->value[i];
        if (isnan(b))
            continue;
        to->value[i] = isnan(a)                      ? b
                       : op == TRACEQL_MIN_OVER_TIME ? fmin(a, b)
                       : op == TRACEQL_MAX_OVER_TIME ? fmax(a, b)
                                                     : a + b;
    }
}

static void merge_workers(struct traceql_run *r)
{
    struct traceql_worker *to = r->idle;
    for (struct traceql_worker *w = to ? to->next : NULL; w; w = w->next) {
        size_t pos = 0, *moved = mem_calloc(w->all.len + 1, sizeof(*moved));
        for (struct map_entry *e; (e = map_next(w->ids, &pos));) {
            bool added;
            size_t from = (size_t)e->value.u64;
            struct map_entry *there = map_put(to->ids, e->key, &added);
            if (added) {
                there->value.u64 = to->all.len;
                vec_push(&to->all, w->all.items[from]);
            } else {
                merge_series(r, &to->all.items[there->value.u64], &w->all.items[from]);
            }
            moved[from] = (size_t)there->value.u64;
        }
        for (size_t i = 0; i < w->exemplars.len; i++) {
            vec_push(&to->exemplars, w->exemplars.items[i]);
            vec_push(&to->exemplar_series, moved[w->exemplar_series.items[i]]);
        }
        mem_free(moved);
    }
}

static double value_at(const struct traceql_run *r, const struct traceql_series *s, size_t step)
{
    switch (r->m->metric->function) {
    case TRACEQL_RATE: return s->count[step] / ((double)r->step_ns / 1e9);
    case TRACEQL_AVG_OVER_TIME: return s->value[step] / s->count[step];
    default: return s->count ? s->count[step] : s->value[step];
    }
}

static int put_series(struct traceql_run *r, const struct traceql_series *s, struct query_grid *out)
{
    struct query_row *row = query__add_row(r->x, out, data_labels_copy(r->x->arena, s->labels));
    if (!row)
        return ERR_NOMEM;
    for (size_t i = 0; i < r->steps; i++) {
        double v = value_at(r, s, i);
        if (!isnan(v))
            query__put_float(row, i, v);
    }
    return 0;
}

static int by_group(const void *a, const void *b)
{
    const struct traceql_series *x = a, *y = b;
    int c = data_labels_cmp(x->group, y->group);
    return c ? c : (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

/* Within a bucket of (max / 2, max] values are as if spread evenly over its logarithms. */
static double quantile_at(const struct traceql_series *buckets, size_t count, size_t step, double q)
{
    double total = 0, before = 0;
    for (size_t i = 0; i < count; i++)
        total += buckets[i].count[step];
    if (total == 0)
        return NAN;
    for (size_t i = 0; i < count; i++) {
        double n = buckets[i].count[step];
        if (n > 0 && before + n >= total * q)
            return buckets[i].bucket / 2 * exp2((total * q - before) / n);
        before += n;
    }
    return buckets[count - 1].bucket;
}

static int put_quantiles(struct traceql_run *r, struct traceql_worker *w, struct query_grid *out)
{
    const struct traceql_metric *m = r->m->metric;
    struct traceql_series *all = arena_dup(w->arena, w->all.items, w->all.len * sizeof(*all));
    if (!all)
        return query__no_memory(r->x);
    if (w->all.len)
        qsort(all, w->all.len, sizeof(*all), by_group);
    for (size_t i = 0, end; i < w->all.len; i = end) {
        for (end = i + 1; end < w->all.len && data_labels_eq(all[i].group, all[end].group); end++) {
        }
        for (size_t k = 0; k < m->quantile_count; k++) {
            struct traceql_value p = {.kind = TRACEQL_FLOAT, .d = m->quantiles[k]};
            struct data_labels_builder b = {0};
            struct data_labels labels = {0};
            data_labels_builder_from(&b, all[i].group);
            data_labels_builder_set(&b, SLICE("p"), traceql__label_text(p, r->x->arena));
            (void)data_labels_builder_finish(&b, &labels, NULL);
            labels = data_labels_copy(r->x->arena, labels);
            data_labels_builder_deinit(&b);
            struct query_row *row = query__add_row(r->x, out, labels);
            if (!row)
                return ERR_NOMEM;
            for (size_t s = 0; s < r->steps; s++) {
                double v = quantile_at(all + i, end - i, s, m->quantiles[k]);
                if (!isnan(v))
                    query__put_float(row, s, v);
            }
        }
    }
    return 0;
}

static void put_exemplars(struct traceql_run *r, struct traceql_worker *w)
{
    struct traceql_exemplars *to = r->m->exemplars;
    if (!to || !to->max || !w->exemplars.len)
        return;
    if (!to->items)
        to->items = ARENA_ARRAY(r->x->arena, struct traceql_exemplar, to->max);
    /* All times have the same chance. */
    size_t n = MIN(w->exemplars.len, MAX(to->max / r->m->functions, (size_t)1));
    for (size_t i = 0; to->items && i < n && to->count < to->max; i++) {
        size_t at = i * w->exemplars.len / n, step;
        const struct traceql_series *s = &w->all.items[w->exemplar_series.items[at]];
        struct traceql_exemplar *e = &to->items[to->count++];
        bool named =
            s->labels.count == 1 && slice_eq_cstr(s->labels.items[0].name, DATA_METRIC_NAME);
        *e = w->exemplars.items[at];
        e->function = r->m->metric;
        if (r->m->metric->function == TRACEQL_QUANTILE_OVER_TIME)
            e->labels = data_labels_copy(r->x->arena, s->group);
        else if (!named)
            e->labels = data_labels_copy(r->x->arena, s->labels);
        if (isnan(e->value) && traceql__step_of(r, e->ts_ns, &step))
            e->value = value_at(r, s, step);
    }
}

/* Of all spans together there is a number in each step, even where none was found. */
static int put_zeros(struct traceql_run *r)
{
    const struct traceql_metric *m = r->m->metric;
    bool added;
    if (m->by_count || (m->function != TRACEQL_RATE && m->function != TRACEQL_COUNT_OVER_TIME))
        return 0;
    struct traceql_worker *w = take_worker(r);
    buf_clear(&w->key);
    struct traceql_series *s = traceql__series(w, &added);
    if (s && added)
        s->labels = labels_of(w, w->values, NULL);
    give_worker(r, w);
    return s ? 0 : traceql__no_room(w);
}

static int put_all(struct traceql_run *r, struct query_grid *out)
{
    struct traceql_worker *w = r->idle;
    int err = 0;
    if (!w)
        return 0;
    merge_workers(r);
    put_exemplars(r, w);
    if (r->m->metric->function == TRACEQL_QUANTILE_OVER_TIME)
        return put_quantiles(r, w, out);
    if (r->m->metric->function == TRACEQL_COMPARE)
        traceql__compare_cut(w);
    for (size_t i = 0; i < w->all.len && !err; i++)
        err = put_series(r, &w->all.items[i], out);
    return err;
}

static void free_workers(struct traceql_run *r)
{
    for (struct traceql_worker *w = r->idle, *next; w; w = next) {
        next = w->next;
        vec_free(&w->all);
        vec_free(&w->exemplars);
        vec_free(&w->exemplar_series);
        map_free(w->ids);
        buf_deinit(&w->key);
        mem_free(w->values);
        if (w->charged)
            budget_give(r->x->env->memory, w->charged);
        store_event_chunk_free(&w->chunk);
        arena_free(w->arena);
        arena_free(w->scratch);
        mem_free(w);
    }
}

bool traceql__is_plain(const struct traceql_metric *m, const struct traceql_reads *reads)
{
    for (size_t i = 0; i < m->pipeline->count; i++) {
        const struct traceql_stage *s = &m->pipeline->stages[i];
        if (!(s->kind == TRACEQL_STAGE_SELECT || s->kind == TRACEQL_STAGE_BY ||
              (s->kind == TRACEQL_STAGE_SET && s->set->kind == TRACEQL_SET_FILTER)))
            return false;
    }
    return !reads->trace;
}

/* Series of counts are 0 at each step without a span, if there is one at any step. */
static bool has_zeros(const struct traceql_metric *m)
{
    return m->function == TRACEQL_HISTOGRAM_OVER_TIME ||
           (m->by_count && (m->function == TRACEQL_RATE || m->function == TRACEQL_COUNT_OVER_TIME));
}

static int64_t range_min_ns(struct traceql_query *q, const struct traceql_metric *m)
{
    struct traceql_reads reads;
    if (m->kind == TRACEQL_METRIC_FUNCTION) {
        traceql__reads_make(q, &reads);
        return m->function == TRACEQL_COMPARE || (has_zeros(m) && m != q->metric) ? INT64_MAX
               : traceql__is_plain(m, &reads)                                     ? 0
                                                                                  : 6 * CONTEXT_NS;
    }
    int64_t a = m->a ? range_min_ns(q, m->a) : 0, b = m->b ? range_min_ns(q, m->b) : 0;
    return MAX(a, b);
}

int64_t traceql_range_min_ns(struct traceql_query *q, bool *out_zeros)
{
    *out_zeros = q->metric && q->metric->kind == TRACEQL_METRIC_FUNCTION && has_zeros(q->metric);
    return q->metric ? range_min_ns(q, q->metric) : INT64_MAX;
}

/* compare() looks at all that spans have: their fields are read behind the query's own. */
static int read_fields(struct traceql_run *r, int64_t from_ns, int64_t to_ns)
{
    enum { FIELDS_MAX = 500 };
    const struct traceql_env *env = r->m->env;
    const struct store_event_select select = {
        .tenant = env->tenant, .t_min_ns = from_ns, .t_max_ns = to_ns, .limits = env->limits};
    struct store_event_field_info *all;
    size_t count;
    int err = env->source->ops->fields(env->source, &select, r->x->arena, &all, &count, r->x->diag);
    if (err)
        return err;
    struct store_event_field *fields =
        ARENA_ARRAY(r->x->arena, struct store_event_field, r->reads.count + FIELDS_MAX);
    if (!fields)
        return query__no_memory(r->x);
    memcpy(fields, r->reads.fields, r->reads.count * sizeof(*fields));
    r->reads.fields = fields;
    r->fields = all;
    for (size_t i = 0; i < count && r->field_count < FIELDS_MAX; i++) {
        enum data_event_scope scope = all[i].scope;
        if (scope >= DATA_SCOPE_STREAM ||
            (scope == DATA_SCOPE_INTRINSIC && all[i].intrinsic != DATA_EVENT_NAME &&
             all[i].intrinsic != DATA_EVENT_KIND && all[i].intrinsic != DATA_EVENT_STATUS &&
             all[i].intrinsic != DATA_EVENT_STATUS_MESSAGE))
            continue;
        all[r->field_count++] = all[i];
        fields[r->reads.count++] =
            scope == DATA_SCOPE_INTRINSIC
                ? STORE_EVENT_INTRINSIC(all[i].intrinsic)
                : (struct store_event_field){.scopes = STORE_SCOPE_BIT(scope), .name = all[i].name};
    }
    return 0;
}

int traceql__metrics_eval(const struct query_rows *rows, struct query_exec *x,
                          struct query_grid *out)
{
    const struct traceql_metrics *m = (const struct traceql_metrics *)rows;
    struct traceql_run r = {.m = m, .x = x, .steps = x->step_count};
    int64_t last, from;
    r.step_ns =
        x->steps.instant || x->step_count < 2 ? MAX(m->range_ns, (int64_t)1) : x->steps.step_ns;
    r.first_ns = query__step_ns(x, 0);
    if (__builtin_mul_overflow((int64_t)(r.steps - 1), r.step_ns, &last) ||
        __builtin_add_overflow(r.first_ns, last, &last) ||
        __builtin_sub_overflow(r.first_ns, r.step_ns, &from) || from < INT64_MIN / 2 ||
        last > INT64_MAX / 2)
        return 0; /* no span is that far away */
    pthread_mutex_init(&r.lock, NULL);
    diag_init(&r.failed);
    traceql__reads_make(m->query, &r.reads);
    int err = m->metric->function == TRACEQL_COMPARE ? read_fields(&r, from + 1, last) : 0;
    if (!err)
        err = traceql__is_plain(m->metric, &r.reads) ? read_rows(&r, from + 1, last)
                                                     : read_traces(&r, from + 1, last);
    if (!err && !r.failed.code)
        err = put_zeros(&r);
    if (r.failed.code)
        err = diag_set(x->diag, r.failed.code, "%s", r.failed.msg);
    if (!err)
        err = query__check(x);
    if (!err)
        err = put_all(&r, out);
    free_workers(&r);
    pthread_mutex_destroy(&r.lock);
    return err;
}

void traceql__metrics_explain(const struct query_rows *rows, struct buf *out)
{
    const struct traceql_metrics *m = (const struct traceql_metrics *)rows;
    struct traceql_reads reads;
    struct store_event_clause *clauses;
    size_t count;
    traceql__reads_make(m->query, &reads);
    traceql__pushdown(m->query, m->metric->pipeline, &clauses, &count);
    buf_printf(out, "TraceSpans %s %s predicates=%zu fields=%zu ",
               traceql__metric_names[m->metric->function],
               traceql__is_plain(m->metric, &reads) ? "span by span" : "trace by trace", count,
               reads.count);
    traceql__print_pipeline(m->query, m->metric->pipeline, out);
}
