#include "pipe/tally_priv.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/utf8.h"
#include "pipe/tally_write_priv.h"

#define SHARDS        16
#define SLOTS_MIN     64
#define ROWS_A_TURN   64   /* written while a shard is locked */
#define OVERFLOW_ROWS 1000 /* tenants whose overflow is told apart */

struct shard {
    pthread_mutex_t lock;
    VEC(struct pipe__tally_row *) rows;
    uint32_t *slots; /* 1 + index in rows; open addressing by the id */
    size_t slot_count;
    char pad[64];
};

struct pipe__tally {
    struct pipe__tally_config config;
    struct pipe__tally_names *names;
    size_t series_a_row;
    _Atomic size_t overflow_rows;
    struct shard shards[SHARDS];
};

struct pipe__tally *pipe__tally_new(const struct pipe__tally_config *config)
{
    struct pipe__tally *t = mem_calloc(1, sizeof(*t));
    base_assert(config->label_count <= PIPE__TALLY_LABELS);
    base_assert(config->output_count <= PIPE__TALLY_OUTPUTS);
    base_assert(config->histogram_count <= PIPE__TALLY_HISTOGRAMS);
    base_assert(config->classic || config->native);
    t->config = *config;
    t->names = pipe__tally_names_new(config);
    for (size_t i = 0; i < config->output_count; i++) {
        const struct pipe__tally_output *o = &config->outputs[i];
        if (o->type != PIPE__TALLY_HISTOGRAM)
            t->series_a_row++;
        else
            t->series_a_row +=
                (config->classic ? config->histograms[o->index].bound_count + 3 : 0) +
                (config->native ? 1 : 0);
    }
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&t->shards[i].lock, NULL);
    return t;
}

static void row_free(struct pipe__tally *t, struct pipe__tally_row *row)
{
    for (size_t i = 0; i < t->config.histogram_count; i++)
        vec_free(&row->histograms[i].native.counts);
    if (row->is_overflow)
        t->overflow_rows--;
    else
        budget_give(t->config.series, (int64_t)t->series_a_row);
    mem_free(row);
}

void pipe__tally_free(struct pipe__tally *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &t->shards[i];
        for (size_t k = 0; k < s->rows.len; k++)
            row_free(t, s->rows.items[k]);
        vec_free(&s->rows);
        mem_free(s->slots);
        pthread_mutex_destroy(&s->lock);
    }
    pipe__tally_names_free(t->names);
    mem_free(t);
}

/* --- rows --- */

