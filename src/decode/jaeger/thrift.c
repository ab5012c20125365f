#include "decode/jaeger/thrift_priv.h"

#include "codec/bytes.h"

#define DEPTH_MAX 32

static uint64_t take_fixed(struct decode__thrift *t, size_t len)
{
    uint64_t v = 0;
    if (t->failed || t->rest.len < len) {
        t->failed = true;
        return 0;
    }
    for (size_t i = 0; i < len; i++) /* the most significant byte comes first */
        v = v << 8 | (unsigned char)t->rest.ptr[i];
    t->rest = slice_from(t->rest, len);
    return v;
}

static uint64_t take_varint(struct decode__thrift *t)
{
    uint64_t v = 0;
    if (t->failed || !codec_take_varint(&t->rest, &v)) {
        t->failed = true;
        return 0;
    }
    return v;
}

static enum decode__thrift_type type_of(struct decode__thrift *t, unsigned code)
{
    static const uint8_t compact[] = {
        DECODE__THRIFT_STOP,   DECODE__THRIFT_BOOL, DECODE__THRIFT_BOOL, DECODE__THRIFT_BYTE,
        DECODE__THRIFT_I16,    DECODE__THRIFT_I32,  DECODE__THRIFT_I64,  DECODE__THRIFT_DOUBLE,
        DECODE__THRIFT_STRING, DECODE__THRIFT_LIST, DECODE__THRIFT_LIST, DECODE__THRIFT_MAP,
        DECODE__THRIFT_STRUCT};
    static const uint8_t binary[] = {
        [0] = DECODE__THRIFT_STOP,   [2] = DECODE__THRIFT_BOOL,    [3] = DECODE__THRIFT_BYTE,
        [4] = DECODE__THRIFT_DOUBLE, [6] = DECODE__THRIFT_I16,     [8] = DECODE__THRIFT_I32,
        [10] = DECODE__THRIFT_I64,   [11] = DECODE__THRIFT_STRING, [12] = DECODE__THRIFT_STRUCT,
        [13] = DECODE__THRIFT_MAP,   [14] = DECODE__THRIFT_LIST,   [15] = DECODE__THRIFT_LIST};
    enum decode__thrift_type type = DECODE__THRIFT_STOP;
    if (t->compact && code < ARRAY_LEN(compact))
        type = (enum decode__thrift_type)compact[code];
    else if (!t->compact && code < ARRAY_LEN(binary))
        type = (enum decode__thrift_type)binary[code];
    if (code && type == DECODE__THRIFT_STOP)
        t->failed = true;
    return type;
}

bool decode__thrift_next(struct decode__thrift *t, struct decode__thrift_field *f)
{
    unsigned code = (unsigned)take_fixed(t, 1);
    if (t->failed || !code)
        return false;
    f->type = type_of(t, t->compact ? code & 15 : code);
    f->has_bool = t->compact && f->type == DECODE__THRIFT_BOOL;
    f->is_true = f->has_bool && (code & 15) == 1;
    if (!t->compact)
        f->id = (int16_t)take_fixed(t, 2);
    else if (code >> 4)
        f->id += (int32_t)(code >> 4);
    else
        f->id = (int16_t)codec_unzigzag(take_varint(t));
    return !t->failed;
}

int64_t decode__thrift_int(struct decode__thrift *t, enum decode__thrift_type type)
{
    if (type == DECODE__THRIFT_BYTE)
        return (int8_t)take_fixed(t, 1);
    if (t->compact)
        return codec_unzigzag(take_varint(t));
    return type == DECODE__THRIFT_I16   ? (int16_t)take_fixed(t, 2)
           : type == DECODE__THRIFT_I32 ? (int32_t)take_fixed(t, 4)
                                        : (int64_t)take_fixed(t, 8);
}

double decode__thrift_double(struct decode__thrift *t)
{
    uint64_t bits = take_fixed(t, 8);
    return codec_bits_double(t->compact ? __builtin_bswap64(bits) : bits);
}

bool decode__thrift_bool(struct decode__thrift *t, const struct decode__thrift_field *f)
{
    return f->has_bool ? f->is_true : take_fixed(t, 1) == 1;
}

