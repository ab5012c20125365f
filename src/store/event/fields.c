/* The fields rows have, and the values of one. */
#include <stdlib.h>

#include "base/map.h"
#include "store/event/scan_priv.h"

#define DISTINCT_MAX 10000 /* values looked at for a cardinality */

struct known {
    struct store_event_field_info info;
    struct map *values; /* texts of those in dictionaries */
    uint64_t most;      /* distinct ones of a group without a dictionary */
};

struct listing {
    struct store_event_cursor *c;
    VEC(struct known) fields;
    struct map *by_name; /* scope name -> index */
    struct buf key;
};

static struct known *field_of(struct listing *l, struct data_event_field f, uint32_t intrinsic)
{
    bool added;
    buf_clear(&l->key);
    buf_append_char(&l->key, (char)f.scope);
    buf_append_slice(&l->key, f.name);
    struct map_entry *e = map_put(l->by_name, buf_slice(&l->key), &added);
    if (added) {
        e->value.u64 = l->fields.len;
        vec_push(&l->fields, ((struct known){.info = {.scope = f.scope,
                                                      .intrinsic = intrinsic,
                                                      .name = slice_from(e->key, 1)},
                                             .values = map_new()}));
    }
    return &l->fields.items[e->value.u64];
}

static void add_value(struct listing *l, struct known *k, struct data_value v)
{
    if (map_count(k->values) >= DISTINCT_MAX)
        return;
    buf_clear(&l->key);
    data_value_print(v, &l->key);
    map_put(k->values, buf_slice(&l->key), NULL);
}

static int list_column(struct listing *l, const struct store_group *g, size_t column,
                       struct data_event_field field, uint32_t intrinsic)
{
    const struct store_column_info *info = &g->columns[column];
    struct known *k = field_of(l, field, intrinsic);
    k->info.kinds |= info->kinds;
    k->info.rows += info->present;
    if (info->form != STORE_COLUMN_DICT) {
        k->most = MAX(k->most, (uint64_t)info->present);
        return 0;
    }
    struct store_column c;
    int err = store_group_column(g, column, NULL, &c);
    for (uint32_t n = 0; !err && n < c.dict_count; n++)
        add_value(l, k, c.dict[n]);
    if (!err)
        store_column_free(&c);
    return err;
}

static void list_children(struct listing *l, struct slice packed)
{
    struct store_event_children all = {0};
    struct arena *arena = arena_new(4096, NULL);
    if (!scan__unpack_children(packed, 0, arena, &all)) {
        for (size_t i = 0; i < all.count; i++) {
            const struct data_event_child *c = &all.items[i];
            for (uint32_t a = c->first; a < c->first + c->count; a++) {
                struct data_event_field f = {c->kind == DATA_CHILD_EVENT ? DATA_SCOPE_EVENT
                                                                         : DATA_SCOPE_LINK,
                                             all.names[all.attrs[a].field]};
                struct known *k = field_of(l, f, 0);
                k->info.kinds |= 1u << all.attrs[a].value.kind;
                k->info.rows++;
                add_value(l, k, all.attrs[a].value);
            }
        }
    }
    arena_free(arena);
}

/* Packed ones of a group of an earlier version. */
static int list_packed(struct listing *l, const struct store_group *g, size_t column)
{
    struct store_column c;
    struct arena *arena = arena_new(0, NULL);
    int err = store_group_column(g, column, NULL, &c);
    for (uint32_t row = 0; !err && row < g->entry.rows; row++) {
        struct data_value v;
        if (row % 256 == 0)
            arena_reset(arena);
        err = store_column_get(&c, row, arena, &v);
        if (!err && v.kind == DATA_VALUE_BYTES)
            list_children(l, v.text);
    }
    store_column_free(&c);
    arena_free(arena);
    return err;
}

static int list_group(struct listing *l, const struct scan__piece *piece)
{
    struct scan__part *p = &l->c->parts[piece->part];
    struct store_group g;
    int err = store_group_open(p->part, piece->group, &g);
    bool any = false;
    for (size_t i = 0; i < g.run_count && !err && !any; i++)
        any = p->match[g.run_stream[i] / 64] >> g.run_stream[i] % 64 & 1;
    for (size_t i = 0; i < g.column_count && !err && any; i++) {
        uint32_t field = g.columns[i].field;
        err = field == STORE_FIELD_CHILDREN
                  ? list_packed(l, &g, i)
                  : list_column(l, &g, i, store_event_part_field(p->part, field), field);
    }
    for (size_t t = 0; t < g.table_count && !err && any; t++) {
        for (size_t i = g.tables[t].first; i < g.tables[t].end && !err; i++) {
            uint32_t intrinsic;
            struct data_event_field f = store_group_child_field(&g, &g.tables[t], i, &intrinsic);
            err = intrinsic ? 0 : list_column(l, &g, i, f, 0);
        }
    }
    store_group_close(&g);
    return err;
}

