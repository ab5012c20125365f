/* The catalogue: what it does, what it refuses, and what is left of it after crashes and damage.
 * PHAROS_SEEDS=n runs n seeds of crashes. */
#include "store/catalog.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/sim.h"

#define SEEDS_DEFAULT 300

struct world {
    struct os_sim *sim;
    struct store_catalog *c;
    struct arena *arena;
    struct diag diag;
};

static int reopen(struct world *w)
{
    struct store_catalog_config config = {.dir = "data", .versions_max = 3};
    store_catalog_close(w->c);
    diag_init(&w->diag);
    return store_catalog_open(&config, os_sim_os(w->sim), &w->c, &w->diag);
}

static struct world begin(uint64_t seed)
{
    struct world w = {.sim = os_sim_new(seed), .arena = arena_new(0, NULL)};
    assert_int_equal(reopen(&w), 0);
    return w;
}

static void end(struct world *w)
{
    store_catalog_close(w->c);
    os_sim_free(w->sim);
    arena_free(w->arena);
}

static int save(struct world *w, const char *uid, const char *title, const char *folder,
                int64_t version, bool overwrite, struct store_dashboard *out)
{
    struct slice tags[] = {SLICE("a b"), SLICE("c"), SLICE("bad\x01")};
    struct store_dashboard_save s = {.uid = slice_cstr(uid),
                                     .title = slice_cstr(title),
                                     .folder_uid = slice_cstr(folder),
                                     .version = version,
                                     .overwrite = overwrite,
                                     .tags = tags,
                                     .tag_count = 3,
                                     .login = SLICE("me"),
                                     .message = SLICE("why")};
    s.body = arena_printf(w->arena, "{\"title\":\"%s\",\"n\":%lld}", title, (long long)version);
    diag_init(&w->diag);
    return store_dashboard_save(w->c, &s, w->arena, out, &w->diag);
}

static int folder(struct world *w, const char *uid, const char *title, const char *parent)
{
    struct store_folder_save s = {.uid = slice_cstr(uid),
                                  .title = slice_cstr(title),
                                  .parent_uid = slice_cstr(parent),
                                  .create = true};
    struct store_folder f;
    diag_init(&w->diag);
    return store_folder_save(w->c, &s, w->arena, &f, &w->diag);
}

