#include "query/rank.h"

#include <math.h>
#include <stdlib.h>

bool query__rank_takes(struct query_exec *x, const double *param, uint32_t **out, size_t *out_most)
{
    *out_most = 0;
    *out = NULL;
    for (size_t s = 0; s < x->step_count; s++) {
        if (!(param[s] <= QUERY__RANK_MOST))
            return false;
    }
    *out = ARENA_ARRAY(x->arena, uint32_t, x->step_count);
    for (size_t s = 0; *out && s < x->step_count; s++) {
        (*out)[s] = param[s] >= 1 ? (uint32_t)param[s] : 0;
        *out_most = MAX(*out_most, (size_t)(*out)[s]);
    }
    return true;
}

bool query__rank_init(struct query_exec *x, bool top, const uint32_t *take, size_t most,
                      struct query__rank *out)
{
    *out = (struct query__rank){.top = top, .steps = x->step_count, .most = most, .take = take};
    out->count = ARENA_ARRAY(x->arena, uint32_t, x->step_count);
    out->limit = ARENA_ARRAY(x->arena, double, x->step_count);
    out->best = arena_alloc(x->arena, x->step_count * most * sizeof(*out->best));
    if (!out->count || !out->limit || !out->best)
        return false;
    for (size_t s = 0; s < x->step_count; s++)
        out->limit[s] = NAN;
    return true;
}

static bool better(bool top, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b) && !isnan(a);
    return top ? a > b : a < b;
}

static void enter(struct query__rank *r, size_t s, double v, uint32_t row)
{
    struct query__ranked *best = r->best + s * r->most;
    uint32_t at = r->count[s], take = r->take[s];
    if (at == take && (!take || !better(r->top, v, best[take - 1].value)))
        return;
    if (at == take)
        at--;
    else
        r->count[s]++;
    for (; at && better(r->top, v, best[at - 1].value); at--)
        best[at] = best[at - 1];
    best[at] = (struct query__ranked){v, row};
    if (r->count[s] == take)
        r->limit[s] = best[take - 1].value;
}

void query__rank_add(struct query__rank *r, uint32_t row, const double *value, const uint8_t *has,
                     size_t lo, size_t hi)
{
    const double *limit = r->limit;
    for (size_t s = lo; s < hi; s++) {
        /* Nearly all are told by one comparison; with NaN on either side it tells nothing. */
        if ((r->top ? value[s] <= limit[s] : value[s] >= limit[s]) || (has && !has[s]))
            continue;
        enter(r, s, value[s], row);
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int query__rank_finish(struct query_exec *x, const struct query__rank *r, query__rank_head_fn head,
                       void *ctx, struct query_grid *out)
{
    size_t base = out->count, rows = 0;
    uint32_t *row = arena_alloc(x->arena, (r->steps * r->most + 1) * sizeof(*row));
    if (!row)
        return query__no_memory(x);
    for (size_t s = 0; s < r->steps; s++) {
        for (uint32_t k = 0; k < r->count[s]; k++)
            row[rows++] = r->best[s * r->most + k].row;
    }
    /* An instant query's answer is in order of rank. */
    if (!x->steps.instant && rows) {
        size_t all = rows;
        qsort(row, all, sizeof(*row), by_number);
        rows = 0;
        for (size_t i = 0; i < all; i++) {
            if (!i || row[i] != row[i - 1])
                row[rows++] = row[i];
        }
    }
    for (size_t i = 0; i < rows; i++) {
        bool drop_name = false;
        struct data_labels labels = head(x, ctx, row[i], &drop_name);
        struct query_row *to = query__add_row(x, out, labels);
        if (!to)
            return ERR_NOMEM;
        to->drop_name = drop_name;
    }
    for (size_t s = 0; s < r->steps; s++) {
        for (uint32_t k = 0; k < r->count[s]; k++) {
            const struct query__ranked *one = &r->best[s * r->most + k];
            const uint32_t *at =
                x->steps.instant ? row + k : bsearch(&one->row, row, rows, sizeof(*row), by_number);
            struct query_row *to = &out->rows[base + (size_t)(at - row)];
            to->has[s] = 1;
            to->value[s] = one->value;
        }
    }
    return 0;
}
