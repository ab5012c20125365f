/* Sums with Neumaier's compensation. */
#ifndef DATA_KAHAN_H
#define DATA_KAHAN_H

struct data_kahan {
    double sum, c;
};

static inline void data_kahan_add(struct data_kahan *k, double v)
{
    double t = k->sum + v;
    if (__builtin_isinf(t))
        k->c = 0;
    else if (__builtin_fabs(k->sum) >= __builtin_fabs(v))
        k->c += (k->sum - t) + v;
    else
        k->c += (v - t) + k->sum;
    k->sum = t;
}
static inline double data_kahan_value(const struct data_kahan *k)
{
    return __builtin_isinf(k->sum) || __builtin_isnan(k->sum) ? k->sum : k->sum + k->c;
}

#endif
