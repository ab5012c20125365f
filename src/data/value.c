#include "data/value.h"

#include "base/assert.h"
#include "codec/base64.h"
#include "codec/bytes.h"
#include "codec/number.h"

const char *data_value_kind_name(enum data_value_kind kind)
{
    static const char *const names[DATA_VALUE_KIND_COUNT] = {"null", "string", "int", "double",
                                                             "bool", "bytes",  "json"};
    base_assert(kind < DATA_VALUE_KIND_COUNT);
    return names[kind];
}

bool data_value_eq(struct data_value a, struct data_value b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case DATA_VALUE_NULL: return true;
    case DATA_VALUE_INT:
    case DATA_VALUE_BOOL: return a.i == b.i;
    case DATA_VALUE_DOUBLE: return codec_double_bits(a.d) == codec_double_bits(b.d);
    default: return slice_eq(a.text, b.text);
    }
}

void data_value_print(struct data_value v, struct buf *out)
{
    switch (v.kind) {
    case DATA_VALUE_STRING:
    case DATA_VALUE_JSON: buf_append_slice(out, v.text); break;
    case DATA_VALUE_INT: codec_append_int(out, v.i); break;
    case DATA_VALUE_DOUBLE: codec_append_double(out, v.d, CODEC_DOUBLE_JSON); break;
    case DATA_VALUE_BOOL: buf_append_cstr(out, v.i ? "true" : "false"); break;
    case DATA_VALUE_BYTES: codec_base64_append(out, v.text, CODEC_BASE64_STANDARD); break;
    default: break;
    }
}

bool data_value_number(struct data_value v, bool from_text, double *out)
{
    if (v.kind == DATA_VALUE_INT)
        *out = (double)v.i;
    else if (v.kind == DATA_VALUE_DOUBLE)
        *out = v.d;
    else
        return from_text && v.kind == DATA_VALUE_STRING && codec_text_to_double(v.text, out, NULL);
    return true;
}
