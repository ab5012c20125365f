/* Server-side expressions: a query's JSON over two answers of other queries. */
#include <math.h>
#include <stdint.h>

#include "lang/expr/expr.h"

static struct expr_set series, numbers;

static int input(void *ctx, struct slice ref_id, const struct expr_set **out, struct diag *diag)
{
    (void)ctx;
    *out = slice_eq(ref_id, SLICE("A")) ? &series : &numbers;
    return slice_eq(ref_id, SLICE("Q")) ? diag_set(diag, ERR_INVALID, "no such query") : 0;
}

static void fill(struct arena *arena)
{
    static const double values[] = {1, 2, NAN, INFINITY, -3};
    const struct data_label label = {SLICE_INIT("n"), SLICE_INIT("1")};
    series = (struct expr_set){.is_numbers = true};
    numbers = (struct expr_set){.is_numbers = true};
    for (int k = 0; k < 2; k++) {
        struct data_labels labels = {k ? &label : NULL, (size_t)k};
        struct expr_series *s = expr_set_add(&series, arena, labels, 6, false);
        for (size_t i = 0; i < 6; i++) {
            s->ts_ns[i] = (int64_t)i * NS_PER_SEC;
            s->value[i] = i < 5 ? values[i] : expr_null();
        }
        expr_set_add(&numbers, arena, labels, 1, true)->value[0] = 2;
    }
}

static void count_input(void *ctx, struct slice ref_id)
{
    (void)ref_id;
    ++*(size_t *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct codec_json query;
    struct expr_set out;
    struct diag diag;
    size_t inputs = 0;
    diag_init(&diag);
    fill(arena);
    const struct expr_env env = {
        .arena = arena, .to_ns = 10 * NS_PER_SEC, .values_max = 100000, .input = input};
    struct slice s = arena_slice(arena, slice_make((const char *)data, size));
    /* Text that is no JSON is math. */
    struct slice keys[] = {SLICE_INIT("type"), SLICE_INIT("expression")};
    struct codec_json items[] = {{.kind = CODEC_JSON_STRING, .text = SLICE_INIT("math")},
                                 {.kind = CODEC_JSON_STRING, .text = s}};
    if (codec_json_parse(s, arena, &query, &diag))
        query = (struct codec_json){
            .kind = CODEC_JSON_OBJECT, .count = 2, .keys = keys, .items = items};
    expr_each_input(&query, count_input, &inputs);
    (void)expr_run(&env, &query, &out, &diag);
    arena_free(arena);
    return 0;
}
