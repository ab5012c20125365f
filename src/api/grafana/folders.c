/* /api/folders: the tree that dashboards lie in. */
#include "api/grafana/grafana_priv.h"

#include "net/url.h"

static void put_folder_fields(struct grafana *g, const struct store_folder *f, bool brief)
{
    struct codec_json_writer *w = &g->w;
    codec_json_put_int(w, "id", f->id);
    codec_json_put_string(w, "uid", f->uid);
    codec_json_put_string(w, "title", f->title);
    if (f->parent_uid.len)
        codec_json_put_string(w, "parentUid", f->parent_uid);
    if (brief)
        return;
    struct buf url = {0};
    buf_printf(&url, "/dashboards/f/%.*s/", SLICE_FMT(f->uid));
    net_url_encode(f->slug, &url);
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_string(w, "url", buf_slice(&url));
    codec_json_put_bool(w, "hasAcl", false);
    codec_json_put_bool(w, "canSave", true);
    codec_json_put_bool(w, "canEdit", true);
    codec_json_put_bool(w, "canAdmin", true);
    codec_json_put_bool(w, "canDelete", true);
    codec_json_put_string(w, "createdBy", f->created_by);
    grafana__put_time(g, "created", f->created_ns);
    codec_json_put_string(w, "updatedBy", f->updated_by);
    grafana__put_time(g, "updated", f->updated_ns);
    codec_json_put_int(w, "version", f->version);
    buf_deinit(&url);
}

static void put_folder(struct grafana *g, const struct store_folder *f)
{
    struct store_folder up[STORE_FOLDER_DEPTH_MAX];
    size_t count = 0;
    struct slice parent = f->parent_uid;
    while (parent.len && count < ARRAY_LEN(up) &&
           !store_folder_get(g->catalog, parent, 0, g->arena, &up[count], NULL))
        parent = up[count++].parent_uid;
    codec_json_begin_object(&g->w);
    put_folder_fields(g, f, false);
    if (count) {
        codec_json_key(&g->w, SLICE("parents"));
        codec_json_begin_array(&g->w);
        while (count-- > 0) {
            codec_json_begin_object(&g->w);
            put_folder_fields(g, &up[count], false);
            codec_json_end_object(&g->w);
        }
        codec_json_end_array(&g->w);
    }
    codec_json_end_object(&g->w);
}

static void folder_list(struct grafana *g)
{
    struct store_folder *all;
    size_t count, seen = 0;
    size_t limit = (size_t)MIN(MAX(grafana__param_int(g, "limit", 1000), 1), 10000);
    size_t page = (size_t)MIN(MAX(grafana__param_int(g, "page", 1), 1), 1 << 20);
    struct slice parent = grafana__folder_uid(grafana__param(g, "parentUid"));
    int err = store_folder_list(g->catalog, g->arena, &all, &count, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++) {
        if (!slice_eq(all[i].parent_uid, parent))
            continue;
        if (seen++ / limit != page - 1)
            continue;
        codec_json_begin_object(&g->w);
        put_folder_fields(g, &all[i], true);
        codec_json_end_object(&g->w);
    }
    codec_json_end_array(&g->w);
}

/* Saves and answers, with the codes that Grafana has for folders. */
static void save_folder(struct grafana *g, const struct store_folder_save *save)
{
    struct store_folder f;
    int err = store_folder_save(g->catalog, save, g->arena, &f, &g->diag);
    if (err == ERR_EXISTS)
        grafana__fail(g, 409, NULL, "%s", g->diag.msg);
    else if (err)
        grafana__fail_err(g, err);
    else
        put_folder(g, &f);
}

static void folder_create(struct grafana *g)
{
    struct slice uid = grafana__string(g->body, "uid");
    struct store_folder_save save = {.uid = uid,
                                     .title = grafana__string(g->body, "title"),
                                     .parent_uid =
                                         grafana__folder_uid(grafana__string(g->body, "parentUid")),
                                     .login = g->login,
                                     .create = true};
    if (slice_eq_cstr(uid, "general"))
        grafana__fail(g, 400, NULL, "\"general\" is the name of the root");
    else
        save_folder(g, &save);
}

static void folder_change(struct grafana *g)
{
    struct store_folder_save save = {.uid = grafana__arg(g, 0),
                                     .title = grafana__string(g->body, "title"),
                                     .version = grafana__int(g->body, "version", -1),
                                     .overwrite = grafana__bool(g->body, "overwrite", false),
                                     .login = g->login};
    save_folder(g, &save);
}

