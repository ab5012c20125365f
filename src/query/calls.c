/* Functions of whole grids: scalars, clamping, labels, order, dates. */
#include "query/calls.h"

#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "text/regex.h"

/* --- scalars --- */

static int fill_scalar(struct query_exec *x, struct query_grid *out, double v)
{
    double *row = query__add_scalar(x, out);
    for (size_t s = 0; row && s < x->step_count; s++)
        row[s] = v;
    return row ? 0 : ERR_NOMEM;
}

QUERY__CALL(query__time)
{
    (void)n;
    (void)args;
    double *row = query__add_scalar(x, out);
    for (size_t s = 0; row && s < x->step_count; s++)
        row[s] = query__seconds(query__step_ns(x, s));
    return row ? 0 : ERR_NOMEM;
}

QUERY__CALL(query__pi)
{
    (void)n;
    (void)args;
    return fill_scalar(x, out, M_PI);
}

QUERY__CALL(query__start)
{
    (void)n;
    (void)args;
    return fill_scalar(x, out, query__seconds(x->plan->steps.start_ns));
}

QUERY__CALL(query__end)
{
    (void)n;
    (void)args;
    return fill_scalar(x, out, query__seconds(x->plan->steps.end_ns));
}

QUERY__CALL(query__range)
{
    (void)n;
    (void)args;
    return fill_scalar(x, out, query__seconds(x->plan->steps.end_ns - x->plan->steps.start_ns));
}

QUERY__CALL(query__step)
{
    (void)n;
    (void)args;
    return fill_scalar(x, out, x->plan->steps.instant ? 0 : query__seconds(x->plan->steps.step_ns));
}

static int extreme_of(struct query_exec *x, const struct query_node *n, struct query_grid *args,
                      struct query_grid *out, bool max)
{
    double *row = query__add_scalar(x, out);
    for (size_t s = 0; row && s < x->step_count; s++) {
        row[s] = args[0].rows[0].value[s];
        for (size_t i = 1; i < n->arg_count; i++) {
            double v = args[i].rows[0].value[s];
            /* Any NaN makes NaN, as Go's math.Max has it. */
            row[s] = isnan(v) || isnan(row[s]) ? NAN : max ? fmax(row[s], v) : fmin(row[s], v);
        }
    }
    return row ? 0 : ERR_NOMEM;
}

QUERY__CALL(query__min_of)
{
    return extreme_of(x, n, args, out, false);
}

QUERY__CALL(query__max_of)
{
    return extreme_of(x, n, args, out, true);
}

QUERY__CALL(query__vector)
{
    (void)n;
    double *row = query__add_scalar(x, out);
    if (!row)
        return ERR_NOMEM;
    memcpy(row, args[0].rows[0].value, x->step_count * sizeof(*row));
    return 0;
}

QUERY__CALL(query__scalar)
{
    (void)n;
    double *row = query__add_scalar(x, out);
    if (!row)
        return ERR_NOMEM;
    for (size_t s = 0; s < x->step_count; s++) {
        size_t found = 0;
        row[s] = NAN;
        for (size_t i = 0; i < args[0].count; i++) {
            if (!args[0].rows[i].has[s] ||
                (args[0].rows[i].histogram && args[0].rows[i].histogram[s]))
                continue;
            row[s] = ++found == 1 ? args[0].rows[i].value[s] : NAN;
        }
    }
    return 0;
}

/* --- element by element --- */

/* The rows of `in` without their metric names, values to be filled by the caller. */
static int same_rows(struct query_exec *x, struct query_grid *in, struct query_grid *out)
{
    for (size_t i = 0; i < in->count; i++) {
        struct data_labels labels = in->rows[i].labels;
        if (!x->plan->delayed_name_removal)
            labels = query__drop_name(x, labels);
        struct query_row *row = query__add_row(x, out, labels);
        if (!row)
            return ERR_NOMEM;
        row->drop_name = true;
    }
    return 0;
}

static int clamp_rows(struct query_exec *x, struct query_grid *in, struct query_grid *out,
                      const double *low, const double *high)
{
    int err = same_rows(x, in, out);
    for (size_t i = 0; i < in->count && !err; i++) {
        for (size_t s = 0; s < x->step_count; s++) {
            if (!query__is_float(&in->rows[i], s) || (low && high && low[s] > high[s]))
                continue;
            double v = in->rows[i].value[s];
            if (high)
                v = isnan(v) || isnan(high[s]) ? NAN : fmin(high[s], v);
            if (low)
                v = isnan(v) || isnan(low[s]) ? NAN : fmax(low[s], v);
            out->rows[i].value[s] = v;
            out->rows[i].has[s] = 1;
        }
    }
    return err;
}

