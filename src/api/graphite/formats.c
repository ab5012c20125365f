/* What render answers, format by format. */
#include <math.h>

#include "api/graphite/door_priv.h"
#include "codec/bytes.h"
#include "codec/pb.h"
#include "text/go_time.h"

static const char *const formats[] = {"json",     "csv",     "raw",    "dygraph",
                                      "rickshaw", "msgpack", "pickle", "protobuf"};

bool graphite_api__format_known(struct slice format)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (slice_eq_cstr(format, formats[i]))
            return true;
    }
    return false;
}

/* Infinities as numbers that read as such: JSON has none. */
static void put_value(struct buf *out, double v)
{
    if (isnan(v))
        buf_append_cstr(out, "null");
    else if (isinf(v))
        buf_append_cstr(out, v > 0 ? "1e9999" : "-1e9999");
    else
        graphite_append_double(out, v);
}

static void json_one(struct buf *out, const struct graphite_series *s, bool no_nulls)
{
    bool first = true;
    buf_append_cstr(out, "{\"target\": ");
    codec_json_append_string(out, s->name);
    buf_append_cstr(out, ", \"tags\": {");
    for (size_t i = 0; i < s->tag_count; i++) {
        if (i)
            buf_append_cstr(out, ", ");
        codec_json_append_string(out, s->tags[i].name);
        buf_append_cstr(out, ": ");
        codec_json_append_string(out, s->tags[i].value);
    }
    buf_append_cstr(out, "}, \"datapoints\": [");
    for (size_t i = 0; i < s->count; i++) {
        int64_t t = s->start + (int64_t)i * s->step;
        if (t > s->end && s->count > 1) /* times end with the window */
            break;
        if (no_nulls && isnan(s->values[i]))
            continue;
        buf_append_cstr(out, first ? "[" : ", [");
        first = false;
        put_value(out, s->values[i]);
        buf_append_cstr(out, ", ");
        codec_append_int(out, t);
        buf_append_char(out, ']');
    }
    buf_append_cstr(out, "]}");
}

static bool has_values(const struct graphite_series *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->values[i]))
            return true;
    }
    return false;
}

static void put_json(struct api_job *job, const struct graphite_api__render *r,
                     const struct graphite_list *l)
{
    int64_t start = INT64_MAX, end = INT64_MIN;
    bool first = true;
    for (size_t i = 0; i < l->len; i++) {
        start = MIN(start, l->items[i]->start);
        end = MAX(end, l->items[i]->end);
    }
    buf_append_char(&job->out, '[');
    for (size_t i = 0; i < l->len; i++) {
        struct graphite_series s = *l->items[i];
        if (r->points)
            graphite_consolidate(&s, start, end, r->points, job->arena);
        if (r->no_nulls && !has_values(&s))
            continue;
        if (!first)
            buf_append_cstr(&job->out, ", ");
        first = false;
        json_one(&job->out, &s, r->no_nulls);
    }
    buf_append_char(&job->out, ']');
}

static void csv_text(struct buf *out, struct slice s)
{
    bool quote = false;
    for (size_t i = 0; i < s.len && !quote; i++)
        quote = strchr(",\"\r\n", s.ptr[i]) != NULL;
    if (!quote) {
        buf_append_slice(out, s);
        return;
    }
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            buf_append_char(out, '"');
        buf_append_char(out, s.ptr[i]);
    }
    buf_append_char(out, '"');
}

static void put_csv(struct api_job *job, const struct graphite_api__render *r,
                    const struct graphite_list *l)
{
    job->content_type = "text/csv";
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        for (size_t k = 0; k < s->count; k++) {
            int64_t at = s->start + (int64_t)k * s->step;
            struct text_go_time t = {at * NS_PER_SEC, text_zone_at(r->req.zone, at).offset_s};
            csv_text(&job->out, s->name);
            buf_append_char(&job->out, ',');
            text_go_time_format(t, SLICE("2006-01-02 15:04:05"), &job->out);
            buf_append_char(&job->out, ',');
            if (!isnan(s->values[k]))
                graphite_append_double(&job->out, s->values[k]);
            buf_append_cstr(&job->out, "\r\n");
        }
    }
}

static void put_raw(struct api_job *job, const struct graphite_list *l)
{
    job->content_type = "text/plain";
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        buf_printf(&job->out, "%.*s,%lld,%lld,%lld|", SLICE_FMT(s->name), (long long)s->start,
                   (long long)s->end, (long long)s->step);
        for (size_t k = 0; k < s->count; k++) {
            if (k)
                buf_append_char(&job->out, ',');
            graphite_append_double(&job->out, s->values[k]);
        }
        buf_append_char(&job->out, '\n');
    }
}

static void put_dygraph(struct api_job *job, const struct graphite_list *l)
{
    struct buf *out = &job->out;
    if (!l->len) {
        buf_append_cstr(out, "{}");
        return;
    }
    const struct graphite_series *first = l->items[0];
    buf_append_cstr(out, "{\"labels\" : [\"Time\"");
    for (size_t i = 0; i < l->len; i++) {
        buf_append_cstr(out, ", ");
        codec_json_append_string(out, l->items[i]->name);
    }
    buf_append_cstr(out, "], \"data\" : [");
    for (size_t k = 0; k < first->count; k++) {
        buf_printf(out, "%s[%lld000", k ? ", " : "",
                   (long long)(first->start + (int64_t)k * first->step));
        for (size_t i = 0; i < l->len; i++) {
            const struct graphite_series *s = l->items[i];
            double v = k < s->count ? s->values[k] : (double)NAN;
            buf_append_cstr(out, ", ");
            if (isinf(v)) /* as dygraphs takes it */
                buf_append_cstr(out, v > 0 ? "Infinity" : "-Infinity");
            else
                put_value(out, v);
        }
        buf_append_char(out, ']');
    }
    buf_append_cstr(out, "]}");
}

