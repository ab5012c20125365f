/* Grafana's provisioning files: the providers of dashboards, and data sources, which become other
 * names of Pharos' own doors of their type. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/provision_priv.h"
#include "text/yaml.h"

#define FILES_MAX 1000

/* $NAME and ${NAME} from the environment, $$ a dollar. Owned by the caller. */
static char *expand(struct slice s)
{
    struct buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        char name[200];
        size_t n = 0, begin = i + 1;
        if (s.ptr[i] != '$') {
            buf_append_char(&out, s.ptr[i]);
            continue;
        }
        if (begin < s.len && s.ptr[begin] == '$') {
            buf_append_char(&out, '$');
            i++;
            continue;
        }
        bool braces = begin < s.len && s.ptr[begin] == '{';
        begin += braces;
        while (begin + n < s.len && n + 1 < sizeof(name) &&
               (isalnum((unsigned char)s.ptr[begin + n]) || s.ptr[begin + n] == '_'))
            n++;
        if (!n || (braces && (begin + n >= s.len || s.ptr[begin + n] != '}'))) {
            buf_append_char(&out, '$');
            continue;
        }
        memcpy(name, s.ptr + begin, n);
        name[n] = 0;
        const char *value = getenv(name);
        buf_append_cstr(&out, value ? value : "");
        i = begin + n + braces - 1;
    }
    buf_append_char(&out, 0);
    return buf_take(&out, &(size_t){0});
}

/* *out is owned by the caller, "" when the key is not there. */
static int read_text(const struct text_yaml *map, const char *key, char **out, struct diag *diag)
{
    const struct text_yaml *node = text_yaml_get(map, key);
    struct slice s = SLICE("");
    int err = text_yaml_is_null(node) ? 0 : text_yaml_string(node, &s, diag);
    *out = expand(s);
    return err;
}

static int read_flag(const struct text_yaml *map, const char *key, bool *out, struct diag *diag)
{
    const struct text_yaml *node = text_yaml_get(map, key);
    return text_yaml_is_null(node) ? 0 : text_yaml_bool(node, out, diag);
}

static int read_provider(struct server_provision *p, const struct text_yaml *node,
                         struct diag *diag)
{
    const struct text_yaml *options = text_yaml_get(node, "options");
    struct provider pr = {.files = map_new(), .dirs = map_new()};
    char *type = NULL;
    if (node->kind != TEXT_YAML_MAP) {
        map_free(pr.files);
        map_free(pr.dirs);
        return text_yaml_error(node, diag, ERR_INVALID,
                               "a provider is a map with name, type and options.path");
    }
    const struct {
        const struct text_yaml *map;
        const char *key;
        char **out;
    } texts[] = {{node, "name", &pr.name},
                 {node, "folder", &pr.folder},
                 {node, "folderUid", &pr.folder_uid},
                 {node, "type", &type},
                 {options, "path", &pr.path}};
    int err = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        int failed = read_text(texts[i].map, texts[i].key, texts[i].out, diag);
        err = err ? err : failed;
    }
    if (!err)
        err = read_flag(node, "disableDeletion", &pr.keep, diag);
    if (!err)
        err = read_flag(node, "allowUiUpdates", &pr.allow_updates, diag);
    if (!err)
        err = read_flag(options, "foldersFromFilesStructure", &pr.by_structure, diag);
    if (!err && type[0] && strcmp(type, "file") != 0)
        err = text_yaml_error(node, diag, ERR_INVALID, "type is \"file\", here it is \"%s\"", type);
    if (!err && !pr.path[0])
        err = text_yaml_error(node, diag, ERR_INVALID,
                              "provider \"%s\" needs options.path, the folder of its dashboards",
                              pr.name);
    if (!err && strchr(pr.name, ':'))
        err = text_yaml_error(node, diag, ERR_INVALID, "a provider's name holds no ':'");
    for (size_t i = 0; i < p->providers.len && !err; i++) {
        if (strcmp(p->providers.items[i].name, pr.name) == 0)
            err =
                text_yaml_error(node, diag, ERR_INVALID, "provider \"%s\" is there twice", pr.name);
    }
    mem_free(type);
    if (!err) {
        vec_push(&p->providers, pr);
        return 0;
    }
    map_free(pr.files);
    map_free(pr.dirs);
    mem_free(pr.name);
    mem_free(pr.folder);
    mem_free(pr.folder_uid);
    mem_free(pr.path);
    return err;
}

