/* What `json` finds in all lines of a shape. Stricter than the parser: whatever it would find fault
 * with, or take for something else than it looks, makes the lines be read. */
#include "codec/utf8.h"
#include "lang/logql/derive.h"

#define DEPTH_MAX  16
#define LEAVES_MAX 256

/* A value below keys alone, in the order of the text. */
struct leaf {
    struct slice name; /* as a label */
    struct slice keys[DEPTH_MAX];
    size_t depth;
    size_t begin, end; /* of its text, in symbols */
    bool plain;        /* a string without escapes, or a scalar */
    bool scalar;
    bool inner; /* an object or array: it has no text of its own */
};

struct walk {
    struct logql_shape_text s;
    struct leaf *leaves;
    size_t count;
    struct slice keys[DEPTH_MAX];
};

static unsigned peek(const struct walk *w)
{
    return w->s.at < w->s.len ? w->s.symbols[w->s.at] : UINT16_MAX;
}

static void skip_space(struct walk *w)
{
    while (peek(w) == ' ' || peek(w) == '\t' || peek(w) == '\n' || peek(w) == '\r')
        w->s.at++;
}

static bool take(struct walk *w, char c)
{
    skip_space(w);
    if (peek(w) != (unsigned char)c)
        return false;
    w->s.at++;
    return true;
}

