/* Configurations of discovery, and target groups from YAML. */
#include "discovery/config.h"

#include <string.h>

#include "codec/utf8.h"
#include "net/dns.h"

#define FILE_SD_REFRESH_NS (300 * NS_PER_SEC)
#define HTTP_SD_REFRESH_NS (60 * NS_PER_SEC)
#define DNS_SD_REFRESH_NS  (30 * NS_PER_SEC)

/* --- target groups --- */

int discovery_labels_yaml(const struct text_yaml *map, struct arena *arena, struct data_labels *out,
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

int discovery_groups_yaml(const struct text_yaml *list, struct arena *arena, struct slice source,
                          const struct discovery_group **out, size_t *out_count, struct diag *diag)
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
    struct discovery_group *groups = ARENA_ARRAY(arena, struct discovery_group, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct text_yaml *map = list->items[i];
        if (map->kind != TEXT_YAML_MAP)
            return text_yaml_error(map, diag, ERR_INVALID,
                                   "a target group is a map with targets and labels");
        TRY(text_yaml_check_keys(map, "a target group", keys, diag));
        const struct text_yaml *targets = discovery_conf_given(map, "targets");
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
        TRY(discovery_labels_yaml(discovery_conf_given(map, "labels"), arena, &groups[i].labels,
                                  diag));
    }
    *out = groups;
    *out_count = list->count;
    return 0;
}

const char *const discovery_unbuilt[] = {
    "azure_sd_configs",     "consul_sd_configs",      "digitalocean_sd_configs",
    "docker_sd_configs",    "dockerswarm_sd_configs", "aws_sd_configs",
    "ec2_sd_configs",       "ecs_sd_configs",         "elasticache_sd_configs",
    "eureka_sd_configs",    "gce_sd_configs",         "hetzner_sd_configs",
    "ionos_sd_configs",     "kubernetes_sd_configs",  "kuma_sd_configs",
    "lightsail_sd_configs", "linode_sd_configs",      "marathon_sd_configs",
    "msk_sd_configs",       "nerve_sd_configs",       "nomad_sd_configs",
    "oci_sd_configs",       "openstack_sd_configs",   "outscale_sd_configs",
    "ovhcloud_sd_configs",  "puppetdb_sd_configs",    "rds_sd_configs",
    "scaleway_sd_configs",  "serverset_sd_configs",   "stackit_sd_configs",
    "triton_sd_configs",    "uyuni_sd_configs",       "vultr_sd_configs"};
const size_t discovery_unbuilt_count = ARRAY_LEN(discovery_unbuilt);

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

static int read_file_sd(struct discovery_conf *p, const struct text_yaml *map,
                        struct discovery_file_sd *sd)
{
    static const char *const keys[] = {"files", "refresh_interval", NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "a file_sd_config is a map with files");
    TRY(text_yaml_check_keys(map, "file_sd_configs", keys, p->diag));
    const struct text_yaml *files = discovery_conf_given(map, "files");
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
        if (path[0] != '/' && p->base_dir)
            path = arena_printf(p->arena, "%s/%s", p->base_dir, path).ptr;
        sd->patterns[i] = path;
    }
    sd->refresh_ns = FILE_SD_REFRESH_NS;
    return discovery_conf_duration(p, map, "refresh_interval", &sd->refresh_ns);
}

static int read_http_sd(struct discovery_conf *p, const struct text_yaml *map,
                        struct discovery_http_sd *sd)
{
    static const char *const keys[] = {"url", "refresh_interval", HTTP_KEYS, NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "an http_sd_config is a map with a url");
    TRY(text_yaml_check_keys(map, "http_sd_configs", keys, p->diag));
    TRY(discovery_conf_cstr(p, map, "url", &sd->url));
    if (!sd->url || (strncmp(sd->url, "http://", 7) != 0 && strncmp(sd->url, "https://", 8) != 0))
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "http_sd_configs needs a url that begins with http:// or https://");
    sd->refresh_ns = HTTP_SD_REFRESH_NS;
    TRY(discovery_conf_duration(p, map, "refresh_interval", &sd->refresh_ns));
    if (sd->refresh_ns <= 0)
        return text_yaml_error(map, p->diag, ERR_INVALID, "refresh_interval must be above 0");
    return discovery_conf_http(p, map, &sd->http);
}

