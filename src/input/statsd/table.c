#include "input/statsd/table.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "codec/utf8.h"

#define CAP_MIN     1024
#define FOLD_AT     512 /* values of a timer in memory when nobody wants them exact */
#define KEEP_VALUES 64  /* room that an idle timer keeps */
#define FOLD_SCHEMA 8   /* fine enough not to matter beside the final buckets */

void statsd__shard_init(struct statsd_shard *s, struct statsd_limits *limits)
{
    *s = (struct statsd_shard){.limits = limits, .cap = CAP_MIN};
    pthread_mutex_init(&s->lock, NULL);
    s->cells = mem_calloc(s->cap, sizeof(*s->cells));
}

static void values_free(struct statsd_values *v)
{
    if (!v)
        return;
    vec_free(&v->values);
    vec_free(&v->weights);
    if (v->sketch)
        statsd__sketch_deinit(v->sketch);
    mem_free(v->sketch);
    mem_free(v);
}

static int64_t slot_bytes(enum statsd_kind kind, const struct statsd_slot *slot)
{
    if (kind == STATSD_SET)
        return slot->set ? (int64_t)statsd__distinct_bytes(slot->set) : 0;
    if (!statsd_kind_is_timer(kind) || !slot->values)
        return 0;
    return (int64_t)((slot->values->values.cap + slot->values->weights.cap) * sizeof(double) +
                     (slot->values->sketch ? statsd__sketch_bytes(slot->values->sketch) : 0));
}

static void slot_free(struct statsd_limits *limits, enum statsd_kind kind, struct statsd_slot *slot)
{
    limits->memory -= slot_bytes(kind, slot);
    if (kind == STATSD_SET) {
        if (slot->set)
            statsd__distinct_deinit(slot->set);
        mem_free(slot->set);
    } else if (statsd_kind_is_timer(kind)) {
        values_free(slot->values);
    }
}

static void entry_free(struct statsd_limits *limits, struct statsd_entry *e)
{
    slot_free(limits, e->kind, &e->slots[0]);
    slot_free(limits, e->kind, &e->slots[1]);
    limits->names--;
    mem_free(e);
}

void statsd__shard_deinit(struct statsd_shard *s)
{
    for (size_t i = 0; i < s->cap; i++) {
        if (s->cells[i].entry)
            entry_free(s->limits, s->cells[i].entry);
    }
    mem_free(s->cells);
    for (int i = 0; i < 2; i++) {
        vec_free(&s->touched[i]);
        vec_free(&s->timed[i]);
    }
    pthread_mutex_destroy(&s->lock);
}

static inline uint64_t key_hash(struct slice name, struct slice tail, enum statsd_kind kind)
{
    uint64_t hash = hash64(name.ptr, name.len, (uint64_t)kind);
    return tail.len ? hash64(tail.ptr, tail.len, hash) : hash;
}

static void place(struct statsd_shard *s, struct statsd_entry *e, uint64_t hash)
{
    size_t i = hash & (s->cap - 1);
    while (s->cells[i].entry)
        i = (i + 1) & (s->cap - 1);
    s->cells[i].hash = hash;
    s->cells[i].entry = e;
}

static void grow(struct statsd_shard *s)
{
    size_t old_cap = s->cap;
    __typeof__(s->cells) old = s->cells;
    s->cap *= 2;
    s->cells = mem_calloc(s->cap, sizeof(*s->cells));
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].entry)
            place(s, old[i].entry, old[i].hash);
    }
    mem_free(old);
}

void statsd__shard_remove(struct statsd_shard *s, struct statsd_entry *e)
{
    size_t mask = s->cap - 1;
    size_t i = key_hash(statsd_entry_name(e), statsd_entry_tail(e), e->kind) & mask;
    while (s->cells[i].entry != e)
        i = (i + 1) & mask;
    s->count--;
    entry_free(s->limits, e);
    /* Those behind move up, so that no search ends early. */
    for (size_t k = (i + 1) & mask; s->cells[k].entry; k = (k + 1) & mask) {
        size_t home = s->cells[k].hash & mask;
        if (((k - home) & mask) >= ((k - i) & mask)) {
            s->cells[i] = s->cells[k];
            i = k;
        }
    }
    s->cells[i].entry = NULL;
}

