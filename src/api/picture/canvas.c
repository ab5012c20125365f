/* The sheet a picture is drawn on: colors, text, boxes, and the file that it becomes. */
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/picture/picture_priv.h"
#include "base/mem.h"

#define PIXELS_MAX 25e6 /* a hundred MB */
#define TEXT_MAX   2000 /* characters drawn of a name */

int picture__fail(struct picture__canvas *c, int err, const char *fmt, ...)
{
    char text[300];
    va_list ap;
    if (c->err)
        return c->err;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return c->err = diag_set(c->diag, err, "%s", text);
}

static cairo_status_t to_buf(void *ctx, const unsigned char *bytes, unsigned int len)
{
    buf_append(ctx, bytes, len);
    return CAIRO_STATUS_SUCCESS;
}

int picture__canvas_open(struct picture__canvas *c, const struct api_picture *p, struct buf *out,
                         struct diag *diag)
{
    memset(c, 0, sizeof(*c));
    c->p = p;
    c->out = out;
    c->diag = diag;
    c->look = picture__template_find(picture__text(p, API_PICTURE_TEMPLATE, "default"));
    c->width = floor(picture__number(c, API_PICTURE_WIDTH, 330));
    c->height = floor(picture__number(c, API_PICTURE_HEIGHT, 250));
    c->margin = floor(picture__number(c, API_PICTURE_MARGIN, 10));
    c->font_size = floor(picture__number(c, API_PICTURE_FONT_SIZE, 10));
    if (c->err)
        return c->err;
    if (!(c->width >= 1 && c->height >= 1 && c->width <= 32000 && c->height <= 32000 &&
          c->width * c->height <= PIXELS_MAX))
        return picture__fail(c, ERR_INVALID,
                             "width and height: from 1 to 32000, and no more than 25 million "
                             "pixels");
    if (!(c->font_size >= 1 && c->font_size <= 500))
        return picture__fail(c, ERR_INVALID, "fontSize: from 1 to 500");
    if (!(c->margin >= 0 && c->margin < 32000))
        c->margin = 10;
    c->charged =
        p->memory && p->format == API_PICTURE_PNG ? (int64_t)(c->width * c->height * 4) : 0;
    if (c->charged && !budget_take(p->memory, c->charged)) {
        c->charged = 0;
        return picture__fail(c, ERR_NOMEM, "the picture takes more than limits.query.memory");
    }
    /* A PDF's unit is a point: three quarters of a pixel. */
    c->surface =
        p->format == API_PICTURE_PNG
            ? cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)c->width, (int)c->height)
        : p->format == API_PICTURE_SVG
            ? cairo_svg_surface_create_for_stream(to_buf, out, c->width, c->height)
            : cairo_pdf_surface_create_for_stream(to_buf, out, c->width * .75, c->height * .75);
    if (p->format == API_PICTURE_SVG)
        cairo_svg_surface_set_document_unit(c->surface, CAIRO_SVG_UNIT_PX);
    c->cr = cairo_create(c->surface);
    if (p->format == API_PICTURE_PDF)
        cairo_scale(c->cr, .75, .75);
    /* As graphite-web has it: letters take whole pixels, so that labels are as wide as there. */
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_NONE);
    cairo_set_font_options(c->cr, font);
    cairo_font_options_destroy(font);
    c->area = (struct picture__area){c->margin + 10, c->width - c->margin, c->margin,
                                     c->height - c->margin};
    c->foreground = picture__text(p, API_PICTURE_FGCOLOR, c->look->foreground);
    c->colors.list = picture__text(p, API_PICTURE_COLOR_LIST, c->look->lines);
    picture__set_color(c, picture__text(p, API_PICTURE_BGCOLOR, c->look->background), 1, false);
    picture__box(c, 0, 0, c->width, c->height, true);
    picture__set_font(c, c->font_size);
    return c->err;
}

int picture__canvas_close(struct picture__canvas *c)
{
    if (c->cr) {
        if (!c->err && c->p->format == API_PICTURE_PNG)
            cairo_surface_write_to_png_stream(c->surface, to_buf, c->out);
        cairo_surface_finish(c->surface);
        cairo_status_t status = cairo_status(c->cr);
        if (!status)
            status = cairo_surface_status(c->surface);
        if (status && status != CAIRO_STATUS_SURFACE_FINISHED)
            picture__fail(c, status == CAIRO_STATUS_NO_MEMORY ? ERR_NOMEM : ERR_IO,
                          "the picture could not be drawn: %s", cairo_status_to_string(status));
        cairo_destroy(c->cr);
        cairo_surface_destroy(c->surface);
    }
    if (c->charged)
        budget_give(c->p->memory, c->charged);
    if (c->err)
        buf_clear(c->out);
    return c->err;
}

/* --- colors --- */

