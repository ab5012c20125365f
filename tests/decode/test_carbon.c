/* Carbon's lines, pickles and protobuf: what is taken, and what is refused for which reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decode/carbon/carbon.h"

/* "labels ts value; ..." of what was taken, then "reason:count ..." of what was not. */
static void show(struct decode_carbon *d, struct data_metric_batch *b, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    buf_clear(out);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        struct data_labels labels;
        buf_append_cstr(out, i ? "; " : "");
        assert_int_equal(
            data_labels_decode(b->series.items[b->sample_series.items[i]].key, arena, &labels), 0);
        for (size_t k = 0; k < labels.count; k++) {
            if (!slice_eq_cstr(labels.items[k].name, DATA_METRIC_NAME))
                buf_printf(out, ",%.*s=", SLICE_FMT(labels.items[k].name));
            buf_append_slice(out, labels.items[k].value);
        }
        buf_printf(out, " %lld %g", (long long)(b->sample_ts.items[i] / NS_PER_SEC),
                   b->sample_value.items[i]);
    }
    for (int i = 0; i < DECODE_CARBON_REFUSAL_COUNT; i++) {
        if (d->refused[i])
            buf_printf(out, "|%s:%zu", decode_carbon_refusal_name((enum decode_carbon_refusal)i),
                       d->refused[i]);
    }
    arena_free(arena);
}

enum how { LINES, PICKLE, PROTOBUF };

static void decode(enum how how, struct slice bytes, struct buf *out)
{
    struct decode_carbon d = {.now_ns = 1700000123 * NS_PER_SEC};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    if (how == LINES)
        assert_int_equal(decode_carbon_lines(&d, bytes, true, b), bytes.len);
    else if (how == PICKLE)
        (void)decode_carbon_pickle(&d, bytes, b);
    else
        (void)decode_carbon_protobuf(&d, bytes, b);
    show(&d, b, out);
    data_metric_batch_free(b);
    decode_carbon_deinit(&d);
}

struct example {
    const char *bytes, *expected;
    size_t len; /* 0: to the NUL */
};

static void run(enum how how, const struct example *examples, size_t count)
{
    struct buf out = {0};
    for (size_t i = 0; i < count; i++) {
        size_t len = examples[i].len ? examples[i].len : strlen(examples[i].bytes);
        decode(how, slice_make(examples[i].bytes, len), &out);
        if (strcmp(buf_cstr(&out), examples[i].expected) != 0)
            fail_msg("%zu: %s\n gives %s\n    not %s", i, examples[i].bytes, buf_cstr(&out),
                     examples[i].expected);
    }
    buf_deinit(&out);
}

static void lines(void **state)
{
    static const struct example examples[] = {
        {"a.b 1 100\n", "a.b 100 1", 0},
        {"a.b\t 1.5e3 \t100.9\r\n", "a.b 100 1500", 0},
        {"a 1 100\r\nb 2 101", "a 100 1; b 101 2", 0}, /* CRLF; the last one unfinished */
        {"..a..b. 1 100\n", "a.b 100 1", 0},
        {"a 1 -1\n", "a 1700000123 1", 0},
        {"a +5 100\na -inf 100\n", "a 100 5; a 100 -inf", 0},
        {"d;b=2;a=1 1 100\n", "d,a=1,b=2 100 1", 0},
        {"\n  \r\n", "", 0},
        {"a\na 1\na 1 2 3\n", "|fields:3", 0},
        {"a x 100\na 0x10 100\n", "|value:2", 0},
        {"a nan 100\na NaN 100\nb 1 100\n", "b 100 1|nan:2", 0},
        {"a 1 nan\na 1 1e30\na 1 -5\na 1 x\n", "|timestamp:4", 0},
        {". 1 100\n\xff\xfe 1 100\n", "|name:2", 0},
        {"a;b 1 100\na;b= 1 100\na;=c 1 100\na;b=1;b=2 1 100\na;name=x 1 100\na;b!=~c 1 100\n",
         "|tags:6", 0},
    };
    run(LINES, examples, ARRAY_LEN(examples));
    /* Rubbish is counted line by line; a line of 70 KB is refused, the next is taken. */
    struct buf in = {0}, out = {0};
    buf_append_cstr(&in, "x ");
    for (int i = 0; i < 70000; i++)
        buf_append_char(&in, '1');
    buf_append_cstr(&in, " 100\nnext 1 100\n");
    decode(LINES, buf_slice(&in), &out);
    assert_string_equal(buf_cstr(&out), "next 100 1|size:1");
    buf_deinit(&in);
    buf_deinit(&out);
    (void)state;
}

