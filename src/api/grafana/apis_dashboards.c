/* Dashboards as resources. */
#include "api/grafana/apis_priv.h"
#include "net/url.h"

static bool is_classic(struct slice version)
{
    return slice_starts_with(version, SLICE("v0")) || slice_starts_with(version, SLICE("v1"));
}

/* The classic JSON without what the metadata says. */
static void put_classic_spec(struct grafana *g, struct slice body)
{
    static const char *const left_out[] = {"id", "uid", "version"};
    struct grafana_member *m;
    size_t count = 0;
    codec_json_begin_object(&g->w);
    if (!grafana__members(body, g->arena, &m, &count, NULL)) {
        for (size_t i = 0; i < count; i++) {
            bool out = false;
            for (size_t k = 0; k < ARRAY_LEN(left_out); k++)
                out |= slice_eq_cstr(m[i].key, left_out[k]);
            if (out)
                continue;
            codec_json_key(&g->w, m[i].key);
            codec_json_raw(&g->w, m[i].value);
        }
    }
    codec_json_end_object(&g->w);
}

static void put_unconverted(struct grafana *g, const struct store_dashboard *d,
                            struct slice version)
{
    struct slice stored = d->api_version;
    ptrdiff_t slash = slice_find_char(stored, '/');
    stored = !stored.len ? SLICE("v1") : slice_from(stored, slash < 0 ? 0 : (size_t)slash + 1);
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "title", d->title);
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("status"));
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("conversion"));
    codec_json_begin_object(&g->w);
    codec_json_put_bool(&g->w, "failed", true);
    codec_json_put_string(&g->w, "storedVersion", stored);
    codec_json_put_string(&g->w, "error",
                          arena_printf(g->arena,
                                       "kept as %.*s and not converted to %.*s: ask for it as that",
                                       SLICE_FMT(stored), SLICE_FMT(version)));
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void put_dashboard(struct grafana *g, const struct store_dashboard *d, struct slice version,
                          bool with_access)
{
    const struct apis_about about = {.name = d->uid,
                                     .folder = d->folder_uid,
                                     .created_by = d->created_by,
                                     .updated_by = d->updated_by,
                                     .origin = d->origin,
                                     .id = d->id,
                                     .version = d->version,
                                     .created_ns = d->created_ns,
                                     .updated_ns = d->updated_ns};
    struct slice whole =
        arena_printf(g->arena, "%s/%.*s", APIS_DASHBOARDS->name, SLICE_FMT(version));
    apis__begin_resource(g, APIS_DASHBOARDS, version);
    apis__put_metadata(g, APIS_DASHBOARDS, &about);
    codec_json_key(&g->w, SLICE("spec"));
    if (!d->api_version.len && is_classic(version)) {
        put_classic_spec(g, d->body);
    } else if (slice_eq(d->api_version, whole)) {
        struct slice spec = grafana__raw(d->body, "spec", g->arena);
        codec_json_raw(&g->w, spec.ptr ? spec : SLICE("{}"));
    } else {
        put_unconverted(g, d, version);
    }
    if (with_access) {
        struct buf url = {0};
        buf_printf(&url, "/d/%.*s/", SLICE_FMT(d->uid));
        net_url_encode(d->slug, &url);
        codec_json_key(&g->w, SLICE("access"));
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "slug", d->slug);
        codec_json_put_string(&g->w, "url", buf_slice(&url));
        codec_json_put_bool(&g->w, "canSave", !d->read_only);
        codec_json_put_bool(&g->w, "canEdit", !d->read_only);
        codec_json_put_bool(&g->w, "canAdmin", !d->read_only);
        codec_json_put_bool(&g->w, "canDelete", !d->read_only);
        codec_json_put_bool(&g->w, "canStar", true);
        codec_json_end_object(&g->w);
        buf_deinit(&url);
    }
    codec_json_end_object(&g->w);
}

static void apis_dashboard_list(struct grafana *g)
{
    struct slice version, next;
    struct store_dashboard *all, d;
    size_t count, first, n = 0;
    if (!apis__check_place(g, APIS_DASHBOARDS, &version))
        return;
    int err = store_dashboard_list(g->catalog, g->login, g->arena, &all, &count, &g->diag);
    struct slice *names = err ? NULL : ARENA_ARRAY(g->arena, struct slice, count + 1);
    if (!err && !names)
        err = ERR_NOMEM;
    for (size_t i = 0; !err && i < count; i++) {
        if (!all[i].hidden)
            names[n++] = all[i].uid;
    }
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    n = apis__take_page(g, names, n, &first, &next);
    apis__begin_list(g, APIS_DASHBOARDS, version, next);
    for (size_t i = first; i < first + n; i++) {
        /* One that went meanwhile is left out. */
        err = store_dashboard_get(g->catalog, names[i], 0, g->login, g->arena, &d, &g->diag);
        if (err && err != ERR_NOT_FOUND) {
            grafana__fail_err(g, err);
            return;
        }
        if (!err)
            put_dashboard(g, &d, version, false);
    }
    apis__end_list(g);
}

