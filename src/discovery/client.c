#include "discovery/client.h"

#include "base/arena.h"
#include "base/mem.h"

struct discovery_client {
    struct os *os;
    struct net_client *client;
    struct discovery_tokens *tokens; /* NULL until one is needed */
    struct discovery_call *calls;
};

struct discovery_call {
    struct discovery_client *client;
    struct discovery_call *prev, *next;
    void (*done)(const struct net_client_response *resp, void *ctx);
    void *ctx;
    struct net_client_call *sent; /* NULL: it waits for the token */
    struct discovery_token *token;
    struct discovery_token_wait wait;
    struct arena *arena; /* of the request while it waits */
    struct net_client_request req;
};

struct discovery_client *discovery_client_new(struct os *os, struct net_client *client)
{
    struct discovery_client *c = mem_calloc(1, sizeof(*c));
    c->os = os;
    c->client = client;
    return c;
}

void discovery_client_free(struct discovery_client *c)
{
    if (!c)
        return;
    while (c->calls)
        discovery_call_cancel(c->calls);
    discovery_tokens_free(c->tokens);
    mem_free(c);
}

/* Tells, and frees. */
static void end(struct discovery_call *call, const struct net_client_response *resp)
{
    struct discovery_client *c = call->client;
    if (call->prev)
        call->prev->next = call->next;
    else
        c->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    call->done(resp, call->ctx);
    arena_free(call->arena);
    mem_free(call);
}

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct discovery_call *call = ctx;
    if (call->token && !resp->err && resp->status == 401)
        discovery_token_reject(call->token);
    end(call, resp);
}

static struct slice no_header(const struct net_client_response *resp, const char *name)
{
    (void)resp;
    (void)name;
    return (struct slice){0};
}

/* There is no answer, for this reason. */
static void fail(struct discovery_call *call, int err, const struct diag *diag)
{
    struct net_client_response resp = {.err = err, .diag = diag, .header = no_header};
    end(call, &resp);
}

/* The last header is the one of the token, when there is one. */
static void start(struct discovery_call *call, struct slice token)
{
    struct net_client_header *headers = (struct net_client_header *)(uintptr_t)call->req.headers;
    if (token.len)
        headers[call->req.header_count++] = (struct net_client_header){
            SLICE("Authorization"), arena_printf(call->arena, "Bearer %.*s", SLICE_FMT(token))};
    call->sent = net_client_send(call->client->client, &call->req, on_answer, call);
}

static void on_token(void *ctx, struct slice token, const struct diag *diag)
{
    struct discovery_call *call = ctx;
    if (diag)
        fail(call, diag->code, diag);
    else
        start(call, token);
}

/* Everything of the request that is not the caller's to keep, into the call's arena. */
static int prepare(struct discovery_call *call, const struct discovery_http *http,
                   const struct net_client_request *req, struct diag *diag)
{
    struct net_client_request *r = &call->req;
    struct arena *arena = call->arena;
    struct slice auth;
    size_t n = 0;
    *r = *req;
    int err = discovery_http_request(call->client->os, http, arena, r, &auth, diag);
    if (err)
        return err;
    struct net_client_header *headers =
        ARENA_ARRAY(arena, struct net_client_header, req->header_count + http->header_count + 2);
    const struct net_client_header *lists[] = {req->headers, http->headers};
    const size_t counts[] = {req->header_count, http->header_count};
    for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
        for (size_t i = 0; i < counts[k]; i++)
            headers[n++] = (struct net_client_header){arena_slice(arena, lists[k][i].name),
                                                      arena_slice(arena, lists[k][i].value)};
    }
    if (auth.ptr)
        headers[n++] = (struct net_client_header){SLICE("Authorization"), auth};
    r->headers = headers;
    r->header_count = n;
    r->body = arena_slice(arena, req->body);
    const char **texts[] = {&r->method,   &r->url,          &r->username,
                            &r->password, &r->bearer_token, &r->proxy_url};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = *texts[i] ? arena_strdup(arena, *texts[i]) : NULL;
    if (r->tls) {
        struct net_client_tls *tls = arena_dup(arena, r->tls, sizeof(*tls));
        discovery_tls_copy(tls, arena);
        r->tls = tls;
    }
    return 0;
}

int discovery_client_send(struct discovery_client *c, const struct discovery_http *http,
                          const struct net_client_request *req,
                          void (*done)(const struct net_client_response *resp, void *ctx),
                          void *ctx, struct discovery_call **out, struct diag *diag)
{
    struct discovery_call *call = mem_calloc(1, sizeof(*call));
    struct slice token = SLICE("");
    call->client = c;
    call->done = done;
    call->ctx = ctx;
    call->arena = arena_new(0, NULL);
    call->wait.done = on_token;
    call->wait.ctx = call;
    int err = prepare(call, http, req, diag);
    if (!err && http->oauth2) {
        if (!c->tokens)
            c->tokens = discovery_tokens_new(c->os, c->client);
        call->token = discovery_token_of(c->tokens, http->oauth2);
        err = discovery_token_get(call->token, req->timeout_ns, &call->wait, &token, diag);
    }
    if (err && err != ERR_AGAIN) {
        arena_free(call->arena);
        mem_free(call);
        return err;
    }
    call->next = c->calls;
    if (call->next)
        call->next->prev = call;
    c->calls = call;
    if (out)
        *out = call;
    if (!err)
        start(call, token);
    return 0;
}

void discovery_call_cancel(struct discovery_call *call)
{
    struct diag diag;
    diag_init(&diag);
    if (call->sent) {
        net_client_cancel(call->sent); /* on_answer ends it */
        return;
    }
    discovery_token_forget(&call->wait);
    diag_set(&diag, ERR_CANCELLED, "cancelled");
    fail(call, ERR_CANCELLED, &diag);
}
