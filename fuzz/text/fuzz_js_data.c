/* JavaScript values as plain data: whatever is taken has places inside of the text. */
#include <stdlib.h>

#include "text/js_data.h"

static void check(const struct text_yaml *n)
{
    if (!n->line || !n->col)
        abort();
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == TEXT_YAML_MAP)
            check(n->keys[i]);
        check(n->items[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root;
    struct diag d;
    diag_init(&d);
    if (size <= 4096 && !text_js_parse(slice_make(data, size), arena, &root, &d))
        check(root);
    arena_free(arena);
    return 0;
}
