#include "input/push/push_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "decode/prom_text.h"

/* Stands for "no timestamp" while a body is read. */
#define NO_TIME_NS (INT64_MIN + 1)

#define PUSHED_NAME "push_time_seconds"
#define FAILED_NAME "push_failure_time_seconds"
#define PUSHED_HELP "Last Unix time when changing this group in the Pushgateway succeeded."
#define FAILED_HELP "Last Unix time when changing this group in the Pushgateway failed."

struct input_push {
    struct input_env env;
    char *dir;
    _Atomic int64_t interval_ns;
    struct net_loop *loop;
    struct net_timer *timer; /* of the loop */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t idle;
    struct map *groups; /* id -> struct push__group */
    bool stopping, running, timer_gone;
};

/* --- groups --- */

struct push__group *input__push_group_new(struct slice tenant, struct data_labels labels)
{
    struct push__group *g = mem_calloc(1, sizeof(*g));
    struct buf id = {0};
    g->names = arena_new(1024, NULL);
    g->arena = arena_new(4096, NULL);
    g->tenant = arena_slice(g->names, tenant);
    g->labels = data_labels_copy(g->names, labels);
    buf_append_slice(&id, tenant);
    buf_append_char(&id, 0);
    data_labels_encode(labels, &id);
    g->id = arena_slice(g->names, buf_slice(&id));
    buf_deinit(&id);
    return g;
}

static void clear_families(struct push__group *g)
{
    for (size_t i = 0; i < g->families.len; i++)
        vec_free(&g->families.items[i].series);
    vec_free(&g->families);
}

void input__push_group_free(struct push__group *g)
{
    if (!g)
        return;
    clear_families(g);
    arena_free(g->arena);
    arena_free(g->names);
    mem_free(g);
}

static struct push__family *find_family(const struct push__group *g, struct slice name)
{
    for (size_t i = 0; i < g->families.len; i++) {
        if (slice_eq(g->families.items[i].name, name))
            return &g->families.items[i];
    }
    return NULL;
}

static struct push__family *add_family(struct push__group *g, struct slice name,
                                       enum data_metric_type type, struct slice help,
                                       struct slice unit)
{
    struct push__family f = {.name = arena_slice(g->arena, name),
                             .help = arena_slice(g->arena, help),
                             .unit = arena_slice(g->arena, unit),
                             .type = type};
    vec_push(&g->families, f);
    return &g->families.items[g->families.len - 1];
}

/* The family a series belongs to: of its own name, or of its name without what histograms,
 * summaries and counters append. */
static struct push__family *family_of(struct push__group *g, struct slice metric)
{
    static const struct slice suffixes[] = {SLICE_INIT("_bucket"), SLICE_INIT("_sum"),
                                            SLICE_INIT("_count"),  SLICE_INIT("_total"),
                                            SLICE_INIT("_info"),   SLICE_INIT("_created")};
    struct push__family *f = find_family(g, metric);
    for (size_t i = 0; i < ARRAY_LEN(suffixes) && !f; i++) {
        if (slice_ends_with(metric, suffixes[i]))
            f = find_family(g, slice_first(metric, metric.len - suffixes[i].len));
    }
    return f ? f : add_family(g, metric, DATA_METRIC_UNKNOWN, SLICE(""), SLICE(""));
}

static void add_series(struct push__group *g, struct push__family *f, struct slice key,
                       double value, const struct data_histogram *histogram)
{
    struct push__series s = {arena_slice(g->arena, key), value,
                             histogram ? data_histogram_copy(g->arena, histogram) : NULL};
    vec_push(&f->series, s);
}

void input__push_take_batch(struct push__group *g, const struct data_metric_batch *batch)
{
    struct arena *arena = arena_new(0, NULL);
    for (size_t i = 0; i < batch->metadata.len; i++) {
        const struct data_batch_metadata *m = &batch->metadata.items[i];
        if (!find_family(g, m->metric))
            add_family(g, m->metric, m->type, m->help, m->unit);
    }
    for (size_t i = 0; i < batch->sample_ts.len; i++) {
        struct slice key = batch->series.items[batch->sample_series.items[i]].key;
        struct data_labels labels;
        (void)!data_labels_decode(key, arena, &labels);
        struct slice metric = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
        add_series(g, family_of(g, metric.ptr ? metric : SLICE("")), key,
                   batch->sample_value.items[i],
                   i < batch->sample_histogram.len ? batch->sample_histogram.items[i] : NULL);
    }
    arena_free(arena);
}

