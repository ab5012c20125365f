#include "query/fused.h"

#include <math.h>

#include "base/map.h"
#include "base/mem.h"
#include "query/aggregate_histogram.h"
#include "query/hand.h"
#include "query/rank.h"
#include "query/stack.h"

#define SLICE_STEPS           ((size_t)256) /* what one thread adds up at a time */
#define SLICE_HISTOGRAM_STEPS ((size_t)16)

struct group {
    struct data_labels labels;
    double *value, *c;          /* sums with compensations, or extremes */
    uint32_t *count;            /* rows with a value at a step, beside those of one stretch */
    int32_t *edge;              /* rows that have values in one stretch: begun less ended there */
    uint32_t least;             /* rows that must have a value */
    struct query__rank rank;    /* topk and bottomk have nothing else */
    uint32_t *histograms;       /* rows with one at a step; NULL: there was none */
    struct query__stack *stack; /* their sums */
};

/* Labels that were met, by where their texts lie: a source gives equal ones from the same place as
 * a rule, and their group is found without reading them. */
#define RECENT        256
#define RECENT_LABELS 4
struct recent {
    size_t count;
    struct data_label labels[RECENT_LABELS];
    struct group *group;
};

struct fused {
    struct query_exec *x;
    const struct query_node *node;
    const struct query__simd *simd;
    struct map *by_labels;
    struct buf key;
    VEC(struct group *) groups;
    struct group **numbered; /* the same by their number, where a view gives it */
    const uint32_t *take;    /* of topk and bottomk, one a step */
    size_t most;
    struct recent *recent;
    bool hinted;          /* about the one metric there is */
    bool noted;           /* something was said about rows, with the place of their selector */
    _Atomic bool starved; /* memory was used up while adding */

    /* The wave at hand. */
    const struct query__slot *slots;
    struct group **group_of;
    size_t count, slice; /* series; steps that a thread adds up at a time */
};

/* Aggregations over one selector, which is read once for all of them. */
#define TOGETHER 8

struct together {
    struct fused of[TOGETHER];
    size_t count;
    struct query__slot *slots;
};

static bool is_named(const struct query_node *n, struct slice name)
{
    for (size_t i = 0; i < n->grouping_count; i++) {
        if (slice_eq(name, n->grouping[i]))
            return true;
    }
    return false;
}

static bool ranks(const struct query_node *n)
{
    return n->aggregate == QUERY_TOPK || n->aggregate == QUERY_BOTTOMK;
}

static bool sums(const struct query_node *n)
{
    return n->aggregate == QUERY_SUM || n->aggregate == QUERY_AVG;
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
    case QUERY_TOPK:
    case QUERY_BOTTOMK:
    case QUERY_GROUP: break;
    default: return false;
    }
    if (n->by_view)
        return !ranks(n) && !arg->subquery && (arg->op == QUERY_WINDOW || arg->op == QUERY_INSTANT);
    if (arg->selector.anchored || arg->selector.smoothed || arg->selector.starts)
        return false;
    if (arg->op == QUERY_INSTANT)
        return true;
    /* A group by the name, or what goes with it, lives on until these are removed, or not. */
    if (query__drops_name(arg) && !n->without &&
        (is_named(n, SLICE(DATA_METRIC_NAME)) || is_named(n, SLICE("__type__")) ||
         is_named(n, SLICE("__unit__"))))
        return false;
    /* Where names go at once, series that differ in nothing else are an error to be found. */
    return arg->op == QUERY_WINDOW && !arg->subquery && arg->arg_count == 1 &&
           (!query__drops_name(arg) || query__one_metric(&arg->selector) || delayed_name_removal);
}

