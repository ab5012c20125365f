/* Recursive descent over pipelines. What stands in parentheses may be spans, a number of theirs, or
 * series: that is known once it is read. */
#include "lang/traceql/parser.h"

#include <math.h>
#include <stdio.h>

const char *const traceql__metric_names[TRACEQL_METRIC_OP_COUNT] = {
    "rate",          "count_over_time",    "min_over_time",       "max_over_time", "avg_over_time",
    "sum_over_time", "quantile_over_time", "histogram_over_time", "compare"};

/* --- words --- */

int traceql__advance(struct traceql_parser *p)
{
    return traceql__lex(&p->lex, &p->now);
}

bool traceql__is_op(const struct traceql_parser *p, const char *op)
{
    return p->now.kind == TRACEQL_T_OP && slice_eq_cstr(p->now.text, op);
}

bool traceql__is_word(const struct traceql_parser *p, const char *word)
{
    return p->now.kind == TRACEQL_T_IDENT && slice_eq_cstr(p->now.text, word);
}

int traceql__unexpected(struct traceql_parser *p, const char *expected)
{
    struct slice text = p->now.kind == TRACEQL_T_EOF
                            ? SLICE("$end")
                            : slice_make(p->lex.text.ptr + p->now.begin, p->now.end - p->now.begin);
    return traceql__fail(p->lex.text, p->diag, p->now.begin, "syntax error: unexpected %.*s%s%s",
                         SLICE_FMT(slice_first(text, 100)), expected ? ", expecting " : "",
                         expected ? expected : "");
}

int traceql__expect(struct traceql_parser *p, const char *op)
{
    return traceql__is_op(p, op) ? traceql__advance(p) : traceql__unexpected(p, op);
}

int traceql__enter(struct traceql_parser *p)
{
    return ++p->depth > TRACEQL__DEPTH_MAX
               ? traceql__fail(p->lex.text, p->diag, p->now.begin,
                               "the query is nested deeper than %d levels", TRACEQL__DEPTH_MAX)
               : 0;
}

int traceql__precedence(const struct traceql_token *t)
{
    static const struct {
        const char *op;
        int precedence;
    } all[] = {{"&&", 1}, {"||", 1},  {"=", 2},   {"!=", 2}, {"<", 2},  {"<=", 2},  {">", 2},
               {">=", 2}, {"=~", 2},  {"!~", 2},  {">>", 2}, {"<<", 2}, {"~", 2},   {"!>", 2},
               {"!<", 2}, {"!>>", 2}, {"!<<", 2}, {"&>", 2}, {"&<", 2}, {"&>>", 2}, {"&<<", 2},
               {"&~", 2}, {"+", 3},   {"-", 3},   {"*", 5},  {"/", 5},  {"%", 5},   {"^", 6}};
    for (size_t i = 0; t->kind == TRACEQL_T_OP && i < ARRAY_LEN(all); i++) {
        if (slice_eq_cstr(t->text, all[i].op))
            return all[i].precedence;
    }
    return 0;
}

int traceql__parse_number(struct traceql_parser *p, struct traceql_value *out)
{
    bool negative = traceql__is_op(p, "-");
    int err = negative ? traceql__advance(p) : 0;
    if (err)
        return err;
    if (p->now.kind != TRACEQL_T_VALUE || !traceql__is_number(p->now.value.kind))
        return traceql__unexpected(p, "a number");
    *out = p->now.value;
    if (negative && out->kind == TRACEQL_FLOAT)
        out->d = 0 - out->d;
    else if (negative)
        out->i = -out->i;
    return traceql__advance(p);
}

/* --- what an operand may be --- */

struct node {
    enum { NODE_SET, NODE_SCALAR, NODE_FILTER, NODE_PIPELINE, NODE_METRIC } kind;
    size_t begin, end;
    struct traceql_set *set;
    struct traceql_scalar *scalar; /* SCALAR, and FILTER: a comparison of them */
    struct traceql_pipeline *pipeline;
    struct traceql_metric *metric;
    enum traceql_kind type; /* SCALAR */
};

