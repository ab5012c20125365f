#include "decode/zipkin_priv.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "codec/json_read.h"
#include "codec/pb.h"
#include "data/value.h"
#include "decode/otlp/encode.h"

/* --- writing OTLP --- */

static void put_text(struct buf *out, const char *key, struct slice value)
{
    if (value.len)
        decode_otlp_put_attribute(out, 9, slice_cstr(key), data_value_string(value));
}

static void put_fixed64(struct buf *out, uint32_t number, int64_t us)
{
    int64_t ns;
    codec_pb_put_key(out, number, CODEC_PB_FIXED64);
    /* What does not fit is beyond all years, and refused for that. */
    codec_append64(out, __builtin_mul_overflow(us, INT64_C(1000), &ns) || ns < 0 ? UINT64_MAX
                                                                                 : (uint64_t)ns);
}

/* Tags that OpenTelemetry's exporters write for what Zipkin has no place for. */
static bool is_special(struct slice key)
{
    return slice_eq_cstr(key, "otel.status_code") || slice_eq_cstr(key, "otel.status_description");
}

static void put_status(const struct decode__zipkin_span *s, struct buf *out)
{
    struct slice message = {NULL, 0};
    uint64_t code = 0;
    for (size_t i = 0; i < s->tags.len; i++) {
        const struct decode__zipkin_tag *t = &s->tags.items[i];
        if (slice_eq_cstr(t->key, "error") && !slice_eq_nocase(t->value, SLICE("false"))) {
            code = 2;
            if (!slice_eq_nocase(t->value, SLICE("true")))
                message = t->value;
        } else if (slice_eq_cstr(t->key, "otel.status_code")) {
            code = slice_eq_nocase(t->value, SLICE("ERROR")) ? 2
                   : slice_eq_nocase(t->value, SLICE("OK"))  ? 1
                                                             : code;
        } else if (slice_eq_cstr(t->key, "otel.status_description")) {
            message = t->value;
        }
    }
    if (!code)
        return;
    size_t m = codec_pb_begin(out, 15);
    if (message.len)
        codec_pb_put_bytes(out, 2, message);
    codec_pb_put_varint(out, 3, code);
    codec_pb_end(out, m);
}

static void put_span(const struct decode__zipkin_span *s, struct buf *out)
{
    int64_t end;
    size_t m = codec_pb_begin(out, 2);
    if (s->has_trace_id)
        codec_pb_put_bytes(out, 1, slice_make(s->trace_id, 16));
    if (s->has_id)
        codec_pb_put_bytes(out, 2, slice_make(s->id, 8));
    if (s->has_parent_id)
        codec_pb_put_bytes(out, 4, slice_make(s->parent_id, 8));
    codec_pb_put_bytes(out, 5, s->name);
    codec_pb_put_varint(out, 6, (uint64_t)s->kind);
    put_fixed64(out, 7, s->us);
    put_fixed64(out, 8, __builtin_add_overflow(s->us, s->duration_us, &end) ? -1 : end);
    for (size_t i = 0; i < s->tags.len; i++) {
        if (!is_special(s->tags.items[i].key))
            decode_otlp_put_attribute(out, 9, s->tags.items[i].key,
                                      data_value_string(s->tags.items[i].value));
    }
    put_text(out, "network.local.address", s->local.ip);
    put_text(out, "peer.service", s->remote.service);
    put_text(out, "network.peer.address", s->remote.ip);
    if (s->local.port)
        decode_otlp_put_attribute(out, 9, SLICE("network.local.port"),
                                  data_value_int(s->local.port));
    if (s->remote.port)
        decode_otlp_put_attribute(out, 9, SLICE("network.peer.port"),
                                  data_value_int(s->remote.port));
    if (s->shared)
        decode_otlp_put_attribute(out, 9, SLICE("zipkin.shared"), data_value_bool(true));
    if (s->debug)
        decode_otlp_put_attribute(out, 9, SLICE("zipkin.debug"), data_value_bool(true));
    for (size_t i = 0; i < s->annotations.len; i++) {
        size_t e = codec_pb_begin(out, 11);
        put_fixed64(out, 1, s->annotations.items[i].us);
        codec_pb_put_bytes(out, 2, s->annotations.items[i].value);
        codec_pb_end(out, e);
    }
    put_status(s, out);
    codec_pb_end(out, m);
}

