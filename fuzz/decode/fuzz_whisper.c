/* A whisper file: its points are in order, and each time comes once. */
#include "base/assert.h"
#include "decode/whisper/whisper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct decode_whisper w;
    decode_whisper_points_list points = {0};
    struct slice file = slice_make(data, size);
    struct diag diag;
    diag_init(&diag);
    int err = decode_whisper_header(file, &w, &diag);
    base_assert(!err || diag.code);
    if (err)
        return 0;
    decode_whisper_points(file, &w, INT64_C(2000000000), &points);
    for (size_t i = 0; i < points.len; i++) {
        base_assert(points.items[i].ts_s > 0 && points.items[i].ts_s <= INT64_C(2000000000));
        base_assert(!i || points.items[i].ts_s >= points.items[i - 1].ts_s);
    }
    vec_free(&points);
    return 0;
}
