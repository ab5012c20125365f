/* Series with native histograms, read and added up by several threads, against the same one after
 * the other step by step: bit for bit, with what is said about them, and in bounded memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../random.h"
#include "answers.h"
#include "data/histogram.h"
#include "data/metric_batch.h"
#include "os/pool.h"
#include "store/memory.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define ROUNDS   14 /* sets of series */
#define ASKED    12 /* queries of each */
#define BUCKETS  12

/* A histogram that goes on from sample to sample, and now and then begins anew or changes its
 * layout. */
struct state {
    struct data_histogram h;
    struct data_histogram_span positive[2], negative;
    double counts[BUCKETS], below[2], bounds[BUCKETS];
};

static void begin(struct state *s, bool custom)
{
    *s = (struct state){0};
    uint32_t gap = (uint32_t)(rnd() % 4);
    s->positive[0] = (struct data_histogram_span){custom ? 0 : (int32_t)(rnd() % 8) - 4, 5};
    s->positive[1] = (struct data_histogram_span){(int32_t)gap, custom ? 3 : BUCKETS - 5};
    s->negative = (struct data_histogram_span){1, 2};
    for (int i = 0; i < BUCKETS; i++)
        s->bounds[i] = i + (rnd() % 8 ? 0 : 0.5);
    s->h = (struct data_histogram){
        .schema = custom ? DATA_HISTOGRAM_SCHEMA_CUSTOM : (int32_t)(rnd() % 3),
        .reset_hint = rnd() % 6 ? DATA_RESET_UNKNOWN : (uint8_t)(rnd() % 4),
        .zero_threshold = custom      ? 0
                          : rnd() % 4 ? 0.001
                                      : 0.5,
        .positive_count = custom ? 8 : BUCKETS,
        .positive_span_count = 2,
        .negative_count = custom ? 0 : 2,
        .negative_span_count = custom ? 0 : 1,
        .custom_bound_count = custom ? BUCKETS : 0,
    };
}

static const struct data_histogram *grow(struct state *s)
{
    struct data_histogram *h = &s->h;
    h->positive_spans = s->positive;
    h->positive = s->counts;
    h->negative_spans = h->negative_span_count ? &s->negative : NULL;
    h->negative = h->negative_count ? s->below : NULL;
    h->custom_bounds = h->custom_bound_count ? s->bounds : NULL;
    h->is_integer = false;
    h->count = 0;
    for (uint32_t i = 0; i < h->positive_count; i++)
        h->count += s->counts[i] += (double)(rnd() % 5) / (rnd() % 2 ? 1 : 3);
    for (uint32_t i = 0; i < h->negative_count; i++)
        h->count += s->below[i] += (double)(rnd() % 2);
    if (h->schema != DATA_HISTOGRAM_SCHEMA_CUSTOM)
        h->count += h->zero_count += (double)(rnd() % 3);
    h->sum += (double)(rnd() % 100) / 7;
    return h;
}

static void fill(struct store_memory *m)
{
    static const char *const names[] = {"h", "h_count", "g"};
    int count = 20 + (int)(rnd() % 150);
    bool customs = rnd() % 3 == 0, floats = rnd() % 3 == 0, starts = rnd() % 4 == 0;
    for (int i = 0; i < 60; i++) {
        char job[8], number[8];
        snprintf(job, sizeof(job), "%d", i % 3);
        snprintf(number, sizeof(number), "%d", i);
        const struct data_label labels[] = {{SLICE("__name__"), slice_cstr(names[i / 3 % 3])},
                                            {SLICE("job"), slice_cstr(job)},
                                            {SLICE("n"), slice_cstr(number)}};
        const struct data_labels all = {labels, 3};
        struct state s;
        bool custom = customs && rnd() % 2, plain = floats && rnd() % 4 == 0;
        int64_t began = START_NS;
        begin(&s, custom);
        for (int k = 0; k < count; k++) {
            int64_t ts = START_NS + ((int64_t)k * 15 + i % 2) * NS_PER_SEC;
            if (rnd() % 40 == 0) {
                begin(&s, custom);
                began = ts - NS_PER_SEC;
            }
            const struct data_histogram *h = grow(&s);
            if (plain || (floats && rnd() % 50 == 0))
                store_memory_add(m, all, ts, h->sum, NULL);
            else if (rnd() % 30 == 0)
                store_memory_add(m, all, ts, data_stale_nan(), NULL);
            else
                store_memory_add(m, all, ts, 0, h);
            if (starts)
                store_memory_set_start(m, all, began);
        }
    }
}

static const char *const functions[] = {
    "rate",           "increase",      "delta",         "irate",          "idelta",
    "changes",        "resets",        "sum_over_time", "avg_over_time",  "count_over_time",
    "last_over_time", "max_over_time", "deriv",         "first_over_time"};
static const char *const aggregates[] = {"sum", "avg", "count", "min", "group", "stddev"};
static const char *const by[] = {"", "by (job) ", "without (n) ", "by (n) "};
static const char *const selectors[] = {"h", "g", "{job=\"1\"}", "h_count", "{n=~\"1.*\"}"};
static const char *const modifiers[] = {"", "", "", " offset 3m", " @ 1700001000"};
static const char *const outer[] = {"%s", "histogram_quantile(0.9, %s)", "histogram_sum(%s)",
                                    "histogram_fraction(0, 2, %s)", "histogram_stddev(%s)"};

