#include "server/graphite.h"

#include "base/log.h"
#include "input/carbon/rules.h"
#include "server/carbon_relay.h"

#define FILE_MAX   (16 << 20)
#define RELAY_FILE "relay-rules.conf"

static const char *const rule_files[CARBON_FILE_COUNT] = {[CARBON_BLACKLIST] = "blacklist.conf",
                                                          [CARBON_WHITELIST] = "whitelist.conf",
                                                          [CARBON_REWRITE] = "rewrite-rules.conf",
                                                          [CARBON_AGGREGATION] =
                                                              "aggregation-rules.conf"};
static const char *const schema_files[] = {"storage-schemas.conf", "storage-aggregation.conf"};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Its place among `names`, or -1. */
static int place_of(const char *path, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(base_name(path), names[i]) == 0)
            return (int)i;
    }
    return -1;
}

bool server_graphite_is_file(const char *path)
{
    return strcmp(base_name(path), RELAY_FILE) == 0 ||
           place_of(path, rule_files, ARRAY_LEN(rule_files)) >= 0 ||
           place_of(path, schema_files, ARRAY_LEN(schema_files)) >= 0;
}

int server_graphite_check_file(const char *path, struct slice text, struct diag *diag)
{
    int schema = place_of(path, schema_files, ARRAY_LEN(schema_files));
    if (strcmp(base_name(path), RELAY_FILE) == 0) {
        struct buf yaml = {0};
        int err = server_carbon_relay_yaml(text, path, &yaml, diag);
        buf_deinit(&yaml);
        return err;
    }
    if (schema >= 0) {
        struct graphite_schemas *s = NULL;
        int err = graphite_schemas_parse(schema ? SLICE("") : text, path, schema ? text : SLICE(""),
                                         path, &s, diag);
        graphite_schemas_unref(s);
        return err;
    }
    struct slice texts[CARBON_FILE_COUNT] = {0};
    const char *names[CARBON_FILE_COUNT] = {path, path, path, path};
    struct input_carbon_rules *rules = NULL;
    texts[place_of(path, rule_files, ARRAY_LEN(rule_files))] = text;
    int err = input_carbon_rules_parse(texts, names, true, &rules, diag);
    input_carbon_rules_unref(rules);
    return err;
}

int server_graphite_schemas(const struct server_config *config, struct graphite_schemas **out,
                            struct diag *diag)
{
    const char *files[] = {config->graphite_schemas_file, config->graphite_aggregation_file};
    struct slice texts[2] = {{NULL, 0}, {NULL, 0}};
    struct arena *arena = arena_new(0, NULL);
    int err = 0;
    *out = NULL;
    for (size_t i = 0; i < ARRAY_LEN(files) && !err; i++) {
        if (files[i][0])
            err = server_read_file(files[i], FILE_MAX, arena, &texts[i], diag);
    }
    if (!err && (files[0][0] || files[1][0]))
        err = graphite_schemas_parse(texts[0], files[0], texts[1], files[1], out, diag);
    arena_free(arena);
    int64_t keep = graphite_schemas_keep_max(*out);
    if (!err && config->retention_metrics_ns != INT64_MAX &&
        keep > config->retention_metrics_ns / NS_PER_SEC)
        LOG_WARN(
            "graphite", "the rules keep points for longer than the store does",
            LOG_STR("file", files[0]), LOG_INT("keep_days", keep / 86400),
            LOG_INT("retention.metrics_days", config->retention_metrics_ns / NS_PER_SEC / 86400));
    return err;
}
