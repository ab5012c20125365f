#include "query/match.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"

#define SIGNED_BYTES ((uint64_t)64) /* of a row: its numbers, and its signature in the map */

struct data_labels query__signature(struct query_exec *x, const struct query_node *n,
                                    struct data_labels labels)
{
    return n->on ? query__keep_labels(x, labels, n->matching, n->matching_count)
                 : query__remove_labels(x, labels, n->matching, n->matching_count, true);
}

static bool decides(const struct query_node *n, struct slice name)
{
    bool named = false;
    for (size_t i = 0; i < n->matching_count && !named; i++)
        named = slice_eq(name, n->matching[i]);
    return n->on ? named : !named && !slice_eq_cstr(name, DATA_METRIC_NAME);
}

static void sign(struct query__match *m, struct query__side *side, struct map *ids)
{
    struct buf key = {0};
    VEC(struct data_label) kept = {0};
    for (size_t i = 0; i < side->grid->count; i++) {
        struct data_labels labels = side->grid->rows[i].labels;
        bool added;
        buf_clear(&key);
        vec_clear(&kept);
        for (size_t k = 0; k < labels.count; k++) {
            if (decides(m->n, labels.items[k].name))
                vec_push(&kept, labels.items[k]);
        }
        struct hash128 id = query__labels_id((struct data_labels){kept.items, kept.len}, &key);
        struct map_entry *e = map_put(ids, slice_make(&id, sizeof(id)), &added);
        if (added)
            e->value.u64 = m->count++;
        side->ids[i] = (uint32_t)e->value.u64;
    }
    vec_free(&kept);
    buf_deinit(&key);
}

static void sort(const struct query__match *m, struct query__side *side)
{
    /* Counted two places further on, a signature's begin moves while its rows are put, and ends up
     * where the next one begins. */
    side->begin = mem_calloc(m->count + 2, sizeof(*side->begin));
    for (size_t i = 0; i < side->grid->count; i++)
        side->begin[side->ids[i] + 2]++;
    for (size_t id = 2; id < m->count + 2; id++)
        side->begin[id] += side->begin[id - 1];
    for (size_t i = 0; i < side->grid->count; i++)
        side->rows[side->begin[side->ids[i] + 1]++] = (uint32_t)i;
}

int query__match_init(struct query_exec *x, const struct query_node *n, struct query_grid *first,
                      struct query_grid *second, struct query__match *out)
{
    *out = (struct query__match){.x = x, .n = n, .side = {{.grid = first}, {.grid = second}}};
    uint64_t charge = (first->count + second->count) * SIGNED_BYTES;
    int err = query__charge(x, charge);
    if (err)
        return err;
    out->charged = charge;
    struct map *ids = map_new();
    for (int i = 0; i < 2; i++) {
        struct query__side *side = &out->side[i];
        side->ids = mem_alloc(side->grid->count * sizeof(*side->ids));
        side->rows = mem_alloc(side->grid->count * sizeof(*side->rows));
        sign(out, side, ids);
    }
    map_free(ids);
    for (int i = 0; i < 2; i++)
        sort(out, &out->side[i]);
    return 0;
}

void query__match_free(struct query__match *m)
{
    for (int i = 0; i < 2; i++) {
        mem_free(m->side[i].ids);
        mem_free(m->side[i].rows);
        mem_free(m->side[i].begin);
    }
    query__give_back(m->x, m->charged);
}
