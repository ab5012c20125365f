/* A document: walked once, its fields put where they belong. */
#include <limits.h>

#include "codec/hex.h"
#include "codec/number.h"
#include "decode/elastic/bulk_priv.h"
#include "decode/level.h"
#include "decode/timestamp.h"

#define TS_RECEIVED 2

static void read_object(struct decode__elastic *d, struct codec_json_reader *r);

/* --- what a field means --- */

static unsigned line_rank(struct slice name)
{
    static const struct slice names[] = {SLICE_INIT("message"), SLICE_INIT("event.original"),
                                         SLICE_INIT("log.original"), SLICE_INIT("log"),
                                         SLICE_INIT("msg")};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq(names[i], name))
            return i;
    }
    return UINT_MAX;
}

static void keep(struct decode__elastic *d, struct slice name, struct data_value value)
{
    vec_push(&d->fields, data_event_batch_field(d->batch, DATA_SCOPE_ATTRIBUTE, name));
    vec_push(&d->values, value);
}

static bool take_time(struct decode__elastic *d, struct slice name, struct data_value v,
                      struct slice text)
{
    bool main = slice_eq_cstr(name, "@timestamp");
    int64_t ns = 0, ms;
    size_t len = 0;
    bool ok;
    if (!main && (!slice_eq_cstr(name, "timestamp") || d->ts_rank == 0))
        return false;
    if (v.kind == DATA_VALUE_INT || (v.kind == DATA_VALUE_STRING && codec_text_to_int(text, &ms)))
        ok = !__builtin_mul_overflow(v.kind == DATA_VALUE_INT ? v.i : ms, NS_PER_MS, &ns);
    else if (v.kind == DATA_VALUE_DOUBLE)
        ok = v.d > -9e12 && v.d < 9e12 && (ns = (int64_t)(v.d * 1e6), true);
    else
        ok = v.kind == DATA_VALUE_STRING && !decode_timestamp_iso(text, &ns, &len) &&
             len == text.len;
    if (ok) {
        d->ts_ns = ns;
        d->ts_rank = main ? 0 : 1;
        return true;
    }
    if (main) {
        d->bad_time = true;
        d->bad_time_text = text;
    }
    return main;
}

static void take_level(struct decode__elastic *d, struct slice name, struct slice text)
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
static bool take_id(struct decode__elastic *d, struct slice text, size_t size, struct slice *out)
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

/* `text` is the value as it is written (of numbers) or means (of strings). */
static void take_field(struct decode__elastic *d, struct slice name, struct data_value v,
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
                keep(d, old_name, data_value_string(old));
            return;
        }
        take_level(d, name, text);
        if ((slice_eq_cstr(name, "trace.id") || slice_eq_cstr(name, "trace_id")) &&
            take_id(d, text, 16, &d->trace_id))
            return;
        if ((slice_eq_cstr(name, "span.id") || slice_eq_cstr(name, "span_id")) &&
            take_id(d, text, 8, &d->span_id))
            return;
        rank = decode__elastic_service_rank(name);
        if (rank < d->service_rank && text.len) {
            d->service_rank = rank;
            d->service = text;
        }
        struct slice label = decode__elastic_label(name, &only);
        if (label.ptr && text.len && !data_labels_builder_get(&d->labels, label).len) {
            data_labels_builder_set(&d->labels, label, text);
            if (only)
                return;
        }
    }
    keep(d, name, v);
}

/* --- the walk --- */

