/* An expression as Prometheus prints it: on one line, and formatted. */
#include <math.h>
#include <stdlib.h>

#include "base/vec.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "lang/promql/ast.h"
#include "text/duration.h"

#define LINE_MAX_LEN 100 /* bytes of an expression that stays on its line */

const char *promql__operator_name(enum query_binary_op op)
{
    static const char *const names[] = {"+", "-",  "*", "/",  "%",  "^",  "atan2", "==", "!=",
                                        "<", "<=", ">", ">=", "</", ">/", "and",   "or", "unless"};
    return names[op];
}

const char *promql__aggregate_name(enum query_aggregate aggregate)
{
    static const char *const names[] = {
        "sum",    "avg",  "count",   "min",          "max",      "group",  "stddev",
        "stdvar", "topk", "bottomk", "count_values", "quantile", "limitk", "limit_ratio"};
    return names[aggregate];
}

const char *promql__match_name(enum store_match_op op)
{
    static const char *const names[] = {"=", "!=", "=~", "!~"};
    return names[op];
}

/* As Go quotes a string; what is valid UTF-8 stays readable. */
static void print_quoted(struct slice s, struct buf *out)
{
    static const char escaped[] = "\"\\\a\b\f\n\r\t\v", letters[] = "\"\\abfnrtv";
    buf_append_char(out, '"');
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        const char *special = c ? strchr(escaped, c) : NULL;
        size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (special)
            buf_printf(out, "\\%c", letters[special - escaped]);
        else if (c < 0x20 || c == 0x7f || i + len > s.len ||
                 !codec_utf8_valid(slice_make(s.ptr + i, len)))
            buf_printf(out, "\\x%02x", c), len = 1;
        else if (c == 0xc2 && (unsigned char)s.ptr[i + 1] < 0xa0)
            buf_printf(out, "\\u%04x", (unsigned char)s.ptr[i + 1]);
        else
            buf_append(out, s.ptr + i, len);
        i += len;
    }
    buf_append_char(out, '"');
}

static void print_name(struct slice name, struct buf *out)
{
    if (data_label_name_is_legacy(name))
        buf_append_slice(out, name);
    else
        print_quoted(name, out);
}

static void print_names(const struct slice *names, size_t count, struct buf *out)
{
    buf_append_char(out, '(');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_cstr(out, ", ");
        print_name(names[i], out);
    }
    buf_append_char(out, ')');
}

/* --- selectors --- */

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Matchers stand in the order of their texts. */
static void print_selector(const struct promql_expr *e, struct buf *out)
{
    struct buf texts = {0};
    VEC(size_t) ends = {0};
    VEC(struct slice) matchers = {0};
    bool in_front = e->name.len && !e->name_inside;
    if (in_front)
        buf_append_slice(out, e->name);
    for (size_t i = in_front; i + e->implied_count < e->matcher_count; i++) {
        const struct store_matcher *m = &e->matchers[i];
        print_name(m->name, &texts);
        buf_append_cstr(&texts, promql__match_name(m->op));
        print_quoted(m->value, &texts);
        vec_push(&ends, texts.len);
    }
    for (size_t i = 0, begin = 0; i < ends.len; begin = ends.items[i++])
        vec_push(&matchers, slice_make(texts.ptr + begin, ends.items[i] - begin));
    if (matchers.len)
        qsort(matchers.items, matchers.len, sizeof(*matchers.items), by_text);
    for (size_t i = 0; i < matchers.len; i++) {
        buf_append_char(out, i ? ',' : '{');
        buf_append_slice(out, matchers.items[i]);
    }
    if (matchers.len)
        buf_append_char(out, '}');
    else if (!in_front)
        buf_append_cstr(out, "{}");
    vec_free(&matchers);
    vec_free(&ends);
    buf_deinit(&texts);
}

