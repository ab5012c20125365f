#include "lang/traceql/engine.h"

#include <stdlib.h>

struct run {
    const struct traceql_rows *r;
    size_t n; /* spans of the trace */
    bool failed;
};

static void *alloc(struct run *x, size_t count, size_t size)
{
    void *out = arena_calloc(x->r->arena, count ? count : 1, size);
    x->failed |= !out;
    return out;
}

/* --- sets: a byte for each span of the trace --- */

static bool run_pipeline(struct run *x, const struct traceql_pipeline *p,
                         struct traceql_spansets in, struct traceql_spansets *out);

static struct traceql_spansets one_of(struct run *x, const uint8_t *in)
{
    struct traceql_spansets out = {alloc(x, 1, sizeof(struct traceql_spanset)), 1};
    uint32_t *rows = alloc(x, x->n, sizeof(*rows));
    size_t n = 0;
    if (x->failed)
        return (struct traceql_spansets){0};
    for (size_t i = 0; i < x->n; i++) {
        if (in[i])
            rows[n++] = (uint32_t)i;
    }
    out.items[0] = (struct traceql_spanset){.rows = rows, .count = n};
    return out;
}

static const uint8_t *filtered(struct run *x, const struct traceql_expr *e, const uint8_t *in)
{
    uint8_t *out = alloc(x, x->n, 1);
    for (size_t i = 0; !x->failed && i < x->n; i++)
        out[i] = in[i] && (!e || traceql__is_true(traceql__eval(x->r, e, x->r->trace->first + i)));
    return out;
}

/* Of the spans of b those that stand so to a span of a. */
static void relate(struct run *x, enum traceql_op op, const uint8_t *a, const uint8_t *b,
                   uint8_t *out)
{
    const uint32_t *parent = x->r->trace->parent;
    const uint32_t *below = x->r->chunk->descendants + x->r->trace->first;
    uint32_t *count = alloc(x, x->n + 1, sizeof(*count));
    size_t covered = 0; /* spans before this one lie below of one of a */
    if (x->failed)
        return;
    switch (op) {
    case TRACEQL_CHILD:
        for (size_t i = 0; i < x->n; i++)
            out[i] = b[i] && parent[i] != TRACEQL_NO_ROW && a[parent[i]];
        break;
    case TRACEQL_DESCENDANT:
        for (size_t i = 0; i < x->n; i++) {
            out[i] = b[i] && i < covered;
            if (a[i])
                covered = MAX(covered, i + below[i] + 1);
        }
        break;
    case TRACEQL_PARENT:
        for (size_t i = 0; i < x->n; i++) {
            if (a[i] && parent[i] != TRACEQL_NO_ROW)
                out[parent[i]] = b[parent[i]];
        }
        break;
    case TRACEQL_ANCESTOR:
        for (size_t i = 0; i < x->n; i++)
            count[i + 1] = count[i] + a[i];
        for (size_t i = 0; i < x->n; i++)
            out[i] = b[i] && count[MIN(i + below[i] + 1, x->n)] > count[i + 1];
        break;
    case TRACEQL_SIBLING:
        for (size_t i = 0; i < x->n; i++) {
            if (a[i] && parent[i] != TRACEQL_NO_ROW)
                count[parent[i]]++;
        }
        for (size_t i = 0; i < x->n; i++)
            out[i] = b[i] && parent[i] != TRACEQL_NO_ROW && count[parent[i]] > a[i];
        break;
    default: break;
    }
}

static enum traceql_op reversed(enum traceql_op op)
{
    switch (op) {
    case TRACEQL_CHILD: return TRACEQL_PARENT;
    case TRACEQL_PARENT: return TRACEQL_CHILD;
    case TRACEQL_DESCENDANT: return TRACEQL_ANCESTOR;
    case TRACEQL_ANCESTOR: return TRACEQL_DESCENDANT;
    default: return op;
    }
}

