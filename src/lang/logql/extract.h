/* What the parser stages find in a line. Each adds labels to the line and, when the line is not
 * what it should be, an error; labels found before that stay. */
#ifndef LANG_LOGQL_EXTRACT_H
#define LANG_LOGQL_EXTRACT_H

#include "lang/logql/ast.h"
#include "lang/logql/line.h"
#include "lang/logql/pattern.h"

struct logql_path_step {
    bool is_index;
    size_t index;
    struct slice key;
};

/* a.b[0]["c d"] */
struct logql_path {
    struct logql_path_step *steps;
    size_t count;
};
int logql_path_parse(struct slice text, struct arena *arena, struct logql_path *out,
                     struct diag *diag);

/* All of an object, nested keys joined by _; arrays and nulls are left out. */
void logql_extract_json(struct logql_line *l);
/* The keys that lead to what logql_extract_json calls `name`, at most `max`; 0 when there is none.
 * Texts are in the arena. */
size_t logql_json_keys(struct slice text, struct slice name, struct arena *arena,
                       struct slice *out_keys, size_t max);
/* The label of a key below those that gave `prefix`. */
struct slice logql__json_name(struct arena *arena, struct slice prefix, struct slice key);
/* The value at a path: labels[i] of paths[i], "" when there is none. */
void logql_extract_json_paths(struct logql_line *l, const struct logql_pair *labels,
                              const struct logql_path *paths, size_t count);
/* pairs NULL: all of them. */
void logql_extract_logfmt(struct logql_line *l, bool strict, bool keep_empty,
                          const struct logql_pair *pairs, size_t count);
void logql_extract_regexp(struct logql_line *l, const struct text_regex *regex,
                          const struct slice *names, size_t count);
void logql_extract_pattern(struct logql_line *l, const struct logql_pattern *pattern);
/* An object of Promtail's pack stage: its strings are labels, _entry is the line. */
void logql_unpack(struct logql_line *l);
/* The line without terminal escape sequences. */
void logql_decolorize(struct logql_line *l);

#endif
