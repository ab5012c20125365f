#include "net/url.h"

#include <arpa/inet.h>

#include "base/buf.h"
#include "base/vec.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_url_decode(struct slice s, bool plus_is_space, struct arena *arena, struct slice *out,
                   struct diag *diag)
{
    if (slice_find_char(s, '%') < 0 && (!plus_is_space || slice_find_char(s, '+') < 0)) {
        *out = s.ptr ? s : SLICE("");
        return 0;
    }
    char *text = arena_alloc(arena, s.len);
    if (!text)
        return diag_set(diag, ERR_NOMEM, "no memory for the parameters");
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%') {
            int hi = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
            int lo = i + 2 < s.len ? hex_digit(s.ptr[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return diag_set_range(diag, ERR_INVALID, i, MIN(i + 3, s.len),
                                      "invalid URL escape \"%.*s\"",
                                      SLICE_FMT(slice_first(slice_from(s, i), 3)));
            c = (char)(hi << 4 | lo);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        text[len++] = c;
    }
    *out = slice_make(text, len);
    return 0;
}

void net_url_encode(struct slice s, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || c == '.' || c == '~';
        if (plain) {
            buf_append_char(out, (char)c);
        } else {
            buf_append_char(out, '%');
            buf_append_char(out, hex[c >> 4]);
            buf_append_char(out, hex[c & 15]);
        }
    }
}

int net_form_parse(struct slice s, struct arena *arena, struct net_param **out, size_t *out_count,
                   struct diag *diag)
{
    VEC(struct net_param) params = {0};
    struct slice pair;
    int err = 0;
    while (s.len && !err && slice_split(&s, '&', &pair)) {
        if (!pair.len)
            continue;
        struct net_param p;
        struct slice name, value = pair;
        slice_split(&value, '=', &name);
        err = net_url_decode(name, true, arena, &p.name, diag);
        if (!err)
            err = net_url_decode(value, true, arena, &p.value, diag);
        if (!err)
            vec_push(&params, p);
    }
    *out = arena_dup(arena, params.items, params.len * sizeof(*params.items));
    *out_count = *out ? params.len : 0;
    vec_free(&params);
    return err;
}

/* *out_name: as it stands there, without brackets. */
static int split_address(struct slice s, struct slice *out_name, uint16_t *out_port,
                         struct diag *diag)
{
    const char *colon = s.ptr ? memrchr(s.ptr, ':', s.len) : NULL;
    if (!colon)
        return diag_set(diag, ERR_INVALID, "\"%.*s\" is no host:port", SLICE_FMT(s));
    struct slice name = slice_make(s.ptr, (size_t)(colon - s.ptr)),
                 port = slice_from(s, name.len + 1);
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = slice_make(name.ptr + 1, name.len - 2);
    else if (slice_find_char(name, ':') >= 0)
        return diag_set(diag, ERR_INVALID, "\"%.*s\": an IPv6 address goes in brackets, [::1]:80",
                        SLICE_FMT(s));
    unsigned long n = 0;
    for (size_t i = 0; i < port.len; i++) {
        if (port.ptr[i] < '0' || port.ptr[i] > '9' || n > 65535)
            return diag_set(diag, ERR_INVALID, "\"%.*s\": the port is no number", SLICE_FMT(s));
        n = n * 10 + (unsigned long)(port.ptr[i] - '0');
    }
    if (!port.len || n > 65535)
        return diag_set(diag, ERR_INVALID, "\"%.*s\": a port is between 0 and 65535", SLICE_FMT(s));
    *out_name = name;
    *out_port = (uint16_t)n;
    return 0;
}

static int copy_host(struct slice s, struct slice name, char *host, size_t host_size,
                     struct diag *diag)
{
    if (name.len >= host_size)
        return diag_set(diag, ERR_INVALID, "\"%.*s\": the host is too long", SLICE_FMT(s));
    if (name.len)
        memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    return 0;
}

int net_address_parse(struct slice s, char *host, size_t host_size, uint16_t *out_port,
                      struct diag *diag)
{
    struct slice name;
    unsigned char addr[16];
    int err = split_address(s, &name, out_port, diag);
    if (err)
        return err;
    if (slice_eq_cstr(name, "localhost"))
        name = SLICE("127.0.0.1");
    if (!name.len)
        name = SLICE("0.0.0.0");
    if ((err = copy_host(s, name, host, host_size, diag)))
        return err;
    if (inet_pton(AF_INET, host, addr) != 1 && inet_pton(AF_INET6, host, addr) != 1)
        return diag_set(diag, ERR_INVALID, "\"%.*s\": the host must be an IP address or localhost",
                        SLICE_FMT(s));
    return 0;
}

int net_peer_parse(struct slice s, char *host, size_t host_size, uint16_t *out_port,
                   struct diag *diag)
{
    struct slice name;
    int err = split_address(s, &name, out_port, diag);
    if (err)
        return err;
    if (!name.len || !*out_port)
        return diag_set(diag, ERR_INVALID, "\"%.*s\": a host and a port are expected, host:port",
                        SLICE_FMT(s));
    return copy_host(s, name, host, host_size, diag);
}

bool net_address_is_loopback(const char *host)
{
    unsigned char addr[16];
    if (inet_pton(AF_INET, host, addr) == 1)
        return addr[0] == 127;
    static const unsigned char one[16] = {[15] = 1};
    return inet_pton(AF_INET6, host, addr) == 1 && memcmp(addr, one, 16) == 0;
}
