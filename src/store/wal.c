/* Segment <dir>/<number:016x>.wal: header (twice, in two sectors), then frames. A frame's checksum
 * is seeded with the segment's random seed and its offset, so that bytes from elsewhere never pass
 * for one. Each frame tells how much of the file was durable when it was written, and each header
 * how much of the segment before: what fails to check below such a mark was damaged later, what
 * fails above it was never acknowledged. */
#include "store/wal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/cond.h"
#include "base/counter.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"

#define HEADER_BYTES   1024 /* two copies, each in a sector of its own */
#define HEADER_COPY    512
#define HEADER_USED    64
#define FRAME_BYTES    24 /* u32 length, u16 type, u16 zero, u64 durable before, u64 checksum */
#define TYPE_MAX       255
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
    {.name = "pharos_store_wal_damaged_segments_total",
     .help = "Segments of the write-ahead log found damaged at start; each is kept as .corrupt."},
    {.name = "pharos_store_wal_damaged_bytes_total",
     .help = "Bytes of the write-ahead log that were durable once and do not check any more."},
    {.name = "pharos_store_wal_torn_bytes_total",
     .help = "Bytes of appends cut off by a crash before they were acknowledged."},
};
enum { WRITTEN, GROUPS, FAILURES, SYNC_SECONDS, DAMAGED_SEGMENTS, DAMAGED_BYTES, TORN_BYTES };

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
    uint64_t file_synced;               /* size at the last good sync */
    bool file_doubtful;                 /* a sync failed */
    uint64_t prev_segment, prev_synced; /* what the next header tells of its predecessor */
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

struct header {
    uint64_t segment, seed, prev_segment, prev_synced;
};

/* From whichever copy checks; *out_damaged when one does not. */
static bool parse_header(struct slice bytes, uint64_t segment, struct header *out,
                         bool *out_damaged)
{
    bool found = false;
    *out_damaged = false;
    for (size_t at = 0; at < HEADER_BYTES; at += HEADER_COPY) {
        const char *p = bytes.ptr + at;
        if (bytes.len < HEADER_BYTES || memcmp(p, MAGIC, 8) != 0 ||
            codec_load64(p + 8) != segment || codec_load64(p + 56) != hash64(p, 56, 0)) {
            *out_damaged = true;
            continue;
        }
        found = true;
        *out = (struct header){.segment = segment,
                               .seed = codec_load64(p + 16),
                               .prev_segment = codec_load64(p + 24),
                               .prev_synced = codec_load64(p + 32)};
    }
    return found;
}

struct reader {
    struct slice bytes;
    uint64_t seed;
};

struct frame {
    struct slice payload;
    unsigned type;
    uint64_t synced, next;
};

/* A whole frame at `at`. The cheap tests come first: a scan over damage tries every offset. */
static bool frame_at(const struct reader *r, uint64_t at, struct frame *out)
{
    if (at + FRAME_BYTES > r->bytes.len)
        return false;
    const char *p = r->bytes.ptr + at;
    uint64_t len = codec_load32(p), synced = codec_load64(p + 8);
    if (len > r->bytes.len - at - FRAME_BYTES || len > FRAME_MAX || synced < HEADER_BYTES ||
        synced > at || codec_load16(p + 4) > TYPE_MAX || codec_load16(p + 6))
        return false;
    out->payload = slice_make(p + FRAME_BYTES, len);
    if (codec_load64(p + 16) != frame_sum(r->seed, at, p, out->payload))
        return false;
    out->type = codec_load16(p + 4);
    out->synced = synced;
    out->next = at + FRAME_BYTES + len;
    return true;
}

struct replay {
    int (*fn)(enum store_wal_type type, uint64_t segment, struct slice payload, void *ctx);
    void *ctx;
    struct store_wal_replay *result;
    _Atomic uint64_t *done; /* may be NULL */
    uint64_t before;        /* bytes of earlier segments */
};

/* Delivers every frame that checks. `durable`: bytes of this segment known to have been durable, 0
 * when nobody knows. Returns the number of bytes that were durable and do not check. */
