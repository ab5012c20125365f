/* {"streams":[{"stream":{"a":"b"},"values":[["<ns>","line",{"k":"v"}]]}]}, and the older
 * {"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"<RFC 3339>","line":"..."}]}]}. */
#include "codec/json_read.h"
#include "codec/number.h"
#include "decode/loki/push_priv.h"
#include "text/duration.h"

struct stream_parts {
    struct slice values, entries; /* raw, kept because they came before the labels */
};

static void read_labels(struct decode__loki *d, struct codec_json_reader *r)
{
    struct slice name, value;
    data_labels_builder_reset(&d->builder);
    codec_json_read_object(r);
    while (codec_json_next_key(r, &name)) {
        enum codec_json_kind kind;
        if (codec_json_peek(r, &kind) && kind != CODEC_JSON_STRING) {
            codec_json_read_error(r, ERR_INVALID, "the value of label \"%.*s\" is to be a string",
                                  SLICE_FMT(name));
            return;
        }
        if (codec_json_read_string(r, &value))
            data_labels_builder_add(&d->builder, name, value);
    }
    if (!r->err)
        decode__loki_stream(d);
}

static void read_metadata(struct decode__loki *d, struct codec_json_reader *r)
{
    struct data_label m;
    codec_json_read_object(r);
    while (codec_json_next_key(r, &m.name)) {
        enum codec_json_kind kind;
        if (codec_json_peek(r, &kind) && kind != CODEC_JSON_STRING) {
            codec_json_read_error(r, ERR_INVALID,
                                  "the value of structured metadata \"%.*s\" is to be a string",
                                  SLICE_FMT(m.name));
            return;
        }
        if (codec_json_read_string(r, &m.value))
            vec_push(&d->metadata, m);
    }
}

/* ["<ns>","line",{...}] */
static void read_value(struct decode__loki *d, struct codec_json_reader *r)
{
    struct slice time, line;
    enum codec_json_kind kind;
    int64_t ts_ns;
    vec_clear(&d->metadata);
    if (!codec_json_read_array(r) || !codec_json_next_item(r) || !codec_json_peek(r, &kind)) {
        codec_json_read_error(r, ERR_INVALID, "[timestamp, line] is expected");
        return;
    }
    if (kind != CODEC_JSON_STRING) {
        codec_json_read_error(r, ERR_INVALID,
                              "a timestamp is to be a string of nanoseconds since 1970");
        return;
    }
    if (!codec_json_read_string(r, &time))
        return;
    if (!codec_text_to_int(time, &ts_ns)) {
        codec_json_read_error(r, ERR_INVALID,
                              "\"%.*s\" is no timestamp: nanoseconds since 1970 are expected",
                              SLICE_FMT(slice_first(time, 40)));
        return;
    }
    if (!codec_json_next_item(r) || !codec_json_read_string(r, &line)) {
        codec_json_read_error(r, ERR_INVALID, "a line is expected behind the timestamp");
        return;
    }
    if (codec_json_next_item(r)) {
        if (!codec_json_read_null(r))
            read_metadata(d, r);
        while (codec_json_next_item(r))
            codec_json_skip(r);
    }
    if (!r->err)
        decode__loki_line(d, ts_ns, line);
}

/* {"ts":"2024-01-02T03:04:05Z","line":"x"} */
static void read_entry(struct decode__loki *d, struct codec_json_reader *r)
{
    struct slice key, time = SLICE(""), line = SLICE("");
    int64_t ts_ns;
    vec_clear(&d->metadata);
    codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (slice_eq_cstr(key, "ts") || slice_eq_cstr(key, "timestamp"))
            codec_json_read_string(r, &time);
        else if (slice_eq_cstr(key, "line"))
            codec_json_read_string(r, &line);
        else if (slice_eq_cstr(key, "structuredMetadata"))
            read_metadata(d, r);
    }
    if (r->err)
        return;
    bool digits = time.len > 12 && slice_find_char(time, '-') < 0;
    if (digits ? !codec_text_to_int(time, &ts_ns) : text_time_parse(time, &ts_ns) != 0)
        codec_json_read_error(r, ERR_INVALID, "\"%.*s\" is no timestamp: RFC 3339 is expected",
                              SLICE_FMT(slice_first(time, 40)));
    else
        decode__loki_line(d, ts_ns, line);
}

static void read_list(struct decode__loki *d, struct codec_json_reader *r,
                      void (*read)(struct decode__loki *d, struct codec_json_reader *r))
{
    codec_json_read_array(r);
    while (codec_json_next_item(r))
        read(d, r);
}

/* A list that came before its labels. */
static void read_kept(struct decode__loki *d, struct codec_json_reader *r, struct slice raw,
                      void (*read)(struct decode__loki *d, struct codec_json_reader *r))
{
    if (!raw.ptr || r->err)
        return;
    struct codec_json_reader inner = codec_json_reader(raw, r->arena, r->diag);
    inner.utf8 = r->utf8;
    read_list(d, &inner, read);
    r->err = inner.err;
}

static void read_stream(struct decode__loki *d, struct codec_json_reader *r)
{
    struct stream_parts parts = {{NULL, 0}, {NULL, 0}};
    struct slice key, text;
    bool labelled = false;
    codec_json_read_object(r);
    while (codec_json_next_key(r, &key)) {
        if (slice_eq_cstr(key, "stream")) {
            read_labels(d, r);
            labelled = true;
        } else if (slice_eq_cstr(key, "labels")) {
            if (codec_json_read_string(r, &text))
                decode__loki_stream_text(d, text);
            labelled = true;
        } else if (slice_eq_cstr(key, "values")) {
            if (labelled)
                read_list(d, r, read_value);
            else
                codec_json_read_raw(r, &parts.values);
        } else if (slice_eq_cstr(key, "entries")) {
            if (labelled)
                read_list(d, r, read_entry);
            else
                codec_json_read_raw(r, &parts.entries);
        }
    }
    if (!labelled)
        decode__loki_stream_text(d, SLICE(""));
    read_kept(d, r, parts.values, read_value);
    read_kept(d, r, parts.entries, read_entry);
}

int decode__loki_json(struct decode__loki *d, struct slice body)
{
    struct codec_json_reader r = codec_json_reader(body, d->batch->arena, d->diag);
    struct slice key;
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "streams") && !codec_json_read_null(&r))
            read_list(d, &r, read_stream);
    }
    return codec_json_read_end(&r);
}
