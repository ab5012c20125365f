#include "alert/rules.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "alert/expand.h"
#include "base/log.h"
#include "base/map.h"
#include "codec/utf8.h"
#include "data/labels.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)

struct reader {
    const char *file;
    const struct alert_rules_options *options;
    struct arena *arena;
    void (*report)(void *ctx, const struct diag *diag);
    void *ctx;
    size_t problems;
    /* of the rule in hand, for messages */
    struct slice group, rule;
    size_t rule_index; /* 0: outside of a rule */
};

static void pass_on(struct reader *r, struct diag *d)
{
    if (!d->code)
        return;
    diag_set_file(d, r->file);
    if (r->report)
        r->report(r->ctx, d);
    r->problems++;
}

/* Prometheus' words, with the rule they are about in front. */
static void problem(struct reader *r, const struct text_yaml *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void problem(struct reader *r, const struct text_yaml *at, const char *fmt, ...)
{
    struct buf text = {0};
    struct diag d;
    va_list ap;
    if (r->rule_index)
        buf_printf(&text, "group \"%.*s\", rule %zu, \"%.*s\": ", SLICE_FMT(r->group),
                   r->rule_index, SLICE_FMT(r->rule));
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    diag_init(&d);
    text_yaml_error(at, &d, ERR_INVALID, "%s", buf_cstr(&text));
    pass_on(r, &d);
    buf_deinit(&text);
}

static const struct text_yaml *given(const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return text_yaml_is_null(n) ? NULL : n;
}

static struct slice read_text(struct reader *r, const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = given(map, key);
    struct slice s = SLICE("");
    struct diag d;
    diag_init(&d);
    if (n && text_yaml_string(n, &s, &d)) {
        diag_wrap(&d, "%s", key);
        pass_on(r, &d);
    }
    return arena_slice(r->arena, s);
}

static int64_t read_duration(struct reader *r, const struct text_yaml *map, const char *key,
                             int64_t fallback_ns)
{
    const struct text_yaml *n = given(map, key);
    struct diag d;
    int64_t ns = fallback_ns;
    diag_init(&d);
    if (n && text_yaml_duration(n, &ns, &d)) {
        diag_wrap(&d, "%s", key);
        pass_on(r, &d);
    }
    return ns;
}

/* --- labels and annotations --- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct alert_text *)a)->name, ((const struct alert_text *)b)->name);
}

static void check_template(struct reader *r, const struct text_yaml *at, const char *kind,
                           struct alert_text *t)
{
    struct diag d;
    diag_init(&d);
    if (slice_find(t->value, SLICE("{{")) < 0)
        return;
    if (alert__template_parse(r->rule, t->value, r->options->functions, r->options->function_count,
                              r->arena, &t->template, &d))
        problem(r, at, "%s \"%.*s\": %s", kind, SLICE_FMT(t->name), d.msg);
}

/* `templates`: values are Go templates. */
static void read_texts(struct reader *r, const struct text_yaml *map, bool annotations,
                       bool templates, struct alert_text **out, size_t *out_count)
{
    const char *kind = annotations ? "annotation" : "label";
    if (!map)
        return;
    if (map->kind != TEXT_YAML_MAP) {
        problem(r, map, "%ss: a map of names to values is expected", kind);
        return;
    }
    struct alert_text *texts = ARENA_ARRAY(r->arena, struct alert_text, map->count + 1);
    size_t n = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct text_yaml *key = map->keys[i], *value = map->items[i];
        struct alert_text *t = &texts[n++];
        t->name = arena_slice(r->arena, key->value);
        t->value = SLICE("");
        if (!t->name.len || !codec_utf8_valid(t->name) ||
            (!annotations && slice_eq_cstr(t->name, DATA_METRIC_NAME)))
            problem(r, key, "invalid %s name: %.*s", kind, SLICE_FMT(t->name));
        if (value->kind != TEXT_YAML_SCALAR) {
            problem(r, value, "%s \"%.*s\": text is expected", kind, SLICE_FMT(t->name));
            continue;
        }
        if (!text_yaml_is_null(value))
            t->value = arena_slice(r->arena, value->value);
        if (!annotations && !codec_utf8_valid(t->value))
            problem(r, value, "invalid label value: %.*s", SLICE_FMT(t->value));
        if (templates)
            check_template(r, value, kind, t);
    }
    qsort(texts, n, sizeof(*texts), by_name);
    *out = texts;
    *out_count = n;
}

