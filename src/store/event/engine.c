/* A table's head: blocks by shard, what readers see of it, and the way in. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "codec/bytes.h"
#include "store/event/events_priv.h"

#define HEAD_OVERLOAD 4 /* times the size at which it is flushed */

static struct counter counters[DATA_EVENT_TABLE_COUNT][STORE__EVENT_COUNTER_COUNT];

static void set_up(enum data_event_table table)
{
    static const char *const tables[DATA_EVENT_TABLE_COUNT] = {"table=\"logs\"", "table=\"spans\""};
    static const char *const refused[DATA_EVENT_TABLE_COUNT][STORE_REFUSED_COUNT] = {
#define REASONS(t)                                                                                 \
    {"table=\"" t "\",reason=\"invalid\"",     "table=\"" t "\",reason=\"too_old\"",               \
     "table=\"" t "\",reason=\"too_new\"",     "table=\"" t "\",reason=\"series_limit\"",          \
     "table=\"" t "\",reason=\"label_limit\"", "table=\"" t "\",reason=\"stream_limit\"",          \
     "table=\"" t "\",reason=\"line_size\"",   "table=\"" t "\",reason=\"field_limit\""}
        REASONS("logs"), REASONS("spans")};
#undef REASONS
    static const struct {
        enum store__event_counter at;
        const char *name, *help;
        enum counter_kind kind;
        double scale;
    } known[] = {
        {STORE__EVENT_APPENDED, "pharos_store_events_appended_total", "Rows taken in.", 0, 0},
        {STORE__EVENT_FLUSHES, "pharos_store_event_flushes_total", "Flushes to parts.", 0, 0},
        {STORE__EVENT_FLUSH_NS, "pharos_store_event_flush_seconds_total", "Time spent in flushes.",
         0, 1e-9},
        {STORE__EVENT_MERGES, "pharos_store_event_merges_total", "Merges of parts.", 0, 0},
        {STORE__EVENT_MERGE_NS, "pharos_store_event_merge_seconds_total", "Time spent in merges.",
         0, 1e-9},
        {STORE__EVENT_EXPIRED, "pharos_store_event_parts_expired_total",
         "Parts removed by retention.", 0, 0},
        {STORE__EVENT_DELETED, "pharos_store_events_deleted_total", "Rows deleted on request.", 0,
         0},
        {STORE__EVENT_QUARANTINED, "pharos_store_event_parts_damaged_total", "Parts found damaged.",
         0, 0},
        {STORE__EVENT_HEAD_BYTES, "pharos_store_event_head_bytes", "Bytes of rows in memory.",
         COUNTER_GAUGE, 0},
        {STORE__EVENT_STREAMS, "pharos_store_event_streams", "Streams with rows in memory.",
         COUNTER_GAUGE, 0},
        {STORE__EVENT_PARTS, "pharos_store_event_parts", "Parts on disk.", COUNTER_GAUGE, 0},
        {STORE__EVENT_DISK_BYTES, "pharos_store_event_parts_bytes", "Bytes of parts on disk.",
         COUNTER_GAUGE, 0},
    };
    struct counter *c = counters[table];
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct counter *to = &c[known[i].at];
        to->name = known[i].name;
        to->help = known[i].help;
        to->labels = tables[table];
        to->kind = known[i].kind;
        to->scale = known[i].scale;
    }
    for (size_t i = 0; i < STORE_REFUSED_COUNT; i++) {
        c[STORE__EVENT_REFUSED + i].name = "pharos_store_events_refused_total";
        c[STORE__EVENT_REFUSED + i].help = "Rows refused, by reason.";
        c[STORE__EVENT_REFUSED + i].labels = refused[table][i];
    }
    counter_register(c, STORE__EVENT_COUNTER_COUNT);
}

void store__event_count(enum data_event_table table, enum store__event_counter what, int64_t n)
{
    counter_add(&counters[table][what], n);
}

void store__event_gauge(enum data_event_table table, enum store__event_counter what, int64_t v)
{
    counter_set(&counters[table][what], v);
}

int64_t store__event_counted(enum data_event_table table, enum store__event_counter what)
{
    return counter_get(&counters[table][what]);
}

/* --- life --- */

struct store__event_engine *store__events_new(struct store *s)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    static bool done;
    pthread_mutex_lock(&once);
    for (int t = 0; !done && t < DATA_EVENT_TABLE_COUNT; t++)
        set_up((enum data_event_table)t);
    done = true;
    pthread_mutex_unlock(&once);
    struct store__event_engine *engine = mem_calloc(1, sizeof(*engine));
    pthread_mutex_init(&engine->lock, NULL);
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        struct store__events *e = &engine->tables[t];
        e->source.ops = &store__event_ops;
        e->s = s;
        e->table = (enum data_event_table)t;
        store_streams_init(&e->streams);
        pthread_mutex_init(&e->view_lock, NULL);
        e->shard_count = s->shard_count;
        e->shards = mem_alloc_aligned(64, e->shard_count * sizeof(*e->shards));
        memset(e->shards, 0, e->shard_count * sizeof(*e->shards));
        for (size_t i = 0; i < e->shard_count; i++)
            pthread_mutex_init(&e->shards[i].lock, NULL);
    }
    return engine;
}

