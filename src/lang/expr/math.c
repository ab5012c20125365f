/* Math over answers. A text is read twice: first without computing, so that what is wrong with it
 * is said before anything is asked. Between the two the queries it names are asked, and not from
 * within it: expressions that refer to each other then need no more stack than there are of them.
 *
 *   or  -> and {"||" and}      and -> cmp {"&&" cmp}      cmp -> sum {("=="|"!="|"<"...) sum}
 *   sum -> mul {("+"|"-") mul} mul -> pow {("*"|"/"|"%") pow}  pow -> one {"**" one}
 *   one -> number | $A | ${A B} | name(or) | name() | "(" or ")" | "!" one | "-" one */
#include <ctype.h>
#include <math.h>

#include "base/map.h"
#include "base/vec.h"
#include "codec/number.h"
#include "lang/expr/expr_priv.h"

#define DEPTH_MAX 100

enum op { ADD, SUB, MUL, DIV, MOD, POW, EQ, NE, LT, LE, GT, GE, AND, OR, OP_NONE };

struct math {
    const struct expr_env *env;
    struct slice text;
    size_t at;
    unsigned depth;
    bool compute;
    VEC(struct slice) names; /* that were read when it does not compute */
    struct diag *diag;
};

static int fail(struct math *m, const char *what)
{
    return diag_set(m->diag, ERR_INVALID, "expression \"%.*s\", character %zu: %s",
                    SLICE_FMT(slice_first(m->text, 200)), m->at + 1, what);
}

/* --- computing --- */

static double apply(enum op op, double a, double b)
{
    /* The left side may decide before NaN does. */
    if (op == OR && a != 0)
        return 1;
    if (op == AND && a == 0)
        return 0;
    if (isnan(a) || isnan(b))
        return NAN;
    switch (op) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    case DIV: return a / b;
    case MOD: return fmod(a, b);
    case POW: return pow(a, b);
    case EQ: return a == b;
    case NE: return a != b;
    case LT: return a < b;
    case LE: return a <= b;
    case GT: return a > b;
    case GE: return a >= b;
    case AND: return a != 0 && b != 0;
    case OR: return a != 0 || b != 0;
    default: return NAN;
    }
}

static double combine(enum op op, double a, double b)
{
    return expr_is_null(a) || expr_is_null(b) ? expr_null() : apply(op, a, b);
}

/* Both over time: where both have a value at the same time. */
static size_t meet(enum op op, const struct expr_series *a, const struct expr_series *b,
                   struct expr_series *out)
{
    size_t n = 0;
    for (size_t i = 0, k = 0; i < a->count && k < b->count;) {
        if (a->ts_ns[i] == b->ts_ns[k]) {
            out->ts_ns[n] = a->ts_ns[i];
            out->value[n++] = combine(op, a->value[i++], b->value[k++]);
        } else if (a->ts_ns[i] < b->ts_ns[k]) {
            i++;
        } else {
            k++;
        }
    }
    return n;
}

static int add_pair(struct math *m, enum op op, const struct expr_series *a,
                    const struct expr_series *b, struct data_labels labels, struct expr_set *out,
                    int64_t *values)
{
    bool single = a->single && b->single;
    size_t count = single                ? 1
                   : a->single           ? b->count
                   : b->single           ? a->count
                   : a->count < b->count ? a->count
                                         : b->count;
    *values += (int64_t)count + 1;
    if (m->env->values_max && *values > m->env->values_max)
        return expr__too_many(m->env, m->diag);
    int err = expr__check(m->env, m->diag);
    if (err)
        return err;
    struct expr_series *s = expr_set_add(out, m->env->arena, labels, count, single);
    if (!s)
        return expr__no_memory(m->diag);
    if (!a->single && !b->single) {
        s->count = meet(op, a, b, s);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!single)
            s->ts_ns[i] = a->single ? b->ts_ns[i] : a->ts_ns[i];
        s->value[i] = combine(op, a->value[a->single ? 0 : i], b->value[b->single ? 0 : i]);
    }
    return 0;
}

static bool contains(struct data_labels all, struct data_labels some)
{
    for (size_t i = 0; i < some.count; i++) {
        struct slice v = data_labels_get(all, some.items[i].name);
        if (!v.ptr || !slice_eq(v, some.items[i].value))
            return false;
    }
    return true;
}

static bool same_names(const struct expr_set *s)
{
    for (size_t i = 1; i < s->count; i++) {
        struct data_labels x = s->series[0].labels, y = s->series[i].labels;
        if (x.count != y.count)
            return false;
        for (size_t k = 0; k < x.count; k++) {
            if (!slice_eq(x.items[k].name, y.items[k].name))
                return false;
        }
    }
    return true;
}

