#include "text/log_pattern.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

#define TOKENS_MIN     4
#define TOKENS_MAX     80
#define LINE_BYTES_MAX 3000
#define SIMILARITY     0.5 /* of the words that are equal, where not both are anything */
#define KEY_WORDS      1   /* that lines of a group begin with */

struct token {
    struct slice text; /* ptr NULL: anything */
    bool space;        /* stands before it */
};

struct group {
    struct token *tokens;
    size_t count;
    bool space_behind;
    size_t next; /* group of the same leaf; SIZE_MAX at the end */
};

struct text_log_patterns {
    struct arena *arena;
    struct map *leaves; /* number of words and the first of them -> first group */
    VEC(struct group) groups;
    size_t max;
    struct buf key;
};

struct text_log_patterns *text_log_patterns_new(size_t max)
{
    struct text_log_patterns *p = mem_calloc(1, sizeof(*p));
    p->arena = arena_new(0, NULL);
    p->leaves = map_new();
    p->max = max;
    return p;
}

void text_log_patterns_free(struct text_log_patterns *p)
{
    if (!p)
        return;
    arena_free(p->arena);
    map_free(p->leaves);
    vec_free(&p->groups);
    buf_deinit(&p->key);
    mem_free(p);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("_-.:/", c)) || (unsigned char)c >= 0x80;
}

static bool has_digit(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9')
            return true;
    }
    return false;
}

/* Words, and every other character by itself. 0 when there are too many. */
static size_t split(struct slice line, struct token *out, bool *space_behind)
{
    size_t n = 0, i = 0;
    bool space = false;
    while (i < line.len) {
        char c = line.ptr[i];
        if (c == ' ' || c == '\t') {
            /* More than one space could not be told from one: the pattern would match nothing. */
            if (space || c == '\t' || !n)
                return 0;
            space = true;
            i++;
            continue;
        }
        size_t begin = i++;
        while (is_word(c) && i < line.len && is_word(line.ptr[i]))
            i++;
        struct slice text = slice_make(line.ptr + begin, i - begin);
        if (n == TOKENS_MAX)
            return 0;
        out[n++] = (struct token){has_digit(text) ? (struct slice){NULL, 0} : text, space};
        space = false;
    }
    *space_behind = space;
    return n;
}

/* Whether lines of the group may differ as the line does. What has digits in both says nothing for
 * or against it, or lines of many numbers would not find their own group. */
static bool is_alike(const struct group *g, const struct token *tokens, bool space_behind,
                     size_t *same)
{
    size_t told = 0;
    *same = 0;
    if (g->space_behind != space_behind)
        return false;
    for (size_t i = 0; i < g->count; i++) {
        struct slice ours = g->tokens[i].text, theirs = tokens[i].text;
        if (g->tokens[i].space != tokens[i].space)
            return false;
        told += ours.ptr || theirs.ptr;
        *same += ours.ptr && theirs.ptr && slice_eq(ours, theirs);
    }
    return (double)*same >= SIMILARITY * (double)told;
}

static bool is_all_anything(const struct token *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].text.ptr)
            return false;
    }
    return true;
}

static void make_key(struct text_log_patterns *p, const struct token *tokens, size_t count)
{
    size_t words = 0;
    buf_clear(&p->key);
    buf_printf(&p->key, "%zu", count);
    for (size_t i = 0; i < count && words < KEY_WORDS; i++, words++) {
        buf_append_char(&p->key, ' ');
        if (tokens[i].text.ptr)
            buf_append_slice(&p->key, tokens[i].text);
    }
}

static size_t add_group(struct text_log_patterns *p, struct map_entry *leaf, bool is_new,
                        const struct token *tokens, size_t count, bool space_behind)
{
    struct group g = {.tokens = arena_dup(p->arena, tokens, count * sizeof(*tokens)),
                      .count = count,
                      .space_behind = space_behind,
                      .next = is_new ? SIZE_MAX : (size_t)leaf->value.u64};
    for (size_t i = 0; i < count; i++) {
        if (tokens[i].text.ptr)
            g.tokens[i].text = arena_slice(p->arena, tokens[i].text);
    }
    vec_push(&p->groups, g);
    leaf->value.u64 = p->groups.len - 1;
    return p->groups.len - 1;
}

size_t text_log_patterns_add(struct text_log_patterns *p, struct slice line)
{
    struct token tokens[TOKENS_MAX];
    bool space_behind = false, is_new;
    if (line.len > LINE_BYTES_MAX)
        return SIZE_MAX;
    size_t count = split(line, tokens, &space_behind);
    if (count < TOKENS_MIN || is_all_anything(tokens, count))
        return SIZE_MAX;
    make_key(p, tokens, count);
    struct map_entry *leaf = map_put(p->leaves, buf_slice(&p->key), &is_new);
    size_t best = SIZE_MAX, most = 0;
    for (size_t i = is_new ? SIZE_MAX : (size_t)leaf->value.u64; i != SIZE_MAX;
         i = p->groups.items[i].next) {
        size_t same;
        if (!is_alike(&p->groups.items[i], tokens, space_behind, &same) ||
            (best != SIZE_MAX && same <= most))
            continue;
        best = i;
        most = same;
    }
    if (best == SIZE_MAX) {
        if (p->groups.len < p->max)
            return add_group(p, leaf, is_new, tokens, count, space_behind);
        if (is_new)
            map_remove(p->leaves, buf_slice(&p->key));
        return SIZE_MAX;
    }
    struct group *g = &p->groups.items[best];
    for (size_t i = 0; i < count; i++) {
        if (g->tokens[i].text.ptr &&
            !(tokens[i].text.ptr && slice_eq(g->tokens[i].text, tokens[i].text)))
            g->tokens[i].text = (struct slice){NULL, 0};
    }
    return best;
}

size_t text_log_patterns_count(const struct text_log_patterns *p)
{
    return p->groups.len;
}

void text_log_patterns_print(const struct text_log_patterns *p, size_t i, struct buf *out)
{
    const struct group *g = &p->groups.items[i];
    bool wild = false;
    for (size_t k = 0; k < g->count; k++) {
        bool is_wild = !g->tokens[k].text.ptr;
        /* Side by side they are one, with what is between them. */
        if (wild && is_wild)
            continue;
        if (g->tokens[k].space)
            buf_append_char(out, ' ');
        if (is_wild)
            buf_append_cstr(out, "<_>");
        else
            buf_append_slice(out, g->tokens[k].text);
        wild = is_wild;
    }
    if (g->space_behind)
        buf_append_char(out, ' ');
}
