#include "server/prometheus_yml.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alert/rules.h"
#include "base/log.h"
#include "discovery/conf.h"
#include "server/yaml_paths.h"

#define PROMETHEUS_YML_MAX ((size_t)64 << 20)

/* What prometheus.yml may hold; `why`: Pharos leaves it out, and says this. */
static const struct {
    const char *key, *why;
} prometheus_sections[] = {
    {"global", NULL},
    {"scrape_configs", NULL},
    {"runtime", NULL},
    {"rule_files", NULL},
    {"alerting", NULL},
    {"remote_write", NULL},
    {"remote_read", "Pharos answers from its own store only; what the other server has can be "
                    "brought in by its remote_write"},
    {"scrape_config_files", NULL},
    {"otlp", NULL},
    {"storage", "how long metrics are kept says retention.metrics, what comes late is taken as far "
                "back as that"},
    {"tracing", "Pharos does not trace itself"}};

/* --- what is left out is checked all the same, for who keeps one file for both --- */

/* The keys of a map that may be missing. */
static int check_map(const struct text_yaml *map, const char *what, const char *const *keys,
                     struct diag *diag)
{
    if (text_yaml_is_null(map))
        return 0;
    return map->kind == TEXT_YAML_MAP
               ? text_yaml_check_keys(map, what, keys, diag)
               : text_yaml_error(map, diag, ERR_INVALID, "%s is a map", what);
}

static int check_remote_read(const struct text_yaml *list, struct diag *diag)
{
    static const char *const keys[] = {"url",
                                       "name",
                                       "remote_timeout",
                                       "headers",
                                       "read_recent",
                                       "required_matchers",
                                       "filter_external_labels",
                                       "chunked_read_limit",
                                       HTTP_KEYS,
                                       NULL};
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "remote_read takes a list");
    for (size_t i = 0; i < list->count; i++) {
        const struct text_yaml *entry = list->items[i];
        if (entry->kind != TEXT_YAML_MAP)
            return text_yaml_error(entry, diag, ERR_INVALID,
                                   "empty or null remote read config section");
        TRY(text_yaml_check_keys(entry, "a remote_read entry", keys, diag));
        if (text_yaml_is_null(text_yaml_get(entry, "url")))
            return text_yaml_error(entry, diag, ERR_INVALID, "url for remote_read is empty");
    }
    return 0;
}

static int check_storage(const struct text_yaml *storage, struct diag *diag)
{
    static const char *const keys[] = {"tsdb", "exemplars", NULL},
                             *const tsdb[] = {"out_of_order_time_window",
                                              "retention",
                                              "stale_series_compaction_threshold",
                                              "float_chunk_encoding",
                                              "chunk_encoding",
                                              NULL},
                             *const exemplars[] = {"max_exemplars", NULL};
    int64_t window_ns;
    const struct text_yaml *n = text_yaml_get(storage, "tsdb");
    TRY(check_map(storage, "storage", keys, diag));
    TRY(check_map(n, "storage.tsdb", tsdb, diag));
    n = text_yaml_get(n, "out_of_order_time_window");
    if (!text_yaml_is_null(n))
        TRY(text_yaml_duration(n, &window_ns, diag));
    return check_map(text_yaml_get(storage, "exemplars"), "storage.exemplars", exemplars, diag);
}

static int check_tracing(const struct text_yaml *tracing, struct diag *diag)
{
    static const char *const keys[] = {"client_type", "endpoint",   "sampling_fraction",
                                       "insecure",    "headers",    "compression",
                                       "timeout",     "tls_config", NULL};
    const struct text_yaml *type = text_yaml_get(tracing, "client_type");
    if (text_yaml_is_null(tracing))
        return 0;
    TRY(check_map(tracing, "tracing", keys, diag));
    if (!text_yaml_is_null(type) && !slice_eq_cstr(type->value, "http") &&
        !slice_eq_cstr(type->value, "grpc"))
        return text_yaml_error(type, diag, ERR_INVALID,
                               "expected tracing client type to be to be http or grpc, but got "
                               "%.*s",
                               SLICE_FMT(type->value));
    return text_yaml_is_null(text_yaml_get(tracing, "endpoint"))
               ? text_yaml_error(tracing, diag, ERR_INVALID, "tracing endpoint must be set")
               : 0;
}

static int check_sections(const struct text_yaml *root, bool warn, struct diag *diag)
{
    const char *known[ARRAY_LEN(prometheus_sections) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(prometheus_sections); i++)
        known[i] = prometheus_sections[i].key;
    if (!root)
        return 0;
    int err = text_yaml_check_keys(root, "a Prometheus configuration", known, diag);
    if (!err)
        err = check_remote_read(text_yaml_get(root, "remote_read"), diag);
    if (!err)
        err = check_storage(text_yaml_get(root, "storage"), diag);
    if (!err)
        err = check_tracing(text_yaml_get(root, "tracing"), diag);
    for (size_t i = 0; i < ARRAY_LEN(prometheus_sections) && !err && warn; i++) {
        const struct text_yaml *n = text_yaml_get(root, prometheus_sections[i].key);
        if (prometheus_sections[i].why && !text_yaml_is_null(n))
            LOG_WARN("server", "a section of prometheus.yml is left out",
                     LOG_STR("section", prometheus_sections[i].key), LOG_INT("line", n->line),
                     LOG_STR("why", prometheus_sections[i].why));
    }
    return err;
}