/* Names are checked once, when they are new. */
static enum statsd_reason check_name(const struct statsd_limits *limits,
                                     const struct statsd_sample *sample)
{
    if (sample->name.len + sample->tail.len > limits->name_bytes_max)
        return STATSD_TOO_LONG;
    if (limits->is_washed)
        return STATSD_OK;
    for (size_t i = 0; i < sample->name.len; i++) {
        if ((unsigned char)sample->name.ptr[i] < ' ' || sample->name.ptr[i] == 0x7f)
            return STATSD_BAD_NAME;
    }
    if (!codec_utf8_valid(sample->name))
        return STATSD_BAD_NAME;
    for (size_t i = 0; i < sample->tail.len; i++) {
        if ((unsigned char)sample->tail.ptr[i] < ' ')
            return STATSD_BAD_TAG;
    }
    if (!codec_utf8_valid(sample->tail))
        return STATSD_BAD_TAG;
    if (!limits->is_node && slice_find(sample->tail, SLICE("|#")) >= 0) {
        struct slice n = sample->name;
        if (slice_find_char(n, '#') >= 0 || slice_find_char(n, ',') >= 0 ||
            (slice_find_char(n, '[') >= 0 && slice_find_char(n, ']') >= 0))
            return STATSD_MIXED_TAGS;
    }
    return STATSD_OK;
}

static enum statsd_reason entry_new(struct statsd_shard *s, const struct statsd_sample *sample,
                                    uint64_t hash, struct statsd_entry **out)
{
    enum statsd_reason why = check_name(s->limits, sample);
    if (why)
        return why;
    if (s->limits->names++ >= s->limits->names_max) {
        s->limits->names--;
        return STATSD_NAME_LIMIT;
    }
    struct statsd_entry *e = mem_calloc(1, sizeof(*e) + sample->name.len + sample->tail.len);
    e->kind = (uint8_t)sample->kind;
    e->name_len = (uint16_t)sample->name.len;
    e->tail_len = (uint16_t)sample->tail.len;
    memcpy(e->key, sample->name.ptr, sample->name.len);
    if (sample->tail.len)
        memcpy(e->key + sample->name.len, sample->tail.ptr, sample->tail.len);
    if (++s->count * 2 > s->cap)
        grow(s);
    place(s, e, hash);
    *out = e;
    return STATSD_OK;
}

static inline bool entry_is(const struct statsd_entry *e, const struct statsd_sample *sample)
{
    return e->name_len == sample->name.len && e->tail_len == sample->tail.len &&
           e->kind == (uint8_t)sample->kind &&
           memcmp(e->key, sample->name.ptr, sample->name.len) == 0 &&
           (!sample->tail.len ||
            memcmp(e->key + e->name_len, sample->tail.ptr, sample->tail.len) == 0);
}

static void fold(struct statsd_limits *limits, struct statsd_values *v)
{
    if (!v->sketch) {
        v->sketch = mem_calloc(1, sizeof(*v->sketch));
        statsd__sketch_init(v->sketch, FOLD_SCHEMA);
    }
    int64_t before = (int64_t)statsd__sketch_bytes(v->sketch);
    for (size_t i = 0; i < v->values.len; i++)
        statsd__sketch_add(v->sketch, v->values.items[i], v->weights.len ? v->weights.items[i] : 1);
    v->values.len = v->weights.len = 0;
    limits->memory += (int64_t)statsd__sketch_bytes(v->sketch) - before;
}

static enum statsd_reason add_value(struct statsd_limits *limits, struct statsd_slot *slot,
                                    const struct statsd_sample *sample)
{
    struct statsd_values *v = slot->values;
    if (!v)
        v = slot->values = mem_calloc(1, sizeof(*v));
    bool weighted = sample->weight != 1 || v->weights.len;
    if (BASE_UNLIKELY(v->values.len == v->values.cap ||
                      (weighted && v->weights.cap <= v->values.len))) {
        if (!limits->keep_values && v->values.len >= FOLD_AT)
            fold(limits, v);
        if (limits->memory > limits->memory_max)
            return STATSD_MEMORY;
        size_t before = v->values.cap + v->weights.cap;
        vec_reserve(&v->values, 1);
        if (weighted)
            vec_reserve(&v->weights, v->values.cap - v->weights.len);
        limits->memory += (int64_t)((v->values.cap + v->weights.cap - before) * sizeof(double));
    }
    if (BASE_UNLIKELY(weighted)) {
        while (v->weights.len < v->values.len)
            v->weights.items[v->weights.len++] = 1;
        v->weights.items[v->weights.len++] = sample->weight;
    }
    v->values.items[v->values.len++] = sample->value;
    v->count += sample->weight;
    return STATSD_OK;
}

