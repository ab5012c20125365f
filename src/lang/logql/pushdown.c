/* What a store's scan can do for a pipeline: line filters before anything changes the line, label
 * filters before anything changes the labels. */
#include "codec/hex.h"
#include "lang/logql/pipeline.h"

struct push {
    struct arena *arena;
    VEC(struct store_event_clause) clauses;
};

#define FIELD_SCOPES (STORE_SCOPES_FIELDS | STORE_SCOPE_BIT(DATA_SCOPE_STREAM))

static const struct {
    uint32_t intrinsic;
    struct slice label;
} labels[] = {{DATA_EVENT_LEVEL, SLICE_INIT("detected_level")},
              {DATA_EVENT_TRACE_ID, SLICE_INIT("trace_id")},
              {DATA_EVENT_SPAN_ID, SLICE_INIT("span_id")},
              {DATA_EVENT_SEVERITY, SLICE_INIT("severity_number")},
              {DATA_EVENT_SEVERITY_TEXT, SLICE_INIT("severity_text")},
              {DATA_EVENT_OBSERVED_TIME, SLICE_INIT("observed_timestamp")},
              {DATA_EVENT_EVENT_NAME, SLICE_INIT("event_name")},
              {DATA_EVENT_FLAGS, SLICE_INIT("flags")},
              {DATA_EVENT_DROPPED_ATTRIBUTES, SLICE_INIT("dropped_attributes_count")},
              {DATA_EVENT_SCOPE_NAME, SLICE_INIT("scope_name")},
              {DATA_EVENT_SCOPE_VERSION, SLICE_INIT("scope_version")},
              {DATA_EVENT_SCOPE_DROPPED, SLICE_INIT("scope_dropped_attributes_count")}};

uint32_t logql_intrinsic_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (slice_eq(name, labels[i].label))
            return labels[i].intrinsic;
    }
    return UINT32_MAX;
}

struct slice logql_intrinsic_label(uint32_t intrinsic)
{
    for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
        if (labels[i].intrinsic == intrinsic)
            return labels[i].label;
    }
    return SLICE("");
}

static void add_clause(struct push *p, const struct store_event_predicate *any, size_t count)
{
    vec_push(&p->clauses,
             ((struct store_event_clause){arena_dup(p->arena, any, count * sizeof(*any)), count}));
}

/* --- line filters --- */

/* The longest text that one alternative of a pattern cannot match without; empty when not known. */
static struct slice literal_of(struct slice s, struct arena *arena)
{
    struct buf now = {0}, best = {0};
    unsigned depth = 0;
    for (size_t i = 0; i <= s.len; i++) {
        char c = i < s.len ? s.ptr[i] : '\0';
        bool literal = i < s.len && (!c || !strchr(".^$*+?{}()[]|\\", c));
        if (c == '\\' && i + 1 < s.len && strchr(".^$*+?{}()[]|\\/-\"' ", s.ptr[i + 1])) {
            literal = true;
            c = s.ptr[++i];
        } else if (c == '\\' && i + 1 < s.len) {
            i++; /* a class; one of several bytes may leave text that is none: not taken */
            if (!strchr("dDwWsSb", s.ptr[i])) {
                buf_clear(&best);
                break;
            }
        } else if (c == '[') {
            ptrdiff_t end = slice_find_char(slice_from(s, MIN(i + 2, s.len)), ']');
            if (end < 0)
                break;
            i += 2 + (size_t)end;
        }
        depth += !literal && c == '(';
        if (literal && !depth)
            buf_append_char(&now, c);
        /* The quantifier is of the last character alone. */
        if (!literal && (c == '*' || c == '?' || c == '{') && now.len) {
            while (now.len && ((unsigned char)now.ptr[now.len - 1] & 0xc0) == 0x80)
                now.len--;
            now.len -= now.len > 0;
        }
        if (!literal && c == '{') {
            ptrdiff_t end = slice_find_char(slice_from(s, i), '}');
            i += end < 0 ? 0 : (size_t)end;
        }
        if (!literal) {
            if (now.len > best.len) {
                buf_clear(&best);
                buf_append_slice(&best, buf_slice(&now));
            }
            buf_clear(&now);
        }
        depth -= !literal && c == ')' && depth;
    }
    struct slice out = arena_slice(arena, buf_slice(&best));
    buf_deinit(&now);
    buf_deinit(&best);
    return out;
}