static int hex(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

bool picture__color_parse(struct slice text, struct picture__color *out)
{
    static const struct {
        const char *name;
        unsigned char r, g, b;
    } names[] = {
        {"black", 0, 0, 0},          {"white", 255, 255, 255},  {"blue", 100, 100, 255},
        {"green", 0, 200, 0},        {"red", 200, 0, 50},       {"yellow", 255, 255, 0},
        {"orange", 255, 165, 0},     {"purple", 200, 100, 255}, {"brown", 150, 100, 50},
        {"cyan", 0, 255, 255},       {"aqua", 0, 150, 150},     {"gray", 175, 175, 175},
        {"grey", 175, 175, 175},     {"magenta", 255, 0, 255},  {"pink", 255, 100, 100},
        {"gold", 200, 200, 0},       {"rose", 200, 150, 200},   {"darkblue", 0, 0, 255},
        {"darkgreen", 0, 255, 0},    {"darkred", 255, 0, 0},    {"darkgray", 111, 111, 111},
        {"darkgrey", 111, 111, 111},
    };
    double rgba[4] = {0, 0, 0, -1};
    text = slice_trim(text);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_eq_nocase(text, slice_cstr(names[i].name))) {
            *out = (struct picture__color){names[i].r / 255., names[i].g / 255., names[i].b / 255.,
                                           -1};
            return true;
        }
    }
    if (slice_starts_with(text, SLICE("#")))
        text = slice_from(text, 1);
    else if (slice_starts_with(text, SLICE("%23")))
        text = slice_from(text, 3);
    if (text.len != 6 && text.len != 8)
        return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int hi = hex(text.ptr[i]), lo = hex(text.ptr[i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        rgba[i / 2] = (hi * 16 + lo) / 255.;
    }
    *out = (struct picture__color){rgba[0], rgba[1], rgba[2], rgba[3]};
    return true;
}

void picture__set_color(struct picture__canvas *c, struct slice color, double alpha, bool force)
{
    struct picture__color k;
    if (!picture__color_parse(color, &k)) {
        picture__fail(c, ERR_INVALID,
                      "%.*s is no color: names like red, or hexadecimal digits like 3366ff and "
                      "3366ff80 are expected",
                      SLICE_FMT(slice_first(color, 40)));
        return;
    }
    cairo_set_source_rgba(c->cr, k.r, k.g, k.b, k.a >= 0 && !force ? k.a : alpha);
}

/* --- text --- */

void picture__set_font(struct picture__canvas *c, double size)
{
    char name[100];
    snprintf(name, sizeof(name), "%.*s",
             SLICE_FMT(picture__text(c->p, API_PICTURE_FONT_NAME, "Sans")));
    bool bold = picture__flag(c->p, API_PICTURE_FONT_BOLD, false);
    bool italic = picture__flag(c->p, API_PICTURE_FONT_ITALIC, false);
    cairo_select_font_face(c->cr, name, italic ? CAIRO_FONT_SLANT_ITALIC : CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cr, size);
}

struct picture__font picture__font_extents(struct picture__canvas *c)
{
    cairo_font_extents_t f;
    cairo_font_extents(c->cr, &f);
    return (struct picture__font){f.ascent, f.descent, f.height};
}

/* cairo wants NUL-terminated UTF-8; anything else is shown as question marks. */
static const char *drawable(struct slice text, char *out, size_t out_size)
{
    size_t n = 0;
    for (size_t i = 0; i < text.len && n + 5 < out_size;) {
        unsigned char lead = (unsigned char)text.ptr[i];
        size_t len = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        bool good =
            (lead < 0x80 ? lead >= 0x20 : lead >= 0xc2 && lead < 0xf5) && i + len <= text.len;
        for (size_t k = 1; good && k < len; k++)
            good = ((unsigned char)text.ptr[i + k] & 0xc0) == 0x80;
        /* too long forms and surrogates */
        unsigned char second = len > 2 && good ? (unsigned char)text.ptr[i + 1] : 0x90;
        if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
            (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f))
            good = false;
        if (good)
            memcpy(out + n, text.ptr + i, len);
        else
            out[n] = '?', len = 1;
        n += len;
        i += len;
    }
    out[n] = 0;
    return out;
}

double picture__text_width(struct picture__canvas *c, struct slice text)
{
    char copy[TEXT_MAX];
    cairo_text_extents_t t;
    cairo_text_extents(c->cr, drawable(text, copy, sizeof(copy)), &t);
    return t.x_advance;
}

