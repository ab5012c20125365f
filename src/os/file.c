#include "os/file.h"

#include <string.h>

static int sync_dir_of(struct os *os, const char *path, struct diag *diag)
{
    const char *slash = strrchr(path, '/');
    struct buf dir = {0};
    if (slash)
        buf_append(&dir, path, slash == path ? 1 : (size_t)(slash - path));
    int err = os->ops->sync_dir(os, slash ? buf_cstr(&dir) : ".", diag);
    buf_deinit(&dir);
    return err;
}

int os_file_replace(struct os *os, const char *path, struct slice content, struct diag *diag)
{
    struct os_file *f = NULL;
    struct buf temporary = {0};
    buf_printf(&temporary, "%s.tmp", path);
    const char *temp = buf_cstr(&temporary);
    /* Always a file of its own: after a crash within the rename both names may lead to the content
     * in force, which must not be cut. */
    os->ops->unlink(os, temp, NULL);
    int err = os->ops->open(os, temp, OS_READ | OS_WRITE | OS_CREATE | OS_EXCL, &f, diag);
    if (!err) {
        err = os->ops->write_at(f, 0, content.ptr, content.len, diag);
        if (!err)
            err = os->ops->sync(f, diag);
        os->ops->close(f);
        if (!err)
            err = os->ops->rename(os, temp, path, diag);
        if (err)
            os->ops->unlink(os, temp, NULL);
    }
    if (!err)
        err = sync_dir_of(os, path, diag);
    buf_deinit(&temporary);
    return err;
}

int os_file_read(struct os *os, const char *path, size_t bytes_max, struct buf *out,
                 struct diag *diag)
{
    struct os_file *f = NULL;
    uint64_t size;
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    err = os->ops->size(f, &size, diag);
    if (!err && size > bytes_max)
        err = diag_set(diag, ERR_TOO_LARGE, "%s has %llu bytes, more than %zu", path,
                       (unsigned long long)size, bytes_max);
    if (!err && size) {
        err = os->ops->read_at(f, 0, buf_reserve(out, (size_t)size), (size_t)size, diag);
        if (!err)
            out->len += (size_t)size;
    }
    os->ops->close(f);
    return err;
}
