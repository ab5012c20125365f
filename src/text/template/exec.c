/* Running a template, after Go's text/template: the same order of evaluation and the same words. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "text/template/template_priv.h"

#define OUTPUT_MAX_DEFAULT ((size_t)1 << 20)
#define STEPS_MAX_DEFAULT  ((size_t)10000000)
#define MADE_MAX           ((size_t)100) /* texts on the way to the output, in its largest size */

struct variable {
    struct slice name;
    struct text_template_value value;
};

enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };

struct run {
    struct text_template_call call;
    const struct text_template *set;
    struct slice name; /* of the template that runs */
    struct buf *out;
    size_t out_begin, output_max, steps, steps_max;
    size_t made; /* bytes of texts that functions made */
    VEC(struct variable) variables;
    size_t base; /* of the running template's variables */
    enum flow flow;
    struct diag *diag;
};

static int fail(struct run *r, const struct node *n, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static int fail(struct run *r, const struct node *n, int code, const char *fmt, ...)
{
    char msg[700];
    uint32_t line = 1, col = 0;
    struct slice src = n->source->text;
    size_t len = n->end > n->begin ? n->end - n->begin : 0;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < n->at && i < src.len; i++) {
        col++;
        if (src.ptr[i] == '\n') {
            line++;
            col = 0;
        }
    }
    return diag_set_at(r->diag, code, line, col + 1,
                       "template: %.*s:%u:%u: executing \"%.*s\" at <%.*s%s>: %s",
                       SLICE_FMT(n->source->name), line, col, SLICE_FMT(r->name),
                       (int)(len > 20 ? 20 : len), src.ptr + n->begin, len > 20 ? "..." : "", msg);
}

static int step(struct run *r, const struct node *n)
{
    if (++r->steps <= r->steps_max)
        return 0;
    return fail(r, n, ERR_LIMIT, "the template takes more than %zu steps", r->steps_max);
}

static int check_output(struct run *r, const struct node *n)
{
    if (r->out->len - r->out_begin <= r->output_max)
        return 0;
    return fail(r, n, ERR_LIMIT, "the template writes more than %zu bytes", r->output_max);
}

static struct text_template_value *find_variable(struct run *r, struct slice name)
{
    for (size_t i = r->variables.len; i > r->base; i--) {
        if (slice_eq(r->variables.items[i - 1].name, name))
            return &r->variables.items[i - 1].value;
    }
    return NULL;
}

static void push_variable(struct run *r, struct slice name, struct text_template_value value)
{
    struct variable v = {name, value};
    vec_push(&r->variables, v);
}

static int eval_pipe(struct run *r, const struct text_template_value *dot, const struct node *pipe,
                     struct text_template_value *out);
static int eval_word(struct run *r, const struct text_template_value *dot, const struct node *n,
                     struct text_template_value *out);

/* --- arguments --- */
struct arguments {
    struct text_template_value *items;
    const struct node **nodes; /* NULL: what came through the pipe */
    size_t count;
};

/* The words behind the first, and what came through the pipe (may be NULL). */
static int eval_args(struct run *r, const struct text_template_value *dot, const struct node *word,
                     const struct text_template_value *final, struct arguments *out)
{
    size_t n = final ? 1 : 0;
    for (const struct node *w = word; w; w = w->next)
        n++;
    out->count = 0;
    out->items = ARENA_ARRAY(r->call.arena, struct text_template_value, n + 1);
    out->nodes = ARENA_ARRAY(r->call.arena, const struct node *, n + 1);
    if (!out->items || !out->nodes)
        return diag_set(r->diag, ERR_NOMEM, "template: memory is used up");
    for (const struct node *w = word; w; w = w->next) {
        int err = eval_word(r, dot, w, &out->items[out->count]);
        if (err)
            return err;
        out->nodes[out->count++] = w;
    }
    if (final)
        out->items[out->count++] = *final;
    return 0;
}

