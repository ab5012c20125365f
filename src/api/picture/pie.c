/* A pie: one value a series. */
#include <math.h>
#include <stdio.h>

#include "api/picture/picture_priv.h"

static void label(struct picture__canvas *c, double value, double share, double theta, double x,
                  double y, bool percent, bool rotated)
{
    char text[64];
    if (percent)
        snprintf(text, sizeof(text), "%%%.2f", share * 100);
    else if (value < 10 && value != floor(value))
        snprintf(text, sizeof(text), "%.2f", value);
    else
        snprintf(text, sizeof(text), "%.0f", trunc(value));
    if (theta > M_PI / 2 && theta <= 3 * M_PI / 2)
        theta -= M_PI;
    picture__draw_text(c, slice_cstr(text), x, y, PICTURE__CENTER, PICTURE__MIDDLE,
                       rotated ? theta * 180 / M_PI : 0);
}

static void draw(struct picture__canvas *c, const struct api_picture_slice *slices, size_t count)
{
    static const char *const label_words[] = {"percent", "number", "none", NULL};
    static const char *const way_words[] = {"horizontal", "rotated", NULL};
    const struct api_picture *p = c->p;
    struct picture__legend_entry *entries =
        ARENA_ARRAY(p->arena, struct picture__legend_entry, count + 1);
    double total = 0, theta = 1.5 * M_PI,
           least = picture__number(c, API_PICTURE_VALUE_LABELS_MIN, 5);
    double alpha = picture__number(c, API_PICTURE_AREA_ALPHA, 1);
    int labels = picture__choice(c, API_PICTURE_VALUE_LABELS, label_words);
    bool rotated = picture__choice(c, API_PICTURE_PIE_LABELS, way_words) == 1;
    for (size_t i = 0; i < count; i++)
        total += slices[i].value;
    if (!entries) {
        picture__fail(c, ERR_NOMEM, "the picture takes more than limits.query.memory");
        return;
    }
    if (!count || !(total > 0) || !isfinite(total)) {
        picture__no_data(c);
        return;
    }
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct picture__legend_entry){slices[i].name,
                                                    picture__palette_next(&c->colors), false};
    picture__set_font(c, c->font_size + floor(log(c->font_size)));
    picture__set_color(c, c->foreground, 1, false);
    if (picture__has(p, API_PICTURE_TITLE))
        picture__title(c, p->options[API_PICTURE_TITLE]);
    picture__set_font(c, c->font_size);
    if (!picture__flag(p, API_PICTURE_HIDE_LEGEND, false))
        picture__legend(c, entries, count, false);
    double half_x = (c->area.x_max - c->area.x_min) / 2,
           half_y = (c->area.y_max - c->area.y_min) / 2;
    double x0 = c->area.x_min + half_x, y0 = c->area.y_min + half_y;
    double radius = fmax(fmin(half_x, half_y) * .95, 0);
    for (size_t i = 0; i < count; i++) {
        double phi = theta + 2 * M_PI * slices[i].value / total;
        picture__set_color(c, entries[i].color, alpha, false);
        cairo_move_to(c->cr, x0, y0);
        cairo_arc(c->cr, x0, y0, radius, theta, phi);
        cairo_line_to(c->cr, x0, y0);
        cairo_fill(c->cr);
        theta = phi;
    }
    picture__set_color(c, picture__text(p, API_PICTURE_VALUE_LABELS_COLOR, "black"), 1, false);
    theta = 1.5 * M_PI;
    for (size_t i = 0; i < count && labels != 2; i++) {
        double share = slices[i].value / total, phi = theta + 2 * M_PI * share;
        double middle = fmod((theta + phi) / 2, 2 * M_PI);
        if ((labels == 0 ? share * 100 : slices[i].value) >= least)
            label(c, slices[i].value, share, middle, x0 + radius / 2 * cos(middle),
                  y0 + radius / 2 * sin(middle), labels == 0, rotated);
        theta = phi;
    }
}

int api_picture_pie(const struct api_picture *p, const struct api_picture_slice *slices,
                    size_t count, struct buf *out, struct diag *diag)
{
    struct picture__canvas c;
    if (!picture__canvas_open(&c, p, out, diag))
        draw(&c, slices, count);
    return picture__canvas_close(&c);
}
