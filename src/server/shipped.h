/* The dashboards that come with the program (src/server/dashboards, embedded by
 * tools/embed_dashboards.py). Each is listed once its metric exists, or, where
 * Pharos counts it itself, once it is above zero. */
#ifndef SERVER_SHIPPED_H
#define SERVER_SHIPPED_H

#include <stddef.h>

struct server_shipped {
    const char *name, *metric, *json;
};

extern const struct server_shipped server_shipped[];
extern const size_t server_shipped_count;

#endif
