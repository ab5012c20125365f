/* A trace in the JSON of Jaeger's older API: times in microseconds, resources as processes. */
#include "api/jaeger/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"

struct trace {
    const struct store_event_chunk *c;
    struct buf *out;
    VEC(struct slice) processes; /* JSON of each */
};

static void put_hex(struct data_value v, struct buf *out)
{
    buf_append_char(out, '"');
    if (v.kind == DATA_VALUE_BYTES)
        codec_append_hex(out, v.text);
    buf_append_char(out, '"');
}

/* A list of tags being written. */
struct list {
    struct buf *out;
    bool more;
};

static void put_tag(void *ctx, struct slice key, struct data_value v)
{
    struct list *l = ctx;
    struct buf text = {0};
    const char *type = v.kind == DATA_VALUE_INT      ? "int64"
                       : v.kind == DATA_VALUE_DOUBLE ? "float64"
                       : v.kind == DATA_VALUE_BOOL   ? "bool"
                       : v.kind == DATA_VALUE_BYTES  ? "binary"
                                                     : "string";
    buf_append_cstr(l->out, l->more ? ",{\"key\":" : "{\"key\":");
    codec_json_append_string(l->out, key);
    buf_printf(l->out, ",\"type\":\"%s\",\"value\":", type);
    data_value_print(v, &text);
    bool finite = v.kind != DATA_VALUE_DOUBLE || v.d - v.d == 0;
    if ((v.kind == DATA_VALUE_INT || v.kind == DATA_VALUE_DOUBLE || v.kind == DATA_VALUE_BOOL) &&
        finite)
        buf_append_slice(l->out, buf_slice(&text));
    else
        codec_json_append_string(l->out, buf_slice(&text));
    buf_append_char(l->out, '}');
    buf_deinit(&text);
    l->more = true;
}

static struct data_value column_value(const struct store_event_chunk *c, size_t row,
                                      uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(c, intrinsic);
    return column ? column[row] : (struct data_value){0};
}

static void each_of_scope(const struct store_event_chunk *c, size_t row,
                          enum data_event_scope scope, jaeger__tag_fn fn, void *ctx)
{
    for (size_t i = 0; i < c->column_count; i++) {
        const struct store_event_column *col = &c->columns[i];
        if (col->scope == scope && col->values[row].kind != DATA_VALUE_NULL)
            fn(ctx, col->name, col->values[row]);
    }
}

void jaeger__process_tags(const struct store_event_chunk *c, size_t row, jaeger__tag_fn fn,
                          void *ctx)
{
    struct data_labels labels = c->streams[c->stream[row]].labels;
    for (size_t k = 0; k < labels.count; k++) {
        if (!slice_eq_cstr(labels.items[k].name, "service_name"))
            fn(ctx, api__trace_resource_key(labels.items[k].name),
               data_value_string(labels.items[k].value));
    }
    each_of_scope(c, row, DATA_SCOPE_RESOURCE, fn, ctx);
}

void jaeger__span_tags(const struct store_event_chunk *c, size_t row, jaeger__tag_fn fn, void *ctx)
{
    static const char *const kinds[] = {NULL,     "internal", "server",
                                        "client", "producer", "consumer"};
    struct data_value kind = column_value(c, row, DATA_EVENT_KIND),
                      status = column_value(c, row, DATA_EVENT_STATUS),
                      message = column_value(c, row, DATA_EVENT_STATUS_MESSAGE),
                      scope = column_value(c, row, DATA_EVENT_SCOPE_NAME),
                      version = column_value(c, row, DATA_EVENT_SCOPE_VERSION);
    each_of_scope(c, row, DATA_SCOPE_ATTRIBUTE, fn, ctx);
    if (scope.kind)
        fn(ctx, SLICE("otel.scope.name"), scope);
    if (version.kind)
        fn(ctx, SLICE("otel.scope.version"), version);
    each_of_scope(c, row, DATA_SCOPE_SCOPE, fn, ctx);
    if (kind.kind == DATA_VALUE_INT && kind.i > 0 && kind.i < 6)
        fn(ctx, SLICE("span.kind"), data_value_string(slice_cstr(kinds[kind.i])));
    if (status.kind == DATA_VALUE_INT && status.i) {
        fn(ctx, SLICE("otel.status_code"),
           data_value_string(slice_cstr(status.i == 2 ? "ERROR" : "OK")));
        if (status.i == 2)
            fn(ctx, SLICE("error"), data_value_bool(true));
    }
    if (message.kind == DATA_VALUE_STRING && message.text.len)
        fn(ctx, SLICE("otel.status_description"), message);
}

void jaeger__log_fields(const struct store_event_children *all,
                        const struct data_event_child *event, jaeger__tag_fn fn, void *ctx)
{
    if (event->name.len)
        fn(ctx, SLICE("event"), data_value_string(event->name));
    for (uint32_t k = 0; k < event->count; k++) {
        const struct data_event_attr *a = &all->attrs[event->first + k];
        fn(ctx, all->names[a->field], a->value);
    }
}

/* The number of the row's process, from 1. */
static size_t process_of(struct trace *t, size_t row)
{
    struct data_labels labels = t->c->streams[t->c->stream[row]].labels;
    struct buf json = {0};
    struct list tags = {&json, false};
    size_t i = 0;
    buf_append_cstr(&json, "{\"serviceName\":");
    codec_json_append_string(&json, data_labels_get(labels, SLICE("service_name")));
    buf_append_cstr(&json, ",\"tags\":[");
    jaeger__process_tags(t->c, row, put_tag, &tags);
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
    struct list tags = {t->out, false};
    buf_append_cstr(t->out, ",\"tags\":[");
    jaeger__span_tags(t->c, row, put_tag, &tags);
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
    struct data_value parent = column_value(t->c, row, DATA_EVENT_PARENT_ID);
    bool more = false;
    buf_append_cstr(t->out, ",\"references\":[");
    if (parent.kind == DATA_VALUE_BYTES)
        put_reference("CHILD_OF", column_value(t->c, row, DATA_EVENT_TRACE_ID), parent, &more,
                      t->out);
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
        struct list fields = {t->out, false};
        if (c->kind != DATA_CHILD_EVENT)
            continue;
        buf_printf(t->out, "%s{\"timestamp\":%lld,\"fields\":[", more ? "," : "",
                   (long long)(c->ts_ns / 1000));
        jaeger__log_fields(all, c, put_tag, &fields);
        buf_append_cstr(t->out, "]}");
        more = true;
    }
    buf_append_char(t->out, ']');
}

static void put_span(struct trace *t, size_t row)
{
    struct buf *out = t->out;
    struct data_value name = column_value(t->c, row, DATA_EVENT_NAME),
                      duration = column_value(t->c, row, DATA_EVENT_DURATION),
                      flags = column_value(t->c, row, DATA_EVENT_FLAGS);
    buf_append_cstr(out, "{\"traceID\":");
    put_hex(column_value(t->c, row, DATA_EVENT_TRACE_ID), out);
    buf_append_cstr(out, ",\"spanID\":");
    put_hex(column_value(t->c, row, DATA_EVENT_SPAN_ID), out);
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
    put_hex(column_value(t.c, first, DATA_EVENT_TRACE_ID), out);
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
