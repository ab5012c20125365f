#include "text/glob.h"

#define ALTERNATIVES_DEPTH 8

/* The byte behind the class that begins at `at` ('['), or 0 when it is not closed. */
static size_t class_end(struct slice p, size_t at)
{
    size_t i = at + 1;
    if (i < p.len && (p.ptr[i] == '!' || p.ptr[i] == '^'))
        i++;
    if (i < p.len && p.ptr[i] == ']')
        i++;
    for (; i < p.len && p.ptr[i] != '/'; i++) {
        if (p.ptr[i] == ']')
            return i + 1;
        if (p.ptr[i] == '\\' && i + 1 < p.len)
            i++;
    }
    return 0;
}

/* The byte behind the } that closes the { at `at`, or 0. */
static size_t braces_end(struct slice p, size_t at)
{
    unsigned depth = 0;
    for (size_t i = at; i < p.len; i++) {
        if (p.ptr[i] == '\\') {
            i++;
        } else if (p.ptr[i] == '{') {
            depth++;
        } else if (p.ptr[i] == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool class_has(struct slice class, char c)
{
    size_t i = 1;
    bool not = class.ptr[1] == '!' || class.ptr[1] == '^', found = false;
    i += not ;
    for (bool first = true; i + 1 < class.len; first = false) {
        unsigned char lo = (unsigned char)class.ptr[i], hi;
        if (lo == ']' && !first)
            break;
        if (lo == '\\' && i + 2 < class.len)
            lo = (unsigned char)class.ptr[++i];
        hi = lo;
        if (i + 3 < class.len && class.ptr[i + 1] == '-') {
            i += 2;
            if (class.ptr[i] == '\\' && i + 2 < class.len)
                i++;
            hi = (unsigned char)class.ptr[i];
        }
        found |= (unsigned char)c >= lo && (unsigned char)c <= hi;
        i++;
    }
    return found != not ;
}

static bool is_deep(struct slice p, size_t at)
{
    return p.len - at >= 2 && p.ptr[at] == '*' && p.ptr[at + 1] == '*' &&
           (at == 0 || p.ptr[at - 1] == '/') && (at + 2 == p.len || p.ptr[at + 2] == '/');
}

/* `effort` bounds what patterns with many stars cost. `below`: the text is a directory, and matches
 * when something below it could. */
static bool match(struct slice p, size_t pi, struct slice s, size_t si, bool below, unsigned depth,
                  unsigned *effort);

static bool match_braces(struct slice p, size_t pi, struct slice s, size_t si, bool below,
                         unsigned depth, unsigned *effort)
{
    size_t end = braces_end(p, pi), from = pi + 1;
    unsigned level = 0;
    char joined[4096];
    if (!end || depth >= ALTERNATIVES_DEPTH)
        return false;
    for (size_t i = pi + 1; i < end; i++) {
        if (p.ptr[i] == '\\') {
            i++;
            continue;
        }
        if (p.ptr[i] == '{')
            level++;
        bool ends = (p.ptr[i] == ',' && !level) || i + 1 == end;
        if (p.ptr[i] == '}' && i + 1 != end)
            level--;
        if (!ends)
            continue;
        /* What stands before keeps its place, so that ** sees its slash. */
        size_t rest = p.len - end, len = pi + (i - from) + rest;
        if (len > sizeof(joined))
            return false;
        memcpy(joined, p.ptr, pi);
        memcpy(joined + pi, p.ptr + from, i - from);
        memcpy(joined + pi + (i - from), p.ptr + end, rest);
        if (match(slice_make(joined, len), pi, s, si, below, depth + 1, effort))
            return true;
        from = i + 1;
    }
    return false;
}

static bool match(struct slice p, size_t pi, struct slice s, size_t si, bool below, unsigned depth,
                  unsigned *effort)
{
    while (pi < p.len) {
        if (!(*effort)--) {
            *effort = 0;
            return false;
        }
        if (is_deep(p, pi)) {
            if (below)
                return true;
            if (pi + 2 == p.len)
                return si < s.len;
            for (size_t at = si; at <= s.len; at++) {
                if ((at == si || s.ptr[at - 1] == '/') &&
                    match(p, pi + 3, s, at, below, depth, effort))
                    return true;
            }
            return false;
        }
        if (below && si == s.len && p.ptr[pi] == '/')
            return true;
        if (p.ptr[pi] == '{')
            return match_braces(p, pi, s, si, below, depth, effort);
        if (p.ptr[pi] == '*') {
            while (pi < p.len && p.ptr[pi] == '*')
                pi++;
            for (size_t at = si;; at++) {
                if (match(p, pi, s, at, below, depth, effort))
                    return true;
                if (at >= s.len || s.ptr[at] == '/')
                    return false;
            }
        }
        if (si >= s.len)
            return false;
        if (p.ptr[pi] == '[') {
            size_t end = class_end(p, pi);
            if (!end || s.ptr[si] == '/' || !class_has(slice_make(p.ptr + pi, end - pi), s.ptr[si]))
                return false;
            pi = end;
            si++;
            continue;
        }
        if (p.ptr[pi] == '?') {
            if (s.ptr[si] == '/')
                return false;
        } else {
            if (p.ptr[pi] == '\\' && pi + 1 < p.len)
                pi++;
            if (p.ptr[pi] != s.ptr[si])
                return false;
        }
        pi++;
        si++;
    }
    return si == s.len && !below;
}

#define EFFORT 100000

bool text_glob_match(struct slice pattern, struct slice path)
{
    unsigned effort = EFFORT;
    return match(pattern, 0, path, 0, false, 0, &effort);
}

bool text_glob_may_match_below(struct slice pattern, struct slice dir)
{
    unsigned effort = EFFORT;
    struct slice base = text_glob_base(pattern);
    if (dir.len < base.len)
        return slice_starts_with(base, dir) &&
               (!dir.len || dir.ptr[dir.len - 1] == '/' || base.ptr[dir.len] == '/');
    if (slice_eq_cstr(dir, "/"))
        return true;
    return match(pattern, 0, dir, 0, true, 0, &effort);
}

int text_glob_check(struct slice p, struct diag *diag)
{
    unsigned depth = 0;
    if (!p.len)
        return diag_set(diag, ERR_INVALID, "an empty glob matches nothing");
    if (p.len > 2048)
        return diag_set(diag, ERR_INVALID, "a glob has at most 2048 bytes, this one %zu", p.len);
    for (size_t i = 0; i < p.len; i++) {
        switch (p.ptr[i]) {
        case '\\': i++; break;
        case '[': {
            size_t end = class_end(p, i);
            if (!end)
                return diag_set(diag, ERR_INVALID, "glob \"%.*s\": the [ at byte %zu has no ]",
                                SLICE_FMT(p), i + 1);
            i = end - 1;
            break;
        }
        case '{':
            if (!braces_end(p, i))
                return diag_set(diag, ERR_INVALID, "glob \"%.*s\": the { at byte %zu has no }",
                                SLICE_FMT(p), i + 1);
            if (++depth > ALTERNATIVES_DEPTH)
                return diag_set(diag, ERR_INVALID, "glob \"%.*s\": more than %d times {",
                                SLICE_FMT(p), ALTERNATIVES_DEPTH);
            break;
        case '*':
            if (i + 1 < p.len && p.ptr[i + 1] == '*') {
                if (!is_deep(p, i))
                    return diag_set(diag, ERR_INVALID,
                                    "glob \"%.*s\": ** stands for whole directories, between "
                                    "slashes: /var/log/**/x.log",
                                    SLICE_FMT(p));
                i++;
            }
            break;
        default: break;
        }
    }
    return 0;
}

struct slice text_glob_base(struct slice p)
{
    size_t end = 0;
    for (size_t i = 0; i < p.len && !strchr("*?[{\\", p.ptr[i]); i++) {
        if (p.ptr[i] == '/')
            end = i ? i : 1;
    }
    return slice_first(p, end);
}
