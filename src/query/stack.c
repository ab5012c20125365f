#include "query/stack.h"

#include "base/mem.h"
#include "query/aggregate_histogram.h"

struct sum {
    struct query_histogram_total total;
    uint32_t misfit;
    size_t charged;
};

struct query__stack {
    struct budget *memory;
    size_t steps;
    struct sum **at; /* NULL where there is no histogram */
};

struct query__stack *query__stack_new(struct arena *arena, size_t steps, struct budget *memory)
{
    struct query__stack *s = ARENA_NEW(arena, struct query__stack);
    if (s)
        *s = (struct query__stack){
            .memory = memory, .steps = steps, .at = ARENA_ARRAY(arena, struct sum *, steps)};
    return s && s->at ? s : NULL;
}

void query__stack_free(struct query__stack *s)
{
    for (size_t i = 0; s && i < s->steps; i++) {
        if (!s->at[i])
            continue;
        if (s->memory)
            budget_give(s->memory, (int64_t)s->at[i]->charged);
        query__total_free(&s->at[i]->total);
        mem_free(s->at[i]);
    }
}

static bool charge(struct query__stack *s, struct sum *sum)
{
    size_t bytes = sizeof(*sum) + query__total_bytes(&sum->total);
    if (bytes <= sum->charged)
        return true;
    if (s->memory && !budget_take(s->memory, (int64_t)(bytes - sum->charged)))
        return false;
    sum->charged = bytes;
    return true;
}

bool query__stack_add(struct query__stack *s, size_t step, const struct data_histogram *h,
                      uint32_t row)
{
    struct sum *sum = s->at[step];
    if (!sum)
        sum = s->at[step] = mem_calloc(1, sizeof(*sum));
    bool fitted = !sum->total.incompatible;
    query__total_add(&sum->total, h);
    if (fitted && sum->total.incompatible)
        sum->misfit = row;
    return charge(s, sum);
}

bool query__stack_misfit(const struct query__stack *s, size_t step, uint32_t *out_row)
{
    const struct sum *sum = s->at[step];
    if (!sum || !sum->total.incompatible)
        return false;
    *out_row = sum->misfit;
    return true;
}

int query__stack_put(struct query__stack *s, struct query_exec *x, const struct query_node *n,
                     size_t step, bool floats, struct slice metric, struct query_row *row)
{
    if (floats) {
        query__tell_mixed_group(x, n);
        return 0;
    }
    if (s->at[step]->total.incompatible)
        query__tell_misfit(x, n, metric);
    return query__total_put(&s->at[step]->total, x, n, step, row);
}
