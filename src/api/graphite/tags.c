/* /tags: names, values, series by tag expressions, completion. A tag is a label of a series;
 * "name" is the metric's name. */
#include <stdlib.h>

#include "api/graphite/door_priv.h"
#include "codec/number.h"
#include "text/regex.h"

struct tags {
    struct slice *exprs;
    size_t expr_count;
    struct slice tag, prefix, filter;
    int64_t limit; /* 0 = none */
    bool values;   /* of completion and /tags/NAME: values, else names */
    bool complete;
    int64_t now_s;
};

static void fail(struct api_job *job, int err, struct diag *diag)
{
    struct codec_json_writer w;
    graphite_api__job_fail(job, err, diag);
    buf_clear(&job->out);
    job->content_type = NULL;
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "error", slice_cstr(diag->msg));
    codec_json_end_object(&w);
}

static bool selection_of(struct api_job *job, struct tags *t, struct store_matcher **matchers,
                         struct store_select_req *req, struct diag *diag)
{
    int err = 0;
    *matchers = NULL;
    if (t->expr_count)
        err = graphite_tag_matchers(t->exprs, t->expr_count, job->call_arena, matchers, diag);
    *req = (struct store_select_req){.tenant = job->tenant,
                                     .t_min_ns = INT64_MIN,
                                     .t_max_ns = INT64_MAX,
                                     .matchers = *matchers,
                                     .matcher_count = t->expr_count,
                                     .series_max = (size_t)job->limits.query_series,
                                     .memory = &job->memory,
                                     .cancelled = &job->cancelled};
    if (err)
        fail(job, err, diag);
    return !err;
}

