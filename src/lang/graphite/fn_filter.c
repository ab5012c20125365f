/* Functions that choose among series, sort them, or take values out. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

/* --- by an aggregate --- */

static bool compare(struct slice op, double v, double n, bool *out)
{
    bool none = isnan(v);
    if (slice_eq(op, SLICE("=")))
        *out = !none && v == n;
    else if (slice_eq(op, SLICE("!=")))
        *out = none || v != n;
    else if (slice_eq(op, SLICE(">")))
        *out = !none && v > n;
    else if (slice_eq(op, SLICE(">=")))
        *out = !none && v >= n;
    else if (slice_eq(op, SLICE("<")))
        *out = none || v < n;
    else if (slice_eq(op, SLICE("<=")))
        *out = none || v <= n;
    else
        return false;
    return true;
}

static int filter(struct graphite_run *x, const struct graphite_list *l, enum graphite_agg agg,
                  struct slice op, double n, struct graphite_list *out)
{
    bool keep;
    if (!compare(op, 0, 0, &keep))
        return graphite__fail(x, "Unsupported operator: %.*s", SLICE_FMT(slice_first(op, 20)));
    const double *figure = graphite__figures(x, l, agg);
    for (size_t i = 0; i < l->len && figure; i++) {
        compare(op, figure[i], n, &keep);
        if (keep)
            graphite__push(x, out, l->items[i]);
    }
    return x->err;
}

GRAPHITE__HANDLER(filter_series)
{
    enum graphite_agg agg;
    out->kind = GRAPHITE__LIST;
    if (graphite__agg(c->x, c->arg[1].text, &agg))
        return c->x->err;
    return filter(c->x, &c->arg[0].list, agg, c->arg[2].text, c->arg[3].number, &out->list);
}

/* averageAbove and its kin: detail is the aggregation, plus 100 for Below. */
GRAPHITE__HANDLER(above_below)
{
    bool below = c->fn->detail >= 100;
    out->kind = GRAPHITE__LIST;
    return filter(c->x, &c->arg[0].list, (enum graphite_agg)(c->fn->detail % 100),
                  below ? SLICE("<=") : SLICE(">"), c->arg[1].number, &out->list);
}

/* --- sorting --- */

struct keyed {
    double key;
    size_t at;
    struct graphite_series *s;
};

static int ascending(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int descending(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Stable; a series without values sorts as minus infinity. */
static int sort_by(struct graphite_run *x, struct graphite_list *l, enum graphite_agg agg,
                   bool reverse)
{
    const double *figure = graphite__figures(x, l, agg);
    if (!figure)
        return x->err;
    struct keyed *k = mem_alloc((l->len + 1) * sizeof(*k));
    for (size_t i = 0; i < l->len; i++)
        k[i] = (struct keyed){isnan(figure[i]) ? -INFINITY : figure[i], i, l->items[i]};
    if (l->len)
        qsort(k, l->len, sizeof(*k), reverse ? descending : ascending);
    for (size_t i = 0; i < l->len; i++)
        l->items[i] = k[i].s;
    mem_free(k);
    return 0;
}

/* list[:n], where a negative n counts from the end. */
static void cut(struct graphite_list *l, double n)
{
    if (n < 0)
        n = MAX((double)l->len + n, 0);
    l->len = n < (double)l->len ? (size_t)n : l->len;
}

GRAPHITE__HANDLER(sort_by)
{
    enum graphite_agg agg;
    *out = c->arg[0];
    if (!graphite__agg(c->x, c->arg[1].text, &agg))
        sort_by(c->x, &out->list, agg, c->arg[2].number != 0);
    return c->x->err;
}

/* sortByTotal, sortByMaxima: detail is the aggregation. */
GRAPHITE__HANDLER(sort_down)
{
    *out = c->arg[0];
    return sort_by(c->x, &out->list, (enum graphite_agg)c->fn->detail, true);
}

GRAPHITE__HANDLER(sort_by_minima)
{
    out->kind = GRAPHITE__LIST;
    if (filter(c->x, &c->arg[0].list, GRAPHITE_MAX, SLICE(">"), 0, &out->list))
        return c->x->err;
    return sort_by(c->x, &out->list, GRAPHITE_MIN, false);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(struct graphite_series *const *)a)->name,
                     (*(struct graphite_series *const *)b)->name);
}

