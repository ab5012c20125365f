/* What the files of this folder share: the run, the values functions take and give, and helpers to
 * make series. Allocations of names, tags and lists come from the run's arena and never fail; what
 * grows with the data (values) is charged to the request's budget first. */
#ifndef LANG_GRAPHITE_GRAPHITE_PRIV_H
#define LANG_GRAPHITE_GRAPHITE_PRIV_H

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "base/map.h"
#include "base/vec.h"
#include "lang/graphite/ast.h"
#include "lang/graphite/graphite.h"
#include "query/slots.h"

#define GRAPHITE__NULL ((double)NAN)

enum graphite__kind {
    GRAPHITE__NONE,
    GRAPHITE__LIST,
    GRAPHITE__LISTS, /* of mapSeries */
    GRAPHITE__INT,
    GRAPHITE__FLOAT,
    GRAPHITE__STRING,
    GRAPHITE__BOOL
};

struct graphite__value {
    enum graphite__kind kind;
    struct graphite_list list;
    struct graphite_list *lists;
    size_t list_count;
    double number;     /* 0 or 1 of a BOOL */
    struct slice text; /* of a string; of a number as it was written */
};

/* The window that is read; functions evaluate their first argument again in another. */
struct graphite__window {
    int64_t start_s, end_s;
};

struct graphite_run {
    const struct graphite_request *req;
    struct arena *arena;
    struct diag *diag;
    int err; /* sticky */
    struct graphite__window window;
    double xff; /* NaN: the default */
    int64_t charged, points;
    size_t plans; /* that were run */
    unsigned depth;
    const struct graphite_template_value *replace; /* of the template() being evaluated */
    size_t replace_count;
    struct graphite__trace *trace; /* of series without values; NULL: functions do their work */
    double *stack_total;           /* of stacked() */
    size_t stack_count;
    uint64_t random;
};

/* What the functions of a chain do to each row, written down in place of being done, and by how
 * much they need the rows to begin earlier: seconds, and slots of that which are not shown. */
struct graphite__trace {
    VEC(struct query_each) each;
    int64_t lead_s;
    size_t lead;
};

/* Of one reader: the times whose step is known; zero = none. */
struct graphite__step_cache {
    struct hash128 times;
    int64_t step_s;
};

#define GRAPHITE__ARGS_MAX 8

struct graphite__function;

struct graphite__call {
    struct graphite_run *x;
    const struct graphite__function *fn;
    const struct graphite_ast *node;
    struct graphite__value arg[GRAPHITE__ARGS_MAX]; /* by parameter; NONE when not given */
    int64_t ahead_s;              /* by so much earlier than asked for the first argument begins */
    struct graphite__value *rest; /* of a last parameter that may be given several times */
    size_t rest_count;
};

typedef int (*graphite__handler)(struct graphite__call *c, struct graphite__value *out);

struct graphite__function {
    const char *name, *group;
    const char *params; /* "name:type[!][*][=default]" with ! required, * several; see table.c */
    const char *help;
    graphite__handler run;
    int64_t detail;  /* what one handler does for several functions */
    bool aggregator; /* may be a callback of groupByNode and the like */
};

const struct graphite__function *graphite__function_find(struct slice name);
/* Calls a function by name with one list: groupByNode's callback. */
int graphite__call_with(struct graphite_run *x, const struct graphite__function *fn,
                        const struct graphite__value *args, size_t count,
                        struct graphite__value *out);

/* --- evaluation --- */
int graphite__eval(struct graphite_run *x, const struct graphite_ast *n,
                   struct graphite__value *out);
/* Parses and evaluates a text: applyByNode, useSeriesAbove, aliasQuery. */
int graphite__eval_text(struct graphite_run *x, struct slice text, struct graphite_list *out);
/* The call's first argument over another window. */
int graphite__again(struct graphite__call *c, int64_t start_s, int64_t end_s,
                    struct graphite_list *out);
/* The series whose names a glob finds, `names`, and which of their paths are wanted, with `mark`
 * (those that are there already keep theirs, and *out_again becomes true). */
int graphite__names_of(struct graphite_run *x, struct slice glob, uint64_t mark, struct map *names,
                       struct map *wanted, bool *out_again);
/* A matcher for all names (at least one); frees with text_regex_free what comes back. */
struct text_regex *graphite__names_matcher(struct graphite_run *x, const struct map *names,
                                           struct store_matcher *out);
/* The series of the run's window, and a little beyond. */
int graphite__select(struct graphite_run *x, const struct store_matcher *matchers, size_t count,
                     struct store_selection **out);
/* The first slot and the end of the last one. */
void graphite__span_of(const struct graphite_run *x, const struct graphite_rollup *how,
                       int64_t *out_start, int64_t *out_end);
int graphite__fetch_path(struct graphite_run *x, struct slice glob, struct graphite_list *out);
int graphite__fetch_tags(struct graphite_run *x, const struct slice *exprs, size_t count,
                         struct slice raw, struct graphite_list *out);