static enum statsd_reason add_member(struct statsd_limits *limits, struct statsd_slot *slot,
                                     struct slice member)
{
    if (!slot->set)
        slot->set = mem_calloc(1, sizeof(*slot->set));
    if (limits->memory > limits->memory_max)
        return STATSD_MEMORY;
    int64_t before = (int64_t)statsd__distinct_bytes(slot->set);
    statsd__distinct_add(slot->set, member);
    int64_t grown = (int64_t)statsd__distinct_bytes(slot->set) - before;
    if (grown)
        limits->memory += grown;
    return STATSD_OK;
}

static struct statsd_entry *find(const struct statsd_shard *s, const struct statsd_sample *sample,
                                 uint64_t hash)
{
    for (size_t i = hash & (s->cap - 1); s->cells[i].entry; i = (i + 1) & (s->cap - 1)) {
        if (s->cells[i].hash == hash && entry_is(s->cells[i].entry, sample))
            return s->cells[i].entry;
    }
    return NULL;
}

static inline __attribute__((always_inline)) enum statsd_reason
add_to(struct statsd_shard *s, struct statsd_entry *e, const struct statsd_sample *sample)
{
    if (BASE_UNLIKELY(e->refused))
        return (enum statsd_reason)e->refused;
    s->by_kind[sample->kind]++;
    struct statsd_slot *slot = &e->slots[s->epoch];
    if (BASE_UNLIKELY(!slot->is_touched)) {
        slot->is_touched = slot->only_timed = true;
        vec_push(&s->touched[s->epoch], e);
    }
    slot->samples++;
    if (BASE_UNLIKELY(sample->ts_ns != 0)) {
        double v = sample->kind == STATSD_COUNTER ? sample->value * sample->weight : sample->value;
        struct statsd_timed timed = {e, sample->ts_ns, v};
        vec_push(&s->timed[s->epoch], timed);
        return STATSD_OK;
    }
    slot->only_timed = false;
    switch (sample->kind) {
    case STATSD_COUNTER: slot->value += sample->value * sample->weight; return STATSD_OK;
    case STATSD_GAUGE:
        slot->value = sample->is_delta ? slot->value + sample->value : sample->value;
        if (!sample->is_delta)
            slot->stamp_ns = s->now_ns;
        return STATSD_OK;
    case STATSD_SET: return add_member(s->limits, slot, sample->text);
    default: return add_value(s->limits, slot, sample);
    }
}

enum statsd_reason statsd__shard_add(void *ctx, const struct statsd_sample *sample)
{
    struct statsd_shard *s = ctx;
    uint64_t hash = key_hash(sample->name, sample->tail, sample->kind);
    struct statsd_entry *e = find(s, sample, hash);
    enum statsd_reason why;
    if (BASE_UNLIKELY(!e) && (why = entry_new(s, sample, hash, &e)))
        return why;
    return add_to(s, e, sample);
}

void statsd__shard_add_soon(struct statsd_shard *s, const struct statsd_sample *sample,
                            struct slice line)
{
    struct statsd_waiting *w = &s->waiting[s->waiting_count++];
    w->value = sample->value;
    w->line = line.ptr;
    w->tail = sample->tail.ptr;
    w->line_len = (uint32_t)line.len;
    w->name_len = (uint32_t)sample->name.len;
    w->tail_len = (uint32_t)sample->tail.len;
    w->kind = sample->kind;
    w->hash = key_hash(sample->name, sample->tail, sample->kind);
    __builtin_prefetch(&s->cells[w->hash & (s->cap - 1)]);
}

