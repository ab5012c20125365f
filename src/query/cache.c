#include "query/cache.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "base/map.h"
#include "base/mem.h"
#include "query/calls.h"

#define SHARE_MAX 4 /* an answer may take one in so many of the bytes */

static struct counter counters[] = {
    {.name = "pharos_query_cache_steps_total",
     .help = "Steps of range queries answered from the cache (limits.query.cache).",
     .labels = "from=\"cache\""},
    {.name = "pharos_query_cache_steps_total",
     .help = "Steps of range queries answered from the cache (limits.query.cache).",
     .labels = "from=\"store\""},
    {.name = "pharos_query_cache_bytes",
     .help = "Bytes of kept answers (limits.query.cache).",
     .kind = COUNTER_GAUGE},
};
enum { FROM_CACHE, FROM_STORE, BYTES };

/* One series of an answer: floats at some of the steps. */
struct kept_series {
    struct data_labels labels;
    const uint32_t *at; /* steps */
    const double *value;
    size_t count;
};

/* Never changes. Its arena holds it. */
struct kept {
    struct arena *arena;
    struct slice key;
    struct kept *newer, *older; /* by use */
    uint64_t number;            /* of the source's changes when it was begun */
    int64_t start_ns;
    size_t steps, bytes;
    struct kept_series *series; /* by labels */
    size_t series_count;
    _Atomic uint32_t refs;
};

struct query_cache {
    pthread_mutex_t lock;
    struct map *by_key; /* to struct kept */
    struct kept *newest, *oldest;
    size_t bytes;
    _Atomic size_t bytes_max;
};

static void let_go(struct kept *k)
{
    if (k && --k->refs == 0)
        arena_free(k->arena);
}

/* --- under the lock --- */

static void unlink_kept(struct query_cache *c, struct kept *k)
{
    *(k->newer ? &k->newer->older : &c->newest) = k->older;
    *(k->older ? &k->older->newer : &c->oldest) = k->newer;
    k->newer = k->older = NULL;
}

static void link_newest(struct query_cache *c, struct kept *k)
{
    k->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = k;
    c->newest = k;
}

static void drop(struct query_cache *c, struct kept *k)
{
    unlink_kept(c, k);
    map_remove(c->by_key, k->key);
    c->bytes -= k->bytes;
    let_go(k);
}

static void shrink(struct query_cache *c, size_t bytes_max)
{
    while (c->bytes > bytes_max && c->oldest)
        drop(c, c->oldest);
    counter_set(&counters[BYTES], (int64_t)c->bytes);
}

/* --- */

struct query_cache *query_cache_new(size_t bytes_max)
{
    struct query_cache *c = mem_calloc(1, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    c->by_key = map_new();
    c->bytes_max = bytes_max;
    counter_register(counters, ARRAY_LEN(counters));
    return c;
}

void query_cache_free(struct query_cache *c)
{
    if (!c)
        return;
    shrink(c, 0);
    map_free(c->by_key);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

void query_cache_resize(struct query_cache *c, size_t bytes_max)
{
    pthread_mutex_lock(&c->lock);
    c->bytes_max = bytes_max;
    shrink(c, bytes_max);
    pthread_mutex_unlock(&c->lock);
}

size_t query_cache_bytes(struct query_cache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t bytes = c->bytes;
    pthread_mutex_unlock(&c->lock);
    return bytes;
}

/* With a reference, or NULL. */
static struct kept *find(struct query_cache *c, struct slice key)
{
    pthread_mutex_lock(&c->lock);
    struct map_entry *e = map_get(c->by_key, key);
    struct kept *k = e ? e->value.ptr : NULL;
    if (k) {
        k->refs++;
        unlink_kept(c, k);
        link_newest(c, k);
    }
    pthread_mutex_unlock(&c->lock);
    return k;
}

/* --- which plans can be kept --- */

static int64_t add_reach(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_add_overflow(a, b, &out) ? INT64_MAX : out;
}

/* How far behind its step a node may look ahead, at most. */
static int64_t reach_of(const struct query_node *n)
{
    int64_t most = 0, own = 0;
    for (size_t i = 0; i < n->arg_count; i++)
        most = MAX(most, reach_of(n->args[i]));
    if (n->op == QUERY_INSTANT || n->op == QUERY_WINDOW) {
        own = n->selector.offset_ns < 0 ? add_reach(0, -n->selector.offset_ns) : 0;
        if (n->selector.smoothed)
            own = add_reach(own, n->selector.lookback_ns);
    }
    return add_reach(most, own);
}

/* What each step gives depends on that step alone. */
static bool is_stepwise(const struct query_node *n)
{
    if (n->op == QUERY_CALL &&
        (n->function->joins_info || n->function->call == query__start ||
         n->function->call == query__end || n->function->call == query__range))
        return false;
    if ((n->op == QUERY_INSTANT || n->op == QUERY_WINDOW) &&
        (n->selector.has_at || n->selector.find_resets))
        return false;
    for (size_t i = 0; i < n->arg_count; i++) {
        if (!is_stepwise(n->args[i]))
            return false;
    }
    return true;
}

/* Durations may be expressions of the query's range: then plans over other steps differ. */
static bool same_durations(const struct query_node *a, const struct query_node *b)
{
    if (a->op != b->op || a->arg_count != b->arg_count || a->range_ns != b->range_ns ||
        a->inner_step_ns != b->inner_step_ns || a->selector.offset_ns != b->selector.offset_ns ||
        memcmp(&a->number, &b->number, sizeof(a->number)) != 0)
        return false;
    for (size_t i = 0; i < a->arg_count; i++) {
        if (!same_durations(a->args[i], b->args[i]))
            return false;
    }
    return true;
}

/* --- answers --- */

static size_t step_count(const struct query_steps *s)
{
    return (size_t)((s->end_ns - s->start_ns) / s->step_ns) + 1;
}

/* Steps [begin, end) of a kept series, and behind them the points of `fresh` (may be NULL). */
static bool put_points(const struct kept_series *s, const struct kept *k, int64_t step_ns,
                       size_t begin, size_t end, struct arena *arena, struct query_series *out,
                       const struct query_series *fresh)
{
    size_t lo = 0, hi = s->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->at[mid] < begin)
            lo = mid + 1;
        else
            hi = mid;
    }
    size_t count = 0;
    while (lo + count < s->count && s->at[lo + count] < end)
        count++;
    *out = (struct query_series){.labels = s->labels};
    if (!count && !(fresh && fresh->count))
        return true;
    size_t more = fresh ? fresh->count : 0;
    int64_t *ts = arena_alloc(arena, (count + more) * sizeof(*ts));
    double *value = arena_alloc(arena, (count + more) * sizeof(*value));
    if (!ts || !value)
        return false;
    for (size_t i = 0; i < count; i++) {
        ts[i] = k->start_ns + (int64_t)s->at[lo + i] * step_ns;
        value[i] = s->value[lo + i];
    }
    for (size_t i = 0; i < more; i++) {
        struct query_point p = query_point_at(fresh, i);
        ts[count + i] = p.ts_ns;
        value[count + i] = p.value;
    }
    out->ts = ts;
    out->value = value;
    out->count = count + more;
    return true;
}

