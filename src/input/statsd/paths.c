/* The Graphite view: every interval on its own, under the names of the Node daemon's legacy or new
 * namespaces. A path is stored as a series whose name is the path and whose labels are its tags. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "input/statsd/statsd_priv.h"

struct emitting {
    struct input_statsd *s;
    int64_t ts_ns;
    struct statsd_path *path;
    struct buf name, key;
};

static enum statsd_kind class_of(enum statsd_kind kind)
{
    return statsd_kind_is_timer(kind) ? STATSD_TIMER : kind;
}

void statsd__path_free(struct statsd_path *path)
{
    if (path->values) {
        vec_free(&path->values->values);
        mem_free(path->values);
    }
    if (path->distinct)
        statsd__distinct_deinit(path->distinct);
    mem_free(path->distinct);
    mem_free(path);
}

void statsd__path_unref(struct statsd_path *path)
{
    if (--path->refs == 0 && path->is_dead)
        statsd__path_free(path);
}

void statsd__paths_resolve(struct input_statsd *s, struct statsd_entry *e)
{
    enum statsd_kind class = class_of(e->kind);
    struct buf key = {0};
    bool added;
    buf_append_char(&key, (char)('0' + class));
    if (s->limits.is_node) {
        buf_append_slice(&key, statsd_entry_name(e));
    } else {
        struct arena *arena = arena_new(0, NULL);
        struct statsd_identity id;
        statsd__identify(statsd_entry_name(e), statsd_entry_tail(e), false, arena, &id);
        statsd__path(&id, &key);
        arena_free(arena);
    }
    struct map_entry *at = map_put(s->path_map, buf_slice(&key), &added);
    if (added) {
        struct statsd_path *path = mem_calloc(1, sizeof(*path));
        at->value.ptr = path;
        path->key = slice_from(at->key, 1);
        path->kind = (uint8_t) class;
        path->options = statsd__options_of(s->options, path->key);
        if (class == STATSD_TIMER)
            path->values = mem_calloc(1, sizeof(*path->values));
        if (class == STATSD_SET)
            path->distinct = mem_calloc(1, sizeof(*path->distinct));
        vec_push(&s->paths, path);
    }
    buf_deinit(&key);
    e->path = at->value.ptr;
    e->path->refs++;
}

static void add_value(void *ctx, double value, double weight)
{
    struct statsd_values *v = ctx;
    for (; weight >= 0.5 && weight < 1e6; weight--)
        vec_push(&v->values, value);
}

void statsd__paths_merge(struct input_statsd *s, struct statsd_entry *e,
                         const struct statsd_slot *slot, int64_t ts_ns)
{
    struct statsd_path *path = e->path;
    (void)s;
    path->seen_ns = ts_ns;
    path->is_touched = true;
    switch (path->kind) {
    case STATSD_COUNTER: path->value += slot->value; break;
    case STATSD_GAUGE: path->value = (slot->stamp_ns ? 0 : path->value) + slot->value; break;
    case STATSD_SET:
        if (slot->set)
            statsd__distinct_merge(path->distinct, slot->set);
        break;
    default:
        if (!slot->values)
            break;
        if (slot->values->sketch) /* from before somebody wanted paths: near enough once */
            statsd__values_each(slot->values, 1, add_value, path->values);
        else
            for (size_t i = 0; i < slot->values->values.len; i++)
                vec_push(&path->values->values, slot->values->values.items[i]);
        path->values->count += slot->values->count;
    }
}

/* --- names --- */

/* A tag of a path as a label; a bare one is "true". */
static void add_label(struct data_labels_builder *b, struct slice tag)
{
    ptrdiff_t at = slice_find_char(tag, '=');
    struct slice name = at < 0 ? tag : slice_first(tag, (size_t)at);
    struct slice value = at < 0 ? SLICE("true") : slice_from(tag, (size_t)at + 1);
    if (name.len && !slice_eq(name, SLICE(DATA_METRIC_NAME)))
        data_labels_builder_set(b, name, value);
}

