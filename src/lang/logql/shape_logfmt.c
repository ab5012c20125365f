/* What `logfmt` finds in all lines of a shape. */
#include "lang/logql/derive.h"

#define PAIRS_MAX 256

struct pair {
    struct slice key, name; /* as it stands there, and as a label */
    size_t begin, end;      /* of the value, in symbols */
};

struct walk {
    struct logql_shape_text s;
    struct pair *pairs;
    size_t count;
    bool odd_key; /* a word alone that differs from line to line */
};

static unsigned peek(const struct walk *w)
{
    return w->s.at < w->s.len ? w->s.symbols[w->s.at] : UINT16_MAX;
}

static bool at_end(const struct walk *w)
{
    return peek(w) <= ' ' || peek(w) == UINT16_MAX;
}

/* A key, or a value without quotes. */
static void take_word(struct walk *w)
{
    while (!at_end(w) && peek(w) != '=' && peek(w) != '"') {
        if (peek(w) >= LOGQL_SHAPE_PLACE)
            w->s.texts[peek(w) - LOGQL_SHAPE_PLACE] = STORE_TEXTS_WORD;
        w->s.at++;
    }
}

static bool take_quoted(struct walk *w, struct pair *p)
{
    p->begin = ++w->s.at;
    for (; peek(w) != '"'; w->s.at++) {
        if (peek(w) == UINT16_MAX || peek(w) == '\\')
            return false;
        if (peek(w) >= LOGQL_SHAPE_PLACE)
            w->s.texts[peek(w) - LOGQL_SHAPE_PLACE] = STORE_TEXTS_QUOTED;
    }
    p->end = w->s.at++;
    return at_end(w);
}

/* False: the pair is broken, or may be in some of the lines. */
static bool take_pair(struct walk *w)
{
    struct pair p = {0};
    size_t begin = w->s.at;
    take_word(w);
    if (w->s.at == begin || (!at_end(w) && peek(w) != '=') || w->count == PAIRS_MAX)
        return false;
    p.key = logql__shape_literal(&w->s, begin, w->s.at);
    p.begin = p.end = w->s.at;
    if (!p.key.ptr) {
        w->odd_key = true;
        return at_end(w);
    }
    p.name = logql_sanitize(w->s.arena, p.key);
    if (peek(w) == '=') {
        w->s.at++;
        if (peek(w) == '"') {
            if (!take_quoted(w, &p))
                return false;
        } else {
            p.begin = w->s.at;
            take_word(w);
            p.end = w->s.at;
            if (!at_end(w))
                return false;
        }
    }
    w->pairs[w->count++] = p;
    return true;
}

static bool is_of(const struct logql_derive *d, size_t column, const struct pair *p)
{
    if (!d->parser->pair_count)
        return slice_eq(p->name, d->names[column]);
    struct slice key = d->parser->pairs[column].value;
    return slice_eq(key, p->key) || slice_eq(key, p->name);
}

/* Words without quotes are not, nor is what has a text of its own. */
static bool never_empty(const struct logql_shape_text *s, const struct pair *p)
{
    for (size_t i = p->begin; i < p->end; i++) {
        if (s->symbols[i] < LOGQL_SHAPE_PLACE ||
            s->texts[s->symbols[i] - LOGQL_SHAPE_PLACE] == STORE_TEXTS_WORD)
            return true;
    }
    return false;
}

bool logql__shape_logfmt(const struct logql_derive *d, const struct store_event_shape *shape,
                         unsigned attempt, struct arena *arena, enum store_event_texts *texts,
                         struct store_event_told *columns)
{
    struct walk w = {0};
    bool named = d->parser->pair_count > 0, all = true;
    size_t last = 0;
    if (attempt || !logql__shape_flatten(shape, arena, texts, &w.s))
        return false;
    w.pairs = ARENA_ARRAY(arena, struct pair, PAIRS_MAX);
    while (w.s.at < w.s.len) {
        if (peek(&w) <= ' ')
            w.s.at++;
        else if (!take_pair(&w))
            return false;
    }
    if (w.odd_key && (named || d->parser->keep_empty))
        return false;
    for (size_t i = 0; i < d->scan.count; i++) {
        const struct pair *found = NULL;
        for (size_t k = 0; k < w.count; k++) {
            if (!is_of(d, i, &w.pairs[k]))
                continue;
            if (found)
                return false;
            found = &w.pairs[k];
        }
        all &= found != NULL;
        if (found) {
            logql__shape_parts(&w.s, found->begin, found->end, &columns[i]);
            columns[i].drop_empty = !named && !d->parser->keep_empty;
            all &= !columns[i].drop_empty || never_empty(&w.s, found);
            last = MAX(last, found->end);
        } else if (named) {
            logql__shape_parts(&w.s, 0, 0, &columns[i]);
        }
    }
    /* The parser stops when it has what is wanted; but what is empty is not had. */
    if (all && d->wanted->all_is_enough)
        logql__shape_forget(&w.s, last);
    return true;
}
