/* A part: one immutable file with the samples of many series and its own label index, for one UTC
 * day. docs/formats/part.md gives the bytes. */
#ifndef STORE_PART_H
#define STORE_PART_H

#include <stdatomic.h>

#include "base/vec.h"
#include "data/labels.h"
#include "os/os.h"
#include "store/run.h"
#include "store/source.h"

struct store_part;

/* What the manifest remembers of a part. */
struct store_part_info {
    uint64_t id; /* file <id:016x>.part */
    uint64_t
        order; /* of two parts of a day the one with the greater order holds the later appends */
    uint32_t level; /* 0 flushed, then merged */
    int64_t day;    /* UTC days since 1970 */
    int64_t t_min_ns, t_max_ns;
    uint64_t series, samples, bytes;
    uint64_t footer_sum; /* of the file, checked when it is opened */
};

/* One exemplar as it is kept: its labels as a canonical key. */
struct store_part_exemplar {
    int64_t ts;
    double value;
    struct slice labels;
};

/* Label pairs in order of name and value; a series is a list of ascending ordinals into such a
 * list, the tenant's pair (with an empty name) first. Comparing two series' ordinals compares their
 * tenants and then their labels as data_labels_cmp does. */
struct store_pairs {
    VEC(struct data_label) items;
};
int store_ordinals_cmp(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count);

/* --- writing --- */
struct store_part_writer;
/* `pairs` outlives the writer; those no series uses are left out of the file. */
int store_part_create(struct os *os, const char *path, const struct store_pairs *pairs,
                      struct store_part_writer **out, struct diag *diag);
/* Series in ascending order, each with its samples in time order and maybe exemplars. */
int store_part_add(struct store_part_writer *w, const uint32_t *ordinals, size_t count,
                   const struct store_run *run, const struct store_part_exemplar *exemplars,
                   size_t exemplar_count, struct diag *diag);
/* Index, footer, sync. Fills all of info but id, order, level and day. Frees the writer. */
int store_part_finish(struct store_part_writer *w, struct store_part_info *info, struct diag *diag);
/* Gives up: the file stays for its caller to remove. Frees the writer. */
void store_part_abandon(struct store_part_writer *w);

/* --- reading; thread-safe, counted references --- */
/* ERR_CORRUPT when header, footer or index (but that of summaries) do not check, ERR_UNSUPPORTED
 * for another version. */
int store_part_open(struct os *os, const char *path, const struct store_part_info *info,
                    struct store_part **out, struct diag *diag);
struct store_part *store_part_ref(struct store_part *p);
void store_part_unref(struct store_part *p); /* closes with the last */
const struct store_part_info *store_part_info(const struct store_part *p);
/* The section of summaries is damaged: samples are decoded instead. */
bool store_part_lost_summaries(const struct store_part *p);
/* The file is removed when the last reference goes. */
void store_part_doom(struct store_part *p);

size_t store_part_series_count(const struct store_part *p);
size_t store_part_exemplar_count(const struct store_part *p);
size_t store_part_name_count(const struct store_part *p);
size_t store_part_pair_count(const struct store_part *p);
/* In the mapping; ERR_CORRUPT is impossible once the part is open. */
struct data_label store_part_pair(const struct store_part *p, uint32_t ordinal);
/* Its value alone, which is found at once. */
struct slice store_part_value(const struct store_part *p, uint32_t ordinal);
/* The same for several, in ascending order. */
void store_part_labels(const struct store_part *p, const uint32_t *ordinals, size_t count,
                       struct data_label *out);
/* Pairs [*begin, *end) have the i-th name. */
struct slice store_part_name(const struct store_part *p, size_t i, uint32_t *begin, uint32_t *end);
/* Index of a name, or SIZE_MAX. */
size_t store_part_name_find(const struct store_part *p, struct slice name);

/* Where a series' samples lie. */
struct store_part_rows {
    uint64_t offset; /* of the first piece */
    uint32_t at;     /* in the series table */
    uint32_t blocks;
    uint32_t series; /* its number */
};

/* Goes over the series in their order. Zero it, then set `part`. */
struct store_part_cursor {
    const struct store_part *part;
    size_t next;                 /* index of the series that comes next */
    size_t at;                   /* its place in the table, when it is no group's first */
    VEC(uint32_t) pairs;         /* ordinals of the current one */
    struct store_part_rows rows; /* of the current one */
    int64_t t_min, t_max;        /* of its samples; t_min > t_max = none */
    bool has_exemplars;
};
/* False at the end, and for a table that contradicts itself (*out_err then). */
bool store_part_next(struct store_part_cursor *c, int *out_err);
/* The current series becomes number `series` (ascending calls are cheap). */
int store_part_seek(struct store_part_cursor *c, size_t series);
void store_part_cursor_deinit(struct store_part_cursor *c);

/* One block of a series: which column of times, and where the values lie. */
struct store_part_block {
    uint64_t offset, len;
    int64_t first_ns, last_ns;
    uint32_t times, count;
    uint32_t nth; /* of the series' */
};
typedef VEC(struct store_part_block) store_part_block_list;
/* Appends the series' blocks with times in [t_min, t_max]. ERR_CORRUPT for damage. */
int store_part_blocks(const struct store_part *p, const struct store_part_rows *rows,
                      int64_t t_min_ns, int64_t t_max_ns, store_part_block_list *out);
/* The block's times, `count` of them; ascending unless the file lies. */
int store_part_times(const struct store_part *p, const struct store_part_block *block,
                     int64_t *out);
/* The block's values to out->value[at] and on, as store_values_decode does it. */
int store_part_values(const struct store_part *p, const struct store_part_block *block,
                      struct store_run *out, size_t at, unsigned *facts);
typedef VEC(struct store_summary) store_summary_list;
/* Appends the summaries of all blocks of the series; none at all when it has none. ERR_CORRUPT for
 * damage. */
int store_part_summaries(const struct store_part *p, const struct store_part_rows *rows,
                         store_summary_list *out);
/* What a read will look at first is on its way to the processor. */
void store_part_prefetch(const struct store_part *p, const struct store_part_rows *rows);
/* Appends the series' samples in [t_min, t_max] and possibly some around. ERR_CORRUPT for damage.
 */
int store_part_read(const struct store_part *p, const struct store_part_rows *rows,
                    int64_t t_min_ns, int64_t t_max_ns, struct store_run *out);
typedef VEC(struct store_part_exemplar) store_part_exemplar_list;
/* Appends the series' exemplars; their labels lie in the mapping. */
int store_part_exemplars(const struct store_part *p, const struct store_part_rows *rows,
                         store_part_exemplar_list *out);

/* Sorted numbers of the series that match; *out by mem_free. */
int store_part_match(const struct store_part *p, struct slice tenant,
                     const struct store_matcher *matchers, size_t count, uint32_t **out,
                     size_t *out_count);
/* All of the pair's series are marked: bit i for series i. */
int store_part_mark(const struct store_part *p, uint32_t ordinal, uint64_t *bits);
/* One of the pair's series is marked. */
bool store_part_meets(const struct store_part *p, uint32_t ordinal, const uint64_t *bits);
/* Number of the pair's series. */
uint32_t store_part_pair_series(const struct store_part *p, uint32_t ordinal);

/* varint(tenant length) tenant, then the canonical label key. */
void store_series_key(struct slice tenant, struct slice labels_key, struct buf *out);
bool store_series_key_split(struct slice key, struct slice *tenant, struct slice *labels_key);

/* True when the labels satisfy all matchers (a missing label is empty). */
bool store_labels_match(struct data_labels labels, const struct store_matcher *matchers,
                        size_t count);

#endif
