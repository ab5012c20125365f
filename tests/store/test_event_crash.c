/* Events on a disk that lies: random work, crashes at random moments, and after each recovery every
 * acknowledged row is there, once and whole, and of an append that was not acknowledged all rows or
 * none. PHAROS_SEEDS=n runs n seeds, PHAROS_SEED=k only k. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "codec/number.h"
#include "event_model.h"
#include "os/sim.h"
#include "quiet.h"

#define SEEDS_DEFAULT 2000
#define STEPS         24

struct world {
    struct os_sim *sim;
    struct store *store;
    struct event_model model;
    uint64_t random, seed;
    bool may_fail; /* opening */
    size_t acked;  /* appends */
};

static uint64_t rnd(struct world *w)
{
    return w->random = hash_u64(w->random + 0x9e3779b97f4a7c15);
}

struct ack {
    struct world *world;
    uint32_t first, last; /* rows */
    bool done;
};

static void on_ack(void *ctx, int err, const struct store_append_result *result)
{
    struct ack *a = ctx;
    (void)result;
    a->done = true;
    a->world->acked += !err;
    for (uint32_t i = a->first; !err && i < a->last; i++)
        a->world->model.rows.items[i].acked = true;
}

static int open_store(struct world *w)
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
    int err = store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d);
    if (err && !os_sim_is_off(w->sim) && !w->may_fail)
        fail_msg("seed %llu: open: %s", (unsigned long long)w->seed, d.msg);
    return err;
}

static void append_some(struct world *w)
{
    struct ack *a = mem_calloc(1, sizeof(*a));
    *a = (struct ack){.world = w, .first = (uint32_t)w->model.rows.len};
    struct data_event_batch *b = model_batch(&w->model, 6);
    a->last = (uint32_t)w->model.rows.len;
    /* How far a reader came, with its rows. */
    data_event_batch_note(b, SLICE("reader/a"), arena_printf(b->arena, "%u", w->model.appends));
    data_event_batch_note(b, SLICE("reader/once"), w->model.appends % 3 ? SLICE("x") : SLICE(""));
    store_append_events(w->store, b, on_ack, a);
    data_event_batch_free(b);
    /* Later than the append, but before `a` is gone. */
    if (rnd(w) % 3 || !a->done)
        (void)!store_sync(w->store);
    mem_free(a);
}

static void delete_some(struct world *w)
{
    struct store_event_scan s = model_scan(&w->model);
    int err = store_delete_events(w->store, w->model.table, &s, NULL, NULL);
    for (size_t i = 0; i < w->model.rows.len; i++) {
        struct model_row *r = &w->model.rows.items[i];
        if (!model_selects(&w->model, r, &s))
            continue;
        r->deleted |= !err;
        r->perhaps |= err != 0;
    }
}

static void check_presence(struct world *w, const uint8_t *there)
{
    struct event_model *m = &w->model;
    for (size_t i = 0; i < m->rows.len; i++) {
        const struct model_row *r = &m->rows.items[i];
        if (r->acked && !r->deleted && !r->perhaps && !there[i])
            fail_msg("seed %llu: acknowledged row %zu is lost", (unsigned long long)w->seed, i);
        if (r->deleted && there[i])
            fail_msg("seed %llu: deleted row %zu is back", (unsigned long long)w->seed, i);
        if (i && m->rows.items[i - 1].append == r->append && there[i] != there[i - 1] &&
            !r->deleted && !r->perhaps && !m->rows.items[i - 1].deleted &&
            !m->rows.items[i - 1].perhaps)
            fail_msg("seed %llu: half of append %u is there", (unsigned long long)w->seed,
                     r->append);
    }
}

/* The note that is there came with the last of the appends that are there. */
static void check_notes(struct world *w, const uint8_t *there)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_event_note *notes;
    size_t count;
    int64_t last = 0;
    assert_int_equal(store_event_notes(w->store, SLICE("reader/a"), arena, &notes, &count, NULL),
                     0);
    assert_true(count <= 1);
    if (count)
        assert_true(codec_text_to_int(notes[0].value, &last));
    for (size_t i = 0; i < w->model.rows.len; i++) {
        const struct model_row *r = &w->model.rows.items[i];
        if (there[i] && r->append + 1 > last)
            fail_msg("seed %llu: append %u is there, its note is not (%d)",
                     (unsigned long long)w->seed, r->append, (int)last);
        if (r->append + 1 == last && !there[i] && !r->deleted && !r->perhaps)
            fail_msg("seed %llu: the note of append %u is there, its rows are not",
                     (unsigned long long)w->seed, r->append);
    }
    assert_int_equal(store_event_notes(w->store, SLICE("reader/once"), arena, &notes, &count, NULL),
                     0);
    assert_int_equal(count, last && last % 3);
    arena_free(arena);
}

