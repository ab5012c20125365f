/* An immutable tree of paths; what the index of a tenant is made of. */
#ifndef LANG_GRAPHITE_TREE_H
#define LANG_GRAPHITE_TREE_H

#include "base/vec.h"
#include "lang/graphite/glob.h"

struct graphite__tree;

/* By nodes: a dot sorts before every other character, so that a.b comes before a-x. Of slices. */
int graphite__by_path(const void *a, const void *b);

/* Sorts the paths; they may be there twice. */
struct graphite__tree *graphite__tree_new(struct slice *paths, size_t count);
void graphite__tree_ref(struct graphite__tree *t);
void graphite__tree_unref(struct graphite__tree *t); /* NULL is fine */
size_t graphite__tree_leaves(const struct graphite__tree *t);
size_t graphite__tree_bytes(const struct graphite__tree *t);
/* Is it a leaf? */
bool graphite__tree_has(const struct graphite__tree *t, struct slice path);

struct graphite__search {
    const struct graphite__tree *t;
    struct arena *arena; /* of the paths */
    struct buf path;
    size_t max; /* 0 = unlimited */
    bool over;  /* max, or the arena's budget */
    VEC(struct graphite_node) found;
};
/* Appends what the glob (without dots in braces) finds: in order and once, unless it has `**`. */
void graphite__tree_find(struct graphite__search *s, struct slice glob);
/* All leaves, in order; `branch` is not set. */
void graphite__tree_all(struct graphite__search *s);

#endif
