/* Samples into slots. Within a slot of the finest archive the last sample wins; a slot of a coarser
 * one is made of those of the archive before it, when enough of them are there (xFilesFactor). This
 * is what whisper does while points arrive, so that an aggregate of aggregates comes out the same.
 * Points that come regularly at the distance of a coarser archive (imported ones) are its slots.
 *
 * Without retention rules the step is that of the data: the distance of samples that a tenth of
 * them is below (gaps make others longer), taken to the nearest round number of seconds when it is
 * within a tenth of one. A series with fewer than two samples goes along with the others of its
 * path. */
#include <stdlib.h>

#include "lang/graphite/graphite_priv.h"

#define STEP_DEFAULT 60
#define POINTS_MAX   100000 /* of one series; longer windows get coarser steps */

static int64_t round_step(int64_t gap)
{
    static const int64_t round[] = {1,    2,    5,    10,    12,    15,    20,    30,
                                    60,   120,  180,  240,   300,   600,   900,   1200,
                                    1800, 3600, 7200, 10800, 14400, 21600, 43200, 86400};
    for (size_t i = 0; i < ARRAY_LEN(round); i++) {
        if (llabs(gap - round[i]) * 10 <= round[i])
            return round[i];
    }
    return MAX(gap, 1);
}

static int by_int(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t graphite__step_of_times(const int64_t *ts, size_t count)
{
    int64_t gaps[256], least = INT64_MAX, most = 0;
    size_t n = 0, every = count > 257 ? count / 257 : 1;
    for (size_t i = 1; i < count && n < ARRAY_LEN(gaps); i += every) {
        int64_t gap = (ts[i] - ts[i - 1] + NS_PER_SEC / 2) / NS_PER_SEC;
        if (gap <= 0)
            continue;
        gaps[n++] = gap;
        least = MIN(least, gap);
        most = MAX(most, gap);
    }
    if (!n)
        return count > 1 ? 1 : 0;
    if (least == most)
        return round_step(least);
    qsort(gaps, n, sizeof(*gaps), by_int);
    return round_step(gaps[n / 10]);
}

int64_t graphite__step_of(struct graphite__step_cache *cache, const struct store_samples *samples)
{
    struct hash128 id = samples->times_id;
    bool known = id.hi || id.lo;
    if (known && id.hi == cache->times.hi && id.lo == cache->times.lo)
        return cache->step_s;
    int64_t step = graphite__step_of_times(samples->ts, samples->count);
    if (known) {
        cache->times = id;
        cache->step_s = step;
    }
    return step;
}

static void bound_points(const struct graphite_run *x, struct graphite_rollup *how)
{
    int64_t *step = &how->step_s[how->count - 1];
    int64_t window = MIN(x->window.end_s, x->req->now_s) - x->window.start_s;
    if (window / *step > POINTS_MAX)
        *step *= window / *step / POINTS_MAX + 1;
}

bool graphite__rollup_by_rules(const struct graphite_run *x, struct slice name,
                               struct graphite_rollup *out)
{
    if (!x->req->schemas ||
        !graphite_schemas_find(x->req->schemas, name, x->req->now_s - x->window.start_s, out))
        return false;
    bound_points(x, out);
    return true;
}

void graphite__rollup_by_data(const struct graphite_run *x, int64_t step_s,
                              struct graphite_rollup *out)
{
    *out = (struct graphite_rollup){.count = 1, .agg = GRAPHITE_AVERAGE};
    out->step_s[0] = step_s ? step_s : STEP_DEFAULT;
    bound_points(x, out);
}

/* The slot that is being filled, an archive. */
struct level {
    int64_t slot;
    VEC(double) values;
};

struct roll {
    const struct graphite_rollup *how;
    struct graphite_series *s;
    struct level levels[GRAPHITE_ARCHIVES_MAX];
};

static void shown(struct roll *r, int64_t slot, double value)
{
    int64_t i = graphite__floor_div(slot - r->s->start, r->s->step);
    if (i >= 0 && i < (int64_t)r->s->count)
        r->s->values[i] = value;
}

static void give(struct roll *r, size_t level, int64_t slot, double value);

static void close_slot(struct roll *r, size_t level)
{
    struct level *l = &r->levels[level];
    const struct graphite_rollup *h = r->how;
    if (l->values.len &&
        graphite__xff(l->values.len, (double)(h->step_s[level] / h->step_s[level - 1]), h->xff))
        give(r, level + 1, l->slot,
             h->agg == GRAPHITE_AVG_ZERO
                 ? graphite_aggregate(GRAPHITE_SUM, l->values.items, l->values.len) /
                       (double)(h->step_s[level] / h->step_s[level - 1])
                 : graphite_aggregate(h->agg, l->values.items, l->values.len));
    vec_clear(&l->values);
}

/* A value of the archive before `level`, which has been given all that come before it. */
static void give(struct roll *r, size_t level, int64_t slot, double value)
{
    if (level == r->how->count) {
        shown(r, slot, value);
        return;
    }
    struct level *l = &r->levels[level];
    int64_t own = graphite__floor_div(slot, r->how->step_s[level]) * r->how->step_s[level];
    if (own != l->slot) {
        close_slot(r, level);
        l->slot = own;
    }
    vec_push(&l->values, value);
}

#define NEIGHBOURS 8

/* The smallest distance of some samples before (way -1) or behind (1) the i-th; `near` is that of
 * the first. */
static int64_t distance(const struct store_samples *s, size_t i, int way, int64_t *near, size_t *n)
{
    int64_t least = INT64_MAX;
    *near = INT64_MAX;
    for (*n = 0; *n < NEIGHBOURS; ++*n) {
        if (way < 0 ? i == 0 : i + 1 >= s->count)
            break;
        size_t later = way < 0 ? i : i + 1;
        int64_t gap = s->ts[later] - s->ts[later - 1];
        if (!*n)
            *near = gap;
        least = MIN(least, gap);
        i = way < 0 ? i - 1 : i + 1;
    }
    return least;
}

/* The archive whose slot the i-th sample is: neither neighbour is nearer than its step, and at one
 * side nothing is. */
static size_t archive_of(const struct graphite_rollup *how, const struct store_samples *s, size_t i)
{
    int64_t before_near, behind_near;
    size_t before_count, behind_count, archive = 0;
    int64_t before = distance(s, i, -1, &before_near, &before_count);
    int64_t behind = distance(s, i, 1, &behind_near, &behind_count);
    int64_t gap = MAX(before_count < 3 ? 0 : before, behind_count < 3 ? 0 : behind);
    gap = MIN(gap, MIN(before_near, behind_near));
    while (archive + 1 < how->count && gap / NS_PER_SEC >= how->step_s[archive + 1])
        archive++;
    return archive;
}

/* Only one archive: the last sample of each slot. Times ascend, so that most slots are the next. */
static void fill(const struct store_samples *samples, struct graphite_series *s)
{
    int64_t step = s->step * NS_PER_SEC, begin = s->start * NS_PER_SEC;
    int64_t slot = -1, end = begin; /* of the slot */
    bool plain = samples->ordinary && !samples->histogram;
    for (size_t i = 0; i < samples->count; i++) {
        int64_t t = samples->ts[i];
        if (t < begin ||
            (!plain && (isnan(samples->value[i]) || (samples->histogram && samples->histogram[i]))))
            continue;
        if (t >= end) {
            slot += t < end + step ? 1 : (t - end) / step + 1;
            end = begin + (slot + 1) * step;
            if (slot >= (int64_t)s->count)
                return;
        }
        s->values[slot] = samples->value[i];
    }
}

void graphite__roll(const struct store_samples *samples, const struct graphite_rollup *how,
                    struct graphite_series *s)
{
    struct roll r = {.how = how, .s = s};
    int64_t slot = INT64_MIN;
    double value = 0;
    if (how->count == 1) {
        fill(samples, s);
        return;
    }
    for (size_t i = 0; i < samples->count; i++) {
        if (isnan(samples->value[i]) || (samples->histogram && samples->histogram[i]))
            continue;
        int64_t t = graphite__floor_div(samples->ts[i], NS_PER_SEC);
        size_t archive = archive_of(how, samples, i);
        int64_t step = how->step_s[archive], own = graphite__floor_div(t, step) * step;
        if ((own != slot || archive) && slot != INT64_MIN) {
            give(&r, 1, slot, value);
            slot = INT64_MIN;
        }
        if (archive) {
            for (size_t k = 1; k <= archive; k++)
                close_slot(&r, k);
            give(&r, archive + 1, own, samples->value[i]);
            continue;
        }
        slot = own;
        value = samples->value[i];
    }
    if (slot != INT64_MIN)
        give(&r, 1, slot, value);
    for (size_t k = 1; k < how->count; k++)
        close_slot(&r, k);
    for (size_t k = 0; k < how->count; k++)
        vec_free(&r.levels[k].values);
}
