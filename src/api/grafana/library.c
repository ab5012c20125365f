/* /api/library-elements: panels kept once and used by several dashboards. A dashboard refers to one
 * by `libraryPanel: {uid, name}`; whoever draws it fetches the model here. */
#include "api/grafana/grafana_priv.h"

#define LIBRARY "library"
#define PANEL   1
#define PAGE    100

/* As it is stored: {"folderUid":"","kind":1,"model":{...}}. */
struct element {
    struct store_document doc;
    struct slice folder, model, type, description;
    int64_t kind;
};

static void read_element(struct grafana *g, const struct store_document *doc, struct element *e)
{
    struct codec_json v = {0};
    *e = (struct element){.doc = *doc, .kind = PANEL, .model = SLICE("{}")};
    if (codec_json_parse(doc->body, g->arena, &v, NULL))
        return;
    const struct codec_json *model = codec_json_get(&v, "model");
    struct slice raw = grafana__raw(doc->body, "model", g->arena);
    e->folder = grafana__string(&v, "folderUid");
    e->kind = grafana__int(&v, "kind", PANEL);
    e->model = raw.ptr ? raw : e->model;
    e->type = grafana__string(model, "type");
    e->description = grafana__string(model, "description");
}

static void put_element(struct grafana *g, const struct element *e)
{
    const struct store_document *doc = &e->doc;
    codec_json_begin_object(&g->w);
    codec_json_put_int(&g->w, "orgId", 1);
    codec_json_put_string(&g->w, "uid", doc->key);
    codec_json_put_string(&g->w, "folderUid", e->folder);
    codec_json_put_string(&g->w, "name", doc->title);
    codec_json_put_int(&g->w, "kind", e->kind);
    codec_json_put_string(&g->w, "type", e->type);
    codec_json_put_string(&g->w, "description", e->description);
    codec_json_key(&g->w, SLICE("model"));
    codec_json_raw(&g->w, e->model);
    codec_json_put_int(&g->w, "version", doc->version);
    codec_json_key(&g->w, SLICE("meta"));
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "folderUid", e->folder);
    grafana__put_time(g, "created", doc->created_ns);
    grafana__put_time(g, "updated", doc->updated_ns);
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void put_result(struct grafana *g, const struct store_document *doc)
{
    struct element e;
    read_element(g, doc, &e);
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("result"));
    put_element(g, &e);
    codec_json_end_object(&g->w);
}

static bool all_elements(struct grafana *g, struct store_document **all, size_t *count)
{
    int err = store_document_list(g->catalog, LIBRARY, (struct slice){0}, true, g->arena, all,
                                  count, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    return !err;
}

static bool find_element(struct grafana *g, struct store_document *doc)
{
    int err = store_document_get(g->catalog, LIBRARY, grafana__arg(g, 0), SLICE(""), g->arena, doc,
                                 &g->diag);
    if (err == ERR_NOT_FOUND)
        grafana__fail(g, 404, NULL, "library element could not be found");
    else if (err)
        grafana__fail_err(g, err);
    return !err;
}

/* Whatever the case of ASCII letters. */
static bool contains(struct slice text, struct slice words)
{
    for (size_t i = 0; i + words.len <= text.len; i++)
        if (slice_eq_nocase((struct slice){text.ptr + i, words.len}, words))
            return true;
    return false;
}

bool grafana__library_model(struct grafana *g, struct slice uid, struct codec_json *out,
                            struct slice *out_name)
{
    struct store_document doc;
    struct element e;
    if (!uid.len || store_document_get(g->catalog, LIBRARY, uid, SLICE(""), g->arena, &doc, NULL))
        return false;
    read_element(g, &doc, &e);
    *out_name = doc.title;
    return !codec_json_parse(e.model, g->arena, out, NULL) && out->kind == CODEC_JSON_OBJECT;
}

static void library_list(struct grafana *g)
{
    struct store_document *all;
    size_t count;
    struct slice words = grafana__param(g, "searchString"),
                 folder = grafana__param(g, "folderFilterUIDs"),
                 type = grafana__param(g, "typeFilter");
    int64_t kind = grafana__param_int(g, "kind", 0), page = grafana__param_int(g, "page", 1),
            per = grafana__param_int(g, "perPage", PAGE);
    page = MAX(page, 1);
    per = MAX(MIN(per, 5000), 1);
    if (!all_elements(g, &all, &count))
        return;
    int64_t total = 0;
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("result"));
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("elements"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < count; i++) {
        struct element e;
        read_element(g, &all[i], &e);
        if ((kind && e.kind != kind) || (type.len && !slice_eq(type, e.type)) ||
            (folder.len && !slice_eq(grafana__folder_uid(folder), e.folder)) ||
            (words.len && !contains(e.doc.title, words)))
            continue;
        if (total >= (page - 1) * per && total < page * per)
            put_element(g, &e);
        total++;
    }
    codec_json_end_array(&g->w);
    codec_json_put_int(&g->w, "totalCount", total);
    codec_json_put_int(&g->w, "page", page);
    codec_json_put_int(&g->w, "perPage", per);
    codec_json_end_object(&g->w);
    codec_json_end_object(&g->w);
}

