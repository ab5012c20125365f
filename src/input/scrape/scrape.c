/* The manager: pools of targets, kept in step with configuration and discovery. It lives on one
 * loop; targets are spread over all of them. */
#include "input/scrape/scrape.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "input/scrape/scrape_priv.h"

#define DROPPED_SHOWN_MAX 10000 /* when keep_dropped_targets says nothing */

const char *input_scrape_health_name(enum input_scrape_health health)
{
    static const char *const names[INPUT_SCRAPE_HEALTH_COUNT] = {"unknown", "up", "down"};
    base_assert(health < INPUT_SCRAPE_HEALTH_COUNT);
    return names[health];
}

int64_t input__scrape_now(struct input_scrape *s)
{
    return s->manual ? s->manual_now_ns : s->env.os->ops->now_ns(s->env.os);
}

void input__scrape_arrived(struct input_scrape *s)
{
    pthread_mutex_lock(&s->lock);
    base_assert(s->waiting_for);
    s->waiting_for--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void expect(struct input_scrape *s, size_t n)
{
    pthread_mutex_lock(&s->lock);
    s->waiting_for += n;
    pthread_mutex_unlock(&s->lock);
}

static void wait_for_all(struct input_scrape *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->waiting_for)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* --- targets, across threads --- */

static void start_on_loop(void *ctx)
{
    input__target_start(ctx);
}

static void end_with_markers(void *ctx)
{
    input__target_end(ctx, true);
}

static void end_silently(void *ctx)
{
    input__target_end(ctx, false);
}

static struct worker *worker_for(struct input_scrape *s, struct slice key)
{
    return &s->workers[hash64(key.ptr, key.len, 1) % s->worker_count];
}

/* --- pools --- */

struct fresh {
    struct populated what;
    struct slice key;
    bool over_limit, bad;
};

struct sync {
    struct pool *pool;
    struct arena *arena;
    struct map *keys; /* of this pool's targets to be: index + 1 into fresh */
    VEC(struct fresh) fresh;
    struct arena *dropped_arena;
    VEC(struct data_labels) dropped;
    size_t dropped_count;
    char last_error[512];
};

static void drop(struct sync *y, struct data_labels discovered)
{
    const struct input__scrape_job *job = y->pool->job;
    size_t max = job->keep_dropped_targets ? (size_t)job->keep_dropped_targets : DROPPED_SHOWN_MAX;
    y->dropped_count++;
    if (y->dropped.len < max)
        vec_push(&y->dropped, data_labels_copy(y->dropped_arena, discovered));
}

static void add_group(void *arg, const struct discovery_group *g)
{
    struct sync *y = arg;
    for (size_t i = 0; i < g->target_count; i++) {
        struct fresh f = {0};
        struct diag diag;
        diag_init(&diag);
        enum populate got =
            input__populate(y->pool->job, g, g->targets[i], y->arena, &f.what, &diag);
        if (got == POPULATE_DROPPED) {
            drop(y, f.what.discovered);
            continue;
        }
        if (got == POPULATE_BAD) {
            snprintf(y->last_error, sizeof(y->last_error), "target \"%.*s\" of %.*s: %.200s",
                     SLICE_FMT(slice_first(g->targets[i], 100)),
                     SLICE_FMT(slice_first(g->source, 100)), diag.msg);
            drop(y, f.what.discovered);
            continue;
        }
        struct buf key = {0};
        bool added;
        data_labels_encode(f.what.all, &key);
        buf_append_slice(&key, f.what.url);
        f.key = arena_slice(y->arena, buf_slice(&key));
        buf_deinit(&key);
        struct map_entry *e = map_put(y->keys, f.key, &added);
        if (!added)
            continue; /* the same target from two places */
        f.over_limit =
            y->pool->job->target_limit && y->fresh.len >= (size_t)y->pool->job->target_limit;
        vec_push(&y->fresh, f);
        e->value.u64 = y->fresh.len;
    }
}

/* Some target to be has the same visible labels: its series go on. */
static bool goes_on(const struct sync *y, const struct target *t)
{
    for (size_t i = 0; i < y->fresh.len; i++) {
        if (data_labels_eq(y->fresh.items[i].what.labels, t->what.labels))
            return true;
    }
    return false;
}

void input__pool_sync(struct pool *pool)
{
    struct input_scrape *s = pool->scrape;
    struct sync y = {.pool = pool,
                     .arena = arena_new(0, NULL),
                     .keys = map_new(),
                     .dropped_arena = arena_new(0, NULL)};
    discovery_each(pool->discovery, add_group, &y);
    if (!y.last_error[0])
        discovery_error(pool->discovery, y.last_error, sizeof(y.last_error));
    if (y.last_error[0] && strcmp(y.last_error, pool->last_error) != 0)
        LOG_WARN("input", "not every target can be scraped", LOG_SLICE("job", pool->job->name),
                 LOG_STR("error", y.last_error));
    /* Old targets that stay, and those that go. */
    VEC(struct target *) now = {0}, gone = {0};
    for (size_t i = 0; i < pool->targets.len; i++) {
        struct target *t = pool->targets.items[i];
        struct map_entry *e = map_get(y.keys, t->key);
        struct fresh *f = e ? &y.fresh.items[e->value.u64 - 1] : NULL;
        t->matched =
            f && slice_eq(t->job->identity, pool->job->identity) && t->over_limit == f->over_limit;
        if (t->matched)
            f->bad = true; /* no new one needed */
        else
            vec_push(&gone, t);
    }
    /* In the order of the configuration. */
    struct map *old = map_new();
    for (size_t i = 0; i < pool->targets.len; i++) {
        if (pool->targets.items[i]->matched)
            map_put(old, pool->targets.items[i]->key, NULL)->value.ptr = pool->targets.items[i];
    }
    size_t kept = 0;
    for (size_t i = 0; i < y.fresh.len; i++) {
        struct fresh *f = &y.fresh.items[i];
        struct target *t;
        if (f->bad) {
            t = map_get(old, f->key)->value.ptr;
            kept++;
        } else {
            struct worker *w = worker_for(s, f->key);
            t = input__target_new(w, pool->config, pool->job, &f->what, f->key);
            t->over_limit = f->over_limit;
            net_loop_post(w->loop, start_on_loop, t);
        }
        vec_push(&now, t);
    }
    map_free(old);
    pthread_mutex_lock(&s->lock);
    vec_free(&pool->targets);
    pool->targets.items = now.items;
    pool->targets.len = now.len;
    pool->targets.cap = now.cap;
    vec_free(&pool->dropped);
    arena_free(pool->dropped_arena);
    pool->dropped_arena = y.dropped_arena;
    pool->dropped.items = y.dropped.items;
    pool->dropped.len = y.dropped.len;
    pool->dropped.cap = y.dropped.cap;
    pool->dropped_count = y.dropped_count;
    memcpy(pool->last_error, y.last_error, sizeof(y.last_error));
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < gone.len; i++) {
        struct target *t = gone.items[i];
        net_loop_post(t->worker->loop, goes_on(&y, t) ? end_silently : end_with_markers, t);
    }
    vec_free(&gone);
    vec_free(&y.fresh);
    map_free(y.keys);
    arena_free(y.arena);
}