/* For the store's indexes: see store_event_predicate.literals. */
static void find_literals(struct push *p, struct slice pattern, struct store_event_predicate *out)
{
    VEC(struct slice) found = {0};
    unsigned depth = 0;
    size_t begin = 0;
    bool ok = slice_find(pattern, SLICE("(?")) < 0 && slice_find(pattern, SLICE("\\Q")) < 0;
    for (size_t i = 0; i <= pattern.len && ok; i++) {
        char c = i < pattern.len ? pattern.ptr[i] : '|';
        if (c == '\\' && i + 1 < pattern.len)
            i++;
        else if (c == '(' || c == '[')
            depth++;
        else if ((c == ')' || c == ']') && depth)
            depth--;
        else if (c == '|' && !depth) {
            struct slice one = literal_of(slice_make(pattern.ptr + begin, i - begin), p->arena);
            ok = one.len > 2;
            vec_push(&found, one);
            begin = i + 1;
        }
    }
    if (ok && begin > pattern.len) {
        out->literals = arena_dup(p->arena, found.items, found.len * sizeof(*found.items));
        out->literal_count = found.len;
    }
    vec_free(&found);
}

static struct store_event_predicate line_predicate(struct push *p, const struct logql_stage *s,
                                                   const struct logql_needle *n)
{
    static const enum store_event_op ops[] = {STORE_EVENT_CONTAINS, STORE_EVENT_NOT_CONTAINS,
                                              STORE_EVENT_MATCH, STORE_EVENT_NOT_MATCH};
    bool negative = s->line_op == LOGQL_NOT_CONTAINS || s->line_op == LOGQL_NOT_MATCHES;
    struct store_event_predicate pred = {.op = ops[s->line_op],
                                         .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                                         .value = data_value_string(n->text),
                                         .regex = n->regex};
    bool empty_matches =
        n->regex ? text_regex_match(n->regex, SLICE("")) : !n->text.len; /* what no line is */
    pred.absent = negative ? !empty_matches : empty_matches;
    if (s->line_op == LOGQL_MATCHES)
        find_literals(p, n->text, &pred);
    return pred;
}

/* True when the store does all of it. */
static bool push_line(struct push *p, const struct logql_stage *s)
{
    VEC(struct store_event_predicate) any = {0};
    bool negative = s->line_op & 1;
    if (s->line_op >= LOGQL_PATTERN) {
        struct logql_pattern pattern;
        if (s->line_op == LOGQL_PATTERN && s->needle_count == 1 &&
            !logql_pattern_parse(s->needles[0].text, true, p->arena, &pattern, NULL)) {
            /* All of its literals have to be there; the rest is seen row by row. */
            for (size_t i = 0; i < pattern.count; i++) {
                if (pattern.parts[i].capture)
                    continue;
                struct store_event_predicate pred = {
                    .op = STORE_EVENT_CONTAINS,
                    .field = STORE_EVENT_INTRINSIC(DATA_EVENT_LINE),
                    .value = data_value_string(pattern.parts[i].text)};
                add_clause(p, &pred, 1);
            }
        }
        return false;
    }
    for (size_t i = 0; i < s->needle_count; i++) {
        if (s->needles[i].is_ip) {
            vec_free(&any);
            return false;
        }
        vec_push(&any, line_predicate(p, s, &s->needles[i]));
        if (negative)
            add_clause(p, &any.items[i], 1);
    }
    if (!negative)
        add_clause(p, any.items, any.len);
    vec_free(&any);
    return true;
}

/* --- label filters --- */

static const enum store_event_op match_ops[] = {STORE_EVENT_EQ, STORE_EVENT_NE, STORE_EVENT_MATCH,
                                                STORE_EVENT_NOT_MATCH};

static struct store_event_predicate named(struct slice name)
{
    return (struct store_event_predicate){
        .field = {.scopes = FIELD_SCOPES, .name = name, .stream_first = true}, .as_text = true};
}

