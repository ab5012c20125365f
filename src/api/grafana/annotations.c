/* /api/annotations: events that are drawn over panels. */
#include "api/grafana/grafana_priv.h"

#define FIND_MAX 10000
#define TIME_MAX (INT64_MAX / NS_PER_MS) /* ms */

static void put_annotation(struct grafana *g, const struct store_annotation *a)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", a->id);
    codec_json_put_int(w, "alertId", 0);
    codec_json_put_string(w, "alertName", SLICE(""));
    codec_json_put_int(w, "dashboardId", 0);
    if (a->dashboard_uid.len) {
        codec_json_put_string(w, "dashboardUID", a->dashboard_uid);
    } else {
        codec_json_key(w, SLICE("dashboardUID"));
        codec_json_null(w);
    }
    codec_json_put_int(w, "panelId", a->panel_id);
    codec_json_put_int(w, "userId", a->login.len ? 1 : 0);
    codec_json_put_string(w, "newState", SLICE(""));
    codec_json_put_string(w, "prevState", SLICE(""));
    grafana__put_ms(g, "created", a->created_ns);
    grafana__put_ms(g, "updated", a->updated_ns);
    grafana__put_ms(g, "time", a->time_ns);
    grafana__put_ms(g, "timeEnd", a->time_end_ns);
    codec_json_put_string(w, "text", a->text);
    grafana__put_tags(g, "tags", a->tags, a->tag_count);
    codec_json_put_string(w, "login", a->login);
    codec_json_put_string(w, "email", SLICE(""));
    codec_json_put_string(w, "avatarUrl", SLICE(""));
    codec_json_key(w, SLICE("data"));
    codec_json_raw(w, a->data.len ? a->data : SLICE("{}"));
    codec_json_end_object(w);
}

/* dashboardUID, or a dashboard's number of old; ptr NULL when neither is said. */
static struct slice read_dashboard(struct grafana *g, struct slice uid, int64_t id)
{
    struct store_dashboard d;
    if (uid.len)
        return uid;
    if (id > 0 &&
        !store_dashboard_get(g->catalog, (struct slice){0}, id, SLICE(""), g->arena, &d, NULL))
        return d.uid;
    return id > 0 ? SLICE("?") : (struct slice){0}; /* no dashboard has this uid */
}

static void annotation_find(struct grafana *g)
{
    struct store_annotation_find find = {
        .from_ns = MIN(MAX(grafana__param_int(g, "from", 0), -TIME_MAX), TIME_MAX) * NS_PER_MS,
        .to_ns = MIN(MAX(grafana__param_int(g, "to", 0), -TIME_MAX), TIME_MAX) * NS_PER_MS,
        .panel_id = grafana__param_int(g, "panelId", 0),
        .match_any = slice_eq_cstr(grafana__param(g, "matchAny"), "true"),
        .limit = (size_t)MIN(MAX(grafana__param_int(g, "limit", 100), 1), FIND_MAX)};
    struct store_annotation *found;
    struct slice tags[64], v;
    size_t count;
    if (find.from_ns && !find.to_ns)
        find.to_ns = INT64_MAX;
    find.dashboard_uid = read_dashboard(g, grafana__param(g, "dashboardUID"),
                                        grafana__param_int(g, "dashboardId", 0));
    for (size_t i = 0;
         find.tag_count < ARRAY_LEN(tags) && (v = net_request_param_at(g->req, "tags", i)).ptr;
         i++) {
        if (v.len)
            tags[find.tag_count++] = v;
    }
    find.tags = tags;
    if (slice_eq_cstr(grafana__param(g, "type"), "alert")) { /* those of rules are no rows here */
        codec_json_begin_array(&g->w);
        codec_json_end_array(&g->w);
        return;
    }
    int err = store_annotation_find(g->catalog, &find, g->arena, &found, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++)
        put_annotation(g, &found[i]);
    codec_json_end_array(&g->w);
}

