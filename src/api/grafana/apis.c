/* /apis: dashboards and folders as Kubernetes-style resources, as grafanactl, Terraform's newer
 * resources and kubectl speak to Grafana from version 12 on. Conventions:
 * kubernetes.io/docs/reference/using-api/api-concepts/; annotations are Grafana's
 * (grafana.app/...).
 *
 * A dashboard is served in the version asked for when it is kept in a form of that version: the
 * classic JSON is the spec of v0alpha1, v1beta1 and v1, a v2 resource that of its own version. In
 * any other the item says so in status.conversion, as Grafana's does when it cannot convert. */
#include <stdlib.h>

#include "api/grafana/apis_priv.h"
#include "base/hash.h"

#define NAMESPACE "default"

const struct apis_group apis__groups[APIS_GROUP_COUNT] = {
    {"dashboard.grafana.app",
     "dashboards",
     "dashboard",
     "Dashboard",
     {"v1", "v1beta1", "v0alpha1", "v2", "v2beta1", "v2alpha1", NULL}},
    {"folder.grafana.app", "folders", "folder", "Folder", {"v1", "v1beta1", "v0alpha1", NULL}},
};

static bool has_version(const struct apis_group *group, struct slice version)
{
    for (size_t i = 0; group->versions[i]; i++) {
        if (slice_eq_cstr(version, group->versions[i]))
            return true;
    }
    return false;
}

/* --- discovery --- */

static void put_group_version(struct grafana *g, const struct apis_group *group,
                              const char *version)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "groupVersion",
                          arena_printf(g->arena, "%s/%s", group->name, version));
    codec_json_put_string(&g->w, "version", slice_cstr(version));
    codec_json_end_object(&g->w);
}

