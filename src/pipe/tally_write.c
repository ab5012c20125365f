#include "pipe/tally_write_priv.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/hex.h"
#include "codec/number.h"

#define SAMPLES_A_BATCH ((size_t)50000)

/* What stands for __name__, le and the overflow label among the numbers of values. */
enum { AT_NAME = 100, AT_LE, AT_OVERFLOW };

struct place {
    struct slice name;
    unsigned at;
};

struct pipe__tally_names {
    struct arena *arena;
    struct place places[2][PIPE__TALLY_LABELS + 3]; /* by name */
    size_t place_count[2];
    struct {
        struct slice bucket, sum, count;
    } outputs[PIPE__TALLY_OUTPUTS];
    struct slice *le[PIPE__TALLY_HISTOGRAMS];
};

struct pipe__tally_writer {
    const struct pipe__tally_config *config;
    const struct pipe__tally_names *names;
    struct pipe_sink *sink;
    int64_t now_ns;
    bool with_metadata;
    struct map *batches; /* by tenant */
    struct data_metric_batch *batch;
    struct buf key;
};

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct place *)a)->name, ((const struct place *)b)->name);
}

struct pipe__tally_names *pipe__tally_names_new(const struct pipe__tally_config *c)
{
    struct pipe__tally_names *n = mem_calloc(1, sizeof(*n));
    n->arena = arena_new(1024, NULL);
    for (size_t set = 0; set < 2; set++) {
        struct place *p = n->places[set];
        size_t count = 0;
        if (!c->label_names[set])
            continue;
        p[count++] = (struct place){SLICE(DATA_METRIC_NAME), AT_NAME};
        p[count++] = (struct place){SLICE("le"), AT_LE};
        p[count++] = (struct place){c->overflow_label[set], AT_OVERFLOW};
        for (unsigned i = 0; i < c->label_count; i++) {
            if (c->label_names[set][i].len)
                p[count++] = (struct place){c->label_names[set][i], i};
        }
        qsort(p, count, sizeof(*p), by_name);
        n->place_count[set] = count;
    }
    for (size_t i = 0; i < c->output_count; i++) {
        struct slice name = c->outputs[i].name;
        n->outputs[i].bucket = arena_printf(n->arena, "%.*s_bucket", SLICE_FMT(name));
        n->outputs[i].sum = arena_printf(n->arena, "%.*s_sum", SLICE_FMT(name));
        n->outputs[i].count = arena_printf(n->arena, "%.*s_count", SLICE_FMT(name));
    }
    for (size_t i = 0; i < c->histogram_count; i++) {
        size_t bounds = c->histograms[i].bound_count;
        n->le[i] = ARENA_ARRAY(n->arena, struct slice, bounds + 1);
        for (size_t k = 0; k < bounds; k++) {
            char text[400];
            size_t len =
                codec_double_to_text(c->histograms[i].bounds[k], CODEC_DOUBLE_GENERAL, text);
            n->le[i][k] = arena_slice(n->arena, slice_make(text, len));
        }
        n->le[i][bounds] = SLICE("+Inf");
    }
    return n;
}

void pipe__tally_names_free(struct pipe__tally_names *n)
{
    arena_free(n->arena);
    mem_free(n);
}

struct pipe__tally_writer *pipe__tally_writer_new(const struct pipe__tally_config *config,
                                                  const struct pipe__tally_names *names,
                                                  struct pipe_sink *sink, int64_t now_ns,
                                                  bool with_metadata)
{
    struct pipe__tally_writer *w = mem_calloc(1, sizeof(*w));
    w->config = config;
    w->names = names;
    w->sink = sink;
    w->now_ns = now_ns;
    w->with_metadata = with_metadata;
    w->batches = map_new();
    return w;
}

static void begin_batch(struct pipe__tally_writer *w, const struct pipe__tally_row *row)
{
    bool added;
    if (!w->batch || !slice_eq(w->batch->tenant, row->tenant)) {
        struct map_entry *e = map_put(w->batches, row->tenant, &added);
        if (added)
            e->value.ptr = data_metric_batch_new(row->tenant);
        w->batch = e->value.ptr;
    }
    if (w->batch->metadata.len || !(w->with_metadata || row->is_new))
        return;
    for (size_t i = 0; i < w->config->output_count; i++) {
        const struct pipe__tally_output *o = &w->config->outputs[i];
        data_metric_batch_add_metadata(w->batch, o->name,
                                       o->type == PIPE__TALLY_COUNTER ? DATA_METRIC_COUNTER
                                                                      : DATA_METRIC_HISTOGRAM,
                                       o->unit, o->help);
    }
}