void store__event_blocks_free(store__event_block_list *list)
{
    for (size_t i = 0; i < list->len; i++)
        store_event_block_unref(list->items[i]);
    vec_free(list);
}

void store__events_free(struct store__event_engine *engine)
{
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        struct store__events *e = &engine->tables[t];
        for (size_t i = 0; i < e->shard_count; i++) {
            store__event_blocks_free(&e->shards[i].blocks);
            pthread_mutex_destroy(&e->shards[i].lock);
        }
        mem_free(e->shards);
        store__event_blocks_free(&e->flushing);
        store__event_blocks_free(&e->recent);
        store__event_unpin(&e->parts);
        store_streams_deinit(&e->streams);
        pthread_mutex_destroy(&e->view_lock);
    }
    pthread_mutex_destroy(&engine->lock);
    mem_free(engine);
}

struct store_event_source *store_events(struct store *s, enum data_event_table table)
{
    return &s->events->tables[table].source;
}

/* --- what readers see --- */

static int by_position(const void *a, const void *b)
{
    uint64_t x = (*(struct store_event_block *const *)a)->position,
             y = (*(struct store_event_block *const *)b)->position;
    return (x > y) - (x < y);
}

static void take_blocks(const store__event_block_list *from, int64_t t_min, int64_t t_max,
                        store__event_block_list *to)
{
    for (size_t i = 0; i < from->len; i++) {
        if (from->items[i]->t_min <= t_max && from->items[i]->t_max >= t_min)
            vec_push(to, store_event_block_ref(from->items[i]));
    }
}

void store__event_view_take(struct store__events *e, int64_t t_min, int64_t t_max, bool recent,
                            struct store__event_view *out)
{
    *out = (struct store__event_view){0};
    pthread_mutex_lock(&e->view_lock);
    for (size_t i = 0; i < e->shard_count; i++) {
        pthread_mutex_lock(&e->shards[i].lock);
        take_blocks(&e->shards[i].blocks, t_min, t_max, &out->blocks);
        pthread_mutex_unlock(&e->shards[i].lock);
    }
    take_blocks(&e->flushing, t_min, t_max, &out->blocks);
    if (recent)
        take_blocks(&e->recent, t_min, t_max, &out->blocks);
    for (size_t i = 0; i < e->parts.len && !recent; i++) {
        const struct store_event_part_info *info = store_event_part_info(e->parts.items[i]);
        if (info->t_min_ns <= t_max && info->t_max_ns >= t_min)
            vec_push(&out->parts, store_event_part_ref(e->parts.items[i]));
    }
    pthread_mutex_unlock(&e->view_lock);
    if (out->blocks.len)
        qsort(out->blocks.items, out->blocks.len, sizeof(*out->blocks.items), by_position);
}

void store__event_view_free(struct store__event_view *v)
{
    store__event_blocks_free(&v->blocks);
    store__event_unpin(&v->parts);
}

static void add_blocks(const store__event_block_list *from, struct store_event_source_stats *out)
{
    for (size_t i = 0; i < from->len; i++) {
        out->rows += from->items[i]->row_count;
        out->raw_bytes += from->items[i]->payload_len;
        out->t_min_ns = MIN(out->t_min_ns, from->items[i]->t_min);
        out->t_max_ns = MAX(out->t_max_ns, from->items[i]->t_max);
    }
}

void store__event_source_stats(struct store__events *e, struct store_event_source_stats *out)
{
    *out = (struct store_event_source_stats){.head_rows = e->head_rows,
                                             .memory_bytes = e->head_bytes,
                                             .streams = e->streams.count,
                                             .t_min_ns = INT64_MAX,
                                             .t_max_ns = INT64_MIN};
    pthread_mutex_lock(&e->view_lock);
    for (size_t i = 0; i < e->shard_count; i++) {
        pthread_mutex_lock(&e->shards[i].lock);
        add_blocks(&e->shards[i].blocks, out);
        pthread_mutex_unlock(&e->shards[i].lock);
    }
    add_blocks(&e->flushing, out);
    out->parts = e->parts.len;
    for (size_t i = 0; i < e->parts.len; i++) {
        const struct store_event_part_info *p = store_event_part_info(e->parts.items[i]);
        out->rows += p->rows;
        out->raw_bytes += p->raw_bytes;
        out->disk_bytes += p->bytes;
        out->t_min_ns = MIN(out->t_min_ns, p->t_min_ns);
        out->t_max_ns = MAX(out->t_max_ns, p->t_max_ns);
    }
    pthread_mutex_unlock(&e->view_lock);
}

/* --- the way in --- */

struct ticket {
    void (*ack)(void *ctx, int err, const struct store_append_result *result);
    void *ctx;
    struct store_append_result result;
};

