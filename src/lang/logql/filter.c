/* Label filters. What cannot be converted keeps the line and is its error. */
#include "base/buf.h"
#include "codec/number.h"
#include "lang/logql/pipeline.h"
#include "lang/logql/units.h"

static bool compare(enum logql_compare op, double a, double b)
{
    switch (op) {
    case LOGQL_EQ: return a == b;
    case LOGQL_NE: return a != b;
    case LOGQL_LT: return a < b;
    case LOGQL_LE: return a <= b;
    case LOGQL_GT: return a > b;
    case LOGQL_GE: return a >= b;
    }
    return false;
}

static bool converts(const struct logql_filter *f, struct logql_line *l)
{
    const struct logql_label *label = logql_line_find(l, f->name); /* __error__ is none */
    struct slice value = label && label->value.ptr ? label->value : SLICE("");
    enum logql_convert how = f->kind == LOGQL_FILTER_NUMBER     ? LOGQL_CONVERT_NUMBER
                             : f->kind == LOGQL_FILTER_DURATION ? LOGQL_CONVERT_DURATION
                                                                : LOGQL_CONVERT_BYTES;
    double v;
    if (!label)
        return false;
    if (!logql__convert(how, value, &v)) {
        logql_line_fail(l, "LabelFilterErr", logql__convert_problem(how, value, l->arena));
        return true;
    }
    return compare(f->compare, v, f->number);
}

static bool ip_passes(const struct logql_filter *f, struct logql_line *l)
{
    struct logql_ip_range range;
    struct slice value;
    if (l->error.len)
        return true;
    value = logql_line_get(l, f->name);
    if (!value.ptr || !logql_ip_range_parse(f->text, &range))
        return false;
    return logql_ip_range_finds(&range, value) == (f->compare == LOGQL_EQ);
}

bool logql__filter_passes(const struct logql_filter *f, struct logql_line *l)
{
    bool left;
    switch (f->kind) {
    case LOGQL_FILTER_STRING: return store_matcher_matches(&f->matcher, logql_line_get(l, f->name));
    case LOGQL_FILTER_IP: return ip_passes(f, l);
    case LOGQL_FILTER_OR:
        return logql__filter_passes(f->left, l) || logql__filter_passes(f->right, l);
    case LOGQL_FILTER_AND:
        /* Both sides are always tried: either may be what sets the error. */
        left = logql__filter_passes(f->left, l);
        return logql__filter_passes(f->right, l) && left;
    default: return converts(f, l);
    }
}
