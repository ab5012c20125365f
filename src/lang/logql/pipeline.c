#include "lang/logql/pipeline.h"

#include "base/mem.h"
#include "codec/number.h"
#include "lang/logql/units.h"

/* --- what is needed of the labels --- */

struct names {
    VEC(struct slice) items;
    bool all;
};

static void need(void *ctx, struct slice name)
{
    struct names *n = ctx;
    for (size_t i = 0; i < n->items.len; i++) {
        if (slice_eq(n->items.items[i], name))
            return;
    }
    vec_push(&n->items, name);
    /* x_extracted comes from a field x. */
    if (slice_ends_with(name, SLICE(LOGQL_EXTRACTED)) && name.len > sizeof(LOGQL_EXTRACTED) - 1)
        need(ctx, slice_first(name, name.len - (sizeof(LOGQL_EXTRACTED) - 1)));
}

static void need_filter(struct names *n, const struct logql_filter *f)
{
    if (f->left) {
        need_filter(n, f->left);
        need_filter(n, f->right);
    } else {
        need(n, f->name);
    }
}

static void need_stage(struct names *n, const struct logql_stage *s)
{
    if (s->kind == LOGQL_STAGE_LABEL_FILTER)
        need_filter(n, s->filter);
    if (s->kind == LOGQL_STAGE_LINE_FORMAT)
        n->all |= !logql__format_names(s->text, need, n);
    for (size_t i = 0; i < s->pair_count; i++) {
        const struct logql_pair *p = &s->pairs[i];
        if (s->kind == LOGQL_STAGE_LABEL_FORMAT && p->rename)
            need(n, p->value);
        else if (s->kind == LOGQL_STAGE_LABEL_FORMAT)
            n->all |= !logql__format_names(p->value, need, n);
        else if (p->has_matcher)
            need(n, p->name);
    }
}

/* --- compiling --- */

static bool reads_line(const struct logql_stage *s)
{
    return s->kind == LOGQL_STAGE_LINE || s->kind == LOGQL_STAGE_JSON ||
           s->kind == LOGQL_STAGE_LOGFMT || s->kind == LOGQL_STAGE_REGEXP ||
           s->kind == LOGQL_STAGE_PATTERN || s->kind == LOGQL_STAGE_UNPACK ||
           s->kind == LOGQL_STAGE_DECOLORIZE || s->kind == LOGQL_STAGE_LINE_FORMAT ||
           s->kind == LOGQL_STAGE_LABEL_FORMAT /* __line__ */;
}

static int compile_line(const struct logql_stage *s, struct arena *arena, struct logql_step *out)
{
    out->patterns = ARENA_ARRAY(arena, struct logql_pattern, s->needle_count);
    out->ips = ARENA_ARRAY(arena, struct logql_ip_range, s->needle_count);
    for (size_t i = 0; i < s->needle_count; i++) {
        if (s->needles[i].is_ip)
            logql_ip_range_parse(s->needles[i].text, &out->ips[i]);
        else if (s->line_op >= LOGQL_PATTERN)
            logql_pattern_parse(s->needles[i].text, true, arena, &out->patterns[i], NULL);
    }
    return 0;
}

static int compile_formats(const struct logql_stage *s, struct arena *arena, struct logql_step *out,
                           struct diag *diag)
{
    bool line = s->kind == LOGQL_STAGE_LINE_FORMAT;
    out->format_count = line ? 1 : s->pair_count;
    out->formats = ARENA_ARRAY(arena, struct logql_formatted, out->format_count);
    for (size_t i = 0; i < out->format_count; i++) {
        struct logql_formatted *f = &out->formats[i];
        if (!line) {
            f->name = s->pairs[i].name;
            if (s->pairs[i].rename) {
                f->source = s->pairs[i].value;
                continue;
            }
        }
        int err = logql__format_new(line ? SLICE("line") : SLICE("label"),
                                    line ? s->text : s->pairs[i].value, arena, f, diag);
        if (err)
            return diag_wrap(diag,
                             line ? "invalid line template" : "invalid template for label '%.*s'",
                             SLICE_FMT(f->name));
    }
    return 0;
}

