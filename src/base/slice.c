/* memmem is a GNU extension; every C library Pharos builds on has it. */
#include "base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

ptrdiff_t slice_find_char(struct slice s, char c)
{
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

ptrdiff_t slice_find(struct slice s, struct slice needle)
{
    if (needle.len == 0)
        return 0;
    if (needle.len == 1)
        return slice_find_char(s, needle.ptr[0]);
    if (s.len < needle.len)
        return -1;
    size_t at = 0, places = s.len - needle.len + 1;
#ifdef __SSE2__
    /* Sixteen places at a time, by the needle's first and last byte. */
    const __m128i first = _mm_set1_epi8(needle.ptr[0]),
                  last = _mm_set1_epi8(needle.ptr[needle.len - 1]);
    for (; at + 16 <= places; at += 16) {
        const char *p = s.ptr + at;
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + needle.len - 1));
        unsigned mask = (unsigned)_mm_movemask_epi8(
            _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));
        for (unsigned tried = 0; mask; mask &= mask - 1) {
            unsigned i = (unsigned)__builtin_ctz(mask);
            if (memcmp(p + i + 1, needle.ptr + 1, needle.len - 1) == 0)
                return (ptrdiff_t)(at + i);
            /* A text made of such bytes: the library's search does not go quadratic. */
            if (++tried == 8 && needle.len > 32)
                goto slow;
        }
    }
slow:
#endif
    if (at < places) {
        const char *p = memmem(s.ptr + at, s.len - at, needle.ptr, needle.len);
        return p ? p - s.ptr : -1;
    }
    return -1;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool slice_split(struct slice *rest, char sep, struct slice *out)
{
    if (!rest->ptr)
        return false;
    ptrdiff_t at = slice_find_char(*rest, sep);
    if (at < 0) {
        *out = *rest;
        *rest = (struct slice){NULL, 0};
        return true;
    }
    *out = slice_first(*rest, (size_t)at);
    *rest = slice_from(*rest, (size_t)at + 1);
    return true;
}
