/* A parsed JSON document (RFC 8259) in an arena, for bodies that are configuration or answers
 * rather than data. Strict; duplicate keys: the last one is found first. Depth is limited. */
#ifndef CODEC_JSON_DOM_H
#define CODEC_JSON_DOM_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"
#include "codec/json_read.h"

struct codec_json {
    enum codec_json_kind kind;
    bool boolean;
    double number;
    struct slice text;        /* a string's content, or a number as it was written */
    size_t count;             /* of items */
    struct codec_json *items; /* array items, or object values */
    struct slice *keys;       /* objects only */
};

/* Strings point into `text` where they hold no escape. Errors have line and column. */
int codec_json_parse(struct slice text, struct arena *arena, struct codec_json *out,
                     struct diag *diag);
/* The value of `key`, or NULL when v is no object or has no such key. v may be NULL. */
const struct codec_json *codec_json_get(const struct codec_json *v, const char *key);
/* Text of a string value of `key`, or ptr NULL. */
struct slice codec_json_get_string(const struct codec_json *v, const char *key);

#endif
