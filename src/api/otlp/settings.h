/* The settings of OTLP's door that may change while running. Shared by count of references. */
#ifndef API_OTLP_SETTINGS_H
#define API_OTLP_SETTINGS_H

#include <stdatomic.h>

#include "base/arena.h"
#include "decode/otlp/translation.h"

struct api_otlp_settings {
    struct arena *arena; /* owned: the strings */
    struct decode_otlp_translation translation;
    /* Browsers: origins that may send, "*" for any, with at most one "*" in each; none = no CORS.
     */
    const struct slice *cors_origins;
    size_t cors_origin_count;
    struct slice cors_headers; /* that they may send besides the usual ones; "" = what they ask */
    _Atomic int refs;
};

/* Prometheus' defaults, no CORS, one reference. */
struct api_otlp_settings *api_otlp_settings_new(void);
struct api_otlp_settings *api_otlp_settings_hold(struct api_otlp_settings *s);
void api_otlp_settings_free(struct api_otlp_settings *s); /* gives the reference back */
/* Sets cors_origins from a comma-separated list. */
void api_otlp_settings_set_origins(struct api_otlp_settings *s, struct slice list);

#endif
