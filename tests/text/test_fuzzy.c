/* Scores of what somebody types against names: the values are those of Prometheus' definitions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "text/fuzzy.h"

typedef double (*score_fn)(struct text_fuzzy *f, struct slice text);

static double substring(struct text_fuzzy *f, struct slice text)
{
    return text_fuzzy_substring(f, text);
}

static const struct {
    score_fn fn;
    const char *pattern, *text;
    double want;
} cases[] = {
    {text_fuzzy_subsequence, "", "anything", 1},
    {text_fuzzy_subsequence, "abc", "", 0},
    {text_fuzzy_subsequence, "abc", "abc", 1},
    {text_fuzzy_subsequence, "abc", "abcd", 1},
    {text_fuzzy_subsequence, "abc", "acb", 0},
    {text_fuzzy_subsequence, "longer", "long", 0},
    /* A run of two behind a gap of three, fifteen characters in all, ten behind it. */
    {text_fuzzy_subsequence, "aw", "my awesome text", (4 - 3 / 15. - 10 / 15. / 2) / 4 * 0.999},
    /* Runs of one and two; the start that scores best counts. */
    {text_fuzzy_subsequence, "xab", "xaxab", (9 - 2 / 5.) / 9 * 0.999},
    {text_fuzzy_subsequence, "ab", "a_b", (2 - 1 / 3.) / 4 * 0.999},
    /* Characters, not bytes. */
    {text_fuzzy_subsequence, "\303\251b", "a\303\251b", (4 - 1 / 3.) / 4 * 0.999},
    {text_fuzzy_subsequence, "\303\251", "eee", 0},
    {text_fuzzy_jaro_winkler, "prometheus", "prometheus", 1},
    {text_fuzzy_jaro_winkler, "", "abc", 0},
    {text_fuzzy_jaro_winkler, "abc", "xyz", 0},
    {text_fuzzy_jaro_winkler, "martha", "marhta", 17 / 18. + 3 * 0.1 / 18},
    {text_fuzzy_jaro_winkler, "marhta", "martha", 17 / 18. + 3 * 0.1 / 18},
    {text_fuzzy_jaro_winkler, "dwayne", "duane", (4 / 6. + 4 / 5. + 1) / 3 * 0.9 + 0.1},
    {text_fuzzy_jaro_winkler, "caf\303\251", "cafe", (3 / 4. + 3 / 4. + 1) / 3 * 0.7 + 0.3},
    {substring, "", "x", 1},
    {substring, "ht", "http", 1},
    {substring, "tp", "http", 1 - 0.9},
    {substring, "t", "http", 1 - 0.9 / 3},
    {substring, "b", "\303\251b", 1 - 0.9},
    {substring, "x", "http", 0},
};

static void scores(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct text_fuzzy *f = text_fuzzy_new(slice_cstr(cases[i].pattern));
        for (int round = 0; round < 2; round++) { /* the room is used again */
            double got = cases[i].fn(f, slice_cstr(cases[i].text));
            if (!(fabs(got - cases[i].want) < 1e-12))
                fail_msg("\"%s\" in \"%s\": %.17g, not %.17g", cases[i].pattern, cases[i].text, got,
                         cases[i].want);
        }
        text_fuzzy_free(f);
    }
    text_fuzzy_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(scores)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
