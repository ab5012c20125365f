/* Names of tags and their values. Both narrow down to the spans that meet a query's conditions,
 * which may be unfinished. */
#include <stdlib.h>

#include "api/tempo/door_priv.h"
#include "base/map.h"
#include "codec/json_write.h"
#include "lang/traceql/traceql.h"
#include "net/url.h"

#define LIMIT_MAX   100000
#define SAMPLE_ROWS 4096 /* spans looked at for the names of those that meet a filter */

enum { TAGS_SPAN, TAGS_RESOURCE, TAGS_EVENT, TAGS_LINK, TAGS_INSTRUMENTATION, TAGS_SCOPES };
static const char *const scope_names[] = {"span", "resource", "event", "link", "instrumentation"};
static const char *const intrinsics[] = {"duration",
                                         "event:name",
                                         "event:timeSinceStart",
                                         "instrumentation:name",
                                         "instrumentation:version",
                                         "kind",
                                         "link:spanID",
                                         "link:traceID",
                                         "name",
                                         "rootName",
                                         "rootServiceName",
                                         "span:childCount",
                                         "span:duration",
                                         "span:id",
                                         "span:kind",
                                         "span:name",
                                         "span:parentID",
                                         "span:status",
                                         "span:statusMessage",
                                         "status",
                                         "statusMessage",
                                         "trace:duration",
                                         "trace:id",
                                         "trace:rootName",
                                         "trace:rootService",
                                         "traceDuration"};

struct tags_state {
    struct slice tag, query, scope;
    int64_t start_ns, end_ns, limit;
    bool v2;
    struct traceql_query *parsed;
    struct map *names[TAGS_SCOPES];
    struct store_event_chunk chunk;
    /* values */
    VEC(struct traceql_value) values;
};

static void cleanup(struct api_job *job)
{
    struct tags_state *st = job->state;
    traceql_query_free(st->parsed);
    st->parsed = NULL;
    for (size_t i = 0; i < TAGS_SCOPES; i++)
        map_free(st->names[i]);
    vec_free(&st->values);
    store_event_chunk_free(&st->chunk);
}

static void request(struct api_job *job, struct store_event_scan *out)
{
    struct tags_state *st = job->state;
    *out = (struct store_event_scan){.select = {.tenant = job->tenant,
                                                .t_min_ns = st->start_ns,
                                                .t_max_ns = st->end_ns,
                                                .limits = api__traces_limits(job)},
                                     .order = STORE_EVENT_NEWEST_FIRST};
    if (!st->query.len)
        return;
    traceql_parse_partial(st->query, job->call_arena, &st->parsed);
    if (st->parsed)
        traceql_clauses(st->parsed, &out->clauses, &out->clause_count);
}

/* --- names --- */

static void add(struct tags_state *st, int scope, struct slice name)
{
    if (name.len)
        (void)map_put(st->names[scope], name, NULL);
}

static void add_row(struct tags_state *st, size_t row)
{
    const struct store_event_children *all = &st->chunk.children[row];
    for (size_t i = 0; i < all->count; i++) {
        const struct data_event_child *c = &all->items[i];
        for (uint32_t k = 0; k < c->count; k++)
            add(st, c->kind == DATA_CHILD_EVENT ? TAGS_EVENT : TAGS_LINK,
                all->names[all->attrs[c->first + k].field]);
    }
}

static int scope_of(enum data_event_scope scope)
{
    return scope == DATA_SCOPE_ATTRIBUTE  ? TAGS_SPAN
           : scope == DATA_SCOPE_RESOURCE ? TAGS_RESOURCE
           : scope == DATA_SCOPE_SCOPE    ? TAGS_INSTRUMENTATION
           : scope == DATA_SCOPE_EVENT    ? TAGS_EVENT
           : scope == DATA_SCOPE_LINK     ? TAGS_LINK
                                          : -1;
}

