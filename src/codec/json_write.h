/* Writing JSON into a buffer. Commas are the writer's business; strings are escaped as Go's
 * encoding/json does without its HTML escaping (invalid UTF-8 becomes U+FFFD). Misuse (a value
 * without a key inside an object) stops the process: it is a bug, not input. */
#ifndef CODEC_JSON_WRITE_H
#define CODEC_JSON_WRITE_H

#include "base/buf.h"
#include "codec/number.h"

#define CODEC_JSON_DEPTH_MAX 32

struct codec_json_writer {
    struct buf *out;
    unsigned depth;
    bool has_item[CODEC_JSON_DEPTH_MAX + 1];
    bool in_object[CODEC_JSON_DEPTH_MAX + 1];
    bool after_key;
};

void codec_json_init(struct codec_json_writer *w, struct buf *out);
void codec_json_begin_object(struct codec_json_writer *w);
void codec_json_end_object(struct codec_json_writer *w);
void codec_json_begin_array(struct codec_json_writer *w);
void codec_json_end_array(struct codec_json_writer *w);
void codec_json_key(struct codec_json_writer *w, struct slice key);
void codec_json_string(struct codec_json_writer *w, struct slice s);
void codec_json_int(struct codec_json_writer *w, int64_t v);
/* A number; NaN and infinities become null, JSON has no such numbers. */
void codec_json_double(struct codec_json_writer *w, double v);
void codec_json_bool(struct codec_json_writer *w, bool v);
void codec_json_null(struct codec_json_writer *w);
/* Ready JSON text as one value. */
void codec_json_raw(struct codec_json_writer *w, struct slice json);

/* key and value in one. */
void codec_json_put_string(struct codec_json_writer *w, const char *key, struct slice s);
void codec_json_put_int(struct codec_json_writer *w, const char *key, int64_t v);
void codec_json_put_bool(struct codec_json_writer *w, const char *key, bool v);

/* Just the escaping, with the quotes. */
void codec_json_append_string(struct buf *out, struct slice s);

#endif
