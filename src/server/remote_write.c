#include "server/remote_write.h"

#include <stdio.h>

#include "base/log.h"
#include "discovery/conf.h"
#include "server/yaml_paths.h"

/* Prometheus tries again as long as its log has the samples: two hours. */
#define RETRY_FOR "2h"

struct reading {
    struct arena *arena;
    struct diag *diag;
    const char *dir;
    bool strict;
    struct data_labels external_labels;
};

/* --- making nodes --- */

static struct text_yaml *scalar(struct reading *r, const struct text_yaml *at, struct slice value)
{
    struct text_yaml *n = ARENA_NEW(r->arena, struct text_yaml);
    *n = (struct text_yaml){.kind = TEXT_YAML_SCALAR,
                            .line = at->line,
                            .col = at->col,
                            .value = arena_slice(r->arena, value),
                            .quoted = true};
    return n;
}

static struct text_yaml *map_for(struct reading *r, const struct text_yaml *at, size_t room)
{
    struct text_yaml *n = ARENA_NEW(r->arena, struct text_yaml);
    *n = (struct text_yaml){.kind = TEXT_YAML_MAP, .line = at->line, .col = at->col};
    n->keys = ARENA_ARRAY(r->arena, struct text_yaml *, room + 1);
    n->items = ARENA_ARRAY(r->arena, struct text_yaml *, room + 1);
    return n;
}

static void put(struct reading *r, struct text_yaml *map, struct slice key,
                const struct text_yaml *value)
{
    map->keys[map->count] = scalar(r, value, key);
    map->items[map->count++] = (struct text_yaml *)(uintptr_t)value;
}

static void put_text(struct reading *r, struct text_yaml *map, const char *key, struct slice value)
{
    put(r, map, slice_cstr(key), scalar(r, map, value));
}

/* What stands under `from` goes under `to`. */
static void move(struct reading *r, struct text_yaml *map, const char *to,
                 const struct text_yaml *from_map, const char *from)
{
    const struct text_yaml *n = discovery_conf_given(from_map, from);
    if (n)
        put(r, map, slice_cstr(to), n);
}

/* --- one entry --- */

/* Headers that are said elsewhere, or not at all. */
static int check_headers(struct reading *r, const struct text_yaml *headers)
{
    static const char *const reserved[] = {"host",
                                           "content-encoding",
                                           "content-length",
                                           "content-type",
                                           "user-agent",
                                           "connection",
                                           "keep-alive",
                                           "proxy-authenticate",
                                           "proxy-authorization",
                                           "www-authenticate",
                                           "accept-encoding",
                                           "x-prometheus-remote-write-version",
                                           "x-prometheus-remote-read-version"};
    for (size_t i = 0; headers && headers->kind == TEXT_YAML_MAP && i < headers->count; i++) {
        const struct text_yaml *key = headers->keys[i];
        if (slice_eq_nocase(key->value, SLICE("authorization")))
            return text_yaml_error(key, r->diag, ERR_INVALID,
                                   "authorization header must be changed via the basic_auth, "
                                   "authorization or oauth2 parameter");
        for (size_t k = 0; k < ARRAY_LEN(reserved); k++) {
            if (slice_eq_nocase(key->value, slice_cstr(reserved[k])))
                return text_yaml_error(key, r->diag, ERR_INVALID,
                                       "%.*s is a reserved header. It must not be changed",
                                       SLICE_FMT(key->value));
        }
    }
    return 0;
}

/* Shards, deadlines and pauses are those of Prometheus' queue; here it is another one. */
static int read_queue(struct reading *r, const struct text_yaml *queue, struct text_yaml *out)
{
    static const char *const keys[] = {"capacity",
                                       "max_shards",
                                       "min_shards",
                                       "max_samples_per_send",
                                       "batch_send_deadline",
                                       "min_backoff",
                                       "max_backoff",
                                       "retry_on_http_429",
                                       "sample_age_limit",
                                       NULL};
    struct discovery_conf c = {.arena = r->arena, .diag = r->diag};
    int64_t number, ns = 0;
    bool flag;
    if (!queue) {
        put_text(r, out, "batch", SLICE("2000"));
        put_text(r, out, "retry_for", SLICE(RETRY_FOR));
        return 0;
    }
    if (queue->kind != TEXT_YAML_MAP)
        return text_yaml_error(queue, r->diag, ERR_INVALID, "queue_config is a map");
    TRY(text_yaml_check_keys(queue, "queue_config", keys, r->diag));
    for (int i = 0; i < 3; i++)
        TRY(discovery_conf_count(&c, queue, keys[i], &number));
    for (int i = 4; i < 7; i++)
        TRY(discovery_conf_duration(&c, queue, keys[i], &ns));
    TRY(discovery_conf_bool(&c, queue, "retry_on_http_429", &flag));
    number = 2000;
    TRY(discovery_conf_count(&c, queue, "max_samples_per_send", &number));
    put_text(r, out, "batch", arena_printf(r->arena, "%lld", (long long)MAX(number, (int64_t)1)));
    ns = 0;
    TRY(discovery_conf_duration(&c, queue, "sample_age_limit", &ns));
    if (ns)
        move(r, out, "retry_for", queue, "sample_age_limit");
    else
        put_text(r, out, "retry_for", SLICE(RETRY_FOR));
    return 0;
}

static int read_message(struct reading *r, const struct text_yaml *entry, struct text_yaml *out)
{
    const struct text_yaml *n = discovery_conf_given(entry, "protobuf_message");
    if (!n || slice_eq_cstr(n->value, "prometheus.WriteRequest"))
        return 0;
    if (!slice_eq_cstr(n->value, "io.prometheus.write.v2.Request"))
        return text_yaml_error(n, r->diag, ERR_INVALID,
                               "unknown type for remote write protobuf message %.*s, supported: "
                               "prometheus.WriteRequest, io.prometheus.write.v2.Request",
                               SLICE_FMT(n->value));
    put_text(r, out, "version", SLICE("2.0"));
    return 0;
}

