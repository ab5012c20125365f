/* Documents in: body -> decode -> sink, answered item by item when the store says that they are
 * durable. A failure of the store as a whole is a 503 of the whole request, which every client
 * sends again; what one document did wrong is told at its item. */
#include <stdio.h>
#include <stdlib.h>

#include "api/elastic/door_priv.h"
#include "api/elastic/ids.h"
#include "api/push.h"
#include "base/counter.h"
#include "base/mem.h"
#include "decode/elastic/bulk.h"

#define IDS_MAX 1000000 /* documents whose ids are known; 16 to 43 bytes each */

#define REQUESTS(result)                                                                           \
    {                                                                                              \
        .name = "pharos_elastic_requests_total", .help = "Bulk and document requests answered.",   \
        .labels = "result=\"" result "\""                                                          \
    }
enum { COUNT_OK, COUNT_PARTIAL, COUNT_REFUSED, COUNT_FAILED };
static struct counter requests[] = {REQUESTS("ok"), REQUESTS("partial"), REQUESTS("refused"),
                                    REQUESTS("failed")};
#define REFUSED(reason)                                                                            \
    {                                                                                              \
        .name = "pharos_elastic_refused_documents_total",                                          \
        .help = "Documents that broke a rule of the protocol or were there before, by reason.",    \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[DECODE_ELASTIC_REFUSED_COUNT] = {
    [DECODE_ELASTIC_BAD_JSON] = REFUSED("bad_json"),
    [DECODE_ELASTIC_BAD_TIME] = REFUSED("bad_timestamp"),
    [DECODE_ELASTIC_BAD_INDEX] = REFUSED("bad_index"),
    [DECODE_ELASTIC_REPEATED] = REFUSED("repeated"),
    [DECODE_ELASTIC_BUSY] = REFUSED("in_work"),
    [DECODE_ELASTIC_BAD_ACTION] = REFUSED("bad_action"),
};
static struct counter volume[] = {
    {.name = "pharos_elastic_received_documents_total", .help = "Documents that requests brought."},
    {.name = "pharos_elastic_received_bytes_total", .help = "Bytes of these documents."},
    {.name = "pharos_elastic_metric_documents_total",
     .help = "Of these, Beats' measurements that became samples (elastic.metrics)."},
    {.name = "pharos_elastic_metric_samples_total", .help = "Samples of these."},
    {.name = "pharos_elastic_pipeline_documents_total",
     .help = "Documents whose action names an ingest pipeline, which did not run."},
};

/* What the store refuses, in an item's words. */
static const struct {
    int status;
    const char *type, *reason;
} store_words[PIPE_REFUSED_COUNT] = {
    [PIPE_REFUSED_INVALID] = {400, "document_parsing_exception",
                              "the document breaks the rules for its fields"},
    [PIPE_REFUSED_TOO_OLD] = {400, "document_parsing_exception",
                              "@timestamp is older than the retention (retention.logs)"},
    [PIPE_REFUSED_TOO_NEW] = {400, "document_parsing_exception",
                              "@timestamp is too far in the future (limits.future)"},
    [PIPE_REFUSED_SERIES_LIMIT] = {429, "es_rejected_execution_exception",
                                   "a new series is over the limit (limits.series)"},
    [PIPE_REFUSED_LABEL_LIMIT] = {400, "document_parsing_exception",
                                  "the stream has too many or too long labels "
                                  "(limits.label_count, limits.label_bytes)"},
    [PIPE_REFUSED_STREAM_LIMIT] = {429, "es_rejected_execution_exception",
                                   "a new stream is over the limit (limits.streams)"},
    [PIPE_REFUSED_LINE_SIZE] = {400, "document_parsing_exception",
                                "the message is too long (limits.line_size)"},
    [PIPE_REFUSED_FIELD_LIMIT] = {400, "document_parsing_exception",
                                  "the document has too many or too long fields (limits.fields, "
                                  "limits.field_size)"},
};

void elastic__init(struct api *api)
{
    api->elastic_kits = pipe_kits_new(PIPE_KIT_LOGS, 0, NULL);
    api->elastic_metric_kits = pipe_kits_new(PIPE_KIT_METRICS, 0, NULL);
    api->elastic_ids = elastic_ids_new(IDS_MAX);
    counter_register(requests, ARRAY_LEN(requests));
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(volume, ARRAY_LEN(volume));
}

void elastic__free(struct api *api)
{
    pipe_kits_free(api->elastic_kits);
    pipe_kits_free(api->elastic_metric_kits);
    elastic_ids_free(api->elastic_ids);
}

struct bulk {
    struct api__push base; /* first */
    struct slice filter;
    struct decode_elastic_request in;
    struct decode_elastic_result result;
    int metrics; /* enum api_elastic_metrics */
    bool single; /* a document of its own, not a bulk body */
    enum decode_elastic_action action;
    struct slice id;
    uint8_t *row_refusals; /* of the batch's rows */
    size_t bad;            /* items that are refused */
    bool pipeline;         /* the request names one */
};

/* --- the answer --- */

enum field { INDEX, ID, VERSION, RESULT, SHARDS, SEQ_NO, TERM, STATUS, TYPE, REASON, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {
    "_index",  "_id",           "_version", "result",     "_shards",
    "_seq_no", "_primary_term", "status",   "error.type", "error.reason"};

static void put_item(struct codec_json_writer *w, const struct decode_elastic_item *item,
                     const bool *shown)
{
    bool ok = item->status < 300;
    codec_json_begin_object(w);
    if (shown[INDEX])
        codec_json_put_string(w, "_index", item->index.ptr ? item->index : SLICE(""));
    if (shown[ID])
        codec_json_put_string(w, "_id", item->id);
    if (ok && shown[VERSION])
        codec_json_put_int(w, "_version", 1);
    if (ok && shown[RESULT])
        codec_json_put_string(w, "result",
                              item->status == 201                     ? SLICE("created")
                              : item->action == DECODE_ELASTIC_UPDATE ? SLICE("noop")
                                                                      : SLICE("updated"));
    if (ok && shown[SHARDS]) {
        codec_json_key(w, SLICE("_shards"));
        codec_json_raw(w, SLICE("{\"total\":1,\"successful\":1,\"failed\":0}"));
    }
    if (ok && shown[SEQ_NO])
        codec_json_put_int(w, "_seq_no", 0);
    if (ok && shown[TERM])
        codec_json_put_int(w, "_primary_term", 1);
    if (shown[STATUS])
        codec_json_put_int(w, "status", item->status);
    if (!ok && (shown[TYPE] || shown[REASON])) {
        codec_json_key(w, SLICE("error"));
        codec_json_begin_object(w);
        if (shown[TYPE])
            codec_json_put_string(w, "type", slice_cstr(item->error_type));
        if (shown[REASON])
            codec_json_put_string(w, "reason", item->reason);
        codec_json_end_object(w);
    }
    codec_json_end_object(w);
}

static bool is_empty(const struct decode_elastic_item *item, const bool *shown)
{
    bool ok = item->status < 300, any = false;
    for (int f = INDEX; f < FIELD_COUNT; f++)
        any |= shown[f] && (f <= ID || f == STATUS || (f < STATUS) == ok);
    return !any;
}

static void put_items(const struct bulk *b, bool errors, struct buf *out)
{
    struct codec_json_writer w;
    bool shown[DECODE_ELASTIC_DELETE + 1][FIELD_COUNT];
    char path[64];
    bool begun = false;
    for (int a = 0; a <= DECODE_ELASTIC_DELETE; a++) {
        for (int f = 0; f < FIELD_COUNT; f++) {
            snprintf(path, sizeof(path), "items.%s.%s",
                     decode_elastic_action_name((enum decode_elastic_action)a), field_names[f]);
            shown[a][f] = elastic__filter_shows(b->filter, slice_cstr(path));
        }
    }
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    if (elastic__filter_shows(b->filter, SLICE("errors")))
        codec_json_put_bool(&w, "errors", errors);
    if (elastic__filter_shows(b->filter, SLICE("took")))
        codec_json_put_int(&w, "took",
                           (b->base.api->host->now_ns(b->base.api->host->ctx) - b->in.received_ns) /
                               NS_PER_MS);
    for (size_t i = 0; i < b->result.items.len; i++) {
        const struct decode_elastic_item *item = &b->result.items.items[i];
        if (is_empty(item, shown[item->action]))
            continue;
        if (!begun) {
            codec_json_key(&w, SLICE("items"));
            codec_json_begin_array(&w);
            begun = true;
        }
        codec_json_begin_object(&w);
        codec_json_key(&w, slice_cstr(decode_elastic_action_name(item->action)));
        put_item(&w, item, shown[item->action]);
        codec_json_end_object(&w);
    }
    if (begun)
        codec_json_end_array(&w);
    codec_json_end_object(&w);
}

static bool is_row_refused(const struct bulk *b, const struct decode_elastic_item *item)
{
    return item->has_row && b->row_refusals && b->row_refusals[item->row];
}

/* Which samples found no room nobody knows: all of them may come again, without harm. */
static bool is_over_series(const struct bulk *b)
{
    return b->base.metrics.refused[PIPE_REFUSED_SERIES_LIMIT] > 0;
}

static void refuse_item(struct decode_elastic_item *item, unsigned why, const char *reason)
{
    item->status = store_words[why].status;
    item->error_type = store_words[why].type;
    item->reason = slice_cstr(reason);
}

static int by_time(const void *a, const void *b)
{
    const struct decode_elastic_item *x = *(struct decode_elastic_item *const *)a,
                                     *y = *(struct decode_elastic_item *const *)b;
    return (x->samples_ts_ns > y->samples_ts_ns) - (x->samples_ts_ns < y->samples_ts_ns);
}

/* The store says how many samples were too old and too new, and all of a document have one time: it
 * were those of the oldest documents, and of the newest ones. */
static void refuse_measurements_by_time(struct bulk *b)
{
    size_t old = b->base.metrics.refused[PIPE_REFUSED_TOO_OLD],
           new = b->base.metrics.refused[PIPE_REFUSED_TOO_NEW], count = 0;
    if (!old && !new)
        return;
    struct decode_elastic_item **items =
        mem_alloc(b->result.items.len * sizeof(struct decode_elastic_item *));
    for (size_t i = 0; i < b->result.items.len; i++) {
        if (b->result.items.items[i].samples)
            items[count++] = &b->result.items.items[i];
    }
    qsort(items, count, sizeof(*items), by_time);
    for (size_t i = 0; i < count && old; i++) {
        old -= MIN(old, items[i]->samples);
        refuse_item(items[i], PIPE_REFUSED_TOO_OLD,
                    "@timestamp is older than the retention (retention.metrics)");
    }
    for (size_t i = count; i > 0 && new; i--) {
        new -= MIN(new, items[i - 1]->samples);
        refuse_item(items[i - 1], PIPE_REFUSED_TOO_NEW, store_words[PIPE_REFUSED_TOO_NEW].reason);
    }
    mem_free(items);
}

/* What the store said, at the items. Returns how many were refused, by it or before. */
static size_t settle(struct bulk *b)
{
    size_t bad = 0;
    refuse_measurements_by_time(b);
    for (size_t i = 0; i < b->result.items.len; i++) {
        struct decode_elastic_item *item = &b->result.items.items[i];
        bool row = item->status < 300 && is_row_refused(b, item);
        if (row || (item->status < 300 && item->samples && is_over_series(b))) {
            unsigned why = row ? MIN(b->row_refusals[item->row] - 1u, PIPE_REFUSED_COUNT - 1u)
                               : PIPE_REFUSED_SERIES_LIMIT;
            refuse_item(item, why, store_words[why].reason);
        }
        bad += item->status >= 300;
    }
    return bad;
}

static void respond_single(struct bulk *b)
{
    const struct decode_elastic_item *item = &b->result.items.items[0];
    static const bool all[FIELD_COUNT] = {true, true, true, true, true, true, true};
    struct buf out = {0};
    struct codec_json_writer w;
    if (item->status >= 300) {
        elastic__respond_error(b->base.req, item->status, item->error_type, "%.*s",
                               SLICE_FMT(item->reason));
        return;
    }
    codec_json_init(&w, &out);
    put_item(&w, item, all);
    elastic__respond(b->base.req, item->status, buf_slice(&out));
    buf_deinit(&out);
}

static void respond(struct bulk *b)
{
    struct buf out = {0};
    size_t bad = b->bad;
    counter_add(&requests[!bad                         ? COUNT_OK
                          : bad == b->result.items.len ? COUNT_REFUSED
                                                       : COUNT_PARTIAL],
                1);
    if (b->single) {
        respond_single(b);
        return;
    }
    put_items(b, bad > 0, &out);
    elastic__respond(b->base.req, 200, buf_slice(&out));
    buf_deinit(&out);
}

static struct elastic_ids_key key_of(const struct bulk *b, struct slice index, struct slice id)
{
    return (struct elastic_ids_key){b->base.tenant, index, id};
}

/* Ids of documents that were not stored may come again. */
static void settle_ids(struct bulk *b)
{
    for (size_t i = 0; i < b->result.items.len; i++) {
        const struct decode_elastic_item *item = &b->result.items.items[i];
        if (item->is_claimed)
            elastic_ids_settle(b->base.api->elastic_ids, key_of(b, item->index, item->id),
                               !b->base.decode_err && !b->base.store_err && item->status < 300);
    }
}

/* Whether a document was stored before the process began, with the time and line it has now. */
static bool is_restored(struct bulk *b, const struct decode_elastic_item *item, struct slice source)
{
    struct elastic_ids *ids = b->base.api->elastic_ids;
    struct elastic_ids_key key = key_of(b, decode_elastic_index_base(item->index), item->id);
    int64_t ts_ns;
    struct slice line;
    if (!elastic_ids_may_be_restored(ids, key))
        return false;
    struct data_event_batch *scratch = data_event_batch_new(DATA_EVENT_LOGS, b->base.tenant);
    bool is = decode_elastic_look(&b->in, source, item->index, scratch, &ts_ns, &line) &&
              elastic_ids_is_restored(ids, key, ts_ns, line);
    data_event_batch_free(scratch);
    return is;
}

static enum decode_elastic_claim claim(void *ctx, const struct decode_elastic_item *item,
                                       struct slice source)
{
    struct bulk *b = ctx;
    struct elastic_ids *ids = b->base.api->elastic_ids;
    elastic__restore_ids(b->base.api, b->base.tenant);
    if (is_restored(b, item, source))
        return DECODE_ELASTIC_KNOWN;
    switch (elastic_ids_claim(ids, b, key_of(b, item->index, item->id), source,
                              item->action != DECODE_ELASTIC_CREATE)) {
    case ELASTIC_IDS_NEW: return DECODE_ELASTIC_NEW;
    case ELASTIC_IDS_KNOWN: return DECODE_ELASTIC_KNOWN;
    default: return DECODE_ELASTIC_IN_WORK;
    }
}

static void answer(struct api__push *base)
{
    struct bulk *b = BASE_CONTAINER_OF(base, struct bulk, base);
    b->bad = settle(b);
    settle_ids(b);
    size_t piped = b->pipeline ? b->result.documents : b->result.pipeline_documents;
    if (b->pipeline || piped)
        elastic__warn_of_pipelines(base->req);
    for (int i = 0; i < DECODE_ELASTIC_REFUSED_COUNT; i++)
        counter_add(&refused[i], (int64_t)b->result.refused[i]);
    counter_add(&volume[0], (int64_t)b->result.documents);
    counter_add(&volume[1], (int64_t)b->result.bytes);
    counter_add(&volume[2], (int64_t)b->result.metric_documents);
    counter_add(&volume[3], (int64_t)b->result.samples);
    counter_add(&volume[4], (int64_t)piped);
    if (base->decode_err) {
        counter_add(&requests[COUNT_REFUSED], 1);
        elastic__respond_error(base->req, 400, "illegal_argument_exception", "%s", base->diag.msg);
    } else if (base->store_err) {
        counter_add(&requests[COUNT_FAILED], 1);
        net_response_header(base->req, "Retry-After", SLICE("5"));
        elastic__respond_error(base->req, 503, "unavailable_shards_exception", "%s",
                               api__push_store_words(base));
    } else {
        respond(b);
    }
    vec_free(&b->result.items);
    mem_free(b->row_refusals);
    mem_free(b);
}

/* --- the request --- */

static int decode(struct api__push *base, struct pipe_kit *kit, struct pipe_kit *metrics)
{
    struct bulk *b = BASE_CONTAINER_OF(base, struct bulk, base);
    enum api_elastic_metrics mode = (enum api_elastic_metrics)b->metrics;
    int err = 0;
    b->in.metrics = mode == API_ELASTIC_LINES ? NULL : metrics->metrics;
    b->in.metric_rows = mode == API_ELASTIC_BOTH;
    if (b->single)
        decode_elastic_document(&b->in, b->action, b->id, kit->events, &b->result);
    else
        err = decode_elastic_bulk(&b->in, kit->events, &b->result, &base->diag);
    b->row_refusals = mem_calloc(kit->events->rows.len + 1, 1);
    kit->events->row_refusals = b->row_refusals;
    return err;
}

/* NULL: it answered. */
static struct bulk *new_bulk(struct api_call *call, struct slice index)
{
    static _Atomic uint64_t count;
    struct api *api = call->api;
    struct net_request *req = call->req;
    struct slice tenant;
    if (!api__tenant_read(req, &tenant)) {
        elastic__respond_error(req, 400, "illegal_argument_exception", "%s", API__TENANT_RULE);
        return NULL;
    }
    if (!api->logs || !api->ready) {
        net_response_header(req, "Retry-After", SLICE("1"));
        elastic__respond_error(req, 503, "cluster_block_exception",
                               api->logs ? "Pharos is not ready yet"
                                         : "this Pharos has no store for logs");
        return NULL;
    }
    struct bulk *b = mem_calloc(1, sizeof(*b));
    api__push_init(&b->base, call, tenant);
    b->base.event_kits = api->elastic_kits;
    b->base.metric_kits = api->elastic_metric_kits;
    b->base.decode = decode;
    b->base.answer = answer;
    b->metrics = api__limits(api).elastic_metrics;
    b->filter = net_request_param(req, "filter_path");
    struct slice pipeline = net_request_param(req, "pipeline");
    b->pipeline = pipeline.len && !slice_eq_cstr(pipeline, "_none");
    b->in.body = net_request_body(req);
    /* What was stored before is read first, which takes a while. */
    b->base.on_worker =
        slice_find(slice_first(b->in.body, API__PUSH_INLINE_BYTES), SLICE("\"_id\"")) >= 0 &&
        elastic_ids_needs_restore(api->elastic_ids, tenant);
    b->in.index = index;
    b->in.received_ns = api->host->now_ns(api->host->ctx);
    b->in.seed = (uint64_t)b->in.received_ns ^ atomic_fetch_add(&count, 1) << 48;
    b->in.arena = net_request_arena(req);
    b->in.claim = claim;
    b->in.claim_ctx = b;
    return b;
}

void elastic__bulk(struct api_call *call)
{
    struct bulk *b = new_bulk(call, (struct slice){NULL, 0});
    if (b)
        api__push_start(&b->base);
}

void elastic__bulk_index(struct api_call *call)
{
    struct bulk *b = new_bulk(call, call->args[0]);
    if (b)
        api__push_start(&b->base);
}

static void single(struct api_call *call, enum decode_elastic_action action, struct slice id)
{
    struct bulk *b = new_bulk(call, call->args[0]);
    if (!b)
        return;
    b->single = true;
    b->action = action;
    b->id = id;
    b->base.on_worker =
        id.ptr && elastic_ids_needs_restore(b->base.api->elastic_ids, b->base.tenant);
    api__push_start(&b->base);
}

void elastic__doc(struct api_call *call)
{
    single(call, DECODE_ELASTIC_INDEX, (struct slice){NULL, 0});
}

void elastic__doc_id(struct api_call *call)
{
    single(call, DECODE_ELASTIC_INDEX, call->args[1]);
}

void elastic__create_id(struct api_call *call)
{
    single(call, DECODE_ELASTIC_CREATE, call->args[1]);
}