static void copy_family(struct push__group *to, const struct push__family *f)
{
    struct push__family *made = add_family(to, f->name, f->type, f->help, f->unit);
    for (size_t i = 0; i < f->series.len; i++)
        add_series(to, made, f->series.items[i].key, f->series.items[i].value,
                   f->series.items[i].histogram);
}

/* --- appending --- */

static void on_stored(void *ctx, int err, const struct pipe_result *result)
{
    (void)ctx;
    size_t refused = result ? pipe_result_refused(result) : 0;
    if (!err && !refused)
        return;
    LOG_WARN("input", err ? "pushed metrics could not be stored" : "pushed samples were refused",
             LOG_INT("refused", refused),
             LOG_STR("first", result && result->first_refusal.code ? result->first_refusal.msg
                                                                   : err_name(err)));
}

static void add_time(struct data_metric_batch *b, const struct push__group *g, struct slice name,
                     int64_t ts_ns, double value)
{
    struct data_labels_builder l = {0};
    struct data_labels labels;
    data_labels_builder_from(&l, g->labels);
    data_labels_builder_set(&l, SLICE(DATA_METRIC_NAME), name);
    if (!data_labels_builder_finish(&l, &labels, NULL))
        data_metric_batch_add_sample(b, data_metric_batch_add_series(b, labels), ts_ns, value);
    data_labels_builder_deinit(&l);
}

static void add_times(struct data_metric_batch *b, const struct push__group *g, int64_t ts_ns,
                      bool stale)
{
    double pushed = (double)g->pushed_ns / 1e9, failed = (double)g->failed_ns / 1e9;
    add_time(b, g, SLICE(PUSHED_NAME), ts_ns, stale ? data_stale_nan() : pushed);
    add_time(b, g, SLICE(FAILED_NAME), ts_ns, stale ? data_stale_nan() : failed);
}

static void add_group(struct data_metric_batch *b, const struct push__group *g, int64_t ts_ns)
{
    for (size_t i = 0; i < g->families.len; i++) {
        const struct push__family *f = &g->families.items[i];
        for (size_t k = 0; k < f->series.len; k++) {
            const struct push__series *s = &f->series.items[k];
            uint32_t series = data_metric_batch_add_series_key(b, s->key);
            if (s->histogram)
                data_metric_batch_add_histogram(b, series, ts_ns, s->histogram);
            else
                data_metric_batch_add_sample(b, series, ts_ns, s->value);
        }
    }
    add_times(b, g, ts_ns, false);
}

static void add_metadata(struct data_metric_batch *b, const struct push__group *g)
{
    for (size_t i = 0; i < g->families.len; i++) {
        const struct push__family *f = &g->families.items[i];
        data_metric_batch_add_metadata(b, f->name, f->type, f->unit, f->help);
    }
    data_metric_batch_add_metadata(b, SLICE(PUSHED_NAME), DATA_METRIC_GAUGE, SLICE(""),
                                   SLICE(PUSHED_HELP));
    data_metric_batch_add_metadata(b, SLICE(FAILED_NAME), DATA_METRIC_GAUGE, SLICE(""),
                                   SLICE(FAILED_HELP));
}

/* Ends the series of `before` that `after` (NULL: none) does not have. */
static void add_markers(struct data_metric_batch *b, const struct push__group *before,
                        const struct push__group *after, int64_t ts_ns)
{
    struct map *kept = map_new();
    for (size_t i = 0; after && i < after->families.len; i++) {
        for (size_t k = 0; k < after->families.items[i].series.len; k++)
            map_put(kept, after->families.items[i].series.items[k].key, NULL);
    }
    for (size_t i = 0; i < before->families.len; i++) {
        for (size_t k = 0; k < before->families.items[i].series.len; k++) {
            struct slice key = before->families.items[i].series.items[k].key;
            if (!map_get(kept, key))
                data_metric_batch_add_sample(b, data_metric_batch_add_series_key(b, key), ts_ns,
                                             data_stale_nan());
        }
    }
    map_free(kept);
}

static void send(struct input_push *p, struct data_metric_batch *b)
{
    if (b->sample_ts.len || b->metadata.len)
        p->env.sink->metrics(p->env.sink, b, on_stored, NULL);
    data_metric_batch_free(b);
}

static int64_t now_of(struct input_push *p)
{
    int64_t now = p->env.os->ops->now_ns(p->env.os);
    return now - now % NS_PER_MS;
}

/* --- reading what is pushed --- */

