#include "server/rules.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "input/scrape/scrape.h"
#include "os/pool.h"
#include "server/version.h"

/* Threads that evaluate rules. */
#define THREADS_MIN 4
#define THREADS_MAX 64

struct server_rules {
    struct server_rules_env env;
    struct alert_rule_store *stored;
    pthread_mutex_t lock;         /* of the store and of all below; changes come one at a time */
    struct alert_rules *files[2]; /* of the configuration in force: PromQL's, LogQL's */
    struct alert_rules_options options;
    size_t namespace_bytes;
    struct alert_notifier *notifier;
    struct alert_manager *manager;
    struct task_pool *pool; /* rules that take long hold up rules at most, no query and no write */
};

struct server_rules_next {
    struct alert_rules *files[2]; /* PromQL's, LogQL's */
    struct alert_rules_options options;
    struct alert_notify_config *notify;
    struct arena *arena;
    struct data_labels external_labels;
};

static int add_patterns(const struct text_yaml *list, const char *dir, struct arena *arena,
                        struct slice **out, size_t *out_count, struct diag *diag)
{
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "rule_files is a list of paths");
    struct slice *all = ARENA_ARRAY(arena, struct slice, *out_count + list->count + 1);
    if (*out_count)
        memcpy(all, *out, *out_count * sizeof(*all));
    for (size_t i = 0; i < list->count; i++) {
        struct slice s;
        int err = text_yaml_string(list->items[i], &s, diag);
        if (err)
            return err;
        ptrdiff_t star = slice_find_char(s, '*');
        if (!s.len || (star >= 0 && slice_find_char(slice_from(s, (size_t)star), '/') >= 0))
            return text_yaml_error(list->items[i], diag, ERR_INVALID,
                                   "invalid rule file path \"%.*s\": at most one *, in its last "
                                   "part",
                                   SLICE_FMT(s));
        all[(*out_count)++] = s.ptr[0] == '/' ? arena_slice(arena, s)
                                              : arena_printf(arena, "%s%.*s", dir, SLICE_FMT(s));
    }
    *out = all;
    return 0;
}

int server_rules_patterns(const struct server_config *config,
                          const struct server_prometheus_yml *yml, struct arena *arena,
                          struct server_rule_patterns *out, struct diag *diag)
{
    char dir[4096] = "";
    *out = (struct server_rule_patterns){0};
    int err =
        add_patterns(yml->rule_files, yml->dir, arena, &out->promql, &out->promql_count, diag);
    if (err)
        return err;
    const char *slash = config->file ? strrchr(config->file, '/') : NULL;
    if (slash)
        snprintf(dir, sizeof(dir), "%.*s", (int)(slash - config->file + 1), config->file);
    if (yml->own_file)
        err = add_patterns(config->rule_files, dir, arena, &out->promql, &out->promql_count, diag);
    if (!err)
        err =
            add_patterns(config->log_rule_files, dir, arena, &out->logql, &out->logql_count, diag);
    if (err && config->file)
        diag_set_file(diag, config->file);
    return err;
}

int server_rules_options(const struct server_config *config,
                         const struct server_prometheus_yml *yml, struct alert_rules_options *out,
                         struct diag *diag)
{
    const struct text_yaml *interval = text_yaml_get(yml->global, "evaluation_interval"),
                           *offset = text_yaml_get(yml->global, "rule_query_offset");
    int err = 0;
    *out = (struct alert_rules_options){
        .interval_ns = 60 * NS_PER_SEC,
        .promql = {.experimental = config->promql_experimental == 1,
                   .nesting = (unsigned)config->query_nesting,
                   .delayed_name_removal = config->promql_delayed_name_removal == 1,
                   .lookback_ns = config->lookback_ns}};
    if (!text_yaml_is_null(interval))
        err = text_yaml_duration(interval, &out->interval_ns, diag);
    if (!err && !text_yaml_is_null(offset))
        err = text_yaml_duration(offset, &out->query_offset_ns, diag);
    if (!out->interval_ns)
        out->interval_ns = 60 * NS_PER_SEC;
    return err;
}

