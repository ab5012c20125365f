/* The thread that keeps the catalogue as the files and the metrics say, and what is shipped. */
#include "server/provision.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/dashboard_file.h"
#include "base/cond.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/config.h"
#include "server/provision_priv.h"
#include "server/shipped.h"

#define ROUND_NS       (2 * NS_PER_SEC)
#define SHIPPED_FOLDER "pharos"
#define SHIPPED_ROUNDS 3 /* between two looks whether metrics have come */

static void warn(const char *what, const char *name, const struct diag *diag)
{
    char text[1200];
    LOG_WARN("server", what, LOG_STR("name", name),
             LOG_STR("error", diag_str(diag, text, sizeof(text))));
}

int provision__folder(struct server_provision *p, struct slice parent, const char *title,
                      const char *uid, struct arena *arena, struct slice *out_uid,
                      struct diag *diag)
{
    struct store_folder *all, made;
    size_t count;
    int err = store_folder_list(p->env.catalog, arena, &all, &count, diag);
    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (uid[0] ? slice_eq_cstr(all[i].uid, uid)
                   : slice_eq(all[i].parent_uid, parent) && slice_eq_cstr(all[i].title, title)) {
            *out_uid = all[i].uid;
            return 0;
        }
    }
    struct store_folder_save save = {.uid = slice_cstr(uid),
                                     .title = slice_cstr(title[0] ? title : uid),
                                     .parent_uid = parent,
                                     .login = SLICE("provisioning"),
                                     .create = true};
    err = store_folder_save(p->env.catalog, &save, arena, &made, diag);
    *out_uid = made.uid;
    return err;
}

/* --- what is shipped --- */

struct look {
    const char *name;
    int64_t sum;
    bool found;
};

static void add_counter(const struct counter *c, void *ctx)
{
    struct look *look = ctx;
    if (strcmp(c->name, look->name) == 0) {
        look->found = true;
        look->sum += counter_get(c);
    }
}

/* Some series of that name had a sample within the last hour. What Pharos counts itself is always
 * there: that has to have counted something. */
static bool has_metric(struct server_provision *p, const char *name)
{
    struct look look = {.name = name};
    counter_each(add_counter, &look);
    if (look.found)
        return look.sum > 0;
    struct store_source *source = p->env.metrics;
    struct store_selection *sel = NULL;
    struct store_matcher m = {
        .op = STORE_MATCH_EQ, .name = SLICE("__name__"), .value = slice_cstr(name)};
    int64_t now_ns = p->env.os->ops->now_ns(p->env.os);
    struct store_select_req req = {.tenant = SLICE("default"),
                                   .t_min_ns = now_ns - 3600 * NS_PER_SEC,
                                   .t_max_ns = now_ns + 60 * NS_PER_SEC,
                                   .matchers = &m,
                                   .matcher_count = 1,
                                   .series_max = 1000,
                                   .any_order = true};
    int err = source->ops->select(source, &req, &sel, NULL);
    if (err)
        return err == ERR_LIMIT; /* more than enough */
    bool any = source->ops->selection_count(sel) > 0;
    source->ops->selection_free(sel);
    return any;
}

static int ship(struct server_provision *p, const struct server_shipped *s, struct slice folder,
                struct arena *arena, struct diag *diag)
{
    struct store_dashboard d;
    struct store_dashboard_save save = {.folder_uid = folder,
                                        .login = SLICE("pharos"),
                                        .provisioned = true,
                                        .read_only = true,
                                        .hidden = true};
    int err = api_dashboard_parse(slice_cstr(s->json), arena, &save, diag);
    save.origin = arena_printf(arena, "shipped:%s", s->name);
    return err ? err : store_dashboard_save(p->env.catalog, &save, arena, &d, diag);
}

static bool is_shipped(const struct store_dashboard *d)
{
    return slice_starts_with(d->origin, SLICE("shipped:"));
}

/* At the start: all that this version has, and no others. */
static void ship_all(struct server_provision *p, struct arena *arena)
{
    struct store_dashboard *all;
    struct slice folder = SLICE("");
    size_t count = 0;
    struct diag diag;
    diag_init(&diag);
    int err = p->shipped
                  ? provision__folder(p, SLICE(""), "Pharos", SHIPPED_FOLDER, arena, &folder, &diag)
                  : 0;
    for (size_t i = 0; i < server_shipped_count && p->shipped && !err; i++) {
        struct diag why;
        diag_init(&why);
        if (ship(p, &server_shipped[i], folder, arena, &why))
            warn("a shipped dashboard is not there", server_shipped[i].name, &why);
    }
    if (!err)
        err = store_dashboard_list(p->env.catalog, SLICE(""), arena, &all, &count, &diag);
    for (size_t i = 0; i < count && !err; i++) {
        bool known = false;
        for (size_t k = 0; k < server_shipped_count && p->shipped; k++)
            known |= slice_eq_cstr(slice_from(all[i].origin, 8), server_shipped[k].name);
        if (is_shipped(&all[i]) && !known)
            err = store_dashboard_delete(p->env.catalog, all[i].uid, true, NULL, NULL, &diag);
    }
    if (err)
        warn("the shipped dashboards are not there", SHIPPED_FOLDER, &diag);
}