static void half_lines(void **state)
{
    struct decode_carbon d = {0};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct buf out = {0};
    struct slice bytes = SLICE("a.b 1 100\na.c 2 1");
    assert_int_equal(decode_carbon_lines(&d, bytes, false, b), 10);
    show(&d, b, &out);
    assert_string_equal(buf_cstr(&out), "a.b 100 1");
    assert_int_equal(decode_carbon_lines(&d, SLICE("a.c 2 1"), false, b), 0);
    assert_int_equal(decode_carbon_lines(&d, SLICE("a.c 2 105\n"), false, b), 10);
    show(&d, b, &out);
    assert_string_equal(buf_cstr(&out), "a.b 100 1; a.c 105 2");
    data_metric_batch_free(b);
    decode_carbon_deinit(&d);
    buf_deinit(&out);
    (void)state;
}

#define BYTES(text) text, sizeof(text) - 1

static void pickles(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } examples[] = {
        /* protocols 0, 2 and 4 of [("a.b", (100, 1.5))] as Python writes them */
        {BYTES("(lp0\n(Va.b\np1\n(I100\nF1.5\ntp2\ntp3\na."), "a.b 100 1.5"},
        {BYTES("\x80\x02]q\x00X\x03\x00\x00\x00"
               "a.bq\x01KdG?\xf8\x00\x00\x00\x00\x00\x00\x86q\x02\x86q\x03"
               "a."),
         "a.b 100 1.5"},
        {BYTES("\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00]\x94\x8c\x03"
               "a.b\x94KdG?\xf8\x00\x00\x00\x00\x00\x00"
               "\x86\x94\x86\x94"
               "a."),
         "a.b 100 1.5"},
        {BYTES("(lp0\n(Va\n(lI100\naV2\natta."), "|pickle:1"}, /* t without its mark */
        /* GLOBAL os.system and REDUCE; INST; OBJ; BUILD; NEWOBJ; STACK_GLOBAL; persistent ids; EXT1
         */
        {BYTES("cos\nsystem\n(S'true'\ntR."), "|pickle:1"},
        {BYTES("(S'true'\nios\nsystem\n."), "|pickle:1"},
        {BYTES("(cos\nsystem\nS'true'\no."), "|pickle:1"},
        {BYTES("]Nb."), "|pickle:1"},
        {BYTES("\x80\x02)\x81."), "|pickle:1"},
        {BYTES("\x80\x04\x8c\x02os\x8c\x06system\x93."), "|pickle:1"},
        {BYTES("Pid\n."), "|pickle:1"},
        {BYTES("\x82\x01."), "|pickle:1"},
        /* cut off, empty, no list, a stack that runs out, a memo that is not there */
        {BYTES("(lp0\n(Va.b\n"), "|pickle:1"},
        {BYTES("."), "|pickle:1"},
        {BYTES("I5\n."), "|pickle:1"},
        {BYTES("a."), "|pickle:1"},
        {BYTES("h\x05."), "|pickle:1"},
        /* lengths that lie */
        {BYTES("]X\xff\xff\xff\xff"
               "a."),
         "|pickle:1"},
        {BYTES("]\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
               "a."),
         "|pickle:1"},
        {BYTES("\x80\x02]q\x00(X\x01\x00\x00\x00"
               "aKd\x86Nl."),
         "|fields:2"},
        /* good ones beside bad ones; lists for tuples; numbers as texts; NaN */
        {BYTES("\x80\x02](X\x01\x00\x00\x00"
               "a]K\x64"
               "a](K\x65K\x05"
               "e\x86X\x01\x00\x00\x00"
               "b](X\x03\x00\x00\x00"
               "100X\x01\x00\x00\x00"
               "7e\x86"
               "e."),
         "b 100 7|fields:2"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        decode(PICKLE, slice_make(examples[i].bytes, examples[i].len), &out);
        if (strcmp(buf_cstr(&out), examples[i].expected) != 0)
            fail_msg("pickle %zu gives %s, not %s", i, buf_cstr(&out), examples[i].expected);
    }
    /* A memo bomb: each list holds the one before ten times. Memory is bounded by the frame. */
    struct buf bomb = {0};
    buf_append_cstr(&bomb, "(lp0\n");
    for (int i = 1; i < 60; i++) {
        buf_printf(&bomb, "0(lp%d\n", i);
        for (int k = 0; k < 10; k++)
            buf_printf(&bomb, "g%d\na", i - 1);
    }
    buf_append_char(&bomb, '.');
    decode(PICKLE, buf_slice(&bomb), &out);
    assert_string_equal(buf_cstr(&out), "|fields:10");
    /* Marks, doubled tuples and deep nesting in place of data. */
    for (int shape = 0; shape < 3; shape++) {
        buf_clear(&bomb);
        for (int i = 0; i < 100000; i++)
            buf_append_cstr(&bomb, shape == 0 ? "(" : shape == 1 ? "]" : "\x85");
        buf_append_char(&bomb, '.');
        decode(PICKLE, buf_slice(&bomb), &out);
        assert_true(strstr(buf_cstr(&out), "pickle:1") != NULL || !out.len);
    }
    buf_deinit(&bomb);
    buf_deinit(&out);
    (void)state;
}

