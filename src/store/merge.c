/* Merge: adjacent parts of a day become one; deletion: a part is written again without what goes.
 */
#include "store/store_priv.h"
#include "text/regex.h"

#define MERGE_WIDTH   4  /* so many adjacent parts of a day and level make one of the next level */
#define PARTS_PER_DAY 12 /* beyond this, adjacent ones are merged whatever their level */

/* One part being read in the order of its series. */
struct input {
    struct store_part *part;
    struct store_part_cursor cursor;
    uint32_t *map; /* its pairs' ordinals -> the output's */
    VEC(uint32_t) ordinals;
    bool alive;
};

static int advance(struct input *in)
{
    int err = 0;
    in->alive = store_part_next(&in->cursor, &err);
    in->ordinals.len = 0;
    for (size_t i = 0; in->alive && i < in->cursor.pairs.len; i++)
        vec_push(&in->ordinals, in->map[in->cursor.pairs.items[i]]);
    return err;
}

static int order(const struct input *a, const struct input *b)
{
    return store_ordinals_cmp(a->ordinals.items, a->ordinals.len, b->ordinals.items,
                              b->ordinals.len);
}

/* Appends what the input has of its current series; what is damaged is reported, a copy of the file
 * kept, and the rest goes on. */
static void take(struct store *s, const struct input *in, struct store_run *run,
                 store_part_exemplar_list *exemplars)
{
    size_t samples = run->len, count = exemplars->len;
    if (store_part_read(in->part, &in->cursor.rows, INT64_MIN, INT64_MAX, run) ||
        (in->cursor.has_exemplars && store_part_exemplars(in->part, &in->cursor.rows, exemplars))) {
        run->len = samples;
        exemplars->len = count;
        store__quarantine(s, in->part);
    }
}

static bool is_selected(const struct store_pairs *pairs, const struct input *in,
                        const struct store_select_req *req)
{
    for (size_t m = 0; m < req->matcher_count; m++) {
        struct slice value = SLICE("");
        for (size_t i = 1; i < in->ordinals.len; i++) {
            const struct data_label *l = &pairs->items.items[in->ordinals.items[i]];
            if (slice_eq(l->name, req->matchers[m].name))
                value = l->value;
        }
        if (!store_matcher_matches(&req->matchers[m], value))
            return false;
    }
    return in->ordinals.len &&
           slice_eq(pairs->items.items[in->ordinals.items[0]].value, req->tenant);
}

static void leave_out(struct store_run *run, store_part_exemplar_list *exemplars, int64_t t_min,
                      int64_t t_max)
{
    size_t kept = 0;
    for (size_t k = 0; k < run->len; k++) {
        if (run->ts[k] >= t_min && run->ts[k] <= t_max)
            continue;
        run->ts[kept] = run->ts[k];
        run->value[kept] = run->value[k];
        if (run->hist)
            run->hist[kept] = run->hist[k];
        if (run->start)
            run->start[kept] = run->start[k];
        kept++;
    }
    run->len = kept;
    kept = 0;
    for (size_t k = 0; k < exemplars->len; k++) {
        if (exemplars->items[k].ts < t_min || exemplars->items[k].ts > t_max)
            exemplars->items[kept++] = exemplars->items[k];
    }
    exemplars->len = kept;
}

/* Writes the union of `in` (oldest first, of one day) without what `without` selects (may be NULL).
 */
static int rewrite(struct store__output *o, const store__part_list *in,
                   const struct store_select_req *without, struct diag *diag)
{
    struct store_pairs pairs = {0};
    struct input *inputs = mem_calloc(in->len, sizeof(*inputs));
    struct store__label_list *lists = mem_calloc(in->len, sizeof(*lists));
    uint32_t **map = mem_calloc(in->len, sizeof(*map));
    struct store_run run = {0};
    store_part_exemplar_list exemplars = {0};
    int err = 0;
    for (size_t i = 0; i < in->len; i++) {
        const struct store_part *p = in->items[i];
        struct data_label *labels = mem_alloc(store_part_pair_count(p) * sizeof(*labels));
        for (size_t k = 0; k < store_part_pair_count(p); k++)
            labels[k] = store_part_pair(p, (uint32_t)k);
        lists[i] = (struct store__label_list){labels, store_part_pair_count(p)};
    }
    store__pairs_union(lists, in->len, &pairs, map);
    o->pairs = &pairs;
    o->day_from = INT64_MIN;
    o->day_to = INT64_MAX;
    for (size_t i = 0; i < in->len && !err; i++) {
        inputs[i] =
            (struct input){.part = in->items[i], .cursor = {.part = in->items[i]}, .map = map[i]};
        err = advance(&inputs[i]);
    }
    VEC(uint32_t) row = {0};
    while (!err) {
        const struct input *least = NULL;
        for (size_t i = 0; i < in->len; i++) {
            if (inputs[i].alive && (!least || order(&inputs[i], least) < 0))
                least = &inputs[i];
        }
        if (!least)
            break;
        bool selected = without && is_selected(&pairs, least, without);
        vec_clear(&row);
        vec_reserve(&row, least->ordinals.len);
        memcpy(row.items, least->ordinals.items, least->ordinals.len * sizeof(uint32_t));
        row.len = least->ordinals.len;
        store_run_clear(&run);
        vec_clear(&exemplars);
        for (size_t i = 0; i < in->len && !err; i++) {
            if (!inputs[i].alive ||
                store_ordinals_cmp(inputs[i].ordinals.items, inputs[i].ordinals.len, row.items,
                                   row.len) != 0)
                continue;
            take(o->s, &inputs[i], &run, &exemplars);
            err = advance(&inputs[i]);
        }
        store_run_sort(&run);
        exemplars.len = store__exemplars_sort(exemplars.items, exemplars.len);
        if (selected)
            leave_out(&run, &exemplars, without->t_min_ns, without->t_max_ns);
        if (!err)
            err = store__output_series(o, row.items, row.len, &run, exemplars.items, exemplars.len,
                                       diag);
    }
    if (err == ERR_CORRUPT)
        diag_set(diag, err, "a part's table of series contradicts itself");
    for (size_t i = 0; i < in->len; i++) {
        store_part_cursor_deinit(&inputs[i].cursor);
        vec_free(&inputs[i].ordinals);
        mem_free((void *)(uintptr_t)lists[i].labels);
    }
    vec_free(&row);
    vec_free(&exemplars);
    store_run_free(&run);
    /* The writers read the pairs until they are finished. */
    store__part_list fresh = {0}, gone = {0};
    err = store__output_finish(o, err, &fresh, diag);
    if (!err) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < fresh.len; i++)
            bytes += store_part_info(fresh.items[i])->bytes;
        for (size_t i = 0; i < in->len; i++)
            vec_push(&gone, in->items[i]);
        err = store__replace_parts(o->s, &fresh, &gone, o->s->manifest.wal_low_water, diag);
        if (err)
            store__let_go(&fresh);
        else
            counter_add(&store__counters[STORE__MERGE_BYTES], (int64_t)bytes);
    }
    vec_free(&fresh);
    vec_free(&gone);
    for (size_t i = 0; i < in->len; i++)
        mem_free(map[i]);
    mem_free(map);
    mem_free(lists);
    mem_free(inputs);
    vec_free(&pairs.items);
    return err;
}

