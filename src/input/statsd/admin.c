/* The admin port: the Node daemon's commands, word for word (lib/mgmt_server.js and stats.js of
 * statsd 0.9), so that its scripts and health checks go on. What it shows is the interval that is
 * being filled. */
#include <stdlib.h>

#include "base/mem.h"
#include "input/statsd/statsd_priv.h"

#define LINE_BYTES_MAX 65536
#define ARRAY_SHOWN    100 /* values of a timer, as util.inspect does */
#define WIDTH          80
#define CELLS_A_TURN   2048

enum shown { COUNTERS, GAUGES, TIMERS };

static bool is_shown(enum shown what, enum statsd_kind kind)
{
    return what == COUNTERS ? kind == STATSD_COUNTER
           : what == GAUGES ? kind == STATSD_GAUGE
                            : statsd_kind_is_timer(kind);
}

/* --- what there is --- */

struct item {
    double value;
    VEC(double) values; /* of a timer: the first ARRAY_SHOWN */
    size_t value_count;
};

static void path_of(struct input_statsd *s, const struct statsd_entry *e, struct buf *out)
{
    buf_clear(out);
    if (e->path) {
        buf_append_slice(out, e->path->key);
    } else if (s->limits.is_node) {
        buf_append_slice(out, statsd_entry_name(e));
    } else {
        struct arena *arena = arena_new(0, NULL);
        struct statsd_identity id;
        statsd__identify(statsd_entry_name(e), statsd_entry_tail(e), false, arena, &id);
        statsd__path(&id, out);
        arena_free(arena);
    }
}

static void add_entry(struct item *item, const struct statsd_entry *e,
                      const struct statsd_slot *slot)
{
    switch (e->kind) {
    case STATSD_COUNTER: item->value += slot->value; break;
    case STATSD_GAUGE:
        if (slot->is_touched && slot->stamp_ns)
            item->value = slot->value;
        else
            item->value = (e->path     ? e->path->value
                           : e->series ? e->series->value / e->series->rule->scale
                                       : 0) +
                          slot->value;
        break;
    default:
        if (!slot->is_touched || !slot->values)
            break;
        item->value_count += slot->values->values.len;
        for (size_t i = 0; i < slot->values->values.len && item->values.len < ARRAY_SHOWN; i++)
            vec_push(&item->values, slot->values->values.items[i]);
    }
}

/* Path to struct item, of all names of that kind. s->lock held. */
static struct map *collect(struct input_statsd *s, enum shown what)
{
    struct map *items = map_new();
    struct buf path = {0};
    for (size_t i = 0; i < s->shard_count; i++) {
        struct statsd_shard *shard = &s->shards[i];
        for (size_t from = 0, end = 1; from < end; from += CELLS_A_TURN) {
            pthread_mutex_lock(&shard->lock); /* receiving goes on between the turns */
            end = shard->cap;
            for (size_t k = from; k < MIN(from + CELLS_A_TURN, end); k++) {
                const struct statsd_entry *e = shard->cells[k].entry;
                bool added;
                if (!e || !is_shown(what, e->kind) || e->refused)
                    continue;
                path_of(s, e, &path);
                struct map_entry *at = map_put(items, buf_slice(&path), &added);
                if (added)
                    at->value.ptr = mem_calloc(1, sizeof(struct item));
                add_entry(at->value.ptr, e, &e->slots[shard->epoch]);
            }
            pthread_mutex_unlock(&shard->lock);
        }
    }
    buf_deinit(&path);
    return items;
}

static void items_free(struct map *items)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(items, &pos));) {
        struct item *item = e->value.ptr;
        vec_free(&item->values);
        mem_free(item);
    }
    map_free(items);
}

/* --- printing as util.inspect does --- */

static void append_number(struct buf *out, double v)
{
    codec_append_double(out, v, CODEC_DOUBLE_JSON);
}

static bool is_identifier(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i && c >= '0' && c <= '9')))
            return false;
    }
    return s.len > 0;
}

