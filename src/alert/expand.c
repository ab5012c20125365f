#include "alert/expand.h"

#include <math.h>
#include <stdlib.h>

#include "codec/number.h"
#include "codec/utf8.h"
#include "data/histogram_notation.h"
#include "text/duration.h"
#include "text/regex.h"

#define OUTPUT_MAX ((size_t)256 << 10)
#define STEPS_MAX  ((size_t)1000000)

typedef struct text_template_call call_t;
typedef const struct text_template_value value_t;

static const struct text_template_type string_map = {.name = "map[string]string",
                                                     .string_zero = true};
static const struct text_template_type sample_type = {.name = "*template.sample",
                                                      .is_struct = true};
static const struct text_template_type data_type = {.name = "template.AlertTemplateData",
                                                    .is_struct = true};

static struct text_template_value *own_value(struct arena *arena, struct text_template_value v)
{
    return arena_dup(arena, &v, sizeof(v));
}

static struct text_template_value labels_value(struct data_labels labels, struct arena *arena)
{
    struct text_template_pair *pairs =
        ARENA_ARRAY(arena, struct text_template_pair, labels.count + 1);
    for (size_t i = 0; i < labels.count; i++) {
        pairs[i].key = labels.items[i].name;
        pairs[i].value = own_value(arena, text_template_string(labels.items[i].value));
    }
    return text_template_map(&string_map, pairs, labels.count);
}

static struct text_template_value sample_value(double v, const struct data_histogram *h,
                                               struct arena *arena)
{
    struct buf text = {0};
    if (!h)
        return text_template_float(v);
    data_histogram_print(h, &text);
    struct slice s = arena_slice(arena, buf_slice(&text));
    buf_deinit(&text);
    return text_template_string(s);
}

static int give_text(call_t *call, struct text_template_value *out, struct buf *text)
{
    *out = text_template_string(arena_slice(call->arena, buf_slice(text)));
    buf_deinit(text);
    return 0;
}

static int give_slice(struct text_template_value *out, struct slice s)
{
    *out = text_template_string(s);
    return 0;
}

/* --- vectors --- */

static int fn_query(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    const struct alert__expand *e = call->ctx;
    struct query_result result = {0};
    (void)count;
    if (!e->query)
        return diag_set(diag, ERR_UNSUPPORTED, "there is nothing to ask");
    int err = e->query(e->ctx, args[0].string, e->ts_ns, call->arena, &result, diag);
    if (err)
        return err;
    struct text_template_value *items =
        ARENA_ARRAY(call->arena, struct text_template_value, result.series_count + 1);
    for (size_t i = 0; i < result.series_count; i++) {
        const struct query_series *s = &result.series[i];
        struct text_template_pair *pairs = ARENA_ARRAY(call->arena, struct text_template_pair, 2);
        pairs[0].key = SLICE("Labels");
        pairs[0].value = own_value(call->arena, labels_value(s->labels, call->arena));
        pairs[1].key = SLICE("Value");
        pairs[1].value = own_value(
            call->arena, s->count ? sample_value(query_point_at(s, 0).value,
                                                 query_point_at(s, 0).histogram, call->arena)
                                  : text_template_float(NAN));
        items[i] = text_template_map(&sample_type, pairs, 2);
    }
    *out = text_template_list(items, result.series_count);
    return 0;
}

static int fn_first(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    (void)call;
    (void)count;
    if (!args[0].count)
        return diag_set(diag, ERR_INVALID, "first() called on vector with no elements");
    *out = args[0].items[0];
    return 0;
}

static struct slice sample_label(const struct text_template_value *sample, struct slice name)
{
    const struct text_template_value *labels = sample->count ? sample->pairs[0].value : NULL;
    for (size_t i = 0; labels && i < labels->count; i++) {
        if (slice_eq(labels->pairs[i].key, name))
            return labels->pairs[i].value->string;
    }
    return SLICE("");
}

static int want_sample(const struct text_template_value *v, struct diag *diag)
{
    return v->type == &sample_type ? 0
                                   : diag_set(diag, ERR_INVALID,
                                              "wrong type for value; expected *template.sample; "
                                              "got %s",
                                              text_template_type_name(v));
}

