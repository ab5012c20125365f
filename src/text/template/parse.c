/* Text to tree, after Go's text/template/parse: the same grammar and the same words. */
#include <stdarg.h>
#include <stdio.h>

#include "codec/number.h"
#include "codec/utf8.h"
#include "text/template/lex.h"

struct parser {
    struct text_template *set;
    struct source *source;
    struct lexer lexer;
    struct token ahead[3]; /* words given back, last first */
    unsigned ahead_count;
    struct diag *diag;
    VEC(struct slice) variables;
    unsigned depth, range_depth;
    bool full; /* memory is used up */
};

static void place(const struct source *src, size_t at, uint32_t *line, uint32_t *col)
{
    *line = 1;
    *col = 1;
    for (size_t i = 0; i < at && i < src->text.len; i++) {
        (*col)++;
        if (src->text.ptr[i] == '\n') {
            (*line)++;
            *col = 1;
        }
    }
}

static int fail_at(struct parser *p, size_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int fail_at(struct parser *p, size_t at, const char *fmt, ...)
{
    char msg[400];
    uint32_t line, col;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    place(p->source, at, &line, &col);
    return diag_set_at(p->diag, ERR_INVALID, line, col, "template: %.*s:%u: %s",
                       SLICE_FMT(p->source->name), line, msg);
}

static int no_memory(struct parser *p)
{
    p->full = true;
    return diag_set(p->diag, ERR_NOMEM, "template: %.*s: memory is used up",
                    SLICE_FMT(p->source->name));
}

static struct token next(struct parser *p)
{
    return p->ahead_count ? p->ahead[--p->ahead_count] : text__template_next(&p->lexer);
}

static void give_back(struct parser *p, struct token t)
{
    p->ahead[p->ahead_count++] = t;
}

static struct token peek(struct parser *p)
{
    struct token t = next(p);
    give_back(p, t);
    return t;
}

static int unexpected(struct parser *p, struct token t, const char *context)
{
    struct buf quoted = {0};
    int err;
    if (t.kind == TOKEN_ERROR)
        return fail_at(p, t.begin, "%.*s", SLICE_FMT(t.text));
    if (t.kind == TOKEN_EOF)
        return fail_at(p, t.begin, "unexpected EOF");
    if (t.kind == TOKEN_KEYWORD)
        return fail_at(p, t.begin, "unexpected <%.*s> in %s", SLICE_FMT(t.text), context);
    text__template_quote(slice_first(t.text, 10), &quoted);
    err = fail_at(p, t.begin, "unexpected %.*s%s in %s", SLICE_FMT(buf_slice(&quoted)),
                  t.text.len > 10 ? "..." : "", context);
    buf_deinit(&quoted);
    return err;
}

static struct node *node_new(struct parser *p, enum node_kind kind, struct token t)
{
    struct node *n = ARENA_NEW(p->set->arena, struct node);
    if (!n) {
        (void)no_memory(p);
        return NULL;
    }
    n->kind = kind;
    n->source = p->source;
    n->begin = n->at = t.begin;
    n->end = t.end;
    n->text = t.text;
    return n;
}

/* --- constants --- */
static bool hex_digits(struct slice s, size_t count, uint32_t *out)
{
    if (s.len < count)
        return false;
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        char c = s.ptr[i];
        unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                          : 16;
        if (d > 15)
            return false;
        *out = *out << 4 | d;
    }
    return true;
}