static void append_item(struct buf *out, struct slice key, const struct item *item, bool is_timer)
{
    buf_printf(out, is_identifier(key) ? "%.*s: " : "'%.*s': ", SLICE_FMT(key));
    if (!is_timer) {
        append_number(out, item->value);
        return;
    }
    if (!item->values.len) {
        buf_append_cstr(out, "[]");
        return;
    }
    for (size_t i = 0; i < item->values.len; i++) {
        buf_append_cstr(out, i ? ", " : "[ ");
        append_number(out, item->values.items[i]);
    }
    if (item->value_count > item->values.len)
        buf_printf(out, ", ... %zu more items", item->value_count - item->values.len);
    buf_append_cstr(out, " ]");
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
}

typedef VEC(struct map_entry *) entry_list;

/* By name. The map stays as it is meanwhile. */
static void sorted(const struct map *items, entry_list *out)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(items, &pos));)
        vec_push(out, e);
    if (out->len > 1)
        qsort(out->items, out->len, sizeof(*out->items), by_key);
}

/* One line where it is short, else a line an item. */
static void print_items(struct map *items, bool is_timer, struct buf *out)
{
    struct buf one = {0};
    entry_list list = {0};
    size_t total = 0, n = map_count(items);
    sorted(items, &list);
    for (size_t i = 0; i < n; i++) {
        buf_clear(&one);
        append_item(&one, list.items[i]->key, list.items[i]->value.ptr, is_timer);
        total += one.len;
    }
    bool is_short = total + 2 * n + 11 <= WIDTH;
    buf_append_cstr(out, !n ? "{}" : is_short ? "{ " : "{\n  ");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_cstr(out, is_short ? ", " : ",\n  ");
        append_item(out, list.items[i]->key, list.items[i]->value.ptr, is_timer);
    }
    vec_free(&list);
    buf_append_cstr(out, !n ? "\nEND\n\n" : is_short ? " }\nEND\n\n" : "\n}\nEND\n\n");
    buf_deinit(&one);
}

static void put_self(struct input_statsd *s, struct map *items, const char *name, double value)
{
    struct buf key = {0};
    bool added;
    buf_printf(&key, "%s.%s", s->config.prefix_stats, name);
    struct map_entry *e = map_put(items, buf_slice(&key), &added);
    if (added)
        e->value.ptr = mem_calloc(1, sizeof(struct item));
    ((struct item *)e->value.ptr)->value += value;
    buf_deinit(&key);
}

static void show(struct input_statsd *s, enum shown what, struct buf *out)
{
    pthread_mutex_lock(&s->lock);
    struct map *items = collect(s, what);
    if (what == COUNTERS) {
        int64_t lines = 0;
        for (size_t i = 0; i < s->shard_count; i++) {
            pthread_mutex_lock(&s->shards[i].lock);
            lines += s->parsers[i].lines;
            pthread_mutex_unlock(&s->shards[i].lock);
        }
        put_self(s, items, "bad_lines_seen", (double)(s->bad_lines - s->path_bad_lines));
        put_self(s, items, "packets_received", (double)(s->packets - s->path_packets));
        put_self(s, items, "metrics_received", (double)(lines - s->path_lines));
    }
    pthread_mutex_unlock(&s->lock);
    print_items(items, what == TIMERS, out);
    items_free(items);
}

/* --- deleting --- */

/* A whole path, or "folder.*" for all below. */
static bool is_meant(struct slice path, struct slice pattern)
{
    return slice_eq(path, pattern) ||
           (slice_ends_with(pattern, SLICE(".*")) &&
            slice_starts_with(path, slice_first(pattern, pattern.len - 1)));
}

static void end_views(struct input_statsd *s, int64_t now_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->series.len; i++) {
        if (s->series.items[i]->is_deleted)
            statsd__series_end(s, s->series.items[i], now_ns);
        else
            s->series.items[kept++] = s->series.items[i];
    }
    s->series.len = kept;
    kept = 0;
    for (size_t i = 0; i < s->paths.len; i++) {
        if (s->paths.items[i]->is_deleted)
            statsd__path_end(s, s->paths.items[i]);
        else
            s->paths.items[kept++] = s->paths.items[i];
    }
    s->paths.len = kept;
    statsd__batch_send(s);
}

