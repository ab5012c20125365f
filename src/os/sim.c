#include "os/sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/vec.h"

#define SECTOR 512

/* A change of a file's content since its last sync. */
struct write_op {
    uint64_t offset;
    bool is_truncate;   /* to `offset` bytes */
    struct slice bytes; /* owned */
};

/* A file's content, apart from its names. */
struct inode {
    struct buf current, durable;
    VEC(struct write_op) pending;
    uint32_t opens; /* handles */
};

struct name {
    char *path;
    struct inode *inode;
};

/* A change of names since the last sync of its directory. */
struct name_op {
    char *dir, *path;
    struct inode *inode; /* NULL: removed */
};

struct os_file {
    struct os_sim *sim;
    struct inode *inode;
    char *path;
    bool writable;
};

typedef VEC(struct name) name_list;

struct os_sim {
    struct os face;
    uint64_t random_state, changes, crash_at, fail_at, capacity;
    int fail_err;
    bool off;
    int64_t now_ns, ticks;
    name_list current, durable;
    VEC(struct name_op) name_ops;
    VEC(char *) dirs;
    VEC(struct inode *) inodes;
};

static uint64_t next_random(struct os_sim *sim)
{
    return hash_u64(sim->random_state += UINT64_C(0x9e3779b97f4a7c15));
}

static struct os_sim *sim_of(struct os *os)
{
    return BASE_CONTAINER_OF(os, struct os_sim, face);
}

static struct name *find(name_list *list, const char *path)
{
    for (size_t i = 0; i < list->len; i++) {
        if (strcmp(list->items[i].path, path) == 0)
            return &list->items[i];
    }
    return NULL;
}

static void set_name(name_list *list, const char *path, struct inode *inode)
{
    struct name *n = find(list, path);
    if (n && inode) {
        n->inode = inode;
    } else if (n) {
        mem_free(n->path);
        *n = list->items[--list->len];
    } else if (inode) {
        vec_push(list, ((struct name){mem_strdup(path), inode}));
    }
}

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = mem_strdup(path);
    dir[slash ? slash - path : 0] = '\0';
    return dir;
}

static void change_name(struct os_sim *sim, const char *path, struct inode *inode)
{
    set_name(&sim->current, path, inode);
    vec_push(&sim->name_ops, ((struct name_op){dir_of(path), mem_strdup(path), inode}));
}

/* Counts a change; 0, or the error it meets. */
static int step(struct os_sim *sim, struct diag *diag, const char *what, const char *path)
{
    if (!sim->off) {
        sim->changes++;
        if (sim->crash_at && --sim->crash_at == 0)
            sim->off = true;
    }
    if (sim->off)
        return diag_set(diag, ERR_IO, "%s %s: the machine is off", what, path);
    if (sim->fail_at && --sim->fail_at == 0)
        return diag_set(diag, sim->fail_err, "%s %s: made to fail", what, path);
    return 0;
}

static int check_on(struct os_sim *sim, struct diag *diag, const char *what, const char *path)
{
    return sim->off ? diag_set(diag, ERR_IO, "%s %s: the machine is off", what, path) : 0;
}

static uint64_t used_bytes(struct os_sim *sim)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sim->current.len; i++)
        sum += sim->current.items[i].inode->current.len;
    return sum;
}

static int sim_open(struct os *os, const char *path, unsigned flags, struct os_file **out,
                    struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = check_on(sim, diag, "open", path);
    if (err)
        return err;
    struct name *n = find(&sim->current, path);
    if (!n && !(flags & OS_CREATE))
        return diag_set(diag, ERR_NOT_FOUND, "open %s: no such file", path);
    if (n && (flags & OS_EXCL))
        return diag_set(diag, ERR_EXISTS, "open %s: it is there already", path);
    if (!n || (flags & OS_TRUNC)) {
        err = step(sim, diag, "create", path);
        if (err)
            return err;
    }
    struct inode *inode = n ? n->inode : NULL;
    if (!inode) {
        inode = mem_calloc(1, sizeof(*inode));
        vec_push(&sim->inodes, inode);
        change_name(sim, path, inode);
    }
    if ((flags & OS_TRUNC) && inode->current.len) {
        inode->current.len = 0;
        vec_push(&inode->pending, ((struct write_op){.offset = 0, .is_truncate = true}));
    }
    struct os_file *f = mem_calloc(1, sizeof(*f));
    *f = (struct os_file){sim, inode, mem_strdup(path), (flags & OS_WRITE) != 0};
    inode->opens++;
    *out = f;
    return 0;
}

static void sim_close(struct os_file *f)
{
    f->inode->opens--;
    mem_free(f->path);
    mem_free(f);
}

