/* The grammar of targets:
 *
 *   expression = (template | call | path) { "|" call }
 *   call       = name "(" [ arg { "," arg } ] ")"        arg = [ name "=" ] value
 *   value      = true | false | none | inf | number | string | expression
 *   template   = "template(" (call | path) { "," [ name "=" ] (number | string) } ")"
 *
 * A pipe puts what is left of it before the call's other arguments. */
#include "lang/graphite/ast.h"

#include <string.h>

#include "base/vec.h"
#include "codec/number.h"

struct parser {
    struct slice text;
    size_t at;
    struct arena *arena;
    struct diag *diag;
    unsigned depth;
};

static int expression(struct parser *p, struct graphite_ast **out);

static int fail(struct parser *p, size_t at, const char *what)
{
    if (p->diag && !p->diag->code) {
        diag_set_range(p->diag, ERR_INVALID, at, p->text.len, "%s at column %zu of \"%.*s\"", what,
                       at + 1, SLICE_FMT(slice_first(p->text, 200)));
        p->diag->line = 1;
        p->diag->col = (uint32_t)at + 1;
    }
    return ERR_INVALID;
}

static void space(struct parser *p)
{
    while (p->at < p->text.len && strchr(" \t\r\n", p->text.ptr[p->at]))
        p->at++;
}

static char peek(const struct parser *p)
{
    return p->at < p->text.len ? p->text.ptr[p->at] : 0;
}

static bool take(struct parser *p, char c)
{
    space(p);
    if (peek(p) != c)
        return false;
    p->at++;
    return true;
}

static bool is_word(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* The word that stands here, without taking it. */
static struct slice word(const struct parser *p)
{
    size_t end = p->at;
    while (end < p->text.len && is_word(p->text.ptr[end], end == p->at))
        end++;
    return slice_make(p->text.ptr + p->at, end - p->at);
}

static char after(const struct parser *p, size_t at)
{
    while (at < p->text.len && strchr(" \t\r\n", p->text.ptr[at]))
        at++;
    return at < p->text.len ? p->text.ptr[at] : 0;
}

static struct graphite_ast *make(struct parser *p, enum graphite_ast_kind kind)
{
    struct graphite_ast *n = ARENA_NEW(p->arena, struct graphite_ast);
    n->kind = kind;
    return n;
}

static bool is_path_char(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("(){},.'\"\\|", c);
}

/* {a,b}: any characters of a path, commas and dots between. */
static bool braces(struct parser *p, struct buf *out)
{
    size_t i = p->at + 1;
    while (i < p->text.len && p->text.ptr[i] != '}') {
        char c = p->text.ptr[i];
        if (!is_path_char(c) && !strchr(",.\\ ", c))
            return false;
        i++;
    }
    if (i >= p->text.len)
        return false;
    for (; p->at <= i; p->at++) {
        if (p->text.ptr[p->at] != ' ')
            buf_append_char(out, p->text.ptr[p->at]);
    }
    return true;
}

static int path(struct parser *p, struct graphite_ast **out)
{
    struct buf text = {0};
    size_t begin = p->at;
    int err = 0;
    while (p->at < p->text.len && !err) {
        char c = peek(p);
        if (c == '{') {
            if (!braces(p, &text))
                err = fail(p, p->at, "{ without its }");
        } else if (c == '\\' && p->at + 1 < p->text.len) {
            buf_append_char(&text, p->text.ptr[p->at + 1]);
            p->at += 2;
        } else if (is_path_char(c) || c == '.') {
            buf_append_char(&text, c);
            p->at++;
        } else {
            break;
        }
    }
    if (!err && !text.len)
        err = fail(p, begin,
                   begin < p->text.len ? "a path or function is expected"
                                       : "the target ends where a path or function is "
                                         "expected");
    if (!err) {
        struct graphite_ast *n = make(p, GRAPHITE_AST_PATH);
        n->text = arena_slice(p->arena, buf_slice(&text));
        *out = n;
    }
    buf_deinit(&text);
    return err;
}

static int string(struct parser *p, struct graphite_ast **out)
{
    char quote = peek(p);
    size_t begin = p->at, i = p->at + 1;
    while (i < p->text.len && p->text.ptr[i] != quote)
        i += p->text.ptr[i] == '\\' && i + 1 < p->text.len ? 2 : 1;
    if (i >= p->text.len)
        return fail(p, begin, "a text without its closing quote");
    struct graphite_ast *n = make(p, GRAPHITE_AST_STRING);
    n->text = slice_make(p->text.ptr + begin + 1, i - begin - 1);
    p->at = i + 1;
    *out = n;
    return 0;
}

/* A number only where a comma, a parenthesis or the end follows: "1min.load" is a path. */
static bool number(struct parser *p, struct graphite_ast **out)
{
    size_t i = p->at;
    bool is_float = false, digits = false;
    if (i < p->text.len && p->text.ptr[i] == '-')
        i++;
    for (; i < p->text.len; i++) {
        char c = p->text.ptr[i];
        if (c >= '0' && c <= '9') {
            digits = true;
        } else if (c == '.' || ((c == 'e' || c == 'E') && digits)) {
            is_float = true;
            if (c != '.' && i + 1 < p->text.len && strchr("+-", p->text.ptr[i + 1]))
                i++;
        } else {
            break;
        }
    }
    char next = after(p, i);
    double v;
    if (!digits || (next && next != ',' && next != ')') ||
        !codec_text_to_double(slice_make(p->text.ptr + p->at, i - p->at), &v, NULL))
        return false;
    struct graphite_ast *n = make(p, is_float ? GRAPHITE_AST_FLOAT : GRAPHITE_AST_INT);
    n->number = v;
    n->text = slice_make(p->text.ptr + p->at, i - p->at);
    p->at = i;
    *out = n;
    return true;
}

/* true, false, none, inf in any case, where nothing of a path follows. */
static bool keyword(struct parser *p, struct graphite_ast **out)
{
    static const struct {
        const char *word;
        enum graphite_ast_kind kind;
        double number;
    } words[] = {{"true", GRAPHITE_AST_BOOL, 1},
                 {"false", GRAPHITE_AST_BOOL, 0},
                 {"none", GRAPHITE_AST_NONE, 0},
                 {"inf", GRAPHITE_AST_INF, 0}};
    struct slice w = word(p);
    char next = after(p, p->at + w.len);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_eq_nocase(w, slice_cstr(words[i].word)) || (next && next != ',' && next != ')'))
            continue;
        *out = make(p, words[i].kind);
        (*out)->number = words[i].number;
        (*out)->text = w;
        p->at += w.len;
        return true;
    }
    return false;
}

