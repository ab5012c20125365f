#include "api/grpc_rest.h"

#include "codec/hex.h"
#include "codec/json_write.h"
#include "codec/pb.h"
#include "text/duration.h"
#include "text/go_string.h"

#define REQUEST_BYTES_MAX ((size_t)256 << 10)
#define MESSAGE_BYTES     ((size_t)1 << 20) /* of a stream: a longer answer is more than one */

/* --- the request --- */

static int64_t seconds_nanos(struct slice message, bool *ok)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    int64_t seconds = 0, nanos = 0, ns;
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_VARINT)
            seconds = (int64_t)f.num;
        else if (f.number == 2 && f.wire == CODEC_PB_VARINT)
            nanos = (int32_t)f.num;
    }
    *ok &= !r.failed;
    if (__builtin_mul_overflow(seconds, NS_PER_SEC, &ns) || __builtin_add_overflow(ns, nanos, &ns))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static bool read_entry(struct slice message, struct slice *key, struct slice *value)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    *key = *value = SLICE("");
    while (codec_pb_next(&r, &f)) {
        if (f.number == 1 && f.wire == CODEC_PB_BYTES)
            *key = f.bytes;
        else if (f.number == 2 && f.wire == CODEC_PB_BYTES)
            *value = f.bytes;
    }
    return !r.failed;
}

/* All entries of a map into one parameter. */
static bool take_map(struct api_call *call, struct slice message, const struct api__grpc_param *p)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    struct slice key, value;
    struct buf text = {0};
    size_t n = 0;
    bool ok = true;
    while (ok && codec_pb_next(&r, &f)) {
        if (f.number != p->number || f.wire != CODEC_PB_BYTES)
            continue;
        ok = read_entry(f.bytes, &key, &value);
        if (p->kind == API__GRPC_LOGFMT) {
            buf_append_cstr(&text, n++ ? " " : "");
            buf_append_slice(&text, key);
            buf_append_char(&text, '=');
            text_go_quote(value, &text);
        } else {
            buf_append_cstr(&text, n++ ? "," : "{");
            codec_json_append_string(&text, key);
            buf_append_char(&text, ':');
            codec_json_append_string(&text, value);
        }
    }
    if (n && p->kind == API__GRPC_JSON)
        buf_append_char(&text, '}');
    if (n)
        net_request_param_add(call->req, p->name, buf_slice(&text));
    buf_deinit(&text);
    return ok && !r.failed;
}

static bool take_params(struct api_call *call, struct slice message,
                        const struct api__grpc_param *params);

static bool take_param(struct api_call *call, const struct codec_pb_field *f,
                       const struct api__grpc_param *p)
{
    bool ok = true, is_bytes = f->wire == CODEC_PB_BYTES;
    struct buf text = {0};
    switch (p->kind) {
    case API__GRPC_TEXT: ok = is_bytes; break;
    case API__GRPC_HEX:
        if ((ok = is_bytes))
            codec_append_hex(&text, f->bytes);
        break;
    case API__GRPC_NUMBER:
    case API__GRPC_MS:
    case API__GRPC_NS:
        if ((ok = !is_bytes) && f->num)
            buf_printf(&text, "%llu%s", (unsigned long long)f->num,
                       p->kind == API__GRPC_MS   ? "ms"
                       : p->kind == API__GRPC_NS ? "ns"
                                                 : "");
        break;
    case API__GRPC_TIMESTAMP: /* some clients send the year 1 for none */
        if ((ok = is_bytes)) {
            int64_t ns = seconds_nanos(f->bytes, &ok);
            if (ns > 0)
                text_time_print(ns, &text);
        }
        break;
    case API__GRPC_DURATION:
        if ((ok = is_bytes)) {
            int64_t ns = seconds_nanos(f->bytes, &ok);
            if (ns)
                buf_printf(&text, "%lldns", (long long)ns);
        }
        break;
    case API__GRPC_MESSAGE: return is_bytes && take_params(call, f->bytes, p->sub);
    case API__GRPC_LOGFMT:
    case API__GRPC_JSON: return true; /* take_map */
    }
    struct slice value = p->kind == API__GRPC_TEXT && ok ? f->bytes : buf_slice(&text);
    if (ok && p->name[0] == '/') {
        call->args[0] = arena_slice(net_request_arena(call->req), value);
        call->arg_count = 1;
    } else if (ok && value.len) {
        net_request_param_add(call->req, p->name, value);
    }
    buf_deinit(&text);
    return ok;
}

