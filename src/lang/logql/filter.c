/* Label filters. What cannot be converted keeps the line and is its error; a line that has an error
 * already passes the filters that convert. */
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

static bool fail(struct logql_line *l, const char *fmt, struct slice value)
{
    logql_line_fail(l, "LabelFilterErr", arena_printf(l->arena, fmt, SLICE_FMT(value)));
    return true;
}

static bool converts(const struct logql_filter *f, struct logql_line *l)
{
    struct slice value = logql_line_get(l, f->name);
    double v;
    int64_t ns;
    if (!value.ptr)
        return false;
    if (l->error.len)
        return true;
    if (f->kind == LOGQL_FILTER_NUMBER) {
        if (!codec_text_to_double(value, &v, NULL))
            return fail(l, "strconv.ParseFloat: parsing \"%.*s\": invalid syntax", value);
    } else if (f->kind == LOGQL_FILTER_DURATION) {
        if (!logql_duration_parse(value, &ns))
            return fail(l, "time: invalid duration \"%.*s\"", value);
        v = (double)ns;
    } else if (!logql_bytes_parse(value, &v)) {
        return fail(l, "strconv.ParseFloat: parsing \"%.*s\": invalid syntax", value);
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
