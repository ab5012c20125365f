/* What the Node daemon (statsd 0.9) does with a line, step by step: tags behind the first "|#" are
 * put into the key, the key is washed, each part behind a colon is a sample, and whatever is no
 * "ms", "g" or "s" is a counter. Numbers are JavaScript's. */
#include <math.h>

#include "base/types.h"
#include "codec/number.h"
#include "input/statsd/identity.h"
#include "input/statsd/line.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trim(struct slice s)
{
    while (s.len && is_space(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Digits of 0x, 0o, 0b. */
static bool radix_number(struct slice s, double *out)
{
    int base = s.ptr[1] == 'x' || s.ptr[1] == 'X'   ? 16
               : s.ptr[1] == 'o' || s.ptr[1] == 'O' ? 8
               : s.ptr[1] == 'b' || s.ptr[1] == 'B' ? 2
                                                    : 0;
    double v = 0;
    if (!base || s.len < 3)
        return false;
    for (size_t i = 2; i < s.len; i++) {
        char c = s.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : 99;
        if (digit >= base)
            return false;
        v = v * base + digit;
    }
    *out = v;
    return true;
}

/* JavaScript's Number(text); false for NaN. */
static bool js_number(struct slice text, double *out)
{
    struct slice s = trim(text), rest = s;
    if (!s.len) {
        *out = 0;
        return true;
    }
    if (s.len > 1 && s.ptr[0] == '0' && (s.ptr[1] < '0' || s.ptr[1] > '9') && s.ptr[1] != '.' &&
        s.ptr[1] != 'e' && s.ptr[1] != 'E')
        return radix_number(s, out);
    if (s.ptr[0] == '+' || s.ptr[0] == '-')
        rest = slice_from(s, 1);
    if (slice_eq(rest, SLICE("Infinity"))) {
        *out = s.ptr[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if ((c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-')
            return false;
    }
    return codec_text_to_double(s, out, NULL); /* too large is infinite there as well */
}

/* Its isNumber: not empty, and a number. */
static bool is_number(struct slice text, double *out)
{
    return text.len && js_number(text, out);
}

/* "@0.5": the digits and points behind the @. What follows them was a number as a whole, but is not
 * used: @1e-1 is 1. */
static bool parse_rate(struct slice text, double *out)
{
    double whole;
    if (text.len < 2 || text.ptr[0] != '@' || text.ptr[1] == '-' ||
        !is_number(slice_from(text, 1), &whole))
        return false;
    size_t n = 1;
    while (n < text.len && ((text.ptr[n] >= '0' && text.ptr[n] <= '9') || text.ptr[n] == '.'))
        n++;
    return js_number(slice_make(text.ptr + 1, n - 1), out) && n > 1;
}

static void append_name(struct statsd_parser *p, struct slice name, struct buf *out)
{
    if (p->keep_names)
        buf_append_slice(out, name);
    else
        statsd__wash(name, out);
}

/* ";tag=value" for each: the first ';' of a tag is '_', its first ':' is '='. */
static void append_tags(struct statsd_parser *p, struct buf *out, struct slice tags)
{
    struct slice tag;
    struct buf one = {0};
    while (slice_split(&tags, ',', &tag)) {
        buf_clear(&one);
        buf_append_slice(&one, tag);
        char *c = one.len ? memchr(one.ptr, ';', one.len) : NULL;
        if (c)
            *c = '_';
        c = one.len ? memchr(one.ptr, ':', one.len) : NULL;
        if (c)
            *c = '=';
        buf_append_char(out, ';');
        append_name(p, buf_slice(&one), out);
    }
    buf_deinit(&one);
}

static enum statsd_reason take(struct statsd_parser *p, struct slice part, struct statsd_sample *s)
{
    struct slice value, type, rate_text, rest = part;
    double rate = 1;
    slice_split(&rest, '|', &value);
    if (!slice_split(&rest, '|', &type))
        return STATSD_BAD_LINE;
    if (slice_split(&rest, '|', &rate_text) && !parse_rate(rate_text, &rate))
        return STATSD_BAD_LINE;
    bool is_set = slice_eq(type, SLICE("s"));
    if (!is_set && !is_number(value, &s->value))
        return STATSD_BAD_LINE;
    if (slice_eq(type, SLICE("ms")) && s->value < 0)
        return STATSD_BAD_LINE;
    type = trim(type);
    s->weight = 1 / rate;
    s->is_delta = false;
    if (slice_eq(type, SLICE("ms"))) {
        s->kind = STATSD_TIMER;
    } else if (slice_eq(type, SLICE("g"))) {
        s->kind = STATSD_GAUGE;
        s->is_delta = value.ptr[0] == '+' || value.ptr[0] == '-';
    } else if (slice_eq(type, SLICE("s"))) {
        s->kind = STATSD_SET;
        s->text = value.len ? value : SLICE("0");
    } else {
        s->kind = STATSD_COUNTER;
    }
    p->samples++;
    return p->on_sample(p->ctx, s);
}

void statsd__node_line(struct statsd_parser *p, struct slice line)
{
    struct statsd_sample s = {0};
    struct slice body = line, key, part;
    ptrdiff_t at = slice_find(line, SLICE("|#"));
    struct slice tags = {0};
    if (at >= 0) { /* up to the next one; what stands behind that is lost */
        body = slice_first(line, (size_t)at);
        tags = slice_from(line, (size_t)at + 2);
        at = slice_find(tags, SLICE("|#"));
        tags = at < 0 ? tags : slice_first(tags, (size_t)at);
    }
    slice_split(&body, ':', &key);
    buf_clear(&p->scratch);
    append_name(p, key, &p->scratch);
    if (tags.len)
        append_tags(p, &p->scratch, tags);
    s.name = p->scratch.len ? buf_slice(&p->scratch) : SLICE("");
    if (!body.ptr) { /* no colon at all */
        p->on_refused(p->ctx, STATSD_BAD_LINE, line);
        return;
    }
    while (slice_split(&body, ':', &part)) {
        enum statsd_reason why = take(p, part, &s);
        if (why)
            p->on_refused(p->ctx, why, line);
    }
}
