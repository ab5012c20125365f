/* Choosing a form and writing it. */
#include <math.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "codec/compress.h"
#include "store/event/block.h"
#include "store/event/split.h"

#define PAGE_BYTES    ((size_t)128 << 10)
#define PAGE_PACK_MIN 64
#define DICT_MAX      4096
#define DICT_LEARN    512 /* values after which most must have been seen before */
#define FIXED_MAX     64

struct writer {
    const struct store_column_in *in;
    struct store_column_info *info;
    struct buf meta, pages;
};

static void put_head(struct writer *w, enum store_column_form form, enum data_value_kind kind,
                     enum store_style style, unsigned param)
{
    const struct store_column_in *in = w->in;
    w->info->form = (uint8_t)form;
    buf_append_char(&w->meta, (char)kind);
    buf_append_char(&w->meta, (char)style);
    buf_append_char(&w->meta, (char)param);
    if (in->count == in->total)
        return;
    size_t len = (in->total + 7) / 8;
    char *bits = buf_reserve(&w->meta, len);
    memset(bits, 0, len);
    for (size_t i = 0; i < in->count; i++)
        bits[in->rows[i] / 8] = (char)(bits[in->rows[i] / 8] | 1 << in->rows[i] % 8);
    w->meta.len += len;
}

/* Compressed when that is worth it. */
static uint32_t pack(struct slice raw, int level, struct buf *out)
{
    size_t begin = out->len;
    if (raw.len >= PAGE_PACK_MIN) {
        codec_compress(CODEC_ZSTD, level, raw, out);
        if (out->len - begin < raw.len)
            return (uint32_t)(out->len - begin);
        out->len = begin;
    }
    buf_append_slice(out, raw);
    return (uint32_t)raw.len;
}

/* --- dictionaries --- */

static uint64_t hash_value(struct data_value v)
{
    return data_value_has_text(v.kind) ? hash64(v.text.ptr, v.text.len, (uint64_t)v.kind)
                                       : hash_u64((uint64_t)v.i + ((uint64_t)v.kind << 60));
}

/* False when there are too many distinct values. */
static bool write_dict(struct writer *w)
{
    const struct store_column_in *in = w->in;
    size_t room = 16;
    while (room < 2 * MIN(in->count, (size_t)DICT_MAX))
        room *= 2;
    uint32_t *slots = mem_calloc(room, sizeof(*slots));
    int64_t *codes = mem_alloc(in->count * sizeof(*codes));
    VEC(const struct data_value *) entries = {0};
    bool ok = true;
    const struct data_value *last = NULL;
    for (size_t i = 0; i < in->count && ok; i++) {
        const struct data_value *v = &in->values[i];
        if (last && data_value_eq(*v, *last)) {
            codes[i] = codes[i - 1];
            continue;
        }
        last = v;
        size_t at = hash_value(*v) & (room - 1);
        while (slots[at] && !data_value_eq(*entries.items[slots[at] - 1], *v))
            at = (at + 1) & (room - 1);
        if (!slots[at]) {
            vec_push(&entries, v);
            slots[at] = (uint32_t)entries.len;
            ok = entries.len <= DICT_MAX && (i < DICT_LEARN || entries.len * 3 <= i + 1);
        }
        codes[i] = slots[at] - 1;
    }
    /* Few values: a dictionary of nearly all of them is as good as anything, unless they are long.
     */
    ok = ok && (entries.len * 2 <= in->count || entries.len < 8);
    if (ok) {
        put_head(w, STORE_COLUMN_DICT, DATA_VALUE_NULL, STORE_STYLE_NONE, 0);
        codec_append_varint(&w->meta, entries.len);
        for (size_t i = 0; i < entries.len; i++)
            store_value_encode(0, *entries.items[i], &w->meta);
        if (entries.len > 1)
            codec_ints_encode(codes, in->count, &w->meta);
    }
    vec_free(&entries);
    mem_free(slots);
    mem_free(codes);
    return ok;
}

/* --- numbers --- */

static void zone(struct writer *w, double lo, double hi)
{
    /* Integers beyond 2^53 were rounded. */
    w->info->has_zone = lo <= hi;
    w->info->zone_min = fabs(lo) > 9e15 ? nextafter(lo, -INFINITY) : lo;
    w->info->zone_max = fabs(hi) > 9e15 ? nextafter(hi, INFINITY) : hi;
}

/* As they are, or by how much they are off the row's time, whatever is smaller: then the head's
 * parameter says so. */
