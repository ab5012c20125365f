#include "codec/column.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/decimal.h"

static const size_t sizes[] = {1, 2, 3, 4, 127, 128, 129, 255, 256, 257, 1000};

/* Shapes that columns have, and shapes made to hurt. */
static int64_t int_of(int shape, uint64_t seed, size_t i)
{
    uint64_t r = hash_u64(seed * 1000003 + i);
    switch (shape) {
    case 0: return 42;
    case 1: return 1700000000000000000 + (int64_t)i * 15000000000;
    case 2: return 1700000000000000000 + (int64_t)i * 15000000000 + (int64_t)(r % 10) * 1000000;
    case 3: return (int64_t)(r % 100);
    case 4: return (int64_t)i * 7 + (int64_t)(r % 3);
    case 5: return (int64_t)r;
    case 6: return r & 1 ? INT64_MAX : INT64_MIN;
    case 7: return (int64_t)(i * i);
    case 8: return i == 5 ? INT64_MIN : (int64_t)i;
    default: return -(int64_t)(i * 1000);
    }
}

static void integers_come_back(void **state)
{
    (void)state;
    for (int shape = 0; shape < 10; shape++) {
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            int64_t in[1000], back[1000];
            for (size_t i = 0; i < sizes[s]; i++)
                in[i] = int_of(shape, s, i);
            struct buf b = {0};
            codec_ints_encode(in, sizes[s], &b);
            size_t len = b.len;
            buf_append_cstr(&b, "tail");
            struct slice rest = buf_slice(&b);
            struct slice skipped = rest;
            assert_int_equal(codec_ints_decode(&rest, back, sizes[s]), 0);
            assert_int_equal(codec_ints_skip(&skipped, sizes[s]), 0);
            assert_true(skipped.ptr == rest.ptr && skipped.len == rest.len);
            assert_true(slice_eq_cstr(rest, "tail"));
            assert_memory_equal(in, back, sizes[s] * sizeof(in[0]));
            if (shape == 1 && sizes[s] == 1000)
                assert_true(len < 40);
            buf_deinit(&b);
        }
    }
}

static double double_of(int shape, uint64_t seed, size_t i)
{
    uint64_t r = hash_u64(seed * 7919 + i);
    switch (shape) {
    case 0: return 0.1;
    case 1: return (double)(i * 3 + r % 2);
    case 2: return (double)(r % 10000) / 100;
    case 3: return codec_bits_double(r);
    case 4: return i % 50 == 7 ? codec_bits_double(UINT64_C(0x7ff0000000000002)) : (double)i;
    case 5: return i % 3 ? 0.0 : -0.0;
    case 6: return sin((double)i);
    case 7: return r % 4 ? INFINITY : -INFINITY;
    case 8: return (double)(r % 1000) * 1e-9;
    case 9: return 1e15 + (double)(r % 100) / 8;
    case 10: /* about where integers stop being exact, both signs */
        return (r & 1 ? -1.0 : 1.0) * ((double)(INT64_C(1) << (50 + r % 4)) + (double)(r % 5) - 2);
    default: return 5e-324 * (double)(r % 5);
    }
}

static void doubles_come_back_bit_for_bit(void **state)
{
    (void)state;
    for (int shape = 0; shape < 12; shape++) {
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            double in[1000], back[1000];
            for (size_t i = 0; i < sizes[s]; i++)
                in[i] = double_of(shape, s, i);
            struct buf b = {0};
            codec_doubles_encode(in, sizes[s], &b);
            if (shape == 2 && sizes[s] == 1000)
                assert_true(b.len < 1900);
            struct slice rest = buf_slice(&b);
            assert_int_equal(codec_doubles_decode(&rest, back, sizes[s]), 0);
            assert_int_equal(rest.len, 0);
            assert_memory_equal(in, back, sizes[s] * sizeof(in[0]));
            buf_deinit(&b);
        }
    }
}

/* Integers of every width, in steps that make for every mode, with every number of decimals: each
 * is the integer divided, however it is computed. */
static void decimals_are_quotients_bit_for_bit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        int64_t in[1000], at = 0, step = 0;
        double back[1000];
        uint64_t r = hash_u64(seed);
        size_t count = 1 + r % 1000;
        unsigned width = (unsigned)(r >> 10) % 64, shape = (unsigned)(r >> 20) % 4,
                 decimals = (unsigned)(r >> 24) % 15;
        int64_t factor = (r >> 30) % 3 == 0 ? 1 + (int64_t)((r >> 32) % 100000) : 1;
        for (size_t i = 0; i < count; i++) {
            uint64_t bits = hash_u64(seed << 20 | i);
            int64_t v = (int64_t)(bits & ((UINT64_C(1) << width) - 1));
            if (hash_u64(bits) % 100 == 0 && (r >> 29) % 2)
                v *= 1 - (int64_t)(bits >> 63) * 2;
            if (hash_u64(bits) % 64 == 1 && (r >> 28) % 2)
                v = (int64_t)(bits >> (bits % 40));
            step = shape == 2 ? (int64_t)((uint64_t)step + (uint64_t)v) : v;
            at = shape ? (int64_t)((uint64_t)at + (uint64_t)step) : v;
            in[i] = (int64_t)((uint64_t)at * (uint64_t)factor);
        }
        struct buf b = {0};
        buf_append_char(&b, 0);
        buf_append_char(&b, (char)decimals);
        codec_ints_encode(in, count, &b);
        codec_append_varint(&b, 0);
        struct slice rest = slice_make(mem_dup(b.ptr, b.len), b.len);
        void *own = (void *)(uintptr_t)rest.ptr;
        unsigned facts;
        assert_int_equal(codec_doubles_decode_facts(&rest, back, count, &facts), 0);
        assert_int_equal(rest.len, 0);
        assert_int_equal(facts, CODEC_DOUBLES_ORDINARY | (decimals ? 0 : CODEC_DOUBLES_INTEGERS));
        for (size_t i = 0; i < count; i++) {
            double v = codec_decimal_value(in[i], (int)decimals);
            if (codec_double_bits(v) != codec_double_bits(back[i]))
                fail_msg("seed %llu: %lld with %u decimals", (unsigned long long)seed,
                         (long long)in[i], decimals);
        }
        mem_free(own);
        buf_deinit(&b);
    }
}

static void any_bytes_are_safe(void **state)
{
    (void)state;
    static double out[1000];
    for (uint64_t seed = 0; seed < 20000; seed++) {
        size_t len = hash_u64(seed) % 60;
        char *bytes = mem_alloc(len);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)hash_u64(seed * 61 + i);
        if (len)
            bytes[0] &= 0x13;
        struct slice in = slice_make(bytes, len);
        codec_doubles_decode(&in, out, 1 + seed % 1000);
        in = slice_make(bytes, len);
        struct slice skipped = in;
        int skip = codec_ints_skip(&skipped, 1 + seed % 1000);
        int err = codec_ints_decode(&in, (int64_t *)(void *)out, 1 + seed % 1000);
        assert_true(err || (!skip && skipped.ptr == in.ptr));
        mem_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_come_back),
        cmocka_unit_test(doubles_come_back_bit_for_bit),
        cmocka_unit_test(decimals_are_quotients_bit_for_bit),
        cmocka_unit_test(any_bytes_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
