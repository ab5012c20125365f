/* Values, and Go's own functions over them. */
#include <math.h>
#include <stdlib.h>

#include "codec/number.h"
#include "text/template/template_priv.h"

const char *const text__template_builtins[BUILTIN_COUNT] = {
    [BUILTIN_AND] = "and",
    [BUILTIN_OR] = "or",
    [BUILTIN_NOT] = "not",
    [BUILTIN_LEN] = "len",
    [BUILTIN_INDEX] = "index",
    [BUILTIN_SLICE] = "slice",
    [BUILTIN_PRINT] = "print",
    [BUILTIN_PRINTF] = "printf",
    [BUILTIN_PRINTLN] = "println",
    [BUILTIN_HTML] = "html",
    [BUILTIN_URLQUERY] = "urlquery",
    [BUILTIN_EQ] = "eq",
    [BUILTIN_NE] = "ne",
    [BUILTIN_LT] = "lt",
    [BUILTIN_LE] = "le",
    [BUILTIN_GT] = "gt",
    [BUILTIN_GE] = "ge",
};

struct text_template_value text_template_nil(void)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_NIL};
}

struct text_template_value text_template_bool(bool v)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_BOOL, .boolean = v};
}

struct text_template_value text_template_int(int64_t v)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_INT, .integer = v};
}

struct text_template_value text_template_float(double v)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_FLOAT, .number = v};
}

struct text_template_value text_template_string(struct slice s)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_STRING, .string = s};
}

struct text_template_value text_template_list(const struct text_template_value *items, size_t count)
{
    return (struct text_template_value){.kind = TEXT_TEMPLATE_LIST, .count = count, .items = items};
}

struct text_template_value text_template_map(const struct text_template_type *type,
                                             const struct text_template_pair *pairs, size_t count)
{
    return (struct text_template_value){
        .kind = TEXT_TEMPLATE_MAP, .type = type, .count = count, .pairs = pairs};
}

const char *text_template_type_name(const struct text_template_value *v)
{
    static const char *const names[] = {
        [TEXT_TEMPLATE_NIL] = "nil",
        [TEXT_TEMPLATE_BOOL] = "bool",
        [TEXT_TEMPLATE_INT] = "int",
        [TEXT_TEMPLATE_FLOAT] = "float64",
        [TEXT_TEMPLATE_STRING] = "string",
        [TEXT_TEMPLATE_LIST] = "[]interface {}",
        [TEXT_TEMPLATE_MAP] = "map[string]interface {}",
    };
    return v->type && v->type->name ? v->type->name : names[v->kind];
}

bool text_template_truth(const struct text_template_value *v)
{
    switch (v->kind) {
    case TEXT_TEMPLATE_NIL: return false;
    case TEXT_TEMPLATE_BOOL: return v->boolean;
    case TEXT_TEMPLATE_INT: return v->integer != 0;
    case TEXT_TEMPLATE_FLOAT: return v->number != 0;
    case TEXT_TEMPLATE_STRING: return v->string.len != 0;
    case TEXT_TEMPLATE_LIST: return v->count != 0;
    case TEXT_TEMPLATE_MAP: return v->count != 0 || (v->type && v->type->is_struct);
    }
    return false;
}

bool text__template_get(struct text_template_call *call, const struct text_template_value *map,
                        struct slice key, struct text_template_value *out)
{
    if (map->type && map->type->get)
        return map->type->get(call, map, key, out);
    for (size_t i = 0; i < map->count; i++) {
        if (slice_eq(map->pairs[i].key, key)) {
            *out = *map->pairs[i].value;
            return true;
        }
    }
    return false;
}

static int by_key(const void *a, const void *b)
{
    const struct text_template_pair *x = a, *y = b;
    return slice_cmp(x->key, y->key);
}

const struct text_template_pair *text__template_sorted(const struct text_template_value *map,
                                                       struct arena *arena)
{
    size_t n = map->type && map->type->get ? 0 : map->count;
    struct text_template_pair *pairs = ARENA_ARRAY(arena, struct text_template_pair, n + 1);
    if (pairs && n) {
        memcpy(pairs, map->pairs, n * sizeof(*pairs));
        qsort(pairs, n, sizeof(*pairs), by_key);
    }
    return pairs;
}

/* --- Go's own functions --- */
static int equal(const struct text_template_value *a, const struct text_template_value *b,
                 bool *out, struct diag *diag)
{
    if (a->kind == TEXT_TEMPLATE_LIST || a->kind == TEXT_TEMPLATE_MAP)
        return diag_set(diag, ERR_INVALID, "non-comparable type %s", text_template_type_name(a));
    if (b->kind == TEXT_TEMPLATE_LIST || b->kind == TEXT_TEMPLATE_MAP)
        return diag_set(diag, ERR_INVALID, "non-comparable type %s", text_template_type_name(b));
    if (a->kind == TEXT_TEMPLATE_NIL || b->kind == TEXT_TEMPLATE_NIL) {
        *out = a->kind == b->kind;
        return 0;
    }
    if (a->kind != b->kind)
        return diag_set(diag, ERR_INVALID, "incompatible types for comparison");
    if (a->kind == TEXT_TEMPLATE_STRING)
        *out = slice_eq(a->string, b->string);
    else if (a->kind == TEXT_TEMPLATE_BOOL)
        *out = a->boolean == b->boolean;
    else if (a->kind == TEXT_TEMPLATE_INT)
        *out = a->integer == b->integer;
    else
        *out = a->number == b->number;
    return 0;
}

