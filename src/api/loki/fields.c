/* detected_fields and their values: structured metadata, and what is found in a sample of lines. */
#include <stdlib.h>

#include "api/loki/door_priv.h"
#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"
#include "lang/logql/extract.h"
#include "lang/logql/units.h"

#define SINCE        (3600 * NS_PER_SEC)
#define SAMPLE_LINES 1000
#define SAMPLE_MAX   5000
#define FIELDS_LIMIT 1000
#define KEYS_MAX     32 /* levels of JSON */

enum parser { PARSER_NONE, PARSER_JSON = 1, PARSER_LOGFMT = 2 };

struct field {
    struct slice name;
    struct map *values;
    unsigned parsers;
    const char *type;
    struct slice *keys; /* that lead to it in JSON */
    size_t key_count;
};

struct fields_state {
    struct loki__scope scope;
    int64_t sample, limit;
    struct slice name; /* of the field whose values are asked for; ptr NULL: all fields */
    struct logql_expr *expr;
    bool may_be_partial;
    struct logql_partial partial;
};

struct fields {
    struct arena *arena;
    struct map *ids;
    VEC(struct field) all;
};

/* Loki's order: what is a whole number is one, also 0 and 1. */
static const char *type_of(struct slice v)
{
    int64_t i;
    double d;
    if (codec_text_to_int(v, &i))
        return "int";
    if (codec_text_to_double(v, &d, NULL))
        return "float";
    if (slice_eq_nocase(v, SLICE("true")) || slice_eq_nocase(v, SLICE("false")))
        return "boolean";
    if (logql_duration_parse(v, &i))
        return "duration";
    if (logql_bytes_parse(v, &d))
        return "bytes";
    return "string";
}

/* `line` is what it was found in. */
static void add_value(struct fields *f, struct slice name, struct slice value, unsigned parser,
                      struct slice line)
{
    bool added;
    if (slice_starts_with(name, SLICE("__error")) || !value.len)
        return;
    struct map_entry *e = map_put(f->ids, name, &added);
    if (added) {
        e->value.u64 = f->all.len;
        vec_push(&f->all, ((struct field){.name = arena_slice(f->arena, name),
                                          .values = map_new(),
                                          .type = type_of(value)}));
    }
    struct field *field = &f->all.items[e->value.u64];
    if (parser & PARSER_JSON && !field->key_count) {
        struct slice keys[KEYS_MAX];
        size_t n = logql_json_keys(line, name, f->arena, keys, KEYS_MAX);
        if (n && (field->keys = arena_dup(f->arena, keys, n * sizeof(*keys))))
            field->key_count = n;
    }
    field->parsers |= parser;
    map_put(field->values, value, NULL);
}

/* A line that nobody parsed: as JSON when it looks so, else as logfmt. */
static void add_parsed(struct fields *f, struct logql_line *l, struct slice text)
{
    bool json = text.len && text.ptr[0] == '{';
    logql_line_begin(l, 0, text);
    if (json)
        logql_extract_json(l);
    else
        logql_extract_logfmt(l, false, false, NULL, 0);
    for (size_t i = 0; i < l->labels.len; i++)
        add_value(f, l->labels.items[i].name, l->labels.items[i].value,
                  json ? PARSER_JSON : PARSER_LOGFMT, text);
}

static void cleanup(struct api_job *job)
{
    struct fields_state *st = job->state;
    logql_expr_free(st->expr);
    st->expr = NULL;
}

