/* Chunks of samples. That their bytes are Prometheus' own is shown end to end, against the real one
 * (tests/e2e/test_remote_read.py); here: that they read back, and where histograms are cut. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/vec.h"
#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "data/metric_batch.h"
#include "decode/prom_chunk.h"

static void checksums(void **state)
{
    (void)state;
    assert_int_equal(codec_crc32c(SLICE("")), 0);
    assert_int_equal(codec_crc32c(SLICE("123456789")), 0xe3069283u); /* RFC 3720's check value */
    assert_int_equal(codec_crc32c(SLICE("a")), 0xc1d04330u);
}

struct seen {
    VEC(int64_t) ts;
    VEC(double) value;
};

static void see(void *ctx, int64_t ts_ms, double value)
{
    struct seen *s = ctx;
    vec_push(&s->ts, ts_ms);
    vec_push(&s->value, value);
}

static void check_round_trip(const int64_t *ts_ms, const double *value, size_t count)
{
    struct buf chunk = {0};
    struct seen seen = {0};
    int64_t *ts_ns = mem_calloc(count, sizeof(*ts_ns));
    for (size_t i = 0; i < count; i++)
        ts_ns[i] = ts_ms[i] * NS_PER_MS;
    decode_chunk_put_floats(ts_ns, value, count, &chunk);
    assert_int_equal(decode_chunk_read_floats(buf_slice(&chunk), see, &seen, NULL), 0);
    assert_int_equal(seen.ts.len, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(seen.ts.items[i], ts_ms[i]);
        assert_true(codec_double_bits(seen.value.items[i]) == codec_double_bits(value[i]));
    }
    /* Cut anywhere, it is damaged or gives fewer samples than it says. */
    for (size_t n = 0; n < chunk.len; n++) {
        struct diag diag;
        diag_init(&diag);
        vec_clear(&seen.ts);
        vec_clear(&seen.value);
        assert_int_equal(
            decode_chunk_read_floats(slice_first(buf_slice(&chunk), n), see, &seen, &diag),
            ERR_CORRUPT);
    }
    vec_free(&seen.ts);
    vec_free(&seen.value);
    buf_deinit(&chunk);
    mem_free(ts_ns);
}

static void floats_read_back(void **state)
{
    (void)state;
    /* Steps of every class, at its edges. */
    static const int64_t steps[] = {1,      0,       8192,   8193,    -8191,  -8192,   65536,
                                    65537,  -65535,  -65536, 524288,  524289, -524287, -524288,
                                    900000, -900000, 5,      1 << 30, 7};
    int64_t ts[ARRAY_LEN(steps) + 1] = {1700000000123};
    double value[ARRAY_LEN(steps) + 1] = {0};
    int64_t delta = 1 << 20;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        delta += steps[i];
        ts[i + 1] = ts[i] + delta;
        value[i + 1] = i % 5 == 0 ? value[i] : i % 3 == 0 ? -1.5 * (double)i : 1e300 / (double)i;
    }
    value[3] = NAN;
    value[4] = data_stale_nan();
    value[5] = -0.0;
    value[6] = INFINITY;
    check_round_trip(ts, value, ARRAY_LEN(ts));
    check_round_trip(ts, value, 1);
    check_round_trip(ts, value, 2);
    check_round_trip((const int64_t[]){-5, 3}, (const double[]){1, 1}, 2);
}

static struct data_histogram_span spans[] = {{0, 2}}, other_spans[] = {{1, 2}};

static struct data_histogram make(double count, double *buckets)
{
    return (struct data_histogram){.schema = 1,
                                   .is_integer = true,
                                   .zero_threshold = 0.001,
                                   .count = count,
                                   .sum = 1,
                                   .positive_spans = spans,
                                   .positive_span_count = 1,
                                   .positive = buckets,
                                   .positive_count = 2};
}

/* How many of three histograms fit into the first chunk, and the head of the second one. */
static void check_cut(const struct data_histogram *a, const struct data_histogram *b,
                      const struct data_histogram *c, size_t expected, int header)
{
    static const int64_t ts[] = {NS_PER_SEC, 2 * NS_PER_SEC, 3 * NS_PER_SEC};
    const struct data_histogram *h[] = {a, b, c};
    enum decode_chunk_encoding encoding;
    struct buf out = {0};
    size_t n = decode_chunk_put_histograms(ts, h, 3, NULL, &encoding, &out);
    assert_int_equal(n, expected);
    assert_int_equal((unsigned char)out.ptr[0] << 8 | (unsigned char)out.ptr[1], expected);
    if (n < 3) {
        buf_clear(&out);
        decode_chunk_put_histograms(ts + n, h + n, 3 - n, h[n - 1], &encoding, &out);
        assert_int_equal((unsigned char)out.ptr[2], header);
    }
    buf_deinit(&out);
}

static void histograms_are_cut(void **state)
{
    (void)state;
    double low[] = {1, 1}, high[] = {2, 2};
    struct data_histogram a = make(2, low), b = make(4, high), c = make(4, high), d;
    check_cut(&a, &b, &c, 3, 0);
    check_cut(&b, &a, &a, 1, 0x80); /* the count fell */
    d = a;
    d.reset_hint = DATA_RESET_YES;
    check_cut(&a, &d, &b, 1, 0x80);
    d.reset_hint = DATA_RESET_GAUGE;
    check_cut(&a, &d, &d, 1, 0xc0);
    check_cut(&d, &d, &d, 3, 0); /* gauges may fall */
    d = b;
    d.positive_spans = other_spans;
    check_cut(&b, &b, &d, 2, 0x80); /* a bucket vanished */
    d = b;
    d.is_integer = false;
    check_cut(&a, &d, &d, 1, 0);
    d = (struct data_histogram){.is_stale = true, .sum = data_stale_nan(), .is_integer = true};
    check_cut(&a, &d, &b, 1, 0);
    check_cut(&d, &a, &b, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(checksums),
                                       cmocka_unit_test(floats_read_back),
                                       cmocka_unit_test(histograms_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
