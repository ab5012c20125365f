/* Documents: whatever small things have a kind and a key. */
#include "base/buf.h"
#include "store/catalog/catalog_priv.h"

#define COLUMNS                                                                                    \
    "SELECT kind, key, parent, alias, title, login, created, updated, expires, version, body "     \
    "FROM document "

static int read_document(struct sql_rows *r, bool with_body, struct arena *arena,
                         struct store_document *out, struct diag *diag)
{
    *out = (struct store_document){.kind = sql_slice(r, 0, arena),
                                   .key = sql_slice(r, 1, arena),
                                   .parent = sql_slice(r, 2, arena),
                                   .alias = sql_slice(r, 3, arena),
                                   .title = sql_slice(r, 4, arena),
                                   .login = sql_slice(r, 5, arena),
                                   .created_ns = sql_int(r, 6),
                                   .updated_ns = sql_int(r, 7),
                                   .expires_ns = sql_int(r, 8),
                                   .version = sql_int(r, 9)};
    return with_body ? catalog__unpack(sql_slice(r, 10, arena), arena, &out->body, diag) : 0;
}

static int put(struct store_catalog *c, struct store_document *doc, bool create, struct diag *diag)
{
    struct sql_rows *r;
    struct buf packed = {0};
    int64_t now_ns = catalog__now_ns(c);
    if (doc->body.len > c->config.bytes_max)
        return diag_set(diag, ERR_TOO_LARGE,
                        "this has %zu bytes, limits.dashboards.bytes allows %zu", doc->body.len,
                        c->config.bytes_max);
    /* Expired ones give their keys and their room back. */
    int err =
        sql_run(c->sql, diag, "DELETE FROM document WHERE expires<>0 AND expires<=?", "i", now_ns);
    if (!err)
        err = sql_rows(c->sql, &r, diag,
                       "SELECT created, version FROM document WHERE kind=? AND key=?", "ss",
                       doc->kind, doc->key);
    if (err)
        return err;
    int got = sql_next(r, diag);
    doc->created_ns = got > 0 ? sql_int(r, 0) : now_ns;
    doc->version = got > 0 ? sql_int(r, 1) + 1 : 1;
    doc->updated_ns = now_ns;
    sql_end(r);
    if (got < 0)
        return got;
    if (got > 0 && create)
        return diag_set(diag, ERR_EXISTS, "there is a %.*s of that name already",
                        SLICE_FMT(doc->kind));
    if (!got)
        err = catalog__room(c, "SELECT count(*) FROM document WHERE kind=?", doc->kind,
                            c->config.dashboards_max, "of these", diag);
    if (err)
        return err;
    catalog__pack(doc->body, &packed);
    err = sql_run(c->sql, diag,
                  "INSERT INTO document(kind, key, parent, alias, title, login, created, updated,"
                  " expires, version, body) VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(kind, key) DO"
                  " UPDATE SET parent=excluded.parent, alias=excluded.alias, title=excluded.title,"
                  " login=excluded.login, updated=excluded.updated, expires=excluded.expires,"
                  " version=excluded.version, body=excluded.body",
                  "ssssssiiiib", doc->kind, doc->key, doc->parent, doc->alias, doc->title,
                  doc->login, doc->created_ns, doc->updated_ns, doc->expires_ns, doc->version,
                  buf_slice(&packed));
    buf_deinit(&packed);
    return err;
}

int store_document_put(struct store_catalog *c, struct store_document *doc, bool create,
                       struct diag *diag)
{
    int err = catalog__begin(c, diag);
    return err ? err : catalog__end(c, put(c, doc, create, diag), diag);
}

int store_document_get(struct store_catalog *c, const char *kind, struct slice key,
                       struct slice alias, struct arena *arena, struct store_document *out,
                       struct diag *diag)
{
    struct sql_rows *r;
    int err = catalog__read(c, diag);
    if (err)
        return err;
    int64_t now_ns = catalog__now_ns(c);
    if (key.ptr)
        err = sql_rows(c->sql, &r, diag,
                       COLUMNS "WHERE kind=? AND key=? AND (expires=0 OR expires>?)", "ssi",
                       slice_cstr(kind), key, now_ns);
    else
        err =
            sql_rows(c->sql, &r, diag,
                     COLUMNS "WHERE kind=? AND alias=? AND alias<>'' AND (expires=0 OR expires>?)",
                     "ssi", slice_cstr(kind), alias, now_ns);
    if (!err) {
        int got = sql_next(r, diag);
        err = got > 0   ? read_document(r, true, arena, out, diag)
              : got < 0 ? got
                        : diag_set(diag, ERR_NOT_FOUND, "%s not found", kind);
        sql_end(r);
    }
    return catalog__read_end(c, err, diag);
}

int store_document_delete(struct store_catalog *c, const char *kind, struct slice key,
                          struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = sql_run(c->sql, diag, "DELETE FROM document WHERE kind=? AND key=?", "ss",
                  slice_cstr(kind), key);
    if (!err && !sql_changes(c->sql))
        err = diag_set(diag, ERR_NOT_FOUND, "%s not found", kind);
    return catalog__end(c, err, diag);
}

int store_document_list(struct store_catalog *c, const char *kind, struct slice parent,
                        bool with_body, struct arena *arena, struct store_document **out,
                        size_t *out_count, struct diag *diag)
{
    struct sql_rows *r;
    VEC(struct store_document) found = {0};
    int got = 0, err = catalog__read(c, diag);
    if (err)
        return err;
    err = sql_rows(c->sql, &r, diag,
                   COLUMNS "WHERE kind=?1 AND (?2=0 OR parent=?3) AND (expires=0 OR expires>?4)"
                           " ORDER BY id",
                   "sisi", slice_cstr(kind), (int64_t)(parent.ptr != NULL), parent,
                   catalog__now_ns(c));
    if (!err) {
        while (!err && (got = sql_next(r, diag)) > 0) {
            struct store_document d;
            err = read_document(r, with_body, arena, &d, diag);
            vec_push(&found, d);
        }
        sql_end(r);
        err = err ? err : got < 0 ? got : 0;
    }
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return catalog__read_end(c, err, diag);
}
