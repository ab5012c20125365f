/* Selectors: series are resolved once, then read one by one; rows of steps come out. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/histogram_math.h"
#include "query/functions.h"
#include "query/window.h"

#define CHECK_EVERY 64

/* The instants T of a selector: one for all steps when it is pinned by @. */
static int64_t time_at(const struct query_exec *x, const struct query_selector *sel, size_t step)
{
    int64_t t = sel->has_at ? sel->at_ns : query__step_ns(x, step);
    int64_t out;
    return __builtin_sub_overflow(t, sel->offset_ns, &out) ? t : out;
}

static int64_t minus(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_sub_overflow(a, b, &out) ? INT64_MIN : out;
}

static int open_selection(struct query_exec *x, const struct query_selector *sel, int64_t before_ns,
                          struct store_selection **out)
{
    const struct store_select_req req = {
        .tenant = x->env->tenant,
        .t_min_ns = minus(time_at(x, sel, 0), before_ns) + (before_ns ? 1 : 0),
        .t_max_ns = time_at(x, sel, x->step_count - 1),
        .matchers = sel->matchers,
        .matcher_count = sel->matcher_count,
        .series_max = x->env->series_max,
        .memory = x->env->memory,
        .cancelled = x->env->cancelled,
    };
    int err = x->env->source->ops->select(x->env->source, &req, out, x->diag);
    if (!err)
        x->stats.series_selected += x->env->source->ops->selection_count(*out);
    return err;
}

static struct data_labels own_labels(struct query_exec *x, struct data_labels labels)
{
    return data_labels_copy(x->arena, labels);
}

/* Hints of histograms that have none, from what came before. */
static void find_resets(struct query_exec *x, struct store_samples *s)
{
    for (size_t i = s->count; s->histogram && i-- > 1;) {
        const struct data_histogram *h = s->histogram[i], *before = s->histogram[i - 1];
        if (!h || !before || h->reset_hint != DATA_RESET_UNKNOWN || h->is_stale)
            continue;
        struct data_histogram *own = arena_dup(x->arena, h, sizeof(*own));
        if (!own)
            return; /* the next allocation says so */
        own->reset_hint = data_histogram_is_reset(h, before) ? DATA_RESET_YES : DATA_RESET_NO;
        s->histogram[i] = own;
    }
}

int query__eval_instant(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    const struct query_selector *sel = &n->selector;
    const struct store_source_ops *ops = x->env->source->ops;
    struct store_selection *selection;
    struct store_samples samples = {0};
    int err = open_selection(x, sel, sel->lookback_ns, &selection);
    if (err)
        return err;
    size_t distinct = sel->has_at ? 1 : x->step_count;
    for (size_t i = 0; i < ops->selection_count(selection) && !err; i++) {
        err = ops->selection_read(selection, i, minus(time_at(x, sel, 0), sel->lookback_ns) + 1,
                                  time_at(x, sel, x->step_count - 1), &samples, x->diag);
        if (err || !samples.count)
            continue;
        if (sel->find_resets)
            find_resets(x, &samples);
        struct query_row *row =
            query__add_row(x, out, own_labels(x, ops->selection_labels(selection, i)));
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        if (samples.histogram)
            row->histogram = ARENA_ARRAY(x->arena, const struct data_histogram *, x->step_count);
        size_t at = 0, found = 0;
        for (size_t s = 0; s < distinct; s++) {
            int64_t t = time_at(x, sel, s);
            while (at < samples.count && samples.ts[at] <= t)
                at++;
            if (!at || samples.ts[at - 1] <= minus(t, sel->lookback_ns))
                continue;
            size_t k = at - 1;
            const struct data_histogram *h = samples.histogram ? samples.histogram[k] : NULL;
            if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(samples.value[k]))
                continue;
            row->has[s] = 1;
            row->value[s] = sel->timestamps ? query__seconds(samples.ts[k]) : samples.value[k];
            if (h && !sel->timestamps && row->histogram)
                row->histogram[s] = data_histogram_copy(x->arena, h);
            found++;
        }
        if (sel->has_at && row->has[0]) {
            for (size_t s = 1; s < x->step_count; s++) {
                row->has[s] = 1;
                row->value[s] = row->value[0];
                if (row->histogram)
                    row->histogram[s] = row->histogram[0];
            }
        }
        if (!found)
            out->count--;
        err = query__count_samples(x, found);
        if (sel->timestamps)
            row->drop_name = true;
    }
    store_samples_free(&samples);
    ops->selection_free(selection);
    return err;
}

