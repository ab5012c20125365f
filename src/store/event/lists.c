/* Streams, labels, counts, fields: answered from tables, not from rows. */
#include <stdlib.h>

#include "base/map.h"
#include "store/event/part_write_priv.h"
#include "store/event/scan_priv.h"
#include "store/event/stream_hints.h"

#define MINUTE_NS (60 * NS_PER_SEC)

int scan__no_memory(const struct store_event_select *req, struct diag *diag)
{
    const struct budget *b = req->limits.memory;
    return diag_set(diag, ERR_NOMEM, "the query needs more memory than it may use (%s)",
                    b && b->setting ? b->setting : "its limit");
}

/* --- each matching stream, once or more often --- */

struct visit {
    const struct store_event_select *req;
    /* labels live until the call returns */
    int (*fn)(void *ctx, struct data_labels labels, struct hash128 id);
    void *ctx;
};

static enum store_hint hint_of(const struct store_stream_hints *hints, size_t stream,
                               const struct store_event_select *req)
{
    return store_stream_hint(hints, stream / STORE_STREAM_PAGE, req->tenant, req->t_min_ns,
                             req->t_max_ns, req->matchers, req->matcher_count);
}

static int visit_part(struct store__events *e, struct store_event_part *p, const struct visit *v)
{
    struct arena *arena = arena_new(0, NULL);
    size_t count = store_event_part_stream_count(p), n;
    struct store_part_stream *s;
    struct store_stream_hints *hints = NULL;
    int err = 0;
    if (store_stream_hints_open(p, &hints))
        store__event_quarantine(e, p);
    for (size_t i = 0; i < count && !err; i += STORE_STREAM_PAGE) {
        if (hint_of(hints, i, v->req) == STORE_HINT_NONE)
            continue;
        arena_reset(arena);
        err = store_event_part_streams(p, i / STORE_STREAM_PAGE, arena, &s, &n);
        if (err == ERR_CORRUPT) {
            store__event_quarantine(e, p);
            err = 0;
            continue;
        }
        for (size_t k = 0; k < n && !err; k++) {
            struct data_labels labels;
            if (slice_eq(s[k].tenant, v->req->tenant) && s[k].t_min <= v->req->t_max_ns &&
                s[k].t_max >= v->req->t_min_ns && !data_labels_decode(s[k].key, arena, &labels) &&
                scan__labels_match(labels, v->req->matchers, v->req->matcher_count))
                err = v->fn(v->ctx, labels, data_labels_key_hash(s[k].key));
        }
    }
    store_stream_hints_free(hints);
    arena_free(arena);
    return err;
}

static int visit_streams(struct store_event_source *src, const struct visit *v, struct diag *diag)
{
    struct store__events *e = BASE_CONTAINER_OF(src, struct store__events, source);
    struct store__event_view view;
    int err = store__check_loaded(e->s, diag);
    if (err)
        return err;
    store__event_view_take(e, v->req->t_min_ns, v->req->t_max_ns, false, &view);
    for (size_t i = 0; i < view.blocks.len && !err; i++) {
        const struct store_event_block *b = view.blocks.items[i];
        if (!slice_eq(b->tenant, v->req->tenant))
            continue;
        for (uint32_t k = 0; k < b->stream_count && !err; k++) {
            if (scan__labels_match(b->streams[k]->labels, v->req->matchers, v->req->matcher_count))
                err = v->fn(v->ctx, b->streams[k]->labels, b->streams[k]->labels_id);
        }
    }
    for (size_t i = 0; i < view.parts.len && !err; i++)
        err = visit_part(e, view.parts.items[i], v);
    store__event_view_free(&view);
    if (err == ERR_NOMEM)
        scan__no_memory(v->req, diag);
    return err;
}

/* --- streams --- */

struct stream_list {
    struct arena *arena;
    VEC(struct store_event_stream) items;
    struct map *seen; /* id -> index */
};

static int add_stream(void *ctx, struct data_labels labels, struct hash128 id)
{
    struct stream_list *l = ctx;
    bool added;
    struct map_entry *entry = map_put(l->seen, slice_make(&id, sizeof(id)), &added);
    if (!added)
        return 0;
    struct data_labels copy = data_labels_copy(l->arena, labels);
    if (labels.count && !copy.items)
        return ERR_NOMEM;
    entry->value.u64 = l->items.len;
    vec_push(&l->items, ((struct store_event_stream){copy, id}));
    return 0;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct store_event_stream *)a)->labels,
                           ((const struct store_event_stream *)b)->labels);
}

