/* LogQL: text to a checked tree, its text again, and (run.h) its answers. Syntax and messages are
 * those of Loki 3. What Pharos takes beyond it: dotted and quoted label names ("k8s.pod.name"). */
#ifndef LANG_LOGQL_LOGQL_H
#define LANG_LOGQL_LOGQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "store/source.h"

struct logql_expr; /* a parsed and checked expression, in an arena */

#define LOGQL_TEXT_MAX ((size_t)128 << 10) /* bytes of a query */

/* Parses and checks. `arena` must not be one that can be used up. The diag gets ERR_INVALID, the
 * place (line 0 when it is the whole query) and the message alone; logql_error_text gives it in
 * Loki's full form. Free with logql_expr_free. */
int logql_parse(struct slice text, struct arena *arena, struct logql_expr **out, struct diag *diag);
void logql_expr_free(struct logql_expr *expr); /* NULL is fine */
/* Appends "parse error at line 1, col 5: syntax error: unexpected ...". */
void logql_error_text(const struct diag *diag, struct buf *out);

/* A selector and its pipeline; else it yields numbers. */
bool logql_is_log(const struct logql_expr *expr);
/* A log expression without any stage that could drop a line. */
bool logql_is_selector(const struct logql_expr *expr);

/* A selector alone, for match[] and the like; "{}" only when `allow_empty`. The matchers live as
 * long as *out. */
int logql_parse_selector(struct slice text, bool allow_empty, struct arena *arena,
                         struct logql_expr **out, struct diag *diag);
/* The matchers of the first selector in the expression. */
const struct store_matcher *logql_matchers(const struct logql_expr *expr, size_t *out_count);

/* The expression on one line, as Loki prints it. */
void logql_print(const struct logql_expr *expr, struct buf *out);
/* The same, broken where it is longer than 100 bytes, as /loki/api/v1/format_query answers. */
void logql_format(const struct logql_expr *expr, struct buf *out);

#endif
