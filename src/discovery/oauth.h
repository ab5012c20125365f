/* Tokens of OAuth 2 client credentials (RFC 6749, section 4.4): fetched when the first request
 * needs one, shared by everybody on a loop whose settings are the same, and fetched again before
 * they run out.
 *
 * All functions on the loop's thread. */
#ifndef DISCOVERY_OAUTH_H
#define DISCOVERY_OAUTH_H

#include "discovery/http.h"

struct discovery_tokens; /* of one client */
struct discovery_token;  /* of one kind of settings; lives as long as the tokens */

struct discovery_tokens *discovery_tokens_new(struct os *os, struct net_client *client);
/* Before the client is freed or after. Who waits is not told. NULL is fine. */
void discovery_tokens_free(struct discovery_tokens *tokens);

/* The settings are copied. */
struct discovery_token *discovery_token_of(struct discovery_tokens *tokens,
                                           const struct discovery_oauth2 *from);

/* Somebody who waits. Zero it, and set the first two. */
struct discovery_token_wait {
    void (*done)(void *ctx, struct slice token, const struct diag *diag); /* NULL: it is there */
    void *ctx;
    struct discovery_token *on; /* NULL: not waiting */
    struct discovery_token_wait *next;
};
/* The token in *out, good during the call that follows; or ERR_AGAIN, and `done` is called when it
 * is there or could not be had; or another error. A server that is asked for this caller has
 * timeout_ns to answer (0 = 30 s); who comes while it is being asked waits for that. */
int discovery_token_get(struct discovery_token *token, int64_t timeout_ns,
                        struct discovery_token_wait *wait, struct slice *out, struct diag *diag);
/* Does not wait any more. Fine when it does not. */
void discovery_token_forget(struct discovery_token_wait *wait);
/* A server did not take it: the next one who asks gets another. */
void discovery_token_reject(struct discovery_token *token);

#endif
