/* Snapshots (a dashboard with its data, frozen) and playlists. */
#include "api/grafana/grafana_priv.h"

#define SNAPSHOT "snapshot"
#define PLAYLIST "playlist"

/* Where this server is for who asks. */
static struct slice base_url(struct grafana *g)
{
    struct slice host = net_request_header(g->req, "host");
    return arena_printf(g->arena, "%s://%.*s", net_request_is_tls(g->req) ? "https" : "http",
                        SLICE_FMT(host));
}

static void snapshot_create(struct grafana *g)
{
    struct api_host *host = g->job->api->host;
    const struct codec_json *dashboard = codec_json_get(g->body, "dashboard");
    struct slice raw = grafana__raw(g->text, "dashboard", g->arena);
    int64_t expires = grafana__int(g->body, "expires", 0);
    struct slice name = grafana__string(g->body, "name"), url = base_url(g);
    char key[33], delete_key[33];
    struct buf body = {0};
    if (!dashboard || dashboard->kind != CODEC_JSON_OBJECT || !raw.ptr) {
        grafana__fail(g, 400, NULL, "a snapshot has a dashboard");
        return;
    }
    store_catalog_random_id(g->catalog, key, 32);
    store_catalog_random_id(g->catalog, delete_key, 32);
    grafana__minify(raw, &body);
    struct store_document doc = {
        .kind = SLICE(SNAPSHOT),
        .key = slice_cstr(key),
        .alias = slice_cstr(delete_key),
        .title = name.len ? name : grafana__string(dashboard, "title"),
        .login = g->login,
        .body = buf_slice(&body),
        .expires_ns = expires > 0
                          ? host->now_ns(host->ctx) + MIN(expires, 100 * 365 * 86400LL) * NS_PER_SEC
                          : 0};
    int err = store_document_put(g->catalog, &doc, true, &g->diag);
    buf_deinit(&body);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "key", doc.key);
    codec_json_put_string(&g->w, "deleteKey", doc.alias);
    codec_json_put_string(
        &g->w, "url", arena_printf(g->arena, "%.*s/dashboard/snapshot/%s", SLICE_FMT(url), key));
    codec_json_put_string(
        &g->w, "deleteUrl",
        arena_printf(g->arena, "%.*s/api/snapshots-delete/%s", SLICE_FMT(url), delete_key));
    codec_json_put_int(&g->w, "id", 0);
    codec_json_end_object(&g->w);
}

static void snapshot_get(struct grafana *g)
{
    struct store_document doc;
    int err = store_document_get(g->catalog, SNAPSHOT, grafana__arg(g, 0), SLICE(""), g->arena,
                                 &doc, &g->diag);
    if (err == ERR_NOT_FOUND) {
        grafana__fail(g, 404, NULL, "Dashboard snapshot not found");
        return;
    }
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("meta"));
    codec_json_begin_object(&g->w);
    codec_json_put_bool(&g->w, "isSnapshot", true);
    codec_json_put_string(&g->w, "type", SLICE("snapshot"));
    codec_json_put_bool(&g->w, "canSave", false);
    codec_json_put_bool(&g->w, "canEdit", false);
    codec_json_put_bool(&g->w, "canStar", false);
    codec_json_put_string(&g->w, "slug", SLICE(""));
    codec_json_put_string(&g->w, "title", doc.title);
    grafana__put_time(g, "expires", doc.expires_ns);
    grafana__put_time(g, "created", doc.created_ns);
    codec_json_put_string(&g->w, "createdBy", doc.login);
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("dashboard"));
    codec_json_raw(&g->w, doc.body);
    codec_json_end_object(&g->w);
}

