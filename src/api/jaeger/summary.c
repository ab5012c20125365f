/* What a list of traces shows of each: version 3's trace-summaries. */
#include <stdlib.h>

#include "api/jaeger/door_priv.h"
#include "codec/hex.h"
#include "codec/json_write.h"

struct service {
    struct slice name;
    size_t spans, errors;
};

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct service *)a)->name, ((const struct service *)b)->name);
}

static bool is_error(const struct data_value *status, size_t row)
{
    return status && status[row].kind == DATA_VALUE_INT && status[row].i == 2;
}

void jaeger__put_summary(const struct store_event_chunk *c, size_t first, size_t end,
                         struct buf *out)
{
    const struct data_value *status = api__traces_column(c, DATA_EVENT_STATUS),
                            *parent = api__traces_column(c, DATA_EVENT_PARENT_ID),
                            *name = api__traces_column(c, DATA_EVENT_NAME),
                            *id = api__traces_column(c, DATA_EVENT_TRACE_ID),
                            *duration = api__traces_column(c, DATA_EVENT_DURATION);
    VEC(struct service) services = {0};
    int64_t min_ns = INT64_MAX, max_ns = INT64_MIN;
    size_t errors = 0, orphans = 0, root = end;
    for (size_t row = first; row < end; row++) {
        struct slice service =
            data_labels_get(c->streams[c->stream[row]].labels, SLICE("service_name"));
        bool has_parent = parent && parent[row].kind == DATA_VALUE_BYTES;
        int64_t stop = c->ts[row];
        if (duration && duration[row].kind == DATA_VALUE_INT &&
            __builtin_add_overflow(stop, duration[row].i, &stop))
            stop = INT64_MAX;
        min_ns = MIN(min_ns, c->ts[row]);
        max_ns = MAX(max_ns, stop);
        orphans += has_parent && !c->depth[row];
        if (root == end && !has_parent)
            root = row;
        size_t at = 0;
        while (at < services.len && !slice_eq(services.items[at].name, service))
            at++;
        if (at == services.len)
            vec_push(&services, ((struct service){.name = service}));
        services.items[at].spans++;
        services.items[at].errors += is_error(status, row);
        errors += is_error(status, row);
    }
    if (services.len)
        qsort(services.items, services.len, sizeof(*services.items), by_name);
    buf_append_cstr(out, "{\"traceId\":\"");
    codec_append_hex(out, id[first].text);
    buf_append_cstr(out, "\",\"rootServiceName\":");
    codec_json_append_string(out, root == end ? SLICE("")
                                              : data_labels_get(c->streams[c->stream[root]].labels,
                                                                SLICE("service_name")));
    buf_append_cstr(out, ",\"rootOperationName\":");
    codec_json_append_string(out, root < end && name && name[root].kind == DATA_VALUE_STRING
                                      ? name[root].text
                                      : SLICE(""));
    buf_printf(out,
               ",\"minStartTimeUnixNano\":\"%lld\",\"maxEndTimeUnixNano\":\"%lld\","
               "\"spanCount\":%zu,\"errorSpanCount\":%zu,\"orphanSpanCount\":%zu,\"services\":[",
               (long long)min_ns, (long long)max_ns, end - first, errors, orphans);
    for (size_t i = 0; i < services.len; i++) {
        buf_append_cstr(out, i ? ",{\"name\":" : "{\"name\":");
        codec_json_append_string(out, services.items[i].name);
        buf_printf(out, ",\"spanCount\":%zu,\"errorSpanCount\":%zu}", services.items[i].spans,
                   services.items[i].errors);
    }
    buf_append_cstr(out, "]}");
    vec_free(&services);
}
