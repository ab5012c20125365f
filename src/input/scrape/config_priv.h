/* Reading a scrape configuration: what its files share. Readers leave the value alone when the key
 * is not there, and report what was expected. */
#ifndef INPUT_SCRAPE_CONFIG_PRIV_H
#define INPUT_SCRAPE_CONFIG_PRIV_H

#include "input/scrape/config.h"
#include "text/yaml.h"

struct input__conf {
    const struct input_scrape_source *source;
    struct arena *arena;
    struct input_scrape_config *config;
    struct input__scrape_job defaults; /* from global */
    struct diag *diag;
};

#define TRY(call)                                                                                  \
    do {                                                                                           \
        int try_err_ = (call);                                                                     \
        if (try_err_)                                                                              \
            return try_err_;                                                                       \
    } while (0)

/* The keys input__conf_http reads. */
#define HTTP_KEYS                                                                                  \
    "basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2", "tls_config",    \
        "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header", "http_headers", \
        "follow_redirects", "enable_http2"

/* NULL when the key is not there or null. */
const struct text_yaml *input__conf_given(const struct text_yaml *map, const char *key);
int input__conf_text(struct input__conf *p, const struct text_yaml *map, const char *key,
                     struct slice *out);
int input__conf_cstr(struct input__conf *p, const struct text_yaml *map, const char *key,
                     const char **out);
/* A path, relative ones from the configuration's folder. */
int input__conf_path(struct input__conf *p, const struct text_yaml *map, const char *key,
                     const char **out);
int input__conf_bool(struct input__conf *p, const struct text_yaml *map, const char *key,
                     bool *out);
int input__conf_count(struct input__conf *p, const struct text_yaml *map, const char *key,
                      int64_t *out);
int input__conf_duration(struct input__conf *p, const struct text_yaml *map, const char *key,
                         int64_t *out_ns);
int input__conf_size(struct input__conf *p, const struct text_yaml *map, const char *key,
                     int64_t *out);
/* What Prometheus has and Pharos has not: refused, or left out with a warning. */
int input__conf_unbuilt(struct input__conf *p, const struct text_yaml *map, const char *key,
                        const char *why);
/* The discovery methods that Prometheus has and Pharos has not: keys of a scrape configuration. */
extern const char *const input__unbuilt_sd[];
extern const size_t input__unbuilt_sd_count;
/* config.c: static_configs, file_sd_configs, http_sd_configs. */
int input__conf_discovery(struct input__conf *p, const struct text_yaml *map,
                          struct input__scrape_job *j);
/* config_http.c: basic_auth, authorization, oauth2, tls_config, proxies, headers. */
int input__conf_http(struct input__conf *p, const struct text_yaml *map,
                     struct input__scrape_http *h);

#endif
