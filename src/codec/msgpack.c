#include "codec/msgpack.h"

#include "base/err.h"
#include "codec/bytes.h"

static uint64_t big(const char *p, size_t width)
{
    uint64_t v = 0;
    for (size_t i = 0; i < width; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

int codec_msgpack_take(struct slice *in, struct codec_msgpack *out)
{
    static const uint8_t widths[4] = {1, 2, 4, 8};
    size_t width = 0, len = 0, head = 1;
    *out = (struct codec_msgpack){0};
    if (!in->len)
        return ERR_AGAIN;
    unsigned char c = (unsigned char)in->ptr[0];
    bool has_text = false;
    if (c < 0x80 || c >= 0xe0) {
        out->kind = CODEC_MSGPACK_INT;
        out->i = (int8_t)c;
    } else if (c < 0x90) {
        out->kind = CODEC_MSGPACK_MAP;
        out->count = c & 15;
    } else if (c < 0xa0) {
        out->kind = CODEC_MSGPACK_ARRAY;
        out->count = c & 15;
    } else if (c < 0xc0) {
        out->kind = CODEC_MSGPACK_STRING;
        len = c & 31;
        has_text = true;
    } else {
        switch (c) {
        case 0xc0: out->kind = CODEC_MSGPACK_NIL; break;
        case 0xc1: return ERR_INVALID;
        case 0xc2:
        case 0xc3:
            out->kind = CODEC_MSGPACK_BOOL;
            out->boolean = c & 1;
            break;
        case 0xc4:
        case 0xc5:
        case 0xc6:
            out->kind = CODEC_MSGPACK_BINARY;
            width = widths[c - 0xc4];
            has_text = true;
            break;
        case 0xc7:
        case 0xc8:
        case 0xc9:
            out->kind = CODEC_MSGPACK_EXT;
            width = widths[c - 0xc7];
            has_text = true;
            break;
        case 0xca:
        case 0xcb:
            out->kind = CODEC_MSGPACK_DOUBLE;
            width = c == 0xca ? 4 : 8;
            break;
        case 0xcc:
        case 0xcd:
        case 0xce:
        case 0xcf:
            out->kind = CODEC_MSGPACK_INT;
            width = widths[c - 0xcc];
            break;
        case 0xd0:
        case 0xd1:
        case 0xd2:
        case 0xd3:
            out->kind = CODEC_MSGPACK_INT;
            width = widths[c - 0xd0];
            break;
        case 0xd4:
        case 0xd5:
        case 0xd6:
        case 0xd7:
        case 0xd8:
            out->kind = CODEC_MSGPACK_EXT;
            len = (size_t)1 << (c - 0xd4);
            has_text = true;
            break;
        case 0xd9:
        case 0xda:
        case 0xdb:
            out->kind = CODEC_MSGPACK_STRING;
            width = widths[c - 0xd9];
            has_text = true;
            break;
        case 0xdc:
        case 0xdd:
            out->kind = CODEC_MSGPACK_ARRAY;
            width = c == 0xdc ? 2 : 4;
            break;
        default: /* 0xde, 0xdf */
            out->kind = CODEC_MSGPACK_MAP;
            width = c == 0xde ? 2 : 4;
            break;
        }
    }
    if (in->len < head + width)
        return ERR_AGAIN;
    uint64_t v = width ? big(in->ptr + 1, width) : 0;
    head += width;
    if (has_text) {
        if (width)
            len = (size_t)v;
        if (out->kind == CODEC_MSGPACK_EXT) {
            if (in->len < head + 1)
                return ERR_AGAIN;
            out->ext = (int8_t)in->ptr[head++];
        }
        if (in->len - head < len)
            return ERR_AGAIN;
        out->text = slice_make(in->ptr + head, len);
    } else if (width && out->kind == CODEC_MSGPACK_DOUBLE) {
        uint32_t half = (uint32_t)v;
        float single;
        memcpy(&single, &half, sizeof(single));
        out->d = width == 4 ? (double)single : codec_bits_double(v);
    } else if (width && out->kind == CODEC_MSGPACK_INT) {
        if (c >= 0xd0) { /* signed */
            unsigned shift = 64 - 8 * (unsigned)width;
            out->i = (int64_t)(v << shift) >> shift;
        } else if (v > INT64_MAX) {
            out->kind = CODEC_MSGPACK_UINT;
            out->u = v;
        } else {
            out->i = (int64_t)v;
        }
    } else if (width) {
        out->count = (uint32_t)v;
    }
    *in = slice_from(*in, head + (has_text ? len : 0));
    return 0;
}

int codec_msgpack_length(struct slice in, size_t *out_len)
{
    struct slice rest = in;
    struct codec_msgpack v;
    for (uint64_t due = 1; due; due--) {
        int err = codec_msgpack_take(&rest, &v);
        if (err)
            return err;
        if (v.kind == CODEC_MSGPACK_ARRAY)
            due += v.count;
        else if (v.kind == CODEC_MSGPACK_MAP)
            due += 2 * (uint64_t)v.count;
    }
    *out_len = in.len - rest.len;
    return 0;
}

int codec_msgpack_skip(struct slice *in)
{
    size_t len;
    int err = codec_msgpack_length(*in, &len);
    if (!err)
        *in = slice_from(*in, len);
    return err;
}

static void put_head(struct buf *out, unsigned char type, uint64_t v, size_t width)
{
    buf_append_char(out, (char)type);
    while (width--)
        buf_append_char(out, (char)(v >> (8 * width)));
}

void codec_msgpack_put_array(struct buf *out, uint32_t count)
{
    if (count < 16)
        put_head(out, (unsigned char)(0x90 | count), 0, 0);
    else
        put_head(out, 0xdd, count, 4);
}

void codec_msgpack_put_map(struct buf *out, uint32_t count)
{
    if (count < 16)
        put_head(out, (unsigned char)(0x80 | count), 0, 0);
    else
        put_head(out, 0xdf, count, 4);
}

void codec_msgpack_put_string(struct buf *out, struct slice s)
{
    if (s.len < 32)
        put_head(out, (unsigned char)(0xa0 | s.len), 0, 0);
    else if (s.len < 256)
        put_head(out, 0xd9, s.len, 1);
    else
        put_head(out, 0xdb, s.len, 4);
    buf_append_slice(out, s);
}

void codec_msgpack_put_bool(struct buf *out, bool v)
{
    buf_append_char(out, (char)(v ? 0xc3 : 0xc2));
}