/* The values that `labels` has for the names of `of`; false when it lacks one. */
static bool put_key(struct data_labels labels, struct data_labels of, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < of.count; i++) {
        struct slice v = data_labels_get(labels, of.items[i].name);
        if (!v.ptr)
            return false;
        buf_append(out, &v.len, sizeof(v.len));
        buf_append_slice(out, v);
    }
    return true;
}

static struct data_labels wider(struct data_labels a, struct data_labels b)
{
    return a.count >= b.count ? a : b;
}

/* Each with each: of sets whose series have labels of different names. */
static int pair_all(struct math *m, enum op op, const struct expr_set *a, const struct expr_set *b,
                    struct expr_set *out)
{
    int64_t values = 0;
    int err = 0;
    for (size_t i = 0; i < a->count && !err; i++) {
        err = expr__check(m->env, m->diag);
        for (size_t k = 0; k < b->count && !err; k++) {
            struct data_labels x = a->series[i].labels, y = b->series[k].labels;
            if (x.count >= y.count ? contains(x, y) : contains(y, x))
                err = add_pair(m, op, &a->series[i], &b->series[k], wider(x, y), out, &values);
        }
    }
    return err;
}

/* The same pairs in the same order where the labels of each set have the same names: the right side
 * is looked up by the values of the names that both have. */
static int pair_by_key(struct math *m, enum op op, const struct expr_set *a,
                       const struct expr_set *b, struct expr_set *out)
{
    struct data_labels x = a->series[0].labels, y = b->series[0].labels;
    struct data_labels common = x.count < y.count ? x : y;
    size_t *next = ARENA_ARRAY(m->env->arena, size_t, b->count);
    struct map *first = map_new();
    struct buf key = {0};
    int64_t values = 0;
    int err = next ? 0 : expr__no_memory(m->diag);
    for (size_t k = b->count; k-- && !err;) {
        bool added;
        if (!put_key(b->series[k].labels, common, &key))
            break; /* a name is missing, so it is in all of them */
        struct map_entry *e = map_put(first, buf_slice(&key), &added);
        next[k] = added ? SIZE_MAX : (size_t)e->value.u64;
        e->value.u64 = k;
    }
    for (size_t i = 0; i < a->count && !err; i++) {
        struct map_entry *e =
            put_key(a->series[i].labels, common, &key) ? map_get(first, buf_slice(&key)) : NULL;
        for (size_t k = e ? (size_t)e->value.u64 : SIZE_MAX; k != SIZE_MAX && !err; k = next[k])
            err = add_pair(m, op, &a->series[i], &b->series[k],
                           wider(a->series[i].labels, b->series[k].labels), out, &values);
    }
    map_free(first);
    buf_deinit(&key);
    return err;
}

/* Pairs of which one has the other's labels; one alone on each side always fits. */
static int binary(struct math *m, enum op op, const struct expr_set *a, const struct expr_set *b,
                  struct expr_set *out)
{
    int64_t values = 0;
    int err = 0;
    *out = (struct expr_set){.is_numbers = true, .no_data = a->no_data || b->no_data};
    out->is_scalar = a->is_scalar && b->is_scalar;
    if (out->no_data || !a->count || !b->count)
        return 0;
    err =
        same_names(a) && same_names(b) ? pair_by_key(m, op, a, b, out) : pair_all(m, op, a, b, out);
    if (!err && !out->count && a->count == 1 && b->count == 1)
        err = add_pair(m, op, &a->series[0], &b->series[0], (struct data_labels){0}, out, &values);
    return err;
}

static double f_not(double v)
{
    return isnan(v) ? v : v == 0;
}
static double f_minus(double v)
{
    return -v;
}
static double f_is_nan(double v)
{
    return isnan(v) != 0;
}
static double f_is_inf(double v)
{
    return isinf(v) != 0;
}
static double f_is_null(double v)
{
    return expr_is_null(v);
}
static double f_is_number(double v)
{
    return isfinite(v) != 0;
}

static int unary(struct math *m, double (*f)(double v), bool nulls, const struct expr_set *a,
                 struct expr_set *out)
{
    *out = (struct expr_set){.is_numbers = true, .is_scalar = a->is_scalar, .no_data = a->no_data};
    for (size_t i = 0; i < a->count; i++) {
        const struct expr_series *s = &a->series[i];
        struct expr_series *r = expr_set_add(out, m->env->arena, s->labels, s->count, s->single);
        if (!r)
            return expr__no_memory(m->diag);
        for (size_t k = 0; k < s->count; k++) {
            if (!s->single)
                r->ts_ns[k] = s->ts_ns[k];
            r->value[k] = expr_is_null(s->value[k]) && !nulls ? s->value[k] : f(s->value[k]);
        }
    }
    return 0;
}

