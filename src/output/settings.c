/* The map `outputs:`: a name for each output, and its settings. */
#include <stdio.h>

#include "discovery/conf.h"
#include "net/url.h"
#include "output/output_priv.h"
#include "text/conf.h"

#define AT(member) offsetof(struct output__settings, member)

static const char *const types[] = {"graphite", "influxdb", "remote_write", "otlp", "dogstatsd",
                                    "console",  NULL};
static const char *const froms[] = {"all", "statsd", "carbon", "logs", "traces", NULL};
static const char *const names[] = {"auto", "labels", "graphite", NULL};
static const char *const protocols[] = {"plaintext", "pickle", NULL};
static const char *const versions[] = {"1.0", "2.0", NULL};

/* clang-format off */
static const struct text_conf_field fields[] = {
    {"type", TEXT_CONF_STRING, 0, "", 0, 0, NULL, "graphite, influxdb, remote_write, otlp, dogstatsd or console; the output's name when that is one of them", true, false},
    {"url", TEXT_CONF_STRING, AT(url), "", 0, 0, NULL, "where to: tcp://host:2003 or udp:// (graphite), http://host:8086 or udp:// (influxdb), http://host:9090/api/v1/write (remote_write), http://host:4318 or grpc://host:4317 (otlp; grpcs:// with TLS), udp://host:8125 (dogstatsd)", true, false},
    {"from", TEXT_CONF_CHOICE, AT(from), "all", 0, 0, froms, "all: every metric that comes in, whichever way; statsd: what StatsD's flush makes; carbon: what comes in through carbon's ports; logs and traces: log lines or spans instead of metrics (otlp)", true, false},
    {"names", TEXT_CONF_CHOICE, AT(names), "auto", 0, 0, names, "StatsD's metrics as labels (series that add up) or graphite (the Node daemon's names, an interval at a time); auto: graphite to type graphite, labels to others", true, false},
    {"protocol", TEXT_CONF_CHOICE, AT(protocol), "plaintext", 0, 0, protocols, "graphite: lines, or pickle (port 2004)", true, false},
    {"version", TEXT_CONF_CHOICE, AT(version), "1.0", 0, 0, versions, "remote_write: of the protocol", true, false},
    {"prefix", TEXT_CONF_STRING, AT(prefix), "", 0, 0, NULL, "put before every name", true, false},
    {"labels", TEXT_CONF_NODE, AT(labels_node), NULL, 0, 0, NULL, "a map of labels added where there is none of that name", true, false},
    {"relabel_configs", TEXT_CONF_NODE, AT(relabel_node), NULL, 0, 0, NULL, "Prometheus' rules: which series go, and under which labels", true, false},
    {"database", TEXT_CONF_STRING, AT(database), "pharos", 0, 0, NULL, "influxdb 1: of the write", true, false},
    {"retention_policy", TEXT_CONF_STRING, AT(retention_policy), "", 0, 0, NULL, "influxdb 1: empty is the database's own", true, false},
    {"org", TEXT_CONF_STRING, AT(org), "", 0, 0, NULL, "influxdb 2", true, false},
    {"bucket", TEXT_CONF_STRING, AT(bucket), "", 0, 0, NULL, "influxdb 2: with it version 2's write is used", true, false},
    {"username", TEXT_CONF_STRING, AT(username), "", 0, 0, NULL, "for basic authentication", true, false},
    {"password", TEXT_CONF_STRING, AT(password), "", 0, 0, NULL, "its password", true, true},
    {"password_file", TEXT_CONF_STRING, AT(password_file), "", 0, 0, NULL, "a file holding it, read for every request", true, false},
    {"token", TEXT_CONF_STRING, AT(token), "", 0, 0, NULL, "sent as bearer token; to influxdb as its Token", true, true},
    {"token_file", TEXT_CONF_STRING, AT(token_file), "", 0, 0, NULL, "a file holding it, read for every request", true, false},
    {"tenant", TEXT_CONF_STRING, AT(tenant), "", 0, 0, NULL, "sent as X-Scope-OrgID", true, false},
    {"headers", TEXT_CONF_NODE, AT(headers_node), NULL, 0, 0, NULL, "a map of headers sent along over HTTP", true, false},
    {"tls.ca_file", TEXT_CONF_STRING, AT(ca_file), "", 0, 0, NULL, "certificates that the server's must be signed by", true, false},
    {"tls.cert_file", TEXT_CONF_STRING, AT(cert_file), "", 0, 0, NULL, "the client's own", true, false},
    {"tls.key_file", TEXT_CONF_STRING, AT(key_file), "", 0, 0, NULL, "its key", true, false},
    {"tls.insecure_skip_verify", TEXT_CONF_BOOL, AT(insecure_skip_verify), "false", 0, 0, NULL, "takes any certificate", true, false},
    {"http_config", TEXT_CONF_NODE, AT(http_node), NULL, 0, 0, NULL, "over HTTP, in place of username, password, token and tls: Prometheus' basic_auth, authorization, oauth2, tls_config, proxy_url, http_headers, follow_redirects", true, false},
    {"exemplars", TEXT_CONF_BOOL, AT(exemplars), "false", 0, 0, NULL, "remote_write: exemplars go too", true, false},
    {"native_histograms", TEXT_CONF_BOOL, AT(native_histograms), "true", 0, 0, NULL, "false: they are left out", true, false},
    {"compress", TEXT_CONF_BOOL, AT(compress), "true", 0, 0, NULL, "gzip over HTTP to influxdb and otlp; remote_write is snappy always", true, false},
    {"queue", TEXT_CONF_SIZE, AT(queue_bytes), "64MiB", 4096, INT64_MAX, NULL, "what may wait in memory; what waits longer than a second, and what is beyond this, waits on the disk (outputs.<name>.queue)", true, false},
    {"disk_queue", TEXT_CONF_SIZE, AT(disk_bytes), "1GiB", 0, INT64_MAX, NULL, "what may wait on the disk; beyond it the oldest is given up (outputs.<name>.disk_queue). 0: nothing waits there, and nothing survives a stop", true, false},
    {"retry_for", TEXT_CONF_DURATION, AT(retry_for_ns), "1h", 0, INT64_MAX, NULL, "how long what is not taken is tried again", true, false},
    {"timeout", TEXT_CONF_DURATION, AT(timeout_ns), "10s", NS_PER_MS, 3600 * NS_PER_SEC, NULL, "of one try", true, false},
    {"batch", TEXT_CONF_INT, AT(batch_samples), "5000", 1, 1000000, NULL, "samples in one request at most", true, false},
    {"packet_size", TEXT_CONF_SIZE, AT(packet_bytes), "1432", 64, 65507, NULL, "UDP: of a datagram; 8932 for jumbo frames", true, false},
};
/* clang-format on */