static int compare_keys(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int check_distinct(const struct push__group *g, struct diag *diag)
{
    VEC(struct slice) keys = {0};
    int err = 0;
    for (size_t i = 0; i < g->families.len; i++) {
        for (size_t k = 0; k < g->families.items[i].series.len; k++)
            vec_push(&keys, g->families.items[i].series.items[k].key);
    }
    if (keys.len)
        qsort(keys.items, keys.len, sizeof(*keys.items), compare_keys);
    for (size_t i = 1; i < keys.len && !err; i++) {
        if (!slice_eq(keys.items[i], keys.items[i - 1]))
            continue;
        struct arena *arena = arena_new(0, NULL);
        struct data_labels labels;
        struct buf text = {0};
        (void)!data_labels_decode(keys.items[i], arena, &labels);
        data_labels_print(labels, &text);
        err = diag_set(diag, ERR_INVALID,
                       "pushed metrics are invalid or inconsistent with existing metrics: %s was "
                       "given twice",
                       buf_cstr(&text));
        buf_deinit(&text);
        arena_free(arena);
    }
    vec_free(&keys);
    return err;
}

/* The body's samples with the group's labels in place of their own, as a group of its own. */
static int read_body(const struct input_push_request *req, struct push__group *out,
                     struct diag *diag)
{
    struct data_metric_batch *raw = data_metric_batch_new(req->tenant);
    struct data_metric_batch *batch = data_metric_batch_new(req->tenant);
    enum decode_text_format format = DECODE_TEXT_PLAIN;
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct diag why;
    diag_init(&why);
    /* Anything that names no format we know is text, as the Pushgateway has it. */
    if (decode_text_negotiate(req->content_type, "PrometheusText0.0.4", &format, &why))
        format = DECODE_TEXT_PLAIN;
    int err = decode_text_body(format, req->body, NO_TIME_NS, raw, diag);
    for (size_t i = 0; i < raw->metadata.len && !err; i++) {
        const struct data_batch_metadata *m = &raw->metadata.items[i];
        if (!slice_eq_cstr(m->metric, PUSHED_NAME) && !slice_eq_cstr(m->metric, FAILED_NAME))
            data_metric_batch_add_metadata(batch, m->metric, m->type, m->unit, m->help);
    }
    for (size_t i = 0; i < raw->sample_ts.len && !err; i++) {
        if (raw->sample_ts.items[i] != NO_TIME_NS) {
            err = diag_set(diag, ERR_INVALID, "pushed metrics must not have timestamps");
            break;
        }
        (void)!data_labels_decode(raw->series.items[raw->sample_series.items[i]].key, raw->arena,
                                  &labels);
        struct slice metric = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
        if (slice_eq_cstr(metric, PUSHED_NAME) || slice_eq_cstr(metric, FAILED_NAME))
            continue; /* the gateway's own */
        data_labels_builder_from(&b, labels);
        for (size_t k = 0; k < req->grouping.count; k++)
            data_labels_builder_set(&b, req->grouping.items[k].name, req->grouping.items[k].value);
        if ((err = data_labels_builder_finish(&b, &labels, diag)))
            break;
        uint32_t series = data_metric_batch_add_series(batch, labels);
        if (i < raw->sample_histogram.len && raw->sample_histogram.items[i])
            data_metric_batch_add_histogram(batch, series, 0, raw->sample_histogram.items[i]);
        else
            data_metric_batch_add_sample(batch, series, 0, raw->sample_value.items[i]);
    }
    if (!err)
        input__push_take_batch(out, batch);
    data_labels_builder_deinit(&b);
    data_metric_batch_free(raw);
    data_metric_batch_free(batch);
    return err;
}

/* A metric has one type in all groups of a tenant. */
static int check_types(struct input_push *p, const struct push__group *next, struct diag *diag)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(p->groups, &pos));) {
        const struct push__group *g = e->value.ptr;
        if (slice_eq(g->id, next->id) || !slice_eq(g->tenant, next->tenant))
            continue;
        for (size_t i = 0; i < next->families.len; i++) {
            const struct push__family *f = &next->families.items[i];
            const struct push__family *other = find_family(g, f->name);
            if (other && other->type != f->type)
                return diag_set(diag, ERR_INVALID,
                                "pushed metrics are invalid or inconsistent with existing "
                                "metrics: %.*s is a %s here and a %s in another group",
                                SLICE_FMT(f->name), data_metric_type_name(f->type),
                                data_metric_type_name(other->type));
        }
    }
    return 0;
}

/* --- changing --- */

/* Puts `next` in the place of `before` (may be NULL); under the lock. */
static void install(struct input_push *p, struct push__group *before, struct push__group *next)
{
    map_put(p->groups, next->id, NULL)->value.ptr = next;
    input__push_group_free(before);
}

