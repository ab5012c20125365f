#include "lang/traceql/value.h"

#include <math.h>

#include "base/vec.h"
#include "codec/json_read.h"
#include "codec/number.h"
#include "text/go_string.h"

#define LIST_MAX 4096 /* items of an array that are looked at */

const char *traceql__op_name(enum traceql_op op)
{
    static const char *const names[TRACEQL_OP_COUNT] = {
        "+",  "-",  "*",   "/",  "%",   "^",  "=",  "!=",  "<",  "<=",  ">",
        ">=", "=~", "!~",  "&&", "||",  "!",  "-",  ">",   ">>", "<",   "<<",
        "~",  "!>", "!>>", "!<", "!<<", "!~", "&>", "&>>", "&<", "&<<", "&~"};
    return names[op];
}

const char *traceql__status_name(int64_t status)
{
    static const char *const names[] = {"unset", "ok", "error"};
    return status >= 0 && status < 3 ? names[status] : NULL;
}

const char *traceql__kind_name(int64_t kind)
{
    static const char *const names[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    return kind >= 0 && kind < 6 ? names[kind] : NULL;
}

static struct traceql_value read_list(struct slice json, struct arena *arena)
{
    struct codec_json_reader r = codec_json_reader(json, arena, NULL);
    VEC(struct traceql_value) items = {0};
    enum codec_json_kind kind;
    struct slice s;
    bool b;
    double d;
    int64_t i;
    (void)codec_json_read_array(&r);
    while (codec_json_next_item(&r) && items.len < LIST_MAX && codec_json_peek(&r, &kind)) {
        if (kind == CODEC_JSON_STRING && codec_json_read_string(&r, &s))
            vec_push(&items, traceql__text(s));
        else if (kind == CODEC_JSON_BOOL && codec_json_read_bool(&r, &b))
            vec_push(&items, traceql__bool(b));
        else if (kind == CODEC_JSON_NUMBER && codec_json_read_number_text(&r, &s)) {
            if (codec_text_to_int(s, &i))
                vec_push(&items, traceql__int(TRACEQL_INT, i));
            else if (codec_text_to_double(s, &d, NULL))
                vec_push(&items, ((struct traceql_value){.kind = TRACEQL_FLOAT, .d = d}));
        }
    }
    struct traceql_value out = {.kind = TRACEQL_LIST};
    out.list.items = arena_dup(arena, items.items, items.len * sizeof(*items.items));
    out.list.count = out.list.items ? items.len : 0;
    vec_free(&items);
    return out;
}

struct traceql_value traceql__value_of(struct data_value v, struct arena *arena)
{
    switch (v.kind) {
    case DATA_VALUE_STRING: return traceql__text(v.text);
    case DATA_VALUE_INT: return traceql__int(TRACEQL_INT, v.i);
    case DATA_VALUE_DOUBLE: return (struct traceql_value){.kind = TRACEQL_FLOAT, .d = v.d};
    case DATA_VALUE_BOOL: return traceql__bool(v.i != 0);
    case DATA_VALUE_JSON:
        return arena && slice_starts_with(v.text, SLICE("[")) ? read_list(v.text, arena)
                                                              : traceql__text(v.text);
    case DATA_VALUE_BYTES: return traceql__text(v.text);
    default: return (struct traceql_value){0};
    }
}

bool traceql__number(struct traceql_value v, double *out)
{
    if (!traceql__is_number(v.kind))
        return false;
    *out = v.kind == TRACEQL_FLOAT ? v.d : (double)v.i;
    return true;
}

static bool ordered(enum traceql_op op, int cmp)
{
    switch (op) {
    case TRACEQL_EQ: return cmp == 0;
    case TRACEQL_NE: return cmp != 0;
    case TRACEQL_LT: return cmp < 0;
    case TRACEQL_LE: return cmp <= 0;
    case TRACEQL_GT: return cmp > 0;
    case TRACEQL_GE: return cmp >= 0;
    default: return false;
    }
}

static bool compare_numbers(enum traceql_op op, double x, double y)
{
    if (isnan(x) || isnan(y))
        return op == TRACEQL_NE;
    return ordered(op, (x > y) - (x < y));
}

static bool compare_one(enum traceql_op op, struct traceql_value a, struct traceql_value b,
                        const struct text_regex *regex)
{
    double x, y;
    if (op == TRACEQL_MATCH || op == TRACEQL_NOT_MATCH)
        return a.kind == TRACEQL_STRING && b.kind == TRACEQL_STRING && regex &&
               text_regex_match(regex, a.text) == (op == TRACEQL_MATCH);
    if (a.kind == TRACEQL_NIL || b.kind == TRACEQL_NIL)
        return false;
    if (traceql__is_number(a.kind) && traceql__is_number(b.kind)) {
        if (a.kind != TRACEQL_FLOAT && b.kind != TRACEQL_FLOAT)
            return ordered(op, (a.i > b.i) - (a.i < b.i));
        (void)traceql__number(a, &x);
        (void)traceql__number(b, &y);
        return compare_numbers(op, x, y);
    }
    if (a.kind != b.kind)
        return false;
    if (a.kind == TRACEQL_STRING)
        return ordered(op, slice_cmp(a.text, b.text));
    return (op == TRACEQL_EQ && a.i == b.i) || (op == TRACEQL_NE && a.i != b.i);
}

bool traceql__compare(enum traceql_op op, struct traceql_value a, struct traceql_value b,
                      const struct text_regex *regex)
{
    if (a.kind != TRACEQL_LIST && b.kind != TRACEQL_LIST)
        return compare_one(op, a, b, regex);
    if (a.kind == TRACEQL_LIST && b.kind == TRACEQL_LIST)
        return false;
    struct traceql_value list = a.kind == TRACEQL_LIST ? a : b;
    bool all = !list.any && (op == TRACEQL_NE || op == TRACEQL_NOT_MATCH);
    for (size_t i = 0; i < list.list.count; i++) {
        struct traceql_value item = list.list.items[i];
        bool is = a.kind == TRACEQL_LIST ? compare_one(op, item, b, regex)
                                         : compare_one(op, a, item, regex);
        if (is != all)
            return is;
    }
    return all && list.list.count > 0;
}

static struct traceql_value calculate_ints(enum traceql_op op, enum traceql_kind kind, int64_t a,
                                           int64_t b)
{
    const struct traceql_value nil = {0};
    switch (op) { /* -fwrapv: sums wrap around, as Go's do */
    case TRACEQL_ADD: return traceql__int(kind, a + b);
    case TRACEQL_SUB: return traceql__int(kind, a - b);
    case TRACEQL_MUL: return traceql__int(kind, a * b);
    case TRACEQL_DIV:
        return !b ? nil : traceql__int(kind, b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    case TRACEQL_MOD: return !b ? nil : traceql__int(kind, b == -1 ? 0 : a % b);
    case TRACEQL_POW: {
        double p = pow((double)a, (double)b);
        return p > -9.2e18 && p < 9.2e18 ? traceql__int(kind, (int64_t)p)
                                         : (struct traceql_value){.kind = TRACEQL_FLOAT, .d = p};
    }
    default: return nil;
    }
}

struct traceql_value traceql__calculate(enum traceql_op op, struct traceql_value a,
                                        struct traceql_value b)
{
    struct traceql_value out = {.kind = TRACEQL_FLOAT};
    double x, y;
    if (!traceql__number(a, &x) || !traceql__number(b, &y))
        return (struct traceql_value){0};
    if (a.kind == b.kind && a.kind != TRACEQL_FLOAT)
        return calculate_ints(op, a.kind, a.i, b.i);
    switch (op) {
    case TRACEQL_ADD: out.d = x + y; break;
    case TRACEQL_SUB: out.d = x - y; break;
    case TRACEQL_MUL: out.d = x * y; break;
    case TRACEQL_DIV:
        if (y == 0)
            return (struct traceql_value){0};
        out.d = x / y;
        break;
    case TRACEQL_MOD: out.d = fmod(x, y); break;
    case TRACEQL_POW: out.d = pow(x, y); break;
    default: return (struct traceql_value){0};
    }
    return out;
}

int traceql__value_cmp(struct traceql_value a, struct traceql_value b)
{
    if (a.kind != b.kind)
        return a.kind < b.kind ? -1 : 1;
    if (a.kind == TRACEQL_STRING)
        return slice_cmp(a.text, b.text);
    if (a.kind == TRACEQL_FLOAT)
        return (a.d > b.d) - (a.d < b.d);
    if (a.kind == TRACEQL_LIST) {
        for (size_t i = 0; i < a.list.count && i < b.list.count; i++) {
            int c = traceql__value_cmp(a.list.items[i], b.list.items[i]);
            if (c)
                return c;
        }
        return (a.list.count > b.list.count) - (a.list.count < b.list.count);
    }
    return a.kind == TRACEQL_NIL ? 0 : (a.i > b.i) - (a.i < b.i);
}

/* Go's time.Duration.String(). */
void traceql__duration_print(int64_t ns, struct buf *out)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0)
        buf_append_char(out, '-');
    if (u == 0) {
        buf_append_cstr(out, "0s");
    } else if (u < NS_PER_SEC) {
        const char *unit = u < 1000 ? "ns" : u < 1000000 ? "\xc2\xb5s" : "ms";
        codec_append_double(out,
                            (double)u / (u < 1000      ? 1.0
                                         : u < 1000000 ? 1e3
                                                       : 1e6),
                            CODEC_DOUBLE_PLAIN);
        buf_append_cstr(out, unit);
    } else {
        uint64_t seconds = u / NS_PER_SEC, rest = u % NS_PER_SEC;
        if (seconds >= 3600)
            buf_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
        if (seconds >= 60)
            buf_printf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
        buf_printf(out, "%llu", (unsigned long long)(seconds % 60));
        if (rest) {
            char digits[16];
            int n = 9;
            for (int i = 8; i >= 0; i--, rest /= 10)
                digits[i] = (char)('0' + rest % 10);
            while (digits[n - 1] == '0')
                n--;
            buf_append_char(out, '.');
            buf_append(out, digits, (size_t)n);
        }
        buf_append_char(out, 's');
    }
}

