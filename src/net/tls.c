#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/mem.h"

struct net__tls {
    pthread_mutex_t lock; /* guards ctx */
    SSL_CTX *ctx;
    char *cert, *key, *client_ca;
    bool http;
};

struct net__tls_session {
    SSL *ssl;
    BIO *in, *out;
};

static int tls_error(struct diag *diag, const char *what, const char *file)
{
    char text[256] = "unknown error";
    unsigned long e = ERR_get_error();
    if (e)
        ERR_error_string_n(e, text, sizeof(text));
    ERR_clear_error();
    return diag_set(diag, ERR_INVALID, "TLS: %s %s: %s", what, file, text);
}

/* Ours first: HTTP/2 where the peer has it. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    (void)ssl;
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

bool net__tls_is_h2(const struct net__tls_session *s)
{
    const unsigned char *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(s->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

static int make_ctx(struct net__tls *tls, SSL_CTX **out, struct diag *diag)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int err = 0;
    if (!ctx)
        return tls_error(diag, "no context", "");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    if (tls->http)
        SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1)
        err = tls_error(diag, "cannot use certificate", tls->cert);
    else if (SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) != 1)
        err = tls_error(diag, "cannot use key", tls->key);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        err = tls_error(diag, "the key does not belong to certificate", tls->cert);
    if (!err && tls->client_ca) {
        if (SSL_CTX_load_verify_locations(ctx, tls->client_ca, NULL) != 1)
            err = tls_error(diag, "cannot use client authorities", tls->client_ca);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    if (err)
        SSL_CTX_free(ctx);
    else
        *out = ctx;
    return err;
}

int net__tls_new(const struct net_tls_config *config, bool http, struct net__tls **out,
                 struct diag *diag)
{
    struct net__tls *tls = mem_calloc(1, sizeof(*tls));
    pthread_mutex_init(&tls->lock, NULL);
    tls->cert = mem_strdup(config->cert_file);
    tls->key = mem_strdup(config->key_file);
    tls->http = http;
    tls->client_ca = config->client_ca_file ? mem_strdup(config->client_ca_file) : NULL;
    int err = make_ctx(tls, &tls->ctx, diag);
    if (err)
        net__tls_free(tls);
    else
        *out = tls;
    return err;
}

void net__tls_free(struct net__tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ctx);
    pthread_mutex_destroy(&tls->lock);
    mem_free(tls->cert);
    mem_free(tls->key);
    mem_free(tls->client_ca);
    mem_free(tls);
}

int net__tls_reload(struct net__tls *tls, struct diag *diag)
{
    SSL_CTX *fresh;
    int err = make_ctx(tls, &fresh, diag);
    if (err)
        return err;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->ctx;
    tls->ctx = fresh;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old); /* sessions hold their own references */
    return 0;
}

struct net__tls_session *net__tls_accept(struct net__tls *tls)
{
    struct net__tls_session *s = mem_calloc(1, sizeof(*s));
    pthread_mutex_lock(&tls->lock);
    s->ssl = SSL_new(tls->ctx);
    pthread_mutex_unlock(&tls->lock);
    s->in = BIO_new(BIO_s_mem());
    s->out = BIO_new(BIO_s_mem());
    SSL_set_bio(s->ssl, s->in, s->out);
    SSL_set_accept_state(s->ssl);
    return s;
}

void net__tls_session_free(struct net__tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl); /* and its BIOs */
    mem_free(s);
}

static void drain(struct net__tls_session *s, struct buf *wire)
{
    for (size_t pending; (pending = BIO_ctrl_pending(s->out)) > 0;) {
        int n = BIO_read(s->out, buf_reserve(wire, pending), (int)pending);
        if (n <= 0)
            break;
        wire->len += (size_t)n;
    }
}

bool net__tls_read(struct net__tls_session *s, struct slice wire_in, struct buf *plain,
                   struct buf *wire, bool *eof)
{
    bool ok = true;
    ERR_clear_error();
    if (wire_in.len && BIO_write(s->in, wire_in.ptr, (int)wire_in.len) != (int)wire_in.len)
        return false;
    for (;;) {
        int n = SSL_read(s->ssl, buf_reserve(plain, 16384), 16384);
        if (n > 0) {
            plain->len += (size_t)n;
            continue;
        }
        int why = SSL_get_error(s->ssl, n);
        if (why == SSL_ERROR_ZERO_RETURN)
            *eof = true;
        else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
            ok = false;
        break;
    }
    drain(s, wire);
    return ok;
}

bool net__tls_write(struct net__tls_session *s, struct slice plain, struct buf *wire)
{
    ERR_clear_error();
    while (plain.len) {
        int n = SSL_write(s->ssl, plain.ptr, (int)MIN(plain.len, (size_t)1 << 20));
        if (n <= 0)
            return false;
        plain = slice_from(plain, (size_t)n);
    }
    drain(s, wire);
    return true;
}

bool net__tls_verified(const struct net__tls_session *s)
{
    X509 *peer = SSL_get1_peer_certificate(s->ssl);
    bool verified = peer && SSL_get_verify_result(s->ssl) == X509_V_OK;
    X509_free(peer);
    return verified;
}
