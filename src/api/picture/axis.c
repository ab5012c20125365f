/* The value axis: round steps that waste little room, limits, labels; the time axis: which lines
 * and labels suit so many seconds a pixel. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "api/picture/picture_priv.h"
#include "codec/number.h"

#define EPSILON 0.0001

/* --- units --- */

struct unit {
    const char *prefix;
    double size;
};

static const struct unit *units_of(enum picture__units u)
{
    static const struct unit none[] = {{NULL, 0}};
    static const struct unit si[] = {{"P", 1e15}, {"T", 1e12}, {"G", 1e9},
                                     {"M", 1e6},  {"k", 1e3},  {NULL, 0}};
    static const struct unit binary[] = {{"Pi", 0x1p50}, {"Ti", 0x1p40}, {"Gi", 0x1p30},
                                         {"Mi", 0x1p20}, {"Ki", 0x1p10}, {NULL, 0}};
    static const struct unit sec[] = {{"Y", 31536000}, {"M", 2592000}, {"D", 86400},
                                      {"H", 3600},     {"m", 60},      {NULL, 0}};
    static const struct unit msec[] = {{"Y", 31536e6}, {"M", 2592e6}, {"D", 864e5}, {"H", 36e5},
                                       {"m", 6e4},     {"s", 1e3},    {NULL, 0}};
    return u == PICTURE__SI       ? si
           : u == PICTURE__BINARY ? binary
           : u == PICTURE__SEC    ? sec
           : u == PICTURE__MSEC   ? msec
                                  : none;
}

/* In the largest unit that neither the value nor (when there is one) the step is below. */
static double in_units(double v, double step, enum picture__units units, const char **prefix)
{
    double shown = v;
    *prefix = "";
    for (const struct unit *u = units_of(units); u->prefix; u++) {
        if (fabs(v) >= u->size && (!(step > 0) || step >= u->size)) {
            *prefix = u->prefix;
            shown = v / u->size;
            break;
        }
    }
    return shown - floor(shown) < 1e-11 && v > 1 ? floor(shown) : shown;
}

static void label_of(const struct picture__axis *a, double value, char *out, size_t size)
{
    const char *prefix, *span_prefix;
    double v = in_units(value, a->step, a->units, &prefix);
    double span = in_units(a->span, a->step, a->units, &span_prefix);
    const char *gap = prefix[0] ? " " : "";
    if (v < 0.1)
        snprintf(out, size, "%g %s%s", v, prefix, gap);
    else if (v < 1)
        snprintf(out, size, "%.2f %s%s", v, prefix, gap);
    else if (span > 10 || strcmp(prefix, span_prefix) != 0 || span > 3)
        snprintf(out, size, "%.1f %s%s", v, prefix, gap);
    else if (span > 0.1)
        snprintf(out, size, "%.2f %s%s", v, prefix, gap);
    else
        snprintf(out, size, "%g %s%s", v, prefix, gap);
}

/* --- limits --- */

enum limit { BY_DATA, BY_EXTREME, FIXED };

static double some_way(double x)
{
    return fabs(x) < 1e-9 ? 1 : 0.1 * fabs(x);
}

/* Room between the limits, moving what the user did not fix. */
static void make_room(struct picture__canvas *c, struct picture__axis *a, enum limit low,
                      enum limit high)
{
    if (a->low < a->high)
        return;
    if (low == FIXED && high == FIXED) {
        picture__fail(c, ERR_INVALID, "the axis' minimum must be less than its maximum");
    } else if (low == FIXED) {
        a->high = a->low + some_way(a->low);
    } else if (high == FIXED) {
        a->low = a->high - some_way(a->high);
    } else {
        double middle = (a->low + a->high) / 2, way = some_way(fmax(fabs(a->low), fabs(a->high)));
        a->low = middle - way;
        a->high = middle + way;
    }
}

/* --- steps --- */

