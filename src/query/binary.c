/* Binary operators: scalars, vectors with matching, sets. The rows of one operand become those of
 * the result. */
#include <math.h>

#include "base/mem.h"
#include "codec/json_write.h"
#include "query/binary_histogram.h"
#include "query/match.h"

static bool is_comparison(enum query_binary_op op)
{
    return op >= QUERY_EQ && op <= QUERY_GE;
}

static bool is_trim(enum query_binary_op op)
{
    return op == QUERY_TRIM_UPPER || op == QUERY_TRIM_LOWER;
}

/* The value, and whether a comparison holds. */
static double apply(enum query_binary_op op, double a, double b, bool *keep)
{
    *keep = true;
    switch (op) {
    case QUERY_ADD: return a + b;
    case QUERY_SUB: return a - b;
    case QUERY_MUL: return a * b;
    case QUERY_DIV: return a / b;
    case QUERY_DIV_OR_NAN: return b == 0 ? NAN : a / b;
    case QUERY_MOD: return fmod(a, b);
    case QUERY_POW: return pow(a, b);
    case QUERY_ATAN2: return atan2(a, b);
    case QUERY_EQ: *keep = a == b; return a;
    case QUERY_NE: *keep = a != b; return a;
    case QUERY_LT: *keep = a < b; return a;
    case QUERY_LE: *keep = a <= b; return a;
    case QUERY_GT: *keep = a > b; return a;
    case QUERY_GE: *keep = a >= b; return a;
    default: return NAN;
    }
}

static int scalar_scalar(struct query_exec *x, const struct query_node *n, struct query_grid *l,
                         struct query_grid *r, struct query_grid *out)
{
    double *row = query__add_scalar(x, out);
    for (size_t s = 0; row && s < x->step_count; s++) {
        bool keep;
        row[s] = apply(n->binary, l->rows[0].value[s], r->rows[0].value[s], &keep);
        if (is_comparison(n->binary))
            row[s] = keep;
    }
    return row ? 0 : ERR_NOMEM;
}

static bool drops_name(const struct query_node *n)
{
    return (!is_comparison(n->binary) && !is_trim(n->binary)) || n->return_bool;
}

/* In place: a row's values become those of the result. */
static int vector_scalar(struct query_exec *x, const struct query_node *n, struct query_grid *g,
                         const double *scalar, bool scalar_left)
{
    bool drop = drops_name(n);
    for (size_t i = 0; i < g->count; i++) {
        struct query_row *row = &g->rows[i];
        if (drop && !x->plan->delayed_name_removal)
            row->labels = query__drop_name(x, row->labels);
        row->drop_name = row->drop_name || drop;
        for (size_t s = 0; s < x->step_count; s++) {
            if (!row->has[s])
                continue;
            const struct data_histogram *h = query__histogram_at(row, s);
            double was = row->value[s];
            if (h || is_trim(n->binary)) {
                const struct query_operand vec = {was, h}, num = {scalar[s], NULL};
                row->has[s] = 0;
                int err = query__binary_histogram(x, n, scalar_left ? num : vec,
                                                  scalar_left ? vec : num, row, s);
                if (err)
                    return err;
                continue;
            }
            bool keep;
            double v = apply(n->binary, scalar_left ? scalar[s] : was,
                             scalar_left ? was : scalar[s], &keep);
            if (is_comparison(n->binary))
                v = n->return_bool ? keep : was;
            row->has[s] = keep || n->return_bool;
            row->value[s] = v;
        }
    }
    return drop && !x->plan->delayed_name_removal ? query__merge_same(x, g) : 0;
}

/* and, or, unless: rows of `out`, the left operand, lose steps; what is left of the right one's for
 * `or` joins them. */
static int set_operation(struct query_exec *x, const struct query_node *n, struct query_grid *out,
                         struct query_grid *right)
{
    struct query__match m;
    bool is_or = n->binary == QUERY_OR;
    int err = query__match_init(x, n, is_or ? out : right, is_or ? right : out, &m);
    const struct query__side *by = &m.side[0], *kept = &m.side[1];
    uint8_t *there = mem_alloc(x->step_count);
    for (size_t id = 0; id < m.count; id++) {
        memset(there, 0, x->step_count);
        for (uint32_t i = by->begin[id]; i < by->begin[id + 1]; i++) {
            const struct query_row *row = &by->grid->rows[by->rows[i]];
            for (size_t s = 0; s < x->step_count; s++)
                there[s] |= row->has[s];
        }
        for (uint32_t i = kept->begin[id]; i < kept->begin[id + 1]; i++) {
            struct query_row *row = &kept->grid->rows[kept->rows[i]];
            for (size_t s = 0; s < x->step_count; s++)
                row->has[s] = row->has[s] && there[s] == (n->binary == QUERY_AND);
        }
    }
    mem_free(there);
    query__match_free(&m);
    if (!err && is_or)
        err = query__grid_append(x, out, right);
    return err || !is_or ? err : query__merge_same(x, out);
}

