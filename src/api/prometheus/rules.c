/* Rules, alerts and Alertmanagers, in Prometheus' shapes. */
#include <stdio.h>

#include "alert/group.h"
#include "api/job.h"
#include "api/params.h"
#include "api/prometheus/door_priv.h"
#include "api/prometheus/encode.h"
#include "api/prometheus/rules.h"
#include "api/rule_config.h"
#include "codec/number.h"
#include "lang/promql/promql.h"
#include "net/digest.h"

struct selector {
    struct store_matcher *matchers;
    size_t count;
};

struct rules_request {
    struct slice *names, *groups, *files;
    size_t name_count, group_count, file_count;
    struct selector *selectors;
    size_t selector_count;
    bool alerts, records, without_alerts;
    const struct alert_language *language;
    struct slice tenant;
    int64_t limit; /* groups; 0 = all */
    struct slice token;

    struct codec_json_writer w;
    bool found;    /* the group the token names */
    size_t shown;  /* groups */
    char next[65]; /* the next token, "" = none */
};

/* --- parameters --- */

static void read_list(struct net_request *req, const char *name, struct slice **out, size_t *count)
{
    struct slice v;
    *count = 0;
    while (net_request_param_at(req, name, *count).ptr)
        (*count)++;
    *out = ARENA_ARRAY(net_request_arena(req), struct slice, *count + 1);
    for (size_t i = 0; i < *count; i++) {
        v = net_request_param_at(req, name, i);
        (*out)[i] = v;
    }
}

static int read_selectors(struct net_request *req, struct rules_request *r, struct diag *diag)
{
    struct slice *texts;
    size_t count;
    read_list(req, "match[]", &texts, &count);
    r->selectors = ARENA_ARRAY(net_request_arena(req), struct selector, count + 1);
    for (size_t i = 0; i < count; i++) {
        struct selector *s = &r->selectors[i];
        struct diag d;
        diag_init(&d);
        if (promql_parse_selector(texts[i], net_request_arena(req), &s->matchers, &s->count, &d)) {
            struct buf text = {0};
            promql_error_text(&d, &text);
            diag_set(diag, ERR_INVALID, "invalid parameter \"match[]\": %s", buf_cstr(&text));
            buf_deinit(&text);
            return ERR_INVALID;
        }
        r->selector_count++;
    }
    return 0;
}

static int read_request(struct net_request *req, struct rules_request *r, struct diag *diag)
{
    struct slice type = net_request_param(req, "type");
    struct slice limit = net_request_param(req, "group_limit");
    bool lower = true;
    r->token = net_request_param(req, "group_next_token");
    read_list(req, "rule_name[]", &r->names, &r->name_count);
    read_list(req, "rule_group[]", &r->groups, &r->group_count);
    read_list(req, "file[]", &r->files, &r->file_count);
    if (type.len && !slice_eq_nocase(type, SLICE("alert")) &&
        !slice_eq_nocase(type, SLICE("record")))
        lower = false;
    if (!lower)
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"type\": not supported value \"%.*s\"",
                        SLICE_FMT(type));
    r->alerts = !type.len || slice_eq_nocase(type, SLICE("alert"));
    r->records = !type.len || slice_eq_nocase(type, SLICE("record"));
    struct slice without = net_request_param(req, "exclude_alerts");
    struct diag ignored;
    diag_init(&ignored);
    if (without.len && api_param_bool(req, "exclude_alerts", &r->without_alerts, &ignored))
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"exclude_alerts\": error converting exclude_alerts: "
                        "strconv.ParseBool: parsing \"%.*s\": invalid syntax",
                        SLICE_FMT(without));
    if (limit.len && !codec_text_to_int(limit, &r->limit))
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"group_limit\": group_limit needs to be a valid "
                        "number: strconv.ParseInt: parsing \"%.*s\": invalid syntax",
                        SLICE_FMT(limit));
    if (limit.len && r->limit <= 0)
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"group_limit\": group_limit needs to be greater than "
                        "0");
    if (r->token.len && !r->limit)
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"group_limit\": group_limit needs to be present in "
                        "order to paginate over the groups");
    return read_selectors(req, r, diag);
}

static bool listed(const struct slice *list, size_t count, struct slice s)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(list[i], s))
            return true;
    }
    return count == 0;
}

