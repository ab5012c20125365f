/* A mapping file, and names through whatever it says. */
#include "base/assert.h"
#include "input/statsd/mapping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.b.c",        "a",  "",   "test.x.y.z",
                                        "http.404.a.b", "..", "a.b"};
    struct statsd_mapping *m;
    struct diag diag;
    diag_init(&diag);
    int err = statsd__mapping_parse(slice_make(data, size), &m, &diag);
    base_assert(err ? !m && diag.code : m != NULL);
    if (!m)
        return 0;
    struct arena *arena = arena_new(0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct statsd_mapped mapped;
        statsd__mapping_match(m, slice_cstr(names[i]), (enum statsd_kind)(i % STATSD_KIND_COUNT),
                              arena, &mapped);
        base_assert(mapped.rule);
    }
    arena_free(arena);
    statsd__mapping_free(m);
    return 0;
}
