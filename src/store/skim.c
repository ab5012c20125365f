#include "store/skim.h"

#include "store/summary.h"

/* One of the times from + i * step, i in [0, count), lies in [first, last). */
static bool any_within(int64_t from, int64_t step, size_t count, int64_t first, int64_t last)
{
    if (first >= last)
        return false;
    if (from >= first || step <= 0)
        return from >= first && from < last;
    uint64_t to_first = (uint64_t)first - (uint64_t)from, to_last = (uint64_t)last - (uint64_t)from,
             i = (to_first - 1) / (uint64_t)step + 1;
    return i < count && (uint64_t)step * i < to_last;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_add_overflow(a, b, &out) ? INT64_MAX : out;
}

enum store__skim store__skim_interval(const struct store_windows *w, int64_t first, int64_t last)
{
    if (any_within(w->first_ns, w->step_ns, w->count, first, last) ||
        any_within(w->first_ns - w->range_ns, w->step_ns, w->count, first, last))
        return STORE__DECODE;
    /* Of a window that meets it, it sees all. */
    return any_within(w->first_ns, w->step_ns, w->count, first, plus(last, w->range_ns))
               ? STORE__SUMMARISE
               : STORE__LEAVE_OUT;
}

/* The blocks of one part that were found: how to take them. */
static void skim_part(struct store_selection *sel, const struct store__part_ref *ref,
                      const struct store_windows *windows, unsigned wants,
                      struct store__skim_list *out)
{
    struct store_part *part = sel->parts.items[ref->part];
    bool asked = !windows || wants & STORE_KNOWS_ALL;
    vec_clear(&out->known);
    for (size_t i = 0; i < out->found.len; i++) {
        const struct store_part_block *b = &out->found.items[i];
        struct store__skimmed s = {
            .block = *b, .part = part, .part_index = ref->part, .count = b->count};
        if (windows)
            s.how = store__skim_interval(windows, b->first_ns, b->last_ns);
        if (s.how == STORE__SUMMARISE && !asked) {
            asked = true;
            /* Samples are whole when what is known of them is not. */
            if (store_part_summaries(part, &ref->rows, &out->known)) {
                store__quarantine(sel->store, part);
                vec_clear(&out->known);
            }
        }
        const struct store_summary *known =
            b->nth < out->known.len ? &out->known.items[b->nth] : NULL;
        if (s.how == STORE__SUMMARISE && known && known->knows && (known->knows & wants) == wants) {
            s.count = 2;
            vec_push(&out->summaries, *known);
        } else if (s.how == STORE__SUMMARISE) {
            s.how = STORE__DECODE;
        }
        if (s.how == STORE__LEAVE_OUT)
            s.count = 0;
        vec_push(&out->blocks, s);
    }
}

/* Where samples are left out, what is kept of a column of times is larger by half: for a few blocks
 * at the edges of many that are decoded it is not worth it. */
static bool pays(const struct store__skim_list *list)
{
    size_t decoded = 0, summarised = 0;
    for (size_t i = 0; i < list->blocks.len; i++) {
        const struct store__skimmed *s = &list->blocks.items[i];
        decoded += s->how == STORE__DECODE ? s->block.count : 0;
        summarised += s->how == STORE__SUMMARISE ? s->block.count : 0;
    }
    return summarised >= decoded / 2;
}

static void decode_all(struct store__skim_list *list)
{
    for (size_t i = 0; i < list->blocks.len; i++) {
        struct store__skimmed *s = &list->blocks.items[i];
        if (s->how == STORE__SUMMARISE) {
            s->how = STORE__DECODE;
            s->count = s->block.count;
        }
    }
    vec_clear(&list->summaries);
}

bool store__skim(struct store_selection *sel, const struct store__selected *one, int64_t t_min,
                 int64_t t_max, const struct store_windows *windows, unsigned wants,
                 struct store__skim_list *out)
{
    vec_clear(&out->blocks);
    vec_clear(&out->summaries);
    vec_clear(&out->key);
    for (size_t k = 0; k < one->part_count; k++) {
        struct store_part *part = sel->parts.items[one->parts[k].part];
        vec_clear(&out->found);
        if (store_part_blocks(part, &one->parts[k].rows, t_min, t_max, &out->found))
            return false;
        skim_part(sel, &one->parts[k], windows, wants, out);
    }
    if (!pays(out))
        decode_all(out);
    size_t at = 0, next = 0;
    for (size_t i = 0; i < out->blocks.len; i++) {
        const struct store__skimmed *s = &out->blocks.items[i];
        vec_push(&out->key,
                 (uint64_t)s->part_index << 34 | (uint64_t)s->how << 32 | s->block.times);
        if (s->how == STORE__SUMMARISE)
            out->summaries.items[next++].at = at;
        at += s->count;
    }
    return true;
}

void store__skim_free(struct store__skim_list *list)
{
    vec_free(&list->blocks);
    vec_free(&list->summaries);
    vec_free(&list->key);
    vec_free(&list->found);
    vec_free(&list->known);
}
