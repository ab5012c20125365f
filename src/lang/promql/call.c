/* Calls of functions, and aggregations. */
#include "base/vec.h"
#include "lang/promql/parser.h"

static const struct {
    const char *name;
    enum query_aggregate aggregate;
    bool has_param, experimental;
} aggregates[] = {
    {"sum", QUERY_SUM, false, false},
    {"avg", QUERY_AVG, false, false},
    {"count", QUERY_COUNT, false, false},
    {"min", QUERY_MIN, false, false},
    {"max", QUERY_MAX, false, false},
    {"group", QUERY_GROUP, false, false},
    {"stddev", QUERY_STDDEV, false, false},
    {"stdvar", QUERY_STDVAR, false, false},
    {"topk", QUERY_TOPK, true, false},
    {"bottomk", QUERY_BOTTOMK, true, false},
    {"count_values", QUERY_COUNT_VALUES, true, false},
    {"quantile", QUERY_QUANTILE, true, false},
    {"limitk", QUERY_LIMITK, true, true},
    {"limit_ratio", QUERY_LIMIT_RATIO, true, true},
};

int promql__find_aggregate(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if (slice_eq_nocase(name, slice_cstr(aggregates[i].name)))
            return (int)i;
    }
    return -1;
}

int promql__parse_names(struct promql_parser *p, struct slice **out, size_t *out_count)
{
    VEC(struct slice) names = {0};
    int err = promql__expect_op(p, "(", "grouping opts");
    while (!err && !promql__is_op(p, ")")) {
        if (p->now.kind != PROMQL_T_IDENT && p->now.kind != PROMQL_T_STRING) {
            err = promql__unexpected(p, "grouping opts, expected label");
            break;
        }
        vec_push(&names, arena_slice(p->arena, p->now.text));
        err = promql__advance(p);
        if (!err && !promql__is_op(p, ")"))
            err = promql__is_op(p, ",")
                      ? promql__advance(p)
                      : promql__unexpected(p, "grouping opts, expected \",\" or \")\"");
    }
    if (!err)
        err = promql__advance(p);
    *out = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    *out_count = names.len;
    vec_free(&names);
    return err;
}

static int parse_args(struct promql_parser *p, struct promql_expr *e, const char *context)
{
    VEC(struct promql_expr *) args = {0};
    int err = promql__expect_op(p, "(", context);
    while (!err && !promql__is_op(p, ")")) {
        struct promql_expr *arg;
        p->labels_only =
            e->function && e->function->joins_info && args.len == 1 && promql__is_op(p, "{");
        if ((err = promql__parse_expr(p, 0, &arg)))
            break;
        vec_push(&args, arg);
        if (promql__is_op(p, ",")) {
            size_t begin = p->now.begin;
            err = promql__advance(p);
            if (!err && promql__is_op(p, ")"))
                err = promql__fail_at(p, begin, p->now.end,
                                      "trailing commas not allowed in function call args");
        } else if (!promql__is_op(p, ")")) {
            err = promql__unexpected(p, context);
        }
    }
    if (!err)
        err = promql__advance(p);
    promql__set_args(p, e, args.items, args.len);
    vec_free(&args);
    e->end = p->last_end;
    return err;
}

static int parse_grouping(struct promql_parser *p, struct promql_expr *e)
{
    if (!promql__is_word(p, "by") && !promql__is_word(p, "without"))
        return 0;
    if (e->has_grouping)
        return promql__unexpected(p, "aggregation");
    e->has_grouping = true;
    e->without = promql__is_word(p, "without");
    int err = promql__advance(p);
    if (!err)
        err = promql__parse_names(p, &e->grouping, &e->grouping_count);
    e->end = p->last_end;
    return err;
}

