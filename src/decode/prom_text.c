#include "decode/prom_text.h"

#include <math.h>

#include "base/assert.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "decode/prom_text_priv.h"

#define EXEMPLAR_CODE_POINTS_MAX 128

struct decode_text {
    struct decode_text_cache *cache;
    enum decode_text_format format;
    bool strict, eof, done;
    struct slice body;
    size_t at;
    uint32_t line;
    size_t line_begin;
    struct decode__checker checker;
    /* the family named by the last TYPE line, for what its samples are */
    struct buf family;
    enum data_metric_type type;
    struct buf name;                     /* scratch: an unescaped quoted name */
    struct data_labels_builder exemplar; /* scratch */
    struct buf text;                     /* scratch */
    struct decode__proto proto;
    struct decode__custom custom;
};

struct decode_text *decode_text_new(struct decode_text_cache *cache)
{
    struct decode_text *p = mem_calloc(1, sizeof(*p));
    p->cache = cache;
    p->done = true;
    return p;
}

void decode_text_free(struct decode_text *p)
{
    if (!p)
        return;
    decode__checker_deinit(&p->checker);
    buf_deinit(&p->family);
    buf_deinit(&p->name);
    data_labels_builder_deinit(&p->exemplar);
    buf_deinit(&p->text);
    decode__proto_deinit(&p->proto);
    decode__custom_deinit(&p->custom);
    mem_free(p);
}

void decode_text_set_histograms(struct decode_text *p,
                                const struct decode_text_histograms *histograms)
{
    p->proto.options = *histograms;
}

void decode_text_begin(struct decode_text *p, enum decode_text_format format, bool strict,
                       struct slice body)
{
    p->format = format;
    p->strict = strict && format == DECODE_TEXT_OPENMETRICS;
    p->body = body;
    p->at = p->line_begin = 0;
    p->line = 1;
    p->eof = p->done = false;
    p->type = DATA_METRIC_UNKNOWN;
    buf_clear(&p->family);
    if (p->strict)
        decode__checker_begin(&p->checker);
    if (format == DECODE_TEXT_PROTOBUF)
        decode__proto_begin(&p->proto, body);
    else if (p->proto.options.custom)
        decode__custom_begin(&p->custom);
    p->cache->generation++;
}

/* An error at an offset of the body, on the line in hand. */
static int fail_at(struct decode_text *p, size_t at, struct diag *diag, const char *msg)
{
    p->done = true;
    return diag_set_at(diag, ERR_INVALID, p->line, (uint32_t)(at - p->line_begin) + 1, "%s", msg);
}

/* Gives an error of a helper its place. */
static int place(struct decode_text *p, size_t at, const struct diag *inner, struct diag *diag)
{
    return fail_at(p, at, diag, inner->msg);
}

static char peek(const struct decode_text *p)
{
    return p->at < p->body.len ? p->body.ptr[p->at] : '\n';
}

static void skip_blanks(struct decode_text *p)
{
    while (p->at < p->body.len && (p->body.ptr[p->at] == ' ' || p->body.ptr[p->at] == '\t'))
        p->at++;
}

/* Up to the end of the line; moves behind its newline. */
static struct slice take_line(struct decode_text *p)
{
    struct slice rest = slice_from(p->body, p->at);
    ptrdiff_t nl = slice_find_char(rest, '\n');
    struct slice line = nl < 0 ? rest : slice_first(rest, (size_t)nl);
    p->at += line.len + (nl >= 0);
    return line;
}

static void next_line(struct decode_text *p)
{
    p->line++;
    p->line_begin = p->at;
}

/* Help texts: \\ and \n, in OpenMetrics \" too. */
static struct slice unescape_help(struct decode_text *p, struct slice s)
{
    if (slice_find_char(s, '\\') < 0)
        return s;
    buf_clear(&p->text);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\' && i + 1 < s.len) {
            char d = s.ptr[i + 1];
            if (d == 'n' || d == '\\' || (d == '"' && p->format == DECODE_TEXT_OPENMETRICS)) {
                buf_append_char(&p->text, d == 'n' ? '\n' : d);
                i++;
                continue;
            }
        }
        buf_append_char(&p->text, c);
    }
    return buf_slice(&p->text);
}

