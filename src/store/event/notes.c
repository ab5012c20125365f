/* Notes beside rows: in memory and in the log they lie in blocks; once the rows of these are in
 * parts they lie in the manifest, which changes for both at once. There: { text key | text value
 * }*. */
#include <stdlib.h>

#include "base/map.h"
#include "codec/bytes.h"
#include "store/event/events_priv.h"

static int by_position(const void *a, const void *b)
{
    uint64_t x = (*(struct store_event_block *const *)a)->position,
             y = (*(struct store_event_block *const *)b)->position;
    return (x > y) - (x < y);
}

typedef VEC(struct data_event_note) note_list;

static void put(struct map *at, note_list *list, struct data_event_note note)
{
    bool added;
    struct map_entry *e = map_put(at, note.key, &added);
    if (added) {
        e->value.u64 = list->len;
        vec_push(list, note);
    }
    list->items[e->value.u64].value = note.value;
}

/* Those of `packed` and, later, of the blocks; texts stay where they are. Damaged ones end it. */
static void gather(struct slice packed, const store__event_block_list *blocks, note_list *out)
{
    struct map *at = map_new();
    struct data_event_note note;
    store__event_block_list sorted = {0};
    while (packed.len && codec_take_text(&packed, &note.key) &&
           codec_take_text(&packed, &note.value))
        put(at, out, note);
    for (size_t i = 0; i < blocks->len; i++) {
        if (blocks->items[i]->note_count)
            vec_push(&sorted, blocks->items[i]);
    }
    if (sorted.len)
        qsort(sorted.items, sorted.len, sizeof(*sorted.items), by_position);
    for (size_t i = 0; i < sorted.len; i++) {
        for (uint32_t k = 0; k < sorted.items[i]->note_count; k++)
            put(at, out, sorted.items[i]->notes[k]);
    }
    vec_free(&sorted);
    map_free(at);
}

void store__event_notes_fold(const store__event_block_list *blocks, struct buf *packed)
{
    note_list list = {0};
    struct buf next = {0};
    size_t any = 0;
    for (size_t i = 0; i < blocks->len; i++)
        any += blocks->items[i]->note_count;
    if (!any)
        return;
    gather(buf_slice(packed), blocks, &list);
    for (size_t i = 0; i < list.len; i++) {
        if (!list.items[i].value.len)
            continue;
        codec_append_varint(&next, list.items[i].key.len);
        buf_append_slice(&next, list.items[i].key);
        codec_append_varint(&next, list.items[i].value.len);
        buf_append_slice(&next, list.items[i].value);
    }
    vec_free(&list);
    buf_deinit(packed);
    *packed = next;
}

int store_event_notes(struct store *s, struct slice prefix, struct arena *arena,
                      struct data_event_note **out, size_t *out_count, struct diag *diag)
{
    struct store__event_view views[DATA_EVENT_TABLE_COUNT];
    store__event_block_list blocks = {0};
    note_list list = {0};
    struct buf packed = {0};
    *out_count = 0;
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        store__event_view_take(&s->events->tables[t], INT64_MIN, INT64_MAX, false, &views[t]);
        for (size_t i = 0; i < views[t].blocks.len; i++)
            vec_push(&blocks, views[t].blocks.items[i]);
    }
    pthread_mutex_lock(&s->maintain_lock);
    buf_append_slice(&packed, buf_slice(&s->manifest.notes));
    pthread_mutex_unlock(&s->maintain_lock);
    gather(buf_slice(&packed), &blocks, &list);
    struct data_event_note *notes = ARENA_ARRAY(arena, struct data_event_note, list.len);
    for (size_t i = 0; notes && i < list.len; i++) {
        if (list.items[i].value.len && slice_starts_with(list.items[i].key, prefix))
            notes[(*out_count)++] = (struct data_event_note){
                arena_slice(arena, list.items[i].key), arena_slice(arena, list.items[i].value)};
    }
    *out = notes;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        store__event_view_free(&views[t]);
    vec_free(&blocks);
    vec_free(&list);
    buf_deinit(&packed);
    return notes ? 0 : ERR_NOMEM;
}
