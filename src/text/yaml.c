#include "text/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/map.h"
#include "base/vec.h"
#include "text/duration.h"

#define DEPTH_MAX    64
#define EXPANDED_MAX 100000 /* nodes reached through aliases */

struct loader {
    yaml_parser_t parser;
    struct arena *arena;
    struct diag *diag;
    struct map *anchors;
    size_t expanded;
    unsigned depth;
};

static int fail(struct loader *l, yaml_mark_t mark, const char *fmt, ...)
{
    char msg[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return diag_set_at(l->diag, ERR_INVALID, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1,
                       "%s", msg);
}

static int next_event(struct loader *l, yaml_event_t *e)
{
    if (yaml_parser_parse(&l->parser, e))
        return 0;
    const char *problem = l->parser.problem ? l->parser.problem : "not readable";
    return fail(l, l->parser.problem_mark, "YAML: %s%s%s", problem, l->parser.context ? " " : "",
                l->parser.context ? l->parser.context : "");
}

static int load_node(struct loader *l, yaml_event_t *first, struct text_yaml **out);

static size_t count_nodes(const struct text_yaml *n)
{
    size_t count = 1;
    for (size_t i = 0; i < n->count; i++)
        count += count_nodes(n->items[i]);
    return count;
}

static void remember(struct loader *l, const yaml_char_t *anchor, struct text_yaml *node)
{
    if (anchor)
        map_put(l->anchors, slice_cstr((const char *)anchor), NULL)->value.ptr = node;
}

/* "<<: *base" or "<<: [*a, *b]": their pairs, where the map has not said otherwise. */
static int merge_into(struct loader *l, struct text_yaml *map, const struct text_yaml *from)
{
    if (from->kind == TEXT_YAML_LIST) {
        for (size_t i = 0; i < from->count; i++) {
            int err = merge_into(l, map, from->items[i]);
            if (err)
                return err;
        }
        return 0;
    }
    if (from->kind != TEXT_YAML_MAP)
        return text_yaml_error(from, l->diag, ERR_INVALID, "YAML: \"<<\" takes a map");
    struct text_yaml **keys = ARENA_ARRAY(l->arena, struct text_yaml *, map->count + from->count);
    struct text_yaml **items = ARENA_ARRAY(l->arena, struct text_yaml *, map->count + from->count);
    size_t n = map->count;
    for (size_t i = 0; i < n; i++) {
        keys[i] = map->keys[i];
        items[i] = map->items[i];
    }
    for (size_t i = 0; i < from->count; i++) {
        bool there = false;
        for (size_t j = 0; j < n && !there; j++)
            there = slice_eq(keys[j]->value, from->keys[i]->value);
        if (!there) {
            keys[n] = from->keys[i];
            items[n++] = from->items[i];
        }
    }
    map->keys = keys;
    map->items = items;
    map->count = n;
    return 0;
}

static int load_list(struct loader *l, struct text_yaml *node)
{
    VEC(struct text_yaml *) items = {0};
    int err;
    for (;;) {
        yaml_event_t e;
        if ((err = next_event(l, &e)))
            break;
        if (e.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&e);
            break;
        }
        struct text_yaml *item;
        if ((err = load_node(l, &e, &item)))
            break;
        vec_push(&items, item);
    }
    node->count = items.len;
    node->items = arena_dup(l->arena, items.items, items.len * sizeof(*items.items));
    vec_free(&items);
    return err;
}

static int load_map(struct loader *l, struct text_yaml *node)
{
    VEC(struct text_yaml *) keys = {0}, items = {0}, merges = {0};
    struct map *seen = map_new();
    int err;
    for (;;) {
        yaml_event_t e;
        if ((err = next_event(l, &e)))
            break;
        if (e.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&e);
            break;
        }
        struct text_yaml *key, *item;
        if ((err = load_node(l, &e, &key)))
            break;
        if (key->kind != TEXT_YAML_SCALAR) {
            err = text_yaml_error(key, l->diag, ERR_INVALID, "YAML: a key must be plain text");
            break;
        }
        if ((err = next_event(l, &e)) || (err = load_node(l, &e, &item)))
            break;
        if (slice_eq_cstr(key->value, "<<") && !key->quoted) {
            vec_push(&merges, item);
            continue;
        }
        bool added;
        struct map_entry *entry = map_put(seen, key->value, &added);
        if (!added) {
            const struct text_yaml *before = entry->value.ptr;
            err = text_yaml_error(key, l->diag, ERR_INVALID,
                                  "key \"%.*s\" is given twice; first in line %u",
                                  SLICE_FMT(key->value), before->line);
            break;
        }
        entry->value.ptr = key;
        vec_push(&keys, key);
        vec_push(&items, item);
    }
    node->count = items.len;
    node->keys = arena_dup(l->arena, keys.items, keys.len * sizeof(*keys.items));
    node->items = arena_dup(l->arena, items.items, items.len * sizeof(*items.items));
    for (size_t i = 0; !err && i < merges.len; i++)
        err = merge_into(l, node, merges.items[i]);
    map_free(seen);
    vec_free(&keys);
    vec_free(&items);
    vec_free(&merges);
    return err;
}

