/* Expressions back to text, as Loki prints and formats them. */
#include <stdio.h>

#include "codec/number.h"
#include "lang/logql/ast.h"
#include "text/duration.h"
#include "text/go_string.h"

#define LINE_MAX_BYTES 100 /* an expression longer than this is broken */

static void put_indent(unsigned level, struct buf *out)
{
    for (unsigned i = 0; i < level; i++)
        buf_append_cstr(out, "  ");
}

/* A name that LogQL's grammar would not take is quoted. */
static void put_name(struct slice name, struct buf *out)
{
    bool plain = name.len > 0;
    for (size_t i = 0; i < name.len && plain; i++) {
        char c = name.ptr[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                (i && c >= '0' && c <= '9');
    }
    if (plain)
        buf_append_slice(out, name);
    else
        text_go_quote(name, out);
}

static void put_matcher(const struct store_matcher *m, struct buf *out)
{
    put_name(m->name, out);
    buf_append_cstr(out, logql__match_name(m->op));
    text_go_quote(m->value, out);
}

static void put_selector(const struct logql_expr *e, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < e->matcher_count; i++) {
        buf_append_cstr(out, i ? ", " : "");
        put_matcher(&e->matchers[i], out);
    }
    buf_append_char(out, '}');
}

static void put_filter(const struct logql_filter *f, bool nested, struct buf *out)
{
    switch (f->kind) {
    case LOGQL_FILTER_AND:
    case LOGQL_FILTER_OR:
        buf_append_cstr(out, nested ? "( " : "( ");
        put_filter(f->left, true, out);
        buf_append_cstr(out, f->kind == LOGQL_FILTER_OR ? " or " : f->comma ? " , " : " and ");
        put_filter(f->right, true, out);
        buf_append_cstr(out, " )");
        break;
    case LOGQL_FILTER_STRING: put_matcher(&f->matcher, out); break;
    case LOGQL_FILTER_IP:
        put_name(f->name, out);
        buf_append_cstr(out, f->compare == LOGQL_EQ ? "=ip(" : "!=ip(");
        text_go_quote(f->text, out);
        buf_append_char(out, ')');
        break;
    default:
        put_name(f->name, out);
        buf_append_cstr(out, logql__compare_name(f->compare));
        buf_append_slice(out, f->text);
    }
}

void logql__print_filter(const struct logql_filter *f, struct buf *out)
{
    put_filter(f, false, out);
}

static void put_pairs(const struct logql_stage *s, struct buf *out)
{
    bool formats = s->kind == LOGQL_STAGE_LABEL_FORMAT;
    bool drops = s->kind == LOGQL_STAGE_DROP || s->kind == LOGQL_STAGE_KEEP;
    for (size_t i = 0; i < s->pair_count; i++) {
        const struct logql_pair *p = &s->pairs[i];
        buf_append_cstr(out, i ? (drops || formats ? "," : ", ") : " ");
        if (p->has_matcher) {
            put_matcher(&p->matcher, out);
        } else if (drops) {
            put_name(p->name, out);
        } else {
            put_name(p->name, out);
            buf_append_char(out, '=');
            if (p->rename)
                put_name(p->value, out);
            else
                text_go_quote(p->value, out);
        }
    }
}

static void put_line_filter(const struct logql_stage *s, struct buf *out)
{
    buf_append_cstr(out, logql__line_op_name(s->line_op));
    for (size_t i = 0; i < s->needle_count; i++) {
        const struct logql_needle *n = &s->needles[i];
        buf_append_cstr(out, i ? " or " : " ");
        buf_append_cstr(out, n->is_ip ? "ip(" : "");
        text_go_quote(n->text, out);
        buf_append_cstr(out, n->is_ip ? ")" : "");
    }
}

