/* The Fluentd forward protocol, version 1: messages to rows. Specification: Fluentd's Forward
 * Protocol Specification v1 (Message, Forward, PackedForward, CompressedPackedForward; events by
 * integer or EventTime; option chunk).
 *
 * A record becomes a row as decode/record.h says; its time is the event's. Labels beyond that:
 * `fluent_tag`; service_name falls back to the tag. */
#ifndef DECODE_FLUENT_H
#define DECODE_FLUENT_H

#include "base/diag.h"
#include "decode/record.h"

struct decode_fluent {
    struct decode_record record; /* times: NONE */
    int64_t now_ns;
    size_t unpacked_bytes_max; /* of a compressed message */
    /* Of the message in hand. */
    struct slice chunk; /* to be acknowledged; ptr NULL: not asked for */
    size_t rows;
};

/* A whole message (codec_msgpack_length), which must live as long as the batch. ERR_INVALID with
 * what is wrong: then the connection is of no more use. Rows read before stay. */
int decode_fluent_message(struct decode_fluent *d, struct slice message,
                          struct data_event_batch *batch, struct diag *diag);
void decode_fluent_deinit(struct decode_fluent *d);

#endif
