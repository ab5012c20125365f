#include "output/spool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "net/url.h"

#define MAGIC          SLICE("PHOUT002")
#define HEAD_BYTES     24
#define ENTRY_BYTES    20
#define POSITION_BYTES 20
#define SLOT_BYTES     512
#define PAYLOAD_MAX    ((uint32_t)64 << 20)

struct segment {
    uint64_t number;
    size_t wanted; /* payloads */
};

struct output__spool {
    struct os *os;
    char *dir, *name; /* of the files; of the output, for the log */
    struct hash128 identity;
    pthread_mutex_t lock; /* of the segments */
    VEC(struct segment) segments;
    struct os_file *file; /* the segment that grows; NULL: none */
    uint64_t size, next;  /* of it; the number of the next one */
    struct output__place saved;
    size_t slot; /* of the position file: where the next one goes */
};

static void segment_path(const struct output__spool *s, uint64_t number, char *out, size_t size)
{
    snprintf(out, size, "%s/%016llx.seg", s->dir, (unsigned long long)number);
}

static struct segment *segment_of(struct output__spool *s, uint64_t number)
{
    for (size_t i = s->segments.len; i-- > 0;) {
        if (s->segments.items[i].number == number)
            return &s->segments.items[i];
    }
    return NULL;
}

/* --- opening --- */

static void note_segment(const char *name, void *ctx)
{
    struct output__spool *s = ctx;
    unsigned long long number;
    char end;
    if (strlen(name) != 20 || sscanf(name, "%16llx.se%c", &number, &end) != 2 || end != 'g')
        return;
    vec_push(&s->segments, ((struct segment){.number = number}));
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct segment *)a)->number, y = ((const struct segment *)b)->number;
    return (x > y) - (x < y);
}

static int read_whole(struct output__spool *s, const char *path, struct buf *out)
{
    struct os_file *file = NULL;
    uint64_t size = 0;
    int err = s->os->ops->open(s->os, path, OS_READ, &file, NULL);
    if (err)
        return err;
    err = s->os->ops->size(file, &size, NULL);
    buf_clear(out);
    if (!err && size > 16 * OUTPUT__SPOOL_SEGMENT_BYTES)
        err = ERR_TOO_LARGE;
    if (!err && size) {
        err = s->os->ops->read_at(file, 0, buf_reserve(out, (size_t)size), (size_t)size, NULL);
        out->len = err ? 0 : (size_t)size;
    }
    s->os->ops->close(file);
    return err;
}

static void read_position(struct output__spool *s)
{
    char path[4096];
    struct buf b = {0};
    snprintf(path, sizeof(path), "%s/position", s->dir);
    if (read_whole(s, path, &b))
        b.len = 0;
    for (size_t slot = 0; slot < 2; slot++) {
        const char *at = b.ptr + slot * SLOT_BYTES;
        if (b.len < slot * SLOT_BYTES + POSITION_BYTES ||
            codec_crc32c(slice_make(at, 16)) != codec_load32(at + 16))
            continue;
        struct output__place place = {codec_load64(at), codec_load64(at + 8), 0};
        if (place.segment < s->saved.segment ||
            (place.segment == s->saved.segment && place.offset <= s->saved.offset))
            continue;
        s->saved = place;
        s->slot = 1 - slot;
    }
    buf_deinit(&b);
}

static uint32_t entry_crc(const char *entry, struct slice bytes)
{
    struct buf b = {0};
    buf_append(&b, entry, 16);
    buf_append_slice(&b, bytes);
    uint32_t crc = codec_crc32c(buf_slice(&b));
    buf_deinit(&b);
    return crc;
}

/* Why the rest is lost, *out_at on; OUTPUT__SPOOL_LOSSES: nothing is. A segment is bytes that may
 * hold anything. What is done is not looked at: damage there loses nothing. */
static enum output__spool_loss
read_segment(struct output__spool *s, struct segment *segment, struct slice all, uint64_t *out_at,
             void (*each)(void *ctx, struct output__place at, size_t samples, int64_t made_ns),
             void *ctx)
{
    *out_at = 0;
    if (all.len < HEAD_BYTES)
        return all.len ? OUTPUT__SPOOL_CUT_OFF : OUTPUT__SPOOL_LOSSES;
    if (!slice_starts_with(all, MAGIC))
        return OUTPUT__SPOOL_DAMAGED;
    if (codec_load64(all.ptr + 8) != s->identity.lo || codec_load64(all.ptr + 16) != s->identity.hi)
        return OUTPUT__SPOOL_OTHER_SETTINGS;
    uint64_t at = HEAD_BYTES;
    if (segment->number == s->saved.segment)
        at = MAX(at, s->saved.offset);
    while (at < all.len) {
        *out_at = at;
        const char *entry = all.ptr + at;
        size_t left = all.len - at;
        if (left < ENTRY_BYTES || codec_load32(entry) > left - ENTRY_BYTES)
            return OUTPUT__SPOOL_CUT_OFF;
        struct slice bytes = slice_make(entry + ENTRY_BYTES, codec_load32(entry));
        if (entry_crc(entry, bytes) != codec_load32(entry + 16))
            return OUTPUT__SPOOL_DAMAGED;
        struct output__place place = {segment->number, at, (uint32_t)bytes.len};
        segment->wanted++;
        each(ctx, place, codec_load32(entry + 4), (int64_t)codec_load64(entry + 8));
        at += ENTRY_BYTES + bytes.len;
    }
    return OUTPUT__SPOOL_LOSSES;
}

