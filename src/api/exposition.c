#include "api/exposition.h"

#include <math.h>

#include "codec/number.h"
#include "codec/pb.h"
#include "codec/utf8.h"

/* --- negotiation --- */

/* One entry of Accept. */
struct accepted {
    struct slice type, proto, encoding, version, escaping;
    double q;
};

static struct accepted read_accepted(struct slice entry)
{
    struct accepted a = {.q = 1};
    struct slice rest = slice_trim(entry), part, name;
    slice_split(&rest, ';', &part);
    a.type = slice_trim(part);
    while (rest.ptr && slice_split(&rest, ';', &part)) {
        struct slice value = slice_trim(part);
        slice_split(&value, '=', &name);
        if (!value.ptr)
            continue;
        name = slice_trim(name);
        value = slice_trim(value);
        if (slice_eq_nocase(name, SLICE("proto")))
            a.proto = value;
        else if (slice_eq_nocase(name, SLICE("encoding")))
            a.encoding = value;
        else if (slice_eq_nocase(name, SLICE("version")))
            a.version = value;
        else if (slice_eq_nocase(name, SLICE("escaping")))
            a.escaping = value;
        else if (slice_eq_nocase(name, SLICE("q")) && !codec_text_to_double(value, &a.q, NULL))
            a.q = 0;
    }
    return a;
}

static bool take(const struct accepted *a, struct api_exposition *out)
{
    bool any_version = !a->version.len;
    if (slice_eq_nocase(a->type, SLICE("application/vnd.google.protobuf")) &&
        slice_eq_cstr(a->proto, "io.prometheus.client.MetricFamily") &&
        slice_eq_cstr(a->encoding, "delimited"))
        out->format = API_EXPOSITION_PROTOBUF;
    else if (slice_eq_nocase(a->type, SLICE("application/openmetrics-text")) &&
             (any_version || slice_eq_cstr(a->version, "1.0.0") ||
              slice_eq_cstr(a->version, "0.0.1")))
        out->format = API_EXPOSITION_OPENMETRICS;
    else if (slice_eq_nocase(a->type, SLICE("text/plain")) &&
             (any_version || slice_eq_cstr(a->version, "0.0.4") ||
              slice_eq_cstr(a->version, "1.0.0")))
        out->format = API_EXPOSITION_TEXT;
    else
        return false;
    out->text_1 = slice_eq_cstr(a->version, "1.0.0");
    out->escaping = slice_eq_cstr(a->escaping, "allow-utf-8") ? API_ESCAPE_ALLOW_UTF8
                    : slice_eq_cstr(a->escaping, "dots")      ? API_ESCAPE_DOTS
                    : slice_eq_cstr(a->escaping, "values")    ? API_ESCAPE_VALUES
                                                              : API_ESCAPE_UNDERSCORES;
    return true;
}

void api_exposition_negotiate(struct slice accept, struct api_exposition *out)
{
    struct slice entry;
    double best = 0;
    *out = (struct api_exposition){.format = API_EXPOSITION_TEXT};
    while (accept.len && slice_split(&accept, ',', &entry)) {
        struct accepted a = read_accepted(entry);
        struct api_exposition e = {0};
        if (a.q > best && take(&a, &e)) {
            *out = e;
            best = a.q;
        }
    }
}

const char *api_exposition_content_type(const struct api_exposition *e)
{
#define ESCAPED(prefix)                                                                            \
    {                                                                                              \
        prefix "; escaping=underscores", prefix "; escaping=allow-utf-8",                          \
            prefix "; escaping=dots", prefix "; escaping=values"                                   \
    }
    static const char *const types[][4] = {
        ESCAPED("text/plain; version=0.0.4; charset=utf-8"),
        ESCAPED("text/plain; version=1.0.0; charset=utf-8"),
        ESCAPED("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ESCAPED("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                "encoding=delimited"),
    };
#undef ESCAPED
    switch (e->format) {
    case API_EXPOSITION_OPENMETRICS: return types[2][e->escaping];
    case API_EXPOSITION_PROTOBUF: return types[3][e->escaping];
    default: return types[e->text_1][e->escaping];
    }
}

