/* Functions that make one series of several, or group them. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/graphite_priv.h"

static struct graphite_list all(struct graphite__call *c)
{
    struct graphite_list l = {0};
    for (size_t i = 0; i < c->rest_count; i++)
        graphite__extend(c->x, &l, &c->rest[i].list);
    return l;
}

static double xff_arg(const struct graphite__value *v)
{
    return v->kind == GRAPHITE__NONE ? GRAPHITE__NULL : v->number;
}

GRAPHITE__HANDLER(aggregate)
{
    enum graphite_agg agg;
    struct slice name = c->arg[1].text;
    out->kind = GRAPHITE__LIST;
    if (graphite__agg(c->x, name, &agg))
        return c->x->err;
    if (slice_ends_with(name, SLICE("Series")))
        name.len -= 6;
    return graphite__aggregate(c->x, &c->arg[0].list, agg, name, xff_arg(&c->arg[2]), &out->list);
}

/* sumSeries and its kin: detail is the aggregation. */
GRAPHITE__HANDLER(aggregate_all)
{
    struct graphite_list l = all(c);
    enum graphite_agg agg = (enum graphite_agg)c->fn->detail;
    out->kind = GRAPHITE__LIST;
    if (agg == GRAPHITE_MULTIPLY && l.len == 1 && c->rest_count == 1) {
        out->list = l;
        return 0;
    }
    const char *name = agg == GRAPHITE_RANGE ? "rangeOf" : graphite_agg_name(agg);
    return graphite__aggregate(c->x, &l, agg, slice_cstr(name), GRAPHITE__NULL, &out->list);
}

GRAPHITE__HANDLER(count_series)
{
    struct graphite_run *x = c->x;
    struct graphite_list l = all(c);
    struct graphite__rows r;
    out->kind = GRAPHITE__LIST;
    if (!l.len) {
        if (c->rest_count)
            return 0;
        int64_t step = (x->window.end_s - x->window.start_s) / 2;
        struct graphite_series *s =
            graphite__series(x, SLICE("0"), x->window.start_s, x->window.end_s, step, NULL, 3);
        for (size_t i = 0; s && i < 3; i++)
            s->values[i] = 0;
        if (s)
            s->path = SLICE("countSeries()");
        graphite__push(x, &out->list, s);
        return x->err;
    }
    if (graphite__normalize(x, &l, &r))
        return x->err;
    struct slice name = graphite__text(x, "countSeries(%.*s)", SLICE_FMT(graphite__paths(x, &l)));
    struct graphite_series *s = graphite__series(x, name, r.start, r.end, r.step, NULL, r.count);
    for (size_t i = 0; s && i < r.count; i++)
        s->values[i] = (double)l.len;
    graphite__push(x, &out->list, s);
    return x->err;
}

/* Pairs of two lists by their place; detail is the aggregation, -1 = by an argument. */
GRAPHITE__HANDLER(aggregate_lists)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *a = &c->arg[0].list, *b = &c->arg[1].list;
    enum graphite_agg agg = (enum graphite_agg)c->fn->detail;
    struct slice name = slice_cstr(c->fn->detail < 0 ? "" : graphite_agg_name(agg));
    out->kind = GRAPHITE__LIST;
    if (a->len != b->len)
        return graphite__fail(x, "seriesListFirstPos and seriesListSecondPos argument must have "
                                 "equal length");
    if (c->fn->detail < 0) {
        name = c->arg[2].text;
        if (graphite__agg(x, name, &agg))
            return x->err;
        if (slice_ends_with(name, SLICE("Series")))
            name.len -= 6;
    }
    for (size_t i = 0; i < a->len && !x->err; i++) {
        struct graphite_series *pair[] = {a->items[i], b->items[i]};
        struct graphite_list l = {pair, 2, 2};
        size_t at = out->list.len;
        graphite__aggregate(x, &l, agg, name, xff_arg(&c->arg[3]), &out->list);
        if (out->list.len > at)
            out->list.items[at]->name =
                graphite__text(x, "%.*sSeries(%.*s,%.*s)", SLICE_FMT(name),
                               SLICE_FMT(pair[0]->name), SLICE_FMT(pair[1]->name));
    }
    return x->err;
}

