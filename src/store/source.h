/* Reading metrics: the scan interface of every source of series (the local store, a test's memory,
 * later ClickHouse or object storage). Two steps, so that series are resolved once and samples are
 * read series by series from any thread:
 *
 *   select   matchers and a time range -> the series, sorted by labels (data_labels_cmp)
 *   read     one series' samples in a time range, sorted by time, one sample a timestamp
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/vec.h"
#include "data/histogram.h"
#include "data/labels.h"
#include "data/metric_batch.h"

struct text_regex;

enum store_match_op { STORE_MATCH_EQ, STORE_MATCH_NE, STORE_MATCH_RE, STORE_MATCH_NRE };

/* A missing label matches as the empty value. */
struct store_matcher {
    enum store_match_op op;
    struct slice name, value;
    const struct text_regex *regex; /* compiled, fully anchored; for RE and NRE */
};

/* Against one value; pass the empty slice for a label that is not there. */
bool store_matcher_matches(const struct store_matcher *m, struct slice value);

struct store_select_req {
    struct slice tenant;
    int64_t t_min_ns, t_max_ns; /* inclusive; series without a sample in it may be left out */
    const struct store_matcher *matchers;
    size_t matcher_count;
    size_t series_max;             /* ERR_LIMIT beyond; 0 = unlimited */
    struct budget *memory;         /* may be NULL */
    const _Atomic bool *cancelled; /* may be NULL; checked now and then: ERR_CANCELLED */
    bool any_order; /* of the series: whichever is cheapest, but the same for the same series */
};

/* The windows samples are read for: the i-th sees (T - range, T] with T = first + i * step. */
struct store_windows {
    int64_t first_ns, step_ns, range_ns;
    size_t count;
};

enum store_knows {
    STORE_KNOWS_ENDS = 1, /* first, last, min, max, changes, drops: of every summary */
    STORE_KNOWS_SUM = 2,
    STORE_KNOWS_RESETS = 4,   /* `before` has all drops */
    STORE_KNOWS_INTEGERS = 8, /* all values are */
    STORE_KNOWS_ALL = 16      /* of no summary: asks for the samples */
};

#define STORE_SUMMARY_DROPS 8

/* Of samples that were not decoded, since every window sees all of them or none. No value is NaN,
 * infinite or -0, and none has a start timestamp. */
struct store_summary {
    size_t at;      /* place of the first among the samples that were read; the last is next */
    uint32_t count; /* of them all */
    unsigned knows; /* enum store_knows */
    double first, last, min, max;
    double sum;                         /* of integers, no partial sum of which is rounded */
    uint32_t changes, drops;            /* values unlike the one before; below it */
    double before[STORE_SUMMARY_DROPS]; /* the values each drop was from, in order */
};

struct store_times_cache;

/* Samples of one series, reused from read to read. Zero it before the first use. */
struct store_samples {
    bool share_times; /* the reader's wish: `ts` may be a column of several series, read only */
    struct budget *memory; /* what is kept for that is charged to; may be NULL */
    /* Its other wish, with share_times: what no window sees is left out, and samples of which every
     * window sees all or none may be stood for by their first and last alone, if their summary
     * knows all of `wants`. NULL: all samples of the range. */
    const struct store_windows *windows;
    unsigned wants; /* enum store_knows */
    size_t count;
    int64_t *ts;                             /* ns, strictly ascending */
    double *value;                           /* undefined where a histogram is given */
    const struct data_histogram **histogram; /* NULL when the series has none in the range */
    int64_t *start;                          /* start timestamps, 0 = unknown; NULL when none */
    /* Columns of times with the same id are the same, among reads of one selection and one range
     * into this. Zero: nothing is known. */
    struct hash128 times_id;
    bool ordinary; /* no value is NaN, infinite or -0; false: not known */
    bool integers; /* all values are integers; false: not known */
    /* Of samples that are stood for; until the next read. */
    const struct store_summary *summaries;
    size_t summary_count;
    /* With summaries: the places the samples have among all. NULL: one behind the other. */
    const uint32_t *place;
    struct arena *arena; /* holds the histograms of the last read */
    /* What ts and value point into, of `cap` samples. */
    int64_t *own_ts;
    double *own_value;
    size_t cap;
    struct store_times_cache *times; /* columns of times that were read */
};
void store_samples_free(struct store_samples *s);
/* Makes room for `count` samples in ts and value (histogram and start only when with_*). */
void store_samples_reserve(struct store_samples *s, size_t count, bool with_histograms,
                           bool with_start);

