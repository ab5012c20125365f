/* Folders: a tree by parent uid, titles unique beside each other. */
#include "base/buf.h"
#include "store/catalog/catalog_priv.h"

#define COLUMNS                                                                                    \
    "SELECT id, uid, parent, title, version, origin, created, created_by, updated, updated_by "    \
    "FROM folder "

static void read_folder(struct sql_rows *r, struct arena *arena, struct store_folder *out)
{
    *out = (struct store_folder){.id = sql_int(r, 0),
                                 .uid = sql_slice(r, 1, arena),
                                 .parent_uid = sql_slice(r, 2, arena),
                                 .title = sql_slice(r, 3, arena),
                                 .version = sql_int(r, 4),
                                 .origin = sql_slice(r, 5, arena),
                                 .created_ns = sql_int(r, 6),
                                 .created_by = sql_slice(r, 7, arena),
                                 .updated_ns = sql_int(r, 8),
                                 .updated_by = sql_slice(r, 9, arena)};
    out->slug = store_slug(out->title, arena);
}

int catalog__folder_find(struct store_catalog *c, struct slice uid, int64_t id, struct arena *arena,
                         struct store_folder *out, struct diag *diag)
{
    struct sql_rows *r;
    int err = uid.ptr ? sql_rows(c->sql, &r, diag, COLUMNS "WHERE uid=?", "s", uid)
                      : sql_rows(c->sql, &r, diag, COLUMNS "WHERE id=?", "i", id);
    if (err)
        return err;
    int got = sql_next(r, diag);
    if (got > 0)
        read_folder(r, arena, out);
    sql_end(r);
    if (got < 0)
        return got;
    return got ? 0 : diag_set(diag, ERR_NOT_FOUND, "folder not found");
}

int store_folder_get(struct store_catalog *c, struct slice uid, int64_t id, struct arena *arena,
                     struct store_folder *out, struct diag *diag)
{
    int err = catalog__read(c, diag);
    return err ? err
               : catalog__read_end(c, catalog__folder_find(c, uid, id, arena, out, diag), diag);
}

/* The parent is there, is not below `uid`, and the tree does not get too deep. */
static int check_parent(struct store_catalog *c, struct slice parent, struct slice uid,
                        struct arena *arena, struct diag *diag)
{
    struct store_folder f;
    for (int depth = 1; parent.len; depth++) {
        if (uid.len && slice_eq(parent, uid))
            return diag_set(diag, ERR_INVALID, "a folder cannot be moved into itself");
        if (depth >= STORE_FOLDER_DEPTH_MAX)
            return diag_set(diag, ERR_INVALID, "folders may be nested %d deep",
                            STORE_FOLDER_DEPTH_MAX);
        int err = catalog__folder_find(c, parent, 0, arena, &f, NULL);
        if (err == ERR_NOT_FOUND)
            return diag_set(diag, ERR_NOT_FOUND, "parent folder not found");
        if (err)
            return diag_set(diag, err, "the catalogue cannot be read");
        parent = f.parent_uid;
    }
    return 0;
}

static int check_title(struct store_catalog *c, struct slice parent, struct slice title, int64_t id,
                       struct diag *diag)
{
    struct sql_rows *r;
    int err =
        sql_rows(c->sql, &r, diag, "SELECT 1 FROM folder WHERE parent=? AND title=? AND id<>?",
                 "ssi", parent, title, id);
    if (err)
        return err;
    int got = sql_next(r, diag);
    sql_end(r);
    return got > 0 ? diag_set(diag, ERR_EXISTS,
                              "a folder with the same name already exists in the current location")
                   : got;
}

static int create(struct store_catalog *c, const struct store_folder_save *save,
                  struct arena *arena, struct store_folder *out, struct diag *diag)
{
    struct store_folder other;
    struct slice uid, title;
    int64_t now_ns = catalog__now_ns(c);
    int err = catalog__title(save->title, "folder", &title, diag);
    if (!err)
        err = catalog__uid(c, save->uid, arena, &uid, diag);
    if (err)
        return err;
    err = catalog__folder_find(c, uid, 0, arena, &other, NULL);
    if (!err)
        return diag_set(diag, ERR_EXISTS, "a folder with the same uid already exists");
    if (err != ERR_NOT_FOUND)
        return diag_set(diag, err, "the catalogue cannot be read");
    err = check_parent(c, save->parent_uid, SLICE(""), arena, diag);
    if (!err)
        err = check_title(c, save->parent_uid, title, 0, diag);
    if (!err)
        err = catalog__room(c, "SELECT count(*) FROM folder", (struct slice){0},
                            c->config.dashboards_max, "folders", diag);
    if (!err)
        err = sql_run(c->sql, diag,
                      "INSERT INTO folder(uid, parent, title, version, origin, created, created_by,"
                      " updated, updated_by) VALUES(?,?,?,1,?,?,?,?,?)",
                      "ssssisis", uid, save->parent_uid, title, save->origin, now_ns, save->login,
                      now_ns, save->login);
    return err ? err : catalog__folder_find(c, uid, 0, arena, out, diag);
}

