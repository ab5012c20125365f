/* Which spans are counted: conditions as Tempo's filter policies have them. And how many spans one
 * stands for that was sampled. */
#include "base/mem.h"
#include "base/vec.h"
#include "pipe/span_fields_priv.h"
#include "text/regex.h"

enum what { KIND, STATUS, NAME, ATTRIBUTE };
enum list { INCLUDE, INCLUDE_ANY, EXCLUDE, LISTS };

struct condition {
    enum what what;
    uint8_t slot; /* of an attribute */
    bool of_span, of_resource;
    struct slice value;       /* in the names' arena */
    struct text_regex *regex; /* or NULL */
};

struct pipe__span_filter {
    VEC(struct condition) conditions; /* of all sets, one behind the other */
    VEC(size_t) ends[LISTS];          /* of each set */
    size_t begin[LISTS];
};

static const char *const settings[LISTS] = {"span_metrics.include", "span_metrics.include_any",
                                            "span_metrics.exclude"};

static const char *const kinds[] = {"SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL",
                                    "SPAN_KIND_SERVER",      "SPAN_KIND_CLIENT",
                                    "SPAN_KIND_PRODUCER",    "SPAN_KIND_CONSUMER"};
static const char *const statuses[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};

static bool take_prefix(struct slice *s, const char *prefix)
{
    if (!slice_starts_with(*s, slice_cstr(prefix)))
        return false;
    *s = slice_from(*s, strlen(prefix));
    return true;
}

static int read_condition(struct pipe__span_filter *f, struct pipe__span_names *n,
                          const char *setting, struct slice text, struct diag *diag)
{
    struct condition c = {.what = ATTRIBUTE, .of_span = true, .of_resource = true};
    struct slice rest = text, name;
    (void)slice_split(&rest, '=', &name);
    name = slice_trim(name);
    bool regex = take_prefix(&rest, "~");
    struct slice value = slice_trim(rest);
    if (!name.len || !value.len)
        return diag_set(diag, ERR_INVALID, "%s: \"%.*s\" should be name=value or name=~expression",
                        setting, SLICE_FMT(text));
    if (slice_eq_cstr(name, "kind"))
        c.what = KIND;
    else if (slice_eq_cstr(name, "status"))
        c.what = STATUS;
    else if (slice_eq_cstr(name, "name"))
        c.what = NAME;
    else if (take_prefix(&name, "span."))
        c.of_resource = false;
    else if (take_prefix(&name, "resource."))
        c.of_span = false;
    c.value = arena_slice(n->arena, value);
    int err = c.what == ATTRIBUTE ? pipe__span_slot(n, setting, name, &c.slot, diag) : 0;
    if (!err && regex && text_regex_compile(value, TEXT_REGEX_ANCHORED, &c.regex, diag))
        err = ERR_INVALID;
    if (!err)
        vec_push(&f->conditions, c);
    return err;
}

static int read_sets(struct pipe__span_filter *f, struct pipe__span_names *n, enum list list,
                     const char *text, struct diag *diag)
{
    struct slice rest = slice_cstr(text ? text : ""), set, one;
    int err = 0;
    f->begin[list] = f->conditions.len;
    while (!err && slice_split(&rest, ';', &set)) {
        size_t begin = f->conditions.len;
        while (!err && slice_split(&set, ',', &one)) {
            if (slice_trim(one).len)
                err = read_condition(f, n, settings[list], slice_trim(one), diag);
        }
        if (f->conditions.len > begin)
            vec_push(&f->ends[list], f->conditions.len);
    }
    return err;
}

int pipe__span_filter_new(const struct pipe_span_metrics_config *config, struct pipe__span_names *n,
                          struct pipe__span_filter **out, struct diag *diag)
{
    struct pipe__span_filter *f = mem_calloc(1, sizeof(*f));
    int err = read_sets(f, n, INCLUDE, config->include, diag);
    if (!err)
        err = read_sets(f, n, INCLUDE_ANY, config->include_any, diag);
    if (!err)
        err = read_sets(f, n, EXCLUDE, config->exclude, diag);
    if (err || !f->conditions.len) {
        pipe__span_filter_free(f);
        f = NULL;
    }
    *out = f;
    return err;
}

void pipe__span_filter_free(struct pipe__span_filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->conditions.len; i++)
        text_regex_free(f->conditions.items[i].regex);
    vec_free(&f->conditions);
    for (size_t i = 0; i < LISTS; i++)
        vec_free(&f->ends[i]);
    mem_free(f);
}

static bool text_is(const struct condition *c, struct slice text)
{
    return c->regex ? text_regex_match(c->regex, text) : slice_eq(c->value, text);
}

/* Names of protobuf, and what follows their prefix in small letters ("server"). */
static bool word_is(const struct condition *c, const char *name, size_t prefix)
{
    char small[32];
    size_t n = 0;
    for (const char *at = name + prefix; *at && n < sizeof(small); at++)
        small[n++] = (char)(*at | 0x20);
    return text_is(c, slice_cstr(name)) || text_is(c, slice_make(small, n));
}

static bool holds(const struct condition *c, const struct pipe__span_fields *span)
{
    switch (c->what) {
    case KIND: return word_is(c, kinds[span->kind], sizeof("SPAN_KIND_") - 1);
    case STATUS: return word_is(c, statuses[span->status], sizeof("STATUS_CODE_") - 1);
    case NAME: return text_is(c, span->name);
    case ATTRIBUTE: break;
    }
    struct slice of_span = span->of_span[c->slot], of_resource = span->of_resource[c->slot];
    return (c->of_span && of_span.ptr && text_is(c, of_span)) ||
           (c->of_resource && of_resource.ptr && text_is(c, of_resource));
}

bool pipe__span_filter_passes(const struct pipe__span_filter *f,
                              const struct pipe__span_fields *span)
{
    for (int list = 0; f && list < LISTS; list++) {
        size_t at = f->begin[list];
        for (size_t i = 0; i < f->ends[list].len; i++) {
            size_t n = 0, count = f->ends[list].items[i] - at;
            for (; at < f->ends[list].items[i]; at++)
                n += holds(&f->conditions.items[at], span);
            if (list == INCLUDE ? n < count : list == INCLUDE_ANY ? !n : n == count)
                return false;
        }
    }
    return true;
}

/* --- sampling --- */

static double of_threshold(struct slice hex)
{
    uint64_t threshold = 0;
    if (!hex.len || hex.len > 14)
        return 0;
    for (size_t i = 0; i < 14; i++) {
        char c = i < hex.len ? hex.ptr[i] : '0';
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16)
            return 0;
        threshold = threshold << 4 | digit;
    }
    return 0x1p56 / (0x1p56 - (double)threshold);
}

double pipe__span_adjusted_count(struct slice trace_state)
{
    struct slice member, field;
    while (slice_split(&trace_state, ',', &member)) {
        member = slice_trim(member);
        if (!take_prefix(&member, "ot="))
            continue;
        while (slice_split(&member, ';', &field)) {
            if (take_prefix(&field, "th:"))
                return of_threshold(field);
        }
        return 0;
    }
    return 0;
}