static struct pool *new_pool(struct input_scrape *s)
{
    struct pool *p = mem_calloc(1, sizeof(*p));
    p->scrape = s;
    return p;
}

static void on_groups(void *ctx)
{
    input__pool_sync(ctx);
}

static void on_asked(void *ctx)
{
    struct pool *p = ctx;
    expect(p->scrape, 1);
}

static void on_answered(void *ctx)
{
    struct pool *p = ctx;
    input__scrape_arrived(p->scrape);
}

static void make_discovery(struct pool *p, struct pool *old)
{
    struct input_scrape *s = p->scrape;
    const struct discovery_env env = {.os = s->env.os,
                                      .loop = s->home,
                                      .client = s->client,
                                      .version = s->env.version,
                                      .manual = s->manual,
                                      .ctx = p,
                                      .changed = on_groups,
                                      .begun = on_asked,
                                      .ended = on_answered};
    p->discovery = discovery_new(&p->job->discovery, &env);
    discovery_inherit(p->discovery, old ? old->discovery : NULL);
}

/* --- applying a configuration --- */

struct apply {
    struct input_scrape *scrape;
    struct input_scrape_config *config;
};

static struct pool *find_pool(struct input_scrape *s, struct slice name)
{
    for (size_t i = 0; i < s->pools.len; i++) {
        if (slice_eq(s->pools.items[i]->job->name, name))
            return s->pools.items[i];
    }
    return NULL;
}