int promql__parse_aggregate(struct promql_parser *p, int which, struct promql_expr **out)
{
    struct promql_expr *e = promql__new_expr(p, PROMQL_AGGREGATE, QUERY_TYPE_VECTOR, p->now.begin);
    e->aggregate = aggregates[which].aggregate;
    int err = promql__advance(p);
    if (!err)
        err = parse_grouping(p, e);
    if (!err)
        err = parse_args(p, e, "aggregation");
    if (!err)
        err = parse_grouping(p, e);
    if (err)
        return err;
    *out = e;
    size_t want = aggregates[which].has_param ? 2 : 1;
    if (!e->arg_count)
        return promql__fail_at(p, e->begin, e->end,
                               "no arguments for aggregate expression provided");
    if (e->arg_count != want)
        return promql__fail_at(
            p, e->begin, e->end,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, e->arg_count);
    if (aggregates[which].experimental && !p->options->experimental)
        return promql__fail_at(p, e->begin, e->end,
                               "%s() is experimental and must be enabled with promql.experimental",
                               aggregates[which].name);
    if (want == 2) {
        struct promql_expr *param = e->args[0];
        e->args[0] = e->args[1];
        e->args[1] = param;
        enum query_type type =
            e->aggregate == QUERY_COUNT_VALUES ? QUERY_TYPE_STRING : QUERY_TYPE_SCALAR;
        if (param->type != type)
            return promql__fail_at(p, param->begin, param->end,
                                   "expected type %s in aggregation parameter, got %s",
                                   promql__type_name(type), promql__type_name(param->type));
    }
    if (e->args[0]->type != QUERY_TYPE_VECTOR)
        return promql__fail_at(p, e->args[0]->begin, e->args[0]->end,
                               "expected type instant vector in aggregation expression, got %s",
                               promql__type_name(e->args[0]->type));
    return 0;
}

/* info()'s second argument: which info series, and which of their labels. */
static int check_info(struct promql_parser *p, struct promql_expr *e)
{
    if (e->arg_count < 2)
        return 0;
    struct promql_expr *sel = e->args[1];
    bool named = false, positive = false;
    if (sel->kind != PROMQL_SELECTOR || sel->name.len || sel->offset || sel->at != PROMQL_AT_NONE)
        return promql__fail_at(
            p, sel->begin, sel->end,
            "expected label selectors only, like {k8s_cluster=~\".+\"}, as the second "
            "argument of info()");
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
    for (size_t i = 0; i < e->arg_count; i++) {
        const struct promql_expr *of = promql__timed(e->args[i]);
        if (e->args[i]->kind == PROMQL_MATRIX && (of->anchored || of->smoothed) &&
            !(of->smoothed ? f->smoothed : f->anchored))
            return promql__fail_at(
                p, e->begin, e->end, "%s modifier can only be used with: %s - not with %s",
                of->smoothed ? "smoothed" : "anchored",
                of->smoothed ? "delta, increase, rate" : "changes, delta, increase, rate, resets",
                f->name);
        /* Optional and repeated arguments have the type behind the compulsory ones. */
        size_t slot = MIN(i, least);
        if (e->args[i]->type != f->args[slot])
            return promql__fail_at(p, e->args[i]->begin, e->args[i]->end,
                                   "expected type %s in call to function \"%s\", got %s",
                                   promql__type_name(f->args[slot]), f->name,
                                   promql__type_name(e->args[i]->type));
    }
    return 0;
}

int promql__parse_call(struct promql_parser *p, struct promql_expr **out)
{
    struct promql_token name = p->now;
    const struct query_function *f = query_function_find(name.text);
    if (!f)
        return promql__fail_at(p, name.begin, name.end, "unknown function with name \"%.*s\"",
                               SLICE_FMT(name.text));
    struct promql_expr *e = promql__new_expr(p, PROMQL_CALL, f->returns, name.begin);
    e->function = f;
    int err = promql__advance(p);
    if (!err)
        err = parse_args(p, e, "function call");
    if (!err && f->experimental && !p->options->experimental)
        err = promql__fail_at(p, name.begin, name.end, "function \"%s\" is not enabled", f->name);
    if (!err)
        err = check_call(p, e);
    if (!err && f->joins_info)
        err = check_info(p, e);
    *out = e;
    return err;
}
