#include "query/grid.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/map.h"
#include "codec/number.h"
#include "codec/utf8.h"
#include "query/slots.h"

int64_t query__step_ns(const struct query_exec *x, size_t step)
{
    return x->steps.start_ns + (int64_t)step * x->steps.step_ns;
}

double query__seconds(int64_t ns)
{
    return ns % NS_PER_MS == 0 ? (double)(ns / NS_PER_MS) / 1000 : (double)ns / 1e9;
}

int query__no_memory(struct query_exec *x)
{
    const struct budget *b = x->env->memory;
    return diag_set(x->diag, ERR_NOMEM,
                    "the query needs more memory than the allowed %lld bytes (%s)",
                    (long long)(b ? b->limit : 0), b ? b->setting : "limits.query.memory");
}

struct arena *query__columns(const struct query_exec *x, const struct query_grid *g)
{
    return g->columns ? g->columns : x->arena;
}

int query__eval_operand(struct query_exec *x, const struct query_node *n, struct query_grid *out)
{
    *out = (struct query_grid){.columns = arena_new(0, x->env->memory)};
    return query__eval(x, n, out);
}

void query__grid_free(struct query_grid *g)
{
    arena_free(g->columns);
    *g = (struct query_grid){0};
}

void query__grid_clear(struct query_grid *g)
{
    *g = (struct query_grid){.columns = g->columns};
}

int query__grid_move(struct query_exec *x, struct query_grid *out, struct query_grid *from)
{
    if (!arena_join(query__columns(x, out), from->columns))
        return query__no_memory(x);
    from->columns = out->columns;
    *out = *from;
    *from = (struct query_grid){0};
    return 0;
}

int query__grid_append(struct query_exec *x, struct query_grid *out, struct query_grid *from)
{
    if (!arena_join(query__columns(x, out), from->columns))
        return query__no_memory(x);
    from->columns = NULL;
    for (size_t i = 0; i < from->count; i++) {
        const struct query_row *row = &from->rows[i];
        struct query_row *to = query__put_row(x, out, row->labels, row->value, row->has);
        if (!to)
            return ERR_NOMEM;
        *to = *row;
    }
    *from = (struct query_grid){0};
    return 0;
}

struct query_row *query__put_row(struct query_exec *x, struct query_grid *g,
                                 struct data_labels labels, double *value, uint8_t *has)
{
    if (g->count == g->cap && query__expect_rows(x, g, g->cap ? g->cap : 8))
        return NULL;
    struct query_row *r = &g->rows[g->count++];
    *r = (struct query_row){.labels = labels, .value = value, .has = has};
    return r;
}

int query__expect_rows(struct query_exec *x, struct query_grid *g, size_t count)
{
    if (g->cap - g->count >= count)
        return 0;
    struct query_row *rows = arena_alloc(query__columns(x, g), (g->count + count) * sizeof(*rows));
    if (!rows)
        return query__no_memory(x);
    if (g->count)
        memcpy(rows, g->rows, g->count * sizeof(*rows));
    g->rows = rows;
    g->cap = g->count + count;
    return 0;
}

struct query_row *query__add_row(struct query_exec *x, struct query_grid *g,
                                 struct data_labels labels)
{
    struct arena *columns = query__columns(x, g);
    double *value = arena_alloc(columns, x->step_count * sizeof(*value));
    uint8_t *has = arena_calloc(columns, x->step_count, 1);
    if (!value || !has) {
        query__no_memory(x);
        return NULL;
    }
    return query__put_row(x, g, labels, value, has);
}

double *query__add_scalar(struct query_exec *x, struct query_grid *g)
{
    struct query_row *r = query__add_row(x, g, (struct data_labels){NULL, 0});
    if (!r)
        return NULL;
    memset(r->has, 1, x->step_count);
    return r->value;
}

void query__put_float(struct query_row *row, size_t step, double v)
{
    row->has[step] = 1;
    row->value[step] = v;
    if (row->histogram)
        row->histogram[step] = NULL;
}

int query__put_histogram(struct query_exec *x, struct query_row *row, size_t step,
                         const struct data_histogram *h)
{
    if (!row->histogram)
        row->histogram = ARENA_ARRAY(x->arena, const struct data_histogram *, x->step_count);
    if (!row->histogram || !h)
        return query__no_memory(x);
    row->has[step] = 1;
    row->value[step] = 0;
    row->histogram[step] = h;
    return 0;
}

