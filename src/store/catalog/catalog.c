/* Opening the catalogue (a damaged one too), transactions, and small helpers. */
#include <ctype.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "codec/utf8.h"
#include "os/os.h"
#include "store/catalog/catalog_priv.h"

#define VERSIONS_DEFAULT    20
#define BYTES_DEFAULT       ((size_t)8 << 20)
#define DASHBOARDS_DEFAULT  50000
#define ANNOTATIONS_DEFAULT 1000000
#define SCHEMA_VERSION      1
#define TAG_END             '\x1f'

/* Names of folders and dashboards are unique within a folder; a dashboard's history is without a
 * foreign key, so that what can be read of a damaged file can be taken over in any order. */
static const char schema[] =
    "CREATE TABLE folder(id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE,"
    " parent TEXT NOT NULL, title TEXT NOT NULL, version INTEGER NOT NULL, origin TEXT NOT NULL,"
    " created INTEGER NOT NULL, created_by TEXT NOT NULL, updated INTEGER NOT NULL,"
    " updated_by TEXT NOT NULL, UNIQUE(parent, title));"
    "CREATE TABLE dashboard(id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE,"
    " folder TEXT NOT NULL, title TEXT NOT NULL, version INTEGER NOT NULL,"
    " api_version TEXT NOT NULL, origin TEXT NOT NULL, read_only INTEGER NOT NULL,"
    " hidden INTEGER NOT NULL, tags TEXT NOT NULL, created INTEGER NOT NULL,"
    " created_by TEXT NOT NULL, updated INTEGER NOT NULL, updated_by TEXT NOT NULL,"
    " body BLOB NOT NULL, UNIQUE(folder, title));"
    "CREATE TABLE dashboard_version(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " dashboard INTEGER NOT NULL, version INTEGER NOT NULL, parent INTEGER NOT NULL,"
    " restored_from INTEGER NOT NULL, created INTEGER NOT NULL, created_by TEXT NOT NULL,"
    " message TEXT NOT NULL, body BLOB NOT NULL, UNIQUE(dashboard, version));"
    "CREATE TABLE star(login TEXT NOT NULL, uid TEXT NOT NULL, UNIQUE(login, uid));"
    "CREATE INDEX star_uid ON star(uid);"
    "CREATE TABLE annotation(id INTEGER PRIMARY KEY AUTOINCREMENT, dashboard TEXT NOT NULL,"
    " panel INTEGER NOT NULL, time INTEGER NOT NULL, time_end INTEGER NOT NULL,"
    " text TEXT NOT NULL, tags TEXT NOT NULL, data TEXT NOT NULL, login TEXT NOT NULL,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL);"
    "CREATE INDEX annotation_time ON annotation(time_end);"
    "CREATE INDEX annotation_dashboard ON annotation(dashboard, panel, time_end);"
    "CREATE TABLE document(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " key TEXT NOT NULL, parent TEXT NOT NULL, alias TEXT NOT NULL, title TEXT NOT NULL,"
    " login TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE(kind, key));"
    "CREATE UNIQUE INDEX document_alias ON document(kind, alias) WHERE alias<>'';"
    "CREATE INDEX document_parent ON document(kind, parent);";

static const char *const tables[] = {
    "folder", "dashboard", "dashboard_version", "star", "annotation", "document", NULL};

static int read_number(struct sql *s, const char *text, int64_t *out, struct diag *diag)
{
    struct sql_rows *r;
    int err = sql_rows(s, &r, diag, text, "");
    if (err)
        return err;
    int got = sql_next(r, diag);
    *out = got > 0 ? sql_int(r, 0) : 0;
    sql_end(r);
    return got < 0 ? got : 0;
}