static int divide(struct graphite_run *x, struct graphite_series *a, struct graphite_series *b,
                  struct graphite_list *out)
{
    struct graphite_series *pair[] = {a, b};
    struct graphite_list l = {pair, 2, 2};
    struct graphite__rows r;
    if (graphite__normalize(x, &l, &r))
        return x->err;
    struct graphite_series *s = graphite__series(
        x, graphite__text(x, "divideSeries(%.*s,%.*s)", SLICE_FMT(a->name), SLICE_FMT(b->name)),
        r.start, r.end, r.step, NULL, r.count);
    for (size_t i = 0; s && i < r.count; i++)
        s->values[i] = r.columns[1][i] == 0 ? GRAPHITE__NULL : r.columns[0][i] / r.columns[1][i];
    graphite__push(x, out, s);
    return x->err;
}

GRAPHITE__HANDLER(divide_series)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *a = &c->arg[0].list, *b = &c->arg[1].list;
    out->kind = GRAPHITE__LIST;
    if (b->len > 1)
        return graphite__fail(
            x, "divideSeries second argument must reference exactly 1 series (got %zu)", b->len);
    if (!b->len) {
        out->list = *a;
        for (size_t i = 0; i < a->len; i++) {
            struct graphite_series *s = a->items[i];
            graphite__rename(x, s, "divideSeries(%.*s,MISSING)", SLICE_FMT(s->name));
            for (size_t k = 0; k < s->count; k++)
                s->values[k] = GRAPHITE__NULL;
        }
        return x->err;
    }
    for (size_t i = 0; i < a->len && !x->err; i++)
        divide(x, a->items[i], b->items[0], &out->list);
    return x->err;
}

GRAPHITE__HANDLER(divide_lists)
{
    const struct graphite_list *a = &c->arg[0].list, *b = &c->arg[1].list;
    out->kind = GRAPHITE__LIST;
    if (a->len != b->len)
        return graphite__fail(c->x, "dividendSeriesList and divisorSeriesList argument must have "
                                    "equal length");
    for (size_t i = 0; i < a->len && !c->x->err; i++)
        divide(c->x, a->items[i], b->items[i], &out->list);
    return c->x->err;
}

/* --- groups --- */

static bool is_dropped(const struct graphite__value *positions, size_t count, int64_t node)
{
    for (size_t i = 0; i < count; i++) {
        if ((int64_t)positions[i].number == node)
            return true;
    }
    return false;
}

struct slice graphite__without_nodes(struct graphite_run *x, struct slice name,
                                     const struct graphite__value *positions, size_t count)
{
    struct buf b = {0};
    struct slice rest = name, part;
    for (int64_t node = 0; slice_split(&rest, '.', &part); node++) {
        if (is_dropped(positions, count, node))
            continue;
        if (b.len)
            buf_append_char(&b, '.');
        buf_append_slice(&b, part);
    }
    struct slice s = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return s;
}

/* detail: the aggregation, -1 = by an argument. */
GRAPHITE__HANDLER(with_wildcards)
{
    struct graphite_run *x = c->x;
    graphite__groups groups = {0};
    enum graphite_agg agg = (enum graphite_agg)c->fn->detail;
    struct slice name = slice_cstr(c->fn->detail < 0 ? "" : graphite_agg_name(agg));
    out->kind = GRAPHITE__LIST;
    if (c->fn->detail < 0 && graphite__agg(x, name = c->arg[1].text, &agg))
        return x->err;
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        struct slice key = graphite__without_nodes(x, s->name, c->rest, c->rest_count);
        graphite__push(x, graphite__group_of(&groups, key), s);
    }
    for (size_t i = 0; i < groups.len && !x->err; i++) {
        size_t at = out->list.len;
        graphite__aggregate(x, &groups.items[i].list, agg, name, GRAPHITE__NULL, &out->list);
        if (out->list.len > at)
            out->list.items[at]->name = groups.items[i].key;
    }
    vec_free(&groups);
    return x->err;
}

