/* ExportTraceServiceRequest. */
#include "base/assert.h"
#include "decode/otlp/events_priv.h"

static const char in_span[] = "Span", in_event[] = "Span.Event", in_link[] = "Span.Link",
                  in_status[] = "Status";

struct span {
    struct slice trace_id, span_id, parent_id, trace_state, name, status_message;
    uint64_t start, end;
    int64_t kind, status, flags, dropped_attributes, dropped_events, dropped_links;
    size_t attr_count; /* of the span, at the front of the scratch's */
};

static int read_status(struct decode__otlp_events *e, struct slice message, struct span *sp)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            sp->status_message = f.bytes;
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT)
            sp->status = (int32_t)f.num;
        else if (f.number == 2 || f.number == 3)
            return decode__otlp_damaged(&e->w, &r, in_status);
    }
    return r.failed ? decode__otlp_damaged(&e->w, &r, in_status) : 0;
}

/* An attribute, fatal when damaged; *refused gets what refuses the span. */
static int take_attribute(struct decode__otlp_events *e, struct slice message, int *refused)
{
    int err = decode__otlp_take_event_attribute(e, message);
    if (err == ERR_INVALID)
        return decode__otlp_damaged_at(&e->w, message, "an attribute");
    *refused = *refused ? *refused : err;
    return 0;
}

static int read_span(struct decode__otlp_events *e, struct slice message, struct span *sp,
                     int *refused)
{
    static const uint8_t wires[] = {
        [1] = CODEC_PB_BYTES,   [2] = CODEC_PB_BYTES,   [3] = CODEC_PB_BYTES,
        [4] = CODEC_PB_BYTES,   [5] = CODEC_PB_BYTES,   [6] = CODEC_PB_VARINT,
        [7] = CODEC_PB_FIXED64, [8] = CODEC_PB_FIXED64, [9] = CODEC_PB_BYTES,
        [10] = CODEC_PB_VARINT, [11] = CODEC_PB_BYTES,  [12] = CODEC_PB_VARINT,
        [13] = CODEC_PB_BYTES,  [14] = CODEC_PB_VARINT, [15] = CODEC_PB_BYTES,
        [16] = CODEC_PB_FIXED32};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    vec_clear(&e->w.scratch->attrs);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number >= ARRAY_LEN(wires))
            continue;
        if (f.wire != (enum codec_pb_wire)wires[f.number])
            return decode__otlp_damaged(&e->w, &r, in_span);
        switch (f.number) {
        case 1: sp->trace_id = f.bytes; break;
        case 2: sp->span_id = f.bytes; break;
        case 3: sp->trace_state = f.bytes; break;
        case 4: sp->parent_id = f.bytes; break;
        case 5: sp->name = f.bytes; break;
        case 6: sp->kind = (int32_t)f.num; break;
        case 7: sp->start = f.num; break;
        case 8: sp->end = f.num; break;
        case 9: err = take_attribute(e, f.bytes, refused); break;
        case 10: sp->dropped_attributes = (uint32_t)f.num; break;
        case 12: sp->dropped_events = (uint32_t)f.num; break;
        case 14: sp->dropped_links = (uint32_t)f.num; break;
        case 15: err = read_status(e, f.bytes, sp); break;
        case 16: sp->flags = (uint32_t)f.num; break;
        default: break; /* events and links, later */
        }
    }
    sp->attr_count = e->w.scratch->attrs.len;
    return err ? err : r.failed ? decode__otlp_damaged(&e->w, &r, in_span) : 0;
}

static int read_event(struct decode__otlp_events *e, struct slice message,
                      struct data_event_child *c, int *refused)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    uint64_t time = 0;
    int err = 0;
    *c = (struct data_event_child){.kind = DATA_CHILD_EVENT};
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number > 4)
            continue;
        if (f.wire != (f.number == 1   ? CODEC_PB_FIXED64
                       : f.number == 4 ? CODEC_PB_VARINT
                                       : CODEC_PB_BYTES))
            return decode__otlp_damaged(&e->w, &r, in_event);
        switch (f.number) {
        case 1: time = f.num; break;
        case 2: c->name = decode__otlp_utf8(&e->w, f.bytes); break;
        case 3: err = take_attribute(e, f.bytes, refused); break;
        default: c->dropped = (uint32_t)f.num; break;
        }
    }
    c->ts_ns = time > INT64_MAX ? INT64_MAX : (int64_t)time;
    return err ? err : r.failed ? decode__otlp_damaged(&e->w, &r, in_event) : 0;
}

/* A link may lead nowhere (zero or missing ids, kept as zeros); ids of other lengths refuse the
 * span. */
static bool link_id(struct slice *id, size_t size)
{
    static const char zeros[16] = {0};
    if (!id->len)
        *id = slice_make(zeros, size);
    return id->len == size;
}

static int read_link(struct decode__otlp_events *e, struct slice message,
                     struct data_event_child *c, int *refused, bool *bad_id)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    *c = (struct data_event_child){.kind = DATA_CHILD_LINK};
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number > 6)
            continue;
        if (f.wire != (f.number == 5   ? CODEC_PB_VARINT
                       : f.number == 6 ? CODEC_PB_FIXED32
                                       : CODEC_PB_BYTES))
            return decode__otlp_damaged(&e->w, &r, in_link);
        switch (f.number) {
        case 1: c->trace_id = f.bytes; break;
        case 2: c->span_id = f.bytes; break;
        case 3: c->trace_state = decode__otlp_utf8(&e->w, f.bytes); break;
        case 4: err = take_attribute(e, f.bytes, refused); break;
        case 5: c->dropped = (uint32_t)f.num; break;
        default: c->flags = (uint32_t)f.num; break;
        }
    }
    *bad_id |= !link_id(&c->trace_id, 16) || !link_id(&c->span_id, 8);
    return err ? err : r.failed ? decode__otlp_damaged(&e->w, &r, in_link) : 0;
}

