/* Reading columns: nothing is trusted. */
#include "base/err.h"
#include "base/mem.h"
#include "base/types.h"
#include "codec/bytes.h"
#include "codec/compress.h"
#include "store/event/block.h"
#include "store/event/split.h"
#include "store/event/sum.h"

#ifdef PHAROS_FUZZ
#define RAW_MAX ((uint64_t)1 << 22)
#else
#define RAW_MAX ((uint64_t)1 << 30)
#endif

static bool take_presence(struct store_column *c, struct slice *in)
{
    if (c->present == c->total)
        return true;
    size_t len = (c->total + 7) / 8;
    if (in->len < len)
        return false;
    c->index = mem_alloc(c->total * sizeof(*c->index));
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->total; i++)
        c->index[i] = in->ptr[i / 8] >> i % 8 & 1 ? n++ : UINT32_MAX;
    *in = slice_from(*in, len);
    return n == c->present;
}

static int64_t *take_ints(struct slice *in, size_t count)
{
    int64_t *v = mem_alloc(count * sizeof(*v));
    if (!codec_ints_decode(in, v, count))
        return v;
    mem_free(v);
    return NULL;
}

static bool take_dict(struct store_column *c, struct slice *in)
{
    uint64_t n, field;
    if (!codec_take_varint(in, &n) || !n || n > in->len)
        return false;
    c->dict = mem_calloc(n, sizeof(*c->dict));
    c->dict_count = (uint32_t)n;
    for (uint64_t i = 0; i < n; i++) {
        if (!store_value_decode(in, &field, &c->dict[i]))
            return false;
    }
    if (n == 1)
        return true;
    c->ints = take_ints(in, c->present);
    for (uint32_t i = 0; c->ints && i < c->present; i++) {
        if (c->ints[i] < 0 || c->ints[i] >= (int64_t)n)
            return false;
    }
    return c->ints != NULL;
}

static bool take_fixed(struct store_column *c, struct slice *in)
{
    uint64_t width, runs;
    if (!codec_take_varint(in, &width) || !width || width > 64 || !codec_take_varint(in, &runs) ||
        runs > c->present)
        return false;
    c->width = (uint32_t)width;
    c->fixed = c->stored.ptr;
    if (runs) {
        int64_t *len = take_ints(in, runs);
        if (!len)
            return false;
        c->run_of = mem_alloc(c->present * sizeof(*c->run_of));
        uint32_t at = 0;
        bool ok = true;
        for (uint64_t r = 0; r < runs && ok; r++) {
            ok = len[r] > 0 && len[r] <= (int64_t)(c->present - at);
            for (int64_t k = 0; ok && k < len[r]; k++)
                c->run_of[at++] = (uint32_t)r;
        }
        mem_free(len);
        if (!ok || at != c->present)
            return false;
    }
    return in->len >= 8 && c->stored.len == width * (runs ? runs : c->present) &&
           store_sum_matches(c->stored.ptr, c->stored.len, 0, codec_load64(in->ptr));
}

/* Distances, and the ids of those that have none. */
static bool take_parents(struct store_column *c, struct slice *in)
{
    uint64_t literals;
    if (!c->spans || c->spans->form != STORE_COLUMN_FIXED || c->spans->width != 8)
        return false;
    c->ints = take_ints(in, c->present);
    if (!c->ints || !codec_take_varint(in, &literals) || in->len / 8 < literals)
        return false;
    c->fixed = in->ptr;
    c->run_of = mem_alloc(c->present * sizeof(*c->run_of)); /* value -> which literal */
    uint32_t n = 0, value = 0;
    for (uint32_t row = 0; row < c->total; row++) {
        if (store_column_index(c, row) == UINT32_MAX)
            continue;
        int64_t back = c->ints[value];
        if (back < 0 || back > row ||
            (back && store_column_index(c->spans, row - (uint32_t)back) == UINT32_MAX))
            return false;
        c->run_of[value++] = back ? 0 : n++;
    }
    return n <= literals;
}