/* --- windows --- */

/* Samples of one series without staleness markers; how many of them are histograms. */
static size_t clean(struct store_samples *s, size_t *out_histograms)
{
    size_t kept = 0;
    *out_histograms = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct data_histogram *h = s->histogram ? s->histogram[i] : NULL;
        if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(s->value[i]))
            continue;
        if (s->histogram)
            s->histogram[kept] = h;
        *out_histograms += h != NULL;
        s->ts[kept] = s->ts[i];
        s->value[kept++] = s->value[i];
    }
    return kept;
}

/* Runs the function over all windows of one run of samples. */
static size_t sweep(struct query_exec *x, const struct query_node *n, const int64_t *ts,
                    const double *v, size_t count, const struct query_grid *params,
                    struct query_row *row)
{
    const struct query_selector *sel = &n->selector;
    bool varies =
        params && params[0].count; /* a pinned window may still meet a new parameter each step */
    size_t begin = 0, end = 0, used = 0, distinct = sel->has_at && !varies ? 1 : x->step_count;
    for (size_t s = 0; s < distinct; s++) {
        int64_t t = time_at(x, sel, s), start = minus(t, n->range_ns);
        while (end < count && ts[end] <= t)
            end++;
        while (begin < end && ts[begin] <= start)
            begin++;
        if (begin == end)
            continue;
        struct query_window w = {.ts = ts + begin,
                                 .v = v + begin,
                                 .count = end - begin,
                                 .start_ns = start,
                                 .end_ns = t,
                                 .step_ns = query__step_ns(x, s)};
        for (size_t p = 0; p < 2 && params && params[p].count; p++)
            w.param[p] = params[p].rows[0].value[s];
        used += w.count;
        row->has[s] = n->function->window(&w, &row->value[s]);
    }
    if (distinct == 1 && row->has[0]) {
        for (size_t s = 1; s < x->step_count; s++) {
            row->has[s] = 1;
            row->value[s] = row->value[0];
        }
    }
    return used;
}

/* One window that holds a histogram; a function that knows none sees the floats alone. */
static int mixed_window(const struct query_mixed_window *w, struct query_window *floats,
                        struct query_row *row, size_t step)
{
    const struct query_function *f = w->n->function;
    if (f->mixed)
        return f->mixed(w, row, step);
    if (w->histograms == w->count)
        return 0;
    int64_t *ts = mem_alloc(w->count * sizeof(*ts));
    double *v = mem_alloc(w->count * sizeof(*v)), out;
    size_t count = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (!w->h[i]) {
            ts[count] = w->ts[i];
            v[count++] = w->v[i];
        }
    }
    query__info(w->x, w->n->args[0],
                "ignored histograms in a range containing both floats and histograms%s%.*s%s",
                w->metric.len ? " for metric name \"" : "", SLICE_FMT(w->metric),
                w->metric.len ? "\"" : "");
    floats->ts = ts;
    floats->v = v;
    floats->count = count;
    if (f->window(floats, &out))
        query__put_float(row, step, out);
    mem_free(ts);
    mem_free(v);
    return 0;
}

/* The same as sweep for a run that holds histograms. */
static int sweep_mixed(struct query_exec *x, const struct query_node *n, const int64_t *ts,
                       const double *v, const struct data_histogram *const *h, size_t count,
                       struct slice metric, const struct query_grid *params, struct query_row *row)
{
    size_t begin = 0, end = 0, histograms = 0;
    int err = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        int64_t t = time_at(x, &n->selector, s), start = minus(t, n->range_ns);
        for (; end < count && ts[end] <= t; end++)
            histograms += h[end] != NULL;
        for (; begin < end && ts[begin] <= start; begin++)
            histograms -= h[begin] != NULL;
        if (begin == end)
            continue;
        struct query_window w = {.ts = ts + begin,
                                 .v = v + begin,
                                 .count = end - begin,
                                 .start_ns = start,
                                 .end_ns = t,
                                 .step_ns = query__step_ns(x, s)};
        for (size_t p = 0; p < 2 && params && params[p].count; p++)
            w.param[p] = params[p].rows[0].value[s];
        double out;
        if (histograms) {
            const struct query_mixed_window mixed = {.x = x,
                                                     .n = n,
                                                     .ts = w.ts,
                                                     .v = w.v,
                                                     .h = h + begin,
                                                     .count = w.count,
                                                     .histograms = histograms,
                                                     .start_ns = start,
                                                     .end_ns = t,
                                                     .metric = metric};
            err = mixed_window(&mixed, &w, row, s);
        } else if (n->function->window(&w, &out)) {
            query__put_float(row, s, out);
        }
    }
    return err;
}

