/* The queue on the disk: over crashes at every change of a simulated disk, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "os/sim.h"
#include "output/output_priv.h"

struct found {
    size_t first, next; /* numbers of payloads that came, in a row */
    size_t count;
    struct output__place last;
    size_t losses[OUTPUT__SPOOL_LOSSES];
    struct output__spool *spool;
};

static void each(void *ctx, struct output__place at, size_t samples, int64_t made_ns)
{
    struct found *f = ctx;
    size_t number = (size_t)made_ns;
    assert_int_equal(samples, number % 7 + 1);
    if (f->count++)
        assert_int_equal(number, f->next); /* none is left out in between */
    else
        f->first = number;
    f->next = number + 1;
    f->last = at;
}

/* What it says and how long it is tell which one it is. */
static void make(size_t number, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "payload %zu ", number);
    for (size_t i = 0; i < number * 37 % 300; i++)
        buf_append_char(out, (char)('a' + (number + i) % 26));
}

static struct output__spool *reopen(struct os_sim *sim, const char *identity, struct found *f)
{
    *f = (struct found){0};
    f->spool = output__spool_open(os_sim_os(sim), "data/outputs", "an output/", identity, each, f,
                                  f->losses);
    return f->spool;
}

/* Writes and takes out until the power goes; then what was synced and not done is there, in order,
 * and reads as it was. */
static void crash(uint64_t seed, uint64_t at, uint64_t *out_changes)
{
    struct os_sim *sim = os_sim_new(seed);
    struct output__place places[64] = {{0}};
    struct buf b = {0}, want = {0};
    struct found f;
    size_t made = 0, synced = 0, done = 0, saved_done = 0;
    if (at)
        os_sim_crash_at(sim, at);
    struct output__spool *s = reopen(sim, "settings", &f);
    for (int turn = 0; turn < 12 && !os_sim_is_off(sim); turn++) {
        int err = 0;
        for (int i = 0; i < 5 && !err; i++) {
            make(made, &b);
            err = output__spool_append(s, buf_slice(&b), made % 7 + 1, (int64_t)made, &places[made],
                                       NULL);
            made += !err;
        }
        if (!err && !output__spool_sync(s, NULL))
            synced = made;
        for (int i = 0; i < 3 + turn % 3 && done < synced; i++)
            output__spool_release(s, places[done++]);
        if (done < synced && !os_sim_is_off(sim) && !output__spool_tidy(s, &places[done], NULL))
            saved_done = done;
    }
    *out_changes = os_sim_changes(sim);
    output__spool_close(s);
    if (!os_sim_is_off(sim))
        os_sim_power_off(sim);
    os_sim_restart(sim);
    s = reopen(sim, "settings", &f);
    if (synced > done) {
        assert_true(f.count > 0);
        assert_true(f.first <= done); /* nothing that waits is lost */
        assert_true(f.next >= synced);
    }
    if (f.count && f.first < saved_done) /* nothing comes again that was noted as done */
        fail_msg("seed %d at %d first %zu saved %zu done %zu synced %zu count %zu", (int)seed,
                 (int)at, f.first, saved_done, done, synced, f.count);
    if (f.count) {
        make(f.next - 1, &want);
        assert_int_equal(output__spool_read(s, f.last, &b, NULL), 0);
        assert_true(slice_eq(buf_slice(&b), buf_slice(&want)));
    }
    /* It can be written again. */
    struct output__place place;
    make(f.next, &b);
    assert_int_equal(
        output__spool_append(s, buf_slice(&b), f.next % 7 + 1, (int64_t)f.next, &place, NULL), 0);
    assert_int_equal(output__spool_sync(s, NULL), 0);
    output__spool_close(s);
    size_t before = f.count;
    s = reopen(sim, "settings", &f);
    assert_int_equal(f.count, before + 1);
    output__spool_close(s);
    os_sim_free(sim);
    buf_deinit(&b);
    buf_deinit(&want);
}

static void what_was_synced_survives(void **state)
{
    uint64_t changes;
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        crash(seed, 0, &changes);
        assert_true(changes > 30);
        for (uint64_t at = 1; at <= changes; at++) {
            uint64_t ignored;
            crash(seed, at, &ignored);
        }
    }
}

static void damage_is_left_out(void **state)
{
    struct os_sim *sim = os_sim_new(5);
    struct output__place places[3];
    struct buf b = {0};
    struct found f;
    (void)state;
    struct output__spool *s = reopen(sim, "settings", &f);
    for (size_t i = 0; i < 3; i++) {
        make(i, &b);
        assert_int_equal(
            output__spool_append(s, buf_slice(&b), i % 7 + 1, (int64_t)i, &places[i], NULL), 0);
    }
    assert_int_equal(output__spool_sync(s, NULL), 0);
    assert_true(os_sim_flip(sim, "data/outputs/an%20output%2F/0000000000000001.seg",
                            places[1].offset + 25, 3));
    assert_int_equal(output__spool_read(s, places[0], &b, NULL), 0);
    assert_int_equal(output__spool_read(s, places[1], &b, NULL), ERR_CORRUPT);
    output__spool_close(s);
    s = reopen(sim, "settings", &f);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.losses[OUTPUT__SPOOL_DAMAGED], 1);
    /* Where what is damaged is done, it loses nothing. */
    assert_int_equal(output__spool_tidy(s, &places[2], NULL), 0);
    output__spool_close(s);
    s = reopen(sim, "settings", &f);
    assert_int_equal(f.count, 1);
    assert_int_equal(f.first, 2);
    assert_int_equal(f.losses[OUTPUT__SPOOL_DAMAGED], 0);
    output__spool_close(s);
    s = reopen(sim, "other settings", &f);
    assert_int_equal(f.count, 0);
    assert_int_equal(f.losses[OUTPUT__SPOOL_OTHER_SETTINGS], 1);
    assert_int_equal(output__spool_tidy(s, NULL, NULL), 0); /* and the file goes */
    output__spool_close(s);
    s = reopen(sim, "settings", &f);
    assert_int_equal(f.count, 0);
    output__spool_close(s);
    os_sim_free(sim);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_survives),
        cmocka_unit_test(damage_is_left_out),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
