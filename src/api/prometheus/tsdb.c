/* status/tsdb: how many series there are by what. */
#include <stdlib.h>

#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "base/map.h"
#include "store/store.h"

struct tsdb_state {
    size_t limit;
    struct map *metrics, *pairs; /* name, "name=value" -> series */
};

struct tsdb_count {
    struct slice name;
    uint64_t count;
};

static int compare_counts(const void *a, const void *b)
{
    const struct tsdb_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return slice_cmp(x->name, y->name);
}

static void put_counts(struct codec_json_writer *w, const char *key, struct tsdb_count *rows,
                       size_t count, size_t limit)
{
    if (count)
        qsort(rows, count, sizeof(*rows), compare_counts);
    codec_json_key(w, slice_cstr(key));
    codec_json_begin_array(w);
    for (size_t i = 0; i < MIN(count, limit); i++) {
        codec_json_begin_object(w);
        codec_json_put_string(w, "name", rows[i].name);
        codec_json_put_int(w, "value", (int64_t)rows[i].count);
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
}

/* Rows of a map; they point into it. */
static struct tsdb_count *rows_of(const struct map *m)
{
    struct tsdb_count *rows = mem_calloc(map_count(m) + 1, sizeof(*rows));
    size_t pos = 0, n = 0;
    for (struct map_entry *e; (e = map_next(m, &pos));)
        rows[n++] = (struct tsdb_count){e->key, e->value.u64};
    return rows;
}

#define PAIR_BYTES 160 /* of one entry in a map, about */

static int count_series(struct api_job *job, struct diag *diag)
{
    const struct store_source_ops *ops = job->api->source->ops;
    struct tsdb_state *st = job->state;
    struct store_select_req req = {.tenant = job->tenant,
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .memory = &job->memory,
                                   .cancelled = &job->cancelled};
    struct store_selection *sel = NULL;
    struct buf pair = {0};
    bool added;
    int err = ops->select(job->api->source, &req, &sel, diag);
    if (err)
        return err;
    size_t series = ops->selection_count(sel);
    for (size_t i = 0; i < series && !err; i++) {
        struct data_labels l = ops->selection_labels(sel, i);
        for (size_t k = 0; k < l.count && !err; k++) {
            buf_clear(&pair);
            buf_append_slice(&pair, l.items[k].name);
            buf_append_char(&pair, '=');
            buf_append_slice(&pair, l.items[k].value);
            map_put(st->pairs, buf_slice(&pair), &added)->value.u64++;
            if (added && !budget_take(&job->memory, (int64_t)pair.len + PAIR_BYTES))
                err = diag_set(diag, ERR_NOMEM, "limits.query.memory is too small for this");
            if (slice_eq_cstr(l.items[k].name, DATA_METRIC_NAME))
                map_put(st->metrics, l.items[k].value, NULL)->value.u64++;
        }
        if (job->cancelled)
            err = diag_set(diag, ERR_CANCELLED, "query was canceled");
    }
    buf_deinit(&pair);
    ops->selection_free(sel);
    return err;
}

static void put_head(struct codec_json_writer *w, struct store_source *source)
{
    struct store_source_stats stats = {0};
    source->ops->stats(source, &stats);
    bool empty = stats.t_min_ns > stats.t_max_ns;
    codec_json_key(w, SLICE("headStats"));
    codec_json_begin_object(w);
    codec_json_put_int(w, "numSeries", (int64_t)stats.series);
    codec_json_put_int(w, "numLabelPairs", (int64_t)stats.label_pairs);
    codec_json_put_int(w, "chunkCount", (int64_t)stats.parts);
    codec_json_put_int(w, "minTime", empty ? INT64_MAX : stats.t_min_ns / NS_PER_MS);
    codec_json_put_int(w, "maxTime", empty ? INT64_MIN : stats.t_max_ns / NS_PER_MS);
    codec_json_end_object(w);
}

static void tsdb_work(struct api_job *job)
{
    struct tsdb_state *st = job->state;
    struct codec_json_writer w;
    struct diag diag;
    diag_init(&diag);
    st->metrics = map_new();
    st->pairs = map_new();
    if (count_series(job, &diag)) {
        api_job_fail(job, diag.code, &diag);
        return;
    }
    struct map *values = map_new(), *bytes = map_new(); /* by label name */
    struct tsdb_count *metric_rows = rows_of(st->metrics), *pair_rows = rows_of(st->pairs);
    for (size_t i = 0; i < map_count(st->pairs); i++) {
        ptrdiff_t eq = slice_find_char(pair_rows[i].name, '=');
        struct slice name = slice_first(pair_rows[i].name, (size_t)eq);
        map_put(values, name, NULL)->value.u64++;
        map_put(bytes, name, NULL)->value.u64 += pair_rows[i].name.len - (size_t)eq - 1;
    }
    struct tsdb_count *value_rows = rows_of(values), *byte_rows = rows_of(bytes);
    api__begin(&w, &job->out);
    codec_json_begin_object(&w);
    put_head(&w, job->api->source);
    put_counts(&w, "seriesCountByMetricName", metric_rows, map_count(st->metrics), st->limit);
    put_counts(&w, "labelValueCountByLabelName", value_rows, map_count(values), st->limit);
    put_counts(&w, "memoryInBytesByLabelName", byte_rows, map_count(bytes), st->limit);
    put_counts(&w, "seriesCountByLabelValuePair", pair_rows, map_count(st->pairs), st->limit);
    codec_json_end_object(&w);
    codec_json_end_object(&w);
    mem_free(metric_rows);
    mem_free(pair_rows);
    mem_free(value_rows);
    mem_free(byte_rows);
    map_free(values);
    map_free(bytes);
}

static void tsdb_cleanup(struct api_job *job)
{
    struct tsdb_state *st = job->state;
    map_free(st->metrics);
    map_free(st->pairs);
}

void api__prom_status_tsdb(struct api_call *call)
{
    struct tsdb_state *st = ARENA_NEW(net_request_arena(call->req), struct tsdb_state);
    struct slice tenant = api__tenant(call->req);
    int64_t limit;
    struct diag diag;
    diag_init(&diag);
    if (!tenant.ptr)
        return;
    bool given = net_request_param(call->req, "limit").len > 0;
    int err = api_param_count(call->req, "limit", &limit, &diag);
    if (err || (given && limit < 1) || limit > 10000) {
        api__respond_error(call->req, API_BAD_DATA, "%s",
                           !err && limit > 10000 ? "limit must not exceed 10000"
                                                 : "limit must be a positive number");
        return;
    }
    st->limit = given ? (size_t)limit : 10;
    struct api_job *job = api_job_new(call, tsdb_work);
    job->tenant = tenant;
    job->state = st;
    job->cleanup = tsdb_cleanup;
    api_job_start(job, true);
}

/* --- blocks --- */

/* A part's name in the form of a ULID: the milliseconds of its last sample, then its number. */
static void put_ulid(struct codec_json_writer *w, const struct store_part_view *p)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[26];
    uint64_t ms = (uint64_t)MAX(p->t_max_ns / NS_PER_MS, (int64_t)0) & ((UINT64_C(1) << 48) - 1);
    uint64_t id = p->id;
    for (int i = 25; i >= 10; i--, id >>= 5)
        text[i] = digits[id & 31];
    for (int i = 9; i >= 0; i--, ms >>= 5)
        text[i] = digits[ms & 31];
    codec_json_string(w, slice_make(text, sizeof(text)));
}

