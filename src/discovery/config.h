/* Where servers are, as scrape_configs and alertmanagers say it: target groups, and what finds
 * them. */
#ifndef DISCOVERY_CONFIG_H
#define DISCOVERY_CONFIG_H

#include "data/labels.h"
#include "discovery/conf.h"

/* One target group of a file, of an HTTP answer or of the configuration itself. */
struct discovery_group {
    const struct slice *targets;
    size_t target_count;
    struct data_labels labels;
    struct slice source;
};

struct discovery_file_sd {
    const char **patterns;
    size_t pattern_count;
    int64_t refresh_ns;
};

struct discovery_http_sd {
    const char *url;
    int64_t refresh_ns;
    struct discovery_http http;
};

/* Records of the domain name system (RFC 1035, RFC 2782). */
struct discovery_dns_sd {
    const struct slice *names;
    size_t name_count;
    int type; /* enum net_dns_type */
    int port; /* of what has none itself */
    int64_t refresh_ns;
    const char *server; /* "1.2.3.4:53"; NULL: as the system has it */
};

struct discovery_config {
    const struct discovery_group *groups; /* static_configs */
    size_t group_count;
    const struct discovery_file_sd *file_sd;
    size_t file_sd_count;
    const struct discovery_http_sd *http_sd;
    size_t http_sd_count;
    const struct discovery_dns_sd *dns_sd;
    size_t dns_sd_count;
};

#define DISCOVERY_KEYS "static_configs", "file_sd_configs", "http_sd_configs", "dns_sd_configs"
/* The keys of what Prometheus has and Pharos has not. */
extern const char *const discovery_unbuilt[];
extern const size_t discovery_unbuilt_count;

/* Reads the keys above of a map, all of it into the arena; refuses or leaves out the unbuilt ones.
 */
int discovery_config_read(struct discovery_conf *p, const struct text_yaml *map,
                          struct discovery_config *out);

/* A map of names to values. */
int discovery_labels_yaml(const struct text_yaml *map, struct arena *arena, struct data_labels *out,
                          struct diag *diag);
/* Reads a target group list ({targets, labels} maps) from YAML. */
int discovery_groups_yaml(const struct text_yaml *list, struct arena *arena, struct slice source,
                          const struct discovery_group **out, size_t *out_count, struct diag *diag);
/* The same from JSON. */
int discovery_groups_json(struct slice text, struct arena *arena, struct slice source,
                          const struct discovery_group **out, size_t *out_count, struct diag *diag);

/* The groups one file, answer or static list holds. */
struct discovery_set {
    struct arena *arena; /* NULL: in the configuration */
    const struct discovery_group *groups;
    size_t count;
};
/* Those of a target file, YAML or JSON by its name; out->arena is the caller's to free. */
int discovery_set_load(struct os *os, const char *path, struct discovery_set *out,
                       struct diag *diag);
void discovery_set_free(struct discovery_set *set);
/* Every group with one more label; in the set's arena. */
void discovery_set_add_label(struct discovery_set *set, struct slice name, struct slice value);

#endif
