#include "server/inputs.h"
#include "server/outputs.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "input/carbon/carbon.h"
#include "input/carbon/filter.h"
#include "input/host/host.h"
#include "input/jaeger/jaeger.h"
#include "input/push/push.h"
#include "input/scrape/scrape.h"
#include "input/statsd/statsd.h"
#include "server/log_inputs.h"
#include "server/prometheus_yml.h"
#include "server/version.h"

struct server_inputs {
    struct input_env env;
    struct pipe_sink *statsd_sink;
    struct output_set *outputs;
    struct input_scrape *scrape;
    struct input_push *push;
    struct input_host *host;     /* NULL: not collected */
    struct input_statsd *statsd; /* NULL: not received */
    struct carbon_sink {
        struct pipe_sink sink; /* first */
        struct server_inputs *inputs;
    } carbon_sink;
    struct input_carbon_filter *carbon_filter;
    struct input_carbon *carbon[3]; /* NULL: their doors are closed */
    struct server_log_inputs *logs;
    struct input_jaeger *jaeger[2]; /* compact, binary; NULL: their doors are closed */
};

static int64_t clock_ns(void *ctx)
{
    struct os *os = ctx;
    return os->ops->now_ns(os);
}

/* The scrape part of a configuration, parsed. `strict`: what is not built is an error. */
static int parse_scrape(const struct server_config *config, bool strict,
                        struct input_scrape_config **out, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct server_prometheus_yml yml;
    int err = server_prometheus_yml_read(config, strict, arena, &yml, diag);
    struct input_scrape_source source = {.global = yml.global,
                                         .scrape_configs = yml.scrape_configs,
                                         .file = yml.file,
                                         .base_dir = yml.dir[0] ? yml.dir : NULL,
                                         .ignore_unsupported = yml.own_file && !strict};
    if (!err)
        err = input_scrape_config_parse(&source, out, diag);
    if (err && diag && !diag->file[0] && diag->line && yml.file)
        diag_set_file(diag, yml.file);
    arena_free(arena);
    return err;
}

static struct input_carbon_filter_config carbon_rules(const struct server_config *config)
{
    return (struct input_carbon_filter_config){
        .files = {.blacklist = config->graphite_blacklist_file,
                  .whitelist = config->graphite_whitelist_file,
                  .rewrite = config->graphite_rewrite_file,
                  .aggregation = config->graphite_aggregation_rules_file,
                  .forward_all = config->graphite_forward_all},
        .aggregates_max = (size_t)config->graphite_aggregates};
}

static int check_carbon(struct os *os, const struct server_config *config, struct diag *diag)
{
    struct input_carbon_filter_config c = carbon_rules(config);
    struct input_carbon_rules *rules;
    int err = input_carbon_rules_load(os, &c.files, &rules, diag);
    input_carbon_rules_unref(rules);
    return err;
}

int server_inputs_check(const struct server_config *config, struct diag *diag)
{
    struct input_scrape_config *scrape = NULL;
    /* What a prometheus.yml may hold and Pharos leaves out is a warning there too. */
    int err = parse_scrape(config, config->prometheus_config_file[0] == 0, &scrape, diag);
    if (!err)
        input_scrape_config_free(scrape);
    struct input_env env = {.os = os_real()};
    struct input_statsd *statsd = NULL;
    if (!err)
        err = input_statsd_new(&env, &config->statsd, &statsd, diag);
    input_statsd_stop(statsd);
    struct output_config *outputs = NULL;
    if (!err)
        err = server_outputs_parse(config, &outputs, diag);
    output_config_free(outputs);
    if (!err)
        err = server_log_inputs_check(config, diag);
    return err ? err : check_carbon(env.os, config, diag);
}

static enum output_source view_source(int view)
{
    return view == INPUT_STATSD_AS_PATHS ? OUTPUT_STATSD_PATHS : OUTPUT_STATSD_LABELS;
}

static void forward_statsd(void *ctx, int view, const struct data_metric_batch *batch)
{
    output_set_metrics(ctx, view_source(view), batch);
}

static bool forward_wants(void *ctx, int view)
{
    return output_set_wants(ctx, view_source(view));
}

