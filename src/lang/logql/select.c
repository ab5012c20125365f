/* Log queries: rows of a scan in order, through the pipeline, gathered by stream. */
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "lang/logql/parallel.h"
#include "lang/logql/refine.h"
#include "lang/logql/run.h"
#include "text/regex.h"

#define ORDERED_CHUNKS 2 /* read before all threads are asked */

struct gather {
    const struct logql_select *select;
    struct arena *arena;
    struct map *ids; /* encoded labels -> index of streams */
    VEC(struct logql_stream) streams;
    VEC(size_t) room; /* of each stream's entries */
    struct buf key;
    int64_t last_ns;
    uint64_t taken;
    struct logql_partial *partial; /* may be NULL */
    struct diag *diag;
};

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the query needs more memory than limits.query.memory allows");
}

/* How far it was read. */
static void mark_edge(struct gather *g, int64_t ts_ns)
{
    if (g->partial) {
        g->partial->has_edge = true;
        g->partial->edge_ns = ts_ns;
    }
}

static bool is_own(const struct gather *g, const struct logql_label *l)
{
    return !g->select->categorize || l->category == LOGQL_STREAM;
}

/* The stream that a line belongs to. */
static int stream_of(struct gather *g, const struct logql_kept *l, size_t *out)
{
    size_t own = 0;
    bool added;
    buf_clear(&g->key);
    for (size_t i = 0; i < l->label_count; i++) {
        const struct logql_label *label = &l->labels[i];
        if (!is_own(g, label))
            continue;
        own++;
        uint32_t lengths[2] = {(uint32_t)label->name.len, (uint32_t)label->value.len};
        buf_append(&g->key, lengths, sizeof(lengths));
        buf_append_slice(&g->key, label->name);
        buf_append_slice(&g->key, label->value);
    }
    struct map_entry *e = map_put(g->ids, buf_slice(&g->key), &added);
    if (added) {
        struct data_label *items = ARENA_ARRAY(g->arena, struct data_label, own);
        size_t n = 0;
        for (size_t i = 0; items && i < l->label_count; i++) {
            const struct logql_label *label = &l->labels[i];
            if (!is_own(g, label))
                continue;
            items[n] = (struct data_label){arena_slice(g->arena, label->name),
                                           arena_slice(g->arena, label->value)};
            if (!items[n].name.ptr || !items[n].value.ptr)
                return no_memory(g->diag);
            n++;
        }
        if (!items)
            return no_memory(g->diag);
        e->value.u64 = g->streams.len;
        vec_push(&g->streams, ((struct logql_stream){.labels = {items, own}}));
        vec_push(&g->room, (size_t)0);
    }
    *out = (size_t)e->value.u64;
    return 0;
}

static int add_line(struct gather *g, const struct logql_kept *l)
{
    size_t id, others = 0;
    int err = stream_of(g, l, &id);
    if (err)
        return err;
    struct logql_stream *s = &g->streams.items[id];
    if (s->count == g->room.items[id]) {
        size_t room = MAX(2 * s->count, (size_t)8);
        struct logql_entry *more = ARENA_ARRAY(g->arena, struct logql_entry, room);
        if (!more)
            return no_memory(g->diag);
        if (s->count)
            memcpy(more, s->entries, s->count * sizeof(*more));
        s->entries = more;
        g->room.items[id] = room;
    }
    struct logql_entry *e = &s->entries[s->count];
    *e = (struct logql_entry){.ts_ns = l->ts_ns, .line = arena_slice(g->arena, l->line)};
    if (!e->line.ptr)
        return no_memory(g->diag);
    if (!g->select->categorize) {
        s->count++;
        return 0;
    }
    for (size_t i = 0; i < l->label_count; i++)
        others += !is_own(g, &l->labels[i]);
    struct logql_label *labels = ARENA_ARRAY(g->arena, struct logql_label, others);
    if (!labels)
        return no_memory(g->diag);
    for (size_t i = 0; i < l->label_count; i++) {
        const struct logql_label *label = &l->labels[i];
        if (!is_own(g, label))
            labels[e->label_count++] =
                (struct logql_label){arena_slice(g->arena, label->name),
                                     arena_slice(g->arena, label->value), label->category};
    }
    e->labels = labels;
    s->count++;
    return 0;
}

