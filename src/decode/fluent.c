#include "decode/fluent.h"

#include <stdio.h>

#include "codec/compress.h"
#include "codec/json_write.h"
#include "codec/msgpack.h"
#include "codec/utf8.h"
#include "decode/timestamp.h"

#define DEPTH_MAX 16
#define EXT_TIME  0

/* Valid UTF-8 that lives as long as the batch. */
static struct slice clean(struct data_event_batch *b, struct slice s)
{
    if (codec_utf8_valid(s))
        return s;
    struct buf out = {0};
    codec_utf8_repair(s, &out);
    s = data_event_batch_copy(b, buf_slice(&out));
    buf_deinit(&out);
    return s;
}

static int put_key(struct slice *in, struct codec_json_writer *w)
{
    struct codec_msgpack key;
    char number[24];
    int err = codec_msgpack_take(in, &key);
    if (err)
        return err;
    if (key.kind == CODEC_MSGPACK_INT)
        codec_json_key(w, slice_make(number, (size_t)snprintf(number, sizeof(number), "%lld",
                                                              (long long)key.i)));
    else if (key.kind == CODEC_MSGPACK_STRING || key.kind == CODEC_MSGPACK_BINARY)
        codec_json_key(w, key.text);
    else
        return ERR_INVALID;
    return 0;
}

/* A value as JSON. */
static int to_json(struct slice *in, struct codec_json_writer *w, unsigned depth)
{
    struct codec_msgpack v;
    int err = codec_msgpack_take(in, &v);
    if (err)
        return err;
    switch (v.kind) {
    case CODEC_MSGPACK_NIL: codec_json_null(w); break;
    case CODEC_MSGPACK_BOOL: codec_json_bool(w, v.boolean); break;
    case CODEC_MSGPACK_INT: codec_json_int(w, v.i); break;
    case CODEC_MSGPACK_UINT: codec_json_double(w, (double)v.u); break;
    case CODEC_MSGPACK_DOUBLE: codec_json_double(w, v.d); break;
    case CODEC_MSGPACK_STRING:
    case CODEC_MSGPACK_BINARY:
    case CODEC_MSGPACK_EXT: codec_json_string(w, v.text); break;
    case CODEC_MSGPACK_ARRAY:
        if (depth >= DEPTH_MAX)
            return ERR_INVALID;
        codec_json_begin_array(w);
        for (uint32_t i = 0; i < v.count; i++) {
            if ((err = to_json(in, w, depth + 1)))
                return err;
        }
        codec_json_end_array(w);
        break;
    case CODEC_MSGPACK_MAP:
        if (depth >= DEPTH_MAX)
            return ERR_INVALID;
        codec_json_begin_object(w);
        for (uint32_t i = 0; i < v.count; i++) {
            if ((err = put_key(in, w)) || (err = to_json(in, w, depth + 1)))
                return err; /* the writer is of no more use */
        }
        codec_json_end_object(w);
        break;
    }
    return err;
}

static int put_map(struct decode_fluent *d, struct slice *in, uint32_t count, struct buf *path,
                   unsigned depth);

static int put_value(struct decode_fluent *d, struct slice *in, struct buf *path, unsigned depth)
{
    struct data_event_batch *b = d->record.batch;
    struct slice before = *in, name = buf_slice(path), text;
    struct codec_msgpack v;
    int err = codec_msgpack_take(in, &v);
    if (err)
        return err;
    switch (v.kind) {
    case CODEC_MSGPACK_NIL: break;
    case CODEC_MSGPACK_BOOL:
        decode_record_put(&d->record, name, data_value_bool(v.boolean), SLICE(""));
        break;
    case CODEC_MSGPACK_INT:
        decode_record_put(&d->record, name, data_value_int(v.i), SLICE(""));
        break;
    case CODEC_MSGPACK_UINT:
        decode_record_put(&d->record, name, data_value_double((double)v.u), SLICE(""));
        break;
    case CODEC_MSGPACK_DOUBLE:
        decode_record_put(&d->record, name, data_value_double(v.d), SLICE(""));
        break;
    case CODEC_MSGPACK_STRING:
    case CODEC_MSGPACK_BINARY: /* Ruby sends text as such, too */
        text = clean(b, v.text);
        decode_record_put(&d->record, name, data_value_string(text), text);
        break;
    case CODEC_MSGPACK_EXT: break;
    case CODEC_MSGPACK_ARRAY: {
        struct buf out = {0};
        struct codec_json_writer w;
        codec_json_init(&w, &out);
        *in = before;
        if (!(err = to_json(in, &w, depth))) {
            text = data_event_batch_copy(b, buf_slice(&out));
            decode_record_put(&d->record, name, data_value_json(text), text);
        }
        buf_deinit(&out);
        break;
    }
    case CODEC_MSGPACK_MAP:
        err = depth >= DEPTH_MAX ? ERR_INVALID : put_map(d, in, v.count, path, depth + 1);
        break;
    }
    return err;
}

