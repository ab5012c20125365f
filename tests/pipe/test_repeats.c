#include "pipe/repeats.h"

#include <setjmp.h>

#include <cmocka.h>

#include "base/mem.h"

/* A store that counts, and acknowledges when told. */
struct fixture {
    struct pipe_sink sink; /* first */
    struct pipe_repeats *repeats;
    struct data_event_batch *batch;
    size_t stored, acks, accepted;
    int fail, refuse; /* what the next batch is answered; a row that is refused, from 1 */
    bool hold;        /* acknowledge later */
    pipe_ack_fn ack;
    void *ctx;
    size_t rows;
    uint64_t last_id[8];
};

static void answer(struct fixture *f)
{
    struct pipe_result result = {.spans_accepted = f->rows - (f->refuse != 0)};
    result.refused[0] = f->refuse != 0;
    f->ack(f->ctx, f->fail, f->fail ? NULL : &result);
}

static void take(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                 void *ctx)
{
    struct fixture *f = (struct fixture *)sink;
    f->ack = ack;
    f->ctx = ctx;
    f->rows = b->rows.len;
    f->stored += f->fail ? 0 : b->rows.len;
    for (uint32_t i = 0; i < b->rows.len && i < 8; i++)
        memcpy(&f->last_id[i], data_event_get(b, i, DATA_EVENT_SPAN_ID).text.ptr, 8);
    if (f->refuse && b->row_refusals)
        b->row_refusals[f->refuse - 1] = 1;
    if (!f->hold)
        answer(f);
}

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct fixture *f = ctx;
    assert_int_equal(err, f->fail);
    f->accepted += result ? result->spans_accepted : 0;
    f->acks++;
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    f->sink.spans = take;
    f->repeats = pipe_repeats_new(1600, &f->sink);
    f->batch = data_event_batch_new(DATA_EVENT_SPANS, SLICE("default"));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pipe_repeats_free(f->repeats);
    data_event_batch_free(f->batch);
    mem_free(f);
    return 0;
}

static void span(struct fixture *f, uint64_t id, int64_t duration_ns)
{
    char trace_id[16] = {1};
    struct data_label label = {SLICE("service_name"), SLICE("shop")};
    uint32_t stream = data_event_batch_add_stream(f->batch, (struct data_labels){&label, 1});
    uint32_t row = data_event_batch_add_row(f->batch, stream, 5);
    f->batch->rows.items[row].resource = f->batch->rows.items[row].scope = DATA_EVENT_NONE;
    data_event_put(f->batch, DATA_EVENT_TRACE_ID,
                   data_value_bytes(data_event_batch_copy(f->batch, slice_make(trace_id, 16))));
    data_event_put(f->batch, DATA_EVENT_SPAN_ID,
                   data_value_bytes(data_event_batch_copy(f->batch, slice_make(&id, 8))));
    data_event_put(f->batch, DATA_EVENT_NAME, data_value_string(SLICE("op")));
    data_event_put(f->batch, DATA_EVENT_DURATION, data_value_int(duration_ns));
}

static void send(struct fixture *f)
{
    struct pipe_sink *sink = pipe_repeats_sink(f->repeats);
    sink->spans(sink, f->batch, on_ack, f);
    data_event_batch_reset(f->batch);
}

static void test_repeated_are_passed_over(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3; round++) {
        span(f, 1, 10);
        span(f, 2, 10);
        send(f);
    }
    assert_int_equal(f->stored, 2);
    assert_int_equal(f->acks, 3);
    assert_int_equal(f->accepted, 6); /* like the first time */
    /* Others among them pass, in their order; so does one that is not the same any more. */
    span(f, 1, 10);
    span(f, 3, 10);
    span(f, 2, 11);
    span(f, 2, 10);
    send(f);
    assert_int_equal(f->stored, 4);
    assert_int_equal(f->rows, 2);
    assert_int_equal(f->last_id[0], 3);
    assert_int_equal(f->last_id[1], 2);
    assert_int_equal(f->accepted, 10);
}

static void test_only_what_is_durable(void **state)
{
    struct fixture *f = *state;
    f->fail = ERR_NOSPACE;
    span(f, 1, 10);
    send(f);
    f->fail = 0;
    f->hold = true; /* not durable yet when it comes again */
    span(f, 1, 10);
    send(f);
    pipe_ack_fn first = f->ack;
    void *first_ctx = f->ctx;
    span(f, 1, 10);
    send(f);
    assert_int_equal(f->stored, 2);
    answer(f);
    f->ack = first;
    f->ctx = first_ctx;
    answer(f);
    f->hold = false;
    span(f, 1, 10);
    send(f);
    assert_int_equal(f->stored, 2);
    assert_int_equal(f->acks, 4);
}

static void test_refusals_keep_their_rows(void **state)
{
    struct fixture *f = *state;
    uint8_t refusals[4] = {9, 9, 9, 9};
    span(f, 1, 10);
    span(f, 2, 10);
    send(f);
    span(f, 1, 10);
    span(f, 3, 10);
    span(f, 2, 10);
    span(f, 4, 10);
    f->batch->row_refusals = refusals;
    f->refuse = 2; /* the second of those that are handed on: span 4 */
    send(f);
    f->batch->row_refusals = NULL;
    assert_memory_equal(refusals, ((uint8_t[]){0, 0, 0, 1}), 4);
    /* Of a batch with refusals nothing is remembered. */
    f->refuse = 0;
    span(f, 3, 10);
    send(f);
    assert_int_equal(f->rows, 1);
    assert_int_equal(f->stored, 2 + 2 + 1);
}

static void test_tenants_are_apart(void **state)
{
    struct fixture *f = *state;
    struct slice own = f->batch->tenant;
    span(f, 1, 10);
    send(f);
    f->batch->tenant = SLICE("other");
    span(f, 1, 10);
    send(f);
    f->batch->tenant = own;
    assert_int_equal(f->stored, 2);
}

/* At least the last 1600; and not without end. */
static void test_bounded(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 10000; i++) {
        span(f, i, 10);
        send(f);
    }
    size_t stored = f->stored, again = 0;
    for (uint64_t i = 9000; i <= 10000; i++) {
        span(f, i, 10);
        send(f);
    }
    assert_int_equal(f->stored, stored);
    for (uint64_t i = 1; i <= 1000; i++) {
        span(f, i, 10);
        send(f);
    }
    again = f->stored - stored;
    assert_int_equal(again, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repeated_are_passed_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_what_is_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals_keep_their_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tenants_are_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("repeats", tests, NULL, NULL);
}
