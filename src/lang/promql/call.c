/* Calls of functions, and aggregations. */
#include "base/vec.h"
#include "codec/utf8.h"
#include "lang/promql/parser.h"
#include <stdio.h>

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
    struct promql_context before = promql__enter(p, "grouping opts", "\"(\"");
    int err = promql__expect_op(p, "(");
    while (!err && !promql__is_op(p, ")")) {
        promql__enter(p, "grouping opts", "label");
        bool label = p->now.kind == PROMQL_T_STRING ||
                     (p->now.kind == PROMQL_T_IDENT && p->now.word != PROMQL_W_NUMBER &&
                      !promql__is_word(p, "without"));
        if (!label) {
            err = promql__unexpected(p);
            break;
        }
        if (!p->now.text.len || !codec_utf8_valid(p->now.text)) {
            err = promql__fail_at(p, p->now.begin, p->now.end,
                                  "invalid label name for grouping: \"%.*s\"",
                                  SLICE_FMT(p->now.text));
            break;
        }
        vec_push(&names, arena_slice(p->arena, p->now.text));
        err = promql__advance(p);
        promql__enter(p, "grouping opts", "\",\" or \")\"");
        if (!err && !promql__is_op(p, ")"))
            err = promql__expect_op(p, ",");
    }
    p->context = before;
    if (!err)
        err = promql__advance(p);
    *out = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    *out_count = names.len;
    vec_free(&names);
    return err;
}

/* (a, b): leaves the last parenthesis in hand. */
static int parse_args(struct promql_parser *p, struct promql_expr *e)
{
    VEC(struct promql_expr *) args = {0};
    int err = promql__expect_op(p, "(");
    while (!err && !promql__is_op(p, ")")) {
        struct promql_expr *arg;
        if ((err = promql__parse_expr(p, 0, &arg)))
            break;
        vec_push(&args, arg);
        if (promql__is_op(p, ")"))
            break;
        size_t begin = p->now.begin;
        err = promql__expect_op(p, ",");
        if (!err && !promql__starts_expr(p))
            err = promql__fail_at(p, begin, p->now.end,
                                  "trailing commas not allowed in function call args");
    }
    promql__set_args(p, e, args.items, args.len);
    vec_free(&args);
    e->end = p->now.end;
    return err;
}

static int parse_grouping(struct promql_parser *p, struct promql_expr *e)
{
    if (!promql__is_word(p, "by") && !promql__is_word(p, "without"))
        return 0;
    if (e->has_grouping)
        return 0; /* one is enough: it is a word too many for who comes next */
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
    struct promql_context before = promql__enter(p, "aggregation", "");
    int err = promql__advance(p);
    if (!err)
        err = parse_grouping(p, e);
    if (!err)
        err = parse_args(p, e);
    p->context = before;
    if (!err)
        err = promql__advance(p);
    if (!err)
        err = parse_grouping(p, e);
    if (err)
        return err;
    *out = e;
    size_t want = aggregates[which].has_param ? 2 : 1;
    if (!e->arg_count)
        return promql__fail_at(p, e->begin, e->end,
                               "no arguments for aggregate expression provided");
    if (aggregates[which].experimental && !p->options->experimental)
        return promql__fail_at(p, e->begin, e->end,
                               "%s() is experimental and must be enabled with "
                               "--enable-feature=promql-experimental-functions (here: "
                               "promql.experimental)",
                               aggregates[which].name);
    if (e->arg_count != want)
        return promql__fail_at(
            p, e->begin, e->end,
            "wrong number of arguments for aggregate expression provided, expected %zu, got %zu",
            want, e->arg_count);
    if (want == 2) {
        struct promql_expr *param = e->args[0];
        e->args[0] = e->args[1];
        e->args[1] = param;
    }
    return 0;
}

int promql__parse_call(struct promql_parser *p, struct promql_expr **out)
{
    struct promql_token name = p->now;
    const struct query_function *f = query_function_find(name.text);
    struct promql_expr *e =
        promql__new_expr(p, PROMQL_CALL, f ? f->returns : QUERY_TYPE_SCALAR, name.begin);
    e->function = f;
    *out = e;
    int err = promql__advance(p);
    if (!err)
        err = parse_args(p, e);
    if (err)
        return err;
    if (!f)
        return promql__fail_at(p, name.begin, name.end, "unknown function with name \"%.*s\"",
                               SLICE_FMT(slice_first(name.text, 300)));
    if (f->experimental && !p->options->experimental)
        return promql__fail_at(p, name.begin, name.end,
                               "function \"%s\" is not enabled (promql.experimental)", f->name);
    return promql__advance(p);
}
