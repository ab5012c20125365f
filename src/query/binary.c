/* Binary operators: scalars, vectors with matching, sets. Signatures are made once per series; each
 * step then works on integers. */
#include <math.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/json_write.h"
#include "query/binary_histogram.h"
#include "query/grid.h"

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

/* The labels that decide who meets whom. */
static struct data_labels signature(struct query_exec *x, const struct query_node *n,
                                    struct data_labels labels)
{
    return n->on ? query__keep_labels(x, labels, n->matching, n->matching_count)
                 : query__remove_labels(x, labels, n->matching, n->matching_count, true);
}

struct signatures {
    struct map *ids;
    size_t count;
};

static uint32_t *sign(struct query_exec *x, const struct query_node *n, struct query_grid *g,
                      struct signatures *all)
{
    uint32_t *out = mem_alloc(g->count * sizeof(*out));
    struct buf key = {0};
    for (size_t i = 0; i < g->count; i++) {
        bool added;
        buf_clear(&key);
        data_labels_encode(signature(x, n, g->rows[i].labels), &key);
        struct map_entry *e = map_put(all->ids, buf_slice(&key), &added);
        if (added)
            e->value.u64 = all->count++;
        out[i] = (uint32_t)e->value.u64;
    }
    buf_deinit(&key);
    return out;
}