static struct data_labels result_labels(struct query_exec *x, const struct query_node *n,
                                        struct data_labels many, struct data_labels one)
{
    struct data_labels_builder b = {0};
    struct data_labels out = {NULL, 0};
    bool drop = drops_name(n) && !x->plan->delayed_name_removal;
    if (n->cardinality == QUERY_ONE_TO_ONE) {
        struct data_labels base =
            n->on ? query__keep_labels(x, many, n->matching, n->matching_count)
                  : query__remove_labels(x, many, n->matching, n->matching_count, false);
        return drop ? query__drop_name(x, base) : base;
    }
    data_labels_builder_from(&b, drop ? query__drop_name(x, many) : many);
    for (size_t i = 0; i < n->include_count; i++) {
        struct slice v = data_labels_get(one, n->include[i]);
        data_labels_builder_set(&b, n->include[i], v.ptr ? v : SLICE(""));
    }
    if (!data_labels_builder_finish(&b, &out, NULL))
        out = data_labels_copy(x->arena, out);
    data_labels_builder_deinit(&b);
    return out;
}

/* With the metric's name among the labels. */
static void print_all(struct data_labels labels, struct buf *out)
{
    buf_append_char(out, '{');
    for (size_t i = 0; i < labels.count; i++) {
        buf_printf(out, "%s%.*s=", i ? ", " : "", SLICE_FMT(labels.items[i].name));
        codec_json_append_string(out, labels.items[i].value);
    }
    buf_append_char(out, '}');
}

static int duplicate_error(struct query_exec *x, const struct query_node *n, struct data_labels a,
                           struct data_labels b, const char *side)
{
    struct buf group = {0}, first = {0}, second = {0};
    data_labels_print(query__signature(x, n, a), &group);
    if (data_labels_cmp(a, b) < 0) {
        struct data_labels other = a;
        a = b;
        b = other;
    }
    print_all(a, &first);
    print_all(b, &second);
    int err = diag_set(
        x->diag, ERR_INVALID,
        "found duplicate series for the match group %s on the %s hand-side of the operation: [%s, "
        "%s];many-to-many matching not allowed: matching labels must be unique on one side",
        buf_cstr(&group), side, buf_cstr(&second), buf_cstr(&first));
    buf_deinit(&group);
    buf_deinit(&first);
    buf_deinit(&second);
    return err;
}

/* --- vectors --- */

/* What must not be, at the first step at which it is. */
struct fault {
    size_t step; /* SIZE_MAX: all is well */
    bool of_many;
    uint32_t row, other;
};

struct pairing {
    struct query__match match; /* the side of many is the first one */
    struct query_grid *many, *one;
    bool one_to_many;
    const double *fill_many, *fill_one;
    struct fault fault;
    /* For the signature at hand, one a step: the row of one, or NULL; whether it was met. */
    const struct query_row **partner;
    uint8_t *taken;
    /* What the row of many at hand became: one row, or one for each partner. */
    VEC(struct made {
        const struct query_row *partner;
        size_t row;
    })
    made;
};

static void note_fault(struct pairing *p, struct fault f)
{
    const struct fault *was = &p->fault;
    if (f.step != was->step         ? f.step < was->step
        : f.of_many != was->of_many ? was->of_many
                                    : f.row < was->row)
        p->fault = f;
}

static int tell_fault(struct pairing *p)
{
    const struct query_row *one = p->one->rows;
    if (p->fault.step == SIZE_MAX)
        return 0;
    if (p->fault.of_many)
        return diag_set(p->match.x->diag, ERR_INVALID,
                        "multiple matches for labels: many-to-one matching must be "
                        "explicit (group_left/group_right)");
    return duplicate_error(p->match.x, p->match.n, one[p->fault.other].labels,
                           one[p->fault.row].labels, p->one_to_many ? "left" : "right");
}

