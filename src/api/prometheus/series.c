/* series, labels, label values and exemplars: selectors straight to the source. */
#include <stdlib.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "api/prometheus/encode.h"
#include "codec/utf8.h"
#include "lang/promql/promql.h"

enum kind { KIND_SERIES, KIND_NAMES, KIND_VALUES, KIND_EXEMPLARS };

struct matcher_set {
    struct store_matcher *items;
    size_t count;
};

struct series_state {
    enum kind kind;
    struct slice *selectors;
    size_t selector_count;
    struct slice name; /* of the label whose values are asked for */
    int64_t t_min_ns, t_max_ns;
    size_t limit;

    struct promql_expr *expr; /* of exemplars */
    struct matcher_set *sets;
    size_t set_count;
    struct store_selection **selections;
    struct data_labels *series; /* sorted, distinct */
    struct slice *texts;        /* names or values */
    size_t count, next;
    bool cut;
};

static void cleanup(struct api_job *job)
{
    struct series_state *st = job->state;
    promql_expr_free(st->expr);
    st->expr = NULL;
    for (size_t i = 0; i < st->set_count; i++) {
        promql_matchers_free(st->sets[i].items, st->sets[i].count);
        if (st->selections && st->selections[i])
            job->api->source->ops->selection_free(st->selections[i]);
    }
}

static bool produce(struct api_job *job)
{
    struct series_state *st = job->state;
    if (st->next == st->count) {
        buf_append_char(&job->out, ']');
        if (st->cut)
            buf_append_cstr(&job->out, ",\"warnings\":[\"results truncated due to limit\"]");
        buf_append_char(&job->out, '}');
        return true;
    }
    if (st->next)
        buf_append_char(&job->out, ',');
    if (st->kind == KIND_SERIES)
        api_encode_labels(st->series[st->next], &job->out);
    else
        codec_json_append_string(&job->out, st->texts[st->next]);
    st->next++;
    return false;
}

/* True, or the job has its error. */
static bool parse_selectors(struct api_job *job)
{
    struct series_state *st = job->state;
    const char *prefix = st->kind == KIND_SERIES ? "invalid parameter \"match[]\": " : "";
    st->sets = ARENA_ARRAY(job->call_arena, struct matcher_set, st->selector_count + 1);
    for (size_t i = 0; i < st->selector_count; i++) {
        struct matcher_set *set = &st->sets[i];
        struct diag diag;
        diag_init(&diag);
        if (promql_parse_selector(st->selectors[i], job->call_arena, &set->items, &set->count,
                                  &diag)) {
            struct buf text = {0};
            promql_error_text(&diag, &text);
            api_job_error(job, API_BAD_DATA, "%s%s", prefix, buf_cstr(&text));
            buf_deinit(&text);
            return false;
        }
        st->set_count++;
        bool narrow = false;
        for (size_t k = 0; k < set->count && !narrow; k++)
            narrow = !store_matcher_matches(&set->items[k], SLICE(""));
        if (!narrow) {
            api_job_error(job, API_BAD_DATA,
                          "%smatch[] must contain at least one non-empty matcher", prefix);
            return false;
        }
    }
    return true;
}

static struct store_select_req request_of(struct api_job *job, size_t set)
{
    struct series_state *st = job->state;
    return (struct store_select_req){.tenant = job->tenant,
                                     .t_min_ns = st->t_min_ns,
                                     .t_max_ns = st->t_max_ns,
                                     .matchers = st->sets[set].items,
                                     .matcher_count = st->sets[set].count,
                                     .series_max = (size_t)job->limits.query_series,
                                     .memory = &job->memory,
                                     .cancelled = &job->cancelled};
}

static int compare_labels(const void *a, const void *b)
{
    return data_labels_cmp(*(const struct data_labels *)a, *(const struct data_labels *)b);
}

