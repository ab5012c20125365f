#include "codec/unpack.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define STEP_BYTES ((size_t)64 << 10)

struct codec_unpack {
    enum codec_archive kind;
    size_t memory_max;
    bool whole; /* between members, or before the first byte */
    bool begun; /* the library's state is there */
    union {
        z_stream gzip;
        lzma_stream xz;
        bz_stream bzip2;
        ZSTD_DStream *zstd;
    };
};

enum codec_archive codec_archive_of(struct slice s)
{
    static const struct {
        struct slice magic;
        enum codec_archive kind;
    } rows[] = {{SLICE_INIT("\x1f\x8b\x08"), CODEC_ARCHIVE_GZIP},
                {SLICE_INIT("\x28\xb5\x2f\xfd"), CODEC_ARCHIVE_ZSTD},
                {SLICE_INIT("\xfd"
                            "7zXZ\0"),
                 CODEC_ARCHIVE_XZ},
                {SLICE_INIT("BZh"), CODEC_ARCHIVE_BZIP2}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_starts_with(s, rows[i].magic) &&
            (rows[i].kind != CODEC_ARCHIVE_BZIP2 ||
             (s.len > 3 && s.ptr[3] >= '1' && s.ptr[3] <= '9')))
            return rows[i].kind;
    }
    return CODEC_ARCHIVE_NONE;
}

struct codec_unpack *codec_unpack_new(enum codec_archive kind, size_t memory_max)
{
    struct codec_unpack *u = mem_calloc(1, sizeof(*u));
    u->kind = kind;
    u->memory_max = memory_max;
    u->whole = true;
    return u;
}

static void end(struct codec_unpack *u)
{
    if (!u->begun)
        return;
    switch (u->kind) {
    case CODEC_ARCHIVE_GZIP: inflateEnd(&u->gzip); break;
    case CODEC_ARCHIVE_XZ: lzma_end(&u->xz); break;
    case CODEC_ARCHIVE_BZIP2: BZ2_bzDecompressEnd(&u->bzip2); break;
    case CODEC_ARCHIVE_ZSTD: ZSTD_freeDStream(u->zstd); break;
    case CODEC_ARCHIVE_NONE: break;
    }
    u->begun = false;
}

void codec_unpack_free(struct codec_unpack *u)
{
    if (!u)
        return;
    end(u);
    mem_free(u);
}

bool codec_unpack_is_whole(const struct codec_unpack *u)
{
    return u->whole;
}

static bool begin(struct codec_unpack *u)
{
    bool ok = false;
    switch (u->kind) {
    case CODEC_ARCHIVE_GZIP:
        u->gzip = (z_stream){0};
        ok = inflateInit2(&u->gzip, 15 + 16) == Z_OK;
        break;
    case CODEC_ARCHIVE_XZ:
        u->xz = (lzma_stream)LZMA_STREAM_INIT;
        ok = lzma_stream_decoder(&u->xz, u->memory_max, 0) == LZMA_OK;
        break;
    case CODEC_ARCHIVE_BZIP2:
        u->bzip2 = (bz_stream){0};
        ok = BZ2_bzDecompressInit(&u->bzip2, 0, 0) == BZ_OK;
        break;
    case CODEC_ARCHIVE_ZSTD: {
        int window = 10; /* the smallest that the library knows */
        u->zstd = ZSTD_createDStream();
        while (window < 31 && ((size_t)2 << window) <= u->memory_max)
            window++;
        ok = u->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, window));
        break;
    }
    case CODEC_ARCHIVE_NONE: break;
    }
    u->begun = ok;
    return ok;
}

enum step { STEP_OK, STEP_END, STEP_BAD, STEP_NOMEM };

