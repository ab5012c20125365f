/* What flush, merge and deletion share: parts being written, and the order of rows in them. */
#include <stdio.h>
#include <stdlib.h>

#include "store/event/events_priv.h"

int store__event_output_begin(struct store__event_output *o, int64_t day,
                              const struct store_part_stream *streams, size_t stream_count,
                              struct diag *diag)
{
    struct store *s = o->e->s;
    char path[4300];
    o->info = (struct store_event_part_info){
        .id = store__event_next_id(s), .order = o->order, .level = o->level, .day = day};
    store__event_part_path(s, o->info.id, path, sizeof(path));
    int err = store_event_part_create(s->os, path, o->e->table, streams, stream_count,
                                      o->zstd_level, &o->writer, diag);
    if (err)
        s->os->ops->unlink(s->os, path, NULL);
    return err;
}

int store__event_output_end(struct store__event_output *o, int err, struct diag *diag)
{
    struct store *s = o->e->s;
    char path[4300];
    struct store_event_part *part = NULL;
    store__event_part_path(s, o->info.id, path, sizeof(path));
    if (err)
        store_event_writer_abandon(o->writer);
    else
        err = store_event_writer_finish(o->writer, &o->info, diag);
    o->writer = NULL;
    bool empty = !err && !o->info.rows;
    if (!err && !empty)
        err = store_event_part_open(s->os, path, &o->info, &part, diag);
    if (err || empty)
        s->os->ops->unlink(s->os, path, NULL);
    else
        vec_push(&o->fresh, part);
    return err;
}

int store__event_output_finish(struct store__event_output *o, int err, struct diag *diag)
{
    char dir[4200];
    struct store *s = o->e->s;
    snprintf(dir, sizeof(dir), "%s/events", s->config.dir);
    if (!err && o->fresh.len)
        err = s->os->ops->sync_dir(s->os, dir, diag);
    for (size_t i = 0; err && i < o->fresh.len; i++) {
        store_event_part_doom(o->fresh.items[i]);
        store_event_part_unref(o->fresh.items[i]);
    }
    if (err)
        vec_free(&o->fresh);
    return err;
}

/* --- order --- */

static int by_time(const void *a, const void *b)
{
    const struct store__event_ref *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_stream(const void *a, const void *b)
{
    const struct store__event_ref *x = a, *y = b;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    return by_time(a, b);
}

static bool is_sorted(const struct store__event_ref *refs, size_t count)
{
    size_t i = 1;
    while (i < count && by_time(&refs[i - 1], &refs[i]) <= 0)
        i++;
    return i >= count;
}

/* They are sorted by time: where streams are not too many, they are dealt out in one go. */
static void sort_by_stream(struct store__event_ref *refs, size_t count)
{
    uint32_t least = UINT32_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = MIN(least, refs[i].stream);
        most = MAX(most, refs[i].stream);
    }
    size_t streams = count ? (size_t)(most - least) + 1 : 0;
    if (streams > 4 * count) {
        qsort(refs, count, sizeof(*refs), by_stream);
        return;
    }
    size_t *at = mem_calloc(streams + 1, sizeof(*at));
    struct store__event_ref *sorted = mem_alloc(count * sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        at[refs[i].stream - least + 1]++;
    for (size_t i = 1; i <= streams; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < count; i++)
        sorted[at[refs[i].stream - least]++] = refs[i];
    memcpy(refs, sorted, count * sizeof(*refs));
    mem_free(sorted);
    mem_free(at);
}

/* Slices of time, each sorted by stream. */
static void arrange_lines(struct store__event_ref *refs, size_t count, store__end_list *ends)
{
    size_t begin = 0, raw = 0;
    if (!is_sorted(refs, count))
        qsort(refs, count, sizeof(*refs), by_time);
    for (size_t i = 0; i <= count; i++) {
        if (i == count || (i > begin && (i - begin == STORE_GROUP_ROWS_MAX ||
                                         raw + refs[i].bytes > STORE__GROUP_RAW_MAX))) {
            sort_by_stream(refs + begin, i - begin);
            vec_push(ends, i);
            begin = i;
            raw = 0;
        }
        if (i < count)
            raw += refs[i].bytes;
    }
}

/* Whole traces, as far as they fit. */
static void arrange_spans(struct store__event_ref *refs, size_t count, struct store__span_key *keys,
                          store__end_list *ends)
{
    struct store__event_ref *sorted = mem_alloc(count * sizeof(*sorted));
    size_t begin = 0, raw = 0;
    store__spans_sort(keys, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        sorted[i] = refs[keys[i].at];
    for (size_t i = 0, end; i < count; i = end) {
        size_t bytes = 0;
        for (end = i; end < count && end - i < STORE_GROUP_ROWS_MAX &&
                      memcmp(keys[i].trace, keys[end].trace, 16) == 0;
             end++)
            bytes += sorted[end].bytes;
        if (i > begin &&
            (end - begin > STORE_GROUP_ROWS_MAX || raw + bytes > STORE__GROUP_RAW_MAX)) {
            vec_push(ends, i);
            begin = i;
            raw = 0;
        }
        raw += bytes;
    }
    vec_push(ends, count);
    memcpy(refs, sorted, count * sizeof(*refs));
    mem_free(sorted);
}

void store__event_arrange(struct store__event_ref *refs, size_t count, struct store__span_key *keys,
                          store__end_list *ends)
{
    if (!count)
        return;
    if (keys)
        arrange_spans(refs, count, keys, ends);
    else
        arrange_lines(refs, count, ends);
}
