#include "lang/logql/parallel.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "text/regex.h"

typedef VEC(struct logql_kept) kept_list;

struct worker {
    struct worker *next;
    struct logql_rows rows;
    struct store_event_chunk chunk;
    struct arena *arena; /* lines kept; charged */
};

/* A morsel of the wave at hand. */
struct share {
    kept_list kept;
    struct diag diag;
    int err;
};

struct run {
    const struct logql_parallel *p;
    struct store_event_cursor *cursor;
    size_t *order, count; /* morsels by time */
    size_t first;         /* of the wave, in order; those before it are read */
    struct share *shares;
    kept_list pending;
    pthread_mutex_t lock; /* of idle */
    struct worker *idle;
};

/* --- order --- */

static int oldest_first(const void *a, const void *b)
{
    const struct logql_kept *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    if (x->stream.hi != y->stream.hi)
        return x->stream.hi < y->stream.hi ? -1 : 1;
    if (x->stream.lo != y->stream.lo)
        return x->stream.lo < y->stream.lo ? -1 : 1;
    if (x->morsel != y->morsel)
        return x->morsel < y->morsel ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int newest_first(const void *a, const void *b)
{
    return oldest_first(b, a);
}

static bool is_newest_first(const struct run *r)
{
    return r->p->scan->order == STORE_EVENT_NEWEST_FIRST;
}

static void sort(const struct run *r, struct logql_kept *items, size_t count)
{
    if (count)
        qsort(items, count, sizeof(*items), is_newest_first(r) ? newest_first : oldest_first);
}

/* The end that comes first. */
static int64_t edge(const struct run *r, size_t morsel)
{
    int64_t t_min, t_max;
    r->p->env->source->ops->morsel_times(r->cursor, morsel, &t_min, &t_max);
    return is_newest_first(r) ? t_max : t_min;
}

static int by_edge(const void *a, const void *b, void *ctx)
{
    const struct run *r = ctx;
    int64_t x = edge(r, *(const size_t *)a), y = edge(r, *(const size_t *)b);
    if (x != y)
        return (x < y) == is_newest_first(r) ? 1 : -1;
    return (*(const size_t *)a > *(const size_t *)b) - (*(const size_t *)a < *(const size_t *)b);
}

/* --- a morsel --- */

static struct worker *take_worker(struct run *r)
{
    pthread_mutex_lock(&r->lock);
    struct worker *w = r->idle;
    if (w)
        r->idle = w->next;
    pthread_mutex_unlock(&r->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->arena = arena_new(0, r->p->env->limits.memory);
        logql_rows_init(&w->rows, r->p->pipeline, r->p->env->now_ns);
    }
    return w;
}

static void give_worker(struct run *r, struct worker *w)
{
    pthread_mutex_lock(&r->lock);
    w->next = r->idle;
    r->idle = w;
    pthread_mutex_unlock(&r->lock);
}

/* A copy of the line at hand. */
static bool keep(struct worker *w, struct logql_kept *kept)
{
    struct logql_line *l = &w->rows.line;
    logql_line_finish(l);
    struct logql_label *labels = ARENA_ARRAY(w->arena, struct logql_label, l->labels.len);
    kept->line = arena_slice(w->arena, l->text);
    kept->labels = labels;
    kept->label_count = l->labels.len;
    bool ok = labels && kept->line.ptr;
    for (size_t i = 0; ok && i < l->labels.len; i++) {
        const struct logql_label *from = &l->labels.items[i];
        labels[i] = (struct logql_label){arena_slice(w->arena, from->name),
                                         arena_slice(w->arena, from->value), from->category};
        ok = labels[i].name.ptr && labels[i].value.ptr;
    }
    return ok;
}

/* In the order asked for, so that it can stop. */
static int run_rows(struct run *r, struct worker *w, size_t morsel, struct share *share)
{
    const struct store_event_chunk *c = &w->chunk;
    struct logql_kept *rows = mem_calloc(c->count, sizeof(*rows));
    int err = 0;
    for (size_t i = 0; i < c->count; i++)
        rows[i] = (struct logql_kept){
            .ts_ns = c->ts[i], .stream = c->streams[c->stream[i]].id, .morsel = morsel, .row = i};
    sort(r, rows, c->count);
    logql_rows_chunk(&w->rows, c);
    for (size_t i = 0; i < c->count && !err; i++) {
        if (!logql_rows_run(&w->rows, rows[i].row))
            continue;
        if (keep(w, &rows[i]))
            vec_push(&share->kept, rows[i]);
        else
            err = diag_set(&share->diag, ERR_NOMEM,
                           "the query needs more memory than limits.query.memory allows");
        if (r->p->limit && share->kept.len == r->p->limit)
            break;
    }
    mem_free(rows);
    return err;
}

static void read_morsel(void *ctx, size_t i)
{
    struct run *r = ctx;
    struct share *share = &r->shares[i];
    size_t morsel = r->order[r->first + i];
    struct worker *w = take_worker(r);
    uint64_t overruns = text_regex_overruns();
    diag_init(&share->diag);
    share->err = r->p->env->source->ops->morsel_read(r->cursor, morsel, &w->chunk, &share->diag);
    if (!share->err && w->chunk.count)
        share->err = run_rows(r, w, morsel, share);
    if (!share->err)
        share->err = text_regex_check(overruns, "a regular expression of the query", &share->diag);
    give_worker(r, w);
}

/* --- waves of them --- */

/* Those of the pending lines that no morsel left can come before. */
static int deliver(struct run *r, bool *out_enough)
{
    bool all = r->first == r->count;
    int64_t next = all ? 0 : edge(r, r->order[r->first]);
    size_t given = 0;
    int err = 0;
    sort(r, r->pending.items, r->pending.len);
    while (given < r->pending.len && !err && !*out_enough) {
        const struct logql_kept *k = &r->pending.items[given];
        if (!all && (is_newest_first(r) ? k->ts_ns <= next : k->ts_ns >= next))
            break;
        err = r->p->take(r->p->ctx, k, out_enough);
        given++;
    }
    if (given)
        memmove(r->pending.items, r->pending.items + given,
                (r->pending.len - given) * sizeof(*r->pending.items));
    r->pending.len -= given;
    return err;
}

static int run_wave(struct run *r, size_t count, struct diag *diag)
{
    struct task_pool *pool = r->p->env->pool;
    int err = 0;
    r->shares = mem_calloc(count, sizeof(*r->shares));
    pool->parallel(pool, TASK_INTERACTIVE, count, pool->width, read_morsel, r);
    for (size_t i = 0; i < count; i++) {
        struct share *s = &r->shares[i];
        if (s->err && !err)
            err = diag_set(diag, s->err, "%s", s->diag.msg);
        for (size_t k = 0; k < s->kept.len && !err; k++)
            vec_push(&r->pending, s->kept.items[k]);
        r->first += !err;
        vec_free(&s->kept);
    }
    mem_free(r->shares);
    return err;
}

/* Gives on what is complete, also when a limit ended the wave (`failed`). */
static int end_wave(struct run *r, int failed, bool *out_enough)
{
    struct logql_partial *partial = r->p->env->partial;
    int err = deliver(r, out_enough);
    if (err || *out_enough || !failed)
        return err;
    partial->has_edge = true;
    partial->edge_ns = edge(r, r->order[r->first]);
    return failed;
}

static int run_waves(struct run *r, struct diag *diag)
{
    size_t width = r->p->env->pool->width, wave = width;
    bool enough = false;
    int err = 0;
    r->order = mem_alloc((r->count + 1) * sizeof(*r->order));
    for (size_t i = 0; i < r->count; i++)
        r->order[i] = i;
    if (r->count)
        qsort_r(r->order, r->count, sizeof(*r->order), by_edge, r);
    while (r->first < r->count && !err && !enough) {
        err = run_wave(r, MIN(wave, r->count - r->first), diag);
        if (!err || logql__partial_takes(r->p->env->partial, err))
            err = end_wave(r, err, &enough);
        wave = MIN(2 * wave, 8 * width);
    }
    mem_free(r->order);
    return err;
}

int logql__read_parallel(const struct logql_parallel *p, struct store_event_stats *stats,
                         struct diag *diag)
{
    const struct store_event_ops *ops = p->env->source->ops;
    struct run r = {.p = p};
    int err = ops->scan(p->env->source, p->scan, &r.cursor, diag);
    if (err)
        return err;
    pthread_mutex_init(&r.lock, NULL);
    r.count = ops->morsel_count(r.cursor);
    err = run_waves(&r, diag);
    for (struct worker *w = r.idle, *next; w; w = next) {
        next = w->next;
        store_event_chunk_free(&w->chunk);
        logql_rows_deinit(&w->rows);
        arena_free(w->arena);
        mem_free(w);
    }
    vec_free(&r.pending);
    pthread_mutex_destroy(&r.lock);
    ops->cursor_stats(r.cursor, stats);
    ops->close(r.cursor);
    return err;
}