void statsd__shard_settle(struct statsd_shard *s,
                          void (*refused)(void *ctx, enum statsd_reason reason, struct slice line),
                          void *ctx)
{
    size_t count = s->waiting_count, mask = s->cap - 1;
    s->waiting_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct statsd_waiting *w = &s->waiting[i];
        size_t at = w->hash & mask;
        while (s->cells[at].entry && s->cells[at].hash != w->hash)
            at = (at + 1) & mask;
        struct statsd_entry *e = w->entry = s->cells[at].entry;
        if (e) {
            __builtin_prefetch(e);
            __builtin_prefetch((const char *)e + 64);
            __builtin_prefetch((const char *)e + 128);
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct statsd_waiting *w = &s->waiting[i];
        if (statsd_kind_is_timer(w->kind) && w->entry)
            __builtin_prefetch(w->entry->slots[s->epoch].values);
    }
    for (size_t i = 0; i < count; i++) {
        const struct statsd_waiting *w = &s->waiting[i];
        const struct statsd_sample sample = {.kind = w->kind,
                                             .value = w->value,
                                             .weight = 1,
                                             .name = {w->line, w->name_len},
                                             .tail = {w->tail, w->tail_len}};
        struct statsd_entry *e = w->entry;
        enum statsd_reason why = STATSD_OK;
        if (BASE_UNLIKELY(!e || !entry_is(e, &sample)) && !(e = find(s, &sample, w->hash)))
            why = entry_new(s, &sample, w->hash, &e);
        if (!why)
            why = add_to(s, e, &sample);
        if (BASE_UNLIKELY(why))
            refused(ctx, why, slice_make(w->line, w->line_len));
    }
}

void statsd__shard_refuse(struct statsd_shard *s, enum statsd_reason reason, struct slice line,
                          const char *peer, int64_t ts_ns)
{
    struct statsd_refusal *r = &s->refusals[reason];
    size_t n = MIN(line.len, (size_t)STATSD_EXAMPLE_BYTES);
    r->count++;
    r->ts_ns = ts_ns;
    r->line_len = line.len;
    if (n)
        memcpy(r->line, line.ptr, n);
    r->line[n] = 0;
    strncpy(r->peer, peer, sizeof(r->peer) - 1);
}

void statsd__slot_reset(struct statsd_limits *limits, enum statsd_kind kind,
                        struct statsd_slot *slot)
{
    slot->value = 0;
    slot->stamp_ns = 0;
    slot->samples = 0;
    slot->is_touched = false;
    int64_t before = slot_bytes(kind, slot);
    if (kind == STATSD_SET && slot->set) {
        if (slot->set->cap > KEEP_VALUES || slot->set->registers)
            statsd__distinct_deinit(slot->set);
        else
            statsd__distinct_clear(slot->set);
    } else if (statsd_kind_is_timer(kind) && slot->values) {
        struct statsd_values *v = slot->values;
        v->values.len = v->weights.len = 0;
        v->count = 0;
        if (v->values.cap > KEEP_VALUES)
            vec_free(&v->values);
        if (v->weights.cap > KEEP_VALUES || !v->values.cap)
            vec_free(&v->weights);
        if (v->sketch) {
            statsd__sketch_deinit(v->sketch);
            mem_free(v->sketch);
            v->sketch = NULL;
        }
    }
    limits->memory += slot_bytes(kind, slot) - before;
}

static void each_bucket(const struct statsd_sketch_side *side, int32_t schema, double scale,
                        void (*each)(void *ctx, double value, double weight), void *ctx)
{
    double width = pow(2, ldexp(1, -schema));
    for (uint32_t i = 0; i < side->len; i++) {
        if (side->counts[i] > 0)
            each(ctx, pow(width, side->first + (double)i - 0.5) * scale, side->counts[i]);
    }
}

void statsd__values_each(const struct statsd_values *v, double scale,
                         void (*each)(void *ctx, double value, double weight), void *ctx)
{
    for (size_t i = 0; i < v->values.len; i++) {
        double weight = v->weights.len ? v->weights.items[i] : 1;
        if (isfinite(v->values.items[i]) && isfinite(weight))
            each(ctx, v->values.items[i] * scale, weight);
    }
    if (!v->sketch)
        return;
    each_bucket(&v->sketch->positive, v->sketch->schema, scale, each, ctx);
    each_bucket(&v->sketch->negative, v->sketch->schema, -scale, each, ctx);
    if (v->sketch->zero > 0)
        each(ctx, 0, v->sketch->zero);
}

static void add_to_sketch(void *ctx, double value, double weight)
{
    statsd__sketch_add(ctx, value, weight);
}

void statsd__values_sketch(const struct statsd_values *v, double scale, struct statsd_sketch *out)
{
    double sum = out->sum;
    statsd__values_each(v, scale, add_to_sketch, out);
    if (!v->sketch)
        return;
    out->sum = sum + v->sketch->sum * scale; /* the middles of buckets would be near it only */
    for (size_t i = 0; i < v->values.len; i++) {
        double weight = v->weights.len ? v->weights.items[i] : 1;
        if (isfinite(v->values.items[i]) && isfinite(weight))
            out->sum += v->values.items[i] * scale * weight;
    }
}
