#include "store/event/style.h"

#include <stdio.h>
#ifdef __SSSE3__
#include <tmmintrin.h>
#endif

#include "base/types.h"
#include "codec/hex.h"
#include "codec/number.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t count_digits(struct slice s, size_t at)
{
    size_t n = 0;
    while (at + n < s.len && is_digit(s.ptr[at + n]))
        n++;
    return n;
}

static enum store_style guess_number(struct slice s, unsigned *out_param)
{
    size_t at = s.ptr[0] == '-', whole = count_digits(s, at), dots = 0;
    if (!whole)
        return STORE_STYLE_NONE;
    if (at + whole == s.len && !at && whole > 1 && s.ptr[0] == '0') {
        *out_param = (unsigned)whole;
        return whole <= 18 ? STORE_STYLE_PADDED : STORE_STYLE_NONE;
    }
    if (at + whole == s.len)
        return STORE_STYLE_INT;
    for (size_t i = 0; i < s.len; i++)
        dots += s.ptr[i] == '.';
    if (dots == 3)
        return STORE_STYLE_IPV4;
    if (s.ptr[at + whole] != '.')
        return STORE_STYLE_NONE;
    size_t decimals = count_digits(s, at + whole + 1);
    *out_param = (unsigned)decimals;
    return decimals && at + whole + 1 + decimals == s.len ? STORE_STYLE_DECIMAL : STORE_STYLE_NONE;
}

static bool is_hex(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i]) && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f'))
            return false;
    }
    return true;
}

/* 2024-01-02T03:04:05, with decimals or not, and what STORE_TIME_... are for. */
static bool looks_like_time(struct slice s, unsigned *out_param)
{
    if (s.len < 19 || s.len > 30 || s.ptr[4] != '-' || s.ptr[7] != '-' || s.ptr[13] != ':' ||
        s.ptr[16] != ':' || (s.ptr[10] != 'T' && s.ptr[10] != ' '))
        return false;
    bool z = s.ptr[s.len - 1] == 'Z';
    size_t decimals = s.len - 19 - z;
    if (decimals == 1 || decimals > 10)
        return false;
    *out_param = (decimals ? (unsigned)decimals - 1 : 0) |
                 (s.ptr[10] == ' ' ? STORE_TIME_SPACE : 0u) | (z ? 0u : STORE_TIME_NO_Z) |
                 (decimals && s.ptr[19] == ',' ? STORE_TIME_COMMA : 0u);
    return true;
}

enum store_style store_style_guess(struct slice s, unsigned *out_param)
{
    *out_param = 0;
    if (!s.len || s.len > 64)
        return STORE_STYLE_NONE;
    if (looks_like_time(s, out_param))
        return STORE_STYLE_TIME;
    if (s.len == 20 && s.ptr[2] == '/' && s.ptr[6] == '/' && s.ptr[11] == ':')
        return STORE_STYLE_CLF;
    if (s.len == 36 && s.ptr[8] == '-' && s.ptr[23] == '-')
        return STORE_STYLE_UUID;
    if (s.len >= 16 && s.len % 2 == 0 && is_hex(s))
        return STORE_STYLE_HEX;
    return s.len <= 20 ? guess_number(s, out_param) : STORE_STYLE_NONE;
}

/* --- parsing: leniently; the caller prints it back and compares --- */

static bool take_number(struct slice s, size_t at, size_t digits, int64_t *out)
{
    *out = 0;
    if (at + digits > s.len)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(s.ptr[at + i]))
            return false;
        *out = *out * 10 + (s.ptr[at + i] - '0');
    }
    return true;
}

