#include "store/tail.h"

#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "codec/column.h"
#include "codec/decimal.h"

#define STREAM_SEAL_BYTES ((size_t)32 << 10)
#define STREAM_BEGIN      ((size_t)32)
#define SAMPLE_MAX        48u /* bytes of a sample without its histogram */
#define DECIMALS_TRY      9   /* more are no measurement's, and raw bytes are as short */

struct tail_block {
    struct slice bytes; /* owned */
    int64_t t_min, t_max;
};

struct store_tail_blocks {
    size_t count, samples;
    struct tail_block items[];
};

/* A sample of the stream: u8 control, then what it says. Bits 0-1 time, 2-4 value, 5 start. */
enum {
    TIME_STEADY, /* as far from the one before as that from its own */
    TIME_MS,     /* zigzag varint: change of the distance in ms */
    TIME_NS,
    TIME_MASK = 3,

    VALUE_SAME = 0 << 2,
    VALUE_DECIMAL = 1 << 2, /* zigzag varint: difference of the decimal integers */
    VALUE_SHIFT = 2 << 2,   /* u8 decimals from now on, then the integer itself as zigzag varint */
    VALUE_RAW = 3 << 2,
    VALUE_HISTOGRAM = 4 << 2, /* varint length, bytes */
    VALUE_MASK = 7 << 2,

    START_CHANGED = 1 << 5, /* zigzag varint: difference to the last one */
};

enum {
    FLAG_DECIMAL = 1, /* last_value is a decimal integer */
    FLAG_START = 2,   /* the last start timestamp lies in front of the stream */
};
#define START_BYTES sizeof(int64_t)

static size_t begin_of(const struct store_tail *t)
{
    return t->flags & FLAG_START ? START_BYTES : 0;
}

/* What allocations are made of: a cap that fills one wastes nothing. */
static size_t round_cap(size_t cap)
{
    return ((sizeof(struct store_tail) + cap + 8 + 15) & ~(size_t)15) - 8 -
           sizeof(struct store_tail);
}

int64_t store_tail_t_max(const struct store_tail *t)
{
    int64_t out;
    bool far = t->ahead_s == UINT32_MAX ||
               __builtin_add_overflow(t->last_ts, t->ahead_s * NS_PER_SEC, &out);
    return far ? INT64_MAX : out;
}

/* The last sample is at last_ts, and none is later than t_max. */
static void set_t_max(struct store_tail *t, int64_t t_max)
{
    uint64_t ahead =
        t_max > t->last_ts ? ((uint64_t)t_max - (uint64_t)t->last_ts - 1) / NS_PER_SEC + 1 : 0;
    t->ahead_s = t_max == INT64_MAX ? UINT32_MAX : (uint32_t)MIN(ahead, (uint64_t)UINT32_MAX);
}

static struct store_tail *resize(struct store_tail *t, size_t cap)
{
    t = mem_realloc(t, sizeof(*t) + cap);
    t->cap = (uint32_t)cap;
    return t;
}

static void add_block(struct store_tail *t, struct tail_block block, size_t samples)
{
    size_t count = t->blocks ? t->blocks->count : 0;
    struct store_tail_blocks *b =
        mem_realloc(t->blocks, sizeof(*b) + (count + 1) * sizeof(b->items[0]));
    if (!count)
        *b = (struct store_tail_blocks){0};
    b->items[b->count++] = block;
    b->samples += samples;
    t->blocks = b;
}

static int read_stream(const struct store_tail *t, struct store_run *out, unsigned *facts);