/* From the newest spans that meet the filter. */
static int sample_names(struct api_job *job, const struct store_event_scan *req, struct diag *diag)
{
    struct tags_state *st = job->state;
    const struct store_event_ops *ops = job->api->spans->ops;
    struct store_event_scan scan = *req;
    struct store_event_cursor *c;
    size_t rows = 0;
    scan.children = true;
    scan.all_fields = true;
    scan.limit = SAMPLE_ROWS;
    int err = ops->scan(job->api->spans, &scan, &c, diag);
    if (err)
        return err;
    while (rows < SAMPLE_ROWS && !(err = ops->next(c, &st->chunk, diag)) && st->chunk.count) {
        for (size_t i = 0; st->chunk.children && i < st->chunk.count; i++)
            add_row(st, i);
        for (size_t i = 0; i < st->chunk.column_count; i++) {
            int scope = scope_of(st->chunk.columns[i].scope);
            size_t k = 0;
            while (k < st->chunk.count && st->chunk.columns[i].values[k].kind == DATA_VALUE_NULL)
                k++;
            if (scope >= 0 && k < st->chunk.count)
                add(st, scope, st->chunk.columns[i].name);
        }
        for (size_t i = 0; i < st->chunk.count; i++) {
            struct data_labels l = st->chunk.streams[st->chunk.stream[i]].labels;
            for (size_t k = 0; k < l.count; k++)
                add(st, TAGS_RESOURCE, api__trace_resource_key(l.items[k].name));
        }
        rows += st->chunk.count;
    }
    ops->close(c);
    return err;
}

static int list_names(struct api_job *job, struct diag *diag)
{
    struct tags_state *st = job->state;
    struct store_event_source *src = job->api->spans;
    struct store_event_scan req;
    struct store_event_field_info *fields;
    struct slice *labels;
    size_t count;
    bool cut;
    for (size_t i = 0; i < TAGS_SCOPES; i++)
        st->names[i] = map_new();
    request(job, &req);
    if (req.clause_count)
        return sample_names(job, &req, diag);
    int err = src->ops->fields(src, &req.select, job->arena, &fields, &count, diag);
    for (size_t i = 0; !err && i < count; i++) {
        int scope = scope_of(fields[i].scope);
        if (scope >= 0)
            add(st, scope, fields[i].name);
    }
    if (!err)
        err = src->ops->label_names(src, &req.select, 0, job->arena, &labels, &count, &cut, diag);
    for (size_t i = 0; !err && i < count; i++)
        add(st, TAGS_RESOURCE, api__trace_resource_key(labels[i]));
    return err;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted names of some scopes, each once, with commas between. */
static void put_names(struct tags_state *st, unsigned scopes, struct buf *out)
{
    VEC(struct slice) all = {0};
    int64_t n = 0;
    for (size_t i = 0; i < TAGS_SCOPES; i++) {
        size_t pos = 0;
        for (struct map_entry *e; scopes >> i & 1 && (e = map_next(st->names[i], &pos));)
            vec_push(&all, e->key);
    }
    if (all.len)
        qsort(all.items, all.len, sizeof(*all.items), by_text);
    for (size_t i = 0; i < all.len; i++) {
        if (i && slice_eq(all.items[i], all.items[i - 1]))
            continue;
        if (n++ == st->limit)
            break;
        buf_append_cstr(out, n > 1 ? "," : "");
        codec_json_append_string(out, all.items[i]);
    }
    vec_free(&all);
}

static void put_intrinsics(struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(intrinsics); i++)
        buf_printf(out, "%s\"%s\"", i ? "," : "", intrinsics[i]);
}

static bool wants(const struct tags_state *st, const char *scope)
{
    return !st->scope.len || slice_eq_cstr(st->scope, "none") || slice_eq_cstr(st->scope, scope);
}

