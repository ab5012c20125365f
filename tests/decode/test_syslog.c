/* Syslog messages to rows, and the frames of TCP. A row is printed as
 * "{labels} ts line level ... name=value". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode/syslog.h"

#define NOW INT64_C(1704067200000000000) /* 2024-01-01T00:00:00Z */

static void check_at(int64_t now, int32_t offset_s, struct slice message, const char *expected)
{
    struct data_event_batch *b = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default"));
    struct decode_syslog d = {.received_ns = now, .offset_s = offset_s, .peer = SLICE("10.0.0.1")};
    struct buf out = {0};
    struct data_labels labels;
    if (decode_syslog_message(&d, message, b)) {
        const struct data_event_row *row = &b->rows.items[0];
        assert_int_equal(data_labels_decode(b->streams.items[row->stream].key, b->arena, &labels),
                         0);
        for (size_t k = 0; k < labels.count; k++)
            buf_printf(&out, "%s%.*s", k ? " " : "", SLICE_FMT(labels.items[k].value));
        buf_printf(&out, " %lld", (long long)((row->ts_ns - NOW) / NS_PER_MS));
        for (uint32_t k = 0; k < row->count; k++) {
            const struct data_event_attr *a = &b->attrs.items[row->first + k];
            if (a->field == DATA_EVENT_SEVERITY || a->field == DATA_EVENT_LEVEL)
                continue;
            buf_append_cstr(&out, a->field == DATA_EVENT_LINE ? " [" : " ");
            if (a->field >= DATA_EVENT_INTRINSIC_COUNT)
                buf_printf(&out, "%.*s=", SLICE_FMT(b->fields.items[a->field].name));
            data_value_print(a->value, &out);
            if (a->field == DATA_EVENT_LINE)
                buf_append_char(&out, ']');
        }
    }
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
    decode_syslog_deinit(&d);
    data_event_batch_free(b);
}

static void check(const char *message, const char *expected)
{
    check_at(NOW, 0, slice_cstr(message), expected);
}

static void rfc5424(void **state)
{
    (void)state;
    check("<165>1 2024-01-01T00:00:01.003+00:00 host app 12 ID47 "
          "[ex@1 a=\"1\" b=\"x \\\"y\\\" \\] \\\\\"][o@2 c=\"\"] \xef\xbb\xbfthe line\n",
          "host app 1003 [the line] notice facility=local4 procid=12 msgid=ID47 peer=10.0.0.1 "
          "ex@1.a=1 ex@1.b=x \"y\" ] \\ o@2.c=");
    check("<34>1 - - - - - -", "10.0.0.1 unknown_service 0 [] crit facility=auth");
    check("<34>1 - h a - - - text", "h a 0 [text] crit facility=auth peer=10.0.0.1");
    /* structured data that is none is text */
    check("<34>1 - h a - - [x y] text", "h a 0 [[x y] text] crit facility=auth peer=10.0.0.1");
    check("<34>1 - h a - - [x", "h a 0 [[x] crit facility=auth peer=10.0.0.1");
    check_at(NOW, 0, SLICE("<34>1 - h a - - - bad \xff byte"),
             "h a 0 [bad \xef\xbf\xbd byte] crit facility=auth peer=10.0.0.1");
}

static void rfc3164(void **state)
{
    (void)state;
    check("<13>Jan  1 00:00:02 host app[7]: the line",
          "host app 2000 [the line] notice facility=user procid=7 peer=10.0.0.1");
    check("<13>Dec 31 23:59:59 host app: last year",
          "host app -1000 [last year] notice facility=user peer=10.0.0.1");
    check("<13>Jan  1 23:00:00 host app: a clock ahead",
          "host app 82800000 [a clock ahead] notice facility=user peer=10.0.0.1");
    check("<13>Jan  3 00:00:00 host app: a year ago",
          "host app -31363200000 [a year ago] notice facility=user peer=10.0.0.1");
    check("<13>Feb 29 00:00:00 host app: a leap day",
          "host app -121132800000 [a leap day] notice facility=user peer=10.0.0.1");
    check_at(NOW, 7200, SLICE("<13>Jan  1 02:00:00 host app: two hours east"),
             "host app 0 [two hours east] notice facility=user peer=10.0.0.1");
    /* what is sent under its name */
    check("<13>2024-01-01T00:00:00.25+01:00 host app: rsyslog",
          "host app -3599750 [rsyslog] notice facility=user peer=10.0.0.1");
    check("<189>Jan  1 2024 00:00:01.5: %SYS-5-CONFIG: text",
          "10.0.0.1 unknown_service 1500 [%SYS-5-CONFIG: text] notice facility=local7");
    check("<13>Jan  1 00:00:00 app[9]: no host",
          "10.0.0.1 app 0 [no host] notice facility=user procid=9");
    check("<13>app: no time", "10.0.0.1 app 0 [no time] notice facility=user");
    check("<13>just text here", "10.0.0.1 unknown_service 0 [just text here] notice facility=user");
    check("no priority", "10.0.0.1 unknown_service 0 [no priority] notice facility=user");
    check("<192>x", "10.0.0.1 unknown_service 0 [<192>x] notice facility=user");
    check("<13>Feb 30 00:00:00 h a: x",
          "10.0.0.1 unknown_service 0 [Feb 30 00:00:00 h a: x] notice facility=user");
    check("<13>", "10.0.0.1 unknown_service 0 [] notice facility=user");
    check("\n", "");
    check("", "");
}

static void check_frames(const char *text, bool end, const char *expected)
{
    struct slice bytes = slice_cstr(text), message;
    struct buf out = {0};
    size_t taken;
    while (bytes.len) {
        enum decode_syslog_frame f = decode_syslog_frame(bytes, end, 20, &message, &taken);
        if (f == DECODE_SYSLOG_MORE)
            break;
        if (f == DECODE_SYSLOG_LARGE)
            buf_printf(&out, "(large %zu)", taken);
        else
            buf_printf(&out, "(%.*s)", SLICE_FMT(message));
        bytes = slice_from(bytes, taken);
    }
    buf_printf(&out, "%zu", bytes.len);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

static void frames(void **state)
{
    (void)state;
    check_frames("<1>a\n<2>b\r\n<3>c", false, "(<1>a)(<2>b\r)4");
    check_frames("<1>a\n<3>c", true, "(<1>a)(<3>c)0");
    check_frames("5 <1>a\n4 <2>b<3>c\n", false, "(<1>a\n)(<2>b)(<3>c)0");
    check_frames("5 <1>", false, "5");
    check_frames("5 <1>", true, "(<1>)0");
    check_frames("12", false, "2");
    check_frames("12 ", false, "3");
    check_frames("12 monkeys\n", false, "(12 monkeys)0");
    check_frames("999 <1>a", false, "(large 1003)0");
    check_frames("99999999999 <1>a\n", false, "(99999999999 <1>a)0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc5424),
        cmocka_unit_test(rfc3164),
        cmocka_unit_test(frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
