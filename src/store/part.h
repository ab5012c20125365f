/* A part: one immutable file with the samples of many series and its own label index, for one UTC
 * day. docs/formats/part.md gives the bytes. */
#ifndef STORE_PART_H
#define STORE_PART_H

#include <stdatomic.h>

#include "base/budget.h"
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

/* --- writing: series in ascending key order, each with its samples in time order --- */
struct store_part_writer;
int store_part_create(struct os *os, const char *path, struct store_part_writer **out,
                      struct diag *diag);
/* key: tenant and labels, as store_series_key makes it. */
int store_part_add(struct store_part_writer *w, struct slice key, const struct store_run *run,
                   struct diag *diag);
/* Index, footer, sync. Fills all of info but id, level and day. Frees the writer. */
int store_part_finish(struct store_part_writer *w, struct store_part_info *info, struct diag *diag);
/* Gives up: the file stays for its caller to remove. Frees the writer. */
void store_part_abandon(struct store_part_writer *w);

/* --- reading; thread-safe, counted references --- */
/* ERR_CORRUPT when header, footer or index do not check. */
int store_part_open(struct os *os, const char *path, const struct store_part_info *info,
                    struct store_part **out, struct diag *diag);
struct store_part *store_part_ref(struct store_part *p);
void store_part_unref(struct store_part *p); /* closes with the last */
const struct store_part_info *store_part_info(const struct store_part *p);
/* The file is removed when the last reference goes. */
void store_part_doom(struct store_part *p);

size_t store_part_series_count(const struct store_part *p);
/* The series' key, in the mapping. */
struct slice store_part_key(const struct store_part *p, size_t series);
/* Appends the series' samples in [t_min, t_max] and possibly some around. ERR_CORRUPT for a damaged
 * block. */
int store_part_read(const struct store_part *p, size_t series, int64_t t_min_ns, int64_t t_max_ns,
                    struct store_run *out);
/* Time range of the series. */
void store_part_series_range(const struct store_part *p, size_t series, int64_t *t_min_ns,
                             int64_t *t_max_ns);

/* Sorted ordinals of the series that match; *out by mem_free. */
int store_part_match(const struct store_part *p, struct slice tenant,
                     const struct store_matcher *matchers, size_t count, uint32_t **out,
                     size_t *out_count);
/* All its series belong to this tenant. */
bool store_part_is_of(const struct store_part *p, struct slice tenant);
/* Every (name, value) pair of the index, in order: fn returns false to stop. */
void store_part_each_pair(const struct store_part *p,
                          bool (*fn)(struct slice name, struct slice value, void *ctx), void *ctx);

/* varint(tenant length) tenant, then the canonical label key. */
void store_series_key(struct slice tenant, struct slice labels_key, struct buf *out);
bool store_series_key_split(struct slice key, struct slice *tenant, struct slice *labels_key);

/* True when the labels satisfy all matchers (a missing label is empty). */
bool store_labels_match(struct data_labels labels, const struct store_matcher *matchers,
                        size_t count);

#endif
