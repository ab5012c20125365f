#include "decode/record.h"

#include <limits.h>

#include "codec/hex.h"
#include "codec/number.h"
#include "decode/level.h"
#include "decode/timestamp.h"

#define TS_UNKNOWN UINT_MAX

static void read_object(struct decode_record *d, struct codec_json_reader *r);

/* --- what a field means --- */

static unsigned line_rank(struct slice name)
{
    static const struct slice names[] = {SLICE_INIT("message"),      SLICE_INIT("event.original"),
                                         SLICE_INIT("log.original"), SLICE_INIT("log"),
                                         SLICE_INIT("msg"),          SLICE_INIT("short_message")};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(names[i], name))
            return i;
    }
    return UINT_MAX;
}

void decode_record_keep(struct decode_record *d, struct slice name, struct data_value value)
{
    if (d->keeps_none || slice_starts_with(name, SLICE("@metadata.")))
        return;
    vec_push(&d->fields, data_event_batch_field(d->batch, DATA_SCOPE_ATTRIBUTE, name));
    vec_push(&d->values, value);
}

static unsigned time_rank(const struct decode_record *d, struct slice name)
{
    static const struct slice names[] = {
        SLICE_INIT("@timestamp"), SLICE_INIT("timestamp"), SLICE_INIT("time"), SLICE_INIT("ts"),
        SLICE_INIT("t"),          SLICE_INIT("datetime"),  SLICE_INIT("date")};
    size_t count = d->times == DECODE_RECORD_TIME_ANY       ? ARRAY_LEN(names)
                   : d->times == DECODE_RECORD_TIME_ELASTIC ? 2
                                                            : 0;
    for (unsigned i = 0; i < count; i++) {
        if (slice_eq(names[i], name))
            return i;
    }
    return UINT_MAX;
}

static bool read_time(const struct decode_record *d, struct data_value v, struct slice text,
                      int64_t *out_ns)
{
    int64_t ms;
    size_t len = 0;
    if (d->times == DECODE_RECORD_TIME_ANY)
        return v.kind == DATA_VALUE_INT ? decode_timestamp_of_number((double)v.i, v.i, out_ns)
               : v.kind == DATA_VALUE_DOUBLE
                   ? decode_timestamp_of_number(v.d, 0, out_ns)
                   : v.kind == DATA_VALUE_STRING &&
                         decode_timestamp_any(text, d->ts_ns, d->offset_s, out_ns, &len) &&
                         len == text.len;
    if (v.kind == DATA_VALUE_INT || (v.kind == DATA_VALUE_STRING && codec_text_to_int(text, &ms)))
        return !__builtin_mul_overflow(v.kind == DATA_VALUE_INT ? v.i : ms, NS_PER_MS, out_ns);
    if (v.kind == DATA_VALUE_DOUBLE)
        return v.d > -9e12 && v.d < 9e12 && (*out_ns = (int64_t)(v.d * 1e6), true);
    return v.kind == DATA_VALUE_STRING && !decode_timestamp_iso(text, out_ns, &len) &&
           len == text.len;
}

static bool take_time(struct decode_record *d, struct slice name, struct data_value v,
                      struct slice text)
{
    unsigned rank = time_rank(d, name);
    int64_t ns;
    if (rank >= d->ts_rank)
        return false;
    if (read_time(d, v, text, &ns)) {
        d->ts_ns = ns;
        d->ts_rank = rank;
        d->has_time = true;
        return true;
    }
    bool bad = d->times == DECODE_RECORD_TIME_ELASTIC && rank == 0;
    if (bad)
        d->bad_time = text.ptr ? text : SLICE("");
    return bad;
}

static void take_level(struct decode_record *d, struct slice name, struct slice text)
{
    static const struct slice names[] = {SLICE_INIT("log.level"),
                                         SLICE_INIT("log.syslog.severity.name"),
                                         SLICE_INIT("event.severity_name")};
    unsigned rank = UINT_MAX;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(names[i], name))
            rank = i;
    }
    if (rank == UINT_MAX && decode_level_is_name(name))
        rank = ARRAY_LEN(names);
    if (rank < d->level_rank) {
        d->level_rank = rank;
        d->level = data_event_level_guess(text);
    }
}

/* An id of that size as bytes; false when it is none. */
static bool take_id(struct decode_record *d, struct slice text, size_t size, struct slice *out)
{
    char id[16];
    if (out->ptr || !codec_text_to_bytes(text, id, size))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (id[i]) {
            *out = data_event_batch_copy(d->batch, slice_make(id, size));
            return true;
        }
    }
    return false;
}

void decode_record_put(struct decode_record *d, struct slice name, struct data_value v,
                       struct slice text)
{
    if (take_time(d, name, v, text))
        return;
    if (v.kind == DATA_VALUE_STRING) {
        unsigned rank = line_rank(name);
        bool only;
        if (rank < d->line_rank) {
            struct slice old = d->line, old_name = d->line_name;
            bool had = d->line_rank != UINT_MAX;
            d->line = text;
            d->line_name = data_event_batch_copy(d->batch, name);
            d->line_rank = rank;
            if (had)
                decode_record_keep(d, old_name, data_value_string(old));
            return;
        }
        take_level(d, name, text);
        if ((slice_eq_cstr(name, "trace.id") || slice_eq_cstr(name, "trace_id")) &&
            take_id(d, text, 16, &d->trace_id))
            return;
        if ((slice_eq_cstr(name, "span.id") || slice_eq_cstr(name, "span_id")) &&
            take_id(d, text, 8, &d->span_id))
            return;
        rank = decode__record_service_rank(name);
        if (rank < d->service_rank && text.len) {
            d->service_rank = rank;
            d->service = text;
        }
        struct slice label = decode__record_label(name, &only);
        if (label.ptr && text.len && !data_labels_builder_get(&d->labels, label).len) {
            data_labels_builder_set(&d->labels, label, text);
            if (only)
                return;
        }
    }
    decode_record_keep(d, name, v);
}