static void put_group(struct grafana *g, const struct apis_group *group, bool alone)
{
    codec_json_begin_object(&g->w);
    if (alone) {
        codec_json_put_string(&g->w, "kind", SLICE("APIGroup"));
        codec_json_put_string(&g->w, "apiVersion", SLICE("v1"));
    }
    codec_json_put_string(&g->w, "name", slice_cstr(group->name));
    codec_json_key(&g->w, SLICE("versions"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; group->versions[i]; i++)
        put_group_version(g, group, group->versions[i]);
    codec_json_end_array(&g->w);
    codec_json_key(&g->w, SLICE("preferredVersion"));
    put_group_version(g, group, group->versions[0]);
    codec_json_end_object(&g->w);
}

static const struct apis_group *find_group(struct grafana *g, struct slice name)
{
    for (size_t i = 0; i < APIS_GROUP_COUNT; i++) {
        if (slice_eq_cstr(name, apis__groups[i].name))
            return &apis__groups[i];
    }
    grafana__fail(g, 404, NULL, "there is no API group %.*s here", SLICE_FMT(name));
    return NULL;
}

/* Clients look for the core group first; there is none. */
static void apis_core(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", SLICE("APIVersions"));
    codec_json_key(&g->w, SLICE("versions"));
    codec_json_begin_array(&g->w);
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

static void apis_groups(struct grafana *g)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", SLICE("APIGroupList"));
    codec_json_put_string(&g->w, "apiVersion", SLICE("v1"));
    codec_json_key(&g->w, SLICE("groups"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < APIS_GROUP_COUNT; i++)
        put_group(g, &apis__groups[i], false);
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

static void apis_group(struct grafana *g)
{
    const struct apis_group *group = find_group(g, grafana__arg(g, 0));
    if (group)
        put_group(g, group, true);
}

static void apis_resources(struct grafana *g)
{
    static const char *const verbs[] = {"create", "delete", "get", "list", "patch", "update"};
    const struct apis_group *group = find_group(g, grafana__arg(g, 0));
    struct slice version = grafana__arg(g, 1);
    if (!group)
        return;
    if (!has_version(group, version)) {
        grafana__fail(g, 404, NULL, "%s has no version %.*s", group->name, SLICE_FMT(version));
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", SLICE("APIResourceList"));
    codec_json_put_string(&g->w, "apiVersion", SLICE("v1"));
    codec_json_put_string(&g->w, "groupVersion",
                          arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)));
    codec_json_key(&g->w, SLICE("resources"));
    codec_json_begin_array(&g->w);
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "name", slice_cstr(group->resource));
    codec_json_put_string(&g->w, "singularName", slice_cstr(group->singular));
    codec_json_put_bool(&g->w, "namespaced", true);
    codec_json_put_string(&g->w, "kind", slice_cstr(group->kind));
    codec_json_key(&g->w, SLICE("verbs"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        codec_json_string(&g->w, slice_cstr(verbs[i]));
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

/* --- what all resources share --- */

/* version and namespace of the path, in that order; false when it answered. */
bool apis__check_place(struct grafana *g, const struct apis_group *group, struct slice *version)
{
    struct slice space = grafana__arg(g, 1);
    *version = grafana__arg(g, 0);
    if (!has_version(group, *version)) {
        grafana__fail(g, 404, NULL, "%s has no version %.*s", group->name, SLICE_FMT(*version));
        return false;
    }
    if (!slice_eq_cstr(space, NAMESPACE) && !slice_eq_cstr(space, "org-1")) {
        grafana__fail(g, 403, NULL, "there is one namespace, \"" NAMESPACE "\", and no %.*s",
                      SLICE_FMT(space));
        return false;
    }
    if (slice_eq_cstr(grafana__param(g, "watch"), "true")) {
        grafana__fail(g, 405, NULL, "watching is not there; list again");
        return false;
    }
    if (grafana__param(g, "labelSelector").len || grafana__param(g, "fieldSelector").len) {
        grafana__fail(g, 400, NULL, "selecting by labels or fields is not there; list all");
        return false;
    }
    return true;
}

static void put_annotation(struct grafana *g, const char *key, struct slice value)
{
    if (value.len)
        codec_json_put_string(&g->w, key, value);
}

static struct slice user_of(struct grafana *g, struct slice login)
{
    return login.len ? arena_printf(g->arena, "user:%.*s", SLICE_FMT(login)) : SLICE("");
}

void apis__put_metadata(struct grafana *g, const struct apis_group *group,
                        const struct apis_about *a)
{
    struct slice seed =
        arena_printf(g->arena, "%s/%.*s/%lld", group->name, SLICE_FMT(a->name), (long long)a->id);
    struct hash128 h = hash128(seed.ptr, seed.len);
    codec_json_key(&g->w, SLICE("metadata"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "name", a->name);
    codec_json_put_string(&g->w, "namespace", SLICE(NAMESPACE));
    codec_json_put_string(&g->w, "uid",
                          arena_printf(g->arena, "%08x-%04x-%04x-%04x-%012llx",
                                       (unsigned)(h.hi >> 32), (unsigned)(h.hi >> 16 & 0xffff),
                                       (unsigned)(h.hi & 0xffff), (unsigned)(h.lo >> 48),
                                       (unsigned long long)(h.lo & 0xffffffffffff)));
    codec_json_put_string(&g->w, "resourceVersion",
                          arena_printf(g->arena, "%lld", (long long)a->version));
    codec_json_put_int(&g->w, "generation", a->version);
    grafana__put_time(g, "creationTimestamp", a->created_ns);
    codec_json_key(&g->w, SLICE("labels"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "grafana.app/deprecatedInternalID",
                          arena_printf(g->arena, "%lld", (long long)a->id));
    apis__put_kept(g, group, a, "labels");
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("annotations"));
    codec_json_begin_object(&g->w);
    put_annotation(g, "grafana.app/createdBy", user_of(g, a->created_by));
    put_annotation(g, "grafana.app/folder", a->folder);
    if (a->origin.len) {
        struct slice rest = a->origin, kind, name;
        slice_split(&rest, ':', &kind);
        if (rest.ptr && slice_split(&rest, ':', &name))
            put_annotation(g, "grafana.app/managerId", name);
        put_annotation(g, "grafana.app/managedBy", SLICE("classic-file-provisioning"));
        if (rest.ptr)
            put_annotation(g, "grafana.app/sourcePath", rest);
    }
    put_annotation(g, "grafana.app/updatedBy", user_of(g, a->updated_by));
    grafana__put_time(g, "grafana.app/updatedTimestamp", a->updated_ns);
    apis__put_kept(g, group, a, "annotations");
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

void apis__begin_resource(struct grafana *g, const struct apis_group *group, struct slice version)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", slice_cstr(group->kind));
    codec_json_put_string(&g->w, "apiVersion",
                          arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)));
}

/* "kind", "apiVersion" and "items" of a list, the array open. */
void apis__begin_list(struct grafana *g, const struct apis_group *group, struct slice version,
                      struct slice next)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", arena_printf(g->arena, "%sList", group->kind));
    codec_json_put_string(&g->w, "apiVersion",
                          arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)));
    codec_json_key(&g->w, SLICE("metadata"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(
        &g->w, "resourceVersion",
        arena_printf(g->arena, "%llu", (unsigned long long)store_catalog_generation(g->catalog)));
    if (next.len)
        codec_json_put_string(&g->w, "continue", next);
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("items"));
    codec_json_begin_array(&g->w);
}

void apis__end_list(struct grafana *g)
{
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

static int by_uid(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The names on the page asked for by limit and continue, which is the last name before it. */
size_t apis__take_page(struct grafana *g, struct slice *names, size_t count, size_t *out_first,
                       struct slice *out_next)
{
    struct slice after = grafana__param(g, "continue");
    size_t limit = (size_t)MAX(grafana__param_int(g, "limit", 0), 0), first = 0;
    *out_next = SLICE("");
    if (count)
        qsort(names, count, sizeof(*names), by_uid);
    while (after.len && first < count && slice_cmp(names[first], after) <= 0)
        first++;
    *out_first = first;
    if (!limit || count - first <= limit)
        return count - first;
    *out_next = names[first + limit - 1];
    return limit;
}

/* The body's metadata; false when it answered. */
bool apis__read_given(struct grafana *g, const struct apis_group *group, struct slice version,
                      struct apis_given *out)
{
    const struct codec_json *metadata = codec_json_get(g->body, "metadata"),
                            *notes = codec_json_get(metadata, "annotations"),
                            *spec = codec_json_get(g->body, "spec");
    struct slice api_version = grafana__string(g->body, "apiVersion"),
                 kind = grafana__string(g->body, "kind"),
                 want = arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)),
                 generated = grafana__string(metadata, "generateName"),
                 resource_version = grafana__string(metadata, "resourceVersion");
    *out = (struct apis_given){
        .name = grafana__string(metadata, "name"),
        .folder = grafana__folder_uid(grafana__string(notes, "grafana.app/folder")),
        .message = grafana__string(notes, "grafana.app/message"),
        .version = -1,
        .dry_run = slice_eq_cstr(grafana__param(g, "dryRun"), "All")};
    if (!slice_eq(api_version, want) || !slice_eq_cstr(kind, group->kind)) {
        grafana__fail(
            g, 400, NULL,
            "the body is apiVersion \"%.*s\", kind \"%.*s\"; at this path it is \"%.*s\", "
            "\"%s\"",
            SLICE_FMT(api_version), SLICE_FMT(kind), SLICE_FMT(want), group->kind);
        return false;
    }
    if (!spec || spec->kind != CODEC_JSON_OBJECT) {
        grafana__fail(g, 400, NULL, "the resource has no object spec");
        return false;
    }
    if (!out->name.len && generated.len) {
        char id[11];
        store_catalog_random_id(g->catalog, id, 10);
        out->name = arena_printf(g->arena, "%.*s%s",
                                 SLICE_FMT(slice_first(generated, STORE_UID_MAX - 10)), id);
    }
    if (resource_version.len) {
        struct codec_json number = {.kind = CODEC_JSON_STRING, .text = resource_version};
        struct slice key = SLICE("n");
        struct codec_json o = {
            .kind = CODEC_JSON_OBJECT, .count = 1, .items = &number, .keys = &key};
        out->version = grafana__int(&o, "n", -2);
    }
    return true;
}

#define PATCH_TRIES 5

/* The body becomes the resource as it is to be; false when it answered. */
static bool apply_patch(struct grafana *g, struct slice patch, grafana_work get)
{
    struct buf merged = {0};
    buf_clear(&g->job->out);
    codec_json_init(&g->w, &g->job->out);
    g->job->status = 200;
    get(g);
    if (g->job->status >= 400)
        return false;
    struct slice now = arena_slice(g->arena, buf_slice(&g->job->out));
    int err = now.ptr ? grafana__merge_patch(now, patch, g->arena, &merged, &g->diag) : ERR_NOMEM;
    buf_clear(&g->job->out);
    codec_json_init(&g->w, &g->job->out);
    g->text = err ? SLICE("") : arena_slice(g->arena, buf_slice(&merged));
    buf_deinit(&merged);
    if (!err)
        err = g->text.ptr ? codec_json_parse(g->text, g->arena, g->body, &g->diag) : ERR_NOMEM;
    if (err)
        grafana__fail_err(g, err);
    return !err;
}

void apis__patch(struct grafana *g, grafana_work get, grafana_work update)
{
    struct slice patch = g->text;
    if (!g->body || g->body->kind != CODEC_JSON_OBJECT) {
        grafana__fail(g, 400, NULL, "a merge patch is a JSON object");
        return;
    }
    bool versioned = grafana__string(codec_json_get(g->body, "metadata"), "resourceVersion").len;
    for (int i = 0; i < PATCH_TRIES && apply_patch(g, patch, get); i++) {
        update(g);
        if (g->job->status != 409 || versioned)
            return;
    }
}

void apis__fail_exists(struct grafana *g, const struct apis_group *group, struct slice name)
{
    grafana__fail(g, 409, "AlreadyExists", "%s.%s \"%.*s\" already exists", group->resource,
                  group->name, SLICE_FMT(name));
}

void apis__fail_stale(struct grafana *g, const struct apis_group *group,
                      const struct apis_given *given, int64_t version)
{
    grafana__fail(g, 409, "Conflict",
                  "%s.%s \"%.*s\" was changed meanwhile: its resourceVersion is %lld, not that of "
                  "the request; read it again and apply the change to that",
                  group->resource, group->name, SLICE_FMT(given->name), (long long)version);
}

/* An error of the catalogue, in the codes of Kubernetes. */
void apis__fail_store(struct grafana *g, const struct apis_group *group, struct slice name, int err)
{
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 404, NULL, "%s.%s \"%.*s\" not found", group->resource, group->name,
                      SLICE_FMT(name));
    else if (err == ERR_EXISTS || err == ERR_CONFLICT)
        grafana__fail(g, 409, NULL, "%s", g->diag.msg);
    else if (err == ERR_DENIED)
        grafana__fail(g, 403, NULL, "%s", g->diag.msg);
    else
        grafana__fail_err(g, err);
}