static int fn_label(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    (void)call;
    (void)count;
    int err = want_sample(&args[1], diag);
    return err ? err : give_slice(out, sample_label(&args[1], args[0].string));
}

static int fn_value(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    (void)call;
    (void)count;
    int err = want_sample(&args[0], diag);
    if (!err)
        *out = *args[0].pairs[1].value;
    return err;
}

static int fn_strvalue(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                       struct diag *diag)
{
    (void)call;
    (void)count;
    int err = want_sample(&args[0], diag);
    return err ? err : give_slice(out, sample_label(&args[0], SLICE("__value__")));
}

static int fn_sort(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                   struct diag *diag)
{
    (void)count;
    size_t n = args[1].count;
    struct text_template_value *items =
        arena_dup(call->arena, args[1].items, n * sizeof(*args[1].items));
    for (size_t i = 0; i < n; i++) {
        int err = want_sample(&items[i], diag);
        if (err)
            return err;
    }
    /* Insertion keeps equal ones in their order; vectors in templates are short. */
    for (size_t i = 1; i < n; i++) {
        struct text_template_value v = items[i];
        struct slice key = sample_label(&v, args[0].string);
        size_t k = i;
        for (; k && slice_cmp(sample_label(&items[k - 1], args[0].string), key) > 0; k--)
            items[k] = items[k - 1];
        items[k] = v;
    }
    *out = text_template_list(items, n);
    return 0;
}

/* --- numbers --- */

static int to_float(const struct text_template_value *v, double *out, struct diag *diag)
{
    if (v->kind == TEXT_TEMPLATE_FLOAT)
        *out = v->number;
    else if (v->kind == TEXT_TEMPLATE_INT)
        *out = (double)v->integer;
    else if (v->kind == TEXT_TEMPLATE_STRING) {
        if (!codec_text_to_double(v->string, out, NULL))
            return diag_set(diag, ERR_INVALID,
                            "strconv.ParseFloat: parsing \"%.*s\": invalid syntax",
                            SLICE_FMT(v->string));
    } else {
        return diag_set(diag, ERR_INVALID, "can't convert %s to float",
                        v->kind ? text_template_type_name(v) : "<nil>");
    }
    return 0;
}

static void put_4g(double v, const char *suffix, struct buf *out)
{
    if (isnan(v))
        buf_append_cstr(out, "NaN");
    else if (isinf(v))
        buf_append_cstr(out, v > 0 ? "+Inf" : "-Inf");
    else
        buf_printf(out, "%.4g", v);
    buf_append_cstr(out, suffix);
}

