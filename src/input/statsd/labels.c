/* The labels view: a name and its tags as one Prometheus series. Counters and timers add up from
 * the first sample on, so that rate() and quantiles over any window and any number of hosts are
 * right; gauges and sets are what they are. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/histogram_math.h"
#include "input/statsd/statsd_priv.h"

#define RING_SCHEMA 6

static const char *const suffixes[STATSD_KIND_COUNT] = {
    [STATSD_COUNTER] = "_total",   [STATSD_GAUGE] = "_gauge",        [STATSD_TIMER] = "_timer",
    [STATSD_HISTOGRAM] = "_timer", [STATSD_DISTRIBUTION] = "_timer", [STATSD_SET] = "_set"};

static enum statsd_kind class_of(enum statsd_kind kind)
{
    return statsd_kind_is_timer(kind) ? STATSD_TIMER : kind;
}

/* --- from a name to a series --- */

static struct data_label *label_of(struct data_label *labels, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(labels[i].name, name))
            return &labels[i];
    }
    return NULL;
}

static struct slice escaped(struct slice name, struct arena *arena)
{
    struct buf b = {0};
    statsd__escape(name, &b);
    struct slice out = arena_slice(arena, buf_slice(&b));
    buf_deinit(&b);
    return slice_eq(out, SLICE(DATA_METRIC_NAME)) ? SLICE("tag___name__") : out;
}

/* Tags, origin and the mapping's labels as one set without the name; returns how many. Tags said
 * twice are joined: DogStatsD's are no map. */
static size_t collect_labels(const struct statsd_identity *id, const struct statsd_mapped *mapped,
                             struct arena *arena, struct data_label **out)
{
    struct data_label *labels = ARENA_ARRAY(
        arena, struct data_label, id->tag_count + id->origin_count + mapped->label_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < id->tag_count + id->origin_count; i++) {
        const struct data_label *tag =
            i < id->tag_count ? &id->tags[i] : &id->origin[i - id->tag_count];
        struct slice name = escaped(tag->name, arena);
        struct slice value = tag->value.len ? tag->value : SLICE("true");
        struct data_label *before = label_of(labels, count, name);
        if (!before)
            labels[count++] = (struct data_label){name, value};
        else if (!slice_eq(before->value, value))
            before->value =
                arena_printf(arena, "%.*s,%.*s", SLICE_FMT(before->value), SLICE_FMT(value));
    }
    for (size_t i = 0; i < mapped->label_count; i++) {
        struct data_label *before = label_of(labels, count, mapped->labels[i].name);
        if (!before)
            labels[count++] = mapped->labels[i];
        else if (!mapped->rule->honor_labels)
            before->value = mapped->labels[i].value;
    }
    *out = labels;
    return count;
}

/* Which name the samples are stored under: one name has one type. */
static struct slice family_name(struct input_statsd *s, struct slice name, enum statsd_kind class,
                                struct arena *arena)
{
    for (;;) {
        struct statsd_index_cell *e =
            statsd__index_get(&s->families, statsd__index_hash(name), name);
        if (!e || (e->value & 0xff) == (uint64_t) class)
            return name;
        s->conflicts++;
        name = arena_printf(arena, "%.*s%s", SLICE_FMT(name), suffixes[class]);
    }
}

static struct slice make_key(struct slice name, const char *suffix, const char *more_name,
                             struct slice more_value, const struct data_label *labels, size_t count)
{
    struct data_labels_builder b = {0};
    struct data_labels set;
    struct buf full = {0}, key = {0};
    size_t len = 0;
    buf_append_slice(&full, name);
    buf_append_cstr(&full, suffix);
    data_labels_builder_add(&b, SLICE(DATA_METRIC_NAME), buf_slice(&full));
    for (size_t i = 0; i < count; i++) {
        if (!more_name || !slice_eq_cstr(labels[i].name, more_name))
            data_labels_builder_add(&b, labels[i].name, labels[i].value);
    }
    if (more_name)
        data_labels_builder_add(&b, slice_cstr(more_name), more_value);
    if (!data_labels_builder_finish(&b, &set, NULL)) /* names are distinct and not empty */
        data_labels_encode(set, &key);
    data_labels_builder_deinit(&b);
    buf_deinit(&full);
    char *text = buf_take(&key, &len);
    return slice_make(text, len);
}

