/* Dashboards as files: what the server room needs to provision them. */
#ifndef API_DASHBOARD_FILE_H
#define API_DASHBOARD_FILE_H

#include "base/buf.h"
#include "store/catalog.h"

/* A file in any of Grafana's forms (classic, shared with __inputs, a resource of v0 to v2): fills
 * uid, title, api_version, body and tags of *out, which point into `arena`. Inputs are filled by
 * type. ERR_INVALID with line and column. */
int api_dashboard_parse(struct slice text, struct arena *arena, struct store_dashboard_save *out,
                        struct diag *diag);
/* Appends a stored dashboard as an indented file, without the numbers that only a catalogue has
 * (id, version), in the order of its keys. */
void api_dashboard_print(const struct store_dashboard *d, struct arena *arena, struct buf *out);
/* Whether two bodies say the same, but for id, uid and version and white space. */
bool api_dashboard_same(struct slice a, struct slice b, struct arena *arena);

#endif