/* Packs the stream away. */
static size_t seal(struct store_tail *t)
{
    struct store_run run = {0};
    size_t bytes = 0;
    unsigned facts = 0;
    int err = read_stream(t, &run, &facts);
    base_assert(!err);
    for (size_t i = 0; i < run.len; i += STORE_BLOCK_SAMPLES) {
        struct buf block = {0};
        size_t n = MIN(run.len - i, (size_t)STORE_BLOCK_SAMPLES);
        store_block_encode(&run, i, n, &block);
        struct tail_block one = {.bytes = slice_make(mem_realloc(block.ptr, block.len), block.len),
                                 .t_min = run.ts[i],
                                 .t_max = run.ts[i]};
        for (size_t k = i + 1; k < i + n; k++) { /* in the order of arrival */
            one.t_min = MIN(one.t_min, run.ts[k]);
            one.t_max = MAX(one.t_max, run.ts[k]);
        }
        add_block(t, one, n);
        bytes += block.len + sizeof(one);
    }
    store_run_free(&run);
    if (begin_of(t))
        codec_store64(t->stream, 0);
    t->len = (uint32_t)begin_of(t);
    t->stream_samples = 0;
    t->last_delta = t->last_value = 0;
    t->decimals = 0;
    t->flags &= (uint8_t)~FLAG_DECIMAL;
    return bytes;
}

/* A value that is no decimal integer leaves none behind: the next one counts from 0. */
static char *put_value(struct store_tail *t, double value, char *at, unsigned *control)
{
    int64_t m, base = t->flags & FLAG_DECIMAL ? t->last_value : 0;
    int decimals = t->decimals;
    bool fits = codec_decimal_from(value, decimals, &m);
    if (t->stream_samples &&
        (t->flags & FLAG_DECIMAL ? fits && m == base
                                 : (int64_t)codec_double_bits(value) == t->last_value))
        return at;
    if (fits) {
        int64_t d = (int64_t)((uint64_t)m - (uint64_t)base);
        if (codec_zigzag(d) < UINT64_C(1) << 49) {
            *control |= VALUE_DECIMAL;
            t->last_value = m;
            t->flags |= FLAG_DECIMAL;
            return codec_put_varint(at, codec_zigzag(d));
        }
    } else {
        do
            decimals++;
        while (decimals <= DECIMALS_TRY && !codec_decimal_from(value, decimals, &m));
        if (decimals <= DECIMALS_TRY && codec_zigzag(m) < UINT64_C(1) << 42) {
            *control |= VALUE_SHIFT;
            t->decimals = (uint8_t)decimals;
            t->last_value = m;
            t->flags |= FLAG_DECIMAL;
            *at++ = (char)decimals;
            return codec_put_varint(at, codec_zigzag(m));
        }
    }
    *control |= VALUE_RAW;
    t->last_value = (int64_t)codec_double_bits(value);
    t->flags &= (uint8_t)~FLAG_DECIMAL;
    codec_store64(at, codec_double_bits(value));
    return at + 8;
}

static size_t make_room(struct store_tail **t, size_t need)
{
    size_t before = (*t)->cap;
    if (need <= before)
        return 0;
    *t = resize(*t, round_cap(MAX(need, before + before / 4)));
    return (*t)->cap - before;
}

/* Room in front of the stream for the last start timestamp, once there is one. */
static size_t begin_starts(struct store_tail **t)
{
    size_t grown = make_room(t, (*t)->len + START_BYTES);
    memmove((*t)->stream + START_BYTES, (*t)->stream, (*t)->len);
    codec_store64((*t)->stream, 0);
    (*t)->len += (uint32_t)START_BYTES;
    (*t)->flags |= FLAG_START;
    return grown;
}