static uint32_t add_series(struct pipe__tally_writer *w, const struct pipe__tally_row *row,
                           unsigned set, struct slice name, struct slice le)
{
    struct data_label labels[PIPE__TALLY_LABELS + 3];
    size_t count = 0;
    const struct place *p = w->names->places[set];
    for (size_t i = 0; i < w->names->place_count[set]; i++) {
        struct slice value = p[i].at == AT_NAME       ? name
                             : p[i].at == AT_LE       ? le
                             : p[i].at == AT_OVERFLOW ? row->is_overflow ? SLICE("true") : SLICE("")
                                                      : row->values[p[i].at];
        if (value.len)
            labels[count++] = (struct data_label){p[i].name, value};
    }
    buf_clear(&w->key);
    data_labels_encode((struct data_labels){labels, count}, &w->key);
    return data_metric_batch_add_series_key(w->batch,
                                            arena_slice(w->batch->arena, buf_slice(&w->key)));
}

/* A counter's sample; a new one begins with 0. */
static uint32_t put_counter(struct pipe__tally_writer *w, const struct pipe__tally_row *row,
                            unsigned set, struct slice name, struct slice le, double value,
                            bool is_new, bool ends)
{
    uint32_t series = add_series(w, row, set, name, le);
    if (is_new) {
        data_metric_batch_add_sample(w->batch, series, row->created_ns - NS_PER_MS, 0);
        data_metric_batch_set_start(w->batch, row->created_ns - NS_PER_MS);
    }
    data_metric_batch_add_sample(w->batch, series, w->now_ns, ends ? data_stale_nan() : value);
    data_metric_batch_set_start(w->batch, row->created_ns - NS_PER_MS);
    return series;
}

static void put_exemplar(struct pipe__tally_writer *w, uint32_t series,
                         const struct pipe__tally_kept *kept)
{
    struct data_label *labels = ARENA_ARRAY(w->batch->arena, struct data_label, 2);
    char *text = arena_alloc(w->batch->arena, 48);
    codec_hex_to_text(slice_make(kept->span_id, 8), text);
    codec_hex_to_text(slice_make(kept->trace_id, 16), text + 16);
    labels[0] = (struct data_label){SLICE("span_id"), slice_make(text, 16)};
    labels[1] = (struct data_label){SLICE("trace_id"), slice_make(text + 16, 32)};
    data_metric_batch_add_exemplar(w->batch, series, kept->ts_ns, kept->value,
                                   (struct data_labels){labels, 2});
}

static void put_classic(struct pipe__tally_writer *w, const struct pipe__tally_row *row, size_t i,
                        bool ends)
{
    const struct pipe__tally_output *o = &w->config->outputs[i];
    const struct pipe__tally_hist *h = &row->histograms[o->index];
    size_t bounds = w->config->histograms[o->index].bound_count;
    double sum = 0;
    for (size_t k = 0; k <= bounds; k++) {
        double low = k ? w->config->histograms[o->index].bounds[k - 1] : -1,
               high = k < bounds ? w->config->histograms[o->index].bounds[k] : INFINITY;
        sum += h->counts[k];
        uint32_t series = put_counter(w, row, o->label_set, w->names->outputs[i].bucket,
                                      w->names->le[o->index][k], sum, !h->is_written, ends);
        for (size_t e = 0; e < ARRAY_LEN(h->kept); e++) {
            if (h->kept[e].ts_ns && h->kept[e].value > low && h->kept[e].value <= high)
                put_exemplar(w, series, &h->kept[e]);
        }
    }
    put_counter(w, row, o->label_set, w->names->outputs[i].sum, SLICE(""), h->sum, !h->is_written,
                ends);
    put_counter(w, row, o->label_set, w->names->outputs[i].count, SLICE(""), h->count,
                !h->is_written, ends);
}