static bool is_empty(const struct run *x, const uint8_t *set)
{
    return !memchr(set, 1, x->n);
}

static const uint8_t *set_of(struct run *x, const struct traceql_set *s, const uint8_t *in);

static const uint8_t *combined(struct run *x, const struct traceql_set *s, const uint8_t *in)
{
    const uint8_t *a = set_of(x, s->a, in), *b = set_of(x, s->b, in);
    uint8_t *out = alloc(x, x->n, 1), *more;
    if (x->failed)
        return out;
    switch (s->op) {
    case TRACEQL_AND:
        if (is_empty(x, a) || is_empty(x, b))
            break;
        /* fallthrough */
    case TRACEQL_OR:
        for (size_t i = 0; i < x->n; i++)
            out[i] = a[i] | b[i];
        break;
    case TRACEQL_CHILD:
    case TRACEQL_DESCENDANT:
    case TRACEQL_PARENT:
    case TRACEQL_ANCESTOR:
    case TRACEQL_SIBLING: relate(x, s->op, a, b, out); break;
    case TRACEQL_NOT_CHILD:
    case TRACEQL_NOT_DESCENDANT:
    case TRACEQL_NOT_PARENT:
    case TRACEQL_NOT_ANCESTOR:
    case TRACEQL_NOT_SIBLING:
        relate(x, s->op - TRACEQL_NOT_CHILD + TRACEQL_CHILD, a, b, out);
        for (size_t i = 0; i < x->n; i++)
            out[i] = b[i] && !out[i];
        break;
    default: {
        enum traceql_op op = s->op - TRACEQL_WITH_CHILD + TRACEQL_CHILD;
        more = alloc(x, x->n, 1);
        if (x->failed)
            break;
        relate(x, op, a, b, out);
        relate(x, reversed(op), b, a, more);
        for (size_t i = 0; i < x->n; i++)
            out[i] |= more[i];
    }
    }
    return out;
}

static const uint8_t *set_of(struct run *x, const struct traceql_set *s, const uint8_t *in)
{
    struct traceql_spansets sets;
    uint8_t *out;
    switch (s->kind) {
    case TRACEQL_SET_FILTER: return filtered(x, s->expr, in);
    case TRACEQL_SET_OP: return combined(x, s, in);
    case TRACEQL_SET_PIPELINE: break;
    }
    out = alloc(x, x->n, 1);
    if (x->failed || !run_pipeline(x, s->pipeline, one_of(x, in), &sets))
        return out;
    for (size_t i = 0; i < sets.count; i++) {
        for (size_t k = 0; k < sets.items[i].count; k++)
            out[sets.items[i].rows[k]] = 1;
    }
    return out;
}

/* --- numbers of a spanset --- */

static struct traceql_value aggregate(struct run *x, const struct traceql_scalar *s,
                                      const struct traceql_spanset *set)
{
    struct traceql_value best = {0}, total = {0};
    int64_t n = 0;
    if (s->aggregate == TRACEQL_AGG_COUNT)
        return traceql__int(TRACEQL_INT, (int64_t)set->count);
    for (size_t i = 0; i < set->count; i++) {
        struct traceql_value v = traceql__eval(x->r, s->expr, x->r->trace->first + set->rows[i]);
        if (!traceql__is_number(v.kind))
            continue;
        if (!n ||
            (s->aggregate == TRACEQL_AGG_MIN && traceql__compare(TRACEQL_LT, v, best, NULL)) ||
            (s->aggregate == TRACEQL_AGG_MAX && traceql__compare(TRACEQL_GT, v, best, NULL)))
            best = v;
        total = n ? traceql__calculate(TRACEQL_ADD, total, v) : v;
        n++;
    }
    if (!n || s->aggregate == TRACEQL_AGG_MIN || s->aggregate == TRACEQL_AGG_MAX)
        return best;
    if (s->aggregate == TRACEQL_AGG_SUM)
        return total;
    double d;
    (void)traceql__number(total, &d);
    d /= (double)n;
    if (total.kind == TRACEQL_DURATION)
        return traceql__int(TRACEQL_DURATION, (int64_t)d);
    return (struct traceql_value){.kind = TRACEQL_FLOAT, .d = d};
}

