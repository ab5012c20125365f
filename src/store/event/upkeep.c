/* What keeps an event table in shape: flushes, merges, retention, start. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "store/event/events_priv.h"

#define RETENTION_EVERY (60 * NS_PER_SEC)
#define TICK_NS         (NS_PER_SEC / 4)
#define RECENT_NS       (10 * NS_PER_SEC) /* tails look several times a second */

void store__event_part_path(const struct store *s, uint64_t id, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s/events/%016llx.events", s->config.dir, (unsigned long long)id);
}

uint64_t store__event_next_id(struct store *s)
{
    pthread_mutex_lock(&s->maintain_lock);
    uint64_t id = s->manifest.next_id++;
    pthread_mutex_unlock(&s->maintain_lock);
    return id;
}

/* --- the list of parts --- */

static int by_age(const void *a, const void *b)
{
    const struct store_event_part_info *x = store_event_part_info(
                                           *(struct store_event_part *const *)a),
                                       *y = store_event_part_info(
                                           *(struct store_event_part *const *)b);
    if (x->day != y->day)
        return x->day < y->day ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static void count_parts(struct store__events *e)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < e->parts.len; i++)
        bytes += store_event_part_info(e->parts.items[i])->bytes;
    store__event_gauge(e->table, STORE__EVENT_PARTS, (int64_t)e->parts.len);
    store__event_gauge(e->table, STORE__EVENT_DISK_BYTES, (int64_t)bytes);
}

store__event_part_list store__event_pin(struct store__events *e)
{
    store__event_part_list out = {0};
    pthread_mutex_lock(&e->view_lock);
    for (size_t i = 0; i < e->parts.len; i++)
        vec_push(&out, store_event_part_ref(e->parts.items[i]));
    pthread_mutex_unlock(&e->view_lock);
    return out;
}

void store__event_unpin(store__event_part_list *parts)
{
    for (size_t i = 0; i < parts->len; i++)
        store_event_part_unref(parts->items[i]);
    vec_free(parts);
}

uint64_t store__events_disk_bytes(struct store *s)
{
    uint64_t bytes = 0;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        store__event_part_list parts = store__event_pin(&s->events->tables[t]);
        for (size_t i = 0; i < parts.len; i++)
            bytes += store_event_part_info(parts.items[i])->bytes;
        store__event_unpin(&parts);
    }
    return bytes;
}

static bool contains(const store__event_part_list *list, const struct store_event_part *p)
{
    for (size_t i = 0; i < list->len; i++) {
        if (list->items[i] == p)
            return true;
    }
    return false;
}

/* The manifest with other parts of this table; and with what was noted beside the rows in them. */
static int save(struct store__events *e, const store__event_part_list *parts, bool flushed,
                uint64_t low_water, struct diag *diag)
{
    struct store *s = e->s;
    struct store_manifest next;
    pthread_mutex_lock(&s->maintain_lock);
    store_manifest_copy(&s->manifest, &next);
    size_t kept = 0;
    for (size_t i = 0; i < next.events.len; i++) {
        if (next.events.items[i].table != e->table)
            next.events.items[kept++] = next.events.items[i];
    }
    next.events.len = kept;
    for (size_t i = 0; i < parts->len; i++)
        vec_push(&next.events, *store_event_part_info(parts->items[i]));
    next.event_low_water[e->table] = MAX(low_water, next.event_low_water[e->table]);
    if (flushed) /* only this thread changes the list */
        store__event_notes_fold(&e->flushing, &next.notes);
    int err = store_manifest_save(s->os, s->config.dir, &next, diag);
    if (err) {
        store_manifest_free(&next);
    } else {
        store_manifest_free(&s->manifest);
        s->manifest = next;
        store_wal_release(s->wal, store_manifest_low_water(&s->manifest));
    }
    pthread_mutex_unlock(&s->maintain_lock);
    return err;
}