/* --- names --- */

static bool is_legacy(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
}

static void put_escaped(enum api_escaping how, struct slice name, struct buf *out)
{
    if (how == API_ESCAPE_VALUES)
        buf_append_cstr(out, "U__");
    for (size_t i = 0; i < name.len;) {
        uint32_t code = 0xfffd;
        size_t n = codec_utf8_decode(slice_from(name, i), &code);
        char c = name.ptr[i];
        if (how != API_ESCAPE_UNDERSCORES && c == '_')
            buf_append_cstr(out, "__");
        else if (how == API_ESCAPE_DOTS && c == '.')
            buf_append_cstr(out, "_dot_");
        else if (is_legacy(c, i == 0))
            buf_append_char(out, c);
        else if (how == API_ESCAPE_VALUES)
            buf_printf(out, "_%X_", code);
        else
            buf_append_cstr(out, how == API_ESCAPE_DOTS ? "__" : "_");
        i += MAX(n, (size_t)1);
    }
}

/* The name as it is written: as it is, or escaped into `scratch`. */
static struct slice written_name(const struct api_exposition *e, struct slice name,
                                 struct buf *scratch)
{
    bool dots = e->escaping == API_ESCAPE_DOTS; /* doubles underscores everywhere */
    if (e->escaping == API_ESCAPE_ALLOW_UTF8 || (data_metric_name_is_legacy(name) && !dots))
        return name;
    buf_clear(scratch);
    put_escaped(e->escaping, name, scratch);
    return buf_slice(scratch);
}

static void put_quoted(struct slice s, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n')
            buf_append_cstr(out, "\\n");
        else if (c == '"' || c == '\\') {
            buf_append_char(out, '\\');
            buf_append_char(out, c);
        } else
            buf_append_char(out, c);
    }
    buf_append_char(out, '"');
}

/* --- text --- */

static void put_number(const struct api_exposition *e, double v, struct buf *out)
{
    size_t begin = out->len;
    codec_append_double(out, v, CODEC_DOUBLE_GENERAL);
    if (e->format == API_EXPOSITION_OPENMETRICS && isfinite(v) &&
        slice_find_char(slice_from(buf_slice(out), begin), '.') < 0 &&
        slice_find_char(slice_from(buf_slice(out), begin), 'e') < 0)
        buf_append_cstr(out, ".0");
}

/* One line: name with suffix, labels, one more label when `le` is not NULL. */
static void put_line(const struct api_exposition *e, const struct api_exposition_sample *s,
                     const char *suffix, const double *le, double value, struct buf *out)
{
    struct buf full = {0}, scratch = {0};
    bool any = false;
    buf_append_slice(&full, buf_slice(&e->name));
    buf_append_cstr(&full, suffix);
    if (data_metric_name_is_legacy(buf_slice(&full))) {
        buf_append_slice(out, buf_slice(&full));
    } else {
        buf_append_char(out, '{');
        put_quoted(buf_slice(&full), out);
        any = true;
    }
    for (size_t i = 0; i < s->label_count; i++) {
        struct slice name = written_name(e, s->labels[i].name, &scratch);
        buf_append_char(out, any ? ',' : '{');
        any = true;
        if (data_label_name_is_legacy(name))
            buf_append_slice(out, name);
        else
            put_quoted(name, out);
        buf_append_char(out, '=');
        put_quoted(s->labels[i].value, out);
    }
    if (le) {
        buf_append_cstr(out, any ? ",le=\"" : "{le=\"");
        any = true;
        put_number(e, *le, out);
        buf_append_char(out, '"');
    }
    buf_append_cstr(out, any ? "} " : " ");
    put_number(e, value, out);
    buf_append_char(out, ' ');
    if (e->format == API_EXPOSITION_OPENMETRICS)
        put_number(e, (double)(s->ts_ns / NS_PER_MS) / 1e3, out);
    else
        codec_append_int(out, s->ts_ns / NS_PER_MS);
    buf_append_char(out, '\n');
    buf_deinit(&full);
    buf_deinit(&scratch);
}

