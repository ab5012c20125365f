/* Layout: header | blocks | series table | label index | footer | trailer.
 *   header   "PHPART\x01\0", u64 random
 *   block    bytes of store_block_encode
 *   series   per series: varint key length, key, varint block count, per block:
 *            varint length, varint samples, zigzag first time, varint (last - first), u32 checksum
 *   index    pairs sorted by name, value: varint lengths and bytes, varint count, delta varints of
 * ordinals footer   u64 each: blocks end, series begin, series bytes, index begin, index bytes,
 * series count, pair count, samples, t_min, t_max, sum(series), sum(index) trailer  u64 footer
 * begin, u64 sum(footer), "PHPEND\x01\0" */
#include "store/part.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/bytes.h"

#define MAGIC         "PHPART\x01\0"
#define END_MAGIC     "PHPEND\x01\0"
#define HEADER_BYTES  16
#define FOOTER_WORDS  12
#define TRAILER_BYTES 24
#define WRITE_BYTES   ((size_t)1 << 20)

typedef VEC(uint32_t) ordinal_list;

struct store_part_writer {
    struct os *os;
    struct os_file *file;
    uint64_t offset; /* of out's begin in the file */
    struct buf out, series, block;
    struct map *pairs; /* name \0 value -> ordinal_list * */
    struct arena *arena;
    uint32_t count;
    uint64_t samples;
    int64_t t_min, t_max;
};

static int drain(struct store_part_writer *w, bool all, struct diag *diag)
{
    if (!w->out.len || (!all && w->out.len < WRITE_BYTES))
        return 0;
    int err = w->os->ops->write_at(w->file, w->offset, w->out.ptr, w->out.len, diag);
    w->offset += w->out.len;
    buf_clear(&w->out);
    return err;
}

int store_part_create(struct os *os, const char *path, struct store_part_writer **out,
                      struct diag *diag)
{
    struct os_file *f;
    int err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &f, diag);
    if (err)
        return err;
    struct store_part_writer *w = mem_calloc(1, sizeof(*w));
    *w = (struct store_part_writer){.os = os,
                                    .file = f,
                                    .pairs = map_new(),
                                    .arena = arena_new(0, NULL),
                                    .t_min = INT64_MAX,
                                    .t_max = INT64_MIN};
    char header[HEADER_BYTES] = MAGIC;
    os->ops->random(os, header + 8, 8);
    buf_append(&w->out, header, sizeof(header));
    *out = w;
    return 0;
}

static void index_labels(struct store_part_writer *w, struct slice labels_key, uint32_t ordinal)
{
    struct data_labels labels;
    arena_reset(w->arena);
    if (data_labels_decode(labels_key, w->arena, &labels))
        return;
    struct buf pair = {0};
    for (size_t i = 0; i < labels.count; i++) {
        buf_clear(&pair);
        buf_append_slice(&pair, labels.items[i].name);
        buf_append_char(&pair, '\0');
        buf_append_slice(&pair, labels.items[i].value);
        bool added;
        struct map_entry *e = map_put(w->pairs, buf_slice(&pair), &added);
        if (added)
            e->value.ptr = mem_calloc(1, sizeof(ordinal_list));
        ordinal_list *list = e->value.ptr;
        vec_push(list, ordinal);
    }
    buf_deinit(&pair);
}

