#include "alert/group_priv.h"

#include <math.h>

#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"

static struct counter written = {.name = "pharos_rule_samples_total",
                                 .help = "Samples that rules gave."};
static struct counter refused = {.name = "pharos_rule_refused_samples_total",
                                 .help = "Samples of rules that the store did not take."};
static struct counter duration = {.name = "pharos_rule_evaluation_duration_seconds_total",
                                  .help = "Time spent evaluating rules.",
                                  .scale = 1e-9};

const char *alert_state_name(enum alert_state state)
{
    static const char *const names[] = {"inactive", "pending", "firing"};
    return names[state];
}

const char *alert_health_name(enum alert_health health)
{
    static const char *const names[] = {"unknown", "ok", "err"};
    return names[health];
}

/* --- queries --- */

int alert__query(const struct alert_env *env, const struct alert_language *language,
                 const void *expr, int64_t ts_ns, const struct alert__room *room,
                 struct query_result *out, struct diag *diag)
{
    struct query_steps steps = {.start_ns = ts_ns, .end_ns = ts_ns, .instant = true};
    struct query_plan *plan = NULL;
    struct query_env qe = {.source = env->source,
                           .tenant = env->tenant,
                           .pool = env->pool,
                           .memory = room->memory,
                           .samples_max = env->samples_max,
                           .series_max = env->series_max,
                           .cancelled = env->cancelled,
                           .now_ns = env->monotonic_ns,
                           .now_ctx = env->clock_ctx};
    if (env->timeout_ns && env->monotonic_ns)
        qe.deadline_ns = env->monotonic_ns(env->clock_ctx) + env->timeout_ns;
    int err = language->plan(expr, env, &qe, &steps, room->plan, &plan, diag);
    if (!err)
        err = query_run(plan, &qe, room->result, out, diag);
    if (err)
        return err;
    if (out->kind == QUERY_SCALAR) {
        struct query_series *one = ARENA_NEW(room->plan, struct query_series);
        one->value = arena_dup(room->plan, &out->scalar.value, sizeof(out->scalar.value));
        one->start_ns = out->scalar.ts_ns;
        one->count = 1;
        out->series = one;
        out->series_count = 1;
        out->kind = QUERY_VECTOR;
    }
    if (out->kind != QUERY_VECTOR)
        return diag_set(diag, ERR_INVALID, "rule result is not a vector or scalar");
    return 0;
}

int alert__query_text(const struct alert_env *env, const struct alert_language *language,
                      struct slice text, int64_t ts_ns, const struct alert__room *room,
                      struct query_result *out, struct diag *diag)
{
    void *expr = NULL;
    int err = language->parse(text, &env->promql, room->plan, &expr, diag);
    if (!err)
        err = alert__query(env, language, expr, ts_ns, room, out, diag);
    language->free(expr);
    return err;
}

/* --- results --- */

bool alert__put(struct evaluation *e, struct data_labels labels, double value,
                const struct data_histogram *histogram)
{
    struct buf key = {0};
    bool added;
    data_labels_encode(labels, &key);
    (void)map_put(e->series, buf_slice(&key), &added);
    if (added) {
        uint32_t series = data_metric_batch_add_series(e->batch, labels);
        if (histogram)
            data_metric_batch_add_histogram(e->batch, series, e->sample_ns, histogram);
        else
            data_metric_batch_add_sample(e->batch, series, e->sample_ns, value);
    }
    buf_deinit(&key);
    return added;
}

static void add_stale(struct data_metric_batch *batch, struct slice key, int64_t ts_ns)
{
    uint32_t series = data_metric_batch_add_series_key(batch, arena_slice(batch->arena, key));
    data_metric_batch_add_sample(batch, series, ts_ns, data_stale_nan());
}

static void on_stored(void *ctx, int err, const struct pipe_result *result)
{
    (void)ctx;
    size_t n = result ? pipe_result_refused(result) : 0;
    if (err) {
        LOG_WARN("alert", "results of rules were not stored", LOG_STR("error", err_name(err)));
        counter_add(&refused, 1);
    } else if (n) {
        LOG_WARN("alert", "samples of rules were refused", LOG_INT("count", n),
                 LOG_STR("first", result->first_refusal.msg));
        counter_add(&refused, (int64_t)n);
    }
}

