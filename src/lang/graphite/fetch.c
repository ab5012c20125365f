/* Reading series: a path or tag expression to the store's series, and their samples into slots.
 *
 * A window is (from, until]: the first slot is floor(from) + step, as whisper has it. Within a slot
 * the last sample wins. Without retention rules the step is that of the data: the
 * distance of samples that a tenth of them is below (gaps make others longer), taken to the nearest
 * round number of seconds when it is within a tenth of one. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

#define STEP_DEFAULT 60
#define LOOK_AHEAD_S 3600
#define POINTS_MAX   100000 /* of one series; longer windows get coarser steps */
#define NAMES_MAX    512    /* of one select */

static int64_t round_step(int64_t gap)
{
    static const int64_t round[] = {1,    2,    5,    10,    12,    15,    20,    30,
                                    60,   120,  180,  240,   300,   600,   900,   1200,
                                    1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400};
    for (size_t i = 0; i < ARRAY_LEN(round); i++) {
        if (llabs(gap - round[i]) * 10 <= round[i])
            return round[i];
    }
    return MAX(gap, 1);
}

static int by_int(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t step_of(const int64_t *ts, size_t count)
{
    int64_t gaps[256];
    size_t n = 0, every = count > 257 ? count / 257 : 1;
    for (size_t i = 1; i < count && n < ARRAY_LEN(gaps); i += every) {
        int64_t gap = (ts[i] - ts[i - 1] + NS_PER_SEC / 2) / NS_PER_SEC;
        if (gap > 0)
            gaps[n++] = gap;
    }
    if (!n)
        return count > 1 ? 1 : STEP_DEFAULT;
    qsort(gaps, n, sizeof(*gaps), by_int);
    return round_step(gaps[n / 10]);
}

/* One value a fine slot, then one a shown slot. */
struct roll {
    const struct graphite_rollup *how;
    struct graphite_series *s;
    int64_t slot;
    VEC(double) values;
};

static void roll_end(struct roll *r)
{
    const struct graphite_rollup *h = r->how;
    int64_t i = (r->slot - r->s->start) / h->step_s;
    if (r->values.len && r->slot >= r->s->start && i < (int64_t)r->s->count &&
        (h->fine_s == h->step_s ||
         graphite__xff(r->values.len, (double)(h->step_s / h->fine_s), h->xff)))
        r->s->values[i] = graphite_aggregate(h->agg, r->values.items, r->values.len);
    vec_clear(&r->values);
}

static void fill(const struct store_samples *samples, const struct graphite_rollup *how,
                 struct graphite_series *s)
{
    struct roll r = {.how = how, .s = s};
    int64_t fine = INT64_MIN;
    if (how->fine_s == how->step_s) {
        for (size_t i = 0; i < samples->count; i++) {
            int64_t t = graphite__floor_div(samples->ts[i], NS_PER_SEC);
            int64_t at = graphite__floor_div(t - s->start, how->step_s);
            if (at >= 0 && at < (int64_t)s->count && !isnan(samples->value[i]) &&
                !(samples->histogram && samples->histogram[i]))
                s->values[at] = samples->value[i];
        }
        return;
    }
    for (size_t i = 0; i < samples->count; i++) {
        int64_t t = graphite__floor_div(samples->ts[i], NS_PER_SEC);
        int64_t slot = t - (t % how->step_s + how->step_s) % how->step_s;
        if (isnan(samples->value[i]) || (samples->histogram && samples->histogram[i]))
            continue;
        if (slot != r.slot || !i) {
            roll_end(&r);
            r.slot = slot;
            fine = INT64_MIN;
        }
        int64_t f = graphite__floor_div(t, how->fine_s);
        if (f == fine && r.values.len)
            r.values.items[r.values.len - 1] = samples->value[i];
        else
            vec_push(&r.values, samples->value[i]);
        fine = f;
    }
    roll_end(&r);
    vec_free(&r.values);
}

/* The step, and what is left of the window. */
static struct graphite_rollup rollup_of(struct graphite_run *x, struct slice path, int64_t from,
                                        int64_t until, const struct store_samples *samples)
{
    struct graphite_rollup how;
    if (!x->req->schemas ||
        !graphite_schemas_find(x->req->schemas, path, x->req->now_s - from, &how)) {
        how = (struct graphite_rollup){.agg = GRAPHITE_AVERAGE, .xff = 0};
        how.fine_s = how.step_s = step_of(samples->ts, samples->count);
    }
    if ((until - from) / how.step_s > POINTS_MAX)
        how.step_s *= (until - from) / how.step_s / POINTS_MAX + 1;
    return how;
}

static struct graphite_series *read_one(struct graphite_run *x, struct store_selection *sel,
                                        size_t i, struct slice path, struct slice expression,
                                        struct store_samples *samples)
{
    const struct store_source_ops *ops = x->req->source->ops;
    int64_t from = x->window.start_s, until = MIN(x->window.end_s, x->req->now_s);
    x->err = ops->selection_read(sel, i, from * NS_PER_SEC, (until + LOOK_AHEAD_S) * NS_PER_SEC - 1,
                                 samples, x->diag);
    if (x->err)
        return NULL;
    struct graphite_rollup how = rollup_of(x, path, from, until, samples);
    if (how.keep_s && from < x->req->now_s - how.keep_s)
        from = x->req->now_s - how.keep_s;
    int64_t start = graphite__floor_div(from, how.step_s) * how.step_s + how.step_s;
    int64_t end = graphite__floor_div(until, how.step_s) * how.step_s + how.step_s;
    if (end <= start)
        end = start + how.step_s;
    struct graphite_series *s = graphite__series(x, path, start, end, how.step_s, NULL,
                                                 (size_t)((end - start) / how.step_s));
    if (!s)
        return NULL;
    fill(samples, &how, s);
    s->path = expression;
    s->tag_count = 0;
    struct data_labels labels = ops->selection_labels(sel, i);
    for (size_t k = 0; k < labels.count; k++) {
        bool is_name = slice_eq(labels.items[k].name, SLICE(DATA_METRIC_NAME));
        struct slice name = arena_slice(x->arena, labels.items[k].name);
        graphite__tag(x, s, is_name ? "name" : name.ptr,
                      arena_slice(x->arena, labels.items[k].value));
    }
    return s;
}

static int64_t clamp_s(int64_t s)
{
    return CLAMP(s, -INT64_C(9000000000), INT64_C(9000000000));
}

static int select_series(struct graphite_run *x, const struct store_matcher *matchers, size_t count,
                         struct store_selection **out)
{
    const struct graphite_request *req = x->req;
    x->window.start_s = clamp_s(x->window.start_s);
    x->window.end_s = clamp_s(x->window.end_s);
    struct store_select_req select = {
        .tenant = req->tenant,
        .t_min_ns = MIN(x->window.start_s, req->now_s) * NS_PER_SEC,
        .t_max_ns = (MAX(x->window.end_s, x->window.start_s) + LOOK_AHEAD_S) * NS_PER_SEC,
        .matchers = matchers,
        .matcher_count = count,
        .series_max = (size_t)req->series_max,
        .memory = req->memory,
        .cancelled = req->cancelled};
    return x->err = req->source->ops->select(req->source, &select, out, x->diag);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp((*(struct graphite_series *const *)a)->name,
                     (*(struct graphite_series *const *)b)->name);
}

/* --- paths --- */

/* "name.label=value": the name ends before the first node with an equals sign. */
static struct slice name_within(struct slice path)
{
    ptrdiff_t eq = slice_find_char(path, '=');
    if (eq < 0)
        return (struct slice){NULL, 0};
    while (eq > 0 && path.ptr[eq] != '.')
        eq--;
    return slice_first(path, (size_t)eq);
}

static void add_name(struct map *names, struct slice name)
{
    if (name.len)
        map_put(names, name, NULL);
}

static void escape(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", s.ptr[i]) && s.ptr[i])
            buf_append_char(out, '\\');
        buf_append_char(out, s.ptr[i]);
    }
}