/* At most PIPE__TALLY_VALUE_BYTES, whole characters. */
static struct slice cut(struct slice text)
{
    if (text.len <= PIPE__TALLY_VALUE_BYTES)
        return text;
    size_t len = PIPE__TALLY_VALUE_BYTES;
    while (len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return slice_first(text, len);
}

static char *put(char *to, struct slice text)
{
    uint32_t len = (uint32_t)text.len;
    memcpy(to, &len, sizeof(len));
    if (text.len)
        memcpy(to + sizeof(len), text.ptr, text.len);
    return to + sizeof(len) + text.len;
}

static struct hash128 identify(struct slice tenant, const struct slice *values, size_t count,
                               bool overflow)
{
    char small[2048], *big = NULL;
    size_t need = tenant.len + 5;
    for (size_t i = 0; i < count; i++)
        need += values[i].len + 4;
    char *at = need <= sizeof(small) ? small : (big = mem_alloc(need)), *to = put(at, tenant);
    for (size_t i = 0; i < count; i++)
        to = put(to, values[i]);
    *to++ = (char)overflow;
    struct hash128 id = hash128(at, (size_t)(to - at));
    mem_free(big);
    return id;
}

/* Where the row is, or the empty slot where it goes. */
static size_t find_slot(const struct shard *s, struct hash128 id)
{
    size_t i = id.hi & (s->slot_count - 1);
    while (s->slots[i] && !hash128_eq(s->rows.items[s->slots[i] - 1]->id, id))
        i = (i + 1) & (s->slot_count - 1);
    return i;
}

static void grow(struct shard *s)
{
    if (s->slot_count && s->rows.len < s->slot_count / 4 * 3)
        return;
    mem_free(s->slots);
    s->slot_count = s->slot_count ? s->slot_count * 2 : SLOTS_MIN;
    s->slots = mem_calloc(s->slot_count, sizeof(*s->slots));
    for (size_t i = 0; i < s->rows.len; i++)
        s->slots[find_slot(s, s->rows.items[i]->id)] = (uint32_t)i + 1;
}

/* The last row takes the place of the one removed; slots behind it close up. */
static void remove_row(struct pipe__tally *t, struct shard *s, size_t index)
{
    struct pipe__tally_row *row = s->rows.items[index];
    size_t mask = s->slot_count - 1, hole = find_slot(s, row->id), i = hole;
    s->slots[hole] = 0;
    for (;;) {
        i = (i + 1) & mask;
        if (!s->slots[i])
            break;
        size_t home = s->rows.items[s->slots[i] - 1]->id.hi & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        s->slots[hole] = s->slots[i];
        s->slots[i] = 0;
        hole = i;
    }
    size_t last = s->rows.len - 1;
    if (index != last) {
        s->slots[find_slot(s, s->rows.items[last]->id)] = (uint32_t)index + 1;
        s->rows.items[index] = s->rows.items[last];
    }
    s->rows.len--;
    row_free(t, row);
}

static struct pipe__tally_row *row_new(struct pipe__tally *t, struct slice tenant,
                                       const struct slice *values, int64_t now_ns)
{
    const struct pipe__tally_config *c = &t->config;
    size_t buckets = 0, text = tenant.len;
    for (size_t i = 0; i < c->histogram_count; i++)
        buckets += c->histograms[i].bound_count + 1;
    for (size_t i = 0; i < c->label_count; i++)
        text += values[i].len;
    size_t fixed = sizeof(struct pipe__tally_row) + c->label_count * sizeof(struct slice) +
                   (c->counter_count + buckets) * sizeof(double);
    struct pipe__tally_row *row = mem_calloc(1, fixed + text);
    row->values = (struct slice *)(void *)(row + 1);
    row->counters = (double *)(void *)(row->values + c->label_count);
    double *counts = row->counters + c->counter_count;
    for (size_t i = 0; i < c->histogram_count; i++) {
        row->histograms[i].counts = counts;
        row->histograms[i].native.schema = PIPE__TALLY_SCHEMA;
        counts += c->histograms[i].bound_count + 1;
    }
    char *to = (char *)counts;
    row->tenant = slice_make(to, tenant.len);
    memcpy(to, tenant.ptr, tenant.len);
    to += tenant.len;
    for (size_t i = 0; i < c->label_count; i++) {
        row->values[i] = slice_make(to, values[i].len);
        if (values[i].len)
            memcpy(to, values[i].ptr, values[i].len);
        to += values[i].len;
    }
    row->created_ns = row->touched_ns = now_ns;
    row->is_new = true;
    return row;
}

static bool charge(struct pipe__tally *t, bool overflow)
{
    if (!overflow)
        return budget_take(t->config.series, (int64_t)t->series_a_row);
    if (atomic_fetch_add(&t->overflow_rows, 1) < OVERFLOW_ROWS)
        return true;
    t->overflow_rows--;
    return false;
}

static struct pipe__tally_row *lock_row(struct pipe__tally *t, struct slice tenant,
                                        const struct slice *values, int64_t now_ns, bool overflow)
{
    struct hash128 id = identify(tenant, values, t->config.label_count, overflow);
    struct shard *s = &t->shards[id.lo % SHARDS];
    pthread_mutex_lock(&s->lock);
    grow(s);
    size_t at = find_slot(s, id);
    struct pipe__tally_row *row;
    if (s->slots[at]) {
        row = s->rows.items[s->slots[at] - 1];
    } else {
        if (!charge(t, overflow)) {
            pthread_mutex_unlock(&s->lock);
            return NULL;
        }
        row = row_new(t, tenant, values, now_ns);
        row->id = id;
        row->is_overflow = overflow;
        vec_push(&s->rows, row);
        s->slots[at] = (uint32_t)s->rows.len;
    }
    row->touched_ns = now_ns;
    return row;
}

struct pipe__tally_row *pipe__tally_lock(struct pipe__tally *t, struct slice tenant,
                                         const struct slice *values, int64_t now_ns,
                                         bool *out_overflow)
{
    static const struct slice none[PIPE__TALLY_LABELS];
    struct slice kept[PIPE__TALLY_LABELS];
    for (size_t i = 0; i < t->config.label_count; i++)
        kept[i] = cut(values[i]);
    struct pipe__tally_row *row = lock_row(t, tenant, kept, now_ns, false);
    *out_overflow = !row;
    return row ? row : lock_row(t, tenant, none, now_ns, true);
}

void pipe__tally_unlock(struct pipe__tally *t, struct pipe__tally_row *row)
{
    pthread_mutex_unlock(&t->shards[row->id.lo % SHARDS].lock);
}

/* --- counting --- */

void pipe__tally_add(struct pipe__tally_row *row, size_t counter, double n)
{
    row->counters[counter] += n;
}

/* The bucket of the next coarser schema that `index`, which ends at base^index, goes to. */
static int32_t coarser(int32_t index)
{
    return (index + 1) >> 1;
}

static void coarsen(struct pipe__tally_native *n)
{
    int32_t first = coarser(n->first), last = coarser(n->first + (int32_t)n->counts.len - 1);
    for (size_t i = 0; i < n->counts.len; i++) {
        uint64_t count = n->counts.items[i];
        n->counts.items[i] = 0;
        n->counts.items[coarser(n->first + (int32_t)i) - first] += count;
    }
    n->counts.len = (size_t)(last - first + 1);
    n->first = first;
    n->schema--;
}

static void native_observe(struct pipe__tally_native *n, double value, double weight)
{
    n->rest += weight;
    uint64_t times = n->rest < 1e15 ? (uint64_t)n->rest : (uint64_t)1e15;
    n->rest = n->rest < 1e15 ? n->rest - (double)times : 0;
    n->count += times;
    if (!times)
        return;
    if (!(value > PIPE__TALLY_ZERO)) {
        n->zero += times;
        return;
    }
    for (;;) {
        int32_t index = (int32_t)ceil(log2(value) * exp2(n->schema));
        if (!n->counts.len) {
            n->first = index;
            vec_push(&n->counts, 0);
        }
        int32_t first = MIN(n->first, index),
                last = MAX(n->first + (int32_t)n->counts.len - 1, index);
        size_t len = (size_t)(last - first + 1);
        if (len > PIPE__TALLY_BUCKETS) {
            coarsen(n);
            continue;
        }
        if (len > n->counts.len) {
            size_t old = n->counts.len, by = (size_t)(n->first - first);
            vec_reserve(&n->counts, len - old);
            memmove(n->counts.items + by, n->counts.items, old * sizeof(*n->counts.items));
            memset(n->counts.items, 0, by * sizeof(*n->counts.items));
            memset(n->counts.items + by + old, 0, (len - by - old) * sizeof(*n->counts.items));
            n->counts.len = len;
            n->first = first;
        }
        n->counts.items[index - first] += times;
        return;
    }
}

static void keep_exemplar(struct pipe__tally_kept *to, double value,
                          const struct pipe__tally_exemplar *from)
{
    memcpy(to->trace_id, from->trace_id.ptr, 16);
    memcpy(to->span_id, from->span_id.ptr, 8);
    to->ts_ns = from->ts_ns;
    to->value = value;
}

void pipe__tally_observe(struct pipe__tally *t, struct pipe__tally_row *row, size_t histogram,
                         double value, double weight, const struct pipe__tally_exemplar *from)
{
    struct pipe__tally_hist *h = &row->histograms[histogram];
    const double *bounds = t->config.histograms[histogram].bounds;
    size_t low = 0, high = t->config.histograms[histogram].bound_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bounds[mid] < value)
            low = mid + 1;
        else
            high = mid;
    }
    h->counts[low] += weight;
    h->count += weight;
    h->sum += value * weight;
    if (t->config.native)
        native_observe(&h->native, value, weight);
    if (!from || from->trace_id.len != 16 || from->span_id.len != 8)
        return;
    /* The slowest since the last writing, and another one. */
    if (!h->kept[0].ts_ns || value > h->kept[0].value) {
        h->kept[1] = h->kept[0];
        keep_exemplar(&h->kept[0], value, from);
    } else if (!h->kept[1].ts_ns) {
        keep_exemplar(&h->kept[1], value, from);
    }
}