/* Fields of the body over those in *a; false when it answered. */
static bool read_body(struct grafana *g, struct store_annotation *a)
{
    const struct codec_json *tags = codec_json_get(g->body, "tags");
    const struct codec_json *data = codec_json_get(g->body, "data");
    int64_t time = grafana__int(g->body, "time", 0), end = grafana__int(g->body, "timeEnd", 0);
    if (time < -TIME_MAX || time > TIME_MAX || end < -TIME_MAX || end > TIME_MAX) {
        grafana__fail(g, 400, NULL, "time and timeEnd are milliseconds since 1970");
        return false;
    }
    if (codec_json_get(g->body, "text"))
        a->text = grafana__string(g->body, "text");
    if (tags)
        a->tags = grafana__strings(g, g->body, "tags", &a->tag_count);
    if (data && data->kind == CODEC_JSON_OBJECT)
        a->data = grafana__raw(g->text, "data", g->arena);
    if (time)
        a->time_ns = time * NS_PER_MS;
    if (end)
        a->time_end_ns = end * NS_PER_MS;
    if (a->time_end_ns < a->time_ns) {
        int64_t t_ns = a->time_ns;
        a->time_ns = end ? a->time_end_ns : t_ns;
        a->time_end_ns = t_ns;
    }
    return true;
}

