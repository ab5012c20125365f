/* /metrics/find, /metrics/expand, /metrics/index.json. */
#include <stdlib.h>

#include "api/graphite/door_priv.h"
#include "codec/number.h"

struct find {
    struct slice *queries;
    size_t count;
    struct slice query, format, jsonp;
    int64_t position, now_s;
    bool wildcards, leaves_only, group;
};

static struct slice last_node(struct slice path)
{
    size_t n = path.len;
    while (n && path.ptr[n - 1] != '.')
        n--;
    return slice_from(path, n);
}

/* In graphite-web a name that is both is listed twice. */
struct row {
    struct slice path, name;
    bool leaf;
};

static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int c = slice_cmp(x->name, y->name);
    return c ? c : slice_cmp(x->path, y->path);
}

static void put_tree_node(struct codec_json_writer *w, struct slice text, struct slice id,
                          bool leaf)
{
    codec_json_begin_object(w);
    codec_json_put_string(w, "text", text);
    codec_json_put_string(w, "id", id);
    codec_json_put_int(w, "allowChildren", !leaf);
    codec_json_put_int(w, "expandable", !leaf);
    codec_json_put_int(w, "leaf", leaf);
    codec_json_end_object(w);
}

static struct slice base_of(struct slice query)
{
    size_t n = query.len;
    while (n && query.ptr[n - 1] != '.')
        n--;
    return slice_first(query, n);
}

static void put_tree(struct codec_json_writer *w, const struct find *f, const struct row *rows,
                     size_t count, struct arena *arena)
{
    struct slice base = base_of(f->query);
    codec_json_begin_array(w);
    if (count > 1 && f->wildcards) {
        bool branches = false;
        for (size_t i = 0; i < count; i++)
            branches |= !rows[i].leaf;
        put_tree_node(w, SLICE("*"), arena_printf(arena, "%.*s*", SLICE_FMT(base)), !branches);
    }
    for (int leaf = 0; leaf < 2; leaf++) {
        struct slice before = {NULL, 0};
        for (size_t i = 0; i < count; i++) {
            if (rows[i].leaf != (leaf == 1) || (before.ptr && slice_eq(before, rows[i].name)))
                continue;
            before = rows[i].name;
            put_tree_node(w, rows[i].name,
                          arena_printf(arena, "%.*s%.*s", SLICE_FMT(base), SLICE_FMT(rows[i].name)),
                          leaf);
        }
    }
    codec_json_end_array(w);
}

static void put_completer(struct codec_json_writer *w, const struct find *f, const struct row *rows,
                          size_t count, struct arena *arena)
{
    codec_json_begin_object(w);
    codec_json_key(w, SLICE("metrics"));
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        codec_json_begin_object(w);
        codec_json_put_string(w, "path",
                              rows[i].leaf ? rows[i].path
                                           : arena_printf(arena, "%.*s.", SLICE_FMT(rows[i].path)));
        codec_json_put_string(w, "name", rows[i].name);
        codec_json_put_string(w, "is_leaf", rows[i].leaf ? SLICE("1") : SLICE("0"));
        codec_json_end_object(w);
    }
    if (count > 1 && f->wildcards) {
        codec_json_begin_object(w);
        codec_json_put_string(w, "name", SLICE("*"));
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
    codec_json_end_object(w);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void put_nodes(struct codec_json_writer *w, const struct find *f, const struct row *rows,
                      size_t count, struct arena *arena)
{
    struct slice *nodes = ARENA_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; nodes && i < count; i++) {
        struct slice rest = rows[i].path, part = {"", 0};
        int64_t at = f->position, n = 1;
        for (size_t k = 0; k < rest.len; k++)
            n += rest.ptr[k] == '.';
        at += at < 0 ? n : 0;
        for (int64_t k = 0; k <= at && slice_split(&rest, '.', &part); k++)
            ;
        nodes[i] = part;
    }
    if (nodes && count)
        qsort(nodes, count, sizeof(*nodes), by_text);
    codec_json_begin_object(w);
    codec_json_key(w, SLICE("nodes"));
    codec_json_begin_array(w);
    for (size_t i = 0; nodes && i < count; i++) {
        if (!i || !slice_eq(nodes[i], nodes[i - 1]))
            codec_json_string(w, nodes[i]);
    }
    codec_json_end_array(w);
    codec_json_end_object(w);
}

