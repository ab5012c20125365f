#include "discovery/discovery.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "discovery/provider.h"

#define POLL_NS (5 * NS_PER_SEC)

/* --- files --- */

/* Reads a file when it changed. True when its groups did. */
static bool look_at(struct discovery_provider *pr, const char *path)
{
    struct os *os = pr->discovery->env.os;
    struct os_stat st;
    struct diag diag;
    diag_init(&diag);
    if (os->ops->stat(os, path, &st, &diag) || st.is_dir)
        return false;
    struct discovery_sd_file *f = NULL;
    for (size_t i = 0; i < pr->files.len && !f; i++)
        f = strcmp(pr->files.items[i].path, path) == 0 ? &pr->files.items[i] : NULL;
    bool added = !f;
    if (added) {
        pthread_mutex_lock(&pr->discovery->lock);
        f = vec_add(&pr->files);
        f->path = mem_strdup(path);
        pthread_mutex_unlock(&pr->discovery->lock);
    }
    f->seen = true;
    if (!added && f->mtime_ns == st.mtime_ns && f->size == st.size && !f->failed)
        return false;
    f->mtime_ns = st.mtime_ns;
    f->size = st.size;
    struct discovery_set set;
    if (discovery_set_load(os, path, &set, &diag)) {
        /* The old content stays in force until the file is right again. */
        if (!f->failed)
            LOG_WARN("discovery", "target file cannot be read; its old targets stay",
                     LOG_STR("file", path), LOG_STR("error", diag.msg));
        f->failed = true;
        snprintf(pr->last_error, sizeof(pr->last_error), "%.200s: %.250s", path, diag.msg);
        return false;
    }
    f->failed = false;
    pthread_mutex_lock(&pr->discovery->lock);
    discovery_set_free(&f->set);
    f->set = set;
    pthread_mutex_unlock(&pr->discovery->lock);
    return true;
}

struct listing {
    struct discovery_provider *pr;
    const char *dir;
    struct slice before, after; /* around the star */
    VEC(char *) found;
};

static void on_name(const char *name, void *ctx)
{
    struct listing *l = ctx;
    struct slice s = slice_cstr(name);
    if (s.len < l->before.len + l->after.len || !slice_starts_with(s, l->before) ||
        !slice_ends_with(s, l->after))
        return;
    struct buf path = {0};
    buf_printf(&path, "%s/%s", l->dir, name);
    vec_push(&l->found, mem_strdup(buf_cstr(&path)));
    buf_deinit(&path);
}

static bool look_at_pattern(struct discovery_provider *pr, const char *pattern)
{
    struct os *os = pr->discovery->env.os;
    const char *slash = strrchr(pattern, '/'), *name = slash ? slash + 1 : pattern,
               *star = strchr(name, '*');
    if (!star)
        return look_at(pr, pattern);
    char *dir = slash ? mem_strdup(pattern) : mem_strdup(".");
    if (slash)
        dir[slash == pattern ? 1 : slash - pattern] = '\0';
    struct listing l = {.pr = pr,
                        .dir = dir,
                        .before = slice_make(name, (size_t)(star - name)),
                        .after = slice_cstr(star + 1)};
    bool changed = false;
    os->ops->list(os, dir, on_name, &l, NULL);
    for (size_t i = 0; i < l.found.len; i++) {
        changed |= look_at(pr, l.found.items[i]);
        mem_free(l.found.items[i]);
    }
    vec_free(&l.found);
    mem_free(dir);
    return changed;
}

static void refresh_files(struct discovery_provider *pr, bool sync)
{
    bool changed = false;
    pr->last_error[0] = '\0';
    for (size_t i = 0; i < pr->files.len; i++)
        pr->files.items[i].seen = false;
    for (size_t i = 0; i < pr->file_sd->pattern_count; i++)
        changed |= look_at_pattern(pr, pr->file_sd->patterns[i]);
    for (size_t i = pr->files.len; i-- > 0;) {
        struct discovery_sd_file *f = &pr->files.items[i];
        if (f->seen)
            continue;
        pthread_mutex_lock(&pr->discovery->lock);
        mem_free(f->path);
        discovery_set_free(&f->set);
        *f = pr->files.items[--pr->files.len];
        pthread_mutex_unlock(&pr->discovery->lock);
        changed = true;
    }
    if (changed && sync)
        pr->discovery->env.changed(pr->discovery->env.ctx);
}

/* --- answers of the network --- */

void discovery__give(struct discovery_provider *pr, struct discovery_set *set, const char *where,
                     const struct diag *diag)
{
    struct discovery *d = pr->discovery;
    struct discovery_set old = *set;
    pthread_mutex_lock(&d->lock);
    if (diag) {
        snprintf(pr->last_error, sizeof(pr->last_error), "%.200s: %.250s", where, diag->msg);
    } else {
        pr->last_error[0] = '\0';
        old = pr->set;
        pr->set = *set;
    }
    pthread_mutex_unlock(&d->lock);
    discovery_set_free(&old);
    if (diag)
        LOG_WARN("discovery", "discovery failed; its old targets stay", LOG_STR("of", where),
                 LOG_STR("error", diag->msg));
    else
        d->env.changed(d->env.ctx);
}

/* --- the whole --- */

static struct discovery_provider *add_provider(struct discovery *d, enum discovery_kind kind)
{
    struct discovery_provider *pr = mem_calloc(1, sizeof(*pr));
    pr->discovery = d;
    pr->kind = kind;
    vec_push(&d->providers, pr);
    return pr;
}

