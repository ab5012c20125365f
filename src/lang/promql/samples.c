/* How many samples an expression looks at, as Prometheus counts them: each selector's at each step,
 * those of a window for every step whose window they are in. */
#include "base/mem.h"
#include "base/vec.h"
#include "lang/promql/ast.h"

typedef VEC(char *) part_list;

static void add_part(part_list *parts, const char *begin, const struct promql_expr *e,
                     const char *end)
{
    struct buf text = {0};
    struct promql_expr plain = *e, selector;
    plain.anchored = plain.smoothed = false; /* what counts does not know them */
    if (e->kind == PROMQL_MATRIX) {
        selector = *e->args[0];
        selector.anchored = selector.smoothed = false;
        plain.args = &(struct promql_expr *){&selector};
        buf_append_cstr(&text, begin);
        promql_print(&plain, &text);
    } else {
        buf_append_cstr(&text, begin);
        promql_print(&plain, &text);
    }
    buf_append_cstr(&text, end);
    vec_push(parts, mem_strdup(buf_cstr(&text)));
    buf_deinit(&text);
}

/* A tree of additions no deeper than it has to be. */
static void put_sum(char *const *parts, size_t count, struct buf *out)
{
    if (count == 1) {
        buf_append_cstr(out, parts[0]);
        return;
    }
    buf_append_char(out, '(');
    put_sum(parts, count / 2, out);
    buf_append_cstr(out, " + ");
    put_sum(parts + count / 2, count - count / 2, out);
    buf_append_char(out, ')');
}

static const struct promql_expr *inside(const struct promql_expr *e)
{
    while (e->kind == PROMQL_PAREN)
        e = e->args[0];
    return e;
}

static void find_parts(const struct promql_expr *e, bool argument, part_list *parts)
{
    struct promql_expr whole;
    struct buf inner = {0};
    e = inside(e);
    switch (e->kind) {
    case PROMQL_SELECTOR: add_part(parts, "(count(", e, ") or vector(0))"); return;
    case PROMQL_MATRIX: add_part(parts, "(sum(count_over_time(", e, ")) or vector(0))"); return;
    case PROMQL_SUBQUERY:
        if (argument) { /* its points are what is looked at */
            add_part(parts, "(sum(count_over_time(", e, ")) or vector(0))");
        } else if (promql_count_samples(e->args[0], &inner)) {
            /* Alone it is what it evaluates. */
            struct promql_expr text = {.kind = PROMQL_SELECTOR, .name = buf_slice(&inner)};
            whole = *e;
            whole.args = &(struct promql_expr *){&text};
            add_part(parts, "(sum_over_time(", &whole, ") or vector(0))");
        }
        buf_deinit(&inner);
        return;
    default: break;
    }
    size_t count = e->kind == PROMQL_CALL && e->function->joins_info ? 1 : e->arg_count;
    for (size_t i = 0; i < count; i++)
        find_parts(e->args[i], true, parts);
}

bool promql_count_samples(const struct promql_expr *expr, struct buf *out)
{
    part_list parts = {0};
    find_parts(expr, false, &parts);
    bool any = parts.len > 0;
    if (any)
        put_sum(parts.items, parts.len, out);
    for (size_t i = 0; i < parts.len; i++)
        mem_free(parts.items[i]);
    vec_free(&parts);
    return any;
}
