/* Aggregations right over paths as plans of the common executor: sumSeries(a.*), groupByNode(a.*,1,
 * 'max'), aggregate(seriesByTag(...),'avg') and their like. The series are scanned in morsels on
 * all threads and added up as they are read, so that no row of a series is ever held.
 *
 * A slot [t, t + step) with its last sample is last_over_time of a window as long as the step that
 * ends just before the next slot. A plan has one step for all of its series: that of the retention
 * rules, or that of the first series that has one, and each series is asked whether it has the
 * same. Where one has not, and where a slot is more than its last sample (coarser archives), the
 * functions work on rows (fetch.c, aggregate.c). What is lowered: docs/graphite.md. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"
#include "query/functions.h"
#include "text/regex.h"

#define PROBES 8 /* series that are looked at for a step */

enum grouping { ONE, BY_NODES, BY_TAGS, BY_OTHER_NODES };

struct group {
    struct slice key;
    struct slice first; /* of its paths, by argument and order: groups come in order of these */
    uint64_t argument;
    struct graphite_tag *tags; /* that all of them have */
    size_t tag_count, members;
    uint64_t arguments; /* bits: those it has series of */
};

/* A series as the chain leaves it. */
struct member {
    struct slice path;
    struct graphite_series *series; /* without values */
    uint32_t group;
};

struct lowering {
    struct query_view view; /* first: what the plan gives back */
    struct graphite_run *x;
    enum graphite_agg agg;
    struct slice name; /* of the aggregation, as titles and tags have it */
    double xff;
    struct graphite__chain
        chain; /* between it and what is fetched; an argument alone may have one */
    struct graphite__trace trace;
    VEC(struct member) members; /* when there is a chain */
    uint32_t *least;            /* of view: by xFilesFactor */
    enum grouping grouping;
    struct graphite__value *nodes;
    size_t node_count;
    struct slice callback; /* of groupByTags: what groups are named after */
    struct slice *expressions;
    size_t argument_count;
    struct map *wanted; /* paths to arguments; NULL: all that is selected, by tagged names */
    int64_t data_step;  /* that the samples must have; 0 = the rules say one */
    struct graphite_rollup how;
    VEC(struct group) groups;
    struct map *index; /* keys to groups */
    uint32_t *group_of;
    int64_t charged;
};

/* --- what can be lowered --- */

static bool is_fetch(const struct graphite_ast *n)
{
    return n->kind == GRAPHITE_AST_PATH
               ? !graphite_glob_is_plain(n->text)
               : n->kind == GRAPHITE_AST_CALL && slice_eq(n->text, SLICE("seriesByTag"));
}

static bool take_aggregation(struct lowering *l, struct slice name)
{
    if (slice_ends_with(name, SLICE("Series")))
        name.len -= 6;
    l->name = name;
    return graphite_agg_parse(name, &l->agg) && graphite__adds_up(l->agg);
}

/* The callback of groupByNode and its kin. */
static bool take_callback(struct lowering *l, const struct graphite_ast *n)
{
    if (n->kind != GRAPHITE_AST_STRING)
        return false;
    const struct graphite__function *fn = graphite__function_find(n->text);
    if (!fn || !fn->aggregator)
        return take_aggregation(l, n->text);
    if (fn->run != graphite__fn_aggregate_all)
        return false;
    l->agg = (enum graphite_agg)fn->detail;
    l->name = slice_cstr(l->agg == GRAPHITE_RANGE ? "rangeOf" : graphite_agg_name(l->agg));
    return graphite__adds_up(l->agg);
}

static bool take_nodes(struct lowering *l, const struct graphite_ast *n, size_t from, size_t to,
                       bool numbers, bool texts)
{
    l->nodes = ARENA_ARRAY(l->x->arena, struct graphite__value, to - from + 1);
    for (size_t i = from; i < to; i++) {
        const struct graphite_ast *a = n->args[i];
        bool number = a->kind == GRAPHITE_AST_INT, text = a->kind == GRAPHITE_AST_STRING;
        if (!(number && numbers) && !(text && texts))
            return false;
        l->nodes[l->node_count++] =
            (struct graphite__value){.kind = number ? GRAPHITE__INT : GRAPHITE__STRING,
                                     .number = a->number,
                                     .text = a->text};
    }
    return true;
}

