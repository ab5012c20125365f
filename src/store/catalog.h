/* The catalogue: what people make rather than machines send. Dashboards with their history,
 * folders, stars, annotations, and small documents (snapshots, playlists, preferences, ...), in one
 * SQLite file of the data directory. Never samples.
 *
 * All functions are thread-safe and block (they wait for the disk): call them on a worker. Each
 * change is one transaction: it is durable when the function returns 0, and has not happened when
 * it returns an error. Results are in the caller's arena. Times are ns since 1970.
 *
 * Errors everywhere: ERR_IO, ERR_NOSPACE, ERR_CORRUPT (the file is damaged: the next start keeps it
 * aside and saves what can be read of it). */
#ifndef STORE_CATALOG_H
#define STORE_CATALOG_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/slice.h"

struct os;
struct store_catalog;

#define STORE_UID_MAX   40
#define STORE_TITLE_MAX 500 /* bytes */

struct store_catalog_config {
    const char *dir;        /* made when it is not there */
    size_t versions_max;    /* kept of a dashboard; 0 = 20 */
    size_t bytes_max;       /* of one dashboard or document; 0 = 8 MiB */
    size_t dashboards_max;  /* and folders, and documents of a kind; 0 = 50,000 */
    size_t annotations_max; /* 0 = 1,000,000 */
};

/* Opens or creates <dir>/catalog.db. A damaged file is renamed to catalog.db.damaged-<time>, what
 * can be read of it is taken over, and a line in the log says so. ERR_EXISTS: another process has
 * it; ERR_UNSUPPORTED: a later version of Pharos wrote it. */
int store_catalog_open(const struct store_catalog_config *config, struct os *os,
                       struct store_catalog **out, struct diag *diag);
void store_catalog_close(struct store_catalog *c); /* NULL is fine */
/* 0, or the last error that made the file unusable. */
int store_catalog_health(struct store_catalog *c, struct diag *diag);
/* Writes all of it to a new file <dir>/catalog.db, durable on return: dashboards and the like of
 * one moment. An error leaves no file; ERR_EXISTS: there was one. */
int store_catalog_copy(struct store_catalog *c, const char *dir, struct diag *diag);
/* New limits for what comes; fields of 0 take the defaults. `dir` is not read. */
void store_catalog_set_limits(struct store_catalog *c, const struct store_catalog_config *config);
/* Grows with every change of dashboards and folders, so that caches know. */
uint64_t store_catalog_generation(struct store_catalog *c);

/* 1 to 40 of a-z A-Z 0-9 - _ */
bool store_uid_valid(struct slice uid);
/* "Node Exporter / Full" -> "node-exporter-full"; "untitled" when nothing is left. */
struct slice store_slug(struct slice title, struct arena *arena);

/* --- dashboards --- */
struct store_dashboard {
    int64_t id, version;
    struct slice uid, title, slug;
    struct slice folder_uid, folder_title; /* "" = the root */
    struct slice
        api_version;     /* "" = classic JSON; else of a resource ("dashboard.grafana.app/v2") */
    struct slice origin; /* where it is provisioned from ("file:NAME:PATH"); "" = made here */
    struct slice created_by, updated_by;
    int64_t created_ns, updated_ns;
    struct slice *tags;
    size_t tag_count;
    bool read_only;    /* only its origin may change it */
    bool hidden;       /* not listed */
    bool starred;      /* by the login asked for */
    struct slice body; /* JSON as it was saved; ptr NULL in lists */
};

/* Called within the transaction when all is decided; an error undoes it. `before` is NULL for a new
 * dashboard and has its body, `after` is NULL for one that goes. `after->body` is what is saved;
 * `after->origin` may be changed ("" or in memory that lives until the save returns). It must not
 * call the catalogue. */
typedef int (*store_dashboard_hook)(void *ctx, const struct store_dashboard *before,
                                    struct store_dashboard *after, struct diag *diag);

struct store_dashboard_save {
    int64_t id;       /* 0 = not said */
    struct slice uid; /* "" = make one for a new dashboard */
    int64_t version;  /* that was loaded; must be the current one unless overwrite */
    struct slice title, folder_uid, api_version, body, message, login;
    const struct slice *tags; /* those with control characters are left out */
    size_t tag_count;
    int64_t restored_from; /* version; 0 = none */
    bool overwrite; /* whatever the version, and in place of one of that title in the folder */
    /* By its origin: the version is not looked at, the same content makes no new version. */
    bool provisioned;
    struct slice origin;
    bool read_only, hidden;
    store_dashboard_hook before_commit; /* may be NULL */
    void *ctx;
};

/* ERR_CONFLICT: another version; ERR_EXISTS: that title is taken in the folder; ERR_NOT_FOUND: no
 * such folder, or no dashboard of that id; ERR_DENIED: read-only; ERR_INVALID: uid or title;
 * ERR_TOO_LARGE, ERR_LIMIT. *out has no body. */
int store_dashboard_save(struct store_catalog *c, const struct store_dashboard_save *save,
                         struct arena *arena, struct store_dashboard *out, struct diag *diag);
/* By uid, or by id when uid.ptr is NULL. `login` for starred. ERR_NOT_FOUND. */
int store_dashboard_get(struct store_catalog *c, struct slice uid, int64_t id, struct slice login,
                        struct arena *arena, struct store_dashboard *out, struct diag *diag);
/* All, hidden ones included, without bodies, by title. */
int store_dashboard_list(struct store_catalog *c, struct slice login, struct arena *arena,
                         struct store_dashboard **out, size_t *out_count, struct diag *diag);
/* With its history, stars, annotations and public links. ERR_DENIED when read-only and not
 * `provisioned`. `before_commit` as above (after is NULL); may be NULL. */
