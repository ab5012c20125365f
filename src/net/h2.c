/* An HTTP/2 session (RFC 9113) on a connection: nghttp2 turns bytes into requests and responses
 * into frames; here is when, how much, and when it is enough. Requests go to the handler after the
 * bytes of one read were parsed, so that a stream reset at once costs no work. */
#include "base/assert.h"
#include "net/h2_priv.h"

#define STREAM_WINDOW     ((int32_t)1 << 20)
#define CONNECTION_WINDOW ((int32_t)8 << 20)
#define CONTROL_MAX       10000 /* control frames at once; 1000 a second are forgiven */
#define SWEEP_FORGIVES    250
#define LINGER_NS         NS_PER_SEC
#define PING_AFTER_NS     (30 * NS_PER_SEC) /* of silence while requests are open */
#define PING_WAIT_NS      (20 * NS_PER_SEC)

const char net__h2_preface[24 + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static struct net_http_server *server_of(struct net__h2 *h2)
{
    return h2->conn->acceptor->server;
}

static int64_t now_of(struct net__h2 *h2)
{
    return net__loop_now(h2->conn->acceptor->loop);
}

/* --- nghttp2's callbacks --- */

static struct net_request *request_of(struct net__h2 *h2, int32_t id)
{
    return id ? nghttp2_session_get_stream_user_data(h2->session, id) : NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct net__h2 *h2 = user;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    /* Streams that were reset while their handlers still work count here, not for nghttp2. */
    if (h2->live >= server_of(h2)->config.limits.streams_max) {
        counter_add(&server_of(h2)->counters[NET__H2_REFUSED], 1);
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        return 0;
    }
    nghttp2_session_set_stream_user_data(session, id, net__h2_request_new(h2, id));
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct net_request *req = request_of(user, frame->hd.stream_id);
    (void)session;
    (void)flags;
    if (req)
        net__h2_field(req, slice_make(name, name_len), slice_make(value, value_len));
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user)
{
    struct net__h2 *h2 = user;
    struct net_request *req = request_of(h2, id);
    (void)session;
    (void)flags;
    if (!req || req->h2->dispatched)
        return 0; /* refused already: what still comes is dropped */
    char why[200];
    struct slice length = net_request_header(req, "content-length");
    uint64_t whole = 0;
    for (size_t i = 0; i < length.len && i < 18; i++)
        whole = whole * 10 + (uint64_t)(length.ptr[i] - '0'); /* nghttp2 checked that it is one */
    req->h2->progress_ns = now_of(h2);
    int status = net__request_body_add(req, data, len, whole, why, sizeof(why));
    if (status)
        net__h2_refuse(req, status, why);
    return 0;
}

static void mark_ready(struct net__h2 *h2, struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    st->peer_ended = true;
    if (st->dispatched || st->ready)
        return;
    st->ready = true;
    *(h2->ready_last ? &h2->ready_last->h2->next_ready : &h2->ready_first) = req;
    h2->ready_last = req;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct net__h2 *h2 = user;
    struct net_request *req = request_of(h2, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM, control = false;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (req && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            net__h2_head_done(req);
        else if (req)
            net__h2_fields_refused(req);
        if (req && end)
            mark_ready(h2, req);
        break;
    case NGHTTP2_DATA:
        if (req && end)
            mark_ready(h2, req);
        control = !end && frame->data.hd.length == 0;
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            h2->pinged = false;
        control = true;
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PRIORITY:
    case NGHTTP2_RST_STREAM: control = true; break;
    default: break;
    }
    if (control && ++h2->control_frames == CONTROL_MAX)
        nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct net__h2 *h2 = user;
    struct net_request *req;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_GOAWAY:
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR)
            counter_add(&server_of(h2)->counters[NET__H2_ABUSE], 1);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        /* Answered before the whole request was here. A reset at once makes some clients forget the
         * answer, so what they still send is dropped for a moment. */
        req = request_of(h2, frame->hd.stream_id);
        if (req && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !req->h2->peer_ended)
            req->h2->reset_at_ns = now_of(h2) + LINGER_NS;
        break;
    default: break;
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user)
{
    struct net_request *req = request_of(user, id);
    (void)session;
    (void)error;
    if (req)
        net__h2_stream_gone(req);
    return 0;
}

/* --- life --- */

void net__h2_start(struct net__conn *c)
{
    struct net__h2 *h2 = mem_calloc(1, sizeof(*h2));
    const struct net_http_limits *limits = &c->acceptor->server->config.limits;
    nghttp2_session_callbacks *cb;
    nghttp2_option *option;
    h2->conn = c;
    c->h2 = h2;
    c->state = NET__H2;
    c->deadline_ns = 0;
    h2->idle_since_ns = h2->last_read_ns = now_of(h2);
    counter_add(&c->acceptor->server->counters[NET__H2_CONNS], 1);
    base_assert(!nghttp2_session_callbacks_new(&cb) && !nghttp2_option_new(&option));
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    /* Resets beyond 33 a second, more than 8 CONTINUATIONs a head and 1000 unsent acknowledgements
     * end a session: nghttp2's own limits. */
    nghttp2_option_set_no_closed_streams(option, 1);
    base_assert(!nghttp2_session_server_new2(&h2->session, cb, h2, option));
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)MIN(limits->streams_max, INT32_MAX)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         (uint32_t)MIN(limits->header_bytes_max, UINT32_MAX)},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

