#include "decode/remote_write.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "codec/compress.h"
#include "codec/utf8.h"
#include "decode/remote_write_priv.h"

#define INFLATED_BYTES_DEFAULT ((size_t)256 << 20)
#define PROTO_V1               "prometheus.WriteRequest"
#define PROTO_V2               "io.prometheus.write.v2.Request"

const char *decode_write_refusal_name(enum decode_write_refusal reason)
{
    static const char *const names[DECODE_WRITE_REFUSED_COUNT] = {
        "missing_name",      "invalid_label", "duplicate_label", "invalid_reference",
        "invalid_histogram", "mixed_series",  "empty_series",    "invalid_timestamp"};
    base_assert(reason < DECODE_WRITE_REFUSED_COUNT);
    return names[reason];
}

/* --- shared by both versions --- */

void decode__write_walk_deinit(struct decode__write_walk *w)
{
    vec_free(&w->labels);
    vec_free(&w->exemplar_labels);
    for (int i = 0; i < 2; i++) {
        vec_free(&w->spans[i]);
        vec_free(&w->deltas[i]);
        vec_free(&w->counts[i]);
    }
    vec_free(&w->bounds);
}

void decode__write_refuse(struct decode__write_walk *w, enum decode_write_refusal reason,
                          const char *fmt, ...)
{
    w->out->refused[reason]++;
    if (w->out->first_refusal.code)
        return;
    char why[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    struct buf text = {0};
    data_labels_print((struct data_labels){w->labels.items, w->labels.len}, &text);
    diag_set(&w->out->first_refusal, ERR_INVALID, "%s: series %.*s", why,
             SLICE_FMT(slice_first(buf_slice(&text), 600)));
    buf_deinit(&text);
}

int decode__write_damaged(const struct decode__write_walk *w, const struct codec_pb_reader *r,
                          const char *what, struct diag *diag)
{
    size_t at = codec_pb_offset(r, w->body);
    return diag_set_range(diag, ERR_INVALID, at, at,
                          "remote write: damaged protobuf in %s at byte %zu of %zu", what, at,
                          w->body.len);
}

int decode__write_wrong_wire(const struct decode__write_walk *w, const struct codec_pb_reader *r,
                             const char *what, const struct codec_pb_field *f, struct diag *diag)
{
    size_t at = codec_pb_offset(r, w->body);
    return diag_set_range(diag, ERR_INVALID, at, at,
                          "remote write: field %u of %s has wire type %d before byte %zu",
                          f->number, what, (int)f->wire, at);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct data_label *)a)->name, ((const struct data_label *)b)->name);
}

bool decode__write_exemplar_labels(struct decode__write_walk *w, bool known_utf8,
                                   const char **out_why, struct data_labels *out)
{
    struct data_label *items = w->exemplar_labels.items;
    size_t kept = 0;
    for (size_t i = 0; i < w->exemplar_labels.len; i++) {
        struct data_label l = items[i];
        *out_why = !l.name.len ? "an exemplar's label has an empty name"
                   : !known_utf8 && (!codec_utf8_valid(l.name) || !codec_utf8_valid(l.value))
                       ? "an exemplar's labels are not valid UTF-8"
                       : NULL;
        if (*out_why)
            return false;
        if (l.value.len)
            items[kept++] = l;
    }
    if (kept)
        qsort(items, kept, sizeof(*items), by_name);
    for (size_t i = 1; i < kept; i++) {
        if (slice_eq(items[i - 1].name, items[i].name)) {
            *out_why = "an exemplar's label is given twice";
            return false;
        }
    }
    *out = (struct data_labels){items, kept};
    return true;
}

/* The first eight bytes as a number that sorts like them; shorter names are filled with zeros.
 * `end` is the end of readable memory. */
static inline uint64_t name_rank(struct slice name, const char *end)
{
    uint64_t v = 0;
    if (BASE_LIKELY(end - name.ptr >= 8)) {
        v = __builtin_bswap64(codec_load64(name.ptr));
        return name.len >= 8 ? v : v & ~(~UINT64_C(0) >> (8 * name.len));
    }
    memcpy(&v, name.ptr, MIN(name.len, (size_t)8));
    return __builtin_bswap64(v);
}

/* Copies in steps of 16 bytes, writing up to 15 bytes too many (the key has room for them). */
static inline char *copy_text(char *at, struct slice s, const char *end)
{
    if (BASE_LIKELY(end - s.ptr >= (ptrdiff_t)s.len + 16)) {
        for (size_t i = 0; i < s.len; i += 16)
            memcpy(at + i, s.ptr + i, 16);
    } else if (s.len) {
        memcpy(at, s.ptr, s.len);
    }
    return at + s.len;
}

