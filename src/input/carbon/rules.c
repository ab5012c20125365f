#include "input/carbon/rules.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/number.h"
#include "os/file.h"
#include "text/regex.h"

#define FILE_MAX   (16u << 20)
#define GROUPS_MAX 32

typedef VEC(struct text_regex *) regex_list;

struct rewrite {
    struct text_regex *pattern;
    struct slice template; /* Go's; owned by the arena */
};
typedef VEC(struct rewrite) rewrite_list;

struct aggregation {
    struct text_regex *pattern;
    struct slice template;
    int64_t frequency_s;
    enum carbon_method method;
    double percentile;
};

struct input_carbon_rules {
    _Atomic int refs;
    struct arena *arena;
    regex_list blacklist, whitelist;
    rewrite_list rewrites[2]; /* pre, post */
    VEC(struct aggregation) aggregations;
    bool forward_all;
};

struct input_carbon_rules *input_carbon_rules_ref(struct input_carbon_rules *r)
{
    if (r)
        atomic_fetch_add(&r->refs, 1);
    return r;
}

static void free_list(regex_list *l)
{
    for (size_t i = 0; i < l->len; i++)
        text_regex_free(l->items[i]);
    vec_free(l);
}

void input_carbon_rules_unref(struct input_carbon_rules *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    free_list(&r->blacklist);
    free_list(&r->whitelist);
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < r->rewrites[k].len; i++)
            text_regex_free(r->rewrites[k].items[i].pattern);
        vec_free(&r->rewrites[k]);
    }
    for (size_t i = 0; i < r->aggregations.len; i++)
        text_regex_free(r->aggregations.items[i].pattern);
    vec_free(&r->aggregations);
    arena_free(r->arena);
    mem_free(r);
}

/* --- reading --- */

typedef int (*line_fn)(struct input_carbon_rules *r, struct slice line, void *state,
                       struct diag *diag);

static int each_line(struct slice text, const char *name, struct input_carbon_rules *r, line_fn fn,
                     void *state, struct diag *diag)
{
    struct slice line;
    uint32_t number = 0;
    int err = 0;
    while (!err && slice_split(&text, '\n', &line)) {
        number++;
        line = slice_trim(line);
        if (!line.len || line.ptr[0] == '#')
            continue;
        err = fn(r, line, state, diag);
        if (err && diag) {
            diag_set_file(diag, name);
            diag->line = number;
        }
    }
    return err;
}

static int list_line(struct input_carbon_rules *r, struct slice line, void *state,
                     struct diag *diag)
{
    regex_list *list = state;
    struct text_regex *re;
    (void)r;
    int err = text_regex_compile(line, 0, &re, diag);
    if (!err)
        vec_push(list, re);
    return err;
}

static int rewrite_line(struct input_carbon_rules *r, struct slice line, void *state,
                        struct diag *diag)
{
    int *section = state;
    struct rewrite rule;
    struct buf template = {0};
    if (line.ptr[0] == '[') {
        *section = slice_eq_nocase(line, SLICE("[pre]"))    ? 0
                   : slice_eq_nocase(line, SLICE("[post]")) ? 1
                                                            : -1;
        return *section >= 0 ? 0 : diag_set(diag, ERR_INVALID, "[pre] or [post] is expected");
    }
    ptrdiff_t eq = slice_find_char(line, '=');
    if (*section < 0 || eq <= 0)
        return diag_set(diag, ERR_INVALID,
                        "\"expression = replacement\" in a section [pre] or [post] is expected");
    int err = text_regex_compile(slice_trim(slice_first(line, (size_t)eq)), 0, &rule.pattern, diag);
    if (err)
        return err;
    text_regex_template_from_python(slice_trim(slice_from(line, (size_t)eq + 1)), &template);
    rule.template = arena_slice(r->arena, buf_slice(&template));
    buf_deinit(&template);
    vec_push(&r->rewrites[*section], rule);
    return 0;
}

