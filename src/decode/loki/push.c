#include "decode/loki/push.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/compress.h"
#include "codec/hex.h"

#include "codec/utf8.h"
#include "decode/level.h"
#include "decode/loki/push_priv.h"
#include "decode/otlp/stream.h"
#include "text/go_string.h"

#define BODY_BYTES_MAX ((size_t)256 << 20)

const char *decode_loki_refusal_name(enum decode_loki_refusal reason)
{
    static const char *const names[] = {"missing_labels", "invalid_labels", "duplicate_label_names",
                                        "invalid_timestamp"};
    return names[reason];
}

/* --- streams --- */

static void refuse_stream(struct decode__loki *d, enum decode_loki_refusal reason, const char *fmt,
                          ...) __attribute__((format(printf, 3, 4)));
static void refuse_stream(struct decode__loki *d, enum decode_loki_refusal reason, const char *fmt,
                          ...)
{
    d->refused = true;
    d->reason = reason;
    if (d->out->first_refusal.code)
        return;
    char msg[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    diag_set(&d->out->first_refusal, ERR_INVALID, "%s", msg);
}

/* What service_name is taken from, the first that is there. */
static const struct slice service_labels[] = {SLICE_INIT("service"),
                                              SLICE_INIT("app"),
                                              SLICE_INIT("application"),
                                              SLICE_INIT("app_name"),
                                              SLICE_INIT("name"),
                                              SLICE_INIT("app_kubernetes_io_name"),
                                              SLICE_INIT("container"),
                                              SLICE_INIT("container_name"),
                                              SLICE_INIT("k8s_container_name"),
                                              SLICE_INIT("component"),
                                              SLICE_INIT("workload"),
                                              SLICE_INIT("job"),
                                              SLICE_INIT("k8s_job_name")};

static void add_service(struct decode__loki *d)
{
    struct slice value = data_labels_builder_get(&d->builder, SLICE("service_name"));
    for (size_t i = 0; !value.len && i < ARRAY_LEN(service_labels); i++)
        value = data_labels_builder_get(&d->builder, service_labels[i]);
    if (!value.len)
        value = SLICE(DECODE_OTLP_UNKNOWN_SERVICE);
    data_labels_builder_set(&d->builder, SLICE("service_name"), value);
}

static void begin(struct decode__loki *d)
{
    d->refused = d->has_level = d->has_last = false;
    d->level = DATA_LEVEL_UNKNOWN;
}

void decode__loki_stream(struct decode__loki *d)
{
    struct data_labels labels;
    struct diag diag;
    diag_init(&diag);
    begin(d);
    bool any = false;
    for (size_t i = 0; i < d->builder.items.len; i++) {
        const struct data_label *l = &d->builder.items.items[i];
        any |= l->value.len > 0;
        if (!l->name.len || !codec_utf8_valid(l->name) || !codec_utf8_valid(l->value)) {
            refuse_stream(d, DECODE_LOKI_INVALID_LABELS,
                          "stream with label '%.*s' has invalid label name or value: not UTF-8, or "
                          "empty",
                          SLICE_FMT(slice_first(l->name, 100)));
            return;
        }
    }
    if (!any) {
        refuse_stream(d, DECODE_LOKI_MISSING_LABELS,
                      "error at least one label pair is required per stream");
        return;
    }
    if (data_labels_builder_finish(&d->builder, &labels, &diag)) {
        refuse_stream(d, DECODE_LOKI_DUPLICATE_LABELS, "stream has duplicate label name: %s",
                      diag.msg);
        return;
    }
    add_service(d);
    if (data_labels_builder_finish(&d->builder, &labels, &diag))
        return;
    for (size_t i = 0; i < labels.count && !d->has_level; i++) {
        if (decode_level_is_name(labels.items[i].name)) {
            d->has_level = true;
            d->level = data_event_level_guess(labels.items[i].value);
        }
    }
    d->stream = data_event_batch_add_stream(d->batch, labels);
    d->out->streams++;
}

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '.'));
}

