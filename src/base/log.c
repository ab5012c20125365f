#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

static _Atomic int min_level = LOG_LEVEL_INFO;
static pthread_mutex_t writer_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*writer)(const char *line, size_t len, void *ctx);
static void *writer_ctx;

void log_set_level(enum log_level level)
{
    atomic_store(&min_level, (int)level);
}

bool log_level_parse(struct slice name, enum log_level *out)
{
    for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
        if (slice_eq_cstr(name, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_set_writer(void (*fn)(const char *line, size_t len, void *ctx), void *ctx)
{
    pthread_mutex_lock(&writer_lock);
    writer = fn;
    writer_ctx = ctx;
    pthread_mutex_unlock(&writer_lock);
}

/* A logfmt value: bare when it has no space, quote, '=' or control byte, quoted otherwise. */
static void append_value(struct buf *b, struct slice v)
{
    bool bare = v.len > 0;
    for (size_t i = 0; bare && i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        bare = c > ' ' && c != '"' && c != '=' && c != 0x7f;
    }
    if (bare) {
        buf_append_slice(b, v);
        return;
    }
    buf_append_char(b, '"');
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c == '"' || c == '\\') {
            buf_append_char(b, '\\');
            buf_append_char(b, (char)c);
        } else if (c == '\n') {
            buf_append_cstr(b, "\\n");
        } else if (c < ' ' || c == 0x7f) {
            buf_printf(b, "\\x%02x", c);
        } else {
            buf_append_char(b, (char)c);
        }
    }
    buf_append_char(b, '"');
}

void log_write(enum log_level level, const char *room, const char *msg,
               const struct log_field *fields, size_t count)
{
    if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
        return;
    struct buf b = {0};
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    buf_printf(&b,
               "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s room=%s msg=", tm.tm_year + 1900,
               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
               (int)(now.tv_nsec / NS_PER_MS), level_names[level], room);
    append_value(&b, slice_cstr(msg));
    for (size_t i = 0; i < count; i++) {
        const struct log_field *f = &fields[i];
        if (!f->key)
            continue;
        buf_printf(&b, " %s=", f->key);
        switch (f->kind) {
        case LOG_KIND_STR: append_value(&b, f->str); break;
        case LOG_KIND_INT: buf_printf(&b, "%lld", (long long)f->i); break;
        case LOG_KIND_FLOAT: buf_printf(&b, "%g", f->f); break;
        }
    }
    buf_append_char(&b, '\n');
    pthread_mutex_lock(&writer_lock);
    if (writer) {
        writer(b.ptr, b.len, writer_ctx);
    } else {
        /* One write a line, so that lines of several processes do not mix; nothing to do if it
         * fails. */
        ssize_t ignored = write(STDERR_FILENO, b.ptr, b.len);
        (void)ignored;
    }
    pthread_mutex_unlock(&writer_lock);
    buf_deinit(&b);
}
