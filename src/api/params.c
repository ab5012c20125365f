#include "api/params.h"

#include <math.h>

#include "codec/number.h"
#include "codec/utf8.h"
#include "text/duration.h"

int api_param_time(struct net_request *req, const char *name, bool required, int64_t fallback_ns,
                   int64_t *out_ns, struct diag *diag)
{
    struct slice s = net_request_param(req, name);
    *out_ns = fallback_ns;
    if (!s.len && !required)
        return 0;
    if (!text_time_parse(s, out_ns))
        return 0;
    if (slice_eq_cstr(s, "-292273086-05-16T16:47:06Z")) {
        *out_ns = API_TIME_MIN_NS;
        return 0;
    }
    if (slice_eq_cstr(s, "292277025-08-18T07:12:54.999999999Z")) {
        *out_ns = API_TIME_MAX_NS;
        return 0;
    }
    /* Numbers beyond what nanoseconds can hold mean "the beginning" and "the end". */
    double v;
    if (codec_text_to_double(s, &v, NULL) && isfinite(v)) {
        *out_ns = v < 0 ? API_TIME_MIN_NS : API_TIME_MAX_NS;
        return 0;
    }
    return diag_set(diag, ERR_INVALID,
                    "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid timestamp", name,
                    SLICE_FMT(s));
}

int api_param_duration(struct net_request *req, const char *name, bool required,
                       int64_t fallback_ns, int64_t *out_ns, struct diag *diag)
{
    struct slice s = net_request_param(req, name);
    double v;
    *out_ns = fallback_ns;
    if (!s.len && !required)
        return 0;
    if (codec_text_to_double(s, &v, NULL)) {
        v *= 1e9;
        if (!(v > -9.2e18 && v < 9.2e18))
            return diag_set(diag, ERR_INVALID,
                            "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration. "
                            "It overflows int64",
                            name, SLICE_FMT(s));
        *out_ns = (int64_t)v;
        return 0;
    }
    if (!text_duration_parse(s, out_ns))
        return 0;
    return diag_set(diag, ERR_INVALID,
                    "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid duration", name,
                    SLICE_FMT(s));
}

int api_param_limit(struct net_request *req, const char *name, size_t *out, struct diag *diag)
{
    struct slice s = net_request_param(req, name);
    int64_t n;
    *out = 0;
    if (!s.len)
        return 0;
    if (!codec_text_to_int(s, &n))
        return diag_set(diag, ERR_INVALID,
                        "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid integer", name,
                        SLICE_FMT(s));
    if (n < 0)
        return diag_set(diag, ERR_INVALID, "invalid parameter \"%s\": %s must be non-negative",
                        name, name);
    *out = (size_t)n;
    return 0;
}

int api_param_count(struct net_request *req, const char *name, int64_t *out, struct diag *diag)
{
    struct slice s = net_request_param(req, name);
    *out = -1;
    if (!s.len || codec_text_to_int(s, out))
        return 0;
    return diag_set(diag, ERR_INVALID, "%s must be a number", name);
}

int api_param_bool(struct net_request *req, const char *name, bool *out, struct diag *diag)
{
    struct slice s = net_request_param(req, name);
    *out = slice_eq_cstr(s, "true") || slice_eq_cstr(s, "1");
    if (*out || !s.len || slice_eq_cstr(s, "false") || slice_eq_cstr(s, "0"))
        return 0;
    return diag_set(diag, ERR_INVALID,
                    "invalid parameter \"%s\": \"%.*s\" is neither true nor false", name,
                    SLICE_FMT(s));
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct slice api_unescape_name(struct slice name, struct arena *arena)
{
    if (!slice_starts_with(name, SLICE("U__")))
        return name;
    struct slice in = slice_from(name, 3);
    char *out = arena_alloc(arena, in.len * 4 + 1);
    size_t len = 0;
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '_') {
            out[len++] = in.ptr[i];
            continue;
        }
        if (i + 1 < in.len && in.ptr[i + 1] == '_') {
            out[len++] = '_';
            i++;
            continue;
        }
        uint32_t code = 0;
        size_t digits = 0;
        for (i++; i < in.len && hex(in.ptr[i]) >= 0 && digits < 6; i++, digits++)
            code = code * 16 + (uint32_t)hex(in.ptr[i]);
        if (!digits || i >= in.len || in.ptr[i] != '_' || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff))
            return name;
        len += codec_utf8_encode(code, out + len);
    }
    return slice_make(out, len);
}

/* 11000 as 11,000. */
static void put_count(int64_t n, struct buf *out)
{
    if (n >= 1000) {
        put_count(n / 1000, out);
        buf_printf(out, ",%03d", (int)(n % 1000));
    } else {
        buf_printf(out, "%d", (int)n);
    }
}

int api_too_fine(int64_t points_max, const char *advice, struct diag *diag)
{
    struct buf most = {0};
    put_count(points_max, &most);
    int err =
        diag_set(diag, ERR_INVALID, "exceeded maximum resolution of %s points per timeseries. %s",
                 buf_cstr(&most), advice);
    buf_deinit(&most);
    return err;
}