/* What is kept, up to `end`, and behind it what was computed (`tail`), by labels. */
static int join(const struct kept *k, int64_t step_ns, size_t begin, size_t end,
                const struct query_result *tail, struct arena *arena, struct query_result *out)
{
    size_t a = 0, b = 0;
    *out = *tail;
    out->kind = QUERY_MATRIX;
    out->series = ARENA_ARRAY(arena, struct query_series, k->series_count + tail->series_count);
    out->series_count = 0;
    if (!out->series)
        return ERR_NOMEM;
    while (a < k->series_count || b < tail->series_count) {
        int c = a == k->series_count ? 1
                : b == tail->series_count
                    ? -1
                    : data_labels_cmp(k->series[a].labels, tail->series[b].labels);
        const struct query_series *fresh = c >= 0 ? &tail->series[b] : NULL;
        struct query_series *to = &out->series[out->series_count];
        if (c > 0) {
            *to = *fresh;
        } else {
            if (!put_points(&k->series[a], k, step_ns, begin, end, arena, to, fresh))
                return ERR_NOMEM;
            if (to->count && !(to->labels = data_labels_copy(arena, to->labels)).items &&
                k->series[a].labels.count)
                return ERR_NOMEM;
        }
        out->series_count += to->count > 0;
        a += c <= 0;
        b += c >= 0;
    }
    return 0;
}

/* Only floats, and nothing to be said about it: such an answer can be cut into steps. */
static bool is_plain(const struct query_result *r)
{
    if (r->kind != QUERY_MATRIX || r->warning_count || r->info_count)
        return false;
    for (size_t i = 0; i < r->series_count; i++) {
        for (size_t p = 0; r->series[i].histogram && p < r->series[i].count; p++) {
            if (query_point_at(&r->series[i], p).histogram)
                return false;
        }
    }
    return true;
}