void decode__zipkin_finish_span(struct decode__zipkin *z)
{
    struct decode__zipkin_span *s = &z->span;
    struct slice name = s->local.service.ptr ? s->local.service : SLICE("");
    bool added;
    struct map_entry *e = map_put(z->by_name, name, &added);
    if (added) {
        e->value.u64 = z->services.len;
        vec_push(&z->services, ((struct decode__zipkin_service){.name = e->key}));
    }
    put_span(s, &z->services.items[e->value.u64].spans);
}

void decode__zipkin_begin_span(struct decode__zipkin *z)
{
    struct decode__zipkin_span *s = &z->span,
                               fresh = {.annotations = s->annotations, .tags = s->tags};
    vec_clear(&fresh.annotations);
    vec_clear(&fresh.tags);
    *s = fresh;
}

static void put_services(struct decode__zipkin *z, struct buf *out)
{
    for (size_t i = 0; i < z->services.len; i++) {
        struct decode__zipkin_service *s = &z->services.items[i];
        size_t r = codec_pb_begin(out, 1);
        size_t resource = codec_pb_begin(out, 1);
        if (s->name.len)
            decode_otlp_put_attribute(out, 1, SLICE("service.name"), data_value_string(s->name));
        codec_pb_end(out, resource);
        size_t scope = codec_pb_begin(out, 2);
        buf_append_slice(out, buf_slice(&s->spans));
        codec_pb_end(out, scope);
        codec_pb_end(out, r);
        buf_deinit(&s->spans);
    }
    vec_free(&z->services);
    vec_free(&z->span.annotations);
    vec_free(&z->span.tags);
    map_free(z->by_name);
}

/* --- JSON --- */

bool decode__zipkin_read_id(struct slice text, char *out, size_t len)
{
    char full[32];
    if (!text.len || text.len > 2 * len)
        return false;
    memset(full, '0', sizeof(full));
    memcpy(full + 2 * len - text.len, text.ptr, text.len);
    return codec_text_to_bytes(slice_make(full, 2 * len), out, len);
}

static int kind_of(struct slice name)
{
    static const char *const names[] = {"", "", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    for (int i = 2; i < 6; i++) {
        if (slice_eq_cstr(name, names[i]))
            return i;
    }
    return 0;
}

void decode__zipkin_read_endpoint(struct codec_json_reader *r, struct decode__zipkin_endpoint *out)
{
    struct slice key, ipv6 = {NULL, 0};
    if (codec_json_read_null(r))
        return;
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (codec_json_read_null(r))
            continue;
        if (slice_eq_cstr(key, "serviceName"))
            (void)codec_json_read_string(r, &out->service);
        else if (slice_eq_cstr(key, "ipv4"))
            (void)codec_json_read_string(r, &out->ip);
        else if (slice_eq_cstr(key, "ipv6"))
            (void)codec_json_read_string(r, &ipv6);
        else if (slice_eq_cstr(key, "port"))
            (void)codec_json_read_int(r, &out->port);
    }
    if (!out->ip.len)
        out->ip = ipv6;
}

static void read_annotations(struct codec_json_reader *r, struct decode__zipkin_span *s)
{
    (void)codec_json_read_array(r);
    while (codec_json_next_item(r)) {
        struct decode__zipkin_annotation a = {0};
        struct slice key;
        (void)codec_json_read_object(r);
        while (codec_json_next_key(r, &key)) {
            if (slice_eq_cstr(key, "timestamp"))
                (void)codec_json_read_int(r, &a.us);
            else if (slice_eq_cstr(key, "value"))
                (void)codec_json_read_string(r, &a.value);
        }
        vec_push(&s->annotations, a);
    }
}

