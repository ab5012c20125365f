/* Expressions over sets of numbers: each kind, how series meet, what is refused and with which
 * words. A set is written "label=value,...: 1 2 null"; times are 0 s, 1 s, ... */
#include "lang/expr/expr.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/buf.h"
#include "codec/number.h"

#define INPUTS 8

struct world {
    struct arena *arena;
    struct {
        struct slice name;
        struct expr_set set;
    } inputs[INPUTS];
    size_t count;
    int64_t values_max, deadline_ns;
    _Atomic bool cancelled;
    struct diag diag;
    struct buf text;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    w->arena = arena_new(0, NULL);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    arena_free(w->arena);
    buf_deinit(&w->text);
    free(w);
    return 0;
}

static double number(struct slice text)
{
    double v = NAN;
    if (slice_eq_cstr(text, "null"))
        return expr_null();
    if (!codec_text_to_double(text, &v, NULL))
        fail_msg("%.*s is no number", SLICE_FMT(text));
    return v;
}

static struct data_labels labels(struct world *w, struct slice text)
{
    struct data_label *items = ARENA_ARRAY(w->arena, struct data_label, 8);
    struct slice pair, rest = slice_trim(text);
    size_t n = 0;
    while (rest.len && slice_split(&rest, ',', &pair)) {
        ptrdiff_t at = slice_find(pair, SLICE("="));
        items[n++] =
            (struct data_label){slice_first(pair, (size_t)at), slice_from(pair, (size_t)at + 1)};
    }
    return (struct data_labels){items, n};
}

static void add_series(struct world *w, struct expr_set *set, struct slice text, bool single)
{
    double values[16];
    size_t n = 0;
    ptrdiff_t at = slice_find(text, SLICE(":"));
    struct slice rest = slice_trim(slice_from(text, (size_t)at + 1)), word;
    while (rest.len && slice_split(&rest, ' ', &word))
        values[n++] = number(word);
    struct expr_series *s =
        expr_set_add(set, w->arena, labels(w, slice_first(text, (size_t)at)), n, single);
    for (size_t i = 0; i < n; i++) {
        s->value[i] = values[i];
        if (!single)
            s->ts_ns[i] = (int64_t)i * NS_PER_SEC;
    }
}

/* An input; series are divided by ';'. No text is no data. */
static void input(struct world *w, const char *name, const char *text, bool single)
{
    struct slice rest = slice_cstr(text), one;
    size_t i = 0;
    while (i < w->count && !slice_eq_cstr(w->inputs[i].name, name))
        i++;
    assert_true(i < INPUTS);
    w->count = i == w->count ? i + 1 : w->count;
    w->inputs[i].name = slice_cstr(name);
    w->inputs[i].set = (struct expr_set){.is_numbers = true, .no_data = !rest.len};
    while (rest.len && slice_split(&rest, ';', &one))
        add_series(w, &w->inputs[i].set, one, single);
}

static int find(void *ctx, struct slice ref_id, const struct expr_set **out, struct diag *diag)
{
    struct world *w = ctx;
    for (size_t i = 0; i < w->count; i++) {
        if (slice_eq(w->inputs[i].name, ref_id)) {
            *out = &w->inputs[i].set;
            return 0;
        }
    }
    return diag_set(diag, ERR_INVALID, "there is no query %.*s", SLICE_FMT(ref_id));
}

static struct codec_json parse(struct world *w, const char *json)
{
    struct codec_json v;
    struct diag diag;
    diag_init(&diag);
    if (codec_json_parse(arena_slice(w->arena, slice_cstr(json)), w->arena, &v, &diag))
        fail_msg("%s: %s", json, diag.msg);
    return v;
}

/* Each look at it takes a nanosecond. */
static int64_t now_ns(void)
{
    static int64_t now;
    return ++now;
}

static int run_in(struct world *w, struct arena *arena, const char *json, struct expr_set *out)
{
    const struct expr_env env = {.arena = arena,
                                 .to_ns = 4 * NS_PER_SEC,
                                 .values_max = w->values_max,
                                 .cancelled = &w->cancelled,
                                 .deadline_ns = w->deadline_ns,
                                 .now_ns = now_ns,
                                 .input = find,
                                 .ctx = w};
    struct codec_json query = parse(w, json);
    diag_init(&w->diag);
    return expr_run(&env, &query, out, &w->diag);
}

