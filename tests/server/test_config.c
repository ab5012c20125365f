/* Good and bad configurations, and the words about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/config.h"

static int parse(const char *text, char *const *environment, const char *const *sets,
                 size_t set_count, struct server_config **out, char *message, size_t size)
{
    struct diag d;
    struct server_config_source source = {
        .environment = environment, .sets = sets, .set_count = set_count};
    diag_init(&d);
    int err = server_config_parse("pharos.yml", slice_cstr(text), &source, out, &d);
    message[0] = 0;
    if (err)
        diag_str(&d, message, size);
    return err;
}

static void defaults(void **state)
{
    struct server_config *c;
    char msg[1200];
    (void)state;
    assert_int_equal(parse("", NULL, NULL, 0, &c, msg, sizeof(msg)), 0);
    assert_string_equal(c->data, "data");
    assert_string_equal(c->doors[SERVER_DOOR_MAIN].listen, "127.0.0.1:3000");
    assert_string_equal(c->doors[SERVER_DOOR_PROMETHEUS].listen, "127.0.0.1:9090");
    assert_int_equal(c->lookback_ns, 300 * NS_PER_SEC);
    assert_int_equal(c->series_max, 5000000);
    assert_false(c->main_listen_set);
    server_config_free(c);
}

static void reads_everything(void **state)
{
    static const char text[] = "data: /var/lib/pharos\n"
                               "main:\n"
                               "  listen: 127.0.0.1:4000\n"
                               "doors:\n"
                               "  all: off\n"
                               "  prometheus: {listen: off}\n"
                               "  alertmanager: {listen: 127.0.0.1:9093}\n"
                               "retention:\n"
                               "  metrics: forever\n"
                               "  size: 10GiB\n"
                               "limits:\n"
                               "  series: 1000\n"
                               "  query: {timeout: 30s, memory: 64MiB}\n"
                               "promql: {experimental: on, lookback: 1m}\n";
    char series[] = "PHAROS_LIMITS_SERIES=2000", level[] = "PHAROS_LOG_LEVEL=warn";
    char home[] = "HOME=/root", binary[] = "PHAROS_BIN=x";
    char *environment[] = {series, level, home, binary, NULL};
    const char *sets[] = {"limits.series=3000", "host.collect=off"};
    struct server_config *c;
    char msg[1200];
    (void)state;
    assert_int_equal(parse(text, environment, sets, 2, &c, msg, sizeof(msg)), 0);
    assert_string_equal(c->data, "/var/lib/pharos");
    assert_string_equal(c->doors[SERVER_DOOR_MAIN].listen, "127.0.0.1:4000");
    assert_true(c->main_listen_set);
    assert_int_equal(c->doors_all, 1);
    assert_string_equal(c->doors[SERVER_DOOR_PROMETHEUS].listen, "off");
    assert_true(c->retention_metrics_ns == INT64_MAX);
    assert_int_equal(c->retention_bytes, INT64_C(10) << 30);
    assert_int_equal(c->series_max, 3000); /* --set wins over the environment over the file */
    assert_int_equal(c->query_timeout_ns, 30 * NS_PER_SEC);
    assert_int_equal(c->promql_experimental, 1);
    assert_int_equal(c->log_level, 2);
    assert_int_equal(c->host_collect, 1);
    assert_int_equal(c->warnings.len, 1);
    assert_string_equal(
        c->warnings.items[0],
        "doors.alertmanager.listen: the alertmanager door is not built yet and stays closed");
    server_config_free(c);
}

static void bad_files(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"limits:\n  serie: 5\n",
         "pharos.yml:2:3: unknown key \"limits.serie\"; did you mean \"limits.series\"?"},
        {"limits:\n  series: many\n", "pharos.yml:2:11: limits.series: "},
        {"limits:\n  series: 0\n", "pharos.yml:2:11: limits.series: 0 is not between 1 and any"},
        {"log: {level: loud}\n",
         "pharos.yml:1:14: log.level: \"loud\" is none of debug, info, warn, error"},
        {"retention: {metrics: 5 days}\n", "pharos.yml:1:22: retention.metrics: "},
        {"main:\n  listen: somewhere\n", "pharos.yml:2:11: main.listen: "},
        {"main:\n  listen: off\n",
         "pharos.yml:2:11: main.listen: the main door cannot be off; give it an address like "
         "127.0.0.1:3000"},
        {"main:\n  listen: 0.0.0.0:3000\n",
         "main.listen: 0.0.0.0:3000 can be reached from other machines: configure auth.users or "
         "auth.tokens, or set main.insecure to true"},
        {"doors:\n  prometheus:\n    listen: 10.0.0.1:9090\n",
         "doors.prometheus.listen: 10.0.0.1:9090 can be reached from other machines: configure "
         "auth.users or auth.tokens, or set doors.prometheus.insecure to true"},
        {"main:\n  tls: {cert_file: a.pem}\n",
         "pharos.yml:2:20: main.tls.cert_file: TLS needs both main.tls.cert_file and "
         "main.tls.key_file"},
        {"auth:\n  users: {ali: secret}\n",
         "pharos.yml:2:16: auth.users: user ali: the password is not a hash this program knows "
         "(bcrypt $2b$, yescrypt $y$, SHA-512 $6$); `pharos password` makes one"},
        {"auth:\n  tokens: {ci: short}\n",
         "pharos.yml:2:16: auth.tokens: token ci: at least 16 characters are needed, there are 5"},
        {"auth:\n  tokens: {ci: {path: x}}\n", "pharos.yml:2:17: "},
        {"scrape_configs: 5\n",
         "pharos.yml:1:17: scrape_configs: a list of scrape configurations is expected"},
        {"data: [\n", "pharos.yml:2:1: "},
        {"- a\n", "pharos.yml:1:1: a configuration is a map of settings"},
        {"data: ''\n", "pharos.yml:1:7: data: a directory is needed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server_config *c = NULL;
        char msg[1200];
        if (!parse(rows[i].text, NULL, NULL, 0, &c, msg, sizeof(msg)))
            fail_msg("taken: %s", rows[i].text);
        size_t n = strlen(rows[i].message);
        bool whole = rows[i].message[n - 1] != ' '; /* a trailing space: the beginning is enough */
        if (whole ? strcmp(msg, rows[i].message) != 0 : strncmp(msg, rows[i].message, n) != 0)
            fail_msg("%s\nexpected: %s\ngot:      %s", rows[i].text, rows[i].message, msg);
        assert_null(c);
    }
}

