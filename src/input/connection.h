/* What the listeners for lines and frames share: a connection that is not read on while
 * INPUT_CONNECTION_WAITING of its batches wait for the disk, so that a slow disk slows its sender
 * down and nothing piles up; and UDP beside TCP on one port.
 *
 * A listener puts struct input_connection first in its own state of a connection. Everything but
 * the sink's acknowledgement happens on the connection's loop. */
#ifndef INPUT_CONNECTION_H
#define INPUT_CONNECTION_H

#include "input/input.h"
#include "net/stream.h"
#include "net/udp.h"

#define INPUT_CONNECTION_WAITING 4

struct input_sent;

/* Outlives its stream while batches wait. */
struct input_connection {
    struct net_stream *stream; /* NULL when it is gone */
    bool is_broken;            /* the listener's: nothing is acknowledged any more */
    /* Private. */
    struct net_loop *loop;
    int refs, waiting;
    bool paused;
    struct input_sent *first, **last; /* batches under way */
    void (*deinit)(struct input_connection *c);
};

/* A batch's fate, in the order that they were handed over: err 0 = durable. `refused`: rows or
 * samples that the sink did not take. The stream may be gone. */
typedef void (*input_stored_fn)(struct input_connection *c, int err, size_t refused, void *ctx);

/* Makes zeroed state of `size` bytes for a stream (net_stream_state). `deinit` (may be NULL) frees
 * what hangs on it once stream and batches are done with it. */
void *input_connection_open(struct net_stream *stream, size_t size,
                            void (*deinit)(struct input_connection *c));
/* From the stream's on_close. */
void input_connection_close(struct net_stream *stream);
/* Hands a batch that holds something to the sink; `done` (may be NULL) is told on the loop. */
void input_connection_logs(struct input_connection *c, struct pipe_sink *sink,
                           const struct data_event_batch *batch, input_stored_fn done, void *ctx);
void input_connection_metrics(struct input_connection *c, struct pipe_sink *sink,
                              const struct data_metric_batch *batch, input_stored_fn done,
                              void *ctx);

/* Some batch's fate is not known yet. */
bool input_connection_is_waiting(const struct input_connection *c);

/* Starts UDP on the host of `listen` (host:port) and the port that TCP got. `udp` is completed. */
int input_udp_beside(struct net_loops *loops, const char *listen, uint16_t port,
                     struct net_udp_config *udp, struct net_udp **out, struct diag *diag);
/* Of "127.0.0.1:514" and "[::1]:514" the address. */
struct slice input_peer_address(const char *peer);

#endif
