/* Graphite's language: targets like sumSeries(scale(a.b.*,10)), the at-style time grammar, paths
 * with globs, and the functions of graphite-web. A run reads series from a store's source into
 * rows of evenly spaced values, in which NaN is Graphite's None, and evaluates the targets over
 * them.
 *
 * How a series of the store is a path and the other way round:
 * docs/decisions/0005-graphite-names.md. Followed: graphite-web's master (render API, functions);
 * what differs is in docs/graphite.md. */
#ifndef LANG_GRAPHITE_GRAPHITE_H
#define LANG_GRAPHITE_GRAPHITE_H

#include "base/arena.h"
#include "base/budget.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/task.h"
#include "codec/json_write.h"
#include "store/source.h"
#include "text/zone.h"

struct graphite_index;
struct graphite_schemas;

enum graphite_agg {
    GRAPHITE_AVERAGE,
    GRAPHITE_AVG_ZERO,
    GRAPHITE_MEDIAN,
    GRAPHITE_SUM,
    GRAPHITE_MIN,
    GRAPHITE_MAX,
    GRAPHITE_DIFF,
    GRAPHITE_STDDEV,
    GRAPHITE_COUNT,
    GRAPHITE_RANGE,
    GRAPHITE_MULTIPLY,
    GRAPHITE_LAST,
    GRAPHITE_FIRST,  /* of consolidateBy only */
    GRAPHITE_ABSMAX, /* of storage-aggregation.conf only */
    GRAPHITE_ABSMIN,
    GRAPHITE_AGG_COUNT
};

struct graphite_tag {
    struct slice name, value;
};

/* How a picture draws a series; all 0 = as usual. */
struct graphite_look {
    double alpha, line_width, dashed; /* 0 = not set */
    bool has_alpha, stacked, invisible, second_y, infinite;
    struct slice color; /* ptr NULL = the next of the list */
};

struct graphite_series {
    struct slice name, path; /* shown; and what aggregates call it by (pathExpression) */
    struct graphite_tag *tags;
    size_t tag_count, tag_cap;
    int64_t start, end, step; /* seconds; values[i] is at start + i * step */
    double *values;           /* NaN = None */
    size_t count;
    enum graphite_agg consolidation;
    double xff;
    struct graphite_look *look; /* NULL = as usual */
};

struct graphite_list {
    struct graphite_series **items;
    size_t len, cap;
};

struct graphite_template_value {
    struct slice name, value;
};

struct graphite_event {
    int64_t when_s;
};

struct graphite_request {
    struct store_source *source;
    struct slice tenant;
    struct graphite_index *index;           /* brought up to date by the caller */
    const struct graphite_schemas *schemas; /* NULL: steps are those of the data */
    int64_t start_s, end_s, now_s;
    const struct text_zone *zone; /* of days and hours; NULL = UTC */
    double xff;                   /* NaN = the default, 0 */
    int64_t series_max;           /* of one path or tag expression; 0 = unlimited */
    int64_t points_max;           /* values held by the run; 0 = unlimited */
    struct budget *memory;
    struct task_pool *pool;        /* NULL: the calling thread alone */
    const _Atomic bool *cancelled; /* may be NULL */
    int64_t deadline_ns;           /* of CLOCK_MONOTONIC; 0 = none */
    const struct graphite_template_value *templates;
    size_t template_count;
    /* Times of the events in [from, until) that have one of the tags (none = all); may be NULL. */
    int (*events)(void *ctx, const struct slice *tags, size_t tag_count, int64_t from_s,
                  int64_t until_s, struct arena *arena, int64_t **out, size_t *out_count,
                  struct diag *diag);
    void *events_ctx;
    bool plain; /* on rows only, without plans: what these are tested against */
};

struct graphite_run;
/* Evaluates the targets in order; *out holds all their series and lives until graphite_run_free.
 * ERR_INVALID: bad syntax (diag has the column), unknown function, bad parameter, in
 * graphite-web's words where it has some. */
int graphite_run_targets(const struct graphite_request *req, const struct slice *targets,
                         size_t count, struct graphite_run **run, struct graphite_list *out,
                         struct diag *diag);
/* How many calls the common executor computed; the others worked on rows. */
size_t graphite_run_plans(const struct graphite_run *run);
void graphite_run_free(struct graphite_run *run); /* NULL is fine */
/* Only the syntax. */
int graphite_check(struct slice target, struct diag *diag);

/* --- time --- */
/* "-1h", "now", "noon yesterday", "20240101", "1700000000", RFC 3339; seconds since 1970. */
int graphite_time_parse(struct slice text, int64_t now_s, const struct text_zone *zone,
                        int64_t *out_s, struct diag *diag);
/* "1h", "-1d2h": seconds with their sign. */
int graphite_offset_parse(struct slice text, int64_t *out_s, struct diag *diag);