static void bad_elsewhere(void **state)
{
    char misspelt[] = "PHAROS_LIMIT_SERIES=2000";
    char *environment[] = {misspelt, NULL};
    const char *sets[] = {"limits.series=x"}, *unknown[] = {"limit.series=5"};
    struct server_config *c;
    char msg[1200];
    (void)state;
    assert_int_equal(parse("", environment, NULL, 0, &c, msg, sizeof(msg)), ERR_INVALID);
    assert_string_equal(msg, "environment variable PHAROS_LIMIT_SERIES names no setting; `pharos "
                             "help config` lists them");
    assert_int_equal(parse("", NULL, sets, 1, &c, msg, sizeof(msg)), ERR_INVALID);
    assert_non_null(strstr(msg, "--set limits.series=x"));
    assert_int_equal(parse("", NULL, unknown, 1, &c, msg, sizeof(msg)), ERR_INVALID);
    assert_non_null(strstr(msg, "did you mean \"limits.series\"?"));
}

static void open_doors_with_auth(void **state)
{
    struct server_config *c;
    char msg[1200];
    (void)state;
    assert_int_equal(parse("main: {listen: '0.0.0.0:3000'}\n"
                           "auth: {tokens: {ci: 0123456789abcdef}}\n",
                           NULL, NULL, 0, &c, msg, sizeof(msg)),
                     0);
    struct buf yaml = {0};
    server_config_print_yaml(c, &yaml);
    assert_null(strstr(buf_cstr(&yaml), "0123456789abcdef"));
    assert_non_null(strstr(buf_cstr(&yaml), "<secret>"));
    buf_deinit(&yaml);
    server_config_free(c);
    assert_int_equal(parse("main: {listen: '0.0.0.0:3000', insecure: true}\n", NULL, NULL, 0, &c,
                           msg, sizeof(msg)),
                     0);
    server_config_free(c);
}

static void names_what_needs_a_restart(void **state)
{
    struct server_config *a, *b;
    struct buf keys = {0};
    char msg[1200];
    (void)state;
    assert_int_equal(parse("limits: {series: 5}\n", NULL, NULL, 0, &a, msg, sizeof(msg)), 0);
    assert_int_equal(parse("limits: {series: 6, query: {timeout: 5s}}\ndata: x\n", NULL, NULL, 0,
                           &b, msg, sizeof(msg)),
                     0);
    server_config_restart_keys(a, b, &keys);
    assert_string_equal(buf_cstr(&keys), "data, limits.series");
    buf_deinit(&keys);
    server_config_free(a);
    server_config_free(b);
}

static void printed_yaml_reads_back(void **state)
{
    struct server_config *a, *b;
    struct buf yaml = {0}, keys = {0};
    char msg[1200];
    (void)state;
    assert_int_equal(
        parse("limits: {series: 7, query: {memory: 5MiB}}\n", NULL, NULL, 0, &a, msg, sizeof(msg)),
        0);
    server_config_print_yaml(a, &yaml);
    if (parse(buf_cstr(&yaml), NULL, NULL, 0, &b, msg, sizeof(msg)))
        fail_msg("%s\n%s", msg, buf_cstr(&yaml));
    server_config_restart_keys(a, b, &keys);
    assert_int_equal(keys.len, 0);
    assert_int_equal(b->query_memory, 5 << 20);
    buf_deinit(&yaml);
    server_config_free(a);
    server_config_free(b);
}

static void reference_is_up_to_date(void **state)
{
    const char *root = getenv("PHAROS_SOURCE_ROOT");
    struct arena *arena = arena_new(0, NULL);
    struct buf made = {0};
    struct slice there = {0};
    char path[4096];
    (void)state;
    assert_non_null(root);
    snprintf(path, sizeof(path), "%s/docs/configuration.md", root);
    assert_int_equal(server_read_file(path, 1 << 20, arena, &there, NULL), 0);
    server_config_print_reference(&made);
    if (!slice_eq(there, buf_slice(&made)))
        fail_msg("docs/configuration.md is not what `pharos help config --markdown` prints");
    buf_deinit(&made);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(bad_elsewhere),
        cmocka_unit_test(open_doors_with_auth),
        cmocka_unit_test(names_what_needs_a_restart),
        cmocka_unit_test(printed_yaml_reads_back),
        cmocka_unit_test(reference_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
