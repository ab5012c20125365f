/* What the files of the metrics decoder share. */
#ifndef DECODE_OTLP_METRICS_PRIV_H
#define DECODE_OTLP_METRICS_PRIV_H

#include "base/map.h"
#include "decode/otlp/otlp_priv.h"

#define DECODE__OTLP_NO_LABEL SIZE_MAX
/* Label names made of keys are remembered within a request. */
#define DECODE__OTLP_NAME_SLOTS 256

struct decode__otlp_base_label {
    struct data_label label;
    bool weak; /* gives way to an attribute of the point: a promoted resource attribute */
};

struct decode__otlp_name_slot {
    struct slice key, name;
};

/* Kept from request to request for its memory. */
struct decode__otlp_metric_state {
    struct decode__otlp_name_slot names[DECODE__OTLP_NAME_SLOTS];
    VEC(struct decode__otlp_base_label)
    resource_labels, base;             /* sorted; base has the scope's too */
    VEC(struct data_label) attributes; /* of the point, sorted */
    VEC(struct data_label) labels;     /* of the point with everything else, sorted */
    size_t name_at, extra_at;          /* __name__, and le or quantile, in labels */
    size_t labels_room;                /* bytes that a key of them takes, but for those two */
    struct buf family;
    struct map *described; /* families whose metadata is in the batch */
    VEC(struct slice) exemplars;
    VEC(struct data_label) exemplar_labels;
    VEC(uint64_t) counts[2]; /* negative (or explicit), positive */
    VEC(double) bounds;
    VEC(uint32_t) bound_series;
    VEC(struct data_histogram_span) spans[2];
    VEC(double) buckets[2];
};
void decode__otlp_metric_state_free(struct decode__otlp_metric_state *st); /* NULL is fine */

/* The walk over an ExportMetricsServiceRequest. */
struct decode__otlp_metrics {
    struct decode__otlp_walk w;
    const struct decode_otlp_translation *translation;
    struct decode__otlp_metric_state *st;
    struct data_metric_batch *batch;
    int64_t time_min_ns, time_max_ns; /* of the resource's points */
    size_t key_bytes, key_bytes_max;  /* of all series together */
    /* of the metric in hand: */
    struct slice name; /* as sent */
    bool has_start;    /* start timestamps mean something */
    bool is_delta;
    bool has_sample; /* the point in hand has one already */
};

/* What all kinds of points have. */
struct decode__otlp_point {
    uint64_t start, time, count;
    double sum, value;
    bool has_sum, has_value;
    uint32_t flags;
    int64_t time_ns, start_ns; /* checked, cut to milliseconds */
};
static inline bool decode__otlp_is_stale(const struct decode__otlp_point *p)
{
    return p->flags & 1; /* NO_RECORDED_VALUE */
}

/* Labels of the point from w.scratch->point and the base; `extra` is "le", "quantile" or NULL.
 * False when refused. */
bool decode__otlp_labels(struct decode__otlp_metrics *m, const char *extra);
/* Whether `count` more series of these labels may be made; false when refused. A small request with
 * large labels of its resource would grow without bound. */
bool decode__otlp_has_room(struct decode__otlp_metrics *m, size_t count);
/* A series of these labels, named family + suffix. extra_value "" for none. */
uint32_t decode__otlp_series(struct decode__otlp_metrics *m, struct slice suffix,
                             struct slice extra_value);
/* The name as a label of the translation; false when there is none. Lives as long as the
 * request. */
bool decode__otlp_label_name(struct decode__otlp_metrics *m, struct slice key, struct slice *out);
/* Checks the times; false when refused. */
bool decode__otlp_times(struct decode__otlp_metrics *m, struct decode__otlp_point *p);
/* A sample with its start and temporality; stale when the point has no value. */
void decode__otlp_sample(struct decode__otlp_metrics *m, const struct decode__otlp_point *p,
                         uint32_t series, double value);
/* The exemplar at *message, for a point at `time_ns`: false when it has no value and is left out.
 * Labels live until the next call. */
bool decode__otlp_exemplar(struct decode__otlp_metrics *m, struct slice message, int64_t time_ns,
                           double *out_value, int64_t *out_ts_ns, struct data_labels *out_labels);

/* Points of histograms; 0 or a fatal error. */
int decode__otlp_histogram_point(struct decode__otlp_metrics *m, struct slice message);
int decode__otlp_exponential_point(struct decode__otlp_metrics *m, struct slice message);
int decode__otlp_summary_point(struct decode__otlp_metrics *m, struct slice message);
/* Reads one attribute of a point into w.scratch->point. */
int decode__otlp_take_attribute(struct decode__otlp_metrics *m, const struct codec_pb_field *f);

#endif
