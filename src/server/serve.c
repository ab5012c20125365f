/* pharos serve: from the command line to the drain at the end. */
#include "server/serve.h"
#include "server/outputs.h"
#include "store/events.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/pool.h"
#include "server/commands.h"
#include "server/graphite.h"
#include "server/otlp.h"
#include "server/version.h"
#include "text/regex.h"

#define DRAIN_NS (5 * NS_PER_SEC)

static void print_help(void)
{
    struct buf keys = {0};
    server_config_print_help(&keys);
    printf("Usage: pharos serve [-c pharos.yml] [--data DIR] [--set key=value]...\n\n"
           "  -c, --config FILE   the configuration; none is needed\n"
           "  --data DIR          where everything is stored (same as --set data=DIR)\n"
           "  --set key=value     one setting; may be repeated\n\n"
           "Every key can also come from the environment: main.listen is PHAROS_MAIN_LISTEN.\n"
           "SIGHUP reads the configuration again, SIGTERM and SIGINT stop.\n\n"
           "Keys:\n%s",
           buf_cstr(&keys));
    buf_deinit(&keys);
}

/* < 0: go on; else the exit status. */
static int parse_args(int argc, char **argv, struct server_config_source *source, const char **sets)
{
    int bad = 0;
    source->file = getenv("PHAROS_CONFIG");
    source->environment = environ;
    source->sets = sets;
    for (int i = 1; i < argc && !bad; i++) {
        const char *v;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return SERVER_EXIT_OK;
        }
        if ((v = server_arg_value(argc, argv, &i, "-c", &bad)) || bad)
            source->file = v;
        else if ((v = server_arg_value(argc, argv, &i, "--config", &bad)) || bad)
            source->file = v;
        else if ((v = server_arg_value(argc, argv, &i, "--data", &bad)) || bad)
            source->data = v;
        else if ((v = server_arg_value(argc, argv, &i, "--set", &bad)) || bad)
            sets[source->set_count++] = v;
        else {
            fprintf(stderr,
                    "pharos serve: unknown argument \"%s\"; `pharos serve --help` lists "
                    "them\n",
                    argv[i]);
            bad = 1;
        }
    }
    return bad ? SERVER_EXIT_USAGE : -1;
}

static struct store *new_store(struct server *s)
{
    const struct server_config *c = s->config;
    struct store_config sc;
    store_config_init(&sc);
    sc.dir = c->data;
    sc.durability = c->durability ? STORE_DURABILITY_OS : STORE_DURABILITY_GROUP;
    sc.retention_ns = c->retention_metrics_ns;
    sc.retention_logs_ns = c->retention_logs_ns;
    sc.retention_spans_ns = c->retention_traces_ns;
    sc.retention_bytes = c->retention_bytes;
    sc.streams_max = (size_t)c->streams_max;
    sc.line_bytes_max = (size_t)c->line_bytes_max;
    sc.field_count_max = (size_t)c->field_count_max;
    sc.field_bytes_max = (size_t)c->field_bytes_max;
    sc.event_head_bytes_max = (size_t)c->event_head_bytes_max;
    sc.wal_bytes_max = (size_t)c->wal_bytes_max;
    sc.future_ns = c->future_ns;
    sc.series_max = (size_t)c->series_max;
    sc.exemplars_max = (size_t)c->exemplars_max;
    sc.label_count_max = (size_t)c->label_count_max;
    sc.label_bytes_max = (size_t)c->label_bytes_max;
    sc.flush_interval_ns = c->flush_interval_ns;
    sc.head_bytes_max = (size_t)c->head_bytes_max;
    sc.disk_reserve_bytes = c->disk_reserve_bytes;
    sc.background = true;
    return store_new(&sc, s->os, s->pool);
}

/* As many descriptors as the system allows: connections and parts need them. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Without it there are no dashboards, but everything else works. */
static void open_catalog(struct server *s)
{
    struct store_catalog_config cc = {.dir = s->config->data};
    struct diag diag;
    diag_init(&diag);
    server_fill_catalog_limits(s->config, &cc);
    if (store_catalog_open(&cc, s->os, &s->catalog, &diag))
        LOG_ERROR("server", "no dashboards: the catalogue cannot be opened",
                  LOG_STR("error", diag.msg));
}

static int new_provision(struct server *s, struct diag *diag)
{
    struct server_provision_env env = {
        .os = s->os, .catalog = s->catalog, .metrics = store_metrics(s->store)};
    return s->catalog ? server_provision_new(&env, s->config, &s->provision, diag) : 0;
}

