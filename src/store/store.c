/* Opening and closing: the pieces put together. */
#include "store/store.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "store/event/events_priv.h"

struct counter store__counters[STORE__COUNTER_COUNT] = {
    [STORE__APPENDED] = {.name = "pharos_store_samples_appended_total",
                         .help = "Samples taken in."},
    [STORE__REFUSED_INVALID] = {.name = "pharos_store_samples_refused_total",
                                .help = "Samples refused, by reason.",
                                .labels = "reason=\"invalid\""},
    [STORE__REFUSED_TOO_OLD] = {.name = "pharos_store_samples_refused_total",
                                .help = "Samples refused, by reason.",
                                .labels = "reason=\"too_old\""},
    [STORE__REFUSED_TOO_NEW] = {.name = "pharos_store_samples_refused_total",
                                .help = "Samples refused, by reason.",
                                .labels = "reason=\"too_new\""},
    [STORE__REFUSED_SERIES_LIMIT] = {.name = "pharos_store_samples_refused_total",
                                     .help = "Samples refused, by reason.",
                                     .labels = "reason=\"series_limit\""},
    [STORE__REFUSED_LABEL_LIMIT] = {.name = "pharos_store_samples_refused_total",
                                    .help = "Samples refused, by reason.",
                                    .labels = "reason=\"label_limit\""},
    [STORE__EXEMPLARS] = {.name = "pharos_store_exemplars_appended_total",
                          .help = "Exemplars taken in."},
    [STORE__EXEMPLARS_REFUSED] = {.name = "pharos_store_exemplars_refused_total",
                                  .help = "Exemplars that were not kept: too old, too far ahead, "
                                          "too long, of a series without samples, or none are to "
                                          "be kept (limits.exemplars)."},
    [STORE__EXEMPLARS_DROPPED] = {.name = "pharos_store_exemplars_dropped_total",
                                  .help = "Exemplars that gave way to later ones in memory."},
    [STORE__FLUSH_BYTES] = {.name = "pharos_store_flush_bytes_total",
                            .help = "Bytes of parts written by flushes."},
    [STORE__FLUSH_NS] = {.name = "pharos_store_flush_seconds_total",
                         .help = "Time spent in flushes.",
                         .scale = 1e-9},
    [STORE__MERGE_BYTES] = {.name = "pharos_store_merge_bytes_total",
                            .help = "Bytes of parts written by merges and deletions."},
    [STORE__MERGE_NS] = {.name = "pharos_store_merge_seconds_total",
                         .help = "Time spent in merges.",
                         .scale = 1e-9},
    [STORE__FLUSHES] = {.name = "pharos_store_flushes_total",
                        .help = "Flushes of the head to parts."},
    [STORE__MERGES] = {.name = "pharos_store_merges_total", .help = "Merges of parts."},
    [STORE__EXPIRED] = {.name = "pharos_store_parts_expired_total",
                        .help = "Parts removed by retention."},
    [STORE__QUARANTINED] = {.name = "pharos_store_parts_damaged_total",
                            .help = "Parts found damaged."},
    [STORE__SERIES] = {.name = "pharos_store_series",
                       .help = "Series in memory.",
                       .kind = COUNTER_GAUGE},
    [STORE__PARTS] = {.name = "pharos_store_parts",
                      .help = "Parts on disk.",
                      .kind = COUNTER_GAUGE},
    [STORE__DISK_BYTES] = {.name = "pharos_store_parts_bytes",
                           .help = "Bytes of all parts on disk.",
                           .kind = COUNTER_GAUGE},
};

void store_config_init(struct store_config *c)
{
    *c = (struct store_config){
        .dir = "data",
        .retention_ns = 90 * 86400 * NS_PER_SEC,
        .retention_logs_ns = 30 * 86400 * NS_PER_SEC,
        .retention_spans_ns = 14 * 86400 * NS_PER_SEC,
        .future_ns = 600 * NS_PER_SEC,
        .series_max = 5000000,
        .exemplars_max = 100000,
        .label_count_max = 64,
        .label_bytes_max = 16 << 10,
        .flush_interval_ns = 600 * NS_PER_SEC,
        .head_bytes_max = (size_t)512 << 20,
        .streams_max = 1000000,
        .line_bytes_max = 256 << 10,
        .field_count_max = 512,
        .field_bytes_max = 256 << 10,
        .event_head_bytes_max = (size_t)128 << 20,
        .wal_bytes_max = (size_t)1 << 30,
        .disk_reserve_bytes = (int64_t)256 << 20,
        .background = true,
    };
}

static void *run_maintenance(void *arg)
{
    store__maintain_loop(arg);
    return NULL;
}

static int lock_dir(struct store *s, struct diag *diag)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/LOCK", s->config.dir);
    int err = s->os->ops->open(s->os, path, OS_READ | OS_WRITE | OS_CREATE, &s->lock_file, diag);
    return err ? err : s->os->ops->lock(s->lock_file, diag);
}

static void free_store(struct store *s)
{
    for (size_t i = 0; i < s->parts.len; i++)
        store_part_unref(s->parts.items[i]);
    vec_free(&s->parts);
    for (size_t i = 0; i < s->shard_count; i++) {
        store_shard_deinit(&s->shards[i].head);
        pthread_mutex_destroy(&s->shards[i].lock);
    }
    mem_free(s->shards);
    store__events_free(s->events);
    store__metadata_free(s);
    store_manifest_free(&s->manifest);
    if (s->lock_file)
        s->os->ops->close(s->lock_file);
    pthread_mutex_destroy(&s->parts_lock);
    pthread_mutex_destroy(&s->changes.lock);
    vec_free(&s->changes.notes);
    pthread_mutex_destroy(&s->arrivals.lock);
    vec_free(&s->arrivals.places);
    pthread_mutex_destroy(&s->maintain_lock);
    pthread_mutex_destroy(&s->space_lock);
    pthread_mutex_destroy(&s->thread_lock);
    pthread_cond_destroy(&s->thread_cond);
    mem_free((void *)(uintptr_t)s->config.dir);
    mem_free(s);
}

