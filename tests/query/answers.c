#include "answers.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "codec/bytes.h"
#include "data/histogram.h"

static const struct promql_options options = {.experimental = true};

void answer_parse(struct answer *a, const char *text)
{
    *a = (struct answer){.text = text, .arena = arena_new(0, NULL)};
    diag_init(&a->diag);
    if (promql_parse(slice_cstr(text), &options, a->arena, &a->expr, &a->diag))
        fail_msg("%s: %s", text, a->diag.msg);
}

void answer_plan(struct answer *a, const struct query_steps *steps)
{
    a->steps = *steps;
    if (promql_plan(a->expr, steps, &options, a->arena, &a->plan, &a->diag))
        fail_msg("%s: %s", a->text, a->diag.msg);
}

void answer_run(struct answer *a, const struct query_env *env)
{
    a->err = query_run(a->plan, env, a->arena, &a->result, &a->diag);
}

void answer_ask(struct answer *a, const char *text, const struct query_steps *steps,
                const struct query_env *env)
{
    answer_parse(a, text);
    answer_plan(a, steps);
    answer_run(a, env);
}

void answer_free(struct answer *a)
{
    promql_expr_free(a->expr);
    arena_free(a->arena);
}

static bool same_bits(double a, double b)
{
    return codec_double_bits(a) == codec_double_bits(b);
}

bool same_value(double a, double b)
{
    return (isnan(a) && isnan(b)) || same_bits(a, b);
}

static size_t compare_series(const struct answer *of, size_t i, const struct query_series *want,
                             const struct query_series *got, bool nan_bits)
{
    assert_true(data_labels_eq(want->labels, got->labels));
    if (want->count != got->count)
        fail_msg("%s: series %zu has %zu points instead of %zu", of->text, i, got->count,
                 want->count);
    for (size_t k = 0; k < want->count; k++) {
        struct query_point a = query_point_at(want, k), b = query_point_at(got, k);
        if (a.histogram || b.histogram) {
            if (!a.histogram || !b.histogram || a.ts_ns != b.ts_ns ||
                !data_histogram_identical(a.histogram, b.histogram))
                fail_msg("%s: series %zu point %zu at %lld: another histogram", of->text, i, k,
                         (long long)a.ts_ns);
            continue;
        }
        if (a.ts_ns != b.ts_ns ||
            !(nan_bits ? same_bits(a.value, b.value) : same_value(a.value, b.value)))
            fail_msg("%s from %lld by %lld s: series %zu point %zu at %lld: %.17g at %lld instead "
                     "of %.17g",
                     of->text, (long long)(of->steps.start_ns / NS_PER_SEC),
                     (long long)(of->steps.step_ns / NS_PER_SEC), i, k, (long long)a.ts_ns, b.value,
                     (long long)b.ts_ns, a.value);
    }
    return want->count;
}

/* The same texts, in whatever order. */
static void compare_texts(const struct answer *of, const struct slice *want, size_t want_count,
                          const struct slice *got, size_t got_count)
{
    for (size_t i = 0; i < want_count; i++) {
        size_t k = 0;
        while (k < got_count && !slice_eq(want[i], got[k]))
            k++;
        if (k == got_count)
            fail_msg("%s: \"%.*s\" is not told", of->text, SLICE_FMT(want[i]));
    }
    assert_int_equal(want_count, got_count);
}

size_t answer_compare(const struct answer *want, const struct answer *got, unsigned also)
{
    const struct query_result *w = &want->result, *g = &got->result;
    size_t points = 0;
    if (want->err != got->err || (want->err && !(also & ANSWER_MAY_FAIL)))
        fail_msg("%s: %d (%s) instead of %d (%s)", want->text, got->err, got->diag.msg, want->err,
                 want->diag.msg);
    if (want->err)
        return 0;
    bool may_miss = also & ANSWER_MAY_MISS;
    if (w->series_count != g->series_count && !may_miss)
        fail_msg("%s: %zu series instead of %zu", want->text, g->series_count, w->series_count);
    assert_int_equal(w->kind, g->kind);
    if (!may_miss) { /* what is not there is not remarked upon */
        compare_texts(want, w->infos, w->info_count, g->infos, g->info_count);
        compare_texts(want, w->warnings, w->warning_count, g->warnings, g->warning_count);
    }
    if (also & ANSWER_SAMPLES) {
        assert_int_equal(w->stats.samples_read, g->stats.samples_read);
        assert_int_equal(w->stats.series_selected, g->stats.series_selected);
    }
    for (size_t i = 0, k = 0; k < g->series_count; i++, k++) {
        while (may_miss && i < w->series_count &&
               !data_labels_eq(w->series[i].labels, g->series[k].labels))
            i++;
        assert_true(i < w->series_count);
        points += compare_series(want, i, &w->series[i], &g->series[k], also & ANSWER_NAN_BITS);
    }
    return points;
}

size_t answer_three_ways(const char *text, const struct query_steps *steps,
                         struct store_source *source, struct task_pool *pool, unsigned also)
{
    struct answer ways[3];
    size_t points = 0;
    for (int way = 0; way < 3; way++) {
        const struct query_env env = {.source = source,
                                      .tenant = SLICE("default"),
                                      .pool = way == 2 ? pool : NULL,
                                      .plain = way == 0};
        answer_ask(&ways[way], text, steps, &env);
        if (way)
            points += answer_compare(&ways[0], &ways[way], also);
    }
    for (int way = 0; way < 3; way++)
        answer_free(&ways[way]);
    return points;
}
