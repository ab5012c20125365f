/* /events: kept as annotations of the catalogue, so that Grafana's dashboards show them too, and
 * annotations made there are events here. `what` is the text, `data` is kept as JSON. */
#include <stdlib.h>

#include "api/graphite/door_priv.h"
#include "codec/json_dom.h"
#include "codec/json_read.h"
#include "codec/number.h"
#include "text/duration.h"

struct events {
    struct slice body, jsonp;
    int64_t from_s, until_s, id, now_s;
    struct slice *tags;
    size_t tag_count;
    bool all_of;
};

static bool catalog(struct api_job *job)
{
    struct diag diag;
    if (job->api->catalog)
        return true;
    diag_init(&diag);
    diag_set(&diag, ERR_IO, "the catalogue, which keeps events, could not be opened");
    graphite_api__job_fail(job, ERR_IO, &diag);
    return false;
}

static size_t split_words(struct slice text, struct arena *arena, struct slice **out)
{
    struct slice part;
    size_t n = 0;
    *out = ARENA_ARRAY(arena, struct slice, text.len / 2 + 2);
    while (*out && slice_split(&text, ' ', &part)) {
        if (part.len)
            (*out)[n++] = part;
    }
    return n;
}

static int read_event(struct api_job *job, struct events *e, struct store_annotation *a,
                      struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(e->body, job->call_arena, diag);
    struct slice key, text;
    double when;
    enum codec_json_kind kind;
    VEC(struct slice) tags = {0};
    a->time_ns = e->now_s * NS_PER_SEC;
    a->data = SLICE("\"\"");
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (!codec_json_peek(&r, &kind))
            break;
        if (kind == CODEC_JSON_NULL)
            continue;
        if (slice_eq(key, SLICE("what"))) {
            codec_json_read_string(&r, &a->text);
        } else if (slice_eq(key, SLICE("when"))) {
            if (codec_json_read_double(&r, &when)) {
                if (when > -9e9 && when < 9e9)
                    a->time_ns = (int64_t)(when * 1e9);
                else
                    codec_json_read_error(&r, ERR_INVALID, "\"when\" is in seconds since 1970");
            }
        } else if (slice_eq(key, SLICE("data"))) {
            codec_json_read_raw(&r, &a->data);
        } else if (slice_eq(key, SLICE("tags")) && kind == CODEC_JSON_ARRAY) {
            codec_json_read_array(&r);
            while (codec_json_next_item(&r)) {
                if (codec_json_read_string(&r, &text) && text.len)
                    vec_push(&tags, text);
            }
        } else if (slice_eq(key, SLICE("tags")) && kind == CODEC_JSON_STRING) {
            struct slice *words;
            codec_json_read_string(&r, &text);
            size_t n = split_words(text, job->call_arena, &words);
            for (size_t i = 0; i < n; i++)
                vec_push(&tags, words[i]);
        } else if (slice_eq(key, SLICE("tags"))) {
            codec_json_read_error(&r, ERR_INVALID,
                                  "\"tags\" must be an array or space-separated string");
        }
    }
    a->tag_count = tags.len;
    a->tags = arena_dup(job->call_arena, tags.items, tags.len * sizeof(*tags.items));
    vec_free(&tags);
    return codec_json_read_end(&r);
}

static void add_work(struct api_job *job)
{
    struct events *e = job->state;
    struct store_annotation a = {.login = SLICE("")};
    struct diag diag;
    diag_init(&diag);
    a.dashboard_uid = a.text = SLICE("");
    if (!catalog(job))
        return;
    int err = read_event(job, e, &a, &diag);
    a.time_end_ns = a.time_ns;
    if (!err)
        err = store_annotation_add(job->api->catalog, &a, &diag);
    if (err)
        graphite_api__job_fail(job, err, &diag);
}

void graphite_api__events_add(struct api_call *call)
{
    struct events *e = ARENA_NEW(net_request_arena(call->req), struct events);
    e->body = net_request_body(call->req);
    e->now_s = graphite_api__now_s(call->api);
    struct api_job *job = graphite_api__job_new(call, add_work);
    if (!job)
        return;
    job->state = e;
    api_job_start(job, false);
}

