#include "discovery/peers.h"

#include <glob.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/vec.h"
#include "discovery/discovery.h"

#define TIMEOUT_NS (10 * NS_PER_SEC)

struct discovery_peers {
    struct arena *arena;
    struct discovery_http http;
    struct discovery_config where;
    struct discovery_config asked; /* what of it is asked over the network */
    struct pipe_relabel relabel, payload_relabel;
    struct slice scheme, path;
    int64_t timeout_ns;
    VEC(struct discovery_set) files; /* as they were when all of them were good */
    bool files_bad;
    pthread_mutex_t lock; /* of what follows: started and stopped on the loop, read anywhere */
    struct discovery *discovery;
    void (*changed)(void *ctx);
    void *ctx;
};

static int read_peers(struct discovery_conf *c, const struct text_yaml *map,
                      struct discovery_peers *p)
{
    static const char *const keys[] = {
        HTTP_KEYS, DISCOVERY_KEYS, "relabel_configs", "alert_relabel_configs",
        "scheme",  "path_prefix",  "timeout",         "api_version",
        "sigv4"};
    const char *known[ARRAY_LEN(keys) + 64] = {0};
    struct slice prefix = SLICE(""), version = SLICE("v2");
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, c->diag, ERR_INVALID,
                               "an Alertmanager is described by a map with static_configs");
    base_assert(discovery_unbuilt_count < 64);
    memcpy(known, keys, sizeof(keys));
    memcpy(known + ARRAY_LEN(keys), discovery_unbuilt,
           discovery_unbuilt_count * sizeof(*discovery_unbuilt));
    TRY(text_yaml_check_keys(map, "an alertmanagers entry", known, c->diag));
    TRY(discovery_conf_unbuilt(c, map, "sigv4", ""));
    p->scheme = SLICE("http");
    p->timeout_ns = TIMEOUT_NS;
    TRY(discovery_conf_text(c, map, "scheme", &p->scheme));
    if (!slice_eq_cstr(p->scheme, "http") && !slice_eq_cstr(p->scheme, "https"))
        return text_yaml_error(text_yaml_get(map, "scheme"), c->diag, ERR_INVALID,
                               "scheme is http or https");
    TRY(discovery_conf_text(c, map, "path_prefix", &prefix));
    TRY(discovery_conf_text(c, map, "api_version", &version));
    if (slice_eq_cstr(version, "v1"))
        TRY(discovery_conf_unbuilt(c, map, "api_version", "alerts are sent to API v2"));
    else if (!slice_eq_cstr(version, "v2"))
        return text_yaml_error(text_yaml_get(map, "api_version"), c->diag, ERR_INVALID,
                               "expected Alertmanager api version to be one of [v2] but got "
                               "%.*s",
                               SLICE_FMT(version));
    TRY(discovery_conf_duration(c, map, "timeout", &p->timeout_ns));
    while (prefix.len && prefix.ptr[0] == '/')
        prefix = slice_from(prefix, 1);
    while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    p->path =
        arena_printf(c->arena, "/%.*s%sapi/v2/alerts", SLICE_FMT(prefix), prefix.len ? "/" : "");
    TRY(discovery_conf_http(c, map, &p->http));
    TRY(discovery_config_read(c, map, &p->where));
    p->asked = p->where;
    p->asked.group_count = p->asked.file_sd_count = 0;
    TRY(pipe_relabel_parse(discovery_conf_given(map, "relabel_configs"), c->arena, &p->relabel,
                           c->diag));
    return pipe_relabel_parse(discovery_conf_given(map, "alert_relabel_configs"), c->arena,
                              &p->payload_relabel, c->diag);
}

int discovery_peers_new(const struct discovery_peers_source *source, struct discovery_peers **out,
                        struct diag *diag)
{
    struct discovery_peers *p = mem_calloc(1, sizeof(*p));
    p->arena = arena_new(0, NULL);
    pthread_mutex_init(&p->lock, NULL);
    struct discovery_conf c = {.base_dir = source->base_dir,
                               .ignore_unsupported = source->ignore_unsupported,
                               .arena = p->arena,
                               .diag = diag};
    int err = read_peers(&c, source->map, p);
    *out = err ? NULL : p;
    if (err)
        discovery_peers_free(p);
    return err;
}

static void free_files(struct discovery_peers *p)
{
    for (size_t i = 0; i < p->files.len; i++)
        discovery_set_free(&p->files.items[i]);
    vec_clear(&p->files);
}

