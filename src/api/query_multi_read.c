/* The request of the multiplexed endpoint: what it says, and what is wrong with it. */
#include <math.h>

#include "api/job.h"
#include "api/query_multi_priv.h"
#include "api/time_ref.h"
#include "codec/json_dom.h"

#define QUERIES_MAX 1000
#define TEXT_MAX    (64 << 10)
#define BODY_MAX    (1 << 20)

static int read_time(const struct codec_json *v, const char *key, int64_t now_ns, bool up,
                     int64_t *out, struct diag *diag)
{
    const struct codec_json *t = codec_json_get(v, key);
    if (!t || t->kind == CODEC_JSON_NULL)
        return 0;
    if (t->kind == CODEC_JSON_NUMBER && fabs(t->number) < 4.6e12) {
        *out = (int64_t)(t->number * 1e6); /* ms, perhaps with a fraction */
        if (t->number == floor(t->number))
            *out = (int64_t)t->number * NS_PER_MS;
        return 0;
    }
    if (t->kind == CODEC_JSON_STRING && !api_time_ref(t->text, now_ns, up, out))
        return 0;
    return diag_set(diag, ERR_INVALID,
                    "\"%s\" is milliseconds since 1970, or text as \"now-1h\"; here it is %.*s",
                    key, SLICE_FMT(t->text));
}

static int read_ms(const struct codec_json *v, const char *key, int64_t *out_ns, struct diag *diag)
{
    const struct codec_json *n = codec_json_get(v, key);
    if (!n || n->kind == CODEC_JSON_NULL)
        return 0;
    if (n->kind != CODEC_JSON_NUMBER || !(n->number >= 1) || n->number > 1e13)
        return diag_set(diag, ERR_INVALID, "\"%s\" is a number of milliseconds from 1 up", key);
    *out_ns = (int64_t)n->number * NS_PER_MS;
    return 0;
}

static int read_flag(const struct codec_json *v, const char *key, bool *out, struct diag *diag)
{
    const struct codec_json *b = codec_json_get(v, key);
    if (!b || b->kind == CODEC_JSON_NULL)
        return 0;
    if (b->kind != CODEC_JSON_BOOL)
        return diag_set(diag, ERR_INVALID, "\"%s\" is true or false", key);
    *out = b->boolean;
    return 0;
}

static int read_item(const struct codec_json *v, struct multi_item *it, int64_t now_ns,
                     struct diag *diag)
{
    const struct codec_json *limit = codec_json_get(v, "limit");
    struct slice type = codec_json_get_string(v, "type"), lang = codec_json_get_string(v, "lang");
    if (v->kind != CODEC_JSON_OBJECT)
        return diag_set(diag, ERR_INVALID, "a query is an object");
    it->id = codec_json_get_string(v, "id");
    it->text = codec_json_get_string(v, "query");
    it->lang = lang.ptr ? lang : SLICE("promql");
    it->expression = codec_json_get(v, "expression");
    it->ref = codec_json_get_string(v, "ref");
    it->scope = codec_json_get_string(v, "scope");
    it->same_as = NOBODY;
    it->align = true;
    if (!it->ref.ptr)
        it->ref = it->id;
    if (!it->id.ptr || (!it->text.ptr && !it->expression))
        return diag_set(diag, ERR_INVALID,
                        "a query has the texts \"id\" and \"query\", or an \"expression\"");
    if (it->expression && it->expression->kind != CODEC_JSON_OBJECT)
        return diag_set(
            diag, ERR_INVALID,
            "\"expression\" is an object like {\"type\":\"math\",\"expression\":\"$A + 1\"}");
    if (it->expression && it->text.ptr)
        return diag_set(diag, ERR_INVALID,
                        "a query has a \"query\" or an \"expression\", not both");
    if (it->text.len > TEXT_MAX || it->id.len > 1000 || it->ref.len > 1000 || it->scope.len > 1000)
        return diag_set(diag, ERR_INVALID,
                        "a query has at most %d bytes, its id, ref and scope 1000", TEXT_MAX);
    if (type.ptr && !slice_eq_cstr(type, "range") && !slice_eq_cstr(type, "instant"))
        return diag_set(diag, ERR_INVALID, "\"type\" is range or instant, here it is %.*s",
                        SLICE_FMT(type));
    it->instant = type.ptr && slice_eq_cstr(type, "instant");
    if (limit && limit->kind == CODEC_JSON_NUMBER && limit->number >= 0 && limit->number < 1e15)
        it->limit = (size_t)limit->number;
    else if (limit && limit->kind != CODEC_JSON_NULL)
        return diag_set(diag, ERR_INVALID, "\"limit\" is a number of series, 0 = all");
    int err = read_time(v, "from", now_ns, false, &it->from_ns, diag);
    if (!err)
        err = read_time(v, "to", now_ns, true, &it->to_ns, diag);
    if (!err)
        err = read_ms(v, "step_ms", &it->step_ns, diag);
    if (!err)
        err = read_ms(v, "timeout_ms", &it->timeout_ns, diag);
    if (!err)
        err = read_flag(v, "explain", &it->explain, diag);
    if (!err)
        err = read_flag(v, "stats", &it->stats, diag);
    if (!err)
        err = read_flag(v, "exemplars", &it->exemplars, diag);
    if (!err)
        err = read_flag(v, "partial", &it->partial, diag);
    if (!err)
        err = read_flag(v, "hide", &it->hide, diag);
    return err ? err : read_flag(v, "align", &it->align, diag);
}

int multi__read(struct multi *m, struct slice body, struct diag *diag)
{
    struct api_host *host = m->api->host;
    struct codec_json root;
    struct multi_item shared = {0};
    int64_t now_ns = host->now_ns(host->ctx) / NS_PER_MS * NS_PER_MS;
    if (body.len > BODY_MAX)
        return diag_set(diag, ERR_INVALID, "the request has %zu bytes, %d may be", body.len,
                        BODY_MAX);
    int err = codec_json_parse(arena_slice(m->arena, body), m->arena, &root, diag);
    const struct codec_json *list = err ? NULL : codec_json_get(&root, "queries");
    if (err)
        return err;
    if (!list || list->kind != CODEC_JSON_ARRAY)
        return diag_set(diag, ERR_INVALID, "the request is an object with a list \"queries\"");
    if (list->count > QUERIES_MAX)
        return diag_set(diag, ERR_INVALID, "there are %zu queries, %d may be", list->count,
                        QUERIES_MAX);
    shared.from_ns = now_ns - 3600 * NS_PER_SEC;
    shared.to_ns = now_ns;
    err = read_time(&root, "from", now_ns, false, &shared.from_ns, diag);
    if (!err)
        err = read_time(&root, "to", now_ns, true, &shared.to_ns, diag);
    if (!err)
        err = read_flag(&root, "stats", &shared.stats, diag);
    if (!err)
        err = read_flag(&root, "explain", &shared.explain, diag);
    if (!err)
        err = read_flag(&root, "partial", &shared.partial, diag);
    m->items = ARENA_ARRAY(m->arena, struct multi_item, list->count + 1);
    for (size_t i = 0; i < list->count && !err; i++) {
        m->items[i] = shared;
        err = read_item(&list->items[i], &m->items[i], now_ns, diag);
        if (err)
            diag_wrap(diag, "queries[%zu]", i);
        m->count = i + 1;
    }
    return err;
}
