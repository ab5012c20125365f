/* Queries of one request that read what they have in common once: the same answers as each by
 * itself, whoever comes first, also when reading fails or there is no room. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "answers.h"
#include "base/mem.h"
#include "lang/promql/promql.h"
#include "os/pool.h"
#include "query/query.h"
#include "store/memory.h"

#define START_NS (INT64_C(1700000000) * NS_PER_SEC)
#define SERIES   300
#define SAMPLES  200

static const char *const texts[] = {
    "sum by (t) (rate(a_total[5m]))",
    "sum by (n) (rate(a_total[5m]))",
    "sum(rate(a_total{n=~\"1.*\"}[5m])) / sum(rate(a_total[5m]))",
    "topk(3, rate(a_total[5m]))",
    "rate(a_total[5m])",
    "max(a_total)",
    "quantile(0.9, a_total)",
    "count(a_total > 100)",
    "sum by (t) (increase(a_total[5m]))",
    "sum(rate(a_total[5m] offset 1m))",
    "max_over_time(sum(rate(a_total[5m]))[10m:1m])",
    "sum(a_total @ 1700000600)",
    "max(a_total @ 1700000600)",
    "sum(rate(no_such_metric[5m]))",
    "count(rate(no_such_metric[5m]))",
};
enum { QUERIES = ARRAY_LEN(texts) };

static struct store_memory *fill(void)
{
    struct store_memory *m = store_memory_new();
    for (int n = 0; n < SERIES; n++) {
        char number[16], target[16];
        snprintf(number, sizeof(number), "%d", n);
        snprintf(target, sizeof(target), "%d", n % 7);
        const struct data_label labels[] = {{SLICE("__name__"), SLICE("a_total")},
                                            {SLICE("n"), slice_cstr(number)},
                                            {SLICE("t"), slice_cstr(target)}};
        for (int i = 0; i < SAMPLES; i++) {
            if (n % 5 == 2 && i % 50 > 35)
                continue;
            store_memory_add(m, (struct data_labels){labels, 3},
                             START_NS + (int64_t)(i * 15 + n % 3) * NS_PER_SEC,
                             (i * (n % 11)) % 900, NULL);
        }
    }
    return m;
}

struct one {
    struct answer answer;
    struct query_env env;
};

static void plan(struct one *o, const char *text)
{
    const struct query_steps steps = {.start_ns = START_NS + 300 * NS_PER_SEC,
                                      .end_ns = START_NS + 2700 * NS_PER_SEC,
                                      .step_ns = 20 * NS_PER_SEC};
    o->env.tenant = SLICE("default");
    answer_parse(&o->answer, text);
    answer_plan(&o->answer, &steps);
}

static void *run(void *arg)
{
    struct one *o = arg;
    answer_run(&o->answer, &o->env);
    return NULL;
}

static void same(const struct one *a, const struct one *b)
{
    answer_compare(&a->answer, &b->answer, ANSWER_SAMPLES | ANSWER_NAN_BITS);
}

/* All at once, and one after the other, with `bytes` of room. */
static void check(struct store_source *source, struct task_pool *pool, int64_t bytes, bool at_once)
{
    struct one alone[QUERIES] = {0}, together[QUERIES] = {0};
    pthread_t threads[QUERIES];
    struct budget parent;
    budget_init(&parent, NULL, 0, "x");
    struct query_shared *shared = query_shared_new(source, &parent, bytes);
    for (size_t i = 0; i < QUERIES; i++) {
        alone[i] = (struct one){.env = {.source = source}};
        together[i] = (struct one){.env = {.source = source, .pool = pool, .shared = shared}};
        plan(&alone[i], texts[i]);
        plan(&together[i], texts[i]);
        run(&alone[i]);
        query_shared_expect(shared, together[i].answer.plan);
    }
    for (size_t i = 0; i < QUERIES; i++) {
        if (at_once)
            assert_int_equal(pthread_create(&threads[i], NULL, run, &together[i]), 0);
        else
            run(&together[i]);
    }
    for (size_t i = 0; i < QUERIES && at_once; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < QUERIES; i++) {
        same(&alone[i], &together[i]);
        answer_free(&alone[i].answer);
        answer_free(&together[i].answer);
    }
    assert_true(!bytes || parent.peak <= bytes);
    assert_true(bytes == 1 || parent.peak > 0);
    query_shared_free(shared);
    assert_int_equal(parent.used, 0);
}

static void answers_are_the_same(void **state)
{
    (void)state;
    struct store_memory *m = fill();
    struct store_source *source = store_memory_face(m);
    struct task_pool *pool = os_pool_new(3);
    for (int round = 0; round < 6; round++) {
        check(source, round % 2 ? pool : NULL, 0, true);
        check(source, pool, 200 << 10, true);
    }
    check(source, pool, 1, false);
    check(source, NULL, 0, false);
    os_pool_free(pool);
    store_memory_free(m);
}

/* Who is cancelled while others wait for it leaves them to themselves. */
static void a_reader_may_give_up(void **state)
{
    (void)state;
    struct store_memory *m = fill();
    struct store_source *source = store_memory_face(m);
    struct query_shared *shared = query_shared_new(source, NULL, 0);
    const _Atomic bool yes = true;
    struct one first = {.env = {.source = source, .shared = shared, .cancelled = &yes}},
               second = {.env = {.source = source, .shared = shared}},
               third = {.env = {.source = source, .shared = shared}},
               alone = {.env = {.source = source}};
    plan(&first, texts[0]);
    plan(&second, texts[1]);
    plan(&third, texts[3]);
    query_shared_expect(shared, first.answer.plan);
    query_shared_expect(shared, second.answer.plan);
    query_shared_expect(shared, third.answer.plan);
    run(&first);
    assert_int_equal(first.answer.err, ERR_CANCELLED);
    run(&second);
    plan(&alone, texts[1]);
    run(&alone);
    same(&alone, &second);
    answer_free(&alone.answer);
    run(&third);
    assert_int_equal(third.answer.err, 0);
    answer_free(&first.answer);
    answer_free(&second.answer);
    answer_free(&third.answer);
    query_shared_free(shared);
    store_memory_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_the_same),
        cmocka_unit_test(a_reader_may_give_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