static struct slice tag_name(struct slice label)
{
    return slice_eq(label, SLICE(DATA_METRIC_NAME)) ? SLICE("name") : label;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Ids as graphite-web's rows have them: the place in the list. */
static void put_list(struct api_job *job, struct tags *t, const struct slice *texts, size_t count)
{
    struct codec_json_writer w;
    struct text_regex *re = NULL;
    struct diag diag;
    int64_t n = 0;
    diag_init(&diag);
    if (t->filter.len) {
        struct slice open = arena_printf(job->call_arena, "^(?:%.*s)", SLICE_FMT(t->filter));
        int err = text_regex_compile(open, 0, &re, &diag);
        if (err) {
            fail(job, err, &diag);
            return;
        }
    }
    uint64_t overruns = text_regex_overruns();
    codec_json_init(&w, &job->out);
    if (t->values && !t->complete) {
        codec_json_begin_object(&w);
        codec_json_put_int(&w, "id", 1);
        codec_json_put_string(&w, "tag", t->tag);
        codec_json_key(&w, SLICE("values"));
    }
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count && (!t->limit || n < t->limit); i++) {
        if (!slice_starts_with(texts[i], t->prefix) || (re && !text_regex_match(re, texts[i])))
            continue;
        n++;
        if (t->complete) {
            codec_json_string(&w, texts[i]);
            continue;
        }
        codec_json_begin_object(&w);
        codec_json_put_int(&w, "id", (int64_t)i + 1);
        codec_json_put_string(&w, t->values ? "value" : "tag", texts[i]);
        if (t->values) {
            struct store_matcher m = {
                .op = STORE_MATCH_EQ,
                .name = slice_eq(t->tag, SLICE("name")) ? SLICE(DATA_METRIC_NAME) : t->tag,
                .value = texts[i]};
            struct store_select_req req = {.tenant = job->tenant,
                                           .t_min_ns = INT64_MIN,
                                           .t_max_ns = INT64_MAX,
                                           .matchers = &m,
                                           .matcher_count = 1,
                                           .any_order = true,
                                           .cancelled = &job->cancelled};
            struct store_selection *sel = NULL;
            size_t series = 0;
            if (!job->api->source->ops->select(job->api->source, &req, &sel, NULL)) {
                series = job->api->source->ops->selection_count(sel);
                job->api->source->ops->selection_free(sel);
            }
            codec_json_put_int(&w, "count", (int64_t)series);
        }
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    if (t->values && !t->complete)
        codec_json_end_object(&w);
    text_regex_free(re);
    int err = text_regex_check(overruns, "the filter", &diag);
    if (err) {
        buf_clear(&job->out);
        fail(job, err, &diag);
    }
}

static void list_work(struct api_job *job)
{
    struct tags *t = job->state;
    struct store_source *src = job->api->source;
    struct store_matcher *matchers;
    struct store_select_req req;
    struct slice *texts = NULL;
    size_t count = 0;
    bool cut;
    struct diag diag;
    diag_init(&diag);
    if (!selection_of(job, t, &matchers, &req, &diag))
        return;
    struct slice label = slice_eq(t->tag, SLICE("name")) ? SLICE(DATA_METRIC_NAME) : t->tag;
    int err =
        t->values
            ? src->ops->label_values(src, label, &req, 0, job->arena, &texts, &count, &cut, &diag)
            : src->ops->label_names(src, &req, 0, job->arena, &texts, &count, &cut, &diag);
    if (!err && !t->values) {
        for (size_t i = 0; i < count; i++)
            texts[i] = tag_name(texts[i]);
        if (count)
            qsort(texts, count, sizeof(*texts), by_text);
        /* Completion leaves out what the expressions name already. */
        size_t kept = 0;
        for (size_t i = 0; i < count; i++) {
            bool named = false;
            for (size_t e = 0; t->complete && e < t->expr_count && !named; e++)
                named = slice_starts_with(t->exprs[e], texts[i]) &&
                        t->exprs[e].len > texts[i].len &&
                        strchr("=!", t->exprs[e].ptr[texts[i].len]);
            if (!named)
                texts[kept++] = texts[i];
        }
        count = kept;
    }
    if (err)
        fail(job, err, &diag);
    else
        put_list(job, t, texts, count);
    graphite_tag_matchers_free(matchers, matchers ? t->expr_count : 0);
}

static void find_work(struct api_job *job)
{
    struct tags *t = job->state;
    const struct store_source_ops *ops = job->api->source->ops;
    struct store_matcher *matchers;
    struct store_select_req req;
    struct store_selection *sel = NULL;
    struct codec_json_writer w;
    struct buf name = {0};
    struct diag diag;
    diag_init(&diag);
    if (!selection_of(job, t, &matchers, &req, &diag))
        return;
    int err = ops->select(job->api->source, &req, &sel, &diag);
    if (err) {
        fail(job, err, &diag);
    } else {
        size_t count = ops->selection_count(sel);
        codec_json_init(&w, &job->out);
        codec_json_begin_array(&w);
        for (size_t i = 0; i < count; i++) {
            buf_clear(&name);
            graphite_tagged_name(ops->selection_labels(sel, i), &name);
            codec_json_string(&w, buf_slice(&name));
        }
        codec_json_end_array(&w);
        ops->selection_free(sel);
    }
    buf_deinit(&name);
    graphite_tag_matchers_free(matchers, matchers ? t->expr_count : 0);
}

static struct tags *read_tags(struct api_call *call, int64_t limit)
{
    struct tags *t = ARENA_NEW(net_request_arena(call->req), struct tags);
    t->exprs = graphite_api__params(call->req, "expr", &t->expr_count);
    t->filter = net_request_param(call->req, "filter");
    if (!codec_text_to_int(net_request_param(call->req, "limit"), &t->limit) || t->limit < 0)
        t->limit = limit;
    t->now_s = graphite_api__now_s(call->api);
    return t;
}

static void start(struct api_call *call, struct tags *t, void (*work)(struct api_job *job))
{
    struct api_job *job = graphite_api__job_new(call, work);
    if (!job)
        return;
    job->state = t;
    api_job_start(job, false);
}

static void respond_error(struct api_call *call, const char *message)
{
    struct buf out = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "error", slice_cstr(message));
    codec_json_end_object(&w);
    api__respond_json(call->req, 400, buf_slice(&out));
    buf_deinit(&out);
}

void graphite_api__tags(struct api_call *call)
{
    struct tags *t = read_tags(call, 0);
    t->expr_count = 0;
    start(call, t, list_work);
}

void graphite_api__tag(struct api_call *call)
{
    struct tags *t = read_tags(call, 0);
    t->expr_count = 0;
    t->tag = call->args[0];
    t->values = true;
    start(call, t, list_work);
}

void graphite_api__complete_tags(struct api_call *call)
{
    struct tags *t = read_tags(call, 100);
    t->prefix = net_request_param(call->req, "tagPrefix");
    t->complete = true;
    start(call, t, list_work);
}

void graphite_api__complete_values(struct api_call *call)
{
    struct tags *t = read_tags(call, 100);
    t->tag = net_request_param(call->req, "tag");
    t->prefix = net_request_param(call->req, "valuePrefix");
    t->complete = t->values = true;
    if (!t->tag.len)
        respond_error(call, "no tag specified");
    else
        start(call, t, list_work);
}

void graphite_api__find_series(struct api_call *call)
{
    struct tags *t = read_tags(call, 0);
    if (!t->expr_count)
        respond_error(call, "no tag expressions specified");
    else
        start(call, t, find_work);
}

/* --- what graphite-web needs to be told, and Pharos knows from the points --- */

