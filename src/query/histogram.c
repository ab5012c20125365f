/* histogram_quantile over classic buckets, and the plain fields of native histograms. */
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"
#include "query/calls.h"

#define SAME_COUNT 1e-12 /* relative: smaller falls between buckets are rounding, not disorder */

struct bucket {
    double bound;
    const struct query_row *row;
};

/* The buckets of one histogram: series that differ in le alone. */
struct family {
    struct data_labels labels;
    VEC(struct bucket) buckets;
};

static int by_bound(const void *a, const void *b)
{
    double p = ((const struct bucket *)a)->bound, q = ((const struct bucket *)b)->bound;
    return (p > q) - (p < q);
}

struct le_count {
    double bound, count;
};

static double quantile_of(double q, struct le_count *b, size_t n, bool *repaired)
{
    if (isnan(q))
        return NAN;
    if (q < 0)
        return -INFINITY;
    if (q > 1)
        return INFINITY;
    if (!n || !isinf(b[n - 1].bound) || b[n - 1].bound < 0)
        return NAN;
    /* Equal bounds are one bucket. */
    size_t kept = 0;
    for (size_t i = 1; i < n; i++) {
        if (b[i].bound == b[kept].bound)
            b[kept].count += b[i].count;
        else
            b[++kept] = b[i];
    }
    n = kept + 1;
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

QUERY__CALL(query__histogram_quantile)
{
    struct map *families = map_new();
    struct buf key = {0};
    const struct slice le = SLICE_INIT("le");
    int err = 0;
    for (size_t i = 0; i < args[1].count; i++) {
        const struct query_row *row = &args[1].rows[i];
        struct slice text = data_labels_get(row->labels, le);
        double bound;
        bool floats = false;
        for (size_t s = 0; s < x->step_count && !floats; s++)
            floats = row->has[s] && !(row->histogram && row->histogram[s]);
        if (!floats)
            continue;
        if (!text.ptr || !codec_text_to_double(text, &bound, NULL)) {
            struct slice name = data_labels_get(row->labels, SLICE(DATA_METRIC_NAME));
            query__warn(x, n->args[1],
                        "bucket label \"le\" is missing or has a malformed value of \"%.*s\" for "
                        "metric name \"%.*s\"",
                        SLICE_FMT(text), SLICE_FMT(name));
            continue;
        }
        struct data_labels labels = query__remove_labels(x, row->labels, &le, 1, true);
        bool added;
        buf_clear(&key);
        data_labels_encode(labels, &key);
        struct map_entry *e = map_put(families, buf_slice(&key), &added);
        if (added) {
            struct family *fresh = mem_calloc(1, sizeof(*fresh));
            fresh->labels = labels;
            e->value.ptr = fresh;
        }
        struct family *f = e->value.ptr;
        vec_push(&f->buckets, ((struct bucket){bound, row}));
    }
    size_t pos = 0;
    VEC(struct le_count) now = {0};
    const double *q = args[0].rows[0].value;
    query__check_quantile(x, n->args[0], q);
    for (struct map_entry *e; (e = map_next(families, &pos));) {
        struct family *f = e->value.ptr;
        bool repaired = false;
        struct query_row *row = err ? NULL : query__add_row(x, out, f->labels);
        if (!row)
            err = ERR_NOMEM;
        qsort(f->buckets.items, f->buckets.len, sizeof(struct bucket), by_bound);
        for (size_t s = 0; s < x->step_count && !err; s++) {
            vec_clear(&now);
            for (size_t i = 0; i < f->buckets.len; i++) {
                if (f->buckets.items[i].row->has[s])
                    vec_push(&now, ((struct le_count){f->buckets.items[i].bound,
                                                      f->buckets.items[i].row->value[s]}));
            }
            if (!now.len)
                continue;
            row->has[s] = 1;
            row->value[s] = quantile_of(q[s], now.items, now.len, &repaired);
        }
        if (repaired)
            query__info(x, n->args[1],
                        "input to histogram_quantile needed to be fixed for monotonicity (see "
                        "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                        "#histogram_quantile)");
        vec_free(&f->buckets);
        mem_free(f);
    }
    vec_free(&now);
    map_free(families);
    buf_deinit(&key);
    return err;
}

QUERY__CALL(query__histogram_field)
{
    const char *what = n->function->name + sizeof("histogram_") - 1;
    for (size_t i = 0; i < args[0].count; i++) {
        const struct query_row *from = &args[0].rows[i];
        if (!from->histogram)
            continue;
        struct query_row *row = query__add_row(x, out, query__drop_name(x, from->labels));
        if (!row)
            return ERR_NOMEM;
        for (size_t s = 0; s < x->step_count; s++) {
            const struct data_histogram *h = from->has[s] ? from->histogram[s] : NULL;
            if (!h)
                continue;
            row->has[s] = 1;
            row->value[s] = what[0] == 'c' ? h->count : what[0] == 's' ? h->sum : h->sum / h->count;
        }
    }
    return 0;
}
