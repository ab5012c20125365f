/* What changed since when: for those who keep answers. Appends are noted by the earliest time in
 * them, rounded down, so that steady ingest leaves a note every few seconds of data. */
#include "store/store_priv.h"

#define GRAIN_NS (5 * NS_PER_SEC)
#define KEPT                                                                                       \
    4096 /* notes; whoever asks from further back is told that anything may have changed           \
          */

static int64_t round_down(int64_t t)
{
    int64_t past = t % GRAIN_NS;
    past += past < 0 ? GRAIN_NS : 0;
    return t < INT64_MIN + GRAIN_NS ? INT64_MIN : t - past;
}

/* Notes rise in number and in time: an earlier one at a later time tells nothing any more. */
void store__changed(struct store *s, int64_t from_ns)
{
    struct store__changes *c = &s->changes;
    from_ns = round_down(from_ns);
    pthread_mutex_lock(&c->lock);
    c->number++;
    while (c->notes.len && c->notes.items[c->notes.len - 1].from_ns >= from_ns)
        c->notes.len--;
    if (c->notes.len == KEPT) {
        c->forgotten = c->notes.items[KEPT / 2 - 1].number;
        memmove(c->notes.items, c->notes.items + KEPT / 2, KEPT / 2 * sizeof(*c->notes.items));
        c->notes.len -= KEPT / 2;
    }
    vec_push(&c->notes, ((struct store__change){c->number, from_ns}));
    pthread_mutex_unlock(&c->lock);
}

uint64_t store__source_changes(struct store_source *src)
{
    struct store__changes *c = &BASE_CONTAINER_OF(src, struct store, source)->changes;
    pthread_mutex_lock(&c->lock);
    uint64_t number = c->number;
    pthread_mutex_unlock(&c->lock);
    return number;
}

int64_t store__source_changed_from(struct store_source *src, uint64_t since)
{
    struct store__changes *c = &BASE_CONTAINER_OF(src, struct store, source)->changes;
    pthread_mutex_lock(&c->lock);
    size_t lo = 0, hi = c->notes.len;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c->notes.items[mid].number <= since)
            lo = mid + 1;
        else
            hi = mid;
    }
    int64_t from = since < c->forgotten ? INT64_MIN
                   : lo == c->notes.len ? INT64_MAX
                                        : c->notes.items[lo].from_ns;
    pthread_mutex_unlock(&c->lock);
    return from;
}
