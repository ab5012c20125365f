#include "lang/logql/units.h"

#include <math.h>

#include "codec/number.h"
#include "text/duration.h"

static bool take_unit(struct slice *s, int64_t *ns)
{
    static const struct {
        struct slice name;
        int64_t ns;
    } units[] = {{SLICE_INIT("ns"), 1},
                 {SLICE_INIT("us"), NS_PER_US},
                 {SLICE_INIT("\xc2\xb5s"), NS_PER_US},
                 {SLICE_INIT("\xce\xbcs"), NS_PER_US},
                 {SLICE_INIT("ms"), NS_PER_MS},
                 {SLICE_INIT("s"), NS_PER_SEC},
                 {SLICE_INIT("m"), 60 * NS_PER_SEC},
                 {SLICE_INIT("h"), 3600 * NS_PER_SEC}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (slice_starts_with(*s, units[i].name)) {
            /* "m" must not take the front of "mx". */
            struct slice rest = slice_from(*s, units[i].name.len);
            if (rest.len && !((rest.ptr[0] >= '0' && rest.ptr[0] <= '9') || rest.ptr[0] == '.'))
                continue;
            *ns = units[i].ns;
            *s = rest;
            return true;
        }
    }
    return false;
}

bool logql_duration_parse(struct slice s, int64_t *out_ns)
{
    bool negative = s.len && s.ptr[0] == '-';
    int64_t total = 0;
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = slice_from(s, 1);
    if (slice_eq_cstr(s, "0")) {
        *out_ns = 0;
        return true;
    }
    if (!s.len)
        return false;
    while (s.len) {
        int64_t whole = 0, unit;
        double fraction = 0, place = 1;
        size_t i = 0, digits = 0;
        for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++) {
            if (__builtin_mul_overflow(whole, 10, &whole) ||
                __builtin_add_overflow(whole, s.ptr[i] - '0', &whole))
                return false;
        }
        if (i < s.len && s.ptr[i] == '.') {
            for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++, digits++)
                fraction += (s.ptr[i] - '0') * (place /= 10);
        }
        s = slice_from(s, i);
        if (!digits || !take_unit(&s, &unit) || __builtin_mul_overflow(whole, unit, &whole) ||
            __builtin_add_overflow(whole, (int64_t)round(fraction * (double)unit), &whole) ||
            __builtin_add_overflow(total, whole, &total))
            return false;
    }
    *out_ns = negative ? -total : total;
    return true;
}

static size_t digits_of(struct slice s, const char *more)
{
    size_t n = 0;
    while (n < s.len && ((s.ptr[n] >= '0' && s.ptr[n] <= '9') || strchr(more, s.ptr[n])) &&
           s.ptr[n])
        n++;
    return n;
}

void logql_duration_problem(struct slice s, struct buf *out)
{
    struct slice rest = s;
    int64_t ns;
    if (rest.len && (rest.ptr[0] == '-' || rest.ptr[0] == '+'))
        rest = slice_from(rest, 1);
    while (rest.len) {
        size_t n = digits_of(rest, ".");
        if (!n || slice_eq_cstr(slice_first(rest, n), "."))
            break;
        rest = slice_from(rest, n);
        size_t unit = 0;
        while (unit < rest.len && rest.ptr[unit] != '.' &&
               !(rest.ptr[unit] >= '0' && rest.ptr[unit] <= '9'))
            unit++;
        struct slice name = slice_first(rest, unit);
        if (!unit) {
            buf_printf(out, "time: missing unit in duration \"%.*s\"", SLICE_FMT(s));
            return;
        }
        if (!take_unit(&name, &ns)) {
            buf_printf(out, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
                       SLICE_FMT(slice_first(rest, unit)), SLICE_FMT(s));
            return;
        }
        rest = slice_from(rest, unit);
    }
    buf_printf(out, "time: invalid duration \"%.*s\"", SLICE_FMT(s));
}

