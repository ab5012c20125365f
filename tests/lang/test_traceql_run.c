/* TraceQL over the spans of a small store on a simulated disk: what queries find and count, before
 * and after the spans left memory; and that a query whose memory ends, wherever that is, says so.
 */
#include <math.h>
#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/traceql/run.h"
#include "os/sim.h"
#include "store/store.h"

#define NOW (INT64_C(1700000000) * NS_PER_SEC)
#define MS  NS_PER_MS

struct world {
    struct os_sim *sim;
    struct store *store;
    struct data_event_batch *batch;
};

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    (void)ctx;
    assert_int_equal(err, 0);
    for (int i = 0; i < STORE_REFUSED_COUNT; i++)
        assert_int_equal(r->refused[i], 0);
}

/* trace, span, parent (0: none; 99: one that is nowhere), service, name, kind, status, start and
 * duration in ms after NOW, an attribute n (-1: none) */
struct row {
    int trace, span, parent;
    const char *service, *name;
    int kind, status, start_ms, duration_ms, n;
};

static const struct row rows[] = {
    {1, 1, 0, "front", "GET", 2, 0, 0, 100, 1},     {1, 2, 1, "front", "call", 3, 0, 10, 80, 2},
    {1, 3, 2, "cart", "get", 2, 0, 20, 60, 3},      {1, 4, 3, "cart", "SELECT", 3, 2, 30, 20, -1},
    {1, 5, 3, "cart", "SELECT", 3, 0, 60, 10, 5},   {2, 1, 0, "front", "POST", 2, 2, 5000, 900, 1},
    {2, 2, 1, "front", "call", 3, 2, 5010, 800, 7}, {2, 3, 2, "cart", "get", 2, 2, 5020, 700, 3},
    {3, 1, 99, "job", "orphan", 1, 0, 9000, 5, -1}, /* its parent is nowhere */
    {4, 1, 2, "loop", "a", 1, 0, 9100, 5, -1},      /* each other's parent */
    {4, 2, 1, "loop", "b", 1, 0, 9101, 5, -1},      {5, 1, 1, "loop", "self", 1, 0, 9200, 5, -1},
};

static void put_id(struct data_event_batch *b, uint32_t field, int id, size_t size)
{
    char bytes[16] = {0};
    bytes[size - 1] = (char)id;
    data_event_put(b, field, data_value_bytes(data_event_batch_copy(b, slice_make(bytes, size))));
}

static void add(struct data_event_batch *b, const struct row *r)
{
    struct data_label label = {SLICE("service_name"), slice_cstr(r->service)};
    uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){&label, 1});
    uint32_t at = data_event_batch_add_row(b, stream, NOW + r->start_ms * MS);
    b->rows.items[at].resource = b->rows.items[at].scope = DATA_EVENT_NONE;
    put_id(b, DATA_EVENT_TRACE_ID, r->trace, 16);
    put_id(b, DATA_EVENT_SPAN_ID, r->span, 8);
    if (r->parent)
        put_id(b, DATA_EVENT_PARENT_ID, r->parent, 8);
    data_event_put(b, DATA_EVENT_NAME, data_value_string(slice_cstr(r->name)));
    data_event_put(b, DATA_EVENT_KIND, data_value_int(r->kind));
    data_event_put(b, DATA_EVENT_STATUS, data_value_int(r->status));
    data_event_put(b, DATA_EVENT_DURATION, data_value_int(r->duration_ms * MS));
    if (r->n >= 0)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("n")),
                       data_value_int(r->n));
    if (r->span == 4) { /* events and a link */
        struct data_event_child event = {.kind = DATA_CHILD_EVENT,
                                         .ts_ns = NOW + r->start_ms * MS + MS,
                                         .name = SLICE("exception")};
        struct data_event_child link = {.kind = DATA_CHILD_LINK,
                                        .trace_id = SLICE("0123456789abcdef"),
                                        .span_id = SLICE("01234567")};
        data_event_batch_add_child(b, &event);
        data_event_child_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("type")),
                             data_value_string(SLICE("timeout")));
        data_event_batch_add_child(b, &link);
    }
}

static int begin(void **state)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    struct store_config config;
    struct diag d;
    diag_init(&d);
    w->sim = os_sim_new(1);
    os_sim_set_now(w->sim, NOW + 60 * NS_PER_SEC);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.disk_reserve_bytes = 0;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d))
        fail_msg("open: %s", d.msg);
    w->batch = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        add(w->batch, &rows[i]);
    store_append_events(w->store, w->batch, on_ack, w);
    store_sync(w->store);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    data_event_batch_free(w->batch);
    store_close(w->store);
    os_sim_free(w->sim);
    mem_free(w);
    return 0;
}

