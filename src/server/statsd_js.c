#include "server/statsd_js.h"

#include <stdio.h>

#include "base/mem.h"
#include "text/js_data.h"

/* How a value becomes the text of a setting. */
enum form {
    AS_IS,
    MILLISECONDS,
    LIST,      /* of numbers or words, with commas; a single one too */
    ON_OFF,    /* deleteX */
    AS_NODE,   /* the tree itself */
    NOT_HERE,  /* has no meaning in Pharos, nothing is lost */
    ELSEWHERE, /* read by one of the functions below */
};

static const struct row {
    const char *js, *key;
    enum form form;
} rows[] = {
    {"flushInterval", "statsd.flush_interval", MILLISECONDS},
    {"percentThreshold", "statsd.percentiles", LIST},
    {"flush_counts", "statsd.flush_counts", AS_IS},
    {"deleteIdleStats", "statsd.delete_idle", AS_IS},
    {"deleteCounters", "statsd.delete_counters", ON_OFF},
    {"deleteTimers", "statsd.delete_timers", ON_OFF},
    {"deleteSets", "statsd.delete_sets", ON_OFF},
    {"deleteGauges", "statsd.delete_gauges", ON_OFF},
    {"gaugesMaxTTL", "statsd.gauges_max_ttl", AS_IS},
    {"prefixStats", "statsd.prefix_stats", AS_IS},
    {"keyNameSanitize", "statsd.sanitize", AS_IS},
    {"calculatedTimerMetrics", "statsd.timer_metrics", LIST},
    {"histogram", "statsd.histogram", AS_NODE},
    {"checkInterval", "statsd.proxy.check_interval", MILLISECONDS},
    {"servers", NULL, ELSEWHERE},
    {"server", NULL, ELSEWHERE},
    {"address", NULL, ELSEWHERE},
    {"host", NULL, ELSEWHERE},
    {"address_ipv6", NULL, ELSEWHERE},
    {"port", NULL, ELSEWHERE},
    {"socket", NULL, ELSEWHERE},
    {"socket_mod", NULL, NOT_HERE},
    {"mgmt_address", NULL, ELSEWHERE},
    {"mgmt_port", NULL, ELSEWHERE},
    {"keyFlush", NULL, ELSEWHERE},
    {"graphite", NULL, ELSEWHERE},
    {"graphiteHost", NULL, ELSEWHERE},
    {"graphitePort", NULL, ELSEWHERE},
    {"graphitePicklePort", NULL, ELSEWHERE},
    {"graphiteProtocol", NULL, ELSEWHERE},
    {"repeater", NULL, ELSEWHERE},
    {"repeaterProtocol", NULL, ELSEWHERE},
    {"backends", NULL, ELSEWHERE},
    {"nodes", NULL, ELSEWHERE},
    {"dumpMessages", NULL, NOT_HERE},
    {"healthStatus", NULL, NOT_HERE},
    {"console", NULL, NOT_HERE},
    {"debug", NULL, NOT_HERE},
    {"title", NULL, NOT_HERE},
    {"log", NULL, NOT_HERE},
    {"automaticConfigReload", NULL, NOT_HERE},
    {"forkCount", NULL, NOT_HERE},
    {"cacheSize", NULL, NOT_HERE},
    {"udp_version", NULL, NOT_HERE},
};
static const struct row key_flush_rows[] = {
    {"interval", "statsd.key_flush.interval", MILLISECONDS},
    {"percent", "statsd.key_flush.percent", AS_IS},
    {"log", "statsd.key_flush.log", AS_IS},
    {NULL, NULL, AS_IS},
};
static const struct row graphite_rows[] = {
    {"legacyNamespace", "statsd.legacy_namespace", AS_IS},
    {"globalPrefix", "statsd.global_prefix", AS_IS},
    {"prefixCounter", "statsd.prefix_counter", AS_IS},
    {"prefixTimer", "statsd.prefix_timer", AS_IS},
    {"prefixGauge", "statsd.prefix_gauge", AS_IS},
    {"prefixSet", "statsd.prefix_set", AS_IS},
    {"globalSuffix", "statsd.global_suffix", AS_IS},
    {NULL, NULL, AS_IS},
};

struct js_config {
    const char *name;
    struct server_config *config;
    struct diag *diag;
};

