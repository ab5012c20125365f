/* Whole files through a struct os. */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/buf.h"
#include "os/os.h"

/* Replaces or creates a file so that, whatever happens, either the old content is there or the new,
 * and durably the new when it returns 0. Writes "PATH.tmp" meanwhile. */
int os_file_replace(struct os *os, const char *path, struct slice content, struct diag *diag);
/* Appends a file's content; ERR_TOO_LARGE past bytes_max. */
int os_file_read(struct os *os, const char *path, size_t bytes_max, struct buf *out,
                 struct diag *diag);

#endif