void output_print_reference(struct buf *out)
{
    text_conf_print_markdown(fields, ARRAY_LEN(fields), out);
}

static bool cut_scheme(const char *url, const char *scheme, const char **rest)
{
    size_t n = strlen(scheme);
    if (strncmp(url, scheme, n) != 0)
        return false;
    *rest = url + n;
    return true;
}

static int set_address(struct output__settings *s, const char *address,
                       enum output__transport transport, const struct text_yaml *at,
                       struct diag *diag)
{
    char host[256];
    uint16_t port;
    struct diag why;
    diag_init(&why);
    s->transport = transport;
    s->address = address;
    if (net_peer_parse(slice_cstr(address), host, sizeof(host), &port, &why))
        return text_yaml_error(at, diag, ERR_INVALID, "url: %s", why.msg);
    return 0;
}

/* `path` behind the URL unless it stands there already. */
static const char *with_path(struct arena *arena, const char *url, const char *path)
{
    struct slice base = slice_cstr(url);
    if (slice_ends_with(base, slice_cstr(path)))
        return url;
    while (base.len && base.ptr[base.len - 1] == '/')
        base.len--;
    return arena_printf(arena, "%.*s%s", SLICE_FMT(base), path).ptr;
}

static const char *influx_url(struct arena *arena, const struct output__settings *s)
{
    struct buf b = {0};
    if (s->bucket[0]) {
        buf_append_cstr(&b, with_path(arena, s->url, "/api/v2/write"));
        buf_append_cstr(&b, "?precision=ns&bucket=");
        net_url_encode(slice_cstr(s->bucket), &b);
        if (s->org[0]) {
            buf_append_cstr(&b, "&org=");
            net_url_encode(slice_cstr(s->org), &b);
        }
    } else {
        buf_append_cstr(&b, with_path(arena, s->url, "/write"));
        buf_append_cstr(&b, "?precision=ns&db=");
        net_url_encode(slice_cstr(s->database), &b);
        if (s->retention_policy[0]) {
            buf_append_cstr(&b, "&rp=");
            net_url_encode(slice_cstr(s->retention_policy), &b);
        }
    }
    const char *out = arena_slice(arena, buf_slice(&b)).ptr;
    buf_deinit(&b);
    return out;
}

