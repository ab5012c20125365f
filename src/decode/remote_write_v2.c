/* io.prometheus.write.v2.Request: symbols = 4, timeseries = 5 {labels_refs = 1, samples = 2 {value
 * = 1, timestamp = 2, start_timestamp = 3}, histograms = 3, exemplars = 4 {labels_refs = 1, value =
 * 2, timestamp = 3}, metadata = 5 {type = 1, help_ref = 3, unit_ref = 4}, created_timestamp = 6 (in
 * the release candidates up to rc.3)}. */
#include "base/map.h"
#include "codec/utf8.h"
#include "decode/remote_write_priv.h"

static const char in_sample[] = "a sample", in_exemplar[] = "an exemplar",
                  in_series[] = "a time series", in_metadata[] = "metadata",
                  in_request[] = "the request";

struct walk2 {
    struct decode__write_walk w;
    VEC(struct slice) symbols;
    bool symbols_utf8;
    struct map *families; /* whose metadata is in the batch */
};

enum refs { REFS_OK, REFS_DAMAGED, REFS_BAD };

/* Packed or single uint32 references, in pairs, looked up into `out`. */
struct ref_reader {
    bool half;
    struct slice name;
};

static enum refs take_ref(struct walk2 *w, struct ref_reader *rr, uint64_t ref,
                          struct data_label *out, bool *complete)
{
    *complete = false;
    if (ref >= w->symbols.len)
        return REFS_BAD;
    struct slice s = w->symbols.items[ref];
    if (!rr->half) {
        rr->name = s;
        rr->half = true;
        return REFS_OK;
    }
    rr->half = false;
    *out = (struct data_label){rr->name, s};
    *complete = true;
    return REFS_OK;
}

#define TAKE_REFS(walk, rr, f, vec)                                                                \
    ({                                                                                             \
        enum refs got_ = REFS_OK;                                                                  \
        struct data_label l_;                                                                      \
        bool complete_;                                                                            \
        if ((f)->wire == CODEC_PB_VARINT) {                                                        \
            got_ = take_ref((walk), (rr), (f)->num, &l_, &complete_);                              \
            if (got_ == REFS_OK && complete_)                                                      \
                vec_push((vec), l_);                                                               \
        } else {                                                                                   \
            struct slice rest_ = (f)->bytes;                                                       \
            uint64_t ref_;                                                                         \
            while (got_ == REFS_OK && rest_.len) {                                                 \
                if (!codec_take_varint(&rest_, &ref_)) {                                           \
                    got_ = REFS_DAMAGED;                                                           \
                    break;                                                                         \
                }                                                                                  \
                got_ = take_ref((walk), (rr), ref_, &l_, &complete_);                              \
                if (got_ == REFS_OK && complete_)                                                  \
                    vec_push((vec), l_);                                                           \
            }                                                                                      \
        }                                                                                          \
        got_;                                                                                      \
    })

static bool is_refs(const struct codec_pb_field *f)
{
    return f->wire == CODEC_PB_BYTES || f->wire == CODEC_PB_VARINT;
}

static int read_sample(struct walk2 *w2, uint32_t series, struct slice message, int64_t created_ns,
                       struct diag *diag)
{
    struct decode__write_walk *w = &w2->w;
    double value = 0;
    int64_t ts_ms = 0, ts_ns, start_ns = created_ns;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_FIXED64)
            value = codec_pb_double(&f);
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            ts_ms = (int64_t)f.num;
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT)
            start_ns = decode__write_start_ns(f.num);
        else if (f.number <= 3)
            return decode__write_wrong_wire(w, &r, in_sample, &f, diag);
    }
    if (r.failed)
        return decode__write_damaged(w, &r, in_sample, diag);
    if (!decode__write_ms_to_ns(ts_ms, &ts_ns)) {
        w->out->refused_samples++;
        decode__write_refuse(w, DECODE_WRITE_BAD_TIME, "timestamp %lld ms is out of range",
                             (long long)ts_ms);
        return 0;
    }
    data_metric_batch_add_sample(w->batch, series, ts_ns, value);
    if (start_ns)
        data_metric_batch_set_start(w->batch, start_ns);
    w->out->samples++;
    return 0;
}

