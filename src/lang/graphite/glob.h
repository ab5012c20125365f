/* Parts of globs, for the tree of paths. */
#ifndef LANG_GRAPHITE_GLOB_H
#define LANG_GRAPHITE_GLOB_H

#include "base/arena.h"
#include "base/vec.h"
#include "lang/graphite/graphite.h"

typedef VEC(struct slice) graphite__globs;

bool graphite__node_match(struct slice glob, struct slice node);
/* Length of the first node: up to a dot that is in no brace. */
size_t graphite__glob_node(struct slice glob);
/* Globs without dots in braces; at most about 1000. */
void graphite__glob_expand(struct slice glob, struct arena *arena, graphite__globs *out);

#endif
