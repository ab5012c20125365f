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
    STORE_STYLE_TIME = 4,    /* 2024-01-02T03:04:05.678Z; param: store_style_time_param */
    STORE_STYLE_HEX = 5,     /* lower case, two digits a byte: bytes instead of integers */
    STORE_STYLE_UUID = 6,    /* 8-4-4-4-12 lower-case hex digits: 16 bytes */
    STORE_STYLE_CLF = 7,     /* 02/Jan/2024:03:04:05, of access logs; ns as TIME */
    STORE_STYLE_PADDED = 8,  /* `param` digits (1-18), zeros in front */
    STORE_STYLE_SHORT = 9,   /* as DECIMAL with at most `param` decimals, no zeros at the end */
    STORE_STYLE_COUNT
};

/* Of a TIME: decimals (0-9), and how it differs from RFC 3339 in UTC. */
enum store_style_time_param {
    STORE_TIME_DECIMALS = 0x0f,
    STORE_TIME_SPACE = 0x10, /* instead of T */
    STORE_TIME_NO_Z = 0x20,
    STORE_TIME_COMMA = 0x40, /* instead of the point */
};

#define STORE_STYLE_TEXT_MAX 40

/* Whose values are bytes; the others are integers. */
static inline bool store_style_is_bytes(enum store_style style)
{
    return style == STORE_STYLE_HEX || style == STORE_STYLE_UUID;
}
static inline bool store_style_is_time(enum store_style style)
{
    return style == STORE_STYLE_TIME || style == STORE_STYLE_CLF;
}
/* The ns that a TIME or CLF counts in. */
int64_t store_style_time_unit(enum store_style style, unsigned param);

/* The style of one text, by its looks; others of its column may still not fit. */
enum store_style store_style_guess(struct slice text, unsigned *out_param);
/* Those that are integers. False when it would not print back the same. */
bool store_style_parse(enum store_style style, unsigned param, struct slice text, int64_t *out);
/* Returns the length (at most STORE_STYLE_TEXT_MAX). Any value prints something. */
size_t store_style_print(enum store_style style, unsigned param, int64_t v, char *out);
/* HEX and UUID. Appends the bytes. */
bool store_style_parse_bytes(enum store_style style, struct slice text, struct buf *out);
size_t store_style_print_bytes(enum store_style style, struct slice bytes, char *out);

#endif
