#include "input/scrape/peers.h"

#include <glob.h>

#include "base/assert.h"
#include "base/log.h"
#include "input/scrape/config_priv.h"
#include "input/scrape/scrape_priv.h"

#define TIMEOUT_NS (10 * NS_PER_SEC)

struct input_peers {
    struct arena *arena;
    struct input__scrape_job job; /* http, relabel, groups, file_sd */
    struct pipe_relabel payload_relabel;
    struct slice scheme, path;
    int64_t timeout_ns;
    VEC(struct group_set) files; /* as they were when all of them were good */
    bool files_bad;
};

static int read_peers(struct input__conf *c, const struct text_yaml *map, struct input_peers *p)
{
    static const char *const keys[] = {HTTP_KEYS,
                                       "static_configs",
                                       "file_sd_configs",
                                       "http_sd_configs",
                                       "relabel_configs",
                                       "alert_relabel_configs",
                                       "scheme",
                                       "path_prefix",
                                       "timeout",
                                       "api_version",
                                       "sigv4"};
    const char *known[ARRAY_LEN(keys) + 64] = {0};
    struct slice prefix = SLICE(""), version = SLICE("v2");
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, c->diag, ERR_INVALID,
                               "an Alertmanager is described by a map with static_configs");
    base_assert(input__unbuilt_sd_count < 64);
    memcpy(known, keys, sizeof(keys));
    memcpy(known + ARRAY_LEN(keys), input__unbuilt_sd,
           input__unbuilt_sd_count * sizeof(*input__unbuilt_sd));
    TRY(text_yaml_check_keys(map, "an alertmanagers entry", known, c->diag));
    for (size_t i = 0; i < input__unbuilt_sd_count; i++)
        TRY(input__conf_unbuilt(c, map, input__unbuilt_sd[i], "use file_sd_configs"));
    TRY(input__conf_unbuilt(c, map, "sigv4", ""));
    TRY(input__conf_unbuilt(c, map, "http_sd_configs", "use file_sd_configs"));
    TRY(input__conf_unbuilt(c, map, "oauth2", "use basic_auth or authorization"));
    p->scheme = SLICE("http");
    p->timeout_ns = TIMEOUT_NS;
    TRY(input__conf_text(c, map, "scheme", &p->scheme));
    if (!slice_eq_cstr(p->scheme, "http") && !slice_eq_cstr(p->scheme, "https"))
        return text_yaml_error(text_yaml_get(map, "scheme"), c->diag, ERR_INVALID,
                               "scheme is http or https");
    TRY(input__conf_text(c, map, "path_prefix", &prefix));
    TRY(input__conf_text(c, map, "api_version", &version));
    if (slice_eq_cstr(version, "v1"))
        TRY(input__conf_unbuilt(c, map, "api_version", "alerts are sent to API v2"));
    else if (!slice_eq_cstr(version, "v2"))
        return text_yaml_error(text_yaml_get(map, "api_version"), c->diag, ERR_INVALID,
                               "expected Alertmanager api version to be one of [v2] but got "
                               "%.*s",
                               SLICE_FMT(version));
    TRY(input__conf_duration(c, map, "timeout", &p->timeout_ns));
    while (prefix.len && prefix.ptr[0] == '/')
        prefix = slice_from(prefix, 1);
    while (prefix.len && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    p->path =
        arena_printf(c->arena, "/%.*s%sapi/v2/alerts", SLICE_FMT(prefix), prefix.len ? "/" : "");
    TRY(input__conf_http(c, map, &p->job.http));
    p->job.http.oauth2 = NULL;
    TRY(input__conf_discovery(c, map, &p->job));
    TRY(pipe_relabel_parse(input__conf_given(map, "relabel_configs"), c->arena, &p->job.relabel,
                           c->diag));
    return pipe_relabel_parse(input__conf_given(map, "alert_relabel_configs"), c->arena,
                              &p->payload_relabel, c->diag);
}

int input_peers_new(const struct input_peers_source *source, struct input_peers **out,
                    struct diag *diag)
{
    struct input_peers *p = mem_calloc(1, sizeof(*p));
    struct input_scrape_source paths = {.base_dir = source->base_dir,
                                        .ignore_unsupported = source->ignore_unsupported};
    p->arena = arena_new(0, NULL);
    struct input__conf c = {.source = &paths, .arena = p->arena, .diag = diag};
    int err = read_peers(&c, source->map, p);
    *out = err ? NULL : p;
    if (err)
        input_peers_free(p);
    return err;
}

static void free_files(struct input_peers *p)
{
    for (size_t i = 0; i < p->files.len; i++)
        arena_free(p->files.items[i].arena);
    vec_clear(&p->files);
}

