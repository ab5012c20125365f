#include "codec/crc32c.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* table[k][b]: the checksum of byte b with k zero bytes behind it. */
static uint32_t table[4][256];

__attribute__((constructor)) static void fill(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t c = b;
        for (int i = 0; i < 8; i++)
            c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        table[0][b] = c;
    }
    for (int k = 1; k < 4; k++) {
        for (uint32_t b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
    }
}

uint32_t codec_crc32c(struct slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t n = bytes.len;
    uint32_t c = 0xffffffffu;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t v;
        memcpy(&v, p, sizeof(v));
        c ^= v;
        c = table[3][c & 0xff] ^ table[2][c >> 8 & 0xff] ^ table[1][c >> 16 & 0xff] ^
            table[0][c >> 24];
    }
    for (; n; n--, p++)
        c = c >> 8 ^ table[0][(c ^ *p) & 0xff];
    return c ^ 0xffffffffu;
}
