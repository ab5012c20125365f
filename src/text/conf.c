#include "text/conf.h"

#include <ctype.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/vec.h"
#include "text/duration.h"

static void *slot(const struct text_conf_field *f, void *target)
{
    return (char *)target + f->offset;
}

static int check_range(const struct text_conf_field *f, const struct text_yaml *at, int64_t v,
                       struct diag *diag)
{
    int64_t max = f->min == 0 && f->max == 0 ? INT64_MAX : f->max;
    if (v >= f->min && v <= max)
        return 0;
    struct buf low = {0}, high = {0};
    if (f->type == TEXT_CONF_DURATION) {
        text_duration_print(f->min, &low);
        text_duration_print(max, &high);
    } else {
        buf_printf(&low, "%lld", (long long)f->min);
        buf_printf(&high, "%lld", (long long)max);
    }
    int err = text_yaml_error(at, diag, ERR_INVALID, "%s: %.*s is not between %s and %s", f->key,
                              SLICE_FMT(at->value), buf_cstr(&low),
                              max == INT64_MAX ? "any" : buf_cstr(&high));
    buf_deinit(&low);
    buf_deinit(&high);
    return err;
}

static int set_field(const struct text_conf_field *f, void *target, const struct text_yaml *node,
                     struct arena *arena, struct diag *diag)
{
    struct diag inner;
    diag_init(&inner);
    int err = 0;
    int64_t n;
    switch (f->type) {
    case TEXT_CONF_NODE: *(const struct text_yaml **)slot(f, target) = node; return 0;
    case TEXT_CONF_BOOL: err = text_yaml_bool(node, slot(f, target), &inner); break;
    case TEXT_CONF_INT:
        err = text_yaml_int(node, INT64_MIN, INT64_MAX, &n, &inner);
        if (!err && !(err = check_range(f, node, n, diag)))
            *(int64_t *)slot(f, target) = n;
        break;
    case TEXT_CONF_DURATION:
        if (node->kind == TEXT_YAML_SCALAR && slice_eq_cstr(node->value, "forever") &&
            f->max == INT64_MAX) {
            *(int64_t *)slot(f, target) = INT64_MAX;
            break;
        }
        err = text_yaml_duration(node, &n, &inner);
        if (!err && !(err = check_range(f, node, n, diag)))
            *(int64_t *)slot(f, target) = n;
        break;
    case TEXT_CONF_SIZE:
        if (node->kind != TEXT_YAML_SCALAR || text_size_parse(node->value, &n))
            err = text_yaml_error(node, &inner, ERR_INVALID,
                                  "a size like 512MiB is expected, not \"%.*s\"",
                                  SLICE_FMT(node->value));
        else if (!(err = check_range(f, node, n, diag)))
            *(int64_t *)slot(f, target) = n;
        break;
    case TEXT_CONF_STRING: {
        struct slice s;
        err = text_yaml_string(node, &s, &inner);
        if (!err)
            *(const char **)slot(f, target) = arena_slice(arena, s).ptr;
        break;
    }
    case TEXT_CONF_CHOICE: {
        int i = 0;
        while (f->choices[i] &&
               !(node->kind == TEXT_YAML_SCALAR && slice_eq_cstr(node->value, f->choices[i])))
            i++;
        if (f->choices[i]) {
            *(int *)slot(f, target) = i;
            break;
        }
        struct buf all = {0};
        for (i = 0; f->choices[i]; i++)
            buf_printf(&all, "%s%s", i ? ", " : "", f->choices[i]);
        err = text_yaml_error(node, &inner, ERR_INVALID, "\"%.*s\" is none of %s",
                              SLICE_FMT(node->value), buf_cstr(&all));
        buf_deinit(&all);
        break;
    }
    }
    if (inner.code)
        err = text_yaml_error(node, diag, err, "%s: %s", f->key, inner.msg);
    return err;
}

static const struct text_conf_field *find(const struct text_conf_field *fields, size_t count,
                                          struct slice key)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_cstr(key, fields[i].key))
            return &fields[i];
    }
    return NULL;
}

/* Some key begins with "key.". */
static bool is_section(const struct text_conf_field *fields, size_t count, struct slice key)
{
    for (size_t i = 0; i < count; i++) {
        struct slice k = slice_cstr(fields[i].key);
        if (slice_starts_with(k, key) && k.len > key.len && k.ptr[key.len] == '.')
            return true;
    }
    return false;
}