/* Takes over the event. */
static int load_node(struct loader *l, yaml_event_t *e, struct text_yaml **out)
{
    int err = 0;
    struct text_yaml *node = ARENA_NEW(l->arena, struct text_yaml);
    node->line = (uint32_t)e->start_mark.line + 1;
    node->col = (uint32_t)e->start_mark.column + 1;
    *out = node;
    if (++l->depth > DEPTH_MAX) {
        err = fail(l, e->start_mark, "YAML: nested too deeply (%d levels at most)", DEPTH_MAX);
        goto out;
    }
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        node->kind = TEXT_YAML_SCALAR;
        node->value =
            arena_slice(l->arena, slice_make(e->data.scalar.value, e->data.scalar.length));
        node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        remember(l, e->data.scalar.anchor, node);
        break;
    case YAML_SEQUENCE_START_EVENT:
        node->kind = TEXT_YAML_LIST;
        err = load_list(l, node);
        remember(l, e->data.sequence_start.anchor, node);
        break;
    case YAML_MAPPING_START_EVENT:
        node->kind = TEXT_YAML_MAP;
        err = load_map(l, node);
        remember(l, e->data.mapping_start.anchor, node);
        break;
    case YAML_ALIAS_EVENT: {
        const char *name = (const char *)e->data.alias.anchor;
        struct map_entry *found = map_get(l->anchors, slice_cstr(name));
        if (!found) {
            err = fail(l, e->start_mark, "YAML: alias *%s has no anchor &%s before it", name, name);
            break;
        }
        l->expanded += count_nodes(found->value.ptr);
        if (l->expanded > EXPANDED_MAX)
            err =
                fail(l, e->start_mark, "YAML: aliases expand to more than %d values", EXPANDED_MAX);
        *out = found->value.ptr;
        break;
    }
    default: err = fail(l, e->start_mark, "YAML: a value is expected"); break;
    }
out:
    l->depth--;
    yaml_event_delete(e);
    return err;
}

int text_yaml_parse(struct slice text, struct arena *arena, struct text_yaml **out,
                    struct diag *diag)
{
    struct loader l = {.arena = arena, .diag = diag};
    yaml_event_t e;
    int err = 0;
    bool done = false;
    *out = NULL;
    if (!yaml_parser_initialize(&l.parser))
        return diag_set(diag, ERR_NOMEM, "no memory to read YAML");
    l.anchors = map_new();
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.ptr ? text.ptr : ""),
                                 text.len);
    while (!done && !(err = next_event(&l, &e))) {
        switch (e.type) {
        case YAML_STREAM_END_EVENT: done = true; break;
        case YAML_STREAM_START_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_DOCUMENT_START_EVENT:
            if (*out)
                err = fail(&l, e.start_mark, "YAML: one document a file, a second one begins here");
            break;
        default: err = load_node(&l, &e, out); goto next;
        }
        yaml_event_delete(&e);
    next:
        if (err)
            break;
    }
    if (!err && text_yaml_is_null(*out))
        *out = NULL;
    map_free(l.anchors);
    yaml_parser_delete(&l.parser);
    return err;
}

const struct text_yaml *text_yaml_get(const struct text_yaml *node, const char *key)
{
    if (!node || node->kind != TEXT_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < node->count; i++) {
        if (slice_eq_cstr(node->keys[i]->value, key))
            return node->items[i];
    }
    return NULL;
}

bool text_yaml_is_null(const struct text_yaml *node)
{
    return !node || (node->kind == TEXT_YAML_SCALAR && !node->quoted &&
                     (!node->value.len || slice_eq_cstr(node->value, "~") ||
                      slice_eq_cstr(node->value, "null")));
}

