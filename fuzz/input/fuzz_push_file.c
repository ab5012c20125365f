/* A file of pushed metrics. The checksum is put right first, or nothing behind it would be seen;
 * what reads must write to something that reads again. */
#include "base/assert.h"
#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "input/push/push_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = {0}, again = {0};
    struct push__group *g, *h;
    struct diag diag;
    diag_init(&diag);
    buf_append(&text, data, size);
    if (size >= 12)
        codec_store32(text.ptr + 8, codec_crc32c(slice_from(buf_slice(&text), 12)));
    int err = input__push_decode(buf_slice(&text), &g, &diag);
    base_assert(err ? diag.code && !g : g != NULL);
    if (!err) {
        input__push_encode(g, &again);
        base_assert(!input__push_decode(buf_slice(&again), &h, &diag));
        base_assert(slice_eq(g->id, h->id) && g->pushed_ns == h->pushed_ns);
        input__push_group_free(h);
        input__push_group_free(g);
    }
    buf_deinit(&text);
    buf_deinit(&again);
    return 0;
}