/* A new file gets its tables; an old one is checked. */
static int prepare_file(struct sql *s, struct diag *diag)
{
    int64_t version = 0, objects = 0;
    int err = read_number(s, "PRAGMA user_version", &version, diag);
    if (!err)
        err = read_number(s, "SELECT count(*) FROM sqlite_schema", &objects, diag);
    if (err)
        return err;
    if (version > SCHEMA_VERSION)
        return diag_set(diag, ERR_UNSUPPORTED,
                        "the catalogue is of version %lld, written by a later Pharos; this one "
                        "reads up to %d",
                        (long long)version, SCHEMA_VERSION);
    if (version == SCHEMA_VERSION)
        return sql_check(s, diag);
    if (objects)
        return diag_set(diag, ERR_CORRUPT, "the catalogue: the file is no catalogue of Pharos");
    struct buf text = {0};
    buf_printf(&text, "BEGIN IMMEDIATE; %s PRAGMA user_version=%d; COMMIT;", schema,
               SCHEMA_VERSION);
    err = sql_script(s, buf_cstr(&text), diag);
    buf_deinit(&text);
    return err;
}

static int open_file(struct store_catalog *c, struct diag *diag)
{
    int err = sql_open(c->os, c->path, &c->sql, diag);
    if (!err)
        err = prepare_file(c->sql, diag);
    if (err) {
        sql_close(c->sql);
        c->sql = NULL;
    }
    return err;
}

/* Renames the damaged file with its log, begins a new one, and takes over what can be read. */
static int keep_aside(struct store_catalog *c, const struct diag *why, struct diag *diag)
{
    char aside[4300], from[4300], to[4400];
    static const char *const tails[] = {"", "-wal", "-journal"};
    struct os_stat st;
    snprintf(aside, sizeof(aside), "%s.damaged-%lld", c->path,
             (long long)(catalog__now_ns(c) / NS_PER_SEC));
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        snprintf(from, sizeof(from), "%s%s", c->path, tails[i]);
        snprintf(to, sizeof(to), "%s%s", aside, tails[i]);
        if (c->os->ops->stat(c->os, from, &st, NULL))
            continue;
        int err = c->os->ops->rename(c->os, from, to, diag);
        if (err)
            return err;
    }
    int err = c->os->ops->sync_dir(c->os, c->config.dir, diag);
    if (!err)
        err = open_file(c, diag);
    if (err)
        return err;
    int64_t saved = 0;
    if (!sql_script(c->sql, "BEGIN IMMEDIATE", NULL)) {
        saved = sql_salvage(c->sql, c->os, aside, tables);
        err = sql_script(c->sql, "COMMIT", diag);
    }
    LOG_ERROR("store",
              "the catalogue (dashboards, folders, annotations) was damaged and is kept aside",
              LOG_STR("file", aside), LOG_STR("error", why->msg), LOG_INT("rows_saved", saved));
    return err;
}

static void set_limits(struct store_catalog *c, const struct store_catalog_config *config)
{
    const char *dir = c->config.dir;
    c->config = *config;
    c->config.dir = dir;
    if (!c->config.versions_max)
        c->config.versions_max = VERSIONS_DEFAULT;
    if (!c->config.bytes_max)
        c->config.bytes_max = BYTES_DEFAULT;
    if (!c->config.dashboards_max)
        c->config.dashboards_max = DASHBOARDS_DEFAULT;
    if (!c->config.annotations_max)
        c->config.annotations_max = ANNOTATIONS_DEFAULT;
}

int store_catalog_open(const struct store_catalog_config *config, struct os *os,
                       struct store_catalog **out, struct diag *diag)
{
    struct store_catalog *c = mem_calloc(1, sizeof(*c));
    struct diag why;
    diag_init(&why);
    diag_init(&c->broken);
    pthread_mutex_init(&c->lock, NULL);
    c->os = os;
    c->config.dir = mem_strdup(config->dir);
    set_limits(c, config);
    snprintf(c->path, sizeof(c->path), "%s/catalog.db", config->dir);
    int err = os->ops->mkdir(os, config->dir, diag);
    if (!err) {
        err = open_file(c, &why);
        if (err == ERR_CORRUPT)
            err = keep_aside(c, &why, diag);
        else if (err == ERR_EXISTS)
            err = diag_set(diag, err, "%s is in use by another process", c->path);
        else if (err)
            err = diag_set(diag, err, "%s", why.msg);
    }
    if (err) {
        store_catalog_close(c);
        c = NULL;
    }
    *out = c;
    return err;
}

void store_catalog_close(struct store_catalog *c)
{
    if (!c)
        return;
    sql_close(c->sql);
    pthread_mutex_destroy(&c->lock);
    mem_free((char *)(uintptr_t)c->config.dir);
    mem_free(c);
}

