#include "discovery/oauth.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/json_dom.h"
#include "net/url.h"

#define EARLY_NS         (10 * NS_PER_SEC) /* how long before its end a token is not used any more */
#define SECRET_BYTES_MAX ((size_t)64 << 10)
#define ANSWER_BYTES_MAX ((size_t)1 << 20)

struct discovery_token {
    struct discovery_tokens *tokens;
    struct discovery_oauth2 from; /* texts in the tokens' arena */
    char *text;
    int64_t expires_ns; /* of the monotonic clock; INT64_MAX = the server did not say */
    int64_t timeout_ns; /* for the one who made us ask */
    bool in_body;       /* the server wants the credentials there, not in a header */
    struct net_client_call *call;
    struct discovery_token_wait *waiting, *answering;
};

struct discovery_tokens {
    struct os *os;
    struct net_client *client;
    struct arena *arena;
    VEC(struct discovery_token *) items;
};

struct discovery_tokens *discovery_tokens_new(struct os *os, struct net_client *client)
{
    struct discovery_tokens *t = mem_calloc(1, sizeof(*t));
    t->os = os;
    t->client = client;
    t->arena = arena_new(1024, NULL);
    return t;
}

void discovery_tokens_free(struct discovery_tokens *tokens)
{
    for (size_t i = 0; tokens && i < tokens->items.len; i++) {
        struct discovery_token *t = tokens->items.items[i];
        if (t->call)
            net_client_cancel(t->call);
        mem_free(t->text);
        mem_free(t);
    }
    if (!tokens)
        return;
    vec_free(&tokens->items);
    arena_free(tokens->arena);
    mem_free(tokens);
}

void discovery_tls_copy(struct net_client_tls *tls, struct arena *arena)
{
    const char **texts[] = {&tls->ca_file, &tls->cert_file, &tls->key_file, &tls->server_name};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = *texts[i] ? arena_strdup(arena, *texts[i]) : NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same(const struct discovery_oauth2 *a, const struct discovery_oauth2 *b)
{
    return same_text(a->client_id, b->client_id) && same_text(a->client_secret, b->client_secret) &&
           same_text(a->client_secret_file, b->client_secret_file) &&
           same_text(a->token_url, b->token_url) && same_text(a->form, b->form) &&
           same_text(a->proxy_url, b->proxy_url) && a->has_tls == b->has_tls &&
           same_text(a->tls.ca_file, b->tls.ca_file) &&
           same_text(a->tls.cert_file, b->tls.cert_file) &&
           same_text(a->tls.key_file, b->tls.key_file) &&
           same_text(a->tls.server_name, b->tls.server_name) &&
           a->tls.min_version == b->tls.min_version && a->tls.max_version == b->tls.max_version &&
           a->tls.insecure_skip_verify == b->tls.insecure_skip_verify;
}

struct discovery_token *discovery_token_of(struct discovery_tokens *tokens,
                                           const struct discovery_oauth2 *from)
{
    for (size_t i = 0; i < tokens->items.len; i++) {
        if (same(&tokens->items.items[i]->from, from))
            return tokens->items.items[i];
    }
    struct discovery_token *t = mem_calloc(1, sizeof(*t));
    t->tokens = tokens;
    t->from = *from;
    const char **texts[] = {&t->from.client_id, &t->from.client_secret,
                            &t->from.token_url, &t->from.client_secret_file,
                            &t->from.form,      &t->from.proxy_url};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = *texts[i] ? arena_strdup(tokens->arena, *texts[i]) : NULL;
    discovery_tls_copy(&t->from.tls, tokens->arena);
    vec_push(&tokens->items, t);
    return t;
}

/* Everybody who waits goes on, or hears these words. */
static void answer_waiting(struct discovery_token *t, const struct diag *diag)
{
    t->answering = t->waiting;
    t->waiting = NULL;
    for (struct discovery_token_wait *w; (w = t->answering);) {
        t->answering = w->next;
        w->on = NULL;
        w->next = NULL;
        w->done(w->ctx, t->text ? slice_cstr(t->text) : SLICE(""), diag);
    }
}

/* RFC 6749, appendix A.12; it goes into a header. */
static bool is_token(struct slice s)
{
    bool good = s.len > 0;
    for (size_t i = 0; i < s.len && good; i++)
        good = s.ptr[i] >= 0x20 && s.ptr[i] <= 0x7e;
    return good;
}

static int take_token(struct discovery_token *t, const struct net_client_response *resp,
                      struct diag *diag)
{
    struct os *os = t->tokens->os;
    struct arena *arena = arena_new(0, NULL);
    struct codec_json json;
    struct diag why;
    diag_init(&why);
    int err = codec_json_parse(resp->body, arena, &json, &why);
    struct slice token = err ? SLICE("") : codec_json_get_string(&json, "access_token");
    const struct codec_json *lifetime = err ? NULL : codec_json_get(&json, "expires_in");
    if (err || !is_token(token)) {
        err = diag_set(diag, ERR_INVALID, "oauth2: the answer of %s has no access_token",
                       t->from.token_url);
    } else {
        mem_free(t->text);
        t->text = mem_calloc(1, token.len + 1);
        memcpy(t->text, token.ptr, token.len);
        double seconds = lifetime ? lifetime->number : 0;
        t->expires_ns = seconds > 0 && seconds < 1e9
                            ? os->ops->monotonic_ns(os) + (int64_t)(seconds * 1e9)
                            : INT64_MAX;
    }
    arena_free(arena);
    return err;
}

static int ask(struct discovery_token *t, struct diag *diag);

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct discovery_token *t = ctx;
    struct diag diag;
    diag_init(&diag);
    t->call = NULL;
    if (resp->err == ERR_CANCELLED)
        return; /* the client ends, and with it all who wait */
    if (!resp->err && (resp->status == 400 || resp->status == 401) && !t->in_body) {
        t->in_body = true; /* some servers read the credentials only there */
        if (!ask(t, &diag))
            return;
    } else if (resp->err) {
        diag_set(&diag, resp->err, "oauth2: cannot fetch token from %s: %s", t->from.token_url,
                 resp->diag ? resp->diag->msg : err_name(resp->err));
    } else if (resp->status / 100 != 2) {
        t->in_body = false;
        diag_set(&diag, ERR_DENIED, "oauth2: cannot fetch token: %s answered %d, %.*s",
                 t->from.token_url, resp->status, SLICE_FMT(slice_first(resp->body, 200)));
    } else {
        take_token(t, resp, &diag);
    }
    answer_waiting(t, diag.code ? &diag : NULL);
}

