/* Selecting among many streams: pages of a part's table that are skipped or taken whole change
 * nothing in what is selected. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/log.h"
#include "os/sim.h"
#include "store/events.h"
#include "text/regex.h"

#define DAY     (1700006400 * NS_PER_SEC) /* begins */
#define STREAMS 2000

static uint64_t state_now = 21;
static unsigned below(unsigned n)
{
    state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
    return (unsigned)(state_now % n);
}

struct stream {
    struct data_labels labels;
    int64_t ts;
    bool other_tenant;
};

static struct stream streams[STREAMS];

static void make_streams(struct arena *a)
{
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct data_labels_builder b = {0};
        data_labels_builder_set(&b, SLICE("app"), arena_printf(a, "app-%u", i / 700));
        data_labels_builder_set(&b, SLICE("request.id"), arena_printf(a, "%08x", i * 2654435761u));
        if (i % 900 < 600)
            data_labels_builder_set(&b, SLICE("zone"), i % 3 ? SLICE("east") : SLICE("west"));
        if (i < 300)
            data_labels_builder_set(&b, SLICE("request_id"), SLICE("fixed"));
        struct data_labels labels;
        data_labels_builder_finish(&b, &labels, NULL);
        streams[i] =
            (struct stream){data_labels_copy(a, labels),
                            DAY + (int64_t)i * 20 * NS_PER_SEC + below(1000), i % 500 > 480};
        data_labels_builder_deinit(&b);
    }
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    *(int *)ctx = err ? err : r->first_refusal.code;
}

static void fill(struct store *s)
{
    /* Flushes of streams far from each other and side by side, merged in the end. */
    for (uint32_t part = 0; part < 5; part++) {
        for (int other = 0; other < 2; other++) {
            struct data_event_batch *b =
                data_event_batch_new(DATA_EVENT_LOGS, other ? SLICE("other") : SLICE("default"));
            int err = 1;
            for (uint32_t i = 0; i < STREAMS; i++) {
                if ((part < 2 ? i % 2 : 2 + i / 700) != part || streams[i].other_tenant != other)
                    continue;
                data_event_batch_add_row(b, data_event_batch_add_stream(b, streams[i].labels),
                                         streams[i].ts);
                data_event_put(b, DATA_EVENT_LINE, data_value_string(SLICE("line")));
            }
            store_append_events(s, b, on_ack, &err);
            store_sync(s);
            assert_int_equal(err, 0);
            data_event_batch_free(b);
        }
        assert_int_equal(store_maintain(s, true, NULL), 0);
    }
}

static struct slice label(struct data_labels labels, struct slice name)
{
    struct slice v = data_labels_get(labels, name);
    for (size_t i = 0; !v.ptr && i < labels.count; i++) {
        if (data_event_name_matches(labels.items[i].name, name))
            v = labels.items[i].value;
    }
    return v.ptr ? v : SLICE("");
}

static void check(struct store *s, const struct store_event_select *req, const char *what)
{
    struct store_event_source *src = store_events(s, DATA_EVENT_LOGS);
    struct store_event_scan scan = {.select = *req};
    struct store_event_counts counts;
    struct store_event_stream *found;
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    struct arena *arena = arena_new(0, NULL);
    size_t want = 0, want_near = 0, rows = 0, n;
    uint64_t counted = 0;
    for (uint32_t i = 0; i < STREAMS; i++) {
        bool is =
            slice_eq(req->tenant, streams[i].other_tenant ? SLICE("other") : SLICE("default"));
        for (size_t k = 0; k < req->matcher_count; k++)
            is = is && store_matcher_matches(&req->matchers[k],
                                             label(streams[i].labels, req->matchers[k].name));
        want += is && streams[i].ts >= req->t_min_ns && streams[i].ts <= req->t_max_ns ? 2 : 0;
        want_near += is;
    }
    assert_int_equal(src->ops->scan(src, &scan, &c, NULL), 0);
    do {
        assert_int_equal(src->ops->next(c, &chunk, NULL), 0);
        for (size_t i = 0; i < chunk.count; i++) {
            for (size_t k = 0; k < req->matcher_count; k++)
                assert_true(store_matcher_matches(
                    &req->matchers[k],
                    label(chunk.streams[chunk.stream[i]].labels, req->matchers[k].name)));
        }
        rows += chunk.count;
    } while (chunk.count);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    if (rows != want)
        fail_msg("%s: %zu rows instead of %zu", what, rows, want);
    assert_int_equal(src->ops->streams(src, req, arena, &found, &n, NULL), 0);
    assert_true(n * 2 >= want && n <= want_near);
    for (int by_stream = 0; by_stream < 2 && req->t_min_ns == INT64_MIN; by_stream++) {
        counted = 0;
        assert_int_equal(src->ops->counts(src, req, 0, by_stream, true, arena, &counts, NULL), 0);
        for (size_t i = 0; i < counts.count; i++)
            counted += counts.items[i].rows;
        assert_int_equal(counted, want);
    }
    arena_free(arena);
}