int scan__streams(struct store_event_source *src, const struct store_event_select *req,
                  struct arena *arena, struct store_event_stream **out, size_t *out_count,
                  struct diag *diag)
{
    struct stream_list l = {.arena = arena, .seen = map_new()};
    struct visit v = {req, add_stream, &l};
    int err = visit_streams(src, &v, diag);
    if (!err && l.items.len)
        qsort(l.items.items, l.items.len, sizeof(*l.items.items), by_labels);
    *out = arena_dup(arena, l.items.items, l.items.len * sizeof(**out));
    *out_count = l.items.len;
    map_free(l.seen);
    vec_free(&l.items);
    return err ? err : *out ? 0 : scan__no_memory(req, diag);
}

/* --- label names and values --- */

struct name_list {
    struct map *seen;
    struct slice name; /* of values */
};

static int add_names(void *ctx, struct data_labels labels, struct hash128 id)
{
    struct name_list *l = ctx;
    (void)id;
    for (size_t i = 0; i < labels.count; i++)
        map_put(l->seen, labels.items[i].name, NULL);
    return 0;
}

static int add_value(void *ctx, struct data_labels labels, struct hash128 id)
{
    struct name_list *l = ctx;
    struct slice v = scan__label(labels, l->name);
    (void)id;
    if (v.ptr)
        map_put(l->seen, v, NULL);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int sorted_keys(const struct map *m, size_t limit, struct arena *arena, struct slice **out,
                       size_t *out_count, bool *out_cut)
{
    size_t n = map_count(m), pos = 0, at = 0;
    *out = arena_alloc(arena, n * sizeof(**out));
    if (!*out)
        return ERR_NOMEM;
    for (struct map_entry *e; (e = map_next(m, &pos));) {
        (*out)[at] = arena_slice(arena, e->key);
        if (!(*out)[at++].ptr)
            return ERR_NOMEM;
    }
    if (n)
        qsort(*out, n, sizeof(**out), by_text);
    *out_cut = limit && n > limit;
    *out_count = *out_cut ? limit : n;
    return 0;
}

static int list(struct store_event_source *src, const struct visit *v, struct name_list *l,
                size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                bool *out_cut, struct diag *diag)
{
    l->seen = map_new();
    int err = visit_streams(src, v, diag);
    if (!err && sorted_keys(l->seen, limit, arena, out, out_count, out_cut))
        err = scan__no_memory(v->req, diag);
    map_free(l->seen);
    return err;
}

int scan__label_names(struct store_event_source *src, const struct store_event_select *req,
                      size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                      bool *out_cut, struct diag *diag)
{
    struct name_list l = {0};
    struct visit v = {req, add_names, &l};
    return list(src, &v, &l, limit, arena, out, out_count, out_cut, diag);
}

int scan__label_values(struct store_event_source *src, struct slice name,
                       const struct store_event_select *req, size_t limit, struct arena *arena,
                       struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag)
{
    struct name_list l = {.name = name};
    struct visit v = {req, add_value, &l};
    return list(src, &v, &l, limit, arena, out, out_count, out_cut, diag);
}

/* --- counts --- */

/* Tallies whose stream is an index into the list. */
struct counting {
    struct store__events *e;
    const struct store_event_select *req;
    struct stream_list streams;
    store_tally_list tallies;
    bool by_stream;
};

static int stream_index(struct counting *c, struct data_labels labels, struct hash128 id,
                        uint32_t *out)
{
    int err = add_stream(&c->streams, labels, id);
    struct map_entry *e = map_get(c->streams.seen, slice_make(&id, sizeof(id)));
    *out = e ? (uint32_t)e->value.u64 : 0;
    return err;
}

static bool in_range(const struct counting *c, int64_t minute)
{
    int64_t begin = minute * MINUTE_NS; /* and its rows behind that */
    return begin < c->req->t_max_ns && begin + MINUTE_NS >= c->req->t_min_ns;
}

static int count_blocks(struct counting *c, const struct store_event_block *b)
{
    uint32_t *streams = mem_alloc(b->stream_count * sizeof(*streams));
    int err = 0;
    for (uint32_t i = 0; i < b->stream_count && !err; i++) {
        streams[i] = UINT32_MAX;
        if (scan__labels_match(b->streams[i]->labels, c->req->matchers, c->req->matcher_count))
            err = c->by_stream ? stream_index(c, b->streams[i]->labels, b->streams[i]->labels_id,
                                              &streams[i])
                               : (streams[i] = 0, 0);
    }
    for (uint32_t i = 0; i < b->row_count && !err; i++) {
        const struct store_event_block_row *r = &b->rows[i];
        int64_t minute = store_floor_div(r->ts, MINUTE_NS) - (r->ts % MINUTE_NS == 0);
        if (streams[r->stream] != UINT32_MAX && in_range(c, minute))
            store__tally_add(&c->tallies, r->ts, streams[r->stream], r->level, r->line_bytes);
    }
    mem_free(streams);
    return err;
}

/* Streams of a part -> index in the list, UINT32_MAX for those that do not match. *out_all: every
 * stream of the part matches. */
static int map_streams(struct counting *c, struct store_event_part *p, uint32_t *map, bool *out_all)
{
    struct arena *arena = arena_new(0, NULL);
    size_t count = store_event_part_stream_count(p), n;
    struct store_part_stream *s;
    struct store_stream_hints *hints = NULL;
    int err = store_stream_hints_open(p, &hints);
    *out_all = true;
    for (size_t i = 0; i < count && !err; i += STORE_STREAM_PAGE) {
        /* Whatever the time: counts say when. */
        enum store_hint hint =
            store_stream_hint(hints, i / STORE_STREAM_PAGE, c->req->tenant, INT64_MIN, INT64_MAX,
                              c->req->matchers, c->req->matcher_count);
        if (hint == STORE_HINT_NONE || (hint == STORE_HINT_ALL && !c->by_stream)) {
            for (size_t k = i; k < MIN(i + STORE_STREAM_PAGE, count); k++)
                map[k] = hint == STORE_HINT_ALL ? 0 : UINT32_MAX;
            *out_all = *out_all && hint == STORE_HINT_ALL;
            continue;
        }
        arena_reset(arena);
        err = store_event_part_streams(p, i / STORE_STREAM_PAGE, arena, &s, &n);
        for (size_t k = 0; k < n && !err; k++) {
            struct data_labels labels;
            map[i + k] = UINT32_MAX;
            if (!s[k].rows)
                continue;
            if (!slice_eq(s[k].tenant, c->req->tenant) ||
                data_labels_decode(s[k].key, arena, &labels) ||
                !scan__labels_match(labels, c->req->matchers, c->req->matcher_count)) {
                *out_all = false;
                continue;
            }
            map[i + k] = 0;
            if (c->by_stream)
                err = stream_index(c, labels, data_labels_key_hash(s[k].key), &map[i + k]);
        }
    }
    store_stream_hints_free(hints);
    arena_free(arena);
    return err;
}

static int count_groups(struct counting *c, struct store_event_part *p, store_tally_list *out)
{
    int err = 0;
    for (size_t i = 0; i < store_event_part_group_count(p) && !err; i++) {
        struct store_group_entry e = store_event_part_group(p, i);
        struct store_group g;
        if (e.t_min / MINUTE_NS > c->req->t_max_ns / MINUTE_NS + 1 ||
            e.t_max / MINUTE_NS + 1 < c->req->t_min_ns / MINUTE_NS)
            continue;
        err = store_group_open(p, i, &g);
        if (err)
            return err;
        err = store_group_tally(&g, out);
        store_group_close(&g);
    }
    return err;
}

static int count_part(struct counting *c, struct store_event_part *p)
{
    size_t streams = store_event_part_stream_count(p);
    uint32_t *map = mem_alloc((streams + 1) * sizeof(*map));
    store_tally_list list = {0};
    bool all = false, known = false;
    int err = map_streams(c, p, map, &all);
    bool totals = all && !c->by_stream;
    if (!err)
        err = store_event_part_tallies(p, !totals, &list, &known);
    if (!err && !known)
        err = count_groups(c, p, &list);
    for (size_t i = 0; i < list.len && !err; i++) {
        struct store_event_tally t = list.items[i];
        t.stream = totals ? 0 : map[t.stream];
        if (t.stream != UINT32_MAX && in_range(c, t.minute))
            vec_push(&c->tallies, t);
    }
    if (err == ERR_CORRUPT) {
        store__event_quarantine(c->e, p);
        err = 0;
    }
    vec_free(&list);
    mem_free(map);
    return err;
}

static int64_t step_of(const struct counting *c, int64_t minute, int64_t step_ns)
{
    int64_t ts = minute * MINUTE_NS;
    if (!step_ns)
        return c->req->t_min_ns;
    int64_t rest = ts % step_ns;
    return ts - (rest < 0 ? rest + step_ns : rest);
}

static int by_count(const void *a, const void *b)
{
    const struct store_event_count *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->level != y->level)
        return (int)x->level - (int)y->level;
    return (int)x->level_state - (int)y->level_state;
}