/* and, or, unless: by presence of the signature at each step. */
static int set_operation(struct query_exec *x, const struct query_node *n, struct query_grid *l,
                         struct query_grid *r, struct query_grid *out)
{
    struct signatures all = {.ids = map_new()};
    uint32_t *left = sign(x, n, l, &all), *right = sign(x, n, r, &all);
    uint8_t *there = mem_calloc(all.count * x->step_count, 1);
    struct query_grid *by = n->binary == QUERY_OR ? l : r;
    const uint32_t *by_ids = n->binary == QUERY_OR ? left : right;
    int err = 0;
    for (size_t i = 0; i < by->count; i++) {
        for (size_t s = 0; s < x->step_count; s++)
            there[by_ids[i] * x->step_count + s] |= by->rows[i].has[s];
    }
    for (int side = 0; side < 2 && !err; side++) {
        struct query_grid *g = side ? r : l;
        const uint32_t *ids = side ? right : left;
        if (side && n->binary != QUERY_OR)
            break;
        for (size_t i = 0; i < g->count && !err; i++) {
            const struct query_row *from = &g->rows[i];
            struct query_row *row = query__add_row(x, out, from->labels);
            if (!row) {
                err = ERR_NOMEM;
                break;
            }
            row->drop_name = from->drop_name;
            row->histogram = from->histogram;
            for (size_t s = 0; s < x->step_count; s++) {
                bool met = there[ids[i] * x->step_count + s];
                bool keep = n->binary == QUERY_AND      ? met
                            : n->binary == QUERY_UNLESS ? !met
                                                        : !side || !met;
                row->has[s] = from->has[s] && keep;
                row->value[s] = from->value[s];
            }
        }
    }
    mem_free(left);
    mem_free(right);
    mem_free(there);
    map_free(all.ids);
    return err ? err : n->binary == QUERY_OR ? query__merge_same(x, out) : 0;
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
    data_labels_print(signature(x, n, a), &group);
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

static int vector_vector(struct query_exec *x, const struct query_node *n, struct query_grid *l,
                         struct query_grid *r, struct query_grid *out)
{
    bool one_to_many = n->cardinality == QUERY_ONE_TO_MANY;
    struct query_grid *many = one_to_many ? r : l, *one = one_to_many ? l : r;
    struct signatures all = {.ids = map_new()};
    uint32_t *many_ids = sign(x, n, many, &all), *one_ids = sign(x, n, one, &all);
    /* At each step, the row of the "one" side that has the signature; and who took it (one to one).
     */
    int32_t *one_at = mem_alloc(all.count * sizeof(*one_at)),
            *taken = mem_alloc(all.count * sizeof(*taken));
    struct map *made = map_new(); /* (many row, one row) -> result row */
    /* Left is the side of many once sides are told apart: so Prometheus has it. */
    const double *fill_many = n->has_fill_left ? &n->fill_left : NULL,
                 *fill_one = n->has_fill_right ? &n->fill_right : NULL;
    int err = 0;
    for (size_t s = 0; s < x->step_count && !err; s++) {
        for (size_t i = 0; i < all.count; i++)
            one_at[i] = taken[i] = -1;
        for (size_t i = 0; i < one->count && !err; i++) {
            if (!one->rows[i].has[s])
                continue;
            if (one_at[one_ids[i]] >= 0)
                err = duplicate_error(x, n, one->rows[one_at[one_ids[i]]].labels,
                                      one->rows[i].labels, one_to_many ? "left" : "right");
            one_at[one_ids[i]] = (int32_t)i;
        }
        for (size_t i = 0; i < many->count + (fill_many ? one->count : 0) && !err; i++) {
            bool filling = i >= many->count; /* the "one" series nobody met */
            size_t k = i - (filling ? many->count : 0);
            uint32_t id = filling ? one_ids[k] : many_ids[k];
            if (filling && (!one->rows[k].has[s] || taken[id] >= 0))
                continue;
            if (!filling && !many->rows[k].has[s])
                continue;
            int32_t partner = one_at[id];
            if (!filling && partner < 0 && !fill_one)
                continue;
            const struct query_row *m = filling ? NULL : &many->rows[k],
                                   *o = partner >= 0 ? &one->rows[partner] : NULL;
            if (n->cardinality == QUERY_ONE_TO_ONE && !filling) {
                if (taken[id] >= 0) {
                    err = diag_set(x->diag, ERR_INVALID,
                                   "multiple matches for labels: many-to-one matching must be "
                                   "explicit (group_left/group_right)");
                    break;
                }
            }
            taken[id] = (int32_t)k;
            const struct query_operand mv = {m ? m->value[s] : *fill_many,
                                             m ? query__histogram_at(m, s) : NULL},
                                       ov = {o ? o->value[s] : *fill_one,
                                             o ? query__histogram_at(o, s) : NULL},
                                       a = one_to_many ? ov : mv, b = one_to_many ? mv : ov;
            bool keep, histograms = a.h || b.h || is_trim(n->binary);
            double v = 0;
            if (!histograms) {
                v = apply(n->binary, a.v, b.v, &keep);
                if (is_comparison(n->binary) && n->return_bool)
                    v = keep;
                else if (!keep)
                    continue;
            }
            struct {
                int32_t m, o;
            } pair = {filling ? -1 - (int32_t)k : (int32_t)k, partner};
            bool added;
            struct map_entry *e = map_put(made, slice_make(&pair, sizeof(pair)), &added);
            if (added) {
                struct data_labels base = m ? m->labels : signature(x, n, o->labels);
                struct data_labels labels =
                    m && o ? result_labels(x, n, m->labels, o->labels)
                    : m    ? result_labels(x, n, m->labels, (struct data_labels){NULL, 0})
                           : base;
                e->value.u64 = out->count;
                struct query_row *row = query__add_row(x, out, labels);
                if (!row) {
                    err = ERR_NOMEM;
                    break;
                }
                row->drop_name = drops_name(n) || (m && m->drop_name);
            }
            struct query_row *to = &out->rows[e->value.u64];
            if (histograms)
                err = query__binary_histogram(x, n, a, b, to, s);
            else
                query__put_float(to, s, v);
        }
    }
    mem_free(many_ids);
    mem_free(one_ids);
    mem_free(one_at);
    mem_free(taken);
    map_free(made);
    map_free(all.ids);
    if (err)
        return err;
    err = query__merge_same(x, out);
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
    int err = query__eval_operand(x, n->args[0], &l);
    if (!err)
        err = query__eval_operand(x, n->args[1], &r);
    if (!err)
        err = left_scalar ? scalar_scalar(x, n, &l, &r, out)
              : n->binary >= QUERY_AND && n->binary <= QUERY_UNLESS
                  ? set_operation(x, n, &l, &r, out)
                  : vector_vector(x, n, &l, &r, out);
    query__grid_free(&l);
    query__grid_free(&r);
    return err;
}
