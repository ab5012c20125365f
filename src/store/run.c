#include "store/run.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column.h"

enum { VALUES_HISTOGRAMS = 1, VALUES_STARTS = 2 };

void store_run_free(struct store_run *r)
{
    mem_free(r->ts);
    mem_free(r->value);
    mem_free(r->hist);
    mem_free(r->start);
    *r = (struct store_run){0};
}

void store_run_clear(struct store_run *r)
{
    r->len = 0;
    mem_free(r->hist);
    mem_free(r->start);
    r->hist = NULL;
    r->start = NULL;
}

void store_run_reserve(struct store_run *r, size_t extra)
{
    size_t need = r->len + extra;
    if (need <= r->cap)
        return;
    r->cap = MAX(need, r->cap ? r->cap + r->cap / 2 : 16);
    r->ts = mem_realloc(r->ts, r->cap * sizeof(*r->ts));
    r->value = mem_realloc(r->value, r->cap * sizeof(*r->value));
    if (r->hist)
        r->hist = mem_realloc(r->hist, r->cap * sizeof(*r->hist));
    if (r->start)
        r->start = mem_realloc(r->start, r->cap * sizeof(*r->start));
}

/* The rarer columns begin with the first sample that has something in them. */
static void with_hist(struct store_run *r)
{
    if (!r->hist)
        r->hist = mem_calloc(r->cap, sizeof(*r->hist));
}

static void with_start(struct store_run *r)
{
    if (!r->start)
        r->start = mem_calloc(r->cap, sizeof(*r->start));
}

void store_run_push(struct store_run *r, int64_t ts, double value, struct slice hist, int64_t start)
{
    store_run_reserve(r, 1);
    if (hist.ptr)
        with_hist(r);
    if (start)
        with_start(r);
    r->ts[r->len] = ts;
    r->value[r->len] = value;
    if (r->hist)
        r->hist[r->len] = hist;
    if (r->start)
        r->start[r->len] = start;
    r->len++;
}

struct store_run store_run_slice(const struct store_run *r, size_t from, size_t count)
{
    return (struct store_run){.ts = r->ts + from,
                              .value = r->value + from,
                              .hist = r->hist ? r->hist + from : NULL,
                              .start = r->start ? r->start + from : NULL,
                              .len = count};
}

struct order {
    int64_t ts;
    size_t index;
};

