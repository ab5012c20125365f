/* TraceQL as a language of the multiplexed endpoint: numbers as columns, searches as Tempo's API
 * has them. */
#include "api/prometheus/encode.h"
#include "api/query_multi.h"
#include "api/tempo/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"

#define TRACES_DEFAULT    20
#define SPANS             3
#define EXEMPLARS_DEFAULT 100

static int bad(struct api_query *q, enum api_error kind)
{
    q->error = kind;
    q->has_error = true;
    return ERR_INVALID;
}

/* `,"kind":"traces","traces":[{"traceID":"..",..}]`: newest first. */
static int run_search(struct api_query *q, struct traceql_query *parsed,
                      const struct traceql_env *env, struct buf *out, struct diag *diag)
{
    const struct traceql_search search = {.start_ns = q->steps.start_ns,
                                          .end_ns = q->steps.end_ns + q->steps.step_ns,
                                          .limit = q->limit ? q->limit : TRACES_DEFAULT,
                                          .spans = SPANS};
    struct traceql_result found = {0};
    int err = traceql_search_run(parsed, &search, env, q->arena, &found, diag);
    q->used.samples_read = found.stats.spans;
    if (err)
        return err == ERR_INVALID ? bad(q, API_EXECUTION) : err;
    if (q->taker)
        return q->taker->traces(q->taker, q, &found, diag);
    buf_append_cstr(out, ",\"kind\":\"traces\",\"traces\":[");
    for (size_t i = 0; i < found.count; i++) {
        buf_append_cstr(out, i ? "," : "");
        tempo__put_trace(&found.traces[i], out);
    }
    buf_append_char(out, ']');
    return 0;
}

/* Labels as people read them; NULL when the budget is used up. */
static bool make_plain(struct api_query *q, struct data_labels *labels)
{
    struct data_label *items = ARENA_ARRAY(q->arena, struct data_label, labels->count + 1);
    for (size_t i = 0; items && i < labels->count; i++) {
        struct traceql_value v = traceql_label_value(labels->items[i].value);
        struct buf text = {0};
        if (v.kind == TRACEQL_NIL)
            buf_append_cstr(&text, "nil");
        else
            traceql_value_text(v, &text);
        items[i].name = labels->items[i].name;
        items[i].value = arena_slice(q->arena, buf_slice(&text));
        buf_deinit(&text);
        if (!items[i].value.ptr)
            return false;
    }
    labels->items = items;
    return items != NULL;
}

static void put_exemplars(const struct query_result *r, const struct traceql_exemplars *found,
                          struct buf *out)
{
    buf_append_cstr(out, ",\"exemplars\":[");
    for (size_t i = 0; i < found->count; i++) {
        const struct traceql_exemplar *e = &found->items[i];
        buf_append_cstr(out, i ? ",{\"labels\":" : "{\"labels\":");
        api_encode_labels(r->series[e->series].labels, out);
        buf_append_cstr(out, ",\"exemplars\":[{\"labels\":{\"trace_id\":\"");
        codec_append_hex(out, slice_make(e->trace_id, sizeof(e->trace_id)));
        buf_append_cstr(out, "\"},\"value\":");
        api_put_number(e->value, out);
        buf_printf(out, ",\"time\":%lld}]}", (long long)(e->ts_ns / NS_PER_MS));
    }
    buf_append_char(out, ']');
}

static int run_metrics(struct api_query *q, struct traceql_query *parsed,
                       const struct traceql_env *env, struct buf *out, struct diag *diag)
{
    struct traceql_stats stats = {0};
    struct traceql_exemplars exemplars = {.max = q->exemplars ? EXEMPLARS_DEFAULT : 0};
    struct query_result result = {0};
    struct query_plan *plan;
    struct query_steps steps = q->steps;
    int64_t range_ns = steps.step_ns;
    if (steps.instant) /* of the range that was asked for */
        range_ns = MAX(q->to_ns - q->from_ns, NS_PER_SEC);
    else if (steps.step_ns > 0) /* a point counts the step before it: one has to reach the end */
        steps.end_ns = steps.start_ns + (q->to_ns - steps.start_ns + steps.step_ns - 1) /
                                            steps.step_ns * steps.step_ns;
    int err =
        traceql_plan(parsed, &steps, range_ns, env, q->plan_arena, &plan, &stats, &exemplars, diag);
    if (err)
        return err == ERR_INVALID ? bad(q, API_BAD_DATA) : err;
    if (q->explain) {
        struct buf text = {0};
        query_explain(plan, &text);
        buf_append_cstr(out, ",\"plan\":");
        codec_json_append_string(out, buf_slice(&text));
        buf_deinit(&text);
        return 0;
    }
    err = query_run(plan, &q->env, q->arena, &result, diag);
    q->used.samples_read = stats.spans;
    if (!err)
        err = traceql_finish(parsed, range_ns, &result, &exemplars, q->arena, diag);
    if (err)
        return err == ERR_INVALID ? bad(q, API_EXECUTION) : err;
    for (size_t i = 0; i < result.series_count; i++) {
        if (!make_plain(q, &result.series[i].labels))
            return ERR_NOMEM;
    }
    err = api_put_columns(q, &result, out, diag);
    if (!err && q->exemplars)
        put_exemplars(&result, &exemplars, out);
    return err;
}

static int run(struct api_query *q, struct buf *out, struct diag *diag)
{
    const struct traceql_env env = {.source = q->api->spans,
                                    .tenant = q->tenant,
                                    .limits = {.memory = q->env.memory,
                                               .deadline_ns = q->env.deadline_ns,
                                               .deadline_setting = "limits.query.timeout",
                                               .cancelled = q->env.cancelled}};
    struct traceql_query *parsed = NULL;
    struct diag why;
    diag_init(&why);
    if (traceql_parse(q->text, q->plan_arena, &parsed, &why)) {
        struct buf text = {0};
        traceql_error_text(&why, &text);
        diag_set(diag, ERR_INVALID, "%s", buf_cstr(&text));
        buf_deinit(&text);
        return bad(q, API_BAD_DATA);
    }
    int err;
    if (traceql_is_metrics(parsed)) {
        err = run_metrics(q, parsed, &env, out, diag);
    } else if (q->explain) {
        diag_set(diag, ERR_INVALID, "a search has no plan to show; metrics have");
        err = bad(q, API_BAD_DATA);
    } else if (q->steps.instant) {
        diag_set(diag, ERR_INVALID, "a search wants a range: from and to");
        err = bad(q, API_BAD_DATA);
    } else {
        err = run_search(q, parsed, &env, out, diag);
    }
    traceql_query_free(parsed);
    return err;
}

const struct api_language api_language_traceql = {"traceql", "tempo", run};