static void free_pool(struct pool *p)
{
    discovery_free(p->discovery);
    vec_free(&p->targets);
    vec_free(&p->dropped);
    arena_free(p->dropped_arena);
    input_scrape_config_free(p->config);
    mem_free(p);
}

static void apply_on_home(void *ctx)
{
    struct apply *a = ctx;
    struct input_scrape *s = a->scrape;
    struct input_scrape_config *c = a->config;
    mem_free(a);
    if (s->stopping) {
        input_scrape_config_free(c);
        return;
    }
    VEC(struct pool *) pools = {0};
    for (size_t i = 0; i < c->job_count; i++) {
        struct pool *p = new_pool(s), *old = find_pool(s, c->jobs[i].name);
        p->config = input__scrape_config_ref(c);
        p->job = &c->jobs[i];
        make_discovery(p, old);
        if (old) { /* the targets move over; sync sorts out which may stay */
            pthread_mutex_lock(&s->lock);
            p->targets.items = old->targets.items;
            p->targets.len = old->targets.len;
            p->targets.cap = old->targets.cap;
            old->targets.items = NULL;
            old->targets.len = old->targets.cap = 0;
            pthread_mutex_unlock(&s->lock);
        }
        vec_push(&pools, p);
    }
    pthread_mutex_lock(&s->lock);
    VEC(struct pool *) before = {s->pools.items, s->pools.len, s->pools.cap};
    s->pools.items = pools.items;
    s->pools.len = pools.len;
    s->pools.cap = pools.cap;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < before.len; i++) {
        struct pool *p = before.items[i];
        for (size_t k = 0; k < p->targets.len; k++)
            net_loop_post(p->targets.items[k]->worker->loop, end_with_markers, p->targets.items[k]);
        free_pool(p);
    }
    vec_free(&before);
    for (size_t i = 0; i < s->pools.len; i++) {
        struct pool *p = s->pools.items[i];
        discovery_refresh(p->discovery, false);
        input__pool_sync(p);
        discovery_start(p->discovery);
    }
    input_scrape_config_free(c);
}

void input_scrape_apply(struct input_scrape *s, struct input_scrape_config *config)
{
    struct apply *a = mem_calloc(1, sizeof(*a));
    a->scrape = s;
    a->config = config;
    pthread_mutex_lock(&s->lock);
    struct input_scrape_config *before = s->config;
    s->config = input__scrape_config_ref(config);
    pthread_mutex_unlock(&s->lock);
    input_scrape_config_free(before);
    net_loop_post(s->home, apply_on_home, a);
}

/* --- life --- */

static void worker_begin(void *ctx)
{
    struct worker *w = ctx;
    struct diag diag;
    diag_init(&diag);
    int err = net_client_new(w->loop, &w->client, &diag);
    base_assert(!err);
    w->tokens = discovery_tokens_new(w->scrape->env.os, w->client);
    w->batch = data_metric_batch_new(SLICE("default"));
    w->arena = arena_new(0, NULL);
    if (w == w->scrape->workers) {
        err = net_client_new(w->loop, &w->scrape->client, &diag);
        base_assert(!err);
    }
    input__scrape_arrived(w->scrape);
}

