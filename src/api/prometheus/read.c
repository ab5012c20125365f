/* Remote read: matchers and ranges in, raw samples out, whole or as a stream of chunks. */
#include <stdlib.h>

#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "base/log.h"
#include "codec/compress.h"
#include "decode/remote_read.h"
#include "text/regex.h"

#define FRAME_BYTES   ((size_t)1 << 20)
#define REQUEST_BYTES ((size_t)16 << 20)
#define CHARGE_BYTES  ((size_t)1 << 20) /* of an answer in one piece, at a time */

struct read {
    struct decode_read_request request;
    struct data_labels external;
    struct store_matcher *matchers; /* of the query at hand */
    size_t matcher_count;
    struct store_selection *selection;
    struct store_samples samples;
    struct data_labels_builder labels;
    size_t query, series; /* the next to be sent */
    int64_t samples_left;
};

static void end_query(struct api_job *job)
{
    struct read *rd = job->state;
    if (rd->selection)
        job->api->source->ops->selection_free(rd->selection);
    rd->selection = NULL;
    for (size_t i = 0; i < rd->matcher_count; i++)
        text_regex_free((struct text_regex *)(uintptr_t)rd->matchers[i].regex);
    rd->matcher_count = 0;
}

static void cleanup(struct api_job *job)
{
    struct read *rd = job->state;
    end_query(job);
    store_samples_free(&rd->samples);
    data_labels_builder_deinit(&rd->labels);
}

static void fail(struct api_job *job, int err, const struct diag *diag)
{
    buf_clear(&job->out);
    job->produce = NULL;
    job->content_encoding = NULL;
    job->content_type = "text/plain; charset=utf-8";
    job->status = err == ERR_INVALID || err == ERR_LIMIT || err == ERR_TOO_LARGE ? 400
                  : err == ERR_AGAIN                                             ? 503
                                                                                 : 500;
    buf_append_cstr(&job->out, diag->code ? diag->msg : err_name(err));
    buf_append_char(&job->out, '\n');
}

static int64_t to_ns(int64_t ms)
{
    int64_t ns;
    return __builtin_mul_overflow(ms, NS_PER_MS, &ns) ? ms < 0 ? INT64_MIN : INT64_MAX : ns;
}

static int compile_matchers(struct read *rd, const struct decode_read_query *q, struct arena *arena,
                            struct diag *diag)
{
    static const enum store_match_op ops[] = {[DECODE_READ_EQ] = STORE_MATCH_EQ,
                                              [DECODE_READ_NE] = STORE_MATCH_NE,
                                              [DECODE_READ_RE] = STORE_MATCH_RE,
                                              [DECODE_READ_NRE] = STORE_MATCH_NRE};
    rd->matchers = ARENA_ARRAY(arena, struct store_matcher, q->matcher_count + 1);
    for (size_t i = 0; i < q->matcher_count; i++) {
        const struct decode_read_matcher *from = &q->matchers[i];
        struct store_matcher m = {ops[from->type], from->name, from->value, NULL};
        struct slice external = data_labels_get(rd->external, m.name);
        /* What all series get on their way out is on none of them here. */
        if (m.op == STORE_MATCH_EQ && external.ptr && slice_eq(external, m.value))
            m.value = SLICE("");
        if (m.op == STORE_MATCH_RE || m.op == STORE_MATCH_NRE) {
            struct text_regex *regex = NULL;
            int err = text_regex_compile(m.value, TEXT_REGEX_ANCHORED, &regex, diag);
            if (err)
                return ERR_INVALID;
            m.regex = regex;
        }
        rd->matchers[rd->matcher_count++] = m;
    }
    return 0;
}

static int begin_query(struct api_job *job, struct diag *diag)
{
    struct read *rd = job->state;
    const struct decode_read_query *q = &rd->request.queries[rd->query];
    struct store_select_req req = {.tenant = job->tenant,
                                   .t_min_ns = to_ns(q->start_ms),
                                   .t_max_ns = to_ns(q->end_ms),
                                   .series_max = (size_t)job->limits.query_series,
                                   .memory = &job->memory,
                                   .cancelled = &job->cancelled};
    int err = compile_matchers(rd, q, job->call_arena, diag);
    if (err)
        return err;
    req.matchers = rd->matchers;
    req.matcher_count = rd->matcher_count;
    rd->series = 0;
    return job->api->source->ops->select(job->api->source, &req, &rd->selection, diag);
}

/* The next series of the query at hand in rd->samples and its labels; *out_done when there is none.
 */
