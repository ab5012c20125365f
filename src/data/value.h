/* A typed value: what an attribute of a log line or a span holds (OTLP's AnyValue). */
#ifndef DATA_VALUE_H
#define DATA_VALUE_H

#include "base/buf.h"
#include "base/slice.h"
#include "base/types.h"

enum data_value_kind {
    DATA_VALUE_NULL, /* not there */
    DATA_VALUE_STRING,
    DATA_VALUE_INT,
    DATA_VALUE_DOUBLE,
    DATA_VALUE_BOOL,
    DATA_VALUE_BYTES,
    DATA_VALUE_JSON, /* an array or a map as JSON text, given back byte for byte */
    DATA_VALUE_KIND_COUNT
};

/* A view: whoever made it says how long the text lives. */
struct data_value {
    enum data_value_kind kind;
    union {
        struct slice text; /* STRING, BYTES, JSON */
        int64_t i;         /* INT; BOOL as 0 or 1 */
        double d;          /* DOUBLE */
    };
};

static inline struct data_value data_value_string(struct slice s)
{
    return (struct data_value){.kind = DATA_VALUE_STRING, .text = s};
}
static inline struct data_value data_value_int(int64_t i)
{
    return (struct data_value){.kind = DATA_VALUE_INT, .i = i};
}
static inline struct data_value data_value_double(double d)
{
    return (struct data_value){.kind = DATA_VALUE_DOUBLE, .d = d};
}
static inline struct data_value data_value_bool(bool b)
{
    return (struct data_value){.kind = DATA_VALUE_BOOL, .i = b};
}
static inline struct data_value data_value_bytes(struct slice s)
{
    return (struct data_value){.kind = DATA_VALUE_BYTES, .text = s};
}
static inline struct data_value data_value_json(struct slice s)
{
    return (struct data_value){.kind = DATA_VALUE_JSON, .text = s};
}
static inline bool data_value_has_text(enum data_value_kind kind)
{
    return kind == DATA_VALUE_STRING || kind == DATA_VALUE_BYTES || kind == DATA_VALUE_JSON;
}

/* "string", "int", "double", "bool", "bytes", "json", "null". */
const char *data_value_kind_name(enum data_value_kind kind);
/* Same kind and same content; doubles bit for bit. */
bool data_value_eq(struct data_value a, struct data_value b);
/* The value as text: strings and JSON as they are, numbers in their shortest form that reads back
 * (CODEC_DOUBLE_JSON), true and false, bytes in base64, null as nothing. */
void data_value_print(struct data_value v, struct buf *out);
/* INT and DOUBLE as they are; with `from_text` a STRING that is a number as a whole too (as Go's
 * ParseFloat reads it). False for everything else. */
bool data_value_number(struct data_value v, bool from_text, double *out);

#endif
