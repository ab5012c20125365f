/* Target groups in files and JSON; files of secrets. */
#include <string.h>

#include "codec/json_dom.h"
#include "discovery/config.h"

#define FILE_BYTES_MAX  ((size_t)64 << 20)
#define TOKEN_BYTES_MAX ((size_t)64 << 10)

int discovery_read_file(struct os *os, const char *path, size_t max, struct buf *out,
                        struct diag *diag)
{
    struct os_file *f = NULL;
    uint64_t size = 0;
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = os->ops->size(f, &size, diag);
    if (!err && size > max)
        err = diag_set(diag, ERR_TOO_LARGE, "%s holds %llu bytes, at most %zu are read", path,
                       (unsigned long long)size, max);
    if (!err && size) {
        char *to = buf_reserve(out, (size_t)size);
        err = os->ops->read_at(f, 0, to, (size_t)size, diag);
        if (!err)
            out->len += (size_t)size;
    }
    os->ops->close(f);
    return err;
}

void discovery_set_free(struct discovery_set *set)
{
    arena_free(set->arena);
    *set = (struct discovery_set){0};
}

/* Every group of `set` with one more label; in the set's arena. */
void discovery_set_add_label(struct discovery_set *set, struct slice name, struct slice value)
{
    struct discovery_group *groups =
        arena_dup(set->arena, set->groups, set->count * sizeof(*groups));
    struct data_labels_builder b = {0};
    for (size_t i = 0; i < set->count; i++) {
        struct data_labels l;
        data_labels_builder_from(&b, groups[i].labels);
        data_labels_builder_set(&b, name, value);
        if (data_labels_builder_finish(&b, &l, NULL) == 0)
            groups[i].labels = data_labels_copy(set->arena, l);
    }
    data_labels_builder_deinit(&b);
    set->groups = groups;
}

int discovery_groups_json(struct slice text, struct arena *arena, struct slice source,
                          const struct discovery_group **out, size_t *out_count, struct diag *diag)
{
    struct codec_json root;
    int err = codec_json_parse(text, arena, &root, diag);
    if (err)
        return err;
    if (root.kind != CODEC_JSON_ARRAY)
        return diag_set(diag, ERR_INVALID,
                        "a JSON list of {\"targets\": [...], \"labels\": {...}} is expected");
    struct discovery_group *groups = ARENA_ARRAY(arena, struct discovery_group, root.count);
    struct data_labels_builder b = {0};
    for (size_t i = 0; !err && i < root.count; i++) {
        const struct codec_json *g = &root.items[i], *targets = codec_json_get(g, "targets"),
                                *labels = codec_json_get(g, "labels");
        groups[i].source = arena_printf(arena, "%.*s:%zu", SLICE_FMT(source), i);
        if (g->kind != CODEC_JSON_OBJECT ||
            (targets && targets->kind != CODEC_JSON_ARRAY && targets->kind != CODEC_JSON_NULL) ||
            (labels && labels->kind != CODEC_JSON_OBJECT && labels->kind != CODEC_JSON_NULL)) {
            err =
                diag_set(diag, ERR_INVALID,
                         "target group %zu is not {\"targets\": [...], \"labels\": {...}}", i + 1);
            break;
        }
        for (size_t k = 0; !err && k < g->count; k++) {
            if (!slice_eq_cstr(g->keys[k], "targets") && !slice_eq_cstr(g->keys[k], "labels"))
                err = diag_set(diag, ERR_INVALID, "target group %zu has an unknown key \"%.*s\"",
                               i + 1, SLICE_FMT(g->keys[k]));
        }
        size_t count = targets && targets->kind == CODEC_JSON_ARRAY ? targets->count : 0;
        struct slice *addresses = ARENA_ARRAY(arena, struct slice, count);
        for (size_t k = 0; !err && k < count; k++) {
            if (targets->items[k].kind != CODEC_JSON_STRING)
                err = diag_set(diag, ERR_INVALID, "target %zu of group %zu is no string", k + 1,
                               i + 1);
            else
                addresses[k] = arena_slice(arena, targets->items[k].text);
        }
        groups[i].targets = addresses;
        groups[i].target_count = count;
        data_labels_builder_reset(&b);
        for (size_t k = 0; !err && labels && labels->kind == CODEC_JSON_OBJECT && k < labels->count;
             k++) {
            if (labels->items[k].kind != CODEC_JSON_STRING || !labels->keys[k].len)
                err = diag_set(diag, ERR_INVALID, "label \"%.*s\" of group %zu is no string",
                               SLICE_FMT(labels->keys[k]), i + 1);
            else
                data_labels_builder_set(&b, labels->keys[k], labels->items[k].text);
        }
        struct data_labels l;
        if (!err)
            err = data_labels_builder_finish(&b, &l, diag);
        if (!err)
            groups[i].labels = data_labels_copy(arena, l);
    }
    data_labels_builder_deinit(&b);
    if (!err) {
        *out = groups;
        *out_count = root.count;
    }
    return err;
}

int discovery_set_load(struct os *os, const char *path, struct discovery_set *out,
                       struct diag *diag)
{
    struct discovery_set set = {.arena = arena_new(0, NULL)};
    struct buf text = {0};
    struct slice source = arena_slice(set.arena, slice_cstr(path));
    int err = discovery_read_file(os, path, FILE_BYTES_MAX, &text, diag);
    if (!err && slice_ends_with(source, SLICE(".json"))) {
        err = discovery_groups_json(buf_slice(&text), set.arena, source, &set.groups, &set.count,
                                    diag);
    } else if (!err) {
        struct text_yaml *root = NULL;
        err = text_yaml_parse(buf_slice(&text), set.arena, &root, diag);
        if (!err)
            err = discovery_groups_yaml(root, set.arena, source, &set.groups, &set.count, diag);
    }
    buf_deinit(&text);
    if (err) {
        arena_free(set.arena);
        return err;
    }
    discovery_set_add_label(&set, SLICE("__meta_filepath"), source);
    *out = set;
    return 0;
}

int discovery_http_request(struct os *os, const struct discovery_http *http, struct arena *arena,
                           struct net_client_request *req, struct slice *auth_header,
                           struct diag *diag)
{
    struct buf text = {0};
    int err = 0;
    *auth_header = (struct slice){NULL, 0};
    const char *files[3] = {http->username_file, http->password_file, http->credentials_file};
    const char *values[3] = {http->username, http->password, http->credentials};
    for (int i = 0; !err && i < 3; i++) {
        if (!files[i])
            continue;
        buf_clear(&text);
        err = discovery_read_file(os, files[i], TOKEN_BYTES_MAX, &text, diag);
        values[i] = arena_slice(arena, slice_trim(buf_slice(&text))).ptr;
    }
    buf_deinit(&text);
    if (err)
        return err;
    if (http->username || http->username_file) {
        req->username = values[0] ? values[0] : "";
        req->password = values[1] ? values[1] : "";
    }
    if (http->auth_type && values[2]) {
        struct slice type = slice_trim(slice_cstr(http->auth_type));
        *auth_header = arena_printf(arena, "%.*s %s", SLICE_FMT(type), values[2]);
    }
    req->proxy_url = http->proxy_url;
    req->tls = http->has_tls ? &http->tls : NULL;
    req->follow_redirects = http->follow_redirects;
    return 0;
}
