/* Lines of log files to rows. A row is printed as "[line] level" with what else it has, rows are
 * joined by " | ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "decode/logfile/container.h"
#include "decode/logfile/logfile.h"

#define NOW INT64_C(1704164645000000000) /* 2024-01-02T03:04:05Z */

struct fixture {
    struct decode_logfile file;
    struct decode_logfile_rules rules;
    struct decode_logfile_out out;
    struct decode_record record;
    struct data_label label;
    uint64_t at;
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){.rules = {.record_bytes_max = 1000}};
    f->label = (struct data_label){SLICE("service_name"), SLICE("s")};
    f->file.labels = (struct data_labels){&f->label, 1};
    f->out = (struct decode_logfile_out){
        .batch = data_event_batch_new(DATA_EVENT_LOGS, SLICE("default")),
        .serial = 1,
        .record = &f->record,
        .now_ns = NOW,
        .future_ns = 600 * NS_PER_SEC};
}

static void tear_down(struct fixture *f)
{
    decode_logfile_deinit(&f->file);
    decode_record_deinit(&f->record);
    data_event_batch_free(f->out.batch);
}

static void add_slice(struct fixture *f, struct slice line)
{
    struct slice own = data_event_batch_copy(f->out.batch, line);
    decode_logfile_line(&f->file, &f->rules, &f->out, own, f->at, f->at + line.len + 1);
    f->at += line.len + 1;
}

static void add(struct fixture *f, const char *line)
{
    add_slice(f, slice_cstr(line));
}

/* What was added since the last call. */
static void expect(struct fixture *f, const char *expected)
{
    struct data_event_batch *b = f->out.batch;
    struct buf out = {0};
    for (size_t i = 0; i < b->rows.len; i++) {
        const struct data_event_row *row = &b->rows.items[i];
        if (i)
            buf_append_cstr(&out, " | ");
        if (row->ts_ns != NOW)
            buf_printf(&out, "%lld ", (long long)((row->ts_ns - NOW) / NS_PER_MS));
        for (uint32_t k = 0; k < row->count; k++) {
            const struct data_event_attr *a = &b->attrs.items[row->first + k];
            struct data_value level = data_value_string(SLICE("unknown"));
            if (a->field == DATA_EVENT_LEVEL && data_value_eq(a->value, level))
                continue;
            if (a->field == DATA_EVENT_TRACE_ID) {
                buf_append_cstr(&out, " trace");
                continue;
            }
            buf_append_cstr(&out, a->field == DATA_EVENT_LINE ? "[" : " ");
            if (a->field >= DATA_EVENT_INTRINSIC_COUNT)
                buf_printf(&out, "%.*s=", SLICE_FMT(b->fields.items[a->field].name));
            data_value_print(a->value, &out);
            if (a->field == DATA_EVENT_LINE)
                buf_append_char(&out, ']');
        }
    }
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
    data_event_batch_reset(b);
    f->out.serial++;
}

static void plain(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    add(&f, "\xef\xbb\xbfINFO up");
    add(&f, "");
    add(&f, "2024-01-02T03:04:00Z ERROR down\r");
    add(&f, "no time");
    add(&f, "2034-01-02T03:04:00Z far ahead");
    add(&f, "{\"a\":1}");
    add(&f, "b\xff"
            "d");
    expect(&f, "[INFO up] info | -5000 [2024-01-02T03:04:00Z ERROR down] error | -5000 [no time] | "
               "-5000 [2034-01-02T03:04:00Z far ahead] | -5000 [{\"a\":1}] | "
               "-5000 [b\xef\xbf\xbd"
               "d]");
    assert_int_equal(f.out.bad_times, 1);
    assert_int_equal(f.out.lines, 7);
    assert_true(decode_logfile_safe(&f.file, f.at) == f.at);
    f.rules.received = true;
    f.file.last_ts_ns = 0;
    add(&f, "2024-01-02T03:04:00Z x");
    expect(&f, "[2024-01-02T03:04:00Z x]");
    tear_down(&f);
}

static void json(void **state)
{
    struct fixture f;
    const char *line = "{\"ts\":1704164640,\"level\":\"warn\",\"msg\":\"said\",\"a\":{\"b\":1},"
                       "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\"}";
    char expected[400];
    (void)state;
    set_up(&f);
    add(&f, line);
    add(&f, "no object: ERROR");
    add(&f, "{broken");
    snprintf(expected, sizeof(expected),
             "-5000 [%s] warn trace | -5000 [no object: ERROR] error | -5000 [{broken]", line);
    expect(&f, expected);
    f.rules.fields = true;
    add(&f, line);
    add(&f, "level=error msg=\"a \\\"b\\\"\" n=1 ts=2024-01-02T03:04:05Z");
    add(&f, "x=1");
    expect(&f,
           "-5000 [said] warn trace level=warn a.b=1 | [a \"b\"] error level=error n=1 | [x=1]");
    tear_down(&f);
}

