#include "store/event/stream_hints.h"

#include "codec/bytes.h"
#include "codec/compress.h"
#include "data/labels.h"
#include "store/event/part_priv.h"

#define NAMES_MAX 64 /* labels of a page that are told of; with more, pages are unpacked */
#define MINUTE_NS (60 * NS_PER_SEC)

/* --- writing --- */

/* A label that some stream of the page has. */
struct name {
    struct slice name, value; /* the first one's value */
    size_t count;             /* streams that have it */
    bool varies;
};

struct page_names {
    struct name items[NAMES_MAX];
    size_t count;
    bool too_many;
};

static struct name *name_of(struct page_names *p, struct slice name)
{
    size_t i = 0;
    while (i < p->count && !slice_eq(p->items[i].name, name))
        i++;
    if (i == NAMES_MAX) {
        p->too_many = true;
        return NULL;
    }
    if (i == p->count)
        p->items[p->count++] = (struct name){.name = name};
    return &p->items[i];
}

static void collect(struct page_names *p, const struct store_part_stream *streams, size_t count,
                    struct arena *arena)
{
    *p = (struct page_names){0};
    for (size_t i = 0; i < count; i++) {
        struct data_labels labels;
        if (data_labels_decode(streams[i].key, arena, &labels)) {
            p->too_many = true;
            continue;
        }
        for (size_t k = 0; k < labels.count; k++) {
            struct name *n = name_of(p, labels.items[k].name);
            if (!n)
                continue;
            if (!n->count++)
                n->value = labels.items[k].value;
            else
                n->varies |= !slice_eq(n->value, labels.items[k].value);
        }
    }
    for (size_t i = 0; i < p->count; i++)
        p->items[i].varies |= p->items[i].count < count;
}

static void add_values(struct store_filter_builder *f, const struct page_names *p,
                       const struct store_part_stream *streams, size_t count, struct arena *arena)
{
    for (size_t k = 0; k < p->count; k++) {
        uint64_t field = p->items[k].varies ? store_filter_field(p->items[k].name) : 0;
        for (size_t i = 0; i < count && p->items[k].varies; i++) {
            struct data_labels labels;
            if (data_labels_decode(streams[i].key, arena, &labels))
                continue;
            struct slice v = data_labels_get(labels, p->items[k].name);
            if (v.ptr)
                store_filter_add(f, store_filter_value(field, v));
        }
    }
}

static void put_text(struct buf *out, struct slice s)
{
    codec_append_varint(out, s.len);
    buf_append_slice(out, s);
}

static void put_page(const struct store_part_stream *streams, size_t count, const int64_t *first,
                     const int64_t *last, struct store_filter_builder *f, struct buf *meta,
                     struct buf *filters)
{
    struct arena *arena = arena_new(0, NULL);
    struct page_names names;
    bool one_tenant = true, any = false;
    int64_t t_min = INT64_MAX, t_max = INT64_MIN;
    size_t same = 0, begin = filters->len;
    collect(&names, streams, count, arena);
    for (size_t i = 0; i < count; i++) {
        one_tenant = one_tenant && slice_eq(streams[i].tenant, streams[0].tenant);
        if (first[i] > last[i])
            continue;
        t_min = MIN(t_min, first[i]);
        t_max = MAX(t_max, last[i]);
        any = true;
    }
    buf_append_char(meta, (char)((one_tenant ? 1 : 0) | (names.too_many ? 0 : 2) | (any ? 4 : 0)));
    put_text(meta, streams[0].tenant);
    codec_append_varint(meta, codec_zigzag(any ? t_min : 0));
    codec_append_varint(meta, codec_zigzag(any ? t_max : 0));
    store_filter_clear(f);
    if (!names.too_many)
        add_values(f, &names, streams, count, arena);
    for (size_t i = 0; i < names.count; i++)
        same += !names.items[i].varies;
    codec_append_varint(meta, names.too_many ? 0 : same);
    codec_append_varint(meta, names.too_many ? 0 : names.count - same);
    for (int varies = 0; varies < 2 && !names.too_many; varies++) {
        for (size_t i = 0; i < names.count; i++) {
            if (names.items[i].varies != varies)
                continue;
            put_text(meta, names.items[i].name);
            if (!varies)
                put_text(meta, names.items[i].value);
        }
    }
    store_filter_write(f, filters);
    codec_append_varint(meta, (filters->len - begin) / STORE_FILTER_BLOCK);
    arena_free(arena);
}

void store_stream_hints_write(const struct store_part_stream *streams, size_t count,
                              const int64_t *first, const int64_t *last, struct buf *out)
{
    struct store_filter_builder f = {0};
    struct buf meta = {0}, filters = {0}, packed = {0};
    for (size_t i = 0; i < count; i += STORE_STREAM_PAGE)
        put_page(streams + i, MIN((size_t)STORE_STREAM_PAGE, count - i), first + i, last + i, &f,
                 &meta, &filters);
    codec_compress(CODEC_ZSTD, 3, buf_slice(&meta), &packed);
    codec_append_varint(out, meta.len);
    put_text(out, buf_slice(&packed));
    buf_append_slice(out, buf_slice(&filters));
    store_filter_builder_deinit(&f);
    buf_deinit(&meta);
    buf_deinit(&filters);
    buf_deinit(&packed);
}

/* --- reading --- */

struct page {
    unsigned flags;
    struct slice tenant;
    int64_t t_min, t_max;
    struct data_label *same;
    struct slice *varying;
    size_t same_count, varying_count;
    const char *filter;
    uint32_t blocks;
};

