/* PromQL's text forms: printed, formatted, as a tree in JSON; what is refused, and in which words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/promql/promql.h"

typedef void (*print_fn)(const struct promql_expr *e, struct buf *out);

/* What `print` makes of the text, or its error. */
static struct buf made(const char *text, print_fn print)
{
    const struct promql_options options = {.experimental = true};
    struct arena *arena = arena_new(0, NULL);
    struct promql_expr *e = NULL;
    struct diag d;
    struct buf out = {0};
    diag_init(&d);
    if (promql_parse(slice_cstr(text), &options, arena, &e, &d)) {
        promql_error_text(&d, &out);
    } else {
        print(e, &out);
        promql_expr_free(e);
    }
    arena_free(arena);
    return out;
}

static void check(const char *text, print_fn print, const char *expected)
{
    struct buf out = made(text, print);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

static void prints(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1+2*3", "1 + 2 * 3"},
        {"- 3", "-3"},
        {"+5m", "5m"},
        {"up { job = 'x' , a!=\"b\" }", "up{a!=\"b\",job=\"x\"}"},
        {"{\"my.metric\", \"a b\"=\"c\"}", "{\"a b\"=\"c\",__name__=\"my.metric\"}"},
        {"x{a=\"q\\\"\\n\\t\\x01\"}", "x{a=\"q\\\"\\n\\t\\x01\"}"},
        {"rate(x[300])", "rate(x[5m])"},
        {"x[2*step()] offset -(1m)", "x[2 * step()] offset -(1m)"},
        {"x offset -90 @ 1.5", "x @ 1.500 offset -1m30s"},
        {"sum(x) without()", "sum without () (x)"},
        {"sum by () (x)", "sum(x)"},
        {"a / on() group_left b", "a / on () group_left () b"},
        {"a + fill(0) b", "a + fill (0) b"},
        {"info(m, {data=~\".+\"})", "info(m, {data=~\".+\"})"},
        {"max_over_time(x[1h:] @ end())", "max_over_time(x[1h:] @ end())"},
        {"x[5m] smoothed @ start() offset 1m", "x[5m] smoothed @ start() offset 1m"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], promql_print, cases[i][1]);
}

static void formats(void **state)
{
    (void)state;
    check("sum by(job)(rate(x[5m]))", promql_format, "sum by (job) (rate(x[5m]))");
    check("sum by(instance, job) (rate(http_requests_total{environment=\"production\"}[5m])) / "
          "ignoring(code) group_left -avg by(job) (rate(http_requests_total{environment=\"test\", "
          "handler=\"/api/v1/a_rather_long_one/that/does/not/fit\"}[5m]))",
          promql_format,
          "  sum by (instance, job) (rate(http_requests_total{environment=\"production\"}[5m]))\n"
          "/ ignoring (code) group_left ()\n"
          "  -avg by (job) (\n"
          "    rate(\n"
          "      http_requests_total{environment=\"test\",handler=\"/api/v1/a_rather_long_one/that/"
          "does/not/fit\"}[5m]\n"
          "    )\n"
          "  )");
}

static void trees(void **state)
{
    (void)state;
    check("-1", promql_ast_json, "{\"type\":\"numberLiteral\",\"val\":\"-1\"}");
    check("\"a\\\"b\"", promql_ast_json, "{\"type\":\"stringLiteral\",\"val\":\"a\\\"b\"}");
    check("m{a!=\"b\"} @ start() offset 5m", promql_ast_json,
          "{\"anchored\":false,\"matchers\":[{\"name\":\"a\",\"type\":\"!=\",\"value\":\"b\"},"
          "{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"m\"}],\"name\":\"m\","
          "\"offset\":300000,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":\"start\","
          "\"timestamp\":null,\"type\":\"vectorSelector\"}");
    check(
        "x > bool on(a) group_left(b) (1 + y)", promql_ast_json,
        "{\"bool\":true,\"lhs\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":"
        "\"=\",\"value\":\"x\"}],\"name\":\"x\",\"offset\":0,\"offsetExpr\":null,\"smoothed\":"
        "false,"
        "\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"},\"matching\":{"
        "\"card\":"
        "\"many-to-one\",\"fillValues\":{\"lhs\":null,\"rhs\":null},\"include\":[\"b\"],"
        "\"labels\":[\"a\"],\"on\":true},\"op\":\">\",\"rhs\":{\"expr\":{\"bool\":false,\"lhs\":{"
        "\"type\":\"numberLiteral\",\"val\":\"1\"},\"matching\":null,\"op\":\"+\",\"rhs\":{"
        "\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"y\"}],"
        "\"name\":\"y\",\"offset\":0,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,"
        "\"timestamp\":null,\"type\":\"vectorSelector\"},\"type\":\"binaryExpr\"},\"type\":"
        "\"parenExpr\"},\"type\":\"binaryExpr\"}");
    check("round(x[step()*2:10s])", promql_ast_json,
          "1:7: parse error: expected type instant vector in call to function \"round\", got range "
          "vector");
    check(
        "day_of_week()", promql_ast_json,
        "{\"args\":[],\"func\":{\"argTypes\":[\"vector\"],\"name\":\"day_of_week\",\"returnType\":"
        "\"vector\",\"variadic\":1},\"type\":\"call\"}");
    check(
        "topk(2, a) by (b)", promql_ast_json,
        "{\"expr\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\","
        "\"value\":"
        "\"a\"}],\"name\":\"a\",\"offset\":0,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":"
        "null,\"timestamp\":null,\"type\":\"vectorSelector\"},\"grouping\":[\"b\"],\"op\":\"topk\","
        "\"param\":{\"type\":\"numberLiteral\",\"val\":\"2\"},\"type\":\"aggregation\",\"without\":"
        "false}");
}

