/* Names, values and exemplars of what matches: straight from the indexes, without going over the
 * series. */
#include <stdlib.h>

#include "store/store_priv.h"

static struct store *store_of(struct store_source *src)
{
    return BASE_CONTAINER_OF(src, struct store, source);
}

static int check_cancelled(const struct store_select_req *req, struct diag *diag)
{
    return req->cancelled && *req->cancelled
               ? diag_set(diag, ERR_CANCELLED, "the query was cancelled")
               : 0;
}

static bool is_set(const uint64_t *bits, uint32_t i)
{
    return bits[i >> 6] >> (i & 63) & 1;
}

/* A bit a series; by mem_free. */
static uint64_t *bits_of(const uint32_t *list, size_t count, size_t series)
{
    uint64_t *bits = mem_calloc(series / 64 + 1, sizeof(*bits));
    for (size_t i = 0; i < count; i++)
        bits[list[i] >> 6] |= UINT64_C(1) << (list[i] & 63);
    return bits;
}

/* --- names and values --- */

struct collector {
    struct map *seen;
    struct slice name; /* ptr NULL: names are collected */
};

static bool head_pair_meets(const struct store_head_pair *p, const uint64_t *bits)
{
    for (uint32_t i = 0; i < p->len; i++) {
        if (is_set(bits, p->series[i]))
            return true;
    }
    return false;
}

static void collect_head(const struct store_shard *head, const struct store_select_req *req,
                         struct collector *c)
{
    store_slot_list slots = {0};
    store_shard_match(head, req->tenant, req->matchers, req->matcher_count, &slots);
    uint64_t *bits = bits_of(slots.items, slots.len, head->slots);
    for (size_t n = 0; slots.len && n < head->names.len; n++) {
        const struct store_head_name *name = &head->names.items[n];
        size_t pos = 0;
        if (!name->name.len || (c->name.ptr && !slice_eq(name->name, c->name)))
            continue;
        for (struct map_entry *e; (e = map_next(name->values, &pos));) {
            if (!head_pair_meets(&head->pairs.items[e->value.u64], bits))
                continue;
            map_put(c->seen, c->name.ptr ? e->key : name->name, NULL);
            if (!c->name.ptr)
                break;
        }
    }
    mem_free(bits);
    vec_free(&slots);
}

static void collect_part_name(const struct store_part *p, size_t n, const uint64_t *bits, bool all,
                              struct collector *c)
{
    uint32_t begin, end;
    struct slice name = store_part_name(p, n, &begin, &end);
    for (uint32_t i = begin; name.len && i < end; i++) {
        if (!all && !store_part_meets(p, i, bits))
            continue;
        map_put(c->seen, c->name.ptr ? store_part_value(p, i) : name, NULL);
        if (!c->name.ptr)
            break;
    }
}

static void collect_part(struct store *s, struct store_part *p, const struct store_select_req *req,
                         struct collector *c)
{
    uint32_t *series = NULL;
    size_t count = 0, total = store_part_series_count(p);
    if (store_part_match(p, req->tenant, req->matchers, req->matcher_count, &series, &count)) {
        store__quarantine(s, p);
        return;
    }
    uint64_t *bits = bits_of(series, count, total);
    size_t only = c->name.ptr ? store_part_name_find(p, c->name) : 0;
    if (c->name.ptr && only != SIZE_MAX && count)
        collect_part_name(p, only, bits, count == total, c);
    for (size_t n = 0; !c->name.ptr && count && n < store_part_name_count(p); n++)
        collect_part_name(p, n, bits, count == total, c);
    mem_free(bits);
    mem_free(series);
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
}

static bool in_range(const struct store_part *p, const struct store_select_req *req)
{
    const struct store_part_info *info = store_part_info(p);
    return info->t_max_ns >= req->t_min_ns && info->t_min_ns <= req->t_max_ns;
}