static bool selected(const struct rules_request *r, const struct alert_rule *rule)
{
    for (size_t i = 0; i < r->selector_count; i++) {
        bool all = true;
        for (size_t k = 0; all && k < r->selectors[i].count; k++) {
            const struct store_matcher *m = &r->selectors[i].matchers[k];
            struct slice value = SLICE("");
            for (size_t n = 0; n < rule->label_count; n++) {
                if (slice_eq(rule->labels[n].name, m->name))
                    value = rule->labels[n].value;
            }
            all = store_matcher_matches(m, value);
        }
        if (all)
            return true;
    }
    return r->selector_count == 0;
}

/* --- encoding --- */

static void put_seconds(struct codec_json_writer *w, const char *key, int64_t ns)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_double(w, (double)ns / 1e9);
}

/* Go's FormatFloat(v, 'e', -1, 64): "1e+00", "1.5e-07". */
static void put_value(struct codec_json_writer *w, const struct alert_active *a)
{
    struct buf text = {0};
    uint64_t digits = 0;
    int exp10 = 0;
    char plain[CODEC_INT_TEXT_MAX];
    double v = a->value;
    if (a->value_text) {
        buf_append_cstr(&text, a->value_text);
    } else if (v != v || v - v != 0) {
        codec_append_double(&text, v, CODEC_DOUBLE_GENERAL);
    } else {
        if (v)
            codec_double_digits(v, &digits, &exp10);
        size_t n = codec_uint_to_text(digits, plain);
        exp10 = v ? exp10 + (int)n - 1 : 0;
        if (__builtin_signbit(v))
            buf_append_char(&text, '-');
        buf_append_char(&text, plain[0]);
        if (n > 1) {
            buf_append_char(&text, '.');
            buf_append(&text, plain + 1, n - 1);
        }
        buf_printf(&text, "e%c%02d", exp10 < 0 ? '-' : '+', exp10 < 0 ? -exp10 : exp10);
    }
    codec_json_put_string(w, "value", buf_slice(&text));
    buf_deinit(&text);
}

static void put_texts(struct codec_json_writer *w, const char *key, const struct alert_text *texts,
                      size_t count)
{
    codec_json_key(w, slice_cstr(key));
    codec_json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        codec_json_key(w, texts[i].name);
        codec_json_string(w, texts[i].value);
    }
    codec_json_end_object(w);
}

static void put_alert(struct codec_json_writer *w, const struct alert_active *a)
{
    codec_json_begin_object(w);
    api__put_labels(w, "labels", a->labels);
    api__put_labels(w, "annotations", a->annotations);
    codec_json_put_string(w, "state", slice_cstr(alert_state_name(a->state)));
    api__put_time(w, "activeAt", a->active_ns);
    if (a->keep_firing_since_ns)
        api__put_time(w, "keepFiringSince", a->keep_firing_since_ns);
    put_value(w, a);
    codec_json_end_object(w);
}

static void put_active(struct codec_json_writer *w, const struct alert_rule_state *state)
{
    struct map_entry *entry;
    for (size_t pos = 0; (entry = map_next(state->active, &pos));) {
        const struct alert_active *a = entry->value.ptr;
        if (!a->resolved_ns)
            put_alert(w, a);
    }
}

static enum alert_state worst(const struct alert_rule_state *state)
{
    enum alert_state worst_state = ALERT_INACTIVE;
    struct map_entry *entry;
    for (size_t pos = 0; (entry = map_next(state->active, &pos));) {
        const struct alert_active *a = entry->value.ptr;
        worst_state = MAX(worst_state, a->state);
    }
    return worst_state;
}

