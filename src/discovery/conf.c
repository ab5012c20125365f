/* The small readers. */
#include "discovery/conf.h"
#include "base/log.h"
#include "text/duration.h"

const struct text_yaml *discovery_conf_given(const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return text_yaml_is_null(n) ? NULL : n;
}

int discovery_conf_text(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        struct slice *out)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    if (!n)
        return 0;
    struct slice s;
    int err = text_yaml_string(n, &s, p->diag);
    if (!err)
        *out = arena_slice(p->arena, s);
    return err;
}

int discovery_conf_cstr(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        const char **out)
{
    struct slice s = {NULL, 0};
    int err = discovery_conf_text(p, map, key, &s);
    if (!err && s.ptr)
        *out = s.ptr;
    return err;
}

int discovery_conf_path(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        const char **out)
{
    const char *path = NULL;
    int err = discovery_conf_cstr(p, map, key, &path);
    if (err || !path)
        return err;
    if (path[0] != '/' && path[0] && p->base_dir)
        path = arena_printf(p->arena, "%s/%s", p->base_dir, path).ptr;
    *out = path;
    return 0;
}

int discovery_conf_bool(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        bool *out)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    return n ? text_yaml_bool(n, out, p->diag) : 0;
}

int discovery_conf_count(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                         int64_t *out)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    return n ? text_yaml_int(n, 0, INT64_MAX, out, p->diag) : 0;
}

int discovery_conf_duration(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                            int64_t *out)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    return n ? text_yaml_duration(n, out, p->diag) : 0;
}

int discovery_conf_size(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        int64_t *out)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    if (!n)
        return 0;
    struct slice v = n->value;
    /* Prometheus means powers of 1024 by KB, MB and GB. */
    if (n->kind == TEXT_YAML_SCALAR && v.len > 2 && v.ptr[v.len - 1] == 'B' &&
        v.ptr[v.len - 2] >= 'A' && v.ptr[v.len - 2] <= 'Z')
        v = arena_printf(p->arena, "%.*siB", SLICE_FMT(slice_first(v, v.len - 1)));
    if (n->kind != TEXT_YAML_SCALAR || text_size_parse(v, out))
        return text_yaml_error(n, p->diag, ERR_INVALID, "%s takes a size like 10MB, not \"%.*s\"",
                               key, SLICE_FMT(n->value));
    return 0;
}

int discovery_conf_unbuilt(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                           const char *why)
{
    const struct text_yaml *n = discovery_conf_given(map, key);
    if (!n || (n->kind != TEXT_YAML_SCALAR && !n->count))
        return 0;
    if (!p->ignore_unsupported)
        return text_yaml_error(n, p->diag, ERR_UNSUPPORTED, "%s is not supported%s%s", key,
                               why[0] ? ": " : "", why);
    LOG_WARN("discovery", "a setting of the configuration is left out", LOG_STR("key", key),
             LOG_INT("line", n->line));
    return 0;
}
