/* /api/dashboards: reading, saving, history, tags, stars. */
#include "api/grafana/grafana_priv.h"

#include "net/url.h"

static void put_url(struct grafana *g, const char *key, struct slice uid, struct slice slug)
{
    struct buf url = {0};
    buf_printf(&url, "/d/%.*s/", SLICE_FMT(uid));
    net_url_encode(slug, &url);
    codec_json_put_string(&g->w, key, buf_slice(&url));
    buf_deinit(&url);
}

static void put_meta(struct grafana *g, const struct store_dashboard *d)
{
    struct codec_json_writer *w = &g->w;
    struct store_folder folder = {0};
    bool shipped = slice_starts_with(d->origin, SLICE("shipped:"));
    struct store_document *links;
    size_t link_count = 0;
    bool open = false;
    if (d->folder_uid.len)
        (void)!store_folder_get(g->catalog, d->folder_uid, 0, g->arena, &folder, NULL);
    if (!store_document_list(g->catalog, "public dashboard", d->uid, true, g->arena, &links,
                             &link_count, NULL) &&
        link_count) {
        struct codec_json v;
        if (!codec_json_parse(links[0].body, g->arena, &v, NULL))
            open = grafana__bool(&v, "isEnabled", false);
    }
    codec_json_begin_object(w);
    codec_json_put_string(w, "type", SLICE("db"));
    codec_json_put_bool(w, "canSave", !d->read_only);
    codec_json_put_bool(w, "canEdit", !d->read_only);
    codec_json_put_bool(w, "canAdmin", !d->read_only);
    codec_json_put_bool(w, "canDelete", !d->read_only);
    codec_json_put_bool(w, "canStar", true);
    codec_json_put_string(w, "slug", d->slug);
    put_url(g, "url", d->uid, d->slug);
    grafana__put_time(g, "expires", 0);
    grafana__put_time(g, "created", d->created_ns);
    grafana__put_time(g, "updated", d->updated_ns);
    codec_json_put_string(w, "updatedBy", d->updated_by);
    codec_json_put_string(w, "createdBy", d->created_by);
    codec_json_put_int(w, "version", d->version);
    codec_json_put_bool(w, "hasAcl", false);
    codec_json_put_bool(w, "isFolder", false);
    codec_json_put_bool(w, "isStarred", d->starred);
    codec_json_put_bool(w, "isSnapshot", false);
    codec_json_put_int(w, "folderId", folder.id);
    codec_json_put_string(w, "folderUid", d->folder_uid);
    codec_json_put_string(w, "folderTitle", d->folder_uid.len ? folder.title : SLICE("General"));
    struct buf url = {0};
    if (d->folder_uid.len) {
        buf_printf(&url, "/dashboards/f/%.*s/", SLICE_FMT(d->folder_uid));
        net_url_encode(folder.slug, &url);
    }
    codec_json_put_string(w, "folderUrl", buf_slice(&url));
    buf_deinit(&url);
    codec_json_put_bool(w, "provisioned", d->read_only || d->origin.len > 0);
    struct slice file = d->origin;
    struct slice part;
    if (file.len && slice_split(&file, ':', &part) && file.ptr)
        slice_split(&file, ':', &part);
    codec_json_put_string(w, "provisionedExternalId", d->origin.len && file.ptr ? file : SLICE(""));
    codec_json_put_bool(w, "publicDashboardEnabled", open);
    codec_json_put_bool(w, "shipped", shipped);
    if (d->api_version.len)
        codec_json_put_string(w, "apiVersion", d->api_version);
    codec_json_end_object(w);
}

void grafana__put_dashboard(struct grafana *g, const struct store_dashboard *d)
{
    struct buf body = {0};
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("meta"));
    put_meta(g, d);
    grafana__put_document(d->body, d->api_version, d->id, d->uid, d->version, g->arena, &body);
    codec_json_key(&g->w, SLICE("dashboard"));
    codec_json_raw(&g->w, buf_slice(&body));
    codec_json_end_object(&g->w);
    buf_deinit(&body);
}

