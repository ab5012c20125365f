/* The level of a log line, as Loki finds it. */
#ifndef DECODE_LEVEL_H
#define DECODE_LEVEL_H

#include "data/event_batch.h"

/* Names that hold a level: level, severity, lvl, each in lower case, upper case or with a capital.
 */
bool decode_level_is_name(struct slice name);
/* Of the text alone: the value of such a key when it is JSON or logfmt, else the first word that is
 * a level. UNKNOWN when there is none. */
enum data_event_level decode_level_of_line(struct slice line);

#endif
