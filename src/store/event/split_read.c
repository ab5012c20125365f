/* Reading lines that were split: nothing is trusted. */
#include "base/err.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"
#include "store/event/split.h"

#define INFO_MIN 15 /* bytes of what is said of a place */

static bool take_templates(struct store_split *s, struct slice *in)
{
    uint64_t count, pieces;
    VEC(struct slice) room = {0};
    bool ok = codec_take_varint(in, &s->raw) && codec_take_varint(in, &count) && count &&
              count <= STORE_SPLIT_TEMPLATES_MAX;
    if (!ok)
        return false;
    s->templates = mem_calloc(count, sizeof(*s->templates));
    for (s->template_count = 0; ok && s->template_count < count; s->template_count++) {
        struct store_split_template *t = &s->templates[s->template_count];
        ok = codec_take_varint(in, &pieces) && pieces && pieces <= STORE_SPLIT_SLOTS_MAX + 1;
        t->first_slot = s->slot_count;
        t->slots = ok ? (uint32_t)pieces - 1 : 0;
        s->slot_count += t->slots;
        for (uint64_t i = 0; ok && i < pieces; i++) {
            struct slice text;
            ok = codec_take_text(in, &text);
            t->fixed += ok ? text.len : 0;
            vec_push(&room, text);
        }
    }
    s->piece_room = room.items;
    struct slice *at = room.items;
    for (uint32_t i = 0; ok && i < s->template_count; i++) {
        s->templates[i].pieces = at;
        at += s->templates[i].slots + 1;
    }
    return ok;
}

/* Which template each value has, and which number in it. */
static bool take_codes(struct store_column *c, struct slice *in)
{
    struct store_split *s = c->split;
    if (s->template_count == 1) {
        s->templates[0].count = c->present;
        return true;
    }
    int64_t *codes = mem_alloc(c->present * sizeof(*codes));
    bool ok = !codec_ints_decode(in, codes, c->present);
    s->code = mem_alloc(c->present * sizeof(*s->code));
    s->rank = mem_alloc(c->present * sizeof(*s->rank));
    for (uint32_t i = 0; ok && i < c->present; i++) {
        ok = codes[i] >= 0 && codes[i] < s->template_count;
        if (!ok)
            break;
        s->code[i] = (uint32_t)codes[i];
        s->rank[i] = s->templates[codes[i]].count++;
    }
    mem_free(codes);
    return ok;
}

static bool take_infos(struct store_column *c, struct slice *in)
{
    struct store_split *s = c->split;
    uint64_t at = 0;
    if (s->slot_count > in->len / INFO_MIN)
        return false;
    s->infos = mem_calloc(s->slot_count, sizeof(*s->infos));
    s->at = mem_calloc(s->slot_count, sizeof(*s->at));
    s->columns = mem_calloc(s->slot_count, sizeof(*s->columns));
    s->loaded = mem_calloc(s->slot_count, sizeof(*s->loaded));
    for (uint32_t t = 0; t < s->template_count; t++) {
        for (uint32_t k = 0; k < s->templates[t].slots; k++) {
            uint32_t slot = s->templates[t].first_slot + k;
            struct store_column_info *info = &s->infos[slot];
            if (!store_column_info_take(in, info) || info->present != s->templates[t].count ||
                info->kinds != 1u << DATA_VALUE_STRING || info->meta_len > c->stored.len - at ||
                info->pages_len > c->stored.len - at - info->meta_len)
                return false;
            s->at[slot] = at;
            at += info->meta_len + info->pages_len;
        }
    }
    return at == c->stored.len;
}

bool store_split_take(struct store_column *c, struct slice *in)
{
    if (c->depth >= STORE_SPLIT_DEPTH_MAX)
        return false;
    c->split = mem_calloc(1, sizeof(*c->split));
    c->split->depth = c->depth;
    return take_templates(c->split, in) && take_codes(c, in) && take_infos(c, in);
}

void store_split_free(struct store_column *c)
{
    struct store_split *s = c->split;
    if (!s)
        return;
    for (uint32_t i = 0; i < s->slot_count && s->loaded; i++) {
        if (s->loaded[i])
            store_column_free(&s->columns[i]);
    }
    mem_free(s->times);
    mem_free(s->templates);
    mem_free(s->piece_room);
    mem_free(s->code);
    mem_free(s->rank);
    mem_free(s->infos);
    mem_free(s->at);
    mem_free(s->columns);
    mem_free(s->loaded);
    buf_deinit(&s->scratch);
    mem_free(s);
    c->split = NULL;
}

static uint32_t template_of(const struct store_split *s, uint32_t i, uint32_t *out_rank)
{
    *out_rank = s->code ? s->rank[i] : i;
    return s->code ? s->code[i] : 0;
}

