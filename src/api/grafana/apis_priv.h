/* What the resources below /apis share (apis.c). */
#ifndef API_GRAFANA_APIS_PRIV_H
#define API_GRAFANA_APIS_PRIV_H

#include "api/grafana/grafana_priv.h"

struct apis_group {
    const char *name, *resource, *singular, *kind;
    const char *versions[7]; /* the preferred one first */
};

#define APIS_GROUP_COUNT 2
extern const struct apis_group apis__groups[APIS_GROUP_COUNT];
#define APIS_DASHBOARDS (&apis__groups[0])
#define APIS_FOLDERS    (&apis__groups[1])

/* version and namespace of the path, in that order; false when it answered. */
bool apis__check_place(struct grafana *g, const struct apis_group *group, struct slice *version);

/* What is told of any resource in its metadata. */
struct apis_about {
    struct slice name, folder, created_by, updated_by, origin;
    int64_t id, version, created_ns, updated_ns;
};
void apis__put_metadata(struct grafana *g, const struct apis_group *group,
                        const struct apis_about *a);
/* Remembers the annotations and labels that the body gives the resource, but for those of
 * grafana.app; `a` says its name and id. */
int apis__keep_metadata(struct grafana *g, const struct apis_group *group,
                        const struct apis_about *a);
/* Writes the members of `part` ("annotations", "labels") that were remembered. */
void apis__put_kept(struct grafana *g, const struct apis_group *group, const struct apis_about *a,
                    const char *part);
/* "kind" and "apiVersion", the object open. */
void apis__begin_resource(struct grafana *g, const struct apis_group *group, struct slice version);
/* "kind", "apiVersion" and "items" of a list, the array open. */
void apis__begin_list(struct grafana *g, const struct apis_group *group, struct slice version,
                      struct slice next);
void apis__end_list(struct grafana *g);
/* Sorts the names and gives how many are on the page asked for by limit and continue (which is the
 * last name before it), from *out_first on. */
size_t apis__take_page(struct grafana *g, struct slice *names, size_t count, size_t *out_first,
                       struct slice *out_next);

/* What a create or an update says of the resource. */
struct apis_given {
    struct slice name, folder, message;
    int64_t version; /* -1: not said */
    bool dry_run;
};
/* The body's metadata; false when it answered. */
bool apis__read_given(struct grafana *g, const struct apis_group *group, struct slice version,
                      struct apis_given *out);
/* The name of the path, which the body's must be; false when it answered. */
bool apis__check_name(struct grafana *g, struct apis_given *given);

/* A merge patch (RFC 7396) of the resource: what `get` answers, changed by the body, goes to
 * `update`. Tried again when the resource changed meanwhile, unless the patch names a version. */
void apis__patch(struct grafana *g, grafana_work get, grafana_work update);

void apis__fail_exists(struct grafana *g, const struct apis_group *group, struct slice name);
/* The resource has this version now, not that of the request. */
void apis__fail_stale(struct grafana *g, const struct apis_group *group,
                      const struct apis_given *given, int64_t version);
/* An error of the catalogue, in the codes of Kubernetes. */
void apis__fail_store(struct grafana *g, const struct apis_group *group, struct slice name,
                      int err);
void apis__put_deleted(struct grafana *g, const struct apis_group *group, struct slice name);

#endif
