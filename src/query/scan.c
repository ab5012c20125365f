#include "query/scan.h"

#include <math.h>

#include "base/mem.h"
#include "query/hand.h"
#include "query/shared.h"
#include "query/window.h"

#define MORSEL     ((size_t)32)      /* series */
#define WAVE_BYTES ((size_t)8 << 20) /* of rows */

/* What a wave may hold of histograms, and what one of them takes as long as nothing is known. */
#define HISTOGRAMS_BYTES ((size_t)32 << 20)
#define HISTOGRAM_BYTES  ((size_t)1 << 10)

struct query__scan_worker {
    struct query__scan_worker *next;
    struct store_samples samples;
    struct query__sweep sweep;
    /* Of rows that are made the plain way: samples of one series alone, all of them. */
    struct store_samples own;
    struct query__hand *hand;
    bool expects_plain; /* the series before was so: this one is read for it at once */
    struct query_slots_scratch slots;
    struct hash128 seen; /* times that the view has been asked about; zero = none */
};

int64_t query__time_at(const struct query_exec *x, const struct query_selector *sel, size_t step)
{
    int64_t t = sel->has_at ? sel->at_ns : query__step_ns(x, step);
    int64_t out;
    return __builtin_sub_overflow(t, sel->offset_ns, &out) ? t : out;
}

int64_t query__minus(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_sub_overflow(a, b, &out) ? INT64_MIN : out;
}

bool query__one_metric(const struct query_selector *sel)
{
    for (size_t i = 0; i < sel->matcher_count; i++) {
        const struct store_matcher *m = &sel->matchers[i];
        if (m->op == STORE_MATCH_EQ && m->value.len && slice_eq_cstr(m->name, DATA_METRIC_NAME))
            return true;
    }
    return false;
}

bool query__windows_of(const struct query_exec *x, const struct query_node *n,
                       struct query__windows *out)
{
    const struct query_selector *sel = &n->selector;
    int64_t range = n->op == QUERY_INSTANT ? sel->lookback_ns : n->range_ns, last;
    *out = (struct query__windows){
        .first_ns = query__time_at(x, sel, 0),
        .step_ns = x->steps.step_ns,
        .range_ns = range,
        .steps = sel->has_at ? 1 : x->step_count,
    };
    if (__builtin_mul_overflow((int64_t)(out->steps - 1), out->step_ns, &last) ||
        __builtin_add_overflow(out->first_ns, last, &last))
        return false;
    return query__minus(out->first_ns, range) != INT64_MIN &&
           last == query__time_at(x, sel, out->steps - 1);
}

static size_t width_of(const struct query__scan *s)
{
    return s->x->env->pool ? MAX(s->x->env->pool->width, (size_t)1) : 1;
}

int query__scan_select(const struct query__scan *s, struct budget *memory,
                       struct store_selection **out, struct diag *diag)
{
    const struct query_env *env = s->x->env;
    const struct query_selector *sel = &s->node->selector;
    const struct store_select_req req = {
        .tenant = env->tenant,
        .t_min_ns = s->from_ns,
        .t_max_ns = s->to_ns,
        .matchers = sel->matchers,
        .matcher_count = sel->matcher_count,
        .series_max = env->series_max,
        .memory = memory,
        .cancelled = env->cancelled,
        .any_order = true,
    };
    return env->source->ops->select(env->source, &req, out, diag);
}

int query__scan_open(struct query_exec *x, const struct query_node *n,
                     const struct query_grid *params, struct query__scan *out)
{
    const struct query_selector *sel = &n->selector;
    *out = (struct query__scan){.x = x, .node = n};
    pthread_mutex_init(&out->lock, NULL);
    diag_init(&out->failed);
    out->params = params;
    bool exact = query__windows_of(x, n, &out->windows);
    out->windows.per_second = n->op == QUERY_WINDOW && n->function->window == query__rate;
    out->from_ns = query__minus(query__time_at(x, sel, 0), out->windows.range_ns);
    if (out->windows.range_ns)
        out->from_ns++;
    out->to_ns = query__time_at(x, sel, x->step_count - 1);
    if ((sel->anchored || sel->smoothed) && n->op == QUERY_WINDOW)
        out->from_ns = query__minus(out->from_ns, sel->lookback_ns);
    if (sel->smoothed)
        out->to_ns += sel->lookback_ns;
    if (!exact)
        return 0; /* no sample is that far away */
    for (size_t p = 0; p < 2 && params && params[p].count; p++) {
        out->param[p] = params[p].rows[0].value;
        /* A pinned window may still meet another parameter at each step. */
        if (sel->has_at)
            out->windows = (struct query__windows){.first_ns = out->windows.first_ns,
                                                   .range_ns = out->windows.range_ns,
                                                   .steps = x->step_count};
    }
    out->asked = (struct store_windows){.first_ns = out->windows.first_ns,
                                        .step_ns = out->windows.step_ns,
                                        .range_ns = out->windows.range_ns,
                                        .count = out->windows.steps};
    /* What each thread notes about the steps of a column of times, for one column at least. */
    uint64_t charge = out->windows.steps * QUERY__SPAN_BYTES * width_of(out);
    int err = query__charge(x, charge);
    if (err)
        return err;
    out->charged = charge;
    out->rows = query__shared_take(out);
    if (out->rows) {
        out->selection = query__shared_selection(out->rows);
    } else {
        err = query__scan_select(out, x->env->memory, &out->selection, x->diag);
        if (err)
            return err;
        vec_push(&x->selections, out->selection);
    }
    out->count = x->env->source->ops->selection_count(out->selection);
    x->stats.series_selected += out->count;
    if (sel->view && sel->view->selected)
        err = sel->view->selected(sel->view, x->env->source->ops, out->selection, out->count,
                                  x->diag);
    return err;
}

