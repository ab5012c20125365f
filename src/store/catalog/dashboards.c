/* Dashboards: saving under an optimistic lock, history, stars. */
#include "base/buf.h"
#include "store/catalog/catalog_priv.h"

#define COLUMNS                                                                                    \
    "SELECT d.id, d.uid, d.folder, d.title, d.version, d.api_version, d.origin, d.read_only,"      \
    " d.hidden, d.tags, d.created, d.created_by, d.updated, d.updated_by, coalesce(f.title, ''),"  \
    " EXISTS(SELECT 1 FROM star s WHERE s.uid=d.uid AND s.login=?1) "
#define TABLES "FROM dashboard d LEFT JOIN folder f ON f.uid=d.folder "

static void read_dashboard(struct sql_rows *r, struct arena *arena, struct store_dashboard *out)
{
    *out = (struct store_dashboard){.id = sql_int(r, 0),
                                    .uid = sql_slice(r, 1, arena),
                                    .folder_uid = sql_slice(r, 2, arena),
                                    .title = sql_slice(r, 3, arena),
                                    .version = sql_int(r, 4),
                                    .api_version = sql_slice(r, 5, arena),
                                    .origin = sql_slice(r, 6, arena),
                                    .read_only = sql_int(r, 7) != 0,
                                    .hidden = sql_int(r, 8) != 0,
                                    .created_ns = sql_int(r, 10),
                                    .created_by = sql_slice(r, 11, arena),
                                    .updated_ns = sql_int(r, 12),
                                    .updated_by = sql_slice(r, 13, arena),
                                    .folder_title = sql_slice(r, 14, arena),
                                    .starred = sql_int(r, 15) != 0};
    catalog__split(sql_slice(r, 9, arena), arena, &out->tags, &out->tag_count);
    out->slug = store_slug(out->title, arena);
}

/* The row that a statement with COLUMNS and the body in column 16 gives. */
static int read_one(struct sql_rows *r, bool with_body, struct arena *arena,
                    struct store_dashboard *out, struct diag *diag)
{
    int got = sql_next(r, diag), err = got < 0 ? got : 0;
    if (got > 0)
        read_dashboard(r, arena, out);
    if (got > 0 && with_body)
        err = catalog__unpack(sql_slice(r, 16, arena), arena, &out->body, diag);
    sql_end(r);
    if (err)
        return err;
    return got ? 0 : diag_set(diag, ERR_NOT_FOUND, "Dashboard not found");
}

int catalog__dashboard_find(struct store_catalog *c, struct slice uid, int64_t id,
                            struct slice login, bool with_body, struct arena *arena,
                            struct store_dashboard *out, struct diag *diag)
{
    struct sql_rows *r;
    int err = uid.ptr ? sql_rows(c->sql, &r, diag, COLUMNS ", d.body " TABLES "WHERE d.uid=?2",
                                 "ss", login, uid)
                      : sql_rows(c->sql, &r, diag, COLUMNS ", d.body " TABLES "WHERE d.id=?2", "si",
                                 login, id);
    return err ? err : read_one(r, with_body, arena, out, diag);
}

static int find_title(struct store_catalog *c, struct slice folder, struct slice title,
                      struct arena *arena, struct store_dashboard *out)
{
    struct sql_rows *r;
    int err =
        sql_rows(c->sql, &r, NULL, COLUMNS ", d.body " TABLES "WHERE d.folder=?2 AND d.title=?3",
                 "sss", SLICE(""), folder, title);
    return err ? err : read_one(r, true, arena, out, NULL);
}

int store_dashboard_get(struct store_catalog *c, struct slice uid, int64_t id, struct slice login,
                        struct arena *arena, struct store_dashboard *out, struct diag *diag)
{
    int err = catalog__read(c, diag);
    if (err)
        return err;
    return catalog__read_end(c, catalog__dashboard_find(c, uid, id, login, true, arena, out, diag),
                             diag);
}