static int change(struct store_catalog *c, const struct store_folder_save *save,
                  struct arena *arena, struct store_folder *out, struct diag *diag)
{
    struct store_folder old;
    int err = catalog__folder_find(c, save->uid, 0, arena, &old, diag);
    if (err)
        return err;
    struct slice title = old.title, parent = old.parent_uid;
    if (!save->move && save->version != old.version && !save->overwrite)
        return diag_set(diag, ERR_CONFLICT, "the folder has been changed by someone else");
    if (save->move)
        parent = save->parent_uid;
    else
        err = catalog__title(save->title, "folder", &title, diag);
    if (!err && save->move)
        err = check_parent(c, parent, old.uid, arena, diag);
    if (!err)
        err = check_title(c, parent, title, old.id, diag);
    if (!err)
        err = sql_run(c->sql, diag,
                      "UPDATE folder SET title=?, parent=?, version=version+1, updated=?,"
                      " updated_by=? WHERE id=?",
                      "ssisi", title, parent, catalog__now_ns(c), save->login, old.id);
    return err ? err : catalog__folder_find(c, old.uid, 0, arena, out, diag);
}

int store_folder_save(struct store_catalog *c, const struct store_folder_save *save,
                      struct arena *arena, struct store_folder *out, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = save->create ? create(c, save, arena, out, diag) : change(c, save, arena, out, diag);
    return catalog__end(c, err, diag);
}

static int list(struct store_catalog *c, struct arena *arena, struct store_folder **out,
                size_t *out_count, struct diag *diag)
{
    struct sql_rows *r;
    VEC(struct store_folder) found = {0};
    int got, err = sql_rows(c->sql, &r, diag, COLUMNS "ORDER BY title, id", "");
    if (err)
        return err;
    while ((got = sql_next(r, diag)) > 0) {
        struct store_folder f;
        read_folder(r, arena, &f);
        vec_push(&found, f);
    }
    sql_end(r);
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return got;
}

int store_folder_list(struct store_catalog *c, struct arena *arena, struct store_folder **out,
                      size_t *out_count, struct diag *diag)
{
    int err = catalog__read(c, diag);
    return err ? err : catalog__read_end(c, list(c, arena, out, out_count, diag), diag);
}

static int remove_dashboards(struct store_catalog *c, struct slice folder_uid, struct arena *arena,
                             store_dashboard_hook before_commit, void *ctx, struct diag *diag)
{
    struct sql_rows *r;
    VEC(int64_t) ids = {0};
    int got, err = sql_rows(c->sql, &r, diag, "SELECT id FROM dashboard WHERE folder=?", "s",
                            folder_uid);
    if (err)
        return err;
    while ((got = sql_next(r, diag)) > 0)
        vec_push(&ids, sql_int(r, 0));
    sql_end(r);
    err = got;
    for (size_t i = 0; i < ids.len && !err; i++) {
        struct store_dashboard d;
        err = catalog__dashboard_find(c, (struct slice){0}, ids.items[i], SLICE(""), false, arena,
                                      &d, diag);
        if (!err && d.read_only)
            err = diag_set(diag, ERR_DENIED,
                           "folder cannot be deleted: it contains the provisioned dashboard %.*s",
                           SLICE_FMT(d.title));
        if (!err)
            err = catalog__dashboard_remove(c, &d, diag);
        if (!err && before_commit)
            err = before_commit(ctx, &d, NULL, diag);
    }
    vec_free(&ids);
    return err;
}

int store_folder_delete(struct store_catalog *c, struct slice uid,
                        store_dashboard_hook before_commit, void *ctx, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct store_folder *all, root;
    size_t count;
    VEC(struct slice) gone = {0};
    int err = catalog__begin(c, diag);
    if (err)
        goto out;
    err = catalog__folder_find(c, uid, 0, arena, &root, diag);
    if (!err)
        err = list(c, arena, &all, &count, diag);
    if (!err)
        vec_push(&gone, root.uid);
    for (size_t i = 0; !err && i < gone.len; i++) {
        for (size_t k = 0; k < count; k++) {
            if (slice_eq(all[k].parent_uid, gone.items[i]) && gone.len <= count)
                vec_push(&gone, all[k].uid);
        }
        err = remove_dashboards(c, gone.items[i], arena, before_commit, ctx, diag);
        if (!err)
            err = sql_run(c->sql, diag, "DELETE FROM folder WHERE uid=?", "s", gone.items[i]);
    }
    err = catalog__end(c, err, diag);
out:
    vec_free(&gone);
    arena_free(arena);
    return err;
}