/* The group's labels below the rule's. */
static void merge_labels(struct reader *r, const struct alert_text *group, size_t group_count,
                         struct alert_rule *rule)
{
    struct alert_text *all =
        ARENA_ARRAY(r->arena, struct alert_text, group_count + rule->label_count + 1);
    size_t n = 0;
    for (size_t i = 0; i < group_count; i++) {
        bool own = false;
        for (size_t k = 0; k < rule->label_count; k++)
            own |= slice_eq(rule->labels[k].name, group[i].name);
        if (!own)
            all[n++] = group[i];
    }
    if (rule->label_count)
        memcpy(all + n, rule->labels, rule->label_count * sizeof(*all));
    n += rule->label_count;
    qsort(all, n, sizeof(*all), by_name);
    rule->labels = all;
    rule->label_count = n;
}

/* --- rules --- */

static void read_expr(struct reader *r, const struct text_yaml *map, struct alert_rule *rule)
{
    const struct text_yaml *n = given(map, "expr");
    struct buf text = {0};
    struct diag d;
    diag_init(&d);
    struct slice s = read_text(r, map, "expr");
    if (!s.len) {
        problem(r, map, "field 'expr' must be set in rule");
        return;
    }
    const struct alert_language *language = r->options->language;
    if (language->parse(s, &r->options->promql, r->arena, &rule->expr, &d)) {
        problem(r, n, "could not parse expression: %s", d.msg);
        rule->expr = NULL;
    } else {
        language->print(rule->expr, &text);
        rule->expr_text = arena_slice(r->arena, buf_slice(&text));
    }
    buf_deinit(&text);
}

static void check_record(struct reader *r, const struct text_yaml *map, struct alert_rule *rule)
{
    const struct text_yaml *at = text_yaml_get(map, "record");
    const struct text_yaml *annotations = given(map, "annotations");
    if (annotations && annotations->count)
        problem(r, map, "invalid field 'annotations' in recording rule");
    if (rule->hold_ns)
        problem(r, map, "invalid field 'for' in recording rule");
    if (rule->keep_firing_ns)
        problem(r, map, "invalid field 'keep_firing_for' in recording rule");
    if (slice_find_char(rule->name, '{') >= 0 || slice_find_char(rule->name, '}') >= 0)
        problem(r, at, "braces present in the recording rule name; should it be in expr?: %.*s",
                SLICE_FMT(rule->name));
    else if (!codec_utf8_valid(rule->name))
        problem(r, at, "invalid recording rule name: %.*s", SLICE_FMT(rule->name));
}

static void read_rule(struct reader *r, const struct text_yaml *map,
                      const struct alert_text *group_labels, size_t group_label_count,
                      struct alert_rule *rule)
{
    static const char *const known[] = {"record", "alert",           "expr",        "for",
                                        "labels", "keep_firing_for", "annotations", NULL};
    struct diag d;
    diag_init(&d);
    if (map->kind != TEXT_YAML_MAP) {
        problem(r, map, "a rule is a map with record or alert, and expr");
        return;
    }
    if (text_yaml_check_keys(map, "a rule", known, &d))
        pass_on(r, &d);
    struct slice record = read_text(r, map, "record"), alert = read_text(r, map, "alert");
    rule->line = map->line;
    rule->is_alert = alert.len > 0;
    rule->name = r->rule = alert.len ? alert : record;
    if (record.len && alert.len)
        problem(r, map, "only one of 'record' and 'alert' must be set");
    if (!record.len && !alert.len)
        problem(r, map, "one of 'record' or 'alert' must be set");
    read_expr(r, map, rule);
    rule->hold_ns = read_duration(r, map, "for", 0);
    rule->keep_firing_ns = read_duration(r, map, "keep_firing_for", 0);
    if (record.len)
        check_record(r, map, rule);
    if (alert.len && !codec_utf8_valid(alert))
        problem(r, map, "invalid alert name: %.*s", SLICE_FMT(alert));
    read_texts(r, given(map, "labels"), false, rule->is_alert, &rule->labels, &rule->label_count);
    if (rule->is_alert || !record.len)
        read_texts(r, given(map, "annotations"), true, rule->is_alert, &rule->annotations,
                   &rule->annotation_count);
    merge_labels(r, group_labels, group_label_count, rule);
}

/* Places left out: equal texts are equal groups. */
static void identify(const struct text_yaml *n, struct buf *out)
{
    if (n->kind == TEXT_YAML_SCALAR) {
        buf_printf(out, "%zu:", n->value.len);
        buf_append_slice(out, n->value);
        return;
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '{' : '[');
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == TEXT_YAML_MAP)
            identify(n->keys[i], out);
        identify(n->items[i], out);
    }
    buf_append_char(out, '}');
}

