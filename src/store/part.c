/* Reading a part. Everything is looked up in the mapping; besides that an open part takes a few
 * hundred bytes of memory and a byte a page. */
#include "store/part.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column.h"
#include "store/part_priv.h"
#include "store/summary.h"

struct store_part {
    struct os *os;
    struct os_file *file;
    char *path;
    struct store_part_info info;
    struct slice bytes; /* the whole file */
    uint64_t seed, body_end;
    struct slice sections[STORE__SECTION_END];
    size_t series, pairs, names, pages, times;
    size_t exemplars;
    bool without_summaries; /* their section is damaged */
    _Atomic uint8_t *page_checked;
    _Atomic uint32_t refs;
    _Atomic bool doomed;
};

static void at_entry(const struct store_part *p, enum store__section section, size_t i, void *out,
                     size_t size)
{
    memcpy(out, p->sections[section].ptr + i * size, size);
}

static struct store__pair pair_at(const struct store_part *p, size_t i)
{
    struct store__pair out;
    at_entry(p, STORE__SECTION_PAIRS, i, &out, sizeof(out));
    return out;
}

static struct store__name name_at(const struct store_part *p, size_t i)
{
    struct store__name out;
    at_entry(p, STORE__SECTION_NAMES, i, &out, sizeof(out));
    return out;
}

static struct store__times times_at(const struct store_part *p, size_t i)
{
    struct store__times out;
    at_entry(p, STORE__SECTION_TIMES, i, &out, sizeof(out));
    return out;
}

static struct store__page page_at(const struct store_part *p, size_t i)
{
    struct store__page out;
    at_entry(p, STORE__SECTION_PAGES, i, &out, sizeof(out));
    return out;
}

static struct slice string_at(const struct store_part *p, uint32_t at, uint32_t len)
{
    return slice_make(p->sections[STORE__SECTION_STRINGS].ptr + at, len);
}

/* --- opening --- */

static bool counts(const struct store_part *p, enum store__section section, size_t size,
                   size_t *out)
{
    *out = p->sections[section].len / size;
    return p->sections[section].len % size == 0;
}

/* Samples are whole without them. */
static void lose_summaries(struct store_part *p)
{
    p->sections[STORE__SECTION_SUMMARIES] = (struct slice){0};
    p->without_summaries = true;
}

/* What later lookups rely on: every offset and number lies where it should. */
static bool tables_are_sound(struct store_part *p)
{
    struct store__stats stats;
    size_t groups, n;
    const struct slice *s = p->sections;
    if (!counts(p, STORE__SECTION_STATS, sizeof(stats), &n) || n != 1 ||
        !counts(p, STORE__SECTION_PAIRS, sizeof(struct store__pair), &p->pairs) ||
        !counts(p, STORE__SECTION_NAMES, sizeof(struct store__name), &p->names) ||
        !counts(p, STORE__SECTION_PAGES, sizeof(struct store__page), &p->pages) ||
        !counts(p, STORE__SECTION_TIMES, sizeof(struct store__times), &p->times) ||
        !counts(p, STORE__SECTION_GROUPS, 4, &groups))
        return false;
    if (s[STORE__SECTION_SUMMARIES].len && s[STORE__SECTION_SUMMARIES].len != groups * 8)
        lose_summaries(p);
    at_entry(p, STORE__SECTION_STATS, 0, &stats, sizeof(stats));
    p->series = (size_t)stats.series;
    p->exemplars = (size_t)stats.exemplars;
    /* A row takes at least two bytes. */
    if (stats.pairs != p->pairs || stats.series > s[STORE__SECTION_SERIES].len ||
        groups != (stats.series + STORE__PART_GROUP - 1) / STORE__PART_GROUP)
        return false;
    for (size_t i = 0; i < groups; i++) {
        if (codec_load32(s[STORE__SECTION_GROUPS].ptr + 4 * i) >= s[STORE__SECTION_SERIES].len)
            return false;
    }
    uint64_t end = STORE__PART_HEADER;
    for (size_t i = 0; i < p->pages; i++) {
        struct store__page page = page_at(p, i);
        if (page.end <= end || page.end > p->body_end)
            return false;
        end = page.end;
    }
    if (end != p->body_end)
        return false;
    for (size_t i = 0; i < p->times; i++) {
        struct store__times t = times_at(p, i);
        if (t.offset < STORE__PART_HEADER || t.offset > end || t.len > end - t.offset || !t.count ||
            t.count > STORE_BLOCK_SAMPLES || t.first > t.last)
            return false;
    }
    for (size_t i = 0; i < p->pairs; i++) {
        struct store__pair pair = pair_at(p, i);
        if ((uint64_t)pair.string + pair.len > s[STORE__SECTION_STRINGS].len ||
            pair.postings > s[STORE__SECTION_POSTINGS].len || !pair.series ||
            pair.series > p->series)
            return false;
    }
    uint32_t next = 0;
    for (size_t i = 0; i < p->names; i++) {
        struct store__name name = name_at(p, i);
        if ((uint64_t)name.string + name.len > s[STORE__SECTION_STRINGS].len ||
            name.first_pair >= p->pairs || (i ? name.first_pair < next : name.first_pair != 0))
            return false;
        next = name.first_pair + 1;
    }
    return !p->pairs == !p->names;
}

