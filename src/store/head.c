#include "store/head.h"

#include <stdlib.h>

#include "base/assert.h"
#include "codec/bytes.h"
#include "text/regex.h"

void store_shard_init(struct store_shard *sh)
{
    *sh = (struct store_shard){.name_of = map_new(),
                               .lists = arena_new(0, NULL),
                               .last_exemplar = map_new(),
                               .t_min = INT64_MAX,
                               .t_max = INT64_MIN,
                               .flushing_t_min = INT64_MAX,
                               .flushing_t_max = INT64_MIN};
}

static void free_index(struct store_shard *sh)
{
    for (size_t i = 0; i < sh->names.len; i++)
        map_free(sh->names.items[i].values);
    for (size_t i = 0; i < sh->pairs.len; i++)
        mem_free(sh->pairs.items[i].series);
    vec_free(&sh->names);
    vec_free(&sh->pairs);
    map_free(sh->name_of);
    arena_free(sh->lists);
}

void store_shard_deinit(struct store_shard *sh)
{
    for (uint32_t i = 0; i < sh->slots; i++) {
        struct store_series *s = store_shard_series(sh, i);
        if (s) {
            store_tail_free(s->now);
            store_tail_free(s->flushing);
        }
    }
    for (size_t i = 0; i < sh->pages.len; i++)
        mem_free(sh->pages.items[i]);
    vec_free(&sh->pages);
    vec_free(&sh->free_slots);
    store_exemplars_clear(&sh->exemplars);
    store_exemplars_clear(&sh->flushing_exemplars);
    map_free(sh->last_exemplar);
    mem_free(sh->table);
    free_index(sh);
}

/* --- by id --- */

static struct store_series *at_slot(const struct store_shard *sh, uint32_t slot)
{
    return &sh->pages.items[slot / STORE__PAGE][slot % STORE__PAGE];
}

static size_t probe(const struct store_shard *sh, struct hash128 id)
{
    size_t mask = sh->table_size - 1, i = store_shard_slot(sh, id);
    while (sh->table[i] && !hash128_eq(at_slot(sh, sh->table[i] - 1)->id, id))
        i = (i + 1) & mask;
    return i;
}

struct store_series *store_shard_find(const struct store_shard *sh, struct hash128 id)
{
    if (!sh->table_size)
        return NULL;
    uint32_t slot = sh->table[probe(sh, id)];
    return slot ? at_slot(sh, slot - 1) : NULL;
}

uint32_t store_shard_slot_of(const struct store_shard *sh, struct hash128 id)
{
    uint32_t slot = sh->table[probe(sh, id)];
    base_assert(slot);
    return slot - 1;
}

static void rebuild_table(struct store_shard *sh)
{
    size_t size = 64;
    while (size * 3 < sh->count * 4)
        size *= 2;
    mem_free(sh->table);
    sh->table = mem_calloc(size, sizeof(*sh->table));
    sh->table_size = size;
    for (uint32_t i = 0; i < sh->slots; i++) {
        const struct store_series *s = store_shard_series(sh, i);
        if (s)
            sh->table[probe(sh, s->id)] = i + 1;
    }
}

/* --- by label --- */

static uint32_t pair_of(struct store_shard *sh, struct slice name, struct slice value)
{
    bool added;
    struct map_entry *e = map_put(sh->name_of, name, &added);
    if (added) {
        e->value.u64 = sh->names.len;
        vec_push(&sh->names, ((struct store_head_name){e->key, map_new()}));
    }
    uint32_t index = (uint32_t)e->value.u64;
    e = map_put(sh->names.items[index].values, value, &added);
    if (added) {
        e->value.u64 = sh->pairs.len;
        vec_push(&sh->pairs, ((struct store_head_pair){.value = e->key, .name = index}));
    }
    return (uint32_t)e->value.u64;
}

/* Room for a series' list; an allocation each would be rounded up. */
static uint32_t *list_new(struct store_shard *sh, size_t count)
{
    enum { PIECE = 1024 };
    if (count > sh->list_left) {
        size_t room = MAX(count, (size_t)PIECE);
        sh->list_room = arena_alloc(sh->lists, room * sizeof(*sh->list_room));
        sh->list_left = room;
    }
    uint32_t *list = sh->list_room;
    sh->list_room += count;
    sh->list_left -= count;
    return list;
}

