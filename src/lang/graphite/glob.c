/* Globs over dotted paths: `*`, `?`, [a-c], [!a] and {a,b} within a node, `**` over any number of
 * nodes (which Graphite has not). Braces may hold dots: they are expanded before. */
#include <string.h>

#include "lang/graphite/glob.h"

bool graphite_glob_is_plain(struct slice glob)
{
    for (size_t i = 0; i < glob.len; i++) {
        if (strchr("*?[{", glob.ptr[i]))
            return false;
    }
    return true;
}

/* [abc], [a-c], [!a]; p is behind the bracket. *end: behind the closing one, 0 when there is none,
 * and the bracket is an ordinary character. */
static bool in_class(struct slice g, size_t p, char c, size_t *end)
{
    bool negate = p < g.len && (g.ptr[p] == '!' || g.ptr[p] == '^'), hit = false;
    size_t i = p + negate, begin = i;
    *end = 0;
    for (; i < g.len && (g.ptr[i] != ']' || i == begin); i++) {
        if (i + 2 < g.len && g.ptr[i + 1] == '-' && g.ptr[i + 2] != ']') {
            hit |= c >= g.ptr[i] && c <= g.ptr[i + 2];
            i += 2;
        } else {
            hit |= c == g.ptr[i];
        }
    }
    if (i < g.len)
        *end = i + 1;
    return hit != negate;
}

/* Behind the brace that closes the one before p; 0 when there is none. */
static size_t brace_end(struct slice g, size_t p)
{
    for (size_t depth = 1; p < g.len; p++) {
        if (g.ptr[p] == '{')
            depth++;
        else if (g.ptr[p] == '}' && !--depth)
            return p + 1;
    }
    return 0;
}

/* Effort is bounded: a glob with many stars over a long node gives up, and does not match. */
static bool match(struct slice g, size_t i, struct slice s, size_t k, int *effort)
{
    for (; i < g.len; i++) {
        size_t end;
        if (--*effort <= 0)
            return false;
        switch (g.ptr[i]) {
        case '*':
            while (i + 1 < g.len && g.ptr[i + 1] == '*')
                i++;
            if (i + 1 == g.len)
                return true;
            for (; k <= s.len; k++) {
                if (match(g, i + 1, s, k, effort))
                    return true;
            }
            return false;
        case '?':
            if (k++ >= s.len)
                return false;
            continue;
        case '[':
            if (k < s.len && in_class(g, i + 1, s.ptr[k], &end)) {
                if (end) {
                    i = end - 1;
                    k++;
                    continue;
                }
            } else if (k >= s.len || (in_class(g, i + 1, s.ptr[k], &end), end)) {
                return false;
            }
            break;
        case '{':
            end = brace_end(g, i + 1);
            if (end) {
                struct slice inner = slice_make(g.ptr + i + 1, end - i - 2), part;
                for (size_t from = 0, at = 0, depth = 0; at <= inner.len; at++) {
                    char c = at < inner.len ? inner.ptr[at] : ',';
                    depth += c == '{';
                    depth -= c == '}' && depth;
                    if (c != ',' || (depth && at < inner.len))
                        continue;
                    part = slice_make(inner.ptr + from, at - from);
                    from = at + 1;
                    if (graphite_glob_is_plain(part)) {
                        if (slice_starts_with(slice_from(s, k), part) &&
                            match(g, end, s, k + part.len, effort))
                            return true;
                        continue;
                    }
                    for (size_t to = k; to <= s.len; to++) {
                        if (match(part, 0, slice_make(s.ptr + k, to - k), 0, effort) &&
                            match(g, end, s, to, effort))
                            return true;
                    }
                }
                return false;
            }
            break;
        default: break;
        }
        if (k >= s.len || s.ptr[k] != g.ptr[i])
            return false;
        k++;
    }
    return k == s.len;
}

bool graphite__node_match(struct slice glob, struct slice node)
{
    int effort = 100000;
    return match(glob, 0, node, 0, &effort);
}

size_t graphite__glob_node(struct slice glob)
{
    size_t depth = 0;
    for (size_t i = 0; i < glob.len; i++) {
        char c = glob.ptr[i];
        depth += c == '{';
        depth -= c == '}' && depth;
        if (c == '.' && !depth)
            return i;
    }
    return glob.len;
}

/* The first brace that holds a dot. */
static bool dotted_brace(struct slice g, size_t *begin, size_t *end)
{
    for (size_t i = 0; i < g.len; i++) {
        if (g.ptr[i] != '{')
            continue;
        *begin = i;
        *end = brace_end(g, i + 1);
        if (*end && memchr(g.ptr + i, '.', *end - i))
            return true;
    }
    return false;
}

static void expand(struct slice g, struct arena *arena, graphite__globs *out)
{
    size_t begin, end, from, depth = 0;
    if (out->len >= 1000 || !dotted_brace(g, &begin, &end)) {
        vec_push(out, g);
        return;
    }
    from = begin + 1;
    for (size_t at = from; at < end; at++) {
        char c = at == end - 1 ? ',' : g.ptr[at];
        depth += c == '{';
        depth -= c == '}' && depth;
        if (c != ',' || (depth && at != end - 1))
            continue;
        struct slice one = arena_printf(arena, "%.*s%.*s%.*s", (int)begin, g.ptr, (int)(at - from),
                                        g.ptr + from, SLICE_FMT(slice_from(g, end)));
        from = at + 1;
        expand(one, arena, out);
    }
}

void graphite__glob_expand(struct slice glob, struct arena *arena, graphite__globs *out)
{
    expand(glob, arena, out);
}

static bool match_path(struct slice g, struct slice path)
{
    for (;;) {
        size_t n = graphite__glob_node(g);
        struct slice node = slice_first(g, n);
        if (slice_eq(node, SLICE("**"))) {
            if (n == g.len)
                return true;
            for (struct slice rest = path;;) {
                ptrdiff_t dot = slice_find_char(rest, '.');
                if (match_path(slice_from(g, n + 1), rest))
                    return true;
                if (dot < 0)
                    return false;
                rest = slice_from(rest, (size_t)dot + 1);
            }
        }
        ptrdiff_t dot = slice_find_char(path, '.');
        struct slice part = dot < 0 ? path : slice_first(path, (size_t)dot);
        if (!graphite__node_match(node, part) || (n == g.len) != (dot < 0))
            return false;
        if (n == g.len)
            return true;
        g = slice_from(g, n + 1);
        path = slice_from(path, (size_t)dot + 1);
    }
}

bool graphite_glob_match(struct slice glob, struct slice path)
{
    graphite__globs globs = {0};
    struct arena *arena = arena_new(0, NULL);
    bool hit = false;
    graphite__glob_expand(glob, arena, &globs);
    for (size_t i = 0; i < globs.len && !hit; i++)
        hit = match_path(globs.items[i], path);
    vec_free(&globs);
    arena_free(arena);
    return hit;
}