/* The call, when it is of a kind that can be; otherwise the usual way finds out what it is. */
static bool take_call(struct lowering *l, const struct graphite__function *fn,
                      const struct graphite_ast *n)
{
    size_t args = n->arg_count;
    l->argument_count = 1;
    for (size_t i = 0; i < args; i++) {
        if (n->arg_names[i].ptr)
            return false;
    }
    if (!args || args > 64 || l->x->replace_count)
        return false;
    if (fn->run == graphite__fn_aggregate_all) {
        l->agg = (enum graphite_agg)fn->detail;
        l->name = slice_cstr(l->agg == GRAPHITE_RANGE ? "rangeOf" : graphite_agg_name(l->agg));
        l->argument_count = args;
        return graphite__adds_up(l->agg);
    }
    if (fn->run == graphite__fn_aggregate) {
        bool given = args == 3 && (n->args[2]->kind == GRAPHITE_AST_INT ||
                                   n->args[2]->kind == GRAPHITE_AST_FLOAT);
        if (given)
            l->xff = n->args[2]->number;
        return (args == 2 || given) && n->args[1]->kind == GRAPHITE_AST_STRING &&
               take_aggregation(l, n->args[1]->text);
    }
    if (fn->run == graphite__fn_group_by_node) {
        static const struct graphite_ast average = {.kind = GRAPHITE_AST_STRING,
                                                    .text = {"average", 7}};
        l->grouping = BY_NODES;
        return args >= 2 && args <= 3 && take_nodes(l, n, 1, 2, true, true) &&
               take_callback(l, args == 3 ? n->args[2] : &average);
    }
    if (fn->run == graphite__fn_group_by_nodes) {
        l->grouping = BY_NODES;
        return args >= 2 && take_callback(l, n->args[1]) && take_nodes(l, n, 2, args, true, true);
    }
    if (fn->run == graphite__fn_group_by_tags) {
        l->grouping = BY_TAGS;
        if (args < 3 || !take_callback(l, n->args[1]) || !take_nodes(l, n, 2, args, false, true))
            return false;
        l->callback = n->args[1]->text;
        return true;
    }
    if (fn->run != graphite__fn_with_wildcards)
        return false;
    l->grouping = BY_OTHER_NODES;
    if (fn->detail >= 0) {
        l->agg = (enum graphite_agg)fn->detail;
        l->name = slice_cstr(graphite_agg_name(l->agg));
        return graphite__adds_up(l->agg) && take_nodes(l, n, 1, args, true, false);
    }
    if (args < 2 || n->args[1]->kind != GRAPHITE_AST_STRING ||
        !take_aggregation(l, n->args[1]->text))
        return false;
    l->name = n->args[1]->text;
    return take_nodes(l, n, 2, args, true, false);
}

/* --- the series --- */

/* The path by which a series was found, or its tagged name; false when it is not wanted. */
static bool path_of(const struct lowering *l, struct data_labels labels, struct buf *scratch,
                    struct slice *out, uint64_t *out_argument)
{
    *out_argument = 0;
    buf_clear(scratch);
    if (labels.count == 1 && slice_eq_cstr(labels.items[0].name, DATA_METRIC_NAME)) {
        *out = labels.items[0].value;
    } else {
        if (l->wanted)
            graphite_path_of(labels, scratch);
        else
            graphite_tagged_name(labels, scratch);
        *out = buf_slice(scratch);
    }
    if (!l->wanted)
        return out->len > 0;
    const struct map_entry *e = out->len ? map_get(l->wanted, *out) : NULL;
    if (e)
        *out_argument = e->value.u64;
    return e != NULL;
}

