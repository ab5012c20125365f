#include "pipe/delta.h"

#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"
#include "data/histogram_math.h"

#define SLOTS_MIN 256

struct sum {
    struct hash128 key; /* of tenant and series; all zero = free */
    int64_t last_ns, start_ns, used_ns;
    double value;
    struct data_histogram_sum *histogram; /* NULL: a float */
    bool is_integer;
};

struct pipe_delta {
    struct pipe_delta_config config;
    pthread_mutex_t lock; /* of everything below */
    struct sum *slots;    /* open addressing; size is a power of two, at most 3/4 full */
    size_t size, count;
    int64_t swept_ns;
};

const char *pipe_delta_refusal_name(enum pipe_delta_refusal reason)
{
    static const char *const names[PIPE_DELTA_REFUSED_COUNT] = {"out_of_order", "series_limit",
                                                                "mixed_histograms"};
    base_assert(reason < PIPE_DELTA_REFUSED_COUNT);
    return names[reason];
}

size_t pipe_delta_refused(const struct pipe_delta_result *r)
{
    size_t sum = 0;
    for (size_t i = 0; i < PIPE_DELTA_REFUSED_COUNT; i++)
        sum += r->refused[i];
    return sum;
}

void pipe_delta_result_free(struct pipe_delta_result *r)
{
    vec_free(&r->touched);
}

