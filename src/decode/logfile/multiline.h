/* Which lines of a log file belong to the one before: stack traces and other records of several
 * lines. */
#ifndef DECODE_LOGFILE_MULTILINE_H
#define DECODE_LOGFILE_MULTILINE_H

#include "base/diag.h"
#include "base/slice.h"
#include "text/regex.h"

struct decode_multiline {
    struct text_regex *regex; /* owned */
    /* A line that matches begins a record; with `negate` one that does not. */
    bool negate;
    size_t lines_max;   /* a record with more goes on as another */
    int64_t timeout_ns; /* without another line the record is whole */
};

/* "java", "python", "go": stack traces behind the line that tells of them. lines_max and timeout_ns
 * are left alone. ERR_NOT_FOUND with the names that there are. */
int decode_multiline_preset(struct slice name, struct decode_multiline *out, struct diag *diag);
bool decode_multiline_begins(const struct decode_multiline *m, struct slice line);
void decode_multiline_deinit(struct decode_multiline *m);

#endif