int store_dashboard_list(struct store_catalog *c, struct slice login, struct arena *arena,
                         struct store_dashboard **out, size_t *out_count, struct diag *diag)
{
    struct sql_rows *r;
    VEC(struct store_dashboard) found = {0};
    int got = 0, err = catalog__read(c, diag);
    if (err)
        return err;
    err = sql_rows(c->sql, &r, diag, COLUMNS TABLES "ORDER BY d.title, d.id", "s", login);
    if (!err) {
        while ((got = sql_next(r, diag)) > 0) {
            struct store_dashboard d;
            read_dashboard(r, arena, &d);
            vec_push(&found, d);
        }
        sql_end(r);
        err = got;
    }
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return catalog__read_end(c, err, diag);
}

/* --- saving --- */

static int read_failed(int err, struct diag *diag)
{
    return diag_set(diag, err, "the catalogue cannot be read");
}

/* The dashboard that the save is about, by id, uid or (overwriting) title; *out_found. */
static int find_existing(struct store_catalog *c, const struct store_dashboard_save *save,
                         struct slice title, struct arena *arena, struct store_dashboard *out,
                         bool *out_found, struct diag *diag)
{
    struct store_dashboard other;
    *out_found = false;
    if (save->id > 0) {
        int err = catalog__dashboard_find(c, (struct slice){0}, save->id, SLICE(""), true, arena,
                                          out, NULL);
        if (err == ERR_NOT_FOUND)
            return diag_set(diag, err, "Dashboard not found");
        if (err)
            return read_failed(err, diag);
        *out_found = true;
    }
    if (save->uid.len) {
        int err = catalog__dashboard_find(c, save->uid, 0, SLICE(""), true, arena, &other, NULL);
        if (err && err != ERR_NOT_FOUND)
            return read_failed(err, diag);
        if (!err && *out_found && other.id != out->id)
            return diag_set(diag, ERR_INVALID, "A dashboard with the same uid already exists");
        if (!err)
            *out = other;
        *out_found |= !err;
    }
    int err = find_title(c, save->folder_uid, title, arena, &other);
    if (err && err != ERR_NOT_FOUND)
        return read_failed(err, diag);
    if (err || (*out_found && other.id == out->id))
        return 0;
    if (!save->overwrite || *out_found)
        return diag_set(diag, ERR_EXISTS,
                        "A dashboard with the same name in the folder already exists");
    *out = other;
    *out_found = true;
    return 0;
}

static int insert(struct store_catalog *c, const struct store_dashboard *d, struct slice tags,
                  struct slice body, struct diag *diag)
{
    int err = catalog__room(c, "SELECT count(*) FROM dashboard", (struct slice){0},
                            c->config.dashboards_max, "dashboards", diag);
    if (err)
        return err;
    return sql_run(c->sql, diag,
                   "INSERT INTO dashboard(uid, folder, title, version, api_version, origin,"
                   " read_only, hidden, tags, created, created_by, updated, updated_by, body)"
                   " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                   "sssissiisisisb", d->uid, d->folder_uid, d->title, d->version, d->api_version,
                   d->origin, (int64_t)d->read_only, (int64_t)d->hidden, tags, d->created_ns,
                   d->created_by, d->updated_ns, d->updated_by, body);
}

static int replace(struct store_catalog *c, const struct store_dashboard *d, struct slice old_uid,
                   struct slice tags, struct slice body, struct diag *diag)
{
    int err = sql_run(c->sql, diag,
                      "UPDATE dashboard SET uid=?, folder=?, title=?, version=?, api_version=?,"
                      " origin=?, read_only=?, hidden=?, tags=?, updated=?, updated_by=?, body=?"
                      " WHERE id=?",
                      "sssissiisisbi", d->uid, d->folder_uid, d->title, d->version, d->api_version,
                      d->origin, (int64_t)d->read_only, (int64_t)d->hidden, tags, d->updated_ns,
                      d->updated_by, body, d->id);
    if (err || slice_eq(d->uid, old_uid))
        return err;
    err = sql_run(c->sql, diag, "UPDATE OR REPLACE star SET uid=? WHERE uid=?", "ss", d->uid,
                  old_uid);
    if (!err)
        err = sql_run(c->sql, diag, "UPDATE annotation SET dashboard=? WHERE dashboard=?", "ss",
                      d->uid, old_uid);
    if (!err)
        err = sql_run(c->sql, diag, "UPDATE document SET parent=? WHERE parent=?", "ss", d->uid,
                      old_uid);
    return err;
}