static struct slice tag_name(struct slice label)
{
    return slice_eq_cstr(label, DATA_METRIC_NAME) ? SLICE("name") : label;
}

/* Leaves the tags that this one has as well. */
static void keep_common(struct group *g, struct data_labels labels)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->tag_count; i++) {
        struct slice name = g->tags[i].name;
        struct slice value =
            data_labels_get(labels, slice_eq(name, SLICE("name")) ? SLICE(DATA_METRIC_NAME) : name);
        if (slice_eq(value, g->tags[i].value))
            g->tags[kept++] = g->tags[i];
    }
    g->tag_count = kept;
}

static void join(struct lowering *l, struct group *g, struct data_labels labels, struct slice path,
                 uint64_t argument)
{
    struct arena *arena = l->x->arena;
    if (!g->members++) {
        g->tags = ARENA_ARRAY(arena, struct graphite_tag, labels.count + 1);
        for (size_t i = 0; i < labels.count; i++)
            g->tags[g->tag_count++] =
                (struct graphite_tag){arena_slice(arena, tag_name(labels.items[i].name)),
                                      arena_slice(arena, labels.items[i].value)};
        g->first = arena_slice(arena, path);
        g->argument = argument;
    } else {
        keep_common(g, labels);
        if (argument < g->argument || (argument == g->argument && slice_cmp(path, g->first) < 0)) {
            g->first = arena_slice(arena, path);
            g->argument = argument;
        }
    }
    g->arguments |= UINT64_C(1) << argument;
}

static struct slice key_of_series(struct lowering *l, const struct graphite_series *s,
                                  struct slice common)
{
    switch (l->grouping) {
    case ONE: return SLICE("");
    case BY_OTHER_NODES: return graphite__without_nodes(l->x, s->name, l->nodes, l->node_count);
    case BY_TAGS: return graphite__tags_key(l->x, s, l->nodes, l->node_count, common);
    case BY_NODES: break;
    }
    return graphite__key(l->x, s, l->nodes, l->node_count);
}

static struct slice key_of(struct lowering *l, struct data_labels labels, struct slice path,
                           struct slice common, struct graphite_tag *tags)
{
    struct graphite_series s = {.name = path, .path = path, .tags = tags};
    bool by_tags = l->grouping == BY_TAGS || l->grouping == BY_NODES;
    for (size_t i = 0; i < labels.count && by_tags; i++)
        tags[s.tag_count++] =
            (struct graphite_tag){tag_name(labels.items[i].name), labels.items[i].value};
    return key_of_series(l, &s, common);
}

/* What groupByTags names groups after unless by name: the metric's name when all have the same. */
static struct slice common_name(const struct lowering *l, const struct store_source_ops *ops,
                                const struct store_selection *sel, size_t count,
                                struct buf *scratch)
{
    struct slice name = {NULL, 0}, path;
    uint64_t argument;
    for (size_t i = 0; i < count && l->grouping == BY_TAGS; i++) {
        struct data_labels labels = ops->selection_labels(sel, i);
        struct slice own = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
        if (!path_of(l, labels, scratch, &path, &argument))
            continue;
        if (name.ptr && !slice_eq(name, own))
            return l->callback;
        name = own;
    }
    return name;
}

/* How many of a group must have a value. */
static uint32_t least_of(const struct lowering *l, size_t members)
{
    double wanted = ceil(l->xff * (double)members);
    uint32_t n = wanted > 1 ? (uint32_t)MIN(wanted, (double)UINT32_MAX - 1) : 1;
    while (n > 1 && graphite__xff(n - 1, (double)members, l->xff))
        n--;
    while (n <= members && !graphite__xff(n, (double)members, l->xff))
        n++;
    return n;
}

