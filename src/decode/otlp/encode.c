#include "decode/otlp/encode.h"

#include "codec/json_read.h"
#include "codec/number.h"
#include "codec/pb.h"

static void put_json(struct codec_json_reader *r, struct buf *out)
{
    enum codec_json_kind kind;
    struct slice s;
    bool b;
    double d;
    int64_t i;
    if (!codec_json_peek(r, &kind))
        return;
    switch (kind) {
    case CODEC_JSON_NULL: (void)codec_json_read_null(r); return;
    case CODEC_JSON_BOOL:
        if (codec_json_read_bool(r, &b))
            codec_pb_put_varint(out, 2, b);
        return;
    case CODEC_JSON_STRING:
        if (codec_json_read_string(r, &s))
            codec_pb_put_bytes(out, 1, s);
        return;
    case CODEC_JSON_NUMBER:
        if (!codec_json_read_number_text(r, &s))
            return;
        if (codec_text_to_int(s, &i))
            codec_pb_put_varint(out, 3, (uint64_t)i);
        else if (codec_text_to_double(s, &d, NULL))
            codec_pb_put_double(out, 4, d);
        return;
    case CODEC_JSON_ARRAY: {
        size_t list = codec_pb_begin(out, 5);
        (void)codec_json_read_array(r);
        while (codec_json_next_item(r)) {
            size_t item = codec_pb_begin(out, 1);
            put_json(r, out);
            codec_pb_end(out, item);
        }
        codec_pb_end(out, list);
        return;
    }
    case CODEC_JSON_OBJECT: {
        size_t map = codec_pb_begin(out, 6);
        (void)codec_json_read_object(r);
        while (codec_json_next_key(r, &s)) {
            size_t pair = codec_pb_begin(out, 1);
            codec_pb_put_bytes(out, 1, s);
            size_t value = codec_pb_begin(out, 2);
            put_json(r, out);
            codec_pb_end(out, value);
            codec_pb_end(out, pair);
        }
        codec_pb_end(out, map);
        return;
    }
    }
}

/* The content of an AnyValue. */
static void put_value(struct data_value v, struct buf *out)
{
    switch (v.kind) {
    case DATA_VALUE_STRING: codec_pb_put_bytes(out, 1, v.text); return;
    case DATA_VALUE_INT: codec_pb_put_varint(out, 3, (uint64_t)v.i); return;
    case DATA_VALUE_DOUBLE: codec_pb_put_double(out, 4, v.d); return;
    case DATA_VALUE_BOOL: codec_pb_put_varint(out, 2, v.i != 0); return;
    case DATA_VALUE_BYTES: codec_pb_put_bytes(out, 7, v.text); return;
    case DATA_VALUE_JSON: {
        struct arena *arena = arena_new(0, NULL);
        struct codec_json_reader r = codec_json_reader(v.text, arena, NULL);
        size_t begin = out->len;
        put_json(&r, out);
        if (codec_json_read_end(&r)) { /* not ours: as text, so that nothing is lost */
            out->len = begin;
            codec_pb_put_bytes(out, 1, v.text);
        }
        arena_free(arena);
        return;
    }
    default: return;
    }
}

void decode_otlp_put_value(struct buf *out, uint32_t number, struct data_value value)
{
    size_t v = codec_pb_begin(out, number);
    put_value(value, out);
    codec_pb_end(out, v);
}

void decode_otlp_put_attribute(struct buf *out, uint32_t number, struct slice key,
                               struct data_value value)
{
    size_t pair = codec_pb_begin(out, number);
    codec_pb_put_bytes(out, 1, key);
    decode_otlp_put_value(out, 2, value);
    codec_pb_end(out, pair);
}
