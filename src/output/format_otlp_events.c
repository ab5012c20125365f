/* OTLP: ExportLogsServiceRequest and ExportTraceServiceRequest (opentelemetry-proto 1.x). Rows that
 * follow each other and share stream, resource and scope share a ResourceLogs (or -Spans). The
 * labels of a stream are resource attributes again, under the names they had. */
#include "codec/pb.h"
#include "decode/otlp/encode.h"
#include "decode/otlp/stream.h"
#include "output/output_priv.h"

/* Numbers of fields that logs and spans have under different ones. */
struct shape {
    uint32_t attribute, dropped;
};
static const struct shape of_log = {6, 7}, of_span = {9, 10};

static void put_fixed64(struct buf *b, uint32_t number, uint64_t v)
{
    codec_pb_put_key(b, number, CODEC_PB_FIXED64);
    codec_append64(b, v);
}

static void put_fixed32(struct buf *b, uint32_t number, uint32_t v)
{
    codec_pb_put_key(b, number, CODEC_PB_FIXED32);
    codec_append32(b, v);
}

static struct slice text_of(const struct data_event_batch *batch, const struct data_event_set *set,
                            uint32_t field)
{
    struct slice found = {NULL, 0};
    for (uint32_t i = 0; set && i < set->count; i++) {
        const struct data_event_attr *a = &batch->attrs.items[set->first + i];
        if (a->field == field && a->value.kind == DATA_VALUE_STRING)
            found = a->value.text;
    }
    return found;
}

static int64_t int_of(const struct data_event_batch *batch, const struct data_event_set *set,
                      uint32_t field)
{
    int64_t found = 0;
    for (uint32_t i = 0; set && i < set->count; i++) {
        const struct data_event_attr *a = &batch->attrs.items[set->first + i];
        if (a->field == field && a->value.kind == DATA_VALUE_INT)
            found = a->value.i;
    }
    return found;
}

static const struct data_event_set *set_of(const struct data_event_batch *batch, uint32_t i)
{
    return i == DATA_EVENT_NONE ? NULL : &batch->sets.items[i];
}

static void put_attributes(const struct data_event_batch *batch, uint32_t first, uint32_t count,
                           enum data_event_scope scope, uint32_t number, struct buf *out)
{
    for (uint32_t i = first; i < first + count; i++) {
        const struct data_event_attr *a = &batch->attrs.items[i];
        if (a->field >= DATA_EVENT_INTRINSIC_COUNT && batch->fields.items[a->field].scope == scope)
            decode_otlp_put_attribute(out, number, batch->fields.items[a->field].name, a->value);
    }
}

static void put_resource(const struct output__settings *settings,
                         const struct data_event_batch *batch, const struct data_event_row *row,
                         struct buf *out)
{
    const struct data_event_set *set = set_of(batch, row->resource);
    struct arena *arena = arena_new(0, NULL);
    struct data_labels labels = {0};
    size_t resource = codec_pb_begin(out, 1);
    (void)data_labels_decode(batch->streams.items[row->stream].key, arena, &labels);
    for (size_t i = 0; i < labels.count; i++)
        decode_otlp_put_attribute(out, 1, decode_otlp_stream_attribute(labels.items[i].name),
                                  data_value_string(labels.items[i].value));
    for (size_t i = 0; i < settings->labels.count; i++) {
        struct data_label l = settings->labels.items[i];
        if (!data_labels_get(labels, l.name).ptr)
            decode_otlp_put_attribute(out, 1, l.name, data_value_string(l.value));
    }
    if (set)
        put_attributes(batch, set->first, set->count, DATA_SCOPE_RESOURCE, 1, out);
    codec_pb_put_varint_set(out, 2, (uint64_t)int_of(batch, set, DATA_EVENT_RESOURCE_DROPPED));
    codec_pb_end(out, resource);
    arena_free(arena);
}

static void put_scope(const struct data_event_batch *batch, const struct data_event_row *row,
                      struct buf *out)
{
    const struct data_event_set *set = set_of(batch, row->scope);
    if (!set)
        return;
    size_t scope = codec_pb_begin(out, 1);
    struct slice name = text_of(batch, set, DATA_EVENT_SCOPE_NAME),
                 version = text_of(batch, set, DATA_EVENT_SCOPE_VERSION);
    if (name.len)
        codec_pb_put_bytes(out, 1, name);
    if (version.len)
        codec_pb_put_bytes(out, 2, version);
    put_attributes(batch, set->first, set->count, DATA_SCOPE_SCOPE, 3, out);
    codec_pb_put_varint_set(out, 4, (uint64_t)int_of(batch, set, DATA_EVENT_SCOPE_DROPPED));
    codec_pb_end(out, scope);
}

