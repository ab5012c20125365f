#include "server/graphite.h"

#include "base/log.h"

#define FILE_MAX (16 << 20)

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
