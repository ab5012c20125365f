#include "decode/jaeger/span_priv.h"

#include "codec/pb.h"
#include "decode/otlp/encode.h"

void decode__jaeger_span_reset(struct decode__jaeger_span *s)
{
    struct decode__jaeger_span fresh = {
        .tags = s->tags, .log_tags = s->log_tags, .logs = s->logs, .references = s->references};
    vec_clear(&fresh.tags);
    vec_clear(&fresh.log_tags);
    vec_clear(&fresh.logs);
    vec_clear(&fresh.references);
    *s = fresh;
}

void decode__jaeger_span_free(struct decode__jaeger_span *s)
{
    vec_free(&s->tags);
    vec_free(&s->log_tags);
    vec_free(&s->logs);
    vec_free(&s->references);
}

uint64_t decode__jaeger_ns(int64_t us)
{
    int64_t ns;
    return us < 0 || __builtin_mul_overflow(us, INT64_C(1000), &ns) ? UINT64_MAX : (uint64_t)ns;
}

size_t decode__jaeger_begin_resource(const struct decode__jaeger_process *p, struct buf *out)
{
    size_t mark = codec_pb_begin(out, 1), resource = codec_pb_begin(out, 1);
    if (p->service.len)
        decode_otlp_put_attribute(out, 1, SLICE("service.name"), data_value_string(p->service));
    for (size_t i = 0; i < p->tags.len; i++)
        decode_otlp_put_attribute(out, 1, p->tags.items[i].key, p->tags.items[i].value);
    codec_pb_end(out, resource);
    return mark;
}

static void put_fixed64(struct buf *out, uint32_t number, uint64_t v)
{
    codec_pb_put_key(out, number, CODEC_PB_FIXED64);
    codec_append64(out, v);
}

static bool is_zero(const char *id, size_t len)
{
    char any = 0;
    for (size_t i = 0; i < len; i++)
        any |= id[i];
    return !any;
}

static bool is_true(struct data_value v)
{
    return v.kind == DATA_VALUE_BOOL
               ? v.i != 0
               : v.kind == DATA_VALUE_STRING && slice_eq_nocase(v.text, SLICE("true"));
}

/* What tags say of things that OTLP has a place for. */
struct special {
    int kind, status;
    struct slice message, trace_state, scope_name, scope_version;
};

/* True when the tag is one of them and done with. */
static bool read_special(const struct decode__jaeger_tag *t, struct special *out)
{
    static const char *const kinds[] = {NULL,     "internal", "server",
                                        "client", "producer", "consumer"};
    struct slice key = t->key;
    if (slice_eq_cstr(key, "error")) {
        if (is_true(t->value))
            out->status = 2;
        return is_true(t->value) || t->value.kind == DATA_VALUE_BOOL ||
               slice_eq_nocase(t->value.kind == DATA_VALUE_STRING ? t->value.text : SLICE(""),
                               SLICE("false"));
    }
    if (t->value.kind != DATA_VALUE_STRING)
        return false;
    if (slice_eq_cstr(key, "span.kind")) {
        for (int i = 1; i < 6; i++) {
            if (slice_eq_nocase(t->value.text, slice_cstr(kinds[i]))) {
                out->kind = i;
                return true;
            }
        }
    } else if (slice_eq_cstr(key, "otel.status_code")) {
        if (slice_eq_nocase(t->value.text, SLICE("ERROR")))
            out->status = 2;
        else if (slice_eq_nocase(t->value.text, SLICE("OK")) && !out->status)
            out->status = 1;
        return true;
    } else if (slice_eq_cstr(key, "otel.status_description")) {
        out->message = t->value.text;
        return true;
    } else if (slice_eq_cstr(key, "w3c.tracestate")) {
        out->trace_state = t->value.text;
        return true;
    } else if (slice_eq_cstr(key, "otel.scope.name") || slice_eq_cstr(key, "otel.library.name")) {
        out->scope_name = t->value.text;
        return true;
    } else if (slice_eq_cstr(key, "otel.scope.version") ||
               slice_eq_cstr(key, "otel.library.version")) {
        out->scope_version = t->value.text;
        return true;
    }
    return false;
}

