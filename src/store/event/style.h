/* Texts that are numbers, addresses or times in disguise, as integers that print back exactly. */
#ifndef STORE_EVENT_STYLE_H
#define STORE_EVENT_STYLE_H

#include "base/buf.h"
#include "base/slice.h"

/* On disk: never renumber. */
enum store_style {
    STORE_STYLE_NONE = 0,
    STORE_STYLE_INT = 1,     /* -?[1-9][0-9]* or 0 */
    STORE_STYLE_DECIMAL = 2, /* the same with `param` decimals (1-15) */
    STORE_STYLE_IPV4 = 3,    /* 10.0.0.1 */
    STORE_STYLE_TIME = 4,    /* 2024-01-02T03:04:05.678Z with `param` decimals (0-9) */
    STORE_STYLE_HEX = 5,     /* lower case, two digits a byte: bytes instead of integers */
    STORE_STYLE_UUID = 6,    /* 8-4-4-4-12 lower-case hex digits: 16 bytes */
    STORE_STYLE_COUNT
};

#define STORE_STYLE_TEXT_MAX 40

/* The style of one text, by its looks; others of its column may still not fit. */
enum store_style store_style_guess(struct slice text, unsigned *out_param);
/* Styles up to TIME. False when it would not print back the same. */
bool store_style_parse(enum store_style style, unsigned param, struct slice text, int64_t *out);
/* Returns the length (at most STORE_STYLE_TEXT_MAX). Any value prints something. */
size_t store_style_print(enum store_style style, unsigned param, int64_t v, char *out);
/* HEX and UUID. Appends the bytes. */
bool store_style_parse_bytes(enum store_style style, struct slice text, struct buf *out);
size_t store_style_print_bytes(enum store_style style, struct slice bytes, char *out);

#endif
