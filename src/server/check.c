/* pharos check: reads configuration files and says what is wrong with them and where. */
#include <stdio.h>

#include "base/mem.h"
#include "server/commands.h"
#include "server/config.h"
#include "server/graphite.h"
#include "server/inputs.h"
#include "server/otlp.h"
#include "server/rule_check.h"

enum kind { KIND_PHAROS, KIND_PROMETHEUS, KIND_RULES, KIND_LOG_RULES, KIND_CARBON };

static const char *const kind_names[] = {"Pharos configuration", "Prometheus configuration",
                                         "rule file", "file of rules over logs", "file of carbon"};

static const char *const prometheus_keys[] = {
    "global",         "runtime",  "rule_files",   "scrape_config_files",
    "scrape_configs", "alerting", "remote_write", "remote_read",
    "otlp",           "storage",  "tracing",      NULL};

/* By what is in it: `groups` is a rule file; only keys of Prometheus make one of its files; the
 * name decides where both would do (an empty file, or scrape_configs alone). */
static enum kind recognise(const char *path, const struct text_yaml *root)
{
    bool named_prometheus = strstr(path, "prometheus") != NULL, only_prometheus = true, own = false;
    if (text_yaml_get(root, "groups"))
        return KIND_RULES;
    for (size_t i = 0; root && root->kind == TEXT_YAML_MAP && i < root->count; i++) {
        bool known = false;
        for (const char *const *k = prometheus_keys; *k && !known; k++)
            known = slice_eq_cstr(root->keys[i]->value, *k);
        only_prometheus &= known;
        own |= slice_eq_cstr(root->keys[i]->value, "remote_write") ||
               slice_eq_cstr(root->keys[i]->value, "remote_read") ||
               slice_eq_cstr(root->keys[i]->value, "storage");
    }
    bool empty = !root || root->kind != TEXT_YAML_MAP || !root->count;
    if (!empty && own)
        return KIND_PROMETHEUS;
    return only_prometheus && (named_prometheus || (!empty && !strstr(path, "pharos")))
               ? KIND_PROMETHEUS
               : KIND_PHAROS;
}

static void print(const struct diag *diag)
{
    char text[1200];
    fprintf(stderr, "%s\n", diag_str(diag, text, sizeof(text)));
}

static int check_otlp(const struct server_config *config, struct diag *diag)
{
    struct api_otlp_settings *settings = NULL;
    int err = server_otlp_settings(config, &settings, diag);
    api_otlp_settings_free(settings);
    return err;
}

static int check_graphite(const struct server_config *config, struct diag *diag)
{
    struct graphite_schemas *schemas = NULL;
    int err = server_graphite_schemas(config, &schemas, diag);
    graphite_schemas_unref(schemas);
    return err;
}

static int check_pharos(const char *path, struct slice text, size_t *problems, struct diag *diag)
{
    struct server_config *config = NULL;
    int err = server_config_parse(path, text, NULL, &config, diag);
    if (!err)
        err = server_inputs_check(config, diag);
    if (!err)
        err = check_otlp(config, diag);
    if (!err)
        err = check_graphite(config, diag);
    for (size_t i = 0; config && i < config->warnings.len; i++)
        fprintf(stderr, "%s: warning: %s\n", path, config->warnings.items[i]);
    if (!err)
        *problems = server_rules_check_config(config, print);
    server_config_free(config);
    return err;
}

static int check_prometheus(const char *path, struct text_yaml *root, size_t *problems,
                            struct diag *diag)
{
    struct server_config *config = NULL;
    char set[4200];
    const char *sets[] = {set};
    struct server_config_source source = {.sets = sets, .set_count = 1};
    int err = text_yaml_check_keys(root, "a Prometheus configuration", prometheus_keys, diag);
    if (err)
        return err;
    snprintf(set, sizeof(set), "prometheus.config_file=%s", path);
    err = server_config_parse(NULL, SLICE(""), &source, &config, diag);
    if (!err)
        err = server_inputs_check(config, diag);
    if (!err)
        err = check_otlp(config, diag);
    if (!err)
        *problems = server_rules_check_config(config, print);
    server_config_free(config);
    return err;
}

/* `forced` < 0: by what is in it. */
static int check_file(const char *path, int forced)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    struct slice text;
    struct diag diag;
    enum kind kind = KIND_PHAROS;
    size_t problems = 0;
    diag_init(&diag);
    int err = server_read_file(path, (size_t)64 << 20, arena, &text, &diag);
    if (!err && forced < 0 && server_graphite_is_file(path)) {
        kind = KIND_CARBON;
        err = server_graphite_check_file(path, text, &diag);
    } else if (!err) {
        bool is_js = slice_ends_with(slice_cstr(path), SLICE(".js"));
        if (!is_js)
            err = text_yaml_parse(text, arena, &root, &diag);
        if (!err) {
            kind = forced >= 0 ? (enum kind)forced : recognise(path, root);
            if (kind == KIND_RULES || kind == KIND_LOG_RULES)
                problems = server_rules_check(
                    path, root, kind == KIND_RULES ? &alert_promql : &alert_logql, print);
            else if (kind == KIND_PROMETHEUS)
                err = check_prometheus(path, root, &problems, &diag);
            else
                err = check_pharos(path, text, &problems, &diag);
        }
        if (err && !diag.file[0])
            diag_set_file(&diag, path);
    }
    if (err)
        print(&diag);
    else if (!problems)
        printf("%s: %s, no problems\n", path, kind_names[kind]);
    arena_free(arena);
    return err || problems ? SERVER_EXIT_FAIL : SERVER_EXIT_OK;
}

int server_cmd_check(int argc, char **argv)
{
    int status = SERVER_EXIT_OK, files = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            printf("Usage: pharos check [rules|log-rules|config] FILE...\n\n"
                   "Reads pharos.yml, prometheus.yml and rule files (told apart by what is in "
                   "them), and\ncarbon's files (by their names), and prints\n`file:line:col: "
                   "message` for what is wrong. Exit status 1 "
                   "when there was something.\n\n"
                   "As in promtool, `rules` says that the files are rule files, `config` that "
                   "they are\nPrometheus configurations. `log-rules` are rule files whose "
                   "expressions are LogQL,\nwhich nothing in them says.\n");
            return SERVER_EXIT_OK;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            fprintf(stderr, "pharos check: unknown option %s\n", argv[i]);
            return SERVER_EXIT_USAGE;
        }
    }
    int forced = argc < 2                            ? -1
                 : strcmp(argv[1], "rules") == 0     ? (int)KIND_RULES
                 : strcmp(argv[1], "log-rules") == 0 ? (int)KIND_LOG_RULES
                 : strcmp(argv[1], "config") == 0    ? (int)KIND_PROMETHEUS
                                                     : -1;
    for (int i = forced < 0 ? 1 : 2; i < argc; i++, files++) {
        if (check_file(argv[i], forced))
            status = SERVER_EXIT_FAIL;
    }
    if (!files) {
        fprintf(stderr, "pharos check: a file is needed, for example: pharos check pharos.yml\n");
        return SERVER_EXIT_USAGE;
    }
    return status;
}
