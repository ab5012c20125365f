/* What prometheus.yml may say, and what is said about mistakes in it. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "input/scrape/config.h"

static int parse(const char *yaml, bool ignore, struct input_scrape_config **out, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root;
    diag_init(diag);
    assert_int_equal(text_yaml_parse(slice_cstr(yaml), arena, &root, diag), 0);
    struct input_scrape_source source = {.global = text_yaml_get(root, "global"),
                                         .scrape_configs = text_yaml_get(root, "scrape_configs"),
                                         .file = "prometheus.yml",
                                         .base_dir = "/etc/prometheus",
                                         .ignore_unsupported = ignore};
    int err = input_scrape_config_parse(&source, out, diag);
    arena_free(arena);
    return err;
}

static void a_whole_file(void **state)
{
    (void)state;
    static const char yaml[] =
        "global:\n"
        "  scrape_interval: 15s\n"
        "  evaluation_interval: 30s\n"
        "  sample_limit: 1500\n"
        "  body_size_limit: 15MB\n"
        "  external_labels: {monitor: codelab, home: '${PHAROS_TEST_HOME}/$$x'}\n"
        "scrape_configs:\n"
        "- job_name: prometheus\n"
        "  honor_labels: true\n"
        "  scrape_protocols: [PrometheusProto, PrometheusText0.0.4]\n"
        "  static_configs:\n"
        "  - targets: ['localhost:9090', 'localhost:9191']\n"
        "    labels: {my: label}\n"
        "  file_sd_configs:\n"
        "  - files: [foo/*.slow.json, /abs/single.yml]\n"
        "    refresh_interval: 10m\n"
        "  authorization: {credentials_file: valid_token_file}\n"
        "- job_name: service-x\n"
        "  basic_auth: {username: admin_name, password: 'multiline\\nsecret'}\n"
        "  scrape_interval: 50s\n"
        "  scrape_timeout: 5s\n"
        "  sample_limit: 1000\n"
        "  body_size_limit: 10MiB\n"
        "  metrics_path: /my_path\n"
        "  scheme: https\n"
        "  params: {module: [a, b]}\n"
        "  tls_config: {cert_file: valid_cert_file, key_file: valid_key_file}\n"
        "  http_headers: {X-Scope-OrgID: {values: [t1]}}\n"
        "  http_sd_configs: [{url: 'http://sd/x', refresh_interval: 7s, basic_auth: {username: "
        "u}}]\n"
        "  relabel_configs:\n"
        "  - {source_labels: [job, __meta_dns_name], regex: '(.*)some-[regex]', target_label: "
        "job}\n";
    struct input_scrape_config *c;
    struct diag diag;
    setenv("PHAROS_TEST_HOME", "here", 1);
    if (parse(yaml, false, &c, &diag))
        fail_msg("%s", diag.msg);
    assert_int_equal(c->job_count, 2);
    assert_true(slice_eq_cstr(data_labels_get(c->external_labels, SLICE("home")), "here/$x"));
    assert_int_equal(input_scrape_config_evaluation_interval(c), 30 * NS_PER_SEC);
    const struct input__scrape_job *a = &c->jobs[0], *b = &c->jobs[1];
    assert_int_equal(a->interval_ns, 15 * NS_PER_SEC);
    assert_int_equal(a->timeout_ns, 10 * NS_PER_SEC);
    assert_int_equal(a->sample_limit, 1500);
    assert_int_equal(a->body_size_limit, 15 << 20);
    assert_true(a->honor_labels && a->honor_timestamps && a->compression);
    assert_string_equal(a->accept, "application/vnd.google.protobuf;proto=io.prometheus.client."
                                   "MetricFamily;encoding=delimited;q=0.6,"
                                   "text/plain;version=0.0.4;q=0.5,*/*;q=0.4");
    assert_int_equal(a->discovery.groups[0].target_count, 2);
    assert_string_equal(a->discovery.file_sd[0].patterns[0], "/etc/prometheus/foo/*.slow.json");
    assert_string_equal(a->discovery.file_sd[0].patterns[1], "/abs/single.yml");
    assert_string_equal(a->http.credentials_file, "/etc/prometheus/valid_token_file");
    assert_int_equal(b->interval_ns, 50 * NS_PER_SEC);
    assert_int_equal(b->timeout_ns, 5 * NS_PER_SEC);
    assert_int_equal(b->body_size_limit, 10 << 20);
    assert_int_equal(b->param_count, 2);
    assert_string_equal(b->http.tls.cert_file, "/etc/prometheus/valid_cert_file");
    assert_int_equal(b->http.header_count, 1);
    assert_int_equal(b->discovery.http_sd[0].refresh_ns, 7 * NS_PER_SEC);
    assert_int_equal(b->relabel.count, 1);
    input_scrape_config_free(c);
}