static int check_type(struct run *r, const struct node *n, char letter, struct arguments *args,
                      size_t i)
{
    static const struct {
        char letter;
        enum text_template_kind kind;
        const char *name;
    } kinds[] = {{'s', TEXT_TEMPLATE_STRING, "string"},
                 {'i', TEXT_TEMPLATE_INT, "int"},
                 {'f', TEXT_TEMPLATE_FLOAT, "float64"},
                 {'b', TEXT_TEMPLATE_BOOL, "bool"},
                 {'l', TEXT_TEMPLATE_LIST, "[]interface {}"},
                 {'m', TEXT_TEMPLATE_MAP, "map[string]interface {}"}};
    struct text_template_value *v = &args->items[i];
    const struct node *word = args->nodes[i];
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        if (kinds[k].letter != letter || kinds[k].kind == v->kind)
            continue;
        bool constant = word && (word->kind == NODE_NUMBER || word->kind == NODE_STRING ||
                                 word->kind == NODE_BOOL);
        if (letter == 'f' && constant && v->kind == TEXT_TEMPLATE_INT) {
            *v = text_template_float((double)v->integer);
            return 0;
        }
        if (constant)
            return fail(r, n, ERR_INVALID, "expected %s; found %.*s",
                        letter == 'i'   ? "integer"
                        : letter == 'f' ? "float"
                                        : kinds[k].name,
                        (int)(word->end - word->begin), word->source->text.ptr + word->begin);
        if (v->kind == TEXT_TEMPLATE_NIL)
            return fail(r, n, ERR_INVALID, "invalid value; expected %s", kinds[k].name);
        return fail(r, n, ERR_INVALID, "wrong type for value; expected %s; got %s", kinds[k].name,
                    text_template_type_name(v));
    }
    return 0;
}

static int check_params(struct run *r, const struct node *n, struct slice name, const char *params,
                        struct arguments *args)
{
    size_t fixed = strlen(params);
    bool variadic = fixed && params[fixed - 1] == '*';
    if (variadic)
        fixed -= 2;
    if (args->count < fixed || (!variadic && args->count > fixed))
        return fail(r, n, ERR_INVALID, "wrong number of args for %.*s: want %s%zu got %zu",
                    SLICE_FMT(name), variadic ? "at least " : "", fixed, args->count);
    for (size_t i = 0; i < args->count; i++) {
        int err = check_type(r, n, params[i < fixed ? i : fixed], args, i);
        if (err)
            return err;
    }
    return 0;
}

/* and, or: the first argument that decides. */
static int eval_logic(struct run *r, const struct text_template_value *dot, const struct node *n,
                      const struct text_template_value *final, struct text_template_value *out)
{
    bool is_or = n->builtin == BUILTIN_OR;
    if (!n->next && !final)
        return fail(r, n, ERR_INVALID, "wrong number of args for %.*s: want at least 1 got 0",
                    SLICE_FMT(n->text));
    for (const struct node *w = n->next; w; w = w->next) {
        int err = eval_word(r, dot, w, out);
        if (err)
            return err;
        if (text_template_truth(out) == is_or)
            return 0;
    }
    if (final)
        *out = *final;
    return 0;
}

static int eval_function(struct run *r, const struct text_template_value *dot, const struct node *n,
                         const struct text_template_value *final, struct text_template_value *out)
{
    static const char *const params[BUILTIN_COUNT] = {
        [BUILTIN_NOT] = "v",      [BUILTIN_LEN] = "v",    [BUILTIN_INDEX] = "vv*",
        [BUILTIN_SLICE] = "vv*",  [BUILTIN_PRINT] = "v*", [BUILTIN_PRINTF] = "sv*",
        [BUILTIN_PRINTLN] = "v*", [BUILTIN_HTML] = "v*",  [BUILTIN_URLQUERY] = "v*",
        [BUILTIN_EQ] = "vv*",     [BUILTIN_NE] = "vv",    [BUILTIN_LT] = "vv",
        [BUILTIN_LE] = "vv",      [BUILTIN_GT] = "vv",    [BUILTIN_GE] = "vv",
    };
    struct arguments args;
    struct diag d;
    int err;
    if (!n->function && (n->builtin == BUILTIN_AND || n->builtin == BUILTIN_OR))
        return eval_logic(r, dot, n, final, out);
    if ((err = eval_args(r, dot, n->next, final, &args)))
        return err;
    const char *want = n->function ? n->function->params : params[n->builtin];
    if (want && (err = check_params(r, n, n->text, want, &args)))
        return err;
    diag_init(&d);
    err = n->function ? n->function->call(&r->call, args.items, args.count, out, &d)
                      : text__template_builtin((enum builtin)n->builtin, &r->call, args.items,
                                               args.count, out, &d);
    if (err)
        return fail(r, n, err, "error calling %.*s: %s", SLICE_FMT(n->text), d.msg);
    if (out->kind == TEXT_TEMPLATE_STRING)
        r->made += out->string.len;
    if (r->made > MADE_MAX * r->output_max)
        return fail(r, n, ERR_LIMIT, "the template makes more than %zu bytes of text",
                    MADE_MAX * r->output_max);
    return 0;
}