bool decode__write_add_series(struct decode__write_walk *w, bool known_utf8, uint32_t *out_series)
{
    struct data_label *items = w->labels.items;
    const char *end = w->body.ptr + w->body.len;
    size_t kept = 0, count = w->labels.len, room = 16;
    bool sorted = true, has_name = false;
    uint64_t rank = 0;
    for (size_t i = 0; i < count; i++) {
        struct data_label l = items[i];
        if (BASE_UNLIKELY(!l.name.len)) {
            decode__write_refuse(w, DECODE_WRITE_BAD_LABEL, "a label has an empty name");
            return false;
        }
        if (!known_utf8 && BASE_UNLIKELY(!codec_utf8_valid(l.name) || !codec_utf8_valid(l.value))) {
            decode__write_refuse(w, DECODE_WRITE_BAD_LABEL, "label %zu is not valid UTF-8", i + 1);
            return false;
        }
        if (BASE_UNLIKELY(!l.value.len))
            continue; /* the same as no label */
        uint64_t next = name_rank(l.name, end);
        if (kept && next <= rank && (next < rank || slice_cmp(items[kept - 1].name, l.name) >= 0))
            sorted = false;
        rank = next;
        has_name |= l.name.len == 8 && next == UINT64_C(0x5f5f6e616d655f5f); /* __name__ */
        room += 2 * CODEC_VARINT_MAX + l.name.len + l.value.len;
        items[kept++] = l;
    }
    w->labels.len = kept;
    if (BASE_UNLIKELY(!sorted)) {
        qsort(items, kept, sizeof(*items), by_name);
        for (size_t i = 1; i < kept; i++) {
            if (slice_eq(items[i - 1].name, items[i].name)) {
                decode__write_refuse(w, DECODE_WRITE_DUP_LABEL, "label \"%.*s\" is given twice",
                                     SLICE_FMT(slice_first(items[i].name, 100)));
                return false;
            }
        }
    }
    if (BASE_UNLIKELY(!has_name)) {
        decode__write_refuse(w, DECODE_WRITE_NO_NAME, "no label __name__");
        return false;
    }
    char *key = arena_alloc(w->batch->arena, room), *at = key;
    base_assert(key); /* a batch's arena has no budget */
    for (size_t i = 0; i < kept; i++) {
        at = codec_put_varint(at, items[i].name.len);
        at = copy_text(at, items[i].name, end);
        at = codec_put_varint(at, items[i].value.len);
        at = copy_text(at, items[i].value, end);
    }
    *out_series = data_metric_batch_add_series_key(w->batch, slice_make(key, (size_t)(at - key)));
    w->out->series++;
    return true;
}

/* --- histograms --- */

static int take_span(struct decode__write_walk *w, int side, struct slice message,
                     struct diag *diag)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct data_histogram_span span = {0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            span.offset = (int32_t)codec_pb_sint(&f);
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            span.length = (uint32_t)f.num;
        else if (f.number <= 2)
            return decode__write_wrong_wire(w, &r, "a bucket span", &f, diag);
    }
    if (r.failed)
        return decode__write_damaged(w, &r, "a bucket span", diag);
    vec_push(&w->spans[side], span);
    return 0;
}

/* Repeated numbers come packed or one by one. */
static bool take_deltas(struct decode__write_walk *w, int side, const struct codec_pb_field *f)
{
    if (f->wire == CODEC_PB_VARINT) {
        vec_push(&w->deltas[side], codec_pb_sint(f));
        return true;
    }
    struct slice rest = f->bytes;
    uint64_t v;
    while (f->wire == CODEC_PB_BYTES && rest.len) {
        if (!codec_take_varint(&rest, &v))
            return false;
        vec_push(&w->deltas[side], codec_unzigzag(v));
    }
    return f->wire == CODEC_PB_BYTES;
}

#define TAKE_DOUBLES(vec, f)                                                                       \
    ({                                                                                             \
        bool ok_ = true;                                                                           \
        if ((f)->wire == CODEC_PB_FIXED64) {                                                       \
            vec_push((vec), codec_pb_double(f));                                                   \
        } else if ((f)->wire == CODEC_PB_BYTES && (f)->bytes.len % 8 == 0) {                       \
            for (size_t i_ = 0; i_ < (f)->bytes.len; i_ += 8)                                      \
                vec_push((vec), codec_load_double((f)->bytes.ptr + i_));                           \
        } else {                                                                                   \
            ok_ = false;                                                                           \
        }                                                                                          \
        ok_;                                                                                       \
    })