QUERY__CALL(query__clamp)
{
    (void)n;
    return clamp_rows(x, &args[0], out, args[1].rows[0].value, args[2].rows[0].value);
}

QUERY__CALL(query__clamp_min)
{
    (void)n;
    return clamp_rows(x, &args[0], out, args[1].rows[0].value, NULL);
}

QUERY__CALL(query__clamp_max)
{
    (void)n;
    return clamp_rows(x, &args[0], out, NULL, args[1].rows[0].value);
}

QUERY__CALL(query__round)
{
    int err = same_rows(x, &args[0], out);
    for (size_t i = 0; i < args[0].count && !err; i++) {
        for (size_t s = 0; s < x->step_count; s++) {
            if (!query__is_float(&args[0].rows[i], s))
                continue;
            double inverse = 1.0 / (n->arg_count > 1 ? args[1].rows[0].value[s] : 1.0);
            out->rows[i].value[s] = floor(args[0].rows[i].value[s] * inverse + 0.5) / inverse;
            out->rows[i].has[s] = 1;
        }
    }
    return err;
}

/* Of anything but a plain selector: the time of the step. */
QUERY__CALL(query__timestamp)
{
    const struct query_selector *sel = &n->args[0]->selector;
    bool bare = n->args[0]->op == QUERY_INSTANT && (sel->timestamps || sel->starts);
    int err = same_rows(x, &args[0], out);
    for (size_t i = 0; i < args[0].count && !err; i++) {
        memcpy(out->rows[i].has, args[0].rows[i].has, x->step_count);
        for (size_t s = 0; s < x->step_count; s++)
            out->rows[i].value[s] =
                bare ? args[0].rows[i].value[s] : query__seconds(query__step_ns(x, s));
    }
    return err;
}

/* Of anything but a plain selector there is none. */
QUERY__CALL(query__start_timestamp)
{
    return n->args[0]->op == QUERY_INSTANT ? query__timestamp(x, n, args, out) : 0;
}

/* --- absent --- */

/* What a plain selector, or range of one, asks for exactly, once a name: the labels the absent
 * thing would have. Of what a function makes nothing is known. */
static struct data_labels asked_labels(struct query_exec *x, const struct query_node *n)
{
    const struct query_node *of = n->args[0];
    struct data_labels_builder b = {0};
    struct data_labels labels = {NULL, 0};
    bool range = n->function->args[0] == QUERY_TYPE_MATRIX;
    bool selector = range ? of->op == QUERY_WINDOW && !of->subquery : of->op == QUERY_INSTANT;
    const struct query_selector *sel = &of->selector;
    for (size_t i = 0; selector && i < sel->matcher_count; i++) {
        const struct store_matcher *m = &sel->matchers[i];
        bool once = true;
        for (size_t k = 0; k < sel->matcher_count; k++)
            once = once && (k == i || !slice_eq(sel->matchers[k].name, m->name));
        if (m->op == STORE_MATCH_EQ && once && !slice_eq_cstr(m->name, DATA_METRIC_NAME))
            data_labels_builder_set(&b, m->name, m->value);
    }
    if (!data_labels_builder_finish(&b, &labels, NULL))
        labels = data_labels_copy(x->arena, labels);
    data_labels_builder_deinit(&b);
    return labels;
}

QUERY__CALL(query__absent)
{
    struct query_row *row = query__add_row(x, out, asked_labels(x, n));
    if (!row)
        return ERR_NOMEM;
    bool any = false;
    for (size_t s = 0; s < x->step_count; s++) {
        bool present = false;
        for (size_t i = 0; i < args[0].count && !present; i++)
            present = args[0].rows[i].has[s];
        row->has[s] = !present;
        row->value[s] = 1;
        any |= !present;
    }
    if (!any)
        out->count = 0;
    return 0;
}

/* --- order; only an instant query's answer has one --- */

static _Thread_local bool sort_descending;

static int by_first_value(const void *a, const void *b)
{
    double p = ((const struct query_row *)a)->value[0], q = ((const struct query_row *)b)->value[0];
    if (isnan(p) || isnan(q))
        return isnan(p) - isnan(q);
    int c = (p > q) - (p < q);
    return sort_descending ? -c : c;
}

