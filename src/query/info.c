/* info(): series take over labels of the info series that describe them (target_info and the like),
 * found by the labels that identify both. */
#include "base/map.h"
#include "base/mem.h"
#include "query/calls.h"
#include "text/regex.h"

#define VALUES_MAX 1000 /* of an identifying label that are asked for by name */

static const struct slice identifying[] = {SLICE_INIT("instance"), SLICE_INIT("job")};

struct info_row {
    const struct query_row *values, *times; /* what it says, and when that was written */
    size_t next;                            /* the next one so identified: its index + 1 */
};

typedef VEC(const struct info_row *) info_list;

struct info {
    struct query_exec *x;
    const struct query_selector *asked; /* of the info series */
    struct info_row *rows;
    struct map *by_id; /* to the first row's index + 1 */
    struct buf key;
    info_list picked; /* for the step at hand, one an info metric */
};

static bool is_name(const struct store_matcher *m)
{
    return slice_eq_cstr(m->name, DATA_METRIC_NAME);
}

static struct slice value_of(struct data_labels labels, struct slice name)
{
    struct slice v = data_labels_get(labels, name);
    return v.ptr ? v : SLICE("");
}

/* Something that the selector would take for an info metric. */
static bool is_info(const struct info *f, struct data_labels labels)
{
    struct slice name = value_of(labels, SLICE(DATA_METRIC_NAME));
    for (size_t i = 0; i < f->asked->matcher_count; i++) {
        if (is_name(&f->asked->matchers[i]) && !store_matcher_matches(&f->asked->matchers[i], name))
            return false;
    }
    return true;
}

/* Which labels are taken over: those with matchers, or all when there are no such. */
static bool is_wanted(const struct info *f, struct slice name)
{
    bool any = false;
    for (size_t i = 0; i < f->asked->matcher_count; i++) {
        if (slice_eq(f->asked->matchers[i].name, name))
            return true;
        any |= !is_name(&f->asked->matchers[i]);
    }
    return !any;
}

/* A series without a partner stays, unless a label is asked for that it cannot have. */
static bool stays_alone(const struct info *f)
{
    for (size_t i = 0; i < f->asked->matcher_count; i++) {
        const struct store_matcher *m = &f->asked->matchers[i];
        if (!is_name(m) && !store_matcher_matches(m, SLICE("")))
            return false;
    }
    return true;
}

/* --- the info series --- */

static void append_quoted(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", s.ptr[i]) && s.ptr[i])
            buf_append_char(out, '\\');
        buf_append_char(out, s.ptr[i]);
    }
}

/* A matcher for the values the base has of an identifying label; false when they are too many. */
static bool narrow(const struct info *f, const struct query_grid *base, struct slice name,
                   struct store_matcher *out)
{
    struct map *values = map_new();
    struct buf pattern = {0};
    struct text_regex *re = NULL;
    for (size_t i = 0; i < base->count && map_count(values) <= VALUES_MAX; i++) {
        struct slice v = value_of(base->rows[i].labels, name);
        bool added;
        if (is_info(f, base->rows[i].labels))
            continue;
        map_put(values, v, &added);
        if (!added)
            continue;
        if (map_count(values) > 1)
            buf_append_char(&pattern, '|');
        append_quoted(&pattern, v);
    }
    bool ok = map_count(values) && map_count(values) <= VALUES_MAX &&
              !text_regex_compile(buf_slice(&pattern), TEXT_REGEX_ANCHORED, &re, NULL);
    *out = (struct store_matcher){.op = STORE_MATCH_RE,
                                  .name = name,
                                  .value = arena_slice(f->x->arena, buf_slice(&pattern)),
                                  .regex = re};
    map_free(values);
    buf_deinit(&pattern);
    return ok;
}

/* The identifying labels' values; false when there are none. */
static bool make_key(struct info *f, struct data_labels labels)
{
    bool any = false;
    buf_clear(&f->key);
    for (size_t i = 0; i < ARRAY_LEN(identifying); i++) {
        struct slice v = value_of(labels, identifying[i]);
        any |= v.len > 0;
        buf_append_slice(&f->key, v);
        buf_append_char(&f->key, '\0');
    }
    return any;
}

static int read_info(struct info *f, const struct query_node *selector,
                     const struct query_grid *base)
{
    struct query_exec *x = f->x;
    struct query_node n = *selector;
    struct query_grid values = {0}, times = {0};
    size_t asked = f->asked->matcher_count, count = asked;
    struct store_matcher *m =
        ARENA_ARRAY(x->arena, struct store_matcher, asked + ARRAY_LEN(identifying));
    if (!m)
        return query__no_memory(x);
    memcpy(m, f->asked->matchers, asked * sizeof(*m));
    for (size_t i = 0; i < ARRAY_LEN(identifying); i++)
        count += narrow(f, base, identifying[i], &m[count]);
    n.selector.matchers = m;
    n.selector.matcher_count = count;
    int err = query__eval_instant(x, &n, &values);
    n.selector.timestamps = true;
    if (!err)
        err = query__eval_instant(x, &n, &times);
    for (size_t i = asked; i < count; i++)
        text_regex_free((struct text_regex *)(uintptr_t)m[i].regex);
    f->rows = ARENA_ARRAY(x->arena, struct info_row, values.count);
    if (!err && !f->rows)
        err = query__no_memory(x);
    /* The same series, read twice: rows correspond unless samples came in between. */
    for (size_t i = 0; i < MIN(values.count, times.count) && !err; i++) {
        if (!data_labels_eq(values.rows[i].labels, times.rows[i].labels))
            break;
        make_key(f, values.rows[i].labels);
        struct map_entry *e = map_put(f->by_id, buf_slice(&f->key), NULL);
        f->rows[i] = (struct info_row){&values.rows[i], &times.rows[i], (size_t)e->value.u64};
        e->value.u64 = i + 1;
    }
    return err;
}

