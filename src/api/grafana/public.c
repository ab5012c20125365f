/* Public dashboards: one that may be looked at without signing in, by a token that cannot be
 * guessed. Its viewers see panels and results; queries stay here and are run as they were saved. */
#include "api/grafana/ds_query.h"

#define KIND      "public dashboard"
#define DEPTH_MAX 8 /* of panels in rows */

struct link {
    struct store_document doc; /* key uid, alias access token, parent dashboard */
    bool enabled, time_selection, annotations;
};

static void read_link(struct grafana *g, struct link *l)
{
    struct codec_json v;
    if (codec_json_parse(l->doc.body, g->arena, &v, NULL))
        return;
    l->enabled = grafana__bool(&v, "isEnabled", false);
    l->time_selection = grafana__bool(&v, "timeSelectionEnabled", false);
    l->annotations = grafana__bool(&v, "annotationsEnabled", false);
}

/* The link of the dashboard in the path. False when it answered. */
static bool find_link(struct grafana *g, struct link *l)
{
    struct store_document *all;
    size_t count = 0;
    int err = store_document_list(g->catalog, KIND, grafana__arg(g, 0), true, g->arena, &all,
                                  &count, &g->diag);
    struct slice uid = grafana__arg(g, 1);
    if (err) {
        grafana__fail_err(g, err);
        return false;
    }
    if (!count || (uid.len && !slice_eq(uid, all[0].key))) {
        grafana__fail(g, 404, NULL, "Public dashboard not found");
        return false;
    }
    *l = (struct link){.doc = all[0]};
    read_link(g, l);
    return true;
}

static void put_link(struct grafana *g, const struct link *l)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_string(w, "uid", l->doc.key);
    codec_json_put_string(w, "dashboardUid", l->doc.parent);
    codec_json_put_string(w, "accessToken", l->doc.alias);
    codec_json_put_bool(w, "isEnabled", l->enabled);
    codec_json_put_bool(w, "timeSelectionEnabled", l->time_selection);
    codec_json_put_bool(w, "annotationsEnabled", l->annotations);
    codec_json_put_string(w, "share", SLICE("public"));
    codec_json_put_int(w, "createdBy", 1);
    codec_json_put_int(w, "updatedBy", 1);
    grafana__put_time(g, "createdAt", l->doc.created_ns);
    grafana__put_time(g, "updatedAt", l->doc.updated_ns);
    codec_json_end_object(w);
}