static int delete_group(struct input_push *p, struct push__group *g, struct diag *diag)
{
    struct data_metric_batch *b = data_metric_batch_new(g->tenant);
    int err = input__push_remove(p->env.os, p->dir, g, diag);
    if (!err) {
        int64_t now = now_of(p);
        add_markers(b, g, NULL, now);
        add_times(b, g, now, true);
        map_remove(p->groups, g->id);
        input__push_group_free(g);
    }
    send(p, b);
    return err;
}

/* The group's failure is on record, whatever it held before. */
static void note_failure(struct input_push *p, const struct input_push_request *req,
                         struct push__group *before)
{
    struct data_metric_batch *b = data_metric_batch_new(req->tenant);
    struct push__group *g = before ? before : input__push_group_new(req->tenant, req->grouping);
    struct diag ignored;
    diag_init(&ignored);
    g->failed_ns = now_of(p);
    if (input__push_save(p->env.os, p->dir, g, &ignored))
        LOG_WARN("input", "a failed push could not be noted", LOG_STR("error", ignored.msg));
    if (!before)
        install(p, NULL, g);
    add_times(b, g, g->failed_ns, false);
    send(p, b);
}

static int change(struct input_push *p, const struct input_push_request *req,
                  struct push__group *next, struct diag *diag)
{
    struct map_entry *e = map_get(p->groups, next->id);
    struct push__group *before = e ? e->value.ptr : NULL;
    if (before && req->action == INPUT_PUSH_MERGE) {
        for (size_t i = 0; i < before->families.len; i++) {
            if (!find_family(next, before->families.items[i].name))
                copy_family(next, &before->families.items[i]);
        }
    }
    int err = check_distinct(next, diag);
    if (!err)
        err = check_types(p, next, diag);
    if (err) {
        note_failure(p, req, before);
        return err;
    }
    int64_t now = now_of(p);
    next->pushed_ns = now;
    next->failed_ns = before ? before->failed_ns : 0;
    if ((err = input__push_save(p->env.os, p->dir, next, diag)))
        return err;
    struct data_metric_batch *b = data_metric_batch_new(req->tenant);
    if (before)
        add_markers(b, before, next, now);
    add_group(b, next, now);
    add_metadata(b, next);
    install(p, before, next);
    send(p, b);
    return 0;
}

int input_push_apply(struct input_push *p, const struct input_push_request *req, struct diag *diag)
{
    struct push__group *next = input__push_group_new(req->tenant, req->grouping);
    bool is_delete = req->action == INPUT_PUSH_DELETE, taken = false;
    int err = is_delete ? 0 : read_body(req, next, diag);
    pthread_mutex_lock(&p->lock);
    if (!err && is_delete) {
        struct map_entry *e = map_get(p->groups, next->id);
        err = e ? delete_group(p, e->value.ptr, diag) : 0;
    } else if (!err) {
        err = change(p, req, next, diag);
        taken = !err;
    }
    pthread_mutex_unlock(&p->lock);
    if (!taken)
        input__push_group_free(next);
    return err;
}

int input_push_wipe(struct input_push *p, struct slice tenant, struct diag *diag)
{
    VEC(struct push__group *) doomed = {0};
    size_t pos = 0;
    int err = 0;
    pthread_mutex_lock(&p->lock);
    for (struct map_entry *e; (e = map_next(p->groups, &pos));) {
        struct push__group *g = e->value.ptr;
        if (slice_eq(g->tenant, tenant))
            vec_push(&doomed, g);
    }
    for (size_t i = 0; i < doomed.len && !err; i++)
        err = delete_group(p, doomed.items[i], diag);
    pthread_mutex_unlock(&p->lock);
    vec_free(&doomed);
    return err;
}

/* --- again and again --- */

static void append_all(void *ctx)
{
    struct input_push *p = ctx;
    pthread_mutex_lock(&p->lock);
    int64_t now = now_of(p);
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(p->groups, &pos));) {
        const struct push__group *g = e->value.ptr;
        struct data_metric_batch *b = data_metric_batch_new(g->tenant);
        add_group(b, g, now);
        send(p, b);
    }
    p->running = false;
    pthread_cond_broadcast(&p->idle);
    pthread_mutex_unlock(&p->lock);
}

static void on_timer(void *ctx)
{
    struct input_push *p = ctx;
    net_timer_stop(p->timer);
    p->timer = NULL;
    pthread_mutex_lock(&p->lock);
    bool stopping = p->stopping, busy = p->running || !map_count(p->groups);
    if (!stopping && !busy)
        p->running = true;
    pthread_mutex_unlock(&p->lock);
    if (stopping)
        return;
    if (!busy)
        p->env.pool->submit(p->env.pool, TASK_BACKGROUND, append_all, p);
    p->timer = net_timer_start(p->loop, p->interval_ns, 0, on_timer, p);
}