static void encode_times(struct writer *w, const int64_t *v, enum store_style style, unsigned param)
{
    const struct store_column_in *in = w->in;
    int64_t unit = store_style_time_unit(style, param);
    int64_t *off = mem_alloc(in->count * sizeof(*off));
    struct buf relative = {0};
    size_t begin = w->meta.len;
    for (size_t i = 0; i < in->count; i++)
        off[i] = store_floor_div(v[i], unit) - store_floor_div(in->times[in->rows[i]], unit);
    codec_ints_encode(off, in->count, &relative);
    codec_ints_encode(v, in->count, &w->meta);
    if (relative.len < w->meta.len - begin) {
        w->meta.len = begin;
        w->meta.ptr[2] = (char)(param | STORE_PARAM_RELATIVE);
        buf_append_slice(&w->meta, buf_slice(&relative));
    }
    buf_deinit(&relative);
    mem_free(off);
}

static void write_ints(struct writer *w, const int64_t *v, enum data_value_kind kind,
                       enum store_style style, unsigned param)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < w->in->count; i++) {
        lo = MIN(lo, v[i]);
        hi = MAX(hi, v[i]);
    }
    put_head(w, STORE_COLUMN_NUMBERS, kind, style, param);
    if (store_style_is_time(style) && w->in->place && w->in->times)
        encode_times(w, v, style, param);
    else
        codec_ints_encode(v, w->in->count, &w->meta);
    if (style == STORE_STYLE_NONE || style == STORE_STYLE_INT || style == STORE_STYLE_PADDED)
        zone(w, (double)lo, (double)hi);
    else if (style == STORE_STYLE_DECIMAL || style == STORE_STYLE_SHORT)
        zone(w, nextafter((double)lo / pow(10, param), -INFINITY),
             nextafter((double)hi / pow(10, param), INFINITY));
}

static void write_int_values(struct writer *w)
{
    int64_t *v = mem_alloc(w->in->count * sizeof(*v));
    for (size_t i = 0; i < w->in->count; i++)
        v[i] = w->in->values[i].i;
    write_ints(w, v, DATA_VALUE_INT, STORE_STYLE_NONE, 0);
    mem_free(v);
}

static void write_doubles(struct writer *w)
{
    double *v = mem_alloc(w->in->count * sizeof(*v)), lo = INFINITY, hi = -INFINITY;
    bool nan = false;
    for (size_t i = 0; i < w->in->count; i++) {
        v[i] = w->in->values[i].d;
        nan |= isnan(v[i]);
        lo = MIN(lo, v[i]);
        hi = MAX(hi, v[i]);
    }
    put_head(w, STORE_COLUMN_DOUBLES, DATA_VALUE_DOUBLE, STORE_STYLE_NONE, 0);
    codec_doubles_encode(v, w->in->count, &w->meta);
    if (!nan)
        zone(w, lo, hi);
    mem_free(v);
}

/* --- byte strings of one length --- */

/* Runs of equal ones are kept once, when there are enough. */
static void write_fixed(struct writer *w, const char *bytes, size_t width,
                        enum data_value_kind kind, enum store_style style)
{
    size_t count = w->in->count, runs = 0;
    for (size_t i = 0; i < count; i++)
        runs += !i || memcmp(bytes + i * width, bytes + (i - 1) * width, width) != 0;
    bool by_run = runs * 10 < count * 9;
    put_head(w, STORE_COLUMN_FIXED, kind, style, 0);
    codec_append_varint(&w->meta, width);
    codec_append_varint(&w->meta, by_run ? runs : 0);
    if (by_run) {
        int64_t *len = mem_calloc(runs, sizeof(*len));
        size_t run = 0;
        for (size_t i = 0; i < count; i++) {
            if (i && memcmp(bytes + i * width, bytes + (i - 1) * width, width) != 0)
                run++;
            if (!len[run]++)
                buf_append(&w->pages, bytes + i * width, width);
        }
        codec_ints_encode(len, runs, &w->meta);
        mem_free(len);
    } else {
        buf_append(&w->pages, bytes, count * width);
    }
    codec_append64(&w->meta, hash64(w->pages.ptr, w->pages.len, 0));
}

static bool write_fixed_bytes(struct writer *w)
{
    const struct store_column_in *in = w->in;
    size_t width = in->values[0].text.len;
    if (!width || width > FIXED_MAX)
        return false;
    for (size_t i = 1; i < in->count; i++) {
        if (in->values[i].text.len != width)
            return false;
    }
    struct buf bytes = {0};
    buf_reserve(&bytes, in->count * width);
    for (size_t i = 0; i < in->count; i++)
        buf_append_slice(&bytes, in->values[i].text);
    write_fixed(w, bytes.ptr, width, DATA_VALUE_BYTES, STORE_STYLE_NONE);
    buf_deinit(&bytes);
    return true;
}

