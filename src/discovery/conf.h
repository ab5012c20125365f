/* Reading Prometheus' configuration where it is about servers: the small readers, and how to reach
 * one. Readers leave the value alone when the key is not there, and report what was expected. */
#ifndef DISCOVERY_CONF_H
#define DISCOVERY_CONF_H

#include "base/arena.h"
#include "discovery/http.h"
#include "text/yaml.h"

struct discovery_conf {
    const char *base_dir;    /* of relative paths; NULL = the working directory */
    bool ignore_unsupported; /* leaves out what is not built instead of refusing it */
    struct arena *arena;
    struct diag *diag;
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int try_err_ = (call);                                                                     \
        if (try_err_)                                                                              \
            return try_err_;                                                                       \
    } while (0)

/* The keys discovery_conf_http reads. */
#define HTTP_KEYS                                                                                  \
    "basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2", "tls_config",    \
        "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "http_headers", \
        "follow_redirects", "enable_http2"

/* NULL when the key is not there or null. */
const struct text_yaml *discovery_conf_given(const struct text_yaml *map, const char *key);
int discovery_conf_text(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        struct slice *out);
int discovery_conf_cstr(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        const char **out);
/* A path, relative ones from the configuration's folder. */
int discovery_conf_path(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        const char **out);
int discovery_conf_bool(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        bool *out);
int discovery_conf_count(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                         int64_t *out);
int discovery_conf_duration(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                            int64_t *out_ns);
int discovery_conf_size(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                        int64_t *out);
/* What Prometheus has and Pharos has not: refused, or left out with a warning. */
int discovery_conf_unbuilt(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                           const char *why);
/* basic_auth, authorization, oauth2, tls_config, proxies, headers. */
int discovery_conf_http(struct discovery_conf *p, const struct text_yaml *map,
                        struct discovery_http *h);

#endif
