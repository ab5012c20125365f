/* What predicates mean, value by value. */
#include "codec/hex.h"
#include "store/events.h"
#include "text/regex.h"

void store_event_chunk_free(struct store_event_chunk *c)
{
    arena_free(c->arena);
    *c = (struct store_event_chunk){0};
}

void store_event_stats_add(struct store_event_stats *to, const struct store_event_stats *more)
{
    to->rows_scanned += more->rows_scanned;
    to->bytes_scanned += more->bytes_scanned;
    to->raw_bytes_scanned += more->raw_bytes_scanned;
    to->rows_delivered += more->rows_delivered;
    to->lines_told += more->lines_told;
    to->head_rows += more->head_rows;
    to->groups += more->groups;
    to->groups_opened += more->groups_opened;
    to->skipped_by_stream += more->skipped_by_stream;
    to->skipped_by_zone += more->skipped_by_zone;
    to->skipped_by_token += more->skipped_by_token;
    to->skipped_by_limit += more->skipped_by_limit;
}

static bool is_id(struct store_event_field f)
{
    if (f.scopes == STORE_SCOPE_BIT(DATA_SCOPE_LINK))
        return f.intrinsic == DATA_CHILD_TRACE_ID || f.intrinsic == DATA_CHILD_SPAN_ID;
    return f.scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
           (f.intrinsic == DATA_EVENT_TRACE_ID || f.intrinsic == DATA_EVENT_SPAN_ID ||
            f.intrinsic == DATA_EVENT_PARENT_ID);
}

void store_event_text(struct store_event_field field, struct data_value v, struct buf *out)
{
    if (v.kind == DATA_VALUE_BYTES && is_id(field))
        codec_append_hex(out, v.text);
    else
        data_value_print(v, out);
}

/* Strings and JSON without a copy. */
static struct slice text_of(struct store_event_field field, struct data_value v,
                            struct buf *scratch)
{
    if (v.kind == DATA_VALUE_STRING || v.kind == DATA_VALUE_JSON)
        return v.text;
    buf_clear(scratch);
    store_event_text(field, v, scratch);
    return buf_slice(scratch);
}

static bool ordered(enum store_event_op op, int c)
{
    switch (op) {
    case STORE_EVENT_EQ: return c == 0;
    case STORE_EVENT_NE: return c != 0;
    case STORE_EVENT_LT: return c < 0;
    case STORE_EVENT_LE: return c <= 0;
    case STORE_EVENT_GT: return c > 0;
    default: return c >= 0;
    }
}

/* NaN is not equal to anything. */
static bool numbers(enum store_event_op op, double a, double b)
{
    switch (op) {
    case STORE_EVENT_EQ: return a == b;
    case STORE_EVENT_NE: return a != b;
    case STORE_EVENT_LT: return a < b;
    case STORE_EVENT_LE: return a <= b;
    case STORE_EVENT_GT: return a > b;
    default: return a >= b;
    }
}

static bool compare(const struct store_event_predicate *p, struct data_value v, struct buf *scratch)
{
    struct data_value to = p->value;
    double a, b;
    if (p->as_text && to.kind == DATA_VALUE_STRING)
        return ordered(p->op, slice_cmp(text_of(p->field, v, scratch), to.text));
    if (v.kind == DATA_VALUE_INT && to.kind == DATA_VALUE_INT)
        return ordered(p->op, (v.i > to.i) - (v.i < to.i));
    if (data_value_number(to, false, &b))
        return data_value_number(v, p->as_text, &a) ? numbers(p->op, a, b) : p->mismatch;
    if (to.kind == DATA_VALUE_BOOL)
        return v.kind == DATA_VALUE_BOOL ? ordered(p->op, (v.i > to.i) - (v.i < to.i))
                                         : p->mismatch;
    bool alike = to.kind == DATA_VALUE_BYTES
                     ? v.kind == DATA_VALUE_BYTES
                     : v.kind == DATA_VALUE_STRING || v.kind == DATA_VALUE_JSON;
    return alike && data_value_has_text(to.kind) ? ordered(p->op, slice_cmp(v.text, to.text))
                                                 : p->mismatch;
}

