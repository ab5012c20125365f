/* SQLite behind the face of catalog_priv.h: prepared statements, parameters, errors. */
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/catalog/catalog_priv.h"
#include "store/catalog/vfs.h"

struct sql_rows {
    struct sql *sql;
    const char *text;
    sqlite3_stmt *stmt;
    bool busy;
};

struct sql {
    sqlite3 *db;
    struct vfs *vfs;
    VEC(struct sql_rows *) prepared;
};

/* What went wrong, in our codes and with SQLite's words. */
static int failed(struct sql *s, int code, struct diag *diag)
{
    const char *words = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    int err;
    switch (code & 0xff) {
    case SQLITE_FULL: err = ERR_NOSPACE; break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: err = ERR_CORRUPT; break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: err = ERR_EXISTS; break;
    case SQLITE_NOMEM: err = ERR_NOMEM; break;
    case SQLITE_CONSTRAINT: err = ERR_EXISTS; break;
    case SQLITE_TOOBIG: err = ERR_TOO_LARGE; break;
    default: err = ERR_IO; break;
    }
    if (err == ERR_IO && catalog__vfs_last_error())
        return diag_set(diag, err, "the catalogue: %s (%s)", words,
                        err_name(catalog__vfs_last_error()));
    return diag_set(diag, err, "the catalogue: %s", words);
}

int sql_open(struct os *os, const char *path, struct sql **out, struct diag *diag)
{
    struct sql *s = mem_calloc(1, sizeof(*s));
    const char *vfs = catalog__vfs_add(os, &s->vfs);
    int code = !vfs ? SQLITE_ERROR
                    : sqlite3_open_v2(
                          path, &s->db,
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
    int err = code ? failed(s, code, diag) : 0;
    if (!err)
        sqlite3_extended_result_codes(s->db, 1);
    /* The order matters: alone with the file before the log is opened, else SQLite wants shared
     * memory. A commit is on the disk when it returns. */
    if (!err)
        err = sql_script(s,
                         "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;"
                         "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                         "PRAGMA foreign_keys=OFF; PRAGMA trusted_schema=OFF;"
                         "PRAGMA cell_size_check=ON; PRAGMA journal_size_limit=4194304;",
                         diag);
    if (err) {
        sql_close(s);
        s = NULL;
    }
    *out = s;
    return err;
}

void sql_close(struct sql *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->prepared.len; i++) {
        sqlite3_finalize(s->prepared.items[i]->stmt);
        mem_free(s->prepared.items[i]);
    }
    vec_free(&s->prepared);
    sqlite3_close(s->db);
    catalog__vfs_remove(s->vfs);
    mem_free(s);
}

int sql_check(struct sql *s, struct diag *diag)
{
    struct sql_rows *r;
    int err = sql_rows(s, &r, diag, "PRAGMA quick_check(1)", "");
    if (err)
        return err;
    int got = sql_next(r, diag);
    if (got < 0)
        err = got;
    else if (got && strcmp((const char *)sqlite3_column_text(r->stmt, 0), "ok") != 0)
        err = diag_set(diag, ERR_CORRUPT, "the catalogue: %s", sqlite3_column_text(r->stmt, 0));
    sql_end(r);
    return err;
}

int sql_script(struct sql *s, const char *text, struct diag *diag)
{
    int code = sqlite3_exec(s->db, text, NULL, NULL, NULL);
    return code ? failed(s, code, diag) : 0;
}

/* A prepared statement of this text that nobody is stepping through. */
static int prepare(struct sql *s, const char *text, struct sql_rows **out, struct diag *diag)
{
    for (size_t i = 0; i < s->prepared.len; i++) {
        struct sql_rows *r = s->prepared.items[i];
        if (r->text == text && !r->busy) {
            r->busy = true;
            *out = r;
            return 0;
        }
    }
    struct sql_rows *r = mem_calloc(1, sizeof(*r));
    r->sql = s;
    r->text = text;
    int code = sqlite3_prepare_v3(s->db, text, -1, SQLITE_PREPARE_PERSISTENT, &r->stmt, NULL);
    if (code) {
        mem_free(r);
        return failed(s, code, diag);
    }
    r->busy = true;
    vec_push(&s->prepared, r);
    *out = r;
    return 0;
}

