#include "api/loki/tenants.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/api_priv.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#define ORIGINAL_LABEL "original_" LOKI__TENANT_LABEL
#define MORE_STREAMS   4096 /* that may appear while it is read */
#define TENANTS_MAX    1000

struct tenants {
    struct store_event_source face; /* first */
    struct store_event_source *of;
    const struct slice *names;
    size_t count;
};

/* A tenant's part of a scan. */
struct part {
    size_t tenant;
    struct store_event_cursor *cursor;
    struct store_event_scan scan; /* in the cursor's arena */
    struct store_event_chunk chunk;
    size_t at; /* the next row of the chunk */
    bool ended;
    size_t first_morsel;
    uint32_t *index; /* of a stream of its own: place of all's + 1 */
    size_t index_size;
};

struct cursor {
    struct tenants *t;
    struct arena *arena;  /* as large as the query is */
    struct arena *labels; /* charged */
    struct part *parts;
    size_t count, morsels;
    enum store_event_order order;
    pthread_mutex_t lock; /* of the streams */
    struct store_event_stream *streams;
    size_t stream_count, stream_room;
};

static struct tenants *of(struct store_event_source *src)
{
    return BASE_CONTAINER_OF(src, struct tenants, face);
}

static struct cursor *cursor_of(struct store_event_cursor *c)
{
    return (struct cursor *)(void *)c;
}

static int no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the query needs more memory than limits.query.memory allows");
}

/* --- a request of one tenant --- */

static bool is_tenant_label(struct slice name)
{
    return slice_eq_cstr(name, LOKI__TENANT_LABEL);
}

/* False: the tenant is not selected. */
static bool select_tenant(const struct tenants *t, size_t tenant,
                          const struct store_event_select *req, struct arena *arena,
                          struct store_event_select *out)
{
    struct store_matcher *own = ARENA_ARRAY(arena, struct store_matcher, req->matcher_count);
    size_t n = 0;
    *out = *req;
    out->tenant = t->names[tenant];
    for (size_t i = 0; i < req->matcher_count; i++) {
        if (!is_tenant_label(req->matchers[i].name))
            own[n++] = req->matchers[i];
        else if (!store_matcher_matches(&req->matchers[i], t->names[tenant]))
            return false;
    }
    out->matchers = own;
    out->matcher_count = n;
    return true;
}

/* What a clause says of a tenant is known before its rows are. */
static bool choose_clauses(const struct tenants *t, size_t tenant,
                           const struct store_event_scan *req, struct arena *arena,
                           struct store_event_scan *out)
{
    struct store_event_clause *own =
        ARENA_ARRAY(arena, struct store_event_clause, req->clause_count);
    const struct data_value name = data_value_string(t->names[tenant]);
    struct buf scratch = {0};
    size_t n = 0;
    bool possible = true;
    for (size_t i = 0; i < req->clause_count && possible; i++) {
        const struct store_event_clause *c = &req->clauses[i];
        struct store_event_predicate *any =
            ARENA_ARRAY(arena, struct store_event_predicate, c->count);
        size_t left = 0;
        bool holds = false;
        for (size_t k = 0; k < c->count; k++) {
            if (is_tenant_label(c->any[k].field.name))
                holds |= store_event_satisfies(&c->any[k], name, &scratch);
            else
                any[left++] = c->any[k];
        }
        possible = holds || left;
        if (!holds && left)
            own[n++] = (struct store_event_clause){any, left};
    }
    buf_deinit(&scratch);
    out->clauses = own;
    out->clause_count = n;
    return possible;
}

/* --- streams --- */

static struct data_labels with_tenant(struct data_labels labels, struct slice tenant,
                                      struct arena *arena)
{
    struct data_labels_builder b = {0};
    struct data_labels set = {NULL, 0};
    for (size_t i = 0; i < labels.count; i++)
        data_labels_builder_set(&b,
                                is_tenant_label(labels.items[i].name) ? SLICE(ORIGINAL_LABEL)
                                                                      : labels.items[i].name,
                                labels.items[i].value);
    data_labels_builder_set(&b, SLICE(LOKI__TENANT_LABEL), tenant);
    if (!data_labels_builder_finish(&b, &set, NULL))
        set = data_labels_copy(arena, set);
    data_labels_builder_deinit(&b);
    return set;
}

/* Tenant by tenant, and within one as the source has them. */
static struct hash128 with_tenant_id(struct hash128 id, size_t tenant)
{
    id.hi = (uint64_t)tenant << 48 | id.hi >> 16;
    return id;
}