static enum step step(struct codec_unpack *u, struct slice *in, char *to, size_t *room)
{
    switch (u->kind) {
    case CODEC_ARCHIVE_GZIP: {
        u->gzip.next_in = (Bytef *)(uintptr_t)in->ptr;
        u->gzip.avail_in = (uInt)MIN(in->len, (size_t)1 << 30);
        u->gzip.next_out = (Bytef *)to;
        u->gzip.avail_out = (uInt)*room;
        size_t before = u->gzip.avail_in;
        int err = inflate(&u->gzip, Z_NO_FLUSH);
        *in = slice_from(*in, before - u->gzip.avail_in);
        *room = u->gzip.avail_out;
        return err == Z_STREAM_END                 ? STEP_END
               : err == Z_OK || err == Z_BUF_ERROR ? STEP_OK
               : err == Z_MEM_ERROR                ? STEP_NOMEM
                                                   : STEP_BAD;
    }
    case CODEC_ARCHIVE_XZ: {
        u->xz.next_in = (const uint8_t *)in->ptr;
        u->xz.avail_in = in->len;
        u->xz.next_out = (uint8_t *)to;
        u->xz.avail_out = *room;
        lzma_ret err = lzma_code(&u->xz, LZMA_RUN);
        *in = slice_from(*in, in->len - u->xz.avail_in);
        *room = u->xz.avail_out;
        return err == LZMA_STREAM_END                                ? STEP_END
               : err == LZMA_OK || err == LZMA_BUF_ERROR             ? STEP_OK
               : err == LZMA_MEM_ERROR || err == LZMA_MEMLIMIT_ERROR ? STEP_NOMEM
                                                                     : STEP_BAD;
    }
    case CODEC_ARCHIVE_BZIP2: {
        u->bzip2.next_in = (char *)(uintptr_t)in->ptr;
        u->bzip2.avail_in = (unsigned)MIN(in->len, (size_t)1 << 30);
        u->bzip2.next_out = to;
        u->bzip2.avail_out = (unsigned)*room;
        size_t before = u->bzip2.avail_in;
        int err = BZ2_bzDecompress(&u->bzip2);
        *in = slice_from(*in, before - u->bzip2.avail_in);
        *room = u->bzip2.avail_out;
        return err == BZ_STREAM_END  ? STEP_END
               : err == BZ_OK        ? STEP_OK
               : err == BZ_MEM_ERROR ? STEP_NOMEM
                                     : STEP_BAD;
    }
    case CODEC_ARCHIVE_ZSTD: {
        ZSTD_inBuffer from = {in->ptr, in->len, 0};
        ZSTD_outBuffer out = {to, *room, 0};
        size_t left = ZSTD_decompressStream(u->zstd, &out, &from);
        *in = slice_from(*in, from.pos);
        *room -= out.pos;
        if (!ZSTD_isError(left))
            return left ? STEP_OK : STEP_END;
        return strstr(ZSTD_getErrorName(left), "memory") ? STEP_NOMEM : STEP_BAD;
    }
    case CODEC_ARCHIVE_NONE: break;
    }
    return STEP_BAD;
}

int codec_unpack_push(struct codec_unpack *u, struct slice *in, size_t out_max, struct buf *out,
                      struct diag *diag)
{
    size_t limit = out->len + out_max;
    while (out->len < limit) {
        if (!u->begun) {
            while (u->kind == CODEC_ARCHIVE_XZ && in->len && !in->ptr[0])
                *in = slice_from(*in, 1); /* padding between its streams */
            if (!in->len)
                break;
            if (!begin(u))
                return diag_set(diag, ERR_NOMEM, "no memory to decompress with");
        }
        size_t had = in->len, room = MIN(limit - out->len, STEP_BYTES), asked = room;
        char *to = buf_reserve(out, room);
        enum step result = step(u, in, to, &room);
        out->len += asked - room;
        if (had > in->len || asked > room)
            u->whole = false;
        switch (result) {
        case STEP_OK:
            if (had == in->len && asked == room)
                return 0; /* it wants more bytes */
            break;
        case STEP_END:
            u->whole = true;
            if (u->kind == CODEC_ARCHIVE_ZSTD) { /* it is ready for another frame */
                if (!in->len)
                    return 0;
                break;
            }
            end(u);
            break;
        case STEP_NOMEM:
            return diag_set(diag, ERR_NOMEM, "it takes more than %zu bytes of memory to decompress",
                            u->memory_max);
        case STEP_BAD: return diag_set(diag, ERR_INVALID, "its compressed data is damaged");
        }
    }
    return 0;
}
