/* Log lines in memory as a source of events, for tests: scans alone, row by row, without any of a
 * store's ways to be quick. */
#ifndef TESTS_LANG_MEMORY_EVENTS_H
#define TESTS_LANG_MEMORY_EVENTS_H

#include "store/events.h"

struct memory_events;
struct memory_events *memory_events_new(void);
void memory_events_free(struct memory_events *m);
struct store_event_source *memory_events_face(struct memory_events *m);
/* `labels` and `metadata` are "a=b,c=d"; "level=" in metadata is the intrinsic level. */
void memory_events_add(struct memory_events *m, const char *labels, int64_t ts_ns, const char *line,
                       const char *metadata);
/* Rows that a morsel has (2 unless set), so that there are some. */
void memory_events_set_morsel(struct memory_events *m, size_t rows);

#endif
