#include "data/metric_batch.h"

#include "base/assert.h"

bool data_is_stale(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == DATA_STALE_NAN_BITS;
}

double data_stale_nan(void)
{
    uint64_t bits = DATA_STALE_NAN_BITS;
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static const char *const type_names[DATA_METRIC_TYPE_COUNT] = {
    "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};

const char *data_metric_type_name(enum data_metric_type type)
{
    base_assert(type < DATA_METRIC_TYPE_COUNT);
    return type_names[type];
}

bool data_metric_type_parse(struct slice name, enum data_metric_type *out)
{
    for (int i = 0; i < DATA_METRIC_TYPE_COUNT; i++) {
        if (slice_eq_cstr(name, type_names[i])) {
            *out = (enum data_metric_type)i;
            return true;
        }
    }
    return false;
}

struct data_metric_batch *data_metric_batch_new(struct slice tenant)
{
    struct data_metric_batch *b = mem_calloc(1, sizeof(*b));
    b->arena = arena_new(0, NULL);
    b->tenant = slice_make(mem_dup(tenant.ptr, tenant.len), tenant.len);
    return b;
}

void data_metric_batch_free(struct data_metric_batch *b)
{
    if (!b)
        return;
    arena_free(b->arena);
    mem_free((void *)(uintptr_t)b->tenant.ptr);
    vec_free(&b->series);
    vec_free(&b->sample_series);
    vec_free(&b->sample_ts);
    vec_free(&b->sample_value);
    vec_free(&b->sample_histogram);
    vec_free(&b->sample_start);
    vec_free(&b->sample_delta);
    vec_free(&b->metadata);
    vec_free(&b->exemplars);
    mem_free(b);
}

void data_metric_batch_reset(struct data_metric_batch *b)
{
    arena_reset(b->arena);
    vec_clear(&b->series);
    vec_clear(&b->sample_series);
    vec_clear(&b->sample_ts);
    vec_clear(&b->sample_value);
    vec_clear(&b->sample_histogram);
    vec_clear(&b->sample_start);
    vec_clear(&b->sample_delta);
    vec_clear(&b->metadata);
    vec_clear(&b->exemplars);
}

uint32_t data_metric_batch_add_series_key(struct data_metric_batch *b, struct slice key)
{
    base_assert(b->series.len < UINT32_MAX);
    vec_push(&b->series, ((struct data_batch_series){key, data_labels_key_hash(key)}));
    return (uint32_t)(b->series.len - 1);
}

uint32_t data_metric_batch_add_series(struct data_metric_batch *b, struct data_labels labels)
{
    struct buf key = {0};
    size_t room = 0;
    for (size_t i = 0; i < labels.count; i++)
        room += 20 + labels.items[i].name.len + labels.items[i].value.len;
    /* Encoded straight into the arena: the buffer is a view of it that never has to grow. */
    key.ptr = arena_alloc(b->arena, room);
    key.cap = room;
    data_labels_encode(labels, &key);
    return data_metric_batch_add_series_key(b, buf_slice(&key));
}

static void add(struct data_metric_batch *b, uint32_t series, int64_t ts_ns, double value,
                const struct data_histogram *h)
{
    base_assert(series < b->series.len);
    vec_push(&b->sample_series, series);
    vec_push(&b->sample_ts, ts_ns);
    vec_push(&b->sample_value, value);
    if (h || b->sample_histogram.len) {
        while (b->sample_histogram.len + 1 < b->sample_ts.len)
            vec_push(&b->sample_histogram, NULL);
        vec_push(&b->sample_histogram, h);
    }
    if (b->sample_start.len)
        vec_push(&b->sample_start, 0);
    if (b->sample_delta.len)
        vec_push(&b->sample_delta, DATA_DELTA_NONE);
}

void data_metric_batch_add_sample(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                  double value)
{
    add(b, series, ts_ns, value, NULL);
}

void data_metric_batch_add_histogram(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                     const struct data_histogram *h)
{
    add(b, series, ts_ns, h->sum, data_histogram_copy(b->arena, h));
}

void data_metric_batch_set_start(struct data_metric_batch *b, int64_t start_ns)
{
    base_assert(b->sample_ts.len);
    while (b->sample_start.len < b->sample_ts.len)
        vec_push(&b->sample_start, 0);
    b->sample_start.items[b->sample_ts.len - 1] = start_ns;
}

void data_metric_batch_set_delta(struct data_metric_batch *b, bool first)
{
    base_assert(b->sample_ts.len);
    while (b->sample_delta.len < b->sample_ts.len)
        vec_push(&b->sample_delta, DATA_DELTA_NONE);
    b->sample_delta.items[b->sample_ts.len - 1] = first ? DATA_DELTA_FIRST : DATA_DELTA_MORE;
}

void data_metric_batch_set_start_from(struct data_metric_batch *b, size_t first, int64_t start_ns)
{
    while (b->sample_start.len < b->sample_ts.len)
        vec_push(&b->sample_start, 0);
    for (size_t i = first; i < b->sample_start.len; i++)
        b->sample_start.items[i] = start_ns;
}

void data_metric_batch_add_metadata(struct data_metric_batch *b, struct slice metric,
                                    enum data_metric_type type, struct slice unit,
                                    struct slice help)
{
    vec_push(&b->metadata, ((struct data_batch_metadata){.metric = arena_slice(b->arena, metric),
                                                         .unit = arena_slice(b->arena, unit),
                                                         .help = arena_slice(b->arena, help),
                                                         .type = type}));
}

void data_metric_batch_add_exemplar(struct data_metric_batch *b, uint32_t series, int64_t ts_ns,
                                    double value, struct data_labels labels)
{
    base_assert(series < b->series.len);
    vec_push(&b->exemplars,
             ((struct data_batch_exemplar){.series = series,
                                           .ts_ns = ts_ns,
                                           .value = value,
                                           .labels = data_labels_copy(b->arena, labels)}));
}
