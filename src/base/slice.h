/* Pointer-and-length views of bytes. A slice owns nothing; it is valid as long as what it points
 * into. `ptr` may be NULL when `len` is 0. Not NUL-terminated unless said so. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <string.h>

#include "base/types.h"

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_INIT(l)                                                                              \
    {                                                                                              \
        "" l, sizeof(l) - 1                                                                        \
    }
/* For printf("%.*s", SLICE_FMT(s)). Lengths above INT_MAX are cut. */
#define SLICE_FMT(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), ((s).ptr ? (s).ptr : "")

static inline struct slice slice_make(const void *ptr, size_t len)
{
    return (struct slice){(const char *)ptr, len};
}

static inline struct slice slice_cstr(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_eq_cstr(struct slice a, const char *s)
{
    return slice_eq(a, slice_cstr(s));
}

/* Byte order, shorter first on a common prefix. <0, 0, >0. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool slice_ends_with(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* The bytes from `from` (clamped) to the end. */
static inline struct slice slice_from(struct slice s, size_t from)
{
    if (from > s.len)
        from = s.len;
    return (struct slice){s.ptr ? s.ptr + from : s.ptr, s.len - from};
}

/* At most the first `len` bytes. */
static inline struct slice slice_first(struct slice s, size_t len)
{
    return (struct slice){s.ptr, len < s.len ? len : s.len};
}

/* ASCII case-insensitive equality (header names, enum words). */
bool slice_eq_nocase(struct slice a, struct slice b);
/* Offset of the first `c`, or -1. */
ptrdiff_t slice_find_char(struct slice s, char c);
/* Offset of the first `needle`, or -1; 0 for an empty needle. */
ptrdiff_t slice_find(struct slice s, struct slice needle);
/* Without ASCII white space (space, \t, \r, \n) at both ends. */
struct slice slice_trim(struct slice s);
/* Cuts the part before the first `sep` off `*rest` into `*out`; without a `sep` the whole rest.
 * False when *rest.ptr is NULL (all parts were taken). "a,b" -> "a", "b"; "" -> "" once. */
bool slice_split(struct slice *rest, char sep, struct slice *out);

#endif
