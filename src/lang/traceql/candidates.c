#include "lang/traceql/candidates.h"

#include "base/budget.h"

#define BATCH_MOST 1000 /* traces at once */
#define SPANS_FEW  32768
#define SPANS_MANY 131072
#define SEEN_BYTES 96 /* of an id in the map */

/* A trace may have begun so long before, or go on so long after, the span that was looked for. */
#define TRACE_SPREAD_NS ((int64_t)6 * 3600 * NS_PER_SEC)

static int64_t clamp_add(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_add_overflow(a, b, &out) ? (b < 0 ? INT64_MIN : INT64_MAX) : out;
}

int traceql__candidates_open(struct traceql_candidates *c, struct traceql_query *q,
                             const struct traceql_pipeline *p, const struct traceql_reads *reads,
                             const struct traceql_env *env, int64_t start_ns, int64_t end_ns,
                             size_t batch_max, struct traceql_stats *stats, struct diag *diag)
{
    static const struct store_event_field trace_id = {
        .scopes = STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC), .intrinsic = DATA_EVENT_TRACE_ID};
    struct store_event_clause *clauses;
    *c = (struct traceql_candidates){.env = env,
                                     .query = q,
                                     .reads = *reads,
                                     .stats = stats,
                                     .diag = diag,
                                     .batch_max = batch_max,
                                     .seen = map_new()};
    c->scan = (struct store_event_scan){.select = {.tenant = env->tenant,
                                                   .t_min_ns = start_ns,
                                                   .t_max_ns = end_ns,
                                                   .limits = env->limits},
                                        .order = STORE_EVENT_NEWEST_FIRST,
                                        .fields = &trace_id,
                                        .field_count = 1,
                                        .pool = env->pool};
    traceql__pushdown(q, p, &clauses, &c->scan.clause_count);
    c->scan.clauses = clauses;
    c->load = c->scan;
    c->load.select.t_min_ns = clamp_add(start_ns, -TRACE_SPREAD_NS);
    c->load.select.t_max_ns = clamp_add(end_ns, TRACE_SPREAD_NS);
    c->load.clause_count = 0;
    c->load.fields = reads->fields;
    c->load.field_count = reads->count;
    c->load.children = reads->child_count > 0;
    c->load.child_fields = reads->child_fields;
    c->load.child_field_count = reads->child_count;
    return env->source->ops->scan(env->source, &c->scan, &c->cursor, diag);
}

bool traceql__charge(struct traceql_candidates *c, int64_t bytes)
{
    if (c->env->limits.memory && !budget_take(c->env->limits.memory, bytes))
        return false;
    c->charged += bytes;
    return true;
}

/* Ids of traces that were not looked at yet, a batch of them. */
static int gather(struct traceql_candidates *c)
{
    const struct store_event_ops *ops = c->env->source->ops;
    vec_clear(&c->ids);
    while (!c->at_end && c->ids.len / 16 < c->batch_max) {
        if (c->next_found == c->found.count) {
            int err = ops->next(c->cursor, &c->found, c->diag);
            if (err)
                return err;
            c->next_found = 0;
            c->at_end = !c->found.count;
            continue;
        }
        struct data_value id = c->found.columns[0].values[c->next_found++];
        bool added;
        if (id.kind != DATA_VALUE_BYTES || id.text.len != 16)
            continue;
        (void)map_put(c->seen, id.text, &added);
        if (!added)
            continue;
        if (!traceql__charge(c, SEEN_BYTES))
            return diag_set(c->diag, ERR_NOMEM,
                            "the query needs more memory than it may use (limits.query.memory)");
        for (size_t i = 0; i < 16; i++)
            vec_push(&c->ids, id.text.ptr[i]);
    }
    return 0;
}

static int load(struct traceql_candidates *c)
{
    int err = gather(c);
    if (err || !c->ids.len)
        return err;
    vec_clear(&c->batch);
    for (size_t i = 0; i < c->ids.len; i += 16)
        vec_push(&c->batch, slice_make(c->ids.items + i, 16));
    err = c->env->source->ops->traces(c->env->source, c->batch.items, c->batch.len, &c->load,
                                      &c->traces, c->diag);
    if (err)
        return err;
    arena_free(c->rows.arena);
    c->rows = (struct traceql_rows){.query = c->query,
                                    .reads = &c->reads,
                                    .chunk = &c->traces,
                                    .offset = 3,
                                    .trace = &c->trace,
                                    .arena = arena_new(0, c->env->limits.memory)};
    c->next_row = 0;
    /* Where many have to be looked at, each time opens the same groups again. */
    if (c->traces.count < SPANS_FEW)
        c->batch_max = MIN(2 * c->batch_max, (size_t)BATCH_MOST);
    else if (c->traces.count > SPANS_MANY)
        c->batch_max = MAX(c->batch_max / 2, (size_t)1);
    c->stats->traces += c->batch.len;
    c->stats->spans += c->traces.count;
    return 0;
}

int traceql__candidates_next(struct traceql_candidates *c, bool *out)
{
    *out = false;
    while (c->next_row >= c->traces.count) {
        int err = load(c);
        if (err)
            return err;
        if (!c->ids.len)
            return 0;
    }
    const struct data_value *id = c->traces.columns[0].values;
    size_t first = c->next_row, end = first + 1;
    while (end < c->traces.count && slice_eq(id[end].text, id[first].text))
        end++;
    c->next_row = end;
    traceql__trace_make(&c->rows, first, end - first, c->rows.arena, &c->trace);
    if (!c->trace.parent)
        return diag_set(c->diag, ERR_NOMEM,
                        "the query needs more memory than it may use (limits.query.memory)");
    *out = true;
    return 0;
}

void traceql__candidates_stats(const struct traceql_candidates *c, struct traceql_stats *out)
{
    struct store_event_stats s = {0};
    *out = *c->stats;
    if (!c->cursor)
        return;
    c->env->source->ops->cursor_stats(c->cursor, &s);
    out->bytes += s.raw_bytes_scanned;
    out->spans += s.rows_scanned;
    out->pieces = s.groups;
    out->pieces_done = s.groups - MIN(s.skipped_by_limit, s.groups);
}

void traceql__candidates_close(struct traceql_candidates *c)
{
    if (c->stats)
        traceql__candidates_stats(c, c->stats);
    if (c->cursor)
        c->env->source->ops->close(c->cursor);
    store_event_chunk_free(&c->found);
    store_event_chunk_free(&c->traces);
    arena_free(c->rows.arena);
    map_free(c->seen);
    if (c->charged)
        budget_give(c->env->limits.memory, c->charged);
    vec_free(&c->ids);
    vec_free(&c->batch);
    memset(c, 0, sizeof(*c));
}