static int read_dns_sd(struct discovery_conf *p, const struct text_yaml *map,
                       struct discovery_dns_sd *sd)
{
    /* `server` is not Prometheus': whom to ask instead of the system's servers. */
    static const char *const keys[] = {"names", "type", "port", "refresh_interval", "server", NULL};
    static const struct {
        const char *name;
        int type;
    } types[] = {{"SRV", NET_DNS_SRV},
                 {"A", NET_DNS_A},
                 {"AAAA", NET_DNS_AAAA},
                 {"MX", NET_DNS_MX},
                 {"NS", NET_DNS_NS}};
    struct slice type = SLICE("SRV");
    int64_t port = 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->diag, ERR_INVALID, "a dns_sd_config is a map with names");
    TRY(text_yaml_check_keys(map, "dns_sd_configs", keys, p->diag));
    const struct text_yaml *names = discovery_conf_given(map, "names");
    if (!names || names->kind != TEXT_YAML_LIST || !names->count)
        return text_yaml_error(names ? names : map, p->diag, ERR_INVALID,
                               "DNS-SD config must contain at least one SRV record name");
    struct slice *list = ARENA_ARRAY(p->arena, struct slice, names->count);
    for (size_t i = 0; i < names->count; i++) {
        TRY(text_yaml_string(names->items[i], &list[i], p->diag));
        list[i] = arena_slice(p->arena, list[i]);
        if (!list[i].len || list[i].len > 253)
            return text_yaml_error(names->items[i], p->diag, ERR_INVALID,
                                   "\"%.*s\" is no domain name", SLICE_FMT(list[i]));
    }
    sd->names = list;
    sd->name_count = names->count;
    TRY(discovery_conf_text(p, map, "type", &type));
    for (size_t i = 0; i < ARRAY_LEN(types) && !sd->type; i++)
        sd->type = slice_eq_nocase(type, slice_cstr(types[i].name)) ? types[i].type : 0;
    if (!sd->type)
        return text_yaml_error(
            text_yaml_get(map, "type"), p->diag, ERR_INVALID,
            "invalid DNS-SD records type %.*s: A, AAAA, MX, NS and SRV are there", SLICE_FMT(type));
    TRY(discovery_conf_count(p, map, "port", &port));
    if (port > 65535)
        return text_yaml_error(text_yaml_get(map, "port"), p->diag, ERR_INVALID,
                               "a port is at most 65535");
    if (!port && sd->type != NET_DNS_SRV)
        return text_yaml_error(map, p->diag, ERR_INVALID,
                               "a port is required in DNS-SD configs for all record types except "
                               "SRV");
    sd->port = (int)port;
    sd->refresh_ns = DNS_SD_REFRESH_NS;
    TRY(discovery_conf_duration(p, map, "refresh_interval", &sd->refresh_ns));
    if (sd->refresh_ns <= 0)
        return text_yaml_error(map, p->diag, ERR_INVALID, "refresh_interval must be above 0");
    TRY(discovery_conf_cstr(p, map, "server", &sd->server));
    if (sd->server && !net_dns_server_ok(sd->server))
        return text_yaml_error(text_yaml_get(map, "server"), p->diag, ERR_INVALID,
                               "server takes an IPv4 address and a port: 127.0.0.1:53");
    return 0;
}

static int read_list(struct discovery_conf *p, const struct text_yaml *map, const char *key,
                     const struct text_yaml **out, size_t *out_count)
{
    *out = discovery_conf_given(map, key);
    *out_count = *out ? (*out)->count : 0;
    return *out && (*out)->kind != TEXT_YAML_LIST
               ? text_yaml_error(*out, p->diag, ERR_INVALID, "%s takes a list", key)
               : 0;
}

int discovery_config_read(struct discovery_conf *p, const struct text_yaml *map,
                          struct discovery_config *out)
{
    const struct text_yaml *list = discovery_conf_given(map, "static_configs");
    for (size_t i = 0; i < discovery_unbuilt_count; i++)
        TRY(discovery_conf_unbuilt(p, map, discovery_unbuilt[i],
                                   "use file_sd_configs or http_sd_configs"));
    TRY(discovery_groups_yaml(list, p->arena, arena_printf(p->arena, "static"), &out->groups,
                              &out->group_count, p->diag));
    TRY(read_list(p, map, "file_sd_configs", &list, &out->file_sd_count));
    struct discovery_file_sd *files =
        ARENA_ARRAY(p->arena, struct discovery_file_sd, out->file_sd_count);
    out->file_sd = files;
    for (size_t i = 0; i < out->file_sd_count; i++)
        TRY(read_file_sd(p, list->items[i], &files[i]));
    TRY(read_list(p, map, "http_sd_configs", &list, &out->http_sd_count));
    struct discovery_http_sd *urls =
        ARENA_ARRAY(p->arena, struct discovery_http_sd, out->http_sd_count);
    out->http_sd = urls;
    for (size_t i = 0; i < out->http_sd_count; i++)
        TRY(read_http_sd(p, list->items[i], &urls[i]));
    TRY(read_list(p, map, "dns_sd_configs", &list, &out->dns_sd_count));
    struct discovery_dns_sd *names =
        ARENA_ARRAY(p->arena, struct discovery_dns_sd, out->dns_sd_count);
    out->dns_sd = names;
    for (size_t i = 0; i < out->dns_sd_count; i++)
        TRY(read_dns_sd(p, list->items[i], &names[i]));
    return 0;
}
