/* A parsed scrape configuration. Immutable and counted: targets hold on to the one they were made
 * from. */
#ifndef INPUT_SCRAPE_CONFIG_H
#define INPUT_SCRAPE_CONFIG_H

#include <stdatomic.h>

#include "decode/prom_text.h"
#include "input/scrape/scrape.h"
#include "net/http_client.h"
#include "pipe/relabel.h"

struct input__scrape_param {
    struct slice name, value;
};

/* OAuth 2 client credentials (RFC 6749, section 4.4): where a token comes from. */
struct input__scrape_oauth2 {
    const char *client_id, *client_secret, *client_secret_file, *token_url;
    const char *form; /* the request's body but for the credentials */
    const char *proxy_url;
    bool has_tls;
    struct net_client_tls tls;
};

/* How to reach a server; the same for targets and for HTTP discovery. */
struct input__scrape_http {
    const char *username, *password, *password_file, *username_file;
    const char *auth_type; /* "Bearer" */
    const char *credentials, *credentials_file;
    const struct input__scrape_oauth2 *oauth2; /* NULL: none */
    const char *proxy_url;
    bool has_tls, follow_redirects;
    struct net_client_tls tls;
    struct net_client_header *headers; /* http_headers */
    size_t header_count;
};

/* One target group of a file, of an HTTP answer or of the configuration itself. */
struct input__scrape_group {
    const struct slice *targets;
    size_t target_count;
    struct data_labels labels;
    struct slice source;
};

struct input__scrape_file_sd {
    const char **patterns;
    size_t pattern_count;
    int64_t refresh_ns;
};

struct input__scrape_http_sd {
    const char *url;
    int64_t refresh_ns;
    struct input__scrape_http http;
};

struct input__scrape_job {
    struct slice name;
    int64_t interval_ns, timeout_ns;
    struct slice interval_text, timeout_text;
    struct slice metrics_path, scheme;
    const char *accept;        /* header */
    struct slice protocols[8]; /* what it is made of: scrape_protocols, none = the default ones */
    size_t protocol_count;
    const char *escaping; /* of names; NULL = as the validation scheme has it */
    struct decode_text_histograms histograms;
    bool legacy_names; /* metric_name_validation_scheme */
    const char *fallback_protocol;
    bool honor_labels, honor_timestamps, track_timestamps_staleness, compression, extra_metrics,
        strict_openmetrics;
    int64_t body_size_limit;
    int64_t sample_limit, label_limit, label_name_length_limit, label_value_length_limit,
        target_limit, keep_dropped_targets;
    const struct input__scrape_param *params;
    size_t param_count;
    struct input__scrape_http http;
    struct pipe_relabel relabel, metric_relabel;
    const struct input__scrape_group *groups; /* static_configs */
    size_t group_count;
    const struct input__scrape_file_sd *file_sd;
    size_t file_sd_count;
    const struct input__scrape_http_sd *http_sd;
    size_t http_sd_count;
    struct slice yaml;     /* as it was written, secrets masked */
    struct slice identity; /* the YAML below this job and global, as text: what a change is */
};

struct input_scrape_config {
    struct arena *arena;
    _Atomic int refs;
    struct data_labels external_labels;
    int64_t evaluation_interval_ns;
    struct input__scrape_job *jobs;
    size_t job_count;
};

struct input_scrape_config *input__scrape_config_ref(struct input_scrape_config *config);
/* Reads a target group list ({targets, labels} maps) from YAML. */
int input__scrape_groups_yaml(const struct text_yaml *list, struct arena *arena,
                              struct slice source, const struct input__scrape_group **out,
                              size_t *out_count, struct diag *diag);
/* The same from JSON. */
int input__scrape_groups_json(struct slice text, struct arena *arena, struct slice source,
                              const struct input__scrape_group **out, size_t *out_count,
                              struct diag *diag);

#endif