/* Begin and end say so both; when only one does, a byte of it is damaged. */
static bool is_other_version(struct slice b)
{
    return b.len >= STORE__PART_HEADER && memcmp(b.ptr, STORE__PART_MAGIC, 6) == 0 &&
           memcmp(b.ptr + b.len - 8, STORE__PART_END, 6) == 0 && b.ptr[6] == b.ptr[b.len - 2] &&
           b.ptr[6] != STORE__PART_MAGIC[6];
}

static int check_and_load(struct store_part *p, struct diag *diag)
{
    struct slice b = p->bytes;
    if (is_other_version(b))
        return diag_set(diag, ERR_UNSUPPORTED,
                        "part %s has format version %d, this program reads version %d: use the "
                        "program that wrote it, or begin in a new directory",
                        p->path, b.ptr[6], STORE__PART_MAGIC[6]);
    int bad = diag_set(diag, ERR_CORRUPT, "part %s is damaged", p->path);
    if (b.len < STORE__PART_HEADER + STORE__PART_TRAILER || b.len != p->info.bytes ||
        memcmp(b.ptr, STORE__PART_MAGIC, 8) != 0)
        return bad;
    const char *trailer = b.ptr + b.len - STORE__PART_TRAILER;
    uint64_t at = codec_load64(trailer), entries = codec_load64(trailer + 8),
             room = b.len - STORE__PART_TRAILER;
    p->seed = codec_load64(b.ptr + 8);
    if (memcmp(trailer + 24, STORE__PART_END, 8) != 0 || at > room ||
        (room - at) % STORE__PART_ENTRY || (room - at) / STORE__PART_ENTRY != entries)
        return bad;
    uint64_t sum = codec_load64(trailer + 16);
    if (sum != p->info.footer_sum || sum != hash64(b.ptr + at, (size_t)(room - at), p->seed ^ at))
        return bad;
    p->body_end = at;
    for (uint64_t i = 0; i < entries; i++) {
        const char *e = b.ptr + at + i * STORE__PART_ENTRY;
        uint32_t id = codec_load32(e), flags = codec_load32(e + 4);
        uint64_t offset = codec_load64(e + 8), len = codec_load64(e + 16);
        if (offset < STORE__PART_HEADER || offset > at || len > at - offset)
            return bad;
        p->body_end = MIN(p->body_end, offset);
        if (!(id & 0xffff) || (id & 0xffff) >= STORE__SECTION_END || id >> 16 != 1) {
            if (flags & STORE__SECTION_CRITICAL)
                return diag_set(diag, ERR_UNSUPPORTED,
                                "part %s has a section this program does not know (%u): it was "
                                "written by a later version",
                                p->path, id);
            continue;
        }
        bool whole =
            codec_load64(e + 24) == hash64(b.ptr + offset, (size_t)len, p->seed ^ (id & 0xffff));
        if (whole)
            p->sections[id & 0xffff] = slice_make(b.ptr + offset, (size_t)len);
        else if (store__section_is_optional(id & 0xffff))
            lose_summaries(p);
        else
            return bad;
    }
    return tables_are_sound(p) ? 0 : bad;
}

static void close_part(struct store_part *p)
{
    if (p->bytes.ptr)
        p->os->ops->unmap(p->file, p->bytes);
    p->os->ops->close(p->file);
    if (p->doomed)
        p->os->ops->unlink(p->os, p->path, NULL);
    mem_free((void *)(uintptr_t)p->page_checked);
    mem_free(p->path);
    mem_free(p);
}

