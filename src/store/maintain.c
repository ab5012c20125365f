/* What keeps the store in shape: flush of the head to parts, merges, retention. One round at a
 * time; the manifest is saved before anything that it no longer names is removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "codec/bytes.h"
#include "store/store_priv.h"

#define DAY_NS          (86400 * NS_PER_SEC)
#define MERGE_WIDTH     4 /* so many adjacent parts of a day and level make one of the next level */
#define PARTS_PER_DAY   12 /* beyond this, adjacent ones are merged whatever their level */
#define IDLE_SERIES_NS  (3600 * NS_PER_SEC)
#define RETENTION_EVERY (60 * NS_PER_SEC)
#define TICK_NS         NS_PER_SEC

static int64_t day_of(int64_t ts)
{
    int64_t day = ts / DAY_NS;
    return ts % DAY_NS < 0 ? day - 1 : day;
}

void store__part_path(const struct store *s, uint64_t id, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s/parts/%016llx.part", s->config.dir, (unsigned long long)id);
}

/* --- the list of parts --- */

static int by_age(const void *a, const void *b)
{
    const struct store_part_info *x = store_part_info(*(struct store_part *const *)a),
                                 *y = store_part_info(*(struct store_part *const *)b);
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

static void count_parts(struct store *s)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->parts.len; i++)
        bytes += store_part_info(s->parts.items[i])->bytes;
    counter_set(&store__counters[STORE__PARTS], (int64_t)s->parts.len);
    counter_set(&store__counters[STORE__DISK_BYTES], (int64_t)bytes);
}

store__part_list store__pin_parts(struct store *s)
{
    store__part_list out = {0};
    pthread_mutex_lock(&s->parts_lock);
    for (size_t i = 0; i < s->parts.len; i++)
        vec_push(&out, store_part_ref(s->parts.items[i]));
    pthread_mutex_unlock(&s->parts_lock);
    return out;
}

void store__unpin_parts(store__part_list *parts)
{
    for (size_t i = 0; i < parts->len; i++)
        store_part_unref(parts->items[i]);
    vec_free(parts);
}

static bool contains(const store__part_list *list, const struct store_part *p)
{
    for (size_t i = 0; i < list->len; i++) {
        if (list->items[i] == p)
            return true;
    }
    return false;
}

/* Lets go of parts whose manifest could not be saved. Their files stay: the new manifest may have
 * reached the disk although saving it failed. The next start removes what nobody names. */
static void let_go(store__part_list *parts)
{
    for (size_t i = 0; i < parts->len; i++)
        store_part_unref(parts->items[i]);
    vec_free(parts);
}

/* One step from a set of parts to another: the manifest first, then what readers see. `fresh` are
 * taken over; `gone` are removed when their last reader lets go. */
static int replace_parts(struct store *s, store__part_list *fresh, store__part_list *gone,
                         uint64_t wal_low_water, struct diag *diag)
{
    struct store_manifest next = {
        .edit = s->manifest.edit, .wal_low_water = wal_low_water, .next_id = s->manifest.next_id};
    store__part_list kept = {0};
    buf_append_slice(&next.metadata, buf_slice(&s->manifest.metadata));
    pthread_mutex_lock(&s->parts_lock);
    for (size_t i = 0; i < s->parts.len; i++) {
        if (!contains(gone, s->parts.items[i]))
            vec_push(&kept, s->parts.items[i]);
    }
    pthread_mutex_unlock(&s->parts_lock);
    for (size_t i = 0; i < fresh->len; i++)
        vec_push(&kept, fresh->items[i]);
    for (size_t i = 0; i < kept.len; i++)
        vec_push(&next.parts, *store_part_info(kept.items[i]));
    int err = store_manifest_save(s->os, s->config.dir, &next, diag);
    if (err) {
        store_manifest_free(&next);
        vec_free(&kept);
        return err;
    }
    store_manifest_free(&s->manifest);
    s->manifest = next;
    if (kept.len)
        qsort(kept.items, kept.len, sizeof(*kept.items), by_age);
    pthread_mutex_lock(&s->parts_lock);
    store__part_list old = s->parts;
    s->parts = kept;
    count_parts(s);
    pthread_mutex_unlock(&s->parts_lock);
    for (size_t i = 0; i < gone->len; i++) {
        store_part_doom(gone->items[i]);
        store_part_unref(gone->items[i]); /* the list's reference */
    }
    vec_free(&old);
    return 0;
}

