/* Health, who one is, preferences, and what a client of Grafana asks first. */
#include "api/grafana/grafana_priv.h"

#define PREFERENCES     "preferences"
#define PREFERENCES_MAX (64 << 10)

/* Answered without the catalogue too. */
void grafana__health(struct api_call *call)
{
    struct api *api = call->api;
    struct codec_json_writer w;
    struct buf out = {0};
    struct diag diag;
    diag_init(&diag);
    bool ok = api->catalog && !store_catalog_health(api->catalog, &diag);
    codec_json_init(&w, &out);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "database", ok ? SLICE("ok") : SLICE("failing"));
    codec_json_put_string(&w, "version", SLICE(GRAFANA_VERSION));
    codec_json_put_string(&w, "commit", slice_cstr(api->host->revision));
    if (!ok && diag.code)
        codec_json_put_string(&w, "error", slice_cstr(diag.msg));
    codec_json_end_object(&w);
    net_response_header(call->req, "Cache-Control", SLICE("no-store"));
    api__respond_json(call->req, ok ? 200 : 503, buf_slice(&out));
    buf_deinit(&out);
}

static void user(struct grafana *g)
{
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", grafana__user_id(g));
    codec_json_put_string(w, "uid", g->login);
    codec_json_put_string(w, "email", SLICE(""));
    codec_json_put_string(w, "name", g->login);
    codec_json_put_string(w, "login", g->login);
    codec_json_put_string(w, "theme", SLICE(""));
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_bool(w, "isGrafanaAdmin", true);
    codec_json_put_bool(w, "isDisabled", false);
    codec_json_put_bool(w, "isExternal", false);
    codec_json_put_string(w, "avatarUrl", SLICE(""));
    grafana__put_time(g, "createdAt", g->job->api->host->started_ns);
    grafana__put_time(g, "updatedAt", g->job->api->host->started_ns);
    codec_json_end_object(w);
}

static void put_org(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", 1);
    codec_json_put_string(&g->w, "name", SLICE("Main Org."));
    codec_json_end_object(&g->w);
}

static void org(struct grafana *g)
{
    put_org(g);
}

static void org_list(struct grafana *g)
{
    codec_json_begin_array(&g->w);
    put_org(g);
    codec_json_end_array(&g->w);
}

static void user_orgs(struct grafana *g)
{
    codec_json_begin_array(&g->w);
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "orgId", 1);
    codec_json_put_string(&g->w, "name", SLICE("Main Org."));
    codec_json_put_string(&g->w, "role", SLICE("Admin"));
    codec_json_end_object(&g->w);
    codec_json_end_array(&g->w);
}

static void org_get(struct grafana *g)
{
    if (slice_eq_cstr(grafana__arg(g, 0), "1") || slice_eq_cstr(grafana__arg(g, 0), "Main Org."))
        put_org(g);
    else
        grafana__fail(g, 404, NULL, "organization not found: there is one, with id 1");
}

static void login_ping(struct grafana *g)
{
    grafana__message(g, "Logged in");
}

