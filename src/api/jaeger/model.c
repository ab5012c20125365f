/* Spans in protobuf as version 2 of Jaeger's gRPC has them (api_v2/model.proto), each with its
 * process. */
#include "api/jaeger/door_priv.h"
#include "codec/pb.h"

static void put_key_value(void *ctx, struct slice key, struct data_value v)
{
    struct buf *out = ctx;
    codec_pb_put_bytes(out, 1, key);
    switch (v.kind) {
    case DATA_VALUE_BOOL:
        codec_pb_put_varint(out, 2, 1);
        codec_pb_put_varint(out, 4, (uint64_t)v.i);
        break;
    case DATA_VALUE_INT:
        codec_pb_put_varint(out, 2, 2);
        codec_pb_put_varint(out, 5, (uint64_t)v.i);
        break;
    case DATA_VALUE_DOUBLE:
        codec_pb_put_varint(out, 2, 3);
        codec_pb_put_double(out, 6, v.d);
        break;
    case DATA_VALUE_BYTES:
        codec_pb_put_varint(out, 2, 4);
        codec_pb_put_bytes(out, 7, v.text);
        break;
    default: {
        struct buf text = {0};
        data_value_print(v, &text);
        codec_pb_put_bytes(out, 3, buf_slice(&text));
        buf_deinit(&text);
    }
    }
}

static void put_tag(void *ctx, struct slice key, struct data_value v)
{
    struct buf *out = ctx;
    size_t m = codec_pb_begin(out, 8);
    put_key_value(out, key, v);
    codec_pb_end(out, m);
}

/* Tags of a process, and fields of a log. */
static void put_field(void *ctx, struct slice key, struct data_value v)
{
    struct buf *out = ctx;
    size_t m = codec_pb_begin(out, 2);
    put_key_value(out, key, v);
    codec_pb_end(out, m);
}

static void put_time(struct buf *out, uint32_t number, int64_t ns)
{
    int64_t seconds = ns / NS_PER_SEC, nanos = ns % NS_PER_SEC;
    if (nanos < 0) {
        seconds--;
        nanos += NS_PER_SEC;
    }
    size_t m = codec_pb_begin(out, number);
    codec_pb_put_varint(out, 1, (uint64_t)seconds);
    codec_pb_put_varint(out, 2, (uint64_t)nanos);
    codec_pb_end(out, m);
}

static void put_reference(struct buf *out, struct slice trace_id, struct slice span_id,
                          bool follows_from)
{
    size_t m = codec_pb_begin(out, 4);
    codec_pb_put_bytes(out, 1, trace_id);
    codec_pb_put_bytes(out, 2, span_id);
    if (follows_from)
        codec_pb_put_varint(out, 3, 1);
    codec_pb_end(out, m);
}

static void put_children(const struct store_event_chunk *c, size_t row, struct buf *out)
{
    const struct store_event_children *all = c->children ? &c->children[row] : NULL;
    for (size_t i = 0; all && i < all->count; i++) {
        const struct data_event_child *child = &all->items[i];
        if (child->kind == DATA_CHILD_LINK) {
            put_reference(out, child->trace_id, child->span_id, true);
            continue;
        }
        size_t m = codec_pb_begin(out, 9);
        put_time(out, 1, child->ts_ns);
        jaeger__log_fields(all, child, put_field, out);
        codec_pb_end(out, m);
    }
}

static struct data_value value_of(const struct store_event_chunk *c, size_t row, uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(c, intrinsic);
    return column ? column[row] : (struct data_value){0};
}

static void put_span(const struct store_event_chunk *c, size_t row, struct buf *out)
{
    struct data_value trace_id = value_of(c, row, DATA_EVENT_TRACE_ID),
                      parent = value_of(c, row, DATA_EVENT_PARENT_ID),
                      name = value_of(c, row, DATA_EVENT_NAME),
                      duration = value_of(c, row, DATA_EVENT_DURATION),
                      flags = value_of(c, row, DATA_EVENT_FLAGS);
    struct data_labels labels = c->streams[c->stream[row]].labels;
    size_t m = codec_pb_begin(out, 1);
    codec_pb_put_bytes(out, 1, trace_id.text);
    codec_pb_put_bytes(out, 2, value_of(c, row, DATA_EVENT_SPAN_ID).text);
    if (name.kind == DATA_VALUE_STRING)
        codec_pb_put_bytes(out, 3, name.text);
    if (parent.kind == DATA_VALUE_BYTES)
        put_reference(out, trace_id.text, parent.text, false);
    put_children(c, row, out);
    if (flags.kind == DATA_VALUE_INT)
        codec_pb_put_varint(out, 5, (uint64_t)flags.i & 0xff);
    put_time(out, 6, c->ts[row]);
    put_time(out, 7, duration.kind == DATA_VALUE_INT ? duration.i : 0);
    jaeger__span_tags(c, row, put_tag, out);
    size_t process = codec_pb_begin(out, 10);
    codec_pb_put_bytes(out, 1, data_labels_get(labels, SLICE("service_name")));
    jaeger__process_tags(c, row, put_field, out);
    codec_pb_end(out, process);
    codec_pb_end(out, m);
}

void jaeger__put_model(const struct store_event_chunk *c, size_t first, size_t end, struct buf *out)
{
    for (size_t row = first; row < end; row++)
        put_span(c, row, out);
}
