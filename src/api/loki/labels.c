/* labels, label values, series. */
#include <stdlib.h>

#include "api/loki/door_priv.h"
#include "api/loki/protobuf.h"
#include "api/prometheus/encode.h"
#include "base/map.h"

#define METADATA_SINCE (6 * 3600 * NS_PER_SEC)

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted and distinct. */
static size_t tidy(struct slice *items, size_t count)
{
    size_t n = 0;
    if (count)
        qsort(items, count, sizeof(*items), by_text);
    for (size_t i = 0; i < count; i++) {
        if (!n || !slice_eq(items[n - 1], items[i]))
            items[n++] = items[i];
    }
    return n;
}

static void put_texts(struct api_job *job, const struct slice *items, size_t count)
{
    struct codec_json_writer w;
    bool legacy = ((const struct loki__scope *)job->state)->legacy;
    if (((const struct loki__scope *)job->state)->protobuf) {
        job->content_type = LOKI__PROTOBUF_TYPE;
        loki__pb_texts(items, count, &job->out);
        return;
    }
    if (legacy) {
        codec_json_init(&w, &job->out);
        codec_json_begin_object(&w);
        codec_json_key(&w, SLICE("values"));
    } else {
        api__begin(&w, &job->out);
    }
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        codec_json_string(&w, items[i]);
    codec_json_end_array(&w);
    codec_json_end_object(&w);
}

