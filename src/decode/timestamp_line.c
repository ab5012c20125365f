/* Times that stand in lines: what loggers and servers begin theirs with. */
#include "base/err.h"
#include "codec/number.h"
#include "decode/timestamp.h"

#define LOOKED_AT 256 /* bytes at the begin of a line */

static bool is_digit(struct slice s, size_t at)
{
    return at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';
}

static bool is_char(struct slice s, size_t at, char c)
{
    return at < s.len && s.ptr[at] == c;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int month_of(struct slice s)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int m = 0; m < 12 && s.len >= 3; m++) {
        if (slice_eq_nocase(slice_first(s, 3), slice_make(names + m * 3, 3)))
            return m + 1;
    }
    return 0;
}

/* The year that puts a date nearest behind the time of receipt, at most a day ahead of it. */
static int64_t year_for(int64_t now_ns, int32_t offset_s, int month, int day, int64_t second)
{
    int64_t now = now_ns / NS_PER_SEC, year = 1970 + now / 31556952;
    for (int64_t y = year + 1; y > year - 8; y--) { /* February 29 may be years ago */
        int64_t t = decode_timestamp_days(y, month, day) * 86400 + second - offset_s;
        if (day <= decode_timestamp_month_days(y, month) && t <= now + 86400)
            return y;
    }
    return year;
}

size_t decode_timestamp_bsd(struct slice s, int64_t now_ns, int32_t offset_s, int64_t *out_ns)
{
    int month = month_of(s), day = 0;
    int64_t year = -1, fraction = 0, scale = NS_PER_SEC / 10;
    size_t at = 3;
    if (!month || at >= s.len || s.ptr[at] != ' ')
        return 0;
    while (at < s.len && s.ptr[at] == ' ')
        at++;
    for (int i = 0; i < 2 && is_digit(s, at); i++)
        day = day * 10 + s.ptr[at++] - '0';
    if (at >= s.len || s.ptr[at++] != ' ')
        return 0;
    if (decode_timestamp_two(s, at) >= 0 && decode_timestamp_two(s, at + 2) >= 0 &&
        at + 4 < s.len && s.ptr[at + 4] == ' ') {
        year = decode_timestamp_two(s, at) * 100 + decode_timestamp_two(s, at + 2);
        at += 5;
    }
    int hour = decode_timestamp_two(s, at), minute = decode_timestamp_two(s, at + 3),
        second = decode_timestamp_two(s, at + 6);
    if (at + 8 > s.len || s.ptr[at + 2] != ':' || s.ptr[at + 5] != ':' || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || second < 0 || second > 60 || day < 1)
        return 0;
    at += 8;
    if (at < s.len && s.ptr[at] == '.' && is_digit(s, at + 1)) {
        for (at++; is_digit(s, at); at++, scale /= 10)
            fraction += (s.ptr[at] - '0') * scale;
    }
    int64_t of_day = hour * 3600 + minute * 60 + second;
    if (day > decode_timestamp_month_days(2000, month))
        return 0;
    if (year < 1678 || year > 2261)
        year = year_for(now_ns, offset_s, month, day, of_day);
    if (day > decode_timestamp_month_days(year, month))
        return 0;
    *out_ns = (decode_timestamp_days(year, month, day) * 86400 + of_day - offset_s) * NS_PER_SEC +
              fraction;
    return at;
}

/* Seconds of the day from 03:04:05[.123] at *at, which moves behind it; false when it is none. */
static bool take_clock(struct slice s, size_t *at, int64_t *out_ns)
{
    int hour = decode_timestamp_two(s, *at), minute = decode_timestamp_two(s, *at + 3),
        second = decode_timestamp_two(s, *at + 6);
    int64_t fraction = 0, scale = NS_PER_SEC / 10;
    if (hour < 0 || hour > 23 || !is_char(s, *at + 2, ':') || minute < 0 || minute > 59 ||
        !is_char(s, *at + 5, ':') || second < 0 || second > 60)
        return false;
    *at += 8;
    if ((is_char(s, *at, '.') || is_char(s, *at, ',')) && is_digit(s, *at + 1)) {
        for (++*at; is_digit(s, *at); ++*at, scale /= 10)
            fraction += (s.ptr[*at] - '0') * scale;
    }
    *out_ns = (hour * 3600 + minute * 60 + second) * NS_PER_SEC + fraction;
    return true;
}

