/* Loading, checking and printing the configuration. */
#include "server/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/url.h"
#include "server/statsd_js.h"
#include "text/go_time.h"

#define CONFIG_BYTES_MAX ((size_t)16 << 20)

int server_read_file(const char *path, size_t max, struct arena *arena, struct slice *out,
                     struct diag *diag)
{
    int err = 0;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return diag_set(diag, err_from_errno(errno), "%s cannot be read: %s", path,
                        strerror(errno));
    struct buf text = {0};
    if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        err = diag_set(diag, ERR_INVALID, "%s is a directory", path);
        goto out;
    }
    for (;;) {
        ssize_t n = read(fd, buf_reserve(&text, 65536), 65536);
        if (n < 0) {
            err = diag_set(diag, err_from_errno(errno), "%s cannot be read: %s", path,
                           strerror(errno));
            goto out;
        }
        if (!n)
            break;
        text.len += (size_t)n;
        if (text.len > max) {
            err = diag_set(diag, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
            goto out;
        }
    }
    *out = arena_slice(arena, buf_slice(&text));
out:
    close(fd);
    buf_deinit(&text);
    return err;
}

static void warn(struct server_config *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void warn(struct server_config *c, const char *fmt, ...)
{
    struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    vec_push(&c->warnings, mem_strdup(buf_cstr(&text)));
    buf_deinit(&text);
}

/* The node of a dotted key, for its place; NULL when the file does not have it. */
static const struct text_yaml *node_of(const struct server_config *c, const char *dotted)
{
    const struct text_yaml *at = c->root;
    struct slice rest = slice_cstr(dotted), part;
    while (at && rest.ptr && slice_split(&rest, '.', &part)) {
        char key[64];
        snprintf(key, sizeof(key), "%.*s", SLICE_FMT(part));
        at = text_yaml_get(at, key);
    }
    return at;
}

/* An error about a setting: with its line when the file has it. */
static int bad(const struct server_config *c, struct diag *diag, const char *key, const char *fmt,
               ...) __attribute__((format(printf, 4, 5)));
static int bad(const struct server_config *c, struct diag *diag, const char *key, const char *fmt,
               ...)
{
    struct buf text = {0};
    const struct text_yaml *node = node_of(c, key);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    int err =
        node ? diag_set_at(diag, ERR_INVALID, node->line, node->col, "%s: %s", key, buf_cstr(&text))
             : diag_set(diag, ERR_INVALID, "%s: %s", key, buf_cstr(&text));
    if (node)
        diag_set_file(diag, c->file);
    buf_deinit(&text);
    return err;
}

static int check_door(struct server_config *c, enum server_door_id id, struct diag *diag)
{
    const struct server_door *row = &server_doors[id];
    struct server_door_config *door = &c->doors[id];
    char key[64], host[256];
    uint16_t port;
    struct diag why;
    snprintf(key, sizeof(key), id == SERVER_DOOR_MAIN ? "main.listen" : "doors.%s.listen",
             row->name);
    bool off = slice_eq_cstr(slice_cstr(door->listen), "off");
    if (id == SERVER_DOOR_MAIN && off)
        return bad(c, diag, key,
                   "the main door cannot be off; give it an address like "
                   "127.0.0.1:3000");
    if (!row->built) {
        if (door->listen[0] && !off)
            warn(c, "%s: the %s door is not built yet and stays closed", key, row->name);
        return 0;
    }
    if (off)
        return 0;
    diag_init(&why);
    if (net_address_parse(slice_cstr(door->listen), host, sizeof(host), &port, &why))
        return bad(c, diag, key, "%s; an address is host:port like 127.0.0.1:%u, or off", why.msg,
                   row->port);
    if (row->raw && !door->tls_cert_file) /* has no settings for TLS */
        return 0;
    key[strlen(key) - strlen("listen")] = 0;
    if (!door->tls_cert_file[0] != !door->tls_key_file[0]) {
        struct buf full = {0};
        buf_printf(&full, "%stls.%s", key, door->tls_cert_file[0] ? "cert_file" : "key_file");
        int err = bad(c, diag, buf_cstr(&full), "TLS needs both %stls.cert_file and %stls.key_file",
                      key, key);
        buf_deinit(&full);
        return err;
    }
    if (door->tls_client_ca_file[0] && !door->tls_cert_file[0]) {
        struct buf full = {0};
        buf_printf(&full, "%stls.client_ca_file", key);
        int err = bad(c, diag, buf_cstr(&full),
                      "client certificates need TLS: set %stls.cert_file "
                      "and %stls.key_file too",
                      key, key);
        buf_deinit(&full);
        return err;
    }
    return 0;
}

static int check(struct server_config *c, struct diag *diag)
{
    struct api_auth *auth = NULL;
    int err = 0;
    for (int id = 0; id < SERVER_DOOR_COUNT && !err; id++)
        err = check_door(c, (enum server_door_id)id, diag);
    if (err)
        return err;
    if (!c->data[0])
        return bad(c, diag, "data", "a directory is needed");
    if (c->scrape_configs && !text_yaml_is_null(c->scrape_configs) && c->prometheus_config_file[0])
        return bad(c, diag, "prometheus.config_file",
                   "scrape targets come from scrape_configs or from a file, not from both");
    if (c->scrape_configs && !text_yaml_is_null(c->scrape_configs) &&
        c->scrape_configs->kind != TEXT_YAML_LIST)
        return bad(c, diag, "scrape_configs", "a list of scrape configurations is expected");
    int32_t offset_s;
    struct slice zone = slice_cstr(c->syslog_zone);
    if (!slice_eq_cstr(zone, "local") && !text_go_zone_parse(zone, &offset_s))
        return bad(c, diag, "syslog.zone",
                   "\"%s\" is no zone: local, UTC or an offset like +02:00 is expected",
                   c->syslog_zone);
    if ((err = pipe_span_metrics_check(&c->span_metrics, diag)))
        return err;
    err = server_config_auth(c, &auth, diag);
    if (!err)
        err = server_doors_check(c, auth != NULL, diag);
    api_auth_free(auth);
    return err;
}

/* PHAROS_CONFIG and others that are no settings. */
static const char *const ignored_env[] = {"CONFIG", "BIN",  "CONFORMANCE", "SOURCE_ROOT",
                                          "URL",    "TEST", NULL};

static bool names_key(struct slice assignment, const char *key)
{
    ptrdiff_t eq = slice_find_char(assignment, '=');
    return eq > 0 && slice_eq_cstr(slice_trim(slice_first(assignment, (size_t)eq)), key);
}

static bool is_js(const char *name)
{
    return name && slice_ends_with(slice_cstr(name), SLICE(".js"));
}

/* Everything over the defaults, last one wins: the Node daemon's file, the own file, the
 * environment, --set. */
static int apply_all(struct server_config *c, const char *js_name, struct slice js,
                     const struct server_config_source *source, struct diag *diag)
{
    const struct text_conf_field *fields = server_config_fields;
    size_t count = server_config_field_count;
    int err = 0;
    text_conf_defaults(fields, count, c, c->arena);
    if (js_name)
        err = server_statsd_js_apply(js_name, js, c, diag);
    if (err)
        return err;
    if (c->root && (err = text_conf_apply_yaml(fields, count, c, c->root, c->arena, diag))) {
        diag_set_file(diag, c->file);
        return err;
    }
    if (source && source->environment)
        err = text_conf_apply_env(fields, count, c, "PHAROS_", source->environment, ignored_env,
                                  c->arena, diag);
    if (!err && source && source->data)
        c->data = arena_strdup(c->arena, source->data);
    for (size_t i = 0; !err && source && i < source->set_count; i++)
        err = text_conf_apply_set(fields, count, c, slice_cstr(source->sets[i]), c->arena, diag);
    return err;
}

static bool chose_main_listen(const struct server_config *c,
                              const struct server_config_source *source)
{
    bool chosen = node_of(c, "main.listen") != NULL;
    for (char *const *e = source ? source->environment : NULL; e && *e; e++)
        chosen |= strncmp(*e, "PHAROS_MAIN_LISTEN=", 19) == 0;
    for (size_t i = 0; source && i < source->set_count; i++)
        chosen |= names_key(slice_cstr(source->sets[i]), "main.listen");
    return chosen;
}

int server_config_parse(const char *name, struct slice text,
                        const struct server_config_source *source, struct server_config **out,
                        struct diag *diag)
{
    struct diag own;
    struct server_config *c = mem_calloc(1, sizeof(*c));
    struct slice js = {0};
    int err = 0;
    if (!diag) {
        diag = &own;
        diag_init(diag);
    }
    *out = NULL;
    c->arena = arena_new(0, NULL);
    c->file = name ? arena_strdup(c->arena, name) : NULL;
    c->text = arena_slice(c->arena, text);
    if (is_js(name)) {
        err = apply_all(c, name, c->text, source, diag);
    } else {
        if (c->text.len && (err = text_yaml_parse(c->text, c->arena, &c->root, diag)))
            diag_set_file(diag, name);
        if (!err)
            err = apply_all(c, NULL, js, source, diag);
        if (!err && c->statsd_config_file[0]) {
            const char *path = c->statsd_config_file;
            err = server_read_file(path, CONFIG_BYTES_MAX, c->arena, &js, diag);
            if (!err)
                err = apply_all(c, path, js, source, diag);
            if (err)
                diag_wrap(diag, "statsd.config_file");
        }
    }
    c->main_listen_set = chose_main_listen(c, source);
    if (!err)
        err = check(c, diag);
    if (err) {
        server_config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

int server_config_load(const struct server_config_source *source, struct server_config **out,
                       struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct slice text = {NULL, 0};
    *out = NULL;
    int err = 0;
    if (source->file)
        err = server_read_file(source->file, CONFIG_BYTES_MAX, arena, &text, diag);
    if (!err)
        err = server_config_parse(source->file, text, source, out, diag);
    arena_free(arena);
    return err;
}

void server_config_free(struct server_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->warnings.len; i++)
        mem_free(c->warnings.items[i]);
    vec_free(&c->warnings);
    arena_free(c->arena);
    mem_free(c);
}

/* A secret as text, or from the file that {`key`: path} names. */
static int read_secret(const struct server_config *c, const struct text_yaml *node, const char *key,
                       struct slice *out, struct diag *diag)
{
    if (node->kind != TEXT_YAML_MAP)
        return text_yaml_string(node, out, diag);
    const char *const known[] = {key, NULL};
    const struct text_yaml *file = text_yaml_get(node, key);
    struct slice path;
    int err = text_yaml_check_keys(node, "this entry", known, diag);
    if (!err && !file)
        err = text_yaml_error(node, diag, ERR_INVALID, "\"%s\" with a path is expected", key);
    if (!err)
        err = text_yaml_string(file, &path, diag);
    if (!err)
        err = server_read_file(arena_slice(c->arena, path).ptr, 65536, c->arena, out, diag);
    if (!err)
        *out = slice_trim(*out);
    return err;
}

int server_config_auth(const struct server_config *c, struct api_auth **out, struct diag *diag)
{
    struct api_auth *auth = api_auth_new();
    struct {
        const struct text_yaml *node;
        const char *key, *file_key;
    } lists[] = {{c->auth_users, "auth.users", "hash_file"},
                 {c->auth_tokens, "auth.tokens", "file"}};
    int err = 0;
    *out = NULL;
    for (size_t k = 0; k < ARRAY_LEN(lists) && !err; k++) {
        const struct text_yaml *node = lists[k].node;
        if (text_yaml_is_null(node))
            continue;
        if (node->kind != TEXT_YAML_MAP) {
            err = text_yaml_error(node, diag, ERR_INVALID, "%s takes a map of names", lists[k].key);
            break;
        }
        for (size_t i = 0; i < node->count && !err; i++) {
            struct diag why;
            struct slice secret = {NULL, 0};
            diag_init(&why);
            err = read_secret(c, node->items[i], lists[k].file_key, &secret, diag);
            if (!err)
                err = k == 0 ? api_auth_add_user(auth, node->keys[i]->value, secret, &why)
                             : api_auth_add_token(auth, node->keys[i]->value, secret, &why);
            if (why.code)
                err = text_yaml_error(node->items[i], diag, err, "%s: %s", lists[k].key, why.msg);
        }
    }
    if (err && c->file)
        diag_set_file(diag, c->file);
    if (err || api_auth_is_empty(auth)) {
        api_auth_free(auth);
        auth = NULL;
    }
    *out = auth;
    return err;
}

/* --- printing --- */

/* On one line. */
static void print_node(const struct text_yaml *node, bool masked, struct buf *out)
{
    if (!node || text_yaml_is_null(node)) {
        buf_append_cstr(out, "~");
    } else if (node->kind == TEXT_YAML_SCALAR) {
        buf_append_slice(out, node->value);
    } else {
        bool map = node->kind == TEXT_YAML_MAP;
        buf_append_char(out, map ? '{' : '[');
        for (size_t i = 0; i < node->count; i++) {
            if (i)
                buf_append_cstr(out, ", ");
            if (map)
                buf_printf(out, "%.*s: ", SLICE_FMT(node->keys[i]->value));
            if (masked && map && text_yaml_is_secret(node->keys[i]->value))
                buf_append_cstr(out, "<secret>");
            else
                print_node(node->items[i], masked, out);
        }
        buf_append_char(out, map ? '}' : ']');
    }
}

static void print_field(const struct server_config *c, const struct text_conf_field *f, bool masked,
                        struct buf *out)
{
    if (f->type != TEXT_CONF_NODE) {
        text_conf_print_value(f, c, out);
        return;
    }
    const struct text_yaml *node = *(const struct text_yaml *const *)((const char *)c + f->offset);
    if (node && f->secret && masked)
        buf_append_cstr(out, "<secret>");
    else if (node)
        print_node(node, masked, out);
}

void server_config_each(const struct server_config *c,
                        void (*each)(void *arg, const char *key, struct slice value), void *arg)
{
    struct buf value = {0};
    for (size_t i = 0; i < server_config_field_count; i++) {
        buf_clear(&value);
        print_field(c, &server_config_fields[i], true, &value);
        each(arg, server_config_fields[i].key, buf_slice(&value));
    }
    buf_deinit(&value);
}

void server_config_restart_keys(const struct server_config *before,
                                const struct server_config *after, struct buf *out)
{
    struct buf a = {0}, b = {0};
    for (size_t i = 0; i < server_config_field_count; i++) {
        const struct text_conf_field *f = &server_config_fields[i];
        buf_clear(&a);
        buf_clear(&b);
        print_field(before, f, false, &a);
        print_field(after, f, false, &b);
        if (!f->live && !slice_eq(buf_slice(&a), buf_slice(&b)))
            buf_printf(out, "%s%s", out->len ? ", " : "", f->key);
    }
    buf_deinit(&a);
    buf_deinit(&b);
}

void server_config_print_yaml(const struct server_config *c, struct buf *out)
{
    struct buf value = {0};
    struct slice open[4] = {0}; /* the sections the last line is in */
    size_t open_count = 0;
    for (size_t i = 0; i < server_config_field_count; i++) {
        const struct text_conf_field *f = &server_config_fields[i];
        struct slice rest = slice_cstr(f->key), part;
        size_t depth = 0;
        buf_clear(&value);
        print_field(c, f, true, &value);
        if (!value.len)
            continue;
        while (slice_split(&rest, '.', &part) && rest.ptr && depth < ARRAY_LEN(open)) {
            if (depth >= open_count || !slice_eq(open[depth], part)) {
                buf_printf(out, "%*s%.*s:\n", (int)depth * 2, "", SLICE_FMT(part));
                open[depth] = part;
                open_count = depth + 1;
            }
            depth++;
        }
        open_count = depth;
        const struct text_yaml *node =
            f->type == TEXT_CONF_NODE && !f->secret
                ? *(const struct text_yaml *const *)((const char *)c + f->offset)
                : NULL;
        if (node && node->count) {
            buf_printf(out, "%*s%.*s:\n", (int)depth * 2, "", SLICE_FMT(part));
            text_yaml_print(node, (unsigned)depth * 2 + (node->kind == TEXT_YAML_MAP ? 2 : 0), true,
                            out);
            continue;
        }
        buf_printf(out, "%*s%.*s: %.*s\n", (int)depth * 2, "", SLICE_FMT(part),
                   SLICE_FMT(buf_slice(&value)));
    }
    buf_deinit(&value);
}

void server_config_print_help(struct buf *out)
{
    text_conf_print_help(server_config_fields, server_config_field_count, out);
}

void server_config_print_reference(struct buf *out)
{
    buf_append_cstr(
        out,
        "# Configuration\n"
        "<!-- Made by `pharos help config --markdown`; a test keeps it in step. -->\n\n"
        "Pharos needs no configuration. What there is goes into one YAML file (`-c pharos.yml`); "
        "every key can\nalso be given as `--set a.b=c` and as an environment variable "
        "(`PHAROS_A_B=c`). Later ones win: defaults, file,\nenvironment, `--set`. "
        "`pharos check pharos.yml` reads a file without starting anything.\n\n"
        "`kill -HUP` or `POST /-/reload` reads the file again. A bad file changes nothing: the old "
        "configuration stays\nin force, the log says what is wrong and where, and "
        "`pharos_config_last_reload_successful` turns 0. Keys marked\n*live* take effect at once, "
        "the others after a restart (the log names them).\n\n"
        "Durations are written as in Prometheus (`1h30m`, `90d`, `15ms`), sizes as `512MiB` or "
        "`10GB`.\n\n");
    text_conf_print_markdown(server_config_fields, server_config_field_count, out);
    buf_append_cstr(
        out,
        "\n## Listening on other addresses\n"
        "A door that other machines can reach demands that somebody is configured who may use "
        "it:\n\n"
        "```yaml\n"
        "main:\n"
        "  listen: 0.0.0.0:3000\n"
        "  tls: {cert_file: /etc/pharos/cert.pem, key_file: /etc/pharos/key.pem}\n"
        "auth:\n"
        "  users:\n"
        "    alice: $2b$10$...        # from `pharos password`\n"
        "  tokens:\n"
        "    prometheus: {file: /etc/pharos/token}\n"
        "```\n\n"
        "or `insecure: true` for that door, when something in front of it takes care. `/-/healthy` "
        "and `/-/ready` never ask.\n");
}