/* Go's strconv.Unquote of a "..." or '...' text without its quotes. */
static bool unquote(struct slice s, char quote, struct buf *out)
{
    static const char plain[] = "abfnrtv\\", meaning[] = "\a\b\f\n\r\t\v\\";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        uint32_t code;
        char utf8[4];
        if (c != '\\') {
            buf_append_char(out, c);
            continue;
        }
        if (++i >= s.len)
            return false;
        c = s.ptr[i];
        const char *at = memchr(plain, c, sizeof(plain) - 1);
        if (at) {
            buf_append_char(out, meaning[at - plain]);
        } else if (c == quote) {
            buf_append_char(out, c);
        } else if (c == 'x') {
            if (!hex_digits(slice_from(s, i + 1), 2, &code))
                return false;
            buf_append_char(out, (char)code);
            i += 2;
        } else if (c == 'u' || c == 'U') {
            size_t n = c == 'u' ? 4 : 8;
            if (!hex_digits(slice_from(s, i + 1), n, &code) || code > 0x10ffff ||
                (code >= 0xd800 && code < 0xe000))
                return false;
            buf_append(out, utf8, codec_utf8_encode(code, utf8));
            i += n;
        } else if (c >= '0' && c <= '7') {
            code = 0;
            for (size_t k = 0; k < 3; k++) {
                if (i + k >= s.len || s.ptr[i + k] < '0' || s.ptr[i + k] > '7')
                    return false;
                code = code * 8 + (uint32_t)(s.ptr[i + k] - '0');
            }
            if (code > 255)
                return false;
            buf_append_char(out, (char)code);
            i += 2;
        } else {
            return false;
        }
    }
    return true;
}

static int string_constant(struct parser *p, struct token t, struct slice *out)
{
    struct slice inner = slice_make(t.text.ptr + 1, t.text.len - 2);
    struct buf text = {0};
    int err = 0;
    if (t.kind == TOKEN_RAW) {
        for (size_t i = 0; i < inner.len; i++) {
            if (inner.ptr[i] != '\r')
                buf_append_char(&text, inner.ptr[i]);
        }
    } else if (!unquote(inner, '"', &text)) {
        err = fail_at(p, t.begin, "invalid syntax");
    }
    if (!err) {
        *out = arena_slice(p->set->arena, buf_slice(&text));
        if (!out->ptr)
            err = no_memory(p);
    }
    buf_deinit(&text);
    return err;
}

static bool whole_number(struct slice s, int64_t *out)
{
    char text[80];
    size_t len = 0;
    bool negative = false;
    unsigned base = 10;
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '_' && len < sizeof(text))
            text[len++] = s.ptr[i];
    }
    size_t i = 0;
    if (i < len && (text[i] == '+' || text[i] == '-'))
        negative = text[i++] == '-';
    if (i + 1 < len && text[i] == '0') {
        char c = (char)(text[i + 1] | 32);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        i += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    if (i >= len)
        return false;
    for (; i < len; i++) {
        char c = text[i];
        unsigned d = c >= '0' && c <= '9'                 ? (unsigned)(c - '0')
                     : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                          : 16;
        if (d >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v))
            return false;
    }
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static int number_constant(struct parser *p, struct token t, struct text_template_value *out)
{
    int64_t i;
    double d;
    char text[128];
    size_t len = 0;
    if (t.kind == TOKEN_CHAR) {
        struct buf b = {0};
        uint32_t code = 0;
        bool ok = unquote(slice_make(t.text.ptr + 1, t.text.len - 2), '\'', &b);
        size_t n = ok ? codec_utf8_decode(buf_slice(&b), &code) : 0;
        if (ok && !n && b.len == 1) {
            code = (unsigned char)b.ptr[0];
            n = 1;
        }
        ok = ok && n && n == b.len;
        buf_deinit(&b);
        if (!ok)
            return fail_at(p, t.begin, "malformed character constant: %.*s", SLICE_FMT(t.text));
        *out = text_template_int(code);
        return 0;
    }
    if (whole_number(t.text, &i)) {
        *out = text_template_int(i);
        return 0;
    }
    for (size_t k = 0; k < t.text.len; k++) {
        if (t.text.ptr[k] != '_' && len < sizeof(text))
            text[len++] = t.text.ptr[k];
    }
    bool fractional = false;
    for (size_t k = 0; k < len; k++)
        fractional |= strchr(".eEpP", text[k]) != NULL;
    if (fractional && codec_text_to_double(slice_make(text, len), &d, NULL)) {
        *out = text_template_float(d);
        return 0;
    }
    if (!fractional && len && codec_text_to_double(slice_make(text, len), &d, NULL))
        return fail_at(p, t.begin, "integer overflow: \"%.*s\"", SLICE_FMT(t.text));
    return fail_at(p, t.begin, "illegal number syntax: \"%.*s\"", SLICE_FMT(t.text));
}

