/* Snapshots: a directory of its own beside the data, with links to the parts of one moment and a
 * manifest of them. A store opens it, or a copy of it, as any other directory. */
#include <stdio.h>
#include <time.h>

#include "store/event/events_priv.h"

static void name_it(struct store *s, char *out, size_t out_size)
{
    time_t now = (time_t)(s->os->ops->now_ns(s->os) / NS_PER_SEC);
    struct tm tm;
    uint64_t random = 0;
    size_t len;
    gmtime_r(&now, &tm);
    s->os->ops->random(s->os, &random, sizeof(random));
    len = strftime(out, out_size, "%Y%m%dT%H%M%SZ-", &tm);
    snprintf(out + len, out_size - len, "%016llx", (unsigned long long)random);
}

/* The manifest comes last: without it a directory with parts is opened by nobody. */
static int fill(struct store *s, const char *dir, struct store_manifest *m,
                int (*add)(void *ctx, const char *dir, struct diag *diag), void *ctx,
                struct diag *diag)
{
    char parts[4500], events[4500], from[4600], to[4600];
    snprintf(parts, sizeof(parts), "%s/parts", dir);
    snprintf(events, sizeof(events), "%s/events", dir);
    int err = s->os->ops->mkdir(s->os, parts, diag);
    if (!err)
        err = s->os->ops->mkdir(s->os, events, diag);
    for (size_t i = 0; i < m->parts.len && !err; i++) {
        store__part_path(s, m->parts.items[i].id, from, sizeof(from));
        snprintf(to, sizeof(to), "%s/%016llx.part", parts,
                 (unsigned long long)m->parts.items[i].id);
        err = s->os->ops->link(s->os, from, to, diag);
    }
    for (size_t i = 0; i < m->events.len && !err; i++) {
        store__event_part_path(s, m->events.items[i].id, from, sizeof(from));
        snprintf(to, sizeof(to), "%s/%016llx.events", events,
                 (unsigned long long)m->events.items[i].id);
        err = s->os->ops->link(s->os, from, to, diag);
    }
    if (!err)
        err = s->os->ops->sync_dir(s->os, parts, diag);
    if (!err)
        err = s->os->ops->sync_dir(s->os, events, diag);
    if (!err && add)
        err = add(ctx, dir, diag);
    return err ? err : store_manifest_save(s->os, dir, m, diag);
}

static void remove_it(struct store *s, const char *dir, const struct store_manifest *m)
{
    char path[4700];
    for (size_t i = 0; i < m->parts.len; i++) {
        snprintf(path, sizeof(path), "%s/parts/%016llx.part", dir,
                 (unsigned long long)m->parts.items[i].id);
        s->os->ops->unlink(s->os, path, NULL);
    }
    for (size_t i = 0; i < m->events.len; i++) {
        snprintf(path, sizeof(path), "%s/events/%016llx.events", dir,
                 (unsigned long long)m->events.items[i].id);
        s->os->ops->unlink(s->os, path, NULL);
    }
    snprintf(path, sizeof(path), "%s/parts", dir);
    s->os->ops->rmdir(s->os, path, NULL);
    snprintf(path, sizeof(path), "%s/events", dir);
    s->os->ops->rmdir(s->os, path, NULL);
    s->os->ops->rmdir(s->os, dir, NULL);
}

int store_snapshot(struct store *s, bool with_head, char *out_name, size_t out_size,
                   struct diag *diag)
{
    return store_snapshot_with(s, with_head, NULL, NULL, out_name, out_size, diag);
}

int store_snapshot_with(struct store *s, bool with_head,
                        int (*add)(void *ctx, const char *dir, struct diag *diag), void *ctx,
                        char *out_name, size_t out_size, struct diag *diag)
{
    char all[4200], dir[4400];
    struct store_manifest m;
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    name_it(s, out_name, out_size);
    snprintf(all, sizeof(all), "%s/snapshots", s->config.dir);
    snprintf(dir, sizeof(dir), "%s/%s", all, out_name);
    if (with_head)
        err = store__events_flush_all(s, diag);
    pthread_mutex_lock(&s->maintain_lock);
    if (!err && with_head)
        err = store__flush(s, diag);
    store_manifest_copy(&s->manifest, &m);
    if (!err)
        err = fill(s, dir, &m, add, ctx, diag);
    pthread_mutex_unlock(&s->maintain_lock);
    if (!err)
        err = s->os->ops->sync_dir(s->os, all, diag);
    if (!err)
        err = s->os->ops->sync_dir(s->os, s->config.dir, diag);
    if (err)
        remove_it(s, dir, &m);
    store_manifest_free(&m);
    return err;
}