static void snapshot_list(struct grafana *g)
{
    struct store_document *all;
    size_t count;
    int err = store_document_list(g->catalog, SNAPSHOT, (struct slice){0}, false, g->arena, &all,
                                  &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++) {
        codec_json_begin_object(&g->w);
        codec_json_put_int(&g->w, "id", (int64_t)i + 1);
        codec_json_put_string(&g->w, "name", all[i].title);
        codec_json_put_string(&g->w, "key", all[i].key);
        codec_json_put_int(&g->w, "orgId", 1);
        codec_json_put_int(&g->w, "userId", 1);
        codec_json_put_bool(&g->w, "external", false);
        codec_json_put_string(&g->w, "externalUrl", SLICE(""));
        grafana__put_time(g, "expires", all[i].expires_ns);
        grafana__put_time(g, "created", all[i].created_ns);
        grafana__put_time(g, "updated", all[i].updated_ns);
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
}

static void remove_snapshot(struct grafana *g, struct slice key, struct slice alias)
{
    struct store_document doc;
    int err = store_document_get(g->catalog, SNAPSHOT, key, alias, g->arena, &doc, &g->diag);
    if (!err)
        err = store_document_delete(g->catalog, SNAPSHOT, doc.key, &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 404, NULL, "Dashboard snapshot not found");
    else if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Snapshot deleted");
}

static void snapshot_delete(struct grafana *g)
{
    remove_snapshot(g, grafana__arg(g, 0), SLICE(""));
}

static void snapshot_delete_key(struct grafana *g)
{
    remove_snapshot(g, (struct slice){0}, grafana__arg(g, 0));
}

/* --- playlists --- */

static void put_items(struct grafana *g, const struct codec_json *v)
{
    const struct codec_json *items = codec_json_get(v, "items");
    size_t count = items && items->kind == CODEC_JSON_ARRAY ? items->count : 0;
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++) {
        struct slice title = grafana__string(&items->items[i], "title");
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "type", grafana__string(&items->items[i], "type"));
        codec_json_put_string(&g->w, "value", grafana__string(&items->items[i], "value"));
        if (title.len)
            codec_json_put_string(&g->w, "title", title);
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
}

static void put_playlist(struct grafana *g, const struct store_document *doc, bool items)
{
    struct codec_json v = {0};
    bool good = !codec_json_parse(doc->body, g->arena, &v, NULL);
    struct slice interval = good ? grafana__string(&v, "interval") : SLICE("");
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "uid", doc->key);
    codec_json_put_string(&g->w, "name", doc->title);
    codec_json_put_string(&g->w, "interval", interval.len ? interval : SLICE("5m"));
    if (items) {
        codec_json_key(&g->w, SLICE("items"));
        put_items(g, good ? &v : NULL);
    }
    codec_json_end_object(&g->w);
}

static bool find_playlist(struct grafana *g, struct store_document *doc)
{
    int err = store_document_get(g->catalog, PLAYLIST, grafana__arg(g, 0), SLICE(""), g->arena, doc,
                                 &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 404, NULL, "Playlist not found");
    else if (err)
        grafana__fail_err(g, err);
    return !err;
}

static void playlist_list(struct grafana *g)
{
    struct store_document *all;
    size_t count;
    int err = store_document_list(g->catalog, PLAYLIST, (struct slice){0}, true, g->arena, &all,
                                  &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++)
        put_playlist(g, &all[i], false);
    codec_json_end_array(&g->w);
}

static void playlist_get(struct grafana *g)
{
    struct store_document doc;
    if (find_playlist(g, &doc))
        put_playlist(g, &doc, true);
}

static void playlist_items(struct grafana *g)
{
    struct store_document doc;
    struct codec_json v = {0};
    if (find_playlist(g, &doc))
        put_items(g, codec_json_parse(doc.body, g->arena, &v, NULL) ? NULL : &v);
}

static void save_playlist(struct grafana *g, struct slice key, bool create)
{
    struct slice name = slice_trim(grafana__string(g->body, "name"));
    struct store_document doc = {
        .kind = SLICE(PLAYLIST), .key = key, .title = name, .login = g->login, .body = g->text};
    if (!name.len) {
        grafana__fail(g, 400, NULL, "a playlist has a name");
        return;
    }
    int err = store_document_put(g->catalog, &doc, create, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        put_playlist(g, &doc, true);
}

static void playlist_create(struct grafana *g)
{
    char key[15];
    store_catalog_random_id(g->catalog, key, 14);
    save_playlist(g, slice_cstr(key), true);
}

static void playlist_put(struct grafana *g)
{
    struct store_document doc;
    if (find_playlist(g, &doc))
        save_playlist(g, doc.key, false);
}

static void playlist_delete(struct grafana *g)
{
    struct store_document doc;
    if (!find_playlist(g, &doc))
        return;
    int err = store_document_delete(g->catalog, PLAYLIST, doc.key, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_end_object(&g->w);
}

GRAFANA_HANDLER(snapshot_create)
GRAFANA_HANDLER(snapshot_get)
GRAFANA_HANDLER(snapshot_list)
GRAFANA_HANDLER(snapshot_delete)
GRAFANA_HANDLER(snapshot_delete_key)
GRAFANA_HANDLER(playlist_list)
GRAFANA_HANDLER(playlist_get)
GRAFANA_HANDLER(playlist_items)
GRAFANA_HANDLER(playlist_create)
GRAFANA_HANDLER(playlist_put)
GRAFANA_HANDLER(playlist_delete)
