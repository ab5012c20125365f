#include "pipe/relabel.h"
#include <stdio.h>

#include <locale.h>
#include <wctype.h>

#include "base/assert.h"
#include "base/buf.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "pipe/md5.h"

#define GROUPS_MAX 64

static const char *const action_names[PIPE_RELABEL_ACTION_COUNT + 1] = {
    "replace",  "keep",      "drop",      "keepequal", "dropequal", "hashmod",
    "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase", NULL};

const char *pipe_relabel_action_name(enum pipe_relabel_action action)
{
    base_assert(action < PIPE_RELABEL_ACTION_COUNT);
    return action_names[action];
}

/* --- configuration --- */

/* $1, ${1}, $name or ${name} somewhere. */
static bool has_variable(struct slice s)
{
    return slice_find_char(s, '$') >= 0;
}

static bool is_label_name(struct slice s)
{
    return s.len && codec_utf8_valid(s);
}

static bool parse_action(struct slice s, enum pipe_relabel_action *out)
{
    for (int i = 0; i < PIPE_RELABEL_ACTION_COUNT; i++) {
        if (slice_eq_nocase(s, slice_cstr(action_names[i]))) {
            *out = (enum pipe_relabel_action)i;
            return true;
        }
    }
    return false;
}

struct given {
    const struct text_yaml *source_labels, *separator, *target_label, *regex, *modulus,
        *replacement;
};

static int check_rule(const struct pipe_relabel_rule *r, const struct given *g,
                      const struct text_yaml *at, struct diag *diag)
{
    enum pipe_relabel_action a = r->action;
    const char *name = action_names[a];
    bool cases = a == PIPE_RELABEL_LOWERCASE || a == PIPE_RELABEL_UPPERCASE;
    bool equal = a == PIPE_RELABEL_KEEPEQUAL || a == PIPE_RELABEL_DROPEQUAL;
    bool other_separator = !slice_eq_cstr(r->separator, ";");
    bool other_replacement = !slice_eq_cstr(r->replacement, "$1");
    const struct text_yaml *target_at = g->target_label ? g->target_label : at;
    if (a == PIPE_RELABEL_HASHMOD && !r->modulus)
        return text_yaml_error(g->modulus ? g->modulus : at, diag, ERR_INVALID,
                               "relabel configuration for hashmod requires non-zero modulus");
    if ((a == PIPE_RELABEL_REPLACE || a == PIPE_RELABEL_HASHMOD || cases || equal) &&
        !r->target_label.len)
        return text_yaml_error(at, diag, ERR_INVALID,
                               "relabel configuration for %s action requires 'target_label' value",
                               name);
    if ((a == PIPE_RELABEL_REPLACE || a == PIPE_RELABEL_HASHMOD || cases || equal) &&
        !is_label_name(r->target_label))
        return text_yaml_error(target_at, diag, ERR_INVALID,
                               "\"%.*s\" is invalid 'target_label' for %s action",
                               SLICE_FMT(r->target_label), name);
    if ((cases || equal) && other_replacement)
        return text_yaml_error(g->replacement, diag, ERR_INVALID,
                               "'replacement' can not be set for %s action", name);
    if (a == PIPE_RELABEL_LABELMAP && !is_label_name(r->replacement))
        return text_yaml_error(g->replacement, diag, ERR_INVALID,
                               "\"%.*s\" is invalid 'replacement' for %s action",
                               SLICE_FMT(r->replacement), name);
    if (equal && (!r->default_regex || r->modulus || other_separator))
        return text_yaml_error(at, diag, ERR_INVALID,
                               "%s action requires only 'source_labels' and 'target_label', and no "
                               "other fields",
                               name);
    if ((a == PIPE_RELABEL_LABELDROP || a == PIPE_RELABEL_LABELKEEP) &&
        (g->source_labels || r->target_label.len || r->modulus || other_separator ||
         other_replacement))
        return text_yaml_error(at, diag, ERR_INVALID,
                               "%s action requires only 'regex', and no other fields", name);
    return 0;
}

/* Present and not null. */
static const struct text_yaml *given(const struct text_yaml *map, const char *key)
{
    const struct text_yaml *n = text_yaml_get(map, key);
    return text_yaml_is_null(n) ? NULL : n;
}