/* --- pipelines --- */
static int parse_pipe(struct parser *p, const char *context, enum token_kind end,
                      struct node **out);

static int find_function(struct parser *p, struct token t, struct node *n)
{
    for (size_t i = 0; i < p->set->function_count; i++) {
        if (slice_eq_cstr(t.text, p->set->functions[i].name)) {
            n->function = &p->set->functions[i];
            return 0;
        }
    }
    for (int i = 0; i < BUILTIN_COUNT; i++) {
        if (slice_eq_cstr(t.text, text__template_builtins[i])) {
            n->builtin = i;
            return 0;
        }
    }
    return fail_at(p, t.begin, "function \"%.*s\" not defined", SLICE_FMT(t.text));
}

static int add_field(struct parser *p, struct node *n, struct token t)
{
    struct slice *fields = ARENA_ARRAY(p->set->arena, struct slice, n->field_count + 1);
    if (!fields)
        return no_memory(p);
    if (n->field_count)
        memcpy(fields, n->fields, n->field_count * sizeof(*fields));
    fields[n->field_count++] = slice_from(t.text, 1);
    n->fields = fields;
    n->end = t.end;
    return 0;
}

/* *out stays NULL when no term stands next. */
static int parse_term(struct parser *p, struct node **out)
{
    struct token t = next(p);
    struct node *n = NULL;
    int err = 0;
    *out = NULL;
    switch (t.kind) {
    case TOKEN_IDENT:
        if (!(n = node_new(p, NODE_FUNCTION, t)))
            return ERR_NOMEM;
        err = find_function(p, t, n);
        break;
    case TOKEN_DOT: n = node_new(p, NODE_DOT, t); break;
    case TOKEN_VARIABLE: {
        bool known = false;
        for (size_t i = 0; i < p->variables.len; i++)
            known |= slice_eq(p->variables.items[i], t.text);
        if (!known)
            return fail_at(p, t.begin, "undefined variable \"%.*s\"", SLICE_FMT(t.text));
        n = node_new(p, NODE_VARIABLE, t);
        break;
    }
    case TOKEN_FIELD:
        if (!(n = node_new(p, NODE_FIELD, t)))
            return ERR_NOMEM;
        err = add_field(p, n, t);
        break;
    case TOKEN_BOOL:
        if ((n = node_new(p, NODE_BOOL, t)))
            n->constant = text_template_bool(slice_eq_cstr(t.text, "true"));
        break;
    case TOKEN_CHAR:
    case TOKEN_NUMBER:
        if (!(n = node_new(p, NODE_NUMBER, t)))
            return ERR_NOMEM;
        err = number_constant(p, t, &n->constant);
        break;
    case TOKEN_STRING:
    case TOKEN_RAW: {
        struct slice text = {0};
        if ((err = string_constant(p, t, &text)))
            return err;
        if ((n = node_new(p, NODE_STRING, t)))
            n->constant = text_template_string(text);
        break;
    }
    case TOKEN_LPAREN:
        if (++p->depth > TEMPLATE_DEPTH_MAX)
            return fail_at(p, t.begin, "max expression depth exceeded");
        err = parse_pipe(p, "parenthesized pipeline", TOKEN_RPAREN, &n);
        p->depth--;
        break;
    case TOKEN_KEYWORD:
        if (slice_eq_cstr(t.text, "nil")) {
            n = node_new(p, NODE_NIL, t);
            break;
        }
        give_back(p, t);
        return 0;
    case TOKEN_ERROR: return unexpected(p, t, "command");
    default: give_back(p, t); return 0;
    }
    if (!err && !n)
        err = ERR_NOMEM;
    *out = err ? NULL : n;
    return err;
}