static void worker_end(void *ctx)
{
    struct worker *w = ctx;
    while (w->targets)
        input__target_end(w->targets, false);
    net_client_free(w->client);
    discovery_tokens_free(w->tokens);
    data_metric_batch_free(w->batch);
    arena_free(w->arena);
    input__scrape_arrived(w->scrape);
}

int input_scrape_new(const struct input_env *env, struct input_scrape **out, struct diag *diag)
{
    (void)diag;
    struct input_scrape *s = mem_calloc(1, sizeof(*s));
    s->env = *env;
    s->worker_count = net_loops_count(env->loops);
    s->workers = mem_calloc(s->worker_count, sizeof(*s->workers));
    s->home = net_loops_at(env->loops, 0);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    expect(s, s->worker_count);
    for (size_t i = 0; i < s->worker_count; i++) {
        s->workers[i].scrape = s;
        s->workers[i].loop = net_loops_at(env->loops, i);
        net_loop_post(s->workers[i].loop, worker_begin, &s->workers[i]);
    }
    wait_for_all(s);
    *out = s;
    return 0;
}

static void end_on_home(void *ctx)
{
    struct input_scrape *s = ctx;
    s->stopping = true;
    pthread_mutex_lock(&s->lock);
    VEC(struct pool *) pools = {s->pools.items, s->pools.len, s->pools.cap};
    s->pools.items = NULL;
    s->pools.len = s->pools.cap = 0;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < pools.len; i++)
        free_pool(pools.items[i]);
    vec_free(&pools);
    net_client_free(s->client);
    for (size_t i = 0; i < s->worker_count; i++)
        net_loop_post(s->workers[i].loop, worker_end, &s->workers[i]);
}

void input_scrape_stop(struct input_scrape *s)
{
    if (!s)
        return;
    expect(s, s->worker_count);
    net_loop_post(s->home, end_on_home, s);
    wait_for_all(s);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    input_scrape_config_free(s->config);
    mem_free(s->workers);
    mem_free(s);
}

/* --- views --- */

void input_scrape_look(struct input_scrape *s, struct arena *arena, struct input_scrape_view *out)
{
    *out = (struct input_scrape_view){0};
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->pools.len; i++) {
        out->target_count += s->pools.items[i]->targets.len;
        out->dropped_count += s->pools.items[i]->dropped.len;
    }
    out->pool_count = s->pools.len;
    out->pools = ARENA_ARRAY(arena, struct input_scrape_pool_view, out->pool_count);
    out->targets = ARENA_ARRAY(arena, struct input_scrape_target_view, out->target_count);
    out->dropped = ARENA_ARRAY(arena, struct input_scrape_dropped_view, out->dropped_count);
    struct input_scrape_target_view *t_out = out->targets;
    struct input_scrape_dropped_view *d_out = out->dropped;
    for (size_t i = 0; i < s->pools.len; i++) {
        struct pool *p = s->pools.items[i];
        struct slice name = arena_slice(arena, p->job->name);
        out->pools[i] = (struct input_scrape_pool_view){
            .name = name,
            .active = p->targets.len,
            .dropped = p->dropped_count,
            .last_error = arena_slice(arena, slice_cstr(p->last_error))};
        for (size_t k = 0; k < p->targets.len; k++) {
            const struct target *t = p->targets.items[k];
            *t_out++ = (struct input_scrape_target_view){
                .discovered = data_labels_copy(arena, t->what.discovered),
                .labels = data_labels_copy(arena, t->what.labels),
                .pool = name,
                .url = arena_slice(arena, t->what.url),
                .last_error = arena_slice(arena, slice_cstr(t->last_error)),
                .last_scrape_ns = t->last_scrape_ns,
                .last_duration_ns = t->last_duration_ns,
                .interval_ns = t->what.interval_ns,
                .timeout_ns = t->what.timeout_ns,
                .last_samples = t->last_samples,
                .health = t->health};
        }
        for (size_t k = 0; k < p->dropped.len; k++)
            *d_out++ = (struct input_scrape_dropped_view){
                .discovered = data_labels_copy(arena, p->dropped.items[k]), .pool = name};
    }
    pthread_mutex_unlock(&s->lock);
}

