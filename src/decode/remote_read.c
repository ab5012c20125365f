#include "decode/remote_read.h"

#include "codec/compress.h"
#include "codec/crc32c.h"
#include "codec/pb.h"
#include "data/histogram_prom.h"
#include "decode/prom_chunk.h"

enum { ANSWER_SAMPLES = 0, ANSWER_CHUNKS = 1 };

/* --- the request --- */

static int damaged(const struct codec_pb_reader *r, struct slice body, struct diag *diag)
{
    return diag_set(diag, ERR_INVALID, "remote read: the protobuf is damaged at byte %zu",
                    codec_pb_offset(r, body));
}

static int take_matcher(struct slice message, struct slice body, struct decode_read_matcher *out,
                        struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    uint64_t type = 0;
    *out = (struct decode_read_matcher){.name = SLICE(""), .value = SLICE("")};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            type = f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            out->name = f.bytes;
        else if (f.number == 3 && f.wire == CODEC_PB_BYTES)
            out->value = f.bytes;
    }
    if (r.failed)
        return damaged(&r, body, diag);
    if (type > DECODE_READ_NRE)
        return diag_set(diag, ERR_INVALID, "invalid matcher type");
    out->type = (enum decode_read_match)type;
    return 0;
}

static size_t count_fields(struct slice message, uint32_t number)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    size_t n = 0;
    while (codec_pb_next(&r, &f))
        n += f.number == number && f.wire == CODEC_PB_BYTES;
    return n;
}

static int take_query(struct slice message, struct slice body, struct arena *arena,
                      struct decode_read_query *out, struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int err = 0;
    out->matchers = ARENA_ARRAY(arena, struct decode_read_matcher, count_fields(message, 3) + 1);
    if (!out->matchers)
        return diag_set(diag, ERR_NOMEM, "the request is larger than limits.query.memory");
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            out->start_ms = (int64_t)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            out->end_ms = (int64_t)f.num;
        else if (f.number == 3 && f.wire == CODEC_PB_BYTES)
            err = take_matcher(f.bytes, body, &out->matchers[out->matcher_count++], diag);
        /* 4: hints; every sample in the range is returned anyway */
    }
    return err ? err : r.failed ? damaged(&r, body, diag) : 0;
}

/* One kind of answer the client takes; repeated enums come packed or one by one. */
static void take_answer(uint64_t kind, int *chosen, bool *any)
{
    *any = true;
    if (*chosen < 0 && (kind == ANSWER_SAMPLES || kind == ANSWER_CHUNKS))
        *chosen = (int)kind;
}

int decode_remote_read(struct slice body, size_t inflated_bytes_max, struct arena *arena,
                       struct decode_read_request *out, struct diag *diag)
{
    struct buf raw = {0};
    struct codec_pb_field f;
    int chosen = -1;
    bool any = false;
    *out = (struct decode_read_request){0};
    int err = codec_decompress(CODEC_SNAPPY, body, inflated_bytes_max, &raw, diag);
    struct slice message = err ? SLICE("") : arena_slice(arena, buf_slice(&raw));
    buf_deinit(&raw);
    if (err)
        return err;
    out->queries = message.ptr
                       ? ARENA_ARRAY(arena, struct decode_read_query, count_fields(message, 1) + 1)
                       : NULL;
    if (!out->queries)
        return diag_set(diag, ERR_NOMEM, "the request is larger than limits.query.memory");
    struct codec_pb_reader r = codec_pb_reader(message);
    while (!err && codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES) {
            err = take_query(f.bytes, message, arena, &out->queries[out->query_count++], diag);
        } else if (f.number == 2 && f.wire == CODEC_PB_VARINT) {
            take_answer(f.num, &chosen, &any);
        } else if (f.number == 2 && f.wire == CODEC_PB_BYTES) {
            uint64_t kind;
            while (f.bytes.len && codec_take_varint(&f.bytes, &kind))
                take_answer(kind, &chosen, &any);
            if (f.bytes.len)
                return damaged(&r, message, diag);
        }
    }
    if (!err && r.failed)
        err = damaged(&r, message, diag);
    if (!err && any && chosen < 0)
        err = diag_set(diag, ERR_INVALID,
                       "remote read: none of the response types asked for is known here; there "
                       "are SAMPLES and STREAMED_XOR_CHUNKS");
    out->streamed = chosen == ANSWER_CHUNKS;
    return err;
}