static const char *nearest_key(const struct text_conf_field *fields, size_t count, struct slice key)
{
    const char **keys = mem_calloc(count + 1, sizeof(*keys));
    for (size_t i = 0; i < count; i++)
        keys[i] = fields[i].key;
    const char *best = text_nearest(key, keys);
    mem_free(keys);
    return best;
}

static int unknown(const struct text_conf_field *fields, size_t count, const struct text_yaml *at,
                   struct slice key, struct diag *diag)
{
    const char *near = nearest_key(fields, count, key);
    return text_yaml_error(at, diag, ERR_INVALID, "unknown key \"%.*s\"%s%s%s", SLICE_FMT(key),
                           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

static int apply_map(const struct text_conf_field *fields, size_t count, void *target,
                     const struct text_yaml *map, struct slice prefix, struct arena *arena,
                     struct diag *diag)
{
    for (size_t i = 0; i < map->count; i++) {
        struct slice key = map->keys[i]->value;
        if (prefix.len)
            key = arena_printf(arena, "%.*s.%.*s", SLICE_FMT(prefix), SLICE_FMT(key));
        const struct text_conf_field *f = find(fields, count, key);
        int err;
        if (f)
            err = set_field(f, target, map->items[i], arena, diag);
        else if (!is_section(fields, count, key))
            err = unknown(fields, count, map->keys[i], key, diag);
        else if (text_yaml_is_null(map->items[i]))
            err = 0;
        else if (map->items[i]->kind != TEXT_YAML_MAP)
            err = text_yaml_error(map->items[i], diag, ERR_INVALID, "%.*s takes a map of settings",
                                  SLICE_FMT(key));
        else
            err = apply_map(fields, count, target, map->items[i], key, arena, diag);
        if (err)
            return err;
    }
    return 0;
}

void text_conf_defaults(const struct text_conf_field *fields, size_t count, void *target,
                        struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == TEXT_CONF_NODE) {
            *(const struct text_yaml **)slot(&fields[i], target) = NULL;
            continue;
        }
        struct text_yaml node = {
            .kind = TEXT_YAML_SCALAR, .value = slice_cstr(fields[i].default_text), .quoted = true};
        struct diag d;
        diag_init(&d);
        int err = set_field(&fields[i], target, &node, arena, &d);
        base_assert(err == 0); /* a default that its own row refuses */
    }
}

int text_conf_apply_yaml(const struct text_conf_field *fields, size_t count, void *target,
                         const struct text_yaml *root, struct arena *arena, struct diag *diag)
{
    if (text_yaml_is_null(root))
        return 0;
    if (root->kind != TEXT_YAML_MAP)
        return text_yaml_error(root, diag, ERR_INVALID, "a configuration is a map of settings");
    return apply_map(fields, count, target, root, SLICE(""), arena, diag);
}

static int apply_text(const struct text_conf_field *f, void *target, struct slice value,
                      struct arena *arena, struct diag *diag)
{
    struct text_yaml *node;
    value = arena_slice(arena, value);
    if (f->type == TEXT_CONF_NODE) {
        int err = text_yaml_parse(value, arena, &node, diag);
        return err ? err : set_field(f, target, node, arena, diag);
    }
    node = ARENA_NEW(arena, struct text_yaml);
    node->kind = TEXT_YAML_SCALAR;
    node->value = value;
    node->quoted = true;
    return set_field(f, target, node, arena, diag);
}

int text_conf_apply_set(const struct text_conf_field *fields, size_t count, void *target,
                        struct slice assignment, struct arena *arena, struct diag *diag)
{
    ptrdiff_t eq = slice_find_char(assignment, '=');
    if (eq <= 0)
        return diag_set(diag, ERR_INVALID, "--set takes key=value, not \"%.*s\"",
                        SLICE_FMT(assignment));
    struct slice key = slice_trim(slice_first(assignment, (size_t)eq));
    const struct text_conf_field *f = find(fields, count, key);
    if (!f) {
        struct text_yaml nowhere = {.kind = TEXT_YAML_SCALAR};
        int err = unknown(fields, count, &nowhere, key, diag);
        diag_wrap(diag, "--set %.*s", SLICE_FMT(assignment));
        return err;
    }
    int err = apply_text(f, target, slice_from(assignment, (size_t)eq + 1), arena, diag);
    if (err)
        diag_wrap(diag, "--set %.*s", SLICE_FMT(assignment));
    return err;
}

