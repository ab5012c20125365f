/* Inside of the scraper: discovery, pools and targets. */
#ifndef INPUT_SCRAPE_SCRAPE_PRIV_H
#define INPUT_SCRAPE_SCRAPE_PRIV_H

#include <pthread.h>

#include "base/map.h"
#include "decode/prom_text.h"
#include "discovery/discovery.h"
#include "discovery/oauth.h"
#include "input/scrape/config.h"

struct pool {
    struct input_scrape *scrape;
    struct input_scrape_config *config; /* counted */
    const struct input__scrape_job *job;
    struct discovery *discovery; /* home loop only */
    /* below: written on the home loop under scrape->lock, read by views under it */
    VEC(struct target *) targets;
    struct arena *dropped_arena;
    VEC(struct data_labels) dropped; /* at most keep_dropped_targets, or a default, in detail */
    size_t dropped_count;
    char last_error[512];
};

/* --- labels (labels.c) --- */

enum populate { POPULATE_KEPT, POPULATE_DROPPED, POPULATE_BAD };

/* What one address of a group becomes. All of it in `arena`. */
struct populated {
    struct data_labels discovered; /* before relabelling */
    struct data_labels all;        /* after it, with the __ labels but without __meta_ */
    struct data_labels labels;     /* those that show */
    struct slice url;
    int64_t interval_ns, timeout_ns;
};

enum populate input__populate(const struct input__scrape_job *job,
                              const struct discovery_group *group, struct slice address,
                              struct arena *arena, struct populated *out, struct diag *diag);
/* Puts the target's labels on a scraped set as honor_labels says. */
void input__label_sample(struct data_labels scraped, struct data_labels target, bool honor,
                         struct data_labels_builder *b, struct arena *arena);

/* --- targets (target.c); loop thread of the worker --- */

struct worker {
    struct input_scrape *scrape;
    struct net_loop *loop;
    struct net_client *client;
    struct target *targets;
    struct data_metric_batch *batch; /* reused */
    struct arena *arena;             /* of one scrape, reused */
    struct discovery_tokens *tokens;
};

struct target {
    struct worker *worker;
    struct target *prev, *next;
    struct input_scrape_config *config; /* counted */
    const struct input__scrape_job *job;
    struct arena *arena; /* of the labels and the url */
    struct populated what;
    struct slice key; /* identity within its pool: labels and url */
    bool over_limit;  /* beyond target_limit: never scraped, always down */
    bool matched;     /* scratch of a sync */

    struct net_timer *timer;
    struct net_client_call *call;
    int64_t next_ns, scheduled_ns, begin_mono_ns;
    bool waited_for;                   /* somebody waits in run_once */
    struct discovery_token_wait token; /* of OAuth 2 */

    struct decode_text_cache *cache;
    struct decode_text *parser;
    uint64_t live; /* generation of the body whose series are alive; 0 = none */
    size_t live_count;
    struct map *families; /* name -> struct family *; written under scrape->lock */
    struct slice report_keys[8];

    /* under scrape->lock */
    enum input_scrape_health health;
    char last_error[512];
    int64_t last_scrape_ns, last_duration_ns;
    size_t last_samples;
};

struct family {
    enum data_metric_type type;
    char *help, *unit;
    size_t help_len, unit_len;
    bool dirty;
};

struct target *input__target_new(struct worker *w, struct input_scrape_config *config,
                                 const struct input__scrape_job *job, const struct populated *what,
                                 struct slice key);
void input__target_start(struct target *t);
/* Writes staleness markers when told, then frees. */
void input__target_end(struct target *t, bool markers);
/* One scrape now, with this timestamp. */
void input__target_scrape(struct target *t, int64_t ts_ns);

/* --- the whole (scrape.c) --- */

struct input_scrape {
    struct input_env env;
    struct net_loop *home;
    struct net_client *client; /* of the home loop, for HTTP discovery */
    struct worker *workers;
    size_t worker_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    VEC(struct pool *) pools;
    struct input_scrape_config *config; /* the one applied last, counted; NULL before */
    bool manual, stopping;
    int64_t manual_now_ns;
    size_t waiting_for; /* answers run_once or stop waits for */
};

int64_t input__scrape_now(struct input_scrape *s);
/* One of what run_once waits for is done. */
void input__scrape_arrived(struct input_scrape *s);
/* Makes the pool's targets what its providers say. */
void input__pool_sync(struct pool *pool);

#endif
