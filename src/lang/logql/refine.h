/* Lines tried with the labels that decide whether they stay, before all labels are made and, in a
 * store that can tell these labels without it, before the line is read. Any number of threads. */
#ifndef LANG_LOGQL_REFINE_H
#define LANG_LOGQL_REFINE_H

#include <pthread.h>

#include "lang/logql/rows.h"

struct logql_refiner {
    struct store_event_refine scan; /* for the scan */
    const struct logql_pipeline *probe;
    int64_t now_ns;
    pthread_mutex_t lock;
    struct logql_refine_worker *idle; /* of one scan, whose streams they know */
    _Atomic uint64_t tried, kept;
    _Atomic bool off; /* most lines stay: trying is work for nothing */
};

/* The probe is a pipeline made with only_drops, and outlives this. */
void logql_refiner_init(struct logql_refiner *r, const struct logql_pipeline *probe,
                        int64_t now_ns);
/* Before another scan. */
void logql_refiner_reset(struct logql_refiner *r);
void logql_refiner_deinit(struct logql_refiner *r);

#endif
