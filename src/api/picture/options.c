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
#define SOLARIZED "268bd2aa,859900aa,dc322faa,d33682aa,db4b16aa,b58900aa,2aa198aa,6c71c4aa"
#define ON_WHITE(name, lines)                                                                      \
    {                                                                                              \
        name, "white", "black", "rose", "grey", lines                                              \
    }

/* Those of graphite-web's graphTemplates.conf.example; what one does not say is the default's. */
static const struct picture__template templates[] = {
    ON_WHITE("default", RAINBOW),
    {"solarized-light", "#fdf6e3", "#657b83", "#073642", "#586e75", SOLARIZED},
    {"solarized-dark", "#002b36", "#839496", "#fdf6e3", "#eee8d5", SOLARIZED},
    {"classic", "black", "white", "white", "grey", RAINBOW},
    {"noc", "black", "white", "white", "grey",
     "blue,green,red,yellow,purple,brown,aqua,grey,magenta,pink,gold,rose"},
    {"summary", "black", "black", "rose", "grey", "#6666ff,#66ff66,#ff6666"},
    {"alphas", "white", "black", "grey", "rose", "00ff00aa,ff000077,00337799"},
    ON_WHITE("grafana", "#7eb26d,#eab839,#6ed0e0,#ef843c,#e24d42,#1f78c1,#ba43a9,#705da0,#508642,"
                        "#cca300,#447ebc"),
    ON_WHITE("ocean1", "f7fcf0,e0f3db,ccebc5,a8ddb5,7bccc4,4eb3d3,2b8cbe,0868ac,084081"),
    ON_WHITE("ocean2", "084081,0868ac,2b8cbe,4eb3d3,7bccc4,a8ddb5,ccebc5,e0f3db,f7fcf0"),
    ON_WHITE("forest1", "f7fcf5,e5f5e0,c7e9c0,a1d99b,74c476,41ab5d,238b45,005a32"),
    ON_WHITE("forest2", "005a32,238b45,41ab5d,74c476,a1d99b,c7e9c0,e5f5e0,f7fcf5"),
    ON_WHITE("sunset1", "fff5eb,fee6ce,fdd0a2,fdae6b,fd8d3c,f16913,d94801,8c2d04"),
    ON_WHITE("sunset2", "8c2d04,d94801,f16913,fd8d3c,fdae6b,fdd0a2,fee6ce,fff5eb"),
    ON_WHITE("moonlight1", "fcfbfd,efedf5,dadaeb,bcbddc,9e9ac8,807dba,6a51a3,4a1486"),
    ON_WHITE("moonlight2", "4a1486,6a51a3,807dba,9e9ac8,bcbddc,dadaeb,efedf5,fcfbfd"),
    ON_WHITE("lava1", "fff5f0,fee0d2,fcbba1,fc9272,fb6a4a,ef3b2c,cb181d,99000d"),
    ON_WHITE("lava2", "99000d,cb181d,ef3b2c,fb6a4a,fc9272,fcbba1,fee0d2,fff5f0"),
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