static void check(struct world *w)
{
    struct store_event_source *src = store_events(w->store, w->model.table);
    struct store_event_scan all = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .order = STORE_EVENT_NEWEST_FIRST,
        .all_fields = true};
    struct store_event_cursor *cur;
    struct store_event_chunk c = {0};
    struct diag d;
    diag_init(&d);
    uint8_t *there = mem_calloc(w->model.rows.len + 1, 1);
    assert_int_equal(src->ops->scan(src, &all, &cur, &d), 0);
    do {
        if (src->ops->next(cur, &c, &d))
            fail_msg("seed %llu: %s", (unsigned long long)w->seed, d.msg);
        for (size_t i = 0; i < c.count; i++) {
            uint32_t n;
            assert_true(model_number(&c, i, &n) && n < w->model.rows.len);
            if (there[n]++)
                fail_msg("seed %llu: row %u is there twice", (unsigned long long)w->seed, n);
            model_check_row(&w->model, &all, &c, i, &w->model.rows.items[n]);
        }
    } while (c.count);
    src->ops->close(cur);
    store_event_chunk_free(&c);
    check_presence(w, there);
    check_notes(w, there);
    mem_free(there);
}

static void count_files(const char *name, void *ctx)
{
    if (slice_ends_with(slice_cstr(name), SLICE(".events")))
        ++*(size_t *)ctx;
}

static void no_orphans(struct world *w)
{
    size_t files = 0, parts = 0;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        struct store_event_source_stats stats;
        struct store_event_source *src = store_events(w->store, (enum data_event_table)t);
        src->ops->stats(src, &stats);
        parts += stats.parts;
    }
    struct os *os = os_sim_os(w->sim);
    assert_int_equal(os->ops->list(os, "data/events", count_files, &files, NULL), 0);
    if (files != parts)
        fail_msg("seed %llu: %zu files, %zu parts", (unsigned long long)w->seed, files, parts);
}

/* Recovers, possibly crashing again on the way, until it stands. */
static void recover(struct world *w)
{
    for (int attempt = 0;; attempt++) {
        os_sim_restart(w->sim);
        if (attempt < 2 && rnd(w) % 3 == 0)
            os_sim_crash_at(w->sim, 1 + rnd(w) % 6);
        if (!open_store(w))
            break;
        assert_true(attempt < 3);
    }
    os_sim_crash_at(w->sim, 0);
    if (os_sim_is_off(w->sim)) {
        store_close(w->store);
        recover(w);
        return;
    }
    check(w);
    no_orphans(w);
}

/* With the faults over, appends are acknowledged again, without a restart. */
static void goes_on(struct world *w)
{
    struct diag d;
    diag_init(&d);
    os_sim_fail_at(w->sim, 0, 0);
    os_sim_crash_at(w->sim, 0);
    os_sim_set_capacity(w->sim, 0);
    store_sync(w->store); /* idle: finds out that the disk works again */
    if (store_health(w->store, &d))
        fail_msg("seed %llu: still ill: %s", (unsigned long long)w->seed, d.msg);
    size_t before = w->acked;
    append_some(w);
    store_sync(w->store);
    if (w->acked == before)
        fail_msg("seed %llu: no acknowledgement with all faults over", (unsigned long long)w->seed);
}

static void begin(struct world *w, uint64_t seed, uint64_t random)
{
    *w = (struct world){.sim = os_sim_new(seed), .random = random, .seed = seed};
    model_init(&w->model, seed % 3 ? DATA_EVENT_LOGS : DATA_EVENT_SPANS, random);
    os_sim_set_now(w->sim, w->model.now_ns);
}

static void end(struct world *w)
{
    model_deinit(&w->model);
    os_sim_free(w->sim);
}

static void step(struct world *w, uint64_t what)
{
    if (what < 14)
        append_some(w);
    else if (what < 17)
        (void)!store_maintain(w->store, rnd(w) & 1, NULL);
    else if (what == 17 && w->model.rows.len && rnd(w) % 4 == 0)
        delete_some(w);
    else
        check(w);
}

