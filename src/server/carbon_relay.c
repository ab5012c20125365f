#include "server/carbon_relay.h"

#include "base/vec.h"
#include "codec/number.h"
#include "text/regex.h"
#include "text/yaml.h"

struct rule {
    uint32_t line;
    struct slice pattern, destinations;
    bool goes_on, is_default;
};
typedef VEC(struct rule) rule_list;

static bool is_true(struct slice v)
{
    return slice_eq_nocase(v, SLICE("true")) || slice_eq_nocase(v, SLICE("yes")) ||
           slice_eq(v, SLICE("1")) || slice_eq_nocase(v, SLICE("on"));
}

static int check_rule(const struct rule *r, bool *has_default, struct diag *diag)
{
    struct text_regex *re = NULL;
    if (!r->destinations.len)
        return diag_set(diag, ERR_INVALID, "destinations are missing");
    if (r->is_default) {
        if (*has_default)
            return diag_set(diag, ERR_INVALID, "there is a default rule already");
        if (r->pattern.len || r->goes_on)
            return diag_set(diag, ERR_INVALID, "the default rule has destinations only");
        *has_default = true;
        return 0;
    }
    if (!r->pattern.len)
        return diag_set(diag, ERR_INVALID, "pattern is missing, or default = true");
    int err = text_regex_compile(r->pattern, 0, &re, diag);
    text_regex_free(re);
    return err;
}

static int parse(struct slice text, const char *file, rule_list *out, struct diag *diag)
{
    struct slice line;
    uint32_t number = 0;
    bool has_default = false;
    int err = 0;
    while (!err && slice_split(&text, '\n', &line)) {
        number++;
        line = slice_trim(line);
        ptrdiff_t eq = slice_find_char(line, '=');
        struct slice key = slice_trim(slice_first(line, eq > 0 ? (size_t)eq : 0));
        struct slice value = eq > 0 ? slice_trim(slice_from(line, (size_t)eq + 1)) : key;
        struct rule *r = out->len ? &out->items[out->len - 1] : NULL;
        if (!line.len || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[')
            vec_push(out, ((struct rule){.line = number}));
        else if (!r || !key.len)
            err = diag_set(diag, ERR_INVALID, "a [section] or key = value is expected");
        else if (slice_eq(key, SLICE("pattern")))
            r->pattern = value;
        else if (slice_eq(key, SLICE("destinations")) || slice_eq(key, SLICE("servers")))
            r->destinations = value;
        else if (slice_eq(key, SLICE("continue")))
            r->goes_on = is_true(value);
        else if (slice_eq(key, SLICE("default")))
            r->is_default = is_true(value);
        else
            err = diag_set(diag, ERR_INVALID,
                           "%.*s is unknown: pattern, destinations, continue and default are known",
                           SLICE_FMT(slice_first(key, 40)));
    }
    for (size_t i = 0; i < out->len && !err; i++) {
        number = out->items[i].line;
        err = check_rule(&out->items[i], &has_default, diag);
    }
    if (!err && out->len && !has_default)
        err = diag_set(diag, ERR_INVALID, "no rule has default = true");
    if (err && diag) {
        diag_set_file(diag, file);
        diag->line = number;
    }
    return err;
}

/* host:port, without the instance that only carbon's own hashing looks at. */
static bool destination(struct slice text, struct slice *out)
{
    int64_t port;
    text = slice_trim(text);
    ptrdiff_t first = slice_find_char(text, ':');
    if (first <= 0)
        return false;
    struct slice rest = slice_from(text, (size_t)first + 1);
    ptrdiff_t second = slice_find_char(rest, ':');
    struct slice number = slice_first(rest, second < 0 ? rest.len : (size_t)second);
    *out = slice_first(text, (size_t)first + 1 + number.len);
    return codec_text_to_int(number, &port) && port > 0 && port < 65536;
}

static void quoted(struct buf *out, struct slice s)
{
    buf_append_char(out, '\'');
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\'')
            buf_append_char(out, '\'');
        buf_append_char(out, s.ptr[i]);
    }
    buf_append_char(out, '\'');
}

static bool sends_to(const struct rule *r, struct slice to)
{
    struct slice rest = r->destinations, part, one;
    while (slice_split(&rest, ',', &part)) {
        if (destination(part, &one) && slice_eq(one, to))
            return true;
    }
    return false;
}

/* Rules in order; one that fits and does not go on ends them. */
static void put_rule(const struct rule *r, size_t i, bool sends, struct buf *out)
{
    struct buf re = {0};
    buf_printf(&re, "(?is:.*(?:%.*s).*)", SLICE_FMT(r->is_default ? SLICE("") : r->pattern));
    buf_append_cstr(out, "  - {source_labels: [__name__], regex: ");
    quoted(out, buf_slice(&re));
    buf_printf(out, ", target_label: __relay_fits%zu, replacement: '1'}\n", i);
    if (sends)
        buf_printf(out,
                   "  - {source_labels: [__relay_ended, __relay_fits%zu], regex: ';1', "
                   "target_label: __relay_goes, replacement: '1'}\n",
                   i);
    if (!r->goes_on)
        buf_printf(out,
                   "  - {source_labels: [__relay_ended, __relay_fits%zu], regex: ';1', "
                   "target_label: __relay_ended, replacement: '1'}\n",
                   i);
    buf_deinit(&re);
}

static void put_output(const rule_list *rules, struct slice to, struct buf *out)
{
    buf_append_cstr(out, "relay_");
    for (size_t i = 0; i < to.len; i++) {
        char c = to.ptr[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        buf_append_char(out, plain ? c : '_');
    }
    buf_append_cstr(out, ":\n  type: graphite\n  from: carbon\n  protocol: pickle\n  url: ");
    struct buf url = {0};
    buf_printf(&url, "tcp://%.*s", SLICE_FMT(to));
    quoted(out, buf_slice(&url));
    buf_deinit(&url);
    buf_append_cstr(out, "\n  relabel_configs:\n");
    /* The default one is last, wherever it stands. */
    for (int last = 0; last < 2; last++) {
        for (size_t i = 0; i < rules->len; i++) {
            const struct rule *r = &rules->items[i];
            if (r->is_default == (last == 1))
                put_rule(r, i, sends_to(r, to), out);
        }
    }
    buf_append_cstr(out, "  - {source_labels: [__relay_goes], regex: '1', action: keep}\n"
                         "  - {regex: '__relay_.*', action: labeldrop}\n");
}

int server_carbon_relay_yaml(struct slice text, const char *file, struct buf *out,
                             struct diag *diag)
{
    rule_list rules = {0};
    VEC(struct slice) done = {0};
    int err = parse(text, file, &rules, diag);
    for (size_t i = 0; i < rules.len && !err; i++) {
        struct slice rest = rules.items[i].destinations, part, to;
        while (!err && slice_split(&rest, ',', &part)) {
            bool known = false;
            if (!destination(part, &to)) {
                err = diag_set(diag, ERR_INVALID,
                               "destinations: host:port or host:port:instance is expected, not "
                               "%.*s",
                               SLICE_FMT(slice_first(slice_trim(part), 60)));
                diag_set_file(diag, file);
                if (diag)
                    diag->line = rules.items[i].line;
                break;
            }
            for (size_t k = 0; k < done.len && !known; k++)
                known = slice_eq(done.items[k], to);
            if (known)
                continue;
            vec_push(&done, to);
            put_output(&rules, to, out);
        }
    }
    vec_free(&done);
    vec_free(&rules);
    return err;
}
