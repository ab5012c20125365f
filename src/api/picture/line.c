/* A line graph: the series as lines and areas over one or two value axes. */
#include <math.h>

#include "api/picture/picture_priv.h"

#define LEGEND_MAX 10 /* series; with more there is no legend unless it is asked for */

enum line_mode { SLOPE, STAIRCASE, CONNECTED };
enum area_mode { NO_AREA, FIRST_AREA, ALL_AREAS, STACKED_AREAS };

/* A series as it is drawn. */
struct line {
    const struct graphite_series *s;
    double *values; /* consolidated to what can be drawn */
    size_t count, per_point;
    double x_step; /* pixels between two of them */
    struct slice color;
    double width, dashed, alpha; /* 0 = not set */
    bool stacked, invisible, right, infinite;
};

struct graph {
    struct picture__canvas *c;
    const struct api_picture *p;
    struct line *lines;
    size_t count;
    enum line_mode mode;
    enum area_mode area_mode;
    double line_width, connected_limit, min_x_step;
    double start, end, range; /* seconds */
    bool null_is_zero, two_axes, right_side, graph_only;
    struct picture__axis left, right; /* `left` is the only one unless there are two */
    double graph_width;
};

static void no_memory(struct graph *g)
{
    picture__fail(g->c, ERR_NOMEM, "the picture takes more than limits.query.memory");
}

/* --- setting up --- */

static void read_options(struct graph *g)
{
    static const char *const modes[] = {"slope", "staircase", "connected", NULL};
    static const char *const areas[] = {"none", "first", "all", "stacked", NULL};
    static const char *const sides[] = {"left", "right", NULL};
    struct picture__canvas *c = g->c;
    g->mode = (enum line_mode)picture__choice(c, API_PICTURE_LINE_MODE, modes);
    g->area_mode = (enum area_mode)picture__choice(c, API_PICTURE_AREA_MODE, areas);
    g->line_width =
        picture__number(c, API_PICTURE_LINE_WIDTH, picture__number(c, API_PICTURE_THICKNESS, 1.2));
    g->connected_limit = picture__number(c, API_PICTURE_CONNECTED_LIMIT, INFINITY);
    g->min_x_step = picture__number(c, API_PICTURE_MIN_X_STEP, 1);
    if (!(g->min_x_step > 0))
        picture__fail(c, ERR_INVALID, "minXStep: more than 0 is expected");
    if (!(g->line_width >= 0 && g->line_width < 1000))
        picture__fail(c, ERR_INVALID, "lineWidth: from 0 to 1000 is expected");
    g->null_is_zero = picture__flag(g->p, API_PICTURE_DRAW_NULL_AS_ZERO, false);
    g->graph_only = picture__flag(g->p, API_PICTURE_GRAPH_ONLY, false);
    g->right_side =
        picture__choice(c, API_PICTURE_Y_AXIS_SIDE, sides) == 1 && !g->two_axes && !g->graph_only;
    if (g->graph_only) {
        c->margin = 0;
        c->area = (struct picture__area){0, c->width, 0, c->height};
    }
}

static bool hides(const struct graph *g, enum api_picture_option o)
{
    return (g->graph_only && o != API_PICTURE_HIDE_X_AXIS && o != API_PICTURE_HIDE_Y_AXIS) ||
           picture__flag(g->p, o, false);
}

static void make_lines(struct graph *g, const struct graphite_list *list)
{
    g->lines = ARENA_ARRAY(g->p->arena, struct line, 2 * list->len + 1);
    if (!g->lines) {
        no_memory(g);
        return;
    }
    for (size_t i = 0; i < list->len; i++) {
        const struct graphite_series *s = list->items[i];
        const struct graphite_look *look = s->look;
        if (!s->count || s->end <= s->start)
            continue;
        struct line *l = &g->lines[g->count++];
        *l = (struct line){.s = s};
        if (look) {
            l->color = look->color;
            l->width = look->line_width;
            l->dashed = look->dashed;
            l->alpha = look->has_alpha ? look->alpha : 0;
            l->stacked = look->stacked;
            l->invisible = look->invisible;
            l->right = look->second_y;
            l->infinite = look->infinite;
        }
        g->two_axes |= l->right;
    }
}