int store_part_open(struct os *os, const char *path, const struct store_part_info *info,
                    struct store_part **out, struct diag *diag)
{
    struct os_file *f;
    struct diag d;
    diag_init(&d);
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err)
        return err;
    struct store_part *p = mem_calloc(1, sizeof(*p));
    p->os = os;
    p->file = f;
    p->path = mem_strdup(path);
    p->info = *info;
    p->refs = 1;
    err = os->ops->map(f, &p->bytes, diag);
    if (!err && (err = check_and_load(p, &d)))
        diag_set(diag, err, "%s", d.msg);
    if (err) {
        close_part(p);
        return err;
    }
    p->page_checked = mem_calloc(p->pages + 1, 1);
    *out = p;
    return 0;
}

struct store_part *store_part_ref(struct store_part *p)
{
    p->refs++;
    return p;
}

void store_part_unref(struct store_part *p)
{
    if (p && --p->refs == 0)
        close_part(p);
}

const struct store_part_info *store_part_info(const struct store_part *p)
{
    return &p->info;
}

bool store_part_lost_summaries(const struct store_part *p)
{
    return p->without_summaries;
}

void store_part_doom(struct store_part *p)
{
    p->doomed = true;
}

/* --- names and values --- */

size_t store_part_series_count(const struct store_part *p)
{
    return p->series;
}

size_t store_part_exemplar_count(const struct store_part *p)
{
    return p->exemplars;
}

size_t store_part_name_count(const struct store_part *p)
{
    return p->names;
}

size_t store_part_pair_count(const struct store_part *p)
{
    return p->pairs;
}

struct slice store_part_name(const struct store_part *p, size_t i, uint32_t *begin, uint32_t *end)
{
    struct store__name name = name_at(p, i);
    *begin = name.first_pair;
    *end = i + 1 < p->names ? name_at(p, i + 1).first_pair : (uint32_t)p->pairs;
    return string_at(p, name.string, name.len);
}

size_t store_part_name_find(const struct store_part *p, struct slice name)
{
    size_t lo = 0, hi = p->names;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        struct store__name n = name_at(p, mid);
        int c = slice_cmp(string_at(p, n.string, n.len), name);
        if (!c)
            return mid;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return SIZE_MAX;
}

struct data_label store_part_pair(const struct store_part *p, uint32_t ordinal)
{
    size_t lo = 0, hi = p->names;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (name_at(p, mid).first_pair <= ordinal)
            lo = mid;
        else
            hi = mid;
    }
    struct store__name name = name_at(p, lo);
    struct store__pair pair = pair_at(p, ordinal);
    return (struct data_label){string_at(p, name.string, name.len),
                               string_at(p, pair.string, pair.len)};
}

struct slice store_part_value(const struct store_part *p, uint32_t ordinal)
{
    struct store__pair pair = pair_at(p, ordinal);
    return string_at(p, pair.string, pair.len);
}

void store_part_labels(const struct store_part *p, const uint32_t *ordinals, size_t count,
                       struct data_label *out)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at + 1 < p->names && name_at(p, at + 1).first_pair <= ordinals[i])
            at++;
        struct store__name name = name_at(p, at);
        struct store__pair pair = pair_at(p, ordinals[i]);
        out[i] = (struct data_label){string_at(p, name.string, name.len),
                                     string_at(p, pair.string, pair.len)};
    }
}

uint32_t store_part_pair_series(const struct store_part *p, uint32_t ordinal)
{
    return pair_at(p, ordinal).series;
}

void store__part_postings(const struct store_part *p, uint32_t ordinal, struct slice *out,
                          uint32_t *out_count)
{
    struct store__pair pair = pair_at(p, ordinal);
    *out = slice_from(p->sections[STORE__SECTION_POSTINGS], pair.postings);
    *out_count = pair.series;
}

/* --- series --- */

static int take_row(struct store_part_cursor *c, struct slice *in, bool first)
{
    const struct store_part *p = c->part;
    uint64_t shared, rest, delta, blocks, ref, len;
    if (!codec_take_varint(in, &shared) || !codec_take_varint(in, &rest) ||
        shared > (first ? 0 : c->pairs.len) || rest > in->len)
        return ERR_CORRUPT;
    c->pairs.len = (size_t)shared;
    uint64_t at = shared ? c->pairs.items[shared - 1] : 0;
    vec_reserve(&c->pairs, (size_t)rest);
    for (uint64_t i = 0; i < rest; i++) {
        if (!codec_take_varint(in, &delta) || delta > p->pairs || (at += delta) >= p->pairs)
            return ERR_CORRUPT;
        c->pairs.items[c->pairs.len++] = (uint32_t)at;
    }
    if (!codec_take_varint(in, &blocks) || blocks >> 1 > in->len / 2 ||
        !codec_take_varint(in, &c->rows.offset))
        return ERR_CORRUPT;
    c->has_exemplars = blocks & 1;
    c->rows.blocks = (uint32_t)(blocks >> 1);
    c->rows.at = (uint32_t)(in->ptr - p->sections[STORE__SECTION_SERIES].ptr);
    c->t_min = INT64_MAX;
    c->t_max = INT64_MIN;
    for (uint32_t i = 0; i < c->rows.blocks; i++) {
        if (!codec_take_varint(in, &ref) || ref >= p->times || !codec_take_varint(in, &len))
            return ERR_CORRUPT;
        struct store__times t = times_at(p, (size_t)ref);
        c->t_min = MIN(c->t_min, t.first);
        c->t_max = MAX(c->t_max, t.last);
    }
    if (c->has_exemplars && !codec_take_varint(in, &len))
        return ERR_CORRUPT;
    return 0;
}

