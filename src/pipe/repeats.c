#include "pipe/repeats.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/counter.h"
#include "base/hash.h"
#include "base/mem.h"

#define SHARDS    16
#define SLOTS_MIN 256

static struct counter repeated = {
    .name = "pharos_ingest_repeated_spans_total",
    .help = "Spans that came again unchanged and were not stored a second time."};

/* Fingerprints, 0 for an empty slot; at most three quarters full. */
struct table {
    uint64_t *slots;
    size_t slot_count, count;
};

/* When the younger generation is full it becomes the older one, whose spans are forgotten. */
struct shard {
    pthread_mutex_t lock;
    struct table young, old;
    char pad[64];
};

struct pipe_repeats {
    struct pipe_sink sink; /* first */
    struct pipe_sink *next;
    size_t shard_max;
    struct shard shards[SHARDS];
};

/* --- the memory --- */

static size_t find(const struct table *t, uint64_t print)
{
    size_t i = (print >> 8) & (t->slot_count - 1);
    while (t->slots[i] && t->slots[i] != print)
        i = (i + 1) & (t->slot_count - 1);
    return i;
}

static bool holds(const struct table *t, uint64_t print)
{
    return t->slot_count && t->slots[find(t, print)] == print;
}

static void grow(struct table *t)
{
    struct table bigger = {.slot_count = t->slot_count ? t->slot_count * 2 : SLOTS_MIN,
                           .count = t->count};
    bigger.slots = mem_calloc(bigger.slot_count, sizeof(*bigger.slots));
    for (size_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i])
            bigger.slots[find(&bigger, t->slots[i])] = t->slots[i];
    }
    mem_free(t->slots);
    *t = bigger;
}

static struct shard *shard_of(struct pipe_repeats *r, uint64_t print)
{
    return &r->shards[print % SHARDS];
}

static bool is_known(struct pipe_repeats *r, uint64_t print)
{
    struct shard *s = shard_of(r, print);
    pthread_mutex_lock(&s->lock);
    bool known = holds(&s->young, print) || holds(&s->old, print);
    pthread_mutex_unlock(&s->lock);
    return known;
}

static void remember(struct pipe_repeats *r, uint64_t print)
{
    struct shard *s = shard_of(r, print);
    pthread_mutex_lock(&s->lock);
    if (s->young.count >= r->shard_max) {
        mem_free(s->old.slots);
        s->old = s->young;
        s->young = (struct table){0};
    }
    if (s->young.count >= s->young.slot_count / 4 * 3)
        grow(&s->young);
    size_t at = find(&s->young, print);
    s->young.count += !s->young.slots[at];
    s->young.slots[at] = print;
    pthread_mutex_unlock(&s->lock);
}

/* Never 0. What a row has of a span's identity, and how much of the rest. */
static uint64_t fingerprint(const struct data_event_batch *b, size_t index, uint64_t seed)
{
    const struct data_event_row *row = &b->rows.items[index];
    struct {
        char trace_id[16], span_id[8];
        int64_t ts_ns, duration_ns, kind, status;
        uint64_t text_bytes, attrs, children;
    } of = {.ts_ns = row->ts_ns, .attrs = row->count, .children = row->child_count};
    for (uint32_t i = 0; i < row->count; i++) {
        const struct data_event_attr *a = &b->attrs.items[row->first + i];
        if (data_value_has_text(a->value.kind))
            of.text_bytes += a->value.text.len;
        if (a->field == DATA_EVENT_TRACE_ID && a->value.text.len == sizeof(of.trace_id))
            memcpy(of.trace_id, a->value.text.ptr, sizeof(of.trace_id));
        else if (a->field == DATA_EVENT_SPAN_ID && a->value.text.len == sizeof(of.span_id))
            memcpy(of.span_id, a->value.text.ptr, sizeof(of.span_id));
        else if (a->field == DATA_EVENT_DURATION)
            of.duration_ns = a->value.i;
        else if (a->field == DATA_EVENT_KIND)
            of.kind = a->value.i;
        else if (a->field == DATA_EVENT_STATUS)
            of.status = a->value.i;
    }
    uint64_t print = hash64(&of, sizeof(of), seed);
    return print ? print : 1;
}

/* --- the sink --- */

struct held {
    struct pipe_repeats *r;
    pipe_ack_fn ack;
    void *ctx;
    size_t passed_over, count;
    uint64_t prints[]; /* of those handed on */
};