static void warn(struct js_config *j, const struct text_yaml *at, const char *what,
                 struct slice word)
{
    struct buf text = {0};
    buf_printf(&text, "%s:%u: %.*s: %s", j->name, at->line, SLICE_FMT(word), what);
    size_t len;
    buf_append_char(&text, '\0');
    char *line = buf_take(&text, &len);
    vec_push(&j->config->warnings, line);
}

/* One setting; what is wrong with the value is said at its place. */
static int set(struct js_config *j, const struct text_yaml *at, const char *key, struct slice value)
{
    struct server_config *c = j->config;
    struct buf assignment = {0};
    struct diag why;
    diag_init(&why);
    buf_printf(&assignment, "%s=%.*s", key, SLICE_FMT(value));
    int err = text_conf_apply_set(server_config_fields, server_config_field_count, c,
                                  buf_slice(&assignment), c->arena, &why);
    if (err)
        text_yaml_error(at, j->diag, err, "%s", why.msg);
    buf_deinit(&assignment);
    return err;
}

static int set_list(struct js_config *j, const struct text_yaml *node, const char *key)
{
    struct buf text = {0};
    int err = 0;
    if (node->kind == TEXT_YAML_SCALAR)
        return set(j, node, key, node->value);
    for (size_t i = 0; i < node->count && !err; i++) {
        if (node->kind != TEXT_YAML_LIST || node->items[i]->kind != TEXT_YAML_SCALAR)
            err = text_yaml_error(node, j->diag, ERR_INVALID, "a list of plain values is expected");
        else
            buf_printf(&text, "%s%.*s", i ? ", " : "", SLICE_FMT(node->items[i]->value));
    }
    if (!err)
        err = set(j, node, key, text.len ? buf_slice(&text) : SLICE(""));
    buf_deinit(&text);
    return err;
}

static int apply_row(struct js_config *j, const struct row *row, const struct text_yaml *node)
{
    char text[64];
    if (row->form == AS_NODE) {
        j->config->statsd.histogram = node;
        return 0;
    }
    if (row->form == LIST)
        return set_list(j, node, row->key);
    if (node->kind != TEXT_YAML_SCALAR)
        return text_yaml_error(node, j->diag, ERR_INVALID, "%s takes a single value", row->js);
    struct slice value = node->value;
    if (row->form == MILLISECONDS)
        value = slice_make(text, (size_t)snprintf(text, sizeof(text), "%.*sms",
                                                  SLICE_FMT(slice_first(value, 40))));
    else if (row->form == ON_OFF)
        value = slice_eq(value, SLICE("true")) ? SLICE("on") : SLICE("off");
    return set(j, node, row->key, value);
}

static int apply_rows(struct js_config *j, const struct text_yaml *map, const struct row *list)
{
    int err = 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, j->diag, ERR_INVALID, "an object is expected");
    for (size_t i = 0; i < map->count && !err; i++) {
        const struct row *row = list;
        while (row->js && !slice_eq_cstr(map->keys[i]->value, row->js))
            row++;
        if (row->js)
            err = apply_row(j, row, map->items[i]);
        else
            warn(j, map->keys[i], "no setting that is known; left out", map->keys[i]->value);
    }
    return err;
}

static struct slice text_of(const struct text_yaml *map, const char *key, struct slice otherwise)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return n && n->kind == TEXT_YAML_SCALAR && !text_yaml_is_null(n) ? n->value : otherwise;
}

static bool is_true(const struct text_yaml *map, const char *key)
{
    return slice_eq(text_of(map, key, SLICE("")), SLICE("true"));
}

/* "host:port", an IPv6 address in brackets. */
static struct slice join(struct js_config *j, struct slice host, struct slice port)
{
    bool v6 = slice_find_char(host, ':') >= 0;
    return arena_printf(j->config->arena, "%s%.*s%s:%.*s", v6 ? "[" : "", SLICE_FMT(host),
                        v6 ? "]" : "", SLICE_FMT(port));
}