static int fold(struct counting *c, int64_t step_ns, bool by_level, struct arena *arena,
                struct store_event_counts *out)
{
    store_tally_list *t = &c->tallies;
    size_t kept = 0;
    struct store_event_count *items = arena_alloc(arena, t->len * sizeof(*items));
    out->streams =
        arena_dup(arena, c->streams.items.items, c->streams.items.len * sizeof(*out->streams));
    out->stream_count = c->streams.items.len;
    if (!items || !out->streams)
        return ERR_NOMEM;
    for (size_t i = 0; i < t->len; i++)
        items[i] = (struct store_event_count){
            .ts_ns = step_of(c, t->items[i].minute, step_ns),
            .stream = c->by_stream ? t->items[i].stream : DATA_EVENT_NONE,
            .level = by_level && t->items[i].level < DATA_LEVEL_COUNT
                         ? (enum data_event_level)t->items[i].level
                         : DATA_LEVEL_UNKNOWN,
            .level_state = !by_level || t->items[i].level < DATA_LEVEL_COUNT ? STORE_LEVEL_NAMED
                           : t->items[i].level == STORE_LEVEL_NONE           ? STORE_LEVEL_MISSING
                                                                             : STORE_LEVEL_ODD,
            .rows = t->items[i].rows,
            .bytes = t->items[i].bytes};
    if (t->len)
        qsort(items, t->len, sizeof(*items), by_count);
    for (size_t i = 0; i < t->len; i++) {
        if (kept && !by_count(&items[kept - 1], &items[i])) {
            items[kept - 1].rows += items[i].rows;
            items[kept - 1].bytes += items[i].bytes;
        } else {
            items[kept++] = items[i];
        }
    }
    out->items = items;
    out->count = kept;
    return 0;
}