static bool looks_like_counter(struct slice name)
{
    return slice_ends_with(name, SLICE("_total")) || slice_ends_with(name, SLICE("_sum")) ||
           slice_ends_with(name, SLICE("_count")) || slice_ends_with(name, SLICE("_bucket"));
}

static struct data_labels result_labels(struct query_exec *x, const struct query_node *n,
                                        struct data_labels labels, bool *drop)
{
    *drop = !n->function->keeps_name;
    labels = own_labels(x, labels);
    if (*drop && !x->plan->delayed_name_removal)
        labels = query__drop_name(x, labels);
    return labels;
}

static void counter_hint(struct query_exec *x, const struct query_node *n,
                         struct data_labels labels)
{
    struct slice name = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
    if (n->function->counter && name.len && !looks_like_counter(name))
        query__info(x, n->args[0],
                    "metric might not be a counter, name does not end in "
                    "_total/_sum/_count/_bucket: \"%.*s\"",
                    SLICE_FMT(name));
}

static int window_over_selector(struct query_exec *x, const struct query_node *n,
                                const struct query_grid *params, struct query_grid *out)
{
    const struct store_source_ops *ops = x->env->source->ops;
    struct store_selection *selection;
    struct store_samples samples = {0};
    int err = open_selection(x, &n->selector, n->range_ns, &selection);
    if (err)
        return err;
    int64_t from = minus(time_at(x, &n->selector, 0), n->range_ns) + 1,
            to = time_at(x, &n->selector, x->step_count - 1);
    for (size_t i = 0; i < ops->selection_count(selection) && !err; i++) {
        size_t histograms;
        err = ops->selection_read(selection, i, from, to, &samples, x->diag);
        if (err)
            break;
        size_t count = clean(&samples, &histograms);
        if (!count)
            continue;
        if (n->selector.find_resets) {
            samples.count = count;
            find_resets(x, &samples);
        }
        bool drop;
        struct data_labels labels = ops->selection_labels(selection, i);
        counter_hint(x, n, labels);
        struct query_row *row = query__add_row(x, out, result_labels(x, n, labels, &drop));
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = drop;
        if (histograms)
            err = sweep_mixed(x, n, samples.ts, samples.value, samples.histogram, count,
                              data_labels_get(labels, SLICE(DATA_METRIC_NAME)), params, row);
        else
            sweep(x, n, samples.ts, samples.value, count, params, row);
        if (err)
            break;
        /* Each window holds what is new to it; a series is in memory once. */
        err = query__count_samples(x, count);
        x->samples_held -= MIN(x->samples_held, (uint64_t)count);
    }
    store_samples_free(&samples);
    ops->selection_free(selection);
    return err;
}

