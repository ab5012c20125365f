#include "query/shared.h"

#include "base/map.h"
#include "base/mem.h"

enum state { READING, READY, FAILED };

struct query__shared_rows {
    struct query__shared_rows *next; /* of the same key */
    struct wanted *wanted;
    struct query__windows windows;
    size_t steps, count;
    struct arena *arena;
    struct store_selection *selection;
    struct query__slot *slots;

    /* The lock guards these. */
    enum state state;
    struct query__scan *reader; /* of who reads */
    bool open;                  /* who comes by may help */
    size_t morsels, helpers, users;
    _Atomic size_t next_morsel;
};

/* A selector with its function, by its key. */
struct wanted {
    size_t times; /* it is still to be asked for */
    bool several;
    struct query__shared_rows *rows;
};

struct query_shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct store_source *source;
    struct budget memory;
    struct arena *arena;
    struct map *by_key;
};

struct query_shared *query_shared_new(struct store_source *source, struct budget *parent,
                                      int64_t bytes_max)
{
    struct query_shared *s = mem_calloc(1, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->source = source;
    budget_init(&s->memory, parent, bytes_max, "limits.query.memory");
    s->arena = arena_new(4096, NULL);
    s->by_key = map_new();
    return s;
}

static void rows_free(struct query_shared *s, struct query__shared_rows *r)
{
    if (r->selection)
        s->source->ops->selection_free(r->selection);
    arena_free(r->arena);
    mem_free(r);
}

/* Under the lock: what nobody asks for any more. */
static void sweep_out(struct query_shared *s, struct wanted *w)
{
    for (struct query__shared_rows **at = &w->rows, *r; !w->times && (r = *at);) {
        if (r->users) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        rows_free(s, r);
    }
}

void query_shared_free(struct query_shared *s)
{
    if (!s)
        return;
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(s->by_key, &pos));) {
        struct wanted *w = e->value.ptr;
        w->times = 0;
        sweep_out(s, w);
    }
    map_free(s->by_key);
    arena_free(s->arena);
    budget_drain(&s->memory);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}

static bool can_share(const struct query_node *n)
{
    const struct query_selector *sel = &n->selector;
    return (n->op == QUERY_INSTANT ||
            (n->op == QUERY_WINDOW && !n->subquery && n->arg_count == 1)) &&
           !sel->anchored && !sel->smoothed && !sel->starts && !sel->find_resets && !sel->view;
}

/* Everything but the steps. */
static void key_of(const struct query_node *n, struct buf *out)
{
    const struct query_selector *sel = &n->selector;
    buf_clear(out);
    buf_printf(out, "%d %s %lld %lld %d %lld %lld %d %d", n->op,
               n->op == QUERY_WINDOW ? n->function->name : "", (long long)n->range_ns,
               (long long)sel->offset_ns, sel->has_at, (long long)(sel->has_at ? sel->at_ns : 0),
               (long long)sel->lookback_ns, sel->timestamps, sel->no_nans);
    for (size_t i = 0; i < sel->matcher_count; i++) {
        const struct store_matcher *m = &sel->matchers[i];
        buf_printf(out, " %d %zu %.*s %zu %.*s", m->op, m->name.len, SLICE_FMT(m->name),
                   m->value.len, SLICE_FMT(m->value));
    }
}

static void expect(struct query_shared *s, const struct query_node *n, struct buf *key)
{
    if (can_share(n)) {
        bool added;
        key_of(n, key);
        struct map_entry *e = map_put(s->by_key, buf_slice(key), &added);
        if (added)
            e->value.ptr = ARENA_NEW(s->arena, struct wanted);
        struct wanted *w = e->value.ptr;
        w->several = w->times++ > 0;
    }
    for (size_t i = 0; i < n->arg_count; i++)
        expect(s, n->args[i], key);
}

void query_shared_expect(struct query_shared *s, const struct query_plan *plan)
{
    struct buf key = {0};
    pthread_mutex_lock(&s->lock);
    if (!plan->raw_samples)
        expect(s, plan->root, &key);
    pthread_mutex_unlock(&s->lock);
    buf_deinit(&key);
}

/* Reads until no morsel is left that nobody has. */
static void read_some(struct query__shared_rows *r)
{
    for (size_t i; (i = atomic_fetch_add(&r->next_morsel, 1)) < r->morsels;)
        query__scan_morsel(r->reader, r->slots, r->count, i);
}

static void read_some_task(void *ctx, size_t i)
{
    (void)i;
    read_some(ctx);
}

/* Selects, and makes room. False when there is none, or on an error, which who asks finds out
 * again by itself. */