/* Runs of digits compare as numbers, by filling them up with zeros to ten places. */
static int by_natural_name(const void *a, const void *b)
{
    struct slice s[2] = {(*(struct graphite_series *const *)a)->name,
                         (*(struct graphite_series *const *)b)->name};
    size_t at[2] = {0, 0};
    for (;;) {
        bool end[2] = {at[0] >= s[0].len, at[1] >= s[1].len};
        if (end[0] || end[1])
            return end[1] - end[0];
        char p = s[0].ptr[at[0]], q = s[1].ptr[at[1]];
        if (p >= '0' && p <= '9' && q >= '0' && q <= '9') {
            size_t n[2] = {0, 0};
            for (int i = 0; i < 2; i++) {
                while (at[i] < s[i].len && s[i].ptr[at[i]] == '0')
                    at[i]++;
                while (at[i] + n[i] < s[i].len && s[i].ptr[at[i] + n[i]] >= '0' &&
                       s[i].ptr[at[i] + n[i]] <= '9')
                    n[i]++;
            }
            if (n[0] != n[1])
                return n[0] < n[1] ? -1 : 1;
            int d = n[0] ? memcmp(s[0].ptr + at[0], s[1].ptr + at[1], n[0]) : 0;
            if (d)
                return d;
            at[0] += n[0];
            at[1] += n[0];
            continue;
        }
        if (p != q)
            return (unsigned char)p < (unsigned char)q ? -1 : 1;
        at[0]++;
        at[1]++;
    }
}

GRAPHITE__HANDLER(sort_by_name)
{
    *out = c->arg[0];
    struct graphite_list *l = &out->list;
    if (l->len)
        qsort(l->items, l->len, sizeof(*l->items),
              c->arg[1].number != 0 ? by_natural_name : by_name);
    for (size_t i = 0; c->arg[2].number != 0 && i < l->len / 2; i++) {
        struct graphite_series *s = l->items[i];
        l->items[i] = l->items[l->len - 1 - i];
        l->items[l->len - 1 - i] = s;
    }
    return 0;
}

/* highest and lowest: detail 1 = highest. */
GRAPHITE__HANDLER(extreme)
{
    enum graphite_agg agg;
    *out = c->arg[0];
    if (graphite__agg(c->x, c->arg[2].text, &agg))
        return c->x->err;
    sort_by(c->x, &out->list, agg, c->fn->detail != 0);
    cut(&out->list, c->arg[1].number);
    return c->x->err;
}

/* highestMax and its kin: detail is the aggregation, plus 100 for lowest. */
GRAPHITE__HANDLER(extreme_of)
{
    *out = c->arg[0];
    sort_by(c->x, &out->list, (enum graphite_agg)(c->fn->detail % 100), c->fn->detail < 100);
    cut(&out->list, c->arg[1].number);
    return c->x->err;
}

GRAPHITE__HANDLER(limit)
{
    *out = c->arg[0];
    cut(&out->list, c->arg[1].number);
    return 0;
}

GRAPHITE__HANDLER(most_deviant)
{
    struct graphite_list l = {0};
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        if (graphite__non_null(s->values, s->count))
            graphite__push(c->x, &l, s);
    }
    sort_by(c->x, &l, GRAPHITE_STDDEV, true);
    cut(&l, c->arg[1].number);
    out->list = l;
    return c->x->err;
}

/* --- by name --- */

/* grep; with detail 1 exclude. */
GRAPHITE__HANDLER(grep)
{
    struct text_regex *re;
    out->kind = GRAPHITE__LIST;
    if (graphite__regex(c->x, c->arg[1].text, &re))
        return c->x->err;
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        if (text_regex_match(re, s->name) != (c->fn->detail != 0))
            graphite__push(c->x, &out->list, s);
    }
    text_regex_free(re);
    return c->x->err;
}

GRAPHITE__HANDLER(unique)
{
    struct map *seen = map_new();
    bool added;
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < c->rest_count; i++) {
        for (size_t k = 0; k < c->rest[i].list.len; k++) {
            map_put(seen, c->rest[i].list.items[k]->name, &added);
            if (added)
                graphite__push(c->x, &out->list, c->rest[i].list.items[k]);
        }
    }
    map_free(seen);
    return c->x->err;
}

GRAPHITE__HANDLER(remove_empty)
{
    double xff = c->arg[1].kind == GRAPHITE__NONE ? 0 : c->arg[1].number;
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        if (graphite__xff(graphite__non_null(s->values, s->count), (double)s->count, xff))
            graphite__push(c->x, &out->list, s);
    }
    return c->x->err;
}