static void store(const struct alert_env *env, struct data_metric_batch *batch)
{
    counter_add(&written, (int64_t)batch->sample_ts.len);
    if (batch->sample_ts.len)
        env->sink->metrics(env->sink, batch, on_stored, NULL);
    data_metric_batch_reset(batch);
}

/* Series that the rule gave before and does not any more. */
static void end_vanished(struct evaluation *e, struct alert_rule_state *state)
{
    struct map_entry *entry;
    for (size_t pos = 0; state->previous && (entry = map_next(state->previous, &pos));) {
        if (!map_get(e->series, entry->key))
            add_stale(e->batch, entry->key, e->sample_ns);
    }
    map_free(state->previous);
    state->previous = e->series;
    e->series = map_new();
}

static int eval_record(struct evaluation *e, const struct alert_rule *rule,
                       const struct query_result *result, struct diag *diag)
{
    struct data_labels_builder b = {0};
    int64_t limit = e->group->def->limit;
    int err = 0;
    for (size_t i = 0; !err && i < result->series_count; i++) {
        const struct query_series *s = &result->series[i];
        struct data_labels labels;
        if (!s->count)
            continue;
        data_labels_builder_from(&b, s->labels);
        data_labels_builder_set(&b, SLICE(DATA_METRIC_NAME), rule->name);
        for (size_t k = 0; k < rule->label_count; k++)
            data_labels_builder_set(&b, rule->labels[k].name, rule->labels[k].value);
        err = data_labels_builder_finish(&b, &labels, diag);
        if (!err &&
            !alert__put(e, labels, query_point_at(s, 0).value, query_point_at(s, 0).histogram))
            err = diag_set(diag, ERR_INVALID,
                           "vector contains metrics with the same labelset after applying rule "
                           "labels");
    }
    data_labels_builder_deinit(&b);
    if (!err && limit > 0 && (int64_t)result->series_count > limit)
        err = diag_set(diag, ERR_LIMIT, "exceeded limit of %lld with %zu series", (long long)limit,
                       result->series_count);
    return err;
}

static void eval_rule(struct evaluation *e, size_t i, alert_send_fn send, void *ctx)
{
    const struct alert_rule *rule = &e->group->def->rules[i];
    struct alert_rule_state *state = &e->group->states[i];
    int64_t begun_ns = e->env->monotonic_ns ? e->env->monotonic_ns(e->env->clock_ctx) : 0;
    struct query_result result = {0};
    struct diag diag;
    diag_init(&diag);
    struct alert__room room = {e->arena, e->query_arena, &e->memory};
    int err = alert__query(e->env, e->language, rule->expr, e->sample_ns, &room, &result, &diag);
    if (!err)
        err = rule->is_alert ? alert__eval_alert(e, rule, state, &result, &diag)
                             : eval_record(e, rule, &result, &diag);
    if (err == ERR_CANCELLED) { /* as if it had not begun */
        data_metric_batch_reset(e->batch);
        return;
    }
    pthread_mutex_lock(&e->group->lock);
    int64_t took_ns = e->env->monotonic_ns ? e->env->monotonic_ns(e->env->clock_ctx) - begun_ns : 0;
    state->duration_ns = took_ns;
    state->last_eval_ns = e->ts_ns;
    state->health = err ? ALERT_HEALTH_ERR : ALERT_HEALTH_OK;
    mem_free(state->last_error);
    state->last_error = err ? mem_strdup(diag.msg) : NULL;
    if (!err && rule->is_alert)
        alert__send(e, rule, state, send, ctx);
    if (err) {
        data_metric_batch_reset(e->batch);
        map_clear(e->series);
        e->group->last_failures++;
    } else {
        end_vanished(e, state);
    }
    e->group->last_samples += (int64_t)e->batch->sample_ts.len;
    pthread_mutex_unlock(&e->group->lock);
    counter_add(&duration, took_ns);
    if (err)
        LOG_WARN("alert", "evaluating a rule failed", LOG_SLICE("group", e->group->def->name),
                 LOG_SLICE("rule", rule->name), LOG_STR("error", diag.msg));
    store(e->env, e->batch);
}

