/* Answers of what was read before a limit was reached, for those who ask for them: rows, bytes,
 * time and memory of reading. Lines are then complete up to a time; values of steps are exact from
 * a time on, and earlier steps are left out.
 *
 * Half of the query's memory is kept for putting the answer together, so that reading ends while an
 * answer can be given. */
#ifndef LANG_LOGQL_PARTIAL_H
#define LANG_LOGQL_PARTIAL_H

#include "base/budget.h"
#include "base/buf.h"
#include "base/diag.h"
#include "query/query.h"

/* Zeroed by who asks; a query's (logql_env.partial). */
struct logql_partial {
    bool cut;        /* something was not read */
    struct diag why; /* the limit that was reached */
    /* Of lines, with `lines`: those behind the edge, in the order asked for, were not looked at;
     * !has_edge: none was. */
    bool lines, forward, has_edge;
    int64_t edge_ns;
    /* Of values: lines up to read_from_ns were not all read, steps from exact_from_ns on do not
     * need them. */
    int64_t read_from_ns, exact_from_ns;
    bool trimmed; /* earlier steps were left out */
};

/* Whether reading that ended so may end in a part of the answer. */
bool logql__partial_takes(const struct logql_partial *p, int err);
/* Says so; the first limit that was reached stays. */
void logql__partial_cut(struct logql_partial *p, const struct diag *why);
/* Takes half of the budget off; returns what logql__partial_release has to give back. */
int64_t logql__partial_reserve(const struct logql_partial *p, struct budget *memory);
void logql__partial_release(struct budget *memory, int64_t reserved);

/* Leaves out the steps whose values are not exact, unless none are. */
void logql_partial_trim(struct logql_partial *p, const struct query_steps *steps,
                        struct query_result *result);
/* Appends the warning: which limit, and what is missing. With `cut` only. */
void logql_partial_text(const struct logql_partial *p, struct buf *out);

#endif
