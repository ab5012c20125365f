#include "decode/carbon/carbon.h"

#include <math.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/number.h"
#include "codec/utf8.h"

const char *decode_carbon_refusal_name(enum decode_carbon_refusal reason)
{
    static const char *const names[DECODE_CARBON_REFUSAL_COUNT] = {
        [DECODE_CARBON_FIELDS] = "fields",
        [DECODE_CARBON_NAME] = "name",
        [DECODE_CARBON_TAGS] = "tags",
        [DECODE_CARBON_VALUE] = "value",
        [DECODE_CARBON_NAN] = "nan",
        [DECODE_CARBON_TIMESTAMP] = "timestamp",
        [DECODE_CARBON_SIZE] = "size",
        [DECODE_CARBON_PICKLE] = "pickle",
        [DECODE_CARBON_PROTOBUF] = "protobuf",
        [DECODE_CARBON_BLACKLIST] = "blacklist",
        [DECODE_CARBON_WHITELIST] = "whitelist"};
    return names[reason];
}

void decode_carbon_deinit(struct decode_carbon *d)
{
    data_labels_builder_deinit(&d->labels);
    buf_deinit(&d->name);
}

void decode_carbon__refuse(struct decode_carbon *d, enum decode_carbon_refusal reason,
                           struct slice what)
{
    struct slice shown = d->line.ptr ? d->line : what;
    char *to = d->example[reason];
    size_t n = MIN(shown.len, sizeof(d->example[reason]) - 1);
    d->refused[reason]++;
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)shown.ptr[i] < 0x20 || (unsigned char)shown.ptr[i] >= 0x7f
                    ? '?'
                    : shown.ptr[i];
    to[n] = 0;
}

/* --- names --- */

static bool is_ascii(struct slice s)
{
    size_t i = 0;
    for (; i + 8 <= s.len; i += 8) {
        if (codec_load64(s.ptr + i) & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    }
    return true;
}

/* Without dots at the ends and doubled ones; in d->name when anything has to go. */
static struct slice tidy(struct decode_carbon *d, struct slice name)
{
    bool clean = name.len && name.ptr[0] != '.' && name.ptr[name.len - 1] != '.';
    const char *dot = clean ? memchr(name.ptr, '.', name.len) : NULL;
    while (dot && clean) {
        clean = dot[1] != '.'; /* the last byte is no dot */
        dot = memchr(dot + 1, '.', name.len - (size_t)(dot + 1 - name.ptr));
    }
    if (clean)
        return name;
    buf_clear(&d->name);
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] != '.' || (d->name.len && d->name.ptr[d->name.len - 1] != '.'))
            buf_append_char(&d->name, name.ptr[i]);
    }
    while (d->name.len && d->name.ptr[d->name.len - 1] == '.')
        d->name.len--;
    return buf_slice(&d->name);
}

static bool tag_is_good(struct slice tag, struct slice value)
{
    for (size_t i = 0; i < tag.len; i++) {
        if (strchr(";!^=", tag.ptr[i]))
            return false;
    }
    return tag.len && value.len && value.ptr[0] != '~';
}

static bool tagged_series(struct decode_carbon *d, struct slice name, struct data_metric_batch *out,
                          uint32_t *series)
{
    struct slice rest = name, part;
    struct data_labels labels;
    slice_split(&rest, ';', &part);
    part = tidy(d, part);
    if (!part.len) {
        decode_carbon__refuse(d, DECODE_CARBON_NAME, name);
        return false;
    }
    data_labels_builder_reset(&d->labels);
    data_labels_builder_add(&d->labels, SLICE(DATA_METRIC_NAME), part);
    while (slice_split(&rest, ';', &part)) {
        ptrdiff_t at = slice_find_char(part, '=');
        struct slice tag = slice_first(part, at < 0 ? 0 : (size_t)at);
        struct slice value = at < 0 ? tag : slice_from(part, (size_t)at + 1);
        /* "name" is the metric's name itself in Graphite */
        if (!tag_is_good(tag, value) || slice_eq(tag, SLICE("name")) ||
            slice_eq(tag, SLICE(DATA_METRIC_NAME)))
            goto bad;
        data_labels_builder_add(&d->labels, tag, value);
    }
    if (data_labels_builder_finish(&d->labels, &labels, NULL))
        goto bad;
    *series = data_metric_batch_add_series(out, labels);
    return true;
bad:
    decode_carbon__refuse(d, DECODE_CARBON_TAGS, name);
    return false;
}

/* False: refused and counted. */
static bool series_of(struct decode_carbon *d, struct slice name, struct data_metric_batch *out,
                      uint32_t *series)
{
    if (!is_ascii(name) && !codec_utf8_valid(name)) {
        decode_carbon__refuse(d, DECODE_CARBON_NAME, name);
        return false;
    }
    if (memchr(name.ptr ? name.ptr : "", ';', name.len))
        return tagged_series(d, name, out, series);
    struct slice full = tidy(d, name);
    if (!full.len) {
        decode_carbon__refuse(d, DECODE_CARBON_NAME, name);
        return false;
    }
    /* The canonical key of one label, without going through a builder. */
    char *key = arena_alloc(out->arena, full.len + 20), *p = key;
    *p++ = sizeof(DATA_METRIC_NAME) - 1;
    memcpy(p, DATA_METRIC_NAME, sizeof(DATA_METRIC_NAME) - 1);
    p += sizeof(DATA_METRIC_NAME) - 1;
    size_t n = full.len;
    for (; n >= 0x80; n >>= 7)
        *p++ = (char)(n | 0x80);
    *p++ = (char)n;
    memcpy(p, full.ptr, full.len);
    *series = data_metric_batch_add_series_key(out, slice_make(key, (size_t)(p - key) + full.len));
    return true;
}