struct slice decode__thrift_bytes(struct decode__thrift *t)
{
    uint64_t len = t->compact ? take_varint(t) : take_fixed(t, 4);
    if (t->failed || len > t->rest.len) {
        t->failed = true;
        return (struct slice){"", 0};
    }
    struct slice bytes = slice_first(t->rest, (size_t)len);
    t->rest = slice_from(t->rest, (size_t)len);
    return bytes;
}

/* Of a list's or map's items: none is shorter than a byte. */
static size_t check_count(struct decode__thrift *t, uint64_t count)
{
    if (count > t->rest.len)
        t->failed = true;
    return t->failed ? 0 : (size_t)count;
}

size_t decode__thrift_list(struct decode__thrift *t, enum decode__thrift_type *out_type)
{
    unsigned head = (unsigned)take_fixed(t, 1);
    *out_type = type_of(t, t->compact ? head & 15 : head);
    if (!t->compact)
        return check_count(t, take_fixed(t, 4));
    return check_count(t, head >> 4 == 15 ? take_varint(t) : head >> 4);
}

static void skip_value(struct decode__thrift *t, enum decode__thrift_type type, int depth);

static void skip_struct(struct decode__thrift *t, int depth)
{
    struct decode__thrift_field f = {0};
    while (decode__thrift_next(t, &f)) {
        if (!f.has_bool)
            skip_value(t, f.type, depth + 1);
    }
}

static void skip_map(struct decode__thrift *t, int depth)
{
    enum decode__thrift_type key, value;
    size_t count;
    if (t->compact) {
        count = check_count(t, take_varint(t));
        unsigned types = count ? (unsigned)take_fixed(t, 1) : 0;
        key = type_of(t, types >> 4);
        value = type_of(t, types & 15);
    } else {
        key = type_of(t, (unsigned)take_fixed(t, 1));
        value = type_of(t, (unsigned)take_fixed(t, 1));
        count = check_count(t, take_fixed(t, 4));
    }
    for (size_t i = 0; i < count && !t->failed; i++) {
        skip_value(t, key, depth + 1);
        skip_value(t, value, depth + 1);
    }
}

static void skip_value(struct decode__thrift *t, enum decode__thrift_type type, int depth)
{
    enum decode__thrift_type item;
    if (depth > DEPTH_MAX) {
        t->failed = true;
        return;
    }
    switch (type) {
    case DECODE__THRIFT_BOOL:
    case DECODE__THRIFT_BYTE: (void)take_fixed(t, 1); break;
    case DECODE__THRIFT_I16:
    case DECODE__THRIFT_I32:
    case DECODE__THRIFT_I64: (void)decode__thrift_int(t, type); break;
    case DECODE__THRIFT_DOUBLE: (void)take_fixed(t, 8); break;
    case DECODE__THRIFT_STRING: (void)decode__thrift_bytes(t); break;
    case DECODE__THRIFT_STRUCT: skip_struct(t, depth); break;
    case DECODE__THRIFT_MAP: skip_map(t, depth); break;
    case DECODE__THRIFT_LIST:
        for (size_t n = decode__thrift_list(t, &item); n && !t->failed; n--)
            skip_value(t, item, depth + 1);
        break;
    case DECODE__THRIFT_STOP: t->failed = true; break;
    }
}

void decode__thrift_skip(struct decode__thrift *t, const struct decode__thrift_field *f)
{
    if (!f->has_bool)
        skip_value(t, f->type, 0);
}

struct slice decode__thrift_call(struct decode__thrift *t)
{
    struct slice name = {"", 0};
    unsigned type;
    if (t->compact) {
        if (take_fixed(t, 1) != 0x82)
            t->failed = true;
        type = (unsigned)take_fixed(t, 1);
        t->failed |= (type & 31) != 1;
        type >>= 5;
        (void)take_varint(t);
        name = decode__thrift_bytes(t);
    } else if (t->rest.len && (unsigned char)t->rest.ptr[0] == 0x80) { /* with a version */
        type = (unsigned)take_fixed(t, 4);
        t->failed |= type >> 16 != 0x8001;
        type &= 255;
        name = decode__thrift_bytes(t);
        (void)take_fixed(t, 4);
    } else {
        name = decode__thrift_bytes(t);
        type = (unsigned)take_fixed(t, 1);
        (void)take_fixed(t, 4);
    }
    t->failed |= type != 1 && type != 4; /* call, one way */
    return name;
}