void input_scrape_look_metadata(struct input_scrape *s, struct slice metric, struct arena *arena,
                                struct input_scrape_metadata_view **out, size_t *out_count)
{
    VEC(struct input_scrape_metadata_view) all = {0};
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->pools.len; i++) {
        for (size_t k = 0; k < s->pools.items[i]->targets.len; k++) {
            const struct target *t = s->pools.items[i]->targets.items[k];
            struct data_labels labels = {0};
            size_t pos = 0;
            for (struct map_entry *e; (e = map_next(t->families, &pos));) {
                const struct family *f = e->value.ptr;
                if (metric.len && !slice_eq(metric, e->key))
                    continue;
                if (!labels.items)
                    labels = data_labels_copy(arena, t->what.labels);
                vec_push(
                    &all,
                    ((struct input_scrape_metadata_view){
                        .target = labels,
                        .metadata = {.metric = arena_slice(arena, e->key),
                                     .unit = arena_slice(arena, slice_make(f->unit, f->unit_len)),
                                     .help = arena_slice(arena, slice_make(f->help, f->help_len)),
                                     .type = f->type}}));
            }
        }
    }
    pthread_mutex_unlock(&s->lock);
    *out = arena_dup(arena, all.items, all.len * sizeof(*all.items));
    *out_count = all.len;
    vec_free(&all);
}

int input_scrape_relabel_rules(struct input_scrape *s, struct slice pool,
                               void (*each)(void *arg, const struct pipe_relabel_rule *rule),
                               void *arg)
{
    const struct input__scrape_job *job = NULL;
    pthread_mutex_lock(&s->lock);
    struct input_scrape_config *config = s->config ? input__scrape_config_ref(s->config) : NULL;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; config && i < config->job_count && !job; i++)
        job = slice_eq(config->jobs[i].name, pool) ? &config->jobs[i] : NULL;
    for (size_t i = 0; job && i < job->relabel.count; i++)
        each(arg, &job->relabel.rules[i]);
    input_scrape_config_free(config);
    return job ? 0 : ERR_NOT_FOUND;
}

