#include "decode/gelf.h"

#include <limits.h>

#include "codec/bytes.h"
#include "codec/compress.h"
#include "codec/number.h"
#include "decode/timestamp.h"

static const enum data_event_level levels[8] = {
    DATA_LEVEL_FATAL, DATA_LEVEL_CRITICAL, DATA_LEVEL_CRITICAL, DATA_LEVEL_ERROR,
    DATA_LEVEL_WARN,  DATA_LEVEL_INFO,     DATA_LEVEL_INFO,     DATA_LEVEL_DEBUG};

int decode_gelf_chunk(struct slice s, struct decode_gelf_chunk *out)
{
    if (s.len < 2 || s.ptr[0] != 0x1e || s.ptr[1] != 0x0f)
        return ERR_NOT_FOUND;
    if (s.len < 12)
        return ERR_INVALID;
    out->id = codec_load64(s.ptr + 2);
    out->number = (unsigned char)s.ptr[10];
    out->count = (unsigned char)s.ptr[11];
    out->bytes = slice_from(s, 12);
    return out->count && out->number < out->count && out->count <= DECODE_GELF_CHUNKS_MAX
               ? 0
               : ERR_INVALID;
}

static int unpack(const struct decode_gelf *d, struct slice *message, struct data_event_batch *b,
                  struct diag *diag)
{
    struct slice s = *message;
    enum codec_compression kind = CODEC_IDENTITY;
    if (slice_starts_with(s, SLICE("\x1f\x8b")))
        kind = CODEC_GZIP;
    else if (slice_starts_with(s, SLICE("\x28\xb5\x2f\xfd")))
        kind = CODEC_ZSTD;
    else if (s.len > 2 && (s.ptr[0] & 15) == 8 &&
             (((unsigned char)s.ptr[0] << 8) | (unsigned char)s.ptr[1]) % 31 == 0)
        kind = CODEC_DEFLATE;
    if (kind == CODEC_IDENTITY)
        return 0;
    struct buf plain = {0};
    int err = codec_decompress(kind, s, d->unpacked_bytes_max, &plain, diag);
    if (!err)
        *message = data_event_batch_copy(b, buf_slice(&plain));
    buf_deinit(&plain);
    return err;
}

struct reading {
    struct slice host, facility, full;
    int64_t level; /* -1: none */
    bool has_short;
};

static void take_number(struct codec_json_reader *r, double *out)
{
    enum codec_json_kind kind;
    if (codec_json_peek(r, &kind) && (kind == CODEC_JSON_NUMBER || kind == CODEC_JSON_STRING))
        codec_json_read_double(r, out);
    else
        codec_json_skip(r);
}

static void take_text(struct codec_json_reader *r, struct slice *out)
{
    enum codec_json_kind kind;
    if (!codec_json_peek(r, &kind))
        return;
    if (kind == CODEC_JSON_STRING)
        codec_json_read_string(r, out);
    else if (kind == CODEC_JSON_NUMBER)
        codec_json_read_number_text(r, out);
    else
        codec_json_skip(r);
}

/* An additional field, which is text or a number; others are taken as JSON has them. */
static void take_field(struct decode_gelf *d, struct codec_json_reader *r, struct slice name)
{
    enum codec_json_kind kind;
    struct slice text;
    int64_t i;
    double v;
    bool b;
    if (name.len > 1 && name.ptr[0] == '_')
        name = slice_from(name, 1);
    if (!codec_json_peek(r, &kind))
        return;
    switch (kind) {
    case CODEC_JSON_STRING:
        if (codec_json_read_string(r, &text))
            decode_record_put(&d->record, name, data_value_string(text), text);
        break;
    case CODEC_JSON_NUMBER:
        if (!codec_json_read_number_text(r, &text))
            break;
        if (codec_text_to_int(text, &i))
            decode_record_put(&d->record, name, data_value_int(i), text);
        else if (codec_text_to_double(text, &v, NULL))
            decode_record_put(&d->record, name, data_value_double(v), text);
        break;
    case CODEC_JSON_BOOL:
        if (codec_json_read_bool(r, &b))
            decode_record_put(&d->record, name, data_value_bool(b), SLICE(""));
        break;
    case CODEC_JSON_OBJECT: decode_record_json(&d->record, r, name); break;
    case CODEC_JSON_ARRAY:
        if (codec_json_read_raw(r, &text))
            decode_record_put(&d->record, name, data_value_json(text), text);
        break;
    case CODEC_JSON_NULL: codec_json_skip(r); break;
    }
}

int decode_gelf_message(struct decode_gelf *d, struct slice message, struct data_event_batch *batch,
                        struct diag *diag)
{
    struct reading x = {.level = -1};
    struct slice key, line = {NULL, 0};
    double number;
    int err = unpack(d, &message, batch, diag);
    if (err)
        return err;
    message = slice_trim(message);
    struct codec_json_reader r = codec_json_reader(message, batch->arena, diag);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    d->record.times = DECODE_RECORD_TIME_NONE;
    decode_record_begin(&d->record, batch, d->now_ns);
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &key)) {
        if (slice_eq_cstr(key, "short_message")) {
            take_text(&r, &line);
        } else if (slice_eq_cstr(key, "full_message")) {
            take_text(&r, &x.full);
        } else if (slice_eq_cstr(key, "host")) {
            take_text(&r, &x.host);
        } else if (slice_eq_cstr(key, "facility")) {
            take_text(&r, &x.facility);
        } else if (slice_eq_cstr(key, "timestamp")) {
            number = 0;
            take_number(&r, &number);
            decode_timestamp_of_number(number, 0, &d->record.ts_ns);
        } else if (slice_eq_cstr(key, "level")) {
            number = -1;
            take_number(&r, &number);
            x.level = number >= 0 && number <= 7 ? (int64_t)number : -1;
        } else if (!slice_eq_cstr(key, "version")) {
            take_field(d, &r, key);
        }
    }
    if ((err = codec_json_read_end(&r)))
        return err;
    if (!line.ptr && !x.full.ptr && !d->record.line.ptr)
        return diag_set(diag, ERR_INVALID, "it has no short_message");
    if (line.ptr || x.full.ptr)
        d->record.line = line.ptr ? line : x.full;
    if (x.level >= 0) {
        d->record.level = levels[x.level];
        d->record.level_rank = 0;
    }
    if (x.full.len && line.ptr && !slice_eq(x.full, line))
        decode_record_keep(&d->record, SLICE("full_message"), data_value_string(x.full));
    if (x.facility.len)
        decode_record_keep(&d->record, SLICE("facility"), data_value_string(x.facility));
    if (x.host.len)
        data_labels_builder_set(&d->record.labels, SLICE("host_name"), x.host);
    decode_record_end(&d->record, SLICE(""),
                      x.facility.len ? x.facility : SLICE("unknown_service"));
    return 0;
}

void decode_gelf_deinit(struct decode_gelf *d)
{
    decode_record_deinit(&d->record);
}
