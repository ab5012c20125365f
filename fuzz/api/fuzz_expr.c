/* Server-side expressions: a query's JSON over two answers of other queries. */
#include <math.h>
#include <stdint.h>

#include "api/grafana/expr.h"

static struct grafana_answer series, numbers;

static int input(void *ctx, struct slice ref_id, const struct grafana_answer **out,
                 struct diag *diag)
{
    (void)ctx;
    *out = slice_eq(ref_id, SLICE("A")) ? &series : &numbers;
    return slice_eq(ref_id, SLICE("Q")) ? diag_set(diag, ERR_INVALID, "no such query") : 0;
}

static void fill(struct arena *arena)
{
    static const double values[] = {1, 2, NAN, INFINITY, -3};
    const struct data_label label = {SLICE_INIT("n"), SLICE_INIT("1")};
    series = (struct grafana_answer){.is_numbers = true};
    numbers = (struct grafana_answer){.is_numbers = true};
    for (int k = 0; k < 2; k++) {
        struct data_labels labels = {k ? &label : NULL, (size_t)k};
        struct grafana_series *s = grafana__add_series(&series, arena, labels, 6, false);
        for (size_t i = 0; i < 6; i++) {
            s->ts_ns[i] = (int64_t)i * NS_PER_SEC;
            s->value[i] = i < 5 ? values[i] : grafana__null();
        }
        grafana__add_series(&numbers, arena, labels, 1, true)->value[0] = 2;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct codec_json query;
    struct grafana_answer out;
    struct diag diag;
    struct buf text = {0};
    diag_init(&diag);
    fill(arena);
    const struct grafana_expr_env env = {
        .arena = arena, .to_ns = 10 * NS_PER_SEC, .values_max = 100000, .input = input};
    struct slice s = arena_slice(arena, slice_make((const char *)data, size));
    if (!codec_json_parse(s, arena, &query, &diag)) {
        if (!grafana__expr_run(&env, &query, &out, &diag))
            grafana__put_answer(&out, &text);
    } else if (!grafana__math_run(&env, s, &out, &diag)) {
        grafana__put_answer(&out, &text);
    }
    buf_deinit(&text);
    arena_free(arena);
    return 0;
}