void picture__draw_text(struct picture__canvas *c, struct slice text, double x, double y,
                        enum picture__align align, enum picture__valign valign, double degrees)
{
    char copy[TEXT_MAX];
    struct picture__font f = picture__font_extents(c);
    double width = picture__text_width(c, text), angle = degrees * M_PI / 180;
    double left = align == PICTURE__RIGHT ? width : align == PICTURE__CENTER ? width / 2 : 0;
    double down = valign == PICTURE__TOP      ? f.ascent
                  : valign == PICTURE__MIDDLE ? f.height / 2 - f.descent
                  : valign == PICTURE__BOTTOM ? -f.descent
                                              : 0;
    cairo_save(c->cr);
    cairo_move_to(c->cr, x - sin(angle) * down, y + cos(angle) * down);
    cairo_rotate(c->cr, angle);
    cairo_rel_move_to(c->cr, -left, 0);
    if (c->p->format == API_PICTURE_PNG) {
        cairo_text_path(c->cr, drawable(text, copy, sizeof(copy)));
        cairo_fill(c->cr);
    } else {
        cairo_show_text(c->cr, drawable(text, copy, sizeof(copy)));
        cairo_new_path(c->cr);
    }
    cairo_restore(c->cr);
}

void picture__no_data(struct picture__canvas *c)
{
    picture__set_color(c, SLICE("red"), 1, false);
    picture__set_font(c, log(c->width * c->height));
    picture__draw_text(c, SLICE("No Data"), c->width / 2, c->height / 2, PICTURE__CENTER,
                       PICTURE__TOP, 0);
}

void picture__title(struct picture__canvas *c, struct slice text)
{
    double height = picture__font_extents(c).height;
    bool right = slice_eq(picture__text(c->p, API_PICTURE_Y_AXIS_SIDE, "left"), SLICE("right"));
    struct slice line;
    while (slice_split(&text, '\n', &line)) {
        picture__draw_text(c, line, c->width / 2, c->area.y_min, PICTURE__CENTER, PICTURE__TOP, 0);
        c->area.y_min += height;
    }
    if (!right)
        c->area.y_min += c->margin;
}

/* --- shapes --- */

void picture__box(struct picture__canvas *c, double x, double y, double w, double h, bool fill)
{
    if (fill) {
        cairo_rectangle(c->cr, x, y, w, h);
        cairo_fill(c->cr);
        return;
    }
    double o = cairo_get_line_width(c->cr) / 2;
    cairo_rectangle(c->cr, x + o, y + o, w - o, h - o);
    cairo_set_dash(c->cr, NULL, 0, 0);
    cairo_stroke(c->cr);
}

void picture__line(struct picture__canvas *c, double x1, double y1, double x2, double y2)
{
    cairo_move_to(c->cr, x1, y1);
    cairo_line_to(c->cr, x2, y2);
    cairo_stroke(c->cr);
}

/* --- the legend --- */

static void entry(struct picture__canvas *c, const struct picture__legend_entry *e, double box_x,
                  double y, double box, double text_x, enum picture__align align)
{
    picture__set_color(c, e->color, 1, false);
    picture__box(c, box_x, y, box, box, true);
    picture__set_color(c, SLICE("darkgrey"), 1, false);
    picture__box(c, box_x, y, box, box, false);
    picture__set_color(c, c->foreground, 1, false);
    picture__draw_text(c, e->name, text_x, y, align, PICTURE__TOP, 0);
}

void picture__legend(struct picture__canvas *c, const struct picture__legend_entry *entries,
                     size_t count, bool two_axes)
{
    const double padding = 5;
    struct picture__font f = picture__font_extents(c);
    double box = f.height - 1, line = f.height + 1, widest = 0;
    size_t longest = 0, right = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].name.len >= entries[longest].name.len) /* the last of equal ones */
            longest = i;
        right += entries[i].right;
    }
    widest = picture__text_width(c, entries[longest].name);
    double width = widest + 2 * (box + padding);
    bool columns_fit = 2 * widest + 2 * (box + padding) + 50 < c->width;
    bool sides = two_axes && columns_fit;
    double room = sides ? floor((c->width - c->area.x_min) / width) / 2 : c->width / width;
    double columns = MAX(1, floor(room));
    double lines =
        sides ? (double)MAX(count - right, right) / columns : ceil((double)count / columns);
    c->area.y_max -= MAX(1, lines) * line + padding;
    cairo_set_line_width(c->cr, 1);
    double x = c->area.x_min, y = c->area.y_max + 2 * padding;
    double right_x = c->area.x_max - c->area.x_min, right_y = y;
    size_t n = 0, right_n = 0;
    for (size_t i = 0; i < count; i++) {
        if (sides && entries[i].right) {
            entry(c, &entries[i], right_x - padding, right_y, box, right_x - box, PICTURE__RIGHT);
            right_x -= width;
            if (++right_n % (size_t)columns == 0) {
                right_x = c->area.x_max - c->area.x_min;
                right_y += line;
            }
            continue;
        }
        if (entries[i].right)
            entry(c, &entries[i], x + width + padding, y, box, x + width, PICTURE__RIGHT);
        else
            entry(c, &entries[i], x, y, box, x + box + padding, PICTURE__LEFT);
        x += width;
        if (++n % (size_t)columns == 0) {
            x = c->area.x_min;
            y += line;
        }
    }
}
