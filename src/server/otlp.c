#include "server/otlp.h"

#include "server/prometheus_yml.h"

int server_otlp_settings(const struct server_config *config, struct api_otlp_settings **out,
                         struct diag *diag)
{
    struct api_otlp_settings *s = api_otlp_settings_new();
    const struct text_yaml *section = config->otlp;
    const char *file = config->file;
    int err = 0;
    if (!section && config->prometheus_config_file[0]) {
        struct server_prometheus_yml yml;
        err = server_prometheus_yml_read(config, true, s->arena, &yml, diag);
        file = yml.file;
        section = yml.otlp;
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