static void put_value(struct buf *out, double v)
{
    if (expr_is_null(v))
        buf_append_cstr(out, "null");
    else
        codec_append_double(out, v, CODEC_DOUBLE_PLAIN);
}

static void put_series(struct buf *out, const struct expr_series *s)
{
    for (size_t i = 0; i < s->labels.count; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? "," : "", SLICE_FMT(s->labels.items[i].name),
                   SLICE_FMT(s->labels.items[i].value));
    buf_append_cstr(out, ":");
    for (size_t i = 0; i < s->count; i++) {
        buf_append_char(out, ' ');
        put_value(out, s->value[i]);
        if (!s->single && s->ts_ns[i] != (int64_t)i * NS_PER_SEC)
            buf_printf(out, "@%lldms", (long long)(s->ts_ns[i] / NS_PER_MS));
    }
}

/* The answer in the form of the inputs; "no data", or "error: ...". Numbers have a # before them.
 */
static const char *run(struct world *w, const char *json)
{
    struct expr_set out;
    buf_clear(&w->text);
    int err = run_in(w, w->arena, json, &out);
    if (err) {
        buf_printf(&w->text, "error: %s", w->diag.code ? w->diag.msg : err_name(err));
        return buf_cstr(&w->text);
    }
    assert_true(out.is_numbers);
    if (out.no_data)
        buf_append_cstr(&w->text, "no data");
    for (size_t i = 0; i < out.count; i++) {
        buf_append_cstr(&w->text, i ? ";" : "");
        buf_append_cstr(&w->text, out.series[i].single ? "#" : "");
        put_series(&w->text, &out.series[i]);
    }
    return buf_cstr(&w->text);
}

static const char *math(struct world *w, const char *text)
{
    struct buf json = {0};
    buf_printf(&json, "{\"type\":\"math\",\"expression\":\"%s\"}", text);
    const char *answer = run(w, buf_cstr(&json));
    buf_deinit(&json);
    return answer;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" has no \"%s\"", text, part);
}

/* --- math --- */

static void math_binds_as_in_grafana(void **state)
{
    struct world *w = *state;
    assert_string_equal(math(w, "1 + 2 * 3 ** 2"), "#: 19");
    assert_string_equal(math(w, "-2 ** 2"), "#: 4");
    assert_string_equal(math(w, "10 % 4 + 7 / 2"), "#: 5.5");
    assert_string_equal(math(w, "(1 + 2) * 3 > 8 && !0"), "#: 1");
    assert_string_equal(math(w, "1 > 2 || 2 == 2.0"), "#: 1");
    assert_string_equal(math(w, "1 >= 2 || 2 <= 1 || 1 != 1 || 2 < 1"), "#: 0");
    assert_string_equal(math(w, "0x10 + 1e1"), "#: 26");
    assert_string_equal(math(w, "8 - 4 - 2"), "#: 2");
}

static void math_has_its_functions(void **state)
{
    struct world *w = *state;
    assert_string_equal(math(w, "abs(-3) + ceil(1.2) + floor(1.8) + round(2.5)"), "#: 9");
    assert_string_equal(math(w, "round(-2.5)"), "#: -3");
    assert_string_equal(math(w, "log(1)"), "#: 0");
    assert_string_equal(math(w,
                             "is_inf(inf()) + is_inf(infn()) + is_nan(nan()) + is_null(null()) + "
                             "is_number(1)"),
                        "#: 5");
    assert_string_equal(math(w, "is_inf(1) + is_nan(null()) + is_null(nan()) + is_number(nan())"),
                        "#: null");
    assert_string_equal(math(w, "is_null(nan()) + is_number(inf()) + is_number(null())"), "#: 0");
    assert_string_equal(math(w, "null() + 1"), "#: null");
    assert_string_equal(math(w, "-null()"), "#: null");
    assert_string_equal(math(w, "!nan()"), "#: NaN");
}

static void the_left_side_decides_before_nan(void **state)
{
    struct world *w = *state;
    assert_string_equal(math(w, "1 || nan()"), "#: 1");
    assert_string_equal(math(w, "0 && nan()"), "#: 0");
    assert_string_equal(math(w, "0 || nan()"), "#: NaN");
    assert_string_equal(math(w, "1 && nan()"), "#: NaN");
    assert_string_equal(math(w, "1 || null()"), "#: null");
    assert_string_equal(math(w, "nan() == nan()"), "#: NaN");
}

