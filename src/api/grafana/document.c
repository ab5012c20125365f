/* Dashboards as text: read for what the catalogue wants to know, otherwise kept as they came. */
#include "api/grafana/grafana_priv.h"

#include "codec/json_read.h"

int grafana__members(struct slice object, struct arena *arena, struct grafana_member **out,
                     size_t *out_count, struct diag *diag)
{
    struct codec_json_reader r = codec_json_reader(object, arena, diag);
    VEC(struct grafana_member) found = {0};
    struct grafana_member m;
    codec_json_read_object(&r);
    while (codec_json_next_key(&r, &m.key)) {
        if (codec_json_read_raw(&r, &m.value))
            vec_push(&found, m);
    }
    int err = codec_json_read_end(&r);
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return err ? err : *out ? 0 : ERR_NOMEM;
}

struct slice grafana__raw(struct slice object, const char *key, struct arena *arena)
{
    struct grafana_member *m;
    size_t count;
    if (grafana__members(object, arena, &m, &count, NULL))
        return (struct slice){0};
    for (size_t i = count; i-- > 0;) {
        if (slice_eq_cstr(m[i].key, key))
            return m[i].value;
    }
    return (struct slice){0};
}

#define PATCH_DEPTH_MAX 100

static const struct grafana_member *last_of(const struct grafana_member *m, size_t count,
                                            struct slice key)
{
    for (size_t i = count; i-- > 0;) {
        if (slice_eq(m[i].key, key))
            return &m[i];
    }
    return NULL;
}

static int merge_patch(struct slice target, struct slice patch, unsigned depth, struct arena *arena,
                       struct buf *out, struct diag *diag)
{
    struct grafana_member *old = NULL, *new;
    size_t old_count = 0, new_count;
    struct codec_json_writer w;
    patch = slice_trim(patch);
    target = slice_trim(target);
    if (!patch.len || patch.ptr[0] != '{') {
        buf_append_slice(out, patch);
        return 0;
    }
    if (depth > PATCH_DEPTH_MAX)
        return diag_set(diag, ERR_INVALID, "the patch is nested more than %d levels deep",
                        PATCH_DEPTH_MAX);
    int err = grafana__members(patch, arena, &new, &new_count, diag);
    if (!err && target.len && target.ptr[0] == '{')
        err = grafana__members(target, arena, &old, &old_count, diag);
    if (err)
        return err;
    codec_json_init(&w, out);
    codec_json_begin_object(&w);
    for (size_t i = 0; i < old_count; i++) {
        if (last_of(new, new_count, old[i].key))
            continue;
        codec_json_key(&w, old[i].key);
        codec_json_raw(&w, old[i].value);
    }
    for (size_t i = 0; i < new_count && !err; i++) {
        const struct grafana_member *was = last_of(old, old_count, new[i].key);
        struct buf value = {0};
        if (slice_eq_cstr(slice_trim(new[i].value), "null") ||
            last_of(new, new_count, new[i].key) != &new[i])
            continue;
        err =
            merge_patch(was ? was->value : SLICE(""), new[i].value, depth + 1, arena, &value, diag);
        codec_json_key(&w, new[i].key);
        codec_json_raw(&w, buf_slice(&value));
        buf_deinit(&value);
    }
    codec_json_end_object(&w);
    return err;
}

int grafana__merge_patch(struct slice target, struct slice patch, struct arena *arena,
                         struct buf *out, struct diag *diag)
{
    return merge_patch(target, patch, 0, arena, out, diag);
}

void grafana__minify(struct slice json, struct buf *out)
{
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i];
        if (in_string && c == '\\' && i + 1 < json.len) {
            buf_append(out, json.ptr + i++, 2);
            continue;
        }
        in_string ^= c == '"';
        if (in_string || !(c == ' ' || c == '\n' || c == '\t' || c == '\r'))
            buf_append_char(out, c);
    }
}

static void read_tags(const struct codec_json *v, struct arena *arena, struct grafana_document *out)
{
    const struct codec_json *list = codec_json_get(v, "tags");
    size_t count = list && list->kind == CODEC_JSON_ARRAY ? list->count : 0;
    out->tags = ARENA_ARRAY(arena, struct slice, count + 1);
    for (size_t i = 0; out->tags && i < count; i++) {
        if (list->items[i].kind == CODEC_JSON_STRING)
            out->tags[out->tag_count++] = list->items[i].text;
    }
}

static bool is_empty(struct slice s)
{
    return !s.len;
}