GRAPHITE__HANDLER(use_series_above)
{
    struct graphite_run *x = c->x;
    struct text_regex *re;
    struct buf text = {0};
    out->kind = GRAPHITE__LIST;
    if (graphite__regex(x, c->arg[2].text, &re))
        return x->err;
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        if (graphite_aggregate(GRAPHITE_MAX, s->values, s->count) > c->arg[1].number)
            buf_printf(&text, "%s%.*s", text.len ? "," : "group(",
                       SLICE_FMT(graphite__sub(x, re, c->arg[3].text, s->name)));
    }
    if (text.len) {
        buf_append_char(&text, ')');
        graphite__eval_text(x, buf_slice(&text), &out->list);
    }
    buf_deinit(&text);
    text_regex_free(re);
    return x->err;
}

/* --- by percentiles --- */

GRAPHITE__HANDLER(n_percentile)
{
    struct graphite_run *x = c->x;
    double n = c->arg[1].number;
    out->kind = GRAPHITE__LIST;
    if (n == 0)
        return graphite__fail(x, "The requested percent is required to be greater than 0");
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        double v = graphite__percentile(s->values, s->count, n, false);
        if (isnan(v))
            continue;
        struct graphite_series *r = graphite__copy(
            x, s, graphite__text(x, "nPercentile(%.*s, %g)", SLICE_FMT(s->name), n), s->start,
            s->end, s->step, (size_t)MAX((s->end - s->start) / s->step, 0));
        if (!r)
            return x->err;
        graphite__tag(x, r, "nPercentile", graphite__str(x, &c->arg[1]));
        for (size_t k = 0; k < r->count; k++)
            r->values[k] = v;
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* removeAbovePercentile; with detail 1 removeBelowPercentile. */
GRAPHITE__HANDLER(remove_percentile)
{
    struct graphite_run *x = c->x;
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        double v = graphite__percentile(s->values, s->count, c->arg[1].number, false);
        graphite__rename(x, s, "%s(%.*s, %g)", c->fn->name, SLICE_FMT(s->name), c->arg[1].number);
        if (!isnan(v))
            graphite__tag(x, s, "nPercentile", graphite__str(x, &c->arg[1]));
        for (size_t k = 0; k < s->count; k++) {
            if (c->fn->detail ? s->values[k] < v : s->values[k] > v)
                s->values[k] = GRAPHITE__NULL;
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(average_outside)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *l = &c->arg[0].list;
    double n = c->arg[1].number < 50 ? 100 - c->arg[1].number : c->arg[1].number;
    out->kind = GRAPHITE__LIST;
    const double *avg = graphite__figures(x, l, GRAPHITE_AVERAGE);
    if (!avg)
        return x->err;
    double low = graphite__percentile(avg, l->len, 100 - n, false);
    double high = graphite__percentile(avg, l->len, n, false);
    for (size_t i = 0; i < l->len; i++) {
        if (!(low < avg[i] && avg[i] < high))
            graphite__push(x, &out->list, l->items[i]);
    }
    return x->err;
}

struct between {
    size_t series;
    double n;
    _Atomic bool *outside; /* of each series, somewhere */
};

static void look_outside(void *ctx, size_t slot, double *v)
{
    const struct between *b = ctx;
    (void)slot;
    double low = graphite__percentile(v, b->series, 100 - b->n, false);
    double high = graphite__percentile(v, b->series, b->n, false);
    for (size_t k = 0; k < b->series; k++) {
        if (!isnan(v[k]) && !(low < v[k] && v[k] < high))
            atomic_store_explicit(&b->outside[k], true, memory_order_relaxed);
    }
}

GRAPHITE__HANDLER(remove_between)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *l = &c->arg[0].list;
    struct graphite__rows r;
    struct between b = {.series = l->len,
                        .n = c->arg[1].number < 50 ? 100 - c->arg[1].number : c->arg[1].number,
                        .outside = arena_calloc(x->arena, l->len + 1, sizeof(*b.outside))};
    out->kind = GRAPHITE__LIST;
    if (!l->len || graphite__normalize(x, l, &r) || graphite__across(x, &r, look_outside, &b))
        return x->err;
    for (size_t k = 0; k < l->len; k++) {
        if (b.outside[k])
            graphite__push(x, &out->list, l->items[k]);
    }
    return x->err;
}
