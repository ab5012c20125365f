/* Writing a part: pieces of data as the series come, everything else at the end. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column.h"
#include "store/part_priv.h"
#include "store/summary.h"

#define WRITE_BYTES ((size_t)1 << 20)

struct row {
    uint32_t pairs, pair_count; /* in row_pairs */
};

struct store_part_writer {
    struct os *os;
    struct os_file *file;
    const struct store_pairs *pairs;
    uint64_t offset; /* of out's begin in the file */
    struct buf out;
    uint64_t seed;
    uint64_t page_begin;
    VEC(struct store__page) pages;
    VEC(struct store__times) times;
    uint32_t *times_table; /* open addressing by content: index + 1 */
    uint64_t *times_sum;
    size_t times_size;
    VEC(uint32_t) row_pairs;
    VEC(struct row) rows;
    struct buf tails;             /* what follows a row's pairs, per row with its length before */
    struct buf summaries;         /* of the last groups, for a page of their own */
    VEC(uint64_t) summary_groups; /* where each group's begin: in the file, or those behind in it */
    size_t summaries_placed;      /* groups that are in the file */
    bool has_summaries;
    struct buf piece;
    struct store__stats stats;
};

static uint64_t here(const struct store_part_writer *w)
{
    return w->offset + w->out.len;
}

static int drain(struct store_part_writer *w, size_t keep, struct diag *diag)
{
    size_t len = w->out.len - keep;
    int err = w->os->ops->write_at(w->file, w->offset, w->out.ptr, len, diag);
    w->offset += len;
    buf_consume(&w->out, len);
    return err;
}

/* A page is what has one checksum: whole pieces, at least STORE__PART_PAGE of them. */
static int end_page(struct store_part_writer *w, bool last, struct diag *diag)
{
    size_t len = (size_t)(here(w) - w->page_begin);
    if (!len || (!last && len < STORE__PART_PAGE))
        return 0;
    struct store__page page = {here(w),
                               hash64(w->out.ptr + w->out.len - len, len, w->seed ^ w->page_begin)};
    vec_push(&w->pages, page);
    w->page_begin = here(w);
    return w->out.len >= WRITE_BYTES ? drain(w, 0, diag) : 0;
}

int store_part_create(struct os *os, const char *path, const struct store_pairs *pairs,
                      struct store_part_writer **out, struct diag *diag)
{
    struct os_file *f;
    int err = os->ops->open(os, path, OS_READ | OS_WRITE | OS_CREATE | OS_TRUNC, &f, diag);
    if (err)
        return err;
    struct store_part_writer *w = mem_calloc(1, sizeof(*w));
    *w = (struct store_part_writer){.os = os,
                                    .file = f,
                                    .pairs = pairs,
                                    .page_begin = STORE__PART_HEADER,
                                    .stats = {.t_min = INT64_MAX, .t_max = INT64_MIN}};
    os->ops->random(os, &w->seed, sizeof(w->seed));
    buf_append(&w->out, STORE__PART_MAGIC, 8);
    codec_append64(&w->out, w->seed);
    *out = w;
    return 0;
}

static void grow_times_table(struct store_part_writer *w)
{
    size_t size = MAX(w->times_size * 2, (size_t)64);
    uint32_t *table = mem_calloc(size, sizeof(*table));
    w->times_sum = mem_realloc(w->times_sum, size * sizeof(*w->times_sum));
    for (size_t i = 0; i < w->times.len; i++) {
        size_t at = w->times_sum[i] & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = (uint32_t)i + 1;
    }
    mem_free(w->times_table);
    w->times_table = table;
    w->times_size = size;
}

/* The series of one scrape have the same times: such a column is written once. Returns its index.
 */
static uint32_t put_times(struct store_part_writer *w, const int64_t *ts, size_t count)
{
    if (w->times.len * 2 >= w->times_size)
        grow_times_table(w);
    uint64_t sum = hash64(ts, count * sizeof(*ts), count);
    size_t at = sum & (w->times_size - 1);
    for (; w->times_table[at]; at = (at + 1) & (w->times_size - 1)) {
        uint32_t i = w->times_table[at] - 1;
        const struct store__times *t = &w->times.items[i];
        if (w->times_sum[i] == sum && t->count == count && t->first == ts[0] &&
            t->last == ts[count - 1])
            return i;
    }
    struct store__times t = {
        .offset = here(w), .count = (uint32_t)count, .first = ts[0], .last = ts[count - 1]};
    codec_ints_encode(ts, count, &w->out);
    t.len = (uint32_t)(here(w) - t.offset);
    w->times_table[at] = (uint32_t)w->times.len + 1;
    w->times_sum[w->times.len] = sum;
    vec_push(&w->times, t);
    return (uint32_t)w->times.len - 1;
}

