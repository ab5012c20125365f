/* What the event store refuses, tells, and bounds. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "event_damage.h"
#include "os/sim.h"
#include "quiet.h"
#include "store/events.h"
#include "text/regex.h"

#define NOW (1700000000 * NS_PER_SEC)

struct world {
    struct os_sim *sim;
    struct store *store;
    struct store_append_result result;
    int err;
    bool acked;
};

static void open_store(struct world *w)
{
    struct store_config config;
    struct diag d;
    diag_init(&d);
    store_config_init(&config);
    config.dir = "data";
    config.background = false;
    config.disk_reserve_bytes = 0;
    config.streams_max = 5;
    config.line_bytes_max = 100;
    config.field_count_max = 6;
    config.field_bytes_max = 50;
    config.label_count_max = 3;
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d))
        fail_msg("open: %s", d.msg);
}

static int begin(void **state)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    w->sim = os_sim_new(1);
    os_sim_set_now(w->sim, NOW);
    open_store(w);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    store_close(w->store);
    os_sim_free(w->sim);
    mem_free(w);
    return 0;
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    w->err = err;
    w->result = *r;
    w->acked = true;
}

static void append(struct world *w, struct data_event_batch *b)
{
    w->acked = false;
    store_append_events(w->store, b, on_ack, w);
    store_sync(w->store);
    assert_true(w->acked);
    assert_int_equal(w->err, 0);
    data_event_batch_free(b);
}

static uint32_t stream(struct data_event_batch *b, const char *app)
{
    struct data_label l = {SLICE("app"), slice_cstr(app)};
    return data_event_batch_add_stream(b, (struct data_labels){&l, 1});
}

static void put_line(struct data_event_batch *b, uint32_t s, int64_t ts, const char *line)
{
    data_event_batch_add_row(b, s, ts);
    data_event_put(b, DATA_EVENT_LINE, data_value_string(slice_cstr(line)));
}

static struct store_event_select everything(void)
{
    return (struct store_event_select){
        .tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX};
}

static size_t count(struct world *w, const struct store_event_scan *s)
{
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    size_t n = 0;
    assert_int_equal(src->ops->scan(src, s, &c, NULL), 0);
    do {
        assert_int_equal(src->ops->next(c, &chunk, NULL), 0);
        n += chunk.count;
    } while (chunk.count);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    return n;
}

static void refusals_are_told_by_reason(void **state)
{
    struct world *w = *state;
    char long_line[200];
    memset(long_line, 'x', sizeof(long_line));
    long_line[150] = '\0';
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    uint32_t a = stream(b, "a"), none = data_event_batch_add_stream(b, (struct data_labels){0});
    struct data_label many[] = {{SLICE("a"), SLICE("1")},
                                {SLICE("b"), SLICE("1")},
                                {SLICE("c"), SLICE("1")},
                                {SLICE("d"), SLICE("1")}};
    uint32_t wide = data_event_batch_add_stream(b, (struct data_labels){many, 4});
    put_line(b, a, NOW, "fine");
    put_line(b, a, NOW + 3600 * NS_PER_SEC, "too new");
    put_line(b, a, NOW - 40 * 86400 * NS_PER_SEC, "too old");
    put_line(b, a, NOW, long_line);
    put_line(b, none, NOW, "no labels");
    put_line(b, wide, NOW, "many labels");
    put_line(b, a, NOW, "a field is too long");
    data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("f")),
                   data_value_string(slice_first(slice_cstr(long_line), 51)));
    put_line(b, a, NOW, "many fields");
    for (int i = 0; i < 6; i++)
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("g")),
                       data_value_int(i));
    put_line(b, a, NOW, "a trace id of the wrong length");
    data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(SLICE("short")));
    put_line(b, a, NOW, "a trace id of zeros");
    data_event_put(b, DATA_EVENT_TRACE_ID,
                   data_value_bytes(slice_make("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16)));
    put_line(b, a, NOW, "a level that is a number");
    data_event_put(b, DATA_EVENT_LEVEL, data_value_int(3));
    put_line(b, a, NOW, "also fine");
    append(w, b);
    const struct store_append_result *r = &w->result;
    assert_int_equal(r->rows_accepted, 2);
    assert_int_equal(r->refused[STORE_REFUSED_TOO_NEW], 1);
    assert_int_equal(r->refused[STORE_REFUSED_TOO_OLD], 1);
    assert_int_equal(r->refused[STORE_REFUSED_LINE_SIZE], 1);
    assert_int_equal(r->refused[STORE_REFUSED_INVALID], 4);
    assert_int_equal(r->refused[STORE_REFUSED_LABEL_LIMIT], 1);
    assert_int_equal(r->refused[STORE_REFUSED_FIELD_LIMIT], 2);
    assert_non_null(strstr(r->first_refusal.msg, "limits.future"));
    assert_non_null(strstr(r->first_refusal.msg, "{app=\"a\"}"));
    struct store_event_scan all = {.select = everything()};
    assert_int_equal(count(w, &all), 2);
}

static void new_streams_are_bounded(void **state)
{
    struct world *w = *state;
    char name[16];
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "s%d", i);
        put_line(b, stream(b, name), NOW, "line");
    }
    append(w, b);
    assert_int_equal(w->result.rows_accepted, 5);
    assert_int_equal(w->result.refused[STORE_REFUSED_STREAM_LIMIT], 3);
    /* Those that are there go on; in parts they count no more. */
    b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    put_line(b, stream(b, "s1"), NOW, "line");
    append(w, b);
    assert_int_equal(w->result.rows_accepted, 1);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    os_sim_set_now(w->sim, NOW);
    store_close(w->store);
    open_store(w);
    b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    put_line(b, stream(b, "s7"), NOW, "line");
    append(w, b);
    assert_int_equal(w->result.rows_accepted, 1);
}

