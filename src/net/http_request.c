/* The request: its parts, its parameters, its body as the handler sees it. */
#include <stdio.h>

#include "net/http_priv.h"
#include "net/listen.h"

struct net_request *net__request_new(struct net__conn *c)
{
    struct net_request *req = mem_calloc(1, sizeof(*req));
    req->conn = c;
    req->arena = arena_new(2048, NULL);
    return req;
}

void net__request_free(struct net_request *req)
{
    struct net_http_server *server = req->conn->acceptor->server;
    if (req->body_charged)
        budget_give(&server->body_memory, (int64_t)req->body_charged);
    arena_free(req->arena);
    buf_deinit(&req->head.text);
    vec_free(&req->head.items);
    buf_deinit(&req->trailers.text);
    vec_free(&req->trailers.items);
    buf_deinit(&req->out_trailers);
    mem_free(req->h2);
    buf_deinit(&req->body);
    buf_deinit(&req->extra_headers);
    codec_stream_free(req->compressor);
    mem_free(req);
}

static enum net_method method_of(struct slice name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_cstr(name, names[i]))
            return (enum net_method)i;
    }
    return NET_METHOD_OTHER;
}

struct net__fields *net__request_fields(struct net_request *req)
{
    return req->head_done ? &req->trailers : &req->head;
}

struct slice net__span_slice(const struct net_request *req, struct net__span span)
{
    return slice_make(req->head.text.ptr + span.at, span.len);
}

int net__request_head_done(struct net_request *req, struct slice method_name, char *why,
                           size_t why_size)
{
    req->method_name = method_name;
    req->method = method_of(method_name);
    req->head_done = true;
    struct slice target = net__span_slice(req, req->target);
    /* absolute-form: http://host/path */
    ptrdiff_t scheme = slice_find(target, SLICE("://"));
    if (scheme > 0 && slice_find_char(slice_first(target, (size_t)scheme), '/') < 0) {
        struct slice rest = slice_from(target, (size_t)scheme + 3);
        ptrdiff_t slash = slice_find_char(rest, '/');
        target = slash < 0 ? SLICE("/") : slice_from(rest, (size_t)slash);
    }
    ptrdiff_t mark = slice_find_char(target, '?');
    req->path = mark < 0 ? target : slice_first(target, (size_t)mark);
    req->query = mark < 0 ? SLICE("") : slice_from(target, (size_t)mark + 1);
    struct slice expect = net_request_header(req, "expect");
    if (expect.ptr) {
        if (!slice_eq_nocase(expect, SLICE("100-continue"))) {
            snprintf(why, why_size, "Expect: %.*s is not known here", SLICE_FMT(expect));
            return 417;
        }
        req->expect_continue = true;
    }
    if (!req->http10 && !req->h2 && !net_request_header(req, "host").ptr) {
        snprintf(why, why_size, "HTTP/1.1 requests carry a Host header");
        return 400;
    }
    return 0;
}

int net__request_body_add(struct net_request *req, const void *ptr, size_t len, uint64_t length,
                          char *why, size_t why_size)
{
    struct net_http_server *server = req->conn->acceptor->server;
    size_t max = server->config.limits.body_bytes_max, need = req->body.len + len;
    if (need > max) {
        snprintf(why, why_size,
                 "the body is larger than the allowed %zu bytes (limits.http.body_bytes)", max);
        return 413;
    }
    if (need > req->body.cap) {
        /* The stated length at once, so that a large upload is not copied again and again; but
         * never on the word of a header alone more than has already come plus a step. */
        size_t want = MAX(need, MIN(req->body.cap * 2, max));
        if (length)
            want = MAX(need, MIN((size_t)length, MAX(req->body.len * 4, (size_t)1 << 20)));
        size_t more = want - req->body.cap;
        if (!budget_take(&server->body_memory, (int64_t)more)) {
            snprintf(why, why_size,
                     "all request bodies together reached limits.http.body_memory; try again");
            return 503;
        }
        req->body_charged += more;
        req->body.ptr = mem_realloc(req->body.ptr, want);
        req->body.cap = want;
    }
    memcpy(req->body.ptr + req->body.len, ptr, len);
    req->body.len += len;
    return 0;
}

static bool encoding_of(struct slice name, enum codec_compression *out)
{
    if (slice_eq_nocase(name, SLICE("gzip")) || slice_eq_nocase(name, SLICE("x-gzip")))
        *out = CODEC_GZIP;
    else if (slice_eq_nocase(name, SLICE("deflate")))
        *out = CODEC_DEFLATE;
    else if (slice_eq_nocase(name, SLICE("zstd")))
        *out = CODEC_ZSTD;
    else if (slice_eq_nocase(name, SLICE("snappy")) || slice_eq_nocase(name, SLICE("identity")) ||
             !name.len)
        *out = CODEC_IDENTITY;
    else
        return false;
    return true;
}