int store_part_add(struct store_part_writer *w, struct slice key, const struct store_run *run,
                   struct diag *diag)
{
    struct slice tenant, labels_key;
    if (!run->len || !store_series_key_split(key, &tenant, &labels_key))
        return 0;
    size_t blocks = (run->len + STORE_BLOCK_SAMPLES - 1) / STORE_BLOCK_SAMPLES;
    codec_append_varint(&w->series, key.len);
    buf_append_slice(&w->series, key);
    codec_append_varint(&w->series, w->offset + w->out.len);
    codec_append_varint(&w->series, blocks);
    for (size_t i = 0; i < run->len; i += STORE_BLOCK_SAMPLES) {
        size_t n = MIN(run->len - i, (size_t)STORE_BLOCK_SAMPLES);
        buf_clear(&w->block);
        store_block_encode(run, i, n, &w->block);
        codec_append_varint(&w->series, w->block.len);
        codec_append_varint(&w->series, n);
        codec_append_varint(&w->series, codec_zigzag(run->ts[i]));
        codec_append_varint(&w->series, (uint64_t)run->ts[i + n - 1] - (uint64_t)run->ts[i]);
        codec_append32(&w->series, (uint32_t)hash64(w->block.ptr, w->block.len, 0));
        buf_append_slice(&w->out, buf_slice(&w->block));
    }
    index_labels(w, labels_key, w->count++);
    w->samples += run->len;
    w->t_min = MIN(w->t_min, run->ts[0]);
    w->t_max = MAX(w->t_max, run->ts[run->len - 1]);
    return drain(w, false, diag);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
}

static void write_index(struct store_part_writer *w, struct buf *out)
{
    size_t count = map_count(w->pairs), pos = 0, n = 0;
    struct map_entry **all = mem_calloc(count, sizeof(*all));
    for (struct map_entry *e; (e = map_next(w->pairs, &pos));)
        all[n++] = e;
    if (count)
        qsort(all, count, sizeof(*all), by_key);
    for (size_t i = 0; i < count; i++) {
        struct slice value = all[i]->key, name;
        slice_split(&value, '\0', &name);
        codec_append_varint(out, name.len);
        buf_append_slice(out, name);
        codec_append_varint(out, value.len);
        buf_append_slice(out, value);
        const ordinal_list *list = all[i]->value.ptr;
        codec_append_varint(out, list->len);
        uint32_t before = 0;
        for (size_t k = 0; k < list->len; k++) {
            codec_append_varint(out, list->items[k] - before);
            before = list->items[k];
        }
    }
    mem_free(all);
}

void store_part_abandon(struct store_part_writer *w)
{
    if (!w)
        return;
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(w->pairs, &pos));) {
        ordinal_list *list = e->value.ptr;
        vec_free(list);
        mem_free(list);
    }
    map_free(w->pairs);
    arena_free(w->arena);
    buf_deinit(&w->out);
    buf_deinit(&w->series);
    buf_deinit(&w->block);
    w->os->ops->close(w->file);
    mem_free(w);
}

int store_part_finish(struct store_part_writer *w, struct store_part_info *info, struct diag *diag)
{
    struct buf index = {0};
    uint64_t words[FOOTER_WORDS];
    write_index(w, &index);
    words[0] = w->offset + w->out.len;
    words[1] = words[0];
    words[2] = w->series.len;
    words[3] = words[1] + words[2];
    words[4] = index.len;
    words[5] = w->count;
    words[6] = map_count(w->pairs);
    words[7] = w->samples;
    words[8] = (uint64_t)w->t_min;
    words[9] = (uint64_t)w->t_max;
    words[10] = hash64(w->series.ptr, w->series.len, 0);
    words[11] = hash64(index.ptr, index.len, 0);
    uint64_t footer = words[3] + words[4], sum = hash64(words, sizeof(words), footer);
    buf_append_slice(&w->out, buf_slice(&w->series));
    buf_append_slice(&w->out, buf_slice(&index));
    buf_append(&w->out, words, sizeof(words));
    codec_append64(&w->out, footer);
    codec_append64(&w->out, sum);
    buf_append(&w->out, END_MAGIC, 8);
    int err = drain(w, true, diag);
    if (!err)
        err = w->os->ops->sync(w->file, diag);
    info->series = w->count;
    info->samples = w->samples;
    info->t_min_ns = w->t_min;
    info->t_max_ns = w->t_max;
    info->bytes = w->offset;
    info->footer_sum = sum;
    buf_deinit(&index);
    store_part_abandon(w);
    return err;
}

