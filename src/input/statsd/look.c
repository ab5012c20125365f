/* What the API shows of the daemon. */
#include <stdlib.h>

#include "input/statsd/statsd_priv.h"

#define NAMES_SHOWN   100
#define CELLS_A_TURN  4096
#define SENDERS_SHOWN 50

static const char *const kind_names[STATSD_KIND_COUNT] = {[STATSD_COUNTER] = "counter",
                                                          [STATSD_GAUGE] = "gauge",
                                                          [STATSD_TIMER] = "timer",
                                                          [STATSD_HISTOGRAM] = "histogram",
                                                          [STATSD_DISTRIBUTION] = "distribution",
                                                          [STATSD_SET] = "set"};

struct seen {
    struct slice name, tail; /* copied */
    enum statsd_kind kind;
    uint32_t samples;
};
typedef VEC(struct seen) seen_list;

static int by_samples(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->samples != y->samples)
        return x->samples < y->samples ? 1 : -1;
    return slice_cmp(x->name, y->name);
}

static void cut(seen_list *list)
{
    if (list->len > 1)
        qsort(list->items, list->len, sizeof(*list->items), by_samples);
    list->len = MIN(list->len, (size_t)NAMES_SHOWN);
}

/* The busiest names of the last interval. s->lock held. */
static void collect(struct input_statsd *s, struct arena *arena, seen_list *out)
{
    for (size_t i = 0; i < s->shard_count; i++) {
        struct statsd_shard *shard = &s->shards[i];
        for (size_t at = 0, end = 1; at < end; at += CELLS_A_TURN) {
            pthread_mutex_lock(&shard->lock);
            end = shard->cap;
            for (size_t k = at; k < MIN(at + CELLS_A_TURN, end); k++) {
                const struct statsd_entry *e = shard->cells[k].entry;
                if (!e || !e->is_found ||
                    (out->len >= NAMES_SHOWN &&
                     e->last_samples < out->items[NAMES_SHOWN - 1].samples))
                    continue;
                uint32_t n = (uint32_t)s->flushes - e->seen_flush <= 1 ? e->last_samples : 0;
                struct seen seen = {arena_slice(arena, statsd_entry_name(e)),
                                    arena_slice(arena, statsd_entry_tail(e)),
                                    (enum statsd_kind)e->kind, n};
                vec_push(out, seen);
            }
            pthread_mutex_unlock(&shard->lock);
            if (out->len > 4 * NAMES_SHOWN)
                cut(out);
        }
    }
    cut(out);
}

