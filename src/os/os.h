/* The seam to the world: files, clocks and randomness. Every room that stores goes through a
 * `struct os`, so that a simulated disk (os/sim.h) can tear, lose, reorder and fail what it is
 * told, under a seed. Paths are plain strings; results are 0 or negative enum err with words in
 * diag. */
#ifndef OS_OS_H
#define OS_OS_H

#include "base/diag.h"
#include "base/slice.h"
#include "base/types.h"

struct os;
struct os_file;

enum os_open_flags {
    OS_READ = 1,
    OS_WRITE = 2,
    OS_CREATE = 4,
    OS_EXCL = 8,
    OS_TRUNC = 16,
};

struct os_stat {
    uint64_t size;
    int64_t mtime_ns;
    bool is_dir;
};

struct os_ops {
    int (*open)(struct os *os, const char *path, unsigned flags, struct os_file **out,
                struct diag *diag);
    void (*close)(struct os_file *f);
    /* Whole length or an error; ERR_CORRUPT when the file ends before. */
    int (*read_at)(struct os_file *f, uint64_t offset, void *dst, size_t len, struct diag *diag);
    int (*write_at)(struct os_file *f, uint64_t offset, const void *src, size_t len,
                    struct diag *diag);
    /* fdatasync; after an error the file's unsynced content is unknown: never retry on the same
     * file. */
    int (*sync)(struct os_file *f, struct diag *diag);
    int (*truncate)(struct os_file *f, uint64_t size, struct diag *diag);
    /* Reserves disk space; ERR_UNSUPPORTED is fine to ignore. */
    int (*allocate)(struct os_file *f, uint64_t size, struct diag *diag);
    int (*size)(struct os_file *f, uint64_t *out, struct diag *diag);
    /* Read-only mapping of the whole file (the simulation copies); unmapped by unmap. */
    int (*map)(struct os_file *f, struct slice *out, struct diag *diag);
    void (*unmap)(struct os_file *f, struct slice mapped);
    /* Bytes of a mapping that will be read soon may be fetched meanwhile. A hint. */
    void (*prefetch)(struct os_file *f, struct slice bytes);
    /* They will be read a few here and there: what lies around them is not to be fetched with them.
     * A hint. */
    void (*scattered)(struct os_file *f, struct slice bytes);
    /* Advisory whole-file lock held until close; ERR_EXISTS when another process has it. */
    int (*lock)(struct os_file *f, struct diag *diag);

    int (*rename)(struct os *os, const char *from, const char *to, struct diag *diag);
    int (*unlink)(struct os *os, const char *path, struct diag *diag);
    int (*link)(struct os *os, const char *from, const char *to, struct diag *diag);
    int (*mkdir)(struct os *os, const char *path,
                 struct diag *diag); /* with parents; exists is fine */
    int (*rmdir)(struct os *os, const char *path, struct diag *diag);
    int (*sync_dir)(struct os *os, const char *path, struct diag *diag);
    /* Names without "." and "..", any order, each through fn. */
    int (*list)(struct os *os, const char *path, void (*fn)(const char *name, void *ctx), void *ctx,
                struct diag *diag);
    int (*stat)(struct os *os, const char *path, struct os_stat *out, struct diag *diag);
    int (*space)(struct os *os, const char *path, uint64_t *out_free, uint64_t *out_total,
                 struct diag *diag);

    int64_t (*now_ns)(struct os *os); /* since 1970 */
    int64_t (*monotonic_ns)(struct os *os);
    void (*random)(struct os *os, void *dst, size_t len);
};

struct os {
    const struct os_ops *ops;
};

/* The real one; a process-wide singleton. */
struct os *os_real(void);

#endif