/* Walks events and links. With `add` they go to the row begun last; without, they are only
 * checked: a span that is refused leaves nothing in the batch. */
static int take_children(struct decode__otlp_events *e, struct slice message, bool add,
                         int *refused, bool *bad_id)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct data_event_child c;
    __typeof__(e->w.scratch->attrs) *attrs = &e->w.scratch->attrs;
    while (codec_pb_next(&r, &f)) {
        if (f.number != 11 && f.number != 13)
            continue;
        size_t first = attrs->len;
        int err = f.number == 11 ? read_event(e, f.bytes, &c, refused)
                                 : read_link(e, f.bytes, &c, refused, bad_id);
        if (err)
            return err;
        if (add) {
            data_event_batch_add_child(e->batch, &c);
            for (size_t i = first; i < attrs->len; i++)
                data_event_child_put(e->batch, attrs->items[i].field, attrs->items[i].value);
        }
        attrs->len = first;
    }
    return 0;
}

static bool check_span(struct decode__otlp_events *e, const struct span *sp, bool bad_link)
{
    const char *what = !decode__otlp_is_id(sp->trace_id, 16)
                           ? "traceId is not 16 bytes, not all zero"
                       : !decode__otlp_is_id(sp->span_id, 8) ? "spanId is not 8 bytes, not all zero"
                       : sp->parent_id.len && sp->parent_id.len != 8 ? "parentSpanId is not 8 bytes"
                       : bad_link ? "link has ids that are not 16 and 8 bytes"
                                  : NULL;
    if (what)
        return decode__otlp_refuse(&e->w, DECODE_OTLP_BAD_ID, 1, "span \"%.*s\": its %s",
                                   SLICE_FMT(slice_first(sp->name, 200)), what);
    if ((!sp->start && !sp->end) || sp->start > INT64_MAX || sp->end > INT64_MAX)
        return decode__otlp_refuse(&e->w, DECODE_OTLP_BAD_TIME, 1, "span \"%.*s\": %s",
                                   SLICE_FMT(slice_first(sp->name, 200)),
                                   sp->start || sp->end ? "its times are beyond the year 2261"
                                                        : "it has neither start nor end");
    return true;
}

/* No end: not finished, no duration. No start: it is where it ended. An end before the start is one
 * at the start. */
static void put_times(struct decode__otlp_events *e, const struct span *sp)
{
    if (!sp->end)
        return;
    uint64_t start = sp->start ? sp->start : sp->end;
    if (sp->end < start)
        e->w.out->clamped_durations++;
    data_event_put(e->batch, DATA_EVENT_DURATION,
                   data_value_int(sp->end < start ? 0 : (int64_t)(sp->end - start)));
}

static int take_span(struct decode__otlp_events *e, struct slice message)
{
    struct data_event_batch *b = e->batch;
    struct span sp = {0};
    int refused = 0;
    bool bad_link = false;
    int err = read_span(e, message, &sp, &refused);
    if (!err)
        err = take_children(e, message, false, &refused, &bad_link);
    if (err)
        return err;
    if (refused) {
        decode__otlp_refuse_attribute(e, refused, "a span");
        return 0;
    }
    if (!check_span(e, &sp, bad_link))
        return 0;
    uint32_t row = data_event_batch_add_row(b, e->stream, (int64_t)(sp.start ? sp.start : sp.end));
    b->rows.items[row].resource = e->resource_set;
    b->rows.items[row].scope = e->scope_set;
    data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(sp.trace_id));
    data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(sp.span_id));
    if (decode__otlp_is_id(sp.parent_id, 8))
        data_event_put(b, DATA_EVENT_PARENT_ID, data_value_bytes(sp.parent_id));
    data_event_put(b, DATA_EVENT_NAME, data_value_string(decode__otlp_utf8(&e->w, sp.name)));
    data_event_put(b, DATA_EVENT_KIND, data_value_int(sp.kind));
    data_event_put(b, DATA_EVENT_STATUS, data_value_int(sp.status));
    decode__otlp_put_text(e, DATA_EVENT_STATUS_MESSAGE, sp.status_message);
    put_times(e, &sp);
    decode__otlp_put_text(e, DATA_EVENT_TRACE_STATE, sp.trace_state);
    decode__otlp_put_int(b, DATA_EVENT_FLAGS, sp.flags);
    decode__otlp_put_int(b, DATA_EVENT_DROPPED_ATTRIBUTES, sp.dropped_attributes);
    decode__otlp_put_int(b, DATA_EVENT_DROPPED_EVENTS, sp.dropped_events);
    decode__otlp_put_int(b, DATA_EVENT_DROPPED_LINKS, sp.dropped_links);
    for (size_t i = 0; i < sp.attr_count; i++)
        data_event_put(b, e->w.scratch->attrs.items[i].field, e->w.scratch->attrs.items[i].value);
    return take_children(e, message, true, &refused, &bad_link);
}

int decode_otlp_spans(enum decode_otlp_encoding encoding, struct slice body,
                      struct decode_otlp_scratch *scratch, struct data_event_batch *batch,
                      struct decode_otlp_result *out, struct diag *diag)
{
    struct slice message;
    base_assert(batch->table == DATA_EVENT_SPANS);
    int err = decode__otlp_begin(DECODE_OTLP_TRACES, encoding, body, scratch, out, &message, diag);
    if (err)
        return err;
    struct decode__otlp_events e = {
        .w = {.body = message, .scratch = scratch, .out = out, .diag = diag},
        .batch = batch,
        .record = take_span};
    return decode__otlp_events_walk(&e);
}
