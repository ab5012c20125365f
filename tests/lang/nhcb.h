/* Classic histograms of a load made native ones with custom buckets, as "load_with_nhcb" asks. */
#ifndef TESTS_LANG_NHCB_H
#define TESTS_LANG_NHCB_H

#include "lang/promql/series_notation.h"
#include "store/memory.h"

struct nhcb;

struct nhcb *nhcb_new(void);
void nhcb_free(struct nhcb *n);
/* Keeps the series when its name ends in _bucket, _count or _sum; it must live as long as n. */
void nhcb_take(struct nhcb *n, struct data_labels labels, const struct promql_series_value *values,
               size_t count);
/* Adds what the series taken make. */
void nhcb_add(struct nhcb *n, struct store_memory *to, int64_t step_ns);

#endif
