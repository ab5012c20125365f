/* TraceQL over the store: with however little memory there is an answer or an error that names the
 * setting, answers do not depend on threads, and a thousand names of attributes are nothing. */
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/hash.h"
#include "base/log.h"
#include "lang/traceql/run.h"
#include "store_world.h"

#define DAY    (1700006400 * NS_PER_SEC) /* begins */
#define TRACES 400

static uint64_t state_now = 41;
static unsigned below(unsigned n)
{
    state_now = hash_u64(state_now + 0x9e3779b97f4a7c15);
    return (unsigned)(state_now % n);
}

static void put_trace(struct data_event_batch *b, uint32_t stream, uint32_t number, unsigned names)
{
    uint64_t trace[2] = {hash_u64(number + 1), hash_u64(number + 7777)};
    unsigned count = 1 + below(9);
    for (unsigned i = 0; i < count; i++) {
        uint64_t id = hash_u64((uint64_t)number << 20 | (i + 1)), parent = 0;
        data_event_batch_add_row(b, stream, DAY + (int64_t)(number * 1000 + i) * 1000000);
        data_event_put(b, DATA_EVENT_TRACE_ID,
                       data_value_bytes(data_event_batch_copy(b, slice_make(trace, 16))));
        data_event_put(b, DATA_EVENT_SPAN_ID,
                       data_value_bytes(data_event_batch_copy(b, slice_make(&id, 8))));
        if (i) {
            parent = hash_u64((uint64_t)number << 20 | (below(i) + 1));
            data_event_put(b, DATA_EVENT_PARENT_ID,
                           data_value_bytes(data_event_batch_copy(b, slice_make(&parent, 8))));
        }
        data_event_put(b, DATA_EVENT_NAME, data_value_string(i ? SLICE("child") : SLICE("root")));
        data_event_put(b, DATA_EVENT_KIND, data_value_int(1 + below(4)));
        data_event_put(b, DATA_EVENT_STATUS, data_value_int(below(3)));
        data_event_put(b, DATA_EVENT_DURATION, data_value_int(1000 + below(4000000)));
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("code")),
                       data_value_int(200 + below(4) * 100));
        for (unsigned k = 0; k < names; k++)
            data_event_put(b,
                           data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE,
                                                  arena_printf(b->arena, "key.%u.%u", number, k)),
                           data_value_string(SLICE("bomb")));
    }
}

static int begin(void **state)
{
    struct store_world *w = mem_calloc(1, sizeof(*w));
    store_world_begin(w, DAY + 86400 * NS_PER_SEC, 3);
    for (uint32_t part = 0; part < 4; part++) {
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
        for (uint32_t i = 0; i < TRACES / 4; i++) {
            struct data_label l = {SLICE("service.name"), i % 3 ? SLICE("shop") : SLICE("cart")};
            uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){&l, 1});
            /* A hundred traces bring twenty names each that no other has. */
            put_trace(b, stream, part * TRACES / 4 + i, part == 1 ? 20 : 0);
        }
        store_world_append(w, b);
        if (part < 3)
            store_world_flush(w);
    }
    *state = w;
    return 0;
}

static int end(void **state)
{
    store_world_end(*state);
    mem_free(*state);
    return 0;
}

static void put_traces(const struct traceql_result *r, struct buf *out)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct traceql_found *f = &r->traces[i];
        buf_printf(out, "%016llx %.*s %lld:", (unsigned long long)hash64(f->id, 16, 0),
                   SLICE_FMT(f->root_name), (long long)f->duration_ns);
        for (size_t k = 0; k < f->set_count; k++)
            buf_printf(out, " %zu of %zu", f->sets[k].span_count, f->sets[k].matched);
        buf_append_char(out, '\n');
    }
}

static int search(struct store_world *w, const char *text, struct task_pool *pool,
                  struct budget *memory, struct buf *out, struct diag *d)
{
    struct arena *plans = arena_new(0, NULL), *arena = arena_new(256, memory);
    const struct traceql_search what = {
        .start_ns = DAY, .end_ns = DAY + 86400 * NS_PER_SEC, .limit = 50, .spans = 3};
    const struct traceql_env env = {.source = store_events(w->store, DATA_EVENT_SPANS),
                                    .tenant = SLICE("default"),
                                    .limits = {.memory = memory},
                                    .pool = pool};
    struct traceql_query *q;
    struct traceql_result r;
    diag_init(d);
    assert_int_equal(traceql_parse(slice_cstr(text), plans, &q, d), 0);
    int err = traceql_search_run(q, &what, &env, arena, &r, d);
    if (!err)
        put_traces(&r, out);
    traceql_query_free(q);
    arena_free(arena);
    arena_free(plans);
    return err;
}