static struct traceql_env env_of(struct world *w, struct budget *memory)
{
    return (struct traceql_env){.source = store_events(w->store, DATA_EVENT_SPANS),
                                .tenant = SLICE("default"),
                                .limits = {.memory = memory}};
}

/* Trace by trace it finds the same, each once. */
static void step_by_step(struct traceql_query *q, const struct traceql_search *what,
                         const struct traceql_env *env, const struct traceql_result *want)
{
    struct arena *arena = arena_new(0, NULL);
    struct traceql_searching *s;
    struct traceql_result r;
    size_t found = 0, steps = 0;
    bool done = false;
    assert_int_equal(traceql_search_open(q, what, env, arena, &s, NULL), 0);
    while (!done) {
        uint64_t before = steps++ ? r.stats.pieces_done : 0;
        assert_int_equal(traceql_search_step(s, 1, &r, &done, NULL), 0);
        assert_true(r.count <= 1 && r.stats.pieces_done >= before &&
                    r.stats.pieces_done <= r.stats.pieces);
        for (size_t i = 0; i < r.count; i++, found++) {
            size_t k = 0;
            while (k < want->count && memcmp(want->traces[k].id, r.traces[i].id, 16) != 0)
                k++;
            assert_true(k < want->count);
            assert_int_equal(want->traces[k].set_count, r.traces[i].set_count);
        }
    }
    assert_int_equal(found, want->count);
    assert_int_equal(r.stats.pieces_done, r.stats.pieces);
    assert_true(steps > found || found == what->limit);
    traceql_search_close(s);
    arena_free(arena);
}

/* "2: call get | 1: SELECT SELECT": traces newest first, the spans of each spanset sorted by start.
 * An error is its code. */
static int search(struct world *w, const char *query, struct budget *memory, struct buf *out,
                  struct diag *diag)
{
    struct arena *arena = arena_new(0, memory), *plain = arena_new(0, NULL);
    struct traceql_env env = env_of(w, memory);
    const struct traceql_search what = {
        .start_ns = NOW, .end_ns = NOW + 60 * NS_PER_SEC, .limit = 10, .spans = 10};
    struct traceql_result r;
    struct traceql_query *q;
    diag_init(diag);
    int err = traceql_parse(slice_cstr(query), plain, &q, diag);
    if (err)
        fail_msg("%s: %s", query, diag->msg);
    err = traceql_search_run(q, &what, &env, arena, &r, diag);
    if (!err && !memory)
        step_by_step(q, &what, &env, &r);
    buf_clear(out);
    for (size_t i = 0; !err && i < r.count; i++) {
        buf_printf(out, "%s%d:", i ? " | " : "", r.traces[i].id[15]);
        for (size_t k = 0; k < r.traces[i].set_count; k++) {
            const struct traceql_found_set *set = &r.traces[i].sets[k];
            buf_append_cstr(out, k ? " +" : "");
            for (size_t s = 0; s < set->span_count; s++)
                buf_printf(out, " %.*s", SLICE_FMT(set->spans[s].name));
            assert_int_equal(set->matched, set->span_count);
        }
    }
    traceql_query_free(q);
    arena_free(plain);
    arena_free(arena);
    return err;
}

static int64_t steady(void *ctx)
{
    (void)ctx;
    return 0;
}

/* "{name=\"x\"} 1 2 -": the two steps of ten seconds. */
static int metrics(struct world *w, const char *query, struct budget *memory, struct buf *out,
                   struct diag *diag)
{
    struct arena *arena = arena_new(0, memory), *plain = arena_new(0, NULL);
    struct traceql_env env = env_of(w, memory);
    const struct query_steps steps = {.start_ns = NOW + 4 * NS_PER_SEC,
                                      .end_ns = NOW + 14 * NS_PER_SEC,
                                      .step_ns = 10 * NS_PER_SEC};
    const struct query_env run = {.tenant = SLICE("default"), .memory = memory, .now_ns = steady};
    struct traceql_stats stats = {0};
    struct traceql_exemplars exemplars = {.max = 5};
    struct query_result r = {0};
    struct traceql_query *q;
    struct query_plan *plan;
    diag_init(diag);
    int err = traceql_parse(slice_cstr(query), plain, &q, diag);
    if (!err)
        err = traceql_plan(q, &steps, 0, &env, plain, &plan, &stats, &exemplars, diag);
    if (err)
        fail_msg("%s: %s", query, diag->msg);
    err = query_run(plan, &run, arena, &r, diag);
    if (!err)
        err = traceql_finish(q, steps.step_ns, &r, &exemplars, arena, diag);
    buf_clear(out);
    for (size_t i = 0; !err && i < r.series_count; i++) {
        buf_append_cstr(out, i ? " | " : "");
        for (size_t k = 0; k < r.series[i].labels.count; k++) {
            const struct data_label *l = &r.series[i].labels.items[k];
            buf_printf(out, "%.*s=", SLICE_FMT(l->name));
            traceql_value_text(traceql_label_value(l->value), out);
            buf_append_char(out, ' ');
        }
        for (int64_t t = steps.start_ns, k = 0; t <= steps.end_ns; t += steps.step_ns) {
            if ((size_t)k < r.series[i].count && query_point_at(&r.series[i], (size_t)k).ts_ns == t)
                buf_printf(out, "%s%g", t > steps.start_ns ? " " : "",
                           query_point_at(&r.series[i], (size_t)k++).value);
            else
                buf_append_cstr(out, t > steps.start_ns ? " -" : "-");
        }
    }
    traceql_query_free(q);
    arena_free(plain);
    arena_free(arena);
    return err;
}

