/* TraceQL's grammar: every query of the editor's test corpus, what is refused and how, texts again.
 */
#include "lang/traceql/traceql.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *corpus_dir;

static struct slice read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char block[4096];
    size_t n;
    if (!f)
        fail_msg("%s cannot be read", path);
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buf_append(out, block, n);
    fclose(f);
    return buf_slice(out);
}

/* Parses and prints; "" and the message when it is refused. */
static bool print(struct slice text, struct buf *out, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct traceql_query *q;
    diag_init(diag);
    buf_clear(out);
    bool ok = !traceql_parse(text, arena, &q, diag);
    if (ok)
        traceql_print(q, out);
    traceql_query_free(q);
    arena_free(arena);
    return ok;
}

static void corpus(void **state)
{
    char path[1024];
    struct buf file = {0}, once = {0}, twice = {0};
    struct diag diag;
    size_t queries = 0;
    (void)state;
    snprintf(path, sizeof(path), "%s/expression.txt", corpus_dir);
    struct slice rest = read_file(path, &file), line;
    while (slice_split(&rest, '\n', &line)) {
        if (!slice_starts_with(line, SLICE("# ")))
            continue;
        /* The query lies between the title and the arrow. */
        ptrdiff_t end = slice_find(rest, SLICE("==>"));
        assert_true(end >= 0);
        struct slice query = slice_trim(slice_first(rest, (size_t)end));
        if (!print(query, &once, &diag))
            fail_msg("%.*s: %s", SLICE_FMT(query), diag.msg);
        if (!print(buf_slice(&once), &twice, &diag))
            fail_msg("%.*s, printed as %s: %s", SLICE_FMT(query), buf_cstr(&once), diag.msg);
        assert_string_equal(buf_cstr(&once), buf_cstr(&twice));
        queries++;
    }
    assert_int_equal(queries, 128);
    buf_deinit(&file);
    buf_deinit(&once);
    buf_deinit(&twice);
}

static void texts(void **state)
{
    static const struct {
        const char *text, *printed;
    } rows[] = {
        {"", "{ true }"},
        {"{}", "{ true }"},
        {"{ .a || .b && .c }", "{ (.a || .b) && .c }"}, /* alike, from the left */
        {"{ 1 + .a * 2 ^ 3 ^ 2 = -5 }", "{ (1 + (.a * (2 ^ (3 ^ 2)))) = -5 }"},
        {"{ !.a = .b }", "{ !.a = .b }"},
        {"{ span.\"a b\" = `x` && .\"q\\\"\" = nil }",
         "{ (span.\"a b\" = \"x\") && (.\"q\\\"\" = nil) }"},
        {"{ .a = 1h30m && .b = 1.5s && .c = 10us && .d = 0.5 && .e = 1e3 }",
         "{ ((((.a = 1h30m0s) && (.b = 1.5s)) && (.c = 10\xc2\xb5s)) && (.d = 0.5)) && (.e = 1000) "
         "}"},
        {"{ .a = 9223372036854775807 && .b = -9223372036854775808 }",
         "{ (.a = 9223372036854775807) && (.b = -9223372036854775808) }"},
        {"{ kind=server } &>> {} // c\n | by(name , .x) | /* d */ coalesce() | select(status)",
         "{ kind = server } &>> { true } | by(name, .x) | coalesce() | select(status)"},
        {"{ .a } > { .b } && { .c }", "({ .a } > { .b }) && { .c }"},
        {"{} | quantile_over_time(duration, .5, 0.9) by(.a) | topk(3) > 5 with(exemplars=true)",
         "{ true } | quantile_over_time(duration, 0.5, 0.9) by(.a) | topk(3) > 5 "
         "with(exemplars=true)"},
        {"({} | rate()) / ({ status = error } | rate()) * 100",
         "(({ true } | rate()) / ({ status = error } | rate())) * 100"},
        {"{} | rate() by(.a)>=5.5|bottomk(3)!=-1 with(sample=0.1)",
         "{ true } | rate() by(.a) >= 5.5 | bottomk(3) != -1 with(sample=0.1)"},
        {"({} | rate() > 6) * 10 + 5 > 50 | topk(1)",
         "(({ true } | rate() > 6) * 10) + 5 > 50 | topk(1)"},
        {"({} | max_over_time(duration)) > 10s", "{ true } | max_over_time(duration) > 10"},
        {"(1 / 2.0) + ({} | rate()) < 3 - 3 / 2 * 2", "0.5 + ({ true } | rate()) < 1"},
        {"({ } | count()) > ({ .a } | max(duration)) * 2",
         "({ true } | count()) > (({ .a } | max(duration)) * 2)"},
        {"{ parent.a = 1 && parent.span.b && parent.resource.c = \"\" }",
         "{ ((parent.a = 1) && parent.span.b) && (parent.resource.c = \"\") }"},
        {"{ (-(3 / 2) * .a)^3 = (-.5)^2 * -.b }",
         "{ ((-((3 / 2) * .a)) ^ 3) = (((-0.5) ^ 2) * -.b) }"},
        {"{ (-1) * .a = - 2 ^ 2 && (-.a) % 3 = 1 }",
         "{ (((-1) * .a) = -(2 ^ 2)) && (((-.a) % 3) = 1) }"},
        {"{ .\"1a\" && span.\"1a\" && parent.\"span.x\" && .\"span.x\" }",
         "{ ((.\"1a\" && span.1a) && parent.\"span.x\") && .span.x }"},
        {"{ .a = -0.0 }", "{ .a = 0 }"},
        {"{ duration > 4.22s && .a < 1.1ms1.01us && .b = 2562047h47m16.854775807s }",
         "{ ((duration > 4.22s) && (.a < 1.10101ms)) && (.b = 2562047h47m16.854775807s) }"},
        {"{ .a = 20000000000000000000.5 || .a = 1e22 }",
         "{ (.a = 20000000000000000000.0) || (.a = 1e+22) }"},
        {"{ trace:id = \"AB\" }", "{ trace:id = \"000000000000000000000000000000ab\" }"},
        {"{} | compare({ status = error }, 5, 1, 2)",
         "{ true } | compare({status = error}, 5, 1, 2)"},
    };
    struct buf out = {0};
    struct diag diag;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!print(slice_cstr(rows[i].text), &out, &diag))
            fail_msg("%s: %s", rows[i].text, diag.msg);
        assert_string_equal(buf_cstr(&out), rows[i].printed);
    }
    buf_deinit(&out);
}

