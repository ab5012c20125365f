/* The store on a disk that lies: random work, crashes at random moments, and after each recovery a
 * comparison with a model of what was acknowledged. PHAROS_SEEDS=n runs n seeds, PHAROS_SEED=k only
 * k. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/vec.h"
#include "crash.h"

#define SEEDS_DEFAULT 4000
#define SERIES        6
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
};

struct ack {
    struct crash_world *world;
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
    a->world->acked += !err;
    struct model *m = a->world->model;
    for (int s = 0; !err && s < SERIES; s++) {
        for (size_t i = 0; i < m->writes[s].len; i++) {
            struct write *w = &m->writes[s].items[i];
            if (w->number >= a->first && w->number <= a->last)
                w->acked = true;
        }
    }
    for (size_t i = 0; !err && i < m->told.len; i++) {
        struct told *t = &m->told.items[i];
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

static void add_series(struct data_metric_batch *b, int s, uint32_t *out)
{
    char name[16];
    snprintf(name, sizeof(name), "s%d", s);
    struct data_label labels[] = {{SLICE("__name__"), SLICE("m")}, {SLICE("n"), slice_cstr(name)}};
    *out = data_metric_batch_add_series(b, (struct data_labels){labels, 2});
}

static void append_some(struct crash_world *w)
{
    struct model *m = w->model;
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct ack *a = mem_calloc(1, sizeof(*a));
    *a = (struct ack){.world = w, .first = m->next_number};
    int series_count = 1 + (int)(crash_rnd(w) % 3);
    for (int i = 0; i < series_count; i++) {
        int s = (int)(crash_rnd(w) % SERIES);
        uint32_t index;
        add_series(b, s, &index);
        int samples = 1 + (int)(crash_rnd(w) % 4);
        for (int k = 0; k < samples; k++) {
            /* Mostly forward, sometimes late or a second time, sometimes another day. */
            int64_t ts = w->now_ns + (int64_t)(crash_rnd(w) % 8) * NS_PER_SEC;
            if (crash_rnd(w) % 5 == 0)
                ts -= (int64_t)(crash_rnd(w) % 400) * NS_PER_SEC;
            if (crash_rnd(w) % 40 == 0)
                ts -= 86400 * NS_PER_SEC;
            struct write one = {
                .ts = ts, .value = (double)(crash_rnd(w) % 1000) / 4, .number = m->next_number++};
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
            vec_push(&m->writes[s], one);
        }
    }
    if (crash_rnd(w) % 4 == 0) {
        struct told t = {(enum data_metric_type)(crash_rnd(w) % DATA_METRIC_TYPE_COUNT), false,
                         m->next_number++};
        data_metric_batch_add_metadata(b, SLICE("m"), t.type, SLICE("s"), SLICE("help"));
        vec_push(&m->told, t);
    }
    a->last = m->next_number - 1;
    store_append_metrics(w->store, b, on_ack, a);
    data_metric_batch_free(b);
    if (crash_rnd(w) % 3)
        store_sync(w->store);
    if (a->done)
        mem_free(a);
    else
        (void)!store_sync(w->store), mem_free(a); /* later than the append, but before a is gone */
}

