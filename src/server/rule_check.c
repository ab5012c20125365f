#include "server/rule_check.h"

#include <stdarg.h>

#include "data/labels.h"
#include "lang/promql/promql.h"

struct check {
    const char *path;
    void (*report)(const struct diag *diag);
    size_t problems;
};

static void problem(struct check *c, const struct text_yaml *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void problem(struct check *c, const struct text_yaml *at, const char *fmt, ...)
{
    struct buf text = {0};
    struct diag d;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    diag_init(&d);
    text_yaml_error(at, &d, ERR_INVALID, "%s", buf_cstr(&text));
    diag_set_file(&d, c->path);
    c->report(&d);
    c->problems++;
    buf_deinit(&text);
}

static void pass_on(struct check *c, struct diag *d)
{
    if (!d->code)
        return;
    diag_set_file(d, c->path);
    c->report(d);
    c->problems++;
}

static void check_expr(struct check *c, const struct text_yaml *node)
{
    struct arena *arena = arena_new(0, NULL);
    struct promql_options options = {.experimental = true};
    struct promql_expr *expr = NULL;
    struct diag d;
    struct slice text;
    diag_init(&d);
    if (text_yaml_string(node, &text, &d)) {
        pass_on(c, &d);
    } else if (promql_parse(text, &options, arena, &expr, &d)) {
        problem(c, node, "expr: %u:%u: parse error: %s", d.line, d.col, d.msg);
    }
    promql_expr_free(expr);
    arena_free(arena);
}

static void check_duration(struct check *c, const struct text_yaml *map, const char *key)
{
    const struct text_yaml *node = text_yaml_get(map, key);
    struct diag d;
    int64_t ns;
    diag_init(&d);
    if (node && text_yaml_duration(node, &ns, &d)) {
        diag_wrap(&d, "%s", key);
        pass_on(c, &d);
    }
}

static void check_labels(struct check *c, const struct text_yaml *labels)
{
    if (text_yaml_is_null(labels))
        return;
    if (labels->kind != TEXT_YAML_MAP) {
        problem(c, labels, "labels: a map of names and values is expected");
        return;
    }
    for (size_t i = 0; i < labels->count; i++) {
        if (slice_eq_cstr(labels->keys[i]->value, DATA_METRIC_NAME))
            problem(c, labels->keys[i], "labels: __name__ cannot be set here");
        if (labels->items[i]->kind != TEXT_YAML_SCALAR)
            problem(c, labels->items[i], "labels: a value is text");
    }
}

static void check_rule(struct check *c, const struct text_yaml *rule)
{
    static const char *const known[] = {"record", "alert",           "expr",        "for",
                                        "labels", "keep_firing_for", "annotations", NULL};
    const struct text_yaml *record = text_yaml_get(rule, "record");
    const struct text_yaml *alert = text_yaml_get(rule, "alert");
    const struct text_yaml *expr = text_yaml_get(rule, "expr");
    struct diag d;
    diag_init(&d);
    if (rule->kind != TEXT_YAML_MAP) {
        problem(c, rule, "a rule is a map with record or alert, and expr");
        return;
    }
    if (text_yaml_check_keys(rule, "a rule", known, &d))
        pass_on(c, &d);
    if (!record == !alert)
        problem(c, rule, "a rule has either record or alert");
    if (record && !record->value.len)
        problem(c, record, "record: a metric name is expected");
    if (record && (text_yaml_get(rule, "for") || text_yaml_get(rule, "annotations") ||
                   text_yaml_get(rule, "keep_firing_for")))
        problem(c, rule, "for, keep_firing_for and annotations belong to alerts, not to record");
    if (expr)
        check_expr(c, expr);
    else
        problem(c, rule, "expr is missing");
    check_duration(c, rule, "for");
    check_duration(c, rule, "keep_firing_for");
    check_labels(c, text_yaml_get(rule, "labels"));
}

static void check_group(struct check *c, const struct text_yaml *group)
{
    static const char *const known[] = {"name",
                                        "interval",
                                        "query_offset",
                                        "limit",
                                        "labels",
                                        "rules",
                                        "partial_response_strategy",
                                        "source_tenants",
                                        NULL};
    const struct text_yaml *rules = text_yaml_get(group, "rules");
    const struct text_yaml *name = text_yaml_get(group, "name");
    struct diag d;
    diag_init(&d);
    if (group->kind != TEXT_YAML_MAP) {
        problem(c, group, "a group is a map with name and rules");
        return;
    }
    if (text_yaml_check_keys(group, "a rule group", known, &d))
        pass_on(c, &d);
    if (!name || !name->value.len)
        problem(c, group, "a group needs a name");
    check_duration(c, group, "interval");
    check_duration(c, group, "query_offset");
    check_labels(c, text_yaml_get(group, "labels"));
    if (!rules || text_yaml_is_null(rules))
        return;
    if (rules->kind != TEXT_YAML_LIST) {
        problem(c, rules, "rules is a list");
        return;
    }
    for (size_t i = 0; i < rules->count; i++)
        check_rule(c, rules->items[i]);
}

size_t server_rules_check(const char *path, const struct text_yaml *root,
                          void (*report)(const struct diag *diag))
{
    static const char *const known[] = {"groups", NULL};
    struct check c = {.path = path, .report = report};
    const struct text_yaml *groups = text_yaml_get(root, "groups");
    struct diag d;
    diag_init(&d);
    if (text_yaml_check_keys(root, "a rule file", known, &d))
        pass_on(&c, &d);
    if (!text_yaml_is_null(groups) && groups->kind != TEXT_YAML_LIST) {
        problem(&c, groups, "groups is a list");
        return c.problems;
    }
    for (size_t i = 0; groups && i < groups->count; i++) {
        check_group(&c, groups->items[i]);
        const struct text_yaml *name = text_yaml_get(groups->items[i], "name");
        for (size_t k = 0; name && k < i; k++) {
            const struct text_yaml *other = text_yaml_get(groups->items[k], "name");
            if (other && slice_eq(other->value, name->value))
                problem(&c, name, "the group name \"%.*s\" is given twice", SLICE_FMT(name->value));
        }
    }
    return c.problems;
}
