/* Verdicts over numbers: thresholds, with one to come back over when it was crossed before
 * (hysteresis), and classic conditions. */
#include <math.h>
#include <stdlib.h>

#include "codec/number.h"
#include "lang/expr/expr_priv.h"

/* --- thresholds --- */

struct evaluator {
    struct slice type;
    double params[2];
    bool either_order; /* a range's bounds may come in any order, as in classic conditions */
};

static const struct {
    const char *name;
    size_t params;
} evaluator_kinds[] = {{"gt", 1},
                       {"lt", 1},
                       {"gte", 1},
                       {"lte", 1},
                       {"eq", 1},
                       {"ne", 1},
                       {"within_range", 2},
                       {"outside_range", 2},
                       {"within_range_included", 2},
                       {"outside_range_included", 2},
                       {"no_value", 0}};

static int read_evaluator(const struct codec_json *v, struct evaluator *out, struct diag *diag)
{
    const struct codec_json *params = codec_json_get(v, "params");
    size_t needed = SIZE_MAX;
    *out = (struct evaluator){.type = expr__string(v, "type")};
    for (size_t i = 0; i < ARRAY_LEN(evaluator_kinds); i++) {
        if (slice_eq_cstr(out->type, evaluator_kinds[i].name))
            needed = evaluator_kinds[i].params;
    }
    if (needed == SIZE_MAX)
        return diag_set(diag, ERR_INVALID,
                        "evaluator type \"%.*s\" is not known; gt, lt, gte, lte, eq, ne, "
                        "within_range, outside_range and no_value are",
                        SLICE_FMT(out->type));
    for (size_t i = 0; i < needed; i++) {
        if (!params || params->kind != CODEC_JSON_ARRAY || params->count <= i ||
            params->items[i].kind != CODEC_JSON_NUMBER)
            return diag_set(diag, ERR_INVALID, "evaluator %.*s needs %zu numbers as params",
                            SLICE_FMT(out->type), needed);
        out->params[i] = params->items[i].number;
    }
    return 0;
}

static bool holds(const struct evaluator *e, double v)
{
    double a = e->params[0], b = e->params[1];
    double low = e->either_order ? fmin(a, b) : a, high = e->either_order ? fmax(a, b) : b;
    if (slice_eq_cstr(e->type, "gt"))
        return v > a;
    if (slice_eq_cstr(e->type, "lt"))
        return v < a;
    if (slice_eq_cstr(e->type, "gte"))
        return v >= a;
    if (slice_eq_cstr(e->type, "lte"))
        return v <= a;
    if (slice_eq_cstr(e->type, "eq"))
        return v == a;
    if (slice_eq_cstr(e->type, "ne"))
        return v != a;
    if (slice_eq_cstr(e->type, "within_range"))
        return v > low && v < high;
    if (slice_eq_cstr(e->type, "outside_range"))
        return v < low || v > high;
    if (slice_eq_cstr(e->type, "within_range_included"))
        return v >= low && v <= high;
    return slice_eq_cstr(e->type, "outside_range_included") && (v <= low || v >= high);
}

/* Grafana's fingerprint of labels: FNV-1 (64 bits) over names and values in order, 0xff behind
 * each. Labels are sorted. */
static uint64_t fingerprint(struct data_labels labels)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < labels.count; i++) {
        const struct slice parts[] = {labels.items[i].name, labels.items[i].value};
        for (size_t p = 0; p < ARRAY_LEN(parts); p++) {
            for (size_t k = 0; k <= parts[p].len; k++) {
                h *= UINT64_C(1099511628211);
                h ^= k < parts[p].len ? (unsigned char)parts[p].ptr[k] : 0xff;
            }
        }
    }
    return h;
}

/* Which series were over the threshold the last time: a frame with one column of fingerprints. */
struct loaded {
    uint64_t *prints;
    size_t count;
};

static int by_print(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int read_loaded(const struct expr_env *env, const struct codec_json *frame,
                       struct loaded *out, struct diag *diag)
{
    const struct codec_json *columns = codec_json_get(codec_json_get(frame, "data"), "values");
    *out = (struct loaded){0};
    if (!frame || frame->kind == CODEC_JSON_NULL)
        return 0;
    if (!columns || columns->kind != CODEC_JSON_ARRAY || columns->count != 1 ||
        columns->items[0].kind != CODEC_JSON_ARRAY)
        return diag_set(diag, ERR_INVALID,
                        "loadedDimensions is a data frame with one column of fingerprints");
    const struct codec_json *list = &columns->items[0];
    out->prints = ARENA_ARRAY(env->arena, uint64_t, list->count + 1);
    if (!out->prints)
        return expr__no_memory(diag);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != CODEC_JSON_NUMBER ||
            !codec_text_to_uint(list->items[i].text, &out->prints[out->count++]))
            return diag_set(diag, ERR_INVALID,
                            "a fingerprint of loadedDimensions is a whole number from 0 up");
    }
    qsort(out->prints, out->count, sizeof(*out->prints), by_print);
    return 0;
}

