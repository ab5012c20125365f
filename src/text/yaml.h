/* YAML documents (libyaml) as trees in an arena, with the place of every node, for configuration
 * and rule files. One document; anchors, aliases and merge keys with a limit on what they expand
 * to; duplicate keys are refused. Scalars keep their text: whoever reads a field knows its type. */
#ifndef TEXT_YAML_H
#define TEXT_YAML_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum text_yaml_kind { TEXT_YAML_SCALAR, TEXT_YAML_LIST, TEXT_YAML_MAP };

struct text_yaml {
    enum text_yaml_kind kind;
    uint32_t line, col; /* 1-based */
    struct slice value; /* of a scalar */
    bool quoted;        /* the scalar was written in quotes or as a block */
    size_t count;       /* items, or pairs */
    struct text_yaml **items;
    struct text_yaml **keys; /* maps only; always scalars */
};

/* *out is NULL for an empty document. diag gets line and column. */
int text_yaml_parse(struct slice text, struct arena *arena, struct text_yaml **out,
                    struct diag *diag);
/* Value of `key` in a map, or NULL. node may be NULL or no map. */
const struct text_yaml *text_yaml_get(const struct text_yaml *node, const char *key);
/* An unquoted empty value, ~ or null. NULL counts too. */
bool text_yaml_is_null(const struct text_yaml *node);
/* "1:2" style error at the node. Returns code. */
int text_yaml_error(const struct text_yaml *node, struct diag *diag, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Typed reading; each reports what was expected and what is there. */
int text_yaml_string(const struct text_yaml *node, struct slice *out, struct diag *diag);
int text_yaml_bool(const struct text_yaml *node, bool *out, struct diag *diag);
int text_yaml_int(const struct text_yaml *node, int64_t min, int64_t max, int64_t *out,
                  struct diag *diag);
/* Prometheus duration. */
int text_yaml_duration(const struct text_yaml *node, int64_t *out_ns, struct diag *diag);
/* Reports the first key of a map that is none of `known` (NULL-terminated), suggesting the nearest.
 */
int text_yaml_check_keys(const struct text_yaml *map, const char *what, const char *const *known,
                         struct diag *diag);
/* The entry of `known` nearest to `word` by edit distance, or NULL when none is close. */
const char *text_nearest(struct slice word, const char *const *known);

/* Appends a map or list as YAML, block by block, `indent` spaces in. `masked`: <secret> in place of
 * what stands under keys that hold secrets, and no passwords in URLs, as Prometheus shows its
 * configuration. Reads back as the same tree when nothing was masked. */
void text_yaml_print(const struct text_yaml *node, unsigned indent, bool masked, struct buf *out);
/* password, credentials, bearer_token, ... */
bool text_yaml_is_secret(struct slice key);
/* Appends a text; in a URL xxxxx stands in place of the password. */
void text_yaml_mask_url(struct slice text, struct buf *out);

#endif
