/* Reading a manifest. The input is what lies between a copy's head and its checksum, which are put
 * around it here; or, when it begins with 0xff, the file's bytes as they are. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "codec/bytes.h"
#include "os/sim.h"
#include "store/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    log_set_writer(drop_line, NULL);
    if (size && data[0] == 0xff) {
        buf_append(&bytes, data + 1, size - 1);
    } else {
        for (int copy = 0; copy < 2; copy++) {
            size_t begin = bytes.len;
            buf_append(&bytes, "PHMANI\x02\0", 8);
            codec_append64(&bytes, 16 + size + 8);
            buf_append(&bytes, data, size);
            codec_append64(&bytes, hash64(bytes.ptr + begin, bytes.len - begin, 0));
        }
    }
    struct os_file *f;
    struct store_manifest m, again;
    if (os->ops->open(os, "d/MANIFEST", OS_READ | OS_WRITE | OS_CREATE, &f, NULL))
        abort();
    os->ops->write_at(f, 0, bytes.ptr, bytes.len, NULL);
    os->ops->close(f);
    if (!store_manifest_load(os, "d", &m, NULL)) {
        /* What was read is written and read again the same. */
        if (store_manifest_save(os, "d", &m, NULL) || store_manifest_load(os, "d", &again, NULL) ||
            again.parts.len != m.parts.len || again.edit != m.edit ||
            again.events.len != m.events.len ||
            !slice_eq(buf_slice(&m.metadata), buf_slice(&again.metadata)))
            abort();
        store_manifest_free(&again);
    }
    store_manifest_free(&m);
    buf_deinit(&bytes);
    os_sim_free(sim);
    return 0;
}
