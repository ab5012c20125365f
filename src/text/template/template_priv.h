/* The tree of a template, shared by its parser and its evaluation. */
#ifndef TEXT_TEMPLATE_TEMPLATE_PRIV_H
#define TEXT_TEMPLATE_TEMPLATE_PRIV_H

#include "base/map.h"
#include "base/vec.h"
#include "text/template/template.h"

#define TEMPLATE_DEPTH_MAX 100 /* of nested controls, parentheses and running templates */

enum node_kind {
    NODE_TEXT,
    NODE_ACTION,
    NODE_IF,
    NODE_RANGE,
    NODE_WITH,
    NODE_TEMPLATE,
    NODE_BREAK,
    NODE_CONTINUE,
    /* what a command is made of */
    NODE_DOT,
    NODE_NIL,
    NODE_BOOL,
    NODE_NUMBER,
    NODE_STRING,
    NODE_FIELD,    /* .a.b */
    NODE_VARIABLE, /* $x.a.b */
    NODE_FUNCTION,
    NODE_CHAIN, /* (pipe).a.b */
    NODE_PIPE,
    NODE_COMMAND
};

struct node {
    enum node_kind kind;
    const struct source *source;
    size_t begin, end; /* in the source */
    size_t at;         /* the place that messages name: of the first field behind a term */
    struct slice text; /* TEXT, STRING; name of TEMPLATE, FUNCTION, VARIABLE */
    struct text_template_value constant;
    struct slice *fields; /* FIELD, VARIABLE, CHAIN */
    size_t field_count;
    const struct text_template_function *function; /* FUNCTION: NULL for Go's own */
    int builtin;                                   /* FUNCTION of Go's own */
    struct node *pipe;                             /* ACTION, IF, RANGE, WITH, TEMPLATE, CHAIN */
    struct node *body, *otherwise;                 /* IF, RANGE, WITH: first of a list */
    struct node *next;                             /* of a list of nodes, commands, or arguments */
    struct node *first;                            /* PIPE: commands; COMMAND: words */
    size_t count;
    /* PIPE */
    struct slice variables[2];
    unsigned variable_count;
    bool assigns; /* = instead of := */
};

/* One parsed text. */
struct source {
    struct slice name, text;
};

struct definition {
    struct slice name;
    const struct source *source;
    struct node *body; /* NULL: empty */
    struct definition *next;
};

struct text_template {
    struct arena *arena;
    const struct text_template_function *functions;
    size_t function_count;
    struct definition *definitions; /* newest first */
    struct slice main;
};

struct definition *text__template_find(const struct text_template *t, struct slice name);

/* Go's own functions. */
enum builtin {
    BUILTIN_AND,
    BUILTIN_OR,
    BUILTIN_NOT,
    BUILTIN_LEN,
    BUILTIN_INDEX,
    BUILTIN_SLICE,
    BUILTIN_PRINT,
    BUILTIN_PRINTF,
    BUILTIN_PRINTLN,
    BUILTIN_HTML,
    BUILTIN_URLQUERY,
    BUILTIN_EQ,
    BUILTIN_NE,
    BUILTIN_LT,
    BUILTIN_LE,
    BUILTIN_GT,
    BUILTIN_GE,
    BUILTIN_COUNT
};
extern const char *const text__template_builtins[BUILTIN_COUNT];
/* All but `and` and `or`, which stop early. */
int text__template_builtin(enum builtin id, struct text_template_call *call,
                           const struct text_template_value *args, size_t count,
                           struct text_template_value *out, struct diag *diag);
/* A map's value of a key; false when it is not there. */
bool text__template_get(struct text_template_call *call, const struct text_template_value *map,
                        struct slice key, struct text_template_value *out);
/* The pairs in the order of their keys, in the arena; NULL when memory is used up. */
const struct text_template_pair *text__template_sorted(const struct text_template_value *map,
                                                       struct arena *arena);
/* Go's "%q". */
void text__template_quote(struct slice s, struct buf *out);

#endif
