/* Alerting rules: the state of their alerts from evaluation to evaluation, and restoring it. */
#include <math.h>

#include "alert/expand.h"
#include "alert/group_priv.h"
#include "alert/pack.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/histogram_notation.h"

#define RESOLVED_RETENTION_NS (15 * 60 * NS_PER_SEC)

void alert__active_free(struct alert_active *a)
{
    alert__unpack(&a->labels);
    alert__unpack(&a->annotations);
    mem_free((char *)(uintptr_t)a->value_text);
    mem_free(a);
}

void alert__active_clear(struct map *active)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(active, &pos));)
        alert__active_free(e->value.ptr);
    map_clear(active);
}

int alert__series_labels(const struct alert_rule *rule, const struct alert_active *a,
                         const char *name, const char *state, struct data_labels_builder *b,
                         struct data_labels *out)
{
    data_labels_builder_reset(b);
    for (size_t i = 0; i < rule->label_count; i++)
        data_labels_builder_set(b, rule->labels[i].name, rule->labels[i].value);
    for (size_t i = 0; i < a->labels.count; i++)
        data_labels_builder_set(b, a->labels.items[i].name, a->labels.items[i].value);
    data_labels_builder_set(b, SLICE(DATA_METRIC_NAME), slice_cstr(name));
    data_labels_builder_set(b, SLICE("alertname"), rule->name);
    if (state)
        data_labels_builder_set(b, SLICE("alertstate"), slice_cstr(state));
    return data_labels_builder_finish(b, out, NULL);
}

/* --- from vector elements to alerts --- */

static int template_query(void *ctx, struct slice text, int64_t ts_ns, struct arena *arena,
                          struct query_result *out, struct diag *diag)
{
    struct evaluation *e = ctx;
    (void)arena;
    struct alert__room room = {e->arena, e->query_arena, &e->memory};
    return alert__query_text(e->env, e->language, text, ts_ns, &room, out, diag);
}

static struct slice expand(const struct alert_text *text, const struct alert_rule *rule,
                           const struct alert__expand *ex, const struct alert__subject *subject,
                           struct arena *arena)
{
    bool failed = false;
    if (!text->template)
        return text->value;
    struct slice s =
        alert__template_expand(text->template, rule->name, ex, subject, arena, &failed);
    if (failed)
        LOG_WARN("alert", "expanding a template failed", LOG_SLICE("alert", rule->name),
                 LOG_SLICE("error", s));
    return s;
}

/* The alert of one element, not yet in the state. NULL on an error. */
static struct alert_active *make(struct evaluation *e, const struct alert_rule *rule,
                                 const struct query_series *s, struct data_labels_builder *b,
                                 struct diag *diag)
{
    const struct alert__expand ex = {
        .query = template_query, .ctx = e, .ts_ns = e->ts_ns, .external_url = e->env->external_url};
    const struct alert__subject subject = {.labels = s->labels,
                                           .external_labels = e->env->external_labels,
                                           .value = query_point_at(s, 0).value,
                                           .histogram = query_point_at(s, 0).histogram};
    struct data_label *annotations =
        ARENA_ARRAY(e->arena, struct data_label, rule->annotation_count + 1);
    struct data_labels labels;
    data_labels_builder_from(b, s->labels);
    data_labels_builder_set(b, SLICE(DATA_METRIC_NAME), SLICE(""));
    for (size_t i = 0; i < rule->label_count; i++)
        data_labels_builder_set(b, rule->labels[i].name,
                                expand(&rule->labels[i], rule, &ex, &subject, e->arena));
    data_labels_builder_set(b, SLICE("alertname"), rule->name);
    for (size_t i = 0; i < rule->annotation_count; i++) {
        annotations[i].name = rule->annotations[i].name;
        annotations[i].value = expand(&rule->annotations[i], rule, &ex, &subject, e->arena);
    }
    if (data_labels_builder_finish(b, &labels, diag))
        return NULL;
    struct alert_active *a = mem_calloc(1, sizeof(*a));
    a->state = ALERT_PENDING;
    a->active_ns = e->ts_ns;
    a->labels = alert__pack(labels.items, labels.count);
    a->annotations = alert__pack(annotations, rule->annotation_count);
    a->value = query_point_at(s, 0).value;
    if (query_point_at(s, 0).histogram) {
        struct buf text = {0};
        data_histogram_print(query_point_at(s, 0).histogram, &text);
        a->value_text = mem_strdup(buf_cstr(&text));
        buf_deinit(&text);
    }
    return a;
}

/* Puts a new alert into the state, or its value and annotations into the one that is there. */
static void merge(struct map *active, struct slice key, struct alert_active *fresh)
{
    struct map_entry *entry = map_put(active, key, NULL);
    struct alert_active *old = entry->value.ptr;
    if (!old || old->state == ALERT_INACTIVE) {
        if (old)
            alert__active_free(old);
        fresh->seen = true;
        entry->value.ptr = fresh;
        return;
    }
    alert__unpack(&old->annotations);
    old->annotations = fresh->annotations;
    fresh->annotations = (struct data_labels){0};
    const char *text = old->value_text;
    old->value_text = fresh->value_text;
    fresh->value_text = text;
    old->value = fresh->value;
    old->seen = true;
    alert__active_free(fresh);
}