static void math_says_where_it_is_wrong(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1 2", false);
    assert_has(math(w, ""), "it ends where");
    assert_has(math(w, "$A +"), "character 5: it ends where");
    assert_has(math(w, "($A"), ") is expected");
    assert_has(math(w, "$A # 2"), "character 4: an operator is expected");
    assert_has(math(w, "sqrtt(1)"), "no such function");
    assert_has(math(w, "abs 1"), "( is expected");
    assert_has(math(w, "abs(1"), ") is expected");
    assert_has(math(w, "nan(1)"), "takes nothing");
    assert_has(math(w, "1 2"), "an operator is expected");
    assert_has(math(w, "1x"), "a number is expected");
    assert_has(math(w, "${A"), "named as");
    assert_has(math(w, "$"), "named as");
    assert_has(math(w, "$B"), "there is no query B");
    /* What is wrong with the text is said before anything is asked. */
    assert_has(math(w, "$B +"), "it ends where");
}

static void nesting_ends(void **state)
{
    struct world *w = *state;
    char text[2 * 300 + 2];
    memset(text, '(', 300);
    text[300] = '1';
    memset(text + 301, ')', 300);
    text[601] = 0;
    assert_has(math(w, text), "nested too deeply");
    memset(text, '-', 601);
    assert_has(math(w, text), "nested too deeply");
    assert_string_equal(math(w, "((((((((((1))))))))))"), "#: 1");
}

/* --- how series meet --- */

static void numbers_go_with_every_series(void **state)
{
    struct world *w = *state;
    input(w, "A", "host=a: 1 2 null;host=b: 10 20 30", false);
    assert_string_equal(math(w, "$A * 2"), "host=a: 2 4 null;host=b: 20 40 60");
    assert_string_equal(math(w, "2 - $A"), "host=a: 1 0 null;host=b: -8 -18 -28");
    assert_string_equal(math(w, "$A"), "host=a: 1 2 null;host=b: 10 20 30");
    assert_string_equal(math(w, "!$A"), "host=a: 0 0 null;host=b: 0 0 0");
}

/* An input may go before the answer of what was made of it. */
static void an_answer_is_its_own(void **state)
{
    struct world *w = *state;
    struct expr_set out;
    input(w, "A", "host=a: 1 2 null", false);
    const struct expr_series *in = &w->inputs[0].set.series[0];
    assert_int_equal(run_in(w, w->arena, "{\"type\":\"math\",\"expression\":\"($A)\"}", &out), 0);
    assert_int_equal(out.count, 1);
    assert_true(out.series != in);
    assert_true(out.series->value != in->value && out.series->ts_ns != in->ts_ns);
    assert_true(out.series->labels.items != in->labels.items);
    assert_string_equal(math(w, "$A"), "host=a: 1 2 null");
    input(w, "A", "host=a: 7", true);
    assert_string_equal(math(w, "((($A)))"), "#host=a: 7");
}

static void labels_are_equal_or_among_the_others(void **state)
{
    struct world *w = *state;
    input(w, "A", "host=a: 1 2 null;host=b: 10 20 30", false);
    input(w, "B", "host=b: 2 2 2", false);
    assert_string_equal(math(w, "$A / $B"), "host=b: 5 10 15");
    input(w, "B", ": 1 1 1", false);
    assert_string_equal(math(w, "$A - $B"), "host=a: 0 1 null;host=b: 9 19 29");
    assert_string_equal(math(w, "$B - $A"), "host=a: 0 -1 null;host=b: -9 -19 -29");
    input(w, "A", "dc=x,host=a: 1 1 1", false);
    input(w, "B", "host=a: 1 1 1", false);
    assert_string_equal(math(w, "$B + $A"), "dc=x,host=a: 2 2 2");
    /* One of a host's labels meets each of its disks, in the order of the left side. */
    input(w, "A", "host=b: 100;host=a: 200", false);
    input(w, "B", "disk=1,host=a: 1;disk=1,host=b: 2;disk=2,host=a: 3;disk=2,host=c: 4", false);
    assert_string_equal(math(w, "$A + $B"),
                        "disk=1,host=b: 102;disk=1,host=a: 201;disk=2,host=a: 203");
    assert_string_equal(math(w, "$B + $A"),
                        "disk=1,host=a: 201;disk=1,host=b: 102;disk=2,host=a: 203");
}

