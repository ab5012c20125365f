/* Deleting rows: parts that have any are written again without them. */
#include "store/event/scan_priv.h"
#include "text/regex.h"

struct deletion {
    struct store_event_cursor *c; /* over the part's rows as the scan selects them */
    uint64_t rows;
    struct diag *diag;
};

static size_t piece_of(const struct store_event_cursor *c, const struct store_event_part *p,
                       size_t group)
{
    for (size_t i = 0; i < c->pieces.len; i++) {
        const struct scan__piece *at = &c->pieces.items[i];
        if (at->part != UINT32_MAX && c->parts[at->part].part == p && at->group == group)
            return i;
    }
    return SIZE_MAX;
}

static bool touches(void *ctx, struct store_event_part *p, size_t group)
{
    struct deletion *d = ctx;
    struct scan__open *o = NULL;
    size_t piece = piece_of(d->c, p, group);
    if (piece == SIZE_MAX)
        return false;
    uint64_t overruns = text_regex_overruns();
    if (scan__open_group(d->c, (uint32_t)piece, &o, d->diag))
        return true; /* and `keep` says why not */
    scan__close(d->c, o);
    return o != NULL || text_regex_overruns() != overruns;
}

static int keep(void *ctx, const struct store_group *g, bool *flags)
{
    struct deletion *d = ctx;
    struct scan__open *o = NULL;
    uint64_t overruns = text_regex_overruns();
    memset(flags, 1, g->entry.rows);
    for (size_t i = 0; i < d->c->pieces.len; i++) {
        const struct scan__piece *at = &d->c->pieces.items[i];
        if (at->part == UINT32_MAX || d->c->parts[at->part].part != g->part)
            continue;
        struct store_group_entry e = store_event_part_group(g->part, at->group);
        if (e.header_at != g->entry.header_at)
            continue;
        int err = scan__open_group(d->c, (uint32_t)i, &o, d->diag);
        for (size_t k = 0; !err && o && k < o->count; k++)
            flags[o->hits[k].row] = false;
        d->rows += !err && o ? o->count : 0;
        scan__close(d->c, o);
        return err ? err
                   : text_regex_check(overruns, "a regular expression of what is to be deleted",
                                      d->diag);
    }
    return 0;
}

int store_delete_events(struct store *s, enum data_event_table table,
                        const struct store_event_scan *what, uint64_t *out_rows, struct diag *diag)
{
    struct store__events *e = &s->events->tables[table];
    uint64_t rows = 0;
    int err = store__check_loaded(s, diag);
    if (err)
        return err;
    pthread_mutex_lock(&s->events->lock);
    err = store__event_flush(e, diag);
    store__event_part_list parts = store__event_pin(e);
    struct store_event_scan scan = *what;
    scan.limit = 0;
    scan.after_position = 0;
    scan.all_fields = scan.children = false;
    scan.field_count = 0;
    for (size_t i = 0; i < parts.len && !err; i++) {
        const struct store_event_part_info *info = store_event_part_info(parts.items[i]);
        if (info->t_max_ns < what->select.t_min_ns || info->t_min_ns > what->select.t_max_ns)
            continue;
        struct deletion d = {.diag = diag};
        err = scan__open_cursor(&e->source, &scan, &d.c, diag);
        if (err)
            break;
        bool any = false;
        for (size_t g = 0; g < store_event_part_group_count(parts.items[i]) && !any; g++)
            any = touches(&d, parts.items[i], g);
        if (any) {
            store__event_part_list one = {0};
            struct store__event_output o = {
                .e = e, .order = info->order, .level = info->level, .zstd_level = 3};
            vec_push(&one, parts.items[i]);
            err = store__event_rewrite(&o, &one, touches, keep, &d, diag);
            vec_free(&o.fresh);
            vec_free(&one);
            rows += err ? 0 : d.rows;
        }
        scan__close_cursor(d.c);
    }
    store__event_unpin(&parts);
    pthread_mutex_unlock(&s->events->lock);
    store__event_count(table, STORE__EVENT_DELETED, (int64_t)rows);
    if (out_rows)
        *out_rows = rows;
    return err;
}
