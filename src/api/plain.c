#include "api/plain.h"

#include <stdarg.h>

void api__plain_error(struct net_request *req, int status, const char *fmt, ...)
{
    struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    buf_append_char(&text, '\n');
    net_respond(req, status, "text/plain; charset=utf-8", buf_slice(&text));
    buf_deinit(&text);
}

void api__plain_job_error(struct api_job *job, int status, const char *fmt, ...)
{
    va_list ap;
    buf_clear(&job->out);
    va_start(ap, fmt);
    buf_vprintf(&job->out, fmt, ap);
    va_end(ap);
    buf_append_char(&job->out, '\n');
    job->produce = NULL;
    job->status = status;
    job->content_type = "text/plain; charset=utf-8";
}

void api__plain_job_fail(struct api_job *job, int err, const struct diag *diag)
{
    const char *msg = diag && diag->code ? diag->msg : err_name(err);
    if (job->cancelled)
        err = ERR_CANCELLED;
    int status = 500;
    switch (err) {
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
    case ERR_CONFLICT: status = 400; break;
    case ERR_NOMEM: status = 400; break; /* a limit of the query's, which it names */
    case ERR_NOT_FOUND: status = 404; break;
    case ERR_CANCELLED: status = 499; break;
    case ERR_TIMEOUT: status = 504; break;
    case ERR_AGAIN:
    case ERR_CLOSED: status = 503; break;
    default: break;
    }
    api__plain_job_error(job, status, "%s", msg);
}