static void find_partners(struct pairing *p, size_t id)
{
    const struct query__side *side = &p->match.side[1];
    size_t steps = p->match.x->step_count;
    memset(p->partner, 0, steps * sizeof(*p->partner));
    memset(p->taken, 0, steps);
    for (uint32_t i = side->begin[id]; i < side->begin[id + 1]; i++) {
        const struct query_row *row = &p->one->rows[side->rows[i]];
        for (size_t s = 0; s < steps; s++) {
            if (row->has[s] && p->partner[s])
                note_fault(p, (struct fault){.step = s,
                                             .row = side->rows[i],
                                             .other = (uint32_t)(p->partner[s] - p->one->rows)});
            else if (row->has[s])
                p->partner[s] = row;
        }
    }
}

/* The row for what comes of a row of many, `was` at k, and a partner. The first one takes its
 * place.
 */
static struct query_row *row_for(struct pairing *p, size_t k, const struct query_row *was,
                                 const struct query_row *partner)
{
    const struct query_node *n = p->match.n;
    for (size_t i = 0; i < p->made.len; i++) {
        if (!n->include_count || p->made.items[i].partner == partner)
            return &p->many->rows[p->made.items[i].row];
    }
    struct data_labels labels = result_labels(
        p->match.x, n, was->labels, partner ? partner->labels : (struct data_labels){NULL, 0});
    if (p->made.len && !query__add_row(p->match.x, p->many, labels))
        return NULL;
    if (p->made.len)
        k = p->many->count - 1;
    vec_push(&p->made, ((struct made){partner, k}));
    struct query_row *row = &p->many->rows[k];
    row->labels = labels;
    row->drop_name = drops_name(n) || was->drop_name;
    return row;
}

/* The result of two operands at a step; `row` is asked for only where there is one. */
static bool combine(const struct query_node *n, struct query_operand a, struct query_operand b,
                    double *out)
{
    bool keep;
    if (a.h || b.h || is_trim(n->binary))
        return true;
    *out = apply(n->binary, a.v, b.v, &keep);
    if (is_comparison(n->binary) && n->return_bool)
        *out = keep;
    return keep || (is_comparison(n->binary) && n->return_bool);
}

static int put(struct pairing *p, struct query_operand a, struct query_operand b, double v,
               struct query_row *row, size_t s)
{
    if (!row)
        return ERR_NOMEM;
    if (a.h || b.h || is_trim(p->match.n->binary))
        return query__binary_histogram(p->match.x, p->match.n, a, b, row, s);
    query__put_float(row, s, v);
    return 0;
}

static int match_row(struct pairing *p, uint32_t k)
{
    struct query_exec *x = p->match.x;
    const struct query_row was = p->many->rows[k];
    int err = 0;
    vec_clear(&p->made);
    for (size_t s = 0; s < x->step_count && !err; s++) {
        const struct query_row *partner = p->partner[s];
        if (!was.has[s])
            continue;
        const struct query_operand many = {was.value[s], query__histogram_at(&was, s)},
                                   one = {partner ? partner->value[s] : 0,
                                          partner ? query__histogram_at(partner, s) : NULL};
        was.has[s] = 0; /* what comes of it may be another row's */
        if (!partner && !p->fill_one)
            continue;
        if (p->taken[s] && p->match.n->cardinality == QUERY_ONE_TO_ONE)
            note_fault(p, (struct fault){.step = s, .of_many = true, .row = k});
        p->taken[s] = 1;
        const struct query_operand with =
                                       partner ? one : (struct query_operand){*p->fill_one, NULL},
                                   a = p->one_to_many ? with : many,
                                   b = p->one_to_many ? many : with;
        double v = 0;
        if (combine(p->match.n, a, b, &v))
            err = put(p, a, b, v, row_for(p, k, &was, partner), s);
    }
    if (!p->made.len)
        p->many->rows[k].has = NULL; /* nothing came of it */
    return err;
}

/* What nobody met meets the number that fills. */
static int fill_row(struct pairing *p, uint32_t k)
{
    struct query_exec *x = p->match.x;
    const struct query_row *one = &p->one->rows[k];
    struct query_row *row = NULL;
    int err = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        double v = 0;
        if (p->partner[s] != one || p->taken[s])
            continue;
        const struct query_operand many = {*p->fill_many, NULL},
                                   with = {one->value[s], query__histogram_at(one, s)},
                                   a = p->one_to_many ? with : many,
                                   b = p->one_to_many ? many : with;
        if (!combine(p->match.n, a, b, &v))
            continue;
        if (!row &&
            (row = query__add_row(x, p->many, query__signature(x, p->match.n, one->labels))))
            row->drop_name = drops_name(p->match.n);
        err = put(p, a, b, v, row, s);
    }
    return err;
}

