/* Graphite's two forms (carbon's line and pickle receivers), and the console.
 *
 * Line: "path[;tag=value...] value seconds\n". Pickle: a frame of four bytes of length, then a list
 * of (path, (seconds, value)) in protocol 2. */
#include <math.h>

#include "codec/bytes.h"
#include "output/output_priv.h"

/* White space would end the path, ';' begins a tag. */
static void put_clean(struct slice s, bool in_tag, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool bad = c <= ' ' || c == 0x7f || (in_tag && (c == ';' || (c == '~' && !i)));
        buf_append_char(out, bad ? '_' : (char)c);
    }
}

static void put_path(const struct output__row *row, struct buf *out)
{
    put_clean(row->name, true, out);
    for (size_t i = 0; i < row->labels.count; i++) {
        struct data_label l = row->labels.items[i];
        if (slice_eq(l.name, SLICE(DATA_METRIC_NAME)))
            continue;
        buf_append_char(out, ';');
        put_clean(l.name, true, out);
        buf_append_char(out, '=');
        put_clean(l.value, true, out);
    }
}

static bool put_line(void *state, const struct output__row *row, struct buf *out)
{
    (void)state;
    if (!isfinite(row->value))
        return false;
    put_path(row, out);
    buf_append_char(out, ' ');
    codec_append_double(out, row->value, CODEC_DOUBLE_PLAIN);
    buf_append_char(out, ' ');
    codec_append_int(out, row->ts_ns / NS_PER_SEC);
    buf_append_char(out, '\n');
    return true;
}

static bool put_tuple(void *state, const struct output__row *row, struct buf *out)
{
    struct buf *path = state;
    if (!isfinite(row->value))
        return false;
    buf_clear(path);
    put_path(row, path);
    buf_append_char(out, 'X'); /* BINUNICODE */
    codec_append32(out, (uint32_t)path->len);
    buf_append_slice(out, buf_slice(path));
    buf_append(out, "\x8a\x08", 2); /* LONG1 of eight bytes */
    codec_append64(out, (uint64_t)(row->ts_ns / NS_PER_SEC));
    buf_append_char(out, 'G'); /* BINFLOAT, big-endian */
    uint64_t bits = codec_double_bits(row->value);
    for (int shift = 56; shift >= 0; shift -= 8)
        buf_append_char(out, (char)(bits >> shift));
    buf_append(out, "\x86\x86", 2); /* TUPLE2 twice */
    return true;
}

static void *pickle_new(const struct output__settings *settings)
{
    (void)settings;
    return mem_calloc(1, sizeof(struct buf));
}

static void pickle_free(void *state)
{
    buf_deinit(state);
    mem_free(state);
}

static void pickle_begin(void *state, struct buf *out)
{
    (void)state;
    buf_append(out, "\0\0\0\0\x80\x02](", 8); /* length, PROTO 2, EMPTY_LIST, MARK */
}

static void pickle_end(void *state, struct buf *out)
{
    (void)state;
    buf_append(out, "e.", 2); /* APPENDS, STOP */
    uint32_t n = (uint32_t)(out->len - 4);
    for (int i = 0; i < 4; i++)
        out->ptr[i] = (char)(n >> (24 - 8 * i));
}

static bool put_shown(void *state, const struct output__row *row, struct buf *out)
{
    (void)state;
    data_labels_print(row->labels, out);
    buf_append_char(out, ' ');
    codec_append_double(out, row->value, CODEC_DOUBLE_PLAIN);
    buf_append_char(out, ' ');
    codec_append_int(out, row->ts_ns / NS_PER_MS);
    buf_append_char(out, '\n');
    return true;
}

const struct output__format output__graphite = {.row = put_line, .lines = true};
const struct output__format output__pickle = {.create = pickle_new,
                                              .destroy = pickle_free,
                                              .bytes_max = 512 << 10, /* carbon takes 1 MiB */
                                              .begin = pickle_begin,
                                              .row = put_tuple,
                                              .end = pickle_end};
const struct output__format output__console = {.row = put_shown, .lines = true};