static void put_json(struct codec_json_writer *w, const struct find *f, const struct row *rows,
                     size_t count)
{
    codec_json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        codec_json_begin_object(w);
        codec_json_put_string(w, "path", rows[i].path);
        codec_json_put_bool(w, "is_leaf", rows[i].leaf);
        if (rows[i].leaf) {
            codec_json_key(w, SLICE("intervals"));
            codec_json_begin_array(w);
            codec_json_begin_object(w);
            codec_json_put_int(w, "start", 0);
            codec_json_put_int(w, "end", f->now_s);
            codec_json_end_object(w);
            codec_json_end_array(w);
        }
        codec_json_end_object(w);
    }
    codec_json_end_array(w);
}

static void put_packed(struct api_job *job, enum graphite_api__pack p, const struct find *f,
                       const struct row *rows, size_t count)
{
    struct buf *out = &job->out;
    job->content_type = p == GRAPHITE_API__PICKLE ? "application/pickle" : "application/x-msgpack";
    graphite_api__pack_begin(p, out);
    graphite_api__pack_list(p, out, count);
    for (size_t i = 0; i < count; i++) {
        graphite_api__pack_map(p, out, 2 + rows[i].leaf);
        graphite_api__pack_text(p, out, SLICE("path"));
        graphite_api__pack_text(p, out, rows[i].path);
        graphite_api__pack_text(p, out, SLICE("is_leaf"));
        graphite_api__pack_bool(p, out, rows[i].leaf);
        if (rows[i].leaf) {
            graphite_api__pack_text(p, out, SLICE("intervals"));
            graphite_api__pack_list(p, out, 1);
            graphite_api__pack_list(p, out, 2);
            graphite_api__pack_int(p, out, 0);
            graphite_api__pack_int(p, out, f->now_s);
            graphite_api__pack_list_end(p, out);
            graphite_api__pack_list_end(p, out);
        }
        graphite_api__pack_map_end(p, out);
    }
    graphite_api__pack_list_end(p, out);
    graphite_api__pack_end(p, out);
}

static bool find_rows(struct api_job *job, struct slice query, bool leaves_only, struct row **out,
                      size_t *out_count)
{
    struct graphite_node *nodes;
    size_t count, n = 0;
    struct diag diag;
    diag_init(&diag);
    int err =
        graphite_index_find(job->api->graphite, job->tenant, query,
                            (size_t)job->limits.query_series, job->arena, &nodes, &count, &diag);
    struct row *rows = err ? NULL : ARENA_ARRAY(job->arena, struct row, 2 * count + 1);
    if (!rows) {
        graphite_api__job_fail(job, err ? err : ERR_NOMEM, &diag);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct slice name = last_node(nodes[i].path);
        if (nodes[i].branch && !leaves_only)
            rows[n++] = (struct row){nodes[i].path, name, false};
        if (nodes[i].leaf)
            rows[n++] = (struct row){nodes[i].path, name, true};
    }
    if (n)
        qsort(rows, n, sizeof(*rows), by_name);
    *out = rows;
    *out_count = n;
    return true;
}

static void find_work(struct api_job *job)
{
    struct find *f = job->state;
    struct row *rows;
    size_t count;
    struct codec_json_writer w;
    struct slice query = f->query;
    if (slice_eq(f->format, SLICE("completer"))) {
        struct buf b = {0};
        for (size_t i = 0; i < query.len; i++) { /* "a..b": whatever between */
            if (query.ptr[i] == '.' && i + 1 < query.len && query.ptr[i + 1] == '.') {
                buf_append_cstr(&b, "*.");
                i++;
            } else {
                buf_append_char(&b, query.ptr[i]);
            }
        }
        if (!b.len || b.ptr[b.len - 1] != '*')
            buf_append_char(&b, '*');
        query = arena_slice(job->arena, buf_slice(&b));
        buf_deinit(&b);
    }
    if (!graphite_api__index(job) || !find_rows(job, query, f->leaves_only, &rows, &count))
        return;
    codec_json_init(&w, &job->out);
    if (slice_eq(f->format, SLICE("treejson")))
        put_tree(&w, f, rows, count, job->call_arena);
    else if (slice_eq(f->format, SLICE("completer")))
        put_completer(&w, f, rows, count, job->call_arena);
    else if (slice_eq(f->format, SLICE("nodelist")))
        put_nodes(&w, f, rows, count, job->arena);
    else if (slice_eq(f->format, SLICE("json")))
        put_json(&w, f, rows, count);
    else {
        put_packed(job,
                   slice_eq(f->format, SLICE("pickle")) ? GRAPHITE_API__PICKLE
                                                        : GRAPHITE_API__MSGPACK,
                   f, rows, count);
        return;
    }
    graphite_api__jsonp(job, f->jsonp);
}