/* Where the Node daemon listens on every address unless told, Pharos does on loopback. */
static int apply_server(struct js_config *j, const struct text_yaml *map, struct slice *listen)
{
    struct slice address = text_of(map, "address", text_of(map, "host", SLICE("")));
    struct slice port = text_of(map, "port", SLICE("8125"));
    struct slice kind = text_of(map, "server", SLICE("./servers/udp"));
    if (text_yaml_get(map, "socket"))
        return set(j, map, "statsd.unix_stream", text_of(map, "socket", SLICE("")));
    if (!slice_ends_with(kind, SLICE("udp")) && !slice_ends_with(kind, SLICE("tcp")))
        return text_yaml_error(map, j->diag, ERR_UNSUPPORTED,
                               "server: \"%.*s\" is not known: Pharos listens on UDP and TCP",
                               SLICE_FMT(kind));
    if (!address.len) {
        address = is_true(map, "address_ipv6") ? SLICE("::1") : SLICE("127.0.0.1");
        warn(j, map,
             "no address is given: Pharos listens on loopback, where the Node daemon would "
             "on all addresses",
             SLICE("address"));
    }
    struct slice here = join(j, address, port);
    if (listen->len && !slice_eq(*listen, here))
        return text_yaml_error(
            map, j->diag, ERR_UNSUPPORTED,
            "Pharos listens for StatsD on one address (UDP and TCP alike), not on "
            "%.*s and %.*s",
            SLICE_FMT(*listen), SLICE_FMT(here));
    *listen = here;
    return set(j, map, "doors.statsd.listen", here);
}

static int apply_servers(struct js_config *j, const struct text_yaml *root)
{
    const struct text_yaml *list = text_yaml_get(root, "servers");
    struct slice listen = {0};
    int err = 0;
    if (!list || list->kind != TEXT_YAML_LIST)
        err = apply_server(j, root, &listen);
    else
        for (size_t i = 0; i < list->count && !err; i++)
            err = apply_server(j, list->items[i], &listen);
    if (!err && (text_yaml_get(root, "mgmt_port") || text_yaml_get(root, "mgmt_address")))
        err = set(j, root, "statsd.admin.listen",
                  join(j, text_of(root, "mgmt_address", SLICE("127.0.0.1")),
                       text_of(root, "mgmt_port", SLICE("8126"))));
    return err;
}

/* [{host, port, adminport}] as "host:port[:adminport], ..." */
static int apply_hosts(struct js_config *j, const struct text_yaml *list, const char *scheme,
                       const char *key)
{
    struct buf text = {0};
    int err = 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, j->diag, ERR_INVALID, "a list of {host, port} is expected");
    for (size_t i = 0; i < list->count && !err; i++) {
        const struct text_yaml *one = list->items[i];
        struct slice host = text_of(one, "host", SLICE("")), port = text_of(one, "port", SLICE(""));
        struct slice admin = text_of(one, "adminport", SLICE(""));
        if (one->kind != TEXT_YAML_MAP || !host.len || !port.len)
            err = text_yaml_error(one, j->diag, ERR_INVALID, "{host: ..., port: ...} is expected");
        struct slice at = join(j, host, port);
        buf_printf(&text, "%s%s%.*s%s%.*s", i ? ", " : "", scheme, SLICE_FMT(at),
                   admin.len ? ":" : "", SLICE_FMT(admin));
    }
    if (!err)
        err = set(j, list, key, text.len ? buf_slice(&text) : SLICE(""));
    buf_deinit(&text);
    return err;
}

static struct text_yaml *scalar(struct js_config *j, struct slice value)
{
    struct text_yaml *n = ARENA_NEW(j->config->arena, struct text_yaml);
    n->value = value;
    n->quoted = true;
    n->line = n->col = 1;
    return n;
}

static void add_pair(struct text_yaml *map, struct js_config *j, const char *key,
                     struct text_yaml *value)
{
    map->keys[map->count] = scalar(j, slice_cstr(key));
    map->items[map->count++] = value;
}

static struct text_yaml *new_map(struct js_config *j, size_t max)
{
    struct text_yaml *n = scalar(j, SLICE(""));
    n->kind = TEXT_YAML_MAP;
    n->keys = ARENA_ARRAY(j->config->arena, struct text_yaml *, max);
    n->items = ARENA_ARRAY(j->config->arena, struct text_yaml *, max);
    return n;
}

