/* UTF-8 (RFC 3629). */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include "base/buf.h"
#include "base/slice.h"

/* No overlong forms, no surrogates, nothing above U+10FFFF. */
bool codec_utf8_valid(struct slice s);
/* Decodes the first code point into *out; returns its length, or 0 when the bytes are no valid one.
 */
size_t codec_utf8_decode(struct slice s, uint32_t *out);
/* Writes a code point (at most 4 bytes); returns the length. */
size_t codec_utf8_encode(uint32_t code, char *out);
/* Appends it with U+FFFD in place of each byte that is no part of a valid code point. */
void codec_utf8_repair(struct slice s, struct buf *out);

#endif
