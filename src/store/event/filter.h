/* What a row group can contain: a split-block Bloom filter over pieces of words and whole values.
 *
 * A word is a run of letters, digits, '_' and bytes from 0x80 on, in lower case. One of at most
 * eight bytes is a piece itself; a longer one gives its pieces of eight at 0, 8, 16, ... and its
 * last eight bytes. So a word that is known as a whole, its beginning or its end of eight bytes or
 * more, and any fifteen bytes out of a word can be looked for; shorter stretches with unknown
 * surroundings cannot. Values of fields are there as a whole, under their field's name. */
#ifndef STORE_EVENT_FILTER_H
#define STORE_EVENT_FILTER_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/vec.h"

#define STORE_FILTER_BLOCK 32 /* bytes */
/* A hash takes so many bits. What is looked for in lines mostly has several hashes; a trace's id
 * has one, and few of them make a filter. */
#define STORE_FILTER_BITS       10
#define STORE_FILTER_BITS_SPANS 12

/* Distinct hashes on their way into a filter. */
struct store_filter_builder {
    unsigned bits; /* a hash; 0 = STORE_FILTER_BITS */
    uint64_t *set; /* 0 = free; power of two */
    size_t size, count;
    uint64_t *seen; /* the last ones, by their low bits */
    /* On their way into the set, whose places are being fetched. */
    uint64_t queue[16];
    unsigned queued;
};
void store_filter_builder_deinit(struct store_filter_builder *b);
void store_filter_clear(struct store_filter_builder *b);
void store_filter_add_words(struct store_filter_builder *b, struct slice text);
void store_filter_add(struct store_filter_builder *b, uint64_t hash);

/* Of a field's name, for store_filter_value; all spellings give the same. */
uint64_t store_filter_field(struct slice name);
uint64_t store_filter_value(uint64_t field, struct slice text);

/* Number of blocks for so many hashes: few different sizes, so that filters of one size can lie
 * side by side. 0 for none. */
uint32_t store_filter_blocks(size_t hashes, unsigned bits);
/* Number of distinct ones. */
size_t store_filter_count(struct store_filter_builder *b);
/* Appends store_filter_blocks(count) blocks. */
void store_filter_write(struct store_filter_builder *b, struct buf *out);

/* What to look for; made once a query. */
struct store_filter_probe {
    /* One of the alternatives, each of them [begin, end) of hashes that all have to be there. */
    VEC(uint64_t) hashes;
    VEC(uint32_t) ends;
    bool useless; /* nothing can be looked for: anything may contain it */
    bool ids; /* behind the first hash of an alternative are those that only newer filters have */
};
void store_filter_probe_deinit(struct store_filter_probe *p);
/* Adds alternatives: a text that contains `needle`, or a value. */
void store_filter_probe_contains(struct store_filter_probe *p, struct slice needle);
void store_filter_probe_value(struct store_filter_probe *p, uint64_t field, struct slice text);
/* A trace's id, which filters of spans have twice (store_filter_again): one looked for among a
 * thousand groups is in few others by chance. Sets p->ids. */
void store_filter_probe_id(struct store_filter_probe *p, uint64_t field, struct slice id);
uint64_t store_filter_again(uint64_t hash);
/* Where a hash's block is. */
size_t store_filter_block(uint64_t hash, uint32_t blocks);
/* Whether a block has the hash's bits. */
bool store_filter_has(const char *block, uint64_t hash);
/* False: certainly not. Blocks are asked for one by one, as far as needed; one that is NULL may
 * have anything. */
/* first_only: of each alternative. */
bool store_filter_probe_run(const struct store_filter_probe *p, uint32_t blocks, bool first_only,
                            const char *(*block_of)(void *ctx, size_t block), void *ctx);
/* The filter's blocks lie `stride` bytes apart, the first at `base`. False: certainly not. */
bool store_filter_may_have(const struct store_filter_probe *p, const char *base, uint32_t blocks,
                           size_t stride);

#endif