static void collect(struct fields *f, const struct logql_streams *r)
{
    struct logql_line line;
    logql_line_init(&line);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t k = 0; k < r->streams[i].count; k++) {
            const struct logql_entry *e = &r->streams[i].entries[k];
            bool parsed = false;
            for (size_t n = 0; n < e->label_count; n++) {
                bool own = e->labels[n].category == LOGQL_PARSED;
                parsed |= own;
                add_value(f, e->labels[n].name, e->labels[n].value,
                          !own                                   ? PARSER_NONE
                          : e->line.len && e->line.ptr[0] == '{' ? PARSER_JSON
                                                                 : PARSER_LOGFMT,
                          e->line);
            }
            if (!parsed)
                add_parsed(f, &line, e->line);
        }
    }
    logql_line_deinit(&line);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static void put_fields(struct api_job *job, struct fields *f)
{
    const struct fields_state *st = job->state;
    struct codec_json_writer w;
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("fields"));
    codec_json_begin_array(&w);
    if (f->all.len)
        qsort(f->all.items, f->all.len, sizeof(*f->all.items), by_name);
    for (size_t i = 0; i < f->all.len && (int64_t)i < st->limit; i++) {
        const struct field *field = &f->all.items[i];
        codec_json_begin_object(&w);
        codec_json_put_string(&w, "label", field->name);
        codec_json_put_string(&w, "type", slice_cstr(field->type));
        codec_json_put_int(&w, "cardinality", (int64_t)map_count(field->values));
        codec_json_key(&w, SLICE("parsers"));
        if (field->parsers) {
            codec_json_begin_array(&w);
            if (field->parsers & PARSER_JSON)
                codec_json_string(&w, SLICE("json"));
            if (field->parsers & PARSER_LOGFMT)
                codec_json_string(&w, SLICE("logfmt"));
            codec_json_end_array(&w);
        } else {
            codec_json_null(&w);
        }
        if (field->parsers & PARSER_JSON) {
            codec_json_key(&w, SLICE("jsonPath"));
            codec_json_begin_array(&w);
            for (size_t k = 0; k < field->key_count; k++)
                codec_json_string(&w, field->keys[k]);
            if (!field->key_count)
                codec_json_string(&w, field->name);
            codec_json_end_array(&w);
        }
        codec_json_end_object(&w);
    }
    codec_json_end_array(&w);
    codec_json_put_int(&w, "limit", st->limit);
    if (st->partial.cut)
        loki__put_warning(&w, &st->partial);
    codec_json_end_object(&w);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void put_values(struct api_job *job, struct fields *f)
{
    const struct fields_state *st = job->state;
    const struct map_entry *e = map_get(f->ids, st->name), *value;
    VEC(struct slice) values = {0};
    struct codec_json_writer w;
    size_t pos = 0;
    while (e && (value = map_next(f->all.items[e->value.u64].values, &pos)))
        vec_push(&values, value->key);
    if (values.len)
        qsort(values.items, values.len, sizeof(*values.items), by_text);
    codec_json_init(&w, &job->out);
    codec_json_begin_object(&w);
    codec_json_key(&w, SLICE("values"));
    codec_json_begin_array(&w);
    for (size_t i = 0; i < values.len && (int64_t)i < st->limit; i++)
        codec_json_string(&w, values.items[i]);
    codec_json_end_array(&w);
    codec_json_put_int(&w, "limit", st->limit);
    if (st->partial.cut)
        loki__put_warning(&w, &st->partial);
    codec_json_end_object(&w);
    vec_free(&values);
}

static void fields_work(struct api_job *job)
{
    struct fields_state *st = job->state;
    struct logql_env env;
    struct logql_streams lines;
    struct diag diag;
    diag_init(&diag);
    loki__env(job, &env);
    if (st->may_be_partial)
        loki__allow_partial(&env, &st->partial);
    if (logql_parse(st->scope.query, job->call_arena, &st->expr, &diag)) {
        loki__job_parse_error(job, &diag);
        return;
    }
    if (!logql_is_log(st->expr)) {
        api__plain_job_error(job, 400, "only log selectors are supported");
        return;
    }
    const struct logql_select select = {.start_ns = st->scope.start_ns,
                                        .end_ns = st->scope.end_ns,
                                        .limit = (uint64_t)st->sample,
                                        .categorize = true};
    int err = logql_select_run(st->expr, &select, &env, job->arena, &lines, &diag);
    if (err) {
        api__plain_job_fail(job, err, &diag);
        return;
    }
    struct fields f = {.arena = job->arena, .ids = map_new()};
    collect(&f, &lines);
    if (st->name.ptr)
        put_values(job, &f);
    else
        put_fields(job, &f);
    for (size_t i = 0; i < f.all.len; i++)
        map_free(f.all.items[i].values);
    vec_free(&f.all);
    map_free(f.ids);
}

static void start(struct api_call *call, struct slice name)
{
    struct fields_state *st = ARENA_NEW(net_request_arena(call->req), struct fields_state);
    struct api_job *job;
    struct diag diag;
    diag_init(&diag);
    st->name = name;
    if (!loki__scope_read(call, SINCE, &st->scope))
        return;
    if (loki__param_partial(call->req, &st->may_be_partial, &diag) ||
        loki__param_count(call->req, "line_limit", SAMPLE_LINES, &st->sample, &diag) ||
        loki__param_count(call->req, "field_limit", FIELDS_LIMIT, &st->limit, &diag) ||
        loki__param_count(call->req, "limit", st->limit, &st->limit, &diag)) {
        api__plain_error(call->req, 400, "%s", diag.msg);
        return;
    }
    st->sample = CLAMP(st->sample, 1, SAMPLE_MAX);
    if (!(job = loki__job_new(call, fields_work)))
        return;
    job->state = st;
    job->cleanup = cleanup;
    api_job_start(job, true);
}

void loki__detected_fields(struct api_call *call)
{
    start(call, (struct slice){NULL, 0});
}

void loki__detected_field_values(struct api_call *call)
{
    start(call, loki__label_name(net_request_arena(call->req), call->args[0]));
}
