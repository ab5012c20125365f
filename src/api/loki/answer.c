/* What answers of Loki's door have in common: errors as plain text, labels, statistics. */
#include "api/loki/door_priv.h"
#include "api/loki/tenants.h"
#include "api/prometheus/encode.h"
#include "codec/number.h"
#include "text/duration.h"

#define PARTIAL_REST_NS (10 * NS_PER_SEC)

void loki__job_parse_error(struct api_job *job, const struct diag *diag)
{
    struct buf text = {0};
    logql_error_text(diag, &text);
    api__plain_job_error(job, 400, "%s", buf_cstr(&text));
    buf_deinit(&text);
}

void loki__put_labels(const struct logql_label *labels, size_t count, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(out, ',');
        codec_json_append_string(out, labels[i].name);
        buf_append_char(out, ':');
        codec_json_append_string(out, labels[i].value);
    }
    buf_append_char(out, '}');
}

void loki__put_stream(struct data_labels labels, bool legacy, struct buf *out)
{
    struct buf text = {0};
    if (!legacy) {
        buf_append_cstr(out, "{\"stream\":");
        api_encode_labels(labels, out);
        buf_append_cstr(out, ",\"values\":[");
        return;
    }
    data_labels_print(labels, &text);
    buf_append_cstr(out, "{\"labels\":");
    codec_json_append_string(out, buf_slice(&text));
    buf_append_cstr(out, ",\"entries\":[");
    buf_deinit(&text);
}

static void put_legacy_entry(const struct logql_entry *e, struct buf *out)
{
    buf_append_cstr(out, "{\"ts\":\"");
    text_time_print(e->ts_ns, out);
    buf_append_cstr(out, "\",\"line\":");
    codec_json_append_string(out, e->line);
    buf_append_char(out, '}');
}

void loki__put_entry(const struct logql_entry *e, bool legacy, bool flagged, struct buf *out)
{
    if (legacy) {
        put_legacy_entry(e, out);
        return;
    }
    buf_printf(out, "[\"%lld\",", (long long)e->ts_ns);
    codec_json_append_string(out, e->line);
    if (flagged) {
        size_t metadata = 0, n = e->label_count;
        VEC(struct logql_label) sorted = {0};
        for (int category = LOGQL_METADATA; category <= LOGQL_PARSED; category++) {
            for (size_t i = 0; i < n; i++) {
                if ((int)e->labels[i].category == category)
                    vec_push(&sorted, e->labels[i]);
            }
            if (category == LOGQL_METADATA)
                metadata = sorted.len;
        }
        buf_append_cstr(out, ",{");
        if (metadata) {
            buf_append_cstr(out, "\"structuredMetadata\":");
            loki__put_labels(sorted.items, metadata, out);
        }
        if (sorted.len > metadata) {
            buf_append_cstr(out, metadata ? ",\"parsed\":" : "\"parsed\":");
            loki__put_labels(sorted.items + metadata, sorted.len - metadata, out);
        }
        buf_append_char(out, '}');
        vec_free(&sorted);
    }
    buf_append_char(out, ']');
}

bool loki__wants_categories(struct net_request *req)
{
    struct slice flags = net_request_header(req, "x-loki-response-encoding-flags"), one;
    while (flags.ptr && slice_split(&flags, ',', &one)) {
        if (slice_eq_cstr(slice_trim(one), "categorize-labels"))
            return true;
    }
    return false;
}

void loki__put_stats(const struct logql_stats *stats, int64_t run_ns, int64_t wait_ns,
                     struct buf *out)
{
    const struct store_event_stats *s = &stats->scan;
    double seconds = MAX((double)run_ns / 1e9, 1e-9);
    unsigned long long rows = s->rows_scanned, raw = s->raw_bytes_scanned,
                       delivered = s->rows_delivered, head = s->head_rows, read = s->bytes_scanned;
    buf_printf(out,
               "{\"summary\":{\"bytesProcessedPerSecond\":%.0f,\"linesProcessedPerSecond\":%.0f,"
               "\"totalBytesProcessed\":%llu,\"totalLinesProcessed\":%llu,\"execTime\":%.6f,"
               "\"queueTime\":%.6f,\"subqueries\":0,\"totalEntriesReturned\":%llu,\"splits\":0,"
               "\"shards\":0,\"totalPostFilterLines\":%llu,"
               "\"totalStructuredMetadataBytesProcessed\":0},",
               (double)raw / seconds, (double)rows / seconds, raw, rows, seconds,
               (double)wait_ns / 1e9, (unsigned long long)stats->lines_returned, delivered);
#define STORE(chunks, lines, bytes, packed, post)                                                  \
    "{\"totalChunksRef\":%llu,\"totalChunksDownloaded\":%llu,\"chunksDownloadTime\":0,"            \
    "\"queryReferencedStructuredMetadata\":false,\"queryUsedV2Engine\":false,"                     \
    "\"chunkRefsFetchTime\":0,\"congestionControlLatency\":0,"                                     \
    "\"pipelineWrapperFilteredLines\":0,\"chunk\":{\"headChunkBytes\":0,"                          \
    "\"headChunkLines\":%llu,\"decompressedBytes\":%llu,\"decompressedLines\":%llu,"               \
    "\"compressedBytes\":%llu,\"totalDuplicates\":0,\"postFilterLines\":%llu}}"
    buf_printf(out, "\"querier\":{\"store\":" STORE(, , , , ) ",\"querierExecTime\":%.6f},",
               (unsigned long long)s->groups, (unsigned long long)s->groups_opened, 0ull, raw,
               rows - MIN(head, rows), read, delivered, seconds);
    buf_printf(out,
               "\"ingester\":{\"totalReached\":1,\"totalChunksMatched\":0,\"totalBatches\":0,"
               "\"totalLinesSent\":%llu,\"store\":" STORE(, , , , ) "},",
               head, 0ull, 0ull, head, 0ull, 0ull, 0ull, 0ull);
#define CACHE(name, last)                                                                          \
    "\"" name "\":{\"entriesFound\":0,\"entriesRequested\":0,\"entriesStored\":0,"                 \
    "\"bytesReceived\":0,\"bytesSent\":0,\"requests\":0,\"downloadTime\":0}" last
    buf_append_cstr(out, "\"cache\":{" CACHE("chunk", ",") CACHE("index", ",") CACHE("result", ",")
                             CACHE("statsResult", ",") CACHE("volumeResult", ",")
                                 CACHE("seriesResult", ",") CACHE("labelResult", ",")
                                     CACHE("instantMetricResult", ",") CACHE("logResult", "") "},");
    buf_printf(out,
               "\"index\":{\"totalChunks\":%llu,\"postFilterChunks\":%llu,\"shardsDuration\":0,"
               "\"usedBloomFilters\":%s}}",
               (unsigned long long)s->groups, (unsigned long long)s->groups_opened,
               s->skipped_by_token ? "true" : "false");
}