/* A metric name, bare or quoted. */
static int take_name(struct decode_text *p, struct slice *out, struct diag *diag)
{
    struct slice rest = slice_from(p->body, p->at);
    if (rest.len && rest.ptr[0] == '"') {
        size_t i = 1;
        bool escaped = false;
        while (i < rest.len && rest.ptr[i] != '"' && rest.ptr[i] != '\n') {
            escaped = escaped || rest.ptr[i] == '\\';
            i += rest.ptr[i] == '\\' && i + 1 < rest.len ? 2 : 1;
        }
        if (i >= rest.len || rest.ptr[i] != '"' || i == 1)
            return fail_at(p, p->at, diag, "a quoted metric name is empty or does not end");
        *out = slice_make(rest.ptr + 1, i - 1);
        if (escaped) {
            struct buf *b = &p->name;
            buf_clear(b);
            for (size_t k = 0; k < out->len; k++) {
                char c = out->ptr[k];
                if (c == '\\' && k + 1 < out->len)
                    c = out->ptr[++k] == 'n' ? '\n' : out->ptr[k];
                buf_append_char(b, c);
            }
            *out = buf_slice(b);
        }
        p->at += i + 1;
    } else {
        *out = slice_make(rest.ptr, decode__name_len(rest, true));
        if (!out->len)
            return fail_at(p, p->at, diag, "a metric name is expected");
        p->at += out->len;
    }
    if (!codec_utf8_valid(*out))
        return fail_at(p, p->at, diag, "the metric name is not valid UTF-8");
    return 0;
}

static int finish_metadata(struct decode_text *p, enum decode_text_kind kind, struct slice family,
                           struct slice text, size_t text_at, struct decode_text_item *out,
                           struct diag *diag)
{
    *out = (struct decode_text_item){.kind = kind, .family = family, .text = text};
    if (!codec_utf8_valid(text))
        return fail_at(p, text_at, diag, "the text is not valid UTF-8");
    if (kind == DECODE_TEXT_TYPE) {
        bool untyped = p->format == DECODE_TEXT_PLAIN && slice_eq_cstr(text, "untyped");
        if (!untyped && !data_metric_type_parse(text, &out->type))
            return fail_at(p, text_at, diag,
                           "unknown metric type; known are counter, gauge, histogram, summary, "
                           "unknown (untyped), gaugehistogram, info, stateset");
        p->type = out->type;
        buf_clear(&p->family);
        buf_append_slice(&p->family, family);
    } else if (kind == DECODE_TEXT_HELP) {
        out->text = unescape_help(p, text);
    }
    if (p->strict) {
        struct diag inner;
        diag_init(&inner);
        if (decode__checker_metadata(&p->checker, kind, family, out->type, text, &inner))
            return place(p, p->line_begin, &inner, diag);
    }
    return 1;
}

/* "# TYPE a counter" of OpenMetrics: single spaces, nothing left over. 0 = a line done, no item. */
static int openmetrics_comment(struct decode_text *p, struct decode_text_item *out,
                               struct diag *diag)
{
    static const struct {
        struct slice word;
        enum decode_text_kind kind;
    } kinds[] = {{SLICE_INIT("# TYPE "), DECODE_TEXT_TYPE},
                 {SLICE_INIT("# HELP "), DECODE_TEXT_HELP},
                 {SLICE_INIT("# UNIT "), DECODE_TEXT_UNIT}};
    struct slice rest = slice_from(p->body, p->at);
    if (slice_starts_with(rest, SLICE("# EOF"))) {
        rest = slice_from(rest, 5);
        if (rest.len && !slice_eq_cstr(rest, "\n"))
            return fail_at(p, p->at + 5, diag, "nothing may follow # EOF");
        p->at = p->body.len;
        p->eof = true;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!slice_starts_with(rest, kinds[i].word))
            continue;
        p->at += kinds[i].word.len;
        struct slice family;
        int err = take_name(p, &family, diag);
        if (err)
            return err;
        if (peek(p) != ' ')
            return fail_at(p, p->at, diag, "one space and the metadata are expected");
        size_t text_at = ++p->at;
        struct slice text = take_line(p);
        int got = finish_metadata(p, kinds[i].kind, family, text, text_at, out, diag);
        if (got == 1)
            next_line(p);
        return got;
    }
    return fail_at(p, p->at, diag,
                   "only # TYPE, # HELP, # UNIT and # EOF may begin with # in OpenMetrics");
}

