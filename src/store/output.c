/* What flush and merge share: parts being written, one a day. */
#include <stdio.h>
#include <stdlib.h>

#include "store/store_priv.h"

#define DAY_NS (86400 * NS_PER_SEC)

int64_t store__day_of(int64_t ts)
{
    int64_t day = ts / DAY_NS;
    return ts % DAY_NS < 0 ? day - 1 : day;
}

static int writer_for(struct store__output *o, int64_t day, struct store_part_writer **out,
                      struct diag *diag)
{
    for (size_t i = 0; i < o->days.len; i++) {
        if (o->days.items[i].day == day) {
            *out = o->days.items[i].writer;
            return 0;
        }
    }
    char path[4300];
    struct store__day_writer w = {.day = day, .id = o->s->manifest.next_id++};
    store__part_path(o->s, w.id, path, sizeof(path));
    int err = store_part_create(o->s->os, path, o->pairs, &w.writer, diag);
    if (err) {
        o->s->os->ops->unlink(o->s->os, path, NULL);
        return err;
    }
    vec_push(&o->days, w);
    *out = w.writer;
    return 0;
}

int store__output_series(struct store__output *o, const uint32_t *ordinals, size_t count,
                         const struct store_run *run, const struct store_part_exemplar *exemplars,
                         size_t exemplar_count, struct diag *diag)
{
    size_t i = 0, k = 0;
    int err = 0;
    while ((i < run->len || k < exemplar_count) && !err) {
        int64_t day = i < run->len ? store__day_of(run->ts[i]) : INT64_MAX;
        if (k < exemplar_count)
            day = MIN(day, store__day_of(exemplars[k].ts));
        size_t i_end = i, k_end = k;
        while (i_end < run->len && store__day_of(run->ts[i_end]) == day)
            i_end++;
        while (k_end < exemplar_count && store__day_of(exemplars[k_end].ts) == day)
            k_end++;
        if (day >= o->day_to) {
            o->next_day = MIN(o->next_day, day);
            break;
        }
        if (day >= o->day_from) {
            struct store_part_writer *w;
            struct store_run piece = store_run_slice(run, i, i_end - i);
            err = writer_for(o, day, &w, diag);
            if (!err)
                err = store_part_add(w, ordinals, count, &piece, exemplars + k, k_end - k, diag);
        }
        i = i_end;
        k = k_end;
    }
    return err;
}

static void discard(store__part_list *parts)
{
    for (size_t i = 0; i < parts->len; i++) {
        store_part_doom(parts->items[i]);
        store_part_unref(parts->items[i]);
    }
    vec_free(parts);
}

int store__output_finish(struct store__output *o, int err, store__part_list *out, struct diag *diag)
{
    struct store *s = o->s;
    for (size_t i = 0; i < o->days.len; i++) {
        struct store__day_writer *w = &o->days.items[i];
        struct store_part_info info = {
            .id = w->id, .order = o->order, .level = o->level, .day = w->day};
        char path[4300];
        store__part_path(s, w->id, path, sizeof(path));
        if (err)
            store_part_abandon(w->writer);
        else
            err = store_part_finish(w->writer, &info, diag);
        struct store_part *part;
        if (!err)
            err = store_part_open(s->os, path, &info, &part, diag);
        if (err)
            s->os->ops->unlink(s->os, path, NULL);
        else
            vec_push(out, part);
    }
    vec_free(&o->days);
    if (!err && out->len) {
        char dir[4200];
        snprintf(dir, sizeof(dir), "%s/parts", s->config.dir);
        err = s->os->ops->sync_dir(s->os, dir, diag);
    }
    if (err)
        discard(out);
    return err;
}

static int by_time_then_labels(const void *a, const void *b)
{
    const struct store_part_exemplar *x = a, *y = b;
    if (x->ts != y->ts)
        return x->ts < y->ts ? -1 : 1;
    int c = slice_cmp(x->labels, y->labels);
    return c ? c : memcmp(&x->value, &y->value, sizeof(x->value));
}

size_t store__exemplars_sort(struct store_part_exemplar *e, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(e, count, sizeof(*e), by_time_then_labels);
    for (size_t i = 0; i < count; i++) {
        if (!kept || by_time_then_labels(&e[i], &e[kept - 1]))
            e[kept++] = e[i];
    }
    return kept;
}

struct origin {
    struct data_label label;
    uint32_t list, at;
};

static int by_label(const void *a, const void *b)
{
    const struct origin *x = a, *y = b;
    int c = slice_cmp(x->label.name, y->label.name);
    return c ? c : slice_cmp(x->label.value, y->label.value);
}

void store__pairs_union(const struct store__label_list *lists, size_t count,
                        struct store_pairs *out, uint32_t **map)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        total += lists[i].count;
    struct origin *all = mem_alloc(total * sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        map[i] = mem_alloc(lists[i].count * sizeof(**map));
        for (size_t k = 0; k < lists[i].count; k++)
            all[n++] = (struct origin){lists[i].labels[k], (uint32_t)i, (uint32_t)k};
    }
    if (n)
        qsort(all, n, sizeof(*all), by_label);
    for (size_t i = 0; i < n; i++) {
        if (!i || by_label(&all[i], &all[i - 1]))
            vec_push(&out->items, all[i].label);
        map[all[i].list][all[i].at] = (uint32_t)out->items.len - 1;
    }
    mem_free(all);
}
