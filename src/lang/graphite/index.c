/* The tree of paths. Built from the sorted list of a tenant's paths, so that the children of a node
 * lie side by side and in order: a literal node is found by halving, a glob looks at one level's
 * names only, and nothing walks series.
 *
 * A node is 16 bytes and the names lie once each in one block of text: 1,000,000 paths of six nodes
 * take about 40 MB. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "lang/graphite/glob.h"

struct node {
    uint32_t name;             /* offset in names */
    uint32_t child;            /* first, in nodes */
    uint32_t child_count : 31; /* they lie in order */
    uint32_t leaf : 1;
    uint32_t len;
};

struct tree {
    _Atomic int refs;
    struct node *nodes; /* [0] is the root */
    size_t count, cap;
    struct buf names;
    size_t leaves;
    uint64_t changes;
    int64_t built_ns, cost_ns;
};

struct graphite_index {
    pthread_mutex_t lock; /* of the map and what it points to */
    pthread_mutex_t building;
    struct map *trees; /* by tenant */
};

struct graphite_index *graphite_index_new(void)
{
    struct graphite_index *x = mem_calloc(1, sizeof(*x));
    pthread_mutex_init(&x->lock, NULL);
    pthread_mutex_init(&x->building, NULL);
    x->trees = map_new();
    return x;
}

static void tree_unref(struct tree *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    mem_free(t->nodes);
    buf_deinit(&t->names);
    mem_free(t);
}

void graphite_index_free(struct graphite_index *x)
{
    size_t pos = 0;
    if (!x)
        return;
    for (struct map_entry *e; (e = map_next(x->trees, &pos));)
        tree_unref(e->value.ptr);
    map_free(x->trees);
    pthread_mutex_destroy(&x->lock);
    pthread_mutex_destroy(&x->building);
    mem_free(x);
}

static struct tree *pin(struct graphite_index *x, struct slice tenant)
{
    pthread_mutex_lock(&x->lock);
    struct map_entry *e = map_get(x->trees, tenant);
    struct tree *t = e ? e->value.ptr : NULL;
    if (t)
        atomic_fetch_add(&t->refs, 1);
    pthread_mutex_unlock(&x->lock);
    return t;
}

/* --- building --- */

/* By nodes: a dot sorts before every other character, so that a.b comes before a-x. */
static int by_path(const void *a, const void *b)
{
    struct slice x = *(const struct slice *)a, y = *(const struct slice *)b;
    size_t n = MIN(x.len, y.len);
    for (size_t i = 0; i < n; i++) {
        unsigned char p = (unsigned char)x.ptr[i], q = (unsigned char)y.ptr[i];
        if (p != q)
            return (p == '.' ? 0 : p) - (q == '.' ? 0 : q);
    }
    return (x.len > y.len) - (x.len < y.len);
}

static size_t node_len(struct slice path, size_t from)
{
    const char *dot = memchr(path.ptr + from, '.', path.len - from);
    return dot ? (size_t)(dot - path.ptr) - from : path.len - from;
}

static uint32_t room(struct tree *t, size_t count)
{
    if (t->count + count > t->cap) {
        t->cap = MAX(t->count + count, t->cap * 2);
        t->nodes = mem_realloc(t->nodes, t->cap * sizeof(*t->nodes));
    }
    uint32_t at = (uint32_t)t->count;
    memset(t->nodes + at, 0, count * sizeof(*t->nodes));
    t->count += count;
    return at;
}

/* Names are used again: host numbers and the like occur at many places. */
static uint32_t name_at(struct tree *t, struct map *seen, struct slice name)
{
    bool added;
    struct map_entry *e = map_put(seen, name, &added);
    if (added) {
        e->value.u64 = t->names.len;
        buf_append_slice(&t->names, name);
    }
    return (uint32_t)e->value.u64;
}

/* The children of `parent`: the paths in [lo, hi) share what is before `from`. */
static void build(struct tree *t, struct map *seen, const struct slice *paths, size_t lo, size_t hi,
                  size_t from, uint32_t parent)
{
    VEC(size_t) begins = {0};
    for (size_t i = lo; i < hi; i++) {
        struct slice p = paths[i];
        size_t n = node_len(p, from);
        if (begins.len) {
            struct slice q = paths[begins.items[begins.len - 1]];
            if (node_len(q, from) == n && memcmp(p.ptr + from, q.ptr + from, n) == 0)
                continue;
        }
        vec_push(&begins, i);
    }
    uint32_t first = room(t, begins.len);
    t->nodes[parent].child = first;
    t->nodes[parent].child_count = (uint32_t)begins.len & 0x7fffffff;
    for (size_t k = 0; k < begins.len; k++) {
        size_t begin = begins.items[k], end = k + 1 < begins.len ? begins.items[k + 1] : hi;
        struct slice p = paths[begin];
        size_t n = node_len(p, from);
        uint32_t name = name_at(t, seen, slice_make(p.ptr + from, n));
        struct node *node = &t->nodes[first + k];
        node->name = name;
        node->len = (uint32_t)n;
        while (begin < end && paths[begin].len == from + n) { /* the path itself comes first */
            node->leaf = 1;
            begin++;
        }
        t->leaves += node->leaf;
        if (begin < end)
            build(t, seen, paths, begin, end, from + n + 1, first + (uint32_t)k);
    }
    vec_free(&begins);
}

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

