/* Inside of the text parsers: what their files share. */
#ifndef DECODE_PROM_TEXT_PRIV_H
#define DECODE_PROM_TEXT_PRIV_H

#include "base/map.h"
#include "codec/pb.h"
#include "decode/prom_text.h"

/* A set of 64-bit hashes that empties in constant time. */
struct decode__seen {
    uint64_t *slots; /* hash, 0 = empty */
    uint32_t *marks; /* the round a slot was written in */
    uint32_t round;
    size_t slot_count, used;
};
void decode__seen_clear(struct decode__seen *s);
void decode__seen_deinit(struct decode__seen *s);
/* False when it was there. */
bool decode__seen_add(struct decode__seen *s, uint64_t hash);

/* --- OpenMetrics' rules across lines (prom_text_check.c) --- */

struct decode__family {
    struct buf name;
    bool any; /* a family is open */
    bool has_type, has_help, has_unit, has_samples;
    enum data_metric_type type;
    struct buf unit;
    /* the group (one counter, one histogram, ...) of the sample before */
    bool in_group, group_has_ts;
    uint64_t group;
    double group_ts; /* seconds, as written */
    struct decode__seen groups;
    /* the histogram in hand */
    bool in_histogram, histogram_has_ts, has_bucket, negative_buckets, has_sum, has_gsum,
        negative_gsum, has_count;
    uint64_t histogram;
    double histogram_ts, bound, bucket_value, count;
};

struct decode__checker {
    struct decode__family f;
    struct map *names; /* all sample names families of this body have claimed */
};

void decode__checker_begin(struct decode__checker *c);
void decode__checker_deinit(struct decode__checker *c);
/* Metadata of `family`; `kind` is TYPE, HELP or UNIT. Messages have no place yet. */
int decode__checker_metadata(struct decode__checker *c, enum decode_text_kind kind,
                             struct slice family, enum data_metric_type type, struct slice text,
                             struct diag *diag);
/* ts_sec: the timestamp as written. */
int decode__checker_sample(struct decode__checker *c, const struct decode_text_item *item,
                           double ts_sec, struct diag *diag);
int decode__checker_end(struct decode__checker *c, struct diag *diag);

/* What a type appends to its family's name; NULL-terminated. */
const char *const *decode__type_suffixes(enum data_metric_type type);

/* --- the protobuf format (prom_proto.c) --- */

/* One sample of the metric in hand. */
struct decode__proto_sample {
    const char *suffix, *bound_name; /* bound_name NULL: no le or quantile */
    double bound, value;
    const struct data_histogram *histogram;
    struct slice exemplar; /* its message, or ptr NULL */
    bool only_exemplar;
};

struct decode__proto {
    struct decode_text_histograms options;
    struct slice body, rest;
    enum {
        DECODE__PROTO_NEXT_FAMILY,
        DECODE__PROTO_HELP,
        DECODE__PROTO_UNIT,
        DECODE__PROTO_METRICS
    } stage;
    /* the family in hand */
    struct codec_pb_reader family;
    struct slice name, help, unit;
    int type;
    /* the metric in hand */
    struct arena *arena; /* its histograms */
    VEC(struct decode__proto_sample) pending;
    size_t next;
    struct buf labels, raw; /* as text */
    bool has_ts;
    int64_t ts_ns, start_ns;
    struct data_labels_builder exemplar;
};

void decode__proto_begin(struct decode__proto *p, struct slice body);
void decode__proto_deinit(struct decode__proto *p);
/* As decode_text_next; errors name the byte. */
int decode__proto_next(struct decode__proto *p, struct decode_text_cache *cache,
                       struct decode_text_item *out, struct diag *diag);

/* --- classic histograms as native ones (prom_custom.c) --- */

struct decode__custom_exemplar {
    double value;
    int64_t ts_ns;
    bool has_ts;
    struct data_labels labels;
};

struct decode__custom {
    struct arena *arena; /* of the histogram in hand */
    bool open, held;
    struct decode_text_item item; /* read too far: the next one, when held */
    /* the histogram in hand */
    struct buf family, raw; /* its name, and its series as text */
    uint64_t group;
    enum data_metric_type type;
    VEC(double) bounds;
    VEC(double) counts; /* cumulative */
    double sum, count;  /* NaN until seen */
    bool has_ts;
    int64_t ts_ns, start_ns;
    VEC(struct decode__custom_exemplar) exemplars;
    size_t exemplar; /* the next to be told */
    struct decode_text_series *series;
};

void decode__custom_begin(struct decode__custom *c);
void decode__custom_deinit(struct decode__custom *c);
/* As decode_text_next, over `next`. */
int decode__custom_next(struct decode__custom *c, bool classic_too,
                        int (*next)(struct decode_text *p, struct decode_text_item *out,
                                    struct diag *diag),
                        struct decode_text *p, struct decode_text_cache *cache,
                        struct decode_text_item *out, struct diag *diag);

/* A name or value in quotes, escaped as the text format has it. */
void decode__put_quoted(struct slice s, struct buf *out);

/* --- cache and label sets (prom_text_series.c) --- */

struct decode_text_cache {
    struct map *map; /* raw text -> struct decode_text_series */
    uint64_t generation;
    void (*drop)(struct decode_text_series *s, void *ctx);
    void *ctx;
    struct data_labels_builder builder; /* scratch */
    struct buf text;                    /* scratch: unescaped values */
};

/* Finds or parses. On an error *at is the offset in `raw`. */
int decode__series(struct decode_text_cache *cache, enum decode_text_format format,
                   struct slice raw, enum data_metric_type type, struct decode_text_series **out,
                   size_t *at, struct diag *diag);
/* Offset behind the closing brace of the label set that begins at `s` ("{"), or 0 when it does not
 * end. */
size_t decode__labels_end(struct slice s);
/* Parses {a="b",...} into the builder; text that needs unescaping goes to `text`, which must have
 * room for s.len more bytes. `metric` gets a quoted metric name. */
int decode__labels(enum decode_text_format format, struct slice s, struct data_labels_builder *b,
                   struct buf *text, struct slice *metric, size_t *at, struct diag *diag);
/* The length of a name at the start of s: with ':' when `metric`. */
size_t decode__name_len(struct slice s, bool metric);

#endif
