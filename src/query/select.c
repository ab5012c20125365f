/* Selectors: rows of steps out of a scan. */
#include <stdlib.h>

#include "query/hand.h"
#include "query/plain.h"
#include "query/window.h"

static bool looks_like_counter(struct slice name)
{
    return slice_ends_with(name, SLICE("_total")) || slice_ends_with(name, SLICE("_sum")) ||
           slice_ends_with(name, SLICE("_count")) || slice_ends_with(name, SLICE("_bucket"));
}

void query__counter_hint(struct query_exec *x, const struct query_node *n,
                         struct data_labels labels)
{
    if (n->op != QUERY_WINDOW || !n->function->counter)
        return;
    struct slice name = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
    if (name.len && !looks_like_counter(name))
        query__info(x, n->args[0],
                    "metric might not be a counter, name does not end in "
                    "_total/_sum/_count/_bucket: \"%.*s\"",
                    SLICE_FMT(name));
}

bool query__drops_name(const struct query_node *n)
{
    return n->op == QUERY_WINDOW ? !n->function->keeps_name
                                 : n->selector.timestamps || n->selector.starts;
}

struct data_labels query__result_labels(struct query_exec *x, const struct query_node *n,
                                        struct data_labels labels)
{
    bool drop = n->op == QUERY_WINDOW && query__drops_name(n) && !x->plan->delayed_name_removal;
    return drop ? query__drop_name(x, labels) : labels;
}

/* What the fast way is tested against. */
static int plain_series(struct query_exec *x, const struct query_node *n,
                        const struct query_grid *params, struct query__scan *scan, size_t i,
                        struct store_samples *samples, struct query_grid *out)
{
    const struct store_source_ops *ops = x->env->source->ops;
    int err = ops->selection_read(scan->selection, i, scan->from_ns, scan->to_ns, samples, x->diag);
    if (err || !samples->count)
        return err;
    struct data_labels labels = ops->selection_labels(scan->selection, i);
    struct query_row *row = query__add_row(x, out, labels);
    size_t count;
    if (!row)
        return ERR_NOMEM;
    err = query__plain_row(x, n, params, samples, row, &count);
    if (!count) {
        out->count--;
        return err;
    }
    query__counter_hint(x, n, labels);
    row->labels = query__result_labels(x, n, labels);
    row->drop_name = query__drops_name(n);
    if (!err)
        err = query__count_samples(x, count);
    if (n->op == QUERY_WINDOW)
        x->samples_held -= MIN(x->samples_held, (uint64_t)count);
    return err;
}

/* --- rows of a scan --- */

static int take_row(struct query_exec *x, const struct query_node *n, struct data_labels labels,
                    struct query__slot *slot, struct query_grid *out)
{
    query__counter_hint(x, n, labels);
    struct query_row *row =
        query__put_row(x, out, query__result_labels(x, n, labels), slot->row.value, slot->row.has);
    if (!row)
        return ERR_NOMEM;
    row->histogram = slot->histogram;
    row->drop_name = query__drops_name(n);
    slot->row.value = NULL; /* taken */
    return 0;
}

static int make_columns(struct query_exec *x, struct query__slot *slot, struct arena *arena)
{
    if (slot->row.value)
        return 0; /* not used by the wave before */
    slot->row.value = arena_alloc(arena, x->step_count * sizeof(double));
    slot->row.has = arena_alloc(arena, x->step_count);
    return slot->row.value && slot->row.has ? 0 : query__no_memory(x);
}