/* --- reading --- */

struct pair {
    struct slice name, value;
    struct slice postings; /* delta varints */
    uint32_t count;
};

struct store_part {
    struct os *os;
    struct os_file *file;
    char *path;
    struct store_part_info info;
    struct slice bytes; /* the whole file */
    struct slice series_table;
    uint64_t *rows; /* offset of each series' row in the table */
    size_t series_count;
    struct pair *pairs;
    size_t pair_count;
    _Atomic uint32_t refs;
    _Atomic bool doomed;
};

static int read_series_table(struct store_part *p, size_t count)
{
    struct slice rest = p->series_table;
    uint64_t n, len;
    /* A row takes at least eight bytes, so that a lying count cannot ask for much. */
    if (count > rest.len / 8)
        return ERR_CORRUPT;
    p->rows = mem_alloc(count * sizeof(*p->rows));
    for (size_t i = 0; i < count; i++) {
        p->rows[i] = (uint64_t)(rest.ptr - p->series_table.ptr);
        if (!codec_take_varint(&rest, &len) || len > rest.len)
            return ERR_CORRUPT;
        rest = slice_from(rest, (size_t)len);
        if (!codec_take_varint(&rest, &n) || !codec_take_varint(&rest, &n))
            return ERR_CORRUPT;
        for (uint64_t b = 0; b < n; b++) {
            uint64_t skip;
            for (int k = 0; k < 4; k++) {
                if (!codec_take_varint(&rest, &skip))
                    return ERR_CORRUPT;
            }
            if (rest.len < 4)
                return ERR_CORRUPT;
            rest = slice_from(rest, 4);
        }
    }
    p->series_count = count;
    return rest.len ? ERR_CORRUPT : 0;
}

static bool take_text(struct slice *rest, struct slice *out)
{
    uint64_t len;
    if (!codec_take_varint(rest, &len) || len > rest->len)
        return false;
    *out = slice_first(*rest, (size_t)len);
    *rest = slice_from(*rest, (size_t)len);
    return true;
}

static int read_index(struct store_part *p, struct slice rest, size_t count)
{
    if (count > rest.len / 3)
        return ERR_CORRUPT;
    p->pairs = mem_alloc(count * sizeof(*p->pairs));
    for (size_t i = 0; i < count; i++) {
        struct pair *pair = &p->pairs[i];
        uint64_t n, delta, at = 0;
        if (!take_text(&rest, &pair->name) || !take_text(&rest, &pair->value) ||
            !codec_take_varint(&rest, &n))
            return ERR_CORRUPT;
        const char *begin = rest.ptr;
        for (uint64_t k = 0; k < n; k++) {
            if (!codec_take_varint(&rest, &delta) || (at += delta) >= p->series_count)
                return ERR_CORRUPT;
        }
        pair->postings = slice_make(begin, (size_t)(rest.ptr - begin));
        pair->count = (uint32_t)n;
    }
    p->pair_count = count;
    return rest.len ? ERR_CORRUPT : 0;
}

static int check_and_load(struct store_part *p)
{
    struct slice b = p->bytes;
    uint64_t words[FOOTER_WORDS];
    if (b.len < HEADER_BYTES + sizeof(words) + TRAILER_BYTES || memcmp(b.ptr, MAGIC, 8) != 0)
        return ERR_CORRUPT;
    const char *trailer = b.ptr + b.len - TRAILER_BYTES;
    uint64_t footer = codec_load64(trailer);
    if (memcmp(trailer + 16, END_MAGIC, 8) != 0 || footer != b.len - TRAILER_BYTES - sizeof(words))
        return ERR_CORRUPT;
    memcpy(words, b.ptr + footer, sizeof(words));
    if (codec_load64(trailer + 8) != hash64(words, sizeof(words), footer) ||
        p->info.footer_sum != codec_load64(trailer + 8))
        return ERR_CORRUPT;
    if (words[1] < HEADER_BYTES || words[1] > footer || words[2] > footer - words[1] ||
        words[3] != words[1] + words[2] || words[4] != footer - words[3])
        return ERR_CORRUPT;
    p->series_table = slice_make(b.ptr + words[1], (size_t)words[2]);
    struct slice index = slice_make(b.ptr + words[3], (size_t)words[4]);
    if (words[10] != hash64(p->series_table.ptr, p->series_table.len, 0) ||
        words[11] != hash64(index.ptr, index.len, 0))
        return ERR_CORRUPT;
    int err = read_series_table(p, (size_t)words[5]);
    return err ? err : read_index(p, index, (size_t)words[6]);
}

