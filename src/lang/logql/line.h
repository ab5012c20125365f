/* One log line on its way through a pipeline: its text, its labels with where they come from, and
 * what went wrong. Belongs to one thread; used from line to line. */
#ifndef LANG_LOGQL_LINE_H
#define LANG_LOGQL_LINE_H

#include "base/arena.h"
#include "base/vec.h"
#include "data/labels.h"
#include "data/value.h"
#include "text/regex.h"
#include "text/zone.h"

#define LOGQL_ERROR          "__error__"
#define LOGQL_ERROR_DETAILS  "__error_details__"
#define LOGQL_PRESERVE_ERROR "__preserve_error__"
#define LOGQL_EXTRACTED      "_extracted"

enum logql_category {
    LOGQL_STREAM,   /* labels of the stream */
    LOGQL_METADATA, /* the line's structured metadata */
    LOGQL_PARSED    /* made by the pipeline */
};

struct logql_label {
    struct slice name, value;
    enum logql_category category;
};

struct logql_wanted {
    const struct slice *names;
    size_t count;
    bool all_is_enough; /* a parser may stop when it has them: what is wrong behind is no error */
};

struct logql_line_regex {
    struct slice pattern; /* owned */
    struct text_regex *regex;
};

struct logql_line_zone {
    struct slice name; /* owned */
    struct text_zone *zone;
};

struct logql_line {
    int64_t ts_ns;
    int64_t now_ns; /* the wall clock, for templates */
    struct slice text;
    VEC(struct logql_label) labels; /* distinct names, in no order */
    struct slice error, error_details;
    struct arena *arena; /* of what the stages make; emptied by logql_line_begin */
    /* Of a pipeline that needs but some of the labels: what parsers may leave out. NULL = nothing.
     */
    const struct logql_wanted *wanted;
    size_t missing; /* of the wanted ones, so many are not there yet (logql_line_look) */
    /* What its parser finds in the line is told already (lang/logql/derive.h): row `told_row` of
     * these columns. NULL: it is not. */
    const struct data_value *const *told;
    size_t told_row;
    /* Regular expressions that templates make as they run. */
    VEC(struct logql_line_regex) regexes;
    VEC(struct logql_line_zone) zones; /* that templates name */
};

void logql_line_init(struct logql_line *l);
void logql_line_deinit(struct logql_line *l);
/* The next line, without labels. */
void logql_line_begin(struct logql_line *l, int64_t ts_ns, struct slice text);
/* A label of the stream; the caller knows that it is there once. */
static inline void logql_line_add(struct logql_line *l, struct slice name, struct slice value)
{
    vec_push(&l->labels, ((struct logql_label){name, value, LOGQL_STREAM}));
}
/* Structured metadata: a name that the stream has gets "_extracted" behind it. */
void logql_line_add_metadata(struct logql_line *l, struct slice name, struct slice value);
/* Before a parser: counts what is missing. False when the line need not be parsed at all. */
bool logql_line_look(struct logql_line *l);
/* Whether a parser may stop. */
static inline bool logql_line_has_all(const struct logql_line *l)
{
    return l->wanted && !l->missing && l->wanted->all_is_enough;
}
/* Whether a label of that name, or one that it may become, matters. */
bool logql_line_wants(const struct logql_line *l, struct slice name);
/* Whether any label whose name begins with prefix and an underscore does. */
bool logql_line_wants_below(const struct logql_line *l, struct slice prefix);
/* What a parser found: the same, and the first of a name stays. The name and value live until the
 * next line. */
void logql_line_extract(struct logql_line *l, struct slice name, struct slice value);
/* The label's value; ptr NULL when it is not there. Errors are labels here. */
struct slice logql_line_get(const struct logql_line *l, struct slice name);
struct logql_label *logql_line_find(struct logql_line *l, struct slice name);
void logql_line_set(struct logql_line *l, struct slice name, struct slice value,
                    enum logql_category category);
void logql_line_remove(struct logql_line *l, struct slice name);
/* The first error of a line stays. */
void logql_line_fail(struct logql_line *l, const char *error, struct slice details);
/* Puts the errors among the labels and sorts these by name. */
void logql_line_finish(struct logql_line *l);

/* The compiled expression; it lives as long as the line. */
int logql_line_regex(struct logql_line *l, struct slice pattern, const struct text_regex **out,
                     struct diag *diag);

/* The time zone of a name of the tz database; it lives as long as the line. ERR_INVALID. */
int logql_line_zone(struct logql_line *l, struct slice name, const struct text_zone **out,
                    struct diag *diag);

/* [a-zA-Z0-9_] and no digit in front, as parsers spell names. In `arena` when it has to change. */
struct slice logql_sanitize(struct arena *arena, struct slice name);

#endif
