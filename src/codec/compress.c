#include "codec/compress.h"

#include <libdeflate.h>
#include <lz4.h>
#include <pthread.h>
#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/snappy.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "formats are written in native order");

#define GZIP_LEVEL 6
#define ZSTD_LEVEL 1
#define STEP_BYTES ((size_t)64 << 10) /* output grows by this at first when its size is unknown */

/* Contexts are large; each thread keeps one of a kind. */
struct contexts {
    struct libdeflate_compressor *deflate;
    int deflate_level;
    ZSTD_CCtx *zstd;
    ZSTD_DCtx *unzstd;
};
static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void free_contexts(void *p)
{
    struct contexts *c = p;
    libdeflate_free_compressor(c->deflate);
    ZSTD_freeCCtx(c->zstd);
    ZSTD_freeDCtx(c->unzstd);
    mem_free(c);
}

static void make_key(void)
{
    pthread_key_create(&contexts_key, free_contexts);
}

static struct contexts *contexts(void)
{
    pthread_once(&contexts_once, make_key);
    struct contexts *c = pthread_getspecific(contexts_key);
    if (!c) {
        c = mem_calloc(1, sizeof(*c));
        pthread_setspecific(contexts_key, c);
    }
    return c;
}

static struct libdeflate_compressor *deflate_of(int level)
{
    struct contexts *c = contexts();
    if (!c->deflate || c->deflate_level != level) {
        libdeflate_free_compressor(c->deflate);
        c->deflate = libdeflate_alloc_compressor(level);
        c->deflate_level = level;
        base_assert(c->deflate);
    }
    return c->deflate;
}

void codec_compress(enum codec_compression kind, int level, struct slice in, struct buf *out)
{
    switch (kind) {
    case CODEC_IDENTITY: buf_append_slice(out, in); return;
    case CODEC_GZIP: {
        struct libdeflate_compressor *c = deflate_of(level ? level : GZIP_LEVEL);
        size_t bound = libdeflate_gzip_compress_bound(c, in.len);
        out->len += libdeflate_gzip_compress(c, in.ptr, in.len, buf_reserve(out, bound), bound);
        return;
    }
    case CODEC_DEFLATE: {
        struct libdeflate_compressor *c = deflate_of(level ? level : GZIP_LEVEL);
        size_t bound = libdeflate_zlib_compress_bound(c, in.len);
        out->len += libdeflate_zlib_compress(c, in.ptr, in.len, buf_reserve(out, bound), bound);
        return;
    }
    case CODEC_ZSTD: {
        struct contexts *c = contexts();
        if (!c->zstd)
            c->zstd = ZSTD_createCCtx();
        size_t bound = ZSTD_compressBound(in.len);
        size_t n = ZSTD_compressCCtx(c->zstd, buf_reserve(out, bound), bound, in.ptr, in.len,
                                     level ? level : ZSTD_LEVEL);
        base_assert(!ZSTD_isError(n));
        out->len += n;
        return;
    }
    case CODEC_SNAPPY: codec_snappy_compress(in, out); return;
    case CODEC_LZ4: {
        base_assert(in.len <= LZ4_MAX_INPUT_SIZE);
        codec_append_varint(out, in.len);
        int bound = LZ4_compressBound((int)in.len);
        out->len += (size_t)LZ4_compress_default(in.ptr, buf_reserve(out, (size_t)bound),
                                                 (int)in.len, bound);
        return;
    }
    case CODEC_COMPRESSION_COUNT: break;
    }
    base_assert(!"known compression");
}

static int too_large(struct diag *diag, size_t out_max)
{
    return diag_set(diag, ERR_TOO_LARGE, "more than the allowed %zu bytes when decompressed",
                    out_max);
}

/* Room for more output: doubling, never beyond what is still allowed. */
static size_t grow(struct buf *out, size_t done, size_t out_max)
{
    size_t step = MIN(MAX(STEP_BYTES, done), out_max - done);
    (void)buf_reserve(out, step);
    return step;
}