/* Whether the line is far enough from the one before. */
static bool is_due(struct gather *g, int64_t ts_ns)
{
    int64_t interval = g->select->interval_ns, gap;
    if (interval && g->taken) {
        bool far = g->select->forward ? __builtin_sub_overflow(ts_ns, g->last_ns, &gap)
                                      : __builtin_sub_overflow(g->last_ns, ts_ns, &gap);
        if (!far && gap < interval)
            return false;
    }
    g->last_ns = ts_ns;
    g->taken++;
    return true;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct logql_stream *)a)->labels,
                           ((const struct logql_stream *)b)->labels);
}

/* *out_more: so many chunks were read, and there may be more lines. */
static int read_ordered(struct gather *g, struct logql_rows *rows,
                        struct store_event_source *source, struct store_event_cursor *cursor,
                        size_t chunks_max, bool *out_more)
{
    uint64_t limit = g->select->limit;
    struct store_event_chunk chunk = {0};
    int err = 0;
    *out_more = false;
    for (size_t n = 0;; n++) {
        if (n == chunks_max) {
            *out_more = true;
            break;
        }
        err = source->ops->next(cursor, &chunk, g->diag);
        if (err || !chunk.count)
            break;
        logql_rows_chunk(rows, &chunk);
        mark_edge(g, chunk.ts[chunk.count - 1]);
        for (size_t i = 0; i < chunk.count && !err && !(limit && g->taken == limit); i++) {
            if (!logql_rows_run(rows, i) || !is_due(g, rows->line.ts_ns))
                continue;
            logql_line_finish(&rows->line);
            const struct logql_kept kept = {.ts_ns = rows->line.ts_ns,
                                            .line = rows->line.text,
                                            .labels = rows->line.labels.items,
                                            .label_count = rows->line.labels.len};
            err = add_line(g, &kept);
            if (err)
                mark_edge(g, kept.ts_ns);
        }
        if (err || (limit && g->taken == limit))
            break;
    }
    store_event_chunk_free(&chunk);
    return err;
}

/* Streams whose only line found no memory. */
static void drop_empty(struct gather *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->streams.len; i++) {
        if (g->streams.items[i].count)
            g->streams.items[n++] = g->streams.items[i];
    }
    g->streams.len = n;
}

static int take_kept(void *ctx, const struct logql_kept *kept, bool *out_enough)
{
    struct gather *g = ctx;
    int err = add_line(g, kept);
    if (err) {
        mark_edge(g, kept->ts_ns);
        return err;
    }
    g->taken++;
    *out_enough = g->taken == g->select->limit;
    return 0;
}

static void forget(struct gather *g)
{
    map_free(g->ids);
    g->ids = map_new();
    vec_clear(&g->streams);
    vec_clear(&g->room);
    g->taken = 0;
    if (g->partial)
        g->partial->has_edge = false;
}

/* What is in reach is read row by row; where that is not enough and stages cost, on all threads. */
static int read_all(struct gather *g, struct logql_rows *rows, struct logql_refiner *refiner,
                    const struct logql_env *env, struct store_event_scan *scan,
                    struct store_event_stats *stats)
{
    const struct store_event_ops *ops = env->source->ops;
    bool parallel = env->pool && env->pool->width > 1 && rows->pipeline->step_count &&
                    !g->select->interval_ns && !g->select->after_position;
    struct store_event_cursor *cursor;
    bool more;
    int err = ops->scan(env->source, scan, &cursor, g->diag);
    if (err)
        return err;
    err = read_ordered(g, rows, env->source, cursor, parallel ? ORDERED_CHUNKS : SIZE_MAX, &more);
    ops->cursor_stats(cursor, stats);
    ops->close(cursor);
    if (err || !more)
        return err;
    forget(g);
    if (scan->refine)
        logql_refiner_reset(refiner);
    struct logql_parallel p = {.env = env,
                               .pipeline = rows->pipeline,
                               .scan = scan,
                               .limit = g->select->limit,
                               .take = take_kept,
                               .ctx = g};
    return logql__read_parallel(&p, stats, g->diag);
}