int input_scrape_pool_yaml(struct input_scrape *s, struct slice pool, struct buf *out)
{
    int err = ERR_NOT_FOUND;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; s->config && i < s->config->job_count && err; i++) {
        if (slice_eq(s->config->jobs[i].name, pool)) {
            buf_append_slice(out, s->config->jobs[i].yaml);
            err = 0;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

struct data_labels input_scrape_external_labels(struct input_scrape *s, struct arena *arena)
{
    struct data_labels labels = {0};
    pthread_mutex_lock(&s->lock);
    if (s->config)
        labels = data_labels_copy(arena, s->config->external_labels);
    pthread_mutex_unlock(&s->lock);
    return labels;
}

/* --- by hand --- */

void input_scrape_set_manual(struct input_scrape *s)
{
    s->manual = true;
}

static void refresh_on_home(void *ctx)
{
    struct input_scrape *s = ctx;
    for (size_t i = 0; i < s->pools.len; i++)
        discovery_refresh(s->pools.items[i]->discovery, true);
    input__scrape_arrived(s);
}

static void scrape_all(void *ctx)
{
    struct worker *w = ctx;
    struct input_scrape *s = w->scrape;
    for (struct target *t = w->targets, *next; t; t = next) {
        next = t->next;
        if (t->call)
            continue;
        expect(s, 1);
        t->waited_for = true;
        input__target_scrape(t, s->manual_now_ns);
    }
    input__scrape_arrived(s);
}

/* Behind everything the home loop has posted so far. */
static void scrape_from_home(void *ctx)
{
    struct input_scrape *s = ctx;
    for (size_t i = 0; i < s->worker_count; i++)
        net_loop_post(s->workers[i].loop, scrape_all, &s->workers[i]);
}

void input_scrape_run_once(struct input_scrape *s, int64_t now_ns)
{
    s->manual_now_ns = now_ns;
    expect(s, 1);
    net_loop_post(s->home, refresh_on_home, s);
    wait_for_all(s);
    expect(s, s->worker_count);
    net_loop_post(s->home, scrape_from_home, s);
    wait_for_all(s);
}

/* --- the plugin's frame --- */

struct frame_config {
    const struct text_yaml *global, *scrape_configs;
    bool ignore_unsupported;
};

static const struct text_conf_field frame_fields[] = {
    {.key = "global",
     .type = TEXT_CONF_NODE,
     .offset = offsetof(struct frame_config, global),
     .help = "Defaults of all scrape jobs and the external labels, as in prometheus.yml",
     .live = true},
    {.key = "scrape_configs",
     .type = TEXT_CONF_NODE,
     .offset = offsetof(struct frame_config, scrape_configs),
     .help = "What to scrape, as in prometheus.yml",
     .live = true},
    {.key = "prometheus.ignore_unsupported",
     .type = TEXT_CONF_BOOL,
     .offset = offsetof(struct frame_config, ignore_unsupported),
     .default_text = "false",
     .help =
         "Leave out what Prometheus has and Pharos has not, with a warning, instead of refusing "
         "the file",
     .live = true},
};

struct frame {
    struct input_scrape *scrape;
    struct input_scrape_config *config; /* until start */
};

static int frame_parse(const void *config, struct input_scrape_config **out, struct diag *diag)
{
    const struct frame_config *c = config;
    struct input_scrape_source source = {.global = c->global,
                                         .scrape_configs = c->scrape_configs,
                                         .ignore_unsupported = c->ignore_unsupported};
    return input_scrape_config_parse(&source, out, diag);
}

static int frame_create(const struct input_env *env, const void *config, struct input **out,
                        struct diag *diag)
{
    struct frame *f = mem_calloc(1, sizeof(*f));
    int err = frame_parse(config, &f->config, diag);
    if (!err)
        err = input_scrape_new(env, &f->scrape, diag);
    if (err) {
        input_scrape_config_free(f->config);
        mem_free(f);
        return err;
    }
    *out = (struct input *)(void *)f;
    return 0;
}

static int frame_start(struct input *in, struct diag *diag)
{
    struct frame *f = (struct frame *)(void *)in;
    (void)diag;
    input_scrape_apply(f->scrape, f->config);
    f->config = NULL;
    return 0;
}

static int frame_reload(struct input *in, const void *config, struct diag *diag)
{
    struct frame *f = (struct frame *)(void *)in;
    struct input_scrape_config *c;
    int err = frame_parse(config, &c, diag);
    if (!err)
        input_scrape_apply(f->scrape, c);
    return err;
}

static void frame_stop(struct input *in)
{
    struct frame *f = (struct frame *)(void *)in;
    input_scrape_stop(f->scrape);
    input_scrape_config_free(f->config);
    mem_free(f);
}

extern const struct input_def input_def_scrape;
const struct input_def input_def_scrape = {
    .name = "scrape",
    .help = "Fetches metrics from targets over HTTP, as Prometheus does",
    .fields = frame_fields,
    .field_count = ARRAY_LEN(frame_fields),
    .config_size = sizeof(struct frame_config),
    .create = frame_create,
    .start = frame_start,
    .reload = frame_reload,
    .stop = frame_stop,
};