static int parse_pipeline(struct traceql_parser *p, struct node *out);

static int parse_filter(struct traceql_parser *p, struct node *out)
{
    struct traceql_expr *e = NULL;
    size_t begin = p->now.begin;
    int err = traceql__expect(p, "{");
    if (!err && !traceql__is_op(p, "}"))
        err = traceql__parse_expr(p, &e);
    if (err)
        return err;
    size_t end = p->now.end;
    if ((err = traceql__expect(p, "}")))
        return err;
    enum traceql_kind kind = e ? traceql__type_of(p->query, e) : TRACEQL_BOOL;
    if (kind != TRACEQL_BOOL && !(kind == TRACEQL_NIL && traceql__has_field(e)))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "span filter field expressions must resolve to a boolean: %.*s",
                             SLICE_FMT(slice_make(p->lex.text.ptr + begin, end - begin)));
    *out = (struct node){.kind = NODE_SET, .begin = begin, .end = end};
    out->set = ARENA_NEW(p->arena, struct traceql_set);
    out->set->expr = e;
    return 0;
}

static int parse_aggregate(struct traceql_parser *p, enum traceql_aggregate_op op, struct node *out)
{
    struct traceql_scalar *s = ARENA_NEW(p->arena, struct traceql_scalar);
    struct traceql_expr *e = NULL;
    size_t begin = p->now.begin;
    int err;
    if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")) ||
        (op != TRACEQL_AGG_COUNT && (err = traceql__parse_expr(p, &e))))
        return err;
    *out = (struct node){.kind = NODE_SCALAR, .begin = begin, .end = p->now.end};
    if ((err = traceql__expect(p, ")")))
        return err;
    struct slice text = slice_make(p->lex.text.ptr + begin, out->end - begin);
    enum traceql_kind kind = e ? traceql__type_of(p->query, e) : TRACEQL_INT;
    if (kind != TRACEQL_NIL && !traceql__is_number(kind))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "aggregate field expressions must resolve to a number type: %.*s",
                             SLICE_FMT(text));
    if (e && !traceql__has_field(e))
        return traceql__fail(p->lex.text, p->diag, begin,
                             "aggregate field expressions must reference the span: %.*s",
                             SLICE_FMT(text));
    *s = (struct traceql_scalar){.kind = TRACEQL_SCALAR_AGGREGATE,
                                 .begin = begin,
                                 .end = out->end,
                                 .aggregate = op,
                                 .expr = e};
    out->scalar = s;
    out->type = kind;
    return 0;
}

static int parse_operand(struct traceql_parser *p, struct node *out)
{
    static const char *const aggregates[] = {"count", "min", "max", "avg", "sum"};
    size_t begin = p->now.begin;
    int err;
    if (traceql__is_op(p, "{"))
        return parse_filter(p, out);
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if (traceql__is_word(p, aggregates[i]))
            return parse_aggregate(p, (enum traceql_aggregate_op)i, out);
    }
    if (traceql__is_op(p, "(")) {
        if ((err = traceql__enter(p)) || (err = traceql__advance(p)) ||
            (err = parse_pipeline(p, out)))
            return err;
        p->depth--;
        out->begin = begin;
        out->end = p->now.end;
        return traceql__expect(p, ")");
    }
    if (p->now.kind == TRACEQL_T_VALUE || traceql__is_op(p, "-")) {
        struct traceql_scalar *s = ARENA_NEW(p->arena, struct traceql_scalar);
        s->begin = begin;
        s->end = p->now.end;
        *out = (struct node){.kind = NODE_SCALAR, .begin = begin, .end = s->end, .scalar = s};
        err = traceql__parse_number(p, &s->value);
        out->type = s->value.kind;
        return err;
    }
    return traceql__unexpected(p, NULL);
}

