/* Whisper files, Graphite's store of one metric: a header and rings of points, finest first
 * (graphite-project/whisper, whisper.py). No length in a file is trusted. */
#ifndef DECODE_WHISPER_WHISPER_H
#define DECODE_WHISPER_WHISPER_H

#include "base/diag.h"
#include "base/slice.h"
#include "base/vec.h"

#define DECODE_WHISPER_ARCHIVES_MAX 64

struct decode_whisper_archive {
    uint32_t offset, step_s, points;
};

struct decode_whisper {
    uint32_t
        aggregation; /* 1 average, 2 sum, 3 last, 4 max, 5 min, 6 avg_zero, 7 absmax, 8 absmin */
    float xff;
    struct decode_whisper_archive archives[DECODE_WHISPER_ARCHIVES_MAX];
    size_t archive_count;
};

struct decode_whisper_point {
    int64_t ts_s;
    double value;
};
typedef VEC(struct decode_whisper_point) decode_whisper_points_list;

/* The header. ERR_INVALID: no such file, or one that is cut off. */
int decode_whisper_header(struct slice file, struct decode_whisper *out, struct diag *diag);
/* Appends all points in order of time: those of the finest archive, and of each coarser one what
 * lies wholly before everything finer. What a ring holds of earlier rounds is left out, and so is
 * what is later than `max_s`. */
void decode_whisper_points(struct slice file, const struct decode_whisper *w, int64_t max_s,
                           decode_whisper_points_list *out);

#endif
