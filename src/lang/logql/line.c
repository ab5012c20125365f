#include "lang/logql/line.h"

#include <stdlib.h>

#include "base/mem.h"
#include "data/event_batch.h"

#define REGEXES_MAX 32
#define ZONES_MAX   16

void logql_line_init(struct logql_line *l)
{
    *l = (struct logql_line){.arena = arena_new(0, NULL)};
}

void logql_line_deinit(struct logql_line *l)
{
    for (size_t i = 0; i < l->regexes.len; i++) {
        mem_free((char *)(uintptr_t)l->regexes.items[i].pattern.ptr);
        text_regex_free(l->regexes.items[i].regex);
    }
    vec_free(&l->regexes);
    for (size_t i = 0; i < l->zones.len; i++) {
        mem_free((char *)(uintptr_t)l->zones.items[i].name.ptr);
        text_zone_free(l->zones.items[i].zone);
    }
    vec_free(&l->zones);
    vec_free(&l->labels);
    arena_free(l->arena);
    l->arena = NULL;
}

void logql_line_begin(struct logql_line *l, int64_t ts_ns, struct slice text)
{
    l->ts_ns = ts_ns;
    l->text = text;
    l->error = l->error_details = SLICE("");
    l->told = NULL;
    vec_clear(&l->labels);
    arena_reset(l->arena);
}

struct logql_label *logql_line_find(struct logql_line *l, struct slice name)
{
    for (size_t i = 0; i < l->labels.len; i++) {
        if (slice_eq(l->labels.items[i].name, name))
            return &l->labels.items[i];
    }
    return NULL;
}

static struct slice extracted(struct logql_line *l, struct slice name)
{
    char *p = arena_alloc(l->arena, name.len + sizeof(LOGQL_EXTRACTED));
    memcpy(p, name.ptr, name.len);
    memcpy(p + name.len, LOGQL_EXTRACTED, sizeof(LOGQL_EXTRACTED) - 1);
    return slice_make(p, name.len + sizeof(LOGQL_EXTRACTED) - 1);
}

void logql_line_add_metadata(struct logql_line *l, struct slice name, struct slice value)
{
    struct logql_label *there = logql_line_find(l, name);
    if (there && there->category == LOGQL_STREAM) {
        name = extracted(l, name);
        there = logql_line_find(l, name);
    }
    if (there)
        *there = (struct logql_label){there->name, value, LOGQL_METADATA};
    else
        vec_push(&l->labels, ((struct logql_label){name, value, LOGQL_METADATA}));
}

static bool is_wanted(const struct logql_line *l, struct slice name)
{
    for (size_t i = 0; i < l->wanted->count; i++) {
        if (slice_eq(l->wanted->names[i], name))
            return true;
    }
    return false;
}

/* What a stream or metadata lost to x_extracted gives way to what a parser finds. */
static bool is_settled(const struct logql_label *l)
{
    return l && (l->category == LOGQL_PARSED || !slice_ends_with(l->name, SLICE(LOGQL_EXTRACTED)));
}

bool logql_line_look(struct logql_line *l)
{
    if (!l->wanted)
        return true;
    l->missing = 0;
    for (size_t i = 0; i < l->wanted->count; i++)
        l->missing += !is_settled(logql_line_find(l, l->wanted->names[i]));
    return !logql_line_has_all(l);
}

bool logql_line_wants(const struct logql_line *l, struct slice name)
{
    if (!l->wanted)
        return true;
    for (size_t i = 0; i < l->wanted->count; i++) {
        struct slice w = l->wanted->names[i];
        if (slice_starts_with(w, name) &&
            (w.len == name.len || slice_eq_cstr(slice_from(w, name.len), LOGQL_EXTRACTED)))
            return true;
    }
    return false;
}

bool logql_line_wants_below(const struct logql_line *l, struct slice prefix)
{
    if (!l->wanted)
        return true;
    for (size_t i = 0; i < l->wanted->count; i++) {
        struct slice w = l->wanted->names[i];
        if (w.len > prefix.len && slice_starts_with(w, prefix) && w.ptr[prefix.len] == '_')
            return true;
    }
    return false;
}

void logql_line_extract(struct logql_line *l, struct slice name, struct slice value)
{
    struct logql_label *there = logql_line_find(l, name);
    if (there && there->category != LOGQL_PARSED) {
        name = extracted(l, name);
        there = logql_line_find(l, name);
    }
    if (l->wanted) {
        if (!is_wanted(l, name))
            return;
        l->missing -= !is_settled(there) && l->missing;
    }
    if (!there)
        vec_push(&l->labels, ((struct logql_label){name, value, LOGQL_PARSED}));
    else if (there->category != LOGQL_PARSED)
        *there = (struct logql_label){there->name, value, LOGQL_PARSED};
}

