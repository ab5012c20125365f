/* /apis: dashboards and folders as Kubernetes-style resources, as grafanactl, Terraform's newer
 * resources and kubectl speak to Grafana from version 12 on. Conventions:
 * kubernetes.io/docs/reference/using-api/api-concepts/; annotations are Grafana's
 * (grafana.app/...).
 *
 * A dashboard is served in the version asked for when it is kept in a form of that version: the
 * classic JSON is the spec of v0alpha1, v1beta1 and v1, a v2 resource that of its own version. In
 * any other the item says so in status.conversion, as Grafana's does when it cannot convert. */
#include <stdlib.h>

#include "api/grafana/grafana_priv.h"
#include "base/hash.h"
#include "net/url.h"

#define NAMESPACE "default"

struct group {
    const char *name, *resource, *singular, *kind;
    const char *versions[7]; /* the preferred one first */
};

static const struct group groups[] = {
    {"dashboard.grafana.app",
     "dashboards",
     "dashboard",
     "Dashboard",
     {"v1", "v1beta1", "v0alpha1", "v2", "v2beta1", "v2alpha1", NULL}},
    {"folder.grafana.app", "folders", "folder", "Folder", {"v1", "v1beta1", "v0alpha1", NULL}},
};
#define DASHBOARDS (&groups[0])
#define FOLDERS    (&groups[1])

static bool has_version(const struct group *group, struct slice version)
{
    for (size_t i = 0; group->versions[i]; i++) {
        if (slice_eq_cstr(version, group->versions[i]))
            return true;
    }
    return false;
}

/* --- discovery --- */

static void put_group_version(struct grafana *g, const struct group *group, const char *version)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "groupVersion",
                          arena_printf(g->arena, "%s/%s", group->name, version));
    codec_json_put_string(&g->w, "version", slice_cstr(version));
    codec_json_end_object(&g->w);
}

static void put_group(struct grafana *g, const struct group *group, bool alone)
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

static const struct group *find_group(struct grafana *g, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (slice_eq_cstr(name, groups[i].name))
            return &groups[i];
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
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        put_group(g, &groups[i], false);
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

static void apis_group(struct grafana *g)
{
    const struct group *group = find_group(g, grafana__arg(g, 0));
    if (group)
        put_group(g, group, true);
}

static void apis_resources(struct grafana *g)
{
    static const char *const verbs[] = {"create", "delete", "get", "list", "update"};
    const struct group *group = find_group(g, grafana__arg(g, 0));
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
static bool check_place(struct grafana *g, const struct group *group, struct slice *version)
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

/* What is told of any resource in its metadata. */
struct about {
    struct slice name, folder, created_by, updated_by, origin;
    int64_t id, version, created_ns, updated_ns;
};

static void put_annotation(struct grafana *g, const char *key, struct slice value)
{
    if (value.len)
        codec_json_put_string(&g->w, key, value);
}

static struct slice user_of(struct grafana *g, struct slice login)
{
    return login.len ? arena_printf(g->arena, "user:%.*s", SLICE_FMT(login)) : SLICE("");
}

static void put_metadata(struct grafana *g, const struct group *group, const struct about *a)
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
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void begin_resource(struct grafana *g, const struct group *group, struct slice version)
{
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "kind", slice_cstr(group->kind));
    codec_json_put_string(&g->w, "apiVersion",
                          arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)));
}

