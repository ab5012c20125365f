/* Pipelines over the spans of one trace. */
#ifndef LANG_TRACEQL_ENGINE_H
#define LANG_TRACEQL_ENGINE_H

#include "lang/traceql/eval.h"

/* What a spanset is said to have: avg(duration), by(name). */
struct traceql_mark {
    struct slice name;
    struct traceql_value value;
};

struct traceql_spanset {
    const uint32_t *rows; /* within the trace, ascending */
    size_t count;
    const struct traceql_mark *marks;
    size_t mark_count;
};

struct traceql_spansets {
    struct traceql_spanset *items;
    size_t count;
};

/* The spansets that are left, none of them empty; in r->arena. ERR_NOMEM. */
int traceql__run(const struct traceql_rows *r, const struct traceql_pipeline *p,
                 struct traceql_spansets *out);

#endif
