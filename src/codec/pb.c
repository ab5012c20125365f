#include "codec/pb.h"

size_t codec_pb_begin(struct buf *b, uint32_t number)
{
    codec_pb_put_key(b, number, CODEC_PB_BYTES);
    (void)buf_reserve(b, 1);
    b->len++; /* most messages are short: one byte of length, moved when it takes more */
    return b->len;
}

void codec_pb_end(struct buf *b, size_t mark)
{
    size_t len = b->len - mark;
    char prefix[CODEC_VARINT_MAX];
    size_t n = (size_t)(codec_put_varint(prefix, len) - prefix);
    if (n > 1) {
        (void)buf_reserve(b, n - 1);
        memmove(b->ptr + mark + n - 1, b->ptr + mark, len);
        b->len += n - 1;
    }
    memcpy(b->ptr + mark - 1, prefix, n);
}