/* --- the walk --- */

static void read_value(struct decode_record *d, struct codec_json_reader *r)
{
    struct slice name = buf_slice(&d->path), text = SLICE("");
    enum codec_json_kind kind;
    int64_t i;
    double f;
    bool b;
    if (!codec_json_peek(r, &kind))
        return;
    switch (kind) {
    case CODEC_JSON_NULL: codec_json_skip(r); break;
    case CODEC_JSON_OBJECT: read_object(d, r); break;
    case CODEC_JSON_ARRAY:
        if (codec_json_read_raw(r, &text))
            decode_record_put(d, name, data_value_json(text), text);
        break;
    case CODEC_JSON_STRING:
        if (codec_json_read_string(r, &text))
            decode_record_put(d, name, data_value_string(text), text);
        break;
    case CODEC_JSON_BOOL:
        if (codec_json_read_bool(r, &b))
            decode_record_put(d, name, data_value_bool(b), text);
        break;
    case CODEC_JSON_NUMBER:
        if (!codec_json_read_number_text(r, &text))
            break;
        if (codec_text_to_int(text, &i))
            decode_record_put(d, name, data_value_int(i), text);
        else if (slice_find_char(text, '.') >= 0 || slice_find_char(text, 'e') >= 0 ||
                 slice_find_char(text, 'E') >= 0) {
            decode_record_put(d, name,
                              codec_text_to_double(text, &f, NULL) ? data_value_double(f)
                                                                   : data_value_string(text),
                              text);
        } else { /* more digits than a number of 64 bits has */
            decode_record_put(d, name, data_value_string(text), text);
        }
        break;
    }
}

static void read_object(struct decode_record *d, struct codec_json_reader *r)
{
    size_t depth = d->path.len;
    struct slice key;
    codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        d->path.len = depth;
        if (depth)
            buf_append_char(&d->path, '.');
        buf_append_slice(&d->path, key);
        if (d->path.len)
            read_value(d, r);
    }
    d->path.len = depth;
}

void decode_record_json(struct decode_record *d, struct codec_json_reader *json,
                        struct slice prefix)
{
    buf_clear(&d->path);
    buf_append_slice(&d->path, prefix);
    read_object(d, json);
}

/* --- the row --- */

void decode_record_begin(struct decode_record *d, struct data_event_batch *batch, int64_t ts_ns)
{
    if (!d->streams)
        d->streams = map_new();
    if (d->batch != batch || d->streams_seen != batch->streams.len) /* another, or emptied */
        map_clear(d->streams);
    d->batch = batch;
    vec_clear(&d->fields);
    vec_clear(&d->values);
    data_labels_builder_reset(&d->labels);
    d->line = d->trace_id = d->span_id = d->service = d->bad_time = (struct slice){NULL, 0};
    d->line_rank = d->level_rank = d->service_rank = UINT_MAX;
    d->ts_ns = ts_ns;
    d->ts_rank = TS_UNKNOWN;
    d->has_time = false;
    d->level = DATA_LEVEL_UNKNOWN;
}

static uint32_t stream_of(struct decode_record *d, struct slice service)
{
    struct data_labels labels;
    bool added;
    if (!data_labels_builder_get(&d->labels, SLICE("service_name")).len)
        data_labels_builder_set(&d->labels, SLICE("service_name"),
                                d->service.len ? d->service : service);
    (void)data_labels_builder_finish(&d->labels, &labels, NULL); /* names are set, so distinct */
    buf_clear(&d->key);
    data_labels_encode(labels, &d->key);
    struct map_entry *e = map_put(d->streams, buf_slice(&d->key), &added);
    if (added)
        e->value.u64 = data_event_batch_add_stream(d->batch, labels) + 1;
    d->streams_seen = d->batch->streams.len;
    return (uint32_t)(e->value.u64 - 1);
}

uint32_t decode_record_end(struct decode_record *d, struct slice line, struct slice service)
{
    struct data_event_batch *b = d->batch;
    if (!d->line.ptr)
        d->line = line;
    if (d->level_rank == UINT_MAX)
        d->level = decode_level_of_line(d->line);
    uint32_t row = data_event_batch_add_row(b, stream_of(d, service), d->ts_ns);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(d->line));
    data_event_put(b, DATA_EVENT_LEVEL, data_value_string(data_event_level_name(d->level)));
    if (d->trace_id.ptr)
        data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(d->trace_id));
    if (d->span_id.ptr)
        data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(d->span_id));
    for (size_t i = 0; i < d->fields.len; i++)
        data_event_put(b, d->fields.items[i], d->values.items[i]);
    return row;
}

void decode_record_deinit(struct decode_record *d)
{
    map_free(d->streams);
    d->streams = NULL;
    buf_deinit(&d->path);
    buf_deinit(&d->key);
    vec_free(&d->fields);
    vec_free(&d->values);
    data_labels_builder_deinit(&d->labels);
}