static void put_rickshaw(struct api_job *job, const struct graphite_list *l)
{
    struct buf *out = &job->out;
    buf_append_char(out, '[');
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        buf_append_cstr(out, i ? ", {\"target\": " : "{\"target\": ");
        codec_json_append_string(out, s->name);
        buf_append_cstr(out, ", \"datapoints\": [");
        for (size_t k = 0; k < s->count; k++) {
            buf_printf(out, "%s{\"x\": %lld, \"y\": ", k ? ", " : "",
                       (long long)(s->start + (int64_t)k * s->step));
            put_value(out, s->values[k]);
            buf_append_char(out, '}');
        }
        buf_append_cstr(out, "]}");
    }
    buf_append_char(out, ']');
}

static void put_packed(struct api_job *job, enum graphite_api__pack p,
                       const struct graphite_list *l)
{
    struct buf *out = &job->out;
    job->content_type = p == GRAPHITE_API__PICKLE ? "application/pickle" : "application/x-msgpack";
    graphite_api__pack_begin(p, out);
    graphite_api__pack_list(p, out, l->len);
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        graphite_api__pack_map(p, out, 9);
        graphite_api__pack_text(p, out, SLICE("name"));
        graphite_api__pack_text(p, out, s->name);
        graphite_api__pack_text(p, out, SLICE("start"));
        graphite_api__pack_int(p, out, s->start);
        graphite_api__pack_text(p, out, SLICE("end"));
        graphite_api__pack_int(p, out, s->end);
        graphite_api__pack_text(p, out, SLICE("step"));
        graphite_api__pack_int(p, out, s->step);
        graphite_api__pack_text(p, out, SLICE("values"));
        graphite_api__pack_list(p, out, s->count);
        for (size_t k = 0; k < s->count; k++)
            graphite_api__pack_double(p, out, s->values[k]);
        graphite_api__pack_list_end(p, out);
        graphite_api__pack_text(p, out, SLICE("pathExpression"));
        graphite_api__pack_text(p, out, s->path);
        graphite_api__pack_text(p, out, SLICE("valuesPerPoint"));
        graphite_api__pack_int(p, out, 1);
        graphite_api__pack_text(p, out, SLICE("consolidationFunc"));
        graphite_api__pack_text(p, out, slice_cstr(graphite_agg_name(s->consolidation)));
        graphite_api__pack_text(p, out, SLICE("xFilesFactor"));
        graphite_api__pack_double(p, out, isnan(s->xff) ? 0 : s->xff);
        graphite_api__pack_map_end(p, out);
    }
    graphite_api__pack_list_end(p, out);
    graphite_api__pack_end(p, out);
}

/* carbonapi_v3_pb's MultiFetchResponse: metrics = 1 of { name 1, pathExpression 2,
 * consolidationFunc 3, startTime 4, stopTime 5, stepTime 6, xFilesFactor 7 (float), values 9
 * (packed doubles), requestStartTime 11, requestStopTime 12 }. */
static void put_protobuf(struct api_job *job, const struct graphite_api__render *r,
                         const struct graphite_list *l)
{
    struct buf *out = &job->out;
    job->content_type = "application/x-protobuf";
    for (size_t i = 0; i < l->len; i++) {
        const struct graphite_series *s = l->items[i];
        size_t metric = codec_pb_begin(out, 1);
        codec_pb_put_bytes(out, 1, s->name);
        codec_pb_put_bytes(out, 2, s->path);
        codec_pb_put_bytes(out, 3, slice_cstr(graphite_agg_name(s->consolidation)));
        codec_pb_put_varint(out, 4, (uint64_t)s->start);
        codec_pb_put_varint(out, 5, (uint64_t)s->end);
        codec_pb_put_varint(out, 6, (uint64_t)s->step);
        size_t values = codec_pb_begin(out, 9);
        for (size_t k = 0; k < s->count; k++)
            codec_append64(out, codec_double_bits(s->values[k]));
        codec_pb_end(out, values);
        codec_pb_put_varint(out, 11, (uint64_t)r->req.start_s);
        codec_pb_put_varint(out, 12, (uint64_t)r->req.end_s);
        codec_pb_end(out, metric);
    }
}

void graphite_api__format(struct api_job *job, const struct graphite_api__render *r,
                          const struct graphite_list *l)
{
    struct slice f = r->format;
    if (slice_eq(f, SLICE("csv")))
        put_csv(job, r, l);
    else if (slice_eq(f, SLICE("raw")))
        put_raw(job, l);
    else if (slice_eq(f, SLICE("msgpack")))
        put_packed(job, GRAPHITE_API__MSGPACK, l);
    else if (slice_eq(f, SLICE("pickle")))
        put_packed(job, GRAPHITE_API__PICKLE, l);
    else if (slice_eq(f, SLICE("protobuf")))
        put_protobuf(job, r, l);
    else {
        if (slice_eq(f, SLICE("dygraph")))
            put_dygraph(job, l);
        else if (slice_eq(f, SLICE("rickshaw")))
            put_rickshaw(job, l);
        else
            put_json(job, r, l);
        graphite_api__jsonp(job, r->jsonp);
    }
}