static int sim_read_at(struct os_file *f, uint64_t offset, void *dst, size_t len, struct diag *diag)
{
    int err = check_on(f->sim, diag, "read", f->path);
    if (err)
        return err;
    if (offset > f->inode->current.len || len > f->inode->current.len - offset)
        return diag_set(diag, ERR_CORRUPT, "read %s: the file ends early", f->path);
    if (len)
        memcpy(dst, f->inode->current.ptr + offset, len);
    return 0;
}

static void apply_write(struct buf *b, uint64_t offset, struct slice bytes)
{
    if (offset + bytes.len > b->len) {
        size_t old = b->len, grown = (size_t)(offset + bytes.len);
        (void)buf_reserve(b, grown - old);
        memset(b->ptr + old, 0, grown - old);
        b->len = grown;
    }
    if (bytes.len)
        memcpy(b->ptr + offset, bytes.ptr, bytes.len);
}

static void apply_truncate(struct buf *b, uint64_t size)
{
    if (size > b->len)
        apply_write(b, size, SLICE(""));
    b->len = (size_t)size;
}

static int sim_write_at(struct os_file *f, uint64_t offset, const void *src, size_t len,
                        struct diag *diag)
{
    struct os_sim *sim = f->sim;
    base_assert(f->writable);
    bool was_off = sim->off;
    int err = step(sim, diag, "write", f->path);
    uint64_t grown =
        offset + len > f->inode->current.len ? offset + len - f->inode->current.len : 0;
    if (!err && sim->capacity && used_bytes(sim) + grown > sim->capacity)
        return diag_set(diag, ERR_NOSPACE, "write %s: no space left", f->path);
    if (err && was_off)
        return err;
    /* A write that fails, or that the crash comes into, may have been done in part. */
    if (err)
        len = len ? next_random(sim) % len : 0;
    vec_push(&f->inode->pending,
             ((struct write_op){.offset = offset, .bytes = slice_make(mem_dup(src, len), len)}));
    apply_write(&f->inode->current, offset, slice_make(src, len));
    return err;
}

static void forget_pending(struct inode *inode)
{
    for (size_t i = 0; i < inode->pending.len; i++)
        mem_free((void *)(uintptr_t)inode->pending.items[i].bytes.ptr);
    vec_clear(&inode->pending);
}

static void copy_content(struct buf *to, const struct buf *from)
{
    buf_clear(to);
    buf_append_slice(to, buf_slice(from));
}

static int sim_sync(struct os_file *f, struct diag *diag)
{
    int err = step(f->sim, diag, "sync", f->path);
    if (err) {
        /* The pages are marked clean although they never got to the disk: what is read may be gone
         * after the crash, and the next sync says nothing. */
        if (!f->sim->off)
            forget_pending(f->inode);
        return err;
    }
    copy_content(&f->inode->durable, &f->inode->current);
    forget_pending(f->inode);
    return 0;
}

static int sim_truncate(struct os_file *f, uint64_t size, struct diag *diag)
{
    int err = step(f->sim, diag, "truncate", f->path);
    if (err)
        return err;
    apply_truncate(&f->inode->current, size);
    vec_push(&f->inode->pending, ((struct write_op){.offset = size, .is_truncate = true}));
    return 0;
}

static int sim_allocate(struct os_file *f, uint64_t size, struct diag *diag)
{
    (void)f;
    (void)size;
    return diag_set(diag, ERR_UNSUPPORTED, "no preallocation here");
}

static int sim_size(struct os_file *f, uint64_t *out, struct diag *diag)
{
    *out = f->inode->current.len;
    return check_on(f->sim, diag, "stat", f->path);
}

static int sim_map(struct os_file *f, struct slice *out, struct diag *diag)
{
    int err = check_on(f->sim, diag, "map", f->path);
    if (err)
        return err;
    *out = slice_make(mem_dup(f->inode->current.ptr, f->inode->current.len), f->inode->current.len);
    return 0;
}

static void sim_unmap(struct os_file *f, struct slice mapped)
{
    (void)f;
    mem_free((void *)(uintptr_t)mapped.ptr);
}

static void sim_prefetch(struct os_file *f, struct slice bytes)
{
    (void)f;
    (void)bytes;
}

static int sim_lock(struct os_file *f, struct diag *diag)
{
    return check_on(f->sim, diag, "lock", f->path);
}

static int sim_rename(struct os *os, const char *from, const char *to, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = step(sim, diag, "rename", from);
    if (err)
        return err;
    struct name *n = find(&sim->current, from);
    if (!n)
        return diag_set(diag, ERR_NOT_FOUND, "rename %s: no such file", from);
    struct inode *inode = n->inode;
    change_name(sim, to, inode);
    change_name(sim, from, NULL);
    return 0;
}

