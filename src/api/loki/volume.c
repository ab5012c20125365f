/* How much there is, from what the store counts by stream and minute: index/stats, volume,
 * volume_range, detected_labels. */
#include <stdlib.h>

#include "api/loki/door_priv.h"
#include "api/loki/protobuf.h"
#include "api/prometheus/encode.h"
#include "base/map.h"

#define SINCE        (6 * 3600 * NS_PER_SEC)
#define MINUTE       (60 * NS_PER_SEC)
#define VOLUME_LIMIT 100

/* --- index/stats --- */

static void stats_work(struct api_job *job)
{
    struct loki__scope *s = job->state;
    struct store_event_source *src = job->logs;
    struct store_event_select select;
    struct store_event_counts counts = {0};
    struct codec_json_writer w;
    struct diag diag;
    uint64_t rows = 0, bytes = 0;
    diag_init(&diag);
    if (!loki__scope_select(job, s, true, &select))
        return;
    int err = src->ops->counts(src, &select, 0, true, false, job->arena, &counts, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    for (size_t i = 0; i < counts.count; i++) {
        rows += counts.items[i].rows;
        bytes += counts.items[i].bytes;
    }
    if (s->protobuf) {
        job->content_type = LOKI__PROTOBUF_TYPE;
        loki__pb_index_stats(counts.count, rows, bytes, &job->out);
        return;
    }
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "streams", (int64_t)counts.count);
    codec_json_put_int(&w, "chunks", (int64_t)counts.count);
    codec_json_put_int(&w, "entries", (int64_t)rows);
    codec_json_put_int(&w, "bytes", (int64_t)bytes);
    codec_json_end_object(&w);
}

static void start_scope(struct api_call *call, void (*work)(struct api_job *job))
{
    struct loki__scope *s = ARENA_NEW(net_request_arena(call->req), struct loki__scope);
    struct api_job *job;
    if (!loki__form_read(call->req, &s->protobuf) || !loki__scope_read(call, SINCE, s) ||
        !(job = loki__job_new(call, work)))
        return;
    job->state = s;
    job->cleanup = loki__scope_cleanup;
    api_job_start(job, false);
}

void loki__index_stats(struct api_call *call)
{
    start_scope(call, stats_work);
}

/* One shard has it all. */
static void shards_work(struct api_job *job)
{
    struct loki__scope *s = job->state;
    struct store_event_select select;
    if (loki__scope_select(job, s, true, &select))
        buf_append_cstr(&job->out, "{\"shards\":[{\"bounds\":{\"min\":0,\"max\":"
                                   "18446744073709551615},\"stats\":null}],\"statistics\":{}}");
}

void loki__index_shards(struct api_call *call)
{
    start_scope(call, shards_work);
}

/* --- volume --- */

struct volume_state {
    struct loki__scope scope;
    bool range, by_labels;
    int64_t step_ns, limit;
    struct slice *targets;
    size_t target_count;
};

struct volume {
    struct data_labels labels;
    struct slice key;
    uint64_t total;
    VEC(struct store_event_count) points; /* by time */
};

struct volumes {
    struct arena *arena;
    struct map *ids;
    VEC(struct volume) all;
    struct buf key;
};

static bool is_target(const struct volume_state *st, struct slice name)
{
    for (size_t i = 0; i < st->target_count; i++) {
        if (slice_eq(st->targets[i], name))
            return true;
    }
    return false;
}

static void add_to(struct volumes *v, struct data_labels labels, const struct store_event_count *c)
{
    bool added;
    buf_clear(&v->key);
    data_labels_print(labels, &v->key);
    struct map_entry *e = map_put(v->ids, buf_slice(&v->key), &added);
    if (added) {
        e->value.u64 = v->all.len;
        vec_push(&v->all, ((struct volume){.labels = data_labels_copy(v->arena, labels),
                                           .key = arena_slice(v->arena, buf_slice(&v->key))}));
    }
    struct volume *one = &v->all.items[e->value.u64];
    one->total += c->bytes;
    if (one->points.len && one->points.items[one->points.len - 1].ts_ns == c->ts_ns)
        one->points.items[one->points.len - 1].bytes += c->bytes;
    else
        vec_push(&one->points, *c);
}

