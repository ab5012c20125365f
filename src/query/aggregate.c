/* Aggregations: group ids once per series, then step by step over the groups' members. */
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"
#include "codec/number.h"
#include "data/histogram_notation.h"
#include "query/aggregate_histogram.h"
#include "query/fused.h"
#include "query/rank.h"

struct group {
    struct data_labels labels;
    VEC(struct query_row *) rows;
    bool drop_name;
};

typedef VEC(struct group) group_list;

static int make_groups(struct query_exec *x, const struct query_node *n, struct query_grid *in,
                       group_list *out)
{
    struct map *seen = map_new();
    struct buf key = {0};
    for (size_t i = 0; i < in->count; i++) {
        struct query_row *row = &in->rows[i];
        bool added;
        struct data_labels labels =
            n->without ? query__remove_labels(x, row->labels, n->grouping, n->grouping_count, true)
                       : query__keep_labels(x, row->labels, n->grouping, n->grouping_count);
        buf_clear(&key);
        data_labels_encode(labels, &key);
        struct map_entry *e = map_put(seen, buf_slice(&key), &added);
        if (added) {
            e->value.u64 = out->len;
            vec_push(out, ((struct group){.labels = labels}));
        }
        vec_push(&out->items[e->value.u64].rows, row);
        out->items[e->value.u64].drop_name |= row->drop_name;
    }
    map_free(seen);
    buf_deinit(&key);
    return 0;
}

#define AT_ONCE ((size_t)8) /* steps: a row's values at them lie side by side */

/* The members' values at some steps, in order. */
struct gathered {
    double *values; /* `rows` of the group for each step */
    size_t floats[AT_ONCE], all[AT_ONCE];
};

static void gather(const struct group *g, size_t from, size_t steps, struct gathered *out)
{
    memset(out->floats, 0, sizeof(out->floats));
    memset(out->all, 0, sizeof(out->all));
    for (size_t i = 0; i < g->rows.len; i++) {
        const struct query_row *row = g->rows.items[i];
        for (size_t k = 0; k < steps; k++) {
            if (query__is_float(row, from + k))
                out->values[k * g->rows.len + out->floats[k]++] = row->value[from + k];
            out->all[k] += row->has[from + k];
        }
    }
}

/* The sum or average of a group's histograms at a step; a float among them leaves nothing. */
static int total_histograms(struct query_exec *x, const struct query_node *n, const struct group *g,
                            size_t s, bool floats, struct query_row *row)
{
    struct query_histogram_total t = {0};
    int err = 0;
    for (size_t k = 0; k < g->rows.len && !floats; k++) {
        const struct query_row *from = g->rows.items[k];
        const struct data_histogram *h = query__histogram_at(from, s);
        bool before = t.incompatible;
        if (h)
            query__total_add(&t, h);
        if (t.incompatible && !before)
            query__tell_misfit(x, n, data_labels_get(from->labels, SLICE(DATA_METRIC_NAME)));
    }
    if (floats)
        query__tell_mixed_group(x, n);
    else
        err = query__total_put(&t, x, n, s, row);
    query__total_free(&t);
    return err;
}

static double sum_of(const double *v, size_t n)
{
    struct data_kahan k = {0};
    for (size_t i = 0; i < n; i++)
        data_kahan_add(&k, v[i]);
    return isinf(k.sum) ? k.sum : k.sum + k.c;
}

static double avg_of(const double *v, size_t n)
{
    struct data_kahan k = {0};
    for (size_t i = 0; i < n; i++) {
        struct data_kahan next = k;
        data_kahan_add(&next, v[i]);
        if (i && isinf(next.sum) && !isinf(v[i]) && !isinf(k.sum)) {
            /* The sum overflows: a running mean from here. */
            struct data_kahan mean = {k.sum / (double)i, k.c / (double)i};
            for (; i < n; i++) {
                double count = (double)(i + 1), q = (count - 1) / count;
                mean.sum *= q;
                mean.c *= q;
                data_kahan_add(&mean, v[i] / count);
            }
            return isinf(mean.sum) ? mean.sum : mean.sum + mean.c;
        }
        k = next;
    }
    return isinf(k.sum) || isnan(k.sum) ? k.sum : k.sum / (double)n + k.c / (double)n;
}

