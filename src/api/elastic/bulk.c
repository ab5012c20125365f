/* Documents in: body -> decode -> sink, answered item by item when the store says that they are
 * durable. A failure of the store as a whole is a 503 of the whole request, which every client
 * sends again; what one document did wrong is told at its item. */
#include <stdio.h>

#include "api/elastic/door_priv.h"
#include "api/elastic/ids.h"
#include "base/counter.h"
#include "base/mem.h"
#include "decode/elastic/bulk.h"

#define IDS_MAX      1000000             /* documents whose ids are known; 16 to 43 bytes each */
#define INLINE_BYTES ((size_t)128 << 10) /* larger bodies are decoded on a worker */

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
        .help = "Documents that broke a rule of the protocol, by reason.",                         \
        .labels = "reason=\"" reason "\""                                                          \
    }
static struct counter refused[DECODE_ELASTIC_REFUSED_COUNT] = {
    [DECODE_ELASTIC_BAD_JSON] = REFUSED("bad_json"),
    [DECODE_ELASTIC_BAD_TIME] = REFUSED("bad_timestamp"),
    [DECODE_ELASTIC_BAD_INDEX] = REFUSED("bad_index"),
    [DECODE_ELASTIC_REPEATED] = REFUSED("repeated"),
    [DECODE_ELASTIC_BAD_ACTION] = REFUSED("bad_action"),
};
static struct counter volume[] = {
    {.name = "pharos_elastic_received_documents_total", .help = "Documents that requests brought."},
    {.name = "pharos_elastic_received_bytes_total", .help = "Bytes of these documents."},
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
    api->elastic_ids = elastic_ids_new(IDS_MAX);
    counter_register(requests, ARRAY_LEN(requests));
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(volume, ARRAY_LEN(volume));
}

void elastic__free(struct api *api)
{
    pipe_kits_free(api->elastic_kits);
    elastic_ids_free(api->elastic_ids);
}

