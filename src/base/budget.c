#include "base/budget.h"

#include "base/assert.h"

void budget_init(struct budget *b, struct budget *parent, int64_t limit, const char *setting)
{
    b->parent = parent;
    b->setting = setting;
    b->limit = limit;
    atomic_init(&b->used, 0);
    atomic_init(&b->peak, 0);
}

static void raise_peak(struct budget *b, int64_t used)
{
    int64_t peak = atomic_load_explicit(&b->peak, memory_order_relaxed);
    while (used > peak && !atomic_compare_exchange_weak_explicit(
                              &b->peak, &peak, used, memory_order_relaxed, memory_order_relaxed)) {
    }
}

bool budget_take(struct budget *b, int64_t amount)
{
    base_assert(amount >= 0);
    int64_t used = atomic_fetch_add_explicit(&b->used, amount, memory_order_relaxed) + amount;
    if ((b->limit && used > b->limit) || (b->parent && !budget_take(b->parent, amount))) {
        atomic_fetch_sub_explicit(&b->used, amount, memory_order_relaxed);
        return false;
    }
    raise_peak(b, used);
    return true;
}

void budget_give(struct budget *b, int64_t amount)
{
    for (; b; b = b->parent) {
        int64_t before = atomic_fetch_sub_explicit(&b->used, amount, memory_order_relaxed);
        base_assert(before >= amount);
    }
}

void budget_drain(struct budget *b)
{
    budget_give(b, atomic_load_explicit(&b->used, memory_order_relaxed));
}
