/* IP addresses in text, and what ip("...") matches: one address, a range a-b, or a network. */
#ifndef LANG_LOGQL_IP_H
#define LANG_LOGQL_IP_H

#include "base/slice.h"

struct logql_ip_range {
    bool v6;
    uint8_t from[16], to[16]; /* both inclusive; v4 in the first four bytes */
};

bool logql_ip_range_parse(struct slice text, struct logql_ip_range *out);
/* Whether some address in the text lies in the range. */
bool logql_ip_range_finds(const struct logql_ip_range *range, struct slice text);

#endif