static void read_group(struct reader *r, const struct text_yaml *map, struct alert_group_def *g)
{
    static const char *const known[] = {"name",
                                        "interval",
                                        "query_offset",
                                        "limit",
                                        "labels",
                                        "rules",
                                        "partial_response_strategy", /* Thanos */
                                        NULL};
    struct alert_text *labels = NULL;
    size_t label_count = 0;
    struct diag d;
    diag_init(&d);
    if (map->kind != TEXT_YAML_MAP) {
        problem(r, map, "a group is a map with name and rules");
        return;
    }
    if (text_yaml_check_keys(map, "a rule group", known, &d))
        pass_on(r, &d);
    g->tenant = r->options->tenant;
    g->file = arena_slice(r->arena, slice_cstr(r->file));
    g->name = r->group = read_text(r, map, "name");
    if (!g->name.len)
        problem(r, map, "Groupname must not be empty");
    g->interval_ns = read_duration(r, map, "interval", 0);
    if (!g->interval_ns)
        g->interval_ns = r->options->interval_ns ? r->options->interval_ns : 60 * NS_PER_SEC;
    g->query_offset_ns = read_duration(r, map, "query_offset", r->options->query_offset_ns);
    const struct text_yaml *limit = given(map, "limit"), *rules = given(map, "rules");
    diag_init(&d);
    if (limit && text_yaml_int(limit, INT32_MIN, INT32_MAX, &g->limit, &d)) {
        diag_wrap(&d, "limit");
        pass_on(r, &d);
    }
    read_texts(r, given(map, "labels"), false, false, &labels, &label_count);
    if (rules && rules->kind != TEXT_YAML_LIST) {
        problem(r, rules, "rules is a list");
        return;
    }
    g->rules = ARENA_ARRAY(r->arena, struct alert_rule, rules ? rules->count : 0);
    g->rule_count = rules ? rules->count : 0;
    for (size_t i = 0; i < g->rule_count; i++) {
        r->rule_index = i + 1;
        r->rule = SLICE("");
        read_rule(r, rules->items[i], labels, label_count, &g->rules[i]);
    }
    r->rule_index = 0;
    struct buf identity = {0};
    buf_printf(&identity, "%s %lld %lld ", g->language->name, (long long)g->interval_ns,
               (long long)g->query_offset_ns);
    identify(map, &identity);
    g->identity = arena_slice(r->arena, buf_slice(&identity));
    buf_deinit(&identity);
}

void alert_groups_deinit(struct alert_group_def *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < groups[i].rule_count; k++)
            groups[i].language->free(groups[i].rules[k].expr);
    }
}

size_t alert_rules_read(const char *file, const struct text_yaml *root,
                        const struct alert_rules_options *options, struct arena *arena,
                        alert_group_list *out, void (*report)(void *ctx, const struct diag *diag),
                        void *ctx)
{
    static const char *const known[] = {"groups", NULL};
    struct alert_rules_options own = *options;
    struct reader r = {.file = file, .options = &own, .arena = arena, .report = report, .ctx = ctx};
    const struct text_yaml *groups = given(root, "groups");
    size_t before = out->len;
    struct diag d;
    diag_init(&d);
    if (!own.language)
        own.language = &alert_promql;
    own.tenant = arena_slice(arena, own.tenant.ptr ? own.tenant : SLICE(""));
    if (!own.functions)
        own.functions = alert__functions(&own.function_count);
    if (text_yaml_check_keys(root, "a rule file", known, &d))
        pass_on(&r, &d);
    if (groups && groups->kind != TEXT_YAML_LIST) {
        problem(&r, groups, "groups is a list");
        return r.problems;
    }
    struct map *names = map_new();
    for (size_t i = 0; groups && i < groups->count; i++) {
        struct alert_group_def *g = vec_add(out);
        bool added = true;
        r.group = SLICE("");
        g->language = own.language;
        read_group(&r, groups->items[i], g);
        if (g->name.len)
            (void)map_put(names, g->name, &added);
        if (!added)
            problem(&r, groups->items[i], "groupname: \"%.*s\" is repeated in the same file",
                    SLICE_FMT(g->name));
    }
    map_free(names);
    if (r.problems) {
        alert_groups_deinit(out->items + before, out->len - before);
        out->len = before;
    }
    return r.problems;
}

/* --- files --- */

