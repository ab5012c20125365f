#include "text/go_time.h"

#include <stdio.h>

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

/* Days of the civil calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

void text_go_time_date(struct text_go_time t, struct text_go_date *out)
{
    int64_t s = t.ns / NS_PER_SEC, ns = t.ns % NS_PER_SEC;
    if (ns < 0) {
        ns += NS_PER_SEC;
        s--;
    }
    s += t.offset_s;
    int64_t days = s / 86400, rest = s % 86400;
    if (rest < 0) {
        rest += 86400;
        days--;
    }
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
            doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = yoe + era * 400 + (out->month <= 2);
    out->hour = (int)(rest / 3600);
    out->minute = (int)(rest / 60 % 60);
    out->second = (int)(rest % 60);
    out->nanosecond = (int)ns;
    out->weekday = (int)(((days + 4) % 7 + 7) % 7);
    out->yearday = (int)(days - days_of(out->year, 1, 1) + 1);
}

/* --- layouts --- */

enum part {
    PART_TEXT,
    PART_YEAR,
    PART_YEAR2,
    PART_MONTH_NAME,
    PART_MONTH_SHORT,
    PART_MONTH,
    PART_MONTH2,
    PART_DAY_NAME,
    PART_DAY_SHORT,
    PART_DAY,
    PART_DAY_SPACE,
    PART_DAY2,
    PART_YEARDAY,
    PART_HOUR24,
    PART_HOUR12,
    PART_HOUR12_2,
    PART_MINUTE,
    PART_MINUTE2,
    PART_SECOND,
    PART_SECOND2,
    PART_PM,
    PART_PM_LOWER,
    PART_ZONE_NAME,
    PART_ZONE_Z_COLON, /* Z07:00 */
    PART_ZONE_Z,       /* Z0700 */
    PART_ZONE_COLON,   /* -07:00 */
    PART_ZONE,         /* -0700 */
    PART_ZONE_HOUR,    /* -07 */
    PART_FRACTION,     /* .000 */
    PART_FRACTION_CUT, /* .999: without zeros behind */
};

static const struct {
    struct slice text;
    enum part part;
} parts[] = {
    {SLICE_INIT("January"), PART_MONTH_NAME},
    {SLICE_INIT("Jan"), PART_MONTH_SHORT},
    {SLICE_INIT("Monday"), PART_DAY_NAME},
    {SLICE_INIT("Mon"), PART_DAY_SHORT},
    {SLICE_INIT("MST"), PART_ZONE_NAME},
    {SLICE_INIT("002"), PART_YEARDAY},
    {SLICE_INIT("01"), PART_MONTH2},
    {SLICE_INIT("02"), PART_DAY2},
    {SLICE_INIT("03"), PART_HOUR12_2},
    {SLICE_INIT("04"), PART_MINUTE2},
    {SLICE_INIT("05"), PART_SECOND2},
    {SLICE_INIT("06"), PART_YEAR2},
    {SLICE_INIT("15"), PART_HOUR24},
    {SLICE_INIT("2006"), PART_YEAR},
    {SLICE_INIT("_2006"), PART_TEXT},
    {SLICE_INIT("_2"), PART_DAY_SPACE},
    {SLICE_INIT("1"), PART_MONTH},
    {SLICE_INIT("2"), PART_DAY},
    {SLICE_INIT("3"), PART_HOUR12},
    {SLICE_INIT("4"), PART_MINUTE},
    {SLICE_INIT("5"), PART_SECOND},
    {SLICE_INIT("PM"), PART_PM},
    {SLICE_INIT("pm"), PART_PM_LOWER},
    {SLICE_INIT("Z07:00"), PART_ZONE_Z_COLON},
    {SLICE_INIT("Z0700"), PART_ZONE_Z},
    {SLICE_INIT("-07:00"), PART_ZONE_COLON},
    {SLICE_INIT("-0700"), PART_ZONE},
    {SLICE_INIT("-07"), PART_ZONE_HOUR},
};

