#include "server/rule_check.h"

#include <stdio.h>
#include <unistd.h>

#include "alert/notify.h"
#include "alert/rules.h"
#include "server/rules.h"

#define RULE_FILE_MAX ((size_t)64 << 20)

struct check {
    void (*report)(const struct diag *diag);
};

static void pass_on(void *ctx, const struct diag *diag)
{
    const struct check *c = ctx;
    c->report(diag);
}

static size_t check_root(const char *path, const struct text_yaml *root,
                         const struct alert_rules_options *options,
                         void (*report)(const struct diag *diag))
{
    struct check c = {report};
    struct arena *arena = arena_new(0, NULL);
    alert_group_list groups = {0};
    size_t problems = alert_rules_read(path, root, options, arena, &groups, pass_on, &c);
    alert_groups_deinit(groups.items, groups.len);
    vec_free(&groups);
    arena_free(arena);
    return problems;
}

size_t server_rules_check(const char *path, const struct text_yaml *root,
                          const struct alert_language *language,
                          void (*report)(const struct diag *diag))
{
    const struct alert_rules_options options = {.promql = {.experimental = true},
                                                .language = language};
    return check_root(path, root, &options, report);
}

static size_t check_file(const char *path, const struct alert_rules_options *options,
                         void (*report)(const struct diag *diag))
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    struct slice text;
    struct diag diag;
    size_t problems = 0;
    diag_init(&diag);
    int err = server_read_file(path, RULE_FILE_MAX, arena, &text, &diag);
    if (!err && (err = text_yaml_parse(text, arena, &root, &diag)))
        diag_set_file(&diag, path);
    if (err) {
        report(&diag);
        problems = 1;
    } else {
        problems = check_root(path, root, options, report);
    }
    arena_free(arena);
    return problems;
}

static size_t check_files(const struct slice *patterns, size_t count,
                          const struct alert_rules_options *options,
                          void (*report)(const struct diag *diag))
{
    struct arena *arena = arena_new(0, NULL);
    alert_path_list paths = {0};
    size_t problems = 0;
    for (size_t i = 0; i < count; i++) {
        struct diag diag;
        diag_init(&diag);
        if (alert_rules_glob(patterns[i], NULL, arena, &paths, &diag)) {
            report(&diag);
            problems++;
        }
    }
    for (size_t i = 0; i < paths.len; i++)
        problems += check_file(paths.items[i], options, report);
    vec_free(&paths);
    arena_free(arena);
    return problems;
}

size_t server_rules_check_config(const struct server_config *config,
                                 void (*report)(const struct diag *diag))
{
    struct arena *arena = arena_new(0, NULL);
    struct server_prometheus_yml yml;
    struct alert_rules_options options = {0};
    struct alert_notify_config *notify = NULL;
    struct server_rule_patterns patterns;
    size_t problems = 0;
    struct diag diag;
    diag_init(&diag);
    int err = server_prometheus_yml_read(config, true, arena, &yml, &diag);
    struct alert_notify_source source = {.alerting = yml.alerting,
                                         .base_dir = yml.dir[0] ? yml.dir : NULL,
                                         .ignore_unsupported = yml.own_file};
    if (!err)
        err = server_rules_options(config, &yml, &options, &diag);
    if (!err)
        err = server_rules_patterns(config, &yml, arena, &patterns, &diag);
    if (!err)
        err = alert_notify_config_parse(&source, &notify, &diag);
    if (err) {
        if (!diag.file[0] && diag.line && yml.file)
            diag_set_file(&diag, yml.file);
        report(&diag);
        problems = 1;
    }
    if (!err)
        problems += check_files(patterns.promql, patterns.promql_count, &options, report);
    options.language = &alert_logql;
    if (!err)
        problems += check_files(patterns.logql, patterns.logql_count, &options, report);
    alert_notify_config_free(notify);
    arena_free(arena);
    return problems;
}