static void put_event(struct codec_json_writer *w, const struct store_annotation *a, bool iso)
{
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", a->id);
    codec_json_put_string(w, "what", a->text);
    if (iso) {
        struct buf when = {0};
        text_time_print(a->time_ns, &when);
        codec_json_put_string(w, "when", buf_slice(&when));
        buf_deinit(&when);
    } else {
        codec_json_put_int(w, "when", a->time_ns / NS_PER_SEC);
    }
    codec_json_key(w, SLICE("tags"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < a->tag_count; i++)
        codec_json_string(w, a->tags[i]);
    codec_json_end_array(w);
    codec_json_key(w, SLICE("data"));
    codec_json_raw(w, a->data.len ? a->data : SLICE("\"\""));
    codec_json_end_object(w);
}

static int find(struct api *api, const struct events *e, struct arena *arena,
                struct store_annotation **out, size_t *count, struct diag *diag)
{
    struct store_annotation_find f = {.from_ns = e->from_s * NS_PER_SEC,
                                      .to_ns = e->until_s * NS_PER_SEC,
                                      .tags = e->tags,
                                      .tag_count = e->tag_count,
                                      .match_any = !e->all_of,
                                      .limit = 100000};
    return store_annotation_find(api->catalog, &f, arena, out, count, diag);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct store_annotation *)a)->time_ns;
    int64_t y = ((const struct store_annotation *)b)->time_ns;
    return (x > y) - (x < y);
}

static void data_work(struct api_job *job)
{
    struct events *e = job->state;
    struct store_annotation *found;
    struct codec_json_writer w;
    size_t count;
    struct diag diag;
    diag_init(&diag);
    if (!catalog(job))
        return;
    int err = find(job->api, e, job->arena, &found, &count, &diag);
    if (err) {
        graphite_api__job_fail(job, err, &diag);
        return;
    }
    if (count)
        qsort(found, count, sizeof(*found), by_time);
    codec_json_init(&w, &job->out);
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        put_event(&w, &found[i], false);
    codec_json_end_array(&w);
    graphite_api__jsonp(job, e->jsonp);
}

void graphite_api__events_data(struct api_call *call)
{
    struct events *e = ARENA_NEW(net_request_arena(call->req), struct events);
    struct slice tags = net_request_param(call->req, "tags");
    int64_t now = graphite_api__now_s(call->api);
    struct diag diag;
    diag_init(&diag);
    e->jsonp = net_request_param(call->req, "jsonp");
    e->all_of = slice_eq(net_request_param(call->req, "set"), SLICE("intersection"));
    if (tags.len)
        e->tag_count = split_words(tags, net_request_arena(call->req), &e->tags);
    if (graphite_api__param_time(call->req, "from", now, NULL, 0, &e->from_s, &diag) ||
        graphite_api__param_time(call->req, "until", now, NULL, now, &e->until_s, &diag)) {
        net_respond_text(call->req, 400, "Invalid parameters (%s)\n", diag.msg);
        return;
    }
    e->until_s = MAX(e->until_s, 1); /* both 0 would mean any time */
    struct api_job *job = graphite_api__job_new(call, data_work);
    if (!job)
        return;
    job->state = e;
    api_job_start(job, false);
}

static void one_work(struct api_job *job)
{
    struct events *e = job->state;
    struct store_annotation a;
    struct codec_json_writer w;
    struct diag diag;
    diag_init(&diag);
    if (!catalog(job))
        return;
    int err = store_annotation_get(job->api->catalog, e->id, job->arena, &a, &diag);
    if (err == ERR_NOT_FOUND) {
        job->status = 404;
        buf_append_cstr(&job->out, "{\"error\": \"Event matching query does not exist\"}");
    } else if (err) {
        graphite_api__job_fail(job, err, &diag);
    } else {
        codec_json_init(&w, &job->out);
        put_event(&w, &a, true);
    }
}

void graphite_api__event(struct api_call *call)
{
    struct events *e = ARENA_NEW(net_request_arena(call->req), struct events);
    if (!codec_text_to_int(call->args[0], &e->id)) {
        net_respond_text(call->req, 404, "no event has such an id\n");
        return;
    }
    struct api_job *job = graphite_api__job_new(call, one_work);
    if (!job)
        return;
    job->state = e;
    api_job_start(job, false);
}

int graphite_api__event_times(void *ctx, const struct slice *tags, size_t tag_count, int64_t from_s,
                              int64_t until_s, struct arena *arena, int64_t **out,
                              size_t *out_count, struct diag *diag)
{
    struct api *api = ctx;
    struct events e = {.from_s = from_s,
                       .until_s = until_s,
                       .tags = (struct slice *)(uintptr_t)tags,
                       .tag_count = tag_count};
    struct store_annotation *found;
    size_t count;
    *out_count = 0;
    if (!api->catalog)
        return 0;
    int err = find(api, &e, arena, &found, &count, diag);
    if (err)
        return err;
    *out = arena_alloc(arena, (count + 1) * sizeof(**out));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = found[i].time_ns / NS_PER_SEC;
    *out_count = count;
    return 0;
}