static void read_value(struct decode__elastic *d, struct codec_json_reader *r)
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
            take_field(d, name, data_value_json(text), text);
        break;
    case CODEC_JSON_STRING:
        if (codec_json_read_string(r, &text))
            take_field(d, name, data_value_string(text), text);
        break;
    case CODEC_JSON_BOOL:
        if (codec_json_read_bool(r, &b))
            take_field(d, name, data_value_bool(b), text);
        break;
    case CODEC_JSON_NUMBER:
        if (!codec_json_read_number_text(r, &text))
            break;
        if (codec_text_to_int(text, &i))
            take_field(d, name, data_value_int(i), text);
        else if (slice_find_char(text, '.') >= 0 || slice_find_char(text, 'e') >= 0 ||
                 slice_find_char(text, 'E') >= 0) {
            take_field(d, name,
                       codec_text_to_double(text, &f, NULL) ? data_value_double(f)
                                                            : data_value_string(text),
                       text);
        } else { /* more digits than a number of 64 bits has */
            take_field(d, name, data_value_string(text), text);
        }
        break;
    }
}

static void read_object(struct decode__elastic *d, struct codec_json_reader *r)
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

static uint32_t stream_of(struct decode__elastic *d, struct slice index)
{
    struct data_labels labels;
    bool added;
    struct slice base = decode__elastic_index_base(index);
    data_labels_builder_set(&d->labels, SLICE("index"), base);
    if (!data_labels_builder_get(&d->labels, SLICE("service_name")).len)
        data_labels_builder_set(&d->labels, SLICE("service_name"),
                                d->service.len ? d->service : base);
    (void)data_labels_builder_finish(&d->labels, &labels, NULL); /* names are ours, distinct */
    buf_clear(&d->key);
    data_labels_encode(labels, &d->key);
    struct map_entry *e = map_put(d->streams, buf_slice(&d->key), &added);
    if (added)
        e->value.u64 = data_event_batch_add_stream(d->batch, labels) + 1;
    return (uint32_t)(e->value.u64 - 1);
}

int decode__elastic_row(struct decode__elastic *d, struct slice source, struct slice index,
                        struct slice id, uint32_t *out_row, enum decode_elastic_refusal *reason,
                        struct diag *why)
{
    struct data_event_batch *b = d->batch;
    struct codec_json_reader r = codec_json_reader(source, b->arena, why);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    buf_clear(&d->path);
    vec_clear(&d->fields);
    vec_clear(&d->values);
    data_labels_builder_reset(&d->labels);
    d->line = d->trace_id = d->span_id = d->service = (struct slice){NULL, 0};
    d->line_rank = d->level_rank = d->service_rank = UINT_MAX;
    d->ts_ns = d->req->received_ns;
    d->ts_rank = TS_RECEIVED;
    d->bad_time = false;
    d->level = DATA_LEVEL_UNKNOWN;
    read_object(d, &r);
    if (codec_json_read_end(&r)) {
        *reason = DECODE_ELASTIC_BAD_JSON;
        return r.err;
    }
    if (d->bad_time) {
        *reason = DECODE_ELASTIC_BAD_TIME;
        return diag_set(why, ERR_INVALID,
                        "failed to parse field [@timestamp] of type [date]: '%.*s' is neither ISO "
                        "8601 nor milliseconds since 1970",
                        SLICE_FMT(slice_first(d->bad_time_text, 100)));
    }
    if (!d->line.ptr)
        d->line = slice_trim(source);
    if (d->level_rank == UINT_MAX)
        d->level = decode_level_of_line(d->line);
    *out_row = data_event_batch_add_row(b, stream_of(d, index), d->ts_ns);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(d->line));
    data_event_put(b, DATA_EVENT_LEVEL, data_value_string(data_event_level_name(d->level)));
    if (d->trace_id.ptr)
        data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(d->trace_id));
    if (d->span_id.ptr)
        data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(d->span_id));
    if (id.ptr)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("_id")),
                       data_value_string(id));
    for (size_t i = 0; i < d->fields.len; i++)
        data_event_put(b, d->fields.items[i], d->values.items[i]);
    return 0;
}

void decode__elastic_begin(struct decode__elastic *d)
{
    d->streams = map_new();
}

void decode__elastic_end(struct decode__elastic *d)
{
    map_free(d->streams);
    buf_deinit(&d->path);
    buf_deinit(&d->key);
    vec_free(&d->fields);
    vec_free(&d->values);
    data_labels_builder_deinit(&d->labels);
}
