#include "base/buf.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_deinit(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){0};
}

char *buf_reserve(struct buf *b, size_t extra)
{
    size_t need;
    bool overflow = __builtin_add_overflow(b->len, extra, &need);
    base_assert(!overflow);
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap = cap > SIZE_MAX / 2 ? need : cap * 2;
        b->ptr = mem_realloc(b->ptr, cap);
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_append(struct buf *b, const void *ptr, size_t len)
{
    if (!len)
        return;
    memcpy(buf_reserve(b, len), ptr, len);
    b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_cstr(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *at = buf_reserve(b, 128);
    int n = vsnprintf(at, b->cap - b->len, fmt, ap);
    base_assert(n >= 0);
    if ((size_t)n >= b->cap - b->len) {
        at = buf_reserve(b, (size_t)n + 1);
        vsnprintf(at, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_consume(struct buf *b, size_t len)
{
    base_assert(len <= b->len);
    if (len && len < b->len)
        memmove(b->ptr, b->ptr + len, b->len - len);
    b->len -= len;
}

char *buf_take(struct buf *b, size_t *out_len)
{
    char *p = b->ptr;
    if (out_len)
        *out_len = b->len;
    *b = (struct buf){0};
    return p;
}

const char *buf_cstr(struct buf *b)
{
    *buf_reserve(b, 1) = '\0';
    return b->ptr;
}
