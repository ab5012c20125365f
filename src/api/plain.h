/* Errors as plain text with a line feed behind, as Grafana's own servers (Loki, Tempo) word them.
 */
#ifndef API_PLAIN_H
#define API_PLAIN_H

#include "api/job.h"

void api__plain_error(struct net_request *req, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* For `work`: the answer is this error. */
void api__plain_job_error(struct api_job *job, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same from an error code and its words. */
void api__plain_job_fail(struct api_job *job, int err, const struct diag *diag);

#endif
