/* Sets of numbers, and from an expression's type to what evaluates it. */
#include "lang/expr/expr_priv.h"

#include "data/metric_batch.h"

double expr_null(void)
{
    return data_stale_nan();
}

bool expr_is_null(double v)
{
    return data_is_stale(v);
}

struct expr_series *expr_set_add(struct expr_set *s, struct arena *arena, struct data_labels labels,
                                 size_t count, bool single)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 16;
        struct expr_series *more = ARENA_ARRAY(arena, struct expr_series, cap);
        if (!more)
            return NULL;
        if (s->count)
            memcpy(more, s->series, s->count * sizeof(*more));
        s->series = more;
        s->cap = cap;
    }
    struct expr_series *made = &s->series[s->count];
    *made = (struct expr_series){
        .labels = data_labels_copy(arena, labels), .count = count, .single = single};
    made->value = ARENA_ARRAY(arena, double, count + 1);
    made->ts_ns = single ? NULL : ARENA_ARRAY(arena, int64_t, count + 1);
    if (!made->value || (!single && !made->ts_ns) || (labels.count && !made->labels.items))
        return NULL;
    s->count++;
    return made;
}

bool expr_set_is_single(const struct expr_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->series[i].single)
            return false;
    }
    return true;
}

struct slice expr__string(const struct codec_json *v, const char *key)
{
    struct slice s = codec_json_get_string(v, key);
    return s.ptr ? s : SLICE("");
}

int expr__no_memory(struct diag *diag)
{
    return diag_set(diag, ERR_NOMEM, "the expression takes more than limits.query.memory");
}

int expr__check(const struct expr_env *env, struct diag *diag)
{
    if (env->cancelled && atomic_load(env->cancelled))
        return diag_set(diag, ERR_CANCELLED, "query was canceled in expression evaluation");
    if (env->deadline_ns && env->now_ns() > env->deadline_ns)
        return diag_set(diag, ERR_TIMEOUT, "query timed out in expression evaluation");
    return 0;
}

int expr__too_many(const struct expr_env *env, struct diag *diag)
{
    return diag_set(diag, ERR_LIMIT,
                    "the expression makes more values than limits.query.samples (%lld) allows",
                    (long long)env->values_max);
}

struct slice expr__ref(struct slice name)
{
    name = slice_trim(name);
    if (slice_starts_with(name, SLICE("${")) && slice_ends_with(name, SLICE("}")))
        return slice_make(name.ptr + 2, name.len - 3);
    return slice_starts_with(name, SLICE("$")) ? slice_from(name, 1) : name;
}

int expr__input(const struct expr_env *env, struct slice name, const struct expr_set **out,
                struct diag *diag)
{
    name = expr__ref(name);
    if (!name.len)
        return diag_set(diag, ERR_INVALID,
                        "no variable specified to reference: \"expression\" "
                        "names a query, like \"A\"");
    int err = env->input(env->ctx, name, out, diag);
    if (!err && !(*out)->is_numbers)
        err = diag_set(diag, ERR_INVALID,
                       "query %.*s gives no numbers, which an expression computes with",
                       SLICE_FMT(name));
    return err;
}

struct slice expr__condition_ref(const struct codec_json *condition)
{
    const struct codec_json *names = codec_json_get(codec_json_get(condition, "query"), "params");
    return names && names->kind == CODEC_JSON_ARRAY && names->count &&
                   names->items[0].kind == CODEC_JSON_STRING
               ? names->items[0].text
               : SLICE("");
}

int expr_run(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
             struct diag *diag)
{
    static const struct {
        const char *type;
        int (*run)(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                   struct diag *diag);
    } kinds[] = {{"math", expr__math},
                 {"reduce", expr__reduce},
                 {"resample", expr__resample},
                 {"threshold", expr__threshold},
                 {"classic_conditions", expr__classic}};
    struct slice type = expr__string(query, "type");
    *out = (struct expr_set){.is_numbers = true};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (slice_eq_cstr(type, kinds[i].type))
            return kinds[i].run(env, query, out, diag);
    }
    if (slice_eq_cstr(type, "sql"))
        return diag_set(diag, ERR_INVALID,
                        "expressions in SQL are not evaluated here; math, reduce, resample, "
                        "threshold and classic_conditions are");
    return diag_set(diag, ERR_INVALID,
                    "expression type \"%.*s\" is not known here; math, reduce, resample, "
                    "threshold and classic_conditions are",
                    SLICE_FMT(type));
}

void expr_each_input(const struct codec_json *query, void (*each)(void *ctx, struct slice ref_id),
                     void *ctx)
{
    struct slice type = expr__string(query, "type"), text = expr__string(query, "expression");
    const struct codec_json *list = codec_json_get(query, "conditions");
    if (slice_eq_cstr(type, "math")) {
        expr__math_inputs(text, each, ctx);
        return;
    }
    if (!slice_eq_cstr(type, "classic_conditions")) {
        struct slice ref = expr__ref(text);
        if (ref.len)
            each(ctx, ref);
        return;
    }
    for (size_t i = 0; list && list->kind == CODEC_JSON_ARRAY && i < list->count; i++) {
        struct slice ref = expr__ref(expr__condition_ref(&list->items[i]));
        if (ref.len)
            each(ctx, ref);
    }
}
