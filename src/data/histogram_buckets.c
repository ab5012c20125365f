/* Buckets and their bounds. */
#include <float.h>
#include <math.h>

#include "data/histogram_math.h"

double data_histogram_bound(const struct data_histogram *h, int64_t index)
{
    if (data_histogram_is_custom(h)) {
        if (index < 0)
            return -INFINITY;
        return index >= h->custom_bound_count ? INFINITY : h->custom_bounds[index];
    }
    if (h->schema <= 0) {
        int64_t exp = index * ((int64_t)1 << -h->schema);
        return exp == 1024 ? DBL_MAX : ldexp(1, (int)CLAMP(exp, -4096, 4096));
    }
    int64_t per = (int64_t)1 << h->schema, fraction = index & (per - 1), exp = index >> h->schema;
    if (fraction == 0 && exp == 1024)
        return DBL_MAX; /* the last bucket of finite values */
    return ldexp(exp2((double)fraction / (double)per), (int)CLAMP(exp, -4096, 4096));
}

static int64_t end_of(const struct data_histogram_span *spans, uint32_t count)
{
    int64_t index = 0;
    for (uint32_t s = 0; s < count; s++)
        index += (int64_t)spans[s].offset + spans[s].length;
    return index;
}

void data_histogram_buckets(const struct data_histogram *h, data_histogram_bucket_list *out)
{
    vec_clear(out);
    /* The negative side from its largest magnitude inwards. */
    int64_t index = end_of(h->negative_spans, h->negative_span_count);
    uint32_t k = h->negative_count;
    for (uint32_t s = h->negative_span_count; s-- > 0;) {
        for (uint32_t i = 0; i < h->negative_spans[s].length && k; i++) {
            index--;
            k--;
            vec_push(out, ((struct data_histogram_bucket){-data_histogram_bound(h, index),
                                                          -data_histogram_bound(h, index - 1),
                                                          h->negative[k]}));
        }
        index -= h->negative_spans[s].offset;
    }
    if (!data_histogram_is_custom(h) && h->zero_count != 0)
        vec_push(out, ((struct data_histogram_bucket){-h->zero_threshold, h->zero_threshold,
                                                      h->zero_count}));
    index = 0;
    k = 0;
    for (uint32_t s = 0; s < h->positive_span_count; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t i = 0; i < h->positive_spans[s].length && k < h->positive_count;
             i++, index++, k++)
            vec_push(out, ((struct data_histogram_bucket){data_histogram_bound(h, index - 1),
                                                          data_histogram_bound(h, index),
                                                          h->positive[k]}));
    }
}