void net__h2_free(struct net__h2 *h2)
{
    if (!h2)
        return;
    base_assert(!h2->live);
    nghttp2_session_del(h2->session);
    buf_deinit(&h2->plain);
    mem_free(h2);
}

size_t net__h2_live(const struct net__h2 *h2)
{
    return h2->live;
}

/* --- bytes in --- */

static void dispatch(struct net__h2 *h2, struct net_request *req)
{
    struct net__h2_stream *st = req->h2;
    char why[200];
    h2->control_frames = MAX(h2->control_frames - 10, 0);
    int status = net__request_body_done(req, why, sizeof(why));
    if (status) {
        net__h2_refuse(req, status, why);
        return;
    }
    st->dispatched = true;
    server_of(h2)->config.handler(req, server_of(h2)->config.ctx);
}

void net__h2_feed(struct net__conn *c, struct slice bytes)
{
    struct net__h2 *h2 = c->h2;
    if (!bytes.len || h2->broken || c->state != NET__H2)
        return;
    h2->last_read_ns = now_of(h2);
    c->in_parse = true; /* answers given meanwhile are sent together */
    ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.ptr, bytes.len);
    while (h2->ready_first) {
        struct net_request *req = h2->ready_first;
        h2->ready_first = req->h2->next_ready;
        if (!h2->ready_first)
            h2->ready_last = NULL;
        req->h2->ready = false;
        dispatch(h2, req);
    }
    if (n < 0) {
        h2->broken = true;
        nghttp2_session_terminate_session(h2->session, n == NGHTTP2_ERR_FLOODED
                                                           ? NGHTTP2_ENHANCE_YOUR_CALM
                                                           : NGHTTP2_PROTOCOL_ERROR);
    }
    c->in_parse = false;
}

/* --- bytes out --- */

void net__h2_pump(struct net__conn *c)
{
    struct net__h2 *h2 = c->h2;
    if (c->in_parse || c->state != NET__H2)
        return;
    c->in_parse = true;
    while (net__conn_queued(c) + h2->plain.len < NET__HIGH_WATER) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h2->session, &data);
        if (n <= 0)
            break;
        buf_append(c->tls ? &h2->plain : &c->out, data, (size_t)n);
    }
    c->in_parse = false;
    if (h2->plain.len) {
        net__conn_send(c, buf_slice(&h2->plain));
        buf_clear(&h2->plain);
    }
}

static struct net_request *next_due(struct net__h2 *h2)
{
    for (struct net_request *req = h2->first; req; req = req->h2->next) {
        if (req->h2->drain_due)
            return req;
    }
    return NULL;
}

/* Handlers that wait for the peer go on. Each at most once: one that waits again although there is
 * room is called at the next occasion, the sweep at the latest. */
