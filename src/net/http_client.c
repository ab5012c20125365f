/* libcurl's multi interface on a libuv loop: curl says which sockets to watch and when to call
 * again. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/loop_priv.h"

#define TIMEOUT_DEFAULT_NS     (30 * NS_PER_SEC)
#define RESPONSE_BYTES_DEFAULT ((size_t)64 << 20)
#define REDIRECTS_MAX          10L

struct net_client {
    struct net_loop *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct net_client_call *calls;
    bool closing;
    size_t handles; /* uv handles not yet closed, the timer among them */
};

/* A socket curl wants watched. */
struct watch {
    uv_poll_t poll;
    struct net_client *client;
    curl_socket_t fd;
};

struct net_client_call {
    struct net_client *client;
    struct net_client_call *prev, *next;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct buf send, body, head;
    size_t body_max;
    bool too_large;
    char error[CURL_ERROR_SIZE];
    void (*done)(const struct net_client_response *resp, void *ctx);
    void *ctx;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_body(char *ptr, size_t size, size_t count, void *arg)
{
    struct net_client_call *call = arg;
    size_t len = size * count;
    if (call->body.len + len > call->body_max) {
        call->too_large = true;
        return 0;
    }
    buf_append(&call->body, ptr, len);
    return len;
}

static size_t on_head(char *ptr, size_t size, size_t count, void *arg)
{
    struct net_client_call *call = arg;
    size_t len = size * count;
    /* A new status line begins a new response (redirects, 100 Continue). */
    if (len > 5 && memcmp(ptr, "HTTP/", 5) == 0)
        buf_clear(&call->head);
    if (call->head.len + len > (256u << 10))
        return 0;
    buf_append(&call->head, ptr, len);
    return len;
}

static struct slice response_header(const struct net_client_response *resp, const char *name)
{
    struct net_client_call *call = resp->priv;
    struct slice rest = buf_slice(&call->head), line;
    while (rest.len && slice_split(&rest, '\n', &line)) {
        ptrdiff_t colon = slice_find_char(line, ':');
        if (colon > 0 && slice_eq_nocase(slice_first(line, (size_t)colon), slice_cstr(name)))
            return slice_trim(slice_from(line, (size_t)colon + 1));
    }
    return (struct slice){NULL, 0};
}

static struct slice no_header(const struct net_client_response *resp, const char *name)
{
    (void)resp;
    (void)name;
    return (struct slice){NULL, 0};
}

/* curl takes the name for TLS from the URL: the URL gets that name, the connection goes to the
 * host that was there, which also stays in the header Host. */
static void set_server_name(struct net_client_call *call, const char *url, const char *name)
{
    CURLU *u = curl_url();
    char *host = NULL, *port = NULL, *renamed = NULL;
    struct buf line = {0};
    if (curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        curl_url_set(u, CURLUPART_HOST, name, 0) || curl_url_get(u, CURLUPART_URL, &renamed, 0))
        goto out; /* a bad URL has its own error */
    buf_printf(&line, "%s:%s:%s:%s", name, port, host, port);
    call->connect_to = curl_slist_append(NULL, buf_cstr(&line));
    buf_clear(&line);
    buf_printf(&line, "Host: %s:%s", host, port);
    call->headers = curl_slist_append(call->headers, buf_cstr(&line));
    curl_easy_setopt(call->easy, CURLOPT_CONNECT_TO, call->connect_to);
    curl_easy_setopt(call->easy, CURLOPT_URL, renamed);
out:
    buf_deinit(&line);
    curl_free(host);
    curl_free(port);
    curl_free(renamed);
    curl_url_cleanup(u);
}

static void set_tls_versions(CURL *easy, int min, int max)
{
    static const long mins[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
                                CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
    static const long maxes[] = {CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1,
                                 CURL_SSLVERSION_MAX_TLSv1_2, CURL_SSLVERSION_MAX_TLSv1_3};
    long version = min ? mins[min - 10] : CURL_SSLVERSION_DEFAULT;
    if (max)
        version |= maxes[max - 10];
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, version);
}

static void set_up(struct net_client_call *call, const struct net_client_request *req)
{
    CURL *e = call->easy;
    const char *method = req->method ? req->method : "GET";
    curl_easy_setopt(e, CURLOPT_URL, req->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    bool encrypted = slice_starts_with(slice_cstr(req->url), SLICE("https://"));
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                     (long)(!req->http2 ? CURL_HTTP_VERSION_1_1
                            : encrypted ? CURL_HTTP_VERSION_2TLS
                                        : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    if (req->http2 && !encrypted) {
        /* libcurl 7.88 begins HTTP/2 anew on a connection that has been used, and the peer ends it:
         * from then on every request would fail. */
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    }
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->error);
    curl_easy_setopt(e, CURLOPT_PRIVATE, call);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, req->follow_redirects ? 1L : 0L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
    int64_t timeout = req->timeout_ns ? req->timeout_ns : TIMEOUT_DEFAULT_NS;
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)MAX(timeout / NS_PER_MS, 1));
    /* Proxies only when told: the environment of a daemon is no configuration. */
    curl_easy_setopt(e, CURLOPT_PROXY, req->proxy_url ? req->proxy_url : "");
    if (req->accept_compressed)
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    if (strcmp(method, "GET") == 0) {
        curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
        buf_append_slice(&call->send, req->body);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, buf_cstr(&call->send));
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->send.len);
        call->headers = curl_slist_append(call->headers, "Expect:");
    }
    for (size_t i = 0; i < req->header_count; i++) {
        struct buf line = {0};
        buf_printf(&line, "%.*s: %.*s", SLICE_FMT(req->headers[i].name),
                   SLICE_FMT(req->headers[i].value));
        call->headers = curl_slist_append(call->headers, buf_cstr(&line));
        buf_deinit(&line);
    }
    if (req->tls && req->tls->server_name && strncmp(req->url, "https:", 6) == 0)
        set_server_name(call, req->url, req->tls->server_name);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers);
    if (req->username) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(e, CURLOPT_USERNAME, req->username);
        curl_easy_setopt(e, CURLOPT_PASSWORD, req->password ? req->password : "");
    } else if (req->bearer_token) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(e, CURLOPT_XOAUTH2_BEARER, req->bearer_token);
    }
    const struct net_client_tls *tls = req->tls;
    if (tls) {
        if (tls->min_version || tls->max_version)
            set_tls_versions(e, tls->min_version, tls->max_version);
        if (tls->ca_file)
            curl_easy_setopt(e, CURLOPT_CAINFO, tls->ca_file);
        if (tls->cert_file)
            curl_easy_setopt(e, CURLOPT_SSLCERT, tls->cert_file);
        if (tls->key_file)
            curl_easy_setopt(e, CURLOPT_SSLKEY, tls->key_file);
        if (tls->insecure_skip_verify) {
            curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
            curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
        }
    }
    call->body_max = req->response_bytes_max ? req->response_bytes_max : RESPONSE_BYTES_DEFAULT;
}