size_t query__scan_wave(const struct query__scan *s)
{
    size_t bytes = s->x->step_count * (sizeof(double) + 1) + sizeof(struct query__slot);
    size_t most = MAX(WAVE_BYTES / bytes, (size_t)1);
    return MIN(MIN(most, s->count), 4 * MORSEL * width_of(s));
}

static size_t histogram_bytes(const struct query__scan *s)
{
    size_t bytes = 0;
    for (const struct query__scan_worker *w = s->idle; w; w = w->next)
        bytes += w->hand ? query__hand_bytes(w->hand) : 0;
    return bytes;
}

size_t query__scan_next(const struct query__scan *s, size_t first, size_t most)
{
    size_t left = s->count - first, one = s->x->step_count * HISTOGRAM_BYTES;
    if (first && !s->wave_bytes)
        return MIN(most, left);
    if (first)
        one = MAX(s->wave_bytes / s->wave_count, (size_t)1);
    return MIN(MIN(MAX(HISTOGRAMS_BYTES / one, width_of(s)), most), left);
}

int query__scan_keep(struct query__scan *s)
{
    int err = 0;
    for (struct query__scan_worker *w = s->idle; w && !err; w = w->next)
        err = w->hand ? query__hand_leave(w->hand, s->x) : 0;
    return err;
}

static struct query__scan_worker *take_worker(struct query__scan *s)
{
    pthread_mutex_lock(&s->lock);
    struct query__scan_worker *w = s->idle;
    if (w)
        s->idle = w->next;
    pthread_mutex_unlock(&s->lock);
    if (!w) {
        w = mem_calloc(1, sizeof(*w));
        w->samples.share_times = true;
        w->samples.memory = s->x->env->memory;
        query__sweep_init(&w->sweep, s->node->op == QUERY_WINDOW ? s->node->function->window : NULL,
                          &s->windows);
        w->sweep.eval_ns = query__step_ns(s->x, 0);
        w->sweep.env = s->x->env;
        w->sweep.no_nans = s->node->selector.no_nans;
        w->sweep.spans.memory = s->x->env->memory;
        memcpy(w->sweep.param, s->param, sizeof(s->param));
        /* Who asks about times wants to see all of them. */
        const struct query_view *view = s->node->selector.view;
        w->samples.windows = view && view->times ? NULL : &s->asked;
        w->samples.wants = query__sweep_wants(&w->sweep);
    }
    return w;
}

static void give_worker(struct query__scan *s, struct query__scan_worker *w)
{
    pthread_mutex_lock(&s->lock);
    w->next = s->idle;
    s->idle = w;
    pthread_mutex_unlock(&s->lock);
}

/* All steps have what the only window gave. */
static void spread(struct query__row *row, size_t steps)
{
    for (size_t s = 1; s < steps; s++)
        row->value[s] = row->value[0];
    memset(row->has, row->has[0], steps);
    row->lo = 0;
    row->hi = row->has[0] ? steps : 0;
    row->all = row->has[0];
}

static bool view_takes(const struct query_view *view, struct query__scan_worker *w)
{
    struct hash128 id = w->samples.times_id;
    bool known = id.hi || id.lo;
    if (!view->times || (known && id.hi == w->seen.hi && id.lo == w->seen.lo))
        return true;
    w->seen = id;
    return view->times(view, w->samples.ts, w->samples.count);
}

static void note_failure(struct query__scan *s, const struct diag *diag)
{
    pthread_mutex_lock(&s->lock);
    if (!s->failed.code)
        s->failed = *diag;
    pthread_mutex_unlock(&s->lock);
}