static int compile_stage(const struct logql_stage *s, struct arena *arena, struct logql_step *out,
                         struct diag *diag)
{
    int err = 0;
    out->stage = s;
    switch (s->kind) {
    case LOGQL_STAGE_LINE: return compile_line(s, arena, out);
    case LOGQL_STAGE_JSON:
        out->paths = ARENA_ARRAY(arena, struct logql_path, s->pair_count);
        for (size_t i = 0; i < s->pair_count && !err; i++)
            err = logql_path_parse(s->pairs[i].value, arena, &out->paths[i], diag);
        return err;
    case LOGQL_STAGE_PATTERN:
        out->patterns = ARENA_NEW(arena, struct logql_pattern);
        return logql_pattern_parse(s->text, false, arena, out->patterns, diag);
    case LOGQL_STAGE_LINE_FORMAT:
    case LOGQL_STAGE_LABEL_FORMAT: return compile_formats(s, arena, out, diag);
    default: return 0;
    }
}

static size_t stage_count(const struct logql_stage *s)
{
    size_t n = 0;
    for (; s; s = s->next)
        n++;
    return n;
}

/* Where numbers are asked for that do not depend on the line, formats of it behind which nothing
 * looks at it are left out, as Loki does: their templates are not even compiled. */
static void leave_out_formats(const struct logql_expr *log, bool *done)
{
    size_t i = 0, last = 0;
    for (const struct logql_stage *s = log->stages; s; s = s->next) {
        if (s->kind != LOGQL_STAGE_LINE_FORMAT && reads_line(s))
            last = i + 1;
        i++;
    }
    i = 0;
    for (const struct logql_stage *s = log->stages; s; s = s->next, i++) {
        if (i >= last && s->kind == LOGQL_STAGE_LINE_FORMAT)
            done[i] = true;
    }
}

static void add_field(struct logql_pipeline *p, struct store_event_field field, struct slice name)
{
    p->fields[p->field_count] = field;
    p->field_names[p->field_count++] = name;
}

/* Which columns the scan is to deliver. */
static void choose_fields(struct logql_pipeline *p, const struct names *n, struct arena *arena)
{
    size_t max = 1 + 2 * n->items.len;
    p->fields = ARENA_ARRAY(arena, struct store_event_field, max);
    p->field_names = ARENA_ARRAY(arena, struct slice, max);
    if (p->reads_line)
        add_field(p, STORE_EVENT_INTRINSIC(DATA_EVENT_LINE), SLICE(""));
    for (size_t i = 0; i < n->items.len && !n->all; i++) {
        struct slice name = n->items.items[i];
        uint32_t intrinsic = logql_intrinsic_of(name);
        if (slice_starts_with(name, SLICE("__")))
            continue;
        if (intrinsic != UINT32_MAX)
            add_field(p, STORE_EVENT_INTRINSIC(intrinsic), name);
        add_field(p, (struct store_event_field){.scopes = STORE_SCOPES_FIELDS, .name = name}, name);
    }
    p->all_fields = n->all;
}

int logql_pipeline_new(const struct logql_expr *log, const struct logql_unwrap *unwrap,
                       const struct logql_pipeline_options *o, struct arena *arena,
                       struct logql_pipeline **out, struct diag *diag)
{
    struct logql_pipeline *p = ARENA_NEW(arena, struct logql_pipeline);
    struct names n = {.all = o->all_labels};
    size_t count = stage_count(log->stages), i = 0;
    bool *done = ARENA_ARRAY(arena, bool, count);
    int err = 0;
    logql__push_down(log, arena, done, &p->clauses, &p->clause_count);
    if (o->counts && !o->bytes && !o->only_drops)
        leave_out_formats(log, done);
    p->reads_line = !o->counts || o->bytes;
    p->steps = ARENA_ARRAY(arena, struct logql_step, count);
    for (size_t k = 0; k < o->label_count; k++)
        need(&n, o->labels[k]);
    for (const struct logql_stage *s = log->stages; s && !err; s = s->next, i++) {
        if (done[i])
            continue;
        p->reads_line |= reads_line(s);
        need_stage(&n, s);
        err = compile_stage(s, arena, &p->steps[p->step_count++], diag);
    }
    if (unwrap) {
        p->unwrap = unwrap;
        p->unwrap_name = unwrap->name;
        need(&n, unwrap->name);
        p->unwrap_steps = ARENA_ARRAY(arena, struct logql_step, stage_count(unwrap->filters));
        for (const struct logql_stage *s = unwrap->filters; s && !err; s = s->next) {
            need_stage(&n, s);
            err = compile_stage(s, arena, &p->unwrap_steps[p->unwrap_step_count++], diag);
        }
    }
    choose_fields(p, &n, arena);
    p->all_labels = n.all;
    p->wanted =
        (struct logql_wanted){arena_dup(arena, n.items.items, n.items.len * sizeof(*n.items.items)),
                              n.items.len, o->counts && !o->only_drops};
    for (size_t k = 0; k < n.items.len; k++) {
        if (slice_starts_with(n.items.items[k], SLICE("__")))
            p->wanted.all_is_enough = false; /* errors matter */
    }
    p->plain = !p->step_count && !unwrap && !n.all;
    if (!err && o->counts && !o->bytes && !n.all)
        p->derive = logql__derive_new(p, arena);
    vec_free(&n.items);
    *out = p;
    return err;
}

