/* A span as Zipkin has it: times in microseconds, every value a text. */
#include "api/zipkin/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"

struct row {
    const struct store_event_chunk *c;
    size_t at;
    struct buf *out;
    struct slice peer_service, peer_ip, local_ip;
    int64_t peer_port, local_port;
    bool shared, debug;
};

static struct data_value value_of(const struct row *r, uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(r->c, intrinsic);
    return column ? column[r->at] : (struct data_value){0};
}

static void put_id(const struct row *r, const char *key, uint32_t intrinsic)
{
    struct data_value v = value_of(r, intrinsic);
    if (v.kind != DATA_VALUE_BYTES)
        return;
    buf_printf(r->out, "%s\"%s\":\"", r->out->ptr[r->out->len - 1] == '{' ? "" : ",", key);
    codec_append_hex(r->out, v.text);
    buf_append_char(r->out, '"');
}

static void put_endpoint(const char *key, struct slice service, struct slice ip, int64_t port,
                         struct buf *out)
{
    bool more = service.len > 0;
    if (!service.len && !ip.len)
        return;
    buf_printf(out, ",\"%s\":{", key);
    if (service.len) {
        buf_append_cstr(out, "\"serviceName\":");
        codec_json_append_string(out, service);
    }
    if (ip.len) {
        buf_printf(out, "%s\"%s\":", more ? "," : "",
                   slice_find_char(ip, ':') >= 0 ? "ipv6" : "ipv4");
        codec_json_append_string(out, ip);
        more = true;
    }
    if (port)
        buf_printf(out, "%s\"port\":%lld", more ? "," : "", (long long)port);
    buf_append_char(out, '}');
}

/* Fields that stand elsewhere than among the tags. */
static bool take_special(struct row *r, struct slice name, struct data_value v)
{
    struct slice *text = slice_eq_cstr(name, "peer.service")            ? &r->peer_service
                         : slice_eq_cstr(name, "network.peer.address")  ? &r->peer_ip
                         : slice_eq_cstr(name, "network.local.address") ? &r->local_ip
                                                                        : NULL;
    int64_t *number = slice_eq_cstr(name, "network.peer.port")    ? &r->peer_port
                      : slice_eq_cstr(name, "network.local.port") ? &r->local_port
                                                                  : NULL;
    bool *flag = slice_eq_cstr(name, "zipkin.shared")  ? &r->shared
                 : slice_eq_cstr(name, "zipkin.debug") ? &r->debug
                                                       : NULL;
    if (text && v.kind == DATA_VALUE_STRING)
        *text = v.text;
    else if (number && v.kind == DATA_VALUE_INT)
        *number = v.i;
    else if (flag && v.kind == DATA_VALUE_BOOL)
        *flag = v.i != 0;
    else
        return false;
    return true;
}

static void put_tag(struct row *r, bool *more, struct slice name, struct data_value v)
{
    struct buf text = {0};
    data_value_print(v, &text);
    buf_append_cstr(r->out, *more ? "," : ",\"tags\":{");
    codec_json_append_string(r->out, name);
    buf_append_char(r->out, ':');
    codec_json_append_string(r->out, buf_slice(&text));
    buf_deinit(&text);
    *more = true;
}

static void put_tags(struct row *r)
{
    struct data_value status = value_of(r, DATA_EVENT_STATUS),
                      message = value_of(r, DATA_EVENT_STATUS_MESSAGE);
    bool more = false, error = false;
    for (size_t i = 0; i < r->c->column_count; i++) {
        const struct store_event_column *col = &r->c->columns[i];
        struct data_value v = col->values[r->at];
        if (v.kind == DATA_VALUE_NULL ||
            (col->scope != DATA_SCOPE_ATTRIBUTE && col->scope != DATA_SCOPE_RESOURCE) ||
            (col->scope == DATA_SCOPE_ATTRIBUTE && take_special(r, col->name, v)))
            continue;
        error |= slice_eq_cstr(col->name, "error");
        put_tag(r, &more, col->name, v);
    }
    if (!error && status.kind == DATA_VALUE_INT && status.i == 2)
        put_tag(r, &more, SLICE("error"),
                message.kind == DATA_VALUE_STRING && message.text.len
                    ? message
                    : data_value_string(SLICE("true")));
    if (more)
        buf_append_char(r->out, '}');
}

static void put_annotations(const struct row *r)
{
    const struct store_event_children *all = r->c->children ? &r->c->children[r->at] : NULL;
    bool more = false;
    for (size_t i = 0; all && i < all->count; i++) {
        if (all->items[i].kind != DATA_CHILD_EVENT)
            continue;
        buf_printf(r->out, "%s{\"timestamp\":%lld,\"value\":", more ? "," : ",\"annotations\":[",
                   (long long)(all->items[i].ts_ns / 1000));
        codec_json_append_string(r->out, all->items[i].name);
        buf_append_char(r->out, '}');
        more = true;
    }
    if (more)
        buf_append_char(r->out, ']');
}

void zipkin__put_span(const struct store_event_chunk *c, size_t row, struct buf *out)
{
    static const char *const kinds[] = {NULL, NULL, "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    struct row r = {.c = c, .at = row, .out = out};
    struct data_value kind = value_of(&r, DATA_EVENT_KIND), name = value_of(&r, DATA_EVENT_NAME),
                      duration = value_of(&r, DATA_EVENT_DURATION);
    buf_append_char(out, '{');
    put_id(&r, "traceId", DATA_EVENT_TRACE_ID);
    put_id(&r, "parentId", DATA_EVENT_PARENT_ID);
    put_id(&r, "id", DATA_EVENT_SPAN_ID);
    if (kind.kind == DATA_VALUE_INT && kind.i >= 2 && kind.i <= 5)
        buf_printf(out, ",\"kind\":\"%s\"", kinds[kind.i]);
    if (name.kind == DATA_VALUE_STRING && name.text.len) {
        buf_append_cstr(out, ",\"name\":");
        codec_json_append_string(out, name.text);
    }
    buf_printf(out, ",\"timestamp\":%lld", (long long)(c->ts[row] / 1000));
    if (duration.kind == DATA_VALUE_INT) /* 0 would mean unknown */
        buf_printf(out, ",\"duration\":%lld", (long long)MAX(duration.i / 1000, 1));
    put_tags(&r);
    put_endpoint("localEndpoint",
                 data_labels_get(c->streams[c->stream[row]].labels, SLICE("service_name")),
                 r.local_ip, r.local_port, out);
    put_endpoint("remoteEndpoint", r.peer_service, r.peer_ip, r.peer_port, out);
    put_annotations(&r);
    if (r.debug)
        buf_append_cstr(out, ",\"debug\":true");
    if (r.shared)
        buf_append_cstr(out, ",\"shared\":true");
    buf_append_char(out, '}');
}

void zipkin__put_trace(const struct store_event_chunk *c, size_t first, size_t end, struct buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = first; i < end; i++) {
        buf_append_cstr(out, i > first ? "," : "");
        zipkin__put_span(c, i, out);
    }
    buf_append_char(out, ']');
}