static void look_of_axes(struct graph *g)
{
    struct picture__canvas *c = g->c;
    for (size_t i = 0; i < g->count; i++) {
        struct line *l = &g->lines[i];
        if (g->two_axes) {
            enum api_picture_option width =
                l->right ? API_PICTURE_RIGHT_WIDTH : API_PICTURE_LEFT_WIDTH;
            enum api_picture_option color =
                l->right ? API_PICTURE_RIGHT_COLOR : API_PICTURE_LEFT_COLOR;
            enum api_picture_option dash =
                l->right ? API_PICTURE_RIGHT_DASHED : API_PICTURE_LEFT_DASHED;
            l->width = picture__number(c, width, l->width);
            if (picture__has(g->p, color))
                l->color = g->p->options[color];
            if (picture__flag(g->p, dash, false))
                l->dashed = picture__number(c, dash, 5);
        }
        if (!l->color.ptr)
            l->color = picture__palette_next(&c->colors);
        if (g->mode == SLOPE && l->s->count == 1) /* a slope has two ends */
            g->mode = STAIRCASE;
    }
}

/* --- titles and legend --- */

static void vertical_title(struct graph *g, struct slice text, bool right)
{
    struct picture__canvas *c = g->c;
    double height = picture__font_extents(c).height, way = right ? -height : height;
    double x = right ? c->area.x_max - height : c->area.x_min + height;
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        picture__draw_text(c, line, x, c->height / 2, PICTURE__CENTER, PICTURE__BASELINE,
                           right ? 90 : 270);
        x += way;
    }
    if (right)
        c->area.x_max = x - c->margin - height;
    else
        c->area.x_min = x + c->margin + height;
}

static bool is_empty(const struct graphite_series *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!isnan(s->values[i]))
            return false;
    }
    return true;
}

static void draw_legend(struct graph *g)
{
    bool unique = picture__flag(g->p, API_PICTURE_UNIQUE_LEGEND, false);
    bool filled_only = picture__flag(g->p, API_PICTURE_HIDE_NULL_FROM_LEGEND, false);
    struct picture__legend_entry *entries =
        ARENA_ARRAY(g->p->arena, struct picture__legend_entry, g->count + 1);
    size_t n = 0;
    for (size_t i = 0; entries && i < g->count; i++) {
        const struct line *l = &g->lines[i];
        bool skip = !l->s->name.len || (filled_only && is_empty(l->s));
        for (size_t k = 0; unique && k < n && !skip; k++)
            skip = slice_eq(entries[k].name, l->s->name);
        if (!skip)
            entries[n++] = (struct picture__legend_entry){l->s->name, l->color, l->right};
    }
    if (!entries)
        no_memory(g);
    else if (n)
        picture__legend(g->c, entries, n, g->two_axes);
}

static void titles(struct graph *g)
{
    struct picture__canvas *c = g->c;
    picture__set_font(c, c->font_size + floor(log(c->font_size)));
    picture__set_color(c, c->foreground, 1, false);
    if (!g->graph_only && picture__has(g->p, API_PICTURE_TITLE))
        picture__title(c, g->p->options[API_PICTURE_TITLE]);
    if (!g->graph_only && picture__has(g->p, API_PICTURE_VTITLE))
        vertical_title(g, g->p->options[API_PICTURE_VTITLE], false);
    if (!g->graph_only && g->two_axes && picture__has(g->p, API_PICTURE_VTITLE_RIGHT))
        vertical_title(g, g->p->options[API_PICTURE_VTITLE_RIGHT], true);
    picture__set_font(c, c->font_size);
    if (!g->graph_only && !picture__flag(g->p, API_PICTURE_HIDE_LEGEND, g->count > LEGEND_MAX))
        draw_legend(g);
}

/* --- points that fit --- */

