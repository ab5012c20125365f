/* The set of outputs: who takes what, and changes while it runs. */
#include "output/output.h"

#include "output/output_priv.h"

struct output_set {
    struct output_env env;
    char *dir;
    struct output__types *types;
    pthread_rwlock_t lock; /* of the list; the targets have their own */
    VEC(struct output__target *) targets;
    _Atomic bool wanted[OUTPUT_SOURCE_COUNT];
};

static bool takes(const struct output__target *t, enum output_source source)
{
    enum output__from from = (enum output__from)t->settings->from;
    bool statsd = from == OUTPUT__FROM_ALL || from == OUTPUT__FROM_STATSD;
    switch (source) {
    case OUTPUT_STATSD_LABELS: return statsd && t->settings->names == 1;
    case OUTPUT_STATSD_PATHS: return statsd && t->settings->names == 2;
    case OUTPUT_CARBON: return from == OUTPUT__FROM_CARBON;
    case OUTPUT_LOGS: return from == OUTPUT__FROM_LOGS;
    case OUTPUT_TRACES: return from == OUTPUT__FROM_TRACES;
    default: return from == OUTPUT__FROM_ALL;
    }
}

/* Write lock held, or nobody else there. */
static void note_wanted(struct output_set *set)
{
    for (int source = 0; source < OUTPUT_SOURCE_COUNT; source++) {
        bool any = false;
        for (size_t i = 0; i < set->targets.len; i++)
            any |= takes(set->targets.items[i], (enum output_source)source);
        atomic_store(&set->wanted[source], any);
    }
}

struct output_set *output_set_new(const struct output_env *env, struct output_config *config)
{
    struct output_set *set = mem_calloc(1, sizeof(*set));
    set->env = *env;
    if (env->dir)
        set->env.dir = set->dir = mem_strdup(env->dir);
    set->types = output__types_new();
    pthread_rwlock_init(&set->lock, NULL);
    output_set_apply(set, config);
    return set;
}

static int64_t monotonic_ns(struct output_set *set)
{
    return set->env.os->ops->monotonic_ns(set->env.os);
}

static void end_all(struct output_set *set, struct output__target **targets, size_t count,
                    int64_t drain_ns)
{
    int64_t deadline = monotonic_ns(set) + drain_ns;
    for (size_t i = 0; i < count; i++)
        output__target_stop_begin(targets[i]);
    for (size_t i = 0; i < count; i++)
        output__target_stop_end(targets[i], deadline);
}

void output_set_apply(struct output_set *set, struct output_config *config)
{
    VEC(struct output__target *) kept = {0}, ended = {0};
    bool *is_there = mem_calloc(config->count + 1, sizeof(*is_there));
    /* Those that stay. Only this thread changes the list, so that reading it needs no lock. */
    for (size_t i = 0; i < set->targets.len; i++) {
        struct output__target *t = set->targets.items[i];
        bool same = false;
        for (size_t k = 0; k < config->count && !same; k++) {
            same = strcmp(t->settings->name, config->items[k].name) == 0 &&
                   strcmp(t->settings->identity, config->items[k].identity) == 0;
            is_there[k] |= same;
        }
        if (same)
            vec_push(&kept, t);
        else
            vec_push(&ended, t);
    }
    pthread_rwlock_wrlock(&set->lock);
    set->targets.len = 0;
    for (size_t i = 0; i < kept.len; i++)
        vec_push(&set->targets, kept.items[i]);
    note_wanted(set);
    pthread_rwlock_unlock(&set->lock);
    /* An output that changed ends before its successor begins: they share a name. */
    end_all(set, ended.items, ended.len, NS_PER_SEC);
    kept.len = 0;
    for (size_t k = 0; k < config->count; k++) {
        if (!is_there[k])
            vec_push(&kept, output__target_new(&set->env, config, &config->items[k]));
    }
    pthread_rwlock_wrlock(&set->lock);
    for (size_t i = 0; i < kept.len; i++)
        vec_push(&set->targets, kept.items[i]);
    note_wanted(set);
    pthread_rwlock_unlock(&set->lock);
    vec_free(&kept);
    vec_free(&ended);
    mem_free(is_there);
    output_config_free(config);
}

void output_set_stop(struct output_set *set, int64_t drain_ns)
{
    if (!set)
        return;
    end_all(set, set->targets.items, set->targets.len, drain_ns);
    vec_free(&set->targets);
    output__types_free(set->types);
    pthread_rwlock_destroy(&set->lock);
    mem_free(set->dir);
    mem_free(set);
}

bool output_set_wants(struct output_set *set, enum output_source source)
{
    return atomic_load_explicit(&set->wanted[source], memory_order_relaxed);
}

void output_set_metrics(struct output_set *set, enum output_source source,
                        const struct data_metric_batch *batch)
{
    output__types_learn(set->types, batch); /* said once; outputs may come later */
    if (!output_set_wants(set, source) || !batch->sample_ts.len)
        return;
    pthread_rwlock_rdlock(&set->lock);
    for (size_t i = 0; i < set->targets.len; i++) {
        if (takes(set->targets.items[i], source))
            output__target_take(set->targets.items[i], set->types, batch);
    }
    pthread_rwlock_unlock(&set->lock);
}

void output_set_events(struct output_set *set, const struct data_event_batch *batch)
{
    enum output_source source = batch->table == DATA_EVENT_LOGS ? OUTPUT_LOGS : OUTPUT_TRACES;
    if (!output_set_wants(set, source) || !batch->rows.len)
        return;
    pthread_rwlock_rdlock(&set->lock);
    for (size_t i = 0; i < set->targets.len; i++) {
        if (takes(set->targets.items[i], source))
            output__target_take_events(set->targets.items[i], batch);
    }
    pthread_rwlock_unlock(&set->lock);
}

void output_set_look(struct output_set *set, struct codec_json_writer *w)
{
    codec_json_begin_array(w);
    pthread_rwlock_rdlock(&set->lock);
    for (size_t i = 0; i < set->targets.len; i++)
        output__target_look(set->targets.items[i], w);
    pthread_rwlock_unlock(&set->lock);
    codec_json_end_array(w);
}
