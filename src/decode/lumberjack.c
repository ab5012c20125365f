#include "decode/lumberjack.h"

#include "codec/compress.h"

static uint32_t u32(const char *p)
{
    return (uint32_t)(unsigned char)p[0] << 24 | (uint32_t)(unsigned char)p[1] << 16 |
           (uint32_t)(unsigned char)p[2] << 8 | (unsigned char)p[3];
}

static struct slice fallback_service(struct codec_json_reader *r)
{
    struct codec_json_reader again = *r;
    struct slice key, name = {NULL, 0};
    again.diag = NULL;
    codec_json_read_object(&again);
    while (codec_json_next_key(&again, &key)) {
        if (!slice_eq_cstr(key, "@metadata"))
            continue;
        codec_json_read_object(&again);
        while (codec_json_next_key(&again, &key)) {
            if (slice_eq_cstr(key, "beat"))
                codec_json_read_string(&again, &name);
        }
        break;
    }
    return name.len ? name : SLICE("unknown_service");
}

static void take_json(struct decode_lumberjack *d, struct slice json, struct data_event_batch *b)
{
    struct codec_json_reader r = codec_json_reader(json, b->arena, NULL);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    struct slice service = fallback_service(&r);
    d->record.times = DECODE_RECORD_TIME_ANY;
    decode_record_begin(&d->record, b, d->now_ns);
    decode_record_json(&d->record, &r, SLICE(""));
    if (codec_json_read_end(&r)) {
        d->refused++;
        return;
    }
    decode_record_end(&d->record, slice_trim(json), service);
    d->rows++;
}

/* Version 1: counted pairs of counted texts. False: they are cut off. */
static bool pairs_length(struct slice s, size_t *out)
{
    size_t at = 4;
    if (s.len < 4)
        return false;
    for (uint64_t left = 2 * (uint64_t)u32(s.ptr); left; left--) {
        if (s.len - at < 4 || s.len - at - 4 < u32(s.ptr + at))
            return false;
        at += 4 + u32(s.ptr + at);
    }
    *out = at;
    return true;
}

static void take_pairs(struct decode_lumberjack *d, struct slice s, struct data_event_batch *b)
{
    size_t at = 4;
    struct slice text[2];
    d->record.times = DECODE_RECORD_TIME_ANY;
    decode_record_begin(&d->record, b, d->now_ns);
    for (uint32_t left = u32(s.ptr); left; left--) {
        for (int i = 0; i < 2; i++) {
            text[i] = slice_make(s.ptr + at + 4, u32(s.ptr + at));
            at += 4 + text[i].len;
        }
        if (!slice_eq_cstr(text[0], "line") || d->record.line.ptr)
            decode_record_put(&d->record, text[0], data_value_string(text[1]), text[1]);
        else
            d->record.line = text[1];
    }
    decode_record_end(&d->record, SLICE(""), SLICE("unknown_service"));
    d->rows++;
}

static int take_compressed(struct decode_lumberjack *d, struct slice packed,
                           struct data_event_batch *b, bool *out_full, struct diag *diag)
{
    struct buf plain = {0};
    int err = codec_decompress(CODEC_DEFLATE, packed, d->unpacked_bytes_max, &plain, diag);
    struct slice rest = data_event_batch_copy(b, buf_slice(&plain));
    buf_deinit(&plain);
    while (!err && rest.len) {
        size_t taken;
        bool full = false;
        if (rest.len > 1 && rest.ptr[1] == 'C')
            return diag_set(diag, ERR_INVALID, "a compressed frame within another");
        err = decode_lumberjack_frame(d, rest, b, &taken, &full, diag);
        if (err == ERR_AGAIN)
            return diag_set(diag, ERR_INVALID, "a compressed frame ends within an event");
        *out_full |= full;
        if (!err)
            rest = slice_from(rest, taken);
    }
    return err;
}

static void count_event(struct decode_lumberjack *d, uint32_t sequence, bool *out_full)
{
    d->sequence = sequence;
    d->pending++;
    if (d->window && d->pending >= d->window) {
        *out_full = true;
        d->pending = 0;
    }
}

int decode_lumberjack_frame(struct decode_lumberjack *d, struct slice s,
                            struct data_event_batch *batch, size_t *out_taken, bool *out_full,
                            struct diag *diag)
{
    size_t len;
    *out_full = false;
    if (s.len < 2)
        return ERR_AGAIN;
    if (s.ptr[0] != '1' && s.ptr[0] != '2')
        return diag_set(diag, ERR_INVALID, "version 1 or 2 of Lumberjack is expected, not byte %d",
                        (unsigned char)s.ptr[0]);
    d->version = s.ptr[0];
    switch (s.ptr[1]) {
    case 'W':
        if (s.len < 6)
            return ERR_AGAIN;
        d->window = u32(s.ptr + 2);
        d->pending = 0;
        *out_taken = 6;
        return 0;
    case 'J':
        if (s.len < 10)
            return ERR_AGAIN;
        len = u32(s.ptr + 6);
        if (len > d->event_bytes_max)
            return diag_set(diag, ERR_TOO_LARGE, "an event of %zu bytes; at most %zu are taken",
                            len, d->event_bytes_max);
        if (s.len - 10 < len)
            return ERR_AGAIN;
        take_json(d, slice_make(s.ptr + 10, len), batch);
        *out_taken = 10 + len;
        count_event(d, u32(s.ptr + 2), out_full);
        return 0;
    case 'D':
        if (s.len < 10 || !pairs_length(slice_from(s, 6), &len))
            return ERR_AGAIN;
        take_pairs(d, slice_from(s, 6), batch);
        *out_taken = 6 + len;
        count_event(d, u32(s.ptr + 2), out_full);
        return 0;
    case 'C':
        if (s.len < 6)
            return ERR_AGAIN;
        len = u32(s.ptr + 2);
        if (len > d->unpacked_bytes_max)
            return diag_set(diag, ERR_TOO_LARGE,
                            "a compressed frame of %zu bytes; at most %zu are taken", len,
                            d->unpacked_bytes_max);
        if (s.len - 6 < len)
            return ERR_AGAIN;
        *out_taken = 6 + len;
        return take_compressed(d, slice_make(s.ptr + 6, len), batch, out_full, diag);
    default:
        return diag_set(diag, ERR_INVALID, "there is no frame of type %d", (unsigned char)s.ptr[1]);
    }
}

void decode_lumberjack_deinit(struct decode_lumberjack *d)
{
    decode_record_deinit(&d->record);
}