static int eval_selector(struct query_exec *x, const struct query_node *n,
                         const struct query_grid *params, struct query_grid *out)
{
    const struct store_source_ops *ops = x->env->source->ops;
    struct query__scan scan;
    struct store_samples samples = {0};
    struct query__slot *slots = NULL;
    bool plain = x->env->plain;
    int err = query__scan_open(x, n, params, &scan);
    size_t most = err ? 0 : query__scan_wave(&scan), wave;
    scan.makes_all = !plain;
    if (most && !(slots = ARENA_ARRAY(x->arena, struct query__slot, most)))
        err = query__no_memory(x);
    if (!err)
        err = query__expect_rows(x, out, scan.count);
    for (size_t i = 0; i < scan.count && !err && plain; i++)
        err = plain_series(x, n, params, &scan, i, &samples, out);
    for (size_t first = 0; first < scan.count && !err && !plain; first += wave) {
        wave = query__scan_next(&scan, first, most);
        for (size_t i = 0; i < wave && !err; i++)
            err = make_columns(x, &slots[i], query__columns(x, out));
        if (!err)
            err = query__scan_read(&scan, first, wave, slots);
        for (size_t i = 0; i < wave && !err; i++) {
            query__notes_tell(x, slots[i].notes);
            if (slots[i].samples)
                err = take_row(x, n, ops->selection_labels(scan.selection, first + i), &slots[i],
                               out);
        }
        if (!err)
            err = query__scan_keep(&scan);
    }
    store_samples_free(&samples);
    query__scan_close(&scan);
    return err;
}

int query__eval_instant(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    return eval_selector(x, n, NULL, out);
}

/* --- subqueries --- */

static int eval_inner(struct query_exec *x, const struct query_node *n, int64_t start, int64_t last,
                      size_t steps, struct query_grid *inner)
{
    struct query_steps outer = x->steps;
    size_t outer_count = x->step_count;
    x->steps = (struct query_steps){.start_ns = start, .end_ns = last, .step_ns = n->inner_step_ns};
    x->step_count = steps;
    int err = query__eval_operand(x, n->args[0], inner);
    x->steps = outer;
    x->step_count = outer_count;
    return err;
}

static int window_over_subquery(struct query_exec *x, const struct query_node *n,
                                const struct query_grid *params, struct query_grid *out)
{
    struct query_grid inner = {0};
    struct query__windows windows;
    int64_t step = n->inner_step_ns;
    int64_t first = query__minus(query__time_at(x, &n->selector, 0), n->range_ns),
            last = query__time_at(x, &n->selector, x->step_count - 1);
    /* Multiples of the step since 1970, the first one strictly behind the left edge. */
    int64_t start = first / step * step;
    while (start <= first)
        start += step;
    if (start > last)
        return 0;
    size_t steps = (size_t)((last - start) / step) + 1;
    if (x->env->samples_max && steps > x->env->samples_max)
        return diag_set(x->diag, ERR_LIMIT,
                        "the subquery has %zu steps, more than the allowed %zu samples "
                        "(limits.query.samples)",
                        steps, x->env->samples_max);
    /* The columns below, and what is noted of the windows. */
    uint64_t charge = steps * (2 * sizeof(int64_t) + 2 * sizeof(double) + sizeof(void *)) +
                      x->step_count * QUERY__SPAN_BYTES;
    int err = query__charge(x, charge);
    if (err)
        return err;
    err = eval_inner(x, n, start, last, steps, &inner);
    if (err) {
        query__grid_free(&inner);
        query__give_back(x, charge);
        return err;
    }
    /* Pinned windows and parameters that vary are rare here: the plain way serves them. */
    bool plain = x->env->plain || n->selector.has_at || params[0].count ||
                 !query__windows_of(x, n, &windows) || steps > INT32_MAX;
    struct query__sweep sweep;
    if (!plain) {
        windows.per_second = n->function->window == query__rate;
        query__sweep_init(&sweep, n->function->window, &windows);
        sweep.eval_ns = query__step_ns(x, 0);
        sweep.env = x->env;
    }
    int64_t *ts = mem_alloc(steps * sizeof(*ts)), *all = mem_alloc(steps * sizeof(*all));
    double *v = mem_alloc(steps * sizeof(*v));
    const struct data_histogram **h = mem_calloc(steps, sizeof(*h));
    for (size_t s = 0; s < steps; s++)
        all[s] = start + (int64_t)s * step;
    for (size_t i = 0; i < inner.count && !err; i++) {
        const struct query_row *from = &inner.rows[i];
        size_t count = 0, histograms = 0;
        for (size_t s = 0; s < steps; s++) {
            if (!from->has[s])
                continue;
            h[count] = query__histogram_at(from, s);
            if (h[count] && ++histograms) {
                /* What was true from sample to sample says nothing from step to step. */
                struct data_histogram *own = arena_dup(x->arena, h[count], sizeof(*own));
                if (own && own->reset_hint != DATA_RESET_GAUGE)
                    own->reset_hint = DATA_RESET_UNKNOWN;
                h[count] = own;
            }
            ts[count] = all[s];
            v[count++] = from->value[s];
        }
        if (!count)
            continue;
        struct query_row *row = query__add_row(x, out, query__result_labels(x, n, from->labels));
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = query__drops_name(n) || from->drop_name;
        struct query__row fast = {.value = row->value, .has = row->has};
        if (plain || histograms)
            err = query__plain_windows(
                x, n,
                &(struct query_samples){.ts = ts,
                                        .v = v,
                                        .h = histograms ? h : NULL,
                                        .count = count,
                                        .metric =
                                            data_labels_get(from->labels, SLICE(DATA_METRIC_NAME))},
                params, row);
        else
            query__sweep_row(&sweep, &(struct query__column){.ts = ts, .v = v, .count = count},
                             &fast);
        if (!err)
            err = query__count_samples(x, count);
        x->samples_held -= MIN(x->samples_held, (uint64_t)count);
    }
    if (!plain)
        query__sweep_free(&sweep);
    mem_free(ts);
    mem_free(all);
    mem_free(v);
    mem_free(h);
    query__grid_free(&inner);
    query__give_back(x, charge);
    return err;
}

