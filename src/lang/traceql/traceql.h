/* TraceQL: text to a checked tree and its text again; run.h gives its answers. Syntax and meaning
 * are Tempo's. What Pharos takes beyond it: fields of the parent span (parent.x), childCount, and
 * scalar expressions on both sides of a comparison. */
#ifndef LANG_TRACEQL_TRACEQL_H
#define LANG_TRACEQL_TRACEQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"

struct traceql_query; /* parsed and checked, in an arena */

/* "" is "{ }". ERR_INVALID with place and words; free with traceql_query_free, which takes what
 * lies outside of the arena. The arena has no budget: a tree is not much larger than its text. */
int traceql_parse(struct slice text, struct arena *arena, struct traceql_query **out,
                  struct diag *diag);
/* What an unfinished query says for sure, for suggestions while it is typed: "{ .a = \"x\" && .b =
 * }" is "{ .a = \"x\" }". Only the conditions of one spanset joined by && are kept; never fails. */
void traceql_parse_partial(struct slice text, struct arena *arena, struct traceql_query **out);
void traceql_query_free(struct traceql_query *q); /* NULL is fine */
/* "invalid TraceQL query: parse error at line 1, col 5: ..." */
void traceql_error_text(const struct diag *diag, struct buf *out);

/* It yields numbers; else traces. */
bool traceql_is_metrics(const struct traceql_query *q);
/* with(most_recent=true) and so on: false when the hint is not there. */
bool traceql_hint_bool(const struct traceql_query *q, struct slice name, bool *out);
bool traceql_hint_number(const struct traceql_query *q, struct slice name, double *out);

/* "1h30m", "1.5s", "10us": numbers with units, in any order, as Go and Prometheus have them. */
bool traceql_duration_parse(struct slice s, int64_t *out_ns);

void traceql_print(const struct traceql_query *q, struct buf *out);
/* The condition of a query that is one filter of spans ("true" for all of them). False, and
 * nothing appended, for any other query, and for one that asks about the trace as a whole. */
bool traceql_print_condition(const struct traceql_query *q, struct buf *out);

#endif
