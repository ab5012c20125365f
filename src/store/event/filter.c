#include "store/event/filter.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "base/mem.h"
#include "codec/bytes.h"
#include "data/event_batch.h"

#define SEEN    4096
#define SET_MIN 4096
#define PIECE   8

/* --- words --- */

static bool is_word(unsigned char c)
{
    unsigned char lower = c | 0x20;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

/* Bit i: byte i is part of a word. At most 64 bytes. */
static uint64_t word_mask(const char *p, size_t len)
{
    uint64_t mask = 0;
    size_t i = 0;
#ifdef __SSE2__
    for (; i + 16 <= len; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
        __m128i alpha = _mm_and_si128(_mm_cmpgt_epi8(lower, _mm_set1_epi8('a' - 1)),
                                      _mm_cmplt_epi8(lower, _mm_set1_epi8('z' + 1)));
        __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('0' - 1)),
                                      _mm_cmplt_epi8(v, _mm_set1_epi8('9' + 1)));
        __m128i other = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('_')),
                                     _mm_cmplt_epi8(v, _mm_setzero_si128()));
        __m128i word = _mm_or_si128(_mm_or_si128(alpha, digit), other);
        mask |= (uint64_t)(unsigned)_mm_movemask_epi8(word) << i;
    }
#endif
    for (; i < len; i++)
        mask |= (uint64_t)is_word((unsigned char)p[i]) << i;
    return mask;
}

/* 'A'-'Z' of eight bytes in lower case. */
static uint64_t fold(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low = x & (ones * 0x7f);
    uint64_t upper =
        ((low + ones * (0x80 - 'A')) & ~(low + ones * (0x80 - 'Z' - 1)) & ~x) & (ones * 0x80);
    return x | upper >> 2;
}

/* At most eight bytes of the text that ends at `end` and begins at `begin`. */
static inline uint64_t load_piece(const char *p, size_t len, const char *begin, const char *end)
{
    if (BASE_LIKELY(end - p >= PIECE))
        return codec_load64(p) & (len < PIECE ? (UINT64_C(1) << 8 * len) - 1 : UINT64_MAX);
    if (end - begin >= PIECE)
        return codec_load64(end - PIECE) >> 8 * (size_t)(PIECE - (end - p)) &
               (len < PIECE ? (UINT64_C(1) << 8 * len) - 1 : UINT64_MAX);
    uint64_t x = 0;
    memcpy(&x, p, len);
    return x;
}

static inline uint64_t piece_hash(const char *p, size_t len, struct slice text)
{
    uint64_t x = load_piece(p, len, text.ptr, text.ptr + text.len);
    uint64_t h = hash_u64(fold(x) + len * 0x9e3779b97f4a7c15u);
    return h ? h : 1;
}

/* The pieces of a word that is known as a whole. */
#define EACH_PIECE(p, len, text, DO)                                                               \
    do {                                                                                           \
        if ((len) <= PIECE) {                                                                      \
            DO(piece_hash((p), (len), (text)));                                                    \
        } else {                                                                                   \
            for (size_t at_ = 0; at_ + PIECE <= (len); at_ += PIECE)                               \
                DO(piece_hash((p) + at_, PIECE, (text)));                                          \
            if ((len) % PIECE)                                                                     \
                DO(piece_hash((p) + (len)-PIECE, PIECE, (text)));                                  \
        }                                                                                          \
    } while (0)

/* Calls back for each word; the last bits of a window run on in the next one. */
static size_t next_word(struct slice text, size_t at, size_t *out_end)
{
    size_t begin = SIZE_MAX;
    while (at < text.len) {
        size_t n = MIN(text.len - at, (size_t)64);
        uint64_t mask = word_mask(text.ptr + at, n);
        if (begin == SIZE_MAX) {
            if (!mask) {
                at += n;
                continue;
            }
            unsigned skip = (unsigned)__builtin_ctzll(mask);
            begin = at + skip;
            uint64_t rest = ~(mask >> skip);
            unsigned run = rest ? (unsigned)__builtin_ctzll(rest) : 64;
            if (skip + run < n) {
                *out_end = begin + run;
                return begin;
            }
        } else {
            uint64_t rest = ~mask;
            unsigned run = rest ? (unsigned)__builtin_ctzll(rest) : 64;
            if (run < n) {
                *out_end = at + run;
                return begin;
            }
        }
        at += n;
    }
    *out_end = text.len;
    return begin;
}

/* --- building --- */

void store_filter_builder_deinit(struct store_filter_builder *b)
{
    mem_free(b->set);
    mem_free(b->seen);
    *b = (struct store_filter_builder){.bits = b->bits};
}

void store_filter_clear(struct store_filter_builder *b)
{
    if (b->set)
        memset(b->set, 0, b->size * sizeof(*b->set));
    if (b->seen)
        memset(b->seen, 0, SEEN * sizeof(*b->seen));
    b->count = 0;
    b->queued = 0;
}