/* What the scheme means for this type. */
static int read_url(struct arena *arena, struct output__settings *s, const struct text_yaml *at,
                    struct diag *diag)
{
    const char *rest;
    bool http = cut_scheme(s->url, "http://", &rest) || cut_scheme(s->url, "https://", &rest);
    bool plain = strstr(s->url, "://") == NULL;
    if (s->type == OUTPUT__CONSOLE) {
        s->transport = OUTPUT__STDOUT;
        return s->url[0] ? text_yaml_error(at, diag, ERR_INVALID, "console takes no url") : 0;
    }
    if (!s->url[0])
        return text_yaml_error(at, diag, ERR_INVALID, "url is missing: where the metrics go");
    switch (s->type) {
    case OUTPUT__GRAPHITE:
        if (plain || cut_scheme(s->url, "tcp://", &rest))
            return set_address(s, plain ? s->url : rest, OUTPUT__TCP, at, diag);
        if (cut_scheme(s->url, "udp://", &rest) && s->protocol == 0)
            return set_address(s, rest, OUTPUT__UDP, at, diag);
        return text_yaml_error(at, diag, ERR_INVALID,
                               "url: tcp://host:2003, or udp://host:2003 for plaintext, is "
                               "expected, not \"%s\"",
                               s->url);
    case OUTPUT__DOGSTATSD:
        if (plain || cut_scheme(s->url, "udp://", &rest))
            return set_address(s, plain ? s->url : rest, OUTPUT__UDP, at, diag);
        return text_yaml_error(at, diag, ERR_INVALID,
                               "url: udp://host:8125 is expected, not \"%s\"", s->url);
    case OUTPUT__INFLUXDB:
        if (cut_scheme(s->url, "udp://", &rest))
            return set_address(s, rest, OUTPUT__UDP, at, diag);
        s->post_to = influx_url(arena, s);
        break;
    case OUTPUT__OTLP:
        if (cut_scheme(s->url, "grpc://", &rest) || cut_scheme(s->url, "grpcs://", &rest)) {
            s->transport = OUTPUT__GRPC;
            s->post_to =
                arena_printf(arena, "http%s://%s/opentelemetry.proto.collector.%s/Export",
                             s->url[4] == 's' ? "s" : "", rest,
                             s->from == OUTPUT__FROM_LOGS     ? "logs.v1.LogsService"
                             : s->from == OUTPUT__FROM_TRACES ? "trace.v1.TraceService"
                                                              : "metrics.v1.MetricsService")
                    .ptr;
            return 0;
        }
        s->post_to = with_path(arena, s->url,
                               s->from == OUTPUT__FROM_LOGS     ? "/v1/logs"
                               : s->from == OUTPUT__FROM_TRACES ? "/v1/traces"
                                                                : "/v1/metrics");
        break;
    default: s->post_to = s->url;
    }
    s->transport = OUTPUT__HTTP;
    if (!http)
        return text_yaml_error(at, diag, ERR_INVALID,
                               "url: http:// or https:// is expected, not \"%s\"", s->url);
    return 0;
}

static int check_map(const struct text_yaml *map, const char *what, struct diag *diag)
{
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "%s is a map of text", what);
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i]->kind != TEXT_YAML_SCALAR)
            return text_yaml_error(map->items[i], diag, ERR_INVALID, "%s: text is expected", what);
    }
    return 0;
}

static int read_maps(struct arena *arena, struct output__settings *s, struct diag *diag)
{
    const struct text_yaml *map = s->headers_node;
    int err = 0;
    if (!text_yaml_is_null(map)) {
        if ((err = check_map(map, "headers", diag)))
            return err;
        s->headers = ARENA_ARRAY(arena, struct net_client_header, map->count);
        for (size_t i = 0; i < map->count; i++)
            s->headers[s->header_count++] = (struct net_client_header){
                arena_slice(arena, map->keys[i]->value), arena_slice(arena, map->items[i]->value)};
    }
    map = s->labels_node;
    if (!text_yaml_is_null(map)) {
        if ((err = check_map(map, "labels", diag)))
            return err;
        struct data_labels_builder b = {0};
        struct data_labels set;
        for (size_t i = 0; i < map->count; i++)
            data_labels_builder_add(&b, map->keys[i]->value, map->items[i]->value);
        err = data_labels_builder_finish(&b, &set, diag);
        if (!err)
            s->labels = data_labels_copy(arena, set);
        data_labels_builder_deinit(&b);
        if (err)
            return text_yaml_error(map, diag, ERR_INVALID, "labels: a label has no name");
    }
    return text_yaml_is_null(s->relabel_node)
               ? 0
               : pipe_relabel_parse(s->relabel_node, arena, &s->relabel, diag);
}

