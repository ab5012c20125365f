/* logfmt, regexp, pattern, decolorize. */
#include "base/buf.h"
#include "lang/logql/extract.h"
#include "text/go_string.h"

/* --- logfmt --- */

struct logfmt {
    struct slice rest;
    struct slice key, value;
    const char *broken; /* what is wrong with the pair */
    size_t at;          /* of it, from the begin of the line */
};

static size_t run(struct slice s, bool quotes)
{
    size_t i = 0;
    while (i < s.len && (unsigned char)s.ptr[i] > ' ' && s.ptr[i] != '=' &&
           (quotes || s.ptr[i] != '"'))
        i++;
    return i;
}

static void skip_word(struct logfmt *f)
{
    size_t i = 0;
    while (i < f->rest.len && (unsigned char)f->rest.ptr[i] > ' ')
        i++;
    f->rest = slice_from(f->rest, i);
}

static void take_quoted(struct logfmt *f, struct arena *arena)
{
    size_t i = 1;
    bool escaped = false;
    while (i < f->rest.len && f->rest.ptr[i] != '"') {
        if (f->rest.ptr[i] == '\\') {
            escaped = true;
            i++;
        }
        i++;
    }
    if (i >= f->rest.len) {
        f->broken = "unterminated quoted value";
        f->rest = SLICE("");
        return;
    }
    struct slice literal = slice_first(f->rest, i + 1);
    f->value = slice_make(literal.ptr + 1, literal.len - 2);
    f->rest = slice_from(f->rest, i + 1);
    if (escaped) {
        struct buf out = {0};
        if (text_go_unquote(literal, &out))
            f->broken = "invalid quoted value";
        f->value = arena_slice(arena, buf_slice(&out));
        buf_deinit(&out);
    }
    if (f->rest.len && (unsigned char)f->rest.ptr[0] > ' ') {
        f->broken = "unexpected text behind a quoted value";
        skip_word(f);
    }
}

/* The next pair; false at the end of the line. */
static bool next_pair(struct logfmt *f, struct slice line, struct arena *arena)
{
    while (f->rest.len && (unsigned char)f->rest.ptr[0] <= ' ')
        f->rest = slice_from(f->rest, 1);
    if (!f->rest.len)
        return false;
    f->broken = NULL;
    f->at = (size_t)(f->rest.ptr - line.ptr);
    size_t n = run(f->rest, false);
    f->key = slice_first(f->rest, n);
    f->value = SLICE("");
    f->rest = slice_from(f->rest, n);
    if (!n || (f->rest.len && f->rest.ptr[0] == '"')) {
        f->broken = n ? "unexpected '\"'" : "unexpected '='";
        skip_word(f);
        return true;
    }
    if (!f->rest.len || f->rest.ptr[0] != '=')
        return true; /* a key alone */
    f->rest = slice_from(f->rest, 1);
    if (f->rest.len && f->rest.ptr[0] == '"') {
        take_quoted(f, arena);
        return true;
    }
    n = run(f->rest, false);
    f->value = slice_first(f->rest, n);
    f->rest = slice_from(f->rest, n);
    if (f->rest.len && (unsigned char)f->rest.ptr[0] > ' ') {
        f->broken = f->rest.ptr[0] == '=' ? "unexpected '='" : "unexpected '\"'";
        skip_word(f);
    }
    return true;
}

void logql_extract_logfmt(struct logql_line *l, bool strict, bool keep_empty,
                          const struct logql_pair *pairs, size_t count)
{
    struct logfmt f = {.rest = l->text};
    if (!logql_line_look(l))
        return;
    while (!logql_line_has_all(l) && next_pair(&f, l->text, l->arena)) {
        if (f.broken) {
            if (!strict)
                continue;
            struct slice text =
                arena_printf(l->arena, "logfmt syntax error at pos %zu : %s", f.at + 1, f.broken);
            logql_line_fail(l, "LogfmtParserErr", text);
            return;
        }
        struct slice key = logql_sanitize(l->arena, f.key);
        if (!pairs) {
            if (f.value.len || keep_empty)
                logql_line_extract(l, key, f.value);
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (slice_eq(pairs[i].value, f.key) || slice_eq(pairs[i].value, key))
                logql_line_extract(l, pairs[i].name, f.value);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!logql_line_has_all(l) && !logql_line_get(l, pairs[i].name).ptr)
            logql_line_extract(l, pairs[i].name, SLICE(""));
    }
}

/* --- regexp, pattern --- */

void logql_extract_regexp(struct logql_line *l, const struct text_regex *regex,
                          const struct slice *names, size_t count)
{
    struct slice *groups = ARENA_ARRAY(l->arena, struct slice, count);
    if (!text_regex_groups(regex, l->text, groups, count))
        return;
    for (size_t i = 1; i < count; i++) {
        if (names[i].len)
            logql_line_extract(l, names[i], groups[i].ptr ? groups[i] : SLICE(""));
    }
}

static void extract(void *ctx, struct slice name, struct slice value)
{
    logql_line_extract(ctx, name, value);
}

void logql_extract_pattern(struct logql_line *l, const struct logql_pattern *pattern)
{
    logql_pattern_captures(pattern, l->text, extract, l);
}

/* --- decolorize --- */

/* The length of the escape sequence at the begin of s (which is an ESC), ECMA-48: CSI, OSC, or one
 * character. */
static size_t escape_length(struct slice s)
{
    size_t i = 1;
    if (i >= s.len)
        return 1;
    char kind = s.ptr[i++];
    if (kind == '[') {
        while (i < s.len && (unsigned char)s.ptr[i] >= 0x20 && (unsigned char)s.ptr[i] < 0x40)
            i++;
        return MIN(i + 1, s.len);
    }
    if (kind == ']') {
        while (i < s.len && s.ptr[i] != '\a' && s.ptr[i] != '\x1b')
            i++;
        return MIN(i + (i < s.len && s.ptr[i] == '\x1b' ? 2 : 1), s.len);
    }
    return 2;
}

void logql_decolorize(struct logql_line *l)
{
    struct slice s = l->text;
    if (slice_find_char(s, '\x1b') < 0)
        return;
    char *out = arena_alloc(l->arena, s.len);
    size_t n = 0;
    for (size_t i = 0; i < s.len;) {
        if (s.ptr[i] == '\x1b')
            i += escape_length(slice_from(s, i));
        else
            out[n++] = s.ptr[i++];
    }
    l->text = slice_make(out, n);
}
