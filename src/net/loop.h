/* Event-loop threads. Each loop is one thread with one libuv loop; it owns its connections and
 * timers, and only that thread touches them. Other threads hand work over with net_loop_post. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/diag.h"
#include "base/types.h"

struct net_loop;  /* one thread */
struct net_loops; /* the set */
struct net_timer;

/* Starts `count` loop threads (0 = one a core). */
int net_loops_start(size_t count, struct net_loops **out, struct diag *diag);
/* Stops accepting, lets requests in flight end for at most `drain_ns`, joins the threads, frees. */
void net_loops_stop(struct net_loops *loops, int64_t drain_ns);
size_t net_loops_count(const struct net_loops *loops);
struct net_loop *net_loops_at(struct net_loops *loops, size_t i);
/* The loops in turn, for work that may live on any. Thread-safe. */
struct net_loop *net_loops_pick(struct net_loops *loops);

/* Runs fn(ctx) on the loop's thread soon; in order for one posting thread. Any thread may call,
 * the loop's own included. After the loop stopped fn is still called once, on the stopping thread,
 * so that ctx can be freed. */
void net_loop_post(struct net_loop *loop, void (*fn)(void *ctx), void *ctx);
/* True on the loop's own thread. */
bool net_loop_is_current(const struct net_loop *loop);

/* A timer of this loop: fn(ctx) after delay_ns, then every repeat_ns (0 = once). Loop thread only.
 */
struct net_timer *net_timer_start(struct net_loop *loop, int64_t delay_ns, int64_t repeat_ns,
                                  void (*fn)(void *ctx), void *ctx);
void net_timer_stop(struct net_timer *timer); /* frees it; NULL is fine; allowed inside fn */

#endif
