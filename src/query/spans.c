#include "query/spans.h"

#include <math.h>

#include "base/mem.h"
#include "query/scan.h"

#define CACHE_BYTES                                                                                \
    ((size_t)16 << 20) /* a thread, and not more than a share of the query's memory */
#define CACHE_SHARE 16

static struct query__span *span_new(size_t steps)
{
    struct query__span *p = mem_calloc(1, sizeof(*p));
    p->first = mem_alloc(steps * sizeof(*p->first));
    p->last = mem_alloc(steps * sizeof(*p->last));
    p->any = mem_alloc(steps);
    p->two = mem_alloc(steps);
    return p;
}

static void span_free(struct query__span *p)
{
    if (!p)
        return;
    mem_free(p->first);
    mem_free(p->last);
    mem_free(p->any);
    mem_free(p->two);
    mem_free(p->sampled);
    mem_free(p->apart);
    mem_free(p);
}

/* The longest run of steps around the middle with windows that move evenly. */
static void find_even(struct query__span *p)
{
    const uint32_t *first = p->first, *last = p->last;
    size_t lo = (p->lo + p->hi) / 2, hi = lo + 1;
    p->even_lo = p->even_hi = p->lo;
    p->stride = 0;
    if (hi >= p->hi)
        return;
    uint32_t stride = last[hi] - last[lo];
    while (hi < p->hi && last[hi] - last[hi - 1] == stride && first[hi] - first[hi - 1] == stride)
        hi++;
    while (lo > p->lo && last[lo] - last[lo - 1] == stride && first[lo] - first[lo - 1] == stride)
        lo--;
    if (!stride || hi - lo < 8)
        return;
    p->even_lo = lo;
    p->even_hi = hi;
    p->stride = stride;
}

/* The first index from `at` on whose time is behind t, tried first as far on as the last time. */
static inline size_t behind(const int64_t *ts, size_t count, size_t at, size_t stride, int64_t t)
{
    size_t guess = at + stride;
    if (guess <= count && (guess == at || ts[guess - 1] <= t) && (guess == count || ts[guess] > t))
        return guess;
    while (at < count && ts[at] <= t)
        at++;
    return at;
}

static void fill(const struct query__windows *w, struct query__span *p, const int64_t *ts,
                 size_t count)
{
    size_t begin = 0, end = 0, by_begin = 0, by_end = 0;
    p->lo = p->hi = p->two_lo = p->two_hi = 0;
    p->any_all = p->two_all = true;
    memset(p->any, 0, w->steps);
    memset(p->two, 0, w->steps);
    bool found = false;
    size_t any = 0, two = 0;
    for (size_t s = 0; s < w->steps; s++) {
        int64_t t = w->first_ns + (int64_t)s * w->step_ns, start = query__minus(t, w->range_ns);
        size_t next = behind(ts, count, end, by_end, t);
        by_end = next - end;
        end = next;
        next = behind(ts, end, begin, by_begin, start);
        by_begin = next - begin;
        begin = next;
        p->first[s] = (uint32_t)(begin < end ? begin : end ? end - 1 : 0);
        p->last[s] = (uint32_t)(end ? end - 1 : 0);
        if (begin == end)
            continue;
        if (!found)
            p->lo = s;
        found = true;
        p->hi = s + 1;
        p->any[s] = 1;
        p->two[s] = end - begin >= 2;
        any++;
        if (!p->two[s])
            continue;
        if (!two++)
            p->two_lo = s;
        p->two_hi = s + 1;
    }
    p->any_all = any == p->hi - p->lo;
    p->two_all = two == p->two_hi - p->two_lo;
    find_even(p);
}

static size_t span_bytes(size_t steps)
{
    return sizeof(struct query__span) + steps * QUERY__SPAN_BYTES;
}

static void grow(struct query__spans *s)
{
    size_t size = s->size ? s->size * 2 : 64;
    struct query__span **table = mem_calloc(size, sizeof(struct query__span *));
    for (size_t i = 0; i < s->size; i++) {
        struct query__span *p = s->table[i];
        size_t at = p ? p->id.lo & (size - 1) : 0;
        while (p && table[at])
            at = (at + 1) & (size - 1);
        if (p)
            table[at] = p;
    }
    mem_free(s->table);
    s->table = table;
    s->size = size;
}

/* Whether one more is kept; it is charged then. */
static bool has_room(struct query__spans *s)
{
    size_t bytes = span_bytes(s->windows.steps), most = CACHE_BYTES;
    if (s->memory && s->memory->limit)
        most = MIN(most, (size_t)s->memory->limit / CACHE_SHARE);
    if (s->bytes + bytes > most || (s->memory && !budget_take(s->memory, (int64_t)bytes)))
        return false;
    s->bytes += bytes;
    return true;
}

