/* Segment <dir>/<number:016x>.wal: header, then frames. A frame's checksum is seeded with the
 * segment's random seed and its offset, so that bytes from elsewhere never pass for one. */
#include "store/wal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/counter.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"

#define HEADER_BYTES   32
#define FRAME_BYTES    24 /* u32 length, u16 type, u16 zero, u64 segment, u64 checksum */
#define MAGIC          "PHWAL\x01\0\0"
#define STAGED_DEFAULT ((size_t)64 << 20)
#define FRAME_MAX      ((size_t)256 << 20)
#define RETRY_NS       NS_PER_SEC
#define SYNC_EVERY_NS  NS_PER_SEC

static struct counter counters[] = {
    {.name = "pharos_store_wal_written_bytes_total",
     .help = "Bytes written to the write-ahead log."},
    {.name = "pharos_store_wal_groups_total",
     .help = "Groups of records written and synced together."},
    {.name = "pharos_store_wal_failures_total",
     .help = "Writes or syncs of the write-ahead log that failed."},
    {.name = "pharos_store_wal_sync_seconds_total",
     .help = "Time spent syncing the write-ahead log.",
     .scale = 1e-9},
};
enum { WRITTEN, GROUPS, FAILURES, SYNC_SECONDS };

struct waiter {
    void (*done)(void *ctx, int err);
    void *ctx;
};

typedef VEC(struct waiter) waiter_list;

/* Records staged for one segment. */
struct group {
    struct group *next;
    uint64_t segment;
    struct buf payloads; /* per record: u32 length, u16 type, u16 zero, bytes */
    waiter_list waiters;
};

struct store_wal {
    struct os *os;
    char *dir;
    struct store_wal_config config;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t staged_cond, room_cond;
    struct group *first, *last;
    size_t staged_bytes;
    uint64_t segment;   /* appends go here */
    uint64_t low_water; /* oldest kept */
    uint64_t total_bytes;
    bool stopping;
    struct diag health;

    /* The writer's own. */
    struct os_file *file;
    uint64_t file_segment, file_size, file_seed;
    uint64_t file_synced; /* size at the last good sync */
    int64_t last_sync_ns;
    pthread_t thread;
    bool has_thread;
};

static void path_of(struct store_wal *wal, uint64_t segment, char *out, size_t out_size)
{
    snprintf(out, out_size, "%s/%016llx.wal", wal->dir, (unsigned long long)segment);
}

static uint64_t frame_sum(uint64_t seed, uint64_t offset, const char *head, struct slice payload)
{
    return hash64(payload.ptr, payload.len, seed ^ offset ^ hash64(head, 16, seed));
}

/* --- reading --- */

struct reader {
    struct slice bytes;
    uint64_t seed, segment;
};

/* A whole frame at `at`: its payload and type, and where the next begins. */
static bool frame_at(const struct reader *r, uint64_t at, struct slice *payload, unsigned *type,
                     uint64_t *next)
{
    if (at + FRAME_BYTES > r->bytes.len)
        return false;
    const char *p = r->bytes.ptr + at;
    uint64_t len = codec_load32(p);
    if (len > FRAME_MAX || len > r->bytes.len - at - FRAME_BYTES ||
        codec_load64(p + 8) != r->segment)
        return false;
    *payload = slice_make(p + FRAME_BYTES, len);
    if (codec_load64(p + 16) != frame_sum(r->seed, at, p, *payload))
        return false;
    *type = codec_load16(p + 4);
    *next = at + FRAME_BYTES + len;
    return true;
}

