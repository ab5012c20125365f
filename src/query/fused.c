#include "query/fused.h"

#include <math.h>

#include "base/map.h"
#include "base/mem.h"
#include "query/scan.h"

#define SLICE_STEPS ((size_t)256) /* what one thread adds up at a time */

struct group {
    struct data_labels labels;
    double *value, *c; /* sums with compensations, or extremes */
    uint32_t *count;   /* rows with a value at a step, beside those that have one at each */
    uint32_t full;
};

struct fused {
    struct query_exec *x;
    const struct query_node *node;
    const struct query__simd *simd;
    struct map *by_labels;
    struct buf key;
    VEC(struct group *) groups;

    /* The wave at hand. */
    struct query__slot *slots;
    struct group **group_of;
    size_t count;
};

static bool is_named(const struct query_node *n, struct slice name)
{
    for (size_t i = 0; i < n->grouping_count; i++) {
        if (slice_eq(name, n->grouping[i]))
            return true;
    }
    return false;
}

static bool drops_name(const struct query_node *arg)
{
    return arg->op == QUERY_WINDOW ? !arg->function->keeps_name : arg->selector.timestamps;
}

bool query__can_fuse(const struct query_node *n, bool delayed_name_removal)
{
    const struct query_node *arg = n->args[0];
    switch (n->aggregate) {
    case QUERY_SUM:
    case QUERY_AVG:
    case QUERY_COUNT:
    case QUERY_MIN:
    case QUERY_MAX:
    case QUERY_GROUP: break;
    default: return false;
    }
    if (arg->selector.anchored || arg->selector.smoothed)
        return false;
    if (arg->op == QUERY_INSTANT)
        return true;
    /* A group by the name, or what goes with it, lives on until these are removed, or not. */
    if (drops_name(arg) && !n->without &&
        (is_named(n, SLICE(DATA_METRIC_NAME)) || is_named(n, SLICE("__type__")) ||
         is_named(n, SLICE("__unit__"))))
        return false;
    /* Where names go at once, series that differ in nothing else are an error to be found. */
    return arg->op == QUERY_WINDOW && !arg->subquery && arg->arg_count == 1 &&
           (!drops_name(arg) || query__one_metric(&arg->selector) || delayed_name_removal);
}

static struct group *group_new(struct fused *f)
{
    struct query_exec *x = f->x;
    bool sums = f->node->aggregate == QUERY_SUM || f->node->aggregate == QUERY_AVG;
    bool extremes = f->node->aggregate == QUERY_MIN || f->node->aggregate == QUERY_MAX;
    struct group *g = ARENA_NEW(x->arena, struct group);
    if (!g)
        return NULL;
    g->count = ARENA_ARRAY(x->arena, uint32_t, x->step_count);
    g->value = ARENA_ARRAY(x->arena, double, x->step_count);
    g->c = sums ? ARENA_ARRAY(x->arena, double, x->step_count) : NULL;
    if (!g->count || !g->value || (sums && !g->c))
        return NULL;
    for (size_t s = 0; extremes && s < x->step_count; s++)
        g->value[s] = NAN; /* which any value takes the place of */
    return g;
}

/* The group of a series, by the labels that it keeps. NULL without memory. */
static struct group *group_for(struct fused *f, struct data_labels labels)
{
    const struct query_node *n = f->node;
    bool drop = n->without || drops_name(n->args[0]), added;
    struct data_label few[32], *kept = few;
    size_t count = 0;
    if (labels.count > ARRAY_LEN(few) &&
        !(kept = arena_alloc(f->x->arena, labels.count * sizeof(*kept))))
        return NULL;
    for (size_t i = 0; i < labels.count; i++) {
        struct slice name = labels.items[i].name;
        if (is_named(n, name) != n->without && !(drop && slice_eq_cstr(name, DATA_METRIC_NAME)))
            kept[count++] = labels.items[i];
    }
    buf_clear(&f->key);
    data_labels_encode((struct data_labels){kept, count}, &f->key);
    struct map_entry *e = map_put(f->by_labels, buf_slice(&f->key), &added);
    if (added) {
        struct group *g = group_new(f);
        if (!g)
            return NULL;
        g->labels =
            (struct data_labels){arena_dup(f->x->arena, kept, count * sizeof(*kept)), count};
        vec_push(&f->groups, g);
        e->value.ptr = g;
    }
    return e->value.ptr;
}

static void add_run(const struct fused *f, struct group *g, const double *v, size_t at, size_t n)
{
    switch (f->node->aggregate) {
    case QUERY_SUM:
    case QUERY_AVG: f->simd->add(v + at, n, g->value + at, g->c + at); break;
    case QUERY_MIN: f->simd->least(v + at, n, g->value + at); break;
    case QUERY_MAX: f->simd->most(v + at, n, g->value + at); break;
    default: break;
    }
}

