/* The parameters of a picture, and the named sets of colors. */
#include <math.h>

#include "api/picture/picture_priv.h"
#include "codec/number.h"

#define NAME(id, name) name,
const char *const api_picture_option_names[API_PICTURE_OPTION_COUNT] = {API_PICTURE_OPTIONS(NAME)};

bool picture__has(const struct api_picture *p, enum api_picture_option o)
{
    return p->options[o].len && !slice_eq_nocase(p->options[o], SLICE("default"));
}

bool picture__flag(const struct api_picture *p, enum api_picture_option o, bool preset)
{
    double v;
    if (!picture__has(p, o))
        return preset;
    if (codec_text_to_double(p->options[o], &v, NULL))
        return v != 0;
    return !slice_eq_nocase(p->options[o], SLICE("false"));
}

double picture__number(struct picture__canvas *c, enum api_picture_option o, double preset)
{
    double v;
    if (!picture__has(c->p, o))
        return preset;
    if (codec_text_to_double(c->p->options[o], &v, NULL) && !isnan(v))
        return v;
    picture__fail(c, ERR_INVALID, "%s: a number is expected, not %.*s", api_picture_option_names[o],
                  SLICE_FMT(slice_first(c->p->options[o], 40)));
    return preset;
}

struct slice picture__text(const struct api_picture *p, enum api_picture_option o,
                           const char *preset)
{
    return picture__has(p, o) ? p->options[o] : slice_cstr(preset);
}

int picture__choice(struct picture__canvas *c, enum api_picture_option o, const char *const *words)
{
    struct buf known = {0};
    if (!picture__has(c->p, o))
        return 0;
    for (int i = 0; words[i]; i++) {
        if (slice_eq_nocase(c->p->options[o], slice_cstr(words[i])))
            return i;
        buf_printf(&known, "%s%s", i ? ", " : "", words[i]);
    }
    picture__fail(c, ERR_INVALID, "%s: one of %s is expected, not %.*s",
                  api_picture_option_names[o], buf_cstr(&known),
                  SLICE_FMT(slice_first(c->p->options[o], 40)));
    buf_deinit(&known);
    return 0;
}

/* --- templates --- */

#define RAINBOW   "blue,green,red,purple,brown,yellow,aqua,grey,magenta,pink,gold,rose"
#define SOLARIZED "#268bd2,#859900,#dc322f,#6c71c4,#cb4b16,#b58900,#2aa198,#d33682"

static const struct picture__template templates[] = {
    {"default", "white", "black", "rose", "grey", RAINBOW},
    {"plain", "white", "black", "rose", "grey", RAINBOW},
    {"noc", "black", "white", "white", "grey",
     "blue,green,red,yellow,purple,brown,aqua,grey,magenta,pink,gold,rose"},
    {"classic", "black", "white", "white", "grey", RAINBOW},
    {"summary", "black", "white", "white", "grey", "#6666ff,#66ff66,#ff6666"},
    {"alphas", "white", "black", "grey", "rose", "#00ff00aa,#ff000077,#00337799"},
    {"solarized-light", "#fdf6e3", "#657b83", "#93a1a1", "#eee8d5", SOLARIZED},
    {"solarized-dark", "#002b36", "#839496", "#586e75", "#073642", SOLARIZED},
    {"grafana", "#1f1f1f", "#d8d9da", "#444444", "#333333",
     "#7eb26d,#eab839,#6ed0e0,#ef843c,#e24d42,#1f78c1,#ba43a9,#705da0,#508642,#cca300"},
};

const struct picture__template *picture__template_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(templates); i++) {
        if (slice_eq_cstr(name, templates[i].name))
            return &templates[i];
    }
    return &templates[0];
}

struct slice picture__palette_next(struct picture__palette *p)
{
    struct slice one = {NULL, 0};
    for (int i = 0; i < 1000 && !one.len; i++) {
        if (!p->rest.len)
            p->rest = p->list;
        slice_split(&p->rest, ',', &one);
        one = slice_trim(one);
    }
    return one.len ? one : SLICE("blue");
}
