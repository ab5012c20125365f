#include "input/scrape/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "decode/prom_text.h"
#include "text/duration.h"

#define FILE_SD_REFRESH_NS (300 * NS_PER_SEC)
#define HTTP_SD_REFRESH_NS (60 * NS_PER_SEC)

struct parser {
    const struct input_scrape_source *source;
    struct arena *arena;
    struct input_scrape_config *config;
    struct input__scrape_job defaults; /* from global */
    struct diag *diag;
};

/* --- small readers --- */

static const struct text_yaml *given(const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return text_yaml_is_null(n) ? NULL : n;
}

static int read_text(struct parser *p, const struct text_yaml *map, const char *key,
                     struct slice *out)
{
    const struct text_yaml *n = given(map, key);
    if (!n)
        return 0;
    struct slice s;
    int err = text_yaml_string(n, &s, p->diag);
    if (!err)
        *out = arena_slice(p->arena, s);
    return err;
}

static int read_cstr(struct parser *p, const struct text_yaml *map, const char *key,
                     const char **out)
{
    struct slice s = {NULL, 0};
    int err = read_text(p, map, key, &s);
    if (!err && s.ptr)
        *out = s.ptr;
    return err;
}

/* A path, relative ones from the configuration's folder. */
static int read_path(struct parser *p, const struct text_yaml *map, const char *key,
                     const char **out)
{
    const char *path = NULL;
    int err = read_cstr(p, map, key, &path);
    if (err || !path)
        return err;
    if (path[0] != '/' && path[0] && p->source->base_dir)
        path = arena_printf(p->arena, "%s/%s", p->source->base_dir, path).ptr;
    *out = path;
    return 0;
}

static int read_bool(struct parser *p, const struct text_yaml *map, const char *key, bool *out)
{
    const struct text_yaml *n = given(map, key);
    return n ? text_yaml_bool(n, out, p->diag) : 0;
}

static int read_count(struct parser *p, const struct text_yaml *map, const char *key, int64_t *out)
{
    const struct text_yaml *n = given(map, key);
    return n ? text_yaml_int(n, 0, INT64_MAX, out, p->diag) : 0;
}

static int read_duration(struct parser *p, const struct text_yaml *map, const char *key,
                         int64_t *out)
{
    const struct text_yaml *n = given(map, key);
    return n ? text_yaml_duration(n, out, p->diag) : 0;
}

static int read_size(struct parser *p, const struct text_yaml *map, const char *key, int64_t *out)
{
    const struct text_yaml *n = given(map, key);
    if (!n)
        return 0;
    struct slice v = n->value;
    /* Prometheus means powers of 1024 by KB, MB and GB. */
    if (n->kind == TEXT_YAML_SCALAR && v.len > 2 && v.ptr[v.len - 1] == 'B' &&
        v.ptr[v.len - 2] >= 'A' && v.ptr[v.len - 2] <= 'Z')
        v = arena_printf(p->arena, "%.*siB", SLICE_FMT(slice_first(v, v.len - 1)));
    if (n->kind != TEXT_YAML_SCALAR || text_size_parse(v, out))
        return text_yaml_error(n, p->diag, ERR_INVALID, "%s takes a size like 10MB, not \"%.*s\"",
                               key, SLICE_FMT(n->value));
    return 0;
}

/* What Prometheus has and Pharos has not: refused, or left out with a warning. */
static int refuse_unbuilt(struct parser *p, const struct text_yaml *map, const char *key,
                          const char *why)
{
    const struct text_yaml *n = given(map, key);
    if (!n || (n->kind != TEXT_YAML_SCALAR && !n->count))
        return 0;
    if (!p->source->ignore_unsupported)
        return text_yaml_error(n, p->diag, ERR_UNSUPPORTED, "%s is not supported%s%s", key,
                               why[0] ? ": " : "", why);
    LOG_WARN("input", "setting of the scrape configuration is left out", LOG_STR("key", key),
             LOG_INT("line", n->line));
    return 0;
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int try_err_ = (call);                                                                     \
        if (try_err_)                                                                              \
            return try_err_;                                                                       \
    } while (0)

/* --- target groups --- */

static int read_labels(const struct text_yaml *map, struct arena *arena, struct data_labels *out,
                       struct diag *diag)
{
    if (!map)
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "labels are a map of names to values");
    struct data_labels_builder b = {0};
    int err = 0;
    for (size_t i = 0; !err && i < map->count; i++) {
        struct slice name = arena_slice(arena, map->keys[i]->value), value;
        err = text_yaml_string(map->items[i], &value, diag);
        if (!err && (!name.len || !codec_utf8_valid(name) || !codec_utf8_valid(value)))
            err = text_yaml_error(map->keys[i], diag, ERR_INVALID,
                                  "\"%.*s\" is not a valid label name", SLICE_FMT(name));
        if (!err)
            data_labels_builder_set(&b, name, arena_slice(arena, value));
    }
    struct data_labels labels;
    if (!err)
        err = data_labels_builder_finish(&b, &labels, diag);
    if (!err)
        *out = data_labels_copy(arena, labels);
    data_labels_builder_deinit(&b);
    return err;
}

