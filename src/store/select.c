/* The way out: a selection is a snapshot. What the head holds of the matching series is copied
 * (packed blocks and the open run) under the shard's lock, parts are pinned; after that reading
 * needs no lock. The head is taken first: what a flush moves meanwhile is then seen twice, never
 * missed. */
#include <stdlib.h>

#include "store/store_priv.h"
#include "text/regex.h"

#define CANCEL_EVERY 1024

struct part_ref {
    uint32_t part, ordinal;
};

/* What the head had pending; in the selection's arena. */
struct pending_copy {
    struct slice *blocks; /* oldest first */
    size_t block_count;
    struct store_run run; /* behind the blocks */
};

struct selected {
    struct hash128 id; /* of the key */
    struct slice key;  /* in the arena or a pinned part */
    struct data_labels labels;
    struct part_ref *parts; /* oldest first */
    uint32_t part_count, part_cap;
    struct pending_copy *head; /* [2], flushing then now; NULL when the head has nothing */
};

struct store_selection {
    struct store *store;
    struct arena *arena;
    store__part_list parts;
    struct selected **table; /* by id; power of two */
    size_t table_size;
    VEC(struct selected *) found, series; /* in the order they were met; as they are given out */
    struct budget *memory;
    int64_t charged;
};

static void selection_free(struct store_selection *sel)
{
    if (!sel)
        return;
    vec_free(&sel->found);
    vec_free(&sel->series);
    mem_free(sel->table);
    store__unpin_parts(&sel->parts);
    if (sel->memory && sel->charged)
        budget_give(sel->memory, sel->charged);
    arena_free(sel->arena);
    mem_free(sel);
}

static size_t slot_of(const struct store_selection *sel, struct hash128 id)
{
    size_t mask = sel->table_size - 1, i = id.lo & mask;
    while (sel->table[i] && !hash128_eq(sel->table[i]->id, id))
        i = (i + 1) & mask;
    return i;
}

static void grow_table(struct store_selection *sel)
{
    mem_free(sel->table);
    sel->table_size = sel->table_size ? sel->table_size * 4 : 256;
    sel->table = mem_calloc(sel->table_size, sizeof(*sel->table));
    for (size_t i = 0; i < sel->found.len; i++)
        sel->table[slot_of(sel, sel->found.items[i]->id)] = sel->found.items[i];
}

/* A key in a pinned part is used where it is. */
static struct selected *get_series(struct store_selection *sel, struct slice key, bool pinned)
{
    if (sel->found.len * 2 >= sel->table_size)
        grow_table(sel);
    struct hash128 id = hash128(key.ptr, key.len);
    size_t slot = slot_of(sel, id);
    if (sel->table[slot])
        return sel->table[slot];
    struct selected *one = ARENA_NEW(sel->arena, struct selected);
    struct slice tenant, labels_key;
    one->id = id;
    one->key = pinned ? key : arena_slice(sel->arena, key);
    store_series_key_split(one->key, &tenant, &labels_key);
    data_labels_decode(labels_key, sel->arena, &one->labels);
    vec_push(&sel->found, one);
    sel->table[slot] = one;
    return one;
}

static void copy_pending(struct arena *arena, const struct store__pending *from,
                         struct pending_copy *to)
{
    to->block_count = from->blocks.len;
    to->blocks = ARENA_ARRAY(arena, struct slice, from->blocks.len);
    for (size_t i = 0; i < from->blocks.len; i++)
        to->blocks[i] = arena_slice(arena, from->blocks.items[i]);
    to->run.len = from->run.len;
    to->run.ts = arena_dup(arena, from->run.ts, from->run.len * sizeof(*from->run.ts));
    to->run.value = arena_dup(arena, from->run.value, from->run.len * sizeof(*from->run.value));
    if (!from->run.hist)
        return;
    to->run.hist = ARENA_ARRAY(arena, struct slice, from->run.len);
    for (size_t i = 0; i < from->run.len; i++) {
        if (from->run.hist[i].ptr)
            to->run.hist[i] = arena_slice(arena, from->run.hist[i]);
    }
}

static bool overlaps(const struct store__pending *p, int64_t t_min, int64_t t_max)
{
    return p->samples && p->t_max >= t_min && p->t_min <= t_max;
}