static void index_series(struct store_shard *sh, uint32_t slot)
{
    const struct store_series *s = at_slot(sh, slot);
    for (uint32_t i = 0; i < s->pair_count; i++) {
        struct store_head_pair *p = &sh->pairs.items[s->pairs[i]];
        if (p->len == p->cap) {
            p->cap = p->cap ? p->cap + p->cap / 4 + 2 : 2;
            p->series = mem_realloc(p->series, p->cap * sizeof(*p->series));
        }
        p->series[p->len++] = slot;
    }
}

struct store_series *store_shard_add(struct store_shard *sh, struct hash128 id, struct slice tenant,
                                     struct data_labels labels)
{
    uint32_t slot;
    if (sh->free_slots.len) {
        slot = vec_pop(&sh->free_slots);
    } else {
        slot = sh->slots++;
        if (slot / STORE__PAGE >= sh->pages.len)
            vec_push(&sh->pages, mem_calloc(STORE__PAGE, sizeof(struct store_series)));
    }
    struct store_series *s = at_slot(sh, slot);
    uint32_t *pairs = list_new(sh, labels.count + 1);
    pairs[0] = pair_of(sh, STORE_TENANT_NAME, tenant);
    for (size_t i = 0; i < labels.count; i++)
        pairs[i + 1] = pair_of(sh, labels.items[i].name, labels.items[i].value);
    *s = (struct store_series){.id = id,
                               .pairs = pairs,
                               .pair_count = (uint32_t)labels.count + 1,
                               .wal_segment = UINT32_MAX};
    sh->count++;
    if (sh->count * 4 > sh->table_size * 3)
        rebuild_table(sh);
    else
        sh->table[probe(sh, id)] = slot + 1;
    index_series(sh, slot);
    return s;
}

void store_shard_push(struct store_shard *sh, struct store_series *series, int64_t ts, double value,
                      struct slice histogram, int64_t start)
{
    sh->bytes += store_tail_push(&series->now, ts, value, histogram, start);
    sh->samples++;
    sh->t_min = MIN(sh->t_min, ts);
    sh->t_max = MAX(sh->t_max, ts);
}

/* A quarter goes at once, so that making room costs little. */
static size_t make_room(store_head_exemplar_list *list, size_t max)
{
    size_t gone = list->len < max ? 0 : list->len - max + max / 4 + 1;
    gone = MIN(gone, list->len);
    for (size_t i = 0; i < gone; i++)
        mem_free((void *)(uintptr_t)list->items[i].labels.ptr);
    list->len -= gone;
    if (gone && list->len)
        memmove(list->items, list->items + gone, list->len * sizeof(list->items[0]));
    return gone;
}

bool store_shard_push_exemplar(struct store_shard *sh, uint32_t slot, int64_t ts, double value,
                               struct slice labels, uint64_t segment, size_t max,
                               size_t *out_dropped)
{
    uint64_t said = hash64(labels.ptr, labels.len, codec_double_bits(value));
    said = (said & ~(uint64_t)UINT32_MAX) | (uint32_t)segment;
    bool added;
    struct map_entry *e =
        map_put(sh->last_exemplar, slice_make((const char *)&slot, sizeof(slot)), &added);
    uint64_t before = e->value.u64;
    e->value.u64 = said;
    if (!added && before >> 32 == said >> 32)
        return before != said;
    *out_dropped += make_room(&sh->exemplars, max);
    sh->t_min = MIN(sh->t_min, ts);
    sh->t_max = MAX(sh->t_max, ts);
    sh->bytes += sizeof(struct store_head_exemplar) + labels.len;
    vec_push(&sh->exemplars,
             ((struct store_head_exemplar){
                 slot, ts, value, slice_make(mem_dup(labels.ptr, labels.len), labels.len)}));
    return true;
}

void store_exemplars_clear(store_head_exemplar_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        mem_free((void *)(uintptr_t)list->items[i].labels.ptr);
    vec_free(list);
}

void store_shard_set_aside(struct store_shard *sh)
{
    for (uint32_t i = 0; i < sh->slots; i++) {
        struct store_series *s = store_shard_series(sh, i);
        if (!s || !s->now)
            continue;
        s->flushing = store_tail_join(s->flushing, s->now);
        s->now = NULL;
    }
    for (size_t i = 0; i < sh->exemplars.len; i++)
        vec_push(&sh->flushing_exemplars, sh->exemplars.items[i]);
    vec_free(&sh->exemplars);
    sh->flushing_samples += sh->samples;
    sh->flushing_t_min = MIN(sh->flushing_t_min, sh->t_min);
    sh->flushing_t_max = MAX(sh->flushing_t_max, sh->t_max);
    sh->samples = sh->bytes = 0;
    sh->t_min = INT64_MAX;
    sh->t_max = INT64_MIN;
}

