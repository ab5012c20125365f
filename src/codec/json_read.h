/* Reading JSON (RFC 8259) without building a tree: the caller walks the document in its order and
 * takes each value straight to where it belongs. Strict: no comments, no trailing commas, no bare
 * words.
 *
 *     struct codec_json_reader r = codec_json_reader(body, arena, diag);
 *     struct slice key;
 *     codec_json_read_object(&r);
 *     while (codec_json_next_key(&r, &key)) {
 *         if (slice_eq_cstr(key, "name"))
 *             codec_json_read_string(&r, &name);
 *         else if (slice_eq_cstr(key, "values")) {
 *             codec_json_read_array(&r);
 *             while (codec_json_next_item(&r))
 *                 codec_json_read_double(&r, &v);
 *         }                       // a value nobody took is skipped by the next codec_json_next_*
 *     }
 *     return codec_json_read_end(&r);
 *
 * Errors are sticky: after the first one every call returns false and changes nothing, so loops
 * end and one check of r.err (or codec_json_read_end) at the end is enough. The message says line
 * and column. Nesting deeper than depth_max is an error. One thread at a time. */
#ifndef CODEC_JSON_READ_H
#define CODEC_JSON_READ_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

#define CODEC_JSON_READ_DEPTH 128

enum codec_json_kind {
    CODEC_JSON_NULL,
    CODEC_JSON_BOOL,
    CODEC_JSON_NUMBER,
    CODEC_JSON_STRING,
    CODEC_JSON_ARRAY,
    CODEC_JSON_OBJECT
};

/* What becomes of bytes in strings that are no UTF-8. */
enum codec_json_utf8 {
    CODEC_JSON_UTF8_REFUSE,  /* an error, as the RFC has it */
    CODEC_JSON_UTF8_REPLACE, /* each such byte becomes U+FFFD, as Go's encoding/json reads it */
    CODEC_JSON_UTF8_KEEP     /* taken as they are */
};

struct codec_json_reader {
    const char *begin, *p, *end;
    struct arena *arena;       /* where unescaped strings go; may be NULL when none is read */
    struct diag *diag;         /* may be NULL */
    enum codec_json_utf8 utf8; /* REFUSE unless set otherwise */
    int err;                   /* 0, ERR_INVALID, or ERR_NOMEM when the arena's budget is used up */
    unsigned depth, depth_max; /* CODEC_JSON_READ_DEPTH unless set lower */
    bool due;                  /* a value stands next and was not taken yet */
    bool has_item[CODEC_JSON_READ_DEPTH + 1];
};

struct codec_json_reader codec_json_reader(struct slice text, struct arena *arena,
                                           struct diag *diag);

/* The kind of the value that stands next, which stays untaken. False at an error. */
bool codec_json_peek(struct codec_json_reader *r, enum codec_json_kind *out);

/* Enter a value of that kind; any other kind is an error. Inside, call next_* until it is false. */
bool codec_json_read_object(struct codec_json_reader *r);
bool codec_json_read_array(struct codec_json_reader *r);
/* The next key of the innermost object; false at its end (which leaves it) or at an error. */
bool codec_json_next_key(struct codec_json_reader *r, struct slice *key);
/* Whether the innermost array has another item. */
bool codec_json_next_item(struct codec_json_reader *r);

/* Take one value of that kind. Strings point into the text where they hold no escape, else into the
 * arena. */
bool codec_json_read_string(struct codec_json_reader *r, struct slice *out);
bool codec_json_read_bool(struct codec_json_reader *r, bool *out);
/* Takes a null when one is there; false, and nothing taken, when another value is. */
bool codec_json_read_null(struct codec_json_reader *r);
/* Numbers, or strings holding one, as protobuf's JSON mapping writes 64-bit integers ("123") and
 * special doubles ("NaN", "Infinity", "-Infinity"). Integers out of range, or with a fraction that
 * is not zero, are errors; 1e3 and 2.0 are integers. */
bool codec_json_read_double(struct codec_json_reader *r, double *out);
bool codec_json_read_int(struct codec_json_reader *r, int64_t *out);
bool codec_json_read_uint(struct codec_json_reader *r, uint64_t *out);
/* A number as it is written. */
bool codec_json_read_number_text(struct codec_json_reader *r, struct slice *out);
/* The text of a value of any kind, checked but not interpreted. */
bool codec_json_read_raw(struct codec_json_reader *r, struct slice *out);
bool codec_json_skip(struct codec_json_reader *r);

/* Only white space may be left. Returns r->err. */
int codec_json_read_end(struct codec_json_reader *r);
/* An error of the caller's own at the current place ("severity is 0 to 24"); returns `code`. */
int codec_json_read_error(struct codec_json_reader *r, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
