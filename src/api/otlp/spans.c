#include "api/otlp/spans.h"

#include "base/map.h"
#include "base/mem.h"
#include "codec/pb.h"
#include "decode/otlp/encode.h"
#include "decode/otlp/stream.h"

/* ScopeSpans and ResourceSpans being filled. */
struct scope {
    struct buf spans; /* of the ScopeSpans: its field 2, one after the other */
    struct slice message, schema_url;
};
struct resource {
    struct slice message, schema_url;
    VEC(size_t) scopes;
};

struct encoder {
    const struct store_event_chunk *c;
    struct map *resource_by_key, *scope_by_key; /* encoded messages to indices */
    VEC(struct resource) resources;
    VEC(struct scope) scopes;
    struct buf resource, scope;                                      /* of the row in hand */
    const struct data_value *intrinsics[DATA_EVENT_INTRINSIC_COUNT]; /* their columns, or NULL */
};

static struct data_value value_of(const struct encoder *e, size_t row, uint32_t intrinsic)
{
    const struct data_value *column = e->intrinsics[intrinsic];
    return column ? column[row] : (struct data_value){0};
}

static struct slice text_of(const struct encoder *e, size_t row, uint32_t intrinsic)
{
    struct data_value v = value_of(e, row, intrinsic);
    return data_value_has_text(v.kind) ? v.text : (struct slice){NULL, 0};
}

static void put_text(struct buf *out, uint32_t number, struct slice s)
{
    if (s.len)
        codec_pb_put_bytes(out, number, s);
}

static void put_int(struct buf *out, uint32_t number, struct data_value v)
{
    if (v.kind == DATA_VALUE_INT && v.i)
        codec_pb_put_varint(out, number, (uint64_t)v.i);
}

static void put_fixed64(struct buf *out, uint32_t number, int64_t v)
{
    codec_pb_put_key(out, number, CODEC_PB_FIXED64);
    codec_append64(out, (uint64_t)v);
}

static void put_fixed32(struct buf *out, uint32_t number, int64_t v)
{
    if (!v)
        return;
    codec_pb_put_key(out, number, CODEC_PB_FIXED32);
    codec_append32(out, (uint32_t)v);
}

static void put_attributes(const struct store_event_chunk *c, size_t row,
                           enum data_event_scope scope, uint32_t number, struct buf *out)
{
    for (size_t i = 0; i < c->column_count; i++) {
        const struct store_event_column *col = &c->columns[i];
        if (col->scope == scope && col->values[row].kind)
            decode_otlp_put_attribute(out, number, col->name, col->values[row]);
    }
}

static void make_resource(struct encoder *e, size_t row)
{
    const struct store_event_stream *s = &e->c->streams[e->c->stream[row]];
    buf_clear(&e->resource);
    for (size_t i = 0; i < s->labels.count; i++)
        decode_otlp_put_attribute(&e->resource, 1,
                                  decode_otlp_stream_attribute(s->labels.items[i].name),
                                  data_value_string(s->labels.items[i].value));
    put_attributes(e->c, row, DATA_SCOPE_RESOURCE, 1, &e->resource);
    put_int(&e->resource, 2, value_of(e, row, DATA_EVENT_RESOURCE_DROPPED));
}

static void make_scope(struct encoder *e, size_t row)
{
    buf_clear(&e->scope);
    put_text(&e->scope, 1, text_of(e, row, DATA_EVENT_SCOPE_NAME));
    put_text(&e->scope, 2, text_of(e, row, DATA_EVENT_SCOPE_VERSION));
    put_attributes(e->c, row, DATA_SCOPE_SCOPE, 3, &e->scope);
    put_int(&e->scope, 4, value_of(e, row, DATA_EVENT_SCOPE_DROPPED));
}

/* The group of this message and schema URL, made when it is new; `within` keeps those of other
 * resources apart. */
static size_t find_group(struct map *map, struct slice message, struct slice schema_url,
                         size_t within, size_t next, struct slice *out_message,
                         struct slice *out_schema_url, bool *out_added)
{
    struct buf key = {0};
    codec_append_varint(&key, within);
    codec_append_varint(&key, message.len);
    size_t at = key.len;
    buf_append_slice(&key, message);
    buf_append_slice(&key, schema_url);
    struct map_entry *entry = map_put(map, buf_slice(&key), out_added);
    if (*out_added)
        entry->value.u64 = next;
    *out_message = slice_make(entry->key.ptr + at, message.len);
    *out_schema_url = slice_from(entry->key, at + message.len);
    buf_deinit(&key);
    return (size_t)entry->value.u64;
}

static struct buf *spans_of(struct encoder *e, size_t row)
{
    struct resource r = {0};
    struct scope s = {0};
    bool added;
    make_resource(e, row);
    make_scope(e, row);
    size_t ri = find_group(e->resource_by_key, buf_slice(&e->resource),
                           text_of(e, row, DATA_EVENT_RESOURCE_SCHEMA), 0, e->resources.len,
                           &r.message, &r.schema_url, &added);
    if (added)
        vec_push(&e->resources, r);
    size_t si =
        find_group(e->scope_by_key, buf_slice(&e->scope), text_of(e, row, DATA_EVENT_SCOPE_SCHEMA),
                   ri, e->scopes.len, &s.message, &s.schema_url, &added);
    if (added) {
        vec_push(&e->scopes, s);
        vec_push(&e->resources.items[ri].scopes, si);
    }
    return &e->scopes.items[si].spans;
}