static void library_get(struct grafana *g)
{
    struct store_document doc;
    if (find_element(g, &doc))
        put_result(g, &doc);
}

static void library_by_name(struct grafana *g)
{
    struct store_document *all;
    size_t count, found = 0;
    if (!all_elements(g, &all, &count))
        return;
    for (size_t i = 0; i < count; i++)
        if (slice_eq(all[i].title, grafana__arg(g, 0)))
            all[found++] = all[i];
    if (!found) {
        grafana__fail(g, 404, NULL, "library element could not be found");
        return;
    }
    codec_json_begin_object(&g->w);
    codec_json_key(&g->w, SLICE("result"));
    codec_json_begin_array(&g->w);
    for (size_t i = 0; i < found; i++) {
        struct element e;
        read_element(g, &all[i], &e);
        put_element(g, &e);
    }
    codec_json_end_array(&g->w);
    codec_json_end_object(&g->w);
}

/* A name is there once in its folder. */
static bool name_is_free(struct grafana *g, struct slice name, struct slice folder,
                         struct slice uid)
{
    struct store_document *all;
    size_t count;
    if (!all_elements(g, &all, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct element e;
        if (!slice_eq(all[i].title, name) || slice_eq(all[i].key, uid))
            continue;
        read_element(g, &all[i], &e);
        if (slice_eq(e.folder, folder)) {
            grafana__fail(g, 400, NULL, "library element with that name or UID already exists");
            return false;
        }
    }
    return true;
}

static void save_element(struct grafana *g, const struct element *e, bool create)
{
    struct buf body = {0};
    struct codec_json_writer w;
    struct store_document doc = {
        .kind = SLICE(LIBRARY), .key = e->doc.key, .title = e->doc.title, .login = g->login};
    codec_json_init(&w, &body);
    codec_json_begin_object(&w);
    codec_json_put_string(&w, "folderUid", e->folder);
    codec_json_put_int(&w, "kind", e->kind);
    codec_json_key(&w, SLICE("model"));
    codec_json_raw(&w, e->model);
    codec_json_end_object(&w);
    doc.body = buf_slice(&body);
    int err = store_document_put(g->catalog, &doc, create, &g->diag);
    if (err == ERR_EXISTS)
        grafana__fail(g, 400, NULL, "library element with that name or UID already exists");
    else if (err)
        grafana__fail_err(g, err);
    else
        put_result(g, &doc);
    buf_deinit(&body);
}

/* Name, folder, kind and model of the body over what `e` has; false when it answered an error. */
static bool take_body(struct grafana *g, struct element *e)
{
    const struct codec_json *model = codec_json_get(g->body, "model");
    struct slice name = slice_trim(grafana__string(g->body, "name"));
    if (name.len)
        e->doc.title = name;
    if (codec_json_get(g->body, "folderUid"))
        e->folder = grafana__folder_uid(grafana__string(g->body, "folderUid"));
    e->kind = grafana__int(g->body, "kind", e->kind);
    if (model) {
        struct slice raw = grafana__raw(g->text, "model", g->arena);
        if (model->kind != CODEC_JSON_OBJECT || !raw.ptr) {
            grafana__fail(g, 400, NULL, "the model of a library element is an object");
            return false;
        }
        e->model = raw;
    }
    if (!e->doc.title.len) {
        grafana__fail(g, 400, NULL, "a library element has a name");
        return false;
    }
    if (e->kind != PANEL) {
        grafana__fail(g, 400, NULL, "library elements are panels here: kind 1");
        return false;
    }
    return name_is_free(g, e->doc.title, e->folder, e->doc.key);
}

static void library_create(struct grafana *g)
{
    char key[15];
    struct slice uid = grafana__string(g->body, "uid");
    store_catalog_random_id(g->catalog, key, 14);
    struct element e = {.doc.key = uid.len ? uid : slice_cstr(key), .kind = PANEL};
    if (!codec_json_get(g->body, "model")) {
        grafana__fail(g, 400, NULL, "a library element has a model");
        return;
    }
    if (uid.len > 40) {
        grafana__fail(g, 400, NULL, "the uid of a library element has at most 40 characters");
        return;
    }
    if (take_body(g, &e))
        save_element(g, &e, true);
}

static void library_change(struct grafana *g)
{
    struct store_document doc;
    struct element e;
    if (!find_element(g, &doc))
        return;
    int64_t version = grafana__int(g->body, "version", doc.version);
    if (version != doc.version) {
        grafana__fail(g, 412, "version-mismatch",
                      "the library element has been changed by someone else");
        return;
    }
    read_element(g, &doc, &e);
    if (take_body(g, &e))
        save_element(g, &e, false);
}

static void library_delete(struct grafana *g)
{
    struct store_document doc;
    if (!find_element(g, &doc))
        return;
    int err = store_document_delete(g->catalog, LIBRARY, doc.key, &g->diag);
    if (err)
        grafana__fail_err(g, err);
    else
        grafana__message(g, "Library element deleted");
}

GRAFANA_HANDLER(library_list)
GRAFANA_HANDLER(library_get)
GRAFANA_HANDLER(library_by_name)
GRAFANA_HANDLER(library_create)
GRAFANA_HANDLER(library_change)
GRAFANA_HANDLER(library_delete)
