/* What the files of Grafana's HTTP API share. A handler starts a piece of work on the pool; the
 * work reads the parsed body and writes one JSON answer, or one of Grafana's errors. */
#ifndef API_GRAFANA_GRAFANA_PRIV_H
#define API_GRAFANA_GRAFANA_PRIV_H

#include "api/grafana/routes.h"
#include "api/job.h"
#include "base/map.h"
#include "base/vec.h"
#include "codec/json_dom.h"
#include "store/catalog.h"

/* Of which Grafana this says it is one: clients choose their calls by it. */
#define GRAFANA_VERSION "12.0.0"

/* One call while it is worked on; everything of it lives in the job's arena. */
struct grafana {
    struct api_job *job;
    struct api_call *call;
    struct net_request *req;
    struct arena *arena;
    struct store_catalog *catalog;
    struct slice login;         /* of who asks */
    struct slice text;          /* the body */
    struct codec_json *body;    /* parsed; NULL when there is none */
    struct codec_json_writer w; /* the answer */
    struct diag diag;
};

typedef void (*grafana_work)(struct grafana *g);

/* Runs `work` on the pool. A body must be JSON of that content type. Answers 503 when there is no
 * catalogue. */
void grafana__start(struct api_call *call, grafana_work work);

/* The same for work that queries this tenant's data: it has a place among the queries. */
void grafana__start_query(struct api_call *call, grafana_work work, struct slice tenant);

/* The model of a library panel and its name, in the request's arena. False when there is none. */
bool grafana__library_model(struct grafana *g, struct slice uid, struct codec_json *out,
                            struct slice *out_name);

#define GRAFANA_HANDLER(name)                                                                      \
    void grafana__##name(struct api_call *call)                                                    \
    {                                                                                              \
        grafana__start(call, name);                                                                \
    }

/* The answer is `{"message": ...}` with this status; `status` is Grafana's word beside it, or NULL.
 */
void grafana__fail(struct grafana *g, int http_status, const char *status, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same from an error of the catalogue, whose words are in g->diag. */
void grafana__fail_err(struct grafana *g, int err);
/* `{"message": ...}` with 200. */
void grafana__message(struct grafana *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A parameter of the query string, "" when absent. */
struct slice grafana__param(struct grafana *g, const char *name);
int64_t grafana__param_int(struct grafana *g, const char *name, int64_t fallback);
struct slice grafana__arg(struct grafana *g, size_t i);
/* Fields of the body (or of an object in it): a value of another kind counts as absent. */
struct slice grafana__string(const struct codec_json *v, const char *key);
int64_t grafana__int(const struct codec_json *v, const char *key, int64_t fallback);
bool grafana__bool(const struct codec_json *v, const char *key, bool fallback);
/* Strings of an array; those that are none are left out. */
struct slice *grafana__strings(struct grafana *g, const struct codec_json *v, const char *key,
                               size_t *out_count);
/* RFC 3339, Go's zero time for 0. */
void grafana__put_time(struct grafana *g, const char *key, int64_t ns);
void grafana__put_ms(struct grafana *g, const char *key, int64_t ns);
void grafana__put_tags(struct grafana *g, const char *key, const struct slice *tags, size_t count);
/* "" for "general", which is what Grafana calls the root. */
struct slice grafana__folder_uid(struct slice uid);

/* --- document.c: dashboards as text --- */
/* The members of a JSON object in order, values as written. */
struct grafana_member {
    struct slice key, value;
};
int grafana__members(struct slice object, struct arena *arena, struct grafana_member **out,
                     size_t *out_count, struct diag *diag);
/* Appends `target` changed by `patch` as RFC 7396 says (JSON merge patch); both are valid JSON, and
 * what is not changed stays as it was written. */
int grafana__merge_patch(struct slice target, struct slice patch, struct arena *arena,
                         struct buf *out, struct diag *diag);
/* Appends JSON without the white space outside of its strings. */
void grafana__minify(struct slice json, struct buf *out);
/* What a dashboard in any of its forms says of itself. */
struct grafana_document {
    struct slice body; /* as it is to be stored */
    struct slice uid, title, api_version, folder_uid;
    int64_t id, version; /* 0, -1 = not said */
    struct slice *tags;
    size_t tag_count;
};
/* `json` with its text (`raw`): classic, or a resource; v0 and v1 resources are unwrapped, v2 ones
 * stay as they are. ERR_INVALID. */
int grafana__document(const struct codec_json *json, struct slice raw, struct arena *arena,
                      struct grafana_document *out, struct diag *diag);
/* Appends the stored body with id, uid and version put in (classic only). */
void grafana__put_document(struct slice body, struct slice api_version, int64_t id,
                           struct slice uid, int64_t version, struct arena *arena, struct buf *out);
/* The text of the member `key` of an object, ptr NULL when absent. */
struct slice grafana__raw(struct slice object, const char *key, struct arena *arena);

/* --- dashboards.c --- */
void grafana__put_dashboard(struct grafana *g, const struct store_dashboard *d);
/* Saves and answers as /api/dashboards/db; false when it answered an error. *out is the result. */
bool grafana__save(struct grafana *g, struct store_dashboard_save *save,
                   struct store_dashboard *out);
void grafana__put_saved(struct grafana *g, const struct store_dashboard *d);

/* --- datasources.c --- */
struct grafana_source {
    const char *uid, *type, *door, *below; /* below: where a plugin's resources are in the door */
    int64_t id;
};
/* By uid or name (also provisioned ones), else by type, else the first; only doors that are there.
 * NULL never, as Prometheus' is always there. `host` may be NULL: no provisioned ones. */
const struct grafana_source *grafana__source(const struct api_host *host, struct slice uid,
                                             struct slice type);
/* All, as an object by name. */
void grafana__put_sources_map(struct grafana *g);

/* --- people.c --- */
/* Of who asks. */
int64_t grafana__user_id(struct grafana *g);

/* --- import.c --- */
/* The body with its __inputs filled, from the list `given` (may be NULL) or by type. */
int grafana__fill_inputs(const struct codec_json *given, const struct codec_json *dashboard,
                         struct slice body, struct arena *arena, struct slice *out,
                         struct diag *diag);
/* For the catalogue: asks the host (struct api_host), which is ctx. */
int grafana__before_commit(void *ctx, const struct store_dashboard *before,
                           struct store_dashboard *after, struct diag *diag);

#endif