static double extreme_of(const double *v, size_t n, bool max)
{
    double m = v[0];
    for (size_t i = 1; i < n; i++) {
        if ((max ? v[i] > m : v[i] < m) || isnan(m))
            m = v[i];
    }
    return m;
}

static double variance_of(const double *v, size_t n)
{
    struct data_kahan mean = {0}, aux = {0};
    for (size_t i = 0; i < n; i++) {
        double delta = v[i] - (mean.sum + mean.c);
        data_kahan_add(&mean, delta / (double)(i + 1));
        data_kahan_add(&aux, delta * (v[i] - (mean.sum + mean.c)));
    }
    return (aux.sum + aux.c) / (double)n;
}

static double reduce(const struct query_node *n, double *v, size_t count, double param)
{
    switch (n->aggregate) {
    case QUERY_SUM: return sum_of(v, count);
    case QUERY_AVG: return avg_of(v, count);
    case QUERY_COUNT: return (double)count;
    case QUERY_MIN: return extreme_of(v, count, false);
    case QUERY_MAX: return extreme_of(v, count, true);
    case QUERY_GROUP: return 1;
    case QUERY_STDDEV: return sqrt(variance_of(v, count));
    case QUERY_STDVAR: return variance_of(v, count);
    case QUERY_QUANTILE: return query__quantile(param, v, count);
    default: return NAN;
    }
}

/* One step of a group. */
static int reduce_step(struct query_exec *x, const struct query_node *n, const struct group *g,
                       size_t s, double *values, size_t floats, size_t all, double param,
                       struct query_row *row)
{
    bool mixed = all > floats;
    if (mixed && (n->aggregate == QUERY_SUM || n->aggregate == QUERY_AVG))
        return total_histograms(x, n, g, s, floats > 0, row);
    if (n->aggregate != QUERY_COUNT && n->aggregate != QUERY_GROUP) {
        if (mixed)
            query__tell_left_out(x, n);
        all = floats;
    }
    if (all) {
        row->has[s] = 1;
        row->value[s] = reduce(n, values, all, param);
    }
    return 0;
}

static int reduce_groups(struct query_exec *x, const struct query_node *n, const group_list *groups,
                         const double *param, struct query_grid *out)
{
    struct gathered here = {0};
    int err = 0;
    for (size_t i = 0; i < groups->len && !err; i++) {
        const struct group *g = &groups->items[i];
        struct query_row *row = query__add_row(x, out, g->labels);
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        row->drop_name = g->drop_name;
        here.values = mem_realloc(here.values, AT_ONCE * g->rows.len * sizeof(*here.values));
        for (size_t from = 0; from < x->step_count && !err; from += AT_ONCE) {
            size_t steps = MIN(AT_ONCE, x->step_count - from);
            gather(g, from, steps, &here);
            for (size_t k = 0; k < steps && !err; k++)
                err = reduce_step(x, n, g, from + k, here.values + k * g->rows.len, here.floats[k],
                                  here.all[k], param ? param[from + k] : 0, row);
            if (!err && g->rows.len > 1000)
                err = query__check(x);
        }
    }
    mem_free(here.values);
    return err;
}

/* --- those that keep members --- */

struct ranked {
    double value;
    size_t index;
};

static _Thread_local bool rank_top;

/* The best first; NaN last; earlier members win. */
static int by_rank(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;
    if (isnan(p->value) || isnan(q->value)) {
        int c = isnan(p->value) - isnan(q->value);
        return c ? c : (p->index > q->index) - (p->index < q->index);
    }
    int c = (p->value > q->value) - (p->value < q->value);
    if (c)
        return rank_top ? -c : c;
    return (p->index > q->index) - (p->index < q->index);
}

