/* /api/dashboards/import: a dashboard as it was shared, its inputs filled. */
#include "api/grafana/grafana_priv.h"

/* What stands for ${name}: what the caller says, else by the input's own description. */
static struct slice value_of(const struct codec_json *given, const struct codec_json *input)
{
    struct slice name = grafana__string(input, "name"), type = grafana__string(input, "type");
    struct slice plugin = grafana__string(input, "pluginId");
    size_t count = given && given->kind == CODEC_JSON_ARRAY ? given->count : 0;
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(grafana__string(&given->items[i], "name"), name))
            return grafana__string(&given->items[i], "value");
    }
    if (!slice_eq_cstr(type, "datasource"))
        return grafana__string(input, "value");
    const struct grafana_source *s = grafana__source(NULL, SLICE(""), plugin);
    return s && slice_eq_cstr(plugin, s->type) ? slice_cstr(s->uid) : plugin;
}

/* Every ${name} in `text` by the value, escaped for the string that it stands in. */
static void substitute(struct slice text, struct slice name, struct slice value, struct buf *out)
{
    struct buf pattern = {0}, quoted = {0};
    ptrdiff_t at;
    buf_printf(&pattern, "${%.*s}", SLICE_FMT(name));
    codec_json_append_string(&quoted, value);
    while ((at = slice_find(text, buf_slice(&pattern))) >= 0) {
        buf_append(out, text.ptr, (size_t)at);
        buf_append(out, quoted.ptr + 1, quoted.len - 2);
        text = slice_from(text, (size_t)at + pattern.len);
    }
    buf_append_slice(out, text);
    buf_deinit(&pattern);
    buf_deinit(&quoted);
}

/* Without the members that only describe the file. */
static int without_inputs(struct slice body, struct arena *arena, struct buf *out,
                          struct diag *diag)
{
    struct grafana_member *m;
    size_t count;
    struct codec_json_writer w;
    int err = grafana__members(body, arena, &m, &count, diag);
    if (err)
        return err;
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_cstr(m[i].key, "__inputs") || slice_eq_cstr(m[i].key, "__requires"))
            continue;
        codec_json_key(&w, m[i].key);
        codec_json_raw(&w, m[i].value);
    }
    codec_json_end_object(&w);
    return 0;
}

int grafana__fill_inputs(const struct codec_json *given, const struct codec_json *dashboard,
                         struct slice body, struct arena *arena, struct slice *out,
                         struct diag *diag)
{
    const struct codec_json *inputs = codec_json_get(dashboard, "__inputs");
    size_t count = inputs && inputs->kind == CODEC_JSON_ARRAY ? inputs->count : 0;
    struct buf text = {0}, kept = {0};
    int err = 0;
    buf_append_slice(&text, body);
    for (size_t i = 0; i < count && !err; i++) {
        struct slice name = grafana__string(&inputs->items[i], "name");
        struct buf next = {0};
        if (!name.len)
            continue;
        substitute(buf_slice(&text), name, value_of(given, &inputs->items[i]), &next);
        buf_deinit(&text);
        text = next;
        /* Inputs may not blow a dashboard up. */
        if (text.len > ((size_t)64 << 20))
            err = diag_set(diag, ERR_TOO_LARGE, "the filled dashboard is too large");
    }
    /* Last: a value may have made such a member of another's name. */
    err = err ? err : without_inputs(buf_slice(&text), arena, &kept, diag);
    *out = arena_slice(arena, buf_slice(&kept));
    buf_deinit(&text);
    buf_deinit(&kept);
    return err ? err : out->ptr ? 0 : ERR_NOMEM;
}

static void dashboard_import(struct grafana *g)
{
    const struct codec_json *dashboard = codec_json_get(g->body, "dashboard");
    struct grafana_document doc;
    struct store_dashboard d;
    int err = grafana__document(dashboard, grafana__raw(g->text, "dashboard", g->arena), g->arena,
                                &doc, &g->diag);
    if (!err && !doc.api_version.len)
        err = grafana__fill_inputs(codec_json_get(g->body, "inputs"), dashboard, doc.body, g->arena,
                                   &doc.body, &g->diag);
    if (err) {
        grafana__fail_err(g, err);
        return;
    }
    struct slice folder = grafana__string(g->body, "folderUid");
    struct store_dashboard_save save = {
        .uid = doc.uid,
        .title = doc.title,
        .folder_uid = grafana__folder_uid(folder.len ? folder : doc.folder_uid),
        .api_version = doc.api_version,
        .body = doc.body,
        .tags = doc.tags,
        .tag_count = doc.tag_count,
        .message = grafana__string(g->body, "message"),
        .overwrite = grafana__bool(g->body, "overwrite", false)};
    if (!grafana__save(g, &save, &d))
        return;
    codec_json_begin_object(&g->w);
    codec_json_put_string(&g->w, "uid", d.uid);
    codec_json_put_string(&g->w, "pluginId", SLICE(""));
    codec_json_put_string(&g->w, "title", d.title);
    codec_json_put_bool(&g->w, "imported", true);
    codec_json_put_string(&g->w, "importedUri",
                          arena_printf(g->arena, "db/%.*s", SLICE_FMT(d.slug)));
    codec_json_put_string(
        &g->w, "importedUrl",
        arena_printf(g->arena, "/d/%.*s/%.*s", SLICE_FMT(d.uid), SLICE_FMT(d.slug)));
    codec_json_put_string(&g->w, "slug", d.slug);
    codec_json_put_int(&g->w, "dashboardId", d.id);
    codec_json_put_int(&g->w, "importedRevision", d.version);
    codec_json_put_int(&g->w, "version", d.version);
    codec_json_put_string(&g->w, "folderUid", d.folder_uid);
    codec_json_put_bool(&g->w, "removed", false);
    codec_json_end_object(&g->w);
}

GRAFANA_HANDLER(dashboard_import)
