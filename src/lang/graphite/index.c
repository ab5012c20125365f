/* The index of a tenant's paths: a few trees, each at least four times as large as the next. Series
 * that have come since the last look (store/source.h: arrivals) make a small tree of their own, and
 * trees of like size are made one, so that a path is moved a few times in its life and nothing is
 * made anew when a series comes. What looks at the trees keeps them alive; whoever brings them up
 * to date puts another list in place.
 *
 * Only when series have gone (retention, deleting), or so many came that the store does not tell
 * them one by one, everything is made anew. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/counter.h"
#include "base/map.h"
#include "lang/graphite/tree.h"

#define TREES_MAX 16
#define RATIO     4
#define NODES_MAX 512 /* of one path: deeper ones would nest too far, and are left out */

struct forest {
    _Atomic int refs;
    struct graphite__tree *trees[TREES_MAX];
    size_t count;
    struct store_arrivals_cursor cursor;
    uint64_t changes;          /* of sources that do not tell what came */
    int64_t built_ns, cost_ns; /* of everything */
};

struct graphite_index {
    pthread_mutex_t lock; /* of the map and what it points to */
    pthread_mutex_t building;
    struct map *forests; /* by tenant */
};

static struct counter gauges[] = {
    {.name = "pharos_graphite_index_paths",
     .help = "Paths in the index that find and globs ask.",
     .kind = COUNTER_GAUGE},
    {.name = "pharos_graphite_index_bytes",
     .help = "Memory of the index of paths.",
     .kind = COUNTER_GAUGE},
};

struct graphite_index *graphite_index_new(void)
{
    struct graphite_index *x = mem_calloc(1, sizeof(*x));
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->building, NULL);
    x->forests = map_new();
    counter_register(gauges, ARRAY_LEN(gauges));
    return x;
}

static void unref(struct forest *f)
{
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    for (size_t i = 0; i < f->count; i++)
        graphite__tree_unref(f->trees[i]);
    mem_free(f);
}

void graphite_index_free(struct graphite_index *x)
{
    size_t pos = 0;
    if (!x)
        return;
    for (struct map_entry *e; (e = map_next(x->forests, &pos));)
        unref(e->value.ptr);
    map_free(x->forests);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->building);
    mem_free(x);
}

static struct forest *pin(struct graphite_index *x, struct slice tenant)
{
    pthread_mutex_lock(&x->lock);
    struct map_entry *e = map_get(x->forests, tenant);
    struct forest *f = e ? e->value.ptr : NULL;
    if (f)
        atomic_fetch_add(&f->refs, 1);
    pthread_mutex_unlock(&x->lock);
    return f;
}

static void put(struct graphite_index *x, struct slice tenant, struct forest *f)
{
    size_t pos = 0, paths = 0, bytes = 0;
    pthread_mutex_lock(&x->lock);
    struct map_entry *e = map_put(x->forests, tenant, NULL);
    struct forest *old = e->value.ptr;
    e->value.ptr = f;
    while ((e = map_next(x->forests, &pos))) {
        const struct forest *each = e->value.ptr;
        for (size_t i = 0; i < each->count; i++) {
            paths += graphite__tree_leaves(each->trees[i]);
            bytes += graphite__tree_bytes(each->trees[i]);
        }
    }
    pthread_mutex_unlock(&x->lock);
    counter_set(&gauges[0], (int64_t)paths);
    counter_set(&gauges[1], (int64_t)bytes);
    unref(old);
}

/* --- bringing up to date --- */

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static size_t node_count(struct slice path)
{
    size_t n = 1;
    for (size_t i = 0; i < path.len; i++)
        n += path.ptr[i] == '.';
    return n;
}

struct collector {
    const struct forest *known; /* paths in it are left out */
    struct arena *arena;
    struct buf path;
    VEC(struct slice) paths;
};

static void collect(void *ctx, struct data_labels labels)
{
    struct collector *c = ctx;
    buf_clear(&c->path);
    if (!graphite_path_of(labels, &c->path) || node_count(buf_slice(&c->path)) > NODES_MAX)
        return;
    for (size_t i = 0; c->known && i < c->known->count; i++) {
        if (graphite__tree_has(c->known->trees[i], buf_slice(&c->path)))
            return;
    }
    vec_push(&c->paths, arena_slice(c->arena, buf_slice(&c->path)));
}

