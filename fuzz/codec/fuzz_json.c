/* JSON documents: any bytes end in a tree or an error with a place. */
#include <stdlib.h>

#include "codec/json_dom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t walk(const struct codec_json *v)
{
    size_t n = v->text.len;
    for (size_t i = 0; i < v->count; i++)
        n += walk(&v->items[i]);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct codec_json doc;
    struct diag d;
    diag_init(&d);
    int err = codec_json_parse(slice_make(data, size), arena, &doc, &d);
    if (err ? !d.code || !d.line : walk(&doc) > 4 * size + 16)
        abort();
    arena_free(arena);
    return 0;
}