static void run_drains(struct net__h2 *h2)
{
    if (!h2->drain_wanted || h2->in_drain)
        return;
    h2->in_drain = true;
    for (struct net_request *req = h2->first; req; req = req->h2->next)
        req->h2->drain_due = req->on_drain && net__h2_queued(req) <= NET__H2_LOW_WATER;
    for (struct net_request *req; (req = next_due(h2));) {
        void (*fn)(void *) = req->on_drain;
        req->h2->drain_due = false;
        req->on_drain = NULL;
        if (fn)
            fn(req->drain_ctx);
    }
    h2->drain_wanted = false;
    for (struct net_request *req = h2->first; req; req = req->h2->next)
        h2->drain_wanted |= req->on_drain != NULL;
    h2->in_drain = false;
}

void net__h2_after_flush(struct net__conn *c)
{
    struct net__h2 *h2 = c->h2;
    if (c->in_parse || c->state != NET__H2)
        return;
    if (!c->write_pending)
        c->deadline_ns = 0;
    run_drains(h2);
    if (c->state != NET__H2 || c->write_pending || c->out.len)
        return;
    if (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session)) {
        c->close_after_write = c->linger = true;
        net__h2_abort_all(c);
    }
}

void net__h2_abort_all(struct net__conn *c)
{
    struct net__h2 *h2 = c->h2;
    h2->broken = true;
    for (struct net_request *req = h2->first; req;) {
        if (req->h2->gone) {
            req = req->h2->next;
            continue;
        }
        net__h2_stream_gone(req);
        req = h2->first; /* handlers were told, any of them may have answered */
    }
}

/* --- time --- */

bool net__h2_drain(struct net__conn *c)
{
    struct net__h2 *h2 = c->h2;
    if (!h2->notice_sent) {
        /* What is on its way is still taken; the last word follows at the next tick. */
        h2->notice_sent = true;
        nghttp2_submit_shutdown_notice(h2->session);
        net__conn_flush(c);
        return true;
    }
    if (!h2->goaway_sent) {
        h2->goaway_sent = true;
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(h2->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
        net__conn_flush(c);
    }
    return h2->live || c->write_pending || c->out.len || nghttp2_session_want_write(h2->session);
}

/* True when it did something to the request: the list may have changed. */
static bool sweep_request(struct net__h2 *h2, struct net_request *req, int64_t now)
{
    struct net__h2_stream *st = req->h2;
    const struct net_http_limits *limits = &server_of(h2)->config.limits;
    if (st->gone)
        return false;
    if (st->on_expiry && now >= st->expiry_ns) {
        void (*fn)(struct net_request *) = st->on_expiry;
        st->on_expiry = NULL;
        fn(req);
        return true;
    }
    if (!st->dispatched && now - st->progress_ns >= limits->body_timeout_ns) {
        counter_add(&server_of(h2)->counters[NET__TIMEOUTS], 1);
        net__h2_refuse(req, 408,
                       "the request stalled for longer than limits.http.body_timeout allows");
        return true;
    }
    if (st->reset_at_ns && !st->reset && now >= st->reset_at_ns) {
        st->reset = true;
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_NO_ERROR);
        return true;
    }
    if (st->dispatched && !st->reset && net__h2_queued(req) &&
        now - st->progress_ns >= limits->write_timeout_ns) {
        counter_add(&server_of(h2)->counters[NET__TIMEOUTS], 1);
        st->reset = true;
        nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, st->id, NGHTTP2_CANCEL);
        return true;
    }
    return false;
}

void net__h2_sweep(struct net__conn *c, int64_t now)
{
    struct net__h2 *h2 = c->h2;
    h2->control_frames = MAX(h2->control_frames - SWEEP_FORGIVES, 0);
    for (struct net_request *req = h2->first; req;)
        req = sweep_request(h2, req, now) ? h2->first : req->h2->next;
    if (!h2->live && now - h2->idle_since_ns >= server_of(h2)->config.limits.idle_timeout_ns &&
        !h2->goaway_sent) {
        counter_add(&server_of(h2)->counters[NET__TIMEOUTS], 1);
        h2->goaway_sent = true;
        nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
    }
    int64_t silent_ns = now - h2->last_read_ns;
    if (h2->live && silent_ns >= PING_AFTER_NS && !h2->pinged) {
        h2->pinged = true;
        nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
    } else if (h2->pinged && silent_ns >= PING_AFTER_NS + PING_WAIT_NS) {
        counter_add(&server_of(h2)->counters[NET__TIMEOUTS], 1);
        net__conn_close(c);
        return;
    }
    net__conn_flush(c);
}