static const char *const above[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const below[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
static const char *const above_1024[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

static const char *scale_down(double *v, double step, const char *const *names)
{
    const char *prefix = "";
    for (size_t i = 0; i < 8 && fabs(*v) >= step; i++) {
        prefix = names[i];
        *v /= step;
    }
    return prefix;
}

static const char *scale_up(double *v)
{
    const char *prefix = "";
    for (size_t i = 0; i < 8 && fabs(*v) < 1; i++) {
        prefix = below[i];
        *v *= 1000;
    }
    return prefix;
}

static int fn_humanize(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                       struct diag *diag)
{
    struct buf text = {0};
    const char *prefix = "";
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    if (v != 0 && isfinite(v))
        prefix = fabs(v) >= 1 ? scale_down(&v, 1000, above) : scale_up(&v);
    put_4g(v, prefix, &text);
    return give_text(call, out, &text);
}

static int fn_humanize_1024(call_t *call, value_t *args, size_t count,
                            struct text_template_value *out, struct diag *diag)
{
    struct buf text = {0};
    const char *prefix = "";
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    if (fabs(v) > 1 && isfinite(v))
        prefix = scale_down(&v, 1024, above_1024);
    put_4g(v, prefix, &text);
    return give_text(call, out, &text);
}

static int fn_humanize_duration(call_t *call, value_t *args, size_t count,
                                struct text_template_value *out, struct diag *diag)
{
    struct buf text = {0};
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    if (!isfinite(v)) {
        put_4g(v, "", &text);
    } else if (v == 0) {
        put_4g(v, "s", &text);
    } else if (fabs(v) >= 1) {
        const char *sign = v < 0 ? "-" : "";
        v = fabs(v);
        long long total = v < 9e18 ? (long long)v : INT64_MAX;
        long long s = total % 60, m = total / 60 % 60, h = total / 3600 % 24, d = total / 86400;
        if (d)
            buf_printf(&text, "%s%lldd %lldh %lldm %llds", sign, d, h, m, s);
        else if (h)
            buf_printf(&text, "%s%lldh %lldm %llds", sign, h, m, s);
        else if (m)
            buf_printf(&text, "%s%lldm %llds", sign, m, s);
        else
            buf_printf(&text, "%s%.4gs", sign, v);
    } else {
        const char *prefix = scale_up(&v);
        put_4g(v, prefix, &text);
        buf_append_char(&text, 's');
    }
    return give_text(call, out, &text);
}

static int fn_humanize_percentage(call_t *call, value_t *args, size_t count,
                                  struct text_template_value *out, struct diag *diag)
{
    struct buf text = {0};
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    put_4g(v * 100, "%", &text);
    return give_text(call, out, &text);
}

/* Go prints a time as "2006-01-02 15:04:05.999999999 +0000 UTC". */
static void put_go_time(int64_t ns, struct buf *out)
{
    struct buf rfc = {0};
    text_time_print(ns, &rfc);
    struct slice s = buf_slice(&rfc);
    ptrdiff_t t = slice_find_char(s, 'T');
    if (t > 0 && slice_ends_with(s, SLICE("Z"))) {
        buf_append_slice(out, slice_first(s, (size_t)t));
        buf_append_char(out, ' ');
        buf_append_slice(out, slice_first(slice_from(s, (size_t)t + 1), s.len - (size_t)t - 2));
        buf_append_cstr(out, " +0000 UTC");
    } else {
        buf_append_slice(out, s);
    }
    buf_deinit(&rfc);
}

/* A time is a struct that prints as Go's does. */
static int fn_time(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                   struct diag *diag)
{
    struct buf text = {0};
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    if (!isfinite(v)) {
        put_4g(v, "", &text);
        return give_text(call, out, &text);
    }
    if (fabs(v) > 9.2e9)
        return diag_set(diag, ERR_INVALID,
                        "%g cannot be represented as a nanoseconds timestamp "
                        "since it overflows int64",
                        v * 1e9);
    int64_t ms = (int64_t)llround(v * 1000);
    put_go_time(ms * NS_PER_MS, &text);
    return give_text(call, out, &text);
}

static int fn_to_duration(call_t *call, value_t *args, size_t count,
                          struct text_template_value *out, struct diag *diag)
{
    double v = 0;
    (void)count;
    int err = to_float(&args[0], &v, diag);
    if (err)
        return err;
    /* Go's time.Duration: 1h2m3.5s */
    struct buf text = {0};
    if (!isfinite(v) || fabs(v) > 9.2e9)
        return diag_set(diag, ERR_INVALID, "%g cannot be represented as a duration", v);
    const char *sign = v < 0 ? "-" : "";
    double s = fabs(v);
    long long h = (long long)(s / 3600), m = (long long)(s / 60) % 60;
    s -= (double)(h * 3600 + m * 60);
    if (s && !h && !m && s < 1) {
        double small = s < 1e-6 ? s * 1e9 : s < 1e-3 ? s * 1e6 : s * 1e3;
        buf_append_cstr(&text, sign);
        codec_append_double(&text, round(small * 1e6) / 1e6, CODEC_DOUBLE_PLAIN);
        buf_append_cstr(&text, s < 1e-6 ? "ns" : s < 1e-3 ? "\xc2\xb5s" : "ms");
        return give_text(call, out, &text);
    }
    buf_append_cstr(&text, sign);
    if (h)
        buf_printf(&text, "%lldh", h);
    if (h || m)
        buf_printf(&text, "%lldm", m);
    codec_append_double(&text, round(s * 1e9) / 1e9, CODEC_DOUBLE_PLAIN);
    buf_append_char(&text, 's');
    return give_text(call, out, &text);
}

static int fn_now(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                  struct diag *diag)
{
    const struct alert__expand *e = call->ctx;
    (void)args;
    (void)count;
    (void)diag;
    *out = text_template_float((double)(e->ts_ns / NS_PER_MS) / 1000);
    return 0;
}

static int fn_parse_duration(call_t *call, value_t *args, size_t count,
                             struct text_template_value *out, struct diag *diag)
{
    int64_t ns;
    (void)call;
    (void)count;
    if (text_duration_parse(args[0].string, &ns))
        return diag_set(diag, ERR_INVALID, "not a valid duration string: \"%.*s\"",
                        SLICE_FMT(args[0].string));
    *out = text_template_float((double)ns / 1e9);
    return 0;
}

/* --- text --- */

/* ASCII letters change case, and those of Latin-1, Greek and Cyrillic. */
static uint32_t change_case(uint32_t c, bool upper)
{
    if (upper) {
        if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
            (c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) || (c >= 0x430 && c <= 0x44f))
            return c - 32;
        return c >= 0x450 && c <= 0x45f ? c - 80 : c;
    }
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
        (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f))
        return c + 32;
    return c >= 0x400 && c <= 0x40f ? c + 80 : c;
}

/* `first_only`: the first letter of every word. */
static void put_case(struct slice s, bool upper, bool first_only, struct buf *out)
{
    bool in_word = false;
    for (size_t i = 0; i < s.len;) {
        uint32_t c;
        char utf8[4];
        size_t n = codec_utf8_decode(slice_from(s, i), &c);
        if (!n) {
            buf_append_char(out, s.ptr[i++]);
            continue;
        }
        bool letter = (c | 32) - 'a' < 26 || c - '0' < 10 || c >= 0x80 || c == '\'' || c == '_';
        uint32_t to = first_only && in_word ? c : change_case(c, upper);
        buf_append(out, utf8, codec_utf8_encode(to, utf8));
        in_word = letter;
        i += n;
    }
}

static int fn_title(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    struct buf text = {0};
    (void)count;
    (void)diag;
    put_case(args[0].string, true, true, &text);
    return give_text(call, out, &text);
}

static int fn_upper(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    struct buf text = {0};
    (void)count;
    (void)diag;
    put_case(args[0].string, true, false, &text);
    return give_text(call, out, &text);
}

static int fn_lower(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    struct buf text = {0};
    (void)count;
    (void)diag;
    put_case(args[0].string, false, false, &text);
    return give_text(call, out, &text);
}

static int fn_match(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                    struct diag *diag)
{
    struct text_regex *re;
    (void)call;
    (void)count;
    int err = text_regex_compile(args[0].string, 0, &re, diag);
    if (err)
        return err;
    uint64_t overruns = text_regex_overruns();
    *out = text_template_bool(text_regex_match(re, args[1].string));
    text_regex_free(re);
    return text_regex_check(overruns, "the regular expression of match", diag);
}

static int fn_replace_all(call_t *call, value_t *args, size_t count,
                          struct text_template_value *out, struct diag *diag)
{
    struct text_regex *re;
    struct buf text = {0};
    (void)count;
    int err = text_regex_compile(args[0].string, 0, &re, diag);
    if (err)
        return err;
    uint64_t overruns = text_regex_overruns();
    text_regex_replace_all(re, args[2].string, args[1].string, OUTPUT_MAX, &text);
    text_regex_free(re);
    err = give_text(call, out, &text);
    return err ? err : text_regex_check(overruns, "the regular expression of reReplaceAll", diag);
}

/* host:port, [v6]:port; false when it is not of that form. */
static bool split_host_port(struct slice s, struct slice *host, struct slice *port)
{
    ptrdiff_t colon = -1;
    for (size_t i = s.len; i-- > 0;) {
        if (s.ptr[i] == ':') {
            colon = (ptrdiff_t)i;
            break;
        }
    }
    if (colon < 0)
        return false;
    *port = slice_from(s, (size_t)colon + 1);
    *host = slice_first(s, (size_t)colon);
    if (host->len && host->ptr[0] == '[') {
        if (!slice_ends_with(*host, SLICE("]")))
            return false;
        *host = slice_make(host->ptr + 1, host->len - 2);
        return true;
    }
    return slice_find_char(*host, ':') < 0;
}

static int fn_strip_port(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                         struct diag *diag)
{
    struct slice host, port;
    (void)call;
    (void)count;
    (void)diag;
    return give_slice(out, split_host_port(args[0].string, &host, &port) ? host : args[0].string);
}

static bool is_ip(struct slice s)
{
    size_t dots = 0, digits = 0;
    if (slice_find_char(s, ':') >= 0)
        return true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.')
            dots++;
        else if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            digits++;
        else
            return false;
    }
    return dots == 3 && digits >= 4;
}

