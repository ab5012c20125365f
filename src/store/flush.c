/* Flush: what is pending in the head becomes parts, one a day. */
#include <stdlib.h>

#include "codec/bytes.h"
#include "store/store_priv.h"

#define IDLE_SERIES_S 3600
#define DAYS_AT_A_TIME                                                                             \
    64 /* files open at once; late data of more days takes more than one pass                      \
        */

struct row {
    struct store_series *series;
    uint32_t at, count; /* in ordinals */
    uint32_t shard, slot;
};

struct flush {
    struct store *s;
    VEC(struct row) rows;
    VEC(uint32_t) ordinals;
    struct store_pairs pairs;
};

static int by_slot(const void *a, const void *b)
{
    const struct store_head_exemplar *x = a, *y = b;
    return (x->slot > y->slot) - (x->slot < y->slot);
}

/* The series of one shard that have something to flush, with their pairs by the shard's numbers. */
static void gather(struct flush *f, uint32_t shard)
{
    struct store_shard *head = &f->s->shards[shard].head;
    store_head_exemplar_list *e = &head->flushing_exemplars;
    size_t next = 0;
    if (e->len)
        qsort(e->items, e->len, sizeof(*e->items), by_slot);
    for (uint32_t slot = 0; slot < head->slots; slot++) {
        struct store_series *series = store_shard_series(head, slot);
        while (next < e->len && e->items[next].slot < slot)
            next++;
        if (!series || (!series->flushing && !(next < e->len && e->items[next].slot == slot)))
            continue;
        vec_push(&f->rows, ((struct row){series, (uint32_t)f->ordinals.len, series->pair_count,
                                         shard, slot}));
        vec_reserve(&f->ordinals, series->pair_count);
        memcpy(f->ordinals.items + f->ordinals.len, series->pairs,
               series->pair_count * sizeof(uint32_t));
        f->ordinals.len += series->pair_count;
    }
}

/* Labels as they are at this moment: the strings stay where they are, the lists may move. */
static struct store__label_list copy_labels(const struct store_shard *head)
{
    struct data_label *labels = mem_alloc(head->pairs.len * sizeof(*labels));
    for (size_t i = 0; i < head->pairs.len; i++) {
        const struct store_head_pair *p = &head->pairs.items[i];
        labels[i] = (struct data_label){head->names.items[p->name].name, p->value};
    }
    return (struct store__label_list){labels, head->pairs.len};
}

/* qsort hands its comparison nothing but the rows. */
static _Thread_local const uint32_t *sorting;

static int by_ordinals(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    return store_ordinals_cmp(sorting + x->at, x->count, sorting + y->at, y->count);
}

static void collect(struct flush *f)
{
    struct store *s = f->s;
    struct store__label_list *lists = mem_calloc(s->shard_count, sizeof(*lists));
    uint32_t **map = mem_calloc(s->shard_count, sizeof(*map));
    for (uint32_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        gather(f, i);
        lists[i] = copy_labels(&s->shards[i].head);
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    store__pairs_union(lists, s->shard_count, &f->pairs, map);
    for (size_t i = 0; i < f->rows.len; i++) {
        const struct row *row = &f->rows.items[i];
        uint32_t *o = f->ordinals.items + row->at;
        for (uint32_t k = 0; k < row->count; k++)
            o[k] = map[row->shard][o[k]];
    }
    for (size_t i = 0; i < s->shard_count; i++) {
        mem_free((void *)(uintptr_t)lists[i].labels);
        mem_free(map[i]);
    }
    mem_free(lists);
    mem_free(map);
    sorting = f->ordinals.items;
    if (f->rows.len)
        qsort(f->rows.items, f->rows.len, sizeof(*f->rows.items), by_ordinals);
}

static void exemplars_of(const struct flush *f, const struct row *row,
                         store_part_exemplar_list *out)
{
    const store_head_exemplar_list *e = &f->s->shards[row->shard].head.flushing_exemplars;
    size_t lo = 0, hi = e->len;
    vec_clear(out);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (e->items[mid].slot < row->slot)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < e->len && e->items[lo].slot == row->slot; lo++)
        vec_push(out, ((struct store_part_exemplar){e->items[lo].ts, e->items[lo].value,
                                                    e->items[lo].labels}));
    out->len = store__exemplars_sort(out->items, out->len);
}