static bool is_loaded(const struct loaded *l, struct data_labels labels)
{
    uint64_t key = fingerprint(labels);
    return l->count && bsearch(&key, l->prints, l->count, sizeof(key), by_print);
}

int expr__threshold(const struct expr_env *env, const struct codec_json *query,
                    struct expr_set *out, struct diag *diag)
{
    const struct codec_json *list = codec_json_get(query, "conditions");
    const struct expr_set *in;
    struct evaluator load, unload;
    struct loaded loaded;
    if (!list || list->kind != CODEC_JSON_ARRAY || list->count != 1)
        return diag_set(diag, ERR_INVALID, "threshold expression requires exactly one condition");
    const struct codec_json *condition = &list->items[0];
    const struct codec_json *back = codec_json_get(condition, "unloadEvaluator");
    bool hysteresis = back && back->kind != CODEC_JSON_NULL;
    int err = read_evaluator(codec_json_get(condition, "evaluator"), &load, diag);
    if (!err && hysteresis)
        err = read_evaluator(back, &unload, diag);
    if (!err)
        err = read_loaded(env, codec_json_get(condition, "loadedDimensions"), &loaded, diag);
    if (!err)
        err = expr__input(env, expr__string(query, "expression"), &in, diag);
    out->no_data = !err && in->no_data;
    for (size_t i = 0; !err && i < in->count; i++) {
        const struct expr_series *s = &in->series[i];
        struct expr_series *r = expr_set_add(out, env->arena, s->labels, s->count, s->single);
        /* What was over it stays so until the other one holds. */
        bool was = hysteresis && is_loaded(&loaded, s->labels);
        if (!r)
            return expr__no_memory(diag);
        for (size_t k = 0; k < s->count; k++) {
            if (!s->single)
                r->ts_ns[k] = s->ts_ns[k];
            r->value[k] = expr_is_null(s->value[k]) ? s->value[k]
                          : was                     ? !holds(&unload, s->value[k])
                                                    : holds(&load, s->value[k]);
        }
    }
    return err;
}

/* --- classic conditions --- */

/* Whether the condition is met, and whether there was anything to look at. */
static int run_condition(const struct expr_env *env, const struct codec_json *v, bool *met,
                         bool *none, struct diag *diag)
{
    const struct expr_set *in;
    struct evaluator e;
    enum expr_reducer how;
    int err = expr__reducer_find(expr__string(codec_json_get(v, "reducer"), "type"), &how, diag);
    if (!err)
        err = read_evaluator(codec_json_get(v, "evaluator"), &e, diag);
    if (!err)
        err = expr__input(env, expr__condition_ref(v), &in, diag);
    *met = false;
    *none = true;
    for (size_t i = 0; !err && i < in->count; i++) {
        double value;
        bool any;
        if (!expr__reduce_finite(how, &in->series[i], env->arena, &value, &any))
            return expr__no_memory(diag);
        *none &= !any;
        e.either_order = true;
        if (any)
            *met |= holds(&e, value);
    }
    if (!err && slice_eq_cstr(e.type, "no_value")) {
        *met = *none;
        *none = false;
    }
    return err;
}

int expr__classic(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
                  struct diag *diag)
{
    const struct codec_json *list = codec_json_get(query, "conditions");
    bool all_met = false, all_none = true;
    if (!list || list->kind != CODEC_JSON_ARRAY || !list->count)
        return diag_set(diag, ERR_INVALID, "classic conditions need a list of conditions");
    for (size_t i = 0; i < list->count; i++) {
        struct slice op = expr__string(codec_json_get(&list->items[i], "operator"), "type");
        bool met, none, is_or = slice_eq_cstr(op, "or");
        int err = run_condition(env, &list->items[i], &met, &none, diag);
        if (err)
            return err;
        all_met = !i ? met : is_or ? all_met || met : all_met && met;
        all_none = !i ? none : is_or ? all_none || none : all_none && none;
    }
    struct expr_series *r = expr_set_add(out, env->arena, (struct data_labels){0}, 1, true);
    if (!r)
        return expr__no_memory(diag);
    r->value[0] = all_met ? 1 : all_none ? expr_null() : 0;
    return 0;
}