static void grow(struct store_filter_builder *b)
{
    uint64_t *old = b->set;
    size_t old_size = b->size;
    b->size = old_size ? old_size * 2 : SET_MIN;
    b->set = mem_calloc(b->size, sizeof(*b->set));
    if (!b->seen)
        b->seen = mem_calloc(SEEN, sizeof(*b->seen));
    for (size_t i = 0; i < old_size; i++) {
        if (!old[i])
            continue;
        size_t at = old[i] & (b->size - 1);
        while (b->set[at])
            at = (at + 1) & (b->size - 1);
        b->set[at] = old[i];
    }
    mem_free(old);
}

static void insert(struct store_filter_builder *b, uint64_t hash)
{
    size_t at = hash & (b->size - 1);
    while (b->set[at] && b->set[at] != hash)
        at = (at + 1) & (b->size - 1);
    if (!b->set[at]) {
        b->set[at] = hash;
        b->count++;
    }
}

static void drain(struct store_filter_builder *b)
{
    unsigned count = b->queued;
    b->queued = 0;
    for (unsigned i = 0; i < count; i++) {
        if (b->count * 2 >= b->size)
            grow(b);
        insert(b, b->queue[i]);
    }
}

/* The set is larger than the cache: its places are asked for in good time. */
void store_filter_add(struct store_filter_builder *b, uint64_t hash)
{
    if (BASE_UNLIKELY(!b->seen))
        grow(b);
    if (b->seen[hash % SEEN] == hash)
        return;
    b->seen[hash % SEEN] = hash;
    __builtin_prefetch(&b->set[hash & (b->size - 1)], 1);
    b->queue[b->queued++] = hash;
    if (b->queued == ARRAY_LEN(b->queue))
        drain(b);
}

size_t store_filter_count(struct store_filter_builder *b)
{
    drain(b);
    return b->count;
}

/* Word by word out of windows of 64 bytes, without going back. */
void store_filter_add_words(struct store_filter_builder *b, struct slice text)
{
#define ADD(h) store_filter_add(b, (h))
    size_t open = SIZE_MAX; /* where the word that reaches into this window begins */
    for (size_t at = 0; at < text.len; at += 64) {
        size_t n = MIN(text.len - at, (size_t)64);
        uint64_t mask = word_mask(text.ptr + at, n);
        unsigned pos = 0;
        while (pos < n) {
            uint64_t rest = mask >> pos;
            if (open == SIZE_MAX) {
                if (!rest)
                    break;
                pos += (unsigned)__builtin_ctzll(rest);
                open = at + pos;
                rest = mask >> pos;
            }
            unsigned run = ~rest ? (unsigned)__builtin_ctzll(~rest) : 64;
            if (pos + run >= n)
                break;
            pos += run;
            const char *p = text.ptr + open;
            size_t len = at + pos - open;
            EACH_PIECE(p, len, text, ADD);
            open = SIZE_MAX;
        }
    }
    if (open != SIZE_MAX) {
        const char *p = text.ptr + open;
        size_t len = text.len - open;
        EACH_PIECE(p, len, text, ADD);
    }
#undef ADD
}

uint64_t store_filter_field(struct slice name)
{
    struct buf b = {0};
    data_event_name_sanitize(name, &b);
    uint64_t h = hash64(b.ptr, b.len, 2);
    buf_deinit(&b);
    return h;
}

uint64_t store_filter_value(uint64_t field, struct slice text)
{
    uint64_t h = hash64(text.ptr, text.len, field);
    return h ? h : 1;
}

/* --- the filter --- */

uint32_t store_filter_blocks(size_t hashes, unsigned bits)
{
    size_t need = (hashes * bits + STORE_FILTER_BLOCK * 8 - 1) / (STORE_FILTER_BLOCK * 8);
    if (!need)
        return 0;
    /* 4, 5, 6 or 7 times a power of two. */
    size_t unit = 1;
    while (unit * 8 <= need)
        unit *= 2;
    size_t n = (need + unit - 1) / unit * unit;
    return (uint32_t)MIN(n, (size_t)1 << 28);
}

