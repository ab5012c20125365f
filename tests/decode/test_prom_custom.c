/* Classic histograms in text as native ones with custom buckets. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/histogram_notation.h"
#include "decode/prom_text.h"

/* What a body becomes: a line an item. */
static int show(enum decode_text_format format, bool classic_too, const char *body, struct buf *out,
                struct diag *diag)
{
    struct decode_text_cache *cache = decode_text_cache_new(NULL, NULL);
    struct decode_text *p = decode_text_new(cache);
    struct decode_text_item item;
    int got;
    decode_text_set_histograms(
        p, &(struct decode_text_histograms){.custom = true, .classic_too = classic_too});
    buf_clear(out);
    decode_text_begin(p, format, true, slice_cstr(body));
    while ((got = decode_text_next(p, &item, diag)) == 1) {
        if (item.kind != DECODE_TEXT_SAMPLE && item.kind != DECODE_TEXT_EXEMPLAR)
            continue;
        data_labels_print(item.series->labels, out);
        if (item.histogram) {
            buf_append_char(out, ' ');
            data_histogram_print(item.histogram, out);
        } else if (item.kind == DECODE_TEXT_SAMPLE) {
            buf_printf(out, " %g", item.value);
        }
        if (item.has_ts)
            buf_printf(out, " @%lld", (long long)(item.ts_ns / NS_PER_SEC));
        if (item.start_ns)
            buf_printf(out, " since %lld", (long long)(item.start_ns / NS_PER_SEC));
        if (item.has_exemplar)
            buf_printf(out, " # %g", item.exemplar_value);
        buf_append_char(out, '\n');
    }
    decode_text_free(p);
    decode_text_cache_free(cache);
    return got;
}

static void check(enum decode_text_format format, bool classic_too, const char *body,
                  const char *expected)
{
    struct buf out = {0};
    struct diag diag;
    diag_init(&diag);
    int err = show(format, classic_too, body, &out, &diag);
    if (err)
        print_error("%s\n", diag.msg);
    assert_int_equal(err, 0);
    assert_string_equal(buf_cstr(&out), expected);
    buf_deinit(&out);
}

static void text(void **state)
{
    (void)state;
    check(DECODE_TEXT_PLAIN, false,
          "before 1\n"
          "# TYPE h histogram\n"
          "h_bucket{a=\"x\",le=\"0.5\"} 2\nh_bucket{a=\"x\",le=\"1\"} 3\n"
          "h_bucket{a=\"x\",le=\"+Inf\"} 7\nh_sum{a=\"x\"} 9.5\nh_count{a=\"x\"} 7\n"
          "h_bucket{a=\"y\",le=\"+Inf\"} 1\nh_sum{a=\"y\"} 2\nh_count{a=\"y\"} 1\n"
          "# TYPE g gauge\ng 3\n",
          "before 1\n"
          "h{a=\"x\"} {count:7, sum:9.5, [-Inf,0.5]:2, (0.5,1]:1, (1,+Inf]:4}\n"
          "h{a=\"y\"} {count:1, sum:2, [-Inf,+Inf]:1}\n"
          "g 3\n");
    /* At the end of the body, with timestamps, beside the classic lines. */
    check(DECODE_TEXT_PLAIN, true,
          "# TYPE h histogram\n"
          "h_bucket{le=\"1\"} 0 5000\nh_bucket{le=\"+Inf\"} 2 5000\nh_sum 3 5000\nh_count 2 5000\n",
          "h_bucket{le=\"1.0\"} 0 @5\nh_bucket{le=\"+Inf\"} 2 @5\nh_sum 3 @5\nh_count 2 @5\n"
          "h {count:2, sum:3, (1,+Inf]:2} @5\n");
    /* What only looks like a histogram stays what it is. */
    check(DECODE_TEXT_PLAIN, false, "h_bucket{le=\"1\"} 1\nh_count 2\n",
          "h_bucket{le=\"1\"} 1\nh_count 2\n");
}

static void openmetrics(void **state)
{
    (void)state;
    check(DECODE_TEXT_OPENMETRICS, false,
          "# TYPE h histogram\n"
          "h_bucket{le=\"1.0\"} 1 # {t=\"a\"} 0.5\nh_bucket{le=\"+Inf\"} 2 # {t=\"b\"} 4\n"
          "h_count 2\nh_sum 3.0\nh_created 100\n# EOF\n",
          "h_created 100\n"
          "h {count:2, sum:3, [-Inf,1]:1, (1,+Inf]:1} since 100 # 0.5\n"
          "h # 4\n");
}

static void contradictions_are_told(void **state)
{
    (void)state;
    struct buf out = {0};
    struct diag diag;
    diag_init(&diag);
    assert_int_equal(show(DECODE_TEXT_PLAIN, false,
                          "# TYPE h histogram\n"
                          "h_bucket{le=\"1\"} 5\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
                          &out, &diag),
                     ERR_INVALID);
    assert_non_null(strstr(diag.msg, "histogram h cannot be one with custom buckets"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text), cmocka_unit_test(openmetrics),
                                       cmocka_unit_test(contradictions_are_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