/* Runs of buckets that count something; gaps of one or two are filled. */
static struct data_histogram *native_of(struct pipe__tally_writer *w,
                                        const struct pipe__tally_hist *h)
{
    const struct pipe__tally_native *n = &h->native;
    struct arena *a = w->batch->arena;
    struct data_histogram *out = ARENA_NEW(a, struct data_histogram);
    *out = (struct data_histogram){.schema = n->schema,
                                   .is_integer = true,
                                   .zero_threshold = PIPE__TALLY_ZERO,
                                   .zero_count = (double)n->zero,
                                   .count = (double)n->count,
                                   .sum = h->sum};
    out->positive = ARENA_ARRAY(a, double, n->counts.len + 1);
    out->positive_spans = ARENA_ARRAY(a, struct data_histogram_span, n->counts.len + 1);
    int32_t end = 0;
    for (size_t i = 0; i < n->counts.len; i++) {
        if (!n->counts.items[i])
            continue;
        int32_t at = n->first + (int32_t)i, gap = at - end;
        if (!out->positive_span_count || gap > 2) {
            out->positive_spans[out->positive_span_count++] = (struct data_histogram_span){gap, 0};
            gap = 0;
        }
        struct data_histogram_span *span = &out->positive_spans[out->positive_span_count - 1];
        for (; gap > 0; gap--, span->length++)
            out->positive[out->positive_count++] = 0;
        out->positive[out->positive_count++] = (double)n->counts.items[i];
        span->length++;
        end = at + 1;
    }
    return out;
}

static void put_native(struct pipe__tally_writer *w, const struct pipe__tally_row *row, size_t i,
                       bool ends)
{
    const struct pipe__tally_output *o = &w->config->outputs[i];
    const struct pipe__tally_hist *h = &row->histograms[o->index];
    uint32_t series = add_series(w, row, o->label_set, o->name, SLICE(""));
    struct data_histogram none = {
        .schema = h->native.schema, .is_integer = true, .zero_threshold = PIPE__TALLY_ZERO};
    int64_t start_ns = row->created_ns - NS_PER_MS;
    if (!h->is_written) {
        data_metric_batch_add_histogram(w->batch, series, start_ns, &none);
        data_metric_batch_set_start(w->batch, start_ns);
    }
    if (ends) {
        none.is_stale = true;
        none.sum = data_stale_nan();
    }
    data_metric_batch_add_histogram(w->batch, series, w->now_ns, ends ? &none : native_of(w, h));
    data_metric_batch_set_start(w->batch, start_ns);
    for (size_t e = 0; e < ARRAY_LEN(h->kept); e++) {
        if (h->kept[e].ts_ns)
            put_exemplar(w, series, &h->kept[e]);
    }
}

void pipe__tally_writer_put(struct pipe__tally_writer *w, struct pipe__tally_row *row, bool ends)
{
    begin_batch(w, row);
    for (size_t i = 0; i < w->config->output_count; i++) {
        const struct pipe__tally_output *o = &w->config->outputs[i];
        if (o->type == PIPE__TALLY_COUNTER)
            put_counter(w, row, o->label_set, o->name, SLICE(""), row->counters[o->index],
                        row->is_new, ends);
        if (o->type != PIPE__TALLY_HISTOGRAM || (o->when_used && !row->histograms[o->index].count))
            continue;
        if (w->config->classic)
            put_classic(w, row, i, ends);
        if (w->config->native)
            put_native(w, row, i, ends);
    }
    row->is_new = false;
    for (size_t i = 0; i < w->config->histogram_count; i++) {
        memset(row->histograms[i].kept, 0, sizeof(row->histograms[i].kept));
        row->histograms[i].is_written |= row->histograms[i].count > 0;
    }
}

static void hand_over(struct pipe__tally_writer *w, size_t from)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(w->batches, &pos));) {
        struct data_metric_batch *b = e->value.ptr;
        if (b->sample_ts.len <= from)
            continue;
        w->sink->metrics(w->sink, b, NULL, NULL);
        data_metric_batch_reset(b);
    }
}

void pipe__tally_writer_turn(struct pipe__tally_writer *w)
{
    hand_over(w, SAMPLES_A_BATCH);
}

void pipe__tally_writer_finish(struct pipe__tally_writer *w)
{
    struct map_entry *e;
    hand_over(w, 0);
    for (size_t pos = 0; (e = map_next(w->batches, &pos));)
        data_metric_batch_free(e->value.ptr);
    map_free(w->batches);
    buf_deinit(&w->key);
    mem_free(w);
}
