/* A folder of dashboards: from the disk into the catalogue, and back. */
#include <stdio.h>
#include <stdlib.h>

#include "api/dashboard_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "server/provision_priv.h"

#define FILE_BYTES_MAX ((uint64_t)64 << 20)
#define FILES_MAX      20000
#define DEPTH_MAX      (STORE_FOLDER_DEPTH_MAX - 1)
#define PATH_LIMIT     4200

int provision__read_file(struct os *os, const char *path, struct arena *arena, struct slice *out,
                         struct diag *diag)
{
    struct os_file *f;
    uint64_t size;
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = os->ops->size(f, &size, diag);
    if (!err && size > FILE_BYTES_MAX)
        err = diag_set(diag, ERR_TOO_LARGE, "%s has %llu bytes, 64 MiB may be", path,
                       (unsigned long long)size);
    if (!err) {
        char *text = arena_alloc(arena, size + 1);
        err = os->ops->read_at(f, 0, text, size, diag);
        *out = slice_make(text, size);
    }
    os->ops->close(f);
    return err;
}

struct provider *provision__of_origin(struct server_provision *p, struct slice origin,
                                      struct slice *out_path)
{
    struct slice kind, name, rest = origin;
    if (!slice_split(&rest, ':', &kind) || !slice_eq_cstr(kind, "file") ||
        !slice_split(&rest, ':', &name) || !rest.ptr)
        return NULL;
    *out_path = rest;
    for (size_t i = 0; i < p->providers.len; i++) {
        if (slice_eq_cstr(name, p->providers.items[i].name))
            return &p->providers.items[i];
    }
    return NULL;
}

static uint64_t hash_of(struct slice text)
{
    return hash64(text.ptr, text.len, 0);
}

/* The entry of a file, made when new. Under the lock. */
static struct known_file *known(struct provider *pr, struct slice path)
{
    bool added;
    struct map_entry *e = map_put(pr->files, path, &added);
    if (added)
        e->value.ptr = mem_calloc(1, sizeof(struct known_file));
    return e->value.ptr;
}

static void forget(struct provider *pr, struct slice path)
{
    struct map_entry *e = map_get(pr->files, path);
    if (!e)
        return;
    mem_free(((struct known_file *)e->value.ptr)->uid);
    mem_free(e->value.ptr);
    map_remove(pr->files, path);
}

/* --- from the disk --- */

struct scan {
    struct server_provision *p;
    struct provider *pr;
    struct arena *arena;
    size_t files;
};

static void set_known(struct scan *s, struct slice rel, const struct os_stat *st, uint64_t hash,
                      struct slice uid)
{
    pthread_mutex_lock(&s->p->lock);
    struct known_file *k = known(s->pr, rel);
    mem_free(k->uid);
    k->uid = mem_calloc(uid.len + 1, 1);
    if (uid.len)
        memcpy(k->uid, uid.ptr, uid.len);
    k->hash = hash;
    k->size = st->size;
    k->mtime_ns = st->mtime_ns;
    k->round = s->p->round;
    pthread_mutex_unlock(&s->p->lock);
}

/* A uid for a file that names none: the same at every start. */
static struct slice path_uid(struct scan *s, struct slice rel)
{
    struct slice all = arena_printf(s->arena, "%s:%.*s", s->pr->name, SLICE_FMT(rel));
    return arena_printf(s->arena, "file-%016llx", (unsigned long long)hash_of(all));
}

