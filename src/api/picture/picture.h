/* Pictures of Graphite's series: line graphs and pies as PNG, SVG and PDF, laid out as graphite-web
 * does it. Options are its parameters (title, areaMode, yMin, ...). Any thread. */
#ifndef API_PICTURE_PICTURE_H
#define API_PICTURE_PICTURE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "lang/graphite/graphite.h"

/* Name of the parameter, and the letter of the enum. */
#define API_PICTURE_OPTIONS(X)                                                                     \
    X(WIDTH, "width")                                                                              \
    X(HEIGHT, "height")                                                                            \
    X(MARGIN, "margin")                                                                            \
    X(TEMPLATE, "template")                                                                        \
    X(BGCOLOR, "bgcolor")                                                                          \
    X(FGCOLOR, "fgcolor")                                                                          \
    X(COLOR_LIST, "colorList")                                                                     \
    X(FONT_NAME, "fontName")                                                                       \
    X(FONT_SIZE, "fontSize")                                                                       \
    X(FONT_BOLD, "fontBold")                                                                       \
    X(FONT_ITALIC, "fontItalic")                                                                   \
    X(TITLE, "title")                                                                              \
    X(VTITLE, "vtitle")                                                                            \
    X(VTITLE_RIGHT, "vtitleRight")                                                                 \
    X(LINE_MODE, "lineMode")                                                                       \
    X(LINE_WIDTH, "lineWidth")                                                                     \
    X(THICKNESS, "thickness")                                                                      \
    X(CONNECTED_LIMIT, "connectedLimit")                                                           \
    X(AREA_MODE, "areaMode")                                                                       \
    X(AREA_ALPHA, "areaAlpha")                                                                     \
    X(DRAW_NULL_AS_ZERO, "drawNullAsZero")                                                         \
    X(GRAPH_ONLY, "graphOnly")                                                                     \
    X(HIDE_LEGEND, "hideLegend")                                                                   \
    X(HIDE_NULL_FROM_LEGEND, "hideNullFromLegend")                                                 \
    X(UNIQUE_LEGEND, "uniqueLegend")                                                               \
    X(HIDE_AXES, "hideAxes")                                                                       \
    X(HIDE_X_AXIS, "hideXAxis")                                                                    \
    X(HIDE_Y_AXIS, "hideYAxis")                                                                    \
    X(HIDE_GRID, "hideGrid")                                                                       \
    X(MAJOR_COLOR, "majorGridLineColor")                                                           \
    X(MINOR_COLOR, "minorGridLineColor")                                                           \
    X(MIN_X_STEP, "minXStep")                                                                      \
    X(X_FORMAT, "xFormat")                                                                         \
    X(MINOR_Y, "minorY")                                                                           \
    X(MIN, "min")                                                                                  \
    X(MAX, "max")                                                                                  \
    X(Y_MIN, "yMin")                                                                               \
    X(Y_MAX, "yMax")                                                                               \
    X(Y_LIMIT, "yLimit")                                                                           \
    X(Y_STEP, "yStep")                                                                             \
    X(Y_MIN_LEFT, "yMinLeft")                                                                      \
    X(Y_MAX_LEFT, "yMaxLeft")                                                                      \
    X(Y_LIMIT_LEFT, "yLimitLeft")                                                                  \
    X(Y_STEP_LEFT, "yStepLeft")                                                                    \
    X(Y_MIN_RIGHT, "yMinRight")                                                                    \
    X(Y_MAX_RIGHT, "yMaxRight")                                                                    \
    X(Y_LIMIT_RIGHT, "yLimitRight")                                                                \
    X(Y_STEP_RIGHT, "yStepRight")                                                                  \
    X(Y_DIVISORS, "yDivisors")                                                                     \
    X(Y_UNIT_SYSTEM, "yUnitSystem")                                                                \
    X(Y_AXIS_SIDE, "yAxisSide")                                                                    \
    X(LOG_BASE, "logBase")                                                                         \
    X(LEFT_WIDTH, "leftWidth")                                                                     \
    X(LEFT_COLOR, "leftColor")                                                                     \
    X(LEFT_DASHED, "leftDashed")                                                                   \
    X(RIGHT_WIDTH, "rightWidth")                                                                   \
    X(RIGHT_COLOR, "rightColor")                                                                   \
    X(RIGHT_DASHED, "rightDashed")                                                                 \
    X(PIE_LABELS, "pieLabels")                                                                     \
    X(VALUE_LABELS, "valueLabels")                                                                 \
    X(VALUE_LABELS_MIN, "valueLabelsMin")                                                          \
    X(VALUE_LABELS_COLOR, "valueLabelsColor")

#define API_PICTURE_OPTION_ID_(id, name) API_PICTURE_##id,
enum api_picture_option { API_PICTURE_OPTIONS(API_PICTURE_OPTION_ID_) API_PICTURE_OPTION_COUNT };
extern const char *const api_picture_option_names[API_PICTURE_OPTION_COUNT];

enum api_picture_format { API_PICTURE_PNG, API_PICTURE_SVG, API_PICTURE_PDF };

struct api_picture_slice {
    struct slice name;
    double value;
};

struct api_picture {
    enum api_picture_format format;
    struct slice options[API_PICTURE_OPTION_COUNT]; /* ptr NULL = not given */
    const struct text_zone *zone;                   /* of the times at the bottom; NULL = UTC */
    struct arena *arena;                            /* for what is drawn from; may run out */
    struct budget *memory;                          /* of the pixels; may be NULL */
};

/* ERR_INVALID: an option or a color is no good, ERR_LIMIT: too large, ERR_NOMEM. */
int api_picture_line(const struct api_picture *p, const struct graphite_list *list, struct buf *out,
                     struct diag *diag);
int api_picture_pie(const struct api_picture *p, const struct api_picture_slice *slices,
                    size_t count, struct buf *out, struct diag *diag);

#endif
