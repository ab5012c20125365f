#include "lang/logql/ip.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* The address the text begins with; returns its length, or 0. */
static size_t take_v4(struct slice s, uint8_t *out)
{
    size_t at = 0;
    for (int part = 0; part < 4; part++) {
        unsigned v = 0;
        size_t digits = 0;
        if (part) {
            if (at >= s.len || s.ptr[at] != '.')
                return 0;
            at++;
        }
        for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9' && digits < 4; at++, digits++)
            v = v * 10 + (unsigned)(s.ptr[at] - '0');
        if (!digits || digits > 3 || v > 255)
            return 0;
        out[part] = (uint8_t)v;
    }
    return at;
}

static size_t take_v6(struct slice s, uint8_t *out)
{
    uint8_t parts[16] = {0};
    size_t count = 0, gap = SIZE_MAX, at = 0;
    while (count < 16) {
        if (at + 1 < s.len && s.ptr[at] == ':' && s.ptr[at + 1] == ':') {
            if (gap != SIZE_MAX)
                break;
            gap = count;
            at += 2;
        } else if (count && at < s.len && s.ptr[at] == ':') {
            if (at + 1 >= s.len || !is_hex(s.ptr[at + 1]))
                break;
            at++;
        } else if (count && !(gap == count)) {
            break;
        }
        uint8_t v4[4];
        size_t n = count <= 12 && count ? take_v4(slice_from(s, at), v4) : 0;
        if (n && (count == 12 || gap != SIZE_MAX)) {
            memcpy(parts + count, v4, 4);
            count += 4;
            at += n;
            break;
        }
        unsigned v = 0;
        size_t digits = 0;
        for (; at < s.len && is_hex(s.ptr[at]) && digits < 4; at++, digits++)
            v = v << 4 |
                (unsigned)(s.ptr[at] <= '9' ? s.ptr[at] - '0' : (s.ptr[at] | 32) - 'a' + 10);
        if (!digits) {
            if (gap == count)
                break;
            return 0;
        }
        parts[count++] = (uint8_t)(v >> 8);
        parts[count++] = (uint8_t)v;
    }
    if ((gap == SIZE_MAX && count != 16) || (gap != SIZE_MAX && count > 14))
        return 0;
    memset(out, 0, 16);
    if (gap == SIZE_MAX) {
        memcpy(out, parts, 16);
    } else {
        memcpy(out, parts, gap);
        memcpy(out + 16 - (count - gap), parts + gap, count - gap);
    }
    return at;
}

static bool parse_one(struct slice s, bool *v6, uint8_t *out)
{
    memset(out, 0, 16);
    *v6 = slice_find_char(s, ':') >= 0;
    size_t n = *v6 ? take_v6(s, out) : take_v4(s, out);
    return n && n == s.len;
}

bool logql_ip_range_parse(struct slice text, struct logql_ip_range *out)
{
    ptrdiff_t dash = slice_find_char(text, '-'), slash = slice_find_char(text, '/');
    bool other;
    if (dash >= 0) {
        return parse_one(slice_first(text, (size_t)dash), &out->v6, out->from) &&
               parse_one(slice_from(text, (size_t)dash + 1), &other, out->to) && other == out->v6 &&
               memcmp(out->from, out->to, 16) <= 0;
    }
    if (slash < 0) {
        bool ok = parse_one(text, &out->v6, out->from);
        memcpy(out->to, out->from, 16);
        return ok;
    }
    struct slice bits = slice_from(text, (size_t)slash + 1);
    unsigned n = 0;
    if (!parse_one(slice_first(text, (size_t)slash), &out->v6, out->from) || !bits.len ||
        bits.len > 3)
        return false;
    for (size_t i = 0; i < bits.len; i++) {
        if (bits.ptr[i] < '0' || bits.ptr[i] > '9')
            return false;
        n = n * 10 + (unsigned)(bits.ptr[i] - '0');
    }
    size_t size = out->v6 ? 16 : 4;
    if (n > size * 8)
        return false;
    memset(out->to, 0, 16);
    for (size_t i = 0; i < size; i++) {
        unsigned host = n >= (i + 1) * 8 ? 0 : n <= i * 8 ? 255 : 255u >> (n - i * 8);
        out->to[i] = (uint8_t)(out->from[i] | host);
        out->from[i] = (uint8_t)(out->from[i] & ~host);
    }
    return true;
}

bool logql_ip_range_finds(const struct logql_ip_range *r, struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        bool begins = r->v6 ? is_hex(c) || c == ':' : c >= '0' && c <= '9';
        uint8_t ip[16] = {0};
        if (!begins) {
            i++;
            continue;
        }
        struct slice rest = slice_from(text, i);
        size_t n = r->v6 ? take_v6(rest, ip) : take_v4(rest, ip);
        if (n && memcmp(ip, r->from, 16) >= 0 && memcmp(ip, r->to, 16) <= 0)
            return true;
        if (n) {
            i += n;
            continue;
        }
        /* Not inside of this run: 1.2.3 does not begin an address at its 2. */
        while (i < text.len && (r->v6 ? is_hex(text.ptr[i]) || text.ptr[i] == ':'
                                      : (text.ptr[i] >= '0' && text.ptr[i] <= '9')))
            i++;
    }
    return false;
}