static bool take_pages(struct store_column *c, struct slice *in)
{
    uint64_t count, values, raw_len, stored_len, raw_at = 0, stored_at = 0;
    int64_t *lengths = take_ints(in, c->present);
    if (!lengths)
        return false;
    c->offsets = mem_alloc(((size_t)c->present + 1) * sizeof(*c->offsets));
    bool ok = true;
    c->offsets[0] = 0;
    for (uint32_t i = 0; i < c->present; i++) {
        ok &= lengths[i] >= 0 && (uint64_t)lengths[i] <= RAW_MAX;
        c->offsets[i + 1] = c->offsets[i] + (ok ? (uint64_t)lengths[i] : 0);
    }
    mem_free(lengths);
    if (!ok || !codec_take_varint(in, &count) || count > c->present)
        return false;
    c->pages = mem_calloc(count, sizeof(*c->pages));
    uint32_t first = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct store_column_page *p = &c->pages[c->page_count++];
        if (!codec_take_varint(in, &values) || !values || values > c->present - first ||
            !codec_take_varint(in, &raw_len) || raw_len > RAW_MAX ||
            !codec_take_varint(in, &stored_len) || stored_len > c->stored.len - stored_at ||
            in->len < 8)
            return false;
        *p = (struct store_column_page){.first = first,
                                        .end = first + (uint32_t)values,
                                        .raw_at = raw_at,
                                        .stored_at = stored_at,
                                        .raw_len = (uint32_t)raw_len,
                                        .stored_len = (uint32_t)stored_len,
                                        .sum = codec_load64(in->ptr)};
        *in = slice_from(*in, 8);
        first = p->end;
        raw_at += raw_len;
        stored_at += stored_len;
        if (c->offsets[p->end] != raw_at)
            return false;
    }
    return first == c->present;
}

static bool take_mixed(struct store_column *c, struct slice *in)
{
    if (in->len < c->present)
        return false;
    c->kinds = mem_dup(in->ptr, c->present);
    *in = slice_from(*in, c->present);
    if (!take_pages(c, in))
        return false;
    for (uint32_t i = 0; i < c->present; i++) {
        if (c->kinds[i] >= DATA_VALUE_KIND_COUNT ||
            (!data_value_has_text((enum data_value_kind)c->kinds[i]) &&
             c->offsets[i + 1] - c->offsets[i] != 8))
            return false;
    }
    return true;
}

static bool take_numbers(struct store_column *c, struct slice *in)
{
    c->ints = take_ints(in, c->present);
    if (!c->ints || store_style_is_bytes(c->style) ||
        c->kind != (c->style ? DATA_VALUE_STRING : DATA_VALUE_INT))
        return false;
    if (!store_style_is_time(c->style) || !(c->param & STORE_PARAM_RELATIVE))
        return true;
    c->param &= ~(unsigned)STORE_PARAM_RELATIVE;
    int64_t unit = store_style_time_unit(c->style, c->param);
    for (uint32_t row = 0, i = 0; row < c->total && c->times; row++) {
        if (store_column_index(c, row) == UINT32_MAX)
            continue;
        c->ints[i] = (c->ints[i] + store_floor_div(c->times[row], unit)) * unit;
        i++;
    }
    return c->times != NULL;
}

static bool take_form(struct store_column *c, struct slice in)
{
    if (in.len < 3 || (unsigned char)in.ptr[0] >= DATA_VALUE_KIND_COUNT ||
        (unsigned char)in.ptr[1] >= STORE_STYLE_COUNT)
        return false;
    c->kind = (enum data_value_kind)in.ptr[0];
    c->style = (enum store_style)in.ptr[1];
    c->param = (unsigned char)in.ptr[2];
    in = slice_from(in, 3);
    if (!take_presence(c, &in))
        return false;
    switch (c->form) {
    case STORE_COLUMN_DICT: return take_dict(c, &in);
    case STORE_COLUMN_NUMBERS: return take_numbers(c, &in);
    case STORE_COLUMN_DOUBLES:
        c->doubles = mem_alloc(c->present * sizeof(*c->doubles));
        return c->kind == DATA_VALUE_DOUBLE && !codec_doubles_decode(&in, c->doubles, c->present);
    case STORE_COLUMN_FIXED:
        return take_fixed(c, &in) &&
               (c->style == STORE_STYLE_NONE
                    ? c->kind == DATA_VALUE_BYTES
                    : c->kind == DATA_VALUE_STRING && store_style_is_bytes(c->style) &&
                          (c->style != STORE_STYLE_UUID || c->width == 16));
    case STORE_COLUMN_TEXT: return data_value_has_text(c->kind) && take_pages(c, &in);
    case STORE_COLUMN_MIXED: return take_mixed(c, &in);
    case STORE_COLUMN_PARENT: return c->kind == DATA_VALUE_BYTES && take_parents(c, &in);
    case STORE_COLUMN_SPLIT: return c->kind == DATA_VALUE_STRING && store_split_take(c, &in);
    }
    return false;
}

