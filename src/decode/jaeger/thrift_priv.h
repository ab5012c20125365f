/* Reading Apache Thrift's binary and compact protocols (thrift-binary-protocol.md and
 * thrift-compact-protocol.md of its documentation) without copies: callers walk the fields, as with
 * protobuf. */
#ifndef DECODE_JAEGER_THRIFT_PRIV_H
#define DECODE_JAEGER_THRIFT_PRIV_H

#include "base/slice.h"

enum decode__thrift_type {
    DECODE__THRIFT_STOP,
    DECODE__THRIFT_BOOL,
    DECODE__THRIFT_BYTE,
    DECODE__THRIFT_I16,
    DECODE__THRIFT_I32,
    DECODE__THRIFT_I64,
    DECODE__THRIFT_DOUBLE,
    DECODE__THRIFT_STRING, /* or bytes */
    DECODE__THRIFT_LIST,   /* or a set */
    DECODE__THRIFT_MAP,
    DECODE__THRIFT_STRUCT
};

struct decode__thrift {
    struct slice rest;
    bool compact;
    bool failed; /* the bytes broke the format; sticky */
};

struct decode__thrift_field {
    enum decode__thrift_type type;
    int32_t id;
    bool is_true; /* of a compact BOOL, whose value lies in its type */
    bool has_bool;
};

/* The next field of a struct whose last field was *f (zeroed for the first); false at its end and
 * on damage. The value must be read, or skipped. */
bool decode__thrift_next(struct decode__thrift *t, struct decode__thrift_field *f);
/* Values of the field begun last; 0, empty or false on damage. */
int64_t decode__thrift_int(struct decode__thrift *t, enum decode__thrift_type type);
double decode__thrift_double(struct decode__thrift *t);
bool decode__thrift_bool(struct decode__thrift *t, const struct decode__thrift_field *f);
struct slice decode__thrift_bytes(struct decode__thrift *t);
/* How many items follow, each at least a byte long, and their type. */
size_t decode__thrift_list(struct decode__thrift *t, enum decode__thrift_type *out_type);
/* Passes over the value of a field, whatever it is. */
void decode__thrift_skip(struct decode__thrift *t, const struct decode__thrift_field *f);
/* The head of a call or a one-way call: its method's name. */
struct slice decode__thrift_call(struct decode__thrift *t);

#endif