static size_t read_divisors(struct picture__canvas *c, double *out, size_t max)
{
    struct slice list = picture__text(c->p, API_PICTURE_Y_DIVISORS, "4,5,6"), part;
    size_t n = 0;
    while (slice_split(&list, ',', &part) && n < max) {
        int64_t v;
        if (!codec_text_to_int(slice_trim(part), &v) || v < 1 || v > 1000) {
            picture__fail(c, ERR_INVALID,
                          "yDivisors: numbers from 1 on, as in 4,5,6, are expected");
            return 0;
        }
        out[n++] = (double)v;
    }
    return n;
}

/* Of all round steps and numbers of them, the one that leaves the least room at top and bottom. */
static double choose_step(const struct picture__axis *a, const double *divisors, size_t count)
{
    static const double decimal[] = {1, 2, 5}, two[] = {1};
    bool binary = a->units == PICTURE__BINARY;
    const double *mantissas = binary ? two : decimal;
    size_t mantissa_count = binary ? 1 : 3;
    double least = divisors[0], most = divisors[0], variance = a->high - a->low;
    for (size_t i = 1; i < count; i++) {
        least = fmin(least, divisors[i]);
        most = fmax(most, divisors[i]);
    }
    double from = variance / most, best = 0, best_slop = INFINITY;
    double base = binary ? 2 : 10;
    double exponent = floor((binary ? log2(from) : log10(from)) - EPSILON);
    for (int tries = 0; tries < 60; tries++, exponent += 1) {
        for (size_t m = 0; m < mantissa_count; m++) {
            double step = mantissas[m] * pow(base, exponent);
            if (step < from * (1 - EPSILON))
                continue;
            if (isfinite(best_slop) && step * least >= 2 * best_slop + variance)
                return best;
            for (size_t d = 0; d < count; d++) {
                double bottom = step * floor(a->low / step + EPSILON);
                double top = bottom + step * divisors[d];
                double slop = fmax(top - a->high, a->low - bottom);
                if (top >= a->high - EPSILON * step && slop < best_slop) {
                    best_slop = slop;
                    best = step;
                }
            }
        }
    }
    return best > 0 ? best : variance;
}

static void linear_limits(struct picture__canvas *c, struct picture__axis *a, enum limit low,
                          enum limit high, double limit, double step)
{
    double divisors[20];
    size_t count = read_divisors(c, divisors, ARRAY_LEN(divisors));
    if (c->err)
        return;
    a->step = step > 0 ? step : choose_step(a, divisors, count);
    if ((a->high - a->low) / a->step > 1000) /* no such picture can be read */
        a->step = choose_step(a, divisors, count);
    a->bottom = low == BY_DATA ? a->step * floor(a->low / a->step + EPSILON) : a->low;
    a->top = high == BY_DATA ? a->step * ceil(a->high / a->step - EPSILON) : a->high;
    if (high == BY_DATA && a->top > limit + EPSILON * a->step)
        a->top = limit;
    if (a->top == a->bottom)
        a->top += 1;
    a->span = a->top - a->bottom;
    double first = a->step * ceil(a->bottom / a->step - EPSILON);
    for (size_t i = 0; i < PICTURE__LABELS_MAX; i++) {
        double v = first + (double)i * a->step;
        if (v > a->top + EPSILON * a->step)
            break;
        a->values[a->label_count++] = v;
    }
}

static void log_limits(struct picture__canvas *c, struct picture__axis *a)
{
    double base = log(a->log_base);
    if (!(a->low > 0)) {
        picture__fail(c, ERR_INVALID,
                      "logBase: the values have to be above 0, and there is one of %g", a->low);
        return;
    }
    a->bottom = pow(a->log_base, floor(log(a->low) / base));
    a->top = pow(a->log_base, ceil(log(a->high) / base));
    if (a->top == a->bottom)
        a->top *= a->log_base;
    a->span = a->top - a->bottom;
    for (double v = a->bottom; v < a->top * (1 + EPSILON) && a->label_count < PICTURE__LABELS_MAX;
         v *= a->log_base)
        a->values[a->label_count++] = v;
}

