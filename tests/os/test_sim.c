#include "os/os.h"
#include "os/pool.h"
#include "os/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

static void write_text(struct os *os, const char *path, const char *text, bool sync)
{
    struct os_file *f;
    assert_int_equal(os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE, &f, NULL), 0);
    assert_int_equal(os->ops->write_at(f, 0, text, strlen(text), NULL), 0);
    if (sync)
        assert_int_equal(os->ops->sync(f, NULL), 0);
    os->ops->close(f);
}

/* The content as a letter: - when the file is not there. */
static char content(struct os *os, const char *path)
{
    struct os_file *f;
    char c = '?';
    if (os->ops->open(os, path, OS_READ, &f, NULL))
        return '-';
    uint64_t size;
    assert_int_equal(os->ops->size(f, &size, NULL), 0);
    if (size)
        assert_int_equal(os->ops->read_at(f, 0, &c, 1, NULL), 0);
    os->ops->close(f);
    return size ? c : '0';
}

static void what_is_synced_survives(void **state)
{
    (void)state;
    bool seen_lost = false, seen_kept = false, seen_no_name = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct os_sim *sim = os_sim_new(seed);
        struct os *os = os_sim_os(sim);
        write_text(os, "d/safe", "a", true);
        assert_int_equal(os->ops->sync_dir(os, "d", NULL), 0);
        write_text(os, "d/safe", "b", false); /* may or may not be there after */
        write_text(os, "d/nameless", "n", true);
        os_sim_power_off(sim);
        struct os_file *f;
        assert_int_equal(os->ops->open(os, "d/safe", OS_READ, &f, NULL), ERR_IO);
        os_sim_restart(sim);
        char c = content(os, "d/safe");
        assert_true(c == 'a' || c == 'b');
        seen_lost |= c == 'a';
        seen_kept |= c == 'b';
        char n = content(os, "d/nameless");
        assert_true(n == 'n' || n == '-');
        seen_no_name |= n == '-';
        os_sim_free(sim);
    }
    assert_true(seen_lost && seen_kept && seen_no_name);
}

static void failures_come_when_ordered(void **state)
{
    (void)state;
    struct os_sim *sim = os_sim_new(7);
    struct os *os = os_sim_os(sim);
    struct os_file *f;
    assert_int_equal(os->ops->open(os, "x", OS_READ | OS_WRITE | OS_CREATE, &f, NULL), 0);
    os_sim_fail_at(sim, 2, ERR_NOSPACE);
    assert_int_equal(os->ops->write_at(f, 0, "aa", 2, NULL), 0);
    assert_int_equal(os->ops->write_at(f, 2, "bb", 2, NULL), ERR_NOSPACE);
    assert_int_equal(os->ops->write_at(f, 2, "bb", 2, NULL), 0);
    os_sim_fail_at(sim, 1, ERR_IO);
    assert_int_equal(os->ops->sync(f, NULL), ERR_IO);
    assert_int_equal(os->ops->sync(f, NULL), 0);
    os_sim_set_capacity(sim, 6);
    assert_int_equal(os->ops->write_at(f, 4, "cccc", 4, NULL), ERR_NOSPACE);
    os_sim_crash_at(sim, 1);
    assert_int_equal(os->ops->write_at(f, 0, "z", 1, NULL), ERR_IO);
    assert_true(os_sim_is_off(sim));
    os->ops->close(f);
    os_sim_free(sim);
}

static void count_up(void *ctx, size_t i)
{
    atomic_fetch_add((_Atomic size_t *)ctx, i);
}

struct nest {
    struct task_pool *pool;
    _Atomic size_t sum;
};

static void nested(void *ctx, size_t i)
{
    struct nest *n = ctx;
    (void)i;
    n->pool->parallel(n->pool, TASK_INTERACTIVE, 100, 4, count_up, &n->sum);
}

static void count_one(void *ctx)
{
    atomic_fetch_add((_Atomic size_t *)ctx, 1);
}

static void the_pool_does_everything_once(void **state)
{
    (void)state;
    struct nest n = {.pool = os_pool_new(3)};
    n.pool->parallel(n.pool, TASK_INTERACTIVE, 20, 8, nested, &n);
    assert_int_equal(n.sum, 20 * 4950);
    _Atomic size_t ran = 0;
    for (int i = 0; i < 1000; i++)
        n.pool->submit(n.pool, (enum task_class)(i % TASK_CLASS_COUNT), count_one, &ran);
    os_pool_free(n.pool);
    assert_int_equal(ran, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_synced_survives),
        cmocka_unit_test(failures_come_when_ordered),
        cmocka_unit_test(the_pool_does_everything_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