static void dashboard_get(struct grafana *g)
{
    struct store_dashboard d;
    int err =
        store_dashboard_get(g->catalog, grafana__arg(g, 0), 0, g->login, g->arena, &d, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__put_dashboard(g, &d);
}

static void dashboard_home(struct grafana *g)
{
    struct store_document doc;
    struct codec_json v;
    struct store_dashboard d;
    struct slice uid = SLICE("");
    static const char *const owners[] = {"user", "org"};
    for (size_t i = 0; i < ARRAY_LEN(owners) && !uid.len; i++) {
        struct slice key =
            i ? SLICE("org") : arena_printf(g->arena, "user:%.*s", SLICE_FMT(g->login));
        if (!store_document_get(g->catalog, "preferences", key, SLICE(""), g->arena, &doc, NULL) &&
            !codec_json_parse(doc.body, g->arena, &v, NULL))
            uid = grafana__string(&v, "homeDashboardUID");
    }
    if (uid.len && !store_dashboard_get(g->catalog, uid, 0, g->login, g->arena, &d, NULL)) {
        codec_json_begin_object(&g->w);
        codec_json_key(&g->w, SLICE("redirectUri"));
        struct slice url =
            arena_printf(g->arena, "/d/%.*s/%.*s", SLICE_FMT(d.uid), SLICE_FMT(d.slug));
        codec_json_string(&g->w, url);
        codec_json_end_object(&g->w);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "redirectUri", SLICE("/"));
    codec_json_end_object(&g->w);
}

/* --- saving --- */

/* The host writes a dashboard's file when it has one. */
int grafana__before_commit(void *ctx, const struct store_dashboard *before,
                           struct store_dashboard *after, struct diag *diag)
{
    struct api_host *host = ctx;
    return host->dashboard_changes ? host->dashboard_changes(host->ctx, before, after, diag) : 0;
}

bool grafana__save(struct grafana *g, struct store_dashboard_save *save,
                   struct store_dashboard *out)
{
    save->login = g->login;
    save->before_commit = grafana__before_commit;
    save->ctx = g->job->api->host;
    int err = store_dashboard_save(g->catalog, save, g->arena, out, &g->diag);
    if (err == ERR_NOT_FOUND && save->folder_uid.len && !save->id)
        grafana__fail(g, 404, "not-found", "folder not found");
    else if (err)
        grafana__fail_err(g, err);
    return !err;
}

void grafana__put_saved(struct grafana *g, const struct store_dashboard *d)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "folderUid", d->folder_uid);
    codec_json_put_int(&g->w, "id", d->id);
    codec_json_put_string(&g->w, "slug", d->slug);
    codec_json_put_string(&g->w, "status", SLICE("success"));
    codec_json_put_string(&g->w, "uid", d->uid);
    put_url(g, "url", d->uid, d->slug);
    codec_json_put_int(&g->w, "version", d->version);
    codec_json_end_object(&g->w);
}