static bool env_name_is(const char *key, struct slice name)
{
    size_t n = strlen(key);
    if (n != name.len)
        return false;
    for (size_t i = 0; i < n; i++) {
        char want = key[i] == '.' || key[i] == '-' ? '_' : (char)toupper((unsigned char)key[i]);
        if (name.ptr[i] != want)
            return false;
    }
    return true;
}

int text_conf_apply_env(const struct text_conf_field *fields, size_t count, void *target,
                        const char *prefix, char *const *environment, const char *const *ignored,
                        struct arena *arena, struct diag *diag)
{
    size_t prefix_len = strlen(prefix);
    for (; *environment; environment++) {
        if (strncmp(*environment, prefix, prefix_len) != 0)
            continue;
        struct slice rest = slice_cstr(*environment + prefix_len), name;
        if (slice_find_char(rest, '=') < 0)
            continue;
        slice_split(&rest, '=', &name);
        bool skip = false;
        for (const char *const *i = ignored; *i && !skip; i++)
            skip = slice_eq_cstr(name, *i);
        if (skip)
            continue;
        const struct text_conf_field *f = NULL;
        for (size_t i = 0; i < count && !f; i++)
            f = env_name_is(fields[i].key, name) ? &fields[i] : NULL;
        if (!f)
            return diag_set(
                diag, ERR_INVALID,
                "environment variable %s%.*s names no setting; `pharos help config` lists them",
                prefix, SLICE_FMT(name));
        int err = apply_text(f, target, rest, arena, diag);
        if (err) {
            diag_wrap(diag, "environment variable %s%.*s", prefix, SLICE_FMT(name));
            return err;
        }
    }
    return 0;
}

static const char *type_name(const struct text_conf_field *f)
{
    static const char *const names[] = {"true/false", "number", "duration", "size",
                                        "text",       "choice", "see below"};
    return names[f->type];
}

void text_conf_print_markdown(const struct text_conf_field *fields, size_t count, struct buf *out)
{
    buf_append_cstr(out,
                    "| key | type | default | reload | what it does |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < count; i++) {
        const struct text_conf_field *f = &fields[i];
        buf_printf(out, "| `%s` | ", f->key);
        if (f->type == TEXT_CONF_CHOICE) {
            for (int c = 0; f->choices[c]; c++)
                buf_printf(out, "%s`%s`", c ? " " : "", f->choices[c]);
        } else {
            buf_append_cstr(out, type_name(f));
        }
        if (f->default_text && f->default_text[0])
            buf_printf(out, " | `%s`", f->default_text);
        else
            buf_append_cstr(out, " | ");
        buf_printf(out, " | %s | %s |\n", f->live ? "live" : "restart", f->help);
    }
}

void text_conf_print_help(const struct text_conf_field *fields, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct text_conf_field *f = &fields[i];
        buf_printf(out, "  %-34s %s", f->key, f->help);
        if (f->default_text && f->default_text[0])
            buf_printf(out, " (default %s)", f->default_text);
        buf_append_char(out, '\n');
    }
}

void text_conf_print_value(const struct text_conf_field *f, const void *target, struct buf *out)
{
    const void *at = (const char *)target + f->offset;
    if (f->secret) {
        buf_append_cstr(out, "<secret>");
        return;
    }
    switch (f->type) {
    case TEXT_CONF_BOOL: buf_append_cstr(out, *(const bool *)at ? "true" : "false"); break;
    case TEXT_CONF_INT:
    case TEXT_CONF_SIZE: buf_printf(out, "%lld", (long long)*(const int64_t *)at); break;
    case TEXT_CONF_DURATION:
        if (*(const int64_t *)at == INT64_MAX)
            buf_append_cstr(out, "forever");
        else
            text_duration_print(*(const int64_t *)at, out);
        break;
    case TEXT_CONF_STRING: buf_append_cstr(out, *(const char *const *)at); break;
    case TEXT_CONF_CHOICE: buf_append_cstr(out, f->choices[*(const int *)at]); break;
    case TEXT_CONF_NODE: break;
    }
}