/* --- jobs --- */

bool loki__source_read(struct api_call *call, struct arena *arena,
                       struct store_event_source **out_source, struct slice *out_tenant)
{
    struct slice text = arena_slice(arena, net_request_header(call->req, "x-scope-orgid"));
    if (!loki__tenants_read(text.len ? text : SLICE(API__DEFAULT_TENANT), call->api->logs, arena,
                            out_source, out_tenant)) {
        api__plain_error(call->req, 400, "%s", API__TENANT_RULE);
        return false;
    }
    if (!call->api->logs)
        api__plain_error(call->req, 503, "this Pharos has no store for logs");
    return call->api->logs != NULL;
}

struct api_job *loki__job_new(struct api_call *call, void (*work)(struct api_job *job))
{
    struct store_event_source *source;
    struct slice tenant;
    if (!loki__source_read(call, net_request_arena(call->req), &source, &tenant))
        return NULL;
    struct api_job *job = api_job_new(call, work);
    if (job) {
        job->tenant = tenant;
        job->logs = source;
    }
    return job;
}

struct store_event_limits loki__limits(struct api_job *job)
{
    return (struct store_event_limits){.memory = &job->memory,
                                       .scan_rows_max = (uint64_t)job->limits.log_scan_rows,
                                       .scan_rows_setting = "limits.logs.scan_rows",
                                       .scan_bytes_max = (uint64_t)job->limits.log_scan_bytes,
                                       .scan_bytes_setting = "limits.logs.scan_bytes",
                                       .deadline_ns = job->deadline_ns,
                                       .deadline_setting = "limits.query.timeout",
                                       .cancelled = &job->cancelled};
}

void loki__env(struct api_job *job, struct logql_env *out)
{
    struct api_host *host = job->api->host;
    *out = (struct logql_env){.source = job->logs,
                              .tenant = job->tenant,
                              .pool = job->api->pool,
                              .limits = loki__limits(job),
                              .now_ns = host->now_ns(host->ctx)};
}

void loki__allow_partial(struct logql_env *env, struct logql_partial *partial)
{
    int64_t left_ns = env->limits.deadline_ns - api__monotonic_ns();
    env->partial = partial;
    if (env->limits.deadline_ns && left_ns > 0)
        env->limits.deadline_ns -= left_ns / 4;
}

int64_t loki__partial_deadline_ns(int64_t deadline_ns)
{
    return api__deadline_ns(deadline_ns, PARTIAL_REST_NS);
}

void loki__put_warning(struct codec_json_writer *w, const struct logql_partial *partial)
{
    struct buf text = {0};
    logql_partial_text(partial, &text);
    codec_json_key(w, SLICE("warnings"));
    codec_json_begin_array(w);
    codec_json_string(w, buf_slice(&text));
    codec_json_end_array(w);
    buf_deinit(&text);
}

/* --- selectors --- */

bool loki__scope_read(struct api_call *call, int64_t since_ns, struct loki__scope *out)
{
    struct diag diag;
    diag_init(&diag);
    *out = (struct loki__scope){.query = net_request_param(call->req, "query"),
                                .protobuf = out->protobuf,
                                .legacy = out->legacy};
    if (!loki__param_range(call, since_ns, &out->start_ns, &out->end_ns, &diag))
        return true;
    api__plain_error(call->req, 400, "%s", diag.msg);
    return false;
}

bool loki__scope_select(struct api_job *job, struct loki__scope *s, bool required,
                        struct store_event_select *out)
{
    struct diag diag;
    diag_init(&diag);
    *out = (struct store_event_select){.tenant = job->tenant,
                                       .t_min_ns = s->start_ns,
                                       .t_max_ns = s->end_ns,
                                       .limits = loki__limits(job)};
    struct slice text = slice_trim(s->query);
    if (!text.len && !required)
        return true;
    /* Drilldown asks with {} for everything. */
    int err = logql_parse_selector(text, true, job->call_arena, &s->expr, &diag);
    if (err) {
        struct diag full;
        diag_init(&full);
        err = logql_parse(text, job->call_arena, &s->expr, &full);
        diag = full;
    }
    if (err) {
        loki__job_parse_error(job, &diag);
        return false;
    }
    out->matchers = logql_matchers(s->expr, &out->matcher_count);
    return true;
}

void loki__scope_cleanup(struct api_job *job)
{
    struct loki__scope *s = job->state;
    logql_expr_free(s->expr);
    s->expr = NULL;
}

struct slice loki__label_name(struct arena *arena, struct slice name)
{
    return logql_sanitize(arena, name);
}