int input__scrape_groups_yaml(const struct text_yaml *list, struct arena *arena,
                              struct slice source, const struct input__scrape_group **out,
                              size_t *out_count, struct diag *diag)
{
    static const char *const keys[] = {"targets", "labels", NULL};
    *out = NULL;
    *out_count = 0;
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID,
                               "a list of target groups ({targets: [...], labels: {...}}) is "
                               "expected");
    struct input__scrape_group *groups =
        ARENA_ARRAY(arena, struct input__scrape_group, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct text_yaml *map = list->items[i];
        if (map->kind != TEXT_YAML_MAP)
            return text_yaml_error(map, diag, ERR_INVALID,
                                   "a target group is a map with targets and labels");
        TRY(text_yaml_check_keys(map, "a target group", keys, diag));
        const struct text_yaml *targets = given(map, "targets");
        groups[i].source = arena_printf(arena, "%.*s:%zu", SLICE_FMT(source), i);
        if (targets && targets->kind != TEXT_YAML_LIST)
            return text_yaml_error(targets, diag, ERR_INVALID,
                                   "targets takes a list: [\"host:9100\"]");
        struct slice *addresses = ARENA_ARRAY(arena, struct slice, targets ? targets->count : 0);
        for (size_t k = 0; targets && k < targets->count; k++) {
            TRY(text_yaml_string(targets->items[k], &addresses[k], diag));
            addresses[k] = arena_slice(arena, addresses[k]);
            if (slice_find_char(addresses[k], '/') >= 0)
                return text_yaml_error(targets->items[k], diag, ERR_INVALID,
                                       "\"%.*s\" is not a valid hostname: write host:port, the "
                                       "scheme and path are settings of their own",
                                       SLICE_FMT(addresses[k]));
        }
        groups[i].targets = addresses;
        groups[i].target_count = targets ? targets->count : 0;
        TRY(read_labels(given(map, "labels"), arena, &groups[i].labels, diag));
    }
    *out = groups;
    *out_count = list->count;
    return 0;
}

/* --- http_config --- */

static int read_basic_auth(struct parser *p, const struct text_yaml *n,
                           struct input__scrape_http *h)
{
    static const char *const keys[] = {"username", "username_file", "password", "password_file",
                                       NULL};
    if (!n)
        return 0;
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, p->diag, ERR_INVALID, "basic_auth is a map");
    TRY(text_yaml_check_keys(n, "basic_auth", keys, p->diag));
    h->username = "";
    TRY(read_cstr(p, n, "username", &h->username));
    TRY(read_path(p, n, "username_file", &h->username_file));
    TRY(read_cstr(p, n, "password", &h->password));
    TRY(read_path(p, n, "password_file", &h->password_file));
    if (h->username[0] && h->username_file)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "at most one of basic_auth username & username_file must be "
                               "configured");
    if (h->password && h->password_file)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "at most one of basic_auth password & password_file must be "
                               "configured");
    return 0;
}

static int read_authorization(struct parser *p, const struct text_yaml *map,
                              struct input__scrape_http *h)
{
    static const char *const keys[] = {"type", "credentials", "credentials_file", NULL};
    const struct text_yaml *n = given(map, "authorization");
    const char *token = NULL, *token_file = NULL;
    TRY(read_cstr(p, map, "bearer_token", &token));
    TRY(read_path(p, map, "bearer_token_file", &token_file));
    if (!n) {
        h->auth_type = token || token_file ? "Bearer" : NULL;
        h->credentials = token;
        h->credentials_file = token_file;
        if (token && token_file)
            return text_yaml_error(map, p->diag, ERR_INVALID,
                                   "at most one of bearer_token & bearer_token_file must be "
                                   "configured");
        return 0;
    }
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, p->diag, ERR_INVALID, "authorization is a map");
    TRY(text_yaml_check_keys(n, "authorization", keys, p->diag));
    if (token || token_file)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "authorization is not compatible with bearer_token & "
                               "bearer_token_file");
    h->auth_type = "Bearer";
    TRY(read_cstr(p, n, "type", &h->auth_type));
    TRY(read_cstr(p, n, "credentials", &h->credentials));
    TRY(read_path(p, n, "credentials_file", &h->credentials_file));
    if (h->credentials && h->credentials_file)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "at most one of authorization credentials & credentials_file must "
                               "be configured");
    if (slice_eq_nocase(slice_trim(slice_cstr(h->auth_type)), SLICE("basic")))
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "authorization type cannot be set to \"basic\", use \"basic_auth\" "
                               "instead");
    return 0;
}

