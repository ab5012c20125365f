#include "crash.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "quiet.h"

uint64_t crash_rnd(struct crash_world *w)
{
    return w->random = hash_u64(w->random + 0x9e3779b97f4a7c15);
}

static void pass_time(struct crash_world *w, int64_t ns)
{
    w->now_ns += ns;
    os_sim_set_now(w->sim, w->now_ns);
}

void crash_begin(struct crash_world *w, const struct crash_work *work, uint64_t seed,
                 uint64_t random)
{
    *w =
        (struct crash_world){.work = work, .sim = os_sim_new(seed), .random = random, .seed = seed};
    store_config_init(&w->config);
    w->config.dir = "data";
    w->config.background = false;
    w->config.shard_count = 2;
    w->config.retention_ns = w->config.retention_logs_ns = w->config.retention_spans_ns = INT64_MAX;
    w->config.future_ns = INT64_MAX;
    w->config.disk_reserve_bytes = 0;
    w->model = work->begin(w);
    pass_time(w, 0);
}

void crash_end(struct crash_world *w)
{
    w->work->end(w->model);
    os_sim_free(w->sim);
}

int crash_open(struct crash_world *w)
{
    struct diag d;
    diag_init(&d);
    int err = store_open(&w->config, os_sim_os(w->sim), NULL, &w->store, &d);
    if (err && !os_sim_is_off(w->sim) && !w->may_fail)
        fail_msg("seed %llu: open: %s", (unsigned long long)w->seed, d.msg);
    return err;
}

struct files {
    struct slice suffix;
    size_t count;
};

static void count_file(const char *name, void *ctx)
{
    struct files *files = ctx;
    files->count += slice_ends_with(slice_cstr(name), files->suffix);
}

static void no_orphans(struct crash_world *w)
{
    struct files files = {slice_cstr(w->work->suffix), 0};
    struct os *os = os_sim_os(w->sim);
    size_t parts = w->work->parts(w->store);
    assert_int_equal(os->ops->list(os, w->work->dir, count_file, &files, NULL), 0);
    if (files.count != parts)
        fail_msg("seed %llu: %zu files of parts, %zu parts", (unsigned long long)w->seed,
                 files.count, parts);
}

/* Recovers, possibly crashing again on the way, until it stands. */
static void recover(struct crash_world *w)
{
    for (int attempt = 0;; attempt++) {
        os_sim_restart(w->sim);
        if (attempt < 2 && crash_rnd(w) % 3 == 0)
            os_sim_crash_at(w->sim, 1 + crash_rnd(w) % 6);
        if (!crash_open(w))
            break;
        assert_true(attempt < 3);
    }
    os_sim_crash_at(w->sim, 0);
    if (os_sim_is_off(w->sim)) {
        store_close(w->store);
        recover(w);
        return;
    }
    w->work->check(w);
    no_orphans(w);
}

/* With the faults over, appends are acknowledged again, without a restart. */
static void goes_on(struct crash_world *w)
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
    w->work->append(w);
    store_sync(w->store);
    if (w->acked == before)
        fail_msg("seed %llu: no acknowledgement with all faults over", (unsigned long long)w->seed);
}

static void power_off_and_on(struct crash_world *w)
{
    os_sim_power_off(w->sim);
    store_close(w->store);
    recover(w);
    goes_on(w);
}

static void run_seed(const struct crash_work *work, uint64_t seed)
{
    struct crash_world w;
    crash_begin(&w, work, seed, seed);
    assert_int_equal(crash_open(&w), 0);
    for (int i = 0; i < work->steps; i++) {
        uint64_t what = crash_rnd(&w) % 20;
        pass_time(&w, (int64_t)(crash_rnd(&w) % work->step_seconds) * NS_PER_SEC);
        if (what == 0)
            os_sim_crash_at(w.sim, 1 + crash_rnd(&w) % 30);
        else if (what == 1)
            os_sim_fail_at(w.sim, 1 + crash_rnd(&w) % 10, crash_rnd(&w) & 1 ? ERR_IO : ERR_NOSPACE);
        else if (what == 2)
            os_sim_set_capacity(
                w.sim, crash_rnd(&w) & 1 ? 0 : 4096 + crash_rnd(&w) % work->capacity_spread);
        work->step(&w, what);
        if (os_sim_is_off(w.sim)) {
            store_close(w.store);
            recover(&w);
        }
    }
    power_off_and_on(&w);
    work->check(&w);
    store_close(w.store);
    crash_end(&w);
}

void crash_run_seeds(const struct crash_work *work, uint64_t seeds_default)
{
    const char *only = getenv("PHAROS_SEED"), *count = getenv("PHAROS_SEEDS");
    if (only) {
        run_seed(work, strtoull(only, NULL, 10));
        return;
    }
    uint64_t seeds = count ? strtoull(count, NULL, 10) : seeds_default;
    for (uint64_t seed = 0; seed < seeds; seed++)
        run_seed(work, seed);
}

void crash_sweep(const struct crash_work *work, enum crash_fault fault)
{
    bool met = true;
    uint64_t k = 1;
    for (; met; k++) {
        struct crash_world w;
        crash_begin(&w, work, k, 99);
        if (fault == CRASH_OFF)
            os_sim_crash_at(w.sim, k);
        else
            os_sim_fail_at(w.sim, k, fault == CRASH_IO ? ERR_IO : ERR_NOSPACE);
        w.may_fail = true;
        if (crash_open(&w)) {
            if (fault == CRASH_OFF)
                os_sim_restart(w.sim);
            assert_int_equal(crash_open(&w), 0); /* one fault, and over */
        }
        for (int i = 0; i < work->fixed_steps && !os_sim_is_off(w.sim); i++) {
            pass_time(&w, 10 * NS_PER_SEC);
            work->fixed_step(&w, i);
        }
        met = os_sim_is_off(w.sim) || os_sim_changes(w.sim) >= k;
        if (!os_sim_is_off(w.sim)) {
            goes_on(&w);
            work->check(&w);
        }
        power_off_and_on(&w);
        store_close(w.store);
        crash_end(&w);
    }
    assert_true(k > 100);
}

void crash_be_quiet(void)
{
    if (!getenv("PHAROS_SEED"))
        log_set_writer(drop_line, NULL);
}