static int fn_strip_domain(call_t *call, value_t *args, size_t count,
                           struct text_template_value *out, struct diag *diag)
{
    struct slice host = args[0].string, port = {NULL, 0};
    struct buf text = {0};
    (void)count;
    (void)diag;
    if (!split_host_port(args[0].string, &host, &port)) {
        host = args[0].string;
        port = (struct slice){NULL, 0};
    }
    if (is_ip(host))
        return give_slice(out, args[0].string);
    ptrdiff_t dot = slice_find_char(host, '.');
    buf_append_slice(&text, dot < 0 ? host : slice_first(host, (size_t)dot));
    if (port.len)
        buf_printf(&text, ":%.*s", SLICE_FMT(port));
    return give_text(call, out, &text);
}

static void put_escaped(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' ||
            c == '_' || c == '.' || c == '~')
            buf_append_char(out, (char)c);
        else if (c == ' ')
            buf_append_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

static int fn_escape(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                     struct diag *diag)
{
    struct buf text = {0};
    (void)count;
    (void)diag;
    put_escaped(args[0].string, &text);
    return give_text(call, out, &text);
}

static int give_link(call_t *call, value_t *args, const char *tab, struct text_template_value *out)
{
    struct buf text = {0};
    buf_append_cstr(&text, "/graph?g0.expr=");
    put_escaped(args[0].string, &text);
    buf_append_cstr(&text, tab);
    return give_text(call, out, &text);
}