/* How a series is shown for the run's window, by the retention rules; false when none is for it.
 * Any thread. */
bool graphite__rollup_by_rules(const struct graphite_run *x, struct slice name,
                               struct graphite_rollup *out);
/* The same by the step of its data; 0 = not known. */
void graphite__rollup_by_data(const struct graphite_run *x, int64_t step_s,
                              struct graphite_rollup *out);
/* The step that ascending times have; 0 when there are fewer than two. */
int64_t graphite__step_of_times(const int64_t *ts, size_t count);
/* The same of samples: those that were sent together have their times in common, and so their step.
 */
int64_t graphite__step_of(struct graphite__step_cache *cache, const struct store_samples *samples);
/* Fills the slots of s, whose step is the last one of `how`. */
void graphite__roll(const struct store_samples *samples, const struct graphite_rollup *how,
                    struct graphite_series *s);
/* Cancelled or late: an error with words. */
int graphite__check_time(struct graphite_run *x);
int graphite__fail(struct graphite_run *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- series --- */
/* Values for `count` points, all None; NULL and the error set when the budget is used up. */
double *graphite__values(struct graphite_run *x, size_t count);
double *graphite__column(struct graphite_run *x, size_t count); /* the same, not filled */
/* The labels of a stored series, as tags in the place of those it has. */
void graphite__tags_of(struct graphite_run *x, struct graphite_series *s,
                       struct data_labels labels);
/* tags {name: name}; values NULL = a new column of None. NULL when memory is used up. */
struct graphite_series *graphite__series(struct graphite_run *x, struct slice name, int64_t start,
                                         int64_t end, int64_t step, double *values, size_t count);
/* A copy with its own name, tags and (count values of None, at the given step) column. */
struct graphite_series *graphite__copy(struct graphite_run *x, const struct graphite_series *s,
                                       struct slice name, int64_t start, int64_t end, int64_t step,
                                       size_t count);
/* The same shape. */
struct graphite_series *graphite__like(struct graphite_run *x, const struct graphite_series *s,
                                       struct slice name);
void graphite__push(struct graphite_run *x, struct graphite_list *l, struct graphite_series *s);
void graphite__extend(struct graphite_run *x, struct graphite_list *l,
                      const struct graphite_list *from);
void graphite__tag(struct graphite_run *x, struct graphite_series *s, const char *name,
                   struct slice value);
void graphite__untag(struct graphite_series *s, const char *name);
struct slice graphite__tag_of(const struct graphite_series *s, struct slice name);
struct graphite_look *graphite__look(struct graphite_run *x, struct graphite_series *s);
/* Name and path at once. */
void graphite__rename(struct graphite_run *x, struct graphite_series *s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct slice graphite__text(struct graphite_run *x, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* As Python's str() of the argument. */
struct slice graphite__str(struct graphite_run *x, const struct graphite__value *v);
/* Of a slot by what is added up as values come, none of them held: what a plan can do. */
bool graphite__adds_up(enum graphite_agg agg);

/* --- many series --- */
/* Series at one step with one start and end, consolidated by their own functions; the rows are
 * padded with None to `count`. False: there are none. */
struct graphite__rows {
    const struct graphite_list *list;
    int64_t start, end, step;
    size_t count;
    double **columns; /* one a series, `count` long */
};
int graphite__normalize(struct graphite_run *x, const struct graphite_list *l,
                        struct graphite__rows *out);
/* The series consolidated to steps of n points each. */
int graphite__consolidated(struct graphite_run *x, const struct graphite_series *s, size_t n,
                           double **out, size_t *out_count);
/* fn(ctx, from, to, scratch of the thread) for [0, count) in morsels of `size` on all threads. */
typedef void (*graphite__work)(void *ctx, size_t from, size_t to,
                               struct query_slots_scratch *scratch);
int graphite__share(struct graphite_run *x, size_t count, size_t size, graphite__work fn,
                    void *ctx);
/* How many slots of `count` a thread takes on where each is a matter of all series: whole lines of
 * the cache, and not so few that memory is read in pieces. */
size_t graphite__slots_each(const struct graphite_run *x, size_t count);
/* Changes the values of all series, none of which is there twice, step by step; a least_share that
 * is NaN is each series' xFilesFactor. */
int graphite__each(struct graphite_run *x, const struct graphite_list *l,
                   const struct query_each *each, size_t count);
/* An aggregate of the values of each series; NULL after an error. */
double *graphite__figures(struct graphite_run *x, const struct graphite_list *l,
                          enum graphite_agg agg);
/* fn(ctx, slot, v) for each slot: v, as many as there are series, is what they have there, and may
 * be reordered. Any thread. */
typedef void (*graphite__slot_fn)(void *ctx, size_t slot, double *v);
int graphite__across(struct graphite_run *x, const struct graphite__rows *rows,
                     graphite__slot_fn fn, void *ctx);
/* a.b.*,c.d: the distinct paths. */
struct slice graphite__paths(struct graphite_run *x, const struct graphite_list *l);
/* What an aggregate of series is called, which tags it has besides what they have in common (those
 * are there), and its xFilesFactor, NaN = none. */
void graphite__aggregated(struct graphite_run *x, struct graphite_series *s, struct slice title,
                          struct slice function, double xff);
/* f(g(path)): functions that change each series by itself and neither how many there are nor their
 * order, up to what is fetched; their other arguments are literals. */
struct graphite__chain {
    const struct graphite_ast *calls[GRAPHITE__ARGS_MAX]; /* the outermost first */
    const struct graphite__function *fn[GRAPHITE__ARGS_MAX];
    size_t count;
    const struct graphite_ast *source;
};
/* False: there is something else in between. */
bool graphite__chain_of(const struct graphite_ast *n, struct graphite__chain *out);
/* Calls them on series that have no values yet: names and tags become what they would, and what
 * should happen to values is in *trace, which the caller frees. */
int graphite__chain_call(struct graphite_run *x, const struct graphite__chain *chain,
                         struct graphite_list *l, struct graphite__trace *trace);
/* The tags of s become those that all of the list have. */
void graphite__common_tags(struct graphite_run *x, const struct graphite_list *l,
                           struct graphite_series *s);
/* How far ahead a function over moving windows, n, has its first argument begin: told before that
 * is evaluated, or 0, and then it has to be evaluated again. */
int64_t graphite__ahead_s(struct graphite_run *x, const struct graphite_ast *n);
/* A call whose work is an aggregation right over paths, by the common plan: *out_done says whether
 * it was one, and *out is the answer then. */
int graphite__lower(struct graphite_run *x, const struct graphite__function *fn,
                    const struct graphite_ast *n, struct graphite_list *out, bool *out_done);
/* One series of all: sumSeries and its kin. None of them: an empty list. */
int graphite__aggregate(struct graphite_run *x, const struct graphite_list *l,
                        enum graphite_agg agg, struct slice name, double xff,
                        struct graphite_list *out);
bool graphite__xff(size_t non_null, double total, double xff);
/* "average", "averageSeries", "avg": 0 or an error with words. */
int graphite__agg(struct graphite_run *x, struct slice name, enum graphite_agg *out);
size_t graphite__non_null(const double *values, size_t count);
/* The n-th percentile of the values that are there. */
double graphite__percentile(const double *values, size_t count, double n, bool interpolate);
/* The same, reordering them. */
double graphite__percentile_at(double *values, size_t count, double n, bool interpolate);

/* --- names --- */
/* What aliasByNode joins: nodes (numbers) or tags (texts) of a series, from its name or the first
 * path within a call. */
struct slice graphite__key(struct graphite_run *x, const struct graphite_series *s,
                           const struct graphite__value *nodes, size_t count);
/* A name without some of its nodes; the key of groupByTags, with what groups are named after unless
 * by name; and the tags that such a key says, in the place of those the series has. */
struct slice graphite__without_nodes(struct graphite_run *x, struct slice name,
                                     const struct graphite__value *positions, size_t count);
struct slice graphite__tags_key(struct graphite_run *x, const struct graphite_series *s,
                                const struct graphite__value *tags, size_t count,
                                struct slice common);
void graphite__key_to_tags(struct graphite_run *x, struct graphite_series *s, struct slice key);
/* Groups in order of their first series. */
struct graphite__group {
    struct slice key;
    struct graphite_list list;
};
typedef VEC(struct graphite__group) graphite__groups;
struct graphite_list *graphite__group_of(graphite__groups *groups, struct slice key);
/* Python's re.sub and re.search. */
int graphite__regex(struct graphite_run *x, struct slice pattern, struct text_regex **out);
struct slice graphite__sub(struct graphite_run *x, const struct text_regex *re,
                           struct slice replacement, struct slice text);

/* --- time --- */
int64_t graphite__days(int64_t year, int month, int day); /* since 1970 */
void graphite__date(int64_t days, int64_t *year, int *month, int *day);
int64_t graphite__floor_div(int64_t a, int64_t b);
int64_t graphite__unit(struct slice unit); /* seconds of a unit by its prefix; 0 = none */
int graphite__interval(struct graphite_run *x, struct slice text, int64_t *out_s);

/* --- parameters (table.c) --- */
struct graphite__param {
    struct slice name, type, preset; /* preset.ptr NULL = none */
    bool required, multiple;
};
/* The next one; false at the end. */
bool graphite__param_next(struct slice *rest, struct graphite__param *out);

/* --- handlers, by file --- */
#define GRAPHITE__HANDLER(name)                                                                    \
    int graphite__fn_##name(struct graphite__call *c, struct graphite__value *out)
#include "lang/graphite/handlers.h"

#endif
