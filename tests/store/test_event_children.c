/* Events and links of spans: their tables, those of parts of earlier versions, damage. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/log.h"
#include "event_damage.h"
#include "os/sim.h"
#include "quiet.h"
#include "store/event/events_priv.h"

#define NOW   (1700000000 * NS_PER_SEC)
#define SPANS 60

struct world {
    struct os_sim *sim;
    struct store *store;
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
    if (store_open(&config, os_sim_os(w->sim), NULL, &w->store, &d))
        fail_msg("open: %s", d.msg);
}

static struct world *begin(void)
{
    struct world *w = mem_calloc(1, sizeof(*w));
    w->sim = os_sim_new(1);
    os_sim_set_now(w->sim, NOW);
    open_store(w);
    return w;
}

static void end(struct world *w)
{
    store_close(w->store);
    os_sim_free(w->sim);
    mem_free(w);
}

static void on_ack(void *ctx, int err, const struct store_append_result *r)
{
    struct world *w = ctx;
    assert_int_equal(err, 0);
    assert_int_equal(r->first_refusal.code, 0);
    w->acked = true;
}

static void append(struct world *w, struct data_event_batch *b)
{
    w->acked = false;
    store_append_events(w->store, b, on_ack, w);
    store_sync(w->store);
    assert_true(w->acked);
    data_event_batch_free(b);
}

/* Span i has i % 3 events, with the number and one of two types, and a link when i is even. */
static void put_span(struct data_event_batch *b, uint32_t stream, uint32_t i)
{
    char ids[24];
    memset(ids, 1 + (int)i, sizeof(ids));
    struct slice id = data_event_batch_copy(b, slice_make(ids, sizeof(ids)));
    data_event_batch_add_row(b, stream, NOW + i);
    data_event_put(b, DATA_EVENT_TRACE_ID, data_value_bytes(slice_first(id, 16)));
    data_event_put(b, DATA_EVENT_SPAN_ID, data_value_bytes(slice_from(id, 16)));
    for (uint32_t k = 0; k < i % 3; k++) {
        struct data_event_child e = {
            .kind = DATA_CHILD_EVENT, .ts_ns = NOW + i + 10 + k, .name = SLICE("exception")};
        data_event_batch_add_child(b, &e);
        data_event_child_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("number")),
                             data_value_int(i));
        data_event_child_put(b, data_event_batch_field(b, DATA_SCOPE_ATTRIBUTE, SLICE("type")),
                             data_value_string(k ? SLICE("later") : SLICE("first")));
    }
    if (i % 2 == 0) {
        struct data_event_child l = {.kind = DATA_CHILD_LINK,
                                     .trace_id = slice_first(id, 16),
                                     .span_id = slice_from(id, 16),
                                     .flags = i};
        data_event_batch_add_child(b, &l);
    }
}

static struct data_event_batch *batch(uint32_t from, uint32_t to)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    struct data_label l = {SLICE("service.name"), SLICE("a")};
    uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){&l, 1});
    for (uint32_t i = from; i < to; i++)
        put_span(b, stream, i);
    return b;
}

static void check_span(const struct store_event_chunk *c, size_t row)
{
    uint32_t i = (uint32_t)(c->ts[row] - NOW);
    const struct store_event_children *all = &c->children[row];
    assert_int_equal(all->count, i % 3 + (i % 2 == 0));
    for (uint32_t k = 0; k < i % 3; k++) {
        const struct data_event_child *e = &all->items[k];
        struct store_event_field number = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT),
                                           .name = SLICE("number")},
                                 type = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT),
                                         .name = SLICE("type")};
        assert_int_equal(e->kind, DATA_CHILD_EVENT);
        assert_int_equal(e->ts_ns, NOW + i + 10 + k);
        assert_true(slice_eq_cstr(e->name, "exception"));
        assert_int_equal(e->count, 2);
        assert_int_equal(store_event_child_value(all, e, c->ts[row], number).i, i);
        assert_true(slice_eq_cstr(store_event_child_value(all, e, c->ts[row], type).text,
                                  k ? "later" : "first"));
    }
    if (i % 2 == 0) {
        const struct data_event_child *l = &all->items[i % 3];
        assert_int_equal(l->kind, DATA_CHILD_LINK);
        assert_int_equal(l->flags, i);
        assert_true(l->trace_id.len == 16 && l->trace_id.ptr[0] == (char)(1 + i));
        assert_true(l->span_id.len == 8 && l->span_id.ptr[7] == (char)(1 + i));
    }
}