static int read_all(const struct server_config *config, struct server_rules_next *next,
                    struct arena *arena, struct diag *diag)
{
    struct server_prometheus_yml yml;
    struct alert_rules_options options = {0};
    struct server_rule_patterns patterns;
    int err = server_prometheus_yml_read(config, true, arena, &yml, diag);
    if (!err)
        err = server_rules_options(config, &yml, &options, diag);
    if (!err)
        err = server_rules_patterns(config, &yml, arena, &patterns, diag);
    struct alert_notify_source source = {.alerting = yml.alerting,
                                         .base_dir = yml.dir[0] ? yml.dir : NULL,
                                         .ignore_unsupported = yml.own_file};
    if (!err)
        err = alert_notify_config_parse(&source, &next->notify, diag);
    if (err && diag && !diag->file[0] && diag->line && yml.file)
        diag_set_file(diag, yml.file);
    if (!err)
        err = alert_rules_load(patterns.promql, patterns.promql_count, NULL, &options,
                               &next->files[0], diag);
    next->options = options;
    options.language = &alert_logql;
    if (!err)
        err = alert_rules_load(patterns.logql, patterns.logql_count, NULL, &options,
                               &next->files[1], diag);
    if (err)
        return err;
    /* The scraper reads the external labels of the same section. */
    struct input_scrape_source global = {.global = yml.global, .ignore_unsupported = true};
    struct input_scrape_config *scrape = NULL;
    err = input_scrape_config_parse(&global, &scrape, diag);
    if (!err)
        next->external_labels =
            data_labels_copy(next->arena, input_scrape_config_external_labels(scrape));
    input_scrape_config_free(scrape);
    return err;
}

int server_rules_read(const struct server_config *config, struct server_rules_next **out,
                      struct diag *diag)
{
    struct server_rules_next *next = mem_calloc(1, sizeof(*next));
    struct arena *arena = arena_new(0, NULL);
    next->arena = arena_new(0, NULL);
    int err = read_all(config, next, arena, diag);
    arena_free(arena);
    *out = err ? NULL : next;
    if (err)
        server_rules_next_free(next);
    return err;
}

void server_rules_next_free(struct server_rules_next *next)
{
    if (!next)
        return;
    for (size_t i = 0; i < ARRAY_LEN(next->files); i++)
        alert_rules_free(next->files[i]);
    alert_notify_config_free(next->notify);
    arena_free(next->arena);
    mem_free(next);
}

/* Lock held. */
static void apply(struct server_rules *r, const struct alert_manager_settings *settings)
{
    struct alert_rules *sets[3] = {NULL};
    struct diag diag;
    char words[1200];
    diag_init(&diag);
    for (size_t i = 0; i < 2; i++)
        sets[i] = alert_rules_ref(r->files[i]);
    if (alert_rule_store_load(r->stored, &r->options, &sets[2], &diag))
        LOG_ERROR("server", "stored rules cannot be read",
                  LOG_STR("error", diag_str(&diag, words, sizeof(words))));
    alert_manager_apply(r->manager, sets, ARRAY_LEN(sets), settings);
}

void server_rules_apply(struct server_rules *r, const struct server_config *config,
                        struct server_rules_next *next)
{
    const char *url =
        config->rules_external_url[0] ? config->rules_external_url : r->env.external_url;
    struct alert_manager_settings settings = {
        .external_labels = next->external_labels,
        .external_url = url,
        .logs_url = r->env.logs_url,
        .log_rows_max = (uint64_t)config->log_scan_rows,
        .log_bytes_max = (uint64_t)config->log_scan_bytes,
        .resend_delay_ns = config->rules_resend_delay_ns,
        .timeout_ns = config->query_timeout_ns,
        .query_memory_bytes = config->query_memory,
        .samples_max = (size_t)config->query_samples,
        .series_max = (size_t)config->query_series,
        .alerts_max = (size_t)config->alerts_max,
        .concurrency = (size_t)config->rules_concurrency,
        .promql = {.experimental = config->promql_experimental == 1,
                   .nesting = (unsigned)config->query_nesting,
                   .delayed_name_removal = config->promql_delayed_name_removal == 1,
                   .lookback_ns = config->lookback_ns}};
    alert_notifier_set_limits(r->notifier, config->rules_notification_queue,
                              config->rules_notification_memory);
    alert_notifier_apply(r->notifier, next->notify, next->external_labels);
    next->notify = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < ARRAY_LEN(r->files); i++) {
        alert_rules_free(r->files[i]);
        r->files[i] = next->files[i];
        next->files[i] = NULL;
    }
    r->options = next->options;
    r->namespace_bytes = (size_t)config->rule_namespace_bytes;
    apply(r, &settings);
    pthread_mutex_unlock(&r->lock);
    server_rules_next_free(next);
}

