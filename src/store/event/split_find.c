/* Searching split lines without putting them together: where a text can lie in a template says what
 * has to be in its places. */
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "store/event/split.h"

/* --- one column of strings --- */

static bool passes(enum store_text_test test, struct slice value, struct slice text)
{
    switch (test) {
    case STORE_TEXT_CONTAINS: return slice_find(value, text) >= 0;
    case STORE_TEXT_BEGINS: return slice_starts_with(value, text);
    case STORE_TEXT_ENDS: return slice_ends_with(value, text);
    default: return slice_eq(value, text);
    }
}

/* Whether any text of the style can have these characters in it. */
static bool possible(unsigned style, struct slice text)
{
    const char *chars = NULL;
    size_t longest = STORE_STYLE_TEXT_MAX;
    switch (style) {
    case STORE_STYLE_NONE: return true;
    case STORE_STYLE_INT:
    case STORE_STYLE_PADDED: chars = "0123456789-"; break;
    case STORE_STYLE_DECIMAL:
    case STORE_STYLE_SHORT:
    case STORE_STYLE_IPV4: chars = "0123456789-."; break;
    case STORE_STYLE_TIME: chars = "0123456789-:TZ., "; break;
    case STORE_STYLE_CLF: chars = "0123456789/:abceghilnoprtuvyAFJMSOND"; break;
    case STORE_STYLE_UUID: chars = "0123456789abcdef-"; break;
    case STORE_STYLE_HEX:
        chars = "0123456789abcdef";
        longest = 128;
        break;
    default: return true;
    }
    if (text.len > longest)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!text.ptr[i] || !strchr(chars, text.ptr[i]))
            return false;
    }
    return true;
}

static void test_dict(const struct store_column *c, enum store_text_test test, struct slice text,
                      const uint32_t *values, size_t count, bool *flags)
{
    bool *truth = mem_alloc(c->dict_count);
    size_t yes = 0;
    for (uint32_t i = 0; i < c->dict_count; i++) {
        truth[i] = passes(test, c->dict[i].text, text);
        yes += truth[i];
    }
    if (!yes) {
        memset(flags, 0, count);
    } else if (yes < c->dict_count) {
        for (size_t i = 0; i < count; i++)
            flags[i] &= truth[c->ints[values[i]]];
    }
    mem_free(truth);
}

/* Pages are searched in one go: what is found is then given to its value. */
static int search_pages(struct store_column *c, struct slice needle, const uint32_t *values,
                        size_t count, bool *flags)
{
    const struct store_column_page *page = NULL;
    const char *hit = NULL; /* the first at or behind what was looked at */
    for (size_t i = 0; i < count; i++) {
        uint32_t at = values[i];
        if (!flags[i])
            continue;
        if (!page || at < page->first || at >= page->end) {
            page = store_column_page_of(c, at);
            if (!page)
                return ERR_CORRUPT;
            ptrdiff_t found = slice_find(slice_make(page->raw, page->raw_len), needle);
            hit = found < 0 ? NULL : page->raw + found;
        }
        const char *begin = page->raw + (c->offsets[at] - page->raw_at),
                   *end = page->raw + (c->offsets[at + 1] - page->raw_at),
                   *page_end = page->raw + page->raw_len;
        /* A hit across two texts is none: look further. */
        while (hit && (hit < begin || (hit < end && hit + needle.len > end))) {
            const char *from = hit < begin ? begin : hit + 1;
            ptrdiff_t found = slice_find(slice_make(from, (size_t)(page_end - from)), needle);
            hit = found < 0 ? NULL : from + found;
        }
        flags[i] = hit && hit < end;
    }
    return 0;
}

static int test_values(struct store_column *c, enum store_text_test test, struct slice text,
                       const uint32_t *values, size_t count, bool *flags)
{
    struct buf b = {0};
    int err = 0;
    for (size_t i = 0; i < count && !err; i++) {
        if (!flags[i])
            continue;
        buf_clear(&b);
        err = store_column_append(c, values[i], &b);
        flags[i] = !err && passes(test, buf_slice(&b), text);
    }
    buf_deinit(&b);
    return err;
}

