/* Events in the store beside a plain list of them: appended, flushed, merged, deleted, reopened. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "event_model.h"
#include "os/sim.h"
#include "text/regex.h"

struct world {
    struct os_sim *sim;
    struct store *store;
    struct event_model model;
    size_t acked, refused;
    struct diag refusal;
};

static void open_store(struct world *w)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.shard_count = 2;
    config.retention_ns = config.retention_logs_ns = config.retention_spans_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    config.streams_max = 50000;
    config.line_bytes_max = 1000;
    config.field_count_max = 40;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d))
        fail_msg("open: %s", d.msg);
}

static void begin(struct world *w, enum data_event_table table, uint64_t seed)
{
    *w = (struct world){.sim = os_sim_new(seed)};
    model_init(&w->model, table, seed);
    os_sim_set_now(w->sim, w->model.now_ns);
    open_store(w);
}

static void end(struct world *w)
{
    store_close(w->store);
    os_sim_free(w->sim);
    model_deinit(&w->model);
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    assert_int_equal(err, 0);
    w->acked += r->rows_accepted;
    for (size_t i = 0; i < STORE_REFUSED_COUNT; i++)
        w->refused += r->refused[i];
    w->refusal = r->first_refusal;
}

static void append(struct world *w, size_t rows_max)
{
    struct data_event_batch *b = model_batch(&w->model, rows_max);
    size_t before = w->acked;
    store_append_events(w->store, b, on_ack, w);
    assert_int_equal(store_sync(w->store), 0);
    assert_int_equal(w->acked - before, b->rows.len);
    data_event_batch_free(b);
}

static void maintain(struct world *w)
{
    struct diag d;
    diag_init(&d);
    if (store_maintain(w->store, true, &d))
        fail_msg("maintain: %s", d.msg);
}

static struct store_event_source *source(struct world *w)
{
    return store_events(w->store, w->model.table);
}

static void check_everything(struct world *w)
{
    struct store_event_scan all = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .order = STORE_EVENT_OLDEST_FIRST,
        .all_fields = true};
    model_check_scan(&w->model, source(w), &all);
    for (int i = 0; i < 12; i++) {
        struct store_event_scan s = model_scan(&w->model);
        model_check_scan(&w->model, source(w), &s);
    }
    /* Another tenant sees nothing. */
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    all.select.tenant = SLICE("other");
    assert_int_equal(source(w)->ops->scan(source(w), &all, &c, NULL), 0);
    assert_int_equal(source(w)->ops->next(c, &chunk, NULL), 0);
    assert_int_equal(chunk.count, 0);
    source(w)->ops->close(c);
    store_event_chunk_free(&chunk);
}

static void check_counts(struct world *w)
{
    struct event_model *m = &w->model;
    for (int by_stream = 0; by_stream < 2; by_stream++) {
        struct arena *arena = arena_new(0, NULL);
        struct store_event_counts counts;
        struct store_event_select all = {
            .tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX};
        assert_int_equal(source(w)->ops->counts(source(w), &all, 60 * NS_PER_SEC, by_stream, true,
                                                arena, &counts, NULL),
                         0);
        uint64_t rows = 0;
        for (size_t i = 0; i < counts.count; i++) {
            const struct store_event_count *k = &counts.items[i];
            uint64_t want = 0, want_bytes = 0;
            for (size_t r = 0; r < m->rows.len; r++) {
                const struct model_row *row = &m->rows.items[r];
                struct data_value level = model_value(m, row, 2), line = model_value(m, row, 1);
                enum data_event_level is =
                    level.kind ? data_event_level_parse(level.text) : DATA_LEVEL_UNKNOWN;
                if (row->deleted || row->ts <= k->ts_ns || row->ts > k->ts_ns + 60 * NS_PER_SEC ||
                    is != k->level || !level.kind != (k->level_state == STORE_LEVEL_MISSING) ||
                    (by_stream && !data_labels_eq(counts.streams[k->stream].labels,
                                                  model_labels(m, row->stream))))
                    continue;
                want++;
                want_bytes += line.kind ? line.text.len : 0;
            }
            assert_int_equal(k->rows, want);
            assert_int_equal(k->bytes, want_bytes);
            rows += k->rows;
        }
        uint64_t there = 0;
        for (size_t r = 0; r < m->rows.len; r++)
            there += !m->rows.items[r].deleted;
        assert_int_equal(rows, there);
        arena_free(arena);
    }
}

static void delete_some(struct world *w)
{
    struct store_event_scan s = model_scan(&w->model);
    struct diag d;
    uint64_t rows, want = 0;
    diag_init(&d);
    for (size_t i = 0; i < w->model.rows.len; i++)
        want += model_selects(&w->model, &w->model.rows.items[i], &s);
    if (store_delete_events(w->store, w->model.table, &s, &rows, &d))
        fail_msg("delete: %s", d.msg);
    assert_int_equal(rows, want);
    for (size_t i = 0; i < w->model.rows.len; i++) {
        struct model_row *r = &w->model.rows.items[i];
        r->deleted = r->deleted || model_selects(&w->model, r, &s);
    }
}

static void random_work(enum data_event_table table, uint64_t seed, bool many_streams)
{
    struct world w;
    begin(&w, table, seed);
    w.model.many_streams = many_streams;
    for (int step = 0; step < 24; step++) {
        uint64_t x = model_random(&w.model) % 16;
        w.model.now_ns += (int64_t)(model_random(&w.model) % 90) * NS_PER_SEC;
        os_sim_set_now(w.sim, w.model.now_ns);
        for (uint64_t i = 0; i <= x % 4; i++)
            append(&w, x == 3 ? 400 : 12);
        if (x >= 6)
            maintain(&w);
        if (x == 14)
            delete_some(&w);
        if (x == 15) {
            store_close(w.store);
            open_store(&w);
        }
        if (step % 4 == 3) {
            check_everything(&w);
            if (table == DATA_EVENT_LOGS)
                check_counts(&w);
        }
    }
    end(&w);
}

static void like_a_plain_list(void **state)
{
    (void)state;
    const char *only = getenv("PHAROS_SEED");
    for (uint64_t seed = 1; seed <= 10; seed++) {
        if (only && strtoull(only, NULL, 10) != seed)
            continue;
        random_work(seed % 2 ? DATA_EVENT_LOGS : DATA_EVENT_SPANS, seed, seed % 5 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
