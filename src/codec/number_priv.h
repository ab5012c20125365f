/* The table of powers of ten that printing and parsing share. */
#ifndef CODEC_NUMBER_PRIV_H
#define CODEC_NUMBER_PRIV_H

#include "base/types.h"

#define CODEC__POW10_MIN   (-348)
#define CODEC__POW10_MAX   347
#define CODEC__POW10_COUNT (CODEC__POW10_MAX - CODEC__POW10_MIN + 1)

/* [e - CODEC__POW10_MIN] = {high, low}: the top 128 bits of 10^e, cut off. */
extern const uint64_t codec__pow10[CODEC__POW10_COUNT][2];

#endif
