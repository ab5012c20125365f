#include "api/grafana/ds_take.h"

#include "api/expr_take.h"
#include "api/prometheus/encode.h"
#include "base/hash.h"
#include "codec/hex.h"
#include "lang/logql/run.h"
#include "lang/traceql/run.h"

static struct grafana_taker *of(struct api_query_taker *face)
{
    return BASE_CONTAINER_OF(face, struct grafana_taker, face);
}

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the answer is larger than limits.query.memory");
}

/* --- numbers --- */

/* "{{job}} of {{instance}}" filled from the labels. */
static void put_legend(struct slice legend, struct data_labels labels, struct buf *out)
{
    while (legend.len) {
        ptrdiff_t at = slice_find(legend, SLICE("{{"));
        ptrdiff_t end = at < 0 ? -1 : slice_find(slice_from(legend, (size_t)at), SLICE("}}"));
        if (at < 0 || end < 0) {
            buf_append_slice(out, legend);
            return;
        }
        buf_append(out, legend.ptr, (size_t)at);
        struct slice name = slice_trim(slice_make(legend.ptr + at + 2, (size_t)end - 2));
        buf_append_slice(out, data_labels_get(labels, name));
        legend = slice_from(legend, (size_t)(at + end + 2));
    }
}

/* The series gets the name that is shown. */
static void name_it(struct grafana_taker *t, struct expr_series *s)
{
    struct buf name = {0};
    if (!t->target->legend.len || slice_eq_cstr(t->target->legend, "__auto"))
        return;
    put_legend(t->target->legend, s->labels, &name);
    s->name = arena_slice(t->arena, buf_slice(&name));
    buf_deinit(&name);
}

static void add_notices(struct grafana_taker *t, const struct query_result *r)
{
    t->out->notices = ARENA_ARRAY(t->arena, struct slice, r->warning_count + 1);
    for (size_t i = 0; t->out->notices && i < r->warning_count; i++)
        t->out->notices[t->out->notice_count++] = arena_slice(t->arena, r->warnings[i]);
}

static int take_numbers(struct api_query_taker *face, const struct api_query *q,
                        const struct query_result *r, struct diag *diag)
{
    static const char *const kinds[] = {[QUERY_SCALAR] = "scalar",
                                        [QUERY_STRING] = "string",
                                        [QUERY_VECTOR] = "vector",
                                        [QUERY_MATRIX] = "matrix"};
    struct grafana_taker *t = of(face);
    t->out->kind = slice_cstr(kinds[r->kind]);
    add_notices(t, r);
    int err = api_expr_take(q, r, t->arena, &t->out->set, diag);
    for (size_t i = 0; i < t->out->set.count && !err; i++)
        name_it(t, &t->out->set.series[i]);
    return err;
}

static int take_targets(struct api_query_taker *face, const struct api_query *q,
                        const struct graphite_list *list, struct diag *diag)
{
    struct grafana_taker *t = of(face);
    t->out->kind = SLICE("matrix");
    return api_expr_take_targets(q, list, t->arena, &t->out->set, diag);
}

/* --- lines and traces --- */

static int keep_frames(struct grafana_taker *t, struct buf *frame, struct diag *diag)
{
    t->out->frames = arena_slice(t->arena, buf_slice(frame));
    buf_deinit(frame);
    return t->out->frames.ptr ? 0 : no_memory(diag);
}

/* For each line of all streams. */
static void each_line(const struct logql_streams *r, struct grafana_frame_writer *f,
                      void (*put)(const struct logql_stream *s, const struct logql_entry *e,
                                  struct buf *out))
{
    grafana__frame_column(f);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->streams[i].count; k++) {
            grafana__frame_next(f);
            put(&r->streams[i], &r->streams[i].entries[k], f->out);
        }
    }
    grafana__frame_column_end(f);
}

static void put_line_labels(const struct logql_stream *s, const struct logql_entry *e,
                            struct buf *out)
{
    (void)e;
    api_encode_labels(s->labels, out);
}

static void put_line_time(const struct logql_stream *s, const struct logql_entry *e,
                          struct buf *out)
{
    (void)s;
    buf_printf(out, "%lld", (long long)(e->ts_ns / NS_PER_MS));
}

static void put_line_text(const struct logql_stream *s, const struct logql_entry *e,
                          struct buf *out)
{
    (void)s;
    codec_json_append_string(out, e->line);
}

static void put_line_ns(const struct logql_stream *s, const struct logql_entry *e, struct buf *out)
{
    (void)s;
    buf_printf(out, "\"%lld\"", (long long)e->ts_ns);
}

/* The same for the same time, labels and line. */
static void put_line_id(const struct logql_stream *s, const struct logql_entry *e, struct buf *out)
{
    struct buf labels = {0};
    data_labels_encode(s->labels, &labels);
    buf_printf(out, "\"%lld_%08x\"", (long long)e->ts_ns,
               (unsigned)hash64(e->line.ptr, e->line.len, hash64(labels.ptr, labels.len, 0)));
    buf_deinit(&labels);
}

