/* Rows made the plain way by several threads: each has its own memory, errors and annotations,
 * which are the run's when the rows are taken in order. */
#ifndef QUERY_HAND_H
#define QUERY_HAND_H

#include "query/scan.h"

struct query__hand;

/* What was said about one row. In the hand's memory. */
struct query__notes {
    const struct slice *warnings, *infos;
    size_t warning_count, info_count;
};

struct query__hand *query__hand_new(const struct query_exec *x);
/* The row and its histograms, which are in the hand's memory, of one series' samples, which are
 * used up. Of slot: row's columns are given; samples, histogram and notes are filled. Errors are in
 * *diag. */
int query__hand_row(struct query__hand *h, const struct query__scan *s,
                    struct store_samples *samples, struct query__slot *slot, struct diag *diag);
/* How much the rows take. */
size_t query__hand_bytes(const struct query__hand *h);
/* Forgets the rows, or leaves them to the run. */
void query__hand_forget(struct query__hand *h);
int query__hand_leave(struct query__hand *h, struct query_exec *x);
void query__hand_free(struct query__hand *h); /* NULL is fine */

/* Says what was noted about a row. */
void query__notes_tell(struct query_exec *x, const struct query__notes *notes);

#endif
