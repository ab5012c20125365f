/* Events on a disk that lies: random work, crashes at random moments, and after each recovery every
 * acknowledged row is there, once and whole, and of an append that was not acknowledged all rows or
 * none. PHAROS_SEEDS=n runs n seeds, PHAROS_SEED=k only k. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "codec/number.h"
#include "crash.h"
#include "event_model.h"

#define SEEDS_DEFAULT 2000

struct ack {
    struct crash_world *world;
    uint32_t first, last; /* rows */
    bool done;
};

static void on_ack(void *ctx, int err, const struct store_append_result *result)
{
    struct ack *a = ctx;
    (void)result;
    a->done = true;
    a->world->acked += !err;
    struct event_model *m = a->world->model;
    for (uint32_t i = a->first; !err && i < a->last; i++)
        m->rows.items[i].acked = true;
}

static void append_some(struct crash_world *w)
{
    struct event_model *m = w->model;
    struct ack *a = mem_calloc(1, sizeof(*a));
    *a = (struct ack){.world = w, .first = (uint32_t)m->rows.len};
    struct data_event_batch *b = model_batch(m, 6);
    a->last = (uint32_t)m->rows.len;
    /* How far a reader came, with its rows. */
    data_event_batch_note(b, SLICE("reader/a"), arena_printf(b->arena, "%u", m->appends));
    data_event_batch_note(b, SLICE("reader/once"), m->appends % 3 ? SLICE("x") : SLICE(""));
    store_append_events(w->store, b, on_ack, a);
    data_event_batch_free(b);
    /* Later than the append, but before `a` is gone. */
    if (crash_rnd(w) % 3 || !a->done)
        (void)!store_sync(w->store);
    mem_free(a);
}

static void delete_some(struct crash_world *w)
{
    struct event_model *m = w->model;
    struct store_event_scan s = model_scan(m);
    int err = store_delete_events(w->store, m->table, &s, NULL, NULL);
    for (size_t i = 0; i < m->rows.len; i++) {
        struct model_row *r = &m->rows.items[i];
        if (!model_selects(m, r, &s))
            continue;
        r->deleted |= !err;
        r->perhaps |= err != 0;
    }
}

static void check_presence(struct crash_world *w, const uint8_t *there)
{
    struct event_model *m = w->model;
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
static void check_notes(struct crash_world *w, const uint8_t *there)
{
    struct event_model *m = w->model;
    struct arena *arena = arena_new(0, NULL);
    struct data_event_note *notes;
    size_t count;
    int64_t last = 0;
    assert_int_equal(store_event_notes(w->store, SLICE("reader/a"), arena, &notes, &count, NULL),
                     0);
    assert_true(count <= 1);
    if (count)
        assert_true(codec_text_to_int(notes[0].value, &last));
    for (size_t i = 0; i < m->rows.len; i++) {
        const struct model_row *r = &m->rows.items[i];
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

static void check(struct crash_world *w)
{
    struct event_model *m = w->model;
    struct store_event_source *src = store_events(w->store, m->table);
    struct store_event_scan all = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .order = STORE_EVENT_NEWEST_FIRST,
        .all_fields = true};
    struct store_event_cursor *cur;
    struct store_event_chunk c = {0};
    struct diag d;
    diag_init(&d);
    uint8_t *there = mem_calloc(m->rows.len + 1, 1);
    assert_int_equal(src->ops->scan(src, &all, &cur, &d), 0);
    do {
        if (src->ops->next(cur, &c, &d))
            fail_msg("seed %llu: %s", (unsigned long long)w->seed, d.msg);
        for (size_t i = 0; i < c.count; i++) {
            uint32_t n;
            assert_true(model_number(&c, i, &n) && n < m->rows.len);
            if (there[n]++)
                fail_msg("seed %llu: row %u is there twice", (unsigned long long)w->seed, n);
            model_check_row(m, &all, &c, i, &m->rows.items[n]);
        }
    } while (c.count);
    src->ops->close(cur);
    store_event_chunk_free(&c);
    check_presence(w, there);
    check_notes(w, there);
    mem_free(there);
}

static size_t count_parts(struct store *store)
{
    size_t parts = 0;
    for (int t = 0; t < DATA_EVENT_TABLE_COUNT; t++) {
        struct store_event_source_stats stats;
        struct store_event_source *src = store_events(store, (enum data_event_table)t);
        src->ops->stats(src, &stats);
        parts += stats.parts;
    }
    return parts;
}

static void *begin(struct crash_world *w)
{
    struct event_model *m = mem_calloc(1, sizeof(*m));
    model_init(m, w->seed % 3 ? DATA_EVENT_LOGS : DATA_EVENT_SPANS, w->random);
    w->now_ns = m->now_ns;
    return m;
}

static void end(void *model)
{
    model_deinit(model);
    mem_free(model);
}

static void step(struct crash_world *w, uint64_t what)
{
    struct event_model *m = w->model;
    m->now_ns = w->now_ns;
    if (what < 14)
        append_some(w);
    else if (what < 17)
        (void)!store_maintain(w->store, crash_rnd(w) & 1, NULL);
    else if (what == 17 && m->rows.len && crash_rnd(w) % 4 == 0)
        delete_some(w);
    else
        check(w);
}

static void fixed_step(struct crash_world *w, int i)
{
    struct event_model *m = w->model;
    m->now_ns = w->now_ns;
    append_some(w);
    if (i % 3 == 2)
        (void)!store_maintain(w->store, true, NULL);
    if (i == 13 && !os_sim_is_off(w->sim))
        delete_some(w);
}

static const struct crash_work work = {.begin = begin,
                                       .end = end,
                                       .append = append_some,
                                       .check = check,
                                       .step = step,
                                       .fixed_step = fixed_step,
                                       .steps = 24,
                                       .fixed_steps = 20,
                                       .step_seconds = 40,
                                       .capacity_spread = 60000,
                                       .dir = "data/events",
                                       .suffix = ".events",
                                       .parts = count_parts};

/* Notes alone, without rows: into parts that there are none of, over a restart, and forgotten. */
static void notes_alone(void **state)
{
    (void)state;
    struct crash_world w;
    crash_begin(&w, &work, 4, 4);
    assert_int_equal(crash_open(&w), 0);
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
        assert_int_equal(crash_open(&w), 0);
        assert_int_equal(store_event_notes(w.store, SLICE("files/"), arena, &notes, &count, NULL),
                         0);
        assert_int_equal(count, round < 4);
        assert_int_equal(store_event_notes(w.store, SLICE(""), arena, &notes, &count, NULL), 0);
        assert_int_equal(count, 1 + (round < 4));
        arena_free(arena);
    }
    store_close(w.store);
    crash_end(&w);
}

static void every_single_fault(void **state)
{
    (void)state;
    for (int fault = 0; fault < CRASH_FAULTS; fault++)
        crash_sweep(&work, (enum crash_fault)fault);
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    crash_run_seeds(&work, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_alone),
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(every_single_fault),
    };
    crash_be_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
