/* /api/search: folders and dashboards by words, tags, folder and star. */
#include <stdlib.h>
#include <strings.h>

#include "api/grafana/grafana_priv.h"

#include "net/url.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX     5000

struct hit {
    const struct store_dashboard *dashboard; /* or */
    const struct store_folder *folder;
    struct slice title;
};

struct query {
    struct slice words[32], tags[32], folders[64], uids[128];
    size_t word_count, tag_count, folder_count, uid_count;
    bool starred, want_folders, want_dashboards, by_folder, nothing;
};

static bool contains_nocase(struct slice text, struct slice word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        if (slice_eq_nocase(slice_make(text.ptr + i, word.len), word))
            return true;
    }
    return false;
}

/* Values of a repeated parameter, each of which may be a list with commas. */
static size_t read_list(struct grafana *g, const char *name, struct slice *out, size_t max)
{
    size_t count = 0;
    struct slice v, part;
    for (size_t i = 0; (v = net_request_param_at(g->req, name, i)).ptr; i++) {
        while (v.ptr && count < max && slice_split(&v, ',', &part)) {
            if (part.len)
                out[count++] = part;
        }
    }
    return count;
}

static void read_query(struct grafana *g, struct query *q)
{
    struct slice type = grafana__param(g, "type"), rest = grafana__param(g, "query"), v, word;
    *q = (struct query){.want_folders = !slice_eq_cstr(type, "dash-db"),
                        .want_dashboards = !slice_eq_cstr(type, "dash-folder"),
                        .starred = slice_eq_cstr(grafana__param(g, "starred"), "true")};
    while (rest.len && q->word_count < ARRAY_LEN(q->words) && slice_split(&rest, ' ', &word)) {
        if (word.len)
            q->words[q->word_count++] = word;
    }
    for (size_t i = 0;
         q->tag_count < ARRAY_LEN(q->tags) && (v = net_request_param_at(g->req, "tag", i)).ptr;
         i++) {
        if (v.len)
            q->tags[q->tag_count++] = v;
    }
    q->folder_count = read_list(g, "folderUIDs", q->folders, ARRAY_LEN(q->folders));
    q->by_folder = q->folder_count > 0;
    for (size_t i = 0; i < q->folder_count; i++)
        q->folders[i] = grafana__folder_uid(q->folders[i]);
    q->uid_count = read_list(g, "dashboardUIDs", q->uids, ARRAY_LEN(q->uids));
    if (!q->uid_count)
        q->uid_count = read_list(g, "dashboardUID", q->uids, ARRAY_LEN(q->uids));
    struct slice ids[64];
    size_t id_count = read_list(g, "folderIds", ids, ARRAY_LEN(ids));
    for (size_t i = 0; i < id_count && q->folder_count < ARRAY_LEN(q->folders); i++) {
        struct store_folder f;
        struct buf text = {0};
        buf_append_slice(&text, ids[i]);
        int64_t id = strtoll(buf_cstr(&text), NULL, 10);
        buf_deinit(&text);
        q->by_folder = true;
        if (!id)
            q->folders[q->folder_count++] = SLICE("");
        else if (!store_folder_get(g->catalog, (struct slice){0}, id, g->arena, &f, NULL))
            q->folders[q->folder_count++] = f.uid;
    }
    /* Deleted ones are not kept. */
    q->nothing = slice_eq_cstr(grafana__param(g, "deleted"), "true");
}

static bool in_list(struct slice v, const struct slice *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(list[i], v))
            return true;
    }
    return false;
}

static bool title_fits(const struct query *q, struct slice title)
{
    for (size_t i = 0; i < q->word_count; i++) {
        if (!contains_nocase(title, q->words[i]))
            return false;
    }
    return true;
}

static bool dashboard_fits(const struct query *q, const struct store_dashboard *d)
{
    if (d->hidden || !q->want_dashboards || q->nothing || (q->starred && !d->starred))
        return false;
    if (q->by_folder && !in_list(d->folder_uid, q->folders, q->folder_count))
        return false;
    if (q->uid_count && !in_list(d->uid, q->uids, q->uid_count))
        return false;
    for (size_t i = 0; i < q->tag_count; i++) {
        if (!in_list(q->tags[i], d->tags, d->tag_count))
            return false;
    }
    return title_fits(q, d->title);
}

static bool folder_fits(const struct query *q, const struct store_folder *f)
{
    return q->want_folders && !q->nothing && !q->starred && !q->tag_count && !q->uid_count &&
           (!q->by_folder || in_list(f->parent_uid, q->folders, q->folder_count)) &&
           title_fits(q, f->title);
}