static int sim_unlink(struct os *os, const char *path, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = step(sim, diag, "unlink", path);
    if (err)
        return err;
    if (!find(&sim->current, path))
        return diag_set(diag, ERR_NOT_FOUND, "unlink %s: no such file", path);
    change_name(sim, path, NULL);
    return 0;
}

static int sim_link(struct os *os, const char *from, const char *to, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = step(sim, diag, "link", from);
    struct name *n = find(&sim->current, from);
    if (!err && !n)
        err = diag_set(diag, ERR_NOT_FOUND, "link %s: no such file", from);
    if (!err)
        change_name(sim, to, n->inode);
    return err;
}

/* Directories are durable at once: the engine makes its few at the very start. */
static int sim_mkdir(struct os *os, const char *path, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = check_on(sim, diag, "mkdir", path);
    for (size_t i = 0; !err && i < sim->dirs.len; i++) {
        if (strcmp(sim->dirs.items[i], path) == 0)
            return 0;
    }
    if (!err)
        vec_push(&sim->dirs, mem_strdup(path));
    return err;
}

static int sim_rmdir(struct os *os, const char *path, struct diag *diag)
{
    return check_on(sim_of(os), diag, "rmdir", path);
}

static int sim_sync_dir(struct os *os, const char *path, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = step(sim, diag, "sync", path);
    if (err)
        return err;
    size_t kept = 0;
    for (size_t i = 0; i < sim->name_ops.len; i++) {
        struct name_op op = sim->name_ops.items[i];
        if (strcmp(op.dir, path) != 0) {
            sim->name_ops.items[kept++] = op;
            continue;
        }
        set_name(&sim->durable, op.path, op.inode);
        mem_free(op.dir);
        mem_free(op.path);
    }
    sim->name_ops.len = kept;
    return 0;
}

static int sim_list(struct os *os, const char *path, void (*fn)(const char *name, void *ctx),
                    void *ctx, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = check_on(sim, diag, "list", path);
    if (err)
        return err;
    size_t len = strlen(path);
    VEC(char *) names = {0};
    for (size_t i = 0; i < sim->current.len; i++) {
        const char *p = sim->current.items[i].path;
        if (strncmp(p, path, len) == 0 && p[len] == '/' && !strchr(p + len + 1, '/'))
            vec_push(&names, mem_strdup(p + len + 1));
    }
    for (size_t i = 0; i < sim->dirs.len; i++) {
        const char *p = sim->dirs.items[i];
        if (strncmp(p, path, len) == 0 && p[len] == '/' && !strchr(p + len + 1, '/'))
            vec_push(&names, mem_strdup(p + len + 1));
    }
    for (size_t i = 0; i < names.len; i++) {
        fn(names.items[i], ctx);
        mem_free(names.items[i]);
    }
    vec_free(&names);
    return 0;
}

static int sim_stat(struct os *os, const char *path, struct os_stat *out, struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    int err = check_on(sim, diag, "stat", path);
    struct name *n = find(&sim->current, path);
    if (err)
        return err;
    if (!n)
        return diag_set(diag, ERR_NOT_FOUND, "stat %s: no such file", path);
    *out = (struct os_stat){.size = n->inode->current.len};
    return 0;
}

static int sim_space(struct os *os, const char *path, uint64_t *out_free, uint64_t *out_total,
                     struct diag *diag)
{
    struct os_sim *sim = sim_of(os);
    uint64_t total = sim->capacity ? sim->capacity : UINT64_C(1) << 40, used = used_bytes(sim);
    *out_total = total;
    *out_free = total > used ? total - used : 0;
    return check_on(sim, diag, "statvfs", path);
}

static int64_t sim_now_ns(struct os *os)
{
    return sim_of(os)->now_ns;
}

static int64_t sim_monotonic_ns(struct os *os)
{
    return ++sim_of(os)->ticks;
}

static void sim_random(struct os *os, void *dst, size_t len)
{
    struct os_sim *sim = sim_of(os);
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)dst)[i] = (unsigned char)next_random(sim);
}

struct os_sim *os_sim_new(uint64_t seed)
{
    static const struct os_ops ops = {
        .open = sim_open,
        .close = sim_close,
        .read_at = sim_read_at,
        .write_at = sim_write_at,
        .sync = sim_sync,
        .truncate = sim_truncate,
        .allocate = sim_allocate,
        .size = sim_size,
        .map = sim_map,
        .unmap = sim_unmap,
        .prefetch = sim_prefetch,
        .scattered = sim_prefetch,
        .lock = sim_lock,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .link = sim_link,
        .mkdir = sim_mkdir,
        .rmdir = sim_rmdir,
        .sync_dir = sim_sync_dir,
        .list = sim_list,
        .stat = sim_stat,
        .space = sim_space,
        .now_ns = sim_now_ns,
        .monotonic_ns = sim_monotonic_ns,
        .random = sim_random,
    };
    struct os_sim *sim = mem_calloc(1, sizeof(*sim));
    sim->face.ops = &ops;
    sim->random_state = hash_u64(seed + 1);
    sim->now_ns = 1700000000 * NS_PER_SEC;
    return sim;
}