static void put_names(struct input_statsd *s, struct codec_json_writer *w)
{
    struct arena *arena = arena_new(0, NULL);
    seen_list list = {0};
    collect(s, arena, &list);
    codec_json_key(w, SLICE("busiest_names"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < list.len; i++) {
        codec_json_begin_object(w);
        codec_json_put_string(w, "name", list.items[i].name);
        codec_json_put_string(w, "tags", list.items[i].tail);
        codec_json_put_string(w, "type", slice_cstr(kind_names[list.items[i].kind]));
        codec_json_key(w, SLICE("samples_per_second"));
        codec_json_double(w, list.items[i].samples / ((double)s->config.flush_interval_ns / 1e9));
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
    vec_free(&list);
    arena_free(arena);
}

static void put_udp(struct codec_json_writer *w, const char *kind, const struct net_udp *udp)
{
    if (!udp)
        return;
    struct net_udp_stats stats = net_udp_stats(udp);
    codec_json_begin_object(w);
    codec_json_put_string(w, "kind", slice_cstr(kind));
    codec_json_put_int(w, "port", net_udp_port(udp));
    codec_json_put_int(w, "sockets", (int64_t)net_udp_sockets(udp));
    codec_json_put_int(w, "receive_buffer_bytes", (int64_t)net_udp_receive_buffer(udp));
    codec_json_put_int(w, "datagrams", stats.datagrams);
    codec_json_put_int(w, "bytes", stats.bytes);
    codec_json_put_int(w, "dropped_by_kernel", stats.dropped);
    codec_json_put_int(w, "cut", stats.cut);
    codec_json_end_object(w);
}

static void put_stream(struct codec_json_writer *w, const char *kind,
                       const struct net_stream_server *server)
{
    if (!server)
        return;
    codec_json_begin_object(w);
    codec_json_put_string(w, "kind", slice_cstr(kind));
    codec_json_put_int(w, "port", net_stream_server_port(server));
    codec_json_end_object(w);
}

static void put_listeners(struct input_statsd *s, struct codec_json_writer *w)
{
    codec_json_key(w, SLICE("listeners"));
    codec_json_begin_array(w);
    put_udp(w, "udp", s->udp);
    put_stream(w, "tcp", s->tcp);
    put_udp(w, "unix_datagram", s->unix_udp);
    put_stream(w, "unix_stream", s->unix_tcp);
    put_stream(w, "admin", s->admin);
    codec_json_end_array(w);
}

/* The latest example of all shards, and the sum of their counts. Bytes that are no UTF-8 are shown
 * as replacement characters. */
static void put_refusals(struct input_statsd *s, struct codec_json_writer *w)
{
    codec_json_key(w, SLICE("refused"));
    codec_json_begin_array(w);
    for (int reason = 1; reason < STATSD_REASON_COUNT; reason++) {
        struct statsd_refusal last = {0};
        int64_t count = 0;
        for (size_t i = 0; i < s->shard_count; i++) {
            pthread_mutex_lock(&s->shards[i].lock);
            const struct statsd_refusal *r = &s->shards[i].refusals[reason];
            count += r->count;
            if (r->count && r->ts_ns >= last.ts_ns)
                last = *r;
            pthread_mutex_unlock(&s->shards[i].lock);
        }
        if (!count)
            continue;
        codec_json_begin_object(w);
        codec_json_put_string(w, "reason",
                              slice_cstr(statsd_reason_name((enum statsd_reason)reason)));
        codec_json_put_string(w, "expected",
                              slice_cstr(statsd_reason_help((enum statsd_reason)reason)));
        codec_json_put_int(w, "total", count);
        codec_json_put_string(
            w, "example", slice_make(last.line, MIN(last.line_len, (size_t)STATSD_EXAMPLE_BYTES)));
        codec_json_put_int(w, "example_bytes", (int64_t)last.line_len);
        codec_json_put_string(w, "sender", slice_cstr(last.peer));
        codec_json_put_int(w, "at_ms", last.ts_ns / NS_PER_MS);
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
}

void input_statsd_look(struct input_statsd *s, struct codec_json_writer *w)
{
    int64_t lines = 0, by_kind[STATSD_KIND_COUNT] = {0};
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        lines += s->parsers[i].lines;
        for (int k = 0; k < STATSD_KIND_COUNT; k++)
            by_kind[k] += s->shards[i].by_kind[k];
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    codec_json_begin_object(w);
    codec_json_put_int(w, "packets", s->packets);
    codec_json_put_int(w, "lines", lines);
    codec_json_key(w, SLICE("samples"));
    codec_json_begin_object(w);
    for (int k = 0; k < STATSD_KIND_COUNT; k++)
        codec_json_put_int(w, kind_names[k], by_kind[k]);
    codec_json_end_object(w);
    codec_json_put_int(w, "last_message_ms", s->last_message_ns / NS_PER_MS);
    codec_json_put_int(w, "names", (int64_t)s->limits.names);
    codec_json_put_int(w, "names_max", (int64_t)s->limits.names_max);
    codec_json_put_int(w, "waiting_bytes", s->limits.memory);
    put_listeners(s, w);
    put_refusals(s, w);
    codec_json_key(w, SLICE("senders"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_lock(&s->shards[i].lock);
        statsd__tally_flush(s, &s->shards[i]);
        pthread_mutex_unlock(&s->shards[i].lock);
    }
    input_senders_look(s->udp_senders, "UDP", SENDERS_SHOWN, w);
    input_senders_look(s->tcp_senders, "stream", SENDERS_SHOWN, w);
    codec_json_end_array(w);
    if (s->proxy) {
        codec_json_key(w, SLICE("proxy"));
        statsd__proxy_look(s->proxy, w);
    }
    pthread_mutex_lock(&s->lock);
    codec_json_put_int(w, "series", (int64_t)s->series.len);
    codec_json_put_int(w, "paths", (int64_t)s->paths.len);
    codec_json_put_int(w, "renamed_for_another_type", s->conflicts);
    codec_json_put_int(w, "mappings", (int64_t)statsd__mapping_count(s->mapping));
    codec_json_put_int(w, "flushes", s->flushes);
    codec_json_put_int(w, "flush_interval_ms", s->config.flush_interval_ns / NS_PER_MS);
    codec_json_put_int(w, "last_flush_ms", s->last_flush_ns / NS_PER_MS);
    codec_json_key(w, SLICE("last_flush_took_seconds"));
    codec_json_double(w, (double)s->flush_took_ns / 1e9);
    put_names(s, w);
    pthread_mutex_unlock(&s->lock);
    codec_json_end_object(w);
}