size_t store_tail_push(struct store_tail **to, int64_t ts, double value, struct slice hist,
                       int64_t start)
{
    struct store_tail *t = *to;
    size_t grown = 0;
    int64_t t_max = ts;
    if (!t) {
        size_t cap = round_cap(STREAM_BEGIN);
        t = mem_alloc(sizeof(*t) + cap);
        *t = (struct store_tail){.t_min = ts, .cap = (uint32_t)cap};
        grown = sizeof(*t) + cap;
    } else {
        t_max = MAX(ts, store_tail_t_max(t));
    }
    if (start && !(t->flags & FLAG_START))
        grown += begin_starts(&t);
    char bytes[SAMPLE_MAX], *at = bytes + 1;
    unsigned control = 0;
    int64_t last_ts = t->stream_samples ? t->last_ts : 0,
            delta = (int64_t)((uint64_t)ts - (uint64_t)last_ts),
            dod = (int64_t)((uint64_t)delta - (uint64_t)t->last_delta);
    if (dod) {
        bool ms = dod % NS_PER_MS == 0;
        control = ms ? TIME_MS : TIME_NS;
        at = codec_put_varint(at, codec_zigzag(ms ? dod / NS_PER_MS : dod));
    }
    /* The very first distance is the time itself: the next one has nothing to do with it. */
    t->last_delta = t->stream_samples ? delta : 0;
    t->last_ts = ts;
    set_t_max(t, t_max);
    int64_t last_start = t->flags & FLAG_START ? (int64_t)codec_load64(t->stream) : 0;
    if (start != last_start) {
        control |= START_CHANGED;
        at = codec_put_varint(at, codec_zigzag((int64_t)((uint64_t)start - (uint64_t)last_start)));
        codec_store64(t->stream, (uint64_t)start);
    }
    if (hist.ptr) {
        control |= VALUE_HISTOGRAM;
        at = codec_put_varint(at, hist.len);
        t->last_value = 0;
        t->flags &= (uint8_t)~FLAG_DECIMAL;
    } else {
        at = put_value(t, value, at, &control);
    }
    bytes[0] = (char)control;
    size_t len = (size_t)(at - bytes), need = t->len + len + (hist.ptr ? hist.len : 0);
    grown += make_room(&t, need);
    memcpy(t->stream + t->len, bytes, len);
    if (hist.len)
        memcpy(t->stream + t->len + len, hist.ptr, hist.len);
    t->len = (uint32_t)need;
    t->stream_samples++;
    t->t_min = MIN(t->t_min, ts);
    if (t->stream_samples >= STORE_TAIL_SEAL_SAMPLES || t->len >= STREAM_SEAL_BYTES)
        grown += seal(t);
    *to = t;
    return grown;
}

/* Every append made these bytes: they are not checked again. */
static int read_stream(const struct store_tail *t, struct store_run *out, unsigned *facts)
{
    struct slice in = slice_make(t->stream + begin_of(t), t->len - begin_of(t));
    int64_t ts = 0, delta = 0, start = 0, decimal = 0;
    double value = 0;
    int decimals = 0;
    bool fractions = false, raw = false; /* there may be such values */
    store_run_reserve(out, t->stream_samples);
    for (unsigned i = 0; i < t->stream_samples; i++) {
        uint64_t v = 0;
        if (!in.len)
            return ERR_CORRUPT;
        unsigned control = (unsigned char)in.ptr[0];
        in = slice_from(in, 1);
        if ((control & TIME_MASK) && !codec_take_varint(&in, &v))
            return ERR_CORRUPT;
        uint64_t dod = (uint64_t)codec_unzigzag(v);
        delta =
            (int64_t)((uint64_t)delta + ((control & TIME_MASK) == TIME_MS ? dod * NS_PER_MS : dod));
        ts = (int64_t)((uint64_t)ts + (uint64_t)delta);
        if (!i)
            delta = 0;
        if (control & START_CHANGED) {
            if (!codec_take_varint(&in, &v))
                return ERR_CORRUPT;
            start = (int64_t)((uint64_t)start + (uint64_t)codec_unzigzag(v));
        }
        struct slice hist = {NULL, 0};
        switch (control & VALUE_MASK) {
        case VALUE_SAME: break;
        case VALUE_SHIFT:
            if (!in.len || (unsigned char)in.ptr[0] > CODEC_DECIMALS_MAX)
                return ERR_CORRUPT;
            decimals = (unsigned char)in.ptr[0];
            decimal = 0;
            in = slice_from(in, 1);
            /* fall through */
        case VALUE_DECIMAL:
            if (!codec_take_varint(&in, &v))
                return ERR_CORRUPT;
            decimal = (int64_t)((uint64_t)decimal + (uint64_t)codec_unzigzag(v));
            value = decimals ? codec_decimal_value(decimal, decimals) : (double)decimal;
            fractions |= decimals > 0;
            break;
        case VALUE_RAW:
            raw = true;
            if (in.len < 8)
                return ERR_CORRUPT;
            value = codec_load_double(in.ptr);
            decimal = 0;
            in = slice_from(in, 8);
            break;
        case VALUE_HISTOGRAM:
            if (!codec_take_varint(&in, &v) || v > in.len)
                return ERR_CORRUPT;
            hist = slice_first(in, (size_t)v);
            in = slice_from(in, (size_t)v);
            value = 0;
            decimal = 0;
            break;
        default: return ERR_CORRUPT;
        }
        if (hist.ptr || start || out->hist || out->start) {
            store_run_push(out, ts, value, hist, start);
        } else { /* there is room */
            out->ts[out->len] = ts;
            out->value[out->len++] = value;
        }
    }
    if (raw)
        *facts = 0;
    else if (fractions)
        *facts &= ~(unsigned)CODEC_DOUBLES_INTEGERS;
    return 0;
}

