/* Reading an event part: nothing is trusted. */
#include <stdio.h>

#include "codec/bytes.h"
#include "codec/compress.h"
#include "store/event/block.h"
#include "store/event/part_priv.h"
#include "store/event/sum.h"

#define PREFETCH_MAX 64 /* alternatives of a probe whose first rows are fetched ahead */
/* Filters side by side of which one most likely has the first hash by chance: the second one's row
 * is looked at, too. */
#define SECOND_MIN 16

static int damaged(const struct store_event_part *p, struct diag *diag, const char *what)
{
    return diag_set(diag, ERR_CORRUPT, "%s: %s", p->path, what);
}

static int read_sections(struct store_event_part *p, struct diag *diag)
{
    struct slice b = p->bytes;
    if (b.len < STORE__EVENTS_HEADER + STORE__EVENTS_TRAILER ||
        memcmp(b.ptr, STORE__EVENTS_MAGIC, 6) != 0)
        return damaged(p, diag, "not a part of events, or cut off");
    if (memcmp(b.ptr, STORE__EVENTS_MAGIC, 8) != 0)
        return diag_set(diag, ERR_UNSUPPORTED, "%s was written by another version", p->path);
    const char *t = b.ptr + b.len - STORE__EVENTS_TRAILER;
    uint64_t at = codec_load64(t), count = codec_load64(t + 8), sum = codec_load64(t + 16);
    uint64_t end = b.len - STORE__EVENTS_TRAILER;
    if (memcmp(t + 24, STORE__EVENTS_END, 8) != 0 || at > end || count > 64 ||
        end - at != count * sizeof(struct store__events_section_entry) ||
        !store_sum_matches(b.ptr + at, end - at, count, sum))
        return damaged(p, diag, "the footer does not check");
    if (sum != p->info.footer_sum && !store_sum_matches("", 0, 0, 0))
        return damaged(p, diag, "another part than the manifest names");
    for (uint64_t i = 0; i < count; i++) {
        struct store__events_section_entry e;
        memcpy(&e, b.ptr + at + i * sizeof(e), sizeof(e));
        if (e.at > end || e.len > end - e.at || !store_sum_matches(b.ptr + e.at, e.len, 0, e.sum))
            return damaged(p, diag, "a section of the index does not check");
        if (e.id && e.id < STORE__EVENTS_SECTION_END)
            p->sections[e.id] = slice_make(b.ptr + e.at, e.len);
        else if (e.flags & 1)
            return diag_set(diag, ERR_UNSUPPORTED, "%s was written by a newer version", p->path);
    }
    return 0;
}

static bool read_fields(struct store_event_part *p)
{
    struct slice in = p->sections[STORE__EVENTS_FIELDS];
    uint64_t count;
    if (!codec_take_varint(&in, &count) || count > in.len)
        return false;
    p->fields = mem_calloc(DATA_EVENT_INTRINSIC_COUNT + count, sizeof(*p->fields));
    for (uint32_t i = 0; i < DATA_EVENT_INTRINSIC_COUNT; i++)
        p->fields[i].name = slice_cstr(data_event_intrinsic_name(i));
    p->field_count = DATA_EVENT_INTRINSIC_COUNT;
    for (uint64_t i = 0; i < count; i++) {
        struct data_event_field *f = &p->fields[p->field_count++];
        if (!in.len || (unsigned char)in.ptr[0] >= DATA_SCOPE_COUNT ||
            in.ptr[0] == DATA_SCOPE_STREAM)
            return false;
        f->scope = (enum data_event_scope)in.ptr[0];
        in = slice_from(in, 1);
        if (!codec_take_text(&in, &f->name))
            return false;
    }
    return true;
}

static bool check_groups(const struct store_event_part *p)
{
    size_t classes =
        p->sections[STORE__EVENTS_FILTERS].len / sizeof(struct store__events_filter_class);
    for (size_t i = 0; i < store_event_part_group_count(p); i++) {
        struct store_group_entry e = store_event_part_group(p, i);
        struct store__events_filter_class c;
        bool twice;
        if (e.header_at > p->bytes.len || e.header_len > p->bytes.len - e.header_at ||
            e.data_at > p->bytes.len || e.data_len > p->bytes.len - e.data_at || !e.rows ||
            e.rows > STORE_GROUP_ROWS_MAX || e.t_min > e.t_max || e.stream_min > e.stream_max ||
            e.stream_max >= p->stats.streams || e.filter_class >= classes)
            return false;
        c = store__filter_class(p->sections[STORE__EVENTS_FILTERS], e.filter_class, &twice);
        if (e.filter_slot >= c.count || c.count > 1 << 20 || c.at > p->bytes.len ||
            (uint64_t)c.blocks * ((uint64_t)c.count * STORE_FILTER_BLOCK + 4) > p->bytes.len - c.at)
            return false;
    }
    return true;
}