void store_shard_flushed(struct store_shard *sh)
{
    for (uint32_t i = 0; i < sh->slots; i++) {
        struct store_series *s = store_shard_series(sh, i);
        if (s && s->flushing) {
            store_tail_free(s->flushing);
            s->flushing = NULL;
        }
    }
    store_exemplars_clear(&sh->flushing_exemplars);
    sh->flushing_samples = 0;
    sh->flushing_t_min = INT64_MAX;
    sh->flushing_t_max = INT64_MIN;
}

static struct slice name_at(const struct store_shard *sh, uint32_t pair)
{
    return sh->names.items[sh->pairs.items[pair].name].name;
}

void store_shard_key(const struct store_shard *sh, const struct store_series *series,
                     struct buf *out)
{
    struct slice tenant = sh->pairs.items[series->pairs[0]].value;
    codec_append_varint(out, tenant.len);
    buf_append_slice(out, tenant);
    for (uint32_t i = 1; i < series->pair_count; i++) {
        const struct slice parts[] = {name_at(sh, series->pairs[i]),
                                      sh->pairs.items[series->pairs[i]].value};
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            codec_append_varint(out, parts[k].len);
            buf_append_slice(out, parts[k]);
        }
    }
}

/* --- matching --- */

/* One matcher with what is known of the values so far: each is looked at once. */
struct question {
    struct store_matcher matcher;
    uint32_t name;   /* UINT32_MAX: no series has this label */
    uint32_t answer; /* of an exact value: its pair; UINT32_MAX: there is none */
    bool takes_missing;
    uint8_t *known; /* by pair: 1 yes, 2 no; for patterns */
};

static bool asks(struct question *q, const struct store_shard *sh, uint32_t pair)
{
    if (q->matcher.op == STORE_MATCH_EQ)
        return pair == q->answer;
    if (q->matcher.op == STORE_MATCH_NE)
        return pair != q->answer;
    if (!q->known[pair])
        q->known[pair] = store_matcher_matches(&q->matcher, sh->pairs.items[pair].value) ? 1 : 2;
    return q->known[pair] == 1;
}

static bool accepts(struct question *q, const struct store_shard *sh, const struct store_series *s)
{
    for (uint32_t i = 0; i < s->pair_count; i++) {
        if (sh->pairs.items[s->pairs[i]].name == q->name)
            return asks(q, sh, s->pairs[i]);
    }
    return q->takes_missing;
}

static void pose(struct question *q, const struct store_shard *sh, const struct store_matcher *m)
{
    *q = (struct question){.matcher = *m, .name = UINT32_MAX, .answer = UINT32_MAX};
    q->takes_missing = store_matcher_matches(m, SLICE(""));
    const struct map_entry *e = map_get(sh->name_of, m->name);
    if (e) {
        q->name = (uint32_t)e->value.u64;
        const struct map *values = sh->names.items[q->name].values;
        if ((m->op == STORE_MATCH_EQ || m->op == STORE_MATCH_NE) && (e = map_get(values, m->value)))
            q->answer = (uint32_t)e->value.u64;
    }
    if (m->op == STORE_MATCH_RE || m->op == STORE_MATCH_NRE)
        q->known = mem_calloc(sh->pairs.len, 1);
}

typedef VEC(uint32_t) pair_list;

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts, and leaves out what is there twice. */
static void once(pair_list *l)
{
    size_t kept = 0;
    if (l->len)
        qsort(l->items, l->len, sizeof(*l->items), by_number);
    for (size_t i = 0; i < l->len; i++) {
        if (!i || l->items[i] != l->items[i - 1])
            l->items[kept++] = l->items[i];
    }
    l->len = kept;
}

