/* Queries in Grafana's shape, for /api/ds/query and public dashboards. */
#ifndef API_GRAFANA_DS_QUERY_H
#define API_GRAFANA_DS_QUERY_H

#include "api/grafana/grafana_priv.h"

/* Answers `{"results": {refId: {"status", "frames"}}}`. `times` is an object with from and to. */
void grafana__answer_queries(struct grafana *g, const struct codec_json *queries,
                             const struct codec_json *times);

#endif
