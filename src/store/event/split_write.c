/* Finding the shapes of lines, and writing what is in their places. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "codec/compress.h"
#include "store/event/split.h"

#define COUNT_MIN      256 /* lines; below, text is as good */
#define BYTES_MIN      ((size_t)16 << 10)
#define ROWS_MIN       48   /* of a template that is worth columns of its own */
#define FOUND_MAX      4096 /* templates on the way */
#define LEARN          2048 /* lines after which most must be of shapes seen before */
#define SAMPLE         ((size_t)128 << 10)
#define UNIT_CHARS_MAX 3

/* --- one line --- */

enum { WORD = 1, DIGIT = 2, ALPHA = 4 };

static unsigned class_of(unsigned char c)
{
    static const char others[] = "_/-.@#~%\\$";
    if (c >= '0' && c <= '9')
        return WORD | DIGIT;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return WORD | ALPHA;
    return c >= 0x80 || (c && strchr(others, c)) ? WORD : 0;
}

struct cutter {
    uint8_t classes[256];
    struct slice line;
    struct buf shape; /* the line with a NUL for each place */
    struct slice places[STORE_SPLIT_SLOTS_MAX];
    uint32_t count;
};

static bool digits_at(const struct cutter *k, size_t at, size_t n)
{
    if (at + n > k->line.len)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!(k->classes[(unsigned char)k->line.ptr[at + i]] & DIGIT))
            return false;
    }
    return true;
}

static bool no_digit_at(const struct cutter *k, size_t at)
{
    return at >= k->line.len || !(k->classes[(unsigned char)k->line.ptr[at]] & DIGIT);
}

/* A separator inside of a time: 10:11, the blank of 2024-01-02 03:04, the comma of 03:04:05,678. */
static bool goes_on(const struct cutter *k, size_t begin, size_t at)
{
    const char *p = k->line.ptr;
    if (p[at] == ':')
        return at >= begin + 2 && digits_at(k, at - 2, 2) && digits_at(k, at + 1, 2) &&
               no_digit_at(k, at + 3);
    if (p[at] == ' ')
        return at == begin + 10 && p[begin + 4] == '-' && p[begin + 7] == '-' &&
               digits_at(k, begin, 4) && digits_at(k, at + 1, 2) && at + 3 < k->line.len &&
               p[at + 3] == ':';
    return p[at] == ',' && at >= begin + 8 && p[at - 3] == ':' && p[at - 6] == ':' &&
           digits_at(k, at - 2, 2) && digits_at(k, at + 1, 3) && no_digit_at(k, at + 4);
}

/* "12ms": digits and a unit that is none of a hexadecimal number. Returns the unit's length. */
static size_t unit_of(const struct cutter *k, size_t begin, size_t end)
{
    static const char *const units[] = {"ms", "s",  "us", "ns", "m",   "h",  "KB",
                                        "kB", "MB", "GB", "B",  "KiB", "MiB"};
    size_t n = end;
    while (n > begin && end - n <= UNIT_CHARS_MAX &&
           k->classes[(unsigned char)k->line.ptr[n - 1]] & ALPHA)
        n--;
    if (n == end || n == begin || !digits_at(k, n - 1, 1))
        return 0;
    for (size_t i = begin; i < n; i++) {
        if (!digits_at(k, i, 1) && k->line.ptr[i] != '.' && k->line.ptr[i] != '-')
            return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_eq_cstr(slice_make(k->line.ptr + n, end - n), units[i]))
            return end - n;
    }
    return 0;
}

/* The quote that ends a value which begins at `at`; SIZE_MAX: none. */
static size_t closing_quote(struct slice line, size_t at)
{
    while (at < line.len) {
        const char *q = memchr(line.ptr + at, '"', line.len - at);
        if (!q)
            return SIZE_MAX;
        size_t end = (size_t)(q - line.ptr), slashes = 0;
        while (end - slashes > at && line.ptr[end - slashes - 1] == '\\')
            slashes++;
        if (!(slashes & 1))
            return end;
        at = end + 1;
    }
    return SIZE_MAX;
}

static void put_place(struct cutter *k, size_t begin, size_t end)
{
    buf_append_char(&k->shape, '\0');
    k->places[k->count++] = slice_make(k->line.ptr + begin, end - begin);
}

/* A word from `at` on; returns where it ends. */
static size_t cut_word(struct cutter *k, size_t at)
{
    const char *p = k->line.ptr;
    size_t begin = at, len = k->line.len;
    unsigned seen = 0;
    bool slash = false;
    for (; at < len; at++) {
        unsigned c = k->classes[(unsigned char)p[at]];
        if (!(c & WORD) &&
            !((p[at] == ':' || p[at] == ' ' || p[at] == ',') && goes_on(k, begin, at)))
            break;
        seen |= c;
        slash |= p[at] == '/';
    }
    while (at > begin + 1 && p[at - 1] == '.')
        at--;
    bool value =
        begin &&
        (p[begin - 1] == '=' || (p[begin - 1] == ':' && begin > 1 && p[begin - 2] == '"') ||
         (p[begin - 1] == ' ' && begin > 2 && p[begin - 2] == ':' && p[begin - 3] == '"'));
    if (!(seen & DIGIT) && !slash && !value) {
        buf_append(&k->shape, p + begin, at - begin);
        return at;
    }
    if (k->count == STORE_SPLIT_SLOTS_MAX - 1) {
        put_place(k, begin, len);
        return len;
    }
    size_t unit = unit_of(k, begin, at);
    put_place(k, begin, at - unit);
    buf_append(&k->shape, p + at - unit, unit);
    return at;
}