static void sets_of_mixed_labels_meet_each_with_each(void **state)
{
    struct world *w = *state;
    input(w, "A", "host=a: 1;dc=x,host=b: 2;: 3", false);
    input(w, "B", "host=b: 10;host=a: 20;disk=1: 30", false);
    assert_string_equal(math(w, "$A + $B"),
                        "host=a: 21;dc=x,host=b: 12;host=b: 13;host=a: 23;disk=1: 33");
}

static void two_alone_meet_whatever_their_labels(void **state)
{
    struct world *w = *state;
    input(w, "A", "x=1: 1", false);
    input(w, "B", "y=2: 2", false);
    assert_string_equal(math(w, "${A} + $B"), ": 3");
    input(w, "A", "host=a: 1;host=b: 2", false);
    assert_string_equal(math(w, "$A + $B"), "");
    input(w, "A", "x=2: 1", false);
    input(w, "B", "x=1: 5", false);
    assert_string_equal(math(w, "$A + $B"), ": 6");
}

static void series_meet_at_times_that_both_have(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1 2 3", false);
    input(w, "B", ": 10 20", false);
    assert_string_equal(math(w, "$A + $B"), ": 11 22");
    w->inputs[1].set.series[0].ts_ns[0] = NS_PER_SEC / 2;
    assert_string_equal(math(w, "$A + $B"), ": 22@1000ms");
}

static void instants_are_numbers(void **state)
{
    struct world *w = *state;
    input(w, "A", "host=a: 7;host=b: 3", true);
    input(w, "B C", "host=a: 1 9", false);
    assert_string_equal(math(w, "$A > 5"), "#host=a: 1;#host=b: 0");
    assert_string_equal(math(w, "${B C} < $A"), "host=a: 1 0");
}

static void no_data_stays_no_data(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1", false);
    input(w, "N", "", false);
    assert_string_equal(math(w, "$N + 1"), "no data");
    assert_string_equal(math(w, "$A + $N"), "no data");
    assert_string_equal(run(w, "{\"type\":\"reduce\",\"expression\":\"N\",\"reducer\":\"sum\"}"),
                        "no data");
}

static void what_is_no_numbers_is_refused(void **state)
{
    struct world *w = *state;
    input(w, "L", "", false);
    w->inputs[0].set.is_numbers = false;
    assert_has(math(w, "$L + 1"), "query L gives no numbers");
    assert_has(run(w, "{\"type\":\"reduce\",\"expression\":\"L\",\"reducer\":\"sum\"}"),
               "query L gives no numbers");
}

/* --- reduce --- */

static const char *reduce(struct world *w, const char *reducer, const char *mode)
{
    struct buf json = {0};
    buf_printf(&json,
               "{\"type\":\"reduce\",\"expression\":\"$A\",\"reducer\":\"%s\","
               "\"settings\":{\"mode\":\"%s\",\"replaceWithValue\":5}}",
               reducer, mode);
    const char *answer = run(w, buf_cstr(&json));
    buf_deinit(&json);
    return answer;
}

static void reducers(void **state)
{
    static const char *const expected[][2] = {{"sum", "#h=a: 12"},
                                              {"mean", "#h=a: 3"},
                                              {"avg", "#h=a: 3"},
                                              {"min", "#h=a: -1"},
                                              {"max", "#h=a: 7"},
                                              {"count", "#h=a: 4"},
                                              {"last", "#h=a: 2"},
                                              {"median", "#h=a: 3"},
                                              {"diff", "#h=a: -2"},
                                              {"diff_abs", "#h=a: 2"},
                                              {"percent_diff", "#h=a: -50"},
                                              {"percent_diff_abs", "#h=a: 50"},
                                              {"count_non_null", "#h=a: 4"}};
    struct world *w = *state;
    input(w, "A", "h=a: 4 7 -1 2", false);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        assert_string_equal(reduce(w, expected[i][0], ""), expected[i][1]);
    input(w, "A", "h=a: 4 7 -1", false);
    assert_string_equal(reduce(w, "median", "strict"), "#h=a: 4");
}

