#include "input/carbon/filter.h"

#include <pthread.h>
#include <time.h>

#include "base/cond.h"
#include "base/counter.h"
#include "base/mem.h"
#include "input/carbon/aggregate.h"

#define VALUES_MAX     10000000 /* held by percentiles: 80 MB */
#define AGGREGATES_MAX 100000
#define BATCH_POINTS   10000

static struct counter counters[] = {
    {.name = "pharos_carbon_aggregates_total",
     .help = "Points that carbon's aggregation rules made."},
    {.name = "pharos_carbon_aggregates_dropped_total",
     .help = "Points left out of aggregation: too many names (limits.graphite.aggregates) or "
             "values of percentiles."},
};

struct input_carbon_filter {
    struct input_env env;
    struct carbon_aggregator *aggregator;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t cond;
    struct input_carbon_rules *rules;
    pthread_t thread;
    bool running, stopping;
};

static int64_t now_s(struct input_carbon_filter *f)
{
    return f->env.os->ops->now_ns(f->env.os) / NS_PER_SEC;
}

static struct input_carbon_rules *rules_of(struct input_carbon_filter *f)
{
    pthread_mutex_lock(&f->lock);
    struct input_carbon_rules *r = input_carbon_rules_ref(f->rules);
    pthread_mutex_unlock(&f->lock);
    return r;
}

/* --- what is due --- */

struct emission {
    struct input_carbon_filter *f;
    struct input_carbon_rules *rules; /* may be NULL */
    struct decode_carbon decode;
    struct data_metric_batch *batch;
    struct buf a, b;
};

static void send(struct emission *x)
{
    if (!x->batch->sample_ts.len)
        return;
    counter_add(&counters[0], (int64_t)x->batch->sample_ts.len);
    x->f->env.sink->metrics(x->f->env.sink, x->batch, NULL, NULL);
    data_metric_batch_reset(x->batch);
}

static void emit(void *ctx, struct slice name, int64_t ts_s, double value)
{
    struct emission *x = ctx;
    if (x->rules)
        name = input_carbon_rules_rewrite(x->rules, true, name, &x->a, &x->b);
    decode_carbon__take(&x->decode, name, (double)ts_s, value, x->batch);
    if (x->batch->sample_ts.len >= BATCH_POINTS)
        send(x);
}

static void flush(struct input_carbon_filter *f, bool all)
{
    struct emission x = {
        .f = f, .rules = rules_of(f), .batch = data_metric_batch_new(SLICE("default"))};
    carbon_aggregator_flush(f->aggregator, now_s(f), all, emit, &x);
    send(&x);
    input_carbon_rules_unref(x.rules);
    decode_carbon_deinit(&x.decode);
    data_metric_batch_free(x.batch);
    buf_deinit(&x.a);
    buf_deinit(&x.b);
}

static void *run(void *arg)
{
    struct input_carbon_filter *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->stopping) {
        (void)cond_wait_for(&f->cond, &f->lock, NS_PER_SEC);
        if (f->stopping)
            break;
        pthread_mutex_unlock(&f->lock);
        flush(f, false);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* With the lock: a thread only when there is something to aggregate. */
static void start_thread(struct input_carbon_filter *f)
{
    if (!f->running && input_carbon_rules_aggregate(f->rules))
        f->running = pthread_create(&f->thread, NULL, run, f) == 0;
}

int input_carbon_filter_new(const struct input_env *env,
                            const struct input_carbon_filter_config *config,
                            struct input_carbon_filter **out, struct diag *diag)
{
    struct input_carbon_rules *rules;
    int err = input_carbon_rules_load(env->os, &config->files, &rules, diag);
    *out = NULL;
    if (err)
        return err;
    struct input_carbon_filter *f = mem_calloc(1, sizeof(*f));
    f->env = *env;
    f->rules = rules;
    f->aggregator = carbon_aggregator_new(
        config->aggregates_max ? config->aggregates_max : AGGREGATES_MAX, VALUES_MAX);
    pthread_mutex_init(&f->lock, NULL);
    cond_init(&f->cond);
    counter_register(counters, ARRAY_LEN(counters));
    pthread_mutex_lock(&f->lock);
    start_thread(f);
    pthread_mutex_unlock(&f->lock);
    *out = f;
    return 0;
}

int input_carbon_filter_reload(struct input_carbon_filter *f,
                               const struct input_carbon_filter_config *config, struct diag *diag)
{
    struct input_carbon_rules *rules;
    int err = input_carbon_rules_load(f->env.os, &config->files, &rules, diag);
    if (err)
        return err;
    pthread_mutex_lock(&f->lock);
    struct input_carbon_rules *old = f->rules;
    f->rules = rules;
    start_thread(f);
    pthread_mutex_unlock(&f->lock);
    input_carbon_rules_unref(old);
    return 0;
}

void input_carbon_filter_stop(struct input_carbon_filter *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_signal(&f->cond);
    pthread_mutex_unlock(&f->lock);
    if (f->running)
        pthread_join(f->thread, NULL);
    flush(f, true);
    carbon_aggregator_free(f->aggregator);
    input_carbon_rules_unref(f->rules);
    pthread_cond_destroy(&f->cond);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

/* --- a point --- */

struct point {
    struct carbon_scratch *s;
    struct slice name;
    int64_t now_s, ts_s;
    double value;
    bool is_its_own_aggregate;
};

static void add(void *ctx, const struct carbon_aggregate *to)
{
    struct point *p = ctx;
    p->is_its_own_aggregate |= slice_eq(to->name, p->name);
    if (!carbon_aggregator_add(p->s->filter->aggregator, to, p->now_s, p->ts_s, p->value))
        counter_add(&counters[1], 1);
}

static int on_point(void *ctx, struct slice *name, int64_t ts_s, double value)
{
    struct carbon_scratch *s = ctx;
    enum input_carbon_listed listed = input_carbon_rules_listed(s->rules, *name);
    if (listed != INPUT_CARBON_LISTED)
        return listed == INPUT_CARBON_BLACKLISTED ? DECODE_CARBON_BLACKLIST
                                                  : DECODE_CARBON_WHITELIST;
    *name = input_carbon_rules_rewrite(s->rules, false, *name, &s->a, &s->b);
    if (input_carbon_rules_aggregate(s->rules)) {
        struct point p = {
            .s = s, .name = *name, .now_s = now_s(s->filter), .ts_s = ts_s, .value = value};
        input_carbon_rules_aggregates(s->rules, *name, add, &p);
        if (p.is_its_own_aggregate || !input_carbon_rules_forward_all(s->rules))
            return DECODE_CARBON_DROP;
    }
    *name = input_carbon_rules_rewrite(s->rules, true, *name, &s->a, &s->b);
    return DECODE_CARBON_TAKE;
}

void carbon_scratch_begin(struct carbon_scratch *s, struct input_carbon_filter *f,
                          struct decode_carbon *d)
{
    s->filter = f;
    s->rules = f ? rules_of(f) : NULL;
    d->filter = s->rules ? on_point : NULL;
    d->filter_ctx = s;
}

void carbon_scratch_end(struct carbon_scratch *s)
{
    input_carbon_rules_unref(s->rules);
    s->rules = NULL;
}

void carbon_scratch_deinit(struct carbon_scratch *s)
{
    buf_deinit(&s->a);
    buf_deinit(&s->b);
}