static struct traceql_set *as_set(struct traceql_parser *p, const struct node *n)
{
    if (n->kind == NODE_SET)
        return n->set;
    struct traceql_set *set = ARENA_NEW(p->arena, struct traceql_set);
    set->kind = TRACEQL_SET_PIPELINE;
    set->pipeline = n->pipeline;
    return set;
}

static struct traceql_metric *as_metric(struct traceql_parser *p, const struct node *n)
{
    if (n->kind == NODE_METRIC)
        return n->metric;
    struct traceql_metric *m = ARENA_NEW(p->arena, struct traceql_metric);
    m->kind = TRACEQL_METRIC_NUMBER;
    m->begin = n->begin;
    m->end = n->end;
    (void)traceql__number(n->scalar->value, &m->number);
    if (n->scalar->value.kind == TRACEQL_DURATION)
        m->number /= 1e9;
    return m;
}

static bool is_literal(const struct node *n)
{
    return n->kind == NODE_SCALAR && n->scalar->kind == TRACEQL_SCALAR_VALUE;
}

static enum traceql_op find_op(struct slice text, enum traceql_op from, enum traceql_op to)
{
    for (int op = (int)from; op <= (int)to; op++) {
        if (slice_eq_cstr(text, traceql__op_name((enum traceql_op)op)))
            return (enum traceql_op)op;
    }
    return TRACEQL_OP_COUNT;
}

/* Arithmetic of numbers is one number: whole ones give whole ones, 3 / 2 is 1. */
static int fold(struct traceql_parser *p, enum traceql_op op, const struct node *a,
                const struct node *b, struct node *out)
{
    struct traceql_value v = traceql__calculate(op, a->scalar->value, b->scalar->value);
    int err = traceql__check_types(p, op, a->type, b->type, a->begin, b->end);
    if (!err && (v.kind == TRACEQL_NIL || (v.kind == TRACEQL_FLOAT && !isfinite(v.d))))
        err = traceql__fail(p->lex.text, p->diag, a->begin, "%.*s cannot be calculated",
                            SLICE_FMT(slice_make(p->lex.text.ptr + a->begin, b->end - a->begin)));
    out->kind = NODE_SCALAR;
    out->type = v.kind;
    out->scalar = ARENA_NEW(p->arena, struct traceql_scalar);
    *out->scalar = (struct traceql_scalar){
        .kind = TRACEQL_SCALAR_VALUE, .begin = a->begin, .end = b->end, .value = v};
    return err;
}

static int check_stages(struct traceql_parser *p, const struct traceql_metric *m)
{
    return m->kind == TRACEQL_METRIC_FUNCTION && m->function == TRACEQL_COMPARE
               ? traceql__fail(p->lex.text, p->diag, m->begin,
                               "compare() can be used only by itself: its series are no numbers of "
                               "one kind")
               : 0;
}

static int check_metric_op(struct traceql_parser *p, enum traceql_op op, const struct node *n)
{
    if (n->kind == NODE_METRIC)
        return check_stages(p, n->metric);
    return n->scalar->value.kind == TRACEQL_DURATION && !traceql__is_compare(op)
               ? traceql__fail(p->lex.text, p->diag, n->begin,
                               "a duration cannot be calculated with series, a number can")
               : 0;
}