static struct graphite__tree *collected(struct collector *c)
{
    struct graphite__tree *t = graphite__tree_new(c->paths.items, c->paths.len);
    vec_free(&c->paths);
    buf_deinit(&c->path);
    arena_free(c->arena);
    return t;
}

/* Everything. The cursor was taken before. */
static int make(struct store_source *source, struct slice tenant, const _Atomic bool *cancelled,
                struct forest **out, struct diag *diag)
{
    struct store_matcher named = {.op = STORE_MATCH_NE, .name = SLICE_INIT(DATA_METRIC_NAME)};
    struct store_select_req req = {.tenant = tenant,
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &named,
                                   .matcher_count = 1,
                                   .cancelled = cancelled,
                                   .any_order = true};
    struct store_selection *sel;
    int64_t begin = monotonic_ns();
    struct store_arrivals_cursor cursor = {0, 0};
    uint64_t changes = source->ops->changes ? source->ops->changes(source) : 0;
    if (source->ops->arrivals)
        (void)source->ops->arrivals(source, tenant, &cursor, NULL, NULL);
    int err = source->ops->select(source, &req, &sel, diag);
    if (err)
        return err;
    struct collector c = {.arena = arena_new(1 << 20, NULL)};
    size_t count = source->ops->selection_count(sel);
    vec_reserve(&c.paths, count);
    for (size_t i = 0; i < count; i++)
        collect(&c, source->ops->selection_labels(sel, i));
    source->ops->selection_free(sel);
    struct forest *f = mem_calloc(1, sizeof(*f));
    f->refs = 1;
    f->trees[0] = collected(&c);
    f->count = 1;
    f->cursor = cursor;
    f->changes = changes;
    f->built_ns = monotonic_ns();
    f->cost_ns = f->built_ns - begin;
    *out = f;
    return 0;
}

static struct graphite__tree *merged(struct graphite__tree *a, struct graphite__tree *b)
{
    struct graphite__search s = {.arena = arena_new(1 << 20, NULL)};
    VEC(struct slice) paths = {0};
    for (int i = 0; i < 2; i++) {
        s.t = i ? b : a;
        graphite__tree_all(&s);
    }
    vec_reserve(&paths, s.found.len);
    for (size_t i = 0; i < s.found.len; i++)
        vec_push(&paths, s.found.items[i].path);
    struct graphite__tree *t = graphite__tree_new(paths.items, paths.len);
    vec_free(&paths);
    vec_free(&s.found);
    buf_deinit(&s.path);
    arena_free(s.arena);
    graphite__tree_unref(a);
    graphite__tree_unref(b);
    return t;
}

/* The same trees and one more; takes `fresh` over. */
static struct forest *grown(const struct forest *old, struct graphite__tree *fresh,
                            struct store_arrivals_cursor cursor)
{
    struct forest *f = mem_calloc(1, sizeof(*f));
    *f = *old;
    f->refs = 1;
    f->cursor = cursor;
    for (size_t i = 0; i < f->count; i++)
        graphite__tree_ref(f->trees[i]);
    if (!graphite__tree_leaves(fresh)) {
        graphite__tree_unref(fresh);
        return f;
    }
    while (f->count && (f->count == TREES_MAX || graphite__tree_leaves(f->trees[f->count - 1]) <
                                                     RATIO * graphite__tree_leaves(fresh)))
        fresh = merged(f->trees[--f->count], fresh);
    f->trees[f->count++] = fresh;
    return f;
}

/* With the building lock. */
static int update(struct graphite_index *x, struct store_source *source, struct slice tenant,
                  const _Atomic bool *cancelled, struct diag *diag)
{
    struct forest *old = pin(x, tenant), *now = NULL;
    struct store_arrivals_cursor cursor = old ? old->cursor : (struct store_arrivals_cursor){0, 0};
    struct collector c = {.known = old, .arena = arena_new(0, NULL)};
    int err = old && source->ops->arrivals
                  ? source->ops->arrivals(source, tenant, &cursor, collect, &c)
                  : ERR_AGAIN;
    struct graphite__tree *fresh = collected(&c);
    if (!err) {
        if (cursor.number != old->cursor.number)
            now = grown(old, fresh, cursor);
        else
            graphite__tree_unref(fresh);
    } else {
        graphite__tree_unref(fresh);
        bool same = old && !source->ops->arrivals && source->ops->changes &&
                    source->ops->changes(source) == old->changes;
        /* Something large is not made anew all the time. */
        bool late = !old || monotonic_ns() - old->built_ns >= 20 * old->cost_ns;
        err = late && !same ? make(source, tenant, cancelled, &now, diag) : 0;
    }
    if (now)
        put(x, tenant, now);
    unref(old);
    return err;
}

