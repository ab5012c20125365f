/* What waits, in memory and on a simulated disk that is full, fails or is damaged: every sample is
 * sent, still there, or counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/sim.h"
#include "output/output_priv.h"

#define PAYLOAD 1000 /* bytes */
#define SAMPLES 10   /* of each */
#define SEGMENT "data/outputs/g/0000000000000001.seg"

/* One task at most; run when the test says so. */
struct later {
    struct task_pool pool;
    void (*fn)(void *ctx);
    void *ctx;
};

static void submit(struct task_pool *pool, enum task_class cls, void (*fn)(void *ctx), void *ctx)
{
    struct later *later = (struct later *)pool;
    (void)cls;
    assert_null(later->fn);
    later->fn = fn;
    later->ctx = ctx;
}

static void run_task(struct later *later)
{
    void (*fn)(void *ctx) = later->fn;
    later->fn = NULL;
    if (fn)
        fn(later->ctx);
}

struct queue {
    struct os_sim *sim;
    struct later later;
    struct output_env env;
    struct output__settings settings;
    struct output__target t;
    int64_t now_ns;
    size_t pushed, next; /* payloads: made so far; the first that may still come */
};

static void queue_open(struct queue *q)
{
    q->later = (struct later){.pool = {.submit = submit}};
    q->env =
        (struct output_env){.pool = &q->later.pool, .os = os_sim_os(q->sim), .dir = "data/outputs"};
    q->settings = (struct output__settings){.name = "g",
                                            .identity = "settings",
                                            .queue_bytes = INT64_C(16) * PAYLOAD,
                                            .disk_bytes = INT64_C(64) * PAYLOAD,
                                            .retry_for_ns = INT64_MAX};
    q->t = (struct output__target){.settings = &q->settings, .env = &q->env};
    q->t.tail = &q->t.head;
    pthread_mutex_init(&q->t.lock, NULL);
    pthread_cond_init(&q->t.changed, NULL);
    output__queue_open(&q->t);
}

static int64_t queue_close(struct queue *q)
{
    int64_t lost;
    run_task(&q->later);
    output__queue_close(&q->t, &lost);
    pthread_mutex_destroy(&q->t.lock);
    pthread_cond_destroy(&q->t.changed);
    return lost;
}

static struct queue *queue_new(uint64_t seed)
{
    struct queue *q = mem_calloc(1, sizeof(*q));
    q->sim = os_sim_new(seed);
    q->now_ns = NS_PER_SEC;
    os_sim_set_now(q->sim, q->now_ns);
    queue_open(q);
    return q;
}

static void queue_free(struct queue *q)
{
    os_sim_free(q->sim);
    mem_free(q);
}

static void push(struct queue *q)
{
    char bytes[PAYLOAD];
    memset(bytes, (int)('a' + q->pushed % 26), sizeof(bytes));
    snprintf(bytes, sizeof(bytes), "%zu", q->pushed++);
    output__queue_push(&q->t, slice_make(bytes, sizeof(bytes)), SAMPLES, q->now_ns);
}

static void tick(struct queue *q)
{
    q->now_ns += 2 * NS_PER_SEC;
    os_sim_set_now(q->sim, q->now_ns);
    output__queue_tick(&q->t);
    run_task(&q->later);
}

/* Takes the first payload as its target would; its number. */
static size_t take(struct queue *q)
{
    struct output__payload *p = output__queue_first(&q->t, NULL);
    if (!p) { /* it is on the disk */
        run_task(&q->later);
        p = output__queue_first(&q->t, NULL);
    }
    assert_non_null(p);
    assert_int_equal(p->bytes.len, PAYLOAD);
    size_t number = (size_t)atoi(p->bytes.ptr);
    assert_true(number >= q->next); /* in their order, none twice */
    assert_int_equal(p->bytes.ptr[PAYLOAD - 1], 'a' + (int)(number % 26));
    q->next = number + 1;
    output__queue_pop(&q->t);
    return number;
}

static size_t take_all(struct queue *q)
{
    size_t n = 0;
    for (; q->t.head; n++)
        take(q);
    return n;
}

static int64_t dropped(const struct queue *q, enum output__drop why)
{
    return counter_get(&q->t.counters[OUTPUT__COUNTERS + (size_t)why]);
}