static int combine(struct traceql_parser *p, const struct traceql_token *t, const struct node *a,
                   const struct node *b, struct node *out)
{
    bool sets = (a->kind == NODE_SET || a->kind == NODE_PIPELINE) &&
                (b->kind == NODE_SET || b->kind == NODE_PIPELINE);
    bool metrics = (a->kind == NODE_METRIC && (b->kind == NODE_METRIC || is_literal(b))) ||
                   (b->kind == NODE_METRIC && is_literal(a));
    enum traceql_op op;
    *out = (struct node){.begin = a->begin, .end = b->end};
    if (sets) {
        op = find_op(t->text, TRACEQL_AND, TRACEQL_OR);
        if (op == TRACEQL_OP_COUNT)
            op = find_op(t->text, TRACEQL_CHILD, TRACEQL_WITH_SIBLING);
        if (op != TRACEQL_OP_COUNT) {
            out->kind = NODE_SET;
            out->set = ARENA_NEW(p->arena, struct traceql_set);
            *out->set = (struct traceql_set){
                .kind = TRACEQL_SET_OP, .op = op, .a = as_set(p, a), .b = as_set(p, b)};
            return 0;
        }
    } else if (metrics) {
        /* A comparison is with a number to its right. */
        op = find_op(t->text, TRACEQL_ADD, is_literal(b) ? TRACEQL_GE : TRACEQL_POW);
        if (op != TRACEQL_OP_COUNT) {
            int err = check_metric_op(p, op, a);
            if (err || (err = check_metric_op(p, op, b)))
                return err;
            out->kind = NODE_METRIC;
            out->metric = ARENA_NEW(p->arena, struct traceql_metric);
            *out->metric = (struct traceql_metric){.kind = TRACEQL_METRIC_OP,
                                                   .begin = a->begin,
                                                   .end = b->end,
                                                   .op = op,
                                                   .a = as_metric(p, a),
                                                   .b = as_metric(p, b)};
            return 0;
        }
    } else if (is_literal(a) && is_literal(b) &&
               (op = find_op(t->text, TRACEQL_ADD, TRACEQL_POW)) != TRACEQL_OP_COUNT) {
        return fold(p, op, a, b, out);
    } else if (a->kind == NODE_SCALAR && b->kind == NODE_SCALAR) {
        op = find_op(t->text, TRACEQL_ADD, TRACEQL_GE);
        if (op != TRACEQL_OP_COUNT) {
            int err = traceql__check_types(p, op, a->type, b->type, a->begin, b->end);
            out->kind = op >= TRACEQL_EQ ? NODE_FILTER : NODE_SCALAR;
            out->type = a->type == TRACEQL_NIL   ? b->type
                        : b->type == TRACEQL_NIL ? a->type
                        : a->type == b->type     ? a->type
                                                 : TRACEQL_FLOAT;
            out->scalar = ARENA_NEW(p->arena, struct traceql_scalar);
            *out->scalar = (struct traceql_scalar){.kind = TRACEQL_SCALAR_OP,
                                                   .begin = a->begin,
                                                   .end = b->end,
                                                   .op = op,
                                                   .a = a->scalar,
                                                   .b = b->scalar};
            return err;
        }
    }
    return traceql__fail(p->lex.text, p->diag, t->begin, "syntax error: unexpected %.*s",
                         SLICE_FMT(t->text));
}

static int count_operator(struct traceql_parser *p, size_t begin)
{
    return ++p->operators > TRACEQL__HEIGHT_MAX
               ? traceql__fail(p->lex.text, p->diag, begin, "the query has more than %d operators",
                               TRACEQL__HEIGHT_MAX)
               : 0;
}

static int parse_binary(struct traceql_parser *p, int min, struct node *out)
{
    int precedence, err = parse_operand(p, out);
    while (!err && (precedence = traceql__precedence(&p->now)) >= min) {
        struct traceql_token t = p->now;
        struct node a = *out, b;
        int next = slice_eq_cstr(t.text, "^") ? precedence : precedence + 1;
        if ((err = traceql__enter(p)) || (err = traceql__advance(p)) ||
            (err = parse_binary(p, next, &b)))
            return err;
        p->depth--;
        if (!(err = count_operator(p, t.begin)))
            err = combine(p, &t, &a, &b, out);
    }
    return err;
}

/* --- metrics --- */