struct marks {
    VEC(struct traceql_mark) items;
};

static struct traceql_value scalar(struct run *x, const struct traceql_scalar *s,
                                   const struct traceql_spanset *set, struct marks *marks)
{
    struct traceql_value a, b;
    switch (s->kind) {
    case TRACEQL_SCALAR_VALUE: return s->value;
    case TRACEQL_SCALAR_AGGREGATE:
        if (s->pipeline) {
            struct traceql_spansets sets = {0};
            uint8_t *all = alloc(x, x->n, 1);
            if (x->failed)
                return (struct traceql_value){0};
            memset(all, 1, x->n);
            (void)run_pipeline(x, s->pipeline, one_of(x, all), &sets);
            struct traceql_spanset none = {0};
            return aggregate(x, s, sets.count ? &sets.items[0] : &none);
        }
        a = aggregate(x, s, set);
        struct buf name = {0};
        traceql__print_scalar(x->r->query, s, &name);
        vec_push(&marks->items,
                 ((struct traceql_mark){arena_slice(x->r->arena, buf_slice(&name)), a}));
        buf_deinit(&name);
        return a;
    case TRACEQL_SCALAR_OP: break;
    }
    a = scalar(x, s->a, set, marks);
    b = scalar(x, s->b, set, marks);
    return traceql__is_compare(s->op) ? traceql__bool(traceql__compare(s->op, a, b, NULL))
                                      : traceql__calculate(s->op, a, b);
}

static void add_marks(struct run *x, struct traceql_spanset *set, const struct traceql_mark *more,
                      size_t count)
{
    struct traceql_mark *all = alloc(x, set->mark_count + count, sizeof(*all));
    if (x->failed || !count)
        return;
    if (set->mark_count)
        memcpy(all, set->marks, set->mark_count * sizeof(*all));
    memcpy(all + set->mark_count, more, count * sizeof(*all));
    set->marks = all;
    set->mark_count += count;
}

static bool keeps(struct run *x, const struct traceql_scalar *s, struct traceql_spanset *set)
{
    struct marks marks = {0};
    bool keep = traceql__is_true(scalar(x, s, set, &marks));
    if (keep)
        add_marks(x, set, marks.items.items, marks.items.len);
    vec_free(&marks.items);
    return keep && !x->failed;
}

/* --- stages --- */

struct keyed {
    const struct traceql_value *values;
    size_t count;
    uint32_t row;
};

static int by_values(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    for (size_t i = 0; i < x->count; i++) {
        int c = traceql__value_cmp(x->values[i], y->values[i]);
        if (c)
            return c;
    }
    return (x->row > y->row) - (x->row < y->row);
}

static bool same_group(const struct keyed *a, const struct keyed *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (traceql__value_cmp(a->values[i], b->values[i]))
            return false;
    }
    return true;
}

