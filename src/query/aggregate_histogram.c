#include "query/aggregate_histogram.h"

#include <math.h>

static bool overflows(const struct data_histogram_sum *s)
{
    return isinf(s->sum.sum) || isinf(s->count.sum);
}

void query__total_add(struct query_histogram_total *t, const struct data_histogram *h)
{
    t->count++;
    t->reset_seen |= h->reset_hint == DATA_RESET_YES;
    t->no_reset_seen |= h->reset_hint == DATA_RESET_NO;
    if (t->incompatible)
        return;
    /* An average goes on as a running mean where a plain sum would overflow. */
    if (!t->incremental && t->sum.started && !isinf(h->sum) && !isinf(h->count) &&
        (isinf(t->sum.sum.sum + h->sum) || isinf(t->sum.count.sum + h->count)) &&
        !overflows(&t->sum)) {
        t->incremental = true;
        struct arena *arena = arena_new(0, NULL);
        const struct data_histogram *so_far = data_histogram_sum_finish(&t->sum, arena);
        data_histogram_sum_start(&t->mean, so_far);
        data_histogram_sum_divide(&t->mean, (double)(t->count - 1));
        arena_free(arena);
    }
    if (data_histogram_sum_add(&t->sum, h, 1, &t->flags)) {
        t->incompatible = true;
        return;
    }
    if (t->incremental) {
        double n = (double)t->count;
        struct data_histogram_sum one = {0};
        struct arena *arena = arena_new(0, NULL);
        data_histogram_sum_start(&one, h);
        data_histogram_sum_divide(&one, n);
        data_histogram_sum_scale(&t->mean, (n - 1) / n);
        data_histogram_sum_add(&t->mean, data_histogram_sum_finish(&one, arena), 1, NULL);
        data_histogram_sum_free(&one);
        arena_free(arena);
    }
}

void query__total_tell(const struct query_histogram_total *t, struct query_exec *x,
                       const struct query_node *at)
{
    if (t->reset_seen && t->no_reset_seen)
        query__warn(x, at, "conflicting counter resets during histogram aggregation");
    if (t->flags & DATA_HISTOGRAM_RECONCILED)
        query__info(x, at, "mismatched custom buckets were reconciled during aggregation");
}

const struct data_histogram *query__total_finish(struct query_histogram_total *t, bool average,
                                                 struct arena *arena)
{
    if (average && t->incremental)
        return data_histogram_sum_finish(&t->mean, arena);
    if (average)
        data_histogram_sum_divide(&t->sum, (double)t->count);
    return data_histogram_sum_finish(&t->sum, arena);
}

int query__total_put(struct query_histogram_total *t, struct query_exec *x,
                     const struct query_node *n, size_t step, struct query_row *row)
{
    query__total_tell(t, x, n->args[0]);
    if (t->incompatible)
        return 0;
    return query__put_histogram(x, row, step,
                                query__total_finish(t, n->aggregate == QUERY_AVG, x->arena));
}

size_t query__total_bytes(const struct query_histogram_total *t)
{
    return data_histogram_sum_bytes(&t->sum) + data_histogram_sum_bytes(&t->mean);
}

void query__tell_misfit(struct query_exec *x, const struct query_node *n, struct slice metric)
{
    query__warn(x, n->args[0],
                "vector contains a mix of histograms with exponential and custom buckets "
                "schemas%s%.*s%s",
                metric.len ? " for metric name \"" : "", SLICE_FMT(metric), metric.len ? "\"" : "");
}

void query__tell_mixed_group(struct query_exec *x, const struct query_node *n)
{
    query__warn(x, n->args[0], "encountered a mix of histograms and floats for aggregation");
}

void query__tell_left_out(struct query_exec *x, const struct query_node *n)
{
    static const char *const names[] = {
        "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
        "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
    query__info(x, n->args[0], "ignored histogram in %s aggregation", names[n->aggregate]);
}

void query__total_free(struct query_histogram_total *t)
{
    data_histogram_sum_free(&t->sum);
    data_histogram_sum_free(&t->mean);
}
