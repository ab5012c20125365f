/* Label sets: the identity of a series. UTF-8 names and values; a set is sorted by name (byte
 * order), names are distinct, and a label with an empty value does not exist (Prometheus' data
 * model).
 * "__name__" is an ordinary label. */
#ifndef DATA_LABELS_H
#define DATA_LABELS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/hash.h"
#include "base/slice.h"
#include "base/vec.h"

struct data_label {
    struct slice name, value;
};

/* A view; whoever made it says how long the items live. */
struct data_labels {
    const struct data_label *items;
    size_t count;
};

#define DATA_METRIC_NAME "__name__"

/* ptr NULL when there is no such label. */
struct slice data_labels_get(struct data_labels labels, struct slice name);
/* Order of Prometheus' labels.Compare: label by label, name then value, then the shorter set first.
 */
int data_labels_cmp(struct data_labels a, struct data_labels b);
bool data_labels_eq(struct data_labels a, struct data_labels b);
/* {__name__="up", job="a"} spelled as PromQL does: up{job="a"}; names that need it are quoted. */
void data_labels_print(struct data_labels labels, struct buf *out);
/* Deep copy. */
struct data_labels data_labels_copy(struct arena *arena, struct data_labels labels);

/* The canonical key: for each label varint(name length) name varint(value length) value. Two sets
 * are equal exactly when their keys are. */
void data_labels_encode(struct data_labels labels, struct buf *out);
/* Slices point into `key`. ERR_CORRUPT when it is not a canonical key (unsorted, empty value, cut
 * off). */
int data_labels_decode(struct slice key, struct arena *arena, struct data_labels *out);
/* Identity of a key; collisions are treated as impossible (128 bits). */
struct hash128 data_labels_key_hash(struct slice key);

/* Building and changing a set. Names and values are not copied: they must live as long as the
 * builder and what is made of it, or go through the arena variant. */
struct data_labels_builder {
    VEC(struct data_label) items; /* unsorted, may hold empties until finish */
};
void data_labels_builder_reset(struct data_labels_builder *b);
void data_labels_builder_deinit(struct data_labels_builder *b);
void data_labels_builder_from(struct data_labels_builder *b, struct data_labels labels);
/* Replaces or adds; an empty value removes. */
void data_labels_builder_set(struct data_labels_builder *b, struct slice name, struct slice value);
/* ptr NULL when absent. */
struct slice data_labels_builder_get(const struct data_labels_builder *b, struct slice name);
/* Appends without looking for duplicates (decoders); finish reports them. */
void data_labels_builder_add(struct data_labels_builder *b, struct slice name, struct slice value);
/* Sorts, drops empty values; ERR_INVALID naming the label when a name is given twice or is empty.
 * *out points into the builder until its next change. */
int data_labels_builder_finish(struct data_labels_builder *b, struct data_labels *out,
                               struct diag *diag);

/* [a-zA-Z_][a-zA-Z0-9_]* */
bool data_label_name_is_legacy(struct slice name);
/* [a-zA-Z_:][a-zA-Z0-9_:]* */
bool data_metric_name_is_legacy(struct slice name);

#endif
