/* The store on a disk that lies: random work, crashes at random moments, and after each recovery a
 * comparison with a model of what was acknowledged. PHAROS_SEEDS=n runs n seeds, PHAROS_SEED=k only
 * k. */
#include "os/sim.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/vec.h"
#include "quiet.h"

#define SEEDS_DEFAULT 4000
#define SERIES        6
#define STEPS         40
#define START_NS      (1700000000 * NS_PER_SEC)

/* Every write of one (series, time) so far; the last acknowledged one and what came after may be
 * read. */
struct write {
    int64_t ts;
    double value;
    bool acked;
    uint32_t number; /* in the order of appending */
};

/* What metadata said of a metric, as often as it did. */
struct told {
    enum data_metric_type type;
    bool acked;
    uint32_t number;
};

struct model {
    VEC(struct write) writes[SERIES];
    VEC(struct told) told;
    uint32_t next_number;
    size_t acked; /* appends */
};

struct world {
    struct os_sim *sim;
    struct store *store;
    struct model model;
    uint64_t random;
    uint64_t seed;
    int64_t now_ns;
    bool may_fail; /* opening */
};

static uint64_t rnd(struct world *w)
{
    return w->random = hash_u64(w->random + 0x9e3779b97f4a7c15);
}

struct ack {
    struct world *world;
    uint32_t first, last; /* write numbers */
    int err;
    bool done;
};

static void on_ack(void *ctx, int err, const struct store_append_result *result)
{
    struct ack *a = ctx;
    (void)result;
    a->err = err;
    a->done = true;
    a->world->model.acked += !err;
    for (int s = 0; !err && s < SERIES; s++) {
        for (size_t i = 0; i < a->world->model.writes[s].len; i++) {
            struct write *w = &a->world->model.writes[s].items[i];
            if (w->number >= a->first && w->number <= a->last)
                w->acked = true;
        }
    }
    for (size_t i = 0; !err && i < a->world->model.told.len; i++) {
        struct told *t = &a->world->model.told.items[i];
        t->acked |= t->number >= a->first && t->number <= a->last;
    }
}

/* What goes with a write follows from its number: whether there is a start timestamp, and whether
 * there is an exemplar. */
static int64_t start_of(const struct write *w)
{
    return w->number % 3 ? w->ts - (int64_t)(w->number % 7) * NS_PER_SEC : 0;
}

static bool has_exemplar(const struct write *w)
{
    return w->number % 4 == 0;
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
    config.retention_ns = INT64_MAX;
    config.future_ns = INT64_MAX;
    config.disk_reserve_bytes = 0;
    config.flush_interval_ns = 600 * NS_PER_SEC;
    int err = store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d);
    if (err && !os_sim_is_off(w->sim) && !w->may_fail)
        fail_msg("seed %llu: open: %s", (unsigned long long)w->seed, d.msg);
    return err;
}

static void add_series(struct data_metric_batch *b, int s, uint32_t *out)
{
    char name[16];
    snprintf(name, sizeof(name), "s%d", s);
    struct data_label labels[] = {{SLICE("__name__"), SLICE("m")}, {SLICE("n"), slice_cstr(name)}};
    *out = data_metric_batch_add_series(b, (struct data_labels){labels, 2});
}

static void append_some(struct world *w)
{
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct ack *a = mem_calloc(1, sizeof(*a));
    *a = (struct ack){.world = w, .first = w->model.next_number};
    int series_count = 1 + (int)(rnd(w) % 3);
    for (int i = 0; i < series_count; i++) {
        int s = (int)(rnd(w) % SERIES);
        uint32_t index;
        add_series(b, s, &index);
        int samples = 1 + (int)(rnd(w) % 4);
        for (int k = 0; k < samples; k++) {
            /* Mostly forward, sometimes late or a second time, sometimes another day. */
            int64_t ts = w->now_ns + (int64_t)(rnd(w) % 8) * NS_PER_SEC;
            if (rnd(w) % 5 == 0)
                ts -= (int64_t)(rnd(w) % 400) * NS_PER_SEC;
            if (rnd(w) % 40 == 0)
                ts -= 86400 * NS_PER_SEC;
            struct write one = {
                .ts = ts, .value = (double)(rnd(w) % 1000) / 4, .number = w->model.next_number++};
            data_metric_batch_add_sample(b, index, one.ts, one.value);
            if (start_of(&one))
                data_metric_batch_set_start(b, start_of(&one));
            if (has_exemplar(&one)) {
                char number[16];
                snprintf(number, sizeof(number), "%u", one.number);
                struct data_label l = {SLICE("number"), slice_cstr(number)};
                data_metric_batch_add_exemplar(b, index, one.ts, one.value,
                                               (struct data_labels){&l, 1});
            }
            vec_push(&w->model.writes[s], one);
        }
    }
    if (rnd(w) % 4 == 0) {
        struct told t = {(enum data_metric_type)(rnd(w) % DATA_METRIC_TYPE_COUNT), false,
                         w->model.next_number++};
        data_metric_batch_add_metadata(b, SLICE("m"), t.type, SLICE("s"), SLICE("help"));
        vec_push(&w->model.told, t);
    }
    a->last = w->model.next_number - 1;
    store_append_metrics(w->store, b, on_ack, a);
    data_metric_batch_free(b);
    if (rnd(w) % 3)
        store_sync(w->store);
    if (a->done)
        mem_free(a);
    else
        (void)!store_sync(w->store), mem_free(a); /* later than the append, but before a is gone */
}

