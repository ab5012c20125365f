/* Label sets that live by themselves: one allocation each. Unlike other sets they may hold empty
 * values (annotations do). */
#ifndef ALERT_PACK_H
#define ALERT_PACK_H

#include "data/labels.h"

struct data_labels alert__pack(const struct data_label *items, size_t count);
void alert__unpack(struct data_labels *l);

#endif
