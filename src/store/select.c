/* The way out: a selection is a snapshot. What the head holds of the matching series is copied
 * (its tails) under the shard's lock, parts are pinned; after that reading
 * needs no lock (read.c). The head is taken first: what a flush moves meanwhile is then seen twice,
 * never missed. */
#include <stdlib.h>

#include "store/selection_priv.h"
#include "text/regex.h"

#define CANCEL_EVERY 1024

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

static uint32_t tag_of(struct hash128 id)
{
    return (uint32_t)id.hi;
}

/* Where the series is, or where it belongs. */
static struct store__place *place_of(const struct store_selection *sel, struct hash128 id)
{
    size_t mask = sel->table_size - 1, i = id.lo & mask;
    for (; sel->table[i].number; i = (i + 1) & mask) {
        if (sel->table[i].tag == tag_of(id) &&
            hash128_eq(sel->found.items[sel->table[i].number - 1]->id, id))
            break;
    }
    return &sel->table[i];
}

/* Room for so many series more. */
static void reserve_table(struct store_selection *sel, size_t more)
{
    size_t size = MAX(sel->table_size, (size_t)256);
    while (size < 2 * (sel->found.len + more))
        size *= 2;
    if (size == sel->table_size)
        return;
    mem_free(sel->table);
    sel->table_size = size;
    sel->table = mem_calloc(size, sizeof(*sel->table));
    for (size_t i = 0; i < sel->found.len; i++) {
        struct hash128 id = sel->found.items[i]->id;
        size_t at = id.lo & (size - 1);
        while (sel->table[at].number)
            at = (at + 1) & (size - 1);
        sel->table[at] = (struct store__place){(uint32_t)i + 1, tag_of(id)};
    }
}

/* One that is new has no labels yet. */
static struct store__selected *get_series(struct store_selection *sel, struct hash128 id)
{
    if (2 * (sel->found.len + 1) > sel->table_size)
        reserve_table(sel, sel->found.len + 1);
    struct store__place *place = place_of(sel, id);
    if (place->number)
        return sel->found.items[place->number - 1];
    struct store__selected *one = ARENA_NEW(sel->arena, struct store__selected);
    one->id = id;
    vec_push(&sel->found, one);
    *place = (struct store__place){(uint32_t)sel->found.len, tag_of(id)};
    return one;
}

static bool overlaps(const struct store_tail *t, int64_t t_min, int64_t t_max)
{
    return t && t->t_min <= t_max && store_tail_t_max(t) >= t_min;
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

static void select_tails(struct store_selection *sel, const struct store_shard *head,
                         const struct store_series *series, const struct store_select_req *req,
                         struct buf *key)
{
    const struct store_tail *tails[] = {series->flushing, series->now};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(tails); i++)
        any |= overlaps(tails[i], req->t_min_ns, req->t_max_ns);
    if (!any)
        return;
    struct store__selected *one = get_series(sel, series->id);
    struct slice tenant, labels;
    buf_clear(key);
    store_shard_key(head, series, key);
    store_series_key_split(arena_slice(sel->arena, buf_slice(key)), &tenant, &labels);
    data_labels_decode(labels, sel->arena, &one->labels);
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        if (overlaps(tails[i], req->t_min_ns, req->t_max_ns))
            one->head[i] = store_tail_copy(tails[i], req->t_min_ns, req->t_max_ns, sel->arena);
    }
}

static int select_head(struct store_selection *sel, const struct store_select_req *req,
                       struct diag *diag)
{
    struct store *s = sel->store;
    store_slot_list found = {0};
    struct buf key = {0};
    int err = 0;
    for (size_t i = 0; i < s->shard_count && !err; i++) {
        struct store__shard *shard = &s->shards[i];
        vec_clear(&found);
        pthread_mutex_lock(&shard->lock);
        store_shard_match(&shard->head, req->tenant, req->matchers, req->matcher_count, &found);
        for (size_t k = 0; k < found.len && !err; k++) {
            select_tails(sel, &shard->head, store_shard_series(&shard->head, found.items[k]), req,
                         &key);
            if (k % CANCEL_EVERY == 0)
                err = check_limits(sel, req, diag);
        }
        pthread_mutex_unlock(&shard->lock);
        if (!err)
            err = check_limits(sel, req, diag);
    }
    vec_free(&found);
    buf_deinit(&key);
    return err;
}