int store_column_test(struct store_column *c, enum store_text_test test, struct slice text,
                      const uint32_t *values, size_t count, bool *flags)
{
    if (!text.len && test != STORE_TEXT_IS)
        return 0;
    if (!possible(c->style, text)) {
        memset(flags, 0, count);
        return 0;
    }
    if (c->form == STORE_COLUMN_DICT) {
        if (c->dict_count == 1) {
            if (!passes(test, c->dict[0].text, text))
                memset(flags, 0, count);
            return 0;
        }
        test_dict(c, test, text, values, count, flags);
        return 0;
    }
    if (c->form == STORE_COLUMN_TEXT && test == STORE_TEXT_CONTAINS)
        return search_pages(c, text, values, count, flags);
    if (c->form == STORE_COLUMN_SPLIT && test == STORE_TEXT_CONTAINS) {
        bool *found = mem_alloc(count + 1);
        int err = store_split_find(c, text, values, count, found);
        for (size_t i = 0; i < count && !err; i++)
            flags[i] &= found[i];
        mem_free(found);
        return err;
    }
    return test_values(c, test, text, values, count, flags);
}

/* --- where a text can lie in a template --- */

#define WAYS_MAX  160
#define DEPTH_MAX 40 /* places that a needle covers */

struct demand {
    uint32_t place;
    enum store_text_test test;
    struct slice text;
};

struct ways {
    const struct store_split_template *t;
    struct demand stack[DEPTH_MAX];
    uint32_t depth;
    VEC(struct demand) demands;
    VEC(uint32_t) ends; /* of each way: all its demands have to be met */
    bool always;        /* a way without demands */
    bool too_many;
};

static void end_way(struct ways *w)
{
    if (!w->depth)
        w->always = true;
    for (uint32_t i = 0; i < w->depth; i++)
        vec_push(&w->demands, w->stack[i]);
    vec_push(&w->ends, (uint32_t)w->demands.len);
    w->too_many |= w->ends.len > WAYS_MAX;
}

static void demand(struct ways *w, uint32_t place, enum store_text_test test, struct slice text)
{
    w->stack[w->depth++] = (struct demand){place, test, text};
}

static void from_place(struct ways *w, uint32_t place, struct slice rest);

/* What is left of the needle begins at `at` of a piece. */
static void from_piece(struct ways *w, uint32_t piece, size_t at, struct slice rest)
{
    struct slice text = slice_from(w->t->pieces[piece], at);
    if (rest.len <= text.len) {
        if (slice_starts_with(text, rest))
            end_way(w);
    } else if (piece < w->t->slots && slice_starts_with(rest, text)) {
        from_place(w, piece, slice_from(rest, text.len));
    }
}

/* It begins where the value of a place does. */
static void from_place(struct ways *w, uint32_t place, struct slice rest)
{
    if (w->depth == DEPTH_MAX || w->too_many) {
        w->too_many = true;
        return;
    }
    demand(w, place, STORE_TEXT_BEGINS, rest);
    end_way(w);
    w->depth--;
    for (size_t n = 0; n < rest.len && !w->too_many; n++) {
        demand(w, place, STORE_TEXT_IS, slice_first(rest, n));
        from_piece(w, place + 1, 0, slice_from(rest, n));
        w->depth--;
    }
}

static void find_ways(struct ways *w, struct slice needle)
{
    for (uint32_t piece = 0; piece <= w->t->slots && !w->always; piece++) {
        for (size_t at = 0; at < w->t->pieces[piece].len && !w->too_many && !w->always; at++) {
            if (w->t->pieces[piece].ptr[at] == needle.ptr[0])
                from_piece(w, piece, at, needle);
        }
    }
    for (uint32_t place = 0; place < w->t->slots && !w->too_many && !w->always; place++) {
        demand(w, place, STORE_TEXT_CONTAINS, needle);
        end_way(w);
        w->depth--;
        for (size_t n = 1; n < needle.len && !w->too_many; n++) {
            demand(w, place, STORE_TEXT_ENDS, slice_first(needle, n));
            from_piece(w, place + 1, 0, slice_from(needle, n));
            w->depth--;
        }
    }
}

