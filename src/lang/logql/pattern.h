/* Pattern expressions, "<ip> - <_> \"<method> <path>\"": literals and captures in turns. */
#ifndef LANG_LOGQL_PATTERN_H
#define LANG_LOGQL_PATTERN_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

struct logql_pattern_part {
    bool capture;
    struct slice text; /* the literal, or the capture's name; "_" = not named */
};

struct logql_pattern {
    struct logql_pattern_part *parts;
    size_t count;
};

/* ERR_INVALID: captures side by side; for the parser also: no named capture, a name twice; for line
 * filters: a named capture. */
int logql_pattern_parse(struct slice text, bool line_filter, struct arena *arena,
                        struct logql_pattern *out, struct diag *diag);
/* Calls `each` for the named captures of a line, in order. */
void logql_pattern_captures(const struct logql_pattern *p, struct slice line,
                            void (*each)(void *ctx, struct slice name, struct slice value),
                            void *ctx);
/* Whether the pattern matches all of the line, as |> has it. */
bool logql_pattern_matches(const struct logql_pattern *p, struct slice line);

#endif