/* --- fields --- */
static int eval_field(struct run *r, const struct text_template_value *dot, const struct node *n,
                      struct slice name, const struct text_template_value *self,
                      const struct node *words, const struct text_template_value *final,
                      struct text_template_value *out)
{
    const struct text_template_type *type = self->type;
    if (type && type->method) {
        struct arguments args;
        struct diag d;
        diag_init(&d);
        int err = eval_args(r, dot, words, final, &args);
        if (err)
            return err;
        err = type->method(&r->call, self, name, args.items, args.count, out, &d);
        if (err != ERR_NOT_FOUND)
            return err ? fail(r, n, err, "error calling %.*s: %s", SLICE_FMT(name), d.msg) : 0;
    }
    if (self->kind == TEXT_TEMPLATE_NIL) {
        *out = text_template_nil();
        return 0;
    }
    if (self->kind != TEXT_TEMPLATE_MAP)
        return fail(r, n, ERR_INVALID, "can't evaluate field %.*s in type %s", SLICE_FMT(name),
                    text_template_type_name(self));
    bool is_struct = type && type->is_struct;
    if (words || final)
        return fail(r, n, ERR_INVALID,
                    is_struct ? "%.*s has arguments but cannot be invoked as function"
                              : "%.*s is not a method but has arguments",
                    SLICE_FMT(name));
    if (text__template_get(&r->call, self, name, out))
        return 0;
    if (is_struct)
        return fail(r, n, ERR_INVALID, "can't evaluate field %.*s in type %s", SLICE_FMT(name),
                    text_template_type_name(self));
    *out = type && type->string_zero ? text_template_string(SLICE("")) : text_template_nil();
    return 0;
}

static int eval_fields(struct run *r, const struct text_template_value *dot, const struct node *n,
                       struct text_template_value self, const struct node *words,
                       const struct text_template_value *final, struct text_template_value *out)
{
    for (size_t i = 0; i < n->field_count; i++) {
        bool last = i + 1 == n->field_count;
        int err = eval_field(r, dot, n, n->fields[i], &self, last ? words : NULL,
                             last ? final : NULL, out);
        if (err)
            return err;
        self = *out;
    }
    *out = self;
    return 0;
}

static int not_a_function(struct run *r, const struct node *n,
                          const struct text_template_value *final)
{
    if (!n->next && !final)
        return 0;
    return fail(r, n, ERR_INVALID, "can't give argument to non-function %.*s",
                (int)(n->end - n->begin), n->source->text.ptr + n->begin);
}

/* The first word of a command, with the others as its arguments. */
static int eval_command(struct run *r, const struct text_template_value *dot,
                        const struct node *command, const struct text_template_value *final,
                        struct text_template_value *out)
{
    const struct node *n = command->first;
    struct text_template_value self;
    int err = step(r, n);
    if (err)
        return err;
    switch (n->kind) {
    case NODE_FUNCTION: return eval_function(r, dot, n, final, out);
    case NODE_FIELD: return eval_fields(r, dot, n, *dot, n->next, final, out);
    case NODE_CHAIN:
        err = eval_word(r, dot, n->first, &self);
        return err ? err : eval_fields(r, dot, n, self, n->next, final, out);
    case NODE_VARIABLE:
        if (!n->field_count && (err = not_a_function(r, n, final)))
            return err;
        if (!find_variable(r, n->text))
            return fail(r, n, ERR_INVALID, "undefined variable: %.*s", SLICE_FMT(n->text));
        self = *find_variable(r, n->text);
        return eval_fields(r, dot, n, self, n->next, final, out);
    case NODE_NIL: return fail(r, n, ERR_INVALID, "nil is not a command");
    default: err = not_a_function(r, n, final); return err ? err : eval_word(r, dot, n, out);
    }
}