void input_peers_free(struct input_peers *p)
{
    if (!p)
        return;
    free_files(p);
    vec_free(&p->files);
    pipe_relabel_deinit(&p->job.relabel);
    pipe_relabel_deinit(&p->payload_relabel);
    arena_free(p->arena);
    mem_free(p);
}

const struct pipe_relabel *input_peers_payload_relabel(const struct input_peers *p)
{
    return &p->payload_relabel;
}

int64_t input_peers_timeout_ns(const struct input_peers *p)
{
    return p->timeout_ns;
}

static void read_files(struct input_peers *p, struct os *os)
{
    VEC(struct group_set) fresh = {0};
    struct diag diag;
    int err = 0;
    diag_init(&diag);
    for (size_t i = 0; i < p->job.file_sd_count; i++) {
        const struct input__scrape_file_sd *sd = &p->job.file_sd[i];
        for (size_t k = 0; !err && k < sd->pattern_count; k++) {
            glob_t found;
            if (glob(sd->patterns[k], 0, NULL, &found))
                continue;
            for (size_t n = 0; !err && n < found.gl_pathc; n++) {
                struct group_set set;
                err = input__load_groups(os, found.gl_pathv[n], &set, &diag);
                if (!err)
                    vec_push(&fresh, set);
            }
            globfree(&found);
        }
    }
    if (err) {
        if (!p->files_bad)
            LOG_WARN("input", "a file of Alertmanagers cannot be read; the old ones stay",
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

static void look_at_groups(const struct input_peers *p, const struct input__scrape_group *groups,
                           size_t count, struct arena *arena, slice_list *urls, slice_list *dropped)
{
    struct data_labels_builder b = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < groups[i].target_count; k++) {
            data_labels_builder_from(&b, groups[i].labels);
            data_labels_builder_set(&b, SLICE("__address__"), groups[i].targets[k]);
            if (!data_labels_builder_get(&b, SLICE("__scheme__")).len)
                data_labels_builder_set(&b, SLICE("__scheme__"), p->scheme);
            if (!data_labels_builder_get(&b, SLICE("__alerts_path__")).len)
                data_labels_builder_set(&b, SLICE("__alerts_path__"), p->path);
            struct slice before = url_of(&b, arena);
            struct diag diag;
            diag_init(&diag);
            enum pipe_relabel_verdict v = pipe_relabel_apply(&p->job.relabel, &b, arena, &diag);
            if (v == PIPE_RELABEL_REFUSED)
                LOG_WARN("input", "an Alertmanager is left out", LOG_STR("error", diag.msg));
            if (v == PIPE_RELABEL_KEPT && data_labels_builder_get(&b, SLICE("__address__")).len)
                add_new(urls, url_of(&b, arena));
            else
                add_new(dropped, before);
        }
    }
    data_labels_builder_deinit(&b);
}

void input_peers_look(struct input_peers *p, struct os *os, struct arena *arena,
                      struct input_peers_view *out)
{
    slice_list urls = {0}, dropped = {0};
    if (p->job.file_sd_count)
        read_files(p, os);
    look_at_groups(p, p->job.groups, p->job.group_count, arena, &urls, &dropped);
    for (size_t i = 0; i < p->files.len; i++)
        look_at_groups(p, p->files.items[i].groups, p->files.items[i].count, arena, &urls,
                       &dropped);
    out->urls = arena_dup(arena, urls.items, urls.len * sizeof(*urls.items));
    out->url_count = urls.len;
    out->dropped = arena_dup(arena, dropped.items, dropped.len * sizeof(*dropped.items));
    out->dropped_count = dropped.len;
    vec_free(&urls);
    vec_free(&dropped);
}

int input_peers_request(const struct input_peers *p, struct os *os, struct arena *arena,
                        struct net_client_request *req, struct diag *diag)
{
    const struct input__scrape_http *http = &p->job.http;
    struct net_client_header *headers =
        ARENA_ARRAY(arena, struct net_client_header, http->header_count + req->header_count + 1);
    struct slice auth;
    size_t n = 0;
    int err = input__http_request(os, http, arena, req, &auth, diag);
    if (err)
        return err;
    for (size_t i = 0; i < req->header_count; i++)
        headers[n++] = req->headers[i];
    for (size_t i = 0; i < http->header_count; i++)
        headers[n++] = http->headers[i];
    if (auth.ptr)
        headers[n++] = (struct net_client_header){SLICE("Authorization"), auth};
    req->headers = headers;
    req->header_count = n;
    req->timeout_ns = p->timeout_ns;
    return 0;
}