static int value(struct parser *p, struct graphite_ast **out)
{
    space(p);
    if (peek(p) == '"' || peek(p) == '\'')
        return string(p, out);
    if (keyword(p, out) || number(p, out))
        return 0;
    return expression(p, out);
}

static int arguments(struct parser *p, struct graphite_ast *call)
{
    VEC(struct graphite_ast *) args = {0};
    VEC(struct slice) names = {0};
    int err = 0;
    bool named = false;
    if (!take(p, ')')) {
        do {
            struct graphite_ast *arg = NULL;
            space(p);
            struct slice name = word(p);
            if (name.len && after(p, p->at + name.len) == '=') {
                p->at += name.len;
                take(p, '=');
                named = true;
            } else if (named) {
                err = fail(p, p->at, "an argument by position behind one by name");
                break;
            } else {
                name.ptr = NULL;
            }
            err = value(p, &arg);
            if (!err) {
                vec_push(&args, arg);
                vec_push(&names, name);
            }
        } while (!err && take(p, ','));
        if (!err && !take(p, ')'))
            err = fail(p, p->at,
                       p->at < p->text.len ? "a comma or ) is expected"
                                           : "the target ends within the arguments of "
                                             "a function: a ) is missing");
    }
    call->args = arena_dup(p->arena, args.items, args.len * sizeof(*args.items));
    call->arg_names = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
    call->arg_count = args.len;
    vec_free(&args);
    vec_free(&names);
    return err;
}

static int call(struct parser *p, struct graphite_ast **out)
{
    size_t begin = p->at;
    struct slice name = word(p);
    bool is_template = slice_eq(name, SLICE("template"));
    struct graphite_ast *n = make(p, is_template ? GRAPHITE_AST_TEMPLATE : GRAPHITE_AST_CALL);
    n->text = name;
    p->at += name.len;
    take(p, '(');
    int err = arguments(p, n);
    n->raw = slice_make(p->text.ptr + begin, p->at - begin);
    if (!err && is_template) {
        if (!n->arg_count)
            err = fail(p, begin, "template() needs an expression");
        for (size_t i = 1; i < n->arg_count && !err; i++) {
            if (n->args[i]->kind == GRAPHITE_AST_PATH || n->args[i]->kind == GRAPHITE_AST_CALL)
                err = fail(p, begin,
                           "invalid template() syntax, only string/numeric arguments are allowed");
        }
    }
    *out = n;
    return err;
}

/* x | f(a) is f(x, a). */
static int pipes(struct parser *p, struct graphite_ast **out)
{
    int err = 0;
    while (!err && take(p, '|')) {
        struct graphite_ast *right = NULL;
        space(p);
        struct slice name = word(p);
        if (!name.len || after(p, p->at + name.len) != '(')
            return fail(p, p->at, "a function is expected behind |");
        err = call(p, &right);
        if (err)
            break;
        size_t n = right->arg_count;
        struct graphite_ast **args = ARENA_ARRAY(p->arena, struct graphite_ast *, n + 1);
        struct slice *names = ARENA_ARRAY(p->arena, struct slice, n + 1);
        args[0] = *out;
        for (size_t i = 0; i < n; i++) {
            args[i + 1] = right->args[i];
            names[i + 1] = right->arg_names[i];
        }
        right->args = args;
        right->arg_names = names;
        right->arg_count = n + 1;
        *out = right;
    }
    return err;
}

static int expression(struct parser *p, struct graphite_ast **out)
{
    int err;
    space(p);
    if (p->depth >= GRAPHITE_DEPTH_MAX)
        return fail(p, p->at, "functions are nested more than 64 deep");
    p->depth++;
    struct slice name = word(p);
    if (name.len && after(p, p->at + name.len) == '(')
        err = call(p, out);
    else
        err = path(p, out);
    if (!err)
        err = pipes(p, out);
    p->depth--;
    return err;
}

int graphite__parse(struct slice text, struct arena *arena, struct graphite_ast **out,
                    struct diag *diag)
{
    struct parser p = {.text = text, .arena = arena, .diag = diag};
    *out = NULL;
    int err = expression(&p, out);
    space(&p);
    if (!err && p.at < text.len)
        err = fail(&p, p.at, "something is left behind the end of the target");
    return err;
}