static const struct {
    const char *query, *found;
} searches[] = {
    {"{ name = \"SELECT\" }", "1: SELECT SELECT"},
    {"{ }", "5: self | 4: a b | 3: orphan | 2: POST call get | 1: GET call get SELECT SELECT"},
    {"{ resource.service.name = \"cart\" && status = error }", "2: get | 1: SELECT"},
    {"{ .n >= 3 }", "2: call get | 1: get SELECT"},
    {"{ span.n = nil }", "5: self | 4: a b | 3: orphan | 1: SELECT"},
    {"{ span.n != 3 }", "2: POST call | 1: GET call SELECT"},
    {"{ duration > 500ms }", "2: POST call get"},
    {"{ kind = server } && { status = error }", "2: POST call get | 1: GET get SELECT"},
    {"{ name = \"GET\" } || { name = \"POST\" }", "2: POST | 1: GET"},
    {"{ kind = server } > { kind = client }", "2: call | 1: call SELECT SELECT"},
    {"{ name = \"GET\" } >> { resource.service.name = \"cart\" }", "1: get SELECT SELECT"},
    {"{ name = \"SELECT\" } << { name = \"call\" }", "1: call"},
    {"{ name = \"SELECT\" } ~ { name = \"SELECT\" }", "1: SELECT SELECT"},
    {"{ name = \"call\" } &> { name = \"get\" }", "2: call get | 1: call get"},
    {"{ name = \"call\" } !> { name = \"SELECT\" }", "1: SELECT SELECT"},
    {"{ nestedSetParent < 0 }", "2: POST | 1: GET"},
    {"{ parent = nil }", "2: POST | 1: GET"},
    {"{ rootName = \"POST\" && name = \"get\" }", "2: get"},
    {"{ traceDuration > 500ms && name = \"call\" }", "2: call"},
    {"{ event:name = \"exception\" && event.type = \"timeout\" }", "1: SELECT"},
    {"{ link:spanID = \"3031323334353637\" }", "1: SELECT"},
    {"{ span:childCount = 2 }", "1: get"},
    {"{ parent.n = 2 }", "1: get"},
    {"{ } | count() > 2", "2: POST call get | 1: GET call get SELECT SELECT"},
    {"{ } | avg(span.n) > 3", "2: POST call get"},
    {"{ resource.service.name = \"cart\" } | by(name) | count() = 2", "1: SELECT SELECT"},
    {"{ } | by(resource.service.name) | coalesce() | count() = 3", "2: POST call get"},
    {"{ } | select(span.n) | { name = \"a\" }", "4: a"},
    {"{ name =~ \"S.*\" }", "1: SELECT SELECT"},
    {"{ name !~ \"[A-Z].*\" && kind != internal }", "2: call get | 1: call get"},
    /* who is nobody's child, or everybody's, makes no structure and no harm */
    {"{ name = \"b\" } >> { name = \"a\" }", NULL},
    {"{ name = \"self\" } > { name = \"self\" }", NULL},
    {"{ name = \"orphan\" } ~ { }", NULL},
};

static void test_searches(void **state)
{
    struct world *w = *state;
    struct buf out = {0};
    struct diag diag;
    for (int round = 0; round < 2; round++) { /* in memory, then from a part */
        for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
            if (search(w, searches[i].query, NULL, &out, &diag))
                fail_msg("%s: %s", searches[i].query, diag.msg);
            if (searches[i].found && !slice_eq_cstr(buf_slice(&out), searches[i].found))
                fail_msg("%s found \"%s\", not \"%s\"", searches[i].query, buf_cstr(&out),
                         searches[i].found);
        }
        assert_int_equal(store_maintain(w->store, true, &diag), 0);
    }
    buf_deinit(&out);
}