/* The summaries at hand become a page: they are read without the samples beside them. */
static int place_summaries(struct store_part_writer *w, struct diag *diag)
{
    int err = end_page(w, true, diag);
    uint64_t at = here(w);
    buf_append_slice(&w->out, buf_slice(&w->summaries));
    buf_clear(&w->summaries);
    for (; w->summaries_placed < w->summary_groups.len; w->summaries_placed++)
        w->summary_groups.items[w->summaries_placed] += at;
    return err ? err : end_page(w, true, diag);
}

/* varint length, then the summaries of all blocks; length 0: there is none. */
static int put_summaries(struct store_part_writer *w, const struct store_run *run,
                         struct diag *diag)
{
    struct store_summary_chain chain = {0};
    struct buf *piece = &w->piece;
    bool any = false;
    int err = 0;
    if (w->rows.len % STORE__PART_GROUP == 0) {
        if (w->summaries.len >= STORE__PART_PAGE)
            err = place_summaries(w, diag);
        vec_push(&w->summary_groups, w->summaries.len);
    }
    buf_clear(piece);
    for (size_t i = 0; i < run->len; i += STORE_BLOCK_SAMPLES) {
        size_t n = MIN(run->len - i, (size_t)STORE_BLOCK_SAMPLES);
        bool floats = true;
        for (size_t k = i; k < i + n && floats && (run->hist || run->start); k++)
            floats = !(run->hist && run->hist[k].ptr) && !(run->start && run->start[k]);
        struct store_summary s = {0};
        if (floats && n >= STORE_SUMMARY_SAMPLES)
            store_summary_make(run->value + i, n, &s);
        any |= s.knows != 0;
        store_summary_encode(&chain, &s, piece);
    }
    codec_append_varint(&w->summaries, any ? piece->len : 0);
    if (any)
        buf_append_slice(&w->summaries, buf_slice(piece));
    w->has_summaries |= any;
    return err;
}

static void put_exemplars(struct buf *out, const struct store_part_exemplar *e, size_t count)
{
    codec_append_varint(out, count);
    for (size_t i = 0; i < count; i++) {
        codec_append_varint(out, codec_zigzag(e[i].ts));
        codec_append64(out, codec_double_bits(e[i].value));
        codec_append_varint(out, e[i].labels.len);
        buf_append_slice(out, e[i].labels);
    }
}

int store_part_add(struct store_part_writer *w, const uint32_t *ordinals, size_t count,
                   const struct store_run *run, const struct store_part_exemplar *exemplars,
                   size_t exemplar_count, struct diag *diag)
{
    size_t blocks = (run->len + STORE_BLOCK_SAMPLES - 1) / STORE_BLOCK_SAMPLES;
    if (!blocks && !exemplar_count)
        return 0;
    int err = put_summaries(w, run, diag);
    if (err)
        return err;
    struct buf *row = &w->piece;
    buf_clear(row);
    /* Columns of times first, so that the values lie one behind the other. */
    uint32_t times[64], *ref = blocks > ARRAY_LEN(times) ? mem_alloc(blocks * sizeof(*ref)) : times;
    for (size_t i = 0; i < blocks; i++) {
        size_t from = i * STORE_BLOCK_SAMPLES,
               n = MIN(run->len - from, (size_t)STORE_BLOCK_SAMPLES);
        ref[i] = put_times(w, run->ts + from, n);
    }
    codec_append_varint(row, blocks << 1 | (exemplar_count > 0));
    codec_append_varint(row, here(w));
    for (size_t i = 0; i < blocks; i++) {
        size_t from = i * STORE_BLOCK_SAMPLES,
               n = MIN(run->len - from, (size_t)STORE_BLOCK_SAMPLES);
        uint64_t begin = here(w);
        store_values_encode(run, from, n, &w->out);
        codec_append_varint(row, ref[i]);
        codec_append_varint(row, here(w) - begin);
    }
    if (ref != times)
        mem_free(ref);
    if (exemplar_count) {
        uint64_t begin = here(w);
        put_exemplars(&w->out, exemplars, exemplar_count);
        codec_append_varint(row, here(w) - begin);
    }
    codec_append_varint(&w->tails, row->len);
    buf_append_slice(&w->tails, buf_slice(row));
    vec_push(&w->rows, ((struct row){(uint32_t)w->row_pairs.len, (uint32_t)count}));
    vec_reserve(&w->row_pairs, count);
    memcpy(w->row_pairs.items + w->row_pairs.len, ordinals, count * sizeof(*ordinals));
    w->row_pairs.len += count;
    w->stats.samples += run->len;
    w->stats.exemplars += exemplar_count;
    if (run->len) {
        w->stats.t_min = MIN(w->stats.t_min, run->ts[0]);
        w->stats.t_max = MAX(w->stats.t_max, run->ts[run->len - 1]);
    }
    for (size_t i = 0; i < exemplar_count; i++) {
        w->stats.t_min = MIN(w->stats.t_min, exemplars[i].ts);
        w->stats.t_max = MAX(w->stats.t_max, exemplars[i].ts);
    }
    return end_page(w, false, diag);
}