/* --- answers --- */

static int64_t to_ms(int64_t ts_ns)
{
    return ts_ns / NS_PER_MS - (ts_ns % NS_PER_MS < 0);
}

static void put_labels(struct data_labels labels, struct buf *out)
{
    for (size_t i = 0; i < labels.count; i++) {
        size_t mark = codec_pb_begin(out, 1);
        codec_pb_put_bytes(out, 1, labels.items[i].name);
        codec_pb_put_bytes(out, 2, labels.items[i].value);
        codec_pb_end(out, mark);
    }
}

size_t decode_read_begin_result(struct buf *out)
{
    return codec_pb_begin(out, 1);
}

void decode_read_end_result(size_t mark, struct buf *out)
{
    codec_pb_end(out, mark);
}

void decode_read_put_series(struct data_labels labels, const int64_t *ts_ns, const double *value,
                            const struct data_histogram *const *histogram, size_t count,
                            struct buf *out)
{
    size_t series = codec_pb_begin(out, 1);
    put_labels(labels, out);
    for (size_t i = 0; i < count; i++) {
        if (histogram && histogram[i])
            continue; /* field 4 comes behind all of field 2 */
        size_t mark = codec_pb_begin(out, 2);
        codec_pb_put_double_set(out, 1, value[i]);
        codec_pb_put_varint_set(out, 2, (uint64_t)to_ms(ts_ns[i]));
        codec_pb_end(out, mark);
    }
    for (size_t i = 0; histogram && i < count; i++) {
        if (histogram[i])
            data_histogram_put_prom(out, 4, histogram[i], to_ms(ts_ns[i]));
    }
    codec_pb_end(out, series);
}

/* --- frames --- */

struct frame {
    struct buf body; /* the ChunkedSeries */
    size_t chunks;
};

static void begin_frame(struct frame *f, struct data_labels labels)
{
    buf_clear(&f->body);
    put_labels(labels, &f->body);
    f->chunks = 0;
}

static void end_frame(struct frame *f, uint64_t query_index, struct buf *out)
{
    struct buf message = {0};
    if (!f->chunks)
        return;
    codec_pb_put_bytes(&message, 1, buf_slice(&f->body));
    codec_pb_put_varint_set(&message, 2, query_index);
    uint32_t crc = codec_crc32c(buf_slice(&message));
    codec_append_varint(out, message.len);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_append_char(out, (char)(crc >> shift));
    buf_append_slice(out, buf_slice(&message));
    buf_deinit(&message);
}

void decode_read_put_frames(struct data_labels labels, const int64_t *ts_ns, const double *value,
                            const struct data_histogram *const *histogram, size_t count,
                            uint64_t query_index, size_t frame_bytes_max, struct buf *out)
{
    struct frame f = {0};
    struct buf data = {0};
    begin_frame(&f, labels);
    for (size_t i = 0; i < count;) {
        enum decode_chunk_encoding encoding = DECODE_CHUNK_XOR;
        bool is_histogram = histogram && histogram[i];
        size_t n = 1;
        while (i + n < count && n < DECODE_CHUNK_SAMPLES &&
               is_histogram == (histogram && histogram[i + n]))
            n++;
        buf_clear(&data);
        if (is_histogram)
            n = decode_chunk_put_histograms(ts_ns + i, histogram + i, n,
                                            i ? histogram[i - 1] : NULL, &encoding, &data);
        else
            decode_chunk_put_floats(ts_ns + i, value + i, n, &data);
        size_t chunk = codec_pb_begin(&f.body, 2);
        codec_pb_put_varint_set(&f.body, 1, (uint64_t)to_ms(ts_ns[i]));
        codec_pb_put_varint_set(&f.body, 2, (uint64_t)to_ms(ts_ns[i + n - 1]));
        codec_pb_put_varint_set(&f.body, 3, encoding);
        codec_pb_put_bytes(&f.body, 4, buf_slice(&data));
        codec_pb_end(&f.body, chunk);
        f.chunks++;
        i += n;
        if (f.body.len >= frame_bytes_max) {
            end_frame(&f, query_index, out);
            begin_frame(&f, labels);
        }
    }
    end_frame(&f, query_index, out);
    buf_deinit(&f.body);
    buf_deinit(&data);
}