bool logql_pipeline_is_picky(const struct logql_pipeline *p)
{
    bool parses = false;
    for (size_t i = 0; i < p->step_count; i++) {
        switch (p->steps[i].stage->kind) {
        case LOGQL_STAGE_JSON:
        case LOGQL_STAGE_LOGFMT:
        case LOGQL_STAGE_REGEXP:
        case LOGQL_STAGE_PATTERN:
        case LOGQL_STAGE_UNPACK: parses = true; break;
        case LOGQL_STAGE_LABEL_FILTER:
            if (parses)
                return true;
            break;
        default: break;
        }
    }
    return false;
}

/* --- running --- */

static bool line_passes(const struct logql_step *step, const struct logql_line *l)
{
    const struct logql_stage *s = step->stage;
    bool negative = s->line_op & 1;
    for (size_t i = 0; i < s->needle_count; i++) {
        const struct logql_needle *n = &s->needles[i];
        bool found = n->is_ip ? logql_ip_range_finds(&step->ips[i], l->text)
                     : s->line_op >= LOGQL_PATTERN
                         ? logql_pattern_matches(&step->patterns[i], l->text)
                     : s->line_op >= LOGQL_MATCHES ? text_regex_match(n->regex, l->text)
                                                   : slice_find(l->text, n->text) >= 0;
        if (found)
            return !negative;
    }
    return negative;
}

static bool matches_pair(const struct logql_pair *p, struct slice name, struct slice value)
{
    return slice_eq(p->name, name) &&
           (!p->has_matcher || store_matcher_matches(&p->matcher, value));
}

static void drop(const struct logql_step *step, struct logql_line *l)
{
    for (size_t i = 0; i < step->stage->pair_count; i++) {
        struct slice value = logql_line_get(l, step->stage->pairs[i].name);
        if (value.ptr && matches_pair(&step->stage->pairs[i], step->stage->pairs[i].name, value))
            logql_line_remove(l, step->stage->pairs[i].name);
    }
}

static void keep(const struct logql_step *step, struct logql_line *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->labels.len; i++) {
        const struct logql_label *label = &l->labels.items[i];
        bool stays = slice_starts_with(label->name, SLICE("__error"));
        for (size_t k = 0; k < step->stage->pair_count && !stays; k++)
            stays = matches_pair(&step->stage->pairs[k], label->name, label->value);
        if (stays)
            l->labels.items[n++] = *label;
    }
    l->labels.len = n;
}

static void label_format(const struct logql_step *step, struct logql_line *l)
{
    for (size_t i = 0; i < step->format_count; i++) {
        const struct logql_formatted *f = &step->formats[i];
        struct slice value;
        if (!f->template) {
            struct logql_label *from = logql_line_find(l, f->source);
            if (!from)
                continue;
            struct logql_label copy = *from;
            logql_line_remove(l, f->source);
            logql_line_set(l, f->name, copy.value, copy.category);
        } else if (logql__format_run(f, l, &value)) {
            logql_line_set(l, f->name, value, LOGQL_PARSED);
        }
    }
}