static int sort_rows(struct query_exec *x, const struct query_node *n, struct query_grid *in,
                     struct query_grid *out, bool descending)
{
    int err = query__grid_move(x, out, in);
    if (err)
        return err;
    if (!x->steps.instant) {
        query__warn(
            x, n,
            "sort is ineffective for range queries since results are always ordered by labels");
        return 0;
    }
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (query__is_float(&out->rows[i], 0))
            out->rows[kept++] = out->rows[i];
    }
    out->count = kept;
    sort_descending = descending;
    if (kept)
        qsort(out->rows, kept, sizeof(*out->rows), by_first_value);
    return 0;
}

QUERY__CALL(query__sort)
{
    return sort_rows(x, n, &args[0], out, false);
}

QUERY__CALL(query__sort_desc)
{
    return sort_rows(x, n, &args[0], out, true);
}

/* "a2" before "a10": runs of digits compare as numbers. */
static int natural_cmp(struct slice a, struct slice b)
{
    size_t i = 0, k = 0;
    while (i < a.len && k < b.len) {
        bool da = a.ptr[i] >= '0' && a.ptr[i] <= '9', db = b.ptr[k] >= '0' && b.ptr[k] <= '9';
        if (da && db) {
            size_t ia = i, kb = k;
            while (ia < a.len && a.ptr[ia] == '0')
                ia++;
            while (kb < b.len && b.ptr[kb] == '0')
                kb++;
            size_t ea = ia, eb = kb;
            while (ea < a.len && a.ptr[ea] >= '0' && a.ptr[ea] <= '9')
                ea++;
            while (eb < b.len && b.ptr[eb] >= '0' && b.ptr[eb] <= '9')
                eb++;
            if (ea - ia != eb - kb)
                return ea - ia < eb - kb ? -1 : 1;
            int c = memcmp(a.ptr + ia, b.ptr + kb, ea - ia);
            if (c)
                return c;
            i = ea;
            k = eb;
        } else if (a.ptr[i] != b.ptr[k]) {
            return (unsigned char)a.ptr[i] < (unsigned char)b.ptr[k] ? -1 : 1;
        } else {
            i++;
            k++;
        }
    }
    return (a.len - i > b.len - k) - (a.len - i < b.len - k);
}

static _Thread_local const struct query_grid *sort_names;
static _Thread_local size_t sort_name_count;

static int by_named_labels(const void *a, const void *b)
{
    const struct query_row *p = a, *q = b;
    for (size_t i = 0; i < sort_name_count; i++) {
        struct slice v = data_labels_get(p->labels, sort_names[i].text),
                     w = data_labels_get(q->labels, sort_names[i].text);
        int c = natural_cmp(v, w);
        if (c)
            return sort_descending ? -c : c;
    }
    int c = data_labels_cmp(p->labels, q->labels);
    return sort_descending ? -c : c;
}

static int sort_labels(struct query_exec *x, const struct query_node *n, struct query_grid *args,
                       struct query_grid *out, bool descending)
{
    int err = query__grid_move(x, out, &args[0]);
    if (err)
        return err;
    if (!x->steps.instant) {
        query__warn(
            x, n,
            "sort is ineffective for range queries since results are always ordered by labels");
        return 0;
    }
    sort_descending = descending;
    sort_names = args + 1;
    sort_name_count = n->arg_count - 1;
    if (out->count)
        qsort(out->rows, out->count, sizeof(*out->rows), by_named_labels);
    return 0;
}

QUERY__CALL(query__sort_by_label)
{
    return sort_labels(x, n, args, out, false);
}

QUERY__CALL(query__sort_by_label_desc)
{
    return sort_labels(x, n, args, out, true);
}

/* --- labels --- */

static int set_label(struct query_exec *x, struct query_row *row, struct slice name,
                     struct slice value)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    data_labels_builder_from(&b, row->labels);
    data_labels_builder_set(&b, name, value);
    int err = data_labels_builder_finish(&b, &labels, x->diag);
    if (!err)
        row->labels = data_labels_copy(x->arena, labels);
    if (slice_eq_cstr(name, DATA_METRIC_NAME))
        row->drop_name = false;
    data_labels_builder_deinit(&b);
    return err;
}