/* e->name is the whole path with its tags. */
static void emit_path(struct emitting *e, double value)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct slice rest = buf_slice(&e->name), part = {0};
    if (isnan(value))
        return;
    slice_split(&rest, ';', &part);
    /* Without any prefix an empty name is nothing at all. */
    data_labels_builder_set(&b, SLICE(DATA_METRIC_NAME), part.len ? part : SLICE("_"));
    while (rest.ptr && slice_split(&rest, ';', &part))
        add_label(&b, part);
    if (!data_labels_builder_finish(&b, &labels, NULL)) {
        buf_clear(&e->key);
        data_labels_encode(labels, &e->key);
        statsd__batch_room(e->s);
        statsd__emit(e->s, arena_slice(e->s->batch->arena, buf_slice(&e->key)), e->ts_ns, value);
    }
    data_labels_builder_deinit(&b);
}

static void add_part(struct buf *b, struct slice part)
{
    if (!part.len)
        return;
    if (b->len)
        buf_append_char(b, '.');
    buf_append_slice(b, part);
}

/* prefix.[second.]key[.stat]suffix;tags. `key`, even an empty one, has its place. */
static void emit_named(struct emitting *e, const char *prefix, const char *second, struct slice key,
                       struct slice stat, double value)
{
    ptrdiff_t tags = slice_find_char(key, ';');
    buf_clear(&e->name);
    add_part(&e->name, slice_cstr(prefix));
    add_part(&e->name, slice_cstr(second));
    if (e->name.len)
        buf_append_char(&e->name, '.');
    struct slice name = tags < 0 ? key : slice_first(key, (size_t)tags);
    if (e->s->config.sanitize)
        buf_append_slice(&e->name, name);
    else
        statsd__wash(name, &e->name); /* Graphite's back end does it then */
    add_part(&e->name, stat);
    add_part(&e->name, slice_cstr(e->s->config.global_suffix));
    if (tags >= 0)
        buf_append_slice(&e->name, slice_from(key, (size_t)tags));
    emit_path(e, value);
}

static void emit_counter(struct emitting *e, struct slice key, double value)
{
    const struct input_statsd_config *c = &e->s->config;
    double rate = value / ((double)c->flush_interval_ns / 1e9);
    if (c->legacy_namespace) {
        emit_named(e, "stats", "", key, SLICE(""), rate);
        if (c->flush_counts)
            emit_named(e, "stats_counts", "", key, SLICE(""), value);
    } else {
        emit_named(e, c->global_prefix, c->prefix_counter, key, SLICE("rate"), rate);
        if (c->flush_counts)
            emit_named(e, c->global_prefix, c->prefix_counter, key, SLICE("count"), value);
    }
}

