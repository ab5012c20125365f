/* What can be told of a tree only when it is whole: types, arguments, matching. What is below comes
 * first, as errors do in Prometheus. */
#include <stdio.h>

#include "lang/promql/parser.h"

static const char *set_name(const struct promql_expr *e)
{
    return e->op == QUERY_AND ? "and" : e->op == QUERY_OR ? "or" : "unless";
}

static bool is_operand(const struct promql_expr *e)
{
    return e->type == QUERY_TYPE_SCALAR || e->type == QUERY_TYPE_VECTOR;
}

static int check_labels_once(struct promql_parser *p, const struct promql_expr *e, size_t at)
{
    for (size_t i = 0; e->on && i < e->matching_count; i++) {
        for (size_t k = 0; k < e->include_count; k++) {
            if (slice_eq(e->include[k], e->matching[i]))
                return promql__fail_at(
                    p, at, e->args[1]->begin,
                    "label \"%.*s\" must not occur in ON and GROUP clause at once",
                    SLICE_FMT(e->matching[i]));
        }
    }
    return 0;
}

static int check_binary(struct promql_parser *p, const struct promql_expr *e)
{
    enum query_type l = e->args[0]->type, r = e->args[1]->type;
    bool comparison = e->op >= QUERY_EQ && e->op <= QUERY_GE, set = e->op >= QUERY_AND,
         vectors = l == QUERY_TYPE_VECTOR && r == QUERY_TYPE_VECTOR,
         fills = e->has_fill_left || e->has_fill_right;
    size_t at = e->args[0]->end; /* of the operator, where Prometheus points at */
    while (at < e->args[1]->begin && strchr(" \t\r\n", p->lex.text.ptr[at]))
        at++;
    if (e->return_bool && !comparison)
        return promql__fail_at(p, at, e->args[1]->begin,
                               "bool modifier can only be used on comparison operators");
    if (comparison && !e->return_bool && l == QUERY_TYPE_SCALAR && r == QUERY_TYPE_SCALAR)
        return promql__fail_at(p, at, e->args[1]->begin,
                               "comparisons between scalars must use BOOL modifier");
    int err = check_labels_once(p, e, at);
    for (int i = 0; i < 2 && !err; i++) {
        if (!is_operand(e->args[i]))
            err = promql__fail_at(
                p, e->args[i]->begin, e->args[i]->end,
                "binary expression must contain only scalar and instant vector types");
    }
    if (err)
        return err;
    if (!vectors && e->matching_count)
        return promql__fail_at(p, e->begin, e->end,
                               "vector matching only allowed between instant vectors");
    if (!vectors && fills)
        return promql__fail_at(p, e->begin, e->end,
                               "filling in missing series only allowed between instant vectors");
    if (vectors && set && e->has_group)
        return promql__fail_at(p, e->begin, e->end, "no grouping allowed for \"%s\" operation",
                               set_name(e));
    if (vectors && set && fills)
        return promql__fail_at(p, e->begin, e->end,
                               "filling in missing series not allowed for set operators");
    if (set && (l == QUERY_TYPE_SCALAR || r == QUERY_TYPE_SCALAR))
        return promql__fail_at(p, e->begin, e->end,
                               "set operator \"%s\" not allowed in binary scalar expression",
                               set_name(e));
    return 0;
}

static int expect_type(struct promql_parser *p, const struct promql_expr *e, enum query_type type,
                       const char *context)
{
    if (e->type == type)
        return 0;
    return promql__fail_at(p, e->begin, e->end, "expected type %s in %s, got %s",
                           promql__type_name(type), context, promql__type_name(e->type));
}

static int check_aggregate(struct promql_parser *p, struct promql_expr *e)
{
    int err = promql__check(p, e->args[0]);
    if (!err)
        err = expect_type(p, e->args[0], QUERY_TYPE_VECTOR, "aggregation expression");
    if (err || e->arg_count < 2)
        return err;
    if ((err = promql__check(p, e->args[1])))
        return err;
    return expect_type(p, e->args[1],
                       e->aggregate == QUERY_COUNT_VALUES ? QUERY_TYPE_STRING : QUERY_TYPE_SCALAR,
                       "aggregation parameter");
}