int graphite_index_refresh(struct graphite_index *x, struct store_source *source,
                           struct slice tenant, const _Atomic bool *cancelled, struct diag *diag)
{
    pthread_mutex_lock(&x->building);
    int err = update(x, source, tenant, cancelled, diag);
    pthread_mutex_unlock(&x->building);
    return err;
}

/* --- finding --- */

typedef VEC(struct graphite_node) node_list;

static int by_node(const void *a, const void *b)
{
    return graphite__by_path(&((const struct graphite_node *)a)->path,
                             &((const struct graphite_node *)b)->path);
}

static void keep(node_list *out, const struct graphite_node *n)
{
    struct graphite_node *last = out->len ? &out->items[out->len - 1] : NULL;
    if (last && slice_eq(last->path, n->path)) {
        last->leaf |= n->leaf;
        last->branch |= n->branch;
    } else {
        vec_push(out, *n);
    }
}

/* Two lists in order as one, each path once. */
static void merge_lists(node_list *a, const struct graphite_node *b, size_t count)
{
    node_list out = {0};
    size_t i = 0, k = 0;
    vec_reserve(&out, a->len + count);
    while (i < a->len || k < count) {
        bool left = k == count || (i < a->len && by_node(&a->items[i], &b[k]) <= 0);
        keep(&out, left ? &a->items[i++] : &b[k++]);
    }
    vec_free(a);
    *a = out;
}

static bool search(struct graphite_index *x, struct slice tenant, const graphite__globs *globs,
                   size_t max, struct arena *arena, node_list *out)
{
    struct forest *f = pin(x, tenant);
    bool over = false;
    for (size_t i = 0; f && i < f->count && !over; i++) {
        struct graphite__search s = {.t = f->trees[i], .arena = arena, .max = max};
        bool sorted = !globs || globs->len == 1;
        if (!globs)
            graphite__tree_all(&s);
        for (size_t k = 0; globs && k < globs->len && !s.over; k++) {
            graphite__tree_find(&s, globs->items[k]);
            sorted &= slice_find(globs->items[k], SLICE("**")) < 0;
        }
        if (!sorted && s.found.len)
            qsort(s.found.items, s.found.len, sizeof(*s.found.items), by_node);
        if (out->len || !sorted)
            merge_lists(out, s.found.items, s.found.len);
        else {
            out->items = s.found.items;
            out->len = s.found.len;
            out->cap = s.found.cap;
            memset(&s.found, 0, sizeof(s.found));
        }
        over = s.over || (max && out->len > max);
        vec_free(&s.found);
        buf_deinit(&s.path);
    }
    unref(f);
    return !over;
}

int graphite_index_find(struct graphite_index *x, struct slice tenant, struct slice glob,
                        size_t max, struct arena *arena, struct graphite_node **out,
                        size_t *out_count, struct diag *diag)
{
    graphite__globs globs = {0};
    node_list found = {0};
    struct arena *scratch = arena_new(0, NULL);
    int err = 0;
    graphite__glob_expand(glob, scratch, &globs);
    if (!search(x, tenant, &globs, max, arena, &found))
        err = diag_set(diag, ERR_LIMIT,
                       "%.*s matches more than %zu paths; limits.query.series moves this limit",
                       SLICE_FMT(slice_first(glob, 200)), max);
    *out = arena_dup(arena, found.items, found.len * sizeof(**out));
    if (!*out && !err)
        err = diag_set(diag, ERR_NOMEM, "the paths take more than limits.query.memory");
    *out_count = *out ? found.len : 0;
    vec_free(&found);
    vec_free(&globs);
    arena_free(scratch);
    return err;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

int graphite_index_all(struct graphite_index *x, struct slice tenant, struct arena *arena,
                       struct slice **out, size_t *out_count)
{
    node_list found = {0};
    bool whole = search(x, tenant, NULL, 0, arena, &found);
    struct slice *paths = arena_alloc(arena, (found.len + 1) * sizeof(*paths));
    *out_count = 0;
    for (size_t i = 0; paths && i < found.len; i++)
        paths[(*out_count)++] = found.items[i].path;
    if (*out_count)
        qsort(paths, *out_count, sizeof(*paths), by_bytes);
    *out = paths;
    vec_free(&found);
    return paths && whole ? 0 : ERR_NOMEM;
}