/* A port in use is no error: the door stays closed and says why. */
static int start_statsd(struct server_inputs *in, const struct server_config *config,
                        struct server_doors *doors, struct diag *diag)
{
    struct input_statsd_config c = config->statsd;
    bool wanted = server_doors_wants(config, SERVER_DOOR_STATSD);
    struct diag why;
    if (!wanted)
        return 0;
    diag_init(&why);
    c.listen = config->doors[SERVER_DOOR_STATSD].listen;
    struct input_env statsd_env = in->env;
    statsd_env.sink = in->statsd_sink;
    c.forward = forward_statsd;
    c.forward_wants = forward_wants;
    c.forward_ctx = in->outputs;
    int err = input_statsd_new(&statsd_env, &c, &in->statsd, diag);
    if (err)
        return err;
    if (input_statsd_start(in->statsd, &why)) {
        input_statsd_stop(in->statsd);
        in->statsd = NULL;
        server_doors_set(doors, SERVER_DOOR_STATSD, API_DOOR_FAILED, c.listen, why.msg);
        return 0;
    }
    server_doors_opened(doors, SERVER_DOOR_STATSD, c.listen, input_statsd_port(in->statsd));
    return 0;
}

/* To the outputs that want only this, and on. */
static void take_carbon(struct pipe_sink *sink, const struct data_metric_batch *batch,
                        pipe_ack_fn fn, void *ctx)
{
    struct server_inputs *in = ((struct carbon_sink *)sink)->inputs;
    if (in->outputs)
        output_set_metrics(in->outputs, OUTPUT_CARBON, batch);
    in->env.sink->metrics(in->env.sink, batch, fn, ctx);
}

static struct input_env carbon_env(struct server_inputs *in)
{
    struct input_env env = in->env;
    if (!in->carbon_sink.inputs) {
        in->carbon_sink = (struct carbon_sink){.sink = *in->env.sink, .inputs = in};
        in->carbon_sink.sink.metrics = take_carbon;
    }
    env.sink = &in->carbon_sink.sink;
    return env;
}

static void start_carbon(struct server_inputs *in, const struct server_config *config,
                         struct server_doors *doors)
{
    struct input_env env = carbon_env(in);
    static const struct {
        enum server_door_id door;
        enum input_carbon_kind kind;
    } rows[] = {{SERVER_DOOR_GRAPHITE, INPUT_CARBON_LINES},
                {SERVER_DOOR_GRAPHITE_PICKLE, INPUT_CARBON_PICKLE},
                {SERVER_DOOR_GRAPHITE_PROTOBUF, INPUT_CARBON_PROTOBUF}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct input_carbon_config c = {.kind = rows[i].kind,
                                        .filter = in->carbon_filter,
                                        .idle_timeout_ns = config->graphite_idle_timeout_ns,
                                        .name = server_doors[rows[i].door].name,
                                        .listen = config->doors[rows[i].door].listen};
        struct diag why;
        if (!server_doors_wants(config, rows[i].door))
            continue;
        diag_init(&why);
        if (input_carbon_start(&env, &c, &in->carbon[i], &why)) {
            server_doors_set(doors, rows[i].door, API_DOOR_FAILED, c.listen, why.msg);
            continue;
        }
        server_doors_opened(doors, rows[i].door, c.listen, input_carbon_port(in->carbon[i]));
    }
}

static void start_jaeger(struct server_inputs *in, const struct server_config *config,
                         struct server_doors *doors)
{
    static const enum server_door_id ids[] = {SERVER_DOOR_JAEGER_COMPACT,
                                              SERVER_DOOR_JAEGER_BINARY};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        struct input_jaeger_config c = {.compact = ids[i] == SERVER_DOOR_JAEGER_COMPACT,
                                        .name = server_doors[ids[i]].name,
                                        .listen = config->doors[ids[i]].listen};
        char listen[300];
        struct diag why;
        if (!server_doors_wants(config, ids[i]))
            continue;
        diag_init(&why);
        if (input_jaeger_start(&in->env, &c, &in->jaeger[i], &why)) {
            server_doors_set(doors, ids[i], API_DOOR_FAILED, c.listen, why.msg);
            continue;
        }
        const char *colon = strrchr(c.listen, ':');
        snprintf(listen, sizeof(listen), "%.*s:%u", (int)(colon - c.listen), c.listen,
                 input_jaeger_port(in->jaeger[i]));
        server_doors_set(doors, ids[i], API_DOOR_OPEN, listen, "");
    }
}

