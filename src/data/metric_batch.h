/* A batch of metric samples on their way in: what decoders build, processors change, and a sink
 * (the store, or an output) takes. Columnar: one entry a series, flat arrays for the samples.
 *
 * Built by one thread; read-only once handed to a sink. Everything it points to lives in its arena
 * or in memory its maker keeps until the batch is freed. */
#ifndef DATA_METRIC_BATCH_H
#define DATA_METRIC_BATCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/vec.h"
#include "data/histogram.h"
#include "data/labels.h"

/* Prometheus' staleness marker, bit for bit; never compare it as a number. */
#define DATA_STALE_NAN_BITS UINT64_C(0x7ff0000000000002)
/* The ordinary NaN Prometheus writes. */
#define DATA_NORMAL_NAN_BITS UINT64_C(0x7ff8000000000001)
bool data_is_stale(double v);
double data_stale_nan(void);

enum data_metric_type {
    DATA_METRIC_UNKNOWN,
    DATA_METRIC_COUNTER,
    DATA_METRIC_GAUGE,
    DATA_METRIC_HISTOGRAM,
    DATA_METRIC_GAUGE_HISTOGRAM,
    DATA_METRIC_SUMMARY,
    DATA_METRIC_INFO,
    DATA_METRIC_STATESET,
    DATA_METRIC_TYPE_COUNT
};
/* "counter", "gaugehistogram", ... as Prometheus' metadata API prints them. */
const char *data_metric_type_name(enum data_metric_type type);
bool data_metric_type_parse(struct slice name, enum data_metric_type *out);

struct data_batch_series {
    struct slice key;  /* canonical label key (data/labels.h) */
    struct hash128 id; /* data_labels_key_hash(key) */
};

struct data_batch_metadata {
    struct slice metric; /* family name */
    struct slice unit, help;
    enum data_metric_type type;
};

struct data_batch_exemplar {
    uint32_t series;
    int64_t ts_ns; /* 0 when the sender gave none */
    double value;
    struct data_labels labels;
};

enum data_delta {
    DATA_DELTA_NONE,
    DATA_DELTA_FIRST, /* a sample that counts since its start, the first of its point */
    DATA_DELTA_MORE,  /* another one of the same point: of a histogram's buckets */
};

struct data_metric_batch {
    struct arena *arena; /* owned */
    struct slice tenant; /* "default" unless said otherwise */
    VEC(struct data_batch_series) series;
    /* The sample columns, all of length sample_ts.len. Samples of one series are in the order of
     * their sending; series may interleave. */
    VEC(uint32_t) sample_series;
    VEC(int64_t) sample_ts; /* ns since 1970 */
    VEC(double) sample_value;
    /* Empty, or one entry a sample: NULL for a float. */
    VEC(const struct data_histogram *) sample_histogram;
    /* Empty, or one entry a sample: created/start timestamp in ns, 0 = not given. */
    VEC(int64_t) sample_start;
    /* Empty, or one entry a sample: it counts only what happened since its start (delta
     * temporality). No sink takes such samples: pipe/delta.h makes them cumulative first. */
    VEC(uint8_t) sample_delta; /* enum data_delta */
    VEC(struct data_batch_metadata) metadata;
    VEC(struct data_batch_exemplar) exemplars;
};

struct data_metric_batch *data_metric_batch_new(struct slice tenant);
void data_metric_batch_free(struct data_metric_batch *b); /* NULL is fine */
/* Empties for reuse, keeping memory. */
void data_metric_batch_reset(struct data_metric_batch *b);
/* Adds a series (copying its key into the arena); returns its index. Same labels twice give two
 * entries: that is allowed. */
uint32_t data_metric_batch_add_series(struct data_metric_batch *b, struct data_labels labels);
/* Same with a ready canonical key that lives as long as the batch. */
uint32_t data_metric_batch_add_series_key(struct data_metric_batch *b, struct slice key);
void data_metric_batch_add_sample(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                  double value);
/* Histogram is copied into the arena. */
void data_metric_batch_add_histogram(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                     const struct data_histogram *h);
/* Start timestamp of the sample added last. */
void data_metric_batch_set_start(struct data_metric_batch *b, int64_t start_ns);
/* The sample added last is of delta temporality; `first`: of what the sender counts as one point.
 */
void data_metric_batch_set_delta(struct data_metric_batch *b, bool first);
/* Start timestamp of all samples from index `first` on (one metric's, when its start comes last).
 */
void data_metric_batch_set_start_from(struct data_metric_batch *b, size_t first, int64_t start_ns);
void data_metric_batch_add_metadata(struct data_metric_batch *b, struct slice metric,
                                    enum data_metric_type type, struct slice unit,
                                    struct slice help);
void data_metric_batch_add_exemplar(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                    double value, struct data_labels labels);

#endif
