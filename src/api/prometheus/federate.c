/* /federate: the newest sample of every matching series, for another Prometheus to scrape. */
#include <stdlib.h>

#include "api/exposition.h"
#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "lang/promql/promql.h"

#define ROWS_A_STEP 256

struct row {
    struct data_labels labels;
    struct slice name;
    int64_t ts_ns;
    double value;
    const struct data_histogram *histogram;
};

struct matcher_set {
    struct store_matcher *items;
    size_t count;
};

struct federate {
    struct slice *selectors;
    size_t selector_count;
    struct matcher_set *sets;
    size_t set_count;
    struct store_selection **selections;
    struct data_labels external;
    VEC(struct row) rows;
    size_t next;
    VEC(struct data_label) labels; /* of one row, reused */
    struct api_exposition to;
};

static void cleanup(struct api_job *job)
{
    struct federate *f = job->state;
    for (size_t i = 0; i < f->set_count; i++) {
        promql_matchers_free(f->sets[i].items, f->sets[i].count);
        if (f->selections[i])
            job->api->source->ops->selection_free(f->selections[i]);
    }
    vec_free(&f->rows);
    vec_free(&f->labels);
    api_exposition_deinit(&f->to);
}

static void fail(struct api_job *job, int status, const char *text)
{
    buf_clear(&job->out);
    job->status = status;
    job->content_type = "text/plain; charset=utf-8";
    buf_append_cstr(&job->out, text);
    buf_append_char(&job->out, '\n');
}

/* The sample's labels without its name, then those of the configuration that it lacks. */
static void fill_labels(struct federate *f, const struct row *row)
{
    vec_clear(&f->labels);
    for (size_t i = 0; i < row->labels.count; i++) {
        if (!slice_eq_cstr(row->labels.items[i].name, DATA_METRIC_NAME))
            vec_push(&f->labels, row->labels.items[i]);
    }
    for (size_t i = 0; i < f->external.count; i++) {
        if (!data_labels_get(row->labels, f->external.items[i].name).ptr)
            vec_push(&f->labels, f->external.items[i]);
    }
}

static bool produce(struct api_job *job)
{
    struct federate *f = job->state;
    size_t end = MIN(f->rows.len, f->next + ROWS_A_STEP);
    for (; f->next < end; f->next++) {
        const struct row *row = &f->rows.items[f->next];
        fill_labels(f, row);
        struct api_exposition_sample s = {.name = row->name,
                                          .labels = f->labels.items,
                                          .label_count = f->labels.len,
                                          .ts_ns = row->ts_ns,
                                          .value = row->value,
                                          .histogram = row->histogram};
        api_exposition_put(&f->to, &s, &job->out);
    }
    if (f->next < f->rows.len)
        return false;
    api_exposition_end(&f->to, &job->out);
    return true;
}

static int compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = slice_cmp(x->name, y->name);
    return c ? c : data_labels_cmp(x->labels, y->labels);
}

static int read_newest(struct api_job *job, struct store_selection *sel, int64_t t_min_ns,
                       int64_t t_max_ns, struct diag *diag)
{
    const struct store_source_ops *ops = job->api->source->ops;
    struct federate *f = job->state;
    struct store_samples samples = {0};
    size_t count = ops->selection_count(sel);
    int err = 0;
    for (size_t i = 0; i < count && !err; i++) {
        struct row row = {.labels = ops->selection_labels(sel, i)};
        row.name = data_labels_get(row.labels, SLICE(DATA_METRIC_NAME));
        if (job->cancelled)
            err = diag_set(diag, ERR_CANCELLED, "the request was cancelled");
        if (!err)
            err = ops->selection_read(sel, i, t_min_ns, t_max_ns, &samples, diag);
        if (err || !samples.count || !row.name.ptr)
            continue;
        size_t last = samples.count - 1;
        const struct data_histogram *h = samples.histogram ? samples.histogram[last] : NULL;
        row.ts_ns = samples.ts[last];
        row.value = h ? 0 : samples.value[last];
        if (h ? h->is_stale : data_is_stale(row.value))
            continue;
        if (h && !(row.histogram = data_histogram_copy(job->arena, h)))
            err = diag_set(diag, ERR_NOMEM, "limits.query.memory is too small for this");
        else if (!budget_take(&job->memory, sizeof(row)))
            err = diag_set(diag, ERR_NOMEM, "limits.query.memory is too small for this");
        else
            vec_push(&f->rows, row);
    }
    store_samples_free(&samples);
    return err;
}