static size_t part_count(const struct statsd_rule *rule)
{
    return (rule->observer == STATSD_OBSERVER_SUMMARY ? rule->quantile_count
                                                      : rule->bucket_count + 1) +
           2;
}

static struct statsd_parts *parts_new(const struct statsd_rule *rule, struct slice name,
                                      const struct data_label *labels, size_t count)
{
    struct statsd_parts *p = mem_calloc(1, sizeof(*p));
    bool is_summary = rule->observer == STATSD_OBSERVER_SUMMARY;
    size_t n = part_count(rule) - 2;
    p->keys = mem_calloc(n + 2, sizeof(*p->keys));
    for (size_t i = 0; i < n; i++) {
        char text[CODEC_DOUBLE_TEXT_MAX];
        double bound = is_summary ? rule->quantiles[i]
                                  : (i < rule->bucket_count ? rule->buckets[i] : INFINITY);
        struct slice value =
            slice_make(text, codec_double_to_text(bound, CODEC_DOUBLE_GENERAL, text));
        p->keys[i] = make_key(name, is_summary ? "" : "_bucket", is_summary ? "quantile" : "le",
                              value, labels, count);
    }
    p->keys[n] = make_key(name, "_sum", NULL, SLICE(""), labels, count);
    p->keys[n + 1] = make_key(name, "_count", NULL, SLICE(""), labels, count);
    if (is_summary) {
        p->ring_len = rule->age_buckets;
        p->ring = mem_calloc(p->ring_len, sizeof(*p->ring));
        for (size_t i = 0; i < p->ring_len; i++)
            statsd__sketch_init(&p->ring[i], RING_SCHEMA);
    } else {
        p->counts = mem_calloc(n, sizeof(*p->counts));
    }
    return p;
}

void statsd__series_free(struct statsd_series *series)
{
    struct statsd_parts *p = series->parts;
    if (p) {
        for (size_t i = 0; i < part_count(series->rule); i++)
            mem_free((void *)(uintptr_t)p->keys[i].ptr);
        for (size_t i = 0; i < p->ring_len; i++)
            statsd__sketch_deinit(&p->ring[i]);
        mem_free(p->ring);
        mem_free(p->keys);
        mem_free(p->counts);
        mem_free(p);
    }
    if (series->kind == STATSD_SET) {
        statsd__distinct_deinit(series->distinct);
        mem_free(series->distinct);
    } else if (series->sketch) {
        statsd__sketch_deinit(series->sketch);
        mem_free(series->sketch);
    }
    statsd__rule_unref(series->rule);
    mem_free(series);
}

void statsd__series_unref(struct statsd_series *series)
{
    if (--series->refs == 0 && series->is_dead)
        statsd__series_free(series);
}

static void add_metadata(struct input_statsd *s, const struct statsd_series *series,
                         struct slice name)
{
    static const enum data_metric_type types[STATSD_KIND_COUNT] = {
        [STATSD_COUNTER] = DATA_METRIC_COUNTER,
        [STATSD_GAUGE] = DATA_METRIC_GAUGE,
        [STATSD_TIMER] = DATA_METRIC_HISTOGRAM,
        [STATSD_SET] = DATA_METRIC_GAUGE};
    enum data_metric_type type = types[series->kind];
    if (type == DATA_METRIC_HISTOGRAM && series->rule->observer == STATSD_OBSERVER_SUMMARY)
        type = DATA_METRIC_SUMMARY;
    statsd__batch_room(s);
    data_metric_batch_add_metadata(s->batch, arena_slice(s->batch->arena, name), type, SLICE(""),
                                   series->rule->help);
}