/* The literal that the text begins with, unquoted in the batch's arena; 0 when there is none. */
static size_t take_string(struct decode__loki *d, struct slice s, struct slice *out)
{
    struct buf text = {0};
    size_t i = 1;
    bool escaped = false;
    if (!s.len || (s.ptr[0] != '"' && s.ptr[0] != '`' && s.ptr[0] != '\''))
        return 0;
    for (; i < s.len && s.ptr[i] != s.ptr[0]; i++) {
        if (s.ptr[i] == '\\' && s.ptr[0] != '`') {
            escaped = true;
            i++;
        }
    }
    if (i >= s.len)
        return 0;
    *out = slice_make(s.ptr + 1, i - 1);
    if (!escaped)
        return i + 1;
    int err = text_go_unquote(slice_first(s, i + 1), &text);
    *out = data_event_batch_copy(d->batch, buf_slice(&text));
    buf_deinit(&text);
    return err ? 0 : i + 1;
}

static void skip_space(struct slice *s)
{
    while (s->len &&
           (s->ptr[0] == ' ' || s->ptr[0] == '\t' || s->ptr[0] == '\n' || s->ptr[0] == '\r'))
        *s = slice_from(*s, 1);
}

/* a="b" at the begin of *s. */
static bool take_pair(struct decode__loki *d, struct slice *s)
{
    struct slice name, value;
    size_t n = 0;
    if (s->len && s->ptr[0] == '"') {
        n = take_string(d, *s, &name);
    } else {
        while (n < s->len && is_name(s->ptr[n], n == 0))
            n++;
        name = slice_first(*s, n);
    }
    *s = slice_from(*s, n);
    skip_space(s);
    if (!n || !s->len || s->ptr[0] != '=')
        return false;
    *s = slice_from(*s, 1);
    skip_space(s);
    n = take_string(d, *s, &value);
    *s = slice_from(*s, n);
    skip_space(s);
    if (n)
        data_labels_builder_add(&d->builder, name, value);
    return n > 0;
}

void decode__loki_stream_text(struct decode__loki *d, struct slice text)
{
    struct slice s = slice_trim(text);
    data_labels_builder_reset(&d->builder);
    bool ok = s.len && s.ptr[0] == '{';
    s = slice_from(s, 1);
    skip_space(&s);
    while (ok && s.len && s.ptr[0] != '}') {
        ok = take_pair(d, &s);
        if (ok && s.len && s.ptr[0] == ',') {
            s = slice_from(s, 1);
            skip_space(&s);
        } else if (ok) {
            ok = s.len && s.ptr[0] == '}';
        }
    }
    if (!ok || !slice_eq_cstr(s, "}")) {
        begin(d);
        if (!slice_trim(text).len)
            refuse_stream(d, DECODE_LOKI_MISSING_LABELS,
                          "error at least one label pair is required per stream");
        else
            refuse_stream(d, DECODE_LOKI_INVALID_LABELS,
                          "error parsing labels '%.*s': {name=\"value\", ...} is expected",
                          SLICE_FMT(slice_first(text, 200)));
        return;
    }
    decode__loki_stream(d);
}

/* --- lines --- */

static bool is_repeated(struct decode__loki *d, int64_t ts_ns, struct slice line)
{
    bool same = d->has_last && d->last_ns == ts_ns && slice_eq(d->last_line, line) &&
                d->last_metadata.len == d->metadata.len;
    for (size_t i = 0; same && i < d->metadata.len; i++)
        same = slice_eq(d->metadata.items[i].name, d->last_metadata.items[i].name) &&
               slice_eq(d->metadata.items[i].value, d->last_metadata.items[i].value);
    if (same)
        return true;
    d->has_last = true;
    d->last_ns = ts_ns;
    d->last_line = line;
    vec_clear(&d->last_metadata);
    for (size_t i = 0; i < d->metadata.len; i++)
        vec_push(&d->last_metadata, d->metadata.items[i]);
    return false;
}

/* An id in lower-case hexadecimal, as its bytes; ptr NULL when it is none, or nothing but zeros. */
static struct slice id_of(struct decode__loki *d, struct slice hex, size_t bytes)
{
    uint8_t id[16], zeros[16] = {0};
    for (size_t i = 0; i < hex.len; i++) {
        if (hex.ptr[i] >= 'A' && hex.ptr[i] <= 'F')
            return (struct slice){NULL, 0};
    }
    if (!codec_text_to_bytes(hex, id, bytes) || memcmp(id, zeros, bytes) == 0)
        return (struct slice){NULL, 0};
    return data_event_batch_copy(d->batch, slice_make(id, bytes));
}