/* A term and the fields behind it. */
static int parse_operand(struct parser *p, struct node **out)
{
    struct node *n;
    int err = parse_term(p, &n);
    *out = n;
    if (err || !n)
        return err;
    struct token t = peek(p);
    if (t.kind != TOKEN_FIELD || t.space_before)
        return 0;
    if (n->kind == NODE_BOOL || n->kind == NODE_NUMBER || n->kind == NODE_STRING ||
        n->kind == NODE_NIL || n->kind == NODE_DOT)
        return fail_at(p, t.begin, "unexpected . after term \"%.*s\"",
                       SLICE_FMT(slice_make(p->source->text.ptr + n->begin, n->end - n->begin)));
    if (n->kind != NODE_FIELD && n->kind != NODE_VARIABLE) {
        struct node *chain =
            node_new(p, NODE_CHAIN, (struct token){.begin = n->begin, .end = n->end});
        if (!chain)
            return ERR_NOMEM;
        chain->first = n;
        *out = n = chain;
    }
    n->at = t.begin;
    while (!err && (t = peek(p)).kind == TOKEN_FIELD && !t.space_before)
        err = add_field(p, n, next(p));
    return err;
}

static int parse_command(struct parser *p, struct node **out)
{
    struct node *command = node_new(p, NODE_COMMAND, peek(p)), **tail;
    if (!command)
        return ERR_NOMEM;
    tail = &command->first;
    for (;;) {
        struct node *word;
        int err = parse_operand(p, &word);
        if (err)
            return err;
        if (word) {
            *tail = word;
            tail = &word->next;
            command->count++;
            command->end = word->end;
        }
        struct token t = peek(p);
        if (t.kind == TOKEN_RIGHT || t.kind == TOKEN_RPAREN)
            break;
        if (t.kind == TOKEN_PIPE) {
            (void)next(p);
            break;
        }
        if (t.kind == TOKEN_ERROR || !t.space_before || !word)
            return unexpected(p, t, "operand");
    }
    *out = command;
    return command->count ? 0 : fail_at(p, command->begin, "empty command");
}

static int parse_variables(struct parser *p, const char *context, struct node *pipe)
{
    while (peek(p).kind == TOKEN_VARIABLE) {
        struct token variable = next(p), t = next(p);
        if (t.kind == TOKEN_DECLARE || t.kind == TOKEN_ASSIGN) {
            pipe->assigns = t.kind == TOKEN_ASSIGN;
            pipe->variables[pipe->variable_count++] = variable.text;
            vec_push(&p->variables, variable.text);
            return 0;
        }
        if (t.kind == TOKEN_COMMA) {
            if (strcmp(context, "range") != 0 || pipe->variable_count)
                return fail_at(p, t.begin, "too many declarations in %s", context);
            pipe->variables[pipe->variable_count++] = variable.text;
            vec_push(&p->variables, variable.text);
            t = peek(p);
            if (t.kind == TOKEN_VARIABLE)
                continue;
            return fail_at(p, t.begin, "range can only initialize variables");
        }
        give_back(p, t);
        give_back(p, variable);
        if (pipe->variable_count)
            return unexpected(p, t, context);
        return 0;
    }
    return 0;
}