/* A callback: an aggregation, or a function that takes one list. Its first series gets the name. */
static int call_back(struct graphite_run *x, struct slice callback, const struct graphite_list *l,
                     struct slice name, struct graphite_list *out)
{
    const struct graphite__function *fn = graphite__function_find(callback);
    size_t at = out->len;
    enum graphite_agg agg;
    if (fn && fn->aggregator) {
        struct graphite__value arg = {.kind = GRAPHITE__LIST, .list = *l}, result;
        if (!graphite__call_with(x, fn, &arg, 1, &result) && result.list.len)
            graphite__push(x, out, result.list.items[0]);
    } else if (!graphite__agg(x, callback, &agg)) {
        struct slice bare = callback;
        if (slice_ends_with(bare, SLICE("Series")))
            bare.len -= 6;
        graphite__aggregate(x, l, agg, bare, GRAPHITE__NULL, out);
    }
    if (!x->err && out->len > at)
        out->items[at]->name = name;
    return x->err;
}

static int group_by(struct graphite_run *x, const struct graphite_list *l, struct slice callback,
                    const struct graphite__value *nodes, size_t count, struct graphite_list *out)
{
    graphite__groups groups = {0};
    struct map *index = map_new();
    for (size_t i = 0; i < l->len && !x->err; i++) {
        struct slice key = graphite__key(x, l->items[i], nodes, count);
        bool added;
        struct map_entry *e = map_put(index, key, &added);
        if (added) {
            e->value.u64 = groups.len;
            vec_add(&groups)->key = key;
        }
        graphite__push(x, &groups.items[e->value.u64].list, l->items[i]);
    }
    for (size_t i = 0; i < groups.len && !x->err; i++)
        call_back(x, callback, &groups.items[i].list, groups.items[i].key, out);
    map_free(index);
    vec_free(&groups);
    return x->err;
}

GRAPHITE__HANDLER(group_by_node)
{
    out->kind = GRAPHITE__LIST;
    return group_by(c->x, &c->arg[0].list, c->arg[2].text, &c->arg[1], 1, &out->list);
}

GRAPHITE__HANDLER(group_by_nodes)
{
    out->kind = GRAPHITE__LIST;
    return group_by(c->x, &c->arg[0].list, c->arg[1].text, c->rest, c->rest_count, &out->list);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

struct slice graphite__tags_key(struct graphite_run *x, const struct graphite_series *s,
                                const struct graphite__value *tags, size_t count,
                                struct slice common)
{
    struct slice *pairs = ARENA_ARRAY(x->arena, struct slice, count + 1);
    struct buf b = {0};
    bool by_name = false;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        by_name |= slice_eq(tags[i].text, SLICE("name"));
    for (size_t k = 0; k < count; k++) {
        struct slice tag = tags[k].text;
        if (!slice_eq(tag, SLICE("name")))
            pairs[n++] =
                graphite__text(x, "%.*s=%.*s", SLICE_FMT(tag), SLICE_FMT(graphite__tag_of(s, tag)));
    }
    if (n)
        qsort(pairs, n, sizeof(*pairs), by_text);
    buf_append_slice(&b, by_name ? graphite__tag_of(s, SLICE("name")) : common);
    for (size_t k = 0; k < n; k++) {
        buf_append_char(&b, ';');
        buf_append_slice(&b, pairs[k]);
    }
    struct slice key = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return key;
}

void graphite__key_to_tags(struct graphite_run *x, struct graphite_series *s, struct slice key)
{
    struct slice rest = key, part;
    s->path = key;
    s->tag_count = 0;
    slice_split(&rest, ';', &part);
    graphite__tag(x, s, "name", part);
    while (slice_split(&rest, ';', &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        struct slice tag = arena_slice(x->arena, slice_first(part, (size_t)MAX(eq, 0)));
        graphite__tag(x, s, tag.ptr, slice_from(part, (size_t)MAX(eq, 0) + 1));
    }
}

GRAPHITE__HANDLER(group_by_tags)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *l = &c->arg[0].list;
    struct slice callback = c->arg[1].text, common = callback;
    graphite__groups groups = {0};
    bool same = l->len > 0;
    out->kind = GRAPHITE__LIST;
    for (size_t i = 1; i < l->len && same; i++)
        same = slice_eq(graphite__tag_of(l->items[i], SLICE("name")),
                        graphite__tag_of(l->items[0], SLICE("name")));
    if (same)
        common = graphite__tag_of(l->items[0], SLICE("name"));
    for (size_t i = 0; i < l->len && !x->err; i++) {
        struct slice key = graphite__tags_key(x, l->items[i], c->rest, c->rest_count, common);
        graphite__push(x, graphite__group_of(&groups, key), l->items[i]);
    }
    for (size_t i = 0; i < groups.len && !x->err; i++) {
        size_t at = out->list.len;
        struct slice key = groups.items[i].key;
        if (!call_back(x, callback, &groups.items[i].list, key, &out->list) && out->list.len > at)
            graphite__key_to_tags(x, out->list.items[at], key);
    }
    vec_free(&groups);
    return x->err;
}

static struct slice replace_percent(struct graphite_run *x, struct slice text, struct slice by)
{
    struct buf b = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%')
            buf_append_slice(&b, by);
        else
            buf_append_char(&b, text.ptr[i]);
    }
    struct slice s = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return s;
}