/* The selected series as the chain leaves them. */
static struct graphite_list through_chain(struct lowering *l, const struct store_source_ops *ops,
                                          const struct store_selection *sel, size_t count,
                                          struct buf *scratch)
{
    struct graphite_run *x = l->x;
    struct graphite_list list = {0};
    struct graphite__trace trace;
    struct slice path;
    uint64_t argument;
    vec_clear(&l->members);
    for (size_t i = 0; i < count && !x->err; i++) {
        struct data_labels labels = ops->selection_labels(sel, i);
        if (!path_of(l, labels, scratch, &path, &argument))
            continue;
        path = arena_slice(x->arena, path);
        struct graphite_series *s = graphite__series(x, path, 0, 0, l->how.step_s[0], NULL, 0);
        if (!s)
            break;
        graphite__tags_of(x, s, labels);
        s->path = l->expressions[0];
        graphite__push(x, &list, s);
        vec_push(&l->members, ((struct member){.path = path}));
    }
    graphite__chain_call(x, &l->chain, &list, &trace);
    vec_free(&trace.each);
    return list;
}

static int selected(struct query_view *view, const struct store_source_ops *ops,
                    const struct store_selection *sel, size_t count, struct diag *diag)
{
    struct lowering *l = (struct lowering *)view;
    struct buf scratch = {0};
    struct slice common = common_name(l, ops, sel, count, &scratch), path;
    struct graphite_tag *tags = NULL;
    struct graphite_list changed = {0};
    size_t tags_cap = 0, at = 0;
    (void)diag;
    mem_free(l->group_of); /* of a selector that was read on its own before */
    l->group_of = mem_alloc((count + 1) * sizeof(*l->group_of));
    for (size_t i = 0; i < l->groups.len; i++)
        l->groups.items[i].members = 0;
    if (l->chain.count)
        changed = through_chain(l, ops, sel, count, &scratch);
    for (size_t i = 0; i < count && !l->x->err; i++) {
        struct data_labels labels = ops->selection_labels(sel, i);
        struct graphite_series *own = NULL;
        uint64_t argument;
        bool added = false;
        l->group_of[i] = QUERY_NO_GROUP;
        if (!path_of(l, labels, &scratch, &path, &argument))
            continue;
        if (l->chain.count)
            own = l->members.items[at].series = changed.items[at];
        if (labels.count > tags_cap)
            tags = mem_realloc(tags, (tags_cap = labels.count) * sizeof(*tags));
        struct slice key =
            own ? key_of_series(l, own, common) : key_of(l, labels, path, common, tags);
        struct map_entry *e = map_put(l->index, key, &added);
        if (added) {
            e->value.u64 = l->groups.len;
            vec_add(&l->groups)->key = arena_slice(l->x->arena, key);
        }
        join(l, &l->groups.items[e->value.u64], labels, path, argument);
        l->group_of[i] = (uint32_t)e->value.u64;
        if (own)
            l->members.items[at++].group = l->group_of[i];
    }
    mem_free(tags);
    buf_deinit(&scratch);
    l->view.group_of = l->group_of;
    l->view.group_count = (uint32_t)l->groups.len;
    if (l->xff > 0) {
        l->least = mem_realloc(l->least, (l->groups.len + 1) * sizeof(*l->least));
        for (size_t i = 0; i < l->groups.len; i++)
            l->least[i] = least_of(l, l->groups.items[i].members);
        l->view.least = l->least;
    }
    return l->x->err;
}

/* A series that has no step of its own goes along with the others. */
static bool times_fit(const struct query_view *view, const int64_t *ts, size_t count)
{
    const struct lowering *l = (const struct lowering *)view;
    return !l->data_step || count < 2 || graphite__step_of_times(ts, count) == l->data_step;
}

/* --- the step --- */

/* By the rules, when they have one archive and the same for all names. */
static bool step_by_rules(struct lowering *l, const struct map *names, bool *out_none)
{
    struct graphite_rollup how;
    size_t pos = 0, with = 0, without = 0;
    *out_none = false;
    for (struct map_entry *e; (e = map_next(names, &pos));) {
        if (!graphite__rollup_by_rules(l->x, e->key, &how)) {
            without++;
            continue;
        }
        if (how.count > 1 ||
            (with && (how.step_s[0] != l->how.step_s[0] || how.keep_s != l->how.keep_s)))
            return false;
        l->how = how;
        with++;
    }
    *out_none = !with;
    return with && !without;
}

