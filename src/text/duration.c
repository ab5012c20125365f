#include "text/duration.h"

#include <math.h>
#include <stdlib.h>

#include "base/err.h"

#define DAY_NS (86400 * NS_PER_SEC)

static const struct {
    const char *name;
    int64_t ns;
} units[] = {{"y", 365 * DAY_NS},    {"w", 7 * DAY_NS}, {"d", DAY_NS},    {"h", 3600 * NS_PER_SEC},
             {"m", 60 * NS_PER_SEC}, {"s", NS_PER_SEC}, {"ms", NS_PER_MS}};

int text_duration_parse(struct slice s, int64_t *out_ns)
{
    if (slice_eq_cstr(s, "0")) {
        *out_ns = 0;
        return 0;
    }
    int64_t total = 0;
    size_t next_unit = 0;
    if (!s.len)
        return ERR_INVALID;
    while (s.len) {
        int64_t n = 0, part;
        size_t digits = 0;
        for (; digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9'; digits++) {
            if (__builtin_mul_overflow(n, 10, &n) ||
                __builtin_add_overflow(n, s.ptr[digits] - '0', &n))
                return ERR_INVALID;
        }
        if (!digits)
            return ERR_INVALID;
        s = slice_from(s, digits);
        size_t letters = 0;
        while (letters < s.len && s.ptr[letters] >= 'a' && s.ptr[letters] <= 'z')
            letters++;
        struct slice name = slice_first(s, letters);
        size_t u = next_unit;
        while (u < ARRAY_LEN(units) && !slice_eq_cstr(name, units[u].name))
            u++;
        if (u == ARRAY_LEN(units) || __builtin_mul_overflow(n, units[u].ns, &part) ||
            __builtin_add_overflow(total, part, &total))
            return ERR_INVALID;
        next_unit = u + 1;
        s = slice_from(s, letters);
    }
    *out_ns = total;
    return 0;
}

void text_duration_print(int64_t ns, struct buf *out)
{
    int64_t ms = ns / NS_PER_MS;
    if (!ms) {
        buf_append_cstr(out, "0s");
        return;
    }
    if (ms < 0) {
        buf_append_char(out, '-');
        ms = -ms;
    }
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        int64_t unit_ms = units[i].ns / NS_PER_MS;
        /* Years and weeks only when nothing is left over, as "1y3d" surprises. */
        bool exact_only = i < 2;
        if (exact_only && ms % unit_ms)
            continue;
        if (ms / unit_ms) {
            buf_printf(out, "%lld%s", (long long)(ms / unit_ms), units[i].name);
            ms %= unit_ms;
        }
    }
}

int text_size_parse(struct slice s, int64_t *out_bytes)
{
    static const struct {
        const char *name;
        double factor;
    } suffixes[] = {{"", 1},        {"B", 1},        {"k", 1e3},     {"kB", 1e3},
                    {"KB", 1e3},    {"MB", 1e6},     {"M", 1e6},     {"GB", 1e9},
                    {"G", 1e9},     {"TB", 1e12},    {"T", 1e12},    {"KiB", 0x1p10},
                    {"Ki", 0x1p10}, {"MiB", 0x1p20}, {"Mi", 0x1p20}, {"GiB", 0x1p30},
                    {"Gi", 0x1p30}, {"TiB", 0x1p40}, {"Ti", 0x1p40}, {"PB", 1e15},
                    {"PiB", 0x1p50}};
    double v = 0, place = 1;
    size_t i = 0, digits = 0;
    bool point = false;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            digits++;
            if (point)
                v += (c - '0') * (place /= 10);
            else
                v = v * 10 + (c - '0');
        } else if (c != '_' || !digits) {
            break;
        }
    }
    struct slice suffix = slice_trim(slice_from(s, i));
    for (size_t k = 0; digits && k < ARRAY_LEN(suffixes); k++) {
        if (slice_eq_cstr(suffix, suffixes[k].name)) {
            v *= suffixes[k].factor;
            if (v > 9.2e18)
                return ERR_INVALID;
            *out_bytes = (int64_t)(v + 0.5);
            return 0;
        }
    }
    return ERR_INVALID;
}

