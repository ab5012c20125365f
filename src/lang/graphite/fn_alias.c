/* Functions that change names and looks. */
#include <stdlib.h>
#include <string.h>

#include "lang/graphite/graphite_priv.h"
#include "text/regex.h"

GRAPHITE__HANDLER(alias)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++)
        out->list.items[i]->name = c->arg[1].text;
    return 0;
}

GRAPHITE__HANDLER(alias_by_node)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        s->name = graphite__key(c->x, s, c->rest, c->rest_count);
    }
    return c->x->err;
}

GRAPHITE__HANDLER(alias_sub)
{
    struct text_regex *re;
    *out = c->arg[0];
    if (graphite__regex(c->x, c->arg[1].text, &re))
        return c->x->err;
    for (size_t i = 0; i < out->list.len; i++)
        out->list.items[i]->name =
            graphite__sub(c->x, re, c->arg[2].text, out->list.items[i]->name);
    text_regex_free(re);
    return c->x->err;
}

/* The printf of one number: the first % that asks for one; %% is a percent sign. */
static struct slice format_number(struct graphite_run *x, struct slice format, double v)
{
    struct buf b = {0};
    for (size_t i = 0; i < format.len; i++) {
        char spec[24] = "%", conversion;
        size_t n = 1, k = i + 1;
        if (format.ptr[i] != '%') {
            buf_append_char(&b, format.ptr[i]);
            continue;
        }
        while (k < format.len && n < 12 && strchr("-+ #0123456789.", format.ptr[k]))
            spec[n++] = format.ptr[k++];
        conversion = k < format.len ? format.ptr[k] : 0;
        bool wide = false; /* fields of thousands of columns are no names */
        for (size_t d = 0, run = 0; d < n; d++) {
            run = spec[d] >= '0' && spec[d] <= '9' ? run + 1 : 0;
            wide |= run > 3;
        }
        if (conversion == '%' || wide || !conversion) {
            buf_append_char(&b, '%');
        } else if (strchr("diu", conversion)) {
            snprintf(spec + n, sizeof(spec) - n, "lld");
            buf_printf(&b, spec, (long long)CLAMP(v, -9e18, 9e18));
        } else if (strchr("eEfFgG", conversion)) {
            spec[n] = conversion;
            spec[n + 1] = 0;
            buf_printf(&b, spec, v);
        } else {
            graphite_append_double(&b, v);
        }
        i = k;
    }
    struct slice s = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&b)));
    buf_deinit(&b);
    return s;
}

GRAPHITE__HANDLER(alias_query)
{
    struct graphite_run *x = c->x;
    struct text_regex *re;
    *out = c->arg[0];
    if (graphite__regex(x, c->arg[1].text, &re))
        return x->err;
    for (size_t i = 0; i < out->list.len && !x->err; i++) {
        struct graphite_series *s = out->list.items[i];
        struct slice query = graphite__sub(x, re, c->arg[2].text, s->name);
        struct graphite_list found = {0};
        if (graphite__eval_text(x, query, &found))
            break;
        double v = found.len ? graphite_aggregate(GRAPHITE_LAST, found.items[0]->values,
                                                  found.items[0]->count)
                             : GRAPHITE__NULL;
        if (!found.len)
            graphite__fail(x, "No series found with query: %.*s", SLICE_FMT(query));
        else if (isnan(v))
            graphite__fail(x, "Cannot get last value of series: %.*s",
                           SLICE_FMT(found.items[0]->name));
        else
            s->name = format_number(x, c->arg[3].text, v);
    }
    text_regex_free(re);
    return x->err;
}

/* The nodes [start:stop] of what stands in the innermost parentheses, up to a comma. */
static struct slice nodes_of(struct graphite_run *x, struct slice name, int64_t start, int64_t stop)
{
    size_t left = 0, right = name.len;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '(')
            left = i + 1;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == ')') {
            right = i;
            break;
        }
    }
    struct slice clean = left < right ? slice_make(name.ptr + left, right - left) : SLICE("");
    struct slice rest = clean, part;
    int64_t count = 1, at = 0;
    struct buf b = {0};
    for (size_t i = 0; i < clean.len; i++)
        count += clean.ptr[i] == '.';
    if (start < 0)
        start = MAX(start + count, 0);
    stop = stop == 0 ? count : stop < 0 ? stop + count : stop;
    for (; slice_split(&rest, '.', &part); at++) {
        if (at < start || at >= stop)
            continue;
        if (at > start)
            buf_append_char(&b, '.');
        buf_append_slice(&b, part);
    }
    ptrdiff_t comma = slice_find_char(buf_slice(&b), ',');
    struct slice out = graphite__text(
        x, "%.*s",
        SLICE_FMT(comma < 0 ? buf_slice(&b) : slice_first(buf_slice(&b), (size_t)comma)));
    buf_deinit(&b);
    return out;
}

