/* Any bytes as a float chunk: what reads must write back to something that reads the same. */
#include "base/assert.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "decode/prom_chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    VEC(int64_t) ts;
    VEC(double) value;
    size_t at;
    bool compare;
};

static void see(void *ctx, int64_t ts_ms, double value)
{
    struct seen *s = ctx;
    if (s->compare) {
        base_assert(s->at < s->ts.len && s->ts.items[s->at] == ts_ms);
        base_assert(codec_double_bits(s->value.items[s->at++]) == codec_double_bits(value));
        return;
    }
    vec_push(&s->ts, ts_ms);
    vec_push(&s->value, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    struct diag diag;
    diag_init(&diag);
    int err = decode_chunk_read_floats(slice_make(data, size), see, &seen, &diag);
    base_assert(!err || diag.code == ERR_CORRUPT);
    bool in_range = seen.ts.len > 0; /* of nanoseconds */
    for (size_t i = 0; i < seen.ts.len; i++)
        in_range &= seen.ts.items[i] / INT64_C(9000000000000) == 0;
    if (in_range) {
        struct buf out = {0};
        VEC(int64_t) ns = {0};
        for (size_t i = 0; i < seen.ts.len; i++)
            vec_push(&ns, seen.ts.items[i] * NS_PER_MS);
        decode_chunk_put_floats(ns.items, seen.value.items, ns.len, &out);
        seen.compare = true;
        base_assert(!decode_chunk_read_floats(buf_slice(&out), see, &seen, &diag));
        base_assert(seen.at == seen.ts.len);
        vec_free(&ns);
        buf_deinit(&out);
    }
    vec_free(&seen.ts);
    vec_free(&seen.value);
    return 0;
}