/* The pairs of the question's name that satisfy it; the number of their series. */
static size_t answers_of(struct question *q, const struct store_shard *sh, pair_list *out)
{
    size_t series = 0, pos = 0, literals = 0;
    const struct slice *literal = NULL;
    vec_clear(out);
    if (q->name == UINT32_MAX)
        return 0;
    const struct map *values = sh->names.items[q->name].values;
    if (q->matcher.op == STORE_MATCH_EQ) {
        if (q->answer != UINT32_MAX)
            vec_push(out, q->answer);
    } else if (q->matcher.op == STORE_MATCH_RE &&
               (literals = text_regex_literals(q->matcher.regex, &literal))) {
        for (size_t i = 0; i < literals; i++) {
            const struct map_entry *e = map_get(values, literal[i]);
            if (e)
                vec_push(out, (uint32_t)e->value.u64);
        }
        once(out);
    } else {
        for (const struct map_entry *e; (e = map_next(values, &pos));) {
            if (asks(q, sh, (uint32_t)e->value.u64))
                vec_push(out, (uint32_t)e->value.u64);
        }
    }
    for (size_t i = 0; i < out->len; i++)
        series += sh->pairs.items[out->items[i]].len;
    return series;
}

void store_shard_match(const struct store_shard *sh, struct slice tenant,
                       const struct store_matcher *matchers, size_t count, store_slot_list *out)
{
    const struct store_matcher whose = {
        .op = STORE_MATCH_EQ, .name = STORE_TENANT_NAME, .value = tenant};
    struct question *q = mem_calloc(count + 1, sizeof(*q));
    pair_list best = {0}, here = {0};
    size_t best_series = SIZE_MAX;
    pose(&q[0], sh, &whose);
    q[0].takes_missing = false; /* even for the tenant whose name is empty */
    for (size_t i = 0; i < count; i++)
        pose(&q[i + 1], sh, &matchers[i]);
    /* Begin with the one that leaves the fewest: exact values cost nothing to look at, patterns are
     * asked only when those leave many. */
    for (int patterns = 0; patterns < 2; patterns++) {
        for (size_t i = 0; i <= count && best_series; i++) {
            const struct question *one = &q[i];
            if (one->takes_missing || (one->matcher.op != STORE_MATCH_EQ) != patterns)
                continue;
            if (patterns && one->name != UINT32_MAX &&
                map_count(sh->names.items[one->name].values) > best_series)
                continue;
            size_t series = answers_of(&q[i], sh, &here);
            if (series < best_series) {
                pair_list was = best;
                best = here;
                here = was;
                best_series = series;
            }
        }
    }
    for (size_t i = 0; i < best.len; i++) {
        const struct store_head_pair *p = &sh->pairs.items[best.items[i]];
        for (uint32_t k = 0; k < p->len; k++) {
            const struct store_series *s = store_shard_series(sh, p->series[k]);
            bool yes = s != NULL;
            for (size_t m = 0; m <= count && yes; m++)
                yes = accepts(&q[m], sh, s);
            if (yes)
                vec_push(out, p->series[k]);
        }
    }
    for (size_t i = 0; i <= count; i++)
        mem_free(q[i].known);
    mem_free(q);
    vec_free(&best);
    vec_free(&here);
}

/* --- leaving --- */

static bool is_idle(const struct store_series *s, uint32_t idle_before_s)
{
    return !s->now && !s->flushing && s->last_append_s < idle_before_s;
}

size_t store_shard_evict(struct store_shard *sh, uint32_t idle_before_s)
{
    size_t idle = 0;
    for (uint32_t i = 0; i < sh->slots; i++) {
        const struct store_series *s = store_shard_series(sh, i);
        idle += s && is_idle(s, idle_before_s);
    }
    /* The index is made anew, so that it pays only when there is something to gain. */
    if (!idle || idle * 20 < sh->count)
        return 0;
    struct store_shard old = *sh;
    sh->name_of = map_new();
    sh->lists = arena_new(0, NULL);
    sh->list_left = 0;
    memset(&sh->names, 0, sizeof(sh->names));
    memset(&sh->pairs, 0, sizeof(sh->pairs));
    for (uint32_t i = 0; i < sh->slots; i++) {
        struct store_series *s = store_shard_series(sh, i);
        if (!s)
            continue;
        if (is_idle(s, idle_before_s)) {
            *s = (struct store_series){0};
            vec_push(&sh->free_slots, i);
            continue;
        }
        uint32_t *pairs = list_new(sh, s->pair_count);
        for (uint32_t k = 0; k < s->pair_count; k++)
            pairs[k] = pair_of(sh, name_at(&old, s->pairs[k]), old.pairs.items[s->pairs[k]].value);
        s->pairs = pairs;
        index_series(sh, i);
    }
    sh->count -= idle;
    map_clear(sh->last_exemplar); /* slots mean other series now */
    rebuild_table(sh);
    free_index(&old);
    return idle;
}
