#include "input/scrape/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "codec/number.h"
#include "decode/prom_text.h"
#include "text/duration.h"

struct input__conf {
    struct discovery_conf c;
    const struct input_scrape_source *source;
    struct input_scrape_config *config;
    struct input__scrape_job defaults; /* from global */
};

/* --- jobs and global --- */

static int read_protocols(struct input__conf *p, const struct text_yaml *list,
                          struct input__scrape_job *j)
{
    static const char *const known[] = {"PrometheusProto",      "OpenMetricsText1.0.0",
                                        "OpenMetricsText0.0.1", "PrometheusText1.0.0",
                                        "PrometheusText0.0.4",  NULL};
    if (!list)
        return 0;
    if (list->kind != TEXT_YAML_LIST || !list->count)
        return text_yaml_error(list, p->c.diag, ERR_INVALID,
                               "scrape_protocols takes a list of at least one protocol");
    j->protocol_count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct slice s;
        TRY(text_yaml_string(list->items[i], &s, p->c.diag));
        if (!decode_text_media_type(s)) {
            const char *near = text_nearest(s, known);
            return text_yaml_error(
                list->items[i], p->c.diag, ERR_INVALID, "unknown scrape protocol \"%.*s\"%s%s%s",
                SLICE_FMT(s), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        for (size_t k = 0; k < j->protocol_count; k++) {
            if (slice_eq(j->protocols[k], s))
                return text_yaml_error(list->items[i], p->c.diag, ERR_INVALID,
                                       "duplicated protocol \"%.*s\" in scrape_protocols",
                                       SLICE_FMT(s));
        }
        j->protocols[j->protocol_count++] = arena_slice(p->c.arena, s);
    }
    return 0;
}

/* The header Accept: protocols with falling weights, from one above the number of known ones. */
static void make_accept(struct input__conf *p, struct input__scrape_job *j)
{
    static const struct slice order[] = {
        SLICE_INIT("PrometheusProto"), SLICE_INIT("OpenMetricsText1.0.0"),
        SLICE_INIT("OpenMetricsText0.0.1"), SLICE_INIT("PrometheusText1.0.0"),
        SLICE_INIT("PrometheusText0.0.4")};
    static const struct slice allow = SLICE_INIT(";escaping=allow-utf-8");
    bool native = j->histograms.native; /* they have no text */
    const struct slice *names = j->protocol_count ? j->protocols : native ? order : order + 1;
    size_t count = j->protocol_count ? j->protocol_count : native ? 5 : 4;
    const char *escaping = j->escaping ? j->escaping : j->legacy_names ? "underscores" : NULL;
    struct buf accept = {0};
    int weight = 6;
    for (size_t i = 0; i < count; i++) {
        struct slice type = slice_cstr(decode_text_media_type(names[i]));
        bool escapes = slice_ends_with(type, allow);
        if (escaping && escapes)
            type = slice_first(type, type.len - allow.len);
        buf_append_slice(&accept, type);
        if (escaping && escapes)
            buf_printf(&accept, ";escaping=%s", escaping);
        buf_printf(&accept, ";q=0.%d,", weight--);
    }
    buf_printf(&accept, "*/*;q=0.%d", weight);
    j->accept = arena_strdup(p->c.arena, buf_cstr(&accept));
    buf_deinit(&accept);
}

static int read_names(struct input__conf *p, const struct text_yaml *map,
                      struct input__scrape_job *j)
{
    static const char *const escapings[] = {"allow-utf-8", "underscores", "dots", "values"};
    const struct text_yaml *n = discovery_conf_given(map, "metric_name_validation_scheme");
    if (n) {
        j->legacy_names = slice_eq_cstr(n->value, "legacy");
        if (!j->legacy_names && !slice_eq_cstr(n->value, "utf8"))
            return text_yaml_error(n, p->c.diag, ERR_INVALID,
                                   "metric_name_validation_scheme is utf8 or legacy");
    }
    n = discovery_conf_given(map, "metric_name_escaping_scheme");
    if (!n)
        return 0;
    j->escaping = NULL;
    for (size_t i = 0; i < ARRAY_LEN(escapings); i++) {
        if (slice_eq_cstr(n->value, escapings[i]))
            j->escaping = escapings[i];
    }
    if (!j->escaping)
        return text_yaml_error(n, p->c.diag, ERR_INVALID,
                               "metric_name_escaping_scheme is allow-utf-8, underscores, dots or "
                               "values");
    if (j->legacy_names && j->escaping == escapings[0])
        return text_yaml_error(n, p->c.diag, ERR_INVALID,
                               "utf8 metric names requested but validation scheme is not set to "
                               "utf8");
    return 0;
}

/* What global and a job have in common. */
static int read_common(struct input__conf *p, const struct text_yaml *map,
                       struct input__scrape_job *j)
{
    TRY(discovery_conf_size(&p->c, map, "body_size_limit", &j->body_size_limit));
    TRY(discovery_conf_count(&p->c, map, "sample_limit", &j->sample_limit));
    TRY(discovery_conf_count(&p->c, map, "label_limit", &j->label_limit));
    TRY(discovery_conf_count(&p->c, map, "label_name_length_limit", &j->label_name_length_limit));
    TRY(discovery_conf_count(&p->c, map, "label_value_length_limit", &j->label_value_length_limit));
    TRY(discovery_conf_count(&p->c, map, "target_limit", &j->target_limit));
    TRY(discovery_conf_count(&p->c, map, "keep_dropped_targets", &j->keep_dropped_targets));
    TRY(discovery_conf_bool(&p->c, map, "extra_scrape_metrics", &j->extra_metrics));
    TRY(discovery_conf_unbuilt(&p->c, map, "scrape_failure_log_file",
                               "failures are in the log and on the targets page"));
    TRY(read_protocols(p, discovery_conf_given(map, "scrape_protocols"), j));
    TRY(discovery_conf_bool(&p->c, map, "scrape_native_histograms", &j->histograms.native));
    TRY(discovery_conf_bool(&p->c, map, "always_scrape_classic_histograms",
                            &j->histograms.classic_too));
    TRY(discovery_conf_bool(&p->c, map, "convert_classic_histograms_to_nhcb",
                            &j->histograms.custom));
    TRY(read_names(p, map, j));
    make_accept(p, j);
    return 0;
}

#define COMMON_KEYS                                                                                \
    "body_size_limit", "sample_limit", "label_limit", "label_name_length_limit",                   \
        "label_value_length_limit", "target_limit", "keep_dropped_targets",                        \
        "extra_scrape_metrics", "scrape_protocols", "scrape_failure_log_file",                     \
        "scrape_native_histograms", "convert_classic_histograms_to_nhcb",                          \
        "always_scrape_classic_histograms", "metric_name_validation_scheme",                       \
        "metric_name_escaping_scheme", "native_histogram_bucket_limit",                            \
        "native_histogram_min_bucket_factor", "scrape_interval", "scrape_timeout"

/* ${VAR} and $VAR of external labels come from the environment; $$ is a dollar sign. */
static struct slice expand_environment(struct input__conf *p, struct slice s)
{
    struct buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '$' || i + 1 >= s.len) {
            buf_append_char(&out, s.ptr[i]);
            continue;
        }
        if (s.ptr[i + 1] == '$') {
            buf_append_char(&out, '$');
            i++;
            continue;
        }
        bool braces = s.ptr[i + 1] == '{';
        size_t begin = i + 1 + braces, end = begin;
        while (end < s.len && (s.ptr[end] == '_' || (s.ptr[end] >= '0' && s.ptr[end] <= '9') ||
                               (s.ptr[end] >= 'a' && s.ptr[end] <= 'z') ||
                               (s.ptr[end] >= 'A' && s.ptr[end] <= 'Z')))
            end++;
        if (end == begin || (braces && (end >= s.len || s.ptr[end] != '}'))) {
            buf_append_char(&out, '$');
            continue;
        }
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)(end - begin), s.ptr + begin);
        const char *value = getenv(name);
        if (value)
            buf_append_cstr(&out, value);
        else
            LOG_WARN("input", "external label names an empty environment variable",
                     LOG_STR("name", name));
        i = end + braces - 1;
    }
    struct slice done = arena_slice(p->c.arena, buf_slice(&out));
    buf_deinit(&out);
    return done;
}

