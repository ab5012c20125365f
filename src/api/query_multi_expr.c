/* Expressions of the multiplexed endpoint: what queries come to is kept for them, and what they
 * come to is written as columns. */
#include <math.h>

#include "api/expr_take.h"
#include "api/job.h"
#include "api/prometheus/encode.h"
#include "api/query_multi_priv.h"

/* --- keeping --- */

void multi__keep(struct multi *m, struct multi_item *it)
{
    budget_init(&it->memory, &m->api->queries_memory, m->limits.query_memory_bytes,
                "limits.query.memory");
    it->kept = arena_new(0, &it->memory);
    it->set = (struct expr_set){0}; /* no numbers until there are some */
}

void multi__unkeep(struct multi_item *it)
{
    if (!it->kept)
        return;
    arena_free(it->kept);
    budget_drain(&it->memory);
    it->kept = NULL;
    it->set = (struct expr_set){0};
    it->warning_count = 0;
}

static struct multi_item *item_of(struct api_query_taker *t)
{
    return BASE_CONTAINER_OF(t, struct multi_keeper, face)->item;
}

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the answer is larger than limits.query.memory");
}

static int keep_numbers(struct api_query_taker *t, const struct api_query *q,
                        const struct query_result *r, struct diag *diag)
{
    struct multi_item *it = item_of(t);
    it->warnings = ARENA_ARRAY(it->kept, struct slice, r->warning_count + 1);
    for (size_t i = 0; i < r->warning_count; i++) {
        struct slice own = it->warnings ? arena_slice(it->kept, r->warnings[i]) : SLICE("");
        if (!it->warnings || !own.ptr)
            return no_memory(diag);
        it->warnings[it->warning_count++] = own;
    }
    return api_expr_take(q, r, it->kept, &it->set, diag);
}

static int keep_targets(struct api_query_taker *t, const struct api_query *q,
                        const struct graphite_list *list, struct diag *diag)
{
    struct multi_item *it = item_of(t);
    return api_expr_take_targets(q, list, it->kept, &it->set, diag);
}

/* Lines and traces are nothing to compute with. */
static int keep_lines(struct api_query_taker *t, const struct api_query *q,
                      const struct logql_streams *r, struct diag *diag)
{
    return 0;
}

static int keep_traces(struct api_query_taker *t, const struct api_query *q,
                       const struct traceql_result *r, struct diag *diag)
{
    return 0;
}

void multi__keeper_init(struct multi_keeper *k, struct multi_item *it)
{
    *k = (struct multi_keeper){.face = {.numbers = keep_numbers,
                                        .lines = keep_lines,
                                        .traces = keep_traces,
                                        .targets = keep_targets},
                               .item = it};
}

/* --- columns --- */

/* The steps that all times lie on. */
struct grid {
    int64_t start_ns, step_ns, count;
};

/* False when there are none in whole milliseconds, or most of their places would be empty. */
static bool find_grid(const struct expr_set *set, struct grid *g)
{
    int64_t end_ns = INT64_MIN, values = 0, rows = 0;
    *g = (struct grid){.start_ns = INT64_MAX, .step_ns = INT64_MAX};
    for (size_t i = 0; i < set->count; i++) {
        const struct expr_series *s = &set->series[i];
        if (s->single)
            return false;
        if (!s->count)
            continue;
        rows++;
        values += (int64_t)s->count;
        g->start_ns = MIN(g->start_ns, s->ts_ns[0]);
        end_ns = MAX(end_ns, s->ts_ns[s->count - 1]);
        for (size_t k = 1; k < s->count; k++)
            g->step_ns = MIN(g->step_ns, s->ts_ns[k] - s->ts_ns[k - 1]);
    }
    if (g->step_ns == INT64_MAX || g->step_ns <= 0)
        return false;
    g->count = (end_ns - g->start_ns) / g->step_ns + 1;
    if (g->step_ns % NS_PER_MS || g->start_ns % NS_PER_MS || g->count > 2 * values / rows + 100)
        return false;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t k = 0; k < set->series[i].count; k++) {
            if ((set->series[i].ts_ns[k] - g->start_ns) % g->step_ns)
                return false;
        }
    }
    return true;
}

