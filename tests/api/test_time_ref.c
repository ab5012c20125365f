/* Grafana's time grammar, and results as columns. */
#include "api/time_ref.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/query_multi.h"
#include "text/duration.h"

static void check(const char *text, bool up, const char *expected)
{
    int64_t now_ns, got_ns, want_ns;
    assert_int_equal(text_time_parse(SLICE("2024-03-31T15:10:20.500Z"), &now_ns), 0);
    int err = api_time_ref(slice_cstr(text), now_ns, up, &got_ns);
    if (!expected) {
        assert_int_equal(err, ERR_INVALID);
        return;
    }
    assert_int_equal(err, 0);
    assert_int_equal(text_time_parse(slice_cstr(expected), &want_ns), 0);
    if (got_ns != want_ns)
        fail_msg("%s: %lld, expected %lld", text, (long long)got_ns, (long long)want_ns);
}

static void times(void **state)
{
    (void)state;
    check("now", false, "2024-03-31T15:10:20.500Z");
    check("now-6h", false, "2024-03-31T09:10:20.500Z");
    check("now+1w", false, "2024-04-07T15:10:20.500Z");
    check("now-1M", false, "2024-02-29T15:10:20.500Z"); /* the day that there is */
    check("now-1Q", false, "2023-12-31T15:10:20.500Z");
    check("now-1y", false, "2023-03-31T15:10:20.500Z");
    check("now/d", false, "2024-03-31T00:00:00Z");
    check("now/d", true, "2024-03-31T23:59:59.999Z");
    check("now-1d/d", false, "2024-03-30T00:00:00Z");
    check("now-1d/d+8h", false, "2024-03-30T08:00:00Z");
    check("now/w", false, "2024-03-25T00:00:00Z"); /* a Monday */
    check("now/M", true, "2024-03-31T23:59:59.999Z");
    check("now-2M/Q", false, "2024-01-01T00:00:00Z");
    check("now/y", true, "2024-12-31T23:59:59.999Z");
    check("now-5m+30s", false, "2024-03-31T15:05:50.500Z");
    check("1700000000000", false, "2023-11-14T22:13:20Z");
    check("2024-01-02T03:04:05Z", false, "2024-01-02T03:04:05Z");
    check("now-", false, NULL);
    check("now-5", false, NULL);
    check("now-123456h", false, NULL);
    check("now/x", false, NULL);
    check("now*2h", false, NULL);
    check("yesterday", false, NULL);
    check("", false, NULL);
    check("99999999999999999", false, NULL);
    check("now+99999y", false, NULL);
}

static void columns(void **state)
{
    static const double values[] = {1.5, 7, NAN, -INFINITY};
    static const uint32_t at[] = {0, 2, 3};
    struct query_series series[] = {{.value = values,
                                     .at = at,
                                     .start_ns = 2000 * NS_PER_MS,
                                     .step_ns = 1000 * NS_PER_MS,
                                     .count = 3},
                                    {.value = values, .count = 0}};
    struct slice warnings[] = {SLICE("mind \"this\"")};
    struct query_result r = {.kind = QUERY_MATRIX,
                             .series = series,
                             .series_count = 2,
                             .warnings = warnings,
                             .warning_count = 1};
    struct api_query q = {
        .steps = {.start_ns = 0, .end_ns = 6000 * NS_PER_MS, .step_ns = 1000 * NS_PER_MS}};
    struct buf out = {0};
    struct diag diag;
    (void)state;
    diag_init(&diag);
    assert_int_equal(api_put_columns(&q, &r, &out, &diag), 0);
    assert_string_equal(
        buf_cstr(&out),
        ",\"kind\":\"matrix\",\"grid\":{\"start\":0,\"step\":1000,\"count\":7},\"series\":["
        "{\"labels\":{},\"first\":2,\"values\":[1.5,null,\"NaN\",\"-Inf\"]},"
        "{\"labels\":{},\"first\":0,\"values\":[]}],\"warnings\":[\"mind \\\"this\\\"\"]");
    buf_clear(&out);
    q.limit = 1;
    q.limits.query_memory_bytes = 10;
    assert_int_equal(api_put_columns(&q, &r, &out, &diag), ERR_NOMEM);
    assert_non_null(strstr(diag.msg, "limits.query.memory"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(times), cmocka_unit_test(columns)};
    return cmocka_run_group_tests_name("api/time_ref", tests, NULL, NULL);
}
