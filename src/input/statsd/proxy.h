/* The proxy: lines go on to one of several daemons, chosen by their name, as the Node daemon's
 * proxy does (hashring.h). Lines for one daemon share a datagram. A daemon whose admin port does
 * not say "up" in time leaves the ring until it does. */
#ifndef INPUT_STATSD_PROXY_H
#define INPUT_STATSD_PROXY_H

#include "codec/json_write.h"
#include "input/input.h"

struct statsd_proxy;

/* "host:port:adminport, ...", or "host:port" without health checks. `shards`: threads that send.
 * Names are looked up now. */
int statsd__proxy_new(const struct input_env *env, const char *nodes, int64_t check_interval_ns,
                      size_t shards, struct statsd_proxy **out, struct diag *diag);
/* Begins to ask after the daemons' health. */
void statsd__proxy_start(struct statsd_proxy *p);
void statsd__proxy_free(struct statsd_proxy *p); /* not from a loop thread; NULL is fine */
/* One packet; returns how many lines were in it, and how many found no daemon. One thread a shard.
 */
size_t statsd__proxy_lines(struct statsd_proxy *p, size_t shard, struct slice packet,
                           size_t *out_homeless);
/* Sends what is gathered. */
void statsd__proxy_flush(struct statsd_proxy *p, size_t shard);
/* "a:1 b:2 ": those in the ring, for the admin port's `status`. */
void statsd__proxy_names(struct statsd_proxy *p, struct buf *out);
/* An array of the daemons. */
void statsd__proxy_look(struct statsd_proxy *p, struct codec_json_writer *w);

#endif
