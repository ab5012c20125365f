/* WebSocket channels on HTTP/1 connections: wslay frames, the connection reads and writes. */
#include "net/websocket.h"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include "base/assert.h"
#include "codec/base64.h"
#include "net/http_priv.h"

#define CLOSE_WAIT_NS (5 * NS_PER_SEC) /* for the peer's half of the closing handshake */
#define REASON_MAX    123
#define DRAIN_ROUNDS  16
#define CONTROL_BYTES ((size_t)64 << 10) /* of answers to pings beside the messages */

struct net_ws {
    struct net__conn *conn;
    struct net_ws_config config;
    wslay_event_context_ptr wslay;
    struct slice in;  /* being read */
    struct buf plain; /* frames to go to the connection */
    int64_t heard_ns, pinged_ns, close_at_ns;
    /* Where in the client's frames the bytes are: `header_len` of a header are in `header`, then
     * `payload_left` bytes of payload and mask. */
    unsigned char header[10];
    size_t header_len;
    uint64_t payload_left;
    bool reading, closing, wants_drain, in_drain, got_close;
    int code; /* of the peer's close frame */
    char reason[REASON_MAX + 1];
};

static int64_t now_of(struct net_ws *ws)
{
    return net__loop_now(ws->conn->acceptor->loop);
}

/* --- wslay's callbacks --- */

static ssize_t take_bytes(wslay_event_context_ptr ctx, uint8_t *dst, size_t max, int flags,
                          void *user)
{
    struct net_ws *ws = user;
    size_t n = MIN(max, ws->in.len);
    (void)flags;
    if (!n) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(dst, ws->in.ptr, n);
    ws->in = slice_from(ws->in, n);
    return (ssize_t)n;
}

static ssize_t give_bytes(wslay_event_context_ptr ctx, const uint8_t *src, size_t len, int flags,
                          void *user)
{
    struct net_ws *ws = user;
    (void)flags;
    if (net__conn_queued(ws->conn) + ws->plain.len >= NET__HIGH_WATER) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    buf_append(&ws->plain, src, len);
    return (ssize_t)len;
}

static void on_frame(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg,
                     void *user)
{
    struct net_ws *ws = user;
    struct slice message = slice_make(arg->msg, arg->msg_length);
    (void)ctx;
    if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        ws->got_close = true;
        ws->code = message.len >= 2 ? arg->status_code : NET_WS_NO_STATUS;
        message = slice_first(slice_from(message, 2), REASON_MAX);
        if (message.len)
            memcpy(ws->reason, message.ptr, message.len);
    } else if (!wslay_is_ctrl_frame(arg->opcode) && ws->config.on_message && !ws->closing) {
        ws->config.on_message(ws, arg->opcode == WSLAY_TEXT_FRAME, message, ws->config.ctx);
    }
}

/* --- the connection's side --- */

/* Bytes that may go to wslay: up to a frame that is not masked, which RFC 6455 5.1 forbids to
 * clients and wslay lets pass. */
static size_t masked_prefix(struct net_ws *ws, struct slice bytes)
{
    size_t at = 0;
    while (at < bytes.len) {
        if (ws->payload_left) {
            size_t n = (size_t)MIN(ws->payload_left, (uint64_t)(bytes.len - at));
            ws->payload_left -= n;
            at += n;
            continue;
        }
        ws->header[ws->header_len++] = (unsigned char)bytes.ptr[at];
        if (ws->header_len == 2 && !(ws->header[1] & 0x80))
            return at;
        at++;
        unsigned len7 = ws->header[1] & 0x7f;
        size_t extended = len7 < 126 ? 0 : len7 == 126 ? 2 : 8;
        if (ws->header_len < 2 || ws->header_len < 2 + extended)
            continue;
        uint64_t len = extended ? 0 : len7;
        for (size_t i = 0; i < extended; i++)
            len = len << 8 | ws->header[2 + i];
        ws->payload_left = MIN(len, UINT64_MAX - 4) + 4; /* wslay refuses lengths over 2^63 */
        ws->header_len = 0;
    }
    return at;
}

static void take_frames(struct net_ws *ws, struct slice bytes)
{
    static const char why[] = "frames of clients are masked";
    size_t n = wslay_event_get_read_enabled(ws->wslay) ? masked_prefix(ws, bytes) : 0;
    ws->in = slice_first(bytes, n);
    if (n)
        wslay_event_recv(ws->wslay); /* on a fault it queues the closing frame itself */
    if (n < bytes.len && wslay_event_get_read_enabled(ws->wslay)) {
        wslay_event_shutdown_read(ws->wslay);
        wslay_event_queue_close(ws->wslay, NET_WS_PROTOCOL_ERROR, (const uint8_t *)why,
                                sizeof(why) - 1);
    }
}

