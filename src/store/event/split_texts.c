/* What all texts of a column are like: asked before something is read out of a line's shape alone.
 * False may also mean that it is not known. */
#include "base/err.h"
#include "codec/utf8.h"
#include "store/event/split.h"

/* --- one text, or many one behind the other --- */

#define STEP 32 /* bytes at a time, without a branch in between */

/* Bytes below `low`, and these two; *high: there are some from 0x80 on. */
static bool has_bytes(struct slice s, unsigned char low, char a, char b, bool *high)
{
    size_t i = 0;
    unsigned bad = 0, all = 0;
    for (; i + STEP <= s.len && !bad; i += STEP) {
        unsigned char one = 0, seen = 0;
        for (size_t k = 0; k < STEP; k++) {
            unsigned char c = (unsigned char)s.ptr[i + k];
            one |= (unsigned char)((c < low) | (c == (unsigned char)a) | (c == (unsigned char)b));
            seen |= c;
        }
        bad |= one;
        all |= seen;
    }
    for (; i < s.len && !bad; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bad |= (unsigned)((c < low) | (c == (unsigned char)a) | (c == (unsigned char)b));
        all |= c;
    }
    *high = all & 0x80;
    return bad;
}

static size_t digits(struct slice s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && s.ptr[at + n] >= '0' && s.ptr[at + n] <= '9')
        n++;
    return n;
}

static bool is_number(struct slice s)
{
    size_t i = s.len && s.ptr[0] == '-', n = digits(s, i);
    if (!n || (n > 1 && s.ptr[i] == '0'))
        return false;
    i += n;
    if (i < s.len && s.ptr[i] == '.') {
        n = digits(s, i + 1);
        i += 1 + n;
        if (!n)
            return false;
    }
    if (i < s.len && (s.ptr[i] | 0x20) == 'e') {
        i++;
        i += i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+');
        n = digits(s, i);
        i += n;
        if (!n)
            return false;
    }
    return i == s.len;
}

static bool text_is(struct slice s, enum store_event_texts what)
{
    bool high;
    switch (what) {
    case STORE_TEXTS_JSON_STRING:
        return !has_bytes(s, 0x20, '"', '\\', &high) && (!high || codec_utf8_valid(s));
    case STORE_TEXTS_JSON_SCALAR:
    case STORE_TEXTS_JSON_VALUE:
        return is_number(s) || slice_eq_cstr(s, "true") || slice_eq_cstr(s, "false") ||
               (what == STORE_TEXTS_JSON_SCALAR && slice_eq_cstr(s, "null"));
    case STORE_TEXTS_WORD: return s.len && !has_bytes(s, '!', '"', '=', &high);
    case STORE_TEXTS_QUOTED: return !has_bytes(s, 0, '"', '\\', &high);
    default: return true;
    }
}

/* --- columns --- */

static bool style_is(const struct store_column *c, enum store_event_texts what)
{
    bool blank = store_style_is_time(c->style) && c->param & STORE_TIME_SPACE;
    switch (what) {
    case STORE_TEXTS_JSON_SCALAR:
    case STORE_TEXTS_JSON_VALUE:
        return c->style == STORE_STYLE_INT || c->style == STORE_STYLE_DECIMAL ||
               c->style == STORE_STYLE_SHORT;
    case STORE_TEXTS_WORD: return !blank || c->style == STORE_STYLE_CLF;
    default: return true;
    }
}

static bool is_scalar(enum store_event_texts what)
{
    return what == STORE_TEXTS_JSON_SCALAR || what == STORE_TEXTS_JSON_VALUE;
}

/* Pages are looked at as a whole where texts do not have to be told apart. */
static int pages_are(struct store_column *c, enum store_event_texts what, bool *out)
{
    for (size_t k = 0; k < c->page_count && *out; k++) {
        uint32_t first = c->pages[k].first, end = c->pages[k].end;
        const struct store_column_page *p = store_column_page_of(c, first);
        if (!p)
            return ERR_CORRUPT;
        if (!is_scalar(what))
            *out = !p->raw_len || text_is(slice_make(p->raw, p->raw_len), what);
        for (uint32_t i = first; i < end && *out; i++) {
            size_t at = c->offsets[i] - p->raw_at, len = c->offsets[i + 1] - c->offsets[i];
            if (is_scalar(what))
                *out = text_is(slice_make(p->raw + at, len), what);
            else if (what == STORE_TEXTS_WORD)
                *out = len > 0;
            else if (what == STORE_TEXTS_JSON_STRING) /* not within a character */
                *out = !len || ((unsigned char)p->raw[at] & 0xc0) != 0x80;
            else
                break;
        }
    }
    return 0;
}

/* Texts put together are like their pieces; but none of these are numbers. */
static int split_is(struct store_column *c, enum store_event_texts what, bool *out)
{
    const struct store_split *s = c->split;
    *out = !is_scalar(what);
    for (uint32_t t = 0; t < s->template_count && *out; t++) {
        const struct store_split_template *tpl = &s->templates[t];
        for (uint32_t k = 0; k <= tpl->slots && *out; k++) {
            if (tpl->pieces[k].len)
                *out = text_is(tpl->pieces[k], what);
            if (k == tpl->slots || !*out)
                continue;
            struct store_column *slot = store__split_slot(c, t, k);
            int err = slot ? store_column_texts_are(slot, what, out) : ERR_CORRUPT;
            if (err)
                return err;
        }
        *out &= what != STORE_TEXTS_WORD || tpl->slots || tpl->fixed;
    }
    return 0;
}

int store_column_texts_are(struct store_column *c, enum store_event_texts what, bool *out)
{
    uint8_t bit = (uint8_t)(1u << what);
    int err = 0;
    if (c->texts_known & bit) {
        *out = c->texts_are & bit;
        return 0;
    }
    *out = true;
    switch (c->form) {
    case STORE_COLUMN_DICT:
        for (uint32_t i = 0; i < c->dict_count && *out; i++)
            *out = text_is(c->dict[i].text, what);
        break;
    case STORE_COLUMN_NUMBERS:
    case STORE_COLUMN_FIXED: *out = style_is(c, what); break;
    case STORE_COLUMN_TEXT: err = pages_are(c, what, out); break;
    case STORE_COLUMN_SPLIT: err = split_is(c, what, out); break;
    default: *out = false; break;
    }
    if (!err) {
        c->texts_known |= bit;
        c->texts_are |= *out ? bit : 0;
    }
    return err;
}
