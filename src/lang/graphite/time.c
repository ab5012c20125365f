/* The at-style time grammar: an optional reference ("noon yesterday", "16:00_20110501") and an
 * optional offset ("-1d2h"). */
#include <string.h>

#include "lang/graphite/graphite.h"
#include "lang/graphite/graphite_priv.h"
#include "text/duration.h"

#define DAY 86400

static const char months[12][4] = {"jan", "feb", "mar", "apr", "may", "jun",
                                   "jul", "aug", "sep", "oct", "nov", "dec"};
static const char weekdays[7][4] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

int64_t graphite__days(int64_t year, int month, int day)
{
    /* Howard Hinnant's days_from_civil */
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void graphite__date(int64_t days, int64_t *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

int64_t graphite__floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

static bool to_number(struct slice s, int64_t *out)
{
    int64_t v = 0;
    if (!all_digits(s) || s.len > 17)
        return false;
    for (size_t i = 0; i < s.len; i++)
        v = v * 10 + (s.ptr[i] - '0');
    *out = v;
    return true;
}

/* --- offsets --- */

int64_t graphite__unit(struct slice unit)
{
    static const struct {
        const char *prefix;
        int64_t seconds;
    } units[] = {{"s", 1},       {"min", 60},       {"h", 3600},     {"d", DAY},
                 {"w", 7 * DAY}, {"mon", 30 * DAY}, {"y", 365 * DAY}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_starts_with(unit, slice_cstr(units[i].prefix)))
            return units[i].seconds;
    }
    return 0;
}

int graphite_offset_parse(struct slice text, int64_t *out_s, struct diag *diag)
{
    struct slice rest = text;
    int64_t sign = 1, total = 0;
    *out_s = 0;
    if (!rest.len)
        return 0;
    if (rest.ptr[0] == '-' || rest.ptr[0] == '+') {
        sign = rest.ptr[0] == '-' ? -1 : 1;
        rest = slice_from(rest, 1);
    }
    while (rest.len) {
        size_t n = 0, u;
        int64_t num;
        while (n < rest.len && is_digit(rest.ptr[n]))
            n++;
        u = n;
        while (u < rest.len && ((rest.ptr[u] | 0x20) >= 'a' && (rest.ptr[u] | 0x20) <= 'z'))
            u++;
        char lower[16];
        size_t len = MIN(u - n, sizeof(lower));
        for (size_t i = 0; i < len; i++)
            lower[i] = (char)(rest.ptr[n + i] | 0x20);
        int64_t unit = graphite__unit(slice_make(lower, len));
        if (!to_number(slice_first(rest, n), &num) || !unit || num > 100000LL * 365 * DAY / unit)
            return diag_set(diag, ERR_INVALID,
                            "Invalid interval \"%.*s\": numbers with units s, min, h, d, w, mon, y "
                            "are expected, as in 1h or 1d12h",
                            SLICE_FMT(slice_first(text, 60)));
        total += num * unit;
        rest = slice_from(rest, u);
    }
    *out_s = sign * total;
    return 0;
}

/* --- references --- */

static bool take_word(struct slice *s, const char *word)
{
    if (!slice_starts_with(*s, slice_cstr(word)))
        return false;
    *s = slice_from(*s, strlen(word));
    return true;
}

/* "16:00", "8am", "8:30pm", noon, midnight, teatime. 12am is 12:00 and 12pm 0:00, as Graphite has
 * it. */
static bool take_clock(struct slice *s, int64_t *hour, int64_t *minute)
{
    size_t n = 0;
    *hour = *minute = 0;
    while (n < s->len && n < 3 && is_digit(s->ptr[n]))
        n++;
    if (n > 0 && n < 3 && n < s->len && s->ptr[n] == ':') {
        size_t m = n + 1;
        while (m < s->len && m < n + 3 && is_digit(s->ptr[m]))
            m++;
        if (!to_number(slice_first(*s, n), hour) ||
            !to_number(slice_make(s->ptr + n + 1, m - n - 1), minute))
            return false;
        *s = slice_from(*s, m);
        if (!take_word(s, "am") && take_word(s, "pm"))
            *hour = (*hour + 12) % 24;
    } else if (n > 0 && n < 3 && n + 1 < s->len && s->ptr[n + 1] == 'm' &&
               (s->ptr[n] == 'a' || s->ptr[n] == 'p')) {
        if (!to_number(slice_first(*s, n), hour))
            return false;
        if (s->ptr[n] == 'p')
            *hour = (*hour + 12) % 24;
        *s = slice_from(*s, n + 2);
    }
    if (take_word(s, "noon"))
        *hour = 12, *minute = 0;
    else if (take_word(s, "midnight"))
        *hour = *minute = 0;
    else if (take_word(s, "teatime"))
        *hour = 16, *minute = 0;
    return *hour < 24 && *minute < 60;
}

static bool valid_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y;
    int m, d;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    graphite__date(graphite__days(year, (int)month, (int)day), &y, &m, &d);
    return m == month;
}

