#include "decode/jaeger/jaeger.h"

#include "codec/pb.h"
#include "decode/jaeger/span_priv.h"
#include "decode/jaeger/thrift_priv.h"

static void put_be64(char *to, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        to[i] = (char)(v >> (56 - 8 * i));
}

/* --- Thrift --- */

static void read_tag(struct decode__thrift *t, decode__jaeger_tags *tags)
{
    struct decode__thrift_field f = {0};
    struct decode__jaeger_tag tag = {.key = SLICE("")};
    int64_t kind = 0;
    struct data_value text = data_value_string(SLICE("")), number = data_value_double(0),
                      truth = data_value_bool(false), whole = data_value_int(0),
                      bytes = data_value_bytes(SLICE(""));
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_STRING)
            tag.key = decode__thrift_bytes(t);
        else if (f.id == 2 && f.type == DECODE__THRIFT_I32)
            kind = decode__thrift_int(t, f.type);
        else if (f.id == 3 && f.type == DECODE__THRIFT_STRING)
            text = data_value_string(decode__thrift_bytes(t));
        else if (f.id == 4 && f.type == DECODE__THRIFT_DOUBLE)
            number = data_value_double(decode__thrift_double(t));
        else if (f.id == 5 && f.type == DECODE__THRIFT_BOOL)
            truth = data_value_bool(decode__thrift_bool(t, &f));
        else if (f.id == 6 && f.type == DECODE__THRIFT_I64)
            whole = data_value_int(decode__thrift_int(t, f.type));
        else if (f.id == 7 && f.type == DECODE__THRIFT_STRING)
            bytes = data_value_bytes(decode__thrift_bytes(t));
        else
            decode__thrift_skip(t, &f);
    }
    tag.value = kind == 1   ? number
                : kind == 2 ? truth
                : kind == 3 ? whole
                : kind == 4 ? bytes
                            : text;
    vec_push(tags, tag);
}

/* A list of structs, each read by `item`; of anything else nothing is taken. */
#define EACH_STRUCT(t, f, call)                                                                    \
    do {                                                                                           \
        enum decode__thrift_type item_type_;                                                       \
        struct decode__thrift at_ = *(t);                                                          \
        size_t n_ = decode__thrift_list((t), &item_type_);                                         \
        if (item_type_ != DECODE__THRIFT_STRUCT) {                                                 \
            *(t) = at_;                                                                            \
            decode__thrift_skip((t), (f));                                                         \
            n_ = 0;                                                                                \
        }                                                                                          \
        for (; n_ && !(t)->failed; n_--)                                                           \
            call;                                                                                  \
    } while (0)

static void read_log(struct decode__thrift *t, struct decode__jaeger_span *s)
{
    struct decode__thrift_field f = {0};
    struct decode__jaeger_log log = {.first = s->log_tags.len};
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_I64)
            log.ns = decode__jaeger_ns(decode__thrift_int(t, f.type));
        else if (f.id == 2 && f.type == DECODE__THRIFT_LIST)
            EACH_STRUCT(t, &f, read_tag(t, &s->log_tags));
        else
            decode__thrift_skip(t, &f);
    }
    log.count = s->log_tags.len - log.first;
    vec_push(&s->logs, log);
}

static void read_reference(struct decode__thrift *t, struct decode__jaeger_span *s)
{
    struct decode__thrift_field f = {0};
    struct decode__jaeger_reference r = {0};
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_I32)
            r.follows_from = decode__thrift_int(t, f.type) == 1;
        else if (f.id >= 2 && f.id <= 4 && f.type == DECODE__THRIFT_I64)
            put_be64(f.id == 2   ? r.trace_id + 8
                     : f.id == 3 ? r.trace_id
                                 : r.span_id,
                     (uint64_t)decode__thrift_int(t, f.type));
        else
            decode__thrift_skip(t, &f);
    }
    vec_push(&s->references, r);
}

static void read_span(struct decode__thrift *t, struct decode__jaeger_span *s, struct buf *out)
{
    struct decode__thrift_field f = {0};
    decode__jaeger_span_reset(s);
    s->name = SLICE("");
    while (decode__thrift_next(t, &f)) {
        if (f.id == 5 && f.type == DECODE__THRIFT_STRING) {
            s->name = decode__thrift_bytes(t);
        } else if (f.id == 6 && f.type == DECODE__THRIFT_LIST) {
            EACH_STRUCT(t, &f, read_reference(t, s));
        } else if (f.id == 7 && f.type == DECODE__THRIFT_I32) {
            s->flags = (uint32_t)decode__thrift_int(t, f.type);
        } else if (f.id == 10 && f.type == DECODE__THRIFT_LIST) {
            EACH_STRUCT(t, &f, read_tag(t, &s->tags));
        } else if (f.id == 11 && f.type == DECODE__THRIFT_LIST) {
            EACH_STRUCT(t, &f, read_log(t, s));
        } else if (f.type == DECODE__THRIFT_I64 && f.id >= 1 && f.id <= 9) {
            int64_t v = decode__thrift_int(t, f.type);
            switch (f.id) {
            case 1: put_be64(s->trace_id + 8, (uint64_t)v); break;
            case 2: put_be64(s->trace_id, (uint64_t)v); break;
            case 3: put_be64(s->span_id, (uint64_t)v); break;
            case 4: put_be64(s->parent_id, (uint64_t)v); break;
            case 8: s->start_ns = decode__jaeger_ns(v); break;
            case 9: s->duration_ns = v < 0 ? 0 : decode__jaeger_ns(v); break;
            default: break;
            }
        } else {
            decode__thrift_skip(t, &f);
        }
    }
    if (!t->failed)
        decode__jaeger_put_span(s, out);
}