static int read_frames(const struct reader *r, uint64_t segment, uint64_t durable,
                       const struct replay *to, uint64_t *out_damaged)
{
    uint64_t at = HEADER_BYTES, bad_from = 0, bad_bytes = 0, undecodable = 0;
    VEC(uint64_t) holes = {0}; /* begin, end of what does not check */
    int err = 0;
    while (at < r->bytes.len && !err) {
        struct frame f;
        if (!frame_at(r, at, &f)) {
            bad_from = bad_from ? bad_from : at;
            at++;
            continue;
        }
        if (bad_from) {
            vec_push(&holes, bad_from);
            vec_push(&holes, at);
            bad_from = 0;
        }
        durable = MAX(durable, f.synced);
        err = to->fn((enum store_wal_type)f.type, segment, f.payload, to->ctx);
        if (err == ERR_CORRUPT) {
            undecodable += FRAME_BYTES + f.payload.len;
            err = 0;
        }
        to->result->records++;
        at = f.next;
        if (to->done)
            *to->done = to->before + at;
    }
    if (bad_from || r->bytes.len < durable) {
        vec_push(&holes, bad_from ? bad_from : r->bytes.len);
        vec_push(&holes, MAX(r->bytes.len, durable));
    }
    for (size_t i = 0; i < holes.len; i += 2) {
        uint64_t begin = holes.items[i], end = holes.items[i + 1];
        uint64_t damaged = MIN(end, MAX(durable, begin)) - begin;
        bad_bytes += damaged;
        to->result->torn_bytes += end - begin - damaged;
    }
    vec_free(&holes);
    *out_damaged = bad_bytes + undecodable;
    return err;
}

static int map_segment(struct store_wal *wal, uint64_t segment, struct os_file **out,
                       struct slice *bytes, struct diag *diag)
{
    char path[4200];
    path_of(wal, segment, path, sizeof(path));
    int err = wal->os->ops->open(wal->os, path, OS_READ, out, diag);
    if (err)
        return err;
    err = wal->os->ops->map(*out, bytes, diag);
    if (err)
        wal->os->ops->close(*out);
    return err;
}

/* How much of `segment` was durable when `next` was begun; 0 when that cannot be known. */
static uint64_t durable_by_next(struct store_wal *wal, uint64_t segment, uint64_t next)
{
    char path[4200], head[HEADER_BYTES];
    struct header h;
    struct os_file *f;
    bool damaged;
    path_of(wal, next, path, sizeof(path));
    if (wal->os->ops->open(wal->os, path, OS_READ, &f, NULL))
        return 0;
    int err = wal->os->ops->read_at(f, 0, head, sizeof(head), NULL);
    wal->os->ops->close(f);
    if (err || !parse_header(slice_make(head, sizeof(head)), next, &h, &damaged) ||
        h.prev_segment != segment)
        return 0;
    return h.prev_synced;
}