static int scalar(struct math *m, double v, struct expr_set *out)
{
    *out = (struct expr_set){.is_numbers = true, .is_scalar = true};
    if (!m->compute)
        return 0;
    struct expr_series *s = expr_set_add(out, m->env->arena, (struct data_labels){0}, 1, true);
    if (!s)
        return expr__no_memory(m->diag);
    s->value[0] = v;
    return 0;
}

/* --- reading --- */

static void skip_space(struct math *m)
{
    while (m->at < m->text.len && isspace((unsigned char)m->text.ptr[m->at]))
        m->at++;
}

static bool take(struct math *m, const char *word)
{
    skip_space(m);
    if (!slice_starts_with(slice_from(m->text, m->at), slice_cstr(word)))
        return false;
    m->at += strlen(word);
    return true;
}

static int read_or(struct math *m, struct expr_set *out);

static int read_variable(struct math *m, struct expr_set *out)
{
    size_t begin = m->at + 1, n = 0;
    bool braces = begin < m->text.len && m->text.ptr[begin] == '{';
    begin += braces;
    while (begin + n < m->text.len) {
        char c = m->text.ptr[begin + n];
        if (braces ? c == '}' : !(isalnum((unsigned char)c) || c == '_'))
            break;
        n++;
    }
    if (!n || (braces && begin + n == m->text.len))
        return fail(m, "a query is named as $A or ${A B}");
    const struct expr_set *in = NULL;
    struct slice name = slice_make(m->text.ptr + begin, n);
    m->at = begin + n + braces;
    if (!m->compute)
        vec_push(&m->names, name);
    int err = m->compute ? expr__input(m->env, name, &in, m->diag) : 0;
    *out = (struct expr_set){.is_numbers = true};
    if (!err && in) {
        out->no_data = in->no_data;
        out->series = in->series;
        out->count = out->cap = in->count;
    }
    return err;
}

/* 1.5, .5, 1e3, 0x1f */
static bool number_of(struct slice text, double *out)
{
    char hex[40];
    bool whole = slice_starts_with(text, SLICE("0x")) || slice_starts_with(text, SLICE("0X"));
    if (!whole || text.len > sizeof(hex) - 2)
        return codec_text_to_double(text, out, NULL);
    memcpy(hex, text.ptr, text.len);
    memcpy(hex + text.len, "p0", 2); /* what it takes to be read as hexadecimal */
    return codec_text_to_double(slice_make(hex, text.len + 2), out, NULL);
}

static int read_number(struct math *m, struct expr_set *out)
{
    size_t n = 0;
    double v;
    struct slice rest = slice_from(m->text, m->at);
    while (n < rest.len &&
           (isalnum((unsigned char)rest.ptr[n]) || rest.ptr[n] == '.' ||
            (n && (rest.ptr[n - 1] | 32) == 'e' && (rest.ptr[n] == '+' || rest.ptr[n] == '-'))))
        n++;
    if (!number_of(slice_first(rest, n), &v))
        return fail(m, "a number is expected here");
    m->at += n;
    return scalar(m, v, out);
}

static int read_call(struct math *m, struct expr_set *out)
{
    static const struct {
        const char *name;
        double (*f)(double v);
        bool nulls;
    } functions[] = {{"abs", fabs, false},
                     {"log", log, false},
                     {"round", round, false},
                     {"ceil", ceil, false},
                     {"floor", floor, false},
                     {"is_nan", f_is_nan, false},
                     {"is_inf", f_is_inf, false},
                     {"is_null", f_is_null, true},
                     {"is_number", f_is_number, true}};
    size_t begin = m->at, n = 0;
    while (begin + n < m->text.len &&
           (isalnum((unsigned char)m->text.ptr[begin + n]) || m->text.ptr[begin + n] == '_'))
        n++;
    struct slice name = slice_make(m->text.ptr + begin, n);
    const struct {
        const char *name;
        double v;
    } constants[] = {{"nan", NAN}, {"inf", INFINITY}, {"infn", -INFINITY}, {"null", expr_null()}};
    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        if (!slice_eq_cstr(name, constants[i].name))
            continue;
        m->at += n;
        if (!take(m, "(") || !take(m, ")"))
            return fail(m, "() is expected: this function takes nothing");
        return scalar(m, constants[i].v, out);
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        struct expr_set in;
        if (!slice_eq_cstr(name, functions[i].name))
            continue;
        m->at += n;
        if (!take(m, "("))
            return fail(m, "( is expected");
        int err = read_or(m, &in);
        if (!err && !take(m, ")"))
            err = fail(m, ") is expected");
        if (!err)
            err = unary(m, functions[i].f, functions[i].nulls, &in, out);
        return err;
    }
    return fail(m, "there is no such function; abs, log, round, ceil, floor, is_nan, is_inf, "
                   "is_null, is_number, nan, inf, infn and null are");
}