static void put_schema(const struct data_event_batch *batch, uint32_t set, uint32_t field,
                       struct buf *out)
{
    struct slice url = text_of(batch, set_of(batch, set), field);
    if (url.len)
        codec_pb_put_bytes(out, 3, url);
}

static void put_text(const struct data_event_batch *batch, uint32_t row, uint32_t field,
                     uint32_t number, struct buf *out)
{
    struct data_value v = data_event_get(batch, row, field);
    if (data_value_has_text(v.kind) && v.text.len)
        codec_pb_put_bytes(out, number, v.text);
}

static uint64_t number_of(const struct data_event_batch *batch, uint32_t row, uint32_t field)
{
    struct data_value v = data_event_get(batch, row, field);
    return v.kind == DATA_VALUE_INT ? (uint64_t)v.i : 0;
}

/* A level that was found in the line stands in for a severity that nobody sent. */
static uint64_t severity_of(const struct data_event_batch *batch, uint32_t row)
{
    static const uint8_t numbers[DATA_LEVEL_COUNT] = {
        [DATA_LEVEL_TRACE] = 1, [DATA_LEVEL_DEBUG] = 5,  [DATA_LEVEL_INFO] = 9,
        [DATA_LEVEL_WARN] = 13, [DATA_LEVEL_ERROR] = 17, [DATA_LEVEL_CRITICAL] = 18,
        [DATA_LEVEL_FATAL] = 21};
    struct data_value level = data_event_get(batch, row, DATA_EVENT_LEVEL);
    uint64_t given = number_of(batch, row, DATA_EVENT_SEVERITY);
    return given || level.kind != DATA_VALUE_STRING ? given
                                                    : numbers[data_event_level_parse(level.text)];
}

static void put_common(const struct data_event_batch *batch, uint32_t row,
                       const struct shape *shape, struct buf *out)
{
    const struct data_event_row *r = &batch->rows.items[row];
    put_attributes(batch, r->first, r->count, DATA_SCOPE_ATTRIBUTE, shape->attribute, out);
    codec_pb_put_varint_set(out, shape->dropped,
                            number_of(batch, row, DATA_EVENT_DROPPED_ATTRIBUTES));
}

static void put_log(const struct data_event_batch *batch, uint32_t row, struct buf *out)
{
    struct data_value line = data_event_get(batch, row, DATA_EVENT_LINE);
    uint64_t kind = number_of(batch, row, DATA_EVENT_BODY_KIND), flags;
    uint64_t observed = number_of(batch, row, DATA_EVENT_OBSERVED_TIME);
    size_t record = codec_pb_begin(out, 2);
    put_fixed64(out, 1, (uint64_t)batch->rows.items[row].ts_ns);
    codec_pb_put_varint_set(out, 2, severity_of(batch, row));
    put_text(batch, row, DATA_EVENT_SEVERITY_TEXT, 3, out);
    if (line.kind != DATA_VALUE_NULL) {
        /* A body that was no string is JSON here. */
        decode_otlp_put_value(out, 5,
                              kind && kind != DATA_VALUE_STRING && kind != DATA_VALUE_BYTES
                                  ? data_value_json(line.text)
                                  : line);
    }
    put_common(batch, row, &of_log, out);
    if ((flags = number_of(batch, row, DATA_EVENT_FLAGS)))
        put_fixed32(out, 8, (uint32_t)flags);
    put_text(batch, row, DATA_EVENT_TRACE_ID, 9, out);
    put_text(batch, row, DATA_EVENT_SPAN_ID, 10, out);
    if (observed)
        put_fixed64(out, 11, observed);
    put_text(batch, row, DATA_EVENT_EVENT_NAME, 12, out);
    codec_pb_end(out, record);
}

