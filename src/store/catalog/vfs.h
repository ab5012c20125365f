/* SQLite's view of a `struct os`. */
#ifndef STORE_CATALOG_VFS_H
#define STORE_CATALOG_VFS_H

struct os;
struct vfs;

/* Registers a file system over `os` and gives its name, NULL when SQLite does not take it. */
const char *catalog__vfs_add(struct os *os, struct vfs **out);
void catalog__vfs_remove(struct vfs *v); /* NULL is fine */
/* enum err of the last call that failed on this thread. */
int catalog__vfs_last_error(void);

#endif