static void build_info(struct grafana *g)
{
    struct api_host *host = g->job->api->host;
    codec_json_key(&g->w, SLICE("buildInfo"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "version", SLICE(GRAFANA_VERSION));
    codec_json_put_string(&g->w, "commit", slice_cstr(host->revision));
    codec_json_put_string(&g->w, "edition", SLICE("Open Source"));
    codec_json_put_string(&g->w, "env", SLICE("production"));
    codec_json_put_string(&g->w, "pharosVersion", slice_cstr(host->version));
    codec_json_put_bool(&g->w, "hasUpdate", false);
    codec_json_end_object(&g->w);
}

static void frontend_settings(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    build_info(g);
    codec_json_put_string(&g->w, "defaultDatasource", SLICE("prometheus"));
    codec_json_key(&g->w, SLICE("datasources"));
    grafana__put_sources_map(g);
    codec_json_key(&g->w, SLICE("featureToggles"));
    codec_json_begin_object(&g->w);
    codec_json_end_object(&g->w);
    codec_json_put_string(&g->w, "appSubUrl", SLICE(""));
    codec_json_put_bool(&g->w, "anonymousEnabled", false);
    codec_json_end_object(&g->w);
}

/* --- preferences: a few keys that Grafana has, and whatever else is put there --- */

static struct slice owner(struct grafana *g)
{
    return slice_starts_with(g->call->path, SLICE("/api/org"))
               ? SLICE("org")
               : arena_printf(g->arena, "user:%.*s", SLICE_FMT(g->login));
}

static struct slice stored_preferences(struct grafana *g)
{
    struct store_document doc;
    return store_document_get(g->catalog, PREFERENCES, owner(g), SLICE(""), g->arena, &doc, NULL)
               ? SLICE("{}")
               : doc.body;
}

static bool has_key(const struct grafana_member *m, size_t count, struct slice key)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(m[i].key, key))
            return true;
    }
    return false;
}

/* Members of `over` win. */
static int merge(struct grafana *g, struct slice under, struct slice over, struct buf *out)
{
    struct grafana_member *a, *b;
    size_t a_count, b_count;
    struct codec_json_writer w;
    int err = grafana__members(under, g->arena, &a, &a_count, &g->diag);
    if (!err)
        err = grafana__members(over, g->arena, &b, &b_count, &g->diag);
    if (err)
        return err;
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    for (size_t i = 0; i < a_count; i++) {
        if (has_key(b, b_count, a[i].key) || has_key(a, i, a[i].key))
            continue;
        codec_json_key(&w, a[i].key);
        codec_json_raw(&w, a[i].value);
    }
    for (size_t i = 0; i < b_count; i++) {
        if (has_key(b, i, b[i].key))
            continue;
        codec_json_key(&w, b[i].key);
        codec_json_raw(&w, b[i].value);
    }
    codec_json_end_object(&w);
    return 0;
}

static void preferences_get(struct grafana *g)
{
    static const struct slice defaults = SLICE_INIT(
        "{\"theme\":\"\",\"homeDashboardId\":0,\"homeDashboardUID\":\"\",\"timezone\":\"\","
        "\"weekStart\":\"\",\"language\":\"\"}");
    int err = merge(g, defaults, stored_preferences(g), &g->job->out);
    if (err)
        grafana__fail_err(g, err);
}

static void put_preferences(struct grafana *g, struct slice under)
{
    struct buf body = {0};
    int err = g->body && g->body->kind == CODEC_JSON_OBJECT
                  ? merge(g, under, g->text, &body)
                  : diag_set(&g->diag, ERR_INVALID, "preferences are a JSON object");
    if (!err && body.len > PREFERENCES_MAX)
        err = diag_set(&g->diag, ERR_TOO_LARGE, "preferences have %zu bytes, %d are allowed",
                       body.len, PREFERENCES_MAX);
    struct store_document doc = {
        .kind = SLICE(PREFERENCES), .key = owner(g), .login = g->login, .body = buf_slice(&body)};
    if (!err)
        err = store_document_put(g->catalog, &doc, false, &g->diag);
    buf_deinit(&body);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Preferences updated");
}

static void preferences_put(struct grafana *g)
{
    put_preferences(g, SLICE("{}"));
}

static void preferences_patch(struct grafana *g)
{
    put_preferences(g, stored_preferences(g));
}

GRAFANA_HANDLER(user)
GRAFANA_HANDLER(org)
GRAFANA_HANDLER(org_list)
GRAFANA_HANDLER(user_orgs)
GRAFANA_HANDLER(org_get)
GRAFANA_HANDLER(login_ping)
GRAFANA_HANDLER(frontend_settings)
GRAFANA_HANDLER(preferences_get)
GRAFANA_HANDLER(preferences_put)
GRAFANA_HANDLER(preferences_patch)
