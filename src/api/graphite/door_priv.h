/* What the files of Graphite's door share. */
#ifndef API_GRAPHITE_DOOR_PRIV_H
#define API_GRAPHITE_DOOR_PRIV_H

#include "api/api_priv.h"
#include "api/job.h"
#include "api/picture/picture.h"
#include "lang/graphite/graphite.h"

/* Plain text, as graphite-web answers bad parameters. */
void graphite_api__refuse(struct net_request *req, int status, const char *message);
void graphite_api__job_fail(struct api_job *job, int err, const struct diag *diag);
/* A job of the caller's tenant; NULL: answered already. */
struct api_job *graphite_api__job_new(struct api_call *call, void (*work)(struct api_job *job));
/* The retention rules in force, with a reference; NULL when there are none. */
struct graphite_schemas *graphite_api__schemas(struct api *api);
/* The tree of paths, up to date; false: the job has failed. */
bool graphite_api__index(struct api_job *job);

/* All values of name and of name[] in order, in the request's arena. */
struct slice *graphite_api__params(struct net_request *req, const char *name, size_t *out_count);
bool graphite_api__param_flag(struct net_request *req,
                              const char *name); /* a number that is not 0 */
/* from, until or the like; absent or -1 = `fallback`. */
int graphite_api__param_time(struct net_request *req, const char *name, int64_t now_s,
                             const struct text_zone *zone, int64_t fallback, int64_t *out,
                             struct diag *diag);
int64_t graphite_api__now_s(struct api *api);
/* jsonp around what is in out from `begin` on. */
void graphite_api__jsonp(struct api_job *job, struct slice callback);

/* The formats of render (formats.c); true when it is one of them. */
struct graphite_api__render {
    struct graphite_request req;
    struct slice *targets;
    size_t target_count;
    struct slice format, jsonp;
    int64_t points; /* maxDataPoints; 0 = not given */
    bool no_nulls;
    bool picture; /* by `drawing` */
    struct api_picture drawing;
    bool pie;
    struct slice pie_mode;
    struct slice tenant;
    struct graphite_schemas *schemas; /* a reference; may be NULL */
};
bool graphite_api__format_known(struct slice format);
void graphite_api__format(struct api_job *job, const struct graphite_api__render *r,
                          const struct graphite_list *list);
/* Of events(): times of annotations with one of the tags. ctx is the struct api. */
int graphite_api__event_times(void *ctx, const struct slice *tags, size_t tag_count, int64_t from_s,
                              int64_t until_s, struct arena *arena, int64_t **out,
                              size_t *out_count, struct diag *diag);

/* MessagePack and pickle, as far as answers need them (pack.c). */
enum graphite_api__pack { GRAPHITE_API__MSGPACK, GRAPHITE_API__PICKLE };
void graphite_api__pack_begin(enum graphite_api__pack p, struct buf *out);
void graphite_api__pack_end(enum graphite_api__pack p, struct buf *out);
void graphite_api__pack_list(enum graphite_api__pack p, struct buf *out, size_t count);
void graphite_api__pack_list_end(enum graphite_api__pack p, struct buf *out);
void graphite_api__pack_map(enum graphite_api__pack p, struct buf *out, size_t count);
void graphite_api__pack_map_end(enum graphite_api__pack p, struct buf *out);
void graphite_api__pack_text(enum graphite_api__pack p, struct buf *out, struct slice s);
void graphite_api__pack_int(enum graphite_api__pack p, struct buf *out, int64_t v);
void graphite_api__pack_double(enum graphite_api__pack p, struct buf *out,
                               double v); /* NaN = none */
void graphite_api__pack_bool(enum graphite_api__pack p, struct buf *out, bool v);

void graphite_api__render(struct api_call *call);
void graphite_api__find(struct api_call *call);
void graphite_api__expand(struct api_call *call);
void graphite_api__index_json(struct api_call *call);
void graphite_api__version(struct api_call *call);
void graphite_api__functions(struct api_call *call);
void graphite_api__function(struct api_call *call);
void graphite_api__tags(struct api_call *call);
void graphite_api__tag(struct api_call *call);
void graphite_api__find_series(struct api_call *call);
void graphite_api__tag_series(struct api_call *call);
void graphite_api__tag_multi_series(struct api_call *call);
void graphite_api__del_series(struct api_call *call);
void graphite_api__complete_tags(struct api_call *call);
void graphite_api__complete_values(struct api_call *call);
void graphite_api__events_add(struct api_call *call);
void graphite_api__events_data(struct api_call *call);
void graphite_api__event(struct api_call *call);

#endif