static int bind_all(struct sql_rows *r, const char *types, va_list ap, struct diag *diag)
{
    int code = SQLITE_OK;
    for (int i = 0; types[i] && !code; i++) {
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(r->stmt, i + 1, va_arg(ap, int64_t));
            continue;
        }
        struct slice v = va_arg(ap, struct slice);
        const char *ptr = v.ptr ? v.ptr : "";
        code = types[i] == 's'
                   ? sqlite3_bind_text64(r->stmt, i + 1, ptr, v.len, SQLITE_TRANSIENT, SQLITE_UTF8)
                   : sqlite3_bind_blob64(r->stmt, i + 1, ptr, v.len, SQLITE_TRANSIENT);
    }
    return code ? failed(r->sql, code, diag) : 0;
}

int sql_rows(struct sql *s, struct sql_rows **out, struct diag *diag, const char *text,
             const char *types, ...)
{
    va_list ap;
    *out = NULL;
    int err = prepare(s, text, out, diag);
    if (err)
        return err;
    va_start(ap, types);
    err = bind_all(*out, types, ap, diag);
    va_end(ap);
    if (err) {
        sql_end(*out);
        *out = NULL;
    }
    return err;
}

int sql_next(struct sql_rows *r, struct diag *diag)
{
    int code = sqlite3_step(r->stmt);
    return code == SQLITE_ROW ? 1 : code == SQLITE_DONE ? 0 : failed(r->sql, code, diag);
}

int64_t sql_int(struct sql_rows *r, int column)
{
    return sqlite3_column_int64(r->stmt, column);
}

struct slice sql_slice(struct sql_rows *r, int column, struct arena *arena)
{
    const void *ptr = sqlite3_column_blob(r->stmt, column);
    int len = sqlite3_column_bytes(r->stmt, column);
    struct slice s = arena_slice(arena, slice_make(len ? ptr : "", (size_t)len));
    return s.ptr ? s : SLICE("");
}

void sql_end(struct sql_rows *r)
{
    if (!r)
        return;
    sqlite3_reset(r->stmt);
    sqlite3_clear_bindings(r->stmt);
    r->busy = false;
}

int sql_run(struct sql *s, struct diag *diag, const char *text, const char *types, ...)
{
    struct sql_rows *r;
    va_list ap;
    int err = prepare(s, text, &r, diag);
    if (err)
        return err;
    va_start(ap, types);
    err = bind_all(r, types, ap, diag);
    va_end(ap);
    while (!err) {
        int got = sql_next(r, diag);
        if (got <= 0) {
            err = got;
            break;
        }
    }
    sql_end(r);
    return err;
}

int64_t sql_changes(struct sql *s)
{
    return sqlite3_changes64(s->db);
}

int64_t sql_last_id(struct sql *s)
{
    return sqlite3_last_insert_rowid(s->db);
}

/* --- salvage --- */

/* Rows of one table in the given order, until the damage. */
static int64_t copy_rows(struct sql *to, struct sql *from, const char *table, const char *order)
{
    struct buf text = {0};
    sqlite3_stmt *in = NULL, *out = NULL;
    int64_t count = 0;
    buf_printf(&text, "SELECT * FROM %s ORDER BY rowid %s", table, order);
    if (sqlite3_prepare_v2(from->db, buf_cstr(&text), -1, &in, NULL))
        goto done;
    int columns = sqlite3_column_count(in);
    buf_clear(&text);
    buf_printf(&text, "INSERT OR IGNORE INTO %s VALUES(", table);
    for (int i = 0; i < columns; i++)
        buf_append_cstr(&text, i ? ",?" : "?");
    buf_append_char(&text, ')');
    if (sqlite3_prepare_v2(to->db, buf_cstr(&text), -1, &out, NULL))
        goto done;
    while (sqlite3_step(in) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++)
            sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
        if (sqlite3_step(out) == SQLITE_DONE)
            count += sqlite3_changes(to->db);
        sqlite3_reset(out);
    }
done:
    sqlite3_finalize(in);
    sqlite3_finalize(out);
    buf_deinit(&text);
    return count;
}

int64_t sql_salvage(struct sql *to, struct os *os, const char *from_path, const char *const *tables)
{
    struct sql from = {0};
    int64_t count = 0;
    const char *vfs = catalog__vfs_add(os, &from.vfs);
    if (vfs &&
        !sqlite3_open_v2(from_path, &from.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs)) {
        sqlite3_exec(from.db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY;", NULL,
                     NULL, NULL);
        for (size_t i = 0; tables[i]; i++) {
            count += copy_rows(to, &from, tables[i], "ASC");
            count += copy_rows(to, &from, tables[i], "DESC");
        }
    }
    /* What lies there stays as it was found, its log included. */
    sqlite3_db_config(from.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(from.db);
    catalog__vfs_remove(from.vfs);
    return count;
}