static struct statsd_series *series_of(struct input_statsd *s, struct slice name,
                                       enum statsd_kind class, const struct data_label *labels,
                                       size_t count, const struct statsd_mapped *mapped)
{
    struct slice key = make_key(name, "", NULL, SLICE(""), labels, count);
    struct statsd_index_cell *at =
        statsd__index_put(&s->series_index, statsd__index_hash(key), key);
    if (at->value) {
        mem_free((void *)(uintptr_t)key.ptr);
        return (struct statsd_series *)at->value;
    }
    struct statsd_series *series = mem_calloc(1, sizeof(*series) + key.len);
    at->value = (uint64_t)(uintptr_t)series;
    memcpy(series->key_bytes, key.ptr, key.len);
    series->key_len = (uint32_t)key.len;
    mem_free((void *)(uintptr_t)key.ptr);
    series->kind = (uint8_t) class;
    series->is_new = true;
    series->rule = mapped->rule;
    statsd__rule_ref(series->rule);
    if (class == STATSD_SET)
        series->distinct = mem_calloc(1, sizeof(*series->distinct));
    if (class == STATSD_TIMER && mapped->rule->observer == STATSD_OBSERVER_NATIVE) {
        series->sketch = mem_calloc(1, sizeof(*series->sketch));
        statsd__sketch_init(series->sketch, STATSD_SKETCH_SCHEMA);
    } else if (class == STATSD_TIMER) {
        series->parts = parts_new(mapped->rule, name, labels, count);
    }
    vec_push(&s->series, series);
    struct statsd_index_cell *family =
        statsd__index_put(&s->families, statsd__index_hash(name), name);
    if (!family->value)
        add_metadata(s, series, name);
    family->value = (uint64_t) class | ((family->value >> 8) + 1) << 8;
    return series;
}

void statsd__labels_resolve(struct input_statsd *s, struct statsd_shard *shard,
                            struct statsd_entry *e)
{
    struct arena *arena = arena_new(0, NULL);
    struct statsd_identity id;
    struct statsd_mapped mapped;
    struct data_label *labels;
    enum statsd_kind class = class_of(e->kind);
    statsd__identify(statsd_entry_name(e), statsd_entry_tail(e), s->limits.is_node, arena, &id);
    statsd__mapping_match(s->mapping, id.name, e->kind, arena, &mapped);
    if (mapped.rule->is_drop || mapped.overran) {
        pthread_mutex_lock(&shard->lock);
        e->refused = mapped.overran ? STATSD_MAPPING : STATSD_DROPPED;
        if (mapped.overran) /* what came before this was known is lost, and said */
            statsd__refuse(s, shard, STATSD_MAPPING, statsd_entry_name(e), "",
                           e->slots[shard->epoch ^ 1].samples);
        pthread_mutex_unlock(&shard->lock);
    } else {
        struct slice name = mapped.is_matched ? mapped.name : escaped(id.name, arena);
        if (!name.len)
            name = SLICE("_");
        size_t count = collect_labels(&id, &mapped, arena, &labels);
        name = family_name(s, name, class, arena);
        e->series = series_of(s, name, class, labels, count, &mapped);
        e->series->refs++;
    }
    arena_free(arena);
}

/* --- adding up --- */