/* gzip, zlib and raw deflate through zlib's stream, which bounds output as it goes. */
static int inflate_all(struct slice in, int window_bits, bool members, size_t out_max,
                       struct buf *out, struct diag *diag)
{
    z_stream z = {0};
    int err = 0;
    size_t done = 0;
    if (inflateInit2(&z, window_bits) != Z_OK)
        return diag_set(diag, ERR_NOMEM, "no memory to decompress");
    z.next_in = (Bytef *)(uintptr_t)in.ptr;
    size_t left = in.len;
    for (;;) {
        /* avail_in is 32 bits wide. */
        size_t chunk = MIN(left, (size_t)1 << 30);
        z.avail_in = (uInt)chunk;
        /* One byte more than allowed tells "exactly" from "beyond". */
        size_t room = grow(out, done, out_max + 1);
        z.next_out = (Bytef *)out->ptr + out->len;
        z.avail_out = (uInt)MIN(room, (size_t)1 << 30);
        size_t offered = z.avail_out;
        int r = inflate(&z, Z_NO_FLUSH);
        left -= chunk - z.avail_in;
        done += offered - z.avail_out;
        out->len += offered - z.avail_out;
        if (done > out_max) {
            err = too_large(diag, out_max);
            break;
        }
        if (r == Z_STREAM_END) {
            if (!left)
                break;
            if (!members) {
                err = diag_set(diag, ERR_INVALID, "%zu bytes behind the compressed data", left);
                break;
            }
            inflateReset(&z);
        } else if (r == Z_BUF_ERROR || (r == Z_OK && !left && z.avail_out)) {
            err = diag_set(diag, ERR_INVALID, "the compressed data ends early, after %zu bytes",
                           in.len);
            break;
        } else if (r != Z_OK) {
            err = diag_set(diag, ERR_INVALID, "damaged compressed data at byte %zu%s%s",
                           in.len - left, z.msg ? ": " : "", z.msg ? z.msg : "");
            break;
        }
    }
    inflateEnd(&z);
    return err;
}

static int unzstd_all(struct slice in, size_t out_max, struct buf *out, struct diag *diag)
{
    struct contexts *c = contexts();
    if (!c->unzstd)
        c->unzstd = ZSTD_createDCtx();
    ZSTD_DCtx_reset(c->unzstd, ZSTD_reset_session_only);
    /* A frame may ask for a window up to this; RFC 8878 suggests at least 8 MiB. */
    ZSTD_DCtx_setParameter(c->unzstd, ZSTD_d_windowLogMax, 27);
    ZSTD_inBuffer src = {in.ptr, in.len, 0};
    size_t done = 0, hint = 1;
    while (src.pos < src.size || hint) {
        size_t room = grow(out, done, out_max + 1);
        ZSTD_outBuffer dst = {out->ptr + out->len, room, 0};
        size_t before = src.pos;
        hint = ZSTD_decompressStream(c->unzstd, &dst, &src);
        if (ZSTD_isError(hint))
            return diag_set(diag, ERR_INVALID, "damaged zstd data at byte %zu: %s", src.pos,
                            ZSTD_getErrorName(hint));
        out->len += dst.pos;
        done += dst.pos;
        if (done > out_max)
            return too_large(diag, out_max);
        if (src.pos == before && dst.pos < dst.size && hint)
            return diag_set(diag, ERR_INVALID, "the zstd data ends early, after %zu bytes", in.len);
    }
    return 0;
}

bool codec_zstd_decompress(struct slice in, char *out, size_t out_len)
{
    struct contexts *c = contexts();
    if (!c->unzstd)
        c->unzstd = ZSTD_createDCtx();
    ZSTD_DCtx_reset(c->unzstd, ZSTD_reset_session_only);
    return ZSTD_decompressDCtx(c->unzstd, out, out_len, in.ptr, in.len) == out_len;
}

static int unlz4_all(struct slice in, size_t out_max, struct buf *out, struct diag *diag)
{
    uint64_t len;
    if (!codec_take_varint(&in, &len) || len > LZ4_MAX_INPUT_SIZE)
        return diag_set(diag, ERR_INVALID, "lz4: no valid length at the start");
    if (len > out_max)
        return too_large(diag, out_max);
    if (len / 255 > in.len)
        return diag_set(diag, ERR_INVALID, "lz4: %zu bytes cannot hold the stated %llu", in.len,
                        (unsigned long long)len);
    int n = LZ4_decompress_safe(in.ptr, buf_reserve(out, (size_t)len + 1), (int)in.len, (int)len);
    if (n < 0 || (uint64_t)n != len)
        return diag_set(diag, ERR_INVALID, "lz4: damaged data");
    out->len += (size_t)n;
    return 0;
}