static void save_link(struct grafana *g, struct link *l, bool create)
{
    l->enabled = grafana__bool(g->body, "isEnabled", l->enabled);
    l->time_selection = grafana__bool(g->body, "timeSelectionEnabled", l->time_selection);
    l->annotations = grafana__bool(g->body, "annotationsEnabled", l->annotations);
    l->doc.login = g->login;
    l->doc.body = arena_printf(
        g->arena, "{\"isEnabled\":%s,\"timeSelectionEnabled\":%s,\"annotationsEnabled\":%s}",
        l->enabled ? "true" : "false", l->time_selection ? "true" : "false",
        l->annotations ? "true" : "false");
    int err = store_document_put(g->catalog, &l->doc, create, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        put_link(g, l);
}

static void public_get(struct grafana *g)
{
    struct link l;
    if (find_link(g, &l))
        put_link(g, &l);
}

static void public_create(struct grafana *g)
{
    struct store_dashboard d;
    struct store_document *all;
    size_t count = 0;
    char uid[15], token[33];
    struct slice wanted = grafana__string(g->body, "uid");
    int err =
        store_dashboard_get(g->catalog, grafana__arg(g, 0), 0, g->login, g->arena, &d, &g->diag);
    if (!err)
        err = store_document_list(g->catalog, KIND, d.uid, false, g->arena, &all, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    if (count) {
        grafana__fail(g, 400, NULL, "this dashboard is public already");
        return;
    }
    if (wanted.len && !store_uid_valid(wanted)) {
        grafana__fail(g, 400, NULL, "the uid has 1 to 40 of a-z A-Z 0-9 - _");
        return;
    }
    store_catalog_random_id(g->catalog, uid, 14);
    store_catalog_random_id(g->catalog, token, 32); /* never the caller's choice */
    struct link l = {.doc = {.kind = SLICE(KIND),
                             .key = wanted.len ? wanted : slice_cstr(uid),
                             .alias = slice_cstr(token),
                             .parent = d.uid,
                             .title = d.title}};
    save_link(g, &l, true);
}

static void public_change(struct grafana *g)
{
    struct link l;
    if (find_link(g, &l))
        save_link(g, &l, false);
}

static void public_delete(struct grafana *g)
{
    struct link l;
    if (!find_link(g, &l))
        return;
    int err = store_document_delete(g->catalog, KIND, l.doc.key, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Public dashboard deleted");
}

static void public_list(struct grafana *g)
{
    struct store_document *all;
    size_t count;
    int err = store_document_list(g->catalog, KIND, (struct slice){0}, true, g->arena, &all, &count,
                                  &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("publicDashboards"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++) {
        struct link l = {.doc = all[i]};
        read_link(g, &l);
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "uid", l.doc.key);
        codec_json_put_string(&g->w, "accessToken", l.doc.alias);
        codec_json_put_string(&g->w, "title", l.doc.title);
        codec_json_put_string(&g->w, "dashboardUid", l.doc.parent);
        codec_json_put_bool(&g->w, "isEnabled", l.enabled);
        codec_json_put_string(&g->w, "slug", store_slug(l.doc.title, g->arena));
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
    codec_json_put_int(&g->w, "totalCount", (int64_t)count);
    codec_json_put_int(&g->w, "page", 1);
    codec_json_put_int(&g->w, "perPage", (int64_t)count);
    codec_json_end_object(&g->w);
}

/* --- what a viewer gets --- */

/* What a target shows of itself to a viewer. */
static bool is_shown(struct slice key)
{
    static const char *const keys[] = {"refId",  "hide",    "datasource", "legendFormat",
                                       "format", "instant", "range"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (slice_eq_cstr(key, keys[i]))
            return true;
    }
    return false;
}

enum place { IN_ANYTHING, IN_TARGETS };

/* A value as it was, without queries: those of panels, variables and annotations. */
static void put_value(const struct codec_json *v, enum place place, struct buf *out)
{
    switch (v->kind) {
    case CODEC_JSON_NULL: buf_append_cstr(out, "null"); return;
    case CODEC_JSON_BOOL: buf_append_cstr(out, v->boolean ? "true" : "false"); return;
    case CODEC_JSON_NUMBER: buf_append_slice(out, v->text); return;
    case CODEC_JSON_STRING: codec_json_append_string(out, v->text); return;
    case CODEC_JSON_ARRAY:
        buf_append_char(out, '[');
        for (size_t i = 0; i < v->count; i++) {
            buf_append_cstr(out, i ? "," : "");
            put_value(&v->items[i], place, out);
        }
        buf_append_char(out, ']');
        return;
    case CODEC_JSON_OBJECT: break;
    }
    bool first = true;
    buf_append_char(out, '{');
    for (size_t i = 0; i < v->count; i++) {
        struct slice key = v->keys[i];
        if (place == IN_TARGETS && !is_shown(key))
            continue;
        buf_append_cstr(out, first ? "" : ",");
        first = false;
        codec_json_append_string(out, key);
        buf_append_char(out, ':');
        if (slice_eq_cstr(key, "templating") || slice_eq_cstr(key, "annotations"))
            buf_append_cstr(out, "{\"list\":[]}");
        else
            put_value(&v->items[i],
                      slice_eq_cstr(key, "targets") && place == IN_ANYTHING ? IN_TARGETS
                                                                            : IN_ANYTHING,
                      out);
    }
    buf_append_char(out, '}');
}

/* Library panels of the dashboard, without their queries, as an export carries them:
 * `"uid":{"uid","name","kind","model"}` for each, commas between. */
static void put_elements(struct grafana *g, const struct codec_json *v, int depth, struct buf *out)
{
    const struct codec_json *panels = codec_json_get(v, "panels");
    if (!panels || panels->kind != CODEC_JSON_ARRAY || depth > DEPTH_MAX)
        return;
    for (size_t i = 0; i < panels->count; i++) {
        struct slice uid =
            grafana__string(codec_json_get(&panels->items[i], "libraryPanel"), "uid");
        struct slice name;
        struct codec_json model;
        if (grafana__library_model(g, uid, &model, &name)) {
            buf_append_cstr(out, out->len ? "," : "");
            codec_json_append_string(out, uid);
            buf_append_cstr(out, ":{\"uid\":");
            codec_json_append_string(out, uid);
            buf_append_cstr(out, ",\"name\":");
            codec_json_append_string(out, name);
            buf_append_cstr(out, ",\"kind\":1,\"model\":");
            put_value(&model, IN_ANYTHING, out);
            buf_append_char(out, '}');
        }
        put_elements(g, &panels->items[i], depth + 1, out);
    }
}

/* The dashboard of the token in the path; false when it answered. */
static bool find_public(struct grafana *g, struct link *l, struct store_dashboard *d,
                        struct codec_json *json)
{
    *l = (struct link){{{0}}};
    int err = store_document_get(g->catalog, KIND, (struct slice){0}, grafana__arg(g, 0), g->arena,
                                 &l->doc, NULL);
    if (!err)
        read_link(g, l);
    if (!err && l->enabled)
        err = store_dashboard_get(g->catalog, l->doc.parent, 0, SLICE(""), g->arena, d, NULL);
    if (!err && l->enabled)
        err = codec_json_parse(d->body, g->arena, json, NULL);
    if (err || !l->enabled || d->api_version.len) {
        grafana__fail(g, 404, NULL, "Public dashboard not found");
        return false;
    }
    return true;
}

static void public_view(struct grafana *g)
{
    struct link l;
    struct store_dashboard d;
    struct codec_json json;
    struct buf body = {0}, elements = {0};
    if (!find_public(g, &l, &d, &json))
        return;
    put_value(&json, IN_ANYTHING, &body);
    put_elements(g, &json, 0, &elements);
    if (elements.len && json.kind == CODEC_JSON_OBJECT) {
        body.len--; /* its closing brace */
        buf_append_cstr(&body, json.count ? ",\"__elements\":{" : "\"__elements\":{");
        buf_append_slice(&body, buf_slice(&elements));
        buf_append_cstr(&body, "}}");
    }
    buf_deinit(&elements);
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("meta"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "slug", d.slug);
    codec_json_put_string(&g->w, "type", SLICE("db"));
    codec_json_put_bool(&g->w, "canSave", false);
    codec_json_put_bool(&g->w, "canEdit", false);
    codec_json_put_bool(&g->w, "canStar", false);
    codec_json_put_int(&g->w, "version", d.version);
    codec_json_put_bool(&g->w, "publicDashboardEnabled", true);
    codec_json_put_bool(&g->w, "timeSelectionEnabled", l.time_selection);
    codec_json_put_bool(&g->w, "annotationsEnabled", l.annotations);
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("dashboard"));
    codec_json_raw(&g->w, buf_slice(&body));
    codec_json_end_object(&g->w);
    buf_deinit(&body);
}

static const struct codec_json *find_panel(const struct codec_json *v, int64_t id, int depth)
{
    const struct codec_json *panels = codec_json_get(v, "panels"), *found = NULL;
    if (!panels || panels->kind != CODEC_JSON_ARRAY || depth > DEPTH_MAX)
        return NULL;
    for (size_t i = 0; i < panels->count && !found; i++) {
        if (grafana__int(&panels->items[i], "id", -1) == id)
            return &panels->items[i];
        found = find_panel(&panels->items[i], id, depth + 1);
    }
    return found;
}

static void public_query(struct grafana *g)
{
    struct link l;
    struct store_dashboard d;
    struct codec_json json;
    int64_t id = -1;
    if (!find_public(g, &l, &d, &json))
        return;
    struct slice text = grafana__arg(g, 1);
    const struct codec_json *panel =
        codec_text_to_int(text, &id) && id >= 0 ? find_panel(&json, id, 0) : NULL;
    const struct codec_json *times = codec_json_get(g->body, "timeRange");
    if (!panel) {
        grafana__fail(g, 404, NULL, "panel not found in the public dashboard");
        return;
    }
    if (!l.time_selection || !times || times->kind != CODEC_JSON_OBJECT)
        times = codec_json_get(&json, "time");
    struct codec_json model;
    struct slice name;
    const struct codec_json *library = codec_json_get(panel, "libraryPanel");
    if (grafana__library_model(g, grafana__string(library, "uid"), &model, &name))
        panel = &model;
    grafana__answer_queries(g, codec_json_get(panel, "targets"), times);
}

void grafana__public_query(struct api_call *call)
{
    grafana__start_query(call, public_query, SLICE("default"));
}

GRAFANA_HANDLER(public_get)
GRAFANA_HANDLER(public_create)
GRAFANA_HANDLER(public_change)
GRAFANA_HANDLER(public_delete)
GRAFANA_HANDLER(public_list)
GRAFANA_HANDLER(public_view)
