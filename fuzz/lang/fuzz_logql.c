/* LogQL: any text ends in a tree or an error, and what is printed reads as the same. */
#include <stdlib.h>

#include "lang/logql/logql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4000)
        return 0;
    struct arena *arena = arena_new(0, NULL);
    struct logql_expr *expr, *again;
    struct buf text = {0}, second = {0};
    struct diag d;
    diag_init(&d);
    if (!logql_parse(slice_make(data, size), arena, &expr, &d)) {
        logql_print(expr, &text);
        diag_init(&d);
        /* Numbers that are none (1/0) print as no literal. */
        if (!logql_parse(buf_slice(&text), arena, &again, &d)) {
            logql_print(again, &second);
            if (!slice_eq(buf_slice(&text), buf_slice(&second)))
                abort();
            logql_expr_free(again);
        }
        buf_clear(&text);
        logql_format(expr, &text);
        logql_expr_free(expr);
    } else {
        logql_error_text(&d, &text);
    }
    buf_deinit(&text);
    buf_deinit(&second);
    arena_free(arena);
    return 0;
}