static bool step_by_data(struct lowering *l, const struct store_matcher *matchers, size_t count)
{
    struct graphite_run *x = l->x;
    const struct store_source_ops *ops = x->req->source->ops;
    struct store_selection *sel = NULL;
    struct store_samples samples = {0};
    int64_t end = MIN(x->window.end_s, x->req->now_s);
    if (graphite__select(x, matchers, count, &sel))
        return false;
    size_t series = MIN(ops->selection_count(sel), (size_t)PROBES);
    for (size_t i = 0; i < series && !l->data_step && !x->err; i++) {
        x->err = ops->selection_read(sel, i, x->window.start_s * NS_PER_SEC, end * NS_PER_SEC,
                                     &samples, x->diag);
        l->data_step = x->err ? 0 : graphite__step_of_times(samples.ts, samples.count);
    }
    store_samples_free(&samples);
    ops->selection_free(sel);
    if (l->data_step)
        graphite__rollup_by_data(x, l->data_step, &l->how);
    return l->data_step && !x->err;
}

/* Of some of the paths: any of them may say it. */
static bool step_of_paths(struct lowering *l, const struct map *names)
{
    bool none;
    if (step_by_rules(l, names, &none))
        return true;
    if (!none || l->x->err)
        return false;
    struct map *few = map_new();
    struct store_matcher m;
    size_t pos = 0;
    for (struct map_entry *e; map_count(few) < PROBES && (e = map_next(names, &pos));)
        map_put(few, e->key, NULL);
    struct text_regex *re = graphite__names_matcher(l->x, few, &m);
    bool found = step_by_data(l, &m, 1);
    text_regex_free(re);
    map_free(few);
    return found;
}

/* --- the plan --- */