/* Every acknowledged exemplar is there, once, and none that nobody wrote. */
static void check_exemplars(struct world *w, const struct store_select_req *req)
{
    struct store_source *src = store_metrics(w->store);
    struct arena *arena = arena_new(0, NULL);
    struct store_exemplar *found;
    size_t count;
    struct diag d;
    diag_init(&d);
    assert_int_equal(src->ops->exemplars(src, req, arena, &found, &count, &d), 0);
    bool *explained = mem_calloc(count, sizeof(*explained));
    for (int s = 0; s < SERIES; s++) {
        for (size_t i = 0; i < w->model.writes[s].len; i++) {
            const struct write *one = &w->model.writes[s].items[i];
            size_t here = 0;
            for (size_t k = 0; k < count && has_exemplar(one); k++) {
                struct slice n = data_labels_get(found[k].series, SLICE("n"));
                struct slice number = data_labels_get(found[k].labels, SLICE("number"));
                if (n.ptr[1] - '0' != s || strtoull(number.ptr, NULL, 10) != one->number)
                    continue;
                assert_true(found[k].ts_ns == one->ts && found[k].value == one->value);
                explained[k] = true;
                here++;
            }
            if (here > 1 || (has_exemplar(one) && one->acked && !here))
                fail_msg("seed %llu: series %d has %zu exemplars of write %u",
                         (unsigned long long)w->seed, s, here, one->number);
        }
    }
    for (size_t k = 0; k < count; k++)
        assert_true(explained[k]);
    mem_free(explained);
    arena_free(arena);
}

/* The metadata is what was said last, or later than what was acknowledged last. */
static void check_metadata(struct world *w)
{
    struct store_source *src = store_metrics(w->store);
    struct arena *arena = arena_new(0, NULL);
    struct store_metadata *found;
    size_t count, from = 0;
    assert_int_equal(
        src->ops->metadata(src, SLICE("default"), SLICE("m"), arena, &found, &count, NULL), 0);
    for (size_t i = 0; i < w->model.told.len; i++) {
        if (w->model.told.items[i].acked)
            from = i + 1;
    }
    bool fits = !count && !from;
    for (size_t i = from ? from - 1 : 0; i < w->model.told.len && count; i++)
        fits |= w->model.told.items[i].type == found[0].type;
    if (!fits)
        fail_msg("seed %llu: metadata nobody explains", (unsigned long long)w->seed);
    arena_free(arena);
}