/* " -0700" or "-0700" at *at, which moves behind it; else `offset_s`. */
static int32_t take_offset(struct slice s, size_t *at, int32_t offset_s)
{
    size_t p = *at + is_char(s, *at, ' ');
    int hours = decode_timestamp_two(s, p + 1), minutes = decode_timestamp_two(s, p + 3);
    if ((!is_char(s, p, '+') && !is_char(s, p, '-')) || hours < 0 || minutes < 0)
        return offset_s;
    *at = p + 5;
    return (s.ptr[p] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

static bool join(int64_t year, int month, int day, int64_t clock_ns, int32_t offset_s,
                 int64_t *out_ns)
{
    if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > decode_timestamp_month_days(year, month))
        return false;
    *out_ns = (decode_timestamp_days(year, month, day) * 86400 - offset_s) * NS_PER_SEC + clock_ns;
    return true;
}

static int four(struct slice s, size_t at)
{
    int high = decode_timestamp_two(s, at), low = decode_timestamp_two(s, at + 2);
    return high < 0 || low < 0 ? -1 : high * 100 + low;
}

/* 2009/11/10 23:00:00, as Go's log and nginx' error log have it. */
static size_t take_slashes(struct slice s, int32_t offset_s, int64_t *out_ns)
{
    int64_t clock;
    size_t at = 11;
    if (!is_char(s, 4, '/') || !is_char(s, 7, '/') || !is_char(s, 10, ' ') ||
        !take_clock(s, &at, &clock))
        return 0;
    return join(four(s, 0), decode_timestamp_two(s, 5), decode_timestamp_two(s, 8), clock, offset_s,
                out_ns)
               ? at
               : 0;
}

/* 10/Oct/2000:13:55:36 -0700, as access logs have it. */
static size_t take_access_log(struct slice s, int32_t offset_s, int64_t *out_ns)
{
    int64_t clock;
    size_t at = 12;
    if (!is_char(s, 2, '/') || !is_char(s, 6, '/') || !is_char(s, 11, ':') ||
        !take_clock(s, &at, &clock))
        return 0;
    offset_s = take_offset(s, &at, offset_s);
    return join(four(s, 7), month_of(slice_from(s, 3)), decode_timestamp_two(s, 0), clock, offset_s,
                out_ns)
               ? at
               : 0;
}

/* "Wed Oct 11 14:32:52.123 2000", as Apache's error log and ctime have it. */
static size_t take_ctime(struct slice s, int32_t offset_s, int64_t *out_ns)
{
    int64_t clock;
    size_t at = 11;
    int day = is_char(s, 8, ' ') && is_digit(s, 9) ? s.ptr[9] - '0' : decode_timestamp_two(s, 8);
    if (!is_char(s, 3, ' ') || !is_char(s, 7, ' ') || !is_char(s, 10, ' ') ||
        !take_clock(s, &at, &clock) || !is_char(s, at, ' '))
        return 0;
    return join(four(s, at + 1), month_of(slice_from(s, 4)), day, clock, offset_s, out_ns) ? at + 5
                                                                                           : 0;
}

/* "I0102 15:04:05.000000", as klog and glog have it. */
static size_t take_klog(struct slice s, int64_t now_ns, int32_t offset_s, int64_t *out_ns)
{
    int64_t clock;
    size_t at = 6;
    int month = decode_timestamp_two(s, 1), day = decode_timestamp_two(s, 3);
    if (!s.len || !strchr("IWEF", s.ptr[0]) || !is_char(s, 5, ' ') || month < 1 || month > 12 ||
        day < 1 || !is_char(s, 14, '.') || !take_clock(s, &at, &clock))
        return 0;
    return join(year_for(now_ns, offset_s, month, day, clock / NS_PER_SEC), month, day, clock,
                offset_s, out_ns)
               ? at
               : 0;
}

bool decode_timestamp_of_number(double v, int64_t exact, int64_t *out_ns)
{
    static const struct {
        double below;
        int64_t unit_ns;
    } units[] = {{1e11, NS_PER_SEC}, {1e14, NS_PER_MS}, {1e17, NS_PER_US}, {9.2e18, 1}};
    if (!(v > 0))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (v >= units[i].below)
            continue;
        if (exact)
            return !__builtin_mul_overflow(exact, units[i].unit_ns, out_ns);
        double whole = (double)(int64_t)v;
        if (whole * (double)units[i].unit_ns >= 9.2e18)
            return false;
        *out_ns = (int64_t)whole * units[i].unit_ns +
                  (int64_t)((v - whole) * (double)units[i].unit_ns + 0.5);
        return true;
    }
    return false;
}