/* Cuts the next part off the layout. */
static enum part next_part(struct slice *layout, struct slice *text)
{
    char c = layout->ptr[0];
    if ((c == '.' || c == ',') && layout->len > 1 &&
        (layout->ptr[1] == '0' || layout->ptr[1] == '9')) {
        size_t n = 1;
        while (n < layout->len && layout->ptr[n] == layout->ptr[1])
            n++;
        bool digit = n < layout->len && layout->ptr[n] >= '0' && layout->ptr[n] <= '9';
        if (!digit) {
            enum part part = layout->ptr[1] == '0' ? PART_FRACTION : PART_FRACTION_CUT;
            *text = slice_first(*layout, n);
            *layout = slice_from(*layout, n);
            return part;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (!slice_starts_with(*layout, parts[i].text))
            continue;
        enum part part = parts[i].part;
        size_t n = parts[i].text.len;
        if (part == PART_TEXT) { /* _2006 is an underscore before the year */
            *text = slice_first(*layout, 1);
            *layout = slice_from(*layout, 1);
            return PART_TEXT;
        }
        *text = slice_first(*layout, n);
        *layout = slice_from(*layout, n);
        return part;
    }
    *text = slice_first(*layout, 1);
    *layout = slice_from(*layout, 1);
    return PART_TEXT;
}

static void put_zone(int32_t offset, bool z, bool colon, bool minutes, struct buf *out)
{
    if (z && !offset) {
        buf_append_char(out, 'Z');
        return;
    }
    int32_t abs = offset < 0 ? -offset : offset;
    buf_printf(out, "%c%02d", offset < 0 ? '-' : '+', abs / 3600);
    if (minutes)
        buf_printf(out, "%s%02d", colon ? ":" : "", abs / 60 % 60);
}

void text_go_time_format(struct text_go_time t, struct slice layout, struct buf *out)
{
    struct text_go_date d;
    text_go_time_date(t, &d);
    int hour12 = d.hour % 12 ? d.hour % 12 : 12;
    while (layout.len) {
        struct slice text;
        switch (next_part(&layout, &text)) {
        case PART_TEXT: buf_append_slice(out, text); break;
        case PART_YEAR: buf_printf(out, "%04lld", (long long)d.year); break;
        case PART_YEAR2: buf_printf(out, "%02d", (int)(((d.year % 100) + 100) % 100)); break;
        case PART_MONTH_NAME: buf_append_cstr(out, month_names[d.month - 1]); break;
        case PART_MONTH_SHORT: buf_append(out, month_names[d.month - 1], 3); break;
        case PART_MONTH: buf_printf(out, "%d", d.month); break;
        case PART_MONTH2: buf_printf(out, "%02d", d.month); break;
        case PART_DAY_NAME: buf_append_cstr(out, day_names[d.weekday]); break;
        case PART_DAY_SHORT: buf_append(out, day_names[d.weekday], 3); break;
        case PART_DAY: buf_printf(out, "%d", d.day); break;
        case PART_DAY_SPACE: buf_printf(out, "%2d", d.day); break;
        case PART_DAY2: buf_printf(out, "%02d", d.day); break;
        case PART_YEARDAY: buf_printf(out, "%03d", d.yearday); break;
        case PART_HOUR24: buf_printf(out, "%02d", d.hour); break;
        case PART_HOUR12: buf_printf(out, "%d", hour12); break;
        case PART_HOUR12_2: buf_printf(out, "%02d", hour12); break;
        case PART_MINUTE: buf_printf(out, "%d", d.minute); break;
        case PART_MINUTE2: buf_printf(out, "%02d", d.minute); break;
        case PART_SECOND: buf_printf(out, "%d", d.second); break;
        case PART_SECOND2: buf_printf(out, "%02d", d.second); break;
        case PART_PM: buf_append_cstr(out, d.hour >= 12 ? "PM" : "AM"); break;
        case PART_PM_LOWER: buf_append_cstr(out, d.hour >= 12 ? "pm" : "am"); break;
        case PART_ZONE_NAME:
            if (!t.offset_s)
                buf_append_cstr(out, "UTC");
            else
                put_zone(t.offset_s, false, false, t.offset_s % 3600 != 0, out);
            break;
        case PART_ZONE_Z_COLON: put_zone(t.offset_s, true, true, true, out); break;
        case PART_ZONE_Z: put_zone(t.offset_s, true, false, true, out); break;
        case PART_ZONE_COLON: put_zone(t.offset_s, false, true, true, out); break;
        case PART_ZONE: put_zone(t.offset_s, false, false, true, out); break;
        case PART_ZONE_HOUR: put_zone(t.offset_s, false, false, false, out); break;
        case PART_FRACTION:
        case PART_FRACTION_CUT: {
            char digits[10];
            size_t n = MIN(text.len - 1, (size_t)9);
            snprintf(digits, sizeof(digits), "%09d", d.nanosecond);
            if (text.ptr[1] == '9') {
                while (n && digits[n - 1] == '0')
                    n--;
            }
            if (n) {
                buf_append_char(out, text.ptr[0]);
                buf_append(out, digits, n);
            }
            break;
        }
        }
    }
}

/* --- reading --- */

static bool take_digits(struct slice *s, size_t min, size_t max, int *out)
{
    size_t n = 0;
    *out = 0;
    while (n < max && n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        *out = *out * 10 + (s->ptr[n++] - '0');
    *s = slice_from(*s, n);
    return n >= min;
}

static bool take_name(struct slice *s, const char *const *names, size_t count, bool shortened,
                      int *out)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = slice_cstr(names[i]);
        if (shortened)
            name = slice_first(name, 3);
        if (s->len >= name.len && slice_eq_nocase(slice_first(*s, name.len), name)) {
            *out = (int)i;
            *s = slice_from(*s, name.len);
            return true;
        }
    }
    return false;
}