static int read_segment(struct store_wal *wal, uint64_t segment, bool last,
                        int (*fn)(enum store_wal_type, uint64_t, struct slice, void *), void *ctx,
                        struct store_wal_replay *replay, struct diag *diag)
{
    char path[4200], aside[4300];
    struct os_file *f;
    struct reader r = {.segment = segment};
    path_of(wal, segment, path, sizeof(path));
    int err = wal->os->ops->open(wal->os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = wal->os->ops->map(f, &r.bytes, diag);
    if (err) {
        wal->os->ops->close(f);
        return err;
    }
    bool corrupt = false;
    uint64_t at = HEADER_BYTES;
    if (r.bytes.len < HEADER_BYTES || memcmp(r.bytes.ptr, MAGIC, 8) != 0 ||
        codec_load64(r.bytes.ptr + 24) != hash64(r.bytes.ptr, 24, 0)) {
        /* A header is synced together with the first group, so only a segment nothing was
         * acknowledged from can have a torn one; unless more follows. */
        corrupt = r.bytes.len > HEADER_BYTES + FRAME_BYTES && !last;
        replay->torn_bytes += r.bytes.len;
    } else {
        r.seed = codec_load64(r.bytes.ptr + 16);
        while (at < r.bytes.len && !err) {
            struct slice payload;
            unsigned type;
            uint64_t next;
            if (frame_at(&r, at, &payload, &type, &next)) {
                err = fn((enum store_wal_type)type, segment, payload, ctx);
                replay->records++;
                at = next;
                continue;
            }
            /* Torn tail or corruption? A frame that is whole further on was written after this one.
             */
            uint64_t from = at + 1;
            while (from < r.bytes.len && !frame_at(&r, from, &payload, &type, &next))
                from++;
            if (from >= r.bytes.len) {
                replay->torn_bytes += r.bytes.len - at;
                break;
            }
            corrupt = true;
            at = from;
        }
    }
    replay->segments++;
    wal->os->ops->unmap(f, r.bytes);
    wal->os->ops->close(f);
    if (!err && corrupt) {
        replay->corrupt_segments++;
        snprintf(aside, sizeof(aside), "%s.corrupt", path);
        LOG_ERROR(
            "store",
            "a segment of the write-ahead log is damaged; what could be read was, the file is kept",
            LOG_STR("file", aside));
        wal->os->ops->link(wal->os, path, aside, NULL);
    }
    return err;
}

struct listing {
    VEC(uint64_t) segments;
};

static void on_name(const char *name, void *ctx)
{
    struct listing *l = ctx;
    char *end;
    uint64_t n = strtoull(name, &end, 16);
    if (end == name + 16 && strcmp(end, ".wal") == 0)
        vec_push(&l->segments, n);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* --- writing --- */

static int open_segment(struct store_wal *wal, uint64_t segment, struct diag *diag)
{
    char path[4200], header[HEADER_BYTES] = MAGIC;
    struct os *os = wal->os;
    if (wal->file)
        os->ops->close(wal->file);
    wal->file = NULL;
    path_of(wal, segment, path, sizeof(path));
    int err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &wal->file, diag);
    if (err)
        return err;
    os->ops->random(os, &wal->file_seed, sizeof(wal->file_seed));
    codec_store64(header + 8, segment);
    codec_store64(header + 16, wal->file_seed);
    codec_store64(header + 24, hash64(header, 24, 0));
    err = os->ops->write_at(wal->file, 0, header, sizeof(header), diag);
    /* The name must be durable before anything in it is acknowledged. */
    if (!err)
        err = os->ops->sync_dir(os, wal->dir, diag);
    if (err) {
        os->ops->close(wal->file);
        wal->file = NULL;
        return err;
    }
    wal->file_segment = segment;
    wal->file_size = HEADER_BYTES;
    wal->file_synced = 0;
    return 0;
}

static int write_group(struct store_wal *wal, struct group *g, struct diag *diag)
{
    struct os *os = wal->os;
    int err = 0;
    if (!wal->file || wal->file_segment != g->segment)
        err = open_segment(wal, g->segment, diag);
    if (err)
        return err;
    struct buf out = {0};
    struct slice rest = buf_slice(&g->payloads);
    uint64_t at = wal->file_size;
    while (rest.len) {
        size_t len = codec_load32(rest.ptr);
        struct slice payload = slice_make(rest.ptr + 8, len);
        char head[FRAME_BYTES];
        memcpy(head, rest.ptr, 8);
        codec_store64(head + 8, g->segment);
        codec_store64(head + 16, frame_sum(wal->file_seed, at, head, payload));
        buf_append(&out, head, sizeof(head));
        buf_append_slice(&out, payload);
        at += FRAME_BYTES + len;
        rest = slice_from(rest, 8 + len);
    }
    err = os->ops->write_at(wal->file, wal->file_size, out.ptr, out.len, diag);
    if (!err &&
        (wal->config.sync || os->ops->monotonic_ns(os) - wal->last_sync_ns > SYNC_EVERY_NS)) {
        int64_t begin = os->ops->monotonic_ns(os);
        err = os->ops->sync(wal->file, diag);
        wal->last_sync_ns = os->ops->monotonic_ns(os);
        counter_add(&counters[SYNC_SECONDS], wal->last_sync_ns - begin);
    }
    if (!err) {
        wal->file_size = at;
        counter_add(&counters[WRITTEN], (int64_t)out.len);
        counter_add(&counters[GROUPS], 1);
    }
    buf_deinit(&out);
    return err;
}

static void finish_group(struct group *g, int err)
{
    for (size_t i = 0; i < g->waiters.len; i++)
        g->waiters.items[i].done(g->waiters.items[i].ctx, err);
    vec_free(&g->waiters);
    buf_deinit(&g->payloads);
    mem_free(g);
}

/* Takes what is staged for one segment and makes it durable. False when nothing is staged. */
static bool write_next(struct store_wal *wal, int *out_err)
{
    pthread_mutex_lock(&wal->lock);
    struct group *g = wal->first;
    if (g) {
        wal->first = g->next;
        if (!wal->first)
            wal->last = NULL;
    }
    pthread_mutex_unlock(&wal->lock);
    if (!g)
        return false;
    struct diag diag;
    diag_init(&diag);
    uint64_t before = wal->file && wal->file_segment == g->segment ? wal->file_size : 0;
    int err = write_group(wal, g, &diag);
    if (err) {
        /* The file's tail is unknown now (a failed sync may have dropped pages), and definitions
         * the group held are lost to later records. The file is cut back to what is known, as far
         * as that goes, and never written again. */
        counter_add(&counters[FAILURES], 1);
        if (wal->file) {
            wal->os->ops->truncate(wal->file, MAX(before, (uint64_t)HEADER_BYTES), NULL);
            wal->os->ops->close(wal->file);
            wal->file = NULL;
        }
    }
    struct group *refused = NULL;
    pthread_mutex_lock(&wal->lock);
    if (err && wal->segment == g->segment) {
        /* Never write behind a doubtful tail: what comes now goes to a new segment. What is staged
         * for this one is refused too: its records lean on definitions that may be lost. */
        wal->segment++;
        refused = wal->first;
        wal->first = wal->last = NULL;
    }
    if (err)
        wal->health = diag;
    else
        diag_init(&wal->health);
    wal->staged_bytes -= g->payloads.len;
    for (struct group *r = refused; r; r = r->next)
        wal->staged_bytes -= r->payloads.len;
    if (!err)
        wal->total_bytes += g->payloads.len;
    pthread_cond_broadcast(&wal->room_cond);
    pthread_mutex_unlock(&wal->lock);
    finish_group(g, err);
    while (refused) {
        struct group *next = refused->next;
        finish_group(refused, err);
        refused = next;
    }
    *out_err = err;
    return true;
}

static void *run_writer(void *arg)
{
    struct store_wal *wal = arg;
    for (;;) {
        int err = 0;
        if (write_next(wal, &err))
            continue;
        pthread_mutex_lock(&wal->lock);
        bool stop = wal->stopping && !wal->first;
        if (!wal->first && !stop)
            pthread_cond_wait(&wal->staged_cond, &wal->lock);
        pthread_mutex_unlock(&wal->lock);
        if (stop)
            return NULL;
    }
}

int store_wal_open(struct os *os, const struct store_wal_config *config, uint64_t low_water,
                   int (*fn)(enum store_wal_type type, uint64_t segment, struct slice payload,
                             void *ctx),
                   void *ctx, struct store_wal **out, struct store_wal_replay *replay,
                   struct diag *diag)
{
    counter_register(counters, ARRAY_LEN(counters));
    struct store_wal *wal = mem_calloc(1, sizeof(*wal));
    wal->os = os;
    wal->config = *config;
    wal->dir = mem_strdup(config->dir);
    wal->config.dir = wal->dir;
    if (!wal->config.staged_max)
        wal->config.staged_max = STAGED_DEFAULT;
    pthread_mutex_init(&wal->lock, NULL);
    pthread_cond_init(&wal->staged_cond, NULL);
    pthread_cond_init(&wal->room_cond, NULL);
    *replay = (struct store_wal_replay){0};
    struct listing list = {0};
    int err = os->ops->list(os, wal->dir, on_name, &list, diag);
    if (list.segments.len)
        qsort(list.segments.items, list.segments.len, sizeof(uint64_t), by_number);
    wal->segment = wal->low_water = low_water;
    for (size_t i = 0; i < list.segments.len && !err; i++) {
        uint64_t n = list.segments.items[i];
        char path[4200];
        struct os_stat st;
        path_of(wal, n, path, sizeof(path));
        if (n < low_water) {
            os->ops->unlink(os, path, NULL);
            continue;
        }
        err = read_segment(wal, n, i + 1 == list.segments.len, fn, ctx, replay, diag);
        if (!os->ops->stat(os, path, &st, NULL))
            wal->total_bytes += st.size;
        wal->segment = MAX(wal->segment, n + 1);
    }
    vec_free(&list.segments);
    if (!err && config->thread) {
        wal->has_thread = !pthread_create(&wal->thread, NULL, run_writer, wal);
        if (!wal->has_thread)
            err = diag_set(diag, ERR_LIMIT, "cannot start the log's thread");
    }
    if (err) {
        store_wal_close(wal);
        return err;
    }
    *out = wal;
    return 0;
}

void store_wal_close(struct store_wal *wal)
{
    if (!wal)
        return;
    pthread_mutex_lock(&wal->lock);
    wal->stopping = true;
    pthread_cond_broadcast(&wal->staged_cond);
    pthread_mutex_unlock(&wal->lock);
    if (wal->has_thread)
        pthread_join(wal->thread, NULL);
    int err;
    while (write_next(wal, &err)) {
    }
    if (wal->file) {
        wal->os->ops->sync(wal->file, NULL);
        wal->os->ops->close(wal->file);
    }
    pthread_mutex_destroy(&wal->lock);
    pthread_cond_destroy(&wal->staged_cond);
    pthread_cond_destroy(&wal->room_cond);
    mem_free(wal->dir);
    mem_free(wal);
}

int store_wal_append(struct store_wal *wal, uint64_t expected, enum store_wal_type type,
                     struct slice payload, void (*done)(void *ctx, int err), void *ctx)
{
    base_assert(payload.len <= FRAME_MAX);
    pthread_mutex_lock(&wal->lock);
    while (wal->staged_bytes > wal->config.staged_max && wal->has_thread)
        pthread_cond_wait(&wal->room_cond, &wal->lock);
    if (wal->segment != expected) {
        pthread_mutex_unlock(&wal->lock);
        return ERR_AGAIN;
    }
    struct group *g = wal->last;
    if (!g || g->segment != wal->segment) {
        g = mem_calloc(1, sizeof(*g));
        g->segment = wal->segment;
        if (wal->last)
            wal->last->next = g;
        else
            wal->first = g;
        wal->last = g;
    }
    char head[8] = {0};
    codec_store32(head, (uint32_t)payload.len);
    codec_store16(head + 4, (uint16_t)type);
    buf_append(&g->payloads, head, sizeof(head));
    buf_append_slice(&g->payloads, payload);
    wal->staged_bytes += sizeof(head) + payload.len;
    if (done)
        vec_push(&g->waiters, ((struct waiter){done, ctx}));
    pthread_cond_signal(&wal->staged_cond);
    pthread_mutex_unlock(&wal->lock);
    return 0;
}

uint64_t store_wal_segment(struct store_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t n = wal->segment;
    pthread_mutex_unlock(&wal->lock);
    return n;
}

uint64_t store_wal_rotate(struct store_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t n = ++wal->segment;
    pthread_mutex_unlock(&wal->lock);
    return n;
}

void store_wal_release(struct store_wal *wal, uint64_t segment)
{
    for (uint64_t n = wal->low_water; n < segment; n++) {
        char path[4200];
        struct os_stat st;
        path_of(wal, n, path, sizeof(path));
        if (!wal->os->ops->stat(wal->os, path, &st, NULL) &&
            !wal->os->ops->unlink(wal->os, path, NULL)) {
            pthread_mutex_lock(&wal->lock);
            wal->total_bytes -= MIN(wal->total_bytes, st.size);
            pthread_mutex_unlock(&wal->lock);
        }
    }
    wal->low_water = MAX(wal->low_water, segment);
}

int store_wal_flush(struct store_wal *wal)
{
    int err = 0, first_err = 0;
    while (write_next(wal, &err))
        first_err = first_err ? first_err : err;
    return first_err;
}

uint64_t store_wal_bytes(struct store_wal *wal)
{
    pthread_mutex_lock(&wal->lock);
    uint64_t n = wal->total_bytes;
    pthread_mutex_unlock(&wal->lock);
    return n;
}

int store_wal_health(struct store_wal *wal, struct diag *diag)
{
    pthread_mutex_lock(&wal->lock);
    int err = wal->health.code;
    if (err)
        diag_set(diag, err, "the write-ahead log cannot be written: %s", wal->health.msg);
    pthread_mutex_unlock(&wal->lock);
    return err;
}