static int by_title(const void *pa, const void *pb)
{
    const struct hit *a = pa, *b = pb;
    if (!a->folder != !b->folder)
        return a->folder ? -1 : 1;
    size_t n = MIN(a->title.len, b->title.len);
    int c = n ? strncasecmp(a->title.ptr, b->title.ptr, n) : 0;
    return c ? c : (a->title.len > b->title.len) - (a->title.len < b->title.len);
}

static int by_title_down(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return !x->folder != !y->folder ? by_title(a, b) : by_title(b, a);
}

static void put_url(struct grafana *g, const char *key, const char *path, struct slice uid,
                    struct slice slug)
{
    struct buf url = {0};
    buf_printf(&url, "%s/%.*s/", path, SLICE_FMT(uid));
    net_url_encode(slug, &url);
    codec_json_put_string(&g->w, key, buf_slice(&url));
    buf_deinit(&url);
}

static const struct store_folder *folder_of(const struct store_folder *folders, size_t count,
                                            struct slice uid)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(folders[i].uid, uid))
            return &folders[i];
    }
    return NULL;
}

static void put_hit(struct grafana *g, const struct hit *h, const struct store_folder *folders,
                    size_t folder_count)
{
    const struct store_dashboard *d = h->dashboard;
    const struct store_folder *f = h->folder;
    const struct store_folder *in =
        folder_of(folders, folder_count, d ? d->folder_uid : f->parent_uid);
    struct codec_json_writer *w = &g->w;
    codec_json_begin_object(w);
    codec_json_put_int(w, "id", d ? d->id : f->id);
    codec_json_put_int(w, "orgId", 1);
    codec_json_put_string(w, "uid", d ? d->uid : f->uid);
    codec_json_put_string(w, "title", h->title);
    codec_json_put_string(w, "uri",
                          arena_printf(g->arena, "db/%.*s", SLICE_FMT(d ? d->slug : f->slug)));
    if (d)
        put_url(g, "url", "/d", d->uid, d->slug);
    else
        put_url(g, "url", "/dashboards/f", f->uid, f->slug);
    codec_json_put_string(w, "slug", SLICE(""));
    codec_json_put_string(w, "type", d ? SLICE("dash-db") : SLICE("dash-folder"));
    grafana__put_tags(g, "tags", d ? d->tags : NULL, d ? d->tag_count : 0);
    codec_json_put_bool(w, "isStarred", d && d->starred);
    if (in) {
        codec_json_put_int(w, "folderId", in->id);
        codec_json_put_string(w, "folderUid", in->uid);
        codec_json_put_string(w, "folderTitle", in->title);
        put_url(g, "folderUrl", "/dashboards/f", in->uid, in->slug);
    }
    codec_json_put_int(w, "sortMeta", 0);
    codec_json_put_bool(w, "isDeleted", false);
    codec_json_end_object(w);
}

static void search(struct grafana *g)
{
    struct query *q = ARENA_NEW(g->arena, struct query);
    struct store_dashboard *dashboards;
    struct store_folder *folders;
    size_t dashboard_count, folder_count, hit_count = 0;
    int err = q ? store_dashboard_list(g->catalog, g->login, g->arena, &dashboards,
                                       &dashboard_count, &g->diag)
                : ERR_NOMEM;
    if (!err)
        err = store_folder_list(g->catalog, g->arena, &folders, &folder_count, &g->diag);
    struct hit *hits =
        err ? NULL : ARENA_ARRAY(g->arena, struct hit, dashboard_count + folder_count + 1);
    if (!hits) {
        grafana__fail_err(g, err ? err : ERR_NOMEM);
        return;
    }
    read_query(g, q);
    for (size_t i = 0; i < folder_count; i++) {
        if (folder_fits(q, &folders[i]))
            hits[hit_count++] = (struct hit){.folder = &folders[i], .title = folders[i].title};
    }
    for (size_t i = 0; i < dashboard_count; i++) {
        if (dashboard_fits(q, &dashboards[i]))
            hits[hit_count++] =
                (struct hit){.dashboard = &dashboards[i], .title = dashboards[i].title};
    }
    struct slice sort = grafana__param(g, "sort");
    qsort(hits, hit_count, sizeof(*hits),
          slice_eq_cstr(sort, "alpha-desc") ? by_title_down : by_title);
    size_t limit = (size_t)MIN(MAX(grafana__param_int(g, "limit", LIMIT_DEFAULT), 1), LIMIT_MAX);
    size_t page = (size_t)MIN(MAX(grafana__param_int(g, "page", 1), 1), 1 << 20);
    codec_json_begin_array(&g->w);
    for (size_t i = (page - 1) * limit; i < MIN(page * limit, hit_count); i++)
        put_hit(g, &hits[i], folders, folder_count);
    codec_json_end_array(&g->w);
}

GRAFANA_HANDLER(search)