static void keep(struct query_cache *c, struct slice key, const struct query_steps *steps,
                 uint64_t number, const struct query_result *r)
{
    size_t points = 0, bytes_max = c->bytes_max / SHARE_MAX;
    for (size_t i = 0; i < r->series_count; i++)
        points += r->series[i].count;
    if (points * (sizeof(double) + sizeof(uint32_t)) > bytes_max)
        return;
    struct arena *arena = arena_new(0, NULL);
    struct kept *k = ARENA_NEW(arena, struct kept);
    *k = (struct kept){.arena = arena,
                       .key = arena_slice(arena, key),
                       .number = number,
                       .start_ns = steps->start_ns,
                       .steps = step_count(steps),
                       .series = ARENA_ARRAY(arena, struct kept_series, r->series_count),
                       .series_count = r->series_count,
                       .refs = 1};
    for (size_t i = 0; i < r->series_count; i++) {
        const struct query_series *from = &r->series[i];
        uint32_t *at = arena_alloc(arena, from->count * sizeof(*at));
        double *value = arena_alloc(arena, from->count * sizeof(*value));
        for (size_t p = 0; p < from->count; p++) {
            struct query_point point = query_point_at(from, p);
            at[p] = (uint32_t)((point.ts_ns - steps->start_ns) / steps->step_ns);
            value[p] = point.value;
        }
        k->series[i] = (struct kept_series){.labels = data_labels_copy(arena, from->labels),
                                            .at = at,
                                            .value = value,
                                            .count = from->count};
    }
    k->bytes = arena_size(arena);
    if (k->bytes > bytes_max) {
        let_go(k);
        return;
    }
    pthread_mutex_lock(&c->lock);
    struct map_entry *e = map_get(c->by_key, key);
    if (e)
        drop(c, e->value.ptr);
    map_put(c->by_key, k->key, NULL)->value.ptr = k;
    link_newest(c, k);
    c->bytes += k->bytes;
    shrink(c, c->bytes_max);
    pthread_mutex_unlock(&c->lock);
}

/* Steps of the query that are kept and still right: from its first on. */
static size_t good_steps(const struct kept *k, const struct query_steps *steps, int64_t reach_ns,
                         struct store_source *source, size_t *out_begin)
{
    if (!k || steps->start_ns < k->start_ns)
        return 0;
    size_t begin = (size_t)((steps->start_ns - k->start_ns) / steps->step_ns);
    int64_t changed = source->ops->changed_from(source, k->number);
    if (begin >= k->steps)
        return 0;
    size_t count = MIN(k->steps - begin, step_count(steps));
    *out_begin = begin;
    if (changed == INT64_MAX)
        return count;
    /* A step looks no further than itself and `reach`. */
    int64_t before = changed - (changed < INT64_MIN + reach_ns ? 0 : reach_ns);
    if (changed < INT64_MIN + reach_ns || before <= steps->start_ns)
        return 0;
    return MIN(count, (size_t)((before - 1 - steps->start_ns) / steps->step_ns) + 1);
}

int query_cache_run(struct query_cache *c, const struct query_cached *q,
                    const struct query_steps *steps, const struct query_env *env,
                    struct arena *arena, struct query_result *out, struct diag *diag)
{
    struct store_source *source = env->source;
    struct query_plan *plan, *rest;
    int err = q->plan(q->ctx, steps, arena, &plan, diag);
    if (err)
        return err;
    struct query_steps two = {.start_ns = steps->start_ns - steps->step_ns,
                              .end_ns = steps->start_ns,
                              .step_ns = steps->step_ns};
    bool fits = c->bytes_max && source->ops->changes && !steps->instant && step_count(steps) > 1 &&
                is_stepwise(plan->root) && !q->plan(q->ctx, &two, arena, &rest, NULL) &&
                same_durations(plan->root, rest->root);
    if (!fits)
        return query_run(plan, env, arena, out, diag);
    struct buf key = {0};
    int64_t phase = steps->start_ns % steps->step_ns;
    /* A panel of an hour and one of a day do not take each other's place. */
    buf_append_char(&key, (char)__builtin_clzll(step_count(steps)));
    buf_append(&key, &steps->step_ns, sizeof(steps->step_ns));
    buf_append(&key, &phase, sizeof(phase));
    buf_append_slice(&key, q->key);
    uint64_t number = source->ops->changes(source);
    struct kept *k = find(c, buf_slice(&key));
    size_t all = step_count(steps), begin = 0;
    size_t good = good_steps(k, steps, reach_of(plan->root), source, &begin);
    bool done = false;
    if (good) {
        struct query_steps left = *steps;
        struct query_result tail = {.kind = QUERY_MATRIX};
        left.start_ns += (int64_t)good * steps->step_ns;
        if (good < all) {
            err = q->plan(q->ctx, &left, arena, &rest, diag);
            if (!err)
                err = query_run(rest, env, arena, &tail, diag);
        }
        /* What is odd behind may be so before: that is for the whole query to say. */
        done = !err && is_plain(&tail);
        if (done && (err = join(k, steps->step_ns, begin, begin + good, &tail, arena, out)))
            diag_set(diag, err, "the query needs more memory than allowed (limits.query.memory)");
        if (done)
            counter_add(&counters[FROM_CACHE], (int64_t)good);
    }
    if (!done && !err)
        err = query_run(plan, env, arena, out, diag);
    if (!err)
        counter_add(&counters[FROM_STORE], (int64_t)(done ? all - good : all));
    if (!err && !(done && good == all) && is_plain(out))
        keep(c, buf_slice(&key), steps, number, out);
    let_go(k);
    buf_deinit(&key);
    return err;
}
