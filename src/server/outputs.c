#include "server/outputs.h"

#include "input/scrape/scrape.h"
#include "server/carbon_relay.h"
#include "server/prometheus_yml.h"
#include "server/remote_write.h"

#define FILE_MAX (16 << 20)

/* One map of both; either may be NULL. */
static const struct text_yaml *joined(const struct text_yaml *a, const struct text_yaml *b,
                                      struct arena *arena)
{
    const struct text_yaml *both[] = {a, b};
    if (!a || !b)
        return a ? a : b;
    struct text_yaml *m = ARENA_NEW(arena, struct text_yaml);
    m->kind = TEXT_YAML_MAP;
    m->line = a->line;
    m->col = a->col;
    m->keys = ARENA_ARRAY(arena, struct text_yaml *, a->count + b->count);
    m->items = ARENA_ARRAY(arena, struct text_yaml *, a->count + b->count);
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        for (size_t k = 0; k < both[i]->count; k++, m->count++) {
            m->keys[m->count] = both[i]->keys[k];
            m->items[m->count] = both[i]->items[k];
        }
    }
    return m;
}

static int read_relays(const char *file, struct arena *arena, struct text_yaml **out,
                       struct diag *diag)
{
    struct buf yaml = {0};
    struct slice text;
    if (!file[0])
        return 0;
    int err = server_read_file(file, FILE_MAX, arena, &text, diag);
    if (!err)
        err = server_carbon_relay_yaml(text, file, &yaml, diag);
    if (!err)
        err = text_yaml_parse(buf_slice(&yaml), arena, out, diag);
    buf_deinit(&yaml);
    return err;
}

/* Read by itself first, so that what is wrong with it is told with its file. */
static int read_prometheus(const struct server_config *config, struct arena *arena,
                           struct text_yaml **out, struct diag *diag)
{
    struct server_prometheus_yml yml;
    struct input_scrape_config *scrape = NULL;
    struct output_config *alone = NULL;
    if (!config->prometheus_config_file[0])
        return 0;
    int err = server_prometheus_yml_read(config, true, arena, &yml, diag);
    if (err || text_yaml_is_null(yml.remote_write))
        return err;
    struct input_scrape_source global = {.global = yml.global, .ignore_unsupported = true};
    err = input_scrape_config_parse(&global, &scrape, diag);
    if (!err)
        err = server_remote_write_outputs(yml.remote_write,
                                          input_scrape_config_external_labels(scrape), yml.dir,
                                          false, arena, out, diag);
    input_scrape_config_free(scrape);
    if (!err)
        err = output_config_parse(*out, &alone, diag);
    output_config_free(alone);
    if (err && diag && !diag->file[0])
        diag_set_file(diag, yml.file);
    return err;
}

int server_outputs_parse(const struct server_config *config, struct output_config **out,
                         struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    const struct text_yaml *outputs = text_yaml_is_null(config->outputs) ? NULL : config->outputs;
    struct text_yaml *relays = NULL, *prometheus = NULL;
    *out = NULL;
    int err = read_relays(config->graphite_relay_file, arena, &relays, diag);
    if (!err)
        err = read_prometheus(config, arena, &prometheus, diag);
    if (!err && (!outputs || outputs->kind == TEXT_YAML_MAP))
        outputs = joined(joined(outputs, relays, arena), prometheus, arena);
    if (!err)
        err = output_config_parse(outputs, out, diag);
    arena_free(arena);
    return err;
}