static int write_days(struct flush *f, struct store__output *o, struct diag *diag)
{
    struct store_run run = {0};
    store_part_exemplar_list exemplars = {0};
    int err = 0;
    for (size_t i = 0; i < f->rows.len && !err; i++) {
        const struct row *row = &f->rows.items[i];
        const struct store_tail *tail = row->series->flushing;
        store_run_clear(&run);
        exemplars_of(f, row, &exemplars);
        if (tail && store__day_of(store_tail_t_max(tail)) >= o->day_from) {
            unsigned facts = 0;
            err = store_tail_read(tail, &run, &facts);
            store_run_sort(&run);
        }
        if (!err)
            err = store__output_series(o, f->ordinals.items + row->at, row->count, &run,
                                       exemplars.items, exemplars.len, diag);
    }
    store_run_free(&run);
    vec_free(&exemplars);
    return err;
}

/* Sorting by slot moves exemplars of readers; both hold the shard's lock, and what is set aside
 * changes no more after that. Series are only dropped on this thread. */
int store__flush(struct store *s, struct diag *diag)
{
    int64_t begun = s->os->ops->monotonic_ns(s->os);
    struct flush f = {.s = s};
    store__part_list fresh = {0}, none = {0};
    for (size_t i = 0; i < s->shard_count; i++)
        pthread_mutex_lock(&s->shards[i].lock);
    uint64_t low_water = store_wal_rotate(s->wal);
    for (size_t i = 0; i < s->shard_count; i++)
        store_shard_set_aside(&s->shards[i].head);
    for (size_t i = 0; i < s->shard_count; i++)
        pthread_mutex_unlock(&s->shards[i].lock);
    collect(&f);
    struct store__output o = {
        .s = s, .pairs = &f.pairs, .order = s->manifest.next_id, .next_day = INT64_MAX};
    int err = 0;
    for (size_t i = 0; i < s->shard_count; i++) {
        const struct store_shard *head = &s->shards[i].head;
        if (head->flushing_t_min <= head->flushing_t_max)
            o.next_day = MIN(o.next_day, store__day_of(head->flushing_t_min));
    }
    while (!err && o.next_day != INT64_MAX) {
        o.day_from = o.next_day;
        o.day_to = o.day_from + DAYS_AT_A_TIME;
        o.next_day = INT64_MAX;
        err = write_days(&f, &o, diag);
        err = store__output_finish(&o, err, &fresh, diag);
    }
    if (!err) {
        store__metadata_pack(s, &s->manifest.metadata);
        err = store__replace_parts(s, &fresh, &none, low_water, diag);
        if (err)
            store__let_go(&fresh);
    }
    if (!err) {
        int64_t now_s = s->os->ops->now_ns(s->os) / NS_PER_SEC;
        for (size_t i = 0; i < s->shard_count; i++) {
            pthread_mutex_lock(&s->shards[i].lock);
            store_shard_flushed(&s->shards[i].head);
            size_t evicted = store_shard_evict(
                &s->shards[i].head, now_s > IDLE_SERIES_S ? (uint32_t)(now_s - IDLE_SERIES_S) : 0);
            s->series_count -= evicted;
            if (evicted)
                store__arrivals_forget(s);
            pthread_mutex_unlock(&s->shards[i].lock);
        }
        counter_set(&store__counters[STORE__SERIES], (int64_t)s->series_count);
        store_wal_release(s->wal, store_manifest_low_water(&s->manifest));
        counter_add(&store__counters[STORE__FLUSHES], 1);
        for (size_t i = 0; i < fresh.len; i++)
            counter_add(&store__counters[STORE__FLUSH_BYTES],
                        (int64_t)store_part_info(fresh.items[i])->bytes);
        counter_add(&store__counters[STORE__FLUSH_NS], s->os->ops->monotonic_ns(s->os) - begun);
        vec_free(&fresh);
    }
    vec_free(&f.rows);
    vec_free(&f.ordinals);
    vec_free(&f.pairs.items);
    return err;
}