static int add_version(struct store_catalog *c, const struct store_dashboard *d, int64_t parent,
                       const struct store_dashboard_save *save, struct slice body,
                       struct diag *diag)
{
    int err = sql_run(c->sql, diag,
                      "INSERT INTO dashboard_version(dashboard, version, parent, restored_from,"
                      " created, created_by, message, body) VALUES(?,?,?,?,?,?,?,?)",
                      "iiiiissb", d->id, d->version, parent, save->restored_from, d->updated_ns,
                      save->login, save->message, body);
    if (err)
        return err;
    return sql_run(c->sql, diag,
                   "DELETE FROM dashboard_version WHERE dashboard=?1 AND version<=?2 - ?3", "iii",
                   d->id, d->version, (int64_t)c->config.versions_max);
}

static int check(struct store_catalog *c, const struct store_dashboard_save *save,
                 struct arena *arena, struct slice *out_title, struct slice *out_folder_title,
                 struct diag *diag)
{
    struct store_folder folder = {.title = SLICE("")};
    int err = catalog__title(save->title, "Dashboard", out_title, diag);
    if (err)
        return err;
    if (save->body.len > c->config.bytes_max)
        return diag_set(diag, ERR_TOO_LARGE,
                        "the dashboard has %zu bytes, limits.dashboards.bytes allows %zu",
                        save->body.len, c->config.bytes_max);
    if (save->folder_uid.len)
        err = catalog__folder_find(c, save->folder_uid, 0, arena, &folder, diag);
    *out_folder_title = folder.title;
    return err;
}

static bool same(const struct store_dashboard *old, const struct store_dashboard *d,
                 struct slice body)
{
    return slice_eq(old->body, body) && slice_eq(old->uid, d->uid) &&
           slice_eq(old->folder_uid, d->folder_uid) && slice_eq(old->title, d->title) &&
           slice_eq(old->origin, d->origin) && old->read_only == d->read_only;
}

static int save_dashboard(struct store_catalog *c, const struct store_dashboard_save *save,
                          struct arena *arena, struct store_dashboard *out, struct diag *diag)
{
    struct store_dashboard old = {0}, d = {0};
    struct buf tags = {0}, packed = {0};
    bool found;
    int err = check(c, save, arena, &d.title, &d.folder_title, diag);
    if (!err)
        err = find_existing(c, save, d.title, arena, &old, &found, diag);
    if (err)
        return err;
    if (found && old.read_only && !save->provisioned)
        return diag_set(diag, ERR_DENIED, "Cannot save provisioned dashboard");
    if (found && save->version != old.version && !save->overwrite && !save->provisioned)
        return diag_set(diag, ERR_CONFLICT, "The dashboard has been changed by someone else");
    d.uid = found ? old.uid : SLICE("");
    if (save->uid.len || !found)
        err = catalog__uid(c, save->uid, arena, &d.uid, diag);
    if (err)
        return err;
    d.id = old.id;
    d.version = old.version + 1;
    d.folder_uid = save->folder_uid;
    d.api_version = save->api_version;
    d.origin = save->provisioned ? save->origin : found ? old.origin : save->origin;
    d.read_only = save->provisioned ? save->read_only : old.read_only;
    d.hidden = save->provisioned && !found ? save->hidden : old.hidden;
    d.updated_ns = catalog__now_ns(c);
    d.updated_by = save->login;
    d.created_ns = found ? old.created_ns : d.updated_ns;
    d.created_by = found ? old.created_by : save->login;
    if (found && save->provisioned && same(&old, &d, save->body)) {
        *out = old;
        return 0;
    }
    catalog__join(save->tags, save->tag_count, &tags);
    catalog__pack(save->body, &packed);
    err = found ? replace(c, &d, old.uid, buf_slice(&tags), buf_slice(&packed), diag)
                : insert(c, &d, buf_slice(&tags), buf_slice(&packed), diag);
    if (!err && !found)
        d.id = sql_last_id(c->sql);
    if (!err)
        err = add_version(c, &d, old.version, save, buf_slice(&packed), diag);
    if (!err)
        err = catalog__dashboard_find(c, (struct slice){0}, d.id, save->login, false, arena, out,
                                      diag);
    if (!err && save->before_commit) {
        struct slice origin = out->origin;
        out->body = save->body;
        err = save->before_commit(save->ctx, found ? &old : NULL, out, diag);
        out->body = (struct slice){0};
        if (!err && !slice_eq(out->origin, origin))
            err = sql_run(c->sql, diag, "UPDATE dashboard SET origin=? WHERE id=?", "si",
                          out->origin, out->id);
        out->origin = arena_slice(arena, out->origin);
    }
    buf_deinit(&tags);
    buf_deinit(&packed);
    return err;
}