static void add_part(struct store_selection *sel, struct store__selected *one,
                     struct store__part_ref ref)
{
    if (one->part_count == one->part_cap) {
        uint32_t cap = one->part_cap ? one->part_cap * 2 : 2;
        struct store__part_ref *parts = ARENA_ARRAY(sel->arena, struct store__part_ref, cap);
        if (one->part_count)
            memcpy(parts, one->parts, one->part_count * sizeof(*parts));
        one->parts = parts;
        one->part_cap = cap;
    }
    one->parts[one->part_count++] = ref;
}

/* The series the cursor stands on. */
static struct store__selected *part_series(struct store_selection *sel,
                                           const struct store_part_cursor *c, struct buf *key)
{
    struct data_label pairs[64], *own = NULL, *all = pairs;
    size_t count = c->pairs.len - 1;
    if (count > ARRAY_LEN(pairs))
        all = own = mem_alloc(count * sizeof(*own));
    store_part_labels(c->part, c->pairs.items + 1, count, all);
    struct data_labels labels = {all, count};
    buf_clear(key);
    data_labels_encode(labels, key);
    struct slice tenant = store_part_value(c->part, c->pairs.items[0]);
    struct store__selected *one =
        get_series(sel, store__series_id(tenant, data_labels_key_hash(buf_slice(key))));
    if (!one->labels.items)
        one->labels = (struct data_labels){arena_dup(sel->arena, all, count * sizeof(*all)), count};
    mem_free(own);
    return one;
}

static int select_part(struct store_selection *sel, uint32_t part,
                       const struct store_select_req *req, struct buf *key, struct diag *diag)
{
    struct store_part *p = sel->parts.items[part];
    struct store_part_cursor cursor = {.part = p};
    uint32_t *series = NULL;
    size_t count = 0;
    int err = 0;
    bool damaged =
        store_part_match(p, req->tenant, req->matchers, req->matcher_count, &series, &count) != 0;
    /* Those met before may be the same. */
    reserve_table(sel, count > sel->found.len ? count - sel->found.len : 0);
    for (size_t k = 0; k < count && !err && !damaged; k++) {
        damaged = store_part_seek(&cursor, series[k]) != 0;
        if (damaged || cursor.t_max < req->t_min_ns || cursor.t_min > req->t_max_ns)
            continue;
        struct store__selected *one = part_series(sel, &cursor, key);
        if (!one->part_count)
            vec_push(&sel->series, one);
        add_part(sel, one, (struct store__part_ref){part, cursor.rows});
        if (k % CANCEL_EVERY == 0)
            err = check_limits(sel, req, diag);
    }
    if (damaged)
        store__quarantine(sel->store, p); /* what was found is served */
    store_part_cursor_deinit(&cursor);
    mem_free(series);
    return err ? err : check_limits(sel, req, diag);
}

static int select_parts(struct store_selection *sel, const struct store_select_req *req,
                        struct diag *diag)
{
    struct buf key = {0};
    int err = 0;
    for (size_t i = 0; i < sel->parts.len && !err; i++) {
        const struct store_part_info *info = store_part_info(sel->parts.items[i]);
        if (info->t_max_ns >= req->t_min_ns && info->t_min_ns <= req->t_max_ns)
            err = select_part(sel, (uint32_t)i, req, &key, diag);
    }
    buf_deinit(&key);
    return err;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp((*(struct store__selected *const *)a)->labels,
                           (*(struct store__selected *const *)b)->labels);
}

static int by_id(const void *a, const void *b)
{
    struct hash128 x = (*(struct store__selected *const *)a)->id,
                   y = (*(struct store__selected *const *)b)->id;
    return x.hi != y.hi ? (x.hi > y.hi) - (x.hi < y.hi) : (x.lo > y.lo) - (x.lo < y.lo);
}

/* Ids are hashes, spread evenly: as many buckets as series, by their first bits, hold one or a few
 * each. */