static int open_parts_and_log(struct store *s, struct diag *diag)
{
    char dir[4200];
    struct store_wal_replay replay;
    struct store_wal_config wal = {.dir = dir,
                                   .sync = s->config.durability == STORE_DURABILITY_GROUP,
                                   .thread = s->config.background,
                                   .replay_done = &s->load_done,
                                   .replay_total = &s->load_total};
    snprintf(dir, sizeof(dir), "%s/parts", s->config.dir);
    int err = s->os->ops->mkdir(s->os, dir, diag);
    snprintf(dir, sizeof(dir), "%s/wal", s->config.dir);
    if (!err)
        err = s->os->ops->mkdir(s->os, dir, diag);
    if (!err)
        err = lock_dir(s, diag);
    if (!err)
        err = store__load_parts(s, diag);
    if (!err)
        err = store__events_load_parts(s, diag);
    wal.first = store_manifest_high_water(&s->manifest);
    if (!err && s->manifest.metadata.len)
        err = store__replay(STORE_WAL_METADATA, UINT64_MAX, buf_slice(&s->manifest.metadata), s);
    if (!err && (err = store_wal_open(s->os, &wal, store_manifest_low_water(&s->manifest),
                                      store__replay, s, &s->wal, &replay, diag)) == ERR_UNSUPPORTED)
        diag_set(diag, err,
                 "the write-ahead log in %s has records of format version 1, this program reads "
                 "version 2: use the program that wrote it, or begin in a new directory",
                 dir);
    store__replay_end();
    if (err)
        return diag && diag->code
                   ? err
                   : diag_set(diag, err, "the data in %s cannot be read", s->config.dir);
    if (replay.torn_bytes || replay.corrupt_segments)
        LOG_WARN("store", "the write-ahead log did not end cleanly",
                 LOG_INT("torn_bytes", replay.torn_bytes),
                 LOG_INT("damaged_segments", replay.corrupt_segments));
    return 0;
}

struct store *store_new(const struct store_config *config, struct os *os, struct task_pool *pool)
{
    counter_register(store__counters, STORE__COUNTER_COUNT);
    struct store *s = mem_calloc(1, sizeof(*s));
    s->config = *config;
    s->config.dir = mem_strdup(config->dir);
    s->os = os;
    s->pool = pool;
    s->source.ops = &store__source_ops;
    s->metadata = map_new();
    pthread_mutex_init(&s->parts_lock, NULL);
    pthread_mutex_init(&s->changes.lock, NULL);
    pthread_mutex_init(&s->arrivals.lock, NULL);
    s->arrivals.number = 1;
    pthread_mutex_init(&s->maintain_lock, NULL);
    pthread_mutex_init(&s->space_lock, NULL);
    pthread_mutex_init(&s->thread_lock, NULL);
    pthread_cond_init(&s->thread_cond, NULL);
    s->shard_count = config->shard_count ? config->shard_count
                                         : (size_t)MAX(2 * sysconf(_SC_NPROCESSORS_ONLN), 1);
    s->shards = mem_alloc_aligned(64, s->shard_count * sizeof(*s->shards));
    for (size_t i = 0; i < s->shard_count; i++) {
        pthread_mutex_init(&s->shards[i].lock, NULL);
        store_shard_init(&s->shards[i].head);
    }
    s->events = store__events_new(s);
    return s;
}

int store_load(struct store *s, struct diag *diag)
{
    int err = open_parts_and_log(s, diag);
    s->last_flush_ns = s->last_merge_ns = s->os->ops->now_ns(s->os);
    if (err)
        return err;
    s->loaded = true;
    if (s->config.background) {
        s->has_thread = !pthread_create(&s->thread, NULL, run_maintenance, s);
        if (!s->has_thread)
            return diag_set(diag, ERR_LIMIT, "cannot start the maintenance thread");
    }
    return store__events_start(s, diag);
}

void store_load_progress(const struct store *s, uint64_t *out_done, uint64_t *out_total)
{
    *out_done = s->load_done;
    *out_total = s->load_total;
}

int store__check_loaded(const struct store *s, struct diag *diag)
{
    if (s->loaded)
        return 0;
    uint64_t done = s->load_done, total = s->load_total;
    return diag_set(diag, ERR_AGAIN, "the log is being read: %llu of %llu MiB",
                    (unsigned long long)(done >> 20), (unsigned long long)(total >> 20));
}

int store_open(const struct store_config *config, struct os *os, struct task_pool *pool,
               struct store **out, struct diag *diag)
{
    struct store *s = store_new(config, os, pool);
    int err = store_load(s, diag);
    if (err) {
        store_close(s);
        s = NULL;
    }
    *out = s;
    return err;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->thread_lock);
        s->stopping = true;
        pthread_cond_broadcast(&s->thread_cond);
        pthread_mutex_unlock(&s->thread_lock);
        pthread_join(s->thread, NULL);
    }
    store__events_stop(s);
    struct diag d;
    diag_init(&d);
    if (s->loaded && store_maintain(s, true, &d))
        LOG_WARN("store", "the last flush failed; the write-ahead log has the data",
                 LOG_STR("error", d.msg));
    store_wal_close(s->wal);
    free_store(s);
}

struct store_source *store_metrics(struct store *s)
{
    return &s->source;
}

int store_sync(struct store *s)
{
    int err = store__check_loaded(s, NULL);
    return err ? err : store_wal_flush(s->wal);
}
