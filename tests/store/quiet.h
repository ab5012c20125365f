/* A writer of the log for tests that damage things on purpose: log_set_writer(drop_line, NULL). */
#ifndef TESTS_STORE_QUIET_H
#define TESTS_STORE_QUIET_H

#include <stddef.h>

static inline void drop_line(const char *line, size_t len, void *ctx)
{
    (void)line;
    (void)len;
    (void)ctx;
}

#endif