static void ticket_done(void *arg, int err)
{
    struct ticket *t = arg;
    if (t->ack)
        t->ack(t->ctx, err, &t->result);
    mem_free(t);
}

static struct store_event_block_rules rules_of(const struct store__events *e)
{
    const struct store_config *c = &e->s->config;
    int64_t now = e->s->os->ops->now_ns(e->s->os);
    bool logs = e->table == DATA_EVENT_LOGS;
    int64_t keep = logs ? c->retention_logs_ns : c->retention_spans_ns;
    struct store_event_block_rules r = {.oldest_ns = keep == INT64_MAX ? INT64_MIN : now - keep,
                                        .label_count_max = c->label_count_max,
                                        .label_bytes_max = c->label_bytes_max,
                                        .line_bytes_max = c->line_bytes_max,
                                        .field_count_max = c->field_count_max,
                                        .field_bytes_max = c->field_bytes_max,
                                        .streams_max = c->streams_max,
                                        .retention_setting =
                                            logs ? "retention.logs" : "retention.traces"};
    if (__builtin_add_overflow(now, c->future_ns, &r.newest_ns))
        r.newest_ns = INT64_MAX;
    return r;
}

static void enter(struct store__events *e, struct store__event_shard *shard,
                  struct store_event_block *b)
{
    b->position = ++e->position;
    vec_push(&shard->blocks, b);
    e->head_bytes += b->memory;
    e->head_rows += b->row_count;
}

/* Into the log and the head, under the shard's lock: a flush that begins a new segment of the log
 * finds in the head what the segments before it hold. */
static int log_and_enter(struct store__events *e, struct store_event_block *b, struct ticket *t)
{
    struct store__event_shard *shard = &e->shards[e->next_shard++ % e->shard_count];
    struct slice payload = slice_make(b->payload, b->payload_len);
    enum store_wal_type type = e->table == DATA_EVENT_LOGS ? STORE_WAL_LOGS : STORE_WAL_SPANS;
    int err;
    pthread_mutex_lock(&shard->lock);
    do
        err = store_wal_append(e->s->wal, store_wal_segment(e->s->wal), type, payload, ticket_done,
                               t);
    while (err == ERR_AGAIN);
    if (!err)
        enter(e, shard, b);
    pthread_mutex_unlock(&shard->lock);
    if (err)
        store_event_block_unref(b);
    return err;
}

static int overloaded(const struct store__events *e, struct diag *diag)
{
    if (e->head_bytes <= HEAD_OVERLOAD * e->s->config.event_head_bytes_max)
        return 0;
    return diag_set(diag, ERR_NOMEM,
                    "%zu MiB are in memory and wait to be written, more than %d times "
                    "store.event_memory: try again",
                    (size_t)e->head_bytes >> 20, HEAD_OVERLOAD);
}

void store_append_events(struct store *s, const struct data_event_batch *batch,
                         void (*ack)(void *ctx, int err, const struct store_append_result *result),
                         void *ctx)
{
    struct ticket *t = mem_calloc(1, sizeof(*t));
    struct store__events *e = &s->events->tables[batch->table];
    struct diag d;
    diag_init(&d);
    t->ack = ack;
    t->ctx = ctx;
    int err = store_health(s, &d);
    if (err && err != ERR_AGAIN && !(err == ERR_NOSPACE && s->space.code))
        err = 0; /* the log says so itself, and may be well again */
    if (!err)
        err = overloaded(e, &d);
    if (err) {
        diag_set(&t->result.first_refusal, err, "%s", d.msg);
        ticket_done(t, err);
        return;
    }
    struct store_event_block_rules rules = rules_of(e);
    struct buf payload = {0};
    size_t len, rows = store_event_block_encode(batch, &rules, &e->streams, &t->result, &payload);
    for (size_t i = 0; i < STORE_REFUSED_COUNT; i++) {
        if (t->result.refused[i])
            store__event_count(e->table, (enum store__event_counter)(STORE__EVENT_REFUSED + i),
                               (int64_t)t->result.refused[i]);
    }
    if (!payload.len) {
        ticket_done(t, 0);
        return;
    }
    char *bytes = buf_take(&payload, &len);
    struct store_event_block *b = store_event_block_parse(bytes, len, e->table, &e->streams);
    base_assert(b || len > UINT32_MAX);
    t->result.rows_accepted = rows;
    err = b ? log_and_enter(e, b, t) : ERR_TOO_LARGE;
    if (err) {
        t->result.rows_accepted = 0;
        ticket_done(t, err);
        return;
    }
    store__event_count(e->table, STORE__EVENT_APPENDED, (int64_t)rows);
}

int store__events_replay(struct store *s, enum data_event_table table, struct slice payload)
{
    struct store__events *e = &s->events->tables[table];
    struct store_event_block *b =
        store_event_block_parse(mem_dup(payload.ptr, payload.len), payload.len, table, &e->streams);
    if (!b)
        return ERR_CORRUPT;
    enter(e, &e->shards[e->next_shard++ % e->shard_count], b);
    return 0;
}
