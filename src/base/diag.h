/* What went wrong, for people: one message with its place. Functions that can fail in ways a user
 * must understand take a `struct diag *` as last parameter (NULL when the caller does not care).
 * The first error stays; later ones on the same diag are ignored. Owned by the caller, no heap. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/err.h"
#include "base/types.h"

struct diag {
    int code;           /* enum err; 0 = nothing reported */
    uint32_t line, col; /* 1-based; 0 = unknown */
    size_t begin, end;  /* byte range in the text, when has_range */
    bool has_range;
    char file[128]; /* file or source name, "" when none */
    char msg[896];
};

void diag_init(struct diag *d);
/* Records and returns `code`: `return diag_set(d, ERR_INVALID, "bad label name %.*s", ...);` */
int diag_set(struct diag *d, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Same with line and column. */
int diag_set_at(struct diag *d, int code, uint32_t line, uint32_t col, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Same with a byte range of the query or body. */
int diag_set_range(struct diag *d, int code, size_t begin, size_t end, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Puts "context: " before an existing message ("reading prometheus.yml: ..."). Returns d->code. */
int diag_wrap(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_set_file(struct diag *d, const char *file);
/* "file:line:col: message" with the parts that are known. Returns out. */
const char *diag_str(const struct diag *d, char *out, size_t out_size);

#endif