/* Days since 1970 of a date of the proleptic Gregorian calendar, and back. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = yoe + era * 400 + (*m <= 2);
}

static int64_t ns_of(int64_t y, int64_t mo, int64_t d, int64_t h, int64_t mi, int64_t sec)
{
    return (((days_of(y, mo, d) * 24 + h) * 60 + mi) * 60 + sec) * NS_PER_SEC;
}

static bool parse_time(struct slice s, unsigned param, int64_t *out)
{
    int64_t y, mo, d, h, mi, sec, frac = 0;
    unsigned decimals = param & STORE_TIME_DECIMALS;
    if (s.len != 19 + (param & STORE_TIME_NO_Z ? 0u : 1u) + (decimals ? decimals + 1 : 0) ||
        decimals > 9 || !take_number(s, 0, 4, &y) || !take_number(s, 5, 2, &mo) ||
        !take_number(s, 8, 2, &d) || !take_number(s, 11, 2, &h) || !take_number(s, 14, 2, &mi) ||
        !take_number(s, 17, 2, &sec) || !take_number(s, 20, decimals, &frac) || y < 1700 ||
        y > 2250 || mo < 1 || mo > 12)
        return false;
    for (unsigned i = decimals; i < 9; i++)
        frac *= 10;
    *out = ns_of(y, mo, d, h, mi, sec) + frac;
    return true;
}

/* A TIME that parsed prints back as it is: no printing needed to know. */
static bool is_plain_time(struct slice s, unsigned param)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = s.ptr;
    int month = (p[5] - '0') * 10 + p[6] - '0', day = (p[8] - '0') * 10 + p[9] - '0';
    bool space = param & STORE_TIME_SPACE, comma = param & STORE_TIME_COMMA;
    return p[4] == '-' && p[7] == '-' && p[10] == (space ? ' ' : 'T') && p[13] == ':' &&
           p[16] == ':' && day >= 1 && day <= days[month - 1] && memcmp(p + 11, "24", 2) < 0 &&
           p[14] < '6' && p[17] < '6' &&
           (!(param & STORE_TIME_DECIMALS) || p[19] == (comma ? ',' : '.')) &&
           (param & STORE_TIME_NO_Z || p[s.len - 1] == 'Z');
}

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool parse_clf(struct slice s, int64_t *out)
{
    int64_t y, mo = 0, d, h, mi, sec;
    if (s.len != 20 || !take_number(s, 0, 2, &d) || !take_number(s, 7, 4, &y) ||
        !take_number(s, 12, 2, &h) || !take_number(s, 15, 2, &mi) || !take_number(s, 18, 2, &sec) ||
        y < 1700 || y > 2250)
        return false;
    while (mo < 12 && memcmp(s.ptr + 3, months + 3 * mo, 3) != 0)
        mo++;
    *out = ns_of(y, mo + 1, d, h, mi, sec);
    return mo < 12;
}

int64_t store_style_time_unit(enum store_style style, unsigned param)
{
    int64_t unit = NS_PER_SEC;
    for (unsigned i = 0; style == STORE_STYLE_TIME && i < (param & STORE_TIME_DECIMALS); i++)
        unit /= 10;
    return MAX(unit, (int64_t)1);
}

static bool parse_ipv4(struct slice s, int64_t *out)
{
    int64_t v = 0;
    size_t at = 0;
    for (int i = 0; i < 4; i++) {
        int64_t part;
        size_t n = count_digits(s, at);
        if (!n || n > 3 || !take_number(s, at, n, &part) || part > 255)
            return false;
        v = v << 8 | part;
        at += n + 1;
    }
    *out = v;
    return at == s.len + 1;
}

static bool take_decimal(struct slice s, unsigned decimals, int64_t *out)
{
    int64_t whole, rest, scale = 1;
    for (unsigned i = 0; i < decimals; i++)
        scale *= 10;
    if (!take_number(s, 0, s.len - decimals - 1, &whole) ||
        !take_number(s, s.len - decimals, decimals, &rest))
        return false;
    *out = whole * scale + rest;
    return true;
}

static bool parse_decimal(struct slice s, unsigned decimals, int64_t *out)
{
    char digits[24];
    if (s.len > 20 || s.len < decimals + 2 || s.ptr[s.len - decimals - 1] != '.')
        return false;
    memcpy(digits, s.ptr, s.len - decimals - 1);
    memcpy(digits + s.len - decimals - 1, s.ptr + s.len - decimals, decimals);
    return codec_text_to_int(slice_make(digits, s.len - 1), out);
}

/* Up to `decimals`, whatever it has: as if it had that many. */
static bool parse_short(struct slice s, unsigned decimals, int64_t *out)
{
    char digits[40];
    size_t n = 0, point = s.len;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.')
            point = i;
    }
    size_t has = point < s.len ? s.len - point - 1 : 0;
    if (s.len > 20 || has > decimals)
        return false;
    memcpy(digits, s.ptr, point);
    n = point;
    if (has)
        memcpy(digits + n, s.ptr + point + 1, has);
    n += has;
    for (; has < decimals; has++)
        digits[n++] = '0';
    /* "0.5" became "05". */
    size_t sign = n && digits[0] == '-', zeros = 0;
    while (sign + zeros + 1 < n && digits[sign + zeros] == '0')
        zeros++;
    memmove(digits + sign, digits + sign + zeros, n - sign - zeros);
    return codec_text_to_int(slice_make(digits, n - zeros), out);
}

