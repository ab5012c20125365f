/* Graphite's language and index over a store on a simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/graphite/graphite.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_grows),
        cmocka_unit_test(index_forgets_what_was_deleted),
    };
    return cmocka_run_group_tests_name("graphite", tests, NULL, NULL);
}
