/* The head: series in memory, found by id and by label, with the samples that are in no part yet.
 */
#include "base/assert.h"
#include "store/store_priv.h"
#include "text/regex.h"

struct store__shard *store__shard_of(struct store *s, struct hash128 id)
{
    return &s->shards[id.hi % s->shard_count];
}

struct hash128 store__series_id(struct slice tenant, struct hash128 id)
{
    if (!slice_eq_cstr(tenant, "default"))
        id.lo ^= hash64(tenant.ptr, tenant.len, 1);
    return id;
}

static size_t probe(const struct store__shard *shard, struct hash128 id)
{
    size_t mask = shard->table_size - 1, i = id.lo & mask;
    while (shard->table[i] && !hash128_eq(shard->table[i]->id, id))
        i = (i + 1) & mask;
    return i;
}

struct store__series *store__head_find(struct store__shard *shard, struct hash128 id)
{
    return shard->table_size ? shard->table[probe(shard, id)] : NULL;
}

static void rebuild_table(struct store__shard *shard)
{
    size_t size = 64;
    while (size < shard->series.len * 2)
        size *= 2;
    mem_free(shard->table);
    shard->table = mem_calloc(size, sizeof(*shard->table));
    shard->table_size = size;
    for (size_t i = 0; i < shard->series.len; i++)
        shard->table[probe(shard, shard->series.items[i]->id)] = shard->series.items[i];
}

static void index_series(struct store__shard *shard, struct store__series *series)
{
    for (size_t i = 0; i < series->labels.count; i++) {
        struct data_label l = series->labels.items[i];
        bool added;
        struct map_entry *e = map_put(shard->names, l.name, &added);
        if (added) {
            struct store__name_index *fresh = mem_calloc(1, sizeof(*fresh));
            fresh->values = map_new();
            e->value.ptr = fresh;
        }
        struct store__name_index *index = e->value.ptr;
        e = map_put(index->values, l.value, &added);
        if (added)
            e->value.ptr = mem_calloc(1, sizeof(store__series_list));
        store__series_list *list = e->value.ptr;
        vec_push(list, series);
    }
}

struct store__series *store__head_add(struct store *s, struct store__shard *shard,
                                      struct hash128 id, struct slice tenant,
                                      struct slice labels_key)
{
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels;
    struct store__series *series = NULL;
    struct buf key = {0};
    store_series_key(tenant, labels_key, &key);
    struct slice own_labels_key = slice_from(buf_slice(&key), key.len - labels_key.len);
    if (data_labels_decode(own_labels_key, arena, &labels)) {
        buf_deinit(&key);
        goto out;
    }
    series = mem_calloc(1, sizeof(*series));
    series->id = id;
    key.ptr = mem_realloc(key.ptr, key.len); /* no spare room: there may be millions */
    series->key = buf_slice(&key);
    own_labels_key = slice_from(series->key, series->key.len - labels_key.len);
    data_labels_decode(own_labels_key, arena, &labels);
    series->labels = (struct data_labels){
        mem_dup(labels.items, labels.count * sizeof(*labels.items)), labels.count};
    store_series_key_split(series->key, &series->tenant, &own_labels_key);
    series->ref = s->next_ref++;
    series->wal_segment = UINT64_MAX;
    shard->has_tenants |= !slice_eq_cstr(tenant, "default");
    vec_push(&shard->series, series);
    if (shard->series.len * 2 > shard->table_size)
        rebuild_table(shard);
    else
        shard->table[probe(shard, id)] = series;
    index_series(shard, series);
    counter_set(&store__counters[STORE__SERIES], (int64_t)++s->series_count);
out:
    arena_free(arena);
    return series;
}

/* --- pending samples --- */

static void free_histograms(struct store_run *r)
{
    for (size_t i = 0; r->hist && i < r->len; i++)
        mem_free((void *)(uintptr_t)r->hist[i].ptr);
}

void store__pending_clear(struct store__pending *p)
{
    for (size_t i = 0; i < p->blocks.len; i++)
        mem_free((void *)(uintptr_t)p->blocks.items[i].ptr);
    vec_free(&p->blocks);
    free_histograms(&p->run);
    store_run_free(&p->run);
    p->samples = 0;
}

static void seal(struct store__shard *shard, struct store__pending *p)
{
    struct buf block = {0};
    /* Not sorted and not deduplicated: a block keeps what came in the order it came. */
    store_block_encode(&p->run, 0, p->run.len, &block);
    block.ptr = mem_realloc(block.ptr, block.len);
    vec_push(&p->blocks, buf_slice(&block));
    shard->bytes += block.len;
    free_histograms(&p->run);
    store_run_clear(&p->run);
}

