/* Events and links of spans: where they are, how they were packed, and into chunks. */
#include "store/event/scan_priv.h"

void scan__resolve_child(const struct store_group *g, const struct store_group_table *t,
                         const struct store_event_field *f, struct scan__field *out)
{
    *out = (struct scan__field){.name = f->name};
    enum data_event_scope scope = t->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT : DATA_SCOPE_LINK;
    if (!(f->scopes & STORE_SCOPE_BIT(scope)))
        return;
    for (int exact = 1; exact >= 0; exact--) {
        for (size_t i = t->first; i < t->end && out->count < SCAN__COLUMNS_MAX; i++) {
            uint32_t intrinsic;
            struct data_event_field field = store_group_child_field(g, t, i, &intrinsic);
            bool same = f->intrinsic ? f->intrinsic == intrinsic
                                     : !intrinsic && slice_eq(field.name, f->name);
            bool alike = !f->intrinsic && !intrinsic && !same &&
                         data_event_name_matches(field.name, f->name);
            if (exact ? same : alike)
                out->columns[out->count++] = (uint32_t)i;
        }
    }
}

int scan__owners(struct store_event_cursor *c, struct scan__open *o, size_t table,
                 const uint32_t **out, struct diag *diag)
{
    const struct store_group_table *t = &o->group.tables[table];
    if (!o->owners[table]) {
        int err = scan__charge(c, o, t->rows * sizeof(**o->owners), diag);
        if (err)
            return err;
        uint32_t *owners = mem_alloc(t->rows * sizeof(*owners));
        err = store_group_owners(&o->group, t, owners);
        if (err) {
            mem_free(owners);
            return err;
        }
        o->owners[table] = owners;
        pthread_mutex_lock(&c->lock);
        c->stats.bytes_scanned += t->owners_len;
        pthread_mutex_unlock(&c->lock);
    }
    *out = o->owners[table];
    return 0;
}

int scan__unpack_children(struct slice packed, int64_t ts_ns, struct arena *arena,
                          struct store_event_children *out)
{
    struct data_event_child *items;
    struct data_event_attr *attrs;
    struct slice *names;
    size_t count, name_count;
    if (!store_children_decode(packed, ts_ns, arena, &items, &count, &attrs, &names, &name_count))
        return ERR_CORRUPT;
    /* Events first, as tables give them. */
    size_t events = 0;
    struct data_event_child *sorted = arena_alloc(arena, count * sizeof(*sorted) + 1);
    if (!sorted)
        return ERR_NOMEM;
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < count; i++) {
            if ((int)items[i].kind != kind)
                continue;
            sorted[events] = items[i];
            if (kind == DATA_CHILD_LINK)
                sorted[events].ts_ns = 0;
            events++;
        }
    }
    *out = (struct store_event_children){sorted, count, attrs, names};
    return 0;
}

int scan__packed_children(struct store_event_cursor *c, struct scan__open *o, uint32_t hit_row,
                          struct arena *arena, struct data_value *out, struct diag *diag)
{
    *out = (struct data_value){0};
    if (!o->group.part) {
        struct scan__head_row at = o->head_rows[hit_row];
        struct store_event_block_fields it =
            store_event_block_row_fields(c->view.blocks.items[at.block], at.row);
        uint32_t field;
        struct data_value v;
        while (store_event_block_next_field(&it, &field, &v)) {
            if (field == STORE_FIELD_CHILDREN)
                *out = v;
        }
        return 0;
    }
    size_t column = store_group_find(&o->group, STORE_FIELD_CHILDREN);
    if (column == SIZE_MAX)
        return 0;
    int err = scan__load(c, o, column, diag);
    return err ? err : store_column_get(&o->columns[column], hit_row, arena, out);
}

/* --- into a chunk --- */

static int unpack(struct scan__filling *f, const struct scan__pick *pick, int64_t ts_ns,
                  struct store_event_children *out)
{
    struct data_value packed, copy;
    int err = scan__packed_children(f->c, pick->open, pick->open->hits[pick->hit].row,
                                    f->out->arena, &packed, f->diag);
    if (err)
        return err == ERR_NOMEM ? scan__fill_no_memory(f) : err;
    if (packed.kind != DATA_VALUE_BYTES)
        return 0;
    if (!scan__fill_value(f, packed, &copy))
        return scan__fill_no_memory(f);
    return scan__unpack_children(copy.text, ts_ns, f->out->arena, out);
}