static int less(const struct text_template_value *a, const struct text_template_value *b, bool *out,
                struct diag *diag)
{
    for (int i = 0; i < 2; i++) {
        enum text_template_kind kind = i ? b->kind : a->kind;
        if (kind != TEXT_TEMPLATE_INT && kind != TEXT_TEMPLATE_FLOAT &&
            kind != TEXT_TEMPLATE_STRING)
            return diag_set(diag, ERR_INVALID, "invalid type for comparison");
    }
    if (a->kind != b->kind)
        return diag_set(diag, ERR_INVALID, "incompatible types for comparison");
    if (a->kind == TEXT_TEMPLATE_STRING)
        *out = slice_cmp(a->string, b->string) < 0;
    else if (a->kind == TEXT_TEMPLATE_INT)
        *out = a->integer < b->integer;
    else
        *out = a->number < b->number;
    return 0;
}

static int compare(enum builtin id, const struct text_template_value *args, size_t count, bool *out,
                   struct diag *diag)
{
    bool is_less = false, is_equal = false;
    int err = 0;
    if (id == BUILTIN_EQ) {
        if (count < 2)
            return diag_set(diag, ERR_INVALID, "missing argument for comparison");
        *out = false;
        for (size_t i = 1; !err && !*out && i < count; i++)
            err = equal(&args[0], &args[i], out, diag);
        return err;
    }
    if (id == BUILTIN_NE) {
        err = equal(&args[0], &args[1], &is_equal, diag);
        *out = !is_equal;
        return err;
    }
    if (!(err = less(&args[0], &args[1], &is_less, diag)) && id != BUILTIN_LT && id != BUILTIN_GE)
        err = equal(&args[0], &args[1], &is_equal, diag);
    *out = id == BUILTIN_LT   ? is_less
           : id == BUILTIN_LE ? is_less || is_equal
           : id == BUILTIN_GT ? !is_less && !is_equal
                              : !is_less;
    return err;
}

static int position(const struct text_template_value *v, size_t max, size_t *out, struct diag *diag)
{
    if (v->kind == TEXT_TEMPLATE_NIL)
        return diag_set(diag, ERR_INVALID, "cannot index slice/array with nil");
    if (v->kind != TEXT_TEMPLATE_INT)
        return diag_set(diag, ERR_INVALID, "cannot index slice/array with type %s",
                        text_template_type_name(v));
    if (v->integer < 0 || (uint64_t)v->integer > max)
        return diag_set(diag, ERR_INVALID, "index out of range: %lld", (long long)v->integer);
    *out = (size_t)v->integer;
    return 0;
}

static int index_into(struct text_template_call *call, const struct text_template_value *args,
                      size_t count, struct text_template_value *out, struct diag *diag)
{
    *out = args[0];
    if (out->kind == TEXT_TEMPLATE_NIL)
        return diag_set(diag, ERR_INVALID, "index of untyped nil");
    for (size_t i = 1; i < count; i++) {
        struct text_template_value at = *out;
        size_t n = 0;
        if (at.kind == TEXT_TEMPLATE_LIST || at.kind == TEXT_TEMPLATE_STRING) {
            size_t len = at.kind == TEXT_TEMPLATE_LIST ? at.count : at.string.len;
            int err = position(&args[i], len, &n, diag);
            if (err)
                return err;
            if (n >= len)
                return diag_set(diag, ERR_INVALID, "reflect: %s index out of range",
                                at.kind == TEXT_TEMPLATE_LIST ? "slice" : "string");
            *out = at.kind == TEXT_TEMPLATE_LIST
                       ? at.items[n]
                       : text_template_int((unsigned char)at.string.ptr[n]);
        } else if (at.kind == TEXT_TEMPLATE_MAP && !(at.type && at.type->is_struct)) {
            if (args[i].kind != TEXT_TEMPLATE_STRING)
                return diag_set(diag, ERR_INVALID, "value has type %s; should be string",
                                text_template_type_name(&args[i]));
            if (!text__template_get(call, &at, args[i].string, out))
                *out = at.type && at.type->string_zero ? text_template_string(SLICE(""))
                                                       : text_template_nil();
        } else {
            return diag_set(diag, ERR_INVALID, "can't index item of type %s",
                            text_template_type_name(&at));
        }
    }
    return 0;
}

