/* prometheus.WriteRequest: timeseries = 1 {labels = 1 {name = 1, value = 2}, samples = 2 {value =
 * 1, timestamp = 2}, exemplars = 3, histograms = 4}, metadata = 3. */
#include "codec/utf8.h"
#include "decode/remote_write_priv.h"

static const char in_label[] = "a label", in_sample[] = "a sample", in_exemplar[] = "an exemplar",
                  in_series[] = "a time series", in_metadata[] = "metadata",
                  in_request[] = "the request";

static int read_label(struct decode__write_walk *w, struct slice message, struct data_label *out,
                      struct diag *diag)
{
    *out = (struct data_label){0};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number > 2)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__write_wrong_wire(w, &r, in_label, &f, diag);
        if (f.number == 1)
            out->name = f.bytes;
        else
            out->value = f.bytes;
    }
    return r.failed ? decode__write_damaged(w, &r, in_label, diag) : 0;
}

static int read_sample(struct decode__write_walk *w, struct slice message, double *value,
                       int64_t *ts_ms, struct diag *diag)
{
    *value = 0;
    *ts_ms = 0;
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_FIXED64)
            *value = codec_pb_double(&f);
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            *ts_ms = (int64_t)f.num;
        else if (f.number <= 2)
            return decode__write_wrong_wire(w, &r, in_sample, &f, diag);
    }
    return r.failed ? decode__write_damaged(w, &r, in_sample, diag) : 0;
}

static int read_exemplar(struct decode__write_walk *w, uint32_t series, struct slice message,
                         struct diag *diag)
{
    double value = 0;
    int64_t ts_ms = 0, ts_ns;
    vec_clear(&w->exemplar_labels);
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct data_labels labels;
    const char *why = NULL;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES) {
            struct data_label l;
            int err = read_label(w, f.bytes, &l, diag);
            if (err)
                return err;
            vec_push(&w->exemplar_labels, l);
        } else if (f.number == 2 && f.wire == CODEC_PB_FIXED64) {
            value = codec_pb_double(&f);
        } else if (f.number == 3 && f.wire == CODEC_PB_VARINT) {
            ts_ms = (int64_t)f.num;
        } else if (f.number <= 3) {
            return decode__write_wrong_wire(w, &r, in_exemplar, &f, diag);
        }
    }
    if (r.failed)
        return decode__write_damaged(w, &r, in_exemplar, diag);
    bool valid = decode__write_exemplar_labels(w, false, &why, &labels);
    if (!valid || !decode__write_ms_to_ns(ts_ms, &ts_ns)) {
        w->out->refused_exemplars++;
        decode__write_refuse(w, valid ? DECODE_WRITE_BAD_TIME : DECODE_WRITE_BAD_LABEL, "%s",
                             valid ? "an exemplar's timestamp is out of range" : why);
        return 0;
    }
    data_metric_batch_add_exemplar(w->batch, series, ts_ns, value, labels);
    w->out->exemplars++;
    return 0;
}

/* The labels at the front as long as they are spelled the usual way (0x0a length, 0x0a length name,
 * 0x12 length value, all short); what is left for the careful reader. */
static struct slice take_usual_labels(struct decode__write_walk *w, struct slice message)
{
    const unsigned char *p = (const unsigned char *)message.ptr, *end = p + message.len;
    while (end - p >= 6 && p[0] == 0x0a && p[1] < 0x80) {
        const unsigned char *q = p + 2;
        size_t len = p[1], name_len = q[1];
        if (len > (size_t)(end - q) || q[0] != 0x0a || name_len + 4 > len)
            break;
        const unsigned char *v = q + 2 + name_len;
        if (v[0] != 0x12 || v[1] >= 0x80 || name_len + 4 + v[1] != len)
            break;
        vec_push(&w->labels,
                 ((struct data_label){slice_make(q + 2, name_len), slice_make(v + 2, v[1])}));
        p = q + len;
    }
    return slice_from(message, (size_t)(p - (const unsigned char *)message.ptr));
}