/* Takes entries out of the lists of the interval; then they can go. */
static void forget_marked(struct statsd_shard *shard, statsd_entry_list *marked)
{
    for (int epoch = 0; epoch < 2; epoch++) {
        statsd_entry_list *touched = &shard->touched[epoch];
        statsd_timed_list *timed = &shard->timed[epoch];
        size_t kept = 0;
        for (size_t i = 0; i < touched->len; i++) {
            if (!touched->items[i]->is_deleted)
                touched->items[kept++] = touched->items[i];
        }
        touched->len = kept;
        kept = 0;
        for (size_t i = 0; i < timed->len; i++) {
            if (!timed->items[i].entry->is_deleted)
                timed->items[kept++] = timed->items[i];
        }
        timed->len = kept;
    }
    for (size_t i = 0; i < marked->len; i++)
        statsd__entry_forget(shard, marked->items[i]);
    marked->len = 0;
}

static void delete_one(struct input_statsd *s, enum shown what, struct slice pattern,
                       struct buf *out)
{
    struct map *deleted = map_new();
    entry_list list = {0};
    struct buf path = {0};
    statsd_entry_list marked = {0};
    for (size_t i = 0; i < s->shard_count; i++) {
        struct statsd_shard *shard = &s->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (size_t k = 0; k < shard->cap; k++) {
            struct statsd_entry *e = shard->cells[k].entry;
            if (!e || !is_shown(what, e->kind))
                continue;
            path_of(s, e, &path);
            if (!is_meant(buf_slice(&path), pattern))
                continue;
            map_put(deleted, buf_slice(&path), NULL);
            e->is_deleted = true;
            if (e->series)
                e->series->is_deleted = true;
            if (e->path)
                e->path->is_deleted = true;
            vec_push(&marked, e);
        }
        forget_marked(shard, &marked);
        pthread_mutex_unlock(&shard->lock);
    }
    if (!map_count(deleted))
        buf_printf(out, "metric %.*s not found\n", SLICE_FMT(pattern));
    sorted(deleted, &list);
    for (size_t i = 0; i < list.len; i++)
        buf_printf(out, "deleted: %.*s\n", SLICE_FMT(list.items[i]->key));
    vec_free(&list);
    map_free(deleted);
    buf_deinit(&path);
    vec_free(&marked);
}

static void delete_all(struct input_statsd *s, enum shown what, struct slice rest, struct buf *out)
{
    struct slice pattern;
    pthread_mutex_lock(&s->lock);
    while (rest.ptr && slice_split(&rest, ' ', &pattern)) {
        if (pattern.len)
            delete_one(s, what, pattern, out);
    }
    end_views(s, s->env.os->ops->now_ns(s->env.os));
    pthread_mutex_unlock(&s->lock);
    buf_append_cstr(out, "END\n\n");
}

/* --- commands --- */

static void print_stats(struct input_statsd *s, struct buf *out)
{
    int64_t now = s->env.os->ops->now_ns(s->env.os);
    buf_printf(out, "uptime: %lld\n", (long long)((now - s->started_ns) / NS_PER_SEC));
    buf_printf(out, "messages.last_msg_seen: %lld\n",
               (long long)((now - s->last_message_ns) / NS_PER_SEC));
    buf_printf(out, "messages.bad_lines_seen: %lld\nEND\n\n", (long long)s->bad_lines);
}

static void print_config(struct input_statsd *s, struct buf *out)
{
    const struct input_statsd_config *c = &s->config;
    buf_printf(
        out,
        "\nflushInterval: %lld\npercentThreshold: %s\ndeleteIdleStats: %s\nprefixStats: %s\n"
        "graphite > legacyNamespace: %s\ngraphite > globalPrefix: %s\n"
        "graphite > prefixCounter: %s\ngraphite > prefixTimer: %s\n"
        "graphite > prefixGauge: %s\ngraphite > prefixSet: %s\ngraphite > globalSuffix: %s\n",
        (long long)(c->flush_interval_ns / NS_PER_MS), c->percentiles,
        c->delete_idle ? "true" : "false", c->prefix_stats, c->legacy_namespace ? "true" : "false",
        c->global_prefix, c->prefix_counter, c->prefix_timer, c->prefix_gauge, c->prefix_set,
        c->global_suffix);
}