static int match_signature(struct pairing *p, size_t id)
{
    const struct query__side *many = &p->match.side[0], *one = &p->match.side[1];
    int err = query__check(p->match.x);
    find_partners(p, id);
    for (uint32_t i = many->begin[id]; i < many->begin[id + 1] && !err; i++)
        err = match_row(p, many->rows[i]);
    for (uint32_t i = one->begin[id]; p->fill_many && i < one->begin[id + 1] && !err; i++)
        err = fill_row(p, one->rows[i]);
    return err;
}

/* Rows of `many` become those of the result, in place; others are added where one row meets several
 * and takes labels of them. */
static int vector_vector(struct query_exec *x, const struct query_node *n, struct query_grid *many,
                         struct query_grid *one)
{
    struct pairing p = {.many = many,
                        .one = one,
                        .one_to_many = n->cardinality == QUERY_ONE_TO_MANY,
                        /* Left is the side of many once sides are told apart: so Prometheus has it.
                         */
                        .fill_many = n->has_fill_left ? &n->fill_left : NULL,
                        .fill_one = n->has_fill_right ? &n->fill_right : NULL,
                        .fault.step = SIZE_MAX};
    int err = query__match_init(x, n, many, one, &p.match);
    p.partner = mem_alloc(x->step_count * sizeof(struct query_row *));
    p.taken = mem_alloc(x->step_count);
    for (size_t id = 0; id < p.match.count && !err; id++)
        err = match_signature(&p, id);
    if (!err)
        err = tell_fault(&p);
    mem_free(p.partner);
    mem_free(p.taken);
    vec_free(&p.made);
    query__match_free(&p.match);
    if (err)
        return err;
    size_t kept = 0;
    for (size_t i = 0; i < many->count; i++) {
        if (many->rows[i].has)
            many->rows[kept++] = many->rows[i];
    }
    many->count = kept;
    err = query__merge_same(x, many);
    if (err && x->diag && n->cardinality != QUERY_ONE_TO_ONE) {
        diag_init(x->diag);
        diag_set(x->diag, ERR_INVALID,
                 "multiple matches for labels: grouping labels must ensure unique matches");
    }
    return err;
}

static int with_scalar(struct query_exec *x, const struct query_node *n, bool scalar_left,
                       struct query_grid *out)
{
    struct query_grid scalar = {0};
    int err = scalar_left ? query__eval_operand(x, n->args[0], &scalar) : 0;
    if (!err)
        err = query__eval(x, n->args[scalar_left], out);
    if (!err && !scalar_left)
        err = query__eval_operand(x, n->args[1], &scalar);
    if (!err)
        err = vector_scalar(x, n, out, scalar.rows[0].value, scalar_left);
    query__grid_free(&scalar);
    return err;
}

int query__eval_binary(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    struct query_grid l = {0}, r = {0};
    bool left_scalar = n->args[0]->is_scalar, right_scalar = n->args[1]->is_scalar;
    if (left_scalar != right_scalar)
        return with_scalar(x, n, left_scalar, out);
    if (left_scalar) {
        int err = query__eval_operand(x, n->args[0], &l);
        if (!err)
            err = query__eval_operand(x, n->args[1], &r);
        if (!err)
            err = scalar_scalar(x, n, &l, &r, out);
        query__grid_free(&l);
        query__grid_free(&r);
        return err;
    }
    /* One operand's rows become the result's. */
    bool right_stays = n->cardinality == QUERY_ONE_TO_MANY;
    int err =
        right_stays ? query__eval_operand(x, n->args[0], &l) : query__eval(x, n->args[0], out);
    if (!err)
        err =
            right_stays ? query__eval(x, n->args[1], out) : query__eval_operand(x, n->args[1], &r);
    if (!err)
        err = n->binary >= QUERY_AND && n->binary <= QUERY_UNLESS
                  ? set_operation(x, n, out, &r)
                  : vector_vector(x, n, out, right_stays ? &l : &r);
    query__grid_free(&l);
    query__grid_free(&r);
    return err;
}