static void modes_of_what_is_no_number(void **state)
{
    struct world *w = *state;
    input(w, "A", "h=a: 1 null 3", false);
    assert_string_equal(reduce(w, "mean", ""), "#h=a: NaN");
    assert_string_equal(reduce(w, "mean", "dropNN"), "#h=a: 2");
    assert_string_equal(reduce(w, "sum", "replaceNN"), "#h=a: 9");
    assert_string_equal(reduce(w, "count", ""), "#h=a: 3");
    assert_string_equal(reduce(w, "count", "dropNN"), "#h=a: 2");
    assert_string_equal(reduce(w, "last", ""), "#h=a: 3");
    assert_string_equal(reduce(w, "max", "dropNN"), "#h=a: 3");
    input(w, "A", ": 1 +Inf", false);
    assert_string_equal(reduce(w, "sum", ""), "#: +Inf");
    assert_string_equal(reduce(w, "sum", "dropNN"), "#: 1");
    assert_string_equal(reduce(w, "sum", "replaceNN"), "#: 6");
    input(w, "A", ": NaN null", false);
    assert_string_equal(reduce(w, "max", "dropNN"), "#: null");
    input(w, "A", ":", false);
    assert_string_equal(reduce(w, "sum", ""), "#: 0");
    assert_string_equal(reduce(w, "count", ""), "#: 0");
    assert_string_equal(reduce(w, "max", ""), "#: NaN");
    assert_string_equal(reduce(w, "max", "dropNN"), "#: null");
    input(w, "A", "h=a: 7;h=b: NaN", true);
    assert_string_equal(reduce(w, "count", ""), "#h=a: 7;#h=b: NaN");
    assert_string_equal(reduce(w, "count", "replaceNN"), "#h=a: 7;#h=b: 5");
    assert_string_equal(reduce(w, "count", "dropNN"), "#h=a: 7;#h=b: null");
}

static void reduce_says_what_is_wrong(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1", false);
    assert_has(reduce(w, "mode", ""), "reduction mode not supported");
    assert_has(reduce(w, "sum", "dropAll"), "not dropAll");
    assert_has(run(w, "{\"type\":\"reduce\",\"expression\":\"\",\"reducer\":\"sum\"}"),
               "no variable specified");
    assert_has(run(w, "{\"type\":\"reduce\",\"expression\":\"A\",\"reducer\":\"sum\","
                      "\"settings\":{\"mode\":\"replaceNN\"}}"),
               "replaceWithValue");
}

/* --- resample --- */

static const char *resample(struct world *w, const char *window, const char *down, const char *up)
{
    struct buf json = {0};
    buf_printf(&json,
               "{\"type\":\"resample\",\"expression\":\"A\",\"window\":\"%s\",\"downsampler\":"
               "\"%s\",\"upsampler\":\"%s\"}",
               window, down, up);
    const char *answer = run(w, buf_cstr(&json));
    buf_deinit(&json);
    return answer;
}

static void resample_up_and_down(void **state)
{
    struct world *w = *state;
    input(w, "A", "h=a: 1 2 3", false);
    assert_string_equal(resample(w, "2s", "max", "pad"), "h=a: 1 3@2000ms 3@4000ms");
    assert_string_equal(resample(w, "2s", "sum", "fillna"), "h=a: 1 5@2000ms null@4000ms");
    assert_string_equal(resample(w, "2s", "mean", "fillna"), "h=a: 1 2.5@2000ms null@4000ms");
    assert_string_equal(resample(w, "2s", "min", "fillna"), "h=a: 1 2@2000ms null@4000ms");
    assert_string_equal(resample(w, "2s", "last", "backfilling"), "h=a: 1 3@2000ms null@4000ms");
    assert_string_equal(resample(w, "500ms", "max", "pad"),
                        "h=a: 1 1@500ms 2@1000ms 2@1500ms 3@2000ms 3@2500ms 3@3000ms 3@3500ms "
                        "3@4000ms");
    assert_string_equal(resample(w, "500ms", "max", "backfilling"),
                        "h=a: 1 2@500ms 2@1000ms 3@1500ms 3@2000ms null@2500ms null@3000ms "
                        "null@3500ms null@4000ms");
    assert_string_equal(resample(w, "500ms", "max", "fillna"),
                        "h=a: 1 null@500ms 2@1000ms null@1500ms 3@2000ms null@2500ms null@3000ms "
                        "null@3500ms null@4000ms");
    input(w, "A", ": 1 null 3", false);
    assert_string_equal(resample(w, "2s", "sum", "pad"), ": 1 NaN@2000ms 3@4000ms");
}

