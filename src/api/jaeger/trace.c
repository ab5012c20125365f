/* A trace in the JSON of Jaeger's older API: times in microseconds, resources as processes. */
#include "api/jaeger/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"

struct trace {
    const struct store_event_chunk *c;
    struct buf *out;
    VEC(struct slice) processes; /* JSON of each */
};

static struct data_value value_of(const struct trace *t, size_t row, uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(t->c, intrinsic);
    return column ? column[row] : (struct data_value){0};
}

static void put_hex(struct data_value v, struct buf *out)
{
    buf_append_char(out, '"');
    if (v.kind == DATA_VALUE_BYTES)
        codec_append_hex(out, v.text);
    buf_append_char(out, '"');
}

static void put_tag(struct slice key, struct data_value v, bool *more, struct buf *out)
{
    struct buf text = {0};
    const char *type = v.kind == DATA_VALUE_INT      ? "int64"
                       : v.kind == DATA_VALUE_DOUBLE ? "float64"
                       : v.kind == DATA_VALUE_BOOL   ? "bool"
                       : v.kind == DATA_VALUE_BYTES  ? "binary"
                                                     : "string";
    buf_append_cstr(out, *more ? ",{\"key\":" : "{\"key\":");
    codec_json_append_string(out, key);
    buf_printf(out, ",\"type\":\"%s\",\"value\":", type);
    data_value_print(v, &text);
    bool finite = v.kind != DATA_VALUE_DOUBLE || v.d - v.d == 0;
    if ((v.kind == DATA_VALUE_INT || v.kind == DATA_VALUE_DOUBLE || v.kind == DATA_VALUE_BOOL) &&
        finite)
        buf_append_slice(out, buf_slice(&text));
    else
        codec_json_append_string(out, buf_slice(&text));
    buf_append_char(out, '}');
    buf_deinit(&text);
    *more = true;
}

static void put_scope(const struct trace *t, size_t row, enum data_event_scope scope, bool *more,
                      struct buf *out)
{
    for (size_t i = 0; i < t->c->column_count; i++) {
        const struct store_event_column *col = &t->c->columns[i];
        if (col->scope == scope && col->values[row].kind != DATA_VALUE_NULL)
            put_tag(col->name, col->values[row], more, out);
    }
}

/* The number of the row's process, from 1. */
static size_t process_of(struct trace *t, size_t row)
{
    struct data_labels labels = t->c->streams[t->c->stream[row]].labels;
    struct buf json = {0};
    bool more = false;
    size_t i = 0;
    buf_append_cstr(&json, "{\"serviceName\":");
    codec_json_append_string(&json, data_labels_get(labels, SLICE("service_name")));
    buf_append_cstr(&json, ",\"tags\":[");
    for (size_t k = 0; k < labels.count; k++) {
        if (!slice_eq_cstr(labels.items[k].name, "service_name"))
            put_tag(api__trace_resource_key(labels.items[k].name),
                    data_value_string(labels.items[k].value), &more, &json);
    }
    put_scope(t, row, DATA_SCOPE_RESOURCE, &more, &json);
    buf_append_cstr(&json, "]}");
    while (i < t->processes.len && !slice_eq(t->processes.items[i], buf_slice(&json)))
        i++;
    if (i == t->processes.len) {
        size_t len;
        char *owned = buf_take(&json, &len);
        vec_push(&t->processes, slice_make(owned, len));
    }
    buf_deinit(&json);
    return i + 1;
}

static void put_tags(const struct trace *t, size_t row)
{
    static const char *const kinds[] = {NULL,     "internal", "server",
                                        "client", "producer", "consumer"};
    struct data_value kind = value_of(t, row, DATA_EVENT_KIND),
                      status = value_of(t, row, DATA_EVENT_STATUS),
                      message = value_of(t, row, DATA_EVENT_STATUS_MESSAGE),
                      scope = value_of(t, row, DATA_EVENT_SCOPE_NAME),
                      version = value_of(t, row, DATA_EVENT_SCOPE_VERSION);
    bool more = false;
    buf_append_cstr(t->out, ",\"tags\":[");
    put_scope(t, row, DATA_SCOPE_ATTRIBUTE, &more, t->out);
    if (scope.kind)
        put_tag(SLICE("otel.scope.name"), scope, &more, t->out);
    if (version.kind)
        put_tag(SLICE("otel.scope.version"), version, &more, t->out);
    put_scope(t, row, DATA_SCOPE_SCOPE, &more, t->out);
    if (kind.kind == DATA_VALUE_INT && kind.i > 0 && kind.i < 6)
        put_tag(SLICE("span.kind"), data_value_string(slice_cstr(kinds[kind.i])), &more, t->out);
    if (status.kind == DATA_VALUE_INT && status.i) {
        put_tag(SLICE("otel.status_code"),
                data_value_string(slice_cstr(status.i == 2 ? "ERROR" : "OK")), &more, t->out);
        if (status.i == 2)
            put_tag(SLICE("error"), data_value_bool(true), &more, t->out);
    }
    if (message.kind == DATA_VALUE_STRING && message.text.len)
        put_tag(SLICE("otel.status_description"), message, &more, t->out);
    buf_append_char(t->out, ']');
}

