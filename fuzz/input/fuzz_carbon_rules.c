/* Carbon's rule files, the first byte says which; and names through whatever they say. */
#include "base/assert.h"
#include "input/carbon/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *ctx, const struct carbon_aggregate *a)
{
    base_assert(a->frequency_s > 0);
    *(size_t *)ctx += a->name.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.b.c", "a",    "", "prod.applications.x.y.requests",
                                        "..",    "a;b=c"};
    static const char *const files[CARBON_FILE_COUNT] = {"b", "w", "r", "a"};
    struct slice texts[CARBON_FILE_COUNT] = {0};
    struct input_carbon_rules *r;
    struct diag diag;
    size_t total = 0;
    if (!size)
        return 0;
    diag_init(&diag);
    texts[data[0] % CARBON_FILE_COUNT] = slice_make(data + 1, size - 1);
    int err = input_carbon_rules_parse(texts, files, true, &r, &diag);
    base_assert(!err || (!r && diag.code && diag.line));
    for (size_t i = 0; r && i < ARRAY_LEN(names); i++) {
        struct buf a = {0}, b = {0};
        struct slice name = slice_cstr(names[i]);
        (void)input_carbon_rules_listed(r, name);
        name = input_carbon_rules_rewrite(r, false, name, &a, &b);
        input_carbon_rules_aggregates(r, name, note, &total);
        (void)input_carbon_rules_rewrite(r, true, name, &a, &b);
        buf_deinit(&a);
        buf_deinit(&b);
    }
    input_carbon_rules_unref(r);
    return 0;
}