void query__note(struct query_exec *x, bool warning, struct slice text)
{
    bool known = false;
    size_t count = warning ? x->warnings.len : x->infos.len;
    for (size_t i = 0; i < count && !known; i++)
        known = slice_eq(warning ? x->warnings.items[i] : x->infos.items[i], text);
    if (known || count >= 100)
        return;
    struct slice own = arena_slice(x->arena, text);
    if (own.ptr && warning)
        vec_push(&x->warnings, own);
    else if (own.ptr)
        vec_push(&x->infos, own);
}

static void note(struct query_exec *x, bool warning, const struct query_node *at, const char *fmt,
                 va_list ap)
{
    struct buf text = {0};
    buf_append_cstr(&text, warning ? "PromQL warning: " : "PromQL info: ");
    buf_vprintf(&text, fmt, ap);
    if (at)
        buf_printf(&text, " (%u:%u)", at->line, at->col);
    query__note(x, warning, buf_slice(&text));
    buf_deinit(&text);
}

void query__warn(struct query_exec *x, const struct query_node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(x, true, at, fmt, ap);
    va_end(ap);
}

void query__info(struct query_exec *x, const struct query_node *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    note(x, false, at, fmt, ap);
    va_end(ap);
}

int query__check(struct query_exec *x)
{
    if (x->env->cancelled && *x->env->cancelled)
        return diag_set(x->diag, ERR_CANCELLED, "query was canceled in query execution");
    if (x->env->deadline_ns && x->env->now_ns &&
        x->env->now_ns(x->env->now_ctx) > x->env->deadline_ns)
        return diag_set(x->diag, ERR_TIMEOUT,
                        "query timed out in query execution (limits.query.timeout)");
    return 0;
}

bool query__should_stop(const struct query_env *env)
{
    return (env->cancelled && *env->cancelled) ||
           (env->deadline_ns && env->now_ns && env->now_ns(env->now_ctx) > env->deadline_ns);
}

int query__charge(struct query_exec *x, uint64_t bytes)
{
    struct budget *b = x->env->memory;
    return !b || (bytes <= INT64_MAX && budget_take(b, (int64_t)bytes)) ? 0 : query__no_memory(x);
}

void query__give_back(struct query_exec *x, uint64_t bytes)
{
    if (x->env->memory)
        budget_give(x->env->memory, (int64_t)bytes);
}

int query__count_samples(struct query_exec *x, size_t samples)
{
    x->stats.samples_read += samples;
    x->samples_held += samples;
    x->stats.peak_samples = MAX(x->stats.peak_samples, x->samples_held);
    if (x->env->samples_max && x->samples_held > x->env->samples_max)
        return diag_set(x->diag, ERR_LIMIT,
                        "query processing would load too many samples into memory in query "
                        "execution (limits.query.samples)");
    return query__check(x);
}

static bool named(struct slice name, const struct slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq(name, names[i]))
            return true;
    }
    return false;
}

static struct data_labels filter(struct query_exec *x, struct data_labels labels,
                                 const struct slice *names, size_t count, bool keep,
                                 bool drop_metric)
{
    /* What stays lies side by side as a rule, behind the metric's name: then it need not be copied.
     */
    const struct data_label *first = labels.items;
    struct data_label *copy = NULL;
    size_t n = 0;
    for (size_t i = 0; i < labels.count; i++) {
        bool metric = slice_eq_cstr(labels.items[i].name, DATA_METRIC_NAME);
        if (named(labels.items[i].name, names, count) != keep || (metric && drop_metric))
            continue;
        if (!n)
            first = &labels.items[i];
        if (!copy && &first[n] != &labels.items[i]) {
            copy = arena_alloc(x->arena, labels.count * sizeof(*copy));
            if (!copy) {
                x->starved = true;
                return (struct data_labels){NULL, 0};
            }
            memcpy(copy, first, n * sizeof(*copy));
            first = copy;
        }
        if (copy)
            copy[n] = labels.items[i];
        n++;
    }
    return (struct data_labels){first, n};
}

