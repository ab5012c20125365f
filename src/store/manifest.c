#include "store/manifest.h"

#include <stdio.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "os/file.h"

#define MAGIC       "PHMANI\x02\0"
#define MAGIC_NOTES "PHMANI\x03\0" /* with notes, of which there are some */
#define MAGIC_1     "PHMANI\x01\0" /* without events */
#define PART_WORDS  10
#define EVENT_WORDS 11
#define HEAD_BYTES  16 /* magic, u64 bytes of one copy */

static struct counter damaged = {.name = "pharos_store_manifest_damaged_total",
                                 .help = "Starts that found a copy of the manifest damaged."};

void store_manifest_free(struct store_manifest *m)
{
    vec_free(&m->parts);
    vec_free(&m->events);
    buf_deinit(&m->metadata);
    buf_deinit(&m->notes);
}

void store_manifest_copy(const struct store_manifest *from, struct store_manifest *to)
{
    *to = (struct store_manifest){
        .edit = from->edit, .wal_low_water = from->wal_low_water, .next_id = from->next_id};
    memcpy(to->event_low_water, from->event_low_water, sizeof(to->event_low_water));
    for (size_t i = 0; i < from->parts.len; i++)
        vec_push(&to->parts, from->parts.items[i]);
    for (size_t i = 0; i < from->events.len; i++)
        vec_push(&to->events, from->events.items[i]);
    buf_append_slice(&to->metadata, buf_slice(&from->metadata));
    buf_append_slice(&to->notes, buf_slice(&from->notes));
}

uint64_t store_manifest_low_water(const struct store_manifest *m)
{
    uint64_t least = m->wal_low_water;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        least = MIN(least, m->event_low_water[t]);
    return least;
}

uint64_t store_manifest_high_water(const struct store_manifest *m)
{
    uint64_t most = m->wal_low_water;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        most = MAX(most, m->event_low_water[t]);
    return most;
}

static bool take64(struct slice *s, uint64_t *out)
{
    if (s->len < 8)
        return false;
    *out = codec_load64(s->ptr);
    *s = slice_from(*s, 8);
    return true;
}

/* Behind the metadata; a version 1 manifest ends there. */
static int parse_events(struct slice in, bool has_notes, struct store_manifest *m)
{
    uint64_t count, len;
    if (!in.len) {
        for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
            m->event_low_water[t] = m->wal_low_water;
        return 0;
    }
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        if (!take64(&in, &m->event_low_water[t]))
            return ERR_CORRUPT;
    }
    if (!take64(&in, &count) || in.len / 8 / EVENT_WORDS < count)
        return ERR_CORRUPT;
    struct slice rest = slice_from(in, count * 8 * EVENT_WORDS);
    if (has_notes) {
        if (!take64(&rest, &len) || len > rest.len)
            return ERR_CORRUPT;
        buf_append_slice(&m->notes, slice_first(rest, len));
        rest = slice_from(rest, len);
    }
    if (rest.len)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t w[EVENT_WORDS];
        for (size_t k = 0; k < EVENT_WORDS; k++)
            take64(&in, &w[k]);
        if (w[1] >= DATA_EVENT_TABLE_COUNT)
            return ERR_CORRUPT;
        vec_push(&m->events, ((struct store_event_part_info){.id = w[0],
                                                             .table = (enum data_event_table)w[1],
                                                             .order = w[2],
                                                             .level = (uint32_t)w[3],
                                                             .day = (int64_t)w[4],
                                                             .t_min_ns = (int64_t)w[5],
                                                             .t_max_ns = (int64_t)w[6],
                                                             .rows = w[7],
                                                             .raw_bytes = w[8],
                                                             .bytes = w[9],
                                                             .footer_sum = w[10]}));
    }
    return 0;
}

static void put_events(const struct store_manifest *m, struct buf *out)
{
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++)
        codec_append64(out, m->event_low_water[t]);
    codec_append64(out, m->events.len);
    for (size_t i = 0; i < m->events.len; i++) {
        const struct store_event_part_info *p = &m->events.items[i];
        const uint64_t w[EVENT_WORDS] = {p->id,
                                         p->table,
                                         p->order,
                                         p->level,
                                         (uint64_t)p->day,
                                         (uint64_t)p->t_min_ns,
                                         (uint64_t)p->t_max_ns,
                                         p->rows,
                                         p->raw_bytes,
                                         p->bytes,
                                         p->footer_sum};
        for (size_t k = 0; k < EVENT_WORDS; k++)
            codec_append64(out, w[k]);
    }
}

