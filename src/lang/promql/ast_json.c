/* The syntax tree as JSON, in the shape of Prometheus' /api/v1/parse_query: keys in alphabetical
 * order, durations and times in milliseconds, numbers as texts. Written by hand and not with
 * codec/json_write.h because trees may be deeper than its bound. */
#include "codec/json_write.h"
#include "codec/number.h"
#include "lang/promql/ast.h"

static void put_key(const char *key, struct buf *out)
{
    if (out->len && out->ptr[out->len - 1] != '{')
        buf_append_char(out, ',');
    buf_printf(out, "\"%s\":", key);
}

static void put_string(const char *key, struct slice s, struct buf *out)
{
    put_key(key, out);
    codec_json_append_string(out, s);
}

static void put_bool(const char *key, bool v, struct buf *out)
{
    put_key(key, out);
    buf_append_cstr(out, v ? "true" : "false");
}

static void put_number_text(const char *key, double v, struct buf *out)
{
    put_key(key, out);
    buf_append_char(out, '"');
    codec_append_double(out, v, CODEC_DOUBLE_PLAIN);
    buf_append_char(out, '"');
}

static void put_names(const char *key, const struct slice *names, size_t count, struct buf *out)
{
    put_key(key, out);
    buf_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(out, ',');
        codec_json_append_string(out, names[i]);
    }
    buf_append_char(out, ']');
}

static void put_tree(const char *key, const struct promql_expr *e, struct buf *out)
{
    put_key(key, out);
    if (e)
        promql_ast_json(e, out);
    else
        buf_append_cstr(out, "null");
}

/* --- durations --- */

static void put_duration_node(const struct promql_duration *d, bool wrapped, struct buf *out)
{
    const struct promql_duration *left = d->left, *right = d->right;
    if (d->op == PROMQL_D_PAREN && d->left->op != PROMQL_D_NUMBER) {
        put_duration_node(d->left, true, out);
        return;
    }
    buf_append_char(out, '{');
    if (promql__duration_is_plain(d)) {
        const struct promql_duration *number = d->op == PROMQL_D_NUMBER ? d : d->left;
        put_bool("duration", number->is_duration, out);
        put_string("type", SLICE("numberLiteral"), out);
        put_number_text("val", d->op == PROMQL_D_NEGATE ? -number->seconds : number->seconds, out);
        buf_append_char(out, '}');
        return;
    }
    /* A sign has its operand on the right; so has a number in parentheses, under a plus. */
    bool sign = d->op == PROMQL_D_NEGATE || d->op == PROMQL_D_PLUS || d->op == PROMQL_D_PAREN;
    if (sign) {
        right = d->left;
        left = NULL;
    }
    put_key("lhs", out);
    if (left)
        put_duration_node(left, false, out);
    else
        buf_append_cstr(out, "null");
    put_string("op", slice_cstr(d->op == PROMQL_D_PAREN ? "+" : promql__duration_op_name(d->op)),
               out);
    put_key("rhs", out);
    if (right)
        put_duration_node(right, false, out);
    else
        buf_append_cstr(out, "null");
    put_string("type", SLICE("durationExpr"), out);
    put_bool("wrapped", wrapped || d->op == PROMQL_D_PAREN, out);
    buf_append_char(out, '}');
}

/* Milliseconds, and null; or 0 and what is to be calculated. */
static void put_duration(const char *key, const char *expr_key, const struct promql_duration *d,
                         struct buf *out)
{
    int64_t ns = 0;
    bool plain = !d || promql__duration_is_plain(d);
    if (d && plain)
        promql__duration_value(d, NULL, &ns, NULL);
    put_key(key, out);
    buf_printf(out, "%lld", (long long)(ns / NS_PER_MS));
    put_key(expr_key, out);
    if (plain)
        buf_append_cstr(out, "null");
    else
        put_duration_node(d, false, out);
}

/* --- selectors --- */

