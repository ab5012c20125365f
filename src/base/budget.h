/* A shared cap on bytes (or rows): queries, bodies, caches. Thread-safe, lock-free. Budgets form a
 * chain: what is charged to a child is charged to its parent too. */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdatomic.h>

#include "base/types.h"

struct budget {
    struct budget *parent; /* may be NULL; outlives the child */
    const char *setting;   /* the setting that moves the limit, for messages */
    int64_t limit;         /* 0 = unlimited */
    _Atomic int64_t used;
    _Atomic int64_t peak;
};

void budget_init(struct budget *b, struct budget *parent, int64_t limit, const char *setting);
/* True and charged, or false and nothing changed. */
bool budget_take(struct budget *b, int64_t amount) BASE_MUST_USE;
void budget_give(struct budget *b, int64_t amount);
/* Gives back whatever is still charged (to the parents too). */
void budget_drain(struct budget *b);

#endif
