/* Results as columns: the steps once, then per series a list of values. */
#include <math.h>

#include "api/prometheus/encode.h"
#include "api/query_multi.h"

void api_put_number(double v, struct buf *out)
{
    if (isfinite(v))
        codec_append_double(out, v, CODEC_DOUBLE_JSON);
    else
        buf_append_cstr(out, isnan(v) ? "\"NaN\"" : v > 0 ? "\"+Inf\"" : "\"-Inf\"");
}

static int64_t ms(int64_t ns)
{
    return ns / NS_PER_MS;
}

static void put_texts(const char *key, const struct slice *texts, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_printf(out, i ? "," : ",\"%s\":[", key);
        codec_json_append_string(out, texts[i]);
    }
    buf_append_cstr(out, count ? "]" : "");
}

/* The place of a point on the grid. */
static int64_t place(const struct query_steps *s, struct query_point p)
{
    return (p.ts_ns - s->start_ns) / s->step_ns;
}

static void put_grid_series(const struct query_steps *steps, const struct query_series *s,
                            struct buf *out)
{
    int64_t first = s->count ? place(steps, query_point_at(s, 0)) : 0, at = first;
    bool histograms = false;
    buf_printf(out, ",\"first\":%lld,\"values\":[", (long long)first);
    for (size_t i = 0; i < s->count; i++) {
        struct query_point p = query_point_at(s, i);
        for (int64_t k = place(steps, p); at < k; at++)
            buf_append_cstr(out, "null,");
        if (p.histogram)
            buf_append_cstr(out, "null");
        else
            api_put_number(p.value, out);
        histograms |= p.histogram != NULL;
        buf_append_cstr(out, i + 1 < s->count ? "," : "");
        at++;
    }
    buf_append_char(out, ']');
    if (!histograms)
        return;
    bool any = false;
    buf_append_cstr(out, ",\"histograms\":[");
    for (size_t i = 0; i < s->count; i++) {
        if (!query_point_at(s, i).histogram)
            continue;
        buf_printf(out, "%s[%lld,", any ? "," : "", (long long)place(steps, query_point_at(s, i)));
        api_encode_histogram(query_point_at(s, i).histogram, out);
        buf_append_char(out, ']');
        any = true;
    }
    buf_append_char(out, ']');
}

/* Samples at their own times, of a range selector. */
static void put_raw_series(const struct query_series *s, struct buf *out)
{
    bool any = false;
    buf_append_cstr(out, ",\"times\":[");
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, i ? ",%lld" : "%lld", (long long)ms(query_point_at(s, i).ts_ns));
    buf_append_cstr(out, "],\"values\":[");
    for (size_t i = 0; i < s->count; i++) {
        struct query_point p = query_point_at(s, i);
        buf_append_cstr(out, i ? "," : "");
        if (p.histogram)
            buf_append_cstr(out, "null");
        else
            api_put_number(p.value, out);
    }
    buf_append_char(out, ']');
    for (size_t i = 0; i < s->count; i++) {
        if (!query_point_at(s, i).histogram)
            continue;
        buf_printf(out, any ? ",[%zu," : ",\"histograms\":[[%zu,", i);
        api_encode_histogram(query_point_at(s, i).histogram, out);
        buf_append_char(out, ']');
        any = true;
    }
    buf_append_cstr(out, any ? "]" : "");
}

static void put_point(struct query_point p, struct buf *out)
{
    buf_append_cstr(out, p.histogram ? ",\"histogram\":" : ",\"value\":");
    if (p.histogram)
        api_encode_histogram(p.histogram, out);
    else
        api_put_number(p.value, out);
}

static int put_series(const struct api_query *q, const struct query_result *r, struct buf *out,
                      struct diag *diag)
{
    size_t count = q->limit ? MIN(q->limit, r->series_count) : r->series_count;
    size_t begin = out->len;
    buf_append_cstr(out, ",\"series\":[");
    for (size_t i = 0; i < count; i++) {
        const struct query_series *s = &r->series[i];
        buf_append_cstr(out, i ? ",{\"labels\":" : "{\"labels\":");
        api_encode_labels(s->labels, out);
        if (r->kind == QUERY_VECTOR && s->count)
            put_point(query_point_at(s, 0), out);
        else if (q->steps.instant)
            put_raw_series(s, out);
        else
            put_grid_series(&q->steps, s, out);
        buf_append_char(out, '}');
        if (q->limits.query_memory_bytes && out->len - begin > (size_t)q->limits.query_memory_bytes)
            return diag_set(diag, ERR_NOMEM,
                            "the answer is larger than limits.query.memory (%lld bytes)",
                            (long long)q->limits.query_memory_bytes);
    }
    buf_append_char(out, ']');
    if (count < r->series_count)
        buf_append_cstr(out, ",\"truncated\":true");
    return 0;
}

int api_put_columns(struct api_query *q, const struct query_result *r, struct buf *out,
                    struct diag *diag)
{
    const struct query_steps *s = &q->steps;
    int err = 0;
    if (q->taker)
        return q->taker->numbers(q->taker, q, r, diag);
    if (q->watcher)
        err = q->watcher->numbers(q->watcher, q, r, diag);
    if (err)
        return err;
    switch (r->kind) {
    case QUERY_SCALAR:
        buf_printf(out, ",\"kind\":\"scalar\",\"time\":%lld", (long long)ms(s->start_ns));
        put_point(r->scalar, out);
        break;
    case QUERY_STRING:
        buf_printf(out,
                   ",\"kind\":\"string\",\"time\":%lld,\"value\":", (long long)ms(s->start_ns));
        codec_json_append_string(out, r->string);
        break;
    case QUERY_VECTOR:
        buf_printf(out, ",\"kind\":\"vector\",\"time\":%lld", (long long)ms(s->start_ns));
        err = put_series(q, r, out, diag);
        break;
    case QUERY_MATRIX:
        buf_append_cstr(out, ",\"kind\":\"matrix\"");
        if (!s->instant)
            buf_printf(out, ",\"grid\":{\"start\":%lld,\"step\":%lld,\"count\":%lld}",
                       (long long)ms(s->start_ns), (long long)ms(s->step_ns),
                       (long long)((s->end_ns - s->start_ns) / s->step_ns + 1));
        err = put_series(q, r, out, diag);
        break;
    }
    put_texts("warnings", r->warnings, r->warning_count, out);
    put_texts("infos", r->infos, r->info_count, out);
    q->used = r->stats;
    return err;
}