void discovery_peers_free(struct discovery_peers *p)
{
    if (!p)
        return;
    base_assert(!p->discovery); /* stopped */
    free_files(p);
    vec_free(&p->files);
    pipe_relabel_deinit(&p->relabel);
    pipe_relabel_deinit(&p->payload_relabel);
    arena_free(p->arena);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

const struct pipe_relabel *discovery_peers_payload_relabel(const struct discovery_peers *p)
{
    return &p->payload_relabel;
}

int64_t discovery_peers_timeout_ns(const struct discovery_peers *p)
{
    return p->timeout_ns;
}

static void read_files(struct discovery_peers *p, struct os *os)
{
    VEC(struct discovery_set) fresh = {0};
    struct diag diag;
    int err = 0;
    diag_init(&diag);
    for (size_t i = 0; i < p->where.file_sd_count; i++) {
        const struct discovery_file_sd *sd = &p->where.file_sd[i];
        for (size_t k = 0; !err && k < sd->pattern_count; k++) {
            glob_t found;
            if (glob(sd->patterns[k], 0, NULL, &found))
                continue;
            for (size_t n = 0; !err && n < found.gl_pathc; n++) {
                struct discovery_set set;
                err = discovery_set_load(os, found.gl_pathv[n], &set, &diag);
                if (!err)
                    vec_push(&fresh, set);
            }
            globfree(&found);
        }
    }
    if (err) {
        if (!p->files_bad)
            LOG_WARN("discovery", "a file of Alertmanagers cannot be read; the old ones stay",
                     LOG_STR("error", diag.msg));
        for (size_t i = 0; i < fresh.len; i++)
            arena_free(fresh.items[i].arena);
    } else {
        free_files(p);
        for (size_t i = 0; i < fresh.len; i++)
            vec_push(&p->files, fresh.items[i]);
    }
    p->files_bad = err != 0;
    vec_free(&fresh);
}

typedef VEC(struct slice) slice_list;

static void add_new(slice_list *list, struct slice s)
{
    for (size_t i = 0; i < list->len; i++) {
        if (slice_eq(list->items[i], s))
            return;
    }
    vec_push(list, s);
}

static struct slice url_of(const struct data_labels_builder *b, struct arena *arena)
{
    struct slice path = data_labels_builder_get(b, SLICE("__alerts_path__"));
    return arena_printf(arena, "%.*s://%.*s%s%.*s",
                        SLICE_FMT(data_labels_builder_get(b, SLICE("__scheme__"))),
                        SLICE_FMT(data_labels_builder_get(b, SLICE("__address__"))),
                        path.len && path.ptr[0] == '/' ? "" : "/", SLICE_FMT(path));
}

struct looking {
    const struct discovery_peers *peers;
    struct arena *arena;
    slice_list urls, dropped;
};

static void look_at_group(void *arg, const struct discovery_group *g)
{
    struct looking *l = arg;
    const struct discovery_peers *p = l->peers;
    struct data_labels_builder b = {0};
    for (size_t k = 0; k < g->target_count; k++) {
        data_labels_builder_from(&b, g->labels);
        data_labels_builder_set(&b, SLICE("__address__"), g->targets[k]);
        if (!data_labels_builder_get(&b, SLICE("__scheme__")).len)
            data_labels_builder_set(&b, SLICE("__scheme__"), p->scheme);
        if (!data_labels_builder_get(&b, SLICE("__alerts_path__")).len)
            data_labels_builder_set(&b, SLICE("__alerts_path__"), p->path);
        struct slice before = url_of(&b, l->arena);
        struct diag diag;
        diag_init(&diag);
        enum pipe_relabel_verdict v = pipe_relabel_apply(&p->relabel, &b, l->arena, &diag);
        if (v == PIPE_RELABEL_REFUSED)
            LOG_WARN("discovery", "an Alertmanager is left out", LOG_STR("error", diag.msg));
        if (v == PIPE_RELABEL_KEPT && data_labels_builder_get(&b, SLICE("__address__")).len)
            add_new(&l->urls, url_of(&b, l->arena));
        else
            add_new(&l->dropped, before);
    }
    data_labels_builder_deinit(&b);
}

void discovery_peers_look(struct discovery_peers *p, struct os *os, struct arena *arena,
                          struct discovery_peers_view *out)
{
    struct looking l = {.peers = p, .arena = arena};
    if (p->where.file_sd_count)
        read_files(p, os);
    for (size_t i = 0; i < p->where.group_count; i++)
        look_at_group(&l, &p->where.groups[i]);
    for (size_t i = 0; i < p->files.len; i++) {
        for (size_t k = 0; k < p->files.items[i].count; k++)
            look_at_group(&l, &p->files.items[i].groups[k]);
    }
    pthread_mutex_lock(&p->lock);
    if (p->discovery)
        discovery_each(p->discovery, look_at_group, &l);
    pthread_mutex_unlock(&p->lock);
    out->urls = arena_dup(arena, l.urls.items, l.urls.len * sizeof(*l.urls.items));
    out->url_count = l.urls.len;
    out->dropped = arena_dup(arena, l.dropped.items, l.dropped.len * sizeof(*l.dropped.items));
    out->dropped_count = l.dropped.len;
    vec_free(&l.urls);
    vec_free(&l.dropped);
}

static void on_groups(void *ctx)
{
    struct discovery_peers *p = ctx;
    p->changed(p->ctx);
}

void discovery_peers_start(struct discovery_peers *p, struct os *os, struct net_loop *loop,
                           struct net_client *client, void (*changed)(void *ctx), void *ctx)
{
    const struct discovery_env env = {
        .os = os, .loop = loop, .client = client, .ctx = p, .changed = on_groups};
    if (p->discovery || (!p->asked.http_sd_count && !p->asked.dns_sd_count))
        return;
    p->changed = changed;
    p->ctx = ctx;
    struct discovery *d = discovery_new(&p->asked, &env);
    pthread_mutex_lock(&p->lock);
    p->discovery = d;
    pthread_mutex_unlock(&p->lock);
    discovery_refresh(d, false);
    discovery_start(d);
}

void discovery_peers_stop(struct discovery_peers *p)
{
    pthread_mutex_lock(&p->lock);
    struct discovery *d = p->discovery;
    p->discovery = NULL;
    pthread_mutex_unlock(&p->lock);
    discovery_free(d);
}

const struct discovery_http *discovery_peers_http(const struct discovery_peers *p)
{
    return &p->http;
}
