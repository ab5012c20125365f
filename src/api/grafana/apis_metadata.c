/* The annotations and labels that clients give resources: kubectl's last-applied-configuration,
 * without which `apply` cannot take fields away, and what people label with. Those of grafana.app
 * are the program's own and not kept. */
#include "api/grafana/apis_priv.h"

#define KEPT "resource metadata"

static struct slice key_of(struct grafana *g, const struct apis_group *group, struct slice name)
{
    return arena_printf(g->arena, "%s/%.*s", group->resource, SLICE_FMT(name));
}

/* Writes the strings of object's `key` that are the client's own; how many there were. */
static size_t put_own(struct grafana *g, struct slice object, const char *key,
                      struct codec_json_writer *w)
{
    struct slice members = object.ptr ? grafana__raw(object, key, g->arena) : object;
    struct grafana_member *m;
    size_t count = 0, n = 0;
    if (!members.ptr || grafana__members(members, g->arena, &m, &count, NULL))
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (slice_starts_with(m[i].key, SLICE("grafana.app/")) ||
            !slice_starts_with(m[i].value, SLICE("\"")))
            continue;
        codec_json_key(w, m[i].key);
        codec_json_raw(w, m[i].value);
        n++;
    }
    return n;
}

int apis__keep_metadata(struct grafana *g, const struct apis_group *group,
                        const struct apis_about *a)
{
    struct slice given = grafana__raw(g->text, "metadata", g->arena);
    struct buf body = {0};
    struct codec_json_writer w;
    size_t n = 0;
    codec_json_init(&w, &body);
    codec_json_begin_object(&w);
    codec_json_put_int(&w, "id", a->id);
    static const char *const parts[] = {"annotations", "labels"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        codec_json_key(&w, slice_cstr(parts[i]));
        codec_json_begin_object(&w);
        n += put_own(g, given, parts[i], &w);
        codec_json_end_object(&w);
    }
    codec_json_end_object(&w);
    struct store_document doc = {.kind = SLICE(KEPT),
                                 .key = key_of(g, group, a->name),
                                 /* That of a dashboard goes with it. */
                                 .parent = group == APIS_DASHBOARDS ? a->name : SLICE(""),
                                 .alias = SLICE(""),
                                 .title = SLICE(""),
                                 .login = g->login,
                                 .body = buf_slice(&body)};
    int err;
    if (!doc.key.ptr)
        err = ERR_NOMEM;
    else if (n)
        err = store_document_put(g->catalog, &doc, false, &g->diag);
    else
        err = store_document_delete(g->catalog, KEPT, doc.key, NULL);
    buf_deinit(&body);
    return n || err != ERR_NOT_FOUND ? err : 0;
}

void apis__put_kept(struct grafana *g, const struct apis_group *group, const struct apis_about *a,
                    const char *part)
{
    struct slice key = key_of(g, group, a->name);
    struct store_document doc;
    if (!key.ptr || store_document_get(g->catalog, KEPT, key, SLICE(""), g->arena, &doc, NULL))
        return;
    /* One of a folder that went, whose name another has now, says nothing of that. */
    struct slice id = grafana__raw(doc.body, "id", g->arena);
    if (id.ptr && slice_eq(id, arena_printf(g->arena, "%lld", (long long)a->id)))
        put_own(g, doc.body, part, &g->w);
}