static void added(struct grafana *g, struct store_annotation *a, const char *message)
{
    int err = store_annotation_add(g->catalog, a, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", a->id);
    codec_json_put_string(&g->w, "message", slice_cstr(message));
    codec_json_end_object(&g->w);
}

static void annotation_add(struct grafana *g)
{
    struct api_host *host = g->job->api->host;
    struct store_annotation a = {.panel_id = grafana__int(g->body, "panelId", 0),
                                 .text = SLICE(""),
                                 .data = SLICE(""),
                                 .login = g->login};
    struct store_dashboard d;
    a.dashboard_uid = read_dashboard(g, grafana__string(g->body, "dashboardUID"),
                                     grafana__int(g->body, "dashboardId", 0));
    if (!read_body(g, &a))
        return;
    if (!a.text.len) {
        grafana__fail(g, 400, NULL, "text field should not be empty");
        return;
    }
    if (a.dashboard_uid.ptr && store_dashboard_get(g->catalog, a.dashboard_uid, 0, SLICE(""),
                                                   g->arena, &d, NULL) == ERR_NOT_FOUND) {
        grafana__fail(g, 404, "not-found", "Dashboard not found");
        return;
    }
    if (!a.time_ns)
        a.time_ns = host->now_ns(host->ctx) / NS_PER_MS * NS_PER_MS;
    a.time_end_ns = MAX(a.time_end_ns, a.time_ns);
    added(g, &a, "Annotation added");
}

/* Graphite's form: what, tags (text or list), when (s), data. */
static void annotation_graphite(struct grafana *g)
{
    struct api_host *host = g->job->api->host;
    struct slice what = grafana__string(g->body, "what"), data = grafana__string(g->body, "data");
    struct slice tags = grafana__string(g->body, "tags"), tag;
    int64_t when = grafana__int(g->body, "when", 0);
    struct store_annotation a = {.data = SLICE(""), .login = g->login};
    if (!what.len) {
        grafana__fail(g, 400, NULL, "what field should not be empty");
        return;
    }
    if (when < 0 || when > TIME_MAX / 1000) {
        grafana__fail(g, 400, NULL, "when is seconds since 1970");
        return;
    }
    a.text =
        data.len ? arena_printf(g->arena, "%.*s\n%.*s", SLICE_FMT(what), SLICE_FMT(data)) : what;
    a.tags = grafana__strings(g, g->body, "tags", &a.tag_count);
    if (tags.len) {
        a.tags = ARENA_ARRAY(g->arena, struct slice, tags.len);
        while (a.tags && slice_split(&tags, ' ', &tag)) {
            if (tag.len)
                a.tags[a.tag_count++] = tag;
            if (!tags.ptr)
                break;
        }
    }
    a.time_ns = when ? when * NS_PER_SEC : host->now_ns(host->ctx) / NS_PER_MS * NS_PER_MS;
    a.time_end_ns = a.time_ns;
    added(g, &a, "Graphite annotation added");
}

/* The one of the path; false when it answered. */
static bool find_one(struct grafana *g, struct store_annotation *a)
{
    struct slice id = grafana__arg(g, 0);
    int64_t n = 0;
    for (size_t i = 0; i < id.len && n >= 0; i++)
        n = id.ptr[i] >= '0' && id.ptr[i] <= '9' && n < INT64_MAX / 16 ? n * 10 + id.ptr[i] - '0'
                                                                       : -1;
    int err = n > 0 ? store_annotation_get(g->catalog, n, g->arena, a, &g->diag)
                    : diag_set(&g->diag, ERR_INVALID, "annotationId is invalid");
    if (err)
        grafana__fail_err(g, err);
    return !err;
}

static void annotation_get(struct grafana *g)
{
    struct store_annotation a;
    if (find_one(g, &a))
        put_annotation(g, &a);
}

static void change(struct grafana *g, bool whole)
{
    struct store_annotation a;
    if (!find_one(g, &a))
        return;
    if (whole) {
        a.text = SLICE("");
        a.tag_count = 0;
    }
    if (!read_body(g, &a))
        return;
    int err = store_annotation_update(g->catalog, &a, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, whole ? "Annotation updated" : "Annotation patched");
}

static void annotation_put(struct grafana *g)
{
    change(g, true);
}

static void annotation_patch(struct grafana *g)
{
    change(g, false);
}

static void annotation_delete(struct grafana *g)
{
    struct store_annotation a;
    if (!find_one(g, &a))
        return;
    int err = store_annotation_delete(g->catalog, a.id, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Annotation deleted");
}

static void annotation_mass_delete(struct grafana *g)
{
    int64_t id = grafana__int(g->body, "annotationId", 0);
    struct slice uid = read_dashboard(g, grafana__string(g->body, "dashboardUID"),
                                      grafana__int(g->body, "dashboardId", 0));
    int err;
    if (id > 0)
        err = store_annotation_delete(g->catalog, id, &g->diag);
    else if (uid.ptr)
        err = store_annotation_delete_of(g->catalog, uid, grafana__int(g->body, "panelId", 0),
                                         &g->diag);
    else
        err = diag_set(&g->diag, ERR_INVALID, "annotationId, or dashboardUID with panelId");
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Annotations deleted");
}

static void annotation_tags(struct grafana *g)
{
    struct store_annotation_find find = {.limit = 100000};
    struct store_annotation *found;
    size_t count, pos = 0, limit = (size_t)MAX(grafana__param_int(g, "limit", 100), 1);
    struct slice want = grafana__param(g, "tag");
    struct map_entry *e;
    int err = store_annotation_find(g->catalog, &find, g->arena, &found, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct map *tags = map_new();
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < found[i].tag_count; k++) {
            if (slice_find(found[i].tags[k], want) >= 0)
                map_put(tags, found[i].tags[k], NULL)->value.u64++;
        }
    }
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("result"));
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("tags"));
    codec_json_begin_array(&g->w);
    while (limit-- && (e = map_next(tags, &pos))) {
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "tag", e->key);
        codec_json_put_int(&g->w, "count", (int64_t)e->value.u64);
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
    map_free(tags);
}

GRAFANA_HANDLER(annotation_find)
GRAFANA_HANDLER(annotation_add)
GRAFANA_HANDLER(annotation_graphite)
GRAFANA_HANDLER(annotation_get)
GRAFANA_HANDLER(annotation_put)
GRAFANA_HANDLER(annotation_patch)
GRAFANA_HANDLER(annotation_delete)
GRAFANA_HANDLER(annotation_mass_delete)
GRAFANA_HANDLER(annotation_tags)
