/* What the files of the multiplexed endpoint share: the request as read, the graph of its
 * expressions, and what one query has come to. */
#ifndef API_QUERY_MULTI_PRIV_H
#define API_QUERY_MULTI_PRIV_H

#include <pthread.h>

#include "api/query_multi.h"
#include "base/budget.h"
#include "lang/expr/expr.h"

#define NOBODY SIZE_MAX

/* An expression and one of the queries that it is made of. */
struct multi_input {
    struct slice name; /* as the expression says it */
    size_t item;       /* that is run for it */
};

/* A query, or an expression over others. */
struct multi_item {
    struct slice id, lang, text;
    int64_t from_ns, to_ns, step_ns, timeout_ns;
    size_t limit;
    bool instant, exemplars, explain, stats, align, partial;
    bool hide;      /* its answer is not sent */
    size_t same_as; /* the first identical one; NOBODY = none */
    struct buf out; /* its lines */
    struct multi_item *next_done;

    /* The graph. Expressions name queries of their scope by `ref`. */
    const struct codec_json *expression; /* Grafana's model; NULL: a query */
    struct slice ref, scope;
    bool wanted;         /* it is sent, or something that is sent is made of it */
    struct slice circle; /* why it cannot be computed; ptr NULL = it can */
    struct multi_input *inputs;
    size_t input_count;
    size_t *users; /* expressions made of it; one may be there twice */
    size_t user_count;
    size_t waits;      /* inputs that are not done; under the lock, as is the next */
    size_t users_left; /* that have not been computed */

    /* What it has come to, for its users; written before it is done, read after. */
    int err;
    enum api_error kind;
    struct buf words;   /* of the error */
    struct arena *kept; /* of what follows; NULL: nothing is kept */
    struct budget memory;
    struct expr_set set;
    struct slice *warnings;
    size_t warning_count;
};

/* Shared by the job and its helpers; the last one frees it. */
struct multi {
    _Atomic int refs;
    struct api_job *job; /* alive while anything runs: `cleanup` waits */
    struct api *api;
    struct task_pool *pool;
    struct slice tenant;
    struct api_limits limits;
    struct query_shared *shared;
    struct arena *arena; /* of the items; the request's body may go earlier */
    struct multi_item *items;
    size_t count;
    int64_t begun_ns, deadline_ns;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t *ready; /* items that can be computed, from `next` on */
    size_t next, ready_end, left, running, helpers, done_bytes;
    bool stopped;
    struct multi_item *done, **done_end;
};

/* query_multi_read.c: the request's body into items, in m->arena. */
int multi__read(struct multi *m, struct slice body, struct diag *diag);

/* query_multi_graph.c: finds twins, what is wanted, who waits for whom; what goes in circles is
 * given its words. Fills m->ready. */
void multi__link(struct multi *m);

/* query_multi_expr.c */
/* Room for what an item comes to, for its users. */
void multi__keep(struct multi *m, struct multi_item *it);
void multi__unkeep(struct multi_item *it); /* may be called again */
/* Hands over what a language would write. */
struct multi_keeper {
    struct api_query_taker face;
    struct multi_item *item;
};
void multi__keeper_init(struct multi_keeper *k, struct multi_item *it);
/* Computes an expression whose inputs are done. Appends members of its answer's object. */
int multi__run_expression(struct multi *m, struct multi_item *it, struct buf *out,
                          enum api_error *kind, struct diag *diag);

#endif