static int put_map(struct decode_fluent *d, struct slice *in, uint32_t count, struct buf *path,
                   unsigned depth)
{
    size_t at = path->len;
    struct codec_msgpack key;
    int err = 0;
    for (uint32_t i = 0; i < count && !err; i++) {
        if ((err = codec_msgpack_take(in, &key)))
            break;
        path->len = at;
        if (at)
            buf_append_char(path, '.');
        if (key.kind == CODEC_MSGPACK_STRING || key.kind == CODEC_MSGPACK_BINARY)
            codec_utf8_repair(key.text, path);
        else if (key.kind == CODEC_MSGPACK_INT)
            buf_printf(path, "%lld", (long long)key.i);
        else
            return ERR_INVALID;
        err = put_value(d, in, path, depth);
    }
    path->len = at;
    return err;
}

static int read_time(struct decode_fluent *d, const struct codec_msgpack *v, int64_t *out_ns)
{
    if (v->kind == CODEC_MSGPACK_INT && v->i > 0)
        return __builtin_mul_overflow(v->i, NS_PER_SEC, out_ns) ? ERR_INVALID : 0;
    if (v->kind == CODEC_MSGPACK_DOUBLE && v->d > 0 && v->d < 9e9) {
        *out_ns = (int64_t)(v->d * 1e9);
        return 0;
    }
    if (v->kind == CODEC_MSGPACK_EXT && v->ext == EXT_TIME && v->text.len == 8) {
        uint64_t seconds = 0, ns = 0;
        for (size_t i = 0; i < 4; i++) {
            seconds = seconds << 8 | (unsigned char)v->text.ptr[i];
            ns = ns << 8 | (unsigned char)v->text.ptr[i + 4];
        }
        *out_ns = (int64_t)(seconds * (uint64_t)NS_PER_SEC + ns);
        return 0;
    }
    *out_ns = d->now_ns; /* 0 and nil: not known */
    return v->kind == CODEC_MSGPACK_NIL || v->kind == CODEC_MSGPACK_INT ? 0 : ERR_INVALID;
}

/* The time stands next, then the record. Fluent Bit's second form has [time, metadata] in its
 * place. */
static int take_event(struct decode_fluent *d, struct slice *in, struct slice tag,
                      struct data_event_batch *b)
{
    struct codec_msgpack v;
    struct buf path = {0};
    int64_t ts_ns = 0;
    int err = codec_msgpack_take(in, &v);
    if (!err && v.kind == CODEC_MSGPACK_ARRAY && v.count == 2) {
        err = codec_msgpack_take(in, &v);
        if (!err)
            err = codec_msgpack_skip(in);
    }
    if (!err)
        err = read_time(d, &v, &ts_ns);
    if (!err)
        err = codec_msgpack_take(in, &v);
    if (!err && v.kind != CODEC_MSGPACK_MAP)
        err = ERR_INVALID;
    if (err)
        return err;
    struct slice record = *in;
    d->record.times = DECODE_RECORD_TIME_NONE;
    decode_record_begin(&d->record, b, ts_ns);
    err = put_map(d, in, v.count, &path, 0);
    buf_deinit(&path);
    if (err)
        return err;
    struct slice line = SLICE("");
    if (!d->record.line.ptr) { /* a record without a line is its own */
        struct buf out = {0};
        struct codec_json_writer w;
        struct slice again = record;
        codec_json_init(&w, &out);
        codec_json_begin_object(&w);
        for (uint32_t i = 0; i < v.count && !err; i++) {
            if (!(err = put_key(&again, &w)))
                err = to_json(&again, &w, 1);
        }
        if (!err)
            codec_json_end_object(&w);
        line = data_event_batch_copy(b, buf_slice(&out));
        buf_deinit(&out);
        if (err)
            return err;
    }
    data_labels_builder_set(&d->record.labels, SLICE("fluent_tag"), tag);
    decode_record_end(&d->record, line, tag.len ? tag : SLICE("unknown_service"));
    d->rows++;
    return 0;
}

