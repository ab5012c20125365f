/* Evaluation: calls with their arguments bound to parameters and checked, paths fetched, templates
 * filled in. */
#include <stdarg.h>
#include <string.h>

#include "codec/number.h"
#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

static const char *kind_name(const struct graphite__value *v)
{
    static const char *const names[] = {[GRAPHITE__NONE] = "None",
                                        [GRAPHITE__LIST] = "a list of series",
                                        [GRAPHITE__LISTS] = "lists of series",
                                        [GRAPHITE__INT] = "a whole number",
                                        [GRAPHITE__FLOAT] = "a number",
                                        [GRAPHITE__STRING] = "a text",
                                        [GRAPHITE__BOOL] = "true or false"};
    return names[v->kind];
}

/* --- one argument as its parameter wants it --- */

static bool to_number(struct graphite__value *v, bool whole)
{
    double d;
    if (v->kind == GRAPHITE__BOOL)
        v->kind = GRAPHITE__INT;
    if (v->kind == GRAPHITE__STRING) {
        if (!codec_text_to_double(v->text, &d, NULL) || isnan(d))
            return false;
        v->number = d;
        v->kind = memchr(v->text.ptr, '.', v->text.len) ? GRAPHITE__FLOAT : GRAPHITE__INT;
    }
    if (whole && v->kind == GRAPHITE__FLOAT)
        return false;
    return v->kind == GRAPHITE__INT || v->kind == GRAPHITE__FLOAT;
}

static bool to_bool(struct graphite__value *v)
{
    if (v->kind == GRAPHITE__STRING) {
        if (slice_eq_nocase(v->text, SLICE("true")))
            v->number = 1;
        else if (slice_eq_nocase(v->text, SLICE("false")))
            v->number = 0;
        else
            return false;
    } else if (v->kind == GRAPHITE__LIST || v->kind == GRAPHITE__LISTS ||
               (v->kind != GRAPHITE__BOOL && v->number != 0 && v->number != 1)) {
        return false;
    }
    v->kind = GRAPHITE__BOOL;
    return true;
}

static bool to_text(struct graphite_run *x, struct graphite__value *v)
{
    if (v->kind == GRAPHITE__LIST || v->kind == GRAPHITE__LISTS)
        return false;
    if (v->kind != GRAPHITE__STRING)
        v->text = graphite__str(x, v);
    v->kind = GRAPHITE__STRING;
    return true;
}

static bool convert(struct graphite_run *x, const struct graphite__param *p,
                    struct graphite__value *v)
{
    struct slice t = p->type;
    int64_t ignored;
    enum graphite_agg agg;
    if (slice_eq(t, SLICE("seriesList")))
        return v->kind == GRAPHITE__LIST;
    if (slice_eq(t, SLICE("seriesLists")))
        return v->kind == GRAPHITE__LISTS || v->kind == GRAPHITE__LIST;
    if (slice_eq(t, SLICE("float"))) {
        bool good = to_number(v, false);
        v->kind = good ? GRAPHITE__FLOAT : v->kind; /* 5 is shown as 5.0 then */
        return good;
    }
    if (slice_eq(t, SLICE("integer")) || slice_eq(t, SLICE("node")))
        return to_number(v, true);
    if (slice_eq(t, SLICE("intOrInf")))
        return (v->kind == GRAPHITE__FLOAT && isinf(v->number)) || to_number(v, true) ||
               (v->kind == GRAPHITE__FLOAT && isinf(v->number));
    if (slice_eq(t, SLICE("boolean")))
        return to_bool(v);
    if (slice_eq(t, SLICE("interval")))
        return to_text(x, v) && !graphite_offset_parse(v->text, &ignored, NULL);
    if (slice_eq(t, SLICE("intOrInterval")))
        return v->kind == GRAPHITE__STRING ? !graphite_offset_parse(v->text, &ignored, NULL)
                                           : to_number(v, true);
    if (slice_eq(t, SLICE("aggFunc"))) {
        if (!to_text(x, v))
            return false;
        struct slice bare = v->text;
        if (slice_ends_with(bare, SLICE("Series")))
            bare.len -= 6;
        return graphite_agg_parse(bare, &agg) && agg < GRAPHITE_FIRST;
    }
    if (slice_eq(t, SLICE("nodeOrTag")))
        return v->kind != GRAPHITE__LIST && v->kind != GRAPHITE__LISTS;
    if (slice_eq(t, SLICE("any")))
        return true;
    return to_text(x, v); /* string, date, tag, aggOrSeriesFunc */
}