void store__head_push(struct store__shard *shard, struct store__series *series, int64_t ts,
                      double value, struct slice histogram)
{
    struct store__pending *p = &series->now;
    if (!p->samples)
        p->t_min = p->t_max = ts;
    p->t_min = MIN(p->t_min, ts);
    p->t_max = MAX(p->t_max, ts);
    struct slice own = histogram;
    if (histogram.ptr)
        own.ptr = mem_dup(histogram.ptr, histogram.len);
    store_run_push(&p->run, ts, value, own);
    p->samples++;
    shard->samples++;
    if (p->run.len >= STORE__SEAL_SAMPLES)
        seal(shard, p);
}

int store__pending_read(const struct store__pending *p, struct store_run *out)
{
    for (size_t i = 0; i < p->blocks.len; i++) {
        int err = store_block_decode(p->blocks.items[i], out);
        if (err)
            return err;
    }
    for (size_t i = 0; i < p->run.len; i++)
        store_run_push(out, p->run.ts[i], p->run.value[i],
                       p->run.hist ? p->run.hist[i] : (struct slice){NULL, 0});
    return 0;
}

/* --- matching --- */

static void add_matching(const store__series_list *list, struct slice tenant,
                         const struct store_matcher *matchers, size_t count,
                         store__series_list *out)
{
    for (size_t i = 0; i < list->len; i++) {
        struct store__series *series = list->items[i];
        if (slice_eq(series->tenant, tenant) && store_labels_match(series->labels, matchers, count))
            vec_push(out, series);
    }
}

void store__head_match(struct store__shard *shard, struct slice tenant,
                       const struct store_matcher *matchers, size_t count, store__series_list *out)
{
    /* Start from the matcher that leaves the fewest: the shortest list of an exact value, else the
     * values of one name that a pattern takes, else everything. */
    const store__series_list *best = NULL;
    const struct store_matcher *pattern = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct store_matcher *m = &matchers[i];
        if (store_matcher_matches(m, SLICE("")))
            continue;
        struct map_entry *e = map_get(shard->names, m->name);
        struct store__name_index *index = e ? e->value.ptr : NULL;
        if (!index)
            return;
        if (m->op == STORE_MATCH_EQ) {
            e = map_get(index->values, m->value);
            if (!e)
                return;
            const store__series_list *list = e->value.ptr;
            if (!best || list->len < best->len)
                best = list;
        } else if (!pattern) {
            pattern = m;
        }
    }
    if (best) {
        add_matching(best, tenant, matchers, count, out);
    } else if (pattern) {
        struct store__name_index *index = map_get(shard->names, pattern->name)->value.ptr;
        size_t pos = 0;
        for (struct map_entry *e; (e = map_next(index->values, &pos));) {
            if (store_matcher_matches(pattern, e->key))
                add_matching(e->value.ptr, tenant, matchers, count, out);
        }
    } else {
        store__series_list all = shard->series;
        add_matching(&all, tenant, matchers, count, out);
    }
}

/* --- leaving --- */

static void free_index(struct store__shard *shard)
{
    size_t pos = 0;
    for (struct map_entry *e; shard->names && (e = map_next(shard->names, &pos));) {
        struct store__name_index *index = e->value.ptr;
        size_t at = 0;
        for (struct map_entry *v; (v = map_next(index->values, &at));) {
            store__series_list *list = v->value.ptr;
            vec_free(list);
            mem_free(list);
        }
        map_free(index->values);
        mem_free(index);
    }
    map_free(shard->names);
    shard->names = NULL;
}

static void free_series(struct store__series *series)
{
    store__pending_clear(&series->now);
    store__pending_clear(&series->flushing);
    mem_free((void *)(uintptr_t)series->labels.items);
    mem_free((void *)(uintptr_t)series->key.ptr);
    mem_free(series);
}

void store__head_evict(struct store *s, struct store__shard *shard, int64_t idle_before_ns)
{
    size_t idle = 0, kept = 0;
    for (size_t i = 0; i < shard->series.len; i++) {
        const struct store__series *series = shard->series.items[i];
        idle += !series->now.samples && !series->flushing.samples &&
                series->last_append_ns < idle_before_ns;
    }
    /* The index is made anew, so that it pays only when there is something to gain. */
    if (!idle || idle * 20 < shard->series.len)
        return;
    free_index(shard);
    shard->names = map_new();
    for (size_t i = 0; i < shard->series.len; i++) {
        struct store__series *series = shard->series.items[i];
        if (!series->now.samples && !series->flushing.samples &&
            series->last_append_ns < idle_before_ns) {
            free_series(series);
            s->series_count--;
        } else {
            shard->series.items[kept++] = series;
            index_series(shard, series);
        }
    }
    shard->series.len = kept;
    rebuild_table(shard);
    counter_set(&store__counters[STORE__SERIES], (int64_t)s->series_count);
}

void store__head_free(struct store *s)
{
    for (size_t i = 0; i < s->shard_count; i++) {
        struct store__shard *shard = &s->shards[i];
        for (size_t k = 0; k < shard->series.len; k++)
            free_series(shard->series.items[k]);
        vec_free(&shard->series);
        mem_free(shard->table);
        free_index(shard);
        pthread_mutex_destroy(&shard->lock);
    }
    mem_free(s->shards);
}
