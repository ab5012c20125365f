#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void diag_init(struct diag *d)
{
    memset(d, 0, offsetof(struct diag, msg) + 1);
}

static void record(struct diag *d, int code, const char *fmt, va_list ap)
{
    d->code = code;
    vsnprintf(d->msg, sizeof(d->msg), fmt, ap);
}

int diag_set(struct diag *d, int code, const char *fmt, ...)
{
    if (d && !d->code) {
        va_list ap;
        va_start(ap, fmt);
        record(d, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

int diag_set_at(struct diag *d, int code, uint32_t line, uint32_t col, const char *fmt, ...)
{
    if (d && !d->code) {
        va_list ap;
        va_start(ap, fmt);
        record(d, code, fmt, ap);
        va_end(ap);
        d->line = line;
        d->col = col;
    }
    return code;
}

int diag_set_range(struct diag *d, int code, size_t begin, size_t end, const char *fmt, ...)
{
    if (d && !d->code) {
        va_list ap;
        va_start(ap, fmt);
        record(d, code, fmt, ap);
        va_end(ap);
        d->begin = begin;
        d->end = end;
        d->has_range = true;
    }
    return code;
}

int diag_wrap(struct diag *d, const char *fmt, ...)
{
    if (!d)
        return ERR_INVALID;
    char inner[sizeof(d->msg)];
    memcpy(inner, d->msg, sizeof(inner));
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d->msg, sizeof(d->msg), fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof(d->msg))
        snprintf(d->msg + n, sizeof(d->msg) - (size_t)n, ": %s", inner);
    return d->code;
}

void diag_set_file(struct diag *d, const char *file)
{
    if (d)
        snprintf(d->file, sizeof(d->file), "%s", file);
}

const char *diag_str(const struct diag *d, char *out, size_t out_size)
{
    int n = 0;
    out[0] = '\0';
    if (d->file[0])
        n = snprintf(out, out_size, "%s:", d->file);
    if (d->line && n >= 0 && (size_t)n < out_size)
        n += snprintf(out + n, out_size - (size_t)n, d->col ? "%u:%u:" : "%u:", d->line, d->col);
    if (n >= 0 && (size_t)n < out_size)
        snprintf(out + n, out_size - (size_t)n, "%s%s", n ? " " : "", d->msg);
    return out;
}