/* Flushed blocks stay a while for those who tail: RECENT_NS at most. */
static void retire(struct store__events *e, store__event_block_list *out_gone)
{
    for (size_t i = 0; i < e->flushing.len; i++) {
        struct store_event_block *b = e->flushing.items[i];
        e->head_bytes -= b->memory;
        e->head_rows -= b->row_count;
        vec_push(&e->recent, b);
        e->recent_bytes += b->memory;
    }
    vec_clear(&e->flushing);
    size_t drop = 0;
    while (e->recent_bytes > e->s->config.event_head_bytes_max / 8 && drop < e->recent.len) {
        e->recent_bytes -= e->recent.items[drop]->memory;
        vec_push(out_gone, e->recent.items[drop++]);
    }
    if (drop) {
        memmove(e->recent.items, e->recent.items + drop,
                (e->recent.len - drop) * sizeof(*e->recent.items));
        e->recent.len -= drop;
    }
}

static void forget_recent(struct store__events *e)
{
    pthread_mutex_lock(&e->view_lock);
    store__event_block_list gone = e->recent;
    e->recent = (store__event_block_list){0};
    e->recent_bytes = 0;
    pthread_mutex_unlock(&e->view_lock);
    store__event_blocks_free(&gone);
}

int store__event_replace(struct store__events *e, store__event_part_list *fresh,
                         const store__event_part_list *gone, bool flushed, uint64_t low_water,
                         struct diag *diag)
{
    store__event_part_list kept = {0};
    store__event_block_list retired = {0};
    /* Only the holder of the engine's lock changes the list. */
    for (size_t i = 0; i < e->parts.len; i++) {
        if (!contains(gone, e->parts.items[i]))
            vec_push(&kept, e->parts.items[i]);
    }
    for (size_t i = 0; i < fresh->len; i++)
        vec_push(&kept, fresh->items[i]);
    if (kept.len)
        qsort(kept.items, kept.len, sizeof(*kept.items), by_age);
    int err = save(e, &kept, flushed, low_water, diag);
    if (err) {
        /* Their files stay: the new manifest may have reached the disk although saving it failed.
         */
        for (size_t i = 0; i < fresh->len; i++)
            store_event_part_unref(fresh->items[i]);
        vec_free(fresh);
        vec_free(&kept);
        return err;
    }
    pthread_mutex_lock(&e->view_lock);
    store__event_part_list old = e->parts;
    e->parts = kept;
    if (flushed)
        retire(e, &retired);
    count_parts(e);
    pthread_mutex_unlock(&e->view_lock);
    for (size_t i = 0; i < gone->len; i++) {
        store_event_part_doom(gone->items[i]);
        store_event_part_unref(gone->items[i]); /* the list's reference */
    }
    store__event_blocks_free(&retired);
    vec_free(&old);
    vec_free(fresh);
    return 0;
}

void store__event_quarantine(struct store__events *e, struct store_event_part *p)
{
    struct store *s = e->s;
    char path[4300], aside[4400];
    struct os_stat st;
    store__event_part_path(s, store_event_part_info(p)->id, path, sizeof(path));
    snprintf(aside, sizeof(aside), "%s.corrupt", path);
    if (!s->os->ops->stat(s->os, aside, &st, NULL))
        return; /* reported before */
    store__event_count(e->table, STORE__EVENT_QUARANTINED, 1);
    s->os->ops->link(s->os, path, aside, NULL);
    LOG_ERROR("store",
              "a part of events is damaged: rows that do not check are left out of answers, a copy "
              "is kept",
              LOG_STR("file", aside));
}

/* --- retention --- */