static int read_series(struct decode__write_walk *w, struct slice message, struct diag *diag)
{
    vec_clear(&w->labels);
    struct slice rest = take_usual_labels(w, message);
    struct codec_pb_reader r = codec_pb_reader(rest);
    struct codec_pb_field f;
    size_t samples = 0, histograms = 0, exemplars = 0, usual_labels = w->labels.len;
    /* Labels usually come first, but need not: they are read first in any case. */
    while (codec_pb_next(&r, &f)) {
        if (f.number > 4)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            return decode__write_wrong_wire(w, &r, in_series, &f, diag);
        switch (f.number) {
        case 1: {
            struct data_label l;
            int err = read_label(w, f.bytes, &l, diag);
            if (err)
                return err;
            vec_push(&w->labels, l);
            break;
        }
        case 2: samples++; break;
        case 3: exemplars++; break;
        case 4: histograms++; break;
        default: break;
        }
    }
    if (r.failed)
        return decode__write_damaged(w, &r, in_series, diag);
    uint32_t series;
    bool known_utf8 = w->labels.len == usual_labels &&
                      decode__is_ascii(message.ptr, (size_t)(rest.ptr - message.ptr));
    if (!decode__write_add_series(w, known_utf8, &series)) {
        w->out->refused_series++;
        w->out->refused_samples += samples;
        w->out->refused_histograms += histograms;
        w->out->refused_exemplars += exemplars;
        return 0;
    }
    if (!samples && !histograms && !exemplars)
        return 0;
    r = codec_pb_reader(rest);
    while (codec_pb_next(&r, &f)) {
        int err = 0;
        if (f.number == 2) {
            double value;
            int64_t ts_ms, ts_ns;
            const unsigned char *p = (const unsigned char *)f.bytes.ptr;
            /* The usual spelling: 0x09 value 0x10 varint. */
            if (f.bytes.len > 10 && p[0] == 0x09 && p[9] == 0x10) {
                struct slice tail = slice_from(f.bytes, 10);
                uint64_t ts;
                value = codec_load_double(p + 1);
                if (codec_take_varint(&tail, &ts) && !tail.len)
                    ts_ms = (int64_t)ts;
                else
                    err = read_sample(w, f.bytes, &value, &ts_ms, diag);
            } else {
                err = read_sample(w, f.bytes, &value, &ts_ms, diag);
            }
            if (err)
                return err;
            if (BASE_LIKELY(decode__write_ms_to_ns(ts_ms, &ts_ns))) {
                data_metric_batch_add_sample(w->batch, series, ts_ns, value);
                w->out->samples++;
            } else {
                w->out->refused_samples++;
                decode__write_refuse(w, DECODE_WRITE_BAD_TIME, "timestamp %lld ms is out of range",
                                     (long long)ts_ms);
            }
        } else if (f.number == 3) {
            err = read_exemplar(w, series, f.bytes, diag);
        } else if (f.number == 4) {
            err = decode__write_histogram(w, series, f.bytes, diag);
        }
        if (err)
            return err;
    }
    return 0;
}

static int read_metadata(struct decode__write_walk *w, struct slice message, struct diag *diag)
{
    struct data_batch_metadata m = {.metric = SLICE(""), .unit = SLICE(""), .help = SLICE("")};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            m.type =
                f.num < DATA_METRIC_TYPE_COUNT ? (enum data_metric_type)f.num : DATA_METRIC_UNKNOWN;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            m.metric = f.bytes;
        else if (f.number == 4 && f.wire == CODEC_PB_BYTES)
            m.help = f.bytes;
        else if (f.number == 5 && f.wire == CODEC_PB_BYTES)
            m.unit = f.bytes;
        else if (f.number <= 5 && f.number != 3)
            return decode__write_wrong_wire(w, &r, in_metadata, &f, diag);
    }
    if (r.failed)
        return decode__write_damaged(w, &r, in_metadata, diag);
    if (m.metric.len && codec_utf8_valid(m.metric) && codec_utf8_valid(m.help) &&
        codec_utf8_valid(m.unit)) {
        data_metric_batch_add_metadata(w->batch, m.metric, m.type, m.unit, m.help);
        w->out->metadata++;
    }
    return 0;
}

int decode_remote_write_v1(struct slice message, struct data_metric_batch *batch,
                           struct decode_write_result *out, struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    out->version = DECODE_WRITE_V1;
    struct decode__write_walk w = {.body = message, .batch = batch, .out = out};
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 1 && f.number != 3)
            continue;
        if (f.wire != CODEC_PB_BYTES)
            err = decode__write_wrong_wire(&w, &r, in_request, &f, diag);
        else if (f.number == 1)
            err = read_series(&w, f.bytes, diag);
        else
            err = read_metadata(&w, f.bytes, diag);
    }
    if (!err && r.failed)
        err = decode__write_damaged(&w, &r, in_request, diag);
    decode__write_walk_deinit(&w);
    return err;
}