/* substr; with detail 1 aliasByMetric. */
GRAPHITE__HANDLER(substr)
{
    int64_t start = c->fn->detail ? -1 : (int64_t)c->arg[1].number;
    int64_t stop = c->fn->detail ? 0 : (int64_t)c->arg[2].number;
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++)
        out->list.items[i]->name = nodes_of(c->x, out->list.items[i]->name, start, stop);
    return c->x->err;
}

/* upper; with detail 1 lower: all of the name, or its characters at the positions given. */
GRAPHITE__HANDLER(letters)
{
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        struct slice name = graphite__text(c->x, "%.*s", SLICE_FMT(s->name));
        char *p = (char *)(uintptr_t)name.ptr;
        for (size_t k = 0; k < name.len; k++) {
            bool chosen = !c->rest_count;
            for (size_t r = 0; r < c->rest_count && !chosen; r++)
                chosen = c->rest[r].number == (double)k ||
                         c->rest[r].number + (double)name.len == (double)k;
            if (chosen && c->fn->detail && p[k] >= 'A' && p[k] <= 'Z')
                p[k] = (char)(p[k] + 32);
            else if (chosen && !c->fn->detail && p[k] >= 'a' && p[k] <= 'z')
                p[k] = (char)(p[k] - 32);
        }
        s->name = name;
    }
    return c->x->err;
}

/* --- numbers with prefixes --- */