static int plain_comment(struct decode_text *p, struct decode_text_item *out, struct diag *diag)
{
    p->at++;
    bool blank = peek(p) == ' ' || peek(p) == '\t';
    skip_blanks(p);
    struct slice rest = slice_from(p->body, p->at);
    bool type = slice_starts_with(rest, SLICE("TYPE")),
         help = slice_starts_with(rest, SLICE("HELP"));
    bool word =
        blank && (type || help) && rest.len > 4 && (rest.ptr[4] == ' ' || rest.ptr[4] == '\t');
    if (!word) {
        take_line(p);
        next_line(p);
        return 0;
    }
    p->at += 4;
    skip_blanks(p);
    struct slice family;
    int err = take_name(p, &family, diag);
    if (err)
        return err;
    if (peek(p) != ' ' && peek(p) != '\t' && peek(p) != '\n')
        return fail_at(p, p->at, diag, "the metric name holds a character it may not");
    skip_blanks(p);
    size_t text_at = p->at;
    struct slice text = take_line(p);
    if (type) {
        while (text.len && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
            text.len--;
    }
    int got = finish_metadata(p, type ? DECODE_TEXT_TYPE : DECODE_TEXT_HELP, family, text, text_at,
                              out, diag);
    if (got == 1)
        next_line(p);
    return got;
}

/* Decimal numbers, infinities and NaN, but no hexadecimal and no digit underscores. */
static bool read_float(struct slice s, double *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == 'x' || c == 'X' || c == 'p' || c == 'P' || c == '_')
            return false;
    }
    return codec_text_to_double(s, out, NULL);
}

static struct slice take_token(struct decode_text *p)
{
    size_t begin = p->at;
    while (p->at < p->body.len) {
        char c = p->body.ptr[p->at];
        if (c == ' ' || c == '\n' || (c == '\t' && p->format == DECODE_TEXT_PLAIN))
            break;
        p->at++;
    }
    return slice_make(p->body.ptr + begin, p->at - begin);
}

static int64_t saturated_ns(double seconds)
{
    double ns = seconds * 1e9;
    if (ns >= 9.2e18)
        return INT64_MAX;
    if (ns <= -9.2e18)
        return INT64_MIN;
    /* Milliseconds are what clocks are written in; they survive the float. */
    double ms = seconds * 1e3;
    if (fabs(ms) < 9e15 && fabs(ms - nearbyint(ms)) < 1e-4)
        return (int64_t)nearbyint(ms) * NS_PER_MS;
    return (int64_t)nearbyint(ns);
}

static int take_seconds(struct decode_text *p, double *sec, int64_t *ns, struct diag *diag)
{
    size_t at = p->at;
    struct slice token = take_token(p);
    if (!read_float(token, sec) || isnan(*sec) || isinf(*sec))
        return fail_at(p, at, diag, "a timestamp in seconds is expected");
    *ns = saturated_ns(*sec);
    return 0;
}

