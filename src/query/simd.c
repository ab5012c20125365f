#include "query/simd.h"

#include <math.h>

#include "data/metric_batch.h"
#include "query/grid.h"

static unsigned look(const double *v, size_t n, double *out_max)
{
    unsigned found = 0;
    double max = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &v[i], sizeof(bits));
        found |= bits == DATA_STALE_NAN_BITS ? QUERY__HAS_STALE : 0;
        found |= v[i] != v[i] ? QUERY__HAS_NAN : 0;
        found |= bits == UINT64_C(1) << 63 ? QUERY__HAS_MINUS_ZERO : 0;
        found |= i && v[i] < v[i - 1] ? QUERY__HAS_DROP : 0;
        found |= !(v[i] - trunc(v[i]) == 0) ? QUERY__HAS_FRACTION : 0;
        max = fabs(v[i]) > max ? fabs(v[i]) : max;
    }
    *out_max = max;
    return found;
}

static void pick(const double *v, const uint32_t *at, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = v[at[i]];
}

static size_t drops(const double *v, size_t n, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = 1; i < n; i++) {
        if (v[i] < v[i - 1])
            out[count++] = (uint32_t)i;
    }
    return count;
}

static void change(const double *v, const struct query__bounds *b, double *out)
{
    for (size_t i = 0; i < b->n; i++)
        out[i] = v[b->last[i]] - v[b->first[i]];
}

static void scaled_from(const double *v, const struct query__bounds *b, const double *factor,
                        bool one_factor, size_t i, double *out)
{
    for (; i < b->n; i++)
        out[i] = (v[b->last[i]] - v[b->first[i]]) * factor[one_factor ? 0 : i];
}

static void scaled(const double *v, const struct query__bounds *b, const double *factor,
                   bool one_factor, double *out)
{
    scaled_from(v, b, factor, one_factor, 0, out);
}

static void counter_from(const double *v, const struct query__bounds *b,
                         const struct query__stretch *e, bool fresh, size_t i, double *out)
{
    for (; i < b->n; i++) {
        double f = e->factor[i], v0 = v[b->first[i]], x = fresh ? v[b->last[i]] - v0 : out[i];
        if (x > 0 && v0 >= 0) {
            double to_zero = e->sampled[i] * (v0 / x);
            if (to_zero < e->to_start[i]) {
                f = (e->sampled[i] + to_zero + e->to_end[i]) / e->sampled[i];
                if (e->range_s > 0)
                    f /= e->range_s;
            }
        }
        out[i] = x * f;
    }
}

static void counter(const double *v, const struct query__bounds *b, const struct query__stretch *e,
                    bool fresh, double *out)
{
    counter_from(v, b, e, fresh, 0, out);
}

static void window_sums(const double *v, const uint32_t *first, const uint32_t *last, size_t n,
                        double *out_sum, double *out_c)
{
    for (size_t i = 0; i < n; i++) {
        struct data_kahan k = {0};
        for (size_t j = first[i]; j <= last[i]; j++)
            data_kahan_add(&k, v[j]);
        out_sum[i] = k.sum;
        out_c[i] = k.c;
    }
}

static void add(const double *v, size_t n, double *sum, double *c)
{
    for (size_t i = 0; i < n; i++) {
        struct data_kahan k = {sum[i], c[i]};
        data_kahan_add(&k, v[i]);
        sum[i] = k.sum;
        c[i] = k.c;
    }
}

static void least(const double *v, size_t n, double *m)
{
    for (size_t i = 0; i < n; i++)
        m[i] = v[i] < m[i] || m[i] != m[i] ? v[i] : m[i];
}

static void most(const double *v, size_t n, double *m)
{
    for (size_t i = 0; i < n; i++)
        m[i] = v[i] > m[i] || m[i] != m[i] ? v[i] : m[i];
}

const struct query__simd query__simd_plain = {.name = "plain",
                                              .look = look,
                                              .drops = drops,
                                              .pick = pick,
                                              .change = change,
                                              .scaled = scaled,
                                              .counter = counter,
                                              .window_sums = window_sums,
                                              .add = add,
                                              .least = least,
                                              .most = most};

/* --- AVX2 --- */

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256d magnitude(__m256d v)
{
    return _mm256_andnot_pd(_mm256_set1_pd(-0.0), v);
}

/* Four loads: quicker than a gather. */
AVX2 static inline __m256d gather(const double *v, const uint32_t *at)
{
    return _mm256_set_pd(v[at[3]], v[at[2]], v[at[1]], v[at[0]]);
}

enum stride { ANY, ONE, SOME };

