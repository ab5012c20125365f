/* histogram_quantile over classic buckets, and the plain fields of native histograms. */
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"
#include "data/histogram_math.h"
#include "query/calls.h"

#define SAME_COUNT 1e-12 /* relative: smaller falls between buckets are rounding, not disorder */

struct bucket {
    double bound;
    const struct query_row *row;
};

/* One histogram: the series that differ in le alone, or the native one of these labels. */
struct family {
    struct data_labels labels; /* with the metric's name */
    struct slice metric;
    VEC(struct bucket) buckets;
    const struct query_row *native;
};

typedef VEC(struct family) family_list;

static int by_bound(const void *a, const void *b)
{
    double p = ((const struct bucket *)a)->bound, q = ((const struct bucket *)b)->bound;
    return (p > q) - (p < q);
}

struct le_count {
    double bound, count;
};

/* Ascending buckets of different bounds that end with +Inf; the number left, 0 if they do not. */
static size_t coalesce(struct le_count *b, size_t n)
{
    size_t kept = 0;
    if (!n || b[n - 1].bound != INFINITY)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].bound == b[kept].bound)
            b[kept].count += b[i].count;
        else
            b[++kept] = b[i];
    }
    return kept + 1;
}

static double quantile_of(double q, struct le_count *b, size_t n, bool *repaired)
{
    if (isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    n = coalesce(b, n);
    if (!n)
        return NAN;
    for (size_t i = 1; i < n; i++) {
        if (b[i].count < b[i - 1].count) {
            double sum = fabs(b[i].count) + fabs(b[i - 1].count);
            if (fabs(b[i].count - b[i - 1].count) / fmin(sum, INFINITY) >= SAME_COUNT)
                *repaired = true;
            b[i].count = b[i - 1].count;
        }
    }
    if (n < 2 || b[n - 1].count == 0)
        return NAN;
    double rank = q * b[n - 1].count;
    size_t at = 0;
    while (at < n - 1 && b[at].count < rank)
        at++;
    if (at == n - 1)
        return b[n - 2].bound;
    if (at == 0 && b[0].bound <= 0)
        return b[0].bound;
    double start = 0, end = b[at].bound, count = b[at].count;
    if (at) {
        start = b[at - 1].bound;
        count -= b[at - 1].count;
        rank -= b[at - 1].count;
    }
    return start + (end - start) * (rank / count);
}

/* The share of observations between two bounds, the first positive bucket beginning at 0. */
static double fraction_of(double lower, double upper, struct le_count *b, size_t n)
{
    const double limit[2] = {lower, upper};
    double rank = 0, found[2] = {0};
    bool set[2] = {false, false};
    n = coalesce(b, n);
    if (!n || b[n - 1].count == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    for (size_t i = 0; i < n && !(set[0] && set[1]); i++) {
        double from = i ? b[i - 1].bound : b[0].bound > 0 ? 0 : -INFINITY, to = b[i].bound;
        for (int k = 0; k < 2; k++) {
            if (!set[k] && from >= limit[k]) {
                found[k] = rank;
                set[k] = true;
            } else if (!set[k] && to > limit[k]) {
                found[k] = from == -INFINITY
                               ? b[i].count
                               : rank + (b[i].count - rank) * (limit[k] - from) / (to - from);
                set[k] = true;
            }
        }
        rank = b[i].count;
    }
    double total = b[n - 1].count;
    for (int k = 0; k < 2; k++) {
        if (!set[k] || found[k] > total)
            found[k] = total;
    }
    return (found[1] - found[0]) / total;
}

static struct family *family_of(family_list *all, struct map *known, struct buf *key,
                                struct data_labels labels)
{
    bool added;
    buf_clear(key);
    data_labels_encode(labels, key);
    struct map_entry *e = map_put(known, buf_slice(key), &added);
    if (added) {
        e->value.u64 = all->len;
        vec_push(all,
                 ((struct family){.labels = labels,
                                  .metric = data_labels_get(labels, SLICE(DATA_METRIC_NAME))}));
    }
    return &all->items[e->value.u64];
}

static void free_families(family_list *all)
{
    for (size_t i = 0; i < all->len; i++)
        vec_free(&all->items[i].buckets);
    vec_free(all);
}

/* Sorts the rows into histograms; what has no usable le is left out with a warning. */
static void find_families(struct query_exec *x, const struct query_node *at, struct query_grid *in,
                          family_list *out)
{
    const struct slice le = SLICE_INIT("le");
    struct map *known = map_new();
    struct buf key = {0};
    for (size_t i = 0; i < in->count; i++) {
        const struct query_row *row = &in->rows[i];
        struct slice text = data_labels_get(row->labels, le);
        double bound;
        bool floats = false, histograms = false;
        for (size_t s = 0; s < x->step_count; s++) {
            floats |= query__is_float(row, s);
            histograms |= query__histogram_at(row, s) != NULL;
        }
        if (histograms)
            family_of(out, known, &key, row->labels)->native = row;
        if (!floats)
            continue;
        if (!text.ptr || !codec_text_to_double(text, &bound, NULL)) {
            struct slice name = data_labels_get(row->labels, SLICE(DATA_METRIC_NAME));
            query__warn(
                x, at,
                "bucket label \"le\" is missing or has a malformed value of \"%.*s\"%s%.*s%s",
                SLICE_FMT(text), name.len ? " for metric name \"" : "", SLICE_FMT(name),
                name.len ? "\"" : "");
            continue;
        }
        struct family *f =
            family_of(out, known, &key, query__remove_labels(x, row->labels, &le, 1, false));
        vec_push(&f->buckets, ((struct bucket){bound, row}));
    }
    for (size_t i = 0; i < out->len; i++) {
        if (out->items[i].buckets.len)
            qsort(out->items[i].buckets.items, out->items[i].buckets.len, sizeof(struct bucket),
                  by_bound);
    }
    map_free(known);
    buf_deinit(&key);
}

/* What is asked of every histogram: a quantile, or the share between two bounds. */
struct question {
    const double *phi; /* a step; NULL for a share */
    const double *lower, *upper;
    struct slice label, value;   /* set on what comes out, when there is a label */
    const struct query_node *at; /* the vector, for messages */
};

struct answering {
    struct query_exec *x;
    const struct question *q;
    const struct family *f;
    VEC(struct le_count) now;
    data_histogram_bucket_list scratch;
    bool repaired, nan, nan_result;
};

static void info_of(struct answering *a, const char *what)
{
    query__info(a->x, a->q->at, "%s%s%.*s%s", what, a->f->metric.len ? " for metric name \"" : "",
                SLICE_FMT(a->f->metric), a->f->metric.len ? "\"" : "");
}

static void answer_native(struct answering *a, const struct data_histogram *h,
                          struct query_row *row, size_t s)
{
    const struct question *q = a->q;
    if (!q->phi) {
        if (isnan(h->sum))
            info_of(a, "input to histogram_fraction has NaN observations, which are excluded from "
                       "all fractions");
        query__put_float(row, s, data_histogram_fraction(h, q->lower[s], q->upper[s], &a->scratch));
        return;
    }
    bool skewed = false;
    double v = data_histogram_quantile(h, q->phi[s], &a->scratch, &skewed);
    if (skewed)
        info_of(a, isnan(v) ? "input to histogram_quantile has NaN observations, result is NaN"
                            : "input to histogram_quantile has NaN observations, result is "
                              "skewed higher");
    query__put_float(row, s, v);
}

static void answer_step(struct answering *a, struct query_row *row, size_t s)
{
    const struct question *q = a->q;
    const struct data_histogram *native =
        a->f->native ? query__histogram_at(a->f->native, s) : NULL;
    vec_clear(&a->now);
    for (size_t i = 0; i < a->f->buckets.len; i++) {
        const struct bucket *b = &a->f->buckets.items[i];
        if (query__is_float(b->row, s))
            vec_push(&a->now, ((struct le_count){b->bound, b->row->value[s]}));
    }
    if (native && a->now.len) {
        query__warn(a->x, q->at, "vector contains a mix of classic and native histograms%s%.*s%s",
                    a->f->metric.len ? " for metric name \"" : "", SLICE_FMT(a->f->metric),
                    a->f->metric.len ? "\"" : "");
        return;
    }
    if (native)
        answer_native(a, native, row, s);
    else if (a->now.len)
        query__put_float(row, s,
                         q->phi ? quantile_of(q->phi[s], a->now.items, a->now.len, &a->repaired)
                                : fraction_of(q->lower[s], q->upper[s], a->now.items, a->now.len));
}

static struct data_labels with_label(struct query_exec *x, struct data_labels labels,
                                     const struct question *q)
{
    struct data_labels_builder b = {0};
    struct data_labels out = labels;
    if (!q->label.ptr)
        return labels;
    data_labels_builder_from(&b, labels);
    data_labels_builder_set(&b, q->label, q->value);
    if (!data_labels_builder_finish(&b, &out, NULL))
        out = data_labels_copy(x->arena, out);
    data_labels_builder_deinit(&b);
    return out;
}

static int answer(struct query_exec *x, const struct question *q, const family_list *families,
                  struct query_grid *out)
{
    struct answering a = {.x = x, .q = q};
    int err = 0;
    for (size_t i = 0; i < families->len && !err; i++) {
        a.f = &families->items[i];
        a.repaired = false;
        struct data_labels labels = a.f->labels;
        if (!x->plan->delayed_name_removal)
            labels = query__drop_name(x, labels);
        struct query_row *row = query__add_row(x, out, with_label(x, labels, q));
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = true;
        for (size_t s = 0; s < x->step_count; s++)
            answer_step(&a, row, s);
        if (a.repaired)
            info_of(&a, "input to histogram_quantile needed to be fixed for monotonicity (see "
                        "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                        "#histogram_quantile)");
    }
    vec_free(&a.now);
    vec_free(&a.scratch);
    return err;
}

static int finish(struct query_exec *x, family_list *families, int err, struct query_grid *out)
{
    free_families(families);
    return err || x->plan->delayed_name_removal ? err : query__merge_same(x, out);
}

QUERY__CALL(query__histogram_quantile)
{
    family_list families = {0};
    const struct question q = {.phi = args[0].rows[0].value, .at = n->args[1]};
    find_families(x, n->args[1], &args[1], &families);
    query__check_quantile(x, n->args[0], q.phi);
    return finish(x, &families, answer(x, &q, &families, out), out);
}

QUERY__CALL(query__histogram_quantiles)
{
    family_list families = {0};
    int err = 0;
    struct slice label = args[1].text;
    if (query__check_label_name(x, label, " in histogram_quantiles()"))
        return ERR_INVALID;
    find_families(x, n->args[0], &args[0], &families);
    for (size_t i = 2; i < n->arg_count && !err; i++) {
        char text[CODEC_DOUBLE_TEXT_MAX + 2];
        struct question q = {.phi = args[i].rows[0].value, .at = n->args[0], .label = label};
        size_t len = codec_double_to_text(q.phi[0], CODEC_DOUBLE_GENERAL, text);
        bool whole = true; /* as OpenMetrics writes it: 1 is 1.0 */
        for (size_t k = 0; k < len; k++)
            whole = whole && (text[k] == '-' || (text[k] >= '0' && text[k] <= '9'));
        if (whole) {
            text[len++] = '.';
            text[len++] = '0';
        }
        q.value = arena_slice(x->arena, slice_make(text, len));
        query__check_quantile(x, n->args[i], q.phi);
        err = answer(x, &q, &families, out);
    }
    return finish(x, &families, err, out);
}

QUERY__CALL(query__histogram_fraction)
{
    family_list families = {0};
    const struct question q = {
        .lower = args[0].rows[0].value, .upper = args[1].rows[0].value, .at = n->args[2]};
    find_families(x, n->args[2], &args[2], &families);
    return finish(x, &families, answer(x, &q, &families, out), out);
}