/* The bytes of an id whose text, in lower-case hex, this is. */
static bool id_bytes(struct arena *arena, struct slice text, struct data_value *out)
{
    char *bytes = arena_alloc(arena, text.len / 2 + 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
            return false;
    }
    if (!text.len || !codec_text_to_bytes(text, bytes, text.len / 2))
        return false;
    *out = (struct data_value){.kind = DATA_VALUE_BYTES, .text = slice_make(bytes, text.len / 2)};
    return true;
}

typedef VEC(struct store_event_predicate) predicates;

/* Adds the alternatives that the filter is; false when it is more than that. *exact: it is not
 * only needed, but all of it. */
static bool alternatives(struct arena *arena, const struct logql_filter *f, predicates *out,
                         bool *exact)
{
    if (f->kind == LOGQL_FILTER_OR)
        return alternatives(arena, f->left, out, exact) &&
               alternatives(arena, f->right, out, exact);
    if (f->kind == LOGQL_FILTER_AND)
        return false;
    if (slice_starts_with(f->name, SLICE("__")) || slice_ends_with(f->name, SLICE(LOGQL_EXTRACTED)))
        return false;
    uint32_t intrinsic = logql_intrinsic_of(f->name);
    if (f->kind == LOGQL_FILTER_STRING) {
        bool empty = store_matcher_matches(&f->matcher, SLICE(""));
        struct store_event_predicate p = named(f->name);
        p.op = match_ops[f->matcher.op];
        p.value = data_value_string(f->matcher.value);
        p.regex = f->matcher.regex;
        p.absent = p.mismatch = empty;
        if (intrinsic == UINT32_MAX) {
            vec_push(out, p);
            return true;
        }
        if (empty || p.op == STORE_EVENT_NE || p.op == STORE_EVENT_NOT_MATCH)
            return false;
        vec_push(out, p);
        p.field = STORE_EVENT_INTRINSIC(intrinsic);
        if (p.op == STORE_EVENT_EQ && data_event_intrinsic_kind(intrinsic) == DATA_VALUE_BYTES) {
            if (!id_bytes(arena, p.value.text, &p.value))
                return true; /* no id is spelled so */
            p.as_text = false;
        }
        vec_push(out, p);
        return true;
    }
    static const enum store_event_op ops[] = {STORE_EVENT_EQ, STORE_EVENT_NE, STORE_EVENT_LT,
                                              STORE_EVENT_LE, STORE_EVENT_GT, STORE_EVENT_GE};
    if (f->kind != LOGQL_FILTER_NUMBER || intrinsic != UINT32_MAX)
        return false;
    struct store_event_predicate p = named(f->name);
    p.op = ops[f->compare];
    p.value = data_value_double(f->number);
    p.mismatch = true; /* what is no number is an error of the line, and stays */
    *exact = false;
    vec_push(out, p);
    return true;
}

static bool push_filter(struct push *p, const struct logql_filter *f)
{
    if (f->kind == LOGQL_FILTER_AND) {
        bool left = push_filter(p, f->left);
        return push_filter(p, f->right) && left;
    }
    predicates any = {0};
    bool exact = true, pushed = alternatives(p->arena, f, &any, &exact);
    if (pushed)
        add_clause(p, any.items, any.len);
    vec_free(&any);
    return pushed && exact;
}

void logql__push_down(const struct logql_expr *log, struct arena *arena, bool *done,
                      struct store_event_clause **out, size_t *out_count)
{
    struct push p = {.arena = arena};
    bool line = true, names = true;
    size_t i = 0;
    for (const struct logql_stage *s = log->stages; s; s = s->next, i++) {
        switch (s->kind) {
        case LOGQL_STAGE_LINE: done[i] = line && push_line(&p, s); break;
        case LOGQL_STAGE_LABEL_FILTER: done[i] = names && push_filter(&p, s->filter); break;
        case LOGQL_STAGE_LINE_FORMAT:
            line = names = false; /* and may set an error */
            break;
        case LOGQL_STAGE_DECOLORIZE: line = false; break;
        case LOGQL_STAGE_UNPACK: line = names = false; break;
        default: names = false; break;
        }
    }
    *out_count = p.clauses.len;
    *out = arena_dup(arena, p.clauses.items, p.clauses.len * sizeof(*p.clauses.items));
    vec_free(&p.clauses);
}