void picture__axis_set(struct picture__canvas *c, struct picture__axis *a, double low, double high,
                       const struct picture__axis_options *o)
{
    static const char *const unit_names[] = {"si", "binary", "sec", "msec", "none", NULL};
    enum limit low_is = BY_DATA, high_is = BY_DATA;
    double limit = picture__number(c, o->limit, INFINITY), step = picture__number(c, o->step, 0);
    bool extreme = slice_eq(picture__text(c->p, o->max, ""), SLICE("max"));
    memset(a, 0, sizeof(*a));
    a->low = low;
    a->high = high;
    a->units = (enum picture__units)picture__choice(c, API_PICTURE_Y_UNIT_SYSTEM, unit_names);
    if (slice_eq(picture__text(c->p, API_PICTURE_LOG_BASE, ""), SLICE("e")))
        a->log_base = M_E;
    else
        a->log_base = picture__number(c, API_PICTURE_LOG_BASE, 0);
    if (a->log_base < 1)
        a->log_base = 0;
    else if (a->log_base == 1)
        picture__fail(c, ERR_INVALID, "logBase: above 1, or e");
    if (picture__has(c->p, o->min)) {
        low_is = FIXED;
        a->low = picture__number(c, o->min, low);
    }
    if (extreme) {
        high_is = BY_EXTREME;
    } else if (picture__has(c->p, o->max)) {
        high_is = FIXED;
        a->high = picture__number(c, o->max, high);
    }
    if (limit < a->high) {
        high_is = FIXED;
        a->high = limit;
        limit = INFINITY;
    }
    if (!isfinite(a->low) || !isfinite(a->high) || fabs(a->low) > 1e300 || fabs(a->high) > 1e300)
        picture__fail(c, ERR_INVALID, "the axis cannot show values beyond 1e300");
    if (!c->err)
        make_room(c, a, low_is, high_is);
    a->values = ARENA_ARRAY(c->p->arena, double, PICTURE__LABELS_MAX);
    a->labels = ARENA_ARRAY(c->p->arena, struct slice, PICTURE__LABELS_MAX);
    if (!a->values || !a->labels)
        picture__fail(c, ERR_NOMEM, "the picture takes more than limits.query.memory");
    if (c->err)
        return;
    if (a->log_base > 0)
        log_limits(c, a);
    else
        linear_limits(c, a, low_is, high_is, limit, step);
    for (size_t i = 0; i < a->label_count && !c->err; i++) {
        char text[64];
        label_of(a, a->values[i], text, sizeof(text));
        a->labels[i] = arena_slice(c->p->arena, slice_cstr(text));
        if (!a->labels[i].ptr)
            picture__fail(c, ERR_NOMEM, "the picture takes more than limits.query.memory");
        else
            a->width = fmax(a->width, picture__text_width(c, a->labels[i]));
    }
}

bool picture__axis_place(const struct picture__canvas *c, const struct picture__axis *a,
                         double value, double *out_y)
{
    bool labels = a->label_count > 1;
    double low = labels ? a->values[0] : a->bottom;
    double high = labels ? a->values[a->label_count - 1] : a->top;
    double share;
    if (a->log_base > 0) {
        if (!(value > 0))
            return false;
        share = (log(value) - log(low)) / (log(high) - log(low));
    } else {
        share = (value - low) / (high - low);
    }
    *out_y = c->area.y_max - (c->area.y_max - c->area.y_min) * share;
    return true;
}

/* --- time --- */