/* Reads those of the selection whose path is wanted. */
static int read_wanted(struct graphite_run *x, struct store_selection *sel, struct map *wanted,
                       struct slice expression, struct store_samples *samples,
                       struct graphite_list *out)
{
    const struct store_source_ops *ops = x->req->source->ops;
    size_t count = ops->selection_count(sel);
    struct buf path = {0};
    for (size_t i = 0; i < count && !graphite__check_time(x); i++) {
        buf_clear(&path);
        if (!graphite_path_of(ops->selection_labels(sel, i), &path) ||
            !map_get(wanted, buf_slice(&path)))
            continue;
        graphite__push(
            x, out,
            read_one(x, sel, i, arena_slice(x->arena, buf_slice(&path)), expression, samples));
    }
    buf_deinit(&path);
    return x->err;
}

static int fetch_names(struct graphite_run *x, struct map *names, struct map *wanted,
                       struct slice expression, struct graphite_list *out)
{
    struct store_samples samples = {.share_times = true};
    size_t pos = 0;
    for (struct map_entry *e = map_next(names, &pos); e && !x->err;) {
        struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE(DATA_METRIC_NAME)};
        struct store_selection *sel = NULL;
        struct text_regex *re = NULL;
        struct buf pattern = {0};
        size_t n = 0;
        m.value = e->key;
        for (; e && n < NAMES_MAX; n++, e = map_next(names, &pos)) {
            if (n)
                buf_append_char(&pattern, '|');
            escape(&pattern, e->key);
        }
        if (n > 1) {
            m.op = STORE_MATCH_RE;
            m.value = buf_slice(&pattern);
            x->err = text_regex_compile(m.value, TEXT_REGEX_ANCHORED, &re, x->diag);
            m.regex = re;
        }
        if (!x->err && !select_series(x, &m, 1, &sel)) {
            read_wanted(x, sel, wanted, expression, &samples, out);
            x->req->source->ops->selection_free(sel);
        }
        text_regex_free(re);
        buf_deinit(&pattern);
    }
    store_samples_free(&samples);
    return x->err;
}