/* Days since 1970 of a proleptic Gregorian date (H. Hinnant, "chrono-compatible date algorithms").
 */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static bool digits(struct slice *s, size_t count, int *out)
{
    int v = 0;
    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (s->ptr[i] - '0');
    }
    *s = slice_from(*s, count);
    *out = v;
    return true;
}

static bool literal(struct slice *s, const char *any_of, char *out)
{
    if (!s->len || !strchr(any_of, s->ptr[0]))
        return false;
    if (out)
        *out = s->ptr[0];
    *s = slice_from(*s, 1);
    return true;
}

static int parse_rfc3339(struct slice s, int64_t *out_ns)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, mo, d, h, mi, sec, oh = 0, om = 0;
    char sign = 'Z';
    int64_t fraction = 0;
    if (!digits(&s, 4, &y) || !literal(&s, "-", NULL) || !digits(&s, 2, &mo) ||
        !literal(&s, "-", NULL) || !digits(&s, 2, &d) || !literal(&s, "Tt ", NULL) ||
        !digits(&s, 2, &h) || !literal(&s, ":", NULL) || !digits(&s, 2, &mi) ||
        !literal(&s, ":", NULL) || !digits(&s, 2, &sec))
        return ERR_INVALID;
    if (literal(&s, ".", NULL)) {
        int64_t place = NS_PER_SEC;
        int digit;
        size_t count = 0;
        for (; s.len && s.ptr[0] >= '0' && s.ptr[0] <= '9'; count++) {
            digits(&s, 1, &digit);
            place /= 10;
            fraction += place * digit;
        }
        if (!count)
            return ERR_INVALID;
    }
    if (!literal(&s, "Zz+-", &sign))
        return ERR_INVALID;
    if ((sign == '+' || sign == '-') &&
        (!digits(&s, 2, &oh) || !literal(&s, ":", NULL) || !digits(&s, 2, &om)))
        return ERR_INVALID;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (s.len || mo < 1 || mo > 12 || d < 1 || d > month_days[mo - 1] ||
        (mo == 2 && d == 29 && !leap) || h > 23 || mi > 59 || sec > 59 || oh > 23 || om > 59)
        return ERR_INVALID;
    int64_t seconds = days_from_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec;
    int64_t offset = oh * 3600 + om * 60;
    seconds -= sign == '-' ? -offset : offset;
    if (__builtin_mul_overflow(seconds, NS_PER_SEC, out_ns) ||
        __builtin_add_overflow(*out_ns, fraction, out_ns))
        return ERR_INVALID;
    return 0;
}

int text_time_parse(struct slice s, int64_t *out_ns)
{
    char text[64], *end;
    if (!s.len || s.len >= sizeof(text))
        return ERR_INVALID;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    /* Decimal only: no hexadecimal, infinities or NaN, as none is a time. */
    if (strspn(text, "0123456789.+-eE") == s.len) {
        double v = strtod(text, &end);
        if (end == text + s.len && isfinite(v)) {
            double whole, fraction = modf(v, &whole);
            double ms = round(fraction * 1000);
            if (fabs(whole) > 9.2e9)
                return ERR_INVALID;
            *out_ns = (int64_t)whole * NS_PER_SEC + (int64_t)ms * NS_PER_MS;
            return 0;
        }
    }
    return parse_rfc3339(s, out_ns);
}

void text_time_print(int64_t ns, struct buf *out)
{
    int64_t seconds = ns / NS_PER_SEC, fraction = ns % NS_PER_SEC;
    if (fraction < 0) {
        fraction += NS_PER_SEC;
        seconds--;
    }
    int64_t day = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
            doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, d = doy - (153 * mp + 2) / 5 + 1,
            m = mp < 10 ? mp + 3 : mp - 9;
    int64_t y = yoe + era * 400 + (m <= 2);
    buf_printf(out, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld", (long long)y, (long long)m,
               (long long)d, (long long)(rest / 3600), (long long)(rest / 60 % 60),
               (long long)(rest % 60));
    if (fraction) {
        char text[16];
        int len = 9;
        for (; fraction % 10 == 0; len--)
            fraction /= 10;
        for (int i = len; i-- > 0; fraction /= 10)
            text[i] = (char)('0' + fraction % 10);
        buf_append_char(out, '.');
        buf_append(out, text, (size_t)len);
    }
    buf_append_char(out, 'Z');
}
