/* Work on many series in morsels, on all threads the request may have: what each becomes, one
 * figure of each, and what all have at a slot, by the kernels of query/slots.h. */
#include <time.h>

#include "lang/graphite/graphite_priv.h"

#define MORSEL_POINTS ((size_t)1 << 14) /* values a thread takes on at a time, about */

struct graphite__worker {
    struct graphite__worker *next;
    struct query_slots_scratch scratch;
};

/* Places [i * size, (i + 1) * size) of `count`. */
struct share {
    struct graphite_run *x;
    size_t count, size;
    graphite__work fn;
    void *ctx;
    pthread_mutex_t lock; /* guards idle */
    struct graphite__worker *idle;
};

static bool is_over(const struct graphite_request *req)
{
    struct timespec ts;
    if (req->cancelled && *req->cancelled)
        return true;
    if (!req->deadline_ns)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec > req->deadline_ns;
}

static void run_morsel(void *ctx, size_t morsel)
{
    struct share *s = ctx;
    if (is_over(s->x->req)) /* which is told when all threads are done */
        return;
    pthread_mutex_lock(&s->lock);
    struct graphite__worker *w = s->idle;
    if (w)
        s->idle = w->next;
    pthread_mutex_unlock(&s->lock);
    if (!w)
        w = mem_calloc(1, sizeof(*w));
    s->fn(s->ctx, morsel * s->size, MIN((morsel + 1) * s->size, s->count), &w->scratch);
    pthread_mutex_lock(&s->lock);
    w->next = s->idle;
    s->idle = w;
    pthread_mutex_unlock(&s->lock);
}

int graphite__share(struct graphite_run *x, size_t count, size_t size, graphite__work fn, void *ctx)
{
    struct task_pool *pool = x->req->pool;
    struct share s = {.x = x, .count = count, .size = size, .fn = fn, .ctx = ctx};
    size_t morsels = (count + s.size - 1) / s.size;
    if (graphite__check_time(x) || !count)
        return x->err;
    pthread_mutex_init(&s.lock, NULL);
    if (pool && pool->width > 1 && morsels > 1) {
        pool->parallel(pool, TASK_INTERACTIVE, morsels, pool->width, run_morsel, &s);
    } else {
        for (size_t i = 0; i < morsels && !graphite__check_time(x); i++)
            run_morsel(&s, i);
    }
    for (struct graphite__worker *w = s.idle, *next; w; w = next) {
        next = w->next;
        query_slots_scratch_free(&w->scratch);
        mem_free(w);
    }
    pthread_mutex_destroy(&s.lock);
    return graphite__check_time(x);
}

/* How many series are a morsel. */
static size_t series_of(const struct graphite_list *l)
{
    size_t points = l->len ? l->items[0]->count : 0;
    return MAX(MORSEL_POINTS / MAX(points, (size_t)1), (size_t)1);
}

size_t graphite__slots_each(const struct graphite_run *x, size_t count)
{
    size_t width = x->req->pool ? MAX(x->req->pool->width, (size_t)1) : 1;
    size_t least = 64, each = (count + width - 1) / width;
    return MAX((each + 7) / 8 * 8, least);
}

/* --- what each becomes --- */

struct each {
    const struct graphite_list *list;
    const struct query_each *each;
    size_t count;
};

static void change(void *ctx, size_t from, size_t to, struct query_slots_scratch *scratch)
{
    const struct each *e = ctx;
    for (size_t i = from; i < to; i++) {
        struct graphite_series *s = e->list->items[i];
        for (size_t k = 0; k < e->count; k++) {
            struct query_each own = e->each[k];
            if (isnan(own.least_share))
                own.least_share = s->xff;
            query_each_row(&own, s->step, s->values, s->count, scratch);
        }
    }
}

int graphite__each(struct graphite_run *x, const struct graphite_list *l,
                   const struct query_each *each, size_t count)
{
    struct each e = {l, each, count};
    for (size_t k = 0; k < count && x->trace; k++) {
        vec_push(&x->trace->each, each[k]);
        if (isnan(each[k].least_share))
            x->trace->each.items[x->trace->each.len - 1].least_share = isnan(x->xff) ? 0 : x->xff;
    }
    if (x->trace)
        return 0;
    return graphite__share(x, l->len, series_of(l), change, &e);
}

/* --- a figure of each --- */

struct figures {
    const struct graphite_list *list;
    enum graphite_agg agg;
    double *out;
};

static void reduce(void *ctx, size_t from, size_t to, struct query_slots_scratch *scratch)
{
    const struct figures *f = ctx;
    (void)scratch;
    for (size_t i = from; i < to; i++)
        f->out[i] = graphite_aggregate(f->agg, f->list->items[i]->values, f->list->items[i]->count);
}

double *graphite__figures(struct graphite_run *x, const struct graphite_list *l,
                          enum graphite_agg agg)
{
    struct figures f = {l, agg, graphite__column(x, l->len)};
    return f.out && !graphite__share(x, l->len, series_of(l), reduce, &f) ? f.out : NULL;
}

/* --- what all have at a slot --- */

struct across {
    const struct graphite__rows *rows;
    graphite__slot_fn fn;
    void *ctx;
};

static void across(void *ctx, size_t from, size_t to, struct query_slots_scratch *scratch)
{
    const struct across *a = ctx;
    query_slots_across((const double *const *)a->rows->columns, a->rows->list->len, from, to, a->fn,
                       a->ctx, scratch);
}

int graphite__across(struct graphite_run *x, const struct graphite__rows *rows,
                     graphite__slot_fn fn, void *ctx)
{
    struct across a = {rows, fn, ctx};
    return graphite__share(x, rows->count, graphite__slots_each(x, rows->count), across, &a);
}