static void consolidate(struct graph *g)
{
    struct picture__canvas *c = g->c;
    double pixels = fmax(c->area.x_max - c->area.x_min - (g->line_width + 1), 1);
    g->graph_width = pixels;
    for (size_t i = 0; i < g->count && !c->err; i++) {
        struct line *l = &g->lines[i];
        double points = g->range / (double)l->s->step, step = pixels / points;
        l->per_point = 1;
        if (step < g->min_x_step) {
            double drawable = fmax(floor(pixels / g->min_x_step), 1);
            l->per_point = (size_t)ceil(points / drawable);
            step = pixels * (double)l->per_point / points;
        }
        l->x_step = step;
        if (!l->values)
            l->values = ARENA_ARRAY(g->p->arena, double, l->s->count);
        if (l->values)
            l->count = graphite_consolidated(l->s, l->per_point, l->values);
        else
            no_memory(g);
    }
}

/* --- the value axes --- */

static void limits_of(const struct graph *g, bool all, bool right, double *low, double *high)
{
    bool missing = false;
    size_t shortest = SIZE_MAX;
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < g->count; i++) {
        const struct line *l = &g->lines[i];
        if (!all && l->right != right)
            continue;
        for (size_t k = 0; k < l->count; k++) {
            missing |= isnan(l->values[k]);
            if (l->infinite || !isfinite(l->values[k]))
                continue;
            *low = fmin(*low, l->values[k]);
            *high = fmax(*high, l->values[k]);
        }
        if (!l->infinite)
            shortest = MIN(shortest, l->count);
    }
    if (*low > *high) {
        *low = 0;
        *high = 1;
        return;
    }
    for (size_t k = 0; g->area_mode == STACKED_AREAS && shortest != SIZE_MAX && k < shortest; k++) {
        double sum = 0;
        for (size_t i = 0; i < g->count; i++) {
            const struct line *l = &g->lines[i];
            if ((all || l->right == right) && !l->infinite && isfinite(l->values[k]))
                sum += l->values[k];
        }
        *high = k ? fmax(*high, sum) : sum;
    }
    if (g->null_is_zero && missing) {
        *low = fmin(*low, 0);
        *high = fmax(*high, 0);
    }
}

static void set_axes(struct graph *g)
{
    static const struct picture__axis_options
        only = {API_PICTURE_Y_MIN, API_PICTURE_Y_MAX, API_PICTURE_Y_LIMIT, API_PICTURE_Y_STEP},
        old_min = {API_PICTURE_MIN, API_PICTURE_Y_MAX, API_PICTURE_Y_LIMIT, API_PICTURE_Y_STEP},
        old_max = {API_PICTURE_Y_MIN, API_PICTURE_MAX, API_PICTURE_Y_LIMIT, API_PICTURE_Y_STEP},
        old = {API_PICTURE_MIN, API_PICTURE_MAX, API_PICTURE_Y_LIMIT, API_PICTURE_Y_STEP},
        left = {API_PICTURE_Y_MIN_LEFT, API_PICTURE_Y_MAX_LEFT, API_PICTURE_Y_LIMIT_LEFT,
                API_PICTURE_Y_STEP_LEFT},
        right = {API_PICTURE_Y_MIN_RIGHT, API_PICTURE_Y_MAX_RIGHT, API_PICTURE_Y_LIMIT_RIGHT,
                 API_PICTURE_Y_STEP_RIGHT};
    struct picture__canvas *c = g->c;
    double low, high;
    if (g->two_axes) {
        limits_of(g, false, false, &low, &high);
        picture__axis_set(c, &g->left, low, high, &left);
        limits_of(g, false, true, &low, &high);
        picture__axis_set(c, &g->right, low, high, &right);
        c->area.x_min = fmax(c->area.x_min, c->margin + g->left.width * 1.02);
        c->area.x_max = fmin(c->area.x_max, c->width - g->right.width * 1.02);
        return;
    }
    bool new_min = picture__has(g->p, API_PICTURE_Y_MIN),
         new_max = picture__has(g->p, API_PICTURE_Y_MAX);
    limits_of(g, true, false, &low, &high);
    picture__axis_set(c, &g->left, low, high,
                      new_min && new_max ? &only
                      : new_min          ? &old_max
                      : new_max          ? &old_min
                                         : &old);
    if (hides(g, API_PICTURE_HIDE_AXES)) {
        g->left.label_count = 0;
        g->left.width = 0;
    } else if (!hides(g, API_PICTURE_HIDE_Y_AXIS)) {
        if (g->right_side)
            c->area.x_max = fmin(c->area.x_max, c->width - g->left.width * 1.02);
        else
            c->area.x_min = fmax(c->area.x_min, c->margin + g->left.width * 1.02);
    }
}