static int parse_pipe(struct parser *p, const char *context, enum token_kind end, struct node **out)
{
    struct node *pipe = node_new(p, NODE_PIPE, peek(p)), **tail;
    int err;
    if (!pipe)
        return ERR_NOMEM;
    if ((err = parse_variables(p, context, pipe)))
        return err;
    tail = &pipe->first;
    for (;;) {
        struct token t = next(p);
        if (t.kind == end) {
            if (!pipe->count)
                return fail_at(p, t.begin, "missing value for %s", context);
            break;
        }
        switch (t.kind) {
        case TOKEN_BOOL:
        case TOKEN_CHAR:
        case TOKEN_DOT:
        case TOKEN_FIELD:
        case TOKEN_IDENT:
        case TOKEN_NUMBER:
        case TOKEN_STRING:
        case TOKEN_RAW:
        case TOKEN_VARIABLE:
        case TOKEN_LPAREN: break;
        case TOKEN_KEYWORD:
            if (slice_eq_cstr(t.text, "nil"))
                break;
            return unexpected(p, t, context);
        default: return unexpected(p, t, context);
        }
        give_back(p, t);
        struct node *command;
        if ((err = parse_command(p, &command)))
            return err;
        *tail = command;
        tail = &command->next;
        pipe->count++;
        pipe->end = command->end;
        enum node_kind kind = command->first->kind;
        if (pipe->count > 1 && (kind == NODE_BOOL || kind == NODE_DOT || kind == NODE_NIL ||
                                kind == NODE_NUMBER || kind == NODE_STRING))
            return fail_at(p, command->begin, "non executable command in pipeline stage %zu",
                           pipe->count);
    }
    *out = pipe;
    return 0;
}

/* --- the tree --- */
enum stop { STOP_EOF, STOP_END, STOP_ELSE };

static int parse_list(struct parser *p, struct node **out, enum stop *stop);

static int expect(struct parser *p, enum token_kind kind, const char *context, struct token *out)
{
    *out = next(p);
    return out->kind == kind ? 0 : unexpected(p, *out, context);
}

/* After {{if, {{range or {{with: up to its {{end}}, which `else if` chains share. */
static int parse_control(struct parser *p, enum node_kind kind, const char *context,
                         struct token word, struct node **out)
{
    struct node *n = node_new(p, kind, word);
    size_t variables = p->variables.len;
    enum stop stop;
    int err;
    if (!n)
        return ERR_NOMEM;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return fail_at(p, word.begin, "controls are nested too deeply");
    *out = n;
    if ((err = parse_pipe(p, context, TOKEN_RIGHT, &n->pipe)))
        return err;
    p->range_depth += kind == NODE_RANGE;
    err = parse_list(p, &n->body, &stop);
    p->range_depth -= kind == NODE_RANGE;
    if (err)
        return err;
    if (stop == STOP_ELSE) {
        struct token t = peek(p);
        const char *chained = kind == NODE_IF ? "if" : kind == NODE_WITH ? "with" : NULL;
        if (chained && t.kind == TOKEN_KEYWORD && slice_eq_cstr(t.text, chained)) {
            if ((err = parse_control(p, kind, context, next(p), &n->otherwise)))
                return err;
            stop = STOP_END;
        } else {
            struct token right;
            if ((err = expect(p, TOKEN_RIGHT, "else", &right)) ||
                (err = parse_list(p, &n->otherwise, &stop)))
                return err;
            if (stop == STOP_ELSE)
                return fail_at(p, p->lexer.at, "expected end; found {{else}}");
        }
    }
    if (stop == STOP_EOF)
        return fail_at(p, p->source->text.len, "unexpected EOF");
    p->variables.len = variables;
    p->depth--;
    return 0;
}

static bool list_is_empty(const struct node *n)
{
    for (; n; n = n->next) {
        if (n->kind != NODE_TEXT || slice_trim(n->text).len)
            return false;
    }
    return true;
}

static int define(struct parser *p, struct slice name, struct node *body)
{
    struct definition *d = text__template_find(p->set, name);
    if (d && list_is_empty(body) && d->body)
        return 0;
    d = ARENA_NEW(p->set->arena, struct definition);
    if (!d)
        return no_memory(p);
    *d = (struct definition){name, p->source, body, p->set->definitions};
    p->set->definitions = d;
    return 0;
}