static int fn_graph_link(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                         struct diag *diag)
{
    (void)count;
    (void)diag;
    return give_link(call, args, "&g0.tab=0", out);
}

static int fn_table_link(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                         struct diag *diag)
{
    (void)count;
    (void)diag;
    return give_link(call, args, "&g0.tab=1", out);
}

static int fn_external_url(call_t *call, value_t *args, size_t count,
                           struct text_template_value *out, struct diag *diag)
{
    const struct alert__expand *e = call->ctx;
    (void)args;
    (void)count;
    (void)diag;
    return give_slice(out, slice_cstr(e->external_url ? e->external_url : ""));
}

static int fn_path_prefix(call_t *call, value_t *args, size_t count,
                          struct text_template_value *out, struct diag *diag)
{
    const struct alert__expand *e = call->ctx;
    struct slice url = slice_cstr(e->external_url ? e->external_url : "");
    (void)args;
    (void)count;
    (void)diag;
    ptrdiff_t scheme = slice_find(url, SLICE("://"));
    struct slice rest = scheme < 0 ? url : slice_from(url, (size_t)scheme + 3);
    ptrdiff_t slash = slice_find_char(rest, '/');
    return give_slice(out, slash < 0 ? SLICE("") : slice_from(rest, (size_t)slash));
}

static int fn_safe(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                   struct diag *diag)
{
    (void)call;
    (void)count;
    (void)diag;
    *out = args[0];
    return 0;
}

static int fn_args(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                   struct diag *diag)
{
    struct text_template_pair *pairs =
        ARENA_ARRAY(call->arena, struct text_template_pair, count + 1);
    (void)diag;
    for (size_t i = 0; i < count; i++) {
        pairs[i].key = arena_printf(call->arena, "arg%zu", i);
        pairs[i].value = own_value(call->arena, args[i]);
    }
    *out = text_template_map(NULL, pairs, count);
    return 0;
}

