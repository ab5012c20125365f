/* Reading series: a path or tag expression to the store's series, and their samples into slots.
 *
 * A window is (from, until]: the first slot is floor(from) + step, as whisper has it. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

#define LOOK_AHEAD_S 3600
#define NAMES_MAX    512 /* of one select */

/* The last slot reaches beyond the window. */
static int64_t look_ahead_s(const struct graphite_run *x)
{
    return MAX(LOOK_AHEAD_S, graphite_schemas_step_max(x->req->schemas));
}

static struct graphite_series *read_one(struct graphite_run *x, struct store_selection *sel,
                                        size_t i, struct slice path, struct slice expression,
                                        struct store_samples *samples)
{
    const struct store_source_ops *ops = x->req->source->ops;
    int64_t from = x->window.start_s, until = MIN(x->window.end_s, x->req->now_s);
    x->err = ops->selection_read(sel, i, from * NS_PER_SEC,
                                 (until + look_ahead_s(x)) * NS_PER_SEC - 1, samples, x->diag);
    if (x->err)
        return NULL;
    struct graphite_rollup how;
    struct data_labels labels = ops->selection_labels(sel, i);
    graphite__rollup_of(x, data_labels_get(labels, SLICE(DATA_METRIC_NAME)), from, until, samples,
                        &how);
    int64_t step = how.step_s[how.count - 1];
    if (how.keep_s && from < x->req->now_s - how.keep_s)
        from = x->req->now_s - how.keep_s;
    int64_t start = graphite__floor_div(from, step) * step + step;
    int64_t end = graphite__floor_div(until, step) * step + step;
    if (end <= start)
        end = start + step;
    struct graphite_series *s =
        graphite__series(x, path, start, end, step, NULL, (size_t)((end - start) / step));
    if (!s)
        return NULL;
    graphite__roll(samples, &how, s);
    s->path = expression;
    s->tag_count = 0;
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
        .t_max_ns = (MAX(x->window.end_s, x->window.start_s) + look_ahead_s(x)) * NS_PER_SEC,
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