/* True when the alert counts as active after this evaluation. *drop: it is forgotten. */
static bool advance(struct evaluation *e, const struct alert_rule *rule, struct alert_active *a,
                    bool *drop)
{
    *drop = false;
    if (!a->seen) {
        bool keep = false;
        if (a->state == ALERT_FIRING && rule->keep_firing_ns > 0) {
            if (!a->keep_firing_since_ns)
                a->keep_firing_since_ns = e->ts_ns;
            keep = e->ts_ns - a->keep_firing_since_ns < rule->keep_firing_ns;
        }
        /* A resolved one is kept for a while, so that its end is told even when the first try
         * fails. */
        *drop = a->state == ALERT_PENDING || (a->state == ALERT_INACTIVE && a->resolved_ns &&
                                              e->ts_ns - a->resolved_ns > RESOLVED_RETENTION_NS);
        if (a->state != ALERT_INACTIVE && !keep) {
            a->state = ALERT_INACTIVE;
            a->resolved_ns = e->ts_ns;
        }
        if (!keep)
            return false;
    } else {
        a->keep_firing_since_ns = 0;
    }
    if (a->state == ALERT_PENDING && e->ts_ns - a->active_ns >= rule->hold_ns) {
        a->state = ALERT_FIRING;
        a->fired_ns = e->ts_ns;
    }
    return true;
}

static void put_series(struct evaluation *e, const struct alert_rule *rule,
                       const struct alert_active *a, struct data_labels_builder *b)
{
    struct data_labels labels;
    if (!alert__series_labels(rule, a, "ALERTS", alert_state_name(a->state), b, &labels))
        (void)alert__put(e, labels, 1, NULL);
    if (!alert__series_labels(rule, a, "ALERTS_FOR_STATE", NULL, b, &labels))
        (void)alert__put(e, labels, floor((double)a->active_ns / 1e9), NULL);
}

int alert__eval_alert(struct evaluation *e, const struct alert_rule *rule,
                      struct alert_rule_state *state, const struct query_result *result,
                      struct diag *diag)
{
    struct data_labels_builder b = {0};
    struct map *fresh = map_new();
    struct map_entry *entry;
    struct buf key = {0};
    VEC(struct slice) gone = {0};
    int64_t limit = e->group->def->limit;
    size_t active = 0;
    int err = 0;
    if (e->env->alerts_max && result->series_count > e->env->alerts_max)
        err = diag_set(diag, ERR_LIMIT,
                       "the rule has %zu alerts, more than limits.alerts (%zu) allows",
                       result->series_count, e->env->alerts_max);
    for (size_t i = 0; !err && i < result->series_count; i++) {
        if (!result->series[i].count)
            continue;
        bool added = true;
        struct alert_active *a = make(e, rule, &result->series[i], &b, diag);
        if (!a) {
            err = ERR_INVALID;
            break;
        }
        buf_clear(&key);
        data_labels_encode(a->labels, &key);
        entry = map_put(fresh, buf_slice(&key), &added);
        if (added) {
            entry->value.ptr = a;
        } else {
            alert__active_free(a);
            err = diag_set(diag, ERR_INVALID,
                           "vector contains metrics with the same labelset after applying alert "
                           "labels");
        }
    }
    if (err) {
        alert__active_clear(fresh);
        goto out;
    }
    pthread_mutex_lock(&e->group->lock);
    for (size_t pos = 0; (entry = map_next(state->active, &pos));)
        ((struct alert_active *)entry->value.ptr)->seen = false;
    for (size_t pos = 0; (entry = map_next(fresh, &pos));)
        merge(state->active, entry->key, entry->value.ptr);
    for (size_t pos = 0; (entry = map_next(state->active, &pos));) {
        struct alert_active *a = entry->value.ptr;
        bool drop;
        if (advance(e, rule, a, &drop)) {
            active++;
            if (state->restored)
                put_series(e, rule, a, &b);
        }
        if (drop)
            vec_push(&gone, arena_slice(e->arena, entry->key));
    }
    for (size_t i = 0; i < gone.len; i++) {
        entry = map_get(state->active, gone.items[i]);
        alert__active_free(entry->value.ptr);
        map_remove(state->active, gone.items[i]);
    }
    if (limit > 0 && (int64_t)active > limit) {
        alert__active_clear(state->active);
        err = diag_set(diag, ERR_LIMIT, "exceeded limit of %lld with %zu alerts", (long long)limit,
                       active);
    }
    pthread_mutex_unlock(&e->group->lock);
out:
    vec_free(&gone);
    map_free(fresh);
    buf_deinit(&key);
    data_labels_builder_deinit(&b);
    return err;
}