/* --- writing --- */

void pipe__tally_write(struct pipe__tally *t, struct pipe_sink *sink, int64_t now_ns,
                       bool with_metadata)
{
    struct pipe__tally_writer *w =
        pipe__tally_writer_new(&t->config, t->names, sink, now_ns, with_metadata);
    for (size_t n = 0; n < SHARDS; n++) {
        struct shard *s = &t->shards[n];
        pthread_mutex_lock(&s->lock);
        /* From the end: the row that moves to a removed one's place was written already. */
        for (size_t i = s->rows.len; i-- > 0;) {
            struct pipe__tally_row *row = s->rows.items[i];
            bool ends = now_ns - row->touched_ns > t->config.idle_ns;
            pipe__tally_writer_put(w, row, ends);
            if (ends)
                remove_row(t, s, i);
            if (i % ROWS_A_TURN == 0) {
                pthread_mutex_unlock(&s->lock);
                pipe__tally_writer_turn(w);
                pthread_mutex_lock(&s->lock);
            }
        }
        pthread_mutex_unlock(&s->lock);
    }
    pipe__tally_writer_finish(w);
}

size_t pipe__tally_count(struct pipe__tally *t)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&t->shards[i].lock);
        n += t->shards[i].rows.len;
        pthread_mutex_unlock(&t->shards[i].lock);
    }
    return n;
}
