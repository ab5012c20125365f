/* CRC-32C (Castagnoli; RFC 3720), as Prometheus' streams and files carry it. */
#ifndef CODEC_CRC32C_H
#define CODEC_CRC32C_H

#include "base/slice.h"
#include "base/types.h"

uint32_t codec_crc32c(struct slice bytes);

#endif
