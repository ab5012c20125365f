/* From bytes to samples: StatsD's lines in every dialect, as two parsers.
 *
 * Strict (line.c) takes what the dialects define and refuses the rest by reason:
 *
 *     name:value[:value...]|type[|@rate][|#tag:value,...][|c:id][|e:data][|card:x][|Tunix]
 *     name:value|type[|@rate]:value|type...        several samples of one name
 *
 * with types c C m (counters), g kv (gauges), ms h d (timers), s (sets), sections in any order,
 * tags also in the name (Influx ",a=b", Librato "#a=b", SignalFx "[a=b]"), DogStatsD 1.6 events and
 * service checks. Node (line_node.c) does what the Node daemon does, oddities included.
 *
 * The parsers own nothing and keep nothing: slices in a sample are valid during its callback. */
#ifndef INPUT_STATSD_LINE_H
#define INPUT_STATSD_LINE_H

#include "base/buf.h"
#include "base/slice.h"

enum statsd_kind {
    STATSD_COUNTER,
    STATSD_GAUGE,
    STATSD_TIMER,        /* ms */
    STATSD_HISTOGRAM,    /* h */
    STATSD_DISTRIBUTION, /* d */
    STATSD_SET,
    STATSD_KIND_COUNT
};

static inline bool statsd_kind_is_timer(enum statsd_kind kind)
{
    return kind >= STATSD_TIMER && kind <= STATSD_DISTRIBUTION;
}

/* Why a line, or a sample of it, was not taken. */
enum statsd_reason {
    STATSD_OK,
    STATSD_BAD_LINE, /* the Node daemon's only reason */
    STATSD_NO_NAME,
    STATSD_BAD_NAME,
    STATSD_NO_VALUE,
    STATSD_BAD_VALUE,
    STATSD_NO_TYPE,
    STATSD_BAD_TYPE,
    STATSD_BAD_RATE,
    STATSD_BAD_TIMESTAMP,
    STATSD_BAD_TAG,
    STATSD_MIXED_TAGS,
    STATSD_EMPTY_SECTION,
    STATSD_NEGATIVE_TIME,
    STATSD_BAD_EVENT,
    STATSD_BAD_CHECK,
    STATSD_TOO_LONG,
    STATSD_NAME_LIMIT,
    STATSD_MEMORY,
    STATSD_DROPPED, /* by the mapping file */
    STATSD_MAPPING, /* an expression of it could not be tried to the end */
    STATSD_NO_NODE, /* of the proxy: no daemon is up */
    STATSD_REASON_COUNT
};
/* "bad_value", ... for counters and the API. */
const char *statsd_reason_name(enum statsd_reason reason);
/* What would be right, for people. */
const char *statsd_reason_help(enum statsd_reason reason);

struct statsd_sample {
    enum statsd_kind kind;
    bool is_delta; /* a gauge's +n or -n */
    double value;  /* of sets: unused */
    double weight; /* how many events it stands for: 1 / sample rate */
    int64_t ts_ns; /* since 1970; 0 = now */
    /* Strict: as it was sent, tags in it included. Node: sanitised, with its ";tag=value". */
    struct slice name;
    struct slice tail; /* strict: the sections of tags and origin, "|#a:b|c:x"; else empty */
    struct slice text; /* of a set: the member */
};

struct statsd_parser {
    bool is_node;
    bool keep_names;      /* node: not sanitised (keyNameSanitize false) */
    bool gauges_absolute; /* strict: "-5|g" is minus five, as DogStatsD's agent has it */
    /* STATSD_OK, or why the sample is not taken. */
    enum statsd_reason (*on_sample)(void *ctx, const struct statsd_sample *sample);
    /* Strict: a line that is one sample; it stays where it is until the packet ends, so that the
     * sample may be added later, together with others. NULL: on_sample. */
    void (*on_plain)(void *ctx, const struct statsd_sample *sample, struct slice line);
    /* A whole line "_e{" or "_sc|". NULL: refused as bad type. */
    enum statsd_reason (*on_event)(void *ctx, struct slice line);
    void (*on_refused)(void *ctx, enum statsd_reason reason, struct slice line);
    void *ctx;
    struct buf scratch; /* the parser's; zero it first, buf_deinit it in the end */
    /* What it saw; the caller may reset them. */
    int64_t lines, samples, rates_out_of_range, unknown_sections;
};

/* All lines of a packet; a last line without its end is a line. */
void statsd_parse(struct statsd_parser *p, struct slice packet);

/* line_node.c: one line, not blank. */
void statsd__node_line(struct statsd_parser *p, struct slice line);

/* Decimal with optional sign, point and exponent; no NaN, infinity or hexadecimal. */
bool statsd__number(const char *at, const char *end, double *out);

#endif
