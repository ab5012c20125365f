/* The write-ahead log by itself: what is told from what, and what a failing disk does to it. */
#include "os/sim.h"
#include "store/wal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "quiet.h"

/* Records are their own number, as text, filled up to a length that depends on it. */
static size_t record(uint32_t number, char *out)
{
    size_t len = 8 + number * 37 % 90;
    memset(out, 'x', len);
    snprintf(out, 8, "%07u", number);
    return len;
}

struct log {
    struct store_wal *wal;
    struct store_wal_replay replay;
    VEC(uint32_t) seen;
    VEC(int) acks;
};

static int on_record(enum store_wal_type type, uint64_t segment, struct slice payload, void *ctx)
{
    struct log *l = ctx;
    char want[128];
    (void)segment;
    assert_int_equal(type, STORE_WAL_SAMPLES);
    assert_true(payload.len >= 8);
    uint32_t number = (uint32_t)strtoul(payload.ptr, NULL, 10);
    assert_int_equal(payload.len, record(number, want));
    assert_memory_equal(payload.ptr, want, payload.len);
    vec_push(&l->seen, number);
    return 0;
}

static int open_log(struct log *l, struct os *os, const char *dir, bool sync, bool thread)
{
    struct store_wal_config config = {.dir = dir, .sync = sync, .thread = thread};
    struct diag d;
    diag_init(&d);
    vec_clear(&l->seen);
    return store_wal_open(os, &config, 0, on_record, l, &l->wal, &l->replay, &d);
}

static void on_ack(void *ctx, int err)
{
    struct log *l = ctx;
    vec_push(&l->acks, err);
}

static int append(struct log *l, uint32_t number)
{
    char bytes[128];
    size_t len = record(number, bytes);
    return store_wal_append(l->wal, store_wal_segment(l->wal), STORE_WAL_SAMPLES,
                            slice_make(bytes, len), on_ack, l);
}

static void forget(struct log *l)
{
    vec_free(&l->seen);
    vec_free(&l->acks);
}

static int last_ack(const struct log *l)
{
    return l->acks.len ? l->acks.items[l->acks.len - 1] : 1;
}

/* Every flip of one byte: each record that is missing is reported; none comes wrong or twice. In a
 * segment that has a successor all damage is told from a torn tail. */
static void every_flipped_byte_is_noticed(void **state)
{
    (void)state;
    const char *paths[] = {"wal/0000000000000000.wal", "wal/0000000000000001.wal"};
    for (int which = 0; which < 2; which++) {
        for (uint64_t byte = 0;; byte++) {
            struct os_sim *sim = os_sim_new(1);
            struct os *os = os_sim_os(sim);
            struct log l = {0};
            os->ops->mkdir(os, "wal", NULL);
            assert_int_equal(open_log(&l, os, "wal", true, false), 0);
            for (uint32_t i = 0; i < 6; i++) {
                assert_int_equal(append(&l, i), 0);
                if (i % 2)
                    assert_int_equal(store_wal_flush(l.wal), 0);
                if (i == 3)
                    store_wal_rotate(l.wal);
            }
            store_wal_close(l.wal);
            bool flipped = os_sim_flip(sim, paths[which], byte, byte % 8);
            assert_int_equal(open_log(&l, os, "wal", true, false), 0);
            for (size_t i = 1; i < l.seen.len; i++)
                assert_true(l.seen.items[i - 1] < l.seen.items[i]);
            assert_true(l.seen.len + 1 >= 6 || !flipped);
            if (l.seen.len < 6)
                assert_true(l.replay.corrupt_bytes || (which == 1 && l.replay.torn_bytes));
            char aside[64];
            struct os_stat st;
            snprintf(aside, sizeof(aside), "%s.corrupt", paths[which]);
            assert_int_equal(l.replay.corrupt_segments, l.replay.corrupt_bytes ? 1 : 0);
            assert_int_equal(os->ops->stat(os, aside, &st, NULL),
                             l.replay.corrupt_bytes ? 0 : ERR_NOT_FOUND);
            if (!flipped) {
                assert_int_equal(l.seen.len, 6);
                assert_int_equal(l.replay.corrupt_bytes + l.replay.torn_bytes, 0);
            }
            store_wal_close(l.wal);
            forget(&l);
            os_sim_free(sim);
            if (!flipped)
                break;
        }
    }
}

/* Cut at every length: what is whole comes, the rest is torn in the last segment and damage in one
 * whose successor knows better. */
