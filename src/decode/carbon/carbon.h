/* What is sent to carbon: lines "name value timestamp", pickled lists of (name, (timestamp,
 * value)), and carbon's protobuf payload (carbon.proto). Bad points are counted by their reason and
 * the rest is taken: nothing here ends a connection.
 *
 * A plain name "a.b.c" becomes the series {__name__="a.b.c"}; a tagged one "name;t=v" becomes
 * {__name__="name", t="v"} (docs/decisions/0005-graphite-names.md). Dots at either end and doubled
 * ones are dropped. Timestamps are whole seconds; -1 means now. */
#ifndef DECODE_CARBON_CARBON_H
#define DECODE_CARBON_CARBON_H

#include "base/slice.h"
#include "data/metric_batch.h"

enum decode_carbon_refusal {
    DECODE_CARBON_FIELDS,    /* not three fields */
    DECODE_CARBON_NAME,      /* empty, or no UTF-8 */
    DECODE_CARBON_TAGS,      /* "name;tag" without a value, forbidden characters, a tag twice */
    DECODE_CARBON_VALUE,     /* no number */
    DECODE_CARBON_NAN,       /* carbon drops these without a word */
    DECODE_CARBON_TIMESTAMP, /* no number, or none that is a time */
    DECODE_CARBON_SIZE,      /* a line or frame over the limit */
    DECODE_CARBON_PICKLE,    /* an opcode that is not data, or damage */
    DECODE_CARBON_PROTOBUF,  /* damage */
    DECODE_CARBON_BLACKLIST, /* by the filter */
    DECODE_CARBON_WHITELIST, /* the same */
    DECODE_CARBON_REFUSAL_COUNT
};
/* "fields", "name", ... for counters. */
const char *decode_carbon_refusal_name(enum decode_carbon_refusal reason);

#define DECODE_CARBON_EXAMPLE  120
#define DECODE_CARBON_LINE_MAX 65536

#define DECODE_CARBON_TAKE -1 /* of a filter: take the point */
#define DECODE_CARBON_DROP -2 /* without a word */

/* Reused from chunk to chunk; one thread. Zero it before the first use. */
struct decode_carbon {
    /* Asked about every point before it is taken; may be NULL. It may give another name, which
     * lives until it is asked again. Returns one of the two above or a refusal. */
    int (*filter)(void *ctx, struct slice *name, int64_t ts_s, double value);
    void *filter_ctx;
    int64_t now_ns; /* what timestamp -1 means */
    size_t points;  /* taken since the caller set it to 0 */
    size_t refused[DECODE_CARBON_REFUSAL_COUNT];
    /* The last line or name refused for each reason, cut; for people who look for its sender. */
    char example[DECODE_CARBON_REFUSAL_COUNT][DECODE_CARBON_EXAMPLE];
    struct slice line; /* being decoded, ptr NULL in frames */
    struct data_labels_builder labels;
    struct buf name;
};
void decode_carbon_deinit(struct decode_carbon *d);

/* Whole lines from the front of `bytes`, their points into `out`; returns how many bytes were
 * taken. With `end` the last line may lack its newline. */
size_t decode_carbon_lines(struct decode_carbon *d, struct slice bytes, bool end,
                           struct data_metric_batch *out);
/* One line without its end. */
void decode_carbon_line(struct decode_carbon *d, struct slice line, struct data_metric_batch *out);
/* A frame's content. Only opcodes that make data are known: nothing is looked up, called or
 * imported, and what a pickle may hold in memory is bounded by its own length. ERR_INVALID when it
 * is refused as a whole (points before the damage are taken). */
int decode_carbon_pickle(struct decode_carbon *d, struct slice frame,
                         struct data_metric_batch *out);
int decode_carbon_protobuf(struct decode_carbon *d, struct slice frame,
                           struct data_metric_batch *out);

/* Shared by the three. */
void decode_carbon__refuse(struct decode_carbon *d, enum decode_carbon_refusal reason,
                           struct slice what);
/* One point, checked and filtered. */
void decode_carbon__take(struct decode_carbon *d, struct slice name, double ts, double value,
                         struct data_metric_batch *out);

#endif