static void clear_names(name_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        mem_free(list->items[i].path);
    vec_clear(list);
}

void os_sim_free(struct os_sim *sim)
{
    if (!sim)
        return;
    clear_names(&sim->current);
    clear_names(&sim->durable);
    vec_free(&sim->current);
    vec_free(&sim->durable);
    for (size_t i = 0; i < sim->name_ops.len; i++) {
        mem_free(sim->name_ops.items[i].dir);
        mem_free(sim->name_ops.items[i].path);
    }
    vec_free(&sim->name_ops);
    for (size_t i = 0; i < sim->dirs.len; i++)
        mem_free(sim->dirs.items[i]);
    vec_free(&sim->dirs);
    for (size_t i = 0; i < sim->inodes.len; i++) {
        struct inode *inode = sim->inodes.items[i];
        forget_pending(inode);
        vec_free(&inode->pending);
        buf_deinit(&inode->current);
        buf_deinit(&inode->durable);
        mem_free(inode);
    }
    vec_free(&sim->inodes);
    mem_free(sim);
}

struct os *os_sim_os(struct os_sim *sim)
{
    return &sim->face;
}

void os_sim_power_off(struct os_sim *sim)
{
    sim->off = true;
}

/* What of an unsynced write the disk kept: all, nothing, or some of its sectors. */
static void settle_write(struct os_sim *sim, struct buf *durable, const struct write_op *op)
{
    uint64_t fate = next_random(sim) % 4;
    if (fate == 0)
        return;
    if (op->is_truncate) {
        apply_truncate(durable, op->offset);
        return;
    }
    if (fate < 3) {
        apply_write(durable, op->offset, op->bytes);
        return;
    }
    for (uint64_t at = 0; at < op->bytes.len;) {
        uint64_t sector_end = (op->offset + at) / SECTOR * SECTOR + SECTOR - op->offset;
        uint64_t end = MIN(sector_end, op->bytes.len);
        if (next_random(sim) & 1)
            apply_write(durable, op->offset + at,
                        slice_make(op->bytes.ptr + at, (size_t)(end - at)));
        at = end;
    }
}

void os_sim_restart(struct os_sim *sim)
{
    for (size_t i = 0; i < sim->inodes.len; i++) {
        struct inode *inode = sim->inodes.items[i];
        for (size_t k = 0; k < inode->pending.len; k++)
            settle_write(sim, &inode->durable, &inode->pending.items[k]);
        forget_pending(inode);
        copy_content(&inode->current, &inode->durable);
    }
    /* Names keep their order: a journalling file system loses the tail, not the middle. */
    size_t kept = sim->name_ops.len ? next_random(sim) % (sim->name_ops.len + 1) : 0;
    for (size_t i = 0; i < sim->name_ops.len; i++) {
        struct name_op op = sim->name_ops.items[i];
        if (i < kept)
            set_name(&sim->durable, op.path, op.inode);
        mem_free(op.dir);
        mem_free(op.path);
    }
    vec_clear(&sim->name_ops);
    clear_names(&sim->current);
    for (size_t i = 0; i < sim->durable.len; i++)
        set_name(&sim->current, sim->durable.items[i].path, sim->durable.items[i].inode);
    sim->off = false;
    sim->crash_at = sim->fail_at = 0;
}

void os_sim_crash_at(struct os_sim *sim, uint64_t k)
{
    sim->crash_at = k;
}

bool os_sim_is_off(const struct os_sim *sim)
{
    return sim->off;
}

void os_sim_fail_at(struct os_sim *sim, uint64_t k, int err)
{
    sim->fail_at = k;
    sim->fail_err = err;
}

void os_sim_set_capacity(struct os_sim *sim, uint64_t bytes)
{
    sim->capacity = bytes;
}

bool os_sim_flip(struct os_sim *sim, const char *path, uint64_t byte, unsigned bit)
{
    struct name *n = find(&sim->current, path);
    if (!n || byte >= n->inode->current.len)
        return false;
    n->inode->current.ptr[byte] = (char)(n->inode->current.ptr[byte] ^ (1 << bit));
    copy_content(&n->inode->durable, &n->inode->current);
    return true;
}

void os_sim_set_now(struct os_sim *sim, int64_t now_ns)
{
    sim->now_ns = now_ns;
}

uint64_t os_sim_changes(const struct os_sim *sim)
{
    return sim->changes;
}