/* Number of spans that satisfy the predicate; all of them are checked. */
static size_t count(struct world *w, const struct store_event_predicate *p, int *out_err)
{
    struct store_event_source *src = store_events(w->store, DATA_EVENT_SPANS);
    struct store_event_clause clause = {p, 1};
    struct store_event_scan s = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .clauses = &clause,
        .clause_count = p ? 1 : 0,
        .children = true};
    struct store_event_cursor *c;
    struct store_event_chunk chunk = {0};
    size_t n = 0;
    int err;
    assert_int_equal(src->ops->scan(src, &s, &c, NULL), 0);
    do {
        err = src->ops->next(c, &chunk, NULL);
        for (size_t i = 0; !err && i < chunk.count; i++, n++)
            check_span(&chunk, i);
    } while (!err && chunk.count);
    src->ops->close(c);
    store_event_chunk_free(&chunk);
    assert_true(!err || (out_err && err == ERR_CORRUPT));
    if (out_err)
        *out_err = err;
    return n;
}

static void check_all(struct world *w)
{
    char id[16];
    memset(id, 1 + 8, sizeof(id));
    struct slice linked = slice_make(id, 16), other = SLICE("0123456789abcdef");
    struct store_event_predicate type = {.op = STORE_EVENT_EQ,
                                         .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT),
                                                   .name = SLICE("type")},
                                         .value = data_value_string(SLICE("later"))},
                                 number = {.op = STORE_EVENT_GE,
                                           .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT),
                                                     .name = SLICE("number")},
                                           .value = data_value_int(30)},
                                 name = {.op = STORE_EVENT_EQ,
                                         .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT),
                                                   .intrinsic = DATA_CHILD_NAME},
                                         .value = data_value_string(SLICE("exception"))},
                                 link = {.op = STORE_EVENT_IN,
                                         .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_LINK),
                                                   .intrinsic = DATA_CHILD_TRACE_ID},
                                         .set = &linked,
                                         .set_count = 1};
    assert_int_equal(count(w, NULL, NULL), SPANS);
    assert_int_equal(count(w, &type, NULL), SPANS / 3);
    assert_int_equal(count(w, &number, NULL), SPANS / 3);
    assert_int_equal(count(w, &name, NULL), SPANS * 2 / 3);
    name.absent = true;
    assert_int_equal(count(w, &name, NULL), SPANS);
    name.op = STORE_EVENT_HAS;
    assert_int_equal(count(w, &name, NULL), SPANS / 3);
    assert_int_equal(count(w, &link, NULL), 1);
    link.set = &other;
    assert_int_equal(count(w, &link, NULL), 0);
    type.value = data_value_string(SLICE("never"));
    assert_int_equal(count(w, &type, NULL), 0);

    struct store_event_source *src = store_events(w->store, DATA_EVENT_SPANS);
    struct store_event_scan s = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .children = true};
    struct store_event_chunk chunk = {0};
    struct slice ids[] = {linked, other};
    assert_int_equal(src->ops->traces(src, ids, 2, &s, &chunk, NULL), 0);
    assert_int_equal(chunk.count, 1);
    check_span(&chunk, 0);
    store_event_chunk_free(&chunk);
    struct arena *arena = arena_new(0, NULL);
    struct store_event_field_info *infos;
    struct store_event_field_value *values;
    size_t n, found = 0;
    bool cut;
    assert_int_equal(src->ops->fields(src, &s.select, arena, &infos, &n, NULL), 0);
    for (size_t i = 0; i < n; i++)
        found += infos[i].scope == DATA_SCOPE_EVENT && infos[i].rows == SPANS &&
                 (slice_eq_cstr(infos[i].name, "type") || slice_eq_cstr(infos[i].name, "number"));
    assert_int_equal(found, 2);
    assert_int_equal(src->ops->field_values(src, type.field, &s, 0, arena, &values, &n, &cut, NULL),
                     0);
    assert_int_equal(n, 2);
    assert_true(slice_eq_cstr(values[0].value.text, "first") && values[0].rows == SPANS * 2 / 3);
    assert_true(slice_eq_cstr(values[1].value.text, "later") && values[1].rows == SPANS / 3);
    arena_free(arena);
}

