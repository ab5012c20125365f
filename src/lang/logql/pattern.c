#include "lang/logql/pattern.h"

#include "base/vec.h"
#include "data/labels.h"

static bool is_unnamed(struct slice name)
{
    return slice_eq_cstr(name, "_");
}

static int check(const struct logql_pattern *p, bool line_filter, struct diag *diag)
{
    size_t named = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct logql_pattern_part *a = &p->parts[i];
        if (a->capture && i + 1 < p->count && p->parts[i + 1].capture)
            return diag_set(diag, ERR_INVALID,
                            "found consecutive capture '<%.*s><%.*s>': invalid expression",
                            SLICE_FMT(a->text), SLICE_FMT(p->parts[i + 1].text));
        if (!a->capture || is_unnamed(a->text))
            continue;
        named++;
        if (line_filter)
            return diag_set(diag, ERR_INVALID, "named captures are not allowed");
        for (size_t k = 0; k < i; k++) {
            if (p->parts[k].capture && slice_eq(p->parts[k].text, a->text))
                return diag_set(diag, ERR_INVALID,
                                "duplicate capture name (%.*s): invalid expression",
                                SLICE_FMT(a->text));
        }
    }
    if (!line_filter && !named)
        return diag_set(diag, ERR_INVALID, "at least one capture is required");
    return 0;
}

int logql_pattern_parse(struct slice text, bool line_filter, struct arena *arena,
                        struct logql_pattern *out, struct diag *diag)
{
    VEC(struct logql_pattern_part) parts = {0};
    size_t literal = 0;
    for (size_t i = 0; i < text.len; i++) {
        ptrdiff_t end = text.ptr[i] == '<' ? slice_find_char(slice_from(text, i), '>') : -1;
        struct slice name = end > 0 ? slice_make(text.ptr + i + 1, (size_t)end - 1) : SLICE("");
        if (!data_label_name_is_legacy(name))
            continue;
        if (i > literal)
            vec_push(&parts, ((struct logql_pattern_part){
                                 false, slice_make(text.ptr + literal, i - literal)}));
        vec_push(&parts, ((struct logql_pattern_part){true, name}));
        i += (size_t)end;
        literal = i + 1;
    }
    if (literal < text.len)
        vec_push(&parts, ((struct logql_pattern_part){false, slice_from(text, literal)}));
    out->count = parts.len;
    out->parts = arena_dup(arena, parts.items, parts.len * sizeof(*parts.items));
    vec_free(&parts);
    return check(out, line_filter, diag);
}

void logql_pattern_captures(const struct logql_pattern *p, struct slice line,
                            void (*each)(void *ctx, struct slice name, struct slice value),
                            void *ctx)
{
    size_t i = 0;
    if (p->count && !p->parts[0].capture) {
        if (!slice_starts_with(line, p->parts[0].text))
            return;
        line = slice_from(line, p->parts[0].text.len);
        i = 1;
    }
    for (; i < p->count; i += 2) {
        const struct logql_pattern_part *literal = i + 1 < p->count ? &p->parts[i + 1] : NULL;
        ptrdiff_t at = literal ? slice_find(line, literal->text) : -1;
        struct slice value = at < 0 ? line : slice_first(line, (size_t)at);
        if (!is_unnamed(p->parts[i].text))
            each(ctx, p->parts[i].text, value);
        if (at < 0)
            return;
        line = slice_from(line, (size_t)at + literal->text.len);
    }
}

bool logql_pattern_matches(const struct logql_pattern *p, struct slice line)
{
    size_t at = 0;
    if (!line.len || !p->count)
        return !line.len && !p->count;
    for (size_t i = 0; i < p->count; i++) {
        if (p->parts[i].capture)
            continue;
        ptrdiff_t found = slice_find(slice_from(line, at), p->parts[i].text);
        /* The first literal begins the line; captures take at least one byte. */
        if (found < 0 || (i == 0) != (found == 0))
            return false;
        at += (size_t)found + p->parts[i].text.len;
    }
    return p->parts[p->count - 1].capture == (at < line.len);
}