static void some_lines(struct world *w, int rows)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    uint32_t a = stream(b, "a"), s = stream(b, "b");
    char *line;
    for (int i = 0; i < rows; i++) {
        line = (char *)(uintptr_t)arena_printf(b->arena, "line %d", i).ptr;
        put_line(b, i % 2 ? a : s, NOW - i * NS_PER_SEC, line);
        data_event_put(
            b, DATA_EVENT_LEVEL,
            data_value_string(data_event_level_name(i % 4 ? DATA_LEVEL_INFO : DATA_LEVEL_ERROR)));
        data_event_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("user.id")),
                       data_value_int(i % 7));
    }
    append(w, b);
}

static void tailing_sees_each_row_once(void **state)
{
    struct world *w = *state;
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    some_lines(w, 10);
    struct store_event_scan tail = {.select = everything(),
                                    .after_position = src->ops->position(src)};
    assert_int_equal(count(w, &tail), 0);
    some_lines(w, 5);
    assert_int_equal(count(w, &tail), 5);
    /* A flush in between hides nothing. */
    some_lines(w, 3);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    some_lines(w, 2);
    assert_int_equal(count(w, &tail), 10);
    tail.after_position = src->ops->position(src);
    assert_int_equal(count(w, &tail), 0);
}

static void names_and_values(void **state)
{
    struct world *w = *state;
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    struct store_event_select all = everything();
    some_lines(w, 20);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct arena *arena = arena_new(0, NULL);
        struct slice *names;
        struct store_event_stream *streams;
        struct store_event_field_info *fields;
        struct store_event_field_value *values;
        size_t n;
        bool cut;
        assert_int_equal(src->ops->label_names(src, &all, 0, arena, &names, &n, &cut, NULL), 0);
        assert_int_equal(n, 1);
        assert_true(slice_eq_cstr(names[0], "app"));
        assert_int_equal(
            src->ops->label_values(src, SLICE("app"), &all, 1, arena, &names, &n, &cut, NULL), 0);
        assert_true(n == 1 && cut && slice_eq_cstr(names[0], "a"));
        assert_int_equal(src->ops->streams(src, &all, arena, &streams, &n, NULL), 0);
        assert_true(n == 2 && slice_eq_cstr(streams[1].labels.items[0].value, "b"));
        assert_int_equal(src->ops->fields(src, &all, arena, &fields, &n, NULL), 0);
        assert_int_equal(n, 3);
        assert_true(slice_eq_cstr(fields[0].name, "level") && fields[0].cardinality == 2 &&
                    fields[0].rows == 20);
        assert_true(slice_eq_cstr(fields[2].name, "user.id") &&
                    fields[2].kinds == 1u << DATA_VALUE_INT);
        struct store_event_field user = {.scopes = STORE_SCOPES_FIELDS, .name = SLICE("user_id")};
        struct store_event_scan scan = {.select = all};
        assert_int_equal(
            src->ops->field_values(src, user, &scan, 3, arena, &values, &n, &cut, NULL), 0);
        assert_true(n == 3 && cut && values[0].rows == 3 && values[0].value.i == 0);
        arena_free(arena);
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
}