static int save_file(struct scan *s, struct slice rel, struct slice folder, struct slice text,
                     struct slice *out_uid, struct diag *diag)
{
    struct store_catalog *c = s->p->env.catalog;
    struct store_dashboard old, d;
    struct slice other;
    struct store_dashboard_save save = {.folder_uid = folder,
                                        .login = SLICE("provisioning"),
                                        .provisioned = true,
                                        .read_only = !s->pr->allow_updates};
    int err = api_dashboard_parse(text, s->arena, &save, diag);
    if (err)
        return err;
    if (!save.uid.len)
        save.uid = path_uid(s, rel);
    *out_uid = save.uid;
    save.origin = arena_printf(s->arena, "file:%s:%.*s", s->pr->name, SLICE_FMT(rel));
    err = store_dashboard_get(c, save.uid, 0, SLICE(""), s->arena, &old, NULL);
    if (!err && !slice_eq(old.origin, save.origin)) {
        struct provider *pr = provision__of_origin(s->p, old.origin, &other);
        if (slice_starts_with(old.origin, SLICE("shipped:")))
            return diag_set(diag, ERR_EXISTS, "its uid %.*s is that of a dashboard of Pharos",
                            SLICE_FMT(save.uid));
        pthread_mutex_lock(&s->p->lock);
        bool there = pr && map_get(pr->files, other);
        pthread_mutex_unlock(&s->p->lock);
        if (there)
            return diag_set(diag, ERR_EXISTS, "its uid %.*s is that of the file %.*s, too",
                            SLICE_FMT(save.uid), SLICE_FMT(other));
    }
    if (!err && slice_eq(old.origin, save.origin) && old.read_only == save.read_only &&
        slice_eq(old.folder_uid, folder) && api_dashboard_same(old.body, save.body, s->arena))
        return 0; /* a restart, or written by ourselves */
    return store_dashboard_save(c, &save, s->arena, &d, diag);
}

static void load_file(struct scan *s, const char *path, struct slice rel, struct slice folder,
                      const struct os_stat *st)
{
    struct slice text, uid = SLICE("");
    struct diag diag;
    char words[1200];
    diag_init(&diag);
    pthread_mutex_lock(&s->p->lock);
    struct map_entry *e = map_get(s->pr->files, rel);
    struct known_file *k = e ? e->value.ptr : NULL;
    bool same = k && k->size == st->size && k->mtime_ns == st->mtime_ns;
    uint64_t hash = k ? k->hash : 0;
    if (k)
        k->round = s->p->round;
    if (k && k->uid)
        uid = arena_slice(s->arena, slice_cstr(k->uid));
    pthread_mutex_unlock(&s->p->lock);
    if (same)
        return;
    int err = provision__read_file(s->p->env.os, path, s->arena, &text, &diag);
    if (err == ERR_NOT_FOUND)
        return; /* it went meanwhile */
    if (!err && (!k || hash_of(text) != hash))
        err = save_file(s, rel, folder, text, &uid, &diag);
    if (err) /* once for each content */
        LOG_WARN("server", "a dashboard's file is not taken", LOG_STR("file", path),
                 LOG_STR("error", diag_str(&diag, words, sizeof(words))));
    set_known(s, rel, st, err ? 0 : hash_of(text), uid);
}

struct names {
    VEC(char *) items;
};