/* A name goes with what was known of the metric: its type and unit. */
struct data_labels query__drop_name(struct query_exec *x, struct data_labels labels)
{
    static const struct slice reserved[] = {SLICE_INIT(DATA_METRIC_NAME), SLICE_INIT("__type__"),
                                            SLICE_INIT("__unit__")};
    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (data_labels_get(labels, reserved[i]).ptr)
            return filter(x, labels, reserved, ARRAY_LEN(reserved), false, false);
    }
    return labels;
}

struct data_labels query__keep_labels(struct query_exec *x, struct data_labels labels,
                                      const struct slice *names, size_t count)
{
    return filter(x, labels, names, count, true, false);
}

struct data_labels query__remove_labels(struct query_exec *x, struct data_labels labels,
                                        const struct slice *names, size_t count, bool and_name)
{
    return filter(x, labels, names, count, false, and_name);
}

struct hash128 query__labels_id(struct data_labels labels, struct buf *scratch)
{
    buf_clear(scratch);
    data_labels_encode(labels, scratch);
    return hash128(scratch->ptr, scratch->len);
}

int query__check_label_name(struct query_exec *x, struct slice name, const char *where)
{
    struct buf quoted = {0};
    if (name.len && codec_utf8_valid(name))
        return 0;
    buf_append_char(&quoted, '"');
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        buf_printf(&quoted, c >= 0x20 && c < 0x7f ? "%c" : "\\x%02x", c);
    }
    buf_append_char(&quoted, '"');
    int err = diag_set(x->diag, ERR_INVALID, "invalid%s label name %s", where ? where : "",
                       buf_cstr(&quoted));
    buf_deinit(&quoted);
    return err;
}

int query__merge_same(struct query_exec *x, struct query_grid *g)
{
    struct map *seen = map_new();
    struct buf key = {0};
    size_t kept = 0;
    int err = 0;
    for (size_t i = 0; i < g->count && !err; i++) {
        bool added;
        buf_clear(&key);
        data_labels_encode(g->rows[i].labels, &key);
        struct map_entry *e = map_put(seen, buf_slice(&key), &added);
        if (added) {
            e->value.u64 = kept;
            g->rows[kept++] = g->rows[i];
            continue;
        }
        struct query_row *to = &g->rows[e->value.u64], *from = &g->rows[i];
        for (size_t s = 0; s < x->step_count && !err; s++) {
            if (!from->has[s])
                continue;
            if (to->has[s]) {
                err = diag_set(x->diag, ERR_INVALID,
                               "vector cannot contain metrics with the same labelset");
                break;
            }
            to->has[s] = 1;
            to->value[s] = from->value[s];
            if (from->histogram && from->histogram[s]) {
                if (!to->histogram)
                    to->histogram = arena_calloc(x->arena, x->step_count, sizeof(*to->histogram));
                if (to->histogram)
                    to->histogram[s] = from->histogram[s];
            }
        }
    }
    g->count = kept;
    map_free(seen);
    buf_deinit(&key);
    return err;
}

double query__quantile(double phi, double *values, size_t n)
{
    if (!n || isnan(phi))
        return NAN;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    double rank = phi * ((double)n - 1);
    double lower = fmax(0, floor(rank)), upper = fmin((double)n - 1, lower + 1);
    double weight = rank - floor(rank);
    size_t nans = 0, at = (size_t)lower;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(values[i]))
            continue;
        values[i] = values[nans];
        values[nans++] = NAN;
    }
    if (at < nans)
        return NAN;
    query_slots_select(values + nans, n - nans, at - nans);
    double next = values[at];
    if (upper > lower) {
        next = values[at + 1];
        for (size_t i = at + 2; i < n; i++)
            next = values[i] < next ? values[i] : next;
    }
    return values[at] * (1 - weight) + next * weight;
}

void query__check_quantile(struct query_exec *x, const struct query_node *at, const double *phi)
{
    for (size_t s = 0; s < x->step_count; s++) {
        char text[CODEC_DOUBLE_TEXT_MAX + 1];
        if (phi[s] >= 0 && phi[s] <= 1)
            continue;
        text[codec_double_to_text(phi[s], CODEC_DOUBLE_GENERAL, text)] = '\0';
        query__warn(x, at, "quantile value should be between 0 and 1, got %s", text);
    }
}