static const struct {
    const char *query, *values;
} counts[] = {
    {"{ } | count_over_time()", "__name__=count_over_time 5 7"}, /* (T - step, T] */
    {"{ } | rate()", "__name__=rate 0.5 0.7"},
    {"{ status = error } | count_over_time() by (resource.service.name)",
     "resource.service.name=cart 1 1 | resource.service.name=front 0 2"},
    {"{ } | max_over_time(duration) by (name)", NULL},
    {"{ name = \"call\" } | min_over_time(duration)", "__name__=min_over_time 0.08 0.8"},
    {"{ name = \"call\" } | sum_over_time(span.n)", "__name__=sum_over_time 2 7"},
    {"{ name = \"get\" } | avg_over_time(duration)", "__name__=avg_over_time 0.06 0.7"},
    {"{ } | quantile_over_time(duration, .5)", NULL},
    {"{ kind = internal } | histogram_over_time(duration)", "__bucket=0.008388608 0 4"},
    {"{ } | compare({ status = error })", NULL},
    {"{ } | count_over_time() by (name) | topk(1)", NULL},
    {"{ kind = server } | sum_over_time(duration) by (name) | bottomk(1)", "name=get 0.06 0.7"},
    {"{ kind = server } >> { kind = client } | count_over_time()", NULL},
    {"({ status = error } | count_over_time()) / ({ } | count_over_time())",
     "__name__=(count_over_time / count_over_time) 0.2 0.428571"},
    {"{ name = \"nobody\" } | count_over_time()", "__name__=count_over_time 0 0"},
    {"{ name = \"nobody\" } | count_over_time() by (name)", ""},
    {"{ name = \"nobody\" } | max_over_time(duration)", ""},
    {"10 * ({ } | rate()) - 1 / 2", "__name__=rate 5 7"},
    {"({ } | rate()) + ({ name = \"nobody\" } | rate()) > 0.6", "__name__=(rate + rate) - 0.7"},
    {"({ } | rate()) / ({ name = \"nobody\" } | rate())", ""}, /* by zero: no point, no series */
    {"({ } | rate()) / 0", ""},
    {"{ } | count_over_time() >= 5 | topk(1) != 5", "__name__=count_over_time - 7"},
    {"{ } | max_over_time(duration) > 500ms", "__name__=max_over_time - 0.9"},
    {"({ name = \"get\" } | count_over_time() by (name)) / ({ } | count_over_time())",
     "name=get 0.2 0.142857"},
};

static void test_counts(void **state)
{
    struct world *w = *state;
    struct buf out = {0};
    struct diag diag;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
            if (metrics(w, counts[i].query, NULL, &out, &diag))
                fail_msg("%s: %s", counts[i].query, diag.msg);
            if (counts[i].values ? !slice_eq_cstr(buf_slice(&out), counts[i].values) : !out.len)
                fail_msg("%s gave \"%s\", not \"%s\"", counts[i].query, buf_cstr(&out),
                         counts[i].values ? counts[i].values : "something");
        }
        assert_int_equal(store_maintain(w->store, true, &diag), 0);
    }
    buf_deinit(&out);
}

typedef int (*run_fn)(struct world *w, const char *query, struct budget *memory, struct buf *out,
                      struct diag *diag);

/* With ever more memory a query fails for that reason alone, until its answer is the right one; and
 * gives all of it back. */
static void starve(struct world *w, run_fn run, const char *query)
{
    struct buf expected = {0}, out = {0};
    struct diag diag;
    assert_int_equal(run(w, query, NULL, &expected, &diag), 0);
    int err = ERR_NOMEM, failed = 0;
    for (int64_t limit = 16; err; limit += limit / 12 + 16) {
        struct budget memory;
        budget_init(&memory, NULL, limit, "limits.query.memory");
        err = run(w, query, &memory, &out, &diag);
        if (err && (err != ERR_NOMEM || !strstr(diag.msg, "limits.query.memory")))
            fail_msg("%s with %lld bytes: %s: %s", query, (long long)limit, err_name(err),
                     diag.msg);
        if (!err && !slice_eq(buf_slice(&out), buf_slice(&expected)))
            fail_msg("%s with %lld bytes gave \"%s\", not \"%s\"", query, (long long)limit,
                     buf_cstr(&out), buf_cstr(&expected));
        if (memory.used != 0)
            fail_msg("%s with %lld bytes: %lld are still charged", query, (long long)limit,
                     (long long)memory.used);
        failed += err != 0;
        assert_true(limit < 64 << 20);
    }
    assert_true(failed > 5);
    buf_deinit(&expected);
    buf_deinit(&out);
}

static void test_memory_ends_anywhere(void **state)
{
    struct world *w = *state;
    struct diag diag;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(searches); i += 3)
            starve(w, search, searches[i].query);
        for (size_t i = 0; i < ARRAY_LEN(counts); i++)
            starve(w, metrics, counts[i].query);
        assert_int_equal(store_maintain(w->store, true, &diag), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_searches, begin, end),
        cmocka_unit_test_setup_teardown(test_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_memory_ends_anywhere, begin, end),
    };
    return cmocka_run_group_tests_name("traceql_run", tests, NULL, NULL);
}