static void a_full_disk(void **state)
{
    struct queue *q = queue_new(1);
    (void)state;
    os_sim_set_capacity(q->sim, PAYLOAD / 2);
    for (int i = 0; i < 5; i++)
        push(q);
    tick(q);
    /* It stays in memory, and why is told. */
    assert_true(q->t.spool_failed);
    assert_non_null(strstr(q->t.spool_error, "no space left"));
    assert_int_equal(q->t.samples, 5 * SAMPLES);
    assert_int_equal(q->t.disk_bytes, 0);
    /* Beyond what memory may hold the oldest are given up, and counted. */
    for (int i = 0; i < 45; i++) {
        push(q);
        run_task(&q->later);
    }
    assert_true(q->t.bytes <= q->settings.queue_bytes);
    assert_true(q->t.samples >= 10 * SAMPLES);
    assert_int_equal(q->t.samples + dropped(q, OUTPUT__DROP_FULL), 50 * SAMPLES);
    /* With room again it goes on by itself: what waits is on the disk, and survives a crash. */
    os_sim_set_capacity(q->sim, 0);
    size_t kept = q->t.waiting;
    tick(q);
    assert_false(q->t.spool_failed);
    assert_int_equal(q->t.disk_bytes, kept * PAYLOAD);
    for (int i = 0; i < 20; i++) {
        push(q);
        run_task(&q->later);
    }
    tick(q);
    assert_int_equal(q->t.samples + dropped(q, OUTPUT__DROP_FULL), 70 * SAMPLES);
    assert_int_equal(dropped(q, OUTPUT__DROP_FULL), (50 - kept) * SAMPLES);
    os_sim_power_off(q->sim);
    queue_close(q);
    os_sim_restart(q->sim);
    queue_open(q);
    assert_int_equal(q->t.waiting, kept + 20);
    assert_int_equal(take_all(q), kept + 20);
    assert_int_equal(q->next, 70);
    assert_int_equal(queue_close(q), 0);
    queue_free(q);
}

static void a_stop_with_a_full_disk(void **state)
{
    struct queue *q = queue_new(1);
    (void)state;
    os_sim_set_capacity(q->sim, PAYLOAD / 2);
    for (int i = 0; i < 5; i++)
        push(q);
    assert_int_equal(queue_close(q), 5 * SAMPLES); /* the caller counts them */
    queue_free(q);
}

/* One call fails, whichever: nothing is lost, doubled or out of order. */
static void every_call_fails_once(void **state)
{
    (void)state;
    for (uint64_t k = 1; k <= 40; k++) {
        struct queue *q = queue_new(k);
        os_sim_fail_at(q->sim, k, k % 2 ? ERR_NOSPACE : ERR_IO);
        for (int turn = 0; turn < 4; turn++) {
            for (int i = 0; i < 6; i++) {
                push(q);
                run_task(&q->later);
            }
            tick(q);
            take(q);
            take(q);
        }
        tick(q);
        assert_false(q->t.spool_failed);
        assert_int_equal(q->t.waiting, 16);
        assert_int_equal(take_all(q), 16);
        for (size_t i = 0; i < OUTPUT__DROP_COUNT; i++)
            assert_int_equal(dropped(q, (enum output__drop)i), 0);
        assert_int_equal(queue_close(q), 0);
        queue_free(q);
    }
}

/* Damage found when a payload's turn comes loses that one; found at the start, the rest of its
 * segment. Both are counted. */
static void a_damaged_segment(void **state)
{
    struct queue *q = queue_new(3);
    (void)state;
    for (int i = 0; i < 30; i++) {
        push(q);
        run_task(&q->later);
    }
    tick(q);
    assert_int_equal(q->t.disk_bytes, 30 * PAYLOAD);
    uint64_t offset = 0;
    struct output__payload *p = q->t.head;
    for (int i = 0; i < 20; i++)
        p = p->next;
    offset = p->place.offset;
    assert_null(p->bytes.ptr); /* it is only there */
    assert_true(os_sim_flip(q->sim, SEGMENT, offset + 500, 1));
    assert_int_equal(take_all(q), 29);
    assert_int_equal(q->next, 30);
    assert_int_equal(dropped(q, OUTPUT__DROP_DAMAGED), SAMPLES);
    assert_int_equal(queue_close(q), 0);
    queue_free(q);

    q = queue_new(4);
    for (int i = 0; i < 30; i++) {
        push(q);
        run_task(&q->later);
    }
    assert_int_equal(queue_close(q), 0);
    assert_true(os_sim_flip(q->sim, SEGMENT, offset + 500, 1));
    queue_open(q);
    assert_int_equal(q->t.waiting, 20);
    assert_int_equal(counter_get(&q->t.losses[OUTPUT__SPOOL_DAMAGED]), 1);
    push(q); /* and it goes on */
    tick(q);
    assert_int_equal(take_all(q), 21);
    assert_int_equal(queue_close(q), 0);
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_stop_with_a_full_disk),
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(a_damaged_segment),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
