/* Who may use the doors: users with password hashes (HTTP basic, RFC 7617) and bearer tokens (RFC
 * 6750), also as Elasticsearch's API keys ("ApiKey" and base64 of "anything:token"). Built once
 * from the configuration, immutable after, shared by all loops. */
#ifndef API_AUTH_H
#define API_AUTH_H

#include "base/diag.h"
#include "base/slice.h"

struct api_auth;

struct api_auth *api_auth_new(void);
/* One more owner; api_auth_free takes one away. */
struct api_auth *api_auth_hold(struct api_auth *auth);
void api_auth_free(struct api_auth *auth); /* NULL is fine */
/* `hash` as crypt(5) writes it: bcrypt ($2b$...), yescrypt ($y$...), SHA-512 ($6$...). ERR_INVALID
 * when it is none of them. Copied. */
int api_auth_add_user(struct api_auth *auth, struct slice name, struct slice hash,
                      struct diag *diag);
/* At least 16 bytes. */
int api_auth_add_token(struct api_auth *auth, struct slice name, struct slice token,
                       struct diag *diag);
bool api_auth_is_empty(const struct api_auth *auth);

/* Users in order, then tokens, by name. */
void api_auth_each(const struct api_auth *auth,
                   void (*each)(void *ctx, const char *name, bool is_token), void *ctx);

enum api_auth_result {
    API_AUTH_OK,
    API_AUTH_DENIED,
    API_AUTH_SLOW /* a password must be hashed, which takes long: ask again with `may_hash` on a
                   * worker */
};
/* `header` is the value of Authorization; ptr NULL when absent. Comparisons take the same time
 * wherever they differ. Passwords that were right once are remembered by a keyed hash, so that the
 * slow hash runs once a client. Thread-safe. */
enum api_auth_result api_auth_check(struct api_auth *auth, struct slice header, bool may_hash);

/* The name of the user or token that `header` speaks for, with a NUL. False when it is none that
 * api_auth_check took (a password must have been checked before). Thread-safe. */
bool api_auth_name(struct api_auth *auth, struct slice header, char *out, size_t out_size);

/* Hash of a password for the configuration (bcrypt with a fresh salt). */
int api_auth_hash(struct slice password, char *out, size_t out_size, struct diag *diag);

#endif
