/* How to reach a server: credentials, certificates, proxies, headers. */
#include <string.h>

#include "base/vec.h"
#include "discovery/conf.h"
#include "net/url.h"

static int read_basic_auth(struct discovery_conf *p, const struct text_yaml *n,
                           struct discovery_http *h)
{
    static const char *const keys[] = {"username", "username_file", "password", "password_file",
                                       NULL};
    if (!n)
        return 0;
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, p->diag, ERR_INVALID, "basic_auth is a map");
    TRY(text_yaml_check_keys(n, "basic_auth", keys, p->diag));
    h->username = "";
    TRY(discovery_conf_cstr(p, n, "username", &h->username));
    TRY(discovery_conf_path(p, n, "username_file", &h->username_file));
    TRY(discovery_conf_cstr(p, n, "password", &h->password));
    TRY(discovery_conf_path(p, n, "password_file", &h->password_file));
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

static int read_authorization(struct discovery_conf *p, const struct text_yaml *map,
                              struct discovery_http *h)
{
    static const char *const keys[] = {"type", "credentials", "credentials_file", NULL};
    const struct text_yaml *n = discovery_conf_given(map, "authorization");
    const char *token = NULL, *token_file = NULL;
    TRY(discovery_conf_cstr(p, map, "bearer_token", &token));
    TRY(discovery_conf_path(p, map, "bearer_token_file", &token_file));
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
    TRY(discovery_conf_cstr(p, n, "type", &h->auth_type));
    TRY(discovery_conf_cstr(p, n, "credentials", &h->credentials));
    TRY(discovery_conf_path(p, n, "credentials_file", &h->credentials_file));
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

static int read_tls_version(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                            int *out)
{
    static const char *const names[] = {"TLS10", "TLS11", "TLS12", "TLS13"};
    const struct text_yaml *n = discovery_conf_given(map, key);
    for (size_t i = 0; n && i < ARRAY_LEN(names); i++) {
        if (slice_eq_cstr(n->value, names[i]))
            *out = 10 + (int)i;
    }
    return n && !*out ? text_yaml_error(n, p->diag, ERR_INVALID,
                                        "%s is TLS10, TLS11, TLS12 or TLS13, not \"%.*s\"", key,
                                        SLICE_FMT(n->value))
                      : 0;
}

static int read_tls(struct discovery_conf *p, const struct text_yaml *n, struct net_client_tls *tls,
                    bool *has_tls)
{
    static const char *const keys[] = {
        "ca_file", "cert_file", "key_file",    "server_name", "ca",
        "cert",    "key",       "min_version", "max_version", "insecure_skip_verify",
        "ca_ref",  "cert_ref",  "key_ref",     NULL};
    static const char *const unbuilt[] = {"ca", "cert", "key", "ca_ref", "cert_ref", "key_ref"};
    if (!n)
        return 0;
    if (n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, p->diag, ERR_INVALID, "tls_config is a map");
    TRY(text_yaml_check_keys(n, "tls_config", keys, p->diag));
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++)
        TRY(discovery_conf_unbuilt(p, n, unbuilt[i],
                                   i < 3 ? "give the certificate or key as a file" : ""));
    *has_tls = true;
    TRY(discovery_conf_path(p, n, "ca_file", &tls->ca_file));
    TRY(discovery_conf_path(p, n, "cert_file", &tls->cert_file));
    TRY(discovery_conf_path(p, n, "key_file", &tls->key_file));
    TRY(discovery_conf_cstr(p, n, "server_name", &tls->server_name));
    TRY(read_tls_version(p, n, "min_version", &tls->min_version));
    TRY(read_tls_version(p, n, "max_version", &tls->max_version));
    TRY(discovery_conf_bool(p, n, "insecure_skip_verify", &tls->insecure_skip_verify));
    if (tls->min_version && tls->max_version && tls->min_version > tls->max_version)
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "tls_config.max_version must be greater than or equal to "
                               "tls_config.min_version");
    if ((tls->cert_file != NULL) != (tls->key_file != NULL))
        return text_yaml_error(n, p->diag, ERR_INVALID,
                               "exactly one of key_file and cert_file is configured; a client "
                               "certificate needs both");
    return 0;
}

/* Appends "&name=value", encoded. */
static void add_form(struct buf *out, struct slice name, struct slice value)
{
    buf_append_char(out, '&');
    net_url_encode(name, out);
    buf_append_char(out, '=');
    net_url_encode(value, out);
}

