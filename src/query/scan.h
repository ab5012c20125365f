/* Selectors to rows: series are resolved once, read and swept in morsels on all threads the query
 * may have, and come back in waves, in order. What a wave holds is bounded whatever is selected. */
#ifndef QUERY_SCAN_H
#define QUERY_SCAN_H

#include <pthread.h>

#include "query/sweep.h"

struct query__shared_rows; /* query/shared.h */
struct query__notes;       /* query/hand.h */
struct query__scan_worker; /* what a thread needs while it is at a morsel */

struct query__slot {
    size_t series; /* in the selection */
    struct query__row row;
    size_t samples;  /* 0: nothing in the range */
    bool histograms; /* or start timestamps that matter: the row is made the plain way, or not */
    struct query__row own; /* columns of the slot itself, when the row's may be another's */
    /* Of a row made the plain way; until the next wave, or query__scan_keep. */
    const struct data_histogram **histogram; /* NULL: all are floats */
    const struct query__notes *notes;        /* to tell when the row is taken; may be NULL */
    int err;
};

struct query__scan {
    struct query_exec *x;
    const struct query_node *node;
    struct store_selection *selection;
    size_t count; /* series */
    int64_t from_ns, to_ns;
    struct query__windows windows;
    struct store_windows asked; /* the same, for the source */
    const double *param[2];
    const struct query_grid *params; /* the same */
    bool makes_all;   /* rows with histograms, too, in slots whose columns are their own */
    uint64_t charged; /* to the query's memory */
    const struct query__shared_rows *rows; /* that others of the request have read, or NULL */
    bool borrows; /* who reads only looks at rows: those that others have read are not copied */

    size_t wave_bytes, wave_count; /* histograms of the last wave, of so many series */

    pthread_mutex_t lock; /* guards idle and failed */
    struct query__scan_worker *idle;
    struct diag failed; /* of the first series that could not be read */
};

/* The instants T of a selector: one for all steps when it is pinned by @. */
int64_t query__time_at(const struct query_exec *x, const struct query_selector *sel, size_t step);
int64_t query__minus(int64_t a, int64_t b); /* INT64_MIN when it overflows */

/* The selector names one metric exactly, so that its series are told apart by their other labels.
 */
bool query__one_metric(const struct query_selector *sel);
/* Whether what comes of an INSTANT or WINDOW node is nameless, and the labels it has at once. */
bool query__drops_name(const struct query_node *n);
struct data_labels query__result_labels(struct query_exec *x, const struct query_node *n,
                                        struct data_labels labels);
/* The windows of a node's steps: one when all have the same. False when their times overflow: there
 * can be nothing. */
bool query__windows_of(const struct query_exec *x, const struct query_node *n,
                       struct query__windows *out);

/* Selects the series of an INSTANT or WINDOW node; `params` (may be NULL) are the scalar arguments'
 * grids. *out is freed by query__scan_close, also after errors. */
int query__scan_open(struct query_exec *x, const struct query_node *n,
                     const struct query_grid *params, struct query__scan *out);
/* How many slots a wave should have at most. */
size_t query__scan_wave(const struct query__scan *s);
/* How many the next one, that begins at `first`, should have; of `most`, which is what
 * query__scan_wave said. Histograms are large: a wave begins small, and goes on as what it held
 * before tells. */
size_t query__scan_next(const struct query__scan *s, size_t first, size_t most);
/* Fills the slots for series [first, first + count): value and has of each slot's row are given.
 * Counts samples against the limits and checks for cancellation. */
int query__scan_read(struct query__scan *s, size_t first, size_t count, struct query__slot *slots);
/* Histograms of the wave at hand stay until the run ends. Without, the next wave takes their place.
 */
int query__scan_keep(struct query__scan *s);
void query__scan_close(struct query__scan *s);

/* For who keeps all rows of a scan (shared.c): its series, charged to `memory`; then morsel by
 * morsel, from any thread, into as many slots as there are series, each with its number. */
int query__scan_select(const struct query__scan *s, struct budget *memory,
                       struct store_selection **out, struct diag *diag);
size_t query__scan_morsels(size_t count);
void query__scan_morsel(struct query__scan *s, struct query__slot *slots, size_t count, size_t i);
void query__scan_free_workers(struct query__scan *s);

#endif