int store_catalog_health(struct store_catalog *c, struct diag *diag)
{
    pthread_mutex_lock(&c->lock);
    struct diag broken = c->broken;
    pthread_mutex_unlock(&c->lock);
    return broken.code ? diag_set(diag, broken.code, "%s", broken.msg) : 0;
}

static void note(struct store_catalog *c, int err, const struct diag *diag)
{
    if (err == ERR_CORRUPT && !c->broken.code) {
        diag_set(&c->broken, err, "%s", diag ? diag->msg : "the catalogue is damaged");
        LOG_ERROR(
            "store",
            "the catalogue is damaged; the next start keeps it aside and saves what can be read",
            LOG_STR("file", c->path), LOG_STR("error", c->broken.msg));
    }
}

/* SQLite writes the copy without waiting for the disk. */
static int make_durable(struct os *os, const char *dir, const char *path, struct diag *diag)
{
    struct os_file *file = NULL;
    int err = os->ops->open(os, path, OS_READ | OS_WRITE, &file, diag);
    if (!err)
        err = os->ops->sync(file, diag);
    if (file)
        os->ops->close(file);
    return err ? err : os->ops->sync_dir(os, dir, diag);
}

int store_catalog_copy(struct store_catalog *c, const char *dir, struct diag *diag)
{
    char path[4300];
    struct os_stat st;
    snprintf(path, sizeof(path), "%s/catalog.db", dir);
    if (!c->os->ops->stat(c->os, path, &st, NULL))
        return diag_set(diag, ERR_EXISTS, "%s is there already", path);
    pthread_mutex_lock(&c->lock);
    int err = sql_run(c->sql, diag, "VACUUM INTO ?", "s", slice_cstr(path));
    note(c, err, diag);
    pthread_mutex_unlock(&c->lock);
    if (!err)
        err = make_durable(c->os, dir, path, diag);
    if (err)
        c->os->ops->unlink(c->os, path, NULL);
    return err;
}

void store_catalog_set_limits(struct store_catalog *c, const struct store_catalog_config *config)
{
    pthread_mutex_lock(&c->lock);
    set_limits(c, config);
    pthread_mutex_unlock(&c->lock);
}

uint64_t store_catalog_generation(struct store_catalog *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t n = c->generation;
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* --- transactions --- */

int catalog__begin(struct store_catalog *c, struct diag *diag)
{
    pthread_mutex_lock(&c->lock);
    int err = sql_run(c->sql, diag, "BEGIN IMMEDIATE", "");
    if (err)
        pthread_mutex_unlock(&c->lock);
    return err;
}

int catalog__end(struct store_catalog *c, int err, struct diag *diag)
{
    if (!err) {
        err = sql_run(c->sql, diag, "COMMIT", "");
        c->generation++;
    }
    if (err)
        (void)!sql_run(c->sql, NULL, "ROLLBACK", ""); /* SQLite may have done so already */
    note(c, err, diag);
    pthread_mutex_unlock(&c->lock);
    return err;
}

int catalog__read(struct store_catalog *c, struct diag *diag)
{
    (void)diag;
    pthread_mutex_lock(&c->lock);
    return 0;
}

int catalog__read_end(struct store_catalog *c, int err, struct diag *diag)
{
    note(c, err, diag);
    pthread_mutex_unlock(&c->lock);
    return err;
}

/* --- helpers --- */

int64_t catalog__now_ns(struct store_catalog *c)
{
    return c->os->ops->now_ns(c->os);
}

int catalog__room(struct store_catalog *c, const char *count_sql, struct slice arg, size_t max,
                  const char *what, struct diag *diag)
{
    struct sql_rows *r;
    int err = arg.ptr ? sql_rows(c->sql, &r, diag, count_sql, "s", arg)
                      : sql_rows(c->sql, &r, diag, count_sql, "");
    if (err)
        return err;
    int got = sql_next(r, diag);
    int64_t count = got > 0 ? sql_int(r, 0) : 0;
    sql_end(r);
    if (got < 0)
        return got;
    return (size_t)count < max
               ? 0
               : diag_set(diag, ERR_LIMIT, "there are %lld %s already, the most there may be",
                          (long long)count, what);
}

void catalog__join(const struct slice *tags, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        bool good = tags[i].len > 0;
        for (size_t k = 0; k < tags[i].len && good; k++)
            good = (unsigned char)tags[i].ptr[k] >= 0x20;
        if (!good)
            continue;
        buf_append_slice(out, tags[i]);
        buf_append_char(out, TAG_END);
    }
}