static int read_tls(struct parser *p, const struct text_yaml *n, struct input__scrape_http *h)
{
    static const char *const keys[] = {
        "ca_file", "cert_file", "key_file",    "server_name", "ca",
        "cert",    "key",       "min_version", "max_version", "insecure_skip_verify",
        "ca_ref",  "cert_ref",  "key_ref",     NULL};
    static const char *const unbuilt[] = {"ca",          "cert",        "key",
                                          "min_version", "max_version", "server_name",
                                          "ca_ref",      "cert_ref",    "key_ref"};
    if (!n)
        return 0;
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, p->diag, ERR_INVALID, "tls_config is a map");
    TRY(text_yaml_check_keys(n, "tls_config", keys, p->diag));
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++)
        TRY(refuse_unbuilt(p, n, unbuilt[i], i < 3 ? "give the certificate or key as a file" : ""));
    h->has_tls = true;
    TRY(read_path(p, n, "ca_file", &h->tls.ca_file));
    TRY(read_path(p, n, "cert_file", &h->tls.cert_file));
    TRY(read_path(p, n, "key_file", &h->tls.key_file));
    TRY(read_bool(p, n, "insecure_skip_verify", &h->tls.insecure_skip_verify));
    if ((h->tls.cert_file != NULL) != (h->tls.key_file != NULL))
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "exactly one of key_file and cert_file is configured; a client "
                               "certificate needs both");
    return 0;
}

static int read_headers(struct parser *p, const struct text_yaml *map, struct input__scrape_http *h)
{
    static const char *const keys[] = {"values", "secrets", "files", NULL};
    VEC(struct net_client_header) all = {0};
    int err = 0;
    if (!map)
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "http_headers maps a header's name to {values: [...]}");
    for (size_t i = 0; !err && i < map->count; i++) {
        const struct text_yaml *n = map->items[i];
        err = n->kind != TEXT_YAML_MAP
                  ? text_yaml_error(n, p->diag, ERR_INVALID, "{values: [...]} is expected")
                  : text_yaml_check_keys(n, "http_headers", keys, p->diag);
        if (!err)
            err = refuse_unbuilt(p, n, "files", "");
        for (int k = 0; !err && k < 2; k++) {
            const struct text_yaml *list = given(n, keys[k]);
            if (list && list->kind != TEXT_YAML_LIST)
                err = text_yaml_error(list, p->diag, ERR_INVALID, "%s takes a list", keys[k]);
            for (size_t v = 0; !err && list && v < list->count; v++) {
                struct slice value;
                err = text_yaml_string(list->items[v], &value, p->diag);
                if (!err &&
                    (slice_find_char(value, '\n') >= 0 || slice_find_char(value, '\r') >= 0))
                    err = text_yaml_error(list->items[v], p->diag, ERR_INVALID,
                                          "a header's value is one line");
                if (!err)
                    vec_push(&all,
                             ((struct net_client_header){arena_slice(p->arena, map->keys[i]->value),
                                                         arena_slice(p->arena, value)}));
            }
        }
    }
    h->headers = arena_dup(p->arena, all.items, all.len * sizeof(*all.items));
    h->header_count = all.len;
    vec_free(&all);
    return err;
}

static int read_http(struct parser *p, const struct text_yaml *map, struct input__scrape_http *h)
{
    bool flag = false;
    h->follow_redirects = true;
    TRY(read_basic_auth(p, given(map, "basic_auth"), h));
    TRY(read_authorization(p, map, h));
    if (h->username && h->auth_type)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "at most one of basic_auth, oauth2, bearer_token & authorization "
                               "must be configured");
    TRY(read_tls(p, given(map, "tls_config"), h));
    TRY(read_headers(p, given(map, "http_headers"), h));
    TRY(read_cstr(p, map, "proxy_url", &h->proxy_url));
    TRY(read_bool(p, map, "follow_redirects", &h->follow_redirects));
    TRY(read_bool(p, map, "enable_http2", &flag)); /* HTTP/1.1 is always right */
    TRY(refuse_unbuilt(p, map, "oauth2", ""));
    TRY(refuse_unbuilt(p, map, "no_proxy", ""));
    TRY(refuse_unbuilt(p, map, "proxy_connect_header", ""));
    flag = false;
    TRY(read_bool(p, map, "proxy_from_environment", &flag));
    if (flag)
        TRY(refuse_unbuilt(p, map, "proxy_from_environment", "name the proxy in proxy_url"));
    return 0;
}