struct store_selection; /* pins what it selected until freed */

struct store_metadata {
    struct slice metric, unit, help;
    enum data_metric_type type;
};

struct store_exemplar {
    struct data_labels series, labels;
    int64_t ts_ns;
    double value;
};

struct store_source_stats {
    uint64_t series, label_pairs, parts, samples, head_samples;
    uint64_t disk_bytes, wal_bytes, memory_bytes;
    int64_t t_min_ns, t_max_ns; /* of what is stored; t_min > t_max when empty */
};

struct store_arrivals_cursor {
    uint64_t number, losses;
};

struct store_source {
    const struct store_source_ops *ops;
};

/* All thread-safe. Results are in `arena` where one is given. */
struct store_source_ops {
    int (*select)(struct store_source *src, const struct store_select_req *req,
                  struct store_selection **out, struct diag *diag);
    size_t (*selection_count)(const struct store_selection *sel);
    struct data_labels (*selection_labels)(const struct store_selection *sel, size_t i);
    /* Samples with t_min_ns <= ts <= t_max_ns; both within the select's range. */
    int (*selection_read)(struct store_selection *sel, size_t i, int64_t t_min_ns, int64_t t_max_ns,
                          struct store_samples *out, struct diag *diag);
    void (*selection_free)(struct store_selection *sel);

    /* Sorted, distinct; at most `limit` when it is not 0 (*out_cut then tells). matchers may be
     * none. */
    int (*label_names)(struct store_source *src, const struct store_select_req *req, size_t limit,
                       struct arena *arena, struct slice **out, size_t *out_count, bool *out_cut,
                       struct diag *diag);
    int (*label_values)(struct store_source *src, struct slice name,
                        const struct store_select_req *req, size_t limit, struct arena *arena,
                        struct slice **out, size_t *out_count, bool *out_cut, struct diag *diag);
    /* metric.ptr NULL = all. */
    int (*metadata)(struct store_source *src, struct slice tenant, struct slice metric,
                    struct arena *arena, struct store_metadata **out, size_t *out_count,
                    struct diag *diag);
    int (*exemplars)(struct store_source *src, const struct store_select_req *req,
                     struct arena *arena, struct store_exemplar **out, size_t *out_count,
                     struct diag *diag);
    void (*stats)(struct store_source *src, struct store_source_stats *out);

    /* For who keeps answers; NULL where it is not known. `changes` is a number that grows with
     * everything that changes what can be read; an acknowledged append is counted. `changed_from`
     * gives the earliest time at which anything changed since there was that number: INT64_MAX
     * nothing, INT64_MIN it may be anything. */
    uint64_t (*changes)(struct store_source *src);
    int64_t (*changed_from)(struct store_source *src, uint64_t since);

    /* For who keeps an index of series; NULL where it is not known. Calls `each` with the labels of
     * every series that came since the cursor was taken (possibly with some that were there), under
     * a lock: it must be short and must not call the source. The cursor then stands at now.
     * ERR_AGAIN: that is not known (a zero cursor, too many, or series have gone); the cursor
     * stands at now, and what a select says from here on is what it continues. */
    int (*arrivals)(struct store_source *src, struct slice tenant,
                    struct store_arrivals_cursor *cursor,
                    void (*each)(void *ctx, struct data_labels labels), void *ctx);
};

#endif