/* --- scrape_config_files --- */

typedef VEC(struct text_yaml *) node_list;

static int add_scrape_file(const char *path, struct arena *arena, node_list *out, struct diag *diag)
{
    static const char *const keys[] = {"scrape_configs", NULL};
    struct text_yaml *root = NULL;
    struct slice text;
    const char *slash = strrchr(path, '/');
    const char *dir = slash ? arena_printf(arena, "%.*s", (int)(slash - path + 1), path).ptr : "";
    int err = server_read_file(path, PROMETHEUS_YML_MAX, arena, &text, diag);
    if (!err)
        err = text_yaml_parse(text, arena, &root, diag);
    if (!err && root)
        err = text_yaml_check_keys(root, "a file of scrape_config_files", keys, diag);
    const struct text_yaml *list = text_yaml_get(root, "scrape_configs");
    if (!err && !text_yaml_is_null(list) && list->kind != TEXT_YAML_LIST)
        err = text_yaml_error(list, diag, ERR_INVALID, "scrape_configs takes a list");
    for (size_t i = 0; !err && !text_yaml_is_null(list) && i < list->count; i++) {
        const struct text_yaml *one = server_yaml_with_paths(list->items[i], dir, arena);
        vec_push(out, (struct text_yaml *)(uintptr_t)one);
    }
    if (err && diag && !diag->file[0])
        diag_set_file(diag, path);
    return err;
}

/* Adds what the files have to the list that is there. A file that does not exist is none, as in
 * Prometheus. */
static int add_scrape_files(const struct text_yaml *patterns, const char *dir, struct arena *arena,
                            const struct text_yaml **list, struct diag *diag)
{
    node_list all = {0};
    int err = 0;
    if (text_yaml_is_null(patterns))
        return 0;
    if (patterns->kind != TEXT_YAML_LIST)
        return text_yaml_error(patterns, diag, ERR_INVALID, "scrape_config_files takes a list");
    for (size_t i = 0; !text_yaml_is_null(*list) && i < (*list)->count; i++)
        vec_push(&all, (*list)->items[i]);
    for (size_t i = 0; i < patterns->count && !err; i++) {
        struct slice pattern = SLICE("");
        alert_path_list paths = {0};
        err = text_yaml_string(patterns->items[i], &pattern, diag);
        if (!err && alert_rules_glob(pattern, dir, arena, &paths, NULL))
            err = text_yaml_error(patterns->items[i], diag, ERR_INVALID,
                                  "invalid scrape config file path \"%.*s\"", SLICE_FMT(pattern));
        for (size_t k = 0; k < paths.len && !err; k++) {
            if (!access(paths.items[k], F_OK))
                err = add_scrape_file(paths.items[k], arena, &all, diag);
        }
        vec_free(&paths);
    }
    if (!err && all.len) {
        struct text_yaml *joined = ARENA_NEW(arena, struct text_yaml);
        joined->kind = TEXT_YAML_LIST;
        joined->line = patterns->line;
        joined->col = patterns->col;
        joined->items = arena_dup(arena, all.items, all.len * sizeof(*all.items));
        joined->count = all.len;
        *list = joined;
    }
    vec_free(&all);
    return err;
}

int server_prometheus_yml_read(const struct server_config *config, bool strict, struct arena *arena,
                               struct server_prometheus_yml *out, struct diag *diag)
{
    struct text_yaml *root = NULL;
    struct slice text;
    int err = 0;
    *out = (struct server_prometheus_yml){.own_file = config->prometheus_config_file[0] != 0,
                                          .global = config->global,
                                          .scrape_configs = config->scrape_configs,
                                          .rule_files = config->rule_files,
                                          .alerting = config->alerting,
                                          .otlp = config->otlp};
    out->file = out->own_file ? config->prometheus_config_file : config->file;
    if (out->own_file) {
        err = server_read_file(out->file, PROMETHEUS_YML_MAX, arena, &text, diag);
        if (err)
            diag_wrap(diag, "prometheus.config_file");
        if (!err)
            err = text_yaml_parse(text, arena, &root, diag);
        if (!err)
            err = check_sections(root, !strict, diag);
        out->global = text_yaml_get(root, "global");
        out->scrape_configs = text_yaml_get(root, "scrape_configs");
        out->rule_files = text_yaml_get(root, "rule_files");
        out->alerting = text_yaml_get(root, "alerting");
        out->otlp = text_yaml_get(root, "otlp");
        out->remote_write = text_yaml_get(root, "remote_write");
        if (!err && !text_yaml_is_null(config->alerting) && !text_yaml_is_null(out->alerting))
            err = text_yaml_error(out->alerting, diag, ERR_INVALID,
                                  "Alertmanagers come from alerting here or in the configuration "
                                  "of Pharos, not from both");
        if (text_yaml_is_null(out->alerting))
            out->alerting = config->alerting;
    }
    if (out->file && strrchr(out->file, '/'))
        snprintf(out->dir, sizeof(out->dir), "%.*s", (int)(strrchr(out->file, '/') - out->file + 1),
                 out->file);
    if (!err && out->own_file)
        err = add_scrape_files(text_yaml_get(root, "scrape_config_files"), out->dir, arena,
                               &out->scrape_configs, diag);
    if (err && diag && !diag->file[0] && diag->line && out->file)
        diag_set_file(diag, out->file);
    return err;
}