void graphite_api__find(struct api_call *call)
{
    static const char *const formats[] = {"treejson", "completer", "nodelist",
                                          "json",     "pickle",    "msgpack"};
    struct find *f = ARENA_NEW(net_request_arena(call->req), struct find);
    struct net_request *req = call->req;
    struct slice position = net_request_param(req, "position");
    int64_t ignored;
    struct diag diag;
    bool known = false;
    diag_init(&diag);
    f->query = net_request_param(req, "query");
    f->format = net_request_param(req, "format");
    if (!f->format.len)
        f->format = SLICE("treejson");
    f->jsonp = net_request_param(req, "jsonp");
    f->wildcards = graphite_api__param_flag(req, "wildcards");
    f->leaves_only = graphite_api__param_flag(req, "leavesOnly");
    f->now_s = graphite_api__now_s(call->api);
    if (!codec_text_to_int(position, &f->position))
        f->position = -1;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        known |= slice_eq_cstr(f->format, formats[i]);
    if (!f->query.len) {
        net_respond_text(req, 400, "Invalid parameters (%s)\n",
                         f->query.ptr ? "Required parameter 'query' is empty"
                                      : "Missing required parameter 'query'");
    } else if (!known) {
        net_respond_text(req, 400, "Invalid value for 'format' parameter\n");
    } else if (graphite_api__param_time(req, "from", f->now_s, NULL, 0, &ignored, &diag) ||
               graphite_api__param_time(req, "until", f->now_s, NULL, 0, &ignored, &diag)) {
        net_respond_text(req, 400, "Invalid parameters (%s)\n", diag.msg);
    } else {
        struct api_job *job = graphite_api__job_new(call, find_work);
        if (!job)
            return;
        job->state = f;
        api_job_start(job, false);
    }
}

static void expand_work(struct api_job *job)
{
    struct find *f = job->state;
    struct codec_json_writer w;
    VEC(struct slice) all = {0};
    if (!graphite_api__index(job))
        return;
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("results"));
    if (f->group)
        codec_json_begin_object(&w);
    for (size_t q = 0; q < f->count; q++) {
        struct row *rows;
        size_t count;
        if (!find_rows(job, f->queries[q], f->leaves_only, &rows, &count)) {
            vec_free(&all);
            return;
        }
        for (size_t i = 0; i < count; i++)
            vec_push(&all, rows[i].path);
        if (!f->group && q + 1 < f->count)
            continue;
        if (all.len)
            qsort(all.items, all.len, sizeof(*all.items), by_text);
        if (f->group)
            codec_json_key(&w, f->queries[q]);
        codec_json_begin_array(&w);
        for (size_t i = 0; i < all.len; i++) {
            if (!i || !slice_eq(all.items[i], all.items[i - 1]))
                codec_json_string(&w, all.items[i]);
        }
        codec_json_end_array(&w);
        vec_clear(&all);
    }
    if (!f->group && !f->count) {
        codec_json_begin_array(&w);
        codec_json_end_array(&w);
    }
    if (f->group)
        codec_json_end_object(&w);
    codec_json_end_object(&w);
    vec_free(&all);
    graphite_api__jsonp(job, f->jsonp);
}

void graphite_api__expand(struct api_call *call)
{
    struct find *f = ARENA_NEW(net_request_arena(call->req), struct find);
    f->queries = graphite_api__params(call->req, "query", &f->count);
    f->group = graphite_api__param_flag(call->req, "groupByExpr");
    f->leaves_only = graphite_api__param_flag(call->req, "leavesOnly");
    f->jsonp = net_request_param(call->req, "jsonp");
    struct api_job *job = graphite_api__job_new(call, expand_work);
    if (!job)
        return;
    job->state = f;
    api_job_start(job, false);
}

static void index_work(struct api_job *job)
{
    struct find *f = job->state;
    struct slice *paths;
    size_t count;
    struct codec_json_writer w;
    struct diag diag;
    diag_init(&diag);
    if (!graphite_api__index(job))
        return;
    if (graphite_index_all(job->api->graphite, job->tenant, job->arena, &paths, &count)) {
        diag_set(&diag, ERR_NOMEM, "the paths take more than limits.query.memory");
        graphite_api__job_fail(job, ERR_NOMEM, &diag);
        return;
    }
    codec_json_init(&w, &job->out);
    codec_json_begin_array(&w);
    for (size_t i = 0; i < count; i++)
        codec_json_string(&w, paths[i]);
    codec_json_end_array(&w);
    graphite_api__jsonp(job, f->jsonp);
}

void graphite_api__index_json(struct api_call *call)
{
    struct find *f = ARENA_NEW(net_request_arena(call->req), struct find);
    f->jsonp = net_request_param(call->req, "jsonp");
    struct api_job *job = graphite_api__job_new(call, index_work);
    if (!job)
        return;
    job->state = f;
    api_job_start(job, false);
}
