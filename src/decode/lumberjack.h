/* Lumberjack, versions 1 and 2, as Beats and Logstash speak it to port 5044: frames of windows,
 * events (JSON, or pairs of texts), and compressed ones.
 *
 * An event becomes a row as decode/record.h says; `@metadata` is left out; service_name falls back
 * to the Beat's name. */
#ifndef DECODE_LUMBERJACK_H
#define DECODE_LUMBERJACK_H

#include "base/diag.h"
#include "decode/record.h"

struct decode_lumberjack {
    struct decode_record record; /* times: ANY */
    int64_t now_ns;
    size_t unpacked_bytes_max;
    size_t event_bytes_max;
    /* Kept over the frames of a connection. */
    uint32_t window;   /* events that are acknowledged together */
    uint32_t pending;  /* of them, those that came */
    uint32_t sequence; /* of the last event */
    char version;      /* '1' or '2', of the last frame */
    /* Added to. */
    size_t rows, refused; /* refused: events that were no JSON object */
};

/* The next frame. 0: *out_taken bytes are done with; *out_full: the window is full, so that its
 * rows are to be made durable and `sequence` acknowledged. ERR_AGAIN: it is cut off. ERR_INVALID or
 * ERR_TOO_LARGE: the connection is of no more use. Bytes must live as long as the batch. */
int decode_lumberjack_frame(struct decode_lumberjack *d, struct slice bytes,
                            struct data_event_batch *batch, size_t *out_taken, bool *out_full,
                            struct diag *diag);
void decode_lumberjack_deinit(struct decode_lumberjack *d);

#endif