/* Parts that belong together, oldest first; empty when there is nothing to do. */
static store__part_list pick_merge(struct store *s)
{
    store__part_list parts = store__pin_parts(s), out = {0};
    for (size_t begin = 0; begin < parts.len && !out.len;) {
        const struct store_part_info *first = store_part_info(parts.items[begin]);
        size_t day_end = begin, run_end;
        while (day_end < parts.len && store_part_info(parts.items[day_end])->day == first->day)
            day_end++;
        for (size_t i = begin; i < day_end && !out.len; i = run_end) {
            run_end = i;
            while (run_end < day_end && store_part_info(parts.items[run_end])->level ==
                                            store_part_info(parts.items[i])->level)
                run_end++;
            if (run_end - i >= MERGE_WIDTH) {
                for (size_t k = i; k < run_end; k++)
                    vec_push(&out, store_part_ref(parts.items[k]));
            }
        }
        if (!out.len && day_end - begin > PARTS_PER_DAY) {
            for (size_t k = begin; k < day_end; k++)
                vec_push(&out, store_part_ref(parts.items[k]));
        }
        begin = day_end;
    }
    store__unpin_parts(&parts);
    return out;
}

int store__merge_once(struct store *s, bool *out_did, struct diag *diag)
{
    store__part_list in = pick_merge(s);
    *out_did = in.len > 0;
    if (!in.len)
        return 0;
    int64_t begun = s->os->ops->monotonic_ns(s->os);
    struct store__output o = {.s = s};
    for (size_t i = 0; i < in.len; i++) {
        o.order = MAX(o.order, store_part_info(in.items[i])->order);
        o.level = MAX(o.level, store_part_info(in.items[i])->level + 1);
    }
    int err = rewrite(&o, &in, NULL, diag);
    if (!err) {
        counter_add(&store__counters[STORE__MERGES], 1);
        counter_add(&store__counters[STORE__MERGE_NS], s->os->ops->monotonic_ns(s->os) - begun);
    }
    store__unpin_parts(&in);
    return err;
}

int store_delete_metrics(struct store *s, const struct store_select_req *req, struct diag *diag)
{
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    pthread_mutex_lock(&s->maintain_lock);
    err = store__flush(s, diag);
    store__part_list parts = store__pin_parts(s);
    uint64_t overruns = text_regex_overruns();
    bool *touched = mem_calloc(parts.len + 1, sizeof(*touched));
    for (size_t i = 0; i < parts.len && !err; i++) {
        const struct store_part_info *info = store_part_info(parts.items[i]);
        uint32_t *series = NULL;
        size_t count = 0;
        if (info->t_max_ns < req->t_min_ns || info->t_min_ns > req->t_max_ns)
            continue;
        err = store_part_match(parts.items[i], req->tenant, req->matchers, req->matcher_count,
                               &series, &count);
        mem_free(series);
        touched[i] = count > 0;
    }
    if (!err) /* before anything is changed */
        err = text_regex_check(overruns, "a regular expression of what is to be deleted", diag);
    for (size_t i = 0; i < parts.len && !err; i++) {
        if (!touched[i])
            continue;
        const struct store_part_info *info = store_part_info(parts.items[i]);
        store__part_list one = {0};
        struct store__output o = {.s = s, .order = info->order, .level = info->level};
        vec_push(&one, parts.items[i]);
        err = rewrite(&o, &one, req, diag);
        vec_free(&one);
    }
    mem_free(touched);
    store__unpin_parts(&parts);
    store__changed(s, INT64_MIN);
    store__arrivals_lost(s);
    pthread_mutex_unlock(&s->maintain_lock);
    return err;
}