static void a_query_keeps_to_its_limits(void **state)
{
    struct world *w = *state;
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    some_lines(w, 2000);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct store_event_scan s = {.select = everything(), .all_fields = true};
        struct store_event_cursor *c;
        struct store_event_chunk chunk = {0};
        struct diag d;
        struct budget memory;
        _Atomic bool cancelled = true;
        int want[] = {ERR_LIMIT, ERR_LIMIT, ERR_NOMEM, ERR_CANCELLED, ERR_TIMEOUT};
        for (int i = 0; i < 5; i++) {
            diag_init(&d);
            budget_init(&memory, NULL, 30000, "limits.test");
            struct store_event_limits l = {.scan_rows_setting = "limits.rows",
                                           .scan_bytes_setting = "limits.bytes"};
            l.scan_rows_max = i == 0 ? 100 : 0;
            l.scan_bytes_max = i == 1 ? 100 : 0;
            l.memory = i == 2 ? &memory : NULL;
            l.cancelled = i == 3 ? &cancelled : NULL;
            l.deadline_ns = i == 4 ? -1 : 0;
            s.select.limits = l;
            int err = src->ops->scan(src, &s, &c, &d);
            for (int k = 0; !err && k < 3; k++)
                err = src->ops->next(c, &chunk, &d);
            assert_int_equal(err, want[i]);
            assert_int_equal(d.code, want[i]);
            if (i < 3)
                assert_non_null(strstr(d.msg, i == 0   ? "limits.rows"
                                              : i == 1 ? "limits.bytes"
                                                       : "limits.test"));
            if (i < 3 || flushed == 0)
                src->ops->close(c);
            else if (d.code == want[i] && err)
                c = NULL;
            store_event_chunk_free(&chunk);
            assert_int_equal(memory.used, 0);
        }
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
}

static void put_span(struct data_event_batch *b, uint32_t s, const char *trace, const char *id,
                     const char *parent, int64_t ts)
{
    data_event_batch_add_row(b, s, ts);
    data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(slice_make(trace, 16)));
    data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(slice_make(id, 8)));
    if (parent)
        data_event_put(b, DATA_EVENT_PARENT_ID, data_value_bytes(slice_make(parent, 8)));
}

/* A trace in three appends, one of them in a part: a root with two children, the second with two of
 * its own; an orphan; two that are each other's parent. */