#define ANY(list) list[rnd() % ARRAY_LEN(list)]

static void ask(char *out, size_t size)
{
    char inner[200], all[400];
    unsigned range = 1 + (unsigned)(rnd() % 400);
    if (rnd() % 3 == 0)
        snprintf(inner, sizeof(inner), "%s%s", ANY(selectors), ANY(modifiers));
    else if (rnd() % 8 == 0)
        snprintf(inner, sizeof(inner), "%s(h[%us] %s)", rnd() % 2 ? "rate" : "increase", range,
                 rnd() % 2 ? "anchored" : "smoothed");
    else
        snprintf(inner, sizeof(inner), "%s(%s[%us]%s)", ANY(functions), ANY(selectors), range,
                 ANY(modifiers));
    switch (rnd() % 6) {
    case 0: snprintf(all, sizeof(all), "%s", inner); break;
    case 1: snprintf(all, sizeof(all), "topk %s(2, %s)", ANY(by), inner); break;
    case 2:
        snprintf(all, sizeof(all), "sum by (job) (%s) / count by (job) (%s)", inner, inner);
        break;
    default: snprintf(all, sizeof(all), "%s %s(%s)", ANY(aggregates), ANY(by), inner); break;
    }
    static const char place[] = "%s";
    const char *frame = ANY(outer), *at = strstr(frame, place);
    snprintf(out, size, "%.*s%s%s", (int)(at - frame), frame, all, at + strlen(place));
}

static void threads_are_one_after_the_other(void **state)
{
    (void)state;
    struct store_memory *m = store_memory_new();
    struct store_source *source = store_memory_face(m);
    struct task_pool *pool = os_pool_new(4);
    size_t points = 0;
    for (int round = 0; round < ROUNDS; round++) {
        store_memory_clear(m);
        fill(m);
        for (int i = 0; i < ASKED; i++) {
            char text[600];
            struct answer ways[4]; /* plain, fast, by several threads, of rows that are shared */
            struct query_steps steps = {.start_ns =
                                            START_NS + ((int64_t)(rnd() % 600) - 200) * NS_PER_SEC,
                                        .step_ns = (1 + (int64_t)(rnd() % 60)) * NS_PER_SEC};
            steps.end_ns = steps.start_ns + steps.step_ns * (int64_t)(rnd() % 70);
            ask(text, sizeof(text));
            struct query_shared *shared = query_shared_new(source, NULL, 1 << 20);
            for (int way = 0; way < 4; way++) {
                const struct query_env env = {.source = source,
                                              .tenant = SLICE("default"),
                                              .pool = way >= 2 ? pool : NULL,
                                              .shared = way == 3 ? shared : NULL,
                                              .plain = way == 0};
                answer_parse(&ways[way], text);
                answer_plan(&ways[way], &steps);
                for (int twice = 0; way == 3 && twice < 2; twice++)
                    query_shared_expect(shared, ways[way].plan);
                answer_run(&ways[way], &env);
                if (way)
                    points +=
                        answer_compare(&ways[0], &ways[way], ANSWER_SAMPLES | ANSWER_MAY_FAIL);
            }
            query_shared_free(shared);
            for (int way = 0; way < 4; way++)
                answer_free(&ways[way]);
        }
    }
    print_message("# %zu points\n", points);
    assert_true(points > ROUNDS * ASKED);
    os_pool_free(pool);
    store_memory_free(m);
}

/* A sum holds what it adds up at a time, however many series there are. */
static void a_sum_does_not_hold_its_series(void **state)
{
    (void)state;
    enum { SERIES = 500, SAMPLES = 60 };
    struct store_memory *m = store_memory_new();
    struct task_pool *pool = os_pool_new(2);
    for (int i = 0; i < SERIES; i++) {
        char number[8];
        snprintf(number, sizeof(number), "%d", i);
        const struct data_label labels[] = {{SLICE("__name__"), SLICE("h")},
                                            {SLICE("n"), slice_cstr(number)}};
        struct state s;
        begin(&s, false);
        for (int k = 0; k < SAMPLES; k++)
            store_memory_add(m, (struct data_labels){labels, 2},
                             START_NS + (int64_t)k * 15 * NS_PER_SEC, 0, grow(&s));
    }
    const struct query_steps steps = {.start_ns = START_NS,
                                      .end_ns = START_NS + INT64_C(900) * NS_PER_SEC,
                                      .step_ns = NS_PER_SEC};
    struct budget memory;
    struct answer a;
    budget_init(&memory, NULL, 0, "limits.query.memory");
    const struct query_env env = {.source = store_memory_face(m),
                                  .tenant = SLICE("default"),
                                  .pool = pool,
                                  .memory = &memory};
    answer_ask(&a, "histogram_quantile(0.9, sum(rate(h[1m])))", &steps, &env);
    assert_int_equal(a.err, 0);
    assert_int_equal(a.result.series_count, 1);
    /* 500 series with 900 histograms of 300 bytes and more would be 130 MiB. */
    print_message("# peak %.1f MiB\n", (double)memory.peak / (1 << 20));
    assert_true(memory.peak < 60 << 20);
    answer_free(&a);
    assert_int_equal(memory.used, 0);
    os_pool_free(pool);
    store_memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_are_one_after_the_other),
                                       cmocka_unit_test(a_sum_does_not_hold_its_series)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
