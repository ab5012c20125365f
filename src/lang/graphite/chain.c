/* Functions that change each series by itself, right over what is fetched: a plan does them to each
 * row as it is read. They are called as ever, on series that have names and tags but no values, and
 * write down what they would do. */
#include <string.h>

#include "lang/graphite/graphite_priv.h"

/* Each series by itself, and where there is no value at all none comes of it. */
static bool can_trace(const struct graphite__function *fn)
{
    static const graphite__handler with_each[] = {
        graphite__fn_derivative,   graphite__fn_non_negative,     graphite__fn_integral,
        graphite__fn_with_number,  graphite__fn_scale_to_seconds, graphite__fn_logarithm,
        graphite__fn_round_values, graphite__fn_fill_gaps,        graphite__fn_moving};
    for (size_t i = 0; i < ARRAY_LEN(with_each); i++) {
        if (fn->run == with_each[i])
            return true;
    }
    return fn->run == graphite__fn_pointwise && strcmp(fn->name, "isNonNull") != 0;
}

static bool is_literal(const struct graphite_ast *n)
{
    switch (n->kind) {
    case GRAPHITE_AST_PATH:
    case GRAPHITE_AST_CALL:
    case GRAPHITE_AST_TEMPLATE: return false;
    default: return true;
    }
}

bool graphite__chain_of(const struct graphite_ast *n, struct graphite__chain *out)
{
    out->count = 0;
    for (; n->kind == GRAPHITE_AST_CALL && !slice_eq(n->text, SLICE("seriesByTag"));
         n = n->args[0]) {
        const struct graphite__function *fn = graphite__function_find(n->text);
        if (!fn || !can_trace(fn) || !n->arg_count || out->count == ARRAY_LEN(out->calls))
            return false;
        for (size_t i = 0; i < n->arg_count; i++) {
            if (n->arg_names[i].ptr || (i && !is_literal(n->args[i])))
                return false;
        }
        out->fn[out->count] = fn;
        out->calls[out->count++] = n;
    }
    out->source = n;
    return true;
}

int graphite__chain_call(struct graphite_run *x, const struct graphite__chain *chain,
                         struct graphite_list *l, struct graphite__trace *trace)
{
    struct graphite__trace *before = x->trace;
    *trace = (struct graphite__trace){0};
    x->trace = trace;
    for (size_t i = chain->count; i-- > 0 && !x->err;) {
        const struct graphite_ast *n = chain->calls[i];
        struct graphite__value result,
            *args = ARENA_ARRAY(x->arena, struct graphite__value, n->arg_count);
        args[0] = (struct graphite__value){.kind = GRAPHITE__LIST, .list = *l};
        for (size_t k = 1; k < n->arg_count; k++)
            graphite__eval(x, n->args[k], &args[k]);
        if (!x->err && !graphite__call_with(x, chain->fn[i], args, n->arg_count, &result))
            *l = result.list;
    }
    x->trace = before;
    return x->err;
}