/* <field> and <<field>> of an input pattern; the rest of a part may be a regular expression. */
static void input_part(struct slice part, struct buf *out)
{
    ptrdiff_t open = slice_find(part, SLICE("<<")), close = slice_find(part, SLICE(">>"));
    bool wide = open >= 0 && close > open;
    if (!wide) {
        open = slice_find_char(part, '<');
        close = slice_find_char(part, '>');
    }
    if (open >= 0 && close > open) {
        size_t from = (size_t)open + 1 + wide;
        buf_printf(out, "%.*s(?P<%.*s>%s+?)%.*s", SLICE_FMT(slice_first(part, (size_t)open)),
                   SLICE_FMT(slice_make(part.ptr + from, (size_t)close - from)),
                   wide ? "." : "[^.]", SLICE_FMT(slice_from(part, (size_t)close + 1 + wide)));
    } else if (slice_eq(part, SLICE("*"))) {
        buf_append_cstr(out, "[^.]+");
    } else {
        for (size_t i = 0; i < part.len; i++) {
            if (part.ptr[i] == '*')
                buf_append_cstr(out, "[^.]*");
            else
                buf_append_char(out, part.ptr[i]);
        }
    }
}

static struct slice word(struct slice *rest)
{
    *rest = slice_trim(*rest);
    size_t n = 0;
    while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
        n++;
    struct slice w = slice_first(*rest, n);
    *rest = slice_trim(slice_from(*rest, n));
    return w;
}

static bool method_of(struct slice name, struct aggregation *a)
{
    static const char *const names[] = {"sum", "avg", "min", "max", "count"};
    static const struct {
        const char *name;
        double p;
    } percentiles[] = {{"p50", .5},  {"p75", .75}, {"p80", .8},   {"p90", .9},
                       {"p95", .95}, {"p99", .99}, {"p999", .999}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_cstr(name, names[i])) {
            a->method = (enum carbon_method)i;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(percentiles); i++) {
        if (slice_eq_cstr(name, percentiles[i].name)) {
            a->method = CARBON_PERCENTILE;
            a->percentile = percentiles[i].p;
            return true;
        }
    }
    return false;
}

static int aggregation_line(struct input_carbon_rules *r, struct slice line, void *state,
                            struct diag *diag)
{
    struct aggregation a = {0};
    struct buf b = {0};
    struct slice part;
    ptrdiff_t eq = slice_find_char(line, '=');
    struct slice left = slice_first(line, eq > 0 ? (size_t)eq : 0);
    struct slice right = eq > 0 ? slice_from(line, (size_t)eq + 1) : left;
    struct slice output = word(&left), frequency = word(&left), method = word(&right),
                 input = word(&right);
    (void)state;
    if (!output.len || !input.len || left.len || right.len || frequency.len < 3 ||
        frequency.ptr[0] != '(' || frequency.ptr[frequency.len - 1] != ')' ||
        !codec_text_to_int(slice_make(frequency.ptr + 1, frequency.len - 2), &a.frequency_s) ||
        a.frequency_s < 1 || a.frequency_s > 366 * 86400)
        return diag_set(diag, ERR_INVALID,
                        "\"output (seconds) = method input\" is expected, as in "
                        "<env>.all.<what> (60) = sum <env>.*.<what>");
    if (!method_of(method, &a))
        return diag_set(diag, ERR_INVALID,
                        "method %.*s: sum, avg, min, max, count, p50, p75, p80, p90, p95, p99 or "
                        "p999 is expected",
                        SLICE_FMT(slice_first(method, 40)));
    buf_append_cstr(&b, "^(?:");
    for (bool first = true; slice_split(&input, '.', &part); first = false) {
        if (!first)
            buf_append_cstr(&b, "\\.");
        input_part(part, &b);
    }
    buf_append_cstr(&b, ")$");
    int err = text_regex_compile(buf_slice(&b), 0, &a.pattern, diag);
    buf_clear(&b);
    for (size_t i = 0; i < output.len; i++) {
        char c = output.ptr[i];
        bool twice = i && c == output.ptr[i - 1]; /* <<field>> is as good as <field> */
        if (c == '<' || c == '>')
            buf_append_cstr(&b, twice ? "" : c == '<' ? "${" : "}");
        else if (c == '$')
            buf_append_cstr(&b, "$$");
        else
            buf_append_char(&b, c);
    }
    a.template = arena_slice(r->arena, buf_slice(&b));
    buf_deinit(&b);
    if (!err)
        vec_push(&r->aggregations, a);
    return err;
}

