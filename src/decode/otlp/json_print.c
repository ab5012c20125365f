/* Protobuf of OTLP printed as OTLP/JSON: lowerCamelCase keys, ids in lower-case hexadecimal, 64-bit
 * integers as strings, enums as numbers, bytes in base64, fields that are not there left out. */
#include <math.h>

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/json_write.h"
#include "decode/otlp/encode.h"
#include "decode/otlp/otlp_priv.h"
#include "decode/otlp/schema.h"

/* Messages within messages: what a request has, and AnyValue as deep as it may be. */
#define DEPTH_MAX (12 + 4 * DECODE_OTLP_DEPTH)

struct print {
    struct buf *out;
    unsigned depth;
    bool mapping; /* protobuf's own: ids in base64, enums by name */
    bool failed;
};

static void put_message(struct print *p, const struct codec_proto_message *m, struct slice message);

static void put_quoted_int(struct print *p, int64_t v)
{
    buf_append_char(p->out, '"');
    codec_append_int(p->out, v);
    buf_append_char(p->out, '"');
}

static void put_quoted_uint(struct print *p, uint64_t v)
{
    char text[CODEC_INT_TEXT_MAX];
    buf_append_char(p->out, '"');
    buf_append(p->out, text, codec_uint_to_text(v, text));
    buf_append_char(p->out, '"');
}

static void put_double(struct print *p, double v)
{
    if (isfinite(v))
        codec_append_double(p->out, v, CODEC_DOUBLE_JSON);
    else
        buf_append_cstr(p->out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static void put_enum(struct print *p, const struct codec_proto_field *f, uint64_t v)
{
    for (const struct codec_proto_enum_name *n = f->names; p->mapping && n && n->name; n++) {
        if (n->value == v) {
            codec_json_append_string(p->out, slice_cstr(n->name));
            return;
        }
    }
    codec_append_int(p->out, (int32_t)v);
}

/* `v`: the field's number as it came. */
static void put_number(struct print *p, const struct codec_proto_field *f, uint64_t v)
{
    switch (f->kind) {
    case CODEC_PROTO_BOOL: buf_append_cstr(p->out, v ? "true" : "false"); return;
    case CODEC_PROTO_INT: put_quoted_int(p, (int64_t)v); return;
    case CODEC_PROTO_SINT: codec_append_int(p->out, codec_unzigzag(v)); return;
    case CODEC_PROTO_ENUM: put_enum(p, f, v); return;
    case CODEC_PROTO_FIXED64: put_quoted_uint(p, v); return;
    case CODEC_PROTO_SFIXED64: put_quoted_int(p, (int64_t)v); return;
    case CODEC_PROTO_DOUBLE: put_double(p, codec_bits_double(v)); return;
    case CODEC_PROTO_UINT: /* counts of buckets have 64 bits, all others 32 */
        if (f->repeated) {
            put_quoted_uint(p, v);
            return;
        }
        codec_append_int(p->out, (int64_t)(uint32_t)v);
        return;
    default: codec_append_int(p->out, (int64_t)(uint32_t)v); return;
    }
}

static bool is_number(const struct codec_proto_field *f)
{
    return f->kind != CODEC_PROTO_MESSAGE && f->kind != CODEC_PROTO_STRING &&
           f->kind != CODEC_PROTO_HEX && f->kind != CODEC_PROTO_BASE64;
}

static void put_bytes(struct print *p, const struct codec_proto_field *f, struct slice bytes)
{
    switch (f->kind) {
    case CODEC_PROTO_MESSAGE: put_message(p, f->message, bytes); return;
    case CODEC_PROTO_STRING: codec_json_append_string(p->out, bytes); return;
    case CODEC_PROTO_HEX:
        buf_append_char(p->out, '"');
        if (p->mapping)
            codec_base64_append(p->out, bytes, CODEC_BASE64_STANDARD);
        else
            codec_append_hex(p->out, bytes);
        buf_append_char(p->out, '"');
        return;
    default:
        buf_append_char(p->out, '"');
        codec_base64_append(p->out, bytes, CODEC_BASE64_STANDARD);
        buf_append_char(p->out, '"');
        return;
    }
}

static void put_comma(struct print *p, bool *more)
{
    if (*more)
        buf_append_char(p->out, ',');
    *more = true;
}

/* Packed numbers, the items of an array. */
static void put_packed(struct print *p, const struct codec_proto_field *f, struct slice rest,
                       bool *more)
{
    bool is_varint = f->kind == CODEC_PROTO_UINT;
    while (rest.len && !p->failed) {
        uint64_t v = 0;
        if (is_varint) {
            p->failed = !codec_take_varint(&rest, &v);
        } else if (rest.len >= 8) {
            v = codec_load64(rest.ptr);
            rest = slice_from(rest, 8);
        } else {
            p->failed = true;
        }
        if (p->failed)
            return;
        put_comma(p, more);
        put_number(p, f, v);
    }
}

static void put_field(struct print *p, const struct codec_proto_field *f, struct slice message,
                      bool *more)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field g, last = {0};
    bool found = false, item = false;
    while (codec_pb_next(&r, &g)) {
        if (g.number != f->number)
            continue;
        bool packed = f->repeated && is_number(f) && g.wire == CODEC_PB_BYTES;
        if (!packed && is_number(f) != (g.wire != CODEC_PB_BYTES)) {
            p->failed = true;
            return;
        }
        if (!f->repeated) {
            last = g; /* given twice, the last one counts */
            found = true;
            continue;
        }
        if (!found) {
            put_comma(p, more);
            codec_json_append_string(p->out, slice_cstr(f->name));
            buf_append_cstr(p->out, ":[");
            found = true;
        }
        if (packed) {
            put_packed(p, f, g.bytes, &item);
            continue;
        }
        put_comma(p, &item);
        if (is_number(f))
            put_number(p, f, g.num);
        else
            put_bytes(p, f, g.bytes);
    }
    if (found && f->repeated)
        buf_append_char(p->out, ']');
    if (!found || f->repeated)
        return;
    put_comma(p, more);
    codec_json_append_string(p->out, slice_cstr(f->name));
    buf_append_char(p->out, ':');
    if (is_number(f))
        put_number(p, f, last.num);
    else
        put_bytes(p, f, last.bytes);
}

static void put_message(struct print *p, const struct codec_proto_message *m, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field g;
    bool more = false;
    uint64_t there = 0; /* field numbers that occur; OTLP's are small */
    if (p->depth >= DEPTH_MAX) {
        p->failed = true;
        return;
    }
    while (codec_pb_next(&r, &g))
        there |= g.number < 64 ? UINT64_C(1) << g.number : 0;
    p->failed |= r.failed;
    p->depth++;
    buf_append_char(p->out, '{');
    for (const struct codec_proto_field *f = m->fields; f->name && !p->failed; f++) {
        if (there >> f->number & 1)
            put_field(p, f, message, &more);
    }
    buf_append_char(p->out, '}');
    p->depth--;
}

static int print_all(struct print *p, enum decode_otlp_signal signal, struct slice message)
{
    size_t begin = p->out->len;
    put_message(p, decode__otlp_request_message(signal), message);
    if (p->failed)
        p->out->len = begin;
    return p->failed ? ERR_INVALID : 0;
}

int decode_otlp_print_json(enum decode_otlp_signal signal, struct slice message, struct buf *out)
{
    struct print p = {.out = out};
    return print_all(&p, signal, message);
}

int decode_otlp_print_mapping(enum decode_otlp_signal signal, struct slice message, struct buf *out)
{
    struct print p = {.out = out, .mapping = true};
    return print_all(&p, signal, message);
}