#define NODES_MAX 512 /* of one path: deeper ones would nest too far, and are left out */

static size_t node_count(struct slice path)
{
    size_t n = 1;
    for (size_t i = 0; i < path.len; i++)
        n += path.ptr[i] == '.';
    return n;
}

static int make(struct store_source *source, struct slice tenant, const _Atomic bool *cancelled,
                struct tree **out, struct diag *diag)
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
    uint64_t changes = source->ops->changes ? source->ops->changes(source) : 0;
    int err = source->ops->select(source, &req, &sel, diag);
    if (err)
        return err;
    size_t count = source->ops->selection_count(sel), n = 0;
    struct arena *arena = arena_new(1 << 20, NULL);
    struct slice *paths = mem_alloc((count + 1) * sizeof(*paths));
    struct buf path = {0};
    for (size_t i = 0; i < count; i++) {
        buf_clear(&path);
        if (graphite_path_of(source->ops->selection_labels(sel, i), &path) &&
            node_count(buf_slice(&path)) <= NODES_MAX)
            paths[n++] = arena_slice(arena, buf_slice(&path));
    }
    source->ops->selection_free(sel);
    buf_deinit(&path);
    if (n)
        qsort(paths, n, sizeof(*paths), by_path);
    struct tree *t = mem_calloc(1, sizeof(*t));
    struct map *seen = map_new();
    t->refs = 1;
    t->changes = changes;
    room(t, 1);
    if (n)
        build(t, seen, paths, 0, n, 0, 0);
    map_free(seen);
    mem_free(paths);
    arena_free(arena);
    t->nodes = mem_realloc(t->nodes, t->count * sizeof(*t->nodes));
    t->built_ns = monotonic_ns();
    t->cost_ns = t->built_ns - begin;
    *out = t;
    return 0;
}

static bool is_fresh(const struct tree *t, struct store_source *source)
{
    if (!t)
        return false;
    if (source->ops->changes && source->ops->changes(source) == t->changes)
        return true;
    return monotonic_ns() - t->built_ns < 20 * t->cost_ns;
}

int graphite_index_refresh(struct graphite_index *x, struct store_source *source,
                           struct slice tenant, const _Atomic bool *cancelled, struct diag *diag)
{
    struct tree *t = pin(x, tenant);
    bool fresh = is_fresh(t, source);
    tree_unref(t);
    if (fresh)
        return 0;
    pthread_mutex_lock(&x->building);
    t = pin(x, tenant);
    fresh = is_fresh(t, source); /* somebody else may have made it meanwhile */
    tree_unref(t);
    t = NULL;
    int err = fresh ? 0 : make(source, tenant, cancelled, &t, diag);
    if (t) {
        pthread_mutex_lock(&x->lock);
        struct map_entry *e = map_put(x->trees, tenant, NULL);
        struct tree *old = e->value.ptr;
        e->value.ptr = t;
        pthread_mutex_unlock(&x->lock);
        tree_unref(old);
    }
    pthread_mutex_unlock(&x->building);
    return err;
}

/* --- finding --- */

struct search {
    const struct tree *t;
    struct arena *arena;
    struct buf path;
    size_t max;
    bool over;
    VEC(struct graphite_node) found;
};

static struct slice name_of(const struct tree *t, const struct node *n)
{
    return slice_make(t->names.ptr + n->name, n->len);
}

static void found(struct search *s, const struct node *n)
{
    if (s->max && s->found.len >= s->max) {
        s->over = true;
        return;
    }
    struct graphite_node out = {.path = arena_slice(s->arena, buf_slice(&s->path)),
                                .leaf = n->leaf,
                                .branch = n->child_count > 0};
    if (out.path.ptr)
        vec_push(&s->found, out);
    else
        s->over = true;
}

static void walk(struct search *s, uint32_t at, struct slice glob, bool any_depth);

static void enter(struct search *s, const struct node *child, struct slice rest, bool last)
{
    size_t len = s->path.len;
    if (len)
        buf_append_char(&s->path, '.');
    buf_append_slice(&s->path, name_of(s->t, child));
    if (last)
        found(s, child);
    else if (child->child_count)
        walk(s, (uint32_t)(child - s->t->nodes), rest, false);
    s->path.len = len;
}