static struct net_client_call *new_call(const struct net_client_request *req)
{
    struct net_client_call *call = mem_calloc(1, sizeof(*call));
    pthread_once(&curl_once, init_curl);
    call->easy = curl_easy_init();
    base_assert(call->easy);
    set_up(call, req);
    return call;
}

static void free_call(struct net_client_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->connect_to);
    buf_deinit(&call->send);
    buf_deinit(&call->body);
    buf_deinit(&call->head);
    mem_free(call);
}

static void fill_response(struct net_client_call *call, CURLcode code,
                          struct net_client_response *out, struct diag *diag)
{
    *out = (struct net_client_response){.header = response_header, .priv = call, .diag = diag};
    curl_off_t total_us = 0, wire = 0;
    curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    curl_easy_getinfo(call->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    out->duration_ns = total_us * NS_PER_US;
    out->wire_bytes = (size_t)wire;
    const char *why = call->error[0] ? call->error : curl_easy_strerror(code);
    if (call->too_large) {
        out->err =
            diag_set(diag, ERR_TOO_LARGE, "the response is larger than %zu bytes", call->body_max);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        out->err = diag_set(diag, ERR_TIMEOUT, "%s", why);
    } else if (code == CURLE_COULDNT_CONNECT || code == CURLE_GOT_NOTHING ||
               code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) {
        out->err = diag_set(diag, ERR_CLOSED, "%s", why);
    } else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        out->err = diag_set(diag, ERR_INVALID, "%s", why);
    } else if (code != CURLE_OK) {
        out->err = diag_set(diag, ERR_IO, "%s", why);
    } else {
        long status = 0;
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
        out->status = (int)status;
        out->body = buf_slice(&call->body);
        out->content_type = response_header(out, "content-type");
    }
}

