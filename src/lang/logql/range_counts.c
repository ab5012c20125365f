/* Lines counted without being read: what a source keeps by the minute is enough for all minutes
 * that lie in the same windows as a whole; rows are read only where a window's edge cuts one. */
#include "base/mem.h"
#include "lang/logql/range_priv.h"

#define MINUTE_NS   (60 * NS_PER_SEC)
#define MINUTES_MAX 5000000
#define CUTS_MAX    256  /* stretches that are read; beyond, all is */
#define KNOWN       4096 /* streams and levels whose series is remembered; power of two */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Whether all lines of (begin, begin + a minute] are in the same windows, and in which. */
static bool is_whole(const struct run *r, int64_t begin_ns, size_t *from, size_t *to)
{
    size_t last_from, last_to;
    logql__range_steps(r, begin_ns + 1, from, to);
    logql__range_steps(r, begin_ns + MINUTE_NS, &last_from, &last_to);
    return *from == last_from && *to == last_to;
}

static void everything(const struct store_event_select *select, logql__cut_list *out)
{
    vec_clear(out);
    vec_push(out, ((struct range_cut){select->t_min_ns, select->t_max_ns}));
}

/* The stretches that have to be read. False when that is most of it. */
static bool find_cuts(const struct run *r, const struct store_event_select *select,
                      logql__cut_list *out)
{
    int64_t first = floor_div(select->t_min_ns - 1, MINUTE_NS),
            last = floor_div(select->t_max_ns - 1, MINUTE_NS), cut = 0;
    if (last - first < 2 || last - first > MINUTES_MAX)
        return false;
    for (int64_t k = first; k <= last; k++) {
        size_t from, to;
        int64_t begin = k * MINUTE_NS;
        if (is_whole(r, begin, &from, &to))
            continue;
        cut++;
        if (out->len && out->items[out->len - 1].end_ns == begin)
            out->items[out->len - 1].end_ns += MINUTE_NS;
        else
            vec_push(out, ((struct range_cut){begin + 1, begin + MINUTE_NS}));
        if (out->len > CUTS_MAX || cut * 2 > last - first)
            return false;
    }
    for (size_t i = 0; i < out->len; i++) {
        out->items[i].begin_ns = MAX(out->items[i].begin_ns, select->t_min_ns);
        out->items[i].end_ns = MIN(out->items[i].end_ns, select->t_max_ns);
    }
    return true;
}

/* Lines are told apart by nothing but their streams and levels. */
static bool is_countable(const struct run *r, const struct store_event_select *select)
{
    const struct logql_pipeline *p = r->range->pipeline;
    struct store_event_source *source = r->range->env->source;
    if (!r->counts || !p->plain || p->clause_count ||
        !(source->ops->caps(source) & STORE_EVENT_CAP_COUNTS))
        return false;
    for (size_t i = 0; i < p->field_count; i++) {
        const struct store_event_field *f = &p->fields[i];
        if (f->scopes != STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC)) {
            if (source->ops->may_have(source, select, f))
                return false;
        } else if (f->intrinsic != DATA_EVENT_LINE && f->intrinsic != DATA_EVENT_LEVEL) {
            return false;
        }
    }
    return true;
}

/* Whether a label of the streams matters; the level may be hidden by one. */
static int needs_streams(const struct run *r, const struct store_event_select *select, bool *out,
                         struct diag *diag)
{
    const struct logql_grouping *g = &r->range->grouping;
    struct store_event_source *source = r->range->env->source;
    struct slice level = logql_intrinsic_label(DATA_EVENT_LEVEL);
    bool cut, asks_level = false;
    *out = false;
    for (size_t i = 0; i < g->count; i++) {
        if (slice_eq(g->names[i], level))
            asks_level = true;
        else
            *out = true;
    }
    if (*out || !asks_level)
        return 0;
    struct arena *arena = arena_new(0, NULL);
    struct slice *names;
    size_t count;
    int err = source->ops->label_names(source, select, 0, arena, &names, &count, &cut, diag);
    for (size_t i = 0; i < count && !err; i++)
        *out |= data_event_name_matches(names[i], level);
    arena_free(arena);
    return err;
}