int input_carbon_rules_parse(const struct slice texts[CARBON_FILE_COUNT],
                             const char *const names[CARBON_FILE_COUNT], bool forward_all,
                             struct input_carbon_rules **out, struct diag *diag)
{
    struct input_carbon_rules *r = mem_calloc(1, sizeof(*r));
    int section = -1;
    const struct {
        line_fn fn;
        void *state;
    } readers[CARBON_FILE_COUNT] = {[CARBON_BLACKLIST] = {list_line, &r->blacklist},
                                    [CARBON_WHITELIST] = {list_line, &r->whitelist},
                                    [CARBON_REWRITE] = {rewrite_line, &section},
                                    [CARBON_AGGREGATION] = {aggregation_line, NULL}};
    int err = 0;
    r->refs = 1;
    r->arena = arena_new(0, NULL);
    r->forward_all = forward_all;
    *out = NULL;
    for (int i = 0; i < CARBON_FILE_COUNT && !err; i++)
        err = each_line(texts[i], names[i], r, readers[i].fn, readers[i].state, diag);
    if (!err && (r->blacklist.len || r->whitelist.len || r->rewrites[0].len || r->rewrites[1].len ||
                 r->aggregations.len))
        *out = r;
    else
        input_carbon_rules_unref(r);
    return err;
}

int input_carbon_rules_load(struct os *os, const struct input_carbon_files *files,
                            struct input_carbon_rules **out, struct diag *diag)
{
    const char *const names[CARBON_FILE_COUNT] = {files->blacklist, files->whitelist,
                                                  files->rewrite, files->aggregation};
    struct buf bytes[CARBON_FILE_COUNT] = {0};
    struct slice texts[CARBON_FILE_COUNT];
    int err = 0;
    *out = NULL;
    for (int i = 0; i < CARBON_FILE_COUNT; i++) {
        if (!err && names[i][0])
            err = os_file_read(os, names[i], FILE_MAX, &bytes[i], diag);
        texts[i] = buf_slice(&bytes[i]);
    }
    if (!err)
        err = input_carbon_rules_parse(texts, names, files->forward_all, out, diag);
    for (int i = 0; i < CARBON_FILE_COUNT; i++)
        buf_deinit(&bytes[i]);
    return err;
}

/* --- applying --- */

static bool any_matches(const regex_list *l, struct slice name)
{
    for (size_t i = 0; i < l->len; i++) {
        if (text_regex_match(l->items[i], name))
            return true;
    }
    return false;
}

enum input_carbon_listed input_carbon_rules_listed(const struct input_carbon_rules *r,
                                                   struct slice name)
{
    if (any_matches(&r->blacklist, name))
        return INPUT_CARBON_BLACKLISTED;
    /* An empty whitelist is none, as in carbon. */
    return r->whitelist.len && !any_matches(&r->whitelist, name) ? INPUT_CARBON_NOT_WHITELISTED
                                                                 : INPUT_CARBON_LISTED;
}

struct slice input_carbon_rules_rewrite(const struct input_carbon_rules *r, bool post,
                                        struct slice name, struct buf *a, struct buf *b)
{
    const rewrite_list *l = &r->rewrites[post];
    struct buf *to = name.ptr == a->ptr ? b : a;
    for (size_t i = 0; i < l->len; i++) {
        if (!text_regex_match(l->items[i].pattern, name))
            continue;
        buf_clear(to);
        text_regex_replace_all(l->items[i].pattern, name, l->items[i].template, 65536, to);
        name = buf_slice(to);
        to = to == a ? b : a;
    }
    return name;
}

bool input_carbon_rules_forward_all(const struct input_carbon_rules *r)
{
    return r->forward_all;
}

bool input_carbon_rules_aggregate(const struct input_carbon_rules *r)
{
    return r && r->aggregations.len > 0;
}

void input_carbon_rules_aggregates(const struct input_carbon_rules *r, struct slice name,
                                   void (*each)(void *ctx, const struct carbon_aggregate *a),
                                   void *ctx)
{
    struct slice groups[GROUPS_MAX];
    struct buf out = {0};
    for (size_t i = 0; i < r->aggregations.len; i++) {
        const struct aggregation *a = &r->aggregations.items[i];
        if (!text_regex_groups(a->pattern, name, groups, GROUPS_MAX))
            continue;
        buf_clear(&out);
        text_regex_expand(a->pattern, a->template, groups,
                          MIN(text_regex_group_count(a->pattern), (size_t)GROUPS_MAX), &out);
        struct carbon_aggregate found = {buf_slice(&out), a->frequency_s, a->method, a->percentile};
        each(ctx, &found);
    }
    buf_deinit(&out);
}
