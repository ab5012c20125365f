/* PushRequest{streams=1}; Stream{labels=1, entries=2}; Entry{timestamp=1, line=2,
 * structuredMetadata=3}; LabelPair{name=1, value=2}. */
#include "codec/pb.h"
#include "decode/loki/push_priv.h"

static int damaged(struct decode__loki *d, const char *what)
{
    return diag_set(d->diag, ERR_INVALID, "damaged protobuf in %s of the push request", what);
}

static bool wrong(const struct codec_pb_field *f, enum codec_pb_wire wire)
{
    return f->wire != wire;
}

/* google.protobuf.Timestamp; false when damaged. */
static bool read_time(struct slice message, int64_t *s, int64_t *ns)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *s = *ns = 0;
    while (codec_pb_next(&r, &f)) {
        if (f.number > 2)
            continue;
        if (wrong(&f, CODEC_PB_VARINT))
            return false;
        *(f.number == 1 ? s : ns) = (int64_t)f.num;
    }
    return !r.failed;
}

static bool read_pair(struct slice message, struct data_label *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *out = (struct data_label){SLICE(""), SLICE("")};
    while (codec_pb_next(&r, &f)) {
        if (f.number > 2)
            continue;
        if (wrong(&f, CODEC_PB_BYTES))
            return false;
        *(f.number == 1 ? &out->name : &out->value) = f.bytes;
    }
    return !r.failed;
}

static int read_entry(struct decode__loki *d, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice line = SLICE("");
    int64_t s = 0, ns = 0, ts;
    vec_clear(&d->metadata);
    while (codec_pb_next(&r, &f)) {
        struct data_label pair;
        if (f.number > 3)
            continue;
        if (wrong(&f, CODEC_PB_BYTES))
            return damaged(d, "an entry");
        if (f.number == 1 && !read_time(f.bytes, &s, &ns))
            return damaged(d, "a timestamp");
        if (f.number == 2)
            line = f.bytes;
        if (f.number == 3) {
            if (!read_pair(f.bytes, &pair))
                return damaged(d, "structured metadata");
            vec_push(&d->metadata, pair);
        }
    }
    if (r.failed)
        return damaged(d, "an entry");
    if (__builtin_mul_overflow(s, NS_PER_SEC, &ts) || __builtin_add_overflow(ts, ns, &ts))
        decode__loki_bad_time(d, "of protobuf");
    else
        decode__loki_line(d, ts, line);
    return 0;
}

static int read_stream(struct decode__loki *d, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice labels = SLICE("");
    int err = 0;
    /* Labels may stand anywhere. */
    while (codec_pb_next(&r, &f)) {
        if ((f.number == 1 || f.number == 2) && wrong(&f, CODEC_PB_BYTES))
            return damaged(d, "a stream");
        if (f.number == 1)
            labels = f.bytes;
    }
    if (r.failed)
        return damaged(d, "a stream");
    decode__loki_stream_text(d, labels);
    r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 2)
            err = read_entry(d, f.bytes);
    }
    return err;
}

int decode__loki_proto(struct decode__loki *d, struct slice body)
{
    struct codec_pb_reader r = codec_pb_reader(body);
    struct codec_pb_field f;
    int err = 0;
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number != 1)
            continue;
        err = wrong(&f, CODEC_PB_BYTES) ? damaged(d, "streams") : read_stream(d, f.bytes);
    }
    return err        ? err
           : r.failed ? diag_set(d->diag, ERR_INVALID,
                                 "damaged protobuf at byte %zu of the push "
                                 "request",
                                 codec_pb_offset(&r, body))
                      : 0;
}