static int check_limits(struct store_selection *sel, const struct store_select_req *req,
                        struct diag *diag)
{
    if (req->cancelled && *req->cancelled)
        return diag_set(diag, ERR_CANCELLED, "the query was cancelled");
    if (req->series_max && sel->found.len > req->series_max)
        return diag_set(diag, ERR_LIMIT,
                        "the query selects more than %zu series (limits.query.series)",
                        req->series_max);
    int64_t now = (int64_t)(arena_size(sel->arena) + sel->table_size * sizeof(*sel->table));
    if (req->memory && now > sel->charged) {
        if (!budget_take(req->memory, now - sel->charged))
            return diag_set(diag, ERR_NOMEM, "the query needs more memory than allowed (%s)",
                            req->memory->setting);
        sel->charged = now;
    }
    return 0;
}

static int select_head(struct store_selection *sel, const struct store_select_req *req,
                       struct diag *diag)
{
    struct store *s = sel->store;
    store__series_list found = {0};
    int err = 0;
    for (size_t i = 0; i < s->shard_count && !err; i++) {
        struct store__shard *shard = &s->shards[i];
        vec_clear(&found);
        pthread_mutex_lock(&shard->lock);
        store__head_match(shard, req->tenant, req->matchers, req->matcher_count, &found);
        for (size_t k = 0; k < found.len && !err; k++) {
            const struct store__series *series = found.items[k];
            bool flushing = overlaps(&series->flushing, req->t_min_ns, req->t_max_ns);
            bool now = overlaps(&series->now, req->t_min_ns, req->t_max_ns);
            if (!flushing && !now)
                continue;
            struct selected *one = get_series(sel, series->key, false);
            one->head = ARENA_ARRAY(sel->arena, struct pending_copy, 2);
            if (flushing)
                copy_pending(sel->arena, &series->flushing, &one->head[0]);
            if (now)
                copy_pending(sel->arena, &series->now, &one->head[1]);
            if (k % CANCEL_EVERY == 0)
                err = check_limits(sel, req, diag);
        }
        pthread_mutex_unlock(&shard->lock);
        if (!err)
            err = check_limits(sel, req, diag);
    }
    vec_free(&found);
    return err;
}

static void add_part(struct store_selection *sel, struct selected *one, struct part_ref ref)
{
    if (one->part_count == one->part_cap) {
        uint32_t cap = one->part_cap ? one->part_cap * 2 : 2;
        struct part_ref *parts = ARENA_ARRAY(sel->arena, struct part_ref, cap);
        if (one->part_count)
            memcpy(parts, one->parts, one->part_count * sizeof(*parts));
        one->parts = parts;
        one->part_cap = cap;
    }
    one->parts[one->part_count++] = ref;
}

static int select_parts(struct store_selection *sel, const struct store_select_req *req,
                        struct diag *diag)
{
    int err = 0;
    for (size_t i = 0; i < sel->parts.len && !err; i++) {
        const struct store_part *p = sel->parts.items[i];
        const struct store_part_info *info = store_part_info(p);
        uint32_t *ordinals;
        size_t count;
        if (info->t_max_ns < req->t_min_ns || info->t_min_ns > req->t_max_ns)
            continue;
        store_part_match(p, req->tenant, req->matchers, req->matcher_count, &ordinals, &count);
        for (size_t k = 0; k < count && !err; k++) {
            int64_t t_min, t_max;
            store_part_series_range(p, ordinals[k], &t_min, &t_max);
            if (t_max < req->t_min_ns || t_min > req->t_max_ns)
                continue;
            struct selected *one = get_series(sel, store_part_key(p, ordinals[k]), true);
            if (!one->part_count)
                vec_push(&sel->series, one);
            add_part(sel, one, (struct part_ref){(uint32_t)i, ordinals[k]});
            if (k % CANCEL_EVERY == 0)
                err = check_limits(sel, req, diag);
        }
        mem_free(ordinals);
        if (!err)
            err = check_limits(sel, req, diag);
    }
    return err;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp((*(struct selected *const *)a)->labels,
                           (*(struct selected *const *)b)->labels);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp((*(struct selected *const *)a)->key, (*(struct selected *const *)b)->key);
}

/* Parts give their series by key, so that those of the head alone come last; where parts agree on
 * the series there is nothing left to sort. */
static void sort_series(struct store_selection *sel, bool any_order)
{
    int (*order)(const void *, const void *) = any_order ? by_key : by_labels;
    bool sorted = true;
    for (size_t i = 0; i < sel->found.len; i++) {
        if (!sel->found.items[i]->part_count)
            vec_push(&sel->series, sel->found.items[i]);
    }
    for (size_t i = 1; i < sel->series.len && sorted; i++)
        sorted = order(&sel->series.items[i - 1], &sel->series.items[i]) < 0;
    if (!sorted)
        qsort(sel->series.items, sel->series.len, sizeof(struct selected *), order);
}

