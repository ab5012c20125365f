#include "api/loki/door_priv.h"
#include "codec/number.h"
#include "lang/logql/units.h"
#include "text/duration.h"

int loki__param_time(struct net_request *req, const char *name, int64_t fallback_ns,
                     int64_t *out_ns, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    double seconds;
    *out_ns = fallback_ns;
    if (!text.len)
        return 0;
    if (slice_find_char(text, '.') >= 0 && codec_text_to_double(text, &seconds, NULL)) {
        if (!(seconds > -9.2e9 && seconds < 9.2e9))
            return diag_set(diag, ERR_INVALID, "%s: %.*s is out of range", name, SLICE_FMT(text));
        /* Whole seconds and the fraction apart, which keeps microseconds. */
        int64_t whole = (int64_t)seconds;
        *out_ns = whole * NS_PER_SEC + (int64_t)((seconds - (double)whole) * 1e9);
        return 0;
    }
    if (codec_text_to_int(text, out_ns)) {
        if (text.len <= 10)
            *out_ns *= NS_PER_SEC;
        return 0;
    }
    if (text_time_parse(text, out_ns))
        return diag_set(diag, ERR_INVALID,
                        "cannot parse %s \"%.*s\": a time in ns or s since 1970, "
                        "or RFC 3339, is expected",
                        name, SLICE_FMT(slice_first(text, 60)));
    return 0;
}

int loki__param_range(struct api_call *call, int64_t since_ns, int64_t *out_start_ns,
                      int64_t *out_end_ns, struct diag *diag)
{
    int64_t now_ns = call->api->host->now_ns(call->api->host->ctx);
    int err = loki__param_time(call->req, "end", now_ns, out_end_ns, diag);
    if (!err)
        err = loki__param_duration(call->req, "since", since_ns, &since_ns, diag);
    if (err)
        return err;
    /* A range that ends in the future begins as far before now. */
    int64_t from = MIN(*out_end_ns, now_ns);
    err = loki__param_time(call->req, "start",
                           from < INT64_MIN + since_ns ? INT64_MIN : from - since_ns, out_start_ns,
                           diag);
    if (!err && *out_end_ns < *out_start_ns)
        err =
            diag_set(diag, ERR_INVALID, "end timestamp must not be before or equal to start time");
    return err;
}

int loki__param_duration(struct net_request *req, const char *name, int64_t fallback_ns,
                         int64_t *out_ns, struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    double seconds;
    *out_ns = fallback_ns;
    if (!text.len)
        return 0;
    if (codec_text_to_double(text, &seconds, NULL)) {
        if (!(seconds > -9.2e9 && seconds < 9.2e9))
            return diag_set(diag, ERR_INVALID, "%s: %.*s is out of range", name, SLICE_FMT(text));
        *out_ns = (int64_t)(seconds * 1e9);
        return 0;
    }
    if (!logql_duration_literal(text, out_ns))
        return diag_set(diag, ERR_INVALID, "cannot parse %s \"%.*s\" to a valid duration", name,
                        SLICE_FMT(slice_first(text, 60)));
    return 0;
}

int loki__param_partial(struct net_request *req, bool *out, struct diag *diag)
{
    struct slice text = net_request_param(req, "partial_response");
    if (!text.len)
        text = slice_trim(net_request_header(req, "x-pharos-partial-response"));
    *out = slice_eq_cstr(text, "true") || slice_eq_cstr(text, "1");
    if (text.len && !*out && !slice_eq_cstr(text, "false") && !slice_eq_cstr(text, "0"))
        return diag_set(diag, ERR_INVALID, "partial_response is true or false, not \"%.*s\"",
                        SLICE_FMT(slice_first(text, 60)));
    return 0;
}

int loki__param_count(struct net_request *req, const char *name, int64_t fallback, int64_t *out,
                      struct diag *diag)
{
    struct slice text = net_request_param(req, name);
    *out = fallback;
    if (!text.len)
        return 0;
    if (!codec_text_to_int(text, out))
        return diag_set(diag, ERR_INVALID, "%s: \"%.*s\" is no whole number", name,
                        SLICE_FMT(slice_first(text, 60)));
    if (*out < 0)
        return diag_set(diag, ERR_INVALID, "%s must be a positive value", name);
    return 0;
}
