/* The real world behind os/os.h: Linux system calls. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/os.h"

struct os_file {
    int fd;
    char *path; /* for messages */
};

static int failed(struct diag *diag, const char *what, const char *path)
{
    int e = errno;
    return diag_set(diag, err_from_errno(e), "%s %s: %s", what, path, strerror(e));
}

static int real_open(struct os *os, const char *path, unsigned flags, struct os_file **out,
                     struct diag *diag)
{
    (void)os;
    int mode = flags & OS_WRITE ? O_RDWR : O_RDONLY;
    mode |= flags & OS_CREATE ? O_CREAT : 0;
    mode |= flags & OS_EXCL ? O_EXCL : 0;
    mode |= flags & OS_TRUNC ? O_TRUNC : 0;
    int fd = open(path, mode | O_CLOEXEC, 0640);
    if (fd < 0)
        return failed(diag, "open", path);
    struct os_file *f = mem_calloc(1, sizeof(*f));
    f->fd = fd;
    f->path = mem_strdup(path);
    *out = f;
    return 0;
}

static void real_close(struct os_file *f)
{
    close(f->fd);
    mem_free(f->path);
    mem_free(f);
}

static int real_read_at(struct os_file *f, uint64_t offset, void *dst, size_t len,
                        struct diag *diag)
{
    char *at = dst;
    while (len) {
        ssize_t n = pread(f->fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(diag, "read", f->path);
        if (n == 0)
            return diag_set(diag, ERR_CORRUPT,
                            "read %s: the file ends at byte %llu, %zu bytes early", f->path,
                            (unsigned long long)offset, len);
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int real_write_at(struct os_file *f, uint64_t offset, const void *src, size_t len,
                         struct diag *diag)
{
    const char *at = src;
    while (len) {
        ssize_t n = pwrite(f->fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failed(diag, "write", f->path);
        at += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static int real_sync(struct os_file *f, struct diag *diag)
{
    return fdatasync(f->fd) ? failed(diag, "sync", f->path) : 0;
}

static int real_truncate(struct os_file *f, uint64_t size, struct diag *diag)
{
    return ftruncate(f->fd, (off_t)size) ? failed(diag, "truncate", f->path) : 0;
}

static int real_allocate(struct os_file *f, uint64_t size, struct diag *diag)
{
    return fallocate(f->fd, 0, 0, (off_t)size) ? failed(diag, "allocate", f->path) : 0;
}

static int real_size(struct os_file *f, uint64_t *out, struct diag *diag)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return failed(diag, "stat", f->path);
    *out = (uint64_t)st.st_size;
    return 0;
}

static int real_map(struct os_file *f, struct slice *out, struct diag *diag)
{
    uint64_t size;
    int err = real_size(f, &size, diag);
    if (err)
        return err;
    if (!size) {
        *out = SLICE("");
        return 0;
    }
    void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED)
        return failed(diag, "map", f->path);
    *out = slice_make(p, size);
    return 0;
}

static void real_unmap(struct os_file *f, struct slice mapped)
{
    (void)f;
    if (mapped.len)
        munmap((void *)(uintptr_t)mapped.ptr, mapped.len);
}

static void real_prefetch(struct os_file *f, struct slice bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)bytes.ptr & ~(page - 1);
    (void)f;
    madvise((void *)at, (uintptr_t)bytes.ptr + bytes.len - at, MADV_WILLNEED);
}

/* Whole pages that lie within alone: neighbours may be read in a row. */
static void real_scattered(struct os_file *f, struct slice bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE),
              begin = ((uintptr_t)bytes.ptr + page - 1) & ~(page - 1),
              end = ((uintptr_t)bytes.ptr + bytes.len) & ~(page - 1);
    (void)f;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_RANDOM);
}

static int real_lock(struct os_file *f, struct diag *diag)
{
    /* POSIX tools (sqlite3 on the catalogue) look at the other kind of lock. */
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (!flock(f->fd, LOCK_EX | LOCK_NB)) {
        if (!fcntl(f->fd, F_OFD_SETLK, &all) || (errno != EAGAIN && errno != EACCES))
            return 0;
        errno = EWOULDBLOCK;
    }
    if (errno == EWOULDBLOCK)
        return diag_set(diag, ERR_EXISTS, "%s is locked: another Pharos uses this directory",
                        f->path);
    return failed(diag, "lock", f->path);
}

static int real_rename(struct os *os, const char *from, const char *to, struct diag *diag)
{
    (void)os;
    return rename(from, to) ? failed(diag, "rename", from) : 0;
}

static int real_unlink(struct os *os, const char *path, struct diag *diag)
{
    (void)os;
    return unlink(path) ? failed(diag, "unlink", path) : 0;
}

static int real_link(struct os *os, const char *from, const char *to, struct diag *diag)
{
    (void)os;
    return link(from, to) ? failed(diag, "link", from) : 0;
}

static int real_sync_dir(struct os *os, const char *path, struct diag *diag)
{
    (void)os;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failed(diag, "open", path);
    int err = fsync(fd) ? failed(diag, "sync", path) : 0;
    close(fd);
    return err;
}

static int real_mkdir(struct os *os, const char *path, struct diag *diag)
{
    (void)os;
    char part[4096];
    size_t len = strlen(path);
    if (len >= sizeof(part))
        return diag_set(diag, ERR_INVALID, "mkdir: the path is too long");
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (!mkdir(part, 0750)) {
            /* A new directory is durable once its parent is synced. */
            char *slash = strrchr(part, '/');
            if (slash)
                slash[slash == part] = '\0';
            int err = real_sync_dir(os, slash ? part : ".", diag);
            if (err)
                return err;
        } else if (errno != EEXIST) {
            return failed(diag, "mkdir", part);
        }
    }
    return 0;
}