static int read_one(struct math *m, struct expr_set *out)
{
    struct expr_set in;
    int err;
    if (++m->depth > DEPTH_MAX)
        return fail(m, "it is nested too deeply");
    skip_space(m);
    char c = m->at < m->text.len ? m->text.ptr[m->at] : 0;
    if (c == '(') {
        m->at++;
        err = read_or(m, out);
        if (!err && !take(m, ")"))
            err = fail(m, ") is expected");
    } else if (c == '!' || c == '-') {
        m->at++;
        err = read_one(m, &in);
        if (!err)
            err = unary(m, c == '!' ? f_not : f_minus, false, &in, out);
    } else if (c == '$') {
        err = read_variable(m, out);
    } else if (isdigit((unsigned char)c) || c == '.') {
        err = read_number(m, out);
    } else if (isalpha((unsigned char)c)) {
        err = read_call(m, out);
    } else {
        err = fail(m, c ? "a query, a number or a function is expected here"
                        : "it ends where a query, a number or a function is expected");
    }
    m->depth--;
    return err;
}

/* Operators by their level, weakest first; the longer of two that begin alike comes first. */
static const struct {
    const char *text;
    enum op op;
    int level;
} operators[] = {{"||", OR, 0},  {"&&", AND, 1}, {"==", EQ, 2}, {"!=", NE, 2}, {"<=", LE, 2},
                 {">=", GE, 2},  {"<", LT, 2},   {">", GT, 2},  {"+", ADD, 3}, {"-", SUB, 3},
                 {"**", POW, 5}, {"*", MUL, 4},  {"/", DIV, 4}, {"%", MOD, 4}};
#define LEVELS 6

static enum op take_operator(struct math *m, int level)
{
    skip_space(m);
    struct slice rest = slice_from(m->text, m->at);
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!slice_starts_with(rest, slice_cstr(operators[i].text)))
            continue;
        if (operators[i].level != level)
            return OP_NONE;
        m->at += strlen(operators[i].text);
        return operators[i].op;
    }
    return OP_NONE;
}

static int read_level(struct math *m, int level, struct expr_set *out)
{
    struct expr_set left, right;
    enum op op;
    if (level == LEVELS)
        return read_one(m, out);
    int err = read_level(m, level + 1, out);
    while (!err && (op = take_operator(m, level)) != OP_NONE) {
        left = *out;
        err = read_level(m, level + 1, &right);
        if (!err)
            err = binary(m, op, &left, &right, out);
    }
    return err;
}

static int read_or(struct math *m, struct expr_set *out)
{
    return read_level(m, 0, out);
}

static int read_all(struct math *m, struct expr_set *out)
{
    m->at = 0;
    m->depth = 0;
    int err = read_or(m, out);
    skip_space(m);
    return !err && m->at < m->text.len ? fail(m, "an operator is expected here") : err;
}

/* The names of the text's queries; the text need not be whole. */
void expr__math_inputs(struct slice text, void (*each)(void *ctx, struct slice ref_id), void *ctx)
{
    struct math m = {.text = text};
    struct expr_set nothing;
    (void)read_all(&m, &nothing);
    for (size_t i = 0; i < m.names.len; i++)
        each(ctx, m.names.items[i]);
    vec_free(&m.names);
}

/* What is nothing but a query is the input's own, which may go before the answer does. */
static int copy_if_input(struct math *m, const struct expr_set *in, struct expr_set *out)
{
    const struct expr_set from = *out;
    if (!from.count || from.series != in->series)
        return 0;
    out->series = NULL;
    out->count = out->cap = 0;
    for (size_t i = 0; i < from.count; i++) {
        const struct expr_series *s = &from.series[i];
        struct expr_series *own = expr_set_add(out, m->env->arena, s->labels, s->count, s->single);
        if (!own)
            return expr__no_memory(m->diag);
        memcpy(own->value, s->value, s->count * sizeof(*s->value));
        if (!s->single)
            memcpy(own->ts_ns, s->ts_ns, s->count * sizeof(*s->ts_ns));
    }
    return 0;
}

int expr__math(const struct expr_env *env, const struct codec_json *query, struct expr_set *out,
               struct diag *diag)
{
    struct math m = {.env = env, .text = expr__string(query, "expression"), .diag = diag};
    const struct expr_set *in;
    int err = read_all(&m, out);
    for (size_t i = 0; i < m.names.len && !err; i++)
        err = expr__input(env, m.names.items[i], &in, diag);
    m.compute = true;
    if (!err)
        err = read_all(&m, out);
    if (!err && m.names.len == 1 && !(err = expr__input(env, m.names.items[0], &in, diag)))
        err = copy_if_input(&m, in, out);
    vec_free(&m.names);
    return err;
}