int query__eval_window(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    struct query_grid params[2] = {{0}};
    int err = 0;
    /* args[0] is the inner expression of a subquery or a stand-in for the selector; parameters
     * follow. */
    for (size_t i = 1; i < n->arg_count && i < 3 && !err; i++)
        err = query__eval_operand(x, n->args[i], &params[i - 1]);
    if (!err && n->function->window == query__quantile_over)
        query__check_quantile(x, n->args[1], params[0].rows[0].value);
    if (!err)
        err = n->subquery ? window_over_subquery(x, n, params, out)
                          : eval_selector(x, n, params, out);
    query__grid_free(&params[0]);
    query__grid_free(&params[1]);
    /* Series of one name are told apart by the rest of their labels. */
    bool may_meet = n->subquery || !query__one_metric(&n->selector);
    if (!err && may_meet && query__drops_name(n) && !x->plan->delayed_name_removal)
        err = query__merge_same(x, out);
    return err;
}

int query__raw_samples(struct query_exec *x, const struct query_node *n, struct query_result *out)
{
    const struct store_source_ops *ops = x->env->source->ops;
    struct query__scan scan;
    struct store_samples samples = {0};
    int err = query__scan_open(x, n, NULL, &scan);
    if (!err && !(out->series = ARENA_ARRAY(x->arena, struct query_series, scan.count)))
        err = query__no_memory(x);
    for (size_t i = 0; i < scan.count && !err; i++) {
        err = ops->selection_read(scan.selection, i, scan.from_ns, scan.to_ns, &samples, x->diag);
        if (err)
            break;
        struct query_series s = {
            .labels = data_labels_copy(x->arena, ops->selection_labels(scan.selection, i))};
        int64_t *ts = arena_alloc(x->arena, samples.count * sizeof(*ts));
        double *value = arena_alloc(x->arena, samples.count * sizeof(*value));
        const struct data_histogram **histogram =
            samples.histogram ? ARENA_ARRAY(x->arena, const struct data_histogram *, samples.count)
                              : NULL;
        if (!ts || !value || (samples.histogram && !histogram)) {
            err = query__no_memory(x);
            break;
        }
        for (size_t k = 0; k < samples.count; k++) {
            const struct data_histogram *h = samples.histogram ? samples.histogram[k] : NULL;
            if (h ? h->is_stale || data_is_stale(h->sum) : data_is_stale(samples.value[k]))
                continue;
            if (histogram)
                histogram[s.count] = h ? data_histogram_copy(x->arena, h) : NULL;
            ts[s.count] = samples.ts[k];
            value[s.count++] = samples.value[k];
        }
        s.ts = ts;
        s.value = value;
        s.histogram = histogram;
        if (s.count)
            out->series[out->series_count++] = s;
        err = query__count_samples(x, s.count);
    }
    store_samples_free(&samples);
    query__scan_close(&scan);
    return err;
}