/* Its back ends as outputs. */
static int apply_backends(struct js_config *j, const struct text_yaml *root)
{
    const struct text_yaml *list = text_yaml_get(root, "backends");
    const struct text_yaml *repeater = text_yaml_get(root, "repeater");
    struct slice host = text_of(root, "graphiteHost", SLICE(""));
    bool graphite = !list, console = false, repeats = false;
    struct text_yaml *outputs = new_map(j, 2);
    for (size_t i = 0; list && list->kind == TEXT_YAML_LIST && i < list->count; i++) {
        struct slice name = list->items[i]->value;
        if (slice_ends_with(name, SLICE("graphite")))
            graphite = true;
        else if (slice_ends_with(name, SLICE("console")))
            console = true;
        else if (slice_ends_with(name, SLICE("repeater")))
            repeats = true;
        else
            warn(j, list->items[i], "a back end that Pharos does not have; left out (see outputs)",
                 name);
    }
    if (graphite && host.len) {
        bool pickle = slice_eq(text_of(root, "graphiteProtocol", SLICE("")), SLICE("pickle"));
        struct slice port = pickle ? text_of(root, "graphitePicklePort", SLICE("2004"))
                                   : text_of(root, "graphitePort", SLICE("2003"));
        struct text_yaml *one = new_map(j, 4);
        struct slice to = join(j, host, port);
        add_pair(one, j, "type", scalar(j, SLICE("graphite")));
        add_pair(one, j, "url",
                 scalar(j, arena_printf(j->config->arena, "tcp://%.*s", SLICE_FMT(to))));
        add_pair(one, j, "protocol", scalar(j, pickle ? SLICE("pickle") : SLICE("plaintext")));
        add_pair(one, j, "from", scalar(j, SLICE("statsd")));
        add_pair(outputs, j, "graphite", one);
    }
    if (console) {
        struct text_yaml *one = new_map(j, 3);
        add_pair(one, j, "type", scalar(j, SLICE("console")));
        add_pair(one, j, "names", scalar(j, SLICE("graphite")));
        add_pair(one, j, "from", scalar(j, SLICE("statsd")));
        add_pair(outputs, j, "console", one);
    }
    if (outputs->count)
        j->config->outputs = outputs;
    if (!repeater || !(repeats || !list))
        return 0;
    bool tcp = slice_eq(text_of(root, "repeaterProtocol", SLICE("udp4")), SLICE("tcp"));
    return apply_hosts(j, repeater, tcp ? "tcp://" : "", "statsd.repeat_to");
}

static int apply(struct js_config *j, const struct text_yaml *root)
{
    int err = 0;
    if (!root || root->kind != TEXT_YAML_MAP)
        return diag_set_at(j->diag, ERR_INVALID, 1, 1,
                           "an object with settings of StatsD is expected, as in { port: 8125 }");
    for (size_t i = 0; i < root->count && !err; i++) {
        const struct text_yaml *key = root->keys[i], *node = root->items[i];
        const struct row *row = NULL;
        for (size_t k = 0; k < ARRAY_LEN(rows) && !row; k++)
            row = slice_eq_cstr(key->value, rows[k].js) ? &rows[k] : NULL;
        if (!row)
            warn(j, key, "no setting of the Node daemon that Pharos knows; left out", key->value);
        else if (row->form < NOT_HERE && !text_yaml_is_null(node))
            err = apply_row(j, row, node);
    }
    const struct text_yaml *n;
    if (!err)
        err = set(j, root, "statsd.parser", SLICE("node"));
    if (!err)
        err = apply_servers(j, root);
    if (!err && (n = text_yaml_get(root, "keyFlush")))
        err = apply_rows(j, n, key_flush_rows);
    if (!err && (n = text_yaml_get(root, "graphite")))
        err = apply_rows(j, n, graphite_rows);
    if (!err && (n = text_yaml_get(root, "nodes")))
        err = apply_hosts(j, n, "", "statsd.proxy.nodes");
    if (!err && is_true(root, "dumpMessages"))
        warn(j, root, "messages are not logged", SLICE("dumpMessages"));
    return err ? err : apply_backends(j, root);
}

int server_statsd_js_apply(const char *name, struct slice text, struct server_config *config,
                           struct diag *diag)
{
    struct js_config j = {name, config, diag};
    struct text_yaml *root;
    int err = text_js_parse(text, config->arena, &root, diag);
    if (!err)
        err = apply(&j, root);
    if (err)
        diag_set_file(diag, name);
    return err;
}