GRAPHITE__HANDLER(apply_by_node)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *l = &c->arg[0].list;
    struct map *seen = map_new();
    VEC(struct slice) prefixes = {0};
    int64_t node = (int64_t)c->arg[1].number;
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < l->len; i++) {
        struct slice name = l->items[i]->name;
        size_t len = 0;
        bool added;
        for (int64_t n = 0; len < name.len; len++) {
            if (name.ptr[len] == '.' && n++ >= node)
                break;
        }
        map_put(seen, slice_first(name, len), &added);
        if (added)
            vec_push(&prefixes, slice_first(name, len));
    }
    if (prefixes.len)
        qsort(prefixes.items, prefixes.len, sizeof(*prefixes.items), by_text);
    for (size_t i = 0; i < prefixes.len && !x->err; i++) {
        struct graphite_list part = {0};
        const struct graphite_series *last = l->items[l->len - 1];
        graphite__eval_text(x, replace_percent(x, c->arg[2].text, prefixes.items[i]), &part);
        for (size_t k = 0; k < part.len && !x->err; k++) {
            struct graphite_series *s = part.items[k];
            if (c->arg[3].kind != GRAPHITE__NONE)
                s->name = replace_percent(x, c->arg[3].text, prefixes.items[i]);
            s->path = arena_slice(x->arena, prefixes.items[i]);
            s->start = last->start;
            s->end = last->end;
            graphite__push(x, &out->list, s);
        }
    }
    vec_free(&prefixes);
    map_free(seen);
    return x->err;
}

GRAPHITE__HANDLER(group)
{
    out->kind = GRAPHITE__LIST;
    out->list = all(c);
    return c->x->err;
}

GRAPHITE__HANDLER(map_series)
{
    struct graphite_run *x = c->x;
    graphite__groups groups = {0};
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        graphite__push(x, graphite__group_of(&groups, graphite__key(x, s, c->rest, c->rest_count)),
                       s);
    }
    out->kind = GRAPHITE__LISTS;
    out->list_count = groups.len;
    out->lists = ARENA_ARRAY(x->arena, struct graphite_list, groups.len + 1);
    for (size_t i = 0; i < groups.len; i++)
        out->lists[i] = groups.items[i].list;
    vec_free(&groups);
    return x->err;
}

GRAPHITE__HANDLER(reduce_series)
{
    struct graphite_run *x = c->x;
    struct slice function = c->arg[1].text;
    const struct graphite__function *fn = graphite__function_find(function);
    int64_t node = (int64_t)c->arg[2].number;
    graphite__groups groups = {0};
    out->kind = GRAPHITE__LIST;
    const struct graphite_list *lists =
        c->arg[0].kind == GRAPHITE__LISTS ? c->arg[0].lists : &c->arg[0].list;
    size_t list_count = c->arg[0].kind == GRAPHITE__LISTS ? c->arg[0].list_count : 1;
    if (!fn)
        return graphite__fail(x, "reduceSeries: there is no function %.*s",
                              SLICE_FMT(slice_first(function, 60)));
    for (size_t i = 0; i < list_count; i++) {
        for (size_t k = 0; k < lists[i].len; k++) {
            struct graphite_series *s = lists[i].items[k];
            struct slice rest = s->name, part = {"", 0};
            int64_t n = 0, wanted = node;
            size_t prefix = 0;
            for (size_t j = 0; node < 0 && j < s->name.len; j++)
                wanted += s->name.ptr[j] == '.';
            wanted += node < 0;
            while (slice_split(&rest, '.', &part) && n++ < wanted)
                prefix += part.len + 1;
            for (size_t m = 0; m < c->rest_count && n == wanted + 1; m++) {
                if (!slice_eq(part, c->rest[m].text))
                    continue;
                struct slice key =
                    graphite__text(x, "%.*s.reduce.%.*s", (int)(prefix ? prefix - 1 : 0),
                                   s->name.ptr, SLICE_FMT(function));
                struct graphite_list *g = graphite__group_of(&groups, key);
                while (g->len < c->rest_count && !x->err) {
                    graphite__push(x, g, s); /* room; set below */
                    g->items[g->len - 1] = NULL;
                }
                if (!x->err)
                    g->items[m] = s;
            }
        }
    }
    for (size_t i = 0; i < groups.len && !x->err; i++) {
        struct graphite__value *args =
            ARENA_ARRAY(x->arena, struct graphite__value, c->rest_count + 1);
        struct graphite__value result;
        for (size_t m = 0; m < c->rest_count; m++) {
            struct graphite_series *s = groups.items[i].list.items[m];
            args[m].kind = GRAPHITE__LIST;
            graphite__push(x, &args[m].list, s);
        }
        if (!graphite__call_with(x, fn, args, c->rest_count, &result) && result.list.len) {
            result.list.items[0]->name = groups.items[i].key;
            graphite__push(x, &out->list, result.list.items[0]);
        }
    }
    vec_free(&groups);
    return x->err;
}

