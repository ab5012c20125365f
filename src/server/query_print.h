/* Answers of the doors as tables, for `pharos query`. */
#ifndef SERVER_QUERY_PRINT_H
#define SERVER_QUERY_PRINT_H

#include "codec/json_dom.h"

/* The whole answer of a door's query: Prometheus' or Loki's, Tempo's search or metrics, Graphite's
 * render. */
void server_print_prometheus(const struct codec_json *root);
void server_print_tempo(const struct codec_json *root);
void server_print_graphite(const struct codec_json *root);

#endif