/* However deep, a tree is walked on a stack that is bounded: the text is refused before. */
static void print_count(const struct promql_expr *e, struct buf *out)
{
    if (!promql_count_samples(e, out))
        buf_append_cstr(out, "none");
}

static void samples_counted(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1 + time()", "none"},
        {"(up)", "(count(up) or vector(0))"},
        {"up{a=\"b\"} offset 1m", "(count(up{a=\"b\"} offset 1m) or vector(0))"},
        {"sum(rate(x[5m] @ end()))", "(sum(count_over_time(x[5m] @ end())) or vector(0))"},
        {"rate(x[5m] smoothed) + x anchored",
         "((sum(count_over_time(x[5m])) or vector(0)) + (count(x) or vector(0)))"},
        {"a + b + topk(3, c)", "((count(a) or vector(0)) + ((count(b) or vector(0)) + (count(c) or "
                               "vector(0))))"},
        {"max_over_time(rate(x[1m])[1h:2m])",
         "(sum(count_over_time(rate(x[1m])[1h:2m])) or vector(0))"},
        {"rate(x[1m])[1h:2m] offset 5m",
         "(sum_over_time((sum(count_over_time(x[1m])) or vector(0))[1h:2m] offset 5m) or "
         "vector(0))"},
        {"info(x, {data=~\".+\"})", "(count(x) or vector(0))"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf again;
        check(cases[i][0], print_count, cases[i][1]);
        again = made(cases[i][1], promql_print);
        if (i)
            assert_null(strstr(buf_cstr(&again), "parse error"));
        buf_deinit(&again);
    }
}

static void see(void *ctx, const struct store_matcher *matchers, size_t count)
{
    struct buf *out = ctx;
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%.*s=%.*s;", SLICE_FMT(matchers[i].name), SLICE_FMT(matchers[i].value));
    buf_append_char(out, ' ');
}

static void print_selectors(const struct promql_expr *e, struct buf *out)
{
    promql_each_selector(e, see, out);
}

static void selectors_listed(void **state)
{
    (void)state;
    check("rate(a{x=\"1\"}[5m]) + max_over_time(b[1h:1m])", print_selectors,
          "__name__=a;x=1; __name__=b; ");
    check("info(a)", print_selectors, "__name__=a; __name__=target_info; ");
    check("info(a, {__name__=\"b_info\"})", print_selectors, "__name__=a; __name__=b_info; ");
    check("time()", print_selectors, "");
}

static void bounded(void **state)
{
    (void)state;
    struct buf text = {0}, out;
    for (int i = 0; i < 50000; i++)
        buf_append_cstr(&text, "1+");
    buf_append_char(&text, '1');
    out = made(buf_cstr(&text), promql_print);
    assert_non_null(strstr(buf_cstr(&out), "chains too many operators (1000 at most: five times"));
    buf_deinit(&out);
    buf_clear(&text);
    for (int i = 0; i < 50000; i++)
        buf_append_char(&text, '(');
    out = made(buf_cstr(&text), promql_print);
    assert_non_null(
        strstr(buf_cstr(&out), "nested too deeply (200 levels at most: limits.query.nesting)"));
    buf_deinit(&out);
    buf_clear(&text);
    for (int i = 0; i < 900; i++)
        buf_append_cstr(&text, "a or ");
    buf_append_char(&text, 'a');
    out = made(buf_cstr(&text), promql_ast_json);
    assert_int_equal(out.ptr[0], '{');
    buf_deinit(&out);
    buf_deinit(&text);
}

/* Most were asked of Prometheus 2.42; the others follow its lexer's source. */
static void errors_have_texts_and_places(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"m{", "1:3: parse error: unexpected end of input inside braces"},
        {"sum(", "1:5: parse error: unclosed left parenthesis"},
        {"m and on(i", "1:11: parse error: unclosed left parenthesis"},
        {"sum(m) by (job", "1:15: parse error: unclosed left parenthesis"},
        {"m\n\n  + rate(", "3:10: parse error: unclosed left parenthesis"},
        {"1  > 2", "1:4: parse error: comparisons between scalars must use BOOL modifier"},
        {"m + bool 1", "1:3: parse error: bool modifier can only be used on comparison operators"},
        {"m[0s]", "1:3: parse error: duration must be greater than 0"},
        {"m[5m:0s]", "1:6: parse error: duration must be greater than 0"},
        {"m @ 1x", "1:5: parse error: bad number or duration syntax: \"1\""},
        {"1e400", "1:1: parse error: error parsing number: strconv.ParseFloat: parsing "
                  "\"1e400\": value out of range"},
        {"m{a=~\"(a{1000}){1000}\"}",
         "1:3: parse error: error parsing regexp: invalid repeat count: `{1000}`"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], promql_print, cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors_have_texts_and_places),
                                       cmocka_unit_test(prints),
                                       cmocka_unit_test(formats),
                                       cmocka_unit_test(trees),
                                       cmocka_unit_test(bounded),
                                       cmocka_unit_test(samples_counted),
                                       cmocka_unit_test(selectors_listed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
