/* Base64 (RFC 4648). */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/buf.h"
#include "base/slice.h"

enum codec_base64_style {
    CODEC_BASE64_STANDARD, /* + and /, padded */
    CODEC_BASE64_URL       /* - and _, not padded: cookies, tokens, URLs */
};

void codec_base64_append(struct buf *out, struct slice in, enum codec_base64_style style);
/* Appends the bytes. Takes either alphabet, padded or not (protobuf's JSON mapping asks for that);
 * ERR_INVALID for any other character, wrong padding or a length that cannot be. Nothing is
 * appended then. */
int codec_base64_decode(struct slice in, struct buf *out);

#endif