/* --- on a loop --- */

static void finish(struct net_client_call *call, CURLcode code, bool cancelled)
{
    struct net_client *client = call->client;
    struct net_client_response resp;
    struct diag diag;
    diag_init(&diag);
    fill_response(call, code, &resp, &diag);
    if (cancelled) {
        diag_init(&diag);
        resp.err = diag_set(&diag, ERR_CANCELLED, "cancelled");
    }
    curl_multi_remove_handle(client->multi, call->easy);
    if (call->prev)
        call->prev->next = call->next;
    else
        client->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->done(&resp, call->ctx);
    free_call(call);
}

static void take_finished(struct net_client *client)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(client->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        char *priv = NULL;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &priv);
        finish((struct net_client_call *)(void *)priv, code, false);
    }
}

static void on_socket_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct net_client *client = w->client;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0),
        running;
    if (status < 0)
        flags = CURL_CSELECT_ERR;
    curl_multi_socket_action(client->multi, w->fd, flags, &running);
    take_finished(client);
}

static void drop_handle(struct net_client *client)
{
    if (--client->handles == 0)
        mem_free(client);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    drop_handle(w->client);
    mem_free(w);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct net_client *client = arg;
    struct watch *w = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            uv_poll_stop(&w->poll);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
            curl_multi_assign(client->multi, fd, NULL);
        }
        return 0;
    }
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->client = client;
        w->fd = fd;
        w->poll.data = w;
        client->handles++;
        uv_poll_init_socket(&client->loop->uv, &w->poll, fd);
        curl_multi_assign(client->multi, fd, w);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&w->poll, events, on_socket_ready);
    return 0;
}

static void on_timeout(uv_timer_t *timer)
{
    struct net_client *client = timer->data;
    int running;
    curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(client);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
    struct net_client *client = arg;
    (void)multi;
    if (client->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&client->timer);
    else /* 0 must not call back from here: curl forbids the recursion */
        uv_timer_start(&client->timer, on_timeout, (uint64_t)timeout_ms, 0);
    return 0;
}

int net_client_new(struct net_loop *loop, struct net_client **out, struct diag *diag)
{
    pthread_once(&curl_once, init_curl);
    struct net_client *client = mem_calloc(1, sizeof(*client));
    client->loop = loop;
    client->handles = 1;
    client->multi = curl_multi_init();
    if (!client->multi) {
        mem_free(client);
        return diag_set(diag, ERR_NOMEM, "no memory for an HTTP client");
    }
    uv_timer_init(&loop->uv, &client->timer);
    client->timer.data = client;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *out = client;
    return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
    drop_handle(handle->data);
}

void net_client_free(struct net_client *client)
{
    if (!client)
        return;
    client->closing = true;
    while (client->calls)
        finish(client->calls, CURLE_OK, true);
    curl_multi_cleanup(client->multi);
    uv_timer_stop(&client->timer);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

struct net_client_call *
net_client_send(struct net_client *client, const struct net_client_request *req,
                void (*done)(const struct net_client_response *resp, void *ctx), void *ctx)
{
    struct net_client_call *call = new_call(req);
    call->client = client;
    call->done = done;
    call->ctx = ctx;
    call->next = client->calls;
    if (call->next)
        call->next->prev = call;
    client->calls = call;
    uv_update_time(&client->loop->uv);
    curl_multi_add_handle(client->multi, call->easy);
    return call;
}

void net_client_cancel(struct net_client_call *call)
{
    finish(call, CURLE_OK, true);
}

int net_client_fetch(const struct net_client_request *req, struct arena *arena,
                     struct net_client_response *out, struct diag *diag)
{
    struct net_client_call *call = new_call(req);
    CURLcode code = curl_easy_perform(call->easy);
    struct diag inner;
    diag_init(&inner);
    fill_response(call, code, out, &inner);
    out->body = arena_slice(arena, out->body);
    out->content_type = arena_slice(arena, out->content_type);
    out->header = no_header;
    out->diag = NULL;
    int err = out->err ? diag_set(diag, out->err, "%s", inner.msg) : 0;
    free_call(call);
    return err;
}
