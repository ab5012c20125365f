/* A source of series in memory, for unit tests of rules and of queries: what was loaded, selected
 * by brute force. Offers select and read only. One thread at a time. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/source.h"

struct store_memory;

struct store_memory *store_memory_new(void);
void store_memory_free(struct store_memory *m);
void store_memory_clear(struct store_memory *m);
struct store_source *store_memory_face(struct store_memory *m);
/* Appends in time order per series; labels are copied. histogram may be NULL and is copied. */
void store_memory_add(struct store_memory *m, struct data_labels labels, int64_t ts_ns,
                      double value, const struct data_histogram *histogram);
/* Start timestamp of the sample added last to this series. */
void store_memory_set_start(struct store_memory *m, struct data_labels labels, int64_t start_ns);

/* Time of the newest sample of a series; false when it has none. */
bool store_memory_newest(struct store_memory *m, struct data_labels labels, int64_t *out_ns);

#endif