static void make_times(struct store_column *c)
{
    struct store_split *s = c->split;
    uint32_t at = 0, rank, i = 0;
    s->times = mem_alloc(((size_t)c->present + 1) * sizeof(*s->times));
    for (uint32_t t = 0; t < s->template_count; t++) {
        s->templates[t].times = s->times + at;
        at += s->templates[t].count;
    }
    for (uint32_t row = 0; row < c->total; row++) {
        if (store_column_index(c, row) == UINT32_MAX)
            continue;
        struct store_split_template *t = &s->templates[template_of(s, i++, &rank)];
        t->times[rank] = c->times[row];
    }
}

static bool is_text(const struct store_column *c)
{
    if (c->form == STORE_COLUMN_DICT) {
        for (uint32_t i = 0; i < c->dict_count; i++) {
            if (c->dict[i].kind != DATA_VALUE_STRING)
                return false;
        }
        return true;
    }
    return (c->form == STORE_COLUMN_NUMBERS || c->form == STORE_COLUMN_FIXED ||
            c->form == STORE_COLUMN_TEXT || c->form == STORE_COLUMN_SPLIT) &&
           c->kind == DATA_VALUE_STRING;
}

struct store_column *store__split_slot(struct store_column *c, uint32_t template, uint32_t k)
{
    struct store_split *s = c->split;
    struct store_split_template *t = &s->templates[template];
    uint32_t slot = t->first_slot + k;
    struct store_column *out = &s->columns[slot];
    if (s->loaded[slot])
        return out;
    const struct store_column_info *info = &s->infos[slot];
    const char *at = c->stored.ptr + s->at[slot];
    if (c->times && !s->times)
        make_times(c);
    struct store_column_context context = {.times = t->times, .depth = s->depth + 1};
    if (store_column_decode(info, t->count, slice_make(at, info->meta_len),
                            slice_make(at + info->meta_len, info->pages_len), &context, out))
        return NULL;
    if (!is_text(out)) {
        store_column_free(out);
        return NULL;
    }
    s->loaded[slot] = true;
    return out;
}

int store_split_append(struct store_column *c, uint32_t i, struct buf *out)
{
    uint32_t rank, template = template_of(c->split, i, &rank);
    const struct store_split_template *t = &c->split->templates[template];
    for (uint32_t k = 0; k < t->slots; k++) {
        buf_append_slice(out, t->pieces[k]);
        struct store_column *slot = store__split_slot(c, template, k);
        int err = slot ? store_column_append(slot, rank, out) : ERR_CORRUPT;
        if (err)
            return err;
    }
    buf_append_slice(out, t->pieces[t->slots]);
    return 0;
}

int store_split_lengths(struct store_column *c, uint32_t *out)
{
    struct store_split *s = c->split;
    uint32_t **sums = mem_calloc(s->template_count, sizeof(*sums));
    int err = 0;
    for (uint32_t i = 0; i < s->template_count && !err; i++) {
        const struct store_split_template *t = &s->templates[i];
        uint32_t *one = mem_alloc(((size_t)t->count + 1) * sizeof(*one));
        sums[i] = mem_calloc((size_t)t->count + 1, sizeof(**sums));
        for (uint32_t k = 0; k < t->slots && !err && t->count; k++) {
            struct store_column *slot = store__split_slot(c, i, k);
            err = slot ? store_column_lengths(slot, one) : ERR_CORRUPT;
            for (uint32_t n = 0; n < t->count && !err; n++)
                sums[i][n] += one[n];
        }
        mem_free(one);
    }
    for (uint32_t n = 0; n < c->present && !err; n++) {
        uint32_t rank, template = template_of(s, n, &rank);
        out[n] = sums[template][rank] + (uint32_t)s->templates[template].fixed;
    }
    for (uint32_t i = 0; i < s->template_count; i++)
        mem_free(sums[i]);
    mem_free(sums);
    return err;
}

int store_split_check(struct store_column *c)
{
    int err = 0;
    for (uint32_t i = 0; i < c->split->template_count && !err; i++) {
        for (uint32_t k = 0; k < c->split->templates[i].slots && !err; k++) {
            struct store_column *slot = store__split_slot(c, i, k);
            err = slot ? store_column_check(slot) : ERR_CORRUPT;
        }
    }
    return err;
}

void store_split_drop_pages(struct store_column *c)
{
    struct store_split *s = c->split;
    for (uint32_t i = 0; i < s->slot_count && s->loaded; i++) {
        if (s->loaded[i])
            store_column_drop_pages(&s->columns[i]);
    }
}