static int bind_one(struct graphite__call *c, const struct graphite__param *p,
                    struct graphite__value *v)
{
    struct graphite_run *x = c->x;
    if (v->kind == GRAPHITE__NONE) {
        if (p->required && !slice_eq(p->type, SLICE("any")))
            return graphite__fail(x, "Missing required parameter \"%.*s\" for function \"%s\"",
                                  SLICE_FMT(p->name), c->fn->name);
        return 0;
    }
    if (convert(x, p, v))
        return 0;
    struct slice shown = v->kind == GRAPHITE__LIST || v->kind == GRAPHITE__LISTS
                             ? slice_cstr(kind_name(v))
                             : graphite__str(x, v);
    return graphite__fail(x,
                          "Invalid \"%.*s\" value specified for function \"%s\" parameter "
                          "\"%.*s\": %.*s",
                          SLICE_FMT(p->type), c->fn->name, SLICE_FMT(p->name),
                          SLICE_FMT(slice_first(shown, 100)));
}

static void preset(struct graphite_run *x, const struct graphite__param *p,
                   struct graphite__value *v)
{
    double d;
    if (!p->preset.ptr || v->kind != GRAPHITE__NONE)
        return;
    v->text = p->preset;
    v->kind = GRAPHITE__STRING;
    if (slice_eq(p->preset, SLICE("inf"))) {
        v->kind = GRAPHITE__FLOAT;
        v->number = INFINITY;
    } else if (codec_text_to_double(p->preset, &d, NULL)) {
        v->kind = slice_find_char(p->preset, '.') >= 0 ? GRAPHITE__FLOAT : GRAPHITE__INT;
        v->number = d;
    } else if (slice_eq(p->type, SLICE("boolean"))) {
        (void)to_bool(v);
    }
    (void)x;
}

/* Positions first, then names; what is left over goes to a last parameter that takes several. */
static int bind_arguments(struct graphite__call *c, struct graphite__value *args,
                          const struct slice *names, size_t count)
{
    struct graphite_run *x = c->x;
    struct slice rest = slice_cstr(c->fn->params);
    struct graphite__param p;
    size_t at = 0, index = 0, used = 0;
    while (graphite__param_next(&rest, &p)) {
        if (p.multiple) {
            size_t n = 0;
            c->rest = ARENA_ARRAY(x->arena, struct graphite__value, count + 1);
            for (; at < count && !names[at].ptr; at++, n++, used++) {
                c->rest[n] = args[at];
                if (c->rest[n].kind != GRAPHITE__NONE && bind_one(c, &p, &c->rest[n]))
                    return x->err;
            }
            c->rest_count = n;
            if (p.required && !n)
                return graphite__fail(x, "Missing required parameter \"%.*s\" for function \"%s\"",
                                      SLICE_FMT(p.name), c->fn->name);
            continue;
        }
        struct graphite__value *v = &c->arg[index++];
        if (at < count && !names[at].ptr) {
            *v = args[at++];
            used++;
        }
        for (size_t i = 0; i < count; i++) {
            if (names[i].ptr && slice_eq(names[i], p.name)) {
                *v = args[i];
                used++;
            }
        }
        if (bind_one(c, &p, v))
            return x->err;
        preset(x, &p, v);
    }
    if (at < count && !names[at].ptr)
        return graphite__fail(x, "Too many parameters specified for function \"%s\"", c->fn->name);
    if (used < count) {
        for (size_t i = 0; i < count; i++) {
            bool known = !names[i].ptr;
            rest = slice_cstr(c->fn->params);
            while (!known && graphite__param_next(&rest, &p))
                known = slice_eq(names[i], p.name);
            if (!known)
                return graphite__fail(x, "Unexpected key word arguments: %.*s",
                                      SLICE_FMT(slice_first(names[i], 60)));
        }
    }
    return 0;
}

/* --- calls --- */

static int run(struct graphite__call *c, struct graphite__value *out)
{
    int err = c->fn->run(c, out);
    if (err && !c->x->err)
        c->x->err = err;
    return c->x->err;
}

int graphite__call_with(struct graphite_run *x, const struct graphite__function *fn,
                        const struct graphite__value *args, size_t count,
                        struct graphite__value *out)
{
    struct graphite__call c = {.x = x, .fn = fn};
    struct slice *names = ARENA_ARRAY(x->arena, struct slice, count + 1);
    struct graphite__value *copy = arena_dup(x->arena, args, count * sizeof(*args));
    memset(out, 0, sizeof(*out));
    if (x->depth > GRAPHITE_DEPTH_MAX)
        return graphite__fail(x, "functions are nested more than %d deep", GRAPHITE_DEPTH_MAX);
    x->depth++;
    if (!bind_arguments(&c, copy, names, count))
        run(&c, out);
    x->depth--;
    return x->err;
}