struct pipe_delta *pipe_delta_new(const struct pipe_delta_config *config)
{
    struct pipe_delta *d = mem_calloc(1, sizeof(*d));
    d->config = *config;
    d->size = SLOTS_MIN;
    d->slots = mem_calloc(d->size, sizeof(*d->slots));
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

/* --- the table --- */

static bool is_free(const struct sum *s)
{
    return !s->key.lo && !s->key.hi;
}

static struct sum *slot_of(const struct pipe_delta *d, struct hash128 key)
{
    size_t mask = d->size - 1, at = key.lo & mask;
    while (!is_free(&d->slots[at]) && !hash128_eq(d->slots[at].key, key))
        at = (at + 1) & mask;
    return &d->slots[at];
}

static void free_histogram(struct sum *s)
{
    if (s->histogram) {
        data_histogram_sum_free(s->histogram);
        mem_free(s->histogram);
    }
    s->histogram = NULL;
}

void pipe_delta_free(struct pipe_delta *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->size; i++)
        free_histogram(&d->slots[i]);
    mem_free(d->slots);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

/* Rehashes into `size` slots what was used since `since_ns`. */
static void rebuild(struct pipe_delta *d, size_t size, int64_t since_ns)
{
    struct sum *old = d->slots;
    size_t old_size = d->size;
    d->slots = mem_calloc(size, sizeof(*d->slots));
    d->size = size;
    d->count = 0;
    for (size_t i = 0; i < old_size; i++) {
        if (is_free(&old[i]))
            continue;
        if (old[i].used_ns < since_ns) {
            free_histogram(&old[i]);
        } else {
            *slot_of(d, old[i].key) = old[i];
            d->count++;
        }
    }
    mem_free(old);
}

/* Forgets idle sums, now and then, and whenever there are too many. */
static void sweep(struct pipe_delta *d, int64_t now_ns)
{
    if (now_ns - d->swept_ns < d->config.idle_ns / 4)
        return;
    d->swept_ns = now_ns;
    rebuild(d, d->size, now_ns - d->config.idle_ns);
}

/* NULL when series_max is reached. */
static struct sum *add(struct pipe_delta *d, struct hash128 key, int64_t now_ns)
{
    if (d->count >= d->config.series_max) {
        sweep(d, now_ns);
        if (d->count >= d->config.series_max)
            return NULL;
    }
    if ((d->count + 1) * 4 > d->size * 3)
        rebuild(d, d->size * 2, INT64_MIN);
    struct sum *s = slot_of(d, key);
    *s = (struct sum){.key = key, .last_ns = INT64_MIN, .used_ns = now_ns, .is_integer = true};
    d->count++;
    return s;
}

/* What stands behind it moves up where its search would end at the hole. */
static void remove_sum(struct pipe_delta *d, size_t hole)
{
    size_t mask = d->size - 1;
    free_histogram(&d->slots[hole]);
    for (size_t at = (hole + 1) & mask; !is_free(&d->slots[at]); at = (at + 1) & mask) {
        size_t home = d->slots[at].key.lo & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        d->slots[hole] = d->slots[at];
        hole = at;
    }
    d->slots[hole] = (struct sum){0};
    d->count--;
}

static struct hash128 key_of(struct hash128 tenant, struct hash128 series)
{
    struct hash128 key = {hash_u64(series.lo ^ tenant.lo), series.hi ^ tenant.hi};
    if (!key.lo && !key.hi)
        key.lo = 1;
    return key;
}

/* --- sums --- */

/* What the series' last stored sample says goes on. */
static void restore(struct sum *s, const struct pipe_delta_last *last)
{
    s->last_ns = last->ts_ns;
    s->start_ns = last->start_ns;
    if (!last->histogram) {
        s->value = data_is_stale(last->value) ? 0 : last->value;
        return;
    }
    s->is_integer = last->histogram->is_integer;
    if (last->histogram->is_stale)
        return;
    s->histogram = mem_calloc(1, sizeof(*s->histogram));
    data_histogram_sum_start(s->histogram, last->histogram);
}

static bool add_histogram(struct sum *s, const struct data_histogram *h)
{
    struct data_histogram_sum *sum = s->histogram;
    unsigned flags = 0; /* bounds that differ are the sender's business */
    if (!sum)
        sum = s->histogram = mem_calloc(1, sizeof(*sum));
    if (!sum->started)
        data_histogram_sum_start(sum, h);
    else if (data_histogram_sum_add(sum, h, 1, &flags))
        return false;
    s->is_integer &= h->is_integer;
    return true;
}

/* The sample's value as the sum with it; false with a reason. */
static bool accumulate(struct sum *s, struct data_metric_batch *b, size_t i,
                       enum pipe_delta_refusal *reason)
{
    const struct data_histogram *h = b->sample_histogram.len ? b->sample_histogram.items[i] : NULL;
    int64_t start_ns = b->sample_start.len ? b->sample_start.items[i] : 0;
    *reason = PIPE_DELTA_OUT_OF_ORDER;
    if (b->sample_ts.items[i] <= s->last_ns)
        return false;
    if (s->last_ns == INT64_MIN)
        s->start_ns = start_ns;
    if (h) {
        *reason = PIPE_DELTA_MIXED;
        if (!add_histogram(s, h))
            return false;
        struct data_histogram *sum = data_histogram_sum_finish(s->histogram, b->arena);
        base_assert(sum); /* a batch's arena has no budget */
        sum->reset_hint = DATA_RESET_UNKNOWN;
        sum->is_integer = s->is_integer;
        b->sample_histogram.items[i] = sum;
        b->sample_value.items[i] = sum->sum;
    } else {
        if (s->histogram) { /* it was a histogram before: another series by the same name */
            free_histogram(s);
            s->value = 0;
            s->start_ns = start_ns;
        }
        s->value += b->sample_value.items[i];
        b->sample_value.items[i] = s->value;
    }
    s->last_ns = b->sample_ts.items[i];
    if (b->sample_start.len)
        b->sample_start.items[i] = s->start_ns;
    return true;
}

/* --- the batch --- */

static void refuse(struct pipe_delta_result *out, const struct data_metric_batch *b, size_t i,
                   enum pipe_delta_refusal reason, const struct sum *s)
{
    static const char *const why[PIPE_DELTA_REFUSED_COUNT] = {
        "a delta that is not later than the last one of its series",
        "a new series of delta temporality over limits.otlp.delta_series",
        "a delta histogram whose buckets cannot be added to those before"};
    out->refused[reason]++;
    out->refused_points += b->sample_delta.items[i] == DATA_DELTA_FIRST || !out->refused_points;
    if (out->first_refusal.code)
        return;
    struct arena *arena = arena_new(0, NULL);
    struct buf text = {0};
    struct data_labels labels;
    if (!data_labels_decode(b->series.items[b->sample_series.items[i]].key, arena, &labels))
        data_labels_print(labels, &text);
    diag_set(&out->first_refusal, ERR_INVALID, "%s: %s (%lld ms, last %lld ms): %.*s",
             pipe_delta_refusal_name(reason), why[reason],
             (long long)(b->sample_ts.items[i] / NS_PER_MS),
             (long long)(s && s->last_ns != INT64_MIN ? s->last_ns / NS_PER_MS : 0),
             SLICE_FMT(slice_first(buf_slice(&text), 500)));
    buf_deinit(&text);
    arena_free(arena);
}

#define MOVE(vec, to, from) ((vec)->len ? (void)((vec)->items[to] = (vec)->items[from]) : (void)0)

static void move_sample(struct data_metric_batch *b, size_t to, size_t from)
{
    if (to == from)
        return;
    MOVE(&b->sample_series, to, from);
    MOVE(&b->sample_ts, to, from);
    MOVE(&b->sample_value, to, from);
    MOVE(&b->sample_histogram, to, from);
    MOVE(&b->sample_start, to, from);
}

static void cut_samples(struct data_metric_batch *b, size_t len)
{
    b->sample_series.len = b->sample_ts.len = b->sample_value.len = len;
    if (b->sample_histogram.len)
        b->sample_histogram.len = len;
    if (b->sample_start.len)
        b->sample_start.len = len;
    vec_clear(&b->sample_delta);
}

struct unknown {
    VEC(const struct data_batch_series *) series;
    struct pipe_delta_last *last;
    int64_t t_min_ns, t_max_ns;
};

/* The series that have deltas and no sum yet, each once. */
static void collect_unknown(struct pipe_delta *d, const struct data_metric_batch *b,
                            struct hash128 tenant, struct unknown *out)
{
    bool *seen = mem_calloc(b->series.len + 1, sizeof(*seen));
    out->t_min_ns = INT64_MAX;
    out->t_max_ns = INT64_MIN;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        uint32_t series = b->sample_series.items[i];
        if (!b->sample_delta.items[i])
            continue;
        out->t_min_ns = MIN(out->t_min_ns, b->sample_ts.items[i]);
        out->t_max_ns = MAX(out->t_max_ns, b->sample_ts.items[i]);
        if (seen[series])
            continue;
        seen[series] = true;
        if (is_free(slot_of(d, key_of(tenant, b->series.items[series].id))))
            vec_push(&out->series, &b->series.items[series]);
    }
    pthread_mutex_unlock(&d->lock);
    mem_free(seen);
}