static int read_global(struct input__conf *p, const struct text_yaml *map)
{
    static const char *const keys[] = {COMMON_KEYS,         "evaluation_interval",
                                       "rule_query_offset", "external_labels",
                                       "query_log_file",    NULL};
    struct input__scrape_job *d = &p->defaults;
    d->interval_ns = 60 * NS_PER_SEC;
    d->timeout_ns = 10 * NS_PER_SEC;
    p->config->evaluation_interval_ns = 60 * NS_PER_SEC;
    if (map && map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->c.diag, ERR_INVALID, "global is a map of settings");
    if (map)
        TRY(text_yaml_check_keys(map, "global", keys, p->c.diag));
    TRY(discovery_conf_duration(&p->c, map, "scrape_interval", &d->interval_ns));
    bool has_timeout = discovery_conf_given(map, "scrape_timeout") != NULL;
    TRY(discovery_conf_duration(&p->c, map, "scrape_timeout", &d->timeout_ns));
    if (has_timeout && d->timeout_ns > d->interval_ns)
        return text_yaml_error(discovery_conf_given(map, "scrape_timeout"), p->c.diag, ERR_INVALID,
                               "global scrape timeout greater than scrape interval");
    if (!d->interval_ns)
        d->interval_ns = 60 * NS_PER_SEC;
    if (!has_timeout || !d->timeout_ns)
        d->timeout_ns = MIN(10 * NS_PER_SEC, d->interval_ns);
    TRY(discovery_conf_duration(&p->c, map, "evaluation_interval",
                                &p->config->evaluation_interval_ns));
    TRY(discovery_labels_yaml(discovery_conf_given(map, "external_labels"), p->c.arena,
                              &p->config->external_labels, p->c.diag));
    struct data_label *labels = (struct data_label *)(uintptr_t)p->config->external_labels.items;
    for (size_t i = 0; i < p->config->external_labels.count; i++)
        labels[i].value = expand_environment(p, labels[i].value);
    return read_common(p, map, d);
}

