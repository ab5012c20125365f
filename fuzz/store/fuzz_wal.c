/* Opening a store over a log. The input is a row of records { u8 type, top bit: spoil its checksum
 * | u16 length | payload }, which are framed here, so that the records' own decoding is reached;
 * or, when it begins with 0xff, the segment's bytes as they are. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "codec/bytes.h"
#include "os/sim.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED UINT64_C(42)

static void put_header(struct buf *out)
{
    char header[1024] = "PHWAL\x01\0\0";
    codec_store64(header + 16, SEED);
    codec_store64(header + 56, hash64(header, 56, 0));
    memcpy(header + 512, header, 64);
    buf_append(out, header, sizeof(header));
}

static void put_frame(struct buf *out, uint8_t type, struct slice payload)
{
    char head[24] = {0};
    codec_store32(head, (uint32_t)payload.len);
    codec_store16(head + 4, type & 0x7f);
    codec_store64(head + 8, out->len);
    uint64_t sum =
        hash64(payload.ptr, payload.len, SEED ^ out->len ^ hash64(head, 16, SEED)) + (type >> 7);
    codec_store64(head + 16, sum);
    buf_append(out, head, sizeof(head));
    buf_append_slice(out, payload);
}

static void drop_line(const char *line, size_t len, void *ctx)
{
    (void)line;
    (void)len;
    (void)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct os_sim *sim = os_sim_new(1);
    struct os *os = os_sim_os(sim);
    struct buf bytes = {0};
    struct slice in = slice_make(data, size);
    log_set_writer(drop_line, NULL);
    if (size && data[0] == 0xff) {
        buf_append_slice(&bytes, slice_from(in, 1));
    } else {
        put_header(&bytes);
        while (in.len >= 3) {
            size_t len = MIN((size_t)codec_load16(in.ptr + 1), in.len - 3);
            put_frame(&bytes, (uint8_t)in.ptr[0], slice_make(in.ptr + 3, len));
            in = slice_from(in, 3 + len);
        }
    }
    struct os_file *f;
    os->ops->mkdir(os, "data/wal", NULL);
    if (os->ops->open(os, "data/wal/0000000000000000.wal", OS_READ | OS_WRITE | OS_CREATE, &f,
                      NULL))
        abort();
    os->ops->write_at(f, 0, bytes.ptr, bytes.len, NULL);
    os->ops->close(f);
    struct store_config config;
    struct store *s;
    store_config_init(&config);
    config.background = false;
    config.shard_count = 1;
    config.retention_ns = INT64_MAX;
    /* Whatever the log holds, the store opens; damage is counted and kept aside. Only records of
     * the first format are refused. */
    int err = store_open(&config, os, NULL, &s, NULL);
    if (err && err != ERR_UNSUPPORTED)
        abort();
    if (!err)
        store_close(s);
    buf_deinit(&bytes);
    os_sim_free(sim);
    return 0;
}