/* A stream's bytes go to the labels that are asked for. */
static void add_stream(const struct volume_state *st, struct volumes *v, struct data_labels stream,
                       const struct store_event_count *c)
{
    struct data_label *items = ARENA_ARRAY(v->arena, struct data_label, stream.count);
    size_t n = 0;
    for (size_t i = 0; items && i < stream.count; i++) {
        struct slice name = loki__label_name(v->arena, stream.items[i].name);
        if (st->target_count && !is_target(st, name))
            continue;
        items[n++] = (struct data_label){name, stream.items[i].value};
        if (st->by_labels) {
            struct data_label one = {name, SLICE("")};
            add_to(v, (struct data_labels){&one, 1}, c);
        }
    }
    if (!st->by_labels && n)
        add_to(v, (struct data_labels){items, n}, c);
}

static int by_total(const void *a, const void *b)
{
    const struct volume *x = a, *y = b;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    return slice_cmp(x->key, y->key);
}

static void put_protobuf(struct api_job *job, const struct volume_state *st,
                         const struct volumes *v, size_t count)
{
    struct loki__pb_prom p;
    job->content_type = LOKI__PROTOBUF_TYPE;
    loki__pb_prom_begin(&p, st->range ? "matrix" : "vector", &job->out);
    for (size_t i = 0; i < count; i++) {
        const struct volume *one = &v->all.items[i];
        loki__pb_prom_series(&p, one->labels);
        if (!st->range)
            loki__pb_prom_point(&p, st->scope.end_ns, (double)one->total);
        for (size_t k = 0; st->range && k < one->points.len; k++)
            loki__pb_prom_point(&p, one->points.items[k].ts_ns, (double)one->points.items[k].bytes);
        loki__pb_prom_series_end(&p);
    }
    static const struct logql_stats none;
    loki__pb_prom_end(&p, &(struct loki__pb_about){.stats = &none});
}

static void put_volumes(struct api_job *job, const struct volume_state *st, struct volumes *v)
{
    struct buf *out = &job->out;
    size_t count = MIN(v->all.len, (size_t)st->limit);
    if (st->scope.protobuf) {
        put_protobuf(job, st, v, count);
        return;
    }
    buf_printf(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"%s\",\"result\":[",
               st->range ? "matrix" : "vector");
    for (size_t i = 0; i < count; i++) {
        const struct volume *one = &v->all.items[i];
        buf_append_cstr(out, i ? ",{\"metric\":" : "{\"metric\":");
        api_encode_labels(one->labels, out);
        if (!st->range) {
            buf_append_cstr(out, ",\"value\":[");
            api_encode_time(st->scope.end_ns, out);
            buf_printf(out, ",\"%llu\"]}", (unsigned long long)one->total);
            continue;
        }
        buf_append_cstr(out, ",\"values\":[");
        for (size_t k = 0; k < one->points.len; k++) {
            buf_append_cstr(out, k ? ",[" : "[");
            api_encode_time(one->points.items[k].ts_ns, out);
            buf_printf(out, ",\"%llu\"]", (unsigned long long)one->points.items[k].bytes);
        }
        buf_append_cstr(out, "]}");
    }
    buf_append_cstr(out, "],\"stats\":");
    loki__put_stats(&(struct logql_stats){0}, 0, 0, out);
    buf_append_cstr(out, "}}");
}

/* Without targets the labels that the query names count, and all labels when it names none. */
static void choose_targets(struct api_job *job, struct volume_state *st,
                           const struct store_event_select *select)
{
    if (st->target_count || st->by_labels)
        return;
    st->targets = ARENA_ARRAY(job->arena, struct slice, select->matcher_count);
    for (size_t i = 0; st->targets && i < select->matcher_count; i++)
        st->targets[st->target_count++] = loki__label_name(job->arena, select->matchers[i].name);
}