static int ask(struct discovery_token *t, struct diag *diag)
{
    const struct discovery_oauth2 *from = &t->from;
    struct buf secret = {0}, body = {0}, id = {0}, password = {0};
    int err = 0;
    if (from->client_secret_file)
        err = discovery_read_file(t->tokens->os, from->client_secret_file, SECRET_BYTES_MAX,
                                  &secret, diag);
    else
        buf_append_cstr(&secret, from->client_secret ? from->client_secret : "");
    if (err)
        goto out;
    struct slice plain =
        from->client_secret_file ? slice_trim(buf_slice(&secret)) : buf_slice(&secret);
    net_url_encode(slice_cstr(from->client_id), &id);
    net_url_encode(plain, &password);
    buf_append_cstr(&body, from->form);
    if (t->in_body)
        buf_printf(&body, "&client_id=%s&client_secret=%s", buf_cstr(&id), buf_cstr(&password));
    struct net_client_header headers[] = {
        {SLICE("Content-Type"), SLICE("application/x-www-form-urlencoded")},
        {SLICE("Accept"), SLICE("application/json")}};
    struct net_client_request req = {.method = "POST",
                                     .url = from->token_url,
                                     .headers = headers,
                                     .header_count = ARRAY_LEN(headers),
                                     .body = buf_slice(&body),
                                     .username = t->in_body ? NULL : buf_cstr(&id),
                                     .password = t->in_body ? NULL : buf_cstr(&password),
                                     .proxy_url = from->proxy_url,
                                     .tls = from->has_tls ? &from->tls : NULL,
                                     .timeout_ns = t->timeout_ns,
                                     .response_bytes_max = ANSWER_BYTES_MAX};
    t->call = net_client_send(t->tokens->client, &req, on_answer, t);
out:
    buf_deinit(&secret);
    buf_deinit(&body);
    buf_deinit(&id);
    buf_deinit(&password);
    return err;
}

int discovery_token_get(struct discovery_token *t, int64_t timeout_ns,
                        struct discovery_token_wait *wait, struct slice *out, struct diag *diag)
{
    struct os *os = t->tokens->os;
    if (t->text && os->ops->monotonic_ns(os) < t->expires_ns - EARLY_NS) {
        *out = slice_cstr(t->text);
        return 0;
    }
    if (!t->call) {
        t->timeout_ns = timeout_ns;
        int err = ask(t, diag);
        if (err)
            return err;
    }
    wait->next = t->waiting;
    wait->on = t;
    t->waiting = wait;
    return ERR_AGAIN;
}

static void take_out(struct discovery_token_wait **at, const struct discovery_token_wait *wait)
{
    for (; *at; at = &(*at)->next) {
        if (*at == wait) {
            *at = wait->next;
            return;
        }
    }
}

void discovery_token_forget(struct discovery_token_wait *wait)
{
    if (!wait->on)
        return;
    take_out(&wait->on->waiting, wait);
    take_out(&wait->on->answering, wait);
    wait->on = NULL;
}

void discovery_token_reject(struct discovery_token *t)
{
    mem_free(t->text);
    t->text = NULL;
}