/* 1700000000.123, 1700000000123: a number since 1970 that is one of the last forty years or so. */
static size_t take_number(struct slice s, int64_t *out_ns)
{
    size_t at = 0;
    double v;
    int64_t i = 0;
    while (is_digit(s, at))
        at++;
    if (at != 10 && at != 13 && at != 16 && at != 19)
        return 0;
    struct slice whole = slice_first(s, at);
    if (at == 10 && is_char(s, at, '.') && is_digit(s, at + 1)) {
        int64_t fraction = 0, scale = NS_PER_SEC / 10;
        for (at++; is_digit(s, at); at++, scale /= 10)
            fraction += (s.ptr[at] - '0') * scale;
        if (!codec_text_to_int(whole, &i))
            return 0;
        *out_ns = i * NS_PER_SEC + fraction;
        return at;
    }
    if (at < s.len && (is_letter(s.ptr[at]) || strchr(".-_:/", s.ptr[at])))
        return 0;
    v = codec_text_to_int(whole, &i) ? (double)i : 0;
    return decode_timestamp_of_number(v, i, out_ns) ? at : 0;
}

bool decode_timestamp_any(struct slice s, int64_t now_ns, int32_t offset_s, int64_t *out_ns,
                          size_t *out_len)
{
    size_t len = 0;
    if (!s.len)
        return false;
    if (is_letter(s.ptr[0])) {
        if (!(len = decode_timestamp_bsd(s, now_ns, offset_s, out_ns)) &&
            !(len = take_ctime(s, offset_s, out_ns)))
            len = take_klog(s, now_ns, offset_s, out_ns);
    } else if (is_digit(s, 0)) {
        if (is_char(s, 4, '-')) {
            if (decode_timestamp_iso(s, out_ns, &len) || len < 16)
                return false; /* a date alone says too little */
            char last = s.ptr[len - 1];
            struct slice clock = slice_from(slice_first(s, len), 11);
            if (last != 'Z' && last != 'z' && slice_find_char(clock, '+') < 0 &&
                slice_find_char(clock, '-') < 0)
                *out_ns -= offset_s * NS_PER_SEC;
        } else if (!(len = take_slashes(s, offset_s, out_ns)) &&
                   !(len = take_access_log(s, offset_s, out_ns))) {
            len = take_number(s, out_ns);
        }
    }
    *out_len = len;
    return len > 0;
}

bool decode_timestamp_of_line(struct slice line, int64_t now_ns, int32_t offset_s, int64_t *out_ns)
{
    struct slice s = slice_first(line, LOOKED_AT);
    size_t len;
    bool number = true; /* of seconds: only first, or behind ts= and the like */
    for (size_t at = 0; at < s.len; at++) {
        char c = s.ptr[at], before = at ? s.ptr[at - 1] : ' ';
        bool digit = c >= '0' && c <= '9';
        if ((!digit && !is_letter(c)) || (before >= '0' && before <= '9') || is_letter(before) ||
            before == '_')
            continue;
        if (digit && !is_char(s, at + 4, '-') && !is_char(s, at + 4, '/') &&
            !is_char(s, at + 2, '/')) {
            if (at) {
                struct slice head = slice_first(s, at);
                number = slice_ends_with(head, SLICE("ts=")) ||
                         slice_ends_with(head, SLICE("time=")) ||
                         slice_ends_with(head, SLICE("timestamp=")) ||
                         (at == 1 && (before == '[' || before == '<'));
            }
            if (!number)
                continue;
        }
        if (decode_timestamp_any(slice_from(s, at), now_ns, offset_s, out_ns, &len))
            return true;
    }
    return false;
}