static int read_oauth2_form(struct discovery_conf *p, const struct text_yaml *map,
                            struct discovery_oauth2 *o)
{
    const struct text_yaml *scopes = discovery_conf_given(map, "scopes"),
                           *more = discovery_conf_given(map, "endpoint_params");
    struct buf form = {0}, scope = {0};
    struct slice text;
    int err = 0;
    if (scopes && scopes->kind != TEXT_YAML_LIST)
        return text_yaml_error(scopes, p->diag, ERR_INVALID, "scopes takes a list");
    if (more && more->kind != TEXT_YAML_MAP)
        return text_yaml_error(more, p->diag, ERR_INVALID, "endpoint_params is a map");
    buf_append_cstr(&form, "grant_type=client_credentials");
    for (size_t i = 0; scopes && i < scopes->count && !err; i++) {
        err = text_yaml_string(scopes->items[i], &text, p->diag);
        buf_append_cstr(&scope, i ? " " : "");
        if (!err)
            buf_append_slice(&scope, text);
    }
    if (scope.len)
        add_form(&form, SLICE("scope"), buf_slice(&scope));
    for (size_t i = 0; more && i < more->count && !err; i++) {
        err = text_yaml_string(more->items[i], &text, p->diag);
        if (!err)
            add_form(&form, more->keys[i]->value, text);
    }
    o->form = arena_strdup(p->arena, buf_cstr(&form));
    buf_deinit(&form);
    buf_deinit(&scope);
    return err;
}

static int read_oauth2(struct discovery_conf *p, const struct text_yaml *map,
                       struct discovery_http *h)
{
    static const char *const keys[] = {"client_id",
                                       "client_secret",
                                       "client_secret_file",
                                       "client_secret_ref",
                                       "scopes",
                                       "token_url",
                                       "endpoint_params",
                                       "tls_config",
                                       "proxy_url",
                                       "no_proxy",
                                       "proxy_from_environment",
                                       "proxy_connect_header",
                                       "grant_type",
                                       NULL};
    static const char *const unbuilt[] = {"client_secret_ref", "no_proxy", "proxy_connect_header",
                                          "grant_type"};
    if (!map)
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "oauth2 is a map");
    struct discovery_oauth2 *o = ARENA_NEW(p->arena, struct discovery_oauth2);
    TRY(text_yaml_check_keys(map, "oauth2", keys, p->diag));
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++)
        TRY(discovery_conf_unbuilt(p, map, unbuilt[i], ""));
    TRY(discovery_conf_cstr(p, map, "client_id", &o->client_id));
    TRY(discovery_conf_cstr(p, map, "client_secret", &o->client_secret));
    TRY(discovery_conf_path(p, map, "client_secret_file", &o->client_secret_file));
    TRY(discovery_conf_cstr(p, map, "token_url", &o->token_url));
    TRY(discovery_conf_cstr(p, map, "proxy_url", &o->proxy_url));
    TRY(read_tls(p, discovery_conf_given(map, "tls_config"), &o->tls, &o->has_tls));
    TRY(read_oauth2_form(p, map, o));
    if (!o->client_id || !o->client_id[0])
        return text_yaml_error(map, p->diag, ERR_INVALID, "oauth2 client_id must be configured");
    if (!o->token_url || !o->token_url[0])
        return text_yaml_error(map, p->diag, ERR_INVALID, "oauth2 token_url must be configured");
    if (o->client_secret && o->client_secret_file)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "at most one of oauth2 client_secret & client_secret_file must be "
                               "configured");
    h->oauth2 = o;
    return 0;
}

static int read_headers(struct discovery_conf *p, const struct text_yaml *map,
                        struct discovery_http *h)
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
            err = discovery_conf_unbuilt(p, n, "files", "");
        for (int k = 0; !err && k < 2; k++) {
            const struct text_yaml *list = discovery_conf_given(n, keys[k]);
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

int discovery_conf_http(struct discovery_conf *p, const struct text_yaml *map,
                        struct discovery_http *h)
{
    bool flag = false;
    h->follow_redirects = true;
    TRY(read_basic_auth(p, discovery_conf_given(map, "basic_auth"), h));
    TRY(read_authorization(p, map, h));
    TRY(read_oauth2(p, discovery_conf_given(map, "oauth2"), h));
    if ((h->username != NULL) + (h->auth_type != NULL) + (h->oauth2 != NULL) > 1)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "at most one of basic_auth, oauth2, bearer_token & authorization "
                               "must be configured");
    TRY(read_tls(p, discovery_conf_given(map, "tls_config"), &h->tls, &h->has_tls));
    TRY(read_headers(p, discovery_conf_given(map, "http_headers"), h));
    TRY(discovery_conf_cstr(p, map, "proxy_url", &h->proxy_url));
    TRY(discovery_conf_bool(p, map, "follow_redirects", &h->follow_redirects));
    TRY(discovery_conf_bool(p, map, "enable_http2", &flag)); /* HTTP/1.1 is always right */
    TRY(discovery_conf_unbuilt(p, map, "no_proxy", ""));
    TRY(discovery_conf_unbuilt(p, map, "proxy_connect_header", ""));
    flag = false;
    TRY(discovery_conf_bool(p, map, "proxy_from_environment", &flag));
    if (flag)
        TRY(discovery_conf_unbuilt(p, map, "proxy_from_environment",
                                   "name the proxy in proxy_url"));
    return 0;
}