static size_t code_points(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

/* " # {labels} value [timestamp]" behind an OpenMetrics sample; stands on the '#'. */
static int take_exemplar(struct decode_text *p, struct decode_text_item *out, struct diag *diag)
{
    struct diag inner;
    diag_init(&inner);
    if (!slice_starts_with(slice_from(p->body, p->at), SLICE("# {")))
        return fail_at(p, p->at, diag, "an exemplar is written \" # {labels} value\"");
    p->at += 2;
    struct slice rest = slice_from(p->body, p->at);
    size_t end = decode__labels_end(rest), at = 0;
    if (!end)
        return fail_at(p, p->at, diag, "the exemplar's labels do not end");
    data_labels_builder_reset(&p->exemplar);
    buf_clear(&p->text);
    buf_reserve(&p->text, end);
    rest = slice_first(rest, end);
    if (!codec_utf8_valid(rest))
        return fail_at(p, p->at, diag, "the exemplar's labels are not valid UTF-8");
    if (decode__labels(p->format, rest, &p->exemplar, &p->text, NULL, &at, &inner) ||
        data_labels_builder_finish(&p->exemplar, &out->exemplar_labels, &inner))
        return place(p, p->at + at, &inner, diag);
    size_t points = 0;
    for (size_t i = 0; i < out->exemplar_labels.count; i++)
        points += code_points(out->exemplar_labels.items[i].name) +
                  code_points(out->exemplar_labels.items[i].value);
    if (points > EXEMPLAR_CODE_POINTS_MAX)
        return fail_at(p, p->at, diag, "an exemplar's labels hold at most 128 characters");
    p->at += end;
    if (peek(p) != ' ')
        return fail_at(p, p->at, diag, "a space and the exemplar's value are expected");
    at = ++p->at;
    if (!read_float(take_token(p), &out->exemplar_value))
        return fail_at(p, at, diag, "the exemplar's value is no number");
    if (peek(p) == ' ') {
        double sec;
        p->at++;
        int err = take_seconds(p, &sec, &out->exemplar_ts_ns, diag);
        if (err)
            return err;
        out->exemplar_has_ts = true;
    }
    out->has_exemplar = true;
    return 0;
}

static bool is_created(const struct decode_text *p, struct slice metric)
{
    if (!slice_ends_with(metric, SLICE("_created")))
        return false;
    struct slice family = buf_slice(&p->family);
    return metric.len == family.len + 8 && slice_starts_with(metric, family) &&
           (p->type == DATA_METRIC_COUNTER || p->type == DATA_METRIC_HISTOGRAM ||
            p->type == DATA_METRIC_SUMMARY);
}

/* The type of the family when this sample belongs to it. */
static enum data_metric_type type_of(const struct decode_text *p, struct slice rest)
{
    struct slice family = buf_slice(&p->family);
    return family.len && (rest.ptr[0] == '{' || slice_starts_with(rest, family))
               ? p->type
               : DATA_METRIC_UNKNOWN;
}

static int take_sample(struct decode_text *p, struct decode_text_item *out, struct diag *diag)
{
    bool om = p->format == DECODE_TEXT_OPENMETRICS;
    size_t begin = p->at;
    struct slice rest = slice_from(p->body, begin);
    size_t len = decode__name_len(rest, true), brace = len;
    while (!om && brace < rest.len && (rest.ptr[brace] == ' ' || rest.ptr[brace] == '\t'))
        brace++;
    if (brace < rest.len && rest.ptr[brace] == '{') {
        size_t end = decode__labels_end(slice_from(rest, brace));
        if (!end)
            return fail_at(p, begin + brace, diag, "the labels do not end on this line");
        len = brace + end;
    } else if (!len) {
        return fail_at(p, begin, diag, "a metric name is expected");
    }
    *out = (struct decode_text_item){.kind = DECODE_TEXT_SAMPLE};
    struct diag inner;
    diag_init(&inner);
    size_t at = 0;
    if (decode__series(p->cache, p->format, slice_first(rest, len), type_of(p, rest), &out->series,
                       &at, &inner))
        return place(p, begin + at, &inner, diag);
    p->at += len;
    if (om ? peek(p) != ' ' : (rest.ptr[len - 1] != '}' && peek(p) != ' ' && peek(p) != '\t'))
        return fail_at(p, p->at, diag, "a space and the value are expected behind the series");
    if (om)
        p->at++;
    else
        skip_blanks(p);
    at = p->at;
    if (!read_float(take_token(p), &out->value))
        return fail_at(p, at, diag, "the value is no number");
    double ts_sec = 0;
    int err = 0;
    if (om) {
        if (peek(p) == ' ' && p->at + 1 < p->body.len && p->body.ptr[p->at + 1] != '#') {
            p->at++;
            err = take_seconds(p, &ts_sec, &out->ts_ns, diag);
            out->has_ts = true;
        }
        if (!err && peek(p) == ' ' && p->at + 1 < p->body.len && p->body.ptr[p->at + 1] == '#') {
            p->at++;
            err = take_exemplar(p, out, diag);
        }
    } else {
        skip_blanks(p);
        if (peek(p) != '\n') {
            int64_t ms;
            at = p->at;
            if (!codec_text_to_int(take_token(p), &ms))
                return fail_at(p, at, diag, "the timestamp must be whole milliseconds");
            if (__builtin_mul_overflow(ms, NS_PER_MS, &out->ts_ns))
                out->ts_ns = ms < 0 ? INT64_MIN : INT64_MAX;
            out->has_ts = true;
            skip_blanks(p);
        }
    }
    if (err)
        return err;
    if (peek(p) != '\n')
        return fail_at(p, p->at, diag, "the line should end here");
    if (om && p->at >= p->body.len)
        return fail_at(p, p->at, diag, "the body ends without # EOF");
    p->at++;
    out->group = out->series->group;
    if (p->type == DATA_METRIC_STATESET && buf_slice(&p->family).len) {
        /* The states of one stateset differ in the label of its own name only. */
        uint64_t group = 7;
        for (size_t i = 0; i < out->series->labels.count; i++) {
            struct data_label l = out->series->labels.items[i];
            if (!slice_eq(l.name, buf_slice(&p->family)) &&
                !slice_eq_cstr(l.name, DATA_METRIC_NAME))
                group = hash64(l.value.ptr, l.value.len, hash64(l.name.ptr, l.name.len, group));
        }
        out->group = group;
    }
    out->is_created = om && is_created(p, out->series->metric);
    if (p->strict && decode__checker_sample(&p->checker, out, ts_sec, &inner))
        return place(p, begin, &inner, diag);
    next_line(p);
    return 1;
}

static int next_line_item(struct decode_text *p, struct decode_text_item *out, struct diag *diag)
{
    while (!p->done) {
        bool om = p->format == DECODE_TEXT_OPENMETRICS;
        if (!om)
            skip_blanks(p);
        if (p->at >= p->body.len) {
            p->done = true;
            if (om && !p->eof)
                return fail_at(p, p->at, diag, "the body ends without # EOF");
            if (p->strict) {
                struct diag inner;
                diag_init(&inner);
                if (decode__checker_end(&p->checker, &inner))
                    return place(p, p->at, &inner, diag);
            }
            return 0;
        }
        char c = p->body.ptr[p->at];
        if (c == '\n') {
            if (om)
                return fail_at(p, p->at, diag, "blank lines are not allowed in OpenMetrics");
            p->at++;
            next_line(p);
            continue;
        }
        int got = c != '#' ? take_sample(p, out, diag)
                  : om     ? openmetrics_comment(p, out, diag)
                           : plain_comment(p, out, diag);
        if (got)
            return got;
    }
    return 0;
}

int decode_text_next(struct decode_text *p, struct decode_text_item *out, struct diag *diag)
{
    if (p->format == DECODE_TEXT_PROTOBUF) {
        int got = p->done ? 0 : decode__proto_next(&p->proto, p->cache, out, diag);
        p->done = got != 1;
        return got;
    }
    if (p->proto.options.custom)
        return decode__custom_next(&p->custom, p->proto.options.classic_too, next_line_item, p,
                                   p->cache, out, diag);
    return next_line_item(p, out, diag);
}

/* --- negotiation --- */

static const struct {
    struct slice protocol;
    const char *media_type;
    enum decode_text_format format;
} protocols[] = {
    {SLICE_INIT("PrometheusProto"),
     "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
     DECODE_TEXT_PROTOBUF},
    {SLICE_INIT("OpenMetricsText1.0.0"),
     "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", DECODE_TEXT_OPENMETRICS},
    {SLICE_INIT("OpenMetricsText0.0.1"), "application/openmetrics-text;version=0.0.1",
     DECODE_TEXT_OPENMETRICS},
    {SLICE_INIT("PrometheusText1.0.0"), "text/plain;version=1.0.0;escaping=allow-utf-8",
     DECODE_TEXT_PLAIN},
    {SLICE_INIT("PrometheusText0.0.4"), "text/plain;version=0.0.4", DECODE_TEXT_PLAIN},
};

const char *decode_text_media_type(struct slice protocol)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (slice_eq(protocol, protocols[i].protocol))
            return protocols[i].media_type;
    }
    return NULL;
}