struct slice logql_line_get(const struct logql_line *l, struct slice name)
{
    for (size_t i = 0; i < l->labels.len; i++) {
        const struct logql_label *label = &l->labels.items[i];
        if (slice_eq(label->name, name))
            return label->value.ptr ? label->value : SLICE("");
    }
    if (slice_starts_with(name, SLICE("__error"))) {
        if (slice_eq_cstr(name, LOGQL_ERROR) && l->error.len)
            return l->error;
        if (slice_eq_cstr(name, LOGQL_ERROR_DETAILS) && l->error_details.len)
            return l->error_details;
    }
    return (struct slice){NULL, 0};
}

void logql_line_set(struct logql_line *l, struct slice name, struct slice value,
                    enum logql_category category)
{
    struct logql_label *there = logql_line_find(l, name);
    if (there)
        *there = (struct logql_label){name, value, category};
    else
        vec_push(&l->labels, ((struct logql_label){name, value, category}));
}

void logql_line_remove(struct logql_line *l, struct slice name)
{
    struct logql_label *there = logql_line_find(l, name);
    if (there)
        *there = vec_pop(&l->labels);
    else if (slice_eq_cstr(name, LOGQL_ERROR))
        l->error = SLICE("");
    else if (slice_eq_cstr(name, LOGQL_ERROR_DETAILS))
        l->error_details = SLICE("");
}

void logql_line_fail(struct logql_line *l, const char *error, struct slice details)
{
    if (l->error.len)
        return;
    l->error = slice_cstr(error);
    l->error_details = arena_slice(l->arena, details);
}

static int by_name(const void *a, const void *b)
{
    return slice_cmp(((const struct logql_label *)a)->name, ((const struct logql_label *)b)->name);
}

void logql_line_finish(struct logql_line *l)
{
    if (l->error.len)
        logql_line_set(l, SLICE(LOGQL_ERROR), l->error, LOGQL_PARSED);
    if (l->error_details.len)
        logql_line_set(l, SLICE(LOGQL_ERROR_DETAILS), l->error_details, LOGQL_PARSED);
    bool sorted = true;
    for (size_t i = 1; i < l->labels.len && sorted; i++)
        sorted = slice_cmp(l->labels.items[i - 1].name, l->labels.items[i].name) < 0;
    if (!sorted)
        qsort(l->labels.items, l->labels.len, sizeof(*l->labels.items), by_name);
}

int logql_line_regex(struct logql_line *l, struct slice pattern, const struct text_regex **out,
                     struct diag *diag)
{
    for (size_t i = 0; i < l->regexes.len; i++) {
        if (slice_eq(l->regexes.items[i].pattern, pattern)) {
            *out = l->regexes.items[i].regex;
            return 0;
        }
    }
    struct logql_line_regex r;
    int err = text_regex_compile(pattern, 0, &r.regex, diag);
    if (err)
        return err;
    if (l->regexes.len == REGEXES_MAX) { /* patterns made of the data: forget the oldest */
        mem_free((char *)(uintptr_t)l->regexes.items[0].pattern.ptr);
        text_regex_free(l->regexes.items[0].regex);
        l->regexes.items[0] = vec_pop(&l->regexes);
    }
    r.pattern = slice_make(mem_dup(pattern.ptr ? pattern.ptr : "", pattern.len), pattern.len);
    vec_push(&l->regexes, r);
    *out = r.regex;
    return 0;
}

int logql_line_zone(struct logql_line *l, struct slice name, const struct text_zone **out,
                    struct diag *diag)
{
    for (size_t i = 0; i < l->zones.len; i++) {
        if (slice_eq(l->zones.items[i].name, name)) {
            *out = l->zones.items[i].zone;
            return 0;
        }
    }
    struct logql_line_zone z;
    int err = text_zone_load(name, &z.zone, diag);
    if (err)
        return err;
    if (l->zones.len == ZONES_MAX) { /* names made of the data: forget the oldest */
        mem_free((char *)(uintptr_t)l->zones.items[0].name.ptr);
        text_zone_free(l->zones.items[0].zone);
        l->zones.items[0] = vec_pop(&l->zones);
    }
    z.name = slice_make(mem_dup(name.ptr ? name.ptr : "", name.len), name.len);
    vec_push(&l->zones, z);
    *out = z.zone;
    return 0;
}

struct slice logql_sanitize(struct arena *arena, struct slice name)
{
    if (data_label_name_is_legacy(name))
        return name;
    struct buf out = {0};
    data_event_name_sanitize(name, &out);
    struct slice s = arena_slice(arena, buf_slice(&out));
    buf_deinit(&out);
    return s;
}
