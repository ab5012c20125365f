#include "base/buf.h"
#include "base/counter.h"
#include "base/log.h"

#include <setjmp.h>

#include <cmocka.h>

static void keep(const char *line, size_t len, void *ctx)
{
    buf_append(ctx, line, len);
}

static void fields_are_quoted_when_needed(void **state)
{
    (void)state;
    struct buf out = {0};
    log_set_writer(keep, &out);
    LOG_WARN("store", "part quarantined", LOG_STR("file", "a b\"c\n"), LOG_INT("bytes", -5),
             LOG_FLOAT("ratio", 0.5));
    LOG_DEBUG("store", "not shown");
    log_set_writer(NULL, NULL);
    assert_true(
        slice_ends_with(buf_slice(&out), SLICE(" level=warn room=store msg=\"part quarantined\" "
                                               "file=\"a b\\\"c\\n\" bytes=-5 ratio=0.5\n")));
    assert_int_equal(slice_find(buf_slice(&out), SLICE("not shown")), -1);
    buf_deinit(&out);
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse(SLICE("error"), &level));
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_false(log_level_parse(SLICE("loud"), &level));
}

static void list_name(const struct counter *c, void *ctx)
{
    buf_printf(ctx, "%s%s=%lld ", c->name, c->labels ? c->labels : "", (long long)counter_get(c));
}

static void counters_of_one_name_stay_together(void **state)
{
    (void)state;
    static struct counter first[] = {{.name = "a", .labels = "{x}"}, {.name = "b"}};
    static struct counter later[] = {{.name = "a", .labels = "{y}"}};
    counter_register(first, 2);
    counter_register(later, 1);
    counter_register(later, 1);
    counter_add(&later[0], 3);
    counter_set(&first[1], 9);
    struct buf out = {0};
    counter_each(list_name, &out);
    assert_string_equal(buf_cstr(&out), "a{x}=0 a{y}=3 b=9 ");
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_quoted_when_needed),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(counters_of_one_name_stay_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
