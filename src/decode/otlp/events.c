/* What logs and spans share: resources become streams and sets, scopes sets, attributes typed
 * values. */
#include "decode/otlp/events_priv.h"

#include <stdlib.h>

#include "decode/otlp/stream.h"

static const char in_request[] = "the request", in_resource[] = "a resource's part",
                  in_scope[] = "a scope's part", in_attribute[] = "an attribute";

bool decode__otlp_is_id(struct slice id, size_t size)
{
    char any = 0;
    for (size_t i = 0; i < id.len; i++)
        any |= id.ptr[i];
    return id.len == size && any;
}

void decode__otlp_put_int(struct data_event_batch *b, uint32_t field, int64_t v)
{
    if (v)
        data_event_put(b, field, data_value_int(v));
}

void decode__otlp_put_text(struct decode__otlp_events *e, uint32_t field, struct slice s)
{
    if (s.len)
        data_event_put(e->batch, field, data_value_string(decode__otlp_utf8(&e->w, s)));
}

int decode__otlp_data_value(struct decode__otlp_walk *w, const struct decode__otlp_value *v,
                            struct data_value *out)
{
    switch (v->kind) {
    case DECODE__OTLP_STRING: *out = data_value_string(decode__otlp_utf8(w, v->bytes)); return 0;
    case DECODE__OTLP_BOOL: *out = data_value_bool(v->num); return 0;
    case DECODE__OTLP_INT: *out = data_value_int(v->num); return 0;
    case DECODE__OTLP_DOUBLE: *out = data_value_double(v->dbl); return 0;
    case DECODE__OTLP_BYTES: *out = data_value_bytes(v->bytes); return 0;
    /* A key without a value is there all the same. */
    case DECODE__OTLP_EMPTY: *out = data_value_json(SLICE("null")); return 0;
    case DECODE__OTLP_ARRAY:
    case DECODE__OTLP_MAP: break;
    }
    buf_clear(&w->scratch->text);
    int err = decode__otlp_value_json(v, &w->scratch->text);
    *out = data_value_json(arena_slice(w->scratch->arena, buf_slice(&w->scratch->text)));
    return err;
}

static int take(struct decode__otlp_events *e, struct slice message, enum data_event_scope scope)
{
    struct decode__otlp_attribute a;
    struct data_event_attr out;
    int err = decode__otlp_read_attribute(message, &a);
    if (err)
        return err;
    if (!a.key.len)
        return ERR_UNSUPPORTED;
    err = decode__otlp_data_value(&e->w, &a.value, &out.value);
    out.field = data_event_batch_field(e->batch, scope, decode__otlp_utf8(&e->w, a.key));
    if (!err)
        vec_push(&e->w.scratch->attrs, out);
    return err;
}

int decode__otlp_take_event_attribute(struct decode__otlp_events *e, struct slice message)
{
    return take(e, message, DATA_SCOPE_ATTRIBUTE);
}

void decode__otlp_refuse_attribute(struct decode__otlp_events *e, int err, const char *of)
{
    if (err == ERR_LIMIT)
        decode__otlp_refuse(&e->w, DECODE_OTLP_TOO_DEEP, 1,
                            "a value of %s is nested deeper than %d levels", of, DECODE_OTLP_DEPTH);
    else
        decode__otlp_refuse(&e->w, DECODE_OTLP_BAD_ATTRIBUTE, 1, "an attribute of %s has no key",
                            of);
}

/* Attributes of resources and scopes; one that is no good is left out, its records are not to
 * blame. */
static int take_shared(struct decode__otlp_events *e, struct slice message,
                       enum data_event_scope scope)
{
    int err = take(e, message, scope);
    return err == ERR_INVALID ? decode__otlp_damaged_at(&e->w, message, in_attribute) : 0;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct data_label *)a)->name, ((const struct data_label *)b)->name);
}

/* service_name, whatever the resource says. */
static void add_service_name(struct decode__otlp_events *e)
{
    struct decode_otlp_scratch *s = e->w.scratch;
    for (size_t i = 0; i < s->labels.len; i++) {
        if (slice_eq_cstr(s->labels.items[i].name, "service_name"))
            return;
    }
    struct slice value = SLICE(DECODE_OTLP_UNKNOWN_SERVICE);
    for (const char *const *name = decode_otlp_service_labels; *name; name++) {
        for (size_t i = 0; i < s->labels.len; i++) {
            if (slice_eq_cstr(s->labels.items[i].name, *name)) {
                value = s->labels.items[i].value;
                goto found;
            }
        }
    }
found:
    vec_push(&s->labels, ((struct data_label){SLICE("service_name"), value}));
}