static void sort_by_id(struct store_selection *sel)
{
    size_t n = sel->series.len;
    unsigned shift = n > 1 ? (unsigned)__builtin_clzll(n - 1) : 64;
    if (shift >= 64)
        return;
    size_t buckets = (size_t)1 << (64 - shift);
    uint32_t *end = mem_calloc(buckets + 1, sizeof(*end));
    struct store__selected **sorted = mem_alloc(n * sizeof(struct store__selected *));
    for (size_t i = 0; i < n; i++)
        end[(sel->series.items[i]->id.hi >> shift) + 1]++;
    for (size_t b = 0; b < buckets; b++)
        end[b + 1] += end[b];
    for (size_t i = 0; i < n; i++)
        sorted[end[sel->series.items[i]->id.hi >> shift]++] = sel->series.items[i];
    size_t begin = 0;
    for (size_t b = 0; b < buckets; b++) {
        if (end[b] - begin > 1)
            qsort(sorted + begin, end[b] - begin, sizeof(struct store__selected *), by_id);
        begin = end[b];
    }
    memcpy(sel->series.items, sorted, n * sizeof(struct store__selected *));
    mem_free(sorted);
    mem_free(end);
}

/* Parts give their series by labels, so that those of the head alone come last; where parts agree
 * on the series there is nothing left to sort. */
static void sort_series(struct store_selection *sel, bool any_order)
{
    bool sorted = true;
    for (size_t i = 0; i < sel->found.len; i++) {
        if (!sel->found.items[i]->part_count)
            vec_push(&sel->series, sel->found.items[i]);
    }
    if (any_order) {
        sort_by_id(sel);
        return;
    }
    for (size_t i = 1; i < sel->series.len && sorted; i++)
        sorted = by_labels(&sel->series.items[i - 1], &sel->series.items[i]) < 0;
    if (!sorted)
        qsort(sel->series.items, sel->series.len, sizeof(struct store__selected *), by_labels);
}

static struct store *store_of(struct store_source *src)
{
    return BASE_CONTAINER_OF(src, struct store, source);
}

static int source_select(struct store_source *src, const struct store_select_req *req,
                         struct store_selection **out, struct diag *diag)
{
    int err = store__check_loaded(store_of(src), diag);
    if (err)
        return err;
    static _Atomic uint64_t numbers;
    struct store_selection *sel = mem_calloc(1, sizeof(*sel));
    sel->number = ++numbers;
    sel->store = store_of(src);
    sel->arena = arena_new(0, NULL);
    sel->memory = req->memory;
    uint64_t overruns = text_regex_overruns();
    err = select_head(sel, req, diag);
    sel->parts = store__pin_parts(sel->store);
    if (!err)
        err = select_parts(sel, req, diag);
    if (!err)
        err = text_regex_check(overruns, "a regular expression of the query", diag);
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

static void source_stats(struct store_source *src, struct store_source_stats *out)
{
    struct store *s = store_of(src);
    *out = (struct store_source_stats){
        .t_min_ns = INT64_MAX, .t_max_ns = INT64_MIN, .series = s->series_count};
    if (!s->loaded)
        return;
    out->wal_bytes = store_wal_bytes(s->wal);
    for (size_t i = 0; i < s->shard_count; i++) {
        struct store__shard *shard = &s->shards[i];
        pthread_mutex_lock(&shard->lock);
        const struct store_shard *head = &shard->head;
        out->head_samples += head->samples + head->flushing_samples;
        out->memory_bytes += head->bytes;
        out->t_min_ns = MIN(out->t_min_ns, MIN(head->t_min, head->flushing_t_min));
        out->t_max_ns = MAX(out->t_max_ns, MAX(head->t_max, head->flushing_t_max));
        out->label_pairs += head->pairs.len;
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
    .selection_read = store__selection_read,
    .selection_free = selection_free,
    .label_names = store__list_names,
    .label_values = store__list_values,
    .metadata = store__list_metadata,
    .exemplars = store__list_exemplars,
    .stats = source_stats,
    .changes = store__source_changes,
    .changed_from = store__source_changed_from,
    .arrivals = store__source_arrivals,
};