/* The Node daemon's proxy has its own commands. */
static void print_status(struct input_statsd *s, struct buf *out)
{
    int64_t now = s->env.os->ops->now_ns(s->env.os);
    buf_printf(out, "uptime: %lld\nnodes: ", (long long)((now - s->started_ns) / NS_PER_SEC));
    statsd__proxy_names(s->proxy, out);
    buf_append_char(out, '\n');
}

static void health(struct input_statsd *s, struct slice rest, struct buf *out)
{
    struct slice word = {0};
    if (rest.ptr && slice_split(&rest, ' ', &word)) {
        if (slice_eq_nocase(word, SLICE("up")))
            s->is_down = false;
        else if (slice_eq_nocase(word, SLICE("down")))
            s->is_down = true;
    }
    buf_printf(out, "health: %s\n", s->is_down ? "down" : "up");
}

bool input_statsd_command(struct input_statsd *s, struct slice line, struct buf *out)
{
    struct slice rest = slice_trim(line), command;
    if (!rest.ptr)
        rest.ptr = "";
    slice_split(&rest, ' ', &command);
    if (s->proxy && slice_eq(command, SLICE("help")))
        buf_append_cstr(out, "Commands: config, health, status, quit\n\n");
    else if (s->proxy && slice_eq(command, SLICE("status")))
        print_status(s, out);
    else if (slice_eq(command, SLICE("help")))
        buf_append_cstr(out, "Commands: stats, counters, timers, gauges, delcounters, deltimers, "
                             "delgauges, health, config, quit\n\n");
    else if (slice_eq(command, SLICE("config")))
        print_config(s, out);
    else if (slice_eq(command, SLICE("health")))
        health(s, rest, out);
    else if (slice_eq(command, SLICE("stats")))
        print_stats(s, out);
    else if (slice_eq(command, SLICE("counters")))
        show(s, COUNTERS, out);
    else if (slice_eq(command, SLICE("gauges")))
        show(s, GAUGES, out);
    else if (slice_eq(command, SLICE("timers")))
        show(s, TIMERS, out);
    else if (slice_eq(command, SLICE("delcounters")))
        delete_all(s, COUNTERS, rest, out);
    else if (slice_eq(command, SLICE("delgauges")))
        delete_all(s, GAUGES, rest, out);
    else if (slice_eq(command, SLICE("deltimers")))
        delete_all(s, TIMERS, rest, out);
    else if (slice_eq(command, SLICE("quit")))
        return false;
    else
        buf_append_cstr(out, "ERROR\n");
    return true;
}

/* Line by line; a last one without its end is a command, too: the Node daemon takes whatever one
 * read brings as a command. */
static size_t on_bytes(struct net_stream *stream, struct slice bytes, bool end, void *ctx)
{
    struct buf out = {0};
    size_t taken = 0;
    bool go_on = true;
    (void)end;
    while (go_on && taken < bytes.len) {
        struct slice rest = slice_from(bytes, taken);
        ptrdiff_t n = slice_find_char(rest, '\n');
        struct slice line = n < 0 ? rest : slice_first(rest, (size_t)n);
        taken += n < 0 ? rest.len : (size_t)n + 1;
        go_on = input_statsd_command(ctx, line, &out);
    }
    if (out.len && net_stream_write(stream, buf_slice(&out)))
        go_on = false;
    buf_deinit(&out);
    if (!go_on)
        net_stream_close(stream);
    return go_on ? taken : bytes.len;
}

int statsd__admin_start(struct input_statsd *s, struct diag *diag)
{
    struct net_stream_config config = {.name = "statsd_admin",
                                       .listen = s->config.admin_listen,
                                       .buffer_bytes_max = LINE_BYTES_MAX,
                                       .queue_bytes_max = (size_t)256 << 20,
                                       .connections_max = 100,
                                       .on_bytes = on_bytes,
                                       .ctx = s};
    return net_stream_server_start(s->env.loops, &config, &s->admin, diag);
}