static void put_value(double v, struct buf *out)
{
    if (expr_is_null(v))
        buf_append_cstr(out, "null");
    else
        api_put_number(v, out);
}

static void put_on_grid(const struct expr_series *s, const struct grid *g, struct buf *out)
{
    int64_t at = s->count ? (s->ts_ns[0] - g->start_ns) / g->step_ns : 0;
    buf_printf(out, ",\"first\":%lld,\"values\":[", (long long)at);
    for (size_t i = 0; i < s->count; i++, at++) {
        for (int64_t k = (s->ts_ns[i] - g->start_ns) / g->step_ns; at < k; at++)
            buf_append_cstr(out, "null,");
        put_value(s->value[i], out);
        buf_append_cstr(out, i + 1 < s->count ? "," : "");
    }
    buf_append_char(out, ']');
}

static void put_with_times(const struct expr_series *s, int64_t at_ns, struct buf *out)
{
    buf_append_cstr(out, ",\"times\":[");
    for (size_t i = 0; i < s->count; i++)
        buf_printf(out, i ? ",%lld" : "%lld",
                   (long long)((s->ts_ns ? s->ts_ns[i] : at_ns) / NS_PER_MS));
    buf_append_cstr(out, "],\"values\":[");
    for (size_t i = 0; i < s->count; i++) {
        buf_append_cstr(out, i ? "," : "");
        put_value(s->value[i], out);
    }
    buf_append_char(out, ']');
}

static int put_set(const struct multi *m, const struct multi_item *it, struct buf *out,
                   struct diag *diag)
{
    const struct expr_set *set = &it->set;
    size_t count = it->limit ? MIN(it->limit, set->count) : set->count, begin = out->len;
    bool numbers = expr_set_is_single(set);
    struct grid g;
    bool on_grid = !numbers && find_grid(set, &g);
    if (set->is_scalar) {
        buf_printf(out, ",\"kind\":\"scalar\",\"time\":%lld,\"value\":",
                   (long long)(it->to_ns / NS_PER_MS));
        put_value(set->series[0].value[0], out);
        return 0;
    }
    if (numbers)
        buf_printf(out, ",\"kind\":\"vector\",\"time\":%lld", (long long)(it->to_ns / NS_PER_MS));
    else
        buf_append_cstr(out, ",\"kind\":\"matrix\"");
    if (on_grid)
        buf_printf(out, ",\"grid\":{\"start\":%lld,\"step\":%lld,\"count\":%lld}",
                   (long long)(g.start_ns / NS_PER_MS), (long long)(g.step_ns / NS_PER_MS),
                   (long long)g.count);
    buf_append_cstr(out, ",\"series\":[");
    for (size_t i = 0; i < count; i++) {
        const struct expr_series *s = &set->series[i];
        buf_append_cstr(out, i ? ",{\"labels\":" : "{\"labels\":");
        api_encode_labels(s->labels, out);
        buf_append_cstr(out, numbers ? ",\"value\":" : "");
        if (numbers)
            put_value(s->value[0], out);
        else if (on_grid)
            put_on_grid(s, &g, out);
        else
            put_with_times(s, it->to_ns, out);
        buf_append_char(out, '}');
        if (m->limits.query_memory_bytes && out->len - begin > (size_t)m->limits.query_memory_bytes)
            return no_memory(diag);
    }
    buf_append_cstr(out, count < set->count ? "],\"truncated\":true" : "]");
    return 0;
}

/* --- computing --- */

struct computing {
    struct multi *m;
    struct multi_item *it;
    const struct multi_item *failed; /* the input that did */
};