/* MM/DD/YY[YY] */
static bool slashes(struct slice s, int64_t *days)
{
    struct slice rest = s, part;
    int64_t v[3];
    for (int i = 0; i < 3; i++) {
        if (!slice_split(&rest, '/', &part) || !to_number(part, &v[i]))
            return false;
    }
    if (rest.ptr)
        return false;
    int64_t year = v[2] < 1900 ? v[2] + 1900 : v[2];
    if (year < 1970)
        year += 100;
    *days = graphite__days(year, (int)v[0], (int)v[1]);
    return valid_date(year, v[0], v[1]);
}

static bool compact(struct slice s, int64_t *days)
{
    int64_t y, m, d;
    if (s.len != 8 || !to_number(slice_first(s, 4), &y) ||
        !to_number(slice_make(s.ptr + 4, 2), &m) || !to_number(slice_from(s, 6), &d))
        return false;
    *days = graphite__days(y, (int)m, (int)d);
    return valid_date(y, m, d);
}

static int name_of(const char (*names)[4], int count, struct slice s)
{
    for (int i = 0; i < count; i++) {
        if (slice_starts_with(s, slice_cstr(names[i])))
            return i;
    }
    return -1;
}

static bool day_reference(struct slice s, int64_t today, int64_t *days)
{
    int i;
    *days = today;
    if (!s.len || slice_eq(s, SLICE("today")))
        return true;
    if (slice_eq(s, SLICE("yesterday"))) {
        (*days)--;
        return true;
    }
    if (slice_eq(s, SLICE("tomorrow"))) {
        (*days)++;
        return true;
    }
    if (memchr(s.ptr, '/', s.len))
        return slashes(s, days);
    if (s.len == 8 && all_digits(s))
        return compact(s, days);
    if ((i = name_of(months, 12, s)) >= 0) {
        size_t n = s.len;
        int64_t year, day;
        int month, ignored;
        while (n && is_digit(s.ptr[n - 1]) && s.len - n < 2)
            n--;
        graphite__date(today, &year, &month, &ignored);
        if (!to_number(slice_from(s, n), &day) || !valid_date(year, i + 1, day))
            return false;
        *days = graphite__days(year, i + 1, (int)day);
        return true;
    }
    if ((i = name_of(weekdays, 7, s)) >= 0) {
        int64_t weekday = ((today + 4) % 7 + 7) % 7;
        *days = today - (weekday - i + 7) % 7;
        return true;
    }
    return false;
}

static int reference(struct slice ref, int64_t now_s, const struct text_zone *zone, int64_t *out_s,
                     struct slice whole, struct diag *diag)
{
    struct slice s = ref;
    int64_t hour, minute, days;
    *out_s = now_s;
    if (!ref.len || slice_eq(ref, SLICE("now")))
        return 0;
    int64_t today = graphite__floor_div(now_s + text_zone_at(zone, now_s).offset_s, DAY);
    if (!take_clock(&s, &hour, &minute) || !day_reference(s, today, &days))
        return diag_set(
            diag, ERR_INVALID,
            "Unknown time \"%.*s\": -1h, now, noon yesterday, 16:00_20240131, 01/31/24, "
            "seconds since 1970 and the like are known",
            SLICE_FMT(slice_first(whole, 60)));
    *out_s = text_zone_to_utc(zone, days * DAY + hour * 3600 + minute * 60);
    return 0;
}

int graphite_time_parse(struct slice text, int64_t now_s, const struct text_zone *zone,
                        int64_t *out_s, struct diag *diag)
{
    char clean[128];
    size_t n = 0, split;
    int64_t v, offset, ns;
    struct slice trimmed = slice_trim(text);
    /* RFC 3339, which Graphite does not know. */
    if (trimmed.len > 10 && (trimmed.ptr[10] | 0x20) == 't' && !text_time_parse(trimmed, &ns)) {
        *out_s = graphite__floor_div(ns, NS_PER_SEC);
        return 0;
    }
    for (size_t i = 0; i < trimmed.len; i++) {
        char c = trimmed.ptr[i];
        if (c == '_' || c == ',' || c == ' ')
            continue;
        if (n == sizeof(clean))
            return diag_set(diag, ERR_INVALID, "A time of more than %zu characters", sizeof(clean));
        clean[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    struct slice s = slice_make(clean, n);
    if (to_number(s, &v) && !(n == 8 && v / 10000 > 1900 && v / 100 % 100 < 13 && v % 100 < 32)) {
        *out_s = v;
        return 0;
    }
    ptrdiff_t plus = slice_find_char(s, '+'), minus = slice_find_char(s, '-');
    split = plus >= 0 ? (size_t)plus : minus >= 0 ? (size_t)minus : n;
    int err = reference(slice_first(s, split), now_s, zone, out_s, text, diag);
    if (!err)
        err = graphite_offset_parse(slice_from(s, split), &offset, diag);
    if (!err)
        *out_s += offset;
    return err;
}