static void discard(struct store *s, store__part_list *parts)
{
    (void)s;
    for (size_t i = 0; i < parts->len; i++) {
        store_part_doom(parts->items[i]);
        store_part_unref(parts->items[i]);
    }
    vec_free(parts);
}

void store__quarantine(struct store *s, struct store_part *part)
{
    const struct store_part_info *info = store_part_info(part);
    char path[4300], aside[4400];
    store__part_path(s, info->id, path, sizeof(path));
    snprintf(aside, sizeof(aside), "%s.corrupt", path);
    pthread_mutex_lock(&s->parts_lock);
    bool there = contains(&s->parts, part);
    pthread_mutex_unlock(&s->parts_lock);
    struct os_stat st;
    if (!there || !s->os->ops->stat(s->os, aside, &st, NULL))
        return; /* reported before */
    counter_add(&store__counters[STORE__QUARANTINED], 1);
    s->os->ops->link(s->os, path, aside, NULL);
    LOG_ERROR("store",
              "a part is damaged: blocks that do not check are left out of answers, a copy is kept",
              LOG_STR("file", aside));
}

/* --- writing parts --- */

/* Writers by day, for one flush or merge. */
struct day_writer {
    int64_t day;
    uint64_t id;
    struct store_part_writer *writer;
};

struct output {
    struct store *s;
    VEC(struct day_writer) days;
    uint64_t order;
    uint32_t level;
};

static int writer_for(struct output *o, int64_t day, struct store_part_writer **out,
                      struct diag *diag)
{
    for (size_t i = 0; i < o->days.len; i++) {
        if (o->days.items[i].day == day) {
            *out = o->days.items[i].writer;
            return 0;
        }
    }
    char path[4300];
    struct day_writer w = {.day = day, .id = o->s->manifest.next_id++};
    store__part_path(o->s, w.id, path, sizeof(path));
    int err = store_part_create(o->s->os, path, &w.writer, diag);
    if (err) {
        o->s->os->ops->unlink(o->s->os, path, NULL);
        return err;
    }
    vec_push(&o->days, w);
    *out = w.writer;
    return 0;
}

/* Sorted run of one series, cut by day. */
static int put_series(struct output *o, struct slice key, const struct store_run *run,
                      struct diag *diag)
{
    size_t i = 0;
    int err = 0;
    while (i < run->len && !err) {
        int64_t day = day_of(run->ts[i]);
        size_t end = i + 1;
        while (end < run->len && day_of(run->ts[end]) == day)
            end++;
        struct store_run piece = {.ts = run->ts + i,
                                  .value = run->value + i,
                                  .hist = run->hist ? run->hist + i : NULL,
                                  .len = end - i};
        struct store_part_writer *w;
        err = writer_for(o, day, &w, diag);
        if (!err)
            err = store_part_add(w, key, &piece, diag);
        i = end;
    }
    return err;
}

/* Finishes all files and opens them; on error none is left. */
static int finish_output(struct output *o, int err, store__part_list *out, struct diag *diag)
{
    struct store *s = o->s;
    for (size_t i = 0; i < o->days.len; i++) {
        struct day_writer *w = &o->days.items[i];
        struct store_part_info info = {
            .id = w->id, .order = o->order, .level = o->level, .day = w->day};
        char path[4300];
        store__part_path(s, w->id, path, sizeof(path));
        if (err)
            store_part_abandon(w->writer);
        else
            err = store_part_finish(w->writer, &info, diag);
        struct store_part *part;
        if (!err)
            err = store_part_open(s->os, path, &info, &part, diag);
        if (err)
            s->os->ops->unlink(s->os, path, NULL);
        else
            vec_push(out, part);
    }
    vec_free(&o->days);
    if (!err && out->len) {
        char dir[4200];
        snprintf(dir, sizeof(dir), "%s/parts", s->config.dir);
        err = s->os->ops->sync_dir(s->os, dir, diag);
    }
    if (err)
        discard(s, out);
    return err;
}

/* --- flush --- */