static void traces_come_whole_and_depth_first(void **state)
{
    struct world *w = *state;
    struct store_event_source *src = store_events(w->store, DATA_EVENT_SPANS);
    const char *t = "0123456789abcdef";
    const struct {
        const char *id, *parent;
        int64_t ts;
        int append;
    } spans[] = {{"grandc-2", "child--2", 6, 0}, {"root----", NULL, 1, 0},
                 {"child--1", "root----", 2, 1}, {"grandc-1", "child--2", 5, 1},
                 {"orphan--", "nowhere-", 4, 1}, {"child--2", "root----", 3, 2},
                 {"circle-1", "circle-2", 8, 2}, {"circle-2", "circle-1", 9, 2}};
    for (int append_no = 0; append_no < 3; append_no++) {
        struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
        uint32_t s = stream(b, "a");
        put_span(b, s, "another-trace---", "other---", NULL, NOW);
        for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
            if (spans[i].append != append_no)
                continue;
            put_span(b, s, t, spans[i].id, spans[i].parent, NOW + spans[i].ts);
            if (spans[i].parent)
                continue;
            struct data_event_child e = {
                .kind = DATA_CHILD_EVENT, .ts_ns = NOW + 7, .name = SLICE("exception")};
            data_event_batch_add_child(b, &e);
            data_event_child_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("type")),
                                 data_value_string(SLICE("E")));
            struct data_event_child l = {.kind = DATA_CHILD_LINK,
                                         .trace_id = slice_make(t, 16),
                                         .span_id = SLICE("linked--"),
                                         .trace_state = SLICE("a=b")};
            data_event_batch_add_child(b, &l);
        }
        /* Sent again, and then it has a name. */
        if (append_no == 2) {
            put_span(b, s, t, "child--1", "root----", NOW + 2);
            data_event_put(b, DATA_EVENT_NAME, data_value_string(SLICE("again")));
        }
        append(w, b);
        if (append_no == 1)
            assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
    static const struct {
        const char *id;
        uint32_t descendants, depth;
    } want[] = {{"root----", 4, 0}, {"child--1", 0, 1}, {"child--2", 2, 1}, {"grandc-1", 0, 2},
                {"grandc-2", 0, 2}, {"orphan--", 0, 0}, {"circle-1", 1, 0}, {"circle-2", 0, 1}};
    for (int round = 0; round < 3; round++) {
        struct store_event_chunk c = {0};
        struct slice ids[] = {slice_make("no such trace---", 16), slice_make(t, 16)};
        struct store_event_field name = STORE_EVENT_INTRINSIC(DATA_EVENT_NAME);
        struct store_event_scan s = {
            .select = everything(), .children = true, .fields = &name, .field_count = 1};
        struct diag d;
        diag_init(&d);
        if (src->ops->traces(src, ids, 2, &s, &c, &d))
            fail_msg("%s", d.msg);
        assert_int_equal(c.count, ARRAY_LEN(want));
        for (size_t i = 0; i < c.count; i++) {
            assert_true(slice_eq_cstr(c.columns[1].values[i].text, want[i].id));
            assert_int_equal(c.descendants[i], want[i].descendants);
            assert_int_equal(c.depth[i], want[i].depth);
            assert_true(slice_eq_cstr(c.streams[c.stream[i]].labels.items[0].value, "a"));
        }
        assert_int_equal(c.column_count, 4);
        assert_true(slice_eq_cstr(c.columns[3].values[1].text, "again"));
        assert_int_equal(c.children[0].count, 2);
        assert_int_equal(c.children[1].count, 0);
        const struct data_event_child *e = &c.children[0].items[0];
        assert_true(e->ts_ns == NOW + 7 && slice_eq_cstr(e->name, "exception"));
        assert_true(
            slice_eq_cstr(c.children[0].names[c.children[0].attrs[e->first].field], "type"));
        assert_true(slice_eq_cstr(c.children[0].items[1].trace_state, "a=b"));
        store_event_chunk_free(&c);
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
}

static void a_span_says_which_it_is(void **state)
{
    struct world *w = *state;
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    uint32_t s = stream(b, "a");
    data_event_batch_add_row(b, s, NOW);
    data_event_put(b, DATA_EVENT_NAME, data_value_string(SLICE("no ids")));
    put_span(b, s, "0123456789abcdef", "span----", NULL, NOW);
    data_event_put(b, DATA_EVENT_DURATION, data_value_int(-1));
    put_span(b, s, "0123456789abcdef", "span----", NULL, NOW);
    append(w, b);
    assert_int_equal(w->result.rows_accepted, 1);
    assert_int_equal(w->result.refused[STORE_REFUSED_INVALID], 2);
}

static void old_rows_expire_by_table(void **state)
{
    struct world *w = *state;
    some_lines(w, 10);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    struct store_event_scan all = {.select = everything()};
    os_sim_set_now(w->sim, NOW + 29 * 86400 * NS_PER_SEC);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    assert_int_equal(count(w, &all), 10);
    os_sim_set_now(w->sim, NOW + 31 * 86400 * NS_PER_SEC);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    assert_int_equal(count(w, &all), 0);
}