static int collect(struct store *s, const struct store_select_req *req, struct collector *c,
                   struct diag *diag)
{
    int err = store__check_loaded(s, diag);
    for (size_t i = 0; i < s->shard_count && !err; i++) {
        struct store__shard *shard = &s->shards[i];
        const struct store_shard *head = &shard->head;
        pthread_mutex_lock(&shard->lock);
        if (MAX(head->t_max, head->flushing_t_max) >= req->t_min_ns &&
            MIN(head->t_min, head->flushing_t_min) <= req->t_max_ns)
            collect_head(head, req, c);
        pthread_mutex_unlock(&shard->lock);
        err = check_cancelled(req, diag);
    }
    store__part_list parts = {0};
    if (!err)
        parts = store__pin_parts(s);
    for (size_t i = 0; i < parts.len && !err; i++) {
        if (in_range(parts.items[i], req))
            collect_part(s, parts.items[i], req, c);
        err = check_cancelled(req, diag);
    }
    store__unpin_parts(&parts);
    return err;
}

static int by_begin(const void *a, const void *b)
{
    const struct store_part_view *x = a, *y = b;
    return x->t_min_ns != y->t_min_ns ? (x->t_min_ns < y->t_min_ns ? -1 : 1)
                                      : (x->id > y->id) - (x->id < y->id);
}

size_t store_parts(struct store *s, struct arena *arena, struct store_part_view **out)
{
    store__part_list parts = store__pin_parts(s);
    size_t count = parts.len;
    *out = ARENA_ARRAY(arena, struct store_part_view, count);
    for (size_t i = 0; i < count; i++) {
        const struct store_part_info *p = store_part_info(parts.items[i]);
        (*out)[i] = (struct store_part_view){.id = p->id,
                                             .level = p->level,
                                             .t_min_ns = p->t_min_ns,
                                             .t_max_ns = p->t_max_ns,
                                             .series = p->series,
                                             .samples = p->samples,
                                             .bytes = p->bytes};
    }
    store__unpin_parts(&parts);
    if (count)
        qsort(*out, count, sizeof(**out), by_begin);
    return count;
}

int store__list_values(struct store_source *src, struct slice name,
                       const struct store_select_req *req, size_t limit, struct arena *arena,
                       struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag)
{
    struct collector c = {.seen = map_new(), .name = name};
    int err = collect(store_of(src), req, &c, diag);
    if (!err)
        give(&c, limit, arena, out, out_count, out_cut);
    map_free(c.seen);
    return err;
}

int store__list_names(struct store_source *src, const struct store_select_req *req, size_t limit,
                      struct arena *arena, struct slice **out, size_t *out_count, bool *out_cut,
                      struct diag *diag)
{
    return store__list_values(src, (struct slice){NULL, 0}, req, limit, arena, out, out_count,
                              out_cut, diag);
}

/* --- exemplars --- */

struct exemplars {
    struct arena *arena;
    const struct store_select_req *req;
    VEC(struct store_exemplar) found;
};

/* `key`: as store_series_key makes it; `labels`: a canonical key. Both are copied. */
static void add_exemplar(struct exemplars *x, struct slice key, int64_t ts, double value,
                         struct slice labels)
{
    struct store_exemplar e = {.ts_ns = ts, .value = value};
    struct slice tenant, series;
    if (store_series_key_split(arena_slice(x->arena, key), &tenant, &series) &&
        !data_labels_decode(series, x->arena, &e.series) &&
        !data_labels_decode(arena_slice(x->arena, labels), x->arena, &e.labels))
        vec_push(&x->found, e);
}

static void list_head(const struct store_shard *head, struct exemplars *x)
{
    const store_head_exemplar_list *lists[] = {&head->flushing_exemplars, &head->exemplars};
    const struct store_select_req *req = x->req;
    store_slot_list slots = {0};
    struct buf key = {0};
    if (!lists[0]->len && !lists[1]->len)
        return;
    store_shard_match(head, req->tenant, req->matchers, req->matcher_count, &slots);
    uint64_t *bits = bits_of(slots.items, slots.len, head->slots);
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t i = 0; i < lists[l]->len; i++) {
            const struct store_head_exemplar *e = &lists[l]->items[i];
            if (!is_set(bits, e->slot) || e->ts < req->t_min_ns || e->ts > req->t_max_ns)
                continue;
            buf_clear(&key);
            store_shard_key(head, store_shard_series(head, e->slot), &key);
            add_exemplar(x, buf_slice(&key), e->ts, e->value, e->labels);
        }
    }
    mem_free(bits);
    vec_free(&slots);
    buf_deinit(&key);
}