static int parse_by(struct traceql_parser *p, struct traceql_metric *m)
{
    size_t most =
        m->function == TRACEQL_QUANTILE_OVER_TIME || m->function == TRACEQL_HISTOGRAM_OVER_TIME ? 4
                                                                                                : 5;
    int err;
    if (!traceql__is_word(p, "by"))
        return 0;
    size_t begin = p->now.begin;
    if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")) ||
        (err = traceql__parse_list(p, true, &m->by, &m->by_count)))
        return err;
    if (m->by_count > most)
        return traceql__fail(p->lex.text, p->diag, begin,
                             "metrics can be grouped by at most %zu values", most);
    m->end = p->now.end;
    return traceql__expect(p, ")");
}

static int parse_quantiles(struct traceql_parser *p, struct traceql_metric *m)
{
    VEC(double) all = {0};
    int err = 0;
    while (!err && traceql__is_op(p, ",")) {
        struct traceql_value v;
        double q = 0;
        size_t begin;
        if ((err = traceql__advance(p)))
            break;
        begin = p->now.begin;
        if ((err = traceql__parse_number(p, &v)))
            break;
        (void)traceql__number(v, &q);
        if (!(q >= 0 && q <= 1))
            err = traceql__fail(p->lex.text, p->diag, begin, "quantile must be between 0 and 1");
        vec_push(&all, q);
    }
    if (!err && !all.len)
        err = traceql__unexpected(p, "a comma and a quantile");
    m->quantiles = arena_dup(p->arena, all.items, all.len * sizeof(*all.items));
    m->quantile_count = all.len;
    vec_free(&all);
    return err;
}

#define COMPARE_TOP_MAX 1000
static int parse_compare(struct traceql_parser *p, struct traceql_metric *m)
{
    int64_t *const to[] = {&m->top, &m->compare_start_ns, &m->compare_end_ns};
    struct node filter;
    int err = parse_filter(p, &filter);
    m->top = 10;
    if (err)
        return err;
    m->expr = filter.set->expr;
    for (size_t i = 0; i < ARRAY_LEN(to) && traceql__is_op(p, ","); i++) {
        struct traceql_value v;
        size_t begin;
        if ((err = traceql__advance(p)))
            return err;
        begin = p->now.begin;
        if ((err = traceql__parse_number(p, &v)))
            return err;
        if (v.kind != TRACEQL_INT || v.i < (i == 0) || (i == 0 && v.i > COMPARE_TOP_MAX))
            return traceql__fail(
                p->lex.text, p->diag, begin,
                i ? "a time in ns since 1970 is expected"
                  : "compare() top number of values must be an integer between 1 and 1000");
        *to[i] = v.i;
    }
    if (!m->compare_start_ns != !m->compare_end_ns ||
        (m->compare_start_ns && m->compare_end_ns <= m->compare_start_ns))
        return traceql__fail(p->lex.text, p->diag, m->begin,
                             "compare() end must be after its start, and both be given");
    return 0;
}

static int parse_function(struct traceql_parser *p, enum traceql_metric_op op,
                          const struct traceql_pipeline *pipeline, struct node *out)
{
    struct traceql_metric *m = ARENA_NEW(p->arena, struct traceql_metric);
    struct traceql_expr *e;
    int err;
    *m = (struct traceql_metric){.function = op, .begin = p->now.begin, .pipeline = pipeline};
    if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")))
        return err;
    if (op == TRACEQL_COMPARE) {
        err = parse_compare(p, m);
    } else if (op != TRACEQL_RATE && op != TRACEQL_COUNT_OVER_TIME) {
        size_t begin = p->now.begin;
        if ((err = traceql__parse_expr(p, &e)))
            return err;
        enum traceql_kind kind = traceql__type_of(p->query, e);
        m->expr = e;
        if (kind != TRACEQL_NIL && !traceql__is_number(kind))
            return traceql__fail(p->lex.text, p->diag, begin,
                                 "%s needs a number, which %.*s is not", traceql__metric_names[op],
                                 SLICE_FMT(slice_make(p->lex.text.ptr + begin, e->end - begin)));
        if (op == TRACEQL_QUANTILE_OVER_TIME)
            err = parse_quantiles(p, m);
    }
    if (err)
        return err;
    m->end = p->now.end;
    if ((err = traceql__expect(p, ")")) || (err = parse_by(p, m)))
        return err;
    *out = (struct node){.kind = NODE_METRIC, .begin = m->begin, .end = m->end, .metric = m};
    return 0;
}