static int read_exemplar(struct walk2 *w2, uint32_t series, struct slice message, struct diag *diag)
{
    struct decode__write_walk *w = &w2->w;
    double value = 0;
    int64_t ts_ms = 0, ts_ns;
    enum refs got = REFS_OK;
    struct ref_reader rr = {0};
    vec_clear(&w->exemplar_labels);
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && is_refs(&f)) {
            if (got == REFS_OK)
                got = TAKE_REFS(w2, &rr, &f, &w->exemplar_labels);
        } else if (f.number == 2 && f.wire == CODEC_PB_FIXED64) {
            value = codec_pb_double(&f);
        } else if (f.number == 3 && f.wire == CODEC_PB_VARINT) {
            ts_ms = (int64_t)f.num;
        } else if (f.number <= 3) {
            return decode__write_wrong_wire(w, &r, in_exemplar, &f, diag);
        }
    }
    if (r.failed || got == REFS_DAMAGED)
        return decode__write_damaged(w, &r, in_exemplar, diag);
    struct data_labels labels;
    const char *why = NULL;
    bool refs_ok = got == REFS_OK && !rr.half;
    bool text_ok = refs_ok && decode__write_exemplar_labels(w, w2->symbols_utf8, &why, &labels);
    if (!refs_ok || !text_ok || !decode__write_ms_to_ns(ts_ms, &ts_ns)) {
        w->out->refused_exemplars++;
        if (!refs_ok)
            decode__write_refuse(w, DECODE_WRITE_BAD_REF,
                                 "an exemplar's label references are no pairs of symbols");
        else if (!text_ok)
            decode__write_refuse(w, DECODE_WRITE_BAD_LABEL, "%s", why);
        else
            decode__write_refuse(w, DECODE_WRITE_BAD_TIME,
                                 "an exemplar's timestamp is out of range");
        return 0;
    }
    data_metric_batch_add_exemplar(w->batch, series, ts_ns, value, labels);
    w->out->exemplars++;
    return 0;
}

/* The family a series belongs to: its name without what its type appends. */
static struct slice family_of(struct slice metric, enum data_metric_type type)
{
    static const struct slice suffixes[] = {SLICE_INIT("_bucket"), SLICE_INIT("_count"),
                                            SLICE_INIT("_sum"), SLICE_INIT("_gcount"),
                                            SLICE_INIT("_gsum")};
    if (type != DATA_METRIC_HISTOGRAM && type != DATA_METRIC_GAUGE_HISTOGRAM &&
        type != DATA_METRIC_SUMMARY)
        return metric;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (metric.len > suffixes[i].len && slice_ends_with(metric, suffixes[i]))
            return slice_first(metric, metric.len - suffixes[i].len);
    }
    return metric;
}

static int read_metadata(struct walk2 *w2, struct slice message, struct diag *diag)
{
    struct decode__write_walk *w = &w2->w;
    uint64_t help = 0, unit = 0;
    enum data_metric_type type = DATA_METRIC_UNKNOWN;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number != 1 && f.number != 3 && f.number != 4)
            continue;
        if (f.wire != CODEC_PB_VARINT)
            return decode__write_wrong_wire(w, &r, in_metadata, &f, diag);
        if (f.number == 1)
            type =
                f.num < DATA_METRIC_TYPE_COUNT ? (enum data_metric_type)f.num : DATA_METRIC_UNKNOWN;
        else if (f.number == 3)
            help = f.num;
        else
            unit = f.num;
    }
    if (r.failed)
        return decode__write_damaged(w, &r, in_metadata, diag);
    if ((!type && !help && !unit) || help >= w2->symbols.len || unit >= w2->symbols.len)
        return 0;
    struct slice family = family_of(
        data_labels_get((struct data_labels){w->labels.items, w->labels.len}, SLICE("__name__")),
        type);
    bool added;
    if (!w2->families)
        w2->families = map_new();
    map_put(w2->families, family, &added);
    struct slice h = w2->symbols.items[help], u = w2->symbols.items[unit];
    if (added && codec_utf8_valid(h) && codec_utf8_valid(u)) {
        data_metric_batch_add_metadata(w->batch, family, type, u, h);
        w->out->metadata++;
    }
    return 0;
}