/* Puts one label of structured metadata; *level is set when it says the level. */
static void put_metadata(struct decode__loki *d, const struct data_label *m,
                         enum data_event_level *level, bool *has_level)
{
    struct data_event_batch *b = d->batch;
    d->out->metadata_bytes += m->name.len + m->value.len;
    if (slice_eq_cstr(m->name, "detected_level")) {
        enum data_event_level given = data_event_level_parse(m->value);
        if (given || slice_eq_cstr(m->value, "unknown")) {
            *level = given;
            *has_level = true;
            return;
        }
    }
    bool trace = slice_eq_cstr(m->name, "trace_id");
    if (trace || slice_eq_cstr(m->name, "span_id")) {
        struct slice id = id_of(d, m->value, trace ? 16 : 8);
        if (id.ptr) {
            data_event_put(b, trace ? DATA_EVENT_TRACE_ID : DATA_EVENT_SPAN_ID,
                           data_value_bytes(id));
            return;
        }
    }
    if (!*has_level && decode_level_is_name(m->name)) {
        *level = data_event_level_guess(m->value);
        *has_level = true;
    }
    data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, m->name),
                   data_value_string(m->value));
}

void decode__loki_line(struct decode__loki *d, int64_t ts_ns, struct slice line)
{
    struct data_event_batch *b = d->batch;
    if (d->refused) {
        d->out->refused[d->reason]++;
        d->out->refused_lines++;
        return;
    }
    if (is_repeated(d, ts_ns, line)) {
        d->out->duplicates++;
        return;
    }
    enum data_event_level level = d->level;
    bool has_level = d->has_level;
    data_event_batch_add_row(b, d->stream, ts_ns);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(line));
    for (size_t i = 0; i < d->metadata.len; i++) {
        if (d->metadata.items[i].name.len)
            put_metadata(d, &d->metadata.items[i], &level, &has_level);
    }
    if (!has_level)
        level = decode_level_of_line(line);
    data_event_put(b, DATA_EVENT_LEVEL, data_value_string(data_event_level_name(level)));
    d->out->lines++;
    d->out->line_bytes += line.len;
}

void decode__loki_bad_time(struct decode__loki *d, const char *text)
{
    d->out->refused[DECODE_LOKI_BAD_TIME]++;
    d->out->refused_lines++;
    if (!d->out->first_refusal.code)
        diag_set(&d->out->first_refusal, ERR_INVALID, "entry with timestamp %s: out of range",
                 text);
}

/* --- bodies --- */

static bool is_json(struct slice content_type)
{
    ptrdiff_t end = slice_find_char(content_type, ';');
    if (end >= 0)
        content_type = slice_first(content_type, (size_t)end);
    return slice_eq_nocase(slice_trim(content_type), SLICE("application/json"));
}

int decode_loki_push(const struct decode_loki_request *req, struct buf *scratch,
                     struct data_event_batch *batch, struct decode_loki_result *out,
                     struct diag *diag)
{
    struct decode__loki d = {.batch = batch, .out = out, .diag = diag};
    bool json = is_json(req->content_type);
    bool snappy = slice_eq_nocase(slice_trim(req->content_encoding), SLICE("snappy"));
    struct slice body = req->body;
    int err = 0;
    *out = (struct decode_loki_result){0};
    diag_init(&out->first_refusal);
    if (!json || snappy) {
        buf_clear(scratch);
        err = codec_decompress(CODEC_SNAPPY, body,
                               req->inflated_bytes_max ? req->inflated_bytes_max : BODY_BYTES_MAX,
                               scratch, diag);
        body = buf_slice(scratch);
    }
    if (!err)
        err = json ? decode__loki_json(&d, body) : decode__loki_proto(&d, body);
    data_labels_builder_deinit(&d.builder);
    vec_free(&d.metadata);
    vec_free(&d.last_metadata);
    return err;
}
