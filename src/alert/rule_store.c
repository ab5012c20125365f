#include "alert/rule_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "os/file.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)
#define NAME_BYTES_MAX                                                                             \
    80 /* of a tenant or namespace: percent-encoded, 240 of the 255 a file may have */
#define SUFFIX ".yml"

struct alert_rule_store {
    struct os *os;
    char *dir;
};

struct alert_rule_store *alert_rule_store_new(struct os *os, const char *dir)
{
    struct alert_rule_store *s = mem_calloc(1, sizeof(*s));
    s->os = os;
    s->dir = mem_strdup(dir);
    return s;
}

void alert_rule_store_free(struct alert_rule_store *s)
{
    if (!s)
        return;
    mem_free(s->dir);
    mem_free(s);
}

/* --- names of files --- */

static void put_name(struct slice name, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-')
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* What put_name was given; false when it could not have been. */
static bool read_name(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte;
        if (text.ptr[i] != '%') {
            buf_append_char(out, text.ptr[i]);
            continue;
        }
        if (i + 2 >= text.len || !codec_text_to_bytes(slice_make(text.ptr + i + 1, 2), &byte, 1))
            return false;
        buf_append_char(out, (char)byte);
        i += 2;
    }
    return out->len > 0;
}

static void dir_of(const struct alert_rule_store *s, const struct alert_rule_place *place,
                   struct buf *out)
{
    buf_printf(out, "%s/%s/", s->dir, place->language->name);
    put_name(place->tenant, out);
}

static void path_of(const struct alert_rule_store *s, const struct alert_rule_place *place,
                    struct buf *out)
{
    dir_of(s, place, out);
    buf_append_char(out, '/');
    put_name(place->name_space, out);
    buf_append_cstr(out, SUFFIX);
}

static int check_name(const char *what, struct slice name, struct diag *diag)
{
    if (!name.len || name.len > NAME_BYTES_MAX)
        return diag_set(diag, ERR_INVALID, "a %s has 1 to %d bytes, \"%.*s\" has %zu", what,
                        NAME_BYTES_MAX, SLICE_FMT(slice_first(name, 100)), name.len);
    return 0;
}

typedef VEC(char *) name_list;

static void add_name(const char *name, void *ctx)
{
    name_list *names = ctx;
    vec_push(names, mem_strdup(name));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The entries of a folder, sorted; none when it is not there. */
static int list_dir(struct os *os, const char *path, name_list *out, struct diag *diag)
{
    struct diag why;
    diag_init(&why);
    int err = os->ops->list(os, path, add_name, out, &why);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err && diag)
        *diag = why;
    if (out->len)
        qsort(out->items, out->len, sizeof(*out->items), by_text);
    return err;
}

static void names_free(name_list *names)
{
    for (size_t i = 0; i < names->len; i++)
        mem_free(names->items[i]);
    vec_free(names);
}

/* The namespace that a file has, appended to *out; false for other files. */
static bool namespace_of(const char *file, struct buf *out)
{
    struct slice name = slice_cstr(file);
    return slice_ends_with(name, SLICE(SUFFIX)) &&
           read_name(slice_first(name, name.len - strlen(SUFFIX)), out);
}

/* --- reading --- */

/* The groups of a file as a list node; NULL when it is not there or has none. In `arena`. */
static int read_groups(struct alert_rule_store *s, const char *path, struct arena *arena,
                       struct text_yaml **out, struct diag *diag)
{
    struct buf text = {0};
    struct text_yaml *root = NULL;
    struct diag why;
    diag_init(&why);
    *out = NULL;
    int err = os_file_read(s->os, path, FILE_BYTES_MAX, &text, &why);
    if (!err)
        err = text_yaml_parse(arena_slice(arena, buf_slice(&text)), arena, &root, &why);
    const struct text_yaml *groups = text_yaml_get(root, "groups");
    if (!err && (!groups || groups->kind != TEXT_YAML_LIST))
        err = diag_set(&why, ERR_CORRUPT, "it is no rule file: `groups` is missing");
    for (size_t i = 0; root && !err && i < root->count; i++) {
        if (slice_eq_cstr(root->keys[i]->value, "groups"))
            *out = root->items[i];
    }
    buf_deinit(&text);
    if (err == ERR_NOT_FOUND)
        return 0;
    if (err && diag)
        diag_set(diag, err, "stored rules %s: %s", path, why.msg);
    return err;
}

