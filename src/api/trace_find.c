/* Finding traces and what is in them, by TraceQL, for the doors of other systems. */
#include <stdlib.h>

#include "api/traces.h"
#include "base/map.h"
#include "codec/json_write.h"
#include "codec/number.h"
#include "lang/traceql/run.h"
#include "text/go_string.h"

#define VALUES_MAX          10000
#define DEPENDENCIES_TRACES 10000 /* the newest ones */
#define DEPENDENCIES_BATCH  256

static void env_of(struct api_job *job, struct traceql_env *out)
{
    *out = (struct traceql_env){.source = job->api->spans,
                                .tenant = job->tenant,
                                .limits = api__traces_limits(job),
                                .pool = job->api->pool};
}

int api__traces_find(struct api_job *job, struct slice traceql, int64_t start_ns, int64_t end_ns,
                     size_t limit, struct slice **out_ids, size_t *out_count, struct diag *diag)
{
    const struct traceql_search search = {
        .start_ns = start_ns, .end_ns = end_ns, .limit = limit, .spans = 0};
    struct traceql_query *q;
    struct traceql_result found = {0};
    struct traceql_env env;
    env_of(job, &env);
    *out_count = 0;
    int err = traceql_parse(traceql, job->call_arena, &q, diag);
    if (err)
        return err;
    err = traceql_search_run(q, &search, &env, job->arena, &found, diag);
    traceql_query_free(q);
    if (err)
        return err;
    *out_ids = ARENA_ARRAY(job->call_arena, struct slice, found.count);
    for (size_t i = 0; i < found.count; i++)
        (*out_ids)[i] =
            slice_make(arena_dup(job->call_arena, found.traces[i].id, sizeof(found.traces[i].id)),
                       sizeof(found.traces[i].id));
    *out_count = found.count;
    return 0;
}

size_t api__trace_end(const struct store_event_chunk *c, size_t first)
{
    const struct data_value *id = c->columns[0].values;
    size_t end = first + 1;
    while (end < c->count && slice_eq(id[end].text, id[first].text))
        end++;
    return end;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

int api__traces_values(struct api_job *job, struct slice traceql, const char *field,
                       int64_t start_ns, int64_t end_ns, struct slice **out, size_t *out_count,
                       struct diag *diag)
{
    struct store_event_source *src = job->api->spans;
    struct store_event_field_value *values = NULL;
    struct store_event_field f;
    struct traceql_query *q;
    enum traceql_kind kind;
    size_t count = 0, n = 0;
    bool cut;
    struct store_event_scan req = {.select = {.tenant = job->tenant,
                                              .t_min_ns = start_ns,
                                              .t_max_ns = end_ns,
                                              .limits = api__traces_limits(job)}};
    *out_count = 0;
    int err = traceql_parse(traceql, job->call_arena, &q, diag);
    if (err)
        return err;
    traceql_clauses(q, &req.clauses, &req.clause_count);
    if (traceql_tag_field(slice_cstr(field), job->call_arena, &f, &kind))
        err = src->ops->field_values(src, f, &req, VALUES_MAX, job->arena, &values, &count, &cut,
                                     diag);
    traceql_query_free(q);
    if (err)
        return err;
    struct slice *texts = ARENA_ARRAY(job->call_arena, struct slice, count);
    for (size_t i = 0; i < count; i++) {
        struct buf text = {0};
        data_value_print(values[i].value, &text);
        texts[i] = arena_slice(job->call_arena, buf_slice(&text));
        buf_deinit(&text);
    }
    if (count)
        qsort(texts, count, sizeof(*texts), by_text);
    for (size_t i = 0; i < count; i++) {
        if (texts[i].len && (!n || !slice_eq(texts[n - 1], texts[i])))
            texts[n++] = texts[i];
    }
    *out = texts;
    *out_count = n;
    return 0;
}

void api__traceql_quote(struct slice s, struct buf *out)
{
    text_go_quote(s, out);
}

void api__traceql_and_equal(struct buf *out, const char *field, struct slice value)
{
    if (!value.len || slice_eq_cstr(value, "all"))
        return;
    buf_printf(out, " && %s = ", field);
    api__traceql_quote(value, out);
}

void api__traceql_attribute(struct slice name, struct buf *out)
{
    buf_append_cstr(out, ".\"");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, name.ptr[i]);
    }
    buf_append_char(out, '"');
}

/* --- dependencies --- */

struct links {
    struct map *ids; /* parent 0 child */
    VEC(struct api__dependency) all;
    struct arena *arena;
};