void logql__print_stage(const struct logql_stage *s, struct buf *out)
{
    static const char *const names[] = {
        "", "json",        "logfmt",       "regexp",     "pattern", "unpack",
        "", "line_format", "label_format", "decolorize", "drop",    "keep"};
    if (s->kind == LOGQL_STAGE_LINE) {
        put_line_filter(s, out);
        return;
    }
    buf_printf(out, "| %s", names[s->kind]);
    if (s->kind == LOGQL_STAGE_LABEL_FILTER)
        logql__print_filter(s->filter, out);
    if (s->strict)
        buf_append_cstr(out, " --strict");
    if (s->keep_empty)
        buf_append_cstr(out, " --keep-empty");
    if (s->kind == LOGQL_STAGE_REGEXP || s->kind == LOGQL_STAGE_PATTERN ||
        s->kind == LOGQL_STAGE_LINE_FORMAT) {
        buf_append_char(out, ' ');
        text_go_quote(s->text, out);
    }
    put_pairs(s, out);
}

static void put_names(const char *word, const struct slice *names, size_t count, const char *comma,
                      struct buf *out)
{
    buf_printf(out, "%s (", word);
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, i ? comma : "");
        put_name(names[i], out);
    }
    buf_append_char(out, ')');
}

static void put_grouping(const struct logql_expr *e, const char *comma, struct buf *out)
{
    put_names(e->without ? " without" : " by", e->grouping, e->grouping_count, comma, out);
}

static void put_operator(const struct logql_expr *e, const char *comma, struct buf *out)
{
    buf_append_cstr(out, logql__operator_name(e->op));
    if (e->return_bool)
        buf_append_cstr(out, " bool");
    if (e->has_matching)
        put_names(e->on ? " on" : " ignoring", e->matching, e->matching_count, comma, out);
    if (e->has_group)
        put_names(e->cardinality == QUERY_MANY_TO_ONE ? " group_left" : " group_right", e->include,
                  e->include_count, comma, out);
}

static void put_unwrap(const struct logql_unwrap *u, struct buf *out)
{
    buf_append_cstr(out, "| unwrap ");
    if (u->convert != LOGQL_CONVERT_NUMBER) {
        buf_append_slice(out, u->convert_name);
        buf_append_char(out, '(');
    }
    put_name(u->name, out);
    if (u->convert != LOGQL_CONVERT_NUMBER)
        buf_append_char(out, ')');
    for (const struct logql_stage *s = u->filters; s; s = s->next) {
        buf_append_char(out, ' ');
        logql__print_stage(s, out);
    }
}

static void put_range(const struct logql_expr *e, struct buf *out)
{
    buf_append_char(out, '[');
    text_duration_print(e->range_ns, out);
    buf_append_char(out, ']');
    if (e->has_offset) {
        buf_append_cstr(out, " offset ");
        text_duration_print(e->offset_ns, out);
    }
}

static void put_number(double v, struct buf *out)
{
    codec_append_double(out, v, CODEC_DOUBLE_PLAIN);
}

static void put_label_replace_args(const struct logql_expr *e, struct buf *out)
{
    const struct slice parts[] = {e->dst, e->replacement, e->src, e->regex};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_append_char(out, ',');
        text_go_quote(parts[i], out);
    }
}

void logql_print(const struct logql_expr *e, struct buf *out)
{
    switch (e->kind) {
    case LOGQL_LOG:
        put_selector(e, out);
        for (const struct logql_stage *s = e->stages; s; s = s->next) {
            buf_append_char(out, ' ');
            logql__print_stage(s, out);
        }
        break;
    case LOGQL_RANGE:
        buf_printf(out, "%s(", logql__range_names[e->range_op]);
        if (e->has_param) {
            buf_append_slice(out, e->param_text);
            buf_append_char(out, ',');
        }
        logql_print(e->args[0], out);
        if (e->unwrap) {
            buf_append_char(out, ' ');
            put_unwrap(e->unwrap, out);
        }
        put_range(e, out);
        buf_append_char(out, ')');
        if (e->has_grouping)
            put_grouping(e, ",", out);
        break;
    case LOGQL_AGGREGATE:
        buf_append_cstr(out, e->aggregate->name);
        if (e->has_grouping)
            put_grouping(e, ",", out);
        buf_append_char(out, '(');
        if (e->has_param) {
            buf_append_slice(out, e->param_text);
            buf_append_char(out, ',');
        }
        logql_print(e->args[0], out);
        buf_append_char(out, ')');
        break;
    case LOGQL_BINARY:
        buf_append_char(out, '(');
        logql_print(e->args[0], out);
        buf_append_char(out, ' ');
        put_operator(e, ",", out);
        buf_append_char(out, ' ');
        logql_print(e->args[1], out);
        buf_append_char(out, ')');
        break;
    case LOGQL_NUMBER: put_number(e->number, out); break;
    case LOGQL_VECTOR:
        buf_append_cstr(out, "vector(");
        put_number(e->number, out);
        buf_append_char(out, ')');
        break;
    case LOGQL_LABEL_REPLACE:
        buf_append_cstr(out, "label_replace(");
        logql_print(e->args[0], out);
        put_label_replace_args(e, out);
        buf_append_char(out, ')');
        break;
    }
}

