/* ExportLogsServiceRequest. */
#include "base/assert.h"
#include "decode/level.h"
#include "decode/otlp/events_priv.h"

static const char in_record[] = "LogRecord";

struct record {
    uint64_t time, observed;
    int64_t severity, dropped, flags;
    struct slice severity_text, trace_id, span_id, event_name;
    struct decode__otlp_value body;
};

/* What the kinds of AnyValue are in a batch; for bodies that are no strings. */
static enum data_value_kind kind_of(enum decode__otlp_kind kind)
{
    switch (kind) {
    case DECODE__OTLP_EMPTY: return DATA_VALUE_NULL;
    case DECODE__OTLP_STRING: return DATA_VALUE_STRING;
    case DECODE__OTLP_BOOL: return DATA_VALUE_BOOL;
    case DECODE__OTLP_INT: return DATA_VALUE_INT;
    case DECODE__OTLP_DOUBLE: return DATA_VALUE_DOUBLE;
    case DECODE__OTLP_BYTES: return DATA_VALUE_BYTES;
    case DECODE__OTLP_ARRAY:
    case DECODE__OTLP_MAP: return DATA_VALUE_JSON;
    }
    return DATA_VALUE_NULL;
}

/* An attribute that names the level comes first, as Loki looks for it, then the severity's number,
 * its text, and the line. */
static enum data_event_level level_of(const struct decode__otlp_events *e, const struct record *rec,
                                      struct slice line)
{
    const struct decode_otlp_scratch *s = e->w.scratch;
    for (size_t i = 0; i < s->attrs.len; i++) {
        const struct data_event_attr *a = &s->attrs.items[i];
        if (a->value.kind == DATA_VALUE_STRING &&
            decode_level_is_name(e->batch->fields.items[a->field].name))
            return data_event_level_guess(a->value.text);
    }
    enum data_event_level level = data_event_level_of_severity(rec->severity);
    if (!level)
        level = data_event_level_guess(rec->severity_text);
    return level ? level : decode_level_of_line(line);
}

/* The record's fields but its attributes, which go to the scratch. ERR_LIMIT and ERR_UNSUPPORTED
 * refuse the record. */
static int read_record(struct decode__otlp_events *e, struct slice message, struct record *rec)
{
    static const uint8_t wires[] = {
        [1] = CODEC_PB_FIXED64,  [2] = CODEC_PB_VARINT, [3] = CODEC_PB_BYTES,
        [5] = CODEC_PB_BYTES,    [6] = CODEC_PB_BYTES,  [7] = CODEC_PB_VARINT,
        [8] = CODEC_PB_FIXED32,  [9] = CODEC_PB_BYTES,  [10] = CODEC_PB_BYTES,
        [11] = CODEC_PB_FIXED64, [12] = CODEC_PB_BYTES};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int refused = 0, err;
    vec_clear(&e->w.scratch->attrs);
    while (codec_pb_next(&r, &f)) {
        if (f.number >= ARRAY_LEN(wires) || f.number == 4)
            continue;
        if (f.wire != (enum codec_pb_wire)wires[f.number])
            return decode__otlp_damaged(&e->w, &r, in_record);
        switch (f.number) {
        case 1: rec->time = f.num; break;
        case 2: rec->severity = (int32_t)f.num; break;
        case 3: rec->severity_text = f.bytes; break;
        case 5:
            if (decode__otlp_read_value(f.bytes, &rec->body))
                return decode__otlp_damaged_at(&e->w, f.bytes, "a body");
            break;
        case 6:
            err = decode__otlp_take_event_attribute(e, f.bytes);
            if (err == ERR_INVALID)
                return decode__otlp_damaged_at(&e->w, f.bytes, "an attribute");
            refused = refused ? refused : err;
            break;
        case 7: rec->dropped = (uint32_t)f.num; break;
        case 8: rec->flags = (uint32_t)f.num; break;
        case 9: rec->trace_id = f.bytes; break;
        case 10: rec->span_id = f.bytes; break;
        case 11: rec->observed = f.num; break;
        default: rec->event_name = f.bytes; break;
        }
    }
    return r.failed ? decode__otlp_damaged(&e->w, &r, in_record) : refused;
}

static int log_record(struct decode__otlp_events *e, struct slice message)
{
    struct data_event_batch *b = e->batch;
    struct decode_otlp_scratch *s = e->w.scratch;
    struct record rec = {0};
    struct slice line;
    int err = read_record(e, message, &rec);
    if (err == ERR_INVALID)
        return err;
    if (!err)
        err = decode__otlp_text(&e->w, &rec.body, &line);
    if (err == ERR_INVALID)
        return decode__otlp_damaged_at(&e->w, rec.body.bytes, "a body");
    if (err) {
        decode__otlp_refuse_attribute(e, err, "a log record");
        return 0;
    }
    uint64_t time = rec.time ? rec.time : rec.observed ? rec.observed : (uint64_t)e->received_ns;
    if (time > INT64_MAX) {
        decode__otlp_refuse(&e->w, DECODE_OTLP_BAD_TIME, 1,
                            "a log record's timeUnixNano is beyond the year 2261");
        return 0;
    }
    uint32_t row = data_event_batch_add_row(b, e->stream, (int64_t)time);
    b->rows.items[row].resource = e->resource_set;
    b->rows.items[row].scope = e->scope_set;
    data_event_put(b, DATA_EVENT_LINE, data_value_string(line));
    if (rec.body.kind != DECODE__OTLP_STRING)
        data_event_put(b, DATA_EVENT_BODY_KIND, data_value_int(kind_of(rec.body.kind)));
    data_event_put(b, DATA_EVENT_LEVEL,
                   data_value_string(data_event_level_name(level_of(e, &rec, line))));
    decode__otlp_put_int(b, DATA_EVENT_SEVERITY, rec.severity);
    decode__otlp_put_text(e, DATA_EVENT_SEVERITY_TEXT, rec.severity_text);
    if (rec.observed <= INT64_MAX)
        decode__otlp_put_int(b, DATA_EVENT_OBSERVED_TIME, (int64_t)rec.observed);
    decode__otlp_put_text(e, DATA_EVENT_EVENT_NAME, rec.event_name);
    /* Ids that are none only mean that the record belongs to no span. */
    if (decode__otlp_is_id(rec.trace_id, 16))
        data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(rec.trace_id));
    if (decode__otlp_is_id(rec.span_id, 8))
        data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(rec.span_id));
    decode__otlp_put_int(b, DATA_EVENT_FLAGS, rec.flags);
    decode__otlp_put_int(b, DATA_EVENT_DROPPED_ATTRIBUTES, rec.dropped);
    for (size_t i = 0; i < s->attrs.len; i++)
        data_event_put(b, s->attrs.items[i].field, s->attrs.items[i].value);
    return 0;
}

int decode_otlp_logs(enum decode_otlp_encoding encoding, struct slice body, int64_t received_ns,
                     struct decode_otlp_scratch *scratch, struct data_event_batch *batch,
                     struct decode_otlp_result *out, struct diag *diag)
{
    struct slice message;
    base_assert(batch->table == DATA_EVENT_LOGS);
    int err = decode__otlp_begin(DECODE_OTLP_LOGS, encoding, body, scratch, out, &message, diag);
    if (err)
        return err;
    struct decode__otlp_events e = {
        .w = {.body = message, .scratch = scratch, .out = out, .diag = diag},
        .batch = batch,
        .received_ns = received_ns,
        .record = log_record};
    return decode__otlp_events_walk(&e);
}