bool logql_duration_literal(struct slice s, int64_t *out_ns)
{
    if (logql_duration_parse(s, out_ns))
        return true;
    bool negative = s.len && s.ptr[0] == '-';
    if (text_duration_parse(negative ? slice_from(s, 1) : s, out_ns))
        return false;
    if (negative)
        *out_ns = -*out_ns;
    return true;
}

bool logql_bytes_parse(struct slice s, double *out)
{
    static const struct {
        const char *name;
        double factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1e3},  {"kb", 1e3},
                 {"ki", 0x1p10}, {"kib", 0x1p10}, {"m", 1e6},  {"mb", 1e6},
                 {"mi", 0x1p20}, {"mib", 0x1p20}, {"g", 1e9},  {"gb", 1e9},
                 {"gi", 0x1p30}, {"gib", 0x1p30}, {"t", 1e12}, {"tb", 1e12},
                 {"ti", 0x1p40}, {"tib", 0x1p40}, {"p", 1e15}, {"pb", 1e15},
                 {"pi", 0x1p50}, {"pib", 0x1p50}, {"e", 1e18}, {"eb", 1e18},
                 {"ei", 0x1p60}, {"eib", 0x1p60}};
    size_t i = 0;
    char digits[64];
    size_t len = 0;
    while (i < s.len &&
           ((s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '.' || s.ptr[i] == ',')) {
        if (s.ptr[i] != ',') {
            if (len == sizeof(digits))
                return false;
            digits[len++] = s.ptr[i];
        }
        i++;
    }
    double v;
    if (!len || !codec_text_to_double(slice_make(digits, len), &v, NULL))
        return false;
    struct slice unit = slice_trim(slice_from(s, i));
    for (size_t k = 0; k < ARRAY_LEN(units); k++) {
        if (slice_eq_nocase(unit, slice_cstr(units[k].name))) {
            v *= units[k].factor;
            if (v >= 0x1p64)
                return false;
            *out = trunc(v); /* whole bytes */
            return true;
        }
    }
    return false;
}

void logql_bytes_problem(struct slice s, struct buf *out)
{
    size_t n = digits_of(s, ".,");
    double v;
    struct slice unit = slice_trim(slice_from(s, n));
    if (n && unit.len && codec_text_to_double(slice_first(s, n), &v, NULL))
        buf_printf(out, "unhandled size name: %.*s", SLICE_FMT(unit));
    else
        buf_printf(out, "strconv.ParseFloat: parsing \"%.*s\": invalid syntax",
                   SLICE_FMT(slice_first(s, n)));
}

void logql_duration_print(int64_t ns, struct buf *out)
{
    if (!ns) {
        buf_append_cstr(out, "0s");
        return;
    }
    uint64_t u = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_append_char(out, '-');
    uint64_t unit = u < 1000 ? 1 : u < 1000000 ? 1000 : u < 1000000000 ? 1000000 : 1000000000;
    const char *name = unit == 1 ? "ns" : unit == 1000 ? "\xc2\xb5s" : unit == 1000000 ? "ms" : "s";
    if (u >= 3600000000000)
        buf_printf(out, "%lluh", (unsigned long long)(u / 3600000000000));
    if (u >= 60000000000)
        buf_printf(out, "%llum", (unsigned long long)(u / 60000000000 % 60));
    uint64_t rest = unit == 1000000000 ? u % 60000000000 : u;
    buf_printf(out, "%llu", (unsigned long long)(rest / unit));
    if (rest % unit) {
        char digits[16];
        int n = unit == 1000 ? 3 : unit == 1000000 ? 6 : 9;
        uint64_t fraction = rest % unit;
        for (int i = n; i-- > 0; fraction /= 10)
            digits[i] = (char)('0' + fraction % 10);
        while (n && digits[n - 1] == '0')
            n--;
        buf_printf(out, ".%.*s", n, digits);
    }
    buf_append_cstr(out, name);
}