static int expire_table(struct store__events *e, uint64_t *total, struct diag *diag)
{
    const struct store_config *c = &e->s->config;
    int64_t now = e->s->os->ops->now_ns(e->s->os);
    int64_t keep = e->table == DATA_EVENT_LOGS ? c->retention_logs_ns : c->retention_spans_ns;
    store__event_part_list gone = {0}, none = {0};
    /* Oldest first, as they lie. */
    for (size_t i = 0; i < e->parts.len; i++) {
        const struct store_event_part_info *info = store_event_part_info(e->parts.items[i]);
        bool old = keep != INT64_MAX && info->t_max_ns < now - keep;
        bool over = c->retention_bytes && *total > (uint64_t)c->retention_bytes &&
                    info->day < store__day_of(now);
        if (old || over) {
            vec_push(&gone, e->parts.items[i]);
            *total -= MIN(*total, info->bytes);
        }
    }
    int err = gone.len ? store__event_replace(e, &none, &gone, false, 0, diag) : 0;
    if (!err)
        store__event_count(e->table, STORE__EVENT_EXPIRED, (int64_t)gone.len);
    vec_free(&gone);
    return err;
}

static int expire(struct store *s, struct diag *diag)
{
    uint64_t total =
        store__events_disk_bytes(s) + (uint64_t)counter_get(&store__counters[STORE__DISK_BYTES]);
    int err = 0;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT && !err; t++)
        err = expire_table(&s->events->tables[t], &total, diag);
    return err;
}

/* --- rounds --- */

/* The log goes on being kept for a table that is not flushed. */
static bool holds_log(struct store__events *e)
{
    struct store *s = e->s;
    pthread_mutex_lock(&s->maintain_lock);
    uint64_t mine = s->manifest.event_low_water[e->table];
    bool holds = mine < s->manifest.wal_low_water;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        holds |= mine < s->manifest.event_low_water[t];
    pthread_mutex_unlock(&s->maintain_lock);
    return holds;
}

static bool is_urgent(const struct store *s)
{
    bool urgent = false;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        urgent |= s->events->tables[t].head_bytes > s->config.event_head_bytes_max;
    return urgent;
}

static int maintain_table(struct store__events *e, bool force, struct diag *diag)
{
    struct store *s = e->s;
    int64_t now = s->os->ops->now_ns(s->os);
    bool due = now - e->last_flush_ns >= s->config.flush_interval_ns || now < e->last_flush_ns;
    bool full = e->head_bytes > s->config.event_head_bytes_max ||
                store_wal_bytes(s->wal) > s->config.wal_bytes_max;
    int err = 0;
    if (e->recent.len && (now - e->last_flush_ns > RECENT_NS || now < e->last_flush_ns))
        forget_recent(e);
    if ((force || due || full || e->flush_failed) &&
        (e->head_rows || e->flush_failed || ((force || due || full) && holds_log(e)))) {
        err = store__event_flush(e, diag);
        e->flush_failed = err != 0;
        e->last_flush_ns = now;
    }
    bool merged = true;
    /* Merges can wait when a head cannot. */
    while (!err && merged && (force || !is_urgent(s)))
        err = store__event_merge_once(e, &merged, diag);
    store__event_gauge(e->table, STORE__EVENT_HEAD_BYTES, (int64_t)e->head_bytes);
    store__event_gauge(e->table, STORE__EVENT_STREAMS, (int64_t)e->streams.count);
    return err;
}

int store__events_maintain(struct store *s, bool force, struct diag *diag)
{
    struct store__event_engine *engine = s->events;
    int err = 0;
    pthread_mutex_lock(&engine->lock);
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT && !err; t++)
        err = maintain_table(&engine->tables[t], force, diag);
    int64_t now = s->os->ops->now_ns(s->os);
    if (!err && (force || now - engine->last_expire_ns >= RETENTION_EVERY)) {
        engine->last_expire_ns = now;
        err = expire(s, diag);
    }
    pthread_mutex_unlock(&engine->lock);
    return err;
}

int store__events_flush_all(struct store *s, struct diag *diag)
{
    int err = 0;
    pthread_mutex_lock(&s->events->lock);
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT && !err; t++)
        err = store__event_flush(&s->events->tables[t], diag);
    pthread_mutex_unlock(&s->events->lock);
    return err;
}

/* Beside the metrics' thread: a long merge of logs must not keep the head of the metrics waiting.
 */