static bool is_zero(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i])
            return false;
    }
    return true;
}

static void put_child(const struct store_event_children *all, const struct data_event_child *c,
                      struct buf *out)
{
    bool is_event = c->kind == DATA_CHILD_EVENT;
    size_t m = codec_pb_begin(out, is_event ? 11 : 13);
    if (is_event) {
        put_fixed64(out, 1, c->ts_ns);
        put_text(out, 2, c->name);
    } else {
        if (!is_zero(c->trace_id))
            put_text(out, 1, c->trace_id);
        if (!is_zero(c->span_id))
            put_text(out, 2, c->span_id);
        put_text(out, 3, c->trace_state);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const struct data_event_attr *a = &all->attrs[c->first + i];
        decode_otlp_put_attribute(out, is_event ? 3 : 4, all->names[a->field], a->value);
    }
    if (c->dropped)
        codec_pb_put_varint(out, is_event ? 4 : 5, c->dropped);
    if (!is_event)
        put_fixed32(out, 6, c->flags);
    codec_pb_end(out, m);
}

static void put_span(const struct encoder *e, size_t row, struct buf *out)
{
    const struct store_event_chunk *c = e->c;
    struct data_value duration = value_of(e, row, DATA_EVENT_DURATION);
    struct data_value flags = value_of(e, row, DATA_EVENT_FLAGS);
    size_t m = codec_pb_begin(out, 2);
    put_text(out, 1, text_of(e, row, DATA_EVENT_TRACE_ID));
    put_text(out, 2, text_of(e, row, DATA_EVENT_SPAN_ID));
    put_text(out, 3, text_of(e, row, DATA_EVENT_TRACE_STATE));
    put_text(out, 4, text_of(e, row, DATA_EVENT_PARENT_ID));
    put_text(out, 5, text_of(e, row, DATA_EVENT_NAME));
    put_int(out, 6, value_of(e, row, DATA_EVENT_KIND));
    put_fixed64(out, 7, c->ts[row]);
    if (duration.kind == DATA_VALUE_INT)
        put_fixed64(out, 8, c->ts[row] + duration.i);
    put_attributes(c, row, DATA_SCOPE_ATTRIBUTE, 9, out);
    put_int(out, 10, value_of(e, row, DATA_EVENT_DROPPED_ATTRIBUTES));
    for (size_t i = 0; c->children && i < c->children[row].count; i++)
        put_child(&c->children[row], &c->children[row].items[i], out);
    put_int(out, 12, value_of(e, row, DATA_EVENT_DROPPED_EVENTS));
    put_int(out, 14, value_of(e, row, DATA_EVENT_DROPPED_LINKS));
    size_t status = codec_pb_begin(out, 15);
    put_text(out, 2, text_of(e, row, DATA_EVENT_STATUS_MESSAGE));
    put_int(out, 3, value_of(e, row, DATA_EVENT_STATUS));
    codec_pb_end(out, status);
    put_fixed32(out, 16, flags.kind == DATA_VALUE_INT ? flags.i : 0);
    codec_pb_end(out, m);
}

static void put_message(struct buf *out, uint32_t number, struct slice message)
{
    codec_pb_put_bytes(out, number, message);
}

void api__otlp_put_spans(const struct store_event_chunk *c, struct buf *out)
{
    api__otlp_put_rows(c, 0, c->count, NULL, out);
}

void api__otlp_put_rows(const struct store_event_chunk *c, size_t first, size_t end,
                        const bool *keep, struct buf *out)
{
    struct encoder e = {.c = c, .resource_by_key = map_new(), .scope_by_key = map_new()};
    for (size_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].scope == DATA_SCOPE_INTRINSIC &&
            c->columns[i].intrinsic < DATA_EVENT_INTRINSIC_COUNT)
            e.intrinsics[c->columns[i].intrinsic] = c->columns[i].values;
    }
    for (size_t row = first; row < end; row++) {
        if (!keep || keep[row])
            put_span(&e, row, spans_of(&e, row));
    }
    for (size_t i = 0; i < e.resources.len; i++) {
        struct resource *r = &e.resources.items[i];
        size_t rm = codec_pb_begin(out, 1);
        put_message(out, 1, r->message);
        for (size_t k = 0; k < r->scopes.len; k++) {
            struct scope *s = &e.scopes.items[r->scopes.items[k]];
            size_t sm = codec_pb_begin(out, 2);
            put_message(out, 1, s->message);
            buf_append_slice(out, buf_slice(&s->spans));
            put_text(out, 3, s->schema_url);
            codec_pb_end(out, sm);
            buf_deinit(&s->spans);
        }
        put_text(out, 3, r->schema_url);
        codec_pb_end(out, rm);
        vec_free(&r->scopes);
    }
    vec_free(&e.resources);
    vec_free(&e.scopes);
    buf_deinit(&e.resource);
    buf_deinit(&e.scope);
    map_free(e.resource_by_key);
    map_free(e.scope_by_key);
}