#define HTTP_KEYS                                                                                  \
    "basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2", "tls_config",    \
        "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "http_headers", \
        "follow_redirects", "enable_http2"

/* --- discovery --- */

static bool is_sd_pattern(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *star = strchr(path, '*');
    bool kind = slice_ends_with(slice_cstr(name), SLICE(".json")) ||
                slice_ends_with(slice_cstr(name), SLICE(".yml")) ||
                slice_ends_with(slice_cstr(name), SLICE(".yaml"));
    return kind && (!star || (star >= name && !strchr(star + 1, '*')));
}

static int read_file_sd(struct parser *p, const struct text_yaml *map,
                        struct input__scrape_file_sd *sd)
{
    static const char *const keys[] = {"files", "refresh_interval", NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "a file_sd_config is a map with files");
    TRY(text_yaml_check_keys(map, "file_sd_configs", keys, p->diag));
    const struct text_yaml *files = given(map, "files");
    if (!files || files->kind != TEXT_YAML_LIST || !files->count)
        return text_yaml_error(files ? files : map, p->diag, ERR_INVALID,
                               "file service discovery config must contain at least one path name");
    sd->patterns = ARENA_ARRAY(p->arena, const char *, files->count);
    sd->pattern_count = files->count;
    for (size_t i = 0; i < files->count; i++) {
        struct slice s;
        TRY(text_yaml_string(files->items[i], &s, p->diag));
        const char *path = arena_slice(p->arena, s).ptr;
        if (!is_sd_pattern(path))
            return text_yaml_error(files->items[i], p->diag, ERR_INVALID,
                                   "path name \"%s\" is not valid for file discovery: it must end "
                                   "in .json, .yml or .yaml, with at most one * in its last part",
                                   path);
        if (path[0] != '/' && p->source->base_dir)
            path = arena_printf(p->arena, "%s/%s", p->source->base_dir, path).ptr;
        sd->patterns[i] = path;
    }
    sd->refresh_ns = FILE_SD_REFRESH_NS;
    return read_duration(p, map, "refresh_interval", &sd->refresh_ns);
}

static int read_http_sd(struct parser *p, const struct text_yaml *map,
                        struct input__scrape_http_sd *sd)
{
    static const char *const keys[] = {"url", "refresh_interval", HTTP_KEYS, NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "an http_sd_config is a map with a url");
    TRY(text_yaml_check_keys(map, "http_sd_configs", keys, p->diag));
    TRY(read_cstr(p, map, "url", &sd->url));
    if (!sd->url || (strncmp(sd->url, "http://", 7) != 0 && strncmp(sd->url, "https://", 8) != 0))
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "http_sd_configs needs a url that begins with http:// or https://");
    sd->refresh_ns = HTTP_SD_REFRESH_NS;
    TRY(read_duration(p, map, "refresh_interval", &sd->refresh_ns));
    if (sd->refresh_ns <= 0)
        return text_yaml_error(map, p->diag, ERR_INVALID, "refresh_interval must be above 0");
    return read_http(p, map, &sd->http);
}

static int read_discovery(struct parser *p, const struct text_yaml *map,
                          struct input__scrape_job *j)
{
    const struct text_yaml *list = given(map, "static_configs");
    TRY(input__scrape_groups_yaml(list, p->arena, arena_printf(p->arena, "static"), &j->groups,
                                  &j->group_count, p->diag));
    list = given(map, "file_sd_configs");
    if (list && list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, p->diag, ERR_INVALID, "file_sd_configs takes a list");
    struct input__scrape_file_sd *files =
        ARENA_ARRAY(p->arena, struct input__scrape_file_sd, list ? list->count : 0);
    j->file_sd = files;
    j->file_sd_count = list ? list->count : 0;
    for (size_t i = 0; i < j->file_sd_count; i++)
        TRY(read_file_sd(p, list->items[i], &files[i]));
    list = given(map, "http_sd_configs");
    if (list && list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, p->diag, ERR_INVALID, "http_sd_configs takes a list");
    struct input__scrape_http_sd *urls =
        ARENA_ARRAY(p->arena, struct input__scrape_http_sd, list ? list->count : 0);
    j->http_sd = urls;
    j->http_sd_count = list ? list->count : 0;
    for (size_t i = 0; i < j->http_sd_count; i++)
        TRY(read_http_sd(p, list->items[i], &urls[i]));
    return 0;
}

/* --- jobs and global --- */