static struct slice name_of(const struct text_yaml *group)
{
    const struct text_yaml *name = text_yaml_get(group, "name");
    return name && name->kind == TEXT_YAML_SCALAR ? name->value : SLICE("");
}

static ptrdiff_t find_group(const struct text_yaml *groups, struct slice name)
{
    for (size_t i = 0; groups && i < groups->count; i++) {
        if (slice_eq(name_of(groups->items[i]), name))
            return (ptrdiff_t)i;
    }
    return -1;
}

/* --- writing --- */

static struct text_yaml *node(struct arena *arena, enum text_yaml_kind kind, size_t count)
{
    struct text_yaml *n = ARENA_NEW(arena, struct text_yaml);
    n->kind = kind;
    n->line = n->col = 1;
    n->count = count;
    n->items = ARENA_ARRAY(arena, struct text_yaml *, count + 1);
    return n;
}

/* {key: value} */
static struct text_yaml *pair(struct arena *arena, struct slice key, bool quoted,
                              struct text_yaml *value)
{
    struct text_yaml *map = node(arena, TEXT_YAML_MAP, 1);
    map->keys = ARENA_ARRAY(arena, struct text_yaml *, 1);
    map->keys[0] = node(arena, TEXT_YAML_SCALAR, 0);
    map->keys[0]->value = key;
    map->keys[0]->quoted = quoted;
    map->items[0] = value;
    return map;
}

static int write_groups(struct alert_rule_store *s, const char *path, struct text_yaml *groups,
                        struct arena *arena, size_t bytes_max, struct diag *diag)
{
    struct buf text = {0};
    text_yaml_print(pair(arena, SLICE("groups"), false, groups), 0, false, &text);
    int err = text.len > bytes_max
                  ? diag_set(diag, ERR_TOO_LARGE,
                             "the namespace would have %zu bytes of rules, more than "
                             "limits.rules.namespace (%zu)",
                             text.len, bytes_max)
                  : os_file_replace(s->os, path, buf_slice(&text), diag);
    buf_deinit(&text);
    return err;
}

struct first {
    struct diag *diag;
};

static void keep_first(void *ctx, const struct diag *d)
{
    struct first *f = ctx;
    if (f->diag && !f->diag->code)
        *f->diag = *d;
}

static int check_group(const struct alert_rule_place *place, struct text_yaml *group,
                       const struct alert_rules_options *options, struct arena *arena,
                       struct diag *diag)
{
    struct alert_rules_options own = *options;
    struct text_yaml *list = node(arena, TEXT_YAML_LIST, 1);
    alert_group_list groups = {0};
    struct diag why;
    struct first first = {&why};
    diag_init(&why);
    if (!group || group->kind != TEXT_YAML_MAP)
        return diag_set(diag, ERR_INVALID,
                        "a rule group is a YAML map with name and rules, such as \"name: a\\n"
                        "rules:\\n- alert: ...\"");
    own.language = place->language;
    list->items[0] = group;
    size_t problems = alert_rules_read("the group", pair(arena, SLICE("groups"), false, list), &own,
                                       arena, &groups, keep_first, &first);
    alert_groups_deinit(groups.items, groups.len);
    vec_free(&groups);
    return problems ? diag_set(diag, ERR_INVALID, "%u:%u: %s", why.line, why.col, why.msg) : 0;
}