static bool is_wanted(const struct store_event_scan *req, struct data_event_field field,
                      uint32_t intrinsic)
{
    bool any = !req->child_field_count;
    for (size_t i = 0; i < req->child_field_count && !any; i++) {
        const struct store_event_field *want = &req->child_fields[i];
        any = want->scopes & STORE_SCOPE_BIT(field.scope) &&
              (intrinsic || want->intrinsic ? want->intrinsic == intrinsic
                                            : data_event_name_matches(field.name, want->name));
    }
    return any;
}

static void set_own(struct data_event_child *c, uint32_t field, struct data_value v, int64_t ts_ns)
{
    bool text = data_value_has_text(v.kind);
    switch (field) {
    case DATA_CHILD_NAME: c->name = text ? v.text : SLICE(""); break;
    case DATA_CHILD_TIME: c->ts_ns = text ? 0 : (int64_t)((uint64_t)ts_ns + (uint64_t)v.i); break;
    case DATA_CHILD_TRACE_ID: c->trace_id = text ? v.text : SLICE(""); break;
    case DATA_CHILD_SPAN_ID: c->span_id = text ? v.text : SLICE(""); break;
    case DATA_CHILD_TRACE_STATE: c->trace_state = text ? v.text : SLICE(""); break;
    case DATA_CHILD_FLAGS: c->flags = text ? 0 : (uint32_t)v.i; break;
    default: c->dropped = text ? 0 : (uint32_t)v.i;
    }
}

/* Children of a share's rows in one table, and where they go. */
struct kids {
    const struct store_group_table *table;
    const uint32_t *owners;
    uint32_t *rows; /* in the table */
    struct data_event_child **to;
    uint32_t *next; /* attribute of each */
    int64_t *ts;    /* of their spans */
    size_t count;
};

/* One column of the kids; `attrs` NULL: attributes are only counted. */
static int put_column(struct scan__filling *f, struct scan__open *o, struct kids *k, size_t column,
                      uint32_t name, struct data_value *values, struct data_event_attr *attrs)
{
    uint32_t intrinsic;
    struct data_event_field field =
        store_group_child_field(&o->group, k->table, column, &intrinsic);
    if (!is_wanted(&f->c->req, field, intrinsic) || (intrinsic && !attrs))
        return 0;
    int err = scan__load(f->c, o, column, f->diag);
    if (err)
        return err;
    if (!attrs) {
        for (size_t i = 0; i < k->count; i++)
            k->to[i]->count += store_column_index(&o->columns[column], k->rows[i]) != UINT32_MAX;
        return 0;
    }
    memset(values, 0, k->count * sizeof(*values));
    err = scan__fill_rows(f, o, column, k->rows, k->count, values, false);
    for (size_t i = 0; i < k->count && !err; i++) {
        if (!values[i].kind)
            continue;
        if (intrinsic)
            set_own(k->to[i], intrinsic, values[i], k->ts[i]);
        else
            attrs[k->next[i]++] = (struct data_event_attr){name, values[i]};
    }
    return err;
}

/* Names of all columns of tables, by their place behind the rows' columns. */
static struct slice *names_of(struct scan__filling *f, struct scan__open *o)
{
    const struct store_group *g = &o->group;
    struct slice *names =
        arena_calloc(f->out->arena, g->all_count - g->column_count + 1, sizeof(*names));
    for (size_t i = 0; names && i < g->table_count; i++) {
        for (size_t k = g->tables[i].first; k < g->tables[i].end; k++) {
            uint32_t intrinsic;
            struct data_event_field field =
                store_group_child_field(g, &g->tables[i], k, &intrinsic);
            if (intrinsic || !is_wanted(&f->c->req, field, intrinsic))
                continue;
            struct slice name = arena_slice(f->out->arena, field.name);
            if (!name.ptr)
                return NULL;
            names[k - g->column_count] = name;
        }
    }
    return names;
}

static void kids_free(struct kids *k)
{
    mem_free(k->rows);
    mem_free(k->to);
    mem_free(k->next);
    mem_free(k->ts);
}

/* All columns of the kids' table. */
static int fill_kids(struct scan__filling *f, struct scan__open *o, struct kids *k,
                     uint32_t *attr_count, struct data_event_attr *attrs)
{
    struct data_value *values = attrs ? mem_alloc(k->count * sizeof(*values)) : NULL;
    int err = 0;
    for (size_t i = 0; attrs && i < k->count; i++)
        k->next[i] = k->to[i]->first;
    for (size_t c = k->table->first; c < k->table->end && !err; c++)
        err = put_column(f, o, k, c, (uint32_t)(c - o->group.column_count), values, attrs);
    for (size_t i = 0; !attrs && i < k->count; i++) {
        k->to[i]->first = *attr_count;
        *attr_count += k->to[i]->count;
    }
    mem_free(values);
    return err;
}