/* One word as an argument. */
static int eval_word(struct run *r, const struct text_template_value *dot, const struct node *n,
                     struct text_template_value *out)
{
    struct node command = {.kind = NODE_COMMAND}, alone;
    switch (n->kind) {
    case NODE_DOT: *out = *dot; return 0;
    case NODE_NIL: *out = text_template_nil(); return 0;
    case NODE_BOOL:
    case NODE_NUMBER:
    case NODE_STRING: *out = n->constant; return 0;
    case NODE_PIPE: return eval_pipe(r, dot, n, out);
    default: /* fields, variables, functions: without the words that follow */
        alone = *n;
        alone.next = NULL;
        command.first = &alone;
        return eval_command(r, dot, &command, NULL, out);
    }
}

/* Variables that the pipe declares are not set here. */
static int eval_commands(struct run *r, const struct text_template_value *dot,
                         const struct node *pipe, struct text_template_value *out)
{
    struct text_template_value through;
    bool first = true;
    *out = text_template_nil();
    for (const struct node *c = pipe->first; c; c = c->next) {
        int err = eval_command(r, dot, c, first ? NULL : &through, out);
        if (err)
            return err;
        through = *out;
        first = false;
    }
    return 0;
}

static int set_variable(struct run *r, const struct node *pipe, unsigned i,
                        struct text_template_value value)
{
    if (!pipe->assigns) {
        push_variable(r, pipe->variables[i], value);
        return 0;
    }
    struct text_template_value *at = find_variable(r, pipe->variables[i]);
    if (!at)
        return fail(r, pipe, ERR_INVALID, "undefined variable: %.*s",
                    SLICE_FMT(pipe->variables[i]));
    *at = value;
    return 0;
}

static int eval_pipe(struct run *r, const struct text_template_value *dot, const struct node *pipe,
                     struct text_template_value *out)
{
    int err = eval_commands(r, dot, pipe, out);
    for (unsigned i = 0; !err && i < pipe->variable_count; i++)
        err = set_variable(r, pipe, i, *out);
    return err;
}

/* --- the tree --- */
static int walk(struct run *r, const struct text_template_value *dot, const struct node *n);

/* One turn of a range. */
static int turn(struct run *r, const struct node *n, struct text_template_value key,
                struct text_template_value item)
{
    const struct node *pipe = n->pipe;
    size_t mark = r->variables.len;
    int err = step(r, n);
    if (!err && pipe->variable_count == 1)
        err = set_variable(r, pipe, 0, item);
    if (!err && pipe->variable_count == 2 && !(err = set_variable(r, pipe, 0, key)))
        err = set_variable(r, pipe, 1, item);
    if (!err)
        err = walk(r, &item, n->body);
    r->variables.len = mark;
    if (r->flow == FLOW_CONTINUE)
        r->flow = FLOW_NEXT;
    return err;
}

static int walk_range(struct run *r, const struct text_template_value *dot, const struct node *n)
{
    struct text_template_value v;
    int err = eval_commands(r, dot, n->pipe, &v);
    size_t count = v.kind == TEXT_TEMPLATE_INT ? (v.integer > 0 ? (size_t)v.integer : 0) : v.count;
    const struct text_template_pair *pairs = NULL;
    if (err)
        return err;
    if (v.kind == TEXT_TEMPLATE_MAP) {
        if (v.type && v.type->is_struct)
            return fail(r, n->pipe, ERR_INVALID, "range can't iterate over {...} of type %s",
                        text_template_type_name(&v));
        if (!(pairs = text__template_sorted(&v, r->call.arena)))
            return diag_set(r->diag, ERR_NOMEM, "template: memory is used up");
        if (v.type && v.type->get)
            count = 0;
    } else if (v.kind == TEXT_TEMPLATE_NIL) {
        count = 0;
    } else if (v.kind != TEXT_TEMPLATE_LIST && v.kind != TEXT_TEMPLATE_INT) {
        struct buf text = {0};
        text_template_print(&v, &text);
        err = fail(r, n->pipe, ERR_INVALID, "range can't iterate over %.*s",
                   (int)(text.len > 200 ? 200 : text.len), text.ptr ? text.ptr : "");
        buf_deinit(&text);
        return err;
    }
    if (!count)
        return walk(r, dot, n->otherwise);
    for (size_t i = 0; !err && i < count && r->flow != FLOW_BREAK; i++) {
        if (pairs)
            err = turn(r, n, text_template_string(pairs[i].key), *pairs[i].value);
        else if (v.kind == TEXT_TEMPLATE_LIST)
            err = turn(r, n, text_template_int((int64_t)i), v.items[i]);
        else
            err = turn(r, n, text_template_int((int64_t)i), text_template_int((int64_t)i));
    }
    r->flow = FLOW_NEXT;
    return err;
}

