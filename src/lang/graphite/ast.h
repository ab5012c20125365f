/* A target as a tree. Everything in the arena of the parse; slices may point into the text. */
#ifndef LANG_GRAPHITE_AST_H
#define LANG_GRAPHITE_AST_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

enum graphite_ast_kind {
    GRAPHITE_AST_PATH,
    GRAPHITE_AST_CALL,
    GRAPHITE_AST_TEMPLATE, /* args[0] is the expression, the others its values */
    GRAPHITE_AST_INT,
    GRAPHITE_AST_FLOAT,
    GRAPHITE_AST_STRING,
    GRAPHITE_AST_BOOL,
    GRAPHITE_AST_NONE,
    GRAPHITE_AST_INF
};

struct graphite_ast {
    enum graphite_ast_kind kind;
    struct slice text; /* path, function's name, string */
    struct slice raw;  /* of a call, as it was written */
    double number;     /* also 1 or 0 of a BOOL */
    struct graphite_ast **args;
    struct slice *arg_names; /* ptr NULL = by position */
    size_t arg_count;
};

#define GRAPHITE_DEPTH_MAX 64

int graphite__parse(struct slice text, struct arena *arena, struct graphite_ast **out,
                    struct diag *diag);

#endif
