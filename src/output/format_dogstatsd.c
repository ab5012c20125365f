/* DogStatsD lines for an agent that adds up by itself: counters by what they grew since the last
 * flush, gauges as they are, histograms as distributions, a line for each bucket that grew, with
 * the sample rate saying how often.
 * Specification: docs.datadoghq.com/developers/dogstatsd/datagram_shell */
#include <math.h>

#include "data/histogram_math.h"
#include "output/output_priv.h"

#define SERIES_MAX 1000000

struct last {
    double value;
    struct data_histogram_sum sum; /* of a histogram */
};

struct dogstatsd {
    struct map *last; /* label key -> struct last */
    struct buf key, name, tags;
    data_histogram_bucket_list buckets;
};

static void *dogstatsd_new(const struct output__settings *settings)
{
    struct dogstatsd *d = mem_calloc(1, sizeof(*d));
    (void)settings;
    d->last = map_new();
    return d;
}

static void last_free(struct last *l)
{
    data_histogram_sum_free(&l->sum);
    mem_free(l);
}

static void dogstatsd_free(void *state)
{
    struct dogstatsd *d = state;
    size_t pos = 0;
    for (struct map_entry *e; (e = map_next(d->last, &pos));)
        last_free(e->value.ptr);
    map_free(d->last);
    buf_deinit(&d->key);
    buf_deinit(&d->name);
    buf_deinit(&d->tags);
    vec_free(&d->buckets);
    mem_free(d);
}

static void put_clean(struct slice s, const char *bad, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        buf_append_char(out, (unsigned char)c < ' ' || strchr(bad, c) ? '_' : c);
    }
}

static void put_line(struct dogstatsd *d, double value, const char *type, double weight,
                     struct buf *out)
{
    buf_append_slice(out, buf_slice(&d->name));
    buf_append_char(out, ':');
    codec_append_double(out, value, CODEC_DOUBLE_JSON);
    buf_append_char(out, '|');
    buf_append_cstr(out, type);
    if (weight != 1) {
        buf_append_cstr(out, "|@");
        codec_append_double(out, 1 / weight, CODEC_DOUBLE_JSON);
    }
    buf_append_slice(out, buf_slice(&d->tags));
    buf_append_char(out, '\n');
}

/* What the histogram has more than last time, in place. */
static void put_growth(struct dogstatsd *d, struct last *last, const struct data_histogram *h,
                       struct buf *out)
{
    struct arena *arena = arena_new(0, NULL);
    struct data_histogram_sum now = {0};
    data_histogram_sum_add(&now, h, 1, NULL);
    struct data_histogram *before =
        last->sum.started ? data_histogram_sum_finish(&last->sum, arena) : NULL;
    const struct data_histogram *grown = h;
    struct data_histogram_sum difference = {0};
    if (before && !data_histogram_is_reset(h, before) &&
        !data_histogram_sum_add(&difference, h, 1, NULL) &&
        !data_histogram_sum_add(&difference, before, -1, NULL))
        grown = data_histogram_sum_finish(&difference, arena);
    data_histogram_buckets(grown, &d->buckets);
    for (size_t i = 0; i < d->buckets.len; i++) {
        const struct data_histogram_bucket *b = &d->buckets.items[i];
        double middle = isinf(b->upper)   ? b->lower
                        : isinf(b->lower) ? b->upper
                        : b->lower > 0    ? sqrt(b->lower * b->upper)
                        : b->upper < 0    ? -sqrt(b->lower * b->upper)
                                          : (b->lower + b->upper) / 2;
        if (b->count >= 0.5) /* a rate above 1 is none */
            put_line(d, middle, "d", fmax(b->count, 1), out);
    }
    data_histogram_sum_free(&difference);
    data_histogram_sum_free(&last->sum);
    last->sum = now;
    arena_free(arena);
}

static struct last *last_of(struct dogstatsd *d, const struct output__row *row, bool *new)
{
    buf_clear(&d->key);
    data_labels_encode(row->labels, &d->key);
    struct map_entry *e = map_get(d->last, buf_slice(&d->key));
    *new = !e;
    if (!e && map_count(d->last) >= SERIES_MAX)
        return NULL;
    if (!e) {
        e = map_put(d->last, buf_slice(&d->key), NULL);
        e->value.ptr = mem_calloc(1, sizeof(struct last));
    }
    return e->value.ptr;
}

/* A series that ended is forgotten. */
static bool forget(struct dogstatsd *d, const struct output__row *row)
{
    buf_clear(&d->key);
    data_labels_encode(row->labels, &d->key);
    struct map_entry *e = map_get(d->last, buf_slice(&d->key));
    if (e) {
        last_free(e->value.ptr);
        map_remove(d->last, buf_slice(&d->key));
    }
    return true;
}

static bool put_row(void *state, const struct output__row *row, struct buf *out)
{
    struct dogstatsd *d = state;
    bool new = false;
    if (row->histogram ? row->histogram->is_stale : data_is_stale(row->value))
        return forget(d, row);
    if (!row->histogram && !isfinite(row->value))
        return false;
    buf_clear(&d->name);
    buf_clear(&d->tags);
    put_clean(row->name, ":|@#, ", &d->name);
    for (size_t i = 0; i < row->labels.count; i++) {
        struct data_label l = row->labels.items[i];
        if (slice_eq(l.name, SLICE(DATA_METRIC_NAME)))
            continue;
        buf_append_cstr(&d->tags, d->tags.len ? "," : "|#");
        put_clean(l.name, ":|@#, ", &d->tags);
        buf_append_char(&d->tags, ':');
        put_clean(l.value, "|,", &d->tags);
    }
    bool counts = row->histogram || row->type == DATA_METRIC_COUNTER;
    struct last *last = counts ? last_of(d, row, &new) : NULL;
    if (counts && !last)
        return false;
    if (row->histogram) {
        put_growth(d, last, row->histogram, out);
    } else if (counts) {
        double grown = row->value < last->value ? row->value : row->value - last->value;
        last->value = row->value;
        /* Where a counter stood before it was first seen is nobody's increment; StatsD's begin
         * with a 0. */
        if (!new &&grown)
            put_line(d, grown, "c", 1, out);
    } else {
        put_line(d, row->value, "g", 1, out);
    }
    return true;
}

const struct output__format output__dogstatsd = {.histograms = true,
                                                 .stale = true,
                                                 .lines = true,
                                                 .create = dogstatsd_new,
                                                 .destroy = dogstatsd_free,
                                                 .row = put_row};