static int start_outputs(struct server *s, struct diag *diag)
{
    struct output_config *config;
    char dir[4200];
    int err = server_outputs_parse(s->config, &config, diag);
    snprintf(dir, sizeof(dir), "%s/outputs", s->data_dir);
    struct output_env env = {
        .loops = s->loops, .pool = s->pool, .os = s->os, .version = SERVER_VERSION, .dir = dir};
    if (!err)
        s->sink.outputs = s->outputs = output_set_new(&env, config);
    return err;
}

static int start(struct server *s, struct diag *diag)
{
    struct server_config *c = s->config;
    struct api_auth *auth = NULL;
    struct api_otlp_settings *otlp = NULL;
    struct server_rules_next *next = NULL;
    int err = server_rules_read(c, &next, diag); /* bad rule files: nothing is begun */
    if (err)
        return err;
    s->first_rules = next;
    if ((err = s->os->ops->mkdir(s->os, c->data, diag)))
        return err;
    if (!realpath(c->data, s->data_dir))
        snprintf(s->data_dir, sizeof(s->data_dir), "%s", c->data);
    s->pool = os_pool_new((size_t)c->threads_workers);
    s->store = new_store(s);
    open_catalog(s);
    server_sink_init(&s->sink, s->store);
    server_sink_init(&s->statsd_sink, s->store);
    if ((err = net_loops_start((size_t)c->threads_loops, &s->loops, diag)))
        return err;
    if ((err = start_outputs(s, diag)))
        return err;
    server_host_init(s);
    if ((err = new_provision(s, diag)))
        return err;
    s->span_metrics = server_span_metrics_new(c, &s->sink.sink, s->host.now_ns, s);
    struct api_config api = {.source = store_metrics(s->store),
                             .spans = store_events(s->store, DATA_EVENT_SPANS),
                             .logs = store_events(s->store, DATA_EVENT_LOGS),
                             .sink = server_span_metrics_sink(s->span_metrics),
                             .pool = s->pool,
                             .catalog = s->catalog,
                             .host = &s->host};
    server_fill_limits(c, &api.limits);
    text_regex_set_effort((uint32_t)c->regex_effort);
    s->api = api_new(&api);
    if ((err = server_config_auth(c, &auth, diag)))
        return err;
    api_set_auth(s->api, auth);
    if ((err = server_otlp_settings(c, &otlp, diag)))
        return err;
    api_set_otlp(s->api, otlp);
    struct graphite_schemas *schemas = NULL;
    if ((err = server_graphite_schemas(c, &schemas, diag)))
        return err;
    api_set_graphite(s->api, schemas);
    /* Needs no port yet: /metrics may be asked as soon as a door is open. */
    struct server_telemetry_config tc = {.source = store_metrics(s->store),
                                         .sink = &s->sink.sink,
                                         .interval_ns = c->telemetry_interval_ns,
                                         .instance = s->instance,
                                         .version = SERVER_VERSION,
                                         .revision = SERVER_REVISION,
                                         .started_ns = s->host.started_ns,
                                         .reload_ok = &s->host.reload_ok,
                                         .reload_ns = &s->host.reload_ns,
                                         .now_ns = s->host.now_ns,
                                         .now_ctx = s};
    s->telemetry = server_telemetry_new(&tc);
    if ((err = server_doors_open(s->loops, s->api, c, &s->doors, diag)))
        return err;
    snprintf(s->instance, sizeof(s->instance), "%s:%u", s->hostname,
             server_doors_main_port(s->doors));
    /* A long log takes its time; meanwhile the doors answer 503 and say how far it is. */
    if ((err = store_load(s->store, diag)))
        return err;
    struct server_inputs_env env = {.loops = s->loops,
                                    .pool = s->pool,
                                    .sink = server_span_metrics_sink(s->span_metrics),
                                    .statsd_sink = &s->statsd_sink.sink,
                                    .outputs = s->outputs,
                                    .os = s->os,
                                    .doors = s->doors,
                                    .hostname = s->hostname,
                                    .data_dir = s->data_dir};
    if ((err = server_inputs_start(&env, c, &s->inputs, diag)))
        return err;
    const char *at = server_doors_address(s->doors, SERVER_DOOR_PROMETHEUS);
    snprintf(s->external_url, sizeof(s->external_url), "http%s://%s%s",
             server_doors_is_tls(s->doors, at ? SERVER_DOOR_PROMETHEUS : SERVER_DOOR_MAIN) ? "s"
                                                                                           : "",
             at ? at : server_doors_address(s->doors, SERVER_DOOR_MAIN),
             at ? "" : server_doors[SERVER_DOOR_PROMETHEUS].prefix);
    snprintf(s->logs_url, sizeof(s->logs_url), "http%s://%s/logs",
             server_doors_is_tls(s->doors, SERVER_DOOR_MAIN) ? "s" : "",
             server_doors_address(s->doors, SERVER_DOOR_MAIN));
    struct server_rules_env rules = {.loops = s->loops,
                                     .pool = s->pool,
                                     .memory_total = api_queries_budget(s->api),
                                     .source = store_metrics(s->store),
                                     .logs = store_events(s->store, DATA_EVENT_LOGS),
                                     .sink = &s->sink.sink,
                                     .os = s->os,
                                     .data_dir = s->data_dir,
                                     .external_url = s->external_url,
                                     .logs_url = s->logs_url};
    s->first_rules = NULL;
    s->rules = server_rules_start(&rules, c, next);
    server_telemetry_start(s->telemetry);
    server_span_metrics_start(s->span_metrics);
    if (s->provision)
        server_provision_start(s->provision);
    api_set_ready(s->api, true);
    return 0;
}