enum { SIDE_NEGATIVE, SIDE_POSITIVE };

int decode__write_histogram(struct decode__write_walk *w, uint32_t series, struct slice message,
                            struct diag *diag)
{
    static const char what[] = "a native histogram";
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct data_histogram h = {0};
    bool float_count = false;
    int64_t ts_ms = 0, ts_ns, start_ns = 0;
    for (int i = 0; i < 2; i++) {
        vec_clear(&w->spans[i]);
        vec_clear(&w->deltas[i]);
        vec_clear(&w->counts[i]);
    }
    vec_clear(&w->bounds);
    while (codec_pb_next(&r, &f)) {
        bool ok = true;
        int err = 0;
        switch (f.number) {
        case 1:
            ok = f.wire == CODEC_PB_VARINT;
            h.count = (double)f.num;
            break;
        case 2:
            ok = f.wire == CODEC_PB_FIXED64;
            h.count = codec_pb_double(&f);
            float_count = true;
            break;
        case 3:
            ok = f.wire == CODEC_PB_FIXED64;
            h.sum = codec_pb_double(&f);
            break;
        case 4:
            ok = f.wire == CODEC_PB_VARINT;
            h.schema = (int32_t)codec_pb_sint(&f);
            break;
        case 5:
            ok = f.wire == CODEC_PB_FIXED64;
            h.zero_threshold = codec_pb_double(&f);
            break;
        case 6:
            ok = f.wire == CODEC_PB_VARINT;
            h.zero_count = (double)f.num;
            break;
        case 7:
            ok = f.wire == CODEC_PB_FIXED64;
            h.zero_count = codec_pb_double(&f);
            float_count = true;
            break;
        case 8:
        case 11:
            ok = f.wire == CODEC_PB_BYTES;
            if (ok)
                err = take_span(w, f.number == 8 ? SIDE_NEGATIVE : SIDE_POSITIVE, f.bytes, diag);
            break;
        case 9: ok = take_deltas(w, SIDE_NEGATIVE, &f); break;
        case 12: ok = take_deltas(w, SIDE_POSITIVE, &f); break;
        case 10: ok = TAKE_DOUBLES(&w->counts[SIDE_NEGATIVE], &f); break;
        case 13: ok = TAKE_DOUBLES(&w->counts[SIDE_POSITIVE], &f); break;
        case 14:
            ok = f.wire == CODEC_PB_VARINT;
            h.reset_hint = f.num <= DATA_RESET_GAUGE ? (uint8_t)f.num : DATA_RESET_UNKNOWN;
            break;
        case 15:
            ok = f.wire == CODEC_PB_VARINT;
            ts_ms = (int64_t)f.num;
            break;
        case 16: ok = TAKE_DOUBLES(&w->bounds, &f); break;
        case 17:
            ok = f.wire == CODEC_PB_VARINT;
            start_ns = decode__write_start_ns(f.num);
            break;
        default: break; /* fields of later versions */
        }
        if (err)
            return err;
        if (!ok)
            return decode__write_wrong_wire(w, &r, what, &f, diag);
    }
    if (r.failed)
        return decode__write_damaged(w, &r, what, diag);

    h.is_integer = !float_count && !w->counts[0].len && !w->counts[1].len;
    for (int i = 0; i < 2; i++) {
        if (h.is_integer) {
            int64_t at = 0;
            for (size_t k = 0; k < w->deltas[i].len; k++) {
                at += w->deltas[i].items[k];
                vec_push(&w->counts[i], (double)at);
            }
        } else if (w->deltas[i].len) {
            w->out->refused_histograms++;
            decode__write_refuse(w, DECODE_WRITE_BAD_HISTOGRAM,
                                 "a native histogram with integer and float buckets");
            return 0;
        }
    }
    h.negative_spans = w->spans[SIDE_NEGATIVE].items;
    h.negative_span_count = (uint32_t)w->spans[SIDE_NEGATIVE].len;
    h.positive_spans = w->spans[SIDE_POSITIVE].items;
    h.positive_span_count = (uint32_t)w->spans[SIDE_POSITIVE].len;
    h.negative = w->counts[SIDE_NEGATIVE].items;
    h.negative_count = (uint32_t)w->counts[SIDE_NEGATIVE].len;
    h.positive = w->counts[SIDE_POSITIVE].items;
    h.positive_count = (uint32_t)w->counts[SIDE_POSITIVE].len;
    h.custom_bounds = w->bounds.items;
    h.custom_bound_count = (uint32_t)w->bounds.len;
    h.is_stale = data_is_stale(h.sum);

