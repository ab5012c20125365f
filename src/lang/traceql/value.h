/* Values of TraceQL: what a field of a span is, and what comes of operators (Tempo's rules: values
 * of kinds that do not go together compare as false, whatever the operator). */
#ifndef LANG_TRACEQL_VALUE_H
#define LANG_TRACEQL_VALUE_H

#include "base/arena.h"
#include "data/value.h"
#include "text/regex.h"

enum traceql_kind {
    TRACEQL_NIL, /* missing */
    TRACEQL_STRING,
    TRACEQL_INT,
    TRACEQL_FLOAT,
    TRACEQL_BOOL,
    TRACEQL_DURATION, /* i: ns */
    TRACEQL_STATUS,   /* i: 0 unset, 1 ok, 2 error */
    TRACEQL_SPAN_KIND,
    TRACEQL_LIST /* several: an array attribute, or the events and links of a span */
};

/* A view. */
struct traceql_value {
    enum traceql_kind kind;
    bool any; /* LIST: != and !~ need one that differs; else all have to */
    union {
        struct slice text;
        int64_t i; /* INT, BOOL, DURATION, STATUS, SPAN_KIND */
        double d;
        struct {
            const struct traceql_value *items;
            size_t count;
        } list;
    };
};

enum traceql_op {
    TRACEQL_ADD,
    TRACEQL_SUB,
    TRACEQL_MUL,
    TRACEQL_DIV,
    TRACEQL_MOD,
    TRACEQL_POW,
    TRACEQL_EQ,
    TRACEQL_NE,
    TRACEQL_LT,
    TRACEQL_LE,
    TRACEQL_GT,
    TRACEQL_GE,
    TRACEQL_MATCH,
    TRACEQL_NOT_MATCH,
    TRACEQL_AND,
    TRACEQL_OR,
    TRACEQL_NOT, /* of one operand */
    TRACEQL_NEG,
    /* of sets of spans */
    TRACEQL_CHILD,
    TRACEQL_DESCENDANT,
    TRACEQL_PARENT,
    TRACEQL_ANCESTOR,
    TRACEQL_SIBLING,
    TRACEQL_NOT_CHILD,
    TRACEQL_NOT_DESCENDANT,
    TRACEQL_NOT_PARENT,
    TRACEQL_NOT_ANCESTOR,
    TRACEQL_NOT_SIBLING,
    TRACEQL_WITH_CHILD, /* both sides */
    TRACEQL_WITH_DESCENDANT,
    TRACEQL_WITH_PARENT,
    TRACEQL_WITH_ANCESTOR,
    TRACEQL_WITH_SIBLING,
    TRACEQL_OP_COUNT
};
/* As it is written. */
const char *traceql__op_name(enum traceql_op op);
static inline bool traceql__is_compare(enum traceql_op op)
{
    return op >= TRACEQL_EQ && op <= TRACEQL_NOT_MATCH;
}

/* An attribute's value. Arrays become lists in `arena` (NULL: they stay texts). */
struct traceql_value traceql__value_of(struct data_value v, struct arena *arena);
static inline struct traceql_value traceql__text(struct slice s)
{
    return (struct traceql_value){.kind = TRACEQL_STRING, .text = s};
}
static inline struct traceql_value traceql__int(enum traceql_kind kind, int64_t i)
{
    return (struct traceql_value){.kind = kind, .i = i};
}
static inline struct traceql_value traceql__bool(bool b)
{
    return (struct traceql_value){.kind = TRACEQL_BOOL, .i = b};
}
static inline bool traceql__is_true(struct traceql_value v)
{
    return v.kind == TRACEQL_BOOL && v.i;
}
static inline bool traceql__is_number(enum traceql_kind kind)
{
    return kind == TRACEQL_INT || kind == TRACEQL_FLOAT || kind == TRACEQL_DURATION;
}
/* Durations in ns. False for what is none. */
bool traceql__number(struct traceql_value v, double *out);
/* `regex` is what b was compiled to, for MATCH and NOT_MATCH. */
bool traceql__compare(enum traceql_op op, struct traceql_value a, struct traceql_value b,
                      const struct text_regex *regex);
/* NIL when it cannot be done: no numbers, or a division by zero. */
struct traceql_value traceql__calculate(enum traceql_op op, struct traceql_value a,
                                        struct traceql_value b);
/* -1, 0, 1: an order of all values, by kind first; for groups. */
int traceql__value_cmp(struct traceql_value a, struct traceql_value b);

/* "error", "server": NULL for a number that is none. */
const char *traceql__status_name(int64_t status);
const char *traceql__kind_name(int64_t kind);
/* As a person reads it: strings as they are, durations as Go prints them. */
void traceql_value_text(struct traceql_value v, struct buf *out);
/* As the language writes it: strings quoted. */
void traceql__value_print(struct traceql_value v, struct buf *out);
void traceql__duration_print(int64_t ns, struct buf *out);

#endif
