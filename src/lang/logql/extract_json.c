/* json, with and without expressions, and unpack. */
#include "base/buf.h"
#include "codec/json_read.h"
#include "codec/number.h"
#include "lang/logql/extract.h"

static void fail(struct logql_line *l, const struct diag *d)
{
    logql_line_fail(l, "JSONParserErr", slice_cstr(d->msg));
}

/* --- json --- */

struct walk {
    struct logql_line *line;
    struct codec_json_reader *r;
};

struct slice logql__json_name(struct arena *arena, struct slice prefix, struct slice key)
{
    key = slice_trim(key);
    if (!prefix.len)
        return logql_sanitize(arena, key);
    /* A digit may stand behind the underscore. */
    char *p = arena_alloc(arena, prefix.len + 1 + key.len);
    if (!p)
        return SLICE("");
    memcpy(p, prefix.ptr, prefix.len);
    p[prefix.len] = '_';
    size_t n = prefix.len + 1;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (ok)
            p[n++] = c;
        else if (((unsigned char)c & 0xc0) != 0x80)
            p[n++] = '_';
    }
    return slice_make(p, n);
}

static void walk_object(struct walk *w, struct slice prefix)
{
    struct codec_json_reader *r = w->r;
    struct slice key, value;
    enum codec_json_kind kind;
    if (!codec_json_read_object(r))
        return;
    while (codec_json_next_key(r, &key) && codec_json_peek(r, &kind)) {
        if (!key.len || kind == CODEC_JSON_NULL || kind == CODEC_JSON_ARRAY)
            continue;
        struct slice name = logql__json_name(w->line->arena, prefix, key);
        if (kind == CODEC_JSON_OBJECT) {
            if (logql_line_wants_below(w->line, name))
                walk_object(w, name);
        } else if (!logql_line_wants(w->line, name)) {
            continue;
        } else if (kind == CODEC_JSON_STRING ? codec_json_read_string(r, &value)
                                             : codec_json_read_raw(r, &value))
            logql_line_extract(w->line, name, value);
        if (logql_line_has_all(w->line))
            return;
    }
}

static struct codec_json_reader reader(struct logql_line *l, struct diag *d)
{
    diag_init(d);
    struct codec_json_reader r = codec_json_reader(l->text, l->arena, d);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    return r;
}

void logql_extract_json(struct logql_line *l)
{
    struct diag d;
    struct codec_json_reader r = reader(l, &d);
    struct walk w = {l, &r};
    if (!logql_line_look(l))
        return;
    walk_object(&w, SLICE(""));
    if (r.err)
        fail(l, &d);
}

struct find {
    struct arena *arena;
    struct codec_json_reader *r;
    struct slice name, *keys;
    size_t max;
};

static size_t find_keys(struct find *f, struct slice prefix, size_t depth)
{
    struct slice key;
    enum codec_json_kind kind;
    size_t found = 0;
    if (depth == f->max || !codec_json_read_object(f->r))
        return 0;
    while (!found && codec_json_next_key(f->r, &key) && codec_json_peek(f->r, &kind)) {
        if (!key.len || kind == CODEC_JSON_NULL || kind == CODEC_JSON_ARRAY)
            continue;
        struct slice name = logql__json_name(f->arena, prefix, key);
        f->keys[depth] = arena_slice(f->arena, key);
        if (kind == CODEC_JSON_OBJECT)
            found = find_keys(f, name, depth + 1);
        else if (slice_eq(name, f->name))
            found = depth + 1;
    }
    return found;
}

size_t logql_json_keys(struct slice text, struct slice name, struct arena *arena,
                       struct slice *out_keys, size_t max)
{
    struct diag d;
    diag_init(&d);
    struct codec_json_reader r = codec_json_reader(text, arena, &d);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    struct find f = {arena, &r, name, out_keys, max};
    return find_keys(&f, SLICE(""), 0);
}