/* topk(n), bottomk(n): behind a pipe. */
static int parse_top(struct traceql_parser *p, struct node *io)
{
    struct traceql_metric *m = ARENA_NEW(p->arena, struct traceql_metric);
    bool top = traceql__is_word(p, "topk");
    struct traceql_value v;
    int err;
    if (!top && !traceql__is_word(p, "bottomk"))
        return traceql__unexpected(p, "topk or bottomk");
    if ((err = check_stages(p, io->metric)))
        return err;
    *m = (struct traceql_metric){.kind = top ? TRACEQL_METRIC_TOPK : TRACEQL_METRIC_BOTTOMK,
                                 .begin = p->now.begin,
                                 .a = io->metric};
    if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")) ||
        (err = traceql__parse_number(p, &v)))
        return err;
    if (v.kind != TRACEQL_INT || v.i <= 0)
        return traceql__fail(p->lex.text, p->diag, m->begin, "%s(): limit must be greater than 0",
                             top ? "topk" : "bottomk");
    m->number = (double)v.i;
    m->end = p->now.end;
    io->metric = m;
    io->end = m->end;
    return (err = traceql__expect(p, ")")) ? err : count_operator(p, m->begin);
}

/* What follows a function or an expression of series: comparisons with a number, | topk(n). */
static int parse_second_stages(struct traceql_parser *p, struct node *io)
{
    int err = 0;
    while (!err) {
        struct traceql_token t = p->now;
        struct node a = *io, b;
        if (traceql__is_op(p, "|")) {
            if (!(err = traceql__advance(p)))
                err = parse_top(p, io);
        } else if (t.kind == TRACEQL_T_OP &&
                   find_op(t.text, TRACEQL_EQ, TRACEQL_GE) != TRACEQL_OP_COUNT) {
            if (!(err = traceql__advance(p)) &&
                !(err = parse_binary(p, traceql__precedence(&t) + 1, &b)) &&
                !(err = combine(p, &t, &a, &b, io)))
                err = count_operator(p, t.begin);
        } else {
            break;
        }
    }
    return err;
}

/* --- pipelines --- */

static int parse_list_stage(struct traceql_parser *p, enum traceql_stage_kind kind,
                            struct traceql_stage *out)
{
    size_t begin = p->now.begin;
    int err;
    out->kind = kind;
    if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")))
        return err;
    if (kind != TRACEQL_STAGE_COALESCE &&
        (err = traceql__parse_list(p, kind == TRACEQL_STAGE_SELECT, &out->exprs, &out->expr_count)))
        return err;
    for (size_t i = 0; i < out->expr_count; i++) {
        if (!traceql__has_field(out->exprs[i]))
            return traceql__fail(
                p->lex.text, p->diag, begin,
                "grouping field expressions must reference the span: %.*s",
                SLICE_FMT(slice_make(p->lex.text.ptr + begin, p->now.end - begin)));
    }
    return traceql__expect(p, ")");
}

static bool find_function(const struct traceql_parser *p, enum traceql_metric_op *out)
{
    for (int i = 0; i < TRACEQL_METRIC_OP_COUNT; i++) {
        if (traceql__is_word(p, traceql__metric_names[i])) {
            *out = (enum traceql_metric_op)i;
            return true;
        }
    }
    return false;
}

