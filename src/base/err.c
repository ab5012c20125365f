#include "base/err.h"

#include <errno.h>

const char *err_name(int err)
{
    switch ((enum err)err) {
    case ERR_OK: return "ok";
    case ERR_INVALID: return "invalid";
    case ERR_NOMEM: return "no_memory";
    case ERR_LIMIT: return "limit";
    case ERR_NOT_FOUND: return "not_found";
    case ERR_EXISTS: return "exists";
    case ERR_IO: return "io";
    case ERR_NOSPACE: return "no_space";
    case ERR_CORRUPT: return "corrupt";
    case ERR_CANCELLED: return "cancelled";
    case ERR_TIMEOUT: return "timeout";
    case ERR_UNSUPPORTED: return "unsupported";
    case ERR_AGAIN: return "again";
    case ERR_CLOSED: return "closed";
    case ERR_CONFLICT: return "conflict";
    case ERR_TOO_LARGE: return "too_large";
    case ERR_DENIED: return "denied";
    }
    return "unknown";
}

int err_from_errno(int sys_errno)
{
    switch (sys_errno) {
    case 0: return ERR_OK;
    case ENOSPC:
    case EDQUOT: return ERR_NOSPACE;
    case ENOENT:
    case ENOTDIR: return ERR_NOT_FOUND;
    case EEXIST:
    case ENOTEMPTY: return ERR_EXISTS;
    case ENOMEM: return ERR_NOMEM;
    case EACCES:
    case EPERM: return ERR_DENIED;
    case EAGAIN:
    case EINTR: return ERR_AGAIN;
    case EINVAL: return ERR_INVALID;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case EPIPE:
    case ECONNRESET: return ERR_CLOSED;
    case EFBIG: return ERR_TOO_LARGE;
    case ENOSYS:
    case EOPNOTSUPP: return ERR_UNSUPPORTED;
    default: return ERR_IO;
    }
}