static void emit_stat(void *ctx, struct slice name, double value)
{
    struct emitting *e = ctx;
    const struct input_statsd_config *c = &e->s->config;
    if (c->legacy_namespace)
        emit_named(e, "stats", "timers", e->path->key, name, value);
    else
        emit_named(e, c->global_prefix, c->prefix_timer, e->path->key, name, value);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void emit_timer(struct emitting *e, struct statsd_path *path)
{
    struct input_statsd *s = e->s;
    struct statsd_values *v = path->values;
    if (v->values.len)
        qsort(v->values.items, v->values.len, sizeof(double), by_value);
    statsd__timing(v->values.items, v->values.len, v->count,
                   (double)s->config.flush_interval_ns / 1e9, path->options, emit_stat, e);
    vec_free(&v->values);
    v->count = 0;
}

static void emit_one(struct emitting *e, struct statsd_path *path)
{
    const struct input_statsd_config *c = &e->s->config;
    bool legacy = c->legacy_namespace;
    e->path = path;
    switch (path->kind) {
    case STATSD_COUNTER:
        emit_counter(e, path->key, path->value);
        path->value = 0;
        break;
    case STATSD_GAUGE:
        emit_named(e, legacy ? "stats" : c->global_prefix, legacy ? "gauges" : c->prefix_gauge,
                   path->key, SLICE(""), path->value);
        break;
    case STATSD_SET:
        emit_named(e, legacy ? "stats" : c->global_prefix, legacy ? "sets" : c->prefix_set,
                   path->key, SLICE("count"), statsd__distinct_count(path->distinct));
        statsd__distinct_clear(path->distinct);
        break;
    default: emit_timer(e, path);
    }
    path->is_touched = false;
}

/* What the Node daemon counts about itself, under its names. */
static void emit_self(struct emitting *e, size_t names)
{
    struct input_statsd *s = e->s;
    const struct input_statsd_config *c = &s->config;
    int64_t lines = 0;
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        lines += s->parsers[i].lines;
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    struct {
        const char *name;
        int64_t now, *before;
    } rows[] = {{"bad_lines_seen", s->bad_lines, &s->path_bad_lines},
                {"packets_received", s->packets, &s->path_packets},
                {"metrics_received", lines, &s->path_lines}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf key = {0};
        buf_printf(&key, "%s.%s", c->prefix_stats, rows[i].name);
        emit_counter(e, buf_slice(&key), (double)(rows[i].now - *rows[i].before));
        *rows[i].before = rows[i].now;
        buf_deinit(&key);
    }
    emit_named(e, c->legacy_namespace ? c->prefix_stats : c->global_prefix,
               c->legacy_namespace ? "" : c->prefix_stats, SLICE("numStats"), SLICE(""),
               (double)(names + ARRAY_LEN(rows)));
}

void statsd__path_end(struct input_statsd *s, struct statsd_path *path)
{
    struct buf key = {0};
    buf_append_char(&key, (char)('0' + path->kind));
    buf_append_slice(&key, path->key);
    map_remove(s->path_map, buf_slice(&key));
    buf_deinit(&key);
    path->is_dead = true;
    path->refs++;
    statsd__path_unref(path);
}

/* Idle for as long as its options let it be shown. */
static bool is_over(struct statsd_path *path, int64_t ts_ns)
{
    const struct statsd_options *o = path->options;
    path->idle = path->is_touched ? 0 : path->idle + 1;
    if (path->is_touched)
        return false;
    return (o->delete_idle[path->kind] &&
            path->idle >= (path->kind == STATSD_GAUGE ? o->gauge_flushes : 1)) ||
           (o->expire_ns && ts_ns - path->seen_ns >= o->expire_ns);
}

void statsd__paths_emit(struct input_statsd *s, int64_t ts_ns)
{
    struct emitting e = {.s = s, .ts_ns = ts_ns};
    size_t kept = 0;
    for (size_t i = 0; i < s->paths.len; i++) {
        struct statsd_path *path = s->paths.items[i];
        if (is_over(path, ts_ns)) {
            statsd__path_end(s, path);
            continue;
        }
        emit_one(&e, path);
        s->paths.items[kept++] = path;
    }
    s->paths.len = kept;
    emit_self(&e, kept);
    buf_deinit(&e.name);
    buf_deinit(&e.key);
}

void statsd__paths_timed(struct input_statsd *s, const struct statsd_timed *t)
{
    struct emitting e = {.s = s, .ts_ns = t->ts_ns, .path = t->entry->path};
    if (e.path->kind == STATSD_COUNTER)
        emit_counter(&e, e.path->key, t->value);
    else
        emit_named(&e, s->config.legacy_namespace ? "stats" : s->config.global_prefix,
                   s->config.legacy_namespace ? "gauges" : s->config.prefix_gauge, e.path->key,
                   SLICE(""), t->value);
    e.path->seen_ns = MAX(e.path->seen_ns, s->last_flush_ns);
    buf_deinit(&e.name);
    buf_deinit(&e.key);
}
