/* A blocking HTTP/2 client for tests: nghttp2 on a socket, and raw frames. */
#ifndef TESTS_NET_H2_CLIENT_H
#define TESTS_NET_H2_CLIENT_H

#include <nghttp2/nghttp2.h>

#include "base/buf.h"

#define H2_ANSWERS_MAX 4096

struct h2_answer {
    int status; /* 0: no headers came */
    bool closed;
    uint32_t error;          /* of the stream, when closed */
    struct buf fields, body; /* "name: value\n" each, trailers too */
};

struct h2_body {
    struct slice bytes;
    size_t step;         /* bytes of one DATA frame; 0 = as many as fit */
    const char *trailer; /* value of x-trailer; NULL: none */
    bool open;           /* no end */
};

struct h2_client {
    int fd;
    nghttp2_session *session;
    struct h2_answer answers[H2_ANSWERS_MAX]; /* by (stream id - 1) / 2 */
    struct h2_body bodies[H2_ANSWERS_MAX];
    bool goaway, closed;
    uint32_t goaway_error;
    bool pause; /* no window updates by itself */
};

/* Connects and sends the preface; a receive that takes longer than a minute fails. */
struct h2_client *h2_connect(uint16_t port);
void h2_close(struct h2_client *c);
/* Begins a request; `headers` are "name", "value", ... NULL. Returns the stream's id. */
int32_t h2_request(struct h2_client *c, const char *method, const char *path,
                   const char *const *headers, const struct h2_body *body);
struct h2_answer *h2_answer_of(struct h2_client *c, int32_t id);
/* Sends what waits. */
void h2_send(struct h2_client *c);
/* Sends what waits, then takes one read; false when the peer closed. */
bool h2_turn(struct h2_client *c);
/* Until the stream is closed. */
struct h2_answer *h2_wait(struct h2_client *c, int32_t id);
/* The value of a field of the answer, or NULL; valid until the next call. */
const char *h2_field(const struct h2_answer *a, const char *name);

int h2_dial(uint16_t port);
/* A frame in wire form. */
void h2_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, struct slice payload);
/* Sends bytes, reads until the server closes; true when a GOAWAY came, with its error code. */
bool h2_raw(uint16_t port, struct slice bytes, uint32_t *out_error);

#endif