static void pack_metadata(struct store *s)
{
    struct buf *out = &s->manifest.metadata;
    size_t pos = 0;
    buf_clear(out);
    pthread_mutex_lock(&s->parts_lock);
    for (struct map_entry *e; (e = map_next(s->metadata, &pos));) {
        const struct store_metadata *m = e->value.ptr;
        const struct slice parts[] = {e->key, m->unit, m->help};
        buf_append_char(out, (char)m->type);
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            codec_append_varint(out, parts[k].len);
            buf_append_slice(out, parts[k]);
        }
    }
    pthread_mutex_unlock(&s->parts_lock);
}

/* Moves what is pending aside, so that appends go on beside it. What an earlier flush could not
 * write stays in front. */
static void set_aside(struct store__series *series)
{
    struct store__pending *to = &series->flushing, *from = &series->now;
    if (!from->samples)
        return;
    if (!to->samples) {
        *to = *from;
        *from = (struct store__pending){0};
        return;
    }
    if (to->run.len) {
        struct buf block = {0};
        for (size_t i = 0; i < to->run.len; i += STORE_BLOCK_SAMPLES) {
            buf_clear(&block);
            store_block_encode(&to->run, i, MIN(to->run.len - i, (size_t)STORE_BLOCK_SAMPLES),
                               &block);
            vec_push(&to->blocks, slice_make(mem_dup(block.ptr, block.len), block.len));
        }
        buf_deinit(&block);
        for (size_t i = 0; to->run.hist && i < to->run.len; i++)
            mem_free((void *)(uintptr_t)to->run.hist[i].ptr);
        store_run_free(&to->run);
    }
    for (size_t i = 0; i < from->blocks.len; i++)
        vec_push(&to->blocks, from->blocks.items[i]);
    vec_free(&from->blocks);
    to->run = from->run;
    to->samples += from->samples;
    to->t_min = MIN(to->t_min, from->t_min);
    to->t_max = MAX(to->t_max, from->t_max);
    *from = (struct store__pending){0};
}

static int by_series_key(const void *a, const void *b)
{
    return slice_cmp((*(struct store__series *const *)a)->key,
                     (*(struct store__series *const *)b)->key);
}

static int flush(struct store *s, struct diag *diag)
{
    store__series_list all = {0};
    struct output o = {.s = s};
    store__part_list fresh = {0}, none = {0};
    for (size_t i = 0; i < s->shard_count; i++)
        pthread_mutex_lock(&s->shards[i].lock);
    uint64_t low_water = store_wal_rotate(s->wal);
    for (size_t i = 0; i < s->shard_count; i++) {
        struct store__shard *shard = &s->shards[i];
        for (size_t k = 0; k < shard->series.len; k++) {
            struct store__series *series = shard->series.items[k];
            set_aside(series);
            if (series->flushing.samples)
                vec_push(&all, series);
        }
        shard->samples = shard->bytes = 0;
    }
    for (size_t i = 0; i < s->shard_count; i++)
        pthread_mutex_unlock(&s->shards[i].lock);
    /* What is set aside changes no more, and series are only dropped on this thread: no lock
     * needed. */
    if (all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_series_key);
    o.order = s->manifest.next_id;
    int err = 0;
    struct store_run run = {0};
    for (size_t i = 0; i < all.len && !err; i++) {
        store_run_clear(&run);
        err = store__pending_read(&all.items[i]->flushing, &run);
        store_run_sort(&run);
        if (!err)
            err = put_series(&o, all.items[i]->key, &run, diag);
    }
    store_run_free(&run);
    err = finish_output(&o, err, &fresh, diag);
    if (!err) {
        pack_metadata(s);
        err = replace_parts(s, &fresh, &none, low_water, diag);
        if (err)
            let_go(&fresh);
    }
    if (!err) {
        for (size_t i = 0; i < s->shard_count; i++) {
            struct store__shard *shard = &s->shards[i];
            pthread_mutex_lock(&shard->lock);
            for (size_t k = 0; k < shard->series.len; k++)
                store__pending_clear(&shard->series.items[k]->flushing);
            store__head_evict(s, shard, s->os->ops->now_ns(s->os) - IDLE_SERIES_NS);
            pthread_mutex_unlock(&shard->lock);
        }
        store_wal_release(s->wal, low_water);
        counter_add(&store__counters[STORE__FLUSHES], 1);
        vec_free(&fresh);
    }
    vec_free(&all);
    return err;
}

/* --- merge --- */

