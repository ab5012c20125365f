/* Running a plan: nodes to grids, the last grid to a result. */
#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "query/functions.h"
#include "query/shared.h"

/* A function of numbers over all values of its argument, in place; histograms have none. */
static int eval_math(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    int err = query__eval(x, n->args[0], out);
    for (size_t i = 0; i < out->count && !err; i++) {
        struct query_row *row = &out->rows[i];
        if (!x->plan->delayed_name_removal)
            row->labels = query__drop_name(x, row->labels);
        row->drop_name = true;
        for (size_t s = 0; s < x->step_count; s++) {
            if (row->has[s] && row->histogram && row->histogram[s])
                row->has[s] = 0;
            else if (row->has[s])
                row->value[s] = n->function->math(row->value[s]);
        }
        row->histogram = NULL;
    }
    return err || x->plan->delayed_name_removal ? err : query__merge_same(x, out);
}

static int eval_call(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    if (n->function->math)
        return eval_math(x, n, out);
    struct query_grid *args = ARENA_ARRAY(x->arena, struct query_grid, n->arg_count + 1);
    int err = args ? 0 : query__no_memory(x);
    size_t count = n->function->joins_info ? 1 : n->arg_count;
    for (size_t i = 0; i < count && !err; i++)
        err = query__eval_operand(x, n->args[i], &args[i]);
    if (!err)
        err = n->function->call(x, n, args, out);
    for (size_t i = 0; i < count && args; i++)
        query__grid_free(&args[i]);
    return err;
}

static int eval_node(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    int err = query__check(x);
    if (err)
        return err;
    switch (n->op) {
    case QUERY_NUMBER: {
        double *row = query__add_scalar(x, out);
        for (size_t s = 0; row && s < x->step_count; s++)
            row[s] = n->number;
        return row ? 0 : ERR_NOMEM;
    }
    case QUERY_TEXT: out->text = n->text; return 0;
    case QUERY_INSTANT: return query__eval_instant(x, n, out);
    case QUERY_WINDOW: return query__eval_window(x, n, out);
    case QUERY_CALL: return eval_call(x, n, out);
    case QUERY_AGGREGATE: return query__eval_aggregate(x, n, out);
    case QUERY_BINARY: return query__eval_binary(x, n, out);
    case QUERY_ROWS: return n->rows->eval(n->rows, x, out);
    }
    return 0;
}

int query__eval(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    int err = eval_node(x, n, out);
    if (!x->starved)
        return err;
    diag_init(x->diag); /* what went wrong after that has no other cause */
    return query__no_memory(x);
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct query_series *)a)->labels,
                           ((const struct query_series *)b)->labels);
}

static int to_series(struct query_exec *x, struct query_grid *g, struct query_result *out)
{
    out->series = ARENA_ARRAY(x->arena, struct query_series, g->count);
    if (!out->series)
        return query__no_memory(x);
    for (size_t i = 0; i < g->count; i++) {
        const struct query_row *row = &g->rows[i];
        size_t count = 0, first = 0, end = x->step_count;
        for (size_t s = 0; s < x->step_count; s++)
            count += row->has[s];
        if (!count)
            continue;
        while (!row->has[first])
            first++;
        while (!row->has[end - 1])
            end--;
        /* The row's own columns are the answer's: what is large is never there twice. */
        struct query_series one = {.labels = data_labels_copy(x->arena, row->labels),
                                   .count = count,
                                   .value = row->value + first,
                                   .histogram = row->histogram ? row->histogram + first : NULL,
                                   .start_ns = query__step_ns(x, first),
                                   .step_ns = x->steps.step_ns};
        if (row->labels.count && !one.labels.items)
            return query__no_memory(x);
        if (end - first > count) {
            uint32_t *at = arena_alloc(x->arena, count * sizeof(*at));
            if (!at)
                return query__no_memory(x);
            for (size_t s = first, n = 0; s < end; s++) {
                if (row->has[s])
                    at[n++] = (uint32_t)(s - first);
            }
            one.at = at;
        }
        out->series[out->series_count++] = one;
    }
    return 0;
}

static int finish(struct query_exec *x, struct query_grid *g, struct query_result *out)
{
    const struct query_plan *plan = x->plan;
    int err = 0;
    if (plan->delayed_name_removal) {
        for (size_t i = 0; i < g->count; i++) {
            if (g->rows[i].drop_name)
                g->rows[i].labels = query__drop_name(x, g->rows[i].labels);
        }
        err = query__merge_same(x, g);
    }
    out->kind = plan->steps.instant ? plan->kind : QUERY_MATRIX;
    if (err)
        return err;
    if (out->kind == QUERY_STRING) {
        out->string = g->text;
        out->scalar.ts_ns = plan->steps.start_ns;
        return 0;
    }
    if (out->kind == QUERY_SCALAR) {
        out->scalar = (struct query_point){plan->steps.start_ns, g->rows[0].value[0], NULL};
        return 0;
    }
    err = to_series(x, g, out);
    if (!err && out->kind == QUERY_MATRIX && out->series_count)
        qsort(out->series, out->series_count, sizeof(*out->series), by_labels);
    return err;
}

