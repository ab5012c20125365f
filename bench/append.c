#include "append.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNACKED_MAX 16
#define MEMORY_MAX  ((size_t)384 << 20)

static _Atomic size_t pending;

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    (void)ctx;
    if (err || r->first_refusal.code) {
        fprintf(stderr, "append failed: %d %s\n", err, r->first_refusal.msg);
        exit(1);
    }
    pending--;
}

void bench_append(struct store *st, struct store_event_source *src, struct data_event_batch *b)
{
    struct store_event_source_stats stats;
    while (pending > UNACKED_MAX)
        usleep(200);
    while (src->ops->stats(src, &stats), stats.memory_bytes > MEMORY_MAX)
        usleep(1000);
    pending++;
    store_append_events(st, b, on_ack, NULL);
    data_event_batch_free(b);
}

void bench_append_wait(void)
{
    while (pending)
        usleep(200);
}