int scan__counts(struct store_event_source *src, const struct store_event_select *req,
                 int64_t step_ns, bool by_stream, bool by_level, struct arena *arena,
                 struct store_event_counts *out, struct diag *diag)
{
    struct store__events *e = BASE_CONTAINER_OF(src, struct store__events, source);
    struct store__event_view view;
    int err = store__check_loaded(e->s, diag);
    if (err)
        return err;
    if (step_ns < 0 || step_ns % MINUTE_NS)
        return diag_set(diag, ERR_INVALID,
                        "counts are kept by the minute: the step has to be a "
                        "multiple of one");
    struct counting c = {
        .e = e, .req = req, .by_stream = by_stream, .streams = {.arena = arena, .seen = map_new()}};
    int64_t t_min = req->t_min_ns > INT64_MIN + MINUTE_NS ? req->t_min_ns - MINUTE_NS : INT64_MIN;
    int64_t t_max = req->t_max_ns < INT64_MAX - MINUTE_NS ? req->t_max_ns + MINUTE_NS : INT64_MAX;
    store__event_view_take(e, t_min, t_max, false, &view);
    for (size_t i = 0; i < view.blocks.len && !err; i++) {
        if (slice_eq(view.blocks.items[i]->tenant, req->tenant))
            err = count_blocks(&c, view.blocks.items[i]);
    }
    for (size_t i = 0; i < view.parts.len && !err; i++)
        err = count_part(&c, view.parts.items[i]);
    *out = (struct store_event_counts){0};
    if (!err)
        err = fold(&c, step_ns, by_level, arena, out);
    if (err == ERR_NOMEM)
        scan__no_memory(req, diag);
    store__event_view_free(&view);
    map_free(c.streams.seen);
    vec_free(&c.streams.items);
    vec_free(&c.tallies);
    return err;
}