int server_inputs_start(const struct server_inputs_env *env, const struct server_config *config,
                        struct server_inputs **out, struct diag *diag)
{
    struct server_inputs *in = mem_calloc(1, sizeof(*in));
    struct input_scrape_config *scrape = NULL;
    in->env = (struct input_env){.loops = env->loops,
                                 .pool = env->pool,
                                 .os = env->os,
                                 .sink = env->sink,
                                 .version = SERVER_VERSION};
    in->statsd_sink = env->statsd_sink;
    in->outputs = env->outputs;
    *out = NULL;
    int err = parse_scrape(config, false, &scrape, diag);
    char dir[4200];
    snprintf(dir, sizeof(dir), "%s/pushed", env->data_dir);
    if (!err)
        err = input_push_new(&in->env, dir, config->push_interval_ns, &in->push, diag);
    if (!err && (err = input_scrape_new(&in->env, &in->scrape, diag)))
        input_push_stop(in->push);
    if (err) {
        input_scrape_config_free(scrape);
        mem_free(in);
        return err;
    }
    input_scrape_apply(in->scrape, scrape);
    struct input_carbon_filter_config rules = carbon_rules(config);
    struct input_env carbon = carbon_env(in);
    err = start_statsd(in, config, env->doors, diag);
    if (!err)
        err = input_carbon_filter_new(&carbon, &rules, &in->carbon_filter, diag);
    if (err) {
        server_inputs_stop(in);
        return err;
    }
    if (config->host_collect == 0) {
        struct input_host_config host;
        input_host_config_init(&host);
        host.interval_ns = config->host_interval_ns;
        host.instance = env->hostname;
        in->host = input_host_new(&host);
        input_host_start(in->host, net_loops_pick(env->loops), env->pool, env->sink, clock_ns,
                         env->os);
    }
    start_carbon(in, config, env->doors);
    start_jaeger(in, config, env->doors);
    if ((err = server_log_inputs_start(&in->env, config, env->data_dir, env->hostname, env->doors,
                                       &in->logs, diag))) {
        server_inputs_stop(in);
        return err;
    }
    *out = in;
    return 0;
}

int server_inputs_reload(struct server_inputs *in, const struct server_config *config,
                         struct diag *diag)
{
    struct input_scrape_config *scrape = NULL;
    struct input_carbon_filter_config rules = carbon_rules(config);
    int err = check_carbon(in->env.os, config, diag);
    if (!err)
        err = parse_scrape(config, false, &scrape, diag);
    if (err)
        return err;
    if (in->statsd)
        err = input_statsd_reload(in->statsd, &config->statsd, diag);
    if (!err)
        err = server_log_inputs_reload(in->logs, config, diag);
    if (err) {
        input_scrape_config_free(scrape);
        return err;
    }
    input_scrape_apply(in->scrape, scrape);
    struct diag why;
    diag_init(&why);
    /* They were read a moment ago. */
    if (input_carbon_filter_reload(in->carbon_filter, &rules, &why))
        LOG_ERROR("server", "carbon's rules not reloaded, the old ones stay in force",
                  LOG_STR("error", why.msg));
    input_push_set_interval(in->push, config->push_interval_ns);
    if (in->host)
        input_host_set_interval(in->host, config->host_interval_ns);
    return 0;
}

void server_inputs_stop(struct server_inputs *in)
{
    if (!in)
        return;
    input_statsd_stop(in->statsd);
    for (size_t i = 0; i < ARRAY_LEN(in->carbon); i++)
        input_carbon_stop(in->carbon[i]);
    input_carbon_filter_stop(in->carbon_filter);
    server_log_inputs_stop(in->logs);
    for (size_t i = 0; i < ARRAY_LEN(in->jaeger); i++)
        input_jaeger_stop(in->jaeger[i]);
    input_host_stop(in->host);
    input_host_free(in->host);
    input_push_stop(in->push);
    input_scrape_stop(in->scrape);
    mem_free(in);
}

void server_inputs_targets(struct server_inputs *in,
                           void (*each)(void *arg, const struct api_target *t), void *arg)
{
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view = {0};
    input_scrape_look(in->scrape, arena, &view);
    for (size_t i = 0; i < view.target_count; i++) {
        const struct input_scrape_target_view *v = &view.targets[i];
        struct api_target t = {.discovered = v->discovered,
                               .labels = v->labels,
                               .scrape_pool = v->pool,
                               .scrape_url = v->url,
                               .last_error = v->last_error,
                               .health = slice_cstr(input_scrape_health_name(v->health)),
                               .last_scrape_ns = v->last_scrape_ns,
                               .last_duration_ns = v->last_duration_ns,
                               .interval_ns = v->interval_ns,
                               .timeout_ns = v->timeout_ns};
        each(arg, &t);
    }
    for (size_t i = 0; i < view.dropped_count; i++) {
        struct api_target t = {.discovered = view.dropped[i].discovered,
                               .scrape_pool = view.dropped[i].pool,
                               .dropped = true};
        each(arg, &t);
    }
    arena_free(arena);
}