struct output__spool *output__spool_open(struct os *os, const char *dir, const char *name,
                                         const char *identity,
                                         void (*each)(void *ctx, struct output__place at,
                                                      size_t samples, int64_t made_ns),
                                         void *ctx, size_t losses[OUTPUT__SPOOL_LOSSES])
{
    static const char *const words[OUTPUT__SPOOL_LOSSES] = {
        "cut off", "damaged", "made for other settings", "not readable"};
    struct output__spool *s = mem_calloc(1, sizeof(*s));
    struct buf path = {0}, bytes = {0};
    char file[4096];
    s->os = os;
    s->name = mem_strdup(name);
    s->identity = hash128(identity, strlen(identity));
    pthread_mutex_init(&s->lock, NULL);
    buf_printf(&path, "%s/", dir);
    net_url_encode(slice_cstr(name), &path);
    s->dir = mem_strdup(buf_cstr(&path));
    if (!os->ops->list(os, s->dir, note_segment, s, NULL))
        read_position(s);
    if (s->segments.len)
        qsort(s->segments.items, s->segments.len, sizeof(*s->segments.items), by_number);
    s->next = s->saved.segment + 1;
    for (size_t i = 0; i < s->segments.len; i++) {
        struct segment *one = &s->segments.items[i];
        s->next = MAX(s->next, one->number + 1);
        if (one->number < s->saved.segment)
            continue;
        segment_path(s, one->number, file, sizeof(file));
        uint64_t from = 0;
        enum output__spool_loss loss = OUTPUT__SPOOL_UNREADABLE;
        if (!read_whole(s, file, &bytes))
            loss = read_segment(s, one, buf_slice(&bytes), &from, each, ctx);
        if (loss == OUTPUT__SPOOL_LOSSES)
            continue;
        losses[loss]++;
        LOG_WARN("output", "what waited on the disk is lost in part", LOG_STR("output", name),
                 LOG_STR("file", file), LOG_STR("why", words[loss]),
                 LOG_INT("from_byte", (int64_t)from),
                 LOG_INT("bytes", (int64_t)(bytes.len - from)));
    }
    buf_deinit(&path);
    buf_deinit(&bytes);
    return s;
}

/* --- writing --- */

static void stop_growing(struct output__spool *s)
{
    if (s->file)
        s->os->ops->close(s->file);
    s->file = NULL;
}

static int new_segment(struct output__spool *s, struct diag *diag)
{
    struct os *os = s->os;
    struct buf head = {0};
    char path[4096];
    int err = os->ops->mkdir(os, s->dir, diag);
    segment_path(s, s->next, path, sizeof(path));
    if (!err)
        err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &s->file, diag);
    if (err) {
        s->file = NULL;
        return err;
    }
    buf_append_slice(&head, MAGIC);
    codec_append64(&head, s->identity.lo);
    codec_append64(&head, s->identity.hi);
    pthread_mutex_lock(&s->lock);
    vec_push(&s->segments, ((struct segment){.number = s->next++}));
    pthread_mutex_unlock(&s->lock);
    err = os->ops->write_at(s->file, 0, head.ptr, head.len, diag);
    if (!err)
        err = os->ops->sync_dir(os, s->dir, diag);
    s->size = HEAD_BYTES;
    buf_deinit(&head);
    return err;
}

int output__spool_append(struct output__spool *s, struct slice bytes, size_t samples,
                         int64_t made_ns, struct output__place *out, struct diag *diag)
{
    struct buf entry = {0};
    int err = 0;
    if (bytes.len > PAYLOAD_MAX)
        return diag_set(diag, ERR_TOO_LARGE, "a payload of %zu bytes", bytes.len);
    if (s->file && s->size >= OUTPUT__SPOOL_SEGMENT_BYTES) {
        err = s->os->ops->sync(s->file, diag);
        stop_growing(s);
    }
    if (!err && !s->file)
        err = new_segment(s, diag);
    codec_append32(&entry, (uint32_t)bytes.len);
    codec_append32(&entry, (uint32_t)samples);
    codec_append64(&entry, (uint64_t)made_ns);
    codec_append32(&entry, entry_crc(entry.ptr, bytes));
    buf_append_slice(&entry, bytes);
    if (!err)
        err = s->os->ops->write_at(s->file, s->size, entry.ptr, entry.len, diag);
    if (!err) {
        pthread_mutex_lock(&s->lock);
        struct segment *last = &s->segments.items[s->segments.len - 1];
        *out = (struct output__place){last->number, s->size, (uint32_t)bytes.len};
        last->wanted++;
        pthread_mutex_unlock(&s->lock);
        s->size += entry.len;
    } else {
        stop_growing(s);
    }
    buf_deinit(&entry);
    return err;
}