static void put_rule(struct rules_request *r, const struct alert_rule *rule,
                     const struct alert_rule_state *state)
{
    struct codec_json_writer *w = &r->w;
    codec_json_begin_object(w);
    if (rule->is_alert)
        codec_json_put_string(w, "state", slice_cstr(alert_state_name(worst(state))));
    codec_json_put_string(w, "name", rule->name);
    codec_json_put_string(w, "query", rule->expr_text);
    if (rule->is_alert) {
        put_seconds(w, "duration", rule->hold_ns);
        put_seconds(w, "keepFiringFor", rule->keep_firing_ns);
    }
    put_texts(w, "labels", rule->labels, rule->label_count);
    if (rule->is_alert) {
        put_texts(w, "annotations", rule->annotations, rule->annotation_count);
        codec_json_key(w, SLICE("alerts"));
        codec_json_begin_array(w);
        if (!r->without_alerts)
            put_active(w, state);
        codec_json_end_array(w);
    }
    codec_json_put_string(w, "health", slice_cstr(alert_health_name(state->health)));
    if (state->last_error)
        codec_json_put_string(w, "lastError", slice_cstr(state->last_error));
    put_seconds(w, "evaluationTime", state->duration_ns);
    api__put_time(w, "lastEvaluation", state->last_eval_ns);
    codec_json_put_string(w, "type", slice_cstr(rule->is_alert ? "alerting" : "recording"));
    codec_json_end_object(w);
}

