/* Counters and gauges about Pharos itself. Declared in static tables by the room that counts,
 * registered once at start, incremented from any thread, and shown by /metrics and stored as
 * self-telemetry.
 *
 *     static struct counter refused = {.name = "pharos_ingest_refused_total",
 *                                      .help = "...", .labels = "reason=\"too_old\""};
 *
 * A counter's memory must outlive its registration. */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>

#include "base/types.h"

enum counter_kind { COUNTER_TOTAL, COUNTER_GAUGE };

struct counter {
    const char *name; /* full metric name, pharos_<room>_<what>_<unit>[_total] */
    const char *help;
    const char *labels; /* NULL, or ready label pairs: door="prometheus",reason="too_old" */
    enum counter_kind kind;
    double scale; /* value shown = count * scale; 0 means 1 (e.g. 1e-9 for ns -> s) */
    _Atomic int64_t value;
    struct counter *next; /* registry link, owned by counter.c */
    _Atomic bool registered;
};

static inline void counter_add(struct counter *c, int64_t n)
{
    atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

static inline void counter_set(struct counter *c, int64_t v)
{
    atomic_store_explicit(&c->value, v, memory_order_relaxed);
}

static inline int64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&((struct counter *)(uintptr_t)c)->value, memory_order_relaxed);
}

/* Adds `count` counters to the registry; registering one twice is harmless. */
void counter_register(struct counter *counters, size_t count);
/* Takes them out again, for counters whose owner goes away. */
void counter_unregister(struct counter *counters, size_t count);
/* Calls fn for each registered counter, grouped by name, in registration order of the names. */
void counter_each(void (*fn)(const struct counter *c, void *ctx), void *ctx);

#endif