static void every_cut_is_told(void **state)
{
    (void)state;
    for (int rotated = 0; rotated < 2; rotated++) {
        for (uint64_t size = 0;; size++) {
            struct os_sim *sim = os_sim_new(2);
            struct os *os = os_sim_os(sim);
            struct log l = {0};
            os->ops->mkdir(os, "wal", NULL);
            assert_int_equal(open_log(&l, os, "wal", true, false), 0);
            for (uint32_t i = 0; i < 3; i++) {
                append(&l, i);
                store_wal_flush(l.wal);
            }
            if (rotated) {
                store_wal_rotate(l.wal);
                append(&l, 3);
                store_wal_flush(l.wal);
            }
            store_wal_close(l.wal);
            struct os_file *f;
            uint64_t full;
            assert_int_equal(
                os->ops->open(os, "wal/0000000000000000.wal", OS_READ | OS_WRITE, &f, NULL), 0);
            os->ops->size(f, &full, NULL);
            os->ops->truncate(f, MIN(size, full), NULL);
            os->ops->close(f);
            assert_int_equal(open_log(&l, os, "wal", true, false), 0);
            if (size < full && rotated)
                assert_true(l.replay.corrupt_bytes && l.seen.items[l.seen.len - 1] == 3);
            else
                assert_int_equal(l.replay.corrupt_bytes, 0);
            for (size_t i = 0; i + (size_t)rotated < l.seen.len; i++)
                assert_int_equal(l.seen.items[i], i);
            store_wal_close(l.wal);
            forget(&l);
            os_sim_free(sim);
            if (size >= full)
                break;
        }
    }
}

/* A group torn by a crash is never called damage, whichever of its sectors survived. */
static void a_torn_group_is_not_damage(void **state)
{
    (void)state;
    bool torn = false;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct os_sim *sim = os_sim_new(seed);
        struct os *os = os_sim_os(sim);
        struct log l = {0};
        os->ops->mkdir(os, "wal", NULL);
        assert_int_equal(open_log(&l, os, "wal", true, false), 0);
        append(&l, 0);
        assert_int_equal(store_wal_flush(l.wal), 0);
        os_sim_crash_at(sim, 2); /* the write is done, the sync is not */
        for (uint32_t i = 1; i < 40; i++)
            append(&l, i);
        assert_int_equal(store_wal_flush(l.wal), ERR_IO);
        assert_int_equal(l.acks.len, 40);
        store_wal_close(l.wal);
        os_sim_restart(sim);
        assert_int_equal(open_log(&l, os, "wal", true, false), 0);
        assert_int_equal(l.replay.corrupt_segments, 0);
        assert_true(l.seen.len >= 1 && l.seen.items[0] == 0);
        torn |= l.replay.torn_bytes > 0;
        store_wal_close(l.wal);
        forget(&l);
        os_sim_free(sim);
    }
    assert_true(torn);
}

/* After each single failure: what was acknowledged stays, the next append goes through. */
static void one_failure_costs_one_group(void **state)
{
    (void)state;
    for (int sync = 0; sync < 2; sync++) {
        for (uint64_t k = 1; k < 14; k++) {
            struct os_sim *sim = os_sim_new(k);
            struct os *os = os_sim_os(sim);
            struct log l = {0};
            os->ops->mkdir(os, "wal", NULL);
            assert_int_equal(open_log(&l, os, "wal", sync, false), 0);
            os_sim_fail_at(sim, k, k & 1 ? ERR_IO : ERR_NOSPACE);
            bool acked[8] = {false};
            int failures = 0;
            for (uint32_t i = 0; i < 8; i++) {
                assert_int_equal(append(&l, i), 0);
                int err = store_wal_flush(l.wal);
                assert_int_equal(last_ack(&l), err);
                acked[i] = !err;
                failures += err != 0;
                struct diag d;
                diag_init(&d);
                assert_int_equal(store_wal_health(l.wal, &d), err);
            }
            assert_in_range(failures, 0, 1);
            assert_true(acked[7] || k > 8);
            os_sim_fail_at(sim, 0, 0);
            store_wal_close(l.wal);
            if (sync) { /* written but not synced survives kill -9, and no more is promised */
                os_sim_power_off(sim);
                os_sim_restart(sim);
            }
            assert_int_equal(open_log(&l, os, "wal", sync, false), 0);
            assert_int_equal(l.replay.corrupt_segments, 0);
            for (uint32_t i = 0; i < 8; i++) {
                bool there = false;
                for (size_t j = 0; j < l.seen.len; j++)
                    there |= l.seen.items[j] == i;
                assert_true(there || !acked[i]);
            }
            store_wal_close(l.wal);
            forget(&l);
            os_sim_free(sim);
        }
    }
}

