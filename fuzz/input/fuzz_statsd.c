/* Packets of lines through a whole daemon, strict and Node's, into both views: nothing that is sent
 * may break what is stored. The first byte chooses the parser and more. */
#include "base/assert.h"
#include "base/mem.h"
#include "input/statsd/statsd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(struct pipe_sink *sink, const struct data_metric_batch *b, pipe_ack_fn ack,
                 void *ctx)
{
    (void)sink;
    (void)ack;
    (void)ctx;
    for (size_t i = 0; i < b->series.len; i++) {
        struct data_labels labels;
        struct arena *arena = arena_new(0, NULL);
        base_assert(!data_labels_decode(b->series.items[i].key, arena, &labels));
        arena_free(arena);
    }
    for (size_t i = 0; i < b->sample_histogram.len; i++)
        base_assert(!b->sample_histogram.items[i] ||
                    !data_histogram_check(b->sample_histogram.items[i], NULL));
}

static void take_logs(struct pipe_sink *sink, const struct data_event_batch *b, pipe_ack_fn ack,
                      void *ctx)
{
    (void)sink;
    (void)ack;
    (void)ctx;
    base_assert(b->table == DATA_EVENT_LOGS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct pipe_sink sink = {.metrics = take, .logs = take_logs};
    struct input_env env = {.os = os_real(), .sink = &sink};
    unsigned choice = size ? data[0] : 0;
    struct input_statsd_config c = {.parser = choice & 1,
                                    .gauge_sign = choice >> 1 & 1,
                                    .names =
                                        choice >> 2 & 1 ? INPUT_STATSD_BOTH : INPUT_STATSD_LABELS,
                                    .legacy_namespace = choice >> 3 & 1,
                                    .flush_interval_ns = NS_PER_SEC,
                                    .flush_counts = true,
                                    .sanitize = !(choice & 32),
                                    .expire_ns = 2 * NS_PER_SEC,
                                    .names_max = 100,
                                    .line_bytes_max = 1000,
                                    .memory_max = 1 << 20,
                                    .percentiles = "90,-10"};
    struct input_statsd *s;
    struct buf json = {0};
    struct codec_json_writer w;
    base_assert(!input_statsd_new(&env, &c, &s, NULL));
    for (int64_t round = 1; size && round <= 4; round++) {
        if (round != 3)
            input_statsd_feed(s, 0, slice_make(data + 1, size - 1), "fuzz");
        input_statsd_flush(s, round * NS_PER_SEC);
    }
    codec_json_init(&w, &json);
    input_statsd_look(s, &w);
    buf_deinit(&json);
    input_statsd_stop(s);
    return 0;
}
