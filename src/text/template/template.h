/* Templates as Go's text/template has them, for alert annotations, LogQL's line_format and
 * label_format, and notifications.
 * Specification: https://pkg.go.dev/text/template; messages are spelled as Go's are.
 *
 *     struct text_template *t;
 *     err = text_template_new(SLICE("title"), text, functions, count, arena, &t, diag);
 *     err = text_template_run(t, &data, &env, &out, diag);
 *
 * A parsed template is immutable and may be run by any thread; a run belongs to one thread.
 * Left out: complex numbers, channels, function values (`call`), and `js`. */
#ifndef TEXT_TEMPLATE_TEMPLATE_H
#define TEXT_TEMPLATE_TEMPLATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/slice.h"

enum text_template_kind {
    TEXT_TEMPLATE_NIL, /* prints <no value>; also what a missing key gives */
    TEXT_TEMPLATE_BOOL,
    TEXT_TEMPLATE_INT,
    TEXT_TEMPLATE_FLOAT,
    TEXT_TEMPLATE_STRING,
    TEXT_TEMPLATE_LIST,
    TEXT_TEMPLATE_MAP /* of names to values; a struct when its type says so */
};

struct text_template_value;
struct text_template_type;

struct text_template_pair {
    struct slice key;
    const struct text_template_value *value;
};

/* A value owns nothing: what it points to lives as long as the run. */
struct text_template_value {
    enum text_template_kind kind;
    const struct text_template_type *type; /* NULL: nothing special */
    size_t count;                          /* of items or pairs */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct slice string;
        const struct text_template_value *items;
        const struct text_template_pair *pairs; /* any order */
        const void *opaque;                     /* of a map whose type has `get` */
    };
};

/* What a function may use while it runs. */
struct text_template_call {
    void *ctx; /* of the run's env */
    struct arena *arena;
    const struct text_template *set; /* for functions that run other templates of it */
    const struct text_template_env *env;
    unsigned depth; /* of templates running in templates */
};

struct text_template_type {
    const char *name;  /* Go's name, for messages: "template.KV"; NULL = by the kind */
    bool is_struct;    /* an unknown field is an error; prints {a b} */
    bool string_zero;  /* a missing key gives the empty text, as map[string]string with
                          missingkey=zero does */
    const char *print; /* printed in place of the content; NULL = the content */
    /* A key of a map that is not kept as pairs; false when it is not there. May be NULL. */
    bool (*get)(struct text_template_call *call, const struct text_template_value *self,
                struct slice key, struct text_template_value *out);
    /* Methods: looked for before keys. ERR_NOT_FOUND: none of that name. May be NULL. */
    int (*method)(struct text_template_call *call, const struct text_template_value *self,
                  struct slice name, const struct text_template_value *args, size_t count,
                  struct text_template_value *out, struct diag *diag);
};

/* A function of the caller. `params`: one letter a parameter, checked before the call: s string,
 * i int, f float64 (a whole constant does too), b bool, l list, m map, v anything; a * behind the
 * last: any number of it. Functions of the caller go before Go's own of that name. */
struct text_template_function {
    const char *name, *params;
    int (*call)(struct text_template_call *call, const struct text_template_value *args,
                size_t count, struct text_template_value *out, struct diag *diag);
};

struct text_template; /* one text and what it defines; in the arena it was parsed into */

struct text_template_env {
    void *ctx;           /* for functions and types */
    struct arena *arena; /* of values made while running; reset it between runs */
    size_t output_max;   /* bytes one run may write; 0 = 1 MiB */
    size_t steps_max;    /* nodes one run may evaluate; 0 = 10 million */
};

/* Parses `text` (copied) as the template `name`. `functions` must outlive the template. ERR_INVALID
 * with line and column (1-based), message "template: NAME:LINE: ...". */
int text_template_new(struct slice name, struct slice text,
                      const struct text_template_function *functions, size_t function_count,
                      struct arena *arena, struct text_template **out, struct diag *diag);
/* Parses another text into the set: its {{define}}s, and its own content as `name`; what was there
 * by that name is replaced unless the new one is empty. Not while it runs. */
int text_template_add(struct text_template *t, struct slice name, struct slice text,
                      struct diag *diag);
/* Appends what the first text gives for `data` as dot and $. On an error (ERR_INVALID: "template:
 * NAME:LINE:COL: executing \"NAME\" at <x>: ...", ERR_LIMIT, ERR_NOMEM) what was written so far
 * stays in `out`. */
int text_template_run(const struct text_template *t, const struct text_template_value *data,
                      const struct text_template_env *env, struct buf *out, struct diag *diag);
/* The same for the template of that name; from a function, with the depth it is called at. */
int text_template_run_named(const struct text_template *t, struct slice name,
                            const struct text_template_value *data,
                            const struct text_template_env *env, unsigned depth, struct buf *out,
                            struct diag *diag);
/* Whether the set has a template of that name. */
bool text_template_has(const struct text_template *t, struct slice name);

/* --- values --- */
struct text_template_value text_template_nil(void);
struct text_template_value text_template_bool(bool v);
struct text_template_value text_template_int(int64_t v);
struct text_template_value text_template_float(double v);
struct text_template_value text_template_string(struct slice s);
struct text_template_value text_template_list(const struct text_template_value *items,
                                              size_t count);
struct text_template_value text_template_map(const struct text_template_type *type,
                                             const struct text_template_pair *pairs, size_t count);
/* Go's name of a value's type: "string", "float64", "[]interface {}", or what its type says. */
const char *text_template_type_name(const struct text_template_value *v);
/* Neither nil, false, 0 nor empty. */
bool text_template_truth(const struct text_template_value *v);
/* As Go's fmt.Print writes it. */
void text_template_print(const struct text_template_value *v, struct buf *out);
/* Go's fmt.Sprintf: flags, width, precision, * and [n] indexes; mistakes show up in the text as
 * "%!d(string=x)". Widths and precisions are at most 10,000. */
void text_template_printf(struct slice format, const struct text_template_value *args, size_t count,
                          struct buf *out);

#endif