static int compare_texts(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void series_work(struct api_job *job)
{
    struct series_state *st = job->state;
    const struct store_source_ops *ops = job->api->source->ops;
    struct diag diag;
    size_t total = 0;
    diag_init(&diag);
    if (!parse_selectors(job))
        return;
    st->selections = ARENA_ARRAY(job->call_arena, struct store_selection *, st->set_count + 1);
    for (size_t i = 0; i < st->set_count; i++) {
        struct store_select_req req = request_of(job, i);
        int err = ops->select(job->api->source, &req, &st->selections[i], &diag);
        if (err) {
            api_job_fail(job, err, &diag);
            return;
        }
        total += ops->selection_count(st->selections[i]);
    }
    st->series = arena_alloc(job->arena, total * sizeof(*st->series));
    if (!st->series) {
        api_job_error(job, API_EXECUTION,
                      "the list of %zu series is larger than limits.query.memory", total);
        return;
    }
    for (size_t i = 0; i < st->set_count; i++) {
        size_t n = ops->selection_count(st->selections[i]);
        for (size_t k = 0; k < n; k++)
            st->series[st->count++] = ops->selection_labels(st->selections[i], k);
    }
    if (st->set_count > 1 && st->count) { /* one selection is sorted and distinct */
        qsort(st->series, st->count, sizeof(*st->series), compare_labels);
        size_t kept = 1;
        for (size_t i = 1; i < st->count; i++) {
            if (!data_labels_eq(st->series[i], st->series[kept - 1]))
                st->series[kept++] = st->series[i];
        }
        st->count = kept;
    }
    st->cut = st->limit && st->count > st->limit;
    if (st->cut)
        st->count = st->limit;
    buf_append_cstr(&job->out, "{\"status\":\"success\",\"data\":[");
    job->produce = produce;
}

static void texts_work(struct api_job *job)
{
    struct series_state *st = job->state;
    const struct store_source_ops *ops = job->api->source->ops;
    struct diag diag;
    VEC(struct slice) all = {0};
    diag_init(&diag);
    if (!parse_selectors(job))
        return;
    size_t rounds = MAX(st->set_count, (size_t)1);
    for (size_t i = 0; i < rounds; i++) {
        struct store_select_req req = request_of(job, i);
        struct slice *texts = NULL;
        size_t count = 0;
        bool cut = false;
        int err = st->kind == KIND_NAMES
                      ? ops->label_names(job->api->source, &req, st->limit, job->arena, &texts,
                                         &count, &cut, &diag)
                      : ops->label_values(job->api->source, st->name, &req, st->limit, job->arena,
                                          &texts, &count, &cut, &diag);
        if (err) {
            api_job_fail(job, err, &diag);
            vec_free(&all);
            return;
        }
        st->cut |= cut;
        if (rounds == 1) {
            st->texts = texts;
            st->count = count;
            break;
        }
        for (size_t k = 0; k < count; k++)
            vec_push(&all, texts[k]);
    }
    if (all.len) {
        qsort(all.items, all.len, sizeof(*all.items), compare_texts);
        size_t kept = 1;
        for (size_t i = 1; i < all.len; i++) {
            if (!slice_eq(all.items[i], all.items[kept - 1]))
                all.items[kept++] = all.items[i];
        }
        st->texts = arena_dup(job->call_arena, all.items, kept * sizeof(*all.items));
        st->count = kept;
    }
    vec_free(&all);
    if (st->limit && st->count > st->limit) {
        st->count = st->limit;
        st->cut = true;
    }
    buf_append_cstr(&job->out, "{\"status\":\"success\",\"data\":[");
    job->produce = produce;
}

/* Exemplars come in any order; the answer has one entry a series. */
static int compare_exemplars(const void *a, const void *b)
{
    const struct store_exemplar *x = a, *y = b;
    int c = data_labels_cmp(x->series, y->series);
    return c ? c : (x->ts_ns > y->ts_ns) - (x->ts_ns < y->ts_ns);
}

static void put_exemplars(struct api_job *job, const struct store_exemplar *rows, size_t count)
{
    struct buf *out = &job->out;
    for (size_t i = 0; i < count; i++) {
        bool same = i && data_labels_eq(rows[i].series, rows[i - 1].series);
        if (!same) {
            buf_append_cstr(out, i ? "]},{\"seriesLabels\":" : "{\"seriesLabels\":");
            api_encode_labels(rows[i].series, out);
            buf_append_cstr(out, ",\"exemplars\":[");
        }
        buf_append_cstr(out, same ? ",{\"labels\":" : "{\"labels\":");
        api_encode_labels(rows[i].labels, out);
        buf_append_cstr(out, ",\"value\":");
        api_encode_value(rows[i].value, out);
        buf_append_cstr(out, ",\"timestamp\":");
        api_encode_time(rows[i].ts_ns, out);
        buf_append_char(out, '}');
    }
    if (count)
        buf_append_cstr(out, "]}");
}

/* Exemplars of every selector in an expression. */
struct exemplars {
    struct api_job *job;
    VEC(struct store_exemplar) rows;
    size_t selectors;
    int err;
    struct diag diag;
};

static void add_exemplars(void *ctx, const struct store_matcher *matchers, size_t count)
{
    struct exemplars *x = ctx;
    struct api_job *job = x->job;
    const struct series_state *st = job->state;
    struct store_exemplar *rows = NULL;
    size_t n = 0;
    struct store_select_req req = {.tenant = job->tenant,
                                   .t_min_ns = st->t_min_ns,
                                   .t_max_ns = st->t_max_ns,
                                   .matchers = matchers,
                                   .matcher_count = count,
                                   .series_max = (size_t)job->limits.query_series,
                                   .memory = &job->memory,
                                   .cancelled = &job->cancelled};
    x->selectors++;
    if (x->err)
        return;
    x->err =
        job->api->source->ops->exemplars(job->api->source, &req, job->arena, &rows, &n, &x->diag);
    for (size_t i = 0; i < n && !x->err; i++)
        vec_push(&x->rows, rows[i]);
}

static bool same_exemplar(const struct store_exemplar *a, const struct store_exemplar *b)
{
    return a->ts_ns == b->ts_ns && data_labels_eq(a->series, b->series) &&
           data_labels_eq(a->labels, b->labels);
}

static void exemplars_work(struct api_job *job)
{
    struct series_state *st = job->state;
    struct promql_options options = {.experimental = true};
    struct exemplars x = {.job = job};
    diag_init(&x.diag);
    if (promql_parse(st->selectors[0], &options, job->call_arena, &st->expr, &x.diag)) {
        struct buf text = {0};
        promql_error_text(&x.diag, &text);
        api_job_error(job, API_BAD_DATA, "%s", buf_cstr(&text));
        buf_deinit(&text);
        return;
    }
    promql_each_selector(st->expr, add_exemplars, &x);
    if (!x.selectors) {
        job->status = 204;
        return;
    }
    if (x.err) {
        api_job_fail(job, x.err, &x.diag);
        goto out;
    }
    size_t kept = MIN(x.rows.len, (size_t)1);
    if (x.rows.len)
        qsort(x.rows.items, x.rows.len, sizeof(*x.rows.items), compare_exemplars);
    for (size_t i = 1; i < x.rows.len; i++) { /* two selectors may name the same series */
        if (!same_exemplar(&x.rows.items[i], &x.rows.items[kept - 1]))
            x.rows.items[kept++] = x.rows.items[i];
    }
    buf_append_cstr(&job->out, "{\"status\":\"success\",\"data\":[");
    put_exemplars(job, x.rows.items, kept);
    buf_append_cstr(&job->out, "]}");
out:
    vec_free(&x.rows);
}

static void start(struct api_call *call, enum kind kind, struct slice name)
{
    static void (*const works[])(struct api_job * job) = {[KIND_SERIES] = series_work,
                                                          [KIND_NAMES] = texts_work,
                                                          [KIND_VALUES] = texts_work,
                                                          [KIND_EXEMPLARS] = exemplars_work};
    struct net_request *req = call->req;
    struct arena *arena = net_request_arena(req);
    struct series_state *st = ARENA_NEW(arena, struct series_state);
    const char *param = kind == KIND_EXEMPLARS ? "query" : "match[]";
    struct slice tenant = api__tenant(req);
    struct diag diag;
    diag_init(&diag);
    if (!tenant.ptr)
        return;
    st->kind = kind;
    st->name = name;
    int err = api_param_time(req, "start", false, API_TIME_MIN_NS, &st->t_min_ns, &diag);
    if (!err)
        err = api_param_time(req, "end", false, API_TIME_MAX_NS, &st->t_max_ns, &diag);
    if (!err && st->t_max_ns < st->t_min_ns && kind == KIND_EXEMPLARS)
        err = diag_set(&diag, ERR_INVALID, "end timestamp must not be before start timestamp");
    if (!err)
        err = api_param_limit(req, "limit", &st->limit, &diag);
    while (net_request_param_at(req, param, st->selector_count).ptr)
        st->selector_count++;
    if (!err && !st->selector_count && kind == KIND_SERIES)
        err = diag_set(&diag, ERR_INVALID, "no match[] parameter provided");
    if (err) {
        api__respond_error(req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    st->selectors = ARENA_ARRAY(arena, struct slice, st->selector_count + 1);
    st->selectors[0] = SLICE(""); /* an expression that is not given is the empty one */
    for (size_t i = 0; i < st->selector_count; i++)
        st->selectors[i] = net_request_param_at(req, param, i);
    struct api_job *job = api_job_new(call, works[kind]);
    job->tenant = tenant;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void api__prom_series(struct api_call *call)
{
    start(call, KIND_SERIES, SLICE(""));
}

void api__prom_labels(struct api_call *call)
{
    start(call, KIND_NAMES, SLICE(""));
}

void api__prom_label_values(struct api_call *call)
{
    struct slice name = api_unescape_name(call->args[0], net_request_arena(call->req));
    if (!codec_utf8_valid(name)) {
        api__respond_error(call->req, API_BAD_DATA, "invalid label name: \"%.*s\"",
                           SLICE_FMT(name));
        return;
    }
    start(call, KIND_VALUES, name);
}

void api__prom_query_exemplars(struct api_call *call)
{
    start(call, KIND_EXEMPLARS, SLICE(""));
}
