/* Labels of `json` and `logfmt` told by the shape of lines: a store that keeps lines as columns
 * says what all lines of a shape have in common, and the parser is run once over that. What it
 * would find in each of them, and that it finds no fault with any, is known then, and the lines
 * themselves are not needed. Where anything is in doubt, they are: the answers are the same either
 * way. */
#ifndef LANG_LOGQL_DERIVE_H
#define LANG_LOGQL_DERIVE_H

#include "lang/logql/ast.h"
#include "lang/logql/extract.h"
#include "lang/logql/line.h"
#include "store/events.h"

struct logql_pipeline;

/* A label filter behind the parser, on what this finds: dropped for it, a line is dropped. */
struct logql_derive_test {
    const struct logql_filter *filter;
    size_t column;
};

struct logql_derive {
    struct store_event_derive scan; /* for the scan; its columns become the labels: */
    const struct slice *names;
    const struct logql_stage *parser;
    const struct logql_path *paths; /* json a="b" */
    const struct logql_wanted *wanted;
    struct logql_derive_test *tests;
    size_t test_count;
    bool only; /* the parser is all that is done with a line, but for unwrap */
};

/* NULL: the pipeline needs its lines. */
struct logql_derive *logql__derive_new(const struct logql_pipeline *p, struct arena *arena);
/* What the parser does, for a line whose labels are told. */
void logql__derive_apply(const struct logql_derive *d, struct logql_line *l);

/* shape_json.c, shape_logfmt.c: the plan for lines of a shape (store_event_derive.plan). */
bool logql__shape_json(const struct logql_derive *d, const struct store_event_shape *shape,
                       unsigned attempt, struct arena *arena, enum store_event_texts *texts,
                       struct store_event_told *columns);
bool logql__shape_logfmt(const struct logql_derive *d, const struct store_event_shape *shape,
                         unsigned attempt, struct arena *arena, enum store_event_texts *texts,
                         struct store_event_told *columns);

/* --- for both --- */

/* A shape as one row of characters and places. */
struct logql_shape_text {
    const uint16_t *symbols; /* a byte, or LOGQL_SHAPE_PLACE + the place */
    size_t len, at;
    struct arena *arena;
    /* Of each place, in its order: what has to be so of it, and where it stands. */
    enum store_event_texts *texts;
    size_t *place_at;
    uint32_t places;
};
#define LOGQL_SHAPE_PLACE 256
/* False: it is too long. */
bool logql__shape_flatten(const struct store_event_shape *shape, struct arena *arena,
                          enum store_event_texts *texts, struct logql_shape_text *out);
/* The symbols [begin, end) as parts of a value. */
void logql__shape_parts(const struct logql_shape_text *s, size_t begin, size_t end,
                        struct store_event_told *out);
/* Places behind `end` may hold anything. */
void logql__shape_forget(struct logql_shape_text *s, size_t end);
/* Their text; places make it none: ptr NULL. */
struct slice logql__shape_literal(const struct logql_shape_text *s, size_t begin, size_t end);

#endif