static int by_time(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

void store_run_sort(struct store_run *r)
{
    bool sorted = true;
    for (size_t i = 1; i < r->len && sorted; i++)
        sorted = r->ts[i - 1] < r->ts[i];
    if (sorted)
        return;
    struct order *order = mem_alloc(r->len * sizeof(*order));
    for (size_t i = 0; i < r->len; i++)
        order[i] = (struct order){r->ts[i], i};
    qsort(order, r->len, sizeof(*order), by_time);
    struct store_run out = {0};
    store_run_reserve(&out, r->len);
    if (r->hist)
        with_hist(&out);
    if (r->start)
        with_start(&out);
    for (size_t i = 0; i < r->len; i++) {
        size_t from = order[i].index;
        if (i + 1 < r->len && order[i + 1].ts == order[i].ts)
            continue; /* a later one has the same time */
        out.ts[out.len] = r->ts[from];
        out.value[out.len] = r->value[from];
        if (out.hist)
            out.hist[out.len] = r->hist[from];
        if (out.start)
            out.start[out.len] = r->start[from];
        out.len++;
    }
    mem_free(order);
    store_run_free(r);
    *r = out;
}

/* u8 flags | doubles | [ints: start timestamps] | [per sample: varint 0 for a float, or length + 1
 * and the packed histogram] */
void store_values_encode(const struct store_run *r, size_t from, size_t count, struct buf *out)
{
    bool histograms = false, starts = false;
    for (size_t i = 0; r->hist && i < count && !histograms; i++)
        histograms = r->hist[from + i].ptr != NULL;
    for (size_t i = 0; r->start && i < count && !starts; i++)
        starts = r->start[from + i] != 0;
    buf_append_char(out,
                    (char)((histograms ? VALUES_HISTOGRAMS : 0) | (starts ? VALUES_STARTS : 0)));
    codec_doubles_encode(r->value + from, count, out);
    if (starts)
        codec_ints_encode(r->start + from, count, out);
    for (size_t i = 0; histograms && i < count; i++) {
        struct slice h = r->hist[from + i];
        codec_append_varint(out, h.ptr ? h.len + 1 : 0);
        buf_append_slice(out, h);
    }
}

int store_values_decode(struct slice block, struct store_run *r, size_t at, size_t count,
                        unsigned *facts)
{
    uint64_t len;
    if (!block.len)
        return ERR_CORRUPT;
    unsigned flags = (unsigned char)block.ptr[0];
    block = slice_from(block, 1);
    if (flags & ~(unsigned)(VALUES_HISTOGRAMS | VALUES_STARTS) ||
        codec_doubles_decode_facts(&block, r->value + at, count, facts))
        return ERR_CORRUPT;
    if (flags & VALUES_STARTS) {
        with_start(r);
        if (codec_ints_decode(&block, r->start + at, count))
            return ERR_CORRUPT;
    } else if (r->start) {
        memset(r->start + at, 0, count * sizeof(*r->start));
    }
    if (!(flags & VALUES_HISTOGRAMS)) {
        if (r->hist)
            memset(r->hist + at, 0, count * sizeof(*r->hist));
        return block.len ? ERR_CORRUPT : 0;
    }
    with_hist(r);
    for (size_t i = 0; i < count; i++) {
        struct slice h = {NULL, 0};
        if (!codec_take_varint(&block, &len) || len > block.len + 1)
            return ERR_CORRUPT;
        if (len) {
            h = slice_first(block, (size_t)len - 1);
            block = slice_from(block, (size_t)len - 1);
        }
        r->hist[at + i] = h;
    }
    return block.len ? ERR_CORRUPT : 0;
}

void store_block_encode(const struct store_run *r, size_t from, size_t count, struct buf *out)
{
    codec_append_varint(out, count);
    codec_ints_encode(r->ts + from, count, out);
    store_values_encode(r, from, count, out);
}

int store_block_decode(struct slice block, struct store_run *r, unsigned *facts)
{
    uint64_t count;
    if (!codec_take_varint(&block, &count) || count > STORE_BLOCK_SAMPLES)
        return ERR_CORRUPT;
    store_run_reserve(r, (size_t)count);
    if (codec_ints_decode(&block, r->ts + r->len, (size_t)count))
        return ERR_CORRUPT;
    int err = store_values_decode(block, r, r->len, (size_t)count, facts);
    if (!err)
        r->len += (size_t)count;
    return err;
}

/* --- histograms --- */

enum { HISTOGRAM_INTEGER = 1, HISTOGRAM_STALE = 2 };

static void put_side(const struct data_histogram_span *spans, uint32_t span_count,
                     const double *buckets, uint32_t bucket_count, struct buf *out)
{
    codec_append_varint(out, span_count);
    for (uint32_t i = 0; i < span_count; i++) {
        codec_append_varint(out, codec_zigzag(spans[i].offset));
        codec_append_varint(out, spans[i].length);
    }
    codec_append_varint(out, bucket_count);
    codec_doubles_encode(buckets, bucket_count, out);
}

void store_histogram_encode(const struct data_histogram *h, struct buf *out)
{
    const double numbers[] = {h->zero_threshold, h->zero_count, h->count, h->sum};
    buf_append_char(
        out, (char)((h->is_integer ? HISTOGRAM_INTEGER : 0) | (h->is_stale ? HISTOGRAM_STALE : 0)));
    buf_append_char(out, (char)h->reset_hint);
    codec_append_varint(out, codec_zigzag(h->schema));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        codec_append64(out, codec_double_bits(numbers[i]));
    put_side(h->positive_spans, h->positive_span_count, h->positive, h->positive_count, out);
    put_side(h->negative_spans, h->negative_span_count, h->negative, h->negative_count, out);
    codec_append_varint(out, h->custom_bound_count);
    codec_doubles_encode(h->custom_bounds, h->custom_bound_count, out);
}

static int take_doubles(struct slice *in, struct arena *arena, double **out, uint32_t *out_count)
{
    uint64_t count;
    if (!codec_take_varint(in, &count) || count > CODEC_COLUMN_MAX)
        return ERR_CORRUPT;
    *out = ARENA_ARRAY(arena, double, (size_t)count);
    if (!*out)
        return ERR_NOMEM;
    *out_count = (uint32_t)count;
    return codec_doubles_decode(in, *out, (size_t)count);
}

static int take_side(struct slice *in, struct arena *arena, struct data_histogram_span **spans,
                     uint32_t *span_count, double **buckets, uint32_t *bucket_count)
{
    uint64_t count, zz, length;
    if (!codec_take_varint(in, &count) || count > in->len)
        return ERR_CORRUPT;
    *spans = ARENA_ARRAY(arena, struct data_histogram_span, (size_t)count);
    if (!*spans)
        return ERR_NOMEM;
    for (uint64_t i = 0; i < count; i++) {
        if (!codec_take_varint(in, &zz) || !codec_take_varint(in, &length) || length > UINT32_MAX)
            return ERR_CORRUPT;
        (*spans)[i] = (struct data_histogram_span){(int32_t)codec_unzigzag(zz), (uint32_t)length};
    }
    *span_count = (uint32_t)count;
    return take_doubles(in, arena, buckets, bucket_count);
}

int store_histogram_decode(struct slice in, struct arena *arena, struct data_histogram **out)
{
    struct data_histogram *h = ARENA_NEW(arena, struct data_histogram);
    double *const numbers[] = {&h->zero_threshold, &h->zero_count, &h->count, &h->sum};
    uint64_t zz;
    if (!h)
        return ERR_NOMEM;
    if (in.len < 2)
        return ERR_CORRUPT;
    h->is_integer = in.ptr[0] & HISTOGRAM_INTEGER;
    h->is_stale = in.ptr[0] & HISTOGRAM_STALE;
    h->reset_hint = (uint8_t)in.ptr[1];
    in = slice_from(in, 2);
    if (!codec_take_varint(&in, &zz) || in.len < sizeof(numbers) / sizeof(numbers[0]) * 8)
        return ERR_CORRUPT;
    h->schema = (int32_t)codec_unzigzag(zz);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        *numbers[i] = codec_load_double(in.ptr);
        in = slice_from(in, 8);
    }
    int err = take_side(&in, arena, &h->positive_spans, &h->positive_span_count, &h->positive,
                        &h->positive_count);
    if (!err)
        err = take_side(&in, arena, &h->negative_spans, &h->negative_span_count, &h->negative,
                        &h->negative_count);
    if (!err)
        err = take_doubles(&in, arena, &h->custom_bounds, &h->custom_bound_count);
    *out = h;
    return err;
}
