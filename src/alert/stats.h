/* Gauges and counters of one group at work, by file and name, as long as it works. */
#ifndef ALERT_STATS_H
#define ALERT_STATS_H

#include "alert/group.h"

struct alert__stats;

struct alert__stats *alert__stats_new(const struct alert_group_def *def);
void alert__stats_free(struct alert__stats *s); /* NULL is fine */
/* After an evaluation; `missed`: how many were left out before the next. */
void alert__stats_update(struct alert__stats *s, const struct alert_group *g, int64_t missed);

#endif