static int read_params(struct input__conf *p, const struct text_yaml *map,
                       struct input__scrape_job *j)
{
    if (!map)
        return 0;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->c.diag, ERR_INVALID,
                               "params maps a name to a list of values: {module: [http_2xx]}");
    size_t count = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (map->items[i]->kind != TEXT_YAML_LIST)
            return text_yaml_error(map->items[i], p->c.diag, ERR_INVALID,
                                   "a parameter takes a list of values");
        count += map->items[i]->count;
    }
    struct input__scrape_param *params = ARENA_ARRAY(p->c.arena, struct input__scrape_param, count);
    for (size_t i = 0; i < map->count; i++) {
        for (size_t k = 0; k < map->items[i]->count; k++) {
            struct input__scrape_param *to = &params[j->param_count++];
            to->name = arena_slice(p->c.arena, map->keys[i]->value);
            TRY(text_yaml_string(map->items[i]->items[k], &to->value, p->c.diag));
            to->value = arena_slice(p->c.arena, to->value);
        }
    }
    j->params = params;
    return 0;
}

/* The tree as text, places left out: equal texts mean equal settings. */
static void print_tree(const struct text_yaml *n, struct buf *out)
{
    if (!n)
        return;
    if (n->kind == TEXT_YAML_SCALAR) {
        buf_printf(out, "%zu:", n->value.len);
        buf_append_slice(out, n->value);
        return;
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '{' : '[');
    for (size_t i = 0; i < n->count; i++) {
        if (n->kind == TEXT_YAML_MAP) {
            /* Where targets come from does not change how they are scraped. */
            struct slice key = n->keys[i]->value;
            if (slice_ends_with(key, SLICE("_sd_configs")) || slice_eq_cstr(key, "static_configs"))
                continue;
            print_tree(n->keys[i], out);
        }
        print_tree(n->items[i], out);
        buf_append_char(out, ',');
    }
    buf_append_char(out, n->kind == TEXT_YAML_MAP ? '}' : ']');
}