static void list_blocks(struct listing *l, const struct scan__piece *piece)
{
    const struct store_event_select *req = &l->c->req.select;
    for (uint32_t i = piece->block_begin; i < piece->block_end; i++) {
        const struct store_event_block *b = l->c->view.blocks.items[i];
        if (!slice_eq(b->tenant, req->tenant))
            continue;
        bool *match = mem_alloc(b->stream_count);
        for (uint32_t k = 0; k < b->stream_count; k++)
            match[k] = scan__labels_match(b->streams[k]->labels, req->matchers, req->matcher_count);
        for (uint32_t row = 0; row < b->row_count; row++) {
            struct store_event_block_fields it = store_event_block_row_fields(b, row);
            uint32_t field;
            struct data_value v;
            while (match[b->rows[row].stream] && store_event_block_next_field(&it, &field, &v)) {
                if (field == STORE_FIELD_CHILDREN) {
                    list_children(l, v.text);
                    continue;
                }
                struct known *k = field_of(l, scan__block_field(b, field), field);
                k->info.kinds |= 1u << v.kind;
                k->info.rows++;
                if (field != DATA_EVENT_LINE)
                    add_value(l, k, v);
                else
                    k->most = k->info.rows;
            }
        }
        mem_free(match);
    }
}

static int by_field(const void *a, const void *b)
{
    const struct store_event_field_info *x = a, *y = b;
    return x->scope != y->scope ? (int)x->scope - (int)y->scope : slice_cmp(x->name, y->name);
}

bool scan__may_have(struct store_event_source *src, const struct store_event_select *req,
                    const struct store_event_field *field)
{
    struct store__events *e = BASE_CONTAINER_OF(src, struct store__events, source);
    struct store__event_view view;
    bool may = store_event_is_of_children(*field); /* nobody keeps a list of them */
    store__event_view_take(e, req->t_min_ns, req->t_max_ns, false, &view);
    for (size_t i = 0; i < view.blocks.len && !may; i++) {
        const struct store_event_block *b = view.blocks.items[i];
        for (uint32_t k = DATA_EVENT_INTRINSIC_COUNT; k < b->field_count && !may; k++) {
            struct data_event_field f = scan__block_field(b, k);
            may = field->scopes & STORE_SCOPE_BIT(f.scope) &&
                  data_event_name_matches(f.name, field->name);
        }
    }
    for (size_t i = 0; i < view.parts.len && !may; i++) {
        const struct store_event_part *p = view.parts.items[i];
        for (uint32_t k = DATA_EVENT_INTRINSIC_COUNT; k < store_event_part_field_count(p) && !may;
             k++) {
            struct data_event_field f = store_event_part_field(p, k);
            may = field->scopes & STORE_SCOPE_BIT(f.scope) &&
                  data_event_name_matches(f.name, field->name);
        }
    }
    store__event_view_free(&view);
    return may;
}

int scan__fields(struct store_event_source *src, const struct store_event_select *req,
                 struct arena *arena, struct store_event_field_info **out, size_t *out_count,
                 struct diag *diag)
{
    struct store_event_scan scan = {.select = *req};
    struct listing l = {.by_name = map_new()};
    int err = scan__open_cursor(src, &scan, &l.c, diag);
    for (size_t i = 0; !err && i < l.c->pieces.len; i++) {
        const struct scan__piece *piece = &l.c->pieces.items[i];
        err = scan__check(l.c, diag);
        if (!err && piece->part == UINT32_MAX)
            list_blocks(&l, piece);
        else if (!err && list_group(&l, piece))
            store__event_quarantine(l.c->e, l.c->parts[piece->part].part);
    }
    *out = arena_alloc(arena, l.fields.len * sizeof(**out));
    *out_count = l.fields.len;
    for (size_t i = 0; i < l.fields.len; i++) {
        struct known *k = &l.fields.items[i];
        k->info.cardinality = MAX((uint64_t)map_count(k->values), k->most);
        k->info.name = arena_slice(arena, k->info.name);
        if (*out)
            (*out)[i] = k->info;
        if (!*out || !k->info.name.ptr)
            err = err ? err : scan__no_memory(req, diag);
        map_free(k->values);
    }
    if (!err && l.fields.len)
        qsort(*out, l.fields.len, sizeof(**out), by_field);
    if (l.c)
        scan__close_cursor(l.c);
    vec_free(&l.fields);
    map_free(l.by_name);
    buf_deinit(&l.key);
    return err;
}

/* --- values --- */

