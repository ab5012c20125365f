/* Between the files that aggregate over ranges. */
#ifndef LANG_LOGQL_RANGE_PRIV_H
#define LANG_LOGQL_RANGE_PRIV_H

#include <pthread.h>

#include "base/map.h"
#include "lang/logql/range.h"

struct sample {
    int64_t ts_ns;
    double value;
};

struct series {
    struct data_labels labels;
    /* One a step and one more: by how much the sums differ from the step before. */
    double *count, *sum;
    VEC(struct sample) samples;
    size_t sorted; /* so many samples of the front are in order */
};

struct run;

/* Which series a row's stream and fields gave last; most rows are like one before. */
#define SLOTS      1024
#define SLOT_BYTES 48 /* of the fields' values; rows with more take the long way */
struct plain_slot {
    uint32_t series; /* + 1; 0 = empty */
    uint32_t stream;
    uint32_t len;
    bool hidden; /* what is unwrapped is not what is found in the line */
    char values[SLOT_BYTES];
};

/* What one thread has. */
struct worker {
    struct worker *next;
    struct run *run;
    struct logql_rows rows;
    struct store_event_chunk chunk;
    struct arena *arena; /* labels and sums of the series; charged */
    struct map *ids;     /* encoded labels -> index of series */
    VEC(struct series) all;
    struct plain_slot *slots; /* SLOTS of them: series of rows that nothing is done with, or nothing
                                 but a parser that is told by shapes */
    struct buf key;
    size_t last_series; /* of the line taken last */
    int64_t charged;    /* bytes of samples */
};

struct run {
    const struct logql_range *range;
    struct query_exec *x;
    int64_t first_ns, step_ns, range_ns; /* windows are (T - range, T], T = first + i * step */
    size_t steps;
    bool counts, bytes, keeps; /* counts lines; sums their bytes; keeps samples */
    struct store_event_cursor *cursor;
    size_t *order; /* NULL, or the cursor's morsels newest first, for answers in part */
    bool *done;    /* by morsel, with `order` */

    pthread_mutex_t lock; /* of all below */
    struct worker *idle;
    struct diag failed;
    struct diag cut;       /* a limit that ended the reading, of an answer in part */
    int64_t exact_from_ns; /* with `cut`: steps from here on had all their lines */
    _Atomic bool stop;
    _Atomic size_t series_count;
};

/* The steps whose windows hold ts: [*from, *to). False when there are none. */
bool logql__range_steps(const struct run *r, int64_t ts_ns, size_t *from, size_t *to);
/* The key of the labels by which lines are counted together, in w->key; labels are sorted. */
void logql__range_key(struct worker *w, const struct logql_label *labels, size_t count);
/* The series of w->key; NULL: there are too many, or no memory is left, which the run knows. */
struct series *logql__range_series(struct worker *w, const struct logql_label *labels,
                                   size_t count);
struct worker *logql__range_take(struct run *r);
void logql__range_give(struct run *r, struct worker *w);

/* range_counts.c: what can be told from counts that the source keeps by the minute, is; *out_cuts
 * are the stretches of time left, [begin, end] each, for rows to be read. False: all of it is. */
struct range_cut {
    int64_t begin_ns, end_ns;
};
typedef VEC(struct range_cut) logql__cut_list;
int logql__range_count(struct run *r, const struct store_event_select *select,
                       logql__cut_list *out_cuts, struct diag *diag);

#endif