/* --- values --- */
/* Python's repr of a float: "1.0", "1e+16", "inf"; "None" for NaN. */
void graphite_append_double(struct buf *out, double v);
/* maxDataPoints, exactly as graphite-web's render does it; `points` > 0. The series is replaced by
 * its consolidated form; start_s and end_s are the smallest start and the largest end of the
 * answer. `arena` holds the new values. */
void graphite_consolidate(struct graphite_series *s, int64_t start_s, int64_t end_s, int64_t points,
                          struct arena *arena);
/* Every n points become one, by the series' own function; returns how many are in `out`, which has
 * room for as many as the series has. n > 0. */
size_t graphite_consolidated(const struct graphite_series *s, size_t n, double *out);
const char *graphite_agg_name(enum graphite_agg agg);
bool graphite_agg_parse(struct slice name, enum graphite_agg *out);
double graphite_aggregate(enum graphite_agg agg, const double *values, size_t count);

/* --- functions --- */
/* The JSON of /functions: everything, by group, of one group, or one function. */
void graphite_functions_json(struct codec_json_writer *w, bool grouped, struct slice group);
bool graphite_function_json(struct codec_json_writer *w, struct slice name);

/* --- paths --- */
/* Does `path` match the glob, node by node? `*`, `?`, [a-c], [!a], {a,b} within a node, ** over any
 * number of nodes. */
bool graphite_glob_match(struct slice glob, struct slice path);
bool graphite_glob_is_plain(struct slice glob); /* nothing but itself */
/* The path of a series (docs/decisions/0005-graphite-names.md); false when it has no name. */
bool graphite_path_of(struct data_labels labels, struct buf *out);
/* "name;t=v;t2=v2", or the name alone. */
void graphite_tagged_name(struct data_labels labels, struct buf *out);

/* The paths of all tenants. Thread-safe. */
struct graphite_index *graphite_index_new(void);
void graphite_index_free(struct graphite_index *index);
/* Sees that it knows what the store knows: what came since the last time is added. Paths that have
 * gone leave when everything is made anew, at most every twentieth of the time (so that an index
 * which takes 1 s is made every 20 s at most). */
int graphite_index_refresh(struct graphite_index *index, struct store_source *source,
                           struct slice tenant, const _Atomic bool *cancelled, struct diag *diag);

struct graphite_node {
    struct slice path; /* full; in the arena */
    bool leaf;
    bool branch;
};
/* What a glob finds, in order of the paths. ERR_LIMIT beyond `max` (0 = unlimited). */
int graphite_index_find(struct graphite_index *index, struct slice tenant, struct slice glob,
                        size_t max, struct arena *arena, struct graphite_node **out,
                        size_t *out_count, struct diag *diag);
/* All leaves below everything, sorted. */
int graphite_index_all(struct graphite_index *index, struct slice tenant, struct arena *arena,
                       struct slice **out, size_t *out_count);

/* --- tags --- */
/* "tag=value", "tag!=value", "tag=~re", "tag!=~re" as a matcher; *out_regex is the caller's to free
 * (may become NULL). "name" is the metric's name. */
int graphite_tag_expression(struct slice text, struct arena *arena, struct store_matcher *out,
                            struct text_regex **out_regex, struct diag *diag);
/* A list of them; at least one must not match the empty text (ERR_INVALID). The regular expressions
 * are freed by graphite_tag_matchers_free. */
int graphite_tag_matchers(const struct slice *texts, size_t count, struct arena *arena,
                          struct store_matcher **out, struct diag *diag);
void graphite_tag_matchers_free(struct store_matcher *matchers, size_t count);

/* --- retention rules --- */
/* storage-schemas.conf and storage-aggregation.conf; either may be empty. The files are for
 * messages. */
int graphite_schemas_parse(struct slice schemas, const char *schemas_file, struct slice aggregation,
                           const char *aggregation_file, struct graphite_schemas **out,
                           struct diag *diag);
/* Comes with one reference. NULL is fine for both. */
struct graphite_schemas *graphite_schemas_ref(struct graphite_schemas *s);
void graphite_schemas_unref(struct graphite_schemas *s);
/* How a series is shown that reaches `age_s` back: in steps of the first archive that covers it,
 * each made of those of the archive before, as whisper does when points arrive. */
#define GRAPHITE_ARCHIVES_MAX 16
struct graphite_rollup {
    int64_t step_s[GRAPHITE_ARCHIVES_MAX]; /* of the archives up to the one shown, finest first */
    size_t count;
    int64_t keep_s; /* how far back there is anything; 0 = no bound */
    enum graphite_agg agg;
    double xff;
};
/* False: no section fits, and the steps are those of the data. `path` is the metric's name. */
bool graphite_schemas_find(const struct graphite_schemas *s, struct slice path, int64_t age_s,
                           struct graphite_rollup *out);
/* The coarsest step and the furthest reach of all sections; 0 when there are none. */
int64_t graphite_schemas_step_max(const struct graphite_schemas *s);
int64_t graphite_schemas_keep_max(const struct graphite_schemas *s);

#endif
