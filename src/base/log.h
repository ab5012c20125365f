/* Structured logging (logfmt lines on stderr). Libraries return errors; programs log: below
 * `server`, log only what no caller can be told (background work). Thread-safe.
 *
 *     LOG_WARN("store", "part quarantined", LOG_STR("file", path), LOG_INT("bytes", n));
 *  -> ts=2026-11-24T10:00:00.123Z level=warn room=store msg="part quarantined" file=... bytes=...
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"
#include "base/types.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_COUNT
};

enum log_kind { LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_FLOAT };

struct log_field {
    const char *key;
    enum log_kind kind;
    struct slice str;
    int64_t i;
    double f;
};

#define LOG_STR(k, s)   ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .str = slice_cstr(s)})
#define LOG_SLICE(k, s) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .str = (s)})
#define LOG_INT(k, v)   ((struct log_field){.key = (k), .kind = LOG_KIND_INT, .i = (int64_t)(v)})
#define LOG_FLOAT(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_FLOAT, .f = (v)})

void log_write(enum log_level level, const char *room, const char *msg,
               const struct log_field *fields, size_t count);

#define LOG_AT(level, room, msg, ...)                                                              \
    log_write((level), (room), (msg), (const struct log_field[]){{.key = NULL}, ##__VA_ARGS__},    \
              sizeof((const struct log_field[]){{.key = NULL}, ##__VA_ARGS__}) /                   \
                  sizeof(struct log_field))
#define LOG_DEBUG(room, msg, ...) LOG_AT(LOG_LEVEL_DEBUG, room, msg, ##__VA_ARGS__)
#define LOG_INFO(room, msg, ...)  LOG_AT(LOG_LEVEL_INFO, room, msg, ##__VA_ARGS__)
#define LOG_WARN(room, msg, ...)  LOG_AT(LOG_LEVEL_WARN, room, msg, ##__VA_ARGS__)
#define LOG_ERROR(room, msg, ...) LOG_AT(LOG_LEVEL_ERROR, room, msg, ##__VA_ARGS__)

/* Lines below this level are dropped; default info. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; false for anything else. */
bool log_level_parse(struct slice name, enum log_level *out);
/* For tests: lines go to `fn` instead of stderr; NULL restores. */
void log_set_writer(void (*fn)(const char *line, size_t len, void *ctx), void *ctx);

#endif