int store_column_decode(const struct store_column_info *info, uint32_t total, struct slice meta,
                        struct slice pages, const struct store_column_context *context,
                        struct store_column *out)
{
    *out = (struct store_column){.form = (enum store_column_form)info->form,
                                 .total = total,
                                 .present = info->present,
                                 .stored = pages,
                                 .depth = context->depth,
                                 .spans = context->spans,
                                 .times = context->times};
    if (total > STORE_GROUP_ROWS_MAX || info->present > total || !info->present ||
        meta.len != info->meta_len || info->meta_raw > RAW_MAX / 4 ||
        !store_sum_matches(meta.ptr, meta.len, 0, info->meta_sum))
        return ERR_CORRUPT;
    if (info->packed) {
        out->meta = mem_alloc(info->meta_raw);
        if (!codec_zstd_decompress(meta, out->meta, info->meta_raw))
            goto corrupt;
        meta = slice_make(out->meta, info->meta_raw);
    }
    if (take_form(out, meta))
        return 0;
corrupt:
    store_column_free(out);
    return ERR_CORRUPT;
}

void store_column_drop_pages(struct store_column *c)
{
    for (size_t i = 0; i < c->page_count; i++) {
        mem_free(c->pages[i].raw);
        c->pages[i].raw = NULL;
    }
    c->page_memory = 0;
    if (c->split)
        store_split_drop_pages(c);
}

void store_column_free(struct store_column *c)
{
    store_column_drop_pages(c);
    store_split_free(c);
    mem_free(c->own_times);
    mem_free(c->index);
    mem_free(c->dict);
    mem_free(c->ints);
    mem_free(c->doubles);
    mem_free(c->run_of);
    mem_free(c->kinds);
    mem_free(c->offsets);
    mem_free(c->pages);
    mem_free(c->meta);
    *c = (struct store_column){0};
}

const struct store_column_page *store_column_page_of(struct store_column *c, uint32_t i)
{
    size_t lo = 0, hi = c->page_count;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (c->pages[mid].first <= i)
            lo = mid;
        else
            hi = mid;
    }
    struct store_column_page *p = &c->pages[lo];
    if (p->raw)
        return p;
    struct slice stored = slice_make(c->stored.ptr + p->stored_at, p->stored_len);
    if (!store_sum_matches(stored.ptr, stored.len, 0, p->sum))
        return NULL;
    /* Readers look at eight bytes at a time. */
    char *raw = mem_alloc((size_t)p->raw_len + 8);
    if (p->stored_len == p->raw_len) {
        memcpy(raw, stored.ptr, p->raw_len);
    } else if (!codec_zstd_decompress(stored, raw, p->raw_len)) {
        mem_free(raw);
        return NULL;
    }
    p->raw = raw;
    c->page_memory += p->raw_len;
    return p;
}

static int get_text(struct store_column *c, uint32_t i, struct slice *out)
{
    const struct store_column_page *p = store_column_page_of(c, i);
    if (!p)
        return ERR_CORRUPT;
    *out = slice_make(p->raw + (c->offsets[i] - p->raw_at), c->offsets[i + 1] - c->offsets[i]);
    return 0;
}

static int get_split(struct store_column *c, uint32_t i, struct arena *arena, struct slice *out)
{
    struct buf *b = &c->split->scratch;
    buf_clear(b);
    int err = store_split_append(c, i, b);
    if (err)
        return err;
    *out = slice_make(arena_dup(arena, b->ptr, b->len), b->len);
    return out->ptr ? 0 : ERR_NOMEM;
}

static struct slice fixed_of(const struct store_column *c, uint32_t i)
{
    return slice_make(c->fixed + (size_t)(c->run_of ? c->run_of[i] : i) * c->width, c->width);
}

int store_column_get(struct store_column *c, uint32_t row, struct arena *arena,
                     struct data_value *out)
{
    uint32_t i = store_column_index(c, row);
    char text[2 * 64 + 8];
    size_t len;
    *out = (struct data_value){0};
    if (i == UINT32_MAX)
        return 0;
    out->kind = c->kind;
    switch (c->form) {
    case STORE_COLUMN_DICT: *out = c->dict[c->ints ? c->ints[i] : 0]; return 0;
    case STORE_COLUMN_NUMBERS:
        if (!c->style) {
            out->i = c->ints[i];
            return 0;
        }
        len = store_style_print(c->style, c->param, c->ints[i], text);
        break;
    case STORE_COLUMN_DOUBLES: out->d = c->doubles[i]; return 0;
    case STORE_COLUMN_FIXED:
        out->text = fixed_of(c, i);
        if (!c->style)
            return 0;
        len = store_style_print_bytes(c->style, out->text, text);
        break;
    case STORE_COLUMN_PARENT:
        if (c->ints[i])
            out->text =
                fixed_of(c->spans, store_column_index(c->spans, row - (uint32_t)c->ints[i]));
        else
            out->text = slice_make(c->fixed + (size_t)c->run_of[i] * 8, 8);
        return 0;
    case STORE_COLUMN_TEXT: return get_text(c, i, &out->text);
    case STORE_COLUMN_MIXED: {
        struct slice raw;
        int err = get_text(c, i, &raw);
        if (err)
            return err;
        out->kind = (enum data_value_kind)c->kinds[i];
        if (data_value_has_text(out->kind))
            out->text = raw;
        else
            out->i = (int64_t)codec_load64(raw.ptr);
        return 0;
    }
    case STORE_COLUMN_SPLIT: return get_split(c, i, arena, &out->text);
    default: return ERR_CORRUPT;
    }
    out->text = slice_make(arena_dup(arena, text, len), len);
    return out->text.ptr ? 0 : ERR_NOMEM;
}