static void in_memory_in_parts_and_merged(void **state)
{
    (void)state;
    struct world *w = begin();
    for (uint32_t i = 0; i < SPANS; i += 10) {
        append(w, batch(i, i + 10));
        if (i % 20 == 0)
            assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
    check_all(w);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
        check_all(w);
    }
    store_close(w->store);
    open_store(w);
    check_all(w);
    end(w);
}

/* A part as the first versions wrote it: events and links in one column. */
static void put_packed(struct world *w, uint32_t from, uint32_t to)
{
    struct store__events *e = &w->store->events->tables[DATA_EVENT_SPANS];
    struct store__event_output o = {.e = e, .order = store__event_next_id(w->store)};
    struct store__event_output *out = &o;
    struct data_event_batch *b = batch(from, to);
    struct store_part_stream stream = {.tenant = SLICE("default"), .key = b->streams.items[0].key};
    struct store_group_builder g = {0};
    store__event_part_list none = {0};
    struct arena *arena = arena_new(0, NULL);
    assert_int_equal(store__event_output_begin(out, store__day_of(NOW), &stream, 1, NULL), 0);
    for (uint32_t i = 0; i < b->rows.len; i++) {
        struct buf packed = {0};
        vec_push(&g.ts, b->rows.items[i].ts_ns);
        vec_push(&g.stream, 0u);
        store_group_add(&g, DATA_EVENT_TRACE_ID, i, data_event_get(b, i, DATA_EVENT_TRACE_ID));
        store_group_add(&g, DATA_EVENT_SPAN_ID, i, data_event_get(b, i, DATA_EVENT_SPAN_ID));
        store_children_encode(b, &b->rows.items[i], &packed);
        if (b->rows.items[i].child_count)
            store_group_add(&g, STORE_FIELD_CHILDREN, i,
                            data_value_bytes(arena_slice(arena, buf_slice(&packed))));
        buf_deinit(&packed);
    }
    int err = store_event_writer_group(o.writer, &g, NULL);
    err = store__event_output_end(out, err, NULL);
    err = store__event_output_finish(out, err, NULL);
    assert_int_equal(err, 0);
    assert_false(store_event_part_has_tables(o.fresh.items[0]));
    assert_int_equal(store__event_replace(e, &o.fresh, &none, false, 0, NULL), 0);
    store_group_builder_deinit(&g);
    data_event_batch_free(b);
    arena_free(arena);
}

static size_t packed_parts(struct world *w)
{
    struct store__events *e = &w->store->events->tables[DATA_EVENT_SPANS];
    store__event_part_list parts = store__event_pin(e);
    size_t n = 0;
    for (size_t i = 0; i < parts.len; i++)
        n += !store_event_part_has_tables(parts.items[i]);
    store__event_unpin(&parts);
    return n;
}

static void parts_of_earlier_versions(void **state)
{
    (void)state;
    struct world *w = begin();
    for (uint32_t i = 0; i < SPANS; i += 15)
        put_packed(w, i, i + 15);
    assert_int_equal(packed_parts(w), 4);
    check_all(w);
    /* Merged they are packed no more. */
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    assert_int_equal(packed_parts(w), 0);
    check_all(w);
    end(w);
}

