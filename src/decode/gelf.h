/* GELF 1.1 (Graylog's specification): messages to rows, and what a datagram is.
 *
 * The line is short_message; host is the label host_name; level (syslog's numbers) is the level;
 * additional fields are attributes without their underscore, or what decode/record.h makes of them
 * (`_service`, `_trace_id`); service_name falls back to facility, else unknown_service. A message
 * without a time has that of its receipt. */
#ifndef DECODE_GELF_H
#define DECODE_GELF_H

#include "base/diag.h"
#include "decode/record.h"

struct decode_gelf {
    struct decode_record record; /* times: NONE */
    int64_t now_ns;
    size_t unpacked_bytes_max;
};

/* A message: JSON, or compressed by gzip, zlib or zstd. It must live as long as the batch.
 * ERR_INVALID, and no row: no JSON object, or one without short_message; ERR_TOO_LARGE: when
 * decompressed. */
int decode_gelf_message(struct decode_gelf *d, struct slice message, struct data_event_batch *batch,
                        struct diag *diag);
void decode_gelf_deinit(struct decode_gelf *d);

#define DECODE_GELF_CHUNKS_MAX 128
struct decode_gelf_chunk {
    uint64_t id;
    unsigned number, count; /* 0 <= number < count <= DECODE_GELF_CHUNKS_MAX */
    struct slice bytes;
};
/* 0 a chunk; ERR_NOT_FOUND it is a whole message; ERR_INVALID a damaged chunk. */
int decode_gelf_chunk(struct slice datagram, struct decode_gelf_chunk *out);

#endif