static void refused(void **state)
{
    static const struct {
        const char *text, *message;
        uint32_t col;
    } rows[] = {
        {"true", "unexpected true", 1},
        {"[ true ]", "unexpected '['", 1},
        {"( true )", "unexpected true", 3},
        {"{ . }", "expecting IDENTIFIER", 4},
        {"{ span. }", "expecting IDENTIFIER", 8},
        {"{ < }", "unexpected <", 3},
        {"{ .a < }", "unexpected }", 8},
        {"{ .a < 3", "unexpected $end, expecting }", 9},
        {"{ (.a < 3 }", "expecting )", 11},
        {"{ attribute = 4 }", "unexpected attribute", 3},
        {"{ .a == 4 }", "unexpected =", 7},
        {"{ true } + { true }", "unexpected +", 10},
        {"{ true } = { true }", "unexpected =", 10},
        {"{ true } <= { true }", "unexpected <=", 10},
        {"max(name) = \"foo\"", "must resolve to a number type", 1},
        {"max(duration) < ok", "unexpected ok", 17},
        {"min(.a) = \"foo\"", "unexpected \"foo\"", 11},
        {"avg(.field) + 1", "unexpected $end", 16},
        {"select(.a", "expecting )", 10},
        {"select()", "unexpected )", 8},
        {"select(1 + .a)", "expecting a field", 8},
        {"coalesce() | { true }", "unexpected coalesce", 1},
        {"count() > 3 && { true }", "unexpected &&", 13},
        {"{ true } | count()", "unexpected $end", 19},
        {"{ true } | count() | { true }", "unexpected |", 20},
        {"{ true } | nothing() = 1", "unexpected nothing", 12},
        {"{ true } | max() = 1", "unexpected )", 16},
        {"{ true } | by()", "unexpected )", 15},
        {"({ true }) && (count())", "unexpected &&", 12},
        {"({ true } | count()) + ({ true } | count())", "unexpected $end", 44},
        {"{ trace:status = error }", "unexpected trace:status", 3},
        {"{ span:rootName = \"bar\" }", "unexpected span:rootName", 3},
        {"{ status }", "must resolve to a boolean", 1},
        {"{ 1.1 }", "must resolve to a boolean", 1},
        {"{ nil }", "must resolve to a boolean", 1},
        {"{ \"foo\" }", "must resolve to a boolean", 1},
        {"{ 1 + 1 }", "must resolve to a boolean", 1},
        {"{ 1 + \"foo\" = 1 }", "same type: 1 + \"foo\"", 3},
        {"{ 1 = name }", "same type", 3},
        {"{ 1 =~ 2}", "illegal operation for the given types", 3},
        {"{ 1 && \"foo\" }", "same type", 3},
        {"{ true || 1.1 }", "same type", 3},
        {"{ status > ok }", "illegal operation", 3},
        {"{ kind < consumer }", "illegal operation", 3},
        {"{ span.foo =~ \"[\" }", "invalid regex", 15},
        {"{ .a =~ .b }", "has to be a literal", 9},
        {"{ -true }", "illegal operation for the given type", 3},
        {"{ !1h = 1 }", "illegal operation for the given type", 3},
        {"sum(3) = 2", "must reference the span", 1},
        {"max(1h + 2h) > 1", "must reference the span", 1},
        {"{ true } | by(1)", "must reference the span", 12},
        {"{ nestedSetLeft = \"foo\" }", "same type", 3},
        {"{ } | quantile_over_time(duration)", "expecting a comma and a quantile", 34},
        {"{ } | quantile_over_time(duration, 2)", "between 0 and 1", 36},
        {"{ } | min_over_time(name)", "needs a number", 21},
        {"{ } | rate() by(.a, .b, .c, .d, .e, .f)", "at most 5", 14},
        {"{ } | rate() | { }", "expecting topk or bottomk", 16},
        {"{ } | rate() | > 5", "expecting topk or bottomk", 16},
        {"{ } | rate() > ({ } | rate())", "unexpected >", 14},
        {"5 > ({ } | rate())", "unexpected >", 3},
        {"({ } | rate()) * 10s", "a duration cannot", 18},
        {"{ } | compare({}) | topk(1)", "only by itself", 7},
        {"{ } | compare({}) > 1", "only by itself", 7},
        {"({ } | rate()) + ({ } | compare({}))", "only by itself", 25},
        {"({ } | rate()) + 1e308 * 10", "1e308 * 10 cannot be calculated", 18},
        {"({ } | rate()) + 1 / 0", "1 / 0 cannot be calculated", 18},
        {"{ } | rate() | topk(0)", "greater than 0", 16},
        {"{ } | compare({}, 0)", "between 1 and 1000", 19},
        {"{ } | compare({}, 1001)", "between 1 and 1000", 19},
        {"{ } | compare({}, 1, 5, 3)", "end must be after", 7},
        {"{ .a = \"x }", "not terminated", 8},
        {"{ .\"a = 1 }", "expecting \"", 4},
        {"{ } /* x", "not terminated", 5},
        {"{ } with(a)", "expecting =", 11},
        {"{ .a = 99999999999999999999 }", "out of range", 8},
        {"{ } \xff", "unexpected", 5},
    };
    struct buf out = {0};
    struct diag diag;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (print(slice_cstr(rows[i].text), &out, &diag))
            fail_msg("%s was taken", rows[i].text);
        if (!strstr(diag.msg, rows[i].message) || diag.col != rows[i].col)
            fail_msg("%s: col %u: %s", rows[i].text, diag.col, diag.msg);
    }
    buf_deinit(&out);
}