static struct store *store_of(struct store_source *src)
{
    return BASE_CONTAINER_OF(src, struct store, source);
}

static int source_select(struct store_source *src, const struct store_select_req *req,
                         struct store_selection **out, struct diag *diag)
{
    struct store_selection *sel = mem_calloc(1, sizeof(*sel));
    sel->store = store_of(src);
    sel->arena = arena_new(0, NULL);
    sel->memory = req->memory;
    int err = select_head(sel, req, diag);
    sel->parts = store__pin_parts(sel->store);
    if (!err)
        err = select_parts(sel, req, diag);
    if (err) {
        selection_free(sel);
        return err;
    }
    sort_series(sel, req->any_order);
    *out = sel;
    return 0;
}

static size_t selection_count(const struct store_selection *sel)
{
    return sel->series.len;
}

static struct data_labels selection_labels(const struct store_selection *sel, size_t i)
{
    return sel->series.items[i]->labels;
}

static int read_pending(const struct pending_copy *p, struct store_run *out)
{
    int err = 0;
    for (size_t i = 0; i < p->block_count && !err; i++)
        err = store_block_decode(p->blocks[i], out);
    for (size_t i = 0; i < p->run.len && !err; i++)
        store_run_push(out, p->run.ts[i], p->run.value[i],
                       p->run.hist ? p->run.hist[i] : (struct slice){NULL, 0});
    return err;
}

/* Each time is behind the one before, as it nearly always is. Times are far from overflow. */
static bool ascending(const int64_t *ts, size_t count)
{
    int64_t wrong = 0;
    for (size_t i = 1; i < count; i++)
        wrong |= ts[i] - ts[i - 1] - 1;
    return wrong >= 0;
}