int codec_decompress(enum codec_compression kind, struct slice in, size_t out_max, struct buf *out,
                     struct diag *diag)
{
    if (out_max > SIZE_MAX / 2)
        out_max = SIZE_MAX / 2;
    switch (kind) {
    case CODEC_IDENTITY:
        if (in.len > out_max)
            return too_large(diag, out_max);
        buf_append_slice(out, in);
        return 0;
    case CODEC_GZIP: return inflate_all(in, 15 + 16, true, out_max, out, diag);
    case CODEC_DEFLATE: {
        /* RFC 1950 header: low nibble 8, and the two bytes divisible by 31; anything else is raw.
         */
        const unsigned char *p = (const unsigned char *)in.ptr;
        bool zlib = in.len >= 2 && (p[0] & 15) == 8 && (p[0] << 8 | p[1]) % 31 == 0;
        return inflate_all(in, zlib ? 15 : -15, false, out_max, out, diag);
    }
    case CODEC_ZSTD: return unzstd_all(in, out_max, out, diag);
    case CODEC_SNAPPY: return codec_snappy_decompress(in, out_max, out, diag);
    case CODEC_LZ4: return unlz4_all(in, out_max, out, diag);
    case CODEC_COMPRESSION_COUNT: break;
    }
    base_assert(!"known compression");
    return ERR_UNSUPPORTED;
}

struct codec_stream {
    enum codec_compression kind;
    z_stream z;
    ZSTD_CStream *zstd;
};

struct codec_stream *codec_stream_new(enum codec_compression kind, int level)
{
    base_assert(kind == CODEC_GZIP || kind == CODEC_DEFLATE || kind == CODEC_ZSTD);
    struct codec_stream *s = mem_calloc(1, sizeof(*s));
    s->kind = kind;
    if (kind != CODEC_ZSTD) {
        int r = deflateInit2(&s->z, level ? level : 1, Z_DEFLATED,
                             kind == CODEC_GZIP ? 15 + 16 : 15, 8, Z_DEFAULT_STRATEGY);
        base_assert(r == Z_OK);
    } else {
        s->zstd = ZSTD_createCStream();
        base_assert(s->zstd);
        ZSTD_initCStream(s->zstd, level ? level : ZSTD_LEVEL);
    }
    return s;
}

void codec_stream_push(struct codec_stream *s, struct slice in, bool flush, bool end,
                       struct buf *out)
{
    if (s->kind == CODEC_ZSTD) {
        ZSTD_inBuffer src = {in.ptr, in.len, 0};
        ZSTD_EndDirective mode = end ? ZSTD_e_end : flush ? ZSTD_e_flush : ZSTD_e_continue;
        size_t left;
        do {
            size_t room = ZSTD_CStreamOutSize();
            ZSTD_outBuffer dst = {buf_reserve(out, room), room, 0};
            left = ZSTD_compressStream2(s->zstd, &dst, &src, mode);
            base_assert(!ZSTD_isError(left));
            out->len += dst.pos;
        } while (src.pos < src.size || (mode != ZSTD_e_continue && left));
        return;
    }
    s->z.next_in = (Bytef *)(uintptr_t)in.ptr;
    size_t left = in.len;
    int mode = end ? Z_FINISH : flush ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
        size_t chunk = MIN(left, (size_t)1 << 30);
        s->z.avail_in = (uInt)chunk;
        left -= chunk;
        do {
            s->z.next_out = (Bytef *)buf_reserve(out, 16 << 10);
            s->z.avail_out = 16 << 10;
            deflate(&s->z, left ? Z_NO_FLUSH : mode);
            out->len += (16 << 10) - s->z.avail_out;
        } while (!s->z.avail_out);
    } while (left);
}

void codec_stream_free(struct codec_stream *s)
{
    if (!s)
        return;
    if (s->kind != CODEC_ZSTD)
        deflateEnd(&s->z);
    else
        ZSTD_freeCStream(s->zstd);
    mem_free(s);
}
