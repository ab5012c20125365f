/* The section `otlp` of prometheus.yml. */
#include "decode/otlp/translation.h"

void decode_otlp_translation_defaults(struct decode_otlp_translation *t)
{
    *t = (struct decode_otlp_translation){.escape = true,
                                          .suffixes = true,
                                          .label_name_underscore_sanitization = true,
                                          .label_name_preserve_multiple_underscores = true,
                                          .target_info_interval_ns = 150 * NS_PER_SEC};
}

static const struct {
    const char *name;
    bool escape, suffixes;
} strategies[] = {
    {"UnderscoreEscapingWithSuffixes", true, true},
    {"UnderscoreEscapingWithoutSuffixes", true, false},
    {"NoUTF8EscapingWithSuffixes", false, true},
    {"NoTranslation", false, false},
};

static int read_strategy(const struct text_yaml *node, struct decode_otlp_translation *out,
                         struct diag *diag)
{
    struct slice name;
    int err = text_yaml_string(node, &name, diag);
    if (err)
        return err;
    if (!name.len)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        if (slice_eq_cstr(name, strategies[i].name)) {
            out->escape = strategies[i].escape;
            out->suffixes = strategies[i].suffixes;
            return 0;
        }
    }
    return text_yaml_error(node, diag, ERR_INVALID,
                           "unsupported OTLP translation strategy \"%.*s\"; it is one of %s, %s, "
                           "%s, %s",
                           SLICE_FMT(slice_first(name, 100)), strategies[0].name,
                           strategies[1].name, strategies[2].name, strategies[3].name);
}

/* A list of distinct attribute keys, none empty. */
static int read_keys(const struct text_yaml *node, const char *key, struct arena *arena,
                     const struct slice **out, size_t *out_count, struct diag *diag)
{
    if (node->kind != TEXT_YAML_LIST)
        return text_yaml_error(node, diag, ERR_INVALID, "%s is a list of resource attributes", key);
    struct slice *keys = arena_alloc(arena, (node->count + 1) * sizeof(*keys));
    for (size_t i = 0; i < node->count; i++) {
        struct slice s;
        int err = text_yaml_string(node->items[i], &s, diag);
        if (err)
            return err;
        keys[i] = arena_slice(arena, slice_trim(s));
        if (!keys[i].len)
            return text_yaml_error(node->items[i], diag, ERR_INVALID,
                                   "empty resource attribute in %s", key);
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(keys[k], keys[i]))
                return text_yaml_error(node->items[i], diag, ERR_INVALID,
                                       "resource attribute \"%.*s\" is twice in %s",
                                       SLICE_FMT(slice_first(keys[i], 100)), key);
        }
    }
    *out = keys;
    *out_count = node->count;
    return 0;
}

int decode_otlp_translation_parse(const struct text_yaml *section, struct arena *arena,
                                  struct decode_otlp_translation *out, struct diag *diag)
{
    static const char promote[] = "promote_resource_attributes",
                      ignore[] = "ignore_resource_attributes";
    const struct {
        const char *key;
        bool *to;
    } flags[] = {
        {"keep_identifying_resource_attributes", &out->keep_identifying_resource_attributes},
        {"convert_histograms_to_nhcb", &out->convert_histograms_to_nhcb},
        {"promote_scope_metadata", &out->promote_scope_metadata},
        {"promote_all_resource_attributes", &out->promote_all_resource_attributes},
        {"label_name_underscore_sanitization", &out->label_name_underscore_sanitization},
        {"label_name_preserve_multiple_underscores",
         &out->label_name_preserve_multiple_underscores},
    };
    const char *known[ARRAY_LEN(flags) + 4] = {"translation_strategy", promote, ignore};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        known[3 + i] = flags[i].key;
    decode_otlp_translation_defaults(out);
    if (text_yaml_is_null(section))
        return 0;
    if (section->kind != TEXT_YAML_MAP)
        return text_yaml_error(section, diag, ERR_INVALID, "otlp is a map of settings");
    int err = text_yaml_check_keys(section, "otlp", known, diag);
    const struct text_yaml *n = text_yaml_get(section, "translation_strategy");
    if (!err && !text_yaml_is_null(n))
        err = read_strategy(n, out, diag);
    for (size_t i = 0; i < ARRAY_LEN(flags) && !err; i++) {
        n = text_yaml_get(section, flags[i].key);
        if (!text_yaml_is_null(n))
            err = text_yaml_bool(n, flags[i].to, diag);
    }
    n = text_yaml_get(section, promote);
    if (!err && !text_yaml_is_null(n)) {
        err = read_keys(n, promote, arena, &out->promote, &out->promote_count, diag);
        if (!err && out->promote_all_resource_attributes && out->promote_count)
            err = text_yaml_error(n, diag, ERR_INVALID,
                                  "promote_all_resource_attributes and %s cannot go together",
                                  promote);
    }
    n = text_yaml_get(section, ignore);
    if (!err && !text_yaml_is_null(n)) {
        err = read_keys(n, ignore, arena, &out->ignore, &out->ignore_count, diag);
        if (!err && !out->promote_all_resource_attributes && out->ignore_count)
            err = text_yaml_error(n, diag, ERR_INVALID,
                                  "%s needs promote_all_resource_attributes: true", ignore);
    }
    return err;
}
