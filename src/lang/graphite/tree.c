/* One tree of paths. Built from a sorted list of them, so that the children of a node lie side by
 * side and in order: a literal node is found by halving, a glob looks at one level's names only.
 *
 * A node is 16 bytes and the names lie once each in one block of text: 1,000,000 paths of six nodes
 * take about 40 MB. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/tree.h"

struct node {
    uint32_t name;             /* offset in names */
    uint32_t child;            /* first, in nodes */
    uint32_t child_count : 31; /* they lie in order */
    uint32_t leaf : 1;
    uint32_t len;
};

struct graphite__tree {
    _Atomic int refs;
    struct node *nodes; /* [0] is the root */
    size_t count, cap;
    struct buf names;
    size_t leaves;
};

void graphite__tree_ref(struct graphite__tree *t)
{
    atomic_fetch_add(&t->refs, 1);
}

void graphite__tree_unref(struct graphite__tree *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    mem_free(t->nodes);
    buf_deinit(&t->names);
    mem_free(t);
}

size_t graphite__tree_leaves(const struct graphite__tree *t)
{
    return t->leaves;
}

size_t graphite__tree_bytes(const struct graphite__tree *t)
{
    return t->cap * sizeof(*t->nodes) + t->names.cap;
}

/* --- building --- */

/* By nodes: a dot sorts before every other character, so that a.b comes before a-x. */
int graphite__by_path(const void *a, const void *b)
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

static uint32_t room(struct graphite__tree *t, size_t count)
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
static uint32_t name_at(struct graphite__tree *t, struct map *seen, struct slice name)
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
static void build(struct graphite__tree *t, struct map *seen, const struct slice *paths, size_t lo,
                  size_t hi, size_t from, uint32_t parent)
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

struct graphite__tree *graphite__tree_new(struct slice *paths, size_t count)
{
    struct graphite__tree *t = mem_calloc(1, sizeof(*t));
    struct map *seen = map_new();
    t->refs = 1;
    room(t, 1);
    if (count) {
        qsort(paths, count, sizeof(*paths), graphite__by_path);
        build(t, seen, paths, 0, count, 0, 0);
    }
    map_free(seen);
    t->nodes = mem_realloc(t->nodes, t->count * sizeof(*t->nodes));
    t->cap = t->count;
    return t;
}

/* --- finding --- */

static struct slice name_of(const struct graphite__tree *t, const struct node *n)
{
    return slice_make(t->names.ptr + n->name, n->len);
}

static void found(struct graphite__search *s, const struct node *n)
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

static void walk(struct graphite__search *s, uint32_t at, struct slice glob);

static void enter(struct graphite__search *s, const struct node *child, struct slice rest,
                  bool last)
{
    size_t len = s->path.len;
    if (len)
        buf_append_char(&s->path, '.');
    buf_append_slice(&s->path, name_of(s->t, child));
    if (last)
        found(s, child);
    else if (child->child_count)
        walk(s, (uint32_t)(child - s->t->nodes), rest);
    s->path.len = len;
}

/* Every node below, the leaves among them: a glob that ends in `**`. */
static void everything(struct graphite__search *s, uint32_t at)
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

static const struct node *child_named(const struct graphite__tree *t, const struct node *n,
                                      struct slice name)
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

static void walk(struct graphite__search *s, uint32_t at, struct slice glob)
{
    const struct node *n = &s->t->nodes[at];
    size_t len = graphite__glob_node(glob);
    struct slice node = slice_first(glob, len), rest = slice_from(glob, len + 1);
    bool last = len == glob.len;
    if (slice_eq(node, SLICE("**"))) {
        if (last) {
            everything(s, at);
            return;
        }
        walk(s, at, rest);
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

void graphite__tree_find(struct graphite__search *s, struct slice glob)
{
    walk(s, 0, glob);
}

void graphite__tree_all(struct graphite__search *s)
{
    everything(s, 0);
}

bool graphite__tree_has(const struct graphite__tree *t, struct slice path)
{
    const struct node *n = &t->nodes[0];
    for (size_t from = 0; n && from <= path.len;) {
        size_t len = node_len(path, from);
        n = child_named(t, n, slice_make(path.ptr + from, len));
        from += len + 1;
    }
    return n && n->leaf;
}