int query_run(const struct query_plan *plan, const struct query_env *env, struct arena *arena,
              struct query_result *out, struct diag *diag)
{
    struct diag own;
    diag_init(&own);
    struct query_exec x = {
        .plan = plan, .env = env, .arena = arena, .diag = diag ? diag : &own, .steps = plan->steps};
    struct query_grid g = {0};
    int err;
    *out = (struct query_result){0};
    x.step_count =
        plan->steps.instant
            ? 1
            : (size_t)((plan->steps.end_ns - plan->steps.start_ns) / plan->steps.step_ns) + 1;
    if (plan->raw_samples) {
        err = query__raw_samples(&x, plan->root, out);
        out->kind = QUERY_MATRIX;
        if (!err && out->series_count)
            qsort(out->series, out->series_count, sizeof(*out->series), by_labels);
    } else {
        err = query__eval(&x, plan->root, &g);
        if (!err)
            err = finish(&x, &g, out);
        if (!err && x.starved)
            err = query__no_memory(&x);
    }
    out->warnings = arena_dup(arena, x.warnings.items, x.warnings.len * sizeof(*x.warnings.items));
    out->infos = arena_dup(arena, x.infos.items, x.infos.len * sizeof(*x.infos.items));
    out->warning_count = out->warnings ? x.warnings.len : 0;
    out->info_count = out->infos ? x.infos.len : 0;
    out->stats = x.stats;
    for (size_t i = 0; i < x.selections.len; i++)
        env->source->ops->selection_free(x.selections.items[i]);
    query__shared_release(&x);
    vec_free(&x.selections);
    vec_free(&x.made);
    vec_free(&x.warnings);
    vec_free(&x.infos);
    return err;
}

/* --- explain --- */

static void explain_selector(const struct query_node *n, struct buf *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    buf_append_char(out, '{');
    for (size_t i = 0; i < n->selector.matcher_count; i++) {
        const struct store_matcher *m = &n->selector.matchers[i];
        buf_printf(out, "%s%.*s%s\"%.*s\"", i ? ", " : "", SLICE_FMT(m->name), ops[m->op],
                   SLICE_FMT(m->value));
    }
    buf_append_char(out, '}');
    if (n->selector.offset_ns)
        buf_printf(out, " offset=%gs", query__seconds(n->selector.offset_ns));
    if (n->selector.has_at)
        buf_printf(out, " at=%.3f", query__seconds(n->selector.at_ns));
}

static void explain_node(const struct query_node *n, unsigned depth, struct buf *out)
{
    static const char *const binary[] = {"+",  "-",   "*",  "/",      "%", "^",  "atan2",
                                         "==", "!=",  "<",  "<=",     ">", ">=", "</",
                                         ">/", "and", "or", "unless", "/"};
    static const char *const aggregates[] = {
        "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
        "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
    buf_printf(out, "%*s", (int)depth * 2, "");
    switch (n->op) {
    case QUERY_NUMBER: buf_printf(out, "Number %.17g", n->number); break;
    case QUERY_TEXT: buf_printf(out, "Text \"%.*s\"", SLICE_FMT(n->text)); break;
    case QUERY_INSTANT:
        buf_append_cstr(out, "ScanInstant ");
        explain_selector(n, out);
        buf_printf(out, " lookback=%gs", query__seconds(n->selector.lookback_ns));
        break;
    case QUERY_WINDOW:
        buf_printf(out, "Window %s range=%gs ", n->function->name, query__seconds(n->range_ns));
        if (n->subquery)
            buf_printf(out, "over subquery step=%gs", query__seconds(n->inner_step_ns));
        else
            explain_selector(n, out);
        if (n->each_count)
            buf_printf(out, " each=%zu", n->each_count);
        break;
    case QUERY_CALL: buf_printf(out, "Call %s", n->function->name); break;
    case QUERY_ROWS: n->rows->explain(n->rows, out); break;
    case QUERY_AGGREGATE:
        buf_printf(out, "Aggregate %s %s(", aggregates[n->aggregate],
                   n->without ? "without" : "by");
        for (size_t i = 0; i < n->grouping_count; i++)
            buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_FMT(n->grouping[i]));
        buf_append_cstr(out, n->by_view ? "paths)" : ")");
        break;
    case QUERY_BINARY:
        buf_printf(out, "Binary %s%s", binary[n->binary], n->return_bool ? " bool" : "");
        if (n->on || n->matching_count) {
            buf_printf(out, " %s(", n->on ? "on" : "ignoring");
            for (size_t i = 0; i < n->matching_count; i++)
                buf_printf(out, "%s%.*s", i ? ", " : "", SLICE_FMT(n->matching[i]));
            buf_append_char(out, ')');
        }
        break;
    }
    buf_append_char(out, '\n');
    for (size_t i = 0; i < n->arg_count; i++) {
        if (n->op != QUERY_WINDOW || n->subquery || i)
            explain_node(n->args[i], depth + 1, out);
    }
}

void query_explain(const struct query_plan *plan, struct buf *out)
{
    if (plan->raw_samples)
        buf_append_cstr(out, "RawSamples\n");
    explain_node(plan->root, plan->raw_samples, out);
}