static const struct picture__axis *axis_of(const struct graph *g, const struct line *l)
{
    return g->two_axes && l->right ? &g->right : &g->left;
}

/* --- labels and grid --- */

static void value_labels(struct graph *g, const struct picture__axis *a, bool right)
{
    struct picture__canvas *c = g->c;
    double x = right ? c->area.x_max + a->width * .02 + (g->two_axes ? 3 : 0)
                     : c->area.x_min - a->width * .02;
    double y;
    for (size_t i = 0; i < a->label_count; i++) {
        if (picture__axis_place(c, a, a->values[i], &y))
            picture__draw_text(c, a->labels[i], x, fmax(y, 0),
                               right ? PICTURE__LEFT : PICTURE__RIGHT, PICTURE__MIDDLE, 0);
    }
}

static double x_of(const struct graph *g, double t)
{
    return g->c->area.x_min + (t - g->start) * g->graph_width / g->range;
}

static void labels(struct graph *g, const struct picture__time_unit *u)
{
    struct picture__canvas *c = g->c;
    char text[200];
    if (!hides(g, API_PICTURE_HIDE_Y_AXIS)) {
        value_labels(g, &g->left, g->right_side);
        if (g->two_axes)
            value_labels(g, &g->right, true);
    }
    if (hides(g, API_PICTURE_HIDE_X_AXIS))
        return;
    struct slice format = picture__text(g->p, API_PICTURE_X_FORMAT, u->format);
    double y = c->area.y_max + picture__font_extents(c).ascent;
    for (double t = picture__time_first(g->p->zone, g->start, u->label_s); t < g->end;
         t = picture__time_next(g->p->zone, t, u->label_s)) {
        picture__time_label(g->p->zone, t, format, text, sizeof(text));
        picture__draw_text(c, slice_cstr(text), x_of(g, t), y, PICTURE__CENTER, PICTURE__TOP, 0);
    }
}

static void across(struct graph *g, double value)
{
    double y;
    if (picture__axis_place(g->c, &g->left, value, &y) && y >= 0)
        picture__line(g->c, g->c->area.x_min, y, g->c->area.x_max, y);
}

static void down(struct graph *g, double step)
{
    for (double t = picture__time_first(g->p->zone, g->start, step); t < g->end;
         t = picture__time_next(g->p->zone, t, step)) {
        double x = x_of(g, t);
        if (x < g->c->area.x_max)
            picture__line(g->c, x, g->c->area.y_max, x, g->c->area.y_min);
    }
}

static void grid(struct graph *g, const struct picture__time_unit *u)
{
    struct picture__canvas *c = g->c;
    struct slice major = picture__text(g->p, API_PICTURE_MAJOR_COLOR, c->look->major);
    struct slice minor = picture__text(g->p, API_PICTURE_MINOR_COLOR, c->look->minor);
    int between = (int)CLAMP(picture__number(c, API_PICTURE_MINOR_Y, 1), 0, 100);
    const struct picture__axis *a = &g->left;
    cairo_set_dash(c->cr, NULL, 0, 0);
    for (size_t i = 0; i < a->label_count; i++) {
        cairo_set_line_width(c->cr, .4);
        picture__set_color(c, major, 1, false);
        across(g, a->values[i]);
        cairo_set_line_width(c->cr, .3);
        picture__set_color(c, minor, 1, false);
        for (int k = 1; k <= between && i + 1 < a->label_count; k++)
            across(g, a->values[i] + (a->values[i + 1] - a->values[i]) * k / (between + 1));
    }
    cairo_set_line_width(c->cr, .25);
    picture__set_color(c, minor, 1, false);
    down(g, u->minor_s);
    cairo_set_line_width(c->cr, .33);
    picture__set_color(c, major, 1, false);
    down(g, u->major_s);
    cairo_set_line_width(c->cr, .5);
    picture__line(c, c->area.x_max, c->area.y_max, c->area.x_max, c->area.y_min);
    picture__line(c, c->area.x_min, c->area.y_max, c->area.x_min, c->area.y_min);
}

