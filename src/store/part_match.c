/* The index of a part: postings, and matchers against them. */
#include <stdlib.h>

#include "base/mem.h"
#include "codec/bytes.h"
#include "store/part_priv.h"
#include "text/regex.h"

/* Runs of a pair's series, one after the other; what does not fit is a contradiction. */
struct runs {
    struct slice in;
    uint64_t next;
    uint32_t left, series; /* of the pair; of the part */
};

static struct runs runs_of(const struct store_part *p, uint32_t ordinal)
{
    struct slice in;
    uint32_t count;
    store__part_postings(p, ordinal, &in, &count);
    return (struct runs){.in = in, .left = count, .series = (uint32_t)store_part_series_count(p)};
}

static bool take_run(struct runs *r, uint32_t *begin, uint32_t *count)
{
    uint64_t gap, more = 0;
    if (!r->left || !codec_take_varint(&r->in, &gap) ||
        ((gap & 1) && !codec_take_varint(&r->in, &more)))
        return false;
    uint64_t n = gap & 1 ? more + 2 : 1;
    if (gap >> 1 > r->series || more > r->series)
        return false;
    r->next += gap >> 1;
    if (n > r->left || r->next + n > r->series)
        return false;
    *begin = (uint32_t)r->next;
    *count = (uint32_t)n;
    r->next += n;
    r->left -= (uint32_t)n;
    return true;
}

static void set_bits(uint64_t *bits, uint32_t begin, uint32_t count)
{
    while (count) {
        uint32_t at = begin & 63, n = MIN(count, 64 - at);
        bits[begin >> 6] |= (n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1) << at;
        begin += n;
        count -= n;
    }
}

int store_part_mark(const struct store_part *p, uint32_t ordinal, uint64_t *bits)
{
    struct runs r = runs_of(p, ordinal);
    uint32_t begin, count;
    while (take_run(&r, &begin, &count))
        set_bits(bits, begin, count);
    return r.left ? ERR_CORRUPT : 0;
}

bool store_part_meets(const struct store_part *p, uint32_t ordinal, const uint64_t *bits)
{
    struct runs r = runs_of(p, ordinal);
    uint32_t begin, count;
    while (take_run(&r, &begin, &count)) {
        for (; count; begin++, count--) {
            if (bits[begin >> 6] >> (begin & 63) & 1)
                return true;
        }
    }
    return false;
}

/* --- matchers --- */

/* A matcher by the pairs it names: the series that have one of them, or those that have none. */
struct side {
    bool inverted;
    VEC(uint32_t) pairs;
    uint64_t series; /* of those pairs */
};

static uint32_t lower_bound(const struct store_part *p, uint32_t begin, uint32_t end,
                            struct slice value)
{
    while (begin < end) {
        uint32_t mid = begin + (end - begin) / 2;
        if (slice_cmp(store_part_value(p, mid), value) < 0)
            begin = mid + 1;
        else
            end = mid;
    }
    return begin;
}

static void add_pair(const struct store_part *p, struct side *out, uint32_t ordinal)
{
    vec_push(&out->pairs, ordinal);
    out->series += store_part_pair_series(p, ordinal);
}