/* Adds the wave's rows, in order, at some of the steps. */
static void add_steps(void *ctx, size_t slice)
{
    struct fused *f = ctx;
    size_t begin = slice * SLICE_STEPS, end = MIN(begin + SLICE_STEPS, f->x->step_count);
    for (size_t i = 0; i < f->count; i++) {
        const struct query__row *row = &f->slots[i].row;
        struct group *g = f->group_of[i];
        size_t lo = MAX(row->lo, begin), hi = MIN(row->hi, end);
        if (!g || lo >= hi)
            continue;
        if (row->all) {
            add_run(f, g, row->value, lo, hi - lo);
            if (row->hi - row->lo < f->x->step_count) {
                for (size_t s = lo; s < hi; s++)
                    g->count[s]++;
            }
            continue;
        }
        for (size_t s = lo; s < hi;) {
            size_t from = s;
            for (; s < hi && row->has[s]; s++)
                g->count[s]++;
            add_run(f, g, row->value, from, s - from);
            s += s < hi;
        }
    }
}

static int add_wave(struct fused *f, const struct query__scan *scan, bool *out_histograms)
{
    struct query_exec *x = f->x;
    const struct store_source_ops *ops = x->env->source->ops;
    for (size_t i = 0; i < f->count; i++) {
        f->group_of[i] = NULL;
        *out_histograms |= f->slots[i].histograms;
        if (!f->slots[i].samples)
            continue;
        struct data_labels labels = ops->selection_labels(scan->selection, f->slots[i].series);
        query__counter_hint(x, f->node->args[0], labels);
        struct group *g = f->group_of[i] = group_for(f, labels);
        if (!g)
            return query__no_memory(x);
        const struct query__row *row = &f->slots[i].row;
        g->full += row->all && row->hi - row->lo == x->step_count;
    }
    size_t slices = (x->step_count + SLICE_STEPS - 1) / SLICE_STEPS;
    struct task_pool *pool = x->env->pool;
    if (pool && pool->width > 1 && slices > 1 && f->count * x->step_count > 65536) {
        pool->parallel(pool, TASK_INTERACTIVE, slices, pool->width, add_steps, f);
    } else {
        for (size_t i = 0; i < slices; i++)
            add_steps(f, i);
    }
    return 0;
}

/* False when the plain way may come to another result: when an average's sum overflowed. */
static bool finish_group(const struct fused *f, struct group *g, struct query_row *row)
{
    for (size_t s = 0; s < f->x->step_count; s++) {
        uint32_t count = g->count[s] + g->full;
        double v = g->value[s], n = (double)count;
        row->has[s] = count > 0;
        switch (f->node->aggregate) {
        case QUERY_SUM: v = isinf(v) ? v : v + g->c[s]; break;
        case QUERY_AVG:
            if (count && !isfinite(v))
                return false;
            v = v / n + g->c[s] / n;
            break;
        case QUERY_COUNT: v = n; break;
        case QUERY_GROUP: v = 1; break;
        default: break;
        }
        row->value[s] = v;
    }
    return true;
}

static int make_slots(struct fused *f, size_t wave)
{
    struct query_exec *x = f->x;
    f->slots = ARENA_ARRAY(x->arena, struct query__slot, wave);
    f->group_of = ARENA_ARRAY(x->arena, struct group *, wave);
    if (!f->slots || !f->group_of)
        return query__no_memory(x);
    for (size_t i = 0; i < wave; i++) {
        f->slots[i].row.value = arena_alloc(x->arena, x->step_count * sizeof(double));
        f->slots[i].row.has = arena_alloc(x->arena, x->step_count);
        if (!f->slots[i].row.value || !f->slots[i].row.has)
            return query__no_memory(x);
    }
    return 0;
}

int query__eval_fused(struct query_exec *x, const struct query_node *n, struct query_grid *out,
                      bool *out_done)
{
    struct fused f = {.x = x, .node = n, .simd = query__simd(), .by_labels = map_new()};
    struct query_stats stats = x->stats;
    uint64_t held = x->samples_held;
    struct query__scan scan;
    bool histograms = false;
    int err = query__scan_open(x, n->args[0], NULL, &scan);
    size_t wave = err ? 0 : query__scan_wave(&scan);
    *out_done = true;
    if (wave)
        err = make_slots(&f, wave);
    for (size_t first = 0; first < scan.count && !err && !histograms; first += wave) {
        f.count = MIN(wave, scan.count - first);
        err = query__scan_read(&scan, first, f.count, f.slots);
        if (!err)
            err = add_wave(&f, &scan, &histograms);
    }
    for (size_t i = 0; i < f.groups.len && !err && !histograms && *out_done; i++) {
        struct query_row *row = query__add_row(x, out, f.groups.items[i]->labels);
        if (!row)
            err = ERR_NOMEM;
        else
            *out_done = finish_group(&f, f.groups.items[i], row);
    }
    if (histograms)
        *out_done = false;
    if (!err && !*out_done) {
        x->stats = stats;
        x->samples_held = held;
        *out = (struct query_grid){0};
    }
    query__scan_close(&scan);
    vec_free(&f.groups);
    map_free(f.by_labels);
    buf_deinit(&f.key);
    return err;
}
