#include "input/carbon/aggregate.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#define INTERVALS_MAX 5 /* carbon's MAX_AGGREGATION_INTERVALS */

struct interval {
    int64_t ts_s;
    bool active; /* got a point since it was computed */
    double sum, min, max;
    size_t count;
    VEC(double) values; /* of percentiles */
};

struct buffer {
    int64_t frequency_s, due_s;
    enum carbon_method method;
    double percentile;
    VEC(struct interval) intervals;
};

struct carbon_aggregator {
    pthread_mutex_t lock;
    struct map *buffers; /* by name; an entry stays while it has intervals */
    size_t names_max, values_max, values;
};

struct carbon_aggregator *carbon_aggregator_new(size_t names_max, size_t values_max)
{
    struct carbon_aggregator *a = mem_calloc(1, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    a->buffers = map_new();
    a->names_max = names_max;
    a->values_max = values_max;
    return a;
}

static void interval_free(struct carbon_aggregator *a, struct interval *i)
{
    a->values -= i->values.len;
    vec_free(&i->values);
}

static void buffer_free(struct carbon_aggregator *a, struct buffer *b)
{
    for (size_t i = 0; i < b->intervals.len; i++)
        interval_free(a, &b->intervals.items[i]);
    vec_free(&b->intervals);
    mem_free(b);
}

void carbon_aggregator_free(struct carbon_aggregator *a)
{
    size_t pos = 0;
    if (!a)
        return;
    for (struct map_entry *e; (e = map_next(a->buffers, &pos));)
        buffer_free(a, e->value.ptr);
    map_free(a->buffers);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
}

static struct interval *interval_at(struct buffer *b, int64_t ts_s)
{
    for (size_t i = 0; i < b->intervals.len; i++) {
        if (b->intervals.items[i].ts_s == ts_s)
            return &b->intervals.items[i];
    }
    struct interval *n = vec_add(&b->intervals);
    n->ts_s = ts_s;
    n->min = INFINITY;
    n->max = -INFINITY;
    return n;
}

bool carbon_aggregator_add(struct carbon_aggregator *a, const struct carbon_aggregate *to,
                           int64_t now_s, int64_t ts_s, double value)
{
    bool added = false, taken = false;
    pthread_mutex_lock(&a->lock);
    struct map_entry *e = map_get(a->buffers, to->name);
    if (!e && map_count(a->buffers) < a->names_max)
        e = map_put(a->buffers, to->name, &added);
    if (added) {
        struct buffer *b = mem_calloc(1, sizeof(*b));
        b->frequency_s = to->frequency_s;
        b->method = to->method;
        b->percentile = to->percentile;
        b->due_s = now_s + b->frequency_s;
        e->value.ptr = b;
    }
    if (e && (to->method != CARBON_PERCENTILE || a->values < a->values_max)) {
        struct buffer *b = e->value.ptr;
        int64_t past = ts_s % b->frequency_s;
        struct interval *i = interval_at(b, ts_s - past - (past < 0 ? -b->frequency_s : 0));
        i->active = true;
        i->count++;
        i->sum += value;
        i->min = fmin(i->min, value);
        i->max = fmax(i->max, value);
        if (b->method == CARBON_PERCENTILE) {
            vec_push(&i->values, value);
            a->values++;
        }
        taken = true;
    }
    pthread_mutex_unlock(&a->lock);
    return taken;
}

static int by_value(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double computed(const struct buffer *b, struct interval *i)
{
    switch (b->method) {
    case CARBON_SUM: return i->sum;
    case CARBON_AVG: return i->sum / (double)i->count;
    case CARBON_MIN: return i->min;
    case CARBON_MAX: return i->max;
    case CARBON_COUNT: return (double)i->count;
    case CARBON_PERCENTILE: break;
    }
    /* Between the two values that the rank lies between. */
    qsort(i->values.items, i->values.len, sizeof(double), by_value);
    double rank = b->percentile * (double)(i->values.len - 1), low = floor(rank), high = ceil(rank);
    const double *v = i->values.items;
    return low == high ? v[(size_t)rank]
                       : v[(size_t)low] * (high - rank) + v[(size_t)high] * (rank - low);
}

void carbon_aggregator_flush(struct carbon_aggregator *a, int64_t now_s, bool all,
                             void (*each)(void *ctx, struct slice name, int64_t ts_s, double value),
                             void *ctx)
{
    size_t pos = 0;
    VEC(struct slice) idle = {0};
    pthread_mutex_lock(&a->lock);
    for (struct map_entry *e; (e = map_next(a->buffers, &pos));) {
        struct buffer *b = e->value.ptr;
        if (!all && b->due_s > now_s)
            continue;
        b->due_s = now_s + b->frequency_s;
        int64_t oldest = now_s - now_s % b->frequency_s - INTERVALS_MAX * b->frequency_s;
        size_t kept = 0;
        for (size_t i = 0; i < b->intervals.len; i++) {
            struct interval *n = &b->intervals.items[i];
            if (n->active)
                each(ctx, e->key, n->ts_s, computed(b, n));
            n->active = false;
            if (n->ts_s < oldest)
                interval_free(a, n);
            else
                b->intervals.items[kept++] = *n;
        }
        b->intervals.len = kept;
        if (!kept)
            vec_push(&idle, e->key);
    }
    for (size_t i = 0; i < idle.len; i++) {
        buffer_free(a, map_get(a->buffers, idle.items[i])->value.ptr);
        map_remove(a->buffers, idle.items[i]);
    }
    vec_free(&idle);
    pthread_mutex_unlock(&a->lock);
}