static int take_lines(struct api_query_taker *face, const struct api_query *q,
                      const struct logql_streams *r, struct diag *diag)
{
    struct grafana_taker *t = of(face);
    struct grafana_frame_writer f;
    struct buf frame = {0}, meta = {0};
    (void)q;
    buf_append_cstr(&meta, "{\"typeVersion\":[0,0],\"preferredVisualisationType\":\"logs\","
                           "\"custom\":{\"frameType\":\"LabeledTimeValues\"},"
                           "\"executedQueryString\":");
    codec_json_append_string(&meta, t->out->executed);
    buf_append_char(&meta, '}');
    grafana__frame_begin(&f, t->target->ref_id, buf_cstr(&meta), &frame);
    grafana__frame_field(&f, "labels", "other", "json.RawMessage", NULL);
    grafana__frame_field(&f, "Time", "time", "time.Time", NULL);
    grafana__frame_field(&f, "Line", "string", "string", NULL);
    grafana__frame_field(&f, "tsNs", "string", "string", NULL);
    grafana__frame_field(&f, "id", "string", "string", NULL);
    grafana__frame_data(&f);
    each_line(r, &f, put_line_labels);
    each_line(r, &f, put_line_time);
    each_line(r, &f, put_line_text);
    each_line(r, &f, put_line_ns);
    each_line(r, &f, put_line_id);
    grafana__frame_end(&f);
    buf_deinit(&meta);
    return keep_frames(t, &frame, diag);
}

static void each_trace(const struct traceql_result *r, struct grafana_frame_writer *f,
                       void (*put)(const struct traceql_found *x, struct buf *out))
{
    grafana__frame_column(f);
    for (size_t i = 0; i < r->count; i++) {
        grafana__frame_next(f);
        put(&r->traces[i], f->out);
    }
    grafana__frame_column_end(f);
}

static void put_trace_id(const struct traceql_found *x, struct buf *out)
{
    buf_append_char(out, '"');
    codec_append_hex(out, slice_make(x->id, sizeof(x->id)));
    buf_append_char(out, '"');
}

static void put_trace_start(const struct traceql_found *x, struct buf *out)
{
    buf_printf(out, "%lld", (long long)(x->start_ns / NS_PER_MS));
}

static void put_trace_service(const struct traceql_found *x, struct buf *out)
{
    codec_json_append_string(out, x->root_service.ptr ? x->root_service : SLICE(""));
}

static void put_trace_name(const struct traceql_found *x, struct buf *out)
{
    codec_json_append_string(out, x->root_name.ptr ? x->root_name
                                                   : SLICE("<root span not yet received>"));
}

static void put_trace_duration(const struct traceql_found *x, struct buf *out)
{
    api_put_number((double)x->duration_ns / (double)NS_PER_MS, out);
}

static int take_traces(struct api_query_taker *face, const struct api_query *q,
                       const struct traceql_result *r, struct diag *diag)
{
    struct grafana_taker *t = of(face);
    struct grafana_frame_writer f;
    struct buf frame = {0};
    (void)q;
    grafana__frame_begin(&f, t->target->ref_id, "{\"preferredVisualisationType\":\"table\"}",
                         &frame);
    grafana__frame_field(&f, "traceID", "string", "string",
                         "{\"displayNameFromDS\":\"Trace ID\",\"unit\":\"string\"}");
    grafana__frame_field(&f, "startTime", "time", "time.Time",
                         "{\"displayNameFromDS\":\"Start time\"}");
    grafana__frame_field(&f, "traceService", "string", "string",
                         "{\"displayNameFromDS\":\"Service\"}");
    grafana__frame_field(&f, "traceName", "string", "string", "{\"displayNameFromDS\":\"Name\"}");
    grafana__frame_field(&f, "traceDuration", "number", "float64",
                         "{\"displayNameFromDS\":\"Duration\",\"unit\":\"ms\"}");
    grafana__frame_data(&f);
    each_trace(r, &f, put_trace_id);
    each_trace(r, &f, put_trace_start);
    each_trace(r, &f, put_trace_service);
    each_trace(r, &f, put_trace_name);
    each_trace(r, &f, put_trace_duration);
    grafana__frame_end(&f);
    return keep_frames(t, &frame, diag);
}

void grafana__taker_init(struct grafana_taker *t, const struct grafana_target *target,
                         struct arena *arena, struct grafana_answer *out)
{
    *t = (struct grafana_taker){.face = {.numbers = take_numbers,
                                         .lines = take_lines,
                                         .traces = take_traces,
                                         .targets = take_targets},
                                .target = target,
                                .arena = arena,
                                .out = out};
}