static bool parse_padded(struct slice s, unsigned digits, int64_t *out)
{
    return s.len == digits && digits <= 18 && take_number(s, 0, digits, out);
}

bool store_style_parse(enum store_style style, unsigned param, struct slice text, int64_t *out)
{
    char back[STORE_STYLE_TEXT_MAX];
    bool ok = false;
    switch (style) {
    case STORE_STYLE_INT:
        if (text.len && text.len <= 18 && text.ptr[0] >= '1')
            return take_number(text, 0, text.len, out); /* prints back as it is */
        ok = text.len <= 20 && codec_text_to_int(text, out);
        break;
    case STORE_STYLE_DECIMAL:
        if (param && param <= 15 && text.len <= 18 && text.len >= param + 2 &&
            text.ptr[text.len - param - 1] == '.' && (text.ptr[0] >= '1' || text.ptr[1] == '.'))
            return take_decimal(text, param, out); /* prints back as it is */
        ok = param && param <= 15 && parse_decimal(text, param, out);
        break;
    case STORE_STYLE_IPV4: ok = parse_ipv4(text, out); break;
    case STORE_STYLE_TIME:
        ok = parse_time(text, param, out);
        if (ok && is_plain_time(text, param))
            return true;
        break;
    case STORE_STYLE_CLF: ok = parse_clf(text, out); break;
    case STORE_STYLE_PADDED: ok = parse_padded(text, param, out); break;
    case STORE_STYLE_SHORT: ok = param && param <= 15 && parse_short(text, param, out); break;
    default: break;
    }
    return ok && slice_eq(text, slice_make(back, store_style_print(style, param, *out, back)));
}

static size_t print_decimal(unsigned decimals, int64_t v, char *out)
{
    char digits[CODEC_INT_TEXT_MAX + 1];
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    size_t n = codec_uint_to_text(u, digits), len = 0;
    if (v < 0)
        out[len++] = '-';
    size_t whole = n > decimals ? n - decimals : 0;
    if (whole)
        memcpy(out + len, digits, whole);
    else
        out[len] = '0';
    len += whole ? whole : 1;
    out[len++] = '.';
    for (size_t i = n; i < decimals; i++)
        out[len++] = '0';
    memcpy(out + len, digits + whole, n - whole);
    return len + n - whole;
}

static void put_digits(char *out, int64_t v, int digits)
{
    for (int i = digits; i-- > 0; v /= 10)
        out[i] = (char)('0' + v % 10);
}

static size_t print_short(unsigned decimals, int64_t v, char *out)
{
    size_t len = print_decimal(decimals, v, out);
    while (out[len - 1] == '0')
        len--;
    return len - (out[len - 1] == '.');
}

/* Date and time of day; the ns left over. */
static int64_t civil_of(int64_t v, int64_t *y, int64_t *m, int64_t *d, int64_t *out_rest)
{
    int64_t sec = v / NS_PER_SEC, ns = v % NS_PER_SEC;
    if (ns < 0) {
        ns += NS_PER_SEC;
        sec--;
    }
    int64_t day = sec / 86400, rest = sec % 86400;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    date_of(day, y, m, d);
    *out_rest = rest;
    return ns;
}

static size_t print_clf(int64_t v, char *out)
{
    int64_t y, m, d, rest;
    civil_of(v, &y, &m, &d, &rest);
    memcpy(out, "00/Jan/0000:00:00:00", 20);
    put_digits(out, d, 2);
    memcpy(out + 3, months + 3 * (m - 1), 3);
    put_digits(out + 7, y, 4);
    put_digits(out + 12, rest / 3600, 2);
    put_digits(out + 15, rest / 60 % 60, 2);
    put_digits(out + 18, rest % 60, 2);
    return 20;
}