static const uint32_t salts[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                  0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

size_t store_filter_block(uint64_t hash, uint32_t blocks)
{
    return (size_t)((hash >> 32) * blocks >> 32);
}

void store_filter_write(struct store_filter_builder *b, struct buf *out)
{
    uint32_t blocks =
        store_filter_blocks(store_filter_count(b), b->bits ? b->bits : STORE_FILTER_BITS);
    size_t bytes = (size_t)blocks * STORE_FILTER_BLOCK;
    char *base = buf_reserve(out, bytes);
    if (bytes)
        memset(base, 0, bytes);
    for (size_t i = 0; i < b->size; i++) {
        if (!b->set[i])
            continue;
        char *block = base + store_filter_block(b->set[i], blocks) * STORE_FILTER_BLOCK;
        for (int k = 0; k < 8; k++) {
            uint32_t word = codec_load32(block + 4 * k);
            codec_store32(block + 4 * k, word | 1u << ((uint32_t)b->set[i] * salts[k] >> 27));
        }
    }
    out->len += bytes;
}

bool store_filter_has(const char *block, uint64_t hash)
{
    for (int k = 0; k < 8; k++) {
        if (!(codec_load32(block + 4 * k) >> ((uint32_t)hash * salts[k] >> 27) & 1))
            return false;
    }
    return true;
}

struct plain {
    const char *base;
    size_t stride;
};

static const char *plain_block(void *ctx, size_t block)
{
    const struct plain *p = ctx;
    return p->base + block * p->stride;
}

bool store_filter_may_have(const struct store_filter_probe *p, const char *base, uint32_t blocks,
                           size_t stride)
{
    struct plain at = {base, stride};
    return store_filter_probe_run(p, blocks, false, plain_block, &at);
}

bool store_filter_probe_run(const struct store_filter_probe *p, uint32_t blocks, bool first_only,
                            const char *(*block_of)(void *ctx, size_t block), void *ctx)
{
    if (p->useless)
        return true;
    if (!blocks)
        return false;
    uint32_t at = 0;
    for (size_t i = 0; i < p->ends.len; i++) {
        bool all = true;
        uint32_t end = first_only ? MIN(at + 1, p->ends.items[i]) : p->ends.items[i];
        for (uint32_t k = at; k < end && all; k++) {
            const char *block = block_of(ctx, store_filter_block(p->hashes.items[k], blocks));
            all = !block || store_filter_has(block, p->hashes.items[k]);
        }
        if (all)
            return true;
        at = p->ends.items[i];
    }
    return false;
}

/* --- probing --- */

void store_filter_probe_deinit(struct store_filter_probe *p)
{
    vec_free(&p->hashes);
    vec_free(&p->ends);
}

void store_filter_probe_value(struct store_filter_probe *p, uint64_t field, struct slice text)
{
    vec_push(&p->hashes, store_filter_value(field, text));
    vec_push(&p->ends, (uint32_t)p->hashes.len);
}

uint64_t store_filter_again(uint64_t hash)
{
    return hash_u64(hash ^ UINT64_C(0x5851f42d4c957f2d));
}

void store_filter_probe_id(struct store_filter_probe *p, uint64_t field, struct slice id)
{
    uint64_t hash = store_filter_value(field, id);
    vec_push(&p->hashes, hash);
    vec_push(&p->hashes, store_filter_again(hash));
    vec_push(&p->ends, (uint32_t)p->hashes.len);
    p->ids = true;
}

typedef VEC(uint64_t) hash_list;

/* What is certain of every text with the needle in it. Returns the longest stretch out of a word
 * whose surroundings are unknown on both sides (the needle as a whole), for alignments. */
static struct slice certain_pieces(struct slice needle, hash_list *out)
{
#define PUSH(h) vec_push(out, (h))
    struct slice inner = {NULL, 0};
    size_t end = 0, begin;
    while ((begin = next_word(needle, end, &end)) != SIZE_MAX) {
        const char *p = needle.ptr + begin;
        size_t len = end - begin;
        bool left = begin > 0, right = end < needle.len;
        if (left && right) {
            EACH_PIECE(p, len, needle, PUSH);
        } else if (left) {
            for (size_t at = 0; at + PIECE <= len; at += PIECE)
                PUSH(piece_hash(p + at, PIECE, needle));
        } else if (right) {
            if (len >= PIECE)
                PUSH(piece_hash(p + len - PIECE, PIECE, needle));
            inner = slice_make(p, len);
        } else {
            inner = slice_make(p, len);
        }
    }
#undef PUSH
    return inner;
}

void store_filter_probe_contains(struct store_filter_probe *p, struct slice needle)
{
    hash_list certain = {0};
    struct slice inner = certain_pieces(needle, &certain);
    if (inner.len >= 2 * PIECE - 1) {
        /* Its pieces lie at a multiple of eight from a beginning nobody knows. */
        for (size_t r = 0; r < PIECE; r++) {
            for (size_t i = 0; i < certain.len; i++)
                vec_push(&p->hashes, certain.items[i]);
            for (size_t at = r; at + PIECE <= inner.len; at += PIECE)
                vec_push(&p->hashes, piece_hash(inner.ptr + at, PIECE, inner));
            vec_push(&p->ends, (uint32_t)p->hashes.len);
        }
    } else if (certain.len) {
        for (size_t i = 0; i < certain.len; i++)
            vec_push(&p->hashes, certain.items[i]);
        vec_push(&p->ends, (uint32_t)p->hashes.len);
    } else {
        p->useless = true;
    }
    vec_free(&certain);
}
