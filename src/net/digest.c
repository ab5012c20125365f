#include "net/digest.h"

#include <openssl/sha.h>

void net_sha256(struct slice data, uint8_t out[32])
{
    SHA256((const unsigned char *)data.ptr, data.len, out);
}

void net_sha512(struct slice data, uint8_t out[64])
{
    SHA512((const unsigned char *)data.ptr, data.len, out);
}
