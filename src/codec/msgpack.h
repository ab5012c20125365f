/* MessagePack (msgpack.org's specification): values one after the other, containers as counts. */
#ifndef CODEC_MSGPACK_H
#define CODEC_MSGPACK_H

#include "base/buf.h"
#include "base/slice.h"

enum codec_msgpack_kind {
    CODEC_MSGPACK_NIL,
    CODEC_MSGPACK_BOOL,
    CODEC_MSGPACK_INT,
    CODEC_MSGPACK_UINT, /* beyond INT64_MAX only */
    CODEC_MSGPACK_DOUBLE,
    CODEC_MSGPACK_STRING, /* not checked for UTF-8 */
    CODEC_MSGPACK_BINARY,
    CODEC_MSGPACK_ARRAY, /* `count` values follow */
    CODEC_MSGPACK_MAP,   /* `count` pairs of values follow */
    CODEC_MSGPACK_EXT
};

struct codec_msgpack {
    enum codec_msgpack_kind kind;
    int8_t ext; /* the type of an EXT */
    bool boolean;
    int64_t i;
    uint64_t u;
    double d;
    struct slice text; /* STRING, BINARY, EXT; into the input */
    uint32_t count;
};

/* Cuts the next value (of a container only its head) off the front. ERR_AGAIN: it is cut off,
 * nothing was taken; ERR_INVALID: no such type. */
int codec_msgpack_take(struct slice *in, struct codec_msgpack *out);
/* The bytes of the whole value at the begin, with all that is in it. ERR_AGAIN: it is cut off;
 * ERR_INVALID. */
int codec_msgpack_length(struct slice in, size_t *out_len);
/* Cuts a whole value off the front. */
int codec_msgpack_skip(struct slice *in);

void codec_msgpack_put_array(struct buf *out, uint32_t count);
void codec_msgpack_put_map(struct buf *out, uint32_t count);
void codec_msgpack_put_string(struct buf *out, struct slice s);
void codec_msgpack_put_bool(struct buf *out, bool v);

#endif