static void *run(void *arg)
{
    struct store *s = arg;
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
        if (store__events_maintain(s, false, &d))
            LOG_WARN("store", "maintenance of events failed and is tried again",
                     LOG_STR("error", d.msg));
        pthread_mutex_lock(&s->thread_lock);
    }
    pthread_mutex_unlock(&s->thread_lock);
    return NULL;
}

int store__events_start(struct store *s, struct diag *diag)
{
    int64_t now = s->os->ops->now_ns(s->os);
    s->events->last_expire_ns = now;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        s->events->tables[t].last_flush_ns = now;
    if (!s->config.background)
        return 0;
    s->events->has_thread = !pthread_create(&s->events->thread, NULL, run, s);
    return s->events->has_thread ? 0 : diag_set(diag, ERR_LIMIT, "cannot start the events' thread");
}

void store__events_stop(struct store *s)
{
    if (s->events->has_thread)
        pthread_join(s->events->thread, NULL);
    s->events->has_thread = false;
}

/* --- start --- */

typedef VEC(char *) name_list;

static void on_file(const char *name, void *ctx)
{
    name_list *names = ctx;
    vec_push(names, mem_strdup(name));
}

static int open_part(struct store *s, const struct store_event_part_info *info, bool *out_there,
                     struct diag *diag)
{
    struct store__events *e = &s->events->tables[info->table];
    struct store_event_part *part;
    struct diag d;
    char path[4300], aside[4400];
    diag_init(&d);
    store__event_part_path(s, info->id, path, sizeof(path));
    int err = store_event_part_open(s->os, path, info, &part, &d);
    *out_there = !err;
    if (!err) {
        vec_push(&e->parts, part);
        return 0;
    }
    if (err != ERR_CORRUPT && err != ERR_NOT_FOUND)
        return diag_set(diag, err, "%s", d.msg);
    /* Served without it, loudly; the file stays for whoever can repair it. */
    store__event_count(e->table, STORE__EVENT_QUARANTINED, 1);
    snprintf(aside, sizeof(aside), "%s.corrupt", path);
    s->os->ops->rename(s->os, path, aside, NULL);
    LOG_ERROR("store",
              "a part of events cannot be used and is left out; its rows are missing from answers",
              LOG_STR("file", aside), LOG_STR("error", d.msg));
    return 0;
}

int store__events_load_parts(struct store *s, struct diag *diag)
{
    char dir[4200], path[4300];
    name_list names = {0};
    snprintf(dir, sizeof(dir), "%s/events", s->config.dir);
    int err = s->os->ops->mkdir(s->os, dir, diag);
    if (!err)
        err = s->os->ops->list(s->os, dir, on_file, &names, diag);
    size_t kept = 0;
    for (size_t i = 0; i < s->manifest.events.len && !err; i++) {
        bool there;
        struct store_event_part_info info = s->manifest.events.items[i];
        err = open_part(s, &info, &there, diag);
        if (there)
            s->manifest.events.items[kept++] = info;
    }
    if (!err)
        s->manifest.events.len = kept;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        struct store__events *e = &s->events->tables[t];
        if (e->parts.len)
            qsort(e->parts.items, e->parts.len, sizeof(*e->parts.items), by_age);
        count_parts(e);
    }
    /* Files of a flush or merge that did not get to its end. */
    for (size_t i = 0; i < names.len; i++) {
        char *end;
        uint64_t id = strtoull(names.items[i], &end, 16);
        bool known = strcmp(end, ".events") != 0;
        for (size_t k = 0; k < s->manifest.events.len && !known; k++)
            known = s->manifest.events.items[k].id == id;
        if (!known && !err) {
            store__event_part_path(s, id, path, sizeof(path));
            s->os->ops->unlink(s->os, path, NULL);
            s->manifest.next_id = MAX(s->manifest.next_id, id + 1);
        }
        mem_free(names.items[i]);
    }
    vec_free(&names);
    return err;
}