static int read_series(struct query__scan *s, size_t series, struct store_samples *out)
{
    const struct store_source_ops *ops = s->x->env->source->ops;
    struct diag diag;
    diag_init(&diag);
    int err = ops->selection_read(s->selection, series, s->from_ns, s->to_ns, out, &diag);
    if (err)
        note_failure(s, &diag);
    return err;
}

/* Whether there is no fast way for a series: it has histograms, or start timestamps that matter. */
static bool is_plain(const struct query__scan *s, const struct store_samples *samples)
{
    const struct query_selector *sel = &s->node->selector;
    bool starts = samples->start && s->node->op == QUERY_WINDOW && s->node->function->starts;
    return samples->histogram || starts || samples->count > INT32_MAX || sel->anchored ||
           sel->smoothed || sel->starts;
}

/* False: the series is one for the fast way. */
static bool plain_slot(struct query__scan *s, struct query__scan_worker *w,
                       struct query__slot *slot)
{
    struct diag diag;
    diag_init(&diag);
    slot->err = read_series(s, slot->series, &w->own);
    w->expects_plain = slot->err || is_plain(s, &w->own);
    if (slot->err || !w->expects_plain)
        return slot->err;
    if (!w->hand)
        w->hand = query__hand_new(s->x);
    slot->histograms = true;
    slot->err = query__hand_row(w->hand, s, &w->own, slot, &diag);
    if (slot->err)
        note_failure(s, &diag);
    return true;
}

/* The row as it is after what the node does to each. */
static void change_row(const struct query__scan *s, struct query__scan_worker *w,
                       struct query__row *row)
{
    const struct query_node *n = s->node;
    size_t steps = s->x->step_count, there = 0;
    for (size_t i = 0; i < steps; i++) {
        if (i < row->lo || i >= row->hi || (!row->all && !row->has[i]))
            row->value[i] = NAN;
    }
    for (size_t k = 0; k < n->each_count; k++)
        query_each_row(&n->each[k], s->x->steps.step_ns / NS_PER_SEC, row->value, steps, &w->slots);
    row->lo = row->hi = 0;
    for (size_t i = 0; i < steps; i++) {
        row->has[i] = !isnan(row->value[i]);
        there += row->has[i];
        row->lo = there == 1 && row->has[i] ? i : row->lo;
        row->hi = row->has[i] ? i + 1 : row->hi;
    }
    row->all = there == row->hi - row->lo;
}

static void read_slot(struct query__scan *s, struct query__scan_worker *w, struct query__slot *slot)
{
    const struct query_view *view = s->node->selector.view;
    slot->samples = 0;
    slot->histograms = false;
    slot->histogram = NULL;
    slot->notes = NULL;
    if (view && view->group_of && view->group_of[slot->series] == QUERY_NO_GROUP)
        return;
    if (s->makes_all && !view && w->expects_plain && plain_slot(s, w, slot))
        return;
    slot->err = read_series(s, slot->series, &w->samples);
    if (!slot->err && !query__sweep_serves(&w->sweep, &w->samples)) {
        w->samples.windows = NULL; /* all samples, this once */
        slot->err = read_series(s, slot->series, &w->samples);
        w->samples.windows = &s->asked;
    }
    if (slot->err || !w->samples.count)
        return;
    if (view && (w->samples.histogram || !view_takes(view, w))) {
        slot->err = ERR_AGAIN;
        return;
    }
    slot->histograms = is_plain(s, &w->samples);
    if (slot->histograms) {
        if (s->makes_all)
            plain_slot(s, w, slot);
        return;
    }
    const struct query__column column = {.ts = w->samples.ts,
                                         .v = w->samples.value,
                                         .count = w->samples.count,
                                         .times_id = w->samples.times_id,
                                         .ordinary = w->samples.ordinary,
                                         .integers = w->samples.integers,
                                         .summaries = w->samples.summaries,
                                         .summary_count = w->samples.summary_count,
                                         .place = w->samples.place};
    slot->samples = query__sweep_row(&w->sweep, &column, &slot->row);
    if (slot->samples && s->node->op == QUERY_INSTANT) {
        /* The samples an instant selector holds are those it shows. */
        slot->samples = 0;
        for (size_t i = 0; i < s->windows.steps; i++)
            slot->samples += slot->row.has[i];
        if (s->node->selector.timestamps) {
            const struct query__span *p =
                query__span_of(&w->sweep.spans, column.ts, column.count, column.times_id);
            for (size_t i = slot->row.lo; i < slot->row.hi; i++)
                slot->row.value[i] = query__seconds(w->samples.ts[p->last[i]]);
        }
    }
    if (slot->samples && s->windows.steps < s->x->step_count)
        spread(&slot->row, s->x->step_count);
    if (slot->samples && s->node->each_count)
        change_row(s, w, &slot->row);
}

size_t query__scan_morsels(size_t count)
{
    return (count + MORSEL - 1) / MORSEL;
}