static void print_at(const struct promql_expr *e, struct buf *out)
{
    if (e->at == PROMQL_AT_TIME)
        buf_printf(out, " @ %.3f", (double)(e->at_ns / NS_PER_MS) / 1000);
    else if (e->at != PROMQL_AT_NONE)
        buf_append_cstr(out, e->at == PROMQL_AT_START ? " @ start()" : " @ end()");
}

static void print_extended(const struct promql_expr *e, struct buf *out)
{
    if (e->anchored || e->smoothed)
        buf_append_cstr(out, e->smoothed ? " smoothed" : " anchored");
}

static void print_offset(const struct promql_expr *e, struct buf *out)
{
    int64_t ns;
    if (!e->offset || (promql__duration_is_plain(e->offset) &&
                       !promql__duration_value(e->offset, NULL, &ns, NULL) && !ns))
        return;
    buf_append_cstr(out, " offset ");
    promql__duration_print(e->offset, out);
}

/* [range:step] with the modifiers behind. */
static void print_subquery_suffix(const struct promql_expr *e, struct buf *out)
{
    buf_append_char(out, '[');
    promql__duration_print(e->range, out);
    buf_append_char(out, ':');
    if (e->step)
        promql__duration_print(e->step, out);
    buf_append_char(out, ']');
    print_at(e, out);
    print_offset(e, out);
}

/* --- operators --- */

static void print_fill(const char *how, double v, struct buf *out)
{
    buf_printf(out, " %s (", how);
    codec_append_double(out, v, CODEC_DOUBLE_GENERAL);
    buf_append_char(out, ')');
}

/* The operator and all that stands between the operands. */
static void print_operator(const struct promql_expr *e, struct buf *out)
{
    buf_append_cstr(out, promql__operator_name(e->op));
    if (e->return_bool)
        buf_append_cstr(out, " bool");
    if (e->on || e->matching_count || e->has_group) {
        buf_append_cstr(out, e->on ? " on " : " ignoring ");
        print_names(e->matching, e->matching_count, out);
    }
    if (e->has_group) {
        buf_append_cstr(out,
                        e->cardinality == QUERY_MANY_TO_ONE ? " group_left " : " group_right ");
        print_names(e->include, e->include_count, out);
    }
    if (e->has_fill_left && e->has_fill_right && e->fill_left == e->fill_right) {
        print_fill("fill", e->fill_left, out);
        return;
    }
    if (e->has_fill_left)
        print_fill("fill_left", e->fill_left, out);
    if (e->has_fill_right)
        print_fill("fill_right", e->fill_right, out);
}

/* What stands in front of an aggregation's parenthesis. */
static void print_aggregate(const struct promql_expr *e, struct buf *out)
{
    buf_append_cstr(out, promql__aggregate_name(e->aggregate));
    if (!e->without && !e->grouping_count)
        return;
    buf_append_cstr(out, e->without ? " without " : " by ");
    print_names(e->grouping, e->grouping_count, out);
    buf_append_char(out, ' ');
}