static void refuse_series(struct decode__write_walk *w, size_t samples, size_t histograms,
                          size_t exemplars)
{
    w->out->refused_series++;
    w->out->refused_samples += samples;
    w->out->refused_histograms += histograms;
    w->out->refused_exemplars += exemplars;
}

static int read_series(struct walk2 *w2, struct slice message, struct diag *diag)
{
    struct decode__write_walk *w = &w2->w;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    size_t samples = 0, histograms = 0, exemplars = 0;
    int64_t created_ns = 0;
    enum refs got = REFS_OK;
    struct ref_reader rr = {0};
    vec_clear(&w->labels);
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1) {
            if (!is_refs(&f))
                return decode__write_wrong_wire(w, &r, in_series, &f, diag);
            if (got == REFS_OK)
                got = TAKE_REFS(w2, &rr, &f, &w->labels);
            continue;
        }
        if (f.number > 6)
            continue;
        if (f.wire != (f.number == 6 ? CODEC_PB_VARINT : CODEC_PB_BYTES))
            return decode__write_wrong_wire(w, &r, in_series, &f, diag);
        samples += f.number == 2;
        histograms += f.number == 3;
        exemplars += f.number == 4;
        if (f.number == 6)
            created_ns = decode__write_start_ns(f.num);
    }
    if (r.failed || got == REFS_DAMAGED)
        return decode__write_damaged(w, &r, in_series, diag);
    if (got == REFS_BAD || rr.half) {
        refuse_series(w, samples, histograms, exemplars);
        decode__write_refuse(w, DECODE_WRITE_BAD_REF,
                             rr.half ? "an odd number of label references"
                                     : "a label reference beyond the %zu symbols",
                             w2->symbols.len);
        return 0;
    }
    if (samples && histograms) {
        refuse_series(w, samples, histograms, exemplars);
        decode__write_refuse(w, DECODE_WRITE_MIXED, "%zu samples and %zu histograms in one series",
                             samples, histograms);
        return 0;
    }
    if (!samples && !histograms) {
        refuse_series(w, samples, histograms, exemplars);
        decode__write_refuse(w, DECODE_WRITE_EMPTY, "neither samples nor histograms");
        return 0;
    }
    uint32_t series;
    if (!decode__write_add_series(w, w2->symbols_utf8, &series)) {
        refuse_series(w, samples, histograms, exemplars);
        return 0;
    }
    r = codec_pb_reader(message);
    while (codec_pb_next(&r, &f)) {
        int err = 0;
        switch (f.number) {
        case 2: err = read_sample(w2, series, f.bytes, created_ns, diag); break;
        case 3: err = decode__write_histogram(w, series, f.bytes, diag); break;
        case 4: err = read_exemplar(w2, series, f.bytes, diag); break;
        case 5: err = read_metadata(w2, f.bytes, diag); break;
        default: break;
        }
        if (err)
            return err;
    }
    return 0;
}

int decode_remote_write_v2(struct slice message, struct data_metric_batch *batch,
                           struct decode_write_result *out, struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    out->version = DECODE_WRITE_V2;
    struct walk2 w2 = {.w = {.body = message, .batch = batch, .out = out}, .symbols_utf8 = true};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    /* Symbols may stand anywhere: all of them first. */
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 4 && f.number != 5)
            continue;
        if (f.wire != CODEC_PB_BYTES) {
            err = decode__write_wrong_wire(&w2.w, &r, in_request, &f, diag);
        } else if (f.number == 4) {
            if (!w2.symbols.len && f.bytes.len)
                err = diag_set(diag, ERR_INVALID,
                               "remote write: the first symbol must be the empty string");
            w2.symbols_utf8 = w2.symbols_utf8 && codec_utf8_valid(f.bytes);
            vec_push(&w2.symbols, f.bytes);
        }
    }
    if (!err && r.failed)
        err = decode__write_damaged(&w2.w, &r, in_request, diag);
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 5)
            err = read_series(&w2, f.bytes, diag);
    }
    vec_free(&w2.symbols);
    map_free(w2.families);
    decode__write_walk_deinit(&w2.w);
    return err;
}
