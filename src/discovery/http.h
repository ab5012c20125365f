/* How to reach a server: credentials, certificates, proxies, headers. */
#ifndef DISCOVERY_HTTP_H
#define DISCOVERY_HTTP_H

#include "base/buf.h"
#include "net/http_client.h"
#include "os/os.h"

/* OAuth 2 client credentials (RFC 6749, section 4.4): where a token comes from. */
struct discovery_oauth2 {
    const char *client_id, *client_secret, *client_secret_file, *token_url;
    const char *form; /* the request's body but for the credentials */
    const char *proxy_url;
    bool has_tls;
    struct net_client_tls tls;
};

/* How to reach a server; the same for targets, HTTP discovery and Alertmanagers. */
struct discovery_http {
    const char *username, *password, *password_file, *username_file;
    const char *auth_type; /* "Bearer" */
    const char *credentials, *credentials_file;
    const struct discovery_oauth2 *oauth2; /* NULL: none */
    const char *proxy_url;
    bool has_tls, follow_redirects;
    struct net_client_tls tls;
    struct net_client_header *headers; /* http_headers */
    size_t header_count;
};

/* Fills credentials, certificates and proxy into a request; text lives in `arena`. *auth_header is
 * the value of Authorization, ptr NULL when there is none. Headers and oauth2 are the caller's. */
int discovery_http_request(struct os *os, const struct discovery_http *http, struct arena *arena,
                           struct net_client_request *req, struct slice *auth_header,
                           struct diag *diag);
/* Makes the texts the arena's. */
void discovery_tls_copy(struct net_client_tls *tls, struct arena *arena);
int discovery_read_file(struct os *os, const char *path, size_t max, struct buf *out,
                        struct diag *diag);

#endif
