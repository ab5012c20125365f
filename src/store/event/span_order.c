/* Spans in the order of their tree. Parents may be missing, twice there, or their own ancestors. */
#include <stdlib.h>

#include "base/hash.h"
#include "codec/bytes.h"
#include "store/event/events_priv.h"

#define NONE UINT32_MAX

static int by_trace(const void *a, const void *b)
{
    const struct store__span_key *x = a, *y = b;
    int c = memcmp(x->trace, y->trace, 16);
    if (c)
        return c;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    c = memcmp(x->span, y->span, 8);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

struct trace {
    size_t begin, count;
    int64_t start;
    const char *id;
};

static int by_start(const void *a, const void *b)
{
    const struct trace *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return memcmp(x->id, y->id, 16);
}

/* One trace's spans, by start. */
struct tree {
    const struct store__span_key *keys;
    uint32_t count;
    uint32_t *first_child, *next_sibling, *last_child; /* children by start */
    uint32_t *stack, *stack_at;
    bool *done;
    uint32_t *order, *descendants, *depth; /* results */
    uint32_t placed;
};

static void link_children(struct tree *t)
{
    size_t size = 16;
    while (size < (size_t)t->count * 2)
        size *= 2;
    uint32_t *table = mem_calloc(size, sizeof(*table));
    for (uint32_t i = 0; i < t->count; i++) {
        size_t at = hash_u64(codec_load64(t->keys[i].span)) & (size - 1);
        while (table[at] && memcmp(t->keys[table[at] - 1].span, t->keys[i].span, 8) != 0)
            at = (at + 1) & (size - 1);
        if (!table[at])
            table[at] = i + 1;
        t->first_child[i] = t->next_sibling[i] = t->last_child[i] = NONE;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        t->done[i] = false;
        if (!t->keys[i].has_parent)
            continue;
        size_t at = hash_u64(codec_load64(t->keys[i].parent)) & (size - 1);
        while (table[at] && memcmp(t->keys[table[at] - 1].span, t->keys[i].parent, 8) != 0)
            at = (at + 1) & (size - 1);
        if (!table[at] || table[at] - 1 == i)
            continue;
        uint32_t parent = table[at] - 1;
        if (t->first_child[parent] == NONE)
            t->first_child[parent] = i;
        else
            t->next_sibling[t->last_child[parent]] = i;
        t->last_child[parent] = i;
        t->done[i] = true; /* for now: it has a parent */
    }
    mem_free(table);
}

/* Depth first without recursion: traces can be as deep as they are long. */
static void visit(struct tree *t, uint32_t root)
{
    uint32_t depth = 0;
    t->done[root] = true;
    t->stack[0] = root;
    t->stack_at[0] = t->placed;
    t->depth[t->placed] = 0;
    t->order[t->placed++] = root;
    uint32_t next = t->first_child[root];
    for (;;) {
        while (next != NONE && t->done[next])
            next = t->next_sibling[next];
        if (next != NONE) {
            depth++;
            t->done[next] = true;
            t->stack[depth] = next;
            t->stack_at[depth] = t->placed;
            t->depth[t->placed] = depth;
            t->order[t->placed++] = next;
            next = t->first_child[next];
            continue;
        }
        t->descendants[t->stack_at[depth]] = t->placed - t->stack_at[depth] - 1;
        if (!depth)
            return;
        next = t->next_sibling[t->stack[depth]];
        depth--;
    }
}

static void sort_trace(struct store__span_key *keys, uint32_t count, struct store__span_key *out,
                       uint32_t *descendants, uint32_t *depth)
{
    uint32_t *room = mem_alloc((size_t)count * 8 * sizeof(*room));
    bool *flags = mem_alloc((size_t)count * 2);
    struct tree t = {.keys = keys,
                     .count = count,
                     .first_child = room,
                     .next_sibling = room + count,
                     .last_child = room + 2 * (size_t)count,
                     .stack = room + 3 * (size_t)count,
                     .stack_at = room + 4 * (size_t)count,
                     .order = room + 5 * (size_t)count,
                     .descendants = room + 6 * (size_t)count,
                     .depth = room + 7 * (size_t)count,
                     .done = flags};
    bool *has_parent = flags + count;
    link_children(&t);
    memcpy(has_parent, t.done, count);
    memset(t.done, 0, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!has_parent[i])
            visit(&t, i);
    }
    /* What is left has a parent, but no root above: a circle. */
    for (uint32_t i = 0; i < count; i++) {
        if (!t.done[i])
            visit(&t, i);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = keys[t.order[i]];
        if (descendants)
            descendants[i] = t.descendants[i];
        if (depth)
            depth[i] = t.depth[i];
    }
    mem_free(room);
    mem_free(flags);
}

void store__spans_sort(struct store__span_key *keys, size_t count, uint32_t *descendants,
                       uint32_t *depth)
{
    VEC(struct trace) traces = {0};
    if (!count)
        return;
    struct store__span_key *out = mem_alloc(count * sizeof(*out));
    qsort(keys, count, sizeof(*keys), by_trace);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && memcmp(keys[i].trace, keys[end].trace, 16) == 0; end++) {
        }
        vec_push(&traces, ((struct trace){i, end - i, keys[i].ts, keys[i].trace}));
    }
    qsort(traces.items, traces.len, sizeof(*traces.items), by_start);
    size_t at = 0;
    for (size_t i = 0; i < traces.len; i++) {
        sort_trace(keys + traces.items[i].begin, (uint32_t)traces.items[i].count, out + at,
                   descendants ? descendants + at : NULL, depth ? depth + at : NULL);
        at += traces.items[i].count;
    }
    memcpy(keys, out, count * sizeof(*keys));
    mem_free(out);
    vec_free(&traces);
}
