/* MessagePack and pickle (protocol 2), as far as answers need them. */
#include <math.h>

#include "api/graphite/door_priv.h"
#include "codec/bytes.h"

static void big(struct buf *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;)
        buf_append_char(out, (char)(v >> 8 * i));
}

static void little(struct buf *out, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_append_char(out, (char)(v >> 8 * i));
}

static void byte(struct buf *out, unsigned v)
{
    buf_append_char(out, (char)v);
}

void graphite_api__pack_begin(enum graphite_api__pack p, struct buf *out)
{
    if (p == GRAPHITE_API__PICKLE)
        buf_append(out, "\x80\x02", 2);
}

void graphite_api__pack_end(enum graphite_api__pack p, struct buf *out)
{
    if (p == GRAPHITE_API__PICKLE)
        buf_append_char(out, '.');
}

void graphite_api__pack_list(enum graphite_api__pack p, struct buf *out, size_t count)
{
    if (p == GRAPHITE_API__PICKLE) {
        buf_append(out, "](", 2);
    } else if (count < 16) {
        byte(out, 0x90 | (unsigned)count);
    } else {
        byte(out, 0xdd);
        big(out, count, 4);
    }
}

void graphite_api__pack_list_end(enum graphite_api__pack p, struct buf *out)
{
    if (p == GRAPHITE_API__PICKLE)
        buf_append_char(out, 'e');
}

void graphite_api__pack_map(enum graphite_api__pack p, struct buf *out, size_t count)
{
    if (p == GRAPHITE_API__PICKLE)
        buf_append(out, "}(", 2);
    else
        byte(out, 0x80 | (unsigned)count);
}

void graphite_api__pack_map_end(enum graphite_api__pack p, struct buf *out)
{
    if (p == GRAPHITE_API__PICKLE)
        buf_append_char(out, 'u');
}

void graphite_api__pack_text(enum graphite_api__pack p, struct buf *out, struct slice s)
{
    if (p == GRAPHITE_API__PICKLE) {
        buf_append_char(out, 'X');
        little(out, s.len, 4);
    } else if (s.len < 32) {
        byte(out, 0xa0 | (unsigned)s.len);
    } else {
        byte(out, 0xdb);
        big(out, s.len, 4);
    }
    buf_append_slice(out, s);
}

void graphite_api__pack_int(enum graphite_api__pack p, struct buf *out, int64_t v)
{
    if (p == GRAPHITE_API__PICKLE) {
        byte(out, 0x8a);
        byte(out, 8);
        little(out, (uint64_t)v, 8);
    } else {
        byte(out, 0xd3);
        big(out, (uint64_t)v, 8);
    }
}

void graphite_api__pack_double(enum graphite_api__pack p, struct buf *out, double v)
{
    if (isnan(v)) {
        byte(out, p == GRAPHITE_API__PICKLE ? 'N' : 0xc0);
        return;
    }
    byte(out, p == GRAPHITE_API__PICKLE ? 'G' : 0xcb);
    big(out, codec_double_bits(v), 8);
}

void graphite_api__pack_bool(enum graphite_api__pack p, struct buf *out, bool v)
{
    if (p == GRAPHITE_API__PICKLE)
        byte(out, v ? 0x88 : 0x89);
    else
        byte(out, v ? 0xc3 : 0xc2);
}