struct alert_env alert__env_of(const struct alert_group *g, const struct alert_env *env)
{
    struct alert_env own = *env;
    if (g->def->tenant.len)
        own.tenant = g->def->tenant;
    return own;
}

/* An evaluation of the whole group. */
struct round {
    struct alert_group *group;
    const struct alert_env *env;
    int64_t ts_ns, sample_ns;
    const uint32_t *batch; /* the rules in hand; NULL: all of them in order */
    alert_send_fn send;
    void *ctx;
};

static void eval_one(void *ctx, size_t i)
{
    const struct round *r = ctx;
    const struct alert_env *env = r->env;
    if (env->cancelled && atomic_load(env->cancelled))
        return;
    struct evaluation e = {.group = r->group,
                           .env = env,
                           .language = r->group->def->language,
                           .ts_ns = r->ts_ns,
                           .sample_ns = r->sample_ns,
                           .arena = arena_new(0, NULL),
                           .batch = data_metric_batch_new(env->tenant),
                           .series = map_new()};
    budget_init(&e.memory, env->memory_total, env->query_memory_bytes, "limits.query.memory");
    e.query_arena = arena_new(0, &e.memory);
    eval_rule(&e, r->batch ? r->batch[i] : i, r->send, r->ctx);
    arena_free(e.query_arena);
    budget_drain(&e.memory);
    map_free(e.series);
    data_metric_batch_free(e.batch);
    arena_free(e.arena);
}

static void eval_rules(struct round *r)
{
    struct alert_group *g = r->group;
    struct task_pool *pool = r->env->pool;
    size_t width = pool ? r->env->concurrency : 1;
    if (width <= 1 || g->order.batch_count == g->def->rule_count) {
        for (size_t i = 0; i < g->def->rule_count; i++)
            eval_one(r, i);
        return;
    }
    for (size_t b = 0, begin = 0; b < g->order.batch_count; begin = g->order.ends[b++]) {
        r->batch = g->order.rules + begin;
        pool->parallel(pool, TASK_ALERTING, g->order.ends[b] - begin, width, eval_one, r);
    }
}

static void end_stale(struct alert_group *g, const struct alert_env *env, int64_t ts_ns)
{
    struct data_metric_batch *batch;
    if (!g->stale.len)
        return;
    batch = data_metric_batch_new(env->tenant);
    for (size_t i = 0; i < g->stale.len; i++) {
        add_stale(batch, g->stale.items[i], ts_ns);
        mem_free((char *)(uintptr_t)g->stale.items[i].ptr);
    }
    vec_clear(&g->stale);
    store(env, batch);
    data_metric_batch_free(batch);
}

void alert_group_eval(struct alert_group *g, const struct alert_env *env, int64_t ts_ns,
                      alert_send_fn send, void *ctx)
{
    struct alert_env own = alert__env_of(g, env);
    struct round r = {.group = g, .env = &own, .ts_ns = ts_ns, .send = send, .ctx = ctx};
    int64_t begun_ns = env->monotonic_ns ? env->monotonic_ns(env->clock_ctx) : 0;
    /* Milliseconds are what Prometheus keeps. */
    r.sample_ns = ts_ns - g->def->query_offset_ns;
    r.sample_ns -= ((r.sample_ns % NS_PER_MS) + NS_PER_MS) % NS_PER_MS;
    g->last_samples = g->last_failures = 0;
    eval_rules(&r);
    end_stale(g, &own, r.sample_ns);
    pthread_mutex_lock(&g->lock);
    g->last_eval_ns = ts_ns;
    g->duration_ns = env->monotonic_ns ? env->monotonic_ns(env->clock_ctx) - begun_ns : 0;
    pthread_mutex_unlock(&g->lock);
}