/* {{define "x"}} and {{block "x" pipe}}: a template of its own. */
static int parse_definition(struct parser *p, bool block, struct token word, struct node **out)
{
    const char *context = block ? "block clause" : "define clause";
    struct token t = next(p), right;
    struct slice name;
    struct node *body, *n = NULL;
    enum stop stop;
    int err;
    if (t.kind != TOKEN_STRING && t.kind != TOKEN_RAW)
        return unexpected(p, t, context);
    if ((err = string_constant(p, t, &name)))
        return err;
    if (block) {
        if (!(n = node_new(p, NODE_TEMPLATE, word)))
            return ERR_NOMEM;
        n->text = name;
        err = parse_pipe(p, context, TOKEN_RIGHT, &n->pipe);
    } else {
        err = expect(p, TOKEN_RIGHT, context, &right);
    }
    if (err)
        return err;
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return fail_at(p, word.begin, "controls are nested too deeply");
    size_t variables = p->variables.len;
    unsigned ranges = p->range_depth;
    /* A definition sees only $. */
    VEC(struct slice) outer = {0};
    for (size_t i = 1; i < variables; i++)
        vec_push(&outer, p->variables.items[i]);
    p->variables.len = 1;
    p->range_depth = 0;
    err = parse_list(p, &body, &stop);
    p->variables.len = 1;
    for (size_t i = 0; i < outer.len; i++)
        vec_push(&p->variables, outer.items[i]);
    vec_free(&outer);
    p->range_depth = ranges;
    p->depth--;
    if (err)
        return err;
    if (stop != STOP_END)
        return fail_at(p, p->lexer.at, "unexpected %s in %s", stop == STOP_EOF ? "EOF" : "{{else}}",
                       context);
    *out = n;
    return define(p, name, body);
}

static int parse_template(struct parser *p, struct token word, struct node **out)
{
    struct token t = next(p);
    struct node *n;
    int err;
    if (t.kind != TOKEN_STRING && t.kind != TOKEN_RAW)
        return unexpected(p, t, "template clause");
    if (!(n = node_new(p, NODE_TEMPLATE, word)))
        return ERR_NOMEM;
    *out = n;
    if ((err = string_constant(p, t, &n->text)))
        return err;
    if (peek(p).kind == TOKEN_RIGHT) {
        (void)next(p);
        return 0;
    }
    return parse_pipe(p, "template clause", TOKEN_RIGHT, &n->pipe);
}

/* After {{. *out stays NULL for what leaves nothing behind. */
static int parse_action(struct parser *p, struct node **out, enum stop *stop, bool *stopped)
{
    struct token t = next(p), right;
    int err = 0;
    *out = NULL;
    if (t.kind != TOKEN_KEYWORD || slice_eq_cstr(t.text, "nil")) {
        struct node *n;
        give_back(p, t);
        if (!(n = node_new(p, NODE_ACTION, t)))
            return ERR_NOMEM;
        *out = n;
        return parse_pipe(p, "command", TOKEN_RIGHT, &n->pipe);
    }
    if (slice_eq_cstr(t.text, "if"))
        return parse_control(p, NODE_IF, "if", t, out);
    if (slice_eq_cstr(t.text, "range"))
        return parse_control(p, NODE_RANGE, "range", t, out);
    if (slice_eq_cstr(t.text, "with"))
        return parse_control(p, NODE_WITH, "with", t, out);
    if (slice_eq_cstr(t.text, "template"))
        return parse_template(p, t, out);
    if (slice_eq_cstr(t.text, "define"))
        return parse_definition(p, false, t, out);
    if (slice_eq_cstr(t.text, "block"))
        return parse_definition(p, true, t, out);
    if (slice_eq_cstr(t.text, "else")) {
        *stop = STOP_ELSE;
        *stopped = true;
        /* {{else if}} and {{else with}} are their control's business. */
        struct token after = peek(p);
        if (after.kind != TOKEN_RIGHT &&
            !(after.kind == TOKEN_KEYWORD &&
              (slice_eq_cstr(after.text, "if") || slice_eq_cstr(after.text, "with"))))
            return unexpected(p, after, "else");
        return 0;
    }
    if (slice_eq_cstr(t.text, "end")) {
        *stop = STOP_END;
        *stopped = true;
        return expect(p, TOKEN_RIGHT, "end", &right);
    }
    /* break and continue */
    char context[16];
    snprintf(context, sizeof(context), "%.*s", SLICE_FMT(t.text));
    if ((right = next(p)).kind != TOKEN_RIGHT)
        return unexpected(p, right, context);
    if (!p->range_depth)
        return fail_at(p, t.begin, "{{%s}} outside {{range}}", context);
    *out = node_new(p, context[0] == 'b' ? NODE_BREAK : NODE_CONTINUE, t);
    if (!*out)
        err = ERR_NOMEM;
    return err;
}

