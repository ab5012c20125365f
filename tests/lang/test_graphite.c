/* Graphite's language and index over a store on a simulated disk. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/graphite/graphite.h"
#include "os/pool.h"
#include "os/sim.h"
#include "store/store.h"

#define NOW INT64_C(1700000000)

struct world {
    struct os_sim *sim;
    struct store *store;
    struct graphite_index *index;
    struct data_metric_batch *batch;
};

static void open_world(struct world *w)
{
    struct store_config config;
    w->sim = os_sim_new(1);
    os_sim_set_now(w->sim, NOW * NS_PER_SEC);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.retention_ns = INT64_MAX;
    assert_int_equal(store_open(&config, os_sim_os(w->sim), NULL, &w->store, NULL), 0);
    w->index = graphite_index_new();
    w->batch = data_metric_batch_new(SLICE("default"));
}

static void close_world(struct world *w)
{
    data_metric_batch_free(w->batch);
    graphite_index_free(w->index);
    store_close(w->store);
    os_sim_free(w->sim);
}

/* "a.b" or "a.b;t=v". */
static void add(struct world *w, const char *name, int64_t ts_s, double value)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    struct slice rest = slice_cstr(name), part;
    slice_split(&rest, ';', &part);
    data_labels_builder_add(&b, SLICE(DATA_METRIC_NAME), part);
    while (slice_split(&rest, ';', &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        data_labels_builder_add(&b, slice_first(part, (size_t)eq),
                                slice_from(part, (size_t)eq + 1));
    }
    assert_int_equal(data_labels_builder_finish(&b, &labels, NULL), 0);
    data_metric_batch_reset(w->batch);
    data_metric_batch_add_sample(w->batch, data_metric_batch_add_series(w->batch, labels),
                                 ts_s * NS_PER_SEC, value);
    store_append_metrics(w->store, w->batch, NULL, NULL);
    data_labels_builder_deinit(&b);
}

static void refresh(struct world *w)
{
    assert_int_equal(
        graphite_index_refresh(w->index, store_metrics(w->store), SLICE("default"), NULL, NULL), 0);
}

/* The paths found, a `*` behind leaves and a `.` behind branches, joined by spaces. */
static void found(struct world *w, const char *glob, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    struct graphite_node *nodes;
    size_t count;
    refresh(w);
    assert_int_equal(graphite_index_find(w->index, SLICE("default"), slice_cstr(glob), 0, arena,
                                         &nodes, &count, NULL),
                     0);
    buf_clear(out);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%.*s%s%s", i ? " " : "", SLICE_FMT(nodes[i].path),
                   nodes[i].leaf ? "*" : "", nodes[i].branch ? "." : "");
    arena_free(arena);
}

#define FINDS(w, glob, expected)                                                                   \
    do {                                                                                           \
        struct buf b_ = {0};                                                                       \
        found(w, glob, &b_);                                                                       \
        assert_string_equal(buf_cstr(&b_), expected);                                              \
        buf_deinit(&b_);                                                                           \
    } while (0)

/* --- the index --- */

static void index_grows(void **state)
{
    struct world w;
    open_world(&w);
    FINDS(&w, "*", "");
    add(&w, "a.b.c", NOW, 1);
    FINDS(&w, "*", "a.");
    FINDS(&w, "a.*.c", "a.b.c*");
    for (int i = 0; i < 100; i++) {
        char name[40];
        snprintf(name, sizeof(name), "a.b.c%d.load", i);
        add(&w, name, NOW, 1);
        snprintf(name, sizeof(name), "a.b.c%d.load", i / 2);
        add(&w, name, NOW + 1, 1); /* nothing new */
        refresh(&w);
    }
    add(&w, "a.b", NOW, 1); /* both */
    add(&w, "a-x", NOW, 1);
    FINDS(&w, "*", "a. a-x*");
    FINDS(&w, "a.*", "a.b*.");
    FINDS(&w, "a.b.c1?.load",
          "a.b.c10.load* a.b.c11.load* a.b.c12.load* a.b.c13.load* a.b.c14.load* "
          "a.b.c15.load* a.b.c16.load* a.b.c17.load* a.b.c18.load* a.b.c19.load*");
    FINDS(&w, "a.{b.c7,b.c8}.load", "a.b.c7.load* a.b.c8.load*");
    FINDS(&w, "**.c99.*", "a.b.c99.load*");
    add(&w, "t;x=1", NOW, 1);
    FINDS(&w, "t.*", "t.x=1*");
    /* and from what is on the disk */
    assert_int_equal(store_maintain(w.store, true, NULL), 0);
    add(&w, "z.new", NOW, 1);
    FINDS(&w, "{z,a-x}*", "a-x* z.");
    graphite_index_free(w.index);
    w.index = graphite_index_new();
    FINDS(&w, "a.b.c99.*", "a.b.c99.load*");
    FINDS(&w, "z.*", "z.new*");
    close_world(&w);
    (void)state;
}

