#include "server/yaml_paths.h"

static const struct text_yaml *behind(const struct text_yaml *n, const char *dir,
                                      struct arena *arena)
{
    if (n->kind != TEXT_YAML_SCALAR || !n->value.len || n->value.ptr[0] == '/')
        return n;
    struct text_yaml *out = arena_dup(arena, n, sizeof(*n));
    out->value = arena_printf(arena, "%s%.*s", dir, SLICE_FMT(n->value));
    return out;
}

static const struct text_yaml *copy_of(const struct text_yaml *n, const char *dir, bool files,
                                       struct arena *arena)
{
    struct text_yaml *out = arena_dup(arena, n, sizeof(*n));
    if (n->kind == TEXT_YAML_SCALAR)
        return out;
    out->items = ARENA_ARRAY(arena, struct text_yaml *, n->count + 1);
    for (size_t i = 0; i < n->count; i++) {
        const struct text_yaml *v = n->items[i];
        struct slice key = n->kind == TEXT_YAML_MAP ? n->keys[i]->value : SLICE("");
        if (v->kind != TEXT_YAML_SCALAR)
            v = copy_of(v, dir, slice_eq_cstr(key, "files"), arena);
        else if (slice_ends_with(key, SLICE("_file")) || (files && n->kind == TEXT_YAML_LIST))
            v = behind(v, dir, arena);
        out->items[i] = (struct text_yaml *)(uintptr_t)v;
    }
    return out;
}

const struct text_yaml *server_yaml_with_paths(const struct text_yaml *n, const char *dir,
                                               struct arena *arena)
{
    return n && dir[0] ? copy_of(n, dir, false, arena) : n;
}