static int slice_of(const struct text_template_value *args, size_t count,
                    struct text_template_value *out, struct diag *diag)
{
    const struct text_template_value *v = &args[0];
    size_t from = 0, to;
    int err = 0;
    if (v->kind != TEXT_TEMPLATE_LIST && v->kind != TEXT_TEMPLATE_STRING)
        return diag_set(diag, ERR_INVALID, "can't slice item of type %s",
                        text_template_type_name(v));
    size_t len = to = v->kind == TEXT_TEMPLATE_LIST ? v->count : v->string.len;
    if (count > 3)
        return diag_set(diag, ERR_INVALID, "too many slice indexes: %zu", count - 1);
    if (count > 1)
        err = position(&args[1], len, &from, diag);
    if (!err && count > 2)
        err = position(&args[2], len, &to, diag);
    if (err)
        return err;
    if (from > to)
        return diag_set(diag, ERR_INVALID, "invalid slice index: %zu > %zu", from, to);
    if (v->kind == TEXT_TEMPLATE_STRING) {
        *out = text_template_string(slice_first(slice_from(v->string, from), to - from));
    } else {
        *out = text_template_list(v->items + from, to - from);
        out->type = v->type;
    }
    return 0;
}

static void print_all(enum builtin id, const struct text_template_value *args, size_t count,
                      struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        if (i && (id == BUILTIN_PRINTLN || (args[i].kind != TEXT_TEMPLATE_STRING &&
                                            args[i - 1].kind != TEXT_TEMPLATE_STRING)))
            buf_append_char(out, ' ');
        if (args[i].kind == TEXT_TEMPLATE_NIL)
            buf_append_cstr(out, "<nil>");
        else
            text_template_print(&args[i], out);
    }
    if (id == BUILTIN_PRINTLN)
        buf_append_char(out, '\n');
}

static void escape_html(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.ptr[i]) {
        case '"': buf_append_cstr(out, "&#34;"); break;
        case '\'': buf_append_cstr(out, "&#39;"); break;
        case '&': buf_append_cstr(out, "&amp;"); break;
        case '<': buf_append_cstr(out, "&lt;"); break;
        case '>': buf_append_cstr(out, "&gt;"); break;
        case 0: buf_append_cstr(out, "\xef\xbf\xbd"); break;
        default: buf_append_char(out, s.ptr[i]);
        }
    }
}

static void escape_query(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            c == '-' || c == '_' || c == '.' || c == '~')
            buf_append_char(out, (char)c);
        else if (c == ' ')
            buf_append_char(out, '+');
        else
            buf_printf(out, "%%%02X", (unsigned)c);
    }
}

/* The functions that write text. */
static int write_text(enum builtin id, struct text_template_call *call,
                      const struct text_template_value *args, size_t count,
                      struct text_template_value *out, struct diag *diag)
{
    struct buf text = {0}, plain = {0};
    int err = 0;
    if (id == BUILTIN_PRINTF) {
        if (args[0].kind != TEXT_TEMPLATE_STRING)
            return diag_set(diag, ERR_INVALID, "wrong type for value; expected string; got %s",
                            text_template_type_name(&args[0]));
        text_template_printf(args[0].string, args + 1, count - 1, &text);
    } else if (id == BUILTIN_PRINT || id == BUILTIN_PRINTLN) {
        print_all(id, args, count, &text);
    } else {
        print_all(BUILTIN_PRINT, args, count, &plain);
        if (id == BUILTIN_HTML)
            escape_html(buf_slice(&plain), &text);
        else
            escape_query(buf_slice(&plain), &text);
    }
    *out = text_template_string(arena_slice(call->arena, buf_slice(&text)));
    if (!out->string.ptr)
        err = diag_set(diag, ERR_NOMEM, "memory is used up");
    buf_deinit(&plain);
    buf_deinit(&text);
    return err;
}

int text__template_builtin(enum builtin id, struct text_template_call *call,
                           const struct text_template_value *args, size_t count,
                           struct text_template_value *out, struct diag *diag)
{
    bool truth = false;
    int err;
    switch (id) {
    case BUILTIN_NOT: *out = text_template_bool(!text_template_truth(&args[0])); return 0;
    case BUILTIN_LEN:
        if (args[0].kind == TEXT_TEMPLATE_NIL)
            return diag_set(diag, ERR_INVALID, "len of nil pointer");
        if (args[0].kind == TEXT_TEMPLATE_STRING)
            *out = text_template_int((int64_t)args[0].string.len);
        else if (args[0].kind == TEXT_TEMPLATE_LIST ||
                 (args[0].kind == TEXT_TEMPLATE_MAP && !(args[0].type && args[0].type->is_struct)))
            *out = text_template_int((int64_t)args[0].count);
        else
            return diag_set(diag, ERR_INVALID, "len of type %s", text_template_type_name(&args[0]));
        return 0;
    case BUILTIN_INDEX: return index_into(call, args, count, out, diag);
    case BUILTIN_SLICE: return slice_of(args, count, out, diag);
    case BUILTIN_PRINT:
    case BUILTIN_PRINTF:
    case BUILTIN_PRINTLN:
    case BUILTIN_HTML:
    case BUILTIN_URLQUERY: return write_text(id, call, args, count, out, diag);
    default:
        err = compare(id, args, count, &truth, diag);
        *out = text_template_bool(truth);
        return err;
    }
}