/* The list of version 1 is under `providers`, that of version 0 is the document. */
static int read_dashboards(struct server_provision *p, const struct text_yaml *root,
                           struct diag *diag)
{
    const struct text_yaml *list =
        root->kind == TEXT_YAML_LIST ? root : text_yaml_get(root, "providers");
    int err = 0;
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "providers is a list");
    for (size_t i = 0; i < list->count && !err; i++)
        err = read_provider(p, list->items[i], diag);
    return err;
}

static int read_sources(struct server_provision *p, const struct text_yaml *root, struct diag *diag)
{
    const struct text_yaml *list = text_yaml_get(root, "datasources");
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "datasources is a list");
    for (size_t i = 0; i < list->count; i++) {
        const struct text_yaml *one = list->items[i];
        struct api_source_alias alias = {0};
        bool ours = false;
        int err = one->kind == TEXT_YAML_MAP
                      ? 0
                      : text_yaml_error(one, diag, ERR_INVALID,
                                        "a data source is a map with name and type");
        if (!err)
            err = read_text(one, "name", &alias.name, diag);
        if (!err)
            err = read_text(one, "type", &alias.type, diag);
        if (!err)
            err = read_text(one, "uid", &alias.uid, diag);
        if (!err && (!alias.name[0] || !alias.type[0]))
            err = text_yaml_error(one, diag, ERR_INVALID, "a data source needs a name and a type");
        if (!err)
            err = read_flag(one, "isDefault", &alias.is_default, diag);
        if (!err)
            ours = api_source_type(slice_cstr(alias.type)) != NULL;
        if (!err)
            LOG_INFO("server",
                     ours ? "a provisioned data source is answered by Pharos' own door of its type"
                          : "a provisioned data source is of a type that Pharos has no door for",
                     LOG_STR("name", alias.name), LOG_STR("type", alias.type));
        if (!err && ours) {
            vec_push(&p->sources, alias);
            continue;
        }
        mem_free(alias.name);
        mem_free(alias.type);
        mem_free(alias.uid);
        if (err)
            return err;
    }
    return 0;
}

struct files {
    VEC(char *) names;
};

static void on_name(const char *name, void *ctx)
{
    struct files *f = ctx;
    struct slice s = slice_cstr(name);
    if (name[0] != '.' && f->names.len < FILES_MAX &&
        (slice_ends_with(s, SLICE(".yaml")) || slice_ends_with(s, SLICE(".yml"))))
        vec_push(&f->names, mem_strdup(name));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_dir(struct server_provision *p, const char *dir,
                    int (*read)(struct server_provision *p, const struct text_yaml *root,
                                struct diag *diag),
                    struct diag *diag)
{
    struct os *os = p->env.os;
    struct files files = {0};
    struct os_stat st;
    if (os->ops->stat(os, dir, &st, NULL))
        return 0; /* Grafana does without, too */
    int err = os->ops->list(os, dir, on_name, &files, diag);
    if (files.names.len)
        qsort(files.names.items, files.names.len, sizeof(char *), by_text);
    for (size_t i = 0; i < files.names.len && !err; i++) {
        struct arena *arena = arena_new(0, NULL);
        struct text_yaml *root = NULL;
        struct slice text;
        char path[4300];
        snprintf(path, sizeof(path), "%s/%s", dir, files.names.items[i]);
        err = provision__read_file(os, path, arena, &text, diag);
        if (!err)
            err = text_yaml_parse(text, arena, &root, diag);
        if (!err && root)
            err = read(p, root, diag);
        if (err)
            diag_set_file(diag, path);
        arena_free(arena);
    }
    for (size_t i = 0; i < files.names.len; i++)
        mem_free(files.names.items[i]);
    vec_free(&files.names);
    return err;
}

int provision__read_yaml(struct server_provision *p, const char *dir, struct diag *diag)
{
    char path[4300];
    struct os_stat st;
    int err = p->env.os->ops->stat(p->env.os, dir, &st, diag);
    if (err)
        return err;
    snprintf(path, sizeof(path), "%s/dashboards", dir);
    err = read_dir(p, path, read_dashboards, diag);
    if (err)
        return err;
    snprintf(path, sizeof(path), "%s/datasources", dir);
    return read_dir(p, path, read_sources, diag);
}
