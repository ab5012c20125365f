/* An expression as Prometheus prints it, on one line. */
#include <math.h>

#include "codec/number.h"
#include "lang/promql/ast.h"
#include "text/duration.h"

static void print_quoted(struct slice s, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        switch (c) {
        case '"': buf_append_cstr(out, "\\\""); break;
        case '\\': buf_append_cstr(out, "\\\\"); break;
        case '\n': buf_append_cstr(out, "\\n"); break;
        case '\t': buf_append_cstr(out, "\\t"); break;
        case '\r': buf_append_cstr(out, "\\r"); break;
        default: buf_append_char(out, c);
        }
    }
    buf_append_char(out, '"');
}

static void print_names(const struct slice *names, size_t count, struct buf *out)
{
    buf_append_char(out, '(');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_cstr(out, ", ");
        if (data_label_name_is_legacy(names[i]))
            buf_append_slice(out, names[i]);
        else
            print_quoted(names[i], out);
    }
    buf_append_char(out, ')');
}

static void print_selector(const struct promql_expr *e, struct buf *out)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    bool bare = e->name.len && data_metric_name_is_legacy(e->name), first = true;
    if (bare)
        buf_append_slice(out, e->name);
    for (size_t i = 0; i + e->implied_count < e->matcher_count; i++) {
        const struct store_matcher *m = &e->matchers[i];
        bool name =
            e->name.len && slice_eq_cstr(m->name, DATA_METRIC_NAME) && m->op == STORE_MATCH_EQ;
        if (name && bare)
            continue;
        buf_append_cstr(out, first ? "{" : ",");
        first = false;
        if (name) {
            print_quoted(m->value, out);
            continue;
        }
        if (data_label_name_is_legacy(m->name))
            buf_append_slice(out, m->name);
        else
            print_quoted(m->name, out);
        buf_append_cstr(out, ops[m->op]);
        print_quoted(m->value, out);
    }
    if (!first)
        buf_append_char(out, '}');
}

static void print_time(const struct promql_expr *e, struct buf *out)
{
    if (e->at == PROMQL_AT_TIME)
        buf_printf(out, " @ %.3f", (double)(e->at_ns / NS_PER_MS) / 1000);
    else if (e->at != PROMQL_AT_NONE)
        buf_append_cstr(out, e->at == PROMQL_AT_START ? " @ start()" : " @ end()");
    if (e->anchored || e->smoothed)
        buf_append_cstr(out, e->smoothed ? " smoothed" : " anchored");
    if (e->offset) {
        buf_append_cstr(out, " offset ");
        promql__duration_print(e->offset, out);
    }
}

static void print_binary(const struct promql_expr *e, struct buf *out)
{
    static const char *const ops[] = {"+", "-",  "*", "/",  "%",  "^",  "atan2", "==", "!=",
                                      "<", "<=", ">", ">=", "</", ">/", "and",   "or", "unless"};
    promql_print(e->args[0], out);
    buf_printf(out, " %s", ops[e->op]);
    if (e->return_bool)
        buf_append_cstr(out, " bool");
    if (e->has_matching && (e->on || e->matching_count)) {
        buf_append_cstr(out, e->on ? " on " : " ignoring ");
        print_names(e->matching, e->matching_count, out);
    }
    if (e->has_group) {
        buf_append_cstr(out,
                        e->cardinality == QUERY_MANY_TO_ONE ? " group_left " : " group_right ");
        print_names(e->include, e->include_count, out);
    }
    buf_append_char(out, ' ');
    promql_print(e->args[1], out);
}

void promql_print(const struct promql_expr *e, struct buf *out)
{
    static const char *const aggregates[] = {
        "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
        "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
    switch (e->kind) {
    case PROMQL_NUMBER:
        if (e->is_duration)
            text_duration_print((int64_t)(e->number * 1e9), out);
        else
            codec_append_double(out, e->number, CODEC_DOUBLE_PLAIN);
        break;
    case PROMQL_STRING: print_quoted(e->string, out); break;
    case PROMQL_SELECTOR:
        print_selector(e, out);
        print_time(e, out);
        break;
    case PROMQL_MATRIX:
        print_selector(e->args[0], out);
        buf_append_char(out, '[');
        promql__duration_print(e->range, out);
        buf_append_char(out, ']');
        print_time(e->args[0], out);
        break;
    case PROMQL_SUBQUERY:
        promql_print(e->args[0], out);
        buf_append_char(out, '[');
        promql__duration_print(e->range, out);
        buf_append_char(out, ':');
        if (e->step)
            promql__duration_print(e->step, out);
        buf_append_char(out, ']');
        print_time(e, out);
        break;
    case PROMQL_CALL:
        buf_append_cstr(out, e->function->name);
        buf_append_char(out, '(');
        for (size_t i = 0; i < e->arg_count; i++) {
            if (i)
                buf_append_cstr(out, ", ");
            promql_print(e->args[i], out);
        }
        buf_append_char(out, ')');
        break;
    case PROMQL_AGGREGATE:
        buf_append_cstr(out, aggregates[e->aggregate]);
        if (e->has_grouping && (e->without || e->grouping_count)) {
            buf_append_cstr(out, e->without ? " without " : " by ");
            print_names(e->grouping, e->grouping_count, out);
            buf_append_char(out, ' ');
        }
        buf_append_char(out, '(');
        if (e->arg_count > 1) {
            promql_print(e->args[1], out);
            buf_append_cstr(out, ", ");
        }
        promql_print(e->args[0], out);
        buf_append_char(out, ')');
        break;
    case PROMQL_BINARY: print_binary(e, out); break;
    case PROMQL_UNARY:
        buf_append_char(out, e->negative ? '-' : '+');
        promql_print(e->args[0], out);
        break;
    case PROMQL_PAREN:
        buf_append_char(out, '(');
        promql_print(e->args[0], out);
        buf_append_char(out, ')');
        break;
    }
}