static int input(void *ctx, struct slice ref_id, const struct expr_set **out, struct diag *diag)
{
    struct computing *c = ctx;
    for (size_t i = 0; i < c->it->input_count; i++) {
        const struct multi_item *in = &c->m->items[c->it->inputs[i].item];
        if (!slice_eq(c->it->inputs[i].name, ref_id))
            continue;
        *out = &in->set;
        if (!in->err)
            return 0;
        c->failed = in;
        return diag_set(diag, in->err, "query %.*s failed: %.*s", SLICE_FMT(ref_id),
                        SLICE_FMT(buf_slice(&in->words)));
    }
    return diag_set(diag, ERR_INVALID, "there is no query %.*s, which an expression refers to",
                    SLICE_FMT(ref_id));
}

/* What inputs lack, the expression lacks, too. */
static int take_warnings(struct multi *m, struct multi_item *it, struct diag *diag)
{
    size_t count = 0;
    for (size_t i = 0; i < it->input_count; i++)
        count += m->items[it->inputs[i].item].warning_count;
    it->warnings = ARENA_ARRAY(it->kept, struct slice, count + 1);
    for (size_t i = 0; i < it->input_count && it->warnings; i++) {
        const struct multi_item *in = &m->items[it->inputs[i].item];
        for (size_t k = 0; k < in->warning_count; k++) {
            struct slice text = in->warnings[k];
            if (!in->expression) /* else it says so already */
                text = arena_printf(it->kept, "query %.*s: %.*s", SLICE_FMT(it->inputs[i].name),
                                    SLICE_FMT(text));
            else
                text = arena_slice(it->kept, text);
            if (!text.ptr)
                return no_memory(diag);
            it->warnings[it->warning_count++] = text;
        }
    }
    return it->warnings ? 0 : no_memory(diag);
}

static void put_warnings(const struct multi_item *it, struct buf *out)
{
    for (size_t i = 0; i < it->warning_count; i++) {
        buf_append_cstr(out, i ? "," : ",\"warnings\":[");
        codec_json_append_string(out, it->warnings[i]);
    }
    buf_append_cstr(out, it->warning_count ? "]" : "");
}

static void put_plan(const struct multi_item *it, struct buf *out)
{
    struct buf text = {0};
    buf_printf(&text, "%.*s of the answers of",
               SLICE_FMT(codec_json_get_string(it->expression, "type")));
    for (size_t i = 0; i < it->input_count; i++)
        buf_printf(&text, i ? ", %.*s" : " %.*s", SLICE_FMT(it->inputs[i].name));
    buf_append_cstr(&text, it->input_count ? "" : " none");
    buf_append_cstr(out, ",\"plan\":");
    codec_json_append_string(out, buf_slice(&text));
    buf_deinit(&text);
}

int multi__run_expression(struct multi *m, struct multi_item *it, struct buf *out,
                          enum api_error *kind, struct diag *diag)
{
    struct computing c = {.m = m, .it = it};
    int64_t own_ns = it->timeout_ns > 0 ? api__monotonic_ns() + it->timeout_ns : INT64_MAX;
    const struct expr_env env = {.arena = it->kept,
                                 .from_ns = it->from_ns,
                                 .to_ns = it->to_ns,
                                 .values_max = m->limits.query_samples,
                                 .cancelled = &m->job->cancelled,
                                 .deadline_ns = MIN(m->deadline_ns, own_ns),
                                 .now_ns = api__monotonic_ns,
                                 .input = input,
                                 .ctx = &c};
    int err = 0;
    if (it->circle.ptr)
        err = diag_set(diag, ERR_INVALID, "%.*s", SLICE_FMT(it->circle));
    else if (it->explain)
        put_plan(it, out);
    else
        err = expr_run(&env, it->expression, &it->set, diag);
    if (!err && !it->explain)
        err = take_warnings(m, it, diag);
    if (!err && !it->explain && !it->hide)
        err = put_set(m, it, out, diag);
    if (!err)
        put_warnings(it, out);
    *kind = c.failed ? c.failed->kind : err == ERR_INVALID ? API_BAD_DATA : api__error_of(err);
    return err;
}