/* "kind", "apiVersion" and "items" of a list, the array open. */
static void begin_list(struct grafana *g, const struct group *group, struct slice version,
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

static void end_list(struct grafana *g)
{
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

static int by_uid(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* The names on the page asked for by limit and continue, which is the last name before it. */
static size_t take_page(struct grafana *g, struct slice *names, size_t count, size_t *out_first,
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

/* What a create or an update says of the resource. */
struct given {
    struct slice name, folder, message;
    int64_t version; /* -1: not said */
    bool dry_run;
};

/* The body's metadata; false when it answered. */
static bool read_given(struct grafana *g, const struct group *group, struct slice version,
                       struct given *out)
{
    const struct codec_json *metadata = codec_json_get(g->body, "metadata"),
                            *notes = codec_json_get(metadata, "annotations"),
                            *spec = codec_json_get(g->body, "spec");
    struct slice api_version = grafana__string(g->body, "apiVersion"),
                 kind = grafana__string(g->body, "kind"),
                 want = arena_printf(g->arena, "%s/%.*s", group->name, SLICE_FMT(version)),
                 generated = grafana__string(metadata, "generateName"),
                 resource_version = grafana__string(metadata, "resourceVersion");
    *out =
        (struct given){.name = grafana__string(metadata, "name"),
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

static void fail_exists(struct grafana *g, const struct group *group, struct slice name)
{
    grafana__fail(g, 409, "AlreadyExists", "%s.%s \"%.*s\" already exists", group->resource,
                  group->name, SLICE_FMT(name));
}

static void fail_stale(struct grafana *g, const struct group *group, const struct given *given,
                       int64_t version)
{
    grafana__fail(g, 409, "Conflict",
                  "%s.%s \"%.*s\" was changed meanwhile: its resourceVersion is %lld, not that of "
                  "the request; read it again and apply the change to that",
                  group->resource, group->name, SLICE_FMT(given->name), (long long)version);
}

/* An error of the catalogue, in the codes of Kubernetes. */
static void fail_store(struct grafana *g, const struct group *group, struct slice name, int err)
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

static void put_deleted(struct grafana *g, const struct group *group, struct slice name)
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

/* --- dashboards --- */

static bool is_classic(struct slice version)
{
    return slice_starts_with(version, SLICE("v0")) || slice_starts_with(version, SLICE("v1"));
}

/* The classic JSON without what the metadata says. */
static void put_classic_spec(struct grafana *g, struct slice body)
{
    static const char *const left_out[] = {"id", "uid", "version"};
    struct grafana_member *m;
    size_t count = 0;
    codec_json_begin_object(&g->w);
    if (!grafana__members(body, g->arena, &m, &count, NULL)) {
        for (size_t i = 0; i < count; i++) {
            bool out = false;
            for (size_t k = 0; k < ARRAY_LEN(left_out); k++)
                out |= slice_eq_cstr(m[i].key, left_out[k]);
            if (out)
                continue;
            codec_json_key(&g->w, m[i].key);
            codec_json_raw(&g->w, m[i].value);
        }
    }
    codec_json_end_object(&g->w);
}

static void put_unconverted(struct grafana *g, const struct store_dashboard *d,
                            struct slice version)
{
    struct slice stored = d->api_version;
    ptrdiff_t slash = slice_find_char(stored, '/');
    stored = !stored.len ? SLICE("v1") : slice_from(stored, slash < 0 ? 0 : (size_t)slash + 1);
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "title", d->title);
    codec_json_end_object(&g->w);
    codec_json_key(&g->w, SLICE("status"));
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("conversion"));
    codec_json_begin_object(&g->w);
    codec_json_put_bool(&g->w, "failed", true);
    codec_json_put_string(&g->w, "storedVersion", stored);
    codec_json_put_string(&g->w, "error",
                          arena_printf(g->arena,
                                       "kept as %.*s and not converted to %.*s: ask for it as that",
                                       SLICE_FMT(stored), SLICE_FMT(version)));
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void put_dashboard(struct grafana *g, const struct store_dashboard *d, struct slice version,
                          bool with_access)
{
    const struct about about = {.name = d->uid,
                                .folder = d->folder_uid,
                                .created_by = d->created_by,
                                .updated_by = d->updated_by,
                                .origin = d->origin,
                                .id = d->id,
                                .version = d->version,
                                .created_ns = d->created_ns,
                                .updated_ns = d->updated_ns};
    struct slice whole = arena_printf(g->arena, "%s/%.*s", DASHBOARDS->name, SLICE_FMT(version));
    begin_resource(g, DASHBOARDS, version);
    put_metadata(g, DASHBOARDS, &about);
    codec_json_key(&g->w, SLICE("spec"));
    if (!d->api_version.len && is_classic(version)) {
        put_classic_spec(g, d->body);
    } else if (slice_eq(d->api_version, whole)) {
        struct slice spec = grafana__raw(d->body, "spec", g->arena);
        codec_json_raw(&g->w, spec.ptr ? spec : SLICE("{}"));
    } else {
        put_unconverted(g, d, version);
    }
    if (with_access) {
        struct buf url = {0};
        buf_printf(&url, "/d/%.*s/", SLICE_FMT(d->uid));
        net_url_encode(d->slug, &url);
        codec_json_key(&g->w, SLICE("access"));
        codec_json_begin_object(&g->w);
        codec_json_put_string(&g->w, "slug", d->slug);
        codec_json_put_string(&g->w, "url", buf_slice(&url));
        codec_json_put_bool(&g->w, "canSave", !d->read_only);
        codec_json_put_bool(&g->w, "canEdit", !d->read_only);
        codec_json_put_bool(&g->w, "canAdmin", !d->read_only);
        codec_json_put_bool(&g->w, "canDelete", !d->read_only);
        codec_json_put_bool(&g->w, "canStar", true);
        codec_json_end_object(&g->w);
        buf_deinit(&url);
    }
    codec_json_end_object(&g->w);
}

static void apis_dashboard_list(struct grafana *g)
{
    struct slice version, next;
    struct store_dashboard *all, d;
    size_t count, first, n = 0;
    if (!check_place(g, DASHBOARDS, &version))
        return;
    int err = store_dashboard_list(g->catalog, g->login, g->arena, &all, &count, &g->diag);
    struct slice *names = err ? NULL : ARENA_ARRAY(g->arena, struct slice, count + 1);
    if (!err && !names)
        err = ERR_NOMEM;
    for (size_t i = 0; !err && i < count; i++) {
        if (!all[i].hidden)
            names[n++] = all[i].uid;
    }
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    n = take_page(g, names, n, &first, &next);
    begin_list(g, DASHBOARDS, version, next);
    for (size_t i = first; i < first + n; i++) {
        /* One that went meanwhile is left out. */
        err = store_dashboard_get(g->catalog, names[i], 0, g->login, g->arena, &d, &g->diag);
        if (err && err != ERR_NOT_FOUND) {
            grafana__fail_err(g, err);
            return;
        }
        if (!err)
            put_dashboard(g, &d, version, false);
    }
    end_list(g);
}

static void get_dashboard(struct grafana *g, bool with_access)
{
    struct slice version, name = grafana__arg(g, 2);
    struct store_dashboard d;
    if (!check_place(g, DASHBOARDS, &version))
        return;
    int err = store_dashboard_get(g->catalog, name, 0, g->login, g->arena, &d, &g->diag);
    if (err)
        fail_store(g, DASHBOARDS, name, err);
    else
        put_dashboard(g, &d, version, with_access);
}

static void apis_dashboard_get(struct grafana *g)
{
    get_dashboard(g, false);
}

static void apis_dashboard_dto(struct grafana *g)
{
    get_dashboard(g, true);
}

/* Saves the body; `before` is NULL for a new one. */
static void save_dashboard(struct grafana *g, const struct given *given, struct slice version,
                           const struct store_dashboard *before)
{
    struct grafana_document doc;
    struct store_dashboard d;
    int err = grafana__document(g->body, g->text, g->arena, &doc, &g->diag);
    if (!err && !slice_trim(doc.title).len)
        err = diag_set(&g->diag, ERR_INVALID, "spec.title is missing");
    if (!err && given->name.len && !store_uid_valid(given->name))
        err =
            diag_set(&g->diag, ERR_INVALID,
                     "metadata.name has 1 to %d of the characters a-z A-Z 0-9 - _", STORE_UID_MAX);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct store_dashboard_save save = {.id = before ? before->id : 0,
                                        .uid = given->name,
                                        .title = doc.title,
                                        .version = before ? before->version : 0,
                                        .folder_uid = given->folder,
                                        .api_version = doc.api_version,
                                        .body = doc.body,
                                        .message = given->message,
                                        .login = g->login,
                                        .tags = doc.tags,
                                        .tag_count = doc.tag_count,
                                        .before_commit = grafana__before_commit,
                                        .ctx = g->job->api->host};
    if (given->dry_run) {
        d = (struct store_dashboard){.uid = given->name,
                                     .title = doc.title,
                                     .folder_uid = given->folder,
                                     .api_version = doc.api_version,
                                     .created_by = g->login,
                                     .updated_by = g->login,
                                     .origin = SLICE(""),
                                     .id = save.id,
                                     .version = save.version,
                                     .body = doc.body};
        put_dashboard(g, &d, version, false);
        return;
    }
    err = store_dashboard_save(g->catalog, &save, g->arena, &d, &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 400, NULL, "there is no folder \"%.*s\" (grafana.app/folder)",
                      SLICE_FMT(given->folder));
    else if (err)
        fail_store(g, DASHBOARDS, given->name, err);
    if (err)
        return;
    d.body = doc.body;
    g->job->status = before ? 200 : 201;
    put_dashboard(g, &d, version, false);
}

static void apis_dashboard_create(struct grafana *g)
{
    struct slice version;
    struct given given;
    struct store_dashboard d;
    if (!check_place(g, DASHBOARDS, &version) || !read_given(g, DASHBOARDS, version, &given))
        return;
    if (given.name.len &&
        !store_dashboard_get(g->catalog, given.name, 0, g->login, g->arena, &d, NULL))
        fail_exists(g, DASHBOARDS, given.name);
    else
        save_dashboard(g, &given, version, NULL);
}

/* The name of the path, which the body's must be; false when it answered. */
static bool check_name(struct grafana *g, struct given *given)
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

static void apis_dashboard_update(struct grafana *g)
{
    struct slice version;
    struct given given;
    struct store_dashboard d;
    if (!check_place(g, DASHBOARDS, &version) || !read_given(g, DASHBOARDS, version, &given) ||
        !check_name(g, &given))
        return;
    int err = store_dashboard_get(g->catalog, given.name, 0, g->login, g->arena, &d, &g->diag);
    if (err)
        fail_store(g, DASHBOARDS, given.name, err);
    else if (given.version != -1 && given.version != d.version)
        fail_stale(g, DASHBOARDS, &given, d.version);
    else
        save_dashboard(g, &given, version, &d);
}

static void apis_dashboard_delete(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    if (!check_place(g, DASHBOARDS, &version))
        return;
    int err = store_dashboard_delete(g->catalog, name, false, grafana__before_commit,
                                     g->job->api->host, &g->diag);
    if (err)
        fail_store(g, DASHBOARDS, name, err);
    else
        put_deleted(g, DASHBOARDS, name);
}

/* --- folders --- */

static void put_folder(struct grafana *g, const struct store_folder *f, struct slice version)
{
    const struct about about = {.name = f->uid,
                                .folder = f->parent_uid,
                                .created_by = f->created_by,
                                .updated_by = f->updated_by,
                                .origin = f->origin,
                                .id = f->id,
                                .version = f->version,
                                .created_ns = f->created_ns,
                                .updated_ns = f->updated_ns};
    begin_resource(g, FOLDERS, version);
    put_metadata(g, FOLDERS, &about);
    codec_json_key(&g->w, SLICE("spec"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "title", f->title);
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void apis_folder_list(struct grafana *g)
{
    struct slice version, next;
    struct store_folder *all;
    size_t count, first;
    if (!check_place(g, FOLDERS, &version))
        return;
    int err = store_folder_list(g->catalog, g->arena, &all, &count, &g->diag);
    struct slice *names = err ? NULL : ARENA_ARRAY(g->arena, struct slice, count + 1);
    if (err || !names) {
        grafana__fail_err(g, err ? err : ERR_NOMEM);
        return;
    }
    for (size_t i = 0; i < count; i++)
        names[i] = all[i].uid;
    size_t n = take_page(g, names, count, &first, &next);
    begin_list(g, FOLDERS, version, next);
    for (size_t i = first; i < first + n; i++) {
        for (size_t k = 0; k < count; k++) {
            if (slice_eq(all[k].uid, names[i]))
                put_folder(g, &all[k], version);
        }
    }
    end_list(g);
}

static void apis_folder_get(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    struct store_folder f;
    if (!check_place(g, FOLDERS, &version))
        return;
    int err = store_folder_get(g->catalog, name, 0, g->arena, &f, &g->diag);
    if (err)
        fail_store(g, FOLDERS, name, err);
    else
        put_folder(g, &f, version);
}

/* Saves; true when it did, then *out is the folder. */
static bool save_folder(struct grafana *g, const struct store_folder_save *save,
                        struct store_folder *out)
{
    int err = store_folder_save(g->catalog, save, g->arena, out, &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 400, NULL, "there is no folder \"%.*s\" (grafana.app/folder)",
                      SLICE_FMT(save->parent_uid));
    else if (err)
        fail_store(g, FOLDERS, save->uid, err);
    return !err;
}

static void apis_folder_create(struct grafana *g)
{
    struct slice version;
    struct given given;
    struct store_folder f;
    if (!check_place(g, FOLDERS, &version) || !read_given(g, FOLDERS, version, &given))
        return;
    struct store_folder_save save = {.uid = given.name,
                                     .title =
                                         grafana__string(codec_json_get(g->body, "spec"), "title"),
                                     .parent_uid = given.folder,
                                     .login = g->login,
                                     .create = true};
    if (given.name.len && !store_folder_get(g->catalog, given.name, 0, g->arena, &f, NULL)) {
        fail_exists(g, FOLDERS, given.name);
    } else if (save_folder(g, &save, &f)) {
        g->job->status = 201;
        put_folder(g, &f, version);
    }
}

static void apis_folder_update(struct grafana *g)
{
    struct slice version;
    struct given given;
    struct store_folder f;
    if (!check_place(g, FOLDERS, &version) || !read_given(g, FOLDERS, version, &given) ||
        !check_name(g, &given))
        return;
    int err = store_folder_get(g->catalog, given.name, 0, g->arena, &f, &g->diag);
    if (err) {
        fail_store(g, FOLDERS, given.name, err);
        return;
    }
    if (given.version != -1 && given.version != f.version) {
        fail_stale(g, FOLDERS, &given, f.version);
        return;
    }
    struct store_folder_save move = {
        .uid = given.name, .parent_uid = given.folder, .login = g->login, .move = true};
    if (!slice_eq(given.folder, f.parent_uid) && !save_folder(g, &move, &f))
        return;
    struct store_folder_save save = {.uid = given.name,
                                     .title =
                                         grafana__string(codec_json_get(g->body, "spec"), "title"),
                                     .parent_uid = given.folder,
                                     .login = g->login,
                                     .overwrite = true};
    if (save_folder(g, &save, &f))
        put_folder(g, &f, version);
}

static void apis_folder_delete(struct grafana *g)
{
    struct slice version, name = grafana__arg(g, 2);
    if (!check_place(g, FOLDERS, &version))
        return;
    int err =
        store_folder_delete(g->catalog, name, grafana__before_commit, g->job->api->host, &g->diag);
    if (err)
        fail_store(g, FOLDERS, name, err);
    else
        put_deleted(g, FOLDERS, name);
}

GRAFANA_HANDLER(apis_core)
GRAFANA_HANDLER(apis_groups)
GRAFANA_HANDLER(apis_group)
GRAFANA_HANDLER(apis_resources)
GRAFANA_HANDLER(apis_dashboard_list)
GRAFANA_HANDLER(apis_dashboard_get)
GRAFANA_HANDLER(apis_dashboard_dto)
GRAFANA_HANDLER(apis_dashboard_create)
GRAFANA_HANDLER(apis_dashboard_update)
GRAFANA_HANDLER(apis_dashboard_delete)
GRAFANA_HANDLER(apis_folder_list)
GRAFANA_HANDLER(apis_folder_get)
GRAFANA_HANDLER(apis_folder_create)
GRAFANA_HANDLER(apis_folder_update)
GRAFANA_HANDLER(apis_folder_delete)