QUERY__CALL(query__label_replace)
{
    (void)n;
    struct slice dst = args[1].text, replacement = args[2].text, src = args[3].text,
                 pattern = args[4].text;
    struct text_regex *re;
    struct diag d;
    diag_init(&d);
    if (query__check_label_name(x, dst, " destination in label_replace()"))
        return ERR_INVALID;
    if (text_regex_compile(pattern, TEXT_REGEX_ANCHORED, &re, &d))
        return diag_set(x->diag, ERR_INVALID, "invalid regular expression in label_replace(): %.*s",
                        SLICE_FMT(pattern));
    uint64_t overruns = text_regex_overruns();
    size_t group_count = text_regex_group_count(re);
    struct slice *groups = mem_calloc(group_count, sizeof(*groups));
    struct buf value = {0};
    int err = query__grid_move(x, out, &args[0]);
    for (size_t i = 0; i < out->count && !err; i++) {
        struct slice from = data_labels_get(out->rows[i].labels, src);
        if (!from.ptr)
            from = SLICE("");
        if (!text_regex_groups(re, from, groups, group_count))
            continue;
        buf_clear(&value);
        text_regex_expand(re, replacement, groups, group_count, &value);
        err = set_label(x, &out->rows[i], dst, buf_slice(&value));
    }
    if (!err)
        err = text_regex_check(overruns, "the regular expression of label_replace()", x->diag);
    buf_deinit(&value);
    mem_free(groups);
    text_regex_free(re);
    return err ? err : query__merge_same(x, out);
}

QUERY__CALL(query__label_join)
{
    struct buf value = {0};
    if (query__check_label_name(x, args[1].text, " destination in label_join()"))
        return ERR_INVALID;
    int err = query__grid_move(x, out, &args[0]);
    for (size_t i = 0; i < out->count && !err; i++) {
        buf_clear(&value);
        for (size_t k = 3; k < n->arg_count; k++) {
            if (k > 3)
                buf_append_slice(&value, args[2].text);
            buf_append_slice(&value, data_labels_get(out->rows[i].labels, args[k].text));
        }
        err = set_label(x, &out->rows[i], args[1].text, buf_slice(&value));
    }
    buf_deinit(&value);
    return err ? err : query__merge_same(x, out);
}

/* --- dates, in UTC --- */

struct civil {
    int64_t year;
    int month, day, hour, minute, weekday, yearday, month_days;
};

static bool leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static struct civil civil_of(double v)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t seconds = (int64_t)v, day = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365,
            doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct civil c = {.day = (int)(doy - (153 * mp + 2) / 5 + 1),
                      .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    c.year = yoe + era * 400 + (c.month <= 2);
    c.hour = (int)(rest / 3600);
    c.minute = (int)(rest / 60 % 60);
    c.weekday = (int)(((day + 4) % 7 + 7) % 7);
    c.month_days = before[c.month] - before[c.month - 1] + (c.month == 2 && leap(c.year));
    c.yearday = before[c.month - 1] + c.day + (c.month > 2 && leap(c.year));
    return c;
}

enum date_part { DAY_OF_MONTH, DAY_OF_WEEK, DAY_OF_YEAR, DAYS_IN_MONTH, HOUR, MINUTE, MONTH, YEAR };

static double date_part(double v, enum date_part part)
{
    if (!isfinite(v) || fabs(v) > 1e17)
        return NAN;
    struct civil c = civil_of(v);
    switch (part) {
    case DAY_OF_MONTH: return c.day;
    case DAY_OF_WEEK: return c.weekday;
    case DAY_OF_YEAR: return c.yearday;
    case DAYS_IN_MONTH: return c.month_days;
    case HOUR: return c.hour;
    case MINUTE: return c.minute;
    case MONTH: return c.month;
    case YEAR: return (double)c.year;
    }
    return NAN;
}

static int date_rows(struct query_exec *x, const struct query_node *n, struct query_grid *args,
                     struct query_grid *out, enum date_part part)
{
    if (!n->arg_count) {
        double *row = query__add_scalar(x, out);
        for (size_t s = 0; row && s < x->step_count; s++)
            row[s] = date_part(query__seconds(query__step_ns(x, s)), part);
        return row ? 0 : ERR_NOMEM;
    }
    int err = same_rows(x, &args[0], out);
    for (size_t i = 0; i < args[0].count && !err; i++) {
        for (size_t s = 0; s < x->step_count; s++) {
            if (!query__is_float(&args[0].rows[i], s))
                continue;
            out->rows[i].has[s] = 1;
            out->rows[i].value[s] = date_part(args[0].rows[i].value[s], part);
        }
    }
    return err;
}

#define DATE_CALL(name, part)                                                                      \
    QUERY__CALL(name)                                                                              \
    {                                                                                              \
        return date_rows(x, n, args, out, part);                                                   \
    }
DATE_CALL(query__day_of_month, DAY_OF_MONTH)
DATE_CALL(query__day_of_week, DAY_OF_WEEK)
DATE_CALL(query__day_of_year, DAY_OF_YEAR)
DATE_CALL(query__days_in_month, DAYS_IN_MONTH)
DATE_CALL(query__hour, HOUR)
DATE_CALL(query__minute, MINUTE)
DATE_CALL(query__month, MONTH)
DATE_CALL(query__year, YEAR)