/* --- percentages, percentiles, powers --- */

static struct graphite_series *sum_of(struct graphite_run *x, const struct graphite_list *l)
{
    struct graphite_list sum = {0};
    if (l->len == 1)
        return l->items[0];
    graphite__aggregate(x, l, GRAPHITE_SUM, SLICE("sum"), 0, &sum);
    return sum.len ? sum.items[0] : NULL;
}

static int percent_of(struct graphite_run *x, struct graphite_series *a, struct graphite_series *b,
                      struct slice b_name, struct graphite_list *out)
{
    struct graphite_series *pair[] = {a, b};
    struct graphite_list l = {pair, 2, 2};
    struct graphite__rows r;
    if (graphite__normalize(x, &l, &r))
        return x->err;
    struct graphite_series *s = graphite__series(
        x, graphite__text(x, "asPercent(%.*s,%.*s)", SLICE_FMT(a->name), SLICE_FMT(b_name)),
        r.start, r.end, r.step, NULL, r.count);
    for (size_t i = 0; s && i < r.count; i++)
        s->values[i] =
            r.columns[1][i] == 0 ? GRAPHITE__NULL : r.columns[0][i] / r.columns[1][i] * 100;
    graphite__push(x, out, s);
    return x->err;
}

static int missing_percent(struct graphite_run *x, struct graphite_series *shape, struct slice a,
                           struct slice b, struct graphite_list *out)
{
    graphite__push(
        x, out,
        graphite__series(x, graphite__text(x, "asPercent(%.*s,%.*s)", SLICE_FMT(a), SLICE_FMT(b)),
                         shape->start, shape->end, shape->step, NULL, shape->count));
    return x->err;
}

static int percent_by_nodes(struct graphite__call *c, struct graphite_list *out)
{
    struct graphite_run *x = c->x;
    const struct graphite__value *total = &c->arg[1];
    graphite__groups groups = {0}, totals = {0};
    if (total->kind != GRAPHITE__NONE && total->kind != GRAPHITE__LIST)
        return graphite__fail(x, "total must be None or a seriesList");
    for (size_t i = 0; i < c->arg[0].list.len; i++) {
        struct graphite_series *s = c->arg[0].list.items[i];
        graphite__push(x, graphite__group_of(&groups, graphite__key(x, s, c->rest, c->rest_count)),
                       s);
    }
    const struct graphite_list *sums =
        total->kind == GRAPHITE__LIST ? &total->list : &c->arg[0].list;
    for (size_t i = 0; i < sums->len; i++) {
        struct slice key = graphite__key(x, sums->items[i], c->rest, c->rest_count);
        graphite__push(x, graphite__group_of(&totals, key), sums->items[i]);
    }
    size_t own = groups.len;
    for (size_t t = 0; t < totals.len; t++)
        (void)graphite__group_of(&groups, totals.items[t].key); /* those without series come last */
    for (size_t i = 0; i < groups.len && !x->err; i++) {
        struct graphite_list *t = NULL;
        for (size_t k = 0; k < totals.len; k++) {
            if (slice_eq(totals.items[k].key, groups.items[i].key))
                t = &totals.items[k].list;
        }
        struct graphite_series *sum = t ? sum_of(x, t) : NULL;
        if (i >= own && sum) {
            missing_percent(x, sum, SLICE("MISSING"), sum->name, out);
            continue;
        }
        for (size_t k = 0; k < groups.items[i].list.len && !x->err; k++) {
            struct graphite_series *s = groups.items[i].list.items[k];
            if (sum)
                percent_of(x, s, sum, sum->name, out);
            else
                missing_percent(x, s, s->name, SLICE("MISSING"), out);
        }
    }
    vec_free(&groups);
    vec_free(&totals);
    return x->err;
}

