/* The lines of a bulk body: an action, and the document that goes with it. */
#include "decode/elastic/bulk.h"

#include <stdio.h>

#include "base/hash.h"
#include "codec/utf8.h"
#include "decode/elastic/bulk_priv.h"

#define ID_CHARS        20
#define INDEX_BYTES_MAX 255

const char *decode_elastic_action_name(enum decode_elastic_action action)
{
    static const char *const names[] = {"index", "create", "update", "delete"};
    return names[action];
}

const char *decode_elastic_refusal_name(enum decode_elastic_refusal reason)
{
    static const char *const names[] = {"bad_json", "bad_timestamp", "bad_index",
                                        "repeated", "in_work",       "bad_action"};
    return names[reason];
}

static void refuse(struct decode__elastic *d, struct decode_elastic_item *item,
                   enum decode_elastic_refusal reason, const char *type, const char *text)
{
    item->status = 400;
    item->error_type = type;
    item->reason = arena_slice(d->req->arena, slice_cstr(text));
    d->out->refused[reason]++;
}

static struct slice make_id(struct decode__elastic *d)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t words[2] = {d->req->seed, d->made++};
    struct hash128 h = hash128(words, sizeof(words));
    char *text = ARENA_ARRAY(d->req->arena, char, ID_CHARS);
    for (size_t i = 0; i < ID_CHARS; i++) {
        uint64_t *half = i < ID_CHARS / 2 ? &h.lo : &h.hi;
        text[i] = digits[*half & 63];
        *half >>= 6;
    }
    return slice_make(text, ID_CHARS);
}

/* Elasticsearch's rules for names. NULL: good. */
static const char *judge_index(struct slice index)
{
    if (!index.len)
        return "an index is missing: name it in the path or as _index of the action";
    if (index.len > INDEX_BYTES_MAX)
        return "invalid index name: it is longer than 255 bytes";
    if (index.ptr[0] == '-' || index.ptr[0] == '_' || index.ptr[0] == '+' ||
        slice_eq_cstr(index, ".") || slice_eq_cstr(index, ".."))
        return "invalid index name: it must not start with '_', '-' or '+', nor be '.' or '..'";
    for (size_t i = 0; i < index.len; i++) {
        char c = index.ptr[i];
        if (c >= 'A' && c <= 'Z')
            return "invalid index name: it must be lowercase";
        if ((unsigned char)c < 0x21 || strchr("\\/*?\"<>|,#", c))
            return "invalid index name: it must not contain spaces or any of \\ / * ? \" < > | , #";
    }
    return codec_utf8_valid(index) ? NULL : "invalid index name: it is no UTF-8";
}

/* False: it is settled by what is known of its id. */
static bool claim(struct decode__elastic *d, struct decode_elastic_item *item, struct slice source)
{
    enum decode_elastic_claim answer =
        d->req->claim ? d->req->claim(d->req->claim_ctx, item, source) : DECODE_ELASTIC_NEW;
    char words[400];
    item->is_claimed = d->req->claim && answer == DECODE_ELASTIC_NEW;
    if (answer == DECODE_ELASTIC_NEW)
        return true;
    if (answer == DECODE_ELASTIC_IN_WORK) {
        refuse(d, item, DECODE_ELASTIC_BUSY, "es_rejected_execution_exception",
               "another request is storing a document of this id: send it again");
        item->status = 429;
    } else if (item->action == DECODE_ELASTIC_CREATE) {
        snprintf(words, sizeof(words),
                 "[%.*s]: version conflict, document already exists (current version [1])",
                 SLICE_FMT(slice_first(item->id, 300)));
        refuse(d, item, DECODE_ELASTIC_REPEATED, "version_conflict_engine_exception", words);
        item->status = 409;
    } else {
        d->out->refused[DECODE_ELASTIC_REPEATED]++;
        item->status = 200;
    }
    return false;
}

static void take_document(struct decode__elastic *d, struct decode_elastic_item *item,
                          struct slice source)
{
    struct diag why;
    enum decode_elastic_refusal reason;
    struct slice given = item->id;
    const char *bad = judge_index(item->index);
    diag_init(&why);
    if (!item->id.ptr)
        item->id = make_id(d);
    if (bad) {
        refuse(d, item, DECODE_ELASTIC_BAD_INDEX, "invalid_index_name_exception", bad);
        return;
    }
    if (given.ptr && !claim(d, item, source))
        return;
    int err =
        decode__elastic_metricset(d, source, &item->samples, &item->samples_ts_ns, &reason, &why);
    if (!err && (!item->samples || d->req->metric_rows)) {
        err = decode__elastic_row(d, source, item->index, given, &item->row, &reason, &why);
        item->has_row = !err;
    }
    if (err) {
        refuse(d, item, reason, "document_parsing_exception", why.msg);
        return;
    }
    d->out->metric_documents += item->samples > 0;
    d->out->samples += item->samples;
    item->status = 201;
    d->out->documents++;
    d->out->bytes += source.len;
}

static bool take_line(struct slice *rest, struct slice *out)
{
    if (!rest->len)
        return false;
    ptrdiff_t end = slice_find_char(*rest, '\n');
    *out = end < 0 ? *rest : slice_first(*rest, (size_t)end);
    *rest = slice_from(*rest, out->len + (end >= 0));
    if (out->len && out->ptr[out->len - 1] == '\r')
        out->len--;
    return true;
}