static int by_labels(const void *a, const void *b)
{
    return data_labels_cmp(((const struct store_event_stream *)a)->labels,
                           ((const struct store_event_stream *)b)->labels);
}

static int list_streams(struct store_event_source *src, const struct store_event_select *req,
                        struct arena *arena, struct store_event_stream **out, size_t *out_count,
                        struct diag *diag)
{
    struct tenants *t = of(src);
    VEC(struct store_event_stream) all = {0};
    int err = 0;
    for (size_t i = 0; i < t->count && !err; i++) {
        struct store_event_select own;
        struct store_event_stream *streams;
        size_t count;
        if (!select_tenant(t, i, req, arena, &own))
            continue;
        err = t->of->ops->streams(t->of, &own, arena, &streams, &count, diag);
        for (size_t k = 0; k < count && !err; k++) {
            struct data_labels labels = with_tenant(streams[k].labels, t->names[i], arena);
            if (!labels.items)
                err = no_memory(diag);
            else
                vec_push(&all,
                         ((struct store_event_stream){labels, with_tenant_id(streams[k].id, i)}));
        }
    }
    if (!err && all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_labels);
    *out_count = err ? 0 : all.len;
    *out = arena_dup(arena, all.items, all.len * sizeof(*all.items));
    vec_free(&all);
    return !err && !*out ? no_memory(diag) : err;
}

/* --- scans --- */

static void close_cursor(struct store_event_cursor *cursor)
{
    struct cursor *c = cursor_of(cursor);
    for (size_t i = 0; i < c->count; i++) {
        if (c->parts[i].cursor)
            c->t->of->ops->close(c->parts[i].cursor);
        store_event_chunk_free(&c->parts[i].chunk);
        mem_free(c->parts[i].index);
    }
    mem_free(c->parts);
    mem_free(c->streams);
    pthread_mutex_destroy(&c->lock);
    arena_free(c->arena);
    arena_free(c->labels);
    mem_free(c);
}

/* Streams have a place that stays, so there is room for all of them from the start on. */
static int open_part(struct cursor *c, size_t tenant, const struct store_event_scan *req,
                     struct diag *diag)
{
    struct tenants *t = c->t;
    struct part *p = &c->parts[c->count];
    struct store_event_stream *streams;
    size_t count;
    *p = (struct part){.tenant = tenant, .scan = *req};
    if (!select_tenant(t, tenant, &req->select, c->arena, &p->scan.select) ||
        !choose_clauses(t, tenant, req, c->arena, &p->scan))
        return 0;
    struct arena *arena = arena_new(0, req->select.limits.memory);
    int err = t->of->ops->streams(t->of, &p->scan.select, arena, &streams, &count, diag);
    arena_free(arena);
    if (!err)
        err = t->of->ops->scan(t->of, &p->scan, &p->cursor, diag);
    if (err)
        return err;
    c->stream_room += count + MORE_STREAMS;
    p->first_morsel = c->morsels;
    c->morsels += t->of->ops->morsel_count(p->cursor);
    c->count++;
    return 0;
}

static int open_cursor(struct store_event_source *src, const struct store_event_scan *req,
                       struct store_event_cursor **out, struct diag *diag)
{
    struct tenants *t = of(src);
    struct cursor *c = mem_calloc(1, sizeof(*c));
    int err = 0;
    c->t = t;
    c->order = req->order;
    c->arena = arena_new(0, NULL);
    c->labels = arena_new(0, req->select.limits.memory);
    c->parts = mem_calloc(t->count, sizeof(*c->parts));
    pthread_mutex_init(&c->lock, NULL);
    for (size_t i = 0; i < t->count && !err; i++)
        err = open_part(c, i, req, diag);
    c->streams = mem_alloc((c->stream_room + 1) * sizeof(*c->streams));
    *out = (struct store_event_cursor *)(void *)c;
    if (err)
        close_cursor(*out);
    return err;
}

/* Under the lock. */
static int place_of(struct cursor *c, struct part *p, const struct store_event_chunk *chunk,
                    uint32_t stream, uint32_t *out)
{
    if (stream >= p->index_size) {
        size_t size = MAX(2 * p->index_size, (size_t)stream + 64);
        p->index = mem_realloc(p->index, size * sizeof(*p->index));
        memset(p->index + p->index_size, 0, (size - p->index_size) * sizeof(*p->index));
        p->index_size = size;
    }
    if (!p->index[stream]) {
        const struct store_event_stream *s = &chunk->streams[stream];
        if (c->stream_count == c->stream_room)
            return ERR_AGAIN;
        struct data_labels labels = with_tenant(s->labels, c->t->names[p->tenant], c->labels);
        if (!labels.items)
            return ERR_NOMEM;
        c->streams[c->stream_count] =
            (struct store_event_stream){labels, with_tenant_id(s->id, p->tenant)};
        p->index[stream] = (uint32_t)++c->stream_count;
    }
    *out = p->index[stream] - 1;
    return 0;
}