const struct picture__time_unit *picture__time_unit_find(double range_s, double pixels)
{
    enum { MIN = 60, HOUR = 3600, DAY = 86400 };
    static const struct picture__time_unit units[] = {
        {0, 5, MIN, 5, "%H:%M:%S", 10 * MIN},
        {.07, 10, MIN, 10, "%H:%M:%S", 20 * MIN},
        {.14, 15, MIN, 15, "%H:%M:%S", 30 * MIN},
        {.27, 30, 2 * MIN, MIN, "%H:%M", 2 * HOUR},
        {.5, MIN, 2 * MIN, MIN, "%H:%M", 2 * HOUR},
        {1.2, MIN, 4 * MIN, 2 * MIN, "%H:%M", 3 * HOUR},
        {2, MIN, 10 * MIN, 5 * MIN, "%H:%M", 6 * HOUR},
        {5, 2 * MIN, 10 * MIN, 10 * MIN, "%H:%M", 12 * HOUR},
        {10, 5 * MIN, 20 * MIN, 20 * MIN, "%H:%M", DAY},
        {30, 10 * MIN, HOUR, HOUR, "%H:%M", 2 * DAY},
        {60, 30 * MIN, 2 * HOUR, 2 * HOUR, "%H:%M", 2 * DAY},
        {100, 2 * HOUR, 4 * HOUR, 4 * HOUR, "%a %H:%M", 6 * DAY},
        {255, 6 * HOUR, 12 * HOUR, 12 * HOUR, "%m/%d %H:%M", 10 * DAY},
        {600, 6 * HOUR, DAY, DAY, "%m/%d", 14 * DAY},
        {1000, 12 * HOUR, DAY, DAY, "%m/%d", 365. * DAY},
        {2000, DAY, 2 * DAY, 2 * DAY, "%m/%d", 365. * DAY},
        {4000, 2 * DAY, 4 * DAY, 4 * DAY, "%m/%d", 365. * DAY},
        {8000, 3.5 * DAY, 7 * DAY, 7 * DAY, "%m/%d", 365. * DAY},
        {16000, 7 * DAY, 14 * DAY, 14 * DAY, "%m/%d", 365. * DAY},
        {32000, 15 * DAY, 30 * DAY, 30 * DAY, "%m/%d", 365. * DAY},
        {64000, 30 * DAY, 60 * DAY, 60 * DAY, "%m/%d %Y", 0},
        {100000, 60 * DAY, 120. * DAY, 120. * DAY, "%m/%d %Y", 0},
        {120000, 120. * DAY, 240. * DAY, 240. * DAY, "%m/%d %Y", 0},
    };
    const struct picture__time_unit *found = &units[ARRAY_LEN(units) - 1];
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].seconds_per_pixel <= range_s / pixels &&
            (units[i].range_max_s == 0 || units[i].range_max_s >= range_s))
            found = &units[i];
    }
    return found;
}

static double local_of(const struct text_zone *z, double t)
{
    return t + text_zone_at(z, (int64_t)t).offset_s;
}

double picture__time_first(const struct text_zone *z, double from_s, double step_s)
{
    double local = local_of(z, from_s), midnight = floor(local / 86400) * 86400;
    double at = step_s >= 86400 ? midnight : midnight + floor((local - midnight) / step_s) * step_s;
    while (at < local)
        at += step_s;
    return (double)text_zone_to_utc(z, (int64_t)at);
}

double picture__time_next(const struct text_zone *z, double t, double step_s)
{
    double next = (double)text_zone_to_utc(z, (int64_t)(local_of(z, t) + step_s));
    return next > t ? next : t + step_s;
}

void picture__time_label(const struct text_zone *z, double t, struct slice format, char *out,
                         size_t out_size)
{
    struct text_zone_local l = text_zone_at(z, (int64_t)t);
    time_t local = (time_t)((int64_t)t + l.offset_s);
    struct tm tm;
    char copy[100];
    snprintf(copy, sizeof(copy), "%.*s", SLICE_FMT(slice_first(format, sizeof(copy) - 1)));
    gmtime_r(&local, &tm);
    tm.tm_gmtoff = l.offset_s;
    tm.tm_zone = l.name;
    tm.tm_isdst = l.is_dst;
    if (!strftime(out, out_size, copy, &tm))
        out[0] = 0;
}