static size_t print_time(unsigned param, int64_t v, char *out)
{
    int64_t y, m, d, rest, ns = civil_of(v, &y, &m, &d, &rest);
    unsigned decimals = MIN(param & STORE_TIME_DECIMALS, 9u);
    memcpy(out, "0000-00-00T00:00:00", 19);
    put_digits(out, y, 4);
    put_digits(out + 5, m, 2);
    put_digits(out + 8, d, 2);
    put_digits(out + 11, rest / 3600, 2);
    put_digits(out + 14, rest / 60 % 60, 2);
    put_digits(out + 17, rest % 60, 2);
    size_t len = 19;
    if (decimals) {
        char frac[9];
        put_digits(frac, ns, 9);
        out[len++] = param & STORE_TIME_COMMA ? ',' : '.';
        memcpy(out + len, frac, decimals);
        len += decimals;
    }
    if (param & STORE_TIME_SPACE)
        out[10] = ' ';
    if (!(param & STORE_TIME_NO_Z))
        out[len++] = 'Z';
    return len;
}

size_t store_style_print(enum store_style style, unsigned param, int64_t v, char *out)
{
    switch (style) {
    case STORE_STYLE_DECIMAL: return print_decimal(MIN(param, 15u), v, out);
    case STORE_STYLE_IPV4: {
        size_t len = 0;
        for (int i = 3; i >= 0; i--) {
            len += codec_uint_to_text((uint64_t)v >> (8 * i) & 255, out + len);
            if (i)
                out[len++] = '.';
        }
        return len;
    }
    case STORE_STYLE_TIME: return print_time(param, v, out);
    case STORE_STYLE_CLF: return print_clf(v, out);
    case STORE_STYLE_SHORT: return print_short(MIN(param, 15u), v, out);
    case STORE_STYLE_PADDED: {
        size_t digits = MAX(MIN(param, 18u), 1u);
        uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
        for (size_t i = digits; i-- > 0; u /= 10)
            out[i] = (char)('0' + u % 10);
        return digits;
    }
    default: return codec_int_to_text(v, out);
    }
}

/* Lower-case digits alone: upper-case ones would not come back. */
static bool take_hex(struct slice text, char *out)
{
    static const int8_t digits[256] = {
        ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
        ['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
        ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    };
    int bad = 0;
    size_t i = 0;
#ifdef __SSSE3__
    for (; i + 16 <= text.len; i += 16) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + i));
        __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8('0' - 1)),
                                      _mm_cmplt_epi8(c, _mm_set1_epi8('9' + 1)));
        __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(c, _mm_set1_epi8('a' - 1)),
                                       _mm_cmplt_epi8(c, _mm_set1_epi8('f' + 1)));
        if (_mm_movemask_epi8(_mm_or_si128(digit, letter)) != 0xffff)
            return false;
        __m128i half = _mm_add_epi8(_mm_and_si128(c, _mm_set1_epi8(15)),
                                    _mm_and_si128(letter, _mm_set1_epi8(9)));
        /* 16 * the first + the second of each pair */
        __m128i pairs = _mm_maddubs_epi16(half, _mm_set1_epi16(0x0110));
        _mm_storel_epi64((__m128i *)(void *)(out + i / 2), _mm_packus_epi16(pairs, pairs));
    }
#endif
    for (; i + 1 < text.len; i += 2) {
        int hi = digits[(unsigned char)text.ptr[i]] - 1,
            lo = digits[(unsigned char)text.ptr[i + 1]] - 1;
        bad |= hi | lo;
        out[i / 2] = (char)((unsigned)hi << 4 | ((unsigned)lo & 15));
    }
    return bad >= 0;
}

bool store_style_parse_bytes(enum store_style style, struct slice text, struct buf *out)
{
    if (style == STORE_STYLE_HEX) {
        if (text.len % 2 || !take_hex(text, buf_reserve(out, text.len / 2)))
            return false;
        out->len += text.len / 2;
        return true;
    }
    static const uint8_t at[5] = {0, 9, 14, 19, 24}, digits[5] = {8, 4, 4, 4, 12};
    if (text.len != 36)
        return false;
    char *to = buf_reserve(out, 16);
    for (int i = 0; i < 5; i++) {
        if ((i && text.ptr[at[i] - 1] != '-') ||
            !take_hex(slice_make(text.ptr + at[i], digits[i]), to))
            return false;
        to += digits[i] / 2;
    }
    out->len += 16;
    return true;
}

size_t store_style_print_bytes(enum store_style style, struct slice bytes, char *out)
{
    if (style != STORE_STYLE_UUID) {
        codec_hex_to_text(bytes, out);
        return bytes.len * 2;
    }
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[len++] = '-';
        codec_hex_to_text(slice_make(bytes.ptr + i, 1), out + len);
        len += 2;
    }
    return len;
}
