/* Remote write's share of the api object. */
#ifndef API_PROMETHEUS_WRITE_H
#define API_PROMETHEUS_WRITE_H

struct api;

/* Registers the counters. */
void api__write_init(struct api *api);
void api__write_free(struct api *api);

#endif