int graphite__fetch_path(struct graphite_run *x, struct slice glob, struct graphite_list *out)
{
    struct map *names = map_new(), *wanted = map_new();
    struct graphite_node *nodes = NULL;
    size_t count = 0;
    if (graphite_glob_is_plain(glob)) {
        map_put(wanted, glob, NULL);
        add_name(names, glob);
        add_name(names, name_within(glob));
    } else if (!(x->err = graphite_index_find(x->req->index, x->req->tenant, glob,
                                              (size_t)x->req->series_max, x->arena, &nodes, &count,
                                              x->diag))) {
        for (size_t i = 0; i < count; i++) {
            if (!nodes[i].leaf)
                continue;
            map_put(wanted, nodes[i].path, NULL);
            struct slice name = name_within(nodes[i].path);
            add_name(names, name.len ? name : nodes[i].path);
            if (name.len)
                add_name(names, nodes[i].path);
        }
    }
    size_t first = out->len;
    if (!x->err && map_count(names))
        fetch_names(x, names, wanted, glob, out);
    if (!x->err && out->len > first)
        qsort(out->items + first, out->len - first, sizeof(*out->items), by_name);
    map_free(names);
    map_free(wanted);
    return x->err;
}

/* --- tags --- */

int graphite__fetch_tags(struct graphite_run *x, const struct slice *exprs, size_t count,
                         struct slice raw, struct graphite_list *out)
{
    const struct store_source_ops *ops = x->req->source->ops;
    struct store_matcher *matchers;
    struct store_selection *sel = NULL;
    struct store_samples samples = {.share_times = true};
    struct buf name = {0};
    size_t first = out->len;
    x->err = graphite_tag_matchers(exprs, count, x->arena, &matchers, x->diag);
    if (x->err)
        return x->err;
    if (!select_series(x, matchers, count, &sel)) {
        size_t n = ops->selection_count(sel);
        for (size_t i = 0; i < n && !graphite__check_time(x); i++) {
            buf_clear(&name);
            graphite_tagged_name(ops->selection_labels(sel, i), &name);
            if (name.len)
                graphite__push(
                    x, out,
                    read_one(x, sel, i, arena_slice(x->arena, buf_slice(&name)), raw, &samples));
        }
        ops->selection_free(sel);
    }
    if (!x->err && out->len > first)
        qsort(out->items + first, out->len - first, sizeof(*out->items), by_name);
    graphite_tag_matchers_free(matchers, count);
    store_samples_free(&samples);
    buf_deinit(&name);
    return x->err;
}
