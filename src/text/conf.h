/* Configuration by table: one row a key says its dotted name, type, default, limits and help. The
 * same row drives the YAML file, --set key=value, the environment, error messages and the
 * reference. */
#ifndef TEXT_CONF_H
#define TEXT_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "text/yaml.h"

enum text_conf_type {
    TEXT_CONF_BOOL,     /* bool */
    TEXT_CONF_INT,      /* int64_t */
    TEXT_CONF_DURATION, /* int64_t ns; "forever" = INT64_MAX where `max` allows it */
    TEXT_CONF_SIZE,     /* int64_t bytes */
    TEXT_CONF_STRING,   /* const char * */
    TEXT_CONF_CHOICE,   /* int: index into choices */
    TEXT_CONF_NODE,     /* const struct text_yaml *: whatever is below, read by its owner */
};

struct text_conf_field {
    const char *key; /* "limits.series" */
    enum text_conf_type type;
    size_t offset;            /* into the target struct */
    const char *default_text; /* NULL for nodes */
    int64_t min, max;         /* of numbers; both 0 = no limit but >= 0 */
    const char *const *choices;
    const char *help;
    bool live;   /* takes effect on reload; others need a restart */
    bool secret; /* not shown */
};

/* Fills every field with its default. */
void text_conf_defaults(const struct text_conf_field *fields, size_t count, void *target,
                        struct arena *arena);
/* Walks the document; unknown keys are refused with the nearest known one. root may be NULL. */
int text_conf_apply_yaml(const struct text_conf_field *fields, size_t count, void *target,
                         const struct text_yaml *root, struct arena *arena, struct diag *diag);
/* "key=value" from the command line; nodes take YAML. */
int text_conf_apply_set(const struct text_conf_field *fields, size_t count, void *target,
                        struct slice assignment, struct arena *arena, struct diag *diag);
/* PREFIX_LIMITS_SERIES=...: every variable of that prefix must name a key, but for the
 * NULL-terminated `ignored`. */
int text_conf_apply_env(const struct text_conf_field *fields, size_t count, void *target,
                        const char *prefix, char *const *environment, const char *const *ignored,
                        struct arena *arena, struct diag *diag);
/* A Markdown table of all keys. */
void text_conf_print_markdown(const struct text_conf_field *fields, size_t count, struct buf *out);
/* Plain text for --help. */
void text_conf_print_help(const struct text_conf_field *fields, size_t count, struct buf *out);
/* The value in force as text ("<secret>" for secrets). */
void text_conf_print_value(const struct text_conf_field *field, const void *target,
                           struct buf *out);

#endif
