/* What both versions of remote write share. */
#ifndef DECODE_REMOTE_WRITE_PRIV_H
#define DECODE_REMOTE_WRITE_PRIV_H

#include "codec/pb.h"
#include "decode/remote_write.h"

struct decode__write_walk {
    struct slice body; /* the whole message, for offsets */
    struct data_metric_batch *batch;
    struct decode_write_result *out;
    VEC(struct data_label) labels;            /* of the series in hand, as sent */
    VEC(struct data_label) exemplar_labels;   /* of the exemplar in hand */
    VEC(struct data_histogram_span) spans[2]; /* negative, positive */
    VEC(int64_t) deltas[2];
    VEC(double) counts[2];
    VEC(double) bounds;
};

void decode__write_walk_deinit(struct decode__write_walk *w);

/* Sorts and checks w->labels and adds the series. False when it is refused (and counted);
 * `known_utf8` when every name and value has been checked already. */
bool decode__write_add_series(struct decode__write_walk *w, bool known_utf8, uint32_t *out_series);

/* Sorts and checks w->exemplar_labels in place; false with a reason for decode__write_refuse. */
bool decode__write_exemplar_labels(struct decode__write_walk *w, bool known_utf8,
                                   const char **out_why, struct data_labels *out);

/* Counts a refusal; the first one is described with the labels in hand. */
void decode__write_refuse(struct decode__write_walk *w, enum decode_write_refusal reason,
                          const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The native histogram message is the same in both versions. Adds it to `series`, or refuses it.
 * ERR_INVALID when the protobuf is damaged. */
int decode__write_histogram(struct decode__write_walk *w, uint32_t series, struct slice message,
                            struct diag *diag);

/* The reader's damage as an error with its offset. */
int decode__write_damaged(const struct decode__write_walk *w, const struct codec_pb_reader *r,
                          const char *what, struct diag *diag);
/* A field with another wire type than the schema's. */
int decode__write_wrong_wire(const struct decode__write_walk *w, const struct codec_pb_reader *r,
                             const char *what, const struct codec_pb_field *f, struct diag *diag);

static inline bool decode__write_ms_to_ns(int64_t ms, int64_t *ns)
{
    return !__builtin_mul_overflow(ms, NS_PER_MS, ns);
}

/* 0 means "not given". */
static inline int64_t decode__write_start_ns(uint64_t ms)
{
    int64_t ns;
    return decode__write_ms_to_ns((int64_t)ms, &ns) ? ns : 0;
}

/* No byte has its highest bit set: then it is UTF-8 without looking closer. */
static inline bool decode__is_ascii(const char *p, size_t len)
{
    uint64_t any = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8)
        any |= codec_load64(p + i);
    for (; i < len; i++)
        any |= (unsigned char)p[i];
    return !(any & UINT64_C(0x8080808080808080));
}

#endif