/* Notes alone, without rows: into parts that there are none of, over a restart, and forgotten. */
static void notes_alone(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 4, 4);
    assert_int_equal(open_store(&w), 0);
    for (int round = 0; round < 6; round++) {
        struct arena *arena = arena_new(0, NULL);
        struct data_event_note *notes;
        size_t count;
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
        data_event_batch_note(b, SLICE("files/1"), round < 4 ? SLICE("here") : SLICE(""));
        data_event_batch_note(b, SLICE("journal"), SLICE("there"));
        store_append_events(w.store, b, NULL, NULL);
        data_event_batch_free(b);
        assert_int_equal(store_sync(w.store), 0);
        if (round % 2)
            assert_int_equal(store_maintain(w.store, true, NULL), 0);
        store_close(w.store);
        assert_int_equal(open_store(&w), 0);
        assert_int_equal(store_event_notes(w.store, SLICE("files/"), arena, &notes, &count, NULL),
                         0);
        assert_int_equal(count, round < 4);
        assert_int_equal(store_event_notes(w.store, SLICE(""), arena, &notes, &count, NULL), 0);
        assert_int_equal(count, 1 + (round < 4));
        arena_free(arena);
    }
    store_close(w.store);
    end(&w);
}

static void run_seed(uint64_t seed)
{
    struct world w;
    begin(&w, seed, seed);
    assert_int_equal(open_store(&w), 0);
    for (int i = 0; i < STEPS; i++) {
        uint64_t what = rnd(&w) % 20;
        w.model.now_ns += (int64_t)(rnd(&w) % 40) * NS_PER_SEC;
        os_sim_set_now(w.sim, w.model.now_ns);
        if (what == 0)
            os_sim_crash_at(w.sim, 1 + rnd(&w) % 30);
        else if (what == 1)
            os_sim_fail_at(w.sim, 1 + rnd(&w) % 10, rnd(&w) & 1 ? ERR_IO : ERR_NOSPACE);
        else if (what == 2)
            os_sim_set_capacity(w.sim, rnd(&w) & 1 ? 0 : 4096 + rnd(&w) % 60000);
        step(&w, what);
        if (os_sim_is_off(w.sim)) {
            store_close(w.store);
            recover(&w);
        }
    }
    os_sim_power_off(w.sim);
    store_close(w.store);
    recover(&w);
    goes_on(&w);
    check(&w);
    store_close(w.store);
    end(&w);
}

enum fault { FAULT_CRASH, FAULT_IO, FAULT_NOSPACE, FAULT_COUNT };

/* The same work again and again, the k-th change of the disk failing, for every k there is. */
static void sweep(enum fault fault)
{
    bool met = true;
    uint64_t k = 1;
    for (; met; k++) {
        struct world w;
        begin(&w, k, 99);
        if (fault == FAULT_CRASH)
            os_sim_crash_at(w.sim, k);
        else
            os_sim_fail_at(w.sim, k, fault == FAULT_IO ? ERR_IO : ERR_NOSPACE);
        w.may_fail = true;
        if (open_store(&w)) {
            if (fault == FAULT_CRASH)
                os_sim_restart(w.sim);
            assert_int_equal(open_store(&w), 0); /* one fault, and over */
        }
        for (int i = 0; i < 20 && !os_sim_is_off(w.sim); i++) {
            w.model.now_ns += 10 * NS_PER_SEC;
            os_sim_set_now(w.sim, w.model.now_ns);
            append_some(&w);
            if (i % 3 == 2)
                (void)!store_maintain(w.store, true, NULL);
            if (i == 13 && !os_sim_is_off(w.sim))
                delete_some(&w);
        }
        met = os_sim_is_off(w.sim) || os_sim_changes(w.sim) >= k;
        if (!os_sim_is_off(w.sim)) {
            goes_on(&w);
            check(&w);
        }
        os_sim_power_off(w.sim);
        store_close(w.store);
        recover(&w);
        goes_on(&w);
        store_close(w.store);
        end(&w);
    }
    assert_true(k > 100);
}

static void every_single_fault(void **state)
{
    (void)state;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        sweep((enum fault)fault);
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    const char *only = getenv("PHAROS_SEED"), *count = getenv("PHAROS_SEEDS");
    if (only) {
        run_seed(strtoull(only, NULL, 10));
        return;
    }
    uint64_t seeds = count ? strtoull(count, NULL, 10) : SEEDS_DEFAULT;
    for (uint64_t seed = 0; seed < seeds; seed++)
        run_seed(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_alone),
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(every_single_fault),
    };
    if (!getenv("PHAROS_SEED"))
        log_set_writer(drop_line, NULL); /* recovery has much to say about a thousand crashes */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
