#include "text/fuzzy.h"

#include <string.h>

#include "base/mem.h"
#include "base/vec.h"
#include "codec/utf8.h"

#define NOT_EXACT 0.999 /* what is not the same never scores 1 */

typedef VEC(uint32_t) runes;

struct text_fuzzy {
    struct slice text; /* owned */
    runes pattern, other;
    VEC(bool) taken_a, taken_b; /* of Jaro-Winkler */
};

static void decode(struct slice s, runes *out)
{
    vec_clear(out);
    for (size_t i = 0; i < s.len;) {
        uint32_t code = 0xfffd;
        size_t n = codec_utf8_decode(slice_from(s, i), &code);
        vec_push(out, n ? code : 0xfffd);
        i += MAX(n, (size_t)1);
    }
}

struct text_fuzzy *text_fuzzy_new(struct slice pattern)
{
    struct text_fuzzy *f = mem_calloc(1, sizeof(*f));
    char *copy = mem_alloc(pattern.len + 1);
    memcpy(copy, pattern.len ? pattern.ptr : "", pattern.len);
    f->text = slice_make(copy, pattern.len);
    decode(f->text, &f->pattern);
    return f;
}

void text_fuzzy_free(struct text_fuzzy *f)
{
    if (!f)
        return;
    mem_free((void *)(uintptr_t)f->text.ptr);
    vec_free(&f->pattern);
    vec_free(&f->other);
    vec_free(&f->taken_a);
    vec_free(&f->taken_b);
    mem_free(f);
}

/* The score of the match that begins at `start`, taking each character where it comes first; false
 * when the text ends before the pattern. */
static bool score_from(const struct text_fuzzy *f, size_t start, double *out)
{
    const uint32_t *p = f->pattern.items, *t = f->other.items;
    size_t plen = f->pattern.len, tlen = f->other.len, at = start, k = 0, behind = 0;
    double score = 0;
    while (k < plen) {
        while (at < tlen && t[at] != p[k])
            at++;
        if (at == tlen)
            return false;
        size_t from = at;
        while (k < plen && at < tlen && t[at] == p[k]) {
            at++;
            k++;
        }
        score -= (double)(from - behind) / (double)tlen; /* the gap in front */
        score += (double)(at - from) * (double)(at - from);
        behind = at;
    }
    *out = score - (double)(tlen - behind) / (double)tlen / 2;
    return true;
}

double text_fuzzy_subsequence(struct text_fuzzy *f, struct slice text)
{
    double best = -1, score;
    if (!f->text.len || slice_starts_with(text, f->text))
        return 1;
    decode(text, &f->other);
    size_t plen = f->pattern.len, tlen = f->other.len;
    for (size_t i = 0; i + plen <= tlen; i++) {
        if (f->other.items[i] != f->pattern.items[0])
            continue;
        if (!score_from(f, i, &score)) /* nor from any later one */
            break;
        best = MAX(best, score);
    }
    return best < 0 ? 0 : best / ((double)plen * (double)plen) * NOT_EXACT;
}

double text_fuzzy_jaro_winkler(struct text_fuzzy *f, struct slice text)
{
    if (slice_eq(text, f->text))
        return 1;
    if (!text.len || !f->text.len)
        return 0;
    decode(text, &f->other);
    bool swap = f->pattern.len > f->other.len;
    const runes *a = swap ? &f->other : &f->pattern, *b = swap ? &f->pattern : &f->other;
    size_t la = a->len, lb = b->len, reach = MAX(lb / 2, (size_t)1) - 1, matches = 0, k = 0,
           same = 0;
    double transposed = 0;
    vec_clear(&f->taken_a);
    vec_clear(&f->taken_b);
    for (size_t i = 0; i < la; i++)
        vec_push(&f->taken_a, false);
    for (size_t i = 0; i < lb; i++)
        vec_push(&f->taken_b, false);
    for (size_t i = 0; i < la; i++) {
        for (size_t j = i > reach ? i - reach : 0; j < MIN(i + reach + 1, lb); j++) {
            if (f->taken_b.items[j] || a->items[i] != b->items[j])
                continue;
            f->taken_a.items[i] = f->taken_b.items[j] = true;
            matches++;
            break;
        }
    }
    if (!matches)
        return 0;
    for (size_t i = 0; i < la; i++) {
        if (!f->taken_a.items[i])
            continue;
        while (!f->taken_b.items[k])
            k++;
        transposed += a->items[i] != b->items[k++];
    }
    double m = (double)matches;
    double jaro = (m / (double)la + m / (double)lb + (m - transposed / 2) / m) / 3;
    while (same < MIN((size_t)4, la) && a->items[same] == b->items[same])
        same++;
    return jaro + (double)same * 0.1 * (1 - jaro);
}

static size_t count_runes(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

double text_fuzzy_substring(const struct text_fuzzy *f, struct slice text)
{
    ptrdiff_t at = f->text.len ? slice_find(text, f->text) : 0;
    if (at <= 0)
        return at < 0 ? 0 : 1;
    size_t before = count_runes(slice_first(text, (size_t)at));
    size_t most = count_runes(text) - count_runes(f->text);
    return most ? 1 - 0.9 * (double)before / (double)most : 1;
}
