#include "server/otlp.h"

#define PROMETHEUS_YML_MAX ((size_t)64 << 20)

/* *out is the file's section, or NULL. */
static int read_prometheus_section(const char *path, struct arena *arena,
                                   const struct text_yaml **out, struct diag *diag)
{
    struct slice text;
    struct text_yaml *root = NULL;
    int err = server_read_file(path, PROMETHEUS_YML_MAX, arena, &text, diag);
    if (err)
        diag_wrap(diag, "prometheus.config_file");
    else
        err = text_yaml_parse(text, arena, &root, diag);
    *out = text_yaml_get(root, "otlp");
    return err;
}

int server_otlp_settings(const struct server_config *config, struct api_otlp_settings **out,
                         struct diag *diag)
{
    struct api_otlp_settings *s = api_otlp_settings_new();
    const struct text_yaml *section = config->otlp;
    const char *file = config->file;
    int err = 0;
    if (!section && config->prometheus_config_file[0]) {
        file = config->prometheus_config_file;
        err = read_prometheus_section(file, s->arena, &section, diag);
    }
    if (!err)
        err = decode_otlp_translation_parse(section, s->arena, &s->translation, diag);
    if (err) {
        if (diag && diag->line && !diag->file[0] && file)
            diag_set_file(diag, file);
        api_otlp_settings_free(s);
        return err;
    }
    s->translation.target_info_interval_ns = config->lookback_ns / 2;
    s->cors_headers = arena_slice(s->arena, slice_cstr(config->otlp_cors_headers));
    api_otlp_settings_set_origins(s, slice_cstr(config->otlp_cors_origins));
    *out = s;
    return 0;
}
