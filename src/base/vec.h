/* Typed growable arrays.
 *
 *     VEC(int64_t) times = {0};
 *     vec_push(&times, 42);
 *     for (size_t i = 0; i < times.len; i++) use(times.items[i]);
 *     vec_free(&times);
 *
 * Growth never fails (base/mem.h). Not thread-safe. */
#ifndef BASE_VEC_H
#define BASE_VEC_H

#include "base/mem.h"
#include "base/types.h"

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t len, cap;                                                                           \
    }

void vec_grow_(void **items, size_t *cap, size_t need, size_t item_size);

#define vec_reserve(v, extra)                                                                      \
    ((v)->len + (extra) > (v)->cap                                                                 \
         ? vec_grow_((void **)&(v)->items, &(v)->cap, (v)->len + (extra), sizeof(*(v)->items))     \
         : (void)0)
#define vec_push(v, x) (vec_reserve((v), 1), (v)->items[(v)->len++] = (x))
/* Appends a zeroed item and gives its address (valid until the next growth). */
#define vec_add(v)                                                                                 \
    (vec_reserve((v), 1), memset(&(v)->items[(v)->len], 0, sizeof(*(v)->items)),                   \
     &(v)->items[(v)->len++])
#define vec_pop(v)   ((v)->items[--(v)->len])
#define vec_clear(v) ((v)->len = 0)
#define vec_free(v)  (mem_free((v)->items), (v)->items = NULL, (v)->len = (v)->cap = 0)

#endif
