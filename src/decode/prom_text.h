/* Prometheus' exposition formats: text 0.0.4 (and 1.0.0, the same with quoted names), OpenMetrics
 * 1.0, and the delimited protobuf messages.
 * Specifications: prometheus.io/docs/instrumenting/exposition_formats, and
 * prometheus.io/docs/specs/om/open_metrics_spec.
 *
 * A pull parser over one body. Series texts are parsed into label sets once and kept in a cache
 * that outlives the body, so that scraping a target again costs a look-up a line.
 *
 * OpenMetrics is checked whole unless told otherwise: framing, metadata, name suffixes, grouping,
 * timestamps, bucket order, sums and counts, exemplars. Text 0.0.4 takes what Prometheus takes.
 * Values of `le` (histograms) and `quantile` (summaries) become canonical floats ("1" -> "1.0"). */
#ifndef DECODE_PROM_TEXT_H
#define DECODE_PROM_TEXT_H

#include "base/diag.h"
#include "base/slice.h"
#include "data/labels.h"
#include "data/metric_batch.h"

enum decode_text_format { DECODE_TEXT_PLAIN, DECODE_TEXT_OPENMETRICS, DECODE_TEXT_PROTOBUF };

/* Which format a Content-Type names. An unknown or missing one is ERR_UNSUPPORTED, unless
 * `fallback` (a format name as scrape configurations spell it: "PrometheusText0.0.4",
 * "OpenMetricsText1.0.0", ...) is given; it may be NULL. */
int decode_text_negotiate(struct slice content_type, const char *fallback,
                          enum decode_text_format *out, struct diag *diag);
/* "PrometheusProto", "PrometheusText0.0.4", ... to its Accept entry without q, or NULL. */
const char *decode_text_media_type(struct slice protocol);

/* --- cache --- */

struct decode_text_series {
    struct slice raw;          /* as written: name{a="b"} */
    struct data_labels labels; /* sorted, __name__ among them, no empty values */
    struct slice metric;       /* value of __name__ */
    uint64_t group;            /* hash of the labels without name and le or quantile */
    double bound;              /* of le or quantile; NaN when there is none or it is no number */
    bool has_bound, canonical_inf;
    enum data_metric_type type; /* of the family when it was parsed */
    uint64_t seen;              /* generation (below) of the last body that had it */
    void *user;                 /* the caller's */
};

/* One thread at a time. */
struct decode_text_cache;
/* `drop` is called for each series that leaves (its `user` needs freeing); may be NULL. */
struct decode_text_cache *
decode_text_cache_new(void (*drop)(struct decode_text_series *s, void *ctx), void *ctx);
void decode_text_cache_free(struct decode_text_cache *cache); /* NULL is fine */
size_t decode_text_cache_count(const struct decode_text_cache *cache);
/* The generation of the body begun last. */
uint64_t decode_text_cache_generation(const struct decode_text_cache *cache);
/* Drops what was not seen since `generation`. */
void decode_text_cache_sweep(struct decode_text_cache *cache, uint64_t generation);
/* Each series in turn: start with *pos = 0, NULL at the end. No sweep meanwhile. */
struct decode_text_series *decode_text_cache_next(const struct decode_text_cache *cache,
                                                  size_t *pos);

/* --- parser --- */

enum decode_text_kind {
    DECODE_TEXT_SAMPLE,
    DECODE_TEXT_TYPE,
    DECODE_TEXT_HELP,
    DECODE_TEXT_UNIT,
    DECODE_TEXT_EXEMPLAR /* one more of the series before, without a sample */
};

/* What becomes of histograms; all false = classic ones only. `native` concerns protobuf. */
struct decode_text_histograms {
    bool native;      /* native ones instead of classic ones where there are any */
    bool custom;      /* classic ones as native ones with custom buckets */
    bool classic_too; /* the classic series beside either */
};

/* Everything in it lives until the next call; the series as long as the cache keeps it. */
struct decode_text_item {
    enum decode_text_kind kind;
    /* metadata */
    struct slice family, text; /* text of HELP (unescaped) and UNIT */
    enum data_metric_type type;
    /* samples */
    struct decode_text_series *series;
    double value;
    const struct data_histogram *histogram; /* instead of the value; NULL = a float */
    int64_t start_ns;                       /* 0 = not given with the sample */
    bool has_ts, is_created; /* is_created: <family>_created of a counter, histogram or summary */
    int64_t ts_ns;           /* saturated when it does not fit */
    uint64_t
        group; /* the same for neighbouring samples of one metric (one counter, one histogram) */
    bool has_exemplar, exemplar_has_ts;
    double exemplar_value;
    int64_t exemplar_ts_ns;
    struct data_labels exemplar_labels;
};

struct decode_text;
/* `strict` concerns OpenMetrics: false leaves out the checks across lines, as Prometheus does. */
struct decode_text *decode_text_new(struct decode_text_cache *cache);
void decode_text_free(struct decode_text *p); /* NULL is fine */
/* For the bodies to come. */
void decode_text_set_histograms(struct decode_text *p,
                                const struct decode_text_histograms *histograms);
/* Starts on a body, which must stay until its end; a new generation of the cache. */
void decode_text_begin(struct decode_text *p, enum decode_text_format format, bool strict,
                       struct slice body);
/* 1: *out is filled. 0: the end. ERR_INVALID: diag has line and column; the parser is done. */
int decode_text_next(struct decode_text *p, struct decode_text_item *out, struct diag *diag);

/* A whole body into a batch, native histograms beside classic ones; samples without a timestamp get
 * `ts_ns`. The batch owns all of it. */
int decode_text_body(enum decode_text_format format, struct slice body, int64_t ts_ns,
                     struct data_metric_batch *batch, struct diag *diag);

#endif