static void count_name(const char *name, void *ctx)
{
    (void)name;
    ++*(size_t *)ctx;
}

/* A full disk: clear refusals, no pile of empty segments, and back by itself. */
static void a_full_disk_passes(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(3);
    struct os *os = os_sim_os(sim);
    struct log l = {0};
    struct diag d;
    size_t files = 0;
    diag_init(&d);
    os->ops->mkdir(os, "wal", NULL);
    assert_int_equal(open_log(&l, os, "wal", true, false), 0);
    append(&l, 0);
    assert_int_equal(store_wal_flush(l.wal), 0);
    os_sim_set_capacity(sim, 1100);
    for (uint32_t i = 1; i < 50; i++) {
        append(&l, i);
        assert_int_equal(store_wal_flush(l.wal), ERR_NOSPACE);
        assert_int_equal(last_ack(&l), ERR_NOSPACE);
        store_wal_flush(l.wal); /* idle: tries, in vain */
    }
    assert_int_equal(store_wal_health(l.wal, &d), ERR_NOSPACE);
    os->ops->list(os, "wal", count_name, &files, NULL);
    assert_int_equal(files, 1);
    os_sim_set_capacity(sim, 0);
    store_wal_flush(l.wal);
    assert_int_equal(store_wal_health(l.wal, NULL), 0);
    append(&l, 50);
    assert_int_equal(store_wal_flush(l.wal), 0);
    store_wal_close(l.wal);
    assert_int_equal(open_log(&l, os, "wal", true, false), 0);
    assert_int_equal(l.seen.len, 2);
    assert_int_equal(l.seen.items[1], 50);
    assert_int_equal(l.replay.corrupt_segments, 0);
    store_wal_close(l.wal);
    forget(&l);
    os_sim_free(sim);
}

/* Groups staged for a segment that failed meanwhile must not overwrite its file. */
static void a_failed_segment_is_not_begun_again(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 2; k++) {
        struct os_sim *sim = os_sim_new(4);
        struct os *os = os_sim_os(sim);
        struct log l = {0};
        os->ops->mkdir(os, "wal", NULL);
        assert_int_equal(open_log(&l, os, "wal", true, false), 0);
        append(&l, 0);
        assert_int_equal(store_wal_flush(l.wal), 0);
        append(&l, 1);
        store_wal_rotate(l.wal);
        append(&l, 2);
        os_sim_fail_at(sim, k, ERR_IO);
        assert_int_equal(store_wal_flush(l.wal), ERR_IO);
        assert_int_equal(last_ack(&l), 0);
        store_wal_close(l.wal);
        assert_int_equal(open_log(&l, os, "wal", true, false), 0);
        assert_true(l.seen.len >= 2 && l.seen.items[0] == 0);
        assert_int_equal(l.seen.items[l.seen.len - 1], 2);
        store_wal_close(l.wal);
        forget(&l);
        os_sim_free(sim);
    }
}

/* What comes in while a group is written is the next group of the same segment; the writing may
 * fail after a flush has begun another segment. */
static struct {
    const struct os_ops *real;
    struct log *log;
    int writes;
} hook;

static int write_and_append(struct os_file *f, uint64_t offset, const void *src, size_t len,
                            struct diag *diag)
{
    if (++hook.writes == 1) {
        append(hook.log, 2);
        store_wal_rotate(hook.log->wal);
        append(hook.log, 3);
        return diag_set(diag, ERR_IO, "made to fail");
    }
    return hook.real->write_at(f, offset, src, len, diag);
}

static void what_is_staged_behind_a_failure_overwrites_nothing(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(6);
    struct os *os = os_sim_os(sim);
    struct log l = {0};
    os->ops->mkdir(os, "wal", NULL);
    assert_int_equal(open_log(&l, os, "wal", true, false), 0);
    append(&l, 0);
    assert_int_equal(store_wal_flush(l.wal), 0);
    struct os_ops ops = *os->ops;
    hook.real = os->ops;
    hook.log = &l;
    hook.writes = 0;
    ops.write_at = write_and_append;
    os->ops = &ops;
    append(&l, 1);
    assert_int_equal(store_wal_flush(l.wal), ERR_IO);
    os->ops = hook.real;
    assert_int_equal(l.acks.len, 4);
    size_t failed = 0; /* 1 and 2; 3 went to the next segment */
    for (size_t i = 0; i < l.acks.len; i++)
        failed += l.acks.items[i] == ERR_IO;
    assert_int_equal(failed, 2);
    assert_int_equal(last_ack(&l), 0);
    store_wal_close(l.wal);
    assert_int_equal(open_log(&l, os, "wal", true, false), 0);
    assert_int_equal(l.seen.len, 2);
    assert_int_equal(l.seen.items[0], 0);
    assert_int_equal(l.seen.items[1], 3);
    assert_int_equal(l.replay.corrupt_segments, 0);
    store_wal_close(l.wal);
    forget(&l);
    os_sim_free(sim);
}

