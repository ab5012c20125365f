#include "decode/whisper/whisper.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE  16
#define ARCHIVE_SIZE 12
#define POINT_SIZE   12

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static double be_double(const char *p)
{
    uint64_t bits = (uint64_t)be32(p) << 32 | be32(p + 4);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

int decode_whisper_header(struct slice file, struct decode_whisper *out, struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    if (file.len < HEADER_SIZE)
        return diag_set(diag, ERR_INVALID, "no whisper file: it is too short for a header");
    uint32_t xff = be32(file.ptr + 8), count = be32(file.ptr + 12);
    out->aggregation = be32(file.ptr);
    memcpy(&out->xff, &xff, sizeof(out->xff));
    if (out->aggregation < 1 || out->aggregation > 8 || !(out->xff >= 0 && out->xff <= 1) ||
        !count || count > DECODE_WHISPER_ARCHIVES_MAX ||
        file.len < HEADER_SIZE + (size_t)count * ARCHIVE_SIZE)
        return diag_set(diag, ERR_INVALID, "no whisper file: its header is none");
    for (uint32_t i = 0; i < count; i++) {
        const char *p = file.ptr + HEADER_SIZE + (size_t)i * ARCHIVE_SIZE;
        struct decode_whisper_archive *a = &out->archives[i];
        *a = (struct decode_whisper_archive){be32(p), be32(p + 4), be32(p + 8)};
        if (!a->step_s || !a->points || (i && a->step_s <= out->archives[i - 1].step_s))
            return diag_set(diag, ERR_INVALID, "no whisper file: archive %u makes no sense", i);
        if (a->offset > file.len || (file.len - a->offset) / POINT_SIZE < a->points)
            return diag_set(diag, ERR_INVALID,
                            "the file is cut off: archive %u ends behind its %zu bytes", i,
                            file.len);
    }
    out->archive_count = count;
    return 0;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct decode_whisper_point *)a)->ts_s;
    int64_t y = ((const struct decode_whisper_point *)b)->ts_s;
    return (x > y) - (x < y);
}

void decode_whisper_points(struct slice file, const struct decode_whisper *w, int64_t max_s,
                           decode_whisper_points_list *out)
{
    size_t begin = out->len;
    int64_t finer = INT64_MAX; /* where what is finer begins */
    for (size_t k = 0; k < w->archive_count; k++) {
        const struct decode_whisper_archive *a = &w->archives[k];
        const char *ring = file.ptr + a->offset;
        int64_t newest = 0, oldest = INT64_MAX;
        for (uint32_t i = 0; i < a->points; i++) {
            int64_t ts = be32(ring + (size_t)i * POINT_SIZE);
            if (ts <= max_s && ts % a->step_s == 0)
                newest = MAX(newest, ts);
        }
        for (uint32_t i = 0; i < a->points; i++) {
            const char *p = ring + (size_t)i * POINT_SIZE;
            struct decode_whisper_point point = {be32(p), be_double(p + 4)};
            if (!point.ts_s || point.ts_s > newest || point.ts_s % a->step_s ||
                point.ts_s <= newest - (int64_t)a->step_s * a->points || isnan(point.value))
                continue;
            oldest = MIN(oldest, point.ts_s);
            if (finer == INT64_MAX || point.ts_s + a->step_s <= finer)
                vec_push(out, point);
        }
        finer = MIN(finer, oldest);
    }
    if (out->len > begin)
        qsort(out->items + begin, out->len - begin, sizeof(*out->items), by_time);
}