/* False: the line has no shape that could be written down. */
static bool cut(struct cutter *k, struct slice line)
{
    const char *p = line.ptr;
    k->line = line;
    k->count = 0;
    buf_clear(&k->shape);
    if (memchr(p, '\0', line.len))
        return false;
    for (size_t i = 0; i < line.len;) {
        char c = p[i];
        if (k->classes[(unsigned char)c] & WORD) {
            i = cut_word(k, i);
            continue;
        }
        buf_append_char(&k->shape, c);
        i++;
        if (c != '"' || i < 2 || k->count == STORE_SPLIT_SLOTS_MAX - 1)
            continue;
        char before = p[i - 2];
        if (before == ':' || before == '=' || (before == ' ' && i > 2 && p[i - 3] == ':')) {
            size_t end = closing_quote(line, i);
            if (end == SIZE_MAX)
                continue;
            put_place(k, i, end);
            buf_append_char(&k->shape, '"');
            i = end + 1;
        }
    }
    return true;
}

/* --- all lines --- */

struct shape {
    struct slice text; /* in the splitter's arena */
    uint32_t places;
    uint32_t number; /* as template, when it becomes one */
    VEC(uint32_t) lines;
    VEC(struct slice) values; /* places of each line */
};

struct splitter {
    const struct store_column_in *in;
    struct cutter cutter;
    struct arena *arena;
    VEC(struct shape) shapes; /* the first: lines that have none */
    uint32_t *table;          /* shape + 1 by text */
    size_t bytes, odd_bytes;  /* of all lines, of those without shape */
};

static struct shape *shape_of(struct splitter *s)
{
    struct slice text = buf_slice(&s->cutter.shape);
    size_t mask = 2 * FOUND_MAX - 1, at = hash64(text.ptr, text.len, 0) & mask;
    while (s->table[at] && !slice_eq(s->shapes.items[s->table[at] - 1].text, text))
        at = (at + 1) & mask;
    if (!s->table[at]) {
        if (s->shapes.len > FOUND_MAX)
            return NULL;
        vec_push(&s->shapes,
                 ((struct shape){.text = arena_slice(s->arena, text), .places = s->cutter.count}));
        s->table[at] = (uint32_t)s->shapes.len;
    }
    return &s->shapes.items[s->table[at] - 1];
}

/* False: lines are all different. */
static bool find_shapes(struct splitter *s)
{
    const struct store_column_in *in = s->in;
    for (uint32_t i = 0; i < in->count; i++) {
        struct slice line = in->values[i].text;
        struct shape *t = cut(&s->cutter, line) ? shape_of(s) : NULL;
        s->bytes += line.len;
        if (!t) {
            s->odd_bytes += line.len;
            t = &s->shapes.items[0];
            vec_push(&t->values, line);
        } else if (t->places) {
            vec_reserve(&t->values, t->places);
            memcpy(t->values.items + t->values.len, s->cutter.places,
                   t->places * sizeof(*s->cutter.places));
            t->values.len += t->places;
        }
        vec_push(&t->lines, i);
        if (i == LEARN && s->shapes.len > LEARN / 3)
            return false;
    }
    return s->bytes >= BYTES_MIN;
}

static int by_number(const void *a, const void *b)
{
    return (*(const uint32_t *)a > *(const uint32_t *)b) -
           (*(const uint32_t *)a < *(const uint32_t *)b);
}

/* Shapes that few lines have go to those that have none. False when that is most of the text. */
static bool choose(struct splitter *s)
{
    struct shape *odd = &s->shapes.items[0];
    uint32_t templates = 0;
    for (size_t i = 1; i < s->shapes.len; i++) {
        struct shape *t = &s->shapes.items[i];
        if (t->lines.len >= ROWS_MIN && templates < STORE_SPLIT_TEMPLATES_MAX - 1) {
            t->number = templates++;
            continue;
        }
        for (size_t k = 0; k < t->lines.len; k++) {
            vec_push(&odd->lines, t->lines.items[k]);
            s->odd_bytes += s->in->values[t->lines.items[k]].text.len;
        }
        vec_clear(&t->lines);
    }
    if (odd->lines.len) {
        qsort(odd->lines.items, odd->lines.len, sizeof(*odd->lines.items), by_number);
        vec_clear(&odd->values);
        for (size_t k = 0; k < odd->lines.len; k++)
            vec_push(&odd->values, s->in->values[odd->lines.items[k]].text);
        odd->number = templates++;
    }
    return s->odd_bytes * 2 < s->bytes;
}

/* --- writing --- */