/* Series of several parts in key order: a cursor a part. */
static int merge_series(struct output *o, store__part_list *in, struct diag *diag)
{
    size_t *at = mem_calloc(in->len, sizeof(*at));
    struct store_run run = {0};
    int err = 0;
    while (!err) {
        struct slice least = {NULL, 0};
        for (size_t i = 0; i < in->len; i++) {
            if (at[i] >= store_part_series_count(in->items[i]))
                continue;
            struct slice key = store_part_key(in->items[i], at[i]);
            if (!least.ptr || slice_cmp(key, least) < 0)
                least = key;
        }
        if (!least.ptr)
            break;
        store_run_clear(&run);
        for (size_t i = 0; i < in->len && !err; i++) {
            if (at[i] >= store_part_series_count(in->items[i]) ||
                !slice_eq(store_part_key(in->items[i], at[i]), least))
                continue;
            size_t before = run.len;
            if (store_part_read(in->items[i], at[i]++, INT64_MIN, INT64_MAX, &run)) {
                /* Reported, and a copy of the file kept; what can be read goes on. */
                run.len = before;
                store__quarantine(o->s, in->items[i]);
            }
        }
        store_run_sort(&run);
        if (!err)
            err = put_series(o, least, &run, diag);
    }
    store_run_free(&run);
    mem_free(at);
    return err;
}

/* Parts that belong together, oldest first; empty when there is nothing to do. */
static store__part_list pick_merge(struct store *s)
{
    store__part_list parts = store__pin_parts(s), out = {0};
    for (size_t begin = 0; begin < parts.len && !out.len;) {
        const struct store_part_info *first = store_part_info(parts.items[begin]);
        size_t day_end = begin, run_end;
        while (day_end < parts.len && store_part_info(parts.items[day_end])->day == first->day)
            day_end++;
        for (size_t i = begin; i < day_end && !out.len; i = run_end) {
            run_end = i;
            while (run_end < day_end && store_part_info(parts.items[run_end])->level ==
                                            store_part_info(parts.items[i])->level)
                run_end++;
            if (run_end - i >= MERGE_WIDTH) {
                for (size_t k = i; k < run_end; k++)
                    vec_push(&out, store_part_ref(parts.items[k]));
            }
        }
        if (!out.len && day_end - begin > PARTS_PER_DAY) {
            for (size_t k = begin; k < day_end; k++)
                vec_push(&out, store_part_ref(parts.items[k]));
        }
        begin = day_end;
    }
    store__unpin_parts(&parts);
    return out;
}

static int merge_once(struct store *s, bool *out_did, struct diag *diag)
{
    store__part_list in = pick_merge(s), fresh = {0};
    *out_did = in.len > 0;
    if (!in.len)
        return 0;
    struct output o = {.s = s};
    for (size_t i = 0; i < in.len; i++) {
        o.order = MAX(o.order, store_part_info(in.items[i])->order);
        o.level = MAX(o.level, store_part_info(in.items[i])->level + 1);
    }
    int err = merge_series(&o, &in, diag);
    err = finish_output(&o, err, &fresh, diag);
    if (!err) {
        err = replace_parts(s, &fresh, &in, s->manifest.wal_low_water, diag);
        if (err)
            let_go(&fresh);
        else
            counter_add(&store__counters[STORE__MERGES], 1);
    }
    vec_free(&fresh);
    store__unpin_parts(&in);
    return err;
}

/* --- retention --- */

static int expire(struct store *s, struct diag *diag)
{
    store__part_list parts = store__pin_parts(s), gone = {0}, none = {0};
    int64_t now = s->os->ops->now_ns(s->os);
    uint64_t total = 0;
    for (size_t i = 0; i < parts.len; i++)
        total += store_part_info(parts.items[i])->bytes;
    /* Oldest first, as they lie. */
    for (size_t i = 0; i < parts.len; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        bool old =
            s->config.retention_ns != INT64_MAX && info->t_max_ns < now - s->config.retention_ns;
        bool over = s->config.retention_bytes && total > (uint64_t)s->config.retention_bytes &&
                    info->day < day_of(now);
        if (old || over) {
            vec_push(&gone, parts.items[i]);
            total -= info->bytes;
        }
    }
    int err = gone.len ? replace_parts(s, &none, &gone, s->manifest.wal_low_water, diag) : 0;
    if (!err && gone.len)
        counter_add(&store__counters[STORE__EXPIRED], (int64_t)gone.len);
    vec_free(&gone);
    store__unpin_parts(&parts);
    return err;
}