static bool is_in(const struct store_event_predicate *p, struct data_value v, struct buf *scratch)
{
    struct slice text =
        v.kind == DATA_VALUE_BYTES && is_id(p->field) ? v.text : text_of(p->field, v, scratch);
    for (size_t i = 0; i < p->set_count; i++) {
        if (slice_eq(p->set[i], text))
            return true;
    }
    return false;
}

bool store_event_satisfies(const struct store_event_predicate *p, struct data_value v,
                           struct buf *scratch)
{
    if (v.kind == DATA_VALUE_NULL)
        return p->absent;
    if (p->kinds && !(p->kinds >> v.kind & 1))
        return false;
    switch (p->op) {
    case STORE_EVENT_HAS: return !p->absent;
    case STORE_EVENT_IN: return is_in(p, v, scratch);
    case STORE_EVENT_CONTAINS: return slice_find(text_of(p->field, v, scratch), p->value.text) >= 0;
    case STORE_EVENT_NOT_CONTAINS:
        return slice_find(text_of(p->field, v, scratch), p->value.text) < 0;
    case STORE_EVENT_MATCH: return text_regex_match(p->regex, text_of(p->field, v, scratch));
    case STORE_EVENT_NOT_MATCH: return !text_regex_match(p->regex, text_of(p->field, v, scratch));
    default: return compare(p, v, scratch);
    }
}

static struct data_value own_value(const struct data_event_child *c, int64_t ts_ns, uint32_t field)
{
    struct data_value none = {0};
    switch (field) {
    case DATA_CHILD_NAME: return c->kind == DATA_CHILD_EVENT ? data_value_string(c->name) : none;
    case DATA_CHILD_TIME:
        return c->kind == DATA_CHILD_EVENT
                   ? data_value_int((int64_t)((uint64_t)c->ts_ns - (uint64_t)ts_ns))
                   : none;
    case DATA_CHILD_TRACE_ID: return c->trace_id.len ? data_value_bytes(c->trace_id) : none;
    case DATA_CHILD_SPAN_ID: return c->span_id.len ? data_value_bytes(c->span_id) : none;
    case DATA_CHILD_TRACE_STATE:
        return c->trace_state.len ? data_value_string(c->trace_state) : none;
    case DATA_CHILD_FLAGS: return c->flags ? data_value_int(c->flags) : none;
    case DATA_CHILD_DROPPED: return c->dropped ? data_value_int(c->dropped) : none;
    default: return none;
    }
}

struct data_value store_event_child_value(const struct store_event_children *all,
                                          const struct data_event_child *child, int64_t ts_ns,
                                          struct store_event_field field)
{
    struct data_value out = {0};
    enum data_event_scope scope =
        child->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT : DATA_SCOPE_LINK;
    bool exact = false;
    if (!(field.scopes & STORE_SCOPE_BIT(scope)))
        return out;
    if (field.intrinsic)
        return own_value(child, ts_ns, field.intrinsic);
    for (uint32_t i = 0; i < child->count; i++) {
        const struct data_event_attr *a = &all->attrs[child->first + i];
        bool same = slice_eq(all->names[a->field], field.name);
        if (!same && (exact || !data_event_name_matches(all->names[a->field], field.name)))
            continue;
        exact |= same;
        out = a->value;
    }
    return out;
}

bool store_event_children_satisfy(const struct store_event_predicate *p,
                                  const struct store_event_children *all, int64_t ts_ns,
                                  struct buf *scratch)
{
    bool any = false;
    for (size_t i = 0; all && i < all->count; i++) {
        struct data_value v = store_event_child_value(all, &all->items[i], ts_ns, p->field);
        if (v.kind == DATA_VALUE_NULL)
            continue;
        any = true;
        if (store_event_satisfies(p, v, scratch))
            return true;
    }
    return !any && p->absent;
}