static int read_resource(struct decode__otlp_events *e, struct slice message, int64_t *dropped)
{
    struct decode_otlp_scratch *s = e->w.scratch;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__otlp_attribute a;
    while (codec_pb_next(&r, &f)) {
        if (f.number > 2)
            continue;
        if (f.wire != (f.number == 1 ? CODEC_PB_BYTES : CODEC_PB_VARINT))
            return decode__otlp_damaged(&e->w, &r, in_resource);
        if (f.number == 2) {
            *dropped = (uint32_t)f.num;
            continue;
        }
        if (decode__otlp_read_attribute(f.bytes, &a))
            return decode__otlp_damaged_at(&e->w, f.bytes, in_attribute);
        struct data_label label = {decode_otlp_stream_label(a.key), {NULL, 0}};
        if (label.name.ptr && !decode__otlp_text(&e->w, &a.value, &label.value)) {
            bool again = !label.value.len;
            for (size_t i = 0; i < s->labels.len && !again; i++)
                again = slice_eq(s->labels.items[i].name, label.name);
            if (!again)
                vec_push(&s->labels, label);
            continue;
        }
        int err = take_shared(e, f.bytes, DATA_SCOPE_RESOURCE);
        if (err)
            return err;
    }
    return r.failed ? decode__otlp_damaged(&e->w, &r, in_resource) : 0;
}

static uint32_t begin_set(struct decode__otlp_events *e)
{
    uint32_t set = data_event_batch_add_set(e->batch);
    for (size_t i = 0; i < e->w.scratch->attrs.len; i++)
        data_event_put(e->batch, e->w.scratch->attrs.items[i].field,
                       e->w.scratch->attrs.items[i].value);
    return set;
}

static int take_scope(struct decode__otlp_events *e, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message), s;
    struct codec_pb_field f, g;
    struct slice name = {0}, version = {0}, schema_url = {0};
    int64_t dropped = 0;
    int err = 0;
    vec_clear(&e->w.scratch->attrs);
    while (codec_pb_next(&r, &f)) {
        if (f.number > 3)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__otlp_damaged(&e->w, &r, in_scope);
        if (f.number == 3)
            schema_url = f.bytes;
        if (f.number != 1)
            continue;
        s = codec_pb_reader(f.bytes);
        while (codec_pb_next(&s, &g)) {
            if (g.number > 4)
                continue;
            if (g.wire != (g.number == 4 ? CODEC_PB_VARINT : CODEC_PB_BYTES))
                return decode__otlp_damaged(&e->w, &s, in_scope);
            switch (g.number) {
            case 1: name = g.bytes; break;
            case 2: version = g.bytes; break;
            case 3:
                if ((err = take_shared(e, g.bytes, DATA_SCOPE_SCOPE)))
                    return err;
                break;
            default: dropped = (uint32_t)g.num; break;
            }
        }
        if (s.failed)
            return decode__otlp_damaged(&e->w, &s, in_scope);
    }
    if (r.failed)
        return decode__otlp_damaged(&e->w, &r, in_scope);
    e->scope_set = begin_set(e);
    decode__otlp_put_text(e, DATA_EVENT_SCOPE_NAME, name);
    decode__otlp_put_text(e, DATA_EVENT_SCOPE_VERSION, version);
    decode__otlp_put_text(e, DATA_EVENT_SCOPE_SCHEMA, schema_url);
    decode__otlp_put_int(e->batch, DATA_EVENT_SCOPE_DROPPED, dropped);
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 2)
            continue;
        e->w.out->items++;
        err = e->record(e, f.bytes);
    }
    return err;
}

static int take_resource(struct decode__otlp_events *e, struct slice message)
{
    struct decode_otlp_scratch *s = e->w.scratch;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice schema_url = {0};
    int64_t dropped = 0;
    int err = 0;
    vec_clear(&s->attrs);
    vec_clear(&s->labels);
    while (codec_pb_next(&r, &f)) {
        if (f.number > 3)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__otlp_damaged(&e->w, &r, in_resource);
        if (f.number == 3)
            schema_url = f.bytes;
        else if (f.number == 1 && (err = read_resource(e, f.bytes, &dropped)))
            return err;
    }
    if (r.failed)
        return decode__otlp_damaged(&e->w, &r, in_resource);
    add_service_name(e);
    qsort(s->labels.items, s->labels.len, sizeof(*s->labels.items), by_name);
    e->stream =
        data_event_batch_add_stream(e->batch, (struct data_labels){s->labels.items, s->labels.len});
    e->resource_set = begin_set(e);
    decode__otlp_put_text(e, DATA_EVENT_RESOURCE_SCHEMA, schema_url);
    decode__otlp_put_int(e->batch, DATA_EVENT_RESOURCE_DROPPED, dropped);
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 2)
            err = take_scope(e, f.bytes);
    }
    return err;
}

int decode__otlp_events_walk(struct decode__otlp_events *e)
{
    struct codec_pb_reader r = codec_pb_reader(e->w.body);
    struct codec_pb_field f;
    int err = 0;
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 1)
            continue;
        err = f.wire == CODEC_PB_BYTES ? take_resource(e, f.bytes)
                                       : decode__otlp_damaged(&e->w, &r, in_request);
    }
    return err ? err : r.failed ? decode__otlp_damaged(&e->w, &r, in_request) : 0;
}
