/* The web UI's files, as api/ui_assets.h asks for them to be served. */
#include "api/ui_assets.h"

#include <stdlib.h>

#include "api/api_priv.h"
#include "base/mem.h"
#include "codec/compress.h"

static const struct api_ui_asset *find(struct slice path)
{
    size_t low = 0, high = api_ui_assets_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(path, slice_cstr(api_ui_assets[mid].path));
        if (!c)
            return &api_ui_assets[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

/* The peer takes the coding: named without q=0. */
static bool accepts(struct slice accept, const char *coding)
{
    struct slice item;
    while (accept.len && slice_split(&accept, ',', &item)) {
        struct slice name, rest = slice_trim(item);
        slice_split(&rest, ';', &name);
        if (slice_eq_nocase(slice_trim(name), slice_cstr(coding))) {
            struct slice q = rest.ptr ? slice_trim(rest) : SLICE("");
            return !(slice_eq_cstr(q, "q=0") || slice_starts_with(q, SLICE("q=0.0")));
        }
    }
    return false;
}

static void send(struct net_request *req, const struct api_ui_asset *a)
{
    struct slice accept = net_request_header(req, "accept-encoding");
    struct slice match = net_request_header(req, "if-none-match");
    net_response_header(req, "ETag", slice_cstr(a->etag));
    net_response_header(req, "Cache-Control",
                        a->immutable ? SLICE("public, max-age=31536000, immutable")
                                     : SLICE("no-cache"));
    net_response_header(req, "X-Content-Type-Options", SLICE("nosniff"));
    net_response_header(req, "Referrer-Policy", SLICE("same-origin"));
    /* The page's own policy (in its meta element) says what may run; a page cannot say who may
     * frame it. */
    net_response_header(req, "Content-Security-Policy",
                        SLICE("frame-ancestors 'self'; object-src 'none'; base-uri 'self'; "
                              "form-action 'self'"));
    if (match.len && (slice_eq_cstr(match, "*") || slice_find(match, slice_cstr(a->etag)) >= 0)) {
        net_respond(req, 304, NULL, SLICE(""));
        return;
    }
    if (a->br && accepts(accept, "br")) {
        net_response_header(req, "Vary", SLICE("Accept-Encoding"));
        net_response_header(req, "Content-Encoding", SLICE("br"));
        net_respond(req, 200, a->content_type, slice_make(a->br, a->br_len));
    } else if (accepts(accept, "gzip")) {
        net_response_header(req, "Vary", SLICE("Accept-Encoding"));
        net_response_header(req, "Content-Encoding", SLICE("gzip"));
        net_respond(req, 200, a->content_type, slice_make(a->gzip, a->gzip_len));
    } else {
        struct buf plain = {0};
        int err = codec_decompress(CODEC_GZIP, slice_make(a->gzip, a->gzip_len), a->raw_len, &plain,
                                   NULL);
        if (err)
            net_respond_text(req, 500, "%s cannot be decompressed", a->path);
        else
            net_respond(req, 200, a->content_type, buf_slice(&plain));
        buf_deinit(&plain);
    }
}

void api__ui(struct api_call *call)
{
    struct net_request *req = call->req;
    struct slice path = call->path;
    if (net_request_method(req) != NET_GET && net_request_method(req) != NET_HEAD) {
        net_response_header(req, "Allow", SLICE("GET, HEAD"));
        net_respond_text(req, 405, "only GET and HEAD are allowed here\n");
        return;
    }
    const struct api_ui_asset *a = find(slice_eq_cstr(path, "/") ? SLICE("/index.html") : path);
    if (!a) {
        size_t last = path.len;
        while (last && path.ptr[last - 1] != '/')
            last--;
        /* One of the UI's own pages; names of services may have dots. */
        if (slice_find_char(slice_from(path, last), '.') < 0 ||
            slice_starts_with(path, SLICE("/service/")))
            a = find(SLICE("/index.html"));
    }
    if (a)
        send(req, a);
    else
        net_respond_text(req, 404, "there is no %.*s here\n", SLICE_FMT(path));
}