void store_part_abandon(struct store_part_writer *w)
{
    if (!w)
        return;
    buf_deinit(&w->out);
    vec_free(&w->pages);
    vec_free(&w->times);
    mem_free(w->times_table);
    mem_free(w->times_sum);
    vec_free(&w->row_pairs);
    vec_free(&w->rows);
    buf_deinit(&w->tails);
    buf_deinit(&w->summaries);
    vec_free(&w->summary_groups);
    buf_deinit(&w->piece);
    w->os->ops->close(w->file);
    mem_free(w);
}

/* --- the index --- */

struct section {
    struct buf bytes;
    bool used;
};

/* Pairs that are used get their place in the file: map[ordinal], UINT32_MAX for the others. */
static uint32_t *number_pairs(const struct store_part_writer *w, uint32_t **out_series,
                              uint32_t *out_count)
{
    size_t all = w->pairs->items.len;
    uint32_t *series = mem_calloc(all, sizeof(*series)), *map = mem_alloc(all * sizeof(*map)),
             n = 0;
    for (size_t i = 0; i < w->row_pairs.len; i++)
        series[w->row_pairs.items[i]]++;
    for (size_t i = 0; i < all; i++)
        map[i] = series[i] ? n++ : UINT32_MAX;
    *out_series = series;
    *out_count = n;
    return map;
}

static void write_rows(struct store_part_writer *w, const uint32_t *map, struct buf *rows,
                       struct buf *groups)
{
    struct slice tails = buf_slice(&w->tails);
    const struct row *before = NULL;
    for (size_t i = 0; i < w->rows.len; i++) {
        const struct row *row = &w->rows.items[i];
        const uint32_t *pairs = w->row_pairs.items + row->pairs;
        uint32_t shared = 0, last = 0;
        uint64_t len;
        if (i % STORE__PART_GROUP == 0) {
            codec_append32(groups, (uint32_t)rows->len);
        } else {
            const uint32_t *was = w->row_pairs.items + before->pairs;
            while (shared < row->pair_count && shared < before->pair_count &&
                   pairs[shared] == was[shared])
                shared++;
        }
        codec_append_varint(rows, shared);
        codec_append_varint(rows, row->pair_count - shared);
        if (shared)
            last = map[pairs[shared - 1]];
        for (uint32_t k = shared; k < row->pair_count; k++) {
            codec_append_varint(rows, map[pairs[k]] - last);
            last = map[pairs[k]];
        }
        codec_take_varint(&tails, &len);
        buf_append_slice(rows, slice_first(tails, (size_t)len));
        tails = slice_from(tails, (size_t)len);
        before = row;
    }
}

/* Ascending numbers as runs: varint gap to the end of the run before << 1 | longer than one,
 * [varint length - 2]. */
static void put_postings(const uint32_t *series, uint32_t count, struct buf *out)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < count;) {
        uint32_t n = 1;
        while (i + n < count && series[i + n] == series[i] + n)
            n++;
        codec_append_varint(out, (uint64_t)(series[i] - next) << 1 | (n > 1));
        if (n > 1)
            codec_append_varint(out, n - 2);
        next = series[i] + n;
        i += n;
    }
}

static void put_string(struct buf *strings, struct slice s, uint32_t *at, uint32_t *len)
{
    *at = (uint32_t)strings->len;
    *len = (uint32_t)s.len;
    buf_append_slice(strings, s);
}