/* The series that lines of a stream and level belong to. */
static struct series *series_of(struct worker *w, const struct store_event_count *c)
{
    struct logql_line *l = &w->rows.line;
    logql_line_begin(l, c->ts_ns, SLICE(""));
    if (c->stream != DATA_EVENT_NONE) {
        const struct logql_rows_stream *s = logql_rows_stream(&w->rows, c->stream);
        for (size_t i = 0; i < s->count; i++)
            vec_push(&l->labels, s->labels[i]);
    }
    const struct logql_pipeline *p = w->run->range->pipeline;
    for (size_t i = 0; i < p->field_count && c->level_state == STORE_LEVEL_NAMED; i++) {
        if (p->fields[i].scopes == STORE_SCOPE_BIT(DATA_SCOPE_INTRINSIC) &&
            p->fields[i].intrinsic == DATA_EVENT_LEVEL)
            logql_line_add_metadata(l, p->field_names[i], data_event_level_name(c->level));
    }
    logql_line_finish(l);
    logql__range_key(w, l->labels.items, l->labels.len);
    return logql__range_series(w, l->labels.items, l->labels.len);
}

/* Adds what is in whole minutes. */
static void add_counts(struct worker *w, const struct store_event_counts *counts)
{
    struct run *r = w->run;
    size_t from, to;
    struct {
        uint64_t what; /* stream, level and state */
        size_t series;
    } *known = mem_alloc(KNOWN * sizeof(*known));
    for (size_t i = 0; i < KNOWN; i++)
        known[i].what = UINT64_MAX;
    w->chunk.streams = counts->streams;
    w->chunk.stream_count = counts->stream_count;
    w->rows.chunk = &w->chunk;
    for (size_t i = 0; i < counts->count; i++) {
        const struct store_event_count *c = &counts->items[i];
        uint64_t what = (uint64_t)c->stream << 8 | (uint64_t)c->level << 4 | c->level_state;
        if (!is_whole(r, c->ts_ns, &from, &to) || from >= to)
            continue;
        size_t at = (c->stream * UINT64_C(40) + (what & 0xff)) % KNOWN;
        if (known[at].what != what) {
            struct series *found = series_of(w, c);
            if (!found)
                break;
            known[at].series = (size_t)(found - w->all.items);
            known[at].what = what;
        }
        struct series *s = &w->all.items[known[at].series];
        s->count[from] += (double)c->rows;
        s->count[to] -= (double)c->rows;
        if (r->bytes) {
            s->sum[from] += (double)c->bytes;
            s->sum[to] -= (double)c->bytes;
        }
    }
    mem_free(known);
}

int logql__range_count(struct run *r, const struct store_event_select *select,
                       logql__cut_list *out_cuts, struct diag *diag)
{
    struct store_event_source *source = r->range->env->source;
    struct store_event_counts counts;
    bool by_stream = false, by_level = false, odd = false;
    if (!is_countable(r, select) || !find_cuts(r, select, out_cuts)) {
        everything(select, out_cuts);
        return 0;
    }
    for (size_t i = 0; i < r->range->pipeline->field_count; i++)
        by_level |= r->range->pipeline->fields[i].intrinsic == DATA_EVENT_LEVEL;
    int err = needs_streams(r, select, &by_stream, diag);
    if (err)
        return err;
    struct arena *arena = arena_new(0, select->limits.memory);
    err = source->ops->counts(source, select, MINUTE_NS, by_stream, by_level, arena, &counts, diag);
    for (size_t i = 0; i < counts.count && !err; i++)
        odd |= counts.items[i].level_state == STORE_LEVEL_ODD;
    if (!err && odd) {
        everything(select, out_cuts);
    } else if (!err) {
        struct worker *w = logql__range_take(r);
        add_counts(w, &counts);
        w->chunk.streams = NULL;
        w->chunk.stream_count = 0;
        w->rows.chunk = NULL;
        logql_rows_forget_streams(&w->rows);
        logql__range_give(r, w);
    }
    arena_free(arena);
    return err;
}