static void on_ack(void *ctx, int err, const struct pipe_result *result)
{
    struct held *h = ctx;
    struct pipe_result all;
    /* Of refused ones it is not known which: none is remembered. */
    if (!err && result && !pipe_result_refused(result)) {
        for (size_t i = 0; i < h->count; i++)
            remember(h->r, h->prints[i]);
    }
    if (result) {
        all = *result;
        all.spans_accepted += h->passed_over;
    }
    if (h->ack)
        h->ack(h->ctx, err, result ? &all : NULL);
    mem_free(h);
}

/* Rows that are new, in a copy of the batch's list of rows. */
static void pass_some(struct pipe_repeats *r, const struct data_event_batch *batch, struct held *h,
                      const bool *known)
{
    struct data_event_batch copy = *batch;
    size_t n = 0;
    uint8_t *refusals = batch->row_refusals ? mem_calloc(batch->rows.len, 1) : NULL;
    copy.rows.items = mem_alloc(batch->rows.len * sizeof(*copy.rows.items));
    copy.row_refusals = refusals;
    for (size_t i = 0; i < batch->rows.len; i++) {
        if (!known[i])
            copy.rows.items[n++] = batch->rows.items[i];
    }
    copy.rows.len = n;
    r->next->spans(r->next, &copy, on_ack, h);
    for (size_t i = 0, k = 0; refusals && i < batch->rows.len; i++)
        batch->row_refusals[i] = known[i] ? 0 : refusals[k++];
    mem_free(refusals);
    mem_free(copy.rows.items);
}

static void take_spans(struct pipe_sink *sink, const struct data_event_batch *batch,
                       pipe_ack_fn ack, void *ctx)
{
    struct pipe_repeats *r = (struct pipe_repeats *)sink;
    size_t rows = batch->rows.len;
    struct held *h = mem_alloc(sizeof(*h) + rows * sizeof(*h->prints));
    bool *known = mem_alloc(rows + 1);
    uint64_t seed = hash64(batch->tenant.ptr, batch->tenant.len, 0);
    *h = (struct held){.r = r, .ack = ack, .ctx = ctx};
    for (size_t i = 0; i < rows; i++) {
        uint64_t print = fingerprint(batch, i, seed);
        known[i] = is_known(r, print);
        h->passed_over += known[i];
        if (!known[i])
            h->prints[h->count++] = print;
    }
    if (h->passed_over)
        counter_add(&repeated, (int64_t)h->passed_over);
    if (!h->passed_over) {
        r->next->spans(r->next, batch, on_ack, h);
    } else if (h->count) {
        pass_some(r, batch, h, known);
    } else {
        const struct pipe_result nothing = {0};
        if (batch->row_refusals)
            memset(batch->row_refusals, 0, rows);
        on_ack(h, 0, &nothing);
    }
    mem_free(known);
}

static void pass_logs(struct pipe_sink *sink, const struct data_event_batch *batch, pipe_ack_fn ack,
                      void *ctx)
{
    struct pipe_repeats *r = (struct pipe_repeats *)sink;
    r->next->logs(r->next, batch, ack, ctx);
}

static int pass_notes(struct pipe_sink *sink, struct slice prefix, struct arena *arena,
                      struct data_event_note **out, size_t *out_count)
{
    struct pipe_sink *next = ((struct pipe_repeats *)sink)->next;
    *out_count = 0;
    return next->notes ? next->notes(next, prefix, arena, out, out_count) : 0;
}

static void pass_metrics(struct pipe_sink *sink, const struct data_metric_batch *batch,
                         pipe_ack_fn ack, void *ctx)
{
    struct pipe_repeats *r = (struct pipe_repeats *)sink;
    r->next->metrics(r->next, batch, ack, ctx);
}

struct pipe_repeats *pipe_repeats_new(size_t spans_max, struct pipe_sink *next)
{
    struct pipe_repeats *r = mem_calloc(1, sizeof(*r));
    counter_register(&repeated, 1);
    r->sink = (struct pipe_sink){pass_metrics, pass_logs, take_spans, pass_notes};
    r->next = next;
    r->shard_max = MAX(spans_max / SHARDS, 1);
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&r->shards[i].lock, NULL);
    return r;
}

struct pipe_sink *pipe_repeats_sink(struct pipe_repeats *r)
{
    return &r->sink;
}

void pipe_repeats_free(struct pipe_repeats *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < SHARDS; i++) {
        mem_free(r->shards[i].young.slots);
        mem_free(r->shards[i].old.slots);
        pthread_mutex_destroy(&r->shards[i].lock);
    }
    mem_free(r);
}