static void put_logs(const struct decode__jaeger_span *s, struct buf *out)
{
    for (size_t i = 0; i < s->logs.len; i++) {
        const struct decode__jaeger_log *log = &s->logs.items[i];
        const struct decode__jaeger_tag *tags = s->log_tags.items + log->first, *name = NULL;
        for (size_t k = 0; k < log->count && !name; k++) {
            if (slice_eq_cstr(tags[k].key, "event") && tags[k].value.kind == DATA_VALUE_STRING)
                name = &tags[k];
        }
        size_t e = codec_pb_begin(out, 11);
        put_fixed64(out, 1, log->ns);
        if (name)
            codec_pb_put_bytes(out, 2, name->value.text);
        for (size_t k = 0; k < log->count; k++) {
            if (&tags[k] != name)
                decode_otlp_put_attribute(out, 3, tags[k].key, tags[k].value);
        }
        codec_pb_end(out, e);
    }
}

/* References but for the one that says who the parent is. */
static void put_links(const struct decode__jaeger_span *s, const char *parent_id, struct buf *out)
{
    bool parent_seen = false;
    for (size_t i = 0; i < s->references.len; i++) {
        const struct decode__jaeger_reference *r = &s->references.items[i];
        if (!parent_seen && !r->follows_from && !memcmp(r->span_id, parent_id, 8) &&
            !memcmp(r->trace_id, s->trace_id, 16)) {
            parent_seen = true;
            continue;
        }
        size_t l = codec_pb_begin(out, 13);
        codec_pb_put_bytes(out, 1, slice_make(r->trace_id, 16));
        codec_pb_put_bytes(out, 2, slice_make(r->span_id, 8));
        decode_otlp_put_attribute(
            out, 4, SLICE("opentracing.ref_type"),
            data_value_string(r->follows_from ? SLICE("follows_from") : SLICE("child_of")));
        codec_pb_end(out, l);
    }
}

/* The parent as it is given, or the first reference to one in the same trace. */
static const char *find_parent(const struct decode__jaeger_span *s)
{
    if (!is_zero(s->parent_id, 8))
        return s->parent_id;
    for (size_t i = 0; i < s->references.len; i++) {
        const struct decode__jaeger_reference *r = &s->references.items[i];
        if (!r->follows_from && !memcmp(r->trace_id, s->trace_id, 16))
            return r->span_id;
    }
    return s->parent_id;
}

static void put_status(const struct special *special, struct buf *out)
{
    if (!special->status && !special->message.len)
        return;
    size_t m = codec_pb_begin(out, 15);
    if (special->message.len)
        codec_pb_put_bytes(out, 2, special->message);
    if (special->status)
        codec_pb_put_varint(out, 3, (uint64_t)special->status);
    codec_pb_end(out, m);
}

void decode__jaeger_put_span(const struct decode__jaeger_span *s, struct buf *out)
{
    struct special special = {0};
    const char *parent_id = find_parent(s);
    uint64_t end;
    size_t scope_spans = codec_pb_begin(out, 2), m = codec_pb_begin(out, 2);
    if (!s->bad_id) {
        codec_pb_put_bytes(out, 1, slice_make(s->trace_id, 16));
        codec_pb_put_bytes(out, 2, slice_make(s->span_id, 8));
    }
    if (!is_zero(parent_id, 8))
        codec_pb_put_bytes(out, 4, slice_make(parent_id, 8));
    codec_pb_put_bytes(out, 5, s->name);
    put_fixed64(out, 7, s->start_ns);
    put_fixed64(out, 8,
                __builtin_add_overflow(s->start_ns, s->duration_ns, &end) ? UINT64_MAX : end);
    for (size_t i = 0; i < s->tags.len; i++) {
        if (!read_special(&s->tags.items[i], &special))
            decode_otlp_put_attribute(out, 9, s->tags.items[i].key, s->tags.items[i].value);
    }
    if (special.kind)
        codec_pb_put_varint(out, 6, (uint64_t)special.kind);
    if (special.trace_state.len)
        codec_pb_put_bytes(out, 3, special.trace_state);
    put_logs(s, out);
    put_links(s, parent_id, out);
    put_status(&special, out);
    if (s->flags & 1) { /* sampled */
        codec_pb_put_key(out, 16, CODEC_PB_FIXED32);
        codec_append32(out, 1);
    }
    codec_pb_end(out, m);
    if (special.scope_name.len || special.scope_version.len) {
        size_t scope = codec_pb_begin(out, 1);
        codec_pb_put_bytes(out, 1, special.scope_name);
        codec_pb_put_bytes(out, 2, special.scope_version);
        codec_pb_end(out, scope);
    }
    codec_pb_end(out, scope_spans);
}