int store_dashboard_delete(struct store_catalog *c, struct slice uid, bool provisioned,
                           store_dashboard_hook before_commit, void *ctx, struct diag *diag);
int store_dashboard_set_hidden(struct store_catalog *c, struct slice uid, bool hidden,
                               struct diag *diag);
/* The dashboard stays as it is; from now on it has this origin ("" = none). */
int store_dashboard_set_origin(struct store_catalog *c, struct slice uid, struct slice origin,
                               bool read_only, struct diag *diag);
int store_dashboard_star(struct store_catalog *c, struct slice login, struct slice uid, bool on,
                         struct diag *diag);
int store_dashboard_stars(struct store_catalog *c, struct slice login, struct arena *arena,
                          struct slice **out, size_t *out_count, struct diag *diag);

struct store_dashboard_version {
    int64_t id, dashboard_id, version, parent, restored_from, created_ns;
    struct slice created_by, message;
    struct slice body; /* ptr NULL in lists */
};
/* Newest first; versions < before (0 = all), at most limit (0 = all). */
int store_dashboard_versions(struct store_catalog *c, struct slice uid, int64_t before,
                             size_t limit, struct arena *arena,
                             struct store_dashboard_version **out, size_t *out_count,
                             struct diag *diag);
int store_dashboard_version(struct store_catalog *c, struct slice uid, int64_t version,
                            struct arena *arena, struct store_dashboard_version *out,
                            struct diag *diag);

/* --- folders --- */
#define STORE_FOLDER_DEPTH_MAX 8

struct store_folder {
    int64_t id, version;
    struct slice uid, title, slug, parent_uid, origin, created_by, updated_by;
    int64_t created_ns, updated_ns;
};

struct store_folder_save {
    struct slice uid; /* "" = make one for a new folder */
    struct slice title, parent_uid, login, origin;
    int64_t version; /* of an existing one; must be current unless overwrite */
    bool create;     /* ERR_EXISTS when the uid or the title beside it is taken */
    bool move;       /* an existing one: changes parent_uid and nothing else */
    bool overwrite;
};

int store_folder_save(struct store_catalog *c, const struct store_folder_save *save,
                      struct arena *arena, struct store_folder *out, struct diag *diag);
/* By uid, or by id when uid.ptr is NULL. */
int store_folder_get(struct store_catalog *c, struct slice uid, int64_t id, struct arena *arena,
                     struct store_folder *out, struct diag *diag);
/* All, by title. */
int store_folder_list(struct store_catalog *c, struct arena *arena, struct store_folder **out,
                      size_t *out_count, struct diag *diag);
/* With everything in it. ERR_DENIED when a read-only dashboard is among it. Each dashboard that
 * goes is told to before_commit. */
int store_folder_delete(struct store_catalog *c, struct slice uid,
                        store_dashboard_hook before_commit, void *ctx, struct diag *diag);

/* --- annotations --- */
struct store_annotation {
    int64_t id;
    struct slice dashboard_uid; /* "" = of all */
    int64_t panel_id, time_ns, time_end_ns, created_ns, updated_ns;
    struct slice text, login, data; /* data: JSON object or "" */
    struct slice *tags;
    size_t tag_count;
};

struct store_annotation_find {
    int64_t from_ns, to_ns;     /* regions that touch [from, to]; both 0 = any time */
    struct slice dashboard_uid; /* ptr NULL = any */
    int64_t panel_id;           /* 0 = any */
    const struct slice *tags;
    size_t tag_count;
    bool match_any;
    size_t limit; /* 0 = 100; the newest ones */
};

int store_annotation_add(struct store_catalog *c, struct store_annotation *a, struct diag *diag);
/* All fields but id, created and login. */
int store_annotation_update(struct store_catalog *c, const struct store_annotation *a,
                            struct diag *diag);
int store_annotation_get(struct store_catalog *c, int64_t id, struct arena *arena,
                         struct store_annotation *out, struct diag *diag);
int store_annotation_delete(struct store_catalog *c, int64_t id, struct diag *diag);
/* Of a dashboard (and panel when not 0). */
int store_annotation_delete_of(struct store_catalog *c, struct slice dashboard_uid,
                               int64_t panel_id, struct diag *diag);
int store_annotation_find(struct store_catalog *c, const struct store_annotation_find *find,
                          struct arena *arena, struct store_annotation **out, size_t *out_count,
                          struct diag *diag);

/* --- documents: anything else, by kind and key --- */
struct store_document {
    struct slice kind, key;
    struct slice parent; /* a dashboard's uid: goes with it; "" = none */
    struct slice alias;  /* a second, unique key within the kind; "" = none */
    struct slice title, login, body;
    int64_t created_ns, updated_ns, expires_ns; /* 0 = never; expired ones are not found */
    int64_t version;                            /* counts the changes from 1 */
};

/* Inserts or replaces; fills created, updated and version. With `create`, ERR_EXISTS. */
int store_document_put(struct store_catalog *c, struct store_document *doc, bool create,
                       struct diag *diag);
/* By key, or by alias when key.ptr is NULL. */
int store_document_get(struct store_catalog *c, const char *kind, struct slice key,
                       struct slice alias, struct arena *arena, struct store_document *out,
                       struct diag *diag);
int store_document_delete(struct store_catalog *c, const char *kind, struct slice key,
                          struct diag *diag);
/* Of a kind (and parent when its ptr is not NULL), oldest first; bodies only `with_body`. */
int store_document_list(struct store_catalog *c, const char *kind, struct slice parent,
                        bool with_body, struct arena *arena, struct store_document **out,
                        size_t *out_count, struct diag *diag);

/* A random identifier of `len` characters a-z A-Z 0-9, with a NUL. */
void store_catalog_random_id(struct store_catalog *c, char *out, size_t len);

#endif