static bool find_action(struct slice name, enum decode_elastic_action *out)
{
    for (int i = DECODE_ELASTIC_INDEX; i <= DECODE_ELASTIC_DELETE; i++) {
        if (slice_eq_cstr(name, decode_elastic_action_name((enum decode_elastic_action)i))) {
            *out = (enum decode_elastic_action)i;
            return true;
        }
    }
    return false;
}

static void read_text(struct codec_json_reader *r, struct slice *out)
{
    enum codec_json_kind kind;
    if (codec_json_read_null(r) || !codec_json_peek(r, &kind))
        return;
    if (kind == CODEC_JSON_NUMBER)
        codec_json_read_number_text(r, out);
    else
        codec_json_read_string(r, out);
}

/* {"doc":{...},"doc_as_upsert":true}: what an update adds when it is not there yet. False: it is
 * something else. */
static bool read_upsert(struct decode__elastic *d, struct slice body, struct slice *out)
{
    struct codec_json_reader r = codec_json_reader(body, d->req->arena, NULL);
    struct slice key, doc = SLICE("");
    bool upsert = false;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "doc"))
            codec_json_read_raw(&r, &doc);
        else if (slice_eq_cstr(key, "doc_as_upsert"))
            codec_json_read_bool(&r, &upsert);
        else
            codec_json_skip(&r);
    }
    *out = doc;
    return !codec_json_read_end(&r) && upsert && doc.len;
}

/* {"create":{"_index":"i","_id":"1"}} */
static int read_action(struct decode__elastic *d, struct slice line, size_t number,
                       struct decode_elastic_item *item, struct diag *diag)
{
    struct diag why;
    diag_init(&why);
    struct codec_json_reader r = codec_json_reader(line, d->req->arena, &why);
    struct slice name = SLICE(""), key;
    struct slice pipeline = SLICE("");
    bool any = false, known = true;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &name)) {
        if (any) {
            codec_json_read_error(&r, ERR_INVALID, "a second action on one line");
            break;
        }
        if (!(known = find_action(name, &item->action)))
            break;
        any = true;
        codec_json_read_object(&r);
        while (codec_json_next_key(&r, &key)) {
            if (slice_eq_cstr(key, "_index"))
                read_text(&r, &item->index);
            else if (slice_eq_cstr(key, "_id"))
                read_text(&r, &item->id);
            else if (slice_eq_cstr(key, "pipeline"))
                read_text(&r, &pipeline);
        }
    }
    d->out->pipeline_documents += pipeline.len && !slice_eq_cstr(pipeline, "_none");
    if (known && any && !codec_json_read_end(&r))
        return 0;
    return diag_set(diag, ERR_INVALID,
                    "Malformed action/metadata line [%zu]: one of [create, delete, index, update] "
                    "with an object is expected%s%s%.*s",
                    number, known ? "" : ", found ", why.code ? ": " : "",
                    SLICE_FMT(known ? slice_cstr(why.msg) : slice_first(name, 60)));
}

static int read_item(struct decode__elastic *d, struct slice line, size_t *number,
                     struct slice *rest, struct diag *diag)
{
    struct decode_elastic_item item = {.index = d->req->index};
    struct slice source = SLICE("");
    int err = read_action(d, line, *number, &item, diag);
    if (err)
        return err;
    if (item.action != DECODE_ELASTIC_DELETE) {
        if (!take_line(rest, &source))
            return diag_set(diag, ERR_INVALID,
                            "the last action, on line [%zu], has no source behind it", *number);
        ++*number;
    }
    if (item.action <= DECODE_ELASTIC_CREATE ||
        (item.action == DECODE_ELASTIC_UPDATE && read_upsert(d, source, &source))) {
        take_document(d, &item, source);
    } else {
        if (!item.id.ptr)
            item.id = SLICE("");
        refuse(d, &item, DECODE_ELASTIC_BAD_ACTION, "illegal_argument_exception",
               item.action == DECODE_ELASTIC_UPDATE
                   ? "Pharos stores events, which do not change: send [index] or [create] instead "
                     "of [update], or a [doc] with [doc_as_upsert]"
                   : "Pharos stores events, which are not deleted one by one: they go with "
                     "retention.logs, or by a selector through /loki/api/v1/delete");
    }
    vec_push(&d->out->items, item);
    return 0;
}

static void deinit(struct decode__elastic *d)
{
    decode_record_deinit(&d->record);
    data_labels_builder_deinit(&d->labels);
    vec_free(&d->leaves);
    buf_deinit(&d->path);
}

int decode_elastic_bulk(const struct decode_elastic_request *req, struct data_event_batch *batch,
                        struct decode_elastic_result *out, struct diag *diag)
{
    struct decode__elastic d = {.req = req, .batch = batch, .out = out};
    struct slice rest = req->body, line;
    size_t number = 0;
    int err = 0;
    *out = (struct decode_elastic_result){0};
    while (!err && take_line(&rest, &line)) {
        number++;
        if (slice_trim(line).len)
            err = read_item(&d, line, &number, &rest, diag);
    }
    if (!err && !out->items.len)
        err = diag_set(diag, ERR_INVALID, "request body is required");
    deinit(&d);
    return err;
}

void decode_elastic_document(const struct decode_elastic_request *req,
                             enum decode_elastic_action action, struct slice id,
                             struct data_event_batch *batch, struct decode_elastic_result *out)
{
    struct decode__elastic d = {.req = req, .batch = batch, .out = out};
    struct decode_elastic_item item = {.action = action, .index = req->index, .id = id};
    *out = (struct decode_elastic_result){0};
    take_document(&d, &item, req->body);
    vec_push(&out->items, item);
    deinit(&d);
}