    struct diag why;
    diag_init(&why);
    if (!decode__write_ms_to_ns(ts_ms, &ts_ns)) {
        w->out->refused_histograms++;
        decode__write_refuse(w, DECODE_WRITE_BAD_TIME, "timestamp %lld ms is out of range",
                             (long long)ts_ms);
        return 0;
    }
    struct arena *fine = NULL;
    const struct data_histogram *use = &h;
    if (h.schema > 8 && h.schema <= 52) {
        /* Finer than what is stored: made coarser, as Prometheus does it. */
        fine = arena_new(0, NULL);
        use = data_histogram_reduce(fine, &h, 8, &why);
    } else if (data_histogram_check(&h, &why)) {
        use = NULL;
    }
    if (use) {
        data_metric_batch_add_histogram(w->batch, series, ts_ns, use);
        if (start_ns)
            data_metric_batch_set_start(w->batch, start_ns);
        w->out->histograms++;
    } else {
        w->out->refused_histograms++;
        decode__write_refuse(w, DECODE_WRITE_BAD_HISTOGRAM, "%s", why.msg);
    }
    arena_free(fine);
    return 0;
}

/* --- negotiation --- */

/* "application/x-protobuf; proto=io.prometheus.write.v2.Request" */
static int read_content_type(struct slice header, enum decode_write_version *out, struct diag *diag)
{
    *out = DECODE_WRITE_V1;
    struct slice rest = header, part;
    if (!slice_trim(header).len)
        return 0;
    slice_split(&rest, ';', &part);
    if (!slice_eq_nocase(slice_trim(part), SLICE("application/x-protobuf")))
        return diag_set(diag, ERR_UNSUPPORTED,
                        "remote write: content type \"%.*s\" is not application/x-protobuf",
                        SLICE_FMT(slice_first(header, 200)));
    while (slice_split(&rest, ';', &part)) {
        struct slice name;
        slice_split(&part, '=', &name);
        if (!part.ptr || !slice_eq_nocase(slice_trim(name), SLICE("proto")))
            continue;
        struct slice v = slice_trim(part);
        if (v.len >= 2 && v.ptr[0] == '"' && v.ptr[v.len - 1] == '"')
            v = slice_make(v.ptr + 1, v.len - 2);
        if (slice_eq_cstr(v, PROTO_V2))
            *out = DECODE_WRITE_V2;
        else if (!slice_eq_cstr(v, PROTO_V1))
            return diag_set(diag, ERR_UNSUPPORTED,
                            "remote write: message \"%.*s\" is neither " PROTO_V1 " nor " PROTO_V2,
                            SLICE_FMT(slice_first(v, 200)));
    }
    return 0;
}

int decode_remote_write(const struct decode_write_request *req, struct buf *scratch,
                        struct data_metric_batch *batch, struct decode_write_result *out,
                        struct diag *diag)
{
    memset(out, 0, sizeof(*out));
    int err = read_content_type(req->content_type, &out->version, diag);
    if (err)
        return err;
    struct slice message = req->body, encoding = slice_trim(req->content_encoding);
    if (!encoding.len || slice_eq_nocase(encoding, SLICE("snappy"))) {
        size_t max = req->inflated_bytes_max ? req->inflated_bytes_max : INFLATED_BYTES_DEFAULT;
        buf_clear(scratch);
        err = codec_decompress(CODEC_SNAPPY, req->body, max, scratch, diag);
        if (err) {
            if (diag)
                diag_wrap(diag, "remote write");
            return err;
        }
        message = buf_slice(scratch);
    } else if (!slice_eq_nocase(encoding, SLICE("identity")) &&
               !slice_eq_nocase(encoding, SLICE("zstd")) &&
               !slice_eq_nocase(encoding, SLICE("gzip")) &&
               !slice_eq_nocase(encoding, SLICE("deflate"))) {
        return diag_set(diag, ERR_UNSUPPORTED,
                        "remote write: content encoding \"%.*s\" is none of snappy, zstd, gzip, "
                        "deflate, identity",
                        SLICE_FMT(slice_first(encoding, 100)));
    }
    return out->version == DECODE_WRITE_V2 ? decode_remote_write_v2(message, batch, out, diag)
                                           : decode_remote_write_v1(message, batch, out, diag);
}
