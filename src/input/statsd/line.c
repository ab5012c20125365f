/* The strict parser. The usual line (one sample, sections in one piece) is walked once from left to
 * right; several samples in a line take a second walk. */
#include "input/statsd/line.h"

#include <math.h>

#include "base/types.h"
#include "codec/number.h"

#define TIMESTAMP_MAX_S INT64_C(9000000000) /* the year 2255, before nanoseconds overflow */

static const struct {
    const char *name, *help;
} reasons[STATSD_REASON_COUNT] = {
    [STATSD_OK] = {"ok", ""},
    [STATSD_BAD_LINE] = {"bad_line", "the Node daemon would call this a bad line"},
    [STATSD_NO_NAME] = {"no_name", "a name is expected before the first colon"},
    [STATSD_BAD_NAME] = {"bad_name", "names are UTF-8 without control characters"},
    [STATSD_NO_VALUE] = {"no_value", "a value is expected behind the name, as in name:1|c"},
    [STATSD_BAD_VALUE] = {"bad_value", "values are decimal numbers, as in 3, -0.5 or 1e3"},
    [STATSD_NO_TYPE] = {"no_type", "a type is expected behind the value, as in name:1|c"},
    [STATSD_BAD_TYPE] = {"bad_type", "types are c, C, m, g, kv, ms, h, d and s"},
    [STATSD_BAD_RATE] = {"bad_rate", "a sample rate is a number above 0 and up to 1, as in @0.1"},
    [STATSD_BAD_TIMESTAMP] = {"bad_timestamp", "a timestamp is whole seconds since 1970, as in "
                                               "T1656581400, and stands with counters and gauges"},
    [STATSD_BAD_TAG] = {"bad_tag", "tags are key:value behind |#, or key=value in the name"},
    [STATSD_MIXED_TAGS] = {"mixed_tags", "tags stand either in the name or behind |#, not both"},
    [STATSD_EMPTY_SECTION] = {"empty_section", "something is expected behind each |"},
    [STATSD_NEGATIVE_TIME] = {"negative_time", "a time in ms is not negative"},
    [STATSD_BAD_EVENT] =
        {"bad_event", "an event is _e{title bytes,text bytes}:title|text|..., lengths in UTF-8"},
    [STATSD_BAD_CHECK] = {"bad_check", "a service check is _sc|name|0..3|..."},
    [STATSD_TOO_LONG] = {"too_long", "longer than limits.statsd.line_size"},
    [STATSD_NAME_LIMIT] = {"name_limit", "a new name over limits.statsd.names"},
    [STATSD_MEMORY] = {"memory", "values of timers and sets hold limits.statsd.memory already"},
    [STATSD_DROPPED] = {"dropped", "the mapping file says action: drop"},
    [STATSD_MAPPING] = {"mapping_effort",
                        "an expression of the mapping file takes more than limits.regex_effort "
                        "steps on this name"},
    [STATSD_NO_NODE] = {"no_node", "none of statsd.proxy.nodes is up"},
};

const char *statsd_reason_name(enum statsd_reason reason)
{
    return reasons[reason].name;
}

const char *statsd_reason_help(enum statsd_reason reason)
{
    return reasons[reason].help;
}

static const char *find(const char *at, const char *end, char c)
{
    return at < end ? memchr(at, c, (size_t)(end - at)) : NULL;
}

bool statsd__number(const char *at, const char *end, double *out)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    const char *start = at;
    bool negative = false;
    uint64_t digits = 0;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    const char *first = at;
    /* Up to 15 digits and 9 decimals are exact in one division. */
    while (at < end && (unsigned char)(*at - '0') < 10)
        digits = digits * 10 + (unsigned char)(*at++ - '0');
    size_t count = (size_t)(at - first), decimals = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        while (at < end && (unsigned char)(*at - '0') < 10)
            digits = digits * 10 + (unsigned char)(*at++ - '0');
        decimals = (size_t)(at - point) - 1;
        count += decimals;
    }
    if (at == end && count && count <= 15 && decimals < ARRAY_LEN(powers)) {
        double v = (double)digits / powers[decimals];
        *out = negative ? -v : v;
        return true;
    }
    for (const char *c = first; c < end; c++) {
        if ((*c < '0' || *c > '9') && *c != '.' && *c != 'e' && *c != 'E' && *c != '+' && *c != '-')
            return false;
    }
    return codec_text_to_double(slice_make(start, (size_t)(end - start)), out, NULL) &&
           isfinite(*out);
}