#define ENTRY_BYTES 80 /* of a value in the map, but for its text */

static int by_rows(const void *a, const void *b)
{
    const struct store_event_field_value *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    if (x->value.kind != y->value.kind)
        return (int)x->value.kind - (int)y->value.kind;
    if (data_value_has_text(x->value.kind))
        return slice_cmp(x->value.text, y->value.text);
    return (x->value.i > y->value.i) - (x->value.i < y->value.i);
}

static struct data_value value_of_key(struct slice key)
{
    struct data_value v = {.kind = (enum data_value_kind)key.ptr[0]};
    if (data_value_has_text(v.kind))
        v.text = slice_from(key, 1);
    else
        memcpy(&v.i, key.ptr + 1, 8);
    return v;
}

struct counting {
    struct map *values;
    struct buf key;
    struct budget *memory;
    int64_t charged;
};

static bool count_value(struct counting *k, struct data_value v)
{
    bool added;
    if (!v.kind)
        return true;
    buf_clear(&k->key);
    buf_append_char(&k->key, (char)v.kind);
    if (data_value_has_text(v.kind))
        buf_append_slice(&k->key, v.text);
    else
        buf_append(&k->key, &v.i, 8);
    map_put(k->values, buf_slice(&k->key), &added)->value.u64++;
    int64_t bytes = added && k->memory ? (int64_t)k->key.len + ENTRY_BYTES : 0;
    if (bytes && !budget_take(k->memory, bytes))
        return false;
    k->charged += bytes;
    return true;
}

static bool count_children(struct counting *k, const struct store_event_chunk *c, size_t row,
                           struct store_event_field field)
{
    const struct store_event_children *all = &c->children[row];
    for (size_t i = 0; i < all->count; i++) {
        if (!count_value(k, store_event_child_value(all, &all->items[i], c->ts[row], field)))
            return false;
    }
    return true;
}

int scan__field_values(struct store_event_source *src, struct store_event_field field,
                       const struct store_event_scan *req, size_t limit, struct arena *arena,
                       struct store_event_field_value **out, size_t *out_count, bool *out_cut,
                       struct diag *diag)
{
    struct store_event_scan scan = *req;
    struct store_event_cursor *c = NULL;
    struct store_event_chunk chunk = {0};
    struct counting k = {.values = map_new(), .memory = req->select.limits.memory};
    bool of_children = store_event_is_of_children(field);
    /* Groups without it need not be looked into. */
    struct store_event_predicate has = {.op = STORE_EVENT_HAS, .field = field};
    struct store_event_clause *clauses = mem_calloc(req->clause_count + 1, sizeof(*clauses));
    if (req->clause_count)
        memcpy(clauses, req->clauses, req->clause_count * sizeof(*clauses));
    clauses[req->clause_count] = (struct store_event_clause){&has, 1};
    scan.clauses = clauses;
    scan.clause_count = req->clause_count + 1;
    scan.fields = &field;
    scan.field_count = !of_children;
    scan.all_fields = false;
    scan.children = of_children;
    scan.child_fields = &field;
    scan.child_field_count = 1;
    int err = scan__open_cursor(src, &scan, &c, diag);
    for (size_t i = 0; !err && i < scan__morsel_count(c); i++) {
        err = scan__morsel_read(c, i, &chunk, diag);
        for (size_t row = 0; !err && row < chunk.count; row++) {
            if (!(of_children ? count_children(&k, &chunk, row, field)
                              : count_value(&k, chunk.columns[0].values[row])))
                err = scan__no_memory(&req->select, diag);
        }
    }
    struct map *values = k.values;
    size_t n = map_count(values), pos = 0, at = 0;
    *out = arena_alloc(arena, n * sizeof(**out));
    for (struct map_entry *e; !err && *out && (e = map_next(values, &pos));)
        (*out)[at++] = (struct store_event_field_value){value_of_key(e->key), e->value.u64};
    if (!err && *out && n)
        qsort(*out, n, sizeof(**out), by_rows);
    *out_cut = limit && n > limit;
    *out_count = *out_cut ? limit : n;
    for (size_t i = 0; !err && *out && i < *out_count; i++) {
        if (!data_value_has_text((*out)[i].value.kind))
            continue;
        (*out)[i].value.text = arena_slice(arena, (*out)[i].value.text);
        if (!(*out)[i].value.text.ptr)
            err = scan__no_memory(&req->select, diag);
    }
    if (!err && !*out)
        err = scan__no_memory(&req->select, diag);
    map_free(values);
    if (k.charged)
        budget_give(k.memory, k.charged);
    buf_deinit(&k.key);
    store_event_chunk_free(&chunk);
    if (c)
        scan__close_cursor(c);
    mem_free(clauses);
    return err;
}
