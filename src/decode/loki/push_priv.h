/* What the forms of a push share. */
#ifndef DECODE_LOKI_PUSH_PRIV_H
#define DECODE_LOKI_PUSH_PRIV_H

#include "decode/loki/push.h"

struct decode__loki {
    struct data_event_batch *batch;
    struct decode_loki_result *out;
    struct diag *diag;
    struct data_labels_builder builder;
    uint32_t stream; /* the one that lines go to */
    bool refused;    /* its lines are not taken */
    enum decode_loki_refusal reason;
    enum data_event_level level; /* that a label of the stream names */
    bool has_level;
    VEC(struct data_label) metadata; /* of the line in hand */
    /* The line taken last of this stream. */
    bool has_last;
    int64_t last_ns;
    struct slice last_line;
    size_t last_first, last_count; /* of its metadata, in last_metadata */
    VEC(struct data_label) last_metadata;
};

/* Begins a stream: its labels are in d->builder. */
void decode__loki_stream(struct decode__loki *d);
/* The same for labels as text, {a="b"}. */
void decode__loki_stream_text(struct decode__loki *d, struct slice text);
/* A line with what is in d->metadata. */
void decode__loki_line(struct decode__loki *d, int64_t ts_ns, struct slice line);
void decode__loki_bad_time(struct decode__loki *d, const char *text);

int decode__loki_json(struct decode__loki *d, struct slice body);
int decode__loki_proto(struct decode__loki *d, struct slice body);

#endif