static void protobuf(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } examples[] = {
        {BYTES("\x0a\x1f\x0a\x03"
               "a.b\x12\x0b\x08\x64\x11\0\0\0\0\0\0\xf8\x3f\x12\x0b\x08\x65\x11\0\0\0\0\0\0\0\x40"),
         "a.b 100 1.5; a.b 101 2"},
        {BYTES("\x0a\x10\x0a\x01"
               "a\x12\x0b\x08\x64\x11\0\0\0\0\0\0\xf8\x7f"),
         "|nan:1"},
        {BYTES("\x0a\x0d\x12\x0b\x08\x64\x11\0\0\0\0\0\0\xf8\x3f"), "|name:1"},
        {BYTES("\x0a\x7f\x0a"), "|protobuf:1"},
        {BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "|protobuf:1"},
        {BYTES("\x0a\x06\x0a\x01"
               "a\x12\x7f"),
         "|protobuf:1"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
        decode(PROTOBUF, slice_make(examples[i].bytes, examples[i].len), &out);
        if (strcmp(buf_cstr(&out), examples[i].expected) != 0)
            fail_msg("protobuf %zu gives %s, not %s", i, buf_cstr(&out), examples[i].expected);
    }
    buf_deinit(&out);
    (void)state;
}

static int filter(void *ctx, struct slice *name, int64_t ts_s, double value)
{
    (void)ctx;
    assert_int_equal(ts_s, 100);
    if (value == 1)
        return DECODE_CARBON_DROP;
    if (value == 2)
        return DECODE_CARBON_BLACKLIST;
    *name = SLICE("other");
    return DECODE_CARBON_TAKE;
}

static void filtered(void **state)
{
    struct decode_carbon d = {.filter = filter};
    struct data_metric_batch *b = data_metric_batch_new(SLICE("default"));
    struct buf out = {0};
    decode_carbon_lines(&d, SLICE("a 1 100\na 2 100\na 3 100\n"), true, b);
    show(&d, b, &out);
    assert_string_equal(buf_cstr(&out), "other 100 3|blacklist:1");
    data_metric_batch_free(b);
    decode_carbon_deinit(&d);
    buf_deinit(&out);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),    cmocka_unit_test(half_lines), cmocka_unit_test(pickles),
        cmocka_unit_test(protobuf), cmocka_unit_test(filtered),
    };
    return cmocka_run_group_tests_name("carbon", tests, NULL, NULL);
}
