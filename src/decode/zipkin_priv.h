/* What both versions of Zipkin's JSON share: a span as it is read. */
#ifndef DECODE_ZIPKIN_PRIV_H
#define DECODE_ZIPKIN_PRIV_H

#include "base/map.h"
#include "base/vec.h"
#include "codec/json_read.h"
#include "decode/zipkin.h"

struct decode__zipkin_endpoint {
    struct slice service, ip;
    int64_t port;
};

struct decode__zipkin_annotation {
    int64_t us;
    struct slice value;
};

struct decode__zipkin_tag {
    struct slice key, value;
};

struct decode__zipkin_span {
    char trace_id[16], id[8], parent_id[8];
    bool has_trace_id, has_id, has_parent_id;
    struct slice name;
    int kind; /* OTLP's */
    int64_t us, duration_us;
    struct decode__zipkin_endpoint local, remote;
    VEC(struct decode__zipkin_annotation) annotations;
    VEC(struct decode__zipkin_tag) tags;
    bool debug, shared;
};

/* Spans by service, in the order they come. */
struct decode__zipkin_service {
    struct slice name;
    struct buf spans;
};

struct decode__zipkin {
    struct arena *arena;
    struct diag *diag;
    struct map *by_name;
    VEC(struct decode__zipkin_service) services;
    struct decode__zipkin_span span;
};

void decode__zipkin_begin_span(struct decode__zipkin *z);
/* The span that was begun last is written. */
void decode__zipkin_finish_span(struct decode__zipkin *z);
/* Up to 2 * len hexadecimal digits, zeros in front left out. */
bool decode__zipkin_read_id(struct slice text, char *out, size_t len);
void decode__zipkin_read_endpoint(struct codec_json_reader *r, struct decode__zipkin_endpoint *out);
/* A list of version 1 (zipkin-api.yaml). */
int decode__zipkin_read_v1(struct decode__zipkin *z, struct slice body);

#endif
