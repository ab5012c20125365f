/* Times as Grafana's API and URLs have them: "now-6h", "now/d", "now-1d/d+8h", milliseconds since
 * 1970, RFC 3339. Rounding is in UTC. */
#ifndef API_TIME_REF_H
#define API_TIME_REF_H

#include "base/err.h"
#include "base/slice.h"

/* `up`: /u rounds to the end of its unit (for "to"), else to its begin. Units s m h d w M Q y; a
 * week begins on Monday. ERR_INVALID when it is none of these or out of range. */
int api_time_ref(struct slice text, int64_t now_ns, bool up, int64_t *out_ns);

#endif