static int by_series_name(const void *a, const void *b)
{
    return slice_cmp((*(struct graphite_series *const *)a)->name,
                     (*(struct graphite_series *const *)b)->name);
}

GRAPHITE__HANDLER(as_percent)
{
    struct graphite_run *x = c->x;
    struct graphite_list *l = &c->arg[0].list;
    struct graphite__value *total = &c->arg[1];
    out->kind = GRAPHITE__LIST;
    if (!l->len)
        return 0;
    if (c->rest_count)
        return percent_by_nodes(c, &out->list);
    if (total->kind == GRAPHITE__LIST) {
        if (total->list.len == l->len && l->len > 1) {
            qsort(l->items, l->len, sizeof(*l->items), by_series_name);
            qsort(total->list.items, l->len, sizeof(*l->items), by_series_name);
            for (size_t i = 0; i < l->len && !x->err; i++)
                percent_of(x, l->items[i], total->list.items[i], total->list.items[i]->name,
                           &out->list);
            return x->err;
        }
        if (total->list.len != 1)
            return graphite__fail(x, "asPercent second argument must be missing, a single digit, "
                                     "reference exactly 1 series or reference the same number of "
                                     "series as the first argument");
        for (size_t i = 0; i < l->len && !x->err; i++)
            percent_of(x, l->items[i], total->list.items[0], total->list.items[0]->name,
                       &out->list);
        return x->err;
    }
    if (total->kind == GRAPHITE__NONE) {
        struct slice name = graphite__text(x, "sumSeries(%.*s)", SLICE_FMT(graphite__paths(x, l)));
        struct graphite_list sum = {0};
        graphite__aggregate(x, l, GRAPHITE_SUM, SLICE("sum"), 0, &sum);
        for (size_t i = 0; i < l->len && sum.len && !x->err; i++)
            percent_of(x, l->items[i], sum.items[0], name, &out->list);
        return x->err;
    }
    if (total->kind == GRAPHITE__STRING)
        return graphite__fail(x, "asPercent: total must be a number or series");
    for (size_t i = 0; i < l->len && !x->err; i++) {
        struct graphite_series *s = l->items[i];
        struct slice name = graphite__text(x, "asPercent(%.*s,%.*s)", SLICE_FMT(s->name),
                                           SLICE_FMT(graphite__str(x, total)));
        struct graphite_series *p =
            graphite__series(x, name, s->start, s->end, s->step, NULL, s->count);
        for (size_t k = 0; p && k < s->count; k++)
            p->values[k] = total->number == 0 ? GRAPHITE__NULL : s->values[k] / total->number * 100;
        graphite__push(x, &out->list, p);
    }
    return x->err;
}

struct percentile {
    size_t series;
    double n;
    bool interpolate;
    double *out;
};

static void percentile_at(void *ctx, size_t slot, double *v)
{
    const struct percentile *p = ctx;
    p->out[slot] = graphite__percentile_at(v, p->series, p->n, p->interpolate);
}

GRAPHITE__HANDLER(percentile_of_series)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *l = &c->arg[0].list;
    struct graphite__rows r;
    double n = c->arg[1].number;
    out->kind = GRAPHITE__LIST;
    if (!(n > 0))
        return graphite__fail(x, "The requested percent is required to be greater than 0");
    if (!l->len || graphite__normalize(x, l, &r))
        return x->err;
    struct slice name =
        graphite__text(x, "percentileOfSeries(%.*s,%g)", SLICE_FMT(l->items[0]->path), n);
    struct graphite_series *s = graphite__series(x, name, r.start, r.end, r.step, NULL, r.count);
    struct percentile p = {l->len, n, c->arg[2].number != 0, s ? s->values : NULL};
    if (s)
        graphite__across(x, &r, percentile_at, &p);
    graphite__push(x, &out->list, s);
    return x->err;
}