static void put_scopes(struct tags_state *st, struct buf *out)
{
    bool more = false;
    buf_append_cstr(out, "{\"scopes\":[");
    for (unsigned i = 0; i < TAGS_SCOPES; i++) {
        if (!wants(st, scope_names[i]) || !map_count(st->names[i]))
            continue;
        buf_printf(out, "%s{\"name\":\"%s\",\"tags\":[", more ? "," : "", scope_names[i]);
        put_names(st, 1u << i, out);
        buf_append_cstr(out, "]}");
        more = true;
    }
    if (wants(st, "intrinsic")) {
        buf_append_cstr(out, more ? ",{\"name\":\"intrinsic\",\"tags\":["
                                  : "{\"name\":\"intrinsic\",\"tags\":[");
        put_intrinsics(out);
        buf_append_cstr(out, "]}");
    }
    buf_append_cstr(out, "],\"metrics\":{}}");
}

static void tags_work(struct api_job *job)
{
    struct tags_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    int err = list_names(job, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    if (st->v2) {
        put_scopes(st, &job->out);
        return;
    }
    unsigned scopes = 0;
    for (unsigned i = 0; i < TAGS_SCOPES; i++)
        scopes |= wants(st, scope_names[i]) ? 1u << i : 0;
    buf_append_cstr(&job->out, "{\"tagNames\":[");
    if (slice_eq_cstr(st->scope, "intrinsic"))
        put_intrinsics(&job->out);
    else
        put_names(st, scopes, &job->out);
    buf_append_cstr(&job->out, "],\"metrics\":{}}");
}

/* --- values --- */

static void put_typed(struct traceql_value v, struct buf *out)
{
    static const char *const types[] = {
        [TRACEQL_STRING] = "string",     [TRACEQL_INT] = "int",
        [TRACEQL_FLOAT] = "float",       [TRACEQL_BOOL] = "bool",
        [TRACEQL_DURATION] = "duration", [TRACEQL_STATUS] = "keyword",
        [TRACEQL_SPAN_KIND] = "keyword", [TRACEQL_LIST] = "string",
        [TRACEQL_NIL] = "string"};
    struct buf text = {0};
    traceql_value_text(v, &text);
    buf_printf(out, "{\"type\":\"%s\",\"value\":", types[v.kind]);
    codec_json_append_string(out, buf_slice(&text));
    buf_append_char(out, '}');
    buf_deinit(&text);
}

static void keywords(struct tags_state *st, enum traceql_kind kind, int from, int to)
{
    for (int i = from; i <= to; i++)
        vec_push(&st->values, traceql__int(kind, i));
}

static int list_values(struct api_job *job, struct diag *diag)
{
    static const struct store_event_predicate is_root = {
        .op = STORE_EVENT_HAS,
        .field = {.scopes = STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC),
                  .intrinsic = DATA_EVENT_PARENT_ID},
        .absent = true};
    struct tags_state *st = job->state;
    struct store_event_source *src = job->api->spans;
    struct store_event_field_value *values;
    struct store_event_scan req;
    struct store_event_field field;
    enum traceql_kind kind;
    struct slice tag = st->tag;
    size_t count;
    bool cut, root = false;
    request(job, &req);
    if (slice_eq_cstr(tag, "rootName") || slice_eq_cstr(tag, "trace:rootName"))
        root = true, tag = SLICE("name");
    if (slice_eq_cstr(tag, "rootServiceName") || slice_eq_cstr(tag, "trace:rootService"))
        root = true, tag = SLICE("resource.service.name");
    if (!traceql_tag_field(tag, job->call_arena, &field, &kind)) {
        struct slice plain = arena_printf(job->call_arena, ".%.*s", SLICE_FMT(tag));
        if (st->v2 || !traceql_tag_field(plain, job->call_arena, &field, &kind))
            return 0; /* nothing is known of it */
    }
    if (kind == TRACEQL_STATUS) {
        keywords(st, kind, 0, 2);
        return 0;
    }
    if (kind == TRACEQL_SPAN_KIND) {
        keywords(st, kind, 0, 5);
        return 0;
    }
    /* Ids and durations have as many values as there are spans. */
    if (kind == TRACEQL_DURATION ||
        (store_event_is_of_children(field) && field.intrinsic &&
         field.intrinsic != DATA_CHILD_NAME) ||
        (field.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
         data_event_intrinsic_kind(field.intrinsic) == DATA_VALUE_BYTES))
        return 0;
    if (root) {
        struct store_event_clause *clauses =
            ARENA_ARRAY(job->arena, struct store_event_clause, req.clause_count + 1);
        if (!clauses)
            return ERR_NOMEM;
        for (size_t i = 0; i < req.clause_count; i++)
            clauses[i] = req.clauses[i];
        clauses[req.clause_count++] = (struct store_event_clause){&is_root, 1};
        req.clauses = clauses;
    }
    int err = src->ops->field_values(src, field, &req, (size_t)MIN(st->limit, LIMIT_MAX),
                                     job->arena, &values, &count, &cut, diag);
    for (size_t i = 0; !err && i < count; i++)
        vec_push(&st->values, traceql__value_of(values[i].value, job->arena));
    return err;
}