/* The store's parts as blocks. What they do not have in common (chunks, tombstones, parents) is
 * left out, as Prometheus leaves out what is nought. */
void api__prom_status_tsdb_blocks(struct api_call *call)
{
    struct api_host *host = call->api->host;
    struct store_part_view *parts = NULL;
    struct buf out = {0};
    struct codec_json_writer w;
    size_t count = host->parts(host->ctx, net_request_arena(call->req), &parts);
    api__begin(&w, &out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("blocks"));
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        codec_json_begin_object(&w);
        codec_json_key(&w, SLICE("ulid"));
        put_ulid(&w, &parts[i]);
        codec_json_put_int(&w, "minTime", parts[i].t_min_ns / NS_PER_MS);
        codec_json_put_int(&w, "maxTime", parts[i].t_max_ns / NS_PER_MS + 1);
        codec_json_key(&w, SLICE("stats"));
        codec_json_begin_object(&w);
        codec_json_put_int(&w, "numSamples", (int64_t)parts[i].samples);
        codec_json_put_int(&w, "numSeries", (int64_t)parts[i].series);
        codec_json_end_object(&w);
        codec_json_key(&w, SLICE("compaction"));
        codec_json_begin_object(&w);
        codec_json_put_int(&w, "level", (int64_t)parts[i].level + 1);
        codec_json_key(&w, SLICE("sources"));
        codec_json_begin_array(&w);
        put_ulid(&w, &parts[i]);
        codec_json_end_array(&w);
        codec_json_end_object(&w);
        codec_json_put_int(&w, "version", 1);
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    api__respond(call->req, &w);
}