void promql_print(const struct promql_expr *e, struct buf *out)
{
    switch (e->kind) {
    case PROMQL_NUMBER:
        if (e->is_duration) {
            if (e->number < 0)
                buf_append_char(out, '-');
            text_duration_print((int64_t)llround(fabs(e->number) * 1000) * NS_PER_MS, out);
        } else {
            codec_append_double(out, e->number, CODEC_DOUBLE_PLAIN);
        }
        break;
    case PROMQL_STRING: print_quoted(e->string, out); break;
    case PROMQL_SELECTOR:
        print_selector(e, out);
        print_at(e, out);
        print_extended(e, out);
        print_offset(e, out);
        break;
    case PROMQL_MATRIX:
        print_selector(e->args[0], out);
        buf_append_char(out, '[');
        promql__duration_print(e->range, out);
        buf_append_char(out, ']');
        print_extended(e->args[0], out);
        print_at(e->args[0], out);
        print_offset(e->args[0], out);
        break;
    case PROMQL_SUBQUERY:
        promql_print(e->args[0], out);
        print_subquery_suffix(e, out);
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
        print_aggregate(e, out);
        buf_append_char(out, '(');
        if (e->arg_count > 1) {
            promql_print(e->args[1], out);
            buf_append_cstr(out, ", ");
        }
        promql_print(e->args[0], out);
        buf_append_char(out, ')');
        break;
    case PROMQL_BINARY:
        promql_print(e->args[0], out);
        buf_append_char(out, ' ');
        print_operator(e, out);
        buf_append_char(out, ' ');
        promql_print(e->args[1], out);
        break;
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

/* --- formatted --- */

struct layout {
    struct buf scratch;
    struct buf *out;
};

static bool fits(struct layout *l, const struct promql_expr *e)
{
    buf_clear(&l->scratch);
    promql_print(e, &l->scratch);
    return l->scratch.len <= LINE_MAX_LEN;
}

static void indent(struct layout *l, unsigned level)
{
    buf_printf(l->out, "%*s", (int)level * 2, "");
}

static void format(struct layout *l, const struct promql_expr *e, unsigned level);

static void format_aggregate(struct layout *l, const struct promql_expr *e, unsigned level)
{
    print_aggregate(e, l->out);
    buf_append_cstr(l->out, "(\n");
    if (e->arg_count > 1) {
        format(l, e->args[1], level + 1);
        buf_append_cstr(l->out, ",\n");
    }
    format(l, e->args[0], level + 1);
    buf_append_char(l->out, '\n');
    indent(l, level);
    buf_append_char(l->out, ')');
}

static void format_call(struct layout *l, const struct promql_expr *e, unsigned level)
{
    buf_printf(l->out, "%s(\n", e->function->name);
    for (size_t i = 0; i < e->arg_count; i++) {
        if (i)
            buf_append_cstr(l->out, ",\n");
        format(l, e->args[i], level + 1);
    }
    buf_append_char(l->out, '\n');
    indent(l, level);
    buf_append_char(l->out, ')');
}

static void format_binary(struct layout *l, const struct promql_expr *e, unsigned level)
{
    format(l, e->args[0], level + 1);
    buf_append_char(l->out, '\n');
    indent(l, level);
    print_operator(e, l->out);
    buf_append_char(l->out, '\n');
    format(l, e->args[1], level + 1);
}

/* Behind a sign the operand goes on in the same line. */
static void format_unary(struct layout *l, const struct promql_expr *e, unsigned level)
{
    struct buf operand = {0};
    struct layout inner = {.out = &operand};
    format(&inner, e->args[0], level);
    buf_append_char(l->out, e->negative ? '-' : '+');
    buf_append_slice(l->out, slice_trim(buf_slice(&operand)));
    buf_deinit(&inner.scratch);
    buf_deinit(&operand);
}

static void format(struct layout *l, const struct promql_expr *e, unsigned level)
{
    bool whole = fits(l, e);
    /* Operands bring their own indentation. A subquery that fits gets none, as in Prometheus. */
    if (e->kind != PROMQL_SUBQUERY && (e->kind != PROMQL_BINARY || whole))
        indent(l, level);
    if (whole) {
        promql_print(e, l->out);
        return;
    }
    switch (e->kind) {
    case PROMQL_AGGREGATE: format_aggregate(l, e, level); break;
    case PROMQL_CALL: format_call(l, e, level); break;
    case PROMQL_BINARY: format_binary(l, e, level); break;
    case PROMQL_UNARY: format_unary(l, e, level); break;
    case PROMQL_PAREN:
        buf_append_cstr(l->out, "(\n");
        format(l, e->args[0], level + 1);
        buf_append_char(l->out, '\n');
        indent(l, level);
        buf_append_char(l->out, ')');
        break;
    case PROMQL_SUBQUERY:
        format(l, e->args[0], level);
        print_subquery_suffix(e, l->out);
        break;
    default: promql_print(e, l->out); break;
    }
}

void promql_format(const struct promql_expr *e, struct buf *out)
{
    struct layout l = {.out = out};
    format(&l, e, 0);
    buf_deinit(&l.scratch);
}