/* Prometheus' hash of a label set: XXH64 over its names and values, each behind its length. */
static uint64_t ratio_hash(struct data_labels labels)
{
    struct buf b = {0};
    for (size_t i = 0; i < labels.count; i++) {
        const struct slice parts[] = {labels.items[i].name, labels.items[i].value};
        for (int k = 0; k < 2; k++) {
            if (parts[k].len < 255) {
                buf_append_char(&b, (char)parts[k].len);
            } else {
                const char len[] = {(char)255, (char)parts[k].len, (char)(parts[k].len >> 8),
                                    (char)(parts[k].len >> 16)};
                buf_append(&b, len, sizeof(len));
            }
            buf_append_slice(&b, parts[k]);
        }
    }
    uint64_t h = hash_xxh64(b.ptr, b.len);
    buf_deinit(&b);
    return h;
}

static bool in_ratio(struct data_labels labels, double ratio)
{
    double at = (double)ratio_hash(labels) / 18446744073709551616.0;
    return ratio >= 0 ? at < ratio : at >= 1 + ratio;
}

static struct data_labels member_head(struct query_exec *x, void *ctx, uint32_t row,
                                      bool *out_drop_name)
{
    const struct group *g = ctx;
    (void)x;
    *out_drop_name = g->rows.items[row]->drop_name;
    return g->rows.items[row]->labels;
}

/* topk and bottomk of a few. */
static int rank_members(struct query_exec *x, const struct query_node *n, const group_list *groups,
                        const uint32_t *take, size_t most, struct query_grid *out)
{
    int err = 0;
    for (size_t i = 0; i < groups->len && !err; i++) {
        const struct group *g = &groups->items[i];
        struct query__rank rank;
        if (!query__rank_init(x, n->aggregate == QUERY_TOPK, take, most, &rank))
            return query__no_memory(x);
        for (size_t k = 0; k < g->rows.len; k++) {
            const struct query_row *row = g->rows.items[k];
            if (!row->histogram) {
                query__rank_add(&rank, (uint32_t)k, row->value, row->has, 0, x->step_count);
                continue;
            }
            for (size_t s = 0; s < x->step_count; s++) {
                if (query__is_float(row, s))
                    query__rank_add(&rank, (uint32_t)k, row->value, row->has, s, s + 1);
                else if (row->has[s])
                    query__tell_left_out(x, n);
            }
        }
        err = query__rank_finish(x, &rank, member_head, (void *)(uintptr_t)g, out);
    }
    return err;
}