static void index_forgets_what_was_deleted(void **state)
{
    struct world w;
    struct store_matcher m = {
        .op = STORE_MATCH_EQ, .name = SLICE(DATA_METRIC_NAME), .value = SLICE("a.gone")};
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = INT64_MIN,
                                   .t_max_ns = INT64_MAX,
                                   .matchers = &m,
                                   .matcher_count = 1};
    open_world(&w);
    add(&w, "a.gone", NOW, 1);
    add(&w, "a.stays", NOW, 1);
    FINDS(&w, "a.*", "a.gone* a.stays*");
    assert_int_equal(store_delete_metrics(w.store, &req, NULL), 0);
    struct buf b = {0};
    for (int i = 0; i < 1000 && (i == 0 || slice_find(buf_slice(&b), SLICE("gone")) >= 0); i++)
        found(&w, "a.*", &b); /* made anew at most every twentieth of the time */
    assert_string_equal(buf_cstr(&b), "a.stays*");
    buf_deinit(&b);
    close_world(&w);
    (void)state;
}

/* --- plans and rows --- */

struct answer {
    struct graphite_request req; /* the run's for as long as it lives */
    struct budget memory;
    struct graphite_run *run;
    struct graphite_list list;
};

static int ask(struct world *w, const char *target, bool plain, struct task_pool *pool,
               int64_t points_max, struct answer *out, struct diag *diag)
{
    struct slice text = slice_cstr(target);
    budget_init(&out->memory, NULL, INT64_MAX, "none");
    out->req = (struct graphite_request){.source = store_metrics(w->store),
                                         .tenant = SLICE("default"),
                                         .index = w->index,
                                         .start_s = NOW - 3600,
                                         .end_s = NOW,
                                         .now_s = NOW,
                                         .xff = (double)NAN,
                                         .points_max = points_max,
                                         .memory = &out->memory,
                                         .pool = pool,
                                         .plain = plain};
    return graphite_run_targets(&out->req, &text, 1, &out->run, &out->list, diag);
}

static void assert_same_series(const struct graphite_series *a, const struct graphite_series *b)
{
    assert_true(slice_eq(a->name, b->name));
    assert_true(slice_eq(a->path, b->path));
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->tag_count, b->tag_count);
    assert_true(a->xff == b->xff);
    for (size_t i = 0; i < a->tag_count; i++) {
        assert_true(slice_eq(a->tags[i].name, b->tags[i].name));
        assert_true(slice_eq(a->tags[i].value, b->tags[i].value));
    }
    for (size_t i = 0; i < a->count; i++) {
        double x = a->values[i], y = b->values[i];
        assert_int_equal(isnan(x), isnan(y));
        assert_true(isnan(x) || fabs(x - y) <= 1e-12 * fabs(x));
    }
}

/* Both ways give the same; says whether there was a plan. */
static size_t both_ways(struct world *w, const char *target, struct task_pool *pool)
{
    struct answer rows = {0}, plan = {0};
    struct diag d;
    diag_init(&d);
    if (ask(w, target, true, NULL, 0, &rows, &d))
        fail_msg("%s: %s", target, d.msg);
    assert_int_equal(graphite_run_plans(rows.run), 0);
    size_t plans = 0;
    for (int threads = 0; threads < 2; threads++) {
        assert_int_equal(ask(w, target, false, threads ? pool : NULL, 0, &plan, &d), 0);
        assert_int_equal(plan.list.len, rows.list.len);
        for (size_t i = 0; i < rows.list.len; i++)
            assert_same_series(rows.list.items[i], plan.list.items[i]);
        plans = graphite_run_plans(plan.run);
        graphite_run_free(plan.run);
    }
    graphite_run_free(rows.run);
    return plans;
}