int store_tail_read(const struct store_tail *t, struct store_run *out, unsigned *facts)
{
    unsigned more;
    for (size_t i = 0; t->blocks && i < t->blocks->count; i++) {
        int err = store_block_decode(t->blocks->items[i].bytes, out, &more);
        if (err)
            return err;
        *facts &= more;
    }
    return read_stream(t, out, facts);
}

size_t store_tail_samples(const struct store_tail *t)
{
    return t ? t->stream_samples + (t->blocks ? t->blocks->samples : 0) : 0;
}

void store_tail_free(struct store_tail *t)
{
    if (!t)
        return;
    for (size_t i = 0; t->blocks && i < t->blocks->count; i++)
        mem_free((void *)(uintptr_t)t->blocks->items[i].bytes.ptr);
    mem_free(t->blocks);
    mem_free(t);
}

struct store_tail *store_tail_join(struct store_tail *a, struct store_tail *b)
{
    if (!a || !b)
        return a ? a : b;
    if (a->stream_samples)
        seal(a);
    struct store_tail_blocks *later = b->blocks;
    b->blocks = a->blocks;
    for (size_t i = 0; later && i < later->count; i++)
        add_block(b, later->items[i], 0);
    if (later)
        b->blocks->samples += later->samples;
    b->t_min = MIN(a->t_min, b->t_min);
    set_t_max(b, MAX(store_tail_t_max(a), store_tail_t_max(b)));
    mem_free(later);
    mem_free(a);
    return b;
}

struct store_tail *store_tail_copy(const struct store_tail *t, int64_t t_min, int64_t t_max,
                                   struct arena *arena)
{
    struct store_tail *copy = arena_dup(arena, t, sizeof(*t) + t->len);
    copy->blocks = NULL;
    size_t count = 0;
    for (size_t i = 0; t->blocks && i < t->blocks->count; i++)
        count += t->blocks->items[i].t_min <= t_max && t->blocks->items[i].t_max >= t_min;
    if (!count)
        return copy;
    struct store_tail_blocks *blocks =
        arena_alloc(arena, sizeof(*blocks) + count * sizeof(blocks->items[0]));
    *blocks = (struct store_tail_blocks){0};
    for (size_t i = 0; i < t->blocks->count; i++) {
        struct tail_block *to = &blocks->items[blocks->count];
        *to = t->blocks->items[i];
        if (to->t_min > t_max || to->t_max < t_min)
            continue;
        struct slice head = to->bytes = arena_slice(arena, to->bytes);
        uint64_t samples;
        codec_take_varint(&head, &samples); /* a block begins with their number */
        blocks->samples += (size_t)samples;
        if (++blocks->count == count)
            break;
    }
    copy->blocks = blocks;
    return copy;
}