/* One copy. The version is the magic's seventh byte: another one does not parse. */
static int parse(struct slice in, struct store_manifest *m)
{
    uint64_t sum, parts, len;
    bool has_notes = in.len > 8 && !memcmp(in.ptr, MAGIC_NOTES, 8);
    if (in.len < HEAD_BYTES + 8 ||
        (memcmp(in.ptr, MAGIC, 8) != 0 && memcmp(in.ptr, MAGIC_1, 8) != 0 &&
         memcmp(in.ptr, MAGIC_NOTES, 8) != 0) ||
        codec_load64(in.ptr + 8) != in.len)
        return ERR_CORRUPT;
    sum = codec_load64(in.ptr + in.len - 8);
    if (sum != hash64(in.ptr, in.len - 8, 0))
        return ERR_CORRUPT;
    in = slice_first(slice_from(in, HEAD_BYTES), in.len - HEAD_BYTES - 8);
    if (!take64(&in, &m->edit) || !take64(&in, &m->wal_low_water) || !take64(&in, &m->next_id) ||
        !take64(&in, &parts))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < parts; i++) {
        uint64_t w[PART_WORDS];
        for (size_t k = 0; k < PART_WORDS; k++) {
            if (!take64(&in, &w[k]))
                return ERR_CORRUPT;
        }
        vec_push(&m->parts, ((struct store_part_info){.id = w[0],
                                                      .order = w[1],
                                                      .level = (uint32_t)w[2],
                                                      .day = (int64_t)w[3],
                                                      .t_min_ns = (int64_t)w[4],
                                                      .t_max_ns = (int64_t)w[5],
                                                      .series = w[6],
                                                      .samples = w[7],
                                                      .bytes = w[8],
                                                      .footer_sum = w[9]}));
    }
    if (!take64(&in, &len) || len > in.len)
        return ERR_CORRUPT;
    buf_append_slice(&m->metadata, slice_first(in, len));
    return parse_events(slice_from(in, len), has_notes, m);
}

int store_manifest_load(struct os *os, const char *dir, struct store_manifest *out,
                        struct diag *diag)
{
    char path[4200];
    struct os_file *f;
    struct slice bytes = {NULL, 0};
    snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    counter_register(&damaged, 1);
    *out = (struct store_manifest){.next_id = 1};
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = os->ops->map(f, &bytes, diag);
    if (!err) {
        struct store_manifest second = {0};
        struct slice copies[] = {slice_first(bytes, bytes.len / 2),
                                 slice_from(bytes, bytes.len / 2)};
        int bad = parse(copies[0], out), second_bad = parse(copies[1], &second);
        if (bad) {
            store_manifest_free(out);
            *out = second;
        } else {
            store_manifest_free(&second);
        }
        if (bad && second_bad) {
            store_manifest_free(out);
            *out = (struct store_manifest){.next_id = 1};
            err = diag_set(diag, ERR_CORRUPT,
                           "both copies of the list of parts in %s are damaged, or were written by "
                           "a newer version: put back a backup of it, or of the whole directory",
                           path);
        } else if (bad || second_bad) {
            counter_add(&damaged, 1);
            LOG_ERROR("store", "one copy of the manifest is damaged, the other one is used",
                      LOG_STR("file", path), LOG_INT("copy", bad ? 1 : 2));
        }
    }
    if (bytes.ptr)
        os->ops->unmap(f, bytes);
    os->ops->close(f);
    return err;
}

int store_manifest_save(struct os *os, const char *dir, struct store_manifest *m, struct diag *diag)
{
    char path[4200];
    struct buf out = {0};
    snprintf(path, sizeof(path), "%s/MANIFEST", dir);
    buf_append(&out, m->notes.len ? MAGIC_NOTES : MAGIC, 8);
    codec_append64(&out, HEAD_BYTES +
                             (4 + PART_WORDS * m->parts.len + 1 + 1 + DATA_EVENT_TABLE_COUNT + 1 +
                              EVENT_WORDS * m->events.len) *
                                 8 +
                             m->metadata.len + (m->notes.len ? 8 + m->notes.len : 0));
    codec_append64(&out, m->edit + 1);
    codec_append64(&out, m->wal_low_water);
    codec_append64(&out, m->next_id);
    codec_append64(&out, m->parts.len);
    for (size_t i = 0; i < m->parts.len; i++) {
        const struct store_part_info *p = &m->parts.items[i];
        const uint64_t w[PART_WORDS] = {p->id,
                                        p->order,
                                        p->level,
                                        (uint64_t)p->day,
                                        (uint64_t)p->t_min_ns,
                                        (uint64_t)p->t_max_ns,
                                        p->series,
                                        p->samples,
                                        p->bytes,
                                        p->footer_sum};
        for (size_t k = 0; k < PART_WORDS; k++)
            codec_append64(&out, w[k]);
    }
    codec_append64(&out, m->metadata.len);
    buf_append_slice(&out, buf_slice(&m->metadata));
    put_events(m, &out);
    if (m->notes.len) {
        codec_append64(&out, m->notes.len);
        buf_append_slice(&out, buf_slice(&m->notes));
    }
    codec_append64(&out, hash64(out.ptr, out.len, 0));
    size_t copy = out.len;
    (void)buf_reserve(&out, copy);
    buf_append(&out, out.ptr, copy);
    int err = os_file_replace(os, path, buf_slice(&out), diag);
    if (!err)
        m->edit++;
    buf_deinit(&out);
    return err;
}