static void work(struct api_job *job)
{
    struct federate *f = job->state;
    struct api_host *host = job->api->host;
    int64_t now_ns = host->now_ns(host->ctx);
    now_ns -= now_ns % NS_PER_MS;
    struct diag diag;
    diag_init(&diag);
    for (size_t i = 0; i < f->selector_count; i++) {
        struct matcher_set *set = &f->sets[i];
        if (promql_parse_selector(f->selectors[i], job->call_arena, &set->items, &set->count,
                                  &diag)) {
            struct buf text = {0};
            promql_error_text(&diag, &text);
            fail(job, 400, buf_cstr(&text));
            buf_deinit(&text);
            return;
        }
        f->set_count++;
    }
    f->external = host->external_labels(host->ctx, job->call_arena);
    if (!data_labels_get(f->external, SLICE("instance")).ptr) {
        /* An empty one keeps the scraper from putting its own name for this server there. */
        struct data_label *items =
            ARENA_ARRAY(job->call_arena, struct data_label, f->external.count + 1);
        size_t n = 0;
        while (n < f->external.count &&
               slice_cmp(f->external.items[n].name, SLICE("instance")) < 0) {
            items[n] = f->external.items[n];
            n++;
        }
        items[n] = (struct data_label){SLICE("instance"), SLICE("")};
        for (; n < f->external.count; n++)
            items[n + 1] = f->external.items[n];
        f->external = (struct data_labels){items, f->external.count + 1};
    }
    for (size_t i = 0; i < f->set_count; i++) {
        struct store_select_req req = {.tenant = job->tenant,
                                       .t_min_ns = now_ns - job->limits.lookback_ns,
                                       .t_max_ns = now_ns,
                                       .matchers = f->sets[i].items,
                                       .matcher_count = f->sets[i].count,
                                       .series_max = (size_t)job->limits.query_series,
                                       .memory = &job->memory,
                                       .cancelled = &job->cancelled};
        int err = job->api->source->ops->select(job->api->source, &req, &f->selections[i], &diag);
        if (!err)
            err = read_newest(job, f->selections[i], req.t_min_ns, req.t_max_ns, &diag);
        if (err) {
            fail(job, err == ERR_AGAIN ? 503 : 500, diag.msg);
            return;
        }
    }
    if (f->rows.len)
        qsort(f->rows.items, f->rows.len, sizeof(*f->rows.items), compare_rows);
    size_t kept = MIN(f->rows.len, (size_t)1);
    for (size_t i = 1; i < f->rows.len; i++) { /* a series that two selectors match */
        if (compare_rows(&f->rows.items[i], &f->rows.items[kept - 1]) != 0)
            f->rows.items[kept++] = f->rows.items[i];
    }
    f->rows.len = kept;
    job->content_type = api_exposition_content_type(&f->to);
    job->produce = produce;
}

void api__prom_federate(struct api_call *call)
{
    struct net_request *req = call->req;
    struct arena *arena = net_request_arena(req);
    struct slice tenant = api__tenant(req);
    if (!tenant.ptr)
        return;
    if (!call->api->ready) {
        net_respond_text(req, 503, "Service Unavailable\n");
        return;
    }
    struct federate *f = ARENA_NEW(arena, struct federate);
    while (net_request_param_at(req, "match[]", f->selector_count).ptr)
        f->selector_count++;
    f->selectors = ARENA_ARRAY(arena, struct slice, f->selector_count + 1);
    f->sets = ARENA_ARRAY(arena, struct matcher_set, f->selector_count + 1);
    f->selections = ARENA_ARRAY(arena, struct store_selection *, f->selector_count + 1);
    for (size_t i = 0; i < f->selector_count; i++)
        f->selectors[i] = net_request_param_at(req, "match[]", i);
    api_exposition_negotiate(net_request_header(req, "accept"), &f->to);
    struct api_job *job = api_job_new(call, work);
    job->tenant = tenant;
    job->state = f;
    job->cleanup = cleanup;
    api_job_start(job, true);
}
