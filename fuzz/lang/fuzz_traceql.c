/* TraceQL: any text is a query or an error with a place, what is printed reads as the same, and an
 * unfinished query always gives one. */
#include <stdlib.h>

#include "base/assert.h"
#include "lang/traceql/traceql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2000)
        return 0;
    struct slice input = slice_make(data, size);
    struct arena *arena = arena_new(0, NULL);
    struct traceql_query *query, *again, *partial;
    struct buf text = {0}, second = {0};
    struct diag d;
    int64_t ns;
    diag_init(&d);
    if (!traceql_parse(input, arena, &query, &d)) {
        traceql_print(query, &text);
        diag_init(&d);
        base_assert(!traceql_parse(buf_slice(&text), arena, &again, &d));
        traceql_print(again, &second);
        if (!slice_eq(buf_slice(&text), buf_slice(&second)))
            abort();
        traceql_query_free(again);
        traceql_query_free(query);
    } else {
        base_assert(d.code);
        traceql_error_text(&d, &text);
    }
    traceql_parse_partial(input, arena, &partial);
    base_assert(partial);
    buf_clear(&text);
    traceql_print(partial, &text);
    traceql_query_free(partial);
    traceql_duration_parse(input, &ns);
    buf_deinit(&text);
    buf_deinit(&second);
    arena_free(arena);
    return 0;
}