/* --- the lines --- */

/* Fills what lies between the path so far and the axis; what is drawn later over it is kept out. */
static void fill_and_clip(struct graph *g, double x, double from_x, double zero)
{
    cairo_t *cr = g->c->cr;
    const struct picture__area *a = &g->c->area;
    cairo_path_t *path = cairo_copy_path(cr);
    cairo_line_to(cr, x, zero);
    cairo_line_to(cr, from_x, zero);
    cairo_close_path(cr);
    cairo_fill(cr);
    const double way[][2] = {{x, zero},
                             {a->x_max, zero},
                             {a->x_max, a->y_min},
                             {a->x_min, a->y_min},
                             {a->x_min, zero},
                             {from_x, zero},
                             {x, zero},
                             {a->x_max, zero},
                             {a->x_max, a->y_max},
                             {a->x_min, a->y_max},
                             {a->x_min, zero},
                             {from_x, zero}};
    cairo_append_path(cr, path);
    for (size_t i = 0; i < ARRAY_LEN(way); i++)
        cairo_line_to(cr, way[i][0], way[i][1]);
    cairo_close_path(cr);
    cairo_clip(cr);
    cairo_path_destroy(path);
}

static void draw_line(struct graph *g, const struct line *l)
{
    struct picture__canvas *c = g->c;
    cairo_t *cr = c->cr;
    const struct picture__axis *axis = axis_of(g, l);
    double missing = ((double)l->s->start - g->start) / (double)l->s->step;
    double x = c->area.x_min + l->x_step * (missing / (double)l->per_point) + g->line_width / 2;
    double y = c->area.y_min, from_x = x, zero;
    size_t nones = 0;
    if (!picture__axis_place(c, axis, 0, &zero))
        zero = c->area.y_max;
    picture__set_color(c, l->color, l->invisible ? 0 : l->alpha > 0 ? l->alpha : 1, l->invisible);
    cairo_new_path(cr);
    for (size_t i = 0; i < l->count; i++) {
        double v = isnan(l->values[i]) && g->null_is_zero ? 0 : l->values[i];
        bool there = !isnan(v);
        if (there && !picture__axis_place(c, axis, v, &y))
            there = false;
        if (!there) {
            if (!nones++) {
                cairo_line_to(cr, x, y);
                if (l->stacked)
                    fill_and_clip(g, x, from_x, zero);
            }
            x += l->x_step;
            continue;
        }
        y = CLAMP(y, 0, 1e6);
        if (l->infinite && v > 0) {
            picture__line(c, x, c->area.y_max, x, c->area.y_min);
            x += l->x_step;
            continue;
        }
        if (nones)
            from_x = x;
        if (g->mode == CONNECTED ? (double)nones > g->connected_limit || nones == i : nones > 0)
            cairo_move_to(cr, x, y);
        cairo_line_to(cr, x, y);
        x += l->x_step;
        if (g->mode == STAIRCASE)
            cairo_line_to(cr, x, y);
        nones = 0;
    }
    if (l->stacked)
        fill_and_clip(g, g->mode == STAIRCASE ? x : x - l->x_step, from_x, zero);
    else
        cairo_stroke(cr);
}

/* Each upon those before it, where there is a value. */
static void stack(struct graph *g)
{
    size_t most = 0;
    for (size_t i = 0; i < g->count; i++)
        most = MAX(most, g->lines[i].count);
    double *total = ARENA_ARRAY(g->p->arena, double, most + 1);
    if (!total) {
        no_memory(g);
        return;
    }
    for (size_t i = 0; i < g->count; i++) {
        struct line *l = &g->lines[i];
        for (size_t k = 0; !l->infinite && k < l->count; k++) {
            if (!isnan(l->values[k]))
                l->values[k] = total[k] += l->values[k];
        }
        l->stacked |= !l->infinite;
    }
}

