#include "server/sink.h"

#include "base/counter.h"
#include "base/mem.h"
#include "store/events.h"

#define REFUSED_HELP "Samples, log lines and spans that were not taken, by reason."

static struct counter samples = {.name = "pharos_ingest_samples_total",
                                 .help = "Samples taken into the store."};
static struct counter refused[PIPE_REFUSED_COUNT] = {
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"invalid\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"too_old\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"too_new\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"series_limit\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"label_limit\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"stream_limit\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"line_size\""},
    {.name = "pharos_ingest_refused_samples_total",
     .help = REFUSED_HELP,
     .labels = "reason=\"field_limit\""},
};
static struct counter failed = {.name = "pharos_ingest_failed_batches_total",
                                .help = "Batches the store could not take at all (disk full, "
                                        "failed disk, overload); their senders were told."};

static struct counter lines = {.name = "pharos_ingest_log_lines_total",
                               .help = "Log lines taken into the store."};
static struct counter spans = {.name = "pharos_ingest_spans_total",
                               .help = "Spans taken into the store."};

struct waiting_ack {
    enum { METRICS, LOGS, SPANS } signal;
    pipe_ack_fn fn;
    void *ctx;
};

_Static_assert((int)STORE_REFUSED_COUNT == (int)PIPE_REFUSED_COUNT,
               "the store's reasons are the pipe's");

static void on_stored(void *ctx, int err, const struct store_append_result *r)
{
    struct waiting_ack *ack = ctx;
    struct pipe_result out = {0};
    if (r) {
        out.samples_accepted = r->samples_accepted;
        out.histograms_accepted = r->histograms_accepted;
        out.exemplars_accepted = r->exemplars_accepted;
        out.metadata_accepted = r->metadata_accepted;
        out.logs_accepted = ack->signal == LOGS ? r->rows_accepted : 0;
        out.spans_accepted = ack->signal == SPANS ? r->rows_accepted : 0;
        for (size_t i = 0; i < PIPE_REFUSED_COUNT; i++) {
            out.refused[i] = r->refused[i];
            if (r->refused[i])
                counter_add(&refused[i], (int64_t)r->refused[i]);
        }
        out.first_refusal = r->first_refusal;
    }
    if (err) {
        counter_add(&failed, 1);
    } else {
        counter_add(&samples, (int64_t)(out.samples_accepted + out.histograms_accepted));
        counter_add(&lines, (int64_t)out.logs_accepted);
        counter_add(&spans, (int64_t)out.spans_accepted);
    }
    if (ack->fn)
        ack->fn(ack->ctx, err, &out);
    mem_free(ack);
}

static void take(struct pipe_sink *sink, const struct data_metric_batch *batch, pipe_ack_fn fn,
                 void *ctx)
{
    struct server_sink *s = (struct server_sink *)sink;
    struct waiting_ack *ack = mem_calloc(1, sizeof(*ack));
    ack->fn = fn;
    ack->ctx = ctx;
    if (s->outputs)
        output_set_metrics(s->outputs, OUTPUT_ANY, batch);
    store_append_metrics(s->store, batch, on_stored, ack);
}

static void take_events(struct pipe_sink *sink, const struct data_event_batch *batch,
                        pipe_ack_fn fn, void *ctx)
{
    struct server_sink *s = (struct server_sink *)sink;
    struct waiting_ack *ack = mem_calloc(1, sizeof(*ack));
    if (s->outputs)
        output_set_events(s->outputs, batch);
    ack->signal = batch->table == DATA_EVENT_LOGS ? LOGS : SPANS;
    ack->fn = fn;
    ack->ctx = ctx;
    store_append_events(s->store, batch, on_stored, ack);
}

static int give_notes(struct pipe_sink *sink, struct slice prefix, struct arena *arena,
                      struct data_event_note **out, size_t *out_count)
{
    struct server_sink *s = (struct server_sink *)sink;
    return store_event_notes(s->store, prefix, arena, out, out_count, NULL);
}

void server_sink_init(struct server_sink *s, struct store *store)
{
    s->sink.metrics = take;
    s->sink.notes = give_notes;
    s->sink.logs = s->sink.spans = take_events;
    s->store = store;
    s->outputs = NULL;
    counter_register(&samples, 1);
    counter_register(refused, ARRAY_LEN(refused));
    counter_register(&failed, 1);
    counter_register(&lines, 1);
    counter_register(&spans, 1);
}

int64_t server_sink_samples(void)
{
    return counter_get(&samples);
}
