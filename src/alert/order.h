/* Which rules of a group may be evaluated beside each other, so that all come to what they would
 * come to one after the other.
 *
 * A rule waits for an earlier one when it may read what that one writes, when that one may read
 * what it writes (and so has to see the value of the evaluation before), or when both may write the
 * same series. A selector without a matcher of the metric's name reads everything, as in
 * Prometheus' own analysis; so does an alert whose texts ask queries. */
#ifndef ALERT_ORDER_H
#define ALERT_ORDER_H

#include "alert/rules.h"

/* Batches, one after the other; the rules of a batch are free of each other. */
struct alert_order {
    uint32_t *rules; /* indexes into the group's, batch by batch; in a batch by their order */
    size_t *ends;    /* where each batch ends in `rules` */
    size_t batch_count;
};

void alert__order_init(struct alert_order *order, const struct alert_group_def *def);
void alert__order_deinit(struct alert_order *order);

#endif
