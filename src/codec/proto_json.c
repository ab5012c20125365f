#include "codec/proto_json.h"

#include "codec/base64.h"
#include "codec/hex.h"
#include "codec/pb.h"

struct rewrite {
    struct codec_json_reader *r;
    struct buf *out;
    struct buf bytes;
};

/* traceId, and trace_id for it. */
static bool is_name(struct slice key, const char *name)
{
    if (key.len && strncmp(name, key.ptr, key.len) == 0 && !name[key.len])
        return true;
    size_t i = 0;
    if (!key.len || key.ptr[0] != *name)
        return false;
    for (; i < key.len && *name; i++, name++) {
        if (key.ptr[i] == *name)
            continue;
        if (key.ptr[i] != '_' || i + 1 >= key.len || (key.ptr[i + 1] & ~32) != *name)
            return false;
        i++;
    }
    return i == key.len && !*name;
}

/* Senders write fields in the table's order, more or less: the search goes on from the last hit. */
static const struct codec_proto_field *find_field(const struct codec_proto_message *m,
                                                  struct slice key, size_t *hint)
{
    const struct codec_proto_field *f = m->fields;
    for (size_t i = *hint; f[i].name; i++) {
        if (is_name(key, f[i].name)) {
            *hint = i + 1;
            return &f[i];
        }
    }
    for (size_t i = 0; i < *hint; i++) {
        if (is_name(key, f[i].name)) {
            *hint = i + 1;
            return &f[i];
        }
    }
    return NULL;
}

static void take_hex(struct rewrite *w, const struct codec_proto_field *f)
{
    struct slice s;
    if (!codec_json_read_string(w->r, &s))
        return;
    size_t n = s.len / 2;
    codec_pb_put_key(w->out, f->number, CODEC_PB_BYTES);
    codec_append_varint(w->out, n);
    if (!codec_text_to_bytes(s, buf_reserve(w->out, n), n)) {
        codec_json_read_error(w->r, ERR_INVALID, "%s takes hexadecimal digits, not \"%.*s\"",
                              f->name, SLICE_FMT(slice_first(s, 100)));
        return;
    }
    w->out->len += n;
}

static void take_base64(struct rewrite *w, const struct codec_proto_field *f)
{
    struct slice s;
    if (!codec_json_read_string(w->r, &s))
        return;
    buf_clear(&w->bytes);
    if (codec_base64_decode(s, &w->bytes))
        codec_json_read_error(w->r, ERR_INVALID, "%s takes base64, not \"%.*s\"", f->name,
                              SLICE_FMT(slice_first(s, 100)));
    else
        codec_pb_put_bytes(w->out, f->number, buf_slice(&w->bytes));
}

static void take_enum(struct rewrite *w, const struct codec_proto_field *f)
{
    enum codec_json_kind kind;
    int64_t v = 0;
    struct slice s;
    if (!codec_json_peek(w->r, &kind))
        return;
    if (kind != CODEC_JSON_STRING) {
        if (codec_json_read_int(w->r, &v))
            codec_pb_put_varint(w->out, f->number, (uint64_t)v);
        return;
    }
    if (!codec_json_read_string(w->r, &s))
        return;
    for (const struct codec_proto_enum_name *n = f->names; n->name; n++) {
        if (slice_eq_cstr(s, n->name)) {
            codec_pb_put_varint(w->out, f->number, n->value);
            return;
        }
    }
    codec_json_read_error(w->r, ERR_INVALID, "%s takes a number, not \"%.*s\"", f->name,
                          SLICE_FMT(slice_first(s, 100)));
}

/* A number without its key; false at an error. */
static bool take_number(struct rewrite *w, const struct codec_proto_field *f)
{
    int64_t i;
    uint64_t u;
    double d;
    bool b;
    switch (f->kind) {
    case CODEC_PROTO_BOOL:
        if (codec_json_read_bool(w->r, &b))
            codec_append_varint(w->out, b);
        break;
    case CODEC_PROTO_INT:
        if (codec_json_read_int(w->r, &i))
            codec_append_varint(w->out, (uint64_t)i);
        break;
    case CODEC_PROTO_UINT:
        if (codec_json_read_uint(w->r, &u))
            codec_append_varint(w->out, u);
        break;
    case CODEC_PROTO_SINT:
        if (codec_json_read_int(w->r, &i))
            codec_append_varint(w->out, codec_zigzag(i));
        break;
    case CODEC_PROTO_FIXED64:
        if (codec_json_read_uint(w->r, &u))
            codec_append64(w->out, u);
        break;
    case CODEC_PROTO_SFIXED64:
        if (codec_json_read_int(w->r, &i))
            codec_append64(w->out, (uint64_t)i);
        break;
    case CODEC_PROTO_FIXED32:
        if (codec_json_read_uint(w->r, &u)) {
            uint32_t v = (uint32_t)u;
            buf_append(w->out, &v, sizeof(v));
        }
        break;
    case CODEC_PROTO_DOUBLE:
        if (codec_json_read_double(w->r, &d))
            codec_append64(w->out, codec_double_bits(d));
        break;
    default: break;
    }
    return !w->r->err;
}