static void read_process(struct decode__thrift *t, struct decode__jaeger_process *p)
{
    struct decode__thrift_field f = {0};
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_STRING)
            p->service = decode__thrift_bytes(t);
        else if (f.id == 2 && f.type == DECODE__THRIFT_LIST)
            EACH_STRUCT(t, &f, read_tag(t, &p->tags));
        else
            decode__thrift_skip(t, &f);
    }
}

/* Twice over the fields: the process may come behind the spans. */
static void read_batch(struct decode__thrift *t, struct buf *out)
{
    struct decode__jaeger_process process = {.service = SLICE("")};
    struct decode__jaeger_span span = {0};
    struct decode__thrift_field f = {0};
    struct decode__thrift begin = *t;
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_STRUCT)
            read_process(t, &process);
        else
            decode__thrift_skip(t, &f);
    }
    if (!t->failed) {
        size_t mark = decode__jaeger_begin_resource(&process, out);
        *t = begin;
        f = (struct decode__thrift_field){0};
        while (decode__thrift_next(t, &f)) {
            if (f.id == 2 && f.type == DECODE__THRIFT_LIST)
                EACH_STRUCT(t, &f, read_span(t, &span, out));
            else
                decode__thrift_skip(t, &f);
        }
        codec_pb_end(out, mark);
    }
    vec_free(&process.tags);
    decode__jaeger_span_free(&span);
}

/* Agent.emitBatch(1: Batch) */
static int read_call(struct decode__thrift *t, struct buf *out, struct diag *diag)
{
    struct decode__thrift_field f = {0};
    struct slice name = decode__thrift_call(t);
    if (!t->failed && !slice_eq_cstr(name, "emitBatch"))
        return diag_set(diag, ERR_UNSUPPORTED, "the call \"%.*s\" is not taken, emitBatch is",
                        SLICE_FMT(slice_first(name, 100)));
    while (decode__thrift_next(t, &f)) {
        if (f.id == 1 && f.type == DECODE__THRIFT_STRUCT)
            read_batch(t, out);
        else
            decode__thrift_skip(t, &f);
    }
    return 0;
}

/* --- protobuf --- */

static bool take_tag(struct slice message, decode__jaeger_tags *tags)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__jaeger_tag tag = {.key = SLICE("")};
    uint64_t kind = 0, truth = 0, whole = 0;
    double number = 0;
    struct slice text = SLICE(""), bytes = SLICE("");
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            tag.key = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            kind = f.num;
        else if (f.number == 3 && f.wire == CODEC_PB_BYTES)
            text = f.bytes;
        else if (f.number == 4 && f.wire == CODEC_PB_VARINT)
            truth = f.num;
        else if (f.number == 5 && f.wire == CODEC_PB_VARINT)
            whole = f.num;
        else if (f.number == 6 && f.wire == CODEC_PB_FIXED64)
            number = codec_pb_double(&f);
        else if (f.number == 7 && f.wire == CODEC_PB_BYTES)
            bytes = f.bytes;
    }
    tag.value = kind == 1   ? data_value_bool(truth != 0)
                : kind == 2 ? data_value_int((int64_t)whole)
                : kind == 3 ? data_value_double(number)
                : kind == 4 ? data_value_bytes(bytes)
                            : data_value_string(text);
    vec_push(tags, tag);
    return !r.failed;
}

/* google.protobuf.Timestamp and Duration in nanoseconds. Negative, or too far away: beyond all
 * years. */
static bool take_time(struct slice message, uint64_t *out)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int64_t seconds = 0, nanos = 0, ns;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            seconds = (int64_t)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            nanos = (int32_t)f.num;
    }
    *out = __builtin_mul_overflow(seconds, NS_PER_SEC, &ns) ||
                   __builtin_add_overflow(ns, nanos, &ns) || ns < 0
               ? UINT64_MAX
               : (uint64_t)ns;
    return !r.failed;
}

static bool take_id(struct slice bytes, char *out, size_t len)
{
    memset(out, 0, len);
    if (bytes.len != len && !(len == 16 && bytes.len == 8))
        return false;
    memcpy(out + len - bytes.len, bytes.ptr, bytes.len);
    return true;
}