/* Deleting rewrites groups that it does not touch, too. */
static void deleting_by_an_event(void **state)
{
    (void)state;
    struct world *w = begin();
    for (uint32_t i = 0; i < SPANS; i += 20)
        put_packed(w, i, i + 20);
    struct store_event_predicate number = {
        .op = STORE_EVENT_GE,
        .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .name = SLICE("number")},
        .value = data_value_int(30)};
    struct store_event_clause clause = {&number, 1};
    struct store_event_scan what = {
        .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
        .clauses = &clause,
        .clause_count = 1};
    uint64_t rows;
    assert_int_equal(store_delete_events(w->store, DATA_EVENT_SPANS, &what, &rows, NULL), 0);
    assert_int_equal(rows, SPANS / 3);
    assert_int_equal(count(w, NULL, NULL), SPANS - SPANS / 3);
    assert_int_equal(count(w, &number, NULL), 0);
    end(w);
}

/* Two spans with more events than one table has. */
static void tables_go_on(void **state)
{
    (void)state;
    enum { EACH = 40000 };
    struct world *w = begin();
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    struct data_label l = {SLICE("service.name"), SLICE("a")};
    uint32_t stream = data_event_batch_add_stream(b, (struct data_labels){&l, 1});
    for (int i = 0; i < 2; i++) {
        put_span(b, stream, 3 + 6 * (uint32_t)i); /* no events, no links of their own */
        for (int k = 0; k < EACH; k++) {
            struct data_event_child e = {
                .kind = DATA_CHILD_EVENT, .ts_ns = NOW + k, .name = SLICE("e")};
            data_event_batch_add_child(b, &e);
        }
    }
    append(w, b);
    struct store_event_source *src = store_events(w->store, DATA_EVENT_SPANS);
    for (int round = 0; round < 2; round++) {
        struct store_event_predicate last = {
            .op = STORE_EVENT_EQ,
            .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_EVENT), .intrinsic = DATA_CHILD_TIME},
            .value = data_value_int(EACH - 1 - 9)};
        struct store_event_clause clause = {&last, 1};
        struct store_event_scan s = {
            .select = {.tenant = SLICE("default"), .t_min_ns = INT64_MIN, .t_max_ns = INT64_MAX},
            .clauses = &clause,
            .clause_count = 1,
            .children = true};
        struct store_event_cursor *c;
        struct store_event_chunk chunk = {0};
        assert_int_equal(src->ops->scan(src, &s, &c, NULL), 0);
        assert_int_equal(src->ops->next(c, &chunk, NULL), 0);
        assert_int_equal(chunk.count, 2); /* as seen from either span's start */
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(chunk.children[i].count, EACH);
            for (int k = 0; k < EACH; k += 999)
                assert_int_equal(chunk.children[i].items[k].ts_ns, NOW + k);
        }
        src->ops->close(c);
        store_event_chunk_free(&chunk);
        assert_int_equal(store_maintain(w->store, true, NULL), 0);
    }
    end(w);
}

static void *fill(struct os_sim **out_sim)
{
    struct world *w = begin();
    append(w, batch(0, SPANS));
    assert_int_equal(store_maintain(w->store, true, NULL), 0);
    store_close(w->store);
    *out_sim = w->sim;
    return w;
}

static size_t read_all(void *world, int *out_err)
{
    open_store(world);
    return count(world, NULL, out_err);
}

static void done(void *world)
{
    end(world);
}

/* Whatever bit of a part flips, a span comes with its events and links as they were, or it is told.
 */
static void damage_is_noticed(void **state)
{
    (void)state;
    event_damage_check(&(struct event_damage){
        .stride = 11, .rows = SPANS, .fill = fill, .read = read_all, .end = done});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory_in_parts_and_merged),
        cmocka_unit_test(parts_of_earlier_versions),
        cmocka_unit_test(deleting_by_an_event),
        cmocka_unit_test(tables_go_on),
        cmocka_unit_test(damage_is_noticed),
    };
    log_set_writer(drop_line, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
