/* Numbers in templates. */
#include <math.h>

#include "codec/number.h"
#include "lang/logql/template_functions.h"

int64_t logql__to_int(const struct text_template_value *v)
{
    int64_t i;
    struct slice s;
    switch (v->kind) {
    case TEXT_TEMPLATE_BOOL: return v->boolean;
    case TEXT_TEMPLATE_INT: return v->integer;
    case TEXT_TEMPLATE_FLOAT:
        return v->number >= -0x1p63 && v->number < 0x1p63 ? (int64_t)v->number : 0;
    case TEXT_TEMPLATE_STRING:
        s = v->string;
        /* "1.000" is 1. */
        for (ptrdiff_t dot = slice_find_char(s, '.'); dot >= 0; dot = -1) {
            size_t k = (size_t)dot + 1;
            while (k < s.len && s.ptr[k] == '0')
                k++;
            if (k == s.len)
                s = slice_first(s, (size_t)dot);
        }
        return codec_text_to_int(s, &i) ? i : 0;
    default: return 0;
    }
}

double logql__to_float(const struct text_template_value *v)
{
    double d;
    switch (v->kind) {
    case TEXT_TEMPLATE_BOOL: return v->boolean;
    case TEXT_TEMPLATE_INT: return (double)v->integer;
    case TEXT_TEMPLATE_FLOAT: return v->number;
    case TEXT_TEMPLATE_STRING: return codec_text_to_double(v->string, &d, NULL) ? d : 0;
    default: return 0;
    }
}

static int give_int(struct text_template_value *out, int64_t v)
{
    *out = text_template_int(v);
    return 0;
}

static int give_float(struct text_template_value *out, double v)
{
    *out = text_template_float(v);
    return 0;
}

LOGQL__FUNCTION(logql__int)
{
    return give_int(out, logql__to_int(a));
}

LOGQL__FUNCTION(logql__float64)
{
    return give_float(out, logql__to_float(a));
}

LOGQL__FUNCTION(logql__add)
{
    int64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v += logql__to_int(&a[i]);
    return give_int(out, v);
}

LOGQL__FUNCTION(logql__sub)
{
    return give_int(out, logql__to_int(&a[0]) - logql__to_int(&a[1]));
}

LOGQL__FUNCTION(logql__mul)
{
    int64_t v = logql__to_int(a);
    for (size_t i = 1; i < n; i++)
        v *= logql__to_int(&a[i]);
    return give_int(out, v);
}

LOGQL__FUNCTION(logql__div)
{
    int64_t by = logql__to_int(&a[1]), v = logql__to_int(&a[0]);
    if (!by)
        return diag_set(diag, ERR_INVALID, "runtime error: integer divide by zero");
    return give_int(out, by == -1 ? -v : v / by);
}

LOGQL__FUNCTION(logql__mod)
{
    int64_t by = logql__to_int(&a[1]), v = logql__to_int(&a[0]);
    if (!by)
        return diag_set(diag, ERR_INVALID, "runtime error: integer divide by zero");
    return give_int(out, by == -1 ? 0 : v % by);
}

LOGQL__FUNCTION(logql__addf)
{
    double v = 0;
    for (size_t i = 0; i < n; i++)
        v += logql__to_float(&a[i]);
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__subf)
{
    double v = logql__to_float(a);
    for (size_t i = 1; i < n; i++)
        v -= logql__to_float(&a[i]);
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__mulf)
{
    double v = logql__to_float(a);
    for (size_t i = 1; i < n; i++)
        v *= logql__to_float(&a[i]);
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__divf)
{
    double v = logql__to_float(a);
    for (size_t i = 1; i < n; i++) {
        double by = logql__to_float(&a[i]);
        if (by == 0)
            return diag_set(diag, ERR_INVALID, "decimal division by 0");
        v /= by;
    }
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__max)
{
    int64_t v = logql__to_int(a);
    for (size_t i = 1; i < n; i++)
        v = MAX(v, logql__to_int(&a[i]));
    return give_int(out, v);
}

LOGQL__FUNCTION(logql__min)
{
    int64_t v = logql__to_int(a);
    for (size_t i = 1; i < n; i++)
        v = MIN(v, logql__to_int(&a[i]));
    return give_int(out, v);
}

LOGQL__FUNCTION(logql__maxf)
{
    double v = logql__to_float(a);
    for (size_t i = 1; i < n; i++)
        v = fmax(v, logql__to_float(&a[i]));
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__minf)
{
    double v = logql__to_float(a);
    for (size_t i = 1; i < n; i++)
        v = fmin(v, logql__to_float(&a[i]));
    return give_float(out, v);
}

LOGQL__FUNCTION(logql__ceil)
{
    return give_float(out, ceil(logql__to_float(a)));
}

LOGQL__FUNCTION(logql__floor)
{
    return give_float(out, floor(logql__to_float(a)));
}

/* round value places [from], where a fraction of at least `from` (0.5) goes up. */
LOGQL__FUNCTION(logql__round)
{
    double v = logql__to_float(a), up = n > 2 ? logql__to_float(&a[2]) : 0.5;
    double scale = pow(10, (double)CLAMP(logql__to_int(&a[1]), -300, 300)), whole;
    double fraction = modf(v * scale, &whole);
    return give_float(out, (fraction >= up ? ceil(v * scale) : floor(v * scale)) / scale);
}