static void read_tags(struct codec_json_reader *r, struct decode__zipkin_span *s)
{
    struct decode__zipkin_tag t;
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &t.key)) {
        enum codec_json_kind kind;
        t.value = SLICE("");
        if (codec_json_peek(r, &kind) && kind == CODEC_JSON_STRING)
            (void)codec_json_read_string(r, &t.value);
        else
            (void)codec_json_read_raw(r, &t.value);
        vec_push(&s->tags, t);
    }
}

static void read_span(struct codec_json_reader *r, struct decode__zipkin_span *s)
{
    struct slice key, text = {NULL, 0};
    (void)codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (codec_json_read_null(r))
            continue;
        if (slice_eq_cstr(key, "traceId") && codec_json_read_string(r, &text))
            s->has_trace_id = decode__zipkin_read_id(text, s->trace_id, 16);
        else if (slice_eq_cstr(key, "id") && codec_json_read_string(r, &text))
            s->has_id = decode__zipkin_read_id(text, s->id, 8);
        else if (slice_eq_cstr(key, "parentId") && codec_json_read_string(r, &text))
            s->has_parent_id = decode__zipkin_read_id(text, s->parent_id, 8);
        else if (slice_eq_cstr(key, "name"))
            (void)codec_json_read_string(r, &s->name);
        else if (slice_eq_cstr(key, "kind") && codec_json_read_string(r, &text))
            s->kind = kind_of(text);
        else if (slice_eq_cstr(key, "timestamp"))
            (void)codec_json_read_int(r, &s->us);
        else if (slice_eq_cstr(key, "duration"))
            (void)codec_json_read_int(r, &s->duration_us);
        else if (slice_eq_cstr(key, "localEndpoint"))
            decode__zipkin_read_endpoint(r, &s->local);
        else if (slice_eq_cstr(key, "remoteEndpoint"))
            decode__zipkin_read_endpoint(r, &s->remote);
        else if (slice_eq_cstr(key, "annotations"))
            read_annotations(r, s);
        else if (slice_eq_cstr(key, "tags"))
            read_tags(r, s);
        else if (slice_eq_cstr(key, "debug"))
            (void)codec_json_read_bool(r, &s->debug);
        else if (slice_eq_cstr(key, "shared"))
            (void)codec_json_read_bool(r, &s->shared);
    }
}

static int read_json(struct decode__zipkin *z, struct slice body)
{
    struct codec_json_reader r = codec_json_reader(body, z->arena, z->diag);
    (void)codec_json_read_array(&r);
    while (codec_json_next_item(&r)) {
        decode__zipkin_begin_span(z);
        read_span(&r, &z->span);
        if (!r.err)
            decode__zipkin_finish_span(z);
    }
    return codec_json_read_end(&r);
}

/* --- protobuf --- */

static struct slice print_ip(struct decode__zipkin *z, struct slice bytes)
{
    struct buf text = {0};
    const unsigned char *b = (const unsigned char *)bytes.ptr;
    if (bytes.len == 4)
        buf_printf(&text, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    for (size_t i = 0; bytes.len == 16 && i < 16; i += 2)
        buf_printf(&text, "%s%x", i ? ":" : "", (unsigned)b[i] << 8 | b[i + 1]);
    struct slice out = arena_slice(z->arena, buf_slice(&text));
    buf_deinit(&text);
    return out;
}

static bool take_endpoint(struct decode__zipkin *z, struct slice message,
                          struct decode__zipkin_endpoint *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            out->service = f.bytes;
        else if ((f.number == 2 || (f.number == 3 && !out->ip.len)) && f.wire == CODEC_PB_BYTES)
            out->ip = print_ip(z, f.bytes);
        else if (f.number == 4 && f.wire == CODEC_PB_VARINT)
            out->port = (int32_t)f.num;
    }
    return !r.failed;
}