void server_inputs_pools(struct server_inputs *in,
                         void (*each)(void *arg, const struct api_pool *p), void *arg)
{
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view = {0};
    input_scrape_look(in->scrape, arena, &view);
    for (size_t i = 0; i < view.pool_count; i++)
        each(arg, &(struct api_pool){.name = view.pools[i].name, .dropped = view.pools[i].dropped});
    arena_free(arena);
}

void server_inputs_target_metadata(struct server_inputs *in, struct slice metric,
                                   void (*each)(void *arg, const struct api_target_metadata *m),
                                   void *arg)
{
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_metadata_view *rows = NULL;
    size_t count = 0;
    input_scrape_look_metadata(in->scrape, metric, arena, &rows, &count);
    for (size_t i = 0; i < count; i++)
        each(arg, &(struct api_target_metadata){rows[i].target, rows[i].metadata});
    arena_free(arena);
}

int server_inputs_relabel_rules(struct server_inputs *in, struct slice pool,
                                void (*each)(void *arg, const struct pipe_relabel_rule *rule),
                                void *arg)
{
    return input_scrape_relabel_rules(in->scrape, pool, each, arg);
}

int server_inputs_pool_yaml(struct server_inputs *in, struct slice pool, struct buf *out)
{
    return input_scrape_pool_yaml(in->scrape, pool, out);
}

struct data_labels server_inputs_external_labels(struct server_inputs *in, struct arena *arena)
{
    return input_scrape_external_labels(in->scrape, arena);
}

bool server_inputs_statsd(struct server_inputs *in, struct codec_json_writer *w)
{
    if (in->statsd)
        input_statsd_look(in->statsd, w);
    return in->statsd != NULL;
}

bool server_inputs_carbon(struct server_inputs *in, struct codec_json_writer *w)
{
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(in->carbon); i++)
        any |= in->carbon[i] != NULL;
    if (any)
        input_carbon_look(in->carbon, ARRAY_LEN(in->carbon), w);
    return any;
}

int server_inputs_push(struct server_inputs *in, const struct api_push_request *req,
                       struct diag *diag)
{
    static const enum input_push_action actions[] = {[API_PUSH_REPLACE] = INPUT_PUSH_REPLACE,
                                                     [API_PUSH_MERGE] = INPUT_PUSH_MERGE,
                                                     [API_PUSH_DELETE] = INPUT_PUSH_DELETE};
    struct input_push_request to = {.action = actions[req->action],
                                    .tenant = req->tenant,
                                    .grouping = req->grouping,
                                    .content_type = req->content_type,
                                    .body = req->body};
    return input_push_apply(in->push, &to, diag);
}

int server_inputs_push_wipe(struct server_inputs *in, struct slice tenant, struct diag *diag)
{
    return input_push_wipe(in->push, tenant, diag);
}

static void show_group(const struct input_push_group *from, struct arena *arena,
                       void (*each)(void *arg, const struct api_push_group *g), void *arg)
{
    struct api_push_family *families =
        ARENA_ARRAY(arena, struct api_push_family, from->family_count + 1);
    for (size_t i = 0; i < from->family_count; i++) {
        const struct input_push_family *f = &from->families[i];
        struct api_push_series *series =
            ARENA_ARRAY(arena, struct api_push_series, f->series_count + 1);
        for (size_t k = 0; k < f->series_count; k++)
            series[k] = (struct api_push_series){f->series[k].labels, f->series[k].value,
                                                 f->series[k].histogram};
        families[i] = (struct api_push_family){f->name, f->help, f->type, series, f->series_count};
    }
    struct api_push_group to = {from->labels, from->pushed_ns, from->failed_ns, families,
                                from->family_count};
    each(arg, &to);
}

void server_inputs_push_groups(struct server_inputs *in, struct slice tenant,
                               void (*each)(void *arg, const struct api_push_group *g), void *arg)
{
    struct arena *arena = arena_new(0, NULL);
    struct input_push_group *groups = NULL;
    size_t count = 0;
    input_push_look(in->push, tenant, arena, &groups, &count);
    for (size_t i = 0; i < count; i++)
        show_group(&groups[i], arena, each, arg);
    arena_free(arena);
}