bool store_part_next(struct store_part_cursor *c, int *out_err)
{
    const struct store_part *p = c->part;
    if (c->next >= p->series)
        return false;
    bool first = c->next % STORE__PART_GROUP == 0;
    struct slice table = p->sections[STORE__SECTION_SERIES];
    if (first)
        c->at = codec_load32(p->sections[STORE__SECTION_GROUPS].ptr +
                             4 * (c->next / STORE__PART_GROUP));
    struct slice in = slice_from(table, c->at);
    int err = take_row(c, &in, first);
    c->rows.series = (uint32_t)c->next;
    if (err) {
        *out_err = err;
        return false;
    }
    c->at = (size_t)(in.ptr - table.ptr);
    c->next++;
    return true;
}

int store_part_seek(struct store_part_cursor *c, size_t series)
{
    int err = 0;
    if (series >= c->part->series)
        return ERR_CORRUPT;
    if (series < c->next || series / STORE__PART_GROUP != c->next / STORE__PART_GROUP)
        c->next = series / STORE__PART_GROUP * STORE__PART_GROUP;
    while (c->next <= series && !err) {
        if (!store_part_next(c, &err) && !err)
            err = ERR_CORRUPT;
    }
    return err;
}

void store_part_cursor_deinit(struct store_part_cursor *c)
{
    vec_free(&c->pairs);
}

int store_ordinals_cmp(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    size_t n = MIN(a_count, b_count);
    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return (a_count > b_count) - (a_count < b_count);
}

/* --- data --- */

/* The body from an offset on to the end of its page, which is checked when it is touched first. */
static int rest_of_page(const struct store_part *p, uint64_t offset, struct slice *out)
{
    size_t lo = 0, hi = p->pages;
    if (offset < STORE__PART_HEADER || offset > p->body_end)
        return ERR_CORRUPT;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (page_at(p, mid).end <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == p->pages)
        return ERR_CORRUPT;
    struct store__page page = page_at(p, lo);
    uint64_t begin = lo ? page_at(p, lo - 1).end : STORE__PART_HEADER;
    if (!atomic_load_explicit(&p->page_checked[lo], memory_order_relaxed)) {
        if (hash64(p->bytes.ptr + begin, (size_t)(page.end - begin), p->seed ^ begin) != page.sum)
            return ERR_CORRUPT;
        atomic_store_explicit(&p->page_checked[lo], 1, memory_order_relaxed);
    }
    *out = slice_make(p->bytes.ptr + offset, (size_t)(page.end - offset));
    return 0;
}

static int piece(const struct store_part *p, uint64_t offset, uint64_t len, struct slice *out)
{
    int err = rest_of_page(p, offset, out);
    if (err || len > out->len)
        return ERR_CORRUPT;
    *out = slice_first(*out, (size_t)len);
    return 0;
}

int store_part_blocks(const struct store_part *p, const struct store_part_rows *rows, int64_t t_min,
                      int64_t t_max, store_part_block_list *out)
{
    struct slice in = slice_from(p->sections[STORE__SECTION_SERIES], rows->at);
    uint64_t offset = rows->offset, ref, len;
    for (uint32_t i = 0; i < rows->blocks; i++) {
        if (!codec_take_varint(&in, &ref) || ref >= p->times || !codec_take_varint(&in, &len))
            return ERR_CORRUPT;
        struct store__times t = times_at(p, (size_t)ref);
        if (t.last >= t_min && t.first <= t_max)
            vec_push(out, ((struct store_part_block){.offset = offset,
                                                     .len = len,
                                                     .first_ns = t.first,
                                                     .last_ns = t.last,
                                                     .times = (uint32_t)ref,
                                                     .count = t.count,
                                                     .nth = i}));
        if (__builtin_add_overflow(offset, len, &offset))
            return ERR_CORRUPT;
    }
    return 0;
}

