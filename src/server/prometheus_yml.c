#include "server/prometheus_yml.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

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
    {"scrape_config_files", "put their entries into scrape_configs"},
    {"otlp", NULL},
    {"storage", "how long metrics are kept says retention.metrics, what comes late is taken as far "
                "back as that"},
    {"tracing", "Pharos does not trace itself"}};

static int check_sections(const struct text_yaml *root, bool warn, struct diag *diag)
{
    const char *known[ARRAY_LEN(prometheus_sections) + 1] = {0};
    for (size_t i = 0; i < ARRAY_LEN(prometheus_sections); i++)
        known[i] = prometheus_sections[i].key;
    if (!root)
        return 0;
    int err = text_yaml_check_keys(root, "a Prometheus configuration", known, diag);
    for (size_t i = 0; i < ARRAY_LEN(prometheus_sections) && !err && warn; i++) {
        const struct text_yaml *n = text_yaml_get(root, prometheus_sections[i].key);
        if (prometheus_sections[i].why && !text_yaml_is_null(n))
            LOG_WARN("server", "a section of prometheus.yml is left out",
                     LOG_STR("section", prometheus_sections[i].key), LOG_INT("line", n->line),
                     LOG_STR("why", prometheus_sections[i].why));
    }
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
    if (err && diag && !diag->file[0] && diag->line && out->file)
        diag_set_file(diag, out->file);
    return err;
}