static size_t first_from(const int64_t *ts, size_t count, int64_t t)
{
    size_t lo = 0, hi = count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ts[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int give_histograms(const struct slice *packed, struct store_samples *out)
{
    int err = 0;
    bool any = false;
    for (size_t k = 0; packed && k < out->count && !any; k++)
        any = packed[k].ptr != NULL;
    if (!any)
        return 0;
    out->histogram = mem_calloc(out->count, sizeof(*out->histogram));
    if (out->arena)
        arena_reset(out->arena);
    else
        out->arena = arena_new(0, NULL);
    for (size_t k = 0; k < out->count && !err; k++) {
        struct data_histogram *h = NULL;
        if (packed[k].ptr)
            err = store_histogram_decode(packed[k], out->arena, &h);
        out->histogram[k] = h;
    }
    return err;
}

static int selection_read(struct store_selection *sel, size_t i, int64_t t_min, int64_t t_max,
                          struct store_samples *out, struct diag *diag)
{
    const struct selected *one = sel->series.items[i];
    store_samples_reserve(out, 0, false, false);
    /* Decoded into the columns of `out` themselves. */
    struct store_run run = {.ts = out->own_ts, .value = out->own_value, .cap = out->cap};
    int err = 0;
    for (size_t k = 0; k < one->part_count; k++) {
        struct store_part *part = sel->parts.items[one->parts[k].part];
        size_t before = run.len;
        if (store_part_read(part, one->parts[k].ordinal, t_min, t_max, &run)) {
            /* The rest goes on being served; the damage is reported once, and its file kept aside.
             */
            run.len = before;
            store__quarantine(sel->store, part);
        }
    }
    for (size_t k = 0; one->head && k < 2 && !err; k++)
        err = read_pending(&one->head[k], &run);
    if (err)
        diag_set(diag, err, "samples in memory are damaged");
    if (!ascending(run.ts, run.len))
        store_run_sort(&run);
    size_t begin = first_from(run.ts, run.len, t_min);
    size_t end = t_max == INT64_MAX ? run.len : first_from(run.ts, run.len, t_max + 1);
    out->own_ts = run.ts;
    out->own_value = run.value;
    out->cap = run.cap;
    out->count = MAX(begin, end) - begin;
    out->ts = run.ts + begin;
    out->value = run.value + begin;
    if (!err && run.hist && (err = give_histograms(run.hist + begin, out)))
        diag_set(diag, err, "a stored histogram is damaged");
    mem_free(run.hist);
    return err;
}

void store_samples_free(struct store_samples *s)
{
    mem_free(s->own_ts);
    mem_free(s->own_value);
    mem_free(s->histogram);
    mem_free(s->start);
    arena_free(s->arena);
    *s = (struct store_samples){0};
}

void store_samples_reserve(struct store_samples *s, size_t count, bool with_histograms,
                           bool with_start)
{
    if (count > s->cap) {
        s->cap = MAX(count, s->cap * 2);
        s->own_ts = mem_realloc(s->own_ts, s->cap * sizeof(*s->own_ts));
        s->own_value = mem_realloc(s->own_value, s->cap * sizeof(*s->own_value));
    }
    s->ts = s->own_ts;
    s->value = s->own_value;
    mem_free(s->histogram);
    mem_free(s->start);
    s->histogram = with_histograms ? mem_calloc(s->cap, sizeof(*s->histogram)) : NULL;
    s->start = with_start ? mem_calloc(s->cap, sizeof(*s->start)) : NULL;
    if (with_histograms) {
        if (s->arena)
            arena_reset(s->arena);
        else
            s->arena = arena_new(0, NULL);
    }
}

/* --- names and values --- */

struct collector {
    struct map *seen;
    struct slice name; /* ptr NULL: names are collected */
};

static bool collect_pair(struct slice name, struct slice value, void *ctx)
{
    struct collector *c = ctx;
    if (!c->name.ptr)
        map_put(c->seen, name, NULL);
    else if (slice_eq(name, c->name))
        map_put(c->seen, value, NULL);
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void give(struct collector *c, size_t limit, struct arena *arena, struct slice **out,
                 size_t *out_count, bool *out_cut)
{
    size_t count = map_count(c->seen), pos = 0, n = 0;
    struct slice *list = ARENA_ARRAY(arena, struct slice, count);
    for (struct map_entry *e; (e = map_next(c->seen, &pos));)
        list[n++] = arena_slice(arena, e->key);
    if (count)
        qsort(list, count, sizeof(*list), by_bytes);
    *out_cut = limit && count > limit;
    *out = list;
    *out_count = *out_cut ? limit : count;
    map_free(c->seen);
}

/* Without matchers, straight from the indexes. False when somewhere another tenant's series are
 * among them, whose labels are nobody else's business: then the series tell. */
static bool collect_from_indexes(struct store *s, const struct store_select_req *req,
                                 struct collector *c)
{
    bool sole = true;
    for (size_t i = 0; i < s->shard_count && sole; i++) {
        struct store__shard *shard = &s->shards[i];
        pthread_mutex_lock(&shard->lock);
        sole = !shard->has_tenants;
        size_t pos = 0;
        for (struct map_entry *e; sole && (e = map_next(shard->names, &pos));) {
            if (!c->name.ptr) {
                map_put(c->seen, e->key, NULL);
            } else if (slice_eq(e->key, c->name)) {
                size_t at = 0;
                struct store__name_index *index = e->value.ptr;
                for (struct map_entry *v; (v = map_next(index->values, &at));)
                    map_put(c->seen, v->key, NULL);
            }
        }
        pthread_mutex_unlock(&shard->lock);
    }
    store__part_list parts = store__pin_parts(s);
    for (size_t i = 0; i < parts.len && sole; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        if (info->t_max_ns < req->t_min_ns || info->t_min_ns > req->t_max_ns)
            continue;
        sole = store_part_is_of(parts.items[i], req->tenant);
        if (sole)
            store_part_each_pair(parts.items[i], collect_pair, c);
    }
    store__unpin_parts(&parts);
    return sole;
}

static int collect(struct store_source *src, const struct store_select_req *req, struct slice name,
                   size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                   bool *out_cut, struct diag *diag)
{
    struct collector c = {.seen = map_new(), .name = name};
    if (req->matcher_count || !slice_eq_cstr(req->tenant, "default") ||
        !collect_from_indexes(store_of(src), req, &c)) {
        map_clear(c.seen);
        struct store_selection *sel;
        int err = source_select(src, req, &sel, diag);
        if (err) {
            map_free(c.seen);
            return err;
        }
        for (size_t i = 0; i < sel->series.len; i++) {
            struct data_labels labels = sel->series.items[i]->labels;
            for (size_t k = 0; k < labels.count; k++)
                collect_pair(labels.items[k].name, labels.items[k].value, &c);
        }
        selection_free(sel);
    }
    give(&c, limit, arena, out, out_count, out_cut);
    return 0;
}

static int source_label_names(struct store_source *src, const struct store_select_req *req,
                              size_t limit, struct arena *arena, struct slice **out,
                              size_t *out_count, bool *out_cut, struct diag *diag)
{
    return collect(src, req, (struct slice){NULL, 0}, limit, arena, out, out_count, out_cut, diag);
}

static int source_label_values(struct store_source *src, struct slice name,
                               const struct store_select_req *req, size_t limit,
                               struct arena *arena, struct slice **out, size_t *out_count,
                               bool *out_cut, struct diag *diag)
{
    return collect(src, req, name, limit, arena, out, out_count, out_cut, diag);
}

static int by_metric(const void *a, const void *b)
{
    return slice_cmp(((const struct store_metadata *)a)->metric,
                     ((const struct store_metadata *)b)->metric);
}

static int source_metadata(struct store_source *src, struct slice tenant, struct slice metric,
                           struct arena *arena, struct store_metadata **out, size_t *out_count,
                           struct diag *diag)
{
    struct store *s = store_of(src);
    (void)diag;
    pthread_mutex_lock(&s->parts_lock);
    struct store_metadata *list = ARENA_ARRAY(arena, struct store_metadata, map_count(s->metadata));
    size_t n = 0, pos = 0;
    for (struct map_entry *e; (e = map_next(s->metadata, &pos));) {
        struct slice rest = e->key, whose;
        slice_split(&rest, '\0', &whose);
        if (!slice_eq(whose, tenant) || (metric.ptr && !slice_eq(rest, metric)))
            continue;
        const struct store_metadata *m = e->value.ptr;
        list[n++] = (struct store_metadata){.metric = arena_slice(arena, rest),
                                            .unit = arena_slice(arena, m->unit),
                                            .help = arena_slice(arena, m->help),
                                            .type = m->type};
    }
    pthread_mutex_unlock(&s->parts_lock);
    if (n)
        qsort(list, n, sizeof(*list), by_metric);
    *out = list;
    *out_count = n;
    return 0;
}

/* Exemplars are not kept yet (docs/roadmap.md). */
static int source_exemplars(struct store_source *src, const struct store_select_req *req,
                            struct arena *arena, struct store_exemplar **out, size_t *out_count,
                            struct diag *diag)
{
    (void)src;
    (void)req;
    (void)arena;
    (void)diag;
    *out = NULL;
    *out_count = 0;
    return 0;
}

static void source_stats(struct store_source *src, struct store_source_stats *out)
{
    struct store *s = store_of(src);
    *out = (struct store_source_stats){.t_min_ns = INT64_MAX,
                                       .t_max_ns = INT64_MIN,
                                       .series = s->series_count,
                                       .wal_bytes = store_wal_bytes(s->wal)};
    for (size_t i = 0; i < s->shard_count; i++) {
        struct store__shard *shard = &s->shards[i];
        pthread_mutex_lock(&shard->lock);
        out->head_samples += shard->samples;
        out->memory_bytes += shard->bytes;
        for (size_t k = 0; k < shard->series.len; k++) {
            const struct store__pending *pending[] = {&shard->series.items[k]->now,
                                                      &shard->series.items[k]->flushing};
            for (size_t p = 0; p < ARRAY_LEN(pending); p++) {
                if (pending[p]->samples) {
                    out->t_min_ns = MIN(out->t_min_ns, pending[p]->t_min);
                    out->t_max_ns = MAX(out->t_max_ns, pending[p]->t_max);
                }
            }
        }
        size_t pos = 0;
        for (struct map_entry *e; (e = map_next(shard->names, &pos));)
            out->label_pairs += map_count(((struct store__name_index *)e->value.ptr)->values);
        pthread_mutex_unlock(&shard->lock);
    }
    out->samples = out->head_samples;
    store__part_list parts = store__pin_parts(s);
    for (size_t i = 0; i < parts.len; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        out->parts++;
        out->samples += info->samples;
        out->disk_bytes += info->bytes;
        out->t_min_ns = MIN(out->t_min_ns, info->t_min_ns);
        out->t_max_ns = MAX(out->t_max_ns, info->t_max_ns);
    }
    store__unpin_parts(&parts);
    out->disk_bytes += out->wal_bytes;
}

const struct store_source_ops store__source_ops = {
    .select = source_select,
    .selection_count = selection_count,
    .selection_labels = selection_labels,
    .selection_read = selection_read,
    .selection_free = selection_free,
    .label_names = source_label_names,
    .label_values = source_label_values,
    .metadata = source_metadata,
    .exemplars = source_exemplars,
    .stats = source_stats,
};
