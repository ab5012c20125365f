/* format_query and parse_query: an expression printed, and its syntax tree. */
#include "api/job.h"
#include "api/prometheus/door_priv.h"
#include "lang/promql/promql.h"

struct parse_state {
    struct slice text;
    struct promql_options options;
    struct promql_expr *expr;
};

static void cleanup(struct api_job *job)
{
    struct parse_state *st = job->state;
    promql_expr_free(st->expr);
    st->expr = NULL;
}

static bool parse(struct api_job *job)
{
    struct parse_state *st = job->state;
    struct diag diag;
    struct buf text = {0};
    diag_init(&diag);
    if (!promql_parse(st->text, &st->options, job->call_arena, &st->expr, &diag))
        return true;
    promql_error_text(&diag, &text);
    api_job_error(job, API_BAD_DATA, "invalid parameter \"query\": %s", buf_cstr(&text));
    buf_deinit(&text);
    return false;
}

static void format_work(struct api_job *job)
{
    struct parse_state *st = job->state;
    struct codec_json_writer w;
    struct buf text = {0};
    if (!parse(job))
        return;
    promql_format(st->expr, &text);
    api__begin(&w, &job->out);
    codec_json_string(&w, buf_slice(&text));
    codec_json_end_object(&w);
    buf_deinit(&text);
}

static void parse_work(struct api_job *job)
{
    struct parse_state *st = job->state;
    struct codec_json_writer w;
    struct buf tree = {0};
    if (!parse(job))
        return;
    promql_ast_json(st->expr, &tree);
    api__begin(&w, &job->out);
    codec_json_raw(&w, buf_slice(&tree));
    codec_json_end_object(&w);
    buf_deinit(&tree);
}

static void start(struct api_call *call, void (*work)(struct api_job *job))
{
    struct parse_state *st = ARENA_NEW(net_request_arena(call->req), struct parse_state);
    st->text = net_request_param(call->req, "query");
    if (!st->text.ptr)
        st->text = SLICE("");
    st->options.experimental = true;
    st->options.nesting = (unsigned)api__limits(call->api).query_nesting;
    struct api_job *job = api_job_new(call, work);
    if (!job)
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, false);
}

void api__prom_format_query(struct api_call *call)
{
    start(call, format_work);
}

void api__prom_parse_query(struct api_call *call)
{
    start(call, parse_work);
}
