/* What the stages of a pipeline make of one line of the stream {app="x", job="j"} with the metadata
 * trace="t1", size="10KB". Expected is "text {labels but app, job, trace and size}", or "-" when
 * the line is dropped. Predicates for the store are left to the pipeline here, by starting it with
 * a stage that keeps them from being pushed down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lang/logql/pipeline.h"

static bool is_given(struct slice name)
{
    return slice_eq_cstr(name, "app") || slice_eq_cstr(name, "job") ||
           slice_eq_cstr(name, "trace") || slice_eq_cstr(name, "size");
}

static void run(const char *stages, const char *text, struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *e = NULL;
    struct logql_pipeline *p;
    struct logql_line l;
    struct diag d;
    struct buf query = {0};
    const struct logql_pipeline_options options = {.all_labels = true};
    diag_init(&d);
    buf_printf(&query, "{app=\"x\"} | unpack_nothing=\"\" | label_format none=none | decolorize %s",
               stages);
    if (logql_parse(buf_slice(&query), arena, &e, &d) ||
        logql_pipeline_new(e, NULL, &options, arena, &p, &d)) {
        buf_printf(out, "error: %s", d.msg);
        goto done;
    }
    logql_line_init(&l);
    logql_line_begin(&l, 1700000000123456789, slice_cstr(text));
    logql_line_add(&l, SLICE("app"), SLICE("x"));
    logql_line_add(&l, SLICE("job"), SLICE("j"));
    logql_line_add_metadata(&l, SLICE("trace"), SLICE("t1"));
    logql_line_add_metadata(&l, SLICE("size"), SLICE("10KB"));
    if (!logql_pipeline_run(p, &l)) {
        buf_append_cstr(out, "-");
    } else {
        bool any = false;
        logql_line_finish(&l);
        buf_append_slice(out, l.text);
        buf_append_cstr(out, " {");
        for (size_t i = 0; i < l.labels.len; i++) {
            const struct logql_label *label = &l.labels.items[i];
            if (is_given(label->name) && label->category != LOGQL_PARSED)
                continue;
            if (slice_eq_cstr(label->name, LOGQL_ERROR_DETAILS))
                continue;
            buf_printf(out, "%s%.*s=%.*s", any ? "," : "", SLICE_FMT(label->name),
                       SLICE_FMT(label->value));
            any = true;
        }
        buf_append_cstr(out, "}");
    }
    logql_line_deinit(&l);
done:
    logql_expr_free(e);
    buf_deinit(&query);
    arena_free(arena);
}

static const struct {
    const char *stages, *text, *expected;
} cases[] = {
    /* line filters */
    {"|= \"b\"", "abc", "abc {}"},
    {"|= \"x\"", "abc", "-"},
    {"|= \"\"", "abc", "abc {}"},
    {"!= \"\"", "abc", "-"},
    {"!= \"b\"", "abc", "-"},
    {"|= \"x\" or \"b\"", "abc", "abc {}"},
    {"!= \"x\" or \"b\"", "abc", "-"},
    {"|~ \"^a.c$\"", "abc", "abc {}"},
    {"|~ \"(?i)B\"", "abc", "abc {}"},
    {"!~ \"b+\"", "abc", "-"},
    {"|> \"<_> took <_> ms\"", "GET took 12 ms", "GET took 12 ms {}"},
    {"|> \"took <_> ms\"", "GET took 12 ms", "-"},
    {"|> \"abc\"", "abcd", "-"},
    {"!> \"<_>b<_>\"", "abc", "-"},
    {"|= ip(\"10.0.0.0/8\")", "from 10.1.2.3:80", "from 10.1.2.3:80 {}"},
    {"|= ip(\"10.0.0.1-10.0.0.9\")", "from 10.0.0.10", "-"},
    {"|= ip(\"2001:db8::/32\")", "from [2001:db8::7]:443", "from [2001:db8::7]:443 {}"},
    {"!= ip(\"10.0.0.1\")", "from 10.0.0.1", "-"},
    {"|= \"nothing\" or ip(\"10.0.0.1\")", "from 10.0.0.1", "from 10.0.0.1 {}"},
    /* json */
    {"| json", "{\"a\":\"b\",\"n\":1.50,\"t\":true,\"z\":null,\"l\":[1,2],\"e\":\"\"}",
     "{\"a\":\"b\",\"n\":1.50,\"t\":true,\"z\":null,\"l\":[1,2],\"e\":\"\"} "
     "{a=b,e=,n=1.50,t=true}"},
    {"| json | line_format \"\"", "{\"o\":{\"p\":{\"q-r\":1}},\"2x\":3,\"k k\":\"\\u00e4\"}",
     " {_2x=3,k_k=\xc3\xa4,o_p_q_r=1}"},
    {"| json | line_format \"\"", "{\"a\":1,\"a\":2}", " {a=1}"},
    {"| json | line_format \"\"", "{\"app\":\"y\",\"trace\":\"t2\",\"a\":1}",
     " {a=1,app_extracted=y,trace_extracted=t2}"},
    {"| json | line_format \"\"", "{\"a\":1,\"b\":", " {__error__=JSONParserErr,a=1}"},
    {"| json | line_format \"\"", "plain", " {__error__=JSONParserErr}"},
    {"| json | line_format \"\"", "[1]", " {__error__=JSONParserErr}"},
    {"| json a=\"x.y[1]\", b=\"x[\\\"k k\\\"]\", c, d=\"x\" | line_format \"\"",
     "{\"x\":{\"y\":[1,{\"z\":2}],\"k k\":\"v\"},\"c\":null}",
     " {a={\"z\":2},b=v,c=,d={\"y\":[1,{\"z\":2}],\"k k\":\"v\"}}"},
    {"| json a=\"x[\"", "{}", "error: cannot parse expression [x[]: syntax error"},
    /* logfmt */
    {"| logfmt | line_format \"\"", "a=b c=\"d \\\"e\\\"\" f= g h.i=1 1j=2",
     " {_1j=2,a=b,c=d \"e\",h_i=1}"},
    {"| logfmt --keep-empty | line_format \"\"", "a= b", " {a=,b=}"},
    {"| logfmt | line_format \"\"", "a=1 b=c=d e=\"x\"y f=2", " {a=1,f=2}"},
    {"| logfmt --strict | line_format \"\"", "a=1 b=c=d f=2", " {__error__=LogfmtParserErr,a=1}"},
    {"| logfmt x=\"a\", y | line_format \"\"", "a=1 b=2", " {x=1,y=}"},
    {"| logfmt | line_format \"\"", "a=1 a=2 app=z", " {a=1,app_extracted=z}"},
    /* regexp, pattern, unpack */
    {"| regexp `(?P<m>\\w+) (?P<p>/\\S*)( (?P<q>x))?`", "GET /a", "GET /a {m=GET,p=/a,q=}"},
    {"| regexp `(?P<m>\\d+)`", "none", "none {}"},
    {"| pattern `<ip> - <_> \"<m> <path>\"`", "1.2.3.4 - u \"GET /x\"",
     "1.2.3.4 - u \"GET /x\" {ip=1.2.3.4,m=GET,path=/x}"},
    {"| pattern `<a> <b>`", "one", "one {a=one}"},
    {"| pattern `x <a>`", "y z", "y z {}"},
    {"| unpack", "{\"c\":\"d\",\"n\":1,\"_entry\":\"the line\"}", "the line {c=d}"},
    {"| unpack", "plain", "plain {__error__=JSONParserErr}"},
    {"| unpack | logfmt", "{\"_entry\":\"a=1\"}", "a=1 {a=1}"},
    {"| decolorize", "\x1b[31mred\x1b[0m \x1b]0;t\aok", "red ok {}"},
    /* label filters */
    {"| app=\"x\"", "l", "l {}"},
    {"| app!=\"x\"", "l", "-"},
    {"| app=~\"x|y\"", "l", "l {}"},
    {"| app=~\"\"", "l", "-"},
    {"| nothing=\"\"", "l", "l {}"},
    {"| nothing=~\".+\"", "l", "-"},
    {"| nothing!=\"a\"", "l", "l {}"},
    {"| size > 9KB", "l", "l {}"},
    {"| size > 10KB", "l", "-"},
    {"| size >= 10000", "l", "l {__error__=LabelFilterErr}"},
    {"| nothing > 1", "l", "-"},
    {"| logfmt | d > 1m | line_format \"\"", "d=90s", " {d=90s}"},
    {"| logfmt | d > 1m | line_format \"\"", "d=1d", " {__error__=LabelFilterErr,d=1d}"},
    {"| logfmt | n = 200 | line_format \"\"", "n=200.0", " {n=200.0}"},
    {"| logfmt | n == 1e2 | line_format \"\"", "n=100", " {n=100}"},
    {"| logfmt | n > -1 | line_format \"\"", "n=0", " {n=0}"},
    {"| logfmt | n <= 5 | line_format \"\"", "n=5", " {n=5}"},
    {"| logfmt | n <= 5", "n=5.1", "-"},
    {"| logfmt | a = ip(\"10.0.0.0/8\") | line_format \"\"", "a=\"at 10.9.9.9\"",
     " {a=at 10.9.9.9}"},
    {"| logfmt | a != ip(\"10.0.0.0/8\") | line_format \"\"", "a=none", " {a=none}"},
    {"| logfmt | n>5 or m=\"x\" | line_format \"\"", "n=9 m=y", " {m=y,n=9}"},
    {"| logfmt | n>5 and m=\"x\"", "n=9 m=y", "-"},
    /* an error of one side does not save what the other drops */
    {"| logfmt | d > 1s and s < 1MB", "d=oops s=3MB", "-"},
    {"| logfmt | d > 1s and s < 4MB | line_format \"\"", "d=oops s=3MB",
     " {__error__=LabelFilterErr,d=oops,s=3MB}"},
    {"| logfmt | d > 1s | __error__ > 0", "d=oops", "-"},
    {"| logfmt | n>5, m=\"y\" | line_format \"\"", "n=9 m=y", " {m=y,n=9}"},
    {"| logfmt | n>5 m=\"y\" | line_format \"\"", "n=9 m=y", " {m=y,n=9}"},
    {"| logfmt | m=\"y\" or n>5 | line_format \"\"", "n=q m=y", " {m=y,n=q}"},
    {"| json | __error__=\"\"", "plain", "-"},
    {"| json | __error__!=\"\" | line_format \"\"", "plain", " {__error__=JSONParserErr}"},
    {"| json | drop __error__", "plain", "plain {}"},
    /* formats */
    {"| line_format \"{{.app}}-{{.nothing}}-{{.trace}}\"", "l", "x--t1 {}"},
    {"| line_format \"{{__line__}}{{__line__}}\"", "l", "ll {}"},
    {"| line_format \"{{__timestamp__ | date \\\"2006-01-02T15:04:05.000Z07:00\\\"}}\"", "l",
     "2023-11-14T22:13:20.123Z {}"},
    {"| line_format \"{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} "
     "{{__timestamp__ | unixEpochNanos}}\"",
     "l", "1700000000 1700000000123 1700000000123456789 {}"},
    {"| line_format \"{{.app | ToUpper}} {{Replace .job \\\"j\\\" \\\"k\\\" -1}}\"", "l", "X k {}"},
    {"| line_format \"{{range $k, $v := .}}{{$k}} {{end}}\"", "l", "app job size trace  {}"},
    {"| line_format \"{{.nope.x}}\"", "l", "l {__error__=TemplateFormatErr}"},
    {"| line_format \"{{nope}}\"", "l",
     "error: invalid line template: template: line:1: function \"nope\" not defined"},
    {"| label_format a=app", "l", "l {a=x}"},
    {"| label_format a=\"{{.app}}{{.job}}\", b=trace", "l", "l {a=xj,b=t1}"},
    {"| label_format app=\"new\"", "l", "l {app=new}"},
    {"| label_format a=nothing", "l", "l {}"},
    {"| logfmt | keep a, b=\"2\" | line_format \"\"", "a=1 b=3 c=4", " {a=1}"},
    {"| logfmt | drop a, b=\"2\", c=~\"4|5\" | line_format \"\"", "a=1 b=3 c=4 d=5", " {b=3,d=5}"},
    /* the functions of templates */
    {"| line_format \"{{trunc 2 .trace}}{{trunc -1 .trace}}{{substr 0 1 .trace}}\"", "l",
     "t11t {}"},
    {"| line_format \"{{trim .a}}|{{trimAll \\\"x\\\" .app}}|{{trimPrefix \\\"t\\\" .trace}}|"
     "{{trimSuffix \\\"1\\\" .trace}}|{{TrimLeft .trace \\\"t\\\"}}|{{TrimRight .trace "
     "\\\"1\\\"}}\"",
     "l", "||1|t|1|t {}"},
    {"| line_format \"{{contains \\\"1\\\" .trace}} {{hasPrefix \\\"t\\\" .trace}} {{hasSuffix "
     "\\\"t\\\" .trace}}\"",
     "l", "true true false {}"},
    {"| line_format \"{{alignLeft 4 .trace}}|{{alignRight 4 .trace}}|{{alignLeft 1 .trace}}|"
     "{{alignRight 1 .trace}}\"",
     "l", "t1  |  t1|t|1 {}"},
    {"| line_format \"{{repeat 3 .app}}{{indent 2 .app}}{{nindent 1 .app}}\"", "l",
     "xxx  x\n x {}"},
    {"| line_format \"{{regexReplaceAll \\\"(t)(.)\\\" .trace \\\"$2$1\\\"}} "
     "{{regexReplaceAllLiteral \\\"t\\\" .trace \\\"$1\\\"}} {{count \\\"[a-z]\\\" __line__}}\"",
     "ab1", "1t $11 2 {}"},
    {"| line_format \"{{urlencode \\\"a b&c\\\"}} {{urldecode \\\"a+b%26c\\\"}} {{b64enc .app}} "
     "{{b64dec \\\"eA==\\\"}}\"",
     "l", "a+b%26c a b&c eA== x {}"},
    {"| line_format \"{{add 1 2 3}} {{sub 5 2}} {{mul 2 3}} {{div 7 2}} {{mod 7 2}}\"", "l",
     "6 3 6 3 1 {}"},
    {"| line_format \"{{addf 1.5 2}} {{subf 5 2.5}} {{mulf 2 1.5}} {{divf 7 2}}\"", "l",
     "3.5 2.5 3 3.5 {}"},
    {"| line_format \"{{max 1 3 2}} {{min 3 1 2}} {{maxf 1.5 2}} {{minf 1.5 2}} {{ceil 1.2}} "
     "{{floor 1.8}} {{round 1.256 2}}\"",
     "l", "3 1 2 1.5 2 1 1.26 {}"},
    {"| line_format \"{{bytes .size}} {{duration \\\"1m30s\\\"}} {{duration_seconds "
     "\\\"500ms\\\"}}\"",
     "l", "10000 90 0.5 {}"},
    {"| line_format \"{{div 1 0}}\"", "l", "l {__error__=TemplateFormatErr}"},
    {"| line_format \"{{ range $q := fromJson __line__ }}{{ $q.a }};{{ end }}\"",
     "[{\"a\":1},{\"a\":\"b\"}]", "1;b; {}"},
    {"| line_format \"{{default \\\"d\\\" .nothing}} {{default \\\"d\\\" .app}} {{int "
     "\\\"12.0\\\"}} "
     "{{float64 \\\"1.5\\\"}}\"",
     "l", "d x 12 1.5 {}"},
    {"| line_format \"{{unixToTime \\\"1700000000\\\" | date \\\"2006-01-02\\\"}} {{toDate "
     "\\\"2006-01-02\\\" \\\"2024-02-29\\\" | unixEpoch}} {{toDateInZone \\\"2006-01-02 15:04\\\" "
     "\\\"+02:00\\\" \\\"2024-02-29 02:00\\\" | unixEpoch}}\"",
     "l", "2023-11-14 1709164800 1709164800 {}"},
    {"| line_format \"{{toDateInZone \\\"2006-01-02 15:04\\\" \\\"Europe/Berlin\\\" "
     "\\\"2024-07-01 14:00\\\" | date \\\"15:04 -0700\\\"}} {{toDateInZone \\\"2006-01-02\\\" "
     "\\\"America/New_York\\\" \\\"2024-01-01\\\" | unixEpoch}} {{toDateInZone "
     "\\\"2006-01-02T15:04:05Z07:00\\\" \\\"Asia/Tokyo\\\" \\\"2024-01-01T00:00:00+01:00\\\" | "
     "unixEpoch}}\"",
     "l", "14:00 +0200 1704085200 1704063600 {}"},
    {"| line_format \"{{toDateInZone \\\"2006\\\" \\\"No/Where\\\" \\\"2024\\\"}}\"", "l",
     "l {__error__=TemplateFormatErr}"},
    {"| line_format \"{{ToLower \\\"Ab\\\"}} {{Trim \\\"xax\\\" \\\"x\\\"}} {{TrimPrefix "
     "\\\"xa\\\" "
     "\\\"x\\\"}} {{TrimSuffix \\\"ax\\\" \\\"x\\\"}} {{TrimSpace \\\" a \\\"}}|{{lower "
     "\\\"AB\\\"}} "
     "{{upper \\\"ab\\\"}} {{title \\\"ab cd\\\"}} {{replace \\\"a\\\" \\\"b\\\" \\\"aca\\\"}} "
     "{{hasPrefix \\\"a\\\" \\\"ab\\\"}} {{hasSuffix \\\"a\\\" \\\"ab\\\"}} {{gt (now | unixEpoch "
     "| int) "
     "-1}}\"",
     "l", "ab a a a a|ab AB Ab Cd bcb true false true {}"},
    {"| line_format \"{{ if eq .app \\\"x\\\" }}yes{{ else }}no{{ end }} {{ printf \\\"%-4s|\\\" "
     ".app "
     "}}\"",
     "l", "yes x   | {}"},
};

static void stages(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf out = {0};
        run(cases[i].stages, cases[i].text, &out);
        if (!slice_eq_cstr(buf_slice(&out), cases[i].expected)) {
            print_message("%s on <%s>\n  gives    <%s>\n  expected <%s>\n", cases[i].stages,
                          cases[i].text, buf_cstr(&out), cases[i].expected);
            wrong++;
        }
        buf_deinit(&out);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