/* Those that wait for their metric. */
static void show_shipped(struct server_provision *p, struct arena *arena)
{
    struct store_dashboard *all;
    size_t count = 0;
    if (store_dashboard_list(p->env.catalog, SLICE(""), arena, &all, &count, NULL))
        return;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < server_shipped_count && all[i].hidden && is_shipped(&all[i]); k++) {
            if (slice_eq_cstr(slice_from(all[i].origin, 8), server_shipped[k].name) &&
                has_metric(p, server_shipped[k].metric))
                (void)!store_dashboard_set_hidden(p->env.catalog, all[i].uid, false, NULL);
        }
    }
}

/* --- the thread --- */

/* Dashboards whose provider is no longer configured belong to nobody now. */
static void release_orphans(struct server_provision *p, struct arena *arena)
{
    struct store_dashboard *all;
    struct slice path;
    size_t count = 0;
    if (store_dashboard_list(p->env.catalog, SLICE(""), arena, &all, &count, NULL))
        return;
    for (size_t i = 0; i < count; i++) {
        if (slice_starts_with(all[i].origin, SLICE("file:")) &&
            !provision__of_origin(p, all[i].origin, &path))
            (void)!store_dashboard_set_origin(p->env.catalog, all[i].uid, SLICE(""), false, NULL);
    }
}

static void one_round(struct server_provision *p)
{
    struct arena *arena = arena_new(0, NULL);
    p->round++;
    if (p->round == 1) {
        ship_all(p, arena);
        release_orphans(p, arena);
    }
    if (p->shipped && p->round % SHIPPED_ROUNDS == 1)
        show_shipped(p, arena);
    for (size_t i = 0; i < p->providers.len; i++)
        provision__scan(p, &p->providers.items[i]);
    arena_free(arena);
}

static void *run(void *arg)
{
    struct server_provision *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        pthread_mutex_unlock(&p->lock);
        one_round(p);
        pthread_mutex_lock(&p->lock);
        while (!p->stop && cond_wait_for(&p->wake, &p->lock, ROUND_NS))
            continue;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void add_path(struct server_provision *p, const struct server_config *config)
{
    struct provider pr = {.name = mem_strdup("dashboards.path"),
                          .path = mem_strdup(config->dashboards_path),
                          .folder = mem_strdup(config->dashboards_folder),
                          .folder_uid = mem_strdup(""),
                          .allow_updates = config->dashboards_write == 0,
                          .write = config->dashboards_write == 0,
                          .by_structure = true,
                          .files = map_new(),
                          .dirs = map_new()};
    vec_push(&p->providers, pr);
}

int server_provision_new(const struct server_provision_env *env, const struct server_config *config,
                         struct server_provision **out, struct diag *diag)
{
    struct server_provision *p = mem_calloc(1, sizeof(*p));
    int err = 0;
    p->env = *env;
    p->shipped = config->dashboards_shipped == 0;
    pthread_mutex_init(&p->lock, NULL);
    cond_init(&p->wake);
    if (config->dashboards_path[0])
        add_path(p, config);
    if (config->dashboards_provisioning[0])
        err = provision__read_yaml(p, config->dashboards_provisioning, diag);
    if (err) {
        server_provision_free(p);
        p = NULL;
    }
    *out = p;
    return err;
}

size_t server_provision_sources(const struct server_provision *p,
                                const struct api_source_alias **out)
{
    *out = p->sources.items;
    return p->sources.len;
}

void server_provision_start(struct server_provision *p)
{
    p->started = pthread_create(&p->thread, NULL, run, p) == 0;
}

static void provider_free(struct provider *pr)
{
    struct map_entry *e;
    for (size_t pos = 0; (e = map_next(pr->files, &pos));) {
        mem_free(((struct known_file *)e->value.ptr)->uid);
        mem_free(e->value.ptr);
    }
    for (size_t pos = 0; (e = map_next(pr->dirs, &pos));)
        mem_free(e->value.ptr);
    map_free(pr->files);
    map_free(pr->dirs);
    mem_free(pr->name);
    mem_free(pr->path);
    mem_free(pr->folder);
    mem_free(pr->folder_uid);
}

void server_provision_stop(struct server_provision *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stop = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    p->started = false;
}

void server_provision_free(struct server_provision *p)
{
    if (!p)
        return;
    server_provision_stop(p);
    for (size_t i = 0; i < p->providers.len; i++)
        provider_free(&p->providers.items[i]);
    vec_free(&p->providers);
    for (size_t i = 0; i < p->sources.len; i++) {
        mem_free(p->sources.items[i].name);
        mem_free(p->sources.items[i].uid);
        mem_free(p->sources.items[i].type);
    }
    vec_free(&p->sources);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    mem_free(p);
}