static void put_reference(const char *type, struct data_value trace, struct data_value span,
                          bool *more, struct buf *out)
{
    buf_printf(out, "%s{\"refType\":\"%s\",\"traceID\":", *more ? "," : "", type);
    put_hex(trace, out);
    buf_append_cstr(out, ",\"spanID\":");
    put_hex(span, out);
    buf_append_char(out, '}');
    *more = true;
}

static void put_references(const struct trace *t, size_t row)
{
    const struct store_event_children *all = t->c->children ? &t->c->children[row] : NULL;
    struct data_value parent = value_of(t, row, DATA_EVENT_PARENT_ID);
    bool more = false;
    buf_append_cstr(t->out, ",\"references\":[");
    if (parent.kind == DATA_VALUE_BYTES)
        put_reference("CHILD_OF", value_of(t, row, DATA_EVENT_TRACE_ID), parent, &more, t->out);
    for (size_t i = 0; all && i < all->count; i++) {
        const struct data_event_child *c = &all->items[i];
        if (c->kind == DATA_CHILD_LINK)
            put_reference("FOLLOWS_FROM", data_value_bytes(c->trace_id),
                          data_value_bytes(c->span_id), &more, t->out);
    }
    buf_append_char(t->out, ']');
}

static void put_logs(const struct trace *t, size_t row)
{
    const struct store_event_children *all = t->c->children ? &t->c->children[row] : NULL;
    bool more = false;
    buf_append_cstr(t->out, ",\"logs\":[");
    for (size_t i = 0; all && i < all->count; i++) {
        const struct data_event_child *c = &all->items[i];
        bool fields = false;
        if (c->kind != DATA_CHILD_EVENT)
            continue;
        buf_printf(t->out, "%s{\"timestamp\":%lld,\"fields\":[", more ? "," : "",
                   (long long)(c->ts_ns / 1000));
        if (c->name.len)
            put_tag(SLICE("event"), data_value_string(c->name), &fields, t->out);
        for (uint32_t k = 0; k < c->count; k++) {
            const struct data_event_attr *a = &all->attrs[c->first + k];
            put_tag(all->names[a->field], a->value, &fields, t->out);
        }
        buf_append_cstr(t->out, "]}");
        more = true;
    }
    buf_append_char(t->out, ']');
}

static void put_span(struct trace *t, size_t row)
{
    struct buf *out = t->out;
    struct data_value name = value_of(t, row, DATA_EVENT_NAME),
                      duration = value_of(t, row, DATA_EVENT_DURATION),
                      flags = value_of(t, row, DATA_EVENT_FLAGS);
    buf_append_cstr(out, "{\"traceID\":");
    put_hex(value_of(t, row, DATA_EVENT_TRACE_ID), out);
    buf_append_cstr(out, ",\"spanID\":");
    put_hex(value_of(t, row, DATA_EVENT_SPAN_ID), out);
    if (flags.kind == DATA_VALUE_INT)
        buf_printf(out, ",\"flags\":%u", (unsigned)(flags.i & 0xff));
    buf_append_cstr(out, ",\"operationName\":");
    codec_json_append_string(out, name.kind == DATA_VALUE_STRING ? name.text : SLICE(""));
    put_references(t, row);
    buf_printf(out, ",\"startTime\":%lld,\"duration\":%lld", (long long)(t->c->ts[row] / 1000),
               duration.kind == DATA_VALUE_INT ? (long long)(duration.i / 1000) : 0LL);
    put_tags(t, row);
    put_logs(t, row);
    buf_printf(out, ",\"processID\":\"p%zu\",\"warnings\":null}", process_of(t, row));
}

void jaeger__put_trace(const struct store_event_chunk *c, size_t first, size_t end, struct buf *out)
{
    struct trace t = {.c = c, .out = out};
    buf_append_cstr(out, "{\"traceID\":");
    put_hex(value_of(&t, first, DATA_EVENT_TRACE_ID), out);
    buf_append_cstr(out, ",\"spans\":[");
    for (size_t i = first; i < end; i++) {
        buf_append_cstr(out, i > first ? "," : "");
        put_span(&t, i);
    }
    buf_append_cstr(out, "],\"processes\":{");
    for (size_t i = 0; i < t.processes.len; i++) {
        buf_printf(out, "%s\"p%zu\":", i ? "," : "", i + 1);
        buf_append_slice(out, t.processes.items[i]);
        mem_free((void *)t.processes.items[i].ptr);
    }
    buf_append_cstr(out, "},\"warnings\":null}");
    vec_free(&t.processes);
}