static struct traceql_pipeline *make_pipeline(struct traceql_parser *p,
                                              const struct traceql_stage *stages, size_t count)
{
    struct traceql_pipeline *out = ARENA_NEW(p->arena, struct traceql_pipeline);
    out->stages = arena_dup(p->arena, stages, count * sizeof(*stages));
    out->count = count;
    return out;
}

/* A stage that spans go through; or *out_node is what stands alone (a number, series). */
static int parse_stage(struct traceql_parser *p, bool first, struct traceql_stage *out,
                       struct node *out_node)
{
    int err;
    memset(out, 0, sizeof(*out));
    out_node->kind = NODE_PIPELINE;
    if (traceql__is_word(p, "by"))
        return parse_list_stage(p, TRACEQL_STAGE_BY, out);
    if (traceql__is_word(p, "select"))
        return parse_list_stage(p, TRACEQL_STAGE_SELECT, out);
    if (traceql__is_word(p, "coalesce") && !first)
        return parse_list_stage(p, TRACEQL_STAGE_COALESCE, out);
    if ((err = parse_binary(p, 1, out_node)))
        return err;
    if (out_node->kind == NODE_FILTER) {
        out->kind = TRACEQL_STAGE_SCALAR;
        out->scalar = out_node->scalar;
    } else if (out_node->kind == NODE_SET || out_node->kind == NODE_PIPELINE) {
        out->kind = TRACEQL_STAGE_SET;
        out->set = as_set(p, out_node);
    }
    return 0;
}

static int parse_stages(struct traceql_parser *p, struct node *out)
{
    VEC(struct traceql_stage) stages = {0};
    size_t begin = p->now.begin;
    enum traceql_metric_op function;
    struct node n = {0};
    int err = 0;
    for (bool more = true; more && !err;) {
        struct traceql_stage stage;
        if (stages.len && find_function(p, &function)) {
            err = parse_function(p, function, make_pipeline(p, stages.items, stages.len), &n);
            break;
        }
        if ((err = parse_stage(p, !stages.len, &stage, &n)))
            break;
        more = traceql__is_op(p, "|");
        if (n.kind == NODE_METRIC) {
            if (stages.len)
                err = traceql__fail(p->lex.text, p->diag, n.begin,
                                    "syntax error: series can not be a stage of a pipeline");
            break;
        }
        if (n.kind == NODE_SCALAR) {
            if (stages.len && !more) { /* (spans | count()) */
                struct traceql_scalar *s = ARENA_NEW(p->arena, struct traceql_scalar);
                *s = *n.scalar;
                s->pipeline = make_pipeline(p, stages.items, stages.len);
                if (s->kind != TRACEQL_SCALAR_AGGREGATE)
                    err = traceql__unexpected(p, "a comparison");
                n.scalar = s;
            } else if (more) {
                err = traceql__unexpected(p, "a comparison");
            }
            break;
        }
        vec_push(&stages, stage);
        if (more)
            err = traceql__advance(p);
    }
    if (!err && n.kind == NODE_METRIC)
        err = parse_second_stages(p, &n);
    if (!err && n.kind != NODE_METRIC && n.kind != NODE_SCALAR &&
        !(stages.len == 1 && n.kind == NODE_SET)) {
        n.kind = NODE_PIPELINE;
        n.pipeline = make_pipeline(p, stages.items, stages.len);
        n.begin = begin;
    }
    vec_free(&stages);
    *out = n;
    return err;
}

static int parse_pipeline(struct traceql_parser *p, struct node *out)
{
    int err = traceql__enter(p);
    if (!err)
        err = parse_stages(p, out);
    p->depth--;
    return err;
}

/* --- the whole --- */