/* ERR_CORRUPT when the part is damaged; what was found before stays. */
static int list_part(const struct store_part *p, struct exemplars *x)
{
    const struct store_select_req *req = x->req;
    struct store_part_cursor cursor = {.part = p};
    store_part_exemplar_list list = {0};
    struct buf key = {0}, labels = {0};
    uint32_t *series = NULL;
    size_t count = 0;
    int err = store_part_match(p, req->tenant, req->matchers, req->matcher_count, &series, &count);
    for (size_t i = 0; i < count && !err; i++) {
        err = store_part_seek(&cursor, series[i]);
        if (err || !cursor.has_exemplars)
            continue;
        vec_clear(&list);
        err = store_part_exemplars(p, &cursor.rows, &list);
        VEC(struct data_label) pairs = {0};
        for (size_t k = 1; k < cursor.pairs.len; k++)
            vec_push(&pairs, store_part_pair(p, cursor.pairs.items[k]));
        buf_clear(&labels);
        buf_clear(&key);
        data_labels_encode((struct data_labels){pairs.items, pairs.len}, &labels);
        store_series_key(req->tenant, buf_slice(&labels), &key);
        vec_free(&pairs);
        for (size_t k = 0; k < list.len && !err; k++) {
            if (list.items[k].ts >= req->t_min_ns && list.items[k].ts <= req->t_max_ns)
                add_exemplar(x, buf_slice(&key), list.items[k].ts, list.items[k].value,
                             list.items[k].labels);
        }
    }
    store_part_cursor_deinit(&cursor);
    vec_free(&list);
    buf_deinit(&key);
    buf_deinit(&labels);
    mem_free(series);
    return err;
}

static int by_series_and_time(const void *a, const void *b)
{
    const struct store_exemplar *x = a, *y = b;
    int c = data_labels_cmp(x->series, y->series);
    if (c)
        return c;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    c = data_labels_cmp(x->labels, y->labels);
    return c ? c : memcmp(&x->value, &y->value, sizeof(x->value));
}

int store__list_exemplars(struct store_source *src, const struct store_select_req *req,
                          struct arena *arena, struct store_exemplar **out, size_t *out_count,
                          struct diag *diag)
{
    struct store *s = store_of(src);
    struct exemplars x = {.arena = arena, .req = req};
    int err = store__check_loaded(s, diag);
    for (size_t i = 0; i < s->shard_count && !err; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        list_head(&s->shards[i].head, &x);
        pthread_mutex_unlock(&s->shards[i].lock);
        err = check_cancelled(req, diag);
    }
    store__part_list parts = {0};
    if (!err)
        parts = store__pin_parts(s);
    for (size_t i = 0; i < parts.len && !err; i++) {
        struct store_part *p = parts.items[i];
        if (in_range(p, req) && store_part_exemplar_count(p) && list_part(p, &x))
            store__quarantine(s, p);
        err = check_cancelled(req, diag);
    }
    store__unpin_parts(&parts);
    if (x.found.len)
        qsort(x.found.items, x.found.len, sizeof(*x.found.items), by_series_and_time);
    /* A flush in between shows some twice. */
    size_t kept = 0;
    for (size_t i = 0; i < x.found.len; i++) {
        if (!kept || by_series_and_time(&x.found.items[i], &x.found.items[kept - 1]))
            x.found.items[kept++] = x.found.items[i];
    }
    *out = ARENA_ARRAY(arena, struct store_exemplar, kept);
    if (kept)
        memcpy(*out, x.found.items, kept * sizeof(**out));
    *out_count = kept;
    vec_free(&x.found);
    return err;
}
