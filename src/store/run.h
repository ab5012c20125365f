/* A run: samples of one series in time order, and its packed form, the block. Heads seal their
 * samples into blocks, parts are made of them, merges read and write them. */
#ifndef STORE_RUN_H
#define STORE_RUN_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"
#include "data/histogram.h"

#define STORE_BLOCK_SAMPLES 1024 /* at most, in one block */

/* Columns of `len` samples. hist is NULL when all are floats, else one entry a sample: the packed
 * histogram, or ptr NULL for a float. start is NULL when no sample has a start timestamp, else one
 * entry a sample, 0 for none. */
struct store_run {
    int64_t *ts;
    double *value;
    struct slice *hist;
    int64_t *start;
    size_t len, cap;
};

void store_run_free(struct store_run *r);
void store_run_clear(struct store_run *r);
void store_run_push(struct store_run *r, int64_t ts, double value, struct slice hist,
                    int64_t start);
/* Room for `extra` samples behind len. */
void store_run_reserve(struct store_run *r, size_t extra);
/* `count` samples from `from` on, in place. */
struct store_run store_run_slice(const struct store_run *r, size_t from, size_t count);

/* Sorts by time; of several samples with one timestamp the last pushed stays. */
void store_run_sort(struct store_run *r);

/* What a block holds beside the times, which many series share: values, start timestamps,
 * histograms of samples [from, from + count). */
void store_values_encode(const struct store_run *r, size_t from, size_t count, struct buf *out);
/* Fills in what belongs to the `count` samples from index `at` on, whose times are there already;
 * r->len stays. Histograms point into `block`. *facts: enum codec_doubles_fact. ERR_CORRUPT when it
 * is damaged. */
int store_values_decode(struct slice block, struct store_run *r, size_t at, size_t count,
                        unsigned *facts);

/* Times and values together: samples [from, from + count); count <= STORE_BLOCK_SAMPLES. */
void store_block_encode(const struct store_run *r, size_t from, size_t count, struct buf *out);
/* Appends the block's samples to `r`; histograms point into `block`. *facts as above. ERR_CORRUPT
 * when it is damaged. */
int store_block_decode(struct slice block, struct store_run *r, unsigned *facts);

/* One native histogram as bytes, exactly. */
void store_histogram_encode(const struct data_histogram *h, struct buf *out);
/* In `arena`. */
int store_histogram_decode(struct slice bytes, struct arena *arena, struct data_histogram **out);

#endif