static int read_http(struct arena *arena, struct output__settings *s, struct diag *diag)
{
    static const char *const keys[] = {HTTP_KEYS, NULL};
    struct discovery_conf c = {.arena = arena, .diag = diag};
    const struct text_yaml *map = s->http_node;
    if (text_yaml_is_null(map))
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "http_config is a map");
    if (s->transport != OUTPUT__HTTP && s->transport != OUTPUT__GRPC)
        return text_yaml_error(map, diag, ERR_INVALID, "http_config is of outputs over HTTP");
    if (s->username[0] || s->token[0] || s->token_file[0] || s->ca_file[0] || s->cert_file[0] ||
        s->insecure_skip_verify)
        return text_yaml_error(map, diag, ERR_INVALID,
                               "http_config stands in place of username, token and tls, not "
                               "beside them");
    struct discovery_http *http = ARENA_NEW(arena, struct discovery_http);
    int err = text_yaml_check_keys(map, "http_config", keys, diag);
    s->http = http;
    return err ? err : discovery_conf_http(&c, map, http);
}

static int read_one(struct arena *arena, const struct text_yaml *name, const struct text_yaml *node,
                    struct output__settings *s, struct diag *diag)
{
    struct buf identity = {0};
    struct slice type = name->value;
    text_conf_defaults(fields, ARRAY_LEN(fields), s, arena);
    if (node->kind != TEXT_YAML_MAP && !text_yaml_is_null(node))
        return text_yaml_error(node, diag, ERR_INVALID,
                               "a map of settings is expected, as in {type: graphite, url: "
                               "\"tcp://127.0.0.1:2003\"}");
    int err = text_conf_apply_yaml(fields, ARRAY_LEN(fields), s, node, arena, diag);
    if (err)
        return err;
    const struct text_yaml *given = text_yaml_get(node, "type");
    if (given)
        type = given->value;
    s->name = arena_slice(arena, name->value).ptr;
    text_yaml_print(node, 0, false, &identity);
    s->identity = arena_slice(arena, buf_slice(&identity)).ptr;
    buf_deinit(&identity);
    s->type = -1;
    for (int i = 0; types[i]; i++) {
        if (slice_eq_cstr(type, types[i]))
            s->type = i;
    }
    if (s->type < 0)
        return text_yaml_error(given ? given : name, diag, ERR_INVALID,
                               "type: \"%.*s\" is no kind of output: graphite, influxdb, "
                               "remote_write, otlp, dogstatsd and console are",
                               SLICE_FMT(type));
    if (s->from >= OUTPUT__FROM_LOGS && s->type != OUTPUT__OTLP)
        return text_yaml_error(text_yaml_get(node, "from"), diag, ERR_INVALID,
                               "from: logs and traces go to outputs of type otlp only");
    if (!s->names)
        s->names = s->type == OUTPUT__GRAPHITE ? 2 : 1;
    err = read_url(arena, s,
                   node->kind != TEXT_YAML_MAP || !text_yaml_get(node, "url")
                       ? name
                       : text_yaml_get(node, "url"),
                   diag);
    if (!err)
        err = read_http(arena, s, diag);
    return err ? err : read_maps(arena, s, diag);
}

int output_config_parse(const struct text_yaml *outputs, struct output_config **out,
                        struct diag *diag)
{
    struct output_config *c = mem_calloc(1, sizeof(*c));
    int err = 0;
    *out = NULL;
    c->refs = 1;
    c->arena = arena_new(0, NULL);
    if (!text_yaml_is_null(outputs) && outputs->kind != TEXT_YAML_MAP)
        err = text_yaml_error(outputs, diag, ERR_INVALID,
                              "outputs is a map: a name for each output, its settings below");
    size_t count = err || text_yaml_is_null(outputs) ? 0 : outputs->count;
    c->items = ARENA_ARRAY(c->arena, struct output__settings, count + 1);
    for (size_t i = 0; i < count && !err; i++) {
        err = read_one(c->arena, outputs->keys[i], outputs->items[i], &c->items[i], diag);
        c->count++;
        if (err)
            diag_wrap(diag, "outputs.%.*s", SLICE_FMT(outputs->keys[i]->value));
    }
    if (err)
        output_config_free(c);
    else
        *out = c;
    return err;
}

void output_config_free(struct output_config *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
        return;
    for (size_t i = 0; i < c->count; i++)
        pipe_relabel_deinit(&c->items[i].relabel);
    arena_free(c->arena);
    mem_free(c);
}