void apis__put_deleted(struct grafana *g, const struct apis_group *group, struct slice name)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", SLICE("Status"));
    codec_json_put_string(&g->w, "apiVersion", SLICE("v1"));
    codec_json_key(&g->w, SLICE("metadata"));
    codec_json_begin_object(&g->w);
    codec_json_end_object(&g->w);
    codec_json_put_string(&g->w, "status", SLICE("Success"));
    codec_json_key(&g->w, SLICE("details"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "name", name);
    codec_json_put_string(&g->w, "group", slice_cstr(group->name));
    codec_json_put_string(&g->w, "kind", slice_cstr(group->resource));
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

/* The name of the path, which the body's must be; false when it answered. */
bool apis__check_name(struct grafana *g, struct apis_given *given)
{
    struct slice name = grafana__arg(g, 2);
    if (given->name.len && !slice_eq(given->name, name)) {
        grafana__fail(g, 400, NULL, "the body names \"%.*s\", the path \"%.*s\"",
                      SLICE_FMT(given->name), SLICE_FMT(name));
        return false;
    }
    given->name = name;
    return true;
}

GRAFANA_HANDLER(apis_core)
GRAFANA_HANDLER(apis_groups)
GRAFANA_HANDLER(apis_group)
GRAFANA_HANDLER(apis_resources)