/* v[at[i]] .. v[at[i + 3]] */
AVX2 static inline __attribute__((always_inline)) __m256d
take(const double *v, const uint32_t *at, size_t i, size_t stride, enum stride kind)
{
    if (kind == ANY)
        return gather(v, at + i);
    const double *p = v + at[0] + i * stride;
    return kind == ONE ? _mm256_loadu_pd(p)
                       : _mm256_set_pd(p[3 * stride], p[2 * stride], p[stride], p[0]);
}

/* data_kahan_add on four sums. */
AVX2 static inline void kahan(__m256d *sum, __m256d *c, __m256d v)
{
    __m256d t = _mm256_add_pd(*sum, v);
    __m256d larger = _mm256_cmp_pd(magnitude(*sum), magnitude(v), _CMP_GE_OQ);
    __m256d big = _mm256_blendv_pd(v, *sum, larger), small = _mm256_blendv_pd(*sum, v, larger);
    __m256d infinite = _mm256_cmp_pd(magnitude(t), _mm256_set1_pd(INFINITY), _CMP_EQ_OQ);
    *c = _mm256_andnot_pd(infinite, _mm256_add_pd(*c, _mm256_add_pd(_mm256_sub_pd(big, t), small)));
    *sum = t;
}

AVX2 static unsigned look_avx2(const double *v, size_t n, double *out_max)
{
    __m256d max = _mm256_setzero_pd(), nan = max, drop = max, fraction = max;
    __m256i stale = _mm256_setzero_si256(), minus = stale;
    const __m256i stale_bits = _mm256_set1_epi64x((int64_t)DATA_STALE_NAN_BITS),
                  minus_zero = _mm256_set1_epi64x(INT64_MIN);
    const __m256d zero = _mm256_setzero_pd();
    unsigned found = 0;
    size_t i = 1;
    double least_max, rest_max;
    if (n < 8)
        return look(v, n, out_max);
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), before = _mm256_loadu_pd(v + i - 1);
        __m256i bits = _mm256_castpd_si256(x);
        stale = _mm256_or_si256(stale, _mm256_cmpeq_epi64(bits, stale_bits));
        minus = _mm256_or_si256(minus, _mm256_cmpeq_epi64(bits, minus_zero));
        nan = _mm256_or_pd(nan, _mm256_cmp_pd(x, x, _CMP_UNORD_Q));
        drop = _mm256_or_pd(drop, _mm256_cmp_pd(x, before, _CMP_LT_OQ));
        __m256d whole = _mm256_round_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
        fraction =
            _mm256_or_pd(fraction, _mm256_cmp_pd(_mm256_sub_pd(x, whole), zero, _CMP_NEQ_UQ));
        max = _mm256_max_pd(max, magnitude(x));
    }
    double lanes[4];
    _mm256_storeu_pd(lanes, max);
    least_max = fmax(fmax(lanes[0], lanes[1]), fmax(lanes[2], lanes[3]));
    found |= _mm256_movemask_epi8(stale) ? QUERY__HAS_STALE : 0;
    found |= _mm256_movemask_epi8(minus) ? QUERY__HAS_MINUS_ZERO : 0;
    found |= _mm256_movemask_pd(nan) ? QUERY__HAS_NAN : 0;
    found |= _mm256_movemask_pd(drop) ? QUERY__HAS_DROP : 0;
    found |= _mm256_movemask_pd(fraction) ? QUERY__HAS_FRACTION : 0;
    found |= look(v, 1, &rest_max);
    least_max = fmax(least_max, rest_max);
    found |= look(v + i - 1, n - i + 1, &rest_max);
    *out_max = fmax(least_max, rest_max);
    return found;
}

AVX2 static void pick_avx2(const double *v, const uint32_t *at, size_t n, double *out)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        _mm256_storeu_pd(out + i, gather(v, at + i));
    pick(v, at + i, n - i, out + i);
}

AVX2 static size_t drops_avx2(const double *v, size_t n, uint32_t *out)
{
    size_t count = 0, i = 1;
    for (; i + 8 <= n; i += 8) {
        __m256d a = _mm256_cmp_pd(_mm256_loadu_pd(v + i), _mm256_loadu_pd(v + i - 1), _CMP_LT_OQ),
                b = _mm256_cmp_pd(_mm256_loadu_pd(v + i + 4), _mm256_loadu_pd(v + i + 3),
                                  _CMP_LT_OQ);
        unsigned found = (unsigned)_mm256_movemask_pd(a) | (unsigned)_mm256_movemask_pd(b) << 4;
        for (; found; found &= found - 1)
            out[count++] = (uint32_t)i + (uint32_t)__builtin_ctz(found);
    }
    for (; i < n; i++) {
        if (v[i] < v[i - 1])
            out[count++] = (uint32_t)i;
    }
    return count;
}

