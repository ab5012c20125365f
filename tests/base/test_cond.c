#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cond.h"

struct bell {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool rung;
};

static void *ring(void *arg)
{
    struct bell *b = arg;
    pthread_mutex_lock(&b->lock);
    b->rung = true;
    pthread_cond_broadcast(&b->cond);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

static void waits_until_woken_or_late(void **state)
{
    struct bell b = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    (void)state;
    cond_init(&b.cond);
    pthread_mutex_lock(&b.lock);
    while (cond_wait_for(&b.cond, &b.lock, NS_PER_MS)) {
    }
    assert_false(b.rung);
    while (cond_wait_for(&b.cond, &b.lock, -1)) {
    }
    assert_int_equal(pthread_create(&thread, NULL, ring, &b), 0);
    while (!b.rung)
        assert_true(cond_wait_for(&b.cond, &b.lock, 3600 * NS_PER_SEC));
    pthread_mutex_unlock(&b.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&b.cond);
}

static void one_turn_an_interval(void **state)
{
    (void)state;
    assert_int_equal(cond_next_turn(100, 10), 10);
    assert_int_equal(cond_next_turn(101, 10), 9);
    assert_int_equal(cond_next_turn(105, 10), 5);
    assert_int_equal(cond_next_turn(106, 10), 14);
    assert_int_equal(cond_next_turn(109, 10), 11); /* woken early: the turn of 110 is this one */
    assert_int_equal(cond_next_turn(7, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_until_woken_or_late),
        cmocka_unit_test(one_turn_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
