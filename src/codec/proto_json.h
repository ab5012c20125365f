/* JSON rewritten as protobuf by a table of the messages: protobuf's JSON mapping, with what differs
 * said by the table (ids in hexadecimal). More lenient than the mapping: snake_case keys and the
 * names of enum values are known too, null is the same as nothing, unknown keys are passed over. */
#ifndef CODEC_PROTO_JSON_H
#define CODEC_PROTO_JSON_H

#include "base/buf.h"
#include "codec/json_read.h"

enum codec_proto_kind {
    CODEC_PROTO_MESSAGE,
    CODEC_PROTO_STRING,
    CODEC_PROTO_HEX,    /* bytes as hexadecimal digits */
    CODEC_PROTO_BASE64, /* bytes */
    CODEC_PROTO_BOOL,
    CODEC_PROTO_INT,  /* int64, int32 */
    CODEC_PROTO_UINT, /* uint64, uint32 */
    CODEC_PROTO_SINT, /* zigzag */
    CODEC_PROTO_FIXED64,
    CODEC_PROTO_SFIXED64,
    CODEC_PROTO_FIXED32,
    CODEC_PROTO_DOUBLE,
    CODEC_PROTO_ENUM
};

struct codec_proto_message;
struct codec_proto_enum_name {
    const char *name;
    uint32_t value;
};

struct codec_proto_field {
    const char *name; /* lowerCamelCase */
    uint32_t number;
    enum codec_proto_kind kind;
    bool repeated; /* an array; numbers are written packed */
    const struct codec_proto_message *message;
    const struct codec_proto_enum_name *names; /* of an enum's values, ends with NULL */
    bool is_map;                               /* an object: keys are texts */
};

struct codec_proto_message {
    const struct codec_proto_field *fields; /* ends with a NULL name */
};

/* For tables. */
/* clang-format off */
#define CODEC_PROTO_ONE(n, number, k)     {n, number, CODEC_PROTO_##k, false, NULL, NULL, false}
#define CODEC_PROTO_MANY(n, number, k)    {n, number, CODEC_PROTO_##k, true, NULL, NULL, false}
#define CODEC_PROTO_SUB(n, number, sub)   {n, number, CODEC_PROTO_MESSAGE, false, &sub, NULL, false}
#define CODEC_PROTO_SUBS(n, number, sub)  {n, number, CODEC_PROTO_MESSAGE, true, &sub, NULL, false}
#define CODEC_PROTO_MAP(n, number, sub)   {n, number, CODEC_PROTO_MESSAGE, false, &sub, NULL, true}
#define CODEC_PROTO_CHOICE(n, number, ns) {n, number, CODEC_PROTO_ENUM, false, NULL, ns, false}
#define CODEC_PROTO_END                   {NULL, 0, CODEC_PROTO_MESSAGE, false, NULL, NULL, false}
/* clang-format on */
#define CODEC_PROTO_DEFINE(name, ...)                                                              \
    static const struct codec_proto_field name##_fields[] = {__VA_ARGS__, CODEC_PROTO_END};        \
    static const struct codec_proto_message name = {name##_fields}

/* Appends the message that the reader stands before. At an error (r->err, with words) what was
 * appended is of no use. */
void codec_proto_from_json(const struct codec_proto_message *m, struct codec_json_reader *r,
                           struct buf *out);

#endif