static enum codec_pb_wire wire_of(enum codec_proto_kind kind)
{
    switch (kind) {
    case CODEC_PROTO_FIXED64:
    case CODEC_PROTO_SFIXED64:
    case CODEC_PROTO_DOUBLE: return CODEC_PB_FIXED64;
    case CODEC_PROTO_FIXED32: return CODEC_PB_FIXED32;
    case CODEC_PROTO_BOOL:
    case CODEC_PROTO_INT:
    case CODEC_PROTO_UINT:
    case CODEC_PROTO_SINT: return CODEC_PB_VARINT;
    default: return CODEC_PB_BYTES;
    }
}

static void take_message(struct rewrite *w, const struct codec_proto_message *m);

/* Most values begin where the reader stands, and not with an n. */
static inline bool is_null(struct codec_json_reader *r)
{
    return (r->p >= r->end || *r->p == 'n' || *r->p <= ' ') && codec_json_read_null(r);
}

static void take_one(struct rewrite *w, const struct codec_proto_field *f)
{
    struct slice s;
    if (is_null(w->r))
        return;
    switch (f->kind) {
    case CODEC_PROTO_MESSAGE: {
        size_t mark = codec_pb_begin(w->out, f->number);
        take_message(w, f->message);
        codec_pb_end(w->out, mark);
        return;
    }
    case CODEC_PROTO_STRING:
        if (codec_json_read_string(w->r, &s))
            codec_pb_put_bytes(w->out, f->number, s);
        return;
    case CODEC_PROTO_HEX: take_hex(w, f); return;
    case CODEC_PROTO_BASE64: take_base64(w, f); return;
    case CODEC_PROTO_ENUM: take_enum(w, f); return;
    default:
        codec_pb_put_key(w->out, f->number, wire_of(f->kind));
        (void)take_number(w, f);
        return;
    }
}

/* Entries of a key (1) and a value (2). */
static void take_map(struct rewrite *w, const struct codec_proto_field *f)
{
    struct codec_proto_field value = *f;
    struct slice key;
    value.number = 2;
    if (codec_json_read_null(w->r) || !codec_json_read_object(w->r))
        return;
    while (codec_json_next_key(w->r, &key)) {
        size_t mark = codec_pb_begin(w->out, f->number);
        codec_pb_put_bytes(w->out, 1, key);
        take_one(w, &value);
        codec_pb_end(w->out, mark);
    }
}

static void take_field(struct rewrite *w, const struct codec_proto_field *f)
{
    if (f->is_map) {
        take_map(w, f);
        return;
    }
    if (!f->repeated) {
        take_one(w, f);
        return;
    }
    if (codec_json_read_null(w->r) || !codec_json_read_array(w->r))
        return;
    if (f->kind == CODEC_PROTO_MESSAGE || f->kind == CODEC_PROTO_STRING) {
        while (codec_json_next_item(w->r))
            take_one(w, f);
        return;
    }
    size_t mark = codec_pb_begin(w->out, f->number);
    while (codec_json_next_item(w->r) && take_number(w, f))
        ;
    codec_pb_end(w->out, mark);
}

static void take_message(struct rewrite *w, const struct codec_proto_message *m)
{
    struct slice key;
    size_t hint = 0;
    if (!codec_json_read_object(w->r))
        return;
    while (codec_json_next_key(w->r, &key)) {
        const struct codec_proto_field *f = find_field(m, key, &hint);
        if (f)
            take_field(w, f);
    }
}

void codec_proto_from_json(const struct codec_proto_message *m, struct codec_json_reader *r,
                           struct buf *out)
{
    struct rewrite w = {.r = r, .out = out};
    take_message(&w, m);
    buf_deinit(&w.bytes);
}