static void get_dashboard(struct grafana *g, bool with_access)
{
    struct slice version, name = grafana__arg(g, 2);
    struct store_dashboard d;
    if (!apis__check_place(g, APIS_DASHBOARDS, &version))
        return;
    int err = store_dashboard_get(g->catalog, name, 0, g->login, g->arena, &d, &g->diag);
    if (err)
        apis__fail_store(g, APIS_DASHBOARDS, name, err);
    else
        put_dashboard(g, &d, version, with_access);
}

static void apis_dashboard_get(struct grafana *g)
{
    get_dashboard(g, false);
}

static void apis_dashboard_dto(struct grafana *g)
{
    get_dashboard(g, true);
}

/* Saves the body; `before` is NULL for a new one. */
static void save_dashboard(struct grafana *g, const struct apis_given *given, struct slice version,
                           const struct store_dashboard *before)
{
    struct grafana_document doc;
    struct store_dashboard d;
    int err = grafana__document(g->body, g->text, g->arena, &doc, &g->diag);
    if (!err && !slice_trim(doc.title).len)
        err = diag_set(&g->diag, ERR_INVALID, "spec.title is missing");
    if (!err && given->name.len && !store_uid_valid(given->name))
        err =
            diag_set(&g->diag, ERR_INVALID,
                     "metadata.name has 1 to %d of the characters a-z A-Z 0-9 - _", STORE_UID_MAX);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct store_dashboard_save save = {.id = before ? before->id : 0,
                                        .uid = given->name,
                                        .title = doc.title,
                                        .version = before ? before->version : 0,
                                        .folder_uid = given->folder,
                                        .api_version = doc.api_version,
                                        .body = doc.body,
                                        .message = given->message,
                                        .login = g->login,
                                        .tags = doc.tags,
                                        .tag_count = doc.tag_count,
                                        .before_commit = grafana__before_commit,
                                        .ctx = g->job->api->host};
    if (given->dry_run) {
        d = (struct store_dashboard){.uid = given->name,
                                     .title = doc.title,
                                     .folder_uid = given->folder,
                                     .api_version = doc.api_version,
                                     .created_by = g->login,
                                     .updated_by = g->login,
                                     .origin = SLICE(""),
                                     .id = save.id,
                                     .version = save.version,
                                     .body = doc.body};
        put_dashboard(g, &d, version, false);
        return;
    }
    err = store_dashboard_save(g->catalog, &save, g->arena, &d, &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 400, NULL, "there is no folder \"%.*s\" (grafana.app/folder)",
                      SLICE_FMT(given->folder));
    else if (err)
        apis__fail_store(g, APIS_DASHBOARDS, given->name, err);
    if (err)
        return;
    err = apis__keep_metadata(g, APIS_DASHBOARDS, &(struct apis_about){.name = d.uid, .id = d.id});
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    d.body = doc.body;
    g->job->status = before ? 200 : 201;
    put_dashboard(g, &d, version, false);
}

static void apis_dashboard_create(struct grafana *g)
{
    struct slice version;
    struct apis_given given;
    struct store_dashboard d;
    if (!apis__check_place(g, APIS_DASHBOARDS, &version) ||
        !apis__read_given(g, APIS_DASHBOARDS, version, &given))
        return;
    if (given.name.len &&
        !store_dashboard_get(g->catalog, given.name, 0, g->login, g->arena, &d, NULL))
        apis__fail_exists(g, APIS_DASHBOARDS, given.name);
    else
        save_dashboard(g, &given, version, NULL);
}

static void apis_dashboard_update(struct grafana *g)
{
    struct slice version;
    struct apis_given given;
    struct store_dashboard d;
    if (!apis__check_place(g, APIS_DASHBOARDS, &version) ||
        !apis__read_given(g, APIS_DASHBOARDS, version, &given) || !apis__check_name(g, &given))
        return;
    int err = store_dashboard_get(g->catalog, given.name, 0, g->login, g->arena, &d, &g->diag);
    if (err)
        apis__fail_store(g, APIS_DASHBOARDS, given.name, err);
    else if (given.version != -1 && given.version != d.version)
        apis__fail_stale(g, APIS_DASHBOARDS, &given, d.version);
    else
        save_dashboard(g, &given, version, &d);
}

static void apis_dashboard_patch(struct grafana *g)
{
    apis__patch(g, apis_dashboard_get, apis_dashboard_update);
}

static void apis_dashboard_delete(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    if (!apis__check_place(g, APIS_DASHBOARDS, &version))
        return;
    int err = store_dashboard_delete(g->catalog, name, false, grafana__before_commit,
                                     g->job->api->host, &g->diag);
    if (err)
        apis__fail_store(g, APIS_DASHBOARDS, name, err);
    else
        apis__put_deleted(g, APIS_DASHBOARDS, name);
}

GRAFANA_HANDLER(apis_dashboard_list)
GRAFANA_HANDLER(apis_dashboard_get)
GRAFANA_HANDLER(apis_dashboard_dto)
GRAFANA_HANDLER(apis_dashboard_create)
GRAFANA_HANDLER(apis_dashboard_update)
GRAFANA_HANDLER(apis_dashboard_patch)
GRAFANA_HANDLER(apis_dashboard_delete)