static int parse_list(struct parser *p, struct node **out, enum stop *stop)
{
    struct node **tail = out;
    bool stopped = false;
    *out = NULL;
    *stop = STOP_EOF;
    while (!stopped) {
        struct token t = next(p);
        struct node *n = NULL;
        int err = 0;
        if (t.kind == TOKEN_EOF)
            break;
        if (t.kind == TOKEN_TEXT)
            err = (n = node_new(p, NODE_TEXT, t)) ? 0 : ERR_NOMEM;
        else if (t.kind == TOKEN_LEFT)
            err = parse_action(p, &n, stop, &stopped);
        else
            err = unexpected(p, t, "input");
        if (err)
            return err;
        if (n) {
            *tail = n;
            tail = &n->next;
        }
    }
    return 0;
}

struct definition *text__template_find(const struct text_template *t, struct slice name)
{
    struct definition *d = t->definitions;
    while (d && !slice_eq(d->name, name))
        d = d->next;
    return d;
}

int text_template_add(struct text_template *t, struct slice name, struct slice text,
                      struct diag *diag)
{
    struct parser p = {.set = t, .diag = diag};
    struct node *body;
    enum stop stop;
    int err;
    struct diag unread;
    if (!diag) {
        diag_init(&unread);
        p.diag = &unread;
    }
    p.source = ARENA_NEW(t->arena, struct source);
    if (!p.source)
        return diag_set(p.diag, ERR_NOMEM, "template: memory is used up");
    p.source->name = arena_slice(t->arena, name);
    p.source->text = arena_slice(t->arena, text);
    if (!p.source->name.ptr || !p.source->text.ptr)
        return no_memory(&p);
    p.lexer.text = p.source->text;
    vec_push(&p.variables, SLICE("$"));
    err = parse_list(&p, &body, &stop);
    if (!err && stop != STOP_EOF)
        err = fail_at(&p, p.lexer.at, "unexpected {{%s}}", stop == STOP_END ? "end" : "else");
    if (!err)
        err = define(&p, p.source->name, body);
    vec_free(&p.variables);
    return err;
}

int text_template_new(struct slice name, struct slice text,
                      const struct text_template_function *functions, size_t function_count,
                      struct arena *arena, struct text_template **out, struct diag *diag)
{
    struct text_template *t = ARENA_NEW(arena, struct text_template);
    *out = NULL;
    if (!t)
        return diag_set(diag, ERR_NOMEM, "template: memory is used up");
    t->arena = arena;
    t->functions = functions;
    t->function_count = function_count;
    t->main = arena_slice(arena, name);
    if (!t->main.ptr)
        return diag_set(diag, ERR_NOMEM, "template: memory is used up");
    int err = text_template_add(t, name, text, diag);
    if (!err)
        *out = t;
    return err;
}

bool text_template_has(const struct text_template *t, struct slice name)
{
    return text__template_find(t, name) != NULL;
}
