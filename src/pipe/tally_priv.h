/* Metrics that are counted in this process: one row of counters and histograms for each combination
 * of label values, written out as cumulative series whenever asked.
 *
 * A row may be written under several names and several sets of label names; it is counted once.
 * Rows nobody adds to for a while end with staleness markers. When there are too many series, what
 * belongs to new rows is counted in one row of the tenant that says so. Thread-safe; rows lie in
 * shards with a lock each. */
#ifndef PIPE_TALLY_PRIV_H
#define PIPE_TALLY_PRIV_H

#include "base/budget.h"
#include "pipe/sink.h"

#define PIPE__TALLY_LABELS      24
#define PIPE__TALLY_OUTPUTS     12
#define PIPE__TALLY_HISTOGRAMS  4
#define PIPE__TALLY_VALUE_BYTES 1024 /* longer label values are cut */

enum pipe__tally_type { PIPE__TALLY_COUNTER, PIPE__TALLY_HISTOGRAM };

/* A family written from the rows. */
struct pipe__tally_output {
    struct slice name, unit, help;
    enum pipe__tally_type type;
    uint8_t index;     /* of the counter or histogram */
    uint8_t label_set; /* 0 or 1 */
    bool when_used;    /* a histogram that is written only in rows that observed something */
};

struct pipe__tally_config {
    /* Names of the values of a row, in their order, in each of two spellings; an empty name leaves
     * the value out of that spelling. */
    const struct slice *label_names[2];
    size_t label_count;
    struct slice overflow_label[2]; /* "true" in the row that stands for those beyond the limit */
    size_t counter_count;
    struct {
        const double *bounds; /* ascending, without +Inf; outlive the tally */
        size_t bound_count;
    } histograms[PIPE__TALLY_HISTOGRAMS];
    size_t histogram_count;
    struct pipe__tally_output outputs[PIPE__TALLY_OUTPUTS];
    size_t output_count;
    bool classic, native;  /* how histograms are written; one at least */
    struct budget *series; /* series of all rows; outlives the tally */
    int64_t idle_ns;       /* a row that nobody adds to for this long ends */
};

struct pipe__tally;
struct pipe__tally_row;

struct pipe__tally *pipe__tally_new(const struct pipe__tally_config *config);
void pipe__tally_free(struct pipe__tally *t); /* NULL is fine */

/* Where an observation came from, for exemplars; ids of 16 and 8 bytes. */
struct pipe__tally_exemplar {
    struct slice trace_id, span_id;
    int64_t ts_ns;
};

/* The row of these values (texts need live only during the call), locked until
 * pipe__tally_unlock; *out_overflow says that it stands for others. NULL: not even that row has
 * room. */
struct pipe__tally_row *pipe__tally_lock(struct pipe__tally *t, struct slice tenant,
                                         const struct slice *values, int64_t now_ns,
                                         bool *out_overflow);
void pipe__tally_add(struct pipe__tally_row *row, size_t counter, double n);
/* In the unit of the histogram's bounds; not negative. It counts `weight` times; native histograms
 * count whole ones and keep the rest for the next. */
void pipe__tally_observe(struct pipe__tally *t, struct pipe__tally_row *row, size_t histogram,
                         double value, double weight, const struct pipe__tally_exemplar *from);
void pipe__tally_unlock(struct pipe__tally *t, struct pipe__tally_row *row);

/* Writes all rows to the sink, in batches by tenant. A new row begins with zeros at the time it was
 * made, so that its first increments count, and brings metadata along; `with_metadata`: all do.
 * One thread at a time. */
void pipe__tally_write(struct pipe__tally *t, struct pipe_sink *sink, int64_t now_ns,
                       bool with_metadata);
size_t pipe__tally_count(struct pipe__tally *t); /* rows */

#endif