static int keep_members(struct query_exec *x, const struct query_node *n, const group_list *groups,
                        const double *param, struct query_grid *out)
{
    struct ranked *order = NULL;
    uint32_t *takes;
    size_t most;
    int err = 0;
    if (!x->env->plain && (n->aggregate == QUERY_TOPK || n->aggregate == QUERY_BOTTOMK) &&
        query__rank_takes(x, param, &takes, &most))
        return takes ? rank_members(x, n, groups, takes, most, out) : query__no_memory(x);
    for (size_t i = 0; i < groups->len && !err; i++) {
        const struct group *g = &groups->items[i];
        size_t base = out->count;
        order = mem_realloc(order, g->rows.len * sizeof(*order));
        for (size_t k = 0; k < g->rows.len && !err; k++) {
            struct query_row *row = query__add_row(x, out, g->rows.items[k]->labels);
            if (!row)
                err = ERR_NOMEM;
            else
                row->drop_name = g->rows.items[k]->drop_name;
        }
        for (size_t s = 0; s < x->step_count && !err; s++) {
            size_t count = 0;
            bool ratio = n->aggregate == QUERY_LIMIT_RATIO, limit = n->aggregate == QUERY_LIMITK;
            for (size_t k = 0; k < g->rows.len; k++) {
                if (limit || ratio ? g->rows.items[k]->has[s]
                                   : query__is_float(g->rows.items[k], s))
                    order[count++] = (struct ranked){g->rows.items[k]->value[s], k};
                else if (g->rows.items[k]->has[s])
                    query__tell_left_out(x, n);
            }
            size_t take;
            if (ratio) {
                size_t kept = 0;
                for (size_t k = 0; k < count; k++) {
                    if (in_ratio(g->rows.items[order[k].index]->labels,
                                 fmax(-1, fmin(1, param[s]))))
                        order[kept++] = order[k];
                }
                take = kept;
            } else {
                take = param[s] >= 1 ? (param[s] >= (double)count ? count : (size_t)param[s]) : 0;
                rank_top = n->aggregate == QUERY_TOPK;
                if (!limit && count)
                    qsort(order, count, sizeof(*order), by_rank);
            }
            for (size_t k = 0; k < take; k++) {
                struct query_row *to = &out->rows[base + order[k].index];
                const struct query_row *from = g->rows.items[order[k].index];
                to->has[s] = 1;
                to->value[s] = from->value[s];
                if (from->histogram && from->histogram[s]) {
                    if (!to->histogram)
                        to->histogram =
                            ARENA_ARRAY(x->arena, const struct data_histogram *, x->step_count);
                    if (to->histogram)
                        to->histogram[s] = from->histogram[s];
                }
            }
        }
        /* An instant query's answer is in order of rank. */
        if (!err && x->steps.instant &&
            (n->aggregate == QUERY_TOPK || n->aggregate == QUERY_BOTTOMK)) {
            struct query_row *sorted = mem_alloc(g->rows.len * sizeof(*sorted));
            size_t count = 0;
            for (size_t k = 0; k < g->rows.len; k++) {
                if (out->rows[base + k].has[0])
                    order[count++] = (struct ranked){out->rows[base + k].value[0], k};
            }
            rank_top = n->aggregate == QUERY_TOPK;
            if (count)
                qsort(order, count, sizeof(*order), by_rank);
            for (size_t k = 0; k < count; k++)
                sorted[k] = out->rows[base + order[k].index];
            memcpy(out->rows + base, sorted, count * sizeof(*sorted));
            out->count = base + count;
            mem_free(sorted);
        }
    }
    mem_free(order);
    return err;
}

/* The value becomes a label, which may take the place of one that groups: groups are told apart by
 * the labels that come out. */
static int count_values(struct query_exec *x, const group_list *groups, struct slice label,
                        struct query_grid *out)
{
    if (query__check_label_name(x, label, NULL))
        return ERR_INVALID;
    struct map *rows = map_new();
    struct buf key = {0}, printed = {0};
    struct data_labels_builder b = {0};
    int err = 0;
    for (size_t i = 0; i < groups->len && !err; i++) {
        const struct group *g = &groups->items[i];
        for (size_t k = 0; k < g->rows.len && !err; k++) {
            for (size_t s = 0; s < x->step_count && !err; s++) {
                char text[CODEC_DOUBLE_TEXT_MAX];
                bool added;
                struct data_labels labels;
                if (!g->rows.items[k]->has[s])
                    continue;
                const struct data_histogram *h = query__histogram_at(g->rows.items[k], s);
                struct slice value =
                    slice_make(text, codec_double_to_text(g->rows.items[k]->value[s],
                                                          CODEC_DOUBLE_PLAIN, text));
                if (h) {
                    buf_clear(&printed);
                    data_histogram_print(h, &printed);
                    value = buf_slice(&printed);
                }
                data_labels_builder_from(&b, g->labels);
                data_labels_builder_set(&b, label, value);
                if ((err = data_labels_builder_finish(&b, &labels, x->diag)))
                    break;
                buf_clear(&key);
                data_labels_encode(labels, &key);
                struct map_entry *e = map_put(rows, buf_slice(&key), &added);
                if (added) {
                    e->value.u64 = out->count;
                    if (!query__add_row(x, out, data_labels_copy(x->arena, labels))) {
                        err = ERR_NOMEM;
                        break;
                    }
                }
                struct query_row *row = &out->rows[e->value.u64];
                row->value[s] = row->has[s] ? row->value[s] + 1 : 1;
                row->has[s] = 1;
            }
        }
    }
    data_labels_builder_deinit(&b);
    buf_deinit(&key);
    buf_deinit(&printed);
    map_free(rows);
    return err;
}

