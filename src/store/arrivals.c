/* Series that came: for those who keep an index of their names, so that they need not ask for all
 * of them again. Places in the head are noted as they are taken; what the place holds is looked up
 * when somebody asks. */
#include "store/store_priv.h"

#define KEPT 262144 /* notes of eight bytes */

/* The shard's lock is held. */
void store__arrived(struct store *s, const struct store__shard *shard, uint32_t slot)
{
    struct store__arrivals *a = &s->arrivals;
    uint64_t place = (uint64_t)(shard - s->shards) << 32 | slot;
    pthread_mutex_lock(&a->lock);
    if (a->places.len == KEPT) {
        memmove(a->places.items, a->places.items + KEPT / 2, KEPT / 2 * sizeof(*a->places.items));
        a->places.len -= KEPT / 2;
    }
    vec_push(&a->places, place);
    a->number++;
    pthread_mutex_unlock(&a->lock);
}

/* Places mean other series now, or none: whoever has not looked at them yet looks at everything. */
void store__arrivals_forget(struct store *s)
{
    pthread_mutex_lock(&s->arrivals.lock);
    s->arrivals.places.len = 0;
    pthread_mutex_unlock(&s->arrivals.lock);
}

void store__arrivals_lost(struct store *s)
{
    pthread_mutex_lock(&s->arrivals.lock);
    s->arrivals.losses++;
    pthread_mutex_unlock(&s->arrivals.lock);
}

static bool labels_at(const struct store_shard *sh, uint32_t slot, struct slice tenant,
                      struct arena *arena, struct data_labels *out)
{
    const struct store_series *series = slot < sh->slots ? store_shard_series(sh, slot) : NULL;
    if (!series || !slice_eq(sh->pairs.items[series->pairs[0]].value, tenant))
        return false;
    struct data_label *items = ARENA_ARRAY(arena, struct data_label, series->pair_count);
    for (uint32_t i = 1; i < series->pair_count; i++) {
        const struct store_head_pair *p = &sh->pairs.items[series->pairs[i]];
        items[i - 1] = (struct data_label){sh->names.items[p->name].name, p->value};
    }
    *out = (struct data_labels){items, series->pair_count - 1};
    return true;
}

int store__source_arrivals(struct store_source *src, struct slice tenant,
                           struct store_arrivals_cursor *cursor,
                           void (*each)(void *ctx, struct data_labels labels), void *ctx)
{
    struct store *s = BASE_CONTAINER_OF(src, struct store, source);
    struct store__arrivals *a = &s->arrivals;
    pthread_mutex_lock(&a->lock);
    uint64_t fresh = a->number - cursor->number;
    bool known = cursor->number && cursor->losses == a->losses && fresh <= a->places.len;
    *cursor = (struct store_arrivals_cursor){a->number, a->losses};
    uint64_t *places = NULL;
    if (known && fresh) {
        places = mem_alloc(fresh * sizeof(*places));
        memcpy(places, a->places.items + a->places.len - fresh, fresh * sizeof(*places));
    }
    pthread_mutex_unlock(&a->lock);
    if (!known)
        return ERR_AGAIN;
    struct arena *arena = fresh ? arena_new(0, NULL) : NULL;
    for (uint64_t i = 0; i < fresh; i++) {
        struct store__shard *shard = &s->shards[places[i] >> 32];
        struct data_labels labels;
        pthread_mutex_lock(&shard->lock);
        if (labels_at(&shard->head, (uint32_t)places[i], tenant, arena, &labels))
            each(ctx, labels);
        pthread_mutex_unlock(&shard->lock);
        arena_reset(arena);
    }
    arena_free(arena);
    mem_free(places);
    return 0;
}