static void fill_world(struct world *w)
{
    uint64_t seed = 7;
    for (int64_t t = NOW - 4000; t <= NOW; t += 20) {
        for (int host = 0; host < 40; host++) {
            char name[80];
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            double v = (double)(seed >> 40) / 1000 - 3000;
            if (seed >> 60 == 0)
                continue; /* a gap */
            if (seed >> 60 == 1)
                v = (double)NAN; /* which is no value */
            snprintf(name, sizeof(name), "s.web%d.%s", host / 2, host % 2 ? "cpu" : "mem");
            add(w, name, t, v);
            snprintf(name, sizeof(name), "disk;dc=%s;host=h%d;os=linux", host % 3 ? "eu" : "us",
                     host);
            add(w, name, t + host % 3, v);
            if (t % 300 < 20) {
                snprintf(name, sizeof(name), "slow.web%d.cpu", host);
                add(w, name, t, v);
            }
        }
    }
    add(w, "s.new.cpu", NOW - 5, 3); /* too few to have a step */
    refresh(w);
}

static void plans_answer_as_rows_do(void **state)
{
    static const char *const plans[] = {
        "sumSeries(s.*.cpu)",
        "averageSeries(s.*.*)",
        "minSeries(s.*.cpu,s.*.mem)",
        "maxSeries(s.*.cpu)",
        "rangeOfSeries(s.*.*)",
        "aggregate(s.*.*,'count')",
        "aggregate(s.*.*,'avg_zero')",
        "aggregate(s.*.*,'totalSeries')",
        "groupByNode(s.*.*,1,'sum')",
        "groupByNode(s.*.*,-1)",
        "groupByNodes(s.*.*,'maxSeries',2,0)",
        "groupByNodes(s.*.*,'rangeOfSeries','name')",
        "groupByNode(disk.**,'dc','average')",
        "groupByTags(seriesByTag('name=disk'),'sum','dc','os')",
        "groupByTags(seriesByTag('name=~.*','os=linux'),'max','name','host')",
        "sumSeries(seriesByTag('name=disk','dc=eu'))",
        "sumSeriesWithWildcards(s.*.*,1)",
        "aggregateWithWildcards(s.*.*,'avg',0,2)",
        "s.*.*|groupByNode(2,'max')|alias('x')",
        "movingAverage(sumSeries(s.*.cpu),3)",
        "sumSeries(slow.*.cpu)",
        "averageSeries(disk.**)",
        "sumSeries(scale(s.*.cpu,2))",
        "aggregate(s.*.*,'sum',0.5)",
        "aggregate(s.*.*,'average',0.9)",
        "aggregate(disk.**,'range',0.85)",
        "aggregate(s.*.*,'count',1)",
        "sumSeries(derivative(s.*.cpu))",
        "averageSeries(perSecond(s.*.*))",
        "maxSeries(nonNegativeDerivative(s.*.*,5000,-4000))",
        "groupByNode(perSecond(s.*.*,10000),1,'sum')",
        "groupByNode(integral(s.*.cpu),'name','max')",
        "groupByNodes(movingAverage(s.*.*,5),'max',2)",
        "sumSeries(movingAverage(s.*.cpu,'5min'))",
        "sumSeries(movingWindow(s.*.cpu,'130s','range',0.5))",
        "aggregate(movingMedian(perSecond(s.*.*),7),'max',0.7)",
        "sumSeries(derivative(movingMax(movingMin(s.*.cpu,3),'3min')))",
        "sumSeries(keepLastValue(movingSum(s.*.cpu,2,0.9),1))",
        "sumSeries(movingWindow(s.*.cpu,3,'stddev'))",
        "minSeries(interpolate(s.*.*,2))",
        "rangeOfSeries(offset(absolute(log(scaleToSeconds(s.*.*,7),3)),-2))",
        "sumSeriesWithWildcards(perSecond(s.*.*),1)",
        "groupByTags(perSecond(seriesByTag('name=disk')),'sum','dc','os')",
        "averageSeries(round(seriesByTag('name=disk','dc=eu'),-1))",
        "seriesByTag('name=disk')|movingAverage(4)|sumSeries()",
    };
    static const char *const rows[] = {
        "sumSeries(s.*.cpu,slow.*.cpu)",
        "sumSeries(s.web1.cpu)",
        "aggregate(s.*.cpu,'median')",
        "sumSeries(scale(s.*.cpu,2),s.*.mem)",
        "sumSeries(transformNull(s.*.cpu))",
        "perSecond(**)",
        "movingMedian(**,5)",
        "movingAverage(slow.*.*,3)",
        "movingSum(s.*.cpu,'3min')",
        "movingWindow(derivative(s.*.cpu),4,'range')",
        "movingMin(movingMax(s.*.cpu,3),'100s')",
        "exponentialMovingAverage(s.*.mem,6)",
        "sortByMaxima(**)",
        "highestAverage(**,7)",
        "averageAbove(**,100)",
        "percentileOfSeries(s.*.*,80,true)",
        "removeBetweenPercentile(s.*.*,30)",
        "sortByMaxima(s.*.*)|limit(3)|scale(2)",
        "sumSeries(isNonNull(s.*.cpu))",
        "sumSeries(alias(s.*.cpu,'x'))",
        "sumSeries(perSecond({s,slow}.*.cpu))",
        "sumSeries(s.*.cpu,s.web1.*)",
        "stddevSeries(s.*.cpu)",
        "groupByNode(s.*.*,1,'multiply')",
        "s.*.cpu",
        "disk.**",
        "seriesByTag('name=disk')",
        "{s,slow}.*.cpu",
    };
    struct world w;
    struct task_pool *pool = os_pool_new(3);
    open_world(&w);
    fill_world(&w);
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        for (size_t i = 0; i < ARRAY_LEN(plans); i++)
            assert_true(both_ways(&w, plans[i], pool) > 0);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            assert_int_equal(both_ways(&w, rows[i], pool), 0);
        }
        assert_int_equal(store_maintain(w.store, true, NULL), 0);
    }
    struct answer none = {0};
    assert_int_equal(ask(&w, "sumSeries(no.such.*)", false, pool, 0, &none, NULL), 0);
    assert_int_equal(none.list.len, 0);
    graphite_run_free(none.run);
    os_pool_free(pool);
    close_world(&w);
    (void)state;
}