static void folder_move(struct grafana *g)
{
    struct store_folder_save save = {.uid = grafana__arg(g, 0),
                                     .parent_uid =
                                         grafana__folder_uid(grafana__string(g->body, "parentUid")),
                                     .login = g->login,
                                     .move = true};
    save_folder(g, &save);
}

/* The root as a folder, as Grafana shows it. */
static void put_general(struct grafana *g)
{
    struct store_folder root = {.uid = SLICE("general"),
                                .title = SLICE("Dashboards"),
                                .slug = SLICE("dashboards"),
                                .parent_uid = SLICE(""),
                                .created_by = SLICE(""),
                                .updated_by = SLICE("")};
    put_folder(g, &root);
}

static void folder_get(struct grafana *g)
{
    struct store_folder f;
    struct slice uid = grafana__arg(g, 0);
    if (slice_eq_cstr(uid, "general")) {
        put_general(g);
        return;
    }
    int err = store_folder_get(g->catalog, uid, 0, g->arena, &f, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        put_folder(g, &f);
}

static void folder_get_id(struct grafana *g)
{
    struct store_folder *all;
    size_t count;
    int err = store_folder_list(g->catalog, g->arena, &all, &count, &g->diag);
    for (size_t i = 0; !err && i < count; i++) {
        if (slice_eq(grafana__arg(g, 0), arena_printf(g->arena, "%lld", (long long)all[i].id))) {
            put_folder(g, &all[i]);
            return;
        }
    }
    if (!err)
        diag_set(&g->diag, ERR_NOT_FOUND, "folder not found");
    grafana__fail_err(g, err ? err : ERR_NOT_FOUND);
}

static void folder_delete(struct grafana *g)
{
    struct store_folder f;
    struct slice uid = grafana__arg(g, 0);
    int err = store_folder_get(g->catalog, uid, 0, g->arena, &f, &g->diag);
    if (!err)
        err = store_folder_delete(g->catalog, uid, grafana__before_commit, g->job->api->host,
                                  &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "id", f.id);
    codec_json_put_string(&g->w, "message",
                          arena_printf(g->arena, "Folder %.*s deleted", SLICE_FMT(f.title)));
    codec_json_put_string(&g->w, "title", f.title);
    codec_json_end_object(&g->w);
}

static bool is_below(const struct store_folder *all, size_t count, struct slice uid,
                     struct slice root)
{
    for (int depth = 0; uid.len && depth <= STORE_FOLDER_DEPTH_MAX; depth++) {
        if (slice_eq(uid, root))
            return true;
        size_t i = 0;
        while (i < count && !slice_eq(all[i].uid, uid))
            i++;
        uid = i < count ? all[i].parent_uid : SLICE("");
    }
    return false;
}

static void folder_counts(struct grafana *g)
{
    struct store_folder *all, f;
    struct store_dashboard *dashboards;
    size_t count, dashboard_count, folders = 0, inside = 0;
    struct slice root = grafana__arg(g, 0);
    int err = store_folder_get(g->catalog, root, 0, g->arena, &f, &g->diag);
    if (!err)
        err = store_folder_list(g->catalog, g->arena, &all, &count, &g->diag);
    if (!err)
        err = store_dashboard_list(g->catalog, g->login, g->arena, &dashboards, &dashboard_count,
                                   &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        folders += is_below(all, count, all[i].parent_uid, root);
    for (size_t i = 0; i < dashboard_count; i++)
        inside += is_below(all, count, dashboards[i].folder_uid, root);
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "alertrule", 0);
    codec_json_put_int(&g->w, "dashboard", (int64_t)inside);
    codec_json_put_int(&g->w, "folder", (int64_t)folders);
    codec_json_put_int(&g->w, "librarypanel", 0);
    codec_json_end_object(&g->w);
}

GRAFANA_HANDLER(folder_list)
GRAFANA_HANDLER(folder_create)
GRAFANA_HANDLER(folder_change)
GRAFANA_HANDLER(folder_move)
GRAFANA_HANDLER(folder_get)
GRAFANA_HANDLER(folder_get_id)
GRAFANA_HANDLER(folder_delete)
GRAFANA_HANDLER(folder_counts)