AVX2 static inline __attribute__((always_inline)) size_t
changes(const double *v, const struct query__bounds *b, double *out, enum stride kind)
{
    size_t i = 0;
    for (; i + 4 <= b->n; i += 4)
        _mm256_storeu_pd(out + i, _mm256_sub_pd(take(v, b->last, i, b->stride, kind),
                                                take(v, b->first, i, b->stride, kind)));
    return i;
}

AVX2 static void change_avx2(const double *v, const struct query__bounds *b, double *out)
{
    size_t i = b->stride == 1 ? changes(v, b, out, ONE)
               : b->stride    ? changes(v, b, out, SOME)
                              : changes(v, b, out, ANY);
    for (; i < b->n; i++)
        out[i] = v[b->last[i]] - v[b->first[i]];
}

AVX2 static inline __attribute__((always_inline)) size_t
scaleds(const double *v, const struct query__bounds *b, const double *factor, bool one_factor,
        double *out, enum stride kind)
{
    __m256d f = _mm256_set1_pd(factor[0]);
    size_t i = 0;
    for (; i + 4 <= b->n; i += 4) {
        __m256d x = _mm256_sub_pd(take(v, b->last, i, b->stride, kind),
                                  take(v, b->first, i, b->stride, kind));
        if (!one_factor)
            f = _mm256_loadu_pd(factor + i);
        _mm256_storeu_pd(out + i, _mm256_mul_pd(x, f));
    }
    return i;
}

AVX2 static void scaled_avx2(const double *v, const struct query__bounds *b, const double *factor,
                             bool one_factor, double *out)
{
    size_t i = !b->n            ? 0
               : b->stride == 1 ? (one_factor ? scaleds(v, b, factor, true, out, ONE)
                                              : scaleds(v, b, factor, false, out, ONE))
               : b->stride      ? scaleds(v, b, factor, one_factor, out, SOME)
                                : scaleds(v, b, factor, one_factor, out, ANY);
    scaled_from(v, b, factor, one_factor, i, out);
}

/* Whether a counter began within its window is a division; that it did not can nearly always be
 * told by products, with a margin for their rounding. */
AVX2 static inline __attribute__((always_inline)) size_t
counters(const double *v, const struct query__bounds *b, const struct query__stretch *e, bool fresh,
         double *out, enum stride kind)
{
    const __m256d zero = _mm256_setzero_pd(), range = _mm256_set1_pd(e->range_s),
                  margin = _mm256_set1_pd(1 + 1e-9);
    size_t i = 0;
    for (; i + 4 <= b->n; i += 4) {
        __m256d v0 = take(v, b->first, i, b->stride, kind),
                x = fresh ? _mm256_sub_pd(take(v, b->last, i, b->stride, kind), v0)
                          : _mm256_loadu_pd(out + i),
                f = _mm256_loadu_pd(e->factor + i), whole = _mm256_loadu_pd(e->sampled + i),
                to_start = _mm256_loadu_pd(e->to_start + i);
        __m256d far = _mm256_cmp_pd(_mm256_mul_pd(whole, v0),
                                    _mm256_mul_pd(_mm256_mul_pd(to_start, margin), x), _CMP_GT_OQ);
        __m256d rises =
            _mm256_and_pd(_mm256_cmp_pd(x, zero, _CMP_GT_OQ), _mm256_cmp_pd(v0, zero, _CMP_GE_OQ));
        if (_mm256_movemask_pd(_mm256_andnot_pd(far, rises))) {
            __m256d to_zero = _mm256_mul_pd(whole, _mm256_div_pd(v0, x));
            __m256d clamp = _mm256_and_pd(rises, _mm256_cmp_pd(to_zero, to_start, _CMP_LT_OQ));
            __m256d g = _mm256_div_pd(
                _mm256_add_pd(_mm256_add_pd(whole, to_zero), _mm256_loadu_pd(e->to_end + i)),
                whole);
            if (e->range_s > 0)
                g = _mm256_div_pd(g, range);
            f = _mm256_blendv_pd(f, g, clamp);
        }
        _mm256_storeu_pd(out + i, _mm256_mul_pd(x, f));
    }
    return i;
}

AVX2 static void counter_avx2(const double *v, const struct query__bounds *b,
                              const struct query__stretch *e, bool fresh, double *out)
{
    size_t i = !fresh           ? counters(v, b, e, false, out, ANY)
               : b->stride == 1 ? counters(v, b, e, true, out, ONE)
               : b->stride      ? counters(v, b, e, true, out, SOME)
                                : counters(v, b, e, true, out, ANY);
    counter_from(v, b, e, fresh, i, out);
}