int alert_rule_store_put(struct alert_rule_store *s, const struct alert_rule_place *place,
                         const struct text_yaml *group, const struct alert_rules_options *options,
                         size_t bytes_max, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *groups = NULL, *own = group ? arena_dup(arena, group, sizeof(*group)) : NULL;
    struct buf dir = {0}, path = {0};
    int err = check_name("namespace", place->name_space, diag);
    if (!err)
        err = check_name("tenant", place->tenant, diag);
    if (!err)
        err = check_group(place, own, options, arena, diag);
    dir_of(s, place, &dir);
    path_of(s, place, &path);
    if (!err)
        err = s->os->ops->mkdir(s->os, buf_cstr(&dir), diag);
    if (!err)
        err = read_groups(s, buf_cstr(&path), arena, &groups, diag);
    if (!err) {
        size_t count = groups ? groups->count : 0;
        struct text_yaml *next = node(arena, TEXT_YAML_LIST, count);
        ptrdiff_t at = find_group(groups, name_of(own));
        if (count)
            memcpy(next->items, groups->items, count * sizeof(struct text_yaml *));
        next->items[at < 0 ? (ptrdiff_t)next->count++ : at] = own;
        err = write_groups(s, buf_cstr(&path), next, arena, bytes_max, diag);
    }
    buf_deinit(&dir);
    buf_deinit(&path);
    arena_free(arena);
    return err;
}

static int no_group(const struct alert_rule_place *place, struct diag *diag)
{
    if (!place->name_space.len)
        return diag_set(diag, ERR_NOT_FOUND, "no rule groups found");
    if (!place->group.len)
        return diag_set(diag, ERR_NOT_FOUND, "no rule groups found in namespace \"%.*s\"",
                        SLICE_FMT(slice_first(place->name_space, 100)));
    return diag_set(diag, ERR_NOT_FOUND, "group does not exist: \"%.*s\" in namespace \"%.*s\"",
                    SLICE_FMT(slice_first(place->group, 100)),
                    SLICE_FMT(slice_first(place->name_space, 100)));
}

int alert_rule_store_delete(struct alert_rule_store *s, const struct alert_rule_place *place,
                            struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *groups = NULL;
    struct buf dir = {0}, path = {0};
    dir_of(s, place, &dir);
    path_of(s, place, &path);
    int err = read_groups(s, buf_cstr(&path), arena, &groups, diag);
    ptrdiff_t at = place->group.len ? find_group(groups, place->group) : groups ? 0 : -1;
    if (!err && at < 0)
        err = no_group(place, diag);
    if (!err && place->group.len && groups->count > 1) {
        memmove(groups->items + at, groups->items + at + 1,
                (groups->count - (size_t)at - 1) * sizeof(struct text_yaml *));
        groups->count--;
        err = write_groups(s, buf_cstr(&path), groups, arena, SIZE_MAX, diag);
    } else if (!err) {
        err = s->os->ops->unlink(s->os, buf_cstr(&path), diag);
        if (!err)
            err = s->os->ops->sync_dir(s->os, buf_cstr(&dir), diag);
    }
    buf_deinit(&dir);
    buf_deinit(&path);
    arena_free(arena);
    return err;
}

/* --- listing and loading --- */

static int list_one(struct alert_rule_store *s, const struct alert_rule_place *place,
                    struct arena *arena, struct buf *out, bool *found, struct diag *diag)
{
    struct text_yaml *groups = NULL;
    struct buf path = {0};
    path_of(s, place, &path);
    int err = read_groups(s, buf_cstr(&path), arena, &groups, diag);
    buf_deinit(&path);
    if (err || !groups || !groups->count)
        return err;
    if (place->group.len) {
        ptrdiff_t at = find_group(groups, place->group);
        if (at >= 0)
            text_yaml_print(groups->items[at], 0, false, out);
        *found |= at >= 0;
        return 0;
    }
    *found = true;
    text_yaml_print(pair(arena, place->name_space, true, groups), 0, false, out);
    return 0;
}

