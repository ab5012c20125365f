/* Message digests (OpenSSL). Pure; any thread. */
#ifndef NET_DIGEST_H
#define NET_DIGEST_H

#include "base/slice.h"

/* SHA-256 (FIPS 180-4). */
void net_sha256(struct slice data, uint8_t out[32]);
/* SHA-512 (FIPS 180-4). */
void net_sha512(struct slice data, uint8_t out[64]);

#endif
