/* Tokens of OAuth 2 client credentials (RFC 6749, section 4.4): fetched when the first target needs
 * one, shared by the targets of a job on a loop, and fetched again before they run out. */
#include <stdio.h>

#include "codec/json_dom.h"
#include "input/scrape/scrape_priv.h"
#include "net/url.h"

#define EARLY_NS         (10 * NS_PER_SEC) /* how long before its end a token is not used any more */
#define SECRET_BYTES_MAX ((size_t)64 << 10)
#define ANSWER_BYTES_MAX ((size_t)1 << 20)

struct oauth {
    struct oauth *next;
    struct worker *worker;
    struct input_scrape_config *config; /* counted: keeps `from` */
    const struct discovery_oauth2 *from;
    char *token;
    int64_t expires_ns; /* of the monotonic clock; INT64_MAX = the server did not say */
    bool in_body;       /* the server wants the credentials there, not in a header */
    struct net_client_call *call;
    struct target *waiting;
};

static void free_oauth(struct oauth *o)
{
    mem_free(o->token);
    input_scrape_config_free(o->config);
    mem_free(o);
}

void input__oauth_free(struct worker *w)
{
    for (struct oauth *o = w->oauths, *next; o; o = next) {
        next = o->next;
        free_oauth(o);
    }
    w->oauths = NULL;
}

/* The target's, made when there is none; those of configurations that are gone are dropped. */
static struct oauth *find(struct target *t)
{
    struct worker *w = t->worker;
    struct oauth *found = NULL;
    for (struct oauth **at = &w->oauths, *o; (o = *at);) {
        if (o->from == t->job->http.oauth2) {
            found = o;
        } else if (atomic_load(&o->config->refs) == 1 && !o->call) {
            *at = o->next;
            free_oauth(o);
            continue;
        }
        at = &o->next;
    }
    if (!found) {
        found = mem_calloc(1, sizeof(*found));
        found->worker = w;
        found->config = input__scrape_config_ref(t->config);
        found->from = t->job->http.oauth2;
        found->next = w->oauths;
        w->oauths = found;
    }
    return found;
}

/* Everybody who waits goes on, or fails with these words. */
static void answer_waiting(struct oauth *o, const struct diag *diag)
{
    struct target *t = o->waiting;
    o->waiting = NULL;
    while (t) {
        struct target *next = t->next_waiting;
        t->waits_for = NULL;
        t->next_waiting = NULL;
        input__target_authorized(t, o->token ? slice_cstr(o->token) : SLICE(""), diag);
        t = next;
    }
}

static int take_token(struct oauth *o, const struct net_client_response *resp, struct diag *diag)
{
    struct os *os = o->worker->scrape->env.os;
    struct arena *arena = arena_new(0, NULL);
    struct codec_json json;
    struct diag why;
    diag_init(&why);
    int err = codec_json_parse(resp->body, arena, &json, &why);
    struct slice token = err ? SLICE("") : codec_json_get_string(&json, "access_token");
    const struct codec_json *lifetime = err ? NULL : codec_json_get(&json, "expires_in");
    if (err || !token.len || slice_find_char(token, '\n') >= 0) {
        err = diag_set(diag, ERR_INVALID, "oauth2: the answer of %s has no access_token",
                       o->from->token_url);
    } else {
        mem_free(o->token);
        o->token = mem_calloc(1, token.len + 1);
        memcpy(o->token, token.ptr, token.len);
        double seconds = lifetime ? lifetime->number : 0;
        o->expires_ns = seconds > 0 && seconds < 1e9
                            ? os->ops->monotonic_ns(os) + (int64_t)(seconds * 1e9)
                            : INT64_MAX;
    }
    arena_free(arena);
    return err;
}

static int ask(struct oauth *o, struct diag *diag);

static void on_answer(const struct net_client_response *resp, void *ctx)
{
    struct oauth *o = ctx;
    struct diag diag;
    diag_init(&diag);
    o->call = NULL;
    if (resp->err == ERR_CANCELLED)
        return; /* the worker ends, and with it all targets */
    if (!resp->err && (resp->status == 400 || resp->status == 401) && !o->in_body) {
        o->in_body = true; /* some servers read the credentials only there */
        if (!ask(o, &diag))
            return;
    } else if (resp->err) {
        diag_set(&diag, resp->err, "oauth2: cannot fetch token from %s: %s", o->from->token_url,
                 resp->diag ? resp->diag->msg : err_name(resp->err));
    } else if (resp->status / 100 != 2) {
        o->in_body = false;
        diag_set(&diag, ERR_DENIED, "oauth2: cannot fetch token: %s answered %d, %.*s",
                 o->from->token_url, resp->status, SLICE_FMT(slice_first(resp->body, 200)));
    } else {
        take_token(o, resp, &diag);
    }
    answer_waiting(o, diag.code ? &diag : NULL);
}

static int ask(struct oauth *o, struct diag *diag)
{
    const struct discovery_oauth2 *from = o->from;
    struct buf secret = {0}, body = {0}, id = {0}, password = {0};
    int err = 0;
    if (from->client_secret_file)
        err = discovery_read_file(o->worker->scrape->env.os, from->client_secret_file,
                                  SECRET_BYTES_MAX, &secret, diag);
    else
        buf_append_cstr(&secret, from->client_secret ? from->client_secret : "");
    if (err)
        goto out;
    struct slice plain =
        from->client_secret_file ? slice_trim(buf_slice(&secret)) : buf_slice(&secret);
    net_url_encode(slice_cstr(from->client_id), &id);
    net_url_encode(plain, &password);
    buf_append_cstr(&body, from->form);
    if (o->in_body)
        buf_printf(&body, "&client_id=%s&client_secret=%s", buf_cstr(&id), buf_cstr(&password));
    struct net_client_header headers[] = {
        {SLICE("Content-Type"), SLICE("application/x-www-form-urlencoded")},
        {SLICE("Accept"), SLICE("application/json")}};
    struct net_client_request req = {.method = "POST",
                                     .url = from->token_url,
                                     .headers = headers,
                                     .header_count = ARRAY_LEN(headers),
                                     .body = buf_slice(&body),
                                     .username = o->in_body ? NULL : buf_cstr(&id),
                                     .password = o->in_body ? NULL : buf_cstr(&password),
                                     .proxy_url = from->proxy_url,
                                     .tls = from->has_tls ? &from->tls : NULL,
                                     .response_bytes_max = ANSWER_BYTES_MAX};
    o->call = net_client_send(o->worker->client, &req, on_answer, o);
out:
    buf_deinit(&secret);
    buf_deinit(&body);
    buf_deinit(&id);
    buf_deinit(&password);
    return err;
}

int input__oauth_token(struct target *t, struct slice *out, struct diag *diag)
{
    struct os *os = t->worker->scrape->env.os;
    struct oauth *o = find(t);
    if (o->token && os->ops->monotonic_ns(os) < o->expires_ns - EARLY_NS) {
        *out = slice_cstr(o->token);
        return 0;
    }
    if (!o->call) {
        int err = ask(o, diag);
        if (err)
            return err;
    }
    t->next_waiting = o->waiting;
    t->waits_for = o;
    o->waiting = t;
    return ERR_AGAIN;
}

void input__oauth_forget(struct target *t)
{
    for (struct target **at = &t->waits_for->waiting; *at; at = &(*at)->next_waiting) {
        if (*at == t) {
            *at = t->next_waiting;
            break;
        }
    }
    t->waits_for = NULL;
}

void input__oauth_reject(struct target *t)
{
    struct oauth *o = find(t);
    mem_free(o->token);
    o->token = NULL;
}