struct store_stream_hints {
    struct arena *arena;
    struct page *pages;
    size_t count;
};

static bool take_page(struct slice *in, struct slice *filters, struct arena *arena,
                      struct page *out)
{
    uint64_t first, last, same, varying, blocks;
    if (!in->len)
        return false;
    out->flags = (unsigned char)in->ptr[0];
    *in = slice_from(*in, 1);
    if (!codec_take_text(in, &out->tenant) || !codec_take_varint(in, &first) ||
        !codec_take_varint(in, &last) || !codec_take_varint(in, &same) ||
        !codec_take_varint(in, &varying) || same > NAMES_MAX || varying > NAMES_MAX)
        return false;
    out->t_min = codec_unzigzag(first) * MINUTE_NS;
    out->t_max = codec_unzigzag(last) * MINUTE_NS + MINUTE_NS;
    out->same = ARENA_ARRAY(arena, struct data_label, same);
    out->varying = ARENA_ARRAY(arena, struct slice, varying);
    for (; out->same_count < same; out->same_count++) {
        struct data_label *l = &out->same[out->same_count];
        if (!codec_take_text(in, &l->name) || !codec_take_text(in, &l->value))
            return false;
    }
    for (; out->varying_count < varying; out->varying_count++) {
        if (!codec_take_text(in, &out->varying[out->varying_count]))
            return false;
    }
    if (!codec_take_varint(in, &blocks) || blocks > filters->len / STORE_FILTER_BLOCK)
        return false;
    out->filter = filters->ptr;
    out->blocks = (uint32_t)blocks;
    *filters = slice_from(*filters, blocks * STORE_FILTER_BLOCK);
    return true;
}

int store_stream_hints_open(const struct store_event_part *p, struct store_stream_hints **out)
{
    struct slice in = p->sections[STORE__EVENTS_STREAM_HINTS], packed;
    uint64_t raw;
    *out = NULL;
    if (!in.len)
        return 0;
    if (!codec_take_varint(&in, &raw) || raw > (uint64_t)1 << 28 || !codec_take_text(&in, &packed))
        return ERR_CORRUPT;
    struct store_stream_hints *h = mem_calloc(1, sizeof(*h));
    h->arena = arena_new(0, NULL);
    h->count = (store_event_part_stream_count(p) + STORE_STREAM_PAGE - 1) / STORE_STREAM_PAGE;
    h->pages = ARENA_ARRAY(h->arena, struct page, h->count);
    char *text = arena_alloc(h->arena, raw);
    bool ok = codec_zstd_decompress(packed, text, raw);
    struct slice meta = slice_make(text, raw);
    for (size_t i = 0; i < h->count && ok; i++)
        ok = take_page(&meta, &in, h->arena, &h->pages[i]);
    if (!ok) {
        store_stream_hints_free(h);
        return ERR_CORRUPT;
    }
    *out = h;
    return 0;
}

void store_stream_hints_free(struct store_stream_hints *h)
{
    if (!h)
        return;
    arena_free(h->arena);
    mem_free(h);
}

/* Whether a value that not all streams share may be one that the matcher takes. */
static bool may_match(const struct page *p, const struct store_matcher *m)
{
    if (m->op != STORE_MATCH_EQ || !m->value.len)
        return true;
    struct store_filter_probe probe = {0};
    store_filter_probe_value(&probe, store_filter_field(m->name), m->value);
    bool may = store_filter_may_have(&probe, p->filter, p->blocks, STORE_FILTER_BLOCK);
    store_filter_probe_deinit(&probe);
    return may;
}

static enum store_hint hint_matcher(const struct page *p, const struct store_matcher *m)
{
    const struct data_label *found = NULL;
    for (size_t i = 0; i < p->same_count; i++) {
        if (slice_eq(p->same[i].name, m->name))
            return store_matcher_matches(m, p->same[i].value) ? STORE_HINT_ALL : STORE_HINT_NONE;
        if (!found && data_event_name_matches(p->same[i].name, m->name))
            found = &p->same[i];
    }
    for (size_t i = 0; i < p->varying_count; i++) {
        if (data_event_name_matches(p->varying[i], m->name))
            return found || may_match(p, m) ? STORE_HINT_SOME : STORE_HINT_NONE;
    }
    return store_matcher_matches(m, found ? found->value : SLICE("")) ? STORE_HINT_ALL
                                                                      : STORE_HINT_NONE;
}

enum store_hint store_stream_hint(const struct store_stream_hints *h, size_t page,
                                  struct slice tenant, int64_t t_min, int64_t t_max,
                                  const struct store_matcher *matchers, size_t matcher_count)
{
    if (!h || page >= h->count)
        return STORE_HINT_SOME;
    const struct page *p = &h->pages[page];
    bool one_tenant = p->flags & 1, named = p->flags & 2, any = p->flags & 4;
    if (!any || p->t_min > t_max || p->t_max < t_min ||
        (one_tenant && !slice_eq(p->tenant, tenant)))
        return STORE_HINT_NONE;
    enum store_hint hint = one_tenant ? STORE_HINT_ALL : STORE_HINT_SOME;
    for (size_t i = 0; i < matcher_count; i++) {
        enum store_hint one = named ? hint_matcher(p, &matchers[i]) : STORE_HINT_SOME;
        if (one == STORE_HINT_NONE)
            return one;
        hint = MIN(hint, one);
    }
    return hint;
}
