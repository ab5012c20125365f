/* YAML: any bytes end in a tree of bounded size or an error. */
#include "text/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *doc;
    struct diag d;
    diag_init(&d);
    text_yaml_parse(slice_make(data, size), arena, &doc, &d);
    arena_free(arena);
    return 0;
}