/* --- with the writer's thread --- */

#define THREADS    4
#define PER_THREAD 500

struct appender {
    struct store_wal *wal;
    uint32_t first;
    _Atomic uint32_t *acked;
};

static void count_ack(void *ctx, int err)
{
    if (!err)
        atomic_fetch_add((_Atomic uint32_t *)ctx, 1);
}

static void *append_many(void *arg)
{
    struct appender *a = arg;
    char bytes[128];
    for (uint32_t i = 0; i < PER_THREAD; i++) {
        size_t len = record(a->first + i, bytes);
        while (store_wal_append(a->wal, store_wal_segment(a->wal), STORE_WAL_SAMPLES,
                                slice_make(bytes, len), count_ack, a->acked) == ERR_AGAIN) {
        }
    }
    return NULL;
}

static void threads_share_groups(void **state)
{
    (void)state;
    char dir[] = "/tmp/pharos-wal-XXXXXX", command[64];
    assert_non_null(mkdtemp(dir));
    for (int sync = 0; sync < 2; sync++) {
        struct log l = {0};
        _Atomic uint32_t acked = 0;
        pthread_t threads[THREADS];
        struct appender appenders[THREADS];
        assert_int_equal(open_log(&l, os_real(), dir, sync, true), 0);
        size_t before = l.seen.len;
        for (uint32_t i = 0; i < THREADS; i++) {
            appenders[i] = (struct appender){l.wal, i * PER_THREAD, &acked};
            assert_int_equal(pthread_create(&threads[i], NULL, append_many, &appenders[i]), 0);
        }
        store_wal_rotate(l.wal);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        store_wal_close(l.wal);
        assert_int_equal(acked, THREADS * PER_THREAD);
        assert_int_equal(open_log(&l, os_real(), dir, sync, false), 0);
        assert_int_equal(l.seen.len, before + THREADS * PER_THREAD);
        assert_int_equal(l.replay.corrupt_segments + l.replay.torn_bytes, 0);
        store_wal_close(l.wal);
        forget(&l);
    }
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

static void note_ack(void *ctx, int err)
{
    atomic_store((_Atomic int *)ctx, err);
}

/* Waits until the atomic is not `from` any more; fails after a minute. */
static void wait_change(_Atomic int *value, int from)
{
    for (int i = 0; i < 60000 && atomic_load(value) == from; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_not_equal(atomic_load(value), from);
}

/* With nobody appending, the thread itself finds out that the disk works again. */
static void the_thread_recovers_by_itself(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(5);
    struct os *os = os_sim_os(sim);
    struct log l = {0};
    _Atomic int acked = 1;
    os->ops->mkdir(os, "wal", NULL);
    assert_int_equal(open_log(&l, os, "wal", true, true), 0);
    os_sim_fail_at(sim, 1, ERR_IO);
    assert_int_equal(
        store_wal_append(l.wal, 0, STORE_WAL_SAMPLES, SLICE("0000000x"), note_ack, &acked), 0);
    wait_change(&acked, 1);
    assert_int_equal(acked, ERR_IO);
    int i = 0;
    while (store_wal_health(l.wal, NULL) && i++ < 60000)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    assert_int_equal(store_wal_health(l.wal, NULL), 0);
    store_wal_close(l.wal);
    forget(&l);
    os_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(every_cut_is_told),
        cmocka_unit_test(a_torn_group_is_not_damage),
        cmocka_unit_test(one_failure_costs_one_group),
        cmocka_unit_test(a_full_disk_passes),
        cmocka_unit_test(a_failed_segment_is_not_begun_again),
        cmocka_unit_test(what_is_staged_behind_a_failure_overwrites_nothing),
        cmocka_unit_test(threads_share_groups),
        cmocka_unit_test(the_thread_recovers_by_itself),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