int store_dashboard_save(struct store_catalog *c, const struct store_dashboard_save *save,
                         struct arena *arena, struct store_dashboard *out, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    return err ? err : catalog__end(c, save_dashboard(c, save, arena, out, diag), diag);
}

/* --- deleting and marks --- */

int catalog__dashboard_remove(struct store_catalog *c, const struct store_dashboard *d,
                              struct diag *diag)
{
    int err = sql_run(c->sql, diag, "DELETE FROM dashboard WHERE id=?", "i", d->id);
    if (!err)
        err = sql_run(c->sql, diag, "DELETE FROM dashboard_version WHERE dashboard=?", "i", d->id);
    if (!err)
        err = sql_run(c->sql, diag, "DELETE FROM star WHERE uid=?", "s", d->uid);
    if (!err)
        err = sql_run(c->sql, diag, "DELETE FROM annotation WHERE dashboard=?", "s", d->uid);
    if (!err)
        err = sql_run(c->sql, diag, "DELETE FROM document WHERE parent=?", "s", d->uid);
    return err;
}

int store_dashboard_delete(struct store_catalog *c, struct slice uid, bool provisioned,
                           store_dashboard_hook before_commit, void *ctx, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct store_dashboard d;
    int err = catalog__begin(c, diag);
    if (!err) {
        err = catalog__dashboard_find(c, uid, 0, SLICE(""), true, arena, &d, diag);
        if (!err && d.read_only && !provisioned)
            err = diag_set(diag, ERR_DENIED, "provisioned dashboard cannot be deleted");
        if (!err)
            err = catalog__dashboard_remove(c, &d, diag);
        if (!err && before_commit)
            err = before_commit(ctx, &d, NULL, diag);
        err = catalog__end(c, err, diag);
    }
    arena_free(arena);
    return err;
}

/* After a statement that should have changed a dashboard. */
static int changed(struct store_catalog *c, int err, struct diag *diag)
{
    if (!err && !sql_changes(c->sql))
        err = diag_set(diag, ERR_NOT_FOUND, "Dashboard not found");
    return catalog__end(c, err, diag);
}

int store_dashboard_set_hidden(struct store_catalog *c, struct slice uid, bool hidden,
                               struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = sql_run(c->sql, diag, "UPDATE dashboard SET hidden=? WHERE uid=?", "is", (int64_t)hidden,
                  uid);
    return changed(c, err, diag);
}

int store_dashboard_set_origin(struct store_catalog *c, struct slice uid, struct slice origin,
                               bool read_only, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = sql_run(c->sql, diag, "UPDATE dashboard SET origin=?, read_only=? WHERE uid=?", "sis",
                  origin, (int64_t)read_only, uid);
    return changed(c, err, diag);
}

