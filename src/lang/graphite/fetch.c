/* Reading series: a path or tag expression to the store's series, and their samples into slots, in
 * morsels on all threads the request may have.
 *
 * A window is (from, until]: the first slot is floor(from) + step, as whisper has it. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

#define LOOK_AHEAD_S 3600
#define MORSEL       ((size_t)32) /* series */
#define PROBES       8            /* series that are looked at to learn the others' step */

/* The last slot reaches beyond the window. */
static int64_t look_ahead_s(const struct graphite_run *x)
{
    return MAX(LOOK_AHEAD_S, graphite_schemas_step_max(x->req->schemas));
}

static int64_t clamp_s(int64_t s)
{
    return CLAMP(s, -INT64_C(9000000000), INT64_C(9000000000));
}

int graphite__select(struct graphite_run *x, const struct store_matcher *matchers, size_t count,
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

static int read_samples(const struct graphite_run *x, struct store_selection *sel, size_t i,
                        struct store_samples *samples, struct diag *diag)
{
    int64_t until = MIN(x->window.end_s, x->req->now_s);
    return x->req->source->ops->selection_read(sel, i, x->window.start_s * NS_PER_SEC,
                                               (until + look_ahead_s(x)) * NS_PER_SEC - 1, samples,
                                               diag);
}

void graphite__span_of(const struct graphite_run *x, const struct graphite_rollup *how,
                       int64_t *out_start, int64_t *out_end)
{
    int64_t from = x->window.start_s, until = MIN(x->window.end_s, x->req->now_s);
    int64_t step = how->step_s[how->count - 1];
    if (how->keep_s && from < x->req->now_s - how->keep_s)
        from = x->req->now_s - how->keep_s;
    *out_start = graphite__floor_div(from, step) * step + step;
    *out_end = MAX(graphite__floor_div(until, step) * step, *out_start) + step;
}

/* --- what a path or expression finds --- */

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

static bool add_path(struct map *wanted, struct slice path, uint64_t mark)
{
    bool added;
    struct map_entry *e = map_put(wanted, path, &added);
    if (added)
        e->value.u64 = mark;
    return added;
}

int graphite__names_of(struct graphite_run *x, struct slice glob, uint64_t mark, struct map *names,
                       struct map *wanted, bool *out_again)
{
    struct graphite_node *nodes = NULL;
    size_t count = 0;
    if (graphite_glob_is_plain(glob)) {
        *out_again |= !add_path(wanted, glob, mark);
        add_name(names, glob);
        add_name(names, name_within(glob));
        return 0;
    }
    x->err = graphite_index_find(x->req->index, x->req->tenant, glob, (size_t)x->req->series_max,
                                 x->arena, &nodes, &count, x->diag);
    for (size_t i = 0; i < count && !x->err; i++) {
        if (!nodes[i].leaf)
            continue;
        *out_again |= !add_path(wanted, nodes[i].path, mark);
        struct slice name = name_within(nodes[i].path);
        add_name(names, name.len ? name : nodes[i].path);
        if (name.len)
            add_name(names, nodes[i].path);
    }
    return x->err;
}

struct text_regex *graphite__names_matcher(struct graphite_run *x, const struct map *names,
                                           struct store_matcher *out)
{
    struct slice *texts = ARENA_ARRAY(x->arena, struct slice, map_count(names) + 1);
    size_t pos = 0, n = 0;
    for (struct map_entry *e; (e = map_next(names, &pos));)
        texts[n++] = e->key;
    *out = (struct store_matcher){
        .op = STORE_MATCH_EQ, .name = SLICE(DATA_METRIC_NAME), .value = texts[0]};
    if (n == 1)
        return NULL;
    struct text_regex *re = text_regex_of_texts(texts, n);
    out->op = STORE_MATCH_RE;
    out->value = SLICE("(paths)"); /* for people; the expression is what counts */
    out->regex = re;
    return re;
}

/* --- rows --- */

struct entry {
    size_t series; /* in the selection */
    struct slice path;
    struct graphite_series *row;
    struct graphite_rollup how;
    bool by_data; /* its step is that of its samples, which `how` only supposes */
    bool other;   /* it was not */
    int err;
};

struct worker {
    struct worker *next;
    struct store_samples samples;
    struct graphite__step_cache steps;
};

struct fetch {
    struct graphite_run *x;
    struct store_selection *sel;
    struct entry *entries;
    size_t count;
    pthread_mutex_t lock; /* guards what follows */
    struct worker *idle;
    struct diag failed;
};

static int by_path(const void *a, const void *b)
{
    return slice_cmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static struct worker *take_worker(struct fetch *f)
{
    pthread_mutex_lock(&f->lock);
    struct worker *w = f->idle;
    if (w)
        f->idle = w->next;
    pthread_mutex_unlock(&f->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->samples.share_times = true;
        w->samples.memory = f->x->req->memory;
    }
    return w;
}

static void give_worker(struct fetch *f, struct worker *w)
{
    pthread_mutex_lock(&f->lock);
    w->next = f->idle;
    f->idle = w;
    pthread_mutex_unlock(&f->lock);
}

static int read_entry(struct fetch *f, struct worker *w, const struct entry *e)
{
    struct diag diag;
    diag_init(&diag);
    int err = read_samples(f->x, f->sel, e->series, &w->samples, &diag);
    if (err) {
        pthread_mutex_lock(&f->lock);
        f->failed = diag;
        pthread_mutex_unlock(&f->lock);
    }
    return err;
}

static void fill_morsel(void *ctx, size_t morsel)
{
    struct fetch *f = ctx;
    const struct graphite_request *req = f->x->req;
    size_t end = MIN((morsel + 1) * MORSEL, f->count);
    if (req->cancelled && *req->cancelled)
        return;
    struct worker *w = take_worker(f);
    for (size_t i = morsel * MORSEL; i < end; i++) {
        struct entry *e = &f->entries[i];
        e->err = read_entry(f, w, e);
        if (e->err)
            continue;
        if (e->by_data) {
            struct graphite_rollup own;
            graphite__rollup_by_data(f->x, graphite__step_of(&w->steps, &w->samples), &own);
            e->other = w->samples.count > 1 && own.step_s[0] != e->how.step_s[0];
        }
        for (size_t k = 0; k < e->row->count; k++)
            e->row->values[k] = GRAPHITE__NULL;
        if (!e->other)
            graphite__roll(&w->samples, &e->how, e->row);
    }
    give_worker(f, w);
}

static int make_row(struct fetch *f, struct entry *e, struct slice expression)
{
    struct graphite_run *x = f->x;
    struct data_labels labels = x->req->source->ops->selection_labels(f->sel, e->series);
    int64_t start, end, step = e->how.step_s[e->how.count - 1];
    graphite__span_of(x, &e->how, &start, &end);
    size_t count = (size_t)((end - start) / step);
    double *values = graphite__column(x, count);
    e->row = values ? graphite__series(x, e->path, start, end, step, values, count) : NULL;
    if (!e->row)
        return x->err;
    e->row->path = expression;
    graphite__tags_of(x, e->row, labels);
    return 0;
}

/* Of those whose step their data says: that of the first of them that says one. */
static int suppose_step(struct fetch *f, int64_t *out_step)
{
    struct worker *w = take_worker(f);
    int err = 0;
    *out_step = 0;
    for (size_t i = 0, probes = 0; i < f->count && probes < PROBES && !err && !*out_step; i++) {
        if (!f->entries[i].by_data)
            continue;
        probes++;
        err = read_entry(f, w, &f->entries[i]);
        *out_step = err ? 0 : graphite__step_of(&w->steps, &w->samples);
    }
    give_worker(f, w);
    return err;
}

static int one_by_one(struct fetch *f, struct slice expression)
{
    struct worker *w = take_worker(f);
    struct graphite_run *x = f->x;
    for (size_t i = 0; i < f->count && !x->err; i++) {
        struct entry *e = &f->entries[i];
        if (!e->other)
            continue;
        if ((x->err = read_entry(f, w, e)))
            break;
        graphite__rollup_by_data(x, graphite__step_of(&w->steps, &w->samples), &e->how);
        if (make_row(f, e, expression))
            break;
        for (size_t k = 0; k < e->row->count; k++)
            e->row->values[k] = GRAPHITE__NULL;
        graphite__roll(&w->samples, &e->how, e->row);
    }
    give_worker(f, w);
    return x->err;
}

static int fetch_rows(struct fetch *f, struct slice expression, struct graphite_list *out)
{
    struct graphite_run *x = f->x;
    const struct store_source_ops *ops = x->req->source->ops;
    struct task_pool *pool = x->req->pool;
    int64_t step;
    if (f->count)
        qsort(f->entries, f->count, sizeof(*f->entries), by_path);
    for (size_t i = 0; i < f->count; i++) {
        struct entry *e = &f->entries[i];
        struct slice name =
            data_labels_get(ops->selection_labels(f->sel, e->series), SLICE(DATA_METRIC_NAME));
        e->by_data = !graphite__rollup_by_rules(x, name, &e->how);
    }
    x->err = suppose_step(f, &step);
    for (size_t i = 0; i < f->count && !graphite__check_time(x); i++) {
        if (f->entries[i].by_data)
            graphite__rollup_by_data(x, step, &f->entries[i].how);
        make_row(f, &f->entries[i], expression);
    }
    if (x->err)
        return x->err;
    size_t morsels = (f->count + MORSEL - 1) / MORSEL;
    if (pool && pool->width > 1 && morsels > 1) {
        pool->parallel(pool, TASK_INTERACTIVE, morsels, pool->width, fill_morsel, f);
    } else {
        for (size_t i = 0; i < morsels && !graphite__check_time(x); i++)
            fill_morsel(f, i);
    }
    for (size_t i = 0; i < f->count && !x->err; i++)
        x->err = f->entries[i].err;
    if (!x->err && !graphite__check_time(x))
        one_by_one(f, expression);
    if (x->err && f->failed.code)
        diag_set(x->diag, x->err, "%s", f->failed.msg);
    for (size_t i = 0; i < f->count && !x->err; i++)
        graphite__push(x, out, f->entries[i].row);
    return x->err;
}

/* Reads those of the selection whose path is wanted; NULL: all, by their tagged names. */
static int fetch(struct graphite_run *x, struct store_selection *sel, const struct map *wanted,
                 struct slice expression, struct graphite_list *out)
{
    const struct store_source_ops *ops = x->req->source->ops;
    size_t count = ops->selection_count(sel);
    struct buf path = {0};
    struct fetch f = {.x = x, .sel = sel, .entries = mem_calloc(count + 1, sizeof(struct entry))};
    pthread_mutex_init(&f.lock, NULL);
    diag_init(&f.failed);
    for (size_t i = 0; i < count && !graphite__check_time(x); i++) {
        struct data_labels labels = ops->selection_labels(sel, i);
        buf_clear(&path);
        if (!wanted)
            graphite_tagged_name(labels, &path);
        else if (!graphite_path_of(labels, &path) || !map_get(wanted, buf_slice(&path)))
            continue;
        if (path.len)
            f.entries[f.count++] =
                (struct entry){.series = i, .path = arena_slice(x->arena, buf_slice(&path))};
    }
    if (!x->err)
        fetch_rows(&f, expression, out);
    for (struct worker *w = f.idle, *next; w; w = next) {
        next = w->next;
        store_samples_free(&w->samples);
        mem_free(w);
    }
    pthread_mutex_destroy(&f.lock);
    mem_free(f.entries);
    buf_deinit(&path);
    return x->err;
}

int graphite__fetch_path(struct graphite_run *x, struct slice glob, struct graphite_list *out)
{
    struct map *names = map_new(), *wanted = map_new();
    struct store_selection *sel = NULL;
    struct store_matcher m;
    bool again = false;
    if (!graphite__names_of(x, glob, 0, names, wanted, &again) && map_count(names)) {
        struct text_regex *re = graphite__names_matcher(x, names, &m);
        if (!graphite__select(x, &m, 1, &sel)) {
            fetch(x, sel, wanted, glob, out);
            x->req->source->ops->selection_free(sel);
        }
        text_regex_free(re);
    }
    map_free(names);
    map_free(wanted);
    return x->err;
}

int graphite__fetch_tags(struct graphite_run *x, const struct slice *exprs, size_t count,
                         struct slice raw, struct graphite_list *out)
{
    struct store_matcher *matchers;
    struct store_selection *sel = NULL;
    x->err = graphite_tag_matchers(exprs, count, x->arena, &matchers, x->diag);
    if (x->err)
        return x->err;
    if (!graphite__select(x, matchers, count, &sel)) {
        fetch(x, sel, NULL, raw, out);
        x->req->source->ops->selection_free(sel);
    }
    graphite_tag_matchers_free(matchers, count);
    return x->err;
}