int net__request_body_done(struct net_request *req, char *why, size_t why_size)
{
    struct slice coding = net_request_header(req, "content-encoding");
    enum codec_compression kind;
    if (!coding.ptr || !req->body.len)
        return 0;
    if (!encoding_of(slice_trim(coding), &kind)) {
        snprintf(why, why_size,
                 "Content-Encoding: %.*s is not supported; gzip, deflate, zstd and snappy are",
                 SLICE_FMT(coding));
        return 415;
    }
    if (kind == CODEC_IDENTITY)
        return 0;
    struct net_http_server *server = req->conn->acceptor->server;
    size_t max = server->config.limits.inflated_bytes_max;
    struct buf plain = {0};
    struct diag d;
    diag_init(&d);
    int err = codec_decompress(kind, buf_slice(&req->body), max, &plain, &d);
    if (!err && !budget_take(&server->body_memory, (int64_t)plain.cap)) {
        snprintf(why, why_size,
                 "all request bodies together reached limits.http.body_memory; try again");
        buf_deinit(&plain);
        return 503;
    }
    if (err) {
        buf_deinit(&plain);
        if (err == ERR_TOO_LARGE) {
            snprintf(
                why, why_size,
                "the body is larger than %zu bytes when decompressed (limits.http.inflated_bytes)",
                max);
            return 413;
        }
        snprintf(why, why_size, "the body: %s", d.msg);
        return 400;
    }
    budget_give(&server->body_memory, (int64_t)req->body_charged);
    req->body_charged = plain.cap;
    buf_deinit(&req->body);
    req->body = plain;
    return 0;
}

enum net_method net_request_method(const struct net_request *req)
{
    return req->method;
}

struct slice net_request_method_name(const struct net_request *req)
{
    return req->method_name;
}

struct slice net_request_path(const struct net_request *req)
{
    return req->path;
}

struct slice net_request_query(const struct net_request *req)
{
    return req->query;
}

static bool field_next(const struct net__fields *f, size_t *pos, struct slice *name,
                       struct slice *value)
{
    if (*pos >= f->items.len)
        return false;
    const struct net__header *h = &f->items.items[(*pos)++];
    *name = slice_make(f->text.ptr + h->name_at, h->name_len);
    *value = slice_trim(slice_make(f->text.ptr + h->value_at, h->value_len));
    return true;
}

static struct slice field_get(const struct net__fields *f, const char *wanted)
{
    struct slice name = slice_cstr(wanted);
    for (size_t i = 0; i < f->items.len; i++) {
        const struct net__header *h = &f->items.items[i];
        if (h->name_len != name.len ||
            !slice_eq_nocase(slice_make(f->text.ptr + h->name_at, h->name_len), name))
            continue;
        struct slice value = slice_trim(slice_make(f->text.ptr + h->value_at, h->value_len));
        return value.ptr ? value : SLICE("");
    }
    return (struct slice){NULL, 0};
}

bool net_request_header_next(const struct net_request *req, size_t *pos, struct slice *name,
                             struct slice *value)
{
    return field_next(&req->head, pos, name, value);
}

struct slice net_request_header(const struct net_request *req, const char *wanted)
{
    return field_get(&req->head, wanted);
}

struct slice net_request_trailer(const struct net_request *req, const char *wanted)
{
    return field_get(&req->trailers, wanted);
}

struct slice net_request_body(const struct net_request *req)
{
    return buf_slice(&req->body);
}

struct arena *net_request_arena(struct net_request *req)
{
    return req->arena;
}

struct net_loop *net_request_loop(const struct net_request *req)
{
    return req->conn->acceptor->loop;
}

struct slice net_request_peer(const struct net_request *req)
{
    struct net_request *r = (struct net_request *)(uintptr_t)req;
    if (!r->peer[0]) {
        struct sockaddr_storage a = {0};
        int len = sizeof(a);
        uv_tcp_getpeername(&req->conn->tcp, (struct sockaddr *)&a, &len);
        net__address_text((const struct sockaddr *)&a, r->peer, sizeof(r->peer));
    }
    return slice_cstr(r->peer);
}

bool net_request_is_tls(const struct net_request *req)
{
    return req->conn->tls != NULL;
}

void net_request_on_abort(struct net_request *req, void (*fn)(void *ctx), void *ctx)
{
    req->on_abort = fn;
    req->abort_ctx = ctx;
}

static void parse_params(struct net_request *req)
{
    req->params_parsed = true;
    struct net_param *form = NULL, *query = NULL;
    size_t form_count = 0, query_count = 0;
    struct slice type = net_request_header(req, "content-type");
    ptrdiff_t semicolon = slice_find_char(type, ';');
    if (semicolon >= 0)
        type = slice_trim(slice_first(type, (size_t)semicolon));
    /* A bad escape drops that list: Go's servers do so too and the parameter then counts as absent.
     */
    if (slice_eq_nocase(type, SLICE("application/x-www-form-urlencoded")))
        net_form_parse(buf_slice(&req->body), req->arena, &form, &form_count, NULL);
    net_form_parse(req->query, req->arena, &query, &query_count, NULL);
    req->params = ARENA_ARRAY(req->arena, struct net_param, form_count + query_count);
    req->param_count = form_count + query_count;
    if (form_count)
        memcpy(req->params, form, form_count * sizeof(*form));
    if (query_count)
        memcpy(req->params + form_count, query, query_count * sizeof(*query));
}

struct slice net_request_param_at(struct net_request *req, const char *name, size_t i)
{
    if (!req->params_parsed)
        parse_params(req);
    for (size_t k = 0; k < req->param_count; k++) {
        if (slice_eq_cstr(req->params[k].name, name) && i-- == 0)
            return req->params[k].value.ptr ? req->params[k].value : SLICE("");
    }
    return (struct slice){NULL, 0};
}

struct slice net_request_param(struct net_request *req, const char *name)
{
    return net_request_param_at(req, name, 0);
}

void net_request_param_add(struct net_request *req, const char *name, struct slice value)
{
    if (!req->params_parsed)
        parse_params(req);
    struct net_param *params = ARENA_ARRAY(req->arena, struct net_param, req->param_count + 1);
    if (req->param_count)
        memcpy(params, req->params, req->param_count * sizeof(*params));
    params[req->param_count++] = (struct net_param){
        .name = arena_slice(req->arena, slice_cstr(name)), .value = arena_slice(req->arena, value)};
    req->params = params;
}
