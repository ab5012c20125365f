/* What keeps the store in shape: flush of the head to parts, merges, retention. One round at a
 * time; the manifest is saved before anything that it no longer names is removed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "codec/bytes.h"
#include "store/event/events_priv.h"

#define RETENTION_EVERY (60 * NS_PER_SEC)
#define TICK_NS         NS_PER_SEC

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

void store__let_go(store__part_list *parts)
{
    for (size_t i = 0; i < parts->len; i++)
        store_part_unref(parts->items[i]);
    vec_free(parts);
}

int store__replace_parts(struct store *s, store__part_list *fresh, store__part_list *gone,
                         uint64_t wal_low_water, struct diag *diag)
{
    struct store_manifest next;
    store__part_list kept = {0};
    store_manifest_copy(&s->manifest, &next);
    next.wal_low_water = wal_low_water;
    vec_clear(&next.parts);
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
              "a part is damaged: blocks that do not check are left out of answers (summaries of "
              "blocks are not: samples are read instead), a copy is kept",
              LOG_STR("file", aside));
}

/* --- retention --- */

static int expire(struct store *s, struct diag *diag)
{
    store__part_list parts = store__pin_parts(s), gone = {0}, none = {0};
    int64_t now = s->os->ops->now_ns(s->os);
    uint64_t total = store__events_disk_bytes(s);
    for (size_t i = 0; i < parts.len; i++)
        total += store_part_info(parts.items[i])->bytes;
    /* Oldest first, as they lie. */
    for (size_t i = 0; i < parts.len; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        bool old =
            s->config.retention_ns != INT64_MAX && info->t_max_ns < now - s->config.retention_ns;
        bool over = s->config.retention_bytes && total > (uint64_t)s->config.retention_bytes &&
                    info->day < store__day_of(now);
        if (old || over) {
            vec_push(&gone, parts.items[i]);
            total -= info->bytes;
        }
    }
    int err = gone.len ? store__replace_parts(s, &none, &gone, s->manifest.wal_low_water, diag) : 0;
    if (!err && gone.len) {
        counter_add(&store__counters[STORE__EXPIRED], (int64_t)gone.len);
        store__changed(s, INT64_MIN);
        store__arrivals_lost(s);
    }
    vec_free(&gone);
    store__unpin_parts(&parts);
    return err;
}

/* --- rounds --- */

static size_t head_bytes(struct store *s)
{
    size_t bytes = 0;
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        bytes += s->shards[i].head.bytes;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return bytes;
}

static bool has_pending(struct store *s)
{
    bool any = false;
    for (size_t i = 0; i < s->shard_count && !any; i++) {
        const struct store_shard *head = &s->shards[i].head;
        pthread_mutex_lock(&s->shards[i].lock);
        any = head->samples || head->flushing_samples || head->exemplars.len ||
              head->flushing_exemplars.len;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    return any || s->flush_failed;
}

static int maintain_metrics(struct store *s, bool force, struct diag *diag)
{
    int err = 0;
    bool merged = true;
    pthread_mutex_lock(&s->maintain_lock);
    int64_t now = s->os->ops->now_ns(s->os);
    bool due = now - s->last_flush_ns >= s->config.flush_interval_ns || now < s->last_flush_ns;
    bool full = head_bytes(s) > s->config.head_bytes_max ||
                store_wal_bytes(s->wal) > s->config.wal_bytes_max;
    /* Without anything pending it lets go of the log, when others do not need it any more. */
    bool holds_log = s->manifest.wal_low_water < store_manifest_high_water(&s->manifest);
    if ((force || due || full) && (has_pending(s) || holds_log)) {
        err = store__flush(s, diag);
        s->flush_failed = err != 0;
        s->last_flush_ns = now;
    }
    while (!err && merged)
        err = store__merge_once(s, &merged, diag);
    if (!err && (force || now - s->last_merge_ns >= RETENTION_EVERY)) {
        s->last_merge_ns = now;
        err = expire(s, diag);
    }
    pthread_mutex_unlock(&s->maintain_lock);
    return err;
}

int store_maintain(struct store *s, bool force, struct diag *diag)
{
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    /* One's failure does not keep the other from its round. */
    err = maintain_metrics(s, force, diag);
    int events_err = store__events_maintain(s, force, diag);
    return err ? err : events_err;
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
        if (maintain_metrics(s, false, &d))
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
        if (store_part_lost_summaries(part))
            store__quarantine(s, part);
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