struct discovery *discovery_new(const struct discovery_config *config,
                                const struct discovery_env *env)
{
    struct discovery *d = mem_calloc(1, sizeof(*d));
    d->env = *env;
    d->client = discovery_client_new(env->os, env->client);
    pthread_mutex_init(&d->lock, NULL);
    add_provider(d, DISCOVERY_STATIC)->set =
        (struct discovery_set){.groups = config->groups, .count = config->group_count};
    for (size_t i = 0; i < config->file_sd_count; i++)
        add_provider(d, DISCOVERY_FILE)->file_sd = &config->file_sd[i];
    for (size_t i = 0; i < config->http_sd_count; i++)
        add_provider(d, DISCOVERY_HTTP)->http_sd = &config->http_sd[i];
    for (size_t i = 0; i < config->dns_sd_count; i++) {
        for (size_t k = 0; k < config->dns_sd[i].name_count; k++) {
            struct discovery_provider *pr = add_provider(d, DISCOVERY_DNS);
            pr->dns_sd = &config->dns_sd[i];
            pr->name = config->dns_sd[i].names[k];
        }
    }
    return d;
}

static void free_provider(struct discovery_provider *pr)
{
    net_timer_stop(pr->timer);
    if (pr->call)
        discovery_call_cancel(pr->call);
    if (pr->query) {
        net_dns_cancel(pr->query);
        if (pr->discovery->env.ended)
            pr->discovery->env.ended(pr->discovery->env.ctx);
    }
    for (size_t i = 0; i < pr->files.len; i++) {
        mem_free(pr->files.items[i].path);
        discovery_set_free(&pr->files.items[i].set);
    }
    vec_free(&pr->files);
    discovery_set_free(&pr->set);
    mem_free(pr);
}

void discovery_free(struct discovery *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->providers.len; i++)
        free_provider(d->providers.items[i]);
    vec_free(&d->providers);
    discovery_client_free(d->client);
    pthread_mutex_destroy(&d->lock);
    mem_free(d);
}

static bool same_place(const struct discovery_provider *a, const struct discovery_provider *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == DISCOVERY_HTTP)
        return strcmp(a->http_sd->url, b->http_sd->url) == 0;
    return a->kind == DISCOVERY_DNS && slice_eq(a->name, b->name) &&
           a->dns_sd->type == b->dns_sd->type && a->dns_sd->port == b->dns_sd->port;
}

void discovery_inherit(struct discovery *d, struct discovery *old)
{
    for (size_t i = 0; old && i < d->providers.len; i++) {
        struct discovery_provider *pr = d->providers.items[i];
        for (size_t k = 0; k < old->providers.len; k++) {
            struct discovery_provider *o = old->providers.items[k];
            if (!same_place(pr, o))
                continue;
            pr->set = o->set;
            o->set = (struct discovery_set){0};
            break;
        }
    }
}

static void refresh(struct discovery_provider *pr, bool tell)
{
    if (pr->kind == DISCOVERY_FILE)
        refresh_files(pr, tell);
    else if (pr->kind == DISCOVERY_HTTP)
        discovery__ask_http(pr);
    else if (pr->kind == DISCOVERY_DNS)
        discovery__ask_dns(pr);
}

void discovery_refresh(struct discovery *d, bool tell)
{
    for (size_t i = 0; i < d->providers.len; i++)
        refresh(d->providers.items[i], tell);
}

static void on_timer(void *ctx)
{
    refresh(ctx, true);
}

/* Files are looked at often, whatever the refresh interval says: it costs a stat. */
static int64_t interval_of(const struct discovery_provider *pr)
{
    if (pr->kind == DISCOVERY_HTTP)
        return pr->http_sd->refresh_ns;
    if (pr->kind == DISCOVERY_DNS)
        return pr->dns_sd->refresh_ns;
    return pr->file_sd->refresh_ns > 0 ? MIN(POLL_NS, pr->file_sd->refresh_ns) : POLL_NS;
}

void discovery_start(struct discovery *d)
{
    for (size_t i = 0; !d->env.manual && i < d->providers.len; i++) {
        struct discovery_provider *pr = d->providers.items[i];
        if (pr->kind == DISCOVERY_STATIC)
            continue;
        int64_t every = interval_of(pr);
        pr->timer = net_timer_start(d->env.loop, every, every, on_timer, pr);
    }
}

static void each_of(const struct discovery_set *set,
                    void (*each)(void *arg, const struct discovery_group *g), void *arg)
{
    for (size_t i = 0; i < set->count; i++)
        each(arg, &set->groups[i]);
}

void discovery_each(struct discovery *d, void (*each)(void *arg, const struct discovery_group *g),
                    void *arg)
{
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->providers.len; i++) {
        const struct discovery_provider *pr = d->providers.items[i];
        each_of(&pr->set, each, arg);
        for (size_t k = 0; k < pr->files.len; k++)
            each_of(&pr->files.items[k].set, each, arg);
    }
    pthread_mutex_unlock(&d->lock);
}

void discovery_error(struct discovery *d, char *out, size_t out_size)
{
    out[0] = '\0';
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->providers.len; i++) {
        if (d->providers.items[i]->last_error[0])
            snprintf(out, out_size, "%s", d->providers.items[i]->last_error);
    }
    pthread_mutex_unlock(&d->lock);
}