int store_part_summaries(const struct store_part *p, const struct store_part_rows *rows,
                         store_summary_list *out)
{
    struct slice index = p->sections[STORE__SECTION_SUMMARIES], in,
                 table = slice_from(p->sections[STORE__SECTION_SERIES], rows->at);
    uint64_t len = 0, ref;
    if (!index.len)
        return p->without_summaries ? ERR_CORRUPT : 0;
    if (rest_of_page(p, codec_load64(index.ptr + 8 * (size_t)(rows->series / STORE__PART_GROUP)),
                     &in))
        return ERR_CORRUPT;
    for (uint32_t i = 0; i <= rows->series % STORE__PART_GROUP; i++) {
        in = slice_from(in, (size_t)len);
        if (!codec_take_varint(&in, &len) || len > in.len)
            return ERR_CORRUPT;
    }
    in = slice_first(in, (size_t)len);
    if (!len)
        return 0;
    struct store_summary_chain chain = {0};
    for (uint32_t i = 0; i < rows->blocks; i++) {
        struct store_summary s;
        if (!codec_take_varint(&table, &ref) || ref >= p->times ||
            !codec_take_varint(&table, &len) ||
            store_summary_decode(&chain, &in, times_at(p, (size_t)ref).count, &s))
            return ERR_CORRUPT;
        vec_push(out, s);
    }
    return in.len ? ERR_CORRUPT : 0;
}

void store_part_prefetch(const struct store_part *p, const struct store_part_rows *rows)
{
    __builtin_prefetch(p->sections[STORE__SECTION_SERIES].ptr + rows->at);
    if (rows->offset < p->body_end) {
        __builtin_prefetch(p->bytes.ptr + rows->offset);
        __builtin_prefetch(p->bytes.ptr + rows->offset + 64);
    }
}

int store_part_times(const struct store_part *p, const struct store_part_block *block, int64_t *out)
{
    struct store__times t = times_at(p, block->times);
    struct slice times;
    if (piece(p, t.offset, t.len, &times) || codec_ints_decode(&times, out, t.count) || times.len)
        return ERR_CORRUPT;
    return 0;
}

int store_part_values(const struct store_part *p, const struct store_part_block *block,
                      struct store_run *out, size_t at, unsigned *facts)
{
    struct slice values;
    if (piece(p, block->offset, block->len, &values))
        return ERR_CORRUPT;
    return store_values_decode(values, out, at, block->count, facts);
}

int store_part_read(const struct store_part *p, const struct store_part_rows *rows, int64_t t_min,
                    int64_t t_max, struct store_run *out)
{
    store_part_block_list blocks = {0};
    unsigned facts;
    int err = store_part_blocks(p, rows, t_min, t_max, &blocks);
    for (size_t i = 0; i < blocks.len && !err; i++) {
        const struct store_part_block *b = &blocks.items[i];
        store_run_reserve(out, b->count);
        err = store_part_times(p, b, out->ts + out->len);
        if (!err)
            err = store_part_values(p, b, out, out->len, &facts);
        if (!err)
            out->len += b->count;
    }
    vec_free(&blocks);
    return err;
}

int store_part_exemplars(const struct store_part *p, const struct store_part_rows *rows,
                         store_part_exemplar_list *out)
{
    struct slice in = slice_from(p->sections[STORE__SECTION_SERIES], rows->at), data;
    uint64_t offset = rows->offset, len, count, zz;
    for (uint32_t i = 0; i < rows->blocks; i++) {
        if (!codec_take_varint(&in, &len) || !codec_take_varint(&in, &len) ||
            __builtin_add_overflow(offset, len, &offset))
            return ERR_CORRUPT;
    }
    if (!codec_take_varint(&in, &len) || piece(p, offset, len, &data) ||
        !codec_take_varint(&data, &count))
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < count; i++) {
        struct store_part_exemplar e;
        if (!codec_take_varint(&data, &zz) || data.len < 8)
            return ERR_CORRUPT;
        e.ts = codec_unzigzag(zz);
        e.value = codec_load_double(data.ptr);
        data = slice_from(data, 8);
        if (!codec_take_varint(&data, &len) || len > data.len)
            return ERR_CORRUPT;
        e.labels = slice_first(data, (size_t)len);
        data = slice_from(data, (size_t)len);
        vec_push(out, e);
    }
    return data.len ? ERR_CORRUPT : 0;
}