static int read_protocols(struct parser *p, const struct text_yaml *list,
                          struct input__scrape_job *j)
{
    static const char *const known[] = {"PrometheusProto",      "OpenMetricsText1.0.0",
                                        "OpenMetricsText0.0.1", "PrometheusText1.0.0",
                                        "PrometheusText0.0.4",  NULL};
    if (!list)
        return 0;
    if (list->kind != TEXT_YAML_LIST || !list->count)
        return text_yaml_error(list, p->diag, ERR_INVALID,
                               "scrape_protocols takes a list of at least one protocol");
    j->protocol_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct slice s;
        TRY(text_yaml_string(list->items[i], &s, p->diag));
        if (!decode_text_media_type(s)) {
            const char *near = text_nearest(s, known);
            return text_yaml_error(
                list->items[i], p->diag, ERR_INVALID, "unknown scrape protocol \"%.*s\"%s%s%s",
                SLICE_FMT(s), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        for (size_t k = 0; k < j->protocol_count; k++) {
            if (slice_eq(j->protocols[k], s))
                return text_yaml_error(list->items[i], p->diag, ERR_INVALID,
                                       "duplicated protocol \"%.*s\" in scrape_protocols",
                                       SLICE_FMT(s));
        }
        j->protocols[j->protocol_count++] = arena_slice(p->arena, s);
    }
    return 0;
}

/* The header Accept: protocols with falling weights, from one above the number of known ones. */
static void make_accept(struct parser *p, struct input__scrape_job *j)
{
    static const struct slice order[] = {
        SLICE_INIT("PrometheusProto"), SLICE_INIT("OpenMetricsText1.0.0"),
        SLICE_INIT("OpenMetricsText0.0.1"), SLICE_INIT("PrometheusText1.0.0"),
        SLICE_INIT("PrometheusText0.0.4")};
    static const struct slice allow = SLICE_INIT(";escaping=allow-utf-8");
    bool native = j->histograms.native; /* they have no text */
    const struct slice *names = j->protocol_count ? j->protocols : native ? order : order + 1;
    size_t count = j->protocol_count ? j->protocol_count : native ? 5 : 4;
    const char *escaping = j->escaping ? j->escaping : j->legacy_names ? "underscores" : NULL;
    struct buf accept = {0};
    int weight = 6;
    for (size_t i = 0; i < count; i++) {
        struct slice type = slice_cstr(decode_text_media_type(names[i]));
        bool escapes = slice_ends_with(type, allow);
        if (escaping && escapes)
            type = slice_first(type, type.len - allow.len);
        buf_append_slice(&accept, type);
        if (escaping && escapes)
            buf_printf(&accept, ";escaping=%s", escaping);
        buf_printf(&accept, ";q=0.%d,", weight--);
    }
    buf_printf(&accept, "*/*;q=0.%d", weight);
    j->accept = arena_strdup(p->arena, buf_cstr(&accept));
    buf_deinit(&accept);
}

static int read_names(struct parser *p, const struct text_yaml *map, struct input__scrape_job *j)
{
    static const char *const escapings[] = {"allow-utf-8", "underscores", "dots", "values"};
    const struct text_yaml *n = given(map, "metric_name_validation_scheme");
    if (n) {
        j->legacy_names = slice_eq_cstr(n->value, "legacy");
        if (!j->legacy_names && !slice_eq_cstr(n->value, "utf8"))
            return text_yaml_error(n, p->diag, ERR_INVALID,
                                   "metric_name_validation_scheme is utf8 or legacy");
    }
    n = given(map, "metric_name_escaping_scheme");
    if (!n)
        return 0;
    j->escaping = NULL;
    for (size_t i = 0; i < ARRAY_LEN(escapings); i++) {
        if (slice_eq_cstr(n->value, escapings[i]))
            j->escaping = escapings[i];
    }
    if (!j->escaping)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "metric_name_escaping_scheme is allow-utf-8, underscores, dots or "
                               "values");
    if (j->legacy_names && j->escaping == escapings[0])
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "utf8 metric names requested but validation scheme is not set to "
                               "utf8");
    return 0;
}

/* What global and a job have in common. */
static int read_common(struct parser *p, const struct text_yaml *map, struct input__scrape_job *j)
{
    TRY(read_size(p, map, "body_size_limit", &j->body_size_limit));
    TRY(read_count(p, map, "sample_limit", &j->sample_limit));
    TRY(read_count(p, map, "label_limit", &j->label_limit));
    TRY(read_count(p, map, "label_name_length_limit", &j->label_name_length_limit));
    TRY(read_count(p, map, "label_value_length_limit", &j->label_value_length_limit));
    TRY(read_count(p, map, "target_limit", &j->target_limit));
    TRY(read_count(p, map, "keep_dropped_targets", &j->keep_dropped_targets));
    TRY(read_bool(p, map, "extra_scrape_metrics", &j->extra_metrics));
    TRY(refuse_unbuilt(p, map, "scrape_failure_log_file",
                       "failures are in the log and on the targets page"));
    TRY(read_protocols(p, given(map, "scrape_protocols"), j));
    TRY(read_bool(p, map, "scrape_native_histograms", &j->histograms.native));
    TRY(read_bool(p, map, "always_scrape_classic_histograms", &j->histograms.classic_too));
    TRY(read_bool(p, map, "convert_classic_histograms_to_nhcb", &j->histograms.custom));
    bool proto_first = j->protocol_count ? slice_eq_cstr(j->protocols[0], "PrometheusProto")
                                         : j->histograms.native;
    if (j->histograms.custom && !proto_first) {
        TRY(refuse_unbuilt(p, map, "convert_classic_histograms_to_nhcb",
                           "text is not converted; put PrometheusProto first in scrape_protocols"));
    }
    TRY(read_names(p, map, j));
    make_accept(p, j);
    return 0;
}

