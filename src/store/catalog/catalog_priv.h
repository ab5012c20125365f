/* What the files of the catalogue share: a thin face over SQLite that knows slices, arenas and
 * diag. Only sql.c and vfs.c see SQLite itself. */
#ifndef STORE_CATALOG_CATALOG_PRIV_H
#define STORE_CATALOG_CATALOG_PRIV_H

#include <pthread.h>

#include "base/vec.h"
#include "store/catalog.h"

struct sql;
struct sql_rows;

struct store_catalog {
    struct os *os;
    struct sql *sql;
    pthread_mutex_t lock; /* of everything below, and of sql */
    struct store_catalog_config config;
    uint64_t generation;
    struct diag broken; /* the error that made the file unusable */
    char path[4200];
};

/* --- sql.c --- */
int sql_open(struct os *os, const char *path, struct sql **out, struct diag *diag);
void sql_close(struct sql *s);
/* ERR_CORRUPT when the file's structure is damaged. */
int sql_check(struct sql *s, struct diag *diag);
/* Several statements without parameters. */
int sql_script(struct sql *s, const char *text, struct diag *diag);
/* One statement with parameters, by letters: i int64_t, s struct slice as text, b struct slice as
 * bytes. Statements are kept prepared by the address of `text`, which is a literal. */
int sql_run(struct sql *s, struct diag *diag, const char *text, const char *types, ...);
/* Rows that the last sql_run changed; its row id. */
int64_t sql_changes(struct sql *s);
int64_t sql_last_id(struct sql *s);
/* Same for a statement that gives rows; end it with sql_end, also after errors of sql_next. */
int sql_rows(struct sql *s, struct sql_rows **out, struct diag *diag, const char *text,
             const char *types, ...);
/* 1: a row is there; 0: the end; else an error. */
int sql_next(struct sql_rows *r, struct diag *diag);
int64_t sql_int(struct sql_rows *r, int column);
/* Text or bytes, copied; never with ptr NULL. */
struct slice sql_slice(struct sql_rows *r, int column, struct arena *arena);
void sql_end(struct sql_rows *r);
/* Copies what can be read of these tables from another file; row by row, from both ends. Returns
 * how many rows came over. */
int64_t sql_salvage(struct sql *to, struct os *os, const char *from_path,
                    const char *const *tables);

/* --- catalog.c --- */
/* Takes the lock and begins a transaction; `end` commits when err is 0, else rolls back, releases
 * the lock and returns the error. */
int catalog__begin(struct store_catalog *c, struct diag *diag);
int catalog__end(struct store_catalog *c, int err, struct diag *diag);
/* The same for reading. */
int catalog__read(struct store_catalog *c, struct diag *diag);
int catalog__read_end(struct store_catalog *c, int err, struct diag *diag);
int64_t catalog__now_ns(struct store_catalog *c);
/* ERR_LIMIT with the words when the table has `max` rows already. */
int catalog__room(struct store_catalog *c, const char *count_sql, struct slice arg, size_t max,
                  const char *what, struct diag *diag);
/* Tags as one text. */
void catalog__join(const struct slice *tags, size_t count, struct buf *out);
void catalog__split(struct slice text, struct arena *arena, struct slice **out, size_t *out_count);
/* zstd; ERR_CORRUPT. */
void catalog__pack(struct slice body, struct buf *out);
int catalog__unpack(struct slice packed, struct arena *arena, struct slice *out, struct diag *diag);
/* A fresh uid, or the one given when it is valid. */
int catalog__uid(struct store_catalog *c, struct slice wanted, struct arena *arena,
                 struct slice *out, struct diag *diag);
int catalog__title(struct slice title, const char *what, struct slice *out, struct diag *diag);

/* dashboards.c; within a transaction. `at` ends a SELECT of catalog__dashboard_columns. */
int catalog__dashboard_find(struct store_catalog *c, struct slice uid, int64_t id,
                            struct slice login, bool with_body, struct arena *arena,
                            struct store_dashboard *out, struct diag *diag);
int catalog__dashboard_remove(struct store_catalog *c, const struct store_dashboard *d,
                              struct diag *diag);
/* folders.c */
int catalog__folder_find(struct store_catalog *c, struct slice uid, int64_t id, struct arena *arena,
                         struct store_folder *out, struct diag *diag);

#endif
