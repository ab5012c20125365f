#include "codec/compress.h"

#include <setjmp.h>
#include <snappy-c.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/mem.h"

/* Text that repeats, text that does not, and runs, by seed. */
static struct buf sample(uint64_t seed, size_t len)
{
    struct buf b = {0};
    while (b.len < len) {
        uint64_t r = hash_u64(seed++);
        switch (r & 3) {
        case 0:
            buf_printf(&b, "node_cpu_seconds_total{cpu=\"%d\"} %d\n", (int)(r >> 8 & 7),
                       (int)(r >> 16 & 1023));
            break;
        case 1: buf_append(&b, &r, sizeof(r)); break;
        case 2:
            for (int i = 0; i < (int)(r >> 8 & 127); i++)
                buf_append_char(&b, 'a');
            break;
        default:
            if (b.len > 100) {
                size_t n = 1 + (r >> 8) % 90, at = (r >> 20) % (b.len - n);
                char *room = buf_reserve(&b, n);
                memcpy(room, b.ptr + at, n);
                b.len += n;
            }
        }
    }
    b.len = len;
    return b;
}

static const enum codec_compression kinds[] = {CODEC_IDENTITY, CODEC_GZIP,   CODEC_DEFLATE,
                                               CODEC_ZSTD,     CODEC_SNAPPY, CODEC_LZ4};
static const size_t sizes[] = {0, 1, 2, 15, 16, 17, 60, 61, 100, 4096, 65535, 65536, 65537, 300000};

static void comes_back_the_same(void **state)
{
    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            struct buf in = sample(i * 7 + k, sizes[i]), packed = {0}, out = {0};
            struct diag d;
            diag_init(&d);
            codec_compress(kinds[k], 0, buf_slice(&in), &packed);
            if (codec_decompress(kinds[k], buf_slice(&packed), in.len, &out, &d))
                fail_msg("kind %zu size %zu: %s", k, sizes[i], d.msg);
            assert_true(slice_eq(buf_slice(&in), buf_slice(&out)));
            if (in.len) {
                buf_clear(&out);
                assert_int_equal(
                    codec_decompress(kinds[k], buf_slice(&packed), in.len - 1, &out, NULL),
                    ERR_TOO_LARGE);
            }
            buf_deinit(&in);
            buf_deinit(&packed);
            buf_deinit(&out);
        }
    }
}

static void cuts_and_flips_are_noticed_or_harmless(void **state)
{
    (void)state;
    for (size_t k = 1; k < ARRAY_LEN(kinds); k++) {
        struct buf in = sample(k, 700), packed = {0}, out = {0};
        codec_compress(kinds[k], 0, buf_slice(&in), &packed);
        for (size_t n = 0; n < packed.len; n++) {
            /* An exact-size copy, so that the sanitizer sees a read past the end. */
            char *cut = mem_dup(packed.ptr, n);
            buf_clear(&out);
            assert_int_not_equal(
                codec_decompress(kinds[k], slice_make(cut, n), 1 << 20, &out, NULL), 0);
            mem_free(cut);
            for (int bit = 0; bit < 8; bit++) {
                char *flipped = mem_dup(packed.ptr, packed.len);
                flipped[n] = (char)(flipped[n] ^ (1 << bit));
                buf_clear(&out);
                int err = codec_decompress(kinds[k], slice_make(flipped, packed.len), 1 << 20, &out,
                                           NULL);
                assert_true(err == 0 || err == ERR_INVALID || err == ERR_TOO_LARGE);
                mem_free(flipped);
            }
        }
        buf_deinit(&in);
        buf_deinit(&packed);
        buf_deinit(&out);
    }
}

