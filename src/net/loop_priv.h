/* Inside of a loop thread, for the net room's own files. */
#ifndef NET_LOOP_PRIV_H
#define NET_LOOP_PRIV_H

#include <uv.h>

#include "net/loop.h"

struct net_loop {
    uv_loop_t uv;
    uv_thread_t thread;
    uv_async_t wake;
    uv_mutex_t lock; /* guards posted and stopped */
    struct net__post *posted, **posted_tail;
    bool stopping; /* loop thread */
    bool stopped;  /* nothing runs posts any more */
    size_t index;
    char *
        read_buffer; /* shared by all connections of the loop: a read is consumed before the next */
    char date[40];   /* of the Date header */
    int64_t date_second;
};

#define NET__READ_BYTES ((size_t)64 << 10)

/* Loop clock in ns (uv_now), good for timeouts. */
int64_t net__loop_now(struct net_loop *loop);
/* RFC 9110 date of the current second. */
const char *net__loop_date(struct net_loop *loop);

#endif