/* --- all templates --- */

/* The values of one template that are asked for. */
struct group {
    uint32_t *ranks;
    uint32_t *at; /* which of the values given */
    size_t count;
};

static int try_way(struct store_column *c, uint32_t template, const struct demand *demands,
                   size_t count, const struct group *g, bool *flags)
{
    int err = 0;
    memset(flags, 1, g->count);
    for (size_t i = 0; i < count && !err; i++) {
        uint32_t place = demands[i].place;
        const struct store_column_info *info =
            &c->split->infos[c->split->templates[template].first_slot + place];
        if (!possible(info->style, demands[i].text)) {
            memset(flags, 0, g->count); /* without unpacking it */
            break;
        }
        struct store_column *slot = store__split_slot(c, template, place);
        err = slot ? store_column_test(slot, demands[i].test, demands[i].text, g->ranks, g->count,
                                       flags)
                   : ERR_CORRUPT;
        if (!memchr(flags, 1, g->count))
            break;
    }
    return err;
}

/* Lines put together, one by one. */
static int try_lines(struct store_column *c, struct slice needle, const struct group *g,
                     const uint32_t *values, bool *found)
{
    struct buf b = {0};
    int err = 0;
    for (size_t i = 0; i < g->count && !err; i++) {
        buf_clear(&b);
        err = store_split_append(c, values[g->at[i]], &b);
        found[i] = !err && slice_find(buf_slice(&b), needle) >= 0;
    }
    buf_deinit(&b);
    return err;
}

static int find_in(struct store_column *c, uint32_t template, struct slice needle,
                   const struct group *g, const uint32_t *values, bool *found)
{
    struct ways w = {.t = &c->split->templates[template]};
    bool *flags = mem_alloc(g->count), *any = mem_calloc(g->count, 1);
    int err = 0;
    find_ways(&w, needle);
    if (w.always) {
        memset(any, 1, g->count);
    } else if (w.too_many) {
        err = try_lines(c, needle, g, values, any);
    } else {
        uint32_t begin = 0;
        for (size_t i = 0; i < w.ends.len && !err; i++) {
            err = try_way(c, template, w.demands.items + begin, w.ends.items[i] - begin, g, flags);
            for (size_t k = 0; k < g->count && !err; k++)
                any[k] |= flags[k];
            begin = w.ends.items[i];
        }
    }
    for (size_t k = 0; k < g->count; k++)
        found[g->at[k]] = any[k];
    vec_free(&w.demands);
    vec_free(&w.ends);
    mem_free(flags);
    mem_free(any);
    return err;
}

int store_split_find(struct store_column *c, struct slice needle, const uint32_t *values,
                     size_t count, bool *found)
{
    struct store_split *s = c->split;
    if (!needle.len) {
        memset(found, 1, count);
        return 0;
    }
    uint32_t *ranks = mem_alloc((count + 1) * sizeof(*ranks)),
             *at = mem_alloc((count + 1) * sizeof(*at)),
             *ends = mem_calloc((size_t)s->template_count + 1, sizeof(*ends));
    for (size_t i = 0; i < count; i++)
        ends[s->code ? s->code[values[i]] : 0]++;
    for (uint32_t t = 0, sum = 0; t < s->template_count; t++) {
        uint32_t n = ends[t];
        ends[t] = sum;
        sum += n;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to = ends[s->code ? s->code[values[i]] : 0]++;
        ranks[to] = s->rank ? s->rank[values[i]] : values[i];
        at[to] = i;
    }
    int err = 0;
    for (uint32_t t = 0, begin = 0; t < s->template_count && !err; t++) {
        struct group g = {ranks + begin, at + begin, ends[t] - begin};
        if (g.count)
            err = find_in(c, t, needle, &g, values, found);
        begin = ends[t];
    }
    mem_free(ranks);
    mem_free(at);
    mem_free(ends);
    return err;
}