static const char *const job_keys[] = {COMMON_KEYS,
                                       HTTP_KEYS,
                                       "job_name",
                                       "honor_labels",
                                       "honor_timestamps",
                                       "track_timestamps_staleness",
                                       "metrics_path",
                                       "scheme",
                                       "params",
                                       "fallback_scrape_protocol",
                                       "enable_compression",
                                       "openmetrics_strict",
                                       "relabel_configs",
                                       "metric_relabel_configs",
                                       DISCOVERY_KEYS,
                                       NULL};

static int read_job(struct input__conf *p, const struct text_yaml *map, struct input__scrape_job *j)
{
    *j = p->defaults;
    j->metrics_path = SLICE("/metrics");
    j->scheme = SLICE("http");
    j->honor_timestamps = j->compression = j->strict_openmetrics = true;
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, p->c.diag, ERR_INVALID, "a scrape_config is a map of settings");
    const char *keys[ARRAY_LEN(job_keys) + 64] = {0};
    base_assert(discovery_unbuilt_count < 64);
    memcpy(keys, job_keys, sizeof(job_keys));
    memcpy(keys + ARRAY_LEN(job_keys) - 1, discovery_unbuilt,
           discovery_unbuilt_count * sizeof(*discovery_unbuilt));
    TRY(text_yaml_check_keys(map, "a scrape_config", keys, p->c.diag));
    TRY(discovery_conf_text(&p->c, map, "job_name", &j->name));
    if (!j->name.len)
        return text_yaml_error(map, p->c.diag, ERR_INVALID, "job_name is empty");
    TRY(read_common(p, map, j));
    const struct text_yaml *interval = discovery_conf_given(map, "scrape_interval"),
                           *timeout = discovery_conf_given(map, "scrape_timeout");
    TRY(discovery_conf_duration(&p->c, map, "scrape_interval", &j->interval_ns));
    if (!j->interval_ns)
        j->interval_ns = p->defaults.interval_ns;
    j->timeout_ns = 0;
    TRY(discovery_conf_duration(&p->c, map, "scrape_timeout", &j->timeout_ns));
    if (j->timeout_ns > j->interval_ns)
        return text_yaml_error(timeout ? timeout : interval, p->c.diag, ERR_INVALID,
                               "scrape timeout greater than scrape interval for scrape config with "
                               "job name \"%.*s\"",
                               SLICE_FMT(j->name));
    if (!j->timeout_ns)
        j->timeout_ns = MIN(p->defaults.timeout_ns, j->interval_ns);
    struct buf text = {0};
    text_duration_print(j->interval_ns, &text);
    j->interval_text = arena_slice(p->c.arena, buf_slice(&text));
    buf_clear(&text);
    text_duration_print(j->timeout_ns, &text);
    j->timeout_text = arena_slice(p->c.arena, buf_slice(&text));
    buf_clear(&text);
    print_tree(p->source->global, &text);
    print_tree(map, &text);
    j->identity = arena_slice(p->c.arena, buf_slice(&text));
    buf_clear(&text);
    text_yaml_print(map, 0, true, &text);
    j->yaml = arena_slice(p->c.arena, buf_slice(&text));
    buf_deinit(&text);
    TRY(discovery_conf_text(&p->c, map, "metrics_path", &j->metrics_path));
    TRY(discovery_conf_text(&p->c, map, "scheme", &j->scheme));
    TRY(discovery_conf_bool(&p->c, map, "honor_labels", &j->honor_labels));
    TRY(discovery_conf_bool(&p->c, map, "honor_timestamps", &j->honor_timestamps));
    TRY(discovery_conf_bool(&p->c, map, "track_timestamps_staleness",
                            &j->track_timestamps_staleness));
    TRY(discovery_conf_bool(&p->c, map, "enable_compression", &j->compression));
    TRY(discovery_conf_bool(&p->c, map, "openmetrics_strict", &j->strict_openmetrics));
    TRY(discovery_conf_cstr(&p->c, map, "fallback_scrape_protocol", &j->fallback_protocol));
    if (j->fallback_protocol && !decode_text_media_type(slice_cstr(j->fallback_protocol)))
        return text_yaml_error(discovery_conf_given(map, "fallback_scrape_protocol"), p->c.diag,
                               ERR_INVALID, "invalid fallback_scrape_protocol \"%s\"",
                               j->fallback_protocol);
    TRY(read_params(p, discovery_conf_given(map, "params"), j));
    TRY(discovery_conf_http(&p->c, map, &j->http));
    TRY(discovery_config_read(&p->c, map, &j->discovery));
    TRY(pipe_relabel_parse(discovery_conf_given(map, "relabel_configs"), p->c.arena, &j->relabel,
                           p->c.diag));
    return pipe_relabel_parse(discovery_conf_given(map, "metric_relabel_configs"), p->c.arena,
                              &j->metric_relabel, p->c.diag);
}