static void on_name(const char *name, void *ctx)
{
    struct names *n = ctx;
    if (name[0] != '.')
        vec_push(&n->items, mem_strdup(name));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void set_dir(struct scan *s, const char *rel, struct slice uid)
{
    pthread_mutex_lock(&s->p->lock);
    struct map_entry *e = map_put(s->pr->dirs, slice_cstr(rel), NULL);
    mem_free(e->value.ptr);
    e->value.ptr = mem_calloc(uid.len + 1, 1);
    if (uid.len)
        memcpy(e->value.ptr, uid.ptr, uid.len);
    pthread_mutex_unlock(&s->p->lock);
}

static int scan_dir(struct scan *s, const char *path, const char *rel, struct slice folder,
                    unsigned depth, struct diag *diag)
{
    struct os *os = s->p->env.os;
    struct names names = {0};
    int err = os->ops->list(os, path, on_name, &names, diag);
    if (names.items.len)
        qsort(names.items.items, names.items.len, sizeof(char *), by_text);
    if (!err)
        set_dir(s, rel, folder);
    for (size_t i = 0; i < names.items.len && !err; i++) {
        char next[PATH_LIMIT], below[PATH_LIMIT];
        const char *name = names.items.items[i];
        struct os_stat st;
        snprintf(next, sizeof(next), "%s/%s", path, name);
        snprintf(below, sizeof(below), "%s%s%s", rel, rel[0] ? "/" : "", name);
        if (os->ops->stat(os, next, &st, NULL))
            continue;
        if (st.is_dir && depth < DEPTH_MAX) {
            struct slice inner = folder;
            if (s->pr->by_structure)
                err = provision__folder(s->p, folder, name, "", s->arena, &inner, diag);
            if (!err)
                err = scan_dir(s, next, below, inner, depth + 1, diag);
        } else if (!st.is_dir && slice_ends_with(slice_cstr(name), SLICE(".json")) &&
                   s->files++ < FILES_MAX) {
            load_file(s, next, slice_cstr(below), folder, &st);
        }
    }
    for (size_t i = 0; i < names.items.len; i++)
        mem_free(names.items.items[i]);
    vec_free(&names.items);
    return err;
}

/* Whether the file was there in this round. */
static bool seen(struct scan *s, struct slice rel)
{
    pthread_mutex_lock(&s->p->lock);
    struct map_entry *e = map_get(s->pr->files, rel);
    bool there = e && ((struct known_file *)e->value.ptr)->round == s->p->round;
    pthread_mutex_unlock(&s->p->lock);
    return there;
}

static bool some_vanished(struct scan *s)
{
    struct map_entry *e;
    bool any = false;
    pthread_mutex_lock(&s->p->lock);
    for (size_t pos = 0; (e = map_next(s->pr->files, &pos));)
        any |= ((struct known_file *)e->value.ptr)->round != s->p->round;
    pthread_mutex_unlock(&s->p->lock);
    return any;
}

/* Dashboards of this provider whose file is gone, while we ran or before. */
static void drop_vanished(struct scan *s)
{
    struct store_catalog *c = s->p->env.catalog;
    struct store_dashboard *all;
    struct slice rel;
    size_t count = 0;
    if (s->pr->scanned && !some_vanished(s))
        return;
    if (store_dashboard_list(c, SLICE(""), s->arena, &all, &count, NULL))
        return;
    for (size_t i = 0; i < count; i++) {
        if (provision__of_origin(s->p, all[i].origin, &rel) != s->pr || seen(s, rel))
            continue;
        int err = s->pr->keep ? store_dashboard_set_origin(c, all[i].uid, SLICE(""), false, NULL)
                              : store_dashboard_delete(c, all[i].uid, true, NULL, NULL, NULL);
        LOG_INFO(
            "server",
            s->pr->keep ? "a dashboard's file is gone; it stays" : "a dashboard went with its file",
            LOG_SLICE("file", rel), LOG_SLICE("uid", all[i].uid), LOG_STR("result", err_name(err)));
        pthread_mutex_lock(&s->p->lock);
        forget(s->pr, rel);
        pthread_mutex_unlock(&s->p->lock);
    }
    s->pr->scanned = true;
}

void provision__scan(struct server_provision *p, struct provider *pr)
{
    struct scan s = {.p = p, .pr = pr, .arena = arena_new(0, NULL)};
    struct slice folder = SLICE("");
    struct diag diag;
    char words[1200];
    diag_init(&diag);
    int err = 0;
    if (pr->folder[0] || pr->folder_uid[0])
        err = provision__folder(p, SLICE(""), pr->folder, pr->folder_uid, s.arena, &folder, &diag);
    if (!err)
        err = scan_dir(&s, pr->path, "", folder, 0, &diag);
    /* A folder that cannot be read is no reason to forget what was in it. */
    if (!err)
        drop_vanished(&s);
    if (err && !pr->warned)
        LOG_WARN("server", "a folder of dashboards cannot be read", LOG_STR("path", pr->path),
                 LOG_STR("error", diag_str(&diag, words, sizeof(words))));
    pr->warned = err != 0;
    arena_free(s.arena);
}

/* --- to the disk --- */

static int write_file(struct os *os, const char *path, struct slice text, struct os_stat *st,
                      struct diag *diag)
{
    int err = os_file_replace(os, path, text, diag);
    return err ? err : os->ops->stat(os, path, st, diag);
}

/* The folder's place below the provider's path, NULL when it has none. Under the lock. */
static const char *dir_of(struct provider *pr, struct slice folder)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(pr->dirs, &pos));) {
        if (slice_eq_cstr(folder, e->value.ptr))
            return e->key.ptr;
    }
    return NULL;
}

/* The file of a dashboard that has none yet: its slug, numbered when that is taken. */
static void choose_path(struct os *os, struct provider *pr, const char *dir, struct slice slug,
                        char *rel, size_t size)
{
    char path[PATH_LIMIT];
    struct os_stat st;
    for (int n = 1; n < 10000; n++) {
        char number[16] = "";
        if (n > 1)
            snprintf(number, sizeof(number), "-%d", n);
        snprintf(rel, size, "%s%s%.*s%s.json", dir, dir[0] ? "/" : "",
                 (int)MIN(slug.len, (size_t)100), slug.ptr, number);
        snprintf(path, sizeof(path), "%s/%s", pr->path, rel);
        if (os->ops->stat(os, path, &st, NULL))
            return;
    }
}