void alert__send(struct evaluation *e, const struct alert_rule *rule,
                 struct alert_rule_state *state, alert_send_fn send, void *ctx)
{
    int64_t resend_ns = e->env->resend_delay_ns;
    struct map_entry *entry;
    for (size_t pos = 0; send && (entry = map_next(state->active, &pos));) {
        struct alert_active *a = entry->value.ptr;
        if (a->state == ALERT_PENDING ||
            !(a->resolved_ns > a->last_sent_ns || a->last_sent_ns + resend_ns < e->ts_ns))
            continue;
        a->last_sent_ns = e->ts_ns;
        a->valid_until_ns = e->ts_ns + 4 * MAX(resend_ns, e->group->def->interval_ns);
        send(ctx, rule, a);
    }
}

/* --- restoring --- */

/* The newest sample of a series in the range; false when it has none, or ended. */
static bool newest(const struct store_source_ops *ops, struct store_selection *sel, size_t i,
                   int64_t min_ns, int64_t max_ns, struct store_samples *samples, int64_t *ts_ns,
                   double *value)
{
    if (ops->selection_read(sel, i, min_ns, max_ns, samples, NULL) || !samples->count)
        return false;
    *ts_ns = samples->ts[samples->count - 1];
    *value = samples->value[samples->count - 1];
    return !data_is_stale(*value) && isfinite(*value);
}

static void restore_alert(struct alert_active *a, const struct alert_rule *rule, int64_t down_ns,
                          double active_s, int64_t now_ns, int64_t grace_ns)
{
    if (fabs(active_s) > 9e9)
        return;
    int64_t active_ns = (int64_t)active_s * NS_PER_SEC;
    int64_t remaining_ns = rule->hold_ns - (down_ns - active_ns);
    if (remaining_ns > 0 && remaining_ns < grace_ns)
        active_ns = now_ns + grace_ns - rule->hold_ns;
    else if (remaining_ns > 0)
        active_ns += now_ns - down_ns; /* the outage does not count */
    a->active_ns = active_ns;
}

static void restore_rule(struct alert_group *g, const struct alert_env *env, size_t i,
                         int64_t now_ns, int64_t tolerance_ns, int64_t grace_ns)
{
    const struct alert_rule *rule = &g->def->rules[i];
    struct alert_rule_state *state = &g->states[i];
    const struct store_source_ops *ops = env->source->ops;
    const struct store_matcher matchers[] = {
        {STORE_MATCH_EQ, SLICE_INIT(DATA_METRIC_NAME), SLICE_INIT("ALERTS_FOR_STATE"), NULL},
        {STORE_MATCH_EQ, SLICE_INIT("alertname"), rule->name, NULL}};
    struct store_select_req req = {.tenant = env->tenant,
                                   .t_min_ns = now_ns - tolerance_ns,
                                   .t_max_ns = now_ns,
                                   .matchers = matchers,
                                   .matcher_count = ARRAY_LEN(matchers)};
    struct store_selection *sel = NULL;
    struct store_samples samples = {0};
    struct data_labels_builder b = {0};
    struct map *by_key = map_new();
    struct map_entry *entry;
    struct buf key = {0};
    struct diag diag;
    diag_init(&diag);
    if (ops->select(env->source, &req, &sel, &diag)) {
        LOG_WARN("alert", "the state of an alert cannot be restored",
                 LOG_SLICE("alert", rule->name), LOG_STR("error", diag.msg));
        goto out;
    }
    for (size_t k = 0; k < ops->selection_count(sel); k++) {
        buf_clear(&key);
        data_labels_encode(ops->selection_labels(sel, k), &key);
        map_put(by_key, buf_slice(&key), NULL)->value.u64 = k;
    }
    for (size_t pos = 0; (entry = map_next(state->active, &pos));) {
        struct data_labels labels;
        struct alert_active *a = entry->value.ptr;
        int64_t down_ns;
        double active_s;
        if (alert__series_labels(rule, a, "ALERTS_FOR_STATE", NULL, &b, &labels))
            continue;
        buf_clear(&key);
        data_labels_encode(labels, &key);
        struct map_entry *found = map_get(by_key, buf_slice(&key));
        if (found && newest(ops, sel, found->value.u64, req.t_min_ns, req.t_max_ns, &samples,
                            &down_ns, &active_s))
            restore_alert(a, rule, down_ns, active_s, now_ns, grace_ns);
    }
out:
    if (sel)
        ops->selection_free(sel);
    store_samples_free(&samples);
    data_labels_builder_deinit(&b);
    map_free(by_key);
    buf_deinit(&key);
}

void alert_group_restore(struct alert_group *g, const struct alert_env *env, int64_t now_ns,
                         int64_t tolerance_ns, int64_t grace_ns)
{
    struct alert_env own = alert__env_of(g, env);
    for (size_t i = 0; i < g->def->rule_count; i++) {
        const struct alert_rule *rule = &g->def->rules[i];
        if (!rule->is_alert || g->states[i].restored)
            continue;
        pthread_mutex_lock(&g->lock);
        /* A short wait is not worth it: such alerts begin anew. */
        if (rule->hold_ns >= grace_ns)
            restore_rule(g, &own, i, now_ns, tolerance_ns, grace_ns);
        g->states[i].restored = !(env->cancelled && atomic_load(env->cancelled));
        pthread_mutex_unlock(&g->lock);
    }
}