static int next_series(struct api_job *job, struct data_labels *out_labels, bool *out_done,
                       struct diag *diag)
{
    struct read *rd = job->state;
    const struct store_source_ops *ops = job->api->source->ops;
    const struct decode_read_query *q = &rd->request.queries[rd->query];
    *out_done = false;
    do {
        if (rd->series == ops->selection_count(rd->selection)) {
            *out_done = true;
            return 0;
        }
        int err = ops->selection_read(rd->selection, rd->series++, to_ns(q->start_ms),
                                      to_ns(q->end_ms), &rd->samples, diag);
        if (err)
            return err;
    } while (!rd->samples.count);
    struct data_labels own = ops->selection_labels(rd->selection, rd->series - 1);
    data_labels_builder_reset(&rd->labels);
    for (size_t i = 0; i < rd->external.count; i++)
        data_labels_builder_set(&rd->labels, rd->external.items[i].name,
                                rd->external.items[i].value);
    for (size_t i = 0; i < own.count; i++)
        data_labels_builder_set(&rd->labels, own.items[i].name, own.items[i].value);
    return data_labels_builder_finish(&rd->labels, out_labels, diag);
}

/* --- in one piece --- */

static int read_query(struct api_job *job, struct buf *message, size_t *charged, struct diag *diag)
{
    struct read *rd = job->state;
    size_t mark = decode_read_begin_result(message);
    int err = begin_query(job, diag);
    for (bool done = false; !err;) {
        struct data_labels labels;
        err = next_series(job, &labels, &done, diag);
        if (err || done)
            break;
        rd->samples_left -= (int64_t)rd->samples.count;
        if (rd->samples_left < 0 && job->limits.query_samples)
            return diag_set(diag, ERR_LIMIT, "exceeded sample limit (%lld, limits.query.samples)",
                            (long long)job->limits.query_samples);
        decode_read_put_series(labels, rd->samples.ts, rd->samples.value, rd->samples.histogram,
                               rd->samples.count, message);
        while (*charged < message->len) {
            if (!budget_take(&job->memory, (int64_t)CHARGE_BYTES))
                return diag_set(diag, ERR_LIMIT,
                                "the answer is larger than limits.query.memory; ask for less at "
                                "a time, or for STREAMED_XOR_CHUNKS");
            *charged += CHARGE_BYTES;
        }
        if (job->cancelled)
            err = ERR_CANCELLED;
    }
    decode_read_end_result(mark, message);
    end_query(job);
    return err;
}

static void read_whole(struct api_job *job, struct diag *diag)
{
    struct read *rd = job->state;
    struct buf message = {0};
    size_t charged = 0;
    int err = 0;
    for (; rd->query < rd->request.query_count && !err; rd->query++)
        err = read_query(job, &message, &charged, diag);
    if (err) {
        fail(job, err, diag);
    } else {
        job->content_type = "application/x-protobuf";
        job->content_encoding = "snappy";
        codec_compress(CODEC_SNAPPY, 0, buf_slice(&message), &job->out);
    }
    buf_deinit(&message);
}

/* --- streamed --- */

static bool produce(struct api_job *job)
{
    struct read *rd = job->state;
    struct data_labels labels;
    struct diag diag;
    bool done = false;
    int err = 0;
    diag_init(&diag);
    if (rd->query == rd->request.query_count)
        return true;
    if (!rd->selection)
        err = begin_query(job, &diag);
    if (!err)
        err = next_series(job, &labels, &done, &diag);
    if (err) {
        /* The status is sent: what is no frame is all that can still tell the client. */
        LOG_WARN("api", "a remote read ended early", LOG_STR("error", diag.msg));
        buf_append_cstr(&job->out, diag.code ? diag.msg : err_name(err));
        return true;
    }
    if (done) {
        end_query(job);
        rd->query++;
        return false;
    }
    decode_read_put_frames(labels, rd->samples.ts, rd->samples.value, rd->samples.histogram,
                           rd->samples.count, rd->query, FRAME_BYTES, &job->out);
    return false;
}

static void work(struct api_job *job)
{
    struct read *rd = job->state;
    struct api_host *host = job->api->host;
    struct diag diag;
    diag_init(&diag);
    rd->samples_left = job->limits.query_samples;
    int err = decode_remote_read(net_request_body(job->req), REQUEST_BYTES, job->arena,
                                 &rd->request, &diag);
    if (err) {
        fail(job, err, &diag);
        return;
    }
    rd->external = host->external_labels(host->ctx, job->call_arena);
    if (!rd->request.streamed) {
        read_whole(job, &diag);
        return;
    }
    /* The first query's errors can still be a status. */
    if (rd->request.query_count && (err = begin_query(job, &diag))) {
        fail(job, err, &diag);
        return;
    }
    job->content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    job->produce = produce;
}

void api__prom_read(struct api_call *call)
{
    struct read *rd = ARENA_NEW(net_request_arena(call->req), struct read);
    struct slice tenant = api__tenant(call->req);
    if (!tenant.ptr)
        return;
    struct api_job *job = api_job_new(call, work);
    job->tenant = tenant;
    job->state = rd;
    job->cleanup = cleanup;
    api_job_start(job, true);
}
