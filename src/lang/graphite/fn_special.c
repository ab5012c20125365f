/* Functions that make series of nothing, and what fits nowhere else. */
#include <stdlib.h>
#include <string.h>

#include "lang/graphite/graphite_priv.h"

GRAPHITE__HANDLER(consolidate_by)
{
    struct graphite_run *x = c->x;
    struct slice name = c->fn->detail ? SLICE("sum") : c->arg[1].text;
    enum graphite_agg agg;
    *out = c->arg[0];
    if (!graphite_agg_parse(name, &agg) ||
        (agg != GRAPHITE_SUM && agg != GRAPHITE_AVERAGE && agg != GRAPHITE_AVG_ZERO &&
         agg != GRAPHITE_MIN && agg != GRAPHITE_MAX && agg != GRAPHITE_FIRST &&
         agg != GRAPHITE_LAST))
        return graphite__fail(x,
                              "Invalid option specified for function \"consolidateBy\" parameter "
                              "\"consolidationFunc\": '%.*s'; sum, average, avg_zero, min, max, "
                              "first and last are known",
                              SLICE_FMT(slice_first(name, 40)));
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        s->consolidation = agg;
        graphite__tag(x, s, "consolidateBy", name);
        graphite__rename(x, s, "consolidateBy(%.*s,\"%.*s\")", SLICE_FMT(s->name), SLICE_FMT(name));
    }
    return x->err;
}

GRAPHITE__HANDLER(set_xff)
{
    *out = c->arg[0];
    c->x->xff = c->arg[1].number;
    for (size_t i = 0; i < out->list.len; i++) {
        out->list.items[i]->xff = c->arg[1].number;
        graphite__tag(c->x, out->list.items[i], "xFilesFactor", graphite__str(c->x, &c->arg[1]));
    }
    return c->x->err;
}

/* Three points, the same value at each: start, middle, end. */
static struct graphite_series *line(struct graphite_run *x, double value, struct slice name)
{
    int64_t start = x->window.start_s, end = x->window.end_s;
    struct graphite_series *s = graphite__series(x, name, start, end, (end - start) / 2, NULL, 3);
    for (size_t i = 0; s && i < 3; i++)
        s->values[i] = value;
    return s;
}

GRAPHITE__HANDLER(constant_line)
{
    struct slice name = graphite__str(c->x, &c->arg[0]);
    struct graphite_series *s = line(c->x, c->arg[0].number, name);
    if (s)
        s->path = graphite__text(c->x, "constantLine(%.*s)", SLICE_FMT(name));
    out->kind = GRAPHITE__LIST;
    graphite__push(c->x, &out->list, s);
    return c->x->err;
}

GRAPHITE__HANDLER(threshold)
{
    struct slice name = graphite__str(c->x, &c->arg[0]);
    struct graphite_series *s = line(c->x, c->arg[0].number, name);
    out->kind = GRAPHITE__LIST;
    if (!s)
        return c->x->err;
    s->path = graphite__text(c->x, "constantLine(%.*s)", SLICE_FMT(name));
    if (c->arg[1].kind == GRAPHITE__STRING && c->arg[1].text.len)
        s->name = c->arg[1].text;
    if (c->arg[2].kind == GRAPHITE__STRING && c->arg[2].text.len)
        graphite__look(c->x, s)->color = c->arg[2].text;
    graphite__push(c->x, &out->list, s);
    return c->x->err;
}

GRAPHITE__HANDLER(vertical_line)
{
    struct graphite_run *x = c->x;
    int64_t ts;
    out->kind = GRAPHITE__LIST;
    if ((x->err = graphite_time_parse(c->arg[0].text, x->req->now_s, x->req->zone, &ts, x->diag)))
        return x->err;
    if (ts < x->window.start_s || ts > x->window.end_s)
        return graphite__fail(x, "verticalLine(): timestamp %lld exists %s of range", (long long)ts,
                              ts < x->window.start_s ? "before start" : "after end");
    struct graphite_series *s = graphite__series(
        x, c->arg[1].kind == GRAPHITE__STRING ? c->arg[1].text : SLICE("None"), ts, ts, 1, NULL, 2);
    if (!s)
        return x->err;
    s->values[0] = s->values[1] = 1;
    graphite__look(x, s)->infinite = true;
    if (c->arg[2].kind == GRAPHITE__STRING)
        s->look->color = c->arg[2].text;
    graphite__push(x, &out->list, s);
    return x->err;
}

