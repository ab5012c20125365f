#include "codec/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "codec/compress.h"

static void pack(enum codec_archive kind, struct slice text, struct buf *out)
{
    size_t room = text.len + text.len / 8 + 4096;
    switch (kind) {
    case CODEC_ARCHIVE_GZIP: codec_compress(CODEC_GZIP, 0, text, out); break;
    case CODEC_ARCHIVE_ZSTD: codec_compress(CODEC_ZSTD, 0, text, out); break;
    case CODEC_ARCHIVE_XZ: {
        char *to = buf_reserve(out, room);
        size_t at = 0;
        assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL,
                                                 (const uint8_t *)text.ptr, text.len, (uint8_t *)to,
                                                 &at, room),
                         LZMA_OK);
        out->len += at;
        break;
    }
    case CODEC_ARCHIVE_BZIP2: {
        char *to = buf_reserve(out, room);
        unsigned len = (unsigned)room;
        assert_int_equal(BZ2_bzBuffToBuffCompress(to, &len, (char *)(uintptr_t)text.ptr,
                                                  (unsigned)text.len, 1, 0, 0),
                         BZ_OK);
        out->len += len;
        break;
    }
    default: fail();
    }
}

static const enum codec_archive kinds[] = {CODEC_ARCHIVE_GZIP, CODEC_ARCHIVE_ZSTD, CODEC_ARCHIVE_XZ,
                                           CODEC_ARCHIVE_BZIP2};

static void make_text(struct buf *text)
{
    uint64_t x = 1;
    for (int i = 0; i < 20000; i++) {
        x = x * 6364136223846793005u + 1;
        buf_printf(text, "line %d of %u\n", i, (unsigned)(x >> 50));
    }
}

/* Two members behind each other, in pieces of every size, with little room. */
static void test_pieces(void **state)
{
    struct buf text = {0}, twice = {0};
    (void)state;
    make_text(&text);
    buf_append_slice(&twice, buf_slice(&text));
    buf_append_slice(&twice, buf_slice(&text));
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct buf packed = {0};
        pack(kinds[k], buf_slice(&text), &packed);
        pack(kinds[k], buf_slice(&text), &packed);
        assert_int_equal(codec_archive_of(buf_slice(&packed)), kinds[k]);
        static const size_t steps[] = {1, 7, 1000, 1 << 20};
        for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
            struct codec_unpack *u = codec_unpack_new(kinds[k], (size_t)64 << 20);
            struct buf out = {0};
            struct slice rest = buf_slice(&packed);
            while (rest.len) {
                struct slice piece = slice_first(rest, steps[s]);
                rest = slice_from(rest, piece.len);
                size_t before;
                do {
                    before = out.len;
                    assert_int_equal(codec_unpack_push(u, &piece, 999, &out, NULL), 0);
                    assert_true(out.len - before <= 999);
                } while (piece.len || out.len > before);
            }
            assert_true(codec_unpack_is_whole(u));
            assert_true(slice_eq(buf_slice(&out), buf_slice(&twice)));
            buf_deinit(&out);
            codec_unpack_free(u);
        }
        buf_deinit(&packed);
    }
    buf_deinit(&text);
    buf_deinit(&twice);
}

static void test_damaged(void **state)
{
    struct buf text = {0};
    (void)state;
    make_text(&text);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct buf packed = {0}, out = {0};
        pack(kinds[k], buf_slice(&text), &packed);
        struct codec_unpack *u = codec_unpack_new(kinds[k], (size_t)64 << 20);
        struct slice half = slice_first(buf_slice(&packed), packed.len / 2);
        assert_int_equal(codec_unpack_push(u, &half, SIZE_MAX / 2, &out, NULL), 0);
        assert_false(codec_unpack_is_whole(u)); /* cut off */
        codec_unpack_free(u);
        u = codec_unpack_new(kinds[k], (size_t)64 << 20);
        for (size_t i = packed.len / 2; i < packed.len / 2 + 64; i++)
            packed.ptr[i] = (char)~packed.ptr[i];
        struct slice all = buf_slice(&packed);
        buf_clear(&out);
        int err = codec_unpack_push(u, &all, SIZE_MAX / 2, &out, NULL);
        assert_true(err == ERR_INVALID || !codec_unpack_is_whole(u));
        codec_unpack_free(u);
        buf_deinit(&packed);
        buf_deinit(&out);
    }
    assert_int_equal(codec_archive_of(SLICE("BZhello")), CODEC_ARCHIVE_NONE);
    assert_int_equal(codec_archive_of(SLICE("")), CODEC_ARCHIVE_NONE);
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces),
                                       cmocka_unit_test(test_damaged)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
