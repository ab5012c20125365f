/* What waits when the program stops, in a file until it starts again:
 *
 *     "PHOUT001" hash of the settings (16 bytes)
 *     for each payload: length u32, samples u32, made ns i64, CRC-32C u32 of the bytes, bytes
 *
 * Little endian. The file is removed as soon as it is read; what is damaged or was made for other
 * settings is left out and said. */
#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"
#include "codec/bytes.h"
#include "codec/crc32c.h"
#include "net/url.h"
#include "output/output_priv.h"

#define MAGIC       SLICE("PHOUT001")
#define HEAD_BYTES  24
#define ENTRY_BYTES 20

static bool path_of(const struct output__target *t, struct buf *out)
{
    if (!t->env->dir)
        return false;
    buf_printf(out, "%s/", t->env->dir);
    net_url_encode(slice_cstr(t->settings->name), out);
    buf_append_cstr(out, ".queue");
    return true;
}

static void put_head(const struct output__target *t, struct buf *out)
{
    struct hash128 id = hash128(t->settings->identity, strlen(t->settings->identity));
    buf_append_slice(out, MAGIC);
    codec_append64(out, id.lo);
    codec_append64(out, id.hi);
}

static int read_file(struct os *os, const char *path, struct buf *out, struct diag *diag)
{
    struct os_file *file = NULL;
    uint64_t size = 0;
    int err = os->ops->open(os, path, OS_READ, &file, diag);
    if (err)
        return err;
    err = os->ops->size(file, &size, diag);
    if (!err && size) {
        err = os->ops->read_at(file, 0, buf_reserve(out, (size_t)size), (size_t)size, diag);
        out->len = err ? 0 : (size_t)size;
    }
    os->ops->close(file);
    return err;
}

void output__spool_load(struct output__target *t)
{
    struct os *os = t->env->os;
    struct buf path = {0}, bytes = {0}, head = {0};
    struct diag why;
    const char *lost = NULL;
    diag_init(&why);
    if (!path_of(t, &path))
        goto out;
    int err = read_file(os, buf_cstr(&path), &bytes, &why);
    if (err) {
        lost = err == ERR_NOT_FOUND ? NULL : why.msg;
        goto out;
    }
    put_head(t, &head);
    struct slice rest = buf_slice(&bytes);
    if (!slice_starts_with(rest, buf_slice(&head)))
        lost = "made for other settings";
    else
        rest = slice_from(rest, HEAD_BYTES);
    while (!lost && rest.len) {
        if (rest.len < ENTRY_BYTES || codec_load32(rest.ptr) > rest.len - ENTRY_BYTES) {
            lost = "cut off";
            break;
        }
        struct slice one = slice_make(rest.ptr + ENTRY_BYTES, codec_load32(rest.ptr));
        if (codec_crc32c(one) != codec_load32(rest.ptr + 16))
            lost = "damaged";
        else
            output__target_push(t, one, codec_load32(rest.ptr + 4),
                                (int64_t)codec_load64(rest.ptr + 8));
        rest = slice_from(rest, ENTRY_BYTES + one.len);
    }
    os->ops->unlink(os, buf_cstr(&path), NULL);
out:
    if (lost)
        LOG_ERROR("output", "what waited before the restart is lost in part or whole",
                  LOG_STR("output", t->settings->name), LOG_STR("error", lost));
    buf_deinit(&path);
    buf_deinit(&bytes);
    buf_deinit(&head);
}

bool output__spool_save(struct output__target *t)
{
    struct os *os = t->env->os;
    struct buf path = {0}, bytes = {0};
    struct os_file *file = NULL;
    struct diag why;
    int err = ERR_UNSUPPORTED;
    diag_init(&why);
    if (!path_of(t, &path))
        goto out;
    put_head(t, &bytes);
    for (const struct output__payload *p = t->head; p; p = p->next) {
        codec_append32(&bytes, (uint32_t)p->bytes.len);
        codec_append32(&bytes, (uint32_t)p->samples);
        codec_append64(&bytes, (uint64_t)p->made_ns);
        codec_append32(&bytes, codec_crc32c(p->bytes));
        buf_append_slice(&bytes, p->bytes);
    }
    err = os->ops->mkdir(os, t->env->dir, &why);
    if (!err)
        err = os->ops->open(os, buf_cstr(&path), OS_WRITE | OS_CREATE | OS_TRUNC, &file, &why);
    if (!err)
        err = os->ops->write_at(file, 0, bytes.ptr, bytes.len, &why);
    if (!err)
        err = os->ops->sync(file, &why);
    if (file)
        os->ops->close(file);
    if (err)
        LOG_ERROR("output", "the queue cannot be kept", LOG_STR("output", t->settings->name),
                  LOG_STR("error", why.msg));
out:
    buf_deinit(&path);
    buf_deinit(&bytes);
    return !err;
}