/* --- deletion: the parts that hold the series are written again without the samples --- */

static bool is_selected(struct data_labels labels, struct slice tenant,
                        const struct store_select_req *req)
{
    return slice_eq(tenant, req->tenant) &&
           store_labels_match(labels, req->matchers, req->matcher_count);
}

static int rewrite_without(struct store *s, struct store_part *part,
                           const struct store_select_req *req, struct diag *diag)
{
    const struct store_part_info *info = store_part_info(part);
    struct output o = {.s = s, .order = info->order, .level = info->level};
    store__part_list fresh = {0}, gone = {0};
    struct arena *arena = arena_new(0, NULL);
    struct store_run run = {0};
    int err = 0;
    for (size_t i = 0; i < store_part_series_count(part) && !err; i++) {
        struct slice key = store_part_key(part, i), tenant, labels_key;
        struct data_labels labels;
        arena_reset(arena);
        store_run_clear(&run);
        if (!store_series_key_split(key, &tenant, &labels_key) ||
            data_labels_decode(labels_key, arena, &labels))
            continue;
        err = store_part_read(part, i, INT64_MIN, INT64_MAX, &run);
        if (!err && is_selected(labels, tenant, req)) {
            size_t kept = 0;
            for (size_t k = 0; k < run.len; k++) {
                if (run.ts[k] >= req->t_min_ns && run.ts[k] <= req->t_max_ns)
                    continue;
                run.ts[kept] = run.ts[k];
                run.value[kept] = run.value[k];
                if (run.hist)
                    run.hist[kept] = run.hist[k];
                kept++;
            }
            run.len = kept;
        }
        if (!err)
            err = put_series(&o, key, &run, diag);
    }
    store_run_free(&run);
    arena_free(arena);
    err = finish_output(&o, err, &fresh, diag);
    if (!err) {
        vec_push(&gone, part);
        err = replace_parts(s, &fresh, &gone, s->manifest.wal_low_water, diag);
        if (err)
            let_go(&fresh);
    }
    vec_free(&fresh);
    vec_free(&gone);
    return err;
}

int store_delete_metrics(struct store *s, const struct store_select_req *req, struct diag *diag)
{
    pthread_mutex_lock(&s->maintain_lock);
    int err = flush(s, diag);
    store__part_list parts = store__pin_parts(s);
    for (size_t i = 0; i < parts.len && !err; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        uint32_t *ordinals;
        size_t count;
        if (info->t_max_ns < req->t_min_ns || info->t_min_ns > req->t_max_ns)
            continue;
        store_part_match(parts.items[i], req->tenant, req->matchers, req->matcher_count, &ordinals,
                         &count);
        mem_free(ordinals);
        if (count)
            err = rewrite_without(s, parts.items[i], req, diag);
    }
    store__unpin_parts(&parts);
    pthread_mutex_unlock(&s->maintain_lock);
    return err;
}

/* --- rounds --- */

static size_t head_bytes(struct store *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        bytes += s->shards[i].bytes + s->shards[i].series.len * 16 * (STORE__SEAL_SAMPLES / 2);
        bytes += s->shards[i].samples; /* the open runs, about */
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return bytes;
}