static int fn_tmpl(call_t *call, value_t *args, size_t count, struct text_template_value *out,
                   struct diag *diag)
{
    struct buf text = {0};
    (void)count;
    int err = text_template_run_named(call->set, args[0].string, &args[1], call->env,
                                      call->depth + 1, &text, diag);
    if (err)
        buf_deinit(&text);
    return err ? err : give_text(call, out, &text);
}

static const struct text_template_function functions[] = {
    {"query", "s", fn_query},
    {"first", "l", fn_first},
    {"label", "sv", fn_label},
    {"value", "v", fn_value},
    {"strvalue", "v", fn_strvalue},
    {"sortByLabel", "sl", fn_sort},
    {"humanize", "v", fn_humanize},
    {"humanize1024", "v", fn_humanize_1024},
    {"humanizeDuration", "v", fn_humanize_duration},
    {"humanizePercentage", "v", fn_humanize_percentage},
    {"humanizeTimestamp", "v", fn_time},
    {"toTime", "v", fn_time},
    {"toDuration", "v", fn_to_duration},
    {"now", "", fn_now},
    {"parseDuration", "s", fn_parse_duration},
    {"title", "s", fn_title},
    {"toUpper", "s", fn_upper},
    {"toLower", "s", fn_lower},
    {"match", "ss", fn_match},
    {"reReplaceAll", "sss", fn_replace_all},
    {"stripPort", "s", fn_strip_port},
    {"stripDomain", "s", fn_strip_domain},
    {"urlQueryEscape", "s", fn_escape},
    {"graphLink", "s", fn_graph_link},
    {"tableLink", "s", fn_table_link},
    {"externalURL", "", fn_external_url},
    {"pathPrefix", "", fn_path_prefix},
    {"safeHtml", "s", fn_safe},
    {"args", "v*", fn_args},
    {"tmpl", "sv", fn_tmpl},
};

const struct text_template_function *alert__functions(size_t *out_count)
{
    *out_count = ARRAY_LEN(functions);
    return functions;
}

int alert__template_parse(struct slice alert, struct slice text,
                          const struct text_template_function *table, size_t count,
                          struct arena *arena, struct text_template **out, struct diag *diag)
{
    struct slice name = arena_printf(arena, "__alert_%.*s", SLICE_FMT(alert));
    struct buf whole = {0};
    buf_append_cstr(&whole, "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
                            "{{$externalURL := .ExternalURL}}{{$value := .Value}}");
    buf_append_slice(&whole, text);
    int err = text_template_new(name, buf_slice(&whole), table, count, arena, out, diag);
    buf_deinit(&whole);
    return err;
}

struct slice alert__template_expand(const struct text_template *t, struct slice alert,
                                    const struct alert__expand *expand,
                                    const struct alert__subject *subject, struct arena *arena,
                                    bool *failed)
{
    struct text_template_value labels = labels_value(subject->labels, arena),
                               external = labels_value(subject->external_labels, arena),
                               url = text_template_string(
                                   slice_cstr(expand->external_url ? expand->external_url : "")),
                               value = sample_value(subject->value, subject->histogram, arena);
    const struct text_template_pair fields[] = {{SLICE_INIT("Labels"), &labels},
                                                {SLICE_INIT("ExternalLabels"), &external},
                                                {SLICE_INIT("ExternalURL"), &url},
                                                {SLICE_INIT("Value"), &value}};
    struct text_template_value data = text_template_map(&data_type, fields, ARRAY_LEN(fields));
    struct text_template_env env = {.ctx = (void *)(uintptr_t)expand,
                                    .arena = arena,
                                    .output_max = OUTPUT_MAX,
                                    .steps_max = STEPS_MAX};
    struct buf out = {0};
    struct diag d;
    struct slice s;
    diag_init(&d);
    int err = text_template_run(t, &data, &env, &out, &d);
    if (err)
        s = arena_printf(arena,
                         "<error expanding template: error executing template __alert_%.*s: %s>",
                         SLICE_FMT(alert), d.msg);
    else
        s = arena_slice(arena, buf_slice(&out));
    if (failed)
        *failed = err != 0;
    buf_deinit(&out);
    return s;
}
