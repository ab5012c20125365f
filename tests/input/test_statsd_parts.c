/* Parts of the StatsD daemon on their own: the proxy's ring, and what the Graphite view does with a
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "input/statsd/hashring.h"
#include "input/statsd/statsd_priv.h"

/* Computed with npm's hashring 3.2.0 ('md5', replicas 0) over 10.0.0.1:8125, 10.0.0.2:8125, ... */
static void test_ring(void **state)
{
    static const char *const names[] = {"a", "a.b", "page.views",           "\xc3\xa9",
                                        "",  NULL,  "api.users.42.latency", "zz"};
    static const struct {
        size_t nodes, points;
        int where[8];
        uint32_t hash; /* of where 10,000 names go */
    } rows[] = {{1, 40, {0, 0, 0, 0, 0, 0, 0, 0}, 4161638656u},
                {2, 80, {1, 0, 0, 1, 1, 0, 0, 1}, 2179893160u},
                {3, 120, {2, 0, 0, 2, 2, 2, 2, 1}, 1184317659u},
                {5, 200, {4, 0, 3, 2, 2, 4, 4, 4}, 2714453100u},
                {7, 273, {5, 0, 5, 2, 6, 4, 4, 4}, 1422344064u}};
    char text[7][32], long_name[101];
    const char *nodes[7];
    bool is_in[7];
    struct statsd_ring ring = {0};
    (void)state;
    for (size_t i = 0; i < 7; i++) {
        snprintf(text[i], sizeof(text[i]), "10.0.0.%zu:8125", i + 1);
        nodes[i] = text[i];
        is_in[i] = true;
    }
    memset(long_name, 'x', 100);
    long_name[100] = 0;
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        uint32_t h = 0;
        statsd__ring_build(&ring, nodes, is_in, rows[r].nodes);
        assert_int_equal(ring.count, rows[r].points);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            assert_int_equal(statsd__ring_get(&ring, slice_cstr(names[i] ? names[i] : long_name)),
                             rows[r].where[i]);
        for (int i = 0; i < 10000; i++) {
            char name[32];
            snprintf(name, sizeof(name), "name.%d", i);
            h = h * 31 + (uint32_t)statsd__ring_get(&ring, slice_cstr(name)) + 1;
        }
        assert_int_equal(h, rows[r].hash);
    }
    memset(is_in, 0, sizeof(is_in));
    statsd__ring_build(&ring, nodes, is_in, 7);
    assert_int_equal(statsd__ring_get(&ring, SLICE("a")), -1);
    is_in[4] = true;
    statsd__ring_build(&ring, nodes, is_in, 7);
    assert_int_equal(statsd__ring_get(&ring, SLICE("a")), 4);
    statsd__ring_deinit(&ring);
}

static struct buf seen;

static void see(void *ctx, struct slice name, double value)
{
    (void)ctx;
    buf_printf(&seen, "%s%.*s=%g", seen.len ? " " : "", SLICE_FMT(name), value);
}

static void expect(struct input_statsd_config *c, const char *yaml, const char *path,
                   const char *want)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    struct statsd_option_set *set;
    struct diag d;
    double values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    diag_init(&d);
    assert_int_equal(text_yaml_parse(slice_cstr(yaml), arena, &root, &d), 0);
    c->histogram = text_yaml_get(root, "histogram");
    c->overrides = text_yaml_get(root, "overrides");
    if (statsd__options_new(c, arena, &set, &d)) {
        assert_string_equal(d.msg, want);
    } else {
        buf_clear(&seen);
        statsd__timing(values, ARRAY_LEN(values), 20, 2, statsd__options_of(set, slice_cstr(path)),
                       see, NULL);
        assert_string_equal(buf_cstr(&seen), want);
    }
    arena_free(arena);
}

static void test_statistics(void **state)
{
    struct input_statsd_config c = {.percentiles = "90,99.9,-20",
                                    .timer_metrics = "count,upper_percent,lower_percent"};
    (void)state;
    expect(&c, "", "a", "upper_90=9 lower_top20=9 count=20");
    /* What the Node daemon's regular expression leaves of 99_9. */
    c.timer_metrics = "upper_99_percent, histogram";
    expect(&c, "histogram: [{metric: a.b, bins: [3, 5.5, 8]}, {metric: '', bins: [2, inf]}]",
           "x.a.b;t=u", "upper_99_9=10 histogram.bin_3=2 histogram.bin_5_5=3 histogram.bin_8=2");
    expect(&c, "histogram: [{metric: a.b, bins: [3, 5.5, 8]}, {metric: '', bins: [2, inf]}]", "c",
           "upper_99_9=10 histogram.bin_2=1 histogram.bin_inf=9");
    expect(&c, "histogram: [{metric: foo, bins: []}, {metric: '', bins: [50]}]", "foo",
           "upper_99_9=10");
    expect(&c,
           "overrides: [{match: 'api.*', percentiles: [50], timer_metrics: [upper_percent], bins: "
           "[5]}, {match: '*', timer_metrics: sum}]",
           "api.x;a=b", "upper_50=5");
    expect(&c, "overrides: [{match: 'api.*', percentiles: [50]}, {match: '*', timer_metrics: sum}]",
           "other", "sum=55");
}

static void test_mistakes(void **state)
{
    struct input_statsd_config c = {.percentiles = "90", .timer_metrics = ""};
    (void)state;
    expect(&c, "histogram: [{metric: a}]", "",
           "statsd.histogram: {metric: text, bins: [1, 10, inf]} is expected");
    expect(&c, "histogram: [{metric: a, bins: [2, 1]}]", "",
           "statsd.histogram: bounds of bins ascend");
    expect(
        &c, "histogram: [{metric: a, bins: [x]}]", "",
        "statsd.histogram: \"x\" is no upper bound of a bin: numbers are expected, ascending, and "
        "inf as the last");
    expect(&c, "overrides: [{percentiles: 5}]", "",
           "statsd.overrides: match is missing: a name with * and ?");
    expect(&c, "overrides: [{match: a, timer_metrics: [nonsense]}]", "",
           "statsd.overrides: \"nonsense\" is no statistic of a timer: count, mean, upper_percent, "
           "histogram and the like are");
    c.percentiles = "0";
    expect(&c, "", "",
           "statsd.percentiles: \"0\" is no percentile: numbers from -100 to 100 without 0 are "
           "expected, separated by commas, as in 90, 99.9, -10");
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&seen);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