/* In the reverse order; whatever was not started is NULL. */
static void stop(struct server *s)
{
    if (s->api)
        api_set_ready(s->api, false);
    /* What is being reloaded on the pool is finished first; its wait for a slow rule ends. */
    if (s->rules)
        server_rules_cancel(s->rules);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_mutex_unlock(&s->lock);
    server_rules_next_free(s->first_rules);
    server_inputs_stop(s->inputs);
    s->inputs = NULL;
    struct server_rules *rules = s->rules;
    s->rules = NULL;
    server_doors_close(s->doors, DRAIN_NS);
    s->doors = NULL;
    if (s->api)
        api_cancel_all(s->api);
    server_rules_stop(rules);
    server_telemetry_free(s->telemetry);
    s->telemetry = NULL;
    server_provision_stop(s->provision);
    server_span_metrics_stop(s->span_metrics);
    s->sink.outputs = NULL;
    output_set_stop(s->outputs, DRAIN_NS);
    if (s->store)
        store_close(s->store);
    if (s->loops)
        net_loops_stop(s->loops, DRAIN_NS);
    os_pool_free(s->pool);
    api_free(s->api);
    server_span_metrics_free(s->span_metrics);
    server_provision_free(s->provision); /* nothing saves any more */
    store_catalog_close(s->catalog);
}

static void wait_for_signals(struct server *s, const sigset_t *set)
{
    for (;;) {
        siginfo_t info;
        int sig = sigwaitinfo(set, &info);
        if (sig == SIGHUP) {
            struct diag diag;
            diag_init(&diag);
            (void)!server_reload(s, &diag);
        } else if (sig == SIGTERM || sig == SIGINT) {
            LOG_INFO("server", "stopping", LOG_STR("signal", sig == SIGTERM ? "TERM" : "INT"));
            return;
        }
    }
}

int server_cmd_serve(int argc, char **argv)
{
    struct server *s = mem_calloc(1, sizeof(*s));
    const char **sets = mem_calloc((size_t)argc + 1, sizeof(*sets));
    struct diag diag;
    char text[1200];
    sigset_t set;
    int status = parse_args(argc, argv, &s->source, sets);
    if (status >= 0)
        goto out;
    status = SERVER_EXIT_FAIL;
    diag_init(&diag);
    mallopt(M_ARENA_MAX, 4); /* a heap a thread would keep what peaks left behind */
    if (server_config_load(&s->source, &s->config, &diag)) {
        fprintf(stderr, "pharos: %s\n", diag_str(&diag, text, sizeof(text)));
        goto out;
    }
    log_set_level((enum log_level)s->config->log_level);
    for (size_t i = 0; i < s->config->warnings.len; i++)
        LOG_WARN("server", s->config->warnings.items[i]);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_fd_limit();
    pthread_mutex_init(&s->lock, NULL);
    s->os = os_real();
    if (gethostname(s->hostname, sizeof(s->hostname) - 1) || !s->hostname[0])
        snprintf(s->hostname, sizeof(s->hostname), "localhost");
    if (!getcwd(s->cwd, sizeof(s->cwd)))
        s->cwd[0] = 0;
    if (start(s, &diag)) {
        fprintf(stderr, "pharos: %s\n", diag_str(&diag, text, sizeof(text)));
    } else {
        server_banner(s);
        wait_for_signals(s, &set);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* a second Ctrl-C ends at once */
        status = SERVER_EXIT_OK;
    }
    stop(s);
    if (status == SERVER_EXIT_OK)
        LOG_INFO("server", "stopped; everything is on the disk");
out:
    server_config_free(s->config);
    mem_free(sets);
    mem_free(s);
    return status;
}
