/* Sending a request to a server that is reached as the configuration says: credentials,
 * certificates, proxy, headers, and a token of OAuth 2 that is fetched first.
 *
 * All functions on the loop's thread. */
#ifndef DISCOVERY_CLIENT_H
#define DISCOVERY_CLIENT_H

#include "discovery/oauth.h"

struct discovery_client;
struct discovery_call;

/* Sends through `client`, which is the caller's and outlives it. */
struct discovery_client *discovery_client_new(struct os *os, struct net_client *client);
/* Cancels what is on its way (done with ERR_CANCELLED). NULL is fine. */
void discovery_client_free(struct discovery_client *c);

/* Starts a call with what `http` says added to `req`, whose own headers come first; both are
 * copied. `done` is called exactly once, perhaps before this returns only when it is cancelled. An
 * error (a file that cannot be read) means that nothing was started. */
int discovery_client_send(struct discovery_client *c, const struct discovery_http *http,
                          const struct net_client_request *req,
                          void (*done)(const struct net_client_response *resp, void *ctx),
                          void *ctx, struct discovery_call **out, struct diag *diag);
/* `done` is called with ERR_CANCELLED before this returns. */
void discovery_call_cancel(struct discovery_call *call);

#endif