int store_dashboard_star(struct store_catalog *c, struct slice login, struct slice uid, bool on,
                         struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = on ? sql_run(c->sql, diag,
                       "INSERT OR REPLACE INTO star(login, uid) SELECT ?, uid FROM dashboard WHERE"
                       " uid=?",
                       "ss", login, uid)
             : sql_run(c->sql, diag, "DELETE FROM star WHERE login=? AND uid=?", "ss", login, uid);
    return on ? changed(c, err, diag) : catalog__end(c, err, diag);
}

int store_dashboard_stars(struct store_catalog *c, struct slice login, struct arena *arena,
                          struct slice **out, size_t *out_count, struct diag *diag)
{
    struct sql_rows *r;
    VEC(struct slice) found = {0};
    int got = 0, err = catalog__read(c, diag);
    if (err)
        return err;
    err = sql_rows(c->sql, &r, diag, "SELECT uid FROM star WHERE login=? ORDER BY uid", "s", login);
    if (!err) {
        while ((got = sql_next(r, diag)) > 0)
            vec_push(&found, sql_slice(r, 0, arena));
        sql_end(r);
        err = got;
    }
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return catalog__read_end(c, err, diag);
}

/* --- history --- */

#define VERSION_COLUMNS                                                                            \
    "SELECT v.id, v.dashboard, v.version, v.parent, v.restored_from, v.created, v.created_by,"     \
    " v.message, v.body FROM dashboard_version v JOIN dashboard d ON d.id=v.dashboard"             \
    " WHERE d.uid=?1 "

static void read_version(struct sql_rows *r, struct arena *arena,
                         struct store_dashboard_version *out)
{
    *out = (struct store_dashboard_version){.id = sql_int(r, 0),
                                            .dashboard_id = sql_int(r, 1),
                                            .version = sql_int(r, 2),
                                            .parent = sql_int(r, 3),
                                            .restored_from = sql_int(r, 4),
                                            .created_ns = sql_int(r, 5),
                                            .created_by = sql_slice(r, 6, arena),
                                            .message = sql_slice(r, 7, arena)};
}

int store_dashboard_versions(struct store_catalog *c, struct slice uid, int64_t before,
                             size_t limit, struct arena *arena,
                             struct store_dashboard_version **out, size_t *out_count,
                             struct diag *diag)
{
    struct sql_rows *r;
    struct store_dashboard d;
    VEC(struct store_dashboard_version) found = {0};
    int got = 0, err = catalog__read(c, diag);
    if (err)
        return err;
    err = catalog__dashboard_find(c, uid, 0, SLICE(""), false, arena, &d, diag);
    if (!err)
        err =
            sql_rows(c->sql, &r, diag,
                     VERSION_COLUMNS "AND (?2=0 OR v.version<?2) ORDER BY v.version DESC LIMIT ?3",
                     "sii", uid, before, limit ? (int64_t)limit : (int64_t)-1);
    if (!err) {
        while ((got = sql_next(r, diag)) > 0) {
            struct store_dashboard_version v;
            read_version(r, arena, &v);
            vec_push(&found, v);
        }
        sql_end(r);
        err = got;
    }
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return catalog__read_end(c, err, diag);
}

int store_dashboard_version(struct store_catalog *c, struct slice uid, int64_t version,
                            struct arena *arena, struct store_dashboard_version *out,
                            struct diag *diag)
{
    struct sql_rows *r;
    int err = catalog__read(c, diag);
    if (err)
        return err;
    err = sql_rows(c->sql, &r, diag, VERSION_COLUMNS "AND v.version=?2", "si", uid, version);
    if (!err) {
        int got = sql_next(r, diag);
        if (got > 0) {
            read_version(r, arena, out);
            err = catalog__unpack(sql_slice(r, 8, arena), arena, &out->body, diag);
        } else {
            err = got < 0 ? got
                          : diag_set(diag, ERR_NOT_FOUND, "Dashboard version %lld not found",
                                     (long long)version);
        }
        sql_end(r);
    }
    return catalog__read_end(c, err, diag);
}
