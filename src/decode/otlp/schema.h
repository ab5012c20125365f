/* The messages of OTLP as JSON names them: what rewriting JSON as protobuf and printing protobuf as
 * JSON are driven by. */
#ifndef DECODE_OTLP_SCHEMA_H
#define DECODE_OTLP_SCHEMA_H

#include "decode/otlp/otlp.h"

enum decode__otlp_json_kind {
    DECODE__OTLP_JSON_MESSAGE,
    DECODE__OTLP_JSON_STRING,
    DECODE__OTLP_JSON_HEX,    /* bytes as hexadecimal digits */
    DECODE__OTLP_JSON_BASE64, /* bytes */
    DECODE__OTLP_JSON_BOOL,
    DECODE__OTLP_JSON_INT,  /* int64, int32 */
    DECODE__OTLP_JSON_UINT, /* uint64, uint32 */
    DECODE__OTLP_JSON_SINT, /* zigzag */
    DECODE__OTLP_JSON_FIXED64,
    DECODE__OTLP_JSON_SFIXED64,
    DECODE__OTLP_JSON_FIXED32,
    DECODE__OTLP_JSON_DOUBLE,
    DECODE__OTLP_JSON_ENUM
};

struct decode__otlp_message;
struct decode__otlp_enum_name {
    const char *name;
    uint32_t value;
};

struct decode__otlp_field {
    const char *name; /* lowerCamelCase */
    uint32_t number;
    enum decode__otlp_json_kind kind;
    bool repeated; /* an array; numbers are written packed */
    const struct decode__otlp_message *message;
    const struct decode__otlp_enum_name *names; /* of an enum's values, ends with NULL */
};

struct decode__otlp_message {
    const struct decode__otlp_field *fields; /* ends with a NULL name */
};

/* That of the signal's export request. */
const struct decode__otlp_message *decode__otlp_request_message(enum decode_otlp_signal signal);

#endif