void traceql_value_text(struct traceql_value v, struct buf *out)
{
    const char *name = NULL;
    switch (v.kind) {
    case TRACEQL_NIL: buf_append_cstr(out, "nil"); return;
    case TRACEQL_STRING: buf_append_slice(out, v.text); return;
    case TRACEQL_INT: codec_append_int(out, v.i); return;
    case TRACEQL_FLOAT: codec_append_double(out, v.d, CODEC_DOUBLE_JSON); return;
    case TRACEQL_BOOL: buf_append_cstr(out, v.i ? "true" : "false"); return;
    case TRACEQL_DURATION: traceql__duration_print(v.i, out); return;
    case TRACEQL_STATUS: name = traceql__status_name(v.i); break;
    case TRACEQL_SPAN_KIND: name = traceql__kind_name(v.i); break;
    case TRACEQL_LIST:
        buf_append_char(out, '[');
        for (size_t i = 0; i < v.list.count; i++) {
            buf_append_cstr(out, i ? ", " : "");
            traceql_value_text(v.list.items[i], out);
        }
        buf_append_char(out, ']');
        return;
    }
    if (name)
        buf_append_cstr(out, name);
    else
        codec_append_int(out, v.i);
}

void traceql__value_print(struct traceql_value v, struct buf *out)
{
    size_t begin = out->len;
    if (v.kind == TRACEQL_STRING) {
        text_go_quote(v.text, out);
        return;
    }
    traceql_value_text(v, out);
    /* Digits alone are a whole number, which has to fit 64 bits. */
    if (v.kind == TRACEQL_FLOAT && fabs(v.d) >= 0x1p63 &&
        slice_find_char(slice_from(buf_slice(out), begin), 'e') < 0)
        buf_append_cstr(out, ".0");
}