int output__spool_sync(struct output__spool *s, struct diag *diag)
{
    int err = s->file ? s->os->ops->sync(s->file, diag) : 0;
    if (err)
        stop_growing(s);
    return err;
}

static int save_position(struct output__spool *s, struct output__place at, struct diag *diag)
{
    struct os *os = s->os;
    struct os_file *file = NULL;
    struct buf b = {0};
    char path[4096];
    if (at.segment == s->saved.segment && at.offset == s->saved.offset)
        return 0;
    codec_append64(&b, at.segment);
    codec_append64(&b, at.offset);
    codec_append32(&b, codec_crc32c(buf_slice(&b)));
    snprintf(path, sizeof(path), "%s/position", s->dir);
    int err = os->ops->open(os, path, OS_WRITE | OS_CREATE, &file, diag);
    if (!err)
        err = os->ops->write_at(file, s->slot * SLOT_BYTES, b.ptr, b.len, diag);
    if (!err)
        err = os->ops->sync(file, diag);
    if (file)
        os->ops->close(file);
    if (!err && !s->saved.segment) /* it may be new */
        err = os->ops->sync_dir(os, s->dir, diag);
    if (!err) {
        s->saved = at;
        s->slot = 1 - s->slot;
    }
    buf_deinit(&b);
    return err;
}

int output__spool_tidy(struct output__spool *s, const struct output__place *first,
                       struct diag *diag)
{
    char path[4096];
    size_t kept = 0, gone = 0;
    uint64_t numbers[64];
    /* Without anything wanted a segment that grows goes as well, so that nothing is left behind. */
    bool empty = !first;
    int err = first ? save_position(s, *first, diag) : 0;
    pthread_mutex_lock(&s->lock);
    uint64_t growing = s->file ? s->segments.items[s->segments.len - 1].number : 0;
    for (size_t i = 0; i < s->segments.len; i++) {
        struct segment one = s->segments.items[i];
        if (!one.wanted && (one.number != growing || empty) && gone < ARRAY_LEN(numbers))
            numbers[gone++] = one.number;
        else
            s->segments.items[kept++] = one;
    }
    s->segments.len = kept;
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < gone; i++) {
        if (numbers[i] == growing)
            stop_growing(s);
        segment_path(s, numbers[i], path, sizeof(path));
        s->os->ops->unlink(s->os, path, NULL);
    }
    if (gone && !kept) { /* numbers go on from here as long as this one lives */
        snprintf(path, sizeof(path), "%s/position", s->dir);
        s->os->ops->unlink(s->os, path, NULL);
        s->os->ops->rmdir(s->os, s->dir, NULL);
        s->saved = (struct output__place){0};
    }
    return err;
}

int output__spool_read(struct output__spool *s, struct output__place at, struct buf *out,
                       struct diag *diag)
{
    struct os_file *file = NULL;
    char path[4096];
    size_t len = ENTRY_BYTES + at.len;
    segment_path(s, at.segment, path, sizeof(path));
    buf_clear(out);
    int err = s->os->ops->open(s->os, path, OS_READ, &file, diag);
    if (!err)
        err = s->os->ops->read_at(file, at.offset, buf_reserve(out, len), len, diag);
    if (file)
        s->os->ops->close(file);
    if (err)
        return err;
    out->len = len;
    if (codec_load32(out->ptr) != at.len ||
        entry_crc(out->ptr, slice_make(out->ptr + ENTRY_BYTES, at.len)) !=
            codec_load32(out->ptr + 16))
        return diag_set(diag, ERR_CORRUPT, "%s is damaged at %llu", path,
                        (unsigned long long)at.offset);
    memmove(out->ptr, out->ptr + ENTRY_BYTES, at.len);
    out->len = at.len;
    return 0;
}

void output__spool_release(struct output__spool *s, struct output__place at)
{
    pthread_mutex_lock(&s->lock);
    struct segment *one = at.segment ? segment_of(s, at.segment) : NULL;
    if (one && one->wanted)
        one->wanted--;
    pthread_mutex_unlock(&s->lock);
}

void output__spool_close(struct output__spool *s)
{
    if (!s)
        return;
    stop_growing(s);
    vec_free(&s->segments);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->dir);
    mem_free(s->name);
    mem_free(s);
}
