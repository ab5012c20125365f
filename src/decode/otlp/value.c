/* AnyValue: any value an attribute or a body can have, and its text. */
#include <math.h>

#include "codec/base64.h"
#include "codec/json_write.h"
#include "codec/utf8.h"
#include "decode/otlp/otlp_priv.h"

int decode__otlp_read_value(struct slice message, struct decode__otlp_value *out)
{
    static const enum codec_pb_wire wires[] = {
        [1] = CODEC_PB_BYTES, [2] = CODEC_PB_VARINT, [3] = CODEC_PB_VARINT, [4] = CODEC_PB_FIXED64,
        [5] = CODEC_PB_BYTES, [6] = CODEC_PB_BYTES,  [7] = CODEC_PB_BYTES};
    static const enum decode__otlp_kind kinds[] = {
        [1] = DECODE__OTLP_STRING, [2] = DECODE__OTLP_BOOL,  [3] = DECODE__OTLP_INT,
        [4] = DECODE__OTLP_DOUBLE, [5] = DECODE__OTLP_ARRAY, [6] = DECODE__OTLP_MAP,
        [7] = DECODE__OTLP_BYTES};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *out = (struct decode__otlp_value){0};
    while (codec_pb_next(&r, &f)) {
        if (f.number >= ARRAY_LEN(kinds))
            continue;
        if (f.wire != wires[f.number])
            return ERR_INVALID;
        out->kind = kinds[f.number];
        out->bytes = f.wire == CODEC_PB_BYTES ? f.bytes : (struct slice){NULL, 0};
        out->num = (int64_t)f.num;
        out->dbl = f.number == 4 ? codec_pb_double(&f) : 0;
    }
    if (out->kind == DECODE__OTLP_BOOL)
        out->num = out->num != 0;
    return r.failed ? ERR_INVALID : 0;
}

int decode__otlp_read_attribute(struct slice message, struct decode__otlp_attribute *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *out = (struct decode__otlp_attribute){0};
    while (codec_pb_next(&r, &f)) {
        if (f.number > 2)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return ERR_INVALID;
        if (f.number == 1)
            out->key = f.bytes;
        else if (decode__otlp_read_value(f.bytes, &out->value))
            return ERR_INVALID;
    }
    return r.failed ? ERR_INVALID : 0;
}

static int append_json(const struct decode__otlp_value *v, unsigned depth, struct buf *out);

static int append_list(struct slice message, bool is_map, unsigned depth, struct buf *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool more = false;
    if (depth >= DECODE_OTLP_DEPTH)
        return ERR_LIMIT;
    buf_append_char(out, is_map ? '{' : '[');
    while (codec_pb_next(&r, &f)) {
        struct decode__otlp_attribute a = {0};
        if (f.number != 1)
            continue;
        if (f.wire != CODEC_PB_BYTES || (is_map ? decode__otlp_read_attribute(f.bytes, &a)
                                                : decode__otlp_read_value(f.bytes, &a.value)))
            return ERR_INVALID;
        if (more)
            buf_append_char(out, ',');
        more = true;
        if (is_map) {
            codec_json_append_string(out, a.key);
            buf_append_char(out, ':');
        }
        int err = append_json(&a.value, depth + 1, out);
        if (err)
            return err;
    }
    buf_append_char(out, is_map ? '}' : ']');
    return r.failed ? ERR_INVALID : 0;
}

static void append_base64(struct slice bytes, struct buf *out)
{
    codec_base64_append(out, bytes, CODEC_BASE64_STANDARD);
}

/* Words where JSON has no number. */
static void append_double(double v, bool quoted, struct buf *out)
{
    if (isfinite(v)) {
        codec_append_double(out, v, CODEC_DOUBLE_JSON);
        return;
    }
    const char *word = isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity";
    if (quoted)
        buf_append_char(out, '"');
    buf_append_cstr(out, word);
    if (quoted)
        buf_append_char(out, '"');
}

static int append_json(const struct decode__otlp_value *v, unsigned depth, struct buf *out)
{
    switch (v->kind) {
    case DECODE__OTLP_EMPTY: buf_append_cstr(out, "null"); return 0;
    case DECODE__OTLP_STRING: codec_json_append_string(out, v->bytes); return 0;
    case DECODE__OTLP_BOOL: buf_append_cstr(out, v->num ? "true" : "false"); return 0;
    case DECODE__OTLP_INT: codec_append_int(out, v->num); return 0;
    case DECODE__OTLP_DOUBLE: append_double(v->dbl, true, out); return 0;
    case DECODE__OTLP_BYTES:
        buf_append_char(out, '"');
        append_base64(v->bytes, out);
        buf_append_char(out, '"');
        return 0;
    case DECODE__OTLP_ARRAY:
    case DECODE__OTLP_MAP: return append_list(v->bytes, v->kind == DECODE__OTLP_MAP, depth, out);
    }
    return 0;
}

int decode__otlp_value_json(const struct decode__otlp_value *v, struct buf *out)
{
    return append_json(v, 0, out);
}

int decode__otlp_value_text(const struct decode__otlp_value *v, struct buf *out)
{
    switch (v->kind) {
    case DECODE__OTLP_EMPTY: return 0;
    case DECODE__OTLP_STRING: buf_append_slice(out, v->bytes); return 0;
    case DECODE__OTLP_DOUBLE: append_double(v->dbl, false, out); return 0;
    case DECODE__OTLP_BYTES: append_base64(v->bytes, out); return 0;
    default: return append_json(v, 0, out);
    }
}