static void format(const struct logql_expr *e, unsigned level, struct buf *out);

static bool is_long(const struct logql_expr *e)
{
    struct buf text = {0};
    logql_print(e, &text);
    bool is = text.len > LINE_MAX_BYTES;
    buf_deinit(&text);
    return is;
}

static void format_log(const struct logql_expr *e, unsigned level, struct buf *out)
{
    put_indent(level, out);
    put_selector(e, out);
    for (const struct logql_stage *s = e->stages; s; s = s->next) {
        buf_append_char(out, '\n');
        put_indent(level + 1, out);
        logql__print_stage(s, out);
    }
}

static void format_range(const struct logql_expr *e, unsigned level, struct buf *out)
{
    put_indent(level, out);
    buf_printf(out, "%s(\n", logql__range_names[e->range_op]);
    if (e->has_param) {
        put_indent(level + 1, out);
        buf_append_slice(out, e->param_text);
        buf_append_cstr(out, ",\n");
    }
    format(e->args[0], level + 1, out);
    if (e->unwrap) {
        buf_append_char(out, '\n');
        put_indent(level + 2, out);
        put_unwrap(e->unwrap, out);
    }
    buf_append_char(out, ' ');
    put_range(e, out);
    buf_append_char(out, '\n');
    put_indent(level, out);
    buf_append_char(out, ')');
    if (e->has_grouping)
        put_grouping(e, ", ", out);
}

static void format(const struct logql_expr *e, unsigned level, struct buf *out)
{
    if (!is_long(e) || e->kind == LOGQL_NUMBER || e->kind == LOGQL_VECTOR) {
        put_indent(level, out);
        logql_print(e, out);
        return;
    }
    switch (e->kind) {
    case LOGQL_LOG: format_log(e, level, out); break;
    case LOGQL_RANGE: format_range(e, level, out); break;
    case LOGQL_AGGREGATE:
        put_indent(level, out);
        buf_append_cstr(out, e->aggregate->name);
        if (e->has_grouping)
            put_grouping(e, ", ", out);
        buf_append_cstr(out, e->has_grouping ? " (\n" : "(\n");
        if (e->has_param) {
            put_indent(level + 1, out);
            buf_append_slice(out, e->param_text);
            buf_append_cstr(out, ",\n");
        }
        format(e->args[0], level + 1, out);
        buf_append_char(out, '\n');
        put_indent(level, out);
        buf_append_char(out, ')');
        break;
    case LOGQL_BINARY:
        put_indent(level, out);
        buf_append_cstr(out, "(\n");
        format(e->args[0], level + 1, out);
        buf_append_char(out, '\n');
        put_indent(level, out);
        put_operator(e, ", ", out);
        buf_append_char(out, '\n');
        format(e->args[1], level + 1, out);
        buf_append_char(out, '\n');
        put_indent(level, out);
        buf_append_char(out, ')');
        break;
    case LOGQL_LABEL_REPLACE:
        put_indent(level, out);
        buf_append_cstr(out, "label_replace(\n");
        format(e->args[0], level + 1, out);
        put_label_replace_args(e, out);
        buf_append_char(out, '\n');
        put_indent(level, out);
        buf_append_char(out, ')');
        break;
    default: break;
    }
}

void logql_format(const struct logql_expr *e, struct buf *out)
{
    format(e, 0, out);
}