static int window_over_subquery(struct query_exec *x, const struct query_node *n,
                                const struct query_grid *params, struct query_grid *out)
{
    struct query_steps outer = x->steps;
    size_t outer_count = x->step_count;
    struct query_grid inner = {0};
    int64_t step = n->inner_step_ns;
    int64_t first = minus(time_at(x, &n->selector, 0), n->range_ns),
            last = time_at(x, &n->selector, x->step_count - 1);
    /* Multiples of the step since 1970, the first one strictly behind the left edge. */
    int64_t start = first / step * step;
    while (start <= first)
        start += step;
    if (start > last)
        return 0;
    size_t steps = (size_t)((last - start) / step) + 1;
    if (x->env->samples_max && steps > x->env->samples_max)
        return diag_set(x->diag, ERR_LIMIT,
                        "the subquery has %zu steps, more than limits.query.samples allows", steps);
    x->steps = (struct query_steps){.start_ns = start, .end_ns = last, .step_ns = step};
    x->step_count = steps;
    int err = query__eval(x, n->args[0], &inner);
    x->steps = outer;
    x->step_count = outer_count;
    if (err)
        return err;
    int64_t *ts = mem_alloc(steps * sizeof(*ts));
    double *v = mem_alloc(steps * sizeof(*v));
    const struct data_histogram **h = mem_calloc(steps, sizeof(*h));
    for (size_t i = 0; i < inner.count && !err; i++) {
        size_t count = 0, histograms = 0;
        for (size_t s = 0; s < steps; s++) {
            if (!inner.rows[i].has[s])
                continue;
            h[count] = query__histogram_at(&inner.rows[i], s);
            if (h[count] && ++histograms) {
                /* What was true from sample to sample says nothing from step to step. */
                struct data_histogram *own = arena_dup(x->arena, h[count], sizeof(*own));
                if (own && own->reset_hint != DATA_RESET_GAUGE)
                    own->reset_hint = DATA_RESET_UNKNOWN;
                h[count] = own;
            }
            ts[count] = start + (int64_t)s * step;
            v[count++] = inner.rows[i].value[s];
        }
        if (!count)
            continue;
        bool drop;
        struct query_row *row =
            query__add_row(x, out, result_labels(x, n, inner.rows[i].labels, &drop));
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = drop || inner.rows[i].drop_name;
        if (histograms)
            err = sweep_mixed(x, n, ts, v, h, count,
                              data_labels_get(inner.rows[i].labels, SLICE(DATA_METRIC_NAME)),
                              params, row);
        else
            sweep(x, n, ts, v, count, params, row);
        if (err)
            break;
        err = query__count_samples(x, count);
        x->samples_held -= MIN(x->samples_held, (uint64_t)count);
    }
    mem_free(ts);
    mem_free(v);
    mem_free(h);
    return err;
}

int query__eval_window(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    struct query_grid params[2] = {{0}};
    int err = 0;
    /* args[0] is the inner expression of a subquery or a stand-in for the selector; parameters
     * follow. */
    for (size_t i = 1; i < n->arg_count && i < 3 && !err; i++)
        err = query__eval(x, n->args[i], &params[i - 1]);
    if (!err && n->function->window == query__quantile_over)
        query__check_quantile(x, n->args[1], params[0].rows[0].value);
    if (!err)
        err = n->subquery ? window_over_subquery(x, n, params, out)
                          : window_over_selector(x, n, params, out);
    if (!err && !n->function->keeps_name && !x->plan->delayed_name_removal)
        err = query__merge_same(x, out);
    return err;
}

int query__raw_samples(struct query_exec *x, const struct query_node *n, struct query_result *out)
{
    const struct store_source_ops *ops = x->env->source->ops;
    struct store_selection *selection;
    struct store_samples samples = {0};
    int err = open_selection(x, &n->selector, n->range_ns, &selection);
    if (err)
        return err;
    int64_t to = time_at(x, &n->selector, 0), from = minus(to, n->range_ns) + 1;
    out->series = ARENA_ARRAY(x->arena, struct query_series, ops->selection_count(selection));
    for (size_t i = 0; i < ops->selection_count(selection) && !err; i++) {
        err = ops->selection_read(selection, i, from, to, &samples, x->diag);
        if (err)
            break;
        struct query_series s = {.labels = own_labels(x, ops->selection_labels(selection, i)),
                                 .points =
                                     ARENA_ARRAY(x->arena, struct query_point, samples.count)};
        if (!s.points) {
            err = query__no_memory(x);
            break;
        }
        for (size_t k = 0; k < samples.count; k++) {
            const struct data_histogram *h = samples.histogram ? samples.histogram[k] : NULL;
            if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(samples.value[k]))
                continue;
            s.points[s.count++] = (struct query_point){samples.ts[k], samples.value[k],
                                                       h ? data_histogram_copy(x->arena, h) : NULL};
        }
        if (s.count)
            out->series[out->series_count++] = s;
        err = query__count_samples(x, s.count);
    }
    store_samples_free(&samples);
    ops->selection_free(selection);
    return err;
}
