/* A source of series in memory, for tests of queries: what was loaded, selected by brute force. */
#ifndef TESTS_LANG_MEMORY_SOURCE_H
#define TESTS_LANG_MEMORY_SOURCE_H

#include "store/source.h"

struct memory_source;

struct memory_source *memory_source_new(void);
void memory_source_free(struct memory_source *m);
void memory_source_clear(struct memory_source *m);
struct store_source *memory_source_face(struct memory_source *m);
/* Appends in time order per series; labels are copied. histogram may be NULL and is copied. */
void memory_source_add(struct memory_source *m, struct data_labels labels, int64_t ts_ns,
                       double value, const struct data_histogram *histogram);
/* Start timestamp of the sample added last to this series. */
void memory_source_set_start(struct memory_source *m, struct data_labels labels, int64_t start_ns);

#endif