/* folderUid, or a folder's number of old. False when it answered. */
static bool read_folder(struct grafana *g, struct slice *out)
{
    struct store_folder f;
    int64_t id = grafana__int(g->body, "folderId", 0);
    *out = grafana__folder_uid(grafana__string(g->body, "folderUid"));
    if (out->len || id <= 0)
        return true;
    int err = store_folder_get(g->catalog, (struct slice){0}, id, g->arena, &f, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    *out = f.uid;
    return !err;
}

static void dashboard_save(struct grafana *g)
{
    struct grafana_document doc;
    struct store_dashboard_save save = {0};
    struct store_dashboard d;
    if (!read_folder(g, &save.folder_uid))
        return;
    int err =
        grafana__document(codec_json_get(g->body, "dashboard"),
                          grafana__raw(g->text, "dashboard", g->arena), g->arena, &doc, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    save.id = doc.id;
    save.uid = doc.uid;
    save.title = doc.title;
    save.version = doc.version >= 0 && !doc.api_version.len
                       ? doc.version
                       : grafana__int(g->body, "version", MAX(doc.version, 0));
    if (!save.folder_uid.len && !codec_json_get(g->body, "folderUid"))
        save.folder_uid = grafana__folder_uid(doc.folder_uid);
    save.api_version = doc.api_version;
    save.body = doc.body;
    save.tags = doc.tags;
    save.tag_count = doc.tag_count;
    save.message = grafana__string(g->body, "message");
    save.overwrite = grafana__bool(g->body, "overwrite", false);
    if (grafana__save(g, &save, &d))
        grafana__put_saved(g, &d);
}

static void dashboard_delete(struct grafana *g)
{
    struct store_dashboard d;
    struct slice uid = grafana__arg(g, 0);
    int err = store_dashboard_get(g->catalog, uid, 0, g->login, g->arena, &d, &g->diag);
    if (!err)
        err = store_dashboard_delete(g->catalog, uid, false, grafana__before_commit,
                                     g->job->api->host, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct slice message = arena_printf(g->arena, "Dashboard %.*s deleted", SLICE_FMT(d.title));
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", d.id);
    codec_json_put_string(&g->w, "message", message);
    codec_json_put_string(&g->w, "title", d.title);
    codec_json_put_string(&g->w, "uid", d.uid);
    codec_json_end_object(&g->w);
}

static void dashboard_tags(struct grafana *g)
{
    struct store_dashboard *all;
    size_t count;
    struct map *terms = map_new();
    struct map_entry *e;
    size_t pos = 0;
    int err = store_dashboard_list(g->catalog, g->login, g->arena, &all, &count, &g->diag);
    if (err) {
        map_free(terms);
        grafana__fail_err(g, err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < all[i].tag_count && !all[i].hidden; k++)
            map_put(terms, all[i].tags[k], NULL)->value.u64++;
    }
    codec_json_begin_array(&g->w);
    while ((e = map_next(terms, &pos))) {
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "term", e->key);
        codec_json_put_int(&g->w, "count", (int64_t)e->value.u64);
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
    map_free(terms);
}

/* --- history --- */

static void put_version(struct grafana *g, const struct store_dashboard_version *v,
                        const struct store_dashboard *d)
{
    struct codec_json_writer *w = &g->w;
    struct buf body = {0};
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", v->id);
    codec_json_put_int(w, "dashboardId", v->dashboard_id);
    codec_json_put_string(w, "uid", d->uid);
    codec_json_put_int(w, "parentVersion", v->parent);
    codec_json_put_int(w, "restoredFrom", v->restored_from);
    codec_json_put_int(w, "version", v->version);
    grafana__put_time(g, "created", v->created_ns);
    codec_json_put_string(w, "createdBy", v->created_by);
    codec_json_put_string(w, "message", v->message);
    if (v->body.ptr) {
        struct codec_json json;
        bool resource = !codec_json_parse(v->body, g->arena, &json, NULL) &&
                        codec_json_get(&json, "spec") && codec_json_get(&json, "apiVersion");
        grafana__put_document(v->body, resource ? SLICE("resource") : SLICE(""), d->id, d->uid,
                              v->version, g->arena, &body);
        codec_json_key(w, SLICE("data"));
        codec_json_raw(w, buf_slice(&body));
    }
    codec_json_end_object(w);
    buf_deinit(&body);
}

static void versions_list(struct grafana *g)
{
    struct store_dashboard d;
    struct store_dashboard_version *v;
    size_t count = 0, limit = (size_t)MAX(grafana__param_int(g, "limit", 0), 0);
    int64_t before = MAX(grafana__param_int(g, "start", 0), 0);
    struct slice token = grafana__param(g, "continueToken");
    if (token.len)
        before = grafana__param_int(g, "continueToken", 0);
    int err =
        store_dashboard_get(g->catalog, grafana__arg(g, 0), 0, g->login, g->arena, &d, &g->diag);
    if (!err)
        err = store_dashboard_versions(g->catalog, d.uid, before, limit ? limit + 1 : 0, g->arena,
                                       &v, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    bool more = limit && count > limit;
    count = more ? limit : count;
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "continueToken",
                          more ? arena_printf(g->arena, "%lld", (long long)v[count - 1].version)
                               : SLICE(""));
    codec_json_key(&g->w, SLICE("versions"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++)
        put_version(g, &v[i], &d);
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

/* The dashboard and one of its versions; false when it answered. */
static bool find_version(struct grafana *g, int64_t version, struct store_dashboard *d,
                         struct store_dashboard_version *v)
{
    int err =
        store_dashboard_get(g->catalog, grafana__arg(g, 0), 0, g->login, g->arena, d, &g->diag);
    if (!err)
        err = store_dashboard_version(g->catalog, d->uid, version, g->arena, v, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    return !err;
}

static int64_t number_of(struct slice s)
{
    struct codec_json v = {.kind = CODEC_JSON_STRING, .text = s};
    struct slice key = SLICE("n");
    struct codec_json o = {.kind = CODEC_JSON_OBJECT, .count = 1, .items = &v, .keys = &key};
    return grafana__int(&o, "n", -1);
}

static void version_get(struct grafana *g)
{
    struct store_dashboard d;
    struct store_dashboard_version v;
    if (find_version(g, number_of(grafana__arg(g, 1)), &d, &v))
        put_version(g, &v, &d);
}

static void version_restore(struct grafana *g)
{
    struct store_dashboard d;
    struct store_dashboard_version v;
    struct grafana_document doc;
    struct codec_json json;
    if (!find_version(g, grafana__int(g->body, "version", -1), &d, &v))
        return;
    int err = codec_json_parse(v.body, g->arena, &json, &g->diag);
    if (!err)
        err = grafana__document(&json, v.body, g->arena, &doc, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct store_dashboard_save save = {
        .id = d.id,
        .uid = d.uid,
        .title = doc.title,
        .version = d.version,
        .folder_uid = d.folder_uid,
        .api_version = doc.api_version,
        .body = doc.body,
        .tags = doc.tags,
        .tag_count = doc.tag_count,
        .restored_from = v.version,
        .message = arena_printf(g->arena, "Restored from version %lld", (long long)v.version)};
    if (grafana__save(g, &save, &d))
        grafana__put_saved(g, &d);
}

/* --- stars --- */

static void star(struct grafana *g, bool on)
{
    int err = store_dashboard_star(g->catalog, g->login, grafana__arg(g, 0), on, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, on ? "Dashboard starred!" : "Dashboard unstarred");
}

static void star_add(struct grafana *g)
{
    star(g, true);
}

static void star_remove(struct grafana *g)
{
    star(g, false);
}

static void star_list(struct grafana *g)
{
    struct slice *uids;
    size_t count;
    int err = store_dashboard_stars(g->catalog, g->login, g->arena, &uids, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++)
        codec_json_string(&g->w, uids[i]);
    codec_json_end_array(&g->w);
}

GRAFANA_HANDLER(dashboard_get)
GRAFANA_HANDLER(dashboard_home)
GRAFANA_HANDLER(dashboard_save)
GRAFANA_HANDLER(dashboard_delete)
GRAFANA_HANDLER(dashboard_tags)
GRAFANA_HANDLER(versions_list)
GRAFANA_HANDLER(version_get)
GRAFANA_HANDLER(version_restore)
GRAFANA_HANDLER(star_add)
GRAFANA_HANDLER(star_remove)
GRAFANA_HANDLER(star_list)
