/* Single numbers of native histograms. Floats among them leave nothing. */
#include <math.h>

#include "data/histogram_math.h"
#include "query/calls.h"

typedef double (*field_fn)(const struct data_histogram *h, data_histogram_bucket_list *scratch);

static int each(struct query_exec *x, struct query_grid *in, field_fn field, struct query_grid *out)
{
    data_histogram_bucket_list scratch = {0};
    int err = 0;
    for (size_t i = 0; i < in->count && !err; i++) {
        const struct query_row *from = &in->rows[i];
        if (!from->histogram)
            continue;
        struct data_labels labels = from->labels;
        if (!x->plan->delayed_name_removal)
            labels = query__drop_name(x, labels);
        struct query_row *row = query__add_row(x, out, labels);
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = true;
        for (size_t s = 0; s < x->step_count; s++) {
            const struct data_histogram *h = query__histogram_at(from, s);
            if (h)
                query__put_float(row, s, field(h, &scratch));
        }
    }
    vec_free(&scratch);
    return err || x->plan->delayed_name_removal ? err : query__merge_same(x, out);
}

static double count_of(const struct data_histogram *h, data_histogram_bucket_list *scratch)
{
    (void)scratch;
    return h->count;
}

static double sum_of(const struct data_histogram *h, data_histogram_bucket_list *scratch)
{
    (void)scratch;
    return h->sum;
}

static double avg_of(const struct data_histogram *h, data_histogram_bucket_list *scratch)
{
    (void)scratch;
    return h->sum / h->count;
}

static double stddev_of(const struct data_histogram *h, data_histogram_bucket_list *scratch)
{
    return sqrt(data_histogram_variance(h, scratch));
}

QUERY__CALL(query__histogram_count)
{
    (void)n;
    return each(x, &args[0], count_of, out);
}

QUERY__CALL(query__histogram_sum)
{
    (void)n;
    return each(x, &args[0], sum_of, out);
}

QUERY__CALL(query__histogram_avg)
{
    (void)n;
    return each(x, &args[0], avg_of, out);
}

QUERY__CALL(query__histogram_stddev)
{
    (void)n;
    return each(x, &args[0], stddev_of, out);
}

QUERY__CALL(query__histogram_stdvar)
{
    (void)n;
    return each(x, &args[0], data_histogram_variance, out);
}