/* The chunk's streams become those of all tenants. */
static int place_streams(struct cursor *c, struct part *p, struct store_event_chunk *chunk,
                         struct diag *diag)
{
    uint32_t *places = ARENA_ARRAY(chunk->arena, uint32_t, chunk->count);
    int err = places ? 0 : ERR_NOMEM;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < chunk->count && !err; i++)
        err = place_of(c, p, chunk, chunk->stream[i], &places[i]);
    chunk->streams = c->streams;
    chunk->stream_count = c->stream_count;
    pthread_mutex_unlock(&c->lock);
    chunk->stream = places;
    return err == ERR_NOMEM ? no_memory(diag)
           : err ? diag_set(diag, err, "many streams began while they were read; ask again")
                 : 0;
}

static int fill(struct cursor *c, struct part *p, struct diag *diag)
{
    if (p->ended || p->at < p->chunk.count)
        return 0;
    p->at = 0;
    int err = c->t->of->ops->next(p->cursor, &p->chunk, diag);
    if (!err && p->chunk.count)
        err = place_streams(c, p, &p->chunk, diag);
    p->ended = !err && !p->chunk.count;
    return err;
}

/* Whether a row at time x of tenant i comes before one at y of tenant k. */
static bool is_before(const struct cursor *c, int64_t x, size_t i, int64_t y, size_t k)
{
    bool oldest = c->order == STORE_EVENT_OLDEST_FIRST;
    if (x != y)
        return (x < y) == oldest;
    return (i < k) == oldest;
}

/* A stretch of one tenant's chunk, as it lies there. */
static void view(struct part *p, size_t count, const struct cursor *c,
                 struct store_event_chunk *out)
{
    const struct store_event_chunk *from = &p->chunk;
    size_t at = p->at;
    if (!out->arena)
        out->arena = arena_new(0, NULL);
    arena_reset(out->arena);
    struct store_event_column *columns =
        ARENA_ARRAY(out->arena, struct store_event_column, from->column_count);
    for (size_t i = 0; i < from->column_count; i++) {
        columns[i] = from->columns[i];
        columns[i].values += at;
    }
    out->count = count;
    out->ts = from->ts + at;
    out->stream = from->stream + at;
    out->streams = c->streams;
    out->stream_count = c->stream_count;
    out->columns = columns;
    out->column_count = from->column_count;
    out->children = from->children ? from->children + at : NULL;
    p->at += count;
}

static int next(struct store_event_cursor *cursor, struct store_event_chunk *out, struct diag *diag)
{
    struct cursor *c = cursor_of(cursor);
    struct part *first = NULL, *second = NULL;
    size_t n = 1;
    out->count = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct part *p = &c->parts[i];
        int err = fill(c, p, diag);
        if (err)
            return err;
        if (p->ended)
            continue;
        if (!first || is_before(c, p->chunk.ts[p->at], p->tenant, first->chunk.ts[first->at],
                                first->tenant)) {
            second = first;
            first = p;
        } else if (!second || is_before(c, p->chunk.ts[p->at], p->tenant,
                                        second->chunk.ts[second->at], second->tenant)) {
            second = p;
        }
    }
    if (!first)
        return 0;
    const struct store_event_chunk *chunk = &first->chunk;
    while (first->at + n < chunk->count &&
           (!second || is_before(c, chunk->ts[first->at + n], first->tenant,
                                 second->chunk.ts[second->at], second->tenant)))
        n++;
    view(first, n, c, out);
    return 0;
}

static struct part *part_of(struct cursor *c, size_t *morsel)
{
    size_t i = c->count - 1;
    while (i && c->parts[i].first_morsel > *morsel)
        i--;
    *morsel -= c->parts[i].first_morsel;
    return &c->parts[i];
}

static size_t morsel_count(struct store_event_cursor *cursor)
{
    return cursor_of(cursor)->morsels;
}

static void morsel_times(struct store_event_cursor *cursor, size_t i, int64_t *t_min_ns,
                         int64_t *t_max_ns)
{
    struct cursor *c = cursor_of(cursor);
    struct part *p = part_of(c, &i);
    c->t->of->ops->morsel_times(p->cursor, i, t_min_ns, t_max_ns);
}