static void docker(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    add(&f, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}");
    add(&f, "{\"log\":\"par\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:04Z\"}");
    uint64_t begin = f.at - 72;
    add(&f, "{\"log\":\"other\\n\",\"stream\":\"stderr\",\"time\":\"2024-01-02T03:04:05Z\"}");
    expect(&f, "[one] log.iostream=stdout | [other] log.iostream=stderr");
    assert_true(decode_logfile_safe(&f.file, f.at) < f.at);
    assert_true(decode_logfile_is_ahead(&f.file, f.at));
    (void)begin;
    decode_logfile_flush(&f.file, &f.rules, &f.out, NOW + 1); /* parts wait */
    expect(&f, "");
    add(&f, "{\"log\":\"tial\\r\\n\",\"stream\":\"stdout\",\"time\":\"2024-01-02T03:04:05Z\"}");
    add(&f, "not json at all");
    expect(&f, "-1000 [partial] log.iostream=stdout | -1000 [not json at all] log.iostream=stdout");
    assert_true(decode_logfile_safe(&f.file, f.at) == f.at);
    assert_false(decode_logfile_is_ahead(&f.file, f.at));
    tear_down(&f);
}

static void cri(void **state)
{
    struct fixture f;
    char part[900];
    (void)state;
    set_up(&f);
    add(&f, "2024-01-02T03:04:05Z stdout F WARN a");
    add(&f, "2024-01-02T03:04:05Z stdout P b ");
    add(&f, "2024-01-02T03:04:05Z stdout P:x c ");
    add(&f, "2024-01-02T03:04:05Z stdout F d");
    add(&f, "2024-01-02T03:04:05Z stderr F");
    expect(&f, "[WARN a] warn log.iostream=stdout | [b c d] log.iostream=stdout");
    /* parts beyond the limit go on as another line */
    memset(part, 'x', sizeof(part));
    memcpy(part, "2024-01-02T03:04:05Z stdout P ", 30);
    add_slice(&f, slice_make(part, 630));
    add_slice(&f, slice_make(part, 630));
    assert_int_equal(f.out.batch->rows.len, 1);
    decode_logfile_flush(&f.file, &f.rules, &f.out, INT64_MAX);
    assert_int_equal(f.out.batch->rows.len, 2);
    tear_down(&f);
}

static void multiline(void **state)
{
    struct fixture f;
    struct decode_multiline m = {.lines_max = 3, .timeout_ns = NS_PER_SEC};
    (void)state;
    set_up(&f);
    assert_int_equal(text_regex_compile(SLICE("^\\d"), 0, &m.regex, NULL), 0);
    f.rules.multiline = &m;
    add(&f, "before");
    add(&f, "1 a");
    assert_int_equal(decode_logfile_safe(&f.file, f.at), 7);
    add(&f, "b");
    add(&f, "2 c");
    expect(&f, "[before] | [1 a\nb]");
    assert_int_equal(decode_logfile_safe(&f.file, f.at), 13);
    assert_false(decode_logfile_is_ahead(&f.file, f.at));
    add(&f, "d");
    add(&f, "e");
    add(&f, "f"); /* the fourth */
    expect(&f, "[2 c\nd\ne]");
    assert_int_equal(decode_logfile_waits_since(&f.file), NOW);
    decode_logfile_flush(&f.file, &f.rules, &f.out, NOW - 1);
    expect(&f, "");
    decode_logfile_flush(&f.file, &f.rules, &f.out, NOW);
    expect(&f, "[f]");
    assert_true(decode_logfile_waits_since(&f.file) == INT64_MAX);
    add(&f, "3 x");
    decode_logfile_drop(&f.file);
    decode_logfile_flush(&f.file, &f.rules, &f.out, INT64_MAX);
    expect(&f, "");
    decode_multiline_deinit(&m);
    tear_down(&f);
}