static int64_t now_ns(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static struct query_node *aggregate_node(struct lowering *l, enum query_aggregate aggregate,
                                         struct query_node *selector)
{
    struct query_node *n = ARENA_NEW(l->x->arena, struct query_node);
    struct query_node **args = ARENA_NEW(l->x->arena, struct query_node *);
    args[0] = selector;
    *n = (struct query_node){.op = QUERY_AGGREGATE,
                             .aggregate = aggregate,
                             .by_view = true,
                             .args = args,
                             .arg_count = 1};
    return n;
}

static struct query_node *plan_node(struct lowering *l, const struct store_matcher *matchers,
                                    size_t count, int64_t step_ns)
{
    struct arena *arena = l->x->arena;
    struct query_node *selector = ARENA_NEW(arena, struct query_node),
                      *window = ARENA_NEW(arena, struct query_node),
                      **args = ARENA_NEW(arena, struct query_node *);
    window->op = QUERY_WINDOW;
    window->function = query_function_find(SLICE("last_over_time"));
    window->range_ns = step_ns;
    window->args = args;
    window->arg_count = 1;
    window->each = l->trace.each.items;
    window->each_count = l->trace.each.len;
    window->selector = (struct query_selector){
        .matchers = matchers, .matcher_count = count, .no_nans = true, .view = &l->view};
    selector->op = QUERY_INSTANT;
    selector->selector = window->selector;
    args[0] = selector;
    switch (l->agg) {
    case GRAPHITE_AVERAGE: return aggregate_node(l, QUERY_AVG, window);
    case GRAPHITE_MIN: return aggregate_node(l, QUERY_MIN, window);
    case GRAPHITE_MAX: return aggregate_node(l, QUERY_MAX, window);
    case GRAPHITE_COUNT: return aggregate_node(l, QUERY_COUNT, window);
    case GRAPHITE_RANGE: break;
    default: return aggregate_node(l, QUERY_SUM, window);
    }
    struct query_node *range = ARENA_NEW(arena, struct query_node);
    struct query_node **sides = ARENA_ARRAY(arena, struct query_node *, 2);
    sides[0] = aggregate_node(l, QUERY_MAX, window);
    sides[1] = aggregate_node(l, QUERY_MIN, window);
    *range =
        (struct query_node){.op = QUERY_BINARY, .binary = QUERY_SUB, .args = sides, .arg_count = 2};
    return range;
}

static void put_values(const struct lowering *l, const struct query_series *from,
                       const struct group *g, struct graphite_series *s, int64_t first_ns)
{
    for (size_t i = 0; i < from->count; i++) {
        struct query_point p = query_point_at(from, i);
        int64_t slot = (p.ts_ns - first_ns) / (s->step * NS_PER_SEC);
        if (slot >= 0 && slot < (int64_t)s->count)
            s->values[slot] = l->agg == GRAPHITE_AVG_ZERO ? p.value / (double)g->members : p.value;
    }
}

static struct slice paths_of(struct lowering *l, const struct group *g)
{
    struct buf b = {0};
    for (size_t i = 0; i < l->argument_count; i++) {
        bool known = !(g->arguments >> i & 1);
        for (size_t k = 0; k < i && !known; k++)
            known = (g->arguments >> k & 1) && slice_eq(l->expressions[i], l->expressions[k]);
        if (known)
            continue;
        if (b.len)
            buf_append_char(&b, ',');
        buf_append_slice(&b, l->expressions[i]);
    }
    struct slice s = graphite__text(l->x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return s;
}

static int by_first(const void *a, const void *b)
{
    const struct group *const *g = a, *const *h = b;
    int c = ((*g)->argument > (*h)->argument) - ((*g)->argument < (*h)->argument);
    return c ? c : slice_cmp((*g)->first, (*h)->first);
}

static int by_path(const void *a, const void *b)
{
    return slice_cmp(((const struct member *)a)->path, ((const struct member *)b)->path);
}

/* What a chain has made of the members: in order of their paths, one list a group. */
static struct graphite_list *changed_groups(struct lowering *l)
{
    struct graphite_list *lists = ARENA_ARRAY(l->x->arena, struct graphite_list, l->groups.len + 1);
    if (l->members.len)
        qsort(l->members.items, l->members.len, sizeof(struct member), by_path);
    for (size_t i = 0; i < l->members.len; i++)
        graphite__push(l->x, &lists[l->members.items[i].group], l->members.items[i].series);
    return lists;
}

static int make_series(struct lowering *l, const struct query_result *result, int64_t start,
                       int64_t end, int64_t first_ns, struct graphite_list *out)
{
    struct graphite_run *x = l->x;
    int64_t step = l->how.step_s[0];
    size_t count = l->groups.len;
    struct group **order = ARENA_ARRAY(x->arena, struct group *, count + 1);
    const struct query_series **row = ARENA_ARRAY(x->arena, const struct query_series *, count + 1);
    for (size_t i = 0; i < result->series_count; i++) {
        int64_t number = 0;
        codec_text_to_int(data_labels_get(result->series[i].labels, SLICE(QUERY_GROUP_LABEL)),
                          &number);
        row[number] = &result->series[i];
    }
    for (size_t i = 0; i < count; i++)
        order[i] = &l->groups.items[i];
    if (count)
        qsort(order, count, sizeof(*order), by_first);
    const struct graphite_list *changed = l->chain.count ? changed_groups(l) : NULL;
    for (size_t i = 0; i < count && !x->err; i++) {
        struct group *g = order[i];
        const struct query_series *from = row[g - l->groups.items];
        const struct graphite_list *list = changed ? &changed[g - l->groups.items] : NULL;
        struct slice paths = list ? graphite__paths(x, list) : paths_of(l, g);
        struct slice title =
            graphite__text(x, "%.*sSeries(%.*s)", SLICE_FMT(l->name), SLICE_FMT(paths));
        struct graphite_series *s =
            graphite__series(x, title, start, end, step, NULL, (size_t)((end - start) / step));
        if (!s)
            break;
        if (list) {
            graphite__common_tags(x, list, s);
        } else {
            s->tags = g->tags;
            s->tag_count = s->tag_cap = g->tag_count;
        }
        graphite__aggregated(x, s, title, l->name, l->xff);
        if (l->grouping != ONE)
            s->name = g->key;
        if (l->grouping == BY_TAGS)
            graphite__key_to_tags(x, s, g->key);
        if (from)
            put_values(l, from, g, s, first_ns);
        graphite__push(x, out, s);
    }
    return x->err;
}

/* What the chain does, told by a series that stands for all; false when it is better done, or found
 * wrong, on rows. The window begins earlier then. */
static bool trace_chain(struct lowering *l)
{
    struct graphite_run *x = l->x;
    struct diag *diag = x->diag, own;
    struct graphite_list one = {0};
    diag_init(&own);
    x->diag = &own;
    graphite__push(x, &one, graphite__series(x, SLICE("x"), 0, 0, l->how.step_s[0], NULL, 0));
    bool done = !graphite__chain_call(x, &l->chain, &one, &l->trace) && one.len == 1;
    x->err = 0;
    x->diag = diag;
    x->window.start_s -= done ? l->trace.lead_s : 0;
    return done;
}

static int run(struct lowering *l, const struct store_matcher *matchers, size_t count,
               struct graphite_list *out, bool *out_done)
{
    struct graphite_run *x = l->x;
    const struct graphite_request *req = x->req;
    int64_t start, end, step_ns = l->how.step_s[0] * NS_PER_SEC;
    struct query_plan plan = {.root = plan_node(l, matchers, count, step_ns), .kind = QUERY_MATRIX};
    const struct query_env env = {.source = req->source,
                                  .tenant = req->tenant,
                                  .pool = req->pool,
                                  .memory = req->memory,
                                  .samples_max = (size_t)req->points_max,
                                  .series_max = (size_t)req->series_max,
                                  .cancelled = req->cancelled,
                                  .deadline_ns = req->deadline_ns,
                                  .now_ns = now_ns};
    struct query_result result;
    struct arena *arena = arena_new(0, req->memory);
    struct diag diag;
    diag_init(&diag);
    graphite__span_of(x, &l->how, &start, &end);
    plan.steps = (struct query_steps){.start_ns = start * NS_PER_SEC + step_ns - 1,
                                      .end_ns = end * NS_PER_SEC - 1,
                                      .step_ns = step_ns};
    int err = query_run(&plan, &env, arena, &result, &diag);
    if (!err && !x->err) {
        *out_done = true;
        x->plans++;
        start += (int64_t)l->trace.lead * l->how.step_s[0];
        make_series(l, &result, start, MAX(end, start),
                    plan.steps.start_ns + (int64_t)l->trace.lead * step_ns, out);
    } else if (err && err != ERR_AGAIN && !x->err) {
        *out_done = true;
        x->err = diag_set(x->diag, err, "%s", diag.msg);
    }
    arena_free(arena);
    return x->err;
}

/* What the chain does, when there is one, and still the same step for the longer window. */
static bool with_chain(struct lowering *l, const struct map *names)
{
    int64_t step = l->how.step_s[0];
    bool none;
    if (!l->chain.count)
        return true;
    if (!trace_chain(l))
        return false;
    if (l->trace.lead_s && l->data_step)
        graphite__rollup_by_data(l->x, l->data_step, &l->how);
    else if (l->trace.lead_s && !step_by_rules(l, names, &none))
        return false;
    return l->how.step_s[0] == step;
}

static int lower_paths(struct lowering *l, struct graphite_list *out, bool *out_done)
{
    struct graphite_run *x = l->x;
    struct map *names = map_new();
    struct store_matcher m;
    bool again = false;
    l->wanted = map_new();
    for (size_t i = 0; i < l->argument_count && !x->err; i++)
        graphite__names_of(x, l->expressions[i], i, names, l->wanted, &again);
    if (!x->err && !map_count(names)) {
        *out_done = true; /* of nothing comes nothing */
    } else if (!x->err && !again && step_of_paths(l, names) && with_chain(l, names)) {
        struct text_regex *re = graphite__names_matcher(x, names, &m);
        run(l, &m, 1, out, out_done);
        text_regex_free(re);
    }
    map_free(l->wanted);
    map_free(names);
    return x->err;
}

static int lower_tags(struct lowering *l, const struct graphite_ast *n, struct graphite_list *out,
                      bool *out_done)
{
    struct graphite_run *x = l->x;
    struct store_matcher *matchers;
    struct slice *texts = ARENA_ARRAY(x->arena, struct slice, n->arg_count + 1);
    for (size_t i = 0; i < n->arg_count; i++) {
        if (n->args[i]->kind != GRAPHITE_AST_STRING)
            return 0;
        texts[i] = n->args[i]->text;
    }
    /* Retention rules go by names, which are not known before the series are. */
    if (x->req->schemas || graphite_tag_matchers(texts, n->arg_count, x->arena, &matchers, NULL))
        return 0;
    if (step_by_data(l, matchers, n->arg_count) && with_chain(l, NULL))
        run(l, matchers, n->arg_count, out, out_done);
    graphite_tag_matchers_free(matchers, n->arg_count);
    return x->err;
}

int64_t graphite__ahead_s(struct graphite_run *x, const struct graphite_ast *n)
{
    struct lowering l = {.x = x};
    int64_t seconds = 0;
    bool again = false;
    if (x->req->plain || n->arg_count < 2 || n->arg_names[0].ptr || n->arg_names[1].ptr ||
        x->replace_count || !graphite__chain_of(n->args[0], &l.chain))
        return 0;
    if (n->args[1]->kind == GRAPHITE_AST_STRING)
        return graphite_offset_parse(n->args[1]->text, &seconds, NULL) ? 0 : llabs(seconds);
    if (n->args[1]->kind != GRAPHITE_AST_INT || l.chain.source->kind != GRAPHITE_AST_PATH ||
        !(n->args[1]->number > 0))
        return 0;
    struct map *names = map_new(), *wanted = map_new();
    if (!graphite__names_of(x, l.chain.source->text, 0, names, wanted, &again) &&
        map_count(names) && step_of_paths(&l, names))
        seconds = l.how.step_s[0] * (int64_t)CLAMP(n->args[1]->number, -1e9, 1e9);
    map_free(names);
    map_free(wanted);
    return seconds;
}

int graphite__lower(struct graphite_run *x, const struct graphite__function *fn,
                    const struct graphite_ast *n, struct graphite_list *out, bool *out_done)
{
    struct lowering l = {.x = x, .xff = x->xff};
    struct graphite__window window = x->window;
    const struct graphite_ast *source = NULL;
    bool paths = true, fits = !x->req->plain && !x->trace && take_call(&l, fn, n);
    *out_done = false;
    if (!fits)
        return 0;
    l.expressions = ARENA_ARRAY(x->arena, struct slice, l.argument_count);
    for (size_t i = 0; fits && i < l.argument_count; i++) {
        fits = graphite__chain_of(n->args[i], &l.chain) && is_fetch(l.chain.source) &&
               (!l.chain.count || l.argument_count == 1);
        if (!fits)
            break;
        source = l.chain.source;
        bool path = source->kind == GRAPHITE_AST_PATH;
        l.expressions[i] = path ? source->text : source->raw;
        paths &= path;
    }
    if (!fits || (!paths && l.argument_count > 1))
        return 0;
    l.view = (struct query_view){.selected = selected, .times = times_fit};
    l.index = map_new();
    if (paths)
        lower_paths(&l, out, out_done);
    else
        lower_tags(&l, source, out, out_done);
    x->window = window;
    map_free(l.index);
    vec_free(&l.groups);
    vec_free(&l.members);
    vec_free(&l.trace.each);
    mem_free(l.group_of);
    mem_free(l.least);
    return x->err;
}