/* --- json a="b.c[0]" --- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '@' || c == '$' || c == ':' || (unsigned char)c >= 0x80;
}

int logql_path_parse(struct slice text, struct arena *arena, struct logql_path *out,
                     struct diag *diag)
{
    VEC(struct logql_path_step) steps = {0};
    size_t i = 0;
    bool ok = text.len > 0;
    while (ok && i < text.len) {
        struct logql_path_step step = {0};
        if (text.ptr[i] == '[') {
            ptrdiff_t end;
            bool quoted = i + 1 < text.len && text.ptr[i + 1] == '"';
            if (quoted) {
                /* To the quote that no backslash stands before. */
                struct buf key = {0};
                size_t k = i + 2;
                for (; k < text.len && text.ptr[k] != '"'; k++) {
                    if (text.ptr[k] == '\\' && k + 1 < text.len)
                        k++;
                    buf_append_char(&key, text.ptr[k]);
                }
                step.key = arena_slice(arena, buf_slice(&key));
                buf_deinit(&key);
                ok = k + 1 < text.len && text.ptr[k + 1] == ']';
                i = k + 2;
            } else {
                int64_t n = 0;
                end = slice_find_char(slice_from(text, i), ']');
                step.is_index = true;
                ok = end > 1 &&
                     codec_text_to_int(slice_make(text.ptr + i + 1, (size_t)end - 1), &n) && n >= 0;
                step.index = (size_t)n;
                i += ok ? (size_t)end + 1 : 0;
            }
        } else {
            if (steps.len) {
                ok = text.ptr[i] == '.';
                i++;
            }
            size_t begin = i;
            while (i < text.len && is_word(text.ptr[i]))
                i++;
            step.key = slice_make(text.ptr + begin, i - begin);
            ok = ok && i > begin;
        }
        if (ok)
            vec_push(&steps, step);
    }
    out->count = steps.len;
    out->steps = arena_dup(arena, steps.items, steps.len * sizeof(*steps.items));
    vec_free(&steps);
    return ok ? 0
              : diag_set(diag, ERR_INVALID, "cannot parse expression [%.*s]: syntax error",
                         SLICE_FMT(text));
}

/* Goes to where the path leads; false when there is nothing. */
static bool descend(struct codec_json_reader *r, const struct logql_path *path)
{
    enum codec_json_kind kind;
    for (size_t i = 0; i < path->count; i++) {
        const struct logql_path_step *step = &path->steps[i];
        bool found = false;
        if (!codec_json_peek(r, &kind))
            return false;
        if (step->is_index && kind == CODEC_JSON_ARRAY && codec_json_read_array(r)) {
            for (size_t k = 0; !found && codec_json_next_item(r); k++) {
                found = k == step->index;
                if (!found)
                    codec_json_skip(r);
            }
        } else if (!step->is_index && kind == CODEC_JSON_OBJECT && codec_json_read_object(r)) {
            struct slice key;
            while (!found && codec_json_next_key(r, &key))
                found = slice_eq(key, step->key);
        }
        if (!found)
            return false;
    }
    return true;
}

void logql_extract_json_paths(struct logql_line *l, const struct logql_pair *labels,
                              const struct logql_path *paths, size_t count)
{
    if (!logql_line_look(l))
        return;
    for (size_t i = 0; i < count && !logql_line_has_all(l); i++) {
        struct diag d;
        /* Where errors matter all have to be looked for. */
        if (!logql_line_wants(l, labels[i].name) && l->wanted->all_is_enough)
            continue;
        struct codec_json_reader r = reader(l, &d);
        struct slice value = SLICE("");
        enum codec_json_kind kind;
        if (!codec_json_peek(&r, &kind) ||
            (kind != CODEC_JSON_OBJECT && kind != CODEC_JSON_ARRAY)) {
            if (!r.err)
                diag_set(&d, ERR_INVALID, "expecting a JSON object or array");
            fail(l, &d);
            return;
        }
        if (descend(&r, &paths[i]) && codec_json_peek(&r, &kind)) {
            if (kind == CODEC_JSON_STRING)
                codec_json_read_string(&r, &value);
            else if (kind != CODEC_JSON_NULL)
                codec_json_read_raw(&r, &value);
        }
        if (r.err) {
            fail(l, &d);
            return;
        }
        logql_line_extract(l, labels[i].name, value);
    }
}

/* --- unpack --- */

void logql_unpack(struct logql_line *l)
{
    struct diag d;
    struct codec_json_reader r = reader(l, &d);
    struct slice key, value, entry = {NULL, 0};
    enum codec_json_kind kind;
    if (!l->text.len)
        return;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key) && codec_json_peek(&r, &kind)) {
        if (kind != CODEC_JSON_STRING || !codec_json_read_string(&r, &value))
            continue;
        if (slice_eq_cstr(key, "_entry"))
            entry = value;
        else
            logql_line_extract(l, logql_sanitize(l->arena, key), value);
    }
    if (r.err)
        fail(l, &d);
    else if (entry.ptr)
        l->text = entry;
}