/* Parameters that no step may have. */
static int check_params(struct query_exec *x, const struct query_node *n, const double *param,
                        bool empty)
{
    int err = 0;
    if (n->aggregate == QUERY_QUANTILE && !empty)
        query__check_quantile(x, n->args[1], param);
    for (size_t s = 0; n->aggregate != QUERY_QUANTILE && s < x->step_count && !err; s++) {
        bool ratio = n->aggregate == QUERY_LIMIT_RATIO;
        if (!ratio && param[s] < 9.3e18 && param[s] > -9.3e18)
            continue;
        char text[CODEC_DOUBLE_TEXT_MAX + 1];
        text[codec_double_to_text(param[s], CODEC_DOUBLE_GENERAL, text)] = '\0';
        if (ratio && isnan(param[s]))
            err = diag_set(x->diag, ERR_INVALID, "Ratio value is NaN");
        else if (ratio && !empty && (param[s] < -1 || param[s] > 1))
            query__warn(x, n->args[1],
                        "ratio value should be between -1 and 1, got %s, capping to %s", text,
                        param[s] > 1 ? "1" : "-1");
        else if (!ratio && isnan(param[s]))
            err = diag_set(x->diag, ERR_INVALID, "Parameter value is NaN");
        else if (!ratio)
            err = diag_set(x->diag, ERR_INVALID, "Scalar value %s %s int64", text,
                           param[s] > 0 ? "overflows" : "underflows");
    }
    return err;
}

static int aggregate(struct query_exec *x, const struct query_node *n, struct query_grid *in,
                     struct query_grid *param_grid, struct query_grid *out)
{
    group_list groups = {0};
    const double *param = NULL;
    bool done = false, fuses = !x->env->plain && query__can_fuse(n, x->plan->delayed_name_removal);
    int err = 0;
    if (n->by_view && !fuses)
        return diag_set(x->diag, ERR_AGAIN, "groups of a view are added up as they are read");
    if (!fuses)
        err = query__eval_operand(x, n->args[0], in);
    if (!err && n->arg_count > 1)
        err = query__eval_operand(x, n->args[1], param_grid);
    if (!err && param_grid->count) {
        param = param_grid->rows[0].value;
        err = check_params(x, n, param, !in->count);
    }
    if (!err && fuses) {
        err = query__eval_fused(x, n, param, out, &done);
        if (!err && !done && n->by_view)
            return diag_set(x->diag, ERR_AGAIN, "the sum of a group is not finite");
        if (!err && !done)
            err = query__eval_operand(x, n->args[0], in);
    }
    if (err || done)
        return err;
    err = make_groups(x, n, in, &groups);
    if (!err) {
        switch (n->aggregate) {
        case QUERY_TOPK:
        case QUERY_BOTTOMK:
        case QUERY_LIMITK:
        case QUERY_LIMIT_RATIO: err = keep_members(x, n, &groups, param, out); break;
        case QUERY_COUNT_VALUES: err = count_values(x, &groups, param_grid->text, out); break;
        default: err = reduce_groups(x, n, &groups, param, out); break;
        }
    }
    for (size_t i = 0; i < groups.len; i++)
        vec_free(&groups.items[i].rows);
    vec_free(&groups);
    return err;
}

int query__eval_aggregate(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    struct query_grid in = {0}, param = {0};
    int err = aggregate(x, n, &in, &param, out);
    query__grid_free(&in);
    query__grid_free(&param);
    return err;
}