static void make_token(const struct alert_group_def *def, char out[65])
{
    struct buf text = {0};
    uint8_t digest[32];
    buf_printf(&text, "%.*s;%.*s", SLICE_FMT(def->file), SLICE_FMT(def->name));
    net_sha256(buf_slice(&text), digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    buf_deinit(&text);
}

static bool wanted(const struct rules_request *r, const struct alert_rule *rule)
{
    return (rule->is_alert ? r->alerts : r->records) &&
           listed(r->names, r->name_count, rule->name) && selected(r, rule);
}

/* A group without a tenant of its own is the default one's. */
static bool is_shown(const struct alert_group_def *def, const struct alert_language *language,
                     struct slice tenant)
{
    return def->language == language &&
           slice_eq(def->tenant.len ? def->tenant : SLICE(API__DEFAULT_TENANT), tenant);
}

static void put_group(void *arg, const struct alert_group *g)
{
    struct rules_request *r = arg;
    const struct alert_group_def *def = g->def;
    struct codec_json_writer *w = &r->w;
    bool any = false;
    if (r->next[0] || !is_shown(def, r->language, r->tenant))
        return;
    if (r->token.len && !r->found) {
        char token[65];
        make_token(def, token);
        if (!slice_eq_cstr(r->token, token))
            return;
        r->found = true;
    }
    if (!listed(r->groups, r->group_count, def->name) ||
        !listed(r->files, r->file_count, def->file))
        return;
    for (size_t i = 0; i < def->rule_count; i++)
        any |= wanted(r, &def->rules[i]);
    if (!any)
        return;
    if (r->limit && (int64_t)r->shown == r->limit) {
        make_token(def, r->next);
        return;
    }
    r->shown++;
    codec_json_begin_object(w);
    codec_json_put_string(w, "name", def->name);
    codec_json_put_string(w, "file", def->file);
    codec_json_key(w, SLICE("rules"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < def->rule_count; i++) {
        if (wanted(r, &def->rules[i]))
            put_rule(r, &def->rules[i], &g->states[i]);
    }
    codec_json_end_array(w);
    put_seconds(w, "interval", def->interval_ns);
    codec_json_put_int(w, "limit", def->limit);
    put_seconds(w, "evaluationTime", g->duration_ns);
    api__put_time(w, "lastEvaluation", g->last_eval_ns);
    codec_json_end_object(w);
}

static void rules_work(struct api_job *job)
{
    struct rules_request *r = job->state;
    struct api_host *host = job->api->host;
    api__begin(&r->w, &job->out);
    codec_json_begin_object(&r->w);
    codec_json_key(&r->w, SLICE("groups"));
    codec_json_begin_array(&r->w);
    host->rule_groups(host->ctx, put_group, r);
    codec_json_end_array(&r->w);
    if (r->next[0])
        codec_json_put_string(&r->w, "groupNextToken", slice_cstr(r->next));
    codec_json_end_object(&r->w);
    codec_json_end_object(&r->w);
    if (r->token.len && !r->found) {
        buf_clear(&job->out);
        api_job_error(job, API_BAD_DATA,
                      "invalid parameter \"group_next_token\": invalid group_next_token '%.*s'. "
                      "were rule groups changed?",
                      SLICE_FMT(r->token));
    }
}

static void rules_cleanup(struct api_job *job)
{
    struct rules_request *r = job->state;
    for (size_t i = 0; i < r->selector_count; i++)
        promql_matchers_free(r->selectors[i].matchers, r->selectors[i].count);
}

void api__rules(struct api_call *call, const struct alert_language *language)
{
    struct rules_request *r = ARENA_NEW(net_request_arena(call->req), struct rules_request);
    struct diag diag;
    diag_init(&diag);
    r->language = language;
    r->tenant = api__tenant(call->req);
    if (!r->tenant.ptr)
        return;
    if (read_request(call->req, r, &diag)) {
        for (size_t i = 0; i < r->selector_count; i++)
            promql_matchers_free(r->selectors[i].matchers, r->selectors[i].count);
        api__respond_error(call->req, API_BAD_DATA, "%s", diag.msg);
        return;
    }
    struct api_job *job = api_job_new(call, rules_work);
    if (!job) {
        for (size_t i = 0; i < r->selector_count; i++)
            promql_matchers_free(r->selectors[i].matchers, r->selectors[i].count);
        return;
    }
    job->state = r;
    job->cleanup = rules_cleanup;
    api_job_start(job, false);
}

struct alerts_request {
    const struct alert_language *language;
    struct slice tenant;
    struct codec_json_writer w;
};

static void put_alerts(void *arg, const struct alert_group *g)
{
    struct alerts_request *r = arg;
    for (size_t i = 0; i < g->def->rule_count; i++) {
        if (g->def->rules[i].is_alert && is_shown(g->def, r->language, r->tenant))
            put_active(&r->w, &g->states[i]);
    }
}

static void alerts_work(struct api_job *job)
{
    struct api_host *host = job->api->host;
    struct alerts_request *r = job->state;
    api__begin(&r->w, &job->out);
    codec_json_begin_object(&r->w);
    codec_json_key(&r->w, SLICE("alerts"));
    codec_json_begin_array(&r->w);
    host->rule_groups(host->ctx, put_alerts, r);
    codec_json_end_array(&r->w);
    codec_json_end_object(&r->w);
    codec_json_end_object(&r->w);
}

void api__alerts(struct api_call *call, const struct alert_language *language)
{
    struct alerts_request *r = ARENA_NEW(net_request_arena(call->req), struct alerts_request);
    r->language = language;
    r->tenant = api__tenant(call->req);
    struct api_job *job = r->tenant.ptr ? api_job_new(call, alerts_work) : NULL;
    if (!job)
        return;
    job->state = r;
    api_job_start(job, false);
}

void api__prom_rules(struct api_call *call)
{
    api__rules(call, &alert_promql);
}

void api__prom_alerts(struct api_call *call)
{
    api__alerts(call, &alert_promql);
}

void api__prom_rule_list(struct api_call *call)
{
    api__rule_config_list(call, &alert_promql);
}

void api__prom_rule_put(struct api_call *call)
{
    api__rule_config_put(call, &alert_promql);
}

void api__prom_rule_delete(struct api_call *call)
{
    api__rule_config_delete(call, &alert_promql);
}

struct alertmanagers {
    struct codec_json_writer w;
    bool dropped;
};

static void put_alertmanager(void *arg, const struct alert_peer *peer)
{
    struct alertmanagers *a = arg;
    if (peer->dropped != a->dropped)
        return;
    codec_json_begin_object(&a->w);
    codec_json_put_string(&a->w, "url", peer->url);
    codec_json_end_object(&a->w);
}

static void alertmanagers_work(struct api_job *job)
{
    static const char *const keys[] = {"activeAlertmanagers", "droppedAlertmanagers"};
    struct api_host *host = job->api->host;
    struct alertmanagers a = {0};
    api__begin(&a.w, &job->out);
    codec_json_begin_object(&a.w);
    for (int i = 0; i < 2; i++) {
        a.dropped = i == 1;
        codec_json_key(&a.w, slice_cstr(keys[i]));
        codec_json_begin_array(&a.w);
        host->alertmanagers(host->ctx, put_alertmanager, &a);
        codec_json_end_array(&a.w);
    }
    codec_json_end_object(&a.w);
    codec_json_end_object(&a.w);
}

void api__prom_alertmanagers(struct api_call *call)
{
    api_job_start(api_job_new(call, alertmanagers_work), false);
}