static int call(struct graphite_run *x, const struct graphite_ast *n, struct graphite__value *out)
{
    struct graphite__call c = {.x = x, .node = n};
    if (slice_eq(n->text, SLICE("seriesByTag"))) {
        struct slice *exprs = ARENA_ARRAY(x->arena, struct slice, n->arg_count + 1);
        for (size_t i = 0; i < n->arg_count; i++) {
            if (n->args[i]->kind != GRAPHITE_AST_STRING)
                return graphite__fail(x, "seriesByTag() takes texts, as in "
                                         "seriesByTag('name=cpu', 'host=~web.*')");
            exprs[i] = n->args[i]->text;
        }
        out->kind = GRAPHITE__LIST;
        return graphite__fetch_tags(x, exprs, n->arg_count, n->raw, &out->list);
    }
    c.fn = graphite__function_find(n->text);
    if (!c.fn)
        return graphite__fail(x, "Received request for unknown function: %.*s",
                              SLICE_FMT(slice_first(n->text, 100)));
    bool lowered;
    if (graphite__lower(x, c.fn, n, &out->list, &lowered) || lowered) {
        out->kind = GRAPHITE__LIST;
        return x->err;
    }
    struct graphite__value *args = ARENA_ARRAY(x->arena, struct graphite__value, n->arg_count + 1);
    if (c.fn->run == graphite__fn_moving || c.fn->run == graphite__fn_exponential)
        c.ahead_s = graphite__ahead_s(x, n);
    for (size_t i = 0; i < n->arg_count; i++) {
        struct graphite__window window = x->window;
        x->window.start_s -= i ? 0 : c.ahead_s;
        graphite__eval(x, n->args[i], &args[i]);
        x->window = window;
        if (x->err)
            return x->err;
    }
    if (bind_arguments(&c, args, n->arg_names, n->arg_count) || graphite__check_time(x))
        return x->err;
    return run(&c, out);
}

static struct slice replace_all(struct graphite_run *x, struct slice text)
{
    struct buf b = {0};
    for (size_t i = 0; i < text.len;) {
        const struct graphite_template_value *best = NULL;
        for (size_t k = 0; text.ptr[i] == '$' && k < x->replace_count; k++) {
            const struct graphite_template_value *r = &x->replace[k];
            if (slice_starts_with(slice_from(text, i + 1), r->name) &&
                (!best || r->name.len > best->name.len))
                best = r;
        }
        if (best) {
            buf_append_slice(&b, best->value);
            i += 1 + best->name.len;
        } else {
            buf_append_char(&b, text.ptr[i++]);
        }
    }
    struct slice out = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return out;
}

/* A path that is nothing but $name is the value itself, a number if it looks like one. */
static bool bare_variable(struct graphite_run *x, struct slice path, struct graphite__value *out)
{
    for (size_t k = 0; path.len > 1 && path.ptr[0] == '$' && k < x->replace_count; k++) {
        const struct graphite_template_value *r = &x->replace[k];
        if (!slice_eq(slice_from(path, 1), r->name))
            continue;
        out->text = r->value;
        out->kind =
            codec_text_to_double(r->value, &out->number, NULL) ? GRAPHITE__FLOAT : GRAPHITE__STRING;
        if (out->kind == GRAPHITE__FLOAT && slice_find_char(r->value, '.') < 0)
            out->kind = GRAPHITE__INT;
        return true;
    }
    return false;
}

static int template(struct graphite_run *x, const struct graphite_ast *n,
                    struct graphite__value *out)
{
    const struct graphite_template_value *before = x->replace;
    size_t count = x->replace_count, own = n->arg_count - 1, total = own + x->req->template_count;
    struct graphite_template_value *values =
        ARENA_ARRAY(x->arena, struct graphite_template_value, total + 1);
    /* Those of the request come first: the first one that fits is taken. */
    for (size_t i = 0; i < x->req->template_count; i++)
        values[i] = x->req->templates[i];
    for (size_t i = 0; i < own; i++) {
        struct graphite_template_value *v = &values[x->req->template_count + i];
        v->name =
            n->arg_names[i + 1].ptr ? n->arg_names[i + 1] : arena_printf(x->arena, "%zu", i + 1);
        v->value = n->args[i + 1]->text;
    }
    x->replace = values;
    x->replace_count = total;
    graphite__eval(x, n->args[0], out);
    x->replace = before;
    x->replace_count = count;
    return x->err;
}

