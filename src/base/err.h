/* Error codes. Functions return 0 or one of these negative codes; words for people travel in a
 * `struct diag` (base/diag.h). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_INVALID = -1,      /* the input is malformed or breaks a rule */
    ERR_NOMEM = -2,        /* a memory budget is used up */
    ERR_LIMIT = -3,        /* a named limit other than memory is reached */
    ERR_NOT_FOUND = -4,    /* no such thing */
    ERR_EXISTS = -5,       /* already there */
    ERR_IO = -6,           /* a system call failed */
    ERR_NOSPACE = -7,      /* the disk is full */
    ERR_CORRUPT = -8,      /* stored bytes do not match their checksum or structure */
    ERR_CANCELLED = -9,    /* the caller gave up */
    ERR_TIMEOUT = -10,     /* a deadline passed */
    ERR_UNSUPPORTED = -11, /* well formed, but not something Pharos does */
    ERR_AGAIN = -12,       /* not now; try again */
    ERR_CLOSED = -13,      /* the peer or the object is gone */
    ERR_CONFLICT = -14,    /* contradicts what is stored (duplicate sample, other value) */
    ERR_TOO_LARGE = -15,   /* larger than a limit on one item allows */
    ERR_DENIED = -16,      /* not allowed */
};

/* A stable lower-case name ("invalid", "no_space", ...), for logs and counters. */
const char *err_name(int err);
/* The code that fits a positive errno: ENOSPC -> ERR_NOSPACE, ENOENT -> ERR_NOT_FOUND, ... */
int err_from_errno(int sys_errno);

#endif