static void test_dashboards(void **state)
{
    struct world w = begin(1);
    struct store_dashboard d, *all;
    size_t count;
    (void)state;
    assert_int_equal(folder(&w, "f", "Folder", ""), 0);
    assert_int_equal(save(&w, "one", "One / two", "f", 0, false, &d), 0);
    assert_int_equal(d.version, 1);
    assert_true(slice_eq_cstr(d.slug, "one-two"));
    assert_true(slice_eq_cstr(d.folder_title, "Folder"));
    assert_int_equal(d.tag_count, 2);
    assert_true(slice_eq_cstr(d.tags[0], "a b"));
    /* The optimistic lock. */
    assert_int_equal(save(&w, "one", "One", "f", 0, false, &d), ERR_CONFLICT);
    assert_int_equal(save(&w, "one", "One", "f", 1, false, &d), 0);
    assert_int_equal(d.version, 2);
    assert_int_equal(save(&w, "one", "One", "f", 1, true, &d), 0);
    assert_int_equal(d.version, 3);
    /* Titles are unique in a folder, and only there. */
    assert_int_equal(save(&w, "two", "One", "f", 0, false, &d), ERR_EXISTS);
    assert_int_equal(save(&w, "two", "One", "", 0, false, &d), 0);
    /* Taking over by title gives the dashboard the new uid and keeps its history. */
    assert_int_equal(save(&w, "three", "One", "f", 0, true, &d), 0);
    assert_int_equal(d.version, 4);
    assert_int_equal(store_dashboard_get(w.c, SLICE("one"), 0, SLICE(""), w.arena, &d, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(save(&w, "", "Fresh", "", 0, false, &d), 0);
    assert_int_equal(d.uid.len, 14);
    assert_int_equal(save(&w, "", " ", "", 0, false, &d), ERR_INVALID);
    assert_int_equal(save(&w, "no/good", "x", "", 0, false, &d), ERR_INVALID);
    assert_int_equal(save(&w, "x", "x", "nowhere", 0, false, &d), ERR_NOT_FOUND);
    assert_int_equal(store_dashboard_list(w.c, SLICE("me"), w.arena, &all, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_true(slice_eq_cstr(all[0].title, "Fresh"));
    /* Everything is there again after a restart. */
    assert_int_equal(reopen(&w), 0);
    assert_int_equal(store_dashboard_get(w.c, SLICE("three"), 0, SLICE(""), w.arena, &d, NULL), 0);
    assert_true(slice_eq_cstr(d.body, "{\"title\":\"One\",\"n\":0}"));
    assert_int_equal(
        store_dashboard_get(w.c, (struct slice){0}, d.id, SLICE(""), w.arena, &d, NULL), 0);
    end(&w);
}

static void test_history(void **state)
{
    struct world w = begin(2);
    struct store_dashboard d;
    struct store_dashboard_version *v, one;
    size_t count;
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(save(&w, "d", "D", "", i, false, &d), 0);
    assert_int_equal(store_dashboard_versions(w.c, SLICE("d"), 0, 0, w.arena, &v, &count, NULL), 0);
    assert_int_equal(count, 3); /* versions_max */
    assert_int_equal(v[0].version, 5);
    assert_int_equal(v[2].version, 3);
    assert_int_equal(v[2].parent, 2);
    assert_true(slice_eq_cstr(v[0].message, "why"));
    assert_int_equal(store_dashboard_versions(w.c, SLICE("d"), 5, 1, w.arena, &v, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(v[0].version, 4);
    assert_int_equal(store_dashboard_version(w.c, SLICE("d"), 4, w.arena, &one, NULL), 0);
    assert_true(slice_eq_cstr(one.body, "{\"title\":\"D\",\"n\":3}"));
    assert_int_equal(store_dashboard_version(w.c, SLICE("d"), 1, w.arena, &one, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(store_dashboard_versions(w.c, SLICE("no"), 0, 0, w.arena, &v, &count, NULL),
                     ERR_NOT_FOUND);
    end(&w);
}

static int refuse(void *ctx, const struct store_dashboard *before, struct store_dashboard *after,
                  struct diag *diag)
{
    (void)before;
    (void)after;
    ++*(int *)ctx;
    return diag_set(diag, ERR_IO, "the file could not be written");
}

static void test_provisioned(void **state)
{
    struct world w = begin(3);
    struct store_dashboard d;
    int asked = 0;
    struct store_dashboard_save s = {.uid = SLICE("p"),
                                     .title = SLICE("P"),
                                     .body = SLICE("{}"),
                                     .provisioned = true,
                                     .origin = SLICE("file:x"),
                                     .read_only = true};
    (void)state;
    assert_int_equal(store_dashboard_save(w.c, &s, w.arena, &d, NULL), 0);
    assert_int_equal(store_dashboard_save(w.c, &s, w.arena, &d, NULL), 0);
    assert_int_equal(d.version, 1); /* nothing changed */
    assert_int_equal(save(&w, "p", "P", "", 1, true, &d), ERR_DENIED);
    assert_int_equal(store_dashboard_delete(w.c, SLICE("p"), false, NULL, NULL, NULL), ERR_DENIED);
    /* A hook that fails undoes the change. */
    s.body = SLICE("{\"a\":1}");
    s.before_commit = refuse;
    s.ctx = &asked;
    assert_int_equal(store_dashboard_save(w.c, &s, w.arena, &d, NULL), ERR_IO);
    assert_int_equal(store_dashboard_delete(w.c, SLICE("p"), true, refuse, &asked, NULL), ERR_IO);
    assert_int_equal(asked, 2);
    assert_int_equal(store_dashboard_get(w.c, SLICE("p"), 0, SLICE(""), w.arena, &d, NULL), 0);
    assert_true(slice_eq_cstr(d.body, "{}"));
    assert_int_equal(store_dashboard_set_origin(w.c, SLICE("p"), SLICE(""), false, NULL), 0);
    assert_int_equal(save(&w, "p", "P", "", 1, false, &d), 0);
    end(&w);
}

static void test_folders(void **state)
{
    struct world w = begin(4);
    struct store_folder f, *all;
    struct store_dashboard d;
    size_t count;
    char uid[8], parent[8] = "";
    (void)state;
    assert_int_equal(folder(&w, "a", "A", ""), 0);
    assert_int_equal(folder(&w, "b", "B", "a"), 0);
    assert_int_equal(folder(&w, "b", "other", ""), ERR_EXISTS);
    assert_int_equal(folder(&w, "c", "B", "a"), ERR_EXISTS);
    assert_int_equal(folder(&w, "c", "B", ""), 0);
    assert_int_equal(folder(&w, "x", "X", "nowhere"), ERR_NOT_FOUND);
    struct store_folder_save s = {.uid = SLICE("a"), .title = SLICE("A2"), .version = 7};
    assert_int_equal(store_folder_save(w.c, &s, w.arena, &f, NULL), ERR_CONFLICT);
    s.version = 1;
    assert_int_equal(store_folder_save(w.c, &s, w.arena, &f, NULL), 0);
    assert_int_equal(f.version, 2);
    assert_true(slice_eq_cstr(f.title, "A2"));
    /* Into itself, or below itself, it cannot go. */
    s = (struct store_folder_save){.uid = SLICE("a"), .parent_uid = SLICE("b"), .move = true};
    assert_int_equal(store_folder_save(w.c, &s, w.arena, &f, NULL), ERR_INVALID);
    s.parent_uid = SLICE("c");
    assert_int_equal(store_folder_save(w.c, &s, w.arena, &f, NULL), 0);
    assert_true(slice_eq_cstr(f.parent_uid, "c"));
    for (int i = 0; i < STORE_FOLDER_DEPTH_MAX; i++) {
        snprintf(uid, sizeof(uid), "n%d", i);
        assert_int_equal(folder(&w, uid, uid, parent), 0);
        strcpy(parent, uid);
    }
    assert_int_equal(folder(&w, "deep", "deep", parent), ERR_INVALID);
    /* Deleting takes along what is below. */
    assert_int_equal(save(&w, "in-b", "D", "b", 0, false, &d), 0);
    assert_int_equal(save(&w, "out", "D", "n0", 0, false, &d), 0);
    assert_int_equal(store_folder_delete(w.c, SLICE("c"), NULL, NULL, NULL), 0);
    assert_int_equal(store_dashboard_get(w.c, SLICE("in-b"), 0, SLICE(""), w.arena, &d, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(store_dashboard_get(w.c, SLICE("out"), 0, SLICE(""), w.arena, &d, NULL), 0);
    assert_int_equal(store_folder_list(w.c, w.arena, &all, &count, NULL), 0);
    assert_int_equal(count, STORE_FOLDER_DEPTH_MAX);
    assert_int_equal(store_folder_delete(w.c, SLICE("c"), NULL, NULL, NULL), ERR_NOT_FOUND);
    end(&w);
}

static void test_annotations(void **state)
{
    struct world w = begin(5);
    struct slice tags[] = {SLICE("deploy"), SLICE("eu")}, other[] = {SLICE("eu")},
                 both[] = {SLICE("deploy"), SLICE("us")};
    struct store_annotation a = {.dashboard_uid = SLICE("d"),
                                 .panel_id = 3,
                                 .time_ns = 100,
                                 .time_end_ns = 200,
                                 .text = SLICE("first"),
                                 .tags = tags,
                                 .tag_count = 2};
    struct store_annotation b = {.time_ns = 300, .time_end_ns = 300, .tags = other, .tag_count = 1};
    struct store_annotation *found, got;
    size_t count;
    (void)state;
    assert_int_equal(store_annotation_add(w.c, &a, NULL), 0);
    assert_int_equal(store_annotation_add(w.c, &b, NULL), 0);
    struct store_annotation_find find = {.from_ns = 150, .to_ns = 250};
    assert_int_equal(store_annotation_find(w.c, &find, w.arena, &found, &count, NULL), 0);
    assert_int_equal(count, 1); /* the region touches the range */
    assert_true(slice_eq_cstr(found[0].text, "first"));
    assert_int_equal(found[0].tag_count, 2);
    find = (struct store_annotation_find){.tags = both, .tag_count = 2};
    assert_int_equal(store_annotation_find(w.c, &find, w.arena, &found, &count, NULL), 0);
    assert_int_equal(count, 0);
    find.match_any = true;
    assert_int_equal(store_annotation_find(w.c, &find, w.arena, &found, &count, NULL), 0);
    assert_int_equal(count, 1);
    find = (struct store_annotation_find){.limit = 1};
    assert_int_equal(store_annotation_find(w.c, &find, w.arena, &found, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0].id, b.id); /* the newest */
    a.text = SLICE("changed");
    a.panel_id = 0;
    assert_int_equal(store_annotation_update(w.c, &a, NULL), 0);
    assert_int_equal(store_annotation_get(w.c, a.id, w.arena, &got, NULL), 0);
    assert_true(slice_eq_cstr(got.text, "changed"));
    assert_int_equal(store_annotation_delete(w.c, a.id, NULL), 0);
    assert_int_equal(store_annotation_delete(w.c, a.id, NULL), ERR_NOT_FOUND);
    assert_int_equal(store_annotation_update(w.c, &a, NULL), ERR_NOT_FOUND);
    end(&w);
}

/* A copy is a catalogue, as of then; while it fails there is none. */
static void a_copy_is_a_catalogue(void **state)
{
    struct world w = begin(11);
    struct os *os = os_sim_os(w.sim);
    struct store_document doc = {.kind = SLICE("k"), .key = SLICE("a"), .body = SLICE("{\"x\":1}")};
    struct store_document got;
    struct store_catalog *copy;
    (void)state;
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0);
    assert_int_equal(os->ops->mkdir(os, "copy", NULL), 0);
    bool failed = true;
    for (uint64_t k = 1; failed; k++) { /* whatever fails */
        struct os_stat st;
        os_sim_fail_at(w.sim, k, ERR_IO);
        failed = store_catalog_copy(w.c, "copy", NULL) != 0;
        os_sim_fail_at(w.sim, 0, 0);
        assert_int_equal(os->ops->stat(os, "copy/catalog.db", &st, NULL),
                         failed ? ERR_NOT_FOUND : 0);
        assert_true(k < 100);
    }
    assert_int_equal(store_catalog_copy(w.c, "copy", NULL), ERR_EXISTS);
    doc.key = SLICE("b");
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0);
    struct store_catalog_config config = {.dir = "copy"};
    assert_int_equal(store_catalog_open(&config, os, &copy, NULL), 0);
    assert_int_equal(store_document_get(copy, "k", SLICE("a"), SLICE(""), w.arena, &got, NULL), 0);
    assert_true(slice_eq_cstr(got.body, "{\"x\":1}"));
    assert_int_equal(store_document_get(copy, "k", SLICE("b"), SLICE(""), w.arena, &got, NULL),
                     ERR_NOT_FOUND);
    store_catalog_close(copy);
    end(&w);
}

static void test_documents(void **state)
{
    struct world w = begin(6);
    struct store_document doc = {.kind = SLICE("snapshot"),
                                 .key = SLICE("k"),
                                 .alias = SLICE("delete-me"),
                                 .body = SLICE("{\"x\":1}")};
    struct store_document got, *all;
    size_t count;
    int64_t now_ns = os_sim_os(w.sim)->ops->now_ns(os_sim_os(w.sim));
    (void)state;
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0);
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), ERR_EXISTS);
    assert_int_equal(store_document_put(w.c, &doc, false, NULL), 0);
    assert_int_equal(doc.version, 2);
    assert_int_equal(store_document_get(w.c, "snapshot", (struct slice){0}, SLICE("delete-me"),
                                        w.arena, &got, NULL),
                     0);
    assert_true(slice_eq_cstr(got.body, "{\"x\":1}"));
    doc.key = SLICE("soon");
    doc.alias = SLICE("");
    doc.expires_ns = now_ns + 3600 * NS_PER_SEC;
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0);
    assert_int_equal(
        store_document_list(w.c, "snapshot", (struct slice){0}, true, w.arena, &all, &count, NULL),
        0);
    assert_int_equal(count, 2);
    os_sim_set_now(w.sim, now_ns + 7200 * NS_PER_SEC);
    assert_int_equal(
        store_document_get(w.c, "snapshot", SLICE("soon"), SLICE(""), w.arena, &got, NULL),
        ERR_NOT_FOUND);
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0); /* its key is free again */
    assert_int_equal(store_document_delete(w.c, "snapshot", SLICE("k"), NULL), 0);
    assert_int_equal(store_document_delete(w.c, "snapshot", SLICE("k"), NULL), ERR_NOT_FOUND);
    end(&w);
}

/* What goes with a dashboard when it is deleted. */
static void test_delete_takes_along(void **state)
{
    struct world w = begin(7);
    struct store_dashboard d;
    struct store_annotation a = {.dashboard_uid = SLICE("d"), .time_ns = 1, .time_end_ns = 1}, got;
    struct store_document doc = {.kind = SLICE("public"),
                                 .key = SLICE("k"),
                                 .parent = SLICE("d"),
                                 .body = SLICE("{}")},
                          found;
    struct slice *stars;
    size_t count;
    (void)state;
    assert_int_equal(save(&w, "d", "D", "", 0, false, &d), 0);
    assert_int_equal(store_dashboard_star(w.c, SLICE("me"), SLICE("d"), true, NULL), 0);
    assert_int_equal(store_dashboard_star(w.c, SLICE("me"), SLICE("no"), true, NULL),
                     ERR_NOT_FOUND);
    assert_int_equal(store_dashboard_get(w.c, SLICE("d"), 0, SLICE("me"), w.arena, &d, NULL), 0);
    assert_true(d.starred);
    assert_int_equal(store_annotation_add(w.c, &a, NULL), 0);
    assert_int_equal(store_document_put(w.c, &doc, true, NULL), 0);
    assert_int_equal(store_dashboard_delete(w.c, SLICE("d"), false, NULL, NULL, NULL), 0);
    assert_int_equal(store_dashboard_stars(w.c, SLICE("me"), w.arena, &stars, &count, NULL), 0);
    assert_int_equal(count, 0);
    assert_int_equal(store_annotation_get(w.c, a.id, w.arena, &got, NULL), ERR_NOT_FOUND);
    assert_int_equal(
        store_document_get(w.c, "public", SLICE("k"), SLICE(""), w.arena, &found, NULL),
        ERR_NOT_FOUND);
    end(&w);
}

static void test_limits(void **state)
{
    struct world w = begin(8);
    struct store_dashboard d;
    struct store_catalog_config tight = {.bytes_max = 40, .dashboards_max = 2};
    (void)state;
    store_catalog_set_limits(w.c, &tight);
    assert_int_equal(save(&w, "a", "A", "", 0, false, &d), 0);
    assert_int_equal(save(&w, "b", "a title too long for forty bytes", "", 0, false, &d),
                     ERR_TOO_LARGE);
    assert_non_null(strstr(w.diag.msg, "limits.dashboards.bytes"));
    assert_int_equal(save(&w, "b", "B", "", 0, false, &d), 0);
    assert_int_equal(save(&w, "c", "C", "", 0, false, &d), ERR_LIMIT);
    assert_int_equal(save(&w, "b", "B", "", 1, false, &d), 0); /* changes go on */
    end(&w);
}

static void silence(const char *line, size_t len, void *ctx)
{
    (void)line;
    (void)len;
    ++*(int *)ctx;
}

/* Flipped bits anywhere in the file: it opens, says so, and most of the content is still there. */
static void test_damage(void **state)
{
    int lines = 0, kept_aside = 0, all_there = 0;
    (void)state;
    log_set_writer(silence, &lines);
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world w = begin(100 + seed);
        struct store_dashboard d, *all = NULL;
        size_t count = 0;
        char uid[8];
        for (int i = 0; i < 40; i++) {
            snprintf(uid, sizeof(uid), "d%d", i);
            assert_int_equal(save(&w, uid, uid, "", 0, false, &d), 0);
        }
        store_catalog_close(w.c); /* everything is in the file now, nothing in its log */
        w.c = NULL;
        struct os *os = os_sim_os(w.sim);
        struct os_stat st;
        assert_int_equal(os->ops->stat(os, "data/catalog.db", &st, NULL), 0);
        uint64_t at = seed < 5 ? seed * 20 : hash_u64(seed) % st.size;
        assert_true(os_sim_flip(w.sim, "data/catalog.db", at, (unsigned)seed % 8));
        int before = lines, err = reopen(&w);
        if (err == ERR_UNSUPPORTED) { /* the bit of the version */
            end(&w);
            continue;
        }
        assert_int_equal(err, 0);
        kept_aside += lines > before;
        err = store_dashboard_list(w.c, SLICE(""), w.arena, &all, &count, &w.diag);
        assert_true(!err || err == ERR_CORRUPT);
        all_there += count == 40;
        /* It takes new dashboards. */
        err = save(&w, "new", "new", "", 0, false, &d);
        assert_true(!err || err == ERR_CORRUPT);
        end(&w);
    }
    log_set_writer(NULL, NULL);
    assert_true(kept_aside > 5);
    assert_true(all_there > 30);
}

/* Saves until the machine goes off, restarts, and looks: what was acknowledged is there, what was
 * not is there wholly or not at all. */
static void crash_once(uint64_t seed)
{
    struct world w = begin(seed);
    struct store_dashboard d;
    int64_t acked[4] = {0}, tried[4] = {0};
    uint64_t random = seed;
    for (int round = 0; round < 3; round++) {
        random = hash_u64(random + 1);
        if (seed % 3 == 0)
            os_sim_fail_at(w.sim, random % 40 + 1, random & 64 ? ERR_IO : ERR_NOSPACE);
        os_sim_crash_at(w.sim, random % 120 + 1);
        for (int i = 0; i < 40 && !os_sim_is_off(w.sim); i++) {
            char uid[4] = {'d', (char)('0' + i % 4), 0};
            tried[i % 4] = acked[i % 4] + 1;
            int err = save(&w, uid, uid, "", acked[i % 4], false, &d);
            if (!err)
                acked[i % 4] = d.version;
            else if (err == ERR_CONFLICT &&
                     !store_dashboard_get(w.c, slice_cstr(uid), 0, SLICE(""), w.arena, &d, NULL))
                acked[i % 4] = d.version;
        }
        os_sim_power_off(w.sim);
        store_catalog_close(w.c);
        w.c = NULL;
        os_sim_restart(w.sim);
        int err = reopen(&w);
        if (err)
            fail_msg("seed %llu round %d: %s", (unsigned long long)seed, round, w.diag.msg);
        for (int k = 0; k < 4; k++) {
            char uid[4] = {'d', (char)('0' + k), 0};
            err = store_dashboard_get(w.c, slice_cstr(uid), 0, SLICE(""), w.arena, &d, &w.diag);
            int64_t now = err == ERR_NOT_FOUND ? 0 : d.version;
            if ((err && err != ERR_NOT_FOUND) || now < acked[k] || now > tried[k])
                fail_msg("seed %llu round %d: %s is at version %lld, acknowledged %lld, tried "
                         "%lld: %s",
                         (unsigned long long)seed, round, uid, (long long)now, (long long)acked[k],
                         (long long)tried[k], w.diag.msg);
            acked[k] = now;
        }
    }
    end(&w);
}

static void test_crashes(void **state)
{
    const char *seeds = getenv("PHAROS_SEEDS");
    uint64_t count = seeds ? strtoull(seeds, NULL, 10) : SEEDS_DEFAULT;
    int lines = 0;
    (void)state;
    log_set_writer(silence, &lines);
    for (uint64_t seed = 1; seed <= count; seed++)
        crash_once(seed);
    log_set_writer(NULL, NULL);
    assert_int_equal(lines, 0); /* nothing was taken for damage */
}

struct saver {
    struct store_catalog *c;
    int saved, conflicts;
};

static void *save_often(void *arg)
{
    struct saver *s = arg;
    for (int i = 0; i < 50; i++) {
        struct arena *arena = arena_new(0, NULL);
        struct store_dashboard d = {0};
        (void)!store_dashboard_get(s->c, SLICE("d"), 0, SLICE(""), arena, &d, NULL);
        struct store_dashboard_save save = {
            .uid = SLICE("d"), .title = SLICE("D"), .body = SLICE("{}"), .version = d.version};
        int err = store_dashboard_save(s->c, &save, arena, &d, NULL);
        s->saved += !err;
        s->conflicts += err == ERR_CONFLICT;
        arena_free(arena);
    }
    return NULL;
}

/* Of savers that saw the same version one wins; none is lost. */
static void test_threads(void **state)
{
    struct world w = begin(9);
    struct saver savers[4] = {{.c = w.c}, {.c = w.c}, {.c = w.c}, {.c = w.c}};
    struct store_dashboard d;
    pthread_t threads[4];
    int saved = 0, conflicts = 0;
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save_often, &savers[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        saved += savers[i].saved;
        conflicts += savers[i].conflicts;
    }
    assert_int_equal(saved + conflicts, 200);
    assert_int_equal(store_dashboard_get(w.c, SLICE("d"), 0, SLICE(""), w.arena, &d, NULL), 0);
    assert_int_equal(d.version, saved);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dashboards),       cmocka_unit_test(test_history),
        cmocka_unit_test(test_provisioned),      cmocka_unit_test(test_folders),
        cmocka_unit_test(test_annotations),      cmocka_unit_test(test_documents),
        cmocka_unit_test(a_copy_is_a_catalogue), cmocka_unit_test(test_delete_takes_along),
        cmocka_unit_test(test_limits),           cmocka_unit_test(test_damage),
        cmocka_unit_test(test_crashes),          cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("store/catalog", tests, NULL, NULL);
}