static void predicates_on_regexes_and_hints(void **state)
{
    struct world *w = *state;
    some_lines(w, 50);
    for (int flushed = 0; flushed < 2; flushed++) {
        struct text_regex *re;
        struct slice hint = SLICE("line ");
        assert_int_equal(text_regex_compile(SLICE("line [1-3]$"), 0, &re, NULL), 0);
        struct store_event_predicate p = {.op = STORE_EVENT_MATCH,
                                          .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                          .regex = re,
                                          .literals = &hint,
                                          .literal_count = 1};
        struct store_event_clause c = {&p, 1};
        struct store_event_scan s = {.select = everything(), .clauses = &c, .clause_count = 1};
        assert_int_equal(count(w, &s), 3);
        p.op = STORE_EVENT_NOT_MATCH;
        assert_int_equal(count(w, &s), 47);
        text_regex_free(re);
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
}

static void a_snapshot_has_events_too(void **state)
{
    struct world *w = *state;
    char name[64];
    struct diag d;
    diag_init(&d);
    some_lines(w, 10);
    if (store_snapshot(w->store, true, name, sizeof(name), &d))
        fail_msg("%s", d.msg);
    some_lines(w, 3);
    struct store_config config;
    struct store *copy;
    char dir[128];
    store_config_init(&config);
    snprintf(dir, sizeof(dir), "data/snapshots/%s", name);
    config.dir = dir;
    config.background = false;
    if (store_open(&config, os_sim_os(w->sim), NULL, &copy, &d))
        fail_msg("%s", d.msg);
    struct world other = {.sim = w->sim, .store = copy};
    struct store_event_scan all = {.select = everything()};
    assert_int_equal(count(&other, &all), 10);
    assert_int_equal(count(w, &all), 13);
    store_close(copy);
}

enum { LINES = 60 };

static void *fill(struct os_sim **out_sim)
{
    void *state;
    begin(&state);
    struct world *w = state;
    some_lines(w, LINES);
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    store_close(w->store);
    *out_sim = w->sim;
    return w;
}

static void check_line(const struct store_event_chunk *c, size_t row)
{
    char line[32];
    snprintf(line, sizeof(line), "line %lld", (long long)((NOW - c->ts[row]) / NS_PER_SEC));
    for (size_t k = 0; k < c->column_count; k++) {
        if (c->columns[k].scope == DATA_SCOPE_INTRINSIC &&
            c->columns[k].intrinsic == DATA_EVENT_LINE)
            assert_true(slice_eq_cstr(c->columns[k].values[row].text, line));
    }
}

static size_t read_all(void *world, int *out_err)
{
    struct world *w = world;
    open_store(w);
    struct store_event_source *src = store_events(w->store, DATA_EVENT_LOGS);
    struct store_event_scan all = {.select = everything(), .all_fields = true};
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    size_t n = 0;
    assert_int_equal(src->ops->scan(src, &all, &c, NULL), 0);
    do {
        *out_err = src->ops->next(c, &chunk, NULL);
        for (size_t i = 0; !*out_err && i < chunk.count; i++, n++)
            check_line(&chunk, i);
    } while (!*out_err && chunk.count);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    return n;
}

static void done(void *world)
{
    end(&world);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    event_damage_check(&(struct event_damage){
        .stride = 13, .rows = LINES, .fill = fill, .read = read_all, .end = done});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals_are_told_by_reason, begin, end),
        cmocka_unit_test_setup_teardown(new_streams_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(tailing_sees_each_row_once, begin, end),
        cmocka_unit_test_setup_teardown(names_and_values, begin, end),
        cmocka_unit_test_setup_teardown(a_query_keeps_to_its_limits, begin, end),
        cmocka_unit_test_setup_teardown(traces_come_whole_and_depth_first, begin, end),
        cmocka_unit_test_setup_teardown(a_span_says_which_it_is, begin, end),
        cmocka_unit_test_setup_teardown(old_rows_expire_by_table, begin, end),
        cmocka_unit_test_setup_teardown(predicates_on_regexes_and_hints, begin, end),
        cmocka_unit_test_setup_teardown(a_snapshot_has_events_too, begin, end),
        cmocka_unit_test(damage_is_noticed),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