int decode_text_negotiate(struct slice content_type, const char *fallback,
                          enum decode_text_format *out, struct diag *diag)
{
    struct slice rest = content_type, type;
    if (!slice_split(&rest, ';', &type))
        type = SLICE("");
    type = slice_trim(type);
    if (slice_eq_nocase(type, SLICE("application/openmetrics-text"))) {
        *out = DECODE_TEXT_OPENMETRICS;
        return 0;
    }
    if (slice_eq_nocase(type, SLICE("text/plain"))) {
        *out = DECODE_TEXT_PLAIN;
        return 0;
    }
    if (slice_eq_nocase(type, SLICE("application/vnd.google.protobuf")) &&
        slice_find(content_type, SLICE("io.prometheus.client.MetricFamily")) > 0) {
        if (slice_find(content_type, SLICE("delimited")) < 0)
            return diag_set(
                diag, ERR_UNSUPPORTED,
                "Content-Type \"%.*s\": of the protobuf encodings only delimited is read",
                SLICE_FMT(slice_first(content_type, 200)));
        *out = DECODE_TEXT_PROTOBUF;
        return 0;
    }
    for (size_t i = 0; fallback && i < ARRAY_LEN(protocols); i++) {
        if (slice_eq_cstr(protocols[i].protocol, fallback)) {
            *out = protocols[i].format;
            return 0;
        }
    }
    if (!type.len)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the answer has no Content-Type, and fallback_scrape_protocol is not set");
    return diag_set(diag, ERR_UNSUPPORTED,
                    "Content-Type \"%.*s\" is no exposition format, and fallback_scrape_protocol "
                    "is not set",
                    SLICE_FMT(slice_first(content_type, 200)));
}