void alert_group_end_series(struct alert_group *g, const struct alert_env *env, int64_t ts_ns)
{
    struct alert_env own = alert__env_of(g, env);
    struct data_metric_batch *batch = data_metric_batch_new(own.tenant);
    struct map_entry *entry;
    for (size_t i = 0; i < g->def->rule_count; i++) {
        for (size_t pos = 0;
             g->states[i].previous && (entry = map_next(g->states[i].previous, &pos));)
            add_stale(batch, entry->key, ts_ns);
    }
    for (size_t i = 0; i < g->stale.len; i++)
        add_stale(batch, g->stale.items[i], ts_ns);
    store(&own, batch);
    data_metric_batch_free(batch);
}

/* --- life --- */

struct alert_group *alert_group_new(struct alert_rules *rules, const struct alert_group_def *def)
{
    struct alert_group *g = mem_calloc(1, sizeof(*g));
    g->rules = alert_rules_ref(rules);
    g->def = def;
    g->states = mem_calloc(def->rule_count + 1, sizeof(*g->states));
    for (size_t i = 0; i < def->rule_count; i++)
        g->states[i].active = map_new();
    alert__order_init(&g->order, def);
    pthread_mutex_init(&g->lock, NULL);
    counter_register(&written, 1);
    counter_register(&refused, 1);
    counter_register(&duration, 1);
    return g;
}

static void free_state(struct alert_rule_state *s)
{
    mem_free(s->last_error);
    if (s->active)
        alert__active_clear(s->active);
    map_free(s->active);
    map_free(s->previous);
    *s = (struct alert_rule_state){0};
}

void alert_group_free(struct alert_group *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->def->rule_count; i++)
        free_state(&g->states[i]);
    for (size_t i = 0; i < g->stale.len; i++)
        mem_free((char *)(uintptr_t)g->stale.items[i].ptr);
    vec_free(&g->stale);
    mem_free(g->states);
    alert__order_deinit(&g->order);
    pthread_mutex_destroy(&g->lock);
    alert_rules_free(g->rules);
    mem_free(g);
}

static bool same_rule(const struct alert_rule *a, const struct alert_rule *b)
{
    if (a->is_alert != b->is_alert || !slice_eq(a->name, b->name) ||
        a->label_count != b->label_count)
        return false;
    for (size_t i = 0; i < a->label_count; i++) {
        if (!slice_eq(a->labels[i].name, b->labels[i].name) ||
            !slice_eq(a->labels[i].value, b->labels[i].value))
            return false;
    }
    return true;
}

static void leave_stale(struct alert_group *g, struct slice key)
{
    vec_push(&g->stale, slice_make(mem_dup(key.ptr, key.len), key.len));
}

void alert_group_inherit(struct alert_group *g, struct alert_group *from)
{
    bool *taken = mem_calloc(from->def->rule_count + 1, sizeof(*taken));
    struct map_entry *entry;
    g->duration_ns = from->duration_ns;
    g->last_eval_ns = from->last_eval_ns;
    for (size_t i = 0; i < g->def->rule_count; i++) {
        for (size_t k = 0; k < from->def->rule_count; k++) {
            if (taken[k] || !same_rule(&g->def->rules[i], &from->def->rules[k]))
                continue;
            taken[k] = true;
            free_state(&g->states[i]);
            g->states[i] = from->states[k];
            from->states[k] = (struct alert_rule_state){0};
            break;
        }
    }
    for (size_t k = 0; k < from->def->rule_count; k++) {
        for (size_t pos = 0;
             from->states[k].previous && (entry = map_next(from->states[k].previous, &pos));)
            leave_stale(g, entry->key);
    }
    for (size_t i = 0; i < from->stale.len; i++)
        vec_push(&g->stale, from->stale.items[i]);
    vec_clear(&from->stale);
    mem_free(taken);
}

void alert_group_set_restored(struct alert_group *g)
{
    for (size_t i = 0; i < g->def->rule_count; i++)
        g->states[i].restored = true;
}
