/* What will be read of groups is fetched together, instead of page by page as it is touched. */
#include "store/event/part_priv.h"
#include "store/event/scan_priv.h"

/* Bytes of a group's data that lie side by side. */
struct stretch {
    const struct store_group *group;
    uint64_t begin, end;
};

static void fetch(const struct stretch *s)
{
    const struct store_event_part *p = s->group->part;
    if (s->end > s->begin)
        p->os->ops->prefetch(p->file, slice_make(p->bytes.ptr + s->group->entry.data_at + s->begin,
                                                 s->end - s->begin));
}

static void add(struct stretch *s, uint64_t begin, uint64_t end)
{
    if (begin != s->end) {
        fetch(s);
        s->begin = begin;
    }
    s->end = end;
}

/* Texts are in pages, of which few may be needed. */
static void add_column(struct stretch *s, size_t column)
{
    const struct store_column_info *c = &s->group->columns[column];
    bool whole = c->form != STORE_COLUMN_TEXT && c->form != STORE_COLUMN_MIXED &&
                 c->form != STORE_COLUMN_SPLIT;
    uint64_t at = s->group->column_at[column];
    add(s, at, at + c->meta_len + (whole ? c->pages_len : 0));
}

static void add_field(struct stretch *s, const struct store_event_field *field)
{
    const struct store_group *g = s->group;
    struct scan__field f;
    if (!store_event_is_of_children(*field)) {
        scan__resolve(field, g->column_count, scan__group_field, g, &f);
        for (uint32_t k = 0; k < f.count; k++)
            add_column(s, f.columns[k]);
        return;
    }
    for (size_t i = 0; i < g->table_count; i++) {
        scan__resolve_child(g, &g->tables[i], field, &f);
        if (f.count)
            add(s, g->tables[i].owners_at, g->tables[i].owners_at + g->tables[i].owners_len);
        for (uint32_t k = 0; k < f.count; k++)
            add_column(s, f.columns[k]);
    }
}

void scan__fetch_clauses(struct store_event_cursor *c, const struct store_group *g)
{
    struct stretch s = {.group = g};
    if (c->req.clause_count)
        add(&s, 0, g->ts_len);
    for (size_t i = 0; i < c->req.clause_count; i++) {
        for (size_t k = 0; k < c->req.clauses[i].count; k++)
            add_field(&s, &c->req.clauses[i].any[k].field);
    }
    fetch(&s);
}

void scan__fetch_wanted(struct store_event_cursor *c, const struct store_group *g)
{
    struct stretch s = {.group = g};
    for (size_t i = 0; !c->req.all_fields && i < c->req.field_count; i++)
        add_field(&s, &c->req.fields[i]);
    for (size_t i = 0; c->req.all_fields && i < g->column_count; i++)
        add_column(&s, i);
    for (size_t i = 0; c->req.children && i < c->req.child_field_count; i++)
        add_field(&s, &c->req.child_fields[i]);
    for (size_t i = 0; c->req.children && !c->req.child_field_count && i < g->table_count; i++) {
        add(&s, g->tables[i].owners_at, g->tables[i].owners_at + g->tables[i].owners_len);
        for (size_t k = g->tables[i].first; k < g->tables[i].end; k++)
            add_column(&s, k);
    }
    fetch(&s);
}

void scan__fetch_headers(struct store_event_cursor *c)
{
    for (size_t i = 0; i < c->pieces.len; i++) {
        const struct scan__piece *at = &c->pieces.items[i];
        if (at->part == UINT32_MAX)
            continue;
        const struct store_event_part *p = c->parts[at->part].part;
        struct store_group_entry e = store_event_part_group(p, at->group);
        bool damaged = false, may = true;
        for (size_t k = 0; k < c->req.clause_count && may; k++)
            may = !c->clauses[k].use_probe || c->clauses[k].of_tables ||
                  !scan__may_probe(c, &c->parts[at->part], k) ||
                  store_event_part_may_have(p, &e, &c->clauses[k].probe, &damaged);
        if (may)
            p->os->ops->prefetch(p->file, slice_make(p->bytes.ptr + e.header_at, e.header_len));
    }
}