int logql_select_run(const struct logql_expr *expr, const struct logql_select *select,
                     const struct logql_env *env, struct arena *arena, struct logql_streams *out,
                     struct diag *diag)
{
    const struct logql_pipeline_options options = {.all_labels = true};
    struct diag failed;
    struct gather g = {.select = select,
                       .arena = arena,
                       .partial = env->partial,
                       .diag = &failed,
                       .ids = map_new()};
    diag_init(&failed);
    struct logql_pipeline *pipeline, *probe = NULL;
    struct logql_rows rows = {0};
    struct logql_refiner refiner = {0};
    struct arena *plans = arena_new(0, NULL); /* as small as the query is */
    uint64_t overruns = text_regex_overruns();
    *out = (struct logql_streams){0};
    int err = logql_pipeline_new(expr, NULL, &options, plans, &pipeline, &failed);
    if (err)
        goto done;
    logql_rows_init(&rows, pipeline, env->now_ns);
    if (logql_pipeline_is_picky(pipeline)) {
        const struct logql_pipeline_options drops = {.counts = true, .only_drops = true};
        err = logql_pipeline_new(expr, NULL, &drops, plans, &probe, &failed);
        if (err)
            goto done;
        if (!probe->all_labels)
            logql_refiner_init(&refiner, probe, env->now_ns);
    }
    struct store_event_scan scan = {
        .select = {.tenant = env->tenant,
                   .t_min_ns = select->start_ns,
                   .t_max_ns = select->end_ns - (select->end_ns != INT64_MAX),
                   .matchers = expr->matchers,
                   .matcher_count = expr->matcher_count,
                   .limits = env->limits},
        .order = select->forward ? STORE_EVENT_OLDEST_FIRST : STORE_EVENT_NEWEST_FIRST,
        .after_position = select->after_position,
        .pool = env->pool,
        .refine = refiner.probe ? &refiner.scan : NULL};
    logql_rows_scan(pipeline, &scan);
    /* Lines that the pipeline may drop have to be made up for. */
    if (!select->interval_ns && !pipeline->step_count)
        scan.limit = select->limit;
    if (scan.select.t_min_ns > scan.select.t_max_ns)
        goto done;
    int64_t reserved = logql__partial_reserve(env->partial, env->limits.memory);
    err = read_all(&g, &rows, &refiner, env, &scan, &out->stats.scan);
    logql__partial_release(env->limits.memory, reserved);
    if (logql__partial_takes(env->partial, err)) {
        env->partial->lines = true;
        env->partial->forward = select->forward;
        logql__partial_cut(env->partial, &failed);
        drop_empty(&g);
        diag_init(&failed);
        err = 0;
    }
    if (!err)
        err = text_regex_check(overruns, "a regular expression of the query", &failed);
    out->streams = arena_dup(arena, g.streams.items, g.streams.len * sizeof(*g.streams.items));
    if (!err && !out->streams)
        err = no_memory(&failed);
    out->count = err ? 0 : g.streams.len;
    for (size_t i = 0; i < out->count; i++)
        out->entry_count += out->streams[i].count;
    out->stats.lines_returned = out->entry_count;
    if (out->count)
        qsort(out->streams, out->count, sizeof(*out->streams), by_labels);
done:
    if (err && diag && !diag->code)
        *diag = failed;
    if (rows.arena)
        logql_rows_deinit(&rows);
    if (refiner.probe)
        logql_refiner_deinit(&refiner);
    map_free(g.ids);
    vec_free(&g.streams);
    vec_free(&g.room);
    buf_deinit(&g.key);
    arena_free(plans);
    return err;
}

int logql_select_explain(const struct logql_expr *expr, struct arena *arena, struct buf *out,
                         struct diag *diag)
{
    const struct logql_pipeline_options options = {.all_labels = true};
    struct logql_pipeline *p;
    int err = logql_pipeline_new(expr, NULL, &options, arena, &p, diag);
    if (err)
        return err;
    buf_printf(out, "LogScan predicates=%zu stages=%zu fields=all%s ", p->clause_count,
               p->step_count, logql_pipeline_is_picky(p) ? " filters-first" : "");
    logql_print(expr, out);
    buf_append_char(out, '\n');
    return 0;
}