static bool prepare(struct query_shared *s, struct query__shared_rows *r, struct query__scan *own)
{
    struct diag diag;
    diag_init(&diag);
    if (query__scan_select(own, &s->memory, &r->selection, &diag))
        return false;
    own->selection = r->selection;
    r->count = own->count = s->source->ops->selection_count(r->selection);
    r->slots = ARENA_ARRAY(r->arena, struct query__slot, r->count);
    for (size_t i = 0; i < r->count && r->slots; i++) {
        struct query__slot *slot = &r->slots[i];
        slot->series = i;
        slot->row.value = arena_alloc(r->arena, r->steps * sizeof(double));
        slot->row.has = arena_alloc(r->arena, r->steps);
        if (!slot->row.value || !slot->row.has)
            return false;
    }
    r->morsels = query__scan_morsels(r->count);
    return r->slots != NULL;
}

/* Called by the first that asks, without the lock. */
static void read_rows(struct query_shared *s, struct query__shared_rows *r,
                      const struct query__scan *scan)
{
    struct query__scan own = {.x = scan->x,
                              .node = scan->node,
                              .from_ns = scan->from_ns,
                              .to_ns = scan->to_ns,
                              .windows = scan->windows,
                              .asked = scan->asked};
    const struct query_env *env = scan->x->env;
    pthread_mutex_init(&own.lock, NULL);
    diag_init(&own.failed);
    bool good = prepare(s, r, &own);
    if (good) {
        pthread_mutex_lock(&s->lock);
        r->reader = &own;
        r->open = true;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        size_t width = env->pool ? MIN(env->pool->width, r->morsels) : 1;
        if (width > 1)
            env->pool->parallel(env->pool, TASK_INTERACTIVE, width, width, read_some_task, r);
        else
            read_some(r);
    }
    pthread_mutex_lock(&s->lock);
    r->open = false;
    while (r->helpers)
        pthread_cond_wait(&s->changed, &s->lock);
    for (size_t i = 0; i < r->count && good; i++)
        good = !r->slots[i].err;
    r->reader = NULL;
    r->state = good && !query__should_stop(env) ? READY : FAILED;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    query__scan_free_workers(&own);
    pthread_mutex_destroy(&own.lock);
}

/* Under the lock, until the rows are there or their reader gave up, as it does when the request is
 * cancelled. */
static void help_or_wait(struct query_shared *s, struct query__shared_rows *r)
{
    while (r->state == READING) {
        if (!r->open || r->next_morsel >= r->morsels) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        r->helpers++;
        pthread_mutex_unlock(&s->lock);
        read_some(r);
        pthread_mutex_lock(&s->lock);
        r->helpers--;
        pthread_cond_broadcast(&s->changed);
    }
}

static bool same_windows(const struct query__windows *a, const struct query__windows *b)
{
    return a->first_ns == b->first_ns && a->step_ns == b->step_ns && a->range_ns == b->range_ns &&
           a->steps == b->steps && a->per_second == b->per_second;
}

struct query__shared_rows *query__shared_take(const struct query__scan *scan)
{
    struct query_exec *x = scan->x;
    struct query_shared *s = x->env->shared;
    struct buf key = {0};
    if (!s || x->env->plain || !can_share(scan->node))
        return NULL;
    key_of(scan->node, &key);
    pthread_mutex_lock(&s->lock);
    struct map_entry *e = map_get(s->by_key, buf_slice(&key));
    struct wanted *w = e ? e->value.ptr : NULL;
    struct query__shared_rows *r = w && w->several ? w->rows : NULL;
    buf_deinit(&key);
    while (r && (!same_windows(&r->windows, &scan->windows) || r->steps != x->step_count))
        r = r->next;
    if (w && w->times)
        w->times--;
    if (!r && w && w->several && w->times) {
        r = mem_calloc(1, sizeof(*r));
        r->wanted = w;
        r->arena = arena_new(0, &s->memory);
        r->windows = scan->windows;
        r->steps = x->step_count;
        r->next = w->rows;
        r->users = 1;
        w->rows = r;
        pthread_mutex_unlock(&s->lock);
        read_rows(s, r, scan);
        pthread_mutex_lock(&s->lock);
    } else if (r) {
        r->users++;
        help_or_wait(s, r);
    }
    if (r && r->state != READY) {
        r->users--;
        r = NULL;
    }
    if (w)
        sweep_out(s, w);
    pthread_mutex_unlock(&s->lock);
    if (r)
        vec_push(&x->shared, r);
    return r;
}

void query__shared_release(struct query_exec *x)
{
    struct query_shared *s = x->env->shared;
    for (size_t i = 0; i < x->shared.len; i++) {
        struct query__shared_rows *r = x->shared.items[i];
        pthread_mutex_lock(&s->lock);
        r->users--;
        sweep_out(s, r->wanted);
        pthread_mutex_unlock(&s->lock);
    }
    vec_free(&x->shared);
}

struct store_selection *query__shared_selection(const struct query__shared_rows *rows)
{
    return rows->selection;
}

const struct query__slot *query__shared_slots(const struct query__shared_rows *rows)
{
    return rows->slots;
}
