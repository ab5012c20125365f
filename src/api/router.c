#include "api/router.h"

#include "net/url.h"

static unsigned method_bit(enum net_method m)
{
    switch (m) {
    case NET_GET:
    case NET_HEAD: return API_GET;
    case NET_POST: return API_POST;
    case NET_PUT: return API_PUT;
    case NET_DELETE: return API_DELETE;
    case NET_PATCH: return API_PATCH;
    default: return 0;
    }
}

/* True when the path fits; raw (undecoded) parameters go to args. */
static bool fits(struct slice pattern, struct slice path, struct slice *args, size_t *arg_count)
{
    *arg_count = 0;
    for (;;) {
        if (slice_eq_cstr(pattern, "*")) {
            args[(*arg_count)++] = path;
            return true;
        }
        if (!pattern.len || !path.len)
            return pattern.len == path.len;
        if (pattern.ptr[0] == ':' && *arg_count < API_ARGS_MAX) {
            size_t n = 0, k = 1;
            while (n < path.len && path.ptr[n] != '/')
                n++;
            while (k < pattern.len && pattern.ptr[k] != '/')
                k++;
            if (!n)
                return false;
            args[(*arg_count)++] = slice_first(path, n);
            path = slice_from(path, n);
            pattern = slice_from(pattern, k);
            continue;
        }
        if (pattern.ptr[0] != path.ptr[0])
            return false;
        pattern = slice_from(pattern, 1);
        path = slice_from(path, 1);
    }
}

enum api_match api_route_match(const struct api_route *routes, size_t count, enum net_method method,
                               struct api_call *call, struct arena *arena,
                               const struct api_route **out, unsigned *out_allowed)
{
    unsigned bit = method_bit(method);
    *out_allowed = 0;
    for (size_t i = 0; i < count; i++) {
        struct slice args[API_ARGS_MAX];
        size_t arg_count;
        if (!fits(slice_cstr(routes[i].pattern), call->path, args, &arg_count))
            continue;
        *out_allowed |= routes[i].methods;
        if (!(routes[i].methods & bit))
            continue;
        for (size_t k = 0; k < arg_count; k++) {
            if (net_url_decode(args[k], false, arena, &call->args[k], NULL))
                return API_MATCH_BAD_PATH;
        }
        call->arg_count = arg_count;
        *out = &routes[i];
        return API_MATCH_OK;
    }
    return *out_allowed ? API_MATCH_NO_METHOD : API_MATCH_NO_PATH;
}

void api_route_allow(unsigned methods, struct buf *out)
{
    static const struct {
        unsigned bit;
        const char *names;
    } rows[] = {{API_GET, "GET, HEAD"},
                {API_POST, "POST"},
                {API_PUT, "PUT"},
                {API_DELETE, "DELETE"},
                {API_PATCH, "PATCH"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (methods & rows[i].bit)
            buf_printf(out, "%s, ", rows[i].names);
    }
    buf_append_cstr(out, "OPTIONS");
}