int alert_rules_glob(struct slice pattern, const char *base_dir, struct arena *arena,
                     alert_path_list *out, struct diag *diag)
{
    ptrdiff_t star = slice_find_char(pattern, '*');
    if (!pattern.len || (star >= 0 && slice_find_char(slice_from(pattern, (size_t)star), '/') >= 0))
        return diag_set(diag, ERR_INVALID, "invalid rule file path \"%.*s\"", SLICE_FMT(pattern));
    const char *path = pattern.ptr[0] == '/' || !base_dir || !base_dir[0]
                           ? arena_slice(arena, pattern).ptr
                       : base_dir[strlen(base_dir) - 1] == '/'
                           ? arena_printf(arena, "%s%.*s", base_dir, SLICE_FMT(pattern)).ptr
                           : arena_printf(arena, "%s/%.*s", base_dir, SLICE_FMT(pattern)).ptr;
    if (!strpbrk(path, "*?[")) {
        vec_push(out, path);
        return 0;
    }
    glob_t found;
    int rc = glob(path, 0, NULL, &found);
    for (size_t i = 0; !rc && i < found.gl_pathc; i++)
        vec_push(out, arena_strdup(arena, found.gl_pathv[i]));
    if (!rc)
        globfree(&found);
    return 0;
}

struct first_problem {
    struct diag *diag;
};

static void keep_first(void *ctx, const struct diag *d)
{
    struct first_problem *f = ctx;
    if (f->diag && !f->diag->code)
        *f->diag = *d;
}

static int read_file(const char *path, struct buf *out, struct diag *diag)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return diag_set(diag, err_from_errno(errno), "rule file %s cannot be read: %s", path,
                        strerror(errno));
    int err = 0;
    for (;;) {
        size_t n = fread(buf_reserve(out, 65536), 1, 65536, f);
        out->len += n;
        if (out->len > FILE_BYTES_MAX) {
            err = diag_set(diag, ERR_TOO_LARGE, "rule file %s is larger than %zu bytes", path,
                           FILE_BYTES_MAX);
            break;
        }
        if (!n) {
            if (ferror(f))
                err = diag_set(diag, ERR_IO, "rule file %s cannot be read: %s", path,
                               strerror(errno));
            break;
        }
    }
    fclose(f);
    return err;
}

static int load_file(const char *path, const struct alert_rules_options *options,
                     struct arena *arena, alert_group_list *out, struct diag *diag)
{
    struct arena *scratch = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    struct buf text = {0};
    struct first_problem first = {diag};
    int err = read_file(path, &text, diag);
    if (!err && (err = text_yaml_parse(buf_slice(&text), scratch, &root, diag)))
        diag_set_file(diag, path);
    if (!err && alert_rules_read(path, root, options, arena, out, keep_first, &first))
        err = ERR_INVALID;
    buf_deinit(&text);
    arena_free(scratch);
    return err;
}

int alert_rules_load(const struct slice *patterns, size_t pattern_count, const char *base_dir,
                     const struct alert_rules_options *options, struct alert_rules **out,
                     struct diag *diag)
{
    struct alert_rules *rules = mem_calloc(1, sizeof(*rules));
    struct arena *scratch = arena_new(0, NULL);
    struct map *seen = map_new();
    alert_path_list paths = {0};
    alert_group_list groups = {0};
    int err = 0;
    *out = NULL;
    rules->arena = arena_new(0, NULL);
    atomic_init(&rules->refs, 1);
    for (size_t i = 0; !err && i < pattern_count; i++)
        err = alert_rules_glob(patterns[i], base_dir, scratch, &paths, diag);
    for (size_t i = 0; !err && i < paths.len; i++) {
        bool added;
        (void)map_put(seen, slice_cstr(paths.items[i]), &added);
        if (access(paths.items[i], F_OK))
            LOG_WARN("alert", "rule file is not there", LOG_STR("file", paths.items[i]));
        else if (added)
            err = load_file(paths.items[i], options, rules->arena, &groups, diag);
    }
    rules->groups = arena_dup(rules->arena, groups.items, groups.len * sizeof(*groups.items));
    rules->group_count = groups.len;
    vec_free(&groups);
    vec_free(&paths);
    map_free(seen);
    arena_free(scratch);
    if (err)
        alert_rules_free(rules);
    else
        *out = rules;
    return err;
}

struct alert_rules *alert_rules_ref(struct alert_rules *rules)
{
    atomic_fetch_add(&rules->refs, 1);
    return rules;
}

void alert_rules_free(struct alert_rules *rules)
{
    if (!rules || atomic_fetch_sub(&rules->refs, 1) != 1)
        return;
    alert_groups_deinit(rules->groups, rules->group_count);
    arena_free(rules->arena);
    mem_free(rules);
}
