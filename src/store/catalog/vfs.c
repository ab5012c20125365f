/* SQLite's files through `struct os`, so that the simulated disk tests the catalogue like
 * everything else that is stored. One connection has the file to itself (locking mode EXCLUSIVE),
 * which is why no shared memory is needed, and why a lock of the whole file is enough. */
#include "store/catalog/vfs.h"

#include <sqlite3.h>
#include <stdio.h>

#include "base/mem.h"
#include "os/os.h"

struct vfs {
    sqlite3_vfs face;
    struct os *os;
    char name[40];
};

struct vfs_file {
    sqlite3_file face;
    struct os *os;
    struct os_file *file;
    char *path;
    bool locked, delete_on_close;
};

#define PATH_LIMIT 4300

/* The last error that the system gave; SQLite only passes numbers on. One a thread. */
static _Thread_local int last_error;

int catalog__vfs_last_error(void)
{
    return last_error;
}

static int failed(int err, int code)
{
    last_error = err;
    return err == ERR_NOSPACE ? SQLITE_FULL : code;
}

static int file_close(sqlite3_file *f)
{
    struct vfs_file *v = (struct vfs_file *)f;
    if (v->file)
        v->os->ops->close(v->file);
    if (v->delete_on_close)
        v->os->ops->unlink(v->os, v->path, NULL);
    mem_free(v->path);
    v->file = NULL;
    v->path = NULL;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *dst, int len, sqlite3_int64 offset)
{
    struct vfs_file *v = (struct vfs_file *)f;
    uint64_t size = 0, from = (uint64_t)offset;
    int err = v->os->ops->size(v->file, &size, NULL);
    if (err)
        return failed(err, SQLITE_IOERR_READ);
    size_t have = from >= size ? 0 : (size_t)MIN(size - from, (uint64_t)len);
    if (have && (err = v->os->ops->read_at(v->file, from, dst, have, NULL)))
        return failed(err, SQLITE_IOERR_READ);
    if (have == (size_t)len)
        return SQLITE_OK;
    memset((char *)dst + have, 0, (size_t)len - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *f, const void *src, int len, sqlite3_int64 offset)
{
    struct vfs_file *v = (struct vfs_file *)f;
    int err = v->os->ops->write_at(v->file, (uint64_t)offset, src, (size_t)len, NULL);
    return err ? failed(err, SQLITE_IOERR_WRITE) : SQLITE_OK;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct vfs_file *v = (struct vfs_file *)f;
    int err = v->os->ops->truncate(v->file, (uint64_t)size, NULL);
    return err ? failed(err, SQLITE_IOERR_TRUNCATE) : SQLITE_OK;
}

static int file_sync(sqlite3_file *f, int flags)
{
    struct vfs_file *v = (struct vfs_file *)f;
    (void)flags;
    int err = v->os->ops->sync(v->file, NULL);
    return err ? failed(err, SQLITE_IOERR_FSYNC) : SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *out)
{
    struct vfs_file *v = (struct vfs_file *)f;
    uint64_t size = 0;
    int err = v->os->ops->size(v->file, &size, NULL);
    *out = (sqlite3_int64)size;
    return err ? failed(err, SQLITE_IOERR_FSTAT) : SQLITE_OK;
}

static int file_lock(sqlite3_file *f, int level)
{
    struct vfs_file *v = (struct vfs_file *)f;
    if (v->locked || level == SQLITE_LOCK_NONE)
        return SQLITE_OK;
    int err = v->os->ops->lock(v->file, NULL);
    if (err)
        return err == ERR_EXISTS ? SQLITE_BUSY : failed(err, SQLITE_IOERR_LOCK);
    v->locked = true; /* until the file is closed */
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *f, int level)
{
    (void)f;
    (void)level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *f, int *out)
{
    (void)f;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    (void)f;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *f)
{
    (void)f;
    return 4096;
}

static int file_characteristics(sqlite3_file *f)
{
    (void)f;
    return 0; /* nothing is promised */
}

static int sync_dir_of(struct os *os, const char *path)
{
    char dir[PATH_LIMIT];
    snprintf(dir, sizeof(dir), "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash && slash != dir)
        *slash = 0;
    else
        snprintf(dir, sizeof(dir), "%s", slash ? "/" : ".");
    return os->ops->sync_dir(os, dir, NULL);
}

static int vfs_open(sqlite3_vfs *face, sqlite3_filename name, sqlite3_file *f, int flags,
                    int *out_flags)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = file_close,
                                               .xRead = file_read,
                                               .xWrite = file_write,
                                               .xTruncate = file_truncate,
                                               .xSync = file_sync,
                                               .xFileSize = file_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_unlock,
                                               .xCheckReservedLock = file_check_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector_size,
                                               .xDeviceCharacteristics = file_characteristics};
    struct vfs *vfs = (struct vfs *)face;
    struct vfs_file *v = (struct vfs_file *)f;
    struct os_stat st;
    memset(v, 0, sizeof(*v));
    if (!name)
        return SQLITE_CANTOPEN; /* temporary files: temp_store is memory */
    bool write = flags & SQLITE_OPEN_READWRITE;
    bool make = write && (flags & SQLITE_OPEN_CREATE);
    bool fresh = make && vfs->os->ops->stat(vfs->os, name, &st, NULL);
    unsigned how = OS_READ | (write ? OS_WRITE : 0u) | (make ? OS_CREATE : 0u) |
                   (flags & SQLITE_OPEN_EXCLUSIVE ? OS_EXCL : 0u);
    v->os = vfs->os;
    int err = vfs->os->ops->open(vfs->os, name, how, &v->file, NULL);
    if (err)
        return failed(err, SQLITE_CANTOPEN);
    /* The name is durable before anything in the file is. */
    if (fresh && (err = sync_dir_of(vfs->os, name))) {
        vfs->os->ops->close(v->file);
        return failed(err, SQLITE_CANTOPEN);
    }
    v->path = mem_strdup(name);
    v->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
    v->face.pMethods = &methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *face, const char *name, int sync_dir)
{
    struct os *os = ((struct vfs *)face)->os;
    int err = os->ops->unlink(os, name, NULL);
    if (err == ERR_NOT_FOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (!err && sync_dir)
        err = sync_dir_of(os, name);
    return err ? failed(err, SQLITE_IOERR_DELETE) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *face, const char *name, int flags, int *out)
{
    struct os *os = ((struct vfs *)face)->os;
    struct os_stat st = {0};
    (void)flags;
    int err = os->ops->stat(os, name, &st, NULL);
    *out = !err && (st.size > 0 || flags != SQLITE_ACCESS_EXISTS);
    return !err || err == ERR_NOT_FOUND ? SQLITE_OK : failed(err, SQLITE_IOERR_ACCESS);
}

static int vfs_full_path(sqlite3_vfs *face, const char *name, int size, char *out)
{
    (void)face;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_random(sqlite3_vfs *face, int len, char *out)
{
    struct os *os = ((struct vfs *)face)->os;
    os->ops->random(os, out, (size_t)len);
    return len;
}

static int vfs_sleep(sqlite3_vfs *face, int us)
{
    (void)face;
    return us; /* nobody to wait for */
}

static int vfs_now(sqlite3_vfs *face, double *out)
{
    struct os *os = ((struct vfs *)face)->os;
    *out = 2440587.5 + (double)os->ops->now_ns(os) / 86400e9; /* Julian day */
    return SQLITE_OK;
}

static int vfs_error(sqlite3_vfs *face, int size, char *out)
{
    (void)face;
    if (size > 0)
        *out = 0;
    return last_error;
}

const char *catalog__vfs_add(struct os *os, struct vfs **out)
{
    struct vfs *v = mem_calloc(1, sizeof(*v));
    v->os = os;
    snprintf(v->name, sizeof(v->name), "pharos-%p", (void *)v);
    v->face = (sqlite3_vfs){.iVersion = 1,
                            .szOsFile = sizeof(struct vfs_file),
                            .mxPathname = PATH_LIMIT,
                            .zName = v->name,
                            .xOpen = vfs_open,
                            .xDelete = vfs_delete,
                            .xAccess = vfs_access,
                            .xFullPathname = vfs_full_path,
                            .xRandomness = vfs_random,
                            .xSleep = vfs_sleep,
                            .xCurrentTime = vfs_now,
                            .xGetLastError = vfs_error};
    *out = v;
    return sqlite3_vfs_register(&v->face, 0) ? NULL : v->name;
}

void catalog__vfs_remove(struct vfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->face);
    mem_free(v);
}