static void add_to_bucket(void *ctx, double value, double weight)
{
    struct statsd_series *series = ctx;
    const struct statsd_rule *rule = series->rule;
    size_t lo = 0, hi = rule->bucket_count; /* the first bound that is not below the value */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (rule->buckets[mid] < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    series->parts->counts[lo] += weight;
}

static void merge_parts(struct statsd_series *series, const struct statsd_values *v, double scale,
                        int64_t ts_ns)
{
    struct statsd_parts *p = series->parts;
    struct statsd_sketch one;
    statsd__sketch_init(&one, RING_SCHEMA);
    statsd__values_sketch(v, scale, &one);
    p->sum += one.sum;
    p->count += one.count;
    if (p->ring) {
        if (!p->ring_turned_ns)
            p->ring_turned_ns = ts_ns;
        statsd__sketch_merge(&p->ring[p->ring_at], &one);
    } else {
        statsd__values_each(v, scale, add_to_bucket, series);
    }
    statsd__sketch_deinit(&one);
}

static void add_count(struct statsd_series *series, double n)
{
    /* A stored counter never goes down, or rate() would see a restart. */
    series->debt += n < 0 ? -n : 0;
    if (n > 0) {
        double back = fmin(n, series->debt);
        series->debt -= back;
        series->value += n - back;
    }
}

void statsd__labels_merge(struct input_statsd *s, struct statsd_entry *e,
                          const struct statsd_slot *slot, int64_t ts_ns)
{
    struct statsd_series *series = e->series;
    double scale = series->rule->scale * (e->kind == STATSD_TIMER ? 0.001 : 1);
    (void)s;
    series->seen_ns = ts_ns;
    series->is_flushed = true;
    switch (series->kind) {
    case STATSD_COUNTER: add_count(series, slot->value * scale); break;
    case STATSD_GAUGE:
        series->value = (slot->stamp_ns ? 0 : series->value) + slot->value * scale;
        break;
    case STATSD_SET:
        if (slot->set)
            statsd__distinct_merge(series->distinct, slot->set);
        break;
    default:
        if (!slot->values)
            break;
        if (series->parts)
            merge_parts(series, slot->values, scale, ts_ns);
        else
            statsd__values_sketch(slot->values, scale, series->sketch);
    }
}

void statsd__labels_timed(struct input_statsd *s, const struct statsd_timed *t)
{
    struct statsd_series *series = t->entry->series;
    double value = t->value * series->rule->scale;
    series->seen_ns = MAX(series->seen_ns, s->last_flush_ns);
    if (series->kind == STATSD_COUNTER) {
        add_count(series, value);
        if (t->ts_ns <= series->last_ts_ns) { /* too late to be put there: with the next flush */
            series->is_flushed = true;
            return;
        }
        if (series->is_new)
            statsd__emit(s, statsd__series_key(series), t->ts_ns - s->config.flush_interval_ns, 0);
        series->is_new = false;
        value = series->value;
    }
    series->last_ts_ns = MAX(series->last_ts_ns, t->ts_ns);
    statsd__emit(s, statsd__series_key(series), t->ts_ns, value);
}

/* --- handing over --- */

static void emit_histogram(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    uint32_t at = data_metric_batch_add_series_key(s->batch, statsd__series_key(series));
    struct data_histogram *h = statsd__sketch_histogram(series->sketch, s->batch->arena);
    if (series->is_new) {
        struct data_histogram zero = {
            .schema = h->schema, .zero_threshold = h->zero_threshold, .is_integer = true};
        data_metric_batch_add_histogram(s->batch, at, ts_ns - s->config.flush_interval_ns, &zero);
    }
    data_metric_batch_add_histogram(s->batch, at, ts_ns, h);
}

static void emit_summary(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    struct statsd_parts *p = series->parts;
    const struct statsd_rule *rule = series->rule;
    struct arena *arena = s->batch->arena;
    struct statsd_sketch all;
    data_histogram_bucket_list scratch = {0};
    while (ts_ns - p->ring_turned_ns >= rule->max_age_ns / (int64_t)p->ring_len) {
        p->ring_turned_ns += rule->max_age_ns / (int64_t)p->ring_len;
        p->ring_at = (p->ring_at + 1) % p->ring_len;
        statsd__sketch_clear(&p->ring[p->ring_at]);
    }
    statsd__sketch_init(&all, RING_SCHEMA);
    for (size_t i = 0; i < p->ring_len; i++)
        statsd__sketch_merge(&all, &p->ring[i]);
    struct data_histogram *h = statsd__sketch_histogram(&all, arena);
    for (size_t i = 0; i < rule->quantile_count; i++) {
        bool skew = false;
        double q =
            all.count > 0 ? data_histogram_quantile(h, rule->quantiles[i], &scratch, &skew) : NAN;
        statsd__emit(s, p->keys[i], ts_ns, q);
    }
    vec_free(&scratch);
    statsd__sketch_deinit(&all);
}

static void emit_parts(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    struct statsd_parts *p = series->parts;
    size_t n = part_count(series->rule) - 2;
    int64_t start_ns = ts_ns - s->config.flush_interval_ns;
    double below = 0;
    if (p->ring)
        emit_summary(s, series, ts_ns);
    for (size_t i = p->ring ? n : 0; i < n + 2; i++) {
        if (series->is_new)
            statsd__emit(s, p->keys[i], start_ns, 0);
        if (i < n)
            below += p->counts[i];
        statsd__emit(s, p->keys[i], ts_ns, i < n ? below : i == n ? p->sum : p->count);
    }
}

static void emit_series(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    if (!series->is_flushed)
        return;
    if (series->parts) {
        emit_parts(s, series, ts_ns);
    } else if (series->kind == STATSD_TIMER) {
        emit_histogram(s, series, ts_ns);
    } else if (series->kind == STATSD_SET) {
        statsd__emit(s, statsd__series_key(series), ts_ns,
                     statsd__distinct_count(series->distinct));
        statsd__distinct_clear(series->distinct);
    } else {
        if (series->is_new && series->kind == STATSD_COUNTER)
            statsd__emit(s, statsd__series_key(series), ts_ns - s->config.flush_interval_ns, 0);
        statsd__emit(s, statsd__series_key(series), ts_ns, series->value);
    }
    series->is_new = false;
    series->last_ts_ns = ts_ns;
}

/* The key may be gone before the batch is. */
static void emit_last(struct input_statsd *s, struct slice key, int64_t ts_ns)
{
    statsd__batch_room(s);
    statsd__emit(s, arena_slice(s->batch->arena, key), ts_ns, data_stale_nan());
}

static void emit_stale(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    if (!series->is_flushed || series->is_new)
        return;
    if (series->parts) {
        for (size_t i = 0; i < part_count(series->rule); i++)
            emit_last(s, series->parts->keys[i], ts_ns);
    } else {
        emit_last(s, statsd__series_key(series), ts_ns);
    }
}

bool statsd__series_is(uint64_t value, struct slice key)
{
    return slice_eq(statsd__series_key((const struct statsd_series *)value), key);
}

/* Told by its key: a million series do without the number. */
static uint64_t family_of(const struct statsd_series *series)
{
    struct arena *arena = arena_new(1024, NULL);
    struct data_labels labels = {0};
    (void)data_labels_decode(statsd__series_key(series), arena, &labels);
    uint64_t hash = statsd__index_hash(data_labels_get(labels, SLICE(DATA_METRIC_NAME)));
    arena_free(arena);
    return hash;
}

void statsd__series_end(struct input_statsd *s, struct statsd_series *series, int64_t ts_ns)
{
    statsd__view(s, INPUT_STATSD_AS_LABELS);
    emit_stale(s, series, ts_ns);
    struct statsd_index_cell *cell = statsd__index_get(&s->families, family_of(series), SLICE(""));
    if (cell && (cell->value -= 1 << 8) >> 8 == 0)
        statsd__index_remove(&s->families, cell);
    struct slice key = statsd__series_key(series);
    cell = statsd__index_get(&s->series_index, statsd__index_hash(key), key);
    if (cell)
        statsd__index_remove(&s->series_index, cell);
    series->is_dead = true;
    series->refs++; /* gone at once when no entry stands for it */
    statsd__series_unref(series);
}

void statsd__labels_emit(struct input_statsd *s, int64_t ts_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->series.len; i++) {
        struct statsd_series *series = s->series.items[i];
        int64_t ttl = series->rule->ttl_ns ? series->rule->ttl_ns : s->config.expire_ns;
        if (ttl && ts_ns - series->seen_ns >= ttl) {
            statsd__series_end(s, series, ts_ns);
            continue;
        }
        statsd__batch_room(s);
        emit_series(s, series, ts_ns);
        s->series.items[kept++] = series;
    }
    s->series.len = kept;
}