static struct group *group_new(struct fused *f)
{
    struct query_exec *x = f->x;
    bool extremes = f->node->aggregate == QUERY_MIN || f->node->aggregate == QUERY_MAX;
    struct group *g = ARENA_NEW(x->arena, struct group);
    if (!g)
        return NULL;
    if (ranks(f->node))
        return query__rank_init(x, f->node->aggregate == QUERY_TOPK, f->take, f->most, &g->rank)
                   ? g
                   : NULL;
    g->count = ARENA_ARRAY(x->arena, uint32_t, x->step_count);
    g->edge = ARENA_ARRAY(x->arena, int32_t, x->step_count + 1);
    g->value = ARENA_ARRAY(x->arena, double, x->step_count);
    g->c = sums(f->node) ? ARENA_ARRAY(x->arena, double, x->step_count) : NULL;
    if (!g->count || !g->edge || !g->value || (sums(f->node) && !g->c))
        return NULL;
    for (size_t s = 0; extremes && s < x->step_count; s++)
        g->value[s] = NAN; /* which any value takes the place of */
    return g;
}

/* NULL when these are too many. */
static struct recent *recent_of(const struct fused *f, const struct data_label *labels,
                                size_t count)
{
    uint64_t mix = count;
    for (size_t i = 0; i < count && i < RECENT_LABELS; i++)
        mix = hash_u64(mix ^ (uintptr_t)labels[i].value.ptr);
    return count > RECENT_LABELS || !f->recent ? NULL : &f->recent[mix % RECENT];
}

static bool same_place(const struct recent *r, const struct data_label *labels, size_t count)
{
    bool same = r->count == count;
    for (size_t i = 0; i < count && same; i++)
        same = r->labels[i].name.ptr == labels[i].name.ptr &&
               r->labels[i].name.len == labels[i].name.len &&
               r->labels[i].value.ptr == labels[i].value.ptr &&
               r->labels[i].value.len == labels[i].value.len;
    return same;
}

/* The group of a series, by the labels that it keeps. NULL without memory. */
static struct group *group_for(struct fused *f, struct data_labels labels)
{
    const struct query_node *n = f->node;
    bool drop = n->without || query__drops_name(n->args[0]), added;
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
    struct recent *recent = recent_of(f, kept, count);
    if (recent && recent->group && same_place(recent, kept, count))
        return recent->group;
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
    if (recent) {
        *recent = (struct recent){.count = count, .group = e->value.ptr};
        memcpy(recent->labels, kept, count * sizeof(*kept));
    }
    return e->value.ptr;
}

/* A view's group; also NULL for a series that is left out. */
static struct group *group_numbered(struct fused *f, size_t series, bool *out_failed)
{
    const struct query_view *view = f->node->args[0]->selector.view;
    uint32_t number = view->group_of[series];
    *out_failed = false;
    if (number == QUERY_NO_GROUP)
        return NULL;
    if (!f->numbered)
        f->numbered = ARENA_ARRAY(f->x->arena, struct group *, view->group_count);
    struct group *g = f->numbered ? f->numbered[number] : NULL;
    if (g || (*out_failed = !f->numbered || !(g = group_new(f))))
        return g;
    struct data_label *label = ARENA_NEW(f->x->arena, struct data_label);
    if ((*out_failed = !label))
        return NULL;
    *label = (struct data_label){SLICE(QUERY_GROUP_LABEL), arena_printf(f->x->arena, "%u", number)};
    g->labels = (struct data_labels){label, 1};
    g->least = view->least ? view->least[number] : 0;
    f->numbered[number] = g;
    vec_push(&f->groups, g);
    return g;
}