/* False: no name, or bad tags. The labels live as long as the builder. */
static bool labels_of(struct slice path, struct data_labels_builder *b, struct data_labels *out)
{
    struct slice part;
    slice_split(&path, ';', &part);
    if (!part.len)
        return false;
    data_labels_builder_add(b, SLICE(DATA_METRIC_NAME), part);
    while (slice_split(&path, ';', &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        if (eq <= 0 || (size_t)eq + 1 >= part.len)
            return false;
        data_labels_builder_add(b, slice_first(part, (size_t)eq), slice_from(part, (size_t)eq + 1));
    }
    return !data_labels_builder_finish(b, out, NULL);
}

/* name;b=2;a=1 -> name;a=1;b=2 */
static bool canonical(struct slice path, struct buf *out)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    bool good = labels_of(path, &b, &labels);
    if (good)
        graphite_tagged_name(labels, out);
    data_labels_builder_deinit(&b);
    return good;
}

static void tag_series(struct api_call *call, bool several)
{
    size_t count;
    struct slice *paths = graphite_api__params(call->req, "path", &count);
    struct buf out = {0}, name = {0};
    struct codec_json_writer w;
    codec_json_init(&w, &out);
    if (several)
        codec_json_begin_array(&w);
    for (size_t i = 0; i < (several ? count : MIN(count, (size_t)1)); i++) {
        buf_clear(&name);
        if (!canonical(paths[i], &name)) {
            respond_error(call, "path: name;tag=value;... is expected");
            goto out;
        }
        codec_json_string(&w, buf_slice(&name));
    }
    if (several)
        codec_json_end_array(&w);
    if (count)
        api__respond_json(call->req, 200, buf_slice(&out));
    else
        respond_error(call, several ? "no paths specified" : "no path specified");
out:
    buf_deinit(&out);
    buf_deinit(&name);
}

void graphite_api__tag_series(struct api_call *call)
{
    tag_series(call, false);
}

void graphite_api__tag_multi_series(struct api_call *call)
{
    tag_series(call, true);
}

/* --- deleting --- */

struct del {
    struct slice *paths;
    size_t count;
};

/* Exactly the series of a name and tags: whatever labels others with them have besides must be
 * empty. */
static int delete_one(struct api_job *job, struct slice path, struct diag *diag)
{
    const struct store_source_ops *ops = job->api->source->ops;
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct store_selection *sel = NULL;
    VEC(struct store_matcher) m = {0};
    int err = labels_of(path, &b, &labels)
                  ? 0
                  : diag_set(diag, ERR_INVALID, "path: name;tag=value;... is expected");
    for (size_t i = 0; !err && i < labels.count; i++)
        vec_push(&m, ((struct store_matcher){.op = STORE_MATCH_EQ,
                                             .name = labels.items[i].name,
                                             .value = labels.items[i].value}));
    struct store_select_req req = {.tenant = job->tenant,
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = m.items,
                                   .matcher_count = m.len,
                                   .any_order = true,
                                   .cancelled = &job->cancelled};
    if (!err)
        err = ops->select(job->api->source, &req, &sel, diag);
    size_t own = m.len, found = err ? 0 : ops->selection_count(sel);
    for (size_t i = 0; i < found; i++) {
        struct data_labels other = ops->selection_labels(sel, i);
        for (size_t k = 0; k < other.count; k++) {
            bool named = false;
            for (size_t n = 0; n < m.len && !named; n++)
                named = slice_eq(m.items[n].name, other.items[k].name);
            if (!named)
                vec_push(&m, ((struct store_matcher){
                                 .op = STORE_MATCH_EQ,
                                 .name = arena_slice(job->arena, other.items[k].name),
                                 .value = SLICE("")}));
        }
    }
    if (sel)
        ops->selection_free(sel);
    req.matchers = m.items;
    req.matcher_count = m.len;
    if (!err && found && own)
        err = job->api->host->delete_metrics(job->api->host->ctx, &req, diag);
    vec_free(&m);
    data_labels_builder_deinit(&b);
    return err;
}

static void delete_work(struct api_job *job)
{
    struct del *d = job->state;
    struct diag diag;
    int err = 0;
    diag_init(&diag);
    for (size_t i = 0; i < d->count && !err; i++)
        err = delete_one(job, d->paths[i], &diag);
    if (err)
        fail(job, err, &diag);
    else
        buf_append_cstr(&job->out, "true");
}

/* In graphite-web the tags of a series go and its file stays, which nothing finds any more. Here
 * the series is its tags, so it goes with its data. */
void graphite_api__del_series(struct api_call *call)
{
    struct del *d = ARENA_NEW(net_request_arena(call->req), struct del);
    d->paths = graphite_api__params(call->req, "path", &d->count);
    if (!d->count) {
        respond_error(call, "no path specified");
        return;
    }
    struct api_job *job = graphite_api__job_new(call, delete_work);
    if (!job)
        return;
    job->state = d;
    api_job_start(job, false);
}