static void find_unknown(struct pipe_delta *d, struct slice tenant, struct unknown *u,
                         struct arena *arena)
{
    int64_t from_ns = u->t_min_ns, to_ns = u->t_max_ns;
    u->last = arena_calloc(arena, u->series.len, sizeof(*u->last));
    if (!d->config.find)
        return;
    /* Later samples count too: then a delta is out of order after a restart as before it. */
    if (__builtin_sub_overflow(from_ns, d->config.idle_ns, &from_ns))
        from_ns = INT64_MIN;
    if (__builtin_add_overflow(to_ns, d->config.idle_ns, &to_ns))
        to_ns = INT64_MAX;
    if (d->config.find(d->config.ctx, tenant, u->series.items, u->series.len, from_ns, to_ns, arena,
                       u->last))
        memset(u->last, 0, u->series.len * sizeof(*u->last));
}

void pipe_delta_apply(struct pipe_delta *d, struct data_metric_batch *b, int64_t now_ns,
                      struct pipe_delta_result *out)
{
    struct unknown unknown = {0};
    struct arena *arena = NULL;
    if (!b->sample_delta.len)
        return;
    struct hash128 tenant = hash128(b->tenant.ptr, b->tenant.len);
    collect_unknown(d, b, tenant, &unknown);
    if (unknown.series.len) {
        arena = arena_new(0, NULL);
        find_unknown(d, b->tenant, &unknown, arena);
    }
    pthread_mutex_lock(&d->lock);
    sweep(d, now_ns);
    for (size_t i = 0; i < unknown.series.len; i++) {
        struct hash128 key = key_of(tenant, unknown.series.items[i]->id);
        struct sum *s;
        if (unknown.last[i].is_found && is_free(slot_of(d, key)) && (s = add(d, key, now_ns)))
            restore(s, &unknown.last[i]);
    }
    size_t kept = 0;
    for (size_t i = 0; i < b->sample_ts.len; i++) {
        enum pipe_delta_refusal reason = PIPE_DELTA_SERIES_LIMIT;
        if (b->sample_delta.items[i]) {
            struct hash128 key = key_of(tenant, b->series.items[b->sample_series.items[i]].id);
            struct sum *s = slot_of(d, key);
            if (is_free(s))
                s = add(d, key, now_ns);
            if (!s || !accumulate(s, b, i, &reason)) {
                refuse(out, b, i, reason, s);
                continue;
            }
            s->used_ns = now_ns;
            vec_push(&out->touched, key);
        }
        move_sample(b, kept++, i);
    }
    cut_samples(b, kept);
    pthread_mutex_unlock(&d->lock);
    vec_free(&unknown.series);
    arena_free(arena);
}

void pipe_delta_forget(struct pipe_delta *d, const struct pipe_delta_result *result)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < result->touched.len; i++) {
        struct sum *s = slot_of(d, result->touched.items[i]);
        if (!is_free(s))
            remove_sum(d, (size_t)(s - d->slots));
    }
    pthread_mutex_unlock(&d->lock);
}

size_t pipe_delta_count(struct pipe_delta *d)
{
    pthread_mutex_lock(&d->lock);
    size_t n = d->count;
    pthread_mutex_unlock(&d->lock);
    return n;
}