static int leave_out(struct reading *r, const struct text_yaml *entry)
{
    static const char *const unbuilt[] = {"sigv4", "azuread", "google_iam", "round_robin_dns"};
    struct discovery_conf c = {
        .arena = r->arena, .diag = r->diag, .ignore_unsupported = !r->strict};
    for (size_t i = 0; i < ARRAY_LEN(unbuilt); i++) {
        const struct text_yaml *n = discovery_conf_given(entry, unbuilt[i]);
        if (n && !slice_eq_cstr(n->value, "false"))
            TRY(discovery_conf_unbuilt(&c, entry, unbuilt[i], ""));
    }
    return 0;
}

static int read_metadata(struct reading *r, const struct text_yaml *n)
{
    static const char *const keys[] = {"send", "send_interval", "max_samples_per_send", NULL};
    if (n && n->kind != TEXT_YAML_MAP)
        return text_yaml_error(n, r->diag, ERR_INVALID, "metadata_config is a map");
    return n ? text_yaml_check_keys(n, "metadata_config", keys, r->diag) : 0;
}

static int read_entry(struct reading *r, const struct text_yaml *entry, struct text_yaml *out)
{
    static const char *const http_keys[] = {HTTP_KEYS};
    static const char *const keys[] = {"url",
                                       "name",
                                       "remote_timeout",
                                       "headers",
                                       "write_relabel_configs",
                                       "send_exemplars",
                                       "send_native_histograms",
                                       "queue_config",
                                       "metadata_config",
                                       "protobuf_message",
                                       "round_robin_dns",
                                       "sigv4",
                                       "azuread",
                                       "google_iam",
                                       HTTP_KEYS,
                                       NULL};
    const struct text_yaml *url = discovery_conf_given(entry, "url"),
                           *relabel = discovery_conf_given(entry, "write_relabel_configs");
    TRY(text_yaml_check_keys(entry, "a remote_write entry", keys, r->diag));
    if (!url)
        return text_yaml_error(entry, r->diag, ERR_INVALID, "url for remote_write is empty");
    put_text(r, out, "type", SLICE("remote_write"));
    put(r, out, SLICE("url"), url);
    TRY(check_headers(r, discovery_conf_given(entry, "headers")));
    move(r, out, "headers", entry, "headers");
    if (discovery_conf_given(entry, "remote_timeout"))
        move(r, out, "timeout", entry, "remote_timeout");
    else
        put_text(r, out, "timeout", SLICE("30s"));
    for (size_t i = 0; relabel && relabel->kind == TEXT_YAML_LIST && i < relabel->count; i++) {
        if (text_yaml_is_null(relabel->items[i]))
            return text_yaml_error(relabel->items[i], r->diag, ERR_INVALID,
                                   "empty or null relabeling rule in remote write config");
    }
    move(r, out, "relabel_configs", entry, "write_relabel_configs");
    move(r, out, "exemplars", entry, "send_exemplars");
    if (discovery_conf_given(entry, "send_native_histograms"))
        move(r, out, "native_histograms", entry, "send_native_histograms");
    else
        put_text(r, out, "native_histograms", SLICE("false"));
    TRY(read_message(r, entry, out));
    TRY(read_queue(r, discovery_conf_given(entry, "queue_config"), out));
    TRY(read_metadata(r, discovery_conf_given(entry, "metadata_config")));
    TRY(leave_out(r, entry));
    struct text_yaml *http = map_for(r, entry, ARRAY_LEN(http_keys));
    for (size_t i = 0; i < ARRAY_LEN(http_keys); i++)
        move(r, http, http_keys[i], entry, http_keys[i]);
    if (http->count)
        put(r, out, SLICE("http_config"), server_yaml_with_paths(http, r->dir, r->arena));
    if (r->external_labels.count) {
        struct text_yaml *labels = map_for(r, entry, r->external_labels.count);
        for (size_t i = 0; i < r->external_labels.count; i++)
            put(r, labels, r->external_labels.items[i].name,
                scalar(r, entry, r->external_labels.items[i].value));
        put(r, out, SLICE("labels"), labels);
    }
    return 0;
}

int server_remote_write_outputs(const struct text_yaml *list, struct data_labels external_labels,
                                const char *dir, bool strict, struct arena *arena,
                                struct text_yaml **out, struct diag *diag)
{
    struct reading r = {.arena = arena,
                        .diag = diag,
                        .dir = dir,
                        .strict = strict,
                        .external_labels = external_labels};
    *out = NULL;
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "remote_write takes a list");
    struct text_yaml *all = map_for(&r, list, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct text_yaml *entry = list->items[i];
        if (entry->kind != TEXT_YAML_MAP)
            return text_yaml_error(entry, diag, ERR_INVALID,
                                   "empty or null remote write config section");
        const struct text_yaml *name = discovery_conf_given(entry, "name");
        struct slice key = name ? arena_printf(arena, "remote_write_%.*s", SLICE_FMT(name->value))
                                : arena_printf(arena, "remote_write_%zu", i + 1);
        for (size_t k = 0; k < all->count; k++) {
            if (slice_eq(all->keys[k]->value, key))
                return text_yaml_error(name ? name : entry, diag, ERR_INVALID,
                                       "found multiple remote write configs with job name \"%.*s\"",
                                       SLICE_FMT(name ? name->value : key));
        }
        struct text_yaml *one = map_for(&r, entry, 16);
        TRY(read_entry(&r, entry, one));
        put(&r, all, key, one);
    }
    *out = all;
    return 0;
}
