/* A row of a tally as series (tally_priv.h). */
#ifndef PIPE_TALLY_WRITE_PRIV_H
#define PIPE_TALLY_WRITE_PRIV_H

#include "base/hash.h"
#include "base/vec.h"
#include "pipe/tally_priv.h"

/* Native histograms: eight buckets an octave while they are few. */
#define PIPE__TALLY_SCHEMA  3
#define PIPE__TALLY_BUCKETS 160
#define PIPE__TALLY_ZERO    1e-9

struct pipe__tally_native {
    int32_t schema, first; /* index of counts[0]: the bucket that ends at base^first */
    uint64_t zero, count;
    double rest; /* of weights; below 1 */
    VEC(uint64_t) counts;
};

struct pipe__tally_kept {
    char trace_id[16], span_id[8];
    int64_t ts_ns; /* 0: none */
    double value;
};

struct pipe__tally_hist {
    double *counts; /* of each bound, and beyond */
    double count;
    double sum;
    struct pipe__tally_native native;
    struct pipe__tally_kept kept[2];
    bool is_written;
};

struct pipe__tally_row {
    struct hash128 id;
    struct slice tenant, *values;
    double *counters;
    int64_t created_ns, touched_ns;
    bool is_new, is_overflow;
    struct pipe__tally_hist histograms[PIPE__TALLY_HISTOGRAMS];
};

/* What is known of all rows before there is one: order of the labels, names of the series. */
struct pipe__tally_names;
struct pipe__tally_names *pipe__tally_names_new(const struct pipe__tally_config *config);
void pipe__tally_names_free(struct pipe__tally_names *names);

struct pipe__tally_writer;
struct pipe__tally_writer *pipe__tally_writer_new(const struct pipe__tally_config *config,
                                                  const struct pipe__tally_names *names,
                                                  struct pipe_sink *sink, int64_t now_ns,
                                                  bool with_metadata);
/* The row's series; `ends`: their staleness markers. Changes what the row remembers of writing. */
void pipe__tally_writer_put(struct pipe__tally_writer *w, struct pipe__tally_row *row, bool ends);
/* Hands over batches that are full. */
void pipe__tally_writer_turn(struct pipe__tally_writer *w);
/* Hands over the rest; frees. */
void pipe__tally_writer_finish(struct pipe__tally_writer *w);

#endif
