#include "h2_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

int h2_dial(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

struct h2_answer *h2_answer_of(struct h2_client *c, int32_t id)
{
    assert_true(id > 0 && id / 2 < H2_ANSWERS_MAX);
    return &c->answers[id / 2];
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct h2_answer *a = h2_answer_of(user, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (slice_eq_cstr(slice_make(name, name_len), ":status"))
        sscanf((const char *)value, "%d", &a->status);
    else
        buf_printf(&a->fields, "%.*s: %.*s\n", (int)name_len, name, (int)value_len, value);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t len, void *user)
{
    (void)session;
    (void)flags;
    buf_append(&h2_answer_of(user, id)->body, data, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_client *c = user;
    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->goaway = true;
        c->goaway_error = frame->goaway.error_code;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct h2_answer *a = h2_answer_of(user, id);
    (void)session;
    a->closed = true;
    a->error = error;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *dst, size_t max,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_body *b = source->ptr;
    (void)user;
    size_t n = MIN(b->bytes.len, b->step ? MIN(b->step, max) : max);
    if (!n && b->open)
        return NGHTTP2_ERR_DEFERRED;
    if (n)
        memcpy(dst, b->bytes.ptr, n);
    b->bytes = slice_from(b->bytes, n);
    if (!b->bytes.len && !b->open) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (b->trailer) {
            nghttp2_nv nv = {(uint8_t *)"x-trailer", (uint8_t *)(uintptr_t)b->trailer, 9,
                             strlen(b->trailer), NGHTTP2_NV_FLAG_NONE};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, &nv, 1);
        }
    }
    return (ssize_t)n;
}

struct h2_client *h2_connect(uint16_t port)
{
    struct h2_client *c = mem_calloc(1, sizeof(*c));
    nghttp2_session_callbacks *cb;
    nghttp2_session_callbacks_new(&cb);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    nghttp2_session_client_new(&c->session, cb, c);
    nghttp2_session_callbacks_del(cb);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, NULL, 0);
    c->fd = h2_dial(port);
    return c;
}

void h2_close(struct h2_client *c)
{
    close(c->fd);
    nghttp2_session_del(c->session);
    for (size_t i = 0; i < H2_ANSWERS_MAX; i++) {
        buf_deinit(&c->answers[i].fields);
        buf_deinit(&c->answers[i].body);
    }
    mem_free(c);
}

static nghttp2_nv make_nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

int32_t h2_request(struct h2_client *c, const char *method, const char *path,
                   const char *const *headers, const struct h2_body *body)
{
    nghttp2_nv nv[64];
    size_t n = 0;
    nv[n++] = make_nv(":method", method);
    nv[n++] = make_nv(":path", path);
    nv[n++] = make_nv(":scheme", "http");
    nv[n++] = make_nv(":authority", "h");
    for (size_t i = 0; headers && headers[i]; i += 2)
        nv[n++] = make_nv(headers[i], headers[i + 1]);
    uint32_t next = nghttp2_session_get_next_stream_id(c->session);
    nghttp2_data_provider provider = {.read_callback = read_body};
    if (body) {
        c->bodies[next / 2] = *body;
        provider.source.ptr = &c->bodies[next / 2];
    }
    int32_t id = nghttp2_submit_request(c->session, NULL, nv, n, body ? &provider : NULL, NULL);
    assert_int_equal(id, (int32_t)next);
    return id;
}

void h2_send(struct h2_client *c)
{
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(c->session, &data)) > 0) {
        while (n > 0) {
            ssize_t sent = send(c->fd, data, (size_t)n, MSG_NOSIGNAL);
            if (sent <= 0)
                return; /* the reading tells */
            data += sent;
            n -= sent;
        }
    }
}

bool h2_turn(struct h2_client *c)
{
    static uint8_t chunk[256 << 10];
    h2_send(c);
    ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);
    if (n <= 0) {
        c->closed = true;
        return false;
    }
    assert_true(nghttp2_session_mem_recv(c->session, chunk, (size_t)n) == n);
    return true;
}

struct h2_answer *h2_wait(struct h2_client *c, int32_t id)
{
    struct h2_answer *a = h2_answer_of(c, id);
    h2_send(c); /* what it sends last may close the stream, and nothing comes after */
    while (!a->closed && h2_turn(c))
        h2_send(c);
    return a;
}

const char *h2_field(const struct h2_answer *a, const char *name)
{
    static char value[4096];
    struct slice rest = buf_slice(&a->fields), line;
    size_t len = strlen(name);
    while (rest.ptr && slice_split(&rest, '\n', &line)) {
        if (line.len > len + 1 && line.ptr[len] == ':' && !memcmp(line.ptr, name, len)) {
            snprintf(value, sizeof(value), "%.*s", SLICE_FMT(slice_from(line, len + 2)));
            return value;
        }
    }
    return NULL;
}

void h2_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t stream, struct slice payload)
{
    char head[9] = {(char)(payload.len >> 16),
                    (char)(payload.len >> 8),
                    (char)payload.len,
                    (char)type,
                    (char)flags,
                    (char)(stream >> 24),
                    (char)(stream >> 16),
                    (char)(stream >> 8),
                    (char)stream};
    buf_append(out, head, sizeof(head));
    buf_append_slice(out, payload);
}

bool h2_raw(uint16_t port, struct slice bytes, uint32_t *out_error)
{
    int fd = h2_dial(port);
    struct buf in = {0};
    bool goaway = false;
    while (bytes.len) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            bytes = slice_from(bytes, (size_t)n);
        ssize_t got = recv(fd, buf_reserve(&in, 65536), 65536, n > 0 ? MSG_DONTWAIT : 0);
        if (got > 0)
            in.len += (size_t)got;
        else if (got == 0)
            break;
    }
    shutdown(fd, SHUT_WR);
    for (ssize_t n; (n = recv(fd, buf_reserve(&in, 65536), 65536, 0)) > 0;)
        in.len += (size_t)n;
    close(fd);
    for (size_t at = 0; at + 9 <= in.len;) {
        const unsigned char *p = (const unsigned char *)in.ptr + at;
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        if (p[3] == NGHTTP2_GOAWAY && at + 17 <= in.len) {
            goaway = true;
            *out_error =
                (uint32_t)p[13] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[15] << 8 | p[16];
        }
        at += 9 + len;
    }
    buf_deinit(&in);
    return goaway;
}