static void check(struct world *w)
{
    struct store_source *src = store_metrics(w->store);
    struct store_matcher m = {.op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = SLICE("m")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = 1};
    struct store_selection *sel;
    struct diag d;
    diag_init(&d);
    assert_int_equal(src->ops->select(src, &req, &sel, &d), 0);
    struct store_samples samples = {0};
    bool seen[SERIES] = {false};
    for (size_t i = 0; i < src->ops->selection_count(sel); i++) {
        struct slice n = data_labels_get(src->ops->selection_labels(sel, i), SLICE("n"));
        int s = n.ptr[1] - '0';
        seen[s] = true;
        if (src->ops->selection_read(sel, i, INT64_MIN, INT64_MAX, &samples, &d))
            fail_msg("seed %llu: read: %s", (unsigned long long)w->seed, d.msg);
        for (size_t k = 0; k < samples.count; k++) {
            /* What is read was written, and nothing acknowledged later at that time says otherwise.
             */
            const struct write *found = NULL;
            for (size_t j = 0; j < w->model.writes[s].len; j++) {
                const struct write *one = &w->model.writes[s].items[j];
                if (one->ts != samples.ts[k])
                    continue;
                if (one->value == samples.value[k] &&
                    start_of(one) == (samples.start ? samples.start[k] : 0))
                    found = one;
                else if (one->acked && found)
                    found = NULL;
            }
            if (!found)
                fail_msg("seed %llu: series %d has %g at %lld, which no write explains",
                         (unsigned long long)w->seed, s, samples.value[k],
                         (long long)samples.ts[k]);
            assert_true(k == 0 || samples.ts[k - 1] < samples.ts[k]);
        }
        for (size_t j = 0; j < w->model.writes[s].len; j++) {
            const struct write *one = &w->model.writes[s].items[j];
            bool there = !one->acked;
            for (size_t k = 0; k < samples.count && !there; k++)
                there = samples.ts[k] == one->ts;
            if (!there)
                fail_msg("seed %llu: series %d lost its acknowledged sample at %lld",
                         (unsigned long long)w->seed, s, (long long)one->ts);
        }
    }
    for (int s = 0; s < SERIES; s++) {
        for (size_t j = 0; j < w->model.writes[s].len; j++) {
            if (w->model.writes[s].items[j].acked && !seen[s])
                fail_msg("seed %llu: series %d is gone", (unsigned long long)w->seed, s);
        }
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    check_exemplars(w, &req);
    check_metadata(w);
}

static void count_files(const char *name, void *ctx)
{
    struct slice s = slice_cstr(name);
    if (slice_ends_with(s, SLICE(".part")))
        ++*(size_t *)ctx;
}

static void no_orphans(struct world *w)
{
    struct store_source_stats stats;
    size_t files = 0;
    store_metrics(w->store)->ops->stats(store_metrics(w->store), &stats);
    struct os *os = os_sim_os(w->sim);
    assert_int_equal(os->ops->list(os, "data/parts", count_files, &files, NULL), 0);
    if (files != stats.parts)
        fail_msg("seed %llu: %zu part files, %llu parts", (unsigned long long)w->seed, files,
                 (unsigned long long)stats.parts);
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
    size_t before = w->model.acked;
    append_some(w);
    store_sync(w->store);
    if (w->model.acked == before)
        fail_msg("seed %llu: no acknowledgement with all faults over", (unsigned long long)w->seed);
}

static void end_world(struct world *w)
{
    for (int s = 0; s < SERIES; s++)
        vec_free(&w->model.writes[s]);
    vec_free(&w->model.told);
    os_sim_free(w->sim);
}

static void run_seed(uint64_t seed)
{
    struct world w = {.sim = os_sim_new(seed), .random = seed, .seed = seed, .now_ns = START_NS};
    os_sim_set_now(w.sim, w.now_ns);
    assert_int_equal(open_store(&w), 0);
    for (int step = 0; step < STEPS; step++) {
        uint64_t what = rnd(&w) % 20;
        w.now_ns += (int64_t)(rnd(&w) % 20) * NS_PER_SEC;
        os_sim_set_now(w.sim, w.now_ns);
        if (what == 0 && !os_sim_is_off(w.sim))
            os_sim_crash_at(w.sim, 1 + rnd(&w) % 30);
        else if (what == 1 && !os_sim_is_off(w.sim))
            os_sim_fail_at(w.sim, 1 + rnd(&w) % 10, rnd(&w) & 1 ? ERR_IO : ERR_NOSPACE);
        else if (what == 2 && !os_sim_is_off(w.sim))
            os_sim_set_capacity(w.sim, rnd(&w) & 1 ? 0 : 4096 + rnd(&w) % 30000);
        if (what < 14)
            append_some(&w);
        else if (what < 18)
            (void)!store_maintain(w.store, rnd(&w) & 1, NULL);
        else
            check(&w);
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
    end_world(&w);
}

enum fault { FAULT_CRASH, FAULT_IO, FAULT_NOSPACE, FAULT_COUNT };

/* The same work again and again, the k-th change of the disk failing, for every k there is. */
static void sweep(enum fault fault)
{
    bool met = true;
    uint64_t k = 1;
    for (; met; k++) {
        struct world w = {.sim = os_sim_new(k), .random = 99, .seed = k, .now_ns = START_NS};
        os_sim_set_now(w.sim, w.now_ns);
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
        for (int step = 0; step < 36 && !os_sim_is_off(w.sim); step++) {
            w.now_ns += 10 * NS_PER_SEC;
            os_sim_set_now(w.sim, w.now_ns);
            append_some(&w);
            if (step % 5 == 4)
                (void)!store_maintain(w.store, true, NULL);
            if (step % 7 == 6 && !os_sim_is_off(w.sim))
                check(&w);
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
        end_world(&w);
    }
    assert_true(k > 100);
}

static void every_single_crash(void **state)
{
    (void)state;
    sweep(FAULT_CRASH);
}

static void every_single_io_error(void **state)
{
    (void)state;
    sweep(FAULT_IO);
}

static void every_single_full_disk(void **state)
{
    (void)state;
    sweep(FAULT_NOSPACE);
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
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(every_single_crash),
        cmocka_unit_test(every_single_io_error),
        cmocka_unit_test(every_single_full_disk),
    };
    if (!getenv("PHAROS_SEED"))
        log_set_writer(drop_line, NULL); /* recovery has much to say about a thousand crashes */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