/* Parents of depth-first rows come before their children: most are a few rows back. */
static bool write_parents(struct writer *w)
{
    const struct store_column_in *in = w->in;
    enum { BACK_MAX = 255 };
    int64_t *back = mem_alloc(in->count * sizeof(*back));
    struct buf literal = {0};
    for (size_t i = 0; i < in->count; i++) {
        struct slice id = in->values[i].text;
        uint32_t row = in->rows[i], k = 1;
        if (id.len != 8) {
            mem_free(back);
            buf_deinit(&literal);
            return false;
        }
        while (k <= row && k <= BACK_MAX &&
               memcmp(in->span_ids + (size_t)(row - k) * 8, id.ptr, 8) != 0)
            k++;
        back[i] = k <= row && k <= BACK_MAX ? k : 0;
        if (!back[i])
            buf_append_slice(&literal, id);
    }
    put_head(w, STORE_COLUMN_PARENT, DATA_VALUE_BYTES, STORE_STYLE_NONE, 0);
    codec_ints_encode(back, in->count, &w->meta);
    codec_append_varint(&w->meta, literal.len / 8);
    buf_append_slice(&w->meta, buf_slice(&literal));
    mem_free(back);
    buf_deinit(&literal);
    return true;
}

/* --- texts --- */

static bool try_ints(struct writer *w, enum store_style style, unsigned param)
{
    const struct store_column_in *in = w->in;
    int64_t *v = mem_alloc(in->count * sizeof(*v));
    bool ok = true;
    for (size_t i = 0; i < in->count && ok; i++)
        ok = store_style_parse(style, param, in->values[i].text, &v[i]);
    if (ok)
        write_ints(w, v, DATA_VALUE_STRING, style, param);
    mem_free(v);
    return ok;
}

static bool try_bytes(struct writer *w, enum store_style style)
{
    const struct store_column_in *in = w->in;
    struct buf bytes = {0};
    size_t len = in->values[0].text.len;
    bool ok = true;
    for (size_t i = 0; i < in->count && ok; i++)
        ok = in->values[i].text.len == len &&
             store_style_parse_bytes(style, in->values[i].text, &bytes);
    if (ok)
        write_fixed(w, bytes.ptr, bytes.len / in->count, DATA_VALUE_STRING, style);
    buf_deinit(&bytes);
    return ok;
}

/* What the first value looks like may be less than what all have in common: "12" before "1.5", or
 * before "07". */
static bool try_looser(struct writer *w)
{
    const struct store_column_in *in = w->in;
    size_t decimals = 0, len = in->values[0].text.len;
    bool one_length = true;
    for (size_t i = 0; i < in->count; i++) {
        struct slice t = in->values[i].text;
        ptrdiff_t point = t.len <= 20 ? slice_find_char(t, '.') : 20;
        decimals = MAX(decimals, point < 0 ? 0 : t.len - MIN((size_t)point, t.len) - 1);
        one_length = one_length && t.len == len;
    }
    if (one_length && len <= 18 && try_ints(w, STORE_STYLE_PADDED, (unsigned)len))
        return true;
    return decimals && decimals <= 15 && try_ints(w, STORE_STYLE_SHORT, (unsigned)decimals);
}

static bool write_styled(struct writer *w)
{
    unsigned param;
    enum store_style style = store_style_guess(w->in->values[0].text, &param);
    if (style == STORE_STYLE_NONE)
        return false;
    if (store_style_is_bytes(style))
        return try_bytes(w, style);
    return try_ints(w, style, param) ||
           ((style == STORE_STYLE_INT || style == STORE_STYLE_DECIMAL) && try_looser(w));
}

/* Times of lines are best off the rows' times, few as they may be. */
static bool write_row_times(struct writer *w)
{
    unsigned param;
    return w->in->times && store_style_is_time(store_style_guess(w->in->values[0].text, &param)) &&
           write_styled(w);
}

static bool write_split(struct writer *w)
{
    size_t begin = w->meta.len, pages = w->pages.len;
    if (!w->in->split)
        return false;
    put_head(w, STORE_COLUMN_SPLIT, DATA_VALUE_STRING, STORE_STYLE_NONE, 0);
    if (store_split_encode(w->in, &w->meta, &w->pages))
        return true;
    w->meta.len = begin;
    w->pages.len = pages;
    return false;
}

