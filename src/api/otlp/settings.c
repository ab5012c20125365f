#include "api/otlp/settings.h"

#include "base/mem.h"

struct api_otlp_settings *api_otlp_settings_new(void)
{
    struct api_otlp_settings *s = mem_calloc(1, sizeof(*s));
    s->arena = arena_new(0, NULL);
    s->refs = 1;
    decode_otlp_translation_defaults(&s->translation);
    return s;
}

struct api_otlp_settings *api_otlp_settings_hold(struct api_otlp_settings *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void api_otlp_settings_free(struct api_otlp_settings *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    arena_free(s->arena);
    mem_free(s);
}

void api_otlp_settings_set_origins(struct api_otlp_settings *s, struct slice list)
{
    size_t count = 1;
    for (size_t i = 0; i < list.len; i++)
        count += list.ptr[i] == ',';
    struct slice *origins = arena_alloc(s->arena, count * sizeof(*origins)), part;
    s->cors_origin_count = 0;
    for (struct slice rest = list; slice_split(&rest, ',', &part);) {
        part = slice_trim(part);
        if (part.len)
            origins[s->cors_origin_count++] = arena_slice(s->arena, part);
    }
    s->cors_origins = origins;
}
