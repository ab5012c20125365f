#include "lang/logql/refine.h"

#include "base/mem.h"

#define TRIED_MIN 1024 /* lines, before it is judged */

struct logql_refine_worker {
    struct logql_refine_worker *next;
    struct logql_rows rows;
};

static void choose(void *ctx, const struct store_event_chunk *chunk, bool *keep)
{
    struct logql_refiner *r = ctx;
    pthread_mutex_lock(&r->lock);
    struct logql_refine_worker *w = r->idle;
    if (w)
        r->idle = w->next;
    pthread_mutex_unlock(&r->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        logql_rows_init(&w->rows, r->probe, r->now_ns);
    }
    size_t kept = 0;
    logql_rows_chunk(&w->rows, chunk);
    for (size_t i = 0; i < chunk->count; i++) {
        keep[i] = logql_rows_run(&w->rows, i);
        kept += keep[i];
    }
    r->tried += chunk->count;
    r->kept += kept;
    if (r->tried > TRIED_MIN && r->kept > r->tried / 2)
        r->off = true;
    pthread_mutex_lock(&r->lock);
    w->next = r->idle;
    r->idle = w;
    pthread_mutex_unlock(&r->lock);
}

void logql_refiner_init(struct logql_refiner *r, const struct logql_pipeline *probe, int64_t now_ns)
{
    struct store_event_scan scan = {0};
    logql_rows_scan(probe, &scan);
    *r = (struct logql_refiner){.probe = probe, .now_ns = now_ns};
    r->scan = (struct store_event_refine){.fields = scan.fields,
                                          .field_count = scan.field_count,
                                          .derive = scan.derive,
                                          .choose = choose,
                                          .ctx = r,
                                          .off = &r->off};
    pthread_mutex_init(&r->lock, NULL);
}

void logql_refiner_reset(struct logql_refiner *r)
{
    for (struct logql_refine_worker *w = r->idle, *next; w; w = next) {
        next = w->next;
        logql_rows_deinit(&w->rows);
        mem_free(w);
    }
    r->idle = NULL;
}

void logql_refiner_deinit(struct logql_refiner *r)
{
    logql_refiner_reset(r);
    pthread_mutex_destroy(&r->lock);
}