static void labels_work(struct api_job *job)
{
    struct loki__scope *s = job->state;
    struct store_event_source *src = job->logs;
    struct store_event_select select;
    struct slice *names = NULL;
    size_t count = 0;
    bool cut;
    struct diag diag;
    diag_init(&diag);
    if (!loki__scope_select(job, s, false, &select))
        return;
    int err = src->ops->label_names(src, &select, 0, job->arena, &names, &count, &cut, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = loki__label_name(job->arena, names[i]);
    put_texts(job, names, tidy(names, count));
}

struct values_state {
    struct loki__scope scope;
    struct slice name;
};

static void values_work(struct api_job *job)
{
    struct values_state *st = job->state;
    struct store_event_source *src = job->logs;
    struct store_event_select select;
    struct slice *values = NULL;
    size_t count = 0;
    bool cut;
    struct diag diag;
    diag_init(&diag);
    if (!loki__scope_select(job, &st->scope, false, &select))
        return;
    int err =
        src->ops->label_values(src, st->name, &select, 0, job->arena, &values, &count, &cut, &diag);
    if (err)
        api__plain_job_fail(job, err, &diag);
    else
        put_texts(job, values, tidy(values, count));
}

static void start_labels(struct api_call *call, bool legacy)
{
    struct loki__scope *s = ARENA_NEW(net_request_arena(call->req), struct loki__scope);
    struct api_job *job;
    s->legacy = legacy;
    if (!loki__form_read(call->req, &s->protobuf) || !loki__scope_read(call, METADATA_SINCE, s) ||
        !(job = loki__job_new(call, labels_work)))
        return;
    job->state = s;
    job->cleanup = loki__scope_cleanup;
    api_job_start(job, false);
}

static void start_values(struct api_call *call, bool legacy)
{
    struct values_state *st = ARENA_NEW(net_request_arena(call->req), struct values_state);
    struct api_job *job;
    st->scope.legacy = legacy;
    st->name = call->args[0];
    if (!loki__form_read(call->req, &st->scope.protobuf) ||
        !loki__scope_read(call, METADATA_SINCE, &st->scope) ||
        !(job = loki__job_new(call, values_work)))
        return;
    job->state = st;
    job->cleanup = loki__scope_cleanup;
    api_job_start(job, false);
}

void loki__labels(struct api_call *call)
{
    start_labels(call, false);
}

void loki__labels_legacy(struct api_call *call)
{
    start_labels(call, true);
}

void loki__label_values(struct api_call *call)
{
    start_values(call, false);
}

void loki__label_values_legacy(struct api_call *call)
{
    start_values(call, true);
}

/* --- series --- */

struct series_state {
    int64_t start_ns, end_ns;
    struct slice *match;
    size_t match_count;
    struct logql_expr **exprs;
    VEC(struct data_labels) found;
    size_t at;
    bool protobuf;
};

static void series_cleanup(struct api_job *job)
{
    struct series_state *st = job->state;
    for (size_t i = 0; st->exprs && i < MAX(st->match_count, (size_t)1); i++)
        logql_expr_free(st->exprs[i]);
    vec_free(&st->found);
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(*(const struct data_labels *)a, *(const struct data_labels *)b);
}

static int find_streams(struct api_job *job, struct slice match, struct logql_expr **expr,
                        struct diag *diag)
{
    struct series_state *st = job->state;
    struct store_event_select select = {.tenant = job->tenant,
                                        .t_min_ns = st->start_ns,
                                        .t_max_ns = st->end_ns,
                                        .limits = loki__limits(job)};
    struct store_event_stream *streams;
    size_t count;
    int err = logql_parse_selector(match, true, job->call_arena, expr, diag);
    if (err)
        return err;
    select.matchers = logql_matchers(*expr, &select.matcher_count);
    err = job->logs->ops->streams(job->logs, &select, job->arena, &streams, &count, diag);
    for (size_t i = 0; i < count && !err; i++) {
        struct data_label *items = arena_dup(job->arena, streams[i].labels.items,
                                             streams[i].labels.count * sizeof(*items));
        for (size_t k = 0; items && k < streams[i].labels.count; k++)
            items[k].name = loki__label_name(job->arena, items[k].name);
        if (items)
            vec_push(&st->found, ((struct data_labels){items, streams[i].labels.count}));
    }
    return err;
}

static bool produce_series(struct api_job *job)
{
    struct series_state *st = job->state;
    while (st->at && st->at < st->found.len &&
           data_labels_eq(st->found.items[st->at], st->found.items[st->at - 1]))
        st->at++;
    if (st->at >= st->found.len) {
        buf_append_cstr(&job->out, "]}");
        return true;
    }
    buf_append_cstr(&job->out, st->at ? "," : "");
    api_encode_labels(st->found.items[st->at++], &job->out);
    return false;
}

static void series_work(struct api_job *job)
{
    struct series_state *st = job->state;
    struct diag diag;
    size_t count = MAX(st->match_count, (size_t)1);
    diag_init(&diag);
    st->exprs = ARENA_ARRAY(job->call_arena, struct logql_expr *, count);
    for (size_t i = 0; i < count; i++) {
        int err =
            find_streams(job, st->match_count ? st->match[i] : SLICE("{}"), &st->exprs[i], &diag);
        if (err == ERR_INVALID)
            loki__job_parse_error(job, &diag);
        else if (err)
            api__plain_job_fail(job, err, &diag);
        if (err)
            return;
    }
    if (st->found.len)
        qsort(st->found.items, st->found.len, sizeof(*st->found.items), by_labels);
    if (st->protobuf) {
        job->content_type = LOKI__PROTOBUF_TYPE;
        loki__pb_series(st->found.items, st->found.len, &job->out);
        return;
    }
    buf_append_cstr(&job->out, "{\"status\":\"success\",\"data\":[");
    job->produce = produce_series;
}

void loki__series(struct api_call *call)
{
    struct arena *arena = net_request_arena(call->req);
    struct series_state *st = ARENA_NEW(arena, struct series_state);
    VEC(struct slice) match = {0};
    struct slice one;
    struct diag diag;
    diag_init(&diag);
    if (loki__param_range(call, METADATA_SINCE, &st->start_ns, &st->end_ns, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    if (!loki__form_read(call->req, &st->protobuf))
        return;
    static const char *const names[] = {"match[]", "match"};
    for (size_t k = 0; k < ARRAY_LEN(names); k++) {
        for (size_t i = 0; (one = net_request_param_at(call->req, names[k], i)).ptr; i++) {
            if (one.len)
                vec_push(&match, one);
        }
    }
    st->match_count = match.len;
    st->match = arena_dup(arena, match.items, match.len * sizeof(*match.items));
    vec_free(&match);
    struct api_job *job = loki__job_new(call, series_work);
    if (!job)
        return;
    job->state = st;
    job->cleanup = series_cleanup;
    api_job_start(job, false);
}