static int by_value(const void *a, const void *b)
{
    return traceql__value_cmp(*(const struct traceql_value *)a, *(const struct traceql_value *)b);
}

static void values_work(struct api_job *job)
{
    struct tags_state *st = job->state;
    struct diag diag;
    diag_init(&diag);
    int err = list_values(job, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    if (st->values.len)
        qsort(st->values.items, st->values.len, sizeof(*st->values.items), by_value);
    buf_append_cstr(&job->out, "{\"tagValues\":[");
    for (size_t i = 0; i < st->values.len && (int64_t)i < st->limit; i++) {
        struct buf text = {0};
        buf_append_cstr(&job->out, i ? "," : "");
        if (st->v2) {
            put_typed(st->values.items[i], &job->out);
        } else {
            traceql_value_text(st->values.items[i], &text);
            codec_json_append_string(&job->out, buf_slice(&text));
        }
        buf_deinit(&text);
    }
    buf_append_cstr(&job->out, "],\"metrics\":{}}");
}

static void start(struct api_call *call, bool v2, void (*work)(struct api_job *job))
{
    struct net_request *req = call->req;
    struct tags_state *st = ARENA_NEW(net_request_arena(req), struct tags_state);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    st->v2 = v2;
    st->query = net_request_param(req, "q");
    st->scope = net_request_param(req, "scope");
    if (call->arg_count) {
        /* Grafana encodes it twice. */
        st->tag = call->args[0];
        if (slice_find_char(st->tag, '%') >= 0)
            (void)net_url_decode(call->args[0], false, net_request_arena(req), &st->tag, NULL);
    }
    int err = tempo__param_range(req, &st->start_ns, &st->end_ns, &diag);
    if (!err)
        err = tempo__param_count(req, "limit", LIMIT_MAX, LIMIT_MAX, &st->limit, &diag);
    if (!err && st->scope.len) {
        bool known = slice_eq_cstr(st->scope, "none") || slice_eq_cstr(st->scope, "intrinsic");
        for (size_t i = 0; i < TAGS_SCOPES; i++)
            known |= slice_eq_cstr(st->scope, scope_names[i]);
        if (!known)
            err = diag_set(&diag, ERR_INVALID,
                           "invalid scope: %.*s; none, intrinsic, span, resource, event, link and "
                           "instrumentation are known",
                           SLICE_FMT(slice_first(st->scope, 60)));
    }
    if (err) {
        api__plain_error(req, 400, "%s", diag.msg);
        return;
    }
    if (!(job = api__traces_job(call, work)))
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void tempo__tags(struct api_call *call)
{
    start(call, false, tags_work);
}

void tempo__tags_v2(struct api_call *call)
{
    start(call, true, tags_work);
}

void tempo__tag_values(struct api_call *call)
{
    start(call, false, values_work);
}

void tempo__tag_values_v2(struct api_call *call)
{
    start(call, true, values_work);
}