/* False without memory. */
static bool expect_histograms(struct fused *f, struct group *g)
{
    struct query_exec *x = f->x;
    if (g->histograms)
        return true;
    g->histograms = ARENA_ARRAY(x->arena, uint32_t, x->step_count);
    if (sums(f->node))
        g->stack = query__stack_new(x->arena, x->step_count, x->env->memory);
    return g->histograms && (g->stack || !sums(f->node));
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

/* A row that has histograms. */
static void add_mixed(struct fused *f, struct group *g, const struct query__slot *slot, size_t lo,
                      size_t hi)
{
    for (size_t s = lo; s < hi; s++) {
        const struct data_histogram *h = slot->histogram[s];
        if (!slot->row.has[s])
            continue;
        if (h) {
            g->histograms[s]++;
            if (g->stack && !query__stack_add(g->stack, s, h, (uint32_t)slot->series))
                f->starved = true;
        } else if (ranks(f->node)) {
            query__rank_add(&g->rank, (uint32_t)slot->series, slot->row.value, NULL, s, s + 1);
        } else {
            g->count[s]++;
            add_run(f, g, slot->row.value, s, 1);
        }
    }
}

/* Adds the wave's rows, in order, at some of the steps. */
static void add_steps(void *ctx, size_t slice)
{
    struct fused *f = ctx;
    size_t begin = slice * f->slice, end = MIN(begin + f->slice, f->x->step_count);
    for (size_t i = 0; i < f->count; i++) {
        const struct query__row *row = &f->slots[i].row;
        struct group *g = f->group_of[i];
        size_t lo = MAX(row->lo, begin), hi = MIN(row->hi, end);
        if (!g || lo >= hi)
            continue;
        if (f->slots[i].histogram) {
            add_mixed(f, g, &f->slots[i], lo, hi);
            continue;
        }
        if (ranks(f->node)) {
            query__rank_add(&g->rank, (uint32_t)f->slots[i].series, row->value,
                            row->all ? NULL : row->has, lo, hi);
            continue;
        }
        if (row->all) {
            add_run(f, g, row->value, lo, hi - lo);
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

/* A row without gaps is counted by its ends. */
static void count_whole(struct fused *f, size_t i)
{
    const struct query__row *row = &f->slots[i].row;
    struct group *g = f->group_of[i];
    if (g && row->all && !ranks(f->node)) {
        g->edge[row->lo]++;
        g->edge[row->hi]--;
    }
}

static int add_wave(struct fused *f, const struct query__scan *scan)
{
    struct query_exec *x = f->x;
    const struct store_source_ops *ops = x->env->source->ops;
    bool histograms = false;
    for (size_t i = 0; i < f->count; i++) {
        f->group_of[i] = NULL;
        query__notes_tell(x, f->slots[i].notes);
        f->noted |= f->slots[i].notes != NULL;
        if (!f->slots[i].samples)
            continue;
        bool failed = false;
        if (f->node->by_view) {
            f->group_of[i] = group_numbered(f, f->slots[i].series, &failed);
            if (failed)
                return query__no_memory(x);
            count_whole(f, i);
            continue;
        }
        struct data_labels labels = ops->selection_labels(scan->selection, f->slots[i].series);
        if (!f->hinted)
            query__counter_hint(x, f->node->args[0], labels);
        f->hinted = query__one_metric(&f->node->args[0]->selector);
        struct group *g = f->group_of[i] = group_for(f, labels);
        if (!g || (f->slots[i].histogram && !expect_histograms(f, g)))
            return query__no_memory(x);
        histograms |= f->slots[i].histogram != NULL;
        count_whole(f, i);
    }
    f->slice = histograms ? SLICE_HISTOGRAM_STEPS : SLICE_STEPS;
    size_t slices = (x->step_count + f->slice - 1) / f->slice;
    struct task_pool *pool = x->env->pool;
    if (pool && pool->width > 1 && slices > 1 && (histograms || f->count * x->step_count > 65536)) {
        pool->parallel(pool, TASK_INTERACTIVE, slices, pool->width, add_steps, f);
    } else {
        for (size_t i = 0; i < slices; i++)
            add_steps(f, i);
    }
    return f->starved ? query__no_memory(x) : 0;
}

/* The sum of histograms, if that is all there is. */
static int finish_histograms(const struct fused *f, const struct query__scan *scan,
                             const struct group *g, size_t s, bool floats, struct query_row *row)
{
    struct slice metric = {NULL, 0};
    uint32_t misfit;
    if (!floats && query__stack_misfit(g->stack, s, &misfit))
        metric = data_labels_get(
            query__result_labels(f->x, f->node->args[0],
                                 f->x->env->source->ops->selection_labels(scan->selection, misfit)),
            SLICE(DATA_METRIC_NAME));
    return query__stack_put(g->stack, f->x, f->node, s, floats, metric, row);
}

/* *out_done is made false when the plain way may come to another result: when an average's sum
 * overflowed. */
static int finish_group(const struct fused *f, const struct query__scan *scan, struct group *g,
                        struct query_row *row, bool *out_done)
{
    uint32_t stretches = 0;
    for (size_t s = 0; s < f->x->step_count; s++) {
        stretches += (uint32_t)g->edge[s];
        uint32_t count = g->count[s] + stretches, histograms = g->histograms ? g->histograms[s] : 0;
        if (histograms && sums(f->node)) {
            int err = finish_histograms(f, scan, g, s, count > 0, row);
            if (err)
                return err;
            continue;
        }
        if (f->node->aggregate == QUERY_COUNT || f->node->aggregate == QUERY_GROUP)
            count += histograms;
        else if (histograms)
            query__tell_left_out(f->x, f->node);
        double v = g->value[s], n = (double)count;
        row->has[s] = count > 0 && count >= g->least;
        switch (f->node->aggregate) {
        case QUERY_SUM: v = isinf(v) ? v : v + g->c[s]; break;
        case QUERY_AVG:
            if (count && !isfinite(v)) {
                *out_done = false;
                return 0;
            }
            v = v / n + g->c[s] / n;
            break;
        case QUERY_COUNT: v = n; break;
        case QUERY_GROUP: v = 1; break;
        default: break;
        }
        row->value[s] = v;
    }
    return 0;
}

static int make_slots(struct query_exec *x, struct together *t, size_t wave)
{
    t->slots = ARENA_ARRAY(x->arena, struct query__slot, wave);
    for (size_t i = 0; i < t->count && t->slots; i++) {
        t->of[i].slots = t->slots;
        t->of[i].group_of = ARENA_ARRAY(x->arena, struct group *, wave);
        if (!t->of[i].group_of)
            return query__no_memory(x);
    }
    for (size_t i = 0; i < wave && t->slots; i++) {
        t->slots[i].row.value = arena_alloc(x->arena, x->step_count * sizeof(double));
        t->slots[i].row.has = arena_alloc(x->arena, x->step_count);
        t->slots[i].own = t->slots[i].row;
        if (!t->slots[i].row.value || !t->slots[i].row.has)
            return query__no_memory(x);
    }
    return t->slots ? 0 : query__no_memory(x);
}

struct heads {
    const struct query_node *node;
    struct store_selection *selection;
};

static struct data_labels head_of(struct query_exec *x, void *ctx, uint32_t row,
                                  bool *out_drop_name)
{
    const struct heads *h = ctx;
    *out_drop_name = query__drops_name(h->node);
    return query__result_labels(x, h->node,
                                x->env->source->ops->selection_labels(h->selection, row));
}

static int finish(const struct fused *f, const struct query__scan *scan, struct query_grid *out,
                  bool *out_done)
{
    int err = 0;
    for (size_t i = 0; i < f->groups.len && !err && *out_done; i++) {
        struct group *g = f->groups.items[i];
        if (ranks(f->node)) {
            struct heads heads = {f->node->args[0], scan->selection};
            if (g->histograms)
                query__tell_left_out(f->x, f->node);
            err = query__rank_finish(f->x, &g->rank, head_of, &heads, out);
            continue;
        }
        struct query_row *row = query__add_row(f->x, out, g->labels);
        if (!row)
            err = ERR_NOMEM;
        else
            err = finish_group(f, scan, g, row, out_done);
    }
    return err;
}

/* --- the same selector in several places --- */

static bool same_matchers(const struct query_selector *a, const struct query_selector *b)
{
    if (a->matcher_count != b->matcher_count)
        return false;
    for (size_t i = 0; i < a->matcher_count; i++) {
        if (a->matchers[i].op != b->matchers[i].op ||
            !slice_eq(a->matchers[i].name, b->matchers[i].name) ||
            !slice_eq(a->matchers[i].value, b->matchers[i].value))
            return false;
    }
    return true;
}

/* Both are such that query__can_fuse is true of what is over them. */
static bool same_rows(const struct query_node *a, const struct query_node *b)
{
    const struct query_selector *s = &a->selector, *t = &b->selector;
    return a->op == b->op && a->function == b->function && a->range_ns == b->range_ns &&
           s->offset_ns == t->offset_ns && s->has_at == t->has_at && s->at_ns == t->at_ns &&
           s->lookback_ns == t->lookback_ns && s->timestamps == t->timestamps &&
           s->find_resets == t->find_resets && s->no_nans == t->no_nans && s->view == t->view &&
           a->each == b->each && same_matchers(s, t);
}

/* Aggregations of one argument like n's, n among them, in the order they will be evaluated. Those
 * in subqueries have other steps. *found tells whether n was met. */
static void find_alike(const struct query_exec *x, const struct query_node *at,
                       const struct query_node *n, struct together *t, bool *found)
{
    if (at->op == QUERY_WINDOW && at->subquery)
        return;
    *found |= at == n;
    if (at->op == QUERY_AGGREGATE && at->arg_count == 1 && t->count < TOGETHER && at != n &&
        query__can_fuse(at, x->plan->delayed_name_removal) && same_rows(at->args[0], n->args[0]))
        t->of[t->count++].node = at;
    for (size_t i = 0; i < at->arg_count; i++) {
        if (at->op != QUERY_WINDOW)
            find_alike(x, at->args[i], n, t, found);
    }
}

static bool take_made(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    for (size_t i = 0; i < x->made.len; i++) {
        if (x->made.items[i].node != n)
            continue;
        out->rows = x->made.items[i].grid.rows; /* the run's */
        out->count = out->cap = x->made.items[i].grid.count;
        x->stats.samples_read += x->made.items[i].samples;
        x->stats.series_selected += x->made.items[i].series;
        x->made.items[i] = vec_pop(&x->made);
        return true;
    }
    return false;
}

int query__eval_fused(struct query_exec *x, const struct query_node *n, const double *param,
                      struct query_grid *out, bool *out_done)
{
    struct together t = {.count = 1};
    struct query_stats stats = x->stats;
    uint64_t held = x->samples_held;
    struct query__scan scan;
    bool outside = false;
    uint32_t *take = NULL;
    *out_done = take_made(x, n, out);
    if (*out_done || (ranks(n) && !query__rank_takes(x, param, &take, &t.of[0].most)))
        return 0;
    if (ranks(n) && !take)
        return query__no_memory(x);
    if (n->arg_count == 1)
        find_alike(x, x->plan->root, n, &t, &outside);
    if (!outside)
        t.count = 1;
    t.of[0].node = n;
    t.of[0].take = take;
    for (size_t i = 0; i < t.count; i++) {
        t.of[i].x = x;
        t.of[i].simd = query__simd();
        t.of[i].by_labels = map_new();
        t.of[i].recent = mem_calloc(RECENT, sizeof(struct recent));
    }
    int err = query__scan_open(x, n->args[0], NULL, &scan);
    scan.borrows = true;
    scan.makes_all = !n->by_view;
    size_t most = err ? 0 : query__scan_wave(&scan), count;
    *out_done = true;
    if (most)
        err = make_slots(x, &t, most);
    for (size_t first = 0; first < scan.count && !err; first += count) {
        count = query__scan_next(&scan, first, most);
        err = query__scan_read(&scan, first, count, t.slots);
        for (size_t i = 0; i < t.count && !err; i++) {
            t.of[i].count = count;
            err = add_wave(&t.of[i], &scan);
        }
    }
    if (!err && *out_done)
        err = finish(&t.of[0], &scan, out, out_done);
    /* What is said about rows has to be said for each place: the others read again. */
    for (size_t i = 1; i < t.count && !err && *out_done && !t.of[0].noted; i++) {
        struct query_made made = {.node = t.of[i].node,
                                  .samples = x->stats.samples_read - stats.samples_read,
                                  .series = x->stats.series_selected - stats.series_selected};
        bool done = true;
        err = finish(&t.of[i], &scan, &made.grid, &done);
        if (done && !err)
            vec_push(&x->made, made);
    }
    if (!err && !*out_done) {
        x->stats = stats;
        x->samples_held = held;
        query__grid_clear(out);
    }
    query__scan_close(&scan);
    for (size_t i = 0; i < t.count; i++) {
        for (size_t k = 0; k < t.of[i].groups.len; k++)
            query__stack_free(t.of[i].groups.items[k]->stack);
        vec_free(&t.of[i].groups);
        map_free(t.of[i].by_labels);
        buf_deinit(&t.of[i].key);
        mem_free(t.of[i].recent);
    }
    return err;
}