static bool parse_kind(const char *at, const char *end, enum statsd_kind *out)
{
    if (end - at == 1) {
        switch (*at) {
        case 'c':
        case 'C': /* brubeck's */
        case 'm': /* a meter */ *out = STATSD_COUNTER; return true;
        case 'g': *out = STATSD_GAUGE; return true;
        case 'h': *out = STATSD_HISTOGRAM; return true;
        case 'd': *out = STATSD_DISTRIBUTION; return true;
        case 's': *out = STATSD_SET; return true;
        }
    } else if (end - at == 2 && at[0] == 'm' && at[1] == 's') {
        *out = STATSD_TIMER;
        return true;
    } else if (end - at == 2 && at[0] == 'k' && at[1] == 'v') {
        *out = STATSD_GAUGE; /* statsite's key/value */
        return true;
    }
    return false;
}

static enum statsd_reason parse_rate(struct statsd_parser *p, const char *at, const char *end,
                                     double *out_weight)
{
    double rate;
    if (!statsd__number(at, end, &rate))
        return STATSD_BAD_RATE;
    if (rate > 0 && rate <= 1) {
        *out_weight = 1 / rate;
    } else {
        *out_weight = 1;
        p->rates_out_of_range++;
    }
    return STATSD_OK;
}

/* "|@0.1|#a:b|..." from its first bar to the end: what they say goes into the sample. */
static enum statsd_reason parse_sections(struct statsd_parser *p, const char *at, const char *end,
                                         struct statsd_sample *s)
{
    bool copied = false;
    while (at < end) {
        const char *bar = at++;
        const char *stop = find(at, end, '|');
        stop = stop ? stop : end;
        if (at == stop)
            return STATSD_EMPTY_SECTION;
        if (*at == '@') {
            enum statsd_reason why = parse_rate(p, at + 1, stop, &s->weight);
            if (why)
                return why;
        } else if (*at == '#' || ((*at == 'c' || *at == 'e') && stop - at > 1 && at[1] == ':')) {
            struct slice section = slice_make(bar, (size_t)(stop - bar));
            if (!s->tail.len) {
                s->tail = section;
            } else if (!copied && s->tail.ptr + s->tail.len == bar) {
                s->tail.len += section.len;
            } else { /* others stand between */
                if (!copied) {
                    buf_clear(&p->scratch);
                    buf_append_slice(&p->scratch, s->tail);
                }
                copied = true;
                buf_append_slice(&p->scratch, section);
                s->tail = buf_slice(&p->scratch);
            }
        } else if (*at == 'T') {
            int64_t seconds;
            if (!codec_text_to_int(slice_make(at + 1, (size_t)(stop - at - 1)), &seconds) ||
                seconds < 1 || seconds > TIMESTAMP_MAX_S || s->kind > STATSD_GAUGE)
                return STATSD_BAD_TIMESTAMP;
            s->ts_ns = seconds * NS_PER_SEC;
        } else {
            p->unknown_sections++; /* "card:low", and what later versions bring */
        }
        at = stop;
    }
    return STATSD_OK;
}

static enum statsd_reason take_value(struct statsd_parser *p, const char *at, const char *end,
                                     struct statsd_sample *s)
{
    s->is_delta = false;
    if (s->kind == STATSD_GAUGE && at < end) {
        if (*at == '=')
            at++; /* "=-5": minus five, whatever the setting */
        else
            s->is_delta = (*at == '+' || *at == '-') && !p->gauges_absolute;
    }
    if (!statsd__number(at, end, &s->value))
        return STATSD_BAD_VALUE;
    if (s->kind == STATSD_TIMER && s->value < 0)
        return STATSD_NEGATIVE_TIME;
    p->samples++;
    return p->on_sample(p->ctx, s);
}

/* One value, or "1:2:3" of one type, empty ones left out. */
static enum statsd_reason take_values(struct statsd_parser *p, const char *at, const char *end,
                                      struct statsd_sample *s)
{
    if (s->kind == STATSD_SET) {
        if (at == end)
            return STATSD_NO_VALUE;
        s->text = slice_make(at, (size_t)(end - at));
        p->samples++;
        return p->on_sample(p->ctx, s);
    }
    const char *colon = find(at, end, ':');
    if (BASE_LIKELY(!colon))
        return at == end ? STATSD_NO_VALUE : take_value(p, at, end, s);
    enum statsd_reason first = STATSD_OK;
    bool any = false;
    for (;;) {
        const char *stop = colon ? colon : end;
        if (at < stop) {
            enum statsd_reason why = take_value(p, at, stop, s);
            first = first ? first : why;
            any = true;
        }
        if (!colon)
            return any ? first : STATSD_NO_VALUE;
        at = colon + 1;
        colon = find(at, end, ':');
    }
}

