/* Queries that somebody is still typing. */
#include "lang/traceql/ast.h"

/* Where the condition that begins at `at` ends: at a && outside of quotes and parentheses, at a
 * closing brace, or at the end of the text. */
static size_t condition_end(struct slice s, size_t at)
{
    int depth = 0;
    for (; at < s.len; at++) {
        char c = s.ptr[at];
        if (c == '"' || c == '`') {
            for (at++; at < s.len && s.ptr[at] != c; at++)
                at += c == '"' && s.ptr[at] == '\\';
        } else if (c == '(') {
            depth++;
        } else if (c == ')') {
            depth--;
        } else if (c == '}' || (depth <= 0 && c == '&' && at + 1 < s.len && s.ptr[at + 1] == '&')) {
            break;
        }
    }
    return MIN(at, s.len);
}

void traceql_parse_partial(struct slice text, struct arena *arena, struct traceql_query **out)
{
    struct buf kept = {0};
    struct diag diag;
    diag_init(&diag);
    ptrdiff_t open = slice_find_char(text, '{');
    for (size_t at = open < 0 ? text.len : (size_t)open + 1; at < text.len;) {
        size_t end = condition_end(text, at);
        struct slice one = slice_make(text.ptr + at, end - at);
        struct traceql_query *q;
        struct buf probe = {0};
        diag_init(&diag);
        buf_printf(&probe, "{ %.*s }", SLICE_FMT(one));
        if (slice_trim(one).len && !traceql_parse(buf_slice(&probe), arena, &q, &diag)) {
            if (!q->metric && q->pipeline->count == 1)
                buf_printf(&kept, "%s%.*s", kept.len ? " && " : "", SLICE_FMT(one));
            traceql_query_free(q);
        }
        buf_deinit(&probe);
        if (end >= text.len || text.ptr[end] == '}')
            break;
        at = end + 2;
    }
    struct buf whole = {0};
    buf_printf(&whole, "{ %.*s }", SLICE_FMT(buf_slice(&kept)));
    diag_init(&diag);
    if (traceql_parse(buf_slice(&whole), arena, out, &diag) &&
        traceql_parse(SLICE("{ }"), arena, out, NULL))
        *out = NULL;
    buf_deinit(&whole);
    buf_deinit(&kept);
}