static void put_matchers(const struct promql_expr *e, struct buf *out)
{
    /* A name in front of the braces comes last. */
    bool in_front = e->name.len && !e->name_inside;
    size_t count = e->matcher_count - e->implied_count;
    put_key("matchers", out);
    buf_append_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct store_matcher *m = &e->matchers[in_front ? (i + 1) % count : i];
        buf_append_cstr(out, i ? ",{" : "{");
        put_string("name", m->name, out);
        put_string("type", slice_cstr(promql__match_name(m->op)), out);
        put_string("value", m->value, out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

static void put_start_or_end(const struct promql_expr *e, struct buf *out)
{
    put_key("startOrEnd", out);
    if (e->at == PROMQL_AT_START || e->at == PROMQL_AT_END)
        buf_append_cstr(out, e->at == PROMQL_AT_START ? "\"start\"" : "\"end\"");
    else
        buf_append_cstr(out, "null");
}

static void put_timestamp(const struct promql_expr *e, struct buf *out)
{
    put_key("timestamp", out);
    if (e->at == PROMQL_AT_TIME)
        buf_printf(out, "%lld", (long long)(e->at_ns / NS_PER_MS));
    else
        buf_append_cstr(out, "null");
}

/* A selector; `matrix` (may be NULL) is the range over it. */
static void put_selector(const struct promql_expr *e, const struct promql_expr *matrix,
                         struct buf *out)
{
    put_bool("anchored", e->anchored, out);
    put_matchers(e, out);
    put_string("name", e->name_inside || !e->name.len ? SLICE("") : e->name, out);
    put_duration("offset", "offsetExpr", e->offset, out);
    if (matrix)
        put_duration("range", "rangeExpr", matrix->range, out);
    put_bool("smoothed", e->smoothed, out);
    put_start_or_end(e, out);
    put_timestamp(e, out);
    put_string("type", matrix ? SLICE("matrixSelector") : SLICE("vectorSelector"), out);
}

static void put_subquery(const struct promql_expr *e, struct buf *out)
{
    put_tree("expr", e->args[0], out);
    put_duration("offset", "offsetExpr", e->offset, out);
    put_duration("range", "rangeExpr", e->range, out);
    put_start_or_end(e, out);
    put_duration("step", "stepExpr", e->step, out);
    put_timestamp(e, out);
    put_string("type", SLICE("subquery"), out);
}

/* --- operators --- */

static const char *value_type(enum query_type type)
{
    static const char *const names[] = {"scalar", "vector", "matrix", "string"};
    return names[type];
}

static void put_call(const struct promql_expr *e, struct buf *out)
{
    const struct query_function *f = e->function;
    size_t types = (size_t)f->arg_count + (f->variadic != 0);
    put_key("args", out);
    buf_append_char(out, '[');
    for (size_t i = 0; i < e->arg_count; i++) {
        if (i)
            buf_append_char(out, ',');
        promql_ast_json(e->args[i], out);
    }
    buf_append_char(out, ']');
    put_key("func", out);
    buf_append_char(out, '{');
    put_key("argTypes", out);
    buf_append_char(out, '[');
    for (size_t i = 0; i < types; i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", value_type(f->args[i]));
    buf_append_char(out, ']');
    put_string("name", slice_cstr(f->name), out);
    put_string("returnType", slice_cstr(value_type(f->returns)), out);
    put_key("variadic", out);
    buf_printf(out, "%d}", f->variadic);
    put_string("type", SLICE("call"), out);
}

static void put_fill(const char *key, bool given, double v, struct buf *out)
{
    put_key(key, out);
    if (given)
        codec_append_double(out, v, CODEC_DOUBLE_JSON);
    else
        buf_append_cstr(out, "null");
}

static void put_matching(const struct promql_expr *e, struct buf *out)
{
    static const char *const cards[] = {"one-to-one", "many-to-one", "one-to-many", "many-to-many"};
    put_key("matching", out);
    if (e->args[0]->type != QUERY_TYPE_VECTOR || e->args[1]->type != QUERY_TYPE_VECTOR) {
        buf_append_cstr(out, "null");
        return;
    }
    buf_append_char(out, '{');
    put_string("card", slice_cstr(cards[e->cardinality]), out);
    put_key("fillValues", out);
    buf_append_char(out, '{');
    put_fill("lhs", e->has_fill_left, e->fill_left, out);
    put_fill("rhs", e->has_fill_right, e->fill_right, out);
    buf_append_char(out, '}');
    put_names("include", e->include, e->include_count, out);
    put_names("labels", e->matching, e->matching_count, out);
    put_bool("on", e->on, out);
    buf_append_char(out, '}');
}

void promql_ast_json(const struct promql_expr *e, struct buf *out)
{
    buf_append_char(out, '{');
    switch (e->kind) {
    case PROMQL_NUMBER:
        put_string("type", SLICE("numberLiteral"), out);
        put_number_text("val", e->number, out);
        break;
    case PROMQL_STRING:
        put_string("type", SLICE("stringLiteral"), out);
        put_string("val", e->string, out);
        break;
    case PROMQL_SELECTOR: put_selector(e, NULL, out); break;
    case PROMQL_MATRIX: put_selector(e->args[0], e, out); break;
    case PROMQL_SUBQUERY: put_subquery(e, out); break;
    case PROMQL_CALL: put_call(e, out); break;
    case PROMQL_AGGREGATE:
        put_tree("expr", e->args[0], out);
        put_names("grouping", e->grouping, e->grouping_count, out);
        put_string("op", slice_cstr(promql__aggregate_name(e->aggregate)), out);
        put_tree("param", e->arg_count > 1 ? e->args[1] : NULL, out);
        put_string("type", SLICE("aggregation"), out);
        put_bool("without", e->without, out);
        break;
    case PROMQL_BINARY:
        put_bool("bool", e->return_bool, out);
        put_tree("lhs", e->args[0], out);
        put_matching(e, out);
        put_string("op", slice_cstr(promql__operator_name(e->op)), out);
        put_tree("rhs", e->args[1], out);
        put_string("type", SLICE("binaryExpr"), out);
        break;
    case PROMQL_UNARY:
        put_tree("expr", e->args[0], out);
        put_string("op", e->negative ? SLICE("-") : SLICE("+"), out);
        put_string("type", SLICE("unaryExpr"), out);
        break;
    case PROMQL_PAREN:
        put_tree("expr", e->args[0], out);
        put_string("type", SLICE("parenExpr"), out);
        break;
    }
    buf_append_char(out, '}');
}