static void selections_are_the_same(void **state)
{
    (void)state;
    struct arena *a = arena_new(0, NULL);
    struct os_sim *sim = os_sim_new(5);
    struct store *s;
    struct store_config config;
    os_sim_set_now(sim, DAY + 86400 * NS_PER_SEC);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.disk_reserve_bytes = 0;
    assert_int_equal(store_open(&config, os_sim_os(sim), NULL, &s, NULL), 0);
    make_streams(a);
    fill(s);
    static const struct {
        enum store_match_op op;
        const char *name, *value;
    } matchers[] = {
        {STORE_MATCH_EQ, "app", "app-1"},
        {STORE_MATCH_EQ, "app", "app-9"},
        {STORE_MATCH_NE, "app", "app-0"},
        {STORE_MATCH_RE, "app", "app-[02]"},
        {STORE_MATCH_NRE, "app", "app-[02]"},
        {STORE_MATCH_EQ, "zone", "east"},
        {STORE_MATCH_EQ, "zone", ""},
        {STORE_MATCH_NE, "zone", ""},
        {STORE_MATCH_RE, "zone", ".+"},
        {STORE_MATCH_EQ, "nothing", ""},
        {STORE_MATCH_EQ, "nothing", "x"},
        {STORE_MATCH_NE, "nothing", "x"},
        {STORE_MATCH_EQ, "request_id", "fixed"},
        {STORE_MATCH_EQ, "request.id", "fixed"},
        {STORE_MATCH_EQ, "request_id", "9e3779b1"},
        {STORE_MATCH_EQ, "request.id", "9e3779b1"},
        {STORE_MATCH_RE, "request_id", "9e.*"},
    };
    for (size_t i = 0; i < ARRAY_LEN(matchers) * 4; i++) {
        struct store_matcher m[2];
        const size_t at[2] = {i / 4, below(ARRAY_LEN(matchers))};
        struct store_event_select req = {
            .tenant = i % 4 == 3 ? SLICE("other") : SLICE("default"),
            .t_min_ns = i & 1 ? DAY + below(40000) * NS_PER_SEC : INT64_MIN,
            .t_max_ns = i & 1 ? DAY + below(40000) * NS_PER_SEC : INT64_MAX,
            .matchers = m,
            .matcher_count = 1 + (i % 4 == 2)};
        for (int k = 0; k < 2; k++) {
            struct text_regex *regex = NULL;
            m[k] = (struct store_matcher){matchers[at[k]].op, slice_cstr(matchers[at[k]].name),
                                          slice_cstr(matchers[at[k]].value), NULL};
            if (m[k].op == STORE_MATCH_RE || m[k].op == STORE_MATCH_NRE)
                assert_int_equal(text_regex_compile(m[k].value, TEXT_REGEX_ANCHORED, &regex, NULL),
                                 0);
            m[k].regex = regex;
        }
        check(s, &req, matchers[at[0]].value);
        for (int k = 0; k < 2; k++)
            text_regex_free((struct text_regex *)(uintptr_t)m[k].regex);
    }
    store_close(s);
    os_sim_free(sim);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(selections_are_the_same)};
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