static bool take_params(struct api_call *call, struct slice message,
                        const struct api__grpc_param *params)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    bool ok = true;
    while (ok && codec_pb_next(&r, &f)) {
        for (const struct api__grpc_param *p = params; ok && p->number; p++) {
            if (p->number == f.number)
                ok = take_param(call, &f, p);
        }
    }
    for (const struct api__grpc_param *p = params; ok && p->number; p++) {
        if (p->kind == API__GRPC_LOGFMT || p->kind == API__GRPC_JSON)
            ok = take_map(call, message, p);
    }
    return ok && !r.failed;
}

void api__grpc_rest(struct net_grpc_call *grpc, void *ctx)
{
    static const struct api__grpc_param none[] = {{0}};
    struct api_mount *mount = ctx;
    struct net_request *req = net_grpc_request(grpc);
    const struct api_door *door;
    const struct api__grpc_rest *row = api__grpc_rest_find(net_request_path(req), &door);
    struct slice message;
    struct diag diag;
    diag_init(&diag);
    if (net_request_body(req).len > REQUEST_BYTES_MAX) {
        net_grpc_fail(grpc, NET_GRPC_INVALID_ARGUMENT, "a query has at most %zu bytes",
                      REQUEST_BYTES_MAX);
        return;
    }
    int err = net_grpc_message(grpc, &message, &diag);
    if (err) {
        net_grpc_fail(grpc, net_grpc_status_of(err), "%s", diag.msg);
        return;
    }
    struct api_call *call = ARENA_NEW(net_request_arena(req), struct api_call);
    *call =
        (struct api_call){.api = mount->api, .door = door, .req = req, .grpc = grpc, .rest = row};
    call->args[0] = SLICE("");
    if (take_params(call, message, row->params ? row->params : none))
        row->handler(call);
    else
        net_grpc_fail(grpc, NET_GRPC_INVALID_ARGUMENT, "the request's message is damaged");
}

/* --- the answer --- */

void api__grpc_rest_convert(struct api_job *job)
{
    struct arena *arena = arena_new(0, NULL);
    struct diag diag;
    struct buf message = {0};
    diag_init(&diag);
    struct codec_json_reader r = codec_json_reader(buf_slice(&job->out), arena, &diag);
    r.utf8 = CODEC_JSON_UTF8_REPLACE;
    codec_proto_from_json(job->rest->answer, &r, &message);
    int err = codec_json_read_end(&r);
    buf_deinit(&job->out);
    job->out = message;
    if (err)
        api_job_error(job, API_INTERNAL, "the answer cannot be written as protobuf: %s", diag.msg);
    arena_free(arena);
}

static enum net_grpc_status status_of(int http)
{
    switch (http) {
    case 400:
    case 422: return NET_GRPC_INVALID_ARGUMENT;
    case 404: return NET_GRPC_NOT_FOUND;
    case 413: return NET_GRPC_RESOURCE_EXHAUSTED;
    case 429:
    case 503: return NET_GRPC_UNAVAILABLE;
    case 499: return NET_GRPC_CANCELLED;
    case 501: return NET_GRPC_UNIMPLEMENTED;
    case 504: return NET_GRPC_DEADLINE_EXCEEDED;
    default: return NET_GRPC_INTERNAL;
    }
}

/* Messages of streams that are too long for their readers go in pieces, which mean the same added
 * up: cut between the fields of its outermost level. */
static bool send_pieces(struct net_grpc_call *call, struct slice message)
{
    struct codec_pb_reader r = codec_pb_reader(message);
    struct codec_pb_field f;
    const char *from = message.ptr, *end = message.ptr;
    bool room = true;
    while (codec_pb_next(&r, &f)) {
        if ((size_t)(r.rest.ptr - from) > MESSAGE_BYTES && end > from) {
            room = net_grpc_send(call, slice_make(from, (size_t)(end - from)));
            from = end;
        }
        end = r.rest.ptr;
    }
    return net_grpc_send(call, slice_make(from, (size_t)(end - from))) && room;
}

bool api__grpc_rest_deliver(struct api_job *job)
{
    struct slice out = buf_slice(&job->out);
    bool room = true;
    if (job->status) {
        out = slice_trim(out);
        net_grpc_fail(job->grpc, status_of(job->status), "%.*s", SLICE_FMT(out));
    } else if (!job->rest->stream) {
        net_grpc_reply(job->grpc, out);
    } else {
        if (out.len || job->rest->answer)
            room = send_pieces(job->grpc, out);
        if (job->last)
            net_grpc_end(job->grpc, job->cancelled ? NET_GRPC_CANCELLED : NET_GRPC_OK, SLICE(""));
    }
    buf_clear(&job->out);
    return room;
}