static int morsel_read(struct store_event_cursor *cursor, size_t i, struct store_event_chunk *out,
                       struct diag *diag)
{
    struct cursor *c = cursor_of(cursor);
    struct part *p = part_of(c, &i);
    int err = c->t->of->ops->morsel_read(p->cursor, i, out, diag);
    return err || !out->count ? err : place_streams(c, p, out, diag);
}

static void cursor_stats(struct store_event_cursor *cursor, struct store_event_stats *out)
{
    struct cursor *c = cursor_of(cursor);
    *out = (struct store_event_stats){0};
    for (size_t i = 0; i < c->count; i++) {
        struct store_event_stats one;
        c->t->of->ops->cursor_stats(c->parts[i].cursor, &one);
        store_event_stats_add(out, &one);
    }
}

/* --- counts --- */

static int by_time(const void *a, const void *b)
{
    const struct store_event_count *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    return (int)x->level_state - (int)y->level_state;
}

static int count(struct store_event_source *src, const struct store_event_select *req,
                 int64_t step_ns, bool by_stream, bool by_level, struct arena *arena,
                 struct store_event_counts *out, struct diag *diag)
{
    struct tenants *t = of(src);
    VEC(struct store_event_stream) streams = {0};
    VEC(struct store_event_count) items = {0};
    int err = 0;
    *out = (struct store_event_counts){0};
    for (size_t i = 0; i < t->count && !err; i++) {
        struct store_event_select own;
        struct store_event_counts one = {0};
        if (!select_tenant(t, i, req, arena, &own))
            continue;
        err = t->of->ops->counts(t->of, &own, step_ns, by_stream, by_level, arena, &one, diag);
        uint32_t first = (uint32_t)streams.len;
        for (size_t k = 0; k < one.stream_count && !err; k++) {
            struct data_labels labels = with_tenant(one.streams[k].labels, t->names[i], arena);
            err = labels.items ? 0 : no_memory(diag);
            vec_push(&streams,
                     ((struct store_event_stream){labels, with_tenant_id(one.streams[k].id, i)}));
        }
        for (size_t k = 0; k < one.count && !err; k++) {
            struct store_event_count c = one.items[k];
            c.stream += c.stream == DATA_EVENT_NONE ? 0 : first;
            vec_push(&items, c);
        }
    }
    if (!err && items.len)
        qsort(items.items, items.len, sizeof(*items.items), by_time);
    if (!err) {
        out->streams = arena_dup(arena, streams.items, streams.len * sizeof(*streams.items));
        out->stream_count = streams.len;
        out->items = arena_dup(arena, items.items, items.len * sizeof(*items.items));
        out->count = items.len;
        if (!out->streams || !out->items)
            err = no_memory(diag);
    }
    vec_free(&streams);
    vec_free(&items);
    return err;
}

/* --- names --- */

typedef VEC(struct slice) text_list;

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted, each once, at most `limit`. */
static int give_texts(text_list *all, size_t limit, struct arena *arena, struct slice **out,
                      size_t *out_count, bool *out_cut, struct diag *diag)
{
    size_t n = 0;
    if (all->len)
        qsort(all->items, all->len, sizeof(*all->items), by_text);
    for (size_t i = 0; i < all->len; i++) {
        if (!n || !slice_eq(all->items[n - 1], all->items[i]))
            all->items[n++] = all->items[i];
    }
    *out_cut |= limit && n > limit;
    *out_count = limit ? MIN(n, limit) : n;
    *out = arena_dup(arena, all->items, *out_count * sizeof(**out));
    return *out ? 0 : no_memory(diag);
}

/* Names, or the values of `name`. */
static int list_texts(struct tenants *t, const struct slice *name,
                      const struct store_event_select *req, size_t limit, struct arena *arena,
                      struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag)
{
    text_list all = {0};
    int err = 0;
    *out_cut = false;
    for (size_t i = 0; i < t->count && !err; i++) {
        struct store_event_select own;
        struct slice *items = NULL;
        size_t count = 0;
        bool cut = false;
        if (!select_tenant(t, i, req, arena, &own))
            continue;
        if (name && is_tenant_label(*name)) {
            vec_push(&all, t->names[i]);
            continue;
        }
        err = name ? t->of->ops->label_values(t->of, *name, &own, limit, arena, &items, &count,
                                              &cut, diag)
                   : t->of->ops->label_names(t->of, &own, limit, arena, &items, &count, &cut, diag);
        for (size_t k = 0; k < count && !err; k++)
            vec_push(&all, items[k]);
        if (!name && count)
            vec_push(&all, SLICE(LOKI__TENANT_LABEL));
        *out_cut |= cut;
    }
    if (!err)
        err = give_texts(&all, limit, arena, out, out_count, out_cut, diag);
    vec_free(&all);
    return err;
}

