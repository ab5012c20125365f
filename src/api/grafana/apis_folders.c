/* Folders as resources. */
#include <stdlib.h>

#include "api/grafana/apis_priv.h"

static void put_folder(struct grafana *g, const struct store_folder *f, struct slice version)
{
    const struct apis_about about = {.name = f->uid,
                                     .folder = f->parent_uid,
                                     .created_by = f->created_by,
                                     .updated_by = f->updated_by,
                                     .origin = f->origin,
                                     .id = f->id,
                                     .version = f->version,
                                     .created_ns = f->created_ns,
                                     .updated_ns = f->updated_ns};
    apis__begin_resource(g, APIS_FOLDERS, version);
    apis__put_metadata(g, APIS_FOLDERS, &about);
    codec_json_key(&g->w, SLICE("spec"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "title", f->title);
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static int by_uid(const void *a, const void *b)
{
    return slice_cmp(((const struct store_folder *)a)->uid, ((const struct store_folder *)b)->uid);
}

static void apis_folder_list(struct grafana *g)
{
    struct slice version, next;
    struct store_folder *all;
    size_t count, first;
    if (!apis__check_place(g, APIS_FOLDERS, &version))
        return;
    int err = store_folder_list(g->catalog, g->arena, &all, &count, &g->diag);
    struct slice *names = err ? NULL : ARENA_ARRAY(g->arena, struct slice, count + 1);
    if (err || !names) {
        grafana__fail_err(g, err ? err : ERR_NOMEM);
        return;
    }
    if (count)
        qsort(all, count, sizeof(*all), by_uid); /* the order of the names' pages */
    for (size_t i = 0; i < count; i++)
        names[i] = all[i].uid;
    size_t n = apis__take_page(g, names, count, &first, &next);
    apis__begin_list(g, APIS_FOLDERS, version, next);
    for (size_t i = first; i < first + n; i++)
        put_folder(g, &all[i], version);
    apis__end_list(g);
}

static void apis_folder_get(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    struct store_folder f;
    if (!apis__check_place(g, APIS_FOLDERS, &version))
        return;
    int err = store_folder_get(g->catalog, name, 0, g->arena, &f, &g->diag);
    if (err)
        apis__fail_store(g, APIS_FOLDERS, name, err);
    else
        put_folder(g, &f, version);
}

/* Saves; true when it did, then *out is the folder. */
static bool save_folder(struct grafana *g, const struct store_folder_save *save,
                        struct store_folder *out)
{
    int err = store_folder_save(g->catalog, save, g->arena, out, &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 400, NULL, "there is no folder \"%.*s\" (grafana.app/folder)",
                      SLICE_FMT(save->parent_uid));
    else if (err)
        apis__fail_store(g, APIS_FOLDERS, save->uid, err);
    if (err)
        return false;
    err =
        apis__keep_metadata(g, APIS_FOLDERS, &(struct apis_about){.name = out->uid, .id = out->id});
    if (err)
        grafana__fail_err(g, err);
    return !err;
}

static void apis_folder_create(struct grafana *g)
{
    struct slice version;
    struct apis_given given;
    struct store_folder f;
    if (!apis__check_place(g, APIS_FOLDERS, &version) ||
        !apis__read_given(g, APIS_FOLDERS, version, &given))
        return;
    struct store_folder_save save = {.uid = given.name,
                                     .title =
                                         grafana__string(codec_json_get(g->body, "spec"), "title"),
                                     .parent_uid = given.folder,
                                     .login = g->login,
                                     .create = true};
    if (given.name.len && !store_folder_get(g->catalog, given.name, 0, g->arena, &f, NULL)) {
        apis__fail_exists(g, APIS_FOLDERS, given.name);
    } else if (save_folder(g, &save, &f)) {
        g->job->status = 201;
        put_folder(g, &f, version);
    }
}

static void apis_folder_update(struct grafana *g)
{
    struct slice version;
    struct apis_given given;
    struct store_folder f;
    if (!apis__check_place(g, APIS_FOLDERS, &version) ||
        !apis__read_given(g, APIS_FOLDERS, version, &given) || !apis__check_name(g, &given))
        return;
    int err = store_folder_get(g->catalog, given.name, 0, g->arena, &f, &g->diag);
    if (err) {
        apis__fail_store(g, APIS_FOLDERS, given.name, err);
        return;
    }
    if (given.version != -1 && given.version != f.version) {
        apis__fail_stale(g, APIS_FOLDERS, &given, f.version);
        return;
    }
    struct store_folder_save move = {
        .uid = given.name, .parent_uid = given.folder, .login = g->login, .move = true};
    if (!slice_eq(given.folder, f.parent_uid) && !save_folder(g, &move, &f))
        return;
    struct store_folder_save save = {.uid = given.name,
                                     .title =
                                         grafana__string(codec_json_get(g->body, "spec"), "title"),
                                     .parent_uid = given.folder,
                                     .login = g->login,
                                     .overwrite = true};
    if (save_folder(g, &save, &f))
        put_folder(g, &f, version);
}

static void apis_folder_patch(struct grafana *g)
{
    apis__patch(g, apis_folder_get, apis_folder_update);
}

static void apis_folder_delete(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    if (!apis__check_place(g, APIS_FOLDERS, &version))
        return;
    int err =
        store_folder_delete(g->catalog, name, grafana__before_commit, g->job->api->host, &g->diag);
    if (err)
        apis__fail_store(g, APIS_FOLDERS, name, err);
    else
        apis__put_deleted(g, APIS_FOLDERS, name);
}

GRAFANA_HANDLER(apis_folder_list)
GRAFANA_HANDLER(apis_folder_get)
GRAFANA_HANDLER(apis_folder_create)
GRAFANA_HANDLER(apis_folder_update)
GRAFANA_HANDLER(apis_folder_patch)
GRAFANA_HANDLER(apis_folder_delete)
