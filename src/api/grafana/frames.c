/* Data frames in Grafana's JSON: a schema with fields, and the columns. */
#include "api/grafana/frames.h"

#include <math.h>

#include "api/prometheus/encode.h"

static void put_number(double v, struct buf *out)
{
    if (isfinite(v))
        api_put_number(v, out);
    else
        buf_append_cstr(out, "null"); /* what it is instead is told by `entities` */
}

/* Which values of the last column are no JSON numbers; `before` columns have none such. */
static void put_entities(const struct expr_series *s, size_t before, struct buf *out)
{
    static const char *const names[] = {"NaN", "Inf", "NegInf"};
    struct buf lists[3] = {{0}};
    bool any = false, first = true;
    for (size_t i = 0; i < s->count; i++) {
        double v = s->value[i];
        if (isfinite(v) || expr_is_null(v))
            continue;
        struct buf *list = &lists[isnan(v) ? 0 : v > 0 ? 1 : 2];
        buf_printf(list, list->len ? ",%zu" : "%zu", i);
        any = true;
    }
    if (any)
        buf_append_cstr(out, before ? ",\"entities\":[null,{" : ",\"entities\":[{");
    for (int k = 0; k < 3; k++) {
        if (lists[k].len) {
            buf_printf(out, "%s\"%s\":[%s]", first ? "" : ",", names[k], buf_cstr(&lists[k]));
            first = false;
        }
        buf_deinit(&lists[k]);
    }
    buf_append_cstr(out, any ? "}]" : "");
}

static void put_meta(const struct grafana_answer *a, struct buf *out)
{
    buf_printf(out, ",\"meta\":{\"type\":\"%s\",\"typeVersion\":[0,1]",
               a->is_instant ? "numeric-multi" : "timeseries-multi");
    if (a->kind.ptr)
        buf_printf(out, ",\"custom\":{\"resultType\":\"%.*s\"}", SLICE_FMT(a->kind));
    for (size_t i = 0; i < a->notice_count; i++) {
        buf_append_cstr(out, i ? ",{\"severity\":\"warning\",\"text\":"
                               : ",\"notices\":[{\"severity\":\"warning\",\"text\":");
        codec_json_append_string(out, a->notices[i]);
        buf_append_char(out, '}');
    }
    buf_append_cstr(out, a->notice_count ? "]" : "");
    if (a->executed.ptr) {
        buf_append_cstr(out, ",\"executedQueryString\":");
        codec_json_append_string(out, a->executed);
    }
    buf_append_char(out, '}');
}

static void put_series(const struct grafana_answer *a, const struct expr_series *s, struct buf *out)
{
    buf_append_cstr(out, "{\"schema\":{\"refId\":");
    codec_json_append_string(out, a->ref_id);
    put_meta(a, out);
    buf_append_cstr(out, ",\"fields\":[");
    if (s->ts_ns) {
        buf_append_cstr(out, "{\"name\":\"Time\",\"type\":\"time\",\"typeInfo\":{\"frame\":"
                             "\"time.Time\"},\"config\":{");
        if (a->interval_ns)
            buf_printf(out, "\"interval\":%lld", (long long)(a->interval_ns / NS_PER_MS));
        buf_append_cstr(out, "}},");
    }
    buf_append_cstr(out, "{\"name\":");
    codec_json_append_string(out, a->kind.ptr ? SLICE("Value") : a->ref_id);
    buf_append_cstr(out, ",\"type\":\"number\",\"typeInfo\":{\"frame\":\"float64\"");
    buf_append_cstr(out, a->kind.ptr ? "},\"labels\":" : ",\"nullable\":true},\"labels\":");
    api_encode_labels(s->labels, out);
    buf_append_cstr(out, ",\"config\":{");
    if (s->name.ptr) {
        buf_append_cstr(out, "\"displayNameFromDS\":");
        codec_json_append_string(out, s->name);
    }
    buf_append_cstr(out, "}}]},\"data\":{\"values\":[");
    for (size_t i = 0; s->ts_ns && i < s->count; i++)
        buf_printf(out, i ? ",%lld" : "[%lld", (long long)(s->ts_ns[i] / NS_PER_MS));
    buf_append_cstr(out, !s->ts_ns ? "[" : s->count ? "],[" : "[],[");
    for (size_t i = 0; i < s->count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_number(s->value[i], out);
    }
    buf_append_cstr(out, "]]");
    put_entities(s, s->ts_ns != NULL, out);
    buf_append_cstr(out, "}}");
}

void grafana__put_answer(const struct grafana_answer *a, struct buf *out)
{
    if (!a->set.is_numbers) {
        buf_append_slice(out, a->frames);
        return;
    }
    for (size_t i = 0; i < a->set.count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_series(a, &a->set.series[i], out);
    }
}

/* --- frames of other columns --- */

void grafana__frame_begin(struct grafana_frame_writer *f, struct slice ref_id, const char *meta,
                          struct buf *out)
{
    *f = (struct grafana_frame_writer){.out = out};
    buf_append_cstr(out, "{\"schema\":{\"refId\":");
    codec_json_append_string(out, ref_id);
    buf_printf(out, ",\"meta\":%s,\"fields\":[", meta);
}

void grafana__frame_field(struct grafana_frame_writer *f, const char *name, const char *type,
                          const char *frame_type, const char *config)
{
    buf_printf(f->out,
               "%s{\"name\":\"%s\",\"type\":\"%s\",\"typeInfo\":{\"frame\":\"%s\"},\"config\":%s}",
               f->any ? "," : "", name, type, frame_type, config ? config : "{}");
    f->any = true;
}

void grafana__frame_data(struct grafana_frame_writer *f)
{
    buf_append_cstr(f->out, "]},\"data\":{\"values\":[");
    f->any = false;
}

void grafana__frame_column(struct grafana_frame_writer *f)
{
    buf_append_cstr(f->out, f->out->ptr[f->out->len - 1] == ']' ? ",[" : "[");
    f->any = false;
}

void grafana__frame_next(struct grafana_frame_writer *f)
{
    buf_append_cstr(f->out, f->any ? "," : "");
    f->any = true;
}

void grafana__frame_column_end(struct grafana_frame_writer *f)
{
    buf_append_char(f->out, ']');
}

void grafana__frame_end(struct grafana_frame_writer *f)
{
    buf_append_cstr(f->out, "]}}");
}