static void deep(void **state)
{
    struct buf text = {0}, out = {0};
    struct diag diag;
    (void)state;
    static const char *const openings[] = {"(",    "{(",      "{!",     "{-",
                                           "({}|", "{ .a + ", "{} && ", "count() + "};
    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        buf_clear(&text);
        for (size_t k = 0; k < 100000; k++)
            buf_append_cstr(&text, k && openings[i][0] == '{' && openings[i][1] != '}'
                                       ? openings[i] + 1
                                       : openings[i]);
        assert_false(print(buf_slice(&text), &out, &diag));
    }
    buf_deinit(&text);
    buf_deinit(&out);
}

static void unfinished(void **state)
{
    static const struct {
        const char *text, *kept;
    } rows[] = {
        {"", "{ true }"},
        {"{", "{ true }"},
        {"{ .a = \"x\" && .b = }", "{ .a = \"x\" }"},
        {"{ .a = && .b = \"&& }\" && span.c", "{ (.b = \"&& }\") && span.c }"},
        {"{ (.a = 1 || .b = 2) && resource.", "{ (.a = 1) || (.b = 2) }"},
        {"{ status = error } | rat", "{ status = error }"},
        {"nonsense", "{ true }"},
    };
    struct buf out = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new(0, NULL);
        struct traceql_query *q;
        traceql_parse_partial(slice_cstr(rows[i].text), arena, &q);
        buf_clear(&out);
        traceql_print(q, &out);
        assert_string_equal(buf_cstr(&out), rows[i].kept);
        traceql_query_free(q);
        arena_free(arena);
    }
    buf_deinit(&out);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corpus), cmocka_unit_test(texts),      cmocka_unit_test(refused),
        cmocka_unit_test(deep),   cmocka_unit_test(unfinished),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS_DIR\n", argv[0]);
        return 2;
    }
    corpus_dir = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
