/* What the files of the pictures share. */
#ifndef API_PICTURE_PICTURE_PRIV_H
#define API_PICTURE_PICTURE_PRIV_H

#include <cairo.h>

#include "api/picture/picture.h"

struct picture__color {
    double r, g, b, a;
};

/* A named set of colors. */
struct picture__template {
    const char *name, *background, *foreground, *major, *minor, *lines;
};
const struct picture__template *picture__template_find(struct slice name); /* or the default */

/* The next color of a list. */
struct picture__palette {
    struct slice list, rest;
};
struct slice picture__palette_next(struct picture__palette *p);

enum picture__align { PICTURE__LEFT, PICTURE__CENTER, PICTURE__RIGHT };
enum picture__valign { PICTURE__TOP, PICTURE__MIDDLE, PICTURE__BOTTOM, PICTURE__BASELINE };

struct picture__font {
    double ascent, descent, height; /* of a line */
};

struct picture__area {
    double x_min, x_max, y_min, y_max;
};

/* The sheet, and what is left of it for the graph. */
struct picture__canvas {
    const struct api_picture *p;
    const struct picture__template *look;
    cairo_surface_t *surface;
    cairo_t *cr;
    struct buf *out;
    double width, height, margin, font_size;
    struct picture__area area;
    struct picture__palette colors;
    struct slice foreground;
    int64_t charged;
    struct diag *diag;
    int err; /* sticky */
};

int picture__fail(struct picture__canvas *c, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- options --- */
bool picture__has(const struct api_picture *p, enum api_picture_option o);
/* Not "0", "false" or "default". */
bool picture__flag(const struct api_picture *p, enum api_picture_option o, bool preset);
/* A text that is no number fails the picture. */
double picture__number(struct picture__canvas *c, enum api_picture_option o, double preset);
struct slice picture__text(const struct api_picture *p, enum api_picture_option o,
                           const char *preset);
/* One of `words`, by its place; others fail the picture. NULL-terminated. */
int picture__choice(struct picture__canvas *c, enum api_picture_option o, const char *const *words);

/* --- the canvas --- */
int picture__canvas_open(struct picture__canvas *c, const struct api_picture *p, struct buf *out,
                         struct diag *diag);
/* Writes the picture and frees everything; the canvas' error. */
int picture__canvas_close(struct picture__canvas *c);

bool picture__color_parse(struct slice text, struct picture__color *out);
/* `alpha` counts unless the color has its own (and force is not set). */
void picture__set_color(struct picture__canvas *c, struct slice color, double alpha, bool force);
void picture__set_font(struct picture__canvas *c, double size);
struct picture__font picture__font_extents(struct picture__canvas *c);
double picture__text_width(struct picture__canvas *c, struct slice text);
/* A box filled, or its border. */
void picture__box(struct picture__canvas *c, double x, double y, double w, double h, bool fill);
void picture__line(struct picture__canvas *c, double x1, double y1, double x2, double y2);
void picture__draw_text(struct picture__canvas *c, struct slice text, double x, double y,
                        enum picture__align align, enum picture__valign valign, double degrees);
void picture__no_data(struct picture__canvas *c);
/* Takes its room at the top. */
void picture__title(struct picture__canvas *c, struct slice text);

struct picture__legend_entry {
    struct slice name, color;
    bool right;
};
/* Takes its room at the bottom. `two_axes`: those of the right axis stand at the right. */
void picture__legend(struct picture__canvas *c, const struct picture__legend_entry *entries,
                     size_t count, bool two_axes);

/* --- axes --- */
enum picture__units {
    PICTURE__SI,
    PICTURE__BINARY,
    PICTURE__SEC,
    PICTURE__MSEC,
    PICTURE__NO_UNITS
};

struct picture__axis_options {
    enum api_picture_option min, max, limit, step;
};
#define PICTURE__LABELS_MAX 1100

struct picture__axis {
    double low, high; /* of the data; then of the labels */
    double step;      /* 0: a logarithmic axis */
    double bottom, top, span;
    double log_base; /* 0: linear */
    enum picture__units units;
    size_t label_count;
    double *values;       /* of the labels, ascending */
    struct slice *labels; /* in the picture's arena */
    double width;         /* of the widest label */
};
/* From the range of the data. */
void picture__axis_set(struct picture__canvas *c, struct picture__axis *a, double low, double high,
                       const struct picture__axis_options *o);
/* False: a logarithmic axis has no such place. */
bool picture__axis_place(const struct picture__canvas *c, const struct picture__axis *a,
                         double value, double *out_y);

/* The labels and lines of the time axis for `range_s` seconds on `pixels`. */
struct picture__time_unit {
    double seconds_per_pixel;
    double minor_s, major_s, label_s; /* distances */
    const char *format;               /* of strftime */
    double range_max_s;               /* 0 = any */
};
const struct picture__time_unit *picture__time_unit_find(double range_s, double pixels);
/* Local times that are multiples of `step_s` (of midnight when it is days) from `from_s` on: the
 * first, and the next after `t`. */
double picture__time_first(const struct text_zone *z, double from_s, double step_s);
double picture__time_next(const struct text_zone *z, double t, double step_s);
void picture__time_label(const struct text_zone *z, double t, struct slice format, char *out,
                         size_t out_size);

#endif