void net__ws_feed(struct net__conn *c, struct slice bytes)
{
    struct net_ws *ws = c->ws;
    struct buf ahead = c->ahead; /* read while the request was with its handler */
    c->ahead = (struct buf){0};
    ws->heard_ns = now_of(ws);
    ws->reading = true;
    for (int i = 0; i < 2; i++) {
        struct slice in = i ? bytes : buf_slice(&ahead);
        if (in.len)
            take_frames(ws, in);
    }
    ws->reading = false;
    buf_deinit(&ahead);
    if (net_ws_queued(ws) > ws->config.queue_bytes_max + CONTROL_BYTES)
        net__conn_close(c); /* pings without end, and the answers are not read */
}

void net__ws_pump(struct net__conn *c)
{
    struct net_ws *ws = c->ws;
    if (ws->reading || c->state != NET__WS)
        return;
    if (wslay_event_want_write(ws->wslay))
        wslay_event_send(ws->wslay);
    if (ws->plain.len) {
        net__conn_send(c, buf_slice(&ws->plain));
        buf_clear(&ws->plain);
    }
}

void net__ws_after_flush(struct net__conn *c)
{
    struct net_ws *ws = c->ws;
    if (ws->reading || c->state != NET__WS)
        return;
    if (!c->write_pending)
        c->deadline_ns = 0;
    if (!ws->in_drain) {
        ws->in_drain = true;
        /* Rounds that are cut short go on with the next sweep. */
        for (int i = 0; i < DRAIN_ROUNDS && ws->wants_drain && !ws->closing &&
                        ws->config.on_drain && net_ws_queued(ws) <= ws->config.queue_bytes_max / 2;
             i++) {
            ws->wants_drain = false;
            ws->config.on_drain(ws, ws->config.ctx);
        }
        ws->in_drain = false;
    }
    if (!wslay_event_want_read(ws->wslay) && !wslay_event_want_write(ws->wslay))
        c->close_after_write = c->linger = true;
}

void net__ws_sweep(struct net__conn *c, int64_t now)
{
    struct net_ws *ws = c->ws;
    if (c->ahead.len)
        net__ws_feed(c, SLICE(""));
    if (ws->closing ? now >= ws->close_at_ns
                    : now - ws->heard_ns >= 2 * ws->config.ping_interval_ns) {
        counter_add(&c->acceptor->server->counters[NET__TIMEOUTS], 1);
        net__conn_close(c);
        return;
    }
    if (!ws->closing && now - ws->pinged_ns >= ws->config.ping_interval_ns) {
        struct wslay_event_msg ping = {.opcode = WSLAY_PING};
        ws->pinged_ns = now;
        wslay_event_queue_msg(ws->wslay, &ping);
    }
    net__conn_flush(c);
}

void net__ws_free(struct net_ws *ws)
{
    if (!ws)
        return;
    int code = ws->code;
    if (!ws->got_close) {
        code = NET_WS_ABNORMAL;
        if (!ws->closing && wslay_event_get_close_sent(ws->wslay)) { /* wslay found a fault */
            code = wslay_event_get_status_code_sent(ws->wslay);
            if (code == NET_WS_NO_STATUS) /* in a control frame, of which it says nothing */
                code = NET_WS_PROTOCOL_ERROR;
        }
    }
    counter_add(&ws->conn->acceptor->server->counters[NET__WS_OPEN], -1);
    ws->closing = true;
    if (ws->config.on_close)
        ws->config.on_close(ws, code, slice_cstr(ws->reason), ws->config.ctx);
    wslay_event_context_free(ws->wslay);
    buf_deinit(&ws->plain);
    mem_free(ws);
}

/* --- the handshake --- */

/* A comma-separated list names the word. */
static bool list_has(struct slice list, struct slice word)
{
    struct slice item;
    while (list.ptr && slice_split(&list, ',', &item)) {
        if (slice_eq_nocase(slice_trim(item), word))
            return true;
    }
    return false;
}

bool net_ws_is_upgrade(const struct net_request *req)
{
    return !req->h2 && req->method == NET_GET &&
           list_has(net_request_header(req, "upgrade"), SLICE("websocket"));
}

