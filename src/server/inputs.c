#include "server/inputs.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "input/host/host.h"
#include "input/scrape/scrape.h"
#include "server/version.h"

struct server_inputs {
    struct server_inputs_env env;
    struct input_env input_env;
    struct input_host *host; /* NULL: not collected */
    struct input_scrape *scrape;
};

static int64_t clock_ns(void *ctx)
{
    struct os *os = ctx;
    return os->ops->now_ns(os);
}

/* The scrape settings: from pharos.yml itself, or from the prometheus.yml it names. */
static int read_scrape_config(struct os *os, const struct server_config *c,
                              struct input_scrape_config **out, struct diag *diag)
{
    const char *path = c->prometheus_config_file;
    struct input_scrape_source source = {.global = c->global, .scrape_configs = c->scrape_configs};
    if (!path[0])
        return input_scrape_config_parse(&source, out, diag);
    struct os_file *f;
    struct slice text = {NULL, 0};
    struct arena *arena = arena_new(0, NULL);
    struct text_yaml *root = NULL;
    char dir[4096];
    int err = os->ops->open(os, path, OS_READ, &f, diag);
    if (err) {
        arena_free(arena);
        return err;
    }
    err = os->ops->map(f, &text, diag);
    if (!err) {
        diag_set_file(diag, path);
        err = text_yaml_parse(text, arena, &root, diag);
    }
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (!err) {
        source = (struct input_scrape_source){.global = text_yaml_get(root, "global"),
                                              .scrape_configs =
                                                  text_yaml_get(root, "scrape_configs"),
                                              .file = path,
                                              .base_dir = dir};
        err = input_scrape_config_parse(&source, out, diag);
    }
    if (text.ptr)
        os->ops->unmap(f, text);
    os->ops->close(f);
    arena_free(arena);
    return err;
}

int server_inputs_check(const struct server_config *config, struct diag *diag)
{
    struct input_scrape_config *parsed = NULL;
    int err = read_scrape_config(os_real(), config, &parsed, diag);
    input_scrape_config_free(parsed);
    return err;
}

int server_inputs_start(const struct server_inputs_env *env, const struct server_config *config,
                        struct server_inputs **out, struct diag *diag)
{
    struct server_inputs *in = mem_calloc(1, sizeof(*in));
    struct input_scrape_config *parsed = NULL;
    in->env = *env;
    in->input_env = (struct input_env){.loops = env->loops,
                                       .pool = env->pool,
                                       .os = env->os,
                                       .sink = env->sink,
                                       .version = SERVER_VERSION};
    int err = read_scrape_config(env->os, config, &parsed, diag);
    if (!err)
        err = input_scrape_new(&in->input_env, &in->scrape, diag);
    if (err) {
        input_scrape_config_free(parsed);
        mem_free(in);
        return err;
    }
    input_scrape_apply(in->scrape, parsed);
    if (config->host_collect == 0) {
        struct input_host_config host;
        input_host_config_init(&host);
        host.interval_ns = config->host_interval_ns;
        host.instance = env->hostname;
        in->host = input_host_new(&host);
        input_host_start(in->host, net_loops_pick(env->loops), env->pool, env->sink, clock_ns,
                         env->os);
    }
    *out = in;
    return 0;
}

int server_inputs_reload(struct server_inputs *in, const struct server_config *config,
                         struct diag *diag)
{
    struct input_scrape_config *parsed = NULL;
    int err = read_scrape_config(in->env.os, config, &parsed, diag);
    if (err)
        return err;
    input_scrape_apply(in->scrape, parsed);
    if (in->host)
        input_host_set_interval(in->host, config->host_interval_ns);
    return 0;
}

void server_inputs_stop(struct server_inputs *in)
{
    if (!in)
        return;
    input_host_stop(in->host);
    input_host_free(in->host);
    input_scrape_stop(in->scrape);
    mem_free(in);
}

void server_inputs_targets(struct server_inputs *in,
                           void (*each)(void *arg, const struct api_target *t), void *arg)
{
    struct arena *arena = arena_new(0, NULL);
    struct input_scrape_view view;
    input_scrape_look(in->scrape, arena, &view);
    for (size_t i = 0; i < view.target_count; i++) {
        const struct input_scrape_target_view *t = &view.targets[i];
        const struct api_target row = {
            .discovered = t->discovered,
            .labels = t->labels,
            .scrape_pool = t->pool,
            .scrape_url = t->url,
            .global_url = t->url,
            .last_error = t->last_error,
            .health = slice_cstr(input_scrape_health_name(t->health)),
            .last_scrape_ns = t->last_scrape_ns,
            .last_duration_ns = t->last_duration_ns,
            .interval_ns = t->interval_ns,
            .timeout_ns = t->timeout_ns,
        };
        each(arg, &row);
    }
    for (size_t i = 0; i < view.dropped_count; i++) {
        const struct api_target row = {.discovered = view.dropped[i].discovered,
                                       .scrape_pool = view.dropped[i].pool,
                                       .dropped = true};
        each(arg, &row);
    }
    arena_free(arena);
}