int text_yaml_error(const struct text_yaml *node, struct diag *diag, int code, const char *fmt, ...)
{
    char msg[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    return diag_set_at(diag, code, node ? node->line : 0, node ? node->col : 0, "%s", msg);
}

static const char *kind_name(const struct text_yaml *node)
{
    if (text_yaml_is_null(node))
        return "nothing";
    return node->kind == TEXT_YAML_MAP ? "a map" : node->kind == TEXT_YAML_LIST ? "a list" : "text";
}

int text_yaml_string(const struct text_yaml *node, struct slice *out, struct diag *diag)
{
    if (!node || node->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(node, diag, ERR_INVALID, "text is expected, %s is given",
                               kind_name(node));
    *out = text_yaml_is_null(node) ? SLICE("") : node->value;
    return 0;
}

int text_yaml_bool(const struct text_yaml *node, bool *out, struct diag *diag)
{
    if (node && node->kind == TEXT_YAML_SCALAR) {
        if (slice_eq_nocase(node->value, SLICE("true")) ||
            slice_eq_nocase(node->value, SLICE("yes")) ||
            slice_eq_nocase(node->value, SLICE("on"))) {
            *out = true;
            return 0;
        }
        if (slice_eq_nocase(node->value, SLICE("false")) ||
            slice_eq_nocase(node->value, SLICE("no")) ||
            slice_eq_nocase(node->value, SLICE("off"))) {
            *out = false;
            return 0;
        }
        return text_yaml_error(node, diag, ERR_INVALID, "true or false is expected, not \"%.*s\"",
                               SLICE_FMT(node->value));
    }
    return text_yaml_error(node, diag, ERR_INVALID, "true or false is expected, %s is given",
                           kind_name(node));
}

int text_yaml_int(const struct text_yaml *node, int64_t min, int64_t max, int64_t *out,
                  struct diag *diag)
{
    if (!node || node->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(node, diag, ERR_INVALID, "a whole number is expected, %s is given",
                               kind_name(node));
    int64_t v = 0;
    bool negative = node->value.len && node->value.ptr[0] == '-',
         ok = node->value.len > (negative ? 1u : 0u);
    for (size_t i = negative; ok && i < node->value.len; i++) {
        char c = node->value.ptr[i];
        if (c == '_' && i)
            continue;
        ok = c >= '0' && c <= '9' && !__builtin_mul_overflow(v, 10, &v) &&
             !__builtin_add_overflow(v, c - '0', &v);
    }
    if (!ok)
        return text_yaml_error(node, diag, ERR_INVALID, "a whole number is expected, not \"%.*s\"",
                               SLICE_FMT(node->value));
    if (negative)
        v = -v;
    if (v < min || v > max)
        return text_yaml_error(node, diag, ERR_INVALID, "%lld is not between %lld and %lld",
                               (long long)v, (long long)min, (long long)max);
    *out = v;
    return 0;
}

int text_yaml_duration(const struct text_yaml *node, int64_t *out_ns, struct diag *diag)
{
    if (!node || node->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(node, diag, ERR_INVALID,
                               "a duration like 15s is expected, %s is given", kind_name(node));
    if (text_duration_parse(node->value, out_ns))
        return text_yaml_error(node, diag, ERR_INVALID,
                               "a duration like 15s or 1h30m is expected, not \"%.*s\"",
                               SLICE_FMT(node->value));
    return 0;
}

/* Levenshtein, over words of at most 63 bytes. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[64];
    if (a.len > 63 || b.len > 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            best = MIN(best, above + 1);
            best = MIN(best, row[j - 1] + 1);
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b.len];
}

const char *text_nearest(struct slice word, const char *const *known)
{
    const char *best = NULL;
    size_t best_distance = word.len / 3 + 2;
    for (; *known; known++) {
        size_t d = distance(word, slice_cstr(*known));
        if (d < best_distance) {
            best_distance = d;
            best = *known;
        }
    }
    return best;
}

int text_yaml_check_keys(const struct text_yaml *map, const char *what, const char *const *known,
                         struct diag *diag)
{
    if (text_yaml_is_null(map))
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "%s takes a map, %s is given", what,
                               kind_name(map));
    for (size_t i = 0; i < map->count; i++) {
        bool found = false;
        for (const char *const *k = known; *k && !found; k++)
            found = slice_eq_cstr(map->keys[i]->value, *k);
        if (found)
            continue;
        const char *near = text_nearest(map->keys[i]->value, known);
        return text_yaml_error(map->keys[i], diag, ERR_INVALID, "unknown key \"%.*s\" in %s%s%s%s",
                               SLICE_FMT(map->keys[i]->value), what,
                               near ? "; did you mean \"" : "", near ? near : "",
                               near ? "\"?" : "");
    }
    return 0;
}