static int write_index(struct store_part_writer *w, struct section *sections, struct diag *diag)
{
    uint32_t *series, pair_count;
    uint32_t *map = number_pairs(w, &series, &pair_count);
    struct buf *strings = &sections[STORE__SECTION_STRINGS].bytes,
               *postings = &sections[STORE__SECTION_POSTINGS].bytes;
    write_rows(w, map, &sections[STORE__SECTION_SERIES].bytes,
               &sections[STORE__SECTION_GROUPS].bytes);
    /* The series of each pair, by counting: begin[i] runs from its first to behind its last. */
    uint32_t *begin = mem_alloc(w->pairs->items.len * sizeof(*begin)),
             *all = mem_alloc(w->row_pairs.len * sizeof(*all)), at = 0;
    for (size_t i = 0; i < w->pairs->items.len; i++) {
        begin[i] = at;
        at += series[i];
    }
    for (size_t i = 0; i < w->rows.len; i++) {
        const struct row *row = &w->rows.items[i];
        for (uint32_t k = 0; k < row->pair_count; k++)
            all[begin[w->row_pairs.items[row->pairs + k]]++] = (uint32_t)i;
    }
    const struct data_label *before = NULL;
    for (size_t i = 0; i < w->pairs->items.len; i++) {
        if (!series[i])
            continue;
        const struct data_label *label = &w->pairs->items.items[i];
        if (!before || !slice_eq(before->name, label->name)) {
            struct store__name name = {.first_pair = map[i]};
            put_string(strings, label->name, &name.string, &name.len);
            buf_append(&sections[STORE__SECTION_NAMES].bytes, &name, sizeof(name));
        }
        struct store__pair pair = {.postings = (uint32_t)postings->len, .series = series[i]};
        put_string(strings, label->value, &pair.string, &pair.len);
        buf_append(&sections[STORE__SECTION_PAIRS].bytes, &pair, sizeof(pair));
        put_postings(all + begin[i] - series[i], series[i], postings);
        before = label;
    }
    w->stats.pairs = pair_count;
    w->stats.series = w->rows.len;
    mem_free(series);
    mem_free(map);
    mem_free(begin);
    mem_free(all);
    if (strings->len > UINT32_MAX || postings->len > UINT32_MAX ||
        sections[STORE__SECTION_SERIES].bytes.len > UINT32_MAX)
        return diag_set(diag, ERR_LIMIT, "too many series for one part");
    return 0;
}

int store_part_finish(struct store_part_writer *w, struct store_part_info *info, struct diag *diag)
{
    struct section sections[STORE__SECTION_END] = {0};
    struct buf footer = {0};
    uint64_t sum = 0;
    int err = w->has_summaries ? place_summaries(w, diag) : end_page(w, true, diag);
    if (!err)
        err = write_index(w, sections, diag);
    if (w->has_summaries)
        buf_append(&sections[STORE__SECTION_SUMMARIES].bytes, w->summary_groups.items,
                   w->summary_groups.len * sizeof(*w->summary_groups.items));
    buf_append(&sections[STORE__SECTION_STATS].bytes, &w->stats, sizeof(w->stats));
    buf_append(&sections[STORE__SECTION_PAGES].bytes, w->pages.items,
               w->pages.len * sizeof(*w->pages.items));
    buf_append(&sections[STORE__SECTION_TIMES].bytes, w->times.items,
               w->times.len * sizeof(*w->times.items));
    for (uint32_t i = 1; i < STORE__SECTION_END && !err; i++) {
        struct slice bytes = buf_slice(&sections[i].bytes);
        if (store__section_is_optional(i) && !bytes.len)
            continue;
        codec_append32(&footer, i | 1u << 16);
        codec_append32(&footer, store__section_is_optional(i) ? 0 : STORE__SECTION_CRITICAL);
        codec_append64(&footer, here(w));
        codec_append64(&footer, bytes.len);
        codec_append64(&footer, hash64(bytes.ptr, bytes.len, w->seed ^ i));
        buf_append_slice(&w->out, bytes);
        if (w->out.len > WRITE_BYTES)
            err = drain(w, 0, diag);
    }
    if (!err) {
        uint64_t at = here(w);
        sum = hash64(footer.ptr, footer.len, w->seed ^ at);
        buf_append_slice(&w->out, buf_slice(&footer));
        codec_append64(&w->out, at);
        codec_append64(&w->out, footer.len / STORE__PART_ENTRY);
        codec_append64(&w->out, sum);
        buf_append(&w->out, STORE__PART_END, 8);
        err = drain(w, 0, diag);
    }
    if (!err)
        err = w->os->ops->sync(w->file, diag);
    info->series = w->rows.len;
    info->samples = w->stats.samples;
    info->t_min_ns = w->stats.t_min;
    info->t_max_ns = w->stats.t_max;
    info->bytes = w->offset;
    info->footer_sum = sum;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        buf_deinit(&sections[i].bytes);
    buf_deinit(&footer);
    store_part_abandon(w);
    return err;
}