static int64_t monotonic(void *ctx)
{
    struct os *os = ctx;
    return os->ops->monotonic_ns(os);
}

struct server_rules *server_rules_start(const struct server_rules_env *env,
                                        const struct server_config *config,
                                        struct server_rules_next *next)
{
    struct server_rules *r = mem_calloc(1, sizeof(*r));
    char dir[4200];
    r->env = *env;
    snprintf(dir, sizeof(dir), "%s/rules", env->data_dir);
    r->stored = alert_rule_store_new(env->os, dir);
    r->pool = os_pool_new(MIN(
        MAX(MAX(env->pool->width, THREADS_MIN), (size_t)config->rules_concurrency), THREADS_MAX));
    pthread_mutex_init(&r->lock, NULL);
    struct alert_notifier_env ne = {.loop = net_loops_pick(env->loops),
                                    .os = env->os,
                                    .version = "Pharos/" SERVER_VERSION,
                                    .queue_max = config->rules_notification_queue,
                                    .queue_bytes_max = config->rules_notification_memory};
    r->notifier = alert_notifier_new(&ne);
    struct alert_manager_env me = {.eval = {.source = env->source,
                                            .logs = env->logs,
                                            .sink = env->sink,
                                            .pool = r->pool,
                                            .memory_total = env->memory_total,
                                            .tenant = SLICE("default"),
                                            .monotonic_ns = monotonic,
                                            .clock_ctx = env->os},
                                   .pool = r->pool,
                                   .os = env->os,
                                   .notifier = r->notifier,
                                   .outage_tolerance_ns = config->rules_outage_tolerance_ns,
                                   .grace_ns = config->rules_grace_period_ns};
    r->manager = alert_manager_new(&me);
    server_rules_apply(r, config, next);
    return r;
}

void server_rules_cancel(struct server_rules *r)
{
    alert_manager_cancel(r->manager);
}

void server_rules_stop(struct server_rules *r)
{
    if (!r)
        return;
    alert_manager_free(r->manager);
    os_pool_free(r->pool);
    alert_notifier_free(r->notifier);
    alert_rule_store_free(r->stored);
    for (size_t i = 0; i < ARRAY_LEN(r->files); i++)
        alert_rules_free(r->files[i]);
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

int server_rules_list(struct server_rules *r, const struct alert_rule_place *place, struct buf *out,
                      struct diag *diag)
{
    pthread_mutex_lock(&r->lock);
    int err = alert_rule_store_list(r->stored, place, out, diag);
    pthread_mutex_unlock(&r->lock);
    return err;
}

int server_rules_put(struct server_rules *r, const struct alert_rule_place *place,
                     const struct text_yaml *group, struct diag *diag)
{
    pthread_mutex_lock(&r->lock);
    int err = alert_rule_store_put(r->stored, place, group, &r->options, r->namespace_bytes, diag);
    if (!err)
        apply(r, NULL);
    pthread_mutex_unlock(&r->lock);
    return err;
}

int server_rules_delete(struct server_rules *r, const struct alert_rule_place *place,
                        struct diag *diag)
{
    pthread_mutex_lock(&r->lock);
    int err = alert_rule_store_delete(r->stored, place, diag);
    if (!err)
        apply(r, NULL);
    pthread_mutex_unlock(&r->lock);
    return err;
}

void server_rules_each(struct server_rules *r, void (*each)(void *arg, const struct alert_group *g),
                       void *arg)
{
    alert_manager_each(r->manager, each, arg);
}

void server_rules_alertmanagers(struct server_rules *r, alert_peer_fn each, void *arg)
{
    alert_notifier_each(r->notifier, each, arg);
}
