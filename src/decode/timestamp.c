#include "decode/timestamp.h"

#include "base/err.h"

static bool is_digit(struct slice s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

static bool is_char(struct slice s, size_t at, char c)
{
    return at < s.len && s.ptr[at] == c;
}

int decode_timestamp_two(struct slice s, size_t at)
{
    if (!is_digit(s, at) || !is_digit(s, at + 1))
        return -1;
    return (s.ptr[at] - '0') * 10 + s.ptr[at + 1] - '0';
}

int64_t decode_timestamp_days(int64_t year, int month, int day)
{
    /* Years begin in March, so that the leap day is their last. */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int decode_timestamp_month_days(int64_t year, int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Z, +02, +0200, +02:00 at *at, which moves behind it. 0 when there is none. */
static int64_t take_zone(struct slice s, size_t *at, bool *ok)
{
    size_t p = *at;
    if (is_char(s, p, ' ') && (is_char(s, p + 1, '+') || is_char(s, p + 1, '-')))
        p++;
    if (is_char(s, p, 'Z') || is_char(s, p, 'z')) {
        *at = p + 1;
        return 0;
    }
    if (!is_char(s, p, '+') && !is_char(s, p, '-'))
        return 0;
    int hours = decode_timestamp_two(s, p + 1), minutes = 0;
    size_t end = p + 3;
    size_t more = is_char(s, end, ':') ? end + 1 : end;
    if (hours >= 0 && is_digit(s, more)) {
        minutes = decode_timestamp_two(s, more);
        end = more + 2;
    }
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        *ok = false;
        return 0;
    }
    *at = end;
    int64_t offset = hours * 3600 + minutes * 60;
    return s.ptr[p] == '-' ? -offset : offset;
}

/* .123 or ,123 at *at. */
static int64_t take_fraction(struct slice s, size_t *at)
{
    int64_t ns = 0, scale = NS_PER_SEC / 10;
    if ((!is_char(s, *at, '.') && !is_char(s, *at, ',')) || !is_digit(s, *at + 1))
        return 0;
    for (++*at; is_digit(s, *at); ++*at, scale /= 10)
        ns += (s.ptr[*at] - '0') * scale;
    return ns;
}

int decode_timestamp_iso(struct slice s, int64_t *out_ns, size_t *out_len)
{
    int high = decode_timestamp_two(s, 0), low = decode_timestamp_two(s, 2);
    int month = decode_timestamp_two(s, 5), day = decode_timestamp_two(s, 8);
    int hour = 0, minute = 0, second = 0;
    int64_t fraction = 0, offset = 0, year = (int64_t)high * 100 + low, ns;
    size_t at = 10;
    bool ok = true;
    if (high < 0 || low < 0 || !is_char(s, 4, '-') || !is_char(s, 7, '-') || month < 1 ||
        month > 12 || day < 1 || day > decode_timestamp_month_days(year, month))
        return ERR_INVALID;
    if ((is_char(s, at, 'T') || is_char(s, at, 't') || is_char(s, at, ' ')) &&
        decode_timestamp_two(s, at + 1) >= 0) {
        hour = decode_timestamp_two(s, at + 1);
        at += 3;
        if (is_char(s, at, ':') && (minute = decode_timestamp_two(s, at + 1)) >= 0) {
            at += 3;
            if (is_char(s, at, ':') && (second = decode_timestamp_two(s, at + 1)) >= 0) {
                at += 3;
                fraction = take_fraction(s, &at);
            }
        }
        offset = take_zone(s, &at, &ok);
    } else if (is_char(s, at, 'T')) {
        at++; /* 2024-01-02T, as strict_date_optional_time has it */
    }
    if (!ok || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return ERR_INVALID;
    int64_t seconds = decode_timestamp_days(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                      second - offset;
    if (__builtin_mul_overflow(seconds, NS_PER_SEC, &ns) ||
        __builtin_add_overflow(ns, fraction, out_ns))
        return ERR_INVALID;
    *out_len = at;
    return 0;
}