static void put_child(const struct data_event_batch *batch, const struct data_event_child *c,
                      struct buf *out)
{
    bool event = c->kind == DATA_CHILD_EVENT;
    size_t child = codec_pb_begin(out, event ? 11 : 13);
    if (event) {
        put_fixed64(out, 1, (uint64_t)c->ts_ns);
        codec_pb_put_bytes(out, 2, c->name);
    } else {
        codec_pb_put_bytes(out, 1, c->trace_id);
        codec_pb_put_bytes(out, 2, c->span_id);
        if (c->trace_state.len)
            codec_pb_put_bytes(out, 3, c->trace_state);
    }
    for (uint32_t i = c->first; i < c->first + c->count; i++) {
        const struct data_event_attr *a = &batch->child_attrs.items[i];
        decode_otlp_put_attribute(out, event ? 3 : 4, batch->fields.items[a->field].name, a->value);
    }
    codec_pb_put_varint_set(out, event ? 4 : 5, c->dropped);
    if (!event && c->flags)
        put_fixed32(out, 6, c->flags);
    codec_pb_end(out, child);
}

static void put_span(const struct data_event_batch *batch, uint32_t row, struct buf *out)
{
    const struct data_event_row *r = &batch->rows.items[row];
    uint64_t flags = number_of(batch, row, DATA_EVENT_FLAGS);
    uint64_t status = number_of(batch, row, DATA_EVENT_STATUS);
    struct data_value message = data_event_get(batch, row, DATA_EVENT_STATUS_MESSAGE);
    size_t span = codec_pb_begin(out, 2);
    put_text(batch, row, DATA_EVENT_TRACE_ID, 1, out);
    put_text(batch, row, DATA_EVENT_SPAN_ID, 2, out);
    put_text(batch, row, DATA_EVENT_TRACE_STATE, 3, out);
    put_text(batch, row, DATA_EVENT_PARENT_ID, 4, out);
    put_text(batch, row, DATA_EVENT_NAME, 5, out);
    codec_pb_put_varint_set(out, 6, number_of(batch, row, DATA_EVENT_KIND));
    put_fixed64(out, 7, (uint64_t)r->ts_ns);
    put_fixed64(out, 8, (uint64_t)r->ts_ns + number_of(batch, row, DATA_EVENT_DURATION));
    put_common(batch, row, &of_span, out);
    for (uint32_t i = 0; i < r->child_count; i++)
        put_child(batch, &batch->children.items[r->first_child + i], out);
    codec_pb_put_varint_set(out, 12, number_of(batch, row, DATA_EVENT_DROPPED_EVENTS));
    codec_pb_put_varint_set(out, 14, number_of(batch, row, DATA_EVENT_DROPPED_LINKS));
    if (status || message.kind == DATA_VALUE_STRING) {
        size_t s = codec_pb_begin(out, 15);
        if (message.kind == DATA_VALUE_STRING)
            codec_pb_put_bytes(out, 2, message.text);
        codec_pb_put_varint_set(out, 3, status);
        codec_pb_end(out, s);
    }
    if (flags)
        put_fixed32(out, 16, (uint32_t)flags);
    codec_pb_end(out, span);
}

static bool same_head(const struct data_event_row *a, const struct data_event_row *b)
{
    return a->stream == b->stream && a->resource == b->resource && a->scope == b->scope;
}

size_t output__otlp_events(const struct output__settings *settings,
                           const struct data_event_batch *batch, size_t first, size_t bytes_max,
                           struct buf *out)
{
    size_t rows = batch->rows.len, row = first;
    size_t begun = out->len;
    bool grpc = settings->transport == OUTPUT__GRPC;
    if (grpc)
        buf_append(out, "\0\0\0\0\0", 5); /* not compressed; its length comes in the end */
    while (row < rows && row - first < (size_t)settings->batch_samples &&
           out->len - begun < bytes_max) {
        const struct data_event_row *head = &batch->rows.items[row];
        size_t resource = codec_pb_begin(out, 1);
        put_resource(settings, batch, head, out);
        size_t scope = codec_pb_begin(out, 2);
        put_scope(batch, head, out);
        for (; row < rows && row - first < (size_t)settings->batch_samples &&
               out->len - begun < bytes_max && same_head(head, &batch->rows.items[row]);
             row++) {
            if (batch->table == DATA_EVENT_LOGS)
                put_log(batch, (uint32_t)row, out);
            else
                put_span(batch, (uint32_t)row, out);
        }
        put_schema(batch, head->scope, DATA_EVENT_SCOPE_SCHEMA, out);
        codec_pb_end(out, scope);
        put_schema(batch, head->resource, DATA_EVENT_RESOURCE_SCHEMA, out);
        codec_pb_end(out, resource);
    }
    for (int i = 0; grpc && i < 4; i++)
        out->ptr[begun + 1 + (size_t)i] = (char)((out->len - begun - 5) >> (24 - 8 * i));
    return row - first;
}