GRAPHITE__HANDLER(pow_series)
{
    struct graphite_run *x = c->x;
    struct graphite_list l = all(c);
    struct graphite__rows r;
    struct buf b = {0};
    out->kind = GRAPHITE__LIST;
    if (!l.len || graphite__normalize(x, &l, &r))
        return x->err;
    for (size_t i = 0; i < l.len; i++)
        buf_printf(&b, "%s%.*s", i ? "," : "", SLICE_FMT(l.items[i]->name));
    struct slice name = graphite__text(x, "powSeries(%.*s)", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    struct graphite_series *s = graphite__series(x, name, r.start, r.end, r.step, NULL, r.count);
    for (size_t i = 0; s && i < r.count; i++) {
        double v = r.columns[0][i];
        for (size_t k = 1; k < l.len; k++) {
            double e = r.columns[k][i];
            v = isnan(v) || isnan(e) ? GRAPHITE__NULL : pow(v, e);
            v = isinf(v) ? GRAPHITE__NULL : v;
        }
        s->values[i] = v;
    }
    graphite__push(x, &out->list, s);
    return x->err;
}

GRAPHITE__HANDLER(weighted_average)
{
    struct graphite_run *x = c->x;
    const struct graphite_list *avgs = &c->arg[0].list, *weights = &c->arg[1].list;
    struct graphite_list products = {0}, sums = {0}, totals = {0};
    graphite__groups groups = {0};
    out->kind = GRAPHITE__LIST;
    if (avgs->len != weights->len)
        return graphite__fail(x,
                              "weightedAverage must receive the same number of series for "
                              "seriesListAvg and seriesListWeight but received respectively %zu "
                              "and %zu",
                              avgs->len, weights->len);
    for (size_t i = 0; i < avgs->len; i++)
        graphite__push(
            x,
            graphite__group_of(&groups, graphite__key(x, avgs->items[i], c->rest, c->rest_count)),
            avgs->items[i]);
    for (size_t i = 0; i < weights->len && !x->err; i++) {
        struct slice key = graphite__key(x, weights->items[i], c->rest, c->rest_count);
        for (size_t k = 0; k < groups.len; k++) {
            if (!slice_eq(groups.items[k].key, key))
                continue;
            struct graphite_series *avg = groups.items[k].list.items[groups.items[k].list.len - 1];
            struct graphite_series *p = graphite__series(
                x,
                graphite__text(x, "product(%.*s,%.*s)", SLICE_FMT(weights->items[i]->name),
                               SLICE_FMT(avg->name)),
                avg->start, avg->end, avg->step, NULL, avg->count);
            for (size_t j = 0; p && j < MIN(avg->count, weights->items[i]->count); j++)
                p->values[j] = avg->values[j] * weights->items[i]->values[j];
            graphite__push(x, &products, p);
        }
    }
    vec_free(&groups);
    if (products.len) {
        graphite__aggregate(x, &products, GRAPHITE_SUM, SLICE("sum"), 0, &sums);
        graphite__aggregate(x, weights, GRAPHITE_SUM, SLICE("sum"), 0, &totals);
    }
    if (x->err || !sums.len || !totals.len)
        return x->err;
    struct buf nodes = {0};
    for (size_t i = 0; i < c->rest_count; i++)
        buf_printf(&nodes, "%s%.*s", i ? "," : "", SLICE_FMT(graphite__str(x, &c->rest[i])));
    struct slice name =
        graphite__text(x, "weightedAverage(%.*s, %.*s, %.*s)", SLICE_FMT(graphite__paths(x, avgs)),
                       SLICE_FMT(graphite__paths(x, weights)), SLICE_FMT(buf_slice(&nodes)));
    buf_deinit(&nodes);
    struct graphite_series *a = sums.items[0], *b = totals.items[0];
    struct graphite_series *s =
        graphite__series(x, name, a->start, a->end, a->step, NULL, a->count);
    for (size_t i = 0; s && i < MIN(a->count, b->count); i++)
        s->values[i] = b->values[i] == 0 ? GRAPHITE__NULL : a->values[i] / b->values[i];
    graphite__push(x, &out->list, s);
    return x->err;
}