void catalog__split(struct slice text, struct arena *arena, struct slice **out, size_t *out_count)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == TAG_END;
    *out = ARENA_ARRAY(arena, struct slice, count + 1);
    *out_count = *out ? count : 0;
    for (size_t i = 0; i < *out_count; i++) {
        size_t n = 0;
        while (text.ptr[n] != TAG_END)
            n++;
        (*out)[i] = slice_first(text, n);
        text = slice_from(text, n + 1);
    }
}

void catalog__pack(struct slice body, struct buf *out)
{
    codec_compress(CODEC_ZSTD, 0, body, out);
}

int catalog__unpack(struct slice packed, struct arena *arena, struct slice *out, struct diag *diag)
{
    struct buf plain = {0};
    int err = codec_decompress(CODEC_ZSTD, packed, (size_t)1 << 30, &plain, NULL);
    if (err)
        err = diag_set(diag, ERR_CORRUPT, "the catalogue: a stored document is damaged");
    else
        *out = arena_slice(arena, slice_make(plain.ptr ? plain.ptr : "", plain.len));
    buf_deinit(&plain);
    if (!err && !out->ptr)
        err = diag_set(diag, ERR_NOMEM, "no memory left for a stored document");
    return err;
}

bool store_uid_valid(struct slice uid)
{
    for (size_t i = 0; i < uid.len; i++) {
        unsigned char ch = (unsigned char)uid.ptr[i];
        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
              ch == '-' || ch == '_'))
            return false;
    }
    return uid.len && uid.len <= STORE_UID_MAX;
}

void store_catalog_random_id(struct store_catalog *c, char *out, size_t len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for (size_t i = 0; i < len;) {
        unsigned char byte;
        c->os->ops->random(c->os, &byte, 1);
        if (byte < 248) /* 4 * 62: every letter as likely */
            out[i++] = letters[byte % 62];
    }
    out[len] = 0;
}

int catalog__uid(struct store_catalog *c, struct slice wanted, struct arena *arena,
                 struct slice *out, struct diag *diag)
{
    if (!wanted.len) {
        char uid[15];
        store_catalog_random_id(c, uid, 14);
        *out = arena_slice(arena, slice_cstr(uid));
        return 0;
    }
    if (wanted.len > STORE_UID_MAX)
        return diag_set(diag, ERR_INVALID, "uid too long, max %d characters", STORE_UID_MAX);
    if (!store_uid_valid(wanted))
        return diag_set(diag, ERR_INVALID, "uid contains illegal characters");
    *out = wanted;
    return 0;
}

int catalog__title(struct slice title, const char *what, struct slice *out, struct diag *diag)
{
    title = slice_trim(title);
    *out = title;
    if (!title.len)
        return diag_set(diag, ERR_INVALID, "%s title cannot be empty", what);
    if (title.len > STORE_TITLE_MAX)
        return diag_set(diag, ERR_INVALID, "%s title has %zu bytes, at most %d may be", what,
                        title.len, STORE_TITLE_MAX);
    if (!codec_utf8_valid(title))
        return diag_set(diag, ERR_INVALID, "%s title is no valid UTF-8", what);
    return 0;
}

struct slice store_slug(struct slice title, struct arena *arena)
{
    struct buf b = {0};
    bool dash = false;
    for (size_t i = 0; i < title.len; i++) {
        unsigned char ch = (unsigned char)title.ptr[i];
        if (isalnum(ch) || ch == '_' || ch >= 0x80) {
            if (dash && b.len)
                buf_append_char(&b, '-');
            dash = false;
            buf_append_char(&b, (char)(ch < 0x80 ? tolower(ch) : ch));
        } else {
            dash = true;
        }
    }
    if (!b.len)
        buf_append_cstr(&b, "untitled");
    struct slice slug = arena_slice(arena, buf_slice(&b));
    buf_deinit(&b);
    return slug;
}