static bool has_pending(struct store *s)
{
    bool any = false;
    for (size_t i = 0; i < s->shard_count && !any; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        any = s->shards[i].samples > 0;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return any || s->flush_failed;
}

int store_maintain(struct store *s, bool force, struct diag *diag)
{
    int err = 0;
    bool merged = true;
    pthread_mutex_lock(&s->maintain_lock);
    int64_t now = s->os->ops->now_ns(s->os);
    bool due = now - s->last_flush_ns >= s->config.flush_interval_ns || now < s->last_flush_ns;
    if ((force || due || head_bytes(s) > s->config.head_bytes_max) && has_pending(s)) {
        err = flush(s, diag);
        s->flush_failed = err != 0;
        s->last_flush_ns = now;
    }
    while (!err && merged)
        err = merge_once(s, &merged, diag);
    if (!err && (force || now - s->last_merge_ns >= RETENTION_EVERY)) {
        s->last_merge_ns = now;
        err = expire(s, diag);
    }
    pthread_mutex_unlock(&s->maintain_lock);
    return err;
}

void store__maintain_loop(struct store *s)
{
    pthread_mutex_lock(&s->thread_lock);
    while (!s->stopping) {
        struct timespec until;
        int64_t wake = s->os->ops->now_ns(s->os) + TICK_NS;
        until.tv_sec = wake / NS_PER_SEC;
        until.tv_nsec = wake % NS_PER_SEC;
        pthread_cond_timedwait(&s->thread_cond, &s->thread_lock, &until);
        if (s->stopping)
            break;
        pthread_mutex_unlock(&s->thread_lock);
        struct diag d;
        diag_init(&d);
        if (store_maintain(s, false, &d))
            LOG_WARN("store", "maintenance failed and is tried again", LOG_STR("error", d.msg));
        pthread_mutex_lock(&s->thread_lock);
    }
    pthread_mutex_unlock(&s->thread_lock);
}

/* --- start --- */

struct cleanup {
    struct store *s;
    VEC(char *) names;
};

static void on_file(const char *name, void *ctx)
{
    struct cleanup *c = ctx;
    vec_push(&c->names, mem_strdup(name));
}

/* A new directory gets its manifest before anything else, so that a missing one is never taken for
 * an empty store: the files of parts it does not name are removed. */
static int load_manifest(struct store *s, bool has_files, struct diag *diag)
{
    struct diag d;
    diag_init(&d);
    int err = store_manifest_load(s->os, s->config.dir, &s->manifest, &d);
    if (!err)
        return 0;
    if (err != ERR_NOT_FOUND)
        return diag_set(diag, err, "%s", d.msg);
    if (has_files)
        return diag_set(diag, ERR_CORRUPT,
                        "%s/MANIFEST is missing although there are files in %s/parts: put back a "
                        "backup of it, or move parts/ away to begin anew",
                        s->config.dir, s->config.dir);
    return store_manifest_save(s->os, s->config.dir, &s->manifest, diag);
}

int store__load_parts(struct store *s, struct diag *diag)
{
    char dir[4200], path[4300];
    struct cleanup c = {.s = s};
    snprintf(dir, sizeof(dir), "%s/parts", s->config.dir);
    int err = s->os->ops->list(s->os, dir, on_file, &c, diag);
    if (!err)
        err = load_manifest(s, c.names.len > 0, diag);
    if (err)
        goto out;
    size_t kept = 0;
    for (size_t i = 0; i < s->manifest.parts.len; i++) {
        const struct store_part_info info = s->manifest.parts.items[i];
        struct store_part *part;
        struct diag d;
        diag_init(&d);
        store__part_path(s, info.id, path, sizeof(path));
        err = store_part_open(s->os, path, &info, &part, &d);
        if (err == ERR_CORRUPT || err == ERR_NOT_FOUND) {
            /* Served without it, loudly; the file stays where it is for whoever can repair it. */
            counter_add(&store__counters[STORE__QUARANTINED], 1);
            char aside[4400];
            snprintf(aside, sizeof(aside), "%s.corrupt", path);
            s->os->ops->rename(s->os, path, aside, NULL);
            LOG_ERROR("store",
                      "a part cannot be used and is left out; its data is missing from answers",
                      LOG_STR("file", aside), LOG_STR("error", d.msg));
            err = 0;
            continue;
        }
        if (err) {
            diag_set(diag, err, "%s", d.msg);
            goto out;
        }
        s->manifest.parts.items[kept++] = info;
        vec_push(&s->parts, part);
    }
    s->manifest.parts.len = kept;
    if (s->parts.len)
        qsort(s->parts.items, s->parts.len, sizeof(*s->parts.items), by_age);
    count_parts(s);
    /* Files of a flush or merge that did not get to its end. */
    for (size_t i = 0; i < c.names.len; i++) {
        char *end;
        uint64_t id = strtoull(c.names.items[i], &end, 16);
        bool known = strcmp(end, ".part") != 0;
        for (size_t k = 0; k < s->manifest.parts.len && !known; k++)
            known = s->manifest.parts.items[k].id == id;
        if (!known) {
            store__part_path(s, id, path, sizeof(path));
            s->os->ops->unlink(s->os, path, NULL);
            s->manifest.next_id = MAX(s->manifest.next_id, id + 1);
        }
    }
out:
    for (size_t i = 0; i < c.names.len; i++)
        mem_free(c.names.items[i]);
    vec_free(&c.names);
    return err;
}
