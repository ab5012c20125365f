/* Annotations: points and regions in time, with tags, of a dashboard's panel or of everything. */
#include "base/buf.h"
#include "store/catalog/catalog_priv.h"

#define LIMIT_DEFAULT 100
#define COLUMNS                                                                                    \
    "SELECT id, dashboard, panel, time, time_end, text, tags, data, login, created, updated "      \
    "FROM annotation "

static void read_annotation(struct sql_rows *r, struct arena *arena, struct store_annotation *out)
{
    *out = (struct store_annotation){.id = sql_int(r, 0),
                                     .dashboard_uid = sql_slice(r, 1, arena),
                                     .panel_id = sql_int(r, 2),
                                     .time_ns = sql_int(r, 3),
                                     .time_end_ns = sql_int(r, 4),
                                     .text = sql_slice(r, 5, arena),
                                     .data = sql_slice(r, 7, arena),
                                     .login = sql_slice(r, 8, arena),
                                     .created_ns = sql_int(r, 9),
                                     .updated_ns = sql_int(r, 10)};
    catalog__split(sql_slice(r, 6, arena), arena, &out->tags, &out->tag_count);
}

static int check(struct store_catalog *c, const struct store_annotation *a, struct diag *diag)
{
    size_t bytes = a->text.len + a->data.len;
    for (size_t i = 0; i < a->tag_count; i++)
        bytes += a->tags[i].len;
    if (bytes > c->config.bytes_max)
        return diag_set(diag, ERR_TOO_LARGE, "the annotation has %zu bytes, at most %zu may be",
                        bytes, c->config.bytes_max);
    return 0;
}

static int add(struct store_catalog *c, struct store_annotation *a, struct diag *diag)
{
    struct buf tags = {0};
    int err = check(c, a, diag);
    if (!err)
        err = catalog__room(c, "SELECT count(*) FROM annotation", (struct slice){0},
                            c->config.annotations_max, "annotations", diag);
    if (err)
        return err;
    catalog__join(a->tags, a->tag_count, &tags);
    a->created_ns = a->updated_ns = catalog__now_ns(c);
    err =
        sql_run(c->sql, diag,
                "INSERT INTO annotation(dashboard, panel, time, time_end, text, tags, data, login,"
                " created, updated) VALUES(?,?,?,?,?,?,?,?,?,?)",
                "siiissssii", a->dashboard_uid, a->panel_id, a->time_ns, a->time_end_ns, a->text,
                buf_slice(&tags), a->data, a->login, a->created_ns, a->updated_ns);
    a->id = sql_last_id(c->sql);
    buf_deinit(&tags);
    return err;
}

int store_annotation_add(struct store_catalog *c, struct store_annotation *a, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    return err ? err : catalog__end(c, add(c, a, diag), diag);
}

static int none(struct store_catalog *c, struct diag *diag)
{
    return sql_changes(c->sql) ? 0 : diag_set(diag, ERR_NOT_FOUND, "annotation not found");
}

static int update(struct store_catalog *c, const struct store_annotation *a, struct diag *diag)
{
    struct buf tags = {0};
    int err = check(c, a, diag);
    if (err)
        return err;
    catalog__join(a->tags, a->tag_count, &tags);
    err = sql_run(c->sql, diag,
                  "UPDATE annotation SET dashboard=?, panel=?, time=?, time_end=?, text=?, tags=?,"
                  " data=?, updated=? WHERE id=?",
                  "siiisssii", a->dashboard_uid, a->panel_id, a->time_ns, a->time_end_ns, a->text,
                  buf_slice(&tags), a->data, catalog__now_ns(c), a->id);
    buf_deinit(&tags);
    return err ? err : none(c, diag);
}

int store_annotation_update(struct store_catalog *c, const struct store_annotation *a,
                            struct diag *diag)
{
    int err = catalog__begin(c, diag);
    return err ? err : catalog__end(c, update(c, a, diag), diag);
}

int store_annotation_get(struct store_catalog *c, int64_t id, struct arena *arena,
                         struct store_annotation *out, struct diag *diag)
{
    struct sql_rows *r;
    int err = catalog__read(c, diag);
    if (err)
        return err;
    err = sql_rows(c->sql, &r, diag, COLUMNS "WHERE id=?", "i", id);
    if (!err) {
        int got = sql_next(r, diag);
        if (got > 0)
            read_annotation(r, arena, out);
        sql_end(r);
        err = got < 0 ? got : got ? 0 : diag_set(diag, ERR_NOT_FOUND, "annotation not found");
    }
    return catalog__read_end(c, err, diag);
}

int store_annotation_delete(struct store_catalog *c, int64_t id, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = sql_run(c->sql, diag, "DELETE FROM annotation WHERE id=?", "i", id);
    return catalog__end(c, err ? err : none(c, diag), diag);
}

int store_annotation_delete_of(struct store_catalog *c, struct slice dashboard_uid,
                               int64_t panel_id, struct diag *diag)
{
    int err = catalog__begin(c, diag);
    if (err)
        return err;
    err = sql_run(c->sql, diag, "DELETE FROM annotation WHERE dashboard=?1 AND (?2=0 OR panel=?2)",
                  "si", dashboard_uid, panel_id);
    return catalog__end(c, err, diag);
}

static bool has_tags(const struct store_annotation *a, const struct store_annotation_find *find)
{
    size_t found = 0;
    for (size_t i = 0; i < find->tag_count; i++) {
        bool there = false;
        for (size_t k = 0; k < a->tag_count && !there; k++)
            there = slice_eq(a->tags[k], find->tags[i]);
        found += there;
    }
    return find->match_any && find->tag_count ? found > 0 : found == find->tag_count;
}

int store_annotation_find(struct store_catalog *c, const struct store_annotation_find *find,
                          struct arena *arena, struct store_annotation **out, size_t *out_count,
                          struct diag *diag)
{
    struct sql_rows *r;
    VEC(struct store_annotation) found = {0};
    size_t limit = find->limit ? find->limit : LIMIT_DEFAULT;
    bool any_time = !find->from_ns && !find->to_ns;
    int64_t from = any_time ? INT64_MIN : find->from_ns, to = any_time ? INT64_MAX : find->to_ns;
    int got = 0, err = catalog__read(c, diag);
    if (err)
        return err;
    if (find->dashboard_uid.ptr)
        err = sql_rows(c->sql, &r, diag,
                       COLUMNS "WHERE dashboard=?1 AND (?2=0 OR panel=?2) AND time_end>=?3 AND"
                               " time<=?4 ORDER BY time_end DESC, id DESC",
                       "siii", find->dashboard_uid, find->panel_id, from, to);
    else
        err = sql_rows(c->sql, &r, diag,
                       COLUMNS "WHERE time_end>=?1 AND time<=?2 AND (?3=0 OR panel=?3)"
                               " ORDER BY time_end DESC, id DESC",
                       "iii", from, to, find->panel_id);
    if (!err) {
        while (found.len < limit && (got = sql_next(r, diag)) > 0) {
            struct store_annotation a;
            read_annotation(r, arena, &a);
            if (has_tags(&a, find))
                vec_push(&found, a);
        }
        sql_end(r);
        err = got < 0 ? got : 0;
    }
    *out_count = found.len;
    *out = arena_dup(arena, found.items, found.len * sizeof(*found.items));
    vec_free(&found);
    return catalog__read_end(c, err, diag);
}
