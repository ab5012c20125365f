/* Graphite's targets as a language of the multiplexed endpoint: series as columns, with the name
 * that is shown beside their tags. */
#include <math.h>

#include "api/graphite/door_priv.h"
#include "api/query_multi.h"

static int bad(struct api_query *q, enum api_error kind)
{
    q->error = kind;
    q->has_error = true;
    return ERR_INVALID;
}

/* What render would be asked for: the range, and as many points as there are steps. */
static void request_of(struct api_query *q, struct graphite_request *req)
{
    *req = (struct graphite_request){.source = q->api->source,
                                     .tenant = q->tenant,
                                     .index = q->api->graphite,
                                     .start_s = q->from_ns / NS_PER_SEC,
                                     .end_s = q->to_ns / NS_PER_SEC,
                                     .now_s = graphite_api__now_s(q->api),
                                     .xff = __builtin_nan(""),
                                     .series_max = q->limits.query_series,
                                     .points_max = q->limits.query_samples,
                                     .memory = q->env.memory,
                                     .cancelled = q->env.cancelled,
                                     .deadline_ns = q->env.deadline_ns,
                                     .events = graphite_api__event_times,
                                     .events_ctx = q->api};
}

static void put_labels(const struct graphite_series *s, struct buf *out)
{
    buf_append_cstr(out, "{\"name\":");
    codec_json_append_string(out, s->name);
    buf_append_cstr(out, ",\"labels\":{");
    for (size_t i = 0; i < s->tag_count; i++) {
        buf_append_cstr(out, i ? "," : "");
        codec_json_append_string(out, s->tags[i].name);
        buf_append_char(out, ':');
        codec_json_append_string(out, s->tags[i].value);
    }
    buf_append_char(out, '}');
}

static void put_value(double v, struct buf *out)
{
    if (v != v)
        buf_append_cstr(out, "null");
    else
        api_put_number(v, out);
}

static void put_matrix(const struct graphite_series *s, bool on_grid, struct buf *out)
{
    buf_append_cstr(out, on_grid ? ",\"first\":0" : ",\"times\":[");
    for (size_t i = 0; !on_grid && i < s->count; i++)
        buf_printf(out, i ? ",%lld" : "%lld", (long long)(s->start + (int64_t)i * s->step) * 1000);
    buf_append_cstr(out, on_grid ? ",\"values\":[" : "],\"values\":[");
    for (size_t i = 0; i < s->count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_value(s->values[i], out);
    }
    buf_append_char(out, ']');
}

/* The last value that is there. */
static void put_last(const struct graphite_series *s, struct buf *out)
{
    size_t i = s->count;
    while (i && s->values[i - 1] != s->values[i - 1])
        i--;
    buf_append_cstr(out, ",\"value\":");
    put_value(i ? s->values[i - 1] : (double)NAN, out);
}

/* Series of one step and start share a grid; else each has its times. */
static int put_answer(struct api_query *q, const struct graphite_list *l, struct buf *out,
                      struct diag *diag)
{
    size_t count = q->limit ? MIN(q->limit, l->len) : l->len, longest = 0, begin = out->len;
    const struct graphite_series *first = count ? l->items[0] : NULL;
    bool on_grid = true;
    for (size_t i = 0; i < count; i++) {
        on_grid &= l->items[i]->start == first->start && l->items[i]->step == first->step;
        longest = MAX(longest, l->items[i]->count);
        q->used.samples_read += l->items[i]->count;
    }
    q->used.series_selected = l->len;
    if (q->steps.instant)
        buf_printf(out, ",\"kind\":\"vector\",\"time\":%lld", (long long)(q->to_ns / NS_PER_MS));
    else
        buf_append_cstr(out, ",\"kind\":\"matrix\"");
    if (!q->steps.instant && on_grid && first)
        buf_printf(out, ",\"grid\":{\"start\":%lld,\"step\":%lld,\"count\":%zu}",
                   (long long)first->start * 1000, (long long)first->step * 1000, longest);
    buf_append_cstr(out, ",\"series\":[");
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_labels(l->items[i], out);
        if (q->steps.instant)
            put_last(l->items[i], out);
        else
            put_matrix(l->items[i], on_grid, out);
        buf_append_char(out, '}');
        if (q->limits.query_memory_bytes && out->len - begin > (size_t)q->limits.query_memory_bytes)
            return diag_set(diag, ERR_NOMEM,
                            "the answer is larger than limits.query.memory (%lld bytes)",
                            (long long)q->limits.query_memory_bytes);
    }
    buf_append_cstr(out, count < l->len ? "],\"truncated\":true" : "]");
    return 0;
}

/* The series of the target, consolidated to the steps. *out lives until graphite_run_free(*run). */
static int eval(struct api_query *q, struct graphite_run **run, struct graphite_list *out,
                struct diag *diag)
{
    struct graphite_request *req = ARENA_NEW(q->plan_arena, struct graphite_request);
    struct graphite_schemas *schemas = graphite_api__schemas(q->api);
    int64_t step_ns = q->steps.instant ? 0 : q->steps.step_ns;
    *run = NULL;
    request_of(q, req);
    req->schemas = schemas;
    if (req->start_s >= req->end_s) { /* an instant: what was there just before */
        req->start_s = req->end_s - q->limits.lookback_ns / NS_PER_SEC;
        q->from_ns = req->start_s * NS_PER_SEC;
    }
    int err = graphite_index_refresh(req->index, req->source, q->tenant, q->env.cancelled, diag);
    if (!err)
        err = graphite_run_targets(req, &q->text, 1, run, out, diag);
    int64_t start = INT64_MAX, end = INT64_MIN;
    for (size_t i = 0; !err && i < out->len; i++) {
        start = MIN(start, out->items[i]->start);
        end = MAX(end, out->items[i]->end);
    }
    for (size_t i = 0; !err && step_ns && i < out->len; i++) {
        /* A list may have the same series twice. */
        out->items[i] = arena_dup(q->plan_arena, out->items[i], sizeof(*out->items[i]));
        graphite_consolidate(out->items[i], start, end,
                             MAX((q->to_ns - q->from_ns) / step_ns, (int64_t)1), q->arena);
    }
    graphite_schemas_unref(schemas);
    if (err == ERR_INVALID)
        return bad(q, API_BAD_DATA);
    return err;
}

static int run(struct api_query *q, struct buf *out, struct diag *diag)
{
    struct graphite_run *run = NULL;
    struct graphite_list list = {0};
    if (q->explain) {
        diag_set(diag, ERR_INVALID, "Graphite's functions have no plan to show");
        return bad(q, API_BAD_DATA);
    }
    int err = eval(q, &run, &list, diag);
    if (!err && q->watcher)
        err = q->watcher->targets(q->watcher, q, &list, diag);
    if (!err)
        err = q->taker ? q->taker->targets(q->taker, q, &list, diag)
                       : put_answer(q, &list, out, diag);
    graphite_run_free(run);
    return err;
}

const struct api_language api_language_graphite = {"graphite", "graphite", run};