static void volume_work(struct api_job *job)
{
    struct volume_state *st = job->state;
    struct store_event_source *src = job->logs;
    struct store_event_select select;
    struct store_event_counts counts = {0};
    struct diag diag;
    diag_init(&diag);
    if (!loki__scope_select(job, &st->scope, false, &select))
        return;
    choose_targets(job, st, &select);
    int err = src->ops->counts(src, &select, st->range ? st->step_ns : 0, true, false, job->arena,
                               &counts, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    struct volumes v = {.arena = job->arena, .ids = map_new()};
    for (size_t i = 0; i < counts.count; i++)
        add_stream(st, &v, counts.streams[counts.items[i].stream].labels, &counts.items[i]);
    if (v.all.len)
        qsort(v.all.items, v.all.len, sizeof(*v.all.items), by_total);
    put_volumes(job, st, &v);
    for (size_t i = 0; i < v.all.len; i++)
        vec_free(&v.all.items[i].points);
    vec_free(&v.all);
    map_free(v.ids);
    buf_deinit(&v.key);
}

static void start_volume(struct api_call *call, bool range)
{
    struct arena *arena = net_request_arena(call->req);
    struct volume_state *st = ARENA_NEW(arena, struct volume_state);
    struct slice targets = net_request_param(call->req, "targetLabels"), one,
                 by = net_request_param(call->req, "aggregateBy");
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    st->range = range;
    st->by_labels = slice_eq_cstr(by, "labels");
    if (!loki__form_read(call->req, &st->scope.protobuf) ||
        !loki__scope_read(call, SINCE, &st->scope))
        return;
    if (by.len && !st->by_labels && !slice_eq_cstr(by, "series"))
        diag_set(&diag, ERR_INVALID,
                 "invalid aggregation option: aggregateBy is series or labels, not \"%.*s\"",
                 SLICE_FMT(by));
    if (diag.code || loki__param_count(call->req, "limit", VOLUME_LIMIT, &st->limit, &diag) ||
        loki__param_duration(call->req, "step", 3600 * NS_PER_SEC, &st->step_ns, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    /* Counts are kept by the minute. */
    st->step_ns = MAX((st->step_ns + MINUTE - 1) / MINUTE, 1) * MINUTE;
    size_t room = 1;
    for (size_t i = 0; i < targets.len; i++)
        room += targets.ptr[i] == ',';
    st->targets = ARENA_ARRAY(arena, struct slice, room);
    while (targets.len && slice_split(&targets, ',', &one)) {
        one = slice_trim(one);
        if (one.len)
            st->targets[st->target_count++] = one;
    }
    if (!(job = loki__job_new(call, volume_work)))
        return;
    job->state = st;
    job->cleanup = loki__scope_cleanup;
    api_job_start(job, false);
}

void loki__volume(struct api_call *call)
{
    start_volume(call, false);
}

void loki__volume_range(struct api_call *call)
{
    start_volume(call, true);
}

/* --- detected_labels --- */

struct detected {
    struct slice name;
    struct map *values;
    bool all_ids; /* every value is a number or a UUID */
};

static bool is_id(struct slice v)
{
    size_t digits = 0, hex = 0, dashes = 0;
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        digits += (c >= '0' && c <= '9') || c == '.';
        hex += (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
        dashes += c == '-';
    }
    return v.len && (digits == v.len || (v.len == 36 && dashes == 4 && hex == 32));
}

static bool is_kept(struct slice name)
{
    static const char *const kept[] = {"cluster", "namespace", "instance", "pod"};
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (slice_eq_cstr(name, kept[i]))
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct detected *)a)->name, ((const struct detected *)b)->name);
}

static void detected_labels_work(struct api_job *job)
{
    struct loki__scope *s = job->state;
    struct store_event_source *src = job->logs;
    struct store_event_select select;
    struct store_event_stream *streams = NULL;
    size_t count = 0;
    struct diag diag;
    struct codec_json_writer w;
    VEC(struct detected) found = {0};
    diag_init(&diag);
    if (!loki__scope_select(job, s, false, &select))
        return;
    int err = src->ops->streams(src, &select, job->arena, &streams, &count, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < streams[i].labels.count; k++) {
            const struct data_label *l = &streams[i].labels.items[k];
            struct slice name = loki__label_name(job->arena, l->name);
            size_t at = 0;
            while (at < found.len && !slice_eq(found.items[at].name, name))
                at++;
            if (at == found.len)
                vec_push(&found, ((struct detected){name, map_new(), true}));
            bool added;
            map_put(found.items[at].values, l->value, &added);
            if (added)
                found.items[at].all_ids &= is_id(l->value);
        }
    }
    if (found.len)
        qsort(found.items, found.len, sizeof(*found.items), by_name);
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("detectedLabels"));
    codec_json_begin_array(&w);
    for (size_t i = 0; i < found.len; i++) {
        if (found.items[i].all_ids && !is_kept(found.items[i].name))
            continue;
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "label", found.items[i].name);
        codec_json_put_int(&w, "cardinality", (int64_t)map_count(found.items[i].values));
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    codec_json_end_object(&w);
    for (size_t i = 0; i < found.len; i++)
        map_free(found.items[i].values);
    vec_free(&found);
}

void loki__detected_labels(struct api_call *call)
{
    start_scope(call, detected_labels_work);
}