/* info()'s second argument: which info series, and which of their labels. */
static int check_info(struct promql_parser *p, const struct promql_expr *e)
{
    if (e->arg_count < 2)
        return 0;
    struct promql_expr *sel = e->args[1];
    bool named = false, positive = false;
    if (sel->type != QUERY_TYPE_VECTOR)
        return promql__fail_at(p, e->begin, e->end,
                               "expected type instant vector in call to function \"info\", got %s",
                               promql__type_name(sel->type));
    if (sel->kind != PROMQL_SELECTOR)
        return promql__fail_at(p, sel->begin, sel->end, "expected label selectors only");
    if (sel->name.len && !sel->name_inside)
        return promql__fail_at(p, sel->begin, sel->end,
                               "expected label selectors only, got vector selector instead");
    for (size_t i = 0; i < sel->matcher_count; i++) {
        const struct store_matcher *m = &sel->matchers[i];
        bool name = slice_eq_cstr(m->name, DATA_METRIC_NAME);
        named |= name;
        positive |= name && (m->op == STORE_MATCH_EQ || m->op == STORE_MATCH_RE);
    }
    if (positive)
        return 0;
    sel->implied_count = 1;
    return named ? promql__add_matcher(p, sel, STORE_MATCH_RE, SLICE(DATA_METRIC_NAME),
                                       SLICE(".+_info"), sel->begin)
                 : promql__add_matcher(p, sel, STORE_MATCH_EQ, SLICE(DATA_METRIC_NAME),
                                       SLICE("target_info"), sel->begin);
}

/* anchored and smoothed: only some functions know what lies just outside of a window. */
static int check_extended(struct promql_parser *p, const struct promql_expr *e)
{
    const struct query_function *f = e->function;
    for (size_t i = 0; i < e->arg_count; i++) {
        if (e->args[i]->kind != PROMQL_MATRIX)
            continue;
        const struct promql_expr *of = e->args[i]->args[0];
        if ((of->anchored || of->smoothed) && !(of->smoothed ? f->smoothed : f->anchored))
            return promql__fail_at(
                p, e->begin, e->end, "%s modifier can only be used with: %s - not with %s",
                of->smoothed ? "smoothed" : "anchored",
                of->smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets",
                f->name);
    }
    return 0;
}

static int check_call(struct promql_parser *p, struct promql_expr *e)
{
    const struct query_function *f = e->function;
    size_t least = (size_t)f->arg_count,
           most = f->variadic < 0 ? SIZE_MAX : least + (size_t)f->variadic;
    if (e->arg_count < least || e->arg_count > most) {
        const char *how = f->variadic ? (e->arg_count < least ? "at least " : "at most ") : "";
        size_t want = e->arg_count < least ? least : most;
        return promql__fail_at(p, e->begin, e->end,
                               "expected %s%zu argument(s) in call to \"%s\", got %zu", how, want,
                               f->name, e->arg_count);
    }
    int err = f->joins_info ? check_info(p, e) : 0;
    for (size_t i = 0; i < e->arg_count && !err; i++) {
        bool any = f->joins_info && i == 1; /* it picks labels, and may match anything */
        char context[80];
        snprintf(context, sizeof(context), "call to function \"%s\"", f->name);
        if (!any)
            err = promql__check(p, e->args[i]);
        /* Optional and repeated arguments have the type behind the compulsory ones. */
        if (!err)
            err = expect_type(p, e->args[i], f->args[MIN(i, least)], context);
    }
    return err ? err : check_extended(p, e);
}

static int check_selector(struct promql_parser *p, const struct promql_expr *e)
{
    bool in_front = e->name.len && !e->name_inside, any = in_front;
    for (size_t i = 1; in_front && i < e->matcher_count; i++) {
        if (slice_eq_cstr(e->matchers[i].name, DATA_METRIC_NAME))
            return promql__fail_at(p, e->begin, e->end,
                                   "metric name must not be set twice: \"%.*s\" or \"%.*s\"",
                                   SLICE_FMT(e->name), SLICE_FMT(e->matchers[i].value));
    }
    for (size_t i = 0; i < e->matcher_count && !any; i++)
        any = !store_matcher_matches(&e->matchers[i], SLICE(""));
    if (!any && !p->options->empty_selectors)
        return promql__fail_at(p, e->begin, e->end,
                               "vector selector must contain at least one non-empty matcher");
    return 0;
}

int promql__check(struct promql_parser *p, struct promql_expr *e)
{
    int err = 0;
    if (e->kind == PROMQL_AGGREGATE)
        return check_aggregate(p, e);
    if (e->kind == PROMQL_CALL)
        return check_call(p, e);
    if (e->kind == PROMQL_SELECTOR)
        return check_selector(p, e);
    for (size_t i = 0; i < e->arg_count && !err; i++)
        err = promql__check(p, e->args[i]);
    if (err)
        return err;
    if (e->kind == PROMQL_BINARY)
        return check_binary(p, e);
    if (e->kind == PROMQL_UNARY && !is_operand(e->args[0]))
        return promql__fail_at(p, e->begin, e->end,
                               "unary expression only allowed on expressions of type scalar or "
                               "instant vector, got \"%s\"",
                               promql__type_name(e->args[0]->type));
    if (e->kind == PROMQL_SUBQUERY && e->args[0]->type != QUERY_TYPE_VECTOR)
        return promql__fail_at(p, e->begin, e->end,
                               "subquery is only allowed on instant vector, got %s instead",
                               promql_type(e->args[0]));
    return 0;
}