/* Lines that begin a record are marked by a dash. */
static void presets(void **state)
{
    static const struct {
        const char *preset;
        const char *lines[12];
    } rows[] = {
        {"java",
         {"-2024-01-02 ERROR failed", "java.lang.IllegalStateException: no", "\tat a.B.c(B.java:1)",
          "Caused by: java.io.IOException: x", "\t... 12 more", "\tSuppressed: java.lang.Error",
          "-INFO on", "-Exceptional weather"}},
        {"python",
         {"-ERROR failed", "Traceback (most recent call last):", "  File \"x.py\", line 1, in f",
          "    g()", "KeyError: 'x'", "",
          "During handling of the above exception, another "
          "exception occurred:",
          "", "Traceback (most recent call last):", "my.mod.OwnError: bad", "-INFO on"}},
        {"go",
         {"-panic: runtime error: index out of range", "", "goroutine 1 [running]:",
          "main.f(0x1, 0x2)", "\t/src/main.go:7 +0x1d", "net/http.(*conn).serve(0xc0)",
          "created by main.main", "exit status 2", "-2024/01/02 03:04:05 on"}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decode_multiline m = {0};
        assert_int_equal(decode_multiline_preset(slice_cstr(rows[i].preset), &m, NULL), 0);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].lines) && rows[i].lines[k]; k++) {
            const char *line = rows[i].lines[k];
            bool begins = line[0] == '-';
            if (decode_multiline_begins(&m, slice_cstr(line + begins)) != begins)
                fail_msg("%s: %s", rows[i].preset, line);
        }
        decode_multiline_deinit(&m);
    }
    struct decode_multiline m = {0};
    assert_int_equal(decode_multiline_preset(SLICE("ruby"), &m, NULL), ERR_NOT_FOUND);
}

static void encodings(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    f.rules.encoding = DECODE_LOGFILE_LATIN1;
    add(&f, "gr\xfc\xdf");
    expect(&f, "[gr\xc3\xbc\xc3\x9f]");
    f.rules.encoding = DECODE_LOGFILE_UTF16LE;
    add_slice(&f, slice_make("\xff\xfe"
                             "a\0\x3d\xd8\x00\xde\x00\xd8\r\0",
                             12));
    expect(&f, "[a\xf0\x9f\x98\x80\xef\xbf\xbd]");
    f.rules.encoding = DECODE_LOGFILE_UTF16BE;
    add_slice(&f, slice_make("\0a\0\xe4", 4));
    expect(&f, "[a\xc3\xa4]");
    assert_int_equal(decode_logfile_find_newline(DECODE_LOGFILE_UTF16LE, slice_make("\n\n\n\0", 4)),
                     2);
    assert_int_equal(decode_logfile_find_newline(DECODE_LOGFILE_UTF16BE, slice_make("x\0\n\0", 4)),
                     -1);
    tear_down(&f);
}

static void cut(void **state)
{
    struct fixture f;
    char line[1200];
    (void)state;
    set_up(&f);
    memset(line, 'x', sizeof(line));
    add_slice(&f, slice_make(line, 1000));
    add_slice(&f, slice_make(line, 1001));
    assert_int_equal(f.out.cut, 1);
    assert_int_equal(f.out.batch->rows.len, 2);
    assert_int_equal(f.out.batch->attrs.items[2].value.text.len, 1000);
    tear_down(&f);
}

static void paths(void **state)
{
    struct decode_container c;
    char id[65] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", path[300];
    (void)state;
    assert_true(decode_container_path(SLICE("/var/log/pods/ns_pod-1_uid-2/app/7.log"), &c));
    assert_true(slice_eq_cstr(c.namespace, "ns") && slice_eq_cstr(c.pod, "pod-1") &&
                slice_eq_cstr(c.pod_uid, "uid-2") && slice_eq_cstr(c.name, "app") &&
                slice_eq_cstr(c.restart_count, "7"));
    assert_true(decode_container_path(SLICE("/x/pods/ns_p_u/app/0.log.20240102-030405"), &c));
    assert_false(decode_container_path(SLICE("/x/pods/ns_p_u/app/x.log"), &c));
    assert_false(decode_container_path(SLICE("/x/pods/nope/app/0.log"), &c));
    snprintf(path, sizeof(path), "/var/log/containers/pod-1_ns_the-app-%s.log", id);
    assert_true(decode_container_path(slice_cstr(path), &c));
    assert_true(slice_eq_cstr(c.namespace, "ns") && slice_eq_cstr(c.pod, "pod-1") &&
                slice_eq_cstr(c.name, "the-app") && slice_eq_cstr(c.id, id));
    snprintf(path, sizeof(path), "/c/%s/%s-json.log", id, id);
    assert_true(decode_container_path(slice_cstr(path), &c));
    assert_true(slice_eq_cstr(c.id, id) && !c.name.ptr);
    assert_false(decode_container_path(SLICE("/var/log/syslog"), &c));
    assert_false(decode_container_path(SLICE(""), &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),     cmocka_unit_test(json),      cmocka_unit_test(docker),
        cmocka_unit_test(cri),       cmocka_unit_test(multiline), cmocka_unit_test(presets),
        cmocka_unit_test(encodings), cmocka_unit_test(cut),       cmocka_unit_test(paths)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