static void add_link(struct links *l, struct slice parent, struct slice child, bool error)
{
    struct buf key = {0};
    bool added;
    buf_append_slice(&key, parent);
    buf_append_char(&key, 0);
    buf_append_slice(&key, child);
    struct map_entry *e = map_put(l->ids, buf_slice(&key), &added);
    if (added) {
        e->value.u64 = l->all.len;
        vec_push(&l->all, ((struct api__dependency){.parent = arena_slice(l->arena, parent),
                                                    .child = arena_slice(l->arena, child)}));
    }
    l->all.items[e->value.u64].calls++;
    l->all.items[e->value.u64].errors += error;
    buf_deinit(&key);
}

static struct slice service_of(const struct store_event_chunk *c, size_t row)
{
    return data_labels_get(c->streams[c->stream[row]].labels, SLICE("service_name"));
}

/* Rows are depth first: those above the one in hand are its ancestors. */
static void add_links(struct links *l, const struct store_event_chunk *c)
{
    const struct data_value *status = c->columns[3].values, *kind = c->columns[4].values,
                            *peer = c->columns[5].values;
    VEC(size_t) above = {0};
    for (size_t i = 0; i < c->count; i++) {
        bool error = status[i].kind == DATA_VALUE_INT && status[i].i == 2;
        struct slice service = service_of(c, i);
        above.len = MIN(above.len, (size_t)c->depth[i]);
        if (c->depth[i] && above.len) {
            struct slice parent = service_of(c, above.items[above.len - 1]);
            if (!slice_eq(parent, service))
                add_link(l, parent, service, error);
        }
        /* What is called and does not report spans itself. */
        if (!c->descendants[i] && kind[i].kind == DATA_VALUE_INT &&
            (kind[i].i == 3 || kind[i].i == 4) && peer[i].kind == DATA_VALUE_STRING &&
            !slice_eq(peer[i].text, service))
            add_link(l, service, peer[i].text, error);
        vec_push(&above, i);
    }
    vec_free(&above);
}

static int by_link(const void *a, const void *b)
{
    const struct api__dependency *x = a, *y = b;
    int c = slice_cmp(x->parent, y->parent);
    return c ? c : slice_cmp(x->child, y->child);
}

int api__traces_dependencies(struct api_job *job, int64_t start_ns, int64_t end_ns,
                             struct api__dependency **out, size_t *out_count, struct diag *diag)
{
    static const struct store_event_field fields[] = {
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC), .intrinsic = DATA_EVENT_STATUS},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC), .intrinsic = DATA_EVENT_KIND},
        {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_ATTRIBUTE), .name = SLICE_INIT("peer.service")}};
    struct store_event_source *src = job->api->spans;
    const struct store_event_scan req = {.select = {.tenant = job->tenant,
                                                    .t_min_ns = INT64_MIN,
                                                    .t_max_ns = INT64_MAX,
                                                    .limits = api__traces_limits(job)},
                                         .fields = fields,
                                         .field_count = ARRAY_LEN(fields)};
    struct links l = {.ids = map_new(), .arena = job->call_arena};
    struct store_event_chunk chunk = {0};
    struct slice *ids = NULL;
    size_t count = 0;
    int err = api__traces_find(job, SLICE("{ }"), start_ns, end_ns, DEPENDENCIES_TRACES, &ids,
                               &count, diag);
    for (size_t i = 0; i < count && !err; i += DEPENDENCIES_BATCH) {
        err = src->ops->traces(src, ids + i, MIN(count - i, (size_t)DEPENDENCIES_BATCH), &req,
                               &chunk, diag);
        if (!err)
            add_links(&l, &chunk);
    }
    store_event_chunk_free(&chunk);
    if (l.all.len)
        qsort(l.all.items, l.all.len, sizeof(*l.all.items), by_link);
    *out = arena_dup(job->call_arena, l.all.items, l.all.len * sizeof(*l.all.items));
    *out_count = l.all.len;
    vec_free(&l.all);
    map_free(l.ids);
    return err;
}

void api__traceql_equal(struct slice key, struct slice value, struct buf *out)
{
    bool word = slice_eq_cstr(value, "true") || slice_eq_cstr(value, "false");
    double number;
    api__traceql_attribute(key, out);
    buf_append_cstr(out, " = ");
    api__traceql_quote(value, out);
    if (!word && !(codec_text_to_double(value, &number, NULL) && number - number == 0))
        return;
    buf_append_cstr(out, " || ");
    api__traceql_attribute(key, out);
    buf_append_cstr(out, " = ");
    if (word)
        buf_append_slice(out, value);
    else
        codec_append_double(out, number, CODEC_DOUBLE_PLAIN);
}

void api__put_texts(const struct slice *texts, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        buf_append_cstr(out, i ? "," : "");
        codec_json_append_string(out, texts[i]);
    }
}

void api__put_dependency(const struct api__dependency *d, struct buf *out)
{
    buf_append_cstr(out, "{\"parent\":");
    codec_json_append_string(out, d->parent);
    buf_append_cstr(out, ",\"child\":");
    codec_json_append_string(out, d->child);
}