static bool take_annotation(struct slice message, struct decode__zipkin_span *s)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__zipkin_annotation a = {0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_FIXED64)
            a.us = (int64_t)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            a.value = f.bytes;
    }
    vec_push(&s->annotations, a);
    return !r.failed;
}

static bool take_tag(struct slice message, struct decode__zipkin_span *s)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__zipkin_tag t = {SLICE(""), SLICE("")};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            t.key = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            t.value = f.bytes;
    }
    vec_push(&s->tags, t);
    return !r.failed;
}

/* Ids of 8 or 16 bytes, as they are. */
static bool take_id(struct slice bytes, char *out, size_t len)
{
    if (bytes.len != len && !(len == 16 && bytes.len == 8))
        return false;
    memset(out, 0, len);
    memcpy(out + len - bytes.len, bytes.ptr, bytes.len);
    return true;
}

static bool take_bytes(struct decode__zipkin *z, const struct codec_pb_field *f)
{
    struct decode__zipkin_span *s = &z->span;
    switch (f->number) {
    case 1: s->has_trace_id = take_id(f->bytes, s->trace_id, 16); return true;
    case 2: s->has_parent_id = take_id(f->bytes, s->parent_id, 8); return true;
    case 3: s->has_id = take_id(f->bytes, s->id, 8); return true;
    case 5: s->name = f->bytes; return true;
    case 8: return take_endpoint(z, f->bytes, &s->local);
    case 9: return take_endpoint(z, f->bytes, &s->remote);
    case 10: return take_annotation(f->bytes, s);
    case 11: return take_tag(f->bytes, s);
    default: return true;
    }
}

static bool take_span(struct decode__zipkin *z, struct slice message)
{
    static const int kinds[] = {0, 3, 2, 4,
                                5}; /* unspecified, client, server, producer, consumer */
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool ok = true;
    decode__zipkin_begin_span(z);
    while (ok && codec_pb_next(&r, &f)) {
        if (f.wire == CODEC_PB_BYTES)
            ok = take_bytes(z, &f);
        else if (f.number == 4)
            z->span.kind = f.num < ARRAY_LEN(kinds) ? kinds[f.num] : 0;
        else if (f.number == 6)
            z->span.us = (int64_t)f.num;
        else if (f.number == 7)
            z->span.duration_us = (int64_t)f.num;
        else if (f.number == 12)
            z->span.debug = f.num != 0;
        else if (f.number == 13)
            z->span.shared = f.num != 0;
    }
    return ok && !r.failed;
}

static int read_protobuf(struct decode__zipkin *z, struct slice body)
{
    struct codec_pb_reader r = codec_pb_reader(body);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number != 1 || f.wire != CODEC_PB_BYTES)
            continue;
        if (!take_span(z, f.bytes)) {
            r.failed = true;
            break;
        }
        decode__zipkin_finish_span(z);
    }
    return r.failed ? diag_set(z->diag, ERR_INVALID, "the list of spans is damaged at byte %zu",
                               codec_pb_offset(&r, body))
                    : 0;
}

int decode_zipkin_spans(enum decode_zipkin_encoding encoding, struct slice body,
                        struct arena *arena, struct buf *out, struct diag *diag)
{
    struct decode__zipkin z = {.arena = arena, .diag = diag, .by_name = map_new()};
    size_t begin = out->len;
    int err = encoding == DECODE_ZIPKIN_JSON      ? read_json(&z, body)
              : encoding == DECODE_ZIPKIN_JSON_V1 ? decode__zipkin_read_v1(&z, body)
                                                  : read_protobuf(&z, body);
    put_services(&z, out);
    if (err)
        out->len = begin;
    return err;
}