/* The pieces between places. */
static void put_template(const struct shape *t, struct buf *out)
{
    struct slice rest = t->text;
    codec_append_varint(out, t->places + 1);
    for (uint32_t i = 0; i <= t->places; i++) {
        ptrdiff_t end = i < t->places ? slice_find_char(rest, '\0') : (ptrdiff_t)rest.len;
        codec_append_varint(out, (uint64_t)end);
        buf_append(out, rest.ptr, (size_t)end);
        rest = slice_from(rest, MIN((size_t)end + 1, rest.len));
    }
}

static void put_codes(const struct splitter *s, struct buf *out)
{
    int64_t *codes = mem_alloc(s->in->count * sizeof(*codes));
    for (size_t i = 0; i < s->shapes.len; i++) {
        const struct shape *t = &s->shapes.items[i];
        for (size_t k = 0; k < t->lines.len; k++)
            codes[t->lines.items[k]] = t->number;
    }
    codec_ints_encode(codes, s->in->count, out);
    mem_free(codes);
}

static void put_places(const struct splitter *s, const struct shape *t, struct buf *meta,
                       struct buf *pages)
{
    size_t count = t->lines.len;
    uint32_t *rows = mem_alloc(count * sizeof(*rows));
    int64_t *times = s->in->times ? mem_alloc(count * sizeof(*times)) : NULL;
    struct data_value *values = mem_alloc(count * sizeof(*values));
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = i;
        if (times)
            times[i] = s->in->times[s->in->rows[t->lines.items[i]]];
    }
    for (uint32_t place = 0; place < t->places; place++) {
        for (size_t i = 0; i < count; i++)
            values[i] = data_value_string(t->values.items[i * t->places + place]);
        struct store_column_in in = {.total = (uint32_t)count,
                                     .count = count,
                                     .rows = rows,
                                     .values = values,
                                     .level = s->in->level,
                                     .split = t == s->shapes.items ? 0 : s->in->split - 1,
                                     .times = times,
                                     .place = true};
        struct store_column_info info;
        store_column_encode(&in, pages, &info);
        store_column_info_put(&info, meta);
    }
    mem_free(rows);
    mem_free(times);
    mem_free(values);
}

/* What the lines would take as text, about: two stretches out of them. */
static size_t text_estimate(const struct splitter *s)
{
    const struct store_column_in *in = s->in;
    struct buf raw = {0}, packed = {0};
    size_t taken = 0, stored = 0;
    for (int part = 1; part <= 2; part++) {
        buf_clear(&raw);
        buf_clear(&packed);
        for (size_t i = in->count / 3 * (size_t)part; i < in->count && raw.len < SAMPLE; i++)
            buf_append_slice(&raw, in->values[i].text);
        codec_compress(CODEC_ZSTD, in->level, buf_slice(&raw), &packed);
        taken += raw.len;
        stored += packed.len;
    }
    buf_deinit(&raw);
    buf_deinit(&packed);
    return taken ? (size_t)((double)stored / (double)taken * (double)s->bytes) : 0;
}

static bool write_split(struct splitter *s, struct buf *meta, struct buf *pages)
{
    size_t templates = 0, begin = meta->len, pages_begin = pages->len;
    /* Numbers were given in this order, but for the first. */
    VEC(const struct shape *) chosen = {0};
    for (size_t i = 1; i <= s->shapes.len; i++) {
        const struct shape *t = &s->shapes.items[i % s->shapes.len];
        if (t->lines.len)
            vec_push(&chosen, t);
    }
    templates = chosen.len;
    codec_append_varint(meta, s->bytes);
    codec_append_varint(meta, templates);
    for (size_t i = 0; i < templates; i++)
        put_template(chosen.items[i], meta);
    if (templates > 1)
        put_codes(s, meta);
    for (size_t i = 0; i < templates; i++)
        put_places(s, chosen.items[i], meta, pages);
    vec_free(&chosen);
    /* Meta is packed later; it is small, or full of templates that pack well. */
    size_t size = (meta->len - begin) / 2 + pages->len - pages_begin;
    return size * 10 <= text_estimate(s) * 9;
}

bool store_split_encode(const struct store_column_in *in, struct buf *meta, struct buf *pages)
{
    struct splitter s = {.in = in};
    if (in->count < COUNT_MIN)
        return false;
    for (unsigned c = 0; c < 256; c++)
        s.cutter.classes[c] = (uint8_t)class_of((unsigned char)c);
    s.arena = arena_new(0, NULL);
    s.table = mem_calloc(2 * FOUND_MAX, sizeof(*s.table));
    vec_push(&s.shapes, ((struct shape){.text = slice_make("", 1), .places = 1}));
    bool ok = find_shapes(&s) && choose(&s) && write_split(&s, meta, pages);
    for (size_t i = 0; i < s.shapes.len; i++) {
        vec_free(&s.shapes.items[i].lines);
        vec_free(&s.shapes.items[i].values);
    }
    vec_free(&s.shapes);
    mem_free(s.table);
    arena_free(s.arena);
    buf_deinit(&s.cutter.shape);
    return ok;
}
