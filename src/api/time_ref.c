#include "api/time_ref.h"

#include <time.h>

#include "codec/number.h"
#include "text/duration.h"

#define FAR_NS (INT64_C(1) << 62)

static int64_t seconds_of(char unit)
{
    switch (unit) {
    case 's': return 1;
    case 'm': return 60;
    case 'h': return 3600;
    case 'd': return 86400;
    case 'w': return 7 * 86400;
    default: return 0;
    }
}

/* Months and years keep the day where they can (31 January + 1M is the last day of February). */
static int64_t add_months(int64_t t_s, int64_t months)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    time_t t = (time_t)t_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    int64_t month = (int64_t)tm.tm_year * 12 + tm.tm_mon + months;
    int year = (int)(month / 12 - (month % 12 < 0));
    tm.tm_mon = (int)(month - (int64_t)year * 12);
    tm.tm_year = year;
    int full = year + 1900;
    bool leap = (full % 4 == 0 && full % 100 != 0) || full % 400 == 0;
    tm.tm_mday = MIN(tm.tm_mday, lengths[tm.tm_mon] + (tm.tm_mon == 1 && leap));
    return (int64_t)timegm(&tm);
}

/* Begin of the unit that t is in, and of the one after. False for another unit. */
static bool unit_bounds(int64_t t_s, char unit, int64_t *begin, int64_t *next)
{
    time_t t = (time_t)t_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    int months = unit == 'M' ? 1 : unit == 'Q' ? 3 : unit == 'y' ? 12 : 0;
    tm.tm_sec = 0;
    if (unit == 's') {
        *begin = t_s;
        *next = t_s + 1;
        return true;
    }
    if (unit != 'm')
        tm.tm_min = 0;
    if (unit != 'm' && unit != 'h')
        tm.tm_hour = 0;
    if (unit == 'w')
        tm.tm_mday -= (tm.tm_wday + 6) % 7;
    if (months) {
        tm.tm_mday = 1;
        tm.tm_mon -= tm.tm_mon % months;
    }
    *begin = (int64_t)timegm(&tm);
    *next = months ? add_months(*begin, months) : *begin + seconds_of(unit);
    return months || seconds_of(unit);
}

/* What follows "now": +N u, -N u, /u in any order. */
static int apply(struct slice rest, bool up, int64_t *t_ns)
{
    while (rest.len) {
        char op = rest.ptr[0];
        int64_t n = 0, begin, next, s = *t_ns / NS_PER_SEC, fraction = *t_ns % NS_PER_SEC;
        size_t digits = 0;
        rest = slice_from(rest, 1);
        while (op != '/' && digits < rest.len && rest.ptr[digits] >= '0' &&
               rest.ptr[digits] <= '9' && digits < 6)
            n = n * 10 + rest.ptr[digits++] - '0';
        rest = slice_from(rest, digits);
        if (!rest.len || digits > 5)
            return ERR_INVALID;
        char unit = rest.ptr[0];
        rest = slice_from(rest, 1);
        n = digits ? n : 1;
        n = op == '-' ? -n : n;
        if (op == '/') {
            if (!unit_bounds(s, unit, &begin, &next))
                return ERR_INVALID;
            *t_ns = up ? next * NS_PER_SEC - NS_PER_MS : begin * NS_PER_SEC;
        } else if (op != '+' && op != '-') {
            return ERR_INVALID;
        } else if (unit == 'M' || unit == 'Q' || unit == 'y') {
            int64_t months = n * (unit == 'M' ? 1 : unit == 'Q' ? 3 : 12);
            if (months > 2400 || months < -2400) /* 200 years */
                return ERR_INVALID;
            *t_ns = add_months(s, months) * NS_PER_SEC + fraction;
        } else if (seconds_of(unit)) {
            *t_ns += n * seconds_of(unit) * NS_PER_SEC;
        } else {
            return ERR_INVALID;
        }
        if (*t_ns > FAR_NS || *t_ns < -FAR_NS)
            return ERR_INVALID;
    }
    return 0;
}

int api_time_ref(struct slice text, int64_t now_ns, bool up, int64_t *out_ns)
{
    int64_t ms;
    text = slice_trim(text);
    if (slice_starts_with(text, SLICE("now"))) {
        *out_ns = now_ns;
        return apply(slice_from(text, 3), up, out_ns);
    }
    if (codec_text_to_int(text, &ms)) {
        if (ms > FAR_NS / NS_PER_MS || ms < -FAR_NS / NS_PER_MS)
            return ERR_INVALID;
        *out_ns = ms * NS_PER_MS;
        return 0;
    }
    if (slice_find_char(text, '-') < 0 || text_time_parse(text, out_ns))
        return ERR_INVALID;
    return *out_ns > FAR_NS || *out_ns < -FAR_NS ? ERR_INVALID : 0;
}