/* "1|c:2|c|@0.1:3|ms", then sections of tags: each part is a sample of its own. */
static enum statsd_reason take_several(struct statsd_parser *p, struct slice name, const char *at,
                                       const char *end)
{
    struct statsd_sample shared = {.name = name, .weight = 1};
    enum statsd_reason first = STATSD_OK, why;
    const char *tags = at;
    while ((tags = find(tags, end, '|')) && (tags + 1 == end || tags[1] != '#'))
        tags++;
    if (tags && (why = parse_sections(p, tags, end, &shared)))
        return why;
    end = tags ? tags : end;
    for (const char *colon; at <= end; at = colon + 1) {
        struct statsd_sample s = shared;
        colon = find(at, end, ':');
        colon = colon ? colon : end;
        const char *bar = find(at, colon, '|');
        if (at == colon)
            why = STATSD_NO_VALUE;
        else if (!bar)
            why = STATSD_NO_TYPE;
        else {
            const char *bar2 = find(bar + 1, colon, '|');
            why = !parse_kind(bar + 1, bar2 ? bar2 : colon, &s.kind)
                      ? STATSD_BAD_TYPE
                      : parse_sections(p, bar2 ? bar2 : colon, colon, &s);
            if (!why && s.ts_ns && s.kind > STATSD_GAUGE)
                why = STATSD_BAD_TIMESTAMP;
            if (!why)
                why = take_values(p, at, bar, &s);
        }
        first = first ? first : why;
    }
    return first;
}

/* What most lines are: whole digits and a type, at most tags behind it. In one walk; whatever is
 * else leaves the sample as it was. */
static inline bool is_plain(const char *at, const char *end, struct statsd_sample *s)
{
    const char *first = at;
    uint64_t digits = 0;
    enum statsd_kind kind;
    while (at < end && (unsigned char)(*at - '0') < 10)
        digits = digits * 10 + (unsigned char)(*at++ - '0');
    if (at == first || at - first > 15 || end - at < 2 || *at != '|')
        return false;
    switch (at[1]) {
    case 'c': kind = STATSD_COUNTER; break;
    case 'g': kind = STATSD_GAUGE; break;
    case 'h': kind = STATSD_HISTOGRAM; break;
    case 'd': kind = STATSD_DISTRIBUTION; break;
    case 'm':
        if (end - at < 3 || at[2] != 's')
            return false;
        kind = STATSD_TIMER;
        at++;
        break;
    default: return false;
    }
    at += 2;
    if (at < end) {
        if (end - at < 2 || at[0] != '|' || at[1] != '#' || find(at + 2, end, '|'))
            return false;
        s->tail = slice_make(at, (size_t)(end - at));
    }
    s->kind = kind;
    s->value = (double)digits;
    return true;
}

static enum statsd_reason parse_line(struct statsd_parser *p, const char *at, const char *end)
{
    if (BASE_UNLIKELY(*at == '_') && p->on_event) {
        struct slice line = slice_make(at, (size_t)(end - at));
        if (slice_starts_with(line, SLICE("_e{")) || slice_starts_with(line, SLICE("_sc|")))
            return p->on_event(p->ctx, line);
    }
    const char *colon = find(at, end, ':');
    if (!colon)
        return STATSD_NO_VALUE;
    if (colon == at)
        return STATSD_NO_NAME;
    struct statsd_sample s = {.weight = 1, .name = {at, (size_t)(colon - at)}};
    const char *value = colon + 1;
    if (BASE_LIKELY(is_plain(value, end, &s))) {
        p->samples++;
        if (!p->on_plain)
            return p->on_sample(p->ctx, &s);
        p->on_plain(p->ctx, &s, slice_make(at, (size_t)(end - at)));
        return STATSD_OK;
    }
    const char *bar = find(value, end, '|');
    if (!bar)
        return value == end ? STATSD_NO_VALUE : STATSD_NO_TYPE;
    const char *type = bar + 1, *stop = type;
    while (stop < end && *stop != '|' && *stop != ':')
        stop++;
    if (!parse_kind(type, stop, &s.kind))
        return type == stop ? STATSD_NO_TYPE : STATSD_BAD_TYPE;
    if (stop < end) {
        if (*stop == ':')
            return take_several(p, s.name, value, end);
        if (stop + 1 < end && stop[1] == '@') { /* "1|c|@0.1:2|c" */
            const char *c = stop + 1;
            while (c < end && *c != '|' && *c != ':')
                c++;
            if (c < end && *c == ':')
                return take_several(p, s.name, value, end);
        }
        enum statsd_reason why = parse_sections(p, stop, end, &s);
        if (why)
            return why;
    }
    return take_values(p, value, bar, &s);
}

void statsd_parse(struct statsd_parser *p, struct slice packet)
{
    const char *at = packet.ptr, *end = at + packet.len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *next = newline ? newline + 1 : end;
        struct slice line = {at, (size_t)(stop - at)};
        if (stop > at && stop[-1] == '\r' && !p->is_node)
            line.len--;
        at = next;
        if (!line.len)
            continue;
        p->lines++;
        if (p->is_node) {
            statsd__node_line(p, line);
        } else {
            enum statsd_reason why = parse_line(p, line.ptr, line.ptr + line.len);
            if (BASE_UNLIKELY(why))
                p->on_refused(p->ctx, why, line);
        }
    }
}
