/* Protobuf wire format (protobuf.dev/programming-guides/encoding): reading without copies, and
 * writing. No schemas, no message tree: decoders walk the fields and put them where they belong. */
#ifndef CODEC_PB_H
#define CODEC_PB_H

#include "base/buf.h"
#include "base/slice.h"
#include "codec/bytes.h"

enum codec_pb_wire {
    CODEC_PB_VARINT = 0,
    CODEC_PB_FIXED64 = 1,
    CODEC_PB_BYTES = 2,
    CODEC_PB_FIXED32 = 5
};

struct codec_pb_reader {
    struct slice rest;
    bool failed; /* the bytes broke the format; sticky */
};

struct codec_pb_field {
    uint32_t number;
    enum codec_pb_wire wire;
    uint64_t num;       /* varint, fixed32, fixed64 (raw bits) */
    struct slice bytes; /* BYTES: string, bytes, message or packed numbers */
};

static inline struct codec_pb_reader codec_pb_reader(struct slice message)
{
    return (struct codec_pb_reader){.rest = message, .failed = false};
}

/* The next field; false at the end and on damage (then r->failed). Groups count as damage. */
static inline bool codec_pb_next(struct codec_pb_reader *r, struct codec_pb_field *f)
{
    uint64_t key, len;
    if (!r->rest.len || r->failed)
        return false;
    if (!codec_take_varint(&r->rest, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
        goto damaged;
    f->number = (uint32_t)(key >> 3);
    f->wire = (enum codec_pb_wire)(key & 7);
    switch (f->wire) {
    case CODEC_PB_VARINT:
        if (!codec_take_varint(&r->rest, &f->num))
            goto damaged;
        return true;
    case CODEC_PB_FIXED64:
        if (r->rest.len < 8)
            goto damaged;
        f->num = codec_load64(r->rest.ptr);
        r->rest = slice_from(r->rest, 8);
        return true;
    case CODEC_PB_FIXED32:
        if (r->rest.len < 4)
            goto damaged;
        f->num = codec_load32(r->rest.ptr);
        r->rest = slice_from(r->rest, 4);
        return true;
    case CODEC_PB_BYTES:
        if (!codec_take_varint(&r->rest, &len) || len > r->rest.len)
            goto damaged;
        f->bytes = slice_first(r->rest, (size_t)len);
        r->rest = slice_from(r->rest, (size_t)len);
        return true;
    }
damaged:
    r->failed = true;
    return false;
}

static inline double codec_pb_double(const struct codec_pb_field *f)
{
    return codec_bits_double(f->num);
}

static inline int64_t codec_pb_sint(const struct codec_pb_field *f)
{
    return codec_unzigzag(f->num);
}

/* Offset of the reader within the body it was made from, for messages. */
static inline size_t codec_pb_offset(const struct codec_pb_reader *r, struct slice body)
{
    return (size_t)(r->rest.ptr - body.ptr);
}

/* --- writing --- */

static inline void codec_pb_put_key(struct buf *b, uint32_t number, enum codec_pb_wire wire)
{
    codec_append_varint(b, (uint64_t)number << 3 | (uint64_t)wire);
}

static inline void codec_pb_put_varint(struct buf *b, uint32_t number, uint64_t v)
{
    codec_pb_put_key(b, number, CODEC_PB_VARINT);
    codec_append_varint(b, v);
}

static inline void codec_pb_put_double(struct buf *b, uint32_t number, double v)
{
    codec_pb_put_key(b, number, CODEC_PB_FIXED64);
    codec_append64(b, codec_double_bits(v));
}

static inline void codec_pb_put_bytes(struct buf *b, uint32_t number, struct slice v)
{
    codec_pb_put_key(b, number, CODEC_PB_BYTES);
    codec_append_varint(b, v.len);
    buf_append_slice(b, v);
}

/* The same for fields that are left out while they hold their default, as coders of proto3 do. */
static inline void codec_pb_put_varint_set(struct buf *b, uint32_t number, uint64_t v)
{
    if (v)
        codec_pb_put_varint(b, number, v);
}

static inline void codec_pb_put_double_set(struct buf *b, uint32_t number, double v)
{
    if (codec_double_bits(v))
        codec_pb_put_double(b, number, v);
}

/* A message of unknown length: what is written between begin and end becomes its content. */
size_t codec_pb_begin(struct buf *b, uint32_t number);
void codec_pb_end(struct buf *b, size_t mark);

#endif