struct bulk {
    struct api *api;
    struct net_request *req;
    struct net_loop *loop;
    struct slice tenant, filter;
    struct decode_elastic_request in;
    struct decode_elastic_result result;
    bool single; /* a document of its own, not a bulk body */
    enum decode_elastic_action action;
    struct slice id;
    struct diag diag;
    int decode_err, store_err;
    uint8_t *row_refusals; /* of the batch's rows */
    struct pipe_result stored;
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
        codec_json_put_string(w, "result", SLICE("created"));
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
        codec_json_put_int(
            &w, "took", (b->api->host->now_ns(b->api->host->ctx) - b->in.received_ns) / NS_PER_MS);
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

/* What the store said, at the items. Returns how many were refused, by it or before. */
static size_t settle(struct bulk *b)
{
    size_t bad = 0;
    for (size_t i = 0; i < b->result.items.len; i++) {
        struct decode_elastic_item *item = &b->result.items.items[i];
        if (item->status < 300 && b->row_refusals && b->row_refusals[item->row]) {
            unsigned why = MIN(b->row_refusals[item->row] - 1u, PIPE_REFUSED_COUNT - 1u);
            item->status = store_words[why].status;
            item->error_type = store_words[why].type;
            item->reason = slice_cstr(store_words[why].reason);
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
        elastic__respond_error(b->req, item->status, item->error_type, "%.*s",
                               SLICE_FMT(item->reason));
        return;
    }
    codec_json_init(&w, &out);
    put_item(&w, item, all);
    elastic__respond(b->req, 201, buf_slice(&out));
    buf_deinit(&out);
}

static void respond(struct bulk *b)
{
    struct buf out = {0};
    size_t bad = settle(b);
    counter_add(&requests[!bad                         ? COUNT_OK
                          : bad == b->result.items.len ? COUNT_REFUSED
                                                       : COUNT_PARTIAL],
                1);
    if (b->single) {
        respond_single(b);
        return;
    }
    put_items(b, bad > 0, &out);
    elastic__respond(b->req, 200, buf_slice(&out));
    buf_deinit(&out);
}

/* Ids of documents that were not stored may come again. */
static void release_ids(struct bulk *b)
{
    for (size_t i = 0; i < b->result.items.len; i++) {
        const struct decode_elastic_item *item = &b->result.items.items[i];
        bool refused_row =
            !b->store_err && item->status < 300 && b->row_refusals && b->row_refusals[item->row];
        if (item->is_claimed &&
            (b->decode_err || b->store_err || item->status >= 300 || refused_row))
            elastic_ids_release(b->api->elastic_ids, b->tenant, item->index, item->id);
    }
}

static bool claim(void *ctx, struct slice index, struct slice id)
{
    struct bulk *b = ctx;
    return elastic_ids_claim(b->api->elastic_ids, b->tenant, index, id);
}

static void answer(void *ctx)
{
    struct bulk *b = ctx;
    release_ids(b);
    for (int i = 0; i < DECODE_ELASTIC_REFUSED_COUNT; i++)
        counter_add(&refused[i], (int64_t)b->result.refused[i]);
    counter_add(&volume[0], (int64_t)b->result.documents);
    counter_add(&volume[1], (int64_t)b->result.bytes);
    if (b->decode_err) {
        counter_add(&requests[COUNT_REFUSED], 1);
        elastic__respond_error(b->req, 400, "illegal_argument_exception", "%s", b->diag.msg);
    } else if (b->store_err) {
        const struct diag *why = &b->stored.first_refusal;
        counter_add(&requests[COUNT_FAILED], 1);
        net_response_header(b->req, "Retry-After", SLICE("5"));
        elastic__respond_error(b->req, 503, "unavailable_shards_exception", "%s",
                               why->code                     ? why->msg
                               : b->store_err == ERR_NOSPACE ? "the disk is full"
                                                             : err_name(b->store_err));
    } else {
        respond(b);
    }
    vec_free(&b->result.items);
    mem_free(b->row_refusals);
    mem_free(b);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct bulk *b = ctx;
    b->store_err = err;
    if (result)
        b->stored = *result;
    net_loop_post(b->loop, answer, b);
}

/* --- the request --- */

static void decode_and_store(void *ctx)
{
    struct bulk *b = ctx;
    struct api *api = b->api;
    struct pipe_kit *kit = pipe_kit_take(api->elastic_kits, b->tenant);
    diag_init(&b->diag);
    if (b->single)
        decode_elastic_document(&b->in, b->action, b->id, kit->events, &b->result);
    else
        b->decode_err = decode_elastic_bulk(&b->in, kit->events, &b->result, &b->diag);
    if (b->decode_err || !kit->events->rows.len) {
        net_loop_post(b->loop, answer, b);
    } else {
        b->row_refusals = mem_calloc(kit->events->rows.len, 1);
        kit->events->row_refusals = b->row_refusals;
        api->sink->logs(api->sink, kit->events, on_ack, b); /* b may be gone after this */
    }
    pipe_kit_give(api->elastic_kits, kit);
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
    b->api = api;
    b->req = req;
    b->loop = net_request_loop(req);
    b->tenant = tenant;
    b->filter = net_request_param(req, "filter_path");
    b->in.body = net_request_body(req);
    b->in.index = index;
    b->in.received_ns = api->host->now_ns(api->host->ctx);
    b->in.seed = (uint64_t)b->in.received_ns ^ atomic_fetch_add(&count, 1) << 48;
    b->in.arena = net_request_arena(req);
    b->in.claim = claim;
    b->in.claim_ctx = b;
    return b;
}

static void run(struct bulk *b)
{
    if (b->in.body.len > INLINE_BYTES)
        b->api->pool->submit(b->api->pool, TASK_INTERACTIVE, decode_and_store, b);
    else
        decode_and_store(b);
}

void elastic__bulk(struct api_call *call)
{
    struct bulk *b = new_bulk(call, (struct slice){NULL, 0});
    if (b)
        run(b);
}

void elastic__bulk_index(struct api_call *call)
{
    struct bulk *b = new_bulk(call, call->args[0]);
    if (b)
        run(b);
}

static void single(struct api_call *call, enum decode_elastic_action action, struct slice id)
{
    struct bulk *b = new_bulk(call, call->args[0]);
    if (!b)
        return;
    b->single = true;
    b->action = action;
    b->id = id;
    run(b);
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