static bool take_zone(struct slice *s, bool z, bool colon, bool minutes, int32_t *out)
{
    int h, m = 0;
    if (z && s->len && s->ptr[0] == 'Z') {
        *s = slice_from(*s, 1);
        *out = 0;
        return true;
    }
    if (!s->len || (s->ptr[0] != '+' && s->ptr[0] != '-'))
        return false;
    int sign = s->ptr[0] == '-' ? -1 : 1;
    *s = slice_from(*s, 1);
    if (!take_digits(s, 2, 2, &h) || h > 24)
        return false;
    if (minutes) {
        if (colon) {
            if (!s->len || s->ptr[0] != ':')
                return false;
            *s = slice_from(*s, 1);
        }
        if (!take_digits(s, 2, 2, &m) || m > 59)
            return false;
    }
    *out = sign * (h * 3600 + m * 60);
    return true;
}

static bool take_zone_name(struct slice *s)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] >= 'A' && s->ptr[n] <= 'Z')
        n++;
    *s = slice_from(*s, n);
    return n >= 3 && n <= 5;
}

static bool take_fraction(struct slice *s, int *out)
{
    int scale = 100000000;
    *out = 0;
    if (!s->len || (s->ptr[0] != '.' && s->ptr[0] != ','))
        return false;
    size_t n = 1;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, scale /= 10)
        *out += scale * (s->ptr[n] - '0');
    *s = slice_from(*s, n);
    return n > 1;
}