/* Every node below, the leaves among them: a glob that ends in `**`. */
static void everything(struct search *s, uint32_t at)
{
    const struct node *n = &s->t->nodes[at];
    for (uint32_t i = 0; i < n->child_count && !s->over; i++) {
        const struct node *child = &s->t->nodes[n->child + i];
        size_t len = s->path.len;
        if (len)
            buf_append_char(&s->path, '.');
        buf_append_slice(&s->path, name_of(s->t, child));
        if (child->leaf) {
            struct node leaf = *child;
            leaf.child_count = 0;
            found(s, &leaf);
        }
        if (child->child_count)
            everything(s, n->child + i);
        s->path.len = len;
    }
}

static const struct node *child_named(const struct tree *t, const struct node *n, struct slice name)
{
    uint32_t lo = 0, hi = n->child_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int c = slice_cmp(name_of(t, &t->nodes[n->child + mid]), name);
        if (!c)
            return &t->nodes[n->child + mid];
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void walk(struct search *s, uint32_t at, struct slice glob, bool any_depth)
{
    const struct node *n = &s->t->nodes[at];
    size_t len = graphite__glob_node(glob);
    struct slice node = slice_first(glob, len), rest = slice_from(glob, len + 1);
    bool last = len == glob.len;
    (void)any_depth;
    if (slice_eq(node, SLICE("**"))) {
        if (last) {
            everything(s, at);
            return;
        }
        walk(s, at, rest, false);
        for (uint32_t i = 0; i < n->child_count && !s->over; i++)
            enter(s, &s->t->nodes[n->child + i], glob, false);
        return;
    }
    if (graphite_glob_is_plain(node)) {
        const struct node *child = child_named(s->t, n, node);
        if (child)
            enter(s, child, rest, last);
        return;
    }
    bool all = slice_eq(node, SLICE("*"));
    for (uint32_t i = 0; i < n->child_count && !s->over; i++) {
        const struct node *child = &s->t->nodes[n->child + i];
        if (all || graphite__node_match(node, name_of(s->t, child)))
            enter(s, child, rest, last);
    }
}

static int by_node(const void *a, const void *b)
{
    return by_path(&((const struct graphite_node *)a)->path,
                   &((const struct graphite_node *)b)->path);
}

int graphite_index_find(struct graphite_index *x, struct slice tenant, struct slice glob,
                        size_t max, struct arena *arena, struct graphite_node **out,
                        size_t *out_count, struct diag *diag)
{
    struct search s = {.t = pin(x, tenant), .arena = arena, .max = max};
    graphite__globs globs = {0};
    struct arena *scratch = arena_new(0, NULL);
    int err = 0;
    graphite__glob_expand(glob, scratch, &globs);
    for (size_t i = 0; s.t && i < globs.len && !s.over; i++)
        walk(&s, 0, globs.items[i], false);
    if (s.over)
        err = diag_set(diag, ERR_LIMIT,
                       "%.*s matches more than %zu paths; limits.query.series moves this limit",
                       SLICE_FMT(slice_first(glob, 200)), max);
    size_t n = s.found.len;
    /* One walk finds in order and once; several may not. */
    if (n && (globs.len > 1 || slice_find(glob, SLICE("**")) >= 0)) {
        size_t kept = 0;
        qsort(s.found.items, n, sizeof(*s.found.items), by_node);
        for (size_t i = 0; i < n; i++) {
            if (!kept || !slice_eq(s.found.items[kept - 1].path, s.found.items[i].path))
                s.found.items[kept++] = s.found.items[i];
        }
        n = kept;
    }
    *out = arena_dup(arena, s.found.items, n * sizeof(**out));
    if (!*out && !err)
        err = diag_set(diag, ERR_NOMEM, "the paths take more than limits.query.memory");
    *out_count = *out ? n : 0;
    vec_free(&s.found);
    vec_free(&globs);
    buf_deinit(&s.path);
    arena_free(scratch);
    tree_unref((struct tree *)(uintptr_t)s.t);
    return err;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

int graphite_index_all(struct graphite_index *x, struct slice tenant, struct arena *arena,
                       struct slice **out, size_t *out_count)
{
    struct search s = {.t = pin(x, tenant), .arena = arena};
    if (s.t)
        everything(&s, 0);
    struct slice *paths = arena_alloc(arena, (s.found.len + 1) * sizeof(*paths));
    *out_count = 0;
    for (size_t i = 0; paths && i < s.found.len; i++)
        paths[(*out_count)++] = s.found.items[i].path;
    if (*out_count)
        qsort(paths, *out_count, sizeof(*paths), by_bytes);
    *out = paths;
    bool short_of = !paths || s.over;
    vec_free(&s.found);
    buf_deinit(&s.path);
    tree_unref((struct tree *)(uintptr_t)s.t);
    return short_of ? ERR_NOMEM : 0;
}