/* --- daylight saving --- */

/* The time of the slot that the first value of timeShift('7d') came from; values are their times.
 */
static int64_t shifted_from(struct world *w, int64_t now, const char *zone, const char *target)
{
    struct text_zone *z = NULL;
    struct graphite_run *run = NULL;
    struct graphite_list list;
    struct slice text = slice_cstr(target);
    assert_int_equal(text_zone_load(slice_cstr(zone), &z, NULL), 0);
    const struct graphite_request req = {.source = store_metrics(w->store),
                                         .tenant = SLICE("default"),
                                         .index = w->index,
                                         .start_s = now - 3600,
                                         .end_s = now,
                                         .now_s = NOW,
                                         .zone = z,
                                         .xff = (double)NAN};
    assert_int_equal(graphite_run_targets(&req, &text, 1, &run, &list, NULL), 0);
    assert_int_equal(list.len, 1);
    assert_int_equal(list.items[0]->start, now - 3600 + 300); /* shown where it was asked for */
    int64_t from = (int64_t)list.items[0]->values[0] - 300;
    graphite_run_free(run);
    text_zone_free(z);
    return from;
}

static void time_shift_keeps_the_hour_of_the_day_when_asked(void **state)
{
    static const int64_t day = 86400,
                         autumn = 1698577200; /* 2023-10-29 11:00 UTC; 01:00 was the end */
    struct world w;
    (void)state;
    open_world(&w);
    for (int64_t t = autumn - 8 * day; t <= autumn + 8 * day; t += 300)
        add(&w, "a.b", t, (double)t);
    refresh(&w);
    int64_t now = autumn + 3 * day, from = now - 3600;
    assert_int_equal(shifted_from(&w, now, "Europe/Berlin", "timeShift(a.b,'7d')"), from - 7 * day);
    assert_int_equal(shifted_from(&w, now, "Europe/Berlin", "timeShift(a.b,'7d',true,true)"),
                     from - 7 * day - 3600);
    /* No change between them, and a zone without one. */
    assert_int_equal(shifted_from(&w, now, "Europe/Berlin", "timeShift(a.b,'1d',true,true)"),
                     from - day);
    assert_int_equal(shifted_from(&w, now, "Asia/Kolkata", "timeShift(a.b,'7d',true,true)"),
                     from - 7 * day);
    /* From summer into winter, with a shift ahead. */
    now = autumn - 5 * day;
    assert_int_equal(shifted_from(&w, now, "Europe/Berlin", "timeShift(a.b,'+7d',true,true)"),
                     now - 3600 + 7 * day + 3600);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_grows),
        cmocka_unit_test(index_forgets_what_was_deleted),
        cmocka_unit_test(plans_answer_as_rows_do),
        cmocka_unit_test(time_shift_keeps_the_hour_of_the_day_when_asked),
    };
    return cmocka_run_group_tests_name("graphite", tests, NULL, NULL);
}