static void resample_says_what_is_wrong(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1 2 3", false);
    assert_has(resample(w, "0", "max", "pad"), "window is a duration");
    assert_has(resample(w, "soon", "max", "pad"), "window is a duration");
    assert_has(resample(w, "1h", "max", "pad"), "shorter than the interval");
    assert_has(resample(w, "1s", "count", "pad"), "downsampler is one of");
    assert_has(resample(w, "1s", "max", "guess"), "upsampler is one of");
    w->values_max = 4;
    assert_has(resample(w, "1s", "max", "pad"), "limits.query.samples (4)");
    w->values_max = 5;
    assert_has(resample(w, "1s", "max", "pad"), ": 1 2 3 3 3");
    input(w, "A", ": 1", true);
    assert_has(resample(w, "1s", "max", "pad"), "query A gives single numbers");
}

/* --- thresholds --- */

static const char *threshold(struct world *w, const char *condition)
{
    struct buf json = {0};
    buf_printf(&json, "{\"type\":\"threshold\",\"expression\":\"A\",\"conditions\":[%s]}",
               condition);
    const char *answer = run(w, buf_cstr(&json));
    buf_deinit(&json);
    return answer;
}

static void every_kind_of_threshold(void **state)
{
    static const char *const expected[][3] = {{"gt", "2", ": 0 0 1 null 0"},
                                              {"lt", "2", ": 1 0 0 null 0"},
                                              {"gte", "2", ": 0 1 1 null 0"},
                                              {"lte", "2", ": 1 1 0 null 0"},
                                              {"eq", "2", ": 0 1 0 null 0"},
                                              {"ne", "2", ": 1 0 1 null 1"}, /* NaN is not 2 */
                                              {"within_range", "1,3", ": 0 1 0 null 0"},
                                              {"within_range", "3,1", ": 0 0 0 null 0"},
                                              {"outside_range", "1,2", ": 0 0 1 null 0"},
                                              {"within_range_included", "1,2", ": 1 1 0 null 0"},
                                              {"outside_range_included", "1,3", ": 1 0 1 null 0"}};
    struct world *w = *state;
    input(w, "A", ": 1 2 3 null NaN", false);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        char condition[200];
        snprintf(condition, sizeof(condition), "{\"evaluator\":{\"type\":\"%s\",\"params\":[%s]}}",
                 expected[i][0], expected[i][1]);
        assert_string_equal(threshold(w, condition), expected[i][2]);
    }
    input(w, "A", "h=a: 1;h=b: 2", true);
    assert_string_equal(threshold(w, "{\"evaluator\":{\"type\":\"gt\",\"params\":[1]}}"),
                        "#h=a: 0;#h=b: 1");
}

/* What was over the first threshold stays so until the second one holds. */
static void hysteresis(void **state)
{
#define OVER                                                                                       \
    "{\"evaluator\":{\"type\":\"gt\",\"params\":[80]},\"unloadEvaluator\":"                        \
    "{\"type\":\"lt\",\"params\":[60]}"
    struct world *w = *state;
    input(w, "A", "h=a: 70;h=b: 70;h=c: 90;h=d: 50", true);
    assert_string_equal(threshold(w, OVER "}"), "#h=a: 0;#h=b: 0;#h=c: 1;#h=d: 0");
    assert_string_equal(threshold(w, OVER ",\"loadedDimensions\":null}"),
                        "#h=a: 0;#h=b: 0;#h=c: 1;#h=d: 0");
    /* FNV-1 of "h\xff" "a\xff", and of d. */
    assert_string_equal(threshold(w,
                                  OVER ",\"loadedDimensions\":{\"schema\":{\"fields\":[{\"name\":"
                                       "\"fingerprints\"}]},\"data\":{\"values\":[["
                                       "17260952114250061905,17260957611808203218]]}}}"),
                        "#h=a: 1;#h=b: 0;#h=c: 1;#h=d: 0");
    assert_has(threshold(w, OVER ",\"loadedDimensions\":{\"data\":{\"values\":[]}}}"),
               "one column of fingerprints");
    assert_has(threshold(w, OVER ",\"loadedDimensions\":{\"data\":{\"values\":[[-1]]}}}"),
               "whole number");
    assert_has(threshold(w, "{\"evaluator\":{\"type\":\"gt\",\"params\":[80]},"
                            "\"unloadEvaluator\":{\"type\":\"lt\"}}"),
               "evaluator lt needs 1 numbers");
#undef OVER
}