#define COMMON_KEYS                                                                                \
    "body_size_limit", "sample_limit", "label_limit", "label_name_length_limit",                   \
        "label_value_length_limit", "target_limit", "keep_dropped_targets",                        \
        "extra_scrape_metrics", "scrape_protocols", "scrape_failure_log_file",                     \
        "scrape_native_histograms", "convert_classic_histograms_to_nhcb",                          \
        "always_scrape_classic_histograms", "metric_name_validation_scheme",                       \
        "metric_name_escaping_scheme", "native_histogram_bucket_limit",                            \
        "native_histogram_min_bucket_factor", "scrape_interval", "scrape_timeout"

/* ${VAR} and $VAR of external labels come from the environment; $$ is a dollar sign. */
static struct slice expand_environment(struct parser *p, struct slice s)
{
    struct buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '$' || i + 1 >= s.len) {
            buf_append_char(&out, s.ptr[i]);
            continue;
        }
        if (s.ptr[i + 1] == '$') {
            buf_append_char(&out, '$');
            i++;
            continue;
        }
        bool braces = s.ptr[i + 1] == '{';
        size_t begin = i + 1 + braces, end = begin;
        while (end < s.len && (s.ptr[end] == '_' || (s.ptr[end] >= '0' && s.ptr[end] <= '9') ||
                               (s.ptr[end] >= 'a' && s.ptr[end] <= 'z') ||
                               (s.ptr[end] >= 'A' && s.ptr[end] <= 'Z')))
            end++;
        if (end == begin || (braces && (end >= s.len || s.ptr[end] != '}'))) {
            buf_append_char(&out, '$');
            continue;
        }
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)(end - begin), s.ptr + begin);
        const char *value = getenv(name);
        if (value)
            buf_append_cstr(&out, value);
        else
            LOG_WARN("input", "external label names an empty environment variable",
                     LOG_STR("name", name));
        i = end + braces - 1;
    }
    struct slice done = arena_slice(p->arena, buf_slice(&out));
    buf_deinit(&out);
    return done;
}

static int read_global(struct parser *p, const struct text_yaml *map)
{
    static const char *const keys[] = {COMMON_KEYS,         "evaluation_interval",
                                       "rule_query_offset", "external_labels",
                                       "query_log_file",    NULL};
    struct input__scrape_job *d = &p->defaults;
    d->interval_ns = 60 * NS_PER_SEC;
    d->timeout_ns = 10 * NS_PER_SEC;
    p->config->evaluation_interval_ns = 60 * NS_PER_SEC;
    if (map && map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "global is a map of settings");
    if (map)
        TRY(text_yaml_check_keys(map, "global", keys, p->diag));
    TRY(read_duration(p, map, "scrape_interval", &d->interval_ns));
    bool has_timeout = given(map, "scrape_timeout") != NULL;
    TRY(read_duration(p, map, "scrape_timeout", &d->timeout_ns));
    if (has_timeout && d->timeout_ns > d->interval_ns)
        return text_yaml_error(given(map, "scrape_timeout"), p->diag, ERR_INVALID,
                               "global scrape timeout greater than scrape interval");
    if (!d->interval_ns)
        d->interval_ns = 60 * NS_PER_SEC;
    if (!has_timeout || !d->timeout_ns)
        d->timeout_ns = MIN(10 * NS_PER_SEC, d->interval_ns);
    TRY(read_duration(p, map, "evaluation_interval", &p->config->evaluation_interval_ns));
    TRY(read_labels(given(map, "external_labels"), p->arena, &p->config->external_labels, p->diag));
    struct data_label *labels = (struct data_label *)(uintptr_t)p->config->external_labels.items;
    for (size_t i = 0; i < p->config->external_labels.count; i++)
        labels[i].value = expand_environment(p, labels[i].value);
    return read_common(p, map, d);
}