static int run_body(struct run *r, const struct definition *d,
                    const struct text_template_value *dot)
{
    size_t base = r->base, mark = r->variables.len;
    struct slice name = r->name;
    r->base = mark;
    r->name = d->name;
    push_variable(r, SLICE("$"), *dot);
    int err = walk(r, dot, d->body);
    r->variables.len = mark;
    r->base = base;
    r->name = name;
    r->flow = FLOW_NEXT;
    return err;
}

static int walk_template(struct run *r, const struct text_template_value *dot, const struct node *n)
{
    struct text_template_value data = text_template_nil();
    const struct definition *d = text__template_find(r->set, n->text);
    int err = 0;
    if (!d)
        return fail(r, n, ERR_INVALID, "template \"%.*s\" not defined", SLICE_FMT(n->text));
    if (r->call.depth >= TEMPLATE_DEPTH_MAX)
        return fail(r, n, ERR_LIMIT, "exceeded maximum template depth (%d)", TEMPLATE_DEPTH_MAX);
    if (n->pipe && (err = eval_pipe(r, dot, n->pipe, &data)))
        return err;
    r->call.depth++;
    err = run_body(r, d, &data);
    r->call.depth--;
    return err;
}

static int walk_node(struct run *r, const struct text_template_value *dot, const struct node *n)
{
    struct text_template_value v;
    size_t mark = r->variables.len;
    int err;
    switch (n->kind) {
    case NODE_TEXT: buf_append_slice(r->out, n->text); return check_output(r, n);
    case NODE_ACTION:
        if ((err = eval_pipe(r, dot, n->pipe, &v)))
            return err;
        if (!n->pipe->variable_count)
            text_template_print(&v, r->out);
        return check_output(r, n);
    case NODE_IF:
    case NODE_WITH:
        if ((err = eval_pipe(r, dot, n->pipe, &v)))
            return err;
        err = text_template_truth(&v) ? walk(r, n->kind == NODE_WITH ? &v : dot, n->body)
                                      : walk(r, dot, n->otherwise);
        r->variables.len = mark;
        return err;
    case NODE_RANGE:
        err = walk_range(r, dot, n);
        r->variables.len = mark;
        return err;
    case NODE_TEMPLATE: return walk_template(r, dot, n);
    case NODE_BREAK: r->flow = FLOW_BREAK; return 0;
    case NODE_CONTINUE: r->flow = FLOW_CONTINUE; return 0;
    default: return fail(r, n, ERR_INVALID, "unknown node");
    }
}

static int walk(struct run *r, const struct text_template_value *dot, const struct node *n)
{
    int err = 0;
    for (; n && !err && r->flow == FLOW_NEXT; n = n->next) {
        if (!(err = step(r, n)))
            err = walk_node(r, dot, n);
    }
    return err;
}

int text_template_run_named(const struct text_template *t, struct slice name,
                            const struct text_template_value *data,
                            const struct text_template_env *env, unsigned depth, struct buf *out,
                            struct diag *diag)
{
    const struct definition *d = text__template_find(t, name);
    struct run r = {.call = {env->ctx, env->arena, t, env, depth},
                    .set = t,
                    .name = name,
                    .out = out,
                    .out_begin = out->len,
                    .output_max = env->output_max ? env->output_max : OUTPUT_MAX_DEFAULT,
                    .steps_max = env->steps_max ? env->steps_max : STEPS_MAX_DEFAULT,
                    .diag = diag};
    if (!d)
        return diag_set(diag, ERR_NOT_FOUND, "template \"%.*s\" not defined", SLICE_FMT(name));
    if (depth > TEMPLATE_DEPTH_MAX)
        return diag_set(diag, ERR_LIMIT, "exceeded maximum template depth (%d)",
                        TEMPLATE_DEPTH_MAX);
    int err = run_body(&r, d, data);
    vec_free(&r.variables);
    return err;
}

int text_template_run(const struct text_template *t, const struct text_template_value *data,
                      const struct text_template_env *env, struct buf *out, struct diag *diag)
{
    return text_template_run_named(t, t->main, data, env, 0, out, diag);
}