void decode_carbon__take(struct decode_carbon *d, struct slice name, double ts, double value,
                         struct data_metric_batch *out)
{
    uint32_t series;
    if (isnan(value)) {
        decode_carbon__refuse(d, DECODE_CARBON_NAN, name);
        return;
    }
    if (!(ts >= -1 && ts < 9.2e9)) {
        decode_carbon__refuse(d, DECODE_CARBON_TIMESTAMP, name);
        return;
    }
    int64_t seconds = ts == -1 ? d->now_ns / NS_PER_SEC : (int64_t)floor(ts);
    if (d->filter) {
        int verdict = d->filter(d->filter_ctx, &name, seconds, value);
        if (verdict != DECODE_CARBON_TAKE) {
            if (verdict >= 0)
                decode_carbon__refuse(d, (enum decode_carbon_refusal)verdict, name);
            return;
        }
    }
    if (!series_of(d, name, out, &series))
        return;
    data_metric_batch_add_sample(out, series, seconds * NS_PER_SEC, value);
    d->points++;
}

/* --- lines --- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next field, or an empty one at the end. */
static struct slice field(struct slice *rest)
{
    size_t i = 0, begin;
    while (i < rest->len && is_space(rest->ptr[i]))
        i++;
    begin = i;
    while (i < rest->len && !is_space(rest->ptr[i]))
        i++;
    struct slice f = slice_make(rest->ptr + begin, i - begin);
    *rest = slice_from(*rest, i);
    return f;
}

/* Python's float() without underscores: no hexadecimal. */
static bool number(struct slice s, double *out)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] | 0x20) == 'x' || (s.ptr[i] | 0x20) == 'p')
            return false;
    }
    return codec_text_to_double(s, out, NULL);
}

static bool timestamp(struct slice s, double *out)
{
    int64_t n = 0;
    if (!s.len || s.len > 15)
        return number(s, out);
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        if (digit > 9)
            return number(s, out);
        n = n * 10 + digit;
    }
    *out = (double)n;
    return true;
}

static void take_line(struct decode_carbon *d, struct slice line, struct data_metric_batch *out)
{
    struct slice rest = line, name = field(&rest), value = field(&rest), ts = field(&rest);
    double v, t;
    if (!name.len)
        return; /* an empty line is no point */
    if (line.len > DECODE_CARBON_LINE_MAX) {
        decode_carbon__refuse(d, DECODE_CARBON_SIZE, line);
        return;
    }
    if (!ts.len || field(&rest).len) {
        decode_carbon__refuse(d, DECODE_CARBON_FIELDS, line);
        return;
    }
    if (!number(value, &v))
        decode_carbon__refuse(d, DECODE_CARBON_VALUE, line);
    else if (!timestamp(ts, &t))
        decode_carbon__refuse(d, DECODE_CARBON_TIMESTAMP, line);
    else
        decode_carbon__take(d, name, t, v, out);
}

void decode_carbon_line(struct decode_carbon *d, struct slice line, struct data_metric_batch *out)
{
    d->line = line;
    take_line(d, line, out);
    d->line = (struct slice){NULL, 0};
}

size_t decode_carbon_lines(struct decode_carbon *d, struct slice bytes, bool end,
                           struct data_metric_batch *out)
{
    size_t at = 0;
    while (at < bytes.len) {
        const char *nl = memchr(bytes.ptr + at, '\n', bytes.len - at);
        if (!nl && !end)
            break;
        size_t len = nl ? (size_t)(nl - bytes.ptr) - at : bytes.len - at;
        decode_carbon_line(d, slice_make(bytes.ptr + at, len), out);
        at += len + (nl != NULL);
    }
    return at;
}

/* --- protobuf: Payload { repeated Metric metrics = 1 }, Metric { string metric = 1; repeated Point
 * points = 2 }, Point { uint32 timestamp = 1; double value = 2 } --- */
#include "codec/pb.h"

static bool protobuf_metric(struct decode_carbon *d, struct slice bytes,
                            struct data_metric_batch *out)
{
    struct codec_pb_reader r = codec_pb_reader(bytes);
    struct codec_pb_field f;
    struct slice name = {NULL, 0};
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            name = f.bytes;
    }
    if (r.failed)
        return false;
    r = codec_pb_reader(bytes);
    while (codec_pb_next(&r, &f)) {
        if (f.number != 2 || f.wire != CODEC_PB_BYTES)
            continue;
        struct codec_pb_reader p = codec_pb_reader(f.bytes);
        struct codec_pb_field g;
        double ts = 0, value = 0;
        while (codec_pb_next(&p, &g)) {
            if (g.number == 1 && g.wire == CODEC_PB_VARINT)
                ts = (double)(uint32_t)g.num;
            else if (g.number == 2 && g.wire == CODEC_PB_FIXED64)
                value = codec_pb_double(&g);
        }
        if (p.failed)
            return false;
        decode_carbon__take(d, name, ts, value, out);
    }
    return true;
}

int decode_carbon_protobuf(struct decode_carbon *d, struct slice frame,
                           struct data_metric_batch *out)
{
    struct codec_pb_reader r = codec_pb_reader(frame);
    struct codec_pb_field f;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES && !protobuf_metric(d, f.bytes, out))
            r.failed = true;
    }
    if (!r.failed)
        return 0;
    decode_carbon__refuse(d, DECODE_CARBON_PROTOBUF, frame);
    return ERR_INVALID;
}
