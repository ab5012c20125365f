/* filter_path of Elasticsearch's answers. */
#include "api/elastic/door_priv.h"

/* One segment; * is any text. */
static bool segment_matches(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && pattern.ptr[p] == text.ptr[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

/* The pattern is the path's begin, or all of it. */
static bool matches(struct slice pattern, struct slice path)
{
    struct slice want, have;
    while (slice_split(&pattern, '.', &want)) {
        if (slice_eq_cstr(want, "**"))
            break; /* what follows may be at any depth */
        if (!slice_split(&path, '.', &have) || !segment_matches(want, have))
            return false;
    }
    if (!slice_eq_cstr(want, "**") || !pattern.ptr)
        return true;
    do {
        if (matches(pattern, path))
            return true;
    } while (slice_split(&path, '.', &have) && path.ptr);
    return false;
}

bool elastic__filter_shows(struct slice filter, struct slice path)
{
    struct slice rest = filter, one;
    bool any = false, shown = false;
    if (!filter.len)
        return true;
    while (slice_split(&rest, ',', &one)) {
        one = slice_trim(one);
        if (one.len && one.ptr[0] == '-') {
            if (matches(slice_from(one, 1), path))
                return false;
        } else if (one.len) {
            any = true;
            shown = shown || matches(one, path);
        }
    }
    return shown || !any;
}