static int read_params(struct parser *p, const struct text_yaml *map, struct input__scrape_job *j)
{
    if (!map)
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "params maps a name to a list of values: {module: [http_2xx]}");
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i]->kind != TEXT_YAML_LIST)
            return text_yaml_error(map->items[i], p->diag, ERR_INVALID,
                                   "a parameter takes a list of values");
        count += map->items[i]->count;
    }
    struct input__scrape_param *params = ARENA_ARRAY(p->arena, struct input__scrape_param, count);
    for (size_t i = 0; i < map->count; i++) {
        for (size_t k = 0; k < map->items[i]->count; k++) {
            struct input__scrape_param *to = &params[j->param_count++];
            to->name = arena_slice(p->arena, map->keys[i]->value);
            TRY(text_yaml_string(map->items[i]->items[k], &to->value, p->diag));
            to->value = arena_slice(p->arena, to->value);
        }
    }
    j->params = params;
    return 0;
}

/* The tree as text, places left out: equal texts mean equal settings. */
static void print_tree(const struct text_yaml *n, struct buf *out)
{
    if (!n)
        return;
    if (n->kind == TEXT_YAML_SCALAR) {
        buf_printf(out, "%zu:", n->value.len);
        buf_append_slice(out, n->value);
        return;
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '{' : '[');
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == TEXT_YAML_MAP) {
            /* Where targets come from does not change how they are scraped. */
            struct slice key = n->keys[i]->value;
            if (slice_ends_with(key, SLICE("_sd_configs")) || slice_eq_cstr(key, "static_configs"))
                continue;
            print_tree(n->keys[i], out);
        }
        print_tree(n->items[i], out);
        buf_append_char(out, ',');
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '}' : ']');
}

static const char *const job_keys[] = {COMMON_KEYS,
                                       HTTP_KEYS,
                                       "job_name",
                                       "honor_labels",
                                       "honor_timestamps",
                                       "track_timestamps_staleness",
                                       "metrics_path",
                                       "scheme",
                                       "params",
                                       "fallback_scrape_protocol",
                                       "enable_compression",
                                       "openmetrics_strict",
                                       "relabel_configs",
                                       "metric_relabel_configs",
                                       "static_configs",
                                       "file_sd_configs",
                                       "http_sd_configs",
                                       NULL};

static const char *const unbuilt_sd[] = {
    "azure_sd_configs",       "consul_sd_configs",    "digitalocean_sd_configs",
    "dns_sd_configs",         "docker_sd_configs",    "dockerswarm_sd_configs",
    "aws_sd_configs",         "ec2_sd_configs",       "ecs_sd_configs",
    "elasticache_sd_configs", "eureka_sd_configs",    "gce_sd_configs",
    "hetzner_sd_configs",     "ionos_sd_configs",     "kubernetes_sd_configs",
    "kuma_sd_configs",        "lightsail_sd_configs", "linode_sd_configs",
    "marathon_sd_configs",    "msk_sd_configs",       "nerve_sd_configs",
    "nomad_sd_configs",       "oci_sd_configs",       "openstack_sd_configs",
    "outscale_sd_configs",    "ovhcloud_sd_configs",  "puppetdb_sd_configs",
    "rds_sd_configs",         "scaleway_sd_configs",  "serverset_sd_configs",
    "stackit_sd_configs",     "triton_sd_configs",    "uyuni_sd_configs",
    "vultr_sd_configs"};

