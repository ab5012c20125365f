/* What the files of OTLP's decoder share. */
#ifndef DECODE_OTLP_OTLP_PRIV_H
#define DECODE_OTLP_OTLP_PRIV_H

#include "base/arena.h"
#include "base/vec.h"
#include "codec/pb.h"
#include "decode/otlp/otlp.h"

/* --- AnyValue --- */

enum decode__otlp_kind {
    DECODE__OTLP_EMPTY,
    DECODE__OTLP_STRING,
    DECODE__OTLP_BOOL,
    DECODE__OTLP_INT,
    DECODE__OTLP_DOUBLE,
    DECODE__OTLP_ARRAY,
    DECODE__OTLP_MAP,
    DECODE__OTLP_BYTES
};

struct decode__otlp_value {
    enum decode__otlp_kind kind;
    struct slice bytes; /* of strings and bytes; the message of arrays and maps */
    int64_t num;        /* bool, int */
    double dbl;
};

struct decode__otlp_attribute {
    struct slice key;
    struct decode__otlp_value value;
};
typedef VEC(struct decode__otlp_attribute) decode__otlp_attributes;

/* 0, or ERR_INVALID when the bytes are damaged. */
int decode__otlp_read_value(struct slice message, struct decode__otlp_value *out);
int decode__otlp_read_attribute(struct slice message, struct decode__otlp_attribute *out);
/* Strings as they are, everything else as JSON; bytes in base64. ERR_INVALID when damaged,
 * ERR_LIMIT when nested too deep. */
int decode__otlp_value_text(const struct decode__otlp_value *v, struct buf *out);
/* As JSON, strings in quotes. */
int decode__otlp_value_json(const struct decode__otlp_value *v, struct buf *out);

/* --- the walk over a request --- */

struct decode_otlp_scratch {
    struct buf json;     /* a JSON request as protobuf */
    struct buf text;     /* names and values being made */
    struct arena *arena; /* of one request: escaped names, printed values */
    decode__otlp_attributes resource, scope, point;
    VEC(struct data_event_attr) attrs; /* of the log record or span in hand */
    VEC(struct data_label) labels;     /* of the stream being made */
    struct decode__otlp_metric_state *metric;
};

struct decode__otlp_walk {
    struct slice body; /* the protobuf, for offsets */
    struct decode_otlp_scratch *scratch;
    struct decode_otlp_result *out;
    struct diag *diag;
};

/* The message of a request in either encoding, and an empty `out`. */
int decode__otlp_begin(enum decode_otlp_signal signal, enum decode_otlp_encoding encoding,
                       struct slice body, struct decode_otlp_scratch *scratch,
                       struct decode_otlp_result *out, struct slice *out_message,
                       struct diag *diag);
/* Counts a refusal of `items`; the first one is described. Returns false. */
bool decode__otlp_refuse(struct decode__otlp_walk *w, enum decode_otlp_refusal reason, size_t items,
                         const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The reader's damage, or a field with a wrong wire type, as an error with its offset. */
int decode__otlp_damaged(const struct decode__otlp_walk *w, const struct codec_pb_reader *r,
                         const char *what);
int decode__otlp_damaged_at(const struct decode__otlp_walk *w, struct slice at, const char *what);
/* The text, repaired when it is no UTF-8 (then in the scratch's arena). */
struct slice decode__otlp_utf8(struct decode__otlp_walk *w, struct slice s);
/* The value as text that lives until the scratch is used again; false when refused. */
int decode__otlp_text(struct decode__otlp_walk *w, const struct decode__otlp_value *v,
                      struct slice *out);

/* --- JSON --- */

/* The request as protobuf, appended. ERR_INVALID with line and column. */
int decode__otlp_json(enum decode_otlp_signal signal, struct slice text, struct arena *arena,
                      struct buf *out, struct diag *diag);

#endif
