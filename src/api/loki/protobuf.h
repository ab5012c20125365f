/* Answers as protobuf, for "Accept: application/vnd.google.protobuf": queryrange.QueryResponse of
 * Loki's pkg/querier/queryrange/queryrange.proto, in one piece, since lengths stand before what
 * they count. */
#ifndef API_LOKI_PROTOBUF_H
#define API_LOKI_PROTOBUF_H

#include "lang/logql/run.h"
#include "net/http_server.h"

#define LOKI__PROTOBUF_TYPE "application/vnd.google.protobuf"

/* Which of the two is wanted; false when it answered (400: Parquet). */
bool loki__form_read(struct net_request *req, bool *out_protobuf);

struct loki__pb_about {
    const struct logql_stats *stats;
    int64_t run_ns, wait_ns;
    struct slice warning; /* ptr NULL: none */
};

/* LokiLabelNamesResponse */
void loki__pb_texts(const struct slice *items, size_t count, struct buf *out);
/* LokiSeriesResponse; equal neighbours are told once. */
void loki__pb_series(const struct data_labels *items, size_t count, struct buf *out);
/* LokiResponse */
void loki__pb_streams(const struct logql_streams *lines, const struct logql_select *select,
                      const struct loki__pb_about *about, struct buf *out);
/* LokiPromResponse: begun with "vector", "matrix" or "scalar", then series by series. */
struct loki__pb_prom {
    struct buf *out;
    size_t marks[4];
};
void loki__pb_prom_begin(struct loki__pb_prom *p, const char *type, struct buf *out);
void loki__pb_prom_series(struct loki__pb_prom *p, struct data_labels labels);
void loki__pb_prom_point(struct loki__pb_prom *p, int64_t ts_ns, double value);
void loki__pb_prom_series_end(struct loki__pb_prom *p);
void loki__pb_prom_end(struct loki__pb_prom *p, const struct loki__pb_about *about);
/* IndexStatsResponse */
void loki__pb_index_stats(uint64_t streams, uint64_t rows, uint64_t bytes, struct buf *out);

#endif
