/* Lines as columns (form SPLIT): lines of one shape share a template, and what differs between them
 * lies in columns of its own, one for each place of the template. Lines come back byte for byte.
 *
 * Variable are words with a digit or a slash in them, whatever follows a '=', and what JSON has
 * behind a colon; lines without a shape in common are one template that has nothing but a place.
 *
 * Readers unpack columns as they need them; a column belongs to one thread. */
#ifndef STORE_EVENT_SPLIT_H
#define STORE_EVENT_SPLIT_H

#include "store/event/column.h"
#include "store/events.h"

#define STORE_SPLIT_SLOTS_MAX     60
#define STORE_SPLIT_TEMPLATES_MAX 512
#define STORE_SPLIT_DEPTH_MAX     2 /* a place's texts may be split again */

/* Appends meta (behind the column's head) and pages, unless lines as text would be about as small.
 */
bool store_split_encode(const struct store_column_in *in, struct buf *meta, struct buf *pages);

struct store_split_template {
    struct slice *pieces; /* slots + 1: what lies between the places */
    uint32_t first_slot, slots;
    uint32_t count; /* values */
    size_t fixed;   /* bytes of all pieces */
    int64_t *times; /* of its values' rows */
};

struct store_split {
    struct store_split_template *templates;
    uint32_t template_count;
    uint32_t *code;                  /* of each value: its template, NULL when there is one */
    uint32_t *rank;                  /* its number among the template's values; NULL with code */
    struct store_column_info *infos; /* of all places */
    uint64_t *at;                    /* where they begin in the stored bytes */
    struct store_column *columns;
    bool *loaded;
    int64_t *times; /* the templates' */
    uint32_t slot_count;
    uint64_t raw; /* bytes of all texts */
    unsigned depth;
    struct slice *piece_room;
    struct buf scratch;
};

/* `in` is the meta behind the head. False when damaged. */
bool store_split_take(struct store_column *c, struct slice *in);
void store_split_free(struct store_column *c);
/* Appends the text of value i. ERR_CORRUPT. */
int store_split_append(struct store_column *c, uint32_t i, struct buf *out);
/* A place's column, unpacked; NULL when damaged. */
struct store_column *store__split_slot(struct store_column *c, uint32_t template, uint32_t k);
/* Lengths of all values' texts. */
int store_split_lengths(struct store_column *c, uint32_t *out);
/* Unpacks all that there is. */
int store_split_check(struct store_column *c);
void store_split_drop_pages(struct store_column *c);

/* found[i]: whether the text of value values[i] contains the needle. */
int store_split_find(struct store_column *c, struct slice needle, const uint32_t *values,
                     size_t count, bool *found);

/* --- any column of strings, by value --- */

enum store_text_test { STORE_TEXT_CONTAINS, STORE_TEXT_BEGINS, STORE_TEXT_ENDS, STORE_TEXT_IS };
/* Clears flags[i] unless the text of value values[i] (ascending) passes. */
int store_column_test(struct store_column *c, enum store_text_test test, struct slice text,
                      const uint32_t *values, size_t count, bool *flags);
int store_column_append(struct store_column *c, uint32_t value, struct buf *out);
/* Whether all texts of the column are like that (split_texts.c). */
int store_column_texts_are(struct store_column *c, enum store_event_texts what, bool *out);

#endif