static void add_value(const struct store_part *p, struct side *out, uint32_t begin, uint32_t end,
                      struct slice value)
{
    uint32_t at = lower_bound(p, begin, end, value);
    if (at < end && slice_eq(store_part_value(p, at), value))
        add_pair(p, out, at);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void resolve(const struct store_part *p, const struct store_matcher *m, struct side *out)
{
    uint32_t begin = 0, end = 0;
    size_t name = store_part_name_find(p, m->name), literals = 0;
    const struct slice *literal = NULL;
    *out = (struct side){.inverted = store_matcher_matches(m, SLICE(""))};
    if (name == SIZE_MAX)
        return;
    store_part_name(p, name, &begin, &end);
    bool exact = m->op == STORE_MATCH_EQ || m->op == STORE_MATCH_NE;
    if (exact && !out->inverted == (m->op == STORE_MATCH_EQ)) {
        add_value(p, out, begin, end, m->value);
        return;
    }
    bool pattern = !exact && !out->inverted == (m->op == STORE_MATCH_RE);
    if (pattern && (literals = text_regex_literals(m->regex, &literal))) {
        for (size_t i = 0; i < literals; i++)
            add_value(p, out, begin, end, literal[i]);
        if (out->pairs.len)
            qsort(out->pairs.items, out->pairs.len, sizeof(uint32_t), by_number);
        size_t kept = 0;
        for (size_t i = 0; i < out->pairs.len; i++) {
            if (!i || out->pairs.items[i] != out->pairs.items[i - 1])
                out->pairs.items[kept++] = out->pairs.items[i];
        }
        out->pairs.len = kept;
        return;
    }
    struct slice prefix = pattern ? text_regex_prefix(m->regex) : SLICE("");
    if (prefix.len)
        begin = lower_bound(p, begin, end, prefix);
    for (uint32_t i = begin; i < end; i++) {
        struct slice value = store_part_value(p, i);
        if (prefix.len && !slice_starts_with(value, prefix))
            break;
        if (store_matcher_matches(m, value) != out->inverted)
            add_pair(p, out, i);
    }
}

static int by_size(const void *a, const void *b)
{
    const struct side *x = a, *y = b;
    if (x->inverted != y->inverted)
        return x->inverted ? 1 : -1;
    return (x->series > y->series) - (x->series < y->series);
}

/* Leaves of `list` what the side takes. */
static int narrow(const struct store_part *p, const struct side *side, uint64_t *bits, size_t words,
                  uint32_t *list, size_t *count)
{
    size_t kept = 0;
    if (!side->inverted && side->series >= store_part_series_count(p))
        return 0;
    memset(bits, 0, words * sizeof(*bits));
    for (size_t i = 0; i < side->pairs.len; i++) {
        int err = store_part_mark(p, side->pairs.items[i], bits);
        if (err)
            return err;
    }
    for (size_t i = 0; i < *count; i++) {
        if ((bits[list[i] >> 6] >> (list[i] & 63) & 1) != side->inverted)
            list[kept++] = list[i];
    }
    *count = kept;
    return 0;
}

int store_part_match(const struct store_part *p, struct slice tenant,
                     const struct store_matcher *matchers, size_t count, uint32_t **out,
                     size_t *out_count)
{
    size_t series = store_part_series_count(p), words = (series + 63) / 64;
    struct side *sides = mem_calloc(count + 1, sizeof(*sides));
    uint64_t *bits = NULL;
    uint32_t *list = NULL;
    size_t found = 0, resolved = 0;
    int err = 0;
    const struct store_matcher whose = {.op = STORE_MATCH_EQ, .name = SLICE(""), .value = tenant};
    bool none = false;
    for (; resolved <= count && !none; resolved++) {
        struct side *side = &sides[resolved];
        resolve(p, resolved ? &matchers[resolved - 1] : &whose, side);
        if (!resolved && side->inverted)
            side->inverted = false; /* the tenant with the empty name is a tenant like others */
        none = !side->inverted && !side->pairs.len;
    }
    if (none)
        goto out;
    qsort(sides, count + 1, sizeof(*sides), by_size);
    bits = mem_calloc(words, sizeof(*bits));
    for (size_t i = 0; i < sides[0].pairs.len && !err; i++)
        err = store_part_mark(p, sides[0].pairs.items[i], bits);
    list = mem_alloc((size_t)MIN(sides[0].series, (uint64_t)series) * sizeof(*list));
    for (size_t w = 0; w < words && !err; w++) {
        for (uint64_t left = bits[w]; left && found < sides[0].series; left &= left - 1)
            list[found++] = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(left));
    }
    for (size_t i = 1; i <= count && !err; i++)
        err = narrow(p, &sides[i], bits, words, list, &found);
out:
    for (size_t i = 0; i < resolved; i++)
        vec_free(&sides[i].pairs);
    mem_free(sides);
    mem_free(bits);
    if (err) {
        mem_free(list);
        return err;
    }
    *out = list;
    *out_count = found;
    return 0;
}