static void threshold_says_what_is_wrong(void **state)
{
    struct world *w = *state;
    input(w, "A", ": 1", false);
    assert_has(threshold(w, ""), "exactly one condition");
    assert_has(threshold(w, "{},{}"), "exactly one condition");
    assert_has(threshold(w, "{\"evaluator\":{\"type\":\"gt\"}}"), "needs 1 numbers");
    assert_has(threshold(w, "{\"evaluator\":{\"type\":\"within_range\",\"params\":[1]}}"),
               "needs 2 numbers");
    assert_has(threshold(w, "{\"evaluator\":{\"type\":\"near\"}}"), "\"near\" is not known");
}

/* --- classic conditions --- */

#define CONDITION(ref, type, params, op)                                                           \
    "{\"query\":{\"params\":[\"" ref "\"]},\"reducer\":{\"type\":\"avg\"},\"evaluator\":{"         \
    "\"type\":\"" type "\",\"params\":[" params "]},\"operator\":{\"type\":\"" op "\"}}"

static const char *classic(struct world *w, const char *conditions)
{
    struct buf json = {0};
    buf_printf(&json, "{\"type\":\"classic_conditions\",\"conditions\":[%s]}", conditions);
    const char *answer = run(w, buf_cstr(&json));
    buf_deinit(&json);
    return answer;
}

static void classic_conditions_are_joined_from_left_to_right(void **state)
{
    struct world *w = *state;
    input(w, "A", "h=a: 1 null 3", false);
    input(w, "N", "", false);
    assert_string_equal(classic(w, CONDITION("A", "gt", "1", "and")), "#: 1");
    assert_string_equal(
        classic(w, CONDITION("A", "gt", "1", "and") "," CONDITION("A", "gt", "5", "and")), "#: 0");
    assert_string_equal(
        classic(w, CONDITION("A", "gt", "5", "and") "," CONDITION("A", "gt", "1", "or")), "#: 1");
    assert_string_equal(classic(w, CONDITION("A", "within_range", "3,1", "and")), "#: 1");
    assert_string_equal(classic(w, CONDITION("N", "gt", "1", "and")), "#: null");
    assert_string_equal(classic(w, CONDITION("N", "no_value", "", "and")), "#: 1");
    assert_string_equal(classic(w, CONDITION("A", "no_value", "", "and")), "#: 0");
    assert_has(classic(w, ""), "need a list");
    assert_has(classic(w, CONDITION("B", "gt", "1", "and")), "there is no query B");
    assert_has(classic(w, "{}"), "reduction  not supported");
}

/* --- all of them --- */

static void other_kinds_are_not_known(void **state)
{
    struct world *w = *state;
    assert_has(run(w, "{\"type\":\"sql\",\"expression\":\"SELECT 1\"}"),
               "expressions in SQL are not evaluated here");
    assert_has(run(w, "{\"type\":\"mystery\"}"), "\"mystery\" is not known");
    assert_has(run(w, "{}"), "is not known");
}

static void add_name(void *ctx, struct slice ref_id)
{
    buf_printf(ctx, " %.*s", SLICE_FMT(ref_id));
}

static void inputs_are_named(void **state)
{
    static const char *const expected[][2] = {
        {"{\"type\":\"math\",\"expression\":\"$A + ${B C} * abs($A)\"}", " A B C A"},
        {"{\"type\":\"math\",\"expression\":\"$A + ($B\"}", " A B"},
        {"{\"type\":\"reduce\",\"expression\":\"${A}\"}", " A"},
        {"{\"type\":\"resample\",\"expression\":\" $B \"}", " B"},
        {"{\"type\":\"threshold\",\"expression\":\"C\"}", " C"},
        {"{\"type\":\"threshold\"}", ""},
        {"{\"type\":\"classic_conditions\",\"conditions\":[{\"query\":{\"params\":[\"A\"]}},{},"
         "{\"query\":{\"params\":[\"B\"]}}]}",
         " A B"},
        {"{\"type\":\"classic_conditions\"}", ""}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        struct codec_json query = parse(w, expected[i][0]);
        buf_clear(&w->text);
        expr_each_input(&query, add_name, &w->text);
        assert_string_equal(buf_cstr(&w->text), expected[i][1]);
    }
}

