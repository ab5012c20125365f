/* Posting payloads: HTTP, and gRPC as an HTTP/2 request with a status among the trailers. */
#include <stdio.h>

#include "output/output_priv.h"
#include "text/duration.h"

#define HEADERS_MAX      12
#define SECRET_BYTES_MAX 65536

struct http {
    struct output__target *target;
    struct net_client *client;
    struct discovery_client *sender; /* NULL: no http_config */
    char user_agent[64];
};

static void *http_open(struct output__target *t)
{
    struct http *s = mem_calloc(1, sizeof(*s));
    s->target = t;
    (void)!net_client_new(t->loop, &s->client, NULL);
    if (t->settings->http)
        s->sender = discovery_client_new(t->env->os, s->client);
    snprintf(s->user_agent, sizeof(s->user_agent), "Pharos/%s",
             t->env->version ? t->env->version : "");
    return s;
}

/* The file's content without the white space around it. */
static int read_secret(struct output__target *t, const char *path, struct arena *arena,
                       const char **out, struct diag *diag)
{
    struct os *os = t->env->os;
    struct os_file *file = NULL;
    uint64_t size = 0;
    int err = os->ops->open(os, path, OS_READ, &file, diag);
    if (!err)
        err = os->ops->size(file, &size, diag);
    if (!err && size > SECRET_BYTES_MAX)
        err = diag_set(diag, ERR_TOO_LARGE, "%s is larger than 64 KiB", path);
    if (!err) {
        char *text = arena_alloc(arena, (size_t)size + 1);
        err = size ? os->ops->read_at(file, 0, text, (size_t)size, diag) : 0;
        if (!err)
            *out = arena_slice(arena, slice_trim(slice_make(text, (size_t)size))).ptr;
    }
    if (file)
        os->ops->close(file);
    return err;
}

static int64_t retry_after(const struct net_client_response *r)
{
    int64_t seconds;
    struct slice text = r->header(r, "retry-after");
    return text.ptr && codec_text_to_int(text, &seconds) && seconds > 0 && seconds < 3600
               ? seconds * NS_PER_SEC
               : 0;
}

/* 2xx is taken. What the target says of the request itself will not change by sending it again;
 * everything else (overload, a login that is being mended, a proxy) may. */
static enum output__outcome judge_status(int status)
{
    if (status >= 200 && status < 300)
        return OUTPUT__SENT;
    return status == 400 || status == 413 || status == 415 || status == 422 ? OUTPUT__REFUSED
                                                                            : OUTPUT__TRY_AGAIN;
}

/* Which codes may be tried again: opentelemetry.io/docs/specs/otlp/#failures. */
static enum output__outcome judge_grpc(const struct net_client_response *r, char *why, size_t size)
{
    int64_t code;
    struct slice status = r->header(r, "grpc-status"), words = r->header(r, "grpc-message");
    if (r->status != 200 || !status.ptr || !codec_text_to_int(status, &code)) {
        snprintf(why, size, "no gRPC status, HTTP status %d", r->status);
        return OUTPUT__TRY_AGAIN;
    }
    if (!code)
        return OUTPUT__SENT;
    snprintf(why, size, "gRPC status %lld: %.*s", (long long)code, SLICE_FMT(words));
    return code == 1 || code == 4 || code == 7 || code == 8 || code == 10 || code == 11 ||
                   code == 14 || code == 15 || code == 16
               ? OUTPUT__TRY_AGAIN
               : OUTPUT__REFUSED;
}

static void on_response(const struct net_client_response *r, void *ctx)
{
    struct http *s = ctx;
    char why[300] = "";
    enum output__outcome outcome;
    if (r->err) {
        snprintf(why, sizeof(why), "%s", r->diag ? r->diag->msg : err_name(r->err));
        outcome = OUTPUT__TRY_AGAIN;
        output__target_done(s->target, outcome, why, 0);
        return;
    }
    if (s->target->settings->transport == OUTPUT__GRPC) {
        outcome = judge_grpc(r, why, sizeof(why));
    } else {
        outcome = judge_status(r->status);
        if (outcome != OUTPUT__SENT)
            snprintf(why, sizeof(why), "HTTP status %d: %.*s", r->status,
                     SLICE_FMT(slice_trim(slice_first(r->body, 200))));
    }
    output__target_done(s->target, outcome, why, retry_after(r));
}

static void add(struct net_client_request *req, struct net_client_header *list, const char *name,
                const char *value)
{
    list[req->header_count++] = (struct net_client_header){slice_cstr(name), slice_cstr(value)};
}

static void http_send(void *state, const struct output__payload *p)
{
    struct http *s = state;
    const struct output__settings *c = s->target->settings;
    const struct output__format *f = s->target->format;
    struct arena *arena = arena_new(0, NULL);
    struct net_client_header *headers =
        ARENA_ARRAY(arena, struct net_client_header, HEADERS_MAX + c->header_count);
    struct net_client_tls tls = {.ca_file = c->ca_file[0] ? c->ca_file : NULL,
                                 .cert_file = c->cert_file[0] ? c->cert_file : NULL,
                                 .key_file = c->key_file[0] ? c->key_file : NULL,
                                 .insecure_skip_verify = c->insecure_skip_verify};
    struct net_client_request req = {.method = "POST",
                                     .url = c->post_to,
                                     .headers = headers,
                                     .body = p->bytes,
                                     .tls = &tls,
                                     .http2 = c->transport == OUTPUT__GRPC,
                                     .timeout_ns = c->timeout_ns,
                                     .response_bytes_max = 1 << 20};
    const char *password = c->password, *token = c->token;
    struct diag why;
    int err = 0;
    diag_init(&why);
    if (c->password_file[0])
        err = read_secret(s->target, c->password_file, arena, &password, &why);
    if (!err && c->token_file[0])
        err = read_secret(s->target, c->token_file, arena, &token, &why);
    if (c->username[0]) {
        req.username = c->username;
        req.password = password;
    }
    if (token[0] && c->type == OUTPUT__INFLUXDB)
        add(&req, headers, "Authorization", arena_printf(arena, "Token %s", token).ptr);
    else if (token[0])
        req.bearer_token = token;
    add(&req, headers, "User-Agent", s->user_agent);
    add(&req, headers, "Content-Type", f->content_type);
    if (c->transport == OUTPUT__GRPC)
        add(&req, headers, "TE", "trailers");
    else if (f->content_encoding && (c->compress || strcmp(f->content_encoding, "gzip") != 0))
        add(&req, headers, "Content-Encoding", f->content_encoding);
    if (c->type == OUTPUT__REMOTE_WRITE)
        add(&req, headers, "X-Prometheus-Remote-Write-Version", c->version ? "2.0.0" : "0.1.0");
    if (c->tenant[0])
        add(&req, headers, "X-Scope-OrgID", c->tenant);
    for (size_t i = 0; i < c->header_count; i++)
        headers[req.header_count++] = c->headers[i];
    if (err)
        output__target_done(s->target, OUTPUT__TRY_AGAIN, why.msg, 0);
    else if (!s->sender)
        net_client_send(s->client, &req, on_response, s);
    else if (discovery_client_send(s->sender, c->http, &req, on_response, s, NULL, &why))
        output__target_done(s->target, OUTPUT__TRY_AGAIN, why.msg, 0);
    arena_free(arena);
}

static void http_close(void *state)
{
    struct http *s = state;
    discovery_client_free(s->sender);
    net_client_free(s->client);
    mem_free(s);
}

const struct output__sender output__send_http = {http_open, http_send, http_close};
