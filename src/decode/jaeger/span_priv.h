/* A span of Jaeger's, whatever its encoding, and how it becomes OTLP's. */
#ifndef DECODE_JAEGER_SPAN_PRIV_H
#define DECODE_JAEGER_SPAN_PRIV_H

#include "base/buf.h"
#include "base/vec.h"
#include "data/value.h"

struct decode__jaeger_tag {
    struct slice key;
    struct data_value value;
};

typedef VEC(struct decode__jaeger_tag) decode__jaeger_tags;

struct decode__jaeger_reference {
    char trace_id[16], span_id[8];
    bool follows_from;
};

struct decode__jaeger_log {
    uint64_t ns;
    size_t first, count; /* in log_tags */
};

struct decode__jaeger_span {
    char trace_id[16], span_id[8], parent_id[8];
    bool bad_id; /* an id of another length: passed on without, to be refused */
    struct slice name;
    uint32_t flags;
    uint64_t start_ns, duration_ns;
    decode__jaeger_tags tags, log_tags;
    VEC(struct decode__jaeger_log) logs;
    VEC(struct decode__jaeger_reference) references;
};

struct decode__jaeger_process {
    struct slice service;
    decode__jaeger_tags tags;
};

void decode__jaeger_span_reset(struct decode__jaeger_span *s);
void decode__jaeger_span_free(struct decode__jaeger_span *s);
/* Microseconds as nanoseconds; what does not fit is beyond all years. */
uint64_t decode__jaeger_ns(int64_t us);
/* A ResourceSpans is begun (its mark in *out_mark), with its scope not yet. */
size_t decode__jaeger_begin_resource(const struct decode__jaeger_process *p, struct buf *out);
/* A ScopeSpans with this one span. */
void decode__jaeger_put_span(const struct decode__jaeger_span *s, struct buf *out);

#endif
