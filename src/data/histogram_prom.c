#include "data/histogram_prom.h"

#include "codec/pb.h"

/* spans = number, deltas = number + 1, counts = number + 2 */
static void put_side(uint32_t number, bool integer, const struct data_histogram_span *spans,
                     uint32_t span_count, const double *counts, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < span_count; i++) {
        size_t mark = codec_pb_begin(out, number);
        codec_pb_put_varint_set(out, 1, codec_zigzag(spans[i].offset));
        codec_pb_put_varint_set(out, 2, spans[i].length);
        codec_pb_end(out, mark);
    }
    if (!count)
        return;
    size_t mark = codec_pb_begin(out, integer ? number + 1 : number + 2);
    int64_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (integer) {
            codec_append_varint(out, codec_zigzag((int64_t)counts[i] - last));
            last = (int64_t)counts[i];
        } else {
            codec_append64(out, codec_double_bits(counts[i]));
        }
    }
    codec_pb_end(out, mark);
}

void data_histogram_put_prom(struct buf *out, uint32_t number, const struct data_histogram *h,
                             int64_t ts_ms)
{
    static const uint8_t hints[] = {[DATA_RESET_UNKNOWN] = 0,
                                    [DATA_RESET_YES] = 1,
                                    [DATA_RESET_NO] = 2,
                                    [DATA_RESET_GAUGE] = 3};
    size_t mark = codec_pb_begin(out, number);
    if (h->is_integer)
        codec_pb_put_varint(out, 1, (uint64_t)h->count);
    else
        codec_pb_put_double(out, 2, h->count);
    codec_pb_put_double_set(out, 3, h->sum);
    codec_pb_put_varint_set(out, 4, codec_zigzag(h->schema));
    codec_pb_put_double_set(out, 5, h->zero_threshold);
    if (h->is_integer)
        codec_pb_put_varint(out, 6, (uint64_t)h->zero_count);
    else
        codec_pb_put_double(out, 7, h->zero_count);
    put_side(8, h->is_integer, h->negative_spans, h->negative_span_count, h->negative,
             h->negative_count, out);
    put_side(11, h->is_integer, h->positive_spans, h->positive_span_count, h->positive,
             h->positive_count, out);
    codec_pb_put_varint_set(out, 14, hints[h->reset_hint & 3]);
    codec_pb_put_varint_set(out, 15, (uint64_t)ts_ms);
    if (h->custom_bound_count) {
        size_t bounds = codec_pb_begin(out, 16);
        for (uint32_t i = 0; i < h->custom_bound_count; i++)
            codec_append64(out, codec_double_bits(h->custom_bounds[i]));
        codec_pb_end(out, bounds);
    }
    codec_pb_end(out, mark);
}