static int read_segment(struct store_wal *wal, uint64_t segment, uint64_t durable,
                        const struct replay *to, struct diag *diag)
{
    struct os_file *f;
    struct reader r = {{NULL, 0}, 0};
    struct header h;
    bool header_damaged;
    uint64_t damaged = 0;
    int err = map_segment(wal, segment, &f, &r.bytes, diag);
    if (err)
        return err;
    if (parse_header(r.bytes, segment, &h, &header_damaged)) {
        r.seed = h.seed;
        err = read_frames(&r, segment, durable, to, &damaged);
        if (err)
            diag_set(diag, err, "a record of segment %016llx of the write-ahead log was refused",
                     (unsigned long long)segment);
        damaged += header_damaged ? HEADER_COPY : 0;
    } else if (r.bytes.len > HEADER_BYTES || durable) {
        /* The header is synced before the first frame is written: this one was whole once. */
        damaged = MAX(r.bytes.len, durable);
    } else {
        to->result->torn_bytes += r.bytes.len; /* not even begun */
    }
    to->result->segments++;
    wal->os->ops->unmap(f, r.bytes);
    wal->os->ops->close(f);
    if (!err && damaged) {
        char path[4200], aside[4300];
        path_of(wal, segment, path, sizeof(path));
        snprintf(aside, sizeof(aside), "%s.corrupt", path);
        to->result->corrupt_segments++;
        to->result->corrupt_bytes += damaged;
        counter_add(&counters[DAMAGED_SEGMENTS], 1);
        counter_add(&counters[DAMAGED_BYTES], (int64_t)damaged);
        LOG_ERROR("store",
                  "a segment of the write-ahead log is damaged; what can be read is, and the file "
                  "is kept",
                  LOG_STR("file", aside), LOG_INT("damaged_bytes", damaged));
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

/* Syncs. A file whose sync failed is never synced again: its pages may be gone, and it would not
 * say so a second time. */
static int sync_file(struct store_wal *wal, uint64_t size, struct diag *diag)
{
    struct os *os = wal->os;
    int64_t begin = os->ops->monotonic_ns(os);
    int err = os->ops->sync(wal->file, diag);
    wal->last_sync_ns = os->ops->monotonic_ns(os);
    counter_add(&counters[SYNC_SECONDS], wal->last_sync_ns - begin);
    if (err)
        wal->file_doubtful = true;
    else
        wal->file_synced = size;
    return err;
}

/* Closes the file, remembering for the next header what of it is durable. */
static void leave_file(struct store_wal *wal)
{
    if (!wal->file)
        return;
    if (wal->file_synced < wal->file_size && !wal->file_doubtful)
        (void)sync_file(wal, wal->file_size, NULL); /* what durability `os` left */
    wal->os->ops->close(wal->file);
    wal->file = NULL;
    wal->prev_segment = wal->file_segment;
    wal->prev_synced = wal->file_synced;
}

/* Begins a segment: its header and its name are durable before anything in it is acknowledged. */
static int open_segment(struct store_wal *wal, uint64_t segment, struct diag *diag)
{
    char path[4200], header[HEADER_BYTES] = {0};
    struct os *os = wal->os;
    leave_file(wal);
    path_of(wal, segment, path, sizeof(path));
    /* Never over a segment that is there: it may hold what was acknowledged. */
    int err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_EXCL, &wal->file, diag);
    if (err)
        return err;
    os->ops->random(os, &wal->file_seed, sizeof(wal->file_seed));
    memcpy(header, MAGIC, 8);
    codec_store64(header + 8, segment);
    codec_store64(header + 16, wal->file_seed);
    codec_store64(header + 24, wal->prev_segment);
    codec_store64(header + 32, wal->prev_synced);
    codec_store64(header + 40, (uint64_t)os->ops->now_ns(os));
    codec_store64(header + 56, hash64(header, 56, 0));
    memcpy(header + HEADER_COPY, header, HEADER_USED);
    err = os->ops->write_at(wal->file, 0, header, sizeof(header), diag);
    if (!err)
        err = os->ops->sync(wal->file, diag);
    if (!err)
        err = os->ops->sync_dir(os, wal->dir, diag);
    if (err) {
        os->ops->close(wal->file);
        wal->file = NULL;
        os->ops->unlink(os, path, NULL); /* a full disk must not fill with empty segments */
        return err;
    }
    wal->file_segment = segment;
    wal->file_size = wal->file_synced = HEADER_BYTES;
    wal->file_doubtful = false;
    pthread_mutex_lock(&wal->lock);
    wal->total_bytes += HEADER_BYTES;
    pthread_mutex_unlock(&wal->lock);
    return 0;
}

static int write_group(struct store_wal *wal, struct group *g, size_t *out_written,
                       struct diag *diag)
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
        codec_store64(head + 8, wal->file_synced);
        codec_store64(head + 16, frame_sum(wal->file_seed, at, head, payload));
        buf_append(&out, head, sizeof(head));
        buf_append_slice(&out, payload);
        at += FRAME_BYTES + len;
        rest = slice_from(rest, 8 + len);
    }
    err = os->ops->write_at(wal->file, wal->file_size, out.ptr, out.len, diag);
    if (!err && (wal->config.sync || os->ops->monotonic_ns(os) - wal->last_sync_ns > SYNC_EVERY_NS))
        err = sync_file(wal, at, diag);
    if (!err) {
        wal->file_size = at;
        counter_add(&counters[WRITTEN], (int64_t)out.len);
        counter_add(&counters[GROUPS], 1);
        *out_written = out.len;
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

/* After a failure: the file's tail is unknown now (a failed sync may have dropped pages), and
 * definitions that were in it are lost to later records. The file is cut back to what is known, as
 * far as that goes, and never written again; nothing staged for its segment is written either, and
 * what comes from now on goes to a new one. `keep`: bytes of the file that hold acknowledged
 * records. */
static void abandon_segment(struct store_wal *wal, uint64_t segment, uint64_t keep,
                            const struct diag *why)
{
    counter_add(&counters[FAILURES], 1);
    if (wal->file) {
        char path[4200];
        bool empty = keep <= HEADER_BYTES;
        path_of(wal, wal->file_segment, path, sizeof(path));
        if (!empty)
            wal->os->ops->truncate(wal->file, keep, NULL);
        leave_file(wal);
        if (empty)
            wal->os->ops->unlink(wal->os, path, NULL); /* no pile of them on a full disk */
    }
    struct group *refused = NULL, **tail = &refused;
    pthread_mutex_lock(&wal->lock);
    wal->health = *why;
    if (wal->segment == segment)
        wal->segment++;
    /* Groups lie in the order of their segments: those of this one come first. */
    while (wal->first && wal->first->segment == segment) {
        struct group *g = wal->first;
        wal->first = g->next;
        wal->staged_bytes -= g->payloads.len;
        g->next = NULL;
        *tail = g;
        tail = &g->next;
    }
    if (!wal->first)
        wal->last = NULL;
    pthread_cond_broadcast(&wal->room_cond);
    pthread_mutex_unlock(&wal->lock);
    while (refused) {
        struct group *next = refused->next;
        finish_group(refused, why->code);
        refused = next;
    }
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
    size_t written = 0;
    int err = write_group(wal, g, &written, &diag);
    if (err)
        abandon_segment(wal, g->segment, before, &diag);
    pthread_mutex_lock(&wal->lock);
    if (!err)
        diag_init(&wal->health);
    wal->staged_bytes -= g->payloads.len;
    wal->total_bytes += written;
    pthread_cond_broadcast(&wal->room_cond);
    pthread_mutex_unlock(&wal->lock);
    finish_group(g, err);
    *out_err = err;
    return true;
}

/* With nothing to write: syncs what durability `os` left, and tries after a failure whether the log
 * can be written again. True when it had something to do. */
static bool idle_work(struct store_wal *wal)
{
    struct diag diag;
    diag_init(&diag);
    if (wal->file && wal->file_synced < wal->file_size && !wal->file_doubtful &&
        wal->os->ops->monotonic_ns(wal->os) - wal->last_sync_ns > SYNC_EVERY_NS) {
        if (sync_file(wal, wal->file_size, &diag))
            abandon_segment(wal, wal->file_segment, wal->file_size, &diag);
        return true;
    }
    pthread_mutex_lock(&wal->lock);
    bool ill = wal->health.code != 0;
    uint64_t segment = wal->segment;
    pthread_mutex_unlock(&wal->lock);
    if (!ill)
        return false;
    if (open_segment(wal, segment, &diag)) {
        abandon_segment(wal, segment, 0, &diag);
    } else {
        LOG_INFO("store", "the write-ahead log can be written again");
        pthread_mutex_lock(&wal->lock);
        diag_init(&wal->health);
        pthread_mutex_unlock(&wal->lock);
    }
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
        bool stop = wal->stopping && !wal->first, woken = true;
        if (!wal->first && !stop) {
            bool due = wal->health.code || (wal->file && wal->file_synced < wal->file_size);
            woken = !due ? !pthread_cond_wait(&wal->staged_cond, &wal->lock)
                         : cond_wait_for(&wal->staged_cond, &wal->lock, RETRY_NS);
        }
        pthread_mutex_unlock(&wal->lock);
        if (stop)
            return NULL;
        if (!woken)
            idle_work(wal);
    }
}