/* Calls `each` with every bound and the count up to it, +Inf left out. */
static void each_custom_bucket(const struct data_histogram *h,
                               void (*each)(void *ctx, double bound, double cumulative), void *ctx)
{
    int64_t index = 0;
    uint32_t bucket = 0, bound = 0;
    double sum = 0;
    for (uint32_t s = 0; s < h->positive_span_count; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t k = 0; k < h->positive_spans[s].length && bucket < h->positive_count;
             k++, index++, bucket++) {
            for (; bound < h->custom_bound_count && bound < index; bound++)
                each(ctx, h->custom_bounds[bound], sum);
            sum += h->positive[bucket];
        }
    }
    for (; bound < h->custom_bound_count; bound++)
        each(ctx, h->custom_bounds[bound], sum);
}

struct text_buckets {
    const struct api_exposition *e;
    const struct api_exposition_sample *s;
    struct buf *out;
};

static void put_text_bucket(void *ctx, double bound, double cumulative)
{
    struct text_buckets *t = ctx;
    put_line(t->e, t->s, "_bucket", &bound, cumulative, t->out);
}

static void put_text(struct api_exposition *e, const struct api_exposition_sample *s,
                     struct buf *out)
{
    const struct data_histogram *h = s->histogram;
    struct text_buckets t = {e, s, out};
    double infinity = INFINITY;
    if (!h) {
        put_line(e, s, "", NULL, s->value, out);
        return;
    }
    each_custom_bucket(h, put_text_bucket, &t);
    put_line(e, s, "_bucket", &infinity, h->count, out);
    put_line(e, s, "_sum", NULL, h->sum, out);
    put_line(e, s, "_count", NULL, h->count, out);
}

static void begin_text(struct api_exposition *e, struct buf *out)
{
    bool om = e->format == API_EXPOSITION_OPENMETRICS;
    buf_append_cstr(out, "# TYPE ");
    if (data_metric_name_is_legacy(buf_slice(&e->name)))
        buf_append_slice(out, buf_slice(&e->name));
    else
        put_quoted(buf_slice(&e->name), out);
    buf_append_cstr(out, !e->histogram    ? om ? " unknown\n" : " untyped\n"
                         : e->gauge && om ? " gaugehistogram\n"
                                          : " histogram\n");
}

/* --- protobuf --- */

enum { PB_GAUGE_HISTOGRAM = 5, PB_HISTOGRAM = 4, PB_UNTYPED = 3 };

static void put_pb_bucket(void *ctx, double bound, double cumulative)
{
    struct buf *out = ctx;
    size_t mark = codec_pb_begin(out, 3);
    codec_pb_put_double(out, 2, bound);
    codec_pb_put_double(out, 4, cumulative);
    codec_pb_end(out, mark);
}

static void put_pb_side(uint32_t number, const struct data_histogram_span *spans, uint32_t count,
                        const double *counts, uint32_t bucket_count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t mark = codec_pb_begin(out, number);
        codec_pb_put_varint(out, 1, codec_zigzag(spans[i].offset));
        codec_pb_put_varint(out, 2, spans[i].length);
        codec_pb_end(out, mark);
    }
    if (!bucket_count)
        return;
    size_t mark = codec_pb_begin(out, number + 2);
    for (uint32_t i = 0; i < bucket_count; i++)
        codec_append64(out, codec_double_bits(counts[i]));
    codec_pb_end(out, mark);
}