/* The share's children of a group with tables. */
static int fill_tables(struct scan__filling *f, const struct scan__share *s,
                       struct store_event_children *all)
{
    struct scan__open *o = s->open;
    const struct store_group *g = &o->group;
    struct kids *kids = mem_calloc(g->table_count, sizeof(*kids));
    size_t total = 0, done = 0;
    uint32_t attr_count = 0;
    int err = 0;
    /* How many each row has: first in `count` alone. */
    for (size_t t = 0; t < g->table_count && !err; t++) {
        kids[t].table = &g->tables[t];
        err = scan__owners(f->c, o, t, &kids[t].owners, f->diag);
        for (size_t i = s->begin; i < s->end && !err; i++) {
            uint32_t row = o->hits[f->picks[i].hit].row, n = kids[t].table->rows;
            uint32_t at = store_group_first_of(kids[t].owners, n, row);
            for (; at < n && kids[t].owners[at] == row; at++) {
                kids[t].count++;
                all[i].count++;
                total++;
            }
        }
    }
    struct data_event_child *items =
        err ? NULL : arena_calloc(f->out->arena, total, sizeof(*items));
    struct slice *names = err ? NULL : names_of(f, o);
    if (!err && (!items || !names))
        err = scan__fill_no_memory(f);
    for (size_t i = s->begin; i < s->end && !err; i++) {
        all[i].items = items + done;
        done += all[i].count;
        all[i].names = names;
        all[i].count = 0; /* once more, as they are placed */
    }
    for (size_t t = 0; t < g->table_count && !err; t++) {
        struct kids *k = &kids[t];
        size_t n = 0;
        k->rows = mem_alloc(k->count * sizeof(*k->rows));
        k->to = mem_alloc(k->count * sizeof(*k->to));
        k->next = mem_alloc(k->count * sizeof(*k->next));
        k->ts = mem_alloc(k->count * sizeof(*k->ts));
        for (size_t i = s->begin; i < s->end; i++) {
            uint32_t row = o->hits[f->picks[i].hit].row, rows = k->table->rows;
            uint32_t at = store_group_first_of(k->owners, rows, row);
            for (; at < rows && k->owners[at] == row; at++, n++) {
                struct data_event_child *c =
                    (struct data_event_child *)(uintptr_t)&all[i].items[all[i].count++];
                *c = (struct data_event_child){.kind = k->table->kind,
                                               .name = SLICE(""),
                                               .trace_id = SLICE(""),
                                               .span_id = SLICE(""),
                                               .trace_state = SLICE("")};
                k->rows[n] = at;
                k->to[n] = c;
                k->ts[n] = f->out->ts[i];
            }
        }
        err = k->count ? fill_kids(f, o, k, &attr_count, NULL) : 0;
    }
    struct data_event_attr *attrs =
        err ? NULL : arena_alloc(f->out->arena, attr_count * sizeof(*attrs) + 1);
    if (!err && !attrs)
        err = scan__fill_no_memory(f);
    for (size_t t = 0; t < g->table_count && !err; t++)
        err = kids[t].count ? fill_kids(f, o, &kids[t], NULL, attrs) : 0;
    for (size_t i = s->begin; i < s->end && !err; i++)
        all[i].attrs = attrs;
    for (size_t t = 0; t < g->table_count; t++)
        kids_free(&kids[t]);
    mem_free(kids);
    return err;
}

int scan__fill_children(struct scan__filling *f)
{
    struct store_event_children *all = arena_calloc(f->out->arena, f->count, sizeof(*all));
    int err = all ? 0 : scan__fill_no_memory(f);
    for (size_t i = 0, end; i < f->count && !err; i = end) {
        struct scan__open *o = f->picks[i].open;
        for (end = i; end < f->count && f->picks[end].open == o; end++) {
        }
        if (o->group.table_count) {
            const struct scan__share s = {o, i, end};
            err = fill_tables(f, &s, all);
        }
        for (size_t k = i; !o->group.table_count && k < end && !err; k++)
            err = unpack(f, &f->picks[k], f->out->ts[k], &all[k]);
    }
    f->out->children = all;
    return err;
}
