#include "lang/logql/derive.h"

#include "base/mem.h"
#include "lang/logql/pipeline.h"

#define SYMBOLS_MAX 16384

/* --- which pipelines --- */

static bool is_parser(const struct logql_stage *s)
{
    return s->kind == LOGQL_STAGE_JSON || s->kind == LOGQL_STAGE_LOGFMT;
}

/* Stages that work on labels alone. */
static bool keeps_off_lines(const struct logql_stage *s)
{
    return s->kind == LOGQL_STAGE_LABEL_FILTER || s->kind == LOGQL_STAGE_DROP ||
           s->kind == LOGQL_STAGE_KEEP;
}

static bool has_duplicates(const struct logql_stage *s)
{
    for (size_t i = 0; i < s->pair_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (slice_eq(s->pairs[i].name, s->pairs[k].name))
                return true;
        }
    }
    return false;
}

static size_t column_of(const struct logql_derive *d, struct slice name)
{
    for (size_t i = 0; i < d->scan.count; i++) {
        if (slice_eq(d->names[i], name))
            return i;
    }
    return SIZE_MAX;
}

/* Filters of which each has to pass. */
static void add_tests(struct logql_derive *d, const struct logql_filter *f)
{
    if (f->kind == LOGQL_FILTER_AND) {
        add_tests(d, f->left);
        add_tests(d, f->right);
        return;
    }
    /* An error may be that of a filter before. */
    size_t column = f->kind == LOGQL_FILTER_OR || f->kind == LOGQL_FILTER_IP ||
                            slice_starts_with(f->name, SLICE("__"))
                        ? SIZE_MAX
                        : column_of(d, f->name);
    if (column != SIZE_MAX)
        d->tests[d->test_count++] = (struct logql_derive_test){f, column};
}

static size_t filter_count(const struct logql_filter *f)
{
    return f->left ? filter_count(f->left) + filter_count(f->right) : 1;
}

static void find_tests(const struct logql_pipeline *p, struct logql_derive *d, struct arena *arena)
{
    size_t count = 0;
    for (size_t i = 1; i < p->step_count; i++) {
        if (p->steps[i].stage->kind == LOGQL_STAGE_LABEL_FILTER)
            count += filter_count(p->steps[i].stage->filter);
    }
    d->tests = ARENA_ARRAY(arena, struct logql_derive_test, count);
    for (size_t i = 1; i < p->step_count && p->steps[i].stage->kind == LOGQL_STAGE_LABEL_FILTER;
         i++)
        add_tests(d, p->steps[i].stage->filter);
}

static bool plan(void *ctx, const struct store_event_shape *shape, unsigned attempt,
                 struct arena *arena, enum store_event_texts *texts,
                 struct store_event_told *columns)
{
    const struct logql_derive *d = ctx;
    return d->parser->kind == LOGQL_STAGE_JSON
               ? logql__shape_json(d, shape, attempt, arena, texts, columns)
               : logql__shape_logfmt(d, shape, attempt, arena, texts, columns);
}

struct logql_derive *logql__derive_new(const struct logql_pipeline *p, struct arena *arena)
{
    const struct logql_step *parser = NULL;
    for (size_t i = 0; i < p->step_count; i++) {
        if (is_parser(p->steps[i].stage) && !parser)
            parser = &p->steps[i];
        else if (!keeps_off_lines(p->steps[i].stage))
            return NULL;
    }
    if (!parser || !p->wanted.count || has_duplicates(parser->stage))
        return NULL;
    for (size_t i = 0; i < p->wanted.count; i++) {
        if (slice_ends_with(p->wanted.names[i], SLICE(LOGQL_EXTRACTED)))
            return NULL; /* made of another name, or of its own */
    }
    struct logql_derive *d = ARENA_NEW(arena, struct logql_derive);
    struct slice *names =
        ARENA_ARRAY(arena, struct slice, MAX(p->wanted.count, parser->stage->pair_count));
    d->parser = parser->stage;
    d->paths = parser->paths;
    d->wanted = &p->wanted;
    d->names = names;
    for (size_t i = 0;
         i < (parser->stage->pair_count ? parser->stage->pair_count : p->wanted.count); i++)
        names[d->scan.count++] =
            parser->stage->pair_count ? parser->stage->pairs[i].name : p->wanted.names[i];
    d->scan.plan = plan;
    d->scan.ctx = d;
    d->only = p->step_count == 1;
    if (parser == p->steps)
        find_tests(p, d, arena);
    return d;
}

void logql__derive_apply(const struct logql_derive *d, struct logql_line *l)
{
    if (!logql_line_look(l))
        return;
    for (size_t i = 0; i < d->scan.count; i++) {
        struct data_value v = l->told[i][l->told_row];
        if (v.kind)
            logql_line_extract(l, d->names[i], v.text);
    }
}

/* --- shapes --- */

bool logql__shape_flatten(const struct store_event_shape *shape, struct arena *arena,
                          enum store_event_texts *texts, struct logql_shape_text *out)
{
    size_t len = shape->places;
    for (uint32_t i = 0; i <= shape->places; i++)
        len += shape->pieces[i].len;
    if (len > SYMBOLS_MAX)
        return false;
    uint16_t *symbols = ARENA_ARRAY(arena, uint16_t, len + 1);
    *out = (struct logql_shape_text){.symbols = symbols,
                                     .len = len,
                                     .arena = arena,
                                     .texts = texts,
                                     .place_at = ARENA_ARRAY(arena, size_t, shape->places + 1),
                                     .places = shape->places};
    size_t n = 0;
    for (uint32_t i = 0; i <= shape->places; i++) {
        for (size_t k = 0; k < shape->pieces[i].len; k++)
            symbols[n++] = (unsigned char)shape->pieces[i].ptr[k];
        if (i == shape->places)
            break;
        out->place_at[i] = n;
        symbols[n++] = (uint16_t)(LOGQL_SHAPE_PLACE + i);
    }
    return true;
}

struct slice logql__shape_literal(const struct logql_shape_text *s, size_t begin, size_t end)
{
    char *text = arena_alloc(s->arena, end - begin + 1);
    for (size_t i = begin; i < end; i++) {
        if (s->symbols[i] >= LOGQL_SHAPE_PLACE)
            return (struct slice){NULL, 0};
        text[i - begin] = (char)s->symbols[i];
    }
    return slice_make(text, end - begin);
}

void logql__shape_parts(const struct logql_shape_text *s, size_t begin, size_t end,
                        struct store_event_told *out)
{
    struct store_event_told_part *parts =
        ARENA_ARRAY(s->arena, struct store_event_told_part, end - begin + 1);
    *out = (struct store_event_told){.parts = parts};
    for (size_t i = begin, next; i < end; i = next) {
        next = i + 1;
        if (s->symbols[i] >= LOGQL_SHAPE_PLACE) {
            parts[out->count++].place = (uint32_t)(s->symbols[i] - LOGQL_SHAPE_PLACE);
            continue;
        }
        while (next < end && s->symbols[next] < LOGQL_SHAPE_PLACE)
            next++;
        parts[out->count++] =
            (struct store_event_told_part){STORE_EVENT_NO_PLACE, logql__shape_literal(s, i, next)};
    }
    if (begin == end)
        parts[out->count++] = (struct store_event_told_part){STORE_EVENT_NO_PLACE, SLICE("")};
}

void logql__shape_forget(struct logql_shape_text *s, size_t end)
{
    for (uint32_t i = 0; i < s->places; i++) {
        if (s->place_at[i] >= end)
            s->texts[i] = STORE_TEXTS_ANY;
    }
}
