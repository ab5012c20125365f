/* A trace by its id, as the frame that Grafana's view of traces draws. */
#include "api/grafana/ds_take.h"
#include "api/prometheus/encode.h"
#include "api/traces.h"
#include "codec/hex.h"

struct rows {
    const struct store_event_chunk *chunk;
    struct grafana_frame_writer f;
};

static const struct data_value *at(const struct data_value *column, size_t row)
{
    static const struct data_value none;
    return column ? &column[row] : &none;
}

static void put_texts(struct rows *r, uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(r->chunk, intrinsic);
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < r->chunk->count; i++) {
        struct buf text = {0};
        grafana__frame_next(&r->f);
        if (at(column, i)->kind == DATA_VALUE_BYTES)
            codec_append_hex(&text, at(column, i)->text);
        else
            data_value_print(*at(column, i), &text);
        codec_json_append_string(r->f.out, buf_slice(&text));
        buf_deinit(&text);
    }
    grafana__frame_column_end(&r->f);
}

static void put_services(struct rows *r)
{
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < r->chunk->count; i++) {
        grafana__frame_next(&r->f);
        struct slice name =
            data_labels_get(r->chunk->streams[r->chunk->stream[i]].labels, SLICE("service_name"));
        codec_json_append_string(r->f.out, name.ptr ? name : SLICE(""));
    }
    grafana__frame_column_end(&r->f);
}

/* Milliseconds with their fraction. */
static void put_times(struct rows *r, bool duration)
{
    const struct data_value *column = api__traces_column(r->chunk, DATA_EVENT_DURATION);
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < r->chunk->count; i++) {
        int64_t ns = !duration                               ? r->chunk->ts[i]
                     : at(column, i)->kind == DATA_VALUE_INT ? at(column, i)->i
                                                             : 0;
        grafana__frame_next(&r->f);
        api_put_number((double)ns / 1e6, r->f.out);
    }
    grafana__frame_column_end(&r->f);
}

static void put_kinds(struct rows *r)
{
    static const char *const names[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    const struct data_value *column = api__traces_column(r->chunk, DATA_EVENT_KIND);
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < r->chunk->count; i++) {
        const struct data_value *v = at(column, i);
        bool known = v->kind == DATA_VALUE_INT && v->i >= 0 && (size_t)v->i < ARRAY_LEN(names);
        grafana__frame_next(&r->f);
        buf_printf(r->f.out, "\"%s\"", names[known ? v->i : 0]);
    }
    grafana__frame_column_end(&r->f);
}

static void put_numbers(struct rows *r, uint32_t intrinsic)
{
    const struct data_value *column = api__traces_column(r->chunk, intrinsic);
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < r->chunk->count; i++) {
        grafana__frame_next(&r->f);
        buf_printf(r->f.out, "%lld",
                   (long long)(at(column, i)->kind == DATA_VALUE_INT ? at(column, i)->i : 0));
    }
    grafana__frame_column_end(&r->f);
}

static void put_tag(struct slice key, struct slice value, bool *any, struct buf *out)
{
    buf_append_cstr(out, *any ? ",{\"key\":" : "{\"key\":");
    codec_json_append_string(out, key);
    buf_append_cstr(out, ",\"value\":");
    codec_json_append_string(out, value);
    buf_append_char(out, '}');
    *any = true;
}

/* [{"key","value"}] of the span's attributes, or of its resource's. */
static void put_tags(struct rows *r, bool resource)
{
    const struct store_event_chunk *c = r->chunk;
    grafana__frame_column(&r->f);
    for (size_t i = 0; i < c->count; i++) {
        struct data_labels labels = c->streams[c->stream[i]].labels;
        bool any = false;
        grafana__frame_next(&r->f);
        buf_append_char(r->f.out, '[');
        for (size_t k = 0; resource && k < labels.count; k++)
            put_tag(api__trace_resource_key(labels.items[k].name), labels.items[k].value, &any,
                    r->f.out);
        for (size_t k = 0; k < c->column_count; k++) {
            const struct store_event_column *column = &c->columns[k];
            struct buf text = {0};
            if (column->scope != (resource ? DATA_SCOPE_RESOURCE : DATA_SCOPE_ATTRIBUTE) ||
                column->values[i].kind == DATA_VALUE_NULL)
                continue;
            data_value_print(column->values[i], &text);
            put_tag(column->name, buf_slice(&text), &any, r->f.out);
            buf_deinit(&text);
        }
        buf_append_char(r->f.out, ']');
    }
    grafana__frame_column_end(&r->f);
}

static void put_trace(const struct store_event_chunk *chunk, struct slice ref_id, struct buf *out)
{
    static const char *const texts[] = {"traceID",       "spanID",      "parentSpanID",
                                        "operationName", "serviceName", "kind"};
    struct rows r = {.chunk = chunk};
    grafana__frame_begin(&r.f, ref_id, "{\"preferredVisualisationType\":\"trace\"}", out);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        grafana__frame_field(&r.f, texts[i], "string", "string", NULL);
    grafana__frame_field(&r.f, "statusCode", "number", "int64", NULL);
    grafana__frame_field(&r.f, "statusMessage", "string", "string", NULL);
    grafana__frame_field(&r.f, "serviceTags", "other", "json.RawMessage", NULL);
    grafana__frame_field(&r.f, "startTime", "number", "float64", NULL);
    grafana__frame_field(&r.f, "duration", "number", "float64", NULL);
    grafana__frame_field(&r.f, "tags", "other", "json.RawMessage", NULL);
    grafana__frame_data(&r.f);
    put_texts(&r, DATA_EVENT_TRACE_ID);
    put_texts(&r, DATA_EVENT_SPAN_ID);
    put_texts(&r, DATA_EVENT_PARENT_ID);
    put_texts(&r, DATA_EVENT_NAME);
    put_services(&r);
    put_kinds(&r);
    put_numbers(&r, DATA_EVENT_STATUS);
    put_texts(&r, DATA_EVENT_STATUS_MESSAGE);
    put_tags(&r, true);
    put_times(&r, false);
    put_times(&r, true);
    put_tags(&r, false);
    grafana__frame_end(&r.f);
}

int grafana__trace_run(struct api_job *job, struct slice ref_id, struct slice id,
                       struct arena *arena, struct grafana_answer *out, struct diag *diag)
{
    struct store_event_chunk chunk = {0};
    struct buf frame = {0};
    char bytes[16];
    *out = (struct grafana_answer){.ref_id = ref_id, .frames = SLICE("")};
    if (!api__trace_id_read(id, bytes))
        return diag_set(diag, ERR_INVALID,
                        "a trace's id has 1 to 32 hexadecimal digits, here it is \"%.*s\"",
                        SLICE_FMT(slice_first(id, 64)));
    if (!job->api->spans)
        return diag_set(diag, ERR_UNSUPPORTED, "this Pharos has no store for traces");
    struct slice wanted = slice_make(bytes, sizeof(bytes));
    int err = api__traces_load(job, &wanted, 1, &chunk, diag);
    if (!err && !chunk.count)
        err = diag_set(diag, ERR_NOT_FOUND, "there is no trace %.*s", SLICE_FMT(id));
    if (!err) {
        put_trace(&chunk, ref_id, &frame);
        out->frames = arena_slice(arena, buf_slice(&frame));
        if (!out->frames.ptr)
            err = diag_set(diag, ERR_NOMEM, "the trace is larger than limits.query.memory");
    }
    buf_deinit(&frame);
    store_event_chunk_free(&chunk);
    return err;
}