struct query__span *query__span_of(struct query__spans *s, const int64_t *ts, size_t count,
                                   struct hash128 id)
{
    if (!id.lo && !id.hi)
        id = hash128(ts, count * sizeof(*ts));
    if (s->count * 2 >= s->size)
        grow(s);
    size_t at = id.lo & (s->size - 1);
    while (s->table[at] && !hash128_eq(s->table[at]->id, id))
        at = (at + 1) & (s->size - 1);
    if (s->table[at])
        return s->table[at];
    struct query__span *p;
    if (has_room(s)) {
        p = s->table[at] = span_new(s->windows.steps);
        s->count++;
    } else {
        if (!s->spare)
            s->spare = span_new(s->windows.steps);
        p = s->spare;
        if (hash128_eq(p->id, id))
            return p;
        mem_free(p->sampled);
        mem_free(p->apart);
        p->sampled = p->apart = NULL;
    }
    p->id = id;
    fill(&s->windows, p, ts, count);
    return p;
}

void query__span_extrapolation(const struct query__spans *s, struct query__span *p,
                               const int64_t *ts, const uint32_t *place)
{
    const struct query__windows *w = &s->windows;
    if (p->sampled)
        return;
    p->sampled = mem_alloc(4 * w->steps * sizeof(double));
    p->to_start = p->sampled + w->steps;
    p->to_end = p->to_start + w->steps;
    p->factor = p->to_end + w->steps;
    p->least_sampled = INFINITY;
    p->most_to_start = 0;
    p->one_factor = true;
    double range_s = query__seconds(w->range_ns);
    int64_t was[4] = {-1, -1, -1, -1}; /* distances of the step before */
    for (size_t i = p->lo; i < p->hi; i++) {
        if (!p->two[i]) {
            p->sampled[i] = 1;
            p->to_start[i] = p->to_end[i] = p->factor[i] = 0;
            was[0] = -1;
            p->one_factor = p->one_factor && (i < p->even_lo || i >= p->even_hi);
            continue;
        }
        int64_t t = w->first_ns + (int64_t)i * w->step_ns, start = query__minus(t, w->range_ns);
        uint32_t intervals =
            place ? place[p->last[i]] - place[p->first[i]] : p->last[i] - p->first[i];
        int64_t now[4] = {ts[p->last[i]] - ts[p->first[i]], ts[p->first[i]] - start,
                          t - ts[p->last[i]], intervals};
        if (i > p->even_lo && i < p->even_hi && memcmp(now, was, sizeof(now)) == 0) {
            p->sampled[i] = p->sampled[i - 1];
            p->to_start[i] = p->to_start[i - 1];
            p->to_end[i] = p->to_end[i - 1];
            p->factor[i] = p->factor[i - 1];
            continue;
        }
        memcpy(was, now, sizeof(was));
        double sampled = query__seconds(now[0]), to_start = query__seconds(now[1]),
               to_end = query__seconds(now[2]);
        double average = sampled / (double)intervals, threshold = average * 1.1;
        p->sampled[i] = sampled;
        p->to_start[i] = to_start >= threshold ? average / 2 : to_start;
        p->to_end[i] = to_end >= threshold ? average / 2 : to_end;
        double factor = (sampled + p->to_start[i] + p->to_end[i]) / sampled;
        p->factor[i] = w->per_second ? factor / range_s : factor;
        p->least_sampled = fmin(p->least_sampled, sampled);
        p->most_to_start = fmax(p->most_to_start, p->to_start[i]);
        if (i > p->even_lo && i < p->even_hi)
            p->one_factor = p->one_factor && p->factor[i] == p->factor[i - 1];
    }
}

void query__span_apart(const struct query__spans *s, struct query__span *p, const int64_t *ts)
{
    if (p->apart)
        return;
    p->apart = mem_alloc(s->windows.steps * sizeof(double));
    for (size_t i = p->lo; i < p->hi; i++)
        p->apart[i] = p->two[i] ? query__seconds(ts[p->last[i]] - ts[p->last[i] - 1]) : 1;
}

void query__spans_free(struct query__spans *s)
{
    for (size_t i = 0; i < s->size; i++)
        span_free(s->table[i]);
    mem_free(s->table);
    span_free(s->spare);
    if (s->memory)
        budget_give(s->memory, (int64_t)s->bytes);
    *s = (struct query__spans){0};
}