static int read_job(struct parser *p, const struct text_yaml *map, struct input__scrape_job *j)
{
    *j = p->defaults;
    j->metrics_path = SLICE("/metrics");
    j->scheme = SLICE("http");
    j->honor_timestamps = j->compression = j->strict_openmetrics = true;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "a scrape_config is a map of settings");
    const char *keys[ARRAY_LEN(job_keys) + ARRAY_LEN(unbuilt_sd)];
    memcpy(keys, job_keys, sizeof(job_keys));
    memcpy(keys + ARRAY_LEN(job_keys) - 1, unbuilt_sd, sizeof(unbuilt_sd));
    keys[ARRAY_LEN(keys) - 1] = NULL;
    TRY(text_yaml_check_keys(map, "a scrape_config", keys, p->diag));
    for (size_t i = 0; i < ARRAY_LEN(unbuilt_sd); i++)
        TRY(refuse_unbuilt(p, map, unbuilt_sd[i], "use file_sd_configs or http_sd_configs"));
    TRY(read_text(p, map, "job_name", &j->name));
    if (!j->name.len)
        return text_yaml_error(map, p->diag, ERR_INVALID, "job_name is empty");
    TRY(read_common(p, map, j));
    const struct text_yaml *interval = given(map, "scrape_interval"),
                           *timeout = given(map, "scrape_timeout");
    TRY(read_duration(p, map, "scrape_interval", &j->interval_ns));
    if (!j->interval_ns)
        j->interval_ns = p->defaults.interval_ns;
    j->timeout_ns = 0;
    TRY(read_duration(p, map, "scrape_timeout", &j->timeout_ns));
    if (j->timeout_ns > j->interval_ns)
        return text_yaml_error(timeout ? timeout : interval, p->diag, ERR_INVALID,
                               "scrape timeout greater than scrape interval for scrape config with "
                               "job name \"%.*s\"",
                               SLICE_FMT(j->name));
    if (!j->timeout_ns)
        j->timeout_ns = MIN(p->defaults.timeout_ns, j->interval_ns);
    struct buf text = {0};
    text_duration_print(j->interval_ns, &text);
    j->interval_text = arena_slice(p->arena, buf_slice(&text));
    buf_clear(&text);
    text_duration_print(j->timeout_ns, &text);
    j->timeout_text = arena_slice(p->arena, buf_slice(&text));
    buf_clear(&text);
    print_tree(p->source->global, &text);
    print_tree(map, &text);
    j->identity = arena_slice(p->arena, buf_slice(&text));
    buf_deinit(&text);
    TRY(read_text(p, map, "metrics_path", &j->metrics_path));
    TRY(read_text(p, map, "scheme", &j->scheme));
    TRY(read_bool(p, map, "honor_labels", &j->honor_labels));
    TRY(read_bool(p, map, "honor_timestamps", &j->honor_timestamps));
    TRY(read_bool(p, map, "track_timestamps_staleness", &j->track_timestamps_staleness));
    TRY(read_bool(p, map, "enable_compression", &j->compression));
    TRY(read_bool(p, map, "openmetrics_strict", &j->strict_openmetrics));
    TRY(read_cstr(p, map, "fallback_scrape_protocol", &j->fallback_protocol));
    if (j->fallback_protocol && !decode_text_media_type(slice_cstr(j->fallback_protocol)))
        return text_yaml_error(given(map, "fallback_scrape_protocol"), p->diag, ERR_INVALID,
                               "invalid fallback_scrape_protocol \"%s\"", j->fallback_protocol);
    TRY(read_params(p, given(map, "params"), j));
    TRY(read_http(p, map, &j->http));
    TRY(read_discovery(p, map, j));
    TRY(pipe_relabel_parse(given(map, "relabel_configs"), p->arena, &j->relabel, p->diag));
    return pipe_relabel_parse(given(map, "metric_relabel_configs"), p->arena, &j->metric_relabel,
                              p->diag);
}

static int parse(struct parser *p)
{
    const struct text_yaml *list = p->source->scrape_configs;
    TRY(read_global(p, text_yaml_is_null(p->source->global) ? NULL : p->source->global));
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, p->diag, ERR_INVALID, "scrape_configs takes a list");
    p->config->jobs = ARENA_ARRAY(p->arena, struct input__scrape_job, list->count);
    for (size_t i = 0; i < list->count; i++) {
        p->config->job_count = i + 1;
        TRY(read_job(p, list->items[i], &p->config->jobs[i]));
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(p->config->jobs[k].name, p->config->jobs[i].name))
                return text_yaml_error(list->items[i], p->diag, ERR_INVALID,
                                       "found multiple scrape configs with job name \"%.*s\"",
                                       SLICE_FMT(p->config->jobs[i].name));
        }
    }
    return 0;
}

int input_scrape_config_parse(const struct input_scrape_source *source,
                              struct input_scrape_config **out, struct diag *diag)
{
    struct input_scrape_config *c = mem_calloc(1, sizeof(*c));
    struct diag inner;
    diag_init(&inner);
    c->arena = arena_new(0, NULL);
    atomic_init(&c->refs, 1);
    struct parser p = {.source = source, .arena = c->arena, .config = c, .diag = &inner};
    int err = parse(&p);
    if (err) {
        if (source->file)
            diag_set_file(&inner, source->file);
        if (diag)
            *diag = inner;
        input_scrape_config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

struct input_scrape_config *input__scrape_config_ref(struct input_scrape_config *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void input_scrape_config_free(struct input_scrape_config *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (size_t i = 0; i < c->job_count; i++) {
        pipe_relabel_deinit(&c->jobs[i].relabel);
        pipe_relabel_deinit(&c->jobs[i].metric_relabel);
    }
    arena_free(c->arena);
    mem_free(c);
}

struct data_labels input_scrape_config_external_labels(const struct input_scrape_config *c)
{
    return c->external_labels;
}

int64_t input_scrape_config_evaluation_interval(const struct input_scrape_config *c)
{
    return c->evaluation_interval_ns;
}