static void stop_on_loop(void *ctx)
{
    struct input_push *p = ctx;
    net_timer_stop(p->timer);
    p->timer = NULL;
    pthread_mutex_lock(&p->lock);
    p->timer_gone = true;
    pthread_cond_broadcast(&p->idle);
    pthread_mutex_unlock(&p->lock);
}

/* --- life --- */

static void free_all(struct input_push *p)
{
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(p->groups, &pos));)
        input__push_group_free(e->value.ptr);
    map_free(p->groups);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->idle);
    mem_free(p->dir);
    mem_free(p);
}

static void take_loaded(void *ctx, struct push__group *g)
{
    struct input_push *p = ctx;
    struct map_entry *e = map_get(p->groups, g->id);
    install(p, e ? e->value.ptr : NULL, g);
}

int input_push_new(const struct input_env *env, const char *dir, int64_t interval_ns,
                   struct input_push **out, struct diag *diag)
{
    struct input_push *p = mem_calloc(1, sizeof(*p));
    p->env = *env;
    p->dir = mem_strdup(dir);
    p->interval_ns = interval_ns;
    p->groups = map_new();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->idle, NULL);
    *out = NULL;
    int err = env->os->ops->mkdir(env->os, dir, diag);
    if (!err)
        err = input__push_load(env->os, dir, take_loaded, p, diag);
    if (err) {
        free_all(p);
        return err;
    }
    p->loop = net_loops_pick(env->loops);
    net_loop_post(p->loop, on_timer, p);
    *out = p;
    return 0;
}

void input_push_set_interval(struct input_push *p, int64_t interval_ns)
{
    p->interval_ns = interval_ns;
}

void input_push_stop(struct input_push *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_mutex_unlock(&p->lock);
    net_loop_post(p->loop, stop_on_loop, p);
    pthread_mutex_lock(&p->lock);
    while (p->running || !p->timer_gone)
        pthread_cond_wait(&p->idle, &p->lock);
    pthread_mutex_unlock(&p->lock);
    free_all(p);
}

/* --- looking --- */

static void look_group(const struct push__group *g, struct arena *arena,
                       struct input_push_group *out)
{
    *out = (struct input_push_group){.labels = data_labels_copy(arena, g->labels),
                                     .pushed_ns = g->pushed_ns,
                                     .failed_ns = g->failed_ns,
                                     .family_count = g->families.len};
    out->families = ARENA_ARRAY(arena, struct input_push_family, g->families.len + 1);
    for (size_t i = 0; i < g->families.len; i++) {
        const struct push__family *f = &g->families.items[i];
        struct input_push_family *to = &out->families[i];
        *to = (struct input_push_family){.name = arena_slice(arena, f->name),
                                         .help = arena_slice(arena, f->help),
                                         .type = f->type,
                                         .series_count = f->series.len};
        to->series = ARENA_ARRAY(arena, struct input_push_series, f->series.len + 1);
        for (size_t k = 0; k < f->series.len; k++) {
            const struct push__series *s = &f->series.items[k];
            to->series[k].value = s->value;
            to->series[k].histogram =
                s->histogram ? data_histogram_copy(arena, s->histogram) : NULL;
            (void)!data_labels_decode(arena_slice(arena, s->key), arena, &to->series[k].labels);
        }
    }
}

static int compare_groups(const void *a, const void *b)
{
    const struct input_push_group *x = a, *y = b;
    int c = (x->pushed_ns > y->pushed_ns) - (x->pushed_ns < y->pushed_ns);
    return c ? c : data_labels_cmp(x->labels, y->labels);
}

void input_push_look(struct input_push *p, struct slice tenant, struct arena *arena,
                     struct input_push_group **out, size_t *out_count)
{
    size_t pos = 0, n = 0;
    pthread_mutex_lock(&p->lock);
    *out = ARENA_ARRAY(arena, struct input_push_group, map_count(p->groups) + 1);
    for (struct map_entry *e; (e = map_next(p->groups, &pos));) {
        const struct push__group *g = e->value.ptr;
        if (slice_eq(g->tenant, tenant))
            look_group(g, arena, &(*out)[n++]);
    }
    pthread_mutex_unlock(&p->lock);
    if (n)
        qsort(*out, n, sizeof(**out), compare_groups);
    *out_count = n;
}