int graphite__eval(struct graphite_run *x, const struct graphite_ast *n,
                   struct graphite__value *out)
{
    memset(out, 0, sizeof(*out));
    if (graphite__check_time(x))
        return x->err;
    if (x->depth >= 2 * GRAPHITE_DEPTH_MAX)
        return graphite__fail(x, "functions are nested too deep");
    x->depth++;
    switch (n->kind) {
    case GRAPHITE_AST_PATH:
        if (x->replace_count && bare_variable(x, n->text, out))
            break;
        out->kind = GRAPHITE__LIST;
        graphite__fetch_path(x, x->replace_count ? replace_all(x, n->text) : n->text, &out->list);
        break;
    case GRAPHITE_AST_CALL: call(x, n, out); break;
    case GRAPHITE_AST_TEMPLATE: template(x, n, out); break;
    case GRAPHITE_AST_INT:
    case GRAPHITE_AST_FLOAT:
        out->kind = n->kind == GRAPHITE_AST_INT ? GRAPHITE__INT : GRAPHITE__FLOAT;
        out->number = n->number;
        out->text = n->text;
        break;
    case GRAPHITE_AST_INF:
        out->kind = GRAPHITE__FLOAT;
        out->number = INFINITY;
        out->text = n->text;
        break;
    case GRAPHITE_AST_STRING:
        out->kind = GRAPHITE__STRING;
        out->text = n->text;
        break;
    case GRAPHITE_AST_BOOL:
        out->kind = GRAPHITE__BOOL;
        out->number = n->number;
        break;
    case GRAPHITE_AST_NONE: break;
    }
    x->depth--;
    return x->err;
}

int graphite__eval_text(struct graphite_run *x, struct slice text, struct graphite_list *out)
{
    struct graphite_ast *n;
    struct graphite__value v;
    struct slice own = arena_slice(x->arena, text);
    if (x->err || (x->err = graphite__parse(own, x->arena, &n, x->diag)) ||
        graphite__eval(x, n, &v))
        return x->err;
    if (v.kind == GRAPHITE__LIST)
        graphite__extend(x, out, &v.list);
    return x->err;
}

int graphite__again(struct graphite__call *c, int64_t start_s, int64_t end_s,
                    struct graphite_list *out)
{
    struct graphite_run *x = c->x;
    struct graphite__window before = x->window;
    struct graphite__value v = {.kind = GRAPHITE__NONE};
    if (!c->node || !c->node->arg_count) /* called back by another function: the data it gave */
        v = c->arg[0];
    else {
        x->window = (struct graphite__window){start_s, end_s};
        graphite__eval(x, c->node->args[0], &v);
        x->window = before;
    }
    if (v.kind == GRAPHITE__LIST)
        *out = v.list;
    return x->err;
}

/* --- the run --- */

int graphite_run_targets(const struct graphite_request *req, const struct slice *targets,
                         size_t count, struct graphite_run **out_run, struct graphite_list *out,
                         struct diag *diag)
{
    struct graphite_run *x = mem_calloc(1, sizeof(*x));
    x->req = req;
    x->arena = arena_new(1 << 16, NULL);
    x->diag = diag;
    x->window = (struct graphite__window){req->start_s, req->end_s};
    x->xff = req->xff;
    x->random = (uint64_t)req->now_s * UINT64_C(0x9e3779b97f4a7c15) | 1;
    uint64_t overruns = text_regex_overruns();
    memset(out, 0, sizeof(*out));
    *out_run = x;
    for (size_t i = 0; i < count && !x->err; i++) {
        struct slice target = slice_trim(targets[i]);
        struct graphite_ast *n;
        struct graphite__value v;
        if (!target.len)
            continue;
        x->err = graphite__parse(target, x->arena, &n, diag);
        if (x->err || graphite__eval(x, n, &v))
            break;
        if (v.kind == GRAPHITE__LIST)
            graphite__extend(x, out, &v.list);
        for (size_t k = 0; k < v.list_count && v.kind == GRAPHITE__LISTS; k++)
            graphite__extend(x, out, &v.lists[k]);
    }
    if (!x->err)
        x->err = text_regex_check(overruns, "a regular expression of the targets", diag);
    return x->err;
}

size_t graphite_run_plans(const struct graphite_run *x)
{
    return x->plans;
}

void graphite_run_free(struct graphite_run *x)
{
    if (!x)
        return;
    if (x->req->memory)
        budget_give(x->req->memory, x->charged);
    arena_free(x->arena);
    mem_free(x);
}

int graphite_check(struct slice target, struct diag *diag)
{
    struct arena *arena = arena_new(0, NULL);
    struct graphite_ast *n;
    int err = graphite__parse(slice_trim(target), arena, &n, diag);
    arena_free(arena);
    return err;
}
