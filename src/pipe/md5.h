/* MD5 (RFC 1321), only because Prometheus' hashmod is defined by it. Not for security. */
#ifndef PIPE_MD5_H
#define PIPE_MD5_H

#include "base/slice.h"

void pipe_md5(struct slice s, unsigned char out[16]);

#endif