/* A spanset for each combination of values; adds to *out, which has room for one a span. */
static void group(struct run *x, const struct traceql_stage *s, const struct traceql_spanset *set,
                  struct traceql_spansets *out)
{
    struct keyed *keys = alloc(x, set->count, sizeof(*keys));
    struct traceql_value *values = alloc(x, set->count * s->expr_count, sizeof(*values));
    struct traceql_mark *marks = alloc(x, s->expr_count, sizeof(*marks));
    uint32_t *rows = alloc(x, set->count, sizeof(*rows));
    if (x->failed)
        return;
    for (size_t i = 0; i < set->count; i++) {
        keys[i] = (struct keyed){values + i * s->expr_count, s->expr_count, set->rows[i]};
        for (size_t k = 0; k < s->expr_count; k++)
            values[i * s->expr_count + k] =
                traceql__eval(x->r, s->exprs[k], x->r->trace->first + set->rows[i]);
    }
    if (set->count)
        qsort(keys, set->count, sizeof(*keys), by_values);
    for (size_t i = 0; i < set->count; i++)
        rows[i] = keys[i].row;
    for (size_t i = 0, end; i < set->count && !x->failed; i = end) {
        for (end = i + 1; end < set->count && same_group(&keys[i], &keys[end]); end++) {
        }
        struct traceql_spanset *to = &out->items[out->count++];
        *to = *set;
        to->rows = rows + i;
        to->count = end - i;
        for (size_t k = 0; k < s->expr_count; k++) {
            struct buf name = {0};
            buf_append_cstr(&name, "by(");
            traceql__print_expr(x->r->query, s->exprs[k], &name);
            buf_append_char(&name, ')');
            marks[k] = (struct traceql_mark){arena_slice(x->r->arena, buf_slice(&name)),
                                             keys[i].values[k]};
            buf_deinit(&name);
        }
        add_marks(x, to, marks, s->expr_count);
    }
}

static void coalesce(struct run *x, const struct traceql_spansets *in, struct traceql_spansets *out)
{
    uint8_t *all = alloc(x, x->n, 1);
    for (size_t i = 0; !x->failed && i < in->count; i++) {
        for (size_t k = 0; k < in->items[i].count; k++)
            all[in->items[i].rows[k]] = 1;
    }
    if (!x->failed && in->count)
        *out = one_of(x, all);
}

static void run_stage(struct run *x, const struct traceql_stage *s,
                      const struct traceql_spansets *in, struct traceql_spansets *out)
{
    out->items = alloc(x, s->kind == TRACEQL_STAGE_BY ? x->n : in->count, sizeof(*out->items));
    out->count = 0;
    if (x->failed)
        return;
    if (s->kind == TRACEQL_STAGE_COALESCE) {
        coalesce(x, in, out);
        return;
    }
    for (size_t i = 0; i < in->count && !x->failed; i++) {
        struct traceql_spanset set = in->items[i];
        switch (s->kind) {
        case TRACEQL_STAGE_SET: {
            uint8_t *bits = alloc(x, x->n, 1);
            if (x->failed)
                return;
            for (size_t k = 0; k < set.count; k++)
                bits[set.rows[k]] = 1;
            struct traceql_spansets one = one_of(x, set_of(x, s->set, bits));
            if (x->failed)
                return;
            set.rows = one.items[0].rows;
            set.count = one.items[0].count;
            break;
        }
        case TRACEQL_STAGE_SCALAR:
            if (!keeps(x, s->scalar, &set))
                set.count = 0;
            break;
        case TRACEQL_STAGE_BY: group(x, s, &set, out); continue;
        default: break;
        }
        if (set.count)
            out->items[out->count++] = set;
    }
}

static bool run_pipeline(struct run *x, const struct traceql_pipeline *p,
                         struct traceql_spansets in, struct traceql_spansets *out)
{
    *out = in;
    for (size_t i = 0; i < p->count && !x->failed; i++) {
        struct traceql_spansets next;
        run_stage(x, &p->stages[i], out, &next);
        *out = next;
    }
    if (x->failed)
        *out = (struct traceql_spansets){0};
    return !x->failed;
}

int traceql__run(const struct traceql_rows *r, const struct traceql_pipeline *p,
                 struct traceql_spansets *out)
{
    struct run x = {.r = r, .n = r->trace->count};
    uint8_t *all = alloc(&x, x.n, 1);
    *out = (struct traceql_spansets){0};
    if (!x.failed) {
        memset(all, 1, x.n);
        (void)run_pipeline(&x, p, one_of(&x, all), out);
    }
    return x.failed ? ERR_NOMEM : 0;
}