int alert_rule_store_list(struct alert_rule_store *s, const struct alert_rule_place *place,
                          struct buf *out, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct buf dir = {0}, name = {0};
    name_list names = {0};
    bool found = false;
    int err = 0;
    dir_of(s, place, &dir);
    if (place->name_space.len)
        err = list_one(s, place, arena, out, &found, diag);
    else
        err = list_dir(s->os, buf_cstr(&dir), &names, diag);
    for (size_t i = 0; !err && i < names.len; i++) {
        struct alert_rule_place one = *place;
        buf_clear(&name);
        if (!namespace_of(names.items[i], &name))
            continue;
        one.name_space = buf_slice(&name);
        err = list_one(s, &one, arena, out, &found, diag);
    }
    if (!err && !found)
        err = no_group(place, diag);
    names_free(&names);
    buf_deinit(&dir);
    buf_deinit(&name);
    arena_free(arena);
    return err;
}

struct loading {
    struct alert_rule_store *store;
    struct alert_rules_options options;
    struct arena *scratch;
    struct alert_rules *rules;
    alert_group_list groups;
};

static void load_namespace(struct loading *l, const char *path, struct slice name_space)
{
    struct text_yaml *groups = NULL;
    struct diag why;
    struct first first = {&why};
    char words[1200];
    diag_init(&why);
    int err = read_groups(l->store, path, l->scratch, &groups, &why);
    if (!err && groups &&
        alert_rules_read(arena_slice(l->rules->arena, name_space).ptr,
                         pair(l->scratch, SLICE("groups"), false, groups), &l->options,
                         l->rules->arena, &l->groups, keep_first, &first))
        err = ERR_INVALID;
    if (err)
        LOG_ERROR("alert", "stored rules are left out", LOG_STR("file", path),
                  LOG_STR("error", diag_str(&why, words, sizeof(words))));
}

static int load_tenant(struct loading *l, const char *dir, struct diag *diag)
{
    name_list names = {0};
    struct buf path = {0}, name = {0};
    int err = list_dir(l->store->os, dir, &names, diag);
    for (size_t i = 0; !err && i < names.len; i++) {
        buf_clear(&path);
        buf_clear(&name);
        if (!namespace_of(names.items[i], &name))
            continue;
        buf_printf(&path, "%s/%s", dir, names.items[i]);
        load_namespace(l, buf_cstr(&path), buf_slice(&name));
    }
    names_free(&names);
    buf_deinit(&path);
    buf_deinit(&name);
    return err;
}

static int load_language(struct loading *l, struct diag *diag)
{
    name_list tenants = {0};
    struct buf path = {0}, name = {0};
    buf_printf(&path, "%s/%s", l->store->dir, l->options.language->name);
    size_t base = path.len;
    int err = list_dir(l->store->os, buf_cstr(&path), &tenants, diag);
    for (size_t i = 0; !err && i < tenants.len; i++) {
        buf_clear(&name);
        if (!read_name(slice_cstr(tenants.items[i]), &name))
            continue;
        l->options.tenant = buf_slice(&name);
        path.len = base;
        buf_printf(&path, "/%s", tenants.items[i]);
        err = load_tenant(l, buf_cstr(&path), diag);
    }
    names_free(&tenants);
    buf_deinit(&path);
    buf_deinit(&name);
    return err;
}

int alert_rule_store_load(struct alert_rule_store *s, const struct alert_rules_options *options,
                          struct alert_rules **out, struct diag *diag)
{
    static const struct alert_language *const languages[] = {&alert_promql, &alert_logql};
    struct loading l = {.store = s, .options = *options, .scratch = arena_new(0, NULL)};
    int err = 0;
    l.rules = mem_calloc(1, sizeof(*l.rules));
    l.rules->arena = arena_new(0, NULL);
    atomic_init(&l.rules->refs, 1);
    for (size_t i = 0; !err && i < ARRAY_LEN(languages); i++) {
        l.options.language = languages[i];
        err = load_language(&l, diag);
    }
    l.rules->groups =
        arena_dup(l.rules->arena, l.groups.items, l.groups.len * sizeof(*l.groups.items));
    l.rules->group_count = l.groups.len;
    vec_free(&l.groups);
    arena_free(l.scratch);
    *out = err ? NULL : l.rules;
    if (err)
        alert_rules_free(l.rules);
    return err;
}