static int parse_hints(struct traceql_parser *p)
{
    VEC(struct traceql_hint) hints = {0};
    int err = 0;
    while (!err && traceql__is_word(p, "with")) {
        if ((err = traceql__advance(p)) || (err = traceql__expect(p, "(")))
            break;
        for (bool more = true; more && !err;) {
            struct traceql_hint h = {.name = p->now.text};
            struct traceql_expr *e;
            if (p->now.kind != TRACEQL_T_IDENT) {
                err = traceql__unexpected(p, "the name of a hint");
                break;
            }
            if ((err = traceql__advance(p)) || (err = traceql__expect(p, "=")) ||
                (err = traceql__parse_expr(p, &e)))
                break;
            if (e->kind != TRACEQL_EXPR_VALUE) {
                err = traceql__fail(p->lex.text, p->diag, e->begin, "a hint has to be a literal");
                break;
            }
            h.value = e->value;
            vec_push(&hints, h);
            more = traceql__is_op(p, ",");
            if (more)
                err = traceql__advance(p);
        }
        if (!err)
            err = traceql__expect(p, ")");
    }
    p->query->hints = arena_dup(p->arena, hints.items, hints.len * sizeof(*hints.items));
    p->query->hint_count = hints.len;
    vec_free(&hints);
    return err;
}

static int parse_query(struct traceql_parser *p)
{
    struct node n;
    struct traceql_stage stage = {.kind = TRACEQL_STAGE_SET};
    int err = traceql__advance(p);
    if (err)
        return err;
    if (p->now.kind == TRACEQL_T_EOF) {
        stage.set = ARENA_NEW(p->arena, struct traceql_set);
        p->query->pipeline = make_pipeline(p, &stage, 1);
        return 0;
    }
    if ((err = parse_pipeline(p, &n)) || (err = parse_hints(p)))
        return err;
    if (p->now.kind != TRACEQL_T_EOF || n.kind == NODE_SCALAR)
        return traceql__unexpected(p, NULL);
    if (n.kind == NODE_METRIC) {
        p->query->metric = n.metric;
    } else if (n.kind == NODE_PIPELINE) {
        p->query->pipeline = n.pipeline;
    } else {
        stage.set = n.set;
        p->query->pipeline = make_pipeline(p, &stage, 1);
    }
    return 0;
}

int traceql_parse(struct slice text, struct arena *arena, struct traceql_query **out,
                  struct diag *diag)
{
    struct traceql_query *q = ARENA_NEW(arena, struct traceql_query);
    q->text = arena_slice(arena, text);
    q->arena = arena;
    struct traceql_parser p = {.lex = {.text = q->text, .arena = arena, .diag = diag},
                               .arena = arena,
                               .query = q,
                               .diag = diag};
    int err = parse_query(&p);
    if (err) {
        traceql_query_free(q);
        q = NULL;
    }
    *out = q;
    return err;
}

void traceql_query_free(struct traceql_query *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < q->regexes.len; i++)
        text_regex_free(q->regexes.items[i]);
    vec_free(&q->regexes);
    vec_free(&q->fields);
}

void traceql_error_text(const struct diag *diag, struct buf *out)
{
    buf_append_cstr(out, "invalid TraceQL query: ");
    if (diag->line)
        buf_printf(out, "parse error at line %u, col %u: ", diag->line, diag->col);
    buf_append_cstr(out, diag->msg);
}

bool traceql_is_metrics(const struct traceql_query *q)
{
    return q->metric != NULL;
}

bool traceql_hint_bool(const struct traceql_query *q, struct slice name, bool *out)
{
    for (size_t i = 0; i < q->hint_count; i++) {
        if (slice_eq(q->hints[i].name, name) && q->hints[i].value.kind == TRACEQL_BOOL) {
            *out = q->hints[i].value.i != 0;
            return true;
        }
    }
    return false;
}

bool traceql_hint_number(const struct traceql_query *q, struct slice name, double *out)
{
    for (size_t i = 0; i < q->hint_count; i++) {
        if (slice_eq(q->hints[i].name, name) && traceql__number(q->hints[i].value, out))
            return true;
    }
    return false;
}
