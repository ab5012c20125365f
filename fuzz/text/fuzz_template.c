/* Templates: whatever parses runs over a small tree of data, within its limits. */
#include "text/template/template.h"

static int twice(struct text_template_call *call, const struct text_template_value *args,
                 size_t count, struct text_template_value *out, struct diag *diag)
{
    (void)count;
    (void)diag;
    *out = text_template_string(arena_printf(call->arena, "%.*s%.*s", SLICE_FMT(args[0].string),
                                             SLICE_FMT(args[0].string)));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct text_template_function functions[] = {{"twice", "s", twice}};
    static const struct text_template_type labels = {.name = "map[string]string",
                                                     .string_zero = true};
    struct text_template_value one = text_template_string(SLICE("1 <two>")),
                               number = text_template_float(1234.5), items[3], list, map, root;
    struct text_template_pair pairs[] = {{SLICE_INIT("b"), &one}, {SLICE_INIT("a"), &number}};
    struct text_template *t;
    struct buf out = {0};
    struct diag d;
    if (size > 4000)
        return 0;
    items[0] = text_template_int(7);
    items[1] = one;
    items[2] = text_template_bool(true);
    list = text_template_list(items, 3);
    map = text_template_map(&labels, pairs, 2);
    struct text_template_pair top[] = {{SLICE_INIT("Labels"), &map}, {SLICE_INIT("List"), &list}};
    root = text_template_map(NULL, top, 2);
    struct arena *arena = arena_new(0, NULL), *run = arena_new(0, NULL);
    struct text_template_env env = {.arena = run, .output_max = 100000, .steps_max = 20000};
    diag_init(&d);
    if (!text_template_new(SLICE("f"), slice_make(data, size), functions, 1, arena, &t, &d))
        (void)!text_template_run(t, &root, &env, &out, &d);
    buf_deinit(&out);
    arena_free(run);
    arena_free(arena);
    return 0;
}
