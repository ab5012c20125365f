#include "net/digest.h"

#include <openssl/sha.h>

void net_sha256(struct slice data, uint8_t out[32])
{
    SHA256((const unsigned char *)data.ptr, data.len, out);
}
