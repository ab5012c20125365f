/* LogQL's text forms: printed and formatted; what is refused, and in which words; the expressions
 * of Grafana's own grammar. The folder of these is the first argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/logql/logql.h"

typedef void (*print_fn)(const struct logql_expr *e, struct buf *out);

static const char *grammar_dir;

/* What `print` makes of the text, or its error. */
static struct buf made(struct slice text, print_fn print)
{
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *e = NULL;
    struct diag d;
    struct buf out = {0};
    diag_init(&d);
    if (logql_parse(text, arena, &e, &d)) {
        logql_error_text(&d, &out);
    } else {
        print(e, &out);
        logql_expr_free(e);
    }
    arena_free(arena);
    return out;
}

static void check(const char *text, print_fn print, const char *expected)
{
    struct buf out = made(slice_cstr(text), print);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

static void prints(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{ a = \"x\" , b!=`y`}", "{a=\"x\", b!=\"y\"}"},
        {"{a=~\"x.+\",b!~\"z\"}", "{a=~\"x.+\", b!~\"z\"}"},
        {"{\"k8s.pod.name\"=\"p\"}", "{\"k8s.pod.name\"=\"p\"}"},
        {"{k8s.pod.name=\"p\"}", "{\"k8s.pod.name\"=\"p\"}"},
        {"({a=\"x\"} |= \"y\")", "{a=\"x\"} |= \"y\""},
        {"{a=\"x\"} # all\n |= \"y\" != `z`", "{a=\"x\"} |= \"y\" != \"z\""},
        {"{a=\"x\"} |= \"y\" or \"z\" or ip(\"10.0.0.0/8\")",
         "{a=\"x\"} |= \"y\" or \"z\" or ip(\"10.0.0.0/8\")"},
        {"{a=\"x\"} |> \"<_> b\" !> \"c\" |~ \"a+\" !~ \"b\"",
         "{a=\"x\"} |> \"<_> b\" !> \"c\" |~ \"a+\" !~ \"b\""},
        {"{a=\"x\"}|json|logfmt|unpack|decolorize",
         "{a=\"x\"} | json | logfmt | unpack | decolorize"},
        {"{a=\"x\"} | json b=\"c[0].d\", e", "{a=\"x\"} | json b=\"c[0].d\", e=\"e\""},
        {"{a=\"x\"} | logfmt --strict --keep-empty b, c=\"d\"",
         "{a=\"x\"} | logfmt --strict --keep-empty b=\"b\", c=\"d\""},
        {"{a=\"x\"} | regexp \"(?P<n>.)\" | pattern `<a> <_>`",
         "{a=\"x\"} | regexp \"(?P<n>.)\" | pattern \"<a> <_>\""},
        {"{a=\"x\"} | line_format \"{{.b}}\\n\"", "{a=\"x\"} | line_format \"{{.b}}\\n\""},
        {"{a=\"x\"} | label_format b=c, d=\"{{.e}}\"", "{a=\"x\"} | label_format b=c,d=\"{{.e}}\""},
        {"{a=\"x\"} | drop b, c=\"d\" | keep e, f=~\"g\"",
         "{a=\"x\"} | drop b,c=\"d\" | keep e,f=~\"g\""},
        {"{a=\"x\"} | b = 1 | c == 2.5 | d >= -1 | e != 5m | f < 1.5KB | g = ip(\"::1\")",
         "{a=\"x\"} | b==1 | c==2.5 | d>=-1 | e!=5m | f<1.5KB | g=ip(\"::1\")"},
        {"{a=\"x\"} | b=\"1\" or c=\"2\" and d=\"3\"",
         "{a=\"x\"} | ( b=\"1\" or ( c=\"2\" and d=\"3\" ) )"},
        {"{a=\"x\"} | b=\"1\" or c=\"2\", d=\"3\"",
         "{a=\"x\"} | ( b=\"1\" or ( c=\"2\" , d=\"3\" ) )"},
        {"{a=\"x\"} | (b=\"1\" or c=\"2\") d=\"3\"",
         "{a=\"x\"} | ( ( b=\"1\" or c=\"2\" ) , d=\"3\" )"},
        {"rate({a=\"x\"}[5m])", "rate({a=\"x\"}[5m])"},
        {"rate({a=\"x\"}[90s] offset -1h) ", "rate({a=\"x\"}[1m30s] offset -1h)"},
        {"rate(({a=\"x\"}) [1s] offset 1h | unwrap l)", "rate({a=\"x\"} | unwrap l[1s] offset 1h)"},
        {"rate({a=\"x\"}[1m] |= \"y\")", "rate({a=\"x\"} |= \"y\"[1m])"},
        {"quantile_over_time(0.99, {a=\"x\"} | json | unwrap duration(d) | __error__=``[1m]) by "
         "(b)",
         "quantile_over_time(0.99,{a=\"x\"} | json | unwrap duration(d) | __error__=\"\"[1m]) by "
         "(b)"},
        {"sum(rate({a=\"x\"}[1m])) by (b, c)", "sum by (b,c)(rate({a=\"x\"}[1m]))"},
        {"sum without () (rate({a=\"x\"}[1m]))", "sum without ()(rate({a=\"x\"}[1m]))"},
        {"topk(3, rate({a=\"x\"}[1m]))", "topk(3,rate({a=\"x\"}[1m]))"},
        {"1 + 2 * 3 ^ 2", "19"},
        {"-2^2", "4"},
        {"vector(1)+vector(1)", "(vector(1) + vector(1))"},
        {"vector(1) or vector(2) and vector(3)", "(vector(1) or (vector(2) and vector(3)))"},
        {"rate({a=\"x\"}[1m]) > bool on (b) group_left (c) vector(1)",
         "(rate({a=\"x\"}[1m]) > bool on (b) group_left (c) vector(1))"},
        {"label_replace(vector(1), \"a\", \"$1\", \"b\", \"(.*)\")",
         "label_replace(vector(1),\"a\",\"$1\",\"b\",\"(.*)\")"},
        {"0x1p-2", "0.25"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(cases[i][0], logql_print, cases[i][1]);
        check(cases[i][1], logql_print, cases[i][1]); /* what is printed reads as the same */
    }
    check("1/0", logql_print, "NaN");
}

static void refuses(void **state)
{
    (void)state;
#define AT(col) "parse error at line 1, col " #col ": syntax error: unexpected "
    static const char *const cases[][2] = {
        {"", AT(1) "$end"},
        {"{a=\"x\"", AT(7) "$end, expecting } or ,"},
        {"{a=\"x\",}", AT(8) "}, expecting IDENTIFIER"},
        {"{a=x}", AT(4) "IDENTIFIER, expecting STRING"},
        {"{a=\"x}", "parse error at line 1, col 4: literal not terminated"},
        {"{}", "parse error : queries require at least one regexp or equality matcher that does "
               "not have an empty-compatible value. For instance, app=~\".*\" does not meet this "
               "requirement, but app=~\".+\" will"},
        {"{a=~\"(\"}", "parse error : error parsing regexp: missing closing ): `(`"},
        {"\"foo\"", AT(1) "STRING"},
        {"unk({a=\"x\"}[5m])", AT(1) "IDENTIFIER"},
        {"{a=\"x\"} |= y", AT(12) "IDENTIFIER, expecting STRING or ip"},
        {"{a=\"x\"} | json |", AT(17) "$end"},
        {"{a=\"x\"} + 1", AT(9) "+"},
        {"rate({a=\"x\"})", AT(13) "), expecting RANGE"},
        {"rate({a=\"x\"}[5])", "parse error at line 1, col 13: not a valid duration string: \"5\""},
        {"rate({a=\"x\"}[5m", "parse error at line 1, col 13: missing closing ']' in duration"},
        {"sum_over_time({a=\"x\"}[5m])",
         "parse error : invalid aggregation sum_over_time without unwrap"},
        {"count_over_time({a=\"x\"} | unwrap b [5m])",
         "parse error : invalid aggregation count_over_time with unwrap"},
        {"sum_over_time({a=\"x\"} | unwrap b [5m]) by (c)",
         "parse error : grouping not allowed for sum_over_time aggregation"},
        {"quantile_over_time({a=\"x\"} | unwrap b [5m])",
         "parse error : parameter required for operation quantile_over_time"},
        {"topk(rate({a=\"x\"}[5m]))", "parse error : parameter required for operation topk"},
        {"topk(1.2, rate({a=\"x\"}[5m]))", "parse error : invalid parameter topk(1.2,"},
        {"topk(0, rate({a=\"x\"}[5m]))",
         "parse error : invalid parameter (must be greater than 0) topk(0"},
        {"sum(3, rate({a=\"x\"}[5m]))", "parse error : unsupported parameter for operation sum(3,"},
        {"{a=\"x\"} | regexp \"abc\"",
         "parse error : invalid regexp parser: at least one named capture must be supplied"},
        {"{a=\"x\"} | pattern \"abc\"",
         "parse error : invalid pattern parser: at least one capture is required"},
        {"{a=\"x\"} | pattern \"<a><b>\"",
         "parse error : invalid pattern parser: found consecutive capture '<a><b>': invalid "
         "expression"},
        {"{a=\"x\"} |> \"<a> b\"", "parse error : named captures are not allowed"},
        {"{a=\"x\"} | label_format b=c, b=d",
         "parse error : multiple label name 'b' not allowed in a single format operation"},
        {"{a=\"x\"} |= ip(\"1.2.3\")", "parse error : ip: invalid pattern: \"1.2.3\""},
        {"{a=\"x\"} | b > \"1\"", AT(15) "STRING, expecting BYTES or DURATION or NUMBER"},
        {"{a=\"x\"} | b == \"1\"", AT(16) "STRING, expecting BYTES or DURATION or NUMBER"},
        {"{a=\"x\"} | b > 1mb", AT(18) "$end"},
        {"1 and vector(1)", "parse error : unexpected literal for left leg of logical/set binary "
                            "operation (and): 1.000000"},
        {"-vector(1)", AT(2) "IDENTIFIER, expecting NUMBER"},
        {"label_replace(vector(1), \"a\", \"$1\", \"b\", \"(\")",
         "parse error : invalid regex in label_replace: error parsing regexp: missing closing ): "
         "`(`"},
        {"{a=\"x\"}\n | json\n | b ==", "parse error at line 3, col 8: syntax error: unexpected "
                                        "$end, expecting BYTES or DURATION or NUMBER"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(cases[i][0], logql_print, cases[i][1]);
}

static void formats(void **state)
{
    (void)state;
    check("sum by (org_id) (sum_over_time({cluster=\"ops-tools1\",container=\"loki-dev\"} |= "
          "\"metrics.go\" | logfmt | unwrap bytes_processed [1m]))",
          logql_format,
          "sum by (org_id) (\n"
          "  sum_over_time(\n"
          "    {cluster=\"ops-tools1\", container=\"loki-dev\"} |= \"metrics.go\" | logfmt\n"
          "      | unwrap bytes_processed [1m]\n"
          "  )\n"
          ")");
    check("{cluster=\"ops-tools1\",container=\"loki-dev\"} |= \"metrics.go\" | logfmt | "
          "line_format \"{{.a_long_field}}{{.another}}\"",
          logql_format,
          "{cluster=\"ops-tools1\", container=\"loki-dev\"}\n"
          "  |= \"metrics.go\"\n"
          "  | logfmt\n"
          "  | line_format \"{{.a_long_field}}{{.another}}\"");
    check("{a=\"x\"}|json", logql_format, "{a=\"x\"} | json");
}

/* Cases are "# title", the query, "==>", its tree; a tree with a warning sign is of a bad one. */
static void reads_the_grammar(void **state)
{
    (void)state;
    char path[512], text[200000];
    snprintf(path, sizeof(path), "%s/expression.txt", grammar_dir);
    FILE *f = fopen(path, "r");
    if (!f) {
        print_message("no %s: not tested\n", path);
        skip();
    }
    size_t len = fread(text, 1, sizeof(text), f), cases = 0, wrong = 0;
    fclose(f);
    assert_in_range(len, 1000, sizeof(text) - 1);
    struct slice rest = slice_make(text, len);
    while (rest.len) {
        ptrdiff_t arrow = slice_find(rest, SLICE("==>"));
        if (arrow < 0)
            break;
        struct slice query = slice_trim(slice_first(rest, (size_t)arrow));
        rest = slice_from(rest, (size_t)arrow + 3);
        ptrdiff_t end = slice_find(rest, SLICE("\n#"));
        struct slice tree = end < 0 ? rest : slice_first(rest, (size_t)end);
        rest = end < 0 ? SLICE("") : slice_from(rest, (size_t)end + 1);
        bool bad = slice_find(tree, SLICE("\xe2\x9a\xa0")) >= 0;
        struct buf out = made(query, logql_print);
        /* Rules of Loki's beyond the grammar. */
        bool refused = slice_starts_with(buf_slice(&out), SLICE("parse error")) &&
                       slice_find(buf_slice(&out), SLICE("queries require")) < 0 &&
                       slice_find(buf_slice(&out), SLICE("invalid regexp parser")) < 0;
        cases++;
        if (refused != bad) {
            wrong++;
            print_message("%.*s\n  -> %s\n", SLICE_FMT(query), buf_cstr(&out));
        }
        buf_deinit(&out);
    }
    assert_in_range(cases, 80, 200);
    assert_int_equal(wrong, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prints), cmocka_unit_test(refuses),
                                       cmocka_unit_test(formats),
                                       cmocka_unit_test(reads_the_grammar)};
    grammar_dir = argc > 1 ? argv[1] : "../shared/conformance/logql-grammar";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