/* Values go into pages by themselves; what `text_of` gives for each is its text. */
static void write_pages(struct writer *w, struct slice (*text_of)(const struct data_value *v))
{
    const struct store_column_in *in = w->in;
    int64_t *lengths = mem_alloc(in->count * sizeof(*lengths));
    struct buf raw = {0}, table = {0};
    size_t pages = 0, first = 0;
    for (size_t i = 0; i <= in->count; i++) {
        struct slice t = i < in->count ? text_of(&in->values[i]) : (struct slice){NULL, 0};
        if (i > first && (i == in->count || raw.len + t.len > PAGE_BYTES)) {
            size_t begin = w->pages.len;
            uint32_t stored = pack(buf_slice(&raw), in->level, &w->pages);
            codec_append_varint(&table, i - first);
            codec_append_varint(&table, raw.len);
            codec_append_varint(&table, stored);
            codec_append64(&table, hash64(w->pages.ptr + begin, stored, 0));
            pages++;
            first = i;
            buf_clear(&raw);
        }
        if (i < in->count) {
            lengths[i] = (int64_t)t.len;
            buf_append_slice(&raw, t);
        }
    }
    codec_ints_encode(lengths, in->count, &w->meta);
    codec_append_varint(&w->meta, pages);
    buf_append_slice(&w->meta, buf_slice(&table));
    mem_free(lengths);
    buf_deinit(&raw);
    buf_deinit(&table);
}

static struct slice plain_text(const struct data_value *v)
{
    return v->text;
}

static struct slice mixed_text(const struct data_value *v)
{
    return data_value_has_text(v->kind) ? v->text : slice_make(&v->i, 8);
}

static void write_mixed(struct writer *w)
{
    put_head(w, STORE_COLUMN_MIXED, DATA_VALUE_NULL, STORE_STYLE_NONE, 0);
    for (size_t i = 0; i < w->in->count; i++)
        buf_append_char(&w->meta, (char)w->in->values[i].kind);
    write_pages(w, mixed_text);
}

static void write_form(struct writer *w)
{
    const struct store_column_in *in = w->in;
    enum data_value_kind kind = in->values[0].kind;
    bool one_kind = w->info->kinds == 1u << kind;
    if (one_kind && kind == DATA_VALUE_INT) {
        write_int_values(w);
        return;
    }
    if (one_kind && kind == DATA_VALUE_DOUBLE) {
        write_doubles(w);
        return;
    }
    if (in->span_ids && write_parents(w))
        return;
    if (one_kind && kind == DATA_VALUE_BYTES && write_fixed_bytes(w))
        return;
    if (one_kind && kind == DATA_VALUE_STRING && write_row_times(w))
        return;
    if (write_dict(w))
        return;
    if (!one_kind) {
        write_mixed(w);
        return;
    }
    if (kind == DATA_VALUE_STRING && (write_styled(w) || write_split(w)))
        return;
    put_head(w, STORE_COLUMN_TEXT, kind, STORE_STYLE_NONE, 0);
    write_pages(w, plain_text);
}

void store_column_encode(const struct store_column_in *in, struct buf *out,
                         struct store_column_info *info)
{
    base_assert(in->count && in->total <= STORE_GROUP_ROWS_MAX);
    struct writer w = {.in = in, .info = info};
    *info = (struct store_column_info){.present = (uint32_t)in->count};
    for (size_t i = 0; i < in->count; i++)
        info->kinds |= (uint8_t)(1u << in->values[i].kind);
    write_form(&w);
    size_t begin = out->len;
    info->meta_raw = (uint32_t)w.meta.len;
    info->meta_len = pack(buf_slice(&w.meta), in->level, out);
    info->style = (uint8_t)w.meta.ptr[1];
    info->packed = info->meta_len != info->meta_raw;
    info->meta_sum = hash64(out->ptr + begin, info->meta_len, 0);
    info->pages_len = w.pages.len;
    buf_append_slice(out, buf_slice(&w.pages));
    buf_deinit(&w.meta);
    buf_deinit(&w.pages);
}

void store_column_info_put(const struct store_column_info *c, struct buf *out)
{
    buf_append_char(out, (char)c->form);
    buf_append_char(out, (char)c->kinds);
    buf_append_char(out, (char)((c->packed ? 1 : 0) | (c->has_zone ? 2 : 0) | c->style << 4));
    codec_append_varint(out, c->present);
    codec_append_varint(out, c->meta_len);
    codec_append_varint(out, c->meta_raw);
    codec_append64(out, c->meta_sum);
    codec_append_varint(out, c->pages_len);
    if (c->has_zone) {
        codec_append64(out, codec_double_bits(c->zone_min));
        codec_append64(out, codec_double_bits(c->zone_max));
    }
}