static void bombs_stay_small(void **state)
{
    (void)state;
    struct buf zeros = {0}, packed = {0}, out = {0};
    memset(buf_reserve(&zeros, 64 << 20), 0, 64 << 20);
    zeros.len = 64 << 20;
    for (size_t k = 1; k < ARRAY_LEN(kinds); k++) {
        buf_clear(&packed);
        codec_compress(kinds[k], 0, buf_slice(&zeros), &packed);
        buf_deinit(&out);
        assert_int_equal(codec_decompress(kinds[k], buf_slice(&packed), 100000, &out, NULL),
                         ERR_TOO_LARGE);
        assert_true(out.cap < (1 << 20));
    }
    /* A length that lies. */
    assert_int_equal(codec_decompress(CODEC_SNAPPY,
                                      SLICE("\xff\xff\xff\xff\x0f"
                                            "abc"),
                                      SIZE_MAX, &out, NULL),
                     ERR_INVALID);
    buf_deinit(&zeros);
    buf_deinit(&packed);
    buf_deinit(&out);
}

static void members_and_frames_follow_each_other(void **state)
{
    (void)state;
    static const enum codec_compression both[] = {CODEC_GZIP, CODEC_ZSTD};
    for (size_t k = 0; k < ARRAY_LEN(both); k++) {
        struct buf packed = {0}, out = {0};
        codec_compress(both[k], 0, SLICE("hello "), &packed);
        codec_compress(both[k], 0, SLICE("world"), &packed);
        assert_int_equal(codec_decompress(both[k], buf_slice(&packed), 100, &out, NULL), 0);
        assert_string_equal(buf_cstr(&out), "hello world");
        buf_append_cstr(&packed, "junk");
        assert_int_equal(codec_decompress(both[k], buf_slice(&packed), 100, &out, NULL),
                         ERR_INVALID);
        buf_deinit(&packed);
        buf_deinit(&out);
    }
}

static void streams_can_be_read_as_they_come(void **state)
{
    (void)state;
    static const enum codec_compression both[] = {CODEC_GZIP, CODEC_ZSTD};
    for (size_t k = 0; k < ARRAY_LEN(both); k++) {
        struct codec_stream *s = codec_stream_new(both[k], 0);
        struct buf packed = {0}, out = {0}, all = {0};
        for (int i = 0; i < 50; i++) {
            struct buf piece = sample((uint64_t)i, (size_t)i * 97);
            buf_append_slice(&all, buf_slice(&piece));
            size_t before = packed.len;
            codec_stream_push(s, buf_slice(&piece), i % 3 == 0, false, &packed);
            if (i % 3 == 0 && piece.len)
                assert_true(packed.len > before);
            buf_deinit(&piece);
        }
        codec_stream_push(s, SLICE(""), false, true, &packed);
        codec_stream_free(s);
        assert_int_equal(codec_decompress(both[k], buf_slice(&packed), all.len, &out, NULL), 0);
        assert_true(slice_eq(buf_slice(&all), buf_slice(&out)));
        buf_deinit(&packed);
        buf_deinit(&out);
        buf_deinit(&all);
    }
}

/* Ours and the library read each other. */
static void snappy_agrees_with_the_library(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct buf in = sample(seed, hash_u64(seed) % 200000), packed = {0}, out = {0};
        codec_compress(CODEC_SNAPPY, 0, buf_slice(&in), &packed);
        size_t len = in.len;
        assert_int_equal(
            snappy_uncompress(packed.ptr, packed.len, buf_reserve(&out, len + 1), &len), SNAPPY_OK);
        assert_int_equal(len, in.len);
        assert_memory_equal(out.ptr, in.ptr ? in.ptr : "", len);
        len = snappy_max_compressed_length(in.len);
        buf_clear(&packed);
        assert_int_equal(
            snappy_compress(in.ptr ? in.ptr : "", in.len, buf_reserve(&packed, len), &len),
            SNAPPY_OK);
        assert_int_equal(
            codec_decompress(CODEC_SNAPPY, slice_make(packed.ptr, len), in.len, &out, NULL), 0);
        assert_true(slice_eq(buf_slice(&in), buf_slice(&out)));
        buf_deinit(&in);
        buf_deinit(&packed);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_the_same),
        cmocka_unit_test(cuts_and_flips_are_noticed_or_harmless),
        cmocka_unit_test(bombs_stay_small),
        cmocka_unit_test(members_and_frames_follow_each_other),
        cmocka_unit_test(streams_can_be_read_as_they_come),
        cmocka_unit_test(snappy_agrees_with_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