static int label_names(struct store_event_source *src, const struct store_event_select *req,
                       size_t limit, struct arena *arena, struct slice **out, size_t *out_count,
                       bool *out_cut, struct diag *diag)
{
    return list_texts(of(src), NULL, req, limit, arena, out, out_count, out_cut, diag);
}

static int label_values(struct store_event_source *src, struct slice name,
                        const struct store_event_select *req, size_t limit, struct arena *arena,
                        struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag)
{
    return list_texts(of(src), &name, req, limit, arena, out, out_count, out_cut, diag);
}

/* --- the rest --- */

static uint32_t caps(struct store_event_source *src)
{
    return of(src)->of->ops->caps(of(src)->of);
}

static bool may_have(struct store_event_source *src, const struct store_event_select *req,
                     const struct store_event_field *field)
{
    struct tenants *t = of(src);
    struct arena *arena = arena_new(0, NULL);
    bool may = false;
    for (size_t i = 0; i < t->count && !may; i++) {
        struct store_event_select own;
        may = select_tenant(t, i, req, arena, &own) && t->of->ops->may_have(t->of, &own, field);
    }
    arena_free(arena);
    return may;
}

static uint64_t position(struct store_event_source *src)
{
    return of(src)->of->ops->position(of(src)->of);
}

static void stats(struct store_event_source *src, struct store_event_source_stats *out)
{
    of(src)->of->ops->stats(of(src)->of, out);
}

/* Of no use to Loki's door. */
static int no_fields(struct store_event_source *src, const struct store_event_select *req,
                     struct arena *arena, struct store_event_field_info **out, size_t *out_count,
                     struct diag *diag)
{
    (void)src, (void)req, (void)arena, (void)out, (void)out_count;
    return diag_set(diag, ERR_UNSUPPORTED, "fields of several tenants at once are not listed");
}

static int no_values(struct store_event_source *src, struct store_event_field field,
                     const struct store_event_scan *req, size_t limit, struct arena *arena,
                     struct store_event_field_value **out, size_t *out_count, bool *out_cut,
                     struct diag *diag)
{
    (void)src, (void)field, (void)req, (void)limit, (void)arena, (void)out, (void)out_count,
        (void)out_cut;
    return diag_set(diag, ERR_UNSUPPORTED, "values of several tenants at once are not listed");
}

static int no_traces(struct store_event_source *src, const struct slice *ids, size_t id_count,
                     const struct store_event_scan *req, struct store_event_chunk *out,
                     struct diag *diag)
{
    (void)src, (void)ids, (void)id_count, (void)req, (void)out;
    return diag_set(diag, ERR_UNSUPPORTED, "traces of several tenants at once are not read");
}

static const struct store_event_ops ops = {
    .caps = caps,
    .streams = list_streams,
    .scan = open_cursor,
    .next = next,
    .morsel_count = morsel_count,
    .morsel_times = morsel_times,
    .morsel_read = morsel_read,
    .cursor_stats = cursor_stats,
    .close = close_cursor,
    .counts = count,
    .label_names = label_names,
    .label_values = label_values,
    .fields = no_fields,
    .may_have = may_have,
    .field_values = no_values,
    .traces = no_traces,
    .position = position,
    .stats = stats,
};

bool loki__tenants_read(struct slice text, struct store_event_source *source, struct arena *arena,
                        struct store_event_source **out_source, struct slice *out_tenant)
{
    struct slice rest = text, one;
    text_list names = {0};
    bool good = true;
    *out_source = source;
    *out_tenant = text;
    while (good && rest.ptr && slice_split(&rest, '|', &one)) {
        good = one.len && api__tenant_is_good(one) && names.len < TENANTS_MAX;
        vec_push(&names, one);
    }
    size_t n = 0;
    if (names.len)
        qsort(names.items, names.len, sizeof(*names.items), by_text);
    for (size_t i = 0; i < names.len; i++) {
        if (!n || !slice_eq(names.items[n - 1], names.items[i]))
            names.items[n++] = names.items[i];
    }
    if (good && n == 1) {
        *out_tenant = names.items[0];
    } else if (good && n) {
        struct tenants *t = ARENA_NEW(arena, struct tenants);
        t->face.ops = &ops;
        t->of = source;
        t->names = arena_dup(arena, names.items, n * sizeof(*names.items));
        t->count = n;
        *out_source = &t->face;
    }
    vec_free(&names);
    return good && n;
}