/* Every acknowledged exemplar is there, once, and none that nobody wrote. */
static void check_exemplars(struct crash_world *w, const struct store_select_req *req)
{
    struct model *m = w->model;
    struct store_source *src = store_metrics(w->store);
    struct arena *arena = arena_new(0, NULL);
    struct store_exemplar *found;
    size_t count;
    struct diag d;
    diag_init(&d);
    assert_int_equal(src->ops->exemplars(src, req, arena, &found, &count, &d), 0);
    bool *explained = mem_calloc(count, sizeof(*explained));
    for (int s = 0; s < SERIES; s++) {
        for (size_t i = 0; i < m->writes[s].len; i++) {
            const struct write *one = &m->writes[s].items[i];
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
static void check_metadata(struct crash_world *w)
{
    struct model *m = w->model;
    struct store_source *src = store_metrics(w->store);
    struct arena *arena = arena_new(0, NULL);
    struct store_metadata *found;
    size_t count, from = 0;
    assert_int_equal(
        src->ops->metadata(src, SLICE("default"), SLICE("m"), arena, &found, &count, NULL), 0);
    for (size_t i = 0; i < m->told.len; i++) {
        if (m->told.items[i].acked)
            from = i + 1;
    }
    bool fits = !count && !from;
    for (size_t i = from ? from - 1 : 0; i < m->told.len && count; i++)
        fits |= m->told.items[i].type == found[0].type;
    if (!fits)
        fail_msg("seed %llu: metadata nobody explains", (unsigned long long)w->seed);
    arena_free(arena);
}

static void check(struct crash_world *w)
{
    struct model *m = w->model;
    struct store_source *src = store_metrics(w->store);
    struct store_matcher metric = {
        .op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = SLICE("m")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &metric,
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
            for (size_t j = 0; j < m->writes[s].len; j++) {
                const struct write *one = &m->writes[s].items[j];
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
        for (size_t j = 0; j < m->writes[s].len; j++) {
            const struct write *one = &m->writes[s].items[j];
            bool there = !one->acked;
            for (size_t k = 0; k < samples.count && !there; k++)
                there = samples.ts[k] == one->ts;
            if (!there)
                fail_msg("seed %llu: series %d lost its acknowledged sample at %lld",
                         (unsigned long long)w->seed, s, (long long)one->ts);
        }
    }
    for (int s = 0; s < SERIES; s++) {
        for (size_t j = 0; j < m->writes[s].len; j++) {
            if (m->writes[s].items[j].acked && !seen[s])
                fail_msg("seed %llu: series %d is gone", (unsigned long long)w->seed, s);
        }
    }
    store_samples_free(&samples);
    src->ops->selection_free(sel);
    check_exemplars(w, &req);
    check_metadata(w);
}

static size_t count_parts(struct store *store)
{
    struct store_source_stats stats;
    store_metrics(store)->ops->stats(store_metrics(store), &stats);
    return stats.parts;
}

static void *begin(struct crash_world *w)
{
    w->now_ns = START_NS;
    w->config.flush_interval_ns = 600 * NS_PER_SEC;
    return mem_calloc(1, sizeof(struct model));
}

static void end(void *model)
{
    struct model *m = model;
    for (int s = 0; s < SERIES; s++)
        vec_free(&m->writes[s]);
    vec_free(&m->told);
    mem_free(m);
}

static void step(struct crash_world *w, uint64_t what)
{
    if (what < 14)
        append_some(w);
    else if (what < 18)
        (void)!store_maintain(w->store, crash_rnd(w) & 1, NULL);
    else
        check(w);
}

static void fixed_step(struct crash_world *w, int i)
{
    append_some(w);
    if (i % 5 == 4)
        (void)!store_maintain(w->store, true, NULL);
    if (i % 7 == 6 && !os_sim_is_off(w->sim))
        check(w);
}

static const struct crash_work work = {.begin = begin,
                                       .end = end,
                                       .append = append_some,
                                       .check = check,
                                       .step = step,
                                       .fixed_step = fixed_step,
                                       .steps = 40,
                                       .fixed_steps = 36,
                                       .step_seconds = 20,
                                       .capacity_spread = 30000,
                                       .dir = "data/parts",
                                       .suffix = ".part",
                                       .parts = count_parts};

static void every_single_crash(void **state)
{
    (void)state;
    crash_sweep(&work, CRASH_OFF);
}

static void every_single_io_error(void **state)
{
    (void)state;
    crash_sweep(&work, CRASH_IO);
}

static void every_single_full_disk(void **state)
{
    (void)state;
    crash_sweep(&work, CRASH_NOSPACE);
}

static void nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    crash_run_seeds(&work, SEEDS_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost),
        cmocka_unit_test(every_single_crash),
        cmocka_unit_test(every_single_io_error),
        cmocka_unit_test(every_single_full_disk),
    };
    crash_be_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