static bool run_step(const struct logql_pipeline *p, const struct logql_step *step,
                     struct logql_line *l)
{
    const struct logql_stage *s = step->stage;
    struct slice text;
    switch (s->kind) {
    case LOGQL_STAGE_LINE: return line_passes(step, l);
    case LOGQL_STAGE_LABEL_FILTER: return logql__filter_passes(s->filter, l);
    case LOGQL_STAGE_JSON:
        if (l->told)
            logql__derive_apply(p->derive, l);
        else if (step->stage->pair_count)
            logql_extract_json_paths(l, step->stage->pairs, step->paths, step->stage->pair_count);
        else
            logql_extract_json(l);
        break;
    case LOGQL_STAGE_LOGFMT:
        if (l->told)
            logql__derive_apply(p->derive, l);
        else
            logql_extract_logfmt(l, s->strict, s->keep_empty,
                                 step->stage->pair_count ? step->stage->pairs : NULL,
                                 step->stage->pair_count);
        break;
    case LOGQL_STAGE_REGEXP: logql_extract_regexp(l, s->regex, s->groups, s->group_count); break;
    case LOGQL_STAGE_PATTERN: logql_extract_pattern(l, step->patterns); break;
    case LOGQL_STAGE_UNPACK: logql_unpack(l); break;
    case LOGQL_STAGE_DECOLORIZE: logql_decolorize(l); break;
    case LOGQL_STAGE_LINE_FORMAT:
        if (logql__format_run(&step->formats[0], l, &text))
            l->text = text;
        break;
    case LOGQL_STAGE_LABEL_FORMAT: label_format(step, l); break;
    case LOGQL_STAGE_DROP: drop(step, l); break;
    case LOGQL_STAGE_KEEP: keep(step, l); break;
    }
    return true;
}

bool logql_pipeline_run(const struct logql_pipeline *p, struct logql_line *l)
{
    l->wanted = p->all_labels ? NULL : &p->wanted;
    for (size_t i = 0; i < p->step_count; i++) {
        if (!run_step(p, &p->steps[i], l))
            return false;
    }
    return true;
}

bool logql__convert(enum logql_convert how, struct slice text, double *out)
{
    int64_t ns;
    switch (how) {
    case LOGQL_CONVERT_NUMBER: return codec_text_to_double(text, out, NULL);
    case LOGQL_CONVERT_BYTES: return logql_bytes_parse(text, out);
    case LOGQL_CONVERT_DURATION:
        if (!logql_duration_parse(text, &ns))
            return false;
        *out = (double)ns;
        return true;
    }
    return false;
}

struct slice logql__convert_problem(enum logql_convert how, struct slice text, struct arena *arena)
{
    struct buf words = {0};
    switch (how) {
    case LOGQL_CONVERT_NUMBER:
        buf_printf(&words, "strconv.ParseFloat: parsing \"%.*s\": invalid syntax", SLICE_FMT(text));
        break;
    case LOGQL_CONVERT_BYTES: logql_bytes_problem(text, &words); break;
    case LOGQL_CONVERT_DURATION: logql_duration_problem(text, &words); break;
    }
    struct slice out = arena_slice(arena, buf_slice(&words));
    buf_deinit(&words);
    return out;
}

bool logql_pipeline_convert(const struct logql_pipeline *p, struct slice text, double *out)
{
    if (!logql__convert(p->unwrap->convert, text, out))
        return false;
    if (p->unwrap->convert == LOGQL_CONVERT_DURATION)
        *out /= 1e9;
    return true;
}

bool logql_pipeline_unwrap(const struct logql_pipeline *p, struct logql_line *l, double *out)
{
    struct slice text = logql_line_get(l, p->unwrap_name);
    if (!text.ptr)
        return false;
    *out = 0;
    if (!logql__convert(p->unwrap->convert, text, out)) {
        *out = 0;
        logql_line_fail(l, "SampleExtractionErr",
                        logql__convert_problem(p->unwrap->convert, text, l->arena));
    }
    if (p->unwrap->convert == LOGQL_CONVERT_DURATION)
        *out /= 1e9;
    for (size_t i = 0; i < p->unwrap_step_count; i++) {
        if (!run_step(p, &p->unwrap_steps[i], l))
            return false;
    }
    logql_line_remove(l, p->unwrap_name);
    return true;
}