/* --- all values --- */

int store_column_append(struct store_column *c, uint32_t i, struct buf *out)
{
    struct slice text;
    int err;
    switch (c->form) {
    case STORE_COLUMN_DICT: buf_append_slice(out, c->dict[c->ints ? c->ints[i] : 0].text); return 0;
    case STORE_COLUMN_NUMBERS:
        out->len += store_style_print(c->style, c->param, c->ints[i],
                                      buf_reserve(out, STORE_STYLE_TEXT_MAX));
        return 0;
    case STORE_COLUMN_FIXED:
        text = fixed_of(c, i);
        out->len += store_style_print_bytes(c->style, text, buf_reserve(out, 2 * text.len + 8));
        return 0;
    case STORE_COLUMN_TEXT:
        err = get_text(c, i, &text);
        if (!err)
            buf_append_slice(out, text);
        return err;
    case STORE_COLUMN_SPLIT: return store_split_append(c, i, out);
    default: return ERR_CORRUPT;
    }
}

int store_column_lengths(struct store_column *c, uint32_t *out)
{
    char text[STORE_STYLE_TEXT_MAX];
    if (c->form == STORE_COLUMN_SPLIT)
        return store_split_lengths(c, out);
    for (uint32_t i = 0; i < c->present; i++) {
        out[i] = 0;
        if (c->form == STORE_COLUMN_DICT) {
            const struct data_value *v = &c->dict[c->ints ? c->ints[i] : 0];
            out[i] = data_value_has_text(v->kind) ? (uint32_t)v->text.len : 0;
        } else if (c->offsets) {
            bool is_text = !c->kinds || data_value_has_text((enum data_value_kind)c->kinds[i]);
            out[i] = is_text ? (uint32_t)(c->offsets[i + 1] - c->offsets[i]) : 0;
        } else if (c->form == STORE_COLUMN_NUMBERS && c->style) {
            out[i] = (uint32_t)store_style_print(c->style, c->param, c->ints[i], text);
        } else if (c->form == STORE_COLUMN_FIXED) {
            out[i] = c->style == STORE_STYLE_UUID ? 36 : c->style ? 2 * c->width : c->width;
        }
    }
    return 0;
}

static int visit_pages(struct store_column *c, bool keep)
{
    for (size_t k = 0; k < c->page_count; k++) {
        if (!store_column_page_of(c, c->pages[k].first))
            return ERR_CORRUPT;
        if (!keep)
            store_column_drop_pages(c);
    }
    return c->split ? store_split_check(c) : 0;
}

int store_column_unpack(struct store_column *c)
{
    return visit_pages(c, true);
}

int store_column_check(struct store_column *c)
{
    return visit_pages(c, false);
}

bool store_column_info_take(struct slice *in, struct store_column_info *c)
{
    uint64_t present, meta_len, meta_raw;
    if (in->len < 3)
        return false;
    c->form = (uint8_t)in->ptr[0];
    c->kinds = (uint8_t)in->ptr[1];
    c->packed = in->ptr[2] & 1;
    c->has_zone = in->ptr[2] & 2;
    c->style = (unsigned char)in->ptr[2] >> 4;
    *in = slice_from(*in, 3);
    if (!codec_take_varint(in, &present) || !codec_take_varint(in, &meta_len) ||
        !codec_take_varint(in, &meta_raw) || in->len < 8 || present > UINT32_MAX ||
        meta_len > UINT32_MAX || meta_raw > UINT32_MAX)
        return false;
    c->present = (uint32_t)present;
    c->meta_len = (uint32_t)meta_len;
    c->meta_raw = (uint32_t)meta_raw;
    c->meta_sum = codec_load64(in->ptr);
    *in = slice_from(*in, 8);
    if (!codec_take_varint(in, &c->pages_len) || (c->has_zone && in->len < 16))
        return false;
    if (c->has_zone) {
        c->zone_min = codec_load_double(in->ptr);
        c->zone_max = codec_load_double(in->ptr + 8);
        *in = slice_from(*in, 16);
    }
    return true;
}