static uint64_t bytes_from(struct store_wal *wal, const uint64_t *segments, size_t count,
                           uint64_t low_water)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char path[4200];
        struct os_stat st;
        path_of(wal, segments[i], path, sizeof(path));
        if (segments[i] >= low_water && !wal->os->ops->stat(wal->os, path, &st, NULL))
            total += st.size;
    }
    return total;
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
    cond_init(&wal->staged_cond);
    pthread_cond_init(&wal->room_cond, NULL);
    *replay = (struct store_wal_replay){0};
    struct replay to = {fn, ctx, replay, config->replay_done, 0};
    struct listing list = {0};
    int err = os->ops->list(os, wal->dir, on_name, &list, diag);
    if (list.segments.len)
        qsort(list.segments.items, list.segments.len, sizeof(uint64_t), by_number);
    wal->segment = wal->low_water = low_water;
    if (config->replay_total)
        *config->replay_total = bytes_from(wal, list.segments.items, list.segments.len, low_water);
    for (size_t i = 0; i < list.segments.len && !err; i++) {
        uint64_t n = list.segments.items[i];
        char path[4200];
        struct os_stat st;
        path_of(wal, n, path, sizeof(path));
        if (n < low_water) {
            os->ops->unlink(os, path, NULL);
            continue;
        }
        uint64_t durable =
            i + 1 < list.segments.len ? durable_by_next(wal, n, list.segments.items[i + 1]) : 0;
        err = read_segment(wal, n, durable, &to, diag);
        if (!os->ops->stat(os, path, &st, NULL))
            wal->total_bytes += st.size;
        to.before = wal->total_bytes;
        wal->segment = MAX(wal->segment, n + 1);
    }
    wal->segment = MAX(wal->segment, config->first);
    vec_free(&list.segments);
    counter_add(&counters[TORN_BYTES], (int64_t)replay->torn_bytes);
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
    leave_file(wal);
    pthread_mutex_destroy(&wal->lock);
    pthread_cond_destroy(&wal->staged_cond);
    pthread_cond_destroy(&wal->room_cond);
    mem_free(wal->dir);
    mem_free(wal);
}

int store_wal_append(struct store_wal *wal, uint64_t expected, enum store_wal_type type,
                     struct slice payload, void (*done)(void *ctx, int err), void *ctx)
{
    if (payload.len > FRAME_MAX)
        return ERR_TOO_LARGE;
    pthread_mutex_lock(&wal->lock);
    if (wal->staged_bytes > wal->config.staged_max && !wal->has_thread) {
        pthread_mutex_unlock(&wal->lock);
        return ERR_LIMIT;
    }
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
    bool any = false;
    while (write_next(wal, &err)) {
        first_err = first_err ? first_err : err;
        any = true;
    }
    if (!any)
        idle_work(wal);
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
