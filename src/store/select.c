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

struct selected {
    struct data_labels labels;
    VEC(struct part_ref) parts; /* oldest first */
    struct store__pending head; /* copies; blocks in the selection's arena */
};

struct store_selection {
    struct store *store;
    struct arena *arena;
    store__part_list parts;
    struct map *by_key;
    VEC(struct selected *) series;
    struct budget *memory;
    int64_t charged;
};

static void selection_free(struct store_selection *sel)
{
    if (!sel)
        return;
    for (size_t i = 0; i < sel->series.len; i++) {
        struct selected *one = sel->series.items[i];
        vec_free(&one->parts);
        vec_free(&one->head.blocks);
        store_run_free(&one->head.run);
    }
    vec_free(&sel->series);
    map_free(sel->by_key);
    store__unpin_parts(&sel->parts);
    if (sel->memory && sel->charged)
        budget_give(sel->memory, sel->charged);
    arena_free(sel->arena);
    mem_free(sel);
}

static struct selected *get_series(struct store_selection *sel, struct slice key)
{
    bool added;
    struct map_entry *e = map_put(sel->by_key, key, &added);
    if (added) {
        struct selected *one = ARENA_NEW(sel->arena, struct selected);
        struct slice tenant, labels_key;
        store_series_key_split(arena_slice(sel->arena, key), &tenant, &labels_key);
        data_labels_decode(labels_key, sel->arena, &one->labels);
        vec_push(&sel->series, one);
        e->value.ptr = one;
    }
    return e->value.ptr;
}

static void copy_pending(struct store_selection *sel, const struct store__pending *from,
                         struct store__pending *to)
{
    for (size_t i = 0; i < from->blocks.len; i++)
        vec_push(&to->blocks, arena_slice(sel->arena, from->blocks.items[i]));
    for (size_t i = 0; i < from->run.len; i++) {
        struct slice h = from->run.hist ? from->run.hist[i] : (struct slice){NULL, 0};
        store_run_push(&to->run, from->run.ts[i], from->run.value[i],
                       h.ptr ? arena_slice(sel->arena, h) : h);
    }
}

/* Blocks come before runs when a copy is read, but of two pending sets the older one's run is older
 * than the younger one's blocks: it is packed. */
static void copy_flushing(struct store_selection *sel, const struct store__pending *from,
                          struct store__pending *to)
{
    struct store__pending copy = {0};
    copy_pending(sel, from, &copy);
    for (size_t i = 0; i < copy.blocks.len; i++)
        vec_push(&to->blocks, copy.blocks.items[i]);
    for (size_t i = 0; i < copy.run.len; i += STORE_BLOCK_SAMPLES) {
        struct buf block = {0};
        store_block_encode(&copy.run, i, MIN(copy.run.len - i, (size_t)STORE_BLOCK_SAMPLES),
                           &block);
        vec_push(&to->blocks, arena_slice(sel->arena, buf_slice(&block)));
        buf_deinit(&block);
    }
    vec_free(&copy.blocks);
    store_run_free(&copy.run);
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
    if (req->series_max && sel->series.len > req->series_max)
        return diag_set(diag, ERR_LIMIT,
                        "the query selects more than %zu series (limits.query.series)",
                        req->series_max);
    int64_t now = (int64_t)arena_size(sel->arena);
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
            struct selected *one = get_series(sel, series->key);
            if (flushing)
                copy_flushing(sel, &series->flushing, &one->head);
            if (now)
                copy_pending(sel, &series->now, &one->head);
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
            struct selected *one = get_series(sel, store_part_key(p, ordinals[k]));
            vec_push(&one->parts, ((struct part_ref){(uint32_t)i, ordinals[k]}));
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
    sel->by_key = map_new();
    sel->memory = req->memory;
    int err = select_head(sel, req, diag);
    sel->parts = store__pin_parts(sel->store);
    if (!err)
        err = select_parts(sel, req, diag);
    if (err) {
        selection_free(sel);
        return err;
    }
    if (sel->series.len)
        qsort(sel->series.items, sel->series.len, sizeof(struct selected *), by_labels);
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

static int selection_read(struct store_selection *sel, size_t i, int64_t t_min, int64_t t_max,
                          struct store_samples *out, struct diag *diag)
{
    struct selected *one = sel->series.items[i];
    struct store_run run = {0};
    int err = 0;
    for (size_t k = 0; k < one->parts.len && !err; k++) {
        struct store_part *part = sel->parts.items[one->parts.items[k].part];
        size_t before = run.len;
        if (store_part_read(part, one->parts.items[k].ordinal, t_min, t_max, &run)) {
            /* The rest goes on being served; the damage is reported once, and its file kept aside.
             */
            run.len = before;
            store__quarantine(sel->store, part);
        }
    }
    err = store__pending_read(&one->head, &run);
    if (err) {
        store_run_free(&run);
        return diag_set(diag, err, "samples in memory are damaged");
    }
    store_run_sort(&run);
    size_t begin = 0, end = run.len;
    while (begin < end && run.ts[begin] < t_min)
        begin++;
    while (end > begin && run.ts[end - 1] > t_max)
        end--;
    bool histograms = false;
    for (size_t k = begin; run.hist && k < end && !histograms; k++)
        histograms = run.hist[k].ptr != NULL;
    store_samples_reserve(out, end - begin, histograms, false);
    out->count = end - begin;
    if (out->count) {
        memcpy(out->ts, run.ts + begin, out->count * sizeof(*out->ts));
        memcpy(out->value, run.value + begin, out->count * sizeof(*out->value));
    }
    for (size_t k = 0; histograms && k < out->count && !err; k++) {
        struct data_histogram *h = NULL;
        if (run.hist[begin + k].ptr)
            err = store_histogram_decode(run.hist[begin + k], out->arena, &h);
        out->histogram[k] = h;
    }
    store_run_free(&run);
    return err ? diag_set(diag, err, "a stored histogram is damaged") : 0;
}

void store_samples_free(struct store_samples *s)
{
    mem_free(s->ts);
    mem_free(s->value);
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
        s->ts = mem_realloc(s->ts, s->cap * sizeof(*s->ts));
        s->value = mem_realloc(s->value, s->cap * sizeof(*s->value));
    }
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
