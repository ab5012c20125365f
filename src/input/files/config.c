/* The section inputs.files. */
#include "base/hash.h"
#include "input/files/files_priv.h"
#include "text/duration.h"
#include "text/glob.h"
#include "text/go_time.h"

static const char *const keys[] = {
    "include",     "exclude",   "format", "start",  "multiline", "encoding",        "labels",
    "path_labels", "timestamp", "zone",   "fields", "service",   "partial_timeout", NULL};
static const char *const multiline_keys[] = {"preset",    "start",   "negate",
                                             "max_lines", "timeout", NULL};

/* Of a scalar the index in `names`. */
static int read_choice(const struct text_yaml *node, const char *what, const char *const *names,
                       int *out, struct diag *diag)
{
    struct slice s;
    struct buf all = {0};
    int err = text_yaml_string(node, &s, diag);
    if (err)
        return err;
    for (int i = 0; names[i]; i++) {
        if (slice_eq_cstr(s, names[i])) {
            *out = i;
            buf_deinit(&all);
            return 0;
        }
        buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    err = text_yaml_error(node, diag, ERR_INVALID, "%s: \"%.*s\" is none of %s", what, SLICE_FMT(s),
                          buf_cstr(&all));
    buf_deinit(&all);
    return err;
}

static int read_glob(const struct text_yaml *node, struct arena *arena, struct slice *out,
                     struct diag *diag)
{
    struct diag why;
    struct slice s;
    diag_init(&why);
    int err = text_yaml_string(node, &s, diag);
    if (err)
        return err;
    if ((err = text_glob_check(s, &why)))
        return text_yaml_error(node, diag, err, "%s", why.msg);
    if (s.ptr[0] != '/')
        return text_yaml_error(node, diag, ERR_INVALID,
                               "\"%.*s\": a path from the root is expected, like /var/log/*.log",
                               SLICE_FMT(s));
    *out = arena_slice(arena, s);
    return 0;
}

/* A glob, or a list of them. */
static int read_globs(const struct text_yaml *node, struct arena *arena, struct slice **out,
                      size_t *out_count, struct diag *diag)
{
    bool list = node->kind == TEXT_YAML_LIST;
    int err = 0;
    *out_count = list ? node->count : 1;
    *out = ARENA_ARRAY(arena, struct slice, *out_count);
    for (size_t i = 0; i < *out_count && !err; i++)
        err = read_glob(list ? node->items[i] : node, arena, &(*out)[i], diag);
    return err;
}

static int read_regex(const struct text_yaml *node, struct text_regex **out, struct diag *diag)
{
    struct diag why;
    struct slice s;
    diag_init(&why);
    int err = text_yaml_string(node, &s, diag);
    if (!err && (err = text_regex_compile(s, 0, out, &why)))
        err = text_yaml_error(node, diag, err, "%s", why.msg);
    return err;
}

static int read_multiline(const struct text_yaml *node, struct files_spec *spec, struct diag *diag)
{
    struct decode_multiline *m = &spec->multiline;
    const struct text_yaml *preset = node, *start = NULL, *v;
    struct slice name;
    struct diag why;
    int64_t n;
    int err = 0;
    m->lines_max = 500;
    m->timeout_ns = 5 * NS_PER_SEC;
    if (node->kind == TEXT_YAML_MAP) {
        preset = text_yaml_get(node, "preset");
        start = text_yaml_get(node, "start");
        if ((err = text_yaml_check_keys(node, "multiline", multiline_keys, diag)))
            return err;
    }
    if (!preset == !start)
        return text_yaml_error(node, diag, ERR_INVALID,
                               "multiline takes a preset (java, python, go) or start, a regular "
                               "expression that a record's first line matches");
    if (preset) {
        diag_init(&why);
        err = text_yaml_string(preset, &name, diag);
        if (!err && (err = decode_multiline_preset(name, m, &why)))
            err = text_yaml_error(preset, diag, ERR_INVALID, "multiline: %s", why.msg);
    } else {
        err = read_regex(start, &m->regex, diag);
    }
    if (!err && node->kind == TEXT_YAML_MAP) {
        if ((v = text_yaml_get(node, "negate"))) {
            err = preset ? text_yaml_error(v, diag, ERR_INVALID,
                                           "negate goes with start, not with "
                                           "a preset")
                         : text_yaml_bool(v, &m->negate, diag);
        }
        if (!err && (v = text_yaml_get(node, "max_lines")) &&
            !(err = text_yaml_int(v, 1, 100000, &n, diag)))
            m->lines_max = (size_t)n;
        if (!err && (v = text_yaml_get(node, "timeout")))
            err = text_yaml_duration(v, &m->timeout_ns, diag);
    }
    if (!err)
        spec->rules.multiline = m;
    return err;
}

static int read_labels(const struct text_yaml *node, struct arena *arena, struct files_spec *spec,
                       struct diag *diag)
{
    if (node->kind != TEXT_YAML_MAP)
        return text_yaml_error(node, diag, ERR_INVALID, "labels takes a map of names to values");
    spec->labels = ARENA_ARRAY(arena, struct data_label, node->count + 1);
    for (size_t i = 0; i < node->count; i++) {
        struct slice name = node->keys[i]->value, value;
        int err = text_yaml_string(node->items[i], &value, diag);
        if (err)
            return err;
        if (!data_label_name_is_legacy(name))
            return text_yaml_error(node->keys[i], diag, ERR_INVALID,
                                   "labels: \"%.*s\" is no label name: letters, digits and _, no "
                                   "digit first",
                                   SLICE_FMT(name));
        spec->labels[spec->label_count].name = arena_slice(arena, name);
        spec->labels[spec->label_count++].value = arena_slice(arena, value);
    }
    return 0;
}

static int read_path_labels(const struct text_yaml *node, struct files_spec *spec,
                            struct diag *diag)
{
    size_t named = 0;
    int err = read_regex(node, &spec->path_regex, diag);
    for (size_t i = 1; !err && i < text_regex_group_count(spec->path_regex); i++) {
        struct slice name = text_regex_group_name(spec->path_regex, i);
        if (name.len && !data_label_name_is_legacy(name))
            err = text_yaml_error(node, diag, ERR_INVALID, "path_labels: \"%.*s\" is no label name",
                                  SLICE_FMT(name));
        named += name.len > 0;
    }
    if (!err && !named)
        err = text_yaml_error(node, diag, ERR_INVALID,
                              "path_labels has no named group, like (?P<app>[^/]+), and so gives "
                              "no label");
    return err;
}

static int read_zone(const struct text_yaml *node, struct files_spec *spec, struct diag *diag)
{
    struct slice zone;
    int err = text_yaml_string(node, &zone, diag);
    spec->zone_is_local = !err && slice_eq_cstr(zone, "local");
    if (!err && !spec->zone_is_local && !text_go_zone_parse(zone, &spec->rules.offset_s))
        err = text_yaml_error(node, diag, ERR_INVALID,
                              "zone: \"%.*s\" is no zone: local, UTC or an offset like +02:00",
                              SLICE_FMT(zone));
    return err;
}

static int read_spec(const struct text_yaml *node, struct arena *arena, struct files_spec *spec,
                     struct diag *diag)
{
    static const char *const starts[] = {"beginning", "end", NULL};
    static const char *const times[] = {"auto", "received", NULL};
    const struct text_yaml *v;
    struct slice service;
    bool b;
    int choice = 0, err;
    spec->zone_is_local = true;
    spec->partial_ns = 10 * NS_PER_SEC;
    if (node->kind != TEXT_YAML_MAP)
        return text_yaml_error(node, diag, ERR_INVALID,
                               "an entry of inputs.files is a map with include and more");
    if ((err = text_yaml_check_keys(node, "an entry of inputs.files", keys, diag)))
        return err;
    if (!(v = text_yaml_get(node, "include")) || text_yaml_is_null(v) ||
        (v->kind == TEXT_YAML_LIST && !v->count))
        return text_yaml_error(node, diag, ERR_INVALID,
                               "include is missing: the files to read, like /var/log/*.log");
    err = read_globs(v, arena, &spec->include, &spec->include_count, diag);
    for (size_t i = 0; !err && i < spec->include_count; i++)
        spec->id = hash64(spec->include[i].ptr, spec->include[i].len, spec->id);
    if (!err && (v = text_yaml_get(node, "exclude")) && !text_yaml_is_null(v))
        err = read_globs(v, arena, &spec->exclude, &spec->exclude_count, diag);
    if (!err && (v = text_yaml_get(node, "format")) &&
        !(err = read_choice(v, "format", decode_logfile_formats, &choice, diag)))
        spec->rules.format = (enum decode_logfile_format)choice;
    if (!err && (v = text_yaml_get(node, "encoding")) &&
        !(err = read_choice(v, "encoding", decode_logfile_encodings, &choice, diag)))
        spec->rules.encoding = (enum decode_logfile_encoding)choice;
    if (!err && (v = text_yaml_get(node, "start")) &&
        !(err = read_choice(v, "start", starts, &choice, diag)))
        spec->from_end = choice == 1;
    if (!err && (v = text_yaml_get(node, "timestamp")) &&
        !(err = read_choice(v, "timestamp", times, &choice, diag)))
        spec->rules.received = choice == 1;
    if (!err && (v = text_yaml_get(node, "fields")) && !(err = text_yaml_bool(v, &b, diag)))
        spec->rules.fields = b;
    if (!err && (v = text_yaml_get(node, "partial_timeout")))
        err = text_yaml_duration(v, &spec->partial_ns, diag);
    if (!err && (v = text_yaml_get(node, "zone")))
        err = read_zone(v, spec, diag);
    if (!err && (v = text_yaml_get(node, "multiline")) && !text_yaml_is_null(v))
        err = read_multiline(v, spec, diag);
    if (!err && (v = text_yaml_get(node, "path_labels")))
        err = read_path_labels(v, spec, diag);
    spec->labels = ARENA_ARRAY(arena, struct data_label, 1);
    if (!err && (v = text_yaml_get(node, "labels")) && !text_yaml_is_null(v))
        err = read_labels(v, arena, spec, diag);
    if (!err && (v = text_yaml_get(node, "service")) &&
        !(err = text_yaml_string(v, &service, diag))) {
        spec->labels[spec->label_count].name = SLICE("service_name");
        spec->labels[spec->label_count++].value = arena_slice(arena, service);
    }
    return err;
}

int input_files_config_parse(const struct text_yaml *list, struct input_files_config **out,
                             struct diag *diag)
{
    struct input_files_config *c = mem_calloc(1, sizeof(*c));
    int err = 0;
    *out = NULL;
    c->arena = arena_new(0, NULL);
    if (!text_yaml_is_null(list)) {
        if (list->kind != TEXT_YAML_LIST)
            err = text_yaml_error(list, diag, ERR_INVALID,
                                  "inputs.files takes a list: - include: /var/log/*.log");
        else /* rules point at multiline: the array must not move */
            vec_reserve(&c->specs, list->count + 1);
        for (size_t i = 0; !err && i < list->count; i++)
            err = read_spec(list->items[i], c->arena, vec_add(&c->specs), diag);
    }
    if (err) {
        input_files_config_free(c);
        return err;
    }
    *out = c;
    return 0;
}

size_t input_files_config_count(const struct input_files_config *config)
{
    return config->specs.len;
}

void input_files_config_free(struct input_files_config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->specs.len; i++) {
        decode_multiline_deinit(&c->specs.items[i].multiline);
        text_regex_free(c->specs.items[i].path_regex);
    }
    vec_free(&c->specs);
    arena_free(c->arena);
    mem_free(c);
}

bool files__spec_takes(const struct files_spec *spec, struct slice path)
{
    bool taken = false;
    for (size_t i = 0; i < spec->include_count && !taken; i++)
        taken = text_glob_match(spec->include[i], path);
    for (size_t i = 0; i < spec->exclude_count && taken; i++)
        taken = !text_glob_match(spec->exclude[i], path);
    return taken;
}
