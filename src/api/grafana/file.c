/* Dashboards as files. */
#include "api/dashboard_file.h"
#include "api/grafana/grafana_priv.h"

int api_dashboard_parse(struct slice text, struct arena *arena, struct store_dashboard_save *out,
                        struct diag *diag)
{
    struct codec_json *json = ARENA_NEW(arena, struct codec_json);
    struct grafana_document doc;
    if (!json)
        return ERR_NOMEM;
    if (slice_starts_with(text, SLICE("\xef\xbb\xbf")))
        text = slice_from(text, 3); /* editors of Windows put it there */
    int err = codec_json_parse(text, arena, json, diag);
    const struct codec_json *inner = err ? NULL : codec_json_get(json, "dashboard");
    const struct codec_json *top = json;
    if (inner && inner->kind == CODEC_JSON_OBJECT && !codec_json_get(json, "panels")) {
        top = inner; /* as the HTTP API gives it */
        text = grafana__raw(text, "dashboard", arena);
    }
    if (!err)
        err = grafana__document(top, text, arena, &doc, diag);
    if (!err && !doc.api_version.len)
        err = grafana__fill_inputs(NULL, top, doc.body, arena, &doc.body, diag);
    if (err)
        return err;
    out->uid = doc.uid;
    out->title = doc.title;
    out->api_version = doc.api_version;
    out->body = doc.body;
    out->tags = doc.tags;
    out->tag_count = doc.tag_count;
    return 0;
}

static void new_line(unsigned depth, struct buf *out)
{
    buf_append_char(out, '\n');
    while (depth--)
        buf_append_cstr(out, "  ");
}

/* Minified JSON, broken into lines. */
static void indent(struct slice json, struct buf *out)
{
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < json.len; i++) {
        char c = json.ptr[i], next = i + 1 < json.len ? json.ptr[i + 1] : 0;
        if (in_string) {
            buf_append_char(out, c);
            if (c == '\\' && next)
                buf_append_char(out, json.ptr[++i]);
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '}' || c == ']')
            new_line(--depth, out);
        buf_append_char(out, c);
        if ((c == '{' && next == '}') || (c == '[' && next == ']'))
            buf_append_char(out, json.ptr[++i]);
        else if (c == '{' || c == '[')
            new_line(++depth, out);
        else if (c == ',')
            new_line(depth, out);
        else if (c == ':')
            buf_append_char(out, ' ');
        in_string = c == '"';
    }
    buf_append_char(out, '\n');
}

/* The members without those that a catalogue gives. */
static void put_members(struct slice body, struct slice uid, bool with_uid, struct arena *arena,
                        struct buf *out)
{
    struct grafana_member *m;
    size_t count;
    bool first = true, has_uid = !with_uid;
    if (grafana__members(body, arena, &m, &count, NULL)) {
        buf_append_slice(out, body);
        return;
    }
    buf_append_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        bool is_uid = slice_eq_cstr(m[i].key, "uid");
        if (slice_eq_cstr(m[i].key, "id") || slice_eq_cstr(m[i].key, "version") ||
            (is_uid && has_uid))
            continue;
        buf_append_cstr(out, first ? "" : ",");
        first = false;
        codec_json_append_string(out, m[i].key);
        buf_append_char(out, ':');
        if (is_uid)
            codec_json_append_string(out, uid);
        else
            buf_append_slice(out, m[i].value);
        has_uid |= is_uid;
    }
    if (!has_uid) {
        buf_append_cstr(out, first ? "\"uid\":" : ",\"uid\":");
        codec_json_append_string(out, uid);
    }
    buf_append_char(out, '}');
}

void api_dashboard_print(const struct store_dashboard *d, struct arena *arena, struct buf *out)
{
    struct buf text = {0};
    if (d->api_version.len)
        buf_append_slice(&text, d->body);
    else
        put_members(d->body, d->uid, true, arena, &text);
    indent(buf_slice(&text), out);
    buf_deinit(&text);
}

bool api_dashboard_same(struct slice a, struct slice b, struct arena *arena)
{
    struct buf x = {0}, y = {0};
    put_members(a, SLICE(""), false, arena, &x);
    put_members(b, SLICE(""), false, arena, &y);
    bool same = slice_eq(buf_slice(&x), buf_slice(&y));
    buf_deinit(&x);
    buf_deinit(&y);
    return same;
}