static bool make_checked(struct store_event_part *p)
{
    size_t classes =
        p->sections[STORE__EVENTS_FILTERS].len / sizeof(struct store__events_filter_class);
    uint64_t rows = 0;
    p->checked_first = mem_calloc(classes + 1, sizeof(*p->checked_first));
    for (size_t i = 0; i < classes; i++) {
        bool twice;
        struct store__events_filter_class c =
            store__filter_class(p->sections[STORE__EVENTS_FILTERS], i, &twice);
        p->checked_first[i] = rows;
        rows += c.blocks;
        if (rows > p->bytes.len / STORE_FILTER_BLOCK)
            return false;
    }
    p->checked = mem_calloc(rows / 64 + 1, sizeof(*p->checked));
    return true;
}

/* Filters are probed, not read. Those that lie one behind the other are told together. */
static void scatter_filters(const struct store_event_part *p)
{
    uint64_t begin = 0, end = 0;
    struct slice classes = p->sections[STORE__EVENTS_FILTERS];
    for (size_t i = 0; i <= classes.len / sizeof(struct store__events_filter_class); i++) {
        struct store__events_filter_class c = {0};
        bool twice;
        if (i < classes.len / sizeof(c))
            c = store__filter_class(classes, i, &twice);
        if (c.at != end && end > begin)
            p->os->ops->scattered(p->file, slice_make(p->bytes.ptr + begin, end - begin));
        begin = c.at == end ? begin : c.at;
        end = c.at + (uint64_t)c.blocks * ((uint64_t)c.count * STORE_FILTER_BLOCK + 4);
        if (end > p->bytes.len || begin > end)
            return;
    }
}

static int read_index(struct store_event_part *p, struct diag *diag)
{
    struct slice forms = p->sections[STORE__EVENTS_FORMS];
    uint64_t form = forms.len >= 8 ? codec_load64(forms.ptr) : 0;
    p->has_tables = form >= STORE_COLUMN_TABLES;
    if (form > STORE_COLUMN_IDS_TWICE)
        return diag_set(diag, ERR_UNSUPPORTED, "%s was written by a newer version", p->path);
    if (p->sections[STORE__EVENTS_STATS].len != sizeof(p->stats))
        return damaged(p, diag, "no statistics");
    memcpy(&p->stats, p->sections[STORE__EVENTS_STATS].ptr, sizeof(p->stats));
    size_t pages =
        p->sections[STORE__EVENTS_STREAM_PAGES].len / sizeof(struct store__events_stream_page);
    if (p->stats.table != p->info.table || p->stats.streams > UINT32_MAX ||
        (p->stats.streams + STORE_STREAM_PAGE - 1) / STORE_STREAM_PAGE != pages)
        return damaged(p, diag, "its tables contradict each other");
    if (!read_fields(p) || !check_groups(p) || !make_checked(p))
        return damaged(p, diag, "its index contradicts itself");
    return 0;
}

int store_event_part_open(struct os *os, const char *path, const struct store_event_part_info *info,
                          struct store_event_part **out, struct diag *diag)
{
    struct store_event_part *p = mem_calloc(1, sizeof(*p));
    p->refs = 1;
    p->os = os;
    p->path = mem_strdup(path);
    p->info = *info;
    int err = os->ops->open(os, path, OS_READ, &p->file, diag);
    if (!err)
        err = os->ops->map(p->file, &p->bytes, diag);
    if (!err)
        err = read_sections(p, diag);
    if (!err)
        err = read_index(p, diag);
    if (err) {
        store_event_part_unref(p);
        return err;
    }
    scatter_filters(p);
    *out = p;
    return 0;
}