static void close_part(struct store_part *p)
{
    if (p->bytes.ptr)
        p->os->ops->unmap(p->file, p->bytes);
    p->os->ops->close(p->file);
    if (p->doomed)
        p->os->ops->unlink(p->os, p->path, NULL);
    mem_free(p->rows);
    mem_free(p->pairs);
    mem_free(p->path);
    mem_free(p);
}

int store_part_open(struct os *os, const char *path, const struct store_part_info *info,
                    struct store_part **out, struct diag *diag)
{
    struct os_file *f;
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
    if (!err && check_and_load(p))
        err = diag_set(diag, ERR_CORRUPT, "part %s is damaged", path);
    if (err) {
        close_part(p);
        return err;
    }
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

void store_part_doom(struct store_part *p)
{
    p->doomed = true;
}

size_t store_part_series_count(const struct store_part *p)
{
    return p->series_count;
}

static struct slice row_at(const struct store_part *p, size_t series)
{
    return slice_from(p->series_table, (size_t)p->rows[series]);
}

struct slice store_part_key(const struct store_part *p, size_t series)
{
    struct slice row = row_at(p, series), key;
    return take_text(&row, &key) ? key : (struct slice){NULL, 0};
}

/* One block of a row; the table was checked when the part was opened. */
struct block_ref {
    uint64_t len, samples;
    int64_t first, last;
    uint32_t sum;
};

static void take_block(struct slice *row, struct block_ref *b)
{
    uint64_t zz = 0, span = 0;
    codec_take_varint(row, &b->len);
    codec_take_varint(row, &b->samples);
    codec_take_varint(row, &zz);
    codec_take_varint(row, &span);
    b->first = codec_unzigzag(zz);
    b->last = (int64_t)((uint64_t)b->first + span);
    b->sum = codec_load32(row->ptr);
    *row = slice_from(*row, 4);
}

int store_part_read(const struct store_part *p, size_t series, int64_t t_min, int64_t t_max,
                    struct store_run *out)
{
    struct slice row = row_at(p, series), key;
    uint64_t offset = 0, count = 0;
    take_text(&row, &key);
    codec_take_varint(&row, &offset);
    codec_take_varint(&row, &count);
    for (uint64_t i = 0; i < count; i++) {
        struct block_ref b;
        take_block(&row, &b);
        if (b.last >= t_min && b.first <= t_max) {
            if (offset > p->bytes.len || b.len > p->bytes.len - offset)
                return ERR_CORRUPT;
            struct slice bytes = slice_make(p->bytes.ptr + offset, (size_t)b.len);
            if ((uint32_t)hash64(bytes.ptr, bytes.len, 0) != b.sum)
                return ERR_CORRUPT;
            int err = store_block_decode(bytes, out);
            if (err)
                return err;
        }
        offset += b.len;
    }
    return 0;
}

void store_part_series_range(const struct store_part *p, size_t series, int64_t *t_min,
                             int64_t *t_max)
{
    struct slice row = row_at(p, series), key;
    uint64_t offset = 0, count = 0;
    take_text(&row, &key);
    codec_take_varint(&row, &offset);
    codec_take_varint(&row, &count);
    *t_min = INT64_MAX;
    *t_max = INT64_MIN;
    for (uint64_t i = 0; i < count; i++) {
        struct block_ref b;
        take_block(&row, &b);
        *t_min = MIN(*t_min, b.first);
        *t_max = MAX(*t_max, b.last);
    }
}

/* First pair whose name is not before `name`. */
static size_t name_begin(const struct store_part *p, struct slice name)
{
    size_t lo = 0, hi = p->pair_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (slice_cmp(p->pairs[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* marks[i] counts the matchers series i has satisfied so far: after matcher k it has to be k + 1.
 */
static void mark(const struct pair *pair, uint32_t *marks, uint32_t from)
{
    struct slice rest = pair->postings;
    uint64_t delta = 0, at = 0;
    for (uint32_t i = 0; i < pair->count; i++) {
        codec_take_varint(&rest, &delta);
        at += delta;
        if (marks[at] == from)
            marks[at] = from + 1;
    }
}

int store_part_match(const struct store_part *p, struct slice tenant,
                     const struct store_matcher *matchers, size_t count, uint32_t **out,
                     size_t *out_count)
{
    size_t n = p->series_count;
    uint32_t *marks = mem_calloc(n, sizeof(*marks));
    for (size_t m = 0; m < count; m++) {
        const struct store_matcher *matcher = &matchers[m];
        uint32_t from = (uint32_t)m;
        bool takes_missing = store_matcher_matches(matcher, SLICE(""));
        if (takes_missing) {
            /* Everything, but for the series whose value does not match: mark those out. */
            for (size_t i = 0; i < n; i++)
                marks[i] = marks[i] == from ? from + 1 : marks[i];
        }
        for (size_t i = name_begin(p, matcher->name);
             i < p->pair_count && slice_eq(p->pairs[i].name, matcher->name); i++) {
            if (matcher->op == STORE_MATCH_EQ && !takes_missing) {
                int c = slice_cmp(p->pairs[i].value, matcher->value);
                if (c > 0)
                    break;
                if (c < 0)
                    continue;
            }
            bool matches = store_matcher_matches(matcher, p->pairs[i].value);
            if (matches && !takes_missing) {
                mark(&p->pairs[i], marks, from);
            } else if (!matches && takes_missing) {
                struct slice rest = p->pairs[i].postings;
                uint64_t delta = 0, at = 0;
                for (uint32_t k = 0; k < p->pairs[i].count; k++) {
                    codec_take_varint(&rest, &delta);
                    at += delta;
                    if (marks[at] == from + 1)
                        marks[at] = UINT32_MAX;
                }
            }
        }
    }
    VEC(uint32_t) found = {0};
    for (size_t i = 0; i < n; i++) {
        struct slice series_tenant, labels_key;
        if (marks[i] != count)
            continue;
        if (store_series_key_split(store_part_key(p, i), &series_tenant, &labels_key) &&
            slice_eq(series_tenant, tenant))
            vec_push(&found, (uint32_t)i);
    }
    mem_free(marks);
    *out = found.items;
    *out_count = found.len;
    return 0;
}

bool store_part_is_of(const struct store_part *p, struct slice tenant)
{
    /* Keys begin with the tenant: between two of one tenant there is no other. */
    const size_t ends[] = {0, p->series_count - 1};
    for (size_t i = 0; p->series_count && i < ARRAY_LEN(ends); i++) {
        struct slice whose, labels_key;
        if (!store_series_key_split(store_part_key(p, ends[i]), &whose, &labels_key) ||
            !slice_eq(whose, tenant))
            return false;
    }
    return true;
}

void store_part_each_pair(const struct store_part *p,
                          bool (*fn)(struct slice name, struct slice value, void *ctx), void *ctx)
{
    for (size_t i = 0; i < p->pair_count; i++) {
        if (!fn(p->pairs[i].name, p->pairs[i].value, ctx))
            return;
    }
}