static void limits_hold(void **state)
{
    struct world *w = *state;
    input(w, "A", "h=a: 1 2 3;h=b: 1 2 3;h=c: 1 2 3", false);
    input(w, "B", ": 1 2 3;: 4 5 6", false);
    w->values_max = 20;
    assert_has(math(w, "$A + $B"), "limits.query.samples (20)");
    w->values_max = 24;
    assert_has(math(w, "$A + $B"), "h=c: 5 7 9");
}

/* Whatever the labels, also where no series meet. */
static void what_nobody_waits_for_ends(void **state)
{
    static const char *const others[] = {"dc=x: 1;dc=y: 1", "host=a: 1;host=b: 1",
                                         "dc=x: 1;disk=y: 1"};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        input(w, "A", "host=a: 1;host=b: 2", false);
        input(w, "B", others[i], false);
        w->cancelled = i != 0; /* those of the first have no pairs, which takes no time */
        assert_true(!strstr(math(w, "$A + $B"), "canceled") == !i);
        w->cancelled = false;
        w->deadline_ns = i ? now_ns() + 1 : 0;
        assert_true(!strstr(math(w, "$A + $B + $A"), "timed out") == !i);
        w->deadline_ns = now_ns() + 1000;
        assert_null(strstr(math(w, "$A + $B"), "error"));
        w->deadline_ns = 0;
    }
}

/* Memory that is used up is an error, wherever that happens. */
static void memory_may_end(void **state)
{
    static const char *const queries[] = {
        "{\"type\":\"math\",\"expression\":\"$A * $A + 1\"}",
        "{\"type\":\"reduce\",\"expression\":\"A\",\"reducer\":\"median\"}",
        "{\"type\":\"resample\",\"expression\":\"A\",\"window\":\"100ms\",\"downsampler\":\"sum\","
        "\"upsampler\":\"pad\"}",
        "{\"type\":\"threshold\",\"expression\":\"A\",\"conditions\":[{\"evaluator\":{\"type\":"
        "\"gt\",\"params\":[1]}}]}"};
    struct world *w = *state;
    struct buf text = {0};
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "%sh=%d: 1 2 3", i ? ";" : "", i);
    input(w, "A", arena_strdup(w->arena, buf_cstr(&text)), false);
    buf_deinit(&text);
    for (size_t q = 0; q < ARRAY_LEN(queries); q++) {
        int64_t bytes = 1024; /* 0 is no limit */
        int err = ERR_NOMEM;
        for (; err && bytes < (4 << 20); bytes += 16 << 10) {
            struct budget budget;
            struct expr_set out;
            budget_init(&budget, NULL, bytes, "limits.query.memory");
            struct arena *arena = arena_new(0, &budget);
            err = run_in(w, arena, queries[q], &out);
            if (err)
                assert_int_equal(err, ERR_NOMEM);
            arena_free(arena);
            budget_drain(&budget);
        }
        assert_int_equal(err, 0);
        assert_true(bytes > 32 << 10); /* not with the first one */
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(math_binds_as_in_grafana),
        CASE(math_has_its_functions),
        CASE(the_left_side_decides_before_nan),
        CASE(math_says_where_it_is_wrong),
        CASE(nesting_ends),
        CASE(numbers_go_with_every_series),
        CASE(an_answer_is_its_own),
        CASE(labels_are_equal_or_among_the_others),
        CASE(sets_of_mixed_labels_meet_each_with_each),
        CASE(two_alone_meet_whatever_their_labels),
        CASE(series_meet_at_times_that_both_have),
        CASE(instants_are_numbers),
        CASE(no_data_stays_no_data),
        CASE(what_is_no_numbers_is_refused),
        CASE(reducers),
        CASE(modes_of_what_is_no_number),
        CASE(reduce_says_what_is_wrong),
        CASE(resample_up_and_down),
        CASE(resample_says_what_is_wrong),
        CASE(every_kind_of_threshold),
        CASE(hysteresis),
        CASE(threshold_says_what_is_wrong),
        CASE(classic_conditions_are_joined_from_left_to_right),
        CASE(other_kinds_are_not_known),
        CASE(inputs_are_named),
        CASE(limits_hold),
        CASE(what_nobody_waits_for_ends),
        CASE(memory_may_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