static void put_pb_histogram(const struct data_histogram *h, struct buf *out)
{
    codec_pb_put_double(out, 2, h->sum);
    codec_pb_put_double(out, 4, h->count);
    if (h->schema == DATA_HISTOGRAM_SCHEMA_CUSTOM) {
        each_custom_bucket(h, put_pb_bucket, out);
        return;
    }
    codec_pb_put_varint(out, 5, codec_zigzag(h->schema));
    codec_pb_put_double(out, 6, h->zero_threshold);
    codec_pb_put_double(out, 8, h->zero_count);
    put_pb_side(9, h->negative_spans, h->negative_span_count, h->negative, h->negative_count, out);
    put_pb_side(12, h->positive_spans, h->positive_span_count, h->positive, h->positive_count, out);
}

static void put_pb(struct api_exposition *e, const struct api_exposition_sample *s)
{
    struct buf *out = &e->family, scratch = {0};
    size_t metric = codec_pb_begin(out, 4);
    for (size_t i = 0; i < s->label_count; i++) {
        size_t pair = codec_pb_begin(out, 1);
        codec_pb_put_bytes(out, 1, written_name(e, s->labels[i].name, &scratch));
        codec_pb_put_bytes(out, 2, s->labels[i].value);
        codec_pb_end(out, pair);
    }
    size_t value = codec_pb_begin(out, s->histogram ? 7 : 5);
    if (s->histogram)
        put_pb_histogram(s->histogram, out);
    else
        codec_pb_put_double(out, 1, s->value);
    codec_pb_end(out, value);
    codec_pb_put_varint(out, 6, (uint64_t)(s->ts_ns / NS_PER_MS));
    codec_pb_end(out, metric);
    buf_deinit(&scratch);
}

static void begin_pb(struct api_exposition *e)
{
    buf_clear(&e->family);
    codec_pb_put_bytes(&e->family, 1, buf_slice(&e->name));
    codec_pb_put_varint(&e->family, 3,
                        !e->histogram ? PB_UNTYPED
                        : e->gauge    ? PB_GAUGE_HISTOGRAM
                                      : PB_HISTOGRAM);
}

static void end_family(struct api_exposition *e, struct buf *out)
{
    if (e->open && e->format == API_EXPOSITION_PROTOBUF) {
        codec_append_varint(out, e->family.len);
        buf_append_slice(out, buf_slice(&e->family));
    }
    e->open = false;
}

void api_exposition_put(struct api_exposition *e, const struct api_exposition_sample *s,
                        struct buf *out)
{
    const struct data_histogram *h = s->histogram;
    bool histogram = h != NULL, gauge = h && h->reset_hint == DATA_RESET_GAUGE;
    struct buf scratch = {0};
    if (h && h->schema != DATA_HISTOGRAM_SCHEMA_CUSTOM && e->format != API_EXPOSITION_PROTOBUF)
        return;
    struct slice name = written_name(e, s->name, &scratch);
    if (!e->open || !slice_eq(buf_slice(&e->name), name) || e->histogram != histogram ||
        e->gauge != gauge) {
        end_family(e, out);
        buf_clear(&e->name);
        buf_append_slice(&e->name, name);
        e->histogram = histogram;
        e->gauge = gauge;
        e->open = true;
        if (e->format == API_EXPOSITION_PROTOBUF)
            begin_pb(e);
        else
            begin_text(e, out);
    }
    if (e->format == API_EXPOSITION_PROTOBUF)
        put_pb(e, s);
    else
        put_text(e, s, out);
    buf_deinit(&scratch);
}

void api_exposition_end(struct api_exposition *e, struct buf *out)
{
    end_family(e, out);
    if (e->format == API_EXPOSITION_OPENMETRICS)
        buf_append_cstr(out, "# EOF\n");
}

void api_exposition_deinit(struct api_exposition *e)
{
    buf_deinit(&e->name);
    buf_deinit(&e->family);
}