/* Base64 of the SHA-1 of the key and the protocol's constant. */
static void append_accept(struct slice key, struct buf *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf text = {0};
    buf_append_slice(&text, key);
    buf_append_cstr(&text, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base_assert(EVP_Digest(text.ptr, text.len, digest, &len, EVP_sha1(), NULL) == 1);
    codec_base64_append(out, slice_make(digest, len), CODEC_BASE64_STANDARD);
    buf_deinit(&text);
}

/* NULL, or what is wrong with the handshake. */
static const char *check(struct net_request *req, int *out_status)
{
    struct buf key = {0};
    *out_status = 400;
    if (req->conn->state != NET__ANSWER)
        return "the connection is closing";
    if (!net_ws_is_upgrade(req) || req->http10 ||
        !list_has(net_request_header(req, "connection"), SLICE("upgrade"))) {
        *out_status = 426;
        return "this path is a WebSocket: GET over HTTP/1.1 with Upgrade: websocket and "
               "Connection: Upgrade is needed";
    }
    if (!slice_eq_cstr(net_request_header(req, "sec-websocket-version"), "13")) {
        *out_status = 426;
        return "Sec-WebSocket-Version 13 is spoken here";
    }
    int err = codec_base64_decode(net_request_header(req, "sec-websocket-key"), &key);
    size_t len = key.len;
    buf_deinit(&key);
    return err || len != 16 ? "Sec-WebSocket-Key is 16 bytes in base64" : NULL;
}

static void send_accepted(struct net_request *req, const char *protocol)
{
    struct net__conn *c = req->conn;
    struct buf head = {0};
    buf_append_cstr(&head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    append_accept(net_request_header(req, "sec-websocket-key"), &head);
    buf_append_cstr(&head, "\r\n");
    if (protocol &&
        list_has(net_request_header(req, "sec-websocket-protocol"), slice_cstr(protocol)))
        buf_printf(&head, "Sec-WebSocket-Protocol: %s\r\n", protocol);
    buf_append_slice(&head, buf_slice(&req->extra_headers));
    buf_append_cstr(&head, "\r\n");
    net__response_begun(req, 101);
    net__conn_send(c, buf_slice(&head));
    buf_deinit(&head);
}

struct net_ws *net_ws_accept(struct net_request *req, const struct net_ws_config *config)
{
    static const struct wslay_event_callbacks callbacks = {
        .recv_callback = take_bytes, .send_callback = give_bytes, .on_msg_recv_callback = on_frame};
    struct net__conn *c = req->conn;
    int status;
    const char *why = check(req, &status);
    if (why) {
        if (status == 426) {
            net_response_header(req, "Upgrade", SLICE("websocket"));
            net_response_header(req, "Sec-WebSocket-Version", SLICE("13"));
        }
        net_respond_text(req, status, "%s\n", why);
        return NULL;
    }
    struct net_ws *ws = mem_calloc(1, sizeof(*ws));
    ws->conn = c;
    ws->config = *config;
    if (!ws->config.message_bytes_max)
        ws->config.message_bytes_max = (size_t)1 << 20;
    if (!ws->config.queue_bytes_max)
        ws->config.queue_bytes_max = (size_t)4 << 20;
    if (!ws->config.ping_interval_ns)
        ws->config.ping_interval_ns = 30 * NS_PER_SEC;
    base_assert(!wslay_event_context_server_init(&ws->wslay, &callbacks, ws));
    wslay_event_config_set_max_recv_msg_length(ws->wslay, ws->config.message_bytes_max);
    ws->heard_ns = ws->pinged_ns = now_of(ws);
    send_accepted(req, config->protocol);
    counter_add(&c->acceptor->server->counters[NET__WS_OPEN], 1);
    net__request_free(req);
    c->request = NULL;
    c->ws = ws;
    if (c->state != NET__CLOSING) /* TLS may have broken just now; then on_close follows */
        c->state = NET__WS;
    c->deadline_ns = 0;
    net__conn_start_reading(c);
    net__conn_flush(c);
    return ws;
}

/* --- the channel --- */

int net_ws_send(struct net_ws *ws, bool text, struct slice message)
{
    struct wslay_event_msg m = {.opcode = text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
                                .msg = (const uint8_t *)(message.ptr ? message.ptr : ""),
                                .msg_length = message.len};
    if (ws->closing || ws->got_close || ws->conn->state != NET__WS)
        return ERR_CLOSED;
    size_t after = net_ws_queued(ws) + message.len;
    if (after > ws->config.queue_bytes_max / 2)
        ws->wants_drain = true;
    if (after > ws->config.queue_bytes_max)
        return ERR_LIMIT;
    if (wslay_event_queue_msg(ws->wslay, &m))
        return ERR_CLOSED;
    if (!ws->reading)
        net__conn_flush(ws->conn);
    return 0;
}

size_t net_ws_queued(const struct net_ws *ws)
{
    return wslay_event_get_queued_msg_length(ws->wslay) + ws->plain.len +
           net__conn_queued(ws->conn);
}

void net_ws_close(struct net_ws *ws, int code, const char *reason)
{
    struct slice text = slice_first(slice_cstr(reason ? reason : ""), REASON_MAX);
    if (ws->closing || ws->conn->state != NET__WS)
        return;
    ws->closing = true;
    ws->close_at_ns = now_of(ws) + CLOSE_WAIT_NS;
    wslay_event_queue_close(ws->wslay, (uint16_t)code, (const uint8_t *)text.ptr, text.len);
    if (!ws->reading)
        net__conn_flush(ws->conn);
}

struct net_loop *net_ws_loop(const struct net_ws *ws)
{
    return ws->conn->acceptor->loop;
}