static int parse(struct input__conf *p)
{
    const struct text_yaml *list = p->source->scrape_configs;
    TRY(read_global(p, text_yaml_is_null(p->source->global) ? NULL : p->source->global));
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, p->c.diag, ERR_INVALID, "scrape_configs takes a list");
    p->config->jobs = ARENA_ARRAY(p->c.arena, struct input__scrape_job, list->count);
    for (size_t i = 0; i < list->count; i++) {
        p->config->job_count = i + 1;
        TRY(read_job(p, list->items[i], &p->config->jobs[i]));
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(p->config->jobs[k].name, p->config->jobs[i].name))
                return text_yaml_error(list->items[i], p->c.diag, ERR_INVALID,
                                       "found multiple scrape configs with job name \"%.*s\"",
                                       SLICE_FMT(p->config->jobs[i].name));
        }
    }
    return 0;
}

int input_scrape_config_parse(const struct input_scrape_source *source,
                              struct input_scrape_config **out, struct diag *diag)
{
    struct input_scrape_config *c = mem_calloc(1, sizeof(*c));
    struct diag inner;
    diag_init(&inner);
    c->arena = arena_new(0, NULL);
    atomic_init(&c->refs, 1);
    struct input__conf p = {.c = {.base_dir = source->base_dir,
                                  .ignore_unsupported = source->ignore_unsupported,
                                  .arena = c->arena,
                                  .diag = &inner},
                            .source = source,
                            .config = c};
    int err = parse(&p);
    if (err) {
        if (source->file)
            diag_set_file(&inner, source->file);
        if (diag)
            *diag = inner;
        input_scrape_config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

struct input_scrape_config *input__scrape_config_ref(struct input_scrape_config *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void input_scrape_config_free(struct input_scrape_config *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    for (size_t i = 0; i < c->job_count; i++) {
        pipe_relabel_deinit(&c->jobs[i].relabel);
        pipe_relabel_deinit(&c->jobs[i].metric_relabel);
    }
    arena_free(c->arena);
    mem_free(c);
}

struct data_labels input_scrape_config_external_labels(const struct input_scrape_config *c)
{
    return c->external_labels;
}

int64_t input_scrape_config_evaluation_interval(const struct input_scrape_config *c)
{
    return c->evaluation_interval_ns;
}
