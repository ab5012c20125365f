/* Names: a store's series as a path or a tagged name, tag expressions, and what functions make of
 * names. */
#include <string.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

/* What a value is as a part of a node: no dots, and nothing that means something in a target. */
static void append_part(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (unsigned char)c > ' ' && c != 0x7f && !strchr(".*?[]{}(),;'\"\\|", c);
        buf_append_char(out, plain ? c : '_');
    }
}

bool graphite_path_of(struct data_labels labels, struct buf *out)
{
    struct slice name = data_labels_get(labels, SLICE(DATA_METRIC_NAME));
    if (!name.len)
        return false;
    buf_append_slice(out, name);
    for (size_t i = 0; i < labels.count; i++) {
        if (slice_eq(labels.items[i].name, SLICE(DATA_METRIC_NAME)))
            continue;
        buf_append_char(out, '.');
        append_part(out, labels.items[i].name);
        buf_append_char(out, '=');
        append_part(out, labels.items[i].value);
    }
    return true;
}

void graphite_tagged_name(struct data_labels labels, struct buf *out)
{
    buf_append_slice(out, data_labels_get(labels, SLICE(DATA_METRIC_NAME)));
    for (size_t i = 0; i < labels.count; i++) {
        if (slice_eq(labels.items[i].name, SLICE(DATA_METRIC_NAME)))
            continue;
        buf_append_char(out, ';');
        buf_append_slice(out, labels.items[i].name);
        buf_append_char(out, '=');
        buf_append_slice(out, labels.items[i].value);
    }
}

/* --- tag expressions --- */

int graphite_tag_expression(struct slice text, struct arena *arena, struct store_matcher *out,
                            struct text_regex **out_regex, struct diag *diag)
{
    ptrdiff_t at = slice_find_char(text, '=');
    *out_regex = NULL;
    memset(out, 0, sizeof(*out));
    if (at <= 0)
        return diag_set(diag, ERR_INVALID,
                        "Invalid tagspec %.*s: tag=value, tag!=value, tag=~regex or tag!=~regex is "
                        "expected",
                        SLICE_FMT(slice_first(text, 200)));
    bool negate = text.ptr[at - 1] == '!';
    struct slice tag = slice_first(text, (size_t)at - negate);
    struct slice value = slice_from(text, (size_t)at + 1);
    bool regex = value.len && value.ptr[0] == '~';
    if (!tag.len)
        return diag_set(diag, ERR_INVALID, "Invalid tagspec %.*s: it names no tag",
                        SLICE_FMT(slice_first(text, 200)));
    out->name = slice_eq(tag, SLICE("name")) ? SLICE(DATA_METRIC_NAME) : arena_slice(arena, tag);
    out->op = regex    ? negate ? STORE_MATCH_NRE : STORE_MATCH_RE
              : negate ? STORE_MATCH_NE
                       : STORE_MATCH_EQ;
    out->value = arena_slice(arena, slice_from(value, regex));
    if (regex) {
        /* Graphite anchors at the start only; the store at both ends. */
        struct slice open = arena_printf(arena, "(?:%.*s).*", SLICE_FMT(out->value));
        bool closed = out->value.len && out->value.ptr[out->value.len - 1] == '$';
        int err =
            text_regex_compile(closed ? out->value : open, TEXT_REGEX_ANCHORED, out_regex, diag);
        if (err)
            return err;
        out->value = closed ? out->value : open;
        out->regex = *out_regex;
    }
    return 0;
}

void graphite_tag_matchers_free(struct store_matcher *matchers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_regex_free((struct text_regex *)(uintptr_t)matchers[i].regex);
}

int graphite_tag_matchers(const struct slice *texts, size_t count, struct arena *arena,
                          struct store_matcher **out, struct diag *diag)
{
    struct store_matcher *m = ARENA_ARRAY(arena, struct store_matcher, count + 1);
    struct text_regex *regex;
    bool narrow = false;
    int err = 0;
    size_t n = 0;
    *out = m;
    for (; n < count && !err; n++) {
        err = graphite_tag_expression(texts[n], arena, &m[n], &regex, diag);
        narrow |= !err && !store_matcher_matches(&m[n], SLICE(""));
    }
    if (!err && !narrow)
        err = diag_set(diag, ERR_INVALID, "At least one tagspec must not match the empty string");
    if (err)
        graphite_tag_matchers_free(m, n);
    return err;
}

/* --- keys --- */

/* The first path within "f(g(a.b.c,1),x)"; the name itself when it is no call. */
static struct slice first_path(struct graphite_run *x, struct slice name)
{
    struct graphite_ast *n;
    if (!name.len || name.ptr[name.len - 1] != ')' || graphite__parse(name, x->arena, &n, NULL))
        return name;
    while ((n->kind == GRAPHITE_AST_CALL || n->kind == GRAPHITE_AST_TEMPLATE) && n->arg_count &&
           !slice_eq(n->text, SLICE("seriesByTag")))
        n = n->args[0];
    return n->kind == GRAPHITE_AST_PATH ? n->text : name;
}

static struct slice node_of(struct slice path, int64_t i)
{
    ptrdiff_t semicolon = slice_find_char(path, ';');
    struct slice rest = semicolon < 0 ? path : slice_first(path, (size_t)semicolon), part;
    if (i < 0) {
        int64_t n = 1;
        for (size_t k = 0; k < rest.len; k++)
            n += rest.ptr[k] == '.';
        i += n;
    }
    for (int64_t k = 0; i >= 0 && slice_split(&rest, '.', &part); k++) {
        if (k == i)
            return part;
    }
    return SLICE("");
}

struct slice graphite__key(struct graphite_run *x, const struct graphite_series *s,
                           const struct graphite__value *nodes, size_t count)
{
    struct slice path = first_path(x, s->name);
    if (count == 1 && nodes[0].kind == GRAPHITE__INT)
        return node_of(path, (int64_t)nodes[0].number);
    struct buf key = {0};
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_append_char(&key, '.');
        int64_t n;
        if (nodes[i].kind == GRAPHITE__INT || nodes[i].kind == GRAPHITE__FLOAT)
            buf_append_slice(&key, node_of(path, (int64_t)nodes[i].number));
        else if (codec_text_to_int(nodes[i].text, &n))
            buf_append_slice(&key, node_of(path, n));
        else
            buf_append_slice(&key, graphite__tag_of(s, nodes[i].text));
    }
    struct slice out = arena_slice(x->arena, buf_slice(&key));
    buf_deinit(&key);
    return out;
}

struct graphite_list *graphite__group_of(graphite__groups *groups, struct slice key)
{
    /* Looked up from the end: series of a group tend to come together. */
    for (size_t i = groups->len; i-- > 0;) {
        if (slice_eq(groups->items[i].key, key))
            return &groups->items[i].list;
    }
    struct graphite__group *g = vec_add(groups);
    g->key = key;
    return &g->list;
}

/* --- regular expressions --- */

int graphite__regex(struct graphite_run *x, struct slice pattern, struct text_regex **out)
{
    return x->err ? x->err : (x->err = text_regex_compile(pattern, 0, out, x->diag));
}

struct slice graphite__sub(struct graphite_run *x, const struct text_regex *re,
                           struct slice replacement, struct slice text)
{
    struct buf template = {0}, out = {0};
    text_regex_template_from_python(replacement, &template);
    text_regex_replace_all(re, text, buf_slice(&template), text.len * 16 + 65536, &out);
    struct slice s = arena_slice(x->arena, buf_slice(&out));
    buf_deinit(&template);
    buf_deinit(&out);
    return s;
}