static bool take_escape(struct walk *w)
{
    unsigned c = peek(w);
    w->s.at++;
    if (c != 'u')
        return c < LOGQL_SHAPE_PLACE && c && strchr("\"\\/bfnrt", (int)c);
    for (int i = 0; i < 4; i++, w->s.at++) {
        c = peek(w);
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

/* At a quote. [*begin, *end): what is in the string. */
static bool take_string(struct walk *w, size_t *begin, size_t *end, bool *plain)
{
    if (!take(w, '"'))
        return false;
    *begin = w->s.at;
    *plain = true;
    for (;;) {
        unsigned c = peek(w);
        if (c == UINT16_MAX || c < 0x20)
            return false;
        *end = w->s.at++;
        if (c == '"')
            break;
        if (c >= LOGQL_SHAPE_PLACE)
            w->s.texts[c - LOGQL_SHAPE_PLACE] = STORE_TEXTS_JSON_STRING;
        if (c == '\\') {
            *plain = false;
            if (!take_escape(w))
                return false;
        }
    }
    /* Pieces are whole characters each. */
    for (size_t i = *begin, next; i < *end; i = next + 1) {
        for (next = i; next < *end && w->s.symbols[next] < LOGQL_SHAPE_PLACE; next++) {
        }
        if (!codec_utf8_valid(logql__shape_literal(&w->s, i, next)))
            return false;
    }
    return true;
}

static bool take_value(struct walk *w, size_t depth, struct slice name, bool found);

/* A place, or a word that is a scalar whatever stands around it. */
static bool take_scalar(struct walk *w, size_t *begin, size_t *end)
{
    static const char *const words[] = {"true", "false", "null"};
    *begin = w->s.at;
    unsigned c = peek(w);
    if (c != UINT16_MAX && c >= LOGQL_SHAPE_PLACE) {
        w->s.texts[c - LOGQL_SHAPE_PLACE] = STORE_TEXTS_JSON_SCALAR;
        w->s.at++;
    } else {
        while (peek(w) >= 'a' && peek(w) <= 'z')
            w->s.at++;
        struct slice word = logql__shape_literal(&w->s, *begin, w->s.at);
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            known |= slice_eq_cstr(word, words[i]);
        if (!known)
            return false;
    }
    *end = w->s.at;
    c = peek(w);
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool take_object(struct walk *w, size_t depth, struct slice prefix, bool found)
{
    if (!take(w, '{') || depth == DEPTH_MAX)
        return false;
    if (take(w, '}'))
        return true;
    do {
        size_t begin, end;
        bool plain;
        skip_space(w);
        if (!take_string(w, &begin, &end, &plain) || !plain || !take(w, ':'))
            return false;
        struct slice key = logql__shape_literal(&w->s, begin, end);
        if (!key.ptr)
            return false;
        w->keys[depth] = key;
        /* Without a name it is passed over, with all that is in it. */
        struct slice name =
            found && key.len ? logql__json_name(w->s.arena, prefix, key) : SLICE("");
        if (!take_value(w, depth + 1, name, found && key.len))
            return false;
    } while (take(w, ','));
    return take(w, '}');
}

static bool take_array(struct walk *w, size_t depth)
{
    if (!take(w, '[') || depth == DEPTH_MAX)
        return false;
    if (take(w, ']'))
        return true;
    do {
        if (!take_value(w, depth + 1, SLICE(""), false))
            return false;
    } while (take(w, ','));
    return take(w, ']');
}

static bool take_value(struct walk *w, size_t depth, struct slice name, bool found)
{
    struct leaf leaf = {.name = name, .depth = depth};
    size_t at = w->count;
    bool ok;
    skip_space(w);
    if (found) {
        if (w->count == LEAVES_MAX)
            return false;
        memcpy(leaf.keys, w->keys, depth * sizeof(*leaf.keys));
        w->count++;
    }
    if (peek(w) == '"') {
        ok = take_string(w, &leaf.begin, &leaf.end, &leaf.plain);
    } else if (peek(w) == '{' || peek(w) == '[') {
        leaf.inner = true;
        ok = peek(w) == '{' ? take_object(w, depth, name, found) : take_array(w, depth);
    } else {
        leaf.scalar = leaf.plain = true;
        ok = take_scalar(w, &leaf.begin, &leaf.end);
    }
    if (found)
        w->leaves[at] = leaf;
    return ok;
}

/* --- which value is which label's --- */

static void tell(struct walk *w, const struct leaf *leaf, bool paths, struct store_event_told *out)
{
    logql__shape_parts(&w->s, leaf->begin, leaf->end, out);
    out->drop_null = leaf->scalar;
    out->null_empty = paths;
}

static bool rule_out_null(struct walk *w, const struct leaf *leaf)
{
    unsigned c = w->s.symbols[leaf->begin];
    if (c < LOGQL_SHAPE_PLACE)
        return c != 'n';
    w->s.texts[c - LOGQL_SHAPE_PLACE] = STORE_TEXTS_JSON_VALUE;
    return true;
}

/* json: the value of that name. False: there are several, or it is not known. */
static bool by_name(struct walk *w, struct slice name, const struct leaf **out)
{
    *out = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const struct leaf *leaf = &w->leaves[i];
        if (leaf->inner || !slice_eq(leaf->name, name))
            continue;
        if (*out || !leaf->plain)
            return false;
        *out = leaf;
    }
    return true;
}

/* json a="b.c": of keys that come twice the first counts; here none does. */
static bool by_path(struct walk *w, const struct logql_path *path, const struct leaf **out)
{
    *out = NULL;
    for (size_t k = 0; k < path->count; k++) {
        if (path->steps[k].is_index || !path->steps[k].key.len)
            return false;
    }
    for (size_t i = 0; i < w->count; i++) {
        const struct leaf *leaf = &w->leaves[i];
        size_t same = 0, most = MIN(leaf->depth, path->count);
        while (same < most && slice_eq(leaf->keys[same], path->steps[same].key))
            same++;
        if (same != path->count || leaf->depth != path->count)
            continue;
        if (*out || !leaf->plain || leaf->inner)
            return false;
        *out = leaf;
    }
    return true;
}

/* An object whose key comes twice may hide one that is looked for. */
static bool has_twins(const struct walk *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct leaf *a = &w->leaves[i];
        for (size_t k = 0; k < i; k++) {
            const struct leaf *b = &w->leaves[k];
            size_t same = 0;
            if (!a->inner || a->depth != b->depth)
                continue;
            while (same < a->depth && slice_eq(a->keys[same], b->keys[same]))
                same++;
            if (same == a->depth)
                return true;
        }
    }
    return false;
}

bool logql__shape_json(const struct logql_derive *d, const struct store_event_shape *shape,
                       unsigned attempt, struct arena *arena, enum store_event_texts *texts,
                       struct store_event_told *columns)
{
    struct walk w = {0};
    bool paths = d->parser->pair_count > 0, all = true;
    size_t last = 0;
    /* First: none of what is wanted is null, so that the parser stops when it has it. */
    bool stops = d->wanted->all_is_enough && !attempt;
    if (attempt > 1 || (attempt == 1 && !d->wanted->all_is_enough))
        return false;
    if (!logql__shape_flatten(shape, arena, texts, &w.s))
        return false;
    w.leaves = ARENA_ARRAY(arena, struct leaf, LEAVES_MAX);
    skip_space(&w);
    if (peek(&w) != '{' || !take_object(&w, 0, SLICE(""), true))
        return false;
    skip_space(&w);
    if (w.s.at != w.s.len || has_twins(&w))
        return false;
    for (size_t i = 0; i < d->scan.count; i++) {
        const struct leaf *leaf;
        if (!(paths ? by_path(&w, &d->paths[i], &leaf) : by_name(&w, d->names[i], &leaf)))
            return false;
        all &= leaf != NULL;
        if (leaf) {
            tell(&w, leaf, paths, &columns[i]);
            last = MAX(last, leaf->end);
            if (stops && leaf->scalar && !paths && !rule_out_null(&w, leaf))
                return false;
        } else if (paths) {
            logql__shape_parts(&w.s, 0, 0, &columns[i]);
        }
    }
    if (stops && all)
        logql__shape_forget(&w.s, last);
    return true;
}