GRAPHITE__HANDLER(aggregate_line)
{
    struct graphite_run *x = c->x;
    enum graphite_agg agg;
    bool keep = c->arg[2].number != 0;
    out->kind = GRAPHITE__LIST;
    if (graphite__agg(x, c->arg[1].text, &agg))
        return x->err;
    for (size_t i = 0; i < c->arg[0].list.len && !x->err; i++) {
        struct graphite_series *s = c->arg[0].list.items[i], *r;
        double v = graphite_aggregate(agg, s->values, s->count);
        struct slice name =
            isnan(v) ? graphite__text(x, "aggregateLine(%.*s, None)", SLICE_FMT(s->name))
                     : graphite__text(x, "aggregateLine(%.*s, %g)", SLICE_FMT(s->name), v);
        if (keep) {
            r = graphite__like(x, s, name);
        } else {
            struct graphite__value number = {.kind = isnan(v) ? GRAPHITE__NONE : GRAPHITE__FLOAT,
                                             .number = v};
            r = line(x, v, graphite__str(x, &number)); /* its tag is the number */
        }
        for (size_t k = 0; r && k < r->count; k++)
            r->values[k] = v;
        if (r)
            r->name = r->path = name;
        graphite__push(x, &out->list, r);
    }
    return x->err;
}

/* identity, time, sin, randomWalk: a value for each step from the start to before the end. */
GRAPHITE__HANDLER(synthetic)
{
    enum { IDENTITY, TIME, SIN, RANDOM };
    struct graphite_run *x = c->x;
    int64_t start = x->window.start_s, end = x->window.end_s;
    double step_d = c->fn->detail == IDENTITY ? 60
                    : c->fn->detail == SIN    ? c->arg[2].number
                                              : c->arg[1].number;
    double amplitude = c->arg[1].number, walk = 0;
    out->kind = GRAPHITE__LIST;
    if (!(step_d >= 1 && step_d <= 1e9))
        return graphite__fail(x, "%s: the step must be at least 1", c->fn->name);
    int64_t step = (int64_t)step_d;
    struct graphite_series *s = graphite__series(x, c->arg[0].text, start, end, step, NULL,
                                                 (size_t)((end - start + step - 1) / step));
    for (size_t i = 0; s && i < s->count; i++) {
        double at = (double)(start + (int64_t)i * step);
        s->values[i] = c->fn->detail == SIN      ? sin(at) * amplitude
                       : c->fn->detail == RANDOM ? walk
                                                 : at;
        x->random = x->random * UINT64_C(6364136223846793005) + 1442695040888963407;
        walk += (double)(x->random >> 11) / 9007199254740992.0 - .5;
    }
    if (s && c->fn->detail == IDENTITY)
        s->path = graphite__text(x, "identity(\"%.*s\")", SLICE_FMT(s->name));
    graphite__push(x, &out->list, s);
    return x->err;
}

GRAPHITE__HANDLER(fallback)
{
    *out = c->arg[0].list.len ? c->arg[0] : c->arg[1];
    return 0;
}

GRAPHITE__HANDLER(events)
{
    struct graphite_run *x = c->x;
    int64_t start = x->window.start_s, end = x->window.end_s, *times = NULL;
    size_t count = 0;
    struct slice *tags = ARENA_ARRAY(x->arena, struct slice, c->rest_count + 1);
    struct buf name = {0};
    out->kind = GRAPHITE__LIST;
    for (size_t i = 0; i < c->rest_count; i++) {
        tags[i] = c->rest[i].text;
        buf_printf(&name, "%s%.*s", i ? "\", \"" : "events(\"", SLICE_FMT(tags[i]));
    }
    buf_append_cstr(&name, "\")");
    bool any = c->rest_count == 1 && slice_eq(tags[0], SLICE("*"));
    if (x->req->events)
        x->err = x->req->events(x->req->events_ctx, tags, any ? 0 : c->rest_count, start, end,
                                x->arena, &times, &count, x->diag);
    struct graphite_series *s =
        graphite__series(x, graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&name))), start, end, 1,
                         NULL, (size_t)MAX(end - start, 0));
    buf_deinit(&name);
    for (size_t i = 0; s && i < count; i++) {
        int64_t at = times[i] - start;
        if (at >= 0 && at < (int64_t)s->count)
            s->values[at] = isnan(s->values[at]) ? 1 : s->values[at] + 1;
    }
    if (s)
        s->consolidation = GRAPHITE_SUM;
    graphite__push(x, &out->list, s);
    return x->err;
}

/* Pie functions give one number a series. */
GRAPHITE__HANDLER(series_by_tag)
{
    (void)out;
    return graphite__fail(c->x, "seriesByTag() stands for itself: it cannot be a callback");
}
