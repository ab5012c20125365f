/* A growable byte buffer that owns its memory. Growth never fails (see base/mem.h); where the size
 * comes from input, check a limit before appending. Not thread-safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/slice.h"
#include "base/types.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
};

void buf_init(struct buf *b);   /* same as zeroing */
void buf_deinit(struct buf *b); /* frees; the buffer is empty and usable again */
/* Room for `extra` bytes behind len; returns where they go. */
char *buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *ptr, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_cstr(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Removes the first `len` bytes, moving the rest down. */
void buf_consume(struct buf *b, size_t len);
/* Hands the memory to the caller (mem_free) and empties the buffer. */
char *buf_take(struct buf *b, size_t *out_len);
/* NUL behind the content, not counted in len. */
const char *buf_cstr(struct buf *b);

static inline void buf_append_char(struct buf *b, char c)
{
    if (b->len == b->cap)
        (void)buf_reserve(b, 1);
    b->ptr[b->len++] = c;
}

static inline void buf_clear(struct buf *b)
{
    b->len = 0;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->ptr, b->len};
}

#endif