/* --- joining --- */

/* Of each info metric the series with the newest sample. */
static int pick(struct info *f, size_t first, size_t s)
{
    vec_clear(&f->picked);
    for (size_t at = first; at; at = f->rows[at - 1].next) {
        const struct info_row *r = &f->rows[at - 1];
        struct slice name = value_of(r->values->labels, SLICE(DATA_METRIC_NAME));
        if (!r->values->has[s] || !r->times->has[s])
            continue;
        if (query__histogram_at(r->values, s))
            return diag_set(f->x->diag, ERR_INVALID,
                            "info(): \"%.*s\" is no info metric, its samples are histograms",
                            SLICE_FMT(name));
        size_t i = 0;
        while (i < f->picked.len && !slice_eq(name, value_of(f->picked.items[i]->values->labels,
                                                             SLICE(DATA_METRIC_NAME))))
            i++;
        if (i == f->picked.len) {
            vec_push(&f->picked, r);
            continue;
        }
        double mine = r->times->value[s], other = f->picked.items[i]->times->value[s];
        if (mine == other)
            return diag_set(f->x->diag, ERR_INVALID,
                            "found duplicate series for info metric \"%.*s\" with the same "
                            "identifying labels and time",
                            SLICE_FMT(name));
        if (mine > other)
            f->picked.items[i] = r;
    }
    return 0;
}

static int join_labels(struct info *f, struct data_labels base, struct data_labels *out)
{
    struct data_labels_builder b = {0};
    struct data_labels labels;
    int err = 0;
    data_labels_builder_from(&b, base);
    for (size_t i = 0; i < f->picked.len && !err; i++) {
        struct data_labels from = f->picked.items[i]->values->labels;
        for (size_t k = 0; k < from.count && !err; k++) {
            struct slice name = from.items[k].name, value = from.items[k].value;
            if (slice_eq_cstr(name, DATA_METRIC_NAME) || !is_wanted(f, name) ||
                data_labels_get(base, name).ptr)
                continue;
            for (size_t j = 0; j < i && !err; j++) {
                struct slice v = data_labels_get(f->picked.items[j]->values->labels, name);
                if (v.ptr && !slice_eq(v, value))
                    err = diag_set(f->x->diag, ERR_INVALID, "conflicting label: %.*s",
                                   SLICE_FMT(name));
            }
            data_labels_builder_set(&b, name, value);
        }
    }
    if (!err)
        err = data_labels_builder_finish(&b, &labels, f->x->diag);
    if (!err)
        *out = data_labels_copy(f->x->arena, labels);
    data_labels_builder_deinit(&b);
    return err;
}

static bool same_list(const info_list *a, const info_list *b)
{
    return a->len == b->len &&
           (!a->len || memcmp(a->items, b->items, a->len * sizeof(*a->items)) == 0);
}

/* The row of these labels among those made of one base series, from `begin` on. */
static struct query_row *row_of(struct query_exec *x, struct query_grid *out, size_t begin,
                                struct data_labels labels)
{
    for (size_t i = begin; i < out->count; i++) {
        if (data_labels_eq(out->rows[i].labels, labels))
            return &out->rows[i];
    }
    return query__add_row(x, out, labels);
}

static int join_series(struct info *f, const struct query_row *base, struct query_grid *out)
{
    size_t begin = out->count;
    struct query_row *row = NULL;
    info_list before = {0};
    int err = 0;
    struct map_entry *e = make_key(f, base->labels) ? map_get(f->by_id, buf_slice(&f->key)) : NULL;
    for (size_t s = 0; s < f->x->step_count && !err; s++) {
        if (!base->has[s] || (err = pick(f, e ? (size_t)e->value.u64 : 0, s)))
            continue;
        if (!f->picked.len && !stays_alone(f))
            continue;
        if (!row || !same_list(&f->picked, &before)) {
            struct data_labels labels;
            if ((err = join_labels(f, base->labels, &labels)))
                break;
            if (!(row = row_of(f->x, out, begin, labels))) {
                err = ERR_NOMEM;
                break;
            }
            row->drop_name = base->drop_name;
            vec_clear(&before);
            for (size_t i = 0; i < f->picked.len; i++)
                vec_push(&before, f->picked.items[i]);
        }
        if (query__histogram_at(base, s))
            err = query__put_histogram(f->x, row, s, base->histogram[s]);
        else
            query__put_float(row, s, base->value[s]);
    }
    vec_free(&before);
    return err;
}

QUERY__CALL(query__info_labels)
{
    struct info f = {.x = x, .asked = &n->args[1]->selector, .by_id = map_new()};
    int err = read_info(&f, n->args[1], &args[0]);
    for (size_t i = 0; i < args[0].count && !err; i++) {
        const struct query_row *base = &args[0].rows[i];
        if (!is_info(&f, base->labels)) {
            err = join_series(&f, base, out);
            continue;
        }
        struct query_row *row = query__add_row(x, out, base->labels);
        if (!row) {
            err = ERR_NOMEM;
            break;
        }
        memcpy(row->value, base->value, x->step_count * sizeof(*row->value));
        memcpy(row->has, base->has, x->step_count);
        row->histogram = base->histogram;
        row->drop_name = base->drop_name;
    }
    map_free(f.by_id);
    buf_deinit(&f.key);
    vec_free(&f.picked);
    return err ? err : query__merge_same(x, out);
}