static int parse_sources(const struct text_yaml *list, struct arena *arena,
                         struct pipe_relabel_rule *r, struct diag *diag)
{
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID,
                               "source_labels takes a list of label names: [a, b]");
    struct slice *names = ARENA_ARRAY(arena, struct slice, list->count);
    for (size_t i = 0; i < list->count; i++) {
        int err = text_yaml_string(list->items[i], &names[i], diag);
        if (err)
            return err;
        if (!is_label_name(names[i]))
            return text_yaml_error(list->items[i], diag, ERR_INVALID,
                                   "\"%.*s\" is not a valid label name", SLICE_FMT(names[i]));
        names[i] = arena_slice(arena, names[i]);
    }
    r->source_labels = names;
    r->source_label_count = list->count;
    return 0;
}

static int parse_text(const struct text_yaml *node, struct arena *arena, struct slice *out,
                      struct diag *diag)
{
    if (!node)
        return 0;
    int err = text_yaml_string(node, out, diag);
    if (!err)
        *out = arena_slice(arena, *out);
    return err;
}

static int parse_rule(const struct text_yaml *map, struct arena *arena, struct pipe_relabel_rule *r,
                      struct diag *diag)
{
    static const char *const keys[] = {"source_labels", "separator",   "target_label", "regex",
                                       "modulus",       "replacement", "action",       NULL};
    if (map->kind != TEXT_YAML_MAP)
        return text_yaml_error(map, diag, ERR_INVALID, "a relabelling rule is a map");
    int err = text_yaml_check_keys(map, "a relabelling rule", keys, diag);
    if (err)
        return err;
    /* An empty separator or replacement is a value of its own; only a missing one is the default.
     */
    struct given g = {.source_labels = given(map, "source_labels"),
                      .separator = given(map, "separator"),
                      .target_label = given(map, "target_label"),
                      .regex = given(map, "regex"),
                      .modulus = given(map, "modulus"),
                      .replacement = given(map, "replacement")};
    const struct text_yaml *action = given(map, "action");
    r->separator = SLICE(";");
    r->replacement = SLICE("$1");
    r->regex_text = SLICE("(.*)");
    r->target_label = SLICE("");
    if (action) {
        struct slice s;
        err = text_yaml_string(action, &s, diag);
        if (!err && !parse_action(s, &r->action)) {
            const char *near = text_nearest(s, action_names);
            return text_yaml_error(
                action, diag, ERR_INVALID, "unknown relabel action \"%.*s\"%s%s%s", SLICE_FMT(s),
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
    }
    if (!err && g.source_labels)
        err = parse_sources(g.source_labels, arena, r, diag);
    if (!err)
        err = parse_text(g.separator, arena, &r->separator, diag);
    if (!err)
        err = parse_text(g.target_label, arena, &r->target_label, diag);
    if (!err)
        err = parse_text(g.replacement, arena, &r->replacement, diag);
    if (!err)
        err = parse_text(g.regex, arena, &r->regex_text, diag);
    if (!err && g.modulus) {
        int64_t n;
        err = text_yaml_int(g.modulus, 0, INT64_MAX, &n, diag);
        r->modulus = err ? 0 : (uint64_t)n;
    }
    if (err)
        return err;
    r->default_regex = slice_eq_cstr(r->regex_text, "(.*)");
    r->plain_target = !has_variable(r->target_label);
    r->plain_replacement = !has_variable(r->replacement);
    err = check_rule(r, &g, map, diag);
    if (err)
        return err;
    struct diag inner;
    diag_init(&inner);
    err = text_regex_compile(r->regex_text, TEXT_REGEX_ANCHORED, &r->regex, &inner);
    if (err)
        return text_yaml_error(g.regex ? g.regex : map, diag, err, "%s", inner.msg);
    if (text_regex_group_count(r->regex) > GROUPS_MAX)
        return text_yaml_error(g.regex, diag, ERR_INVALID, "regex has more than %d groups",
                               GROUPS_MAX - 1);
    return 0;
}

int pipe_relabel_parse(const struct text_yaml *list, struct arena *arena, struct pipe_relabel *out,
                       struct diag *diag)
{
    *out = (struct pipe_relabel){0};
    if (text_yaml_is_null(list))
        return 0;
    if (list->kind != TEXT_YAML_LIST)
        return text_yaml_error(list, diag, ERR_INVALID, "a list of relabelling rules is expected");
    struct pipe_relabel r = {ARENA_ARRAY(arena, struct pipe_relabel_rule, list->count),
                             list->count};
    for (size_t i = 0; i < list->count; i++) {
        int err = parse_rule(list->items[i], arena, &r.rules[i], diag);
        if (err) {
            pipe_relabel_deinit(&r);
            return err;
        }
    }
    *out = r;
    return 0;
}

void pipe_relabel_deinit(struct pipe_relabel *r)
{
    for (size_t i = 0; i < r->count; i++)
        text_regex_free(r->rules[i].regex);
    *r = (struct pipe_relabel){0};
}

/* --- applying --- */

static struct slice joined_sources(const struct pipe_relabel_rule *r,
                                   const struct data_labels_builder *b, struct arena *arena)
{
    if (r->source_label_count == 0)
        return SLICE("");
    if (r->source_label_count == 1) {
        struct slice v = data_labels_builder_get(b, r->source_labels[0]);
        return v.ptr ? v : SLICE("");
    }
    size_t len = 0;
    for (size_t i = 0; i < r->source_label_count; i++)
        len += data_labels_builder_get(b, r->source_labels[i]).len + r->separator.len;
    char *text = arena_alloc(arena, len + 1), *at = text;
    base_assert(text);
    for (size_t i = 0; i < r->source_label_count; i++) {
        if (i && r->separator.len) {
            memcpy(at, r->separator.ptr, r->separator.len);
            at += r->separator.len;
        }
        struct slice v = data_labels_builder_get(b, r->source_labels[i]);
        if (v.len)
            memcpy(at, v.ptr, v.len);
        at += v.len;
    }
    return slice_make(text, (size_t)(at - text));
}

static struct slice expand(const struct pipe_relabel_rule *r, struct slice template,
                           const struct slice *groups, size_t group_count, struct arena *arena)
{
    struct buf out = {0};
    text_regex_expand(r->regex, template, groups, group_count, &out);
    struct slice s = arena_slice(arena, buf_slice(&out));
    buf_deinit(&out);
    return s;
}

static void replace(const struct pipe_relabel_rule *r, struct data_labels_builder *b,
                    struct slice value, struct arena *arena)
{
    struct slice target = r->target_label, result = r->replacement;
    if (!(r->default_regex && r->plain_target && r->plain_replacement)) {
        struct slice groups[GROUPS_MAX];
        size_t n = MIN(text_regex_group_count(r->regex), (size_t)GROUPS_MAX);
        if (!text_regex_groups(r->regex, value, groups, n))
            return;
        if (!r->plain_target)
            target = expand(r, target, groups, n, arena);
        if (!is_label_name(target))
            return;
        if (!r->plain_replacement)
            result = expand(r, result, groups, n, arena);
    }
    data_labels_builder_set(b, target, result);
}

/* Simple case mapping of each code point, in the C library's Unicode tables. */
static struct slice change_case(struct slice s, bool upper, struct arena *arena)
{
    static locale_t unicode;
    locale_t loc = __atomic_load_n(&unicode, __ATOMIC_ACQUIRE);
    if (!loc) {
        loc = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        if (!loc)
            loc = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
        __atomic_store_n(&unicode, loc, __ATOMIC_RELEASE);
    }
    struct buf out = {0};
    for (size_t i = 0; i < s.len;) {
        uint32_t code;
        char text[4];
        size_t n = codec_utf8_decode(slice_from(s, i), &code);
        if (!n) {
            buf_append_char(&out, s.ptr[i++]);
            continue;
        }
        i += n;
        wint_t w = upper ? towupper_l((wint_t)code, loc) : towlower_l((wint_t)code, loc);
        buf_append(&out, text, codec_utf8_encode((uint32_t)w, text));
    }
    struct slice done = arena_slice(arena, buf_slice(&out));
    buf_deinit(&out);
    return done;
}

static void hash_mod(const struct pipe_relabel_rule *r, struct data_labels_builder *b,
                     struct slice value, struct arena *arena)
{
    unsigned char sum[16];
    uint64_t n = 0;
    char text[CODEC_INT_TEXT_MAX];
    pipe_md5(value, sum);
    for (int i = 8; i < 16; i++)
        n = n << 8 | sum[i];
    size_t len = codec_uint_to_text(n % r->modulus, text);
    data_labels_builder_set(b, r->target_label, arena_slice(arena, slice_make(text, len)));
}

static void label_map(const struct pipe_relabel_rule *r, struct data_labels_builder *b,
                      struct arena *arena)
{
    /* All labels as they were before the rule. */
    size_t count = b->items.len;
    struct data_label *before = arena_dup(arena, b->items.items, count * sizeof(*before));
    base_assert(before);
    struct slice groups[GROUPS_MAX];
    size_t n = MIN(text_regex_group_count(r->regex), (size_t)GROUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (!before[i].value.len || !text_regex_groups(r->regex, before[i].name, groups, n))
            continue;
        struct slice name = expand(r, r->replacement, groups, n, arena);
        if (is_label_name(name))
            data_labels_builder_set(b, name, before[i].value);
    }
}

static bool apply_rule(const struct pipe_relabel_rule *r, struct data_labels_builder *b,
                       struct arena *arena)
{
    struct slice value = joined_sources(r, b, arena);
    switch (r->action) {
    case PIPE_RELABEL_REPLACE: replace(r, b, value, arena); break;
    case PIPE_RELABEL_KEEP: return text_regex_match(r->regex, value);
    case PIPE_RELABEL_DROP: return !text_regex_match(r->regex, value);
    case PIPE_RELABEL_KEEPEQUAL:
        return slice_eq(data_labels_builder_get(b, r->target_label), value);
    case PIPE_RELABEL_DROPEQUAL:
        return !slice_eq(data_labels_builder_get(b, r->target_label), value);
    case PIPE_RELABEL_HASHMOD: hash_mod(r, b, value, arena); break;
    case PIPE_RELABEL_LABELMAP: label_map(r, b, arena); break;
    case PIPE_RELABEL_LABELDROP:
    case PIPE_RELABEL_LABELKEEP:
        for (size_t i = 0; i < b->items.len; i++) {
            struct data_label *l = &b->items.items[i];
            if (l->value.len &&
                text_regex_match(r->regex, l->name) == (r->action == PIPE_RELABEL_LABELDROP))
                l->value = SLICE("");
        }
        break;
    case PIPE_RELABEL_LOWERCASE:
    case PIPE_RELABEL_UPPERCASE:
        data_labels_builder_set(b, r->target_label,
                                change_case(value, r->action == PIPE_RELABEL_UPPERCASE, arena));
        break;
    case PIPE_RELABEL_ACTION_COUNT: break;
    }
    return true;
}

enum pipe_relabel_verdict pipe_relabel_apply_rule(const struct pipe_relabel_rule *r,
                                                  struct data_labels_builder *b,
                                                  struct arena *arena, struct diag *diag)
{
    uint64_t overruns = text_regex_overruns();
    bool kept = apply_rule(r, b, arena);
    if (text_regex_overruns() == overruns)
        return kept ? PIPE_RELABEL_KEPT : PIPE_RELABEL_DROPPED;
    char what[200];
    snprintf(what, sizeof(what), "the regular expression \"%.*s\" of a relabelling rule",
             SLICE_FMT(slice_first(r->regex_text, 100)));
    text_regex_check(overruns, what, diag);
    return PIPE_RELABEL_REFUSED;
}

enum pipe_relabel_verdict pipe_relabel_apply(const struct pipe_relabel *r,
                                             struct data_labels_builder *b, struct arena *arena,
                                             struct diag *diag)
{
    enum pipe_relabel_verdict v = PIPE_RELABEL_KEPT;
    for (size_t i = 0; i < r->count && v == PIPE_RELABEL_KEPT; i++)
        v = pipe_relabel_apply_rule(&r->rules[i], b, arena, diag);
    return v;
}