static int metrics(struct store_world *w, const char *text, struct task_pool *pool,
                   struct budget *memory, struct buf *out, struct diag *d)
{
    struct arena *plans = arena_new(0, NULL), *arena = arena_new(256, memory);
    const struct query_steps steps = {.start_ns = DAY + 60 * NS_PER_SEC,
                                      .end_ns = DAY + 420 * NS_PER_SEC,
                                      .step_ns = 60 * NS_PER_SEC};
    const struct traceql_env env = {.source = store_events(w->store, DATA_EVENT_SPANS),
                                    .tenant = SLICE("default"),
                                    .limits = {.memory = memory},
                                    .pool = pool};
    const struct query_env qenv = {
        .tenant = SLICE("default"), .series_max = 1000, .memory = memory, .pool = pool};
    struct traceql_stats stats = {0};
    struct traceql_exemplars exemplars = {.max = 5};
    struct traceql_query *q;
    struct query_plan *plan;
    struct query_result r;
    diag_init(d);
    assert_int_equal(traceql_parse(slice_cstr(text), plans, &q, d), 0);
    int err = traceql_plan(q, &steps, 0, &env, plans, &plan, &stats, &exemplars, d);
    if (!err)
        err = query_run(plan, &qenv, arena, &r, d);
    for (size_t i = 0; !err && i < r.series_count; i++) {
        for (size_t k = 0; k < r.series[i].count; k++)
            buf_printf(out, "%.10g ", query_point_at(&r.series[i], k).value);
        buf_append_char(out, '\n');
    }
    traceql_query_free(q);
    arena_free(arena);
    arena_free(plans);
    return err;
}

static const struct {
    const char *text;
    bool metric;
} queries[] = {
    {"{ .code >= 400 }", false},
    {"{ name = \"root\" } >> { status = error }", false},
    {"{ resource.service.name = \"cart\" } | count() > 3 | select(span.code)", false},
    {"{ } | by(resource.service.name) | avg(duration) > 1ms", false},
    {"{ span.key.123.7 = \"bomb\" }", false},
    {"{ } | rate() by (span.code)", true},
    {"{ status = error } | quantile_over_time(duration, .5, .9)", true},
    {"{ name = \"root\" } > { .code = 500 } | count_over_time() by (resource.service.name)", true},
};

static int ask(struct store_world *w, size_t i, struct task_pool *pool, struct budget *memory,
               struct buf *out, struct diag *d)
{
    return queries[i].metric ? metrics(w, queries[i].text, pool, memory, out, d)
                             : search(w, queries[i].text, pool, memory, out, d);
}

static void memory_may_end_anywhere(void **state)
{
    struct store_world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        bool done = false;
        struct buf want = {0};
        struct diag d;
        assert_int_equal(ask(w, i, NULL, NULL, &want, &d), 0);
        assert_true(want.len > 0);
        for (int64_t limit = 1; !done; limit += 1 + limit / 2) {
            struct budget memory;
            struct buf out = {0};
            budget_init(&memory, NULL, limit, "limits.query.memory");
            int err = ask(w, i, limit & 1 ? w->pool : NULL, &memory, &out, &d);
            done = err != ERR_NOMEM;
            if (err && (done || !strstr(d.msg, "limits.query.memory")))
                fail_msg("%s with %lld bytes: %d %s", queries[i].text, (long long)limit, err,
                         d.msg);
            if (!err && !slice_eq(buf_slice(&out), buf_slice(&want)))
                fail_msg("%s: another answer with %lld bytes", queries[i].text, (long long)limit);
            assert_int_equal(memory.used, 0);
            assert_true(memory.peak <= limit);
            buf_deinit(&out);
        }
        buf_deinit(&want);
    }
}

static void threads_change_nothing(void **state)
{
    struct store_world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
        struct buf one = {0}, all = {0};
        struct diag d;
        assert_int_equal(ask(w, i, NULL, NULL, &one, &d), 0);
        assert_int_equal(ask(w, i, w->pool, NULL, &all, &d), 0);
        assert_true(slice_eq(buf_slice(&one), buf_slice(&all)));
        buf_deinit(&one);
        buf_deinit(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_may_end_anywhere, begin, end),
        cmocka_unit_test_setup_teardown(threads_change_nothing, begin, end),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