static void draw_lines(struct graph *g)
{
    struct picture__canvas *c = g->c;
    cairo_t *cr = c->cr;
    if (g->area_mode == STACKED_AREAS && !g->two_axes)
        stack(g);
    for (size_t i = 0; i < g->count; i++)
        g->lines[i].stacked |= (g->area_mode == FIRST_AREA && i == 0) ||
                               (g->area_mode == ALL_AREAS && !g->lines[i].infinite);
    if (picture__has(g->p, API_PICTURE_AREA_ALPHA)) {
        double alpha = picture__number(c, API_PICTURE_AREA_ALPHA, .5);
        size_t own = g->count;
        for (size_t i = 0; i < own; i++) {
            if (!g->lines[i].stacked)
                continue;
            struct line edge = {.s = g->lines[i].s,
                                .values = g->lines[i].values,
                                .count = g->lines[i].count,
                                .per_point = g->lines[i].per_point,
                                .x_step = g->lines[i].x_step,
                                .color = g->lines[i].color,
                                .right = g->lines[i].right};
            g->lines[i].alpha = alpha;
            g->lines[g->count++] = edge;
        }
    }
    if (c->err)
        return;
    cairo_rectangle(cr, c->area.x_min, c->area.y_min, c->area.x_max - c->area.x_min,
                    c->area.y_max - c->area.y_min);
    cairo_clip(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_MITER);
    /* Areas first, each clipped by those before it; lines over them. */
    for (int pass = 0; pass < 2; pass++) {
        cairo_save(cr);
        for (size_t i = 0; i < g->count; i++) {
            const struct line *l = &g->lines[i];
            if (l->stacked != (pass == 0))
                continue;
            cairo_set_line_width(cr, l->width > 0 ? l->width : g->line_width);
            cairo_set_dash(cr, &l->dashed, l->dashed > 0 ? 1 : 0, 1);
            draw_line(g, l);
        }
        cairo_restore(cr);
    }
}

/* --- all of it --- */

static void draw(struct graph *g, const struct graphite_list *list)
{
    struct picture__canvas *c = g->c;
    make_lines(g, list);
    read_options(g);
    if (c->err)
        return;
    if (!g->count) {
        picture__no_data(c);
        return;
    }
    look_of_axes(g);
    titles(g);
    if (!hides(g, API_PICTURE_HIDE_AXES) && !hides(g, API_PICTURE_HIDE_X_AXIS))
        c->area.y_max -= picture__font_extents(c).ascent * 2;
    g->start = INFINITY;
    g->end = -INFINITY;
    for (size_t i = 0; i < g->count; i++) {
        const struct graphite_series *s = g->lines[i].s;
        g->start = fmin(g->start, (double)s->start);
        g->end = fmax(g->end, (double)(g->mode == STAIRCASE ? s->end : s->end - s->step));
    }
    g->range = g->end - g->start;
    if (!(g->range > 0)) {
        picture__no_data(c);
        return;
    }
    /* The labels' width decides how many points fit, and these what the labels say. */
    for (int i = 0; i < 10 && !c->err; i++) {
        struct picture__area before = c->area;
        consolidate(g);
        if (!c->err)
            set_axes(g);
        if (i && before.x_min == c->area.x_min && before.x_max == c->area.x_max)
            break;
    }
    if (c->err)
        return;
    const struct picture__time_unit *u = picture__time_unit_find(g->range, g->graph_width);
    if (!hides(g, API_PICTURE_HIDE_AXES)) {
        labels(g, u);
        if (!hides(g, API_PICTURE_HIDE_GRID))
            grid(g, u);
    }
    draw_lines(g);
}

int api_picture_line(const struct api_picture *p, const struct graphite_list *list, struct buf *out,
                     struct diag *diag)
{
    struct picture__canvas c;
    struct graph g = {.c = &c, .p = p};
    if (!picture__canvas_open(&c, p, out, diag))
        draw(&g, list);
    return picture__canvas_close(&c);
}