static const struct {
    const char *yaml, *want;
} bad[] = {
    {"scrape_configs: [{job_name: a, static_config: []}]",
     "prometheus.yml:1:32: unknown key \"static_config\" in a scrape_config; did you mean "
     "\"static_configs\"?"},
    {"scrape_configs: [{static_configs: []}]", "prometheus.yml:1:18: job_name is empty"},
    {"scrape_configs: [{job_name: a}, {job_name: a}]",
     "prometheus.yml:1:33: found multiple scrape configs with job name \"a\""},
    {"scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 6s}]",
     "prometheus.yml:1:69: scrape timeout greater than scrape interval for scrape config with job "
     "name \"a\""},
    {"global: {scrape_interval: 1s, scrape_timeout: 2s}",
     "prometheus.yml:1:47: global scrape timeout greater than scrape interval"},
    {"scrape_configs: [{job_name: a, static_configs: [{targets: ['http://b']}]}]",
     "prometheus.yml:1:60: \"http://b\" is not a valid hostname: write host:port, the scheme and "
     "path are settings of their own"},
    {"scrape_configs: [{job_name: a, file_sd_configs: [{files: [x.txt]}]}]",
     "prometheus.yml:1:59: path name \"x.txt\" is not valid for file discovery: it must end in "
     ".json, .yml or .yaml, with at most one * in its last part"},
    {"scrape_configs: [{job_name: a, bearer_token: x, basic_auth: {username: u}}]",
     "prometheus.yml:1:18: at most one of basic_auth, oauth2, bearer_token & authorization must be "
     "configured"},
    {"scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]",
     "prometheus.yml:1:55: kubernetes_sd_configs is not supported: use file_sd_configs or "
     "http_sd_configs"},
    {"scrape_configs: [{job_name: a, scrape_protocols: [PrometheusText0.0.5]}]",
     "prometheus.yml:1:51: unknown scrape protocol \"PrometheusText0.0.5\"; did you mean "
     "\"PrometheusText0.0.4\"?"},
    {"scrape_configs: [{job_name: a, tls_config: {cert_file: c}}]",
     "prometheus.yml:1:44: exactly one of key_file and cert_file is configured; a client "
     "certificate needs both"},
    {"scrape_configs: [{job_name: a, relabel_configs: [{action: kep}]}]",
     "prometheus.yml:1:59: unknown relabel action \"kep\"; did you mean \"keep\"?"},
    {"scrape_configs: {job_name: a}", "prometheus.yml:1:17: scrape_configs takes a list"},
};

static void mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct input_scrape_config *c;
        struct diag diag;
        char text[1200];
        assert_int_not_equal(parse(bad[i].yaml, false, &c, &diag), 0);
        if (strcmp(diag_str(&diag, text, sizeof(text)), bad[i].want) != 0)
            print_error("%s\n", text);
        assert_string_equal(text, bad[i].want);
    }
}

static void unbuilt_parts_can_be_left_out(void **state)
{
    (void)state;
    struct input_scrape_config *c;
    struct diag diag;
    assert_int_equal(parse("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}], "
                           "static_configs: [{targets: [b]}]}]",
                           true, &c, &diag),
                     0);
    assert_int_equal(c->jobs[0].discovery.group_count, 1);
    input_scrape_config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(unbuilt_parts_can_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