/* --- whole bodies --- */

int decode_text_body(enum decode_text_format format, struct slice body, int64_t ts_ns,
                     struct data_metric_batch *batch, struct diag *diag)
{
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct decode_text_item item;
    /* metadata of the family in hand */
    struct buf family = {0}, help = {0}, unit = {0};
    enum data_metric_type type = DATA_METRIC_UNKNOWN;
    size_t group_begin = 0; /* first sample of the group, for _created */
    uint64_t group = 0;
    int got;
    decode_text_set_histograms(
        p, &(struct decode_text_histograms){.native = true, .classic_too = true});
    decode_text_begin(p, format, true, body);
    while ((got = decode_text_next(p, &item, diag)) == 1) {
        if (item.kind != DECODE_TEXT_SAMPLE && item.kind != DECODE_TEXT_EXEMPLAR) {
            if (!slice_eq(buf_slice(&family), item.family)) {
                if (family.len)
                    data_metric_batch_add_metadata(batch, buf_slice(&family), type,
                                                   buf_slice(&unit), buf_slice(&help));
                buf_clear(&family);
                buf_clear(&help);
                buf_clear(&unit);
                type = DATA_METRIC_UNKNOWN;
                buf_append_slice(&family, item.family);
            }
            if (item.kind == DECODE_TEXT_TYPE)
                type = item.type;
            else
                buf_append_slice(item.kind == DECODE_TEXT_HELP ? &help : &unit, item.text);
            group_begin = batch->sample_ts.len;
            continue;
        }
        if (item.group != group) {
            group = item.group;
            group_begin = batch->sample_ts.len;
        }
        uint32_t series;
        if (item.series->user) {
            series = (uint32_t)((uintptr_t)item.series->user - 1);
        } else {
            series = data_metric_batch_add_series(batch, item.series->labels);
            item.series->user = (void *)((uintptr_t)series + 1);
        }
        int64_t at = item.has_ts ? item.ts_ns : ts_ns;
        if (item.histogram)
            data_metric_batch_add_histogram(batch, series, at, item.histogram);
        else if (item.kind == DECODE_TEXT_SAMPLE)
            data_metric_batch_add_sample(batch, series, at, item.value);
        if (item.start_ns && item.kind == DECODE_TEXT_SAMPLE)
            data_metric_batch_set_start(batch, item.start_ns);
        if (item.has_exemplar)
            data_metric_batch_add_exemplar(batch, series,
                                           item.exemplar_has_ts ? item.exemplar_ts_ns : at,
                                           item.exemplar_value, item.exemplar_labels);
        if (item.is_created)
            data_metric_batch_set_start_from(batch, group_begin, saturated_ns(item.value));
    }
    if (!got && family.len)
        data_metric_batch_add_metadata(batch, buf_slice(&family), type, buf_slice(&unit),
                                       buf_slice(&help));
    buf_deinit(&family);
    buf_deinit(&help);
    buf_deinit(&unit);
    decode_text_free(p);
    decode_text_cache_free(cache);
    return got;
}
