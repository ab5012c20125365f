#include "server/inputs.h"

#include "base/mem.h"

struct server_inputs {
    struct server_inputs_env env;
};

int server_inputs_start(const struct server_inputs_env *env, const struct server_config *config,
                        struct server_inputs **out, struct diag *diag)
{
    struct server_inputs *in = mem_calloc(1, sizeof(*in));
    (void)config;
    (void)diag;
    in->env = *env;
    *out = in;
    return 0;
}

int server_inputs_check(const struct server_config *config, struct diag *diag)
{
    (void)config;
    (void)diag;
    return 0;
}

int server_inputs_reload(struct server_inputs *in, const struct server_config *config,
                         struct diag *diag)
{
    (void)in;
    (void)config;
    (void)diag;
    return 0;
}

void server_inputs_stop(struct server_inputs *in)
{
    mem_free(in);
}

void server_inputs_targets(struct server_inputs *in,
                           void (*each)(void *arg, const struct api_target *t), void *arg)
{
    (void)in;
    (void)each;
    (void)arg;
}