void query__scan_morsel(struct query__scan *s, struct query__slot *slots, size_t count, size_t i)
{
    size_t begin = i * MORSEL, end = MIN(begin + MORSEL, count);
    if (query__should_stop(s->x->env))
        return;
    struct query__scan_worker *w = take_worker(s);
    for (size_t k = begin; k < end; k++)
        read_slot(s, w, &slots[k]);
    give_worker(s, w);
}

struct wave {
    struct query__scan *scan;
    struct query__slot *slots;
    size_t count, morsel;
    bool rest; /* only what others of the request did not make */
};

static void run_morsel(void *ctx, size_t i)
{
    const struct wave *wave = ctx;
    size_t begin = i * wave->morsel, end = MIN(begin + wave->morsel, wave->count);
    if (query__should_stop(wave->scan->x->env))
        return;
    struct query__scan_worker *w = take_worker(wave->scan);
    for (size_t k = begin; k < end; k++) {
        if (!wave->rest || wave->slots[k].histograms)
            read_slot(wave->scan, w, &wave->slots[k]);
    }
    give_worker(wave->scan, w);
}

static void read_wave(struct query__scan *s, size_t count, struct query__slot *slots, bool rest)
{
    /* Small waves are those of large rows: all threads have a part of them. */
    size_t width = width_of(s), part = (count + 2 * width - 1) / (2 * width);
    struct wave wave = {
        .scan = s, .slots = slots, .count = count, .morsel = MIN(MORSEL, part), .rest = rest};
    size_t morsels = (count + wave.morsel - 1) / wave.morsel;
    if (width > 1 && morsels > 1) {
        s->x->env->pool->parallel(s->x->env->pool, TASK_INTERACTIVE, morsels, width, run_morsel,
                                  &wave);
        return;
    }
    for (size_t i = 0; i < morsels; i++)
        run_morsel(&wave, i);
}

/* Rows that are there already. True when some are not. */
static bool copy_rows(struct query__scan *s, size_t first, size_t count, struct query__slot *slots)
{
    bool rest = false;
    for (size_t i = 0; i < count; i++) {
        const struct query__slot *from = &query__shared_slots(s->rows)[first + i];
        struct query__row *to = &slots[i].row;
        slots[i].samples = from->samples;
        slots[i].histograms = from->histograms;
        slots[i].histogram = NULL;
        slots[i].notes = NULL;
        rest |= from->histograms;
        if (from->histograms && s->borrows)
            *to = slots[i].own;
        if (!from->samples)
            continue;
        if (s->borrows) {
            *to = from->row;
            continue;
        }
        to->lo = from->row.lo;
        to->hi = from->row.hi;
        to->all = from->row.all;
        memcpy(to->value + to->lo, from->row.value + to->lo,
               (to->hi - to->lo) * sizeof(*to->value));
        memcpy(to->has, from->row.has, s->x->step_count);
    }
    return rest;
}

int query__scan_read(struct query__scan *s, size_t first, size_t count, struct query__slot *slots)
{
    int err = query__check(s->x);
    for (size_t i = 0; i < count; i++) {
        slots[i].series = first + i;
        slots[i].samples = 0;
        slots[i].err = 0;
    }
    for (struct query__scan_worker *w = s->idle; w; w = w->next) {
        if (w->hand)
            query__hand_forget(w->hand);
    }
    if (!err && s->rows && copy_rows(s, first, count, slots) && s->makes_all)
        read_wave(s, count, slots, true);
    else if (!err && !s->rows)
        read_wave(s, count, slots, false);
    if (!err)
        err = query__check(s->x);
    s->wave_bytes = histogram_bytes(s);
    s->wave_count = count;
    for (size_t i = 0; i < count && !err; i++) {
        if (slots[i].err)
            err = diag_set(s->x->diag, slots[i].err, "%s", s->failed.msg);
        else if (slots[i].samples)
            err = query__count_samples(s->x, slots[i].samples);
        /* Each window holds what is new to it; a series is in memory once. */
        if (s->node->op == QUERY_WINDOW)
            s->x->samples_held -= MIN(s->x->samples_held, (uint64_t)slots[i].samples);
    }
    return err;
}

void query__scan_free_workers(struct query__scan *s)
{
    for (struct query__scan_worker *w = s->idle, *next; w; w = next) {
        next = w->next;
        query__sweep_free(&w->sweep);
        query__hand_free(w->hand);
        store_samples_free(&w->own);
        query_slots_scratch_free(&w->slots);
        store_samples_free(&w->samples);
        mem_free(w);
    }
    s->idle = NULL;
}

void query__scan_close(struct query__scan *s)
{
    query__scan_free_workers(s);
    query__give_back(s->x, s->charged);
    pthread_mutex_destroy(&s->lock);
}