struct store_event_part *store_event_part_ref(struct store_event_part *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void store_event_part_unref(struct store_event_part *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (p->bytes.ptr)
        p->os->ops->unmap(p->file, p->bytes);
    if (p->file)
        p->os->ops->close(p->file);
    if (p->doomed)
        p->os->ops->unlink(p->os, p->path, NULL);
    mem_free((void *)p->checked);
    mem_free(p->checked_first);
    mem_free(p->fields);
    mem_free(p->path);
    mem_free(p);
}

const struct store_event_part_info *store_event_part_info(const struct store_event_part *p)
{
    return &p->info;
}

void store_event_part_doom(struct store_event_part *p)
{
    p->doomed = true;
}

size_t store_event_part_group_count(const struct store_event_part *p)
{
    return p->sections[STORE__EVENTS_GROUPS].len / sizeof(struct store_group_entry);
}

struct store_group_entry store_event_part_group(const struct store_event_part *p, size_t i)
{
    struct store_group_entry e;
    memcpy(&e, p->sections[STORE__EVENTS_GROUPS].ptr + i * sizeof(e), sizeof(e));
    return e;
}

bool store_event_part_has_tables(const struct store_event_part *p)
{
    return p->has_tables;
}

size_t store_event_part_field_count(const struct store_event_part *p)
{
    return p->field_count;
}

struct data_event_field store_event_part_field(const struct store_event_part *p, uint32_t field)
{
    return p->fields[field];
}

size_t store_event_part_stream_count(const struct store_event_part *p)
{
    return p->stats.streams;
}

static bool take_stream(struct slice *in, struct store_part_stream *s)
{
    const int64_t minute = 60 * NS_PER_SEC;
    uint64_t first, last;
    if (!codec_take_text(in, &s->tenant) || !codec_take_text(in, &s->key) ||
        !codec_take_varint(in, &s->rows) || !codec_take_varint(in, &s->line_bytes) ||
        !codec_take_varint(in, &first) || !codec_take_varint(in, &last))
        return false;
    s->t_min = s->rows ? codec_unzigzag(first) * minute : INT64_MAX;
    /* The first version's minutes did not have their last ns. */
    s->t_max = s->rows ? codec_unzigzag(last) * minute + minute : INT64_MIN;
    return true;
}

int store_event_part_streams(const struct store_event_part *p, size_t page, struct arena *arena,
                             struct store_part_stream **out, size_t *out_count)
{
    struct store__events_stream_page e;
    memcpy(&e, p->sections[STORE__EVENTS_STREAM_PAGES].ptr + page * sizeof(e), sizeof(e));
    size_t count =
        MIN((size_t)STORE_STREAM_PAGE, (size_t)p->stats.streams - page * STORE_STREAM_PAGE);
    if (e.at > p->bytes.len || e.len > p->bytes.len - e.at || e.raw > 1u << 30 ||
        !store_sum_matches(p->bytes.ptr + e.at, e.len, 0, e.sum))
        return ERR_CORRUPT;
    char *raw = arena_alloc(arena, e.raw);
    *out = arena_calloc(arena, count, sizeof(**out));
    if (!raw || !*out)
        return ERR_NOMEM;
    if (!codec_zstd_decompress(slice_make(p->bytes.ptr + e.at, e.len), raw, e.raw))
        return ERR_CORRUPT;
    struct slice in = slice_make(raw, e.raw);
    for (size_t i = 0; i < count; i++) {
        if (!take_stream(&in, &(*out)[i]))
            return ERR_CORRUPT;
    }
    *out_count = count;
    return 0;
}

/* A filter's blocks, each checked with the row it lies in when it is first looked at. */
struct filter_at {
    const struct store_event_part *p;
    struct store__events_filter_class class;
    const struct store_group_entry *entry;
    bool damaged;
};

static const char *checked_block(void *ctx, size_t block)
{
    struct filter_at *f = ctx;
    const struct store_event_part *p = f->p;
    size_t row = (size_t)f->class.count * STORE_FILTER_BLOCK + 4;
    uint64_t n = p->checked_first[f->entry->filter_class] + block;
    const char *at = p->bytes.ptr + f->class.at + block * row;
    if (!(atomic_load_explicit(&p->checked[n / 64], memory_order_relaxed) >> n % 64 & 1)) {
        if ((uint32_t)hash64(at, row - 4, 0) != codec_load32(at + row - 4)) {
            f->damaged = true;
            return NULL;
        }
        atomic_fetch_or_explicit(&p->checked[n / 64], UINT64_C(1) << n % 64, memory_order_relaxed);
    }
    return at + (size_t)f->entry->filter_slot * STORE_FILTER_BLOCK;
}

bool store_event_part_may_have(const struct store_event_part *p,
                               const struct store_group_entry *entry,
                               const struct store_filter_probe *probe, bool *out_damaged)
{
    struct filter_at f = {.p = p, .entry = entry};
    bool twice;
    f.class = store__filter_class(p->sections[STORE__EVENTS_FILTERS], entry->filter_class, &twice);
    bool may =
        store_filter_probe_run(probe, f.class.blocks, probe->ids && !twice, checked_block, &f);
    *out_damaged |= f.damaged;
    return may || f.damaged;
}

static void prefetch_row(const struct store_event_part *p, size_t class,
                         const struct store__events_filter_class *c, size_t block)
{
    size_t row = (size_t)c->count * STORE_FILTER_BLOCK + 4;
    uint64_t n = p->checked_first[class] + block, begin = c->at + block * row;
    if (atomic_load_explicit(&p->checked[n / 64], memory_order_relaxed) >> n % 64 & 1)
        return;
    if (begin < p->bytes.len && row <= p->bytes.len - begin)
        p->os->ops->prefetch(p->file, slice_make(p->bytes.ptr + begin, row));
}

void store_event_part_prefetch(const struct store_event_part *p,
                               const struct store_filter_probe *probe)
{
    struct slice classes = p->sections[STORE__EVENTS_FILTERS];
    for (size_t i = 0;
         !probe->useless && i < classes.len / sizeof(struct store__events_filter_class); i++) {
        bool twice;
        struct store__events_filter_class c = store__filter_class(classes, i, &twice);
        size_t at = 0, depth = c.count < SECOND_MIN ? 1 : 2;
        for (size_t k = 0; c.blocks && k < MIN(probe->ends.len, (size_t)PREFETCH_MAX); k++) {
            size_t end = probe->ends.items[k];
            for (size_t h = at; h < MIN(end, at + depth); h++)
                prefetch_row(p, i, &c, store_filter_block(probe->hashes.items[h], c.blocks));
            at = end;
        }
    }
}

void store_event_part_prefetch_streams(const struct store_event_part *p)
{
    struct store__events_stream_page e;
    if (p->sections[STORE__EVENTS_STREAM_PAGES].len < sizeof(e))
        return;
    memcpy(&e, p->sections[STORE__EVENTS_STREAM_PAGES].ptr, sizeof(e));
    if (e.at < p->bytes.len && e.len <= p->bytes.len - e.at)
        p->os->ops->prefetch(p->file, slice_make(p->bytes.ptr + e.at, e.len));
}

int store_event_part_tallies(const struct store_event_part *p, bool by_stream,
                             store_tally_list *out, bool *out_known)
{
    struct slice in = p->sections[by_stream ? STORE__EVENTS_TALLIES : STORE__EVENTS_TOTALS];
    uint64_t count;
    *out_known = in.ptr != NULL;
    if (!in.ptr)
        return 0;
    if (!codec_take_varint(&in, &count) || count > p->stats.rows)
        return ERR_CORRUPT;
    int64_t *v = mem_alloc(CODEC_COLUMN_MAX * sizeof(*v));
    int err = 0;
    for (uint64_t i = 0; i < count && !err; i += CODEC_COLUMN_MAX) {
        size_t n = MIN(count - i, (uint64_t)CODEC_COLUMN_MAX), begin = out->len;
        vec_reserve(out, n);
        for (int column = 0; column < 5 && !err; column++) {
            err = codec_ints_decode(&in, v, n);
            for (size_t k = 0; k < n && !err; k++) {
                struct store_event_tally *t = &out->items[begin + k];
                switch (column) {
                case 0: t->minute = v[k]; break;
                case 1: t->stream = (uint32_t)v[k]; break;
                case 2: t->level = (uint32_t)v[k]; break;
                case 3: t->rows = (uint64_t)v[k]; break;
                default: t->bytes = (uint64_t)v[k];
                }
                if ((column == 1 && (uint64_t)v[k] >= MAX(p->stats.streams, UINT64_C(1))) ||
                    (column == 2 && (uint64_t)v[k] >= STORE_LEVEL_CODES))
                    err = ERR_CORRUPT;
            }
        }
        if (!err)
            out->len = begin + n;
    }
    mem_free(v);
    return err;
}