static int real_rmdir(struct os *os, const char *path, struct diag *diag)
{
    (void)os;
    return rmdir(path) ? failed(diag, "rmdir", path) : 0;
}

static int real_list(struct os *os, const char *path, void (*fn)(const char *name, void *ctx),
                     void *ctx, struct diag *diag)
{
    (void)os;
    DIR *dir = opendir(path);
    if (!dir)
        return failed(diag, "list", path);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            fn(e->d_name, ctx);
    }
    closedir(dir);
    return 0;
}

static int real_stat(struct os *os, const char *path, struct os_stat *out, struct diag *diag)
{
    (void)os;
    struct stat st;
    if (stat(path, &st))
        return failed(diag, "stat", path);
    *out = (struct os_stat){.size = (uint64_t)st.st_size,
                            .mtime_ns = st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec,
                            .is_dir = S_ISDIR(st.st_mode)};
    return 0;
}

static int real_space(struct os *os, const char *path, uint64_t *out_free, uint64_t *out_total,
                      struct diag *diag)
{
    (void)os;
    struct statvfs st;
    if (statvfs(path, &st))
        return failed(diag, "statvfs", path);
    *out_free = (uint64_t)st.f_bavail * st.f_frsize;
    *out_total = (uint64_t)st.f_blocks * st.f_frsize;
    return 0;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

static int64_t real_now_ns(struct os *os)
{
    (void)os;
    return clock_ns(CLOCK_REALTIME);
}

static int64_t real_monotonic_ns(struct os *os)
{
    (void)os;
    return clock_ns(CLOCK_MONOTONIC);
}

static void real_random(struct os *os, void *dst, size_t len)
{
    (void)os;
    char *at = dst;
    while (len) {
        ssize_t n = getrandom(at, MIN(len, (size_t)256), 0);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
}

struct os *os_real(void)
{
    static const struct os_ops ops = {
        .open = real_open,
        .close = real_close,
        .read_at = real_read_at,
        .write_at = real_write_at,
        .sync = real_sync,
        .truncate = real_truncate,
        .allocate = real_allocate,
        .size = real_size,
        .map = real_map,
        .unmap = real_unmap,
        .prefetch = real_prefetch,
        .scattered = real_scattered,
        .lock = real_lock,
        .rename = real_rename,
        .unlink = real_unlink,
        .link = real_link,
        .mkdir = real_mkdir,
        .rmdir = real_rmdir,
        .sync_dir = real_sync_dir,
        .list = real_list,
        .stat = real_stat,
        .space = real_space,
        .now_ns = real_now_ns,
        .monotonic_ns = real_monotonic_ns,
        .random = real_random,
    };
    static struct os os = {&ops};
    return &os;
}
