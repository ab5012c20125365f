/* The host collectors as an input. */
#include "base/mem.h"
#include "input/host/host.h"
#include "input/input.h"

struct settings {
    int64_t interval_ns, processes, cgroups;
    const char *job, *instance;
};

#define AT(field) offsetof(struct settings, field)
static const struct text_conf_field fields[] = {
    {.key = "interval",
     .type = TEXT_CONF_DURATION,
     .offset = AT(interval_ns),
     .default_text = "10s",
     .min = NS_PER_SEC,
     .max = 3600 * NS_PER_SEC,
     .help = "how often",
     .live = true},
    {.key = "processes",
     .type = TEXT_CONF_INT,
     .offset = AT(processes),
     .default_text = "15",
     .min = 0,
     .max = 10000,
     .help = "so many of the busiest processes by CPU and by memory are kept"},
    {.key = "cgroups",
     .type = TEXT_CONF_INT,
     .offset = AT(cgroups),
     .default_text = "200",
     .min = 0,
     .max = 100000,
     .help = "so many control groups are reported"},
    {.key = "job",
     .type = TEXT_CONF_STRING,
     .offset = AT(job),
     .default_text = "node",
     .help = "label job"},
    {.key = "instance",
     .type = TEXT_CONF_STRING,
     .offset = AT(instance),
     .default_text = "",
     .help = "label instance; the host name when empty"},
};

struct input {
    const struct input_env *env;
    struct input_host *host;
};

static int host_create(const struct input_env *env, const void *config, struct input **out,
                       struct diag *diag)
{
    const struct settings *s = config;
    struct input_host_config c;
    (void)diag;
    input_host_config_init(&c);
    c.interval_ns = s->interval_ns;
    c.processes_max = (size_t)s->processes;
    c.cgroups_max = (size_t)s->cgroups;
    c.job = s->job;
    c.instance = s->instance[0] ? s->instance : NULL;
    struct input *in = mem_calloc(1, sizeof(*in));
    in->env = env;
    in->host = input_host_new(&c);
    *out = in;
    return 0;
}

static int64_t now_ns(void *ctx)
{
    struct os *os = ctx;
    return os->ops->now_ns(os);
}

static int host_start(struct input *in, struct diag *diag)
{
    (void)diag;
    input_host_start(in->host, net_loops_pick(in->env->loops), in->env->pool, in->env->sink, now_ns,
                     in->env->os);
    return 0;
}

static int host_reload(struct input *in, const void *config, struct diag *diag)
{
    (void)diag;
    input_host_set_interval(in->host, ((const struct settings *)config)->interval_ns);
    return 0;
}

static void host_stop(struct input *in)
{
    input_host_stop(in->host);
    input_host_free(in->host);
    mem_free(in);
}

extern const struct input_def input_def_host;
const struct input_def input_def_host = {
    .name = "host",
    .help = "Watches this machine: CPU, memory, disks, file systems, network, processes, control "
            "groups, sensors",
    .fields = fields,
    .field_count = ARRAY_LEN(fields),
    .config_size = sizeof(struct settings),
    .create = host_create,
    .start = host_start,
    .reload = host_reload,
    .stop = host_stop,
};