int text_go_time_parse(struct slice layout, struct slice text, int32_t offset_s,
                       struct text_go_time *out, struct diag *diag)
{
    struct text_go_date d = {.year = 1, .month = 1, .day = 1};
    struct slice rest = text, left = layout;
    int v = 0, pm = -1, yearday = 0;
    bool ok = true;
    struct slice part_text = SLICE("");
    while (ok && left.len) {
        switch (next_part(&left, &part_text)) {
        case PART_TEXT:
            ok = slice_starts_with(rest, part_text);
            rest = slice_from(rest, part_text.len);
            break;
        case PART_YEAR:
            ok = take_digits(&rest, 4, 4, &v);
            d.year = v;
            break;
        case PART_YEAR2:
            ok = take_digits(&rest, 2, 2, &v);
            d.year = v >= 69 ? 1900 + v : 2000 + v;
            break;
        case PART_MONTH_NAME:
            ok = take_name(&rest, month_names, 12, false, &v);
            d.month = v + 1;
            break;
        case PART_MONTH_SHORT:
            ok = take_name(&rest, month_names, 12, true, &v);
            d.month = v + 1;
            break;
        case PART_MONTH:
        case PART_MONTH2: ok = take_digits(&rest, part_text.len, 2, &d.month); break;
        case PART_DAY_NAME: ok = take_name(&rest, day_names, 7, false, &v); break;
        case PART_DAY_SHORT: ok = take_name(&rest, day_names, 7, true, &v); break;
        case PART_DAY_SPACE:
            if (rest.len && rest.ptr[0] == ' ')
                rest = slice_from(rest, 1);
            ok = take_digits(&rest, 1, 2, &d.day);
            break;
        case PART_DAY:
        case PART_DAY2: ok = take_digits(&rest, part_text.len, 2, &d.day); break;
        case PART_YEARDAY: ok = take_digits(&rest, 3, 3, &yearday); break;
        case PART_HOUR24: ok = take_digits(&rest, 1, 2, &d.hour); break;
        case PART_HOUR12:
        case PART_HOUR12_2: ok = take_digits(&rest, part_text.len, 2, &d.hour); break;
        case PART_MINUTE:
        case PART_MINUTE2: ok = take_digits(&rest, part_text.len, 2, &d.minute); break;
        case PART_SECOND:
        case PART_SECOND2:
            ok = take_digits(&rest, part_text.len, 2, &d.second);
            /* A fraction may follow though the layout has none. */
            if (ok && rest.len > 1 && rest.ptr[0] == '.' && rest.ptr[1] >= '0' &&
                rest.ptr[1] <= '9' && !(left.len && (left.ptr[0] == '.' || left.ptr[0] == ',')))
                ok = take_fraction(&rest, &d.nanosecond);
            break;
        case PART_PM:
        case PART_PM_LOWER:
            ok = rest.len >= 2 && (slice_eq_nocase(slice_first(rest, 2), SLICE("AM")) ||
                                   slice_eq_nocase(slice_first(rest, 2), SLICE("PM")));
            pm = ok && (rest.ptr[0] | 32) == 'p';
            rest = slice_from(rest, 2);
            break;
        case PART_ZONE_NAME: ok = take_zone_name(&rest); break;
        case PART_ZONE_Z_COLON: ok = take_zone(&rest, true, true, true, &offset_s); break;
        case PART_ZONE_Z: ok = take_zone(&rest, true, false, true, &offset_s); break;
        case PART_ZONE_COLON: ok = take_zone(&rest, false, true, true, &offset_s); break;
        case PART_ZONE: ok = take_zone(&rest, false, false, true, &offset_s); break;
        case PART_ZONE_HOUR: ok = take_zone(&rest, false, false, false, &offset_s); break;
        case PART_FRACTION: ok = take_fraction(&rest, &d.nanosecond); break;
        case PART_FRACTION_CUT:
            if (rest.len && rest.ptr[0] == part_text.ptr[0])
                ok = take_fraction(&rest, &d.nanosecond);
            break;
        }
    }
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (!ok || rest.len)
        return diag_set(diag, ERR_INVALID,
                        "parsing time \"%.*s\" as \"%.*s\": cannot parse \"%.*s\" as \"%.*s\"",
                        SLICE_FMT(text), SLICE_FMT(layout), SLICE_FMT(rest), SLICE_FMT(part_text));
    if (pm == 1 && d.hour < 12)
        d.hour += 12;
    else if (pm == 0 && d.hour == 12)
        d.hour = 0;
    bool in_range = d.month >= 1 && d.month <= 12 && d.hour < 24 && d.minute < 60 &&
                    d.second < 60 && d.day >= 1 &&
                    d.day <= month_days[(d.month - 1) % 12] + (d.month == 2 && is_leap(d.year));
    int64_t days = yearday ? days_of(d.year, 1, 1) + yearday - 1 : days_of(d.year, d.month, d.day);
    int64_t s = days * 86400 + d.hour * 3600 + d.minute * 60 + d.second - offset_s;
    if (!in_range || s < -9223372036 || s > 9223372035)
        return diag_set(diag, ERR_INVALID, "parsing time \"%.*s\": out of range", SLICE_FMT(text));
    out->ns = s * NS_PER_SEC + d.nanosecond;
    out->offset_s = offset_s;
    return 0;
}

bool text_go_zone_parse(struct slice name, int32_t *out)
{
    *out = 0;
    if (!name.len || slice_eq_cstr(name, "UTC") || slice_eq_cstr(name, "Local") ||
        slice_eq_cstr(name, "GMT") || slice_eq_cstr(name, "Z"))
        return true;
    struct slice s = name;
    if (take_zone(&s, false, true, true, out) && !s.len)
        return true;
    s = name;
    return take_zone(&s, false, false, true, out) && !s.len;
}