/* Four windows side by side, as far as the shortest of them goes. */
AVX2 static void window_sums_avx2(const double *v, const uint32_t *first, const uint32_t *last,
                                  size_t n, double *out_sum, double *out_c)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint32_t common = UINT32_MAX;
        for (size_t k = 0; k < 4; k++)
            common = MIN(common, last[i + k] - first[i + k] + 1);
        const double *p0 = v + first[i], *p1 = v + first[i + 1], *p2 = v + first[i + 2],
                     *p3 = v + first[i + 3];
        __m256d sum = _mm256_setzero_pd(), c = sum;
        uint32_t j = 0;
        for (; j + 4 <= common; j += 4) {
            __m256d a = _mm256_loadu_pd(p0 + j), b = _mm256_loadu_pd(p1 + j),
                    d = _mm256_loadu_pd(p2 + j), e = _mm256_loadu_pd(p3 + j);
            __m256d ab_lo = _mm256_unpacklo_pd(a, b), ab_hi = _mm256_unpackhi_pd(a, b),
                    de_lo = _mm256_unpacklo_pd(d, e), de_hi = _mm256_unpackhi_pd(d, e);
            kahan(&sum, &c, _mm256_permute2f128_pd(ab_lo, de_lo, 0x20));
            kahan(&sum, &c, _mm256_permute2f128_pd(ab_hi, de_hi, 0x20));
            kahan(&sum, &c, _mm256_permute2f128_pd(ab_lo, de_lo, 0x31));
            kahan(&sum, &c, _mm256_permute2f128_pd(ab_hi, de_hi, 0x31));
        }
        for (; j < common; j++)
            kahan(&sum, &c, _mm256_set_pd(p3[j], p2[j], p1[j], p0[j]));
        _mm256_storeu_pd(out_sum + i, sum);
        _mm256_storeu_pd(out_c + i, c);
        for (size_t k = 0; k < 4; k++) {
            struct data_kahan rest = {out_sum[i + k], out_c[i + k]};
            for (size_t at = first[i + k] + common; at <= last[i + k]; at++)
                data_kahan_add(&rest, v[at]);
            out_sum[i + k] = rest.sum;
            out_c[i + k] = rest.c;
        }
    }
    window_sums(v, first + i, last + i, n - i, out_sum + i, out_c + i);
}

AVX2 static void add_avx2(const double *v, size_t n, double *sum, double *c)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d s = _mm256_loadu_pd(sum + i), k = _mm256_loadu_pd(c + i);
        kahan(&s, &k, _mm256_loadu_pd(v + i));
        _mm256_storeu_pd(sum + i, s);
        _mm256_storeu_pd(c + i, k);
    }
    add(v + i, n - i, sum + i, c + i);
}

AVX2 static void least_avx2(const double *v, size_t n, double *m)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), y = _mm256_loadu_pd(m + i);
        __m256d take =
            _mm256_or_pd(_mm256_cmp_pd(x, y, _CMP_LT_OQ), _mm256_cmp_pd(y, y, _CMP_UNORD_Q));
        _mm256_storeu_pd(m + i, _mm256_blendv_pd(y, x, take));
    }
    least(v + i, n - i, m + i);
}

AVX2 static void most_avx2(const double *v, size_t n, double *m)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d x = _mm256_loadu_pd(v + i), y = _mm256_loadu_pd(m + i);
        __m256d take =
            _mm256_or_pd(_mm256_cmp_pd(x, y, _CMP_GT_OQ), _mm256_cmp_pd(y, y, _CMP_UNORD_Q));
        _mm256_storeu_pd(m + i, _mm256_blendv_pd(y, x, take));
    }
    most(v + i, n - i, m + i);
}

static const struct query__simd simd_avx2 = {.name = "avx2",
                                             .look = look_avx2,
                                             .drops = drops_avx2,
                                             .pick = pick_avx2,
                                             .change = change_avx2,
                                             .scaled = scaled_avx2,
                                             .counter = counter_avx2,
                                             .window_sums = window_sums_avx2,
                                             .add = add_avx2,
                                             .least = least_avx2,
                                             .most = most_avx2};

const struct query__simd *query__simd(void)
{
    return __builtin_cpu_supports("avx2") ? &simd_avx2 : &query__simd_plain;
}

#else

const struct query__simd *query__simd(void)
{
    return &query__simd_plain;
}

#endif