static void remove_file(struct os *os, struct provider *pr, struct slice rel)
{
    char path[PATH_LIMIT];
    snprintf(path, sizeof(path), "%s/%.*s", pr->path, SLICE_FMT(rel));
    os->ops->unlink(os, path, NULL);
    forget(pr, rel);
}

/* Somebody changed the file since it was loaded. */
static bool is_changed(struct os *os, struct provider *pr, struct slice rel, struct arena *arena)
{
    char path[PATH_LIMIT];
    struct slice text;
    struct map_entry *e = map_get(pr->files, rel);
    snprintf(path, sizeof(path), "%s/%.*s", pr->path, SLICE_FMT(rel));
    return e && !provision__read_file(os, path, arena, &text, NULL) &&
           hash_of(text) != ((struct known_file *)e->value.ptr)->hash;
}

/* Under the lock. `old`: its file so far in this provider, or len 0. */
static int save_to_file(struct server_provision *p, struct provider *pr, struct slice old,
                        bool moved, struct store_dashboard *after, struct arena *arena,
                        struct diag *diag)
{
    struct os *os = p->env.os;
    char rel[PATH_LIMIT], path[PATH_LIMIT];
    struct buf text = {0};
    struct os_stat st;
    const char *dir = dir_of(pr, after->folder_uid);
    if (old.len && is_changed(os, pr, old, arena))
        return diag_set(diag, ERR_CONFLICT,
                        "The file %.*s has been changed on the disk; it is read within seconds",
                        SLICE_FMT(old));
    if (!dir) { /* out of the folders that are on the disk */
        if (old.len)
            remove_file(os, pr, old);
        after->origin = SLICE("");
        return 0;
    }
    if (old.len && !moved)
        snprintf(rel, sizeof(rel), "%.*s", SLICE_FMT(old));
    else
        choose_path(os, pr, dir, after->slug, rel, sizeof(rel));
    snprintf(path, sizeof(path), "%s/%s", pr->path, rel);
    api_dashboard_print(after, arena, &text);
    int err = write_file(os, path, buf_slice(&text), &st, diag);
    if (!err) {
        struct known_file *k = known(pr, slice_cstr(rel));
        mem_free(k->uid);
        k->uid = mem_calloc(after->uid.len + 1, 1);
        memcpy(k->uid, after->uid.ptr, after->uid.len);
        k->hash = hash_of(buf_slice(&text));
        k->size = st.size;
        k->mtime_ns = st.mtime_ns;
        k->round = p->round;
        if (old.len && !slice_eq_cstr(old, rel))
            remove_file(os, pr, old);
        snprintf(p->origin, sizeof(p->origin), "file:%s:%s", pr->name, rel);
        after->origin = slice_cstr(p->origin);
    }
    buf_deinit(&text);
    return err;
}

int server_provision_changes(void *ctx, const struct store_dashboard *before,
                             struct store_dashboard *after, struct diag *diag)
{
    struct server_provision *p = ctx;
    struct slice old = SLICE("");
    struct provider *from = before ? provision__of_origin(p, before->origin, &old) : NULL;
    struct provider *writer = NULL;
    struct arena *arena = arena_new(0, NULL);
    int err = 0;
    for (size_t i = 0; i < p->providers.len; i++) {
        if (p->providers.items[i].write)
            writer = &p->providers.items[i];
    }
    pthread_mutex_lock(&p->lock);
    if (from && from != writer)
        err = after ? 0
                    : diag_set(diag, ERR_DENIED,
                               "provisioned dashboard cannot be deleted: its file is %s/%.*s",
                               from->path, SLICE_FMT(old));
    else if (!after && from)
        remove_file(p->env.os, from, old);
    else if (after && writer)
        err = save_to_file(p, writer, from ? old : SLICE(""),
                           before && !slice_eq(before->folder_uid, after->folder_uid), after, arena,
                           diag);
    pthread_mutex_unlock(&p->lock);
    arena_free(arena);
    return err;
}