/* apiVersion, kind, metadata, spec. */
static int read_resource(const struct codec_json *json, struct slice raw, struct arena *arena,
                         struct grafana_document *out, struct diag *diag)
{
    const struct codec_json *metadata = codec_json_get(json, "metadata");
    const struct codec_json *spec = codec_json_get(json, "spec");
    const struct codec_json *notes = codec_json_get(metadata, "annotations");
    struct slice version = grafana__string(json, "apiVersion");
    ptrdiff_t slash = slice_find_char(version, '/');
    struct slice name = slice_from(version, slash < 0 ? version.len : (size_t)slash + 1);
    if (!spec || spec->kind != CODEC_JSON_OBJECT)
        return diag_set(diag, ERR_INVALID, "the resource has no object spec");
    out->title = grafana__string(spec, "title");
    read_tags(spec, arena, out);
    if (!is_empty(grafana__string(metadata, "name")))
        out->uid = grafana__string(metadata, "name");
    out->folder_uid = grafana__string(notes, "grafana.app/folder");
    if (slice_starts_with(name, SLICE("v0")) || slice_starts_with(name, SLICE("v1"))) {
        /* The spec is the classic form. */
        out->body = grafana__raw(raw, "spec", arena);
        out->id = grafana__int(spec, "id", 0);
        out->version = grafana__int(spec, "version", -1);
        if (is_empty(out->uid))
            out->uid = grafana__string(spec, "uid");
        return 0;
    }
    out->api_version = version;
    out->body = raw;
    out->version = grafana__int(metadata, "generation", -1);
    return 0;
}

int grafana__document(const struct codec_json *json, struct slice raw, struct arena *arena,
                      struct grafana_document *out, struct diag *diag)
{
    struct buf body = {0};
    int err = 0;
    *out = (struct grafana_document){.uid = SLICE(""),
                                     .title = SLICE(""),
                                     .api_version = SLICE(""),
                                     .folder_uid = SLICE(""),
                                     .version = -1};
    if (!json || json->kind != CODEC_JSON_OBJECT || !raw.ptr)
        return diag_set(diag, ERR_INVALID, "a dashboard is a JSON object");
    const struct codec_json *spec = codec_json_get(json, "spec");
    if (spec && grafana__string(json, "apiVersion").len) {
        err = read_resource(json, raw, arena, out, diag);
    } else if (codec_json_get(json, "elements") && codec_json_get(json, "layout")) {
        return diag_set(diag, ERR_INVALID,
                        "this is the spec of a v2 dashboard; send the whole resource, with "
                        "apiVersion, kind, metadata and spec");
    } else {
        out->body = raw;
        out->title = grafana__string(json, "title");
        out->uid = grafana__string(json, "uid");
        out->id = grafana__int(json, "id", 0);
        out->version = grafana__int(json, "version", -1);
        read_tags(json, arena, out);
    }
    if (err)
        return err;
    grafana__minify(out->body, &body);
    out->body = arena_slice(arena, buf_slice(&body));
    buf_deinit(&body);
    return out->body.ptr && out->tags ? 0 : ERR_NOMEM;
}

void grafana__put_document(struct slice body, struct slice api_version, int64_t id,
                           struct slice uid, int64_t version, struct arena *arena, struct buf *out)
{
    static const char *const keys[] = {"id", "uid", "version"};
    struct grafana_member *m;
    size_t count;
    bool seen[ARRAY_LEN(keys)] = {false}, first = true;
    if (api_version.len || grafana__members(body, arena, &m, &count, NULL)) {
        buf_append_slice(out, body);
        return;
    }
    buf_append_char(out, '{');
    for (size_t i = 0; i < count + ARRAY_LEN(keys); i++) {
        size_t k = 0;
        if (i < count) {
            while (k < ARRAY_LEN(keys) && !slice_eq_cstr(m[i].key, keys[k]))
                k++;
        } else {
            k = i - count;
        }
        if (k < ARRAY_LEN(keys) && seen[k])
            continue;
        buf_append_cstr(out, first ? "" : ",");
        first = false;
        codec_json_append_string(out, k < ARRAY_LEN(keys) ? slice_cstr(keys[k]) : m[i].key);
        buf_append_char(out, ':');
        if (k < ARRAY_LEN(keys))
            seen[k] = true;
        switch (k) {
        case 0: buf_printf(out, "%lld", (long long)id); break;
        case 1: codec_json_append_string(out, uid); break;
        case 2: buf_printf(out, "%lld", (long long)version); break;
        default: buf_append_slice(out, m[i].value);
        }
    }
    buf_append_char(out, '}');
}