static bool take_log(struct slice message, struct decode__jaeger_span *s)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__jaeger_log log = {.first = s->log_tags.len};
    bool ok = true;
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            ok = take_time(f.bytes, &log.ns);
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            ok = take_tag(f.bytes, &s->log_tags);
    }
    log.count = s->log_tags.len - log.first;
    vec_push(&s->logs, log);
    return ok && !r.failed;
}

static bool take_reference(struct slice message, struct decode__jaeger_span *s)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct decode__jaeger_reference ref = {0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            s->bad_id |= !take_id(f.bytes, ref.trace_id, 16);
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            s->bad_id |= !take_id(f.bytes, ref.span_id, 8);
        else if (f.number == 3 && f.wire == CODEC_PB_VARINT)
            ref.follows_from = f.num == 1;
    }
    vec_push(&s->references, ref);
    return !r.failed;
}

static bool take_process(struct slice message, struct decode__jaeger_process *p)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool ok = true;
    p->service = SLICE("");
    vec_clear(&p->tags);
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            p->service = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            ok = take_tag(f.bytes, &p->tags);
    }
    return ok && !r.failed;
}

/* `process`: the span's own, when it has one. */
static bool take_span(struct slice message, struct decode__jaeger_span *s, struct slice *process)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool ok = true;
    decode__jaeger_span_reset(s);
    s->name = SLICE("");
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number == 5 && f.wire == CODEC_PB_VARINT)
            s->flags = (uint32_t)f.num;
        if (f.wire != CODEC_PB_BYTES)
            continue;
        switch (f.number) {
        case 1: s->bad_id |= !take_id(f.bytes, s->trace_id, 16); break;
        case 2: s->bad_id |= !take_id(f.bytes, s->span_id, 8); break;
        case 3: s->name = f.bytes; break;
        case 4: ok = take_reference(f.bytes, s); break;
        case 6: ok = take_time(f.bytes, &s->start_ns); break;
        case 7:
            ok = take_time(f.bytes, &s->duration_ns);
            s->duration_ns = s->duration_ns == UINT64_MAX ? 0 : s->duration_ns;
            break;
        case 8: ok = take_tag(f.bytes, &s->tags); break;
        case 9: ok = take_log(f.bytes, s); break;
        case 10: *process = f.bytes; break;
        default: break;
        }
    }
    return ok && !r.failed;
}

/* Spans in a row of one process share a resource. */
static bool take_batch(struct slice batch, struct buf *out)
{
    struct decode__jaeger_process process = {.service = SLICE("")};
    struct decode__jaeger_span span = {0};
    struct codec_pb_reader r = codec_pb_reader(batch);
    struct codec_pb_field f;
    struct slice shared = {NULL, 0}, last = {NULL, 0};
    size_t mark = 0;
    bool begun = false, ok = true;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            shared = f.bytes;
    }
    ok = !r.failed;
    r = codec_pb_reader(batch);
    while (ok && codec_pb_next(&r, &f)) {
        struct slice own = shared;
        if (f.number != 1 || f.wire != CODEC_PB_BYTES)
            continue;
        ok = take_span(f.bytes, &span, &own);
        if (ok && (!begun || !slice_eq(own, last))) {
            if (begun)
                codec_pb_end(out, mark);
            ok = take_process(own, &process);
            mark = decode__jaeger_begin_resource(&process, out);
            last = own;
            begun = true;
        }
        if (ok)
            decode__jaeger_put_span(&span, out);
    }
    if (begun)
        codec_pb_end(out, mark);
    vec_free(&process.tags);
    decode__jaeger_span_free(&span);
    return ok && !r.failed;
}

static int read_protobuf(struct slice body, struct buf *out, struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(body);
    struct codec_pb_field f;
    bool ok = true;
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            ok = take_batch(f.bytes, out);
    }
    return ok && !r.failed ? 0
                           : diag_set(diag, ERR_INVALID, "the batch is damaged before byte %zu",
                                      codec_pb_offset(&r, body));
}

int decode_jaeger_spans(enum decode_jaeger_encoding encoding, struct slice body, struct buf *out,
                        struct diag *diag)
{
    struct decode__thrift t = {.rest = body,
                               .compact = encoding == DECODE_JAEGER_BATCH_COMPACT ||
                                          encoding == DECODE_JAEGER_AGENT_COMPACT};
    size_t begin = out->len;
    int err = 0;
    if (encoding == DECODE_JAEGER_PROTOBUF)
        err = read_protobuf(body, out, diag);
    else if (encoding == DECODE_JAEGER_AGENT_BINARY || encoding == DECODE_JAEGER_AGENT_COMPACT)
        err = read_call(&t, out, diag);
    else
        read_batch(&t, out);
    if (!err && t.failed)
        err = diag_set(diag, ERR_INVALID, "the batch is damaged at byte %zu of %zu",
                       (size_t)(t.rest.ptr - body.ptr), body.len);
    if (err)
        out->len = begin;
    return err;
}