/* Events one after the other, each an array of two. */
static int take_entries(struct decode_fluent *d, struct slice *in, uint32_t count, bool counted,
                        struct slice tag, struct data_event_batch *b)
{
    struct codec_msgpack v;
    int err = 0;
    for (uint32_t i = 0; !err && (counted ? i < count : in->len > 0); i++) {
        err = codec_msgpack_take(in, &v);
        if (!err && (v.kind != CODEC_MSGPACK_ARRAY || v.count != 2))
            err = ERR_INVALID;
        if (!err)
            err = take_event(d, in, tag, b);
    }
    return err;
}

static int read_option(struct decode_fluent *d, struct slice in, bool *compressed)
{
    struct codec_msgpack map, key, v;
    int err = codec_msgpack_take(&in, &map);
    if (err || map.kind == CODEC_MSGPACK_NIL)
        return err;
    if (map.kind != CODEC_MSGPACK_MAP)
        return ERR_INVALID;
    for (uint32_t i = 0; i < map.count && !err; i++) {
        struct slice before;
        if ((err = codec_msgpack_take(&in, &key)))
            break;
        before = in;
        err = codec_msgpack_skip(&in);
        if (err || codec_msgpack_take(&before, &v))
            break;
        if (slice_eq_cstr(key.text, "chunk") && v.text.ptr)
            d->chunk = v.text;
        else if (slice_eq_cstr(key.text, "compressed"))
            *compressed = slice_eq_cstr(v.text, "gzip");
    }
    return err;
}

int decode_fluent_message(struct decode_fluent *d, struct slice message, struct data_event_batch *b,
                          struct diag *diag)
{
    struct slice in = message, rest, option;
    struct codec_msgpack v, second;
    bool compressed = false;
    d->chunk = (struct slice){NULL, 0};
    d->rows = 0;
    int err = codec_msgpack_take(&in, &v);
    if (err || v.kind != CODEC_MSGPACK_ARRAY || v.count < 2 || v.count > 4)
        return diag_set(diag, ERR_INVALID, "a message is an array of a tag and events");
    uint32_t count = v.count;
    if ((err = codec_msgpack_take(&in, &v)) ||
        (v.kind != CODEC_MSGPACK_STRING && v.kind != CODEC_MSGPACK_BINARY))
        return diag_set(diag, ERR_INVALID, "its first item is no tag");
    struct slice tag = clean(b, v.text);
    rest = in;
    if (codec_msgpack_take(&in, &second))
        return diag_set(diag, ERR_INVALID, "it is cut off");
    bool forward = second.kind == CODEC_MSGPACK_ARRAY,
         packed = second.kind == CODEC_MSGPACK_BINARY || second.kind == CODEC_MSGPACK_STRING;
    /* The option stands behind the entries, or behind time and record. */
    option = rest;
    err = codec_msgpack_skip(&option);
    if (!err && !forward && !packed)
        err = codec_msgpack_skip(&option);
    if (!err && count > (forward || packed ? 2u : 3u))
        err = read_option(d, option, &compressed);
    if (err)
        return diag_set(diag, ERR_INVALID, "its option is no map");
    if (forward) {
        err = take_entries(d, &in, second.count, true, tag, b);
    } else if (packed) {
        struct slice entries = second.text;
        if (compressed) {
            struct buf plain = {0};
            struct diag why;
            diag_init(&why);
            err = codec_decompress(CODEC_GZIP, entries, d->unpacked_bytes_max, &plain, &why);
            entries = data_event_batch_copy(b, buf_slice(&plain));
            buf_deinit(&plain);
            if (err)
                return diag_set(diag, ERR_INVALID, "its compressed entries: %s", why.msg);
        }
        err = take_entries(d, &entries, 0, false, tag, b);
    } else if (count >= 3) {
        in = rest;
        err = take_event(d, &in, tag, b);
    } else {
        err = ERR_INVALID;
    }
    return err ? diag_set(diag, ERR_INVALID, "an event is no time with a map behind it") : 0;
}

void decode_fluent_deinit(struct decode_fluent *d)
{
    decode_record_deinit(&d->record);
}
