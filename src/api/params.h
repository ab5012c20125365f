/* Parameters of the Prometheus API. Each returns 0, or ERR_INVALID with Prometheus' words:
 * `invalid parameter "start": cannot parse "x" to a valid timestamp`. */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include "base/diag.h"
#include "net/http_server.h"

/* Unix seconds or RFC 3339 -> ns since 1970. Absent: `fallback`, or an error when `required`. */
int api_param_time(struct net_request *req, const char *name, bool required, int64_t fallback_ns,
                   int64_t *out_ns, struct diag *diag);
/* Seconds or a Prometheus duration -> ns. Same rules. */
int api_param_duration(struct net_request *req, const char *name, bool required,
                       int64_t fallback_ns, int64_t *out_ns, struct diag *diag);
/* A count that is not negative; 0 = no limit and the default. */
int api_param_limit(struct net_request *req, const char *name, size_t *out, struct diag *diag);
/* The older kind of limit: any whole number, absent = -1; negative = no limit, 0 = nothing at all.
 * "limit must be a number" */
int api_param_count(struct net_request *req, const char *name, int64_t *out, struct diag *diag);
/* "true" or "1"; "false", "0" or absent. */
int api_param_bool(struct net_request *req, const char *name, bool *out, struct diag *diag);
/* A name as Prometheus' paths carry it: U__ and its escapes are taken back ("U__http_2e_code" is
 * "http.code"). Names without the prefix, or with a broken escape, stay. In `arena`. */
struct slice api_unescape_name(struct slice name, struct arena *arena);

/* Prometheus' smallest and largest time, which its clients send as a word for "all". */
#define API_TIME_MIN_NS INT64_MIN
#define API_TIME_MAX_NS INT64_MAX

/* ERR_INVALID: a range query has more steps than limits.query.points allows. */
int api_too_fine(int64_t points_max, const char *advice, struct diag *diag);

#endif