/* 1500 -> 1.50 and "k": %.2f, the prefix, the unit. */
static void append_units(struct buf *b, double v, struct slice system, struct slice units)
{
    static const struct {
        const char *prefix;
        double size;
    } binary[] = {{"Pi", 1125899906842624.0},
                  {"Ti", 1099511627776.0},
                  {"Gi", 1073741824.0},
                  {"Mi", 1048576.0},
                  {"Ki", 1024.0}},
      si[] = {{"P", 1e15}, {"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}};
    const char *prefix = "";
    for (size_t i = 0; i < ARRAY_LEN(si) && system.len; i++) {
        bool is_binary = slice_eq(system, SLICE("binary"));
        double size = is_binary ? binary[i].size : si[i].size;
        if (fabs(v) < size)
            continue;
        v /= size;
        prefix = is_binary ? binary[i].prefix : si[i].prefix;
        break;
    }
    if (v - floor(v) < 1e-11 && v > 1)
        v = floor(v);
    if (units.len)
        buf_printf(b, "%.2f %s%.*s", v, prefix, SLICE_FMT(units));
    else
        buf_printf(b, "%.2f%s", v, prefix);
}

GRAPHITE__HANDLER(legend_value)
{
    struct graphite_run *x = c->x;
    struct slice system = {"", 0};
    size_t count = c->rest_count;
    *out = c->arg[0];
    if (count && (slice_eq(c->rest[count - 1].text, SLICE("si")) ||
                  slice_eq(c->rest[count - 1].text, SLICE("binary"))))
        system = c->rest[--count].text;
    for (size_t k = 0; k < count; k++) {
        struct slice type = c->rest[k].text;
        enum graphite_agg agg;
        bool known = graphite_agg_parse(type, &agg) && agg < GRAPHITE_FIRST;
        for (size_t i = 0; i < out->list.len; i++) {
            struct graphite_series *s = out->list.items[i];
            struct buf b = {0};
            double v = known ? graphite_aggregate(agg, s->values, s->count) : GRAPHITE__NULL;
            if (!known)
                buf_append_cstr(&b, "(?)");
            else if (system.len && !isnan(v))
                append_units(&b, v, system, SLICE(""));
            else if (known && agg == GRAPHITE_COUNT)
                buf_printf(&b, "%.0f", v);
            else
                graphite_append_double(&b, v);
            if (system.len)
                s->name = graphite__text(x, "%-20.*s%-5.*s%-10.*s", SLICE_FMT(s->name),
                                         SLICE_FMT(type), SLICE_FMT(buf_slice(&b)));
            else
                s->name = graphite__text(x, "%.*s (%.*s: %.*s)", SLICE_FMT(s->name),
                                         SLICE_FMT(type), SLICE_FMT(buf_slice(&b)));
            buf_deinit(&b);
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(cacti_style)
{
    struct graphite_run *x = c->x;
    static const enum graphite_agg aggs[] = {GRAPHITE_LAST, GRAPHITE_MAX, GRAPHITE_MIN};
    size_t width[3] = {0, 0, 0}, name_width = 0;
    struct buf b = {0};
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        name_width = MAX(name_width, s->name.len);
        for (int k = 0; k < 3; k++) {
            double v = graphite_aggregate(aggs[k], s->values, s->count);
            v = isnan(v) || v == 0 ? 3 : trunc(v);
            buf_clear(&b);
            append_units(&b, v, c->arg[1].text, c->arg[2].text);
            width[k] = MAX(width[k], b.len + 3);
        }
    }
    for (size_t i = 0; i < out->list.len; i++) {
        static const char *const titles[] = {"Current:", "Max:", "Min:"};
        struct graphite_series *s = out->list.items[i];
        struct buf name = {0};
        buf_printf(&name, "%-*.*s ", (int)name_width, SLICE_FMT(s->name));
        for (int k = 0; k < 3; k++) {
            double v = graphite_aggregate(aggs[k], s->values, s->count);
            buf_clear(&b);
            if (isnan(v))
                buf_append_cstr(&b, "nan");
            else
                append_units(&b, v, c->arg[1].text, c->arg[2].text);
            buf_printf(&name, "%s%-*s ", titles[k], (int)width[k], buf_cstr(&b));
        }
        s->name = graphite__text(x, "%.*s", SLICE_FMT(buf_slice(&name)));
        buf_deinit(&name);
    }
    buf_deinit(&b);
    return x->err;
}

/* --- looks --- */

enum { ALPHA, COLOR, DASHED, INFINITE, LINE_WIDTH, SECOND_Y };

GRAPHITE__HANDLER(look)
{
    struct graphite_run *x = c->x;
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len; i++) {
        struct graphite_series *s = out->list.items[i];
        struct graphite_look *look = graphite__look(x, s);
        switch (c->fn->detail) {
        case ALPHA:
            look->alpha = c->arg[1].number;
            look->has_alpha = true;
            break;
        case COLOR: look->color = c->arg[1].text; break;
        case DASHED:
            look->dashed = c->arg[1].number;
            graphite__tag(x, s, "dashed", graphite__str(x, &c->arg[1]));
            s->name = graphite__text(x, "dashed(%.*s, %g)", SLICE_FMT(s->name), look->dashed);
            break;
        case LINE_WIDTH: look->line_width = c->arg[1].number; break;
        default:
            if (c->fn->detail == INFINITE)
                look->infinite = true;
            else
                look->second_y = true;
            graphite__tag(x, s, c->fn->name, SLICE("1"));
            s->name = graphite__text(x, "%s(%.*s)", c->fn->name, SLICE_FMT(s->name));
        }
    }
    return x->err;
}

GRAPHITE__HANDLER(area_between)
{
    struct graphite_run *x = c->x;
    *out = c->arg[0];
    if (out->list.len != 2)
        return graphite__fail(x, "areaBetween series argument must reference *exactly* 2 series");
    struct graphite_series *lower = out->list.items[0], *upper = out->list.items[1];
    graphite__look(x, lower)->stacked = true;
    lower->look->invisible = true;
    graphite__look(x, upper)->stacked = true;
    graphite__tag(x, upper, "areaBetween", SLICE("1"));
    lower->tags = arena_dup(x->arena, upper->tags, upper->tag_count * sizeof(*upper->tags));
    lower->tag_count = lower->tag_cap = upper->tag_count;
    lower->name = upper->name = graphite__text(x, "areaBetween(%.*s)", SLICE_FMT(upper->path));
    return x->err;
}

GRAPHITE__HANDLER(stacked)
{
    struct graphite_run *x = c->x;
    bool own = c->arg[1].kind == GRAPHITE__NONE || slice_eq(c->arg[1].text, SLICE("__DEFAULT__"));
    *out = c->arg[0];
    for (size_t i = 0; i < out->list.len && !x->err; i++) {
        struct graphite_series *s = out->list.items[i];
        if (s->count > x->stack_count) {
            double *total = graphite__values(x, s->count);
            if (!total)
                return x->err;
            for (size_t k = 0; k < s->count; k++)
                total[k] = k < x->stack_count ? x->stack_total[k] : 0;
            x->stack_total = total;
            x->stack_count = s->count;
        }
        for (size_t k = 0; k < s->count; k++) {
            if (!isnan(s->values[k]))
                s->values[k] = x->stack_total[k] += s->values[k];
        }
        if (own) {
            graphite__tag(x, s, "stacked", SLICE("__DEFAULT__"));
            graphite__rename(x, s, "stacked(%.*s)", SLICE_FMT(s->name));
        }
        graphite__look(x, s)->stacked = true;
    }
    return x->err;
}
